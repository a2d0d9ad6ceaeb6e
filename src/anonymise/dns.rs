//! DNS messages: names label by label, addresses in answers; types, codes, flags and times to live stay.
//!
//! Pointers within a message stay, as every name keeps its length. Data of types that are not known is replaced.

use super::words::Words;

const HEADER: usize = 12;
/// Records of one message; a datagram of 64 KB has room for five thousand.
const MAX_RECORDS: u32 = 8192;
/// Labels that say what kind of name it is.
const KEPT: [&[u8]; 15] = [
    b"in-addr",
    b"arpa",
    b"ip6",
    b"local",
    b"localhost",
    b"_tcp",
    b"_udp",
    b"_http",
    b"_https",
    b"wpad",
    b"isatap",
    b"lan",
    b"home",
    b"localdomain",
    b"workgroup",
];

/// Replaces the names in a message. What is no message is replaced as a whole behind its header.
pub(super) fn rewrite(words: &mut Words, message: &mut [u8]) {
    let mut at = HEADER;
    if records(words, message, &mut at).is_none() {
        let rest = message.get_mut(at..).unwrap_or_default();
        words.key().opaque.replace(rest);
    }
}

fn number(message: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(
        *message.get(at..)?.first_chunk()?,
    )))
}

fn records(words: &mut Words, message: &mut [u8], at: &mut usize) -> Option<()> {
    let questions = number(message, 4)?;
    let others = number(message, 6)? + number(message, 8)? + number(message, 10)?;
    for _ in 0..questions.min(64) {
        name(words, message, at)?;
        *at += 4;
    }
    let mut left = MAX_RECORDS;
    for _ in 0..others {
        left = left.checked_sub(1)?;
        name(words, message, at)?;
        let kind = number(message, *at)?;
        let length = number(message, *at + 8)?;
        let start = *at + 10;
        message.get(start..start + length)?;
        data(words, message, kind, start, start + length);
        *at = start + length;
    }
    // What is behind the last record.
    words
        .key()
        .opaque
        .replace(message.get_mut(*at..).unwrap_or_default());
    Some(())
}

/// Replaces the labels of a name and moves on behind it.
fn name(words: &mut Words, message: &mut [u8], at: &mut usize) -> Option<()> {
    loop {
        match *message.get(*at)? {
            0 => {
                *at += 1;
                return Some(());
            }
            length @ 1..64 => {
                let label = message.get_mut(*at + 1..*at + 1 + usize::from(length))?;
                if !KEPT.iter().any(|it| label.eq_ignore_ascii_case(it)) {
                    match label.iter().all(u8::is_ascii) {
                        true => words.names(label),
                        false => words.key().opaque.replace(label),
                    }
                }
                *at += 1 + usize::from(length);
            }
            0xc0.. => {
                message.get(*at + 1)?;
                *at += 2;
                return Some(());
            }
            _ => return None,
        }
    }
}

fn data(words: &mut Words, message: &mut [u8], kind: usize, start: usize, end: usize) {
    let names = |words: &mut Words, message: &mut [u8], skip: usize, count: usize| {
        let mut at = start + skip;
        let message = message.get_mut(..end).unwrap_or_default();
        for _ in 0..count {
            if name(words, message, &mut at).is_none() {
                break;
            }
        }
        at
    };
    let own = match kind {
        1 | 28 => {
            let address = message.get_mut(start..end).unwrap_or_default();
            words.key().replace_address(address);
            end
        }
        2 | 5 | 12 | 39 => names(words, message, 0, 1),
        15 => names(words, message, 2, 1),
        33 => names(words, message, 6, 1),
        // Serial number and times.
        6 => names(words, message, 0, 2) + 20,
        // Options, whose codes and lengths stay.
        41 => {
            options(words, message.get_mut(start..end).unwrap_or_default());
            end
        }
        _ => start,
    };
    let rest = message.get_mut(own.min(end)..end).unwrap_or_default();
    words.key().opaque.replace(rest);
}

fn options(words: &Words, mut rest: &mut [u8]) {
    while let Some(length) = number(rest, 2).filter(|it| it + 4 <= rest.len()) {
        let (option, after) = rest.split_at_mut(4 + length);
        words
            .key()
            .opaque
            .replace(option.get_mut(4..).unwrap_or_default());
        rest = after;
    }
    words.key().opaque.replace(rest);
}
