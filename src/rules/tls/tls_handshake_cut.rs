//! A connection that ended within the TLS handshake without an alert.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use crate::analysis::connection::tls_close::left_before_answer;
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, ConnectionSummary, FailedReason, How, ResetSigns, Who,
};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use crate::protocol::tls::{CertificateFlaw, HandshakeStage, certificate_file};
use crate::rules::classify_tls::{TlsFailure, TlsFailureKind, failure};
use crate::rules::facts::RuleInput;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::scans::SCANNER;
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{UNSENT, named, not_yet, tell};
use crate::rules::wording_tls::{
    adding, asked_for, dates, describe, hello, hidden_alert, sign, stays_broken,
};
use crate::rules::{Finding, Severity};

rule! {
    /// # What happened
    ///
    /// The connection was closed or reset before the TLS handshake was complete, and no alert says why. A client that leaves at
    /// once, before any answer, may just have changed its mind; that is a note. Or a client closed right after the handshake
    /// without sending data: some programs check the server's certificate only then.
    ///
    /// # Why it matters
    ///
    /// No request was sent. The client reports "unexpected eof while reading", `SSL_ERROR_SYSCALL` or "connection reset by
    /// peer". .NET Framework reports an unexpected error on a send or receive.
    ///
    /// # Remedy
    ///
    /// - *If the server had not answered the ClientHello and the server closed first:* Check that this port speaks TLS, and
    ///   that the target behind a load balancer is up. A filter on the path may object to the name.
    /// - *If the server had not answered the ClientHello and the client closed first:* Look in the client's log for its
    ///   timeout or its reason to leave. A capture at the server shows whether the ClientHello arrived.
    /// - *If the server had answered the ClientHello and the client ended the session first:* Look in the client's log. It did not
    ///   accept what the server sent without saying so on the wire (pinning, an old library), or left on its own.
    /// - *If the server had answered the ClientHello and the server closed first and the client had not ended the session
    ///   first:* Look in the server's log at the time of the close. It ended the handshake without an alert: a crash, a limit, a missing client certificate.
    /// - *If neither side closed first:* Capture on both sides of the path, to find where the connection was ended.
    ///
    /// # Tell it by
    ///
    /// The FIN or RST comes after the ClientHello, before the handshake is complete, and no alert comes before it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => teardown server fin tls-handshake
    ///  => findings tls-handshake-cut
    /// ```
    ///
    /// # Not this
    ///
    /// A probe that connects and closes has not begun a handshake:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030  FIN                -->
    ///  0.040                     <--  FIN
    ///  0.050  ACK                -->
    /// ```
    ///
    /// Nor is it this where an alert says why:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  alert 80 FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-alert
    /// ```
    ///
    /// A client that opened several connections at once, and closed those it did not need as soon as one served it: a note.
    ///
    /// # References
    ///
    /// RFC 8446 §4 (handshake protocol), §6.1 (a connection that is closed without an alert).
    pub(in crate::rules) RULE: "tls-handshake-cut", Severity::Error,
    "the connection ended during the TLS handshake, and no alert says why", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure(connection) else {
        return not_yet(connection);
    };
    let left = match reading.failure {
        TlsFailureKind::Cut => false,
        TlsFailureKind::LeftAfterHandshake => true,
        _ => return not_yet(connection),
    };
    let last = last_message(connection, &reading);
    // A close_notify before the FIN is no part of the handshake.
    let finished = reading.facts.flows.iter().filter_map(|flow| flow.finished);
    let complete = finished.filter(|it| *it <= reading.at && left).max();
    let since = complete.unwrap_or(last);
    let waited = reading.at.time.since(since.time);
    let closes = matches!(connection.teardown.how, How::Fin);
    let alert = hidden_alert(&reading);
    let why = match (alert, left) {
        (Some(_), true) => {
            Some("The client had sent an encrypted alert before: close_notify, or its objection.")
        }
        (Some(_), false) => Some("An encrypted alert came before the close."),
        _ if connection.teardown.by == By::Middlebox => None,
        (None, false) => Some("No alert says why."),
        (None, true) => None,
    };
    let (summary, message) = match (reading.by, closes, left) {
        // The server's FIN only answers the client's goodbye.
        (_, _, true) if connection.teardown.by == By::Server => (
            "Client left [right|# connections right] after the TLS handshake",
            sentence!(
                "The client ended the session {} after the TLS handshake was complete, without any data.",
                waited
            ),
        ),
        (_, _, true) => (
            "Client left [right|# connections right] after the TLS handshake",
            sentence!(
                "The client closed the connection {} after the TLS handshake was complete, without any data.",
                waited
            ),
        ),
        (Some(Who::Client), true, _) => (
            "Client closed [during|# connections during] the TLS handshake",
            sentence!(
                "The client closed the connection during the TLS handshake, {} after the last message.",
                waited
            ),
        ),
        (Some(Who::Client), false, _) => (
            "Client reset [during|# connections during] the TLS handshake",
            sentence!(
                "The client reset the connection during the TLS handshake, {} after the last message.",
                waited
            ),
        ),
        (Some(Who::Server), true, _) => (
            "[Server closed|Server closed # connections] during the TLS handshake",
            sentence!(
                "The server closed the connection during the TLS handshake, {} after the last message.",
                waited
            ),
        ),
        (Some(Who::Server), false, _) => (
            "[Server reset|Server reset # connections] during the TLS handshake",
            sentence!(
                "The server reset the connection during the TLS handshake, {} after the last message.",
                waited
            ),
        ),
        (None, _, _) if connection.teardown.by == By::Middlebox => (
            "[TLS handshake|# TLS handshakes] reset by a device on the way",
            sentence!(
                "A forged RST from a device on the way ended the TLS handshake {} after the last message.",
                waited
            ),
        ),
        (None, _, _) => (
            "Both sides closed [a connection|# connections] during the TLS handshake",
            sentence!(
                "Both sides closed the connection during the TLS handshake, {} after the last message.",
                waited
            ),
        ),
    };
    let early = reading.by == Some(Who::Client) && left_before_answer(connection, reading.facts);
    let content = went_on(connection, &reading);
    let probe = reading
        .facts
        .heartbeat
        .filter(|_| reading.by != Some(Who::Server));
    let severity = match left || early || content || probe.is_some() {
        true => Severity::Note,
        false => Severity::Error,
    };
    let resumed = left && reading.facts.is_resumed();
    let hint = if resumed {
        Some("It was a probe, or a connection that the client did not need.")
    } else if left {
        let flaw = reading.facts.flaw(connection.server.ip);
        Some(match flaw == Some(CertificateFlaw::OtherAddress) {
            true => {
                "The client refused the certificate after the handshake, because it is not for the address that was called. Or it \
                 was a probe."
            }
            false => "The client refused the certificate after the handshake, or it was a probe.",
        })
    } else if early {
        Some(
            "The client did not wait for an answer: it timed out, or no longer needed the connection.",
        )
    } else if probe.is_some() {
        Some(
            "The client had sent heartbeats instead of its part of the handshake, as a scanner for CVE-2014-0160 (Heartbleed) does.",
        )
    } else if content {
        Some(
            "The client had sent application data before the server had finished, so it had accepted the server.",
        )
    } else {
        let captured = connection.sent.iter().all(|it| it.missing == 0);
        (captured && mute(&reading)).then_some(
            "Most TLS libraries send an alert when they refuse a certificate. This client sent none.",
        )
    };
    // That a RST is forged only a second place of capture proves.
    let mut resets = connection.reset.iter().flatten();
    let proven = resets.any(|it| it.signs.has(ResetSigns::NOT_SENT));
    let certainty = match connection.teardown.by == By::Middlebox && !proven {
        true => reading.certainty.max(Certainty::Likely),
        false => reading.certainty,
    };
    let mut telling = tell(&RULE, severity, certainty, summary, message)
        .adds(resumed.then_some("The session was resumed: the server sent no certificate."))
        .adds(why)
        .adds(place(connection, &reading).filter(|_| !left))
        .adds(asked_for(reading.facts));
    telling = match left {
        true => telling.presumes(hint),
        false => telling.adds(hint),
    };
    // A client that does not say why it left may have objected to the certificate, unless it had gone on with it.
    if left || reading.by != Some(Who::Server) && !early && !content && probe.is_none() {
        telling = telling.adds(dates(reading.facts));
        telling = adding(telling, describe(reading.facts));
    }
    telling
        .shows(hello(&reading), "ClientHello")
        .shows(probe, "heartbeat from the client")
        .shows(alert, "encrypted alert")
        .shows(Some(reading.at), sign(&reading, connection))
        .about(connection)
        .advises(match (probe, content) {
            (Some(_), _) => Some(SCANNER),
            (None, true) => Some(UNNEEDED),
            (None, false) => None,
        })
}

