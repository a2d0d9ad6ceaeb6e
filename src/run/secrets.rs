//! Key logs: read before the capture, with it, and as they grow beside it.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use crate::capture::{Batch, CaptureError, FileSummary, Fill, Loss, Source};
use crate::keys::KeyRing;
use crate::mark::FrameNumber;

/// A block of secrets of a pcapng file that is a key log: `TLSK`.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Read from a key log at once.
const PIECE: usize = 64 << 10;
/// Known before the first frame.
const ALWAYS: FrameNumber = FrameNumber(0);

/// Key logs, and the ring that they fill.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyLogs {
    /// Each read to the end it had; clones go on from the same place.
    files: Arc<Vec<File>>,
    ring: KeyRing,
}

impl KeyLogs {
    /// Reads what the logs hold so far.
    ///
    /// # Errors
    /// When one cannot be read, or there is not a single secret in it.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self> {
        let ring = KeyRing::default();
        let mut files = Vec::new();
        for path in paths {
            let name = path.display();
            let before = ring.counts();
            let unread = || format!("{name}: the key log cannot be read");
            let file = File::open(path).with_context(unread)?;
            more(&file, &ring).with_context(unread)?;
            let after = ring.counts();
            if after.secrets == before.secrets && after.malformed > before.malformed {
                bail!(
                    "{name}: is no key log: there is not a line `LABEL CLIENT-RANDOM SECRET` in it; programs write one where \
                     the variable SSLKEYLOGFILE names it"
                );
            }
            files.push(file);
        }
        Ok(Self {
            files: Arc::new(files),
            ring,
        })
    }

    /// What they fill.
    pub(super) fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The same source; secrets that travel in it are put on the ring before its frames are looked at. `grows`: the logs are
    /// still being written.
    pub(super) fn beside(&self, source: Box<dyn Source>, grows: bool) -> Box<dyn Source> {
        let logs = if grows && !self.files.is_empty() {
            self.ring.set_growing(true);
            Arc::clone(&self.files)
        } else {
            // The last line may have no end.
            self.ring.end(ALWAYS);
            Arc::default()
        };
        Box::new(Keyed {
            source,
            ring: self.ring.clone(),
            logs,
            seen: Vec::new(),
            frames: ALWAYS,
        })
    }
}

/// Reads on to the end there is now.
fn more(mut file: &File, ring: &KeyRing) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        ring.read(piece.get(..length).unwrap_or_default(), ALWAYS);
    }
}

/// A source and the secrets beside it.
struct Keyed {
    source: Box<dyn Source>,
    ring: KeyRing,
    logs: Arc<Vec<File>>,
    /// Blocks of secrets that were looked at, of each file.
    seen: Vec<usize>,
    /// The last frame before this batch.
    frames: FrameNumber,
}

impl Source for Keyed {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let fill = self.source.fill(batch)?;
        for log in self.logs.iter() {
            // A log that cannot be read any more has no more secrets; what is hidden stays so, and the report says it.
            let _ = more(log, &self.ring);
        }
        let files = self.source.files();
        self.seen.resize(files.len().max(self.seen.len()), 0);
        for (file, seen) in files.iter().zip(&mut self.seen) {
            for secrets in file.secrets.iter().skip(*seen) {
                if secrets.kind == TLS_KEY_LOG {
                    self.ring.read(&secrets.bytes, self.frames);
                    self.ring.end(self.frames);
                }
            }
            *seen = file.secrets.len();
        }
        if let Some(last) = batch.frames().last() {
            self.frames = last.number;
        }
        Ok(fill)
    }

    fn stop(&mut self) {
        self.source.stop();
    }

    fn lost(&self) -> Loss {
        self.source.lost()
    }

    fn files(&self) -> &[FileSummary] {
        self.source.files()
    }
}
