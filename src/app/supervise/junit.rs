//! The end of the command and the findings as JUnit XML, for what shows the results of tests.
//!
//! One suite: a case for the command, one for each finding, and one for each reason for which connections were not judged. A
//! finding that is bad enough is a failure; the others passed, with their text as output. What was not judged is skipped.

use std::collections::BTreeMap;
use std::ffi::OsString;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::command_end::CommandEnd;
use crate::analysis::connection::{ConnectionOutcome, UnknownReason};
use crate::base::format::{count, ranges};
use crate::report::snapshot::Snapshot;
use crate::report::wording::local;
use crate::rules::{Finding, Severity};

/// Ranges of connections that are named.
const RANGES: usize = 16;

/// The document. `bar`: from which severity on a finding is a failure.
pub(super) fn document(
    command: &[OsString],
    end: Option<&CommandEnd>,
    snapshot: &Snapshot,
    bar: Severity,
) -> Result<String, SerializeError> {
    let words = command.iter().map(|it| it.to_string_lossy());
    let words = words.collect::<Vec<_>>().join(" ");
    let mut suite = TestSuite::new("hangup");
    suite.add_test_case(of_command(&words, end));
    let cases = snapshot.findings.iter();
    suite.add_test_cases(cases.map(|it| of_finding(it, snapshot, bar)));
    suite.add_test_cases(not_judged(snapshot));
    let mut report = Report::new("hangup run");
    if let Some(end) = end {
        report.set_time(end.took);
        suite.set_time(end.took);
    }
    report.add_test_suite(suite);
    report.to_string().map(as_in_schema)
}

/// Without the number of skipped cases on the outermost element: the schema that Jenkins publishes (`junit-10.xsd`) has it on
/// suites only.
fn as_in_schema(document: String) -> String {
    let end = |text: &str| text.find('>').unwrap_or(text.len());
    let Some((before, rest)) = document.split_once("<testsuites") else {
        return document;
    };
    let (outermost, inside) = rest.split_at(end(rest));
    let words = outermost.split_inclusive(' ');
    let kept: String = words.filter(|it| !it.starts_with("skipped=")).collect();
    format!("{before}<testsuites{kept}{inside}")
}

fn of_command(words: &str, end: Option<&CommandEnd>) -> TestCase {
    let failed = |kind, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message);
        status
    };
    let status = match end {
        None => failed(
            NonSuccessKind::Error,
            "the end of the command is not known".to_owned(),
        ),
        Some(end) if end.failed() => failed(
            NonSuccessKind::Failure,
            format!("the command {}", end.words()),
        ),
        Some(_) => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(words, status);
    case.set_classname("hangup.command");
    if let Some(end) = end {
        case.set_time(end.took);
    }
    case
}

/// A skipped case for each reason for which connections were not judged. One that is open, with nothing outstanding, is as it
/// should be.
fn not_judged(snapshot: &Snapshot) -> Vec<TestCase> {
    let mut all: BTreeMap<&str, (UnknownReason, Vec<u32>)> = BTreeMap::new();
    for summary in &snapshot.summaries {
        if let ConnectionOutcome::Unknown(reason) = summary.outcome
            && reason != UnknownReason::StillOpen
        {
            let name = summary.outcome.reason();
            let (_, ids) = all.entry(name).or_insert((reason, Vec::new()));
            ids.push(summary.id);
        }
    }
    let cases = all.into_iter().map(|(name, (reason, ids))| {
        let connections = ids.len() as u64;
        let message = format!(
            "{} {}: {}",
            count(connections, "connection", "connections"),
            reason.phrase_of(connections),
            ranges(&ids, RANGES, 0)
        );
        let mut status = TestCaseStatus::skipped();
        status.set_message(message);
        let mut case = TestCase::new(name, status);
        case.set_classname("hangup.not-judged");
        case
    });
    let silence = (snapshot.summaries.is_empty() && snapshot.summary.let_go == 0).then(|| {
        let mut status = TestCaseStatus::skipped();
        status.set_message("no connection was captured");
        let mut case = TestCase::new("connections", status);
        case.set_classname("hangup.not-judged");
        case
    });
    cases.chain(silence).collect()
}

fn of_finding(finding: &Finding, snapshot: &Snapshot, bar: Severity) -> TestCase {
    let mut name = finding.rule.to_owned();
    if let Some((client, server)) = finding.client.zip(finding.server) {
        name += &format!(" {client} → {server}");
    }
    let text = text(finding, snapshot);
    let is_failure = finding.severity >= bar;
    let mut status = TestCaseStatus::success();
    if is_failure {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_message(finding.headline())
            .set_type(finding.severity.name())
            .set_description(text.as_str());
    }
    let mut case = TestCase::new(name, status);
    case.set_classname("hangup.finding");
    if !is_failure {
        case.set_system_out(text);
    }
    case
}

/// What happened, the frames that prove it, and what to change.
fn text(finding: &Finding, snapshot: &Snapshot) -> String {
    let mut text = format!("{}\n{}\n", finding.headline(), finding.message);
    for evidence in &finding.evidence {
        text += &format!("frame {}: {}\n", evidence.frame_ref.frame.0, evidence.note);
    }
    let shown = finding.example().into_iter();
    for (who, reset) in shown.flat_map(|id| local::resets(snapshot, id)) {
        let reason = local::reset(reset, finding.proxy.name_of(who));
        text += &format!("frame {}: {reason}\n", reset.frame.frame.0);
    }
    for remedy in &finding.remedies {
        text += &format!("- {remedy}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;
    use crate::report::snapshot::sample::{connection, snapshot};

    #[test]
    fn what_was_not_judged_is_skipped() {
        let mut hidden = connection();
        hidden.outcome = ConnectionOutcome::Unknown(UnknownReason::LostPackets);
        let end = CommandEnd::of(ExitStatus::default(), Duration::from_secs(1));
        for (connections, skipped, said) in [
            (
                vec![hidden.clone(), connection(), hidden],
                1,
                "<skipped message=\"2 connections lack packets in the capture: #1, #3\"/>",
            ),
            (
                vec![],
                1,
                "<skipped message=\"no connection was captured\"/>",
            ),
            (vec![connection()], 0, "skipped=\"0\""),
        ] {
            let all = snapshot(connections);
            let xml = document(&[], Some(&end), &all, Severity::Error).expect("XML");
            assert!(xml.contains(said), "{xml}");
            let count = format!(
                "<testsuite name=\"hangup\" tests=\"{}\" skipped=\"{skipped}\"",
                skipped + 1
            );
            assert!(xml.contains(&count), "{xml}");
            let outermost = xml.lines().find(|it| it.starts_with("<testsuites"));
            assert!(outermost.is_some_and(|it| !it.contains("skipped")), "{xml}");
        }
    }
}
