//! `hangup extract`: writes the frames of some connections to a pcapng file of their own, with comments on what happened.
//!
//! A first pass over the input judges the connections, a second one copies frames; so a pipe will not do. The output appears
//! under its name only when it is whole. An input is never written to, and an existing file is replaced only with `--force`.
//! The screens write captures in the same way.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};

use super::analysis::Analysis;
use super::new_file::NewFile;
use super::options::{AnalysisError, AnalysisOptions};
use super::output::{capture_target, closed};
use super::progress::ProgressLine;
use super::sandbox::Needs;
use super::{cli, interrupt};
use crate::analysis::connection::ConnectionSummary;
use crate::analysis::engine::{self, ExtractError};
use crate::base::format::{count, counted};
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::base::shell::shell_word;
use crate::packet::capture::{FileSummary, Frame, OpenOptions, PcapngWriter, Source};
use crate::packet::places;
use crate::report::filter::{Filter, FilterEvaluator, FilterKey};
use crate::report::snapshot::{FindingsIndex, Snapshot};
use crate::report::{self, NumberedFinding};
use crate::rules;

pub(super) fn extract(asked: &cli::ExtractArgs) -> Result<ExitCode> {
    let files = asked.input.paths();
    let target = target(asked, &files)?;
    let query = query(asked)?;
    let named = named(asked)?;
    // What looks at the system outside comes before the sandbox.
    let open = OpenOptions::with_filter(asked.filter.clone())?;
    let mut options = AnalysisOptions {
        filter: asked.filter.clone(),
        key_logs: asked.keylog.clone(),
        search_requests: true,
        ..AnalysisOptions::default()
    };
    options.fix_threads();
    let unwritable = || format!("{}: the capture cannot be written", asked.output.display());
    let file = target.map(NewFile::create).transpose();
    let file = file.with_context(unwritable)?;
    Needs::default()
        .reading(&files)
        .reading(&asked.keylog)
        .naming(file.as_ref())
        .confine();
    interrupt::say_on_interrupt("nothing was written");
    let mut progress = ProgressLine::new();
    let (analysis, facts) =
        Analysis::described(&files, &open, &options, &mut |frames| progress.at(frames))?;
    drop(progress);
    let choice = Choice {
        asked,
        named,
        query: &query,
        analysis: &analysis,
        first: files.first().map_or_else(String::new, shell_word),
    };
    let again = || places::open(&files, &open);
    let (ids, why) = choice.connections(&mut || Ok(again()?))?;
    let excerpt = Excerpt {
        snapshot: &analysis.snapshot,
        ids: &ids,
        why,
        known: Some(&facts),
        with_secrets: asked.keep_secrets,
    };
    let mut source = again()?;
    let written = match file {
        Some(file) => excerpt.write_file(&mut *source, file),
        None => excerpt
            .write(
                &mut *source,
                BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            )
            .map(|(written, _)| written)
            .map_err(|error| match error {
                ExtractError::Write(error) => closed(error).into(),
                other => other.into(),
            }),
    };
    let written = written.with_context(unwritable)?;
    let secrets = facts.iter().any(|it| !it.secrets.is_empty()) && !asked.keep_secrets;
    // If standard error is closed, the exit status is the only answer.
    let _ = writeln!(
        io::stderr(),
        "hangup: {} of {}{}{}",
        count(written, "packet", "packets"),
        counted(ids.len(), "connection"),
        target.map_or_else(String::new, |it| format!(" in {}", it.display())),
        if secrets {
            "; the TLS secrets of the capture are left out, --keep-secrets keeps them"
        } else {
            ""
        }
    );
    Ok(ExitCode::SUCCESS)
}

