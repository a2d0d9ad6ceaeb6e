//! `hangup anonymise`: a capture on which the same is found, without names and contents.
//!
//! The capture is read once, so that a pipe will do. Several are one timeline, and become one capture. The output appears under its name only when it is whole.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use super::new_file::NewFile;
use super::output::{capture_target, closed};
use super::progress::ProgressLine;
use super::sandbox::Needs;
use super::{cli, interrupt};
use crate::anonymise::{CopyError, Key, Totals, copy};
use crate::base::format::{bytes, count};
use crate::base::shell::shell_word;
use crate::packet::capture::{self, OpenOptions};
use crate::packet::places;

/// The longest key file that is read: what is longer is no key, but the wrong file.
const MAX_KEY: u64 = 4096;

pub(super) fn anonymise(asked: &cli::AnonymiseArgs) -> Result<ExitCode> {
    let files = asked.input.paths();
    refuse_secrets(asked, &files)?;
    let target = capture_target(&asked.output, asked.force, &files, "hangup report -")?;
    let key = match &asked.key {
        Some(path) => key(path)?,
        None => Key::random()?,
    };
    let unwritable = || format!("{}: the capture cannot be written", asked.output.display());
    let new = target
        .map(NewFile::create)
        .transpose()
        .with_context(unwritable)?;
    Needs::default()
        .reading(&files)
        .naming(new.as_ref())
        .confine();
    interrupt::say_on_interrupt("nothing was written");
    if places::are_several(&files) {
        return Err(no_timeline(&files));
    }
    let mut source = capture::open(&files, &OpenOptions::default())?;
    let mut progress = ProgressLine::new();
    let mut at = |frames| progress.at(frames);
    let copied = match new {
        Some(new) => {
            let buffer = BufWriter::with_capacity(1 << 16, new);
            match copy(&mut *source, key, buffer, &mut at) {
                Ok((totals, buffer)) => {
                    buffer.into_inner()?.finish()?;
                    Ok(totals)
                }
                Err(error) => Err(error),
            }
        }
        None => {
            let buffer = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            copy(&mut *source, key, buffer, &mut at).map(|(totals, _)| totals)
        }
    };
    drop(progress);
    let has_secrets = source.files().iter().any(|it| !it.secrets.is_empty());
    let totals = match copied {
        Ok(totals) => totals,
        Err(CopyError::Write(error)) => return Err(closed(error)).with_context(unwritable),
        Err(CopyError::Read(error)) => return Err(error.into()),
    };
    // If standard error is closed, the exit status is the only answer.
    let _ = io::stderr().write_all(summary(&totals, asked, target, has_secrets).as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn key(path: &Path) -> Result<Key> {
    use std::io::Read as _;

    let file = std::fs::File::open(path).with_context(|| format!("{}: the key", path.display()))?;
    let mut bytes = Vec::new();
    file.take(MAX_KEY + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_KEY {
        bail!(
            "{}: that is no key, it has more than {MAX_KEY} bytes; `head -c 32 /dev/urandom > KEY` makes one",
            path.display()
        );
    }
    Key::of_bytes(&bytes).with_context(|| path.display().to_string())
}

/// One capture does not show that a connection was captured at several places; captures under one key do.
fn no_timeline(files: &[PathBuf]) -> anyhow::Error {
    let first = files.first().map_or(Path::new("FILE"), PathBuf::as_path);
    anyhow!(
        "these files show the same connections at several places, and one capture cannot: make a key once \
         (head -c 32 /dev/urandom > KEY), anonymise each of them with it (hangup anonymise {} --key KEY -o OUT.pcapng), \
         and report on all of these",
        shell_word(first)
    )
}

/// A copy holds other bytes where TLS has encrypted something, and no secret opens them.
fn refuse_secrets(asked: &cli::AnonymiseArgs, files: &[PathBuf]) -> Result<()> {
    let Some(secrets) = asked.keylog.first() else {
        return Ok(());
    };
    let file = files.first().map_or(Path::new("FILE"), PathBuf::as_path);
    bail!(
        "--keylog: what TLS encrypts is replaced as a whole, so no secret opens the copy: leave it out. \
         To show what is found inside TLS: hangup report {} --keylog {} -o found.md",
        shell_word(file),
        shell_word(secrets)
    );
}

/// What was replaced, what stayed, and what was left out.
fn summary(
    totals: &Totals,
    asked: &cli::AnonymiseArgs,
    target: Option<&Path>,
    has_secrets: bool,
) -> String {
    let streams = &totals.streams;
    let mut text = format!(
        "hangup: {} of {}{}\n",
        count(totals.frames, "packet", "packets"),
        count(totals.connections, "connection", "connections"),
        target.map_or_else(String::new, |it| format!(" in {}", it.display())),
    );
    let mut replaced = vec!["addresses".to_owned()];
    for (size, what) in [
        (streams.heads, "heads of HTTP"),
        (streams.bodies, "bodies"),
        (streams.frames, "frames of HTTP/2 and WebSocket"),
        (streams.tls, "TLS records"),
        (streams.messages, "messages of other protocols"),
    ] {
        if size > 0 {
            replaced.push(format!("{} of {what}", bytes(size)));
        }
    }
    text += &format!("  replaced   {}\n", replaced.join(", "));
    text += "  kept       times, lengths, ports, TCP and TLS headers, methods, statuses, error codes, names of products\n";
    let mut blank = Vec::new();
    if streams.unknown > 0 {
        blank.push(format!(
            "{} of streams that no parser understands",
            bytes(streams.unknown)
        ));
    }
    if totals.others > 0 {
        blank.push(format!(
            "the content of {} without TCP",
            count(totals.others, "packet", "packets")
        ));
    }
    if totals.dropped > 0 {
        blank.push(format!(
            "the rest of {}",
            count(totals.dropped, "connection", "connections")
        ));
    }
    if !blank.is_empty() {
        text += &format!("  filler     {}\n", blank.join(", "));
    }
    text += "  left out   comments, names of interfaces and hosts, TLS secrets\n";
    if has_secrets {
        text += "             The secrets of the capture open the original alone: the copy shows what it shows without them.\n";
    }
    text += match asked.key {
        Some(_) => "  key        from the file: the same names become the same again\n",
        None => "  key        random, and not kept\n",
    };
    text
}
