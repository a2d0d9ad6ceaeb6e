//! What the rules find on one connection alone, and how much that matters.
//!
//! Every connection is asked when it settles, and those that are kept are asked again with all others: so the ending is
//! classified once, and only rules that can find something on one connection are asked.

use std::sync::LazyLock;

use super::Severity;
use super::catalogue::{CATALOGUE, reads_content};
use super::classify::{Ending, ending};
use super::connecting::connection_unreachable::meaning;
use super::retry;
use super::rule::{Check, Diagnosis, Rule, Verdict};
use super::statement::{Value, sentence};
use super::wording::{not_yet, shows, side};
use crate::analysis::connection::{Connection, How, Oddity, Opening, Who};
use crate::analysis::engine::Concern;
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::base::net::QuoteKind;
use crate::protocol::tcp::{ResetKind, ResetSigns, hops};

/// Rules on two sides that do not speak the same protocol.
const MISMATCHES: [&str; 4] = [
    "protocol-mismatch",
    "tls-plaintext-mismatch",
    "h2-preface-mismatch",
    "malformed-response",
];

/// What a rule finds on one connection alone.
#[derive(Debug)]
pub(crate) struct FoundAlone {
    /// The rule's index in the catalogue.
    pub(super) rule: usize,
    pub(super) story: Box<Diagnosis>,
}

/// A rule that looks at one connection alone.
struct Alone {
    /// Its index in the catalogue.
    index: usize,
    rule: &'static Rule,
    /// It asks what was said, by sides that may not have spoken the same protocol.
    reads_mismatch: bool,
}

static ALONE: LazyLock<Vec<Alone>> = LazyLock::new(|| {
    let all = CATALOGUE.iter().copied().enumerate();
    all.filter(|(_, rule)| rule.check.is_alone())
        .map(|(index, rule)| Alone {
            index,
            rule,
            reads_mismatch: reads_content(rule) && !MISMATCHES.contains(&rule.name),
        })
        .collect()
});

/// What the rules find on one connection alone, in the order of the catalogue.
pub(crate) fn found_alone(connection: &Connection) -> Vec<FoundAlone> {
    let ending = ending(connection);
    let mismatch = connection.mismatch().is_some();
    let mut found = Vec::new();
    for alone in ALONE.iter() {
        // What a server says in another protocol is neither a bad answer nor a late one.
        if mismatch && alone.reads_mismatch {
            continue;
        }
        let verdict = verdict(alone.rule, connection, ending.as_ref());
        if let Verdict::Found(mut story) = verdict {
            doubt(&mut story, alone.rule, connection);
            doubt_reset(&mut story, alone.rule, connection);
            unreachable(&mut story, alone.rule, connection);
            temper(&mut story, connection.outcome.is_failed());
            retry::complete(&mut story, connection);
            let rule = alone.index;
            found.push(FoundAlone { rule, story });
        }
    }
    found
}

fn verdict(rule: &Rule, connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    match (rule.check, ending) {
        (Check::Connection(check), _) => check(connection),
        (Check::Read(check), _) => check(connection, ending),
        (Check::Ending(readings, check), Some(ending)) if readings.contains(&ending.reading) => {
            check(connection, ending)
        }
        (Check::Ending(..), None) => not_yet(connection),
        (
            Check::Ending(..)
            | Check::Sockets(_)
            | Check::Hosts(_)
            | Check::All(_)
            | Check::Capture(_),
            _,
        ) => Verdict::Clear,
    }
}

/// A RST that came sooner than its sender has ever answered may be another's.
fn doubt_reset(story: &mut Diagnosis, rule: &Rule, connection: &Connection) {
    if rule.name == "reset-injected" {
        return;
    }
    let early = Who::BOTH.into_iter().find_map(|who| {
        let event = connection.reset[who as usize]?;
        let shown = story
            .evidence
            .iter()
            .any(|it| it.frame_ref == event.frame_ref);
        let least = connection.round_trip[who as usize]?;
        (shown && event.signs.has(ResetSigns::EARLY)).then_some((who, least))
    });
    let Some((who, least)) = early else {
        other_hop(story, connection);
        return;
    };
    story.certainty = story.certainty.max(Certainty::Likely);
    story.message.say(sentence!(
        "The RST acknowledges data sooner than the {} has ever answered: the {}'s fastest answer took {}. A device on the way may \
         have sent the RST.",
        side(who),
        side(who),
        least
    ));
}

