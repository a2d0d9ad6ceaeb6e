//! Connections drawn as ladders: a first pass over the input numbers the connections, a second one draws the wanted
//! ones.
//!
//! For `hangup ladder` the second pass is as thorough as the first. The typical cases in a report need less: only their
//! own frames are analysed, and reading stops after the last of them, so a report on a large capture takes hardly
//! longer. A pipe cannot be read twice: its report has no ladders.
//!
//! What the first pass decrypted comes from the connection's record; the second pass decrypts nothing.

use std::path::Path;

use anyhow::{Result, bail};

use super::cli;
use super::key_logs::{KeyLogs, Presence};
use super::progress::ProgressLine;
use crate::analysis::connection::{Connection, Who};
use crate::analysis::engine::{self, Engine, EngineSettings, Event, Sink};
use crate::base::frame_ref::FrameNumber;
use crate::ladder::{Recorder, RecorderNotes, Redaction};
use crate::packet::capture::{self, Batch, Fill, OpenOptions};
use crate::report;
use crate::report::snapshot::{DrawnLadder, Snapshot};
use crate::report::wording::segment::{self, Detail};

pub(super) fn ladder(asked: &cli::LadderArgs) -> Result<String> {
    if asked.files.iter().any(|file| file == Path::new("-")) {
        bail!("a ladder takes two readings, and a pipe has only one: save the capture to a file");
    }
    let options = OpenOptions {
        filter: asked.filter.clone(),
    };
    let wanted = find(asked, &options)?;
    let redaction = Redaction {
        addresses: asked.hide_addresses,
        payload: asked.hide_payload,
    };
    let mut painter = LadderRecorder {
        recorder: recorder(&wanted, redaction),
        wanted: &wanted,
    };
    let mut source = capture::open(&asked.files, &options)?;
    let mut engine = Engine::new();
    let mut batch = Batch::default();
    let mut progress = ProgressLine::new();
    let mut frames = 0;
    while source.fill(&mut batch)? != Fill::End {
        for frame in batch.frames() {
            engine.frame(&frame, &mut painter);
        }
        frames += batch.len() as u64;
        progress.at(frames);
    }
    drop(progress);
    Ok(painter.recorder.finish(&wanted).to_string())
}

/// The maximum number of frames reread for the ladders of a report: a quarter of a second's work. A typical case that
/// ends later has no ladder in the report; `hangup ladder` draws it.
const PICTURED: u64 = 200_000;

/// Draws the ladders of a report's typical cases, if the input can be read again.
pub(super) fn pictures(asked: &cli::ReadArgs, snapshot: &Snapshot) -> Vec<DrawnLadder> {
    let again = |path: &Path| path.metadata().is_ok_and(|it| it.is_file());
    if !asked.files.iter().all(|it| again(it)) {
        return Vec::new();
    }
    let typical = report::typical(snapshot);
    let mut wanted: Vec<(&Connection, Recorder)> = typical
        .iter()
        .filter_map(|id| snapshot.connection(*id))
        .filter(|it| it.last.frame.0 <= PICTURED)
        .map(|it| (it, recorder(it, Redaction::default())))
        .collect();
    let last = wanted.iter().map(|(it, _)| it.last.frame).max();
    let Some(last) = last else {
        return Vec::new();
    };
    // If a file was removed in the meantime, the report has no ladders.
    let options = OpenOptions {
        filter: asked.filter.clone(),
    };
    let Ok(mut source) = capture::open(&asked.files, &options) else {
        return Vec::new();
    };
    let mut engine = Engine::new();
    let mut batch = Batch::default();
    let mut recorders = LadderRecorders {
        wanted: &mut wanted,
    };
    'reading: while let Ok(Fill::Frames) = source.fill(&mut batch) {
        for frame in batch.frames() {
            if frame.number > last {
                break 'reading;
            }
            if recorders.spans(frame.number) {
                engine.frame(&frame, &mut recorders);
            }
        }
    }
    let drawn = wanted
        .into_iter()
        .map(|(connection, recorder)| DrawnLadder {
            connection: connection.id,
            ladder: recorder.finish(connection),
        });
    drawn.collect()
}

