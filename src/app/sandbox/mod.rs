//! The sandbox: what reads bytes from packets may do little else.
//!
//! In: which files a command reads, and where it writes. Out: nothing; what the system does not offer is skipped, because
//! a report without a sandbox is better than none, and `hangup --version -v` says what there is ([`status`]).
//!
//! Rights belong to threads and are inherited by threads that a thread starts, so this comes before any other. On Linux
//! a program in the sandbox has no capabilities and gets no new privileges; Landlock leaves it the files that were named
//! and no network; seccomp leaves it the system calls it needs (`system_calls.rs`). Programs cannot be started either,
//! so what the screens start for the clipboard runs beside the sandbox (`clipboard.rs`). Other systems: nothing yet.

#[cfg(any(feature = "live", feature = "mcp"))]
use std::path::Path;
use std::path::PathBuf;

use super::new_file::{NewFile, folder};
use super::{cli, selection};

#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod linux;
#[cfg(all(
    feature = "sandbox",
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
mod system_calls;
#[cfg(all(feature = "sandbox", feature = "live", target_os = "linux"))]
mod user;
#[cfg(all(feature = "sandbox", feature = "live", target_os = "linux"))]
pub(super) use user::caller;

/// What a command needs from the file system once it is in the sandbox.
#[derive(Debug, Default)]
#[cfg_attr(
    not(all(feature = "sandbox", target_os = "linux")),
    allow(dead_code, reason = "there is no sandbox that reads it")
)]
pub(super) struct Needs {
    /// Files that are read.
    reads: Vec<PathBuf>,
    /// Folders in which files are read, because a file may appear there later, or be replaced.
    reads_in: Vec<PathBuf>,
    /// Folders that are listed, and in which files are read, at any depth.
    browses: Vec<PathBuf>,
    /// Folders in which files are written.
    writes_in: Vec<PathBuf>,
    /// Folders in which an open file gets its name.
    renames_in: Vec<PathBuf>,
    /// Interfaces that packets are captured on.
    interfaces: Vec<String>,
    /// A socket is bound, on which connections are accepted.
    serves: bool,
}

impl Needs {
    /// What reading captures and judging them needs.
    #[must_use]
    pub(super) fn of(asked: &cli::ReadArgs) -> Self {
        let files = asked.files();
        let has_end = |path: &PathBuf| path.metadata().is_ok_and(|it| it.is_file());
        let grows = asked.follow || !files.iter().all(has_end);
        Self::default()
            .reading(&files)
            .reading(&asked.log)
            .judging(&asked.judging, grows)
    }

    /// What judging needs: key logs and the list of what to ignore. `grows`: a key log may appear or be replaced.
    #[must_use]
    pub(super) fn judging(self, asked: &cli::JudgingArgs, grows: bool) -> Self {
        let list = selection::ignore_path(&asked.options(false).ignore);
        let needs = self.reading(list.as_ref());
        match grows {
            true => needs.following(&asked.keylog),
            false => needs.reading(&asked.keylog),
        }
    }

    /// These captures or other files are read; `-` is standard input.
    #[must_use]
    pub(super) fn reading<'a>(mut self, files: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let named = files.into_iter().filter(|it| it.as_os_str() != "-");
        self.reads.extend(named.cloned());
        self
    }

    /// These files are read, and may be created or replaced meanwhile.
    #[must_use]
    fn following<'a>(mut self, files: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        self.reads_in
            .extend(files.into_iter().map(|it| folder(it).to_owned()));
        self
    }

    /// The files below this folder are listed and read.
    #[must_use]
    #[cfg(feature = "mcp")]
    pub(super) fn browsing(mut self, folder: &Path) -> Self {
        self.browses.push(folder.to_owned());
        self
    }

    /// Files are written in the folder of this one.
    #[must_use]
    #[cfg(feature = "live")]
    pub(super) fn writing(mut self, file: Option<&Path>) -> Self {
        self.writes_in.extend(file.map(|it| folder(it).to_owned()));
        self
    }

    /// Files are written in the working directory, by names that are typed later. Not where that is the whole system.
    #[must_use]
    #[cfg(any(feature = "ui", feature = "live"))]
    pub(super) fn writing_here(mut self) -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        if here.parent().is_some() {
            self.writes_in.push(here);
        }
        self
    }

    /// This file, which is open already, gets its name.
    #[must_use]
    pub(super) fn naming(mut self, file: Option<&NewFile>) -> Self {
        let folder = file.and_then(NewFile::folder);
        self.renames_in.extend(folder.map(ToOwned::to_owned));
        self
    }

    /// Packets are captured on this interface, which is open.
    #[must_use]
    #[cfg(feature = "live")]
    pub(super) fn capturing(mut self, interface: &str) -> Self {
        self.interfaces.push(interface.to_owned());
        self
    }

    /// Connections are accepted on a socket that is bound.
    #[must_use]
    pub(super) fn serving(mut self, serves: bool) -> Self {
        self.serves = serves;
        self
    }

    /// Gives up every other right. Only once, before other threads exist.
    pub(super) fn confine(self) {
        // Otherwise the command is about to fail, and looks for what was meant instead.
        #[cfg(all(feature = "sandbox", target_os = "linux"))]
        if self.reads.iter().all(|it| it.exists()) {
            // What is not available is left out; `status` says what.
            let _ = linux::confine(&self);
            attempts();
        }
    }
}