/// What to do where a client left that had accepted the server.
const UNNEEDED: &str = "Change nothing if the client no longer needed the connection. Otherwise look in its log for why it closed.";

/// Whether the client left with the server's certificate in hand, and its alert would be seen.
fn mute(reading: &TlsFailure<'_>) -> bool {
    let facts = reading.facts;
    let flow = facts.flows[facts.caller.index()];
    reading.by == Some(Who::of(facts.caller))
        && reading.stage == HandshakeStage::ServerFlight
        && flow.hidden_alert.is_none()
}

/// The last payload before the close.
fn last_message(connection: &Connection, reading: &TlsFailure<'_>) -> FrameRef {
    let facts = reading.facts;
    let flows = facts.flows.iter();
    let seen = flows.flat_map(|flow| [flow.finished, flow.last]);
    let parsed = seen.flatten().chain(facts.server_done);
    let hellos = facts.hello.as_ref().map(|(at, _)| *at);
    let answer = facts.answer.as_ref().map(|(at, _)| *at);
    let all = parsed
        .chain(hellos)
        .chain(answer)
        .chain(connection.last_data);
    // A close can come with data.
    all.filter(|it| *it <= reading.at && it.frame.0 > 0)
        .max()
        .unwrap_or(connection.first)
}

/// How far the handshake had come.
fn place(connection: &Connection, reading: &TlsFailure<'_>) -> Option<Sentence> {
    let [asked, answered] = [reading.facts.caller, reading.facts.caller.other()]
        .map(|end| connection.sent[Who::of(end) as usize].bytes);
    let answered = match connection.last_data[Who::of(reading.facts.caller.other()) as usize] {
        last if last <= reading.at => answered,
        _ => 0,
    };
    Some(match reading.stage {
        HandshakeStage::Begun | HandshakeStage::Unseen => sentence!(
            "Until then the client had sent {} of a ClientHello that was not whole.",
            Value::bytes(asked)
        ),
        HandshakeStage::ClientHello if answered == 0 => {
            "Until then the client had sent its ClientHello, and the server nothing.".into()
        }
        HandshakeStage::ServerHello if reading.facts.left_out.messages > 0 => {
            "Until then the server had sent its hello and more. How much of its part that was is not known: a message was longer \
             than hangup reads."
                .into()
        }
        HandshakeStage::ClientHello | HandshakeStage::ServerHello if connection.turns.cut => {
            "Until then the server had answered. How much of its part that was is not known: the capture cut what it sent.".into()
        }
        HandshakeStage::ClientHello | HandshakeStage::ServerHello => {
            "Until then the server had sent its hello, and not all of its part.".into()
        }
        HandshakeStage::ServerFlight => {
            "Until then the server had sent its part, and the client had not finished.".into()
        }
        HandshakeStage::ClientFinished => {
            "Until then the client had finished its part, and the server had not.".into()
        }
        HandshakeStage::Complete => return None,
    })
}

