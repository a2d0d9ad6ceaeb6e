//! Real captures, compared with facts known from other sources: from the captured programs, and from the people who
//! recorded them.

mod reading;

use std::path::{Path, PathBuf};

use hangup::analysis::connection::{By, Connection, How, Opening, ResetKind};
use hangup::ladder::RecordedFact as _;
use hangup::packet::capture::{OpenOptions, open};
use hangup::rules::Severity;
use reading::Reading;

fn analyse(path: &Path, range: Option<(u16, u16)>) -> Reading {
    let source = open(&[path], &OpenOptions::default()).expect("a capture");
    let reading = reading::analyse_told(source, 1, range);
    reading.check();
    reading
}

/// `by how reset phase`, in the words that reports use.
fn told(connection: &Connection) -> [String; 4] {
    let teardown = &connection.teardown;
    let by = match teardown.by {
        By::Nobody => "null",
        by => by.word(),
    };
    let (how, reset) = match teardown.how {
        How::Fin => ("fin", "-"),
        How::Reset(kind) => ("reset", kind.word()),
        How::Silence => ("silence", "-"),
        How::Open => ("open", "-"),
    };
    [by, how, reset, teardown.phase.word()].map(str::to_owned)
}

/// A row of the table `captures/expected.tsv`.
struct Row<'a> {
    file: &'a str,
    connection: &'a str,
    client: &'a str,
    teardown: [&'a str; 4],
    opening: &'a str,
    rule: &'a str,
    options: &'a str,
}

impl<'a> Row<'a> {
    fn new(line: &'a str) -> Self {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            file,
            connection,
            client,
            by,
            how,
            reset,
            phase,
            opening,
            rule,
            options,
        ] = cells[..]
        else {
            panic!("ten columns: {line:?}")
        };
        Self {
            file,
            connection,
            client,
            teardown: [by, how, reset, phase],
            opening,
            rule,
            options,
        }
    }

    fn range(&self) -> Option<(u16, u16)> {
        let range = match self.options {
            "-" => return None,
            options => options.strip_prefix("--ephemeral-ports ")?,
        };
        let (low, high) = range.split_once('-')?;
        Some((low.parse().ok()?, high.parse().ok()?))
    }
}

#[test]
#[cfg_attr(not(feature = "decrypt"), ignore = "some have certificates")]
fn every_capture_tells_what_its_recorder_expects() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    let table = std::fs::read_to_string(folder.join("expected.tsv")).expect("a table");
    let rows: Vec<Row<'_>> = table.lines().skip(1).map(Row::new).collect();
    let mut misses = Vec::new();
    for row in &rows {
        assert!(
            row.options == "-" || row.range().is_some(),
            "{}",
            row.options
        );
        let reading = analyse(&folder.join(row.file), row.range());
        let connections = &reading.snapshot.connections;
        let meant: Vec<&Connection> = match row.connection {
            "all" => connections.iter().map(|it| &**it).collect(),
            number => {
                let number: usize = number.parse().expect("a number");
                connections
                    .get(number - 1)
                    .map(|it| &**it)
                    .into_iter()
                    .collect()
            }
        };
        if meant.is_empty() {
            misses.push(format!(
                "{} {}: no such connection",
                row.file, row.connection
            ));
        }
        for connection in meant {
            let name = format!("{} {}", row.file, connection.id);
            let got = told(connection);
            if got != row.teardown {
                misses.push(format!("{name}: wanted {:?}, got {got:?}", row.teardown));
            }
            if connection.opening.word() != row.opening {
                let got = connection.opening.word();
                misses.push(format!("{name}: wanted {}, got {got}", row.opening));
            }
            let client = connection.client.to_string();
            let host = row.client.strip_suffix('*').expect("any port");
            if !client.starts_with(host) {
                misses.push(format!("{name}: wanted {}, got {client}", row.client));
            }
        }
        let found: Vec<_> = reading
            .snapshot
            .findings
            .iter()
            .filter(|finding| {
                row.connection == "all" || {
                    let number = row.connection.parse().expect("a number");
                    finding.connections.contains(&number)
                }
            })
            .collect();
        if row.rule == "-" {
            for finding in found.iter().filter(|it| it.severity > Severity::Note) {
                misses.push(format!(
                    "{} {}: wanted no finding, got {}",
                    row.file, row.connection, finding.rule
                ));
            }
        } else if !found.iter().any(|finding| finding.rule == row.rule) {
            let got: Vec<_> = found.iter().map(|finding| finding.rule).collect();
            misses.push(format!("{}: wanted {}, got {got:?}", row.file, row.rule));
        }
    }
    let told: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.file).collect();
    for entry in std::fs::read_dir(&folder).expect("captures") {
        let name = entry.expect("a name").file_name();
        let name = name.to_string_lossy();
        if name.contains(".pcap") && !told.contains(&*name) {
            misses.push(format!("{name}: no row says what it must tell"));
        }
    }
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

/// What two programs did on one connection, known from the results of their system calls: the capture, the connection
/// number, who may have closed it, how, and in which phase. `*` matches anything.
type Known = (
    &'static str,
    usize,
    &'static [&'static str],
    &'static str,
    &'static [&'static str],
);

