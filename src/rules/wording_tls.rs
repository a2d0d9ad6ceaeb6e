//! Wording shared by the TLS rules: names, alerts, and what the encrypted part of a handshake allows to conclude.

use super::Severity;
use super::classify_tls::{
    TlsFailure, cut_while_sending, ended_unanswered, failure, gave_up, is_unanswered,
    reset_while_idle, response_cut, sent_close_notify,
};
use super::opaque;
use super::rule::{Rule, Verdict};
use super::statement::{Sentence, Value, sentence};
use super::wording::{DiagnosisBuilder, not_yet, side, tell};
use crate::analysis::connection::{Connection, How, Taken, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::{escape, shortened};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::tls::{Alert, ChainEnd, HandshakeStage, TlsFacts};

/// The frame that completed the ClientHello.
pub(super) fn hello(reading: &TlsFailure<'_>) -> Option<FrameRef> {
    reading.facts.hello.as_ref().map(|(at, _)| *at)
}

/// What a handshake means that fails for a reason that stays.
pub(super) const STAYS_BROKEN: &str =
    "No request was sent. A retry fails in the same way until this is fixed.";

/// The same where the client may have sent a request by then: in TLS 1.3 it does not wait for the server's last word.
pub(super) fn stays_broken(facts: &TlsFacts) -> &'static str {
    match facts.flows[Who::Client as usize].records {
        0 => STAYS_BROKEN,
        _ => {
            "What the client had already sent was most likely dropped unprocessed. A retry fails in the same way until this is \
             fixed."
        }
    }
}

/// "The client had asked for a.example.", or nothing without SNI.
pub(super) fn asked_for(facts: &TlsFacts) -> Option<Sentence> {
    let name = facts.sni()?;
    Some(sentence!(
        "The client had asked for {}.",
        shortened(name.as_bytes(), SHORT_NAME)
    ))
}

/// Characters of a name in a sentence.
pub(super) const SHORT_NAME: usize = 80;

/// An alert's name and code.
pub(super) fn called(code: u8) -> String {
    match crate::protocol::tls::alert_name(code) {
        Some(name) => format!("{name} ({code})"),
        None => format!("code {code}"),
    }
}

/// What ended the handshake.
pub(super) fn sign(reading: &TlsFailure<'_>, connection: &Connection) -> String {
    let by = reading.by.map_or("one side", side);
    match reading.alert.map(Alert::code) {
        Some(Some(code)) => format!("alert from the {by}: {}", called(code)),
        Some(None) => format!("an alert from the {by}, hidden"),
        None if reading.stage >= HandshakeStage::Complete => {
            format!("the {by} ends the connection")
        }
        None => {
            let word = match connection.teardown.how {
                How::Fin => "FIN",
                _ => "RST",
            };
            match hidden_alert(reading) {
                Some(_) => format!("{word} from the {by}, after an encrypted alert"),
                None => format!("{word} from the {by}, without an alert"),
            }
        }
    }
}

/// An encrypted alert of the side that ended the connection, or a record that is as long as one, before its close.
pub(super) fn hidden_alert(reading: &TlsFailure<'_>) -> Option<FrameRef> {
    let alert = reading.facts.flows[reading.by? as usize].hidden_alert?;
    (alert <= reading.at).then_some(alert)
}

/// That the server's certificate was outside of its dates.
pub(super) fn dates(facts: &TlsFacts) -> Option<Sentence> {
    let (at, leaf) = facts.outdated()?;
    Some(match leaf.until.time() < at.time {
        true => sentence!(
            "The certificate had expired {} before.",
            at.time.since(leaf.until.time())
        ),
        false => sentence!(
            "The certificate becomes valid {} later.",
            leaf.from.time().since(at.time)
        ),
    })
}

/// Names listed of a certificate.
const MAX_TOLD: usize = 4;