/// Reduces the severity for surplus connections. Some clients open several connections at once, use the first that is
/// ready and close the others at any point (Go and undici do, for HTTP/2). If another connection of the same two hosts
/// serves at that time, nothing was refused.
pub(in crate::rules) fn temper(story: &mut Diagnosis, connection: &Connection, in_use: &InUse<'_>) {
    persists(story, connection, in_use);
    let own = &connection.teardown;
    let left = own.by == By::Client && own.how == How::Fin && story.severity > Severity::Note;
    let spoke = connection.sent[Who::Server as usize].bytes > 0;
    if !left || !spoke {
        return;
    }
    if let Some(other) = in_use.beside(connection) {
        story.severity = Severity::Note;
        story.certainty = Certainty::Likely;
        story.message.say(sentence!(
            "Connection {} of the same two hosts was in use at that time.",
            format!("#{}", other.id)
        ));
        story
            .message
            .presume("The client did not need this connection.");
        story.message.mean_only("Nothing was lost.");
        story.remedies = vec![NOT_NEEDED.into()];
    }
}

/// From so many on, handshakes that ended in the same way are no chance.
const SAME_WAY: u32 = 3;

/// Where none of several handshakes with a server succeeded, the next one fails as well; and a client that fetches a certificate
/// meanwhile looks for an authority.
fn persists(story: &mut Diagnosis, connection: &Connection, in_use: &InUse<'_>) {
    let Some(tls) = connection.tls.as_deref() else {
        return;
    };
    let pair = (connection.client.ip, connection.server);
    let times = in_use.cut.get(&pair).copied().unwrap_or(0);
    let lasting = story.severity > Severity::Note && times >= SAME_WAY;
    if !lasting || in_use.ever(connection) {
        return;
    }
    story.message.mean_instead(UNSENT, stays_broken(tls));
    let answered = tls.answer.as_ref().map(|(at, _)| *at);
    let close = connection.teardown.frame_ref();
    let Some(fetch) = answered.and_then(|_| in_use.fetched(connection.client.ip, close)) else {
        return;
    };
    story.message.say(sentence!(
        "The client had fetched a certificate with {} ({}, {}).",
        Value::named(fetch.request.clone()),
        format!("#{}", fetch.id),
        fetch.at
    ));
    let looked = "It looked for an authority of the server's chain, and does not trust it.";
    story.message.say(Sentence::from(looked).likely());
    story.remedies.insert(0, INSTALL.into());
}

