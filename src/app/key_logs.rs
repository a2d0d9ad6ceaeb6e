//! Key logs: read before the capture, with it, and as they grow beside it.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};

use crate::base::frame_ref::FrameNumber;
use crate::base::net::Loss;
use crate::packet::capture::{Batch, CaptureError, FileSummary, Fill, Source, is_same};
use crate::protocol::tls::secrets::KeyStore;

/// A block of secrets of a pcapng file that is a key log: `TLSK`.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Read from a key log at once.
const PIECE: usize = 64 << 10;
/// The longest line that is waited for; the longest there is has 300 bytes.
const MAX_LINE: usize = 4096;
/// Known before the first frame.
const ALWAYS: FrameNumber = FrameNumber(0);

/// Key logs, and the ring that they fill.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyLogs {
    /// Each read to the end it had; clones go on from the same place.
    logs: Arc<Mutex<Vec<KeyLog>>>,
    key_store: KeyStore,
    absent: Vec<PathBuf>,
}

/// Whether a key log must be there from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// What has an end is read with what is known.
    Required,
    /// What goes on may be before its log, which the first program that writes it creates.
    Awaited,
}

impl KeyLogs {
    /// Reads what the logs hold so far.
    ///
    /// # Errors
    /// When one that is required cannot be read, or there is not a single secret in what one holds.
    pub(super) fn read(paths: &[PathBuf], presence: Presence) -> Result<Self> {
        let key_store = KeyStore::default();
        let mut logs = Vec::new();
        let mut absent = Vec::new();
        for path in paths {
            let name = path.display();
            let before = key_store.counts();
            let mut log = KeyLog::new(path);
            match log.more(&key_store) {
                Ok(()) => {}
                Err(error)
                    if error.kind() == ErrorKind::NotFound && presence == Presence::Awaited =>
                {
                    absent.push(path.clone());
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("{name}: the key log cannot be read"));
                }
            }
            if presence == Presence::Required {
                log.end(&key_store);
            }
            let after = key_store.counts();
            if after.secrets == before.secrets && after.malformed > before.malformed {
                bail!(
                    "{name}: is no key log: there is not a line `LABEL CLIENT-RANDOM SECRET` in it; programs write one where \
                     the variable SSLKEYLOGFILE names it"
                );
            }
            logs.push(log);
        }
        Ok(Self {
            logs: Arc::new(Mutex::new(logs)),
            key_store,
            absent,
        })
    }

    /// What they fill.
    pub(super) fn key_store(&self) -> &KeyStore {
        &self.key_store
    }

    /// Those that were not there yet.
    pub(super) fn absent(&self) -> &[PathBuf] {
        &self.absent
    }

    /// The same source; secrets that travel in it are put on the ring before its frames are looked at. `grows`: the logs are
    /// still being written.
    pub(super) fn beside(&self, source: Box<dyn Source>, grows: bool) -> Box<dyn Source> {
        let logs = Arc::clone(&self.logs);
        let any = !logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        self.key_store.set_growing(grows && any);
        Box::new(KeyedSource {
            source,
            key_store: self.key_store.clone(),
            logs: Some(logs).filter(|_| grows && any),
            seen: Vec::new(),
            frames: ALWAYS,
        })
    }
}

/// A key log that may still be written, cut short, taken away, or begun anew.
#[derive(Debug)]
struct KeyLog {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of it that were read.
    read: u64,
    /// A line whose end is not there yet. Each log has its own: programs write to several at a time.
    rest: Vec<u8>,
}

impl KeyLog {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            read: 0,
            rest: Vec::new(),
        }
    }

    /// Reads on to the end there is now, of the file that has the name now.
    fn more(&mut self, key_store: &KeyStore) -> std::io::Result<()> {
        // One that was taken away may be written to all the same, by who has it open.
        let now = std::fs::metadata(&self.path);
        let other = match (&self.file, &now) {
            (Some(file), Ok(now)) => !is_same(&file.metadata()?, now),
            (Some(_), Err(_)) => false,
            (None, _) => true,
        };
        if other {
            if self.file.is_some() {
                self.rest_of_file(key_store)?;
                self.end(key_store);
                self.file = None;
            }
            self.file = Some(File::open(&self.path)?);
            self.read = 0;
        }
        self.rest_of_file(key_store)
    }

    fn rest_of_file(&mut self, key_store: &KeyStore) -> std::io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let now = file.metadata()?.len();
        if now < self.read {
            // Cut short: what stands there now is new.
            file.rewind()?;
            self.read = 0;
            self.rest.clear();
        }
        if now == self.read {
            return Ok(());
        }
        let mut piece = vec![0; PIECE];
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            self.read = self.read.saturating_add(length as u64);
            self.rest
                .extend_from_slice(piece.get(..length).unwrap_or_default());
            let end = self.rest.iter().rposition(|byte| *byte == b'\n');
            // No line is as long as the ring waits for: it counts what is.
            let end = end.map_or(0, |at| at + 1);
            let end = if end == 0 && self.rest.len() > MAX_LINE {
                self.rest.len()
            } else {
                end
            };
            key_store.read(self.rest.get(..end).unwrap_or_default(), ALWAYS);
            self.rest.drain(..end);
        }
    }

    /// The last line has no end, and none will come.
    fn end(&mut self, key_store: &KeyStore) {
        key_store.read(&std::mem::take(&mut self.rest), ALWAYS);
        key_store.end(ALWAYS);
    }
}

/// A source and the secrets beside it.
struct KeyedSource {
    source: Box<dyn Source>,
    key_store: KeyStore,
    /// Those that are still being written.
    logs: Option<Arc<Mutex<Vec<KeyLog>>>>,
    /// Blocks of secrets that were looked at, of each file.
    seen: Vec<usize>,
    /// The last frame before this batch.
    frames: FrameNumber,
}

impl Source for KeyedSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let fill = self.source.fill(batch)?;
        // After the frames: a program has its secrets before it says anything under them, and writes them down by then.
        if let Some(logs) = &self.logs {
            for log in logs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter_mut()
            {
                // A log that cannot be read has no secrets; what is hidden stays so, and the report says it.
                let _ = log.more(&self.key_store);
            }
        }
        let files = self.source.files();
        self.seen.resize(files.len().max(self.seen.len()), 0);
        for (file, seen) in files.iter().zip(&mut self.seen) {
            for secrets in file.secrets.iter().skip(*seen) {
                if secrets.kind == TLS_KEY_LOG {
                    self.key_store.read(&secrets.bytes, self.frames);
                    self.key_store.end(self.frames);
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
