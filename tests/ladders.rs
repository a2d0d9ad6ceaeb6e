//! The ladders in `tests/ladders/` are the reference for how connections end: each one is run and compared with the
//! program. Each is then drawn from its own frames, and must give the same exchange.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hangup::analysis::connection::Connection;
use hangup::analysis::engine::{Engine, Event, Sink};
use hangup::base::frame_ref::FrameNumber;
use hangup::base::net::Flags;
use hangup::ladder::{Ladder, LadderLine, OwnedFrame, Recorder, Redaction, frames, parse};
use hangup::packet::capture::{self, Batch, Fill, OpenOptions};
use hangup::packet::decode::{Decoded, Decoder};
use hangup::rules::{ladder_check, ladders};
use proptest::prelude::*;

/// Every ladder: its file and line, and its text.
fn stories() -> Vec<(PathBuf, usize, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    let mut stories = Vec::new();
    for file in files {
        let markdown = std::fs::read_to_string(&file).expect("a story is text");
        let found = ladders(&markdown);
        assert!(!found.is_empty(), "{} has no ladder", file.display());
        for (line, text) in found {
            stories.push((file.clone(), line, text));
        }
    }
    assert!(stories.len() > 20, "the stories are there");
    stories
}

fn place(file: &Path, line: usize) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}:{line}")
}

#[test]
fn every_story_is_told_as_written() {
    let mut faults = String::new();
    for (file, line, text) in stories() {
        let ladder = match parse(&text) {
            Ok(ladder) => ladder,
            Err(error) => {
                writeln!(
                    faults,
                    "{}: {}",
                    place(&file, line + error.line),
                    error.what
                )
                .unwrap();
                continue;
            }
        };
        let claims = ladder.lines.iter().filter(|line| match line {
            LadderLine::Expect(_) => true,
            LadderLine::Packet(packet) => packet.states.is_some(),
            _ => false,
        });
        if claims.count() == 0 {
            writeln!(faults, "{}: claims nothing", place(&file, line)).unwrap();
        }
        for mismatch in ladder_check::run(&ladder).mismatches {
            let place = place(&file, line + mismatch.line);
            writeln!(
                faults,
                "{place}: wanted {}\n    got {}",
                mismatch.wanted, mismatch.got
            )
            .unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// Draws every connection.
#[derive(Default)]
struct Painter {
    redaction: Redaction,
    recorders: BTreeMap<FrameNumber, (Recorder, Vec<FrameNumber>)>,
    connections: Vec<Connection>,
}

impl Sink for Painter {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Segment {
                first,
                from,
                segment,
                standings,
            } => {
                let (recorder, frames) = self
                    .recorders
                    .entry(first.frame)
                    .or_insert_with(|| (Recorder::new(self.redaction), Vec::new()));
                recorder.segment(from, segment, standings);
                frames.push(segment.frame);
            }
            Event::Settled(connection) => self.connections.push(*connection),
        }
    }

    fn wants_segments(&self) -> bool {
        true
    }
}

/// What a capture of these frames shows, independent of the initial sequence numbers.
fn wire<'a>(frames: impl Iterator<Item = &'a OwnedFrame>) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut bases: BTreeMap<_, u32> = BTreeMap::new();
    let mut start = None;
    let mut shown = Vec::new();
    for frame in frames {
        let Ok(Decoded::Segment(segment)) = decoder.decode(&frame.frame()) else {
            panic!("frame {:?} holds no segment", frame.number)
        };
        let (rst, acks) = (segment.flags.has(Flags::RST), segment.flags.has(Flags::ACK));
        let refusal = rst && acks && segment.window == 0;
        let start = *start.get_or_insert(segment.time);
        if !refusal {
            bases.entry(segment.source).or_insert(segment.seq.0);
        }
        let ack = acks.then(|| {
            let base = *bases
                .entry(segment.destination)
                .or_insert(segment.ack.0.wrapping_sub(1));
            segment.ack.0.wrapping_sub(base)
        });
        // A refusal's sequence number is not relative to an initial one.
        let base = bases.get(&segment.source).filter(|_| !refusal);
        let seq = base.map(|base| segment.seq.0.wrapping_sub(*base));
        shown.push(format!(
            "{:?} {} {:?} seq {seq:?} ack {ack:?} len {} of {} ttl {} zero {}",
            segment.time.since(start),
            segment.source,
            segment.flags,
            segment.payload.len(),
            segment.length,
            segment.ttl,
            segment.window == 0,
        ));
    }
    shown
}

