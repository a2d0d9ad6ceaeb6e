//! Application protocols other than HTTP, as far as their messages show whose turn it is.
//!
//! In: the first bytes of both directions, until they show a protocol, and everything after. Out: [`DialogueFacts`]: the
//! protocol, the last requests and their answers as `Exchange`s, goodbyes, and the last error that a side reported in
//! its own words.
//!
//! Each protocol is one file with a grammar: it says how long the next message of a direction is and what it means
//! (`Role`). `reader.rs` cuts the streams into messages by it, `exchanges.rs` pairs requests and answers. Where no
//! grammar applies, or the capture lacks bytes, the turns of both sides are all there is (`turns.rs`): what they show is
//! presumed.
//!
//! Nothing is decoded that does not serve this: no values, no types.

use std::time::Duration;

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;
use crate::protocol::http::{Phase, Reach, TextInterner};
use crate::protocol::parts::PartTeller;

mod exchanges;
mod facts;
mod grammar;
mod lines;
mod protocols;
mod reader;
mod turns;

mod amqp;
mod bgp;
mod dns;
mod fastcgi;
mod ftp;
mod git;
mod imap;
mod kafka;
mod ldap;
mod memcached;
mod mongodb;
mod mqtt;
mod mysql;
mod pop3;
mod postgresql;
mod rdp;
mod redis;
mod rsync;
mod smb;
mod smtp;
mod ssh;

pub use facts::{Complaint, DataConnection, DialogueFacts, EncryptedTurn, ProgramFacts};
pub(crate) use facts::{begins_with, is_login};
pub(crate) use mysql::PASSWORD_STEP;
pub(crate) use postgresql::SSL_REQUEST;
pub use protocols::AppProtocol;
pub(crate) use ssh::{HOST_KEY, UNMATCHED};

use exchanges::Exchanges;
use grammar::Opening;
use protocols::{Grammar, recognise};
use reader::{Beginnings, Reader};
use turns::Turns;

/// Bytes of both directions that are kept until the protocol is known.
const MAX_OPENING: usize = 1024;

/// The dissector of one conversation.
#[derive(Clone, Debug)]
pub(crate) struct Dialogue {
    /// Ports of both ends: a hint.
    ports: [u16; 2],
    /// Offsets at which it begins.
    since: [u64; 2],
    /// The presumed client, if the capture began after the connection.
    midstream: Option<FlowEnd>,
    state: State,
    exchanges: Exchanges,
    turns: Turns,
    /// Is told which bytes are what.
    teller: Option<PartTeller>,
}

#[derive(Clone, Debug)]
enum State {
    /// The first bytes do not show the protocol yet.
    Opening(Vec<Slice>),
    /// A grammar reads it.
    Read(AppProtocol, Box<Reader>),
    /// Not readable, or not any more. The protocol, if it was known before.
    Unread(Option<AppProtocol>),
}

/// Bytes that wait for their protocol.
#[derive(Clone, Debug)]
struct Slice {
    from: FlowEnd,
    at: FrameRef,
    bytes: Vec<u8>,
    length: u32,
}

impl Dialogue {
    /// A conversation without a byte yet, whose offsets begin at `since`.
    #[must_use]
    pub(crate) fn new(ports: [u16; 2], since: [u64; 2], midstream: Option<FlowEnd>) -> Self {
        Self {
            ports,
            since,
            midstream,
            state: State::Opening(Vec::new()),
            exchanges: Exchanges::default(),
            turns: Turns::starting(since),
            teller: None,
        }
    }

    /// The same, with an observer that is told which bytes are what.
    #[must_use]
    pub(crate) fn with_teller(mut self, teller: Option<PartTeller>) -> Self {
        self.teller = teller;
        self
    }

    /// The same for a connection that is shown packet by packet: more exchanges are kept.
    #[must_use]
    pub(crate) fn for_display(mut self) -> Self {
        self.exchanges.keep_to_show();
        self
    }

