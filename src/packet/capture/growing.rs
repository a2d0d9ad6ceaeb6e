//! A file that is still being written, read as a stream whose end is not known yet.
//!
//! At the end of the present content, the reader waits for more. If the file is truncated, or its path now refers to
//! another file (a rotated log), the stream ends with an error that gives the reason; the summary keeps it as damage.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::CaptureError;
use super::handles::is_same;
use super::input::Input;

/// The interval between two checks of a file that has not grown.
const PAUSE: Duration = Duration::from_millis(50);

/// The file being followed.
struct Growing {
    path: PathBuf,
    file: File,
    read: u64,
}

impl Input {
    /// Opens a file that grows: reaching its end does not end the input. A pipe is read as by [`Input::open`].
    ///
    /// # Errors
    /// If it cannot be read.
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
            // While the file is being replaced, the path may not exist for a moment.
            if std::fs::metadata(&self.path).is_ok_and(|now| !is_same(&own, &now)) {
                return Err(io::Error::other(
                    "another file has taken its place while it was being followed; to read that one, begin again",
                ));
            }
            thread::sleep(PAUSE);
        }
    }
}
