//! TLS key logs (`SSLKEYLOGFILE`) and secrets inside captures: read before the capture, and further as they grow while
//! it is read.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::options::AnalysisError;
use crate::base::frame_ref::FrameNumber;
use crate::packet::capture::{Batch, CaptureError, Fill, Source, Wrap, is_same, wrapped};
use crate::protocol::tls::secrets::KeyStore;

/// The secrets type of a pcapng Decryption Secrets Block that holds a TLS key log: `TLSK`.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Bytes read from a key log at once.
const PIECE: usize = 64 << 10;
/// The longest line whose end is awaited, in bytes; the longest valid line has 300 bytes.
const MAX_LINE: usize = 4096;
/// Secrets known before the first frame.
const ALWAYS: FrameNumber = FrameNumber(0);

/// The key logs, and the key store that they fill.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyLogs {
    /// Each has been read to its end at that time; clones share the position.
    logs: Arc<Mutex<Vec<KeyLog>>>,
    key_store: KeyStore,
    absent: Vec<PathBuf>,
}

/// Whether a key log must exist from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// For input that has an end: it is read once, with the secrets known then.
    Required,
    /// For input that grows: the log may not exist yet, since the first program that writes it creates it.
    Awaited,
}

impl KeyLogs {
    /// Reads what the logs hold so far.
    ///
    /// # Errors
    /// If a required log cannot be read, or a log has malformed lines and not a single secret, or this build
    /// cannot decrypt.
    pub(super) fn read(paths: &[PathBuf], presence: Presence) -> Result<Self, AnalysisError> {
        if !paths.is_empty() && cfg!(not(feature = "decrypt")) {
            return Err(AnalysisError::CannotDecrypt);
        }
        let key_store = KeyStore::default();
        let mut logs = Vec::new();
        let mut absent = Vec::new();
        for path in paths {
            let before = key_store.counts();
            let mut log = KeyLog::new(path);
            match log.more(&key_store) {
                Ok(()) => {}
                Err(error)
                    if error.kind() == ErrorKind::NotFound && presence == Presence::Awaited =>
                {
                    absent.push(path.clone());
                }
                Err(source) => {
                    let path = path.clone();
                    return Err(AnalysisError::KeyLog { path, source });
                }
            }
            if presence == Presence::Required {
                log.end(&key_store);
            }
            let after = key_store.counts();
            if after.secrets == before.secrets && after.malformed > before.malformed {
                return Err(AnalysisError::NoKeyLog { path: path.clone() });
            }
            logs.push(log);
        }
        Ok(Self {
            logs: Arc::new(Mutex::new(logs)),
            key_store,
            absent,
        })
    }

    /// The key store that the logs fill.
    pub(super) fn key_store(&self) -> &KeyStore {
        &self.key_store
    }

    /// The logs that did not exist yet.
    pub(super) fn absent(&self) -> &[PathBuf] {
        &self.absent
    }

    /// Wraps the source: secrets inside the capture go into the key store before the frames of their batch are
    /// analysed. `grows`: the logs are still being written.
    pub(super) fn beside(&self, source: Box<dyn Source>, grows: bool) -> Box<dyn Source> {
        let logs = Arc::clone(&self.logs);
        let any = !logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        self.key_store.set_growing(grows && any);
        let secrets = FromKeyLogs {
            key_store: self.key_store.clone(),
            logs: Some(logs).filter(|_| grows && any),
            seen: Vec::new(),
            frames: ALWAYS,
        };
        wrapped(source, secrets)
    }
}

/// A key log that may still be written to, truncated, removed, or replaced by a new file.
#[derive(Debug)]
struct KeyLog {
    path: PathBuf,
    file: Option<File>,
    /// Bytes read so far.
    read: u64,
    /// An incomplete last line. Each log has its own, because several may be written to at the same time.
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

    /// Reads up to the present end of the file that has the path now.
    fn more(&mut self, key_store: &KeyStore) -> std::io::Result<()> {
        // A removed file may still be written to by a program that has it open, so it is read on.
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
            // Truncated: its present content is new.
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
            // The key store accepts no line longer than this. Pass an overlong one on unfinished; the key store counts
            // it as malformed.
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

    /// Ends the log: its last line may lack a line break.
    fn end(&mut self, key_store: &KeyStore) {
        key_store.read(&std::mem::take(&mut self.rest), ALWAYS);
        key_store.end(ALWAYS);
    }
}

/// Puts secrets into the key store while frames are read: those of key logs, and those of the source's own blocks.
struct FromKeyLogs {
    key_store: KeyStore,
    /// The logs that are still being written.
    logs: Option<Arc<Mutex<Vec<KeyLog>>>>,
    /// Number of secrets blocks already processed, by file.
    seen: Vec<usize>,
    /// The last frame before this batch.
    frames: FrameNumber,
}

impl Wrap for FromKeyLogs {
    fn fill(&mut self, inner: &mut dyn Source, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let fill = inner.fill(batch)?;
        // Read the logs after the frames: a program has its secrets before it sends anything encrypted with them, and
        // has logged them by then.
        if let Some(logs) = &self.logs {
            for log in logs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter_mut()
            {
                // A log that cannot be read yields no secrets; its connections stay encrypted, and the report says so.
                let _ = log.more(&self.key_store);
            }
        }
        let files = inner.files();
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
}
