//! Two hosts with a path between them: the packets they send, and what a capture at any point of the path contains.
//!
//! In: a [`Script`], which states who sends what and after which delays. Out: packets with the time at which each was
//! sent. A host acknowledges only what has reached it, answers a FIN at once, sends nothing more after a RST, and
//! answers with a RST whatever reaches a socket that no longer exists (RFC 9293 §3.10.7.1). The path loses nothing:
//! what is captured at one point is captured at every other, in a different order.

#![allow(dead_code, reason = "every test uses a part of it")]

use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;

use super::wire::{ACK, FIN, Packet, RST, SYN};

/// Nanoseconds in a millisecond.
const MS: i64 = 1_000_000;

/// A message: head and body, and the offsets at which it is split into segments.
#[derive(Clone)]
pub struct Said {
    pub bytes: Vec<u8>,
    pub parts: Vec<usize>,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" {:?}", self.bytes.escape_ascii(), self.parts)
    }
}

/// A request and its response.
#[derive(Clone, Debug)]
pub struct Turn {
    pub request: Said,
    pub response: Said,
    /// The response begins after the first segment of the request has arrived, not the last.
    pub early: bool,
    /// The request follows the previous one without waiting for the response.
    pub pipelined: bool,
    /// Milliseconds that the client and the server wait before they send.
    pub thinks: [i64; 2],
}

/// How the other side reacts to a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Stops sending and closes.
    Close,
    /// Sends the rest, then closes.
    FinishAndClose,
    /// Sends the rest and never closes.
    Stay,
}

/// The script of one connection.
#[derive(Clone, Debug)]
pub struct Script {
    pub turns: Vec<Turn>,
    /// One-way delay, in milliseconds.
    pub delay: i64,
    /// After how many of the segments with payload the connection is closed.
    pub close_after: usize,
    /// Delay of the close after that segment, in milliseconds.
    pub close_gap: i64,
    pub by_client: bool,
    pub by_reset: bool,
    /// Delay after which the other side also closes independently, in milliseconds.
    pub also: Option<i64>,
    /// The closer's socket no longer exists: data that arrives after its FIN is answered with a RST.
    pub gone: bool,
    pub then: Then,
    /// Every segment with payload is acknowledged separately and at once.
    pub eager_acks: bool,
    pub isn: [u32; 2],
}

/// A packet, and when it was sent. [`seen_at`] sets `Packet::time`.
#[derive(Clone, Debug)]
pub struct Flight {
    pub sent: i64,
    pub packet: Packet,
}

/// The packets of a script that was played.
#[derive(Clone, Debug, Default)]
pub struct Played {
    pub flights: Vec<Flight>,
    pub delay: i64,
}

/// When, by which host, what is sent, and how many bytes must have arrived from the other side before.
type Say = (i64, usize, Vec<u8>, u32);

/// An event at a host.
#[derive(Clone, Debug)]
enum Happening {
    /// The bytes to send, and how many bytes must have arrived from the other side before.
    Say(Vec<u8>, u32),
    Close {
        reset: bool,
    },
    CloseInAnswer,
    Acknowledge,
    Arrives(Packet),
}

#[derive(Clone, Debug, Default)]
struct Host {
    next: u32,
    got: u32,
    /// Payload bytes received.
    received: u32,
    id: u16,
    said_fin: bool,
    /// The socket no longer exists.
    dead: bool,
}

/// Runs a script.
pub fn play(script: &Script) -> Played {
    let mut play = Play::new(script);
    while let Some(((at, _), (host, happening))) = play.agenda.pop_first() {
        play.happen(at, host, happening);
    }
    Played {
        flights: play.flights,
        delay: script.delay * MS,
    }
}

/// The packets in a capture at a point of the path: 0 is the client, 100 the server.
pub fn seen_at(played: &Played, point: i64) -> Vec<Packet> {
    let mut packets: Vec<Packet> = played
        .flights
        .iter()
        .map(|flight| {
            let share = if flight.packet.from_client {
                point
            } else {
                100 - point
            };
            let mut packet = flight.packet.clone();
            packet.time = flight.sent + played.delay / 100 * share;
            packet
        })
        .collect();
    packets.sort_by_key(|packet| packet.time);
    packets
}

