//! What a setting must be at least or at most, as far as the capture measures it: a remedy then has the number in it.
//!
//! In: the remedies of a finding and the records of its connections. Out: the same remedies, each with the number where it
//! belongs. A case whose details are given up is not measured.

use std::time::Duration;

use super::classify::{ending, request, response};
use super::h2::websocket_abnormal_close;
use super::keep_alive::keep_alive_race::{self, idle_until_close};
use super::keep_alive::{idle_state_lost, reuse_of_forgotten_connection};
use super::remedy_conditions;
use super::request::early_response_reset;
use super::tcp::reset_injected;
use super::unanswered::{silence, timed_out_after};
use super::waiting::client_gave_up_waiting::{self, is_reaction};
use super::wording::announced_length;
use crate::analysis::connection::{Connection, Who};
use crate::base::format::{duration, exact_bytes, whole_seconds};
use crate::knowledge::network_limit;

/// The status of a server that does not take so large a body (RFC 9110 §15.5.14).
const TOO_LARGE: u16 = 413;

/// The rules whose cases measure a setting by how the connection ended.
const BY_ENDING: [&str; 3] = [
    client_gave_up_waiting::RULE.name,
    early_response_reset::RULE.name,
    keep_alive_race::RULE.name,
];

/// What a setting must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    /// The response took as long.
    Above(Duration),
    /// The client and the proxy it asked waited so long.
    Waits(Duration, Duration),
    /// The other side closes after this idle time.
    Below(Duration),
    /// The body has so many bytes.
    Bytes(u64),
    /// The request has so many bytes, as it announces.
    Announced(u64),
    /// Nothing was sent for so long.
    Silence(Duration),
    /// A device on the way forgets a connection after this idle time at the latest.
    Limit(Duration),
}

impl Needed {
    /// What this case of the rule needs.
    fn of(rule: &str, connection: &Connection) -> Option<Self> {
        if rule == websocket_abnormal_close::RULE.name {
            return remedy_conditions::silence(connection).map(Self::Silence);
        }
        if FORGOTTEN.contains(&rule) {
            return forgotten_after(rule, connection).map(Self::Limit);
        }
        // To classify an ending takes long, where a finding has very many connections.
        if !BY_ENDING.contains(&rule) {
            return None;
        }
        let ending = ending(connection)?;
        let exchange = ending.exchange?;
        if rule == client_gave_up_waiting::RULE.name {
            if let Some((client, proxy)) = timed_out_after(connection) {
                return Some(Self::Waits(client, proxy));
            }
            // A gateway's own answer says nothing of how long the server needs.
            let status = exchange.status().unwrap_or(0);
            if is_reaction(exchange, ending.close.frame_ref) {
                return None;
            }
            let late = response(exchange).filter(|_| status < 500)?.first.time;
            let since = request(exchange)?.last.time;
            return Some(Self::Above(late.since(since)));
        }
        if rule == keep_alive_race::RULE.name {
            return idle_until_close(connection, &ending).map(Self::Below);
        }
        if let Some(length) = announced_length(exchange)
            && rule == early_response_reset::RULE.name
        {
            return Some(Self::Announced(length));
        }
        let refused = rule == early_response_reset::RULE.name
            && exchange.response.as_ref().map(|it| it.status) == Some(TOO_LARGE);
        let length = request(exchange).filter(|_| refused)?.expected()?;
        Some(Self::Bytes(length))
    }

    /// What suits both cases.
    fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::Above(one), Self::Above(two)) => Self::Above(one.max(two)),
            (Self::Waits(one, other), Self::Waits(two, more)) => {
                Self::Waits(one.max(two), other.max(more))
            }
            (Self::Below(one), Self::Below(two)) => Self::Below(one.min(two)),
            (Self::Announced(one), Self::Announced(two)) => Self::Announced(one.max(two)),
            (Self::Bytes(one), Self::Bytes(two)) => Self::Bytes(one.max(two)),
            (Self::Silence(one), Self::Silence(two)) => Self::Silence(one.min(two)),
            (Self::Limit(one), Self::Limit(two)) => Self::Limit(one.min(two)),
            (one, _) => one,
        }
    }

    /// The remedy with the number; `None` if it is about another setting.
    fn put(self, remedy: &str) -> Option<String> {
        let after = |words: &str, number: String| {
            let at = remedy.find(words)? + words.len();
            let (before, rest) = remedy.split_at_checked(at)?;
            Some(format!("{before}{number}{rest}"))
        };
        let raised = |number: String| {
            let first = remedy.split_inclusive(". ").next()?;
            let sentence = first.trim_end().strip_suffix('.')?;
            let is_setting = sentence.contains("aise ") && !sentence.contains(" so that ");
            let comma = if sentence.contains(", ") { "," } else { "" };
            let rest = remedy.get(sentence.len()..)?;
            is_setting.then(|| format!("{sentence}{comma} {number}{rest}"))
        };
        match self {
            Self::Above(time) => {
                let here = || format!(" (at least {} here)", duration(time));
                after("the server needs for this request", here())
                    .or_else(|| after("above the longest call", here()))
                    .or_else(|| raised(format!("above {}", duration(time))))
            }
            Self::Waits(client, proxy) => after(
                "with the proxy's in between",
                format!(
                    ": now the proxy waits {}, and the client {}",
                    duration(proxy),
                    duration(client)
                ),
            ),
            Self::Below(time) => {
                let most = format!(", here {}", duration(time));
                after("shorter than the server's", most.clone())
                    .or_else(|| after("below the server's timeout", most))
            }
            Self::Limit(idle) => {
                // A timeout that is known and was passed may be the one.
                let most = match network_limit(idle) {
                    Some(known) => whole_seconds(Duration::from_secs_f64(known.seconds).as_secs()),
                    None => duration(idle),
                };
                after(
                    "shorter than the limit on the way",
                    format!(": below {most}"),
                )
            }
            Self::Announced(count) => after(
                "above the size of the request",
                format!(" (here {})", exact_bytes(count)),
            ),
            Self::Bytes(count) => raised(format!("to {} or more", exact_bytes(count))),
            Self::Silence(time) => {
                let words = "half of the silence that was measured";
                let told = duration(time / 2);
                remedy
                    .contains(words)
                    .then(|| remedy.replacen(words, &told, 1))
            }
        }
    }
}

