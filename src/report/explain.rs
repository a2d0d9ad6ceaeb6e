//! What is known about an error text or a code, as plain text: the codes, the possible events on the wire, and the
//! hints in the text at a connection.
//!
//! Times, addresses and ports are parsed from the user's text and formatted anew; nothing else of it is repeated.

use std::fmt::{self, Write as _};

use crate::knowledge::{
    Basis, Code, EventGroup, EventTrace, Explanation, Family, LogLineHints, LogTime, MatchQuality,
    MatchReason, explain,
};
use crate::rules;

/// Programs named per group of events: enough to recognise one's own.
const PROGRAMS: usize = 6;
/// Events listed per group.
const EVENTS: usize = 4;

/// The page; `None` when nothing is known.
#[must_use]
pub fn explanation(told: &Explanation) -> Option<String> {
    if told.is_empty() {
        return None;
    }
    let mut page = String::new();
    write(&mut page, told).expect("a string takes everything");
    Some(page)
}

/// What is said of a text of which nothing is known, and what to do instead.
#[must_use]
pub fn not_known(text: &str) -> String {
    let told = explain(text);
    let mut said = match told.program {
        Some(program) => format!(
            "nothing is known of this text: it names {program}, and none of its known messages is in it"
        ),
        None => "this is no rule and no known error text or code".to_owned(),
    };
    said += if told.hints.is_empty() {
        "; give the whole line with its time and addresses, and its cause (`Caused by`, errno)"
    } else {
        "; but it names a time, an address or a port: `hangup report FILE --error TEXT` finds the connection"
    };
    said + ". `hangup explain` alone says what is known"
}

fn write(page: &mut String, told: &Explanation) -> fmt::Result {
    for code in &told.codes {
        write_code(page, code)?;
    }
    for answer in &told.answers {
        let program = answer.program.unwrap_or("a program");
        writeln!(page, "{program}: \"{}\"", answer.phrase)?;
        let presumed = presumed(answer.basis);
        let note = answer.note.unwrap_or("no event on the wire");
        writeln!(page, "  {note}{presumed}")?;
    }
    if told.stories.is_empty() {
        write_no_event(page, told)?;
    }
    let known = !told.codes.is_empty() || !told.answers.is_empty();
    if known && !told.stories.is_empty() {
        writeln!(page)?;
    }
    if !told.protocols.is_empty() {
        writeln!(
            page,
            "A text of programs that speak {}.",
            told.protocols.join(" or ")
        )?;
    }
    if !told.stories.is_empty() {
        writeln!(page, "{}", introduction(told))?;
    }
    if let Some(program) = told.program.filter(|_| !told.stories.is_empty()) {
        writeln!(
            page,
            "The text names {program}, which has no such known message. This is what its other words can mean."
        )?;
    }
    let common = common_match(told);
    // A page of one code begins with it.
    let is_told = |why: &&MatchReason| matches!(why, MatchReason::Code(_)) && told.codes.len() == 1;
    if let Some(why) = common.filter(|why| !is_told(why)) {
        write_match(page, why)?;
    }
    for story in &told.stories {
        write_story(page, story, common)?;
    }
    if told.more > 0 {
        writeln!(
            page,
            "\n{} less likely left out: give more of the text.",
            told.more
        )?;
    }
    write_hints(page, &told.hints)?;
    let rules = told.stories.iter().flat_map(|story| &story.rules);
    let mut pages: Vec<&str> = Vec::new();
    for name in rules {
        if rules::rule(name).is_some() && !pages.contains(name) {
            pages.push(name);
        }
    }
    if !pages.is_empty() {
        writeln!(
            page,
            "\n`hangup explain RULE` tells more: {}.",
            pages.join(", ")
        )?;
    }
    Ok(())
}

/// What is said where the text stands for no event on the wire.
fn write_no_event(page: &mut String, told: &Explanation) -> fmt::Result {
    match told.status {
        Some(status) if told.codes.is_empty() => writeln!(
            page,
            "A line of an access log with status {status}: the exchange was answered, and the line names no fault of the \
             connection. Whether the response was complete, it does not say."
        ),
        _ if told.stories.is_empty() && !told.answers.is_empty() => writeln!(
            page,
            "The connection carried this normally: a capture shows no fault of TCP for it."
        ),
        _ => Ok(()),
    }
}

