//! HPACK (RFC 7541): decodes header blocks into fields.
//!
//! What the dynamic table holds is shared, never copied, so that a short block that names a long field thousands of
//! times costs no more memory than that field (§7.3). Written by hand because other decoders copy what they look up,
//! build the Huffman code anew for every string, and do not report how much memory they hold. Decoding is lenient: a
//! dynamic table size update may stand anywhere.

use std::collections::VecDeque;

use super::huffman;
use crate::protocol::http::{SharedText, TextInterner};

/// Most bytes of the dynamic table; the largest that browsers and servers announce (§4.2).
const MAX_TABLE: usize = 64 << 10;
/// Bytes of the dynamic table by default (RFC 9113 §6.5.2).
const USUAL_TABLE: usize = 4096;
/// What an entry counts for in addition to its bytes (§4.1).
const ENTRY: usize = 32;

/// A malformed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A name or a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldPart<'a> {
    /// Bytes of the block, decoded.
    Bytes(&'a [u8]),
    /// An entry of the dynamic table.
    Shared(&'a SharedText),
    /// An entry that is unknown after a loss.
    Blank,
}

impl FieldPart<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Shared(text) => text.as_bytes(),
            Self::Blank => &[],
        }
    }

    /// Whether it is unknown.
    pub(super) const fn is_blank(&self) -> bool {
        matches!(self, Self::Blank)
    }

    /// A copy to keep. Of bytes that only this block holds, at most the beginning.
    pub(super) fn text(&self, texts: &mut TextInterner) -> SharedText {
        match self {
            Self::Bytes(bytes) => texts.beginning(bytes),
            Self::Shared(text) => (*text).clone(),
            Self::Blank => texts.text(&[]),
        }
    }
}

/// A name or a value in a table.
#[derive(Clone, Debug)]
enum SharedBytes {
    Static(&'static [u8]),
    Text(SharedText),
    Blank,
}

impl SharedBytes {
    fn part(&self) -> FieldPart<'_> {
        match self {
            Self::Static(bytes) => FieldPart::Bytes(bytes),
            Self::Text(text) => FieldPart::Shared(text),
            Self::Blank => FieldPart::Blank,
        }
    }
}

/// Where a string stands in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StringPlace {
    /// Where it begins in the block, behind its length.
    pub(crate) start: usize,
    /// Its bytes as they stand there.
    pub(crate) length: usize,
    /// It is Huffman-coded.
    pub(crate) is_coded: bool,
}

impl StringPlace {
    /// The string that begins where `rest` of the block does.
    fn at(block: &[u8], mut rest: &[u8]) -> Option<Self> {
        let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
        let length = number(&mut rest, 7).ok()?;
        Some(Self {
            start: block.len() - rest.len(),
            length,
            is_coded,
        })
    }
}

/// Where the strings of a field stand in a block, if they are not in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldPlaces {
    pub(crate) name: Option<StringPlace>,
    pub(crate) value: Option<StringPlace>,
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub(super) struct DynamicTable {
    /// Name and value, the newest first.
    entries: VecDeque<(SharedBytes, SharedBytes)>,
    size: usize,
    max: usize,
    /// Older entries exist that are not known: blocks were lost, or were before the capture.
    is_lost: bool,
}

