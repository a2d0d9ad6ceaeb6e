//! AMQP 0-9-1 (specification and its XML definition): synchronous methods are asked and answered, on many channels. Messages
//! and heartbeats ask for nothing.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// The header of a frame, and the octet that ends it.
const HEADER: usize = 7;
const FRAME_END: u64 = 1;
/// Bytes of a method that are waited for: names and reasons stand in the first ones.
const TELLING: u64 = 1000;
/// A close for this or no reason is none of an error (reply-code 200; some clients send 0).
const FIRST_ERROR: u16 = 300;
/// Channel in the key of a request: the connection's own methods have channel 0.
const METHOD: u8 = 1;

/// The grammar.
#[derive(Clone, Debug)]
pub(super) struct Grammar {
    /// The client's header was read.
    began: bool,
    /// The server's first frame was read.
    answered: bool,
    /// Channels that the server closed, until the client has noticed.
    closed: Vec<u16>,
}

/// Channels that are followed so.
const MAX_CLOSED: usize = 64;

/// The first bytes are those of AMQP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let header = |bytes: &[u8]| bytes.starts_with(b"AMQP") && bytes.len() >= 8;
    let answers = matches!(opening.server.first(), None | Some(1 | b'A'));
    header(opening.client) && answers
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self {
            began: false,
            answered: false,
            closed: Vec::new(),
        }
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let more = match rest {
            Rest::MayCome => Step::More,
            Rest::NotCaptured => Step::Broken,
        };
        let first = match from {
            Side::Client => &mut self.began,
            Side::Server => &mut self.answered,
        };
        if !*first && bytes.first() == Some(&b'A') {
            let Some(header) = bytes.get(..8) else {
                return more;
            };
            *first = true;
            return Step::Message(protocol_header(from, header));
        }
        let Some((header, body)) = bytes.split_at_checked(HEADER) else {
            return more;
        };
        *first = true;
        let [kind, high, low, size @ ..] = header else {
            return more;
        };
        let channel = u16::from_be_bytes([*high, *low]);
        let size = size.first_chunk().map_or(0, |it| u32::from_be_bytes(*it));
        let whole = HEADER as u64 + u64::from(size) + FRAME_END;
        match *kind {
            METHOD if (bytes.len() as u64) < whole.min(TELLING) && rest == Rest::MayCome => {
                Step::More
            }
            METHOD => self.method(from, channel, whole, body),
            // Heads and bodies of messages, heartbeats; 4 is a heartbeat, too, in older drafts.
            2 | 3 | 4 | 8 => Step::Message(Unit::new(whole, Role::Notice)),
            _ => Step::Broken,
        }
    }
}

impl Grammar {
    fn method(&mut self, from: Side, channel: u16, whole: u64, body: &[u8]) -> Step {
        let [a, b, c, d, arguments @ ..] = body else {
            return Step::Broken;
        };
        let (class, method) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
        let unit = |role| Unit::new(whole, role).keyed(channel.into());
        match (from, class, method) {
            (Side::Server, 20, 40) if self.closed.len() < MAX_CLOSED => self.closed.push(channel),
            (Side::Client, 20, 40 | 41) => self.closed.retain(|it| *it != channel),
            // What the client asked before it noticed is dropped.
            (Side::Client, ..) if self.closed.contains(&channel) => {
                return Step::Message(unit(Role::Notice));
            }
            _ => {}
        }
        let close = matches!((class, method), (10, 50) | (20, 40));
        if (from, class, method) == (Side::Client, 10, 31) {
            // Channels, the size of frames, and the heartbeat in seconds.
            let due = arguments.get(6..).and_then(|it| it.first_chunk());
            let due = due.map(|it| u16::from_be_bytes(*it));
            return Step::Message(unit(Role::Notice).due(due));
        }
        if close {
            let code = arguments
                .first_chunk()
                .map_or(0, |it| u16::from_be_bytes(*it));
            let text = arguments
                .get(2..)
                .and_then(short)
                .map_or(&[][..], |it| it.0);
            return Step::Message(closes(from, class == 10, code, text, unit));
        }
        let properties = match (from, class, method) {
            (Side::Client, 10, 11) => Some(arguments),
            (Side::Server, 10, 10) => arguments.get(2..),
            _ => None,
        };
        let program = properties.map(program);
        let by = |unit: Unit| match &program {
            Some([name, version]) => unit.by(name, version),
            None => unit,
        };
        let said = match from {
            Side::Client => asked(class, method, arguments),
            Side::Server => None,
        };
        if let Some((noun, words)) = said {
            let safe = !matches!(
                (class, method),
                (40 | 50, 20 | 30 | 40) | (60, 70) | (90, _)
            );
            let ask = unit(Role::Ask { ends: true }).named(noun, words);
            return Step::Message(by(ask.safe(safe)));
        }
        let answers = from == Side::Server
            && matches!(
                (class, method),
                (10, 10 | 20 | 30 | 41 | 71)
                    | (20, 11 | 41)
                    | (40, 11 | 21 | 31 | 51)
                    | (50, 11 | 21 | 31 | 41 | 51)
                    | (60, 11 | 21 | 31 | 71 | 72 | 111)
                    | (85, 11)
                    | (90, 11 | 21 | 31)
            );
        Step::Message(match answers {
            true => by(unit(Role::Answer { ends: true })),
            false if (10..=120).contains(&class) => unit(Role::Notice),
            false => return Step::Broken,
        })
    }
}

