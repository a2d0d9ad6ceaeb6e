//! MQTT 3.1, 3.1.1 and 5 (OASIS standards): the client asks, except that both sides publish.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// Bytes of a packet that are waited for: names and reasons stand in the first ones.
const TELLING: usize = 160;

/// The grammar.
#[derive(Clone, Debug)]
pub(super) struct Grammar {
    /// The version that the client asked for.
    version: u8,
}

/// The protocol's version, if a CONNECT packet begins here.
fn version(bytes: &[u8]) -> Option<u8> {
    let (length, start) = remaining(bytes)?;
    let name: &[u8] = match bytes.get(start..start + 2)? {
        [0, 4] => b"MQTT",
        [0, 6] => b"MQIsdp",
        _ => return None,
    };
    let body = bytes.get(start + 2..)?;
    let fits = bytes.first() == Some(&0x10) && length >= 10 && body.starts_with(name);
    fits.then(|| body.get(name.len()).copied())?
}

/// The client identifier in the body of a CONNECT packet (MQTT 3.1.1 §3.1.3.1): behind the name of the protocol, its
/// version, the flags and the keep-alive time, and in version 5 the properties.
fn client(body: &[u8]) -> Option<&[u8]> {
    let name = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    let version = *body.get(2 + name)?;
    let rest = body.get(2 + name + 4..)?;
    let payload = match version {
        5.. => {
            let (length, start) = remaining(body.get(2 + name + 3..)?)?;
            rest.get(start - 1 + usize::try_from(length).ok()?..)?
        }
        _ => rest,
    };
    Some(text(payload))
}

/// The Keep Alive of a CONNECT packet in seconds (MQTT 3.1.1 §3.1.2.10).
fn keep_alive(body: &[u8]) -> Option<u16> {
    let name = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    Some(u16::from_be_bytes(
        *body.get(2 + name + 2..)?.first_chunk()?,
    ))
}

/// The Keep Alive that the server wants instead (MQTT 5.0 §3.2.2.3.14), among the properties of a CONNACK.
fn server_keep_alive(properties: &[u8]) -> Option<u16> {
    let (length, start) = remaining(&[&[0][..], properties].concat())?;
    let end = (start - 1).checked_add(usize::try_from(length).ok()?)?;
    let mut rest = properties.get(start - 1..end)?;
    loop {
        let (id, value) = rest.split_first()?;
        let text = || Some(2 + usize::from(u16::from_be_bytes(*value.first_chunk()?)));
        let size = match id {
            0x13 => return value.first_chunk().map(|it| u16::from_be_bytes(*it)),
            0x24 | 0x25 | 0x28 | 0x29 | 0x2a => 1,
            0x21 | 0x22 => 2,
            0x11 | 0x27 => 4,
            0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => text()?,
            0x26 => {
                let name = text()?;
                let second = value.get(name..)?.first_chunk()?;
                name + 2 + usize::from(u16::from_be_bytes(*second))
            }
            _ => return None,
        };
        rest = value.get(size..)?;
    }
}

/// The remaining length, and where what it counts begins.
fn remaining(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut length = 0_u64;
    for (place, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= u64::from(byte & 0x7f) << (7 * (place - 1));
        if byte & 0x80 == 0 {
            return Some((length, place + 1));
        }
    }
    None
}

/// The first bytes are those of MQTT.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let answers = matches!(opening.server.first(), None | Some(0x20 | 0xe0 | 0xf0));
    answers && version(opening.client).is_some()
}

impl Messages for Grammar {
    fn new(opening: &Opening<'_>) -> Self {
        Self {
            version: version(opening.client).unwrap_or(4),
        }
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let Some((length, start)) = remaining(bytes) else {
            return match rest {
                Rest::MayCome if bytes.len() < 5 => Step::More,
                _ => Step::Broken,
            };
        };
        let whole = length + start as u64;
        let had = bytes.len() as u64;
        if had < whole.min(TELLING as u64) && rest == Rest::MayCome {
            return Step::More;
        }
        let first = bytes.first().copied().unwrap_or(0);
        let body = bytes.get(start..).unwrap_or_default();
        let end = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(body.len());
        let body = body.get(..end).unwrap_or_default();
        match from {
            Side::Client => self.client(first, whole, body),
            Side::Server => self.server(first, whole, body),
        }
    }
}

