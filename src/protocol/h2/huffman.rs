//! The Huffman code of header strings (RFC 7541 §5.2 and appendix B).
//!
//! In: a coded string. Out: its bytes, appended to a buffer. The code is canonical: codes of one length are consecutive
//! numbers in the order of their symbols, and continue those of the length before. So the lengths alone define the
//! code, and the length of a code is the first at which it is smaller than the end of its row.

/// Bits of the code of each byte, and last of the end-of-string symbol, which is never sent whole.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const SHORTEST: usize = 5;
const LONGEST: usize = 30;
const END_OF_STRING: u16 = 256;
/// Padding is shorter than a byte, and all ones.
const MAX_PADDING: u32 = 7;

/// The codes of one length.
#[derive(Clone, Copy)]
struct CodeLength {
    /// The first code.
    first: u64,
    /// The number after the last code.
    end: u64,
    /// Where the symbols of this length begin in [`SYMBOLS`].
    place: usize,
}

/// The symbols, shorter codes first.
const SYMBOLS: [u16; 257] = symbols();
const ROWS: [CodeLength; LONGEST + 1] = rows();

const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let mut filled = 0;
    let mut length = SHORTEST;
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[filled] = symbol as u16;
                filled += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

const fn rows() -> [CodeLength; LONGEST + 1] {
    let none = CodeLength {
        first: 0,
        end: 0,
        place: 0,
    };
    let mut rows = [none; LONGEST + 1];
    let mut length = 1;
    while length <= LONGEST {
        let before = rows[length - 1];
        let mut count = 0;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                count += 1;
            }
            symbol += 1;
        }
        let first = before.end << 1;
        rows[length] = CodeLength {
            first,
            end: first + count,
            place: before.place + (before.end - before.first) as usize,
        };
        length += 1;
    }
    rows
}

/// Appends the decoded bytes to `out`. `None` if `coded` is malformed; then `out` holds part of them.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut input = coded.iter();
    // The next bits, from the highest on.
    let mut bits: u64 = 0;
    let mut have: u32 = 0;
    loop {
        while have <= 32
            && let Some(byte) = input.next()
        {
            bits |= u64::from(*byte) << (56 - have);
            have += 8;
        }
        let row = |length: usize| Some((length, ROWS.get(length)?));
        let code = |length: usize| bits >> (64 - length);
        let found = (SHORTEST..=LONGEST.min(have as usize))
            .filter_map(row)
            .find(|(length, row)| code(*length) < row.end);
        let Some((length, row)) = found else {
            let is_padding = have <= MAX_PADDING && bits.leading_ones() >= have;
            return is_padding.then_some(());
        };
        let place = row.place + (code(length) - row.first) as usize;
        match *SYMBOLS.get(place)? {
            END_OF_STRING => return None,
            symbol => out.push(symbol as u8),
        }
        bits <<= length;
        have -= length as u32;
    }
}

/// Appends the code of these bytes to `out`, padded to whole bytes.
#[cfg(feature = "anonymise")]
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let mut bits: u64 = 0;
    let mut have: u32 = 0;
    for byte in bytes {
        let Some((code, length)) = code(*byte) else {
            continue;
        };
        bits = bits << length | code;
        have += u32::from(length);
        while have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
            bits &= (1 << have) - 1;
        }
    }
    if have > 0 {
        let padding = 8 - have;
        out.push((bits << padding) as u8 | ((1 << padding) - 1) as u8);
    }
}

/// How many bits the code of a byte has.
#[cfg(feature = "anonymise")]
pub(crate) const fn code_length(byte: u8) -> u8 {
    LENGTHS[byte as usize]
}

/// The code of a byte, and how many bits it has.
#[cfg(feature = "anonymise")]
fn code(byte: u8) -> Option<(u64, u8)> {
    let length = *LENGTHS.get(usize::from(byte))?;
    let row = ROWS.get(usize::from(length))?;
    let same = LENGTHS.iter().take(usize::from(byte));
    let before = same.filter(|it| **it == length).count() as u64;
    Some((row.first + before, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(coded, &mut out).map(|()| out)
    }

    #[test]
    fn the_code_is_complete() {
        assert_eq!(ROWS[LONGEST].end, 1 << LONGEST);
        assert_eq!(SYMBOLS[256], END_OF_STRING);
    }

    #[test]
    fn strings_are_read() {
        for (coded, wanted) in [
            // RFC 7541 §C.4.1, §C.4.3 and §C.6.1.
            (
                &b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..],
                Some(&b"www.example.com"[..]),
            ),
            (b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", Some(b"custom-key")),
            (b"\x64\x02", Some(b"302")),
            (b"", Some(b"")),
            // The longest code: a line feed has 30 bits.
            (b"\xff\xff\xff\xf3", Some(b"\n")),
            // Eight bits of padding, padding with a zero in it, the end of the string within it.
            (b"\x64\x02\xff", None),
            (b"\x07\xf6", None),
            (b"\xff\xff\xff\xff", None),
            (b"\xff\xff\xff\xfc", None),
        ] {
            assert_eq!(decoded(coded).as_deref(), wanted, "{coded:x?}");
        }
    }
}
