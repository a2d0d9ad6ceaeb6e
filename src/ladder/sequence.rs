//! Sequence and acknowledgement numbers that advance by themselves: what each side sends next and has received.
//!
//! Used in both directions: to number the segments of a ladder, and to find the numbers of a captured segment that need
//! not be written down.

use super::notation::{Cell, Sends};
use crate::analysis::connection::Who;
use crate::base::net::Flags;
use crate::base::seq::Seq;

/// Distance from the last number of a connection to the initial one of the next on the same ports: larger than any
/// unscaled window (RFC 6191 §2 only requires a larger number).
const NEXT_CONNECTION: u32 = 65_537;

/// The numbers of both sides of a connection.
#[derive(Clone, Debug)]
pub(super) struct SequenceNumbers {
    sides: [SideNumbers; 2],
}

/// What one side has sent and received.
#[derive(Clone, Debug)]
struct SideNumbers {
    isn: Seq,
    /// SND.NXT.
    next: Seq,
    /// It has sent a segment other than a RST.
    active: bool,
    /// How many connections it has begun on these ports.
    generation: u32,
    /// RCV.NXT.
    got: Option<Seq>,
    /// RCV.NXT before the last segment arrived.
    got_before: Option<Seq>,
    got_generation: u32,
    /// Sequence ranges that arrived beyond a hole.
    held: Vec<(Seq, Seq)>,
    /// The end of a SYN for the next connection, while this side still has the numbers of the current one.
    pending: Option<Seq>,
    last_arrival: Option<LastArrival>,
    last: Option<LastSent>,
}

/// The last segment that arrived.
#[derive(Clone, Copy, Debug)]
struct LastArrival {
    ack: Option<Seq>,
    bare_syn: bool,
    end: Seq,
}

/// The last segment sent that occupied sequence numbers.
#[derive(Clone, Copy, Debug)]
struct LastSent {
    seq: Seq,
    syn: bool,
    fin: bool,
    length: u32,
}

/// The numbers and flags of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RelativeNumbers {
    pub(super) seq: Seq,
    pub(super) ack: Seq,
    pub(super) flags: Flags,
    /// It is sent without a socket: no window, no identification.
    pub(super) stateless: bool,
}

impl SequenceNumbers {
    /// The state before the first segment.
    pub(super) fn new(isn: [u32; 2]) -> Self {
        Self {
            sides: isn.map(|isn| SideNumbers {
                isn: Seq(isn),
                next: Seq(isn).add(1),
                active: false,
                generation: 0,
                got: None,
                got_before: None,
                got_generation: 0,
                held: Vec::new(),
                pending: None,
                last_arrival: None,
                last: None,
            }),
        }
    }

    /// `seq` as it is written: relative to the initial sequence number of `who`.
    pub(super) fn relative(&self, who: Who, seq: Seq) -> i64 {
        i64::from(seq.from(self.sides[who as usize].isn))
    }

    /// Sets the initial sequence number of `who`, before it has sent anything.
    pub(super) fn anchor(&mut self, who: Who, isn: Seq) {
        let side = &mut self.sides[who as usize];
        if !side.active {
            side.isn = isn;
            side.next = isn.add(1);
        }
    }

    /// Whether a segment with `seq` is a keep-alive probe.
    pub(super) fn is_probe(&self, who: Who, seq: Seq) -> bool {
        let side = &self.sides[who as usize];
        side.active && seq == side.next.back(1)
    }

    /// The segment that `again` repeats: sequence number, payload length, SYN, FIN.
    pub(super) fn repeated(&self, who: Who) -> Option<(Seq, u32, bool, bool)> {
        let last = self.sides[who as usize].last?;
        Some((last.seq, last.length, last.syn, last.fin))
    }

    /// The numbers of the next segment, which is sent and, unless lost, arrives.
    pub(super) fn send(&mut self, who: Who, cell: &Cell, length: u32) -> RelativeNumbers {
        self.begin(who, cell);
        let header = self.plan(who, cell);
        let length = match cell.sends {
            Sends::New => length,
            Sends::Again => self.repeated(who).map_or(0, |(_, length, ..)| length),
            Sends::Probe => 0,
        };
        self.commit(
            who,
            header,
            length,
            !cell.deviations.lost && !cell.deviations.damaged,
        );
        header
    }

    /// Begins another connection on the same ports if the cell's SYN does so.
    pub(super) fn begin(&mut self, who: Who, cell: &Cell) {
        if !cell.syn || cell.sends != Sends::New {
            return;
        }
        let peer = self.sides[who.other() as usize].generation;
        let side = &mut self.sides[who as usize];
        let asked = cell.deviations.isn.map(Seq);
        if !side.active {
            side.generation = peer.max(1);
        } else if side.generation < peer {
            side.generation = peer;
            side.isn = side.next.add(NEXT_CONNECTION);
            side.got = side.pending.take();
            side.got_generation = peer;
            side.held.clear();
        } else if !cell.ack {
            side.generation += 1;
            side.isn = side.next.add(NEXT_CONNECTION);
            side.got = None;
            side.held.clear();
        } else {
            return;
        }
        side.isn = asked.unwrap_or(side.isn);
        side.next = side.isn;
    }

