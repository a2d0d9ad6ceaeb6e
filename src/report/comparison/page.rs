//! The comparison for people: the verdict, both captures, a table of differences, then each with an example from both
//! sides, and what is equal.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

use super::differences::{Captured, Comparison, Difference, ServiceComparison, Share};
use crate::base::escape::escape;
use crate::base::format::{capitalised, count, duration, number};
use crate::base::shell::shell_word;
use crate::report::ReportOptions;
use crate::report::rich_text::{RichTable, StyledLine, Tone};
use crate::report::sheet::Sheet;

/// What each side is called.
pub(super) const SIDES: [&str; 2] = ["A", "B"];
/// Values of one side that are listed.
const VALUES: usize = 4;
/// Services of one side that are listed.
const SERVICES: usize = 6;

/// Writes the comparison to a sheet.
pub(super) fn write(
    comparison: &Comparison,
    options: &ReportOptions,
    sheet: &mut dyn Sheet,
) -> io::Result<()> {
    let page = Page {
        comparison,
        options,
        drawn: RefCell::default(),
    };
    sheet.title(&page.title(), None)?;
    sheet.paragraph(&page.verdict())?;
    page.captures(sheet)?;
    let is_one = comparison.services.len() == 1;
    let mut nth = 0;
    if comparison.differences() > 1 {
        sheet.heading("Differences")?;
        sheet.table(&page.table())?;
    }
    for service in &comparison.services {
        if !is_one {
            sheet.heading(&heading(service))?;
        }
        for difference in &service.differences {
            nth += 1;
            page.difference(nth, difference, sheet)?;
        }
        equal(service, sheet)?;
    }
    page.unmatched(sheet)
}

struct Page<'p> {
    comparison: &'p Comparison,
    options: &'p ReportOptions,
    /// The commands that are on the page.
    drawn: RefCell<BTreeSet<String>>,
}

