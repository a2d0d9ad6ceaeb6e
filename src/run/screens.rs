//! The screens over files: reads beside them, and does for them what reaches outside.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::session::Session;
use super::{FOUND, analysis, terminal};
use crate::capture::{self, OpenOptions, PcapngWriter, Source};
use crate::cli;
use crate::connection::Brief;
use crate::engine;
use crate::ledger::Snapshot;
use crate::report::{self, Zone};
use crate::ui::{self, Desk};

/// Opens the screens at once, and fills them while the captures are read.
pub(super) fn on_files(asked: &cli::Read, screen: &cli::Screen) -> Result<ExitCode> {
    // What cannot be opened is said before the screens are there.
    let reading = Session::of_files(asked)?;
    let watch = reading.watch();
    let running = reading.running();
    terminal::mind(reading, Arc::clone(&watch));
    let session = ui::Session {
        name: name(&asked.files),
        zone: zone(asked),
        time_wait: Duration::from_secs(asked.time_wait.into()),
        desk: Arc::new(Files {
            asked: asked.clone(),
        }),
    };
    let look = terminal::look(screen, asked.color);
    let shown = terminal::show(session, look, !screen.no_mouse, &watch);
    running.stop();
    shown?;
    let bar = asked.fail_on.map(analysis::severity);
    let worst = watch.snapshot().findings.iter().map(|it| it.severity).max();
    let met = bar.is_some_and(|bar| worst >= Some(bar));
    Ok(if met {
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    })
}

/// What the screens are about, in a word or two.
fn name(files: &[PathBuf]) -> String {
    let name = |path: &Path| {
        let last = path.file_name().unwrap_or(path.as_os_str());
        crate::escape::escape(last.to_string_lossy().as_bytes()).into_owned()
    };
    match files {
        [] => String::new(),
        [only] if only == Path::new("-") => "standard input".to_owned(),
        [only] => name(only),
        [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
    }
}

fn zone(asked: &cli::Read) -> Zone {
    if asked.local {
        Zone::local()
    } else {
        Zone::UTC
    }
}

/// Files can be read again.
struct Files {
    asked: cli::Read,
}

impl Desk for Files {
    fn packets(&self) -> Result<Box<dyn Source>, String> {
        let pipe = self.asked.files.iter().any(|file| !file.is_file());
        if pipe {
            return Err(
                "what came through a pipe cannot be read again: save it to a file first".to_owned(),
            );
        }
        let options = OpenOptions {
            filter: self.asked.filter.clone(),
        };
        capture::open(&self.asked.files, &options).map_err(|error| error.to_string())
    }

    fn write_report(&self, snapshot: &Snapshot, to: &Path) -> Result<(), String> {
        let write = || -> Result<()> {
            super::spare_the_inputs(&self.asked, to)?;
            let format = match super::format_of(to) {
                Some(cli::Format::Json) => report::Format::Json,
                Some(cli::Format::Ndjson) => report::Format::Ndjson,
                Some(cli::Format::Markdown) => report::Format::Markdown,
                Some(cli::Format::Csv) => report::Format::Csv,
                Some(cli::Format::Text) | None => report::Format::Text,
            };
            let options = report::Options {
                zone: zone(&self.asked),
                ..report::Options::default()
            };
            let mut out = BufWriter::new(File::create(to)?);
            report::write(snapshot, format, &options, &mut out)?;
            out.flush()?;
            Ok(())
        };
        write().map_err(|error| format!("{}: {error:#}", to.display()))
    }

    fn write_frames(&self, of: &[Brief], to: &Path) -> Result<u64, String> {
        let write = || -> Result<u64> {
            super::spare_the_inputs(&self.asked, to)?;
            let mut source = self.packets().map_err(anyhow::Error::msg)?;
            let file = BufWriter::with_capacity(1 << 16, File::create(to)?);
            let mut writer = PcapngWriter::new(file)?;
            let frames = engine::extract(&mut *source, of, || true, |frame| writer.frame(frame))?;
            writer.finish()?;
            Ok(frames)
        };
        write().map_err(|error| format!("{}: {error:#}", to.display()))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}