/// A text behind its length.
fn text(bytes: &[u8]) -> &[u8] {
    let length = bytes.first_chunk().map_or(0, |it| u16::from_be_bytes(*it));
    let text = bytes.get(2..).unwrap_or_default();
    text.get(..text.len().min(length.into())).unwrap_or(text)
}

impl Grammar {
    /// What follows the packet's number, and in version 5 the properties.
    fn payload<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        let after = body.get(2..).unwrap_or_default();
        if self.version < 5 {
            return after;
        }
        let properties = remaining(body.get(1..).unwrap_or_default());
        properties
            .and_then(|(length, start)| body.get(1 + start + usize::try_from(length).ok()?..))
            .unwrap_or_default()
    }

    fn client(&self, first: u8, whole: u64, body: &[u8]) -> Step {
        let unit = |role| Unit::new(whole, role);
        let ask = unit(Role::Ask { ends: true });
        let filter = self.payload(body);
        Step::Message(match (first >> 4, first & 0x0f) {
            (1, 0) => ask
                .named("CONNECT", client(body).unwrap_or_default())
                .safe(true)
                .due(keep_alive(body)),
            (3, flags) if flags & 0b0110 != 0 => ask.named("PUBLISH", text(body)),
            (3, _) => unit(Role::Notice),
            (4 | 5 | 7, 0) => unit(Role::Notice),
            (6, 2) => ask.named("PUBREL", b"").safe(true),
            (8, 2) => ask.named("SUBSCRIBE", text(filter)).safe(true),
            (10, 2) => ask.named("UNSUBSCRIBE", text(filter)).safe(true),
            (12, 0) => ask.named("PINGREQ", b"").safe(true),
            (14, 0) => match reason(body.first()) {
                Some((code, name)) => unit(Role::Goodbye).ending(code.as_bytes(), name),
                None => unit(Role::Goodbye),
            },
            (15, 0) => ask.named("AUTH", b""),
            _ => return Step::Broken,
        })
    }

    fn server(&self, first: u8, whole: u64, body: &[u8]) -> Step {
        let unit = |role| Unit::new(whole, role);
        let answer = unit(Role::Answer { ends: true });
        let refused = |code: Option<&u8>| match reason(code) {
            Some((code, name)) => answer.clone().complaining(code.as_bytes(), name),
            None => answer.clone(),
        };
        let named = |unit: Unit, name: &[u8]| unit.named("answer", name);
        Step::Message(match (first >> 4, first & 0x0f) {
            (2, 0) => {
                let own = body.get(2..).filter(|_| self.version >= 5);
                connected(&answer, body.get(1)).due(own.and_then(server_keep_alive))
            }
            (3, _) => unit(Role::Notice),
            (4, 0) => named(refused(body.get(2)), b"PUBACK"),
            (5, 0) => named(refused(body.get(2)), b"PUBREC"),
            (7, 0) => named(refused(body.get(2)), b"PUBCOMP"),
            (6, 2) => unit(Role::Notice),
            (9, 0) => {
                let codes = self.payload(body);
                let granted = codes.first().map_or(0, |it| it & 3);
                let told = format!("SUBACK: granted QoS {granted}");
                named(
                    refused(codes.iter().find(|code| **code >= 0x80)),
                    told.as_bytes(),
                )
            }
            (11, 0) => named(
                refused(self.payload(body).iter().find(|code| **code >= 0x80)),
                b"UNSUBACK",
            ),
            (13, 0) => named(answer, b"PINGRESP"),
            (14, 0) => match reason(body.first()) {
                Some((code, name)) => unit(Role::Notice).ending(code.as_bytes(), name),
                None => unit(Role::Goodbye),
            },
            (15, 0) => answer,
            _ => return Step::Broken,
        })
    }
}

/// The answer to CONNECT (MQTT 3.1.1 §3.2.2.3, MQTT 5.0 §3.2.2.2).
fn connected(answer: &Unit, code: Option<&u8>) -> Unit {
    let name: &[u8] = match code {
        None | Some(0) => return answer.clone().named("answer", b"CONNACK: accepted"),
        Some(1) => b"Connection Refused, unacceptable protocol version",
        Some(2) => b"Connection Refused, identifier rejected",
        Some(3) => b"Connection Refused, Server unavailable",
        Some(4) => b"Connection Refused, bad user name or password",
        Some(5) => b"Connection Refused, not authorized",
        code => reason(code).map_or(b"reserved", |(_, name)| name),
    };
    let code = format!("CONNACK {}", number(*code.unwrap_or(&0)));
    answer.clone().ending(code.as_bytes(), name)
}

