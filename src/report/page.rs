//! The page for people: its contents and their order.
//!
//! First the verdict on the whole, then what was captured (and what is missing from it), then what is wrong and how to
//! change it (`finding.rs`), then how all connections ended, and last those that no finding explains, each in a
//! sentence. Its length is bounded however large the capture is. [`Sheet`] is the interface that a text format
//! implements.

use super::sheet::Sheet;
use crate::base::format::capitalised;
use std::collections::BTreeSet;
use std::io;

use hashbrown::HashMap;

use super::finding_order::{FindingSection, sections};
use super::groups::{ConnectionGroup, MOST, groups};
use super::rich_text::{RichTable, StyledLine, Tone};
use super::view::View;
use super::{Shown, finding, log_section, numbered_findings, places, search_result, standpoint};
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, ConnectionSummary, UnknownReason, Who,
};
use crate::analysis::hosts::{RangeBasis, Sockets};
use crate::base::escape::escape;
use crate::base::format::duration;
use crate::base::format::{bytes, count, number, ranges};
use crate::base::net::Skip;
use crate::base::time::Timestamp;
use crate::knowledge::product;
use crate::report::snapshot::{InputSummary, Snapshot};
use crate::report::wording::connection::{self, story};
use crate::report::wording::local;
use crate::report::wording::other_packets::{no_tcp, other_protocols, quic};
use crate::report::wording::outcomes::{OutcomeTally, remark, why_it_failed};
use crate::rules::log_errors::stories;
use crate::rules::{Finding, Severity};

/// Input files listed one by one.
const FILES: usize = 12;
/// Number ranges of further connections listed.
const MORE: usize = 8;
/// Lines of an ignore list whose matches are listed one by one.
const IGNORED: usize = 8;
/// Ways to end up to which the findings say how the connections ended.
const FEW: usize = 4;
/// Rows of the sockets table.
const SOCKETS: usize = 12;

/// Writes the page to a sheet.
pub(super) fn write(view: &View<'_>, sheet: &mut dyn Sheet) -> io::Result<()> {
    let sections = sections(&view.snapshot.findings);
    let page = Page::new(view);
    let worst = sections.first().map(FindingSection::cause);
    match &view.snapshot.narrowed {
        Some(narrowed) => {
            sheet.title(&page.title(), None)?;
            search_result::write(view, narrowed, sheet)?;
        }
        None => sheet.title(&page.title(), Some(&page.verdict(&sections)))?,
    }
    page.ignored(sheet)?;
    page.doubts(sheet)?;
    let said = page.said().filter(|_| view.snapshot.narrowed.is_none());
    let drawn = finding::write(view, sections, said, sheet)?;
    log_section::write(view, sheet)?;
    // In a report narrowed to an error, the overall statistics would be misleading.
    if view.snapshot.narrowed.is_none() {
        page.endings(sheet)?;
        page.sockets(sheet)?;
    }
    page.connections(sheet)?;
    page.capture(sheet)?;
    page.more(worst, &drawn, sheet)
}

/// What came of the connections that are not left out.
pub(super) fn outcomes(snapshot: &Snapshot) -> OutcomeTally {
    let mut outcomes = OutcomeTally::default();
    let ignored = &snapshot.ignored;
    for connection_summary in &snapshot.summaries {
        if !ignored.leaves_out(connection_summary.id) {
            outcomes.add_connection(connection_summary.id, connection_summary.outcome);
        }
    }
    for ((.., outcome), connections) in &snapshot.summary.given_up.endings {
        outcomes.add_many(*outcome, *connections);
    }
    outcomes.note_proxies(&snapshot.legs, |id| {
        let summary = snapshot.connection_summary(id);
        summary.is_some_and(|it| it.outcome.is_failed()) && !ignored.leaves_out(id)
    });
    outcomes
}

struct Page<'v, 'a> {
    view: &'v View<'a>,
    /// What came of the connections.
    outcomes: OutcomeTally,
    /// Bytes of payload that were acknowledged but not captured.
    missing: u64,
}

impl<'v, 'a> Page<'v, 'a> {
    fn new(view: &'v View<'a>) -> Self {
        let mut page = Self {
            view,
            outcomes: outcomes(view.snapshot),
            missing: 0,
        };
        for connection in &view.snapshot.connections {
            let missing = connection.sent.iter().map(|sent| sent.missing);
            page.missing = missing.fold(page.missing, u64::saturating_add);
        }
        page
    }

