//! A source whose first batches have been read, to see whether it has more: starting threads takes longer than analysing a
//! small one.

use std::collections::VecDeque;

use super::error::CaptureError;
use super::frame::{Batch, Fill, Source};
use super::wrapped::{Wrap, wrapped};

/// Batches that are read first. That of a file has 64 KiB at the most.
const FIRST: usize = 2;

/// The first batches.
struct Begun(VecDeque<(Fill, Batch)>);

/// The source, and whether its first batches are all there is.
///
/// # Errors
/// Those of the source.
pub(crate) fn begun(mut inner: Box<dyn Source>) -> Result<(Box<dyn Source>, bool), CaptureError> {
    let mut read = VecDeque::with_capacity(FIRST);
    let mut ended = false;
    while read.len() < FIRST && !ended {
        let mut batch = Batch::default();
        let fill = inner.fill(&mut batch)?;
        ended = fill == Fill::End;
        read.push_back((fill, batch));
    }
    Ok((wrapped(inner, Begun(read)), ended))
}

impl Wrap for Begun {
    fn fill(&mut self, inner: &mut dyn Source, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let Some((fill, read)) = self.0.pop_front() else {
            return inner.fill(batch);
        };
        *batch = read;
        Ok(fill)
    }
}
