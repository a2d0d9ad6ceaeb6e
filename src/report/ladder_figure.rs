//! A short ladder of a typical case, fitted to the width of a page.
//!
//! In: the [`Ladder`] of the connection. Out: lines. Of a long ladder it keeps the beginning, the end and the evidence;
//! states, numbers and fields are left to `hangup ladder`.

use std::time::Duration;

use crate::analysis::connection::Who;
use crate::base::escape::shortened;
use crate::base::format::number;
use crate::base::frame_ref::{FrameNames, FrameRef};
use crate::ladder::{BodyPiece, Ladder, LadderLine, LadderSegment, Piece, Sends};

/// Upper bound of rows.
const LINES: usize = 14;
/// Rows kept at the beginning, and at the end.
const HEAD: usize = 3;
const TAIL: usize = 5;
/// Columns for the client's segments.
const LEFT: usize = 24;
/// Columns for the server's segments.
const RIGHT: usize = 20;
/// Columns for the frame number.
const FRAME: usize = 14;

/// The ladder, line by line; `first` is the connection's first segment, `evidence` the frame references to keep and to
/// label.
pub(super) fn picture(
    ladder: &Ladder,
    first: FrameRef,
    evidence: &[FrameRef],
    frames: &FrameNames,
) -> Vec<String> {
    let rows: Vec<&LadderLine> = ladder
        .lines
        .iter()
        .filter(|line| matches!(line, LadderLine::Packet(_)) || is_fold(line))
        .collect();
    let at = |frame_ref: &FrameRef, packet: &LadderSegment| {
        let after = frame_ref.time.since(first.time);
        after.abs_diff(packet.time) < Duration::from_micros(1)
    };
    // Of several packets with the same timestamp it is unknown which is meant.
    let alone = |frame_ref: &&FrameRef| {
        let same = rows
            .iter()
            .filter(|line| matches!(line, LadderLine::Packet(packet) if at(frame_ref, packet)));
        same.count() == 1
    };
    let evidence: Vec<&FrameRef> = evidence.iter().filter(alone).collect();
    let named = |packet: &LadderSegment| {
        evidence
            .iter()
            .copied()
            .find(|frame_ref| at(frame_ref, packet))
    };
    let keeps = chosen(&rows, |packet| named(packet).is_some());
    let mut lines = vec![format!(
        "{:>9}  {:<LEFT$}       {}",
        "seconds", "client", "server"
    )];
    let mut left_out = 0u64;
    for (row, keep) in rows.iter().zip(keeps) {
        if !keep {
            left_out += folded(row);
            continue;
        }
        if left_out > 0 {
            lines.push(gap(left_out));
            left_out = 0;
        }
        match row {
            LadderLine::Packet(packet) => lines.push(row_of(packet, named(packet), frames)),
            other => lines.push(gap(folded(other))),
        }
    }
    if left_out > 0 {
        lines.push(gap(left_out));
    }
    lines
}

/// Which rows of a long ladder are kept: the beginning, the end, the labelled ones, then message heads and closing
/// segments, the last ones first.
fn chosen(rows: &[&LadderLine], named: impl Fn(&LadderSegment) -> bool) -> Vec<bool> {
    let all = rows.len();
    if all <= LINES {
        return vec![true; all];
    }
    let mut keeps: Vec<bool> = rows
        .iter()
        .enumerate()
        .map(|(nth, row)| {
            let named = matches!(row, LadderLine::Packet(packet) if named(packet));
            nth < HEAD || named
        })
        .collect();
    // Labelled rows are few, but nothing here bounds them.
    let mut kept = keeps.iter().filter(|keep| **keep).count();
    for tail in [true, false] {
        for nth in (0..all).rev() {
            let last = nth + TAIL >= all;
            let says = matches!(rows[nth], LadderLine::Packet(packet) if is_significant(packet));
            if kept < LINES && !keeps[nth] && (last == tail) && (tail || says) {
                keeps[nth] = true;
                kept += 1;
            }
        }
    }
    // A gap of one row would take as much space as the row.
    for nth in 1..all.saturating_sub(1) {
        if keeps[nth - 1] && keeps[nth + 1] && folded(rows[nth]) == 1 {
            keeps[nth] = true;
        }
    }
    keeps
}

/// Whether a segment is more than data or an acknowledgement.
fn is_significant(packet: &LadderSegment) -> bool {
    let cell = &packet.cell;
    let head = |piece: &Piece| matches!(piece, Piece::Request { .. } | Piece::Response { .. });
    let says = packet.frame_note.is_some() || cell.payload.iter().any(head);
    cell.syn || cell.fin || cell.rst || says
}

/// The comment for a run of segments that was folded when the ladder was recorded: `… 12 segments …`.
fn is_fold(line: &LadderLine) -> bool {
    matches!(line, LadderLine::Comment(text) if text.starts_with(|it: char| it.is_ascii_digit() || it == '…'))
}

/// The number of segments that a row stands for.
fn folded(line: &LadderLine) -> u64 {
    match line {
        LadderLine::Comment(text) => {
            let digits: String = text
                .chars()
                .skip_while(|it| !it.is_ascii_digit())
                .take_while(|it| it.is_ascii_digit() || *it == ',')
                .filter(char::is_ascii_digit)
                .collect();
            digits.parse().unwrap_or(1)
        }
        _ => 1,
    }
}

