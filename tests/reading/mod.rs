//! Analyses the bytes of a capture, and checks the invariants of every analysis.
//!
//! Shared by the tests and the fuzz targets, so that both check the same invariants. Bytes in, a [`Reading`] out;
//! [`Reading::check`] panics at the first violation.

#![allow(dead_code, reason = "every test uses a part of it")]

use std::io::{Cursor, Read};
use std::time::Duration;

use hangup::analysis::connection::Connection;
use hangup::analysis::engine::{self, EngineSettings, EngineStats};
use hangup::analysis::hosts;
use hangup::packet::capture::{self, Input, OpenOptions, Source};
use hangup::protocol::http::Message;
use hangup::protocol::tls::secrets::KeyStore;
use hangup::report::snapshot;
use hangup::report::snapshot::{CaptureSummary, Snapshot};
use hangup::report::{self, Format};
use hangup::rules;

/// Every report format.
pub const FORMATS: [Format; 6] = [
    Format::Text,
    Format::Json,
    Format::Ndjson,
    Format::Markdown,
    Format::Html,
    Format::Csv,
];

/// The result of analysing a capture.
pub struct Reading {
    pub snapshot: Snapshot,
    pub stats: EngineStats,
}

/// Opens bytes as a source; `None` if they are not a capture.
pub fn source(bytes: impl Read + Send + 'static) -> Option<Box<dyn Source>> {
    let input = Input::from_reader("bytes", Box::new(bytes));
    capture::read([Ok(input)], &OpenOptions::default()).ok()
}

/// Analyses the bytes of a capture; `None` if they are not one.
pub fn read(bytes: &[u8], threads: usize) -> Option<Reading> {
    Some(analyse(source(Cursor::new(bytes.to_vec()))?, threads))
}

/// Analyses a source to its end.
pub fn analyse(source: Box<dyn Source>, threads: usize) -> Reading {
    analyse_told(source, threads, None)
}

/// Like [`analyse`], with a known ephemeral port range of the clients.
pub fn analyse_told(source: Box<dyn Source>, threads: usize, range: Option<(u16, u16)>) -> Reading {
    analyse_with(source, threads, range, &KeyStore::default())
}

/// Like [`analyse_told`], with secrets that decrypt TLS.
pub fn analyse_with(
    mut source: Box<dyn Source>,
    threads: usize,
    range: Option<(u16, u16)>,
    keys: &KeyStore,
) -> Reading {
    let mut settings = EngineSettings::default();
    settings.keys = keys.clone();
    let analysis = engine::analyse(&mut *source, &settings, threads, &mut |_| ())
        .expect("an input that could be opened is read as far as it goes");
    let stats = analysis.stats;
    let end = stats.span.map(|(_, last)| last).unwrap_or_default();
    let time_wait = Duration::from_secs(60);
    let settings = hosts::HostSettings { time_wait, range };
    let sockets = hosts::sockets(&analysis.summaries, &settings, end);
    let legs = hosts::Legs::new(&analysis.connections, &analysis.summaries);
    let findings = rules::evaluate(&rules::RuleInput {
        legs: &legs,
        frames: &hangup::base::frame_names::FrameNames::default(),
        connections: &analysis.connections,
        summaries: &analysis.summaries,
        counted_once: &hosts::without_copies(&analysis.summaries),
        sockets: &sockets,
        lookups: &stats.lookups,
        neighbours: &stats.neighbours,
        capture_quality: rules::CaptureQuality::new(&stats, source.lost()),
        end,
    });
    let inputs = source.files().iter().map(|file| snapshot::InputSummary {
        path: file.path.clone(),
        format: file.format.to_owned(),
        packets: file.packets,
        bytes: file.bytes,
        damage: file.damage.as_ref().map(|damage| snapshot::InputDamage {
            offset: damage.offset,
            reason: damage.reason.clone(),
        }),
        clock_ahead: file.clock_ahead,
        vantage: file.vantage.as_deref().copied(),
        only: file.only.clone(),
    });
    let summary = CaptureSummary {
        inputs: inputs.collect(),
        span: stats.span,
        frames: stats.frames,
        segments: stats.segments,
        skipped: stats.skipped,
        lost: source.lost(),
        limits: Vec::new(),
        let_go: analysis.given_up.connections(),
        ..CaptureSummary::default()
    };
    Reading {
        snapshot: Snapshot {
            summary,
            summaries: analysis.summaries,
            connections: analysis.connections,
            findings,
            sockets,
            legs: legs.into(),
            contexts: stats.contexts.clone(),
            ..Snapshot::default()
        },
        stats,
    }
}