/// Names and issuer of the certificate, and how its chain ends.
pub(super) fn describe(facts: &TlsFacts) -> Vec<Sentence> {
    if facts.has_broken_certificate() {
        return vec![
            "The certificate that the server sent cannot be parsed: its encoding (DER) is broken."
                .into(),
        ];
    }
    let Some((_, leaf)) = facts.leaf() else {
        return Vec::new();
    };
    let names: Vec<String> = leaf
        .names
        .iter()
        .map(|name| escape(name.as_bytes()).into_owned())
        .chain(leaf.addresses.iter().map(ToString::to_string))
        .collect();
    let listed = names.iter().take(MAX_TOLD).cloned();
    let mut told = listed.collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = names.len().checked_sub(MAX_TOLD) {
        told.push_str(&format!(" and {} more", more + leaf.more_names as usize));
    }
    let mut sentences = vec![match (leaf.self_issued, told.is_empty()) {
        (true, true) => Sentence::from("The certificate names nobody and is self-signed."),
        (true, false) => sentence!("The certificate is for {} and self-signed.", told),
        (false, empty) => {
            let issuer = shortened(leaf.issuer.as_bytes(), SHORT_NAME);
            match empty {
                true => sentence!("The certificate names nobody and was issued by {}.", issuer),
                false => sentence!("The certificate is for {}, issued by {}.", told, issuer),
            }
        }
    }];
    let chain = facts.certificates.as_ref().map(|(_, chain)| chain);
    let count = chain.map_or(0, Vec::len);
    match facts.chain_end() {
        Some(ChainEnd::IssuerNotSent) if count == 1 => sentences.push(
            "The server did not send the issuer's certificate: clients must have that issuer in their trust store."
                .into(),
        ),
        Some(ChainEnd::Root) => {
            sentences.push(
                "The chain that was sent ends in a root, which names itself as issuer.".into(),
            );
        }
        Some(ChainEnd::IssuerNotSent) => {
            let last = chain.and_then(|chain| chain.last());
            sentences.extend(last.map(|last| {
                sentence!(
                    "The chain that was sent ends in a certificate issued by {}. The client must have that issuer, or another \
                     authority of the chain.",
                    shortened(last.issuer.as_bytes(), SHORT_NAME)
                )
            }));
        }
        _ => {}
    }
    sentences
}

/// A diagnosis that says these sentences as well.
pub(super) fn adding(telling: DiagnosisBuilder, sentences: Vec<Sentence>) -> DiagnosisBuilder {
    sentences
        .into_iter()
        .fold(telling, |telling, it| telling.adds(Some(it)))
}

/// The server ended the connection with a request inside TLS unanswered: the TLS case of a rule for plain HTTP.
pub(super) fn hidden_request(
    rule: &'static Rule,
    connection: &Connection,
    closes: &'static str,
) -> Verdict {
    let Some(facts) = connection
        .tls
        .as_deref()
        .filter(|_| is_unanswered(connection) && failure(connection).is_none())
    else {
        return opaque::unanswered(rule, connection, closes);
    };
    let asked = facts.turns_inside.asked_at.unwrap_or_default();
    let close = ended_unanswered(connection).unwrap_or_else(|| connection.teardown.frame_ref());
    let waited = close.time.since(asked.time);
    let notified = sent_close_notify(facts, facts.caller.other());
    let notify = match notified {
        true if closes == "close_notify" => None,
        true => Some("The server had sent close_notify before."),
        false => no_notify(facts, facts.caller.other()),
    };
    let message = match closes {
        "FIN" => sentence!(
            "Inside TLS the client spoke last. The server closed the connection {} later, without a record of a \
             response.",
            waited
        ),
        "close_notify" => sentence!(
            "Inside TLS the client spoke last. The server ended the session with close_notify {} later, without a record of a response.",
            waited
        ),
        _ => sentence!(
            "Inside TLS the client spoke last. The server reset the connection {} later, without a record of a response.",
            waited
        ),
    };
    let certainty = match connection.sent.iter().any(|sent| sent.missing > 0) {
        true => Certainty::Possible,
        false => Certainty::Likely,
    };
    tell(
        rule,
        Severity::Error,
        certainty,
        "[A request|# requests] inside TLS got no response",
        message,
    )
    .adds(asked_for(facts))
    .adds(notify)
    .presumes(Some(
        "The client's last data was a request, which got no response.",
    ))
    .means(Some(WITH_KEYS))
    .shows(Some(asked), "last application data from the client")
    .shows(Some(close), format!("{closes} from the server"))
    .about(connection)
}

