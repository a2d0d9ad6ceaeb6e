//! Remedies and the conditions under which they apply.
//!
//! A remedy is a point on a rule's page or a row of the settings table. It may begin with its condition, in italics:
//! `*If the wait was 1 s or more:* compare it with the server's limits.` The conditions are the phrases of
//! [`CONDITIONS`], and of `remedy_conditions` for TLS, HTTP/2 and WebSockets; `and` joins several. A finding shows the remedies that fit, without their conditions; the page shows
//! all, with them.

use std::borrow::Cow;
use std::time::Duration;

use super::classify::{announced, unannounced_body};
use super::members::Members;
use super::named_products::{client, server};
use super::refusals::is_gateway_limit;
use super::remedy_conditions;
use super::unanswered::timed_out_after;
use crate::analysis::connection::{Connection, Opening, Phase, Who};
use crate::base::format::capitalised;
use crate::knowledge::Product;
use crate::protocol::http::{Exchange, FaultRule, FieldName, Framing, Message};

/// Remedies that a finding shows.
pub(super) const SHOWN: usize = 3;

/// A remedy.
#[derive(Clone, Debug, Eq)]
pub struct Remedy {
    /// All of these must hold; none: it always applies.
    conditions: Cow<'static, [AppliedCondition]>,
    text: Cow<'static, str>,
}

impl PartialEq for Remedy {
    fn eq(&self, other: &Self) -> bool {
        // Few texts are equally long.
        self.text == other.text && self.conditions == other.conditions
    }
}

/// A condition with the value that stands in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppliedCondition {
    pub(super) condition: &'static Condition,
    value: &'static str,
}

impl PartialEq for AppliedCondition {
    fn eq(&self, other: &Self) -> bool {
        (self.condition.phrase, self.value) == (other.condition.phrase, other.value)
    }
}

impl Eq for AppliedCondition {}

/// What can be told of a connection when its finding is made.
#[derive(Debug)]
pub(super) struct Condition {
    /// The phrase after "If"; `{}` is the place of a value.
    pub(super) phrase: &'static str,
    /// Whether it holds on a connection, for this value.
    holds: fn(&Connection, &str) -> bool,
}

pub(super) const fn when(phrase: &'static str, holds: fn(&Connection, &str) -> bool) -> Condition {
    Condition { phrase, holds }
}