    /// The numbers of the next segment: computed, or as the cell deviates.
    pub(super) fn plan(&self, who: Who, cell: &Cell) -> RelativeNumbers {
        let side = &self.sides[who as usize];
        let peer = &self.sides[who.other() as usize];
        let deviations = &cell.deviations;
        let last = side.last.filter(|_| cell.sends == Sends::Again);
        let syn = cell.syn || last.is_some_and(|last| last.syn);
        let fin = cell.fin || last.is_some_and(|last| last.fin);
        let last_arrival = side.last_arrival;
        let closed = !side.active || side.generation < peer.generation;
        let answers_syn = last_arrival.is_some_and(|last_arrival| last_arrival.bare_syn) && closed;
        let refusal = cell.rst && answers_syn && !deviations.no_ack;
        let stateless = refusal || cell.rst && deviations.no_ack;
        let opens = syn && side.got.is_none();
        let acks = !deviations.no_ack && (cell.ack || !opens);
        let usual_seq = match (cell.sends, last) {
            (_, Some(last)) => last.seq,
            (Sends::Probe, _) => side.next.back(1),
            _ if refusal => Seq(0),
            _ if stateless => last_arrival
                .and_then(|last_arrival| last_arrival.ack)
                .unwrap_or(side.next),
            _ if syn => side.isn,
            _ => side.next,
        };
        let got = if deviations.crossed {
            side.got_before
        } else {
            side.got
        };
        let usual_ack = match last_arrival {
            Some(last_arrival) if refusal => last_arrival.end,
            _ => got.unwrap_or(peer.isn.add(1)),
        };
        let placed = |isn: Seq, relative: i64| isn.add(relative as u32);
        let mut flags = Flags::default();
        for (set, flag) in [
            (syn, Flags::SYN),
            (fin, Flags::FIN),
            (cell.rst, Flags::RST),
            (acks, Flags::ACK),
        ] {
            if set {
                flags = flags.with(flag);
            }
        }
        RelativeNumbers {
            seq: deviations
                .seq
                .map_or(usual_seq, |seq| placed(side.isn, seq)),
            ack: match (acks, deviations.ack) {
                (false, _) => Seq(0),
                (true, Some(ack)) => placed(peer.isn, ack),
                (true, None) => usual_ack,
            },
            flags,
            stateless,
        }
    }

    /// Records that the segment is sent and, if `arrives`, received.
    pub(super) fn commit(&mut self, who: Who, header: RelativeNumbers, length: u32, arrives: bool) {
        let has = |flag| header.flags.has(flag);
        let syn = has(Flags::SYN);
        let fin = has(Flags::FIN);
        let end = header.seq.add(length + u32::from(syn) + u32::from(fin));
        let known = self.sides[who.other() as usize].generation.max(1);
        let side = &mut self.sides[who as usize];
        if !has(Flags::RST) {
            if !side.active {
                side.active = true;
                side.generation = side.generation.max(known);
            }
            if end.after(side.next) {
                side.next = end;
            }
            if end != header.seq {
                side.last = Some(LastSent {
                    seq: header.seq,
                    syn,
                    fin,
                    length,
                });
            }
            // An acknowledgement beyond what the ladder shows means that its sender has received that data.
            if has(Flags::ACK) && side.got.is_none_or(|got| header.ack.after(got)) {
                side.receive_up_to(header.ack);
            }
        }
        if arrives {
            let from = (side.isn, side.generation);
            self.sides[who.other() as usize].arrive(header, end, from);
        }
    }
}

impl SideNumbers {
    fn arrive(&mut self, header: RelativeNumbers, end: Seq, (isn, generation): (Seq, u32)) {
        let acks = header.flags.has(Flags::ACK);
        let syn = header.flags.has(Flags::SYN);
        self.got_before = self.got;
        self.last_arrival = Some(LastArrival {
            ack: acks.then_some(header.ack),
            bare_syn: syn && !acks,
            end,
        });
        if header.flags.has(Flags::RST) {
            return;
        }
        if syn {
            if self.active && self.generation < generation {
                self.pending = Some(end);
            } else if self.got.is_none() || self.got_generation != generation {
                self.got = Some(end);
                self.got_generation = generation;
                self.held.clear();
            }
            return;
        }
        if self.active && self.generation != generation {
            return;
        }
        let got = self.got.unwrap_or(isn.add(1));
        self.got = Some(got);
        if header.seq.after(got) {
            self.held.push((header.seq, end));
        } else if end.after(got) {
            self.receive_up_to(end);
        }
    }

    /// Everything before `end` has arrived; advances over held ranges, too.
    fn receive_up_to(&mut self, mut end: Seq) {
        while let Some(index) = self
            .held
            .iter()
            .position(|(start, until)| !start.after(end) && until.after(end))
        {
            end = self.held.swap_remove(index).1;
        }
        self.got = Some(end);
    }
}
