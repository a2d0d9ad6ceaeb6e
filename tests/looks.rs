//! An intermediate view of a running analysis changes nothing: the final result equals that of a run without views,
//! and connections keep their numbers. A connection reread on its own equals the one in the result.

mod wire;

use std::collections::HashMap;

use hangup::analysis::connection::ConnectionSummary;
use hangup::analysis::engine::{
    self, EngineOutput, EngineSettings, NextStep, Numbering, Observer, PendingView, SharedJudge,
    Stay,
};
use hangup::packet::capture::{OpenOptions, Source, open};
use hangup::protocol::tls::secrets::KeyStore;

/// Requests a view after each batch, and waits for it.
struct Everywhere {
    numbering: Numbering,
    seen: EngineOutput,
    looks: u32,
}

impl Everywhere {
    fn call(&mut self, view: engine::EngineView) {
        let before = &self.seen;
        let next = self.numbering.call(
            &before.summaries,
            &before.requests,
            &before.connections,
            view,
        );
        let numbers: HashMap<_, _> = next.summaries.iter().map(name).collect();
        for summary in &before.summaries {
            let (key, id) = name(summary);
            assert_eq!(
                numbers.get(&key),
                Some(&id),
                "{summary:?} is another one now"
            );
        }
        let ids = next.summaries.iter().map(|it| it.id);
        assert!(ids.eq(1..=next.summaries.len() as u32), "numbers are dense");
        for record in &next.connections {
            let summary = &next.summaries[record.id as usize - 1];
            assert_eq!(summary.first, record.first);
        }
        assert!(next.stats.frames >= before.stats.frames);
        self.seen = next;
    }
}

/// The part of a connection summary that never changes, and its number.
fn name(summary: &ConnectionSummary) -> (impl std::hash::Hash + Eq + use<>, u32) {
    let ends = [summary.client, summary.server];
    let key = (
        summary.first.frame,
        ends[0].min(ends[1]),
        ends[0].max(ends[1]),
        summary.context,
    );
    (key, summary.id)
}

impl Observer for Everywhere {
    fn next(&mut self, _: u64, _: &dyn Source) -> NextStep {
        NextStep::Look
    }

    fn look(&mut self, pending_view: PendingView) {
        self.looks += 1;
        self.call(pending_view.wait());
    }
}

fn shown(analysis: &EngineOutput) -> String {
    format!("{analysis:#?}")
}

#[test]
fn looks_change_nothing() {
    for path in wire::captures() {
        let shots = wire::load(&path);
        let mut all = wire::InMemory::new(shots.clone(), usize::MAX);
        let settings = EngineSettings::default();
        let plain = engine::analyse(&mut all, &settings, 1, &mut |_| ()).unwrap();
        for threads in [1, 3] {
            let at_once = shots.len() / 7 + 1;
            let mut source = wire::InMemory::new(shots.clone(), at_once);
            let mut eyes = Everywhere {
                numbering: Numbering::new(Stay::First, &SharedJudge::default()),
                seen: EngineOutput::default(),
                looks: 0,
            };
            let (last, outcome) = engine::watched(&mut source, &settings, threads, &mut eyes);
            outcome.unwrap();
            eyes.call(last);
            assert!(eyes.looks > 0, "{}", path.display());
            let (got, wanted) = (shown(&eyes.seen), shown(&plain));
            assert!(got == wanted, "{}: looks have changed it", path.display());
        }
    }
}

#[test]
fn a_connection_read_again_is_the_one_that_was_found() {
    for path in wire::captures() {
        let open = || open(&[&path], &OpenOptions::default()).unwrap();
        let settings = EngineSettings::default();
        let analysis = engine::analyse(&mut *open(), &settings, 1, &mut |_| ()).unwrap();
        // Every connection of a small capture, some of a large one.
        let step = analysis.summaries.len() / 20 + 1;
        for summary in analysis.summaries.iter().step_by(step) {
            let found =
                engine::reread_connection(&mut *open(), summary, &KeyStore::default(), || true)
                    .unwrap();
            let found = found.unwrap_or_else(|| panic!("{}: {summary:?}", path.display()));
            let record = &analysis.connections[summary.id as usize - 1];
            let what = format!("{}: connection {}", path.display(), summary.id);
            assert_eq!(found.connection.teardown, record.teardown, "{what}");
            assert_eq!(found.connection.sent, record.sent, "{what}");
            let packets: u64 = record.sent.iter().map(|sent| sent.packets).sum();
            assert_eq!(found.steps.len() as u64 + found.left_out, packets, "{what}");
            let exchanges =
                |it: &hangup::analysis::connection::Connection| format!("{:?}", it.exchanges);
            assert_eq!(exchanges(&found.connection), exchanges(record), "{what}");
            let first = found.steps.first().unwrap();
            assert_eq!(first.segment().frame, summary.first.frame, "{what}");
            // If one side sent nothing, the record assumes no state for it.
            if record.sent.iter().all(|sent| sent.packets > 0) {
                let last = found.steps.last().unwrap();
                assert_eq!(last.standings, record.states, "{what}");
            }
        }
    }
}

#[test]
fn a_look_that_is_given_up_finds_nothing() {
    let path = &wire::captures()[0];
    let open = || open(&[path], &OpenOptions::default()).unwrap();
    let settings = EngineSettings::default();
    let analysis = engine::analyse(&mut *open(), &settings, 1, &mut |_| ()).unwrap();
    let found = engine::reread_connection(
        &mut *open(),
        &analysis.summaries[0],
        &KeyStore::default(),
        || false,
    )
    .unwrap();
    assert!(found.is_none());
}

#[test]
fn the_frames_of_a_connection_are_a_capture_of_their_own() {
    let path = &wire::captures()[0];
    let open = || open(&[path], &OpenOptions::default()).unwrap();
    let settings = EngineSettings::default();
    let analysis = engine::analyse(&mut *open(), &settings, 1, &mut |_| ()).unwrap();
    let summary = &analysis.summaries[0];
    let mut shots = Vec::new();
    let count = engine::extract(
        &mut *open(),
        &[*summary],
        || true,
        |frame, _| {
            shots.push(frame.data.to_vec());
            Ok(())
        },
    );
    assert_eq!(count.unwrap(), shots.len() as u64);
    let record = &analysis.connections[0];
    let packets: u64 = record.sent.iter().map(|sent| sent.packets).sum();
    assert!(shots.len() as u64 >= packets);
}
