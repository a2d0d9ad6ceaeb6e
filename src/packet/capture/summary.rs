//! What a file says about itself, beside its frames: for the report, and for names and keys.
//!
//! Whatever a file can repeat without end is kept up to a bound here, so that a file of nothing but comments costs
//! no more memory than one of frames. What a bound has kept out is counted in [`FileSummary::left_out`].

use crate::base::net::Loss;
use std::net::IpAddr;

use super::frame::LinkType;

/// Comments kept for each file: a reader looks at the first few; captures annotated frame by frame can have as
/// many comments as frames.
const MAX_COMMENTS: usize = 64;
/// Bytes kept of one comment: some tools put whole logs there.
const MAX_COMMENT_BYTES: usize = 1024;
/// Names kept for each file: Wireshark writes each name it resolved once, and ten thousand hosts are a large capture.
const MAX_NAMES: usize = 10_000;
/// Bytes of decryption secrets kept for each file: a TLS 1.3 session has about 800 bytes of them, so this is a
/// few thousand sessions.
const MAX_SECRET_BYTES: usize = 4 << 20;
/// Interfaces described for each file. Frames of later ones are still read.
const MAX_INTERFACES: usize = 1024;

/// One file and what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSummary {
    /// As it was given; `-` is standard input.
    pub path: String,
    /// `pcap`, `pcapng`, and with the compression, such as `pcap+gzip`.
    pub format: &'static str,
    /// Frames read from it so far, before any filter.
    pub packets: u64,
    /// Bytes read from it so far, as they lie in the file (compressed, if it is).
    pub bytes: u64,
    /// The first place where the file contradicts itself, if there is one.
    pub damage: Option<Damage>,
    /// How many such places there are.
    pub damages: u64,
    /// Bytes that were passed over to find a record again.
    pub passed_over: u64,
    /// The interfaces it describes.
    pub interfaces: Vec<Interface>,
    /// Comments on sections, interfaces and packets, in order.
    pub comments: Vec<String>,
    /// Addresses and the names that the capturing host gave them.
    pub names: Vec<(IpAddr, String)>,
    /// Decryption secrets that travel with the packets.
    pub secrets: Vec<SecretsBlock>,
    /// Comments, names, secrets and interfaces that were not kept because there were too many.
    pub left_out: u64,
    /// Frames the file says were lost.
    pub lost: Loss,
}

/// Where a file contradicts itself, or ends too early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes from the start of the file; of a compressed one, from the start of its unpacked content.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

/// An interface as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number over all inputs: [`Frame::interface`](super::Frame::interface).
    pub number: u32,
    /// Its name or else its description, if the file has one.
    pub name: Option<String>,
    /// What its frames begin with.
    pub link: LinkType,
    /// Bytes at the end of each frame that are a frame check sequence, if the file says so.
    pub fcs: Option<u8>,
    /// The longest frame that was kept; 0: no limit.
    pub snap_length: u32,
    /// Its time stamps' resolution as pcapng writes it: a power of ten below 128, from there on a power of two.
    pub resolution: u8,
}

/// A block of decryption secrets, not looked into on this floor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretsBlock {
    /// What they are: `0x544c534b` is a TLS key log in the format of `SSLKEYLOGFILE`.
    pub kind: u32,
    /// The secrets.
    pub bytes: Vec<u8>,
}

impl FileSummary {
    pub(crate) fn note_damage(&mut self, offset: u64, reason: impl Into<String>) {
        self.damages += 1;
        if self.damage.is_none() {
            let reason = reason.into();
            self.damage = Some(Damage { offset, reason });
        }
    }

    pub(crate) fn note_comment(&mut self, comment: &[u8]) {
        if self.comments.len() >= MAX_COMMENTS {
            self.left_out += 1;
            return;
        }
        let kept = &comment[..comment.len().min(MAX_COMMENT_BYTES)];
        self.comments.push(text(kept));
    }

    pub(crate) fn note_name(&mut self, address: IpAddr, name: &[u8]) {
        // A name longer than DNS allows (RFC 1035 §2.3.4: 255 octets) names nothing.
        if self.names.len() >= MAX_NAMES || name.is_empty() || name.len() > 255 {
            self.left_out += 1;
            return;
        }
        self.names.push((address, text(name)));
    }

    pub(crate) fn note_secrets(&mut self, kind: u32, bytes: &[u8]) {
        let kept: usize = self.secrets.iter().map(|s| s.bytes.len()).sum();
        // The count is bounded too: a block may be empty.
        if kept + bytes.len() > MAX_SECRET_BYTES || self.secrets.len() >= MAX_NAMES {
            self.left_out += 1;
            return;
        }
        let bytes = bytes.to_vec();
        self.secrets.push(SecretsBlock { kind, bytes });
    }

    pub(crate) fn note_interface(&mut self, interface: Interface) {
        if self.interfaces.len() >= MAX_INTERFACES {
            self.left_out += 1;
            return;
        }
        self.interfaces.push(interface);
    }
}

impl std::fmt::Debug for SecretsBlock {
    /// Says how much there is, not what: keys do not belong in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({:#x}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// Text out of a file, which should be UTF-8.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}
