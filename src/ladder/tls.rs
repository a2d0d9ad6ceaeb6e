//! The words for TLS, and the bytes they stand for: hellos, certificates, alerts and encrypted records.
//!
//! Encrypted records hold filler: without secrets, only their type and length are visible. Certificates are complete
//! enough to be parsed, and have no valid signature.
use super::fill::FILLER;

/// A TLS piece of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsCell {
    /// The message or record.
    pub word: TlsWord,
    /// Its items: names, with values after `=`.
    pub items: Vec<(String, Option<Vec<u8>>)>,
}

/// The messages and records that have words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsWord {
    /// `[sni= version= alpn=]`, TLS 1.3 by default; of several protocols with commas between them.
    ClientHello,
    /// `[version= alpn=]`, TLS 1.2 by default.
    ServerHello,
    /// `[name= expired early self-signed broken none]`.
    Certificate,
    /// The server requests a client certificate.
    CertificateRequest,
    /// The end of the server's flight (≤ TLS 1.2).
    ServerHelloDone,
    /// ClientKeyExchange (≤ TLS 1.2).
    KeyExchange,
    /// ChangeCipherSpec and an encrypted Finished; `[version=1.3]` for that of TLS 1.3.
    Finished,
    /// An alert in the clear, by its code.
    Alert(u8),
    /// An encrypted `close_notify`; `[version=1.3]` for that of TLS 1.3.
    CloseNotify,
    /// A record of application data with this payload length in bytes.
    App(u32),
}

/// The words that take no number.
const WORDS: [(&str, TlsWord); 8] = [
    ("ClientHello", TlsWord::ClientHello),
    ("ServerHello", TlsWord::ServerHello),
    ("Certificate", TlsWord::Certificate),
    ("CertificateRequest", TlsWord::CertificateRequest),
    ("ServerHelloDone", TlsWord::ServerHelloDone),
    ("KeyExchange", TlsWord::KeyExchange),
    ("Finished", TlsWord::Finished),
    ("close_notify", TlsWord::CloseNotify),
];

/// The largest payload of a record (RFC 8446 §5.1), including the tag.
const MAX_APP: u32 = (1 << 14) + 256;

impl TlsWord {
    /// The TLS word written as `word`; `number` is the token that follows.
    pub(super) fn of(word: &str, number: Option<&str>) -> Option<Result<Self, String>> {
        match word {
            "alert" => Some(
                number
                    .and_then(|it| it.parse().ok())
                    .map(Self::Alert)
                    .ok_or_else(|| "alert takes a code, as in alert 46".to_owned()),
            ),
            "app" => Some(
                number
                    .and_then(|it| it.parse().ok())
                    .filter(|count| *count <= MAX_APP)
                    .map(Self::App)
                    .ok_or_else(|| format!("app takes a count of at most {MAX_APP} bytes")),
            ),
            _ => {
                let (_, found) = WORDS.iter().find(|(name, _)| *name == word)?;
                Some(Ok(*found))
            }
        }
    }

    /// Whether a number follows the word.
    pub(super) fn takes_number(word: &str) -> bool {
        matches!(word, "alert" | "app")
    }
}

