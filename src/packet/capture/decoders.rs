//! Decoders of zstd and LZ4 streams.

use std::io::{self, BufRead, Read};

use lz4_flex::frame::FrameDecoder;
use zstd::stream::read::Decoder;

/// The largest zstd window accepted, 2^27 bytes: the default limit of zstd itself.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What zstd frames hold, one after the other.
pub(super) fn zstd(packed: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut decoder = Decoder::with_buffer(packed)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(Box::new(decoder))
}

/// What LZ4 frames hold, one after the other.
pub(super) fn lz4(packed: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Ok(Box::new(Lz4Frames(FrameDecoder::new(packed))))
}

/// Concatenated LZ4 frames. The decoder stops after each.
struct Lz4Frames<R: BufRead>(FrameDecoder<R>);

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Each iteration consumes at least a four-byte end mark from the stream, so the loop terminates.
            let read = self.0.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(read);
            }
        }
    }
}
