//! The answer to "what does this error mean?": what was recognised in the text, what it means, its likeliest causes and
//! how to tell them apart, and how to capture it.
//!
//! The causes are those of the events, in the order that `knowledge` gives them; how to tell one from the others and what
//! to change stand on the rules' pages. Of the user's text the line that says what went wrong is repeated, escaped.

use std::io;

use super::capture_advice::{self, Advice};
use super::meaning::{meaning, sentence_of};
use super::remedy_words::short;
use super::rich_text::StyledLine;
use super::sheet::Sheet;
use super::text::TextSheet;
use crate::base::format::capitalised;
use crate::knowledge::{
    Basis, Code, EventGroup, EventTrace, Explanation, Family, MatchQuality, MatchReason, Product,
    explain, settings,
};
use crate::rules;

/// Causes that are told in full; the others are named.
const CAUSES: usize = 3;
/// Causes that the sentence on the meaning covers.
const MEANT: usize = 2;
/// More programs than this are not named.
const MANY: usize = 6;
/// What is said instead.
const MANY_PROGRAMS: &str = "many programs";
/// Programs named as those that print a text.
const PROGRAMS: usize = 3;
/// Words named that were not understood.
const WORDS: usize = 6;
/// Other causes named.
const OTHERS: usize = 5;
/// Characters of a line that is repeated.
const SHORT: usize = 60;
/// Characters of what to change, about two lines.
const CHANGE: usize = 130;
/// Codes named.
const CODES: usize = 3;

/// The page; `None` when nothing is known.
#[must_use]
pub fn explanation(told: &Explanation, color: bool) -> Option<String> {
    if told.is_empty() {
        return None;
    }
    Some(page(color, |sheet| write(told, sheet)))
}

/// What is said of a text of which nothing is known: what was not found, and what to do next.
#[must_use]
pub fn not_known(text: &str, color: bool) -> String {
    let told = explain(text);
    let near = rules::named_like(text);
    page(color, |sheet| write_not_known(&told, &near, sheet))
}

fn page(color: bool, write: impl FnOnce(&mut dyn Sheet) -> io::Result<()>) -> String {
    let mut page: Vec<u8> = Vec::new();
    let written = write(&mut TextSheet::new(&mut page, color));
    debug_assert!(written.is_ok(), "a vector takes everything");
    String::from_utf8_lossy(&page).into_owned()
}

fn write(told: &Explanation, sheet: &mut dyn Sheet) -> io::Result<()> {
    sheet.paragraph(&matched(told))?;
    if let Some(line) = not_understood(told) {
        sheet.paragraph(&line)?;
    }
    sheet.paragraph(&StyledLine::default().strong(meaning_line(told)))?;
    for note in notes(told) {
        sheet.paragraph(&note.into())?;
    }
    if told.stories.is_empty() {
        return write_sound(told, sheet);
    }
    write_question(told, sheet)?;
    write_causes(told, sheet)?;
    write_capture(&capture_advice::of(told), sheet)
}

fn blank(sheet: &mut dyn Sheet) -> io::Result<()> {
    sheet.paragraph(&StyledLine::default())
}

/// A line to be copied, indented and never broken.
fn command(text: &str, sheet: &mut dyn Sheet) -> io::Result<()> {
    sheet.detail("", &StyledLine::default().code(text))
}

/// What of the text was understood, and how well.
fn matched(told: &Explanation) -> StyledLine {
    let mut line = StyledLine::default();
    let story = told.stories.first();
    match story.map(|it| &it.why) {
        Some(MatchReason::Text(text, quality)) => {
            let lead = match quality {
                MatchQuality::Whole => "Matched: ",
                MatchQuality::Part => "Matched a part of: ",
                MatchQuality::Alike => "Not certain, it resembles: ",
            };
            line = line.faint(lead).strong(quoted(text));
        }
        Some(MatchReason::Message(message)) => {
            let words = message.phrase.trim_start_matches('=');
            line = line.faint("Matched: ").strong(quoted(words));
            line = line.plain(presumed(message.basis));
        }
        _ => return matched_code(told),
    }
    let programs = story.map(printed_by).unwrap_or_default();
    if !programs.is_empty() && !story.is_some_and(is_common_word) {
        line = line.plain(format!(", known from {programs}"));
    }
    let codes = codes(told);
    if !codes.is_empty() {
        line = line.plain(format!("; {}", codes.join(", ")));
    }
    line.plain(".")
}

