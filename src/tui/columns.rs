//! The columns of the connections table: what each shows of a connection, and which of them fit.

use crate::report::rich_text::Tone;
use std::borrow::Cow;
use std::time::Duration;

use super::Look;
use super::sort_key::SortKey;
use super::theme::tone;
use super::view_model::{OutcomeClass, ViewModel};
use crate::analysis::connection::{
    BriefRequest, By as Closer, ConnectionSummary, How, Opening, ResetKind,
};
use crate::base::escape::escape;
use crate::base::format::{bytes, duration, number};
use crate::base::time::Timestamp;
use crate::ladder::RecordedFact as _;
use crate::report::filter::RequestMatcher;
use crate::report::snapshot::Snapshot;
use crate::report::wording::connection;
use crate::rules::{Finding, Severity};

/// A column of the connections table.
pub(super) struct Column {
    pub(super) by: SortKey,
    pub(super) name: &'static str,
    /// What it shows, for the menu.
    pub(super) help: &'static str,
    /// Right-aligned, as numbers are.
    pub(super) right: bool,
    /// Minimum width.
    least: usize,
    /// Maximum width.
    most: usize,
    /// Priority when the table is narrow: the column with the highest rank is dropped first.
    rank: u8,
}

/// Number of columns.
const COUNT: usize = 21;

/// All columns, from left to right.
#[rustfmt::skip]
pub(super) static COLUMNS: [Column; COUNT] = [
    column(SortKey::Number, "#", "its number", true, 2, 9, 1),
    column(SortKey::Opened, "time", "when it began, since the capture's first packet", true, 8, 12, 10),
    column(SortKey::Client, "client", "who opened it", false, 10, 30, 5),
    column(SortKey::Server, "server", "who was called: its address, or its name", false, 10, 40, 2),
    column(SortKey::Host, "host", "the name that was asked for: Host, TLS server name, or DNS", false, 8, 30, 12),
    column(SortKey::Protocol, "protocol", "what was spoken", false, 6, 12, 14),
    column(SortKey::Request, "request", "the request that the filter is about, else the last one", false, 14, 44, 6),
    column(SortKey::Requests, "req", "number of requests", true, 3, 9, 8),
    column(SortKey::Status, "status", "the status of its response", true, 6, 7, 7),
    column(SortKey::Ended, "ended by", "who closed it, and how", false, 10, 18, 0),
    column(SortKey::When, "when", "what was under way when it was closed", false, 12, 24, 13),
    column(SortKey::Outcome, "outcome", "whether anything was lost", false, 8, 8, 3),
    column(SortKey::Reason, "reason", "why the outcome is that", false, 8, 20, 9),
    column(SortKey::Sent, "sent", "payload from the client", true, 6, 9, 15),
    column(SortKey::Received, "received", "payload from the server", true, 8, 9, 16),
    column(SortKey::Lasted, "lasted", "from the first packet to the last", true, 8, 12, 11),
    column(SortKey::Handshake, "handshake", "from the SYN to the ACK: one round trip, if nothing was lost", true, 9, 10, 17),
    column(SortKey::Idle, "idle", "idle time before the close, after a complete response", true, 6, 12, 18),
    column(SortKey::Retransmitted, "resent", "segments that repeat payload", true, 6, 7, 19),
    column(SortKey::Bytes, "bytes", "payload, both ways", true, 8, 9, 20),
    column(SortKey::Finding, "finding", "the worst finding that names it", false, 16, 60, 4),
];

const fn column(
    by: SortKey,
    name: &'static str,
    help: &'static str,
    right: bool,
    least: usize,
    most: usize,
    rank: u8,
) -> Column {
    Column {
        by,
        name,
        help,
        right,
        least,
        most,
        rank,
    }
}

/// The names of all columns.
pub fn names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|it| it.name)
}

/// Whether the user wants a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ColumnChoice {
    /// If there is room for it.
    #[default]
    Auto,
    /// Before those that nobody chose.
    Shown,
    /// Before all others, as the rows are sorted by it.
    First,
    Hidden,
}

/// The user's choice for each column, in the order of [`COLUMNS`].
pub(super) type ColumnChoices = [ColumnChoice; COUNT];

/// The width that the cells of each column need, in the order of [`COLUMNS`].
pub(super) type ColumnWidths = [usize; COUNT];

/// Which columns are shown, and how wide each is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnPlan {
    /// Pairs of an index into [`COLUMNS`] and a width.
    pub(super) shown: Vec<(usize, usize)>,
}

/// The place of a column among all.
pub(super) fn position(by: SortKey) -> usize {
    let at = COLUMNS.iter().position(|column| column.by == by);
    at.unwrap_or_default()
}

