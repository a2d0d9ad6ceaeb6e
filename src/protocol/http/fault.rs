//! Violations of the HTTP/1 grammar, recorded where they were seen. Parsing continues wherever the framing is still
//! certain.

use super::text::SharedText;

/// Faults kept per message; the first ones suffice for a diagnosis, and a hostile peer can cause thousands.
pub(crate) const MAX_FAULTS: usize = 8;
/// Maximum bytes quoted of a fault.
pub(super) const MAX_QUOTE: usize = 64;

/// A rule of the grammar. Sections are those of RFC 9112 unless stated otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultRule {
    /// The bytes that must be a request line or status line are not one (§3, §4).
    StartLine,
    /// The status is not three digits (§4).
    Status,
    /// What stands where the version must be is no `HTTP/` with two digits and a dot between (§2.3).
    Version,
    /// A version in the right form that is neither `HTTP/1.0` nor `HTTP/1.1`.
    OtherVersion,
    /// Something other than one space between the words of a status line (§4).
    Separator,
    /// A few bytes before the status line: browsers skip up to four.
    BeforeStartLine,
    /// A request target with bytes that are forbidden in it, spaces included (§3.2).
    Target,
    /// A field name that is empty or has bytes that are forbidden in it (§5.1).
    FieldName,
    /// White space between field name and colon (§5.1).
    SpaceBeforeColon,
    /// A field line without a colon (§5).
    NoColon,
    /// A control byte in a field value (RFC 9110 §5.5).
    FieldValue,
    /// NUL in the head (RFC 9110 §5.5).
    Nul,
    /// CR without LF (§2.2).
    BareCr,
    /// LF without CR (§2.2); many programs accept it.
    BareLf,
    /// A field value that continues on the next line (§5.2).
    ObsFold,
    /// White space between the start line and the first field (§2.2).
    SpaceBeforeFields,
    /// A status line or request line among the fields: the response was split in two (CWE-113).
    SecondStartLine,
    /// The head is longer than `MAX_HEAD`.
    HeadTooLong,
    /// `Content-Length` is not a number (§6.3, 5).
    ContentLength,
    /// Several `Content-Length` that differ (§6.3, 5).
    DifferingLengths,
    /// Several `Content-Length` that agree (§6.3, 5): a recipient may repair this.
    RepeatedLength,
    /// `Content-Length` together with `Transfer-Encoding` (§6.1, §6.3, 3): request smuggling or response splitting.
    LengthAndEncoding,
    /// A request whose `Transfer-Encoding` does not end in `chunked` (§6.3, 4).
    EncodingNotChunked,
    /// `chunked` applied twice, or before another coding (§6.1).
    ChunkedNotLast,
    /// `Transfer-Encoding` in a message of a version below 1.1 (§6.1).
    EncodingInOldVersion,
    /// `Transfer-Encoding` or `Content-Length` where neither is allowed: 1xx, 204, or a CONNECT's 2xx (§6.1, RFC 9110
    /// §8.6).
    LengthForbidden,
    /// A chunk size that is not a hexadecimal number (§7.1).
    ChunkSize,
    /// A chunk size that no counter holds (§7.1).
    ChunkTooLarge,
    /// A line end or white space where a chunk size must begin (§7.1).
    BeforeChunkSize,
    /// A line of a chunk size, with its extension, longer than any recipient accepts (§7.1.1).
    ChunkExtension,
    /// CR without LF in the line of a chunk size (§7.1).
    ChunkLine,
    /// Chunk data not followed by CRLF (§7.1).
    ChunkEnd,
    /// `101` to a request without `Upgrade` (RFC 9110 §7.8).
    UnaskedUpgrade,
    /// Bytes after a complete response that do not begin another: a body where none is allowed, or a longer one than
    /// announced.
    ExcessBytes,
}

