//! One line of a key log (draft-ietf-tls-keylogfile, "The SSLKEYLOGFILE Format for TLS").

use std::fmt;

/// A secret. It is never printed: `Debug` shows only its type.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

#[cfg(feature = "decrypt")]
impl Secret {
    /// The bytes.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretLabel {
    /// The master secret, up to TLS 1.2.
    Master,
    /// The client's early data, sent before the server has answered (TLS 1.3, 0-RTT).
    ClientEarly,
    /// The client's part of the handshake (TLS 1.3).
    ClientHandshake,
    /// The server's part of the handshake (TLS 1.3).
    ServerHandshake,
    /// What the client sends after the handshake, until it changes its keys (TLS 1.3).
    ClientTraffic,
    /// What the server sends after the handshake, until it changes its keys (TLS 1.3).
    ServerTraffic,
}

/// One line: which connection, what for, and the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLogLine {
    /// The random of the ClientHello, which identifies the connection.
    pub client_random: [u8; 32],
    /// What it is for.
    pub label: SecretLabel,
    /// The secret.
    pub secret: Secret,
}

/// Why a line holds no usable secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLogLineError {
    /// A comment, or an empty line.
    Empty,
    /// A kind of secret that decrypts no record: exporters, Encrypted Client Hello, future kinds.
    OtherKind,
    /// Not of the form `LABEL HEX HEX`, or of an impossible length.
    Malformed,
}

/// The longest secret: one output of SHA-384. A master secret has 48 bytes, too.
const LONGEST: usize = 48;
/// The shortest: one output of SHA-256.
const SHORTEST: usize = 32;

impl KeyLogLine {
    /// Parses a line, with or without its line ending.
    ///
    /// # Errors
    /// If it holds no secret that decrypts records.
    pub fn parse(line: &[u8]) -> Result<Self, KeyLogLineError> {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return Err(KeyLogLineError::Empty);
        }
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let mut word = || words.next().ok_or(KeyLogLineError::Malformed);
        let label = match word()? {
            b"CLIENT_RANDOM" => SecretLabel::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => SecretLabel::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => SecretLabel::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => SecretLabel::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => SecretLabel::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => SecretLabel::ServerTraffic,
            kind if kind.iter().all(|byte| is_of_a_label(*byte)) => {
                return Err(KeyLogLineError::OtherKind);
            }
            _ => return Err(KeyLogLineError::Malformed),
        };
        let random = hexadecimal(word()?)?;
        let secret = hexadecimal(word()?)?;
        let fits = match label {
            SecretLabel::Master => secret.len() == LONGEST,
            _ => secret.len() == SHORTEST || secret.len() == LONGEST,
        };
        if !fits || word().is_ok() {
            return Err(KeyLogLineError::Malformed);
        }
        Ok(Self {
            client_random: random.try_into().map_err(|_| KeyLogLineError::Malformed)?,
            label,
            secret: secret.into(),
        })
    }
}

fn is_of_a_label(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

fn hexadecimal(word: &[u8]) -> Result<Vec<u8>, KeyLogLineError> {
    if !word.len().is_multiple_of(2) || word.len() > 2 * LONGEST {
        return Err(KeyLogLineError::Malformed);
    }
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(KeyLogLineError::Malformed)
    };
    word.chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Ok(digit(high)? << 4 | digit(low)?),
            _ => Err(KeyLogLineError::Malformed),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let random = "ab".repeat(32);
        let long = "0F".repeat(48);
        let short = "0f".repeat(32);
        let table: [(String, Result<SecretLabel, KeyLogLineError>); 12] = [
            (
                format!("CLIENT_RANDOM {random} {long}"),
                Ok(SecretLabel::Master),
            ),
            (
                format!("  CLIENT_RANDOM\t{random}  {long}\r\n"),
                Ok(SecretLabel::Master),
            ),
            (
                format!("SERVER_TRAFFIC_SECRET_0 {random} {short}"),
                Ok(SecretLabel::ServerTraffic),
            ),
            (
                format!("CLIENT_EARLY_TRAFFIC_SECRET {random} {long}"),
                Ok(SecretLabel::ClientEarly),
            ),
            ("# made by hand".to_owned(), Err(KeyLogLineError::Empty)),
            (String::new(), Err(KeyLogLineError::Empty)),
            (
                format!("EXPORTER_SECRET {random} {short}"),
                Err(KeyLogLineError::OtherKind),
            ),
            (
                format!("CLIENT_RANDOM {random} {short}"),
                Err(KeyLogLineError::Malformed),
            ),
            (
                format!("CLIENT_RANDOM {random}"),
                Err(KeyLogLineError::Malformed),
            ),
            (
                format!("CLIENT_RANDOM {random} {long} 00"),
                Err(KeyLogLineError::Malformed),
            ),
            (
                format!("CLIENT_RANDOM {} {long}", "xy".repeat(32)),
                Err(KeyLogLineError::Malformed),
            ),
            (
                format!("CLIENT_RANDOM {} {long}", "ab".repeat(31)),
                Err(KeyLogLineError::Malformed),
            ),
        ];
        for (line, wanted) in table {
            let read = KeyLogLine::parse(line.as_bytes()).map(|read| read.label);
            assert_eq!(read, wanted, "{line}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let line = format!("CLIENT_RANDOM {} {}", "ab".repeat(32), "77".repeat(48));
        let read = KeyLogLine::parse(line.as_bytes()).expect("a good line");
        let shown = format!("{:?}", read.secret);
        assert_eq!(shown, "Secret");
    }
}
