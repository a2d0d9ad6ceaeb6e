//! The hellos (RFC 8446 §4.1, RFC 5246 §7.4.1), parsed as far as they were captured.
//!
//! In: the body of a handshake message, or the captured part of it. Out: its fields. Parsing stops at the first field
//! that is not legible, and keeps the fields before it. It is written by hand because parser crates refuse a message
//! that is cut by the snap length, and because half a hello still names the server.

use std::fmt;

/// Most bytes kept of a server name, which has at most 255 (RFC 6066 §3).
const MAX_NAME: usize = 255;
/// Cipher suites, protocols and versions kept of each list; browsers send about twenty suites, older programs a hundred, scanners
/// more.
pub(crate) const MAX_LIST: usize = 192;
/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;

/// A protocol version, as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// SSL 3.0.
    pub(crate) const SSL_3: Self = Self(0x300);
    /// TLS 1.2.
    pub(crate) const TLS_12: Self = Self(0x303);
    /// TLS 1.3.
    pub(crate) const TLS_13: Self = Self(0x304);

    /// Whether it is a final version that this program knows. Drafts and GREASE values (RFC 8701) are not known.
    #[must_use]
    pub(crate) const fn is_known(self) -> bool {
        matches!(self.0, 0x300..=0x304)
    }

    /// A draft of TLS 1.3: each has a version of its own, and none is the final one.
    #[must_use]
    pub(crate) const fn is_draft(self) -> bool {
        matches!(self.0, 0x7f00..=0x7fff)
    }

    /// A draft of TLS 1.3 before 22: its ServerHello has the version in front, and neither session identifier nor
    /// compression method. Draft 22 made it look like that of TLS 1.2.
    const fn is_early_draft(self) -> bool {
        matches!(self.0, 0x304 | 0x7f00..=0x7f15)
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x300 => f.write_str("SSL 3.0"),
            0x301..=0x304 => write!(f, "TLS 1.{}", self.0 - 0x301),
            0x7f00..=0x7fff => write!(f, "TLS 1.3 draft {}", self.0 & 0xff),
            other => write!(f, "version 0x{other:04x}"),
        }
    }
}

/// What a client offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name it asks for (SNI), as sent.
    pub sni: Option<Vec<u8>>,
    /// The application protocols it offers (ALPN), best first.
    pub alpn: Vec<Vec<u8>>,
    /// The versions it offers that are known, newest first.
    pub versions: Vec<TlsVersion>,
    /// The cipher suites it offers, best first.
    pub ciphers: Vec<u16>,
    pub(super) random: [u8; 32],
    pub(super) session_id: Vec<u8>,
    pub(super) encrypt_then_mac: bool,
    pub(super) extended_master_secret: bool,
    /// Only part of it was captured or is legible, or is kept.
    pub cut: bool,
    /// Entries of its lists that are not kept.
    pub(super) more: u32,
}

/// `TLS_FALLBACK_SCSV` (RFC 7507): the client supports a newer version than it offers here, and tries again with an older one.
const FALLBACK: u16 = 0x5600;

impl ClientHello {
    /// Whether the client says that it has fallen back to an older version than it supports.
    #[must_use]
    pub fn is_fallback(&self) -> bool {
        self.ciphers.contains(&FALLBACK)
    }
}

/// What a server chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The chosen version.
    pub version: TlsVersion,
    /// The cipher suite.
    pub cipher: u16,
    /// The application protocol (ALPN); in TLS 1.3 known only where secrets decrypt it.
    pub alpn: Option<Vec<u8>>,
    /// It resumes the session of an earlier connection.
    pub resumed: bool,
    pub(super) random: [u8; 32],
    pub(super) session_id: Vec<u8>,
    pub(super) encrypt_then_mac: bool,
    pub(super) extended_master_secret: bool,
}

/// What a ServerHello message can be.
#[derive(Debug)]
pub(super) enum ServerAnswer {
    /// The server wants another ClientHello.
    Retry,
    Hello(ServerHello),
}

/// Reads from the front of a slice.
pub(super) struct ByteCursor<'a>(pub(super) &'a [u8]);

impl<'a> ByteCursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    /// A big-endian number of up to three bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Option<usize> {
        let bytes = self.take(bytes)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        )
    }

    /// A vector: its length, and as many bytes.
    pub(super) fn vector(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(length)
    }

    /// A vector, or as much of it as there is.
    fn cut_vector(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(length.min(self.0.len()))
    }
}

impl ClientHello {
    /// Parses the body of a ClientHello. `whole`: all of it was captured.
    pub(super) fn read(body: &[u8], whole: bool) -> Self {
        let mut hello = Self {
            cut: !whole,
            ..Self::default()
        };
        let mut legacy = TlsVersion::default();
        if hello.fields(body, &mut legacy).is_none() {
            hello.cut = true;
        }
        if hello.versions.is_empty() && legacy.is_known() {
            // Up to TLS 1.2 a client names its highest version, and offers those below as well (RFC 5246 appendix E.1).
            hello.versions = (TlsVersion::SSL_3.0..=legacy.0.min(TlsVersion::TLS_12.0))
                .rev()
                .take(1)
                .map(TlsVersion)
                .collect();
        }
        hello
    }

