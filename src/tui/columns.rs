//! The columns of the connections table: what each shows of a connection, and which of them there is room for.

use super::rows::By;
use super::view_model::{Digest, Kind};
use super::{Look, Tone};
use crate::analysis::connection::{Brief, By as Closer, How, ResetKind};
use crate::base::format::{bytes, millis, number};
use crate::base::time::Timestamp;
use crate::report::snapshot::Snapshot;
use crate::report::wording::connection;
use crate::rules::{Finding, Severity};

/// A column.
pub(super) struct Column {
    pub(super) by: By,
    pub(super) name: &'static str,
    /// Numbers stand on the right.
    pub(super) right: bool,
    /// Columns that it needs at least.
    least: usize,
    /// And at most.
    most: usize,
    /// What goes last when there is little room.
    rank: u8,
}

/// All of them, from left to right.
pub(super) static COLUMNS: [Column; 11] = [
    column(By::Number, "#", true, 2, 9, 1),
    column(By::Client, "client", false, 10, 30, 4),
    column(By::Server, "server", false, 10, 30, 2),
    column(By::Opened, "opened", true, 8, 12, 7),
    column(By::Lasted, "lasted", true, 8, 12, 6),
    column(By::Ended, "ended by", false, 10, 18, 0),
    column(By::When, "when", false, 12, 24, 5),
    column(By::Requests, "req", true, 3, 9, 8),
    column(By::Status, "status", true, 6, 6, 9),
    column(By::Bytes, "bytes", true, 8, 9, 10),
    column(By::Finding, "finding", false, 16, 60, 3),
];

const fn column(
    by: By,
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

/// Which columns are shown, and how wide each is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// By place in [`COLUMNS`].
    pub(super) shown: Vec<(usize, usize)>,
}

/// Columns in which most rules' names fit; longer ones are shown whole if there is room to spare.
const FINDING: usize = 24;

/// Blanks between columns.
pub(super) const GAP: usize = 2;

impl Plan {
    /// `wanted`: what the cells in sight would take, in the order of [`COLUMNS`].
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
            let finding = COLUMNS[at].by == By::Finding;
            // The name of a rule that is cut can still be known; an address cannot.
            let wide = if finding {
                width(at).min(FINDING)
            } else {
                width(at)
            };
            if wide + GAP <= left + usize::from(shown.is_empty()) * GAP {
                left -= (wide + GAP).min(left);
                shown.push((at, wide));
            }
        }
        shown.sort_unstable();
        for (at, wide) in &mut shown {
            if COLUMNS[*at].by == By::Finding {
                let more = width(*at).saturating_sub(*wide).min(left);
                *wide += more;
            }
        }
        Self { shown }
    }
}

/// The text of a cell and its tone.
pub(super) fn cell(by: By, brief: &Brief, digest: &Digest, look: &Look) -> (Tone, String) {
    let start = digest
        .snapshot
        .summary
        .span
        .map_or(brief.first.time, |(first, _)| first);
    match by {
        By::Number => (Tone::Faint, brief.id.to_string()),
        By::Client => (Tone::Client, brief.client.to_string()),
        By::Server => (Tone::Server, brief.server.to_string()),
        By::Opened => (Tone::Faint, seconds(brief.first.time, start)),
        By::Lasted => (Tone::Plain, seconds(brief.last, brief.first.time)),
        By::Ended => ended(brief),
        By::When => (Tone::Plain, connection::when(brief.phase).to_owned()),
        By::Requests => (Tone::Plain, number(brief.exchanges.into())),
        By::Status if brief.status == 0 => (Tone::Faint, look.glyphs.dot.to_owned()),
        By::Status => {
            let tone = match brief.status {
                500.. => Tone::Error,
                400.. => Tone::Warning,
                _ => Tone::Plain,
            };
            (tone, brief.status.to_string())
        }
        By::Bytes => (
            Tone::Plain,
            bytes(brief.bytes[0].saturating_add(brief.bytes[1])),
        ),
        By::Finding => finding(brief, digest, look),
    }
}

/// Who and how, in two words.
fn ended(brief: &Brief) -> (Tone, String) {
    let tone = match Kind::of(brief) {
        Kind::InOrder => Tone::Good,
        Kind::Open => Tone::Faint,
        Kind::ClosedEarly | Kind::Silent => Tone::Warning,
        Kind::Reset | Kind::NeverOpened => Tone::Error,
    };
    let who = match brief.by {
        Closer::Client => "client",
        Closer::Server => "server",
        Closer::Both => "both",
        Closer::Middlebox => "box",
        Closer::Nobody => "nobody",
    };
    let text = match brief.how {
        How::Fin => format!("{who} FIN"),
        How::Reset(ResetKind::Refusal) => format!("{who} refused"),
        How::Reset(_) => format!("{who} RST"),
        How::Silence => "silence".to_owned(),
        How::Open => "still open".to_owned(),
    };
    (tone, text)
}

fn finding(brief: &Brief, digest: &Digest, look: &Look) -> (Tone, String) {
    let numbers = digest.naming.numbers(brief.id);
    let Some(worst) = numbers
        .first()
        .and_then(|it| by_number(&digest.snapshot, *it))
    else {
        return (Tone::Faint, String::new());
    };
    let more = match numbers.len() {
        0 | 1 => String::new(),
        all => format!(" +{}", all - 1),
    };
    (
        worst.severity.into(),
        format!("{} {}{more}", look.glyphs.mark(worst.severity), worst.rule),
    )
}

/// The sign of the worst finding above benign, for the left edge where no column shows it.
pub(super) fn worst(brief: &Brief, digest: &Digest) -> Option<Severity> {
    let number = digest.naming.numbers(brief.id).first()?;
    by_number(&digest.snapshot, *number).map(|it| it.severity)
}

/// The finding with a number.
pub(super) fn by_number(snapshot: &Snapshot, number: u32) -> Option<&Finding> {
    snapshot.findings.get((number as usize).checked_sub(1)?)
}

/// A span with as many places as tell something: `41.2 ms`, `1.234 s`, `12.3 s`, `4,711 s`.
pub(super) fn seconds(at: Timestamp, since: Timestamp) -> String {
    let span = at.since(since);
    let seconds = span.as_secs();
    match seconds {
        0 if span.as_micros() == 0 => "0 s".to_owned(),
        0 => millis(span),
        1..10 => format!("{:.3} s", span.as_secs_f64()),
        10..1000 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} s", number(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_stays_when_there_is_little_room() {
        let wanted = [3, 15, 11, 8, 8, 10, 20, 1, 3, 6, 30];
        let names = |room| -> Vec<_> {
            let plan = Plan::new(room, &wanted);
            let used: usize = plan.shown.iter().map(|(_, wide)| wide + GAP).sum();
            assert!(used <= room + GAP, "{used} {room}");
            plan.shown.iter().map(|(at, _)| COLUMNS[*at].name).collect()
        };
        assert_eq!(names(12), ["ended by"]);
        assert_eq!(names(40), ["#", "server", "lasted", "ended by"]);
        assert_eq!(names(77), ["#", "client", "server", "ended by", "finding"]);
        assert_eq!(names(160).len(), COLUMNS.len());
    }
}