/// The conditions. For each the tests have a ladder where it holds and one where it does not.
pub(super) static CONDITIONS: &[Condition] = &[
    when("the wait was under {}", |it, limit| {
        waited(it)
            .zip(time(limit))
            .is_some_and(|(wait, limit)| wait < limit)
    }),
    when("the wait was {} or more", |it, limit| {
        waited(it)
            .zip(time(limit))
            .is_some_and(|(wait, limit)| wait >= limit)
    }),
    when("the connection had been idle for under {}", |it, limit| {
        idle(it)
            .zip(time(limit))
            .is_some_and(|(idle, limit)| idle < limit)
    }),
    when(
        "the connection had been idle for {} or more",
        |it, limit| {
            idle(it)
                .zip(time(limit))
                .is_some_and(|(idle, limit)| idle >= limit)
        },
    ),
    when(
        "the lost data came after an idle time of under {}",
        |it, limit| {
            idle_before_loss(it)
                .zip(time(limit))
                .is_some_and(|(idle, limit)| idle < limit)
        },
    ),
    when(
        "the lost data came after an idle time of {} or more",
        |it, limit| {
            idle_before_loss(it)
                .zip(time(limit))
                .is_some_and(|(idle, limit)| idle >= limit)
        },
    ),
    when("the body was not announced", |it, _| {
        unannounced_body(it).is_some()
    }),
    when("the request may be repeated", |it, _| {
        lost_request(it).is_some_and(repeatable)
    }),
    when("the request must not be repeated", |it, _| {
        lost_request(it).is_some_and(|request| !repeatable(request))
    }),
    when("the connection had carried a request before", |it, _| {
        answered(it) > 0
    }),
    when("the connection had never been idle for longer", |it, _| {
        let pauses = pauses_before_requests(it);
        if it.opening == Opening::Midstream && answered(it) == 0 {
            return true;
        }
        pauses
            .split_last()
            .is_some_and(|(last, before)| before.iter().all(|it| it < last))
    }),
    when(
        "the connection had been idle for as long before",
        |it, _| {
            let pauses = pauses_before_requests(it);
            pauses
                .split_last()
                .is_some_and(|(last, before)| before.iter().any(|it| it >= last))
        },
    ),
    when("it was the first request on the connection", |it, _| {
        answered(it) == 0 && it.opening != Opening::Midstream
    }),
    when("the request was relayed by a proxy", |it, _| relayed(it)),
    when("the client is {}", |it, name| is(client(it), name)),
    when("the server is {}", |it, name| is(server(it), name)),
    when("the client is not named", |it, _| client(it).is_none()),
    when("the server is not named", |it, _| server(it).is_none()),
    when("TLS was used", |it, _| it.tls.is_some()),
    when("HTTP was spoken", |it, _| !it.exchanges.is_empty()),
    when("HTTP was not spoken", |it, _| it.exchanges.is_empty()),
    when("both ends are on one host", |it, _| {
        it.client.ip == it.server.ip
    }),
    when("the server sent a RST", |it, _| {
        it.reset[Who::Server as usize].is_some()
    }),
    when("the server sent a FIN", |it, _| {
        it.fin[Who::Server as usize].is_some()
    }),
    when("the client sent a RST", |it, _| {
        it.reset[Who::Client as usize].is_some()
    }),
    when("the client sent a FIN", |it, _| {
        it.fin[Who::Client as usize].is_some()
    }),
    when("the server sent a SYN-ACK", |it, _| it.syn_acks > 0),
    when("the server sent no SYN-ACK", |it, _| it.syn_acks == 0),
    when("the SYN was repeated", |it, _| it.syn_retries > 0),
    when("the SYN was not repeated", |it, _| it.syn_retries == 0),
    when("the SYN-ACK was repeated", |it, _| it.syn_acks > 1),
    when("the connection was opened", |it, _| {
        it.opening == Opening::Handshake
    }),
    when("the ICMP error came from the server's address", |it, _| {
        it.icmp
            .as_ref()
            .is_some_and(|quote| quote.reporter == it.server.ip)
    }),
    when("the ICMP error came from another address", |it, _| {
        it.icmp
            .as_ref()
            .is_some_and(|quote| quote.reporter != it.server.ip)
    }),
    when("the server had sent nothing", |it, _| {
        let sent = it.sent[Who::Server as usize];
        sent.bytes == 0 && sent.missing == 0
    }),
    when("the client had sent something", |it, _| {
        it.sent[Who::Client as usize].bytes > 0
    }),
    when("the client had sent nothing", |it, _| {
        it.sent[Who::Client as usize].bytes == 0
    }),
    when("the client had sent under 16 kB", |it, _| {
        it.sent[Who::Client as usize].bytes < A_HEAD
    }),
    when("the client had sent 16 kB or more", |it, _| {
        it.sent[Who::Client as usize].bytes >= A_HEAD
    }),
    when("the client had not asked for permission", |it, _| {
        let last = it.exchanges.last();
        last.is_some_and(|last| last.request_fields(FieldName::Expect).next().is_none())
    }),
    when("the server had answered before", |it, _| {
        it.spoken().last().is_some_and(|it| it.response.is_some())
    }),
    when("the request announced its length", |it, _| {
        let last = it.exchanges.last().and_then(|it| it.request.as_ref());
        last.is_some_and(|request| has_length(&request.message))
    }),
    when("the response announced its length", |it, _| {
        let last = it.exchanges.last().and_then(|it| it.response.as_ref());
        last.is_some_and(|response| has_length(&response.message))
    }),
    when("the server had not answered", |it, _| {
        it.spoken().last().is_none_or(|it| it.response.is_none())
    }),
    when("a response before had announced the close", |it, _| {
        lost_request(it).is_some_and(|lost| announced(it, lost).is_some())
    }),
    when("nothing had come for {} or more", |it, limit| {
        let last = it.last_data.iter().map(|it| it.time).max();
        last.zip(time(limit))
            .is_some_and(|(last, limit)| it.teardown.at.since(last) >= limit)
    }),
    when("the client's window had gone to zero", |it, _| {
        it.sent[Who::Client as usize].zero_windows > 0
    }),
    when("the client's window had not gone to zero", |it, _| {
        it.sent[Who::Client as usize].zero_windows == 0
    }),
    when("the close came within {} of the last bytes", |it, limit| {
        let last = it.last_data.iter().map(|it| it.time).max();
        last.zip(time(limit))
            .is_some_and(|(last, limit)| it.teardown.at.since(last) < limit)
    }),
    when("the answer came in under {}", |it, limit| {
        last_wait(it)
            .zip(time(limit))
            .is_some_and(|(wait, limit)| wait < limit)
    }),
    when("the answer came after {} or more", |it, limit| {
        last_wait(it)
            .zip(time(limit))
            .is_some_and(|(wait, limit)| wait >= limit)
    }),
    when("the status was not {}", |it, status| {
        let last = it.exchanges.last().and_then(|it| it.response.as_ref());
        last.is_none_or(|response| status.parse() != Ok(response.status))
    }),
    when("the status was {}", |it, status| {
        let last = it.exchanges.last().and_then(|it| it.response.as_ref());
        last.is_some_and(|response| status.parse() == Ok(response.status))
    }),
    when("a limit of the gateway refused the request", |it, _| {
        it.exchanges.iter().any(is_gateway_limit)
    }),
    when("no limit of the gateway refused the request", |it, _| {
        !it.exchanges.iter().any(is_gateway_limit)
    }),
    when("the proxy answered {}", |it, statuses| {
        let mut proxied = it.exchanges.iter().filter(|it| it.is_proxied());
        proxied.any(|it| it.status().is_some_and(|it| is_among(it, statuses)))
    }),
    when("the request had a body", |it, _| {
        let last = it.exchanges.last().and_then(|it| it.request.as_ref());
        let framing = last.map(|request| request.message.framing);
        matches!(framing, Some(Framing::Length | Framing::Chunked))
    }),
    when("the request had not been acknowledged", |it, _| {
        went_unacknowledged(it)
    }),
    when(
        "the RST has another TTL than the server's segments",
        |it, _| has_other_ttl(it),
    ),
    when(
        "the RST has no other TTL than the server's segments",
        |it, _| !has_other_ttl(it),
    ),
    when("a 504 came after the client had left", |it, _| {
        timed_out_after(it).is_some()
    }),
    when("no 504 came after the client had left", |it, _| {
        timed_out_after(it).is_none()
    }),
    when("no request went unacknowledged", |it, _| {
        !went_unacknowledged(it)
    }),
    when("the server had waited for an acknowledgement", |it, _| {
        it.waited_unacknowledged(Who::Server).is_some()
    }),
    when(
        "the server had not waited for an acknowledgement",
        |it, _| it.waited_unacknowledged(Who::Server).is_none(),
    ),
    when("a message had two lengths", |it, _| has_two_lengths(it)),
    when("no message had two lengths", |it, _| !has_two_lengths(it)),
];