    fn title(&self) -> StyledLine {
        let paths: Vec<&str> = self.view.snapshot.summary.paths().collect();
        let line = StyledLine::default();
        let line = match &paths[..] {
            [] => line.plain("Nothing was read"),
            [only] => line.code(escape(only.as_bytes())),
            [first, second] => line
                .code(escape(first.as_bytes()))
                .plain(" and ")
                .code(escape(second.as_bytes())),
            [first, rest @ ..] => line.code(escape(first.as_bytes())).plain(format!(
                " and {}",
                count(rest.len() as u64, "other file", "other files")
            )),
        };
        match &*self.view.snapshot.ignored.path {
            "" => line,
            list => line
                .plain(", without what ")
                .code(escape(list.as_bytes()))
                .plain(" names"),
        }
    }

    /// The verdict on the whole capture in one line.
    fn verdict(&self, sections: &[FindingSection<'_>]) -> StyledLine {
        let snapshot = self.view.snapshot;
        let ignored = snapshot.ignored.connections.len() as u64;
        let all = snapshot.connections_total().saturating_sub(ignored);
        if all == 0 && ignored > 0 {
            return StyledLine::default().strong("Every connection is left out.");
        }
        if all == 0 {
            let summary = &snapshot.summary;
            let read = summary.inputs.iter().any(|input| input.packets > 0);
            return StyledLine::default().strong(match (summary.frames, summary.segments) {
                (0, _) if read => "No packet passes the filter.".to_owned(),
                (0, _) => "There is no packet in this capture.".to_owned(),
                (_, 0) => no_tcp(summary),
                _ => "There is no TCP connection in this capture.".to_owned(),
            });
        }
        // What is listed as one is counted once.
        let of = |severity: Severity| {
            let own = sections.iter().filter(|it| it.severity() == severity);
            own.count() as u64
        };
        let (errors, warnings, notes) = (
            of(Severity::Error),
            of(Severity::Warning),
            of(Severity::Note),
        );
        let blamed = errors + warnings + notes > 0;
        let why = why_it_failed(snapshot);
        let clause = self.outcomes.clause(blamed, why.as_ref());
        let refused = self.refusing_client();
        let clause = match refused {
            Some(client) => format!("{clause}, but {client} likely refused the response"),
            None => clause,
        };
        if !blamed && self.outcomes.failed == 0 {
            // Exchanges that were let go are not judged.
            let limits = &snapshot.summary.limits;
            let is_whole = limits.iter().all(|limit| limit.name != "exchanges");
            return match self.outcomes.fine == all && is_whole && refused.is_none() {
                true => StyledLine::of(Tone::Good, format!("Nothing is wrong: {clause}.")),
                false => format!("No fault is shown: {clause}.").into(),
            };
        }
        let tone = match self.outcomes.failed {
            0 => Tone::Strong,
            _ => Tone::Error,
        };
        let mut line = StyledLine::of(tone, capitalised(&clause));
        for (tone, found, one, many) in [
            (Tone::Error, errors, "error", "errors"),
            (Tone::Warning, warnings, "warning", "warnings"),
            (Tone::Note, notes, "note", "notes"),
        ] {
            if found > 0 {
                let between = if line.0.len() > 1 {
                    ", "
                } else {
                    ". Findings: "
                };
                line = line.plain(between).with(tone, count(found, one, many));
            }
        }
        line.plain(".")
    }

    /// The program that named itself on the only connection, if nothing was lost there and its library refuses what came.
    fn refusing_client(&self) -> Option<&'static str> {
        let [only] = &self.view.snapshot.connections[..] else {
            return None;
        };
        if !only.outcome.is_fine() || self.outcomes.all() != 1 {
            return None;
        }
        // What no event names, its bytes show.
        let met = stories(only, Who::Client);
        let mut events = met.iter().flatten();
        if !met.is_empty() && !events.any(|it| it.may_be_refused()) {
            return None;
        }
        let told = self.view.told(only, Who::Client);
        let own = told.iter().find(|it| it.identified_by.is_some())?;
        own.text?;
        product(own.stack).map(|it| it.title)
    }

    /// The headline that the verdict has.
    fn said(&self) -> Option<String> {
        why_it_failed(self.view.snapshot).map(|it| it.headline)
    }