    /// The next bytes of one direction, in order. `bytes` is what was captured of `length` on the wire.
    pub(crate) fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) {
        self.turns.count(from, at, bytes, length.into());
        match &mut self.state {
            State::Opening(waiting) => {
                waiting.push(Slice {
                    from,
                    at,
                    bytes: bytes
                        .get(..bytes.len().min(MAX_OPENING))
                        .unwrap_or_default()
                        .to_vec(),
                    length,
                });
                let first = bytes.len() > MAX_OPENING && waiting.len() == 1;
                self.recognise(first.then_some(bytes), texts);
            }
            State::Read(protocol, reader) => {
                let read = reader.data(from, at, bytes, length, &mut self.exchanges, texts);
                if !read {
                    self.state = State::Unread(Some(*protocol));
                }
            }
            State::Unread(_) => {}
        }
    }

    /// The next `length` bytes of one direction were never captured.
    pub(crate) fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64) {
        self.turns.count(from, at, &[], length);
        match &mut self.state {
            State::Opening(_) => self.state = State::Unread(None),
            State::Read(protocol, reader) => {
                if !reader.skip(from, at, length, &mut self.exchanges) {
                    self.state = State::Unread(Some(*protocol));
                }
            }
            State::Unread(_) => {}
        }
    }

    /// Looks whether the first bytes show the protocol. `whole`: all of the only slice, where only its beginning waits.
    fn recognise(&mut self, whole: Option<&[u8]>, texts: &mut TextInterner) {
        let State::Opening(waiting) = &self.state else {
            return;
        };
        let mut ends = [Vec::new(), Vec::new()];
        for slice in waiting {
            slice.from.of_mut(&mut ends).extend_from_slice(&slice.bytes);
        }
        let held: usize = ends.iter().map(Vec::len).sum();
        let [a, b] = &ends;
        let ends: [&[u8]; 2] = [a, b];
        let caller = self.midstream.unwrap_or(FlowEnd::A);
        let found = {
            let opening = Opening {
                client: ends[caller.index()],
                server: ends[caller.other().index()],
                port: *caller.other().of(&self.ports),
                midstream: self.midstream.is_some(),
            };
            recognise(&opening).map(|protocol| (protocol, Grammar::of(protocol, &opening)))
        };
        let Some((protocol, grammar)) = found else {
            if held >= MAX_OPENING || waiting.iter().any(Slice::is_cut) {
                self.state = State::Unread(None);
            }
            return;
        };
        let State::Opening(waiting) = std::mem::replace(&mut self.state, State::Unread(None))
        else {
            return;
        };
        self.exchanges.requester = caller;
        let mut reader = Box::new(Reader::new(grammar, caller, self.since));
        if let Some(teller) = &self.teller {
            let opening = Beginnings {
                ends: ends.map(<[u8]>::to_vec),
                caller,
                port: *caller.other().of(&self.ports),
                midstream: self.midstream.is_some(),
            };
            reader.tell(protocol, teller.clone(), opening);
        }
        let read = waiting.iter().all(|slice| {
            let bytes = whole.unwrap_or(&slice.bytes);
            let to = &mut self.exchanges;
            reader.data(slice.from, slice.at, bytes, slice.length, to, texts)
        });
        self.state = match read {
            true => State::Read(protocol, reader),
            false => State::Unread(Some(protocol)),
        };
    }

    /// The protocol, if its content shows it.
    #[must_use]
    pub(crate) const fn protocol(&self) -> Option<AppProtocol> {
        match &self.state {
            State::Opening(_) | State::Unread(None) => None,
            State::Read(protocol, _) | State::Unread(Some(protocol)) => Some(*protocol),
        }
    }

    /// The side that asks, if the content shows it.
    #[must_use]
    pub(crate) fn requester(&self) -> Option<FlowEnd> {
        self.protocol().map(|_| self.exchanges.requester)
    }

    /// The connection is over. What no grammar reads is presumed from the turns, unless its protocol is known: what its
    /// grammar does not read may be encrypted, and then has no turns that show requests and answers. `least`: no answer
    /// comes sooner where it was captured.
    pub(crate) fn finish(&mut self, least: Option<Duration>) {
        if !matches!(self.state, State::Read(..)) {
            self.exchanges = Exchanges::presumed(match (self.midstream, self.protocol()) {
                (None, None) => self.turns.pairs(least),
                _ => &[],
            });
        }
    }

    /// Whether the rest is encrypted by the protocol itself.
    fn is_encrypted(&self) -> bool {
        matches!(self.state, State::Unread(Some(protocol)) if protocol.encrypts_itself())
    }

    /// Bytes of memory that the exchanges take.
    #[must_use]
    pub(crate) fn exchange_bytes(&self) -> usize {
        self.exchanges.bytes()
    }

    /// Requests that were no longer followed, since too many were open.
    #[must_use]
    pub(crate) const fn let_go(&self) -> u64 {
        self.exchanges.let_go()
    }

    /// Bytes that wait.
    #[must_use]
    pub(crate) fn waiting_bytes(&self) -> usize {
        match &self.state {
            State::Opening(waiting) => waiting.iter().map(|slice| slice.bytes.len()).sum(),
            State::Read(_, reader) => reader.waiting_bytes(),
            State::Unread(_) => 0,
        }
    }

    /// The phase `closer` was in when it had sent and received this much, at this time; `None` if nothing shows it.
    #[must_use]
    pub(crate) fn phase_at(
        &self,
        closer: FlowEnd,
        sent: Reach,
        received: Reach,
        at: Timestamp,
    ) -> Option<Phase> {
        if self.exchanges.is_presumed() && self.turns.may_be_goodbye(closer, at) {
            return None;
        }
        if !self.exchanges.is_presumed() && !matches!(self.state, State::Read(..)) {
            return None;
        }
        let phase = self.exchanges.phase_at(closer, sent, received)?;
        // A caller that closes may have had all it wanted, wherever the turn of the other side ends.
        let had = self.exchanges.is_presumed() && closer == FlowEnd::A;
        (!had || phase != Phase::ResponseBody).then_some(phase)
    }

    /// All facts; the connection is over.
    #[must_use]
    pub(crate) fn into_facts(self) -> DialogueFacts {
        let protocol = self.protocol();
        let encrypted = self.is_encrypted();
        let mut facts = self.exchanges.into_facts(protocol, self.turns.last_words());
        if encrypted {
            facts.encrypted_turns = self.turns.last_ones();
        }
        facts
    }
}

impl Slice {
    fn is_cut(&self) -> bool {
        self.bytes.len() < MAX_OPENING && self.bytes.len() < self.length as usize
    }
}

#[cfg(test)]
mod tests;
