//! BGP (RFC 4271): both sides state what they know; nothing is asked. NOTIFICATION tells why a session ends.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// Bytes of the header, all ones in its marker.
const HEADER: usize = 19;
const MARKER: [u8; 16] = [0xff; 16];
/// Message types.
const OPEN: u8 = 1;
const NOTIFICATION: u8 = 3;
/// The longest message (RFC 8654).
const MAX_LENGTH: u16 = u16::MAX;

/// The grammar.
#[derive(Clone, Debug)]
pub(super) struct Grammar {
    /// The shorter hold time of the OPEN messages so far.
    hold: Option<u16>,
}

/// Length and type of the message that begins here.
fn header(bytes: &[u8]) -> Option<(u16, u8)> {
    let [high, low, kind] = *bytes.get(16..HEADER)?.first_chunk()?;
    Some((u16::from_be_bytes([high, low]), kind))
}

/// The first bytes are those of BGP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let opens = |bytes: &[u8]| {
        bytes.starts_with(&MARKER)
            && header(bytes).is_some_and(|(length, kind)| {
                let first = kind == OPEN || kind == NOTIFICATION;
                HEADER as u16 <= length && (first || opening.midstream && (1..=5).contains(&kind))
            })
    };
    let (client, server) = (opening.client, opening.server);
    opens(client) && (server.is_empty() || MARKER.starts_with(&server[..server.len().min(16)]))
        || opens(server) && client.is_empty()
}

impl Messages for Grammar {
    /// Its marker is 16 bytes of ones.
    const SELF_EVIDENT: bool = true;

    fn new(_opening: &Opening<'_>) -> Self {
        Self { hold: None }
    }

    fn next(&mut self, _from: Side, bytes: &[u8], rest: Rest) -> Step {
        let Some((length, kind)) = header(bytes) else {
            return match rest {
                Rest::MayCome => Step::More,
                Rest::NotCaptured => Step::Broken,
            };
        };
        if !bytes.starts_with(&MARKER) || !(HEADER as u16..=MAX_LENGTH).contains(&length) {
            return Step::Broken;
        }
        let unit = Unit::new(length.into(), Role::Notice);
        match kind {
            OPEN if bytes.len() < HEADER + 5 && rest == Rest::MayCome => Step::More,
            NOTIFICATION if bytes.len() < length.into() && rest == Rest::MayCome => Step::More,
            NOTIFICATION => Step::Message(notification(length, bytes.get(HEADER..))),
            OPEN => {
                // The shorter one counts (RFC 4271 §4.2).
                let said = hold_time(bytes.get(HEADER..));
                self.hold = self.hold.into_iter().chain(said).min();
                Step::Message(unit.due(self.hold))
            }
            2..=5 => Step::Message(unit),
            _ => Step::Broken,
        }
    }
}

/// The hold time in an OPEN message: behind its version and the number of the autonomous system (RFC 4271 §4.2).
fn hold_time(body: Option<&[u8]>) -> Option<u16> {
    Some(u16::from_be_bytes(*body?.get(3..)?.first_chunk()?))
}

fn notification(length: u16, body: Option<&[u8]>) -> Unit {
    let unit = Unit::new(length.into(), Role::Notice);
    let Some([code, subcode, data @ ..]) = body else {
        return unit;
    };
    let (code, subcode) = (*code, *subcode);
    let (class, kind) = names(code, subcode);
    let numbers = format!("NOTIFICATION {code}/{subcode}");
    let mut text = class.to_owned();
    if !kind.is_empty() {
        text = format!("{class}, {kind}");
    }
    // RFC 4271 wants no data here; implementations send the number of the autonomous system.
    if let (2, 2, Some(number)) = (
        code,
        subcode,
        data.first_chunk().filter(|_| data.len() == 4),
    ) {
        text = format!("{text}: {}", u32::from_be_bytes(*number));
    }
    let mut text = text.into_bytes();
    // A text of the administrator (RFC 9003 §2).
    if let (6, 2 | 4, Some((length, words))) = (code, subcode, data.split_first())
        && let Some(words) = words
            .get(..usize::from(*length))
            .filter(|it| !it.is_empty())
    {
        text.extend_from_slice(b": ");
        text.extend_from_slice(words);
    }
    // An administrator ends a session, and of two with the same neighbour one has to go (RFC 4271 §6.8).
    match (code, subcode) {
        (6, 2..=4 | 7 | 9) => {
            Unit::new(length.into(), Role::Goodbye).complaining(numbers.as_bytes(), &text)
        }
        _ => unit.ending(numbers.as_bytes(), &text),
    }
}

