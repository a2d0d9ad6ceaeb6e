//! Kafka's protocol (Apache Kafka documentation, "Kafka protocol guide"): a length, then a header with the number that the
//! answer repeats.

use std::collections::VecDeque;

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

const MAX_LENGTH: u32 = 100 << 20;
const MAX_KEY: u16 = 100;
const MAX_VERSION: u16 = 30;
/// Bytes of a request that are waited for.
const MAX_HEAD: usize = 400;
/// Bytes of an answer that are waited for: its error, and what the broker says of it.
const MAX_ERROR: usize = 200;
/// Requests that are remembered until they are answered.
const MAX_OPEN: usize = 1024;
/// Requests with a meaning here.
const PRODUCE: u16 = 0;
const FETCH: u16 = 1;
const SASL_HANDSHAKE: u16 = 17;
const SASL_AUTHENTICATE: u16 = 36;
const VERSIONS: u16 = 18;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The numbers of the requests whose answer does not count: the client waits for something to happen.
    listening: VecDeque<u32>,
    /// The requests whose answer begins with an error, by their numbers.
    open: VecDeque<(u32, AnswerLayout)>,
    /// The authentication that follows has no headers.
    bare: bool,
}

/// Where the error of an answer stands, behind the number that it repeats.
#[derive(Clone, Copy, Debug)]
struct AnswerLayout {
    key: u16,
    at: usize,
    /// A text follows it, in the form with a short length (`Some(true)`) or a compact one.
    text: Option<bool>,
}

impl AnswerLayout {
    /// `None` for requests whose answers have their errors deeper inside.
    fn of(head: &Head) -> Option<Self> {
        // Version from which on a time comes first, the one from which on there are tags, and the first that is not read.
        let (timed, tagged, unread, told) = match head.key {
            10 => (1, 3, 4, 1),
            11 => (2, 6, u16::MAX, u16::MAX),
            12..=14 => (1, 4, u16::MAX, u16::MAX),
            SASL_HANDSHAKE => (u16::MAX, u16::MAX, u16::MAX, u16::MAX),
            22 => (0, 2, u16::MAX, u16::MAX),
            SASL_AUTHENTICATE => (u16::MAX, 2, u16::MAX, 0),
            _ => return None,
        };
        let version = head.version;
        let tags = usize::from(version >= tagged);
        let time = if version >= timed { 4 } else { 0 };
        (version < unread).then_some(Self {
            key: head.key,
            at: 8 + tags + time,
            text: (version >= told).then_some(version < tagged),
        })
    }

    /// The error in an answer: its code, and its text.
    fn error<'a>(&self, bytes: &'a [u8]) -> Option<(u16, &'a [u8])> {
        let code = short(bytes, self.at)?;
        let from = self.at + 2;
        let text = match self.text {
            None => None,
            Some(true) => {
                let length = short(bytes, from).filter(|it| *it != u16::MAX);
                length.map(|it| (from + 2, usize::from(it)))
            }
            Some(false) => {
                let length = bytes.get(from).copied().filter(|it| (1..0x80).contains(it));
                length.map(|it| (from + 1, usize::from(it) - 1))
            }
        };
        let said = text.and_then(|(from, length)| {
            let rest = bytes.get(from..)?;
            rest.get(..length.min(rest.len()))
        });
        Some((code, said.unwrap_or_default()))
    }
}

