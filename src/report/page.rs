//! The page that people read: what is told, and in which order.
//!
//! First the verdict on the whole, then what was captured (and what is missing from it), then what is wrong and how to
//! change it, then how all connections ended, and at last the ones that deserve a look, each in a sentence. It stays a
//! page however large the capture is. [`Sheet`] is what a format must be able to put on paper.

use std::io;

use hashbrown::HashMap;

use super::groups::{Group, MOST, groups};
use super::line::{Line, Table, Tone};
use super::view::View;
use crate::certainty::Certainty;
use crate::connection::{Connection, How, Who};
use crate::decode::Skip;
use crate::escape::escape;
use crate::hosts::{RangeBasis, Sockets};
use crate::ledger::Input;
use crate::prose::clock::{self, span};
use crate::prose::figures::{bytes, count, number};
use crate::prose::story::{self, story};
use crate::rules::{Finding, Severity};
use crate::time::Timestamp;

/// Files named one by one.
const FILES: usize = 12;
/// Numbers of further connections given.
const MORE: usize = 8;
/// Rows of the sockets table.
const SOCKETS: usize = 12;

/// What a page is made of.
pub(super) trait Sheet {
    /// What the page is about.
    fn title(&mut self, line: &Line) -> io::Result<()>;
    /// Begins a section.
    fn heading(&mut self, text: &str) -> io::Result<()>;
    fn paragraph(&mut self, line: &Line) -> io::Result<()>;
    /// Begins something with details.
    fn entry(&mut self, line: &Line) -> io::Result<()>;
    /// A detail and what it is; the same label as before need not be shown again.
    fn detail(&mut self, label: &'static str, line: &Line) -> io::Result<()>;
    /// Something short, and a text about it.
    fn item(&mut self, lead: &Line, body: &Line) -> io::Result<()>;
    fn table(&mut self, table: &Table) -> io::Result<()>;
}

/// Puts the page on a sheet.
pub(super) fn write(view: &View<'_>, sheet: &mut dyn Sheet) -> io::Result<()> {
    let page = Page::new(view);
    sheet.title(&page.title())?;
    sheet.paragraph(&page.verdict())?;
    sheet.heading("The capture")?;
    page.capture(sheet)?;
    page.findings(sheet)?;
    page.endings(sheet)?;
    page.sockets(sheet)?;
    page.connections(sheet)
}

struct Page<'v, 'a> {
    view: &'v View<'a>,
    /// Connections that ended without order.
    disorderly: u64,
    /// Connections that had not ended.
    open: u64,
    /// Connections that deserve a look.
    notable: u64,
    /// Payload that was acknowledged and is not in the capture.
    missing: u64,
}

impl<'v, 'a> Page<'v, 'a> {
    fn new(view: &'v View<'a>) -> Self {
        let mut page = Self {
            view,
            disorderly: 0,
            open: 0,
            notable: 0,
            missing: 0,
        };
        for brief in &view.snapshot.briefs {
            let open = brief.how == How::Open;
            page.open += u64::from(open);
            page.disorderly += u64::from(!open && !brief.orderly);
        }
        for connection in &view.snapshot.connections {
            page.notable += u64::from(view.is_notable(connection));
            let missing = connection.sent.iter().map(|sent| sent.missing);
            page.missing = missing.fold(page.missing, u64::saturating_add);
        }
        page
    }

    fn title(&self) -> Line {
        let inputs = &self.view.snapshot.summary.inputs;
        let line = Line::default().strong("hangup").plain(" on ");
        match &inputs[..] {
            [] => line.plain("nothing"),
            [only] => line.code(escape(only.path.as_bytes())),
            [first, rest @ ..] => line.code(escape(first.path.as_bytes())).plain(format!(
                " and {}",
                count(rest.len() as u64, "other file", "other files")
            )),
        }
    }