/// Whether a `Content-Length` says how long the body is.
const fn has_length(message: &Message) -> bool {
    matches!(message.framing, Framing::Length)
}

/// The time from the last byte of the first request without a whole response to the close.
fn waited(connection: &Connection) -> Option<Duration> {
    let request = lost_request(connection)?.request.as_ref()?;
    let last = request.message.last.time;
    // A client that had closed its direction alone still waited: the server ended that.
    let after = connection
        .after_half_close()
        .map(|close| close.frame_ref.time);
    Some(after.unwrap_or(connection.teardown.at).since(last))
}

/// Whether a RST with the server's address has a TTL that none of its other segments has.
fn has_other_ttl(connection: &Connection) -> bool {
    let reset = connection.reset[Who::Server as usize];
    reset.is_some_and(|it| it.is_from_elsewhere())
}

/// Whether the server is known not to have received the whole request that it did not answer.
fn went_unacknowledged(connection: &Connection) -> bool {
    let request = lost_request(connection).and_then(|it| it.request.as_ref());
    let acknowledged = connection.sent[Who::Client as usize].acknowledged;
    request.is_some_and(|request| acknowledged < request.message.end())
}

/// Whether a status is one of a list: `502, 503 or 504`.
fn is_among(status: u16, list: &str) -> bool {
    let mut listed = list.split(", ").flat_map(|it| it.split(" or "));
    listed.any(|it| it.parse() == Ok(status))
}

/// Whether a head says in two ways how long its body is.
fn has_two_lengths(connection: &Connection) -> bool {
    let mut faults = connection
        .exchanges
        .iter()
        .flat_map(|it| it.request_faults().iter().chain(it.response_faults()));
    faults.any(|it| {
        matches!(
            it.rule,
            FaultRule::DifferingLengths | FaultRule::LengthAndEncoding
        )
    })
}

/// The time from the last byte of the last answered request to its answer.
fn last_wait(connection: &Connection) -> Option<Duration> {
    connection.spoken().iter().rev().find_map(Exchange::waited)
}