/// The names of errors that end what was asked (Kafka protocol guide, "Error codes"). Those by which a client learns that it has
/// to try again, or elsewhere, are none.
fn error_name(code: u16) -> Option<&'static str> {
    Some(match code {
        // -1 is one, too.
        u16::MAX => "UNKNOWN_SERVER_ERROR",
        17 => "INVALID_TOPIC_EXCEPTION",
        23 => "INCONSISTENT_GROUP_PROTOCOL",
        24 => "INVALID_GROUP_ID",
        26 => "INVALID_SESSION_TIMEOUT",
        30 => "GROUP_AUTHORIZATION_FAILED",
        31 => "CLUSTER_AUTHORIZATION_FAILED",
        33 => "UNSUPPORTED_SASL_MECHANISM",
        34 => "ILLEGAL_SASL_STATE",
        35 => "UNSUPPORTED_VERSION",
        42 => "INVALID_REQUEST",
        47 => "INVALID_PRODUCER_EPOCH",
        53 => "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        54 => "SECURITY_DISABLED",
        58 => "SASL_AUTHENTICATION_FAILED",
        81 => "GROUP_MAX_SIZE_REACHED",
        82 => "FENCED_INSTANCE_ID",
        90 => "PRODUCER_FENCED",
        _ => return None,
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The head of a request behind its length.
struct Head {
    key: u16,
    version: u16,
    id: u32,
    /// Where what follows the name of the client begins.
    after: usize,
}

fn head(bytes: &[u8]) -> Option<Head> {
    let (key, version, id) = (short(bytes, 4)?, short(bytes, 6)?, number(bytes, 8)?);
    let after = match short(bytes, 12)? {
        u16::MAX => 14,
        length if length <= 255 => {
            let name = bytes.get(14..14 + usize::from(length))?;
            name.iter()
                .all(u8::is_ascii_graphic)
                .then_some(14 + usize::from(length))?
        }
        _ => return None,
    };
    (key <= MAX_KEY && version <= MAX_VERSION).then_some(Head {
        key,
        version,
        id,
        after,
    })
}

/// The first bytes are those of Kafka.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let Some((length, head)) = number(opening.client, 0).zip(head(opening.client)) else {
        return false;
    };
    // A client asks for the versions first, or for the brokers, or begins an authentication.
    let begins = match head.key {
        18 => true,
        3 | SASL_HANDSHAKE => head.id < 1 << 16,
        PRODUCE | FETCH | 2 | 8..=16 => opening.port == 9092,
        _ => false,
    };
    let answers = number(opening.server, 4).is_none_or(|id| id == head.id);
    begins && answers && (10..MAX_LENGTH).contains(&length) && head.after <= length as usize + 4
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let more = match rest {
            Rest::MayCome => Step::More,
            Rest::NotCaptured => Step::Broken,
        };
        let Some(length) = number(bytes, 0) else {
            return more;
        };
        if length > MAX_LENGTH {
            return Step::Broken;
        }
        let whole = u64::from(length) + 4;
        let telling = match from {
            Side::Client => MAX_HEAD,
            Side::Server if self.open.is_empty() => 8,
            Side::Server => MAX_ERROR,
        };
        let is_short = (bytes.len() as u64) < whole.min(telling as u64);
        if is_short && rest == Rest::MayCome {
            return Step::More;
        }
        match from {
            Side::Client => self.asked(whole, bytes),
            Side::Server => {
                let id = number(bytes, 4);
                let listens = self.listening.iter().position(|it| Some(*it) == id);
                let unit = Unit::new(
                    whole,
                    match listens {
                        Some(place) => {
                            self.listening.remove(place);
                            Role::Notice
                        }
                        None => Role::Answer { ends: true },
                    },
                );
                Step::Message(self.refused(unit, bytes, id))
            }
        }
    }
}

impl Grammar {
    /// The answer to the request with this number, with its error.
    fn refused(&mut self, unit: Unit, bytes: &[u8], id: Option<u32>) -> Unit {
        let place = self.open.iter().position(|it| Some(it.0) == id);
        let Some((_, layout)) = place.and_then(|it| self.open.remove(it)) else {
            return unit;
        };
        let within = bytes
            .len()
            .min(usize::try_from(unit.length).unwrap_or(usize::MAX));
        let error = layout.error(bytes.get(..within).unwrap_or_default());
        let Some((code, text, name)) =
            error.and_then(|(code, text)| Some((code, text, error_name(code)?)))
        else {
            return unit;
        };
        let said = match text {
            b"" => name.as_bytes().to_vec(),
            _ => [name.as_bytes(), b": ", text].concat(),
        };
        let unit = unit.complaining(code.cast_signed().to_string().as_bytes(), &said);
        // The broker closes.
        match layout.key {
            SASL_HANDSHAKE | SASL_AUTHENTICATE => unit.fatal(),
            _ => unit,
        }
    }

    fn asked(&mut self, whole: u64, bytes: &[u8]) -> Step {
        let ask = Unit::new(whole, Role::Ask { ends: true });
        let Some(head) = head(bytes) else {
            return match self.bare {
                true => Step::Message(ask.named("authentication", b"")),
                false => Step::Broken,
            };
        };
        self.bare |= head.key == SASL_HANDSHAKE && head.version == 0;
        let silent = head.key == PRODUCE && acknowledgements(&head, bytes) == Some(0);
        if head.key == FETCH && self.listening.len() < MAX_OPEN {
            // It is answered when there is something, or after a time.
            self.listening.push_back(head.id);
            return Step::Message(Unit::new(whole, Role::Notice));
        }
        if let Some(layout) = AnswerLayout::of(&head).filter(|_| self.open.len() < MAX_OPEN) {
            self.open.push_back((head.id, layout));
        }
        Step::Message(match silent {
            true => Unit::new(whole, Role::Notice),
            false => {
                let ask = ask.named("request", name(head.key));
                match software(&head, bytes) {
                    Some((name, version)) => ask.by(name, version),
                    None => ask,
                }
            }
        })
    }
}

/// The client's software in a request for the versions, from its version 3 on: behind tags, none in practice.
fn software<'a>(head: &Head, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let [0, rest @ ..] = bytes
        .get(head.after..)
        .filter(|_| head.key == VERSIONS && head.version >= 3)?
    else {
        return None;
    };
    // A length of one byte, one more than it is.
    let text = |bytes: &'a [u8]| {
        let (length, rest) = bytes
            .split_first()
            .filter(|(length, _)| (1..0x80).contains(*length))?;
        rest.split_at_checked(usize::from(*length) - 1)
    };
    let (name, rest) = text(rest)?;
    Some((name, text(rest)?.0))
}

