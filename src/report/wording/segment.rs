//! The content of a segment in a few words: `GET /x`, `TLS ServerHello, Certificate`, `GOAWAY NO_ERROR`,
//! `alert unknown_ca`.
//!
//! In: the notes that the connection's record has on a frame, and the annotations of a reread connection. Out: words
//! without control bytes. Plain and decrypted data look alike; secrets are never accessible here.

use crate::analysis::connection::{Connection, FrameNote, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::format::{bytes, count};
use crate::protocol::annotations::RecordKind;
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::h2::wire;
use crate::protocol::http::{Asked, Exchange, Framing, Message};
use crate::protocol::tls::alert_name;

/// Characters of a request's target that are shown.
const TARGET: usize = 60;
/// Characters of a name or a reason that are shown.
const NAME: usize = 40;
/// Kinds of frames named per segment; the others are counted.
const MOST: usize = 4;

/// Bytes before each TLS record (RFC 8446 §5.1): what the TCP segments of encrypted records carry is told with them.
const RECORD_HEADER: u64 = 5;

/// What to leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Leave out host names.
    pub names: bool,
    /// Leave out request targets and reasons.
    pub payload: bool,
}

/// The words for a segment sent by `from`: `frame_notes` are the record's notes on it, `notes` the annotations.
#[must_use]
pub fn words(
    connection: &Connection,
    from: Who,
    frame_notes: &[FrameNote],
    notes: &[RecordKind],
    omit: Detail,
) -> Vec<String> {
    let mut words: Vec<String> = notes.iter().filter_map(|it| proxied(*it, omit)).collect();
    let of_tls = handshake(connection, frame_notes, notes, omit);
    if !of_tls.is_empty() {
        words.push(format!("TLS {}", of_tls.join(", ")));
    }
    let said = frame_notes.iter().filter(|it| !is_handshake(**it));
    let said = said.filter_map(|it| remarked(*it, from, connection, omit));
    words.extend(said);
    // What ends streams stands first, as a row has little room.
    let (ends, others): (Vec<_>, Vec<_>) = frames(notes, frame_notes)
        .into_iter()
        .partition(|it| ENDS.iter().any(|name| it.starts_with(name)));
    words.splice(0..0, ends);
    words.extend(others);
    if words.is_empty() {
        words.extend(records(notes));
    }
    words
}

/// The header of the PROXY protocol: `PROXY 1, client 10.0.0.1:40000`.
fn proxied(note: RecordKind, omit: Detail) -> Option<String> {
    let RecordKind::Proxied(version, client) = note else {
        return None;
    };
    Some(match client.filter(|_| !omit.names) {
        Some(client) => format!("PROXY {version}, client {client}"),
        None => format!("PROXY {version}"),
    })
}

/// HTTP/2 frames that end streams.
const ENDS: [&str; 2] = ["GOAWAY", "RST_STREAM"];

/// `GET /path`, `query "select 1"`.
#[must_use]
pub fn request(exchange: &Exchange) -> String {
    if let Some(asked) = in_other_words(exchange) {
        return match &asked.words {
            Some(words) => format!("{} \"{}\"", asked.noun, shortened(words.as_bytes(), TARGET)),
            None => asked.noun.to_owned(),
        };
    }
    let target = exchange.request.as_ref().and_then(|it| it.target.as_ref());
    let target = target.map_or(&b"?"[..], |it| it.as_bytes());
    format!("{} {}", method(exchange), shortened(target, TARGET))
}

/// How much of a message was sent: `all 300 B`, `300 B of 1.0 kB`.
#[must_use]
pub(crate) fn how_far(message: &Message) -> String {
    let got = message.received();
    match (message.is_complete(), message.expected()) {
        // That it was all shows only with the close.
        (true, _) if message.framing == Framing::UntilClose => bytes(got),
        (true, _) => format!("all {}", bytes(got)),
        (false, Some(expected)) if expected > 0 => part_of(got, expected),
        (false, _) => format!("{} so far", bytes(got)),
    }
}

/// `30.0 of 60.0 kB`, or `900 B of 1.2 kB`.
fn part_of(got: u64, expected: u64) -> String {
    let (got, expected) = (bytes(got), bytes(expected));
    match (got.split_once(' '), expected.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => {
            format!("{number} of {expected}")
        }
        _ => format!("{got} of {expected}"),
    }
}