/// The product and its version in a table of properties, as far as it is there.
fn program(table: &[u8]) -> [Vec<u8>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    let mut rest = table.get(4..).unwrap_or_default();
    while let Some((key, after)) = short(rest) {
        let Some((kind, value)) = after.split_first() else {
            break;
        };
        let length = || {
            value
                .first_chunk()
                .map(|it| u32::from_be_bytes(*it) as usize)
        };
        let size = match kind {
            b'S' | b'F' | b'A' | b'x' => length().and_then(|it| it.checked_add(4)),
            b't' | b'b' | b'B' => Some(1),
            b's' | b'u' => Some(2),
            b'I' | b'i' | b'f' => Some(4),
            b'D' => Some(5),
            b'l' | b'd' | b'T' => Some(8),
            b'V' => Some(0),
            _ => None,
        };
        let Some((value, after)) = size.and_then(|size| value.split_at_checked(size)) else {
            break;
        };
        let text = value.get(4..).filter(|_| *kind == b'S').unwrap_or_default();
        match key {
            b"product" => found[0] = text.to_vec(),
            b"version" => found[1] = text.to_vec(),
            _ => {}
        }
        rest = after;
    }
    found
}

/// The header of the protocol: in answer to the client's it names the version that the server speaks instead.
fn protocol_header(from: Side, header: &[u8]) -> Unit {
    let version = match header {
        [.., 0, major, minor, revision] | [.., _, major, minor, revision] => {
            format!("AMQP {major}-{minor}-{revision}")
        }
        _ => String::new(),
    };
    match from {
        Side::Client => Unit::new(8, Role::Ask { ends: true })
            .named("protocol header", version.as_bytes())
            .safe(true)
            .keyed(0),
        Side::Server => Unit::new(8, Role::Answer { ends: true })
            .ending(b"", format!("protocol header {version}").as_bytes())
            .keyed(0),
    }
}

/// Splits off a short string.
fn short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked((*length).into())
}

