//! One connection, segment by segment, prepared for display.
//!
//! In: the connection's record and its segments in capture order, with the states after each. Out: a [`Transcript`]:
//! every segment with relative numbers and its relation to the segments before it (`step`); the bytes of both streams
//! in order, with gaps where bytes were never captured, and decrypted data in place of TLS records (`streams`); the
//! notes on each frame and what else was read in it; and the rows of a ladder, in which runs of data are folded and
//! pauses have rows of their own (`rows`).
//!
//! Sequence numbers are those of RFC 9293 §3.4, relative to the SYN as Wireshark shows them. Wording and colours are
//! left to the caller.

mod hindsight;
mod rows;
mod step;
mod streams;

use std::collections::HashMap;
use std::sync::Arc;

pub use rows::{TranscriptRow, TranscriptRows};
pub use step::{HeaderFacts, SegmentKind, TlsRecordHead, TranscriptStep};
pub use streams::{ChunkContent, StreamChunk};

use crate::analysis::connection::{
    Connection, ConnectionSummary, FrameNote, FrameNotes, Standing, Who,
};
use crate::analysis::engine::{self, RereadConnection};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::packet::capture::{Source, frame_names};
use crate::packet::decode::Segment;
use crate::protocol::annotations::RecordKind;
use crate::protocol::tls::secrets::KeyStore;

use step::StreamFollower;
use streams::StreamChunks;

/// One segment of the connection: the sender, the segment, and the states of client and server after it.
pub type SegmentView<'a> = (Who, Segment<'a>, [Standing; 2]);

/// The segments and streams of one connection.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// Its segments.
    pub steps: Vec<TranscriptStep>,
    /// Both streams, in order of arrival; decrypted data where TLS records were decrypted.
    pub chunks: Vec<StreamChunk>,
    /// The number of segments left out, and the index of the step they precede.
    pub left_out: Option<(u64, usize)>,
    frame_notes: FrameNotes,
    notes: HashMap<FrameNumber, Vec<(Who, RecordKind)>>,
}

impl Transcript {
    /// Processes the segments of a connection again. `left_out` is the number of segments that are missing from
    /// `taken`, and the index where they belong.
    pub fn new<'a>(
        connection: &Connection,
        taken: impl IntoIterator<Item = SegmentView<'a>>,
        left_out: Option<(u64, usize)>,
    ) -> Self {
        let mut follower = StreamFollower::default();
        let mut chunks = StreamChunks::default();
        let mut steps = Vec::new();
        for (nth, (from, segment, standings)) in taken.into_iter().enumerate() {
            if let Some((count, place)) = left_out
                && place == nth
                && count > 0
            {
                follower.lose_track(&mut chunks);
            }
            steps.push(follower.step(from, &segment, standings, &mut chunks));
        }
        follower.close(&mut chunks);
        hindsight::mark_unproven(&mut steps, connection);
        hindsight::correct_states(&mut steps);
        Self {
            steps,
            chunks: match &connection.annotations {
                Some(annotations) => streams::inside(chunks.finish(), annotations),
                None => chunks.finish(),
            },
            left_out: left_out.filter(|(count, _)| *count > 0),
            frame_notes: connection.frame_notes(),
            notes: notes(connection),
        }
    }

    /// The frame notes on a step.
    pub fn frame_notes(&self, step: &TranscriptStep) -> impl Iterator<Item = FrameNote> {
        let all = self
            .frame_notes
            .get(&step.frame)
            .map_or(&[][..], Vec::as_slice);
        let from = step.from;
        all.iter()
            .filter(move |(who, _)| *who == from)
            .map(|(_, frame_note)| *frame_note)
    }

    /// What was read in a step, in order, if annotations were recorded.
    pub(crate) fn notes(&self, step: &TranscriptStep) -> impl Iterator<Item = RecordKind> {
        let all = self.notes.get(&step.frame).map_or(&[][..], Vec::as_slice);
        let from = step.from;
        all.iter()
            .filter(move |(who, _)| *who == from)
            .map(|(_, what)| *what)
    }

    /// The index of the step with this frame.
    #[must_use]
    pub(crate) fn step_of(&self, frame: FrameNumber) -> Option<usize> {
        self.steps.iter().position(|step| step.frame == frame)
    }
}

fn notes(connection: &Connection) -> HashMap<FrameNumber, Vec<(Who, RecordKind)>> {
    let mut notes: HashMap<FrameNumber, Vec<_>> = HashMap::new();
    let annotations = connection.annotations.as_ref();
    for note in annotations.iter().flat_map(|it| &it.notes) {
        let from = Who::of(note.from);
        notes
            .entry(note.at.frame)
            .or_default()
            .push((from, note.what));
    }
    notes
}