fn introduction(told: &Explanation) -> &'static str {
    if told.leaves_no_packet() {
        "No packet of a capture is this itself. What may surround it:"
    } else if told.stories.len() == 1 {
        "On the wire:"
    } else {
        "On the wire, likeliest first:"
    }
}

fn write_code(page: &mut String, code: &Code) -> fmt::Result {
    let Code {
        family,
        code: name,
        aliases,
        meaning,
        ..
    } = code;
    let aliases = if aliases.is_empty() || *family == Family::Haproxy {
        String::new()
    } else {
        format!(" ({})", aliases.replace(' ', ", "))
    };
    writeln!(page, "{} {name}{aliases}: {meaning}", family.title())?;
    if let Some(note) = code.note {
        writeln!(page, "  {note}")?;
    }
    Ok(())
}

/// What most of the stories were matched by: it is said once, above them.
fn common_match(told: &Explanation) -> Option<&MatchReason> {
    let times = |why: &MatchReason| told.stories.iter().filter(|it| it.why == *why).count();
    let each = told.stories.iter().rev().map(|it| &it.why);
    each.max_by_key(|why| times(why))
        .filter(|why| times(why) > 1)
}

/// What was matched, as a line or two of a page.
fn write_match(page: &mut String, why: &MatchReason) -> fmt::Result {
    match why {
        MatchReason::Text(text, MatchQuality::Part) => writeln!(page, "  part of \"{text}\""),
        MatchReason::Text(text, MatchQuality::Alike) => {
            writeln!(page, "  possibly: resembles \"{text}\"")
        }
        MatchReason::Text(text, MatchQuality::Whole) => writeln!(page, "  matches \"{text}\""),
        MatchReason::Message(message) => {
            let words = message.phrase.trim_start_matches('=');
            let presumed = presumed(message.basis);
            writeln!(page, "  matches \"{words}\"{presumed}")?;
            match message.note {
                Some(note) => writeln!(page, "  {note}"),
                None => Ok(()),
            }
        }
        MatchReason::Code(code) => writeln!(page, "  by {} {}", code.family.title(), code.code),
    }
}

fn write_story(page: &mut String, story: &EventGroup, common: Option<&MatchReason>) -> fmt::Result {
    let name = if story.rules.is_empty() {
        "(no rule)".to_owned()
    } else {
        story.rules.join(", ")
    };
    writeln!(page, "\n  {name}")?;
    for event in story.events.iter().take(EVENTS) {
        let seen = match event.trace() {
            EventTrace::Packets => "",
            EventTrace::Circumstance => " (shown by no packet)",
        };
        writeln!(page, "    {}: {}{seen}", event.side().name(), event.story())?;
    }
    if story.events.len() > EVENTS {
        writeln!(page, "    and {} like these", story.events.len() - EVENTS)?;
    }
    let titles = story.products.iter().map(|it| it.title);
    let mut said: Vec<&str> = Vec::new();
    for title in story.programs.iter().copied().chain(titles) {
        if !said.contains(&title) {
            said.push(title);
        }
    }
    if !said.is_empty() {
        let more = match said.len().saturating_sub(PROGRAMS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        said.truncate(PROGRAMS);
        writeln!(page, "    said by {}{more}", said.join(", "))?;
    }
    if common == Some(&story.why) {
        return Ok(());
    }
    let mut told = String::new();
    write_match(&mut told, &story.why)?;
    told.lines().try_for_each(|line| writeln!(page, "  {line}"))
}

/// Said of a text that nobody has compared with the program.
const fn presumed(basis: Basis) -> &'static str {
    match basis {
        Basis::Presumed => " (presumed: not compared with the program)",
        _ => "",
    }
}

fn write_hints(page: &mut String, hints: &LogLineHints) -> fmt::Result {
    if hints.is_empty() {
        return Ok(());
    }
    let mut said: Vec<String> = hints.times.iter().map(moment).collect();
    said.extend(hints.addresses.iter().map(ToString::to_string));
    said.extend(hints.ports.iter().map(|port| format!("port {port}")));
    writeln!(
        page,
        "\nThe text says which connection: {}.",
        said.join(", ")
    )
}

