//! HTTP/2 and WebSocket frames in words: `h2 HEADERS 1 GET / END`, `ws close 1001 "bye"`.
//!
//! The words are those of RFC 9113 §6 and RFC 6455 §5.5; `END` is END_STREAM. Header blocks do not use the dynamic
//! table, so each can be decoded alone. Every frame of a WebSocket client is masked with zeros.

use super::fill::FILLER;
use super::fill::HOST;
use super::fill::METHODS;
use std::fmt;
use std::str::FromStr;

use super::escape::{BareWord, Quoted};
use super::tokens::{Placed, Token};
use crate::protocol::h2::PREFACE;
use crate::protocol::h2::wire::{self, ACK, END_HEADERS, END_STREAM};
use crate::protocol::http::ErrorCode;

/// An HTTP/2 frame, or the preface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum H2Cell {
    /// The client connection preface (RFC 9113 §3.4).
    Preface,
    /// SETTINGS.
    Settings {
        /// It acknowledges the other side's SETTINGS.
        ack: bool,
        /// SETTINGS_MAX_CONCURRENT_STREAMS.
        max: Option<u32>,
        /// SETTINGS_INITIAL_WINDOW_SIZE.
        window: Option<u32>,
    },
    /// HEADERS, with its whole field block.
    Headers {
        /// Its stream.
        stream: u32,
        /// The kind of message it belongs to.
        head: H2HeadersKind,
        /// Further fields.
        fields: Vec<(String, Vec<u8>)>,
        /// END_STREAM.
        end: bool,
    },
    /// DATA: this many bytes of filler.
    Data {
        /// Its stream.
        stream: u32,
        /// Payload length in bytes.
        count: u32,
        /// END_STREAM.
        end: bool,
    },
    /// RST_STREAM.
    Reset {
        /// Its stream.
        stream: u32,
        /// The error code.
        code: u32,
    },
    /// GOAWAY.
    Goaway {
        /// The last stream that may have been processed.
        last: u32,
        /// The error code.
        code: u32,
        /// Additional debug data.
        debug: Vec<u8>,
    },
    /// PING.
    Ping {
        /// It answers a PING.
        ack: bool,
    },
    /// WINDOW_UPDATE.
    Window {
        /// Its stream; 0 is the connection.
        stream: u32,
        /// The window size increment in bytes.
        more: u32,
    },
}

/// What a HEADERS frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum H2HeadersKind {
    /// A request: method and target.
    Request(&'static str, Vec<u8>),
    /// A response, also an interim one, with its status.
    Response(u16),
    /// Trailer fields.
    Trailers,
}

/// A WebSocket frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsCell {
    /// The kind of frame.
    pub kind: WsKind,
    /// Whether it is masked, as a client's frames are (RFC 6455 §5.1).
    pub masked: bool,
}

/// The kind of a WebSocket frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WsKind {
    /// A text message: this many bytes of filler.
    Text(u32),
    /// A Ping.
    Ping,
    /// A Pong.
    Pong,
    /// A Close, with or without code and reason.
    Close(Option<(u16, Vec<u8>)>),
}

