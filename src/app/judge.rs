//! What the engine's output means: the sockets, the findings, what was read, and which limits were reached.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::analysis::Analysis;
use super::key_logs::{KeyLogs, Presence};
use super::options::{AnalysisError, AnalysisOptions, Records};
use super::selection::{self, LeftOut};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::engine::{EngineOutput, EngineSettings, EngineStats, Keep};
use crate::analysis::hosts;
use crate::base::net::Loss;
use crate::packet::capture::{FileSummary, Source, frame_names};
use crate::report::snapshot::{CaptureSummary, InputDamage, InputSummary, LimitHit, Snapshot};
use crate::rules::log_errors::ErrorSearch;
use crate::rules::{self, Finding, Severity};

/// What is wanted in the report and what not, made ready.
#[derive(Clone)]
pub(super) struct ReportSelection {
    options: AnalysisOptions,
    search: Option<Arc<ErrorSearch>>,
    left_out: LeftOut,
    keys: KeyLogs,
}

impl ReportSelection {
    /// # Errors
    /// If a named rule does not exist, [`AnalysisOptions::error`] is not a known error, or a file (ignore list, key log)
    /// cannot be read.
    pub(super) fn of(options: &AnalysisOptions, key_logs: Presence) -> Result<Self, AnalysisError> {
        check_rules(options)?;
        Ok(Self {
            options: options.clone(),
            search: selection::search(options)?,
            left_out: LeftOut::by(selection::ignore_list(options)?),
            keys: KeyLogs::read(&options.key_logs, key_logs)?,
        })
    }

    /// The engine's settings, including which connections' records it keeps.
    pub(super) fn settings(&self) -> EngineSettings {
        let keep = if self.options.records == Records::All {
            Keep::All
        } else {
            let (left_out, search) = (self.left_out.clone(), self.search.clone());
            Keep::Only(Arc::new(move |connection| {
                let lossy = connection.sent.iter().any(|sent| sent.missing > 0);
                !left_out.takes(connection)
                    && (!connection.outcome.is_fine()
                        || !connection.teardown.orderly
                        || lossy
                        || rules::concerns(connection)
                        || search.as_ref().is_some_and(|it| it.concerns(connection)))
            }))
        };
        EngineSettings {
            keep,
            keys: self.keys.key_store().clone(),
            ..EngineSettings::default()
        }
    }

    /// Key logs that do not exist yet.
    pub(super) fn absent_key_logs(&self) -> &[PathBuf] {
        self.keys.absent()
    }

    /// The source, supplemented with the TLS secrets from the key logs and from the capture itself. `grows`: more
    /// secrets may be written while it is read.
    pub(super) fn keyed(&self, source: Box<dyn Source>, grows: bool) -> Box<dyn Source> {
        self.keys.beside(source, grows)
    }

    pub(super) fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.options.threads.unwrap_or_else(processors)
    }
}

/// Turns the engine's output into a snapshot: sockets, findings, and a summary of the input.
pub(super) fn judge(
    mut analysis: EngineOutput,
    files: &[FileSummary],
    lost: Loss,
    wanted: &ReportSelection,
) -> Analysis {
    let ReportSelection {
        options,
        search,
        left_out,
        ..
    } = wanted;
    let whole = options.records == Records::All;
    let mut ignored = left_out.settle(whole, &analysis.summaries, &mut analysis.connections);
    let end = analysis.stats.end();
    let sockets = hosts::sockets(
        &analysis.summaries,
        &hosts::HostSettings {
            time_wait: options.time_wait,
            range: options.ephemeral_ports,
        },
        end,
    );
    let frames = frame_names(files);
    let evaluate = |connections: &[Arc<Connection>]| {
        rules::evaluate(&rules::RuleInput {
            connections,
            summaries: &analysis.summaries,
            sockets: &sockets,
            lookups: &analysis.stats.lookups,
            capture_quality: rules::CaptureQuality::new(&analysis.stats, lost),
            frames: &frames,
            end,
        })
    };
    let mut found = evaluate(&analysis.connections);
    let mut connections = std::mem::take(&mut analysis.connections);
    let spared = rules::spared_attempts(&analysis.summaries, &found);
    let narrowed = search.as_ref().map(|search| {
        let span = analysis.stats.span;
        let narrowed = search.narrow(&analysis.summaries, &connections, &found, span);
        let shown =
            |id: u32| narrowed.fits.binary_search(&id).is_ok() || narrowed.pointed == Some(id);
        connections.retain(|it| shown(it.id));
        // Evaluate again, so that the examples in findings come from the connections that are shown.
        found = evaluate(&connections);
        found.retain(|it| it.connections.iter().any(|id| shown(*id)));
        narrowed
    });
    spare(&spared, &mut analysis.summaries, &mut connections);
    left_out.silence(&mut found, &mut ignored);
    let (findings, worst) = select(found, options);
    let mut summary = summary(files, lost, &analysis.stats);
    let counted: u64 = sockets.iter().map(|row| row.connections).sum();
    let beyond = (analysis.summaries.len() as u64).saturating_sub(counted);
    if beyond > 0 {
        summary.limits.push(LimitHit {
            name: "socket-pairs",
            count: beyond,
            meaning: "connections are not in the sockets table, which had too many clients and servers",
        });
    }
    Analysis {
        snapshot: Snapshot {
            summary,
            summaries: analysis.summaries,
            connections,
            findings,
            sockets,
            frames: Arc::new(frames),
            contexts: analysis.stats.contexts,
            narrowed,
            ignored,
            drawn: Vec::new(),
        },
        worst,
    }
}

