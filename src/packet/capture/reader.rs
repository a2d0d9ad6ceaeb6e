//! Reads one capture file, from its first byte to its last complete record.
//!
//! The input is an [`Input`]; the output is batches, each holding the bytes of about one read with slots that point
//! into them. Frames are not copied, except one that crosses the end of a batch: its first part is carried over to the
//! start of the next. Errors in the file are noted in its summary, with the offset; reading continues at the next
//! record that can be verified, or ends.

use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::classic::{Classic, FILE_HEADER};
use super::error::CaptureError;
use super::foreign;
use super::frame::Batch;
use super::handles::FileHandles;
use super::input::{Compression, Input, Opened, Patience};
use super::pcapng::Pcapng;
use super::record::{Buffer, BufferPass, PassEnd};
use super::summary::FileSummary;

/// The state of reading a file.
pub(crate) struct FileReader {
    opened: Opened,
    format: FileFormat,
    /// Bytes read but not yet scanned: less than one record, or one record with what follows it.
    carried: Vec<u8>,
    /// The offset of `carried` from the start of the (decompressed) file.
    offset: u64,
    /// Bytes to read at once; grows to the largest, so that a short stream takes a small buffer.
    chunk: usize,
    largest_chunk: usize,
    /// Bytes that are still to come, if that is known.
    left: Option<u64>,
    state: ReaderState,
}

/// Bytes to read first: many captures are no larger.
const FIRST_CHUNK: usize = 64 << 10;

/// The two file formats.
#[derive(Debug)]
enum FileFormat {
    Classic(Classic),
    Pcapng(Pcapng),
}

/// What the reader does with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReaderState {
    /// Record by record.
    Reading,
    /// Searching for the next record after damage; the value is the offset of the damage.
    Searching(u64),
    /// There is nothing left to read.
    Ended,
}

impl FileReader {
    /// Determines the format from the first bytes. `chunk` is the largest number of bytes to read at once.
    pub(crate) fn open(
        input: Input,
        chunk: usize,
        handles: &FileHandles,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) -> Result<Self, CaptureError> {
        let mut opened = input.sniff(handles)?;
        let mut start = std::mem::take(&mut opened.start);
        let left = opened
            .length
            .map(|it| it.saturating_sub(start.len() as u64));
        summary.path.clone_from(&opened.name);
        summary.bytes = opened.taken.load(Ordering::Relaxed);
        let path = PathBuf::from(&opened.name);
        let magic = start.first_chunk().copied().unwrap_or_default();
        let mut offset = 0;
        let format = if Classic::knows(magic) {
            let Some(header) = start.first_chunk() else {
                let reason = format!(
                    "the file ends after {} of the {FILE_HEADER} bytes of its header: nothing was captured to it, \
                     or not yet; leave it out",
                    start.len()
                );
                return Err(CaptureError::NotACapture { path, reason });
            };
            let classic = Classic::new(header, *next_interface, summary)
                .map_err(|reason| CaptureError::NotACapture { path, reason })?;
            *next_interface = next_interface.saturating_add(1);
            offset = FILE_HEADER as u64;
            start.clear();
            FileFormat::Classic(classic)
        } else if Pcapng::knows(&start) {
            FileFormat::Pcapng(Pcapng::new())
        } else if let Some(error) = opened.failed {
            return Err(match opened.compression {
                Compression::None => CaptureError::Io { path, error },
                _ => CaptureError::NotACapture {
                    path,
                    reason: format!("it is compressed and cannot be unpacked: {error}"),
                },
            });
        } else {
            // A pipe may have nothing more to give for a while; its first bytes must do.
            if opened.patience == Patience::ReadOn {
                let more = (foreign::LOOKED_AT - start.len()) as u64;
                // What cannot be read is not looked at.
                let _ = opened.reader.by_ref().take(more).read_to_end(&mut start);
            }
            let reason = foreign::reason(&start, opened.compression, &path);
            return Err(CaptureError::NotACapture { path, reason });
        };
        summary.format = format.name(opened.compression);
        Ok(Self {
            opened,
            format,
            carried: start,
            offset,
            chunk: chunk.clamp(1, FIRST_CHUNK),
            largest_chunk: chunk.max(1),
            left,
            state: ReaderState::Reading,
        })
    }

