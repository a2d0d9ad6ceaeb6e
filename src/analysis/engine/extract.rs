//! Extracts the frames of some connections from an input, for a capture of their own.
//!
//! A frame belongs to a connection by its addresses and ports, from the connection's first frame until a moment after
//! its last, so that ICMP errors about it and late segments are included. Of a fragmented datagram only the last
//! fragment is extracted, deliberately: the earlier ones are assigned to a connection only when it is too late.

use super::intake::decode;
use super::intake::key;
use std::io;

use hashbrown::HashMap;

use super::EngineStats;
use super::reread::until;
use crate::analysis::connection::ConnectionSummary;
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, FileSummary, Fill, Frame, Source};
use crate::packet::decode::Decoder;
use crate::packet::flow::FlowKey;

/// Why frames cannot be extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The source cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The frames cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Passes the frames of the `wanted` connections to `put` in order, with what the files have said of themselves so far, while
/// `goes_on` returns true. Returns their number.
///
/// # Errors
/// When the source cannot be read, or `put` fails.
pub fn extract(
    source: &mut dyn Source,
    wanted: &[ConnectionSummary],
    mut goes_on: impl FnMut() -> bool,
    mut put: impl FnMut(&Frame<'_>, &[FileSummary]) -> io::Result<()>,
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
                put(&frame, source.files())?;
                count += 1;
            }
        }
        // Files are in order of time except for small deviations, which `until` allows for.
        if batch.frames().all(|frame| frame.time > last) {
            break;
        }
    }
    Ok(count)
}
