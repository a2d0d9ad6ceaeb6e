//! One connection as a ladder: a first reading numbers the connections, a second one draws the one that is wanted.

use std::path::Path;

use anyhow::{Result, bail};

use super::progress::Progress;
use crate::capture::{self, Batch, Fill, OpenOptions};
use crate::cli;
use crate::connection::Connection;
use crate::engine::{self, Engine, Event, Settings, Sink};
use crate::ladder::{Recorder, Reticence};

pub(super) fn ladder(asked: &cli::Ladder) -> Result<String> {
    if asked.files.iter().any(|file| file == Path::new("-")) {
        bail!("a ladder takes two readings, and a pipe has only one: save the capture to a file");
    }
    let options = OpenOptions {
        filter: asked.filter.clone(),
    };
    let settings = Settings::default();
    let wanted = find(asked, &options, &settings)?;
    let mut painter = Painter {
        recorder: Recorder::new(Reticence {
            addresses: asked.hide_addresses,
            payload: asked.hide_payload,
        }),
        wanted: &wanted,
    };
    let mut source = capture::open(&asked.files, &options)?;
    let mut engine = Engine::new();
    let mut batch = Batch::default();
    let mut progress = Progress::new();
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

/// The record of the connection with the number that was asked for.
fn find(asked: &cli::Ladder, options: &OpenOptions, settings: &Settings) -> Result<Connection> {
    let mut source = capture::open(&asked.files, options)?;
    let mut progress = Progress::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let analysis = engine::analyse(&mut *source, settings, threads, &mut |frames| {
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

/// Draws one connection of all that go by.
struct Painter<'c> {
    recorder: Recorder,
    wanted: &'c Connection,
}

impl Sink for Painter<'_> {
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
        // A frame may hold several segments, so its number alone is not enough.
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
