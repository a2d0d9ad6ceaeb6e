//! Captures of situations from public reports and of classes of false conclusions: what must be concluded of each, what must
//! not, and what the report must and must not say.
//!
//! The captures are shared between projects; their folder is in `HANGUP_SHARED`. Without it these tests do nothing, and say
//! so on stderr.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::path::PathBuf;
use std::process::Command;

use hangup::{Analysis, Severity};

/// What must hold of one capture.
struct Row {
    /// Files below `captures/`, without `.pcap`, given together.
    files: &'static [&'static str],
    /// Rules with a finding; several names with `|` between them: one of them.
    finds: &'static [&'static str],
    /// Rules without a finding.
    lacks: &'static [&'static str],
    /// The worst severity of all findings: at least the first, at most the second.
    worst: (Severity, Severity),
    /// What the text report contains, after line breaks are taken out.
    says: &'static [&'static str],
    /// What it does not contain.
    never: &'static [&'static str],
}

const ANY: (Severity, Severity) = (Severity::Benign, Severity::Error);
const ERROR: (Severity, Severity) = (Severity::Error, Severity::Error);
const TROUBLE: (Severity, Severity) = (Severity::Warning, Severity::Error);
const CALM: (Severity, Severity) = (Severity::Benign, Severity::Note);

const ROW: Row = Row {
    files: &[],
    finds: &[],
    lacks: &[],
    worst: ANY,
    says: &[],
    never: &[],
};

const NOTHING: &str = "Nothing is wrong";

#[test]
fn the_log_line_is_the_socket_owners() {
    check(&[
        Row {
            files: &["field/r40-haproxy-sh-any"],
            says: &["HAProxy (by its response to its client): termination state “SH--”"],
            never: &["curl: (52)"],
            ..ROW
        },
        Row {
            files: &["field/r40-haproxy-rst-any"],
            says: &["HAProxy (by its response to its client): termination state “SH--”"],
            never: &["curl: (56)"],
            ..ROW
        },
        Row {
            files: &["field/r43-nginx-refused-502-any"],
            says: &["“connect() failed (111: Connection refused) while connecting to upstream”"],
            ..ROW
        },
        Row {
            files: &["field/r05-h2-internal-error-any"],
            says: &["“upstream prematurely closed connection"],
            never: &["curl: (18)"],
            ..ROW
        },
        Row {
            files: &["field/r07-phpfpm-terminate-any"],
            says: &["recv() failed (104: Connection reset by peer)"],
            ..ROW
        },
        // Nobody spoke TLS there: no certificate was rejected.
        Row {
            files: &["field/r27-tls-lb-probe@server"],
            never: &["certificate verify failed", "SSL certificate problem"],
            ..ROW
        },
    ]);
}

#[test]
fn a_byte_of_another_protocol_begins_no_request() {
    check(&[Row {
        files: &["claims/postgres-gssenc-refused"],
        lacks: &["client-left-mid-upload", "closed-before-request"],
        worst: CALM,
        ..ROW
    }]);
}

#[test]
fn what_was_not_captured_is_not_told_as_done() {
    check(&[
        Row {
            files: &["claims/synack-and-request-not-captured"],
            lacks: &["syn-challenged"],
            worst: CALM,
            ..ROW
        },
        Row {
            files: &["claims/capture-begins-with-last-fin"],
            lacks: &["close-wait-leak"],
            worst: CALM,
            ..ROW
        },
        Row {
            files: &["field/s11-lost-fin-blames-client"],
            finds: &["response-cut-short"],
            lacks: &["client-left-mid-response"],
            never: &["1,701"],
            ..ROW
        },
    ]);
}

