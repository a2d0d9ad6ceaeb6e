//! `hangup report --each`: many captures that have nothing to do with one another, a line each.
//!
//! As many are analysed at once as there are threads; each has one, and is given up when its line is made. So memory is
//! bounded by that number and by the limits of one analysis. The lines come in the order of the files.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use anyhow::{Context as _, Result, bail};

use super::analysis::Analysis;
use super::judge::ReportSelection;
use super::key_logs::Presence;
use super::new_file::NewFile;
use super::options::AnalysisOptions;
use super::output::{self, FAILED};
use super::sandbox::Needs;
use super::{cli, mistakes};
use crate::packet::capture::OpenOptions;
use crate::report::{EachFormat, EachLines, EachRow, Format};
use crate::rules::Severity;

/// What becomes of one capture.
struct Done {
    row: EachRow,
    read: bool,
    worst: Option<Severity>,
    ignored: Option<String>,
}

/// Analyses every capture by itself.
pub(super) fn each(asked: &cli::ReadArgs, output: &cli::OutputArgs) -> Result<ExitCode> {
    let format = match output::format(&output.target)?.unwrap_or(Format::Text) {
        Format::Text => EachFormat::Text,
        Format::Ndjson => EachFormat::Ndjson,
        Format::Csv => EachFormat::Csv,
        Format::Json | Format::Markdown | Format::Html => {
            bail!("--each writes lines: -f text, ndjson or csv")
        }
    };
    let files = asked.files();
    let to = output.target.file();
    if let Some(path) = to {
        output::refuse_to_overwrite_inputs(&files, path)?;
    }
    let open = OpenOptions::with_filter(asked.filter.clone())?;
    let mut options = asked.options(false);
    // A mistake is told once, not for each capture.
    ReportSelection::of(&options, Presence::Required)?;
    options.fix_threads();
    let threads = options.threads().min(files.len()).max(1);
    options.threads = Some(1);
    let file = to.map(output::begin).transpose()?.map(|(file, _)| file);
    // A capture that is not there is a line, and no reason to go without a sandbox.
    let there = files.iter().filter(|it| it.exists());
    Needs::default()
        .reading(there)
        .judging(&asked.judging, false)
        .naming(file.as_ref())
        .confine();
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let totals = thread::scope(|scope| {
        let (tell, told) = channel();
        let (next, over, files, options) = (&next, &over, &files, &options);
        for _ in 0..threads {
            let (tell, open) = (tell.clone(), open.clone());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = files.get(at) else {
                        return;
                    };
                    // Nobody listens when standard output is closed.
                    let _ = tell.send((at, analysed(path, &open, options)));
                }
            });
        }
        drop(tell);
        let written = write(&told, format, files, file, to);
        over.store(true, Ordering::Relaxed);
        written
    })?;
    Ok(totals.exit_code(&asked.judging))
}

/// The line of one capture.
fn analysed(path: &PathBuf, open: &OpenOptions, options: &AnalysisOptions) -> Done {
    let mut options = options.clone();
    options.relate_if_small(&[path]);
    match Analysis::read(&[path], open, &options, &mut |_| {}) {
        Ok(analysis) => Done {
            row: EachRow::of(path, &analysis.snapshot),
            read: true,
            worst: analysis.worst,
            ignored: analysis.snapshot.ignored.told(),
        },
        Err(error) => {
            let message = mistakes::told(&error.into());
            // The line begins with the path.
            let name = format!("{}: ", path.display());
            let message = message.strip_prefix(&name).unwrap_or(&message);
            Done {
                row: EachRow::unread(path, Some(message)),
                read: false,
                worst: None,
                ignored: None,
            }
        }
    }
}

/// Of all captures together.
#[derive(Default)]
struct Totals {
    unread: u64,
    worst: Option<Severity>,
    ignored: bool,
}

impl Totals {
    fn exit_code(&self, asked: &cli::JudgingArgs) -> ExitCode {
        if self.unread > 0 {
            return ExitCode::from(FAILED);
        }
        let ignored = self
            .ignored
            .then(|| "the ignore file leaves out".to_owned());
        output::exit_status(asked, self.worst, ignored)
    }
}

/// Writes the lines in order, each as soon as those before it are there.
fn write(
    told: &Receiver<(usize, Done)>,
    format: EachFormat,
    files: &[PathBuf],
    mut file: Option<NewFile>,
    to: Option<&Path>,
) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut put = |out: &mut dyn Write| -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let lines = EachLines::begin(format, files, &mut out)?;
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (at, done) in told {
            waiting.insert(at, done);
            while let Some(done) = waiting.remove(&next) {
                next += 1;
                totals.unread += u64::from(!done.read);
                totals.worst = totals.worst.max(done.worst);
                totals.ignored |= done.ignored.is_some();
                lines.row(&done.row, &mut out)?;
                out.flush()?;
            }
        }
        out.flush()
    };
    match (&mut file, to) {
        (Some(file), Some(path)) => put(file).with_context(|| output::not_written(path))?,
        _ => put(&mut io::stdout().lock()).map_err(output::closed)?,
    }
    if let (Some(file), Some(path)) = (file, to) {
        file.finish().with_context(|| output::not_written(path))?;
    }
    Ok(totals)
}