impl Page<'_> {
    fn title(&self) -> StyledLine {
        let [a, b] = &self.comparison.captures;
        let line = StyledLine::default().strong("hangup diff").plain(" of ");
        match self.comparison.pair {
            Some([one, other]) => line
                .plain(format!("#{one} and #{other} in "))
                .code(escape(a.path.as_bytes())),
            None => line
                .code(escape(a.path.as_bytes()))
                .plain(" and ")
                .code(escape(b.path.as_bytes())),
        }
    }

    /// `3 differences in 24 against 25 connections to port 80.`
    fn verdict(&self) -> StyledLine {
        let differences = self.comparison.differences() as u64;
        let (tone, found) = match differences {
            0 => (Tone::Good, "No difference".to_owned()),
            some => (Tone::Error, count(some, "difference", "differences")),
        };
        let line = StyledLine::of(tone, found);
        if let Some([one, other]) = self.comparison.pair {
            return line.plain(format!(" between connections #{one} and #{other}."));
        }
        let services = &self.comparison.services;
        let sum = |side: usize| services.iter().map(|it| it.connections[side]).sum();
        let (a, b): (u64, u64) = (sum(0), sum(1));
        let place = match &services[..] {
            [only] => service(only),
            all => count(all.len() as u64, "service", "services"),
        };
        let connections = count(b, "connection", "connections");
        line.plain(match a == b {
            true => format!(" in {connections} to {place} on each side."),
            false => format!(" in {} against {connections} to {place}.", number(a)),
        })
    }

    fn captures(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        let captures = &self.comparison.captures;
        if self.comparison.pair.is_some() {
            for lack in &captures[0].lacks {
                sheet.detail("Lacks", &StyledLine::of(Tone::Warning, lack))?;
            }
            return Ok(());
        }
        for (nth, (side, captured)) in SIDES.into_iter().zip(captures).enumerate() {
            sheet.detail(side, &self.capture(captured, nth))?;
            for lack in &captured.lacks {
                sheet.detail(side, &StyledLine::of(Tone::Warning, lack))?;
            }
        }
        Ok(())
    }

    /// `a.pcapng, pcapng, 240 packets, 24 connections, 2.10 s; server Example/1.0`.
    fn capture(&self, captured: &Captured, side: usize) -> StyledLine {
        let mut told = format!(
            ", {}, {}",
            count(captured.packets, "packet", "packets"),
            count(captured.connections, "connection", "connections")
        );
        if let Some((first, last)) = captured.span {
            told += &format!(
                ", {} from {}",
                duration(last.since(first)),
                self.options.zone.full(first)
            );
        }
        for (nth, who) in ["client", "server"].into_iter().enumerate() {
            let services = self.comparison.services.iter();
            let mut names: Vec<&str> = services
                .flat_map(|it| &it.products[side][nth])
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            names.dedup();
            names.truncate(VALUES);
            if !names.is_empty() {
                told += &format!("; {who} {}", names.join(", "));
            }
        }
        StyledLine::default()
            .code(escape(captured.path.as_bytes()))
            .plain(told)
    }

    /// A row for each difference.
    fn table(&self) -> RichTable {
        let services = self.comparison.services.iter();
        let all = services.flat_map(|it| {
            let own = it.differences.iter();
            own.map(move |difference| (it, difference))
        });
        let is_one = self.comparison.services.len() == 1;
        let rows = (1_u32..).zip(all).map(|(nth, (of, difference))| {
            let [a, b] = &difference.sides;
            let mut row = vec![
                nth.to_string().into(),
                difference.fact.label.into(),
                short(a),
                short(b),
            ];
            if !is_one {
                row.push(service(of).into());
            }
            row
        });
        let mut columns = vec![("#", true), ("What", false), ("A", false), ("B", false)];
        if !is_one {
            columns.push(("Where", false));
        }
        RichTable {
            columns,
            spares_last: !is_one,
            rows: rows.collect(),
        }
    }

    fn difference(
        &self,
        nth: u32,
        difference: &Difference,
        sheet: &mut dyn Sheet,
    ) -> io::Result<()> {
        let headline = StyledLine::default()
            .plain(format!("{nth}. "))
            .strong(difference.fact.label);
        sheet.entry(&headline)?;
        for ((side, shares), captured) in self
            .labels()
            .into_iter()
            .zip(&difference.sides)
            .zip(&self.comparison.captures)
        {
            for share in shares.iter().take(VALUES) {
                sheet.detail(side, &counted(share, difference))?;
                if let Some(line) = example(share, captured) {
                    sheet.detail(side, &line.into())?;
                }
            }
        }
        if !difference.fact.meaning.is_empty() {
            sheet.detail("Meaning", &difference.fact.meaning.into())?;
        }
        for command in self.commands(difference) {
            if self.drawn.borrow_mut().insert(command.clone()) {
                sheet.detail("Ladder", &StyledLine::default().code(command))?;
            }
        }
        Ok(())
    }

    /// What the sides are called.
    fn labels(&self) -> [&'static str; 2] {
        match self.comparison.pair {
            Some(_) => ["First", "Second"],
            None => SIDES,
        }
    }

    /// The commands that draw the examples.
    fn commands(&self, difference: &Difference) -> Vec<String> {
        let sides = difference.sides.iter().zip(&self.comparison.captures);
        let drawn = sides.filter_map(|(shares, captured)| {
            let example = shares.iter().find_map(|it| it.example.as_ref())?;
            (captured.path != "-").then(|| {
                let path = shell_word(&*escape(captured.path.as_bytes()));
                (path, example.connection)
            })
        });
        let drawn: Vec<(String, u32)> = drawn.collect();
        match &drawn[..] {
            [(path, one), (other, two)] if path == other && self.comparison.pair.is_some() => {
                vec![format!("hangup ladder {path} -c {one},{two}")]
            }
            _ => drawn
                .into_iter()
                .map(|(path, id)| format!("hangup ladder {path} -c {id}"))
                .collect(),
        }
    }

    /// What only one side has.
    fn unmatched(&self, sheet: &mut dyn Sheet) -> io::Result<()> {
        for (nth, side) in SIDES.into_iter().enumerate() {
            let names = self.comparison.alone(nth);
            if names.is_empty() {
                continue;
            }
            let mut told = names
                .iter()
                .take(SERVICES)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            if let Some(more @ 1..) = names.len().checked_sub(SERVICES) {
                told += &format!(" and {} more", number(more as u64));
            }
            let line = StyledLine::default()
                .strong(format!("Only in {side}, not compared: "))
                .plain(format!("{told}."));
            sheet.paragraph(&line)?;
        }
        Ok(())
    }
}

