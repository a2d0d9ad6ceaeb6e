//! LDAP (RFC 4511): messages in BER, each with a number that the answers repeat. After a bind by SASL they may be wrapped
//! (RFC 4422 §3.7): a length and a token of Kerberos (RFC 4121 §4.2), which signs what it holds or encrypts it. What is
//! signed is read.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

const MAX_LENGTH: u64 = 16 << 20;
/// Bytes of a message that are waited for.
const MAX_HEAD: usize = 600;
/// Tags of BER.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const ENUMERATED: u8 = 0x0a;
const OCTETS: u8 = 0x04;
/// Requests (RFC 4511 §4.2 and after).
const BIND: u8 = 0x60;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const ABANDON: u8 = 0x50;
const EXTENDED: u8 = 0x77;
/// Answers.
const BOUND: u8 = 0x61;
const ENTRY: u8 = 0x64;
const REFERENCE: u8 = 0x73;
const INTERMEDIATE: u8 = 0x79;
/// The choice of a bind that authenticates by SASL (RFC 4511 §4.2).
const SASL: u8 = 0xa3;
/// The length before a token of SASL, and the head of one of Kerberos.
const WRAP_LENGTH: usize = 4;
const TOKEN_HEAD: u64 = 16;
/// The flag of a token whose content is encrypted.
const SEALED: u8 = 2;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// The client bound by SASL.
    sasl: bool,
    /// What is left of each side's wrapper: client, server.
    wrapped: [Wrapped; 2],
}

/// What is left of a wrapper.
#[derive(Clone, Copy, Debug, Default)]
struct Wrapped {
    /// Bytes of its messages.
    messages: u64,
    /// Bytes of the checksum behind them.
    checksum: u64,
}

/// The beginning of a wrapper: its bytes before the messages, and what follows them.
fn wrapper(bytes: &[u8], rest: Rest) -> Result<(u64, Wrapped), Step> {
    let [a, b, c, d, token @ ..] = bytes else {
        return Err(match rest {
            Rest::MayCome => Step::More,
            Rest::NotCaptured => Step::Broken,
        });
    };
    let length = u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
    let [5, 4, flags, 0xff, high, low, first, second, ..] = token else {
        let head: &[u8] = &[5, 4];
        let common = token.len().min(head.len());
        let begins = token.len() < 8 && token.get(..common) == head.get(..common);
        return Err(match begins && rest == Rest::MayCome {
            true => Step::More,
            false => Step::Broken,
        });
    };
    let checksum = u64::from(u16::from_be_bytes([*high, *low]));
    let rotated = u64::from(u16::from_be_bytes([*first, *second]));
    let messages = length.checked_sub(TOKEN_HEAD + checksum);
    let messages = messages.filter(|it| *it > 0 && length <= MAX_LENGTH);
    let place = rotated == 0 || rotated == checksum;
    let (Some(messages), true, 0) = (messages, place, flags & SEALED) else {
        return Err(Step::Broken);
    };
    // What is rotated by its length stands before the messages.
    let (before, after) = match rotated {
        0 => (0, checksum),
        _ => (checksum, 0),
    };
    let wrapped = Wrapped {
        messages,
        checksum: after,
    };
    Ok((WRAP_LENGTH as u64 + TOKEN_HEAD + before, wrapped))
}

/// The first element: its tag, the bytes of its value that are there, its length as announced, and what follows it.
struct Element<'a> {
    tag: u8,
    value: &'a [u8],
    length: u64,
    header: usize,
    after: &'a [u8],
}

fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let [tag, first, ..] = bytes else {
        return None;
    };
    let (length, header) = match first {
        0..=0x7f => (u64::from(*first), 2),
        0x81..=0x84 => {
            let size = usize::from(first & 0x7f);
            let digits = bytes.get(2..2 + size)?;
            let length = digits
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (length, 2 + size)
        }
        _ => (u64::MAX, 2),
    };
    let rest = bytes.get(header..)?;
    let end = rest
        .len()
        .min(usize::try_from(length).unwrap_or(usize::MAX));
    Some(Element {
        tag: *tag,
        value: rest.get(..end)?,
        length,
        header,
        after: rest.get(end..)?,
    })
}

