//! `hangup diff`: reads two captures, or one for two of its connections, and writes what differs.
//!
//! Both captures are in memory at once, each within the limits of one. The exit status is that of `diff`: 0 if nothing
//! differs, 1 if something does, 2 if they cannot be compared.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::analysis::Analysis;
use super::options::AnalysisOptions;
use super::output::{self, FOUND, begin, refuse_to_overwrite_inputs, wants_color, write_to, zone};
use super::progress::ProgressLine;
use super::sandbox::Needs;
use super::{cli, interrupt};
use crate::base::format::counted;
use crate::base::shell::shell_word;
use crate::packet::capture::OpenOptions;
use crate::report::comparison::Comparison;
use crate::report::snapshot::Snapshot;
use crate::report::{Format, ReportOptions};

pub(super) fn diff(asked: &cli::DiffArgs) -> Result<ExitCode> {
    let to = asked.target.file();
    if let Some(path) = to {
        refuse_to_overwrite_inputs(&asked.files, path)?;
    }
    let format = format(asked)?;
    let pair = pair(asked)?;
    let [one, other] = match (&asked.files[..], pair) {
        ([file], Some(_)) => [file, file],
        ([one, other], None) => [one, other],
        _ => bail!("{}", usage(&asked.files, pair)),
    };
    // What looks at the system outside comes before the sandbox.
    let open = OpenOptions::with_filter(asked.filter.clone())?;
    let mut wanted = AnalysisOptions {
        filter: asked.filter.clone(),
        key_logs: asked.keylog.clone(),
        ..AnalysisOptions::default()
    };
    wanted.fix_threads();
    let shown = ReportOptions {
        color: wants_color(asked.color, to.is_none()),
        zone: zone(asked.local),
        ..ReportOptions::default()
    };
    let to = to.map(begin).transpose()?;
    Needs::default()
        .reading(&asked.files)
        .reading(&asked.keylog)
        .naming(to.as_ref().map(|(file, _)| file))
        .confine();
    interrupt::say_on_interrupt("nothing was compared");
    let read = |file: &PathBuf| {
        let mut progress = ProgressLine::new();
        Analysis::read(&[file], &open, &wanted, &mut |frames| progress.at(frames))
    };
    let a = read(one)?;
    let comparison = match pair {
        Some(ids) => of_connections(&a.snapshot, one, ids)?,
        None => {
            let b = read(other)?;
            for (analysis, file) in [(&a, one), (&b, other)] {
                if analysis.summaries().is_empty() {
                    bail!(
                        "{}: has no TCP connection to compare; `hangup report {}` says what it has",
                        file.display(),
                        shell_word(file)
                    );
                }
            }
            Comparison::of_captures(&a.snapshot, &b.snapshot)
        }
    };
    if comparison.has_nothing_in_common() {
        bail!(
            "there is nothing to compare: A has {}, B has {}, and their requests differ too",
            comparison.alone(0).join(", "),
            comparison.alone(1).join(", ")
        );
    }
    write_to(to, |out| comparison.write(format, &shown, out))?;
    Ok(match comparison.differences() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(FOUND),
    })
}

/// The format, which must be one of those that a comparison has.
fn format(asked: &cli::DiffArgs) -> Result<Format> {
    let format = output::format(&asked.target)?.unwrap_or(Format::Text);
    match format {
        Format::Text | Format::Markdown | Format::Json => Ok(format),
        Format::Ndjson | Format::Csv | Format::Html => {
            bail!("a comparison is written as text, json or markdown: -f json, or -o OUT.json")
        }
    }
}

/// The two connections, if any were named.
fn pair(asked: &cli::DiffArgs) -> Result<Option<[u32; 2]>> {
    let named = &asked.connections;
    if named.is_empty() {
        return Ok(None);
    }
    let all = named.iter().flat_map(|(low, high)| *low..=*high).take(3);
    match all.collect::<Vec<_>>()[..] {
        [one, other] if one != other => Ok(Some([one, other])),
        _ => bail!("two different connections are compared: --connections 3,7"),
    }
}

/// What to type instead.
fn usage(files: &[PathBuf], pair: Option<[u32; 2]>) -> String {
    let first = files
        .first()
        .map_or_else(|| "A.pcapng".to_owned(), shell_word);
    match (files.len(), pair) {
        (2.., Some([one, other])) => format!(
            "--connections compares two connections of one capture: \
             hangup diff {first} --connections {one},{other}"
        ),
        (0, Some([one, other])) => format!(
            "the capture of the two connections is missing: \
             hangup diff {first} --connections {one},{other}"
        ),
        (0 | 1, _) => format!(
            "two captures are compared: hangup diff {first} B.pcapng; \
             or two connections of one: hangup diff {first} --connections 3,7"
        ),
        (some, _) => {
            let other = files.get(1).map_or_else(String::new, shell_word);
            format!(
                "two captures are compared, and these are {some}: hangup diff {first} {other}; \
                 files of one capture are put together by `mergecap -w ALL.pcapng FILE…`"
            )
        }
    }
}

fn of_connections(snapshot: &Snapshot, file: &Path, ids: [u32; 2]) -> Result<Comparison> {
    let [one, other] = ids.map(|id| snapshot.connection(id).ok_or(id));
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(Comparison::of_connections(snapshot, one, other)),
        (Err(missing), _) | (_, Err(missing)) => {
            let total = snapshot.summaries.len();
            if snapshot.connection_summary(missing).is_some() {
                bail!(
                    "the details of connection {missing} are gone, because the capture has too many to keep all; \
                     read fewer packets: --filter 'host ADDRESS and port PORT'"
                );
            }
            bail!(
                "there is no connection {missing}: {} has {}; `hangup report {} --connections all` lists them",
                file.display(),
                counted(total, "connection"),
                shell_word(file)
            )
        }
    }
}