    fn fields(&mut self, body: &[u8], legacy: &mut TlsVersion) -> Option<()> {
        let mut rest = ByteCursor(body);
        *legacy = TlsVersion(rest.number(2)? as u16);
        self.random = rest.take(32)?.try_into().ok()?;
        self.session_id = rest.vector(1)?.to_vec();
        let ciphers = rest.cut_vector(2)?;
        self.keeps(ciphers.len() / 2);
        self.ciphers = pairs(ciphers).collect();
        rest.vector(1)?;
        if rest.0.is_empty() {
            return Some(());
        }
        let mut extensions = ByteCursor(rest.cut_vector(2)?);
        while !extensions.0.is_empty() {
            let kind = extensions.number(2)? as u16;
            let data = extensions.vector(2)?;
            self.extension(kind, data);
        }
        Some(())
    }

    /// Counts what is not kept of a list with so many entries.
    fn keeps(&mut self, entries: usize) {
        let more = entries.saturating_sub(MAX_LIST) as u32;
        self.more = self.more.saturating_add(more);
        self.cut |= more > 0;
    }

    fn extension(&mut self, kind: u16, data: &[u8]) {
        match kind {
            SERVER_NAME => self.sni = server_name(data),
            ALPN => {
                self.keeps(names(data).count());
                self.alpn = names(data).take(MAX_LIST).map(<[u8]>::to_vec).collect();
            }
            ENCRYPT_THEN_MAC => self.encrypt_then_mac = true,
            EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
            SUPPORTED_VERSIONS => {
                if let Some(list) = ByteCursor(data).vector(1) {
                    self.keeps(list.len() / 2);
                    self.versions = pairs(list)
                        .map(TlsVersion)
                        .filter(|it| it.is_known() || it.is_draft())
                        .collect();
                    self.versions.sort_unstable_by(|a, b| b.cmp(a));
                }
            }
            _ => {}
        }
    }
}

impl ServerAnswer {
    /// Parses the body of a ServerHello; `None` if it breaks off before the cipher suite.
    pub(super) fn read(body: &[u8], client: Option<&ClientHello>) -> Option<Self> {
        let mut rest = ByteCursor(body);
        let mut hello = ServerHello {
            version: TlsVersion(rest.number(2)? as u16),
            random: rest.take(32)?.try_into().ok()?,
            ..ServerHello::default()
        };
        let draft = hello.version.is_early_draft();
        if !draft {
            hello.session_id = rest.vector(1)?.to_vec();
        }
        hello.cipher = rest.number(2)? as u16;
        if !draft {
            rest.take(1);
        }
        let retry = hello.random == RETRY;
        let echoed = !hello.session_id.is_empty()
            && client.is_some_and(|client| client.session_id == hello.session_id);
        hello.extensions(&mut rest);
        if hello.version < TlsVersion::TLS_13 {
            hello.resumed = echoed;
        }
        Some(if retry {
            Self::Retry
        } else {
            Self::Hello(hello)
        })
    }
}

impl ServerHello {
    fn extensions(&mut self, rest: &mut ByteCursor<'_>) -> Option<()> {
        let mut extensions = ByteCursor(rest.cut_vector(2)?);
        loop {
            let kind = extensions.number(2)? as u16;
            let data = extensions.vector(2)?;
            match kind {
                SUPPORTED_VERSIONS => self.version = TlsVersion(ByteCursor(data).number(2)? as u16),
                PRE_SHARED_KEY => self.resumed = true,
                ALPN => self.alpn = first_name(data),
                ENCRYPT_THEN_MAC => self.encrypt_then_mac = true,
                EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
                _ => {}
            }
        }
    }
}