/// The file to write to; `None` is standard output.
fn target<'a>(asked: &'a cli::ExtractArgs, files: &[PathBuf]) -> Result<Option<&'a Path>> {
    for file in files {
        if file.as_os_str() == "-"
            || file
                .metadata()
                .is_ok_and(|it| !it.is_file() && !it.is_dir())
        {
            bail!(
                "{}: a capture is read twice, and a pipe can be read once: save it to a file first",
                file.display()
            );
        }
        let word = file.to_string_lossy();
        if !file.exists()
            && word
                .split([' ', '('])
                .any(|it| FilterKey::of_word(it).is_some())
        {
            bail!(
                "{word}: that is no file but a filter: --where {}",
                shell_word(&*word)
            );
        }
    }
    capture_target(&asked.output, asked.force, files, "tshark -r -")
}

/// What `--where` and `--host` say together.
fn query(asked: &cli::ExtractArgs) -> Result<Filter> {
    let mut line: Vec<String> = Vec::new();
    let several = asked.filter_words.len() > 1;
    for words in &asked.filter_words {
        let (_, translated) = Filter::understand(words).map_err(|error| {
            let instead = error.instead;
            let instead = instead.map_or_else(String::new, |it| format!("; did you mean {it}?"));
            anyhow!("--where {words:?}: {}{instead}", error.message)
        })?;
        let words = translated.map_or_else(|| words.clone(), |it| it.line);
        line.push(if several { format!("({words})") } else { words });
    }
    let hosts: Vec<String> = asked.host.iter().map(|host| host_word(host)).collect();
    match &hosts[..] {
        [] => {}
        [only] => line.push(only.clone()),
        several => line.push(format!("({})", several.join(" or "))),
    }
    let line = match &line[..] {
        [words, host] if !several => format!("({words}) {host}"),
        all => all.join(" "),
    };
    Filter::parse(&line).map_err(|error| anyhow!("{line:?}: {}", error.message))
}

/// An address or a network, or else the name of a host that is asked.
fn host_word(host: &str) -> String {
    let address = host.split('/').next().unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(_) => format!("address:{host}"),
        Err(_) => format!("host:{host}"),
    }
}

/// A finding by which connections are chosen.
enum Named {
    Number(u32),
    Rule(&'static str),
}

/// What `--finding` names.
fn named(asked: &cli::ExtractArgs) -> Result<Vec<Named>> {
    let all = asked.finding.iter().map(|word| {
        if let Ok(number) = word.trim_start_matches('#').parse() {
            return Ok(Named::Number(number));
        }
        match rules::rule(word) {
            Some(rule) => Ok(Named::Rule(rule.name)),
            None => Err(AnalysisError::UnknownRule(word.clone()).into()),
        }
    });
    all.collect()
}

/// What decides which connections are written.
struct Choice<'a> {
    asked: &'a cli::ExtractArgs,
    named: Vec<Named>,
    query: &'a Filter,
    analysis: &'a Analysis,
    /// The first capture, as it is typed.
    first: String,
}