impl H2Cell {
    /// Appends the bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let number = |name: &str| {
            let kinds = wire::KINDS.iter().find(|(kind, _)| *kind == name);
            kinds.map_or(0, |(_, number)| *number)
        };
        let ack = |ack: bool| if ack { ACK } else { 0 };
        let ends = |end: bool| if end { END_STREAM } else { 0 };
        match self {
            Self::Preface => out.extend_from_slice(PREFACE),
            Self::Settings {
                ack: is_ack,
                max,
                window,
            } => {
                let mut payload = Vec::new();
                for (id, value) in [(3_u16, max), (4, window)] {
                    if let Some(value) = value {
                        payload.extend_from_slice(&id.to_be_bytes());
                        payload.extend_from_slice(&value.to_be_bytes());
                    }
                }
                wire::frame(number("SETTINGS"), ack(*is_ack), 0, &payload, out);
            }
            Self::Headers {
                stream,
                head,
                fields,
                end,
            } => {
                let mut block = Vec::new();
                match head {
                    H2HeadersKind::Request(method, target) => {
                        wire::field(b":method", method.as_bytes(), &mut block);
                        wire::field(b":scheme", b"http", &mut block);
                        wire::field(b":path", target, &mut block);
                        wire::field(b":authority", HOST.as_bytes(), &mut block);
                    }
                    H2HeadersKind::Response(status) => {
                        wire::field(b":status", status.to_string().as_bytes(), &mut block);
                    }
                    H2HeadersKind::Trailers => {}
                }
                for (name, value) in fields {
                    wire::field(name.as_bytes(), value, &mut block);
                }
                let flags = END_HEADERS | ends(*end);
                wire::frame(number("HEADERS"), flags, *stream, &block, out);
            }
            Self::Data { stream, count, end } => {
                let payload = vec![FILLER; *count as usize];
                wire::frame(number("DATA"), ends(*end), *stream, &payload, out);
            }
            Self::Reset { stream, code } => {
                wire::frame(number("RST_STREAM"), 0, *stream, &code.to_be_bytes(), out);
            }
            Self::Goaway { last, code, debug } => {
                let mut payload = last.to_be_bytes().to_vec();
                payload.extend_from_slice(&code.to_be_bytes());
                payload.extend_from_slice(debug);
                wire::frame(number("GOAWAY"), 0, 0, &payload, out);
            }
            Self::Ping { ack: is_ack } => {
                wire::frame(number("PING"), ack(*is_ack), 0, &[0; 8], out);
            }
            Self::Window { stream, more } => {
                wire::frame(
                    number("WINDOW_UPDATE"),
                    0,
                    *stream,
                    &more.to_be_bytes(),
                    out,
                );
            }
        }
    }
}

impl WsCell {
    /// Appends the bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let (opcode, payload) = match &self.kind {
            WsKind::Text(count) => (1, vec![FILLER; *count as usize]),
            WsKind::Close(None) => (8, Vec::new()),
            WsKind::Close(Some((code, reason))) => {
                let mut payload = code.to_be_bytes().to_vec();
                payload.extend_from_slice(reason);
                (8, payload)
            }
            WsKind::Ping => (9, Vec::new()),
            WsKind::Pong => (10, Vec::new()),
        };
        let mask = if self.masked { 0x80 } else { 0 };
        out.push(0x80 | opcode);
        match payload.len() {
            short @ 0..126 => out.push(mask | short as u8),
            length => {
                out.push(mask | 126);
                out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
            }
        }
        if self.masked {
            out.extend_from_slice(&[0; 4]);
        }
        out.extend_from_slice(&payload);
    }
}

/// The remaining tokens of the cell.
pub(super) type RemainingWords<'a> = std::slice::Iter<'a, Placed<'a>>;

/// Parses what follows `h2`.
pub(super) fn parse_h2(rest: &mut RemainingWords<'_>) -> Result<H2Cell, String> {
    Ok(match word(rest) {
        Some("preface") => H2Cell::Preface,
        Some("SETTINGS") => {
            let ack = take(rest, "ACK");
            let (mut max, mut window) = (None, None);
            while let Some(Token::Word(setting)) = peek(rest)
                && let Some((name, value)) = setting.split_once('=')
            {
                let slot = match name {
                    "max" => &mut max,
                    "window" => &mut window,
                    _ => return Err(format!("{name:?}: SETTINGS takes max=N and window=N")),
                };
                *slot = Some(
                    value
                        .parse()
                        .map_err(|_| format!("{name} takes a number"))?,
                );
                rest.next();
            }
            H2Cell::Settings { ack, max, window }
        }
        Some("HEADERS") => {
            let stream = number(rest, "HEADERS takes a stream, as in h2 HEADERS 1 GET /")?;
            let head = match peek(rest) {
                Some(Token::Word(name)) => {
                    if let Some(method) = METHODS.into_iter().find(|method| method == name) {
                        rest.next();
                        let target =
                            bytes(rest).ok_or_else(|| format!("{method} takes a target"))?;
                        H2HeadersKind::Request(method, target)
                    } else if let Some(status) = status(name) {
                        rest.next();
                        H2HeadersKind::Response(status)
                    } else {
                        H2HeadersKind::Trailers
                    }
                }
                _ => H2HeadersKind::Trailers,
            };
            H2Cell::Headers {
                stream,
                head,
                fields: Vec::new(),
                end: take(rest, "END"),
            }
        }
        Some("DATA") => H2Cell::Data {
            stream: number(rest, "DATA takes a stream and a count")?,
            count: number(rest, "DATA takes a stream and a count")?,
            end: take(rest, "END"),
        },
        Some("RST_STREAM") => H2Cell::Reset {
            stream: number(rest, "RST_STREAM takes a stream and a code")?,
            code: code(rest)?,
        },
        Some("GOAWAY") => H2Cell::Goaway {
            last: number(rest, "GOAWAY takes a stream and a code")?,
            code: code(rest)?,
            debug: quoted(rest),
        },
        Some("PING") => H2Cell::Ping {
            ack: take(rest, "ACK"),
        },
        Some("WINDOW_UPDATE") => H2Cell::Window {
            stream: number(rest, "WINDOW_UPDATE takes a stream and a count")?,
            more: number(rest, "WINDOW_UPDATE takes a stream and a count")?,
        },
        _ => {
            return Err(
                "h2 takes preface, SETTINGS, HEADERS, DATA, RST_STREAM, GOAWAY, PING or WINDOW_UPDATE"
                    .to_owned(),
            );
        }
    })
}

