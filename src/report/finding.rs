//! One section of the page: headline, sequence of events, the remedy, what both logs say, the frames that prove it, and a
//! ladder of the typical case.

use super::sheet::{REMEDY, Sheet};
use crate::base::format::capitalised;
use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;

use hashbrown::HashMap;

use super::finding_order::{FindingSection, sections};
use super::ladder_figure::{DrawnLadder, LadderOptions, REPORT_ROWS, below, drawn, legend};
use super::log_lines::{self, LogLine};
use super::remedy_words::{LONG, addressed, short, timed};
use super::rich_text::{RichTable, StyledLine, Tone};
use super::text::WIDTH;
use super::view::View;
use crate::analysis::connection::{By, Connection, ConnectionOutcome, How, Opening, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::format::duration;
use crate::base::format::{count, number, ranges};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::knowledge::product;
use crate::protocol::http::{Exchange, SharedText};
use crate::report::snapshot::Snapshot;
use crate::report::wording::{connection, local};
use crate::rules::log_errors::{self, filled};
use crate::rules::{Evidence, Finding, ProxyRole, Severity, WORTH_TELLING, cost, standing_first};

/// Number ranges of connections, and other hosts, that are listed.
const MORE: usize = 8;
/// Frames listed for a note.
const NOTE_FRAMES: usize = 2;
/// Remedies listed, each in short: the likeliest come first, and the rule's page has the rest.
const REMEDIES: usize = 2;
/// Sections from which on a table lists them.
const TABLE: usize = 3;
/// The label of what the programs at both ends are expected to log: a prediction, however certain.
const EXPECTED: &str = "Look for";
/// Programs listed for a side that no header names.
const SUSPECTS: usize = 2;
/// Paths and servers listed.
const PLACES: usize = 4;
/// Connections examined for affected paths: those of ten thousand are those of the first few thousand.
const LOOKED_AT: usize = 4096;
/// Characters of a path that are shown.
const PATH: usize = 40;
/// Ladders on a page; the rest are available one by one.
const PICTURES: usize = 6;

/// The connections whose ladders the page shows, if the snapshot has them.
#[must_use]
pub(super) fn typical(snapshot: &Snapshot) -> Vec<u32> {
    let mut ids: Vec<u32> = Vec::new();
    for section in sections(&snapshot.findings) {
        if section.severity() < Severity::Warning || ids.len() == PICTURES {
            continue;
        }
        let shown = section.shown().example();
        ids.extend(shown.filter(|id| !ids.contains(id)));
    }
    ids
}

/// A finding as a page numbers it: a cause with its effects, here and between other hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedFinding {
    /// The number on the page.
    pub number: u32,
    /// The rule of the cause.
    pub rule: &'static str,
    /// The severity of the worst part.
    pub severity: Severity,
    /// The headline of the cause over all its cases.
    pub headline: String,
    /// All connections that the cause or an effect names, ascending.
    pub connections: Vec<u32>,
    /// Those that the cause names.
    pub of_cause: Vec<u32>,
    /// Connections whose details are gone, so that they have no number.
    pub gone: u64,
}

/// The findings that a page numbers, in its order: harmless ones have no number.
#[must_use]
pub fn numbered_findings(snapshot: &Snapshot) -> Vec<NumberedFinding> {
    let sections = sections(&snapshot.findings).into_iter();
    let numbered = sections.filter(|it| it.severity() != Severity::Benign);
    let findings = (1..).zip(numbered).map(|(number, section)| {
        let elsewhere = section.elsewhere.iter().flatten();
        let all = section.parts.iter().chain(elsewhere);
        let ids: BTreeSet<u32> = all.flat_map(|it| it.connections.iter().copied()).collect();
        let cause = section.cause();
        NumberedFinding {
            number,
            rule: cause.rule,
            severity: section.severity(),
            headline: cause.summary.over(section.times()),
            connections: ids.into_iter().collect(),
            of_cause: cause.connections.clone(),
            gone: section.gone(),
        }
    });
    findings.collect()
}

