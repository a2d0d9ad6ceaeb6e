//! Header blocks: HPACK (RFC 7541), decoded for the few fields that explain what happened.
//!
//! Each direction has one [`BlockDecoder`], whose table holds what earlier blocks put there. A block that misses a
//! byte, or is too long, leaves unknown entries in it. Entries are counted from the newest on (RFC 7541 §2.3.3), so
//! those of later blocks are known all the same: after a loss the table is full of blanks, and a field that refers to a
//! blank is left out.

#[cfg(feature = "anonymise")]
use super::hpack::FieldPlaces;
use super::hpack::{DynamicTable, FieldPart};
use crate::protocol::http::{
    ContentCoding, Method, PassedOn, SharedText, TextInterner, accepts_any_coding,
};

/// Most bytes kept of an incomplete header block, as encoded; the most generous servers take as many.
pub(crate) const MAX_BLOCK: usize = 64 << 10;
/// Bytes of decoded fields that are examined in one block. Indexed fields cost a byte each, so that a short block can
/// repeat a long field thousands of times (RFC 7541 §7.3). What exceeds this is decoded for the table only.
const MAX_DECODED: usize = 1 << 20;

/// The fields of a block that are worth keeping.
#[derive(Debug, Default)]
pub(super) struct KeptFields {
    pub(super) method: Option<Method>,
    pub(super) method_name: Option<SharedText>,
    pub(super) path: Option<SharedText>,
    pub(super) authority: Option<SharedText>,
    pub(super) host: Option<SharedText>,
    pub(super) protocol: Option<SharedText>,
    pub(super) status: Option<u16>,
    pub(super) user_agent: Option<SharedText>,
    pub(super) server: Option<SharedText>,
    pub(super) content_length: Option<u64>,
    /// The content coding, if it is one that can be checked, and the number of fields that name one.
    content_coding: Option<ContentCoding>,
    content_codings: u8,
    /// `accept-encoding` names a coding that can be checked.
    pub(super) accepts_coding: bool,
    pub(super) grpc_status: Option<u16>,
    pub(super) grpc_message: Option<SharedText>,
    pub(super) is_grpc: bool,
    pub(super) forbidden: Option<SharedText>,
    /// A proxy names its client.
    pub(super) forwarded: bool,
    pub(super) passed_on: PassedOn,
    /// The block has more fields than were examined.
    pub(super) is_cut: bool,
    /// Some fields refer to unknown entries of the table.
    pub(super) is_partial: bool,
}

/// The result of decoding a block.
#[derive(Debug)]
pub(super) enum BlockOutcome {
    /// It was decoded.
    Fields(Box<KeptFields>),
    /// It is incomplete or malformed.
    Unknown,
}

/// Name and value of a field, and where they stand in the block.
#[cfg(feature = "anonymise")]
pub(crate) type PlacedField = (Vec<u8>, Vec<u8>, FieldPlaces);

/// The header block decoder of one direction.
#[derive(Default)]
pub(crate) struct BlockDecoder {
    table: Option<Box<DynamicTable>>,
    is_lost: bool,
}

/// A copy is final and gets no more blocks: it has no table.
impl Clone for BlockDecoder {
    fn clone(&self) -> Self {
        Self {
            table: None,
            is_lost: true,
        }
    }
}

impl std::fmt::Debug for BlockDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("is_lost", &self.is_lost)
            .finish_non_exhaustive()
    }
}

impl BlockDecoder {
    /// A block was lost: its changes to the table are unknown.
    pub(crate) fn lose(&mut self) {
        self.is_lost = true;
        self.table = None;
    }

    /// Bytes of the table.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.table.as_ref().map_or(0, |table| table.bytes())
    }

    /// The fields of a complete block, and where they stand in it; `None` if it is malformed.
    #[cfg(feature = "anonymise")]
    pub(crate) fn places(
        &mut self,
        block: &[u8],
        texts: &mut TextInterner,
    ) -> Option<Vec<PlacedField>> {
        let is_lost = self.is_lost;
        let table = self.table.get_or_insert_with(|| {
            Box::new(match is_lost {
                true => DynamicTable::after_loss(),
                false => DynamicTable::new(),
            })
        });
        let mut fields = Vec::new();
        let mut seen = 0_usize;
        let read = table.read_with_places(block, texts, |name, value, places, _| {
            let (name, value) = (name.bytes(), value.bytes());
            seen = seen.saturating_add(name.len() + value.len());
            if seen <= MAX_DECODED {
                fields.push((name.to_vec(), value.to_vec(), places));
            }
        });
        if read.is_err() || seen > MAX_DECODED {
            self.lose();
            return None;
        }
        Some(fields)
    }

    /// Decodes a complete block.
    pub(super) fn read(&mut self, block: &[u8], texts: &mut TextInterner) -> BlockOutcome {
        let is_lost = self.is_lost;
        let table = self.table.get_or_insert_with(|| {
            Box::new(if is_lost {
                DynamicTable::after_loss()
            } else {
                DynamicTable::new()
            })
        });
        let mut fields = Box::<KeptFields>::default();
        let mut seen = 0_usize;
        let read = table.read(block, texts, |name, value, texts| {
            let (long, wide) = (name.bytes().len(), value.bytes().len());
            seen = seen.saturating_add(long).saturating_add(wide);
            if seen > MAX_DECODED {
                fields.is_cut = true;
            } else {
                fields.take(name, value, texts);
            }
        });
        if read.is_err() {
            self.lose();
            return BlockOutcome::Unknown;
        }
        BlockOutcome::Fields(fields)
    }
}