fn matched_code(told: &Explanation) -> StyledLine {
    let line = StyledLine::default().faint("Matched: ");
    if let (Some(answer), true) = (told.answers.first(), told.stories.is_empty()) {
        let line = line.strong(quoted(answer.phrase.trim_start_matches('=')));
        let program = answer.program.unwrap_or("a program");
        return line.plain(format!(", known from {program}{}.", presumed(answer.basis)));
    }
    let codes = codes(told);
    let others = match codes.is_empty() {
        true => String::new(),
        false => format!("; {}", codes.join(", ")),
    };
    match (told.status, told.codes.first()) {
        (Some(status), _) => line
            .strong(format!("status {status}"))
            .plain(format!(" of an access log line{others}.")),
        // The words of a system error, without its name or number.
        (None, Some(code)) if is_in_words(code, &told.line) => line
            .strong(quoted(&told.line))
            .plain(format!(", which is {}.", codes.join(", "))),
        (None, _) => {
            let programs = told.stories.first().map(printed_by).unwrap_or_default();
            let known = match programs.is_empty() || programs == MANY_PROGRAMS {
                true => String::new(),
                false => format!(", known from {programs}"),
            };
            line.strong(codes.join(", ")).plain(format!("{known}."))
        }
    }
}

/// Whether a short line says a code in words.
fn is_in_words(code: &Code, line: &str) -> bool {
    let mut names = code.aliases.split(' ').chain([code.code]);
    line.chars().count() <= SHORT && !names.any(|it| line.contains(it))
}

fn quoted(text: &str) -> String {
    format!("“{text}”")
}

/// The codes in the text by family and name.
fn codes(told: &Explanation) -> Vec<String> {
    let status = told.status.map(|it| it.to_string());
    let all = told
        .codes
        .iter()
        .filter(|it| Some(it.code) != status.as_deref());
    let name = |code: &&'static Code| format!("{} {}", code.family.title(), code.code);
    all.take(CODES).map(name).collect()
}

/// The programs that print the text.
fn printed_by(story: &EventGroup) -> String {
    let titles = story.products.iter().map(|it| it.title);
    let mut all: Vec<&str> = Vec::new();
    for title in story.programs.iter().copied().chain(titles) {
        if !all.contains(&title) {
            all.push(title);
        }
    }
    if all.len() > MANY {
        return MANY_PROGRAMS.to_owned();
    }
    let more = all.len().saturating_sub(PROGRAMS);
    all.truncate(PROGRAMS);
    match more {
        0 => all.join(", "),
        more => format!("{} and {more} more", all.join(", ")),
    }
}

fn not_understood(told: &Explanation) -> Option<StyledLine> {
    let mut parts = Vec::new();
    if !told.unknown.is_empty() {
        let words = told.unknown.iter().take(WORDS).map(String::as_str);
        let more = match told.unknown.len().saturating_sub(WORDS) {
            0 => String::new(),
            more => format!(" and {more} more words"),
        };
        parts.push(format!(
            "Not understood: {}{more}.",
            words.collect::<Vec<_>>().join(", ")
        ));
    }
    match told.frames {
        0 => {}
        1 => parts.push("1 line of a stack trace was skipped.".to_owned()),
        many => parts.push(format!("{many} lines of a stack trace were skipped.")),
    }
    (!parts.is_empty()).then(|| StyledLine::default().faint(parts.join(" ")))
}