/// Writes all sections to a sheet. Returns the connections whose ladder it draws whole. `said`: the headline that the verdict
/// has.
pub(super) fn write(
    view: &View<'_>,
    sections: Vec<FindingSection<'_>>,
    said: Option<String>,
    sheet: &mut dyn Sheet,
) -> io::Result<BTreeSet<u32>> {
    let (harmless, harmful): (Vec<_>, Vec<_>) = sections
        .into_iter()
        .partition(|it| it.severity() == Severity::Benign);
    let writer = FindingWriter {
        view,
        harmful: &harmful,
        said,
        shown: RefCell::default(),
        logged: RefCell::default(),
        whole: RefCell::default(),
    };
    if harmful.len() >= TABLE {
        sheet.heading("Findings")?;
        sheet.table(&table(&harmful))?;
    }
    for (number, section) in (1..).zip(&harmful) {
        writer.section(number, section, sheet)?;
    }
    if !harmless.is_empty() {
        sheet.heading("Harmless")?;
    }
    for section in &harmless {
        let cause = section.cause();
        let lead = StyledLine::default()
            .strong(cause.headline())
            .faint(format!("  [{}]", cause.rule));
        let ids = section.connections();
        let ids = match &ids[..] {
            [] => String::new(),
            ids if section.elsewhere.is_empty() => {
                format!(" {}, {}.", capitalised(&connections(ids)), between(cause))
            }
            ids => format!(" {}.", capitalised(&connections(ids))),
        };
        let told = section.message(0, &view.snapshot.frames);
        let told = told.hedged(cause.certainty);
        let (happened, meaning) = (told.happened(), told.meaning());
        let gap = if meaning.is_empty() { "" } else { " " };
        sheet.item(&lead, &format!("{happened}{gap}{meaning}{ids}").into())?;
    }
    Ok(writer.whole.into_inner())
}

struct FindingWriter<'v, 'a> {
    view: &'v View<'a>,
    /// All sections that are not harmless.
    harmful: &'v [FindingSection<'a>],
    /// The headline that the verdict has: a page that says nothing twice leaves it out below.
    said: Option<String>,
    /// Connections whose sentence and ladder are already on the page.
    shown: RefCell<BTreeSet<u32>>,
    /// Connections whose logs are.
    logged: RefCell<BTreeSet<u32>>,
    /// Connections of which a ladder shows each segment.
    whole: RefCell<BTreeSet<u32>>,
}

impl FindingWriter<'_, '_> {
    fn section(
        &self,
        number: u32,
        section: &FindingSection<'_>,
        sheet: &mut dyn Sheet,
    ) -> io::Result<()> {
        let ids = section.connections();
        let cause = section.cause();
        let is_note = section.severity() < Severity::Warning;
        let message = section.message(0, &self.view.snapshot.frames);
        let message = message.hedged(cause.certainty);
        let mut happened = message.happened_in_parts();
        let title = cause.summary.over(section.times());
        let is_said = number == 1 && self.said.as_ref() == Some(&title);
        match sheet.is_brief() && is_said {
            true => {
                let first = happened.next().unwrap_or_default();
                sheet.entry(&heading(number, section, None).plain(first))?;
            }
            false => sheet.entry(&heading(number, section, Some(title)))?,
        }
        for paragraph in happened {
            sheet.detail("", &paragraph.into())?;
        }
        for effect in section.effects() {
            let place = match cause.connections == effect.connections {
                true => String::new(),
                false => format!(" ({})", ranges(&effect.connections, MORE, 0)),
            };
            let line = StyledLine::default()
                .strong(effect.headline())
                .plain(format!("{place} "));
            sheet.detail("Also", &line.faint(format!("[{}]", effect.rule)))?;
        }
        for paragraph in message.meaning_in_parts() {
            sheet.detail("Meaning", &paragraph.into())?;
        }
        let shown = section.shown();
        let first = shown.example();
        let first = first.and_then(|id| self.view.snapshot.connection(id));
        let new = first.is_some_and(|it| self.shown.borrow_mut().insert(it.id));
        if let Some(connection) = first {
            self.resets(connection, shown, &ids, new, sheet)?;
        }
        // Between several hosts the reader has to choose.
        let server = section.elsewhere.is_empty().then_some(shown.server);
        let name = first.and_then(|it| it.tls.as_deref()?.sni());
        let called = server.flatten().map(|it| (it, name));
        fixes(section, &self.shown_at(section, &ids), called, sheet)?;
        let has_logs = first.filter(|it| !self.is_logged_elsewhere(it, section));
        if let Some(connection) = has_logs
            && self.logged.borrow_mut().insert(connection.id)
        {
            self.logged(connection, &ids, cause.proxy, is_note, sheet)?;
        }
        let figure = first.filter(|_| new && !is_note);
        let figure = figure.and_then(|it| self.picture(it, section));
        let (lines, drawn) = figure.unwrap_or_default();
        let evidence = self.evidence(shown, &drawn);
        let last = shown.evidence.iter().map(|it| it.frame_ref).max();
        let beside: Vec<_> = evidence
            .iter()
            .filter(|(frame, _)| !is_note || last.is_some_and(|it| it.frame == *frame))
            .filter(|_| sheet.is_brief())
            .collect();
        self.whereabouts(section, &ids, first, &beside, sheet)?;
        self.worst(shown, &ids, sheet)?;
        let gone = section.gone();
        if gone > 0 {
            sheet.detail("Limits", &details_gone(gone, ids.len() as u64 + gone))?;
        }
        if !sheet.is_brief() && !evidence.is_empty() {
            let named = |(frame, note): &(FrameNumber, String)| {
                format!("{}: {note}", self.view.snapshot.frames.name(*frame))
            };
            let all: Vec<String> = evidence.iter().map(named).collect();
            sheet.detail("Evidence", &all.join("; ").into())?;
        }
        if is_note {
            return Ok(());
        }
        let filter = match (first, cause.client, cause.server) {
            // The place of one connection says as much.
            (Some(_), ..) if !new || sheet.is_brief() => None,
            (Some(connection), ..) => {
                let others = self.view.snapshot.summaries.iter();
                Some(connection::short_filter(connection, others))
            }
            (None, Some(client), Some(server)) => Some(connection::filter_of_all(client, server)),
            _ => None,
        };
        if let Some(filter) = filter {
            sheet.detail("Filter", &StyledLine::default().code(filter))?;
        }
        match (first.filter(|_| new && !sheet.is_brief()), lines.is_empty()) {
            (Some(connection), true) => self.ladder_command(connection, sheet),
            (_, true) => Ok(()),
            (_, false) => sheet.figure(&lines),
        }
    }