/// A RST for data at a socket that had not closed, with a TTL that none of its host's other segments has: a device beside the
/// path may have sent it.
fn other_hop(story: &mut Diagnosis, connection: &Connection) {
    let found = Who::BOTH.into_iter().find_map(|who| {
        let event = connection.reset[who as usize]?;
        let frames = || story.evidence.iter().map(|it| it.frame_ref);
        let shown = frames().any(|it| it == event.frame_ref)
            || connection.teardown.frame == event.frame_ref.frame;
        let unclosed =
            event.kind == Some(ResetKind::NoSocket) && connection.fin[who as usize].is_none();
        (shown && unclosed && event.signs.has(ResetSigns::HOP)).then_some((who, event))
    });
    if let Some((who, event)) = found {
        let ttl = event.ttl;
        let usual = connection.sent[who as usize].ttl;
        story.certainty = story.certainty.max(Certainty::Possible);
        let nearer = hops(ttl) < hops(usual);
        story.message.say(sentence!(
            "The RST arrived with TTL {}, the {}'s other segments with TTL {}: another sender, or another route.",
            Value::hop_limit(ttl, event.frame_ref.frame),
            side(who),
            Value::hop_limit(usual, event.frame_ref.frame)
        ));
        story.message.presume(match nearer {
            true => sentence!("A device in front of the {} sent the RST.", side(who)),
            false => sentence!("Another host than the {} sent the RST.", side(who)),
        });
    }
}

/// Where segments with the same sequence numbers carry different bytes, the capture does not show which of them the
/// receiver took: what is concluded from content is possible, and alarms nobody.
fn doubt(story: &mut Diagnosis, rule: &Rule, connection: &Connection) {
    let mut sides = Who::BOTH.into_iter();
    let other = sides.find_map(|who| {
        let mut all = connection.oddities[who as usize].iter();
        all.find(|odd| matches!(odd.kind, Oddity::OtherBytes | Oddity::ForeignBytes))
    });
    let Some(other) = other.filter(|_| reads_content(rule)) else {
        return;
    };
    story.certainty = Certainty::Possible;
    story.severity = story.severity.min(Severity::Note);
    let told = match other.kind {
        Oddity::ForeignBytes => sentence!(
            "Another device may have sent the bytes of {}: see the finding on them.",
            other.first.frame
        ),
        _ => sentence!(
            "The bytes are those that came first, and {} repeats sequence numbers with other bytes: the capture does not show \
             which of them the receiver took.",
            other.first.frame
        ),
    };
    story.message.say(told);
}

/// Rules on a side that waits, or whose segments are not acknowledged.
const ON_SILENCE: [&str; 5] = [
    "client-gave-up-waiting",
    "client-left-mid-response",
    "fin-unanswered",
    "keepalive-probes-unanswered",
    "retransmissions-exhausted",
];

/// What to change where a router rejects an open connection.
const AT_ROUTER: &str = "Look at the device that sent the ICMP error: a filter rule or a missing route there stops the connection.";

/// An open connection whose segments are answered with ICMP errors: TCP goes on trying (RFC 1122 §4.2.3.9), and the programs see
/// only the silence.
fn unreachable(story: &mut Diagnosis, rule: &Rule, connection: &Connection) {
    let quote = connection.icmp.as_deref().filter(|it| {
        it.kind == QuoteKind::Unreachable
            && it.time <= connection.teardown.at
            && connection.opening == Opening::Handshake
    });
    let Some(quote) = quote.filter(|_| ON_SILENCE.contains(&rule.name)) else {
        return;
    };
    let from = match quote.source == connection.client {
        true => Who::Client,
        false => Who::Server,
    };
    let version = if quote.source.ip.is_ipv4() { 4 } else { 6 };
    let own = quote.reporter == quote.destination.ip;
    story.message.say(sentence!(
        "{} before the {}, {} answered a segment of the {} with an ICMP error (type {}, code {}): {}.",
        connection.teardown.at.since(quote.time),
        match connection.teardown.how {
            How::Open | How::Silence => "last packet",
            _ => "close",
        },
        quote.reporter.to_string(),
        side(from),
        quote.icmp_type,
        quote.icmp_code,
        meaning(version, quote.icmp_type, quote.icmp_code, own)
    ));
    let at = FrameRef {
        frame: quote.frame,
        time: quote.time,
    };
    story
        .evidence
        .push(shows(at, format!("ICMP error from {}", quote.reporter)));
    story.evidence.sort_by_key(|it| it.frame_ref);
    story.remedies.insert(0, AT_ROUTER.into());
}

/// What is only possible alarms nobody, unless something was lost there.
pub(super) fn temper(story: &mut Diagnosis, lost: bool) {
    if story.certainty == Certainty::Possible && !lost {
        story.severity = story.severity.min(Severity::Note);
    }
}

