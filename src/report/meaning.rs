//! What an error means, in one sentence: of a code or a message its own words, else what its causes have in common.

use crate::base::format::capitalised;
use crate::knowledge::{Code, Explanation, MatchReason, WireEvent};

/// What happened to the program's connection, in kinds that have a sentence of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No connection was opened.
    NotOpened,
    /// The server closed it.
    Closed,
    /// It was reset.
    Reset,
    /// Nothing came in time.
    Silent,
    /// The client closed or reset it, and the server says so.
    ClientLeft,
    /// What came is not what the program accepts.
    Malformed,
    /// The handshake of TLS was not completed.
    Handshake,
    /// Anything else: its own story says it.
    Other,
}

fn kind(event: WireEvent) -> Kind {
    let name = event.name();
    let has = |word: &str| name.split('-').any(|it| it == word);
    if name.starts_with("client-") && name != "client-abort" {
        return Kind::ClientLeft;
    }
    if name.starts_with("tls-") {
        return match event {
            WireEvent::TlsFinBeforeResponse
            | WireEvent::TlsNotifyBeforeResponse
            | WireEvent::TlsFinInBody => Kind::Closed,
            WireEvent::TlsRstBeforeResponse
            | WireEvent::TlsRstInBody
            | WireEvent::TlsRstInChunk
            | WireEvent::TlsRstUntilClose => Kind::Reset,
            WireEvent::TlsTruncation | WireEvent::TlsNotOffered => Kind::Other,
            _ => Kind::Handshake,
        };
    }
    match event {
        WireEvent::ConnectRefused
        | WireEvent::ConnectUnanswered
        | WireEvent::ConnectUnansweredToTheEnd
        | WireEvent::HostUnreachable
        | WireEvent::NetUnreachable
        | WireEvent::AdminProhibited
        | WireEvent::PortUnreachable
        | WireEvent::NameNotFound => Kind::NotOpened,
        WireEvent::ServerSilent
        | WireEvent::GreetingSilent
        | WireEvent::BodyStalled
        | WireEvent::RetransmissionsExhausted
        | WireEvent::KeepAliveUnanswered => Kind::Silent,
        WireEvent::RaceWriteFails => Kind::Reset,
        _ if event.rules().first() == Some(&"malformed-response") => Kind::Malformed,
        _ if has("rst") => Kind::Reset,
        _ if has("fin") => Kind::Closed,
        _ => Kind::Other,
    }
}

/// The sentence; empty where nothing is known.
pub(super) fn meaning(told: &Explanation, causes: usize) -> String {
    if let Some(own) = own_words(told) {
        return own;
    }
    let events = told.stories.iter().take(causes);
    let events: Vec<WireEvent> = events.filter_map(|it| it.events.first().copied()).collect();
    let Some(first) = events.first() else {
        return String::new();
    };
    let mut kinds: Vec<Kind> = events.iter().map(|it| kind(*it)).collect();
    kinds.dedup();
    let only = |allowed: &[Kind]| kinds.iter().all(|it| allowed.contains(it));
    let sentence = if events.len() == 1 {
        return sentence_of(*first);
    } else if only(&[Kind::Reset]) {
        "The program's connection was reset: by the other side, or by a device between the two."
    } else if only(&[Kind::Closed]) {
        "The server closed the connection before the program had the response it was waiting for."
    } else if only(&[Kind::Reset, Kind::Closed]) {
        "The other side closed or reset the connection before the exchange was complete."
    } else if only(&[Kind::NotOpened]) {
        "No connection was opened, so the server's program got no request."
    } else if only(&[Kind::Silent]) {
        "Nothing came back in time, so a timeout ended the wait."
    } else if only(&[Kind::NotOpened, Kind::Silent]) {
        "Nothing came back in time: no connection was opened, or the other side stayed silent on an open one."
    } else if only(&[Kind::ClientLeft]) {
        "The client closed or reset the connection while the server was still busy with its request."
    } else if only(&[Kind::Reset, Kind::Closed, Kind::ClientLeft]) {
        "The program used a connection that the other side had already closed or reset."
    } else if only(&[Kind::Malformed]) {
        "The response arrived, but its bytes are not the HTTP that this program accepts."
    } else if only(&[Kind::Handshake]) {
        "Client and server did not complete the TLS handshake."
    } else {
        return format!("Most often: {}.", first.story());
    };
    sentence.to_owned()
}

/// What the one code in the text means, or what is remarked on the message.
fn own_words(told: &Explanation) -> Option<String> {
    let by = told.stories.first().map(|it| &it.why);
    match (by, &told.codes[..], told.answers.first()) {
        (Some(MatchReason::Code(code)), _, _) => Some(meaning_of_code(code)),
        (None, _, Some(answer)) => Some(capitalised_sentence(
            answer.note.unwrap_or("the program's own state"),
        )),
        (None, [code, ..], None) => Some(meaning_of_code(code)),
        (Some(MatchReason::Message(message)), ..) => message.note.map(capitalised_sentence),
        _ => None,
    }
}

fn meaning_of_code(code: &Code) -> String {
    // A number alone says little.
    match code.code.starts_with(|it: char| it.is_ascii_digit()) {
        true => format!("{} {}: {}.", code.family.title(), code.code, code.meaning),
        false => format!("{}: {}.", code.code, code.meaning),
    }
}

fn capitalised_sentence(text: &str) -> String {
    format!("{}.", capitalised(text.trim_end_matches('.')))
}

/// The story of one event as a sentence.
pub(super) fn sentence_of(event: WireEvent) -> String {
    capitalised_sentence(event.story())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::explain;

    #[test]
    fn one_sentence() {
        for (text, wanted) in [
            (
                "499",
                "HTTP status 499: the client closed before the response (nginx, Traefik).",
            ),
            ("socket hang up", "closed the connection before"),
            ("EPIPE", "EPIPE: "),
            (
                "sorry, too many clients already",
                "max_connections is reached.",
            ),
            (
                "curl: (52) Empty reply from server",
                "curl exit code 52: the server closed without a byte.",
            ),
        ] {
            let said = meaning(&explain(text), 2);
            assert!(
                said.contains(wanted) && said.ends_with('.'),
                "{text}: {said}"
            );
        }
    }
}
