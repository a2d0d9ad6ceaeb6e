//! The data model of a ladder, line by line. Pairs are in the order client, server.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::arp::Arp;
use super::dns::Dns;
use super::expectation::Expectation;
use super::message::Piece;
use crate::analysis::connection::{Standing, Who};
use crate::base::net::Endpoint;

/// The largest payload of a segment: what the length field of IPv4 leaves after the headers that are written.
pub(crate) const MAX_PAYLOAD: u32 = 65_535 - 20 - 24;

/// A time-sequence diagram of connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Its lines; the index is the line number minus one.
    pub lines: Vec<LadderLine>,
}

/// One line of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LadderLine {
    /// An empty line.
    Blank,
    /// A comment.
    Comment(String),
    /// A title: the connection that the lines below it belong to.
    Title(Title),
    /// A segment.
    Packet(LadderSegment),
    /// An expectation about the analysis.
    Expect(Expectation),
}

/// The two sides of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Client and server.
    pub sides: [TitleSide; 2],
    /// How many copies of the connection there are.
    pub times: u16,
    /// The time between the starts of two copies.
    pub every: Duration,
}

/// One side of a connection, and the settings for all its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleSide {
    /// Its address.
    pub endpoint: Endpoint,
    /// Time to live, instead of 64.
    pub ttl: Option<u8>,
    /// Window, instead of 64 240.
    pub window: Option<u16>,
    /// Initial sequence number.
    pub isn: Option<u32>,
}

impl TitleSide {
    /// The defaults for what a title leaves out.
    #[must_use]
    pub const fn usual(who: Who) -> Self {
        let (host, port) = match who {
            Who::Client => (1, 40_000),
            Who::Server => (2, 80),
        };
        Self {
            endpoint: Endpoint {
                ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
                port,
            },
            ttl: None,
            window: None,
            isn: None,
        }
    }
}

impl Default for Title {
    fn default() -> Self {
        Self {
            sides: Who::BOTH.map(TitleSide::usual),
            times: 1,
            every: Duration::from_millis(10),
        }
    }
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderSegment {
    /// The time since the beginning of the ladder.
    pub time: Duration,
    /// The sender.
    pub from: Who,
    /// Whether it is in the capture.
    pub seen: bool,
    /// What it sends.
    pub cell: Cell,
    /// The asserted states of both sides after it.
    pub states: Option<[Standing; 2]>,
    /// A remark for the reader, such as a summary of the decrypted data.
    pub frame_note: Option<String>,
}

/// Whether a cell sends something new or refers to what was sent before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sends {
    /// Bits and payload of its own.
    #[default]
    New,
    /// The sender's last segment that occupied sequence numbers, retransmitted.
    Again,
    /// A keep-alive probe.
    Probe,
}

/// What one side sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Whether it is new; only [`Sends::New`] has bits and payload of its own.
    pub sends: Sends,
    /// The SYN bit.
    pub syn: bool,
    /// The FIN bit.
    pub fin: bool,
    /// The RST bit.
    pub rst: bool,
    /// Whether `ACK` is written explicitly.
    pub ack: bool,
    /// The payload, in order.
    pub payload: Vec<Piece>,
    /// A DNS message instead of a segment; excludes everything else.
    pub lookup: Option<Dns>,
    /// An ARP packet instead of a segment; excludes everything else.
    pub arp: Option<Arp>,
    /// Deviations from the defaults.
    pub deviations: Deviations,
}

/// Deviations of a segment from its defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deviations {
    /// Relative sequence number.
    pub seq: Option<i64>,
    /// Relative acknowledgement number.
    pub ack: Option<i64>,
    /// The ACK bit is not set.
    pub no_ack: bool,
    /// Time to live.
    pub ttl: Option<u8>,
    /// Window.
    pub window: Option<u16>,
    /// IPv4 identification.
    pub id: Option<u16>,
    /// Initial sequence number, of a SYN.
    pub isn: Option<u32>,
    /// Payload bytes that were captured; the rest is cut off.
    pub cut: Option<u32>,
    /// It was captured but never arrived.
    pub lost: bool,
    /// Its TCP checksum is wrong: it was captured, and its receiver dropped it.
    pub damaged: bool,
    /// It crossed the line above from the other side, and does not acknowledge that yet.
    pub crossed: bool,
    /// An ICMP error to the other side instead of a segment: the other side's last segment cannot be delivered, with
    /// this code (RFC 792: 0 network, 1 host, 3 port, 4 too big, 13 forbidden).
    pub unreachable: Option<u8>,
}

impl Cell {
    /// The payload as bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.payload {
            piece.write(&mut bytes);
        }
        bytes
    }
}

/// The titles, and every packet with its line index and the index of its title.
pub(super) fn by_title(ladder: &Ladder) -> (Vec<Title>, Vec<(usize, usize, &LadderSegment)>) {
    let mut titles: Vec<Title> = Vec::new();
    let mut current = None;
    let mut packets = Vec::new();
    for (line, content) in ladder.lines.iter().enumerate() {
        match content {
            LadderLine::Title(title) => {
                let ends = |title: &Title| title.sides.clone().map(|side| side.endpoint);
                let known = titles.iter().position(|other| ends(other) == ends(title));
                current = Some(known.unwrap_or_else(|| {
                    titles.push(title.clone());
                    titles.len() - 1
                }));
            }
            LadderLine::Packet(packet) => {
                let title = *current.get_or_insert_with(|| {
                    titles.push(Title::default());
                    titles.len() - 1
                });
                packets.push((line, title, packet));
            }
            _ => {}
        }
    }
    (titles, packets)
}
