//! Assigns a small number to each path of tunnels that a packet came through.
//!
//! A path consists of the path around it, the kind of tunnel, its identifier if both directions share one (a VNI, a GRE
//! key; not a GTP TEID, which each side chooses for itself) and the two endpoints in sorted order, so that both
//! directions of a connection get the same number.

use crate::base::net::Context;
use std::fmt::Write as _;
use std::net::IpAddr;

use hashbrown::HashMap;

/// Maximum number of distinct tunnel paths. A radio network has some thousands; each costs about 200 bytes, so a
/// capture crafted to exhaust the limit takes 13 MB.
pub(crate) const MAX_CONTEXTS: usize = 65_536;

/// The context of packets whose path exceeds [`MAX_CONTEXTS`]. They are still decoded, but no longer told apart by
/// tunnel.
const OVERFLOW: Context = Context(u32::MAX);

/// The name of what is no tunnel: see [`Contexts::another_place`].
const ANOTHER_PLACE: &str = "as another place shows it";

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tunnel {
    pub(super) around: Context,
    pub(super) kind: &'static str,
    pub(super) id: Option<u32>,
    pub(super) ends: (IpAddr, IpAddr),
}

/// All paths seen so far.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    numbers: HashMap<Tunnel, Context, foldhash::fast::RandomState>,
    names: Vec<String>,
    /// The last result: the next packet usually has the same path.
    last: Option<(Tunnel, Context)>,
    /// Number of lookups that found the table full.
    pub(super) overflowed: u64,
}

impl Contexts {
    /// The number of a path, assigned at its first packet.
    pub(super) fn number(&mut self, mut tunnel: Tunnel) -> Context {
        let (a, b) = tunnel.ends;
        if b < a {
            tunnel.ends = (b, a);
        }
        if let Some((last, context)) = self.last
            && last == tunnel
        {
            return context;
        }
        let context = match self.numbers.get(&tunnel) {
            Some(&context) => context,
            None if self.names.len() >= MAX_CONTEXTS => {
                self.overflowed += 1;
                return OVERFLOW;
            }
            None => self.add(tunnel),
        };
        self.last = Some((tunnel, context));
        context
    }

    /// What another place of capture shows with other numbers is in no tunnel, and still a space of its own.
    #[cold]
    pub(super) fn another_place(&mut self) -> Context {
        let nowhere = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        self.number(Tunnel {
            around: Context(0),
            kind: ANOTHER_PLACE,
            id: None,
            ends: (nowhere, nowhere),
        })
    }

    /// The description of a path, outermost tunnel first; `None` for no tunnel.
    pub(super) fn name(&self, context: Context) -> Option<&str> {
        if context == OVERFLOW {
            return Some("one of too many tunnels");
        }
        let index = (context.0 as usize).checked_sub(1)?;
        self.names.get(index).map(String::as_str)
    }

    fn add(&mut self, tunnel: Tunnel) -> Context {
        let mut name = match self.name(tunnel.around) {
            Some(around) => format!("{around} / "),
            None => String::new(),
        };
        name.push_str(tunnel.kind);
        if let Some(id) = tunnel.id {
            let _ = write!(name, " {id}");
        }
        if tunnel.kind != ANOTHER_PLACE {
            let _ = write!(name, " {} - {}", tunnel.ends.0, tunnel.ends.1);
        }
        self.names.push(name);
        let context = Context(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.numbers.insert(tunnel, context);
        context
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn tunnel(around: Context, from: u32, to: u32) -> Tunnel {
        let ip = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
        Tunnel {
            around,
            kind: "vxlan",
            id: Some(42),
            ends: (ip(from), ip(to)),
        }
    }

    #[test]
    fn both_directions_are_one_path_and_paths_nest() {
        let mut contexts = Contexts::default();
        let outer = contexts.number(tunnel(Context(0), 1, 2));
        assert_eq!(contexts.number(tunnel(Context(0), 2, 1)), outer);
        let inner = contexts.number(tunnel(outer, 1, 2));
        assert_ne!(inner, outer);
        assert_eq!(contexts.name(Context(0)), None);
        assert_eq!(contexts.name(outer), Some("vxlan 42 0.0.0.1 - 0.0.0.2"));
        assert_eq!(
            contexts.name(inner),
            Some("vxlan 42 0.0.0.1 - 0.0.0.2 / vxlan 42 0.0.0.1 - 0.0.0.2")
        );
    }

    #[test]
    fn the_table_is_bounded() {
        let mut contexts = Contexts::default();
        for far in 0..=MAX_CONTEXTS as u32 {
            contexts.number(tunnel(Context(0), 0, far));
        }
        assert_eq!(contexts.names.len(), MAX_CONTEXTS);
        assert_eq!(contexts.overflowed, 1);
        assert_eq!(
            contexts.number(tunnel(Context(0), 0, 7)),
            Context(8),
            "known paths keep their number"
        );
        assert!(contexts.name(OVERFLOW).is_some());
    }
}