/// Of a side that ended the connection in TCP alone. A last record that padding may make of an alert leaves that open.
fn no_notify(facts: &TlsFacts, end: FlowEnd) -> Option<&'static str> {
    let flow = facts.flows[end.index()];
    (flow.close_notify.frame_ref().is_none() && !flow.ends_short)
        .then_some("No close_notify came before.")
}

/// What would decide where records are not decrypted.
const WITH_KEYS: &str = "The content is encrypted; a key log would show it.";

/// The server ended the connection in the middle of a response inside TLS: the TLS case of a rule for plain HTTP.
pub(super) fn hidden_response(rule: &'static Rule, connection: &Connection, word: &str) -> Verdict {
    let Some((facts, cut)) = connection
        .tls
        .as_deref()
        .zip(response_cut(connection))
        .filter(|(_, cut)| cut.word == word && failure(connection).is_none())
    else {
        return not_yet(connection);
    };
    let flow = facts.flows[Who::Server as usize];
    let sent = connection.sent[Who::Server as usize];
    let last = flow.last.unwrap_or_default();
    let since = cut.at.time.since(last.time);
    let lacking = sentence!(
        "The server's last TLS record lacked {} of what its header announces.",
        Value::exact_bytes(u64::from(flow.lacking))
    );
    let within = flow.lacking > 0;
    let unread = sent.bytes.saturating_sub(sent.acknowledged);
    let lost = sentence!(
        "The client had not acknowledged {} of what the server sent, and may not have received them.",
        Value::exact_bytes(unread)
    );
    let message = match (cut.word, within) {
        ("FIN", _) => {
            Sentence::from("The server closed the connection in the middle of a TLS record.")
        }
        (_, true) => sentence!(
            "The server reset the connection in the middle of a TLS record, {} after its last data.",
            since
        ),
        (_, false) => sentence!(
            "The server reset the connection {} after its last data.",
            since
        ),
    };
    let full = facts.turns_inside.full && !within;
    let full = full.then_some("The server's last record was full, as when more follows.");
    let doubt = (!within).then_some(match cut.lost {
        true => "Whether the response was complete is not known: it is encrypted. A RST also discards data in transit.",
        false => {
            "The client had acknowledged all of it. Whether that was a whole response is not known; a key log would \
             show it."
        }
    });
    let notify = no_notify(facts, FlowEnd::B).filter(|_| cut.word != "FIN");
    let summary = match (cut.word, cut.lost) {
        ("FIN", _) => "[A response|# responses] inside TLS cut short by the server's FIN",
        (_, true) => "[A response|# responses] inside TLS cut short by the server's RST",
        (_, false) => "Server reset [a TLS connection|# TLS connections] soon after its data",
    };
    let severity = match cut.lost {
        true => Severity::Error,
        false => Severity::Warning,
    };
    tell(rule, severity, cut.certainty, summary, message)
        .adds(asked_for(facts))
        .adds(within.then_some(lacking))
        .adds((unread > 0).then_some(lost))
        .adds(full)
        .adds(notify)
        .presumes(Some("A response was cut short."))
        .means(doubt)
        .shows(flow.last, "last application data")
        .shows(Some(cut.at), format!("{} from the server", cut.word))
        .about(connection)
}

/// The server reset a connection on which nothing was under way inside TLS: the TLS case of a rule for plain HTTP.
pub(super) fn hidden_reset(rule: &'static Rule, connection: &Connection) -> Verdict {
    let Some(last) = reset_while_idle(connection).filter(|_| failure(connection).is_none()) else {
        return not_yet(connection);
    };
    let close = connection.teardown.frame_ref();
    tell(
        rule,
        Severity::Note,
        Certainty::Likely,
        "Server reset [an idle connection|# idle connections] inside TLS",
        sentence!(
            "The server reset the connection {} after its last data.",
            close.time.since(last.time)
        ),
    )
    .presumes(Some("No request was open, as the order of the data shows."))
    .adds(
        connection
            .tls
            .as_deref()
            .and_then(|facts| no_notify(facts, FlowEnd::B)),
    )
    .shows(Some(last), "last application data")
    .shows(Some(close), "RST from the server")
    .about(connection)
}