#[test]
fn the_same_fault_is_found_in_any_protocol() {
    check(&[
        Row {
            files: &["claims/forgotten-after-908s-http"],
            finds: &["reuse-of-forgotten-connection"],
            worst: ERROR,
            says: &["908"],
            ..ROW
        },
        Row {
            files: &["claims/forgotten-after-908s-opaque"],
            finds: &["reuse-of-forgotten-connection"],
            worst: ERROR,
            says: &["908"],
            ..ROW
        },
        Row {
            files: &["claims/accept-queue-full-http"],
            finds: &["accept-queue-overflow"],
            lacks: &["reuse-of-forgotten-connection"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["claims/accept-queue-full-opaque"],
            finds: &["accept-queue-overflow"],
            lacks: &["reuse-of-forgotten-connection"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/r10-redis-idle-timeout"],
            finds: &["idle-timeout-close", "reuse-of-closed-connection"],
            ..ROW
        },
        Row {
            files: &["field/r11-redis-azure-idle-rst"],
            finds: &["reuse-of-forgotten-connection"],
            never: &["it had closed before"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/r13-pg-crash-in-query"],
            worst: TROUBLE,
            never: &[NOTHING],
            ..ROW
        },
        Row {
            files: &["field/r24-ssh-broken-pipe"],
            finds: &["reuse-of-forgotten-connection"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/s13-redis-forgotten-350s-samettl"],
            finds: &["reuse-of-forgotten-connection"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/s03-pg-nlb-350s-rst@client"],
            says: &["412.7 s", "350 s"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/r20-mqtt-duplicate-id"],
            never: &[NOTHING],
            ..ROW
        },
    ]);
}

#[test]
fn a_gateway_that_answers_for_a_lost_server_is_a_finding() {
    check(&[
        Row {
            files: &["field/s18-alb-502@client"],
            finds: &["gateway-error"],
            worst: ERROR,
            says: &["502"],
            never: &[NOTHING],
            ..ROW
        },
        Row {
            files: &["field/r40-haproxy-rst@client"],
            finds: &["gateway-error"],
            worst: ERROR,
            says: &["502"],
            never: &[NOTHING],
            ..ROW
        },
        Row {
            files: &["field/r40-haproxy-rst-any"],
            finds: &["gateway-error"],
            says: &["SH--"],
            never: &["curl: (56)"],
            ..ROW
        },
        Row {
            files: &["field/r40-haproxy-sh-any"],
            finds: &["gateway-error"],
            says: &["SH--"],
            never: &["curl: (52)"],
            ..ROW
        },
        Row {
            files: &["field/r42-nginx-504-any"],
            finds: &["gateway-timeout|gateway-error"],
            says: &["upstream timed out (110: Connection timed out)"],
            never: &["curl: (28)"],
            ..ROW
        },
        Row {
            files: &["field/r43-nginx-refused-502-any"],
            finds: &["gateway-error", "connection-refused"],
            says: &["connect() failed (111: Connection refused) while connecting to upstream"],
            ..ROW
        },
        Row {
            files: &["field/r07-phpfpm-terminate-any"],
            finds: &["gateway-error"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/r07-phpfpm-terminate@fcgi"],
            worst: ERROR,
            says: &["2.64 s"],
            ..ROW
        },
        Row {
            files: &["field/r03-nginx-gunicorn-timeout-any"],
            never: &[NOTHING],
            ..ROW
        },
        Row {
            files: &["field/r05-h2-internal-error-any"],
            says: &["INTERNAL_ERROR"],
            never: &["curl: (18)"],
            worst: ERROR,
            ..ROW
        },
        Row {
            files: &["field/r44-nginx-keepalive-race-any"],
            finds: &["keep-alive-race"],
            lacks: &["request-retried"],
            worst: ERROR,
            ..ROW
        },
    ]);
}

#[test]
fn a_probe_is_no_failed_handshake() {
    check(&[Row {
        files: &["field/r27-tls-lb-probe@server"],
        finds: &["health-probe"],
        lacks: &["tls-handshake-cut"],
        worst: CALM,
        never: &["self-signed"],
        ..ROW
    }]);
}

#[test]
fn a_translation_that_was_left_out_is_no_earlier_close() {
    check(&[
        Row {
            files: &["field/r31-k8s-boom-server@clientpod"],
            finds: &["nat-invalid-reset"],
            never: &["had closed before"],
            ..ROW
        },
        Row {
            files: &["field/s05-k8s-invalid-rst@clientpod"],
            finds: &["nat-invalid-reset"],
            never: &["had closed before"],
            ..ROW
        },
    ]);
}

/// Checks all rows and fails with everything that does not hold.
#[track_caller]
fn check(rows: &[Row]) {
    let Some(folder) = std::env::var_os("HANGUP_SHARED").map(PathBuf::from) else {
        eprintln!("HANGUP_SHARED is not set: nothing was checked");
        return;
    };
    let mut wrong = Vec::new();
    for row in rows {
        let path = |name: &&str| folder.join("captures").join(format!("{name}.pcap"));
        let files: Vec<PathBuf> = row.files.iter().map(path).collect();
        let name = row.files.join(" + ");
        wrong.extend(
            faults(row, &files)
                .into_iter()
                .map(|it| format!("{name}: {it}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn faults(row: &Row, files: &[PathBuf]) -> Vec<String> {
    let mut wrong = Vec::new();
    let analysis = Analysis::of_files(files).unwrap();
    let findings = analysis.findings();
    let found = |rule: &str| findings.iter().any(|it| it.rule == rule);
    for rules in row.finds {
        if !rules.split('|').any(found) {
            wrong.push(format!("no {rules}"));
        }
    }
    for rule in row.lacks.iter().filter(|rule| found(rule)) {
        wrong.push(format!("{rule} is found"));
    }
    let worst = findings.iter().map(|it| it.severity).max();
    let worst = worst.unwrap_or(Severity::Benign);
    if worst < row.worst.0 || worst > row.worst.1 {
        let rules: Vec<_> = findings.iter().map(|it| (it.severity, it.rule)).collect();
        wrong.push(format!("the worst is {worst}: {rules:?}"));
    }
    let page = page(files);
    for text in row.says.iter().filter(|text| !page.contains(**text)) {
        wrong.push(format!("{text:?} is not said"));
    }
    for text in row.never.iter().filter(|text| page.contains(**text)) {
        wrong.push(format!("{text:?} is said"));
    }
    wrong
}

/// The text report in one line.
fn page(files: &[PathBuf]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hangup"))
        .arg("report")
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = String::from_utf8(output.stdout).unwrap();
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A pasted error, the capture that shows its cause, and the connections that fit.
#[test]
fn a_pasted_error_finds_its_connection() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: no captures to search");
        return;
    };
    let folder = PathBuf::from(shared).join("captures");
    for (file, error, says) in [
        (
            "field/r24-ssh-broken-pipe",
            "client_loop: send disconnect: Broken pipe",
            "connection fits",
        ),
        (
            "field/r43-nginx-refused-502-any",
            "502 Bad Gateway",
            "1 of 2 connections fits: #1",
        ),
    ] {
        let capture = folder.join(format!("{file}.pcap"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
        command.arg("report").arg(capture).args(["--error", error]);
        let output = command.output().unwrap();
        let page = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(page.contains(says), "{file}, {error}:\n{page}");
    }
}
