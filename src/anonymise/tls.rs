//! Handshake messages of TLS in the clear: random values, keys, tickets and names are replaced; versions, ciphers, groups and
//! the protocols that are offered stay.
//!
//! Opaque values are replaced by a function of them: a session that is resumed has the same ticket in both connections.

use super::der;
use super::words::Words;

/// The random value of a HelloRetryRequest (RFC 8446 §4.1.3) begins so.
const RETRY: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];
/// The end of one that says that a later version is supported.
const DOWNGRADE: &[u8] = b"DOWNGRD";

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const KEY_UPDATE: u8 = 24;

/// Bytes that are taken from the front.
struct Cursor<'a>(&'a mut [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a mut [u8]> {
        let all = std::mem::take(&mut self.0);
        if length > all.len() {
            self.0 = all;
            return None;
        }
        let (front, rest) = all.split_at_mut(length);
        self.0 = rest;
        Some(front)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let digits = self.take(bytes)?;
        Some(digits.iter().fold(0, |sum, it| sum << 8 | usize::from(*it)))
    }

    /// A vector: its length in so many bytes, then its content.
    fn vector(&mut self, bytes: usize) -> Option<Self> {
        let length = self.number(bytes)?;
        self.take(length).map(Self)
    }

    /// A vector, or what there is of it.
    fn part(&mut self, bytes: usize) -> Option<Self> {
        let length = self.number(bytes)?;
        self.take(length.min(self.0.len())).map(Self)
    }

    fn rest(self) -> &'a mut [u8] {
        self.0
    }
}

/// Replaces what a whole handshake message holds, behind its header of four bytes.
pub(super) fn handshake(words: &mut Words, message: &mut [u8]) {
    let kind = message.first().copied().unwrap_or_default();
    let body = Cursor(message.get_mut(4..).unwrap_or_default());
    match kind {
        CLIENT_HELLO | SERVER_HELLO => hello(words, body, kind == CLIENT_HELLO),
        CERTIFICATE => certificates(words, body),
        CERTIFICATE_REQUEST => request(words, body),
        NEW_SESSION_TICKET => {
            let mut body = body;
            let _ = body.take(6);
            words.key().opaque.replace(body.rest());
        }
        KEY_UPDATE => {}
        _ => words.key().opaque.replace(body.rest()),
    }
}

fn hello(words: &mut Words, mut body: Cursor<'_>, is_client: bool) {
    if hello_parts(words, &mut body, is_client).is_none() {
        words.key().opaque.replace(body.rest());
    }
}

fn hello_parts(words: &mut Words, body: &mut Cursor<'_>, is_client: bool) -> Option<()> {
    let version = body.take(2)?;
    let is_draft = matches!(version, [0x7f, 0..=0x15] | [3, 4]);
    random(words, body.take(32)?);
    // Drafts of TLS 1.3 had no session, and no compression.
    if is_client || !is_draft {
        words.key().opaque.replace(body.vector(1)?.rest());
    }
    if is_client {
        body.vector(2)?;
        body.vector(1)?;
    } else {
        body.take(if is_draft { 2 } else { 3 })?;
    }
    if body.0.is_empty() {
        return Some(());
    }
    let mut extensions = body.part(2)?;
    while !extensions.0.is_empty() {
        let Some(kind) = extensions.number(2) else {
            break;
        };
        let Some(content) = extensions.part(2) else {
            break;
        };
        extension(words, kind, content, is_client);
    }
    words.key().opaque.replace(extensions.rest());
    words.key().opaque.replace(std::mem::take(&mut body.0));
    Some(())
}

fn random(words: &Words, random: &mut [u8]) {
    if random.starts_with(&RETRY) {
        return;
    }
    let kept = match random.get(24..31) == Some(DOWNGRADE) {
        true => 24,
        false => 32,
    };
    words
        .key()
        .opaque
        .replace(random.get_mut(..kept).unwrap_or_default());
}

