//! A session of another protocol ended without the message with which its protocol ends one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::connection::{By, Connection, ConnectionOutcome, FailedReason, How, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::http::SharedText;
use crate::rules::remedy::Remedy;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{not_yet, side, tell, words_of};
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// A server closed a session on which nothing was under way. It did not send the message with which its protocol ends a
    /// session: Connection.Close of AMQP, BYE of IMAP, DISCONNECT of MQTT 5. In BGP both sides send NOTIFICATION, so it may
    /// have been either. The client's log says that the connection was lost or closed unexpectedly.
    ///
    /// A server of Redis says nothing when it ends a connection. There a client that has subscribed to messages, and waits for
    /// them, is cut off: no idle timeout ends such a connection.
    ///
    /// An SSH session is encrypted. There the times show it: the server closed the connection, and neither side had sent
    /// anything just before that could have ended the session.
    ///
    /// # Why it matters
    ///
    /// Such sessions stay open on purpose, and servers do not close them for being idle. The program ended or was killed, a
    /// peer showed no sign of life, or the program had an error that it only logs. The other side must connect again, and may
    /// have missed what it was waiting for.
    ///
    /// # Remedy
    ///
    /// - *If the server closed first:* Look in the server's log at the time of the close: for a crash, a restart, a missed
    ///   heartbeat, or a newer connection of the same client.
    /// - *If the client closed first:* Look in the client's log at the time of the close for a crash, a restart or a missed
    ///   heartbeat.
    /// - *If neither side closed first:* Look in the logs of both sides at the time of the close.
    /// - *If MQTT was spoken:* Give each client an identifier of its own: of two with the same one the server keeps only the
    ///   newer (MQTT 3.1.1 §3.1.4).
    /// - *If Redis was spoken:* Look on the server at `client-output-buffer-limit pubsub`, which ends slow subscribers, and for
    ///   a `CLIENT KILL`.
    /// - Let the client connect again by itself, after a pause that grows.
    ///
    /// # Tell it by
    ///
    /// The server closes while no request is outstanding, without the message with which its protocol ends a session.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "* OK ready\r\n"
    ///  0.040  "1 NOOP\r\n"       -->
    ///  0.050                     <--  "1 OK done\r\n"
    ///  0.060  ACK                -->
    ///  3.333                     <--  FIN
    ///  3.340  FIN                -->
    ///  3.350                     <--  ACK
    ///  => findings session-cut
    /// ```
    ///
    /// In SSH:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "SSH-2.0-OpenSSH_9.2\r\n"
    ///  0.040  "SSH-2.0-OpenSSH_9.2\r\n" -->
    ///  0.050                     <--  "\x00\x00\x00\x06\x04\x14\x00\x00\x00\x00"
    ///  0.060  "\x00\x00\x00\x06\x04\x14\x00\x00\x00\x00\x00\x00\x00\x06\x04\x1e\x00\x00\x00\x00" -->
    ///  0.070                     <--  "\x00\x00\x00\x06\x04\x1f\x00\x00\x00\x00\x00\x00\x00\x06\x04\x15\x00\x00\x00\x00"
    ///  0.080  "\x00\x00\x00\x06\x04\x15\x00\x00\x00\x00" -->
    ///  0.090  "\xf1\xd2\xe3"     -->
    ///  0.100                     <--  "\x9a\x8b\x7c"
    ///  0.110  "\xc4\xd5\xe6"     -->
    ///  0.120                     <--  "\x9f\x81\x72"
    ///  2.120                     <--  FIN
    ///  2.130  FIN                -->
    ///  2.140                     <--  ACK
    ///  => findings session-cut
    /// ```
    ///
    /// # Not this
    ///
    /// The server closes an SSH session just after the client said something: it may have been the goodbye.
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "SSH-2.0-OpenSSH_9.2\r\n"
    ///  0.040  "SSH-2.0-OpenSSH_9.2\r\n" -->
    ///  0.050                     <--  "\x00\x00\x00\x06\x04\x14\x00\x00\x00\x00"
    ///  0.060  "\x00\x00\x00\x06\x04\x14\x00\x00\x00\x00\x00\x00\x00\x06\x04\x1e\x00\x00\x00\x00" -->
    ///  0.070                     <--  "\x00\x00\x00\x06\x04\x1f\x00\x00\x00\x00\x00\x00\x00\x06\x04\x15\x00\x00\x00\x00"
    ///  0.080  "\x00\x00\x00\x06\x04\x15\x00\x00\x00\x00" -->
    ///  0.090  "\xf1\xd2\xe3"     -->
    ///  0.100                     <--  "\x9a\x8b\x7c"
    ///  2.110  "\xc4\xd5\xe6"     -->
    ///  2.120                     <--  FIN
    ///  2.130  FIN                -->
    ///  2.140                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// The server announces the close:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "* OK ready\r\n"
    ///  0.040  "1 NOOP\r\n"       -->
    ///  0.050                     <--  "1 OK done\r\n"
    ///  0.060  "2 LOGOUT\r\n"     -->
    ///  0.070                     <--  "* BYE bye\r\n2 OK done\r\n"
    ///  0.071                     <--  FIN
    ///  0.080  FIN                -->
    ///  0.090                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// AMQP 0-9-1 §2.2.4; RFC 9051 §7.1.5 (BYE); MQTT 5.0 §3.14, §3.1.2.10 (Keep Alive); RFC 4271 §6 (NOTIFICATION);
    /// RFC 4253 §11.1 (disconnection in SSH).
    pub(in crate::rules) RULE: "session-cut", Severity::Warning,
    "a session ends without the message with which its protocol ends one", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let facts = connection.dialogue.as_deref();
    let cut = connection.outcome == ConnectionOutcome::Failed(FailedReason::SessionCut);
    let Some(protocol) = facts.and_then(|it| it.protocol).filter(|_| cut) else {
        return not_yet(connection);
    };
    if protocol.encrypts_itself() {
        return encrypted(connection, protocol);
    }
    let by = match connection.teardown.by {
        By::Client => Who::Client,
        _ => Who::Server,
    };
    let close = connection.teardown.frame_ref();
    let own = match connection.teardown.how {
        How::Fin => connection.fin[by as usize],
        _ => connection.reset[by as usize],
    };
    // What came after the close does not end the silence before it.
    let heard = own.map_or(connection.last_data[by.other() as usize], |it| it.heard);
    let spoke = connection.last_data[by as usize].max(heard).min(close);
    let late = connection.last_data[Who::Client as usize];
    let unread = (by == Who::Server
        && late > close
        && connection.reset[by as usize].is_some_and(|it| it.frame_ref > late))
    .then(|| {
        sentence!(
            "The server answered what the client sent {} later with a reset: it did not read that.",
            late.time.since(close.time)
        )
    });
    let word = match connection.teardown.how {
        How::Fin => "FIN",
        _ => "RST",
    };
    let overdue = by == Who::Server && connection.overdue(Who::Client).is_some();
    let silence = close.time.since(spoke.time);
    let summary = match protocol.goodbye_of_server() {
        Some(goodbye) => sentence!(
            "[{} session|# {} sessions] closed without {}",
            protocol.name(),
            protocol.name(),
            goodbye
        ),
        None => "Server closed [the connection of a subscriber|# subscribers' connections]".into(),
    };
    // Beside the silence of the other side the last data says nothing.
    let message = match (protocol.goodbye_of_server(), word, overdue) {
        (Some(goodbye), "FIN", true) => sentence!(
            "The {} closed the {} session with a FIN, without a {}.",
            side(by),
            protocol.name(),
            goodbye
        ),
        (Some(goodbye), _, true) => sentence!(
            "The {} reset the {} session, without a {}.",
            side(by),
            protocol.name(),
            goodbye
        ),
        (Some(goodbye), "FIN", false) => sentence!(
            "The {} closed the {} session with a FIN, {} after the last data and without a {}.",
            side(by),
            protocol.name(),
            silence,
            goodbye
        ),
        (Some(goodbye), _, false) => sentence!(
            "The {} reset the {} session {} after the last data, without a {}.",
            side(by),
            protocol.name(),
            silence,
            goodbye
        ),
        (None, ..) => sentence!(
            "The {} ended the {} session with a {}, {} after the last data. The client had subscribed to messages and waited for \
             them.",
            side(by),
            protocol.name(),
            word,
            silence
        ),
    };
    let mqtt = protocol == AppProtocol::Mqtt && by == Who::Server;
    let identifier = connection
        .spoken()
        .iter()
        .find_map(|it| words_of(it, "CONNECT"));
    let named = identifier.filter(|_| mqtt).map(|identifier| {
        sentence!(
            "The client's identifier is {}: the server also closes when a second client connects with the same one.",
            format!("\"{identifier}\"")
        )
    });
    let more = signs_of_life(connection, protocol, by);
    // What the sides had agreed on decides, if it was captured.
    let agreed = connection
        .dialogue
        .as_deref()
        .is_some_and(|it| it.alive.is_some());
    let silent = silent_client(connection, by, close).filter(|_| !agreed);
    let is_silent = silent.is_some() || overdue;
    let verdict = tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty,
        summary,
        message,
    )
    .adds(silent)
    .adds(unread)
    .adds(more)
    .means(named)
    .shows(Some(spoke), "last data")
    .shows(Some(close), format!("{word} from the {}", side(by)))
    .about(connection);
    match verdict {
        Verdict::Found(mut story) if is_silent => {
            story.remedies.retain(|it| !it.text().starts_with(LOOK));
            story
                .remedies
                .splice(0..0, [HEARTBEATS.into(), MISSED.into()]);
            Verdict::Found(story)
        }
        other => other,
    }
}