/// What to change where the client lacks an authority.
const INSTALL: &str = "Install the authority that issued the last certificate of the chain on the client, if it is to be trusted.";

/// A certificate that a client fetched over HTTP.
struct CertificateFetch {
    client: IpAddr,
    id: u32,
    request: String,
    at: FrameRef,
}

impl CertificateFetch {
    /// Those of a connection: systems fetch the issuer that a certificate names (RFC 5280 §4.2.2.1) over plain HTTP.
    fn of(connection: &Connection) -> impl Iterator<Item = Self> {
        let each = connection.exchanges.iter().filter(|it| it.is_complete());
        each.filter_map(|exchange| {
            let asked = exchange.request.as_ref()?;
            let is_one = certificate_file(asked.target.as_ref()?.as_bytes()).is_some();
            (is_one && exchange.status() == Some(200)).then(|| Self {
                client: connection.client.ip,
                id: connection.id,
                request: named(exchange),
                at: asked.message.first,
            })
        })
    }
}

/// What to change about a connection that was not needed.
const NOT_NEEDED: &str = "Change nothing.";

/// Whether the finding is on connections that were not needed, as others of the same hosts served at that time.
pub(in crate::rules) fn is_not_needed(finding: &Finding) -> bool {
    let mut remedies = finding.remedies.iter();
    finding.rule == RULE.name && remedies.all(|it| it == NOT_NEEDED)
}

