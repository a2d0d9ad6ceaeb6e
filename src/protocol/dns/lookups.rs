//! Matches every lookup with its answer, as the messages arrive.
//!
//! A query and its answer are matched by the addresses and ports of client and server and by the message ID. Bounded:
//! lookups beyond [`MAX_LOOKUPS`] are counted and not kept.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::message::{DnsMessage, RecordType};
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Endpoint};
use crate::packet::decode::{Datagram, Segment};

/// Lookups kept: some tens of megabytes at most. A capture with more is that of a resolver, whose own lookups reveal
/// little about the programs behind it.
pub(crate) const MAX_LOOKUPS: usize = 65_536;
/// The same query within this time is the same packet captured twice.
const SEEN_TWICE: Duration = Duration::from_millis(5);
/// Messages read from one segment.
pub(crate) const MAX_IN_SEGMENT: usize = 16;

/// The answer to a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupAnswer {
    /// When it was seen, and in which frame.
    pub at: FrameRef,
    /// Response code: 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED (RFC 1035 §4.1.1).
    pub code: u8,
    /// Number of records in it.
    pub records: u16,
    /// Whether it was truncated, so that the client queries again over TCP.
    pub is_truncated: bool,
}

/// One question of one client to one server, retries included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The host that sent the query.
    pub client: IpAddr,
    /// The server that was queried.
    pub server: Endpoint,
    /// The name in question, in lower case.
    pub name: Box<[u8]>,
    /// The record type in question.
    pub kind: RecordType,
    /// When the first query was sent.
    pub asked: FrameRef,
    /// When the last query was sent.
    pub last: FrameRef,
    /// Number of queries sent.
    pub tries: u32,
    /// The first answer without an error; if all have one, the last.
    pub answer: Option<LookupAnswer>,
    /// It was asked as tools for DNS and resolvers ask.
    pub is_of_tool: bool,
}

/// What an answer is matched by: client, server, message ID, context.
type AnswerKey = (Endpoint, Endpoint, u16, Context);

/// All lookups of a capture, up to a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    all: Vec<Lookup>,
    open: HashMap<AnswerKey, u32, foldhash::fast::FixedState>,
    /// By client and address: the lookup that last returned this address to this client.
    addresses: HashMap<(IpAddr, IpAddr), u32, foldhash::fast::FixedState>,
    let_go: u64,
    unread: u64,
}

impl Lookups {
    /// The kept lookups, in order of their first frames.
    #[must_use]
    pub fn all(&self) -> &[Lookup] {
        &self.all
    }

    /// Number of lookups that were beyond the bound and not kept.
    #[must_use]
    pub const fn let_go(&self) -> u64 {
        self.let_go
    }

    /// Records of answers, addresses and messages that were not read or not kept, after the first of each.
    #[must_use]
    pub const fn unread(&self) -> u64 {
        self.unread
    }

    /// The lookup by which `client` learned `address`.
    #[must_use]
    pub fn of(&self, client: IpAddr, address: IpAddr) -> Option<&Lookup> {
        let index = self.addresses.get(&(client, address))?;
        self.all.get(*index as usize)
    }

    /// Parses a datagram from or to port 53.
    pub(crate) fn datagram(&mut self, datagram: &Datagram<'_>) {
        if let Some(message) = DnsMessage::read(datagram.payload) {
            let ends = (datagram.source, datagram.destination);
            self.take(&message, ends, datagram.context, datagram.frame_ref);
        }
    }

    /// Parses a segment from or to port 53: a message is preceded by its length (RFC 1035 §4.2.2). A message that spans
    /// several segments is left out.
    pub fn segment(&mut self, segment: &Segment<'_>) {
        let frame_ref = FrameRef {
            frame: segment.frame,
            time: segment.time,
        };
        let mut rest = segment.payload;
        for _ in 0..MAX_IN_SEGMENT {
            let Some((length, tail)) = rest.split_first_chunk() else {
                return;
            };
            let length = usize::from(u16::from_be_bytes(*length));
            let (Some(bytes), Some(after)) = (tail.get(..length), tail.get(length..)) else {
                return;
            };
            if let Some(message) = DnsMessage::read(bytes) {
                let ends = (segment.source, segment.destination);
                self.take(&message, ends, segment.context, frame_ref);
            }
            rest = after;
        }
        self.unread = self.unread.saturating_add(messages(rest));
    }

    fn take(
        &mut self,
        message: &DnsMessage,
        (source, destination): (Endpoint, Endpoint),
        context: Context,
        at: FrameRef,
    ) {
        if message.is_answer {
            self.answer(message, (destination, source, message.id, context), at);
        } else {
            self.ask(message, (source, destination, message.id, context), at);
        }
    }