    /// The whole in a line.
    fn verdict(&self) -> Line {
        let snapshot = self.view.snapshot;
        let all = snapshot.briefs.len() as u64;
        if all == 0 {
            let summary = &snapshot.summary;
            let read = summary.inputs.iter().any(|input| input.packets > 0);
            return Line::default().strong(match (summary.frames, summary.segments) {
                (0, _) if read => "No packet passes the filter.",
                (0, _) => "There is no packet in this capture.",
                (_, 0) => "There is no TCP in this capture.",
                _ => "There is no TCP connection in this capture.",
            });
        }
        let of = |severity: Severity| {
            let findings = snapshot.findings.iter();
            findings.filter(|it| it.severity == severity).count() as u64
        };
        let (errors, warnings, notes) = (
            of(Severity::Error),
            of(Severity::Warning),
            of(Severity::Note),
        );
        let open = match self.open {
            0 => String::new(),
            open => format!(
                " {} still open when the capture ends.",
                match open {
                    1 => "1 was".to_owned(),
                    open => format!("{} were", number(open)),
                }
            ),
        };
        if errors + warnings + notes + self.notable == 0 {
            let told = match all {
                1 if self.open == 1 => "Nothing is wrong with the one connection.".to_owned(),
                1 => "Nothing is wrong: the one connection ended in order.".to_owned(),
                all if self.open == all => {
                    format!("Nothing is wrong with the {} connections.", number(all))
                }
                all if self.open > 0 => {
                    format!("Nothing is wrong with the {} connections.", number(all))
                }
                all => format!(
                    "Nothing is wrong: all {} connections ended in order.",
                    number(all)
                ),
            };
            return Line::default().with(Tone::Good, told).plain(open);
        }
        let mut line = Line::default();
        for (tone, found, one, many) in [
            (Tone::Error, errors, "error", "errors"),
            (Tone::Warning, warnings, "warning", "warnings"),
            (Tone::Note, notes, "note", "notes"),
        ] {
            if found > 0 {
                let between = if line.0.is_empty() { "" } else { ", " };
                line = line.plain(between).with(tone, count(found, one, many));
            }
        }
        let between = if line.0.is_empty() { "" } else { "; " };
        let order = match (self.disorderly, all) {
            (0, 1) if self.open == 0 => "the one connection ended in order.".to_owned(),
            (0, 1) => "the one connection had not ended.".to_owned(),
            (0, all) if self.open == 0 => {
                format!("all {} connections ended in order.", number(all))
            }
            (0, all) => format!("none of {} connections ended out of order.", number(all)),
            (1, 1) => "the one connection did not end in order.".to_owned(),
            (some, all) => format!(
                "{} of {} connections did not end in order.",
                number(some),
                number(all)
            ),
        };
        let mut order = format!("{between}{order}{open}");
        if line.0.is_empty() {
            order = capitalised(&order);
        }
        line.plain(order)
    }

    fn capture(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let summary = &self.view.snapshot.summary;
        for input in summary.inputs.iter().take(FILES) {
            sheet.detail("Read", &file(input))?;
        }
        if let Some(more @ 1..) = summary.inputs.len().checked_sub(FILES) {
            sheet.detail("Read", &format!("and {} more", number(more as u64)).into())?;
        }
        for input in &summary.inputs {
            if let Some(damage) = &input.damage {
                let told = format!(
                    " at byte {}: {}. The rest was read as far as it goes.",
                    number(damage.offset),
                    escape(damage.reason.trim_end_matches('.').as_bytes())
                );
                let path = escape(input.path.as_bytes());
                sheet.detail(
                    "Damaged",
                    &Line::default().code(path).with(Tone::Warning, told),
                )?;
            }
        }
        if let Some((first, last)) = summary.span {
            let zone = &self.view.options.zone;
            let same_day = zone.date(first) == zone.date(last);
            let until = if same_day {
                zone.time_of_day(last)
            } else {
                zone.full(last)
            };
            let told = format!(
                "{} to {until}, {}",
                zone.full(first),
                span(last.since(first))
            );
            sheet.detail("Time", &told.into())?;
        }
        sheet.detail("Packets", &self.packets())?;
        if let Some(line) = self.losses() {
            sheet.detail("Lost", &line)?;
        }
        for limit in &summary.limits {
            let told = format!("{} {}", number(limit.count), limit.meaning);
            sheet.detail("Limits", &Line::default().with(Tone::Warning, told))?;
        }
        Ok(())
    }

