//! DNS over TCP (RFC 7766): messages behind their length, answers in any order.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// The length in front, and the header of a message.
const PREFIX: usize = 2;
const HEADER: usize = PREFIX + 12;
/// The longest name, and the type and class behind it.
const QUESTION: usize = 255 + 4;

/// The grammar.
#[derive(Clone, Debug)]
pub(super) struct Grammar;

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The question behind the header: its name in text, and its type.
fn question(message: &[u8]) -> Option<(Vec<u8>, u16)> {
    let mut rest = message.get(HEADER..)?;
    let mut name = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        if *length == 0 {
            rest = after;
            break;
        }
        if *length > 63 || name.len() > 255 {
            return None;
        }
        let (label, after) = after.split_at_checked((*length).into())?;
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(label);
        rest = after;
    }
    // The name of the root has no label (RFC 1035 §3.1).
    if name.is_empty() {
        name.push(b'.');
    }
    let (kind, class) = (number(rest, 0)?, number(rest, 2)?);
    matches!(class, 1 | 3 | 4 | 254 | 255).then_some((name, kind))
}

/// The first bytes are those of DNS.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let query = |bytes: &[u8]| {
        let length = number(bytes, 0)?;
        let (flags, questions, answers) = (number(bytes, 4)?, number(bytes, 6)?, number(bytes, 8)?);
        let (authorities, additional) = (number(bytes, 10)?, number(bytes, 12)?);
        // A query, a notification or an update (RFC 6895 §2.2).
        let asks = flags & 0x8000 == 0 && matches!(flags >> 11 & 0xf, 0 | 4 | 5);
        let few = questions == 1 && answers <= 2 && authorities <= 64 && additional <= 8;
        let long = usize::from(length) + PREFIX >= HEADER + 5;
        (asks && few && long && question(bytes).is_some()).then_some(())
    };
    query(opening.client).is_some()
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let length = number(bytes, 0).map(|it| usize::from(it) + PREFIX);
        let telling = length.map_or(PREFIX, |it| it.min(HEADER + QUESTION));
        if bytes.len() < telling && rest == Rest::MayCome || length.is_none() {
            return match rest {
                Rest::MayCome => Step::More,
                Rest::NotCaptured => Step::Broken,
            };
        }
        let (whole, id, flags) = match (length, number(bytes, 2), number(bytes, 4)) {
            (Some(length), Some(id), Some(flags)) if length >= HEADER => (length as u64, id, flags),
            _ => return Step::Broken,
        };
        let unit = |role| Unit::new(whole, role).keyed(id.into());
        let name = question(bytes).unwrap_or_default();
        let response = flags & 0x8000 != 0;
        Step::Message(match (from, response) {
            (Side::Client, false) => {
                let (mut words, kind) = name;
                words.push(b' ');
                words.extend_from_slice(&kind_name(kind));
                unit(Role::Ask { ends: true })
                    .named("query", &words)
                    .safe(flags >> 11 & 0xf != 5)
            }
            (Side::Server, true) => {
                let answer = unit(Role::Answer { ends: true });
                match refusal(flags & 0xf) {
                    Some(code) => answer.complaining(b"", code.as_bytes()),
                    None => answer,
                }
            }
            _ => unit(Role::Notice),
        })
    }
}

/// A response code by which a server does not do what was asked (RFC 6895 §2.3). That there is no such name is an answer.
const fn refusal(code: u16) -> Option<&'static str> {
    Some(match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        11 => "DSOTYPENI",
        _ => return None,
    })
}

/// The name of a type (IANA's registry), or its number as RFC 3597 §5 writes it.
fn kind_name(kind: u16) -> Vec<u8> {
    let name = match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        43 => "DS",
        48 => "DNSKEY",
        65 => "HTTPS",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        _ => return format!("TYPE{kind}").into_bytes(),
    };
    name.as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    fn message(id: u8, flags: u16, kind: u8) -> Vec<u8> {
        let [high, low] = flags.to_be_bytes();
        let head = [0, 19, 0, id, high, low, 0, 1, 0, 0, 0, 0, 0, 0];
        [&head[..], &[1, b'a', 0, 0, kind, 0, 1]].concat()
    }

    #[test]
    fn whose_turn_it_is() {
        let (one, two) = (message(1, 0x100, 1), message(2, 0x100, 252));
        let cases: &[(Said<'_>, &str)] = &[
            (&[(">", &one)], "query a A: unanswered; waiting"),
            (
                &[(">", &one), (">", &two), ("<", &message(2, 0x8000, 252))],
                "query a A: unanswered; query a AXFR: answered; waiting",
            ),
            (
                &[(">", &two), ("<", &message(2, 0x8005, 252))],
                "query a AXFR: answered; B: - REFUSED; between",
            ),
            (
                &[(">", &one), ("<", &message(1, 0x8003, 1))],
                "query a A: answered; between",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(told(53, said), format!("DNS; {expected}"));
        }
    }
}
