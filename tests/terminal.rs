//! The program on a real terminal: a pseudo-terminal created by `script`. Keys are sent, and however the program ends,
//! the terminal's settings are restored.

#![cfg(all(feature = "ui", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const RACE: &str = "captures/keep-alive-race.pcapng";
/// Enters the alternate screen.
#[cfg(feature = "sandbox")]
const ENTERED: &str = "\x1b[?1049h";
/// Leaves the alternate screen; `CURSOR` shows the cursor.
const LEFT: &str = "\x1b[?1049l";
const CURSOR: &str = "\x1b[?25h";

/// The program under `script`, with the terminal's settings recorded before and after.
struct Run {
    child: Child,
    seen: String,
    /// Files with the settings before and after.
    settings: [PathBuf; 2],
}

impl Run {
    /// Starts the program; `None` if there is no `script`.
    fn begin(name: &str, before: &str) -> Option<Self> {
        Self::of(name, before, RACE)
    }

    /// The same with these arguments.
    fn of(name: &str, before: &str, arguments: &str) -> Option<Self> {
        if Command::new("script").arg("--version").output().is_err() {
            eprintln!("skipped: there is no `script` to make a pseudo-terminal with");
            return None;
        }
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let settings = ["before", "after"].map(|it| folder.join(format!("stty-{name}-{it}")));
        let line = format!(
            "stty rows 24 cols 80; stty -g > '{}'; {before} '{}' {arguments}; echo \"status $?\"; stty -g > '{}'",
            settings[0].display(),
            env!("CARGO_BIN_EXE_hangup"),
            settings[1].display(),
        );
        let child = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            child,
            seen: String::new(),
            settings,
        })
    }

    /// Reads until the terminal has received this text. Panics if the program ends first.
    fn wait_for(&mut self, text: &str) {
        let from = self.seen.len();
        let out = self.child.stdout.as_mut().unwrap();
        let mut chunk = [0; 4096];
        while !self.seen[from..].contains(text) {
            let count = out.read(&mut chunk).unwrap();
            assert!(count > 0, "{text:?} never came: {:?}", self.seen);
            self.seen += &String::from_utf8_lossy(&chunk[..count]);
        }
    }

    fn press(&mut self, keys: &str) {
        let keyboard = self.child.stdin.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }

    fn end(mut self) -> String {
        let out = self.child.stdout.as_mut().unwrap();
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        self.seen += &String::from_utf8_lossy(&rest);
        self.child.wait().unwrap();
        let [before, after] = self
            .settings
            .map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(before, after, "the terminal's settings: {}", self.seen);
        assert!(self.seen.contains(LEFT), "{:?}", self.seen);
        assert!(self.seen.contains(CURSOR), "{:?}", self.seen);
        self.seen
    }
}

#[test]
fn keys_work_and_quitting_restores_the_terminal() {
    let Some(mut run) = Run::begin("quit", "") else {
        return;
    };
    run.wait_for("1 error");
    run.press("\r");
    run.wait_for("What to change");
    run.press("q");
    let seen = run.end();
    assert!(seen.contains("status 0"), "{seen:?}");
}

#[test]
fn a_panic_restores_the_terminal_before_its_message() {
    if !cfg!(debug_assertions) {
        eprintln!("skipped: only builds for tests can be made to panic");
        return;
    }
    let Some(mut run) = Run::begin("panic", "HANGUP_PROVOKE_PANIC=1") else {
        return;
    };
    run.wait_for("1 error");
    run.press("\x1b[24~");
    let seen = run.end();
    let left = seen.find(LEFT).unwrap();
    let message = seen.find("provoked").unwrap();
    assert!(left < message, "{seen:?}");
    assert!(seen.contains("status 101"), "{seen:?}");
}

#[test]
fn a_signal_restores_the_terminal() {
    let pid = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pid-signal");
    let before = format!("sh -c 'echo $$ > {}; exec \"$0\" \"$@\"'", pid.display());
    let Some(mut run) = Run::begin("signal", &before) else {
        return;
    };
    run.wait_for("1 error");
    let pid = std::fs::read_to_string(pid).unwrap();
    let killed = Command::new("kill").args(["-TERM", pid.trim()]).status();
    assert!(killed.unwrap().success());
    run.end();
}

/// What is no capture needs no screens: the terminal says why, and the status says that nothing was read.
#[test]
fn a_pipe_that_has_no_capture_is_refused() {
    let Some(run) = Run::of("text", "echo 'this is no capture' |", "-") else {
        return;
    };
    let seen = run.end();
    assert!(
        seen.contains("not a packet capture: it is text"),
        "{seen:?}"
    );
    assert!(seen.contains("status 2"), "{seen:?}");
}

#[test]
fn a_wrong_configuration_is_refused_before_the_screens() {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wrong-configuration");
    std::fs::create_dir_all(home.join("hangup")).unwrap();
    let text = "theme = \"dark\"\n[keys.connections]\nmarc = \"x\"\n";
    std::fs::write(home.join("hangup/config.toml"), text).unwrap();
    let line = format!(
        "XDG_CONFIG_HOME='{}' '{}' {RACE}; echo \"status $?\"",
        home.display(),
        env!("CARGO_BIN_EXE_hangup")
    );
    let script = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = script else {
        eprintln!("skipped: there is no `script` to make a pseudo-terminal with");
        return;
    };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("config.toml, line 3"), "{told:?}");
    assert!(
        told.contains("\"marc\"") && told.contains("mark"),
        "{told:?}"
    );
    assert!(told.contains("status 2"), "{told:?}");
}

/// Both kinds of screens are in the sandbox.
#[cfg(feature = "sandbox")]
#[test]
fn what_a_capture_could_make_the_screens_do_is_refused() {
    let version = Command::new(env!("CARGO_BIN_EXE_hangup"))
        .args(["--version", "-v"])
        .output();
    if String::from_utf8_lossy(&version.unwrap().stdout).contains("no Landlock") {
        eprintln!("not tested: this kernel has no Landlock");
        return;
    }
    for (name, arguments) in [("screens", RACE), ("live-screens", "live -i lo")] {
        if arguments != RACE && !may_capture() {
            eprintln!("not tested, for want of the right to capture");
            continue;
        }
        let Some(mut run) = Run::of(name, "HANGUP_PROVOKE_ATTEMPTS=1", arguments) else {
            return;
        };
        // They are told before the screens begin.
        run.wait_for(ENTERED);
        // While packets may come, it is pressed twice.
        run.press("qq");
        let seen = run.end();
        let tried = seen.split("attempts: ").nth(1).unwrap();
        let tried = tried.lines().next().unwrap();
        assert_eq!(tried.matches(" refused").count(), 7, "{name}: {tried}");
        assert!(!tried.contains("worked"), "{name}: {tried}");
    }
}

/// Whether this process has `CAP_NET_RAW`.
#[cfg(feature = "sandbox")]
fn may_capture() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = status.lines().find_map(|it| it.strip_prefix("CapEff:"));
    let held = u64::from_str_radix(held.unwrap().trim(), 16).unwrap();
    held & (1 << 13) != 0
}