/// The connections on which both sides sent data, by their two hosts, in order of their numbers.
pub(in crate::rules) struct InUse<'a> {
    /// How many handshakes each client cut with each server.
    cut: HashMap<(IpAddr, Endpoint), u32, foldhash::fast::FixedState>,
    /// The certificates that were fetched, in the order of their connections.
    fetches: Vec<CertificateFetch>,
    by_hosts: HashMap<(IpAddr, IpAddr), Vec<&'a ConnectionSummary>, foldhash::fast::FixedState>,
}

impl<'a> InUse<'a> {
    pub(in crate::rules) fn new(facts: &RuleInput<'a>) -> Self {
        let mut by_hosts = HashMap::<_, Vec<_>, _>::default();
        let mut cut = HashMap::<_, u32, _>::default();
        let failed = ConnectionOutcome::Failed(FailedReason::TlsHandshake);
        let all = facts.summaries;
        for it in all
            .iter()
            .filter(|it| it.outcome == failed && it.by == By::Client)
        {
            *cut.entry((it.client.ip, it.server)).or_default() += 1;
        }
        let kept = facts.connections.iter();
        let fetches = kept.flat_map(|it| CertificateFetch::of(it)).collect();
        for it in all.iter().filter(|it| it.both_sent_data) {
            let hosts = hosts(it.client.ip, it.server.ip);
            by_hosts.entry(hosts).or_default().push(it);
        }
        Self {
            cut,
            fetches,
            by_hosts,
        }
    }

    /// Whether a connection of this client to this server was ever used.
    fn ever(&self, connection: &Connection) -> bool {
        let hosts = hosts(connection.client.ip, connection.server.ip);
        let all = self.by_hosts.get(&hosts);
        all.is_some_and(|all| all.iter().any(|it| same_service(connection, it)))
    }

    /// The last certificate that this client had fetched before this close.
    fn fetched(&self, client: IpAddr, close: FrameRef) -> Option<&CertificateFetch> {
        let own = self.fetches.iter().filter(|it| it.client == client);
        own.filter(|it| it.at < close).max_by_key(|it| it.at)
    }

    /// The latest one for the same service that was open at the close of this one, and was opened for the same request
    /// or later.
    fn beside(&self, connection: &Connection) -> Option<&'a ConnectionSummary> {
        let closed = connection.teardown.at;
        let hosts = hosts(connection.client.ip, connection.server.ip);
        let all = self.by_hosts.get(&hosts)?;
        let from = all.partition_point(|it| connection.first.time.since(it.first.time) > AT_ONCE);
        let until = all.partition_point(|it| it.first.time <= closed);
        let mut near = all.get(from..until)?.iter().copied();
        let serves = |it: &&ConnectionSummary| {
            it.id != connection.id && it.close.time >= closed && same_service(connection, it)
        };
        near.rfind(serves)
    }
}

/// Two hosts in an order that does not depend on who calls.
fn hosts(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    (one.min(other), one.max(other))
}

/// Whether the other connection serves the same two hosts on the same port, in either direction: peers call each other
/// at once and keep the one that is ready first.
fn same_service(connection: &Connection, other: &ConnectionSummary) -> bool {
    let same = other.client.ip == connection.client.ip && other.server == connection.server;
    let back = other.server.ip == connection.client.ip
        && other.client.ip == connection.server.ip
        && other.server.port == connection.server.port;
    same || back
}