impl Painter {
    fn watch(frames: &[OwnedFrame], redaction: Redaction) -> Self {
        let mut painter = Self {
            redaction,
            ..Self::default()
        };
        let mut engine = Engine::new();
        for frame in frames {
            engine.frame(&frame.frame(), &mut painter);
        }
        let _ = engine.finish(&mut painter);
        painter
    }

    /// The ladders in the order of their first frames, each with its frames and its connection.
    fn paintings(mut self) -> Vec<(Ladder, Vec<FrameNumber>, Connection)> {
        self.connections
            .sort_by_key(|connection| connection.first.frame);
        let finish = |connection: Connection| {
            let recorder = self.recorders.remove(&connection.first.frame);
            let (recorder, taken) = recorder.expect("every connection has segments");
            (recorder.finish(&connection), taken, connection)
        };
        self.connections.into_iter().map(finish).collect()
    }
}

#[test]
fn every_story_can_be_drawn_from_its_frames() {
    for (file, line, text) in stories() {
        let place = place(&file, line);
        let Ok(ladder) = parse(&text) else { continue };
        let frames = frames(&ladder);
        let painter = Painter::watch(&frames, Redaction::default());
        for (drawn, taken, _) in painter.paintings() {
            let text = drawn.to_string();
            assert_eq!(parse(&text).as_ref(), Ok(&drawn), "{place}\n{text}");
            same_exchange(&place, &text, &drawn, &frames, &taken);
        }
    }
}

fn same_exchange(
    place: &str,
    text: &str,
    drawn: &Ladder,
    all: &[OwnedFrame],
    taken: &[FrameNumber],
) {
    if is_folded(drawn) {
        return;
    }
    let original = all.iter().filter(|frame| taken.contains(&frame.number));
    let again = frames(drawn);
    pretty(place, text, &wire(original), &wire(again.iter()));
    let mismatches = ladder_check::run(drawn).mismatches;
    assert!(
        mismatches.is_empty(),
        "{place}: drawn as\n{text}\n{mismatches:#?}"
    );
}

fn is_folded(drawn: &Ladder) -> bool {
    let fold =
        |line: &LadderLine| matches!(line, LadderLine::Comment(text) if text.starts_with('…'));
    drawn.lines.iter().any(fold)
}

#[track_caller]
fn pretty(place: &str, text: &str, wanted: &[String], got: &[String]) {
    assert_eq!(wanted.len(), got.len(), "{place}: drawn as\n{text}");
    for (wanted, got) in wanted.iter().zip(got) {
        assert_eq!(wanted, got, "{place}: drawn as\n{text}");
    }
}

/// What either side may send at any time; the sequence need not be valid TCP.
const WORDS: [&str; 14] = [
    "ACK",
    "data 5",
    "data 7 [lost]",
    "data 3 [crossed]",
    "data 4 [seq=9]",
    "ACK [ack=3]",
    "FIN",
    "FIN [lost]",
    "again",
    "probe",
    "\"x\" [ttl=9]",
    "SYN",
    "RST [noack]",
    "RST [win=0]",
];

proptest! {
    /// Whatever is sent, the numbers of a drawn ladder are those of the capture.
    #[test]
    fn any_exchange_can_be_drawn(said in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..WORDS.len()), 1..20)) {
        let mut text = "SYN -->\n<-- SYN\nACK -->\n".to_owned();
        for (client, seen, word) in said {
            let word = WORDS[word];
            // A refusal of a SYN that was not captured has a number that is not relative to anything.
            let line = match (client, seen || word == "SYN") {
                (true, true) => format!("+9ms {word} -->"),
                (true, false) => format!("+9ms {word} ~~>"),
                (false, true) => format!("+9ms <-- {word}"),
                (false, false) => format!("+9ms <~~ {word}"),
            };
            text.push_str(&line);
            text.push('\n');
        }
        let frames = frames(&parse(&text).expect("a ladder"));
        let painter = Painter::watch(&frames, Redaction::default());
        for (drawn, taken, _) in painter.paintings() {
            let picture = drawn.to_string();
            let back = parse(&picture);
            prop_assert_eq!(back.as_ref(), Ok(&drawn), "{}", picture);
            if !is_folded(&drawn) {
                let original = frames.iter().filter(|frame| taken.contains(&frame.number));
                let again = hangup::ladder::frames(&drawn);
                prop_assert_eq!(wire(original), wire(again.iter()), "{}\ndrawn as\n{}", text, picture);
            }
        }
    }
}

