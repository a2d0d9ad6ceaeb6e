//! One DNS message: its question, its response code, and the addresses in the answer (RFC 1035 §4.1).
//!
//! The bytes may be anything; a name is followed through at most [`MAX_JUMPS`] compression pointers, since pointers can
//! form a loop (§4.1.4). [`write`] makes messages for tests and ladders.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Pointers followed in one name; real names have one or two.
const MAX_JUMPS: usize = 8;
/// Maximum bytes of a name as text (RFC 1035 §2.3.4 allows 255 on the wire).
const MAX_NAME: usize = 255;
/// Maximum addresses kept of one answer; programs try the first few.
pub(crate) const MAX_ADDRESSES: usize = 16;
/// Records parsed in one answer.
pub(crate) const MAX_RECORDS: usize = 64;
/// Length of the message header in bytes.
const HEADER: usize = 12;

/// The record type in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Any other type, by its number.
    Other(u16),
}

impl RecordType {
    const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::A,
            28 => Self::Aaaa,
            other => Self::Other(other),
        }
    }

    const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Other(other) => other,
        }
    }
}

/// One DNS message with a single question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsMessage {
    /// Message ID, chosen by the client.
    pub id: u16,
    /// Whether it is a response.
    pub is_answer: bool,
    /// Whether the answer was truncated: the client will query again over TCP.
    pub is_truncated: bool,
    /// Response code: 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED (RFC 1035 §4.1.1).
    pub code: u8,
    /// The name in question, in lower case, without the trailing dot; bytes, since a label may contain any.
    pub name: Box<[u8]>,
    /// The record type in question.
    pub kind: RecordType,
    /// Number of records in the answer section, as the header states it.
    pub records: u16,
    /// The addresses among them; only the first ones if there are many.
    pub addresses: Vec<IpAddr>,
    /// Records of the answer section that were not read, because there were too many.
    pub more: u16,
    /// A query as tools for DNS and resolvers send it, and no program's resolver library: it wants no validation (CD, RFC 4035
    /// §3.2.2) or the signatures (DO, RFC 3225 §3), or has a cookie (RFC 7873 §4).
    pub is_of_tool: bool,
}

impl DnsMessage {
    /// Parses one message. Returns `None` unless it is a standard query with exactly one question, or the response to
    /// one.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let flags = number(2)?;
        // Other opcodes have other rules (UPDATE, NOTIFY).
        if flags >> 11 & 0xf != 0 || number(4)? != 1 {
            return None;
        }
        let (name, mut at) = read_name(bytes, HEADER)?;
        let kind = RecordType::from_number(number(at)?);
        at += 4;
        let records = number(6)?;
        let mut addresses = Vec::new();
        let mut more = 0;
        for nth in 0..records {
            if usize::from(nth) >= MAX_RECORDS || addresses.len() >= MAX_ADDRESSES {
                more = records - nth;
                break;
            }
            let Some((record, length, data)) = read_record(bytes, at) else {
                break;
            };
            addresses.extend(address(record, bytes.get(data..data + length)));
            at = data + length;
        }
        let is_answer = flags & 0x8000 != 0;
        let is_of_tool = !is_answer && (flags & CHECKING_DISABLED != 0 || wants_more(bytes, at));
        Some(Self {
            id: number(0)?,
            is_answer,
            is_of_tool,
            is_truncated: flags & 0x0200 != 0,
            code: (flags & 0xf) as u8,
            name,
            kind,
            records,
            addresses,
            more,
        })
    }
}

/// The flag CD (RFC 4035 §3.2.2).
const CHECKING_DISABLED: u16 = 0x0010;

/// Whether the record behind the question of a query is one of EDNS (RFC 6891 §6.1.2) with the flag DO or a cookie.
fn wants_more(bytes: &[u8], at: usize) -> bool {
    const OPT: u16 = 41;
    const DNSSEC_OK: u8 = 0x80;
    const COOKIE: [u8; 2] = [0, 10];
    let Some((OPT, length, data)) = read_record(bytes, at) else {
        return false;
    };
    // The flags are the third byte of what is the time to live elsewhere, which stands before the length.
    let ok = data
        .checked_sub(4)
        .and_then(|at| bytes.get(at))
        .is_some_and(|flags| flags & DNSSEC_OK != 0);
    let mut options = bytes.get(data..data + length).unwrap_or_default();
    let mut cookie = false;
    while let Some(([c0, c1, l0, l1], rest)) = options.split_first_chunk() {
        cookie |= [*c0, *c1] == COOKIE;
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        options = rest.get(length..).unwrap_or_default();
    }
    ok || cookie
}

/// The type of the record at `at`, the length of its data, and the offset at which the data begins.
fn read_record(bytes: &[u8], at: usize) -> Option<(u16, usize, usize)> {
    let at = skip_name(bytes, at)?;
    let number = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    Some((number(at)?, usize::from(number(at + 8)?), at + 10))
}

fn address(kind: u16, data: Option<&[u8]>) -> Option<IpAddr> {
    match kind {
        1 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(data?).ok()?).into()),
        28 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(data?).ok()?).into()),
        _ => None,
    }
}

