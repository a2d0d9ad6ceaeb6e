//! One row of a ladder in a few words: a segment (`SYN-ACK`, `again: GET /x`, `RST`, `1.2 kB (zero window)`), or what
//! stands between segments (`12 segments, 3.0 kB from the client`, `5.00 s of silence`).

use super::segment::{self, Detail};
use std::time::Duration;

use crate::analysis::transcript::{
    ConnectionTranscript, SegmentKind, TlsRecordHead, TranscriptRow, TranscriptStep,
};
use crate::base::escape::escape;
use crate::base::format::{bytes, count, duration, number};
use crate::base::frame_names::FrameNames;
use crate::base::net::Flags;
use crate::base::passage::Sight;

/// Describes a segment: control bits, then what its payload says, else how long that is.
#[must_use]
pub fn said(step: &TranscriptStep, reread: &ConnectionTranscript, omit: Detail) -> String {
    let has = |flag| step.flags.has(flag);
    let mut words = Vec::new();
    match step.kind {
        SegmentKind::Again => words.push("again:".to_owned()),
        SegmentKind::Other => words.push("other bytes:".to_owned()),
        SegmentKind::Probe => words.push("keep-alive probe".to_owned()),
        _ => {}
    }
    for (flag, name) in [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
    ] {
        if has(flag) {
            let name = match flag == Flags::SYN && has(Flags::ACK) {
                true => "SYN-ACK",
                false => name,
            };
            words.push(name.to_owned());
        }
    }
    let frame_notes: Vec<_> = reread.transcript.frame_notes(step).collect();
    let notes: Vec<_> = reread.transcript.notes(step).collect();
    let told = segment::words(&reread.connection, step.from, &frame_notes, &notes, omit);
    let bare = words.is_empty();
    let repeats = matches!(step.kind, SegmentKind::Again | SegmentKind::Other);
    if !told.is_empty() && !repeats {
        words.push(told.join("; "));
    } else if let Some(sign) = step.sign_of_life {
        words.push(sign.to_owned());
    } else if let Some(tls) = step.tls {
        words.push(format!("{}, {}", tls_words(tls), bytes(step.length.into())));
    } else if step.length > 0 && step.kind != SegmentKind::Probe {
        words.push(bytes(step.length.into()));
    }
    if words.is_empty() || bare && step.length == 0 && step.kind == SegmentKind::Bare {
        // A segment without ACK is none.
        let others = [
            (Flags::ACK, "ACK"),
            (Flags::PSH, "PSH"),
            (Flags::URG, "URG"),
        ];
        let other = others.into_iter().find(|(flag, _)| has(*flag));
        words.push(other.map_or("no flags", |(_, name)| name).to_owned());
    }
    if step.window == 0 && !has(Flags::RST) {
        words.push("(zero window)".to_owned());
    }
    let missing = step.missing[0].saturating_add(step.missing[1]);
    if missing > 0 {
        words.push(format!("({} never captured)", bytes(missing)));
    } else if let SegmentKind::Ahead(hole) = step.kind {
        words.push(format!("(after a hole of {})", bytes(hole)));
    }
    if step.captured < step.length {
        words.push(format!("({} captured)", bytes(step.captured.into())));
    }
    let frames = &reread.frames;
    let sights = frames.sights(step.frame);
    words.extend(sights.filter_map(|it| on_the_way(it, frames)));
    words.join(" ")
}

/// What several places show of a segment beside its frame, in brackets. That it was lost or forged is drawn.
fn on_the_way(sight: Sight, frames: &FrameNames) -> Option<String> {
    let at = |place| escape(frames.place_name(place).as_bytes()).into_owned();
    Some(match sight {
        Sight::Lost(from, to) | Sight::Forged(from, to) if frames.has_many_places() => {
            format!("(between {})", frames.both_places(from, to))
        }
        Sight::Lost(..) | Sight::Forged(..) | Sight::Hops(..) => return None,
        Sight::Held(from, to, span) => format!(
            "(held {} between {})",
            duration(span),
            frames.both_places(from, to)
        ),
        Sight::Mss(place, here, there) => {
            let size =
                |mss: Option<u16>| mss.map_or_else(|| "none".to_owned(), |it| it.to_string());
            format!("(MSS {}, in {} {})", size(here), at(place), size(there))
        }
        Sight::Options(place, name) => format!("(other {name} in {})", at(place)),
        Sight::Renumbered(place, _) => format!("(other numbers in {})", at(place)),
        Sight::Translated(place, [source, destination]) => {
            format!("(in {} {source} to {destination})", at(place))
        }
    })
}

/// From this length on a pause is drawn as a long one: users notice it, and timers begin to expire.
pub const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Describes a row that is not one segment; `None` for one that is.
#[must_use]
pub fn between(row: &TranscriptRow) -> Option<String> {
    Some(match row {
        TranscriptRow::Step(_) => return None,
        TranscriptRow::Run {
            first,
            last,
            bytes: [client, server],
            again,
        } => {
            let mut text = count((last - first + 1) as u64, "segment", "segments");
            for (amount, side) in [(client, "the client"), (server, "the server")] {
                if *amount > 0 {
                    text += &format!(", {} from {side}", bytes(*amount));
                }
            }
            if *again > 0 {
                text += &format!(", {} retransmitted", number(*again as u64));
            }
            text
        }
        TranscriptRow::Pause(pause) => format!("{} of silence", duration(*pause)),
        TranscriptRow::LeftOut(many) => {
            format!("{} not kept", count(*many, "segment", "segments"))
        }
    })
}

/// Record and handshake types of RFC 8446 §5.1 and §4.
const fn tls_words(TlsRecordHead(kind, message): TlsRecordHead) -> &'static str {
    match (kind, message) {
        (0x14, _) => "TLS change cipher spec",
        (0x15, _) => "TLS alert",
        (0x16, 1) => "TLS ClientHello",
        (0x16, 2) => "TLS ServerHello",
        (0x16, 11) => "TLS certificate",
        (0x16, _) => "TLS handshake",
        _ => "TLS data",
    }
}
