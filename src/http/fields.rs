//! The header fields that say something about endings, one entry per field line.
//!
//! Credentials are never kept: of `Authorization` and its siblings only the scheme.

use super::text::Text;

/// Field lines kept of one message.
pub const MAX_FIELDS: usize = 32;
/// Bytes kept of a field value.
pub const MAX_FIELD_VALUE: usize = 256;

/// A field whose lines are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are their names")]
pub enum FieldName {
    /// Kept when there is more in it than one plain `close` or `keep-alive`.
    Connection,
    ProxyConnection,
    KeepAlive,
    /// Kept when there is more than one, or it is no plain number.
    ContentLength,
    /// Kept when it is not just `chunked`.
    TransferEncoding,
    Expect,
    Upgrade,
    RetryAfter,
    /// The scheme alone; [`Field::more`] tells whether a challenge came with it.
    WwwAuthenticate,
    /// The scheme alone.
    ProxyAuthenticate,
    /// The scheme alone.
    Authorization,
    /// The scheme alone.
    ProxyAuthorization,
    Via,
    /// Every `Host` line when there is more than one.
    Host,
}

/// One field line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which field.
    pub name: FieldName,
    /// Its value without the white space around it; see [`FieldName`] for what is left out.
    pub value: Text,
    /// There was more than is kept: a challenge, credentials, or too many bytes.
    pub more: bool,
}

/// The parameters of a `Keep-Alive` line (RFC 2068 §19.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeepAlive {
    /// One more than the value, so that 0 is none.
    timeout: u16,
    max: u16,
}

impl KeepAlive {
    /// Seconds that an idle connection is kept, as promised; values beyond 65534 count as that.
    #[must_use]
    pub const fn timeout(self) -> Option<u16> {
        self.timeout.checked_sub(1)
    }

    /// Further requests that will be answered on this connection.
    #[must_use]
    pub const fn max(self) -> Option<u16> {
        self.max.checked_sub(1)
    }
}