/// A message: its length on the wire, its number, and its operation.
fn message(bytes: &[u8]) -> Option<(u64, u64, Element<'_>)> {
    let envelope = element(bytes).filter(|it| it.tag == SEQUENCE && it.length <= MAX_LENGTH)?;
    let id =
        element(envelope.value).filter(|it| it.tag == INTEGER && (1..=4).contains(&it.length))?;
    let number = id
        .value
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let operation = element(id.after)?;
    Some((envelope.header as u64 + envelope.length, number, operation))
}

/// The first bytes are those of LDAP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let Some((whole, number, operation)) = message(opening.client) else {
        return false;
    };
    let inside = operation.length < whole;
    let version = element(operation.value);
    inside
        && match operation.tag {
            BIND => version.is_some_and(|it| it.tag == INTEGER && matches!(it.value, [2 | 3])),
            SEARCH => version.is_some_and(|it| it.tag == OCTETS),
            EXTENDED => version.is_some_and(|it| it.tag == 0x80),
            UNBIND => operation.length == 0 && whole <= 10,
            _ => false,
        }
        && (number < 1 << 31)
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let left = match from {
            Side::Client => &mut self.wrapped[0],
            Side::Server => &mut self.wrapped[1],
        };
        if left.messages == 0 && left.checksum > 0 {
            let length = std::mem::take(&mut left.checksum);
            return Step::Message(Unit::new(length, Role::Notice));
        }
        if left.messages == 0 && self.sasl && bytes.first() == Some(&0) {
            return match wrapper(bytes, rest) {
                Ok((length, wrapped)) => {
                    *left = wrapped;
                    Step::Message(Unit::new(length, Role::Notice))
                }
                Err(step) => step,
            };
        }
        let within = left.messages;
        let step = self.message(from, bytes, rest);
        let left = match from {
            Side::Client => &mut self.wrapped[0],
            Side::Server => &mut self.wrapped[1],
        };
        match &step {
            Step::Message(unit) if within > 0 => match within.checked_sub(unit.length) {
                Some(more) => left.messages = more,
                // It goes on in the next token.
                None => return Step::Broken,
            },
            _ => {}
        }
        step
    }
}

impl Grammar {
    /// The next message, wrapped or not.
    fn message(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
            return Step::Broken;
        }
        let envelope = element(bytes);
        if envelope.as_ref().is_some_and(|it| it.length > MAX_LENGTH) {
            return Step::Broken;
        }
        let needed = envelope.map_or(usize::MAX, |it| {
            usize::try_from(it.length)
                .unwrap_or(usize::MAX)
                .saturating_add(it.header)
        });
        if bytes.len() < needed.min(MAX_HEAD) && rest == Rest::MayCome {
            return Step::More;
        }
        match message(bytes) {
            None => Step::Broken,
            Some((whole, number, operation)) => match from {
                Side::Client => {
                    self.sasl |= operation.tag == BIND && is_by_sasl(&operation);
                    asked(whole, &operation)
                }
                Side::Server => answered(whole, number, &operation),
            },
        }
    }
}

/// Whether a bind authenticates by SASL: what follows version and name says so.
fn is_by_sasl(bind: &Element<'_>) -> bool {
    let version = element(bind.value);
    let name = version.and_then(|it| element(it.after));
    name.is_some_and(|it| it.after.first() == Some(&SASL))
}

fn asked(whole: u64, operation: &Element<'_>) -> Step {
    let ask = |words: &[u8]| Unit::new(whole, Role::Ask { ends: true }).named("request", words);
    let name = || {
        let first = element(operation.value).filter(|it| it.tag == OCTETS || it.tag == 0x80);
        first.map(|it| it.value.to_vec()).unwrap_or_default()
    };
    let with = |verb: &[u8]| ask([verb, &name()].join(&b' ').trim_ascii());
    Step::Message(match operation.tag {
        UNBIND => Unit::new(whole, Role::Goodbye),
        // What is abandoned may have been answered; if not, it gets no answer.
        ABANDON => Unit::new(whole, Role::Withdraws),
        BIND => {
            // The name follows the version.
            let version = element(operation.value);
            let name = version.and_then(|it| element(it.after)).map(|it| it.value);
            ask([b"bind", name.unwrap_or_default()].join(&b' ').trim_ascii())
        }
        SEARCH => with(b"search"),
        0x66 => with(b"modify"),
        0x68 => with(b"add"),
        0x4a => ask([b"delete", operation.value].join(&b' ').as_slice()),
        0x6c => with(b"modify DN"),
        0x6e => with(b"compare"),
        EXTENDED => ask(match name().as_slice() {
            b"1.3.6.1.4.1.1466.20037" => b"StartTLS",
            b"1.3.6.1.4.1.4203.1.11.1" => b"password modify",
            b"1.3.6.1.4.1.4203.1.11.3" => b"who am I",
            _ => b"extended operation",
        }),
        _ => return Step::Broken,
    })
}

