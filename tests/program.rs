//! The program from outside: exit statuses, messages, and where the output goes.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const CLEAN: &str = "captures/clean-keepalive.pcapng";
const RESET: &str = "captures/reset-before-response.pcap";

fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.args(arguments).stdin(Stdio::null());
    program
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A path for a file in the test's temporary directory.
fn place(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// A stack trace is easier to pipe than to quote.
#[test]
fn a_text_is_explained_from_standard_input() {
    let path = place("trace.txt");
    let trace = "Caused by: java.net.SocketException: Connection reset\n\tat a.b(C.java:1)\n";
    fs::write(&path, trace).unwrap();
    let mut explain = program(&["explain", "-"]);
    let output = explain.stdin(fs::File::open(&path).unwrap());
    let output = output.output().unwrap();
    let told = text(&output.stdout);
    assert!(
        told.starts_with("Matched: “java.net.SocketException"),
        "{told}"
    );
    assert!(
        told.contains("1 line of a stack trace was skipped"),
        "{told}"
    );
}

/// What is wrong with a comparison is said with what to type.
#[test]
fn a_comparison_that_cannot_be_made_says_what_to_type() {
    for (arguments, words) in [
        (
            &["diff", CLEAN][..],
            "hangup diff captures/clean-keepalive.pcapng B.pcapng",
        ),
        (
            &["diff", "a", "b", "c"],
            "hangup diff a b; files of one capture",
        ),
        (&["diff", RESET, "--connections", "4"], "--connections 3,7"),
        (
            &["diff", RESET, "--connections", "1,9"],
            "has 2 connections; `hangup report",
        ),
        (
            &["diff", "a", "b", "--connections", "3,7"],
            "hangup diff a --connections 3,7",
        ),
        (&["diff", CLEAN, CLEAN, "-o", "x.csv"], "-o OUT.json"),
        (
            &["diff", CLEAN, CLEAN, "-o", CLEAN],
            "is one of the captures",
        ),
    ] {
        let errors = run(arguments).stderr;
        let errors = text(&errors);
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}

#[test]
fn the_exit_status_says_how_it_went() {
    for (arguments, status) in [
        (&["report", RESET][..], 0),
        (&[RESET], 0),
        (&["report", RESET, "--fail-on", "error"], 1),
        (&["report", RESET, "--fail-on", "benign"], 1),
        (&["report", CLEAN, "--fail-on", "note"], 0),
        (
            &[
                "report",
                RESET,
                "--fail-on",
                "error",
                "--ignore",
                "reset-before-response",
            ],
            0,
        ),
        (
            &[
                "report",
                RESET,
                "--fail-on",
                "note",
                "--rule",
                "duplicate-connection-close",
            ],
            0,
        ),
        (&["report", "no-such-file.pcap"], 2),
        (&["report", "Cargo.toml"], 2),
        (&["report", "src"], 2),
        (&["report", RESET, "--rule", "no-such-rule"], 2),
        (&["report", RESET, "--ephemeral-ports", "9-1"], 2),
        (&["report", "-r", RESET], 0),
        (&[RESET, "--json"], 0),
        (&["report", RESET, "-o", "-"], 0),
        (&["report", RESET, "--time-wait", "1m30s"], 0),
        (&["report", RESET, "--time-wait", "1 parsec"], 2),
        (
            &[
                "report",
                RESET,
                "--rule",
                "reset-before-response,keep-alive-race",
            ],
            0,
        ),
        (&["report", RESET, "-f", "pdf"], 2),
        (&["ladder", RESET], 0),
        (&["ladder", RESET, "--connection", "1-2"], 0),
        (&["ladder", RESET, "--connection", "2-1"], 2),
        (&["rules", "reset"], 0),
        (&["rules", "nothing-like-it"], 2),
        (&["ladder", RESET, "--connection", "2"], 0),
        (&["ladder", RESET, "--connection", "3"], 2),
        (&["ladder", "-", "--connection", "1"], 2),
        (&["diff", CLEAN, CLEAN], 0),
        (&["diff", CLEAN, RESET], 1),
        (&["diff", RESET, "--connections", "1,2"], 1),
        (&["diff", CLEAN], 2),
        (&["diff", CLEAN, CLEAN, CLEAN], 2),
        (&["diff", RESET, "--connections", "1"], 2),
        (&["diff", RESET, "--connections", "1,3"], 2),
        (&["diff", RESET, RESET, "--connections", "1,2"], 2),
        (&["diff", CLEAN, "captures/tls12.pcapng"], 2),
        (&["diff", CLEAN, CLEAN, "-f", "csv"], 2),
        (&["diff", CLEAN, "no-such-file.pcap"], 2),
        (&["explain", "reset-before-response"], 0),
        (&["explain", "no-such-rule"], 2),
        (&["explain", "reset-befor-respons"], 0),
        (&["explain"], 0),
        (&["rules"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["man", "report"], 0),
        (&["man", "no-such-command"], 2),
        (&[], 2),
        (&["--help"], 0),
        (&["--version"], 0),
    ] {
        let output = run(arguments);
        let errors = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {errors}"
        );
        assert_eq!(errors.is_empty(), status < 2, "{arguments:?}: {errors}");
    }
}

#[test]
fn a_message_names_the_file_and_the_way_out() {
    for (arguments, words) in [
        (
            &["report", "no-such-file.pcap"][..],
            &["no-such-file.pcap", "No such file"][..],
        ),
        (
            &["report", "Cargo.toml"],
            &["Cargo.toml", "not a packet capture"],
        ),
        (
            &["report", RESET, "--ignore", "no-such-rule"],
            &["no-such-rule", "hangup rules"],
        ),
        (
            &["report", RESET, "-o", "no-such-folder/x"],
            &["no-such-folder/x", "No such file"],
        ),
        (
            &["report", "captures/reset-before-respone.pcap"],
            &["did you mean captures/reset-before-response.pcap?"],
        ),
        (&["reprot"], &["did you mean `hangup report`?"]),
        (
            &["report", RESET, "-o", "x.pdf"],
            &["belongs to .pdf", ".md", "-f text"],
        ),
        (
            &["report", RESET, "--rule", "race"],
            &["keep-alive-race or keep-alive-race-risk?", "hangup rules"],
        ),
        (
            &["rules", "keepalive-race"],
            &["did you mean keep-alive-race?"],
        ),
        (&["man", "laddr"], &["did you mean ladder?"]),
        (
            &["report", RESET, "-Y", "tcp"],
            &["-Y is tshark's display filter", "BPF"],
        ),
        (
            &["report", "captures"],
            &["directory", "hangup captures/*.pcap*"],
        ),
        (
            &["ladder", RESET, "--connection", "3"],
            &["there is no connection 3", "2 connections, 1 to 2"],
        ),
        (
            &["report", RESET, "--filter", "http.response.code == 502"],
            &["Wireshark display filter", "BPF", "status:502"],
        ),
        (
            &["report", RESET, "--filter", "tcp.stream == 0"],
            &["tshark -r FILE -Y 'tcp.stream == 0' -w OUT.pcapng"],
        ),
        (
            &["report", "captures/tls12.keylog"],
            &["captures/tls12.keylog", "key log", "--keylog"],
        ),
    ] {
        let errors = run(arguments).stderr;
        let errors = text(&errors);
        assert!(errors.starts_with("hangup: "), "{errors}");
        for word in words {
            assert_eq!(errors.matches(word).count(), 1, "{word} once in {errors}");
        }
    }
}

/// What experts of tcpdump and tshark type by habit means what they mean.
#[test]
fn habits_are_understood() {
    let usual = run(&["report", RESET, "-f", "json"]).stdout;
    for arguments in [
        &["report", "-r", RESET, "--json"][..],
        &["report", "-nnr", RESET, "-f", "json"],
        &[RESET, "--json"],
        &["-r", RESET, "-f", "json"],
    ] {
        assert!(run(arguments).stdout == usual, "{arguments:?}");
    }
    let all = run(&[
        "report",
        CLEAN,
        "--json",
        "--filter",
        "ip.addr == 203.0.113.1",
    ]);
    assert!(
        text(&all.stderr).contains("was taken as the capture filter 'host 203.0.113.1'"),
        "{}",
        text(&all.stderr)
    );
    let report: serde_json::Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(report["connections"].as_array().unwrap().len(), 0);
}

#[test]
fn nothing_typed_is_answered_with_what_to_type() {
    let output = run(&[]);
    let said = text(&output.stderr);
    assert!(
        said.lines().count() <= 12 && said.contains("hangup report FILE"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn an_unknown_ending_is_not_written_as_text() {
    let path = place("report.pdf");
    let path = path.to_str().unwrap();
    let _ = fs::remove_file(path);
    assert_eq!(run(&["report", RESET, "-o", path]).status.code(), Some(2));
    assert!(!PathBuf::from(path).exists());
    assert!(
        run(&["report", RESET, "-o", path, "-f", "text"])
            .status
            .success()
    );
    assert!(fs::read_to_string(path).unwrap().starts_with(RESET));
}

/// A table for databases: a row for each request, or for each finding.
#[test]
fn the_rows_of_a_csv_are_chosen() {
    let table = |rows| {
        let output = run(&["report", RESET, "--table", rows]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let exchanges = table("exchanges");
    let lines: Vec<&str> = exchanges.lines().collect();
    assert_eq!(lines.len(), 3, "{exchanges}");
    assert!(lines[0].starts_with("connection,number,client_ip,"));
    assert!(lines[1].contains(",GET,/hello.txt,"), "{exchanges}");
    assert!(lines[2].contains(",POST,/order,"), "{exchanges}");
    let findings = table("findings");
    assert!(
        findings
            .lines()
            .any(|it| it.starts_with("1,reset-before-response,error,"))
    );
    let other = run(&["report", RESET, "--table", "findings", "--json"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("add -f csv"));
}

#[test]
fn a_capture_cut_short_is_no_failure() {
    let whole = fs::read(RESET).unwrap();
    let path = place("cut.pcap");
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let output = run(&["report", path.to_str().unwrap(), "-f", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let damage = &report["capture"]["files"][0]["damage"];
    assert!(
        damage["offset"].is_u64() && damage["reason"].is_string(),
        "{damage}"
    );
    let told = run(&["report", path.to_str().unwrap()]).stdout;
    assert!(text(&told).contains("Damaged"), "{}", text(&told));
}

#[test]
fn a_closed_pipe_is_success() {
    // More than a pipe buffers.
    let many = vec![RESET; 400];
    let arguments: Vec<_> = ["report", "-f", "ndjson"].into_iter().chain(many).collect();
    let mut child = program(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

/// The read end is closed before the program begins.
#[cfg(unix)]
#[test]
fn a_closed_pipe_changes_no_exit_status() {
    for (arguments, status) in [
        (&["report", RESET, "--fail-on", "error"][..], 1),
        (&["diff", RESET, "captures/keep-alive-race.pcapng"], 1),
        (&["diff", RESET, RESET], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(arguments).stdout(writer).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
        assert_eq!(told, "", "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_output_is_no_success() {
    for arguments in [
        "report captures/reset-before-response.pcap",
        "explain ECONNRESET",
    ] {
        let line = format!("exec '{}' {arguments} >&-", env!("CARGO_BIN_EXE_hangup"));
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("standard output is closed or full"), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn a_report_on_a_full_disk_leaves_what_was_there() {
    let folder = place("full-disk");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let out = folder.join("report.json");
    fs::write(&out, "before").unwrap();
    let line = format!(
        "trap '' XFSZ; ulimit -f 1; exec '{}' report {RESET} -o '{}'",
        env!("CARGO_BIN_EXE_hangup"),
        out.display()
    );
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("report.json: the report cannot be written"),
        "{told}"
    );
    assert_eq!(fs::read(&out).unwrap(), b"before");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_list_that_nobody_named_must_be_the_users_own() {
    let folder = place("strange-list");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let capture = fs::canonicalize(RESET).unwrap();
    let list = folder.join(".hangupignore");
    let run = |more: &[&str]| {
        let mut program = program(&["report", "--fail-on", "error"]);
        program.arg(&capture).args(more).current_dir(&folder);
        let output = program.output().unwrap();
        let told = text(&output.stdout).to_owned() + text(&output.stderr);
        (told, output.status.code())
    };
    let refused = |reason: &str| {
        let (told, status) = run(&[]);
        assert_eq!(status, Some(2), "{told}");
        for words in [reason, "--ignore-file", "--no-ignore-file"] {
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(run(&["--no-ignore-file"]).1, Some(1));
    };
    let made = Command::new("mkfifo").arg(&list).status();
    if made.is_ok_and(|it| it.success()) {
        refused("it is no regular file");
        fs::remove_file(&list).unwrap();
    }
    std::os::unix::fs::symlink("/dev/zero", &list).unwrap();
    refused("it is no regular file");
    fs::remove_file(&list).unwrap();
    fs::write(&list, "#".repeat((1 << 20) + 1)).unwrap();
    let (told, status) = run(&[]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("longer than 1048576 bytes"), "{told}");

    // One's own: named on the first line, and what it does to the exit status is said.
    fs::write(&list, "rule reset-before-response\n").unwrap();
    let (told, status) = run(&[]);
    assert_eq!(status, Some(0), "{told}");
    // A long path breaks the line.
    let words: Vec<&str> = told.split_whitespace().collect();
    let first = words.join(" ");
    assert!(
        first.contains(", without what .hangupignore names"),
        "{told}"
    );
    assert!(
        told.contains("--fail-on does not count what .hangupignore leaves out: 1 finding"),
        "{told}"
    );
    // Only root can give a file away.
    if std::os::unix::fs::chown(&list, Some(12_345), None).is_ok() {
        refused("it belongs to another user");
    }
}

#[test]
fn standard_input_is_a_capture_too() {
    let mut from_file: serde_json::Value =
        serde_json::from_slice(&run(&["report", RESET, "-f", "json"]).stdout).unwrap();
    let output = program(&["report", "-", "-f", "json"])
        .stdin(fs::File::open(RESET).unwrap())
        .output()
        .unwrap();
    let from_pipe: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    from_file["capture"]["files"][0]["path"] = "-".into();
    assert_eq!(from_pipe, from_file);
    // A pipe cannot be read again for a ladder.
    let page = program(&["report", "-"])
        .stdin(fs::File::open(RESET).unwrap())
        .output()
        .unwrap();
    let page = text(&page.stdout);
    assert!(!page.contains("hangup ladder"), "{page}");
}

#[test]
fn a_report_goes_where_it_is_sent_in_the_format_of_its_name() {
    for (name, begins) in [
        ("report.json", "{\"schema\":\"hangup-report/1\""),
        ("report.ndjson", "{\"kind\":\"capture\""),
        ("report.csv", "id,client_ip"),
        ("report.md", "# `captures/"),
        ("report.txt", "captures/"),
        ("report", "captures/"),
    ] {
        let path = place(name);
        let output = run(&["report", RESET, "-o", path.to_str().unwrap()]);
        assert!(output.status.success() && output.stdout.is_empty());
        assert!(
            fs::read_to_string(&path).unwrap().starts_with(begins),
            "{name}"
        );
    }
}

#[test]
fn a_capture_is_never_overwritten() {
    let path = place("evidence.pcap");
    fs::copy(RESET, &path).unwrap();
    let path = path.to_str().unwrap();
    let output = run(&["report", path, "-o", path]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read(path).unwrap(), fs::read(RESET).unwrap());
}

#[cfg(not(feature = "decrypt"))]
#[test]
fn a_key_log_that_cannot_be_used_is_refused() {
    let key_log = ["captures/tls12.pcapng", "--keylog", "captures/tls12.keylog"];
    for command in [&["report"][..], &["ladder", "--connection", "1"]] {
        let output = run(&[command, &key_log].concat());
        assert_eq!(output.status.code(), Some(2));
        let message = text(&output.stderr);
        assert!(message.contains("(feature \"decrypt\")"), "{message}");
    }
}

#[test]
fn a_ladder_shows_the_packets_and_hides_what_it_is_asked_to() {
    let drawn = |more: &[&str]| {
        let arguments = [&["ladder", RESET, "--connection", "2"], more].concat();
        let output = run(&arguments).stdout;
        text(&output).to_owned()
    };
    let facts = "=> teardown server reset abort waiting";
    for (format, known) in [("picture", "SYN-ACK"), ("notation", facts)] {
        let open = drawn(&["--format", format]);
        for known in ["10.77.0.2", "/order", "RST", known] {
            assert!(open.contains(known), "{known}: {open}");
        }
        let hidden = drawn(&["-f", format, "--hide-addresses", "--hide-payload"]);
        assert!(hidden.contains("RST"), "{hidden}");
        for secret in ["10.77", "/order", "50746"] {
            assert!(!hidden.contains(secret), "{secret}: {hidden}");
        }
    }
}

#[test]
fn ladders_are_chosen_by_the_worst_finding_or_by_their_numbers() {
    let drawn = |arguments: &[&str]| {
        let output = run(&[&["ladder", RESET], arguments].concat());
        text(&output.stdout).to_owned()
    };
    let worst = drawn(&[]);
    let (first, rest) = worst.split_once("\n\n").unwrap();
    assert!(
        first.starts_with("Drawn: #2 of 2 connections, which has the worst finding (error, "),
        "{first}"
    );
    assert_eq!(rest, drawn(&["--connection", "2"]));
    let both = drawn(&["--connection", "1-2"]);
    let one = drawn(&["--connection", "1"]);
    assert_eq!(both, format!("{one}\n{rest}"));
    assert_eq!(both, drawn(&["--connection", "2,1,#2"]));
}

#[test]
fn the_report_does_not_depend_on_the_threads() {
    for capture in [
        RESET,
        "captures/port-exhaustion.pcapng",
        "captures/streamed-transfers.pcap.gz",
    ] {
        for format in ["text", "json", "ndjson", "markdown", "csv"] {
            let told =
                |threads| run(&["report", capture, "-f", format, "--threads", threads]).stdout;
            let alone = told("1");
            assert!(!alone.is_empty());
            assert!(alone == told("4"), "{capture} as {format}");
        }
    }
}

#[test]
fn colour_is_for_terminals() {
    let colored = |arguments: &[&str]| run(arguments).stdout.contains(&0x1b);
    assert!(!colored(&["report", RESET]));
    assert!(colored(&["report", RESET, "--color", "always"]));
    assert!(!colored(&["report", RESET, "--color", "never"]));
}

#[test]
fn frames_of_several_files_are_named_by_their_own_numbers() {
    let race = "captures/keep-alive-race.pcapng";
    let report = run(&["report", race, RESET]);
    let page = text(&report.stdout);
    for named in [
        "reset-before-response.pcap:6",
        "✖ 1:19",
        "keep-alive-race.pcapng:10 to",
    ] {
        assert!(page.contains(named), "{named} in {page}");
    }
    assert!(
        !page.contains("frame 31") && !page.contains("frames 22"),
        "{page}"
    );
    let json = run(&["report", race, RESET, "-f", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let evidence = report["findings"].as_array().unwrap().iter();
    let evidence = evidence.flat_map(|it| it["evidence"].as_array().unwrap());
    let mut count = 0;
    for row in evidence {
        let (frame, own) = (row["frame"].as_u64(), row["frame_in_file"].as_u64());
        // The first file given is the later one: its 22 frames follow the 12 of the other.
        let expected = match row["file"].as_u64() {
            Some(0) => frame.map(|it| it - 12),
            Some(1) => frame,
            file => panic!("{file:?}"),
        };
        assert_eq!(own, expected, "{row}");
        count += 1;
    }
    assert!(count > 4, "{report}");
}