fn meaning_line(told: &Explanation) -> String {
    let sentence = meaning(told, MEANT);
    match told.status {
        Some(status) if told.stories.is_empty() && told.codes.is_empty() => format!(
            "The exchange has a response, with status {status}: the line names no fault of the connection."
        ),
        _ => sentence,
    }
}

/// Remarks that belong to the whole text.
fn notes(told: &Explanation) -> Vec<String> {
    let mut notes = Vec::new();
    // What else is known of a system error is of little use beside its causes.
    let remarked = |it: &&&Code| it.family != Family::Errno || told.question.is_none();
    for code in told.codes.iter().take(CODES).filter(remarked) {
        notes.extend(
            code.note
                .map(|it| format!("{}.", capitalised(it.trim_end_matches('.')))),
        );
    }
    if !told.protocols.is_empty() {
        notes.push(format!(
            "Programs that speak {} print it.",
            told.protocols.join(" or ")
        ));
    }
    if let Some(program) = told.program.filter(|_| !told.stories.is_empty()) {
        notes.push(format!(
            "The text names {program}, and this is none of its known messages: the causes are those of its other words."
        ));
    }
    if told.leaves_no_packet() {
        notes.push(
            "No packet of a capture is this itself: a capture shows what surrounds it.".to_owned(),
        );
    }
    notes
}

/// The end of a page about what is no fault of a connection.
fn write_sound(told: &Explanation, sheet: &mut dyn Sheet) -> io::Result<()> {
    if told.codes.iter().any(|it| !it.rules.is_empty()) {
        return write_capture(&capture_advice::of(told), sheet);
    }
    sheet.paragraph(
        &"The connection carried this message and is sound: look at the log and the limits of the program that sent it, \
          not at packets."
            .into(),
    )?;
    blank(sheet)?;
    sheet.paragraph(&"To see the exchange in a capture:".into())?;
    command(&capture_advice::of(told).find, sheet)
}

fn write_question(told: &Explanation, sheet: &mut dyn Sheet) -> io::Result<()> {
    let Some(question) = &told.question else {
        return Ok(());
    };
    sheet.paragraph(
        &StyledLine::default()
            .plain("Ask first: ")
            .strong(question.text),
    )?;
    for (answer, rules) in &question.answers {
        let answer = StyledLine::default()
            .plain(format!("{answer}: "))
            .strong(rules.join(", "));
        sheet.detail("", &answer)?;
    }
    Ok(())
}

fn write_causes(told: &Explanation, sheet: &mut dyn Sheet) -> io::Result<()> {
    let title = match told.stories.len() {
        1 => "The cause",
        _ => "The likeliest causes",
    };
    blank(sheet)?;
    sheet.paragraph(&StyledLine::default().strong(title))?;
    for (number, story) in (1..).zip(told.stories.iter().take(CAUSES)) {
        write_cause(number, story, &told.line, sheet)?;
    }
    let shown = told.stories.iter().take(CAUSES);
    let shown: Vec<&str> = shown.filter_map(|it| it.rules.first().copied()).collect();
    let mut others: Vec<&str> = Vec::new();
    let later = told
        .stories
        .iter()
        .skip(CAUSES)
        .filter_map(|it| it.rules.first());
    let beside = told
        .stories
        .iter()
        .take(CAUSES)
        .flat_map(|it| it.rules.iter().skip(1));
    for name in later.chain(beside) {
        if !shown.contains(name) && !others.contains(name) && rules::rule(name).is_some() {
            others.push(name);
        }
    }
    // The question has named them already.
    let asked = told.question.iter().flat_map(|it| &it.answers);
    let asked: Vec<_> = asked.flat_map(|(_, rules)| rules.iter()).collect();
    others.retain(|name| !asked.iter().any(|it| it == &name));
    others.truncate(OTHERS);
    if shown.is_empty() && others.is_empty() {
        return Ok(());
    }
    blank(sheet)?;
    if !others.is_empty() {
        sheet.paragraph(&format!("Less likely: {}.", others.join(", ")).into())?;
    }
    match shown.first() {
        Some(name) => sheet.paragraph(
            &StyledLine::default()
                .faint("The whole page of a cause: ")
                .code(format!("hangup explain {name}")),
        ),
        None => Ok(()),
    }
}

