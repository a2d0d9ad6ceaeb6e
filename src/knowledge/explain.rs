//! From an error text, a code or a pasted log line to wire events and rules: the content of `hangup explain TEXT`.
//!
//! What a line says for certain comes first: the status of an access log, then a message that matches word by word, then
//! codes, then known texts that it resembles. A line that names a program of which no text is known is not given another
//! program's cause. Matches are grouped by wire event; events with the same first rule form one group.

use super::code::{Code, Family};
use super::error_text::FACTS;
use super::fuzzy_match::{FuzzyMatch, MatchQuality};
use super::log_line::{LogLineHints, head, hints_in};
use super::message::{Message, protocols_of};
use super::pasted::{Pasted, pasted};
use super::place::{Place, place_in};
use super::product::{Product, Role};
use super::question::{Question, question_for};
use super::reading::Reading;
use super::service::service_name;
use super::understood::not_understood;
use super::wire_event::{EventTrace, WireEvent};

/// Why an event matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchReason {
    /// The text contains this code.
    Code(&'static Code),
    /// A program prints a text like it: the known text, and how well it matches.
    Text(&'static str, MatchQuality),
    /// A program, or any program, prints this message.
    Message(&'static Message),
}

/// A wire event that the text may stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventMatch {
    /// The event.
    pub what: WireEvent,
    /// The rules that flag it, most specific first.
    pub rules: Vec<&'static str>,
    /// The programs that print the text for this event; empty when the match is by code.
    pub products: Vec<&'static Product>,
    /// Other programs, whose message it is.
    pub programs: Vec<&'static str>,
    /// From 0 to 100: 100 for a code or a whole text.
    pub score: u8,
    /// What matched.
    pub why: MatchReason,
}

impl EventMatch {
    /// Whether a program that speaks this protocol may have printed it; a code, any.
    #[must_use]
    pub(crate) fn may_be_on(&self, protocol: &str) -> bool {
        let of_program = |it: &&'static str| {
            let spoken = protocols_of(it);
            spoken.is_empty() || spoken.split(' ').any(|word| word == protocol)
        };
        let unnamed = self.products.is_empty() && self.programs.is_empty();
        matches!(self.why, MatchReason::Code(_))
            || unnamed
            || self.products.iter().any(|it| it.speaks(protocol))
            || self.programs.iter().any(of_program)
    }
}

/// Bytes of a pasted text that are read.
const BYTES: usize = 16 * 1024;

/// Events ranked first among those with equal scores: the ones that most often break programs.
const COMMON: &[WireEvent] = &[
    WireEvent::GatewayError,
    WireEvent::GatewayTimeout,
    WireEvent::RaceFin,
    WireEvent::RaceRst,
    WireEvent::FinBeforeResponse,
    WireEvent::RstBeforeResponse,
    WireEvent::ConnectRefused,
    WireEvent::ServerSilent,
    WireEvent::ConnectUnanswered,
    WireEvent::RstInBodyLength,
    WireEvent::FinInBodyLength,
    WireEvent::RstWhileSending,
    WireEvent::ClientFinWhileWaiting,
    WireEvent::ClientRstInResponse,
];

/// The wire events that a text may stand for, likeliest first.
#[must_use]
pub fn match_error(text: &str) -> Vec<EventMatch> {
    sharpened(&pasted(head(text, BYTES))).1
}

/// The events for which programs print an error of this type, where the text is of no other kind: the words are then the
/// server's, and in no table.
#[must_use]
pub(crate) fn match_type(text: &str) -> Vec<EventMatch> {
    let mut found: Vec<EventMatch> = Vec::new();
    for fact in FACTS.iter() {
        let qualified = |it: &&'static str| it.contains('.') && !it.contains(' ');
        let Some(kind) = fact.kind.filter(qualified).filter(|it| text.contains(*it)) else {
            continue;
        };
        for event in &fact.events {
            match found.iter_mut().find(|it| it.what == *event) {
                Some(known) => extend(&mut known.products, vec![fact.product]),
                None => found.push(EventMatch {
                    what: *event,
                    rules: event.rules().to_vec(),
                    products: vec![fact.product],
                    programs: Vec::new(),
                    score: BESIDE,
                    why: MatchReason::Text(kind, MatchQuality::Part),
                }),
            }
        }
    }
    found
}

