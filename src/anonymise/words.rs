//! Words: a keyed permutation of words of the same letters and digits, and which words stay.
//!
//! A word is a run of letters and digits. Its letters become letters, its digits digits, and capitals stay capitals, so that
//! its length and its kind remain; two different words stay different, and one word is replaced by the same everywhere: in
//! a `Host` field, in a certificate and in DNS. Words that everybody knows stay where texts are meant for everybody: those of
//! protocols, of products and of their error texts (`vocabulary.txt` and the tables of `knowledge`).

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::key::Key;
use crate::knowledge::{handshake_words, product_words};
use crate::protocol::h2::huffman_code_length;

/// Words whose replacement is remembered.
pub(crate) const MAX_REMEMBERED: usize = 1 << 16;
/// Characters that are permuted together: with the round and their number, two blocks of the cipher.
const TOGETHER: usize = 28;
/// Passes over all characters; after two, each depends on each.
const PASSES: u8 = 3;
/// How often a word is permuted until its code is as long as it was; a few times is usual.
const MOST_TURNS: usize = 128;
/// Digits of a number that stays in a text: codes and versions are short.
const SHORT_NUMBER: usize = 5;

/// Encodings of characters, which no one is named after: drivers are known by how they write them.
const ENCODINGS: [&[u8]; 6] = [
    b"utf-8",
    b"utf8",
    b"utf8mb4",
    b"latin1",
    b"unicode",
    b"sql_ascii",
];

/// Words that stay in texts, in lower case.
static VOCABULARY: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let mut words = HashSet::new();
    for text in [
        include_str!("vocabulary.txt"),
        include_str!("../knowledge/error_texts.tsv"),
        include_str!("../knowledge/error_texts_faults.tsv"),
        include_str!("../knowledge/error_texts_more.tsv"),
        include_str!("../knowledge/error_texts_protocols.tsv"),
        include_str!("../knowledge/gateways.tsv"),
        include_str!("../knowledge/messages.tsv"),
        include_str!("../knowledge/products.tsv"),
        include_str!("../knowledge/codes.tsv"),
    ] {
        for run in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_') {
            let run = run.trim_matches(['.', '_']);
            // Names in examples are no words.
            if run.is_empty() || run.contains("example") {
                continue;
            }
            words.insert(lower(run));
            if run.contains(['.', '_']) {
                words.extend(run.split(['.', '_']).filter(|it| !it.is_empty()).map(lower));
            }
        }
    }
    for run in product_words().chain(handshake_words()) {
        words.extend(
            run.split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|it| !it.is_empty())
                .map(lower),
        );
        words.insert(run);
    }
    words
});

