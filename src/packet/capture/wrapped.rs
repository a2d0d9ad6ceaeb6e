//! A source around another one, of which only the filling of batches differs.

use super::error::CaptureError;
use super::frame::{Batch, Fill, Source};
use super::summary::FileSummary;
use crate::base::net::Loss;

/// What a wrapper does each time a batch is wanted.
pub(crate) trait Wrap: Send {
    /// Fills `batch` from `inner`, as [`Source::fill`] does.
    ///
    /// # Errors
    /// Those of `inner`, and those of the wrapper's own work.
    fn fill(&mut self, inner: &mut dyn Source, batch: &mut Batch) -> Result<Fill, CaptureError>;
}

struct Wrapped<W> {
    inner: Box<dyn Source>,
    wrapper: W,
}

/// The source `inner` as its wrapper hands it on. All but the filling is the inner source's own.
pub(crate) fn wrapped(inner: Box<dyn Source>, wrapper: impl Wrap + 'static) -> Box<dyn Source> {
    Box::new(Wrapped { inner, wrapper })
}

impl<W: Wrap> Source for Wrapped<W> {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        self.wrapper.fill(&mut *self.inner, batch)
    }

    fn stop(&mut self) {
        self.inner.stop();
    }

    fn lost(&self) -> Loss {
        self.inner.lost()
    }

    fn files(&self) -> &[FileSummary] {
        self.inner.files()
    }
}
