//! What the engine's output means: the sockets, the findings, what was read, and which limits were reached.

use std::any::Any;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::analysis::Analysis;
use super::key_logs::{KeyLogs, Presence};
use super::limits::{self, Beyond};
use super::options::{AnalysisError, AnalysisOptions, Records};
use super::selection::{self, LeftOut};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::engine::{
    ALL_RECORD_BYTES, ALL_SUMMARY_BYTES, Concern, EngineOutput, EngineSettings, EngineStats, Judge,
    Judgement, REQUEST_BYTES, SharedJudge, StoreBudget, Tallies, Tally,
};
use crate::analysis::hosts;
use crate::base::net::Loss;
use crate::packet::capture::{FileSummary, Source, frame_names};
use crate::report::snapshot::{CaptureSummary, InputDamage, InputSummary, Snapshot, Unnarrowed};
use crate::rules::log_errors::ErrorSearch;
use crate::rules::{self, Finding, FoundAlone, GivenUpCases, Severity};

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
            options: AnalysisOptions {
                // A line may be about any connection.
                records: match options.logs.is_empty() {
                    true => options.records,
                    false => Records::All,
                },
                ..options.clone()
            },
            search: selection::search(options)?,
            left_out: LeftOut::by(selection::ignore_list(options)?),
            keys: KeyLogs::read(&options.key_logs, key_logs)?,
        })
    }

    /// The engine's settings, including which connections' records it keeps.
    pub(super) fn settings(&self) -> EngineSettings {
        let all = self.options.records == Records::All;
        let mut budget = StoreBudget::default();
        if all {
            budget.records = ALL_RECORD_BYTES;
        }
        if self.options.search_requests {
            budget.summaries = ALL_SUMMARY_BYTES;
            budget.requests = REQUEST_BYTES;
        }
        EngineSettings {
            judge: SharedJudge(Arc::new(SettlementJudge {
                all,
                related: self.options.records != Records::Notable,
                left_out: self.left_out.clone(),
                search: self.search.clone(),
            })),
            budget,
            keys: self.keys.key_store().clone(),
            tracking: self.options.tracking,
            witness: self.options.witness.clone(),
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
        self.options.threads()
    }
}

/// Judges every connection when it settles.
struct SettlementJudge {
    /// Every record is wanted.
    all: bool,
    /// Those of healthy connections are wanted too: they show proxies and names.
    related: bool,
    left_out: LeftOut,
    search: Option<Arc<ErrorSearch>>,
}

impl Judge for SettlementJudge {
    fn judge(&self, connection: &Connection) -> Judgement {
        if self.left_out.takes(connection) {
            return Judgement {
                concern: Concern::Nothing,
                keep: self.all,
                found: None,
            };
        }
        let (concern, found) = rules::concern(connection);
        let lossy = || connection.sent.iter().any(|sent| sent.missing > 0);
        let sought = || {
            self.search
                .as_ref()
                .is_some_and(|it| it.concerns(connection))
        };
        let keep = self.related
            || concern > Concern::Nothing
            || !connection.outcome.is_fine()
            || !connection.teardown.orderly
            || lossy()
            || sought();
        Judgement {
            concern,
            keep,
            found: found.map(|it| Box::new(it) as Box<dyn Any>),
        }
    }

    fn passes_plain(&self) -> bool {
        !self.related && self.search.is_none() && self.left_out.is_empty()
    }

    fn tally(&self) -> Option<Box<dyn Tally>> {
        Some(Box::new(FindingTally {
            left_out: self.left_out.clone(),
            cases: GivenUpCases::default(),
        }))
    }
}

/// The findings on connections whose details are given up.
#[derive(Clone, Debug)]
struct FindingTally {
    left_out: LeftOut,
    cases: GivenUpCases,
}

impl Tally for FindingTally {
    fn count(&mut self, connection: &Connection, found: Option<Box<dyn Any>>) {
        if !self.left_out.takes(connection) {
            let found = found.and_then(|it| it.downcast::<Vec<FoundAlone>>().ok());
            let found = found.map_or_else(|| rules::found_alone(connection), |it| *it);
            self.cases.count(connection, found);
        }
    }

