//! Connections drawn as ladders: a first pass over the input numbers the connections, a second one draws the wanted
//! ones.
//!
//! For `hangup ladder` the second pass is as thorough as the first. The typical cases in a report need less: only their
//! own frames are analysed, and reading stops after the last of them, so a report on a large capture takes hardly
//! longer. A pipe cannot be read twice: its report has no ladders.
//!
//! What the first pass decrypted comes from the connection's record; the second pass decrypts nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::cli;
use super::key_logs::{KeyLogs, Presence};
use super::progress::ProgressLine;
use crate::analysis::connection::{Connection, ConnectionSummary, Who};
use crate::analysis::engine::{self, Engine, EngineSettings, Event, Sink};
use crate::analysis::transcript::ConnectionTranscript;
use crate::ladder::{Recorder, RecorderNotes, Redaction};
use crate::packet::capture::{self, Batch, Fill, OpenOptions};
use crate::protocol::tls::secrets::KeyStore;
use crate::report;
use crate::report::snapshot::Snapshot;
use crate::report::wording::segment::{self, Detail};

pub(super) fn ladder(asked: &cli::LadderArgs) -> Result<String> {
    if asked.files.iter().any(|file| file == Path::new("-")) {
        bail!("a ladder takes two readings, and a pipe has only one: save the capture to a file");
    }
    let options = OpenOptions {
        filter: asked.filter.clone(),
    };
    let keys = KeyLogs::read(&asked.keylog, Presence::Required)?;
    let wanted = find(asked, &keys, &options)?;
    match asked.format {
        cli::LadderFormatArg::Picture => picture(asked, &keys, &wanted, &options),
        cli::LadderFormatArg::Notation => notation(asked, &wanted, &options),
    }
}

/// The ladder as people read it.
fn picture(
    asked: &cli::LadderArgs,
    keys: &KeyLogs,
    wanted: &Connection,
    options: &OpenOptions,
) -> Result<String> {
    let mut source = capture::open(&asked.files, options)?;
    let summary = ConnectionSummary::from(wanted);
    let keys = Some(keys.key_store());
    let read = ConnectionTranscript::read(&mut *source, &summary, keys, || true);
    let read = read.map_err(anyhow::Error::msg)?;
    let drawn = report::LadderOptions {
        width: asked.width.into(),
        whole: asked.all,
        headers: asked.headers,
        omit: Detail {
            names: asked.hide_addresses || asked.hide_payload,
            payload: asked.hide_payload,
        },
        hide_addresses: asked.hide_addresses,
        ..report::LadderOptions::default()
    };
    let ladder = report::ladder_text(&read, &drawn);
    // The sentence names hosts and requests.
    if asked.hide_addresses || asked.hide_payload {
        return Ok(format!("#{}\n\n{ladder}", wanted.id));
    }
    let story = report::wording::connection::story(wanted, &read.frames);
    Ok(format!("#{}: {story}\n\n{ladder}", wanted.id))
}

/// The ladder in the notation of the tests.
fn notation(asked: &cli::LadderArgs, wanted: &Connection, options: &OpenOptions) -> Result<String> {
    let redaction = Redaction {
        addresses: asked.hide_addresses,
        payload: asked.hide_payload,
    };
    let mut painter = LadderRecorder {
        recorder: recorder(wanted, redaction),
        wanted,
    };
    let mut source = capture::open(&asked.files, options)?;
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
    Ok(painter.recorder.finish(wanted).to_string())
}

/// The maximum number of frames reread for the ladders of a report: a quarter of a second's work. A typical case that
/// ends later has no ladder in the report; `hangup ladder` draws it.
const PICTURED: u64 = 200_000;

/// Rereads a report's typical cases for their ladders, if the input can be read again.
pub(super) fn pictures(
    asked: &cli::ReadArgs,
    keys: &KeyStore,
    snapshot: &Snapshot,
) -> Vec<Arc<ConnectionTranscript>> {
    let again = |path: &Path| path.metadata().is_ok_and(|it| it.is_file());
    if !asked.files.iter().all(|it| again(it)) {
        return Vec::new();
    }
    let typical = report::typical(snapshot);
    let kept = typical.iter().filter_map(|id| snapshot.connection(*id));
    let kept: Vec<_> = kept.filter(|it| it.last.frame.0 <= PICTURED).collect();
    let Some(last) = kept.iter().map(|it| it.last.frame).max() else {
        return Vec::new();
    };
    let wanted = kept
        .iter()
        .filter_map(|it| snapshot.connection_summary(it.id));
    let wanted: Vec<ConnectionSummary> = wanted.copied().collect();
    let options = OpenOptions {
        filter: asked.filter.clone(),
    };
    // If a file was removed in the meantime, the report has no ladders.
    let read = capture::open(&asked.files, &options)
        .ok()
        .and_then(|mut source| {
            ConnectionTranscript::read_many(&mut *source, &wanted, Some(keys), last).ok()
        });
    read.unwrap_or_default().into_iter().map(Arc::new).collect()
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

/// The record of the connection with the requested number.
fn find(asked: &cli::LadderArgs, keys: &KeyLogs, options: &OpenOptions) -> Result<Connection> {
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