/// The first exchange whose response is not complete.
fn lost_request(connection: &Connection) -> Option<&Exchange> {
    let mut exchanges = connection.spoken().iter();
    exchanges.find(|it| it.request.is_some() && !it.is_complete())
}

fn repeatable(exchange: &Exchange) -> bool {
    let request = exchange.request.as_ref();
    request.is_some_and(|request| request.method.is_idempotent())
}

/// How many exchanges were complete before the close.
fn answered(connection: &Connection) -> usize {
    connection
        .spoken()
        .iter()
        .filter(|it| it.is_complete())
        .count()
}

/// A client that has sent more than this sends a body: a server that reads it knows what the client speaks.
const A_HEAD: u64 = 16_384;

/// The time from the last payload of either side to the close, if nothing was under way.
fn idle(connection: &Connection) -> Option<Duration> {
    let quiet = matches!(
        connection.teardown.phase,
        Phase::Between | Phase::After | Phase::Opaque | Phase::Tunnel | Phase::BeforeRequest
    );
    let last = connection.last_data.iter().map(|it| it.time).max()?;
    let since = last.max(connection.first.time);
    quiet.then(|| connection.teardown.at.since(since))
}

/// The pauses between each response and the request after it.
fn pauses_before_requests(connection: &Connection) -> Vec<Duration> {
    let pairs = connection.spoken().windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let answered = before.response.as_ref()?.message.last.time;
        let asked = after.request.as_ref()?.message.first.time;
        Some(asked.since(answered))
    });
    pairs.collect()
}

/// How long the connection had been idle before the client sent what was never acknowledged.
fn idle_before_loss(connection: &Connection) -> Option<Duration> {
    connection.in_flight(Who::Client).map(|it| it.idle)
}

/// Whether a header says that the request came through a proxy.
fn relayed(connection: &Connection) -> bool {
    connection
        .exchanges
        .iter()
        .any(|it| it.request_fields(FieldName::Via).next().is_some())
}

/// Whether this product has this name or title.
fn is(product: Option<&Product>, name: &str) -> bool {
    product.is_some_and(|it| it.name == name || it.title == name)
}

/// `250 ms`, `10 s`, `5 min`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "min" => Duration::from_secs(60 * number),
        _ => return None,
    })
}

impl Remedy {
    /// Reads a point: `*If CONDITION:* TEXT` or `TEXT`. An unknown condition stays part of the text, and a test fails.
    fn parse(point: &'static str) -> (Vec<AppliedCondition>, &'static str) {
        let split = point
            .strip_prefix("*If ")
            .and_then(|rest| rest.split_once(":* "));
        let read = split.and_then(|(conditions, text)| {
            let each = conditions.split(" and ").map(applied);
            Some((each.collect::<Option<Vec<_>>>()?, text))
        });
        read.unwrap_or((Vec::new(), point))
    }

    /// The remedy of a row of a table.
    pub(super) fn from_table(point: &'static str) -> Self {
        let (conditions, text) = Self::parse(point);
        Self {
            conditions: conditions.into(),
            text: Cow::Borrowed(text),
        }
    }

    /// The same, to be copied very often: nothing of it is allocated again.
    pub(super) fn lasting(self) -> Self {
        let conditions = match self.conditions {
            Cow::Owned(own) => Cow::Borrowed(&*Vec::leak(own)),
            borrowed @ Cow::Borrowed(_) => borrowed,
        };
        Self { conditions, ..self }
    }

    /// Whether it has a condition.
    pub(super) fn is_conditional(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Whether it applies to this connection.
    pub(super) fn fits(&self, connection: &Connection) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.all(|it| (it.condition.holds)(connection, it.value))
    }

    /// What to change, without the condition.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The condition of this phrase, with its value.
pub(super) fn applied(phrase: &'static str) -> Option<AppliedCondition> {
    let all = || CONDITIONS.iter().chain(remedy_conditions::CONDITIONS);
    let whole = all().find(|it| it.phrase == phrase);
    let whole = whole.map(|condition| AppliedCondition {
        condition,
        value: "",
    });
    whole.or_else(|| {
        all().find_map(|condition| {
            let (before, after) = condition.phrase.split_once("{}")?;
            let value = phrase.strip_prefix(before)?.strip_suffix(after)?;
            Some(AppliedCondition { condition, value })
        })
    })
}

/// A remedy without a condition.
impl From<String> for Remedy {
    fn from(text: String) -> Self {
        Self {
            conditions: Cow::Borrowed(&[]),
            text: Cow::Owned(text),
        }
    }
}

impl From<&'static str> for Remedy {
    fn from(text: &'static str) -> Self {
        Self {
            conditions: Cow::Borrowed(&[]),
            text: Cow::Borrowed(text),
        }
    }
}