/// The name at `at`, and the offset after it.
fn read_name(bytes: &[u8], at: usize) -> Option<(Box<[u8]>, usize)> {
    let after = skip_name(bytes, at)?;
    let mut name = Vec::new();
    let (mut at, mut jumps) = (at, 0);
    loop {
        let length = *bytes.get(at)?;
        match length {
            0 => break,
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(length))?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend(label.iter().map(u8::to_ascii_lowercase));
                if name.len() > MAX_NAME {
                    return None;
                }
                at += 1 + usize::from(length);
            }
            0xc0.. => {
                jumps += 1;
                if jumps > MAX_JUMPS {
                    return None;
                }
                at = usize::from(u16::from_be_bytes([length & 0x3f, *bytes.get(at + 1)?]));
            }
            _ => return None,
        }
    }
    Some((name.into(), after))
}

/// The offset after the name at `at`.
fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// The bytes of a query, or of a response with this code and these addresses.
#[must_use]
pub fn write(id: u16, name: &[u8], kind: RecordType, answer: Option<(u8, &[IpAddr])>) -> Vec<u8> {
    let (code, addresses) = answer.unwrap_or_default();
    let flags = match answer {
        // Recursion desired; in a response, recursion available as well.
        None => 0x0100,
        Some(_) => 0x8180 | u16::from(code & 0xf),
    };
    let count = u16::try_from(addresses.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::new();
    for number in [id, flags, 1, count, 0, 0] {
        bytes.extend(number.to_be_bytes());
    }
    for label in name.split(|byte| *byte == b'.') {
        let label = label.get(..63).unwrap_or(label);
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(kind.number().to_be_bytes());
    bytes.extend([0, 1]);
    for address in addresses.iter().take(usize::from(count)) {
        let (number, data) = match address {
            IpAddr::V4(ip) => (1u16, ip.octets().to_vec()),
            IpAddr::V6(ip) => (28, ip.octets().to_vec()),
        };
        // A pointer to the name in the question, which follows the header.
        bytes.extend([0xc0, HEADER as u8]);
        bytes.extend(number.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        bytes.extend(data);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_and_its_answers() {
        let asked =
            DnsMessage::read(&write(7, b"Shop.Example", RecordType::A, None)).expect("it reads");
        assert_eq!(
            (asked.id, asked.is_answer, &*asked.name),
            (7, false, &b"shop.example"[..])
        );
        let addresses: [IpAddr; 2] = ["10.0.0.2".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let told = write(7, b"shop.example", RecordType::Aaaa, Some((0, &addresses)));
        let told = DnsMessage::read(&told).expect("it reads");
        assert_eq!(
            (told.code, told.kind, &told.addresses[..]),
            (0, RecordType::Aaaa, &addresses[..])
        );
        let none = DnsMessage::read(&write(7, b"shop.example", RecordType::A, Some((3, &[]))))
            .expect("it reads");
        assert_eq!((none.code, none.is_answer, none.records), (3, true, 0));
    }

    #[test]
    fn tools_and_resolvers_ask_for_more_than_programs() {
        let plain = write(7, b"a.example", RecordType::A, None);
        let with = |flags: u8, edns: &[u8]| {
            let mut bytes = plain.clone();
            bytes[3] |= flags;
            bytes[11] = u8::from(!edns.is_empty());
            bytes.extend(edns);
            DnsMessage::read(&bytes).expect("it reads").is_of_tool
        };
        let rows: [(u8, &[u8], bool); 6] = [
            (0, &[], false),
            // AD, which a stub resolver may set, and CD.
            (0x20, &[], false),
            (0x10, &[], true),
            // EDNS without anything, with DO, with a cookie.
            (0, &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0], false),
            (0, &[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0], true),
            (
                0,
                &[
                    0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8,
                ],
                true,
            ),
        ];
        for (flags, edns, tool) in rows {
            assert_eq!(with(flags, edns), tool, "{flags:#x} {edns:?}");
        }
    }

    #[test]
    fn pointers_that_run_in_circles_end() {
        let mut bytes = write(1, b"a", RecordType::A, None);
        bytes.splice(12..15, [0xc0, 12]);
        assert_eq!(DnsMessage::read(&bytes), None);
    }

    #[test]
    fn updates_and_messages_without_a_question_are_left_alone() {
        let mut update = write(1, b"a", RecordType::A, None);
        update[2] |= 5 << 3;
        assert_eq!(DnsMessage::read(&update), None);
        assert_eq!(DnsMessage::read(&[0; 12]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>) {
            let _ = DnsMessage::read(&bytes);
        }

        /// Damaged messages get deeper into the parser than random bytes.
        #[test]
        fn any_damage_can_be_read(at in 0usize..80, byte: u8, cut in 0usize..80) {
            let address = "10.0.0.2".parse().unwrap();
            let mut bytes = write(1, b"www.shop.example", RecordType::A, Some((0, &[address, address])));
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            if let Some(message) = DnsMessage::read(&bytes) {
                prop_assert!(message.name.len() <= MAX_NAME);
                prop_assert!(message.addresses.len() <= MAX_ADDRESSES);
            }
        }
    }
}
