//! Many HTTP/2 streams reset within a short time.

use std::time::Duration;

use crate::analysis::connection::Connection;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{ErrorCode, Exchange, Party, StreamReset};
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// Within one second, one side reset dozens of streams of one connection. Resets by the client (CANCEL) come from timeouts
    /// that fire together, or from a caller that is cancelled with all its requests. They may also come from an attacker who
    /// opens and resets streams. Resets by the server with REFUSED_STREAM mean that the client opened more streams than
    /// allowed.
    ///
    /// # Why it matters
    ///
    /// Each reset stream was wasted work: the server may have begun it. Endless opening and resetting is the "rapid reset"
    /// attack (CVE-2023-44487). Against it, servers close the connection with GOAWAY (ENHANCE_YOUR_CALM), which also hits
    /// well-behaved clients.
    ///
    /// # Remedy
    ///
    /// - *If the stream was reset with REFUSED_STREAM:* Let the client heed SETTINGS_MAX_CONCURRENT_STREAMS, or raise it;
    ///   refused streams are safe to retry.
    /// - *If the server reset the stream:* Look in the server's log at the time of the resets: something ended many requests at once.
    /// - *If the server did not reset the stream:* Compare the times that the streams had waited: equal and round ones
    ///   are a timeout of the client, which is too short, or the server too slow. Limit how much is asked at a time.
    /// - *If the server did not reset the stream:* Find out who the client is. Against strangers, see that the server
    ///   is new enough to count resets and to close then.
    ///
    /// # Tell it by
    ///
    /// Dozens of RST_STREAM frames from one side come within a second.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.030                                  <--  h2 SETTINGS max=2
    ///  0.040  h2 HEADERS 1 GET / END h2 HEADERS 3 GET / END h2 HEADERS 5 GET / END h2 HEADERS 7 GET / END h2 HEADERS 9 GET / END h2 HEADERS 11 GET / END -->
    ///  0.041  h2 HEADERS 13 GET / END h2 HEADERS 15 GET / END h2 HEADERS 17 GET / END h2 HEADERS 19 GET / END h2 HEADERS 21 GET / END -->
    ///  0.050                                  <--  h2 RST_STREAM 3 REFUSED_STREAM h2 RST_STREAM 5 REFUSED_STREAM h2 RST_STREAM 7 REFUSED_STREAM h2 RST_STREAM 9 REFUSED_STREAM h2 RST_STREAM 11 REFUSED_STREAM
    ///  0.051                                  <--  h2 RST_STREAM 13 REFUSED_STREAM h2 RST_STREAM 15 REFUSED_STREAM h2 RST_STREAM 17 REFUSED_STREAM h2 RST_STREAM 19 REFUSED_STREAM h2 RST_STREAM 21 REFUSED_STREAM
    ///  0.060                                  <--  h2 HEADERS 1 204 END
    ///  => findings h2-reset-burst
    /// ```
    ///
    /// # Not this
    ///
    /// One stream that is cancelled:
    ///
    /// ```ladder
    ///         client                               server
    ///  0.000  SYN                             -->
    ///  0.010                                  <--  SYN
    ///  0.020  h2 preface h2 SETTINGS          -->
    ///  0.021  h2 HEADERS 1 GET / END          -->
    ///  0.030                                  <--  h2 SETTINGS
    ///  0.050  h2 RST_STREAM 1 CANCEL          -->
    ///  => findings client-gave-up-waiting
    /// ```
    ///
    /// # References
    ///
    /// RFC 9113 §5.1.2, §8.7, §10.5; CVE-2023-44487.
    pub(super) RULE: "h2-reset-burst", Severity::Warning,
    "many streams of HTTP/2 were reset within a second", Check::Connection(check)
}

/// The window in which resets are counted.
const WINDOW: Duration = Duration::from_secs(1);
/// A browser that leaves a page cancels all its requests, which may be dozens.
const BY_CLIENT: usize = 100;
/// A server that refuses this many is being ignored by the client.
const BY_SERVER: usize = 10;

