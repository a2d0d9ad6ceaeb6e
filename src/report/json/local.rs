//! Rows about what this host's operating system says of a connection.

use std::borrow::Cow;

use serde::Serialize;

use super::row::{BothSides, JsonTime, PlaceRow};
use crate::analysis::connection::Who;
use crate::base::escape::escape;
use crate::base::frame_names::FrameNames;
use crate::knowledge::reset_reason;
use crate::report::snapshot::{LocalEnd, LocalReset, Process, Snapshot};

/// An end of a connection on this host.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LocalEndRow<'a> {
    /// The programs that hold its socket: the one that opened or closed it, if that was seen, else all.
    processes: Vec<ProcessRow<'a>>,
    /// The RST that it sent, as the operating system explains it.
    reset: Option<LocalResetRow<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProcessRow<'a> {
    /// Its name, as the operating system shortens it; where `pid` is `null`, that of the thread that acted.
    name: Cow<'a, str>,
    /// Its number; `null` if it ended before it could be asked for.
    pid: Option<u32>,
}

/// A RST that this host's operating system sent.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LocalResetRow<'a> {
    /// The frame.
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    /// When.
    at: JsonTime,
    /// The reason, by its name in the kernel.
    reason: Cow<'a, str>,
    /// The reason in words; `null` if this version does not know it.
    words: Option<&'static str>,
    /// What it means; `null` if the words say it.
    meaning: Option<&'static str>,
    /// The program whose system call sent it; `null` if none did.
    by: Option<ProcessRow<'a>>,
}

impl<'a> LocalEndRow<'a> {
    /// Both ends, if anything is known of one.
    pub(super) fn both(id: u32, snapshot: &'a Snapshot) -> Option<BothSides<Option<Self>>> {
        let known = |who| {
            snapshot
                .local
                .of(id, who)
                .filter(|it| **it != LocalEnd::default())
        };
        Who::BOTH
            .into_iter()
            .any(|who| known(who).is_some())
            .then(|| BothSides::of(|who| known(who).map(|it| Self::new(it, &snapshot.frames))))
    }

    fn new(end: &'a LocalEnd, frames: &FrameNames) -> Self {
        let reset = end.reset.as_ref();
        Self {
            processes: end.held_by.iter().map(ProcessRow::new).collect(),
            reset: reset.map(|it| LocalResetRow::new(it, frames)),
        }
    }
}

impl<'a> ProcessRow<'a> {
    fn new(process: &'a Process) -> Self {
        Self {
            name: escape(process.name.as_bytes()),
            pid: process.pid,
        }
    }
}

impl<'a> LocalResetRow<'a> {
    fn new(reset: &'a LocalReset, frames: &FrameNames) -> Self {
        let reason = reset_reason(&reset.reason, reset.socket);
        let meaning = reason.map(|it| it.meaning);
        Self {
            frame: reset.frame.frame.0,
            place: PlaceRow::new(reset.frame.frame, frames),
            at: JsonTime(reset.frame.time),
            reason: escape(reset.reason.as_bytes()),
            words: reason.map(|it| it.words),
            meaning: meaning.filter(|it| !it.is_empty()),
            by: reset.by.as_ref().map(ProcessRow::new),
        }
    }
}