/// How much is lost if the details of a connection are given up; and what the rules find on it alone, if that had to be
/// asked: how it ended may say enough.
#[must_use]
pub(crate) fn concern(connection: &Connection) -> (Concern, Option<Vec<FoundAlone>>) {
    let open = connection.teardown.how == How::Open;
    let fine = (connection.teardown.orderly || open) && !connection.outcome.is_failed();
    let found = fine.then(|| found_alone(connection));
    let worst = found
        .as_ref()
        .map(|all| all.iter().map(|it| it.story.severity).max());
    let concern = match worst {
        Some(None) => Concern::Nothing,
        Some(Some(Severity::Benign | Severity::Note)) => Concern::Noted,
        _ => match connection.opening {
            Opening::Refused | Opening::Unreachable | Opening::Unanswered | Opening::Rejected => {
                Concern::Unestablished
            }
            Opening::Handshake | Opening::Midstream => Concern::Failed,
        },
    };
    (concern, found)
}

#[cfg(test)]
mod tests {
    use super::super::ladder_check;
    use super::*;

    /// A router that rejects an open connection is the cause of the silence.
    #[test]
    fn icmp_errors_in_the_middle_are_told() {
        let wait =
            "SYN -->\n<-- SYN\nACK -->\nGET / -->\n+1s <-- ACK [unreachable=10]\n+4s FIN -->";
        for (text, told) in [
            (wait, true),
            (
                "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- ACK\n+5s FIN -->",
                false,
            ),
        ] {
            let found = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = found.iter().find(|it| it.rule == "client-gave-up-waiting");
            let own = own.expect("found");
            let says = own
                .message
                .contains("4.00 s before the close, 10.0.0.254 answered a segment of the client");
            let first = own.remedies.first().expect("a remedy");
            assert_eq!((says, first == AT_ROUTER), (told, told), "{}", own.message);
        }
    }

    /// An open connection has no close to count from.
    #[test]
    fn icmp_errors_on_an_open_connection_are_told_by_its_last_packet() {
        let again = "+1s again -->\n".repeat(6);
        let text =
            format!("SYN -->\n<-- SYN\nACK -->\nGET / -->\n+1s <-- ACK [unreachable=10]\n{again}");
        let found = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own = found
            .iter()
            .find(|it| it.rule == "retransmissions-exhausted");
        let told = &own.expect("found").message;
        assert!(
            told.contains("before the last packet, 10.0.0.254"),
            "{told}"
        );
    }

    #[test]
    fn what_concerns_a_rule_is_what_it_finds() {
        let proof = ladder_check::run(
            &"GET / -->\n<-- 200 [close close] FIN\nclient :50001 server\nSYN -->\n<-- SYN\nPOST / -->\n+40ms <-- RST"
                .parse()
                .expect("a ladder"),
        );
        assert!(
            proof
                .connections
                .iter()
                .all(|it| concern(it).0 > Concern::Nothing)
        );
        let fine = ladder_check::run(&"GET / -->\n<-- 200".parse().expect("a ladder"));
        assert!(
            fine.connections
                .iter()
                .all(|it| concern(it).0 == Concern::Nothing)
        );
    }

    fn messages(text: &str) -> String {
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let told = proof.findings.iter().map(|it| it.message.to_string());
        told.collect::<Vec<_>>().join("\n")
    }

    /// The only answer of a client may have waited for its processor.
    #[test]
    fn one_slow_answer_is_no_measure_of_a_reset() {
        let open = "SYN -->\n+10ms <-- SYN\n+22ms ACK -->\n";
        let slow = "GET /a -->\n+10ms <-- 200 \"a\"\n+22ms ACK -->\n";
        let end = "GET / [close] -->\n+10ms <-- 200 \"x\" [close]\n+1ms RST -->";
        for (between, doubted) in [("", false), (slow, true)] {
            let told = messages(&format!("{open}{between}{end}"));
            let said = told.contains("sooner than the client has ever answered");
            assert_eq!(said, doubted, "{told}");
        }
    }

    /// A device beside the server's host answers what no socket there had closed.
    #[test]
    fn a_reset_from_another_hop_is_doubted_where_nothing_was_closed() {
        let used = "SYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- 200 \"a\"\nACK -->\nGET /b -->\n<-- 200 \"b\"\nACK -->\n\
                    GET /c -->\n<-- 200 \"c\"\nACK -->\nGET /d -->\n<-- 200 \"d\"\nACK -->\n";
        let varied = used.replace("<-- 200 \"b\"", "<-- 200 \"b\" [ttl=63]");
        let ask = "+1s GET /e -->\n";
        for (text, doubted) in [
            (format!("{used}{ask}<-- RST [noack ttl=63]"), true),
            (format!("{used}{ask}<-- RST [noack]"), false),
            (format!("{varied}{ask}<-- RST [noack ttl=63]"), false),
            (
                format!("{used}<-- FIN\nACK -->\n{ask}<-- RST [noack ttl=63]"),
                false,
            ),
        ] {
            let told = messages(&text);
            assert_eq!(told.contains("with TTL 63"), doubted, "{text}: {told}");
        }
    }
}
