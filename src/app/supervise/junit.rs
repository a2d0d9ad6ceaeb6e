//! The end of the command and the findings as JUnit XML, for what shows the results of tests.
//!
//! One suite: a case for the command, and one for each finding. A finding that is bad enough is a failure; the others
//! passed, with their text as output.

use std::ffi::OsString;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::command_end::CommandEnd;
use crate::report::snapshot::Snapshot;
use crate::rules::{Finding, Severity};

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
    let cases = snapshot.findings.iter().map(|it| of_finding(it, bar));
    suite.add_test_cases(cases);
    let mut report = Report::new("hangup run");
    if let Some(end) = end {
        report.set_time(end.took);
        suite.set_time(end.took);
    }
    report.add_test_suite(suite);
    report.to_string()
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

fn of_finding(finding: &Finding, bar: Severity) -> TestCase {
    let mut name = finding.rule.to_owned();
    if let Some((client, server)) = finding.client.zip(finding.server) {
        name += &format!(" {client} → {server}");
    }
    let text = text(finding);
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
fn text(finding: &Finding) -> String {
    let mut text = format!("{}\n{}\n", finding.headline(), finding.message);
    for evidence in &finding.evidence {
        text += &format!("frame {}: {}\n", evidence.frame_ref.frame.0, evidence.note);
    }
    for remedy in &finding.remedies {
        text += &format!("- {remedy}\n");
    }
    text
}