/// Columns of texts that are recognizable when truncated, and take what is left.
/// Each with the rank of the last column for which it is truncated, and the width that it then gets before others come.
const ELASTIC: [(SortKey, u8, usize); 3] = [
    (SortKey::Finding, 5, 24),
    (SortKey::Request, 9, 30),
    (SortKey::Host, 12, 24),
];

/// Blanks between columns.
pub(super) const GAP: usize = 2;
/// Columns for the cursor, the mark, and a blank.
pub(super) const EDGE: usize = 3;

impl ColumnPlan {
    /// Chooses columns for a table `room` wide. `wanted` is the width that the visible cells need, in the order of
    /// [`COLUMNS`].
    pub(super) fn new(room: usize, wanted: &[usize; COUNT], choices: &ColumnChoices) -> Self {
        let width = |at: usize| natural_width(at, wanted);
        let mut by_rank: Vec<usize> = (0..COUNT)
            .filter(|at| choices[*at] != ColumnChoice::Hidden)
            .collect();
        let turn = |choice| match choice {
            ColumnChoice::First => 0,
            ColumnChoice::Shown => 1,
            ColumnChoice::Auto | ColumnChoice::Hidden => 2,
        };
        by_rank.sort_by_key(|at| (turn(choices[*at]), COLUMNS[*at].rank));
        let mut left = room;
        let mut shown = Vec::new();
        for at in by_rank {
            for (by, rank, most) in ELASTIC {
                if COLUMNS[at].rank > rank {
                    let elastic = position(by);
                    left -= widen(&mut shown, elastic, width(elastic).min(most), left);
                }
            }
            // A truncated name or path is still recognizable; a truncated address is not.
            let wide = match ELASTIC.iter().any(|(by, ..)| *by == COLUMNS[at].by) {
                true => width(at).min(COLUMNS[at].least),
                false => width(at),
            };
            if wide + GAP <= left + usize::from(shown.is_empty()) * GAP {
                left -= (wide + GAP).min(left);
                shown.push((at, wide));
            }
        }
        shown.sort_unstable();
        for (by, ..) in ELASTIC {
            let at = position(by);
            left -= widen(&mut shown, at, width(at), left);
        }
        Self { shown }
    }

    pub(super) fn shows(&self, by: SortKey) -> bool {
        self.shown.iter().any(|(at, _)| COLUMNS[*at].by == by)
    }

    /// The columns that the configuration names, and as the last one what the rows are sorted by.
    pub(super) fn chosen_and(
        names: &[&str],
        by: SortKey,
        room: usize,
        wanted: &[usize; COUNT],
    ) -> Self {
        let at = position(by);
        if names.contains(&COLUMNS[at].name) {
            return Self::chosen(names, room, wanted);
        }
        let wide = natural_width(at, wanted).min(room);
        let mut plan = Self::chosen(names, room.saturating_sub(wide + GAP), wanted);
        plan.shown.push((at, wide));
        plan
    }

    /// The columns that the configuration names, in its order, as far as they fit.
    pub(super) fn chosen(names: &[&str], room: usize, wanted: &[usize; COUNT]) -> Self {
        let mut left = room + GAP;
        let mut shown = Vec::new();
        for name in names {
            let Some(at) = COLUMNS.iter().position(|column| column.name == *name) else {
                continue;
            };
            let column = &COLUMNS[at];
            let wide = natural_width(at, wanted);
            let wide = if ELASTIC.iter().any(|(by, ..)| *by == column.by) {
                wide.min(left.saturating_sub(GAP)).max(column.least)
            } else {
                wide
            };
            if wide + GAP <= left {
                left -= wide + GAP;
                shown.push((at, wide));
            }
        }
        Self { shown }
    }
}

/// The width of a column whose cells need `wanted`, if there is room.
fn natural_width(at: usize, wanted: &[usize; COUNT]) -> usize {
    let column = &COLUMNS[at];
    wanted[at]
        .max(column.name.len() + 1)
        .clamp(column.least, column.most)
}

/// Widens a column to `wanted`, as far as there is room. Returns by how much.
fn widen(shown: &mut [(usize, usize)], column: usize, wanted: usize, left: usize) -> usize {
    let found = shown.iter_mut().find(|(at, _)| *at == column);
    found.map_or(0, |(_, wide)| {
        let more = wanted.saturating_sub(*wide).min(left);
        *wide += more;
        more
    })
}

/// A connection of the view model, for its cells.
#[derive(Clone, Copy)]
pub(super) struct CellSource<'a> {
    pub(super) summary: &'a ConnectionSummary,
    /// Its place among the summaries.
    pub(super) place: usize,
    pub(super) model: &'a ViewModel,
    /// Servers are shown by their names, where they have one.
    pub(super) names: bool,
    /// What the filter says of a request.
    pub(super) matcher: Option<&'a RequestMatcher>,
}

