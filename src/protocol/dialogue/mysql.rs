//! The client/server protocol of MySQL and MariaDB (MySQL Source Code Documentation, "Client/Server Protocol"; MariaDB
//! documentation, "Clients & Utilities: Client/Server Protocol").

use std::collections::VecDeque;

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::statement;

/// Length and sequence number.
const HEADER: usize = 4;
/// A packet this long goes on in the next one.
const FULL: u32 = 0x00ff_ffff;
/// The longest greeting and error that are believed.
const MAX_GREETING: u32 = 1024;
/// Bytes that are waited for of an error, and of a query.
const MAX_ERROR: usize = 600;
const MAX_WORDS: usize = 400;
/// Bytes of a login that are waited for: its attributes stand at the end.
const MAX_LOGIN: usize = 1024;
/// Commands that are followed at once.
const MAX_QUEUE: usize = 4096;

/// Capabilities in the client's login.
const COMPRESS: u32 = 1 << 5;
const TLS: u32 = 1 << 11;
const DATABASE: u32 = 1 << 3;
const SECURE: u32 = 1 << 15;
const PLUGIN: u32 = 1 << 19;
const ATTRIBUTES: u32 = 1 << 20;
const LONG_AUTHENTICATION: u32 = 1 << 21;
const DEPRECATE_EOF: u32 = 1 << 24;
const ZSTD: u32 = 1 << 26;
/// Steps of a session that is not open yet.
const LOGIN_STEP: &str = "the login";
pub(crate) const PASSWORD_STEP: &str = "the server's request for the password itself";
/// The status of an answer that another one follows.
const MORE_RESULTS: u16 = 1 << 3;
/// The code of a progress report of MariaDB, which is sent as an error.
const PROGRESS: u16 = 0xffff;

/// What the server says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answer {
    /// Its greeting.
    #[default]
    Greeting,
    /// A step of the login.
    Login,
    /// Nothing that was asked for.
    Nothing,
    /// One packet: OK, an error, or the count of columns of a result set.
    Result,
    /// One packet, whatever it says.
    One,
    /// The answer to a prepared statement, which tells how many definitions follow.
    Prepared,
    /// Definitions until an EOF or as many as were announced, then rows.
    Definitions { left: u64, rows: bool },
    /// Rows until an EOF or OK. `first`: an EOF may still end the definitions.
    Rows { first: bool },
    /// So many packets: definitions without rows, and the EOFs after them.
    Packets { left: u64 },
    /// Events of a replication, without end.
    Events,
}

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    answer: Answer,
    /// The answers to the commands that were sent before that one was complete.
    queue: VecDeque<Answer>,
    /// The client's next packet belongs to the login.
    login: bool,
    /// The client sends a file, until an empty packet.
    file: bool,
    /// A packet of 16 MiB goes on.
    goes_on: [Option<bool>; 2],
    capabilities: u32,
    /// The server takes attributes of the connection.
    asks_attributes: bool,
    /// The server has accepted a login.
    open: bool,
    /// The client waits for the server's next step of the login.
    asked: bool,
}

fn header(bytes: &[u8]) -> Option<(u32, u8)> {
    match bytes {
        [a, b, c, sequence, ..] => Some((u32::from_le_bytes([*a, *b, *c, 0]), *sequence)),
        _ => None,
    }
}

fn short(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.first_chunk()?))
}

/// A number of one to nine bytes, and their count.
fn packed(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let size = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return Some((first.into(), 1)),
    };
    let value = bytes.get(1..=size)?;
    let value = value
        .iter()
        .rev()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    Some((value, size + 1))
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The first bytes are those of MySQL or MariaDB.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let words = |bytes: &[u8]| {
        let text = bytes.get(..bytes.len().min(8)).unwrap_or_default();
        is_text(text)
    };
    match header(opening.server) {
        Some((length, 0)) if !opening.midstream && length <= MAX_GREETING => {
            let body = opening.server.get(HEADER..).unwrap_or_default();
            match body {
                // The version of the protocol, then that of the server.
                [10, version @ ..] => {
                    let end = memchr::memchr(0, version);
                    let name = end.and_then(|end| version.get(..end));
                    name.is_some_and(|name| {
                        is_text(name) && name.first().is_some_and(u8::is_ascii_digit)
                    }) && length > 30
                }
                [0xff, low, high, text @ ..] => {
                    let code = u16::from_le_bytes([*low, *high]);
                    (1000..5000).contains(&code) && text.len() >= 8 && words(text)
                }
                _ => false,
            }
        }
        _ if opening.midstream && opening.port == 3306 => match header(opening.client) {
            Some((length, 0)) => {
                let body = opening.client.get(HEADER..).unwrap_or_default();
                match body {
                    [0x03 | 0x16, sql @ ..] => {
                        (8..FULL).contains(&length) && sql.len() >= 7 && words(sql)
                    }
                    [0x01 | 0x0e] => length == 1,
                    _ => false,
                }
            }
            _ => false,
        },
        _ => false,
    }
}