impl KeptFields {
    /// The only content coding of the body, if it is one that can be checked.
    pub(super) fn coding(&self) -> Option<ContentCoding> {
        self.content_coding.filter(|_| self.content_codings == 1)
    }

    fn take(&mut self, name: FieldPart<'_>, field: FieldPart<'_>, texts: &mut TextInterner) {
        if name.is_blank() || field.is_blank() {
            self.is_partial = true;
            return;
        }
        let value = field.bytes();
        match name.bytes() {
            b":method" => {
                let method = Method::from_bytes(value);
                self.method = Some(method);
                if method == Method::Other {
                    self.method_name = Some(field.text(texts));
                }
            }
            b":path" => self.path = Some(field.text(texts)),
            b":authority" => self.authority = Some(field.text(texts)),
            b":protocol" => self.protocol = Some(field.text(texts)),
            b":status" => self.status = number(value).and_then(|it| it.try_into().ok()),
            b"host" => self.host = Some(field.text(texts)),
            b"user-agent" => self.user_agent = Some(field.text(texts)),
            b"server" => self.server = Some(field.text(texts)),
            b"content-length" => self.content_length = number(value),
            b"content-encoding" => {
                self.content_coding = ContentCoding::named(value);
                self.content_codings = self.content_codings.saturating_add(1);
            }
            b"accept-encoding" => self.accepts_coding |= accepts_any_coding(value),
            b"content-type" => self.is_grpc |= value.starts_with(b"application/grpc"),
            b"grpc-status" => self.grpc_status = number(value).and_then(|it| it.try_into().ok()),
            b"grpc-message" => self.grpc_message = Some(field.text(texts)),
            bytes if is_forbidden(bytes, value) => {
                self.forbidden.get_or_insert_with(|| name.text(texts));
            }
            bytes => self.forwarded |= self.passed_on.field(bytes, value),
        }
    }
}

/// RFC 9113 §8.2.1: names are in lower case; §8.2.2: connection-specific fields are forbidden.
fn is_forbidden(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade" => {
            true
        }
        b"te" => !value.eq_ignore_ascii_case(b"trailers"),
        _ => name.is_empty() || name.iter().any(u8::is_ascii_uppercase),
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(blocks: &[&[u8]]) -> Option<Box<KeptFields>> {
        let mut reader = BlockDecoder::default();
        let mut texts = TextInterner::new();
        let mut last = None;
        for block in blocks {
            last = match reader.read(block, &mut texts) {
                BlockOutcome::Fields(fields) => Some(fields),
                BlockOutcome::Unknown => None,
            };
        }
        last
    }

    /// RFC 7541 §C.4.1 and §C.4.2: the second request uses what the first put into the table.
    const FIRST: &[u8] = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    const SECOND: &[u8] = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for blocks in [&[FIRST][..], &[FIRST, SECOND]] {
            let fields = fields(blocks).expect("read");
            assert_eq!(fields.method, Some(Method::Get));
            let authority = fields.authority.as_ref().expect("an authority");
            assert_eq!(authority.as_bytes(), b"www.example.com");
            assert_eq!(
                fields.path.as_ref().map(SharedText::as_bytes),
                Some(&b"/"[..])
            );
        }
    }

    #[test]
    fn a_table_that_lacks_a_block_has_blanks() {
        // Where the connection was seen from its beginning, that is an error.
        assert!(fields(&[SECOND]).is_none());
        let mut reader = BlockDecoder::default();
        let mut texts = TextInterner::new();
        reader.lose();
        // `FIRST` is missing before the first `SECOND`, and there before the second one.
        for (block, whole) in [(SECOND, false), (FIRST, true), (SECOND, true)] {
            let BlockOutcome::Fields(fields) = reader.read(block, &mut texts) else {
                panic!("fields");
            };
            assert_eq!(fields.method, Some(Method::Get));
            assert_eq!(fields.is_partial, !whole);
            let authority = fields.authority.as_ref().map(SharedText::as_bytes);
            // What `SECOND` adds to the table is newer than what `FIRST` adds.
            assert_eq!(authority, whole.then_some(&b"www.example.com"[..]));
            assert!(fields.forbidden.is_none());
        }
        reader.lose();
        // The oldest entry that a table of 64 KB can have.
        let last = 61 + (64 << 10) / 32;
        let sevens = last - 127;
        let block = [0xff, 0x80 | (sevens & 0x7f) as u8, (sevens >> 7) as u8];
        assert!(matches!(
            reader.read(&block, &mut texts),
            BlockOutcome::Fields(_)
        ));
        let beyond = [block[0], block[1] + 1, block[2]];
        assert!(matches!(
            reader.read(&beyond, &mut texts),
            BlockOutcome::Unknown
        ));
    }

    #[test]
    fn what_a_stream_may_not_carry_is_noted() {
        let forbidden = |name: &[u8], value: &[u8]| {
            let mut block = vec![0, name.len() as u8];
            block.extend_from_slice(name);
            block.push(value.len() as u8);
            block.extend_from_slice(value);
            fields(&[&block]).expect("read").forbidden.is_some()
        };
        assert!(forbidden(b"connection", b"close") && forbidden(b"Accept", b"*"));
        assert!(forbidden(b"te", b"gzip") && !forbidden(b"te", b"trailers"));
        assert!(!forbidden(b"accept", b"*/*"));
    }

    /// A field of 4000 bytes in the table, and 60 000 references to it.
    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut block = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
        block.resize(block.len() + 4000, b'x');
        block.resize(block.len() + 60_000, 0xbe);
        let fields = fields(&[&block]).expect("read");
        assert!(fields.is_cut);
    }
}