/// The remedies of a finding while its cases are collected: each with the cases that it fits.
#[derive(Clone, Debug, Default)]
pub(super) struct FittingRemedies {
    fitting: Vec<(Members, Remedy)>,
}

impl FittingRemedies {
    /// The remedies that fit these cases.
    pub(super) fn of(members: &Members, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        let mut fitting: Vec<(Members, Remedy)> = Vec::new();
        for remedy in remedies {
            if !fitting.iter().any(|(_, own)| *own == remedy) {
                fitting.push((members.clone(), remedy));
            }
        }
        Self { fitting }
    }

    /// Adds those of other cases.
    pub(super) fn absorb(&mut self, others: Self) {
        for (members, remedy) in others.fitting {
            match self.fitting.iter_mut().find(|(_, own)| *own == remedy) {
                Some((own, _)) => own.absorb(&members),
                None => self.fitting.push((members, remedy)),
            }
        }
    }

    /// What a finding of so many cases shows: first what fits all of them, in the order of the page.
    pub(super) fn shown(&self, cases: u64) -> Vec<String> {
        let is_for_all = |(own, _): &&(Members, Remedy)| own.cases() >= cases;
        let (all, some): (Vec<_>, Vec<_>) = self.fitting.iter().partition(is_for_all);
        let both = all.into_iter().chain(some);
        let told = both.map(|(own, remedy)| format!("{}{}", own.lead(cases), remedy.text()));
        told.collect()
    }
}

/// How a remedy begins that is an alternative to the one before it, or is needed as well.
const JOINTS: &[&str] = &["Or, ", "Or ", "Also, ", "Also ", "Then "];

