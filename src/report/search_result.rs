//! The result of a search for an error, at the top of a page: which connections match it.

use super::sheet::Sheet;
use crate::base::format::capitalised;
use crate::base::format::ranges;
use std::io;
use std::time::Duration;

use super::rich_text::{StyledLine, Tone};
use super::view::View;
use crate::base::escape::shortened;
use crate::base::format::{count, duration, number};
use crate::knowledge::{EventTrace, LogTime, MatchQuality, MatchReason};
use crate::rules;
use crate::rules::log_errors::{ClockReading, SearchBasis, SearchResult};

/// Characters of the error that are repeated.
const TEXT: usize = 160;
/// Number ranges of connections listed.
const RANGES: usize = 12;
/// Events listed if no connection matches.
const EVENTS: usize = 6;

pub(super) fn write(
    view: &View<'_>,
    narrowed: &SearchResult,
    sheet: &mut dyn Sheet,
) -> io::Result<()> {
    let text = shortened(narrowed.text.as_bytes(), TEXT);
    sheet.paragraph(&format!("Asked for: “{text}”").into())?;
    sheet.paragraph(&verdict(view, narrowed))?;
    if let Some(sentence) = known_text(narrowed) {
        sheet.paragraph(&sentence.into())?;
    }
    for sentence in line_says(narrowed) {
        sheet.paragraph(&sentence.into())?;
    }
    if narrowed.fits.is_empty() && narrowed.knows_the_error() {
        would_fit(narrowed, sheet)?;
    }
    Ok(())
}

fn verdict(view: &View<'_>, narrowed: &SearchResult) -> StyledLine {
    let all = view.snapshot.connections_total();
    let of = match all {
        1 => "the one connection".to_owned(),
        all => format!("{} connections", number(all)),
    };
    let fits = narrowed.fits.len() as u64;
    if fits == 0 {
        let beside = !view.snapshot.findings.is_empty() && narrowed.pointed.is_none();
        return StyledLine::default().strong(match (narrowed.knows_the_error(), all) {
            _ if beside => "No connection fits that error; what was found without one can lead to it.",
            (_, 0) => "There is no TCP connection in this capture.",
            (true, _) => "Nothing in this capture fits that error.",
            (false, _) if narrowed.names_a_place() => {
                "The error is not known, and what the line names is not in this capture."
            }
            (false, _) => {
                "The error is not known, and no side of a connection says it in this capture. Give more of the log line."
            }
        });
    }
    let shifted = matches!(narrowed.located.time, Some((_, ClockReading::Shifted(_))));
    let hedge = match (narrowed.grounds, shifted) {
        (SearchBasis::Ending | SearchBasis::Close, _) => "Possibly: ",
        (_, true) => "Likely: ",
        _ => "",
    };
    let told = match (fits, all) {
        (1, 1) => "the one connection fits".to_owned(),
        (1, _) => format!("1 of {of} fits: {}", ranges(&narrowed.fits, RANGES, 0)),
        (fits, all) if fits == all => format!("all {of} fit"),
        (fits, _) => format!(
            "{} of {of} fit: {}",
            number(fits),
            ranges(&narrowed.fits, RANGES, 0)
        ),
    };
    let told = if hedge.is_empty() {
        capitalised(&told)
    } else {
        format!("{hedge}{told}")
    };
    let told = format!("{told}{}", if told.ends_with('.') { "" } else { "." });
    let why = match narrowed.grounds {
        SearchBasis::Story => "",
        SearchBasis::Words => " These words were sent there.",
        SearchBasis::OtherProgram => {
            " What happened there fits; the headers name programs that are not known to say it so."
        }
        SearchBasis::Ending => {
            " Going by how they ended; what was under way cannot be read in this capture."
        }
        SearchBasis::Close => {
            " A FIN or RST there makes a read or a write fail with this error; whether the program still read or wrote, \
             no packet shows."
        }
        SearchBasis::Finding if narrowed.leaves_no_packet() => {
            " The error itself leaves no packet; what leads to it is here."
        }
        SearchBasis::Finding => " What was found there can lead to it.",
        SearchBasis::Line if fits == 1 => {
            " The error is not known here; this is the connection that the line names."
        }
        SearchBasis::Line => {
            " The error is not known here; these are the connections that the line names."
        }
    };
    StyledLine::default().strong(told).plain(why)
}

