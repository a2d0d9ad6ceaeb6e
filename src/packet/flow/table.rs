//! A table of flows for a caller that bounds its size. When it is full, the caller chooses which flow to evict among
//! candidates from a clock hand (second chance): flows that were idle since the hand last passed.

use hashbrown::HashTable;

use super::key::FlowKey;

/// The index of a flow in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSlot(u32);

#[derive(Debug)]
struct FlowEntry<T> {
    key: FlowKey,
    hash: u64,
    /// Whether the flow was used since the hand last passed.
    used: bool,
    value: T,
}

/// A table from [`FlowKey`] to `T`.
#[derive(Debug)]
pub struct FlowTable<T> {
    index: HashTable<u32>,
    entries: Vec<Option<FlowEntry<T>>>,
    free: Vec<u32>,
    hand: usize,
    seed: u64,
}

impl<T> FlowTable<T> {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        use std::hash::BuildHasher as _;
        Self {
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            hand: 0,
            // The seed only determines bucket placement, never the output.
            seed: foldhash::fast::RandomState::default().hash_one(0_u8),
        }
    }

    /// Number of flows in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The slot of `key`, if present. Counts as a use.
    #[inline]
    pub fn find(&mut self, key: &FlowKey) -> Option<FlowSlot> {
        let hash = key.hash(self.seed);
        let entries = &self.entries;
        let found = *self.index.find(hash, |place| {
            entries[*place as usize]
                .as_ref()
                .is_some_and(|entry| entry.hash == hash && entry.key == *key)
        })?;
        if let Some(entry) = &mut self.entries[found as usize] {
            entry.used = true;
        }
        Some(FlowSlot(found))
    }

    /// Adds a flow. `key` must not be in the table yet.
    pub fn insert(&mut self, key: FlowKey, value: T) -> FlowSlot {
        let hash = key.hash(self.seed);
        let entry = Some(FlowEntry {
            key,
            hash,
            used: true,
            value,
        });
        let place = match self.free.pop() {
            Some(place) => {
                self.entries[place as usize] = entry;
                place
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("the table is bounded far below")
            }
        };
        let entries = &self.entries;
        self.index.insert_unique(hash, place, |place| {
            entries[*place as usize]
                .as_ref()
                .map_or(0, |entry| entry.hash)
        });
        FlowSlot(place)
    }

    /// The value of a flow.
    #[inline]
    pub fn at(&mut self, slot: FlowSlot) -> Option<&mut T> {
        self.entries
            .get_mut(slot.0 as usize)?
            .as_mut()
            .map(|entry| &mut entry.value)
    }

    /// Removes a flow and returns its value.
    pub fn remove(&mut self, slot: FlowSlot) -> Option<T> {
        let entry = self.entries.get_mut(slot.0 as usize)?.take()?;
        if let Ok(found) = self.index.find_entry(entry.hash, |place| *place == slot.0) {
            found.remove();
        }
        self.free.push(slot.0);
        Some(entry.value)
    }

    /// The next candidate for eviction: the first flow that `is_cheap`, or that was not used since the hand last
    /// passed. `None` only if the table is empty.
    pub(crate) fn candidate(&mut self, mut is_cheap: impl FnMut(&T) -> bool) -> Option<FlowSlot> {
        if self.is_empty() {
            return None;
        }
        loop {
            self.hand = (self.hand + 1) % self.entries.len();
            if let Some(entry) = &mut self.entries[self.hand] {
                if !entry.used || is_cheap(&entry.value) {
                    return Some(FlowSlot(self.hand as u32));
                }
                entry.used = false;
            }
        }
    }

    /// The slots of the values that are `wanted`, in slot order.
    pub(crate) fn slots(&self, wanted: impl Fn(&T) -> bool) -> Vec<FlowSlot> {
        let entries = (0..).zip(&self.entries);
        let wanted = entries.filter(|(_, it)| it.as_ref().is_some_and(|it| wanted(&it.value)));
        wanted.map(|(place, _)| FlowSlot(place)).collect()
    }

    /// All values, in slot order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().flatten().map(|entry| &entry.value)
    }

    /// Removes and returns all values, in slot order.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.index.clear();
        self.free.clear();
        self.entries.drain(..).flatten().map(|entry| entry.value)
    }
}

impl<T> Default for FlowTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::base::net::{Context, Endpoint};

    fn key(port: u16) -> FlowKey {
        let at = |port| Endpoint {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port,
        };
        FlowKey::new(at(port), at(80), Context(0))
    }

    #[test]
    fn what_is_put_in_is_found_and_taken_out() {
        let mut table = FlowTable::new();
        for port in 1000..2000 {
            table.insert(key(port), port);
        }
        for port in (1000..2000).step_by(2) {
            let slot = table.find(&key(port)).unwrap();
            assert_eq!(table.remove(slot), Some(port));
            assert_eq!(table.find(&key(port)), None);
        }
        assert_eq!(table.len(), 500);
        let slot = table.find(&key(1001)).unwrap();
        assert_eq!(table.at(slot), Some(&mut 1001));
        assert_eq!(table.drain().count(), 500);
        assert!(table.is_empty());
    }

    #[test]
    fn the_hand_spares_what_was_used() {
        let mut table = FlowTable::new();
        for port in 1..=8 {
            table.insert(key(port), port);
        }
        // The first round only clears the `used` flags.
        let slot = table.candidate(|_| false).unwrap();
        let first = table.remove(slot).unwrap();
        for port in (1..=8).filter(|port| *port != first && *port != 5) {
            table.find(&key(port));
        }
        let slot = table.candidate(|_| false).unwrap();
        assert_eq!(table.remove(slot), Some(if first == 5 { 6 } else { 5 }));
    }
}
