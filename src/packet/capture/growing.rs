//! A file that is still being written, read as a stream that has no end yet.
//!
//! At the end of what there is, it waits for more. When the file is cut short, or its name now stands for another file (a
//! rotated log), what was read is complete, and the reason is told as an error, which the summary keeps as damage.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::CaptureError;
use super::input::Input;

/// Between two looks at a file that has nothing new.
const PAUSE: Duration = Duration::from_millis(50);

/// The file.
struct Growing {
    path: PathBuf,
    file: File,
    read: u64,
}

impl Input {
    /// A file that grows: its end is never the end. A pipe is read as always.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn growing(path: &Path) -> Result<Self, CaptureError> {
        let input = Self::open(path)?;
        if input.again().is_none() {
            return Ok(input);
        }
        let file = File::open(path).map_err(|error| CaptureError::Io {
            path: path.to_owned(),
            error,
        })?;
        let growing = Growing {
            path: path.to_owned(),
            file,
            read: 0,
        };
        Ok(Self::from_reader(
            path.display().to_string(),
            Box::new(growing),
        ))
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            self.read += read as u64;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let own = self.file.metadata()?;
            if own.len() < self.read {
                return Err(io::Error::other(
                    "the file was cut short while it was being followed; to read what it holds now, begin again",
                ));
            }
            if own.len() > self.read {
                continue;
            }
            // For a moment, while it is being replaced, there may be none.
            if std::fs::metadata(&self.path).is_ok_and(|now| !is_same(&own, &now)) {
                return Err(io::Error::other(
                    "another file has taken its place while it was being followed; to read that one, begin again",
                ));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether a name still means the same file.
#[cfg(unix)]
pub(crate) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open cannot be replaced, and one that is begun anew is known by being shorter.
#[cfg(not(unix))]
pub(crate) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}