    fn copy(&self) -> Box<dyn Tally> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The findings of all tallies.
fn joined(tallies: Tallies) -> GivenUpCases {
    let mut all = GivenUpCases::default();
    for tally in tallies.0 {
        if let Ok(tally) = tally.into_any().downcast::<FindingTally>() {
            all.merge(tally.cases);
        }
    }
    all
}

/// Turns the engine's output into a snapshot: sockets, findings, and a summary of the input. `forgotten`: how many findings
/// were told during the capture and are not remembered.
pub(super) fn judge(
    mut analysis: EngineOutput,
    files: &[FileSummary],
    lost: Loss,
    wanted: &ReportSelection,
    forgotten: u64,
) -> Analysis {
    let ReportSelection {
        options,
        search,
        left_out,
        keys,
    } = wanted;
    let whole = options.records == Records::All;
    let mut ignored = left_out.settle(whole, &analysis.summaries, &mut analysis.connections);
    let given_up = std::mem::take(&mut analysis.given_up);
    let mut gone = joined(std::mem::take(&mut analysis.tallies));
    gone.not_listed(given_up.connections());
    let end = analysis.stats.end();
    let counted_once = hosts::without_copies(&analysis.summaries);
    let copies = (analysis.summaries.len() - counted_once.len()) as u64;
    let mut all = analysis.summaries.iter().filter(|_| copies > 0);
    let first_copy = all.find(|it| ConnectionSummary::place_of(it.id, &counted_once).is_none());
    let first_copy = first_copy.map(|it| it.first);
    let sockets = hosts::sockets(
        &counted_once,
        &hosts::HostSettings {
            time_wait: options.time_wait,
            range: options.ephemeral_ports,
        },
        end,
    );
    let frames = frame_names(files);
    let legs = hosts::Legs::new(&analysis.connections, &analysis.summaries);
    let evaluate = |connections: &[Arc<Connection>], gone: Option<&GivenUpCases>| {
        let input = rules::RuleInput {
            connections,
            summaries: &analysis.summaries,
            counted_once: &counted_once,
            sockets: &sockets,
            lookups: &analysis.stats.lookups,
            neighbours: &analysis.stats.neighbours,
            capture_quality: rules::CaptureQuality {
                copied_connections: copies,
                first_copy,
                ..rules::CaptureQuality::new(&analysis.stats, lost)
            },
            frames: &frames,
            legs: &legs,
            end,
        };
        rules::evaluate_with(&input, gone)
    };
    let mut found = evaluate(&analysis.connections, Some(&gone));
    let mut connections = std::mem::take(&mut analysis.connections);
    let spared = rules::spared(&analysis.summaries, &connections, &found);
    let mut unnarrowed = None;
    let narrowed = search.as_ref().map(|search| {
        let span = analysis.stats.span;
        unnarrowed = Some(Unnarrowed {
            connections: connections.clone(),
            findings: found.clone(),
        });
        let narrowed = search.narrow(&analysis.summaries, &connections, &found, span);
        let shown =
            |id: u32| narrowed.fits.binary_search(&id).is_ok() || narrowed.pointed == Some(id);
        connections.retain(|it| shown(it.id));
        // Evaluate again, so that the examples in findings come from the connections that are shown.
        found = evaluate(&connections, None);
        // What is no connection, such as a lookup, is shown where no connection fits.
        let beside = |it: &rules::Finding| {
            narrowed.fits.is_empty()
                && it.connections.is_empty()
                && narrowed.rules.contains(&it.rule)
        };
        found.retain(|it| it.connections.iter().any(|id| shown(*id)) || beside(it));
        narrowed
    });
    spare(&spared, &mut analysis.summaries, &mut connections);
    left_out.silence(&mut found, &mut ignored);
    let left_out_by_rule = left_out_by_rule(&found, options);
    let (findings, worst) = select(found, options);
    let unnarrowed = unnarrowed.map(|mut all| {
        spare(&spared, &mut [], &mut all.connections);
        left_out.silence(&mut all.findings, &mut ignored.clone());
        all.findings = select(all.findings, options).0;
        Arc::new(all)
    });
    let counted: u64 = sockets.iter().map(|row| row.connections).sum();
    let limits = limits::hits(&Beyond {
        stats: &analysis.stats,
        given_up: &given_up,
        without_sockets: (analysis.summaries.len() as u64).saturating_sub(counted + copies),
        cases: gone.without_hosts(),
        keys: keys.key_store().counts(),
        files,
        forgotten,
        unpaired: legs.left_out(),
    });
    let summary = CaptureSummary {
        limits,
        let_go: given_up.connections(),
        given_up,
        given_up_with_findings: gone.connections(),
        ..summary(files, lost, &analysis.stats)
    };
    Analysis {
        snapshot: Snapshot {
            summary,
            summaries: analysis.summaries,
            connections,
            requests: std::mem::take(&mut analysis.requests),
            lookups: Arc::new(std::mem::take(&mut analysis.stats.lookups)),
            findings,
            left_out: left_out_by_rule,
            sockets,
            frames: Arc::new(frames),
            contexts: analysis.stats.contexts,
            narrowed,
            unnarrowed,
            ignored,
            legs: Arc::new(legs),
            logs: Vec::new(),
            local: Default::default(),
            drawn: Vec::new(),
        },
        keys: keys.key_store().clone(),
        worst,
    }
}

/// Corrects the outcome of attempts to connect that another connection made unnecessary.
fn spare(ids: &[u32], summaries: &mut [ConnectionSummary], connections: &mut [Arc<Connection>]) {
    for id in ids {
        let place = ConnectionSummary::place_of(*id, summaries);
        if let Some(summary) = place.and_then(|at| summaries.get_mut(at)) {
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

/// The findings that would explain something, if their rules had been chosen: the connection that each shows, and its rule.
fn left_out_by_rule(found: &[Finding], options: &AnalysisOptions) -> Vec<(u32, &'static str)> {
    let unwanted = found.iter().filter(|it| !is_wanted(it, options));
    let harmful = unwanted.filter(|it| it.severity >= Severity::Warning);
    harmful
        .filter_map(|it| Some((it.example()?, it.rule)))
        .collect()
}

/// Whether the user wants to see findings of this rule.
fn is_wanted(finding: &Finding, options: &AnalysisOptions) -> bool {
    let named = |names: &[String]| names.iter().any(|name| name == finding.rule);
    (options.only_rules.is_empty() || named(&options.only_rules)) && !named(&options.without_rules)
}

/// Selects the wanted findings and renumbers them. Also returns the worst severity before the least severity was applied.
fn select(found: Vec<Finding>, options: &AnalysisOptions) -> (Vec<Finding>, Option<Severity>) {
    let mut findings = found;
    findings.retain(|finding| is_wanted(finding, options));
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
        clock_ahead: file.clock_ahead,
        vantage: file.vantage.as_deref().copied(),
        only: file.only.clone(),
    });
    CaptureSummary {
        inputs: inputs.collect(),
        span: stats.span,
        frames: stats.frames,
        segments: stats.segments,
        skipped: stats.skipped,
        arp: stats.neighbours.packets(),
        protocols: stats.protocols.clone(),
        quic_connections: stats.quic.count(),
        lost,
        ..CaptureSummary::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::engine;
    use crate::base::frame_ref::FrameNumber;
    use crate::packet::capture::{OpenOptions, open};
    use crate::report::{self, Format, ReportOptions};

    /// Two connections, both reset before the response.
    const CAPTURE: &str = "captures/reset-before-response.pcap";

    fn selection() -> ReportSelection {
        ReportSelection::of(&AnalysisOptions::default(), Presence::Required).expect("no files")
    }

    fn analysed(selection: &ReportSelection, budget: StoreBudget, threads: usize) -> Analysis {
        let mut source = open(&[CAPTURE], &OpenOptions::default()).expect("it is there");
        let mut settings = selection.settings();
        settings.budget = budget;
        let output = engine::analyse(&mut *source, &settings, threads, &mut |_| ());
        let output = output.expect("it is a capture");
        judge(output, source.files(), source.lost(), selection, 0)
    }

    fn text(analysis: &Analysis) -> String {
        let mut out = Vec::new();
        let options = ReportOptions::default();
        report::write(&analysis.snapshot, Format::Text, &options, &mut out).expect("a vector");
        let text = String::from_utf8(out).expect("a report is text");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Log lines stand with the finding that explains them, whether it was chosen or not.
    #[test]
    fn a_chosen_rule_says_what_it_says_among_all() {
        let name = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/captures/client-left-mid-download.pcap"
        );
        let told = |rules: &[&str]| {
            let options = AnalysisOptions {
                only_rules: rules.iter().map(ToString::to_string).collect(),
                ..AnalysisOptions::default()
            };
            let selection = ReportSelection::of(&options, Presence::Required).expect("no files");
            let mut source = open(&[name], &OpenOptions::default()).expect("it is there");
            let output = engine::analyse(&mut *source, &selection.settings(), 1, &mut |_| ());
            let output = output.expect("it is a capture");
            text(&judge(output, source.files(), source.lost(), &selection, 0))
        };
        assert!(told(&[]).contains("Look for"));
        let alone = told(&["request-retried"]);
        assert!(alone.contains("[request-retried]"), "{alone}");
        assert!(!alone.contains("Look for"), "{alone}");
    }

    #[test]
    fn what_is_given_up_is_judged_and_counted() {
        let all = StoreBudget::default();
        let whole = analysed(&selection(), all, 1);
        let wanted = whole.snapshot.connections_total();
        assert!(wanted > 0 && whole.snapshot.summary.limits.is_empty());
        for (budget, limit) in [
            (StoreBudget { records: 0, ..all }, "records"),
            (
                StoreBudget {
                    summaries: 0,
                    ..all
                },
                "settled-connections",
            ),
        ] {
            for threads in [1, 2] {
                let bounded = analysed(&selection(), budget, threads);
                let snapshot = &bounded.snapshot;
                assert_eq!(snapshot.connections_total(), wanted, "{limit}");
                assert_eq!(bounded.worst, whole.worst, "{limit}");
                let hit = snapshot.summary.limits.iter().find(|it| it.name == limit);
                assert_eq!(hit.map(|it| it.count), Some(wanted), "{limit}");
                let of = |analysis: &Analysis| {
                    let findings = analysis.snapshot.findings.iter();
                    let findings = findings.filter(|it| it.rule == "reset-before-response");
                    findings.map(Finding::in_all).collect::<Vec<_>>()
                };
                assert_eq!(of(&bounded), of(&whole), "{limit}");
                let text = text(&bounded);
                assert!(text.contains("are gone"), "{text}");
                assert!(!text.contains("Nothing is wrong"), "{text}");
            }
        }
    }

    #[test]
    fn sessions_that_a_key_log_loses_are_a_limit() {
        let selection = selection();
        let store = selection.keys.key_store();
        let secret = "01".repeat(48);
        for number in 0..=crate::protocol::tls::secrets::MAX_SESSIONS {
            let line = format!("CLIENT_RANDOM {number:064x} {secret}\n");
            store.read(line.as_bytes(), FrameNumber(0));
        }
        let line = format!("CLIENT_RANDOM {:064x} {secret}\n", 7);
        for place in 1..=20 {
            store.read(line.as_bytes(), FrameNumber(place));
        }
        let analysis = analysed(&selection, StoreBudget::default(), 1);
        let limits = &analysis.snapshot.summary.limits;
        assert!(limits.iter().any(|it| it.name == "key-log-sessions"));
        assert!(limits.iter().any(|it| it.name == "key-log-secrets"));
        assert!(text(&analysis).contains("1 sessions of key logs were dropped"));
    }
}