/// Draws the only connection of this ladder.
fn draw(text: &str, redaction: Redaction) -> String {
    let ladder = parse(text).expect("a ladder");
    let paintings = Painter::watch(&frames(&ladder), redaction).paintings();
    assert_eq!(paintings.len(), 1);
    paintings[0].0.to_string()
}

#[test]
fn long_runs_are_folded() {
    let body = "<-- data 1000\n".repeat(1234);
    let text = format!("GET / -->\n<-- 200 [length=1234000]\n{body}ACK -->\nFIN -->");
    let drawn = draw(&text, Redaction::default());
    assert!(
        drawn.contains("# … 1 230 segments, 1 230 000 bytes\n"),
        "{drawn}"
    );
    assert!(drawn.lines().count() < 20, "{drawn}");
    // The segment after the fold states its numbers, so that the rest is correct.
    assert!(drawn.contains("data 1000 [seq=1233045]"), "{drawn}");
    assert!(drawn.contains("ACK [ack=1234045]"), "{drawn}");
}

#[test]
fn a_ladder_can_be_told_to_strangers() {
    let text = "client 192.168.7.9:51234 server 172.20.1.1:8080
        GET /secret?key=secret [host=secret.example cookie=secret user-agent=secret] -->
        <-- 200 \"secret\" [set-cookie=secret server=secret]
        \"secret\" -->
        <-- FIN";
    let shown = draw(text, Redaction::default());
    assert!(
        shown.contains("GET /secret?key=secret") && shown.contains("192.168.7.9"),
        "{shown}"
    );
    assert!(
        !shown.contains("cookie"),
        "never shown: it says nothing about endings\n{shown}"
    );
    let redaction = Redaction {
        addresses: true,
        payload: true,
    };
    let hidden = draw(text, redaction);
    assert!(
        !hidden.contains("secret") && !hidden.contains("192") && !hidden.contains("172"),
        "{hidden}"
    );
    assert!(hidden.contains("GET / "), "{hidden}");
    let drawn = parse(&hidden).expect("it is a ladder");
    let wire =
        |frames: Vec<OwnedFrame>| frames.iter().map(|frame| frame.length).collect::<Vec<_>>();
    assert_eq!(
        wire(frames(&drawn)),
        wire(frames(&parse(text).expect("a ladder")))
    );
}

#[test]
fn bytes_that_a_screen_would_obey_are_spelled_out() {
    let drawn = draw(
        "GET /\\x1b[2J -->\n\"\\x1b]0;owned\\x07\" -->",
        Redaction::default(),
    );
    assert!(
        drawn.chars().all(|char| char == '\n' || !char.is_control()),
        "{drawn:?}"
    );
}

/// Real captures contain what no ladder foresees: each connection, once drawn, parses back.
#[test]
fn captured_connections_can_be_drawn() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut drawn = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.to_string_lossy();
        if !name.contains(".pcap") || name.contains("streamed") {
            continue;
        }
        let mut source =
            capture::open(std::slice::from_ref(&path), &OpenOptions::default()).expect("it opens");
        let mut painter = Painter::default();
        let mut engine = Engine::new();
        let mut batch = Batch::default();
        while source.fill(&mut batch).expect("it reads") != Fill::End {
            for frame in batch.frames() {
                engine.frame(&frame, &mut painter);
            }
        }
        let _ = engine.finish(&mut painter);
        for (ladder, _, connection) in painter.paintings() {
            drawn += 1;
            let text = ladder.to_string();
            assert_eq!(parse(&text).as_ref(), Ok(&ladder), "{name}\n{text}");
            if text.contains("# …") || text.contains("data ") {
                continue;
            }
            let again = ladder_check::run(&ladder);
            let verdicts: Vec<_> = again.connections.iter().map(verdict).collect();
            assert_eq!(verdicts, [verdict(&connection)], "{name}\n{text}");
        }
    }
    assert!(drawn > 30, "{drawn}");
}

fn verdict(connection: &Connection) -> String {
    let teardown = &connection.teardown;
    format!(
        "{:?} {:?} {:?} {:?}",
        teardown.by, teardown.how, teardown.phase, connection.states
    )
}
