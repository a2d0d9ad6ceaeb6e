//! Interns strings that repeat from message to message: hosts, user agents, servers, targets.
//!
//! A [`SharedText`] is the bytes as they were sent; nothing is decoded and nothing is lost. Code that prints it must
//! escape it. [`TextInterner`] is a direct-mapped cache of recent strings: a string whose slot is taken replaces the
//! one in it. Handles stay valid: they own their bytes.

use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use super::coding::{DecoderPermit, MAX_DECODERS};

/// Slots of the cache. A busy capture has some hundred hosts, agents and paths at a time; a collision is chance, and
/// costs no more than storing a string twice. A string is cached from its second occurrence on, so that the many that
/// never recur evict nothing.
const PLACES: usize = 1024;
/// Longest string that is cached, in bytes: longer ones rarely recur, and a slot may hold one for long.
const MAX_SHARED: usize = 1024;
/// Bytes kept of a request target and of other texts of a head: enough to recognise any, and little enough for a capture
/// with a hundred thousand long ones.
pub(crate) const MAX_KEPT: usize = 2048;
/// What stands after a text of which only the beginning is kept.
const CUT: &str = "…";

/// Bytes of a message, reference-counted and immutable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedText(Arc<[u8]>);

impl SharedText {
    /// A copy of `bytes`, not shared yet.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes as sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether only the beginning is kept; `…` stands for the rest.
    #[must_use]
    pub(crate) fn is_cut(&self) -> bool {
        self.0.len() >= MAX_KEPT && self.0.ends_with(CUT.as_bytes())
    }

    /// The bytes, if they are UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A cache of recent strings, each in the slot that its hash selects.
#[derive(Debug, Default)]
pub struct TextInterner {
    places: Vec<TextRef>,
    hasher: foldhash::fast::FixedState,
    /// Bytes allocated so far.
    allocated: usize,
    /// Its copies are the decoders of bodies that are alive: what the parsers of a partition share is here.
    decoders: DecoderPermit,
}

#[derive(Clone, Debug, Default)]
struct TextRef {
    hash: u64,
    text: Option<SharedText>,
}

impl TextInterner {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory that all texts so far took, shared ones once.
    #[must_use]
    pub(crate) const fn allocated(&self) -> usize {
        self.allocated
    }

    /// Permission to have one more decoder; `None` if there are too many.
    pub(crate) fn decoder(&self) -> Option<DecoderPermit> {
        (DecoderPermit::strong_count(&self.decoders) <= MAX_DECODERS).then(|| self.decoders.clone())
    }

    /// The first bytes of a long string, as much as is kept of it, and `…`.
    pub(crate) fn beginning(&mut self, bytes: &[u8]) -> SharedText {
        if bytes.len() <= MAX_KEPT {
            return self.text(bytes);
        }
        // Not within a character of UTF-8, which has at most four bytes.
        let begins = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
        let end = (MAX_KEPT - 3..=MAX_KEPT).rev().find(begins);
        let kept = bytes.get(..end.unwrap_or(MAX_KEPT)).unwrap_or(bytes);
        self.text(&[kept, CUT.as_bytes()].concat())
    }

    fn fresh(allocated: &mut usize, bytes: &[u8]) -> SharedText {
        *allocated = allocated.wrapping_add(bytes.len() + 2 * size_of::<usize>());
        SharedText::new(bytes)
    }

    /// The text with these bytes, shared if it was seen recently.
    pub fn text(&mut self, bytes: &[u8]) -> SharedText {
        if bytes.len() > MAX_SHARED {
            return Self::fresh(&mut self.allocated, bytes);
        }
        if self.places.is_empty() {
            self.places.resize(PLACES, TextRef::default());
        }
        let hash = self.hasher.hash_one(bytes);
        let place = &mut self.places[hash as usize % PLACES];
        if place.hash != hash {
            *place = TextRef { hash, text: None };
            return Self::fresh(&mut self.allocated, bytes);
        }
        match &place.text {
            Some(text) if text.as_bytes() == bytes => text.clone(),
            _ => {
                let fresh = Self::fresh(&mut self.allocated, bytes);
                place.text.insert(fresh).clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_kept_once() {
        let mut texts = TextInterner::new();
        let first = texts.text(b"example.org");
        let one = texts.text(b"example.org");
        let two = texts.text(b"example.org");
        assert_eq!(first, one);
        assert!(Arc::ptr_eq(&one.0, &two.0));
        assert_ne!(one, texts.text(b"example.com"));
    }

    #[test]
    fn of_a_long_text_the_beginning_is_kept_and_marked() {
        let mut texts = TextInterner::new();
        for length in [MAX_KEPT - 1, MAX_KEPT] {
            let whole = "x".repeat(length);
            let text = texts.beginning(whole.as_bytes());
            assert_eq!((text.as_str(), text.is_cut()), (Some(&*whole), false));
        }
        for letter in ["x", "ü", "€", "🦀"] {
            let text = texts.beginning(format!("/{}", letter.repeat(MAX_KEPT)).as_bytes());
            let told = text.as_str().expect("it is still UTF-8");
            assert!(
                told.ends_with(&format!("{letter}…")) && text.is_cut(),
                "{letter}"
            );
            assert!(told.len() <= MAX_KEPT + CUT.len(), "{letter}");
        }
    }

    #[test]
    fn strings_that_never_repeat_are_let_go() {
        let mut texts = TextInterner::new();
        for number in 0..10 * PLACES {
            let text = texts.text(format!("/{number}").as_bytes());
            assert_eq!(text.as_str(), Some(format!("/{number}").as_str()));
        }
        assert_eq!(texts.places.len(), PLACES);
        assert!(texts.places.iter().all(|place| place.text.is_none()));
    }

    #[test]
    fn long_strings_are_not_remembered() {
        let mut texts = TextInterner::new();
        let long = vec![b'x'; MAX_SHARED + 1];
        assert_eq!(texts.text(&long).as_bytes(), long);
        assert!(texts.places.is_empty());
    }
}
