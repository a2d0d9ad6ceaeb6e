//! The segments of one connection, reread from the input in a task.

use std::sync::Arc;

use super::{Task, TaskOutcome, ViewContext};
use crate::analysis::transcript::ConnectionTranscript;
use crate::base::frame_names::FrameNames;
use crate::base::time::Timestamp;
use crate::report::rich_text::{StyledLine, Tone};

/// The segments of one connection: those that were read, and those being read.
pub(super) struct Reread {
    pub(super) id: u32,
    transcript: Option<Arc<ConnectionTranscript>>,
    /// Time of the last segment when the transcript was made; the connection may have grown since.
    read_until: Option<Timestamp>,
    under_way: Option<(Timestamp, Task<Result<ConnectionTranscript, String>>)>,
    failed: Option<String>,
}

impl Reread {
    pub(super) const fn of(id: u32) -> Self {
        Self {
            id,
            transcript: None,
            read_until: None,
            under_way: None,
            failed: None,
        }
    }

    pub(super) fn transcript(&self) -> Option<&Arc<ConnectionTranscript>> {
        self.transcript.as_ref()
    }

    /// Takes the result of rereading, and rereads when the connection has grown. Returns whether there are new
    /// segments.
    pub(super) fn load(&mut self, cx: &ViewContext<'_>) -> bool {
        let mut new = false;
        if let Some((until, task)) = self.under_way.take() {
            match task.take() {
                TaskOutcome::UnderWay => {
                    self.under_way = Some((until, task));
                    return false;
                }
                TaskOutcome::Done(result) => new = self.take(result, until),
                TaskOutcome::Gone => self.read_until = Some(until),
            }
        }
        let Some(summary) = cx.snapshot().connection_summary(self.id).copied() else {
            return new;
        };
        if self.read_until == Some(summary.last) {
            return new;
        }
        let host = Arc::clone(&cx.session.host);
        let task = cx.tasks.spawn(move |cancel| {
            let mut reread = host.reread(&summary, &mut || !cancel.is_wanted())?;
            // A row of the ladder has no room for what all places are called.
            if reread.frames.has_places() {
                let frames = FrameNames::clone(&reread.frames);
                reread.frames = Arc::new(frames.with_short_places());
            }
            Ok(reread)
        });
        // Inline tasks have finished already.
        match task.take() {
            TaskOutcome::Done(result) => new |= self.take(result, summary.last),
            TaskOutcome::UnderWay => self.under_way = Some((summary.last, task)),
            TaskOutcome::Gone => self.read_until = Some(summary.last),
        }
        new
    }

    fn take(&mut self, result: Result<ConnectionTranscript, String>, until: Timestamp) -> bool {
        self.read_until = Some(until);
        match result {
            Ok(mut reread) => {
                reread.connection.id = self.id;
                self.failed = None;
                self.transcript = Some(Arc::new(reread));
                true
            }
            Err(why) => {
                self.failed = Some(why);
                false
            }
        }
    }

    /// Whether there are no segments because they cannot be read.
    pub(super) const fn has_failed(&self) -> bool {
        self.transcript.is_none() && self.failed.is_some()
    }

    /// Why there are no segments.
    pub(super) fn absence(&self) -> StyledLine {
        match &self.failed {
            Some(why) => {
                StyledLine::of(Tone::Warning, format!("its packets cannot be shown: {why}"))
            }
            None => StyledLine::default().faint("reading its packets once more…"),
        }
    }
}