/// How far a message has got, with what it is: an arrow has little room, and shows whose it is.
fn body(exchange: &Exchange, message: &Message, what: &str) -> String {
    match in_other_words(exchange) {
        Some(_) => format!("{} of the {what}", how_far(message)),
        None => format!("body: {}", how_far(message)),
    }
}

fn in_other_words(exchange: &Exchange) -> Option<&Asked> {
    exchange.rare.as_ref()?.asked.as_ref()
}

fn method(exchange: &Exchange) -> String {
    if let Some(asked) = in_other_words(exchange) {
        return asked.noun.to_owned();
    }
    shortened(exchange.method().unwrap_or(b"?"), 16).into_owned()
}

/// An answer in the words of the protocol, if they were read, and are not text that is quoted anyway.
fn answered(connection: &Connection, exchange: &Exchange, omit: Detail) -> String {
    let words = in_other_words(exchange).and_then(|it| it.answer.as_ref());
    let facts = connection.dialogue.as_deref();
    let is_text = facts
        .and_then(|it| it.protocol)
        .is_some_and(AppProtocol::is_text);
    match words.filter(|_| !omit.payload && !is_text) {
        Some(words) => format!("answer \"{}\"", shortened(words.as_bytes(), TARGET)),
        None => "answer".to_owned(),
    }
}

const fn is_handshake(frame_note: FrameNote) -> bool {
    use FrameNote as R;
    matches!(
        frame_note,
        R::ClientHello
            | R::HelloRetry
            | R::ServerHello
            | R::Certificate
            | R::CertificateRequest
            | R::NoCertificate(_)
            | R::OwnCertificate
    )
}

/// Whether the note is about an HTTP message, so that its frames need not be named one by one.
const fn is_message(frame_note: FrameNote) -> bool {
    use FrameNote as R;
    matches!(
        frame_note,
        R::Request(_) | R::RequestEnds(_) | R::Interim(..) | R::Response(_) | R::ResponseEnds(_)
    )
}

fn remarked(
    frame_note: FrameNote,
    from: Who,
    connection: &Connection,
    omit: Detail,
) -> Option<String> {
    let of = |nth: usize| connection.spoken().get(nth);
    let on = |nth: usize| {
        let id = of(nth).and_then(Exchange::stream_id);
        id.map_or_else(String::new, |id| format!(", stream {id}"))
    };
    Some(match frame_note {
        FrameNote::Request(nth) => {
            let exchange = of(nth)?;
            let text = match omit.payload {
                true => method(exchange),
                false => request(exchange),
            };
            text + &on(nth)
        }
        FrameNote::RequestEnds(nth) => {
            let message = &of(nth)?.request.as_ref()?.message;
            if message.is_complete() && message.received() == 0 {
                return Some(format!("the end of the request's head{}", on(nth)));
            }
            body(of(nth)?, message, "request") + &on(nth)
        }
        FrameNote::Interim(nth, status) => format!("{status}{}", on(nth)),
        FrameNote::Response(nth) => {
            let response = of(nth)?.response.as_ref()?;
            let status = match response.status {
                0 if in_other_words(of(nth)?).is_some() => answered(connection, of(nth)?, omit),
                0 => "a response".to_owned(),
                status => status.to_string(),
            };
            let whole = response.message.last.frame == response.message.first.frame;
            // A message without a body has no size to print.
            let bare = response.message.is_complete() && response.message.received() == 0;
            let far = match whole && !bare {
                true => format!(", {}", how_far(&response.message)),
                false => String::new(),
            };
            status + &far + &on(nth)
        }
        FrameNote::ResponseEnds(nth) => {
            let message = &of(nth)?.response.as_ref()?.message;
            body(of(nth)?, message, "response") + &on(nth)
        }
        FrameNote::StreamReset(nth) => {
            let reset = of(nth)?.stream.as_ref()?.reset?;
            format!("RST_STREAM {}{}", reset.code, on(nth))
        }
        FrameNote::Goaway(nth) => {
            let half = &connection.h2.as_ref()?.halves[from as usize];
            let goaway = half.goaways.get(nth)?;
            let last = match goaway.last_stream {
                crate::protocol::h2::Goaway::NOT_YET => "no new streams".to_owned(),
                last => format!("last stream {last}"),
            };
            format!("GOAWAY {}, {last}", goaway.code)
        }
        FrameNote::Close => {
            let half = &connection.websocket.as_ref()?.halves[from as usize];
            let close = half.close.as_ref()?;
            let code = close.code.map_or_else(String::new, |it| format!(" {it}"));
            let reason = close.reason.as_bytes();
            match reason.is_empty() || omit.payload {
                true => format!("Close{code}"),
                false => format!("Close{code} {}", shortened(reason, NAME)),
            }
        }
        FrameNote::Alert(nth) => {
            let alert = connection.tls.as_ref()?.alerts.get(nth)?;
            match alert.code() {
                Some(code) => alert_words(code),
                None => "TLS alert, encrypted".to_owned(),
            }
        }
        FrameNote::CloseNotify(Certainty::Certain) => alert_words(0),
        // Under TLS 1.3 all alerts look alike.
        FrameNote::CloseNotify(_) => "TLS alert, encrypted".to_owned(),
        _ => return None,
    })
}

