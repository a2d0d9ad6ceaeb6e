//! Connections drawn as ladders: a first pass over the input numbers the connections, a second one draws the wanted
//! ones.
//!
//! For `hangup ladder` the second pass is as thorough as the first. The typical cases in a report need less: only their
//! own frames are analysed, and reading stops after the last of them, so a report on a large capture takes hardly
//! longer. A pipe cannot be read twice: its report has no ladders.
//!
//! What the first pass decrypted comes from the connection's record; the second pass decrypts nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};

use super::analysis::Analysis;
use super::options::AnalysisOptions;
use super::progress::ProgressLine;
use super::sandbox::Needs;
use super::{cli, interrupt};
use crate::analysis::connection::{Connection, ConnectionSummary, Who};
use crate::analysis::engine::{Engine, Event, Sink};
use crate::analysis::transcript::ConnectionTranscript;
use crate::base::format::counted;
use crate::base::frame_ref::FrameNumber;
use crate::ladder::{Recorder, RecorderNotes, Redaction};
use crate::packet::capture::{Batch, Fill, OpenOptions, Source};
use crate::packet::places;
use crate::protocol::tls::secrets::KeyStore;
use crate::report;
use crate::report::snapshot::Snapshot;
use crate::report::wording::segment::{self, Detail};

/// The most connections that are drawn at once; more would not be read.
const MOST: usize = 100;
/// Connections reread in one pass: the segments of a large one take up to 64 MiB.
const AT_ONCE: usize = 8;

pub(super) fn ladder(asked: &cli::LadderArgs) -> Result<String> {
    let files = asked.input.paths();
    if files.iter().any(|file| file == Path::new("-")) {
        bail!("a ladder takes two readings, and a pipe has only one: save the capture to a file");
    }
    // What looks at the system outside comes before the sandbox.
    let from = OpenOptions::with_filter(asked.filter.clone())?;
    let mut options = AnalysisOptions {
        filter: asked.filter.clone(),
        key_logs: asked.keylog.clone(),
        ..AnalysisOptions::default()
    };
    options.fix_threads();
    Needs::default()
        .reading(&files)
        .reading(&asked.keylog)
        .confine();
    interrupt::say_on_interrupt("no ladder was drawn");
    let mut progress = ProgressLine::new();
    drawn(&files, &from, &options, &asked.drawn, &mut |frames| {
        progress.at(frames);
    })
}

/// The ladders of the chosen connections of these files, with a line before them if none was chosen. `progress` is called
/// now and then, in each reading from the start.
pub(super) fn drawn(
    files: &[PathBuf],
    from: &OpenOptions,
    options: &AnalysisOptions,
    asked: &cli::DrawnArgs,
    progress: &mut dyn FnMut(u64),
) -> Result<String> {
    let analysis = Analysis::read(files, from, options, progress)?;
    let snapshot = &analysis.snapshot;
    let (chosen, why) = chosen(&asked.connection, snapshot)?;
    let mut wanted = Vec::new();
    for id in chosen {
        let Some(connection) = snapshot.connection(id) else {
            bail!(
                "connection {id} was let go, because the capture has too many to keep all; \
                 read fewer packets: --filter 'host ADDRESS and port PORT'"
            );
        };
        wanted.push(connection);
    }
    let open = || places::open(files, from);
    let mut drawn = Vec::new();
    match asked.format {
        cli::LadderFormatArg::Picture => {
            for some in wanted.chunks(AT_ONCE) {
                drawn.extend(pictures_of(asked, &analysis.keys, some, open()?)?);
            }
        }
        cli::LadderFormatArg::Notation => {
            for one in wanted {
                drawn.push(notation(asked, one, open()?, progress)?);
            }
        }
    }
    let why = why.map_or_else(String::new, |why| match asked.format {
        cli::LadderFormatArg::Picture => format!("{why}\n\n"),
        cli::LadderFormatArg::Notation => format!("# {why}\n"),
    });
    Ok(why + &drawn.join("\n"))
}

/// The ladders of these connections as people read them.
fn pictures_of(
    asked: &cli::DrawnArgs,
    keys: &KeyStore,
    wanted: &[&Connection],
    mut source: Box<dyn Source>,
) -> Result<Vec<String>> {
    let summaries = wanted.iter().map(|it| ConnectionSummary::from(*it));
    let summaries: Vec<_> = summaries.collect();
    let last = FrameNumber(u64::MAX);
    let read = ConnectionTranscript::read_many(&mut *source, &summaries, Some(keys), last);
    let read = read.map_err(anyhow::Error::msg)?;
    let drawn = wanted.iter().map(|wanted| {
        let mut read = read.iter();
        let own = read.find(|it| it.connection.id == wanted.id);
        match own {
            Some(own) => Ok(picture(asked, wanted, own)),
            None => bail!("its packets are not in the input any more"),
        }
    });
    drawn.collect()
}

