//! The process that asks the operating system: beside the sandbox, because it reads what no reader of packets may.
//!
//! It is this program again, started before the sandbox, with [`ARGUMENT`](super::ARGUMENT) alone. In, on its standard
//! input: nothing; it ends when that ends, or on a signal, and removes its instance of tracefs. Out: a [`Line`] of JSON
//! for each fact. It sees no packet, and keeps no right but to look at the programs of others.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use super::fact::{Fact, Line, Program, SentReset, What};
use super::sockets::Sockets;
use super::trace::{self, Said, Thread, TraceLine};
use super::tracefs::Instance;
use crate::app::{sandbox, system};

/// How often events are read.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};
/// How long a thread's program is remembered: its number may be another's later.
const REMEMBERED: Duration = Duration::from_secs(2);
/// Threads that are remembered.
const MAX_THREADS: usize = 4096;

/// Is the helper.
pub(in crate::app) fn serve() -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in system::ending() {
        // If it cannot be caught, it ends the helper, and the next capture removes the instance.
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    let events = Instance::begin().ok();
    sandbox::keep_looking();
    let mut helper = Helper {
        events,
        sockets: Sockets::new(),
        threads: Threads::default(),
        out: BufWriter::new(io::stdout()),
    };
    loop {
        let over = stop.load(Ordering::Relaxed) || wait();
        if helper.say_all().is_err() || over {
            return ExitCode::SUCCESS;
        }
    }
}

/// Waits for a moment; whether standard input has ended.
fn wait() -> bool {
    let stdin = io::stdin();
    let mut input = [PollFd::new(&stdin, PollFlags::IN)];
    // A signal interrupts it.
    poll(&mut input, Some(&PAUSE)).is_ok_and(|ready| ready > 0)
}

struct Helper {
    /// `None` where tracefs gives none.
    events: Option<Instance>,
    sockets: Sockets,
    threads: Threads,
    out: BufWriter<io::Stdout>,
}

impl Helper {
    /// Says what is new.
    fn say_all(&mut self) -> io::Result<()> {
        let Self {
            events,
            sockets,
            threads,
            out,
        } = self;
        let mut written = Ok(());
        let mut say = |line: &Line| {
            if written.is_ok() {
                written = serde_json::to_writer(&mut *out, line)
                    .map_err(io::Error::from)
                    .and_then(|()| out.write_all(b"\n"));
            }
        };
        let begun = wall_clock();
        if let Some(instance) = events {
            let ahead = wall_clock() - nanos(ClockId::Monotonic);
            let read = instance.read(|line| match trace::read(line) {
                Some(TraceLine::Event(event)) => {
                    if let Some(what) = threads.what(event.said) {
                        say(&Line::Fact(Fact {
                            at: event.at.saturating_add(ahead),
                            local: event.local,
                            remote: event.remote,
                            what,
                        }));
                    }
                }
                Some(TraceLine::Lost(events)) => say(&Line::Lost(events)),
                None => {}
            });
            if read.is_err() {
                *events = None;
            }
        }
        sockets.look(begun, &mut |fact| say(&Line::Fact(fact)));
        say(&Line::UpTo(begun));
        written?;
        self.out.flush()
    }
}

fn wall_clock() -> i64 {
    nanos(ClockId::Realtime)
}

fn nanos(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(now.tv_nsec)
}

/// The programs that threads are part of.
#[derive(Default)]
struct Threads(HashMap<Thread, (Option<Program>, Instant)>);

impl Threads {
    fn what(&mut self, said: Said) -> Option<What> {
        match said {
            Said::Acted(by) => self.program(by).map(What::Acted),
            Said::Reset { reason, socket, by } => Some(What::Reset(SentReset {
                reason,
                socket: socket.name().to_owned(),
                by: by.and_then(|it| self.program(it)),
            })),
        }
    }

    fn program(&mut self, thread: Thread) -> Option<Program> {
        let now = Instant::now();
        if let Some((program, since)) = self.0.get(&thread)
            && now.duration_since(*since) < REMEMBERED
        {
            return program.clone();
        }
        let program = look_up(&thread);
        if self.0.len() >= MAX_THREADS {
            self.0.clear();
        }
        self.0.insert(thread, (program.clone(), now));
        program
    }
}

/// The program of a thread: the event has the thread's name, and its number is no program's if the program has several.
fn look_up(thread: &Thread) -> Option<Program> {
    let of = |id: i32| Process::new(id).ok();
    let id = i32::try_from(thread.id).ok()?;
    let first = of(id).and_then(|it| it.status().ok()).map(|it| it.tgid);
    let named = first.and_then(of).and_then(|it| it.stat().ok());
    let name = match &thread.name {
        // The name that it had when it acted.
        Some(name) if first == Some(id) || named.is_none() => name.clone(),
        _ => named?.comm,
    };
    Some(Program {
        name,
        pid: first.and_then(|it| u32::try_from(it).ok()),
    })
}
