//! `hangup live` and `hangup interfaces`: opens an interface, drops privileges, and shows the analysis on screens or
//! prints it.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};

use super::headless::{self, FeedPlan, Until};
use super::local::LocalHelper;
use super::output::{self, print, refuse_to_replace};
use super::sandbox::Needs;
use super::session::{FlightRecorder, Session};
use super::system::now;
use super::{cli, judge};
#[cfg(feature = "ui")]
use super::{clipboard::Clipboard, config, tui, tui::Outside, tui_loop};
use crate::base::escape::escape;
use crate::base::shell::shell_word;
use crate::packet::capture::{
    self, CaptureError, LiveOptions, Recent, RecentLimits, Recording, Rotation,
};
use crate::report::feed::FeedFormat;

/// The name of the flight recorder's files unless `-w` gives one.
const FLIGHT: &str = "hangup.pcapng";

pub(super) fn live(asked: &cli::LiveArgs) -> Result<ExitCode> {
    let mut options = asked.judging.options(false);
    #[cfg(feature = "ui")]
    {
        options.search_requests = !asked.without_screens() && tui_loop::is_there();
    }
    judge::check_rules(&options)?;
    // Before any right is given up, and before the first packet.
    #[cfg(feature = "ui")]
    let config = config::read(&asked.screen)?;
    let interface = match &asked.interface {
        Some(name) => name.clone(),
        None => {
            let all = capture::interfaces()?;
            let default_interface = capture::default_interface(&all).map(|it| it.name.clone());
            default_interface
                .context("there is no interface to capture on; `hangup interfaces` says why")?
        }
    };
    let mut wanted = LiveOptions::new(&interface, now);
    wanted.filter = asked.filter.join(" ");
    wanted.snap_length = asked.snaplen;
    wanted.buffer = u32::try_from(asked.buffer).unwrap_or(u32::MAX);
    wanted.promiscuous = asked.promiscuous;
    wanted.immediate = asked.immediate;
    wanted.packets = asked.packets;
    // Where files are numbered, the first of them is refused when it is created.
    let numbers =
        asked.rotate_size.is_some() || asked.rotate_time.is_some() || asked.keep.is_some();
    if let Some(path) = asked.write.as_deref().filter(|_| !numbers) {
        refuse_to_replace(path, asked.force)?;
    }
    let source = capture::live(&wanted).map_err(with_permission_hint)?;
    let writes = asked.keep.map(|_| PathBuf::from(FLIGHT));
    let writes = asked.write.clone().or(writes);
    let shown = output::options(&asked.judging, true);

    // Only the screens read connections again.
    let remembers = options.search_requests || asked.keep.is_some();
    let recent = remembers.then(|| {
        Recent::new(RecentLimits {
            bytes: usize::try_from(asked.memory).unwrap_or(usize::MAX),
            age: asked.keep,
        })
    });
    let mut source = match &recent {
        Some(recent) => recent.of(source),
        None => source,
    };
    let mut flight = None;
    match (writes, asked.keep.zip(recent.as_ref())) {
        (Some(path), Some((age, recent))) => {
            flight = Some(FlightRecorder {
                severity: asked.keep_severity.into(),
                path,
                recent: Arc::clone(recent),
                age,
            });
        }
        (Some(path), None) => {
            let rotation = Rotation {
                size: asked.rotate_size,
                time: asked.rotate_time,
                files: asked.rotate_files.map(usize::from),
            };
            if asked.force {
                replace(&path)?;
            }
            source = Recording::begin(&path, rotation)?.of(source);
            if !numbers {
                give_to_caller(&path);
            }
        }
        (None, _) => {}
    }
    let format = match asked.format {
        Some(cli::FeedFormatArg::Ndjson) => FeedFormat::Ndjson,
        _ => FeedFormat::Text,
    };
    let plan = FeedPlan::new(&asked.feed, format)?;
    let mut needs = Needs::default()
        .serving(asked.feed.metrics.is_some())
        .judging(&asked.judging, true)
        .capturing(&interface)
        .writing(asked.write.as_deref().filter(|_| numbers));
    if options.search_requests || asked.keep.is_some() && asked.write.is_none() {
        needs = needs.writing_here();
    }
    #[cfg(feature = "ui")]
    let clipboard = options.search_requests.then(Clipboard::new);
    // What looks at the system outside comes before the sandbox.
    options.fix_threads();
    let local = LocalHelper::begin();
    // Before another thread exists, and before the first packet is read.
    needs.confine();
    let local = local.map(LocalHelper::listen);
    let session = Session::of_source(source, recent, flight, local, &options)?;
    #[cfg(feature = "ui")]
    if let Some(clipboard) = clipboard {
        let outside = Outside {
            zone: shown.zone,
            clipboard,
        };
        return tui::on_interface(session, &interface, asked, config, outside);
    }
    let until = Until::signal().or_after(asked.duration);
    // If standard error is closed, the message has no reader.
    let _ = writeln!(
        io::stderr(),
        "hangup: capturing on {}; Ctrl-C ends it",
        escape(interface.as_bytes())
    );
    headless::follow(session, &until, &asked.judging, &shown, plan)
}

