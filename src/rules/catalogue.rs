//! All rules, and the texts that come from them.

use std::fmt::Write as _;

use super::rule::Rule;
use super::{
    accept_queue_overflow, ambiguous_message_length, answer_from_elsewhere, auth_broken_by_close,
    body_overrun, capture_cut_short, capture_duplicated, capture_lost_packets, capture_one_sided,
    client_gave_up_waiting, client_left_mid_response, client_left_mid_upload,
    client_reset_after_response, client_reset_handshake, close_not_announced,
    close_promise_not_kept, close_wait_leak, closed_before_request, closed_before_response,
    connect_unanswered, connection_limit_queueing, connection_per_request, connection_refused,
    connection_unreachable, contradictory_connection_options, duplicate_connection_close,
    early_response_reset, early_tuple_reuse, ephemeral_port_pressure, ephemeral_ports_exhausted,
    expect_continue_stall, fin_unanswered, gateway_timeout, h2_close_without_goaway, h2_goaway,
    h2_preface_mismatch, h2_reset_burst, h2_reset_stream, half_close, half_close_taken_as_abort,
    happy_eyeballs_loser, health_probe, idle_state_lost, idle_timeout_close,
    keep_alive_promise_broken, keep_alive_race, keep_alive_race_risk, keep_alive_refused,
    keepalive_probes_unanswered, malformed_request, malformed_response, max_requests_close,
    name_resolution_failed, nat_invalid_reset, nat_ports_exhausted, path_mtu_blackhole,
    periodic_abandoned_request, preconnect_unused, proxy_refused, request_retried,
    reset_after_handshake, reset_after_response, reset_before_response, reset_injected,
    reset_mid_response, reset_on_name, response_after_client_left, response_cut_short,
    response_end_unknown, retransmissions_exhausted, reuse_of_closed_connection,
    reuse_of_forgotten_connection, server_time_limit, simultaneous_close, syn_challenged,
    tcp_flags_anomaly, time_wait_on_client, time_wait_on_server, time_wait_reuse_refused,
    time_wait_reused, tls_alert, tls_certificate_expired, tls_certificate_rejected,
    tls_client_certificate_missing, tls_handshake_cut, tls_name_mismatch, tls_no_close_notify,
    tls_no_common_version, tls_plaintext_mismatch, tls_reset_after_close_notify,
    unsolicited_response, websocket_abnormal_close, websocket_closed_with_error,
};