fn write_cause(
    number: usize,
    story: &EventGroup,
    line: &str,
    sheet: &mut dyn Sheet,
) -> io::Result<()> {
    let rule = story.rules.first().and_then(|it| rules::rule(it));
    let name = rule.map_or("in no packet", |it| it.name);
    sheet.entry(
        &StyledLine::default()
            .plain(format!("{number}. "))
            .strong(name),
    )?;
    let sign = match rule {
        Some(rule) => rule.tell_it_by(),
        None => "No packet shows it. The program's own log and limits do.".to_owned(),
    };
    // How to tell it says what happens.
    if rule.is_none() || sign.is_empty() {
        let happened = match (story.events.first(), rule) {
            (Some(event), _) => sentence_of(*event),
            (None, Some(rule)) => format!("{}.", capitalised(rule.summary)),
            (None, None) => String::new(),
        };
        sheet.detail("", &happened.into())?;
    }
    let unseen = story
        .events
        .first()
        .is_some_and(|it| it.trace() == EventTrace::Circumstance);
    if !sign.is_empty() {
        let sign = match unseen && rule.is_some() {
            true => format!("{sign} No packet is the error itself."),
            false => sign,
        };
        sheet.detail("", &StyledLine::default().faint("Tell it by: ").plain(sign))?;
    }
    let Some(rule) = rule else { return Ok(()) };
    let change = setting(story, rule.name).unwrap_or_else(|| short(&rule.change(line), CHANGE));
    sheet.detail("", &StyledLine::default().faint("Fix: ").plain(change))
}

/// Whether the text is a single word that any program may print: `timeout`.
fn is_common_word(story: &EventGroup) -> bool {
    match &story.why {
        MatchReason::Text(text, _) => text.bytes().all(|it| it.is_ascii_lowercase()),
        _ => false,
    }
}

/// The setting of the program that prints the text, if only one program does.
fn setting(story: &EventGroup, rule: &str) -> Option<String> {
    let event = story.events.first().filter(|_| !is_common_word(story))?;
    let product: &'static Product = match story.products[..] {
        [one] if story.programs.is_empty() => one,
        _ => return None,
    };
    let own = settings(rule, event.side(), product).next()?;
    Some(rules::with_condition(&own.remedy))
}

fn write_capture(advice: &Advice, sheet: &mut dyn Sheet) -> io::Result<()> {
    blank(sheet)?;
    sheet.paragraph(
        &StyledLine::default()
            .strong("Capture it like this")
            .plain(&*advice.place),
    )?;
    command(&advice.tcpdump, sheet)?;
    sheet.paragraph(&"Or let hangup wait, and keep packets only when it happens:".into())?;
    command(&advice.live, sheet)?;
    sheet.paragraph(&"Then find the connection:".into())?;
    command(&advice.find, sheet)
}

fn write_not_known(told: &Explanation, near: &[&str], sheet: &mut dyn Sheet) -> io::Result<()> {
    let known = match told.program {
        Some(program) => {
            format!("Not known: the text names {program}, and none of its known messages is in it.")
        }
        None => "Not known: this is no rule, no code and no known error text.".to_owned(),
    };
    sheet.paragraph(&StyledLine::default().strong(known))?;
    if !near.is_empty() {
        sheet.paragraph(&format!("Did you mean a rule: {}?", near.join(", ")).into())?;
    }
    sheet.paragraph(
        &"Give more of it: the whole line, and the innermost cause (\"Caused by\", errno, exit code)."
            .into(),
    )?;
    sheet.paragraph(
        &"A capture needs no error text: `hangup FILE` lists what ended badly.".into(),
    )?;
    if !told.hints.is_empty() {
        sheet.paragraph(
            &"This line names a time, an address or a port, which lead to its connection.".into(),
        )?;
    }
    let mut advice = capture_advice::of(told);
    if told.hints.is_empty() {
        // Nothing in the text leads to a connection.
        advice.find = capture_advice::READ.to_owned();
    }
    write_capture(&advice, sheet)
}