/// The ladder of a connection as people read it.
fn picture(asked: &cli::DrawnArgs, wanted: &Connection, read: &ConnectionTranscript) -> String {
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
    let ladder = report::ladder_text(read, &drawn);
    // The sentence names hosts and requests.
    if asked.hide_addresses || asked.hide_payload {
        return format!("#{}\n\n{ladder}", wanted.id);
    }
    let story = report::wording::connection::story(wanted, &read.frames);
    format!("#{}: {story}\n\n{ladder}", wanted.id)
}

/// The ladder in the notation of the tests.
fn notation(
    asked: &cli::DrawnArgs,
    wanted: &Connection,
    mut source: Box<dyn Source>,
    progress: &mut dyn FnMut(u64),
) -> Result<String> {
    let redaction = Redaction {
        addresses: asked.hide_addresses,
        payload: asked.hide_payload,
    };
    let mut painter = LadderRecorder {
        recorder: recorder(wanted, redaction),
        wanted,
    };
    let mut engine = Engine::new();
    let mut batch = Batch::default();
    let mut frames = 0;
    while source.fill(&mut batch)? != Fill::End {
        for frame in batch.frames() {
            engine.frame(&frame, &mut painter);
        }
        frames += batch.len() as u64;
        progress(frames);
    }
    Ok(painter.recorder.finish(wanted).to_string())
}

/// The connections to draw, and why, if none was asked for.
fn chosen(asked: &[(u32, u32)], snapshot: &Snapshot) -> Result<(Vec<u32>, Option<String>)> {
    let Some(last) = snapshot.summaries.last().map(|it| it.id) else {
        bail!("there is no connection in this capture; `hangup report FILE` says what is in it");
    };
    if asked.is_empty() {
        let (id, why) = worst(snapshot);
        return Ok((vec![id], Some(why)));
    }
    let mut ids: Vec<u32> = Vec::new();
    for (low, high) in asked {
        if let Some(missing) = [low, high].into_iter().find(|it| **it > last) {
            let there = match last {
                1 => "this capture has one connection".to_owned(),
                last => format!("this capture has {last} connections, 1 to {last}"),
            };
            bail!("there is no connection {missing}: {there}");
        }
        ids.extend((*low..=*high).take(MOST + 1));
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST {
        bail!("at most {MOST} connections are drawn at once");
    }
    Ok((ids, None))
}

/// The connection of the worst finding; without one, the first that failed, or cannot be judged, or the first of all.
fn worst(snapshot: &Snapshot) -> (u32, String) {
    let total = counted(snapshot.summaries.len(), "connection");
    let finding = snapshot
        .findings
        .iter()
        .find_map(|it| Some((it, it.example()?)));
    if let Some((finding, id)) = finding {
        let why = format!(
            "Drawn: #{id} of {total}, which has the worst finding ({}, {}). Another: -c N",
            finding.severity.name(),
            finding.rule
        );
        return (id, why);
    }
    let first = |name: &str| {
        let mut all = snapshot.summaries.iter();
        all.find(|it| it.outcome.name() == name)
    };
    let found = first("failed").or_else(|| first("unknown"));
    let found = found.or(snapshot.summaries.first());
    let (id, outcome) = found.map_or((1, "fine"), |it| (it.id, it.outcome.name()));
    (
        id,
        format!(
            "Drawn: #{id} of {total}, the first that is {outcome}; no finding names one. Another: -c N"
        ),
    )
}

/// The maximum number of frames reread for the ladders of a report: a quarter of a second's work. A typical case that
/// ends later has no ladder in the report; `hangup ladder` draws it.
const PICTURED: u64 = 200_000;

/// Rereads a report's typical cases for their ladders, if the input can be read again.
pub(super) fn pictures(
    files: &[PathBuf],
    open: &OpenOptions,
    keys: &KeyStore,
    snapshot: &Snapshot,
) -> Vec<Arc<ConnectionTranscript>> {
    let again = |path: &Path| path.metadata().is_ok_and(|it| it.is_file());
    if !files.iter().all(|it| again(it)) {
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
    // If a file was removed in the meantime, the report has no ladders.
    let read = places::open(files, open).ok().and_then(|mut source| {
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
