//! Which programs hold which sockets of this network namespace, from `/proc`.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, all_processes};

use super::fact::{Fact, Program, What};

/// The shortest time between two looks.
const LEAST: Duration = Duration::from_millis(200);
/// The time between two looks, as a multiple of the time that the last one took.
const REST: u32 = 30;
/// Programs that are noted of one socket.
const MAX_HOLDERS: usize = 8;
/// Sockets that are remembered from one look to the next: a host with more has its programs found by what they close.
const MAX_SOCKETS: usize = 65_536;

/// A socket with a peer, while a program holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    inode: u64,
    local: SocketAddr,
    remote: SocketAddr,
}

/// What was seen, and when to look again.
pub(super) struct Sockets {
    known: HashSet<Held>,
    /// When the last look began, in nanoseconds of Unix time.
    last: i64,
    due: Instant,
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            known: HashSet::new(),
            last: 0,
            due: Instant::now(),
        }
    }

    /// Looks, if it is time to, and says what changed. `now`: Unix time.
    pub(super) fn look(&mut self, now: i64, say: &mut dyn FnMut(Fact)) {
        let begun = Instant::now();
        if begun < self.due {
            return;
        }
        let entries = [procfs::net::tcp(), procfs::net::tcp6()];
        let held = entries.into_iter().flatten().flatten().filter_map(held);
        let held: HashSet<Held> = held.take(MAX_SOCKETS).collect();
        for it in self.known.difference(&held) {
            say(fact(it, self.last, What::Gone));
        }
        let mut new: HashMap<u64, (Held, Vec<Program>)> = held
            .difference(&self.known)
            .map(|it| (it.inode, (*it, Vec::new())))
            .collect();
        if !new.is_empty() {
            find_holders(&mut new);
        }
        for (it, programs) in new.into_values().filter(|(_, found)| !found.is_empty()) {
            say(fact(&it, now, What::Held(programs)));
        }
        self.known = held;
        self.last = now;
        let rest = begun.elapsed().saturating_mul(REST);
        self.due = Instant::now() + rest.max(LEAST);
    }
}

fn fact(socket: &Held, at: i64, what: What) -> Fact {
    Fact {
        at,
        local: socket.local,
        remote: socket.remote,
        what,
    }
}

/// A socket that has a peer and belongs to a program: in TIME-WAIT there is no program, and before it is accepted neither.
fn held(it: TcpNetEntry) -> Option<Held> {
    let over = matches!(it.state, TcpState::Listen | TcpState::TimeWait);
    (it.inode > 0 && !over).then_some(Held {
        inode: it.inode,
        local: it.local_address,
        remote: it.remote_address,
    })
}

/// Adds the programs that hold these sockets, of those that may be looked at.
fn find_holders(sockets: &mut HashMap<u64, (Held, Vec<Program>)>) {
    for process in all_processes().into_iter().flatten().flatten() {
        let Ok(descriptors) = process.fd() else {
            continue;
        };
        let mut named = None;
        for descriptor in descriptors.flatten() {
            let FDTarget::Socket(inode) = descriptor.target else {
                continue;
            };
            let Some((_, found)) = sockets.get_mut(&inode) else {
                continue;
            };
            let named = named.get_or_insert_with(|| process.stat().ok().map(|it| it.comm));
            let pid = u32::try_from(process.pid()).ok();
            let once = found.iter().all(|it| it.pid != pid);
            if let Some(name) = named
                && once
                && found.len() < MAX_HOLDERS
            {
                found.push(Program {
                    name: name.clone(),
                    pid,
                });
            }
        }
    }
}