/// Parses what follows `ws`.
pub(super) fn parse_ws(rest: &mut RemainingWords<'_>) -> Result<WsCell, String> {
    let kind = match word(rest) {
        Some("text") => WsKind::Text(number(rest, "ws text takes a count")?),
        Some("ping") => WsKind::Ping,
        Some("pong") => WsKind::Pong,
        Some("close") => match peek(rest) {
            Some(Token::Word(code)) if code.parse::<u16>().is_ok() => {
                let code = number(rest, "ws close takes a code")?;
                WsKind::Close(Some((code, quoted(rest))))
            }
            _ => WsKind::Close(None),
        },
        _ => return Err("ws takes text, ping, pong or close".to_owned()),
    };
    Ok(WsCell {
        kind,
        masked: false,
    })
}

fn peek<'a>(rest: &RemainingWords<'a>) -> Option<&'a Token<'a>> {
    rest.clone().next().map(|(_, token)| token)
}

fn word<'a>(rest: &mut RemainingWords<'a>) -> Option<&'a str> {
    match rest.next() {
        Some((_, Token::Word(word))) => Some(word),
        _ => None,
    }
}

fn take(rest: &mut RemainingWords<'_>, wanted: &str) -> bool {
    let found = matches!(peek(rest), Some(Token::Word(word)) if *word == wanted);
    if found {
        rest.next();
    }
    found
}

fn number<T: FromStr>(rest: &mut RemainingWords<'_>, what: &str) -> Result<T, String> {
    let number = word(rest).and_then(|word| word.parse().ok());
    number.ok_or_else(|| what.to_owned())
}

fn bytes(rest: &mut RemainingWords<'_>) -> Option<Vec<u8>> {
    match rest.next() {
        Some((_, Token::Word(word))) => Some(word.as_bytes().to_vec()),
        Some((_, Token::String(bytes))) => Some(bytes.clone()),
        _ => None,
    }
}

fn quoted(rest: &mut RemainingWords<'_>) -> Vec<u8> {
    match peek(rest) {
        Some(Token::String(bytes)) => {
            rest.next();
            bytes.clone()
        }
        _ => Vec::new(),
    }
}

fn status(word: &str) -> Option<u16> {
    let status = word.parse().ok()?;
    ((100..=999).contains(&status) && word.len() == 3).then_some(status)
}

/// Parses an error code, by name or number.
fn code(rest: &mut RemainingWords<'_>) -> Result<u32, String> {
    let word = word(rest).unwrap_or_default();
    let named = ErrorCode::NAMES.iter().position(|name| *name == word);
    let code = named.and_then(|at| u32::try_from(at).ok());
    code.or_else(|| word.parse().ok())
        .ok_or_else(|| format!("{word:?} is no error code, such as CANCEL or 8"))
}

/// Writes the name of an error code, or its number if it has no name.
struct CodeWord(u32);

