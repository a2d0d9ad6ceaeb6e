//! Redis: RESP2 and RESP3, commands in arrays and on lines (Redis documentation, "Redis serialization protocol
//! specification"). Valkey, KeyDB and Dragonfly speak the same.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::line;

/// Bytes of an argument that are waited for, so that it can be told.
const MAX_ARGUMENT: u64 = 80;
/// The longest name of a command.
const MAX_NAME: u64 = 32;

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    /// Arguments that are still to come of the present command, and what they are a part of.
    arguments: u64,
    command: Part,
    /// Elements that are still to come of the present reply, and what they are a part of.
    elements: u64,
    reply: Part,
    /// The client subscribed, so that messages come unasked for.
    subscribed: bool,
    /// The server tells what others ask.
    monitors: bool,
    /// Commands without an answer so far.
    open: u64,
    /// Behind the present command there are no requests and answers any more: a replica listens, or the client turned
    /// replies off.
    last: bool,
    /// The client says something of its library: what it is called, and once that was read, whether it was the name.
    introduces: Option<Introduces>,
}

/// What is still to come of `CLIENT SETINFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Introduces {
    Attribute,
    Name,
    Version,
}

/// What the rest of a message is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Exchange,
    Notice,
}

/// Commands on a line that show Redis, if the server's reply does too.
const INLINE: &[&[u8]] = &[
    b"PING",
    b"INFO",
    b"GET",
    b"SET",
    b"SELECT",
    b"ECHO",
    b"MONITOR",
    b"SUBSCRIBE",
    b"CONFIG",
    b"COMMAND",
    b"DBSIZE",
];

/// Commands that change nothing, or only their own connection.
const READS: &[&[u8]] = &[
    b"AUTH",
    b"BITCOUNT",
    b"COMMAND",
    b"DBSIZE",
    b"ECHO",
    b"EXISTS",
    b"GET",
    b"GETBIT",
    b"GETRANGE",
    b"HELLO",
    b"HEXISTS",
    b"HGET",
    b"HGETALL",
    b"HKEYS",
    b"HLEN",
    b"HMGET",
    b"HSCAN",
    b"HVALS",
    b"INFO",
    b"KEYS",
    b"LINDEX",
    b"LLEN",
    b"LRANGE",
    b"MGET",
    b"PING",
    b"PTTL",
    b"RANDOMKEY",
    b"SCAN",
    b"SCARD",
    b"SELECT",
    b"SISMEMBER",
    b"SMEMBERS",
    b"SSCAN",
    b"STRLEN",
    b"TIME",
    b"TTL",
    b"TYPE",
    b"XLEN",
    b"XRANGE",
    b"ZCARD",
    b"ZCOUNT",
    b"ZRANGE",
    b"ZRANK",
    b"ZSCAN",
    b"ZSCORE",
];

/// Refusals with which a server greets.
const REFUSALS: &[&[u8]] = &[
    b"-ERR max number of clients",
    b"-DENIED Redis",
    b"-DENIED ",
    b"-LOADING ",
    b"-MASTERDOWN ",
];

/// The first of these words.
fn name_of(words: &[u8]) -> &[u8] {
    words.split(|byte| *byte == b' ').next().unwrap_or(words)
}

/// A number after the first byte of a line.
fn count(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line.get(1..)?).ok()?.parse().ok()
}

/// The first bytes are those of Redis.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let asks = |bytes: &[u8]| {
        let line = line(bytes, Rest::MayCome).ok()?;
        let first = line.0.first() == Some(&b'*') && count(line.0)? > 0;
        let next = bytes.get(usize::try_from(line.1).ok()?..)?;
        let named = next.first() == Some(&b'$') && next.get(1)?.is_ascii_digit();
        Some(first && named)
    };
    if asks(opening.client) == Some(true) {
        return true;
    }
    if opening.client.is_empty() {
        let named = |text: &&&[u8]| opening.server.starts_with(text);
        let refuses = REFUSALS.iter().find(named);
        return refuses.is_some() && (opening.port == 6379 || !opening.midstream);
    }
    let word = opening
        .client
        .split(|byte| byte.is_ascii_whitespace())
        .next();
    let inline = word.is_some_and(|word| INLINE.iter().any(|name| word.eq_ignore_ascii_case(name)));
    let replies = match opening.server {
        [b'+', b'P' | b'O' | b'o', ..] | [b'-', b'N' | b'E', ..] => true,
        [b'$' | b'*' | b':', digit, ..] => digit.is_ascii_digit() || *digit == b'-',
        _ => false,
    };
    inline && replies && memchr::memchr(b'\n', opening.server).is_some()
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let owed = from == Side::Server && self.open > 0;
        if self.last && self.arguments == 0 && !owed {
            return Step::Message(Unit::new(bytes.len() as u64, Role::Notice));
        }
        let (line, length) = match line(bytes, rest) {
            Ok(found) => found,
            Err(step) => return step,
        };
        let step = match from {
            Side::Client => self.asked(bytes, line, length, rest),
            Side::Server => self.answered(bytes, line, length, rest),
        };
        match &step {
            Step::Message(unit) if unit.role == (Role::Ask { ends: true }) => self.open += 1,
            Step::Message(unit) if unit.role == (Role::Answer { ends: true }) => {
                self.open = self.open.saturating_sub(1);
            }
            _ => {}
        }
        step
    }
}

