//! The columns of the connections table: what each shows of a connection, and which of them fit.

use crate::report::rich_text::Tone;
use std::time::Duration;

use super::Look;
use super::rows::SortKey;
use super::theme::tone;
use super::view_model::{OutcomeClass, ViewModel};
use crate::analysis::connection::{By as Closer, ConnectionSummary, How, ResetKind};
use crate::base::format::{bytes, duration, number};
use crate::base::time::Timestamp;
use crate::report::snapshot::Snapshot;
use crate::report::wording::connection;
use crate::rules::{Finding, Severity};

/// A column of the connections table.
pub(super) struct Column {
    pub(super) by: SortKey,
    pub(super) name: &'static str,
    /// Right-aligned, as numbers are.
    pub(super) right: bool,
    /// Minimum width.
    least: usize,
    /// Maximum width.
    most: usize,
    /// Priority when the table is narrow: the column with the highest rank is dropped first.
    rank: u8,
}

/// All columns, from left to right.
pub(super) static COLUMNS: [Column; 13] = [
    column(SortKey::Number, "#", true, 2, 9, 1),
    column(SortKey::Client, "client", false, 10, 30, 5),
    column(SortKey::Server, "server", false, 10, 30, 2),
    column(SortKey::Opened, "opened", true, 8, 12, 9),
    column(SortKey::Lasted, "lasted", true, 8, 12, 8),
    column(SortKey::Ended, "ended by", false, 10, 18, 0),
    column(SortKey::Outcome, "outcome", false, 8, 8, 3),
    column(SortKey::Reason, "reason", false, 8, 20, 6),
    column(SortKey::When, "when", false, 12, 24, 7),
    column(SortKey::Requests, "req", true, 3, 9, 10),
    column(SortKey::Status, "status", true, 6, 6, 11),
    column(SortKey::Bytes, "bytes", true, 8, 9, 12),
    column(SortKey::Finding, "finding", false, 16, 60, 4),
];

