//! `hangup mcp`: the protocol's requests on standard input, its answers on standard output.
//!
//! The Python client of the protocol makes a round trip too, where it is installed; elsewhere this says on standard error
//! that it was left out.

#![cfg(feature = "mcp")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hangup");
const TOOLS: [&str; 5] = ["captures", "explain", "find_error", "ladder", "report"];
const RACE: &str = "keep-alive-race.pcapng";

/// A server that runs, after its handshake.
struct Server {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    next: u64,
}

impl Server {
    fn start(folder: &str) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["mcp", folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take(), child.stdout.take().unwrap());
        let from = BufReader::new(from);
        let mut server = Self {
            child,
            to,
            from,
            next: 0,
        };
        let about = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
        });
        let told = server.request("initialize", &about);
        assert_eq!(told["result"]["serverInfo"]["name"], "hangup", "{told}");
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    fn send(&mut self, message: &Value) {
        let to = self.to.as_mut().unwrap();
        writeln!(to, "{message}").unwrap();
        to.flush().unwrap();
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The text of an answer, and whether it is an error.
    fn call(&mut self, tool: &str, arguments: &Value) -> (String, bool) {
        let answer = self.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        if let Some(error) = answer["error"]["message"].as_str() {
            return (error.to_owned(), true);
        }
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        (text, result["isError"] == true)
    }

    /// Ends its standard input, and waits for it.
    fn end(mut self) -> Option<i32> {
        drop(self.to.take());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn each_tool_answers() {
    let mut server = Server::start("captures");
    let listed = server.request("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let mut names: Vec<_> = tools
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, TOOLS);
    assert!(
        tools
            .iter()
            .all(|it| it["annotations"]["readOnlyHint"] == true)
    );
    for (tool, arguments, expected) in [
        (
            "captures",
            json!({}),
            &["captures that are older are not listed; `containing`"][..],
        ),
        ("captures", json!({"containing": "race"}), &[RACE]),
        (
            "report",
            json!({"files": [RACE]}),
            &[
                "1 of 2 connections failed",
                "keep-alive-race",
                "frames 10 to 22",
            ],
        ),
        (
            "report",
            json!({"files": [RACE], "min_severity": "error", "rules": ["closed-before-response"]}),
            &["1 of 2 connections failed"],
        ),
        (
            "report",
            json!({"files": [RACE], "connections": true}),
            &["10.77.0.2:39672"],
        ),
        (
            "find_error",
            json!({"files": [RACE], "error": "socket hang up"}),
            &["keep-alive-race", "socket hang up"],
        ),
        (
            "ladder",
            json!({"files": [RACE], "connections": [2]}),
            &["#2: ", "SYN-SENT", "GET /hello"],
        ),
        (
            "ladder",
            json!({"files": [RACE], "connections": [2], "headers": true}),
            &["ttl 64"],
        ),
        (
            "explain",
            json!({"text": "socket hang up"}),
            &["Matched: “socket hang up”"],
        ),
        (
            "explain",
            json!({"text": "keep-alive-race"}),
            &["keep-alive"],
        ),
    ] {
        let (text, failed) = server.call(tool, &arguments);
        assert!(!failed, "{tool} {arguments}: {text}");
        for expected in expected {
            assert!(
                text.contains(expected),
                "{tool} {arguments}: {expected}: {text}"
            );
        }
    }
    assert_eq!(server.end(), Some(0));
}

/// A failure is an answer, which says what to ask instead; the server goes on.
#[test]
fn what_cannot_be_answered_is_told() {
    let mut server = Server::start("captures");
    for (tool, arguments, expected) in [
        (
            "report",
            json!({"files": ["nothing.pcap"]}),
            "`captures` lists what there is",
        ),
        ("report", json!({"files": []}), "name a capture"),
        (
            "report",
            json!({"files": ["protocols"]}),
            "not a regular file",
        ),
        ("report", json!({"files": ["README.md"]}), "README.md: "),
        (
            "report",
            json!({"files": [RACE], "rules": ["keep-alive-rice"]}),
            "did you mean keep-alive-race?",
        ),
        (
            "report",
            json!({"files": [RACE], "file": "x"}),
            "unknown field",
        ),
        (
            "ladder",
            json!({"files": [RACE], "connections": [7]}),
            "there is no connection 7",
        ),
        (
            "find_error",
            json!({"files": [RACE], "error": "xyzzy"}),
            "no known error text",
        ),
        ("explain", json!({"text": "xyzzy"}), "Not known"),
    ] {
        let (text, failed) = server.call(tool, &arguments);
        assert!(
            failed && text.contains(expected),
            "{tool} {arguments}: {text}"
        );
    }
    let (text, failed) = server.call("report", &json!({"files": [RACE]}));
    assert!(!failed, "{text}");
    assert_eq!(server.end(), Some(0));
}

/// Nothing outside the folder is read, whatever it is called.
#[test]
#[cfg(unix)]
fn only_the_folder_is_read() {
    let outside = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("served");
    let _ = fs::remove_dir_all(&outside);
    let folder = outside.join("folder");
    fs::create_dir_all(&folder).unwrap();
    let race = PathBuf::from("captures").join(RACE);
    fs::copy(&race, outside.join("outside.pcapng")).unwrap();
    fs::copy(&race, folder.join("inside.pcapng")).unwrap();
    std::os::unix::fs::symlink("../outside.pcapng", folder.join("link.pcapng")).unwrap();
    std::os::unix::fs::symlink("inside.pcapng", folder.join("alias.pcapng")).unwrap();
    let mut server = Server::start(folder.to_str().unwrap());
    let absolute = outside.join("outside.pcapng");
    for name in [
        "../outside.pcapng",
        "link.pcapng",
        absolute.to_str().unwrap(),
    ] {
        let (text, failed) = server.call("report", &json!({"files": [name]}));
        // Where the sandbox is, the file cannot even be found.
        let refused = text.contains("not below the folder") || text.contains("not found");
        assert!(failed && refused, "{name}: {text}");
    }
    let whole = folder.join("inside.pcapng");
    for name in [
        "inside.pcapng",
        "./inside.pcapng",
        "alias.pcapng",
        whole.to_str().unwrap(),
    ] {
        let (text, failed) = server.call("report", &json!({"files": [name]}));
        assert!(!failed, "{name}: {text}");
    }
    let (text, _) = server.call("captures", &json!({}));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(server.end(), Some(0));
}

#[test]
fn a_folder_is_wanted() {
    for (folder, expected) in [
        (
            "captures/nowhere",
            "captures/nowhere: the folder of the captures",
        ),
        ("Cargo.toml", "Cargo.toml: name a folder"),
    ] {
        let mut program = Command::new(PROGRAM);
        let output = program
            .args(["mcp", folder])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(err.contains(expected), "{err}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn the_python_client_is_answered() {
    let python = |arguments: &[&str]| Command::new("python3").args(arguments).output();
    if !python(&["-c", "import mcp"]).is_ok_and(|it| it.status.success()) {
        eprintln!("not run: python3 has no mcp");
        return;
    }
    let output = python(&["tests/mcp/client.py", PROGRAM, "captures"]).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["tools"], json!(TOOLS));
    for (tool, expected) in [
        ("captures", RACE),
        ("report", "1 of 2 connections failed"),
        ("ladder", "SYN-SENT"),
        ("find_error", "keep-alive-race"),
        ("explain", "Matched: "),
    ] {
        let text = seen[tool].as_str().unwrap();
        assert!(text.contains(expected), "{tool}: {text}");
    }
}