struct Play<'a> {
    script: &'a Script,
    agenda: BTreeMap<(i64, u64), (usize, Happening)>,
    order: u64,
    hosts: [Host; 2],
    flights: Vec<Flight>,
}

impl<'a> Play<'a> {
    fn new(script: &'a Script) -> Self {
        let mut play = Self {
            script,
            agenda: BTreeMap::new(),
            order: 0,
            hosts: script.isn.map(|isn| Host {
                next: isn,
                id: 1,
                ..Host::default()
            }),
            flights: Vec::new(),
        };
        let delay = script.delay * MS;
        play.send(0, 0, SYN, Vec::new());
        play.plan(3 * delay);
        play
    }

    /// Schedules everything to be sent, as if nobody closed earlier.
    fn plan(&mut self, start: i64) {
        let script = self.script;
        let delay = script.delay * MS;
        let mut says: Vec<Say> = Vec::new();
        let mut asked = 0;
        let mut free = [start, start];
        let mut answered = start;
        for turn in &script.turns {
            let begin = if turn.pipelined {
                free[0]
            } else {
                free[0].max(answered)
            } + turn.thinks[0] * MS;
            let times = say(&turn.request, begin, 0, 0, &mut says);
            free[0] = times.1 + MS / 2;
            let layer_facts = if turn.early { times.0 } else { times.1 } + delay;
            let begin = free[1].max(layer_facts) + turn.thinks[1] * MS + MS / 3;
            let first = asked
                + if turn.early {
                    1
                } else {
                    turn.request.bytes.len() as u32
                };
            asked += turn.request.bytes.len() as u32;
            let times = say(&turn.response, begin, 1, first, &mut says);
            free[1] = times.1 + MS / 2;
            answered = times.1 + delay + MS / 5;
        }
        says.sort_by_key(|(at, ..)| *at);
        let closer = usize::from(!script.by_client);
        let last = script
            .close_after
            .checked_sub(1)
            .and_then(|index| says.get(index.min(says.len().saturating_sub(1))));
        let close = last.map_or(start, |(at, ..)| *at) + script.close_gap * MS + MS / 7;
        for (at, host, bytes, needs) in says {
            // The closer sends nothing more; the other side may, until the close reaches it.
            if host != closer || at < close {
                self.at(at, host, Happening::Say(bytes, needs));
            }
        }
        self.at(
            close,
            closer,
            Happening::Close {
                reset: script.by_reset,
            },
        );
        if let Some(gap) = script.also {
            self.at(
                close + gap * MS,
                1 - closer,
                Happening::Close { reset: false },
            );
        }
    }

    fn at(&mut self, at: i64, host: usize, happening: Happening) {
        self.order += 1;
        self.agenda.insert((at, self.order), (host, happening));
    }

    fn send(&mut self, at: i64, host: usize, flags: u8, payload: Vec<u8>) {
        let me = &mut self.hosts[host];
        let packet = Packet {
            from_client: host == 0,
            client: 1,
            time: at,
            seq: me.next,
            ack: if flags & ACK != 0 { me.got } else { 0 },
            flags,
            id: me.id,
            payload,
        };
        me.id += 1;
        let control = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        me.next = me
            .next
            .wrapping_add(packet.payload.len() as u32)
            .wrapping_add(control);
        self.fly(at, host, packet);
    }

    fn fly(&mut self, at: i64, host: usize, packet: Packet) {
        // The path preserves the order, and no two packets leave at the same time.
        let last = self.flights.last().map_or(at - 1, |flight| flight.sent);
        let at = at.max(last + 1);
        self.at(
            at + self.script.delay * MS,
            1 - host,
            Happening::Arrives(packet.clone()),
        );
        self.flights.push(Flight { sent: at, packet });
    }