const fn column(
    by: SortKey,
    name: &'static str,
    right: bool,
    least: usize,
    most: usize,
    rank: u8,
) -> Column {
    Column {
        by,
        name,
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

/// Which columns are shown, and how wide each is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnPlan {
    /// Pairs of an index into [`COLUMNS`] and a width.
    pub(super) shown: Vec<(usize, usize)>,
}

/// The column of findings, which is the last.
const FINDING_AT: usize = COLUMNS.len() - 1;
/// Width in which most rule names fit; a longer one is shown whole if there is space left.
const FINDING: usize = 24;
/// Rank of the last column for which a rule name is truncated.
const BEFORE_WHOLE_NAMES: u8 = 5;

/// Blanks between columns.
pub(super) const GAP: usize = 2;

impl ColumnPlan {
    /// Chooses columns for a table `room` wide. `wanted` is the width that the visible cells need, in the order of
    /// [`COLUMNS`].
    pub(super) fn new(room: usize, wanted: &[usize; COLUMNS.len()]) -> Self {
        let width = |at: usize| {
            let column = &COLUMNS[at];
            wanted[at]
                .max(column.name.len() + 1)
                .clamp(column.least, column.most)
        };
        let mut by_rank: Vec<usize> = (0..COLUMNS.len()).collect();
        by_rank.sort_by_key(|at| COLUMNS[*at].rank);
        let mut left = room;
        let mut shown = Vec::new();
        for at in by_rank {
            if COLUMNS[at].rank > BEFORE_WHOLE_NAMES {
                left -= widen(&mut shown, width(FINDING_AT).min(FINDING), left);
            }
            let finding = at == FINDING_AT;
            // A truncated rule name is still recognizable; a truncated address is not.
            let wide = if finding {
                width(at).min(COLUMNS[at].least)
            } else {
                width(at)
            };
            if wide + GAP <= left + usize::from(shown.is_empty()) * GAP {
                left -= (wide + GAP).min(left);
                shown.push((at, wide));
            }
        }
        shown.sort_unstable();
        widen(&mut shown, width(FINDING_AT), left);
        Self { shown }
    }
}

impl ColumnPlan {
    /// The columns that the configuration names, in its order, as far as they fit.
    pub(super) fn chosen(names: &[&str], room: usize, wanted: &[usize; COLUMNS.len()]) -> Self {
        let mut left = room + GAP;
        let mut shown = Vec::new();
        for name in names {
            let Some(at) = COLUMNS.iter().position(|column| column.name == *name) else {
                continue;
            };
            let column = &COLUMNS[at];
            let wide = wanted[at].max(column.name.len() + 1);
            let wide = wide.clamp(column.least, column.most);
            let wide = if at == FINDING_AT {
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

/// Widens the column of findings to `wanted`, as far as there is room. Returns by how much.
fn widen(shown: &mut [(usize, usize)], wanted: usize, left: usize) -> usize {
    let finding = shown.iter_mut().find(|(at, _)| *at == FINDING_AT);
    finding.map_or(0, |(_, wide)| {
        let more = wanted.saturating_sub(*wide).min(left);
        *wide += more;
        more
    })
}

/// The text of a cell and its tone.
pub(super) fn cell(
    by: SortKey,
    connection_summary: &ConnectionSummary,
    model: &ViewModel,
    look: &Look,
) -> (Tone, String) {
    let start = model
        .snapshot
        .summary
        .span
        .map_or(connection_summary.first.time, |(first, _)| first);
    match by {
        SortKey::Number => (Tone::Faint, connection_summary.id.to_string()),
        SortKey::Client => (Tone::Client, connection_summary.client.to_string()),
        SortKey::Server => (Tone::Server, connection_summary.server.to_string()),
        SortKey::Opened => (Tone::Faint, elapsed(connection_summary.first.time, start)),
        SortKey::Lasted => (
            Tone::Plain,
            elapsed(connection_summary.last, connection_summary.first.time),
        ),
        SortKey::Ended => ended(connection_summary),
        SortKey::Outcome => {
            let class = OutcomeClass::of(connection_summary.outcome);
            (tone(class), connection_summary.outcome.name().to_owned())
        }
        SortKey::Reason => (Tone::Plain, connection_summary.outcome.reason().to_owned()),
        SortKey::When => (
            Tone::Plain,
            connection::when(connection_summary.phase).to_owned(),
        ),
        SortKey::Requests => (Tone::Plain, number(connection_summary.exchanges)),
        SortKey::Status if connection_summary.status == 0 => {
            (Tone::Faint, look.glyphs.dot.to_owned())
        }
        SortKey::Status => {
            let tone = match connection_summary.status {
                500.. => Tone::Error,
                400.. => Tone::Warning,
                _ => Tone::Plain,
            };
            (tone, connection_summary.status.to_string())
        }
        SortKey::Bytes => (
            Tone::Plain,
            bytes(connection_summary.bytes[0].saturating_add(connection_summary.bytes[1])),
        ),
        SortKey::Finding => finding(connection_summary, model, look),
    }
}

/// Who ended the connection, and how: `client FIN`.
fn ended(connection_summary: &ConnectionSummary) -> (Tone, String) {
    let tone = tone(OutcomeClass::of(connection_summary.outcome));
    let who = match connection_summary.by {
        Closer::Client => "client",
        Closer::Server => "server",
        Closer::Both => "both",
        Closer::Middlebox => "box",
        Closer::Nobody => "nobody",
    };
    let text = match connection_summary.how {
        How::Fin => format!("{who} FIN"),
        How::Reset(ResetKind::Refusal) => format!("{who} refused"),
        How::Reset(_) => format!("{who} RST"),
        How::Silence => "silence".to_owned(),
        How::Open => "still open".to_owned(),
    };
    (tone, text)
}

fn finding(
    connection_summary: &ConnectionSummary,
    model: &ViewModel,
    look: &Look,
) -> (Tone, String) {
    let numbers = model.naming.numbers(connection_summary.id);
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
pub(super) fn worst(connection_summary: &ConnectionSummary, model: &ViewModel) -> Option<Severity> {
    let number = model.naming.numbers(connection_summary.id).first()?;
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

    #[test]
    fn chosen_columns_are_shown_in_their_order() {
        let wanted = [3, 15, 11, 8, 8, 10, 7, 11, 20, 1, 3, 6, 30];
        let names = |room, chosen: &[&str]| -> Vec<_> {
            let plan = ColumnPlan::chosen(chosen, room, &wanted);
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
        let wanted = [3, 15, 11, 8, 8, 10, 7, 11, 20, 1, 3, 6, 30];
        let names = |room| -> Vec<_> {
            let plan = ColumnPlan::new(room, &wanted);
            let used: usize = plan.shown.iter().map(|(_, wide)| wide + GAP).sum();
            assert!(used <= room + GAP, "{used} {room}");
            plan.shown.iter().map(|(at, _)| COLUMNS[*at].name).collect()
        };
        assert_eq!(names(12), ["ended by"]);
        assert_eq!(names(40), ["#", "server", "ended by", "outcome"]);
        assert_eq!(
            names(77),
            ["#", "client", "server", "ended by", "outcome", "finding"]
        );
        assert_eq!(names(180).len(), COLUMNS.len());
    }
}