impl std::fmt::Display for TlsWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Alert(code) => write!(f, "alert {code}"),
            Self::App(count) => write!(f, "app {count}"),
            word => {
                let name = WORDS.iter().find(|(_, known)| known == word);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

impl TlsCell {
    fn has(&self, name: &str) -> bool {
        self.items.iter().any(|(item, _)| item == name)
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.items.iter().find(|(item, _)| item == name)?;
        value.as_deref()
    }

    fn version(&self, usual: u16) -> u16 {
        match self.value("version") {
            Some(b"ssl3") => 0x300,
            Some(b"1.0") => 0x301,
            Some(b"1.1") => 0x302,
            Some(b"1.2") => 0x303,
            Some(b"1.3") => 0x304,
            _ => usual,
        }
    }

    /// Appends the bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self.word {
            TlsWord::ClientHello => handshake(1, &self.client_hello(), out),
            TlsWord::ServerHello => handshake(2, &self.server_hello(), out),
            TlsWord::Certificate => handshake(11, &self.certificates(), out),
            TlsWord::CertificateRequest => handshake(13, &[1, 64, 0, 2, 4, 3, 0, 0], out),
            TlsWord::ServerHelloDone => handshake(14, &[], out),
            TlsWord::KeyExchange => handshake(16, &vector(1, &[FILLER; 65]), out),
            TlsWord::Finished => {
                record(20, &[1], out);
                match self.version(0x303) {
                    0x304 => record(23, &[FILLER; 53], out),
                    _ => record(22, &[FILLER; 40], out),
                }
            }
            TlsWord::Alert(code) => {
                let level = if matches!(code, 0 | 90 | 100) { 1 } else { 2 };
                record(21, &[level, code], out);
            }
            TlsWord::CloseNotify => match self.version(0x303) {
                0x304 => record(23, &[FILLER; 19], out),
                _ => record(21, &[FILLER; 26], out),
            },
            TlsWord::App(count) => record(23, &vec![FILLER; count as usize], out),
        }
    }

    fn client_hello(&self) -> Vec<u8> {
        let version = self.version(0x304);
        let mut extensions = Vec::new();
        if let Some(name) = self.value("sni") {
            let entry = [&[0][..], &vector(2, name)].concat();
            extension(0, &vector(2, &entry), &mut extensions);
        }
        if let Some(names) = self.value("alpn") {
            let names = names.split(|byte| *byte == b',');
            let list: Vec<u8> = names.flat_map(|name| vector(1, name)).collect();
            extension(16, &vector(2, &list), &mut extensions);
        }
        if version == 0x304 {
            extension(43, &vector(1, &[3, 4, 3, 3]), &mut extensions);
        }
        let mut body = version.min(0x303).to_be_bytes().to_vec();
        body.extend([FILLER; 32]);
        body.extend(vector(1, &[]));
        // `TLS_FALLBACK_SCSV` comes last (RFC 7507 §4).
        let fallback = [0x13, 0x01, 0xc0, 0x2f, 0x56, 0x00];
        let suites = if self.has("fallback") { 6 } else { 4 };
        body.extend(vector(2, fallback.get(..suites).unwrap_or_default()));
        body.extend(vector(1, &[0]));
        body.extend(vector(2, &extensions));
        body
    }

    fn server_hello(&self) -> Vec<u8> {
        let version = self.version(0x303);
        let mut extensions = Vec::new();
        if let Some(chosen) = self.value("alpn") {
            extension(16, &vector(2, &vector(1, chosen)), &mut extensions);
        }
        if version == 0x304 {
            extension(43, &[3, 4], &mut extensions);
        }
        let mut body = version.min(0x303).to_be_bytes().to_vec();
        body.extend([FILLER; 32]);
        body.extend(vector(1, &[]));
        body.extend(if version == 0x304 {
            [0x13, 0x01]
        } else {
            [0xc0, 0x2f]
        });
        body.push(0);
        body.extend(vector(2, &extensions));
        body
    }

    fn certificates(&self) -> Vec<u8> {
        if self.has("none") {
            return vector(3, &[]);
        }
        if self.has("broken") {
            return vector(3, &vector(3, &[0x30, 0x05, 0x30, 0x84, 0xff, 0xff, 0xff]));
        }
        vector(3, &vector(3, &self.certificate()))
    }

    /// A certificate in DER (RFC 5280 §4.1). Its validity is relative to July 2009, when ladders begin.
    fn certificate(&self) -> Vec<u8> {
        let name = self.value("name").unwrap_or(b"a");
        let (from, until): (&[u8], &[u8]) = if self.has("expired") {
            (b"070101000000Z", b"080101000000Z")
        } else if self.has("early") {
            (b"100101000000Z", b"110101000000Z")
        } else {
            (b"090101000000Z", b"100101000000Z")
        };
        let issuer = if self.has("self-signed") { name } else { b"ca" };
        let algorithm = der(0x30, &der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
        let key_kind = [
            der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
            der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
        ];
        let point = [&[0, 4][..], &[FILLER; 64]].concat();
        let key = [der(0x30, &key_kind.concat()), der(3, &point)].concat();
        let names = der(4, &der(0x30, &der(0x82, name)));
        let alternative = [der(6, &[0x55, 0x1d, 0x11]), names].concat();
        let body = [
            der(0xa0, &der(2, &[2])),
            der(2, &[1]),
            algorithm.clone(),
            distinguished(issuer),
            der(0x30, &[der(0x17, from), der(0x17, until)].concat()),
            distinguished(name),
            der(0x30, &key),
            der(0xa3, &der(0x30, &der(0x30, &alternative))),
        ];
        let signature = der(3, &[0, 1, 2, 3, 4]);
        der(
            0x30,
            &[der(0x30, &body.concat()), algorithm, signature].concat(),
        )
    }
}

/// A distinguished name that consists of a common name only.
fn distinguished(name: &[u8]) -> Vec<u8> {
    let common = [der(6, &[0x55, 4, 3]), der(0x0c, name)].concat();
    der(0x30, &der(0x31, &der(0x30, &common)))
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..128 => out.push(short as u8),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend_from_slice(content);
    out
}

fn record(kind: u8, fragment: &[u8], out: &mut Vec<u8>) {
    out.extend([kind, 3, 3]);
    out.extend(vector(2, fragment));
}

fn handshake(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    record(22, &[&[kind][..], &vector(3, body)].concat(), out);
}

fn extension(kind: u16, data: &[u8], out: &mut Vec<u8>) {
    out.extend(kind.to_be_bytes());
    out.extend(vector(2, data));
}

fn vector(length_bytes: usize, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_be_bytes();
    [&length[4 - length_bytes..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use crate::ladder::parse;

    #[test]
    fn words_of_tls_read_back_as_they_were_written() {
        for text in [
            "ClientHello [sni=a.example version=1.2]",
            "ServerHello Certificate [name=a.example expired] ServerHelloDone",
            "alert 46",
            "Finished [version=1.3] app 500",
            "close_notify",
        ] {
            let ladder = parse(&format!("{text} -->")).expect("a ladder");
            let back = ladder.to_string();
            assert!(back.contains(text), "{back}");
            assert_eq!(parse(&back).expect("a ladder"), ladder);
        }
        assert!(parse("alert x -->").is_err());
        assert!(parse("app 99999 -->").is_err());
    }
}