/// In lower case. What has capitals is kept for good: the vocabulary is made once.
fn lower(word: &'static str) -> &'static str {
    if word.bytes().any(|it| it.is_ascii_uppercase()) {
        return Box::leak(word.to_ascii_lowercase().into_boxed_str());
    }
    word
}

fn is_known(word: &[u8]) -> bool {
    let word = word.to_ascii_lowercase();
    std::str::from_utf8(&word).is_ok_and(|it| VOCABULARY.contains(it))
}

/// Replaces words under a key.
#[derive(Debug)]
pub struct Words {
    key: Key,
    remembered: HashMap<Box<[u8]>, Box<[u8]>, foldhash::fast::RandomState>,
}

impl Words {
    /// Under this key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        // It takes a few milliseconds, once.
        LazyLock::force(&VOCABULARY);
        Self {
            key,
            remembered: HashMap::default(),
        }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Replaces every word and number.
    pub fn names(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'%' if bytes
                    .get(at + 1..at + 3)
                    .is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)) =>
                {
                    self.escaped(bytes.get_mut(at + 1..at + 3).unwrap_or_default());
                    at += 3;
                }
                byte if byte.is_ascii_alphanumeric() => {
                    let rest = bytes.get_mut(at..).unwrap_or_default();
                    if let Some(length) = ipv4_length(rest) {
                        self.written_address(rest.get_mut(..length).unwrap_or_default());
                        at += length;
                        continue;
                    }
                    let length = rest
                        .iter()
                        .take_while(|it| it.is_ascii_alphanumeric())
                        .count();
                    self.word(rest.get_mut(..length).unwrap_or_default());
                    at += length;
                }
                _ => at += beyond_ascii(bytes.get_mut(at..).unwrap_or_default()),
            }
        }
    }

    /// As [`Words::names`], with each IPv4 address as the packets have it, which may be longer or shorter; `None` if there is
    /// none.
    pub(super) fn names_with_addresses(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut any = false;
        let mut rest = bytes;
        while !rest.is_empty() {
            let begins = !out.last().is_some_and(u8::is_ascii_alphanumeric);
            if let Some(length) = ipv4_length(rest).filter(|_| begins)
                && let Some(own) = rest
                    .get(..length)
                    .and_then(|it| std::str::from_utf8(it).ok()?.parse().ok())
            {
                any = true;
                out.extend(
                    self.key
                        .address(std::net::IpAddr::V4(own))
                        .to_string()
                        .into_bytes(),
                );
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            let word = rest
                .iter()
                .take_while(|it| it.is_ascii_alphanumeric())
                .count()
                .max(1);
            let mut part = rest.get(..word).unwrap_or_default().to_vec();
            self.names(&mut part);
            out.extend(part);
            rest = rest.get(word..).unwrap_or_default();
        }
        any.then_some(out)
    }

    /// Replaces the words that are not in the vocabulary, names of hosts and what stands in quotation marks.
    pub fn text(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get_mut(at..).unwrap_or_default();
            at += match byte {
                b'"' | b'`' | b'\'' => self.quoted(rest),
                b'0'..=b'9' if quad_length(rest) > 0 => {
                    let length = quad_length(rest);
                    self.quad(rest.get_mut(..length).unwrap_or_default());
                    length
                }
                byte if is_of_run(byte) => {
                    let length = rest.iter().take_while(|it| is_of_run(**it)).count();
                    self.run(rest.get_mut(..length).unwrap_or_default());
                    length
                }
                _ => beyond_ascii(rest),
            };
        }
    }

    /// The four numbers of an address with commas between them, as FTP writes it (RFC 959 §4.1.2).
    fn quad(&mut self, text: &mut [u8]) {
        let swap = |text: &mut [u8], from: u8, to: u8| {
            for byte in text.iter_mut().filter(|it| **it == from) {
                *byte = to;
            }
        };
        swap(text, b',', b'.');
        self.written_address(text);
        swap(text, b'.', b',');
    }

    /// A quotation at the beginning of these bytes: how many were replaced.
    fn quoted(&mut self, bytes: &mut [u8]) -> usize {
        let Some(mark) = bytes.first().copied() else {
            return 0;
        };
        let rest = bytes.get(1..).unwrap_or_default();
        let end = rest
            .iter()
            .take_while(|it| **it != b'\n')
            .position(|it| *it == mark);
        // An apostrophe within a word is none.
        let Some(end) = end.filter(|_| {
            mark != b'\''
                || !rest
                    .first()
                    .is_some_and(|it| matches!(it, b's' | b't' | b' '))
        }) else {
            return 1;
        };
        let inside = bytes.get_mut(1..=end).unwrap_or_default();
        if !ENCODINGS.iter().any(|it| inside.eq_ignore_ascii_case(it)) {
            self.names(inside);
        }
        end + 2
    }

    /// A run of words with dots, hyphens and the like between them.
    fn run(&mut self, run: &mut [u8]) {
        let trimmed = run
            .iter()
            .rev()
            .take_while(|it| !it.is_ascii_alphanumeric())
            .count();
        let length = run.len() - trimmed;
        let run = run.get_mut(..length).unwrap_or_default();
        let last = run.rsplit(|it| *it == b'.').next().unwrap_or_default();
        let is_host =
            run.contains(&b'.') && last.len() > 1 && last.iter().all(u8::is_ascii_alphabetic);
        if run.contains(&b'@') || is_host && !is_known(run) || ipv4_length(run).is_some() {
            return self.names(run);
        }
        for word in run.split_mut(|it| !it.is_ascii_alphanumeric()) {
            self.unless_known(word);
        }
    }

    fn unless_known(&mut self, word: &mut [u8]) {
        if word.is_empty() || is_known(word) {
            return;
        }
        // Letters and digits apart: a version, or a code with a number.
        let mut known = true;
        for part in word.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            known &= match part.first().is_some_and(u8::is_ascii_digit) {
                true => part.len() <= SHORT_NUMBER,
                false => part.len() == 1 || is_known(part),
            };
        }
        if !known {
            self.word(word);
        }
    }

    /// Replaces one word.
    pub(super) fn word(&mut self, word: &mut [u8]) {
        let small = word.to_ascii_lowercase();
        let mapped = match self.remembered.get(&*small) {
            Some(mapped) => mapped.clone(),
            None => {
                let mapped = self.permuted(&small);
                if self.remembered.len() >= MAX_REMEMBERED {
                    self.remembered.clear();
                }
                self.remembered.insert(small.into(), mapped.clone());
                mapped
            }
        };
        for (byte, other) in word.iter_mut().zip(&mapped) {
            *byte = match byte.is_ascii_uppercase() {
                true => other.to_ascii_uppercase(),
                false => *other,
            };
        }
    }

    /// The permutation, taken again until the word's Huffman code in HTTP/2 has as many bits as before: so a name is the same
    /// there as everywhere else.
    fn permuted(&self, word: &[u8]) -> Box<[u8]> {
        let bits = |word: &[u8]| -> u32 {
            let each = word.iter().map(|it| u32::from(huffman_code_length(*it)));
            each.sum()
        };
        let wanted = bits(word);
        let first = self.permuted_once(word);
        // A long one is no name, and nothing else has it.
        if word.len() > TOGETHER {
            return first;
        }
        let mut found = first.clone();
        for _ in 0..MOST_TURNS {
            if bits(&found) == wanted {
                return found;
            }
            found = self.permuted_once(&found);
        }
        first
    }

    /// Each character is moved on by a function of all others, several times.
    fn permuted_once(&self, word: &[u8]) -> Box<[u8]> {
        let mut out = word.to_vec();
        let mut before = [0; 16];
        for (nth, part) in out.chunks_mut(TOGETHER).enumerate() {
            let original = part.to_vec();
            for pass in 0..PASSES {
                for place in 0..part.len() {
                    self.turn(part, place, pass, &before);
                }
            }
            if word.len() > TOGETHER * (nth + 1) {
                before = self.key.words.hash(2, &[&before[..], &original].concat());
            }
        }
        out.into()
    }

    fn turn(&self, part: &mut [u8], place: usize, pass: u8, before: &[u8; 16]) {
        let mut input = [0_u8; 32];
        input[0] = pass + 1;
        input[1] = place as u8;
        input[2] = part.len() as u8;
        for (slot, byte) in input.iter_mut().skip(4).zip(part.iter()) {
            *slot = *byte;
        }
        let Some(own) = part.get_mut(place) else {
            return;
        };
        // Of the character itself only its kind counts.
        if let Some(slot) = input.get_mut(4 + place) {
            *slot = u8::from(own.is_ascii_digit());
        }
        let mut block = *before;
        for half in input.chunks(16) {
            for (byte, add) in block.iter_mut().zip(half) {
                *byte ^= add;
            }
            block = self.key.words.block(block);
        }
        let number = u64::from_be_bytes(*block.first_chunk().unwrap_or(&[0; 8]));
        let (first, radix) = match own.is_ascii_digit() {
            true => (b'0', 10),
            false => (b'a', 26),
        };
        let symbol = u64::from(own.wrapping_sub(first));
        *own = first + ((symbol + number % radix) % radix) as u8;
    }

    /// Two hexadecimal digits.
    fn escaped(&mut self, digits: &mut [u8]) {
        let mut two = [b'0'; 2];
        for (slot, digit) in two.iter_mut().zip(digits.iter()) {
            // Hexadecimal digits are not all digits: 0 to 9 stand for them.
            *slot = b'0' + (*digit as char).to_digit(16).unwrap_or(0) as u8 % 10;
        }
        self.word(&mut two);
        digits.copy_from_slice(&two);
    }

    /// An IPv4 address in figures, as long as before: the one that the packets have, if that is as long.
    fn written_address(&mut self, text: &mut [u8]) {
        let own = std::str::from_utf8(text)
            .ok()
            .and_then(|it| it.parse().ok());
        let Some(own) = own else {
            return self.names_of_digits(text);
        };
        let mapped = self.key.address(std::net::IpAddr::V4(own)).to_string();
        if mapped.len() == text.len() {
            text.copy_from_slice(mapped.as_bytes());
        } else {
            self.names_of_digits(text);
        }
    }

    /// The four numbers of an address, each replaced by one that has as many digits and fits in a byte.
    fn names_of_digits(&mut self, text: &mut [u8]) {
        let seed = self.key.words.hash(3, text);
        let fields = text.split_mut(|it| *it == b'.');
        for (field, random) in fields.zip(seed) {
            let number = match field.len() {
                1 => 1 + random % 9,
                2 => 10 + random % 90,
                _ => 100 + random % 156,
            };
            let figures = number.to_string();
            if figures.len() == field.len() {
                field.copy_from_slice(figures.as_bytes());
            }
        }
    }
}