    /// What the capture lacks, which bounds all that is said of it.
    fn doubts(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let summary = &self.view.snapshot.summary;
        for input in &summary.inputs {
            if let Some(damage) = &input.damage {
                let told = format!(
                    " at byte {}: {}. The rest was read as far as possible.",
                    number(damage.offset),
                    escape(damage.reason.trim_end_matches('.').as_bytes())
                );
                let path = escape(input.path.as_bytes());
                sheet.detail(
                    "Damaged",
                    &StyledLine::default().code(path).with(Tone::Warning, told),
                )?;
            }
        }
        if let Some(line) = self.losses() {
            sheet.detail("Lost", &line)?;
        }
        for limit in &summary.limits {
            let told = format!("{} {}", number(limit.count), limit.meaning);
            sheet.detail("Limits", &StyledLine::default().with(Tone::Warning, told))?;
        }
        Ok(())
    }

    /// What was read: in a line if it is one file.
    fn capture(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let summary = &self.view.snapshot.summary;
        let zone = &self.view.options.zone;
        let lasted = |first: Timestamp, last: Timestamp| duration(last.since(first));
        if let [only] = &summary.inputs[..] {
            let time = summary.span.map_or_else(String::new, |(first, last)| {
                format!(", {} from {}", lasted(first, last), zone.full(first))
            });
            sheet.paragraph(&StyledLine::default())?;
            let packets = count(only.packets, "packet", "packets");
            let told = format!("{}, {packets}{time}", only.format);
            sheet.detail("Capture", &told.into())?;
        } else {
            sheet.heading("Capture")?;
            for input in summary.inputs.iter().take(FILES) {
                sheet.detail("File", &file(input))?;
            }
            if let Some(more @ 1..) = summary.inputs.len().checked_sub(FILES) {
                sheet.detail("File", &format!("and {} more", number(more as u64)).into())?;
            }
            if let Some((first, last)) = summary.span {
                let told = format!("{} from {}", lasted(first, last), zone.full(first));
                sheet.detail("Time", &told.into())?;
            }
        }
        let places = places::lines(&summary.inputs, &self.view.snapshot.frames);
        if places.is_empty()
            && let Some(told) =
                standpoint::told(self.view.snapshot.connections.iter().map(|it| &**it))
        {
            sheet.detail("Capture", &told.into())?;
        }
        for (title, line) in places {
            sheet.detail(title, &line)?;
        }
        if summary.segments != summary.frames || summary.frames == 0 {
            sheet.detail("Packets", &self.packets())?;
        }
        match quic(summary) {
            Some(quic) => sheet.detail("UDP", &format!("{quic}, not analysed").into()),
            None => Ok(()),
        }
    }

    /// The commands that show more.
    fn more(
        &self,
        worst: Option<&Finding>,
        drawn: &BTreeSet<u32>,
        sheet: &mut dyn Sheet,
    ) -> io::Result<()> {
        let Some(worst) = worst.filter(|it| it.severity > Severity::Benign) else {
            return Ok(());
        };
        let mut line = StyledLine::default().code(format!("hangup explain {}", worst.rule));
        let example = worst.example().filter(|_| self.view.has_files());
        if let Some(first) = example.filter(|it| !drawn.contains(it)) {
            let files = self.view.files();
            line = line
                .plain("; ")
                .code(format!("hangup ladder {files} -c {first}"));
        }
        sheet.detail("More", &line)
    }

    fn packets(&self) -> StyledLine {
        let summary = &self.view.snapshot.summary;
        let connections = self.view.snapshot.connections_total();
        let mut told = match (summary.segments, connections) {
            (0, _) => format!("{}, none of them TCP", number(summary.frames)),
            (segments, connections) if segments == summary.frames => format!(
                "{}, all TCP, of {}",
                number(segments),
                count(connections, "connection", "connections")
            ),
            (segments, connections) => format!(
                "{}, {} of them TCP, of {}",
                number(summary.frames),
                number(segments),
                count(connections, "connection", "connections")
            ),
        };
        let skipped = Skip::ALL.iter().zip(&summary.skipped);
        let skipped = skipped.filter(|(_, count)| **count > 0);
        for (nth, (skip, skipped)) in skipped.enumerate() {
            told += if nth == 0 { "; " } else { ", " };
            told += &match skip {
                Skip::NotTcp => other_protocols(summary, *skipped),
                skip => format!("{} {}", number(*skipped), skipped_as(*skip)),
            };
        }
        told.into()
    }

