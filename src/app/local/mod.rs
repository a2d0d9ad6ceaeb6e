//! What the operating system of this host says of connections that end on it, beside a live capture: which programs hold
//! their sockets, and why it sent a RST.
//!
//! A process beside the sandbox asks (`helper.rs`): `/proc` for the programs, and tracefs for the events that
//! [`trace`] reads. What it says is kept here until a snapshot shows the connection, and joined by addresses, ports and
//! time (`store.rs`). It changes no verdict: it stands beside the packets, and where it is not known nothing is said.
//!
//! Only Linux says it. The programs of other users, and the reasons of RSTs, only root may ask for.

mod fact;
#[cfg(all(feature = "cli", feature = "live", target_os = "linux"))]
mod helper;
#[cfg(all(feature = "cli", feature = "live", target_os = "linux"))]
mod sockets;
mod store;
#[cfg(all(feature = "cli", feature = "live", target_os = "linux"))]
mod trace;
#[cfg(all(feature = "cli", feature = "live", target_os = "linux"))]
mod tracefs;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[cfg(all(feature = "cli", feature = "live", target_os = "linux"))]
pub(super) use helper::serve;
pub(super) use store::MAX_SOCKETS;

use super::limits;
use crate::analysis::engine::{SentResets, Witness};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::report::snapshot::{LocalEnds, Snapshot};
use fact::Line;
use store::Store;

/// What tells the program to be the helper.
#[cfg(target_os = "linux")]
pub(super) const ARGUMENT: &str = "--local-helper";
/// How long the helper may take to say the last that it knows.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a snapshot waits until the helper has said what happened until then; it says it every 20 ms.
const CATCHES_UP: Duration = Duration::from_millis(200);
/// How long a fact waits for its connection while the capture runs: a snapshot shows it long before.
const WAITS: Duration = Duration::from_secs(60);

/// A helper that was started.
pub(super) struct LocalHelper {
    /// Until this is closed, it runs.
    input: ChildStdin,
    output: ChildStdout,
    /// Not waited for: it ends by itself.
    process: Child,
}

impl LocalHelper {
    /// Starts it. Before the sandbox, in which no program can be started; `None` where there is nothing to ask.
    #[cfg(all(feature = "cli", feature = "live", target_os = "linux"))]
    pub(super) fn begin() -> Option<Self> {
        let (process, input, output) = super::system::start_helper(ARGUMENT)?;
        Some(Self {
            input,
            output,
            process,
        })
    }

    /// There is nothing to ask.
    #[cfg(all(feature = "cli", feature = "live", not(target_os = "linux")))]
    pub(super) fn begin() -> Option<Self> {
        None
    }

    /// Listens to it, on a thread of its own: so in the sandbox.
    pub(super) fn listen(self) -> LocalFacts {
        let store = Arc::<SharedStore>::default();
        let (tell, over) = channel::<()>();
        let (said, output) = (Arc::clone(&store), self.output);
        thread::spawn(move || {
            // Dropped at the end, which ends the wait for it.
            let _tell = tell;
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else {
                    return;
                };
                let mut store = said.lock();
                match serde_json::from_str(&line) {
                    Ok(Line::Fact(fact)) => store.take(fact),
                    Ok(Line::Lost(events)) => store.lose(events),
                    Ok(Line::UpTo(time)) => {
                        store.catch_up(Timestamp::from_nanos(time));
                        said.caught_up.notify_all();
                    }
                    Err(_) => {}
                }
            }
        });
        LocalFacts {
            input: Some(self.input),
            over,
            store,
            ends: LocalEnds::default(),
            _process: self.process,
        }
    }
}

/// What the helper has said, for the thread that listens and the one that joins.
#[derive(Default)]
struct SharedStore {
    store: Mutex<Store>,
    caught_up: Condvar,
}

impl SharedStore {
    fn lock(&self) -> MutexGuard<'_, Store> {
        // A poisoned store is safe to use: each fact is added in one step.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what happened before `time` is said, unless that takes too long.
    fn lock_at(&self, time: Timestamp) -> MutexGuard<'_, Store> {
        let behind = |store: &mut Store| store.is_behind(time);
        let waited = self
            .caught_up
            .wait_timeout_while(self.lock(), CATCHES_UP, behind);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl SentResets for SharedStore {
    fn sent(&self, from: Endpoint, to: Endpoint, at: Timestamp) -> bool {
        self.lock().sent(from, to, at)
    }
}

/// What the helper has said.
pub(super) struct LocalFacts {
    input: Option<ChildStdin>,
    /// Is closed when the helper has ended.
    over: Receiver<()>,
    store: Arc<SharedStore>,
    /// What belongs to connections that a snapshot has shown.
    ends: LocalEnds,
    _process: Child,
}

impl LocalFacts {
    /// Adds what is known to a snapshot of a capture that goes on; `now`: its latest packet.
    pub(super) fn join(&mut self, snapshot: &mut Snapshot, now: Timestamp) {
        let mut store = self.store.lock_at(now);
        store.join(snapshot, &mut self.ends);
        store.forget_before(now.before(WAITS));
        let first = snapshot.summaries.first().map_or(0, |it| it.id);
        self.ends.forget_before(first);
        Self::add(&store, &self.ends, snapshot);
    }

    /// For the analysis: a RST that this host sent is its own, whatever it looks like.
    pub(super) fn witness(&self) -> Witness {
        Witness(Some(Arc::clone(&self.store) as Arc<dyn SentResets>))
    }

    /// Ends the helper, once it has said all that it knows.
    pub(super) fn end(&mut self) {
        if self.input.take().is_some() {
            // Nothing is ever sent: it ends with the thread that listens, or takes too long.
            let _ = self.over.recv_timeout(LAST_WORDS);
        }
    }

    /// Ends the helper, and adds all that it said to a snapshot.
    pub(super) fn finish(&mut self, snapshot: &mut Snapshot) {
        self.end();
        let mut store = self.store.lock();
        store.join(snapshot, &mut self.ends);
        Self::add(&store, &self.ends, snapshot);
    }

    fn add(store: &Store, ends: &LocalEnds, snapshot: &mut Snapshot) {
        snapshot.local = ends.clone();
        let lost = limits::local_sockets(store.lost());
        snapshot.summary.limits.extend(lost);
    }
}

/// What this system offers, for `hangup --version -v`.
#[cfg(all(feature = "cli", feature = "live"))]
pub(super) fn status() -> String {
    #[cfg(target_os = "linux")]
    let why = tracefs::Instance::begin().err();
    #[cfg(not(target_os = "linux"))]
    let why = Some("only Linux names them".to_owned());
    match why {
        None => "reasons of resets: from the operating system (tracefs)".to_owned(),
        Some(why) => format!("reasons of resets: none from the operating system; {why}"),
    }
}
