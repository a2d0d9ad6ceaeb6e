//! What the programs at both ends are expected to log, as lines: those of one connection, or of all cases of a finding.

use std::rc::Rc;
use std::time::Duration;

use crate::analysis::connection::{Connection, ConnectionSummary, Who};
use crate::base::format::{count, ranges};
use crate::knowledge::{ONLY_ON_WINDOWS, code_of, product};
use crate::report::snapshot::Snapshot;
use crate::rules::log_errors::{self, PredictedText, filled};

/// Connections examined for what their programs log.
const ALIKE: usize = 64;
/// Ranges of connections that a line names.
const NAMED: usize = 4;
/// Lines listed for one side of a finding.
const LOG_LINES: usize = 6;
/// Suspects listed for a side that no header names.
pub(crate) const SUSPECTS: usize = 3;

/// A line in a log.
pub(crate) struct LogLine {
    /// What makes it the same line in another case: its program and its text before values are filled in.
    key: (&'static str, Option<&'static str>, bool),
    /// Which connections it is about, if not about all: " of #2, #5–#9".
    pub(crate) of: String,
    /// Who writes it, with a separator: "if curl: ".
    pub(crate) lead: String,
    /// The text in quotes, or why there is none.
    pub(crate) text: String,
    /// Whether the capture names the program; all others are a guess.
    pub(crate) is_named: bool,
}

impl LogLine {
    /// Both parts.
    pub(crate) fn whole(&self) -> String {
        format!("{}{}", self.lead, self.text)
    }
}

/// The lines of one connection: one line if a header names the program, otherwise those of this many usual suspects.
pub(crate) fn of_one(
    told: &[PredictedText],
    connection: &Connection,
    who: Who,
    suspects: usize,
) -> Vec<LogLine> {
    let title = |name: &'static str| product(name).map_or(name, |it| it.title);
    let line = |one: &PredictedText, lead: String, text: String| LogLine {
        key: (one.stack, one.text, one.handed_on),
        of: String::new(),
        lead,
        text,
        is_named: one.identified_by.is_some(),
    };
    let quoted = |one: &PredictedText, text: &'static str| {
        let quoted = format!("“{}”", filled(text, connection, who));
        match one.kind.and_then(|kind| code_of(kind, text)) {
            Some(code) => {
                let title = code.family.field();
                format!("{title} {quoted} ({})", code.meaning)
            }
            None => quoted,
        }
    };
    let identified = told.iter().find(|it| it.identified_by.is_some());
    if let Some(one) = identified {
        let by = one.identified_by.map_or("", |by| match by.name() {
            "user-agent" => "its User-Agent",
            "server" => "its Server header",
            "answer" => "its response to its client",
            "handshake" => "its handshake",
            _ => "its Via header",
        });
        let program = format!("{} (by {by})", title(one.stack));
        let mut lines = vec![match one.text {
            Some(text) => line(one, format!("{program}: "), quoted(one, text)),
            None => {
                let text = format!("reports no error{}.", reason(one.note));
                line(one, format!("{program} "), text)
            }
        }];
        // A framework inside a named server has its own log.
        let inside = told.iter().filter(|it| it.identified_by.is_none());
        lines.extend(inside.filter_map(|it| {
            let lead = format!("{}, if it runs inside: ", title(it.stack));
            Some(line(it, lead, quoted(it, it.text?)))
        }));
        return lines;
    }
    if told.is_empty()
        && who == Who::Client
        && !log_errors::stories(connection, who).is_empty()
        && let Some(name) = log_errors::client_without_texts(connection)
    {
        return vec![LogLine {
            key: ("", Some("User-Agent"), false),
            of: String::new(),
            lead: format!("{name} (by its User-Agent): "),
            text: "its texts for this are not known to hangup.".to_owned(),
            is_named: true,
        }];
    }
    let likely = told.iter().filter_map(|it| Some((it, it.text?)));
    let runs_here = |stack: &str| {
        !(ONLY_ON_WINDOWS.contains(&stack) && log_errors::is_not_windows(connection, who))
    };
    let likely = likely.filter(|(it, _)| runs_here(it.stack));
    various(likely.collect())
        .into_iter()
        .take(suspects)
        .map(|(one, text)| {
            let title = title(one.stack);
            let lead = match one.handed_on {
                true => format!("if {title} opened this connection itself: "),
                false => format!("if {title}: "),
            };
            line(one, lead, quoted(one, text))
        })
        .collect()
}

/// The same suspects, the likeliest of each maker first: two programs of one maker are a guess twice.
fn various<T>(likely: Vec<(&PredictedText, T)>) -> Vec<(&PredictedText, T)> {
    let maker = |stack: &'static str| {
        let title = product(stack).map_or(stack, |it| it.title);
        title.split(' ').next().unwrap_or(title)
    };
    let mut makers: Vec<&str> = Vec::new();
    let (first, more): (Vec<_>, Vec<_>) = likely.into_iter().partition(|(it, _)| {
        let own = maker(it.stack);
        let is_new = !makers.contains(&own);
        if is_new {
            makers.push(own);
        }
        is_new
    });
    first.into_iter().chain(more).collect()
}