/// Gives up what the helper of the clipboard does not need: it starts programs, and has no capabilities.
#[cfg(feature = "ui")]
pub(super) fn drop_privileges() {
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    linux::drop_privileges();
}

/// Gives up what the helper that asks the operating system does not need.
#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) fn keep_looking() {
    #[cfg(feature = "sandbox")]
    linux::keep_looking();
}

/// What keeps files from being written, if the sandbox does: for a message.
#[must_use]
#[cfg(feature = "ui")]
pub(super) fn reason(error: &std::io::Error) -> Option<&'static str> {
    let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
    (denied && cfg!(all(feature = "sandbox", target_os = "linux"))).then_some(
        "the screens write only below the folder that hangup was started in; name a file there",
    )
}

/// What this system offers, a line each, for `hangup --version -v`.
#[must_use]
pub(super) fn status() -> Vec<String> {
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    return linux::status();
    #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
    vec!["sandbox: none on this system, or in this build".to_owned()]
}

/// Debug builds try what must fail, if the environment asks for it, and say what came of it: for the tests.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
fn attempts() {
    use std::io::Write as _;

    if !cfg!(debug_assertions) || std::env::var_os("HANGUP_PROVOKE_ATTEMPTS").is_none() {
        return;
    }
    let told = try_all().map(|(what, worked)| match worked {
        true => format!("{what} worked"),
        false => format!("{what} refused"),
    });
    // If standard error is closed, there is no test.
    let _ = writeln!(std::io::stderr(), "attempts: {}", told.join(", "));
}

/// What a program that was taken over would try, and whether it worked.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
fn try_all() -> [(&'static str, bool); 7] {
    use rustix::process::{PidfdFlags, getppid, pidfd_open, test_kill_process};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    let reads = |path: &str| std::fs::read(path).is_ok();
    let written = tempfile::Builder::new()
        .prefix("hangup-attempt")
        .tempfile_in("/tmp");
    // Refused by a host is not refused by the sandbox.
    let connected = match TcpStream::connect("127.0.0.1:9") {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    };
    let bound = TcpListener::bind("127.0.0.1:0").is_ok() || UdpSocket::bind("127.0.0.1:0").is_ok();
    let parent = getppid();
    // What `ptrace` and its relatives need first: the memory of another process, or a handle of it.
    let memory = parent.is_some_and(|it| {
        reads(&format!("/proc/{}/maps", it.as_raw_nonzero()))
            || pidfd_open(it, PidfdFlags::empty()).is_ok()
    });
    [
        ("read", reads("/etc/passwd") || reads("/etc/shadow")),
        ("write", written.is_ok()),
        ("connect", connected),
        ("listen", bound),
        ("start", std::process::Command::new("true").status().is_ok()),
        (
            "signal",
            parent.is_some_and(|it| test_kill_process(it).is_ok()),
        ),
        ("trace", memory),
    ]
}

#[cfg(all(test, feature = "sandbox", target_os = "linux"))]
mod tests {
    /// So that what is refused in the sandbox is refused by the sandbox.
    #[test]
    fn without_the_sandbox_each_attempt_works() {
        for (what, worked) in super::try_all() {
            assert!(worked, "{what}");
        }
    }
}