/// One connection: its record and its transcript.
#[derive(Clone, Debug)]
pub struct ConnectionTranscript {
    /// The whole record.
    pub connection: Connection,
    /// Its segments and streams.
    pub transcript: Transcript,
    /// Which frame of which file each frame is.
    pub frames: Arc<FrameNames>,
}

impl ConnectionTranscript {
    /// Rereads a connection's segments from its input, while `goes_on` returns true. TLS is decrypted with `keys`.
    ///
    /// # Errors
    /// When the input cannot be read any more, or no longer holds the connection; a sentence for the user.
    pub fn read(
        source: &mut dyn Source,
        wanted: &ConnectionSummary,
        keys: Option<&KeyStore>,
        goes_on: impl FnMut() -> bool,
    ) -> Result<Self, String> {
        let none = KeyStore::default();
        let found = engine::reread_connection(source, wanted, keys.unwrap_or(&none), goes_on);
        let found = found.map_err(|error| error.to_string())?;
        let gone = || "its packets are not in the input any more".to_owned();
        let mut read = found.as_ref().map(Self::of).ok_or_else(gone)?;
        read.frames = Arc::new(frame_names(source.files()));
        Ok(read)
    }

    /// Rereads several connections in one pass, up to the frame `last`. Those that are not found are left out.
    ///
    /// # Errors
    /// When the input cannot be read any more; a sentence for the user.
    pub fn read_many(
        source: &mut dyn Source,
        wanted: &[ConnectionSummary],
        keys: Option<&KeyStore>,
        last: FrameNumber,
    ) -> Result<Vec<Self>, String> {
        let none = KeyStore::default();
        let keys = keys.unwrap_or(&none);
        let found = engine::reread_connections(source, wanted, keys, last, || true);
        let found = found.map_err(|error| error.to_string())?;
        let frames = Arc::new(frame_names(source.files()));
        let of = |found: &RereadConnection| Self {
            frames: Arc::clone(&frames),
            ..Self::of(found)
        };
        Ok(found.iter().flatten().map(of).collect())
    }

    /// The transcript of a reread connection.
    #[must_use]
    pub fn of(close: &RereadConnection) -> Self {
        let taken = close.steps.iter();
        let taken = taken.map(|step| (step.from, step.segment(), step.standings));
        let left_out = Some((close.left_out, close.before_gap));
        Self {
            transcript: Transcript::new(&close.connection, taken, left_out),
            connection: close.connection.clone(),
            frames: Arc::default(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::analysis::engine::{Engine, Event, Sink};
    use crate::base::flow_end::FlowEnd;
    use crate::ladder;
    use crate::packet::capture::Frame;

    /// The record and transcript of a ladder's first connection.
    pub(crate) fn followed(picture: &str) -> (Connection, Transcript) {
        let ladder = ladder::parse(picture).unwrap();
        let frames = ladder::frames(&ladder);
        of_frames(frames.iter().map(ladder::OwnedFrame::frame))
    }

    pub(crate) fn of_frames<'f>(
        frames: impl Iterator<Item = Frame<'f>>,
    ) -> (Connection, Transcript) {
        struct PairedStreams(
            Vec<Connection>,
            Vec<(FlowEnd, Segment<'static>, Vec<u8>, [Standing; 2])>,
        );
        impl Sink for PairedStreams {
            fn event(&mut self, event: Event<'_>) {
                match event {
                    Event::Segment {
                        from,
                        segment,
                        standings,
                        ..
                    } => {
                        let bare = Segment {
                            payload: &[],
                            bytes: &[],
                            ..*segment
                        };
                        self.1
                            .push((from, bare, segment.payload.to_vec(), standings));
                    }
                    Event::Settled(connection) => self.0.push(*connection),
                }
            }
            fn wants_segments(&self) -> bool {
                true
            }
        }
        let mut both = PairedStreams(Vec::new(), Vec::new());
        let mut engine = Engine::new();
        for frame in frames {
            engine.frame(&frame, &mut both);
        }
        let _ = engine.finish(&mut both);
        let connection = both.0.remove(0);
        let swapped = both.1[0].1.source != connection.client;
        let taken = both.1.iter().map(|(from, segment, payload, standings)| {
            let from = match (from, swapped) {
                (FlowEnd::A, false) | (FlowEnd::B, true) => Who::Client,
                _ => Who::Server,
            };
            let mut standings = *standings;
            if swapped {
                standings.swap(0, 1);
            }
            (
                from,
                Segment {
                    payload,
                    bytes: &[],
                    ..*segment
                },
                standings,
            )
        });
        let transcript = Transcript::new(&connection, taken, None);
        (connection, transcript)
    }
}