    fn losses(&self) -> Option<StyledLine> {
        let lost = self.view.snapshot.summary.lost;
        let mut parts = Vec::new();
        for (lost, by) in [
            (lost.kernel, "by the kernel"),
            (lost.interface, "by the interface"),
        ] {
            if let Some(lost @ 1..) = lost {
                parts.push(format!("{} dropped {by}", count(lost, "packet", "packets")));
            }
        }
        if self.missing > 0 {
            parts.push(format!(
                "{} of payload were sent but not captured",
                bytes(self.missing)
            ));
        }
        (!parts.is_empty()).then(|| StyledLine::default().with(Tone::Warning, parts.join("; ")))
    }

    /// What the user's ignore list left out.
    fn ignored(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let ignored = &self.view.snapshot.ignored;
        let path = escape(ignored.path.as_bytes());
        let Some(told) = ignored.told() else {
            return Ok(());
        };
        let line = StyledLine::default()
            .plain(format!("{told} ignored by "))
            .code(path)
            .plain(":");
        sheet.paragraph(&line)?;
        let matched = ignored
            .lines
            .iter()
            .filter(|it| it.connections + it.findings > 0);
        let matched: Vec<_> = matched.collect();
        for tally in matched.iter().take(IGNORED) {
            let line = StyledLine::default()
                .plain(format!(
                    "{} by line {}, ",
                    number(tally.connections + tally.findings),
                    tally.line
                ))
                .code(escape(tally.text.as_bytes()));
            sheet.detail("", &line)?;
        }
        if let Some(more @ 1..) = matched.len().checked_sub(IGNORED) {
            let told = format!(
                "and some by {}.",
                count(more as u64, "other line", "other lines")
            );
            sheet.detail("", &told.into())?;
        }
        Ok(())
    }

    /// Whether the side that closed is a proxy, which has another connection for the same request.
    fn is_by_proxy(&self, connection: &ConnectionSummary) -> bool {
        let legs = &self.view.snapshot.legs;
        match connection.by {
            By::Client => !legs.before_all(connection.id).is_empty(),
            By::Server => !legs.behind_all(connection.id).is_empty(),
            By::Both | By::Middlebox | By::Nobody => false,
        }
    }

    fn endings(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let connections = &self.view.snapshot.summaries;
        if connections.is_empty() {
            return Ok(());
        }
        let mut kinds: HashMap<_, (u64, Option<u32>), foldhash::fast::FixedState> =
            HashMap::default();
        let ignored = &self.view.snapshot.ignored;
        for connection in connections {
            if ignored.leaves_out(connection.id) {
                continue;
            }
            let kind = (
                connection.by,
                connection.how,
                connection.phase,
                connection.outcome,
            );
            let who = (kind, self.is_by_proxy(connection));
            let (count, _) = kinds.entry(who).or_insert((0, Some(connection.id)));
            *count += 1;
        }
        let given_up = &self.view.snapshot.summary.given_up;
        for (kind, connections) in &given_up.endings {
            let (count, _) = kinds.entry((*kind, false)).or_insert((0, None));
            *count += connections;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(kind, (count, first))| {
            let unlisted = format!("{kind:?}");
            let last = first.map_or_else(|| (u32::MAX, unlisted), |id| (id, String::new()));
            (std::cmp::Reverse(*count), last)
        });
        let mut table = RichTable {
            columns: vec![
                ("Count", true),
                ("Who", false),
                ("How", false),
                ("When", false),
                ("Outcome", false),
                ("Example", true),
            ],
            spares_last: false,
            rows: Vec::new(),
        };
        for (((by, how, phase, outcome), by_proxy), (count, first)) in kinds {
            let who = match by_proxy {
                true => "proxy",
                false => connection::who(by),
            };
            table.rows.push(vec![
                number(count).into(),
                who.into(),
                connection::how(how).into(),
                connection::when(phase).into(),
                judged(outcome),
                first.map_or_else(String::new, |id| format!("#{id}")).into(),
            ]);
        }
        let summary = &self.view.snapshot.summary;
        let gone = summary.let_go.saturating_add(given_up.records);
        // One row says no more than the verdict and the findings do; nor do a few connections that findings describe.
        let is_told = !self.view.snapshot.findings.is_empty() && gone == 0;
        let is_short = table.rows.len() == 1
            || table.rows.len() <= FEW && self.are_described()
            || self.is_one_story();
        if table.rows.is_empty() || is_told && is_short {
            return Ok(());
        }
        if table.rows.len() > 1 {
            let all = self.view.snapshot.connections_total();
            let all = number(all.saturating_sub(ignored.connections.len() as u64));
            table
                .rows
                .push(vec![StyledLine::default().strong(all), "in all".into()]);
        }
        sheet.heading("How the connections ended")?;
        sheet.table(&table)?;
        if gone > 0 {
            let found = match summary.given_up_with_findings {
                0 => String::new(),
                some => format!("; {} with findings are among them", number(some)),
            };
            let told = format!(
                "The details of {} are gone; all were judged and are counted here{found}.",
                count(gone, "connection", "connections"),
            );
            sheet.paragraph(&StyledLine::of(Tone::Warning, told))?;
        }
        Ok(())
    }