/// Whether the bit stands in the octet behind `skipped` octets and `strings` short strings.
fn bit(body: &[u8], skipped: usize, strings: usize, bit: u8) -> bool {
    let mut rest = body.get(skipped..).unwrap_or_default();
    for _ in 0..strings {
        match short(rest) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.first().is_some_and(|octet| octet >> bit & 1 == 1)
}

/// A side closes the connection, or a channel.
fn closes(
    from: Side,
    connection: bool,
    code: u16,
    text: &[u8],
    unit: impl Fn(Role) -> Unit,
) -> Unit {
    let wrong = code >= FIRST_ERROR;
    let code = code.to_string();
    let ending = |it: Unit| it.ending(code.as_bytes(), text);
    match (from, connection) {
        (Side::Client, true) if wrong => ending(unit(Role::Goodbye)),
        (Side::Server, true) if wrong => ending(unit(Role::Answer { ends: true })),
        (_, true) => unit(Role::Goodbye),
        (Side::Client, false) => unit(Role::Ask { ends: true }).named("Channel.Close", b""),
        (Side::Server, false) => {
            let answer = unit(Role::Answer { ends: true }).sweeping();
            match wrong {
                true => answer.complaining(code.as_bytes(), text),
                false => answer,
            }
        }
    }
}

/// A method of the client that is answered, and the name that it is about.
fn asked(class: u16, method: u16, arguments: &[u8]) -> Option<(&'static str, &[u8])> {
    let waits = |skipped, strings, place| !bit(arguments, skipped, strings, place);
    let (noun, named, waits) = match (class, method) {
        (10, 11) => ("Connection.StartOk", false, true),
        (10, 21) => ("Connection.SecureOk", false, true),
        (10, 40) => ("Connection.Open", false, true),
        (10, 70) => ("Connection.UpdateSecret", false, true),
        (20, 10) => ("Channel.Open", false, true),
        (20, 20) => ("Channel.Flow", false, true),
        (40, 10) => ("Exchange.Declare", true, waits(2, 2, 4)),
        (40, 20) => ("Exchange.Delete", true, waits(2, 1, 1)),
        (40, 30) => ("Exchange.Bind", true, waits(2, 3, 0)),
        (40, 40) => ("Exchange.Unbind", true, waits(2, 3, 0)),
        (50, 10) => ("Queue.Declare", true, waits(2, 1, 4)),
        (50, 20) => ("Queue.Bind", true, waits(2, 3, 0)),
        (50, 30) => ("Queue.Purge", true, waits(2, 1, 0)),
        (50, 40) => ("Queue.Delete", true, waits(2, 1, 2)),
        (50, 50) => ("Queue.Unbind", true, true),
        (60, 10) => ("Basic.Qos", false, true),
        (60, 20) => ("Basic.Consume", true, waits(2, 2, 3)),
        (60, 30) => ("Basic.Cancel", false, waits(0, 1, 0)),
        (60, 70) => ("Basic.Get", true, true),
        (60, 110) => ("Basic.Recover", false, true),
        (85, 10) => ("Confirm.Select", false, waits(0, 0, 0)),
        (90, 10) => ("Tx.Select", false, true),
        (90, 20) => ("Tx.Commit", false, true),
        (90, 30) => ("Tx.Rollback", false, true),
        _ => return None,
    };
    let name = arguments
        .get(2..)
        .and_then(short)
        .map_or(&[][..], |it| it.0);
    waits.then_some((noun, if named { name } else { &[] }))
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    fn frame(channel: u8, class: u8, method: u8, arguments: &[u8]) -> Vec<u8> {
        let size = 4 + arguments.len() as u8;
        let head = [1, 0, channel, 0, 0, 0, size, 0, class, 0, method];
        [&head[..], arguments, &[0xce]].concat()
    }

    #[test]
    fn whose_turn_it_is() {
        let (start, ok) = (frame(0, 10, 10, &[0, 9]), frame(0, 10, 11, b"secret"));
        let open: [(&str, &[u8]); 4] = [
            (">", b"AMQP\0\0\x09\x01"),
            ("<", &start),
            (">", &ok),
            ("<", &frame(0, 10, 30, &[0; 8])),
        ];
        let declare = frame(1, 50, 10, b"\0\0\x01q\0\0\0\0\0");
        let no_wait = frame(1, 50, 10, b"\0\0\x01q\x10\0\0\0\0");
        let declared = frame(1, 50, 11, b"\x01q\0\0\0\0\0\0\0\0");
        let other = frame(2, 60, 70, b"\0\0\x01r\0");
        let missing = frame(
            1,
            20,
            40,
            &[&[1, 0x94, 9][..], b"NOT_FOUND\0\x32\0\x0a"].concat(),
        );
        let bind = frame(1, 50, 20, b"\0\0\x01q\x01x\x01k\0\0\0\0\0");
        let forced = frame(
            0,
            10,
            50,
            &[&[1, 0x40, 8][..], b"shutdown\0\0\0\0"].concat(),
        );
        let normal = frame(0, 10, 50, &[&[0, 200, 3][..], b"bye\0\0\0\0"].concat());
        let cases: &[(Said<'_>, &str)] = &[
            (&[(">", &declare)], "; Queue.Declare q: unanswered; waiting"),
            (&[(">", &no_wait)], "; between"),
            (
                &[(">", &declare), ("<", &declared)],
                "; Queue.Declare q: answered; between",
            ),
            (
                &[(">", &declare), (">", &other), ("<", &declared)],
                "; Queue.Declare q: answered; Basic.Get r: unanswered; waiting",
            ),
            (
                &[(">", &declare), ("<", &missing)],
                "; Queue.Declare q: answered; B: 404 NOT_FOUND; between",
            ),
            (
                &[
                    (">", &declare),
                    (">", &bind),
                    ("<", &missing),
                    (">", &declare),
                ],
                "; Queue.Declare q: answered; Queue.Bind q: answered; B: 404 NOT_FOUND; between",
            ),
            (&[("<", &forced)], "; B: 320 shutdown; between"),
            (&[(">", &normal)], "; goodbye; after"),
            (&[("<", &[8, 0, 0, 0, 0, 0, 0, 0xce])], "; between"),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let begun =
                "AMQP 0-9-1; protocol header AMQP 0-9-1: answered; Connection.StartOk: answered";
            assert_eq!(told(5672, &all), format!("{begun}{expected}"));
        }
    }

    #[test]
    fn a_server_of_another_version_answers_with_its_own_header() {
        let said: [(&str, &[u8]); 2] = [(">", b"AMQP\x03\x01\0\0"), ("<", b"AMQP\0\0\x09\x01")];
        assert_eq!(
            told(5672, &said),
            "AMQP 0-9-1; protocol header AMQP 1-0-0: answered; B: - protocol header AMQP 0-9-1; between"
        );
    }
}