/// The text of a cell and its tone.
pub(super) fn cell(by: SortKey, source: CellSource<'_>, look: &Look) -> (Tone, String) {
    let CellSource {
        summary,
        place,
        model,
        names,
        ..
    } = source;
    let none = || (Tone::Faint, look.glyphs.dot.to_owned());
    let plain = |text: String| (Tone::Plain, text);
    let host = || model.snapshot.host(place).map(escape);
    match by {
        SortKey::Number => (Tone::Faint, summary.id.to_string()),
        SortKey::Client => (Tone::Client, summary.client.to_string()),
        SortKey::Server => match host().filter(|_| names) {
            Some(name) => (Tone::Server, format!("{name}:{}", summary.server.port)),
            None => (Tone::Server, summary.server.to_string()),
        },
        SortKey::Host => host().map_or_else(none, |name| plain(name.into_owned())),
        SortKey::Protocol => plain(summary.protocol.word().to_owned()),
        SortKey::Request => match shown_request(source) {
            Some(request) => plain(spelled(&request)),
            None => (Tone::Faint, String::new()),
        },
        SortKey::Opened => {
            let start = model.snapshot.summary.span;
            let start = start.map_or(summary.first.time, |(first, _)| first);
            (Tone::Faint, elapsed(summary.first.time, start))
        }
        SortKey::Lasted => plain(elapsed(summary.last, summary.first.time)),
        SortKey::Ended => ended(summary),
        SortKey::Outcome => {
            let class = OutcomeClass::of(summary.outcome);
            (tone(class), summary.outcome.name().to_owned())
        }
        SortKey::Reason => plain(summary.outcome.reason().to_owned()),
        SortKey::When => plain(connection::when(summary.phase).to_owned()),
        SortKey::Requests => plain(number(summary.exchanges)),
        SortKey::Status => match shown_request(source).map_or(summary.status, |it| it.status) {
            0 => none(),
            status @ 500.. => (Tone::Error, status.to_string()),
            status @ 400.. => (Tone::Warning, status.to_string()),
            status => plain(status.to_string()),
        },
        SortKey::Bytes => plain(bytes(summary.bytes[0].saturating_add(summary.bytes[1]))),
        SortKey::Sent => plain(bytes(summary.bytes[0])),
        SortKey::Received => plain(bytes(summary.bytes[1])),
        SortKey::Handshake => match summary.connected_after {
            // Shorter than the clock resolves.
            0 if summary.opening == Opening::Handshake && summary.client_syn() => {
                plain("0 s".to_owned())
            }
            0 => none(),
            micros => plain(duration(Duration::from_micros(micros.into()))),
        },
        SortKey::Idle => match summary.idle {
            0 => none(),
            millis => plain(duration(Duration::from_millis(millis.into()))),
        },
        SortKey::Retransmitted => match summary.retransmitted {
            0 => none(),
            count => (Tone::Warning, number(count)),
        },
        SortKey::Finding => finding(summary, model, look),
    }
}