/// The server reset the connection while the client was sending inside TLS: the TLS case of a rule for plain HTTP.
pub(super) fn hidden_upload(rule: &'static Rule, connection: &Connection) -> Verdict {
    let Some((facts, cut)) = connection
        .tls
        .as_deref()
        .zip(cut_while_sending(connection))
        .filter(|_| failure(connection).is_none())
    else {
        return not_yet(connection);
    };
    let message = match cut.answer {
        Some(answer) => sentence!(
            "Inside TLS the server sent data while the client was still sending. It reset the connection {} later.",
            cut.reset.time.since(answer.time)
        ),
        None => Sentence::from(
            "The server reset the connection while the client was still sending inside TLS. It sent no response.",
        ),
    };
    let sign = match cut.lacking {
        0 => Sentence::from("The client's last record was full, as when more follows."),
        lacking => sentence!(
            "The client's last TLS record lacked {} of what its header announces.",
            Value::exact_bytes(u64::from(lacking))
        ),
    };
    tell(
        rule,
        Severity::Error,
        Certainty::Likely,
        "Server reset [the connection|# connections] mid-request inside TLS",
        message,
    )
    .adds(asked_for(facts))
    .adds(Some(sign))
    .presumes(Some("The client had not finished its request."))
    .means(Some(WITH_KEYS))
    .shows(cut.asked, "last whole record of the client")
    .shows(cut.answer, "data of the server")
    .shows(Some(cut.reset), "RST from the server")
    .about(connection)
}

/// The client closed while it waited for an answer inside TLS: the TLS case of a rule for plain HTTP. `whose`: sentences
/// about the time it waited.
pub(super) fn hidden_wait(
    rule: &'static Rule,
    connection: &Connection,
    whose: impl Fn(std::time::Duration) -> [Option<Sentence>; 2],
) -> Option<Verdict> {
    let facts = connection.tls.as_deref()?;
    let left = gave_up(connection).filter(|_| failure(connection).is_none())?;
    let waited = left.waited();
    let notified = left.left != left.close;
    let message = sentence!(
        "Inside TLS the client spoke last, and closed with a {} {} later. No record of a response came.",
        left.word,
        waited
    );
    let [client, server] = connection.sent;
    let own = Who::Client as usize;
    let closes = [connection.fin[own], connection.reset[own]];
    let event = closes
        .into_iter()
        .flatten()
        .find(|event| event.frame_ref == left.close);
    // A FIN counts as a byte, and a probe may have.
    let end = client.bytes.saturating_sub(1);
    let taken = match event.map(|event| connection.taken_at(&event, end, waited)) {
        Some(Taken::BeforeClose) => "The server's operating system had received what was sent.",
        Some(Taken::AfterClose) => "The server acknowledged what was sent only after that close.",
        Some(Taken::Unseen) => {
            "The capture shows no acknowledgement of it before that close. The client repeated nothing: the capture probably \
             lacks one."
        }
        Some(Taken::Never) | None => "The server had not acknowledged all that was sent.",
    };
    let answer = facts.flows[Who::Server as usize].last;
    let late = answer.filter(|at| server.bytes > 0 && *at > left.left);
    let late = late.map(|at| {
        sentence!(
            "Data of the server came {} after that close, too late for the client.",
            at.time.since(left.left.time)
        )
    });
    let severity = match left.certainty {
        Certainty::Possible => Severity::Warning,
        _ => Severity::Error,
    };
    let mut telling = tell(
        rule,
        severity,
        left.certainty,
        "Client stopped waiting for [a response|# responses] inside TLS",
        message,
    )
    .adds(asked_for(facts))
    .adds(Some(taken))
    .presumes(Some("The client had waited for the response to a request."));
    for sentence in whose(waited) {
        telling = telling.adds(sentence);
    }
    let verdict = telling
        .adds(late)
        .means(Some(WITH_KEYS))
        .shows(Some(left.asked), "last application data from the client")
        .shows(
            notified.then_some(left.left),
            "close_notify from the client",
        )
        .shows(Some(left.close), format!("{} from the client", left.word))
        .about(connection);
    Some(verdict)
}