fn number(code: u8) -> String {
    match code {
        0x80.. => format!("0x{code:02x}"),
        _ => code.to_string(),
    }
}

/// The code and name of a reason that is an error (MQTT 5.0 §2.4).
fn reason(code: Option<&u8>) -> Option<(String, &'static [u8])> {
    let code = code.copied().filter(|code| *code >= 0x80)?;
    let name: &[u8] = match code {
        0x81 => b"Malformed Packet",
        0x82 => b"Protocol Error",
        0x83 => b"Implementation specific error",
        0x84 => b"Unsupported Protocol Version",
        0x85 => b"Client Identifier not valid",
        0x86 => b"Bad User Name or Password",
        0x87 => b"Not authorized",
        0x88 => b"Server unavailable",
        0x89 => b"Server busy",
        0x8a => b"Banned",
        0x8b => b"Server shutting down",
        0x8c => b"Bad authentication method",
        0x8d => b"Keep Alive timeout",
        0x8e => b"Session taken over",
        0x8f => b"Topic Filter invalid",
        0x90 => b"Topic Name invalid",
        0x91 => b"Packet Identifier in use",
        0x92 => b"Packet Identifier not found",
        0x93 => b"Receive Maximum exceeded",
        0x94 => b"Topic Alias invalid",
        0x95 => b"Packet too large",
        0x96 => b"Message rate too high",
        0x97 => b"Quota exceeded",
        0x98 => b"Administrative action",
        0x99 => b"Payload format invalid",
        0x9a => b"Retain not supported",
        0x9b => b"QoS not supported",
        0x9c => b"Use another server",
        0x9d => b"Server moved",
        0x9e => b"Shared Subscriptions not supported",
        0x9f => b"Connection rate exceeded",
        0xa0 => b"Maximum connect time",
        0xa1 => b"Subscription Identifiers not supported",
        0xa2 => b"Wildcard Subscriptions not supported",
        _ => b"Unspecified error",
    };
    Some((number(code), name))
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
    const CONNECT_5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01a";

    #[test]
    fn whose_turn_it_is() {
        let open = [(">", CONNECT), ("<", &b"\x20\x02\0\0"[..])];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (
                &[(">", b"\x82\x06\0\x01\0\x01t\0")],
                "SUBSCRIBE t: unanswered; waiting",
            ),
            (
                &[
                    (">", b"\x82\x06\0\x01\0\x01t\0"),
                    ("<", b"\x90\x03\0\x01\x80"),
                ],
                "SUBSCRIBE t: answered; B: 0x80 Unspecified error; between",
            ),
            (&[(">", b"\x30\x04\0\x01tx")], "between"),
            (
                &[(">", b"\x32\x06\0\x01t\0\x02x"), ("<", b"\x40\x02\0\x02")],
                "PUBLISH t: answered; between",
            ),
            (
                &[
                    (">", b"\x34\x06\0\x01t\0\x02x"),
                    ("<", b"\x50\x02\0\x02"),
                    (">", b"\x62\x02\0\x02"),
                ],
                "PUBLISH t: answered; PUBREL: unanswered; waiting",
            ),
            (
                &[("<", b"\x32\x06\0\x01t\0\x02x"), (">", b"\x40\x02\0\x02")],
                "between",
            ),
            (
                &[(">", b"\xc0\0"), ("<", b"\xd0\0")],
                "PINGREQ: answered; between",
            ),
            (&[(">", b"\xe0\0")], "goodbye; after"),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            assert_eq!(
                told(1883, &all),
                format!("MQTT; CONNECT a: answered; {expected}")
            );
        }
    }

    #[test]
    fn refusals_have_the_names_of_the_standard() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (
                CONNECT,
                b"\x20\x02\0\x05",
                "CONNACK 5 Connection Refused, not authorized",
            ),
            (
                CONNECT_5,
                b"\x20\x03\0\x87\0",
                "CONNACK 0x87 Not authorized",
            ),
            (
                CONNECT_5,
                b"\x20\x03\0\0\0\xe0\x02\x8e\0",
                "0x8e Session taken over",
            ),
        ];
        for (connect, answer, told_as) in cases {
            assert_eq!(
                told(1883, &[(">", connect), ("<", answer)]),
                format!("MQTT; CONNECT a: answered; B: {told_as}; between")
            );
        }
    }
}