/// Removes a file that `--force` replaces. A link is never followed.
fn replace(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: it cannot be replaced", path.display()))
        }
        _ => Ok(()),
    }
}

/// A file that root wrote for who called `sudo` is theirs.
fn give_to_caller(path: &Path) {
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    if let Some((user, group)) = super::sandbox::caller() {
        // If it stays root's, it is there all the same.
        let _ = std::os::unix::fs::lchown(path, Some(user), Some(group));
    }
    #[cfg(not(all(feature = "sandbox", target_os = "linux")))]
    let _ = path;
}

/// Adds to a permission error how to get the permission.
fn with_permission_hint(error: CaptureError) -> anyhow::Error {
    match error {
        CaptureError::NotPermitted { interface } => anyhow!(
            "{interface}: this user may not capture. This once: sudo {}. From now on: {}",
            typed_again(),
            setcap()
        ),
        other => other.into(),
    }
}

/// This program, as a shell finds it: sudo does not look where a user's programs are.
pub(super) fn program() -> String {
    std::env::current_exe().map_or_else(|_| "hangup".to_owned(), shell_word)
}

/// The command line, as it was typed.
fn typed_again() -> String {
    let words = std::env::args_os().skip(1).map(shell_word);
    std::iter::once(program())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn setcap() -> String {
    format!("sudo setcap cap_net_raw+ep {}", program())
}

pub(super) fn interfaces() -> Result<ExitCode> {
    let all = capture::interfaces()?;
    let default_interface = capture::default_interface(&all).map(|it| it.name.clone());
    let width = all
        .iter()
        .map(|it| it.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for it in &all {
        let marker = if Some(&it.name) == default_interface.as_ref() {
            '*'
        } else {
            ' '
        };
        let state = match (it.is_up, it.is_running) {
            (true, true) => "up",
            (true, false) => "no carrier",
            (false, _) => "down",
        };
        let addresses: Vec<String> = it.addresses.iter().map(ToString::to_string).collect();
        let mut told = addresses.join(", ");
        if let Some(description) = &it.description {
            let apart = if told.is_empty() { "" } else { "  " };
            told += &format!("{apart}({})", escape(description.as_bytes()));
        }
        let name = escape(it.name.as_bytes());
        let line = format!("{marker} {name:width$}  {state:10}  {told}");
        text += line.trim_end();
        text.push('\n');
    }
    if default_interface.is_some() {
        text += "\n* is what `hangup live` takes if no interface is named.\n";
    }
    // The only reliable test of the permission is to open an interface.
    let tried = default_interface.or_else(|| all.first().map(|it| it.name.clone()));
    let denied = tried.and_then(|name| capture::live(&LiveOptions::new(name, now)).err());
    match denied {
        Some(CaptureError::NotPermitted { .. }) => {
            text += &format!(
                "\nThis user may not capture. This once: sudo {} live. From now on: {}\n",
                program(),
                setcap()
            );
        }
        Some(other) => text += &format!("\n{other}\n"),
        None if all.is_empty() => text += "There is no interface.\n",
        None => {}
    }
    print(text)
}