impl fmt::Display for CodeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ErrorCode(self.0).name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for H2Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("h2 ")?;
        match self {
            Self::Preface => f.write_str("preface"),
            Self::Settings { ack, max, window } => {
                f.write_str("SETTINGS")?;
                if *ack {
                    f.write_str(" ACK")?;
                }
                for (name, value) in [("max", max), ("window", window)] {
                    if let Some(value) = value {
                        write!(f, " {name}={value}")?;
                    }
                }
                Ok(())
            }
            Self::Headers {
                stream,
                head,
                fields,
                end,
            } => {
                write!(f, "HEADERS {stream}")?;
                match head {
                    H2HeadersKind::Request(method, target) => {
                        write!(f, " {method} {}", BareWord(target))?
                    }
                    H2HeadersKind::Response(status) => write!(f, " {status}")?,
                    H2HeadersKind::Trailers => {}
                }
                if *end {
                    f.write_str(" END")?;
                }
                if !fields.is_empty() {
                    let fields: Vec<_> = fields
                        .iter()
                        .map(|(name, value)| format!("{name}={}", BareWord(value)))
                        .collect();
                    write!(f, " [{}]", fields.join(" "))?;
                }
                Ok(())
            }
            Self::Data { stream, count, end } => {
                write!(f, "DATA {stream} {count}{}", if *end { " END" } else { "" })
            }
            Self::Reset { stream, code } => write!(f, "RST_STREAM {stream} {}", CodeWord(*code)),
            Self::Goaway { last, code, debug } => {
                write!(f, "GOAWAY {last} {}", CodeWord(*code))?;
                if !debug.is_empty() {
                    write!(f, " {}", Quoted(debug))?;
                }
                Ok(())
            }
            Self::Ping { ack } => write!(f, "PING{}", if *ack { " ACK" } else { "" }),
            Self::Window { stream, more } => write!(f, "WINDOW_UPDATE {stream} {more}"),
        }
    }
}

impl fmt::Display for WsCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            WsKind::Text(count) => write!(f, "ws text {count}"),
            WsKind::Ping => f.write_str("ws ping"),
            WsKind::Pong => f.write_str("ws pong"),
            WsKind::Close(None) => f.write_str("ws close"),
            WsKind::Close(Some((code, reason))) => {
                write!(f, "ws close {code}")?;
                if !reason.is_empty() {
                    write!(f, " {}", Quoted(reason))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ladder::{LadderLine, parse};

    /// Parses one line, asserts that it is rendered as it was written, and returns its bytes.
    #[track_caller]
    fn line(text: &str) -> Vec<u8> {
        let ladder = parse(text).expect("a ladder");
        assert_eq!(parse(&ladder.to_string()).as_ref(), Ok(&ladder));
        let LadderLine::Packet(packet) = &ladder.lines[0] else {
            panic!("no packet")
        };
        let arrow = if text.ends_with("-->") { " -->" } else { "" };
        assert_eq!(
            format!("{}{arrow}", packet.cell),
            text.trim_start_matches("<-- ")
        );
        packet.cell.bytes()
    }

    #[test]
    fn words_become_frames() {
        assert_eq!(line("h2 SETTINGS ACK -->"), [0, 0, 0, 4, 1, 0, 0, 0, 0]);
        assert_eq!(
            line("<-- h2 SETTINGS max=100"),
            [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]
        );
        assert_eq!(
            line("h2 RST_STREAM 3 CANCEL -->"),
            [0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 8]
        );
        assert_eq!(
            line("<-- h2 DATA 1 2 END FIN"),
            [0, 0, 2, 0, 1, 0, 0, 0, 1, b'x', b'x']
        );
        assert_eq!(line("h2 preface h2 PING -->").len(), 24 + 17);
        assert_eq!(
            line("<-- h2 GOAWAY 1 ENHANCE_YOUR_CALM \"too_many_pings\"").len(),
            9 + 8 + 14
        );
        assert_eq!(
            line("<-- h2 HEADERS 1 200 [content-length=5]")[..5],
            [0, 0, 31, 1, 4]
        );
        line("h2 HEADERS 1 GET /x END -->");
        line("<-- h2 HEADERS 1 END [grpc-status=14]");
        line("<-- h2 WINDOW_UPDATE 0 1000");
        assert_eq!(line("<-- ws close 1001 \"bye\""), b"\x88\x05\x03\xe9bye");
        assert_eq!(line("ws ping -->"), [0x89, 0x80, 0, 0, 0, 0]);
        assert_eq!(line("<-- ws text 300")[..4], [0x81, 126, 1, 44]);
        line("ws close -->");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, wanted) in [
            ("h2 HELLO -->", "h2 takes preface"),
            ("h2 DATA 1 -->", "a stream and a count"),
            ("h2 RST_STREAM 1 OUCH -->", "no error code"),
            ("h2 SETTINGS min=1 -->", "max=N"),
            ("ws hello -->", "ws takes text"),
        ] {
            let error = parse(text).expect_err("wrong").to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