impl Messages for Grammar {
    fn new(opening: &Opening<'_>) -> Self {
        let begun = opening.midstream;
        Self {
            answer: if begun {
                Answer::Nothing
            } else {
                Answer::Greeting
            },
            login: !begun,
            open: begun,
            ..Self::default()
        }
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let Some((length, sequence)) = header(bytes) else {
            return match rest {
                Rest::MayCome => Step::More,
                Rest::NotCaptured => Step::Broken,
            };
        };
        let body = bytes.get(HEADER..).unwrap_or_default();
        let body = body
            .get(..body.len().min(length as usize))
            .unwrap_or_default();
        let telling = match (from, body.first()) {
            (Side::Server, Some(0xff)) => MAX_ERROR,
            (Side::Server, _) if self.answer == Answer::Greeting => MAX_GREETING as usize,
            (Side::Client, _) if self.login => MAX_LOGIN,
            (Side::Client, _) => MAX_WORDS,
            (Side::Server, _) => 40,
        };
        if body.len() < telling.min(length as usize) && rest == Rest::MayCome {
            return Step::More;
        }
        let whole = u64::from(length) + HEADER as u64;
        let goes_on = self.goes_on.get_mut(from as usize);
        if let Some(asks) = goes_on.as_ref().and_then(|it| **it) {
            // The rest of a packet of 16 MiB.
            let last = length < FULL;
            if last && let Some(goes_on) = goes_on {
                *goes_on = None;
            }
            return Step::Message(Unit::new(
                whole,
                match (from, asks) {
                    (_, false) => Role::Notice,
                    (Side::Client, true) => Role::Ask { ends: last },
                    (Side::Server, true) => Role::Answer { ends: false },
                },
            ));
        }
        let step = match from {
            Side::Client => self.asked(whole, sequence, body),
            Side::Server => self.answered(whole, sequence, body),
        };
        match step {
            Some(mut unit) => {
                if length == FULL
                    && let Some(goes_on) = self.goes_on.get_mut(from as usize)
                {
                    *goes_on = Some(unit.role != Role::Notice);
                    if let Role::Ask { ends } = &mut unit.role {
                        *ends = false;
                    }
                }
                Step::Message(unit)
            }
            None => Step::Broken,
        }
    }
}

impl Grammar {
    fn asked(&mut self, whole: u64, sequence: u8, body: &[u8]) -> Option<Unit> {
        let ask = |ends| Unit::new(whole, Role::Ask { ends });
        if self.file {
            self.file = !body.is_empty();
            return Some(ask(!self.file).named("file", b""));
        }
        if self.login {
            return Some(self.logs_in(whole, body));
        }
        if sequence != 0 || self.capabilities & (COMPRESS | ZSTD) != 0 {
            return None;
        }
        let (command, words) = body.split_first()?;
        let answer = match command {
            0x03 | 0x17 | 0xfa | 0x0a => Answer::Result,
            0x16 => Answer::Prepared,
            0x04 => Answer::Definitions {
                left: u64::MAX,
                rows: false,
            },
            0x1c => Answer::Rows { first: false },
            0x11 => {
                self.login = true;
                Answer::Login
            }
            0x12 | 0x1e => Answer::Events,
            0x01 | 0x18 | 0x19 => Answer::Nothing,
            _ => Answer::One,
        };
        let name: &[u8] = match command {
            0x01 => return Some(Unit::new(whole, Role::Goodbye)),
            // The server never answers these.
            0x18 | 0x19 => return Some(Unit::new(whole, Role::Notice)),
            0x03 | 0x16 => {
                self.expect(answer);
                let text = statement(query(words, self.capabilities));
                return Some(ask(true).named("query", &text));
            }

            0x02 => b"COM_INIT_DB",
            0x04 => b"COM_FIELD_LIST",
            0x07 => b"COM_REFRESH",
            0x08 => b"COM_SHUTDOWN",
            0x09 => b"COM_STATISTICS",
            0x0a => b"COM_PROCESS_INFO",
            0x0c => b"COM_PROCESS_KILL",
            0x0d => b"COM_DEBUG",
            0x0e => b"COM_PING",
            0x11 => b"COM_CHANGE_USER",
            0x12 => b"COM_BINLOG_DUMP",
            0x15 => b"COM_REGISTER_SLAVE",
            0x17 => b"COM_STMT_EXECUTE",
            0x1a => b"COM_STMT_RESET",
            0x1b => b"COM_SET_OPTION",
            0x1c => b"COM_STMT_FETCH",
            0x1e => b"COM_BINLOG_DUMP_GTID",
            0x1f => b"COM_RESET_CONNECTION",
            0xfa => b"COM_STMT_BULK_EXECUTE",
            _ => b"",
        };
        self.expect(answer);
        Some(ask(true).named("command", name))
    }

