//! Outcomes and findings agree: a connection with an error is not fine, and one whose findings are all benign has not
//! failed. Checked over the ladders of the rules' pages and of `tests/ladders/`, the captures of this repository, and
//! those below `HANGUP_SHARED`, if that is set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hangup::rules::{CATALOGUE, Finding, Severity, ladder_check, ladders};
use hangup::{Analysis, AnalysisOptions, Connection, Records};

/// Rules whose errors are about ports, queues or time: the connections that they name felt nothing of it, came late but
/// whole, or brought the bad news in a complete response.
const ABOUT_HOSTS: [&str; 6] = [
    "accept-queue-overflow",
    "ephemeral-port-pressure",
    "ephemeral-ports-exhausted",
    "nat-ports-exhausted",
    "server-time-limit",
    "time-wait-reuse-refused",
];

/// Where findings and outcome contradict each other.
fn contradictions<'a>(
    connections: impl Iterator<Item = &'a Connection>,
    findings: &[Finding],
) -> Vec<String> {
    let mut named: BTreeMap<u32, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        for id in &finding.connections {
            named.entry(*id).or_default().push(finding);
        }
    }
    let mut found = Vec::new();
    for connection in connections {
        let named = named.remove(&connection.id).unwrap_or_default();
        let worst = named.iter().map(|it| it.severity).max();
        let error = named
            .iter()
            .find(|it| it.severity == Severity::Error && !ABOUT_HOSTS.contains(&it.rule));
        let outcome = connection.outcome;
        let rule = match (error, worst) {
            (Some(error), _) if outcome.is_fine() => error.rule,
            (_, Some(Severity::Benign)) if outcome.is_failed() => named[0].rule,
            _ => continue,
        };
        found.push(format!("#{} {rule}: {outcome}", connection.id));
    }
    found
}

/// Captures, and the outcomes of their connections with the number of each.
const OUTCOMES: [(&str, &[(&str, u64)]); 16] = [
    ("field/r10-redis-idle-timeout", &[("failed no-response", 1)]),
    (
        "field/r11-redis-azure-idle-rst",
        &[("failed no-response", 1)],
    ),
    ("field/r13-pg-crash-in-query", &[("failed no-response", 1)]),
    (
        "field/r20-mqtt-duplicate-id",
        &[("failed session-cut", 7), ("unknown still-open", 1)],
    ),
    ("field/r27-tls-lb-probe@server", &[("fine unused", 6)]),
    (
        "field/r43-nginx-refused-502-any",
        &[("failed gateway-error", 1), ("failed refused", 1)],
    ),
    ("field/s18-alb-502@client", &[("failed gateway-error", 1)]),
    (
        "field/right-today/r06-ws-1006-nginx-any",
        &[("failed websocket-abnormal", 2)],
    ),
    (
        "field/right-today/r26-tls-unexpected-eof",
        &[("unknown encrypted", 2)],
    ),
    (
        "field/right-today/r01-node-server-timeout@server",
        &[("fine complete", 3)],
    ),
    (
        "claims/accept-queue-full-opaque",
        &[("failed bytes-lost", 1)],
    ),
    (
        "claims/forgotten-after-908s-opaque",
        &[("failed bytes-lost", 1)],
    ),
    (
        "claims/capture-begins-with-last-fin",
        &[("unknown began-before", 1), ("unknown still-open", 1)],
    ),
    ("lab/normal-syn-rst-portscan", &[("fine cancelled", 3)]),
    ("lab/benign-loss10--curl", &[("fine complete", 1)]),
    ("lab/websocket-rst", &[("failed websocket-abnormal", 1)]),
];

#[test]
fn shared_captures_come_out_as_they_went() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing was checked");
        return;
    };
    let mut wrong = Vec::new();
    for (name, wanted) in OUTCOMES {
        let path = Path::new(&shared).join(format!("captures/{name}.pcap"));
        let analysis = Analysis::of_files([path]).expect("a capture");
        let mut got: BTreeMap<String, u64> = BTreeMap::new();
        for summary in analysis.summaries() {
            let outcome = summary.outcome;
            *got.entry(format!("{} {}", outcome.name(), outcome.reason()))
                .or_default() += 1;
        }
        let wanted: BTreeMap<String, u64> = wanted
            .iter()
            .map(|(outcome, count)| ((*outcome).to_owned(), *count))
            .collect();
        if got != wanted {
            wrong.push(format!("{name}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if name.contains(".pcap") || name.contains(".cap") || name.contains(".dmp") {
            found.push(path);
        }
    }
}

fn check(folder: &Path) {
    let mut all = Vec::new();
    files(folder, &mut all);
    all.sort();
    let mut options = AnalysisOptions::default();
    options.records = Records::All;
    let mut wrong = Vec::new();
    for path in all {
        // Some are no captures.
        let Ok(analysis) = Analysis::with_options([&path], &options) else {
            continue;
        };
        let connections = analysis.connections().iter().map(AsRef::as_ref);
        for it in contradictions(connections, analysis.findings()) {
            wrong.push(format!("{}: {it}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{:#?}", wrong);
}

#[test]
fn in_ladders_findings_and_outcomes_agree() {
    let mut texts: Vec<(String, String)> = Vec::new();
    for rule in CATALOGUE.iter() {
        let of_page = ladders(&rule.page()).into_iter();
        texts.extend(of_page.map(|(line, text)| (format!("{} {line}", rule.name), text)));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ladders");
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let markdown = std::fs::read_to_string(&path).expect("a story is text");
        let of_story = ladders(&markdown).into_iter();
        texts.extend(of_story.map(|(line, text)| (format!("{}:{line}", path.display()), text)));
    }
    let mut wrong = Vec::new();
    for (place, text) in texts {
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        for it in contradictions(proof.connections.iter(), &proof.findings) {
            wrong.push(format!("{place}: {it}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn in_captures_findings_and_outcomes_agree() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"));
}

#[test]
fn in_shared_captures_findings_and_outcomes_agree() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing was checked");
        return;
    };
    check(&Path::new(&shared).join("captures"));
}