fn gap(left_out: u64) -> String {
    let packets = if left_out == 1 { "packet" } else { "packets" };
    format!("{:>9}  {} {packets} more", "…", number(left_out))
}

fn row_of(packet: &LadderSegment, named: Option<&FrameRef>, frames: &FrameNames) -> String {
    let said = says(packet);
    let time = format!("{:.3}", packet.time.as_secs_f64());
    let (arrow, left, right) = match packet.from {
        Who::Client => ("-->", cut(&said, LEFT), String::new()),
        // Without a frame label next to it, there is room for more.
        Who::Server if named.is_none() => ("<--", String::new(), cut(&said, RIGHT + FRAME)),
        Who::Server => ("<--", String::new(), cut(&said, RIGHT)),
    };
    let frame = named.map_or(String::new(), |frame_ref| {
        frames.in_one_file(frame_ref.frame)
    });
    let line = format!("{time:>9}  {left:<LEFT$}  {arrow}  {right:<RIGHT$}  {frame}");
    line.trim_end().to_owned()
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

fn says(packet: &LadderSegment) -> String {
    let cell = &packet.cell;
    let mut words: Vec<String> = Vec::new();
    match cell.sends {
        Sends::Again => words.push("again".to_owned()),
        Sends::Probe => words.push("keep-alive probe".to_owned()),
        Sends::New => {}
    }
    if cell.syn {
        words.push("SYN".to_owned());
    }
    match &packet.frame_note {
        // Space is short, and the message's name implies TLS.
        Some(text) => words.push(text.strip_prefix("TLS ").unwrap_or(text).to_owned()),
        None => words.extend(payload(&cell.payload)),
    }
    for (set, name) in [(cell.fin, "FIN"), (cell.rst, "RST")] {
        if set {
            words.push(name.to_owned());
        }
    }
    if words.is_empty() {
        words.push("ACK".to_owned());
    }
    words.join(" ")
}

/// The payload sent; anonymous bytes are summed up.
fn payload(pieces: &[Piece]) -> Vec<String> {
    if !pieces.is_empty() && pieces.iter().all(Piece::is_bytes) {
        let count = |piece: &Piece| match piece {
            Piece::Data(count) => u64::from(*count),
            Piece::Raw(bytes) => bytes.len() as u64,
            _ => 0,
        };
        let all: u64 = pieces.iter().map(count).sum();
        return vec![format!("{all} bytes")];
    }
    pieces.iter().map(piece).collect()
}

fn piece(piece: &Piece) -> String {
    let with = |head: String, body: &BodyPiece| match body {
        BodyPiece::None => head,
        BodyPiece::Bytes(bytes) => format!("{head} + {} bytes", bytes.len()),
        BodyPiece::Filler(count) => format!("{head} + {count} bytes"),
    };
    match piece {
        Piece::Request {
            method,
            target,
            body,
            ..
        } => with(format!("{method} {}", shortened(target, LEFT)), body),
        Piece::Response { status, body, .. } => with(status.to_string(), body),
        Piece::Data(count) => format!("{count} bytes"),
        Piece::Raw(bytes) => format!("{} bytes", bytes.len()),
        Piece::Tls(_) => "TLS".to_owned(),
        Piece::H2(_) => "HTTP/2".to_owned(),
        Piece::Ws(_) => "WebSocket".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::snapshot::sample::frame_ref;

    const RACE: &str = "
        0.000 SYN -->
        0.010 <-- SYN
        0.020 GET /a/long/target/that/goes/on/and/on -->
        0.041 <-- FIN
        0.050 <-- 200 \"hello\"
        0.060 ACK -->";

    #[test]
    fn a_short_one_is_shown_whole_and_its_evidence_named() {
        let ladder: Ladder = RACE.parse().expect("a ladder");
        let lines = picture(
            &ladder,
            frame_ref(1, 0),
            &[frame_ref(9, 41)],
            &FrameNames::default(),
        )
        .join("\n");
        insta::assert_snapshot!(lines, @r"
          seconds  client                         server
            0.000  SYN                       -->
            0.010                            <--  SYN
            0.020  GET /a/long/target/that…  -->
            0.041                            <--  FIN                   frame 9
            0.050                            <--  200 + 5 bytes
            0.060  ACK                       -->
        ");
    }

    #[test]
    fn a_long_one_keeps_both_ends_and_what_is_named() {
        let mut text = RACE.to_owned();
        for millis in 100..140 {
            text += &format!("\n0.{millis} data 100 -->\n0.{millis}5 <-- ACK");
        }
        text += "\n0.200 <-- RST";
        let ladder: Ladder = text.parse().expect("a ladder");
        let lines = picture(
            &ladder,
            frame_ref(1, 0),
            &[frame_ref(44, 120)],
            &FrameNames::default(),
        );
        assert!(lines.len() <= LINES + 6, "{lines:#?}");
        assert!(lines.iter().any(|it| it.contains("frame 44")), "{lines:#?}");
        assert!(
            lines.last().is_some_and(|it| it.ends_with("RST")),
            "{lines:#?}"
        );
        assert!(
            lines.iter().all(|it| it.chars().count() <= 78),
            "{lines:#?}"
        );
    }
}