    /// This answers the client's command, behind what is still to be answered.
    fn expect(&mut self, answer: Answer) {
        match self.answer {
            Answer::Nothing => self.answer = answer,
            _ if self.queue.len() < MAX_QUEUE => self.queue.push_back(answer),
            _ => {}
        }
    }

    /// A packet of the client while it logs in.
    fn logs_in(&mut self, whole: u64, body: &[u8]) -> Unit {
        if self.answer == Answer::Greeting {
            self.answer = Answer::Login;
            let old = short(body).map(u32::from);
            let new = body.first_chunk().map(|it| u32::from_le_bytes(*it));
            // The protocol before 4.1 has two bytes of them.
            let capabilities = new.filter(|_| body.len() >= 32).or(old).unwrap_or(0);
            self.capabilities = capabilities;
            if capabilities & TLS != 0 && body.len() == 32 {
                // TLS begins now; the login comes inside.
                self.answer = Answer::Greeting;
                return Unit::new(whole, Role::Notice);
            }
            let login = Unit::new(whole, Role::Ask { ends: true })
                .named("login", b"")
                .safe(true);
            let login = login.at(LOGIN_STEP);
            self.asked = true;
            return match attributes(body, capabilities) {
                Some([name, version]) => login.by(&name, &version).shaped(b"attributes"),
                None if self.asks_attributes => login.shaped(b"login"),
                None => login,
            };
        }
        self.asked = true;
        Unit::new(whole, Role::Ask { ends: true })
            .named("authentication", b"")
            .safe(true)
    }

    fn answered(&mut self, whole: u64, sequence: u8, body: &[u8]) -> Option<Unit> {
        let unit = self.part(whole, sequence, body)?;
        if self.answer == Answer::Nothing {
            self.answer = self.queue.pop_front().unwrap_or(Answer::Nothing);
        }
        Some(unit)
    }

    fn part(&mut self, whole: u64, sequence: u8, body: &[u8]) -> Option<Unit> {
        let answer = |ends| Unit::new(whole, Role::Answer { ends });
        if let Some((code, state, text)) = error(body) {
            if code == PROGRESS {
                return Some(answer(false));
            }
            let unit = answer(true);
            let said = said(code, state);
            let over = matches!(
                self.answer,
                Answer::Greeting | Answer::Login | Answer::Nothing
            );
            self.answer = Answer::Nothing;
            // Who is turned away has the answer.
            let refused = std::mem::take(&mut self.asked);
            return Some(match over {
                true if refused => unit.complaining(&said, text).fatal().at(""),
                true => unit.complaining(&said, text).fatal(),
                false => unit.complaining(&said, text),
            });
        }
        Some(match self.answer {
            // A greeting of the server is asked for by nobody.
            Answer::Greeting if sequence == 0 => {
                let greeting = Unit::new(whole, Role::Notice);
                let version = body
                    .get(1..)
                    .and_then(|it| it.split(|byte| *byte == 0).next());
                let greeting = greeting.by(version.unwrap_or_default(), b"");
                match capabilities(body) {
                    Some(offered) => {
                        self.asks_attributes = offered & ATTRIBUTES != 0;
                        greeting.offering_tls(offered & TLS != 0)
                    }
                    None => greeting,
                }
            }
            Answer::Greeting | Answer::Login => self.logged_in(whole, body)?,
            Answer::Nothing => Unit::new(whole, Role::Notice),
            Answer::One => {
                self.answer = Answer::Nothing;
                answer(true)
            }
            Answer::Events => {
                // It is served; what follows comes as it happens.
                self.answer = Answer::Nothing;
                answer(true)
            }
            Answer::Result => answer(self.result(body)?),
            Answer::Prepared => answer(self.prepared(body)?),
            Answer::Definitions { left, rows } => {
                answer(self.definition(left, rows, is_end(body, whole)))
            }
            Answer::Rows { first } => answer(self.row(first, is_end(body, whole), body)),
            Answer::Packets { left } => answer(self.packet(left)),
        })
    }