fn moment(moment: &LogTime) -> String {
    let mut text = String::new();
    let (hour, minute, second) = moment.time;
    match (moment.year, moment.month_day) {
        (Some(year), Some((month, day))) => text += &format!("{year}-{month:02}-{day:02} "),
        (None, Some((month, day))) => text += &format!("--{month:02}-{day:02} "),
        _ => {}
    }
    text += &format!("{hour:02}:{minute:02}:{second:02}");
    if moment.nanoseconds != 0 {
        let digits = format!("{:09}", moment.nanoseconds);
        text += &format!(".{}", digits.trim_end_matches('0'));
    }
    match moment.offset {
        None => {}
        Some(0) => text += " UTC",
        Some(east) => {
            let minutes = east.unsigned_abs() / 60;
            let sign = if east < 0 { '-' } else { '+' };
            text += &format!(" {sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(text: &str, parts: &[&str]) {
        let page = explanation(&explain(text)).expect("something is known");
        for part in parts {
            assert!(page.contains(part), "{part:?} is not in:\n{page}");
        }
    }

    #[test]
    fn codes_and_texts() {
        says(
            "socket hang up",
            &[
                "keep-alive-race",
                "closed-before-response",
                "said by Node.js http",
            ],
        );
        says(
            "An unexpected error occurred on a receive",
            &[
                "reset-before-response",
                ".NET Framework",
                "matches \"an unexpected error occurred on a receive\"",
                "keep-alive-race",
            ],
        );
        says(
            "10048",
            &[
                "system error EADDRINUSE",
                "ephemeral-port-pressure",
                "No packet of a capture is this itself",
            ],
        );
        says(
            "0x80070032",
            &[
                "capture holds nothing of it",
                "periodic-abandoned-request",
                "constant period",
            ],
        );
        says("499", &["HTTP status 499", "client-gave-up-waiting"]);
        says(
            "SD",
            &["HAProxy termination state SD", "response-cut-short"],
        );
        says("UC", &["Envoy response flag UC", "keep-alive-race"]);
        says(
            "HTTP 525",
            &["the TLS handshake with the origin failed (presumed)"],
        );
        says(
            "ORA-12543",
            &["matches \"ora 12543\" (presumed: not compared with the program)"],
        );
        let checked = explanation(&explain("ORA-03113")).expect("something is known");
        assert!(!checked.contains("presumed"), "{checked}");
        assert_eq!(explanation(&explain("no-such-rule")), None);
    }

    #[test]
    fn what_was_matched_is_said_once() {
        for text in [
            "socket hang up",
            "An unexpected error occurred on a receive",
            "unexpected EOF",
            "499",
            "10054",
        ] {
            let page = explanation(&explain(text)).expect("something is known");
            let mut lines: Vec<&str> = page.lines().map(str::trim_start).collect();
            lines.retain(|it| {
                let said = ["matches ", "part of ", "possibly: ", "by "];
                said.iter().any(|word| it.starts_with(word))
            });
            let all = lines.len();
            lines.sort_unstable();
            lines.dedup();
            assert_eq!(all, lines.len(), "{page}");
        }
    }

    #[test]
    fn a_log_line_in_whole() {
        let line = "2025/11/20 19:01:02 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to \
                    upstream, client: 10.0.0.1, server: _, upstream: \"http://10.0.0.2:9000/\"";
        let page = explanation(&explain(line)).expect("something is known");
        // The rest depends on which rules exist.
        let page = page.split("\n`hangup").next().unwrap_or("");
        insta::assert_snapshot!(page, @r"
        system error ECONNREFUSED (WSAECONNREFUSED, 111, 10061): the SYN was answered by a RST

        On the wire, likeliest first:

          connection-refused
            client: the SYN is answered by a RST: nobody listens there, or a firewall says so
            said by nginx

          connection-unreachable
            client: ICMP answers the SYN: port unreachable

        The text says which connection: 2025-11-20 19:01:02, 10.0.0.1, 10.0.0.2, port 9000.
        ");
    }

    #[test]
    fn moments() {
        let told = |text: &str| moment(&explain(text).hints.times[0]);
        assert_eq!(
            told("2025-11-20T19:01:02.50-03:30 EPIPE"),
            "2025-11-20 19:01:02.5 -03:30"
        );
        assert_eq!(told("Nov  7 09:01:02 EPIPE"), "--11-07 09:01:02");
        assert_eq!(told("1763665262 EPIPE"), "2025-11-20 19:01:02 UTC");
    }
}