/// Corrects the outcome of attempts to connect that another connection made unnecessary.
fn spare(ids: &[u32], summaries: &mut [ConnectionSummary], connections: &mut [Arc<Connection>]) {
    for id in ids {
        let place = summaries.binary_search_by_key(id, |it| it.id);
        if let Some(summary) = place.ok().and_then(|at| summaries.get_mut(at)) {
            summary.outcome = rules::SPARED;
        }
        let place = connections.binary_search_by_key(id, |it| it.id);
        if let Some(record) = place.ok().and_then(|at| connections.get_mut(at)) {
            Arc::make_mut(record).outcome = rules::SPARED;
        }
    }
}

/// Fails if a rule does not exist. That is a typing error; continuing would hide what the user wants to see.
pub(super) fn check_rules(options: &AnalysisOptions) -> Result<(), AnalysisError> {
    let mut named = options.only_rules.iter().chain(&options.without_rules);
    match named.find(|name| rules::rule(name).is_none()) {
        Some(name) => Err(AnalysisError::UnknownRule(name.clone())),
        None => Ok(()),
    }
}

/// Selects the wanted findings and renumbers them. Also returns the worst severity before the least severity was applied.
fn select(found: Vec<Finding>, options: &AnalysisOptions) -> (Vec<Finding>, Option<Severity>) {
    let named = |names: &[String], finding: &Finding| names.iter().any(|name| name == finding.rule);
    let mut findings = found;
    findings.retain(|finding| {
        (options.only_rules.is_empty() || named(&options.only_rules, finding))
            && !named(&options.without_rules, finding)
    });
    let worst = findings.iter().map(|finding| finding.severity).max();
    let least = options.min_severity;
    findings.retain(|finding| Some(finding.severity) >= least);
    let numbers: HashMap<u32, u32> = (1..)
        .zip(&findings)
        .map(|(number, finding)| (finding.id, number))
        .collect();
    for finding in &mut findings {
        finding.id = numbers[&finding.id];
        let cause = finding.caused_by.and_then(|id| numbers.get(&id));
        finding.caused_by = cause.copied();
    }
    (findings, worst)
}

fn summary(files: &[FileSummary], lost: Loss, stats: &EngineStats) -> CaptureSummary {
    let inputs = files.iter().map(|file| InputSummary {
        path: file.path.clone(),
        format: file.format.to_owned(),
        packets: file.packets,
        bytes: file.bytes,
        damage: file.damage.as_ref().map(|damage| InputDamage {
            offset: damage.offset,
            reason: damage.reason.clone(),
        }),
    });
    CaptureSummary {
        inputs: inputs.collect(),
        span: stats.span,
        frames: stats.frames,
        segments: stats.segments,
        skipped: stats.skipped,
        lost,
        limits: limits(stats),
        let_go: stats.bounds.let_go.saturating_add(stats.bounds.shed),
    }
}

/// The limits that were hit, each with its consequence.
fn limits(stats: &EngineStats) -> Vec<LimitHit> {
    let bounds = &stats.bounds;
    let all = [
        (
            "open-connections",
            bounds.forgotten,
            "connections were judged before their end, because too many were open at once",
        ),
        (
            "settled-connections",
            bounds.let_go,
            "connections were counted and not kept",
        ),
        (
            "older-connections",
            bounds.shed,
            "connections were forgotten, the oldest first, to make room for newer ones",
        ),
        (
            "reassembly",
            bounds.holes,
            "holes in a byte stream were given up, because too much waited behind them",
        ),
        (
            "unfinished",
            bounds.unfinished,
            "times a head, a handshake or a record was read no further, because too much waited for its end",
        ),
        (
            "exchanges",
            bounds.exchanges,
            "exchanges were let go, the oldest of connections with very many",
        ),
        (
            "fragments",
            bounds.fragments,
            "IP fragments were let go, because too many waited for their siblings",
        ),
        (
            "lookups",
            stats.lookups.let_go(),
            "lookups of names were not kept, after very many",
        ),
        (
            "tunnels",
            bounds.tunnels,
            "packets came through tunnels beyond the number that is told apart",
        ),
    ];
    let hit = all.into_iter().filter(|(_, count, _)| *count > 0);
    hit.map(|(name, count, meaning)| LimitHit {
        name,
        count,
        meaning,
    })
    .collect()
}