/// The names of an error code and its subcode (RFC 4271 §4.5, RFC 4486 §3, RFC 5492 §5, RFC 6608 §3, RFC 7313 §5, RFC 8538 §3).
fn names(code: u8, subcode: u8) -> (&'static str, &'static str) {
    let of = |names: &[&'static str]| {
        let place = usize::from(subcode).checked_sub(1);
        place.and_then(|it| names.get(it)).copied().unwrap_or("")
    };
    match code {
        1 => (
            "Message Header Error",
            of(&[
                "Connection Not Synchronized",
                "Bad Message Length",
                "Bad Message Type",
            ]),
        ),
        2 => (
            "OPEN Message Error",
            of(&[
                "Unsupported Version Number",
                "Bad Peer AS",
                "Bad BGP Identifier",
                "Unsupported Optional Parameter",
                "",
                "Unacceptable Hold Time",
                "Unsupported Capability",
            ]),
        ),
        3 => (
            "UPDATE Message Error",
            of(&[
                "Malformed Attribute List",
                "Unrecognized Well-known Attribute",
                "Missing Well-known Attribute",
                "Attribute Flags Error",
                "Attribute Length Error",
                "Invalid ORIGIN Attribute",
                "",
                "Invalid NEXT_HOP Attribute",
                "Optional Attribute Error",
                "Invalid Network Field",
                "Malformed AS_PATH",
            ]),
        ),
        4 => ("Hold Timer Expired", ""),
        5 => (
            "Finite State Machine Error",
            of(&[
                "Receive Unexpected Message in OpenSent State",
                "Receive Unexpected Message in OpenConfirm State",
                "Receive Unexpected Message in Established State",
            ]),
        ),
        6 => (
            "Cease",
            of(&[
                "Maximum Number of Prefixes Reached",
                "Administrative Shutdown",
                "Peer De-configured",
                "Administrative Reset",
                "Connection Rejected",
                "Other Configuration Change",
                "Connection Collision Resolution",
                "Out of Resources",
                "Hard Reset",
                "BFD Down",
            ]),
        ),
        7 => (
            "ROUTE-REFRESH Message Error",
            of(&["Invalid Message Length"]),
        ),
        _ => ("unknown error", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::MARKER;
    use crate::protocol::dialogue::tests::{Said, told};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = 19 + body.len() as u8;
        [&MARKER[..], &[0, length, kind], body].concat()
    }

    /// The marker shows where the next message begins.
    #[test]
    fn messages_are_read_again_behind_a_hole() {
        use crate::base::flow_end::FlowEnd;
        use crate::base::frame_ref::FrameRef;
        use crate::protocol::dialogue::Dialogue;
        use crate::protocol::http::TextInterner;

        let (open, bye) = (message(1, &[4; 10]), message(3, &[6, 9]));
        let (at, mut texts) = (FrameRef::default(), TextInterner::new());
        let mut dialogue = Dialogue::new([50_000, 179], [0; 2], None);
        for from in FlowEnd::BOTH {
            dialogue.data(from, at, &open, open.len() as u32, &mut texts);
        }
        dialogue.gap(FlowEnd::B, at, 61);
        for bytes in [b"the rest of a message", &bye[..7], &bye[7..]] {
            dialogue.data(FlowEnd::B, at, bytes, bytes.len() as u32, &mut texts);
        }
        dialogue.finish(None);
        let facts = dialogue.into_facts();
        let said = facts.complaint.expect("a notification");
        assert_eq!(said.text.as_bytes(), b"Cease, Hard Reset");
    }

    #[test]
    fn whose_turn_it_is() {
        let (open, keepalive) = (message(1, &[4; 10]), message(4, &[]));
        let bad = message(3, &[2, 2, 0, 0]);
        let shutdown = message(3, &[&[6, 2, 4][..], b"work"].concat());
        let cases: &[(Said<'_>, &str)] = &[
            (
                &[(">", &open), ("<", &open), ("<", &keepalive)],
                "BGP; between",
            ),
            (
                &[(">", &open), ("<", &bad)],
                "BGP; B: NOTIFICATION 2/2 OPEN Message Error, Bad Peer AS; between",
            ),
            (
                &[(">", &open), ("<", &open), (">", &shutdown)],
                "BGP; A: NOTIFICATION 6/2 Cease, Administrative Shutdown: work; goodbye; after",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(told(179, said), *expected);
        }
    }
}
