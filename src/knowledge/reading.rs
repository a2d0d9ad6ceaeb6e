//! What is recognised in a text: codes, messages, known texts that it resembles, the program that it names.
//!
//! What contradicts itself is left out here: texts of programs that speak another protocol than the one that is named, the
//! system's words beside a program's own.

use super::access_log::access_line;
use super::code::{CODES, Code, Family, codes_in, system_error};
use super::fuzzy_match::{FuzzyMatch, MatchQuality, resembling};
use super::message::{Message, messages_in, program_in, protocols_of};
use super::wire_event::WireEvent;

/// What was recognised in a text.
pub(super) struct Reading {
    pub(super) codes: Vec<&'static Code>,
    pub(super) messages: Vec<&'static Message>,
    pub(super) texts: Vec<FuzzyMatch>,
    /// The program that the text names, if no text of it is known.
    pub(super) program: Option<&'static str>,
    /// The status, where the text is a line of an access log.
    pub(super) status: Option<u16>,
    /// The error of a system call, where the text is no more than its words.
    pub(super) system: Option<&'static Code>,
}

impl Reading {
    pub(super) fn of(text: &str) -> Self {
        if let Some(line) = access_line(text) {
            return Self::of_access_line(line.status, &line.rest, line.win32);
        }
        let mut messages = messages_in(text);
        let texts = resembling(text);
        // What a program quotes of another one's greeting names that one, and not the program.
        let quoted = |program: &&'static str| {
            let known = texts.iter().any(|it| it.fit != MatchQuality::Alike);
            known && program_in(&without_greeting(text)) != Some(*program)
        };
        let mut reading = Self {
            codes: codes_in(text),
            messages: Vec::new(),
            program: program_in(text).filter(|it| !quoted(it)),
            texts,
            status: None,
            system: None,
        };
        if is_plain_word(text) {
            // One word of a long text is not that text.
            let few = |text: &str| text.split_whitespace().count() <= FEW;
            let whole = |it: &FuzzyMatch| it.fit == MatchQuality::Whole;
            reading.texts.retain(|it| whole(it) || few(it.text));
        }
        if is_prose(text) {
            // Nor is one word of a sentence a reason of HTTP.sys, which stands in a log of fields.
            let of_fields = |it: &FuzzyMatch| it.fact.product.name == "http.sys";
            let one_word = |it: &FuzzyMatch| !it.text.contains(' ');
            reading.texts.retain(|it| !(of_fields(it) && one_word(it)));
        }
        let own = messages.iter().any(|it| it.program.is_some());
        if let Some(program) = reading.program {
            // What programs print that speak something else is not meant, nor what only resembles the text.
            let spoken = protocols_of(program);
            let meant =
                |it: &FuzzyMatch| spoken.split(' ').any(|word| it.fact.product.speaks(word));
            let alike = |it: &FuzzyMatch| it.fit == MatchQuality::Alike;
            reading.texts.retain(|it| match own {
                true => spoken.is_empty() || meant(it),
                false => meant(it) && !alike(it),
            });
        }
        let unnamed = reading.program.is_none();
        if own {
            // The system's words beside a program's own add nothing.
            messages.retain(|it| it.program.is_some());
        } else if !reading.texts.is_empty() || unnamed && codes_tell(&reading.codes) {
            messages.clear();
        }
        reading.messages = messages;
        reading.system = system_error(text).filter(|_| unnamed && !own);
        if let Some(code) = reading.system {
            reading.codes.retain(|it| *it != code);
            reading.codes.insert(0, code);
        }
        reading
    }

    fn of_access_line(status: u16, rest: &str, win32: Option<u32>) -> Self {
        let mut codes = codes_in(rest);
        // A state or a flag says more than the status beside it.
        codes.retain(|it| matches!(it.family, Family::Haproxy | Family::Envoy));
        let of = |family: Family, code: String| {
            let same = move |it: &&Code| {
                it.family == family && (it.code == code || it.aliases.split(' ').any(|a| a == code))
            };
            CODES.iter().find(same)
        };
        if let Some(win32) = win32.map(|it| it.to_string()) {
            let known =
                of(Family::Win32, win32.clone()).or_else(|| of(Family::Errno, win32.clone()));
            codes.extend(known);
        }
        codes.extend(of(Family::Status, status.to_string()));
        Self {
            codes,
            messages: messages_in(rest),
            texts: Vec::new(),
            program: None,
            status: Some(status),
            system: None,
        }
    }

    /// Whether a program's own message says that this is no event on the wire.
    pub(super) fn is_answer(&self) -> bool {
        let first = self.messages.first();
        first.is_some_and(|it| it.program.is_some() && it.events.is_empty())
    }

    /// Whether a known text of several words is in the text as a whole.
    pub(super) fn has_sentence(&self) -> bool {
        self.texts
            .iter()
            .any(|it| it.fit == MatchQuality::Whole && it.text.split(' ').nth(2).is_some())
    }

    /// The events to which a program's own message limits the choice.
    pub(super) fn limits(&self) -> Option<Vec<WireEvent>> {
        let own = self.messages.iter().filter(|it| it.program.is_some());
        let events: Vec<_> = own.flat_map(|it| it.events.iter().copied()).collect();
        (!events.is_empty()).then_some(events)
    }
}

/// The text without what an SSH server says first (RFC 4253 §4.2).
fn without_greeting(text: &str) -> String {
    const GREETING: &str = "SSH-";
    let mut bare = String::with_capacity(text.len());
    for (at, part) in text.split(GREETING).enumerate() {
        let own = match at {
            0 => part,
            _ => part.trim_start_matches(|it: char| !it.is_whitespace() && !"'\"".contains(it)),
        };
        bare.push_str(own);
    }
    bare
}

fn codes_tell(codes: &[&'static Code]) -> bool {
    codes.iter().any(|it| !it.events.is_empty())
}

/// Words of a text that one of them may stand for.
const FEW: usize = 5;

/// Words of a language from which on a text is a sentence.
const SENTENCE: usize = 4;

/// Whether a text has words of a language as a sentence has them, and a log of fields has not.
fn is_prose(text: &str) -> bool {
    let words = text.split(|it: char| !it.is_alphanumeric());
    let plain = |it: &&str| it.len() > 2 && it.bytes().all(|byte| byte.is_ascii_lowercase());
    words.filter(plain).count() >= SENTENCE
}

/// Whether a text is one word of a language, no identifier.
fn is_plain_word(text: &str) -> bool {
    let word = text.trim();
    !word.is_empty() && word.chars().all(|it| it.is_ascii_lowercase())
}