/// All rules, by name.
pub static CATALOGUE: &[&Rule] = &[
    &accept_queue_overflow::RULE,
    &ambiguous_message_length::RULE,
    &answer_from_elsewhere::RULE,
    &auth_broken_by_close::RULE,
    &body_overrun::RULE,
    &capture_cut_short::RULE,
    &capture_duplicated::RULE,
    &capture_lost_packets::RULE,
    &capture_one_sided::RULE,
    &client_gave_up_waiting::RULE,
    &client_left_mid_response::RULE,
    &client_left_mid_upload::RULE,
    &client_reset_after_response::RULE,
    &client_reset_handshake::RULE,
    &close_not_announced::RULE,
    &close_promise_not_kept::RULE,
    &close_wait_leak::RULE,
    &closed_before_request::RULE,
    &closed_before_response::RULE,
    &connect_unanswered::RULE,
    &connection_limit_queueing::RULE,
    &connection_per_request::RULE,
    &connection_refused::RULE,
    &connection_unreachable::RULE,
    &contradictory_connection_options::RULE,
    &duplicate_connection_close::RULE,
    &early_response_reset::RULE,
    &early_tuple_reuse::RULE,
    &ephemeral_port_pressure::RULE,
    &ephemeral_ports_exhausted::RULE,
    &expect_continue_stall::RULE,
    &fin_unanswered::RULE,
    &gateway_timeout::RULE,
    &h2_close_without_goaway::RULE,
    &h2_goaway::RULE,
    &h2_preface_mismatch::RULE,
    &h2_reset_burst::RULE,
    &h2_reset_stream::RULE,
    &half_close::RULE,
    &half_close_taken_as_abort::RULE,
    &happy_eyeballs_loser::RULE,
    &health_probe::RULE,
    &idle_state_lost::RULE,
    &idle_timeout_close::RULE,
    &keep_alive_promise_broken::RULE,
    &keep_alive_race::RULE,
    &keep_alive_race_risk::RULE,
    &keep_alive_refused::RULE,
    &keepalive_probes_unanswered::RULE,
    &malformed_request::RULE,
    &malformed_response::RULE,
    &max_requests_close::RULE,
    &name_resolution_failed::RULE,
    &nat_invalid_reset::RULE,
    &nat_ports_exhausted::RULE,
    &path_mtu_blackhole::RULE,
    &periodic_abandoned_request::RULE,
    &preconnect_unused::RULE,
    &proxy_refused::RULE,
    &request_retried::RULE,
    &reset_after_handshake::RULE,
    &reset_after_response::RULE,
    &reset_before_response::RULE,
    &reset_injected::RULE,
    &reset_mid_response::RULE,
    &reset_on_name::RULE,
    &response_after_client_left::RULE,
    &response_cut_short::RULE,
    &response_end_unknown::RULE,
    &retransmissions_exhausted::RULE,
    &reuse_of_closed_connection::RULE,
    &reuse_of_forgotten_connection::RULE,
    &server_time_limit::RULE,
    &simultaneous_close::RULE,
    &syn_challenged::RULE,
    &tcp_flags_anomaly::RULE,
    &time_wait_on_client::RULE,
    &time_wait_on_server::RULE,
    &time_wait_reuse_refused::RULE,
    &time_wait_reused::RULE,
    &tls_alert::RULE,
    &tls_certificate_expired::RULE,
    &tls_certificate_rejected::RULE,
    &tls_client_certificate_missing::RULE,
    &tls_handshake_cut::RULE,
    &tls_name_mismatch::RULE,
    &tls_no_close_notify::RULE,
    &tls_no_common_version::RULE,
    &tls_plaintext_mismatch::RULE,
    &tls_reset_after_close_notify::RULE,
    &unsolicited_response::RULE,
    &websocket_abnormal_close::RULE,
    &websocket_closed_with_error::RULE,
];

/// The rule with this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    CATALOGUE.iter().copied().find(|rule| rule.name == name)
}

/// The rule that was probably meant by a name with slips in it: `keepalive race`, `reset_before_respose`.
#[must_use]
pub fn alike(name: &str) -> Option<&'static str> {
    let letters = |name: &str| -> String {
        let letters = name.chars().filter(|it| it.is_ascii_alphanumeric());
        letters.map(|it| it.to_ascii_lowercase()).collect()
    };
    let wanted = letters(name);
    if wanted.len() > SLIPPED {
        return None;
    }
    let near = CATALOGUE.iter().map(|rule| {
        let distance = strsim::osa_distance(&wanted, &letters(rule.name));
        (distance, rule.name)
    });
    let (distance, rule) = near.min()?;
    (distance * 4 <= wanted.len()).then_some(rule)
}

/// No rule's name is as long as this.
const SLIPPED: usize = 64;

/// The page of a rule for reading: name, severity, summary, then its sections.
#[must_use]
pub fn explain(name: &str) -> Option<String> {
    let rule = rule(name)?;
    let Rule { name, summary, .. } = rule;
    Some(format!(
        "{name} ({})\n{summary}\n\n{}",
        rule.severity.name(),
        rule.page()
    ))
}

/// The catalogue, a line each: name, severity, summary.
#[must_use]
pub fn catalogue() -> String {
    let width = CATALOGUE.iter().map(|rule| rule.name.len()).max();
    let mut lines = String::new();
    for rule in CATALOGUE {
        let severity = rule.severity.name();
        writeln!(
            lines,
            "{:<width$}  {severity:<8}  {}",
            rule.name,
            rule.summary,
            width = width.unwrap_or(0)
        )
        .expect("a string takes everything");
    }
    lines
}