impl DynamicTable {
    /// An empty table, as at the beginning of a connection.
    pub(super) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            max: USUAL_TABLE,
            is_lost: false,
        }
    }

    /// A table after unknown blocks. Entries are counted from the newest on (§2.3.3), so that later ones have the right
    /// numbers all the same. Its size may have been changed before, so the largest one is assumed.
    pub(super) fn after_loss() -> Self {
        Self {
            max: MAX_TABLE,
            is_lost: true,
            ..Self::new()
        }
    }

    /// Bytes it takes, about: its content and its entries.
    pub(super) fn bytes(&self) -> usize {
        self.size + self.entries.len() * size_of::<(SharedBytes, SharedBytes)>()
    }

    /// Decodes a complete block and passes its fields to `field` in order.
    pub(super) fn read(
        &mut self,
        block: &[u8],
        texts: &mut TextInterner,
        mut field: impl FnMut(FieldPart<'_>, FieldPart<'_>, &mut TextInterner),
    ) -> Result<(), Malformed> {
        self.read_with_places(block, texts, |name, value, _, texts| {
            field(name, value, texts);
        })
    }

    /// The same, with the places of names and values that stand in the block.
    pub(super) fn read_with_places(
        &mut self,
        block: &[u8],
        texts: &mut TextInterner,
        mut field: impl FnMut(FieldPart<'_>, FieldPart<'_>, FieldPlaces, &mut TextInterner),
    ) -> Result<(), Malformed> {
        let mut rest = block;
        let place = |rest: &[u8]| StringPlace::at(block, rest);
        let [mut name_room, mut value_room] = [Vec::new(), Vec::new()];
        while let Some(first) = rest.first() {
            match first {
                // Indexed (§6.1).
                0x80.. => {
                    let (name, value) = self.entry(number(&mut rest, 7)?)?;
                    field(name.part(), value.part(), FieldPlaces::default(), texts);
                }
                // Dynamic table size update (§6.3).
                0x20..0x40 => {
                    let max = number(&mut rest, 5)?;
                    if max > MAX_TABLE {
                        return Err(Malformed);
                    }
                    self.max = max;
                    self.evict();
                }
                // Literal, with incremental indexing (§6.2.1) or without (§6.2.2, §6.2.3).
                first => {
                    let is_added = first & 0x40 != 0;
                    let index = number(&mut rest, if is_added { 6 } else { 4 })?;
                    let known = match index {
                        0 => None,
                        index => Some(self.entry(index)?.0),
                    };
                    let mut places = FieldPlaces::default();
                    if known.is_none() {
                        places.name = place(rest);
                    }
                    let name = match &known {
                        Some(name) => name.part(),
                        None => FieldPart::Bytes(string(&mut rest, &mut name_room)?),
                    };
                    places.value = place(rest);
                    let value = string(&mut rest, &mut value_room)?;
                    if !is_added {
                        field(name, FieldPart::Bytes(value), places, texts);
                        continue;
                    }
                    // Not cut: later references are to find all of it.
                    let value = SharedBytes::Text(texts.text(value));
                    let name = match known {
                        Some(name) => name,
                        None => SharedBytes::Text(texts.text(name.bytes())),
                    };
                    field(name.part(), value.part(), places, texts);
                    self.add(name, value);
                }
            }
        }
        Ok(())
    }

    /// The entry with this number: those of the static table come first (§2.3.3).
    fn entry(&self, index: usize) -> Result<(SharedBytes, SharedBytes), Malformed> {
        let index = index.checked_sub(1).ok_or(Malformed)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Ok((
                SharedBytes::Static(name.as_bytes()),
                SharedBytes::Static(value.as_bytes()),
            ));
        }
        let index = index - STATIC.len();
        match self.entries.get(index) {
            Some(entry) => Ok(entry.clone()),
            None if self.is_lost && index < MAX_TABLE / ENTRY => {
                Ok((SharedBytes::Blank, SharedBytes::Blank))
            }
            None => Err(Malformed),
        }
    }

    fn add(&mut self, name: SharedBytes, value: SharedBytes) {
        self.size += weight(&name, &value);
        self.entries.push_front((name, value));
        self.evict();
    }

    /// Evicts the oldest entries while the table is too large (§4.3).
    fn evict(&mut self) {
        while self.size > self.max
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.size = self.size.saturating_sub(weight(&name, &value));
        }
    }
}

fn weight(name: &SharedBytes, value: &SharedBytes) -> usize {
    ENTRY + name.part().bytes().len() + value.part().bytes().len()
}

/// An integer with a prefix of `bits` bits (§5.1), up to 2²⁸: nothing here is longer.
fn number(rest: &mut &[u8], bits: u32) -> Result<usize, Malformed> {
    let mut next = || {
        let (first, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        Ok(u32::from(*first))
    };
    let full = (1 << bits) - 1;
    let mut value = next()? & full;
    if value < full {
        return Ok(value as usize);
    }
    for shift in [0, 7, 14, 21] {
        let byte = next()?;
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value as usize);
        }
    }
    Err(Malformed)
}

/// A string (§5.2), decoded into `room` if it is Huffman-coded.
fn string<'room, 'block: 'room>(
    rest: &mut &'block [u8],
    room: &'room mut Vec<u8>,
) -> Result<&'room [u8], Malformed> {
    let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = number(rest, 7)?;
    let (string, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    if !is_coded {
        return Ok(string);
    }
    room.clear();
    huffman::decode(string, room).ok_or(Malformed)?;
    Ok(room)
}

/// Appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type TableFields = Vec<(Vec<u8>, Vec<u8>)>;

    fn read(table: &mut DynamicTable, block: &[u8]) -> Result<TableFields, Malformed> {
        let mut fields = Vec::new();
        let read = table.read(block, &mut TextInterner::new(), |name, value, _| {
            fields.push((name.bytes().to_vec(), value.bytes().to_vec()));
        });
        read.map(|()| fields)
    }

    #[test]
    fn integers_are_read_as_the_rfc_has_it() {
        for (bytes, bits, wanted) in [
            // §C.1.
            (&[0b01010][..], 5, Ok(10)),
            (&[0b11111, 154, 10], 5, Ok(1337)),
            (&[42], 8, Ok(42)),
            (&[31, 0], 5, Ok(31)),
            (&[31], 5, Err(Malformed)),
            (&[], 5, Err(Malformed)),
            (&[127, 255, 255, 255, 127], 7, Ok(127 + (1 << 28) - 1)),
            (&[127, 255, 255, 255, 255, 0], 7, Err(Malformed)),
        ] {
            assert_eq!(number(&mut &*bytes, bits), wanted, "{bytes:?}");
        }
    }

    /// A field, or a dynamic table size update, in one of the possible forms.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let text = || {
            let coded = prop::sample::select(vec![
                &b"\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..],
                b"\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f",
                b"\x80",
                b"\x84\xff\xff\xff\xf3",
                b"\x82\x07\xf6",
            ])
            .prop_map(<[u8]>::to_vec);
            let plain = prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut text| {
                text.insert(0, text.len() as u8);
                text
            });
            prop_oneof![coded, plain]
        };
        let first = prop::sample::select(vec![0x40_u8, 0x00, 0x10]);
        prop_oneof![
            3 => (0x80..0xff_u8).prop_map(|index| vec![index]),
            2 => (0x80..0xc8_u8).prop_map(|index| vec![index]),
            4 => (first.clone(), text(), text()).prop_map(|(first, name, value)| [vec![first], name, value].concat()),
            3 => (first, 1..15_u8, text()).prop_map(|(first, index, value)| [vec![first | index], value].concat()),
            1 => (0..31_u8).prop_map(|size| vec![0x20 | size]),
            1 => (0..100_u8, 0..8_u8).prop_map(|(low, high)| vec![0x3f, 0x80 | low, high]),
            1 => prop::collection::vec(any::<u8>(), 1..6),
        ]
    }

    proptest! {
        /// Another decoder decodes any blocks to the same fields.
        #[test]
        fn blocks_are_read_as_another_decoder_reads_them(
            blocks in prop::collection::vec(prop::collection::vec(piece(), 0..12), 1..6),
        ) {
            let mut own = DynamicTable::new();
            let mut other = loona_hpack::Decoder::new();
            other.set_max_allowed_table_size(MAX_TABLE);
            for block in blocks {
                let block = block.concat();
                let mut fields = Vec::new();
                let wanted = other.decode_with_cb(&block, |name, value| {
                    fields.push((name.into_owned(), value.into_owned()));
                });
                let wanted = match wanted {
                    Ok(()) | Err(loona_hpack::decoder::DecoderError::SizeUpdateAtEnd) => Ok(fields),
                    Err(_) => Err(Malformed),
                };
                prop_assert_eq!(read(&mut own, &block), wanted.clone());
                if wanted.is_err() {
                    break;
                }
                prop_assert!(own.size <= own.max && own.max <= MAX_TABLE);
                let sum: usize = own.entries.iter().map(|(name, value)| weight(name, value)).sum();
                prop_assert_eq!(own.size, sum);
            }
        }
    }

    #[test]
    fn what_the_table_has_is_not_copied() {
        let mut table = DynamicTable::new();
        let mut block = vec![0x44, 0x7f, 0xa1, 0x1e];
        block.resize(block.len() + 4000, b'x');
        block.push(0xbe);
        let mut texts = TextInterner::new();
        let mut kept = Vec::new();
        let read = table.read(&block, &mut texts, |_, value, texts| {
            kept.push(value.text(texts));
        });
        assert_eq!((read, kept.len()), (Ok(()), 2));
        assert_eq!(
            kept[0].as_bytes().as_ptr(),
            kept[1].as_bytes().as_ptr(),
            "the same bytes"
        );
    }
}