/// An argument: `$5`, five bytes, and the end of the line. Its bytes, as far as they are there, and its whole length.
fn argument(bytes: &[u8], rest: Rest) -> Result<(&[u8], u64), Step> {
    let (line, length) = line(bytes, rest)?;
    let size = match (line.first(), count(line)) {
        (Some(b'$'), Some(size)) => u64::try_from(size).map_err(|_| Step::Broken)?,
        _ => return Err(Step::Broken),
    };
    let from = usize::try_from(length).unwrap_or(usize::MAX);
    let held = bytes.get(from..).unwrap_or_default();
    let held = held
        .get(..held.len().min(usize::try_from(size).unwrap_or(usize::MAX)))
        .unwrap_or_default();
    Ok((held, length + size + 2))
}

impl Grammar {
    fn asked(&mut self, bytes: &[u8], line: &[u8], length: u64, rest: Rest) -> Step {
        if self.arguments > 0 {
            let (text, whole) = match argument(bytes, rest) {
                Ok(found) => found,
                Err(step) => return step,
            };
            if self.introduces.is_some()
                && whole > bytes.len() as u64
                && whole < MAX_ARGUMENT
                && rest == Rest::MayCome
            {
                return Step::More;
            }
            self.arguments -= 1;
            let introduces = self.introduces.take();
            if introduces == Some(Introduces::Attribute) {
                let is = |name: &[u8]| text.eq_ignore_ascii_case(name);
                self.introduces = is(b"LIB-NAME")
                    .then_some(Introduces::Name)
                    .or_else(|| is(b"LIB-VER").then_some(Introduces::Version));
            }
            let unit = Unit::new(
                whole,
                match self.command {
                    Part::Notice => Role::Notice,
                    Part::Exchange => Role::Ask {
                        ends: self.arguments == 0,
                    },
                },
            );
            // What wraps a library stands behind it in parentheses.
            let name = text.split(|byte| *byte == b'(').next().unwrap_or(text);
            return Step::Message(match introduces {
                Some(Introduces::Name) => unit.by(name, b""),
                Some(Introduces::Version) => unit.by(b"", text),
                Some(Introduces::Attribute) | None => unit,
            });
        }
        if line.first() != Some(&b'*') {
            if line.is_empty() {
                return Step::Message(Unit::new(length, Role::Notice));
            }
            // No command on a line has bytes beyond text.
            if !line.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
                return Step::Broken;
            }
            let mut words = line
                .split(|byte| *byte == b' ')
                .filter(|word| !word.is_empty());
            let name = words.next().unwrap_or_default();
            return self.command(length, name, words.next(), 0);
        }
        let arguments = match count(line).map(u64::try_from) {
            Some(Ok(arguments)) => arguments,
            _ => return Step::Broken,
        };
        if arguments == 0 {
            return Step::Message(Unit::new(length, Role::Notice));
        }
        let after = |at: u64| {
            bytes
                .get(usize::try_from(at).unwrap_or(usize::MAX)..)
                .unwrap_or_default()
        };
        let (name, size) = match argument(after(length), rest) {
            Ok(found) => found,
            Err(step) => return step,
        };
        let mut whole = length + size;
        if size > MAX_NAME + 8 {
            return Step::Broken;
        }
        if whole > bytes.len() as u64 && rest == Rest::MayCome {
            return Step::More;
        }
        let mut second = None;
        let mut left = arguments - 1;
        if left > 0 {
            match argument(after(whole), rest) {
                Ok((_, size)) if size > MAX_ARGUMENT => {
                    whole += size;
                    left -= 1;
                }
                Ok((_, size)) if whole + size > bytes.len() as u64 && rest == Rest::MayCome => {
                    return Step::More;
                }
                Ok((text, size)) => {
                    second = Some(text);
                    whole += size;
                    left -= 1;
                }
                Err(Step::More) => return Step::More,
                Err(step) if rest == Rest::MayCome => return step,
                Err(_) => {}
            }
        }
        self.command(whole, name, second, left)
    }

    fn command(&mut self, length: u64, name: &[u8], second: Option<&[u8]>, left: u64) -> Step {
        let name = name.to_ascii_uppercase();
        let second = second.unwrap_or_default();
        let sub = second.to_ascii_uppercase();
        self.arguments = left;
        self.command = Part::Notice;
        match (name.as_slice(), sub.as_slice()) {
            (b"QUIT", _) => return Step::Message(Unit::new(length, Role::Goodbye)),
            // It is answered by the close, unless it fails.
            (b"SHUTDOWN", other) if other != b"ABORT" => {
                return Step::Message(Unit::new(length, Role::Goodbye));
            }
            (b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE", _) => {
                self.subscribed = true;
                return Step::Message(Unit::new(length, Role::Notice).listening(true));
            }
            // Whether other channels are left is not followed.
            (b"UNSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SUNSUBSCRIBE", _) => {
                return Step::Message(Unit::new(length, Role::Notice).listening(false));
            }
            // `OFF`, `SKIP` or `ON` follows: which one is not waited for.
            (b"SYNC" | b"PSYNC", _) | (b"CLIENT", b"REPLY") => {
                self.last = true;
                return Step::Message(Unit::new(length, Role::Notice));
            }
            (b"REPLCONF", b"ACK" | b"GETACK") => {
                return Step::Message(Unit::new(length, Role::Notice));
            }
            (b"MONITOR", _) => self.monitors = true,
            (b"CLIENT", b"SETINFO") => self.introduces = Some(Introduces::Attribute),
            _ => {}
        }
        self.command = Part::Exchange;
        let secret = matches!(name.as_slice(), b"AUTH" | b"HELLO" | b"EVAL" | b"MIGRATE");
        let printable = second.iter().all(|byte| matches!(byte, b'!'..=b'~'));
        let words = match secret || !printable || second.is_empty() {
            true => name,
            false => [&name[..], b" ", second].concat(),
        };
        // Client libraries say their name and look what there is; older servers do not know the commands.
        let optional = matches!(name_of(&words), b"CLIENT" | b"COMMAND");
        let ask = Unit::new(length, Role::Ask { ends: left == 0 }).named("command", &words);
        let reads = READS.binary_search(&name_of(&words)).is_ok();
        Step::Message(ask.optional(optional).safe(reads))
    }

    fn answered(&mut self, bytes: &[u8], line: &[u8], length: u64, rest: Rest) -> Step {
        let top = self.elements == 0;
        let Some(kind) = line.first() else {
            return Step::Broken;
        };
        let mut whole = length;
        let after = usize::try_from(length).unwrap_or(usize::MAX);
        let mut inside = 0;
        match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
            b'$' | b'=' | b'!' => match count(line) {
                Some(size @ 0..) => whole += size.unsigned_abs() + 2,
                Some(-1) => {}
                _ => return Step::Broken,
            },
            b'*' | b'~' | b'>' => match count(line) {
                Some(count @ 0..) => inside = count.unsigned_abs(),
                Some(-1) => {}
                _ => return Step::Broken,
            },
            b'%' | b'|' => match count(line) {
                Some(count @ 0..) => inside = count.unsigned_abs().saturating_mul(2),
                _ => return Step::Broken,
            },
            _ => return Step::Broken,
        }
        if top {
            self.reply = match kind {
                b'>' => Part::Notice,
                b'+' if self.monitors && line.get(1).is_some_and(u8::is_ascii_digit) => {
                    Part::Notice
                }
                b'*' if self.subscribed && inside > 1 => {
                    match pushed(bytes.get(after..).unwrap_or_default(), rest) {
                        Ok((is_pushed, size)) => {
                            whole += size;
                            inside -= u64::from(size > 0);
                            match is_pushed {
                                true => Part::Notice,
                                false => Part::Exchange,
                            }
                        }
                        Err(step) => return step,
                    }
                }
                _ => Part::Exchange,
            };
        }
        // An attribute stands before what it belongs to.
        let own = u64::from(*kind != b'|');
        self.elements = match top {
            true => inside + 1 - own,
            false => (self.elements + inside).saturating_sub(own),
        };
        let unit = Unit::new(
            whole,
            match self.reply {
                Part::Notice => Role::Notice,
                Part::Exchange => Role::Answer {
                    ends: self.elements == 0,
                },
            },
        );
        Step::Message(match (kind, top) {
            (b'-', true) => refused(unit, line.get(1..).unwrap_or_default()),
            _ => unit,
        })
    }
}

