//! Strings that repeat from message to message, kept once: hosts, user agents, servers, targets.
//!
//! A [`Text`] is the bytes as they were sent; nothing is decoded and nothing is lost. Whoever prints it escapes it.
//! [`Texts`] remembers the ones seen lately in two generations: a hit in the old one moves to the young one; when the
//! young one is full it becomes the old one, and what nobody asked for since is let go (and counted). Handles stay
//! good: they own their bytes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashSet;

/// Strings in one generation. A busy capture has some hundred hosts and agents; targets come and go.
const GENERATION: usize = 4096;
/// Bytes in one generation. 4096 strings of ordinary length take a quarter of it.
const GENERATION_BYTES: usize = 1 << 20;

/// Bytes of a message, shared. One pointer wide, because there are several in every exchange.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Arc<Box<[u8]>>);

impl Text {
    /// A copy of `bytes` that is shared with nobody yet.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(bytes.into()))
    }

    /// The bytes as sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, if they are UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// As the slice hashes, so that a set of texts can be asked for bytes.
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// The strings seen lately.
#[derive(Debug, Default)]
pub struct Texts {
    young: HashSet<Text, foldhash::fast::FixedState>,
    old: HashSet<Text, foldhash::fast::FixedState>,
    young_bytes: usize,
    let_go: u64,
}

impl Texts {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text with these bytes, shared if it was seen lately.
    pub fn text(&mut self, bytes: &[u8]) -> Text {
        if let Some(text) = self.young.get(bytes) {
            return text.clone();
        }
        let text = self.old.take(bytes).unwrap_or_else(|| Text::new(bytes));
        if self.young.len() >= GENERATION || self.young_bytes + bytes.len() > GENERATION_BYTES {
            self.let_go += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes.len();
        self.young.insert(text.clone());
        text
    }

    /// How many strings were forgotten to stay within bounds. Harmless: a string that comes again is kept twice.
    #[must_use]
    pub fn let_go(&self) -> u64 {
        self.let_go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_kept_once() {
        let mut texts = Texts::new();
        let one = texts.text(b"example.org");
        let two = texts.text(b"example.org");
        assert!(Arc::ptr_eq(&one.0, &two.0));
        assert_ne!(one, texts.text(b"example.com"));
        assert_eq!(size_of::<Option<Text>>(), 8);
    }

    #[test]
    fn strings_that_never_repeat_are_let_go() {
        let mut texts = Texts::new();
        let host = texts.text(b"host");
        for number in 0..10 * GENERATION {
            texts.text(format!("/{number}").as_bytes());
            assert!(
                Arc::ptr_eq(&host.0, &texts.text(b"host").0),
                "in use, so kept"
            );
        }
        assert!(texts.young.len() + texts.old.len() <= 2 * GENERATION);
        assert!(texts.let_go() >= 7 * GENERATION as u64);
    }

    #[test]
    fn long_strings_are_bounded_by_bytes() {
        let mut texts = Texts::new();
        for number in 0..64u32 {
            let mut long = vec![b'x'; 64 << 10];
            long.extend_from_slice(&number.to_be_bytes());
            texts.text(&long);
        }
        let held: usize = texts
            .young
            .iter()
            .chain(&texts.old)
            .map(|text| text.0.len())
            .sum();
        assert!(held <= 2 * GENERATION_BYTES + (64 << 10));
    }
}