    /// Whether a read may block until data arrives.
    pub(crate) fn is_a_stream(&self) -> bool {
        self.opened.patience == Patience::PassOn
    }

    /// Changes the largest number of bytes to read at once.
    pub(crate) fn read_at_most(&mut self, chunk: usize) {
        self.largest_chunk = chunk.max(1);
        self.chunk = self.chunk.min(self.largest_chunk);
    }

    /// Whether everything has been read.
    pub(crate) fn has_ended(&self) -> bool {
        self.state == ReaderState::Ended
    }

    /// Bytes to read next: no more than are left, and one more to see that it is the end.
    fn next_chunk(&self) -> usize {
        let left = self.left.and_then(|it| usize::try_from(it).ok());
        left.map_or(self.chunk, |left| self.chunk.min(left.saturating_add(1)))
    }

    /// Fills `batch` with the next frames: about a chunk of a regular file, or what has arrived from a stream. No
    /// frames means that the file has ended. The caller sets the batch's first number.
    pub(crate) fn fill(
        &mut self,
        batch: &mut Batch,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) {
        batch.clear();
        let mut filled = self.carried.len();
        let chunk = self.next_chunk();
        let mut room = filled + chunk;
        make_room(&mut batch.bytes, room);
        batch.bytes[..filled].copy_from_slice(&self.carried);
        let mut at = 0;
        while self.state != ReaderState::Ended {
            let needs = self.pass(batch, filled, &mut at, false, summary, next_interface);
            if self.state == ReaderState::Ended || self.hands_on(batch, room - filled, chunk) {
                break;
            }
            if batch.is_empty() && at > 0 {
                batch.bytes.copy_within(at..filled, 0);
                self.offset += at as u64;
                filled -= at;
                at = 0;
            }
            if filled == room {
                // The record is larger than the room. Its length is within bounds, but the room grows only as the bytes
                // arrive.
                room = (filled * 2).min(at + needs).max(filled + 1);
                make_room(&mut batch.bytes, room);
            }
            match self.read(&mut batch.bytes[filled..room]) {
                Ok(0) => {
                    self.pass(batch, filled, &mut at, true, summary, next_interface);
                    self.end(filled - at, needs, at, summary);
                }
                Ok(more) => {
                    filled += more;
                    // One that has grown is read to its end in chunks.
                    self.left = self.left.and_then(|left| left.checked_sub(more as u64));
                }
                Err(reason) => {
                    summary.note_damage(self.offset + filled as u64, reason);
                    self.pass(batch, filled, &mut at, true, summary, next_interface);
                    self.state = ReaderState::Ended;
                }
            }
        }
        self.carried.clear();
        self.carried.extend_from_slice(&batch.bytes[at..filled]);
        self.offset += at as u64;
        self.chunk = (self.chunk * 2).min(self.largest_chunk);
        batch.used = filled;
        if self.has_ended() {
            // A decoder holds its window and its input.
            self.opened.reader = Box::new(io::empty());
        }
        summary.packets += batch.len() as u64;
        summary.bytes = self.opened.taken.load(Ordering::Relaxed);
    }

    /// Whether the batch is full enough to be returned.
    fn hands_on(&self, batch: &Batch, room: usize, chunk: usize) -> bool {
        // What is left of a file is read to its end, so that it can be closed.
        if batch.is_empty() || self.left == Some(0) {
            return false;
        }
        // A decoder returns less than requested; at three quarters it is not called again.
        self.opened.patience == Patience::PassOn || room < chunk / 4 + 1
    }

