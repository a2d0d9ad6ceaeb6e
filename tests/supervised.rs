//! `hangup run`: a command runs, and what it did on the network is there if something failed.
//!
//! The command is this test program, which plays client and server (`a_command`). Capturing needs a privilege that not
//! every machine grants: without it, the tests that need it print so and pass.

#![cfg(all(feature = "cli", feature = "live", unix))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

/// What the command does, and the server's port, by these variables.
const ROLE: &str = "HANGUP_TEST_ROLE";
const PORT: &str = "HANGUP_TEST_PORT";

/// The command: one request over loopback, which the server resets or answers. Not a test of its own.
#[test]
fn a_command() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    if role == "waits" {
        thread::sleep(Duration::from_secs(60));
    }
    let port = std::env::var(PORT).unwrap();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let address = listener.local_addr().unwrap();
    let resets = role == "resets";
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if resets {
            // Unread data makes a close a reset.
            stream.peek(&mut [0]).unwrap();
            return;
        }
        assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        stream.write_all(response.as_bytes()).unwrap();
    });
    let mut client = TcpStream::connect(address).unwrap();
    write!(client, "GET /::error::%0A HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    server.join().unwrap();
}

/// An empty folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `hangup run` with these options, and the command in this role.
fn program(options: &[&str], role: &str) -> Command {
    let own = std::env::current_exe().unwrap();
    // A port of its own, because other tests use loopback at the same time.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program
        .args(["run", "-i", "lo", "--filter"])
        .arg(format!("tcp port {port}"))
        .args(options)
        .arg("--")
        .arg(own)
        .args(["--exact", "a_command"])
        .env(ROLE, role)
        .env(PORT, port)
        .env_remove("GITHUB_ACTIONS")
        .stdin(Stdio::null());
    program
}

/// Its exit status, standard output and standard error; `None` if capturing is not permitted.
fn told(output: Output) -> Option<(i32, String, String)> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    if err.contains("may not capture") {
        eprintln!("not tested, for want of the right to capture: {err}");
        return None;
    }
    Some((output.status.code().unwrap_or(-1), out, err))
}

/// The files of a folder that end so.
fn ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    all.filter(|it| it.extension().is_some_and(|it| it == ending))
        .collect()
}

#[test]
fn a_failure_is_kept_and_a_success_is_not() {
    for (name, options, role, status, kept) in [
        ("run-fails", &[][..], "resets", 101, 1),
        ("run-passes", &[], "answers", 0, 0),
        ("run-kept", &["--keep"], "answers", 0, 1),
        ("run-bar", &["--fail-on", "warning"], "answers", 0, 0),
    ] {
        let folder = folder(name);
        let options = [options, &["-d", folder.to_str().unwrap()]].concat();
        let Some(told) = told(program(&options, role).output().unwrap()) else {
            return;
        };
        let (code, out, err) = told;
        assert_eq!(code, status, "{name}: {err}");
        assert!(
            !out.contains("hangup"),
            "the output is the command's: {out}"
        );
        let (captures, reports) = (ending(&folder, "pcapng"), ending(&folder, "md"));
        assert_eq!(
            (captures.len(), reports.len()),
            (kept, kept),
            "{name}: {err}"
        );
        if role == "resets" {
            assert!(err.contains("reset-before-response"), "{err}");
            let report = fs::read_to_string(&reports[0]).unwrap();
            assert!(report.contains("reset-before-response"), "{report}");
            assert!(err.contains("exited with status 101"), "{err}");
            assert!(err.contains(captures[0].to_str().unwrap()), "{err}");
        } else if kept == 0 {
            assert!(err.contains("nothing failed (1 connection"), "{err}");
        }
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 2 * kept, "no other file stays");
    }
}

/// The last segments of a connection decide who closed it, and come when the command is over.
#[test]
fn the_last_packet_is_in_the_capture() {
    let folder = folder("run-last");
    for role in ["resets", "answers"] {
        let options = ["--keep", "-d", folder.to_str().unwrap()];
        if told(program(&options, role).output().unwrap()).is_none() {
            return;
        }
        let capture = ending(&folder, "pcapng").pop().unwrap();
        let analysis = hangup::Analysis::of_files([&capture]).unwrap();
        let connections = analysis.connections();
        let wanted: Vec<_> = connections
            .iter()
            .filter(|it| it.teardown.orderly == (role == "answers"))
            .collect();
        assert_eq!(wanted.len(), connections.len(), "{role}");
        assert!(!wanted.is_empty());
        fs::remove_file(capture).unwrap();
    }
}

#[test]
fn ci_gets_what_it_reads() {
    let folder = folder("run-ci");
    let (junit, summary) = (folder.join("found.xml"), folder.join("summary.md"));
    fs::write(&summary, "before\n").unwrap();
    let options = [
        "--junit",
        junit.to_str().unwrap(),
        "-d",
        folder.to_str().unwrap(),
    ];
    let mut program = program(&options, "resets");
    program
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary);
    let Some((_, _, err)) = told(program.output().unwrap()) else {
        return;
    };
    let of_command: Vec<_> = err.lines().filter(|it| it.starts_with("::")).collect();
    let [stop, go_on, annotation] = of_command[..] else {
        panic!("{err}")
    };
    let word = stop.strip_prefix("::stop-commands::").unwrap();
    assert_eq!(go_on, format!("::{word}::"));
    assert!(
        annotation.starts_with("::error title=hangup%3A reset-before-response::"),
        "{annotation}"
    );
    assert!(annotation.contains("%250A"), "{annotation}");
    let xml = fs::read_to_string(junit).unwrap();
    for part in [
        "<testsuite name=\"hangup\" tests=\"3\" skipped=\"0\" errors=\"0\" failures=\"2\"",
        "the command exited with status 101",
        "name=\"reset-before-response 127.0.0.1 → 127.0.0.1:",
    ] {
        assert!(xml.contains(part), "{xml}");
    }
    let summary = fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("before\n"), "{summary}");
    assert!(summary.contains("reset-before-response"), "{summary}");
}

#[test]
fn a_signal_is_the_commands() {
    let folder = folder("run-signal");
    let options = ["-d", folder.to_str().unwrap()];
    let mut program = program(&options, "waits");
    let child = program
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    // It captures as soon as its file is there, and the command runs soon after.
    for _ in 0..100 {
        if !ending(&folder, "pcapng").is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(500));
    let kill = Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(kill.success());
    let Some((code, _, err)) = told(child.wait_with_output().unwrap()) else {
        return;
    };
    assert_eq!(code, 128 + 15, "{err}");
    assert!(err.contains("ended by signal 15"), "{err}");
    assert_eq!(ending(&folder, "pcapng").len(), 1, "{err}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let folder = folder("run-mistakes");
    let marker = folder.join("ran");
    for (options, command, status, message) in [
        (&["-d", "/no/such"][..], "touch", 2, "mkdir -p /no/such"),
        (&["--rule", "no-such"], "touch", 2, "no rule is called"),
        (&["-i", "no-such"], "touch", 2, "there is no such interface"),
        (&["--filter", "tcp prot 1"], "touch", 2, "filter"),
        (&["-i", "lo"], "no-such-command", 127, "nothing was run"),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
        program.arg("run").args(options).arg(command).arg(&marker);
        program.current_dir(&folder).stdin(Stdio::null());
        let Some((code, _, err)) = told(program.output().unwrap()) else {
            return;
        };
        assert_eq!(code, status, "{options:?}: {err}");
        assert!(err.contains(message), "{options:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{options:?}");
    }
}
