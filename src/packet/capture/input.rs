//! Bytes from a file, a pipe or memory, decompressed if necessary.
//!
//! gzip, zstd and LZ4 frames are recognised by their magic numbers, regardless of the file's name, and decompressed as
//! a stream. However much a small file expands to, only the decoder's window and one buffer are in memory. Several
//! concatenated members or frames form one stream (RFC 1952 §2.2, RFC 8878 §3).
//!
//! zstd and LZ4 need the feature `compressed`. Deliberately not supported: a compressed file inside a compressed file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(feature = "compressed")]
use super::decoders;
use super::error::CaptureError;
use super::handles::FileHandles;
#[cfg(not(feature = "compressed"))]
use super::no_decoders as decoders;
use crate::base::shell::shell_word;

/// Compressed bytes read at once, fewer of a small file.
const COMPRESSED_CHUNK: usize = 256 << 10;
/// Number of bytes needed to recognise any supported format.
const SNIFFED: usize = 24;

/// A stream of bytes to read a capture from.
pub struct Input {
    name: String,
    from: ByteSource,
}

/// Where the bytes come from.
enum ByteSource {
    /// A regular file: opened when it is read, and can be read repeatedly.
    File(PathBuf),
    /// Anything else, which can be read only once.
    Stream(Box<dyn Read + Send>),
}

/// How to treat a short read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// More data is available: the next read returns it at once.
    ReadOn,
    /// More data may take a while: pass on what has been read.
    PassOn,
}

/// The compression of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Lz4,
}

/// An opened input whose first bytes have been examined.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) compression: Compression,
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) patience: Patience,
    /// The length of a regular file that is not compressed.
    pub(crate) length: Option<u64>,
    /// Number of bytes read from the underlying stream.
    pub(crate) taken: Arc<AtomicU64>,
    /// The first bytes, decompressed, already read from `reader`; fewer than [`SNIFFED`] only if there are no more.
    pub(crate) start: Vec<u8>,
    /// The error that ended `start`, if it was not simply the end of the stream.
    pub(crate) failed: Option<io::Error>,
}

impl Input {
    /// Reads from `reader`, such as bytes in memory. `name` is used in messages and reports.
    pub fn from_reader(name: impl Into<String>, reader: Box<dyn Read + Send>) -> Self {
        Self {
            name: name.into(),
            from: ByteSource::Stream(reader),
        }
    }

    /// Opens a file, a named pipe, or standard input if the path is `-`.
    ///
    /// # Errors
    /// If it does not exist, cannot be read, or is a directory.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path == Path::new("-") {
            return Ok(Self::from_reader("-", Box::new(io::stdin())));
        }
        let failed = |error| CaptureError::Io {
            path: path.to_owned(),
            error,
        };
        // Query metadata before opening, because opening a named pipe waits for its writer.
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(CaptureError::NotACapture {
                path: path.to_owned(),
                reason: format!(
                    "this is a directory; name the captures in it, which are read as one timeline: hangup {}/*.pcap*",
                    shell_word(path).trim_end_matches('/')
                ),
            });
        }
        let file = File::open(path).map_err(failed)?;
        let from = match metadata.is_file() {
            true => ByteSource::File(path.to_owned()),
            false => ByteSource::Stream(Box::new(file)),
        };
        let name = path.display().to_string();
        Ok(Self { name, from })
    }

    /// The same input for another pass, if it can be read more than once.
    pub(crate) fn again(&self) -> Option<Self> {
        match &self.from {
            ByteSource::File(path) => Some(Self {
                name: self.name.clone(),
                from: ByteSource::File(path.clone()),
            }),
            ByteSource::Stream(_) => None,
        }
    }

    /// The bytes from the first on, decompressed if necessary: of a file that is no capture.
    pub(crate) fn bytes(self) -> Result<impl Read + use<>, CaptureError> {
        let path = PathBuf::from(&self.name);
        let opened = self.sniff(&FileHandles::default())?;
        match opened.failed {
            Some(error) => Err(CaptureError::Io { path, error }),
            None => Ok(io::Cursor::new(opened.start).chain(opened.reader)),
        }
    }

    /// Examines the first bytes and inserts a decoder if they are compressed. A regular file is opened with `handles`.
    pub(crate) fn sniff(self, handles: &FileHandles) -> Result<Opened, CaptureError> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut length = None;
        let (reader, patience): (Box<dyn Read + Send>, _) = match self.from {
            ByteSource::Stream(reader) => (reader, Patience::PassOn),
            ByteSource::File(path) => match handles.open(&path) {
                Ok(file) => {
                    length = Some(file.length());
                    (Box::new(file), Patience::ReadOn)
                }
                Err(error) => return Err(CaptureError::Io { path, error }),
            },
        };
        let mut raw = CountedReader {
            reader,
            taken: Arc::clone(&taken),
        };
        let (start, failed) = read_start(&mut raw);
        let compression = Compression::of(&start);
        let mut opened = Opened {
            name: self.name,
            compression,
            reader: Box::new(raw),
            patience,
            length: length.filter(|_| compression == Compression::None),
            taken,
            start,
            failed,
        };
        if compression != Compression::None && opened.failed.is_none() {
            let packed = io::Cursor::new(opened.start).chain(opened.reader);
            let chunk = length.map_or(COMPRESSED_CHUNK, |length| {
                length.clamp(SNIFFED as u64, COMPRESSED_CHUNK as u64) as usize
            });
            opened.reader = compression.unpack(BufReader::with_capacity(chunk, packed));
            (opened.start, opened.failed) = read_start(&mut opened.reader);
        }
        Ok(opened)
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Input({:?})", self.name)
    }
}

impl Compression {
    pub(super) fn of(start: &[u8]) -> Self {
        match *start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A zstd frame, or the skippable frame that parallel compressors write first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            _ => Self::None,
        }
    }

    fn unpack(self, packed: impl BufRead + Send + 'static) -> Box<dyn Read + Send> {
        let decoder = match self {
            Self::None => return Box::new(packed),
            Self::Gzip => return Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstd => decoders::zstd(packed),
            Self::Lz4 => decoders::lz4(packed),
        };
        decoder.unwrap_or_else(|error| Box::new(Failing(Some(error))))
    }
}

/// Reads the first [`SNIFFED`] bytes, or fewer if the stream ends or fails before.
fn read_start(reader: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut start = vec![0; SNIFFED];
    let mut have = 0;
    while have < SNIFFED {
        match reader.read(&mut start[have..]) {
            Ok(0) => break,
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                start.truncate(have);
                return (start, Some(error));
            }
        }
    }
    start.truncate(have);
    (start, None)
}

/// Counts the bytes read through it.
struct CountedReader {
    reader: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for CountedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Stands in for a decoder that could not be created; its first read returns the error.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