const BASICS: &[Known] = &[
    ("clean", 1, &["server"], "fin -", &["after"]),
    ("karace", 1, &["server"], "fin -", &["between"]),
    ("post413", 1, &["server"], "reset abort", &["request"]),
    ("linger", 1, &["server"], "reset abort", &["response-body"]),
    ("cabort", 1, &["client"], "reset abort", &["response-body"]),
    ("cfin_late", 1, &["client"], "fin -", &["waiting"]),
    ("half", 1, &["client"], "fin -", &["waiting"]),
    ("refused", 1, &["server"], "reset refusal", &["connecting"]),
    ("emptyreply", 1, &["server"], "fin -", &["waiting"]),
    ("acceptclose", 1, &["server"], "fin -", &["before-request"]),
    ("trunccl", 1, &["server"], "fin -", &["response-body"]),
    ("truncchunk", 1, &["server"], "fin -", &["response-body"]),
    ("dupclose", 1, &["server"], "fin -", &["after"]),
    ("closewait", 1, &["client"], "fin -", &["after", "between"]),
    ("reuse", 1, &["client"], "fin -", &["*"]),
    ("reuse", 2, &["client"], "fin -", &["*"]),
    ("probe", 1, &["client"], "reset abort", &["before-request"]),
    ("tlsplain", 1, &["server"], "*", &["*"]),
    ("kill", 1, &["server"], "reset abort", &["waiting"]),
    ("unread", 1, &["server"], "reset abort", &["after"]),
    ("halfopen_data", 1, &["client"], "reset no-socket", &["*"]),
    ("portexh", 1, &["client"], "fin -", &["*"]),
    ("portexh", 2, &["client"], "fin -", &["*"]),
    ("portexh", 3, &["client"], "fin -", &["*"]),
    ("portexh", 4, &["client"], "fin -", &["*"]),
    ("browser_rst", 1, &["server"], "fin -", &["after"]),
    ("twreuse_ts", 1, &["server"], "fin -", &["*"]),
    ("twreuse_ts", 2, &["server"], "fin -", &["*"]),
    ("twreuse_nots", 1, &["server"], "fin -", &["*"]),
    ("twreuse_nots", 2, &["server"], "fin -", &["*"]),
    // The close may be reported slightly earlier: the FINs may have crossed.
    (
        "simclose",
        1,
        &["client", "both"],
        "fin -",
        &["before-request"],
    ),
    ("finwait2_data", 1, &["client"], "fin -", &["*"]),
    ("100cont", 1, &["server"], "fin -", &["after"]),
];

/// The folder of captures outside the repository; `None` if `HANGUP_SHARED` is not set.
fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("HANGUP_SHARED").map(PathBuf::from);
    if shared.is_none() {
        eprintln!("HANGUP_SHARED is not set: its captures are not read");
    }
    shared
}

#[test]
fn the_basics_tell_what_the_programs_saw() {
    let Some(shared) = shared() else { return };
    let mut misses = Vec::new();
    for (name, number, by, how, phase) in BASICS {
        let path = shared.join(format!("captures/basics/{name}.pcap"));
        let reading = analyse(&path, None);
        let Some(connection) = reading.snapshot.connections.get(number - 1) else {
            misses.push(format!("{name}: no connection {number}"));
            continue;
        };
        let [got_by, got_how, got_reset, got_phase] = told(connection);
        let any = |wanted: &[&str], got: &str| wanted.contains(&"*") || wanted.contains(&got);
        let got_how = format!("{got_how} {got_reset}");
        if !any(by, &got_by) || !any(&[how], &got_how) || !any(phase, &got_phase) {
            misses.push(format!(
                "{name} {number}: wanted {by:?} {how} {phase:?}, got {got_by} {got_how} {got_phase}"
            ));
        }
    }
    let connections = |name: &str| {
        let path = shared.join(format!("captures/basics/{name}.pcap"));
        analyse(&path, None).snapshot.connections
    };
    let mut check = |holds: bool, what: &str| {
        if !holds {
            misses.push(what.to_owned());
        }
    };
    check(
        connections("closewait")[0].states[1].to_string() == "CLOSE-WAIT",
        "closewait: the server never closes",
    );
    check(
        connections("portexh").len() == 4,
        "portexh: four connections",
    );
    check(
        connections("portexh")
            .iter()
            .all(|it| it.time_wait[0].is_some()),
        "portexh: the client holds every TIME-WAIT",
    );
    for name in ["reuse", "twreuse_ts", "twreuse_nots"] {
        let both = connections(name);
        check(both.len() == 2, &format!("{name}: two connections"));
        check(
            both.last().is_some_and(|it| it.predecessor.is_some()),
            &format!("{name}: the second knows of the first"),
        );
    }
    let second = connections("synchallenge").pop().expect("two connections");
    check(
        second.opening == Opening::Handshake,
        "synchallenge: the second connection opens",
    );
    let clean = second.sent.iter().all(|sent| sent.missing == 0);
    check(clean, "synchallenge: nothing was lost");
    let unanswered = connections("abortovf");
    let unanswered = unanswered
        .iter()
        .filter(|it| it.opening == Opening::Unanswered)
        .count();
    check(
        unanswered == 3,
        &format!("abortovf: three connects are unanswered, not {unanswered}"),
    );
    let late = connections("finwait2_data").remove(0).reset[0];
    check(
        late.is_some_and(|reset| reset.kind == Some(ResetKind::NoSocket)),
        "finwait2_data: the client's socket was gone",
    );
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}
