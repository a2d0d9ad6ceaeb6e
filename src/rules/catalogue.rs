//! All rules, and the texts that come from them.

use std::fmt::Write as _;

use super::rule::Rule;
use super::{
    ambiguous_message_length, auth_broken_by_close, body_overrun, client_gave_up_waiting,
    client_left_mid_response, client_left_mid_upload, client_reset_after_response,
    close_not_announced, close_promise_not_kept, close_wait_leak, closed_before_request,
    closed_before_response, contradictory_connection_options, duplicate_connection_close,
    early_response_reset, ephemeral_port_pressure, expect_continue_stall, fin_unanswered,
    gateway_timeout, half_close, half_close_taken_as_abort, idle_timeout_close,
    keep_alive_promise_broken, keep_alive_race, malformed_request, malformed_response,
    max_requests_close, proxy_refused, reset_after_handshake, reset_after_response,
    reset_before_response, reset_mid_response, response_after_client_left, response_cut_short,
    response_end_unknown, reuse_of_closed_connection, reuse_of_forgotten_connection,
    unsolicited_response,
};

/// All rules, by name.
pub static CATALOGUE: &[&Rule] = &[
    &ambiguous_message_length::RULE,
    &auth_broken_by_close::RULE,
    &body_overrun::RULE,
    &client_gave_up_waiting::RULE,
    &client_left_mid_response::RULE,
    &client_left_mid_upload::RULE,
    &client_reset_after_response::RULE,
    &close_not_announced::RULE,
    &close_promise_not_kept::RULE,
    &close_wait_leak::RULE,
    &closed_before_request::RULE,
    &closed_before_response::RULE,
    &contradictory_connection_options::RULE,
    &duplicate_connection_close::RULE,
    &early_response_reset::RULE,
    &ephemeral_port_pressure::RULE,
    &expect_continue_stall::RULE,
    &fin_unanswered::RULE,
    &gateway_timeout::RULE,
    &half_close::RULE,
    &half_close_taken_as_abort::RULE,
    &idle_timeout_close::RULE,
    &keep_alive_promise_broken::RULE,
    &keep_alive_race::RULE,
    &malformed_request::RULE,
    &malformed_response::RULE,
    &max_requests_close::RULE,
    &proxy_refused::RULE,
    &reset_after_handshake::RULE,
    &reset_after_response::RULE,
    &reset_before_response::RULE,
    &reset_mid_response::RULE,
    &response_after_client_left::RULE,
    &response_cut_short::RULE,
    &response_end_unknown::RULE,
    &reuse_of_closed_connection::RULE,
    &reuse_of_forgotten_connection::RULE,
    &unsolicited_response::RULE,
];

/// The rule with this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    CATALOGUE.iter().copied().find(|rule| rule.name == name)
}

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
    fn the_catalogue_is_sorted_and_its_names_are_kebab_case() {
        let names: Vec<_> = CATALOGUE.iter().map(|rule| rule.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
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
        for rule in CATALOGUE {
            for (section, fires) in [(Section::Example, true), (Section::NotThis, false)] {
                let text = rule.section(section);
                let ladders = super::super::page::ladders(&text);
                assert!(
                    !ladders.is_empty(),
                    "{}: {} has no ladder",
                    rule.name,
                    section.heading()
                );
                for (_, text) in ladders {
                    let ladder = crate::ladder::parse(&text)
                        .unwrap_or_else(|error| panic!("{}: {error}\n{text}", rule.name));
                    let proof = proof::run(&ladder);
                    assert!(
                        proof.mismatches.is_empty(),
                        "{}: {:#?}\n{text}",
                        rule.name,
                        proof.mismatches
                    );
                    let names = proof.rules();
                    if fires {
                        assert_eq!(names, [rule.name], "{text}");
                    } else {
                        assert!(!names.contains(&rule.name), "{}: {text}", rule.name);
                    }
                }
            }
        }
    }
}