/// What is read in a pasted text. Where it is a chain of causes, the events that the innermost cause stands for come
/// first; if it stands for none that the whole does, it alone is read.
fn sharpened(text: &Pasted) -> (Reading, Vec<EventMatch>) {
    let whole = Reading::of(&text.text);
    let mut all = matches(&whole);
    let Some(cause) = &text.innermost else {
        return (whole, all);
    };
    let cause = Reading::of(cause);
    let own = matches(&cause);
    if own.is_empty() {
        return (whole, all);
    }
    let is_own = |it: &EventMatch| own.iter().any(|one| one.what == it.what);
    if !all.iter().any(is_own) {
        return (cause, own);
    }
    for one in all.iter_mut().filter(|it| !is_own(it)) {
        one.score = one.score.min(OUTER);
    }
    all.sort_by_key(|it| !is_own(it));
    (whole, all)
}

/// The best score of what only the outer causes of a chain stand for.
const OUTER: u8 = 60;

/// The status that a text is about: that of an access log, or one that the text names.
#[must_use]
pub(crate) fn status_in(text: &str) -> Option<u16> {
    let reading = Reading::of(&pasted(head(text, BYTES)).text);
    let named = || {
        let status = reading
            .codes
            .iter()
            .find(|it| it.family == Family::Status)?;
        status.code.parse().ok()
    };
    reading.status.or_else(named)
}

fn matches(reading: &Reading) -> Vec<EventMatch> {
    let mut matches: Vec<EventMatch> = Vec::new();
    if reading.is_answer() {
        return matches;
    }
    let limits = reading.limits();
    let allowed = |event: &WireEvent| limits.as_ref().is_none_or(|it| it.contains(event));
    let below = |best: u8, index: usize| {
        best.saturating_sub(u8::try_from(index).unwrap_or(u8::MAX).saturating_mul(2))
    };
    for (rank, message) in reading.messages.iter().enumerate() {
        let best = if rank == 0 { 100 } else { BESIDE };
        for (index, event) in message.events.iter().enumerate() {
            let score = below(best, index);
            match matches.iter_mut().find(|it| it.what == *event) {
                Some(known) => {
                    known.score = known.score.max(score) + 2 * BOTH;
                    extend(&mut known.programs, message.program.into_iter().collect());
                }
                None => matches.push(EventMatch {
                    what: *event,
                    rules: event.rules().to_vec(),
                    products: Vec::new(),
                    programs: message.program.into_iter().collect(),
                    score,
                    why: MatchReason::Message(message),
                }),
            }
        }
    }
    for (rank, code) in reading.codes.iter().enumerate() {
        // In an access log a state or a flag stands before the status.
        let best = match (limits.is_some(), reading.status.is_some() && rank > 0) {
            (true, _) => BESIDE,
            (_, true) => BESIDE - 5,
            _ if reading.system.is_some() && rank == 0 => 100,
            // A number beside a whole sentence is the weaker evidence.
            _ if reading.has_sentence() && code.family != Family::Status => BESIDE - 20,
            _ => 100,
        };
        for (index, event) in code.events.iter().enumerate() {
            if !allowed(event) {
                continue;
            }
            let score = below(best, index);
            if let Some(known) = matches.iter_mut().find(|it| it.what == *event) {
                known.score = known.score.max(score);
            } else {
                // The code's own rules go with its likeliest event.
                let more: &[&str] = if index == 0 { &code.rules } else { &[] };
                let mut rules = event.rules().to_vec();
                rules.extend(more.iter().filter(|rule| !event.rules().contains(rule)));
                matches.push(EventMatch {
                    what: *event,
                    rules,
                    products: Vec::new(),
                    programs: Vec::new(),
                    score,
                    why: MatchReason::Code(code),
                });
            }
        }
    }
    let heaviest = reading.texts.first().map_or(1.0, |it| it.weight.max(0.1));
    for one in &reading.texts {
        for event in one.fact.events.iter().filter(|it| allowed(it)) {
            let mut score = text_score(one, heaviest);
            if limits.is_some() {
                score = score.min(BESIDE);
            }
            let agrees = |it: &&Code| it.events.contains(event);
            let restates = |it: &&Code| it.family == Family::Status && agrees(it);
            if reading.system.is_some() || reading.codes.iter().any(restates) {
                // A system's words, or a status and its reason, do not say more than the code.
                score = score.min(ALONE);
            } else if reading.codes.iter().any(agrees) {
                score += BOTH;
            }
            let product = one.fact.product;
            match matches.iter_mut().find(|it| it.what == *event) {
                Some(known) => {
                    known.score = known.score.max(score);
                    if !known.products.contains(&product) {
                        known.products.push(product);
                    }
                }
                None => matches.push(EventMatch {
                    what: *event,
                    rules: event.rules().to_vec(),
                    products: vec![product],
                    programs: Vec::new(),
                    score,
                    why: MatchReason::Text(one.text, one.fit),
                }),
            }
        }
    }
    let commonness = |event: WireEvent| {
        COMMON
            .iter()
            .position(|it| *it == event)
            .unwrap_or(COMMON.len())
    };
    matches.sort_by(|a, b| {
        let by_score = b.score.cmp(&a.score);
        by_score
            .then_with(|| commonness(a.what).cmp(&commonness(b.what)))
            .then_with(|| a.what.cmp(&b.what))
    });
    matches
}