/// What to change about a client that misses its heartbeats.
const HEARTBEATS: &str = "In the client, move long work off the thread or event loop that sends heartbeats. Or agree on a longer \
                          heartbeat.";

/// Where to look for a missed heartbeat.
const MISSED: &str = "Look in the server's log at the time of the close for a missed heartbeat of the client. If there is none, look \
                      for a crash or a restart.";

/// How the remedy begins which that one replaces.
const LOOK: &str = "Look in the server's log at the time of the close";

/// Pauses of a client from which on the server may have missed a sign of life.
const SILENT: Duration = Duration::from_secs(2);

/// The client had sent nothing for a while, and the server had.
fn silent_client(connection: &Connection, by: Who, close: FrameRef) -> Option<Sentence> {
    let [client, server] = connection.last_data;
    let silence = close.time.since(client.time);
    let missed = by == Who::Server && client.frame.0 > 0 && server > client && silence >= SILENT;
    missed.then(|| {
        sentence!(
            "The client had sent no data for {} by then, while the server had: the client may have missed its heartbeats.",
            silence
        )
    })
}

/// A server closes the older session within this time after a client with the same identifier has connected.
const TAKEN_WITHIN: Duration = Duration::from_secs(1);

/// The client identifier of an MQTT session, and when it was told.
fn identified(connection: &Connection) -> Option<(&SharedText, FrameRef)> {
    let facts = connection.dialogue.as_deref()?;
    if facts.protocol != Some(AppProtocol::Mqtt) {
        return None;
    }
    connection.spoken().iter().find_map(|it| {
        let asked = it.rare.as_ref()?.asked.as_ref()?;
        let words = asked.words.as_ref().filter(|_| asked.noun == "CONNECT")?;
        Some((words, it.request.as_ref()?.message.last))
    })
}