impl Choice<'_> {
    /// The connections, ascending, and why they are those.
    fn connections(
        &self,
        open: &mut dyn FnMut() -> Result<Box<dyn Source>>,
    ) -> Result<(Vec<u32>, String)> {
        let snapshot = &self.analysis.snapshot;
        let numbered = report::numbered_findings(snapshot);
        let mut ids = self.by_number()?;
        ids.extend(self.by_finding(&numbered)?);
        let names_none = self.asked.connection.is_empty() && self.named.is_empty();
        let filters = !self.query.is_everything();
        let why = match (names_none, filters) {
            (true, false) => {
                ids.extend(
                    numbered
                        .iter()
                        .flat_map(|it| it.connections.iter().copied()),
                );
                ", those that a finding names"
            }
            (true, true) => {
                ids.extend(snapshot.summaries.iter().map(|it| it.id));
                ", those that a filter selects"
            }
            (false, true) => ", those that were named and a filter selects",
            (false, false) => ", those that were named",
        };
        if filters {
            let fits = self.fits(open)?;
            ids.retain(|id| fits.contains(id));
        }
        if ids.is_empty() {
            bail!("{}", self.nothing(names_none && !filters));
        }
        let mut ids: Vec<u32> = ids.into_iter().collect();
        // Of a connection that is not listed neither addresses nor times are known.
        ids.retain(|id| snapshot.connection_summary(*id).is_some());
        Ok((ids, why.to_owned()))
    }

    fn nothing(&self, is_default: bool) -> String {
        let total = counted(self.analysis.snapshot.summaries.len(), "connection");
        let list = format!(
            "`hangup report {} --connections all` lists them",
            self.first
        );
        match is_default {
            true => format!(
                "no finding names any of {total}, so name what is wanted: --connection 3,7-9, --host ADDRESS, or \
                 --where 'how:reset'; {list}"
            ),
            false => format!("none of {total} fits; {list}"),
        }
    }

    fn by_number(&self) -> Result<BTreeSet<u32>> {
        let snapshot = &self.analysis.snapshot;
        let mut ids = BTreeSet::new();
        for (low, high) in &self.asked.connection {
            let is_missing = |id: &&u32| snapshot.connection_summary(**id).is_none();
            if let Some(missing) = [low, high].into_iter().find(is_missing) {
                bail!(
                    "there is no connection {missing}: this capture has {}",
                    counted(snapshot.summaries.len(), "connection")
                );
            }
            ids.extend(*low..=*high);
        }
        Ok(ids)
    }

    fn by_finding(&self, numbered: &[NumberedFinding]) -> Result<BTreeSet<u32>> {
        let mut ids = BTreeSet::new();
        for named in &self.named {
            let own: Vec<u32> = match named {
                Named::Number(number) => {
                    let Some(finding) = numbered.iter().find(|it| it.number == *number) else {
                        bail!(
                            "there is no finding {number}: `hangup report {}` has {}",
                            self.first,
                            counted(numbered.len(), "finding")
                        );
                    };
                    finding.connections.clone()
                }
                Named::Rule(rule) => {
                    let all = self.analysis.findings().iter();
                    let own = all.filter(|it| it.rule == *rule);
                    own.flat_map(|it| it.connections.iter().copied()).collect()
                }
            };
            if own.is_empty() {
                match named {
                    Named::Number(number) => bail!("finding {number} names no connection"),
                    Named::Rule(rule) => bail!("no finding of {rule} names a connection"),
                }
            }
            ids.extend(own);
        }
        Ok(ids)
    }

    /// The connections that the filter selects. Those whose requests were not kept are read again.
    fn fits(&self, open: &mut dyn FnMut() -> Result<Box<dyn Source>>) -> Result<BTreeSet<u32>> {
        let snapshot = &self.analysis.snapshot;
        let index = FindingsIndex::new(snapshot);
        let evaluator = FilterEvaluator::new(self.query, snapshot, &index);
        let chosen = evaluator.chosen();
        let summary = |row: &u32| snapshot.summaries.get(*row as usize);
        let mut fits: BTreeSet<u32> = chosen
            .rows
            .iter()
            .filter_map(summary)
            .map(|it| it.id)
            .collect();
        let key = |it: &ConnectionSummary| (it.first.frame, it.client, it.server);
        let mut sought: HashMap<(FrameNumber, Endpoint, Endpoint), &ConnectionSummary> = chosen
            .unknown
            .iter()
            .filter_map(summary)
            .map(|it| (key(it), it))
            .collect();
        if sought.is_empty() {
            return Ok(fits);
        }
        engine::reread_all(
            &mut *open()?,
            &self.analysis.keys,
            |_| true,
            &mut |record| {
                let found = sought.remove(&(record.first.frame, record.client, record.server));
                fits.extend(
                    found
                        .filter(|it| evaluator.decide(it, record))
                        .map(|it| it.id),
                );
            },
        )?;
        Ok(fits)
    }
}

