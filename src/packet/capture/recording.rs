//! Writes frames to disk as they pass: to one pcapng file, or to a set of files rotated by size or time, of which only
//! the latest are kept.
//!
//! Existing files are never overwritten, because captures are evidence. A write error ends the capture with an error,
//! since the requested recording is incomplete.

use crate::base::net::Loss;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::CaptureError;
use super::frame::{Batch, Fill, Frame, Source};
use super::wrapped::{Wrap, wrapped};
use super::write::PcapngWriter;
use crate::base::time::Timestamp;

/// Size of the write buffer in bytes.
const BUFFER: usize = 256 << 10;

/// When to start a new file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes after which the next file is started.
    pub size: Option<u64>,
    /// Time on the packet clock after which the next file is started.
    pub time: Option<Duration>,
    /// Number of files kept; older ones are deleted.
    pub files: Option<usize>,
}

impl Rotation {
    const fn is_wanted(&self) -> bool {
        self.size.is_some() || self.time.is_some()
    }
}

/// A recording in progress.
pub struct Recording {
    path: PathBuf,
    rotation: Rotation,
    to: Option<OpenRecording>,
    number: u32,
    written: VecDeque<PathBuf>,
}

struct OpenRecording {
    writer: PcapngWriter<CountedFile>,
    path: PathBuf,
    since: Option<Timestamp>,
}

/// A file that counts the bytes written to it.
struct CountedFile {
    to: BufWriter<File>,
    bytes: u64,
}

impl Write for CountedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

impl Recording {
    /// Creates the (first) file.
    ///
    /// # Errors
    /// If it exists already or cannot be created.
    pub fn begin(path: &Path, rotation: Rotation) -> Result<Self, CaptureError> {
        let mut recording = Self {
            path: path.to_owned(),
            rotation,
            to: None,
            number: 0,
            written: VecDeque::new(),
        };
        recording.next()?;
        Ok(recording)
    }

    /// A source that passes on the frames of `source` and records them.
    #[must_use]
    pub fn of(self, source: Box<dyn Source>) -> Box<dyn Source> {
        wrapped(source, self)
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// If writing fails.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Result<(), CaptureError> {
        let full = self.to.as_ref().is_some_and(|open| {
            let large = self.rotation.size;
            let large = large.is_some_and(|size| open.writer.inner().bytes >= size);
            let since = open.since.unwrap_or(frame.time);
            let long = self.rotation.time;
            large || long.is_some_and(|time| frame.time.since(since) >= time)
        });
        if full {
            self.end(Loss::default())?;
            self.next()?;
        }
        let Some(open) = &mut self.to else {
            return Ok(());
        };
        open.since.get_or_insert(frame.time);
        let written = open.writer.frame(frame);
        written.map_err(|error| CaptureError::Io {
            path: open.path.clone(),
            error,
        })
    }

    /// Flushes buffered frames to the file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        let Some(open) = &mut self.to else {
            return Ok(());
        };
        open.writer.flush().map_err(|error| CaptureError::Io {
            path: open.path.clone(),
            error,
        })
    }

    /// Finishes the file and records the losses.
    ///
    /// # Errors
    /// If writing fails.
    pub fn end(&mut self, lost: Loss) -> Result<(), CaptureError> {
        let Some(OpenRecording {
            mut writer, path, ..
        }) = self.to.take()
        else {
            return Ok(());
        };
        let ended = writer.lost(lost).and_then(|()| writer.finish());
        let Err(error) = ended else {
            return Ok(());
        };
        Err(CaptureError::Io { path, error })
    }

    fn next(&mut self) -> Result<(), CaptureError> {
        self.number += 1;
        let path = match self.rotation.is_wanted() {
            true => numbered(&self.path, self.number),
            false => self.path.clone(),
        };
        let writer = File::create_new(&path).and_then(|file| {
            PcapngWriter::new(CountedFile {
                to: BufWriter::with_capacity(BUFFER, file),
                bytes: 0,
            })
        });
        let writer = writer.map_err(|error| CaptureError::Io {
            path: path.clone(),
            error,
        })?;
        self.to = Some(OpenRecording {
            writer,
            path: path.clone(),
            since: None,
        });
        self.written.push_back(path);
        while self
            .rotation
            .files
            .is_some_and(|files| self.written.len() > files.max(1))
        {
            if let Some(old) = self.written.pop_front() {
                // Ignore the error: the file may have been removed already.
                let _ = std::fs::remove_file(old);
            }
        }
        Ok(())
    }
}

/// `OUT.pcapng` becomes `OUT-00001.pcapng`.
#[must_use]
pub(crate) fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let dot = if extension.is_empty() { "" } else { "." };
    path.with_file_name(format!("{stem}-{number:05}{dot}{extension}"))
}

impl Wrap for Recording {
    fn fill(&mut self, inner: &mut dyn Source, batch: &mut Batch) -> Result<Fill, CaptureError> {
        let fill = inner.fill(batch)?;
        for frame in batch.frames() {
            self.frame(&frame)?;
        }
        match fill {
            Fill::Frames => {}
            // Flush while idle, so that a program that reads the file sees all frames so far.
            Fill::Idle(_) => self.flush()?,
            Fill::End => self.end(inner.lost())?,
        }
        Ok(fill)
    }
}
