//! To look at an analysis while it goes on changes nothing: what comes out at the end is what comes out without a look, and
//! numbers stay what they were. And a connection read again on its own is the one that was found.

mod wire;

use std::collections::HashMap;

use hangup::analysis::connection::ConnectionSummary;
use hangup::analysis::engine::{
    self, EngineOutput, EngineSettings, NextStep, Numbering, Observer, PendingView, Stay,
};
use hangup::packet::capture::{OpenOptions, Source, open};
use hangup::protocol::tls::secrets::KeyStore;

/// Looks after each batch, and waits for what it sees.
struct Everywhere {
    roll: Numbering,
    seen: EngineOutput,
    looks: u32,
}

impl Everywhere {
    fn call(&mut self, glance: engine::EngineView) {
        let before = &self.seen;
        let next = self.roll.call(&before.briefs, &before.connections, glance);
        let numbers: HashMap<_, _> = next.briefs.iter().map(name).collect();
        for brief in &before.briefs {
            let (key, id) = name(brief);
            assert_eq!(numbers.get(&key), Some(&id), "{brief:?} is another one now");
        }
        let ids = next.briefs.iter().map(|it| it.id);
        assert!(ids.eq(1..=next.briefs.len() as u32), "numbers are dense");
        for record in &next.connections {
            let brief = &next.briefs[record.id as usize - 1];
            assert_eq!(brief.first, record.first);
        }
        assert!(next.stats.frames >= before.stats.frames);
        self.seen = next;
    }
}

/// What stays the same of a connection.
fn name(brief: &ConnectionSummary) -> (impl std::hash::Hash + Eq + use<>, u32) {
    let ends = [brief.client, brief.server];
    let key = (
        brief.first.frame,
        ends[0].min(ends[1]),
        ends[0].max(ends[1]),
        brief.context,
    );
    (key, brief.id)
}

impl Observer for Everywhere {
    fn next(&mut self, _: u64, _: &dyn Source) -> NextStep {
        NextStep::Look
    }

    fn look(&mut self, outlook: PendingView) {
        self.looks += 1;
        self.call(outlook.wait());
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
                roll: Numbering::new(Stay::First),
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
        // Every one of small captures, some of large ones.
        let step = analysis.briefs.len() / 20 + 1;
        for brief in analysis.briefs.iter().step_by(step) {
            let found =
                engine::close_up(&mut *open(), brief, &KeyStore::default(), || true).unwrap();
            let found = found.unwrap_or_else(|| panic!("{}: {brief:?}", path.display()));
            let record = &analysis.connections[brief.id as usize - 1];
            let what = format!("{}: connection {}", path.display(), brief.id);
            assert_eq!(found.connection.teardown, record.teardown, "{what}");
            assert_eq!(found.connection.sent, record.sent, "{what}");
            let packets: u64 = record.sent.iter().map(|sent| sent.packets).sum();
            assert_eq!(found.steps.len() as u64 + found.left_out, packets, "{what}");
            let exchanges =
                |it: &hangup::analysis::connection::Connection| format!("{:?}", it.exchanges);
            assert_eq!(exchanges(&found.connection), exchanges(record), "{what}");
            let first = found.steps.first().unwrap();
            assert_eq!(first.segment().frame, brief.first.frame, "{what}");
            // Of a host that never showed, the record presumes nothing.
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
    let found = engine::close_up(
        &mut *open(),
        &analysis.briefs[0],
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
    let brief = &analysis.briefs[0];
    let mut shots = Vec::new();
    let count = engine::extract(
        &mut *open(),
        &[*brief],
        || true,
        |frame| {
            shots.push(frame.data.to_vec());
            Ok(())
        },
    );
    assert_eq!(count.unwrap(), shots.len() as u64);
    let record = &analysis.connections[0];
    let packets: u64 = record.sent.iter().map(|sent| sent.packets).sum();
    assert!(shots.len() as u64 >= packets);
}
