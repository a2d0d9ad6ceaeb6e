//! Kafka's protocol (Apache Kafka documentation, "Kafka protocol guide"): a length, then a header with the number that the
//! answer repeats.

use std::collections::VecDeque;

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

const MAX_LENGTH: u32 = 100 << 20;
const MAX_KEY: u16 = 100;
const MAX_VERSION: u16 = 30;
/// Bytes of a request that are waited for.
const MAX_HEAD: usize = 400;
/// Requests that are remembered until they are answered.
const MAX_OPEN: usize = 1024;
/// Requests with a meaning here.
const PRODUCE: u16 = 0;
const FETCH: u16 = 1;
const SASL_HANDSHAKE: u16 = 17;
const VERSIONS: u16 = 18;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The numbers of the requests whose answer does not count: the client waits for something to happen.
    listening: VecDeque<u32>,
    /// The authentication that follows has no headers.
    bare: bool,
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
            Side::Server => 8,
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
                Step::Message(Unit::new(
                    whole,
                    match listens {
                        Some(place) => {
                            self.listening.remove(place);
                            Role::Notice
                        }
                        None => Role::Answer { ends: true },
                    },
                ))
            }
        }
    }
}

impl Grammar {
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

    #[test]
    fn whose_turn_it_is() {
        let versions = request(18, 0, 1, b"");
        let produce = request(0, 3, 2, b"\xff\xff\0\x01more");
        let silent = request(0, 3, 3, b"\xff\xff\0\0more");
        let compact = request(0, 9, 4, b"\0\0\0\0more");
        let fetch = request(1, 0, 5, b"more");
        let [first, second, fifth] = [1, 2, 5].map(answer);
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
            let told = told(
                9092,
                &[&[(">", &versions[..]), ("<", &first[..])], *said].concat(),
            );
            assert_eq!(
                told,
                format!("Kafka; request ApiVersions: answered; {expected}")
            );
        }
    }
}
