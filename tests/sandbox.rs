//! What the program may do while it reads packets, and what it does without libpcap.
//!
//! Debug builds try what must fail when `HANGUP_PROVOKE_ATTEMPTS` is set, and say what came of it.

#![cfg(all(feature = "sandbox", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

const RESET: &str = "captures/reset-before-response.pcap";
const RACE: &str = "captures/keep-alive-race.pcapng";

fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.args(arguments).stdin(Stdio::null());
    program
}

fn told(output: Output) -> (String, String, Option<i32>) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether this kernel has Landlock: without it, files and sockets are not refused by name.
fn has_landlock() -> bool {
    let (out, ..) = told(program(&["--version", "-v"]).output().unwrap());
    !out.contains("no Landlock")
}

#[test]
fn what_a_capture_could_make_the_program_do_is_refused() {
    if !has_landlock() {
        eprintln!("not tested: this kernel has no Landlock");
        return;
    }
    let out = folder("attempts").join("report.txt");
    for arguments in [
        &["report", RESET][..],
        &["report", "--each", RESET],
        &["report", RESET, "--filter", "tcp port http"],
        &["report", RESET, "-o", out.to_str().unwrap()],
        &["ladder", RESET],
        #[cfg(feature = "mcp")]
        &["mcp", "captures"],
        &["live", "--headless", "-i", "lo", "--duration", "100ms"],
        &[
            "run",
            "-i",
            "lo",
            "-d",
            out.parent().unwrap().to_str().unwrap(),
            "true",
        ],
    ] {
        let mut program = program(arguments);
        program.env("HANGUP_PROVOKE_ATTEMPTS", "1");
        let (_, err, status) = told(program.output().unwrap());
        if err.contains("may not capture") {
            eprintln!("not tested, for want of the right to capture: {err}");
            continue;
        }
        assert_eq!(status, Some(0), "{arguments:?}: {err}");
        let tried = err.lines().find(|line| line.starts_with("attempts:"));
        assert_eq!(
            tried,
            Some(
                "attempts: read refused, write refused, connect refused, listen refused, start refused, \
                signal refused, trace refused"
            ),
            "{arguments:?}: {err}"
        );
    }
    assert!(fs::read_to_string(out).unwrap().contains("Findings: "));
}

/// The file gets its name in the folder that the link leads to.
#[test]
fn a_report_is_written_through_a_link() {
    let (folder, links) = (folder("linked"), folder("links"));
    let (path, link) = (folder.join("report.txt"), links.join("report.txt"));
    for arguments in [&["report", RESET][..], &["diff", RESET, RACE]] {
        fs::write(&path, "before").unwrap();
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut program = program(arguments);
        let (_, err, _) = told(program.arg("-o").arg(&link).output().unwrap());
        assert_eq!(err, "", "{arguments:?}");
        assert!(link.is_symlink(), "{arguments:?}");
        assert_ne!(
            fs::read_to_string(&path).unwrap(),
            "before",
            "{arguments:?}"
        );
    }
}

/// The fields of `/proc/PID/status` while a pipe is read.
#[test]
fn every_thread_is_in_the_sandbox() {
    let mut program = program(&["report", "--follow", "-"]);
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let tasks = format!("/proc/{}/task", child.id());
    let threads = || fs::read_dir(&tasks).unwrap().flatten();
    // Its first thread goes into the sandbox before it starts another.
    while threads().count() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    for thread in threads() {
        // A thread may have ended by now.
        let Ok(status) = fs::read_to_string(thread.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim)
        };
        assert_eq!(field("NoNewPrivs:"), Some("1"), "{status}");
        assert_eq!(field("Seccomp:"), Some("2"), "{status}");
        assert_eq!(field("CapEff:"), Some("0000000000000000"), "{status}");
    }
    // Nothing was sent, which is no capture.
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn the_version_says_what_this_system_has() {
    for words in [["--version", "-v"], ["-V", "--verbose"], ["-v", "-V"]] {
        let (out, _, status) = told(program(&words).output().unwrap());
        assert_eq!(status, Some(0));
        for line in [
            concat!("hangup ", env!("CARGO_PKG_VERSION"), "\n"),
            "libpcap: ",
            "sandbox: ",
        ] {
            assert!(out.contains(line), "{out}");
        }
    }
}

/// Files that are no libraries, under the names of libpcap, are found before the system's.
#[cfg(feature = "live")]
#[test]
fn without_libpcap_only_what_needs_it_fails() {
    let folder = folder("no-libpcap");
    for name in ["libpcap.so.1", "libpcap.so.0.8", "libpcap.so"] {
        fs::write(folder.join(name), "no library").unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut program = program(arguments);
        program.env("LD_LIBRARY_PATH", &folder);
        told(program.output().unwrap())
    };
    let (out, ..) = run(&["--version", "-v"]);
    if out.contains("part of this program") {
        return;
    }
    assert!(out.contains("libpcap: missing"), "{out}");
    for arguments in [
        &["report", RESET][..],
        &["report", "--each", RESET],
        &["ladder", RESET],
        &["explain", "connection reset by peer"],
        &["rules"],
        &["--help"],
    ] {
        let (_, err, status) = run(arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {err}");
    }
    for arguments in [
        &["report", RESET, "--filter", "tcp"][..],
        &["ladder", RESET, "--filter", "tcp"],
        &["live", "-i", "lo"],
        &["live"],
        &["interfaces"],
    ] {
        let (_, err, status) = run(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {err}");
        assert!(
            err.contains("need libpcap, which is not installed; install"),
            "{arguments:?}: {err}"
        );
    }
}