    /// Whether a finding describes each connection that is not fine.
    fn are_described(&self) -> bool {
        let connections = &self.view.snapshot.summaries;
        let is_described = |it: &ConnectionSummary| {
            matches!(it.outcome, ConnectionOutcome::Fine(_))
                || !self.view.finding_numbers(it.id).is_empty()
        };
        connections.iter().all(is_described)
    }

    /// Whether one finding names all connections that are not fine, or still open: the verdict counts those.
    fn is_one_story(&self) -> bool {
        let connections = self.view.snapshot.summaries.iter();
        let ignored = &self.view.snapshot.ignored;
        let mut open = connections.filter(|it| {
            let is_told = it.outcome.is_fine() || it.outcome.is_still_open();
            !is_told && !ignored.leaves_out(it.id)
        });
        let all = numbered_findings(self.view.snapshot);
        let first = all.first();
        first.is_some_and(|it| open.all(|own| it.connections.binary_search(&own.id).is_ok()))
    }

    fn sockets(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let rows = self
            .view
            .snapshot
            .sockets
            .iter()
            .filter(|row| is_worth_showing(row));
        let mut rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return Ok(());
        }
        let more = rows.len().saturating_sub(SOCKETS) as u64;
        rows.truncate(SOCKETS);
        sheet.heading("Ports in use")?;
        for row in &rows {
            let lead = StyledLine::default().strong(format!("{} → {}", row.client, row.server));
            sheet.item(&lead, &spent(row).into())?;
        }
        if more > 0 {
            let told = format!(
                "{} of a client and a server are not listed here; --format json has them.",
                count(more, "further pair", "further pairs")
            );
            sheet.paragraph(&told.into())?;
        }
        for row in rows {
            if let Some(at) = row.runs_out_at {
                let over = self
                    .view
                    .snapshot
                    .summary
                    .span
                    .is_some_and(|(_, end)| at <= end);
                let when = if over {
                    "All ports of the range were taken:"
                } else {
                    "At this rate the range runs out:"
                };
                let told = format!(
                    "{when} {} towards {} at {} {}.",
                    row.client,
                    row.server,
                    self.view.options.zone.full(at),
                    self.view.offset(at)
                );
                sheet.paragraph(&StyledLine::default().with(Tone::Warning, told))?;
            }
        }
        Ok(())
    }

    fn connections(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        if self.view.shows_all() {
            sheet.heading("Connections")?;
            for connection in self.view.shown() {
                let body = StyledLine::from(story(connection, &self.view.snapshot.frames))
                    .plain(remark(connection.outcome))
                    .plain(finding::logs_in_a_sentence(self.view, connection))
                    .plain(self.findings_of(connection));
                sheet.item(&self.lead(connection), &body)?;
            }
            return Ok(());
        }
        // By default only the connections that no finding has described.
        let asked = self.view.options.connections == Some(Shown::Notable);
        let groups: Vec<ConnectionGroup<'_>> = groups(self.view)
            .into_iter()
            .filter(|group| asked || self.view.finding_numbers(group.first.id).is_empty())
            .collect();
        if groups.is_empty() {
            return Ok(());
        }
        sheet.heading(match (asked, &self.view.snapshot.narrowed) {
            (true, _) => "Notable connections",
            (false, Some(_)) => "These connections",
            (false, None) => "Connections without a finding",
        })?;
        for group in groups.iter().take(MOST) {
            let body = StyledLine::from(story(group.first, &self.view.snapshot.frames))
                .plain(remark(group.first.outcome))
                .plain(finding::logs_in_a_sentence(self.view, group.first))
                .plain(alike(group))
                .plain(self.findings_of(group.first));
            sheet.item(&self.lead(group.first), &body)?;
        }
        if let Some(rest @ [_, ..]) = groups.get(MOST..) {
            let connections: usize = rest.iter().map(|group| group.ids.len()).sum();
            let told = format!(
                "{} in {} are not listed here; --connections all or --format json has them.",
                count(connections as u64, "connection", "connections"),
                count(rest.len() as u64, "further story", "further stories")
            );
            sheet.paragraph(&told.into())?;
        }
        Ok(())
    }

    fn lead(&self, connection: &Connection) -> StyledLine {
        StyledLine::default()
            .strong(format!("#{}", connection.id))
            .plain(format!(
                "  {}  ",
                local::route(connection, self.view.snapshot)
            ))
            .faint(self.view.at(connection.first.time))
    }

    /// ` [keep-alive-race, idle-timeout-close]`.
    fn findings_of(&self, connection: &Connection) -> String {
        let rules: Vec<_> = self.view.findings(connection).map(|it| it.rule).collect();
        match &rules[..] {
            [] => String::new(),
            rules => format!(" [{}]", rules.join(", ")),
        }
    }
}