/// The name of a service: `port 80`, or `port 80 of A and port 8080 of B`.
fn service(service: &ServiceComparison) -> String {
    let [a, b] = &service.names;
    match a == b {
        true => a.clone(),
        false => format!("{a} of A and {b} of B"),
    }
}

fn heading(of: &ServiceComparison) -> String {
    let [a, b] = of.connections;
    let name = service(of);
    let connections = count(b, "connection", "connections");
    let name = capitalised(&name);
    format!("{name}: {} against {connections}", number(a))
}

/// What is equal, and what may be chance.
fn equal(service: &ServiceComparison, sheet: &mut dyn Sheet) -> io::Result<()> {
    if !service.differences.is_empty() {
        sheet.entry(&StyledLine::default().strong("What does not differ"))?;
    }
    for difference in &service.chance {
        let [a, b] = &difference.sides;
        let line = format!(
            "{}: {} against {}",
            difference.fact.label,
            shares(a),
            shares(b)
        );
        sheet.detail("Too few", &line.into())?;
    }
    let names: Vec<_> = service.equal.iter().map(|it| in_a_list(it.label)).collect();
    match names.is_empty() {
        true => Ok(()),
        false => sheet.detail("Equal", &names.join(", ").into()),
    }
}

/// What two connections have where they differ, in a line.
pub(super) fn sides(difference: &Difference, ids: [u32; 2]) -> String {
    let sides = ids.iter().zip(&difference.sides).map(|(id, shares)| {
        let values = shares.iter().map(|it| match it.count == it.of {
            true => it.value.to_string(),
            false => part(it),
        });
        format!("#{id} {}", values.collect::<Vec<_>>().join(", "))
    });
    sides.collect::<Vec<_>>().join("; ")
}

/// A label within a sentence: "order of FINs and RSTs", "TLS version".
fn in_a_list(label: &str) -> Cow<'_, str> {
    let mut chars = label.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_lowercase() => {
            format!(
                "{}{}",
                first.to_ascii_lowercase(),
                label.get(1..).unwrap_or_default()
            )
            .into()
        }
        _ => label.into(),
    }
}

/// `fine (38 of 40), failed: a request got no response (2 of 40)`.
fn shares(shares: &[Share]) -> String {
    let told = shares.iter().take(VALUES).map(part);
    told.collect::<Vec<_>>().join(", ")
}

/// `fine (38 of 40)`.
fn part(share: &Share) -> String {
    let [count, of] = [share.count, share.of].map(number);
    format!("{} ({count} of {of})", share.value)
}

/// The value in a table: of several the most frequent one, with its share.
fn short(shares: &[Share]) -> StyledLine {
    match shares {
        [] => StyledLine::default(),
        [only] if only.count == only.of => only.value.as_ref().into(),
        [first, ..] => part(first).into(),
    }
}

/// `client FIN, then server FIN: 24 of 24 connections`.
fn counted(share: &Share, difference: &Difference) -> StyledLine {
    let (one, many) = difference.fact.unit.nouns();
    let of = count(share.of, one, many);
    let told = match share.count {
        0 => format!(": none of {of}"),
        1 if share.of == 1 => format!(": the only {one}"),
        2 if share.of == 2 => format!(": both {many}"),
        all if all == share.of => format!(": all of {of}"),
        some => format!(": {} of {of}", number(some)),
    };
    StyledLine::default()
        .strong(share.value.as_ref())
        .plain(told)
}

/// `#1, 10.0.0.1:49152 → 10.0.0.2:80, a.pcapng:9 and 10`.
fn example(share: &Share, captured: &Captured) -> Option<String> {
    let example = share.example.as_ref()?;
    let frames = captured.frames(&example.frames);
    Some(format!(
        "#{}, {} → {}, {frames}",
        example.connection, example.client, example.server
    ))
}