/// Said of a text that nobody has compared with the program.
const fn presumed(basis: Basis) -> &'static str {
    match basis {
        Basis::Presumed => " (presumed: not compared with the program)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn told(text: &str) -> String {
        explanation(&explain(text), false).expect("something is known")
    }

    #[track_caller]
    fn says(text: &str, parts: &[&str]) {
        let page = told(text);
        // Where lines break does not matter.
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(page.contains(part), "{part:?} is not in:\n{page}");
        }
    }

    #[test]
    fn a_common_word_names_no_program() {
        let page = told("timeout");
        assert!(page.starts_with("Matched: “timeout”.\n"), "{page}");
        assert!(!page.contains("OkHttp") && !page.contains("*If"), "{page}");
        says("499", &["Fix: Raise the client's timeout above"]);
    }

    #[test]
    fn codes_and_texts() {
        says(
            "socket hang up",
            &[
                "keep-alive-race",
                "closed-before-response",
                "known from Node.js http",
                "Ask first: ",
            ],
        );
        says(
            "An unexpected error occurred on a receive",
            &[
                "reset-before-response",
                ".NET Framework",
                "Matched: “an unexpected error occurred on a receive”",
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
            &["the TLS handshake with the origin failed (Cloudflare, presumed)"],
        );
        says(
            "ORA-12543",
            &["“ora 12543” (presumed: not compared with the program)"],
        );
        assert!(!told("ORA-03113").contains("presumed"));
        assert_eq!(explanation(&explain("no-such-rule"), false), None);
    }

    #[test]
    fn what_is_no_fault_of_a_connection_asks_for_no_capture() {
        let page = told("FATAL:  sorry, too many clients already");
        assert!(page.contains("max_connections is reached."), "{page}");
        assert!(
            page.contains("is sound") && !page.contains("tcpdump"),
            "{page}"
        );
    }

    #[test]
    fn a_log_line_in_whole() {
        let line = "2025/11/20 19:01:02 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to \
                    upstream, client: 10.0.0.1, server: _, upstream: \"http://10.0.0.2:9000/\"";
        let page = told(line);
        let parts = [
            "Matched: system error ECONNREFUSED, known from nginx",
            "Ask first: What comes back for the SYN?",
            "1. connection-refused",
            "Tell it by: ",
            "Fix: ",
            "Capture it like this, on the host of the program that logged this:",
            "sudo tcpdump -i any -U -s 0 -w hangup.pcap '(host 10.0.0.2 and port 9000) or icmp or icmp6'",
            "sudo hangup live -i any --keep 10m '(host 10.0.0.2 and port 9000) or icmp or icmp6'",
            "hangup hangup.pcap --error '2025/11/20 19:01:02 [error]",
        ];
        let places = parts.map(|part| page.find(part).unwrap_or_else(|| panic!("{part}: {page}")));
        assert!(places.is_sorted(), "{places:?}: {page}");
    }

    #[test]
    fn what_is_not_known_says_what_to_do_next() {
        let page = not_known("frobnicate at 10.0.0.2:8080", false);
        for part in [
            "Not known: ",
            "innermost cause",
            "hangup FILE",
            "host 10.0.0.2 and port 8080",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(not_known("reset", false).contains("Did you mean a rule: "));
    }

    #[test]
    fn colour_changes_no_word() {
        let coloured = explanation(&explain("ECONNRESET"), true).expect("known");
        assert!(coloured.contains("\u{1b}[1m"));
        assert!(!told("ECONNRESET").contains('\u{1b}'));
    }
}