/// A recorder that labels segments with what their bytes do not show: decrypted data and HTTP/2 or WebSocket frames.
fn recorder(connection: &Connection, redaction: Redaction) -> Recorder {
    let recorder = Recorder::new(redaction);
    let is_plain =
        connection.tls.is_none() && connection.h2.is_none() && connection.websocket.is_none();
    if is_plain {
        return recorder;
    }
    let omit = Detail {
        names: redaction.addresses || redaction.payload,
        payload: redaction.payload,
    };
    let ends = [connection.client, connection.server];
    let mut frame_notes = RecorderNotes::new();
    for (frame, all) in connection.frame_notes() {
        for who in Who::BOTH {
            let own = all.iter().filter(|(from, _)| *from == who);
            let own: Vec<_> = own.map(|(_, frame_note)| *frame_note).collect();
            let words = segment::words(connection, who, &own, &[], omit);
            if !words.is_empty() {
                frame_notes.insert((frame, ends[who as usize]), words.join("; "));
            }
        }
    }
    recorder.with_notes(frame_notes)
}

/// Draws several connections from the event stream of all.
struct LadderRecorders<'g, 'c> {
    wanted: &'g mut Vec<(&'c Connection, Recorder)>,
}

impl LadderRecorders<'_, '_> {
    /// Whether one of the wanted connections spans this frame.
    fn spans(&self, frame: FrameNumber) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.any(|(it, _)| it.first.frame <= frame && frame <= it.last.frame)
    }
}

impl Sink for LadderRecorders<'_, '_> {
    fn event(&mut self, event: Event<'_>) {
        let Event::Segment {
            first,
            from,
            segment,
            standings,
        } = event
        else {
            return;
        };
        let ends = [segment.source, segment.destination];
        for (connection, recorder) in self.wanted.iter_mut() {
            let own = [connection.client, connection.server];
            let same = ends == own || ends == [own[1], own[0]];
            if same && first == connection.first && segment.context == connection.context {
                recorder.segment(from, segment, standings);
            }
        }
    }

    fn wants_segments(&self) -> bool {
        true
    }
}

/// The record of the connection with the requested number.
fn find(asked: &cli::LadderArgs, options: &OpenOptions) -> Result<Connection> {
    let keys = KeyLogs::read(&asked.keylog, Presence::Required)?;
    let settings = EngineSettings {
        keys: keys.key_store().clone(),
        ..EngineSettings::default()
    };
    let mut source = keys.beside(capture::open(&asked.files, options)?, false);
    let mut progress = ProgressLine::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let analysis = engine::analyse(&mut *source, &settings, threads, &mut |frames| {
        progress.at(frames);
    })?;
    drop(progress);
    let connections = analysis.connections;
    let last = connections.last().map_or(0, |it| it.id);
    let mut connections = connections.into_iter();
    match connections.find(|it| it.id == asked.connection) {
        Some(connection) => Ok(Connection::clone(&connection)),
        None if last == 0 => bail!("there is no connection in this capture"),
        None => bail!(
            "there is no connection {}: the last one is {last}",
            asked.connection
        ),
    }
}

/// Draws one connection from the event stream of all.
struct LadderRecorder<'c> {
    recorder: Recorder,
    wanted: &'c Connection,
}

impl Sink for LadderRecorder<'_> {
    fn event(&mut self, event: Event<'_>) {
        let Event::Segment {
            first,
            from,
            segment,
            standings,
        } = event
        else {
            return;
        };
        // A frame may hold several segments, so its number alone does not identify the segment.
        let ends = [segment.source, segment.destination];
        let wanted = [self.wanted.client, self.wanted.server];
        let same = ends == wanted || ends == [wanted[1], wanted[0]];
        if same && first == self.wanted.first && segment.context == self.wanted.context {
            self.recorder.segment(from, segment, standings);
        }
    }

    fn wants_segments(&self) -> bool {
        true
    }
}
