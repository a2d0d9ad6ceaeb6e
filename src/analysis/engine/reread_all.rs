//! Rereads an input for the records of all its connections, one after another: for a search in what was not kept.
//!
//! In: the input once more, from its beginning. Out: each connection as it settles, unnumbered. Nothing is stored.

use super::{Engine, Event, Sink};
use crate::analysis::connection::Connection;
use crate::packet::capture::{Batch, CaptureError, Fill, Source};
use crate::protocol::tls::secrets::KeyStore;

/// Reads `source` to its end, with the secrets in `keys`, and passes every connection to `each`. `goes_on` is called
/// after each batch with the number of bytes read; once it returns false, the rereading stops. Returns whether it reached the end.
///
/// # Errors
/// When the source cannot be read.
pub fn reread_all(
    source: &mut dyn Source,
    keys: &KeyStore,
    mut goes_on: impl FnMut(u64) -> bool,
    each: &mut dyn FnMut(&Connection),
) -> Result<bool, CaptureError> {
    let mut engine = Engine::with_keys(keys);
    let mut sink = EachConnection(each);
    let mut batch = Batch::default();
    loop {
        match source.fill(&mut batch)? {
            Fill::Frames => {}
            Fill::Idle(_) => continue,
            Fill::End => break,
        }
        for frame in batch.frames() {
            engine.frame(&frame, &mut sink);
        }
        if !goes_on(source.files().iter().map(|file| file.bytes).sum()) {
            return Ok(false);
        }
    }
    let _ = engine.finish(&mut sink);
    Ok(true)
}

struct EachConnection<'a>(&'a mut dyn FnMut(&Connection));

impl Sink for EachConnection<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            (self.0)(&connection);
        }
    }

    fn settled(&mut self, connection: Connection) {
        (self.0)(&connection);
    }
}