    /// Why this host's operating system sent a RST that the finding is about. `new`: the connection is told for the first time.
    fn resets(
        &self,
        connection: &Connection,
        shown: &Finding,
        ids: &[u32],
        new: bool,
        sheet: &mut dyn Sheet,
    ) -> io::Result<()> {
        let of = match ids {
            [_, _, ..] => format!("#{}, ", connection.id),
            _ => String::new(),
        };
        for (who, reset) in local::resets(self.view.snapshot, connection.id) {
            let mut evidence = shown.evidence.iter();
            if new || evidence.any(|it| it.frame_ref.frame == reset.frame.frame) {
                let frame = self.view.snapshot.frames.name(reset.frame.frame);
                let told = local::reset(reset, shown.proxy.name_of(who));
                let meaning = local::meaning(reset).map_or_else(String::new, |it| format!(" {it}"));
                sheet.detail("Reason", &format!("{of}{frame}: {told}.{meaning}").into())?;
            }
        }
        Ok(())
    }

    /// Whether another section explains what the programs on this connection report, and this one does not: a broken request
    /// and a broken response are two findings, and only one of them is in a log.
    fn is_logged_elsewhere(&self, connection: &Connection, section: &FindingSection<'_>) -> bool {
        let stories = Who::BOTH.map(|who| log_errors::stories(connection, who));
        let events = stories.iter().flatten().flatten();
        let rules: Vec<&str> = events.flat_map(|it| it.rules()).copied().collect();
        let explains = |it: &FindingSection<'_>| it.parts.iter().any(|it| rules.contains(&it.rule));
        let first = |it: &FindingSection<'_>| it.shown().example() == Some(connection.id);
        let left_out =
            |(id, rule): &(u32, &'static str)| *id == connection.id && rules.contains(rule);
        let unseen = self.view.snapshot.left_out.iter().any(left_out);
        !explains(section) && (unseen || self.harmful.iter().any(|it| first(it) && explains(it)))
    }

    /// What the programs and the systems at both ends report.
    fn logged(
        &self,
        connection: &Connection,
        ids: &[u32],
        proxy: ProxyRole,
        is_note: bool,
        sheet: &mut dyn Sheet,
    ) -> io::Result<()> {
        let mut piped = [false; 2];
        let mut is_told = [false; 2];
        let mut is_named = [false; 2];
        let sides = Who::BOTH.map(|who| {
            let told = |it: &Connection| self.view.told(it, who);
            log_lines::of_all(self.view.snapshot, told, connection, ids, who, SUSPECTS)
        });
        let named = sides.iter().flatten().any(|it| it.is_named);
        let both = sides.iter().all(|it| !it.is_empty());
        let returned = systems(connection, proxy, piped);
        for (who, lines) in Who::BOTH.into_iter().zip(sides) {
            let side = proxy.name_of(who);
            is_told[who as usize] = !lines.is_empty();
            // Where the record does not decide between causes, the text of one of them would look like the cause.
            let is_clear = log_errors::stories(connection, who).len() < 2;
            let (most, is_shown): (usize, fn(&LogLine) -> bool) = match (named, both) {
                (true, _) => (usize::MAX, |it| it.is_named),
                (false, _) if !is_clear || is_note => (0, |_| false),
                // What the operating system returns is sure, and one of two.
                (false, true) => (SUSPECTS / 2, |_| true),
                (false, _) if returned.iter().any(|it| it.0 == who) => (SUSPECTS / 2, |_| true),
                (false, false) => (SUSPECTS, |_| true),
            };
            for line in lines.into_iter().filter(is_shown).take(most) {
                is_named[who as usize] |= line.is_named;
                piped[who as usize] |= names_pipe(&line.text);
                let lead = format!("{side} log{}, {}", line.of, line.lead);
                let text = StyledLine::from(lead).strong(line.text);
                sheet.detail(EXPECTED, &text)?;
            }
        }
        for (who, line) in systems(connection, proxy, piped) {
            // The log of a program that is named has the error of its socket.
            if !is_named[who as usize] {
                sheet.detail(EXPECTED, &line.into())?;
            }
        }
        match is_told[Who::Server as usize] || !self.were_never_opened(ids) {
            true => Ok(()),
            false => {
                let side = proxy.name_of(Who::Server);
                let told = format!(
                    "{side} log: nothing about this, because no attempt reached the program"
                );
                sheet.detail(EXPECTED, &told.into())
            }
        }
    }

    /// Whether none of these connections was opened, so that the server's program knows of none.
    fn were_never_opened(&self, ids: &[u32]) -> bool {
        let unopened = |id: &u32| {
            let summary = self.view.snapshot.connection_summary(*id);
            summary.is_some_and(|it| match it.opening {
                Opening::Refused | Opening::Unanswered | Opening::Unreachable => true,
                Opening::Handshake | Opening::Rejected | Opening::Midstream => false,
            })
        };
        !ids.is_empty() && ids.iter().all(unopened)
    }

    /// Which connections, hosts and requests, and when it was first seen. `beside`: frames, with what they show, of which nothing
    /// else on the page says it.
    fn whereabouts(
        &self,
        section: &FindingSection<'_>,
        ids: &[u32],
        first: Option<&Connection>,
        beside: &[&(FrameNumber, String)],
        sheet: &mut dyn Sheet,
    ) -> io::Result<()> {
        let cause = section.cause();
        let mut told = match (first, ids) {
            (Some(connection), [_]) => {
                let Snapshot { frames, legs, .. } = self.view.snapshot;
                let legs = connection::other_legs(legs, connection);
                format!(
                    "#{}, {}{}{}, {}{}{legs}{}",
                    connection.id,
                    local::route(connection, self.view.snapshot),
                    protocol(connection),
                    named_server(connection, cause),
                    frames.span(connection.first.frame, connection.last.frame),
                    if legs.is_empty() { "" } else { "; " },
                    closed_by(connection, section.shown(), frames),
                )
            }
            (_, []) => between(cause),
            _ if section.elsewhere.is_empty() => {
                let spoken = first.map_or_else(String::new, protocol);
                format!("{}, {}{spoken}", connections(ids), between(cause))
            }
            _ => connections(ids),
        };
        if !section.elsewhere.is_empty() {
            told += &format!(", {}", listed(&all_between(section)));
        }
        let requests = self.requests(ids);
        if !requests.is_empty() {
            told += &format!("; {requests}");
        }
        // The last piece of evidence is what the logs of both sides have a line about.
        let shown = section.shown();
        if let Some(last) = shown.evidence.iter().map(|it| it.frame_ref).max() {
            let name = |frame| self.view.snapshot.frames.name(frame);
            let time = self.view.time(last.time);
            let (own, others): (Vec<_>, Vec<_>) = beside
                .iter()
                .copied()
                .partition(|(frame, _)| *frame == last.frame);
            let others = others.into_iter();
            let mut frames: Vec<String> = others
                .map(|(frame, note)| format!("{}: {note}", name(*frame)))
                .collect();
            frames.push(format!("{} at {time}", name(last.frame)));
            frames.extend(own.into_iter().map(|(_, note)| note.clone()));
            let frames = match frames.split_last() {
                Some((note, rest)) if beside.iter().any(|(_, it)| it == note) => {
                    format!("{}: {note}", rest.join("; "))
                }
                _ => frames.join("; "),
            };
            told += &match (ids, first) {
                ([_, _, ..], Some(connection)) => {
                    format!("; for example #{}, {frames}", connection.id)
                }
                _ => format!("; {frames}"),
            };
        }
        sheet.detail("Where", &told.into())
    }

    /// When the case that is shown was over: of several connections with its number.
    fn shown_at(&self, section: &FindingSection<'_>, ids: &[u32]) -> String {
        let shown = section.shown();
        let last = shown.evidence.iter().map(|it| it.frame_ref.time).max();
        let time = last.map(|at| self.view.options.zone.time_in_zone(at));
        match (time, shown.example()) {
            (Some(time), Some(example)) if ids.len() > 1 => format!("#{example}: {time}"),
            (time, _) => time.unwrap_or_default(),
        }
    }

    /// The affected paths, where there is more than one case.
    fn requests(&self, ids: &[u32]) -> String {
        if ids.len() < 2 {
            return String::new();
        }
        let paths = touched_paths(self.view.snapshot, ids);
        let named = paths.iter().map(|(path, times)| match times {
            1 => path.clone(),
            times => format!("{path} ({}×)", number(*times)),
        });
        let mut told = listed(&named.collect::<Vec<_>>());
        if let Some(rest @ 1..) = ids.len().checked_sub(LOOKED_AT)
            && !told.is_empty()
        {
            let rest = count(rest as u64, "further connection", "further connections");
            told += &format!(" (not counted: {rest})");
        }
        told
    }

    /// The case that took longest, if it took notably longer than the one that is shown.
    fn worst(&self, cause: &Finding, ids: &[u32], sheet: &mut dyn Sheet) -> io::Result<()> {
        if ids.len() < 2 || cause.severity < Severity::Warning {
            return Ok(());
        }
        let of = |id: &u32| self.view.snapshot.connection_summary(*id);
        let Some(first) = cause.example().as_ref().and_then(of) else {
            return Ok(());
        };
        let cases = ids
            .iter()
            .filter_map(of)
            .filter(|it| it.phase == first.phase);
        let Some(worst) = cases.max_by_key(|it| (cost(it), Reverse(it.id))) else {
            return Ok(());
        };
        if cost(worst) < cost(first).saturating_mul(2).max(WORTH_TELLING) {
            return Ok(());
        }
        let micros = std::time::Duration::from_micros(cost(worst));
        let told = format!(
            "#{}, {} → {}: {} lost",
            worst.id,
            worst.client,
            worst.server,
            duration(micros)
        );
        sheet.detail("Longest", &told.into())
    }

    /// The frames that prove it, except those that the ladder shows, each with what it shows.
    fn evidence(&self, cause: &Finding, drawn: &[FrameNumber]) -> Vec<(FrameNumber, String)> {
        let most = match cause.severity < Severity::Warning {
            true => NOTE_FRAMES,
            false => usize::MAX,
        };
        let shown = cause.evidence.iter().take(most);
        let mut shown: Vec<_> = shown
            .filter(|it| !drawn.contains(&it.frame_ref.frame))
            .collect();
        shown.sort_by_key(|it| it.frame_ref);
        let shown = shown.chunk_by(|one, next| one.frame_ref.frame == next.frame_ref.frame);
        let shown = shown.filter_map(|same| {
            let notes: Vec<&str> = same.iter().map(|it| &*it.note).collect();
            Some((same.first()?.frame_ref.frame, notes.join(", ")))
        });
        shown.collect()
    }

    /// The ladder of a case, and the frames that it shows; `None` if it was not drawn.
    fn picture(
        &self,
        connection: &Connection,
        section: &FindingSection<'_>,
    ) -> Option<(Vec<StyledLine>, Vec<FrameNumber>)> {
        let mut all = self.view.snapshot.drawn.iter();
        let reread = all.find(|it| it.connection.id == connection.id)?;
        // Frames of other connections are in none of its rows.
        let own = |it: &&&Finding| it.connections.contains(&connection.id);
        // The evidence of the headline, and of what follows from it only where the headline is about another connection.
        let shown = std::iter::once(section.shown());
        let told: Vec<_> = shown.chain(section.effects()).collect();
        let headline = told.iter().find(own).map(|it| it.evidence.iter());
        let frames = headline.into_iter().flatten();
        let mut marked: Vec<_> = frames
            .map(|one| (one.frame_ref.frame, section.severity()))
            .collect();
        marked.sort_unstable_by_key(|(frame, _)| *frame);
        marked.dedup_by_key(|(frame, _)| *frame);
        let steps = &reread.transcript.steps;
        let is_own = |it: &&Evidence| steps.iter().any(|step| step.frame == it.frame_ref.frame);
        // Segments that were left out may be among the evidence.
        let told = told
            .iter()
            .filter(|it| it.connections.len() > 1 && reread.transcript.left_out.is_none());
        let told: Vec<_> = told.copied().collect();
        let beside = told
            .iter()
            .find(own)
            .into_iter()
            .flat_map(|it| &it.evidence);
        let mut beside: Vec<Evidence> = beside.filter(|it| !is_own(it)).cloned().collect();
        beside.sort_by_key(|it| it.frame_ref);
        let options = LadderOptions {
            width: self.view.options.width.unwrap_or(WIDTH),
            rows: Some(REPORT_ROWS),
            marked: &marked,
            beside: &beside,
            proxy: section.cause().proxy,
            ..LadderOptions::default()
        };
        let DrawnLadder {
            mut lines,
            signs,
            frames,
            left_out,
        } = drawn(reread, &options);
        if reread.transcript.left_out.is_none() && frames.len() >= steps.len() {
            self.whole.borrow_mut().insert(connection.id);
        }
        let shown = marked.iter().filter(|(frame, _)| frames.contains(frame));
        let marks = legend(shown.map(|(_, severity)| *severity));
        let left_out = (left_out > 0).then(|| {
            let more = count(left_out, "segment", "segments");
            format!("{more} left out")
        });
        let parts: Vec<String> = marks.into_iter().chain(signs).chain(left_out).collect();
        lines.extend(below(&parts, options.width));
        Some((lines, frames))
    }

    /// The command that draws a ladder which the report does not have.
    fn ladder_command(&self, connection: &Connection, sheet: &mut dyn Sheet) -> io::Result<()> {
        // What came through a pipe or from an interface cannot be read again.
        if !self.view.has_files() {
            return Ok(());
        }
        let told = format!("hangup ladder {} -c {}", self.view.files(), connection.id);
        sheet.detail("Ladder", &StyledLine::default().code(told))
    }
}

/// `a, b, c, d, and 3 more`.
fn listed(all: &[String]) -> String {
    let mut told = all
        .iter()
        .take(PLACES)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more @ 1..) = all.len().checked_sub(PLACES) {
        told += &format!(", and {} more", number(more as u64));
    }
    told
}