/// The protocol that EncryptedExtensions name (RFC 8446 §4.3.1). `body` is the body of that message.
pub(super) fn encrypted_alpn(body: &[u8]) -> Option<Vec<u8>> {
    let mut extensions = ByteCursor(ByteCursor(body).vector(2)?);
    loop {
        let kind = extensions.number(2)? as u16;
        let data = extensions.vector(2)?;
        if kind == ALPN {
            return first_name(data);
        }
    }
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let pairs = bytes.chunks_exact(2).take(MAX_LIST);
    pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

/// The first host name of the list (RFC 6066 §3).
fn server_name(data: &[u8]) -> Option<Vec<u8>> {
    let mut list = ByteCursor(ByteCursor(data).vector(2)?);
    while !list.0.is_empty() {
        let kind = list.number(1)?;
        let name = list.vector(2)?;
        if kind == 0 && !name.is_empty() && name.len() <= MAX_NAME {
            return Some(name.to_vec());
        }
    }
    None
}

/// The names in a list of application protocols (RFC 7301 §3.1).
fn names(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut list = ByteCursor(ByteCursor(data).vector(2).unwrap_or_default());
    std::iter::from_fn(move || list.vector(1))
}

/// The first of them, which is the only one in an answer.
fn first_name(data: &[u8]) -> Option<Vec<u8>> {
    names(data).next().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(length_bytes: usize, bytes: &[u8]) -> Vec<u8> {
        let length = (bytes.len() as u32).to_be_bytes();
        [&length[4 - length_bytes..], bytes].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector(2, data)].concat()
    }

    fn client(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend(vector(1, b"id"));
        body.extend(vector(2, &[0x13, 1, 0xc0, 0x2f]));
        body.extend(vector(1, &[0]));
        body.extend(vector(2, &extensions.concat()));
        body
    }

    fn full() -> Vec<u8> {
        client(&[
            extension(
                0,
                &vector(2, &[&[0][..], &vector(2, b"a.example")].concat()),
            ),
            extension(16, &vector(2, b"\x02h2\x08http/1.1")),
            extension(43, &vector(1, &[0x0a, 0x0a, 3, 3, 3, 4])),
        ])
    }

    #[test]
    fn a_client_hello_is_read() {
        let hello = ClientHello::read(&full(), true);
        assert_eq!(hello.sni.as_deref(), Some(&b"a.example"[..]));
        assert_eq!(hello.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert_eq!(hello.versions, [TlsVersion::TLS_13, TlsVersion::TLS_12]);
        assert_eq!(hello.ciphers, [0x1301, 0xc02f]);
        assert!(!hello.cut);
        let old = ClientHello::read(&client(&[]), true);
        assert_eq!(old.versions, [TlsVersion::TLS_12]);
    }

    /// Drafts are offered as well as final versions, and are none of those; values of GREASE are no versions.
    #[test]
    fn drafts_that_a_client_offers_are_kept() {
        let list = [0x0a, 0x0a, 0x7f, 0x10, 3, 3];
        let hello = ClientHello::read(&client(&[extension(43, &vector(1, &list))]), true);
        let told: Vec<_> = hello.versions.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["TLS 1.3 draft 16", "TLS 1.2"]);
    }

    #[test]
    fn a_hello_that_is_cut_tells_what_it_holds() {
        let body = full();
        for length in 0..body.len() {
            let hello = ClientHello::read(&body[..length], false);
            assert!(hello.cut);
        }
        let most = ClientHello::read(&body[..body.len() - 3], false);
        assert_eq!(most.sni.as_deref(), Some(&b"a.example"[..]));
    }

    #[test]
    fn a_server_hello_is_read() {
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.extend(vector(1, b"id"));
        body.extend([0x13, 2, 0]);
        let plain = body.clone();
        body.extend(vector(2, &extension(43, &[3, 4])));
        let client = ClientHello::read(&full(), true);
        let Some(ServerAnswer::Hello(hello)) = ServerAnswer::read(&body, Some(&client)) else {
            panic!("a hello");
        };
        assert_eq!((hello.version, hello.cipher), (TlsVersion::TLS_13, 0x1302));
        assert!(!hello.resumed, "the identifier is echoed for show");
        let Some(ServerAnswer::Hello(old)) = ServerAnswer::read(&plain, Some(&client)) else {
            panic!("a hello");
        };
        assert_eq!((old.version, old.resumed), (TlsVersion::TLS_12, true));
        body[2..34].copy_from_slice(&RETRY);
        assert!(matches!(
            ServerAnswer::read(&body, None),
            Some(ServerAnswer::Retry)
        ));
        assert!(ServerAnswer::read(&body[..20], None).is_none());
    }

    #[test]
    fn a_server_hello_of_an_early_draft_is_read() {
        let mut body = vec![0x7f, 0x12];
        body.extend([9; 32]);
        body.extend([0x13, 2]);
        body.extend(vector(2, &extension(41, &[0, 0])));
        let Some(ServerAnswer::Hello(hello)) = ServerAnswer::read(&body, None) else {
            panic!("a hello");
        };
        assert_eq!((hello.cipher, hello.resumed), (0x1302, true));
        assert_eq!(hello.version.to_string(), "TLS 1.3 draft 18");
    }

    #[test]
    fn the_protocol_is_among_the_encrypted_extensions() {
        let body = vector(
            2,
            &[extension(10, &[0, 0]), extension(16, b"\x00\x03\x02h2")].concat(),
        );
        assert_eq!(encrypted_alpn(&body).as_deref(), Some(&b"h2"[..]));
        for length in 0..body.len() {
            assert_eq!(encrypted_alpn(&body[..length]), None, "{length}");
        }
    }
}