/// MQTT sessions that the server closed because another client connected with the same identifier (MQTT 3.1.1 §3.1.4): the
/// diagnosis of each.
pub(in crate::rules) fn taken_over(facts: &RuleInput<'_>) -> BTreeMap<u32, Diagnosis> {
    let mut sessions: BTreeMap<(Endpoint, &SharedText), Vec<(FrameRef, u32)>> = BTreeMap::new();
    for connection in facts.connections {
        if let Some((identifier, at)) = identified(connection) {
            let own = sessions.entry((connection.server, identifier));
            own.or_default().push((at, connection.id));
        }
    }
    sessions.values_mut().for_each(|it| it.sort_unstable());
    let mut found = BTreeMap::new();
    let cut = ConnectionOutcome::Failed(FailedReason::SessionCut);
    for connection in facts.connections.iter().filter(|it| it.outcome == cut) {
        let Some((identifier, began)) = identified(connection) else {
            continue;
        };
        let close = connection.teardown.frame_ref();
        let all = sessions.get(&(connection.server, identifier));
        let mut others = all.into_iter().flatten().rev();
        let other = others.find(|(at, id)| *id != connection.id && *at < close && *at > began);
        let by_server = connection.teardown.by == By::Server;
        if let Some((at, id)) =
            other.filter(|(at, _)| by_server && close.time.since(at.time) <= TAKEN_WITHIN)
        {
            let by = format!("#{id}, {}", facts.frames.name(at.frame));
            found.insert(
                connection.id,
                taken(identifier, (*at, by), close, connection),
            );
        }
    }
    found
}