/// Whether an array of RESP2 is a message or a confirmation of a subscription, by its first element, and how long that is;
/// `bytes` follow the first line.
fn pushed(bytes: &[u8], rest: Rest) -> Result<(bool, u64), Step> {
    match bytes.first() {
        Some(b'$') => {}
        None if rest == Rest::MayCome => return Err(Step::More),
        _ => return Ok((false, 0)),
    }
    let (word, whole) = argument(bytes, rest)?;
    if whole > bytes.len() as u64 && whole < MAX_NAME && rest == Rest::MayCome {
        return Err(Step::More);
    }
    let pushed: &[&[u8]] = &[
        b"message",
        b"pmessage",
        b"smessage",
        b"subscribe",
        b"psubscribe",
        b"ssubscribe",
        b"unsubscribe",
        b"punsubscribe",
        b"sunsubscribe",
    ];
    Ok((pushed.contains(&word), whole))
}

/// A reply that is an error. Some of them only send the client elsewhere.
fn refused(unit: Unit, text: &[u8]) -> Unit {
    let begins = |words: &[&[u8]]| words.iter().any(|word| text.starts_with(word));
    if begins(&[b"MOVED ", b"ASK ", b"NOSCRIPT", b"BUSYGROUP"]) {
        return unit;
    }
    let over = begins(&[
        b"ERR max number of clients",
        b"DENIED ",
        b"WRONGPASS",
        b"NOAUTH",
        b"ERR invalid password",
        b"ERR AUTH ",
        b"ERR Protocol error",
    ]);
    match over {
        true => unit.complaining(b"", text).fatal(),
        false => unit.complaining(b"", text),
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    const BLPOP: &[u8] = b"*3\r\n$5\r\nBLPOP\r\n$4\r\njobs\r\n$1\r\n0\r\n";

    #[test]
    fn what_was_asked_before_replies_were_turned_off_is_answered() {
        let off = b"PING\r\nCLIENT REPLY OFF\r\nPING\r\n";
        assert_eq!(
            told(6379, &[(">", off), ("<", b"+PONG\r\n")]),
            "Redis; command PING: answered; between"
        );
    }

    #[test]
    fn whose_turn_it_is() {
        let open = [(">", PING), ("<", &b"+PONG\r\n"[..])];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", BLPOP)], "command BLPOP jobs: unanswered; waiting"),
            (&[(">", &BLPOP[..28])], "command BLPOP jobs: begun; request"),
            (
                &[(">", BLPOP), ("<", b"*-1\r\n")],
                "command BLPOP jobs: answered; between",
            ),
            (
                &[(">", BLPOP), ("<", b"*2\r\n$4\r\njobs\r\n")],
                "command BLPOP jobs: answer begun; response-body",
            ),
            (
                &[(">", BLPOP), ("<", b"*2\r\n$4\r\njobs\r\n$1\r\nx\r\n")],
                "command BLPOP jobs: answered; between",
            ),
            (
                &[(">", BLPOP), ("<", b"%1\r\n+a\r\n*2\r\n:1\r\n_\r\n")],
                "command BLPOP jobs: answered; between",
            ),
            (
                &[(">", PING), (">", b"get a\r\n"), ("<", b"+PONG\r\n")],
                "command PING: answered; command GET a: unanswered; waiting",
            ),
            (
                &[
                    (">", b"*2\r\n$4\r\nAUTH\r\n$2\r\nxy\r\n"),
                    ("<", b"-WRONGPASS no\r\n"),
                ],
                "command AUTH: answered; B: - WRONGPASS no; between",
            ),
            (
                &[
                    (">", b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"),
                    ("<", b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
                ],
                "between",
            ),
            (
                &[
                    (">", b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"),
                    (">", PING),
                    ("<", b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"),
                ],
                "command PING: unanswered; waiting",
            ),
            (
                &[(">", PING), ("<", b">2\r\n+invalidate\r\n*1\r\n+a\r\n")],
                "command PING: unanswered; waiting",
            ),
            (
                &[(">", b"*1\r\n$4\r\nQUIT\r\n"), ("<", b"+OK\r\n")],
                "goodbye; after",
            ),
            (
                &[
                    (">", b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"),
                    ("<", b"\0\x01"),
                ],
                "between",
            ),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            assert_eq!(
                told(6379, &all),
                format!("Redis; command PING: answered; {expected}")
            );
        }
    }

    #[test]
    fn a_refusal_may_be_all_that_is_said() {
        assert_eq!(
            told(1, &[("<", b"-ERR max number of clients reached\r\n")]),
            "Redis; B: - ERR max number of clients reached; before-request"
        );
    }

    #[test]
    fn a_command_on_a_line_is_redis_if_the_reply_is() {
        let ping: (&str, &[u8]) = (">", b"PING\r\n");
        assert_eq!(
            told(1, &[ping, ("<", b"+PONG\r\n")]),
            "Redis; command PING: answered; between"
        );
        assert_eq!(told(1, &[ping, ("<", b"PONG\r\n")]), "?; ?");
    }
}
