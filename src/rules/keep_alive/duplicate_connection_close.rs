//! One message carries `Connection: close` more than once.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{ConnectionOptions, Exchange, Message};
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::{Evidence, Severity};

rule! {
    /// # What happened
    ///
    /// A message carries `close` among its `Connection` options more than once: on two field lines, or twice on one line.
    /// The lines agree, so the message itself is valid. Repeated lines are one list (RFC 9110 §5.3), and `close` in it means
    /// that the connection ends after this exchange (RFC 9112 §9.6).
    ///
    /// # Why it matters
    ///
    /// Two parts of the sender add the same field, usually the application and the server or proxy in front of it. Neither
    /// knows of the other, so a person who looks for the cause finds and removes only one of them. Meanwhile no connection
    /// is used twice. Each exchange costs a handshake, and the side that closes first holds a TIME-WAIT for each. With
    /// thousands of calls a client runs out of ports ("Only one usage of each socket address", 10048; `EADDRNOTAVAIL`).
    ///
    /// # Remedy
    ///
    /// - Find both places that add the field and remove both, so that connections carry many requests. Often keep-alive is
    ///   switched off and a custom header `Connection: close` is set too (nginx `keepalive_timeout 0` with `add_header`;
    ///   IIS HTTP keep-alives with a custom header).
    /// - Or, if each connection is meant to serve one request, remove one of the two.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [connection=close connection=close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => teardown server fin after
    /// ```
    ///
    /// # Not this
    ///
    /// Said once by each side, as it should be:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// `close` beside `keep-alive` is a contradiction:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [connection=close connection="keep-alive, close"]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings contradictory-connection-options
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §5.3 (repeated field lines), §7.6.1 (`Connection`); RFC 9112 §9.6 (tear-down).
    pub(super) RULE: "duplicate-connection-close", Severity::Note,
    "a message says `Connection: close` more than once", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let mut first = None;
    let mut count = 0u64;
    for exchange in &connection.exchanges {
        if let Some(who) = repeats(exchange) {
            count += 1;
            first.get_or_insert((who, exchange));
        }
    }
    match first {
        None => Verdict::Clear,
        Some((who, exchange)) => Verdict::Found(Box::new(story(connection, who, exchange, count))),
    }
}

/// Which message of an exchange carries it twice; the response if both do, since the server's option ends the
/// connection.
fn repeats(exchange: &Exchange) -> Option<Who> {
    let says = |message: Option<&Message>| {
        message.is_some_and(|message| {
            let ConnectionOptions {
                close, keep_alive, ..
            } = message.connection;
            close > 1 && keep_alive == 0
        })
    };
    if says(exchange.response.as_ref().map(|response| &response.message)) {
        Some(Who::Server)
    } else if says(exchange.request.as_ref().map(|request| &request.message)) {
        Some(Who::Client)
    } else {
        None
    }
}

fn story(connection: &Connection, who: Who, exchange: &Exchange, count: u64) -> Diagnosis {
    let (message, frame_ref) = match who {
        Who::Server => (
            exchange.response.as_ref().map(|it| &it.message),
            exchange.response_head_end(),
        ),
        Who::Client => (
            exchange.request.as_ref().map(|it| &it.message),
            exchange.request_head_end(),
        ),
    };
    let ConnectionOptions { close, lines, .. } =
        message.map_or_else(Default::default, |it| it.connection);
    let times = match close {
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    };
    let place = match lines {
        1 => "on one line".to_owned(),
        lines => format!("on {lines} lines"),
    };
    let (sender, kind) = match who {
        Who::Server => ("server", "response"),
        Who::Client => ("client", "request"),
    };
    let held: Vec<_> = Who::BOTH
        .into_iter()
        .filter(|who| connection.time_wait[*who as usize].is_some())
        .collect();
    let price = match held.as_slice() {
        [Who::Client] => Some("The client holds the TIME-WAIT of this connection."),
        [Who::Server] => Some("The server holds the TIME-WAIT of this connection."),
        _ => None,
    };
    let mut told = Statement::from(sentence!(
        "The {}'s {} says `Connection: close` {}, {}.",
        sender,
        kind,
        times.clone(),
        place.clone()
    ));
    if count > 1 {
        told.say(sentence!(
            "This connection has {}.",
            Value::count(count, "such message", "such messages")
        ));
    }
    told.mean(
        "Both lines say the same, so nothing was lost. But something adds the field a second time.",
    );
    if let Some(price) = price {
        told.mean(price);
    }
    Diagnosis {
        severity: Severity::Note,
        certainty: Certainty::Certain,
        summary: match who {
            Who::Server => sentence!(
                "Server sent `Connection: close` {}[| on # connections]",
                times.clone()
            ),
            Who::Client => sentence!(
                "Client sent `Connection: close` {}[| on # connections]",
                times.clone()
            ),
        },
        message: told,
        // A truncated head has no end: its captured part shows the lines.
        evidence: frame_ref
            .or(message.map(|message| message.last))
            .map(|frame_ref| Evidence {
                frame_ref,
                note: format!("{kind} with `close` {times} among its Connection options, {place}"),
            })
            .into_iter()
            .collect(),
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(response: &str) -> Option<String> {
        let text =
            format!("SYN -->\n<-- SYN\nGET / -->\n<-- {response}\n<-- FIN\nFIN -->\n<-- ACK");
        ladder_check::told_by(&super::RULE, &text)
    }

    #[test]
    fn lists_and_lines_count_alike() {
        let two = message(r#"200 [connection="close, close"]"#).expect("found");
        assert!(two.contains("twice, on one line"), "{two}");
        assert!(two.contains("The server holds the TIME-WAIT"), "{two}");
        let three = message("200 [close connection=Close connection=close]").expect("found");
        assert!(three.contains("3 times, on 3 lines"), "{three}");
    }

    #[test]
    fn a_head_that_breaks_off_has_a_frame_too() {
        let head = r#""HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: close\r\nX""#;
        let text = format!("SYN -->\n<-- SYN\nGET / -->\n<-- {head}\n<-- FIN");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let own = |finding: &&crate::rules::Finding| finding.rule == super::RULE.name;
        let finding = proof.findings.iter().find(own).expect("it is there");
        assert_eq!(finding.evidence.len(), 1);
    }

    #[test]
    fn other_options_are_no_repetition() {
        assert_eq!(
            message(r#"200 [connection="close, x-close" connection=foo]"#),
            None
        );
        assert_eq!(message("200 [close connection=upgrade]"), None);
    }
}