fn taken(
    identifier: &SharedText,
    (at, by): (FrameRef, String),
    close: FrameRef,
    connection: &Connection,
) -> Diagnosis {
    let message = sentence!(
        "A new connection sent CONNECT with the client identifier \"{}\" ({}). After {} the server ended the older session with \
         this identifier.",
        shortened(identifier.as_bytes(), IDENTIFIER),
        Value::Places(vec![by], false),
        close.time.since(at.time)
    );
    let mut story = tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty,
        "[Session|# sessions] ended by a newer one with the same identifier",
        message,
    )
    .means(Some(
        "No request was open: there is nothing to retry. Clients that connect again by themselves go on ending each other's \
         sessions.",
    ))
    .shows(Some(at), "CONNECT with the same identifier")
    .shows(Some(close), "the server ends the older session")
    .story();
    let own = |it: &Remedy| it.text().starts_with(OWN_IDENTIFIER);
    story.remedies.retain(own);
    story
}

/// How the remedy begins that ends takeovers.
const OWN_IDENTIFIER: &str = "Give each client an identifier of its own";

/// Characters of an identifier in a sentence.
const IDENTIFIER: usize = 60;

/// What the agreement on signs of life says of the close.
fn signs_of_life(connection: &Connection, protocol: AppProtocol, by: Who) -> Option<Sentence> {
    let due = connection.dialogue.as_deref().and_then(|it| it.alive);
    let due = due.map(|it| Duration::from_secs(it.into()));
    let (name, times, why) = match protocol {
        AppProtocol::Mqtt => (
            "Keep Alive",
            "1.5 times its",
            "an MQTT server closes once 1.5 times that has passed",
        ),
        AppProtocol::Amqp => (
            "heartbeat",
            "twice the",
            "an AMQP peer closes once that has passed twice",
        ),
        AppProtocol::Bgp => ("hold time", "the", "a BGP peer closes once that has passed"),
        _ => return None,
    };
    let other = match by {
        Who::Client => Who::Server,
        Who::Server => Who::Client,
    };
    if let (Some(silent), Some(due)) = (connection.overdue(other), due) {
        return Some(sentence!(
            "The {} had sent nothing for {}. The agreed {} is {}, and {}: probably that is why.",
            side(other),
            silent,
            name,
            due,
            why
        ));
    }
    match (protocol, due) {
        (AppProtocol::Mqtt, Some(due)) => Some(sentence!(
            "The client had not been silent for 1.5 times its Keep Alive ({}). MQTT servers also close like this after an error: before \
             MQTT 5 they have no message for it.",
            due
        )),
        (AppProtocol::Mqtt, None) => Some(sentence!(
            "MQTT servers also close like this after an error: before MQTT 5 they have no message for it."
        )),
        (_, Some(due)) => Some(sentence!(
            "The {} had not been silent for {} {} ({}).",
            side(other),
            times,
            name,
            due
        )),
        (_, None) => None,
    }
}

