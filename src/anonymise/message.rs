//! Messages of protocols other than HTTP: what their grammar does not read is replaced, found by asking the grammar.
//!
//! In: the bytes of a message, and the grammar that reads them. A part of the message is replaced by a filler; if the grammar
//! then says the same, the part meant nothing to it, and stays replaced; else both halves of it are tried. So the bytes that
//! remain are those that the report depends on: lengths, types, numbers, commands, and the texts of errors. Of these, words
//! that are not known are replaced as in other texts. No field of any protocol is listed here.

use memchr::memmem;

use super::filler::unknown;
use super::words::{self, Words};
use crate::protocol::parts::MessageReading;

/// Bytes of a message that are looked at one by one: grammars read no more.
const LOOKED_AT: usize = 4096;
/// Parts that are no longer halved: a byte.
const SMALLEST: usize = 1;

/// Replaces what a message holds; the grammar reads the result as it read the message.
pub(super) fn rewrite(
    words: &mut Words,
    bytes: &[u8],
    read: &dyn Fn(&[u8]) -> MessageReading,
) -> Vec<u8> {
    let before = read(bytes);
    let mut out = bytes.to_vec();
    let mut kept = vec![true; bytes.len()];
    let looked_at = bytes.len().min(LOOKED_AT);
    blank(&mut out, &mut kept, looked_at, bytes.len());
    let mut parts = vec![(0, looked_at)];
    // What lies beyond is replaced in any case.
    while let Some((start, end)) = parts.pop() {
        if start >= end {
            continue;
        }
        let original = out.get(start..end).unwrap_or_default().to_vec();
        blank(&mut out, &mut kept, start, end);
        if read(&out) == before {
            continue;
        }
        out.get_mut(start..end)
            .unwrap_or_default()
            .copy_from_slice(&original);
        kept.get_mut(start..end).unwrap_or_default().fill(true);
        if end - start > SMALLEST {
            let middle = start + (end - start) / 2;
            parts.extend([(middle, end), (start, middle)]);
        }
    }
    // A letter that is the filler is part of the word around it.
    for at in 0..looked_at {
        let is_kept = |at: Option<usize>| at.and_then(|it| kept.get(it)) == Some(&true);
        let is_letter =
            out.get(at) == bytes.get(at) && out.get(at).is_some_and(u8::is_ascii_graphic);
        if is_letter && (is_kept(at.checked_sub(1)) || is_kept(Some(at + 1))) {
            kept[at] = true;
        }
    }
    texts(words, &mut out, &kept, &before, read);
    out
}

fn blank(out: &mut [u8], kept: &mut [bool], start: usize, end: usize) {
    for byte in out.get_mut(start..end).unwrap_or_default() {
        *byte = unknown(*byte);
    }
    kept.get_mut(start..end).unwrap_or_default().fill(false);
}

/// Replaces the words among the bytes that are kept. In a request numbers are replaced as well.
fn texts(
    words: &mut Words,
    out: &mut [u8],
    kept: &[bool],
    before: &MessageReading,
    read: &dyn Fn(&[u8]) -> MessageReading,
) {
    let [said, ..] = &before.texts;
    let request = match said.is_empty() {
        true => None,
        false => memmem::find(out, said).map(|at| (at, at + said.len())),
    };
    let mut at = 0;
    while at < out.len() {
        let is_text = |at: usize| {
            kept.get(at) == Some(&true)
                && out
                    .get(at)
                    .is_some_and(|it| matches!(it, b' '..=b'~' | b'\t' | 0x80..))
        };
        let length = (at..out.len()).take_while(|at| is_text(*at)).count();
        // A number in binary is no text.
        let least = 3;
        if length >= least {
            let original = out.get(at..at + length).unwrap_or_default().to_vec();
            let mut part = original.clone();
            words.text(&mut part);
            if request.is_some_and(|(start, end)| at < end && start < at + length) {
                numbers(words, &mut part, &original);
            }
            place(words, out, at, &part, before, read);
        }
        at += length.max(1);
    }
}

/// Puts a text in its place. If the message then means something else, the word of the protocol that makes the difference is
/// found: it is in capitals, and stays.
fn place(
    words: &mut Words,
    out: &mut [u8],
    at: usize,
    text: &[u8],
    wanted: &MessageReading,
    read: &dyn Fn(&[u8]) -> MessageReading,
) {
    let end = at + text.len();
    let lengths = |it: &MessageReading| it.texts.each_ref().map(Vec::len);
    let code = |it: &MessageReading| it.texts.get(1).cloned();
    let is_same = |out: &[u8]| {
        let now = read(out);
        now.meaning == wanted.meaning
            && lengths(&now) == lengths(wanted)
            && code(&now) == code(wanted)
    };
    let before = out.get(at..end).unwrap_or_default().to_vec();
    if before == text {
        return;
    }
    out.get_mut(at..end)
        .unwrap_or_default()
        .copy_from_slice(text);
    if is_same(out) {
        return;
    }
    out.get_mut(at..end)
        .unwrap_or_default()
        .copy_from_slice(&before);
    let mut from = 0;
    for word in before.chunk_by(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric()) {
        let (start, length) = (from, word.len());
        from += length;
        let new = text.get(start..start + length).unwrap_or_default();
        let is_code = |it: &&u8| it.is_ascii_uppercase() || it.is_ascii_digit();
        let capitals = word.iter().take_while(is_code).count();
        let is_word = word.first().is_some_and(u8::is_ascii_alphanumeric);
        // All of it is replaced, or what follows a letter that says what it is, or what follows its capitals.
        for kept in [0, 1, capitals.saturating_sub(1), capitals, length] {
            if kept > capitals.max(1) && is_word {
                continue;
            }
            let mut own = new.to_vec();
            if kept > 0 {
                own = word.to_vec();
                words.text(own.get_mut(kept..).unwrap_or_default());
            }
            out.get_mut(at + start..at + start + length)
                .unwrap_or_default()
                .copy_from_slice(&own);
            if is_same(out) {
                break;
            }
        }
        // Without this word the grammar finds another error, or none: the protocol defines it.
        let now = read(out);
        if lengths(&now) != lengths(wanted) || code(&now) != code(wanted) {
            out.get_mut(at + start..at + start + length)
                .unwrap_or_default()
                .copy_from_slice(word);
        }
    }
}

/// Numbers that stand alone, and are not replaced yet.
fn numbers(words: &mut Words, text: &mut [u8], original: &[u8]) {
    let mut at = 0;
    while let Some(byte) = original.get(at) {
        let rest = original.get(at..).unwrap_or_default();
        let is_number = |it: &&u8| it.is_ascii_digit();
        let length = rest.iter().take_while(is_number).count();
        let begins = at == 0 || !original.get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
        let ends = !rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
        let own = text.get_mut(at..at + length).unwrap_or_default();
        // Those of an address are other ones already, or say that it is this machine.
        let is_address = words::written_address_at(original, at);
        if length > 1 && begins && ends && !is_address && rest.starts_with(own) {
            words.word(own);
        }
        at += match byte.is_ascii_alphanumeric() {
            true => rest
                .iter()
                .take_while(|it| it.is_ascii_alphanumeric())
                .count(),
            false => 1,
        };
    }
}
