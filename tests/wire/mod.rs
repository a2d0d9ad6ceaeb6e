//! Packets for the tests: captures as lists of frames, whatever their source, and as files.
//!
//! Left out: everything that the tests can take from real captures.

#![allow(dead_code, reason = "every test uses a part of it")]

use std::fmt;
use std::path::{Path, PathBuf};

use hangup::analysis::connection::Connection;
use hangup::analysis::engine::{Engine, EngineStats};
use hangup::base::frame_ref::FrameNumber;
use hangup::base::net::Loss;
use hangup::base::time::Timestamp;
use hangup::packet::capture::{
    Batch, CaptureError, Fill, Frame, LinkType, OpenOptions, Source, open,
};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// A frame with its bytes; its number is its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    pub time: Timestamp,
    pub link: u16,
    pub interface: u32,
    pub length: u32,
    pub data: Vec<u8>,
}

/// A TCP segment to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    pub from_client: bool,
    /// The client's address is 10.0.0.0 plus this; its port is 40000.
    pub client: u32,
    pub time: i64,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub id: u16,
    pub payload: Vec<u8>,
}

impl fmt::Debug for Packet {
    /// One line, as in a ladder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.from_client { "-->" } else { "<--" };
        let millis = self.time as f64 / 1e6;
        write!(f, "{millis:.3} {arrow}")?;
        for (bit, name) in [(SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (ACK, "ACK")] {
            if self.flags & bit != 0 {
                write!(f, " {name}")?;
            }
        }
        let text = self.payload.escape_ascii();
        write!(f, " seq={} ack={} \"{text}\"", self.seq, self.ack)
    }
}

impl Packet {
    /// The segment in an Ethernet frame with an IPv4 header.
    pub fn shot(&self) -> Shot {
        let mut data = Vec::with_capacity(54 + self.payload.len());
        let (from, to) = if self.from_client { (1, 2) } else { (2, 1) };
        data.extend([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0]);
        let length = u16::try_from(40 + self.payload.len()).expect("short enough for IPv4");
        data.extend([0x45, 0]);
        data.extend(length.to_be_bytes());
        data.extend(self.id.to_be_bytes());
        data.extend([0x40, 0, 64, 6, 0, 0]);
        let client = 0x0a00_0000 + self.client;
        let server = u32::from_be_bytes([192, 0, 2, 1]);
        let mut ends = [(client, 40_000_u16), (server, 80)];
        if !self.from_client {
            ends.reverse();
        }
        for (address, _) in ends {
            data.extend(address.to_be_bytes());
        }
        for (_, port) in ends {
            data.extend(port.to_be_bytes());
        }
        data.extend(self.seq.to_be_bytes());
        data.extend(self.ack.to_be_bytes());
        data.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        data.extend(&self.payload);
        Shot {
            time: Timestamp::from_nanos(self.time),
            link: 1,
            interface: 0,
            length: data.len() as u32,
            data,
        }
    }
}

/// Runs frames through the engine on the current thread.
pub fn run(shots: &[Shot]) -> (Vec<Connection>, EngineStats) {
    let mut engine = Engine::new();
    let mut connections = Vec::new();
    for (number, shot) in (1..).zip(shots) {
        engine.frame(&shot.frame(number), &mut connections);
    }
    let stats = engine.finish(&mut connections);
    connections.sort_by_key(|connection| connection.first.frame);
    (connections, stats)
}

/// Runs packets through the engine.
pub fn run_packets(packets: &[Packet]) -> Vec<Connection> {
    let shots: Vec<Shot> = packets.iter().map(Packet::shot).collect();
    run(&shots).0
}

impl Shot {
    pub fn frame(&self, number: u64) -> Frame<'_> {
        Frame {
            number: FrameNumber(number),
            time: self.time,
            link: LinkType(self.link),
            interface: self.interface,
            length: self.length,
            passage: hangup::base::passage::Passage::Unknown,
            data: &self.data,
        }
    }
}

/// A pcap file (nanoseconds, little-endian) of frames of one link type.
pub fn to_pcap(shots: &[Shot]) -> Vec<u8> {
    let mut file = pcap_header(shots.first().map_or(1, |shot| shot.link));
    for shot in shots {
        pcap_record(shot, &mut file);
    }
    file
}

/// The 24-byte file header.
pub fn pcap_header(link: u16) -> Vec<u8> {
    let words = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, u32::from(link)];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Appends one packet record.
pub fn pcap_record(shot: &Shot, out: &mut Vec<u8>) {
    let nanos = shot.time.as_nanos().max(0);
    let words = [
        (nanos / 1_000_000_000) as u32,
        (nanos % 1_000_000_000) as u32,
        shot.data.len() as u32,
        shot.length,
    ];
    out.extend(words.into_iter().flat_map(u32::to_le_bytes));
    out.extend(&shot.data);
}

/// Frames in memory as a source that returns a limited number at a time.
pub struct InMemory {
    pub shots: Vec<Shot>,
    pub at: usize,
    pub at_once: usize,
}

impl InMemory {
    pub fn new(shots: Vec<Shot>, at_once: usize) -> Self {
        Self {
            shots,
            at: 0,
            at_once: at_once.max(1),
        }
    }
}

impl Source for InMemory {
    fn stop(&mut self) {}

    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        let end = self.at.saturating_add(self.at_once).min(self.shots.len());
        for index in self.at..end {
            batch.push(self.shots[index].frame(index as u64 + 1));
        }
        self.at = end;
        Ok(if batch.is_empty() {
            Fill::End
        } else {
            Fill::Frames
        })
    }

    fn lost(&self) -> Loss {
        Loss::default()
    }
}

/// The captures of the repository, sorted by name.
pub fn captures() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    let entries = std::fs::read_dir(&folder).expect("the repository holds captures");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a name").path())
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 20, "captures are missing: {paths:?}");
    paths
}

/// The captures in a folder and in all folders below, sorted by name; none if there is no such folder.
pub fn captures_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            all.extend(captures_below(&path));
        } else if path.to_string_lossy().contains(".pcap") && !path.ends_with(".md") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// The frames of a file.
pub fn load(path: &std::path::Path) -> Vec<Shot> {
    let mut source = open(&[path], &OpenOptions::default()).expect("a capture");
    drain(&mut *source)
}

/// All frames of a source.
pub fn drain(source: &mut dyn Source) -> Vec<Shot> {
    let mut batch = Batch::default();
    let mut shots = Vec::new();
    while source.fill(&mut batch).expect("a readable input") != Fill::End {
        shots.extend(batch.frames().map(|frame| Shot {
            time: frame.time,
            link: frame.link.0,
            interface: frame.interface,
            length: frame.length,
            data: frame.data.to_vec(),
        }));
    }
    shots
}