impl Reading {
    /// The report in one format.
    pub fn report(&self, format: Format) -> String {
        let mut out = Vec::new();
        report::write(
            &self.snapshot,
            format,
            &report::ReportOptions::default(),
            &mut out,
        )
        .expect("a vector takes everything");
        String::from_utf8(out).expect("a report is text")
    }

    /// The facts that only many connections together show.
    pub fn hosts(&self) -> hosts::Hosts<'_> {
        let end = self.stats.span.map(|(_, last)| last).unwrap_or_default();
        hosts::Hosts::new(&self.snapshot.summaries, &self.snapshot.sockets, end)
    }

    /// Panics unless the invariants of every analysis hold, whatever the input was.
    pub fn check(&self) {
        check_stats(&self.stats);
        let connections = &self.snapshot.connections;
        for (number, connection) in (1..).zip(connections) {
            if self.snapshot.summary.let_go == 0 {
                assert_eq!(connection.id, number, "numbers are dense");
            }
            check_connection(connection);
        }
        let firsts = connections.iter().map(|connection| connection.first.frame);
        assert!(firsts.is_sorted(), "connections in order of first frame");
        for (number, finding) in (1..).zip(&self.snapshot.findings) {
            assert_eq!(finding.id, number);
            assert!(
                !finding.evidence.is_empty(),
                "no frame, no finding: {finding:?}"
            );
            assert!(finding.connections.is_sorted());
        }
        let json: serde_json::Value =
            serde_json::from_str(&self.report(Format::Json)).expect("the report is JSON");
        let rows = |name: &str| json[name].as_array().map(Vec::len);
        assert_eq!(rows("connections"), Some(connections.len()));
        assert_eq!(rows("findings"), Some(self.snapshot.findings.len()));
    }
}

/// Every frame is counted exactly once.
pub fn check_stats(stats: &EngineStats) {
    assert_eq!(
        stats.frames + stats.aggregated,
        stats.segments + stats.skipped.iter().sum::<u64>(),
        "every frame has one disposition: {stats:?}"
    );
}

fn check_connection(connection: &Connection) {
    assert!(connection.first <= connection.last, "{connection:?}");
    assert!(connection.first.frame.0 >= 1, "{connection:?}");
    let mut before: [u64; 2] = [0; 2];
    for exchange in &connection.exchanges {
        // HTTP/2 streams are answered in any order (RFC 9113 §5).
        if exchange.stream.is_some() {
            before[1] = 0;
        }
        let request = exchange.request.as_ref().map(|it| &it.message);
        let response = exchange.response.as_ref().map(|it| &it.message);
        for (message, before) in [request, response].into_iter().zip(&mut before) {
            let Some(message) = message else { continue };
            check_message(message, *before, connection);
            *before = message.start;
        }
    }
}

fn check_message(message: &Message, before: u64, connection: &Connection) {
    assert!(
        message.start >= before,
        "messages begin in order: {connection:#?}"
    );
    assert!(
        message.start <= message.head_end() && message.head_end() <= message.end(),
        "{message:?}"
    );
    if let Some(expected) = message.expected()
        && message.is_complete()
    {
        assert!(message.received() <= expected, "{message:?}");
    }
}