fn alert_words(code: u8) -> String {
    match alert_name(code) {
        Some("close_notify") => "TLS close_notify".to_owned(),
        Some(name) => format!("TLS alert {name} ({code})"),
        None => format!("TLS alert {code}"),
    }
}

/// The messages of a handshake: as annotated, with details from the record; otherwise from the record alone.
fn handshake(
    connection: &Connection,
    frame_notes: &[FrameNote],
    notes: &[RecordKind],
    omit: Detail,
) -> Vec<String> {
    let known = |wanted: fn(FrameNote) -> bool| frame_notes.iter().copied().find(|it| wanted(*it));
    // Next to other messages it would add nothing.
    let alone = !notes
        .iter()
        .any(|it| matches!(it, RecordKind::Handshake(_)));
    let noted: Vec<String> = notes
        .iter()
        .filter_map(|it| match it {
            RecordKind::ChangeCipherSpec if alone => Some("ChangeCipherSpec".to_owned()),
            RecordKind::Handshake(kind) => {
                let frame_note = match kind {
                    1 => known(|it| it == FrameNote::ClientHello),
                    2 => known(|it| matches!(it, FrameNote::ServerHello | FrameNote::HelloRetry)),
                    11 => known(|it| {
                        use FrameNote::{Certificate, NoCertificate, OwnCertificate};
                        matches!(it, Certificate | NoCertificate(_) | OwnCertificate)
                    }),
                    _ => None,
                };
                let told = frame_note.and_then(|it| step(it, connection, omit));
                Some(told.unwrap_or_else(|| message(*kind)))
            }
            _ => None,
        })
        .collect();
    // Annotations hold nothing from records that were not decrypted.
    let guessed = frame_notes
        .iter()
        .filter(|it| noted.is_empty() || matches!(it, FrameNote::NoCertificate(Certainty::Likely)));
    let guessed: Vec<String> = guessed
        .filter_map(|it| step(*it, connection, omit))
        .collect();
    times(noted.into_iter().chain(guessed))
}

/// Merges equal words in a row: `3 × word`.
fn times(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut told: Vec<(String, u64)> = Vec::new();
    for word in words {
        match told.last_mut() {
            Some((last, times)) if *last == word => *times += 1,
            _ => told.push((word, 1)),
        }
    }
    let each = told.into_iter().map(|(text, times)| match times {
        1 => text,
        times => format!("{times} × {text}"),
    });
    each.collect()
}

