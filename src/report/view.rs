//! The part of a snapshot that one report shows: which connections, and which findings name each.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{ReportOptions, Shown};
use crate::analysis::connection::{Connection, Who};
use crate::base::escape::escape;
use crate::base::shell::shell_word;
use crate::base::time::Timestamp;
use crate::report::snapshot::{FindingsIndex, Snapshot};
use crate::report::wording::moment;
use crate::rules::Finding;
use crate::rules::log_errors::{PredictedText, Predictor, Relays};

/// A snapshot as seen by one report.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) options: &'a ReportOptions,
    shown: Shown,
    findings_index: Arc<FindingsIndex>,
    relays: Arc<Relays>,
    predictor: RefCell<Predictor>,
}

/// What a view is made of. Each thread that writes makes its own, as a view keeps the texts it has predicted.
#[derive(Clone)]
pub(super) struct ViewParts<'a> {
    snapshot: &'a Snapshot,
    options: &'a ReportOptions,
    shown: Shown,
    findings_index: Arc<FindingsIndex>,
    relays: Arc<Relays>,
}

impl<'a> From<ViewParts<'a>> for View<'a> {
    fn from(parts: ViewParts<'a>) -> Self {
        Self {
            snapshot: parts.snapshot,
            options: parts.options,
            shown: parts.shown,
            findings_index: parts.findings_index,
            predictor: RefCell::new(Predictor::with(Arc::clone(&parts.relays))),
            relays: parts.relays,
        }
    }
}

impl<'a> View<'a> {
    /// `usual` is the format's default for which connections to show.
    pub(super) fn new(snapshot: &'a Snapshot, options: &'a ReportOptions, usual: Shown) -> Self {
        Self::from(ViewParts {
            snapshot,
            options,
            shown: options.connections.unwrap_or(usual),
            findings_index: Arc::new(FindingsIndex::new(snapshot)),
            relays: Arc::new(Relays::new(&snapshot.connections, &snapshot.legs)),
        })
    }

    /// What another view of the same is made of.
    pub(super) fn parts(&self) -> ViewParts<'a> {
        ViewParts {
            snapshot: self.snapshot,
            options: self.options,
            shown: self.shown,
            findings_index: Arc::clone(&self.findings_index),
            relays: Arc::clone(&self.relays),
        }
    }

    /// The log lines expected from the program on one side of a connection.
    pub(super) fn told(&self, connection: &Connection, who: Who) -> Rc<[PredictedText]> {
        self.predictor.borrow_mut().told(connection, who)
    }

    /// The connections to show, in order.
    pub(super) fn shown(&self) -> impl Iterator<Item = &'a Connection> {
        let connections = match self.shown {
            Shown::None => &[][..],
            Shown::All | Shown::Notable => &self.snapshot.connections,
        };
        let all = self.shown == Shown::All;
        let connections = connections.iter().map(|it| &**it);
        connections.filter(move |connection| all || self.is_notable(connection))
    }

    /// Whether every connection is shown.
    pub(super) fn shows_all(&self) -> bool {
        self.shown == Shown::All
    }

    /// Whether a connection is worth examining.
    pub(super) fn is_notable(&self, connection: &Connection) -> bool {
        // Whatever matches a search is worth examining.
        self.snapshot.narrowed.is_some()
            || self.findings_index.is_notable(self.snapshot, connection)
    }

    /// `01:40:16.041 (+0.041 s)`: the time of day, with the date unless it is that of the capture's start, and the
    /// offset from the start.
    pub(super) fn at(&self, at: Timestamp) -> String {
        format!("{} {}", self.time(at), self.offset(at))
    }

    /// `01:40:16.041`, with the date unless it is that of the capture's start.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let zone = &self.options.zone;
        let start = self.snapshot.summary.span.map_or(at, |(first, _)| first);
        let time = zone.time_of_day(at);
        if zone.date(start) == zone.date(at) {
            time
        } else {
            format!("{} {time}", zone.date(at))
        }
    }

    /// `(+0.041 s)`.
    pub(super) fn offset(&self, at: Timestamp) -> String {
        let (start, end) = self.snapshot.summary.span.unwrap_or((at, at));
        format!("({})", moment::offset(at, start, end))
    }

    /// Whether the input can be named on a command line.
    pub(super) fn has_files(&self) -> bool {
        let inputs = &self.snapshot.summary.inputs;
        !inputs.is_empty()
            && inputs
                .iter()
                .all(|it| it.path != "-" && it.format != "live")
    }

    /// The input files, quoted for a shell.
    pub(super) fn files(&self) -> String {
        let quoted = self.snapshot.summary.paths();
        let quoted = quoted.map(|path| shell_word(&*escape(path.as_bytes())));
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// The findings that name a connection, worst first.
    pub(super) fn findings(&self, connection: &Connection) -> impl Iterator<Item = &'a Finding> {
        self.findings_index.findings(self.snapshot, connection.id)
    }

    /// The numbers of those findings.
    pub(super) fn finding_numbers(&self, id: u32) -> &[u32] {
        self.findings_index.numbers(id)
    }
}