/// Frames of some connections, with what is known of them.
pub(super) struct Excerpt<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// The connections, ascending.
    pub(super) ids: &'s [u32],
    /// Why these, as the end of a sentence.
    pub(super) why: String,
    /// What the captures say of themselves, if that is known before their frames are read.
    pub(super) known: Option<&'s [FileSummary]>,
    pub(super) with_secrets: bool,
}

impl Excerpt<'_> {
    /// Writes a file and gives it its name. Returns the number of frames.
    pub(super) fn write_file(&self, source: &mut dyn Source, file: NewFile) -> Result<u64> {
        let buffer = BufWriter::with_capacity(1 << 16, file);
        let (written, buffer) = self.write(source, buffer)?;
        buffer.into_inner()?.finish()?;
        Ok(written)
    }

    /// Writes the frames. Returns their number.
    fn write<W: Write>(&self, source: &mut dyn Source, to: W) -> Result<(u64, W), ExtractError> {
        let wanted = self.ids.iter();
        let wanted = wanted.filter_map(|id| self.snapshot.connection_summary(*id));
        let wanted: Vec<ConnectionSummary> = wanted.copied().collect();
        let comments = report::frame_comments(self.snapshot, self.ids);
        let hosts = wanted.iter().flat_map(|it| [it.client.ip, it.server.ip]);
        let hosts: BTreeSet<IpAddr> = hosts.collect();
        let about = report::capture_comment(self.snapshot, self.ids, &self.why);
        let known = self.known.unwrap_or_default();
        let before = known.iter().flat_map(|it| &it.comments).map(String::as_str);
        let mut writer = PcapngWriter::with_comments(to, [&*about].into_iter().chain(before))?;
        writer.names(names(known, &hosts))?;
        if self.with_secrets {
            for secrets in known.iter().flat_map(|it| &it.secrets) {
                writer.secrets(secrets)?;
            }
        }
        let mut progress = ProgressLine::new();
        let mut written = 0;
        engine::extract(
            source,
            &wanted,
            || true,
            |frame, files| {
                written += 1;
                progress.at(written);
                if !writer.describes(frame) {
                    let mut interfaces = files.iter().flat_map(|it| &it.interfaces);
                    let own = interfaces.find(|it| it.number == frame.interface);
                    if let Some(own) = own.filter(|it| it.link == frame.link) {
                        writer.describe(own)?;
                    }
                }
                let own = comments.get(&frame.number).map(String::as_str);
                let before = self
                    .comments_before(frame, files)
                    .filter(|it| Some(*it) != own);
                writer.commented(frame, before.chain(own))
            },
        )?;
        if self.known.is_none() {
            writer.names(names(source.files(), &hosts))?;
        }
        for file in source.files() {
            let own: Vec<u32> = file.interfaces.iter().map(|it| it.number).collect();
            writer.lost_on(&own, file.lost)?;
        }
        Ok((written, writer.finish()?))
    }

    /// The comments that a frame had.
    fn comments_before<'f>(
        &self,
        frame: &Frame<'_>,
        files: &'f [FileSummary],
    ) -> impl Iterator<Item = &'f str> + use<'f> {
        let place = self.snapshot.frames.place(frame.number);
        let own = place.and_then(|(file, own)| Some((files.get(file)?, own)));
        let own = own.map_or(&[][..], |(file, own)| {
            let from = file
                .frame_comments
                .partition_point(|(number, _)| *number < own);
            let rest = &file.frame_comments[from..];
            let many = rest.iter().take_while(|(number, _)| *number == own).count();
            &rest[..many]
        });
        own.iter().map(|(_, text)| text.as_str())
    }
}

/// The names of these hosts.
fn names<'f>(
    files: &'f [FileSummary],
    hosts: &BTreeSet<IpAddr>,
) -> impl Iterator<Item = &'f (IpAddr, String)> {
    let all = files.iter().flat_map(|it| &it.names);
    all.filter(|(host, _)| hosts.contains(host))
}