    fn happen(&mut self, at: i64, host: usize, happening: Happening) {
        let me = &mut self.hosts[host];
        match happening {
            Happening::Arrives(packet) => self.arrives(at, host, &packet),
            _ if me.dead => {}
            Happening::Say(..) if me.said_fin => {}
            // A response is not sent before its request has arrived.
            Happening::Say(_, needs) if me.received < needs => {}
            Happening::Say(bytes, _) => self.send(at, host, ACK, bytes),
            Happening::Acknowledge => self.send(at, host, ACK, Vec::new()),
            Happening::Close { .. } | Happening::CloseInAnswer if me.said_fin => {}
            Happening::Close { reset: true } => {
                me.dead = true;
                self.send(at, host, RST | ACK, Vec::new());
            }
            Happening::Close { reset: false } | Happening::CloseInAnswer => {
                me.said_fin = true;
                self.send(at, host, FIN | ACK, Vec::new());
            }
        }
    }

    fn arrives(&mut self, at: i64, host: usize, packet: &Packet) {
        let script = self.script;
        let me = &mut self.hosts[host];
        if packet.flags & RST != 0 {
            me.dead = true;
            return;
        }
        let closer = host == usize::from(!script.by_client);
        let gone = me.dead || script.gone && closer && me.said_fin && !packet.payload.is_empty();
        if gone {
            // A RST without ACK, at the sequence number that the segment acknowledged (RFC 9293 §3.10.7.1).
            me.dead = true;
            let answer = Packet {
                from_client: host == 0,
                client: 1,
                time: at,
                seq: packet.ack,
                ack: 0,
                flags: RST,
                id: 0,
                payload: Vec::new(),
            };
            self.fly(at + MS / 100, host, answer);
            return;
        }
        let control = packet.flags & (SYN | FIN);
        me.received += packet.payload.len() as u32;
        me.got = packet
            .seq
            .wrapping_add(packet.payload.len() as u32)
            .wrapping_add(control.count_ones());
        if packet.flags & SYN != 0 {
            let flags = if host == 1 { SYN | ACK } else { ACK };
            self.send(at + MS / 100, host, flags, Vec::new());
            return;
        }
        if packet.flags & FIN != 0 {
            let answers = !closer && !me.said_fin;
            self.at(at + MS / 100, host, Happening::Acknowledge);
            if answers {
                match script.then {
                    Then::Close => self.at(at + MS / 50, host, Happening::CloseInAnswer),
                    Then::FinishAndClose => {
                        let after = self.agenda.iter().filter(|(_, (whose, what))| {
                            *whose == host && matches!(what, Happening::Say(..))
                        });
                        let last = after.map(|((at, _), _)| *at).max().unwrap_or(at);
                        self.at(last.max(at) + MS / 50, host, Happening::CloseInAnswer);
                    }
                    Then::Stay => {}
                }
            }
        } else if script.eager_acks && !packet.payload.is_empty() {
            self.at(at + MS / 100, host, Happening::Acknowledge);
        }
    }
}

/// Schedules a message in its parts. Returns when the first and the last part are sent.
fn say(said: &Said, begin: i64, host: usize, needs: u32, says: &mut Vec<Say>) -> (i64, i64) {
    let mut at = begin;
    for part in parts(&said.bytes, &said.parts) {
        says.push((at, host, part.to_vec(), needs));
        at += MS / 10;
    }
    (begin, at - MS / 10)
}

/// Splits bytes at `places`, each taken modulo the length.
pub fn parts<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = places.iter().map(|place| place % bytes.len()).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..300);
    (0..5_usize, 0..3_usize, body, any::<bool>()).prop_map(|(method, framing, body, closes)| {
        let method = ["GET", "HEAD", "POST", "PUT", "DELETE"][method];
        let connection = if closes { "Connection: close\r\n" } else { "" };
        let mut head = format!(
            "{method} /{} HTTP/1.1\r\nHost: a\r\n{connection}",
            body.len()
        );
        framed(
            &mut head,
            if method == "GET" || method == "HEAD" {
                0
            } else {
                framing
            },
            body,
        )
    })
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..600);
    (0..8_usize, 1..4_usize, body, any::<bool>(), any::<bool>()).prop_map(
        |(status, framing, body, closes, interim)| {
            let status = [200, 200, 200, 204, 304, 404, 500, 413][status];
            let connection = if closes { "Connection: close\r\n" } else { "" };
            let first = if interim {
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            } else {
                ""
            };
            let mut head = format!("{first}HTTP/1.1 {status} X\r\nServer: s\r\n{connection}");
            let bare = matches!(status, 204 | 304);
            framed(&mut head, if bare { 0 } else { framing }, body)
        },
    )
}