/// How many acknowledgements a producer wants.
fn acknowledgements(head: &Head, bytes: &[u8]) -> Option<u16> {
    let at = match head.version {
        0..=2 => head.after,
        // The name of a transaction.
        3..=8 => match short(bytes, head.after)? {
            u16::MAX => head.after + 2,
            length => head.after + 2 + usize::from(length),
        },
        // Tags, none in practice, and the name in another form.
        _ => {
            let length = *bytes.get(head.after + 1)?;
            (bytes.get(head.after) == Some(&0) && length < 0x80)
                .then(|| head.after + 2 + usize::from(length.saturating_sub(1)))?
        }
    };
    short(bytes, at)
}

fn name(key: u16) -> &'static [u8] {
    match key {
        0 => b"Produce",
        1 => b"Fetch",
        2 => b"ListOffsets",
        3 => b"Metadata",
        8 => b"OffsetCommit",
        9 => b"OffsetFetch",
        10 => b"FindCoordinator",
        11 => b"JoinGroup",
        12 => b"Heartbeat",
        13 => b"LeaveGroup",
        14 => b"SyncGroup",
        15 => b"DescribeGroups",
        16 => b"ListGroups",
        17 => b"SaslHandshake",
        18 => b"ApiVersions",
        19 => b"CreateTopics",
        20 => b"DeleteTopics",
        22 => b"InitProducerId",
        24 => b"AddPartitionsToTxn",
        26 => b"EndTxn",
        32 => b"DescribeConfigs",
        36 => b"SaslAuthenticate",
        60 => b"DescribeCluster",
        68 => b"ConsumerGroupHeartbeat",
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    fn request(key: u8, version: u8, id: u8, body: &[u8]) -> Vec<u8> {
        let length = 8 + 2 + 1 + body.len() as u32;
        [
            &length.to_be_bytes()[..],
            &[0, key, 0, version, 0, 0, 0, id, 0, 1, b'c'],
            body,
        ]
        .concat()
    }

    fn answer(id: u8) -> Vec<u8> {
        vec![0, 0, 0, 6, 0, 0, 0, id, 0, 0]
    }

    /// What is told of a session that begins with the question which versions the broker knows.
    fn after_versions(said: Said<'_>) -> String {
        let versions = request(18, 0, 1, b"");
        let first = answer(1);
        let told = told(
            9092,
            &[&[(">", &versions[..]), ("<", &first[..])], said].concat(),
        );
        let rest = told.strip_prefix("Kafka; request ApiVersions: answered; ");
        rest.map_or_else(|| panic!("{told}"), str::to_owned)
    }

    #[test]
    fn an_error_is_told_by_its_name() {
        let refused = |id: u8, body: &[u8]| {
            let length = 4 + body.len() as u8;
            [&[0, 0, 0, length, 0, 0, 0, id], body].concat()
        };
        let login = request(36, 0, 2, b"token");
        let compact = request(36, 2, 2, b"token");
        let join = request(11, 2, 2, b"more");
        let cases: &[(Said<'_>, &str)] = &[
            (
                &[(">", &login), ("<", &refused(2, b"\0\x3a\0\x02no"))],
                "request SaslAuthenticate: answered; B: 58 SASL_AUTHENTICATION_FAILED: no; between",
            ),
            (
                &[(">", &compact), ("<", &refused(2, b"\0\0\x3a\x03no"))],
                "request SaslAuthenticate: answered; B: 58 SASL_AUTHENTICATION_FAILED: no; between",
            ),
            (
                &[(">", &join), ("<", &refused(2, b"\0\0\0\0\0\x1emore"))],
                "request JoinGroup: answered; B: 30 GROUP_AUTHORIZATION_FAILED; between",
            ),
            // The client joins again with the identifier that it was given.
            (
                &[(">", &join), ("<", &refused(2, b"\0\0\0\0\0\x4fmore"))],
                "request JoinGroup: answered; between",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(after_versions(said), *expected);
        }
    }

    #[test]
    fn whose_turn_it_is() {
        let produce = request(0, 3, 2, b"\xff\xff\0\x01more");
        let silent = request(0, 3, 3, b"\xff\xff\0\0more");
        let compact = request(0, 9, 4, b"\0\0\0\0more");
        let fetch = request(1, 0, 5, b"more");
        let [second, fifth] = [2, 5].map(answer);
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", &produce)], "request Produce: unanswered; waiting"),
            (
                &[(">", &produce), ("<", &second)],
                "request Produce: answered; between",
            ),
            (&[(">", &silent)], "between"),
            (&[(">", &compact)], "between"),
            (&[(">", &fetch)], "between"),
            (
                &[(">", &produce), (">", &fetch), ("<", &fifth)],
                "request Produce: unanswered; waiting",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(after_versions(said), *expected);
        }
    }
}
