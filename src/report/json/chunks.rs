//! Rows of connections, made on several threads and written in order.
//!
//! A row is a few kilobytes of text and takes longer than the analysis of its connection. Each thread makes every n-th chunk
//! of rows and waits until its last one is written, so that only a few chunks are in memory.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crate::analysis::connection::Connection;
use crate::report::view::View;

/// Connections and exchanges whose rows are made at a time: about half a megabyte.
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
    let made = |view: &View<'_>, chunk: &Range<usize>, bytes: &mut Vec<u8>| -> io::Result<()> {
        let mut rows = chunk.clone().zip(&connections[chunk.clone()]);
        rows.try_for_each(|(place, it)| row(view, place, it, bytes))
    };
    let chunks = chunks(&connections);
    let threads = view.options.threads.unwrap_or(THREADS).min(THREADS);
    if chunks.len() <= THREADS || threads < 2 {
        let mut bytes = Vec::new();
        for chunk in &chunks {
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
            let (parts, made, chunks) = (view.parts(), &made, &chunks);
            scope.spawn(move || {
                let view = View::from(parts);
                for chunk in chunks.iter().skip(first).step_by(threads) {
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
        for (from, back) in from.iter().cycle().take(chunks.len()) {
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

/// The places of the connections of each chunk.
fn chunks(connections: &[&Connection]) -> Vec<Range<usize>> {
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let mut room = 0;
    for (place, connection) in connections.iter().enumerate() {
        match chunks.last_mut() {
            Some(chunk) if room > 0 => chunk.end = place + 1,
            _ => {
                chunks.push(place..place + 1);
                room = CHUNK;
            }
        }
        room = room.saturating_sub(1 + connection.exchanges.len());
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::Exchange;
    use crate::report::snapshot::sample;

    #[test]
    fn a_connection_with_many_exchanges_fills_a_chunk() {
        let mut small = sample::connection();
        small.exchanges = vec![Exchange::default(); 1].into();
        let mut large = small.clone();
        large.exchanges = vec![Exchange::default(); 2 * CHUNK].into();
        let all = [vec![&small; 2 * CHUNK], vec![&large; 2], vec![&small]].concat();
        let chunks = chunks(&all);
        let sizes: Vec<usize> = chunks.iter().map(Range::len).collect();
        assert_eq!(sizes, [128, 128, 128, 128, 1, 1, 1]);
        assert!(chunks.iter().cloned().flatten().eq(0..all.len()));
    }
}