/// Adds a body to a head: 0 none, 1 with Content-Length, 2 chunked, 3 until the close (responses only).
fn framed(head: &mut String, framing: usize, body: Vec<u8>) -> Vec<u8> {
    match framing {
        1 => *head += &format!("Content-Length: {}\r\n\r\n", body.len()),
        2 => *head += "Transfer-Encoding: chunked\r\n\r\n",
        _ => *head += "\r\n",
    }
    let mut bytes = head.clone().into_bytes();
    match framing {
        0 => {}
        2 => {
            for chunk in body.chunks(100) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        }
        _ => bytes.extend(body),
    }
    bytes
}

fn said(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Said> {
    (bytes, prop::collection::vec(any::<u16>(), 0..4)).prop_map(|(mut bytes, parts)| {
        if bytes.is_empty() {
            bytes.push(b'\n');
        }
        Said {
            bytes,
            parts: parts.into_iter().map(usize::from).collect(),
        }
    })
}

fn turn() -> impl Strategy<Value = Turn> {
    let rare = || prop::bool::weighted(0.2);
    (
        said(request()),
        said(response()),
        rare(),
        rare(),
        [0..60_i64, 0..60_i64],
    )
        .prop_map(|(request, mut response, early, pipelined, thinks)| {
            if request.bytes.starts_with(b"HEAD") {
                let end = b"\r\n\r\n";
                let last = |bytes: &[u8]| {
                    let begin = bytes.windows(5).position(|five| five == b" X\r\nS")?;
                    let head = bytes[begin..].windows(4).position(|four| four == end)?;
                    Some(begin + head + end.len())
                };
                let head = last(&response.bytes).expect("a response has a head");
                response.bytes.truncate(head);
            }
            Turn {
                request,
                response,
                early,
                pipelined,
                thinks,
            }
        })
}

/// Whether the response's body is ended only by the close, so that no exchange can follow.
fn is_open_ended(turn: &Turn) -> bool {
    let has = |what: &[u8]| turn.response.bytes.windows(what.len()).any(|it| it == what);
    let is_framed = has(b"Content-Length") || has(b"chunked") || has(b" 204 ") || has(b" 304 ");
    !is_framed && !turn.request.bytes.starts_with(b"HEAD")
}

/// Generates any script.
pub fn script() -> impl Strategy<Value = Script> {
    let then = prop_oneof![
        Just(Then::Close),
        Just(Then::FinishAndClose),
        Just(Then::Stay)
    ];
    let rare = || prop::bool::weighted(0.3);
    (
        prop::collection::vec(turn(), 0..4),
        1..100_i64,
        0..14_usize,
        0..150_i64,
        any::<bool>(),
        rare(),
        rare(),
        then,
        (
            any::<bool>(),
            any::<[u32; 2]>(),
            prop::option::weighted(0.3, 0..100_i64),
        ),
    )
        .prop_map(
            |(mut turns, delay, close_after, close_gap, by_client, by_reset, gone, then, rest)| {
                let last = turns.iter().position(is_open_ended);
                turns.truncate(last.map_or(turns.len(), |last| last + 1));
                Script {
                    turns,
                    delay,
                    close_after,
                    close_gap,
                    by_client,
                    by_reset,
                    gone,
                    then,
                    eager_acks: rest.0,
                    isn: rest.1,
                    also: rest.2,
                }
            },
        )
}
