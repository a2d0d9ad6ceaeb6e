//! The frames of some connections out of an input, for a capture of their own.
//!
//! A frame belongs to a connection by its addresses and ports, between the connection's first frame and a moment after its
//! last, so ICMP errors about it and late segments come along. Left out on purpose: all but the last fragment of a datagram
//! in fragments, which only show whose they are when it is too late.

use super::intake::decode;
use super::intake::key;
use std::io;

use hashbrown::HashMap;

use super::EngineStats;
use super::reread::until;
use crate::analysis::connection::ConnectionSummary;
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, Fill, Frame, Source};
use crate::packet::decode::Decoder;
use crate::packet::flow::FlowKey;

/// Why frames cannot be taken out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// They cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// They cannot be put where they should go.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Hands on the frames of the `wanted` connections in order, while `goes_on`. Returns how many there were.
///
/// # Errors
/// When the source cannot be read, or `put` fails.
pub fn extract(
    source: &mut dyn Source,
    wanted: &[ConnectionSummary],
    mut goes_on: impl FnMut() -> bool,
    mut put: impl FnMut(&Frame<'_>) -> io::Result<()>,
) -> Result<u64, ExtractError> {
    let mut spans: HashMap<u64, Vec<(FrameNumber, Timestamp)>> = HashMap::new();
    for summary in wanted {
        let flow = FlowKey::new(summary.client, summary.server, summary.context);
        let span = (summary.first.frame, until(summary));
        spans.entry(flow.share()).or_default().push(span);
    }
    let last = wanted.iter().map(until).max().unwrap_or(Timestamp::MIN);
    let mut decoder = Decoder::new();
    let mut stats = EngineStats::default();
    let mut batch = Batch::default();
    let mut count = 0;
    while goes_on() {
        match source.fill(&mut batch)? {
            Fill::Frames => {}
            Fill::Idle(_) => continue,
            Fill::End => break,
        }
        for frame in batch.frames() {
            let mut belongs = false;
            decode(&mut decoder, &mut stats, &frame, |decoded| {
                let spans = spans.get(&key(decoded).share());
                belongs |= spans.is_some_and(|spans| {
                    let within = |(first, until): &(FrameNumber, Timestamp)| {
                        *first <= frame.number && frame.time <= *until
                    };
                    spans.iter().any(within)
                });
            });
            if belongs {
                put(&frame)?;
                count += 1;
            }
        }
        // Files are in order of time but for trifles, which `until` makes good.
        if batch.frames().all(|frame| frame.time > last) {
            break;
        }
    }
    Ok(count)
}
