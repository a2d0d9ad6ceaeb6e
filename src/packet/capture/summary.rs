//! A file's own description, in addition to its frames: for the report, and for host names and secrets.
//!
//! Everything that a file can repeat without limit is kept only up to a bound, so that a file of nothing but comments
//! takes no more memory than one of frames. [`FileSummary::left_out`] counts what was discarded at a bound.

use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameRun;
use crate::base::net::Loss;
use crate::base::passage::{Sighting, Vantage};
use std::net::IpAddr;

use super::frame::LinkType;

/// Comments on sections and interfaces kept for each file. A user looks at the first few.
pub(crate) const MAX_COMMENTS: usize = 64;
/// Comments on packets kept for each file, to be copied with the packet. People write a few dozen; programs can write as
/// many as there are packets.
pub(crate) const MAX_FRAME_COMMENTS: usize = 4096;
/// Bytes kept of one comment: some tools store whole logs there.
const MAX_COMMENT_BYTES: usize = 1024;
/// Names kept for each file: Wireshark writes each name it resolved once, and ten thousand hosts are a large capture.
pub(crate) const MAX_NAMES: usize = 10_000;
/// Bytes of decryption secrets kept for each file: a TLS 1.3 session has about 800 bytes of them, so this is a few
/// thousand sessions.
pub(crate) const MAX_SECRET_BYTES: usize = 4 << 20;
/// Interfaces described for each file. Frames of later ones are still read.
pub(crate) const MAX_INTERFACES: usize = 1024;

/// A capture file and what it says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSummary {
    /// The path as given; `-` is standard input.
    pub path: String,
    /// `pcap` or `pcapng`, with the compression if there is one, such as `pcap+gzip`.
    pub format: &'static str,
    /// Frames read from it so far, before any filter.
    pub packets: u64,
    /// Bytes read so far, before decompression.
    pub bytes: u64,
    /// The first place where the file is damaged, if any.
    pub damage: Option<Damage>,
    /// Number of damaged places.
    pub damages: u64,
    /// Bytes skipped while resynchronising after damage.
    pub passed_over: u64,
    /// The interfaces it describes.
    pub interfaces: Vec<Interface>,
    /// Comments on sections and interfaces, in order.
    pub comments: Vec<String>,
    /// Comments on packets, each with the packet's number in the file, in order.
    pub frame_comments: Vec<(u64, String)>,
    /// Addresses and the names that the capturing host gave them.
    pub names: Vec<(IpAddr, String)>,
    /// Decryption secrets embedded in the capture.
    pub secrets: Vec<SecretsBlock>,
    /// Number of comments, names, secrets and interfaces discarded because a bound was reached.
    pub left_out: u64,
    /// Frames that the file says were lost.
    pub lost: Loss,
    /// Where its frames stand among those of all inputs; empty for a single input, whose numbers are the same.
    pub runs: Vec<FrameRun>,
    /// Runs that are not in `runs`, because there were too many.
    pub more_runs: u64,
    /// By how many nanoseconds its clock is ahead of another file's that has the other direction; its frames are set back by that.
    pub clock_ahead: Option<i64>,
    /// The place where it was captured, if several places show the same connections.
    pub vantage: Option<Box<Vantage>>,
    /// The interfaces whose frames are read of it, if those of others are another place.
    pub only: Option<String>,
    /// What several places show of segments; of all places in the first file.
    pub sightings: Vec<Sighting>,
    /// Sightings that are not in `sightings`, because there were too many.
    pub more_sightings: u64,
}

/// Which frame of which of these files each frame is.
#[must_use]
pub fn frame_names(files: &[FileSummary]) -> FrameNames {
    let names = FrameNames::new(
        files
            .iter()
            .map(|file| (file.path.as_str(), file.runs.as_slice())),
    );
    let sightings = files.iter().find(|it| !it.sightings.is_empty());
    let Some(sightings) = sightings.map(|it| it.sightings.clone()) else {
        return names;
    };
    let is_at = |file: &FileSummary, number: u32| {
        file.vantage.as_ref().is_some_and(|it| it.place == number)
    };
    let places = (0..).map_while(|number| {
        let at = files.iter().position(|it| is_at(it, number))?;
        let only = files.get(at)?.only.as_deref();
        Some(only.or_else(|| names.file(at))?.to_owned())
    });
    let places = places.collect();
    names.with_places(places, sightings)
}

