//! ARP in a ladder: `who-has 10.0.0.9`, and `is-at 10.0.0.9`.

use std::fmt;
use std::net::Ipv4Addr;

use super::tokens::{Placed, Token};

/// An ARP packet (RFC 826). Its sender has the address of its side of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arp {
    /// A question to all: who has this address?
    WhoHas(Ipv4Addr),
    /// The answer of the host that has it, to the other side.
    IsAt(Ipv4Addr),
}

/// The length of an Ethernet header and of an ARP packet about IPv4.
const LENGTH: usize = 14 + 28;

impl Arp {
    /// Parses `word` and the address after it; `None` if it is not an ARP word.
    pub(super) fn parse<'a>(
        word: &str,
        rest: &mut std::slice::Iter<'a, Placed<'a>>,
    ) -> Option<Result<Self, String>> {
        let make = match word {
            "who-has" => Self::WhoHas,
            "is-at" => Self::IsAt,
            _ => return None,
        };
        let address = match rest.clone().next() {
            Some((_, Token::Word(word))) => word.parse().ok(),
            _ => None,
        };
        if address.is_some() {
            rest.next();
        }
        let wrong = || format!("{word} takes an address, as in {word} 10.0.0.9");
        Some(address.map(make).ok_or_else(wrong))
    }

    /// The frame, from the host `own` with the hardware address `mac` to the other.
    pub(super) fn frame(self, (own, mac): (Ipv4Addr, [u8; 6]), to: (Ipv4Addr, [u8; 6])) -> Vec<u8> {
        let (operation, sender, asked, hardware) = match self {
            Self::WhoHas(address) => (1, own, address, [0xff; 6]),
            Self::IsAt(address) => (2, address, to.0, to.1),
        };
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(hardware);
        bytes.extend(mac);
        // EtherType ARP; hardware type Ethernet, protocol IPv4, lengths 6 and 4.
        bytes.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation]);
        bytes.extend(mac);
        bytes.extend(sender.octets());
        bytes.extend(match self {
            Self::WhoHas(_) => [0; 6],
            Self::IsAt(_) => hardware,
        });
        bytes.extend(asked.octets());
        bytes
    }
}

impl fmt::Display for Arp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WhoHas(address) => write!(f, "who-has {address}"),
            Self::IsAt(address) => write!(f, "is-at {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::engine::Engine;
    use crate::ladder::{frames, parse};

    #[test]
    fn a_question_reads_back_and_reaches_the_engine() {
        let text = "client 10.0.0.1:1 server 10.0.0.2:1\nwho-has 10.0.0.2 -->\n<-- is-at 10.0.0.2\nwho-has 10.0.0.9 -->\n";
        let ladder = parse(text).expect("a ladder");
        assert_eq!(parse(&ladder.to_string()).as_ref(), Ok(&ladder));
        let mut engine = Engine::new();
        let mut connections = Vec::new();
        for frame in &frames(&ladder) {
            engine.frame(&frame.frame(), &mut connections);
        }
        let neighbours = engine.finish(&mut connections).neighbours;
        let unanswered: Vec<_> = neighbours.unanswered().collect();
        let [question] = unanswered[..] else {
            panic!("{unanswered:?}")
        };
        assert_eq!(question.target.to_string(), "10.0.0.9");
        assert_eq!(
            (question.asker.to_string(), question.times),
            ("10.0.0.1".into(), 1)
        );
        for wrong in ["who-has -->", "<-- is-at here", "who-has 10.0.0.9 FIN -->"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
