//! What the operating system says of resets, against the truth: `tests/kernel/cases.py` brings about twenty with a known
//! cause, and `hangup live` names the reason and the program of each.
//!
//! It needs Linux, root, tracefs, Python and iptables, and a network namespace of its own; without them it says so and does
//! nothing.

#![cfg(all(feature = "live", target_os = "linux"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Where the instances of tracefs are.
const INSTANCES: &str = "/sys/kernel/tracing/instances";
/// What a busy machine may miss: a connection that is told before its last RST.
const MISSED: usize = 2;
/// Cases in which the program or its thread ends with the reset, so that a look at it may come too late.
const FLEETING: [&str; 4] = ["killed", "destroyed", "client_unread", "thread"];

/// Starts `program` in a network namespace whose loopback is up.
fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c"]);
    command.arg(format!("ip link set lo up && {script}"));
    command
}

/// Why the truth cannot be known here.
fn missing() -> Option<&'static str> {
    let works = |mut command: Command| {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|it| it.success())
    };
    if fs::create_dir(Path::new(INSTANCES).join("hangup-test")).is_err() {
        return Some("tracefs is not mounted, or this user may not use it");
    }
    fs::remove_dir(Path::new(INSTANCES).join("hangup-test")).expect("it was just made");
    let reason = fs::read_to_string("/sys/kernel/tracing/events/tcp/tcp_send_reset/format");
    if !reason.is_ok_and(|it| it.contains("reason")) {
        return Some("this kernel names no reasons");
    }
    (!works(in_namespace("python3 --version && iptables -L && ss -V")))
        .then_some("there is no python3, iptables or ss, or no network namespace can be made")
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|it| serde_json::from_str(it).expect("JSON"))
        .collect()
}

#[test]
fn resets_have_the_reason_and_the_program_that_caused_them() {
    if let Some(missing) = missing() {
        eprintln!("nothing was tested: {missing}");
        return;
    }
    let program = env!("CARGO_BIN_EXE_hangup");
    let script = format!(
        "{{ '{program}' live -i lo --headless --settled -f ndjson >&3 & }} && sleep 2 && \
         python3 tests/kernel/cases.py && sleep 1 && kill -INT $! && wait $!"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let feed = folder.path().join("feed");
    let script = format!("exec 3>'{}'; {script}", feed.display());
    let output = in_namespace(&script).output().expect("unshare");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let truth = lines(&String::from_utf8_lossy(&output.stdout));
    let said = lines(&fs::read_to_string(&feed).expect("it was written"));
    assert_eq!(truth.len(), 20);
    let (mut reasons, mut programs) = (0, 0);
    for case in &truth {
        let port = format!(":{}", case["port"]);
        let own = said.iter().filter(|it| {
            let server = it["server"].as_str().unwrap_or_default();
            server.ends_with(&port)
        });
        let told = own.flat_map(|it| it["reset_reasons"].as_array().into_iter().flatten());
        let told: Vec<&str> = told.filter_map(Value::as_str).collect();
        let text = |field: &str| case[field].as_str().unwrap_or_default();
        let right = |it: &&&str| it.contains(text("reason")) && it.contains(text("words"));
        let by = match case["by"].as_str() {
            Some(by) => format!("reset by {by}[{}]:", case["pid"]),
            None => format!("reset by the {}'s operating system:", text("side")),
        };
        let reason = told.iter().find(right);
        let of_program = told.iter().filter(right).any(|it| it.starts_with(&by));
        reasons += usize::from(reason.is_some());
        let is_fleeting = FLEETING.contains(&case["case"].as_str().unwrap_or_default());
        programs += usize::from(of_program && !is_fleeting);
        if !of_program {
            eprintln!(
                "{}: wanted {by} {}, got {told:?}",
                case["case"],
                text("reason")
            );
        }
        // Without its number, it is a thread of that program; a program that did nothing is never named.
        let named = reason.is_none_or(|it| {
            it.starts_with(&by) || it.starts_with("reset by thread ") && case["by"].is_string()
        });
        assert!(named, "{}: {told:?}", case["case"]);
    }
    eprintln!("reasons: {reasons} of 20; programs that went on: {programs} of 16");
    assert!(reasons + MISSED >= 20, "{reasons} reasons");
    assert!(
        programs + MISSED + FLEETING.len() >= 20,
        "{programs} programs"
    );
    // The helper ends after the capture.
    let until = Instant::now() + Duration::from_secs(5);
    let left = || {
        let entries = fs::read_dir(INSTANCES).expect("tracefs").flatten();
        entries
            .filter(|it| it.file_name().to_string_lossy().starts_with("hangup-"))
            .count()
    };
    while left() > 0 && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(left(), 0, "an instance of tracefs is left");
}