/// `failed: no-response`.
fn judged(outcome: ConnectionOutcome) -> StyledLine {
    let tone = match outcome {
        ConnectionOutcome::Failed(_) => Tone::Error,
        ConnectionOutcome::Fine(_) => Tone::Good,
        ConnectionOutcome::Unknown(UnknownReason::StillOpen) => Tone::Faint,
        ConnectionOutcome::Unknown(_) => Tone::Note,
    };
    let reason = match outcome {
        ConnectionOutcome::Fine(_) => return StyledLine::of(tone, "nothing lost"),
        _ => format!(": {}", outcome.reason().replace('-', " ")),
    };
    StyledLine::of(tone, outcome.name()).plain(reason)
}

fn file(input: &InputSummary) -> StyledLine {
    let of = input
        .only
        .as_ref()
        .map_or_else(String::new, |only| format!(", {}", escape(only.as_bytes())));
    StyledLine::default()
        .code(escape(input.path.as_bytes()))
        .plain(format!(
            "{of}, {}, {}, {}",
            input.format,
            count(input.packets, "packet", "packets"),
            bytes(input.bytes)
        ))
}

/// ` The same story: #2, #3.`
fn alike(group: &ConnectionGroup<'_>) -> String {
    match group.ids.get(1..).unwrap_or_default() {
        [] => String::new(),
        rest if rest.len() <= MORE => format!(" The same story: {}.", ranges(rest, MORE, 0)),
        rest => format!(
            " The same story {} more: {}.",
            count(rest.len() as u64, "time", "times"),
            ranges(rest, MORE, 0)
        ),
    }
}

/// The socket usage of one client towards one server.
fn spent(row: &Sockets) -> String {
    let (low, high) = row.range;
    let ports = match row.basis {
        RangeBasis::Observed => format!("{} ports used, {low}-{high}", number(row.used_peak)),
        RangeBasis::Told | RangeBasis::Default => format!(
            "{} ports used at most, {:.1} % of {low}-{high}",
            number(row.used_peak),
            row.used_peak_percent()
        ),
    };
    format!(
        "{}; {ports}; in TIME-WAIT {} at most, {} at the end.",
        count(row.connections, "connection", "connections"),
        number(row.time_wait_peak),
        number(row.time_wait_now)
    )
}

/// Whether a row is worth showing: a tenth of the range in use, or sockets by the thousand.
fn is_worth_showing(row: &Sockets) -> bool {
    let scarce = row.basis != RangeBasis::Observed && row.used_peak_percent() >= 10.0;
    scarce || row.runs_out_at.is_some() || row.time_wait_peak >= 1000
}

const fn skipped_as(skip: Skip) -> &'static str {
    match skip {
        Skip::NotIp => "without IP",
        Skip::NotTcp => "of other protocols over IP",
        Skip::IcmpError => "ICMP errors about TCP",
        Skip::Fragment => "fragments put together",
        Skip::FragmentDropped => "fragments without their siblings",
        Skip::Cut => "cut before the end of the TCP header",
        Skip::Malformed => "malformed",
        Skip::LinkType => "of a link type that is not read",
        Skip::Encrypted => "encrypted below TCP",
        Skip::Duplicate => "seen a second time",
    }
}