/// Which known text of a protocol other than HTTP it is, and how well it matches.
fn known_text(narrowed: &SearchResult) -> Option<String> {
    if narrowed.protocols.is_empty() {
        return None;
    }
    let protocols = narrowed.protocols.join(" or ");
    let how = match narrowed.known.as_ref()? {
        MatchReason::Text(text, MatchQuality::Whole) => format!("it holds all of “{text}”"),
        MatchReason::Text(text, MatchQuality::Part) => format!("it is a part of “{text}”"),
        MatchReason::Text(text, MatchQuality::Alike) => format!("it resembles “{text}”"),
        MatchReason::Message(message) => {
            let words = message.phrase.trim_start_matches('=');
            format!("it holds the words “{words}”")
        }
        MatchReason::Code(code) => format!("it names {} {}", code.family.title(), code.code),
    };
    Some(format!("Programs that speak {protocols} print it: {how}."))
}

/// How the line's addresses, ports and times were used.
fn line_says(narrowed: &SearchResult) -> Vec<String> {
    let located = &narrowed.located;
    let mut said = Vec::new();
    let mut found: Vec<String> = located.addresses.iter().map(ToString::to_string).collect();
    found.extend(located.ports.iter().map(|port| format!("port {port}")));
    if let Some((moment, clock)) = &located.time {
        found.push(match clock {
            ClockReading::Told => format!("the time {}", time_of(moment)),
            ClockReading::Utc => format!("the time {}, taken as UTC", time_of(moment)),
            ClockReading::Shifted(seconds) => format!(
                "the time {}, if that clock is {} UTC",
                time_of(moment),
                ahead(*seconds)
            ),
        });
    }
    let fits = narrowed.fits.len();
    if !found.is_empty() && fits > 0 {
        let among = match narrowed.before {
            before if before > fits => format!(
                " Without it {} would fit.",
                count(before as u64, "connection", "connections")
            ),
            _ => String::new(),
        };
        said.push(format!(
            "The line itself says which: {}.{among}",
            found.join(", ")
        ));
    }
    if let Some(id) = narrowed.pointed {
        said.push(format!(
            "The line points to #{id} ({}), which ended differently; see below.",
            found.join(", ")
        ));
    }
    let mut strange: Vec<String> = located
        .unmatched_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    strange.extend(
        located
            .unmatched_ports
            .iter()
            .map(|port| format!("port {port}")),
    );
    if !strange.is_empty() && fits > 0 {
        said.push(format!("Not on these connections: {}.", strange.join(", ")));
    }
    if located.unmatched_time && fits > 0 {
        said.push(
            "None of them ended at the line's time, neither in UTC nor in another zone.".to_owned(),
        );
    }
    said
}

fn time_of(moment: &LogTime) -> String {
    let (hour, minute, second) = moment.time;
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// `2 h ahead of`, `5 h 30 min behind`.
fn ahead(seconds: i32) -> String {
    let side = if seconds < 0 { "behind" } else { "ahead of" };
    let apart = Duration::from_secs(seconds.unsigned_abs().into());
    format!("{} {side}", duration(apart))
}

fn would_fit(narrowed: &SearchResult, sheet: &mut dyn Sheet) -> io::Result<()> {
    for code in &narrowed.codes {
        let told = format!("{} {}: {}", code.family.title(), code.code, code.meaning);
        sheet.detail("", &told.into())?;
        if let Some(note) = code.note {
            sheet.detail("", &note.into())?;
        }
    }
    if narrowed.wanted.is_empty() {
        return Ok(());
    }
    sheet.paragraph(&"What would:".into())?;
    for event in narrowed.wanted.iter().take(EVENTS) {
        let seen = match event.trace() {
            EventTrace::Packets => "",
            EventTrace::Circumstance => " (no packet shows it)",
        };
        let mut line = StyledLine::default()
            .plain("– ")
            .plain(format!("{}{seen}", event.story()));
        if let Some(rule) = event.rules().iter().find(|it| rules::rule(it).is_some()) {
            line = line.with(Tone::Faint, format!(" [{rule}]"));
        }
        sheet.detail("", &line)?;
    }
    if let Some(more @ 1..) = narrowed.wanted.len().checked_sub(EVENTS) {
        let told = format!("– and {more} more; `hangup explain` lists them");
        sheet.detail("", &told.into())?;
    }
    Ok(())
}