/// Rules on connections that something on the way has forgotten.
const FORGOTTEN: [&str; 3] = [
    idle_state_lost::RULE.name,
    reuse_of_forgotten_connection::RULE.name,
    reset_injected::RULE.name,
];

/// How long the connection had been idle before what was lost was sent.
fn forgotten_after(rule: &str, connection: &Connection) -> Option<Duration> {
    if rule == idle_state_lost::RULE.name {
        return silence(connection).map(|(_, it)| it.idle);
    }
    let flight = connection.in_flight(Who::Client);
    flight.map(|it| it.idle)
}

/// Puts the numbers that these connections show into the remedies of a finding of this rule.
pub(super) fn put_numbers(rule: &str, remedies: &mut [String], own: &[&Connection]) {
    let each = own.iter().filter_map(|it| Needed::of(rule, it));
    let Some(needed) = each.reduce(Needed::joined) else {
        return;
    };
    for remedy in remedies {
        if let Some(told) = needed.put(remedy) {
            *remedy = told;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    #[test]
    fn a_number_stands_where_it_belongs() {
        let (time, count) = (Duration::from_secs(3), 20_000);
        let (above, below) = (Needed::Above(time), Needed::Below(time));
        for (needed, remedy, told) in [
            (
                above,
                "curl: raise `--max-time` (libcurl's `X`).",
                Some("curl: raise `--max-time` (libcurl's `X`) above 3.00 s."),
            ),
            (
                above,
                "Go: raise `a`, or the deadline.",
                Some("Go: raise `a`, or the deadline, above 3.00 s."),
            ),
            (
                above,
                "nginx: raise `a` above the longest call, and look.",
                Some("nginx: raise `a` above the longest call (at least 3.00 s here), and look."),
            ),
            (
                above,
                "Raise the timeout above the time that the server needs for this request.",
                Some(
                    "Raise the timeout above the time that the server needs for this request (at least 3.00 s here).",
                ),
            ),
            (above, "Let the server stop.", None),
            (
                below,
                "Make it shorter than the server's. A margin is enough.",
                Some("Make it shorter than the server's, here 3.00 s. A margin is enough."),
            ),
            (below, "nginx: set `a` above the idle timeout.", None),
            (
                Needed::Bytes(count),
                "nginx: raise `a`. Check `b`.",
                Some("nginx: raise `a` to 20,000 bytes or more. Check `b`."),
            ),
            (
                Needed::Silence(time),
                "At least every half of the silence that was measured.",
                Some("At least every 1.50 s."),
            ),
        ] {
            assert_eq!(needed.put(remedy).as_deref(), told);
        }
    }

    #[test]
    fn what_was_measured_is_in_the_remedy() {
        for (rule, ladder, told) in [
            (
                &client_gave_up_waiting::RULE,
                "GET /slow -->\n<-- ACK\n+2s FIN -->\n<-- ACK\n+1s <-- 200 \"late\"\nRST [noack] -->",
                "at least 3.00 s here",
            ),
            (
                &keep_alive_race::RULE,
                "GET /1 -->\n<-- 200 \"one\"\nACK -->\n+5s <-- FIN\n+1ms GET /2 [crossed] -->\n<-- RST [noack]",
                "here 5.0",
            ),
            (
                &early_response_reset::RULE,
                "POST /up [length=9000] data 1000 -->\n<-- 413 \"no\" [close]\ndata 1000 -->\n<-- RST",
                "to 9,000 bytes or more",
            ),
        ] {
            let text = format!("SYN -->\n<-- SYN\nACK -->\n{ladder}");
            let found = ladder_check::found_by(rule, &text).expect("found");
            let all = found.remedies.join("\n");
            assert!(all.contains(told), "{}: {all}", rule.name);
        }
    }
}