fn extension(words: &mut Words, kind: usize, content: Cursor<'_>, is_client: bool) {
    match kind {
        // Fragment length, status, groups, point formats, signatures, record size, versions, modes, certificate
        // compression and signatures, settings of ALPN: lists of numbers.
        1 | 5 | 10 | 11 | 13 | 22 | 23 | 27 | 28 | 42 | 43 | 45 | 49 | 50 | 17513 => {}
        0 => names(words, content),
        16 => protocols(words, content),
        41 if is_client => identities(words, content),
        41 => {}
        51 => shares(words, content, is_client),
        65281 => {
            let mut content = content;
            let _ = content.take(1);
            words.key().opaque.replace(content.rest());
        }
        // Values that mean nothing (RFC 8701).
        _ if content.0.len() <= 1 => {}
        21 => content.rest().fill(0),
        _ => words.key().opaque.replace(content.rest()),
    }
}

fn names(words: &mut Words, mut content: Cursor<'_>) {
    let Some(mut list) = content.part(2) else {
        return words.key().opaque.replace(content.rest());
    };
    while !list.0.is_empty() {
        let Some(name) = list.take(1).and_then(|_| list.part(2)) else {
            return words.key().opaque.replace(list.rest());
        };
        words.names(name.rest());
    }
}

fn protocols(words: &mut Words, mut content: Cursor<'_>) {
    let Some(mut list) = content.part(2) else {
        return words.key().opaque.replace(content.rest());
    };
    while !list.0.is_empty() {
        let Some(name) = list.part(1) else {
            return words.key().opaque.replace(list.rest());
        };
        let name = name.rest();
        // Two bytes that mean nothing (RFC 8701), or a name.
        if name.len() > 2 {
            words.text(name);
        }
    }
}

fn identities(words: &Words, mut content: Cursor<'_>) {
    let Some(mut list) = content.vector(2) else {
        return words.key().opaque.replace(content.rest());
    };
    while let Some(identity) = list.vector(2) {
        words.key().opaque.replace(identity.rest());
        let age = list.take(4).unwrap_or_default();
        words.key().opaque.replace(age);
    }
    words.key().opaque.replace(list.rest());
    let Some(mut binders) = content.vector(2) else {
        return words.key().opaque.replace(content.rest());
    };
    while let Some(binder) = binders.vector(1) {
        words.key().opaque.replace(binder.rest());
    }
    words.key().opaque.replace(binders.rest());
}

fn shares(words: &Words, mut content: Cursor<'_>, is_client: bool) {
    if content.0.len() <= 2 {
        return;
    }
    let list = match is_client {
        true => content.vector(2),
        false => Some(Cursor(std::mem::take(&mut content.0))),
    };
    let Some(mut list) = list else {
        return words.key().opaque.replace(content.rest());
    };
    while list.take(2).is_some() {
        let Some(share) = list.vector(2) else {
            break;
        };
        words.key().opaque.replace(share.rest());
    }
    words.key().opaque.replace(list.rest());
}

fn certificates(words: &mut Words, mut body: Cursor<'_>) {
    let Some(mut list) = body.vector(3) else {
        return words.key().opaque.replace(body.rest());
    };
    while let Some(certificate) = list.vector(3) {
        der::rewrite(words, certificate.rest());
    }
    words.key().opaque.replace(list.rest());
    words.key().opaque.replace(body.rest());
}

/// What kinds of certificates are wanted, and of whom (RFC 5246 §7.4.4).
fn request(words: &mut Words, mut body: Cursor<'_>) {
    let mut kinds = || {
        body.vector(1)?;
        body.vector(2)?;
        body.vector(2)
    };
    match kinds() {
        Some(mut authorities) => {
            while let Some(name) = authorities.vector(2) {
                der::rewrite(words, name.rest());
            }
            words.key().opaque.replace(authorities.rest());
            words.key().opaque.replace(body.rest());
        }
        // Earlier versions have no signatures: it is asked again without.
        None => words.key().opaque.replace(body.rest()),
    }
}