    /// A step of the server while the client logs in.
    fn logged_in(&mut self, whole: u64, body: &[u8]) -> Option<Unit> {
        let ends = match body {
            [0x00, ..] => {
                self.login = false;
                self.open = true;
                self.answer = Answer::Nothing;
                true
            }
            // The password was right, or is known already; OK follows.
            [0x01, 0x03] => false,
            // Another method, or more of this one.
            [0xfe | 0x01 | 0x02, ..] => true,
            _ => return None,
        };
        self.asked &= !ends;
        let unit = Unit::new(whole, Role::Answer { ends });
        Some(match body {
            _ if self.open => unit.at(""),
            // The password itself is wanted, which a client sends under TLS or under the server's key alone.
            [0x01, 0x04] => unit.at(PASSWORD_STEP),
            _ => unit,
        })
    }

    /// The first packet that answers a command; `None` if it is none.
    fn result(&mut self, body: &[u8]) -> Option<bool> {
        match body.first()? {
            0x00 => Some(self.is_last(ok_status(body))),
            0xfe if body.len() < 9 => Some(self.is_last(short(body.get(3..)?))),
            // The server asks for a file of the client.
            0xfb => {
                self.file = true;
                self.answer = Answer::Result;
                Some(true)
            }
            _ => {
                let (count, size) = packed(body)?;
                // MariaDB may leave the definitions out, if it sent them before.
                let known = body.get(size) == Some(&0);
                self.answer = match known {
                    true => Answer::Rows { first: true },
                    false => Answer::Definitions {
                        left: count,
                        rows: true,
                    },
                };
                Some(false)
            }
        }
    }

    /// Whether this answer is the last one; if not, another begins.
    fn is_last(&mut self, status: Option<u16>) -> bool {
        let more = status.unwrap_or(0) & MORE_RESULTS != 0;
        self.answer = if more {
            Answer::Result
        } else {
            Answer::Nothing
        };
        !more
    }

    fn definition(&mut self, left: u64, rows: bool, is_end: bool) -> bool {
        if !rows && is_end {
            self.answer = Answer::Nothing;
            return true;
        }
        self.answer = match left.saturating_sub(1) {
            0 => Answer::Rows { first: true },
            left => Answer::Definitions { left, rows },
        };
        false
    }

    fn row(&mut self, first: bool, is_end: bool, body: &[u8]) -> bool {
        // An EOF has five bytes, and the OK that takes its place has more; only the latter ends without one before.
        let classic = body.len() == 5;
        match is_end {
            true if first && classic => {
                self.answer = Answer::Rows { first: false };
                let status = body.get(3..).and_then(short).unwrap_or(0);
                // A cursor is open: the rows are fetched by other commands.
                let cursor = status & 0x40 != 0;
                if cursor {
                    self.answer = Answer::Nothing;
                }
                cursor
            }
            true if classic => {
                let status = body.get(3..).and_then(short);
                self.is_last(status)
            }
            true => {
                let status = ok_status(body);
                self.is_last(status)
            }
            false => {
                self.answer = Answer::Rows { first };
                false
            }
        }
    }

    fn prepared(&mut self, body: &[u8]) -> Option<bool> {
        let [0x00, rest @ ..] = body else {
            return None;
        };
        let columns = u64::from(short(rest.get(4..)?)?);
        let parameters = u64::from(short(rest.get(6..)?)?);
        let blocks = u64::from(columns > 0) + u64::from(parameters > 0);
        let eofs = match self.capabilities & DEPRECATE_EOF {
            0 => blocks,
            _ => 0,
        };
        Some(self.packet(columns + parameters + eofs + 1))
    }

    fn packet(&mut self, left: u64) -> bool {
        self.answer = match left {
            0 | 1 => Answer::Nothing,
            left => Answer::Packets { left: left - 1 },
        };
        left <= 1
    }
}

