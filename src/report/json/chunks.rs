//! Rows of connections, made on several threads and written in order.
//!
//! A row is a few kilobytes of text and takes longer than the analysis of its connection. Each thread makes every n-th chunk
//! of rows and waits until its last one is written, so that only a few chunks are in memory.

use std::io::{self, Write};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crate::analysis::connection::Connection;
use crate::report::view::View;

/// Rows that are made at a time: about a megabyte.
const CHUNK: usize = 256;
/// Threads that make rows, while one writes them. More do not help: writing takes a quarter as long as making.
const THREADS: usize = 4;

/// Writes what `row` makes of each connection that is shown, given its place among them.
pub(super) fn write(
    view: &View<'_>,
    out: &mut dyn Write,
    row: impl Fn(&View<'_>, usize, &Connection, &mut Vec<u8>) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let connections: Vec<&Connection> = view.shown().collect();
    let made = |view: &View<'_>, chunk: usize, bytes: &mut Vec<u8>| -> io::Result<()> {
        let first = chunk * CHUNK;
        let mut rows = (first..).zip(connections.iter().skip(first).take(CHUNK));
        rows.try_for_each(|(place, it)| row(view, place, it, bytes))
    };
    let chunks = connections.len().div_ceil(CHUNK);
    let threads = view.options.threads.unwrap_or(THREADS).min(THREADS);
    if chunks <= THREADS || threads < 2 {
        let mut bytes = Vec::new();
        for chunk in 0..chunks {
            bytes.clear();
            made(view, chunk, &mut bytes)?;
            out.write_all(&bytes)?;
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let mut from = Vec::new();
        for first in 0..threads {
            let (to, chunk) = sync_channel(0);
            // What was written is filled again: its pages are there.
            let (back, written) = channel::<Vec<u8>>();
            from.push((chunk, back));
            let (parts, made) = (view.parts(), &made);
            scope.spawn(move || {
                let view = View::from(parts);
                for chunk in (first..chunks).step_by(threads) {
                    let mut bytes = written.try_recv().unwrap_or_default();
                    bytes.clear();
                    let done = made(&view, chunk, &mut bytes).map(|()| bytes);
                    // The writer has failed, and says why.
                    if to.send(done).is_err() {
                        return;
                    }
                }
            });
        }
        for (from, back) in from.iter().cycle().take(chunks) {
            // If the channel is closed, its thread has panicked; the scope reports that.
            let Ok(bytes) = from.recv() else {
                break;
            };
            let bytes = bytes?;
            out.write_all(&bytes)?;
            // Closed once its thread has made the last chunk.
            let _ = back.send(bytes);
        }
        Ok(())
    })
}