/// Connections opened for the same request begin within this time.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Whether the client had accepted the server: it sent data without waiting for the server's Finished (RFC 7918), and
/// then closed in order.
fn went_on(connection: &Connection, reading: &TlsFailure<'_>) -> bool {
    connection.teardown.how == How::Fin
        && reading.by == Some(Who::of(reading.facts.caller))
        && reading.facts.accepts_early()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::{Severity, ladder_check};

    /// A certificate that was not sent cannot have been refused.
    #[test]
    fn a_resumed_session_that_is_not_used_is_a_probe() {
        let left = |flight: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n{flight}+4ms close_notify FIN -->\n<-- FIN\nACK -->"
            );
            ladder_check::told_by(&RULE, &text).expect("found")
        };
        let resumed = left("<-- ServerHello Finished\nFinished -->\n");
        assert!(
            resumed.contains("resumed") && !resumed.contains("refused the certificate"),
            "{resumed}"
        );
        let full = left(
            "<-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\n",
        );
        assert!(full.contains("refused the certificate"), "{full}");
    }

    /// Data before the server's Finished (RFC 7918) shows that the client had accepted the certificate.
    #[test]
    fn who_goes_on_has_not_refused_the_certificate() {
        let text = |said: &str| {
            format!(
                "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n\
                 KeyExchange Finished -->\n{said}FIN -->\n<-- FIN\nACK -->"
            )
        };
        let proof = |said: &str| ladder_check::run(&text(said).parse().expect("a ladder"));
        let went_on = proof("app 60 -->\n");
        let own = went_on
            .findings
            .iter()
            .find(|it| it.rule == RULE.name)
            .expect("found");
        assert_eq!(own.severity, Severity::Note);
        for word in ["issued by", "certificate is for"] {
            assert!(!own.message.contains(word), "{}", own.message);
        }
        assert!(!went_on.connections[0].outcome.is_failed());
        let told = crate::rules::log_errors::stories(
            &went_on.connections[0],
            crate::analysis::connection::Who::Client,
        );
        assert!(told.is_empty(), "{told:?}");
        assert!(proof("").connections[0].outcome.is_failed());
    }

    #[test]
    fn one_of_several_that_was_not_needed_is_a_note() {
        let hello = "ClientHello [sni=a version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n";
        let taken = format!(
            "client :1 server\nSYN -->\n<-- SYN\n{hello}KeyExchange Finished -->\n<-- Finished\napp 300 -->\n<-- app 900\n"
        );
        let end = "client :1 server\nclose_notify FIN -->\n<-- FIN\nACK -->";
        let left = |wait: &str| {
            format!("client :2 server\n{wait}SYN -->\n<-- SYN\n{hello}FIN -->\n<-- FIN\nACK -->\n")
        };
        let severity = |text: &str| ladder_check::found_by(&RULE, text).map(|found| found.severity);
        assert_eq!(
            severity(&format!("{taken}{}{end}", left(""))),
            Some(Severity::Note)
        );
        // Much later it was opened for another purpose.
        assert_eq!(
            severity(&format!("{taken}{}{end}", left("+5s "))),
            Some(Severity::Error)
        );
        assert_eq!(severity(&left("")), Some(Severity::Error));
        // However many others there are meanwhile.
        let others: String = (1000..1400)
            .map(|port| {
                format!("client :{port} server\n+1us SYN -->\n+1us <-- SYN\n+1us ACK -->\n")
            })
            .collect();
        assert_eq!(
            severity(&format!("{taken}{others}{}{end}", left(""))),
            Some(Severity::Note)
        );
    }

    /// What the capture cut may have been all of the server's part.
    #[test]
    fn what_was_cut_of_an_answer_is_not_known() {
        let found = |cut: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                 <-- ServerHello Certificate [name=a {cut}] ServerHelloDone\n+40ms FIN -->\n<-- FIN\nACK -->"
            );
            ladder_check::found_by(&RULE, &text).expect("found")
        };
        let whole = found("");
        assert!(
            whole.message.contains("server had sent its part"),
            "{}",
            whole.message
        );
        let cut = found("cut=30");
        assert!(
            cut.message.contains("is not known: the capture cut")
                && !cut.message.contains("did not wait"),
            "{}",
            cut.message
        );
        assert!(
            cut.remedies[0].contains("did not accept"),
            "{:?}",
            cut.remedies
        );
    }

    /// Handshakes that all end alike, and a certificate that the client looked for.
    #[test]
    fn what_failed_several_times_fails_again() {
        let cut = |port: u16| {
            format!(
                "client :{port} server\nSYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                 <-- ServerHello Certificate [name=a] ServerHelloDone\n"
            )
        };
        let end = |port: u16| format!("client :{port} server\nFIN -->\n<-- FIN\nACK -->\n");
        let fetch = "client :9000 server 192.0.2.80:80\nSYN -->\n<-- SYN\nGET /ca/root.crt -->\n<-- 200 data 900\nACK -->\n";
        let found = |count: u16, fetch: &str| {
            let mut text = String::new();
            for port in 1..=count {
                text += &cut(port);
                if port == 1 {
                    text += fetch;
                }
                text += &end(port);
            }
            ladder_check::found_by(&RULE, &text).expect("found")
        };
        let again = "A retry fails in the same way";
        assert!(!found(2, "").message.contains(again));
        assert!(found(3, "").message.contains(again));
        let fetched = found(3, fetch);
        assert!(
            fetched
                .message
                .contains("fetched a certificate with `GET /ca/root.crt`"),
            "{}",
            fetched.message
        );
        assert!(
            fetched.remedies[0].starts_with("Install the authority"),
            "{:?}",
            fetched.remedies
        );
    }

    /// What came after the close is not what had come before it.
    #[test]
    fn the_place_is_that_of_the_close() {
        let answer = "<-- ServerHello Certificate [name=a] ServerHelloDone";
        let hello = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n";
        let found =
            |text: &str| ladder_check::found_by(&RULE, &format!("{hello}{text}")).expect("found");
        let left = found(&format!("+13ms FIN -->\n+5ms {answer}\nRST [noack] -->"));
        assert!(
            left.message.contains("13.0 ms after the last message"),
            "{}",
            left.message
        );
        assert!(
            left.message.contains("and the server nothing"),
            "{}",
            left.message
        );
        assert_eq!(left.severity, Severity::Note);
        let limit = found("+10s FIN -->\n<-- FIN\nACK -->");
        assert_eq!(limit.severity, Severity::Error);
        let after = found(&format!("{answer}\n+13ms FIN -->\n<-- FIN\nACK -->"));
        assert!(
            after.message.contains("server had sent its part"),
            "{}",
            after.message
        );
        assert_eq!(after.severity, Severity::Error);
    }

    #[test]
    fn a_close_notify_is_no_part_of_the_handshake() {
        let text = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                    <-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n\
                    <-- Finished\n+20ms close_notify -->\n+1ms FIN -->\n<-- FIN\nACK -->";
        let said = ladder_check::found_by(&RULE, text).expect("found").message;
        assert!(said.contains("21.0 ms after the TLS handshake"), "{said}");
    }

    #[test]
    fn a_client_that_wrote_before_it_left_was_content() {
        let hello = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                     <-- ServerHello Certificate [name=a] ServerHelloDone\n";
        let end = "FIN -->\n<-- FIN\nACK -->";
        for (own, severity) in [
            ("KeyExchange Finished app 60 -->\n", Severity::Note),
            ("KeyExchange Finished -->\n", Severity::Error),
            ("", Severity::Error),
        ] {
            let found =
                ladder_check::found_by(&RULE, &format!("{hello}{own}{end}")).expect("found");
            assert_eq!(found.severity, severity, "{own}");
        }
    }

    #[test]
    fn a_client_that_sends_heartbeats_is_a_scanner() {
        let text = r#"SYN -->
<-- SYN
ClientHello [sni=a version=1.2] -->
<-- ServerHello Certificate [name=a] ServerHelloDone
"\x18\x03\x02\x00\x03\x01\x40\x00" -->
+7s FIN -->
<-- FIN
ACK -->"#;
        let found = ladder_check::found_by(&RULE, text).expect("found");
        assert_eq!(found.severity, Severity::Note);
        assert!(found.message.contains("CVE-2014-0160"), "{}", found.message);
        assert!(!found.message.contains("certificate"), "{}", found.message);
    }
}