    fn ask(&mut self, message: &DnsMessage, key: AnswerKey, at: FrameRef) {
        if let Some(lookup) = self.opened(&key, message) {
            if at.time.since(lookup.last.time) > SEEN_TWICE {
                lookup.tries = lookup.tries.saturating_add(1);
                lookup.last = at;
            }
            return;
        }
        if self.all.len() >= MAX_LOOKUPS {
            self.let_go = self.let_go.saturating_add(1);
            return;
        }
        self.open.insert(key, self.all.len() as u32);
        self.all.push(Lookup {
            client: key.0.ip,
            server: key.1,
            name: message.name.clone(),
            kind: message.kind,
            asked: at,
            last: at,
            tries: 1,
            answer: None,
            is_of_tool: message.is_of_tool,
        });
    }

    fn answer(&mut self, message: &DnsMessage, key: AnswerKey, at: FrameRef) {
        let Some(lookup) = self.opened(&key, message) else {
            return;
        };
        // A later answer may succeed where the first did not.
        if lookup.answer.is_none_or(|before| before.code != 0) {
            lookup.answer = Some(LookupAnswer {
                at,
                code: message.code,
                records: message.records,
                is_truncated: message.is_truncated,
            });
        }
        let client = lookup.client;
        self.unread = self.unread.saturating_add(message.more.into());
        let Some(index) = self.open.get(&key).copied() else {
            return;
        };
        for address in &message.addresses {
            if self.addresses.len() < MAX_LOOKUPS
                || self.addresses.contains_key(&(client, *address))
            {
                self.addresses.insert((client, *address), index);
            } else {
                self.unread = self.unread.saturating_add(1);
            }
        }
    }

    /// The lookup that this message belongs to.
    fn opened(&mut self, key: &AnswerKey, message: &DnsMessage) -> Option<&mut Lookup> {
        let index = *self.open.get(key)?;
        let lookup = self.all.get_mut(index as usize)?;
        (lookup.name == message.name && lookup.kind == message.kind).then_some(lookup)
    }
}

/// How many messages these bytes of a segment hold, each after its length; one that breaks off is left out.
fn messages(mut rest: &[u8]) -> u64 {
    let mut count = 0;
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(after) = tail.get(length..) else {
            break;
        };
        count += 1;
        rest = after;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::write;
    use super::*;
    use crate::base::frame_ref::FrameNumber;
    use crate::base::time::Timestamp;

    const CLIENT: &str = "10.0.0.1";
    const SERVER: &str = "10.0.0.53";

    /// A query, or its answer, in this frame after so many milliseconds.
    fn take(lookups: &mut Lookups, frame: u64, millis: u64, answer: Option<(u8, &[IpAddr])>) {
        let client = Endpoint {
            ip: CLIENT.parse().unwrap(),
            port: 5000,
        };
        let server = Endpoint {
            ip: SERVER.parse().unwrap(),
            port: 53,
        };
        let (source, destination) = match answer {
            None => (client, server),
            Some(_) => (server, client),
        };
        lookups.datagram(&Datagram {
            frame_ref: FrameRef {
                frame: FrameNumber(frame),
                time: Timestamp::default().after(Duration::from_millis(millis)),
            },
            context: Context(0),
            source,
            destination,
            payload: &write(7, b"shop.example", RecordType::A, answer),
        });
    }

    #[test]
    fn repetitions_are_counted_and_second_sightings_are_not() {
        let mut lookups = Lookups::default();
        take(&mut lookups, 1, 0, None);
        take(&mut lookups, 2, 1, None);
        take(&mut lookups, 3, 5000, None);
        let [lookup] = lookups.all() else {
            panic!("one lookup")
        };
        assert_eq!((lookup.tries, lookup.answer), (2, None));
        assert_eq!((lookup.asked.frame.0, lookup.last.frame.0), (1, 3));
    }

    #[test]
    fn an_address_leads_back_to_the_name() {
        let mut lookups = Lookups::default();
        let address = "10.0.0.2".parse().unwrap();
        take(&mut lookups, 1, 0, None);
        take(&mut lookups, 2, 10, Some((2, &[])));
        take(&mut lookups, 3, 20, Some((0, &[address])));
        let lookup = lookups.of(CLIENT.parse().unwrap(), address).expect("known");
        assert_eq!(
            lookup.answer.map(|it| it.code),
            Some(0),
            "the better answer counts"
        );
        assert_eq!(&*lookup.name, b"shop.example");
        assert_eq!(lookups.of(address, address), None, "nobody else asked");
    }

    #[test]
    fn an_answer_that_nobody_asked_for_is_none() {
        let mut lookups = Lookups::default();
        take(&mut lookups, 1, 0, Some((3, &[])));
        assert!(lookups.all().is_empty());
    }
}