/// A remedy that stands first: "Or raise the limit." becomes "Raise the limit."
pub(crate) fn standing_first(remedy: &str) -> String {
    match JOINTS.iter().find_map(|it| remedy.strip_prefix(it)) {
        Some(alone) => capitalised(alone),
        None => remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::setting::SETTINGS;
    use crate::rules::catalogue::CATALOGUE;
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";

    /// Each condition with a value, what follows the handshake where it holds, and where it does not.
    const BOTH_SIDES: &[(&str, &str, &str)] = &[
        ("HTTP was spoken", "GET / -->", "<-- FIN"),
        ("HTTP was not spoken", "<-- FIN", "GET / -->"),
        (
            "the client had sent something",
            "GET / -->\n<-- FIN",
            "<-- FIN",
        ),
        (
            "the server had sent nothing",
            "\"a\" -->\n<-- FIN",
            "<-- \"a\"\n<-- FIN",
        ),
        (
            "the client had sent nothing",
            "<-- FIN",
            "GET / -->\n<-- FIN",
        ),
        (
            "the server had answered before",
            "POST / [length=9000] data 1000 -->\n<-- 413 \"no\"\ndata 1000 -->\n<-- RST",
            "POST / [length=9000] data 1000 -->\n<-- ACK\n<-- RST",
        ),
        (
            "the server had not answered",
            "POST / [length=9000] data 1000 -->\n<-- ACK\n<-- RST",
            "POST / [length=9000] data 1000 -->\n<-- 413 \"no\"\ndata 1000 -->\n<-- RST",
        ),
        (
            "the request announced its length",
            "POST / [length=9000] data 1000 -->\nFIN -->",
            "POST / [chunked] data 1000 -->\nFIN -->",
        ),
        (
            "the response announced its length",
            "GET / -->\n<-- 200 data 300 [length=1000]\n<-- FIN",
            "GET / -->\n<-- 200 data 300 [chunked]\n<-- FIN",
        ),
        (
            "a response before had announced the close",
            "GET /1 GET /2 -->\n<-- 200 \"one\" [close]\n<-- FIN",
            "GET /1 GET /2 -->\n<-- 200 \"one\"\n<-- FIN",
        ),
        (
            "nothing had come for 1 s or more",
            "GET / -->\n<-- 200 data 300 [length=1000]\n+1s RST -->",
            "GET / -->\n<-- 200 data 300 [length=1000]\n+999ms RST -->",
        ),
        (
            "the client's window had gone to zero",
            "GET / -->\n<-- 200 data 300 [length=1000]\nACK [win=0] -->\n+1s <-- RST",
            "GET / -->\n<-- 200 data 300 [length=1000]\nACK -->\n+1s <-- RST",
        ),
        (
            "the client's window had not gone to zero",
            "GET / -->\n<-- 200 data 300 [length=1000]\nACK -->\n+1s <-- RST",
            "GET / -->\n<-- 200 data 300 [length=1000]\nACK [win=0] -->\n+1s <-- RST",
        ),
        (
            "the close came within 1 s of the last bytes",
            "GET / -->\n<-- 200 data 300 [length=1000]\n+999ms <-- FIN",
            "GET / -->\n<-- 200 data 300 [length=1000]\n+1s <-- FIN",
        ),
        (
            "a limit of the gateway refused the request",
            "GET / -->\n<-- 503 \"<center>nginx</center>\" [server=nginx]",
            "GET / -->\n<-- 503 \"busy\" [server=nginx]",
        ),
        (
            "no limit of the gateway refused the request",
            "GET / -->\n<-- 503 \"busy\" [server=nginx]",
            "GET / -->\n<-- 503 \"<center>nginx</center>\" [server=nginx]",
        ),
        (
            "the answer came in under 1 s",
            "GET / -->\n+999ms <-- 502 \"x\"",
            "GET / -->\n+1s <-- 502 \"x\"",
        ),
        (
            "the answer came after 1 s or more",
            "GET / -->\n+1s <-- 502 \"x\"",
            "GET / -->\n+999ms <-- 502 \"x\"",
        ),
        (
            "the wait was under 1 s",
            "GET / -->\n+999ms <-- RST",
            "GET / -->\n+1s <-- RST",
        ),
        (
            "the wait was 1 s or more",
            "GET / -->\n+1s <-- RST",
            "GET / -->\n+999ms <-- RST",
        ),
        (
            "the connection had been idle for under 5 s",
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+4s <-- FIN",
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+6s <-- FIN",
        ),
        (
            "the connection had been idle for 5 s or more",
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+6s <-- FIN",
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+4s <-- FIN",
        ),
        (
            "the lost data came after an idle time of under 5 s",
            "+4s GET / [lost] -->",
            "+6s GET / [lost] -->",
        ),
        (
            "the lost data came after an idle time of 5 s or more",
            "+6s GET / [lost] -->",
            "+4s GET / [lost] -->",
        ),
        (
            "the body was not announced",
            "\"POST / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\" -->\n<-- 200 \"x\"\n\"a=b&c=d\\r\\n\" -->\n<-- 400 \"x\"",
            "GET / -->\n<-- 200 \"x\"\n\"a=b&c=d\\r\\n\" -->\n<-- 400 \"x\"",
        ),
        (
            "the request may be repeated",
            "PUT / \"x\" -->\n<-- RST",
            "POST / \"x\" -->\n<-- RST",
        ),
        (
            "the request must not be repeated",
            "POST / \"x\" -->\n<-- RST",
            "PUT / \"x\" -->\n<-- RST",
        ),
        (
            "the connection had never been idle for longer",
            "GET / -->\n<-- 200 \"x\"\n+1s GET / -->\n<-- 200 \"x\"\n+2s GET / -->\n<-- FIN",
            "GET / -->\n<-- 200 \"x\"\n+2s GET / -->\n<-- 200 \"x\"\n+1s GET / -->\n<-- FIN",
        ),
        (
            "the connection had been idle for as long before",
            "GET / -->\n<-- 200 \"x\"\n+2s GET / -->\n<-- 200 \"x\"\n+1s GET / -->\n<-- FIN",
            "GET / -->\n<-- 200 \"x\"\n+1s GET / -->\n<-- 200 \"x\"\n+2s GET / -->\n<-- FIN",
        ),
        (
            "the connection had carried a request before",
            "GET / -->\n<-- 200 \"x\"\nGET / -->\n<-- RST",
            "GET / -->\n<-- RST",
        ),
        (
            "it was the first request on the connection",
            "GET / -->\n<-- RST",
            "GET / -->\n<-- 200 \"x\"\nGET / -->\n<-- RST",
        ),
        (
            "the request was relayed by a proxy",
            "GET / [via=a] -->\n<-- RST",
            "GET / -->\n<-- RST",
        ),
        (
            "the client is curl",
            "GET / [user-agent=curl/8.5.0] -->\n<-- RST",
            "GET / -->\n<-- RST",
        ),
        (
            "the server is nginx",
            "GET / -->\n<-- 200 \"x\" [server=nginx/1.24.0]",
            "GET / -->\n<-- 200 \"x\" [server=Apache]",
        ),
        (
            "the client is not named",
            "GET / [user-agent=x] -->\n<-- RST",
            "GET / [user-agent=curl/8.5.0] -->\n<-- RST",
        ),
        (
            "the server is not named",
            "GET / -->\n<-- RST",
            "GET / -->\n<-- 200 \"x\" [server=nginx/1.24.0]",
        ),
        (
            "TLS was used",
            "ClientHello -->\n<-- RST",
            "GET / -->\n<-- RST",
        ),
        (
            "the server sent a RST",
            "GET / -->\n<-- RST",
            "GET / -->\n<-- FIN",
        ),
        (
            "the server sent a FIN",
            "GET / -->\n<-- FIN",
            "GET / -->\n<-- RST",
        ),
        (
            "the client sent a RST",
            "GET / -->\nRST -->",
            "GET / -->\nFIN -->",
        ),
        (
            "the client sent a FIN",
            "GET / -->\nFIN -->",
            "GET / -->\nRST -->",
        ),
        (
            "the status was not 408",
            "GET / -->\n<-- 500 \"x\"",
            "GET / -->\n<-- 408 \"x\"",
        ),
        (
            "the proxy answered 502, 503 or 504",
            "GET http://a/ -->\n<-- 503 \"x\"",
            "GET http://a/ -->\n<-- 407 \"x\"",
        ),
        (
            "the client had sent under 16 kB",
            "POST / [length=90000] data 1000 -->\n<-- RST",
            "POST / [length=90000] data 1000 -->\ndata 16000 -->\n<-- RST",
        ),
        (
            "the client had sent 16 kB or more",
            "POST / [length=90000] data 1000 -->\ndata 16000 -->\n<-- RST",
            "POST / [length=90000] data 1000 -->\n<-- RST",
        ),
        (
            "the client had not asked for permission",
            "POST / [length=9000] data 1000 -->\n<-- RST",
            "POST / [length=9000 expect=100-continue] -->\n<-- RST",
        ),
        (
            "the request had a body",
            "POST / [length=9000] data 1000 -->\n<-- RST",
            "GET / -->\n<-- RST",
        ),
        (
            "the request had not been acknowledged",
            "GET / [lost] -->\n+5s FIN -->",
            "GET / -->\n<-- ACK\n+5s FIN -->",
        ),
        (
            "no request went unacknowledged",
            "GET / -->\n<-- ACK\n+5s FIN -->",
            "GET / [lost] -->\n+5s FIN -->",
        ),
        (
            "the server had waited for an acknowledgement",
            "GET / -->\n<-- 200 \"x\" [lost]\n+300ms <-- again [lost]\n+9s <-- RST",
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+9s <-- RST",
        ),
        (
            "the server had not waited for an acknowledgement",
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+9s <-- RST",
            "GET / -->\n<-- 200 \"x\" [lost]\n+300ms <-- again [lost]\n+9s <-- RST",
        ),
        (
            "a message had two lengths",
            "GET / -->\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\nhello\"",
            "GET / -->\n<-- 200 \"x\"",
        ),
        (
            "no message had two lengths",
            "GET / -->\n<-- 200 \"x\"",
            "GET / -->\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\nhello\"",
        ),
        (
            "the RST has another TTL than the server's segments",
            "GET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\n+9s GET / -->\n<-- RST [noack ttl=63]",
            "GET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\n+9s GET / -->\n<-- RST [noack]",
        ),
        (
            "the RST has no other TTL than the server's segments",
            "GET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\n+9s GET / -->\n<-- RST [noack]",
            "GET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\n+9s GET / -->\n<-- RST [noack ttl=63]",
        ),
        (
            "a 504 came after the client had left",
            "GET / -->\n<-- ACK\n+500ms FIN -->\n<-- ACK\n+1s <-- 504 \"x\"",
            "GET / -->\n<-- ACK\n+500ms FIN -->\n<-- ACK\n+1s <-- 200 \"x\"",
        ),
        (
            "no 504 came after the client had left",
            "GET / -->\n<-- ACK\n+1s <-- 504 \"x\"\nFIN -->",
            "GET / -->\n<-- ACK\n+500ms FIN -->\n<-- ACK\n+1s <-- 504 \"x\"",
        ),
        (
            "the status was 502",
            "GET / -->\n<-- 502 \"x\"",
            "GET / -->\n<-- 200 \"x\"",
        ),
    ];

    /// The same for whole ladders.
    const OPENINGS: &[(&str, &str, &str)] = &[
        (
            "the server sent a SYN-ACK",
            "SYN -->\n<-- SYN",
            "SYN -->\n<-- RST",
        ),
        (
            "the server sent no SYN-ACK",
            "SYN -->\n<-- RST",
            "SYN -->\n<-- SYN",
        ),
        ("the SYN was repeated", "SYN -->\n+1s again -->", "SYN -->"),
        (
            "the SYN was not repeated",
            "SYN -->",
            "SYN -->\n+1s again -->",
        ),
        (
            "the SYN-ACK was repeated",
            "SYN -->\n<-- SYN\n+1s <-- again",
            "SYN -->\n<-- SYN",
        ),
        (
            "the connection was opened",
            "SYN -->\n<-- SYN\nACK -->",
            "SYN -->\n<-- RST",
        ),
        (
            "the ICMP error came from the server's address",
            "SYN -->\n<-- ACK [unreachable=3]",
            "SYN -->\n<-- ACK [unreachable=1]",
        ),
        (
            "the ICMP error came from another address",
            "SYN -->\n<-- ACK [unreachable=1]",
            "SYN -->\n<-- ACK [unreachable=3]",
        ),
    ];

    fn fits(condition: &'static str, ladder: &str) -> bool {
        let point = format!("*If {condition}:* Do it.").leak();
        let remedy = Remedy::from_table(point);
        assert!(remedy.is_conditional(), "{condition} is not in the table");
        assert_eq!(remedy.text(), "Do it.");
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        remedy.fits(&proof.connections[0])
    }

    #[test]
    fn every_condition_holds_here_and_not_there() {
        for (condition, here, there) in BOTH_SIDES {
            assert!(fits(condition, &format!("{OPEN}{here}")), "{condition}");
            assert!(
                !fits(condition, &format!("{OPEN}{there}")),
                "not {condition}"
            );
        }
        let alone = "client 10.0.0.2:40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- RST";
        assert!(fits("both ends are on one host", alone));
        assert!(!fits(
            "both ends are on one host",
            &format!("{OPEN}GET / -->\n<-- RST")
        ));
        for (condition, here, there) in OPENINGS {
            assert!(fits(condition, here), "{condition}");
            assert!(!fits(condition, there), "not {condition}");
        }
        let tested = |phrase: &str| {
            BOTH_SIDES.iter().chain(OPENINGS).any(|(condition, ..)| {
                applied(condition).is_some_and(|it| it.condition.phrase == phrase)
            })
        };
        for condition in CONDITIONS {
            let phrase = condition.phrase;
            assert!(
                tested(phrase) || phrase == "both ends are on one host",
                "{phrase} has no ladders"
            );
        }
    }

    #[test]
    fn several_conditions_must_all_hold() {
        let both = "the wait was 1 s or more and the server sent a RST";
        assert!(fits(both, &format!("{OPEN}GET / -->\n+2s <-- RST")));
        assert!(!fits(both, &format!("{OPEN}GET / -->\n+2s <-- FIN")));
        assert!(!fits(both, &format!("{OPEN}GET / -->\n<-- RST")));
    }

    #[test]
    fn every_condition_on_a_page_or_in_the_table_is_known() {
        let pages = CATALOGUE.iter().flat_map(|rule| rule.remedies());
        let rows = SETTINGS.iter().map(|it| Remedy::from_table(&it.remedy));
        for remedy in pages.chain(rows) {
            let text = remedy.text();
            assert!(!text.starts_with("*If"), "unknown condition: {text}");
        }
    }

    /// A point that begins with "If" leaves to the reader what the program can tell, or what it does not know.
    #[test]
    fn no_point_hides_a_condition_in_its_text() {
        let pages = CATALOGUE.iter().flat_map(|rule| rule.remedies());
        let rows = SETTINGS.iter().map(|it| Remedy::from_table(&it.remedy));
        for remedy in pages.chain(rows) {
            let text = remedy.text();
            let mut sentences = text.split(['.', ':']);
            assert!(
                !sentences.any(|it| it.trim_start().starts_with("If ")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_fits_all_cases_comes_first() {
        let mut collected =
            FittingRemedies::of(&Members::on(1, &[1]), ["a", "c"].map(Remedy::from));
        collected.absorb(FittingRemedies::of(
            &Members::on(1, &[2]),
            ["a", "b", "c"].map(Remedy::from),
        ));
        assert_eq!(collected.shown(2), ["a", "c", "#2: b"]);
        assert_eq!(collected.clone().shown(2).len(), 3);
    }
}