fn answered(whole: u64, number: u64, operation: &Element<'_>) -> Step {
    let answer = |ends| Unit::new(whole, Role::Answer { ends });
    if matches!(operation.tag, ENTRY | REFERENCE | INTERMEDIATE) {
        return Step::Message(answer(false));
    }
    if !matches!(
        operation.tag,
        BOUND | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78
    ) {
        return Step::Broken;
    }
    let code = element(operation.value).filter(|it| it.tag == ENUMERATED);
    let value = code
        .as_ref()
        .and_then(|it| it.value.last())
        .copied()
        .unwrap_or(0);
    let matched = code.and_then(|it| element(it.after));
    let text = matched
        .and_then(|it| Some(element(it.after)?.value))
        .unwrap_or_default();
    let role = match number {
        // RFC 4511 §4.4: it answers nothing.
        0 => Role::Notice,
        _ => Role::Answer { ends: true },
    };
    let unit = Unit::new(whole, role);
    // Success, the outcomes of a comparison, a referral, and a bind that goes on.
    if matches!(value, 0 | 5 | 6 | 10 | 14) {
        return Step::Message(unit);
    }
    let said = match text {
        b"" => name(value).to_vec(),
        _ => [name(value), b": ", text].concat(),
    };
    let code = value.to_string();
    let over = number == 0 || operation.tag == BOUND;
    Step::Message(match over {
        true => unit.complaining(code.as_bytes(), &said).fatal(),
        false => unit.complaining(code.as_bytes(), &said),
    })
}