/// The server closed an encrypted session that the client had not ended.
fn encrypted(connection: &Connection, protocol: AppProtocol) -> Verdict {
    let close = connection.teardown.frame_ref();
    let facts = connection.dialogue.as_deref();
    let turns = facts.map_or(&[][..], |it| &it.encrypted_turns);
    let Some(last) = turns.iter().rfind(|it| it.first < close) else {
        return not_yet(connection);
    };
    let own = match connection.teardown.how {
        How::Fin => connection.fin[Who::Server as usize],
        _ => connection.reset[Who::Server as usize],
    };
    let spoke = match own {
        Some(own) if last.last >= close => own.heard,
        _ => last.last,
    };
    let verb = match connection.teardown.how {
        How::Fin => "closed",
        _ => "reset",
    };
    let shown = match connection.teardown.how {
        How::Fin => "FIN from the server",
        _ => "RST from the server",
    };
    tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty.max(Certainty::Likely),
        sentence!(
            "Server ended [an {} session|# {} sessions] without notice",
            protocol.name(),
            protocol.name()
        ),
        sentence!(
            "The server {} the {} connection {} after the last data.",
            verb,
            protocol.name(),
            close.time.since(spoke.time)
        ),
    )
    .adds(Some(match last.from {
        FlowEnd::A => {
            "The client's last data did not end the session: after that a client closes the connection at once."
        }
        FlowEnd::B => {
            "The client sent nothing that could have ended the session, and the server nothing that could have said why."
        }
    }))
    .presumes(Some(
        "The server was stopped or killed, or the client had not answered its keep-alive messages.",
    ))
    .shows(Some(spoke), "the last data before the close")
    .shows(Some(close), shown)
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
    const MQTT: &str = "\"\\x10\\x0d\\x00\\x04MQTT\\x04\\x02\\x00\\x3c\\x00\\x01a\" -->\n<-- \
                        \"\\x20\\x02\\x00\\x00\"\nACK -->\n";

    fn told(text: &str) -> Option<String> {
        ladder_check::told_by(&super::RULE, &format!("{OPEN}{MQTT}{text}"))
    }

    /// Redis has no message that ends a session, and no idle timeout for subscribers.
    #[test]
    fn a_subscriber_is_cut_off() {
        let begin = "client server :6379\nSYN -->\n<-- SYN\nACK -->\n\"*2\\r\\n$9\\r\\nSUBSCRIBE\\r\\n$1\\r\\na\\r\\n\" -->\n\
                     <-- \"*3\\r\\n$9\\r\\nsubscribe\\r\\n$1\\r\\na\\r\\n:1\\r\\n\"\nACK -->\n";
        let left = "\"*1\\r\\n$11\\r\\nUNSUBSCRIBE\\r\\n\" -->\n<-- \"*3\\r\\n$11\\r\\nunsubscribe\\r\\n$1\\r\\na\\r\\n:0\\r\\n\"\nACK -->\n";
        let end = "+3s <-- FIN\nFIN -->\n<-- ACK";
        let told = |text: &str| ladder_check::told_by(&super::RULE, text);
        let said = told(&format!("{begin}{end}")).expect("found");
        assert!(said.contains("had subscribed to messages"), "{said}");
        assert_eq!(told(&format!("{begin}{left}{end}")), None);
        assert_eq!(told(&format!("{begin}+3s FIN -->\n<-- FIN\nACK -->")), None);
    }

    #[test]
    fn a_broker_that_closes_without_a_message_is_reported() {
        let end = "+2s <-- FIN\nFIN -->\n<-- ACK";
        let said = told(end).expect("found");
        assert!(
            said.starts_with("The server closed the MQTT session"),
            "{said}"
        );
        // What the client sends after the close came too late.
        let late = "+4s <-- FIN\nACK -->\n+2s \"\\x30\\x03\\x00\\x01a\" -->\n<-- RST [noack]";
        let said = told(late).expect("found");
        assert!(
            said.contains("4.00 s after the last data") && said.contains("2.00 s later"),
            "{said}"
        );
        // The client had ended the session.
        assert_eq!(told(&format!("\"\\xe0\\x00\" -->\n{end}")), None);
        // The client closed.
        assert_eq!(told("+2s FIN -->\n<-- FIN\nACK -->"), None);
    }
}