/// A row for each section: its number, severity, headline and place.
fn table(sections: &[FindingSection<'_>]) -> RichTable {
    let rows = (1_u32..).zip(sections).map(|(nth, section)| {
        let severity = section.severity();
        let place = match all_between(section).len() as u64 {
            0 | 1 => between(section.cause()),
            more => format!("{} pairs of hosts", number(more)),
        };
        vec![
            nth.to_string().into(),
            StyledLine::of(severity.into(), severity.name()),
            section.cause().summary.over(section.times()).into(),
            place.into(),
        ]
    });
    RichTable {
        columns: vec![
            ("#", true),
            ("Severity", false),
            ("Finding", false),
            ("Where", false),
        ],
        spares_last: true,
        rows: rows.collect(),
    }
}

/// `1. ERROR  4,812 × requests were answered by a RST  [reset-before-response]`. Without a title the text follows.
fn heading(place: u32, section: &FindingSection<'_>, title: Option<String>) -> StyledLine {
    let cause = section.cause();
    let line = StyledLine::default()
        .plain(format!("{place}. "))
        .with(
            section.severity().into(),
            section.severity().name().to_uppercase(),
        )
        .plain("  ");
    match title {
        Some(title) => line.strong(title).faint(format!("  [{}]", cause.rule)),
        None => line.faint(format!("[{}]  ", cause.rule)),
    }
}

/// `the details of 12,000 of 15,210 connections are gone`.
fn details_gone(gone: u64, all: u64) -> StyledLine {
    let told = format!(
        "the details of {} of {} connections are gone",
        number(gone),
        number(all)
    );
    StyledLine::of(Tone::Warning, told)
}

/// ` (FastCGI)`: what is spoken on the connection, where it is not HTTP.
fn protocol(connection: &Connection) -> String {
    let spoken = connection.dialogue.as_deref().and_then(|it| it.protocol);
    spoken.map_or_else(String::new, |it| format!(" ({})", it.name()))
}

/// ` (Server: nginx/1.22.1)`, where the remedies name a setting of that server.
fn named_server(connection: &Connection, cause: &Finding) -> String {
    let mut answers = connection
        .exchanges
        .iter()
        .filter_map(|it| it.response.as_ref());
    let Some(field) = answers.find_map(|it| it.server.as_ref()) else {
        return String::new();
    };
    let field = shortened(field.as_bytes(), PATH);
    let program = field.split(['/', ' ']).next().unwrap_or_default();
    let program = program.to_ascii_lowercase();
    let mut remedies = cause.remedies.iter().map(|it| it.to_ascii_lowercase());
    match remedies.any(|it| !program.is_empty() && it.starts_with(&program)) {
        true => format!(" (Server: {field})"),
        false => String::new(),
    }
}

/// `; closed by the client (FIN in frame 7)`, without the frame if it is the finding's last one; nothing where nobody
/// closed, or the sender of a RST is not sure.
fn closed_by(connection: &Connection, shown: &Finding, frames: &FrameNames) -> String {
    let proxy = shown.proxy;
    let teardown = &connection.teardown;
    let who = match teardown.by {
        By::Client => proxy.name_of(Who::Client),
        By::Server => proxy.name_of(Who::Server),
        By::Both | By::Middlebox | By::Nobody => return String::new(),
    };
    let (verb, how) = match teardown.how {
        How::Fin => ("closed", "FIN"),
        How::Reset(_) => ("reset", "RST"),
        How::Silence | How::Open => return String::new(),
    };
    if teardown.certainty > Certainty::Certain || connection.opening != Opening::Handshake {
        return String::new();
    }
    let last = shown.evidence.iter().map(|it| it.frame_ref).max();
    let place = match last.is_some_and(|it| it.frame == teardown.frame) {
        true => String::new(),
        false => format!(" in {}", frames.name(teardown.frame)),
    };
    format!("; {verb} by the {who} ({how}{place})")
}

/// `60 connections (#1–#60)`.
fn connections(ids: &[u32]) -> String {
    match ids {
        [only] => format!("connection #{only}"),
        _ => format!(
            "{} connections ({})",
            number(ids.len() as u64),
            ranges(ids, MORE, 0)
        ),
    }
}

/// `10.0.0.2 → 10.0.0.9:80`.
fn between(finding: &Finding) -> String {
    match (finding.client, finding.server) {
        (Some(client), Some(server)) => format!("{client} → {server}"),
        (Some(client), None) => client.to_string(),
        (None, Some(server)) => format!("→ {server}"),
        (None, None) if finding.connections.is_empty() && finding.gone == 0 => {
            "the whole capture".to_owned()
        }
        (None, None) => "several hosts".to_owned(),
    }
}

/// `10.0.0.2 → 10.0.0.9:80 (33,750)`, for each two hosts between which the section's cause happened.
fn all_between(section: &FindingSection<'_>) -> Vec<String> {
    let mut all: Vec<(String, u64)> = Vec::new();
    for cause in section.causes() {
        let between = between(cause);
        match all.iter_mut().find(|(known, _)| *known == between) {
            Some((_, count)) => *count = count.saturating_add(cause.in_all()),
            None => all.push((between, cause.in_all())),
        }
    }
    let alone = all.len() == 1;
    let told = all.into_iter().map(|(between, count)| match count {
        many @ 2.. if !alone => format!("{between} ({})", number(many)),
        _ => between,
    });
    told.collect()
}

/// The affected request: the first that is not complete, otherwise the last.
pub(super) fn affected(connection: &Connection) -> Option<&Exchange> {
    let exchanges = &connection.exchanges;
    let hit = exchanges.iter().find(|it| !it.is_complete());
    hit.or_else(|| exchanges.last())
}

/// The affected requests of the first of these connections, as `GET /path`, each with their number: the most frequent first.
pub(super) fn touched_paths(snapshot: &Snapshot, ids: &[u32]) -> Vec<(String, u64)> {
    let mut paths: HashMap<String, (u64, u32), foldhash::fast::FixedState> = HashMap::default();
    for id in ids.iter().take(LOOKED_AT) {
        if let Some(path) = snapshot.connection(*id).and_then(|it| touched(it, false)) {
            let (count, _) = paths.entry(path).or_insert((0, *id));
            *count += 1;
        }
    }
    let mut paths: Vec<_> = paths.into_iter().collect();
    paths.sort_by_key(|(_, (count, first))| (Reverse(*count), *first));
    let counted = paths.into_iter().map(|(path, (count, _))| (path, count));
    counted.collect()
}

/// `GET /path` of the affected request; with its host before the path, if that is wanted.
pub(super) fn touched(connection: &Connection, with_host: bool) -> Option<String> {
    let exchange = affected(connection)?;
    let request = exchange.request.as_ref()?;
    let host = request.host.as_ref().filter(|_| with_host);
    let host = host.map_or_else(String::new, |it| {
        shortened(it.as_bytes(), PATH).into_owned()
    });
    let target = request.target.as_ref()?;
    let target = SharedText::as_bytes(target);
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    let method = Exchange::method(exchange).unwrap_or(b"?");
    Some(format!(
        "{} {host}{}",
        shortened(method, PATH),
        shortened(path, PATH)
    ))
}

/// The first remedies of the cause, and of its like between other hosts. `at`: when the case that is shown was over. `called`:
/// the server, if it is one, and the name that the client called it.
fn fixes(
    section: &FindingSection<'_>,
    at: &str,
    called: Option<(Endpoint, Option<&str>)>,
    sheet: &mut dyn Sheet,
) -> io::Result<()> {
    let told = section.remedies(0);
    let told: Vec<Cow<'_, str>> = told.into_iter().take(REMEDIES).collect();
    for (nth, remedy) in told.iter().enumerate() {
        let text = timed(short(remedy, LONG), at);
        let text = match called {
            Some((server, name)) => addressed(&text, server, name),
            None => text,
        };
        let text = match nth {
            0 => standing_first(&text),
            _ => text,
        };
        let numbered = match told.len() {
            1 => text,
            _ => format!("{}. {text}", nth + 1),
        };
        sheet.detail(REMEDY, &numbered.into())?;
    }
    Ok(())
}

/// The socket errors that each side's operating system returns, whatever the program makes of them.
/// `piped`: the expected log of that side has the error of a later call.
fn systems(connection: &Connection, proxy: ProxyRole, piped: [bool; 2]) -> Vec<(Who, String)> {
    let sides = Who::BOTH.map(|who| (who, proxy.name_of(who)));
    let told = sides.into_iter().filter_map(|(who, side)| {
        let outcome = log_errors::socket(connection, who, log_errors::system(connection, who))?;
        let error = outcome.error()?;
        // The error of a RST is returned once; a write after that has another.
        let later = match piped[who as usize] && !names_pipe(&error) {
            true => ", then EPIPE on each later write",
            false => "",
        };
        Some((who, format!("{side} socket: {error}{later}")))
    });
    told.collect()
}

/// Whether a text has the error of a write after the connection had ended.
fn names_pipe(text: &str) -> bool {
    text.contains("roken pipe") || text.contains("EPIPE")
}

/// The same in a sentence: the text of the named program, or of the likeliest suspect.
pub(super) fn logs_in_a_sentence(view: &View<'_>, connection: &Connection) -> String {
    let mut logs = String::new();
    // Where nobody knows what came of it, nobody knows what a program says of that.
    if matches!(connection.outcome, ConnectionOutcome::Unknown(_)) {
        return logs;
    }
    for (who, side) in [(Who::Client, "client"), (Who::Server, "server")] {
        let told = view.told(connection, who);
        let Some(first) = told.first() else {
            continue;
        };
        let stack = product(first.stack).map_or(first.stack, |it| it.title);
        let text = first.text.map(|it| filled(it, connection, who));
        logs += &match (text, first.identified_by) {
            (Some(text), Some(_)) => format!(" The {side}'s log ({stack}) will say: “{text}”."),
            (Some(text), None) if first.handed_on => format!(
                " The {side}'s log will say, if {stack} opened this connection itself: “{text}”."
            ),
            (Some(text), None) => {
                format!(" The {side}'s log will say, if the {side} is {stack}: “{text}”.")
            }
            (None, _) => format!(
                " The {side}'s log ({stack}) will say nothing{}.",
                log_lines::reason(first.note)
            ),
        };
    }
    logs
}