/// The best score of what stands beside a better match: another message, or the status beside a flag.
const BESIDE: u8 = 90;
/// The best score of a known text that is no more than the words of a system error: below those of the code.
const ALONE: u8 = 80;
/// Score added where a text and a code agree.
const BOTH: u8 = 5;

fn text_score(found: &FuzzyMatch, heaviest: f32) -> u8 {
    let best = match found.fit {
        MatchQuality::Whole => 100.0,
        MatchQuality::Part => 90.0,
        MatchQuality::Alike => 70.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let score = (best * (found.weight / heaviest).clamp(0.0, 1.0)) as u8;
    if found.fact.superseded {
        score.saturating_sub(OLD)
    } else {
        score
    }
}

/// Score deducted for a text of old versions.
const OLD: u8 = 5;

/// Events shown together because they have the same first rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventGroup {
    /// The rules, most specific first.
    pub rules: Vec<&'static str>,
    /// What happens on the wire, likeliest first.
    pub events: Vec<WireEvent>,
    /// The programs that then print the text.
    pub products: Vec<&'static Product>,
    /// Other programs, whose message it is.
    pub programs: Vec<&'static str>,
    /// The best score among the events.
    pub score: u8,
    /// Why the best of them matched.
    pub why: MatchReason,
}

/// Upper bound of groups shown: more would not help to choose.
const MAX_GROUPS: usize = 8;

/// What is known about a text.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The codes in it.
    pub codes: Vec<&'static Code>,
    /// What may have happened, likeliest first.
    pub stories: Vec<EventGroup>,
    /// Number of groups left out.
    pub more: usize,
    /// Messages in it that are no event on the wire, with a note that says what they are.
    pub answers: Vec<&'static Message>,
    /// The status, where the text is a line of an access log.
    pub status: Option<u16>,
    /// The program that the text names, where none of its known messages is in the text.
    pub program: Option<&'static str>,
    /// The protocols of the programs that print the text, for people; empty if HTTP is among them, or they are many.
    pub protocols: Vec<&'static str>,
    /// The times, addresses and ports in the text, which identify the connection.
    pub hints: LogLineHints,
    /// The line of the text that says what went wrong.
    pub line: String,
    /// Lines of stack traces that were left aside.
    pub frames: usize,
    /// The words of that line that are part of nothing known.
    pub unknown: Vec<String>,
    /// The question that decides between the causes.
    pub question: Option<Question>,
    /// The place on the network that the text names.
    pub place: Option<Place>,
}

impl Explanation {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
            && self.stories.is_empty()
            && self.answers.is_empty()
            && self.status.is_none()
    }

    /// Whether none of the events in question leaves a packet of its own.
    #[must_use]
    pub(crate) fn leaves_no_packet(&self) -> bool {
        let mut events = self
            .stories
            .iter()
            .flat_map(|story| &story.events)
            .peekable();
        events.peek().is_some() && events.all(|event| event.trace() == EventTrace::Circumstance)
    }
}

