//! A leg that a proxy lost and recovered from: the next server answered, and the proxy's client had its response.
//!
//! In: what a rule found on the lost leg, and the table of legs. Out: the same as a note.

use super::connecting::{
    connect_unanswered, connection_refused, connection_unreachable, reset_after_handshake,
};
use super::facts::RuleInput;
use super::keep_alive::{
    keep_alive_race, reuse_of_closed_connection, reuse_of_forgotten_connection,
};
use super::request::closed_before_request;
use super::rule::Diagnosis;
use super::statement::{Sentence, sentence};
use super::waiting::{
    client_gave_up_waiting, closed_before_response, reset_before_response, server_error_status,
};
use crate::analysis::hosts::SLACK;
use crate::protocol::http::Exchange;
use crate::rules::Severity;

/// Whether a leg was lost from which the proxy recovered: another one that it made for the same request got the response, and
/// its client had it. Nothing is lost then.
pub(super) fn temper(
    rule: &str,
    story: &mut Diagnosis,
    connections: &[u32],
    facts: &RuleInput<'_>,
) {
    // An error status is a note in any case, and its connection may have lost nothing.
    let is_status = rule == server_error_status::RULE.name;
    if !is_status && (story.severity <= Severity::Note || !is_recoverable(rule)) {
        return;
    }
    let all = connections.iter().map(|id| recovered(*id, facts));
    let all: Option<Vec<Sentence>> = all.collect();
    if let Some(first) = all.and_then(|it| it.into_iter().next()) {
        story.severity = Severity::Note;
        story.message.say(first);
        story.message.leave_out_retry();
        story
            .message
            .mean("The proxy has already retried the request with success: no retry is needed.");
    }
}

/// Whether a proxy that meets this may ask another server, because none of the response had come.
fn is_recoverable(rule: &str) -> bool {
    [
        closed_before_response::RULE.name,
        reset_before_response::RULE.name,
        client_gave_up_waiting::RULE.name,
        closed_before_request::RULE.name,
        reset_after_handshake::RULE.name,
        connection_refused::RULE.name,
        connection_unreachable::RULE.name,
        connect_unanswered::RULE.name,
        keep_alive_race::RULE.name,
        reuse_of_closed_connection::RULE.name,
        reuse_of_forgotten_connection::RULE.name,
    ]
    .contains(&rule)
}

/// What the proxy did after this leg of it was lost.
fn recovered(id: u32, facts: &RuleInput<'_>) -> Option<Sentence> {
    let lost = facts.record(id)?;
    let leg = facts.legs.before_all(id).last()?;
    let client = facts.record(leg.client.connection)?;
    let served = leg.client.on(client)?;
    let status = served.status().filter(|it| *it < 500)?;
    let complete = |it: &Exchange| it.is_complete() && it.status() == Some(status);
    let mut others = facts.legs.behind(leg.client).iter();
    let next = others.find_map(|other| {
        let made = facts
            .record(other.upstream.connection)
            .filter(|it| it.id != id)?;
        let exchange = other.upstream.on(made).filter(|it| complete(it))?;
        let begun = exchange.request.as_ref()?.message.first.time;
        (begun.after(SLACK) >= lost.teardown.at).then_some(made)
    });
    let next = next.filter(|_| complete(served))?;
    Some(sentence!(
        "The client did not notice: the proxy then asked {} (#{}) and returned {} (#{}).",
        next.server.to_string(),
        next.id,
        status.to_string(),
        client.id
    ))
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    const ASKS: &str =
        "client 10.0.0.1:40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\nGET /a -->\n";

    #[test]
    fn a_leg_from_which_the_proxy_recovered_is_no_error() {
        let told = |status: &str| {
            let text = format!(
                "{ASKS}client 10.0.0.2:50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- ACK\n<-- RST\n\
                 client 10.0.0.2:50001 server 10.0.0.4:8080\nSYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- {status} \"x\"\nACK -->\n\
                 client 10.0.0.1:40000 server 10.0.0.2:80\n<-- {status} \"x\"\nACK -->"
            );
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let mut own = findings
                .into_iter()
                .filter(|it| it.rule == "reset-before-response");
            own.next().map(|it| (it.severity, it.message.to_string()))
        };
        let (severity, message) = told("200").expect("found");
        assert_eq!(severity, Severity::Note, "{message}");
        assert!(
            message.contains("10.0.0.4:8080 (#3)") && message.contains("returned 200"),
            "{message}"
        );
        let (severity, message) = told("500").expect("found");
        assert_eq!(severity, Severity::Error, "{message}");
    }
}