/// The lines of all cases: those of the first, and others where another program or text is expected. Lines that not
/// all cases have name the connections that have it.
pub(crate) fn of_all(
    snapshot: &Snapshot,
    mut told: impl FnMut(&Connection) -> Rc<[PredictedText]>,
    first: &Connection,
    ids: &[u32],
    who: Who,
    suspects: usize,
) -> Vec<LogLine> {
    let others = ids.iter().filter(|id| **id != first.id);
    let others = others.filter_map(|id| snapshot.connection(*id));
    let mut lines: Vec<(LogLine, Vec<u32>)> = Vec::new();
    let mut cases = 0;
    for connection in std::iter::once(first).chain(others).take(ALIKE) {
        cases += 1;
        for mut line in of_one(&told(connection), connection, who, suspects) {
            let hides = line.key.1.is_none() && line.text.contains(RETRIES);
            if let Some(unseen) = unseen_retry(snapshot, connection).filter(|_| hides) {
                line.text = format!("would report no error if it retried; {unseen}.");
            }
            match lines.iter_mut().find(|(it, _)| it.key == line.key) {
                Some((_, own)) => own.push(connection.id),
                None => lines.push((line, vec![connection.id])),
            }
        }
    }
    let more = lines.len().saturating_sub(LOG_LINES);
    let shown = lines.into_iter().take(LOG_LINES);
    let mut shown: Vec<LogLine> = shown
        .map(|(mut line, mut own)| {
            if own.len() < cases {
                own.sort_unstable();
                line.of = format!(" of {}", ranges(&own, NAMED, 0));
            }
            line
        })
        .collect();
    let is_named = shown.iter().any(|it| it.is_named);
    let remark = |text: String| LogLine {
        key: ("", None, false),
        of: String::new(),
        lead: String::new(),
        text,
        is_named,
    };
    let rest = ids.len().saturating_sub(ALIKE) as u64;
    let unseen = rest > 0 && cases == ALIKE && !shown.is_empty();
    if more > 0 {
        let more = count(more as u64, "more line", "more lines");
        shown.push(remark(format!("and {more}")));
    }
    if unseen {
        let rest = count(rest, "further case", "further cases");
        shown.push(remark(format!("{rest} may have others")));
    }
    shown
}
/// What the tables say of a program that hides a failure by a retry.
const RETRIES: &str = "retries silently";
/// A program that retries by itself does so within this time.
const RETRIES_WITHIN: Duration = Duration::from_secs(1);

/// Why no retry is seen of what a connection lost, if the capture has no other connection of the same two hosts that came
/// after it.
fn unseen_retry(snapshot: &Snapshot, connection: &Connection) -> Option<&'static str> {
    let close = connection.teardown.at;
    let is_other = |it: &ConnectionSummary| {
        it.id != connection.id
            && it.client.ip == connection.client.ip
            && it.server == connection.server
            && it.last >= close
    };
    if snapshot.summary.let_go > 0 || snapshot.summaries.iter().any(is_other) {
        return None;
    }
    let (_, end) = snapshot.summary.span?;
    Some(match end.since(close) >= RETRIES_WITHIN {
        true => "the capture shows no retry",
        false => "the capture ends too soon to show it",
    })
}

/// Why a program reports no error, after a colon, if the tables say it.
pub(crate) fn reason(note: Option<&str>) -> String {
    let note = note.map(|it| it.trim_end_matches('.'));
    let why = note.filter(|it| !matches!(*it, "no error" | "reports no error"));
    why.map_or_else(String::new, |it| {
        format!(": {}", it.strip_prefix("no error: ").unwrap_or(it))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    /// Who has retried is seen in a capture that goes on.
    #[test]
    fn a_retry_that_did_not_come_is_not_said_to_have_hidden_the_failure() {
        let lost = "client :1 server\nSYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n+2s <-- FIN\n+40ms ACK -->\nGET /2 -->\n<-- RST [noack]\n";
        let other = "client 10.9.9.9:7 server 10.8.8.8:80\n+3s SYN -->\n<-- SYN\nACK -->\n";
        let again = "client :2 server\n+9ms SYN -->\n<-- SYN\nGET /2 -->\n<-- 200 \"two\"\n";
        for (text, unseen) in [
            (
                lost.to_owned(),
                Some("the capture ends too soon to show it"),
            ),
            (format!("{lost}{other}"), Some("the capture shows no retry")),
            (format!("{lost}{again}{other}"), None),
        ] {
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let all = &proof.connections;
            let end = all.iter().map(|it| it.last.time).max().expect("one");
            let mut snapshot = Snapshot {
                summaries: all.iter().map(ConnectionSummary::from).collect(),
                ..Snapshot::default()
            };
            snapshot.summary.span = Some((all[0].first.time, end));
            assert_eq!(unseen_retry(&snapshot, &all[0]), unseen, "{text}");
        }
    }
}