/// The text of a query. With attributes of queries (MySQL 8) something stands before it.
fn query(words: &[u8], capabilities: u32) -> &[u8] {
    const OF_QUERIES: u32 = 1 << 27;
    match words {
        // No parameters, one set of them.
        [0, 1, sql @ ..] if capabilities & OF_QUERIES != 0 => sql,
        _ if words.first().is_some_and(|byte| *byte < 9) => b"",
        _ => words,
    }
}

/// The capabilities in the greeting: behind the version, the number of the connection, the first bytes of the challenge and a
/// zero; their upper half behind the character set and the status.
fn capabilities(greeting: &[u8]) -> Option<u32> {
    let end = memchr::memchr(0, greeting)?;
    let rest = greeting.get(end + 1 + 4 + 8 + 1..)?;
    let high = rest.get(5..).and_then(short).unwrap_or(0);
    Some(u32::from(short(rest)?) | u32::from(high) << 16)
}

/// The name of the client library and its version in the attributes of a login. The name of a program of MySQL itself stands
/// behind that of its library.
fn attributes(login: &[u8], capabilities: u32) -> Option<[Vec<u8>; 2]> {
    if capabilities & ATTRIBUTES == 0 {
        return None;
    }
    let has = |flag: u32| capabilities & flag != 0;
    let text = |bytes: &[u8]| memchr::memchr(0, bytes).map(|end| end + 1);
    let mut at = 32;
    at += text(login.get(at..)?)?;
    let rest = login.get(at..)?;
    at += match (has(LONG_AUTHENTICATION), has(SECURE)) {
        (true, _) => {
            let (length, size) = packed(rest)?;
            size.checked_add(usize::try_from(length).ok()?)?
        }
        (false, true) => 1 + usize::from(*rest.first()?),
        (false, false) => text(rest)?,
    };
    for flag in [DATABASE, PLUGIN] {
        if has(flag) {
            at += text(login.get(at..)?)?;
        }
    }
    let (_, size) = packed(login.get(at..)?)?;
    let mut rest = login.get(at + size..)?;
    let mut next = || {
        let (length, size) = packed(rest)?;
        let end = size.checked_add(usize::try_from(length).ok()?)?;
        let value = rest.get(size..end)?;
        rest = rest.get(end..)?;
        Some(value)
    };
    let (mut name, mut version, mut program) = (&b""[..], &b""[..], &b""[..]);
    while let Some((key, value)) = next().zip(next()) {
        match key {
            b"_client_name" => name = value,
            b"_client_version" => version = value,
            b"program_name" => program = value,
            _ => {}
        }
    }
    let name = [name, b" ", program].concat();
    Some([name.trim_ascii().to_vec(), version.to_vec()])
}

/// An EOF, or the OK that takes its place. A row that begins so has a value of 16 MiB and more.
fn is_end(body: &[u8], whole: u64) -> bool {
    body.first() == Some(&0xfe) && whole < u64::from(FULL)
}

/// The status in an OK: it follows two packed numbers.
fn ok_status(body: &[u8]) -> Option<u16> {
    let rest = body.get(1..)?;
    let (_, first) = packed(rest)?;
    let (_, second) = packed(rest.get(first..)?)?;
    short(rest.get(first + second..)?)
}

/// The code, the SQLSTATE and the text of an error.
fn error(body: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let [0xff, rest @ ..] = body else {
        return None;
    };
    let (code, text) = (short(rest)?, rest.get(2..)?);
    Some(match text.strip_prefix(b"#") {
        Some(text) if text.len() >= 5 => (code, text.get(..5)?, text.get(5..)?),
        _ => (code, b"", text),
    })
}