/// One message of which the record has details.
fn step(frame_note: FrameNote, connection: &Connection, omit: Detail) -> Option<String> {
    let facts = connection.tls.as_ref()?;
    let name = |bytes: &[u8]| match omit.names {
        true => String::new(),
        false => format!(" for {}", shortened(bytes, NAME)),
    };
    Some(match frame_note {
        FrameNote::ClientHello => {
            let sni = facts.hello.as_ref().and_then(|(_, it)| it.sni.as_deref());
            "ClientHello".to_owned() + &sni.map_or_else(String::new, name)
        }
        FrameNote::HelloRetry => "HelloRetryRequest".to_owned(),
        FrameNote::ServerHello => {
            let version = facts.version();
            let version = version.map_or_else(String::new, |it| format!(" ({it})"));
            format!("ServerHello{version}")
        }
        FrameNote::Certificate => {
            let leaf = facts.leaf().and_then(|(_, leaf)| leaf.names.first());
            "Certificate".to_owned() + &leaf.map_or_else(String::new, |it| name(it.as_bytes()))
        }
        FrameNote::CertificateRequest => "CertificateRequest".to_owned(),
        FrameNote::NoCertificate(Certainty::Certain) => "Certificate: none".to_owned(),
        FrameNote::NoCertificate(_) => "Certificate: none, likely".to_owned(),
        FrameNote::OwnCertificate => "Certificate".to_owned(),
        _ => return None,
    })
}

/// The name of a handshake message (RFC 8446 §4, RFC 5246 §7.4).
fn message(kind: u8) -> String {
    let name = match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        4 => "NewSessionTicket",
        5 => "EndOfEarlyData",
        8 => "EncryptedExtensions",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        22 => "CertificateStatus",
        24 => "KeyUpdate",
        25 => "CompressedCertificate",
        other => return format!("message {other}"),
    };
    name.to_owned()
}

/// HTTP/2 and WebSocket frames on which the record has no notes.
fn frames(notes: &[RecordKind], frame_notes: &[FrameNote]) -> Vec<String> {
    let any = |wanted: fn(FrameNote) -> bool| frame_notes.iter().any(|it| wanted(*it));
    let covered = any(is_message);
    let reset = any(|it| matches!(it, FrameNote::StreamReset(_)));
    let goaway = any(|it| matches!(it, FrameNote::Goaway(_)));
    let close = any(|it| it == FrameNote::Close);
    let told = notes.iter().filter_map(|note| {
        Some(match note {
            RecordKind::H2 {
                kind,
                flags,
                stream,
                length,
            } => {
                let known = wire::KINDS.iter().find(|(_, number)| number == kind);
                match known.map(|(name, _)| *name) {
                    Some("RST_STREAM") if reset => return None,
                    Some("GOAWAY") if goaway => return None,
                    Some("HEADERS" | "CONTINUATION" | "DATA") if covered => return None,
                    Some("DATA") => {
                        format!("DATA {}, stream {stream}", bytes(u64::from(*length)))
                    }
                    Some(name @ ("SETTINGS" | "PING")) if flags & wire::ACK != 0 => {
                        format!("{name} ACK")
                    }
                    Some(name @ ("RST_STREAM" | "HEADERS")) => format!("{name}, stream {stream}"),
                    Some(name) => name.to_owned(),
                    None => format!("frame of type {kind}"),
                }
            }
            RecordKind::Ws(8, _) if close => return None,
            RecordKind::Ws(8, _) => "Close".to_owned(),
            RecordKind::Ws(9, _) => "Ping".to_owned(),
            RecordKind::Ws(10, _) => "Pong".to_owned(),
            RecordKind::Ws(opcode, length) => {
                let name = match opcode {
                    0 => "more of a message",
                    1 => "text",
                    _ => "binary",
                };
                format!("{name} {}", bytes(*length))
            }
            _ => return None,
        })
    });
    let mut words = times(told);
    let more = words.len().saturating_sub(MOST) as u64;
    words.truncate(MOST);
    if more > 0 {
        words.push(count(more, "other frame", "other frames"));
    }
    words
}

/// Record types, for a segment about which nothing else is known.
fn records(notes: &[RecordKind]) -> Option<String> {
    let mut opened = 0_u64;
    let mut closed = 0_u64;
    let mut handshake = false;
    for note in notes {
        match note {
            RecordKind::Data(length) => opened = opened.saturating_add(*length),
            RecordKind::Closed(22, _) => handshake = true,
            RecordKind::Closed(_, length) => {
                closed = closed.saturating_add(RECORD_HEADER + u64::from(*length));
            }
            _ => {}
        }
    }
    match (opened, closed, handshake) {
        (0, 0, false) => None,
        (0, 0, true) => Some("TLS handshake, encrypted".to_owned()),
        (0, closed, _) => Some(format!("TLS data, {}", bytes(closed))),
        (opened, ..) => Some(format!("{} in TLS", bytes(opened))),
    }
}