    fn packets(&self) -> Line {
        let summary = &self.view.snapshot.summary;
        let connections = self.view.snapshot.briefs.len() as u64;
        let mut told = match (summary.segments, connections) {
            (0, _) => count(summary.frames, "packet", "packets"),
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
            told += &format!("{} {}", number(*skipped), skipped_as(*skip));
        }
        told.into()
    }

    fn losses(&self) -> Option<Line> {
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
                "{} of payload were acknowledged and are not here",
                bytes(self.missing)
            ));
        }
        (!parts.is_empty()).then(|| Line::default().with(Tone::Warning, parts.join("; ")))
    }

    fn findings(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let findings = &self.view.snapshot.findings;
        if findings.is_empty() {
            return Ok(());
        }
        sheet.heading("What was found")?;
        // The same about other hosts is told in a line each.
        let mut told: Vec<(&Finding, Vec<&Finding>)> = Vec::new();
        for finding in findings {
            let same = |it: &&mut (&Finding, Vec<&Finding>)| {
                let of = |it: &Finding| (it.rule, it.severity, it.certainty);
                of(it.0) == of(finding) && it.0.summary == finding.summary
            };
            match told.iter_mut().find(same) {
                Some((_, others)) => others.push(finding),
                None => told.push((finding, Vec::new())),
            }
        }
        for (finding, others) in told {
            self.finding(sheet, finding)?;
            for other in others.iter().take(MORE) {
                sheet.detail("Also", &self.elsewhere(other).into())?;
            }
            if let Some(more @ 1..) = others.len().checked_sub(MORE) {
                sheet.detail(
                    "Also",
                    &format!("in {} more places", number(more as u64)).into(),
                )?;
            }
        }
        Ok(())
    }

    /// `2. 33,750 × 10.0.0.2 → 10.0.0.9:80, first #2`.
    fn elsewhere(&self, finding: &Finding) -> String {
        let mut line = format!("{}. ", finding.id);
        if finding.connections.len() > 1 {
            line += &format!("{} × ", number(finding.connections.len() as u64));
        }
        line += &match (finding.client, finding.server) {
            (Some(client), Some(server)) => format!("{client} → {server}"),
            (Some(client), None) => client.to_string(),
            (None, Some(server)) => format!("→ {server}"),
            (None, None) => "several hosts".to_owned(),
        };
        if let Some(first) = finding.connections.first() {
            line += &format!(", first #{first}");
        }
        line
    }

    fn finding(&self, sheet: &mut dyn Sheet, finding: &Finding) -> io::Result<()> {
        let connections = finding.connections.len() as u64;
        let times = if connections > 1 {
            format!("{} × ", number(connections))
        } else {
            String::new()
        };
        let lead = Line::default()
            .plain(format!("{}. ", finding.id))
            .with(
                tone(finding.severity),
                finding.severity.name().to_uppercase(),
            )
            .plain("  ")
            .strong(format!("{times}{}", finding.summary))
            .faint(format!("  [{}]", finding.rule));
        sheet.entry(&lead)?;
        let hedge = match finding.certainty {
            Certainty::Certain => "",
            Certainty::Likely => "Likely: ",
            Certainty::Possible => "Possibly: ",
        };
        sheet.detail("", &format!("{hedge}{}", finding.message).into())?;
        let first = finding
            .connections
            .first()
            .and_then(|id| self.connection(*id));
        if let Some(connection) = first {
            let line = Line::default().plain(self.place(connection));
            sheet.detail("First", &line.plain(more(&finding.connections)))?;
        }
        for evidence in &finding.evidence {
            let told = format!(
                "frame {}, {} {}: {}",
                number(evidence.mark.frame.0),
                self.time(evidence.mark.time),
                self.offset(evidence.mark.time),
                evidence.note
            );
            sheet.detail("Evidence", &told.into())?;
        }
        if let Some(connection) = first {
            sheet.detail("Filter", &Line::default().code(story::filter(connection)))?;
        }
        for (nth, remedy) in (1..).zip(&finding.remedies) {
            let numbered = match finding.remedies.len() {
                1 => remedy.clone(),
                _ => format!("{nth}. {remedy}"),
            };
            sheet.detail("Remedy", &numbered.into())?;
        }
        Ok(())
    }

    fn endings(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let connections = &self.view.snapshot.briefs;
        if connections.is_empty() {
            return Ok(());
        }
        let mut kinds: HashMap<_, (u64, u32), foldhash::fast::FixedState> = HashMap::default();
        for connection in connections {
            let kind = (
                connection.by,
                connection.how,
                connection.phase,
                connection.orderly,
            );
            let (count, _) = kinds.entry(kind).or_insert((0, connection.id));
            *count += 1;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, (count, first))| (std::cmp::Reverse(*count), *first));
        let mut table = Table {
            columns: vec![
                ("Count", true),
                ("Who", false),
                ("How", false),
                ("When", false),
                ("In order", false),
                ("First", true),
            ],
            rows: Vec::new(),
        };
        for ((by, how, phase, orderly), (count, first)) in kinds {
            let order = match (how, orderly) {
                (How::Open, _) => Line::default().faint("–"),
                (_, true) => Line::default().with(Tone::Good, "yes"),
                (_, false) => Line::default().with(Tone::Warning, "no"),
            };
            table.rows.push(vec![
                number(count).into(),
                story::who(by).into(),
                story::how(how).into(),
                story::when(phase).into(),
                order,
                format!("#{first}").into(),
            ]);
        }
        if table.rows.len() > 1 {
            let all = number(connections.len() as u64);
            table
                .rows
                .push(vec![Line::default().strong(all), "in all".into()]);
        }
        sheet.heading("How the connections ended")?;
        sheet.table(&table)?;
        let let_go = self.view.snapshot.summary.let_go;
        if let_go > 0 {
            let told = format!("{} more were counted and not kept.", number(let_go));
            sheet.paragraph(&Line::default().with(Tone::Warning, told))?;
        }
        Ok(())
    }

    fn sockets(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let rows = self
            .view
            .snapshot
            .sockets
            .iter()
            .filter(|row| says_something(row));
        let rows: Vec<_> = rows.take(SOCKETS).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut table = Table {
            columns: vec![
                ("Client", false),
                ("Server", false),
                ("Connections", true),
                ("TIME-WAIT", true),
                ("Peak", true),
                ("Ports used", true),
                ("Of range", true),
            ],
            rows: Vec::new(),
        };
        for row in &rows {
            let share = row.used_peak_percent();
            let (low, high) = row.range;
            let range = match row.basis {
                RangeBasis::Observed => format!("{low}-{high} seen"),
                RangeBasis::Told | RangeBasis::Default => format!("{share:.1} % of {low}-{high}"),
            };
            table.rows.push(vec![
                row.client.to_string().into(),
                row.server.to_string().into(),
                number(row.connections).into(),
                number(row.time_wait_now).into(),
                number(row.time_wait_peak).into(),
                number(row.used_peak).into(),
                range.into(),
            ]);
        }
        sheet.heading("Sockets that clients spend")?;
        sheet.table(&table)?;
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
                    self.offset(at)
                );
                sheet.paragraph(&Line::default().with(Tone::Warning, told))?;
            }
        }
        Ok(())
    }

    fn connections(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        if self.view.shows_all() {
            sheet.heading("Connections")?;
            for connection in self.view.shown() {
                let body = Line::from(story(connection))
                    .plain(self.logs(connection))
                    .plain(self.findings_of(connection));
                sheet.item(&self.lead(connection), &body)?;
            }
            return Ok(());
        }
        let groups = groups(self.view);
        if groups.is_empty() {
            return Ok(());
        }
        sheet.heading("Connections that deserve a look")?;
        for group in groups.iter().take(MOST) {
            let body = Line::from(story(group.first))
                .plain(self.logs(group.first))
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

    /// What will be in the two logs: the named program's text, or the likeliest suspect's.
    fn logs(&self, connection: &Connection) -> String {
        let mut logs = String::new();
        for (who, side) in [(Who::Client, "client"), (Who::Server, "server")] {
            let told = self.view.told(connection, who);
            let Some(first) = told.first() else {
                continue;
            };
            let stack = first.stack;
            logs += &match (first.text, first.identified_by) {
                (Some(text), Some(_)) => format!(" The {side}'s log ({stack}) will say: “{text}”."),
                (Some(text), None) => {
                    format!(" The {side}'s log will say, if it is {stack}: “{text}”.")
                }
                (None, _) => format!(
                    " The {side}'s log ({stack}) will say nothing: {}.",
                    first.note.unwrap_or("it reports no error")
                ),
            };
        }
        logs
    }

    fn lead(&self, connection: &Connection) -> Line {
        Line::default()
            .strong(format!("#{}", connection.id))
            .plain(format!("  {}  ", story::route(connection)))
            .faint(format!(
                "{} {}",
                self.time(connection.first.time),
                self.offset(connection.first.time)
            ))
    }

    /// ` (findings 1 and 3)`.
    fn findings_of(&self, connection: &Connection) -> String {
        let numbers = self.view.finding_numbers(connection.id);
        let list: Vec<_> = numbers.iter().map(u32::to_string).collect();
        match &list[..] {
            [] => String::new(),
            [only] => format!(" Finding {only}."),
            [first @ .., last] => format!(" Findings {} and {last}.", first.join(", ")),
        }
    }

    fn place(&self, connection: &Connection) -> String {
        format!(
            "#{}, {}, frames {} to {}",
            connection.id,
            story::route(connection),
            number(connection.first.frame.0),
            number(connection.last.frame.0)
        )
    }

    fn connection(&self, id: u32) -> Option<&'a Connection> {
        self.view.snapshot.connection(id)
    }

    /// The time of day, with the date unless it is the capture's first.
    fn time(&self, at: Timestamp) -> String {
        let zone = &self.view.options.zone;
        let start = self
            .view
            .snapshot
            .summary
            .span
            .map_or(at, |(first, _)| first);
        let time = zone.time_of_day(at);
        if zone.date(start) == zone.date(at) {
            time
        } else {
            format!("{} {time}", zone.date(at))
        }
    }

    /// `(+0.041 s)`.
    fn offset(&self, at: Timestamp) -> String {
        let (start, end) = self.view.snapshot.summary.span.unwrap_or((at, at));
        format!("({})", clock::offset(at, start, end))
    }
}