impl FaultRule {
    /// Whether it is about where a message ends, not about its grammar.
    #[must_use]
    pub const fn is_about_length(self) -> bool {
        matches!(
            self,
            Self::DifferingLengths
                | Self::LengthAndEncoding
                | Self::EncodingNotChunked
                | Self::ChunkedNotLast
                | Self::EncodingInOldVersion
                | Self::RepeatedLength
                | Self::LengthForbidden
                | Self::ExcessBytes
        )
    }

    /// Whether receivers take a message that breaks it for what it was meant to be.
    #[must_use]
    pub const fn is_tolerated(self) -> bool {
        matches!(
            self,
            Self::BareLf
                | Self::ObsFold
                | Self::FieldValue
                | Self::SpaceBeforeFields
                | Self::Version
                | Self::OtherVersion
                | Self::Separator
                | Self::BeforeStartLine
                | Self::Target
                | Self::EncodingInOldVersion
                | Self::RepeatedLength
                | Self::LengthForbidden
                | Self::ChunkLine
        )
    }

    /// Whether it is a fault of the chunks of a body, which there are only if `Transfer-Encoding` applies.
    #[must_use]
    pub const fn is_about_chunks(self) -> bool {
        matches!(
            self,
            Self::ChunkSize
                | Self::ChunkTooLarge
                | Self::BeforeChunkSize
                | Self::ChunkExtension
                | Self::ChunkLine
                | Self::ChunkEnd
        )
    }

    /// The rule in words, to follow "the message breaks the grammar: ".
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::StartLine => "no start line",
            Self::Status => "status is not three digits",
            Self::Version => "the HTTP version is not HTTP/, a digit, a dot and a digit",
            Self::OtherVersion => "an HTTP version other than 1.0 and 1.1",
            Self::Separator => "no single space between version, status and reason",
            Self::BeforeStartLine => "bytes before the status line",
            Self::Target => "forbidden byte in the request target",
            Self::FieldName => "forbidden byte in a field name, or an empty name",
            Self::SpaceBeforeColon => "white space before the colon",
            Self::NoColon => "field line without a colon",
            Self::FieldValue => "control byte in a field value",
            Self::Nul => "NUL byte in the head",
            Self::BareCr => "CR without LF",
            Self::BareLf => "LF without CR",
            Self::ObsFold => "folded field line",
            Self::SpaceBeforeFields => "white space before the first field",
            Self::SecondStartLine => "a second start line among the fields",
            Self::HeadTooLong => "head too long",
            Self::ContentLength => "Content-Length is not a number",
            Self::DifferingLengths => "several Content-Length that differ",
            Self::RepeatedLength => "Content-Length given more than once",
            Self::LengthAndEncoding => "Content-Length beside Transfer-Encoding",
            Self::EncodingNotChunked => "Transfer-Encoding does not end in chunked",
            Self::ChunkedNotLast => "chunked applied twice or not last",
            Self::EncodingInOldVersion => "Transfer-Encoding in HTTP/1.0",
            Self::LengthForbidden => "body length where no body may be",
            Self::ChunkSize => "chunk size is not a hexadecimal number",
            Self::ChunkTooLarge => "chunk size is too large",
            Self::BeforeChunkSize => "a line end or white space where a chunk size must begin",
            Self::ChunkExtension => "the line of a chunk size is too long",
            Self::ChunkLine => "CR without LF after a chunk size",
            Self::UnaskedUpgrade => "101 to a request that asks for no upgrade",
            Self::ChunkEnd => "chunk data not followed by CRLF",
            Self::ExcessBytes => "bytes after the end of the message",
        }
    }
}

/// One fault of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which rule was broken.
    pub rule: FaultRule,
    /// Where it is, in payload bytes from the first byte seen of this direction.
    pub offset: u64,
    /// The bytes there, at most the first 64. Credentials are never quoted.
    pub bytes: SharedText,
    /// Where the quoted bytes begin: before [`Fault::offset`] if their line says more than the byte.
    pub quoted: u64,
}