    /// Scans `batch.bytes[*at..filled]` as far as possible. Returns the number of bytes the next record needs.
    fn pass(
        &mut self,
        batch: &mut Batch,
        filled: usize,
        at: &mut usize,
        last: bool,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) -> usize {
        let bytes = &batch.bytes[..filled];
        loop {
            let pass = match self.state {
                ReaderState::Ended => return 0,
                ReaderState::Searching(since) => match self.format.search(bytes, *at, last) {
                    Ok(found) => {
                        *at = found;
                        let found = self.offset + found as u64;
                        summary.passed_over += found.saturating_sub(since);
                        self.state = ReaderState::Reading;
                        continue;
                    }
                    Err(pass) => pass,
                },
                ReaderState::Reading => {
                    let buffer = Buffer {
                        bytes,
                        offset: self.offset,
                        slots: &mut batch.slots,
                    };
                    self.format.scan(buffer, *at, summary, next_interface)
                }
            };
            *at = pass.at;
            let here = self.offset + pass.at as u64;
            match pass.then {
                PassEnd::Needs(needs) => return needs,
                PassEnd::Damaged(reason) => {
                    summary.note_damage(here, reason);
                    self.state = ReaderState::Searching(here);
                    *at += 1;
                }
                PassEnd::Unreadable(reason) => {
                    summary.note_damage(here, reason);
                    self.state = ReaderState::Ended;
                }
            }
        }
    }

    /// Reads once. An error ends the input without failing it: what was read before remains valid.
    fn read(&mut self, room: &mut [u8]) -> Result<usize, String> {
        if let Some(error) = self.opened.failed.take() {
            return Err(self.why(&error));
        }
        loop {
            match self.opened.reader.read(room) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.why(&error)),
            }
        }
    }

    fn why(&self, error: &std::io::Error) -> String {
        match (self.opened.compression, error.kind()) {
            (Compression::None, _) => format!("reading stopped: {error}"),
            (_, ErrorKind::UnexpectedEof) => "the compressed data ends too early".to_owned(),
            _ => format!("the compressed data is damaged: {error}"),
        }
    }

    /// Notes an incomplete record at the end of the input.
    fn end(&mut self, left: usize, needs: usize, at: usize, summary: &mut FileSummary) {
        let here = self.offset + at as u64;
        match self.state {
            ReaderState::Searching(since) => {
                summary.passed_over += (here + left as u64).saturating_sub(since);
            }
            ReaderState::Reading if left > 0 => {
                let reason =
                    format!("the file ends within a record: {left} bytes of {needs} or more");
                summary.note_damage(here, reason);
            }
            _ => {}
        }
        self.state = ReaderState::Ended;
    }
}

impl FileFormat {
    fn name(&self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Self::Classic(_), Compression::None) => "pcap",
            (Self::Classic(_), Compression::Gzip) => "pcap+gzip",
            (Self::Classic(_), Compression::Zstd) => "pcap+zstd",
            (Self::Classic(_), Compression::Lz4) => "pcap+lz4",
            (Self::Pcapng(_), Compression::None) => "pcapng",
            (Self::Pcapng(_), Compression::Gzip) => "pcapng+gzip",
            (Self::Pcapng(_), Compression::Zstd) => "pcapng+zstd",
            (Self::Pcapng(_), Compression::Lz4) => "pcapng+lz4",
        }
    }

    fn scan(
        &mut self,
        buffer: Buffer<'_>,
        at: usize,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) -> BufferPass {
        match self {
            Self::Classic(classic) => classic.scan(buffer, at, summary),
            Self::Pcapng(pcapng) => pcapng.scan(buffer, at, summary, next_interface),
        }
    }

    fn search(&self, bytes: &[u8], at: usize, last: bool) -> Result<usize, BufferPass> {
        match self {
            Self::Classic(classic) => classic.search(bytes, at, last),
            Self::Pcapng(pcapng) => pcapng.search(bytes, at, last),
        }
    }
}

/// Makes `bytes` at least `room` long, and no longer, as there may be thousands; frees the memory that a single huge record
/// required.
fn make_room(bytes: &mut Vec<u8>, room: usize) {
    if bytes.len() > room.saturating_mul(4) {
        bytes.truncate(room);
        bytes.shrink_to_fit();
    } else if bytes.len() < room {
        bytes.reserve_exact(room - bytes.len());
        bytes.resize(room, 0);
    }
}
