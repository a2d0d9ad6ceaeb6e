//! DER, of certificates and of LDAP: a walk over tags and lengths (X.690 §8.1) that leaves all lengths as they are.
//!
//! Names become other names, addresses other addresses; keys, signatures and serial numbers are replaced. Object identifiers,
//! times and small numbers stay. What is no DER is replaced as a whole.

use super::words::Words;

/// Constructed elements in each other; certificates have about ten.
const MAX_DEPTH: u8 = 24;

/// Replaces what these elements hold.
pub(super) fn rewrite(words: &mut Words, bytes: &mut [u8]) {
    walk(words, bytes, 0);
}

fn walk(words: &mut Words, mut bytes: &mut [u8], depth: u8) {
    while !bytes.is_empty() {
        let Some((tag, head, length)) = header(bytes).filter(|_| depth < MAX_DEPTH) else {
            return words.key().opaque.replace(bytes);
        };
        let (element, rest) = bytes.split_at_mut((head + length).min(bytes.len()));
        let (_, content) = element.split_at_mut(head);
        if tag & 0x20 != 0 {
            walk(words, content, depth + 1);
        } else {
            primitive(words, tag, content, depth);
        }
        bytes = rest;
    }
}

/// Tag, length of the header, length of the content. Tags of more than a byte are not used there.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let tag = *bytes.first().filter(|it| **it & 0x1f != 0x1f)?;
    let (head, length) = match *bytes.get(1)? {
        short @ ..=0x7f => (2, usize::from(short)),
        long @ 0x81..=0x84 => {
            let count = usize::from(long & 0x7f);
            let digits = bytes.get(2..2 + count)?;
            let length = digits.iter().fold(0, |sum, it| sum << 8 | usize::from(*it));
            (2 + count, length)
        }
        _ => return None,
    };
    Some((tag, head, length))
}

fn primitive(words: &mut Words, tag: u8, content: &mut [u8], depth: u8) {
    let printable = content.iter().all(|it| matches!(it, b' '..=b'~'));
    match tag {
        // BOOLEAN, NULL, OBJECT IDENTIFIER, ENUMERATED, UTCTime, GeneralizedTime.
        1 | 5 | 6 | 10 | 0x17 | 0x18 => {}
        // INTEGER: versions and the usual exponent stay.
        2 if content.len() <= 2 || *content == [1, 0, 1] => {}
        2 => integer(words, content),
        // BIT STRING: flags stay.
        3 if content.len() <= 3 => {}
        3 => bits(words, content, depth),
        4 if is_whole(content) => walk(words, content, depth + 1),
        // Strings of UTF-8, printable, T.61, IA5, visible and general ones.
        0x0c | 0x12 | 0x13 | 0x14 | 0x16 | 0x1a | 0x1b => words.names(content),
        // BMPString: two bytes a letter.
        0x1e => content
            .iter_mut()
            .filter(|it| **it != 0)
            .for_each(|it| *it = b'x'),
        // Names in extensions (RFC 5280 §4.2.1.6).
        0x81 | 0x82 | 0x86 if printable => words.names(content),
        0x87 if matches!(content.len(), 4 | 16) => words.key().replace_address(content),
        // With a mask.
        0x87 if matches!(content.len(), 8 | 32) => {
            let half = content.len() / 2;
            words
                .key()
                .replace_address(content.get_mut(..half).unwrap_or_default());
        }
        _ => words.key().opaque.replace(content),
    }
}

/// A key or a signature. A key of RSA is DER again, one of an elliptic curve begins with the form of a point.
fn bits(words: &mut Words, content: &mut [u8], depth: u8) {
    let is_point = matches!(content.get(1), Some(2..=4));
    let content = content.get_mut(1..).unwrap_or_default();
    if is_whole(content) {
        return walk(words, content, depth + 1);
    }
    words
        .key()
        .opaque
        .replace(content.get_mut(usize::from(is_point)..).unwrap_or_default());
}

fn integer(words: &Words, content: &mut [u8]) {
    let first = content.first().copied().unwrap_or(0);
    words.key().opaque.replace(content);
    if let [a, b, ..] = content {
        // As short as it was, and as positive.
        (*a, *b) = match first {
            0 => (0, *b | 0x80),
            _ => (*a & 0x3f | first & 0x80 | 0x40, *b),
        };
    }
}

/// Whether this is one constructed element and nothing else.
fn is_whole(bytes: &[u8]) -> bool {
    header(bytes).is_some_and(|(tag, head, length)| {
        matches!(tag, 0x30 | 0x31) && head + length == bytes.len()
    })
}
