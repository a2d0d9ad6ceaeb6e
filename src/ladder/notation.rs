//! What a ladder is, line by line. Pairs are in the order client, server.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::dns::Dns;
use super::expectation::Expectation;
use super::message::Piece;
use crate::analysis::connection::{Standing, Who};
use crate::base::net::Endpoint;

/// Payload that fits into one segment: what the length field of IPv4 leaves beside the headers we write.
pub const MAX_PAYLOAD: u32 = 65_535 - 20 - 24;

/// A picture of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Its lines; the index is the line number less one.
    pub lines: Vec<LadderLine>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LadderLine {
    /// Nothing.
    Blank,
    /// Words for readers.
    Comment(String),
    /// Which connection the lines below belong to.
    Title(Title),
    /// A segment.
    Packet(LadderSegment),
    /// What must be found.
    Expect(Expectation),
}

/// The two sides of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Client and server.
    pub sides: [TitleSide; 2],
    /// How many such connections there are.
    pub times: u16,
    /// How far apart they begin.
    pub every: Duration,
}

/// One side of a connection, and what holds for all its segments.
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
    /// What is meant where nothing is said.
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
    /// Since the beginning.
    pub time: Duration,
    /// Who sends it.
    pub from: Who,
    /// Whether the capture holds it.
    pub seen: bool,
    /// What is sent.
    pub cell: Cell,
    /// What both sides are after it.
    pub states: Option<[Standing; 2]>,
    /// Words for readers behind it, such as what was said under keys.
    pub frame_note: Option<String>,
}

/// How a cell relates to those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sends {
    /// Something of its own.
    #[default]
    New,
    /// The sender's last segment that took sequence numbers.
    Again,
    /// A keep-alive probe.
    Probe,
}

/// What one side says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// How it relates to what was sent before; only [`Sends::New`] has bits and payload of its own.
    pub sends: Sends,
    /// Synchronize.
    pub syn: bool,
    /// No more from the sender.
    pub fin: bool,
    /// Reset.
    pub rst: bool,
    /// ACK was written out.
    pub ack: bool,
    /// Payload, in order.
    pub payload: Vec<Piece>,
    /// Instead of a segment, a lookup of a name; stands alone.
    pub lookup: Option<Dns>,
    /// What does not go by itself.
    pub deviations: Deviations,
}

/// What does not go by itself in a segment.
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
    /// Payload bytes that were captured.
    pub cut: Option<u32>,
    /// It never arrived.
    pub lost: bool,
    /// It crossed the line above from the other side: it does not acknowledge that yet.
    pub crossed: bool,
    /// Instead of the segment an ICMP error goes to the other side: its last segment cannot be delivered, with this
    /// code (RFC 792: 0 network, 1 host, 3 port, 4 too big, 13 forbidden).
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

/// The captions and what holds for the packets of each connection: every packet with its line and title.
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