/// The first request that the filter is about, else the last one; `None` if there is none, or it is not kept.
pub(super) fn shown_request(source: CellSource<'_>) -> Option<BriefRequest<'_>> {
    let found = requests(source).find(|request| is_found(source, request));
    found.or_else(|| requests(source).last())
}

/// Whether the filter is about this request.
pub(super) fn is_found(source: CellSource<'_>, request: &BriefRequest<'_>) -> bool {
    source.matcher.is_some_and(|matcher| matcher.holds(request))
}

/// The requests of a connection, as far as they are kept.
fn requests(source: CellSource<'_>) -> impl Iterator<Item = BriefRequest<'_>> {
    let snapshot = &source.model.snapshot;
    let list = snapshot.requests.get(source.place).and_then(Option::as_ref);
    let record = snapshot.connection(source.summary.id);
    let spoken = record.filter(|_| list.is_none()).map(|it| it.spoken());
    let spoken = spoken.unwrap_or_default().iter().map(BriefRequest::of);
    list.into_iter().flatten().chain(spoken)
}

/// `GET /x`.
pub(super) fn spelled(request: &BriefRequest<'_>) -> String {
    let parts = [request.method, request.target].map(escape);
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.map(Cow::as_ref).collect::<Vec<_>>().join(" ")
}

/// Who ended the connection, and how: `client FIN`.
fn ended(summary: &ConnectionSummary) -> (Tone, String) {
    let tone = tone(OutcomeClass::of(summary.outcome));
    let who = match summary.by {
        Closer::Client => "client",
        Closer::Server => "server",
        Closer::Both => "both",
        Closer::Middlebox => "box",
        Closer::Nobody => "nobody",
    };
    let text = match summary.how {
        How::Fin => format!("{who} FIN"),
        How::Reset(ResetKind::Refusal) => format!("{who} refused"),
        How::Reset(_) => format!("{who} RST"),
        How::Silence => "silence".to_owned(),
        How::Open => "still open".to_owned(),
    };
    (tone, text)
}

fn finding(summary: &ConnectionSummary, model: &ViewModel, look: &Look) -> (Tone, String) {
    let numbers = model.naming.numbers(summary.id);
    let Some(worst) = numbers
        .first()
        .and_then(|it| by_number(&model.snapshot, *it))
    else {
        return (Tone::Faint, String::new());
    };
    let more = match numbers.len() {
        0 | 1 => String::new(),
        all => format!(" +{}", all - 1),
    };
    (
        worst.severity.into(),
        format!("{} {}{more}", look.glyphs.sign(worst.severity), worst.rule),
    )
}

/// Severity of the worst finding that names the connection, for the left edge where no column shows it.
pub(super) fn worst(summary: &ConnectionSummary, model: &ViewModel) -> Option<Severity> {
    let number = model.naming.numbers(summary.id).first()?;
    by_number(&model.snapshot, *number).map(|it| it.severity)
}

/// The finding with a number; numbers start at 1.
pub(super) fn by_number(snapshot: &Snapshot, number: u32) -> Option<&Finding> {
    snapshot.findings.get((number as usize).checked_sub(1)?)
}

/// From one moment to another, briefly where it is nothing.
pub(super) fn elapsed(at: Timestamp, since: Timestamp) -> String {
    match at.since(since) {
        Duration::ZERO => "0 s".to_owned(),
        time => duration(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Widths of usual cells, in the order of the columns.
    const WANTED: [usize; COUNT] = [
        3, 8, 15, 11, 11, 6, 30, 1, 3, 10, 20, 7, 11, 6, 6, 8, 6, 6, 1, 6, 30,
    ];

    fn names(room: usize, choices: &ColumnChoices) -> Vec<&'static str> {
        let plan = ColumnPlan::new(room, &WANTED, choices);
        let used: usize = plan.shown.iter().map(|(_, wide)| wide + GAP).sum();
        assert!(used <= room + GAP, "{used} {room}");
        plan.shown.iter().map(|(at, _)| COLUMNS[*at].name).collect()
    }

    #[test]
    fn chosen_columns_are_shown_in_their_order() {
        let names = |room, chosen: &[&str]| -> Vec<_> {
            let plan = ColumnPlan::chosen(chosen, room, &WANTED);
            let used: usize = plan.shown.iter().map(|(_, wide)| wide + GAP).sum();
            assert!(used <= room + GAP, "{used} {room}");
            plan.shown.iter().map(|(at, _)| COLUMNS[*at].name).collect()
        };
        let chosen = ["server", "#", "finding"];
        assert_eq!(names(100, &chosen), chosen);
        assert_eq!(names(20, &chosen), ["server", "#"]);
    }

    #[test]
    fn what_matters_most_stays_when_there_is_little_room() {
        let choices = ColumnChoices::default();
        assert_eq!(names(12, &choices), ["ended by"]);
        assert_eq!(names(40, &choices), ["#", "server", "ended by", "outcome"]);
        assert_eq!(
            names(77, &choices),
            ["#", "client", "server", "ended by", "outcome", "finding"]
        );
        assert!(names(117, &choices).contains(&"request"));
        assert!(names(197, &choices).len() > 12);
        assert_eq!(names(300, &choices).len(), COUNT);
    }

    #[test]
    fn what_is_chosen_comes_first_and_what_is_not_wanted_does_not_come() {
        let mut choices = ColumnChoices::default();
        let at = |name| COLUMNS.iter().position(|it| it.name == name).unwrap();
        choices[at("idle")] = ColumnChoice::Shown;
        choices[at("finding")] = ColumnChoice::Hidden;
        let names = names(60, &choices);
        assert!(
            names.contains(&"idle") && !names.contains(&"finding"),
            "{names:?}"
        );
    }

    #[test]
    fn what_is_sorted_by_is_shown_with_its_arrow() {
        for (at, column) in COLUMNS.iter().enumerate() {
            assert!(
                natural_width(at, &[0; COUNT]) > column.name.len(),
                "{}",
                column.name
            );
            let mut choices = ColumnChoices::default();
            choices[at] = ColumnChoice::First;
            for room in [20, 77, 117] {
                assert!(
                    names(room, &choices).contains(&column.name),
                    "{} {room}",
                    column.name
                );
            }
            let plan = ColumnPlan::chosen_and(&["#", "server"], column.by, 40, &WANTED);
            assert!(plan.shows(column.by), "{}", column.name);
        }
    }

    #[test]
    fn each_column_has_a_rank_of_its_own() {
        let mut ranks: Vec<u8> = COLUMNS.iter().map(|it| it.rank).collect();
        ranks.sort_unstable();
        assert!(
            ranks
                .iter()
                .enumerate()
                .all(|(nth, rank)| nth == usize::from(*rank))
        );
    }
}