/// The most resets of one side within a second, if they exceed the bound.
pub(in crate::rules) struct ResetBurst<'a> {
    by: Party,
    count: usize,
    first: &'a Exchange,
    reset: StreamReset,
    last: FrameRef,
}

pub(in crate::rules) fn burst(connection: &Connection) -> Option<ResetBurst<'_>> {
    connection.h2.as_ref()?;
    [(Party::Responder, BY_SERVER), (Party::Requester, BY_CLIENT)]
        .into_iter()
        .find_map(|(by, enough)| most(connection, by).filter(|burst| burst.count >= enough))
}

fn most(connection: &Connection, by: Party) -> Option<ResetBurst<'_>> {
    let mut resets: Vec<(&Exchange, StreamReset)> = connection
        .exchanges
        .iter()
        .filter_map(|exchange| Some((exchange, exchange.cut_by().filter(|reset| reset.by == by)?)))
        .collect();
    resets.sort_by_key(|(_, reset)| reset.at);
    let mut best: Option<ResetBurst<'_>> = None;
    let mut from = 0;
    for (to, (_, reset)) in resets.iter().enumerate() {
        while resets
            .get(from)
            .is_some_and(|(_, first)| reset.at.time.since(first.at.time) > WINDOW)
        {
            from += 1;
        }
        let count = to + 1 - from;
        if best.as_ref().is_none_or(|burst| burst.count < count)
            && let Some((exchange, first)) = resets.get(from)
        {
            best = Some(ResetBurst {
                by,
                count,
                first: exchange,
                reset: *first,
                last: reset.at,
            });
        }
    }
    best
}

fn check(connection: &Connection) -> Verdict {
    let Some(burst) = burst(connection) else {
        return Verdict::Clear;
    };
    let (who, summary, message) = {
        let count = burst.count;
        let within = burst.last.time.since(burst.reset.at.time);
        let code = burst.reset.code.to_string();
        match burst.by {
            Party::Requester => (
                "client",
                "Client reset many HTTP/2 streams within a second",
                sentence!(
                    "The client reset {} streams within {}, the first with {}.",
                    count,
                    within,
                    code
                ),
            ),
            Party::Responder => (
                "server",
                "Server reset many HTTP/2 streams within a second",
                sentence!(
                    "The server reset {} streams within {}, the first with {}.",
                    count,
                    within,
                    code
                ),
            ),
        }
    };
    let limit = connection
        .h2
        .as_ref()
        .and_then(|h2| h2.halves[1].settings.max_concurrent_streams)
        .filter(|_| burst.reset.code == ErrorCode::REFUSED_STREAM)
        .map(|limit| {
            sentence!(
                "The server allows {} at a time. What it refused was not processed and is safe to retry.",
                limit
            )
        });
    tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty,
        summary,
        message,
    )
    .adds(limit)
    .shows(
        burst.first.request.as_ref().map(|it| it.message.first),
        "first of these streams begins",
    )
    .shows(
        Some(burst.reset.at),
        format!("RST_STREAM ({}) from the {who}", burst.reset.code),
    )
    .shows(Some(burst.last), "last reset")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    /// Whether `count` streams, opened and cancelled by the client `apart` milliseconds apart, are found.
    fn is_found(count: u32, apart: u32) -> bool {
        let mut text = "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n".to_owned();
        for id in 0..count {
            let id = 2 * id + 1;
            text.push_str(&format!(
                "+{apart}ms h2 HEADERS {id} GET / END h2 RST_STREAM {id} CANCEL -->\n"
            ));
        }
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        proof.rules().contains(&super::RULE.name)
    }

    #[test]
    fn a_burst_is_many_within_a_second() {
        assert!(is_found(100, 5));
        assert!(!is_found(99, 5));
        assert!(!is_found(100, 20));
    }
}