/// `docs/rules.md`.
#[must_use]
pub fn to_markdown() -> String {
    let mut text = String::from(
        "# Rules\n\n\
         What `hangup` flags. This file is made from the rules themselves; `hangup explain RULE` shows the same.\n\n\
         | rule | at worst | in short |\n|---|---|---|\n",
    );
    let mut pages = String::new();
    for rule in CATALOGUE {
        let Rule { name, summary, .. } = rule;
        let severity = rule.severity.name();
        writeln!(text, "| [`{name}`](#{name}) | {severity} | {summary} |")
            .expect("a string takes everything");
        write!(pages, "\n## {name}\n\n").expect("a string takes everything");
        for line in rule.page().lines() {
            let deeper = if line.starts_with("# ") { "##" } else { "" };
            writeln!(pages, "{deeper}{line}").expect("a string takes everything");
        }
    }
    text + &pages
}

#[cfg(test)]
mod tests {
    use super::super::page::Section;
    use super::*;
    use crate::rules::proof;

    #[test]
    fn slips_in_a_name_are_seen_through() {
        for (typed, rule) in [
            ("keepalive-race", Some("keep-alive-race")),
            ("reset before respose", Some("reset-before-response")),
            ("Half_Close", Some("half-close")),
            ("no-such-rule", None),
            ("", None),
        ] {
            assert_eq!(alike(typed), rule, "{typed}");
        }
    }

    #[test]
    fn the_catalogue_is_sorted_and_its_names_are_kebab_case() {
        let names: Vec<_> = CATALOGUE.iter().map(|rule| rule.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')),
                "{name}"
            );
            assert!(explain(name).is_some_and(|page| page.starts_with(name)));
        }
        assert_eq!(explain("no-such-rule"), None);
    }

    #[test]
    fn every_page_has_its_sections_in_order() {
        for rule in CATALOGUE {
            let page = rule.page();
            let headings: Vec<_> = page
                .lines()
                .filter_map(|line| line.strip_prefix("# "))
                .collect();
            let wanted: Vec<_> = Section::ALL
                .iter()
                .map(|section| section.heading())
                .collect();
            assert_eq!(headings, wanted[..headings.len().max(5)], "{}", rule.name);
            assert!(
                !rule.remedies().is_empty(),
                "{}: the remedy names something to change",
                rule.name
            );
        }
    }

    #[test]
    fn every_example_fires_its_rule_alone_and_not_this_does_not_fire_it() {
        let mut wrong = String::new();
        for rule in CATALOGUE {
            for (section, fires) in [(Section::Example, true), (Section::NotThis, false)] {
                let ladders = super::super::page::ladders(&rule.section(section));
                if ladders.is_empty() {
                    writeln!(wrong, "{}: {} has no ladder", rule.name, section.heading())
                        .expect("a string takes everything");
                }
                for (_, text) in ladders {
                    if let Err(why) = prove(rule.name, &text, fires) {
                        writeln!(wrong, "{}, {}: {why}\n{text}", rule.name, section.heading())
                            .expect("a string takes everything");
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// Whether a ladder fires the rule, alone unless it says what else, or does not fire it.
    fn prove(name: &str, text: &str, fires: bool) -> Result<(), String> {
        let ladder = crate::ladder::parse(text).map_err(|error| error.to_string())?;
        let proof = proof::run(&ladder);
        if !proof.mismatches.is_empty() {
            return Err(format!("{:#?}", proof.mismatches));
        }
        let names = proof.rules();
        let told = ladder.lines.iter().any(|line| {
            matches!(line, crate::ladder::Line::Expect(it)
                if matches!(it.claim, crate::ladder::Claim::Findings(_)))
        });
        let right = match (fires, told) {
            (true, true) => names.contains(&name),
            (true, false) => names == [name],
            (false, _) => !names.contains(&name),
        };
        right.then_some(()).ok_or_else(|| format!("{names:?}"))
    }
}