fn file(input: &Input) -> Line {
    let told = format!(
        ", {}, {}, {}",
        input.format,
        count(input.packets, "packet", "packets"),
        bytes(input.bytes)
    );
    Line::default()
        .code(escape(input.path.as_bytes()))
        .plain(told)
}

/// ` The same story: #2, #3.`
fn alike(group: &Group<'_>) -> String {
    match group.ids.get(1..).unwrap_or_default() {
        [] => String::new(),
        rest if rest.len() <= MORE => format!(" The same story: {}.", named(rest)),
        rest => format!(
            " The same story {} more: {}, …",
            count(rest.len() as u64, "time", "times"),
            named(&rest[..MORE])
        ),
    }
}

fn named(ids: &[u32]) -> String {
    let named: Vec<_> = ids.iter().map(|id| format!("#{id}")).collect();
    named.join(", ")
}

/// `; also #2, #3, #4`.
fn more(ids: &[u32]) -> String {
    match ids.get(1..).unwrap_or_default() {
        [] => String::new(),
        rest if rest.len() <= MORE => format!("; also {}", named(rest)),
        rest => format!(
            "; also {} and {} more",
            named(&rest[..MORE]),
            number((rest.len() - MORE) as u64)
        ),
    }
}

/// Whether a row is worth the reader's time: a tenth of the range in use, or sockets by the thousand.
fn says_something(row: &Sockets) -> bool {
    let scarce = row.basis != RangeBasis::Observed && row.used_peak_percent() >= 10.0;
    scarce || row.runs_out_at.is_some() || row.time_wait_peak >= 1000
}

const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Error,
        Severity::Warning => Tone::Warning,
        Severity::Note => Tone::Note,
        Severity::Benign => Tone::Good,
    }
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

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
