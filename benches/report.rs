//! What readers do with very many connections: writing a report, filtering the table, and the sockets of one client.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use divan::Bencher;
use hangup::analysis::hosts::{HostSettings, sockets};
use hangup::ladder::{frames, parse, to_pcap};
use hangup::report::filter::{Filter, FilterEvaluator};
use hangup::report::snapshot::FindingsIndex;
use hangup::{AnalysisOptions, Format, ReportOptions, Session, Snapshot, report};

fn main() {
    divan::main();
}

/// Connections of one client with one server, each with a request.
const MANY: &str = "client :1024 [times=60000 every=1ms] server\n\
    SYN -->\n<-- SYN\nACK -->\nGET /checkout -->\n<-- 200 \"x\" [close]\n<-- FIN\nFIN -->\n<-- ACK\n";

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("hangup-bench-{}.pcap", std::process::id()));
    let ladder = parse(MANY).expect("a ladder");
    std::fs::write(&path, to_pcap(&frames(&ladder))).expect("a file can be written");
    let session = Session::of_files([&path], &AnalysisOptions::default()).expect("it is a capture");
    let watch = session.watch();
    session.wait();
    std::fs::remove_file(&path).expect("it can be removed");
    let snapshot = watch.snapshot();
    assert_eq!(snapshot.summaries.len(), 60_000);
    snapshot
});

#[divan::bench(args = [Format::Text, Format::Json, Format::Csv])]
fn write(bencher: Bencher<'_, '_>, format: Format) {
    let snapshot = &*SNAPSHOT;
    bencher.bench(|| {
        let mut out = Vec::new();
        report::write(snapshot, format, &ReportOptions::default(), &mut out).expect("memory");
        out.len()
    });
}

#[divan::bench(args = ["", "by:server how:fin took:>5s", "10.0.0.77", "checkout", "client:10.0.0.0/8 -rule:race"])]
fn filter(bencher: Bencher<'_, '_>, line: &str) {
    let snapshot = &*SNAPSHOT;
    let index = FindingsIndex::new(snapshot);
    let filter = Filter::parse(line).expect("a filter");
    bencher.bench(|| {
        FilterEvaluator::new(&filter, snapshot, &index)
            .chosen()
            .rows
            .len()
    });
}

#[divan::bench]
fn sockets_of_one_client(bencher: Bencher<'_, '_>) {
    let snapshot = &*SNAPSHOT;
    let settings = HostSettings {
        time_wait: Duration::from_secs(60),
        range: None,
    };
    let (_, end) = snapshot.summary.span.expect("frames");
    bencher.bench(|| sockets(&snapshot.summaries, &settings, end).len());
}