/// The names of result codes (RFC 4511 §4.1.9; of 118 and later RFC 3909 §3, RFC 4528 §5, RFC 4370 §5).
fn name(code: u8) -> &'static [u8] {
    match code {
        1 => b"operationsError",
        2 => b"protocolError",
        3 => b"timeLimitExceeded",
        4 => b"sizeLimitExceeded",
        7 => b"authMethodNotSupported",
        8 => b"strongerAuthRequired",
        11 => b"adminLimitExceeded",
        12 => b"unavailableCriticalExtension",
        13 => b"confidentialityRequired",
        16 => b"noSuchAttribute",
        17 => b"undefinedAttributeType",
        18 => b"inappropriateMatching",
        19 => b"constraintViolation",
        20 => b"attributeOrValueExists",
        21 => b"invalidAttributeSyntax",
        32 => b"noSuchObject",
        33 => b"aliasProblem",
        34 => b"invalidDNSyntax",
        36 => b"aliasDereferencingProblem",
        48 => b"inappropriateAuthentication",
        49 => b"invalidCredentials",
        50 => b"insufficientAccessRights",
        51 => b"busy",
        52 => b"unavailable",
        53 => b"unwillingToPerform",
        54 => b"loopDetect",
        64 => b"namingViolation",
        65 => b"objectClassViolation",
        66 => b"notAllowedOnNonLeaf",
        67 => b"notAllowedOnRDN",
        68 => b"entryAlreadyExists",
        71 => b"affectsMultipleDSAs",
        80 => b"other",
        118 => b"canceled",
        119 => b"noSuchOperation",
        120 => b"tooLate",
        121 => b"cannotCancel",
        122 => b"assertionFailed",
        123 => b"authorizationDenied",
        _ => b"unknown code",
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    const BIND: &[u8] = b"\x30\x11\x02\x01\x01\x60\x0c\x02\x01\x03\x04\x03cn=\x80\x02pw";
    const BOUND: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
    const REFUSED: &[u8] = b"\x30\x0e\x02\x01\x01\x61\x09\x0a\x01\x31\x04\x00\x04\x02no";
    const SEARCH: &[u8] = b"\x30\x09\x02\x01\x02\x63\x04\x04\x02dc";
    const ENTRY: &[u8] = b"\x30\x09\x02\x01\x02\x64\x04\x04\x02cn";
    const DONE: &[u8] = b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
    const LIMIT: &[u8] = b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x04\x04\x00\x04\x00";
    const NOTICE: &[u8] = b"\x30\x0e\x02\x01\x00\x78\x09\x0a\x01\x34\x04\x00\x04\x02no";

    #[test]
    fn whose_turn_it_is() {
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", SEARCH)], "request search dc: unanswered; waiting"),
            (
                &[(">", SEARCH), ("<", ENTRY)],
                "request search dc: answer begun; response-body",
            ),
            (
                &[(">", SEARCH), ("<", ENTRY), ("<", DONE)],
                "request search dc: answered; between",
            ),
            (
                &[(">", SEARCH), ("<", LIMIT)],
                "request search dc: answered; B: 4 sizeLimitExceeded; between",
            ),
            (&[(">", b"\x30\x05\x02\x01\x03\x42\x00")], "goodbye; after"),
            (&[("<", NOTICE)], "B: 52 unavailable: no; between"),
        ];
        for (said, expected) in cases {
            let told = told(389, &[&[(">", BIND), ("<", BOUND)], *said].concat());
            assert_eq!(
                told,
                format!("LDAP; request bind cn=: answered; {expected}")
            );
        }
    }

    #[test]
    fn what_is_abandoned_is_outstanding_no_more() {
        let abandon = b"\x30\x06\x02\x01\x03\x50\x01\x02";
        assert_eq!(
            told(
                1,
                &[(">", BIND), ("<", BOUND), (">", SEARCH), (">", abandon)]
            ),
            "LDAP; between"
        );
    }

    /// A token of Kerberos around messages: the checksum stands where `rotated` says.
    fn signed(flags: u8, rotated: u8, messages: &[&[u8]]) -> Vec<u8> {
        let (sum, content) = ([0xee; 12], messages.concat());
        let head = [5, 4, flags, 0xff, 0, 12, 0, rotated, 0, 0, 0, 0, 1, 2, 3, 4];
        let token = match rotated {
            0 => [&head[..], &content, &sum].concat(),
            _ => [&head[..], &sum, &content].concat(),
        };
        [&(token.len() as u32).to_be_bytes(), &token[..]].concat()
    }

    #[test]
    fn what_sasl_signs_is_read_and_what_it_encrypts_shows_nothing() {
        let bind: &[u8] = b"\x30\x10\x02\x01\x01\x60\x0b\x02\x01\x03\x04\x00\xa3\x04\x04\x02ab";
        let open = [(">", bind), ("<", BOUND)];
        let unbind: &[u8] = b"\x30\x84\x00\x00\x00\x05\x02\x01\x03\x42\x00";
        for rotated in [12, 0] {
            let asked = signed(4, rotated, &[SEARCH]);
            let answered = signed(5, rotated, &[ENTRY, ENTRY, DONE]);
            let parts = signed(4, rotated, &[unbind]);
            let said: &[(&str, &[u8])] = &[(">", &asked), ("<", &answered), (">", &parts)];
            assert_eq!(
                told(389, &[&open, &said[..1]].concat()),
                "LDAP; request bind: answered; request search dc: unanswered; waiting"
            );
            assert_eq!(
                told(389, &[&open, said].concat()),
                "LDAP; request bind: answered; request search dc: answered; goodbye; after"
            );
        }
        // Three turns, and nothing is presumed of them.
        let sealed = signed(6, 12, &[b"0123456789"]);
        let talk: [(&str, &[u8]); 5] = [
            (">", &sealed),
            ("<", &sealed),
            (">", &sealed),
            ("<", &sealed),
            (">", &sealed),
        ];
        assert_eq!(told(389, &[&open[..], &talk].concat()), "LDAP; ?");
    }

    #[test]
    fn a_refused_bind_ends_the_session() {
        assert_eq!(
            told(1, &[(">", BIND), ("<", REFUSED)]),
            "LDAP; request bind cn=: answered; B: 49 invalidCredentials: no; between"
        );
    }
}
