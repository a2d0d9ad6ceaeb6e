//! DNS lookups in a ladder: `lookup shop.example`, and the other side's answer.

use std::fmt;
use std::net::IpAddr;

use super::tokens::{Placed, Token};
use crate::protocol::dns::{self, RecordType};

/// The message ID, which is the same in every query and answer.
const ID: u16 = 1;

/// A DNS message over UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dns {
    /// A query: `lookup shop.example`, `lookup shop.example aaaa`.
    Ask {
        /// The name.
        name: String,
        /// Whether an AAAA record is queried; else an A record.
        six: bool,
    },
    /// An answer to the last query: `address 10.0.0.2`, `nxdomain`, `servfail`, `refused`, `no-data`.
    Answer {
        /// The response code.
        code: u8,
        /// The address, if the answer has one.
        address: Option<IpAddr>,
    },
}

/// The words for answers without an address, and their response codes (RFC 1035 §4.1.1).
const CODES: [(&str, u8); 4] = [
    ("no-data", 0),
    ("servfail", 2),
    ("nxdomain", 3),
    ("refused", 5),
];

impl Dns {
    /// Parses `word` and what belongs to it; `None` if it is not a DNS word.
    pub(super) fn parse<'a>(
        word: &str,
        rest: &mut std::slice::Iter<'a, Placed<'a>>,
    ) -> Option<Result<Self, String>> {
        if let Some((_, code)) = CODES.iter().find(|(name, _)| *name == word) {
            return Some(Ok(Self::Answer {
                code: *code,
                address: None,
            }));
        }
        let mut next = || match rest.clone().next() {
            Some((_, Token::Word(word))) => {
                rest.next();
                Some(*word)
            }
            _ => None,
        };
        match word {
            "lookup" => {
                let name = next().filter(|name| name.len() <= 200);
                let Some(name) = name else {
                    return Some(Err("lookup takes a name, as in lookup shop.example".into()));
                };
                let name = name.to_owned();
                let six = rest.as_slice().first().is_some_and(
                    |(_, token)| matches!(token, Token::Word(word) if *word == "aaaa"),
                );
                if six {
                    rest.next();
                }
                Some(Ok(Self::Ask { name, six }))
            }
            "address" => {
                let address = next().and_then(|word| word.parse().ok());
                let wrong = || "address takes one, as in address 10.0.0.2".to_owned();
                Some(address.ok_or_else(wrong).map(|address| Self::Answer {
                    code: 0,
                    address: Some(address),
                }))
            }
            _ => None,
        }
    }

    /// The bytes of the message; an answer repeats the question that was `asked` last.
    pub(super) fn bytes(&self, asked: &mut Option<(String, RecordType)>) -> Vec<u8> {
        match self {
            Self::Ask { name, six } => {
                let kind = if *six {
                    RecordType::Aaaa
                } else {
                    RecordType::A
                };
                *asked = Some((name.clone(), kind));
                dns::write(ID, name.as_bytes(), kind, None)
            }
            Self::Answer { code, address } => {
                let (name, kind) = asked
                    .clone()
                    .unwrap_or_else(|| ("a".to_owned(), RecordType::A));
                let addresses: Vec<_> = address.iter().copied().collect();
                dns::write(ID, name.as_bytes(), kind, Some((*code, &addresses)))
            }
        }
    }
}

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { name, six } => {
                write!(f, "lookup {name}{}", if *six { " aaaa" } else { "" })
            }
            Self::Answer {
                address: Some(address),
                ..
            } => write!(f, "address {address}"),
            Self::Answer { code, .. } => {
                let known = CODES.iter().find(|(_, known)| known == code);
                f.write_str(known.map_or("no-data", |(name, _)| name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::engine::Engine;
    use crate::ladder::{frames, parse};

    #[test]
    fn a_lookup_reads_back_and_reaches_the_engine() {
        let text = "client :5000 server 10.0.0.53:53\n\
                    lookup shop.example aaaa -->\n<-- no-data\nlookup shop.example -->\n<-- address 10.0.0.2\n";
        let ladder = parse(text).expect("a ladder");
        assert_eq!(parse(&ladder.to_string()).as_ref(), Ok(&ladder));
        let mut engine = Engine::new();
        let mut connections = Vec::new();
        for frame in &frames(&ladder) {
            engine.frame(&frame.frame(), &mut connections);
        }
        let stats = engine.finish(&mut connections);
        assert_eq!((connections.len(), stats.lookups.all().len()), (0, 2));
        let known = stats
            .lookups
            .of("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert_eq!(known.map(|it| &*it.name), Some(&b"shop.example"[..]));
        for wrong in ["lookup -->", "<-- address here", "lookup a FIN -->"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
