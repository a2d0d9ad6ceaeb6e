//! Writes captures for other programs: pcapng, and the classic format for programs that support nothing else, both with
//! nanosecond times.
//!
//! Frames go to any writer, little-endian. This is written by hand rather than with pcap-parser's serializer, which
//! allocates two vectors for each block and needs another crate; it takes two headers and one block. Times before 1970
//! are written as 1970: neither format can represent them.

use crate::base::net::Loss;
use std::io::{self, Write};

use super::frame::{Frame, LinkType};
use super::pcapng::{
    BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, SECTION_HEADER,
};

/// The code of the comment option (draft-ietf-opsawg-pcapng §3.5).
const COMMENT: u16 = 1;
/// The longest option value whose padded length still fits in 16 bits.
const MAX_OPTION: usize = 0xFFFC;

/// Writes pcapng. Each interface is described before its first frame.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    to: W,
    /// The interface and link type of each description, in the order written.
    interfaces: Vec<(u32, LinkType)>,
    /// The block being assembled.
    block: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Starts a file.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(to: W) -> io::Result<Self> {
        let mut writer = Self {
            to,
            interfaces: Vec::new(),
            block: Vec::new(),
        };
        writer.number(BYTE_ORDER_MAGIC);
        writer.number(1); // version 1.0
        writer.block.extend_from_slice(&[0xff; 8]); // section length: unknown
        writer.option(4, concat!("hangup ", env!("CARGO_PKG_VERSION")).as_bytes());
        writer.option(0, &[]);
        writer.finish_block(SECTION_HEADER)?;
        Ok(writer)
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// If writing fails.
    pub fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.commented(frame, "")
    }

    /// Writes a frame with a comment, which Wireshark shows with the frame. An empty comment is omitted, a long one
    /// cut.
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn commented(&mut self, frame: &Frame<'_>, comment: &str) -> io::Result<()> {
        let interface = self.interface(frame)?;
        let ticks = u64::try_from(frame.time.as_nanos()).unwrap_or(0);
        self.number(interface);
        self.number((ticks >> 32) as u32);
        self.number(ticks as u32);
        self.number(frame.data.len() as u32);
        self.number(frame.length);
        self.block.extend_from_slice(frame.data);
        self.pad();
        if !comment.is_empty() {
            let mut cut = comment.len().min(MAX_OPTION);
            while !comment.is_char_boundary(cut) {
                cut -= 1;
            }
            self.option(COMMENT, &comment.as_bytes()[..cut]);
            self.option(0, &[]);
        }
        self.finish_block(ENHANCED_PACKET)
    }

    /// Writes the loss counters for the first interface: they are per interface, and a live capture has only one.
    ///
    /// # Errors
    /// If writing fails.
    pub fn lost(&mut self, lost: Loss) -> io::Result<()> {
        if self.interfaces.is_empty() || lost == Loss::default() {
            return Ok(());
        }
        self.number(0);
        self.block.extend_from_slice(&[0; 8]); // timestamp: unknown
        for (code, count) in [(5, lost.interface), (7, lost.kernel)] {
            if let Some(count) = count {
                self.option(code, &count.to_le_bytes());
            }
        }
        self.option(0, &[]);
        self.finish_block(INTERFACE_STATISTICS)
    }

    /// The underlying writer.
    pub const fn inner(&self) -> &W {
        &self.to
    }

    /// Flushes the underlying writer.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Flushes and returns the underlying writer.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }

    /// The file's index of a frame's interface; writes its description if it is new.
    fn interface(&mut self, frame: &Frame<'_>) -> io::Result<u32> {
        let wanted = (frame.interface, frame.link);
        if let Some(index) = self.interfaces.iter().position(|known| *known == wanted) {
            return Ok(index as u32);
        }
        self.number(u32::from(frame.link.0));
        self.number(0); // no snap length
        self.option(9, &[9]); // nanoseconds
        self.option(0, &[]);
        self.finish_block(INTERFACE_DESCRIPTION)?;
        self.interfaces.push(wanted);
        Ok(self.interfaces.len() as u32 - 1)
    }

    fn number(&mut self, number: u32) {
        self.block.extend_from_slice(&number.to_le_bytes());
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.block.extend_from_slice(&code.to_le_bytes());
        self.block
            .extend_from_slice(&(value.len() as u16).to_le_bytes());
        self.block.extend_from_slice(value);
        self.pad();
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Writes the assembled block with its type and lengths.
    fn finish_block(&mut self, kind: u32) -> io::Result<()> {
        let length = u32::try_from(self.block.len() + 12).map_err(io::Error::other)?;
        self.to.write_all(&kind.to_le_bytes())?;
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&self.block)?;
        self.to.write_all(&length.to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}

/// Writes the classic format: one link type, no interfaces, no comments.
#[derive(Debug)]
pub struct PcapWriter<W> {
    to: W,
    link: LinkType,
}

impl<W: Write> PcapWriter<W> {
    /// Starts a file of frames of link type `link`.
    ///
    /// # Errors
    /// If writing fails.
    pub fn new(mut to: W, link: LinkType) -> io::Result<Self> {
        // Magic number for nanoseconds, version 2.4, two unused fields, snap length, link type.
        let numbers = [
            0xa1b2_3c4d,
            0x0004_0002,
            0,
            0,
            0x0004_0000,
            u32::from(link.0),
        ];
        for number in numbers {
            to.write_all(&number.to_le_bytes())?;
        }
        Ok(Self { to, link })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// If writing fails, or the frame has another link type, which this format cannot represent.
    pub fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        if frame.link != self.link {
            let (wrong, right) = (frame.link.0, self.link.0);
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "link type {wrong} in a classic capture of link type {right}; write pcapng"
                ),
            ));
        }
        let nanos = u64::try_from(frame.time.as_nanos()).unwrap_or(0);
        let seconds = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX);
        let fraction = (nanos % 1_000_000_000) as u32;
        let captured = u32::try_from(frame.data.len()).map_err(io::Error::other)?;
        for number in [seconds, fraction, captured, frame.length] {
            self.to.write_all(&number.to_le_bytes())?;
        }
        self.to.write_all(frame.data)
    }

    /// Flushes and returns the underlying writer.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}
