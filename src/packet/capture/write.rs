//! Writes captures for other programs: pcapng, and the classic format for programs that support nothing else, both with
//! nanosecond times.
//!
//! Frames go to any writer, little-endian. This is written by hand rather than with pcap-parser's serializer, which
//! allocates two vectors for each block and needs another crate; it takes two headers and one block. Times before 1970
//! are written as 1970: neither format can represent them.

use crate::base::net::Loss;
use std::io::{self, Write};
use std::net::IpAddr;

use super::frame::{Frame, LinkType};
use super::pcapng::{
    BYTE_ORDER_MAGIC, DECRYPTION_SECRETS, ENHANCED_PACKET, INTERFACE_DESCRIPTION,
    INTERFACE_STATISTICS, NAME_RESOLUTION, SECTION_HEADER,
};
use super::summary::{Interface, SecretsBlock};

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
        Self::with_comments(to, [])
    }

    /// Starts a file with comments on the whole of it.
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn with_comments<'c>(
        to: W,
        comments: impl IntoIterator<Item = &'c str>,
    ) -> io::Result<Self> {
        let mut writer = Self {
            to,
            interfaces: Vec::new(),
            block: Vec::new(),
        };
        writer.number(BYTE_ORDER_MAGIC);
        writer.number(1); // version 1.0
        writer.block.extend_from_slice(&[0xff; 8]); // section length: unknown
        writer.option(4, concat!("hangup ", env!("CARGO_PKG_VERSION")).as_bytes());
        writer.comments(comments);
        writer.option(0, &[]);
        writer.finish_block(SECTION_HEADER)?;
        Ok(writer)
    }

    /// Writes the names of hosts (§4.5).
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn names<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n (IpAddr, String)>,
    ) -> io::Result<()> {
        for (host, name) in names {
            let (kind, mut record) = match host {
                IpAddr::V4(ip) => (1, ip.octets().to_vec()),
                IpAddr::V6(ip) => (2, ip.octets().to_vec()),
            };
            record.extend_from_slice(name.as_bytes());
            record.push(0);
            self.option(kind, &record);
        }
        if self.block.is_empty() {
            return Ok(());
        }
        self.option(0, &[]);
        self.finish_block(NAME_RESOLUTION)
    }

    /// Writes secrets (§4.7), which stand before the frames that they open.
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn secrets(&mut self, secrets: &SecretsBlock) -> io::Result<()> {
        let length = u32::try_from(secrets.bytes.len()).map_err(io::Error::other)?;
        self.number(secrets.kind);
        self.number(length);
        self.block.extend_from_slice(&secrets.bytes);
        self.pad();
        self.finish_block(DECRYPTION_SECRETS)
    }

    /// Whether the interface of this frame is described.
    pub(crate) fn describes(&self, frame: &Frame<'_>) -> bool {
        self.interfaces.contains(&(frame.interface, frame.link))
    }

    /// Describes an interface (§4.2) as it was described where its frames come from.
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn describe(&mut self, interface: &Interface) -> io::Result<()> {
        self.number(u32::from(interface.link.0));
        self.number(interface.snap_length);
        if let Some(name) = &interface.name {
            self.option(2, cut(name));
        }
        self.option(9, &[9]); // nanoseconds
        if let Some(length) = interface.fcs {
            // In bytes, as Wireshark takes it.
            self.option(13, &[length]);
        }
        self.option(0, &[]);
        self.finish_block(INTERFACE_DESCRIPTION)?;
        self.interfaces.push((interface.number, interface.link));
        Ok(())
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// If writing fails.
    pub fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        self.commented(frame, [])
    }

    /// Writes a frame with comments, which Wireshark shows with the frame. An empty comment is omitted, a long one
    /// cut.
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn commented<'c>(
        &mut self,
        frame: &Frame<'_>,
        comments: impl IntoIterator<Item = &'c str>,
    ) -> io::Result<()> {
        let interface = self.interface(frame)?;
        let ticks = u64::try_from(frame.time.as_nanos()).unwrap_or(0);
        self.number(interface);
        self.number((ticks >> 32) as u32);
        self.number(ticks as u32);
        self.number(frame.data.len() as u32);
        self.number(frame.length);
        self.block.extend_from_slice(frame.data);
        self.pad();
        if self.comments(comments) {
            self.option(0, &[]);
        }
        self.finish_block(ENHANCED_PACKET)
    }

    /// Writes the loss counters for the first interface: they are per interface, and a live capture has only one.
    ///
    /// # Errors
    /// If writing fails.
    pub fn lost(&mut self, lost: Loss) -> io::Result<()> {
        match self.interfaces.first() {
            Some((first, _)) => self.lost_on(&[*first], lost),
            None => Ok(()),
        }
    }

    /// Writes the loss counters of a file for the first of its interfaces that is described.
    ///
    /// # Errors
    /// If writing fails.
    pub(crate) fn lost_on(&mut self, interfaces: &[u32], lost: Loss) -> io::Result<()> {
        let mut described = self.interfaces.iter();
        let index = described.position(|(number, _)| interfaces.contains(number));
        let Some(index) = index.filter(|_| lost != Loss::default()) else {
            return Ok(());
        };
        self.number(index as u32);
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

    /// Adds comments to the block, unless they are empty. Returns whether it did.
    fn comments<'c>(&mut self, comments: impl IntoIterator<Item = &'c str>) -> bool {
        let mut any = false;
        for comment in comments.into_iter().filter(|it| !it.is_empty()) {
            self.option(COMMENT, cut(comment));
            any = true;
        }
        any
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

/// What of a text fits in an option.
fn cut(text: &str) -> &[u8] {
    let mut end = text.len().min(MAX_OPTION);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
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
