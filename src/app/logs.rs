//! Opens the logs that are compared with a capture. Each is read several times, as a stream; what can be read only once
//! (standard input, a pipe) is kept in memory, within a bound.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::AnalysisError;
use crate::logs::{LogComparer, LogComparison, LogFailure};
use crate::packet::capture::{CaptureError, Input};
use crate::report::snapshot::Snapshot;

/// Bytes of a log that can be read only once.
pub(super) const MAX_PIPED: usize = 256 << 20;
/// Bytes read from a log at once.
const PIECE: usize = 256 << 10;
/// Characters of a line that a message repeats.
const SHOWN: usize = 60;

/// Compares each log with all connections of the snapshot.
pub(super) fn compare(
    paths: &[PathBuf],
    snapshot: &Snapshot,
) -> Result<Vec<LogComparison>, AnalysisError> {
    let Some(span) = snapshot.summary.span.filter(|_| !paths.is_empty()) else {
        return Ok(Vec::new());
    };
    // A report that is narrowed to an error has only some connections; the log is about all.
    let connections = match &snapshot.unnarrowed {
        Some(all) => &all.connections,
        None => &snapshot.connections,
    };
    let mut comparer = LogComparer::new(connections, &snapshot.legs, span);
    let mut compared = Vec::new();
    for path in paths {
        let failed = |source| AnalysisError::Log {
            path: path.clone(),
            source,
        };
        let input = LogInput::open(path).map_err(failed)?;
        let result = comparer.compare(&path.display().to_string(), &mut || input.stream());
        compared.push(result.map_err(|failure| match failure {
            LogFailure::Io(source) => failed(source),
            LogFailure::NotALog(first) => AnalysisError::NotALog {
                path: path.clone(),
                first: first.chars().take(SHOWN).collect(),
            },
        })?);
    }
    Ok(compared)
}

/// A log that can be read again.
enum LogInput {
    File(PathBuf),
    Kept(String, Arc<[u8]>),
}

impl LogInput {
    fn open(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            return Ok(Self::Kept(name, kept(&mut io::stdin().lock())?));
        }
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::Error::other(
                "this is a directory; name the log in it, and --log again for each further one",
            ));
        }
        if metadata.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        Ok(Self::Kept(name, kept(&mut std::fs::File::open(path)?)?))
    }

    /// The log from its beginning, decompressed if necessary.
    fn stream(&self) -> io::Result<Box<dyn BufRead>> {
        let input = match self {
            Self::File(path) => Input::open(path).map_err(plain)?,
            Self::Kept(name, bytes) => {
                Input::from_reader(name.clone(), Box::new(io::Cursor::new(Arc::clone(bytes))))
            }
        };
        let bytes = input.bytes().map_err(plain)?;
        Ok(Box::new(BufReader::with_capacity(PIECE, bytes)))
    }
}

fn kept(from: &mut dyn Read) -> io::Result<Arc<[u8]>> {
    let mut bytes = Vec::new();
    from.take(MAX_PIPED as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_PIPED {
        return Err(io::Error::other(
            "more came through the pipe than is kept; write the log to a file and name that",
        ));
    }
    Ok(bytes.into())
}

fn plain(error: CaptureError) -> io::Error {
    match error {
        CaptureError::Io { error, .. } => error,
        other => io::Error::other(other.to_string()),
    }
}