/// A place where a file contradicts itself or ends too early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset from the start of the file in bytes; of a compressed file, from the start of its decompressed content.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
}

/// An interface as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number over all inputs: [`Frame::interface`](super::Frame::interface).
    pub number: u32,
    /// Its name, or else its description, if the file has one.
    pub name: Option<String>,
    /// The link-layer header type of its frames.
    pub link: LinkType,
    /// Length in bytes of the frame check sequence at the end of each frame, if the file states it.
    pub fcs: Option<u8>,
    /// Snap length: the maximum number of bytes kept of a frame; 0 means no limit.
    pub snap_length: u32,
    /// Its timestamp resolution as encoded in pcapng: a power of ten below 128, a power of two from there on.
    pub resolution: u8,
}

/// A block of decryption secrets, not parsed in this layer.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretsBlock {
    /// The type of secrets: `0x544c534b` is a TLS key log in the format of `SSLKEYLOGFILE`.
    pub kind: u32,
    /// The secrets.
    pub bytes: Vec<u8>,
}

impl FileSummary {
    /// Takes over what a source says of this file, after it has read more of it; the runs and the place stay.
    pub(crate) fn follow(&mut self, file: &Self) {
        /// Nothing is ever taken out of these.
        fn extend<T: Clone>(known: &mut Vec<T>, all: &[T]) {
            known.extend_from_slice(all.get(known.len()..).unwrap_or_default());
        }
        extend(&mut self.interfaces, &file.interfaces);
        extend(&mut self.comments, &file.comments);
        extend(&mut self.frame_comments, &file.frame_comments);
        extend(&mut self.names, &file.names);
        extend(&mut self.secrets, &file.secrets);
        *self = Self {
            path: file.path.clone(),
            only: file.only.clone(),
            format: file.format,
            packets: file.packets,
            bytes: file.bytes,
            damage: file.damage.clone(),
            damages: file.damages,
            passed_over: file.passed_over,
            left_out: file.left_out,
            lost: file.lost,
            ..std::mem::take(self)
        };
    }

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
        self.comments.push(shortened_comment(comment));
    }

    pub(crate) fn note_frame_comment(&mut self, number: u64, comment: &[u8]) {
        if self.frame_comments.len() >= MAX_FRAME_COMMENTS {
            self.left_out += 1;
            return;
        }
        let kept = shortened_comment(comment);
        self.frame_comments.push((number, kept));
    }

    pub(crate) fn note_name(&mut self, address: IpAddr, name: &[u8]) {
        // A name longer than DNS allows (RFC 1035 §2.3.4: 255 octets) is invalid.
        if self.names.len() >= MAX_NAMES || name.is_empty() || name.len() > 255 {
            self.left_out += 1;
            return;
        }
        self.names.push((address, text(name)));
    }

    pub(crate) fn note_secrets(&mut self, kind: u32, bytes: &[u8]) {
        let kept: usize = self.secrets.iter().map(|s| s.bytes.len()).sum();
        // The number of blocks is bounded too, because a block may be empty.
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
        if self.interfaces.is_empty() {
            // Most files have one.
            self.interfaces.reserve_exact(1);
        }
        self.interfaces.push(interface);
    }
}

impl std::fmt::Debug for SecretsBlock {
    /// Shows the size but not the content: secrets must not appear in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({:#x}, {} bytes)", self.kind, self.bytes.len())
    }
}

fn shortened_comment(comment: &[u8]) -> String {
    let mut kept = text(comment.get(..MAX_COMMENT_BYTES).unwrap_or(comment));
    if comment.len() > MAX_COMMENT_BYTES {
        kept.push('…');
    }
    kept
}

/// Text from a file, which should be UTF-8; invalid bytes are replaced.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}