/// The code and the SQLSTATE in one.
fn said(code: u16, state: &[u8]) -> Vec<u8> {
    let mut said = code.to_string().into_bytes();
    if !state.is_empty() {
        said.extend_from_slice(b" (");
        said.extend_from_slice(state);
        said.push(b')');
    }
    said
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    const GREETING: &[u8] = b"\x4a\0\0\0\x0a8.0.36\0aaaabbbbbbbb\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0bbbbbbbbbbbb\0mysql_native_password\0";
    const LOGIN: &[u8] = b"\x24\0\0\x01\x85\xa2\x1e\x00\0\0\0\x40\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0me\0\0";
    const OK: &[u8] = b"\x07\0\0\x02\0\0\0\x02\0\0\0";
    const QUERY: &[u8] = b"\x09\0\0\0\x03select 1";
    const COLUMNS: &[u8] = b"\x01\0\0\x01\x01\x03\0\0\x02def";
    const EOF: &[u8] = b"\x05\0\0\x03\xfe\0\0\x02\0";
    const ROW: &[u8] = b"\x02\0\0\x04\x011";
    const LAST: &[u8] = b"\x07\0\0\x05\xfe\0\0\x02\0\0\0";
    const DENIED: &[u8] = b"\x10\0\0\x02\xff\x15\x04#28000denied!";
    const KILLED: &[u8] = b"\x0f\0\0\0\xff\x87\x07#70100killed";

    #[test]
    fn whose_turn_it_is() {
        let open = [("<", GREETING), (">", LOGIN), ("<", OK)];
        let all = |answers: &[&[u8]]| answers.concat();
        let classic = all(&[COLUMNS, EOF, ROW, EOF]);
        let short = all(&[COLUMNS, ROW, LAST]);
        let none = all(&[COLUMNS, LAST]);
        let begun = all(&[COLUMNS, EOF, ROW]);
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (&[(">", QUERY)], "query select 1: unanswered; waiting"),
            (&[(">", &QUERY[..7])], "request"),
            (
                &[(">", QUERY), ("<", &classic)],
                "query select 1: answered; between",
            ),
            (
                &[(">", QUERY), ("<", &short)],
                "query select 1: answered; between",
            ),
            (
                &[(">", QUERY), ("<", &none)],
                "query select 1: answered; between",
            ),
            (
                &[(">", QUERY), ("<", &begun)],
                "query select 1: answer begun; response-body",
            ),
            (
                &[(">", QUERY), ("<", OK)],
                "query select 1: answered; between",
            ),
            (
                &[
                    (">", QUERY),
                    ("<", b"\x07\0\0\x01\0\0\0\x0a\0\0\0"),
                    ("<", OK),
                ],
                "query select 1: answered; between",
            ),
            (
                &[
                    (">", QUERY),
                    ("<", b"\x02\0\0\x01\xfbf"),
                    (">", b"\x01\0\0\x02x"),
                    (">", b"\0\0\0\x03"),
                    ("<", OK),
                ],
                "query select 1: answered; file: answered; between",
            ),
            (
                &[
                    (">", b"\x05\0\0\0\x19\x01\0\0\0"),
                    (">", b"\x01\0\0\0\x0e"),
                    ("<", OK),
                ],
                "command COM_PING: answered; between",
            ),
            (
                &[
                    (">", b"\x04\0\0\0\x16a=?"),
                    ("<", b"\x0c\0\0\x01\0\x01\0\0\0\0\0\x01\0\0\0\0"),
                    ("<", b"\x03\0\0\x02def"),
                    ("<", EOF),
                ],
                "query a=?: answered; between",
            ),
            (
                &[(">", QUERY), (">", QUERY), ("<", &classic), ("<", OK)],
                "query select 1: answered; query select 1: answered; between",
            ),
            (
                &[(">", QUERY), ("<", DENIED)],
                "query select 1: answered; B: 1045 (28000) denied!; between",
            ),
            (&[("<", KILLED)], "B: 1927 (70100) killed; between"),
            (&[(">", b"\x01\0\0\0\x01")], "goodbye; after"),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            let told = told(3306, &all);
            assert_eq!(told, format!("MySQL; login: answered; {expected}"));
        }
    }

    #[test]
    fn a_session_may_end_before_it_begins() {
        let many = b"\x17\0\0\0\xff\x10\x04Too many connections";
        assert_eq!(
            told(1, &[("<", many)]),
            "MySQL; B: 1040 Too many connections; before-request"
        );
        assert_eq!(
            told(1, &[("<", GREETING), (">", LOGIN), ("<", DENIED)]),
            "MySQL; login: answered; B: 1045 (28000) denied!; between"
        );
        assert_eq!(told(1, &[("<", GREETING)]), "MySQL; before-request");
        let switch = b"\x0b\0\0\x02\xfedialog\0abc";
        assert_eq!(
            told(
                1,
                &[
                    ("<", GREETING),
                    (">", LOGIN),
                    ("<", switch),
                    (">", b"\x03\0\0\x03pw\0"),
                    ("<", OK)
                ]
            ),
            "MySQL; login: answered; authentication: answered; between"
        );
    }

    #[test]
    fn a_password_is_never_told() {
        let set = b"\x26\0\0\0\x03alter user a identified by 'secret' ;";
        let said = told(1, &[("<", GREETING), (">", LOGIN), ("<", OK), (">", set)]);
        assert_eq!(
            said,
            "MySQL; login: answered; query alter user a: unanswered; waiting"
        );
    }
}
