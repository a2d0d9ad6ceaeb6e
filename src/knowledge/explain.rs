//! From an error text, a code or a pasted log line to wire events and rules: the content of `hangup explain TEXT`.
//!
//! Exact codes rank before known texts. Matches are grouped by wire event; events with the same first rule form one
//! group.

use super::code::{Code, codes_in};
use super::fuzzy_match::{FuzzyMatch, MatchQuality, resembling};
use super::log_line::{LogLineHints, head, hints_in};
use super::product::Product;
use super::wire_event::{EventTrace, WireEvent};

/// Why an event matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchReason {
    /// The text contains this code.
    Code(&'static Code),
    /// A program prints a text like it: the known text, and how well it matches.
    Text(&'static str, MatchQuality),
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
    /// From 0 to 100: 100 for a code or a whole text.
    pub score: u8,
    /// What matched.
    pub why: MatchReason,
}

/// Bytes of a pasted text that are read.
const BYTES: usize = 16 * 1024;

/// Events ranked first among those with equal scores: the ones that most often break programs.
const COMMON: &[WireEvent] = &[
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
    let text = head(text, BYTES);
    matches(&codes_in(text), &resembling(text))
}

fn matches(codes: &[&'static Code], found: &[FuzzyMatch]) -> Vec<EventMatch> {
    let mut matches: Vec<EventMatch> = Vec::new();
    for code in codes {
        for (index, event) in code.events.iter().enumerate() {
            let score =
                100_u8.saturating_sub(u8::try_from(index).unwrap_or(u8::MAX).saturating_mul(2));
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
                    score,
                    why: MatchReason::Code(code),
                });
            }
        }
    }
    let heaviest = found.first().map_or(1.0, |it| it.weight.max(0.1));
    for one in found {
        for event in &one.fact.events {
            let score = text_score(one, heaviest);
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
    /// The times, addresses and ports in the text, which identify the connection.
    pub hints: LogLineHints,
}

impl Explanation {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.stories.is_empty()
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
    let codes = codes_in(text);
    let mut stories: Vec<EventGroup> = Vec::new();
    for one in matches(&codes, &resembling(text)) {
        let lead = one.rules.first();
        match stories.iter_mut().find(|it| it.rules.first() == lead) {
            Some(story) => {
                story.events.push(one.what);
                extend(&mut story.rules, one.rules);
                extend(&mut story.products, one.products);
            }
            None => stories.push(EventGroup {
                rules: one.rules,
                events: vec![one.what],
                products: one.products,
                score: one.score,
                why: one.why,
            }),
        }
    }
    // Rules of a code that has no events.
    for code in &codes {
        for rule in &code.rules {
            if code.events.is_empty() && !stories.iter().any(|it| it.rules.contains(rule)) {
                stories.push(EventGroup {
                    rules: vec![rule],
                    events: Vec::new(),
                    products: Vec::new(),
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
    Explanation {
        codes,
        stories,
        more,
        hints: hints_in(text),
    }
}

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