/// Explains an error text, a code, or a pasted log line.
#[must_use]
pub fn explain(text: &str) -> Explanation {
    let text = head(text, BYTES);
    let cleaned = pasted(text);
    let (reading, mut matched) = sharpened(&cleaned);
    add_race(&mut matched);
    let line = telling_line(&cleaned, matched.first().map(|it| it.what));
    let unknown = not_understood(&line, &reading);
    let mut stories: Vec<EventGroup> = Vec::new();
    for one in matched {
        let lead = one.rules.first();
        match stories.iter_mut().find(|it| it.rules.first() == lead) {
            Some(story) => {
                story.events.push(one.what);
                extend(&mut story.rules, one.rules);
                extend(&mut story.products, one.products);
                extend(&mut story.programs, one.programs);
            }
            None => stories.push(EventGroup {
                rules: one.rules,
                events: vec![one.what],
                products: one.products,
                programs: one.programs,
                score: one.score,
                why: one.why,
            }),
        }
    }
    // Rules of a code that has no events.
    for code in &reading.codes {
        for rule in &code.rules {
            if code.events.is_empty() && !stories.iter().any(|it| it.rules.contains(rule)) {
                stories.push(EventGroup {
                    rules: vec![rule],
                    events: Vec::new(),
                    products: Vec::new(),
                    programs: Vec::new(),
                    score: 90,
                    why: MatchReason::Code(code),
                });
            }
        }
    }
    let more = stories.len().saturating_sub(MAX_GROUPS);
    stories.truncate(MAX_GROUPS);
    for story in &mut stories {
        story
            .products
            .sort_by(|a, b| a.rank.cmp(&b.rank).then_with(|| a.name.cmp(b.name)));
    }
    let own = reading.messages.iter().any(|it| it.program.is_some());
    let answers = reading.messages.iter().copied();
    let protocols = protocols(&reading);
    let hints = hints_in(text);
    let leads: Vec<_> = stories
        .iter()
        .filter_map(|it| it.rules.first().copied())
        .collect();
    let mut sides = stories
        .iter()
        .filter_map(|it| Some(it.events.first()?.side()));
    let side = sides.next().filter(|first| sides.all(|it| it == *first));
    Explanation {
        codes: reading.codes,
        stories,
        more,
        answers: answers.filter(|it| it.events.is_empty()).collect(),
        status: reading.status,
        program: reading.program.filter(|_| !own && reading.texts.is_empty()),
        protocols,
        question: question_for(&leads, side),
        place: place_in(text, &hints),
        hints,
        line,
        frames: cleaned.frames,
        unknown,
    }
}

/// A proxy keeps connections to the servers behind it open. What it logs of a server that closed without a response, it also
/// logs when the close crossed a request that it must not retry; that case comes second.
fn add_race(matched: &mut Vec<EventMatch>) {
    let Some(first) = matched.first() else { return };
    let race = match first.what {
        WireEvent::FinBeforeResponse => WireEvent::RaceFinPost,
        WireEvent::RstBeforeResponse => WireEvent::RaceRstPost,
        _ => return,
    };
    let lead = race.rules().first();
    let told = |it: &EventMatch| it.rules.first() == lead;
    if !first.products.iter().any(|it| it.role == Role::Proxy)
        || matched.iter().take(FULL).any(told)
    {
        return;
    }
    let mut second = first.clone();
    second.what = race;
    second.rules = race.rules().to_vec();
    // A code beside the message may have named it, at the end.
    matched.retain(|it| !told(it));
    matched.insert(1, second);
}

/// Events at the beginning that are told in full.
const FULL: usize = 3;

/// Lines that are tried alone.
const TRIED: usize = 12;

/// The line that says what went wrong: of the innermost cause, or the first that by itself stands for the likeliest event.
fn telling_line(text: &Pasted, likeliest: Option<WireEvent>) -> String {
    let whole = text.innermost.as_ref().unwrap_or(&text.text);
    let lines = || whole.lines().map(str::trim).filter(|it| !it.is_empty());
    let leads = |line: &&str| {
        likeliest.is_some() && matches(&Reading::of(line)).first().map(|it| it.what) == likeliest
    };
    let telling = match text.innermost.is_some() || lines().nth(1).is_none() {
        true => None,
        false => lines().take(TRIED).find(leads),
    };
    telling
        .or_else(|| lines().next())
        .unwrap_or_default()
        .to_owned()
}