const fn is_of_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@')
}

/// The length of an address with commas at the beginning, if there is one; 0 otherwise.
fn quad_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    for nth in 0..4 {
        let digits = bytes
            .iter()
            .skip(length)
            .take_while(|it| it.is_ascii_digit())
            .count();
        if !(1..=3).contains(&digits) {
            return 0;
        }
        length += digits;
        if nth < 3 {
            if bytes.get(length) != Some(&b',') {
                return 0;
            }
            length += 1;
        }
    }
    length
}

/// Whether the number at this place is one of an IPv4 address in figures.
pub(super) fn written_address_at(text: &[u8], at: usize) -> bool {
    let is_part = |it: &u8| it.is_ascii_digit() || matches!(it, b'.' | b',');
    let before = text
        .get(..at)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|it| is_part(it))
        .count();
    let run = text.get(at - before..).unwrap_or_default();
    let length = run.iter().take_while(|it| is_part(it)).count();
    let run = run.get(..length).unwrap_or_default();
    ipv4_length(run).is_some() || quad_length(run) > 0
}

/// The length of an IPv4 address in figures at the beginning, if there is one and nothing that belongs to it follows.
fn ipv4_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes
        .iter()
        .take_while(|it| it.is_ascii_digit() || **it == b'.')
        .count();
    if !(7..=15).contains(&length) || bytes.get(length).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    text.parse::<std::net::Ipv4Addr>().ok().map(|_| length)
}

/// A byte beyond ASCII becomes one of the same kind in UTF-8; control characters stay. Returns how many bytes it took.
fn beyond_ascii(bytes: &mut [u8]) -> usize {
    if let [0xc2, 0x80..=0x9f, ..] = bytes {
        return 2;
    }
    if let Some(byte) = bytes.first_mut() {
        *byte = match *byte {
            0x80..=0xbf => 0xa9,
            0xc2..=0xdf => 0xc3,
            0xe0..=0xef => 0xe2,
            0xf0..=0xf4 => 0xf1,
            0xc0 | 0xc1 | 0xf5.. => 0xff,
            byte => byte,
        };
    }
    1
}
