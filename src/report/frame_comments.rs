//! What a capture of some connections says of itself: comments on its frames and on the whole, for other programs.
//! `tshark -Y frame.comment` lists them.
//!
//! In: a snapshot, and the connections whose frames are written. Out: for each frame that a finding names, that begins a
//! connection or that closes one, a comment in plain words. Frames have other numbers in the new file, so that comments name
//! a frame with the file it comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{NumberedFinding, numbered_findings};
use super::snapshot::{FindingsIndex, Snapshot};
use super::wording::connection::{route, story};
use crate::analysis::connection::{Connection, Opening};
use crate::base::escape::escape;
use crate::base::format::ranges;
use crate::base::format::{count, counted, number};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::{FrameNumber, FrameRun};
use crate::rules::Finding;

/// What every comment begins with.
const MARK: &str = "hangup:";
/// Findings that the comment on the whole lists.
const LISTED: usize = 10;
/// Ranges of connections that it names of each.
const RANGES: usize = 8;

/// The comments on the frames of these connections, which are ascending.
#[must_use]
pub fn frame_comments(snapshot: &Snapshot, ids: &[u32]) -> BTreeMap<FrameNumber, String> {
    let names = names(snapshot);
    let index = FindingsIndex::new(snapshot);
    let named = |finding: &&Finding| {
        let mut own = finding.connections.iter();
        own.any(|id| ids.binary_search(id).is_ok())
    };
    let findings: Vec<&Finding> = snapshot.findings.iter().filter(named).collect();
    let evidence = || {
        let each = findings.iter();
        each.flat_map(|it| it.evidence.iter().map(|one| (one, it.rule)))
    };
    let proofs = evidence().map(|(one, rule)| (one.frame_ref.frame, rule));
    let proofs: BTreeSet<(FrameNumber, &str)> = proofs.collect();
    let mut remarks = Remarks::default();
    for id in ids {
        let Some(connection) = snapshot.connection(*id) else {
            continue;
        };
        remarks.begins(connection, &names);
        let rules = index.findings(snapshot, *id).map(|it| it.rule);
        let close = connection.teardown.frame;
        // What proves a finding names its rule.
        let rules = rules.filter(|rule| !proofs.contains(&(close, rule)));
        remarks.ends(connection, &names, rules);
    }
    for (one, rule) in evidence() {
        remarks.add(one.frame_ref.frame, format!("{} [{rule}]", one.note));
    }
    let all = remarks.0.into_iter();
    let all = all.map(|(frame, mut remarks)| {
        // What a remark follows is no sentence's end.
        if let Some((_, before)) = remarks.split_last_mut() {
            for remark in before {
                remark.truncate(remark.trim_end_matches('.').len());
            }
        }
        (frame, format!("{MARK} {}", remarks.join("; ")))
    });
    all.collect()
}

/// What the file is, and why these connections are in it: a sentence a line.
#[must_use]
pub fn capture_comment(snapshot: &Snapshot, ids: &[u32], why: &str) -> String {
    let inputs = snapshot.summary.paths();
    let inputs: Vec<_> = inputs.map(|path| escape(path.as_bytes())).collect();
    let mut told = format!(
        "{MARK} the packets of {} of {} in {}{why}.\n\
         Comments on packets begin with \"{MARK}\" and say what happened. The display filter frame.comment lists them.\n\
         They number frames and connections as the original does.",
        number(ids.len() as u64),
        count(snapshot.connections_total(), "connection", "connections"),
        inputs.join(", "),
    );
    let named = |it: &NumberedFinding| {
        let mut own = it.connections.iter();
        own.any(|id| ids.binary_search(id).is_ok())
    };
    let findings: Vec<_> = numbered_findings(snapshot)
        .into_iter()
        .filter(named)
        .collect();
    for it in findings.iter().take(LISTED) {
        told += &format!(
            "\nFinding {}, {}: {} [{}], {}",
            it.number,
            it.severity.name(),
            it.headline,
            it.rule,
            ranges(&it.connections, RANGES, 0)
        );
    }
    if let Some(more @ 1..) = findings.len().checked_sub(LISTED) {
        told += &format!("\n{} more", counted(more, "finding"));
    }
    told
}

/// Names of frames with the file, also where there is one file only.
fn names(snapshot: &Snapshot) -> FrameNames {
    match &snapshot.summary.inputs[..] {
        [only] => {
            let all = [FrameRun {
                first: FrameNumber(1),
                own: 1,
            }];
            FrameNames::new([(only.path.as_str(), &all[..]), ("", &[][..])])
        }
        _ => FrameNames::clone(&snapshot.frames),
    }
}

#[derive(Default)]
struct Remarks(BTreeMap<FrameNumber, Vec<String>>);

impl Remarks {
    fn add(&mut self, frame: FrameNumber, text: String) {
        // Of what never happened there is no frame.
        if frame == FrameNumber(0) {
            return;
        }
        let own = self.0.entry(frame).or_default();
        if !own.contains(&text) {
            own.push(text);
        }
    }

    fn begins(&mut self, connection: &Connection, names: &FrameNames) {
        let begins = match connection.opening {
            Opening::Midstream => "is first captured",
            _ => "begins",
        };
        let first = connection.first.frame;
        let text = format!(
            "connection #{} {begins} here ({}), {}",
            connection.id,
            names.name(first),
            route(connection)
        );
        self.add(first, text);
    }

    /// What happened, where it ended, and the rules that say so.
    fn ends<'r>(
        &mut self,
        connection: &Connection,
        names: &FrameNames,
        rules: impl Iterator<Item = &'r str>,
    ) {
        let mut text = format!("#{}: {}", connection.id, story(connection, names));
        for rule in rules {
            text += &format!(" [{rule}]");
        }
        self.add(connection.teardown.frame, text);
    }
}