/// The protocols of the programs that print what was matched best, unless HTTP is among them.
fn protocols(reading: &Reading) -> Vec<&'static str> {
    let named = reading.program.map(protocols_of);
    let said = reading.messages.first().and_then(|it| it.program);
    let said = said.map(protocols_of).filter(|it| !it.is_empty());
    let heaviest = reading.texts.first().map_or(0.0, |it| it.weight);
    let best = reading
        .texts
        .iter()
        .filter(|it| it.weight >= heaviest * 0.99);
    let all: Vec<&str> = match (named, said) {
        (Some(named), _) => vec![named],
        (None, Some(said)) => vec![said],
        (None, None) => best.map(|it| it.fact.product.protocols).collect(),
    };
    let mut names: Vec<&'static str> = Vec::new();
    for word in all.iter().flat_map(|it| it.split(' ')) {
        match service_name(word) {
            Some(name) if !names.contains(&name) => names.push(name),
            Some(_) => {}
            None => return Vec::new(),
        }
    }
    if names.len() > PROTOCOLS {
        names.clear();
    }
    names
}

/// Protocols that are named: a text that more of them have says nothing of one.
const PROTOCOLS: usize = 3;

fn extend<T: PartialEq>(all: &mut Vec<T>, new: Vec<T>) {
    for one in new {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    /// Checks that the rules of the first groups include these.
    #[track_caller]
    fn leads(text: &str, rules: &[&str]) {
        let told = explain(text);
        let first: Vec<_> = told
            .stories
            .iter()
            .take(5)
            .flat_map(|it| &it.rules)
            .copied()
            .collect();
        for rule in rules {
            assert!(first.contains(rule), "{text}: no {rule} in {first:?}");
        }
    }

    /// Checks that the first group's first rule is this one.
    #[track_caller]
    fn first(text: &str, rule: &str) {
        let told = explain(text);
        let lead = told.stories.first().and_then(|it| it.rules.first());
        assert_eq!(lead, Some(&rule), "{text}: {:?}", told.stories.first());
    }

    #[test]
    fn the_errors_of_old_net_framework() {
        first(
            "An unexpected error occurred on a receive",
            "reset-before-response",
        );
        leads(
            "The underlying connection was closed: An unexpected error occurred on a send.",
            &["reset-before-response"],
        );
        first(
            "The underlying connection was closed: A connection that was expected to be kept alive was closed by the server.",
            "keep-alive-race",
        );
        first(
            "The underlying connection was closed: The connection was closed unexpectedly.",
            "closed-before-response",
        );
        first(
            "System.Net.WebException: The operation has timed out",
            "client-gave-up-waiting",
        );
    }

    #[test]
    fn clients_and_servers() {
        leads(
            "socket hang up",
            &["keep-alive-race", "closed-before-response"],
        );
        leads(
            "read ECONNRESET",
            &[
                "keep-alive-race",
                "reset-before-response",
                "reset-mid-response",
            ],
        );
        leads(
            "RemoteDisconnected('Remote end closed connection without response')",
            &["keep-alive-race", "closed-before-response"],
        );
        leads(
            "org.apache.http.NoHttpResponseException: localhost:8080 failed to respond",
            &["closed-before-response"],
        );
        first(
            "curl: (18) transfer closed with 17 bytes remaining to read",
            "response-cut-short",
        );
        leads(
            "curl: (52) Empty reply from server",
            &["closed-before-response"],
        );
        first("net::ERR_CONTENT_LENGTH_MISMATCH", "response-cut-short");
        leads(
            "upstream prematurely closed connection while reading response header from upstream",
            &["closed-before-response"],
        );
        leads(
            "write: broken pipe",
            &["client-gave-up-waiting", "response-after-client-left"],
        );
        leads(
            "ORA says Connection_Abandoned_By_ReqQueue",
            &["reset-before-response"],
        );
    }

    #[test]
    fn codes() {
        leads(
            "10048",
            &["ephemeral-ports-exhausted", "ephemeral-port-pressure"],
        );
        leads("499", &["client-gave-up-waiting"]);
        leads("SD", &["response-cut-short", "reset-mid-response"]);
        leads("UC", &["keep-alive-race", "closed-before-response"]);
        leads("UF", &["connection-refused", "connect-unanswered"]);
        leads(
            "0x800704CD",
            &["client-gave-up-waiting", "client-left-mid-response"],
        );
        leads("10054", &["reset-before-response"]);
        leads("EMFILE", &["close-wait-leak"]);
    }

    /// What one word says depends on the type before it.
    #[test]
    fn a_word_belongs_to_its_type() {
        let all = match_error("java.net.SocketTimeoutException: timeout");
        let programs = all.first().map_or(&[][..], |it| &it.products);
        assert!(programs.iter().any(|it| it.name == "okhttp"), "{all:?}");
    }

    #[test]
    fn a_warm_up_crosses_no_socket() {
        for text in [
            "0x80070032",
            "An error occurred while communicating with the remote host. The error code is 0x80070032.",
        ] {
            let told = explain(text);
            assert!(
                told.leaves_no_packet() || text.len() > 20,
                "{:?}",
                told.stories
            );
            let story = &told.stories[0];
            assert_eq!(story.events, [WireEvent::Preload]);
            assert_eq!(story.rules, ["periodic-abandoned-request"]);
            assert!(
                told.codes[0]
                    .note
                    .is_some_and(|it| it.contains("capture holds nothing"))
            );
        }
        assert!(explain("10048").leaves_no_packet());
        assert!(!explain("10054").leaves_no_packet());
    }

    #[test]
    fn slips() {
        leads("sokcet hang up", &["keep-alive-race"]);
        leads(
            "An unexpeced error occured on a recieve",
            &["reset-before-response"],
        );
        leads(
            "The underlaying conection was closed unexpectedly",
            &["closed-before-response"],
        );
    }

    #[test]
    fn a_log_line_says_which_connection() {
        let told = explain(
            "2025/11/20 19:01:02 [error] 31#31: *7 recv() failed (104: Connection reset by peer) while reading response \
             header from upstream, client: 10.0.0.1, server: _, upstream: \"http://10.0.0.2:9000/\"",
        );
        assert_eq!(told.hints.times.len(), 1);
        assert_eq!(told.hints.addresses.len(), 2);
        assert_eq!(told.hints.ports, [9000]);
        let first: Vec<_> = told.stories.iter().flat_map(|it| &it.rules).collect();
        assert!(first.contains(&&"reset-before-response"), "{first:?}");
        assert!(
            told.stories[0].products.iter().any(|it| it.name == "nginx"),
            "{:?}",
            told.stories[0]
        );
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", " ", "hello", "…", "\0", "-", "0x", "all is well today"] {
            assert!(explain(text).is_empty(), "{text:?}: {:?}", explain(text));
        }
    }

    #[test]
    fn it_is_quick() {
        let line = "2025-11-20 19:01:02 ERRROR sokcet hnag up whlie readng respons heeader frm upstraem, clinet 10.0.0.1 ";
        let long = line.repeat(40);
        let _ = explain(line);
        let rounds = 20_u32;
        let start = Instant::now();
        for _ in 0..rounds {
            let _ = explain(line);
        }
        let one = start.elapsed() / rounds;
        let start = Instant::now();
        let _ = explain(&long);
        eprintln!(
            "explain: {one:?} a line, {:?} for {} bytes",
            start.elapsed(),
            long.len()
        );
        // Generous: tests run unoptimised and in parallel with others.
        assert!(one.as_millis() < 100, "{one:?}");
    }

    proptest! {
        #[test]
        fn anything_can_be_asked(text in "\\PC{0,300}") {
            let told = match_error(&text);
            prop_assert!(told.iter().all(|it| it.score <= 100));
        }

        #[test]
        fn words_of_the_tables_can_be_asked(words in prop::collection::vec("(connection|closed|reset|by|peer|SD|UC|0x8007[0-9A-F]{4}|-[0-9]{1,12}|10054|error|\n|at x\\.y\\()", 0..30)) {
            let _ = explain(&words.join(" "));
        }
    }
}
