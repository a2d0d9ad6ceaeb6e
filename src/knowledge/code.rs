//! Error codes that systems, proxies and protocols write for a connection's end, and the recognition of codes in a
//! text.
//!
//! `codes.tsv` has one row per code. `SD` or `52` is a code only where a log would write one, so each family names the
//! words that must precede its codes. A text that is a single word is always looked up.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::basis::Basis;
use super::table::{self, field};
use super::wire_event::WireEvent;

/// The system, program or protocol that defines a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// An error of a system call: names, and the numbers of Linux and of Windows Sockets.
    Errno,
    /// A Windows error, also as the low half of an HRESULT.
    Win32,
    /// HAProxy's termination state: its first two letters.
    Haproxy,
    /// Envoy's response flags.
    Envoy,
    /// An HTTP status.
    Status,
    /// curl's exit code.
    Curl,
    /// A TLS alert.
    TlsAlert,
}

impl Family {
    /// The family's name as shown to the user.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Errno => "system error",
            Self::Win32 => "Windows error",
            Self::Haproxy => "HAProxy termination state",
            Self::Envoy => "Envoy response flag",
            Self::Status => "HTTP status",
            Self::Curl => "curl exit code",
            Self::TlsAlert => "TLS alert",
        }
    }

    /// The name of a log's field with such codes, without the product.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Haproxy => "termination state",
            Self::Envoy => "response flag",
            other => other.title(),
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "errno" => Self::Errno,
            "win32" => Self::Win32,
            "haproxy" => Self::Haproxy,
            "envoy" => Self::Envoy,
            "status" => Self::Status,
            "curl" => Self::Curl,
            "tls-alert" => Self::TlsAlert,
            _ => return None,
        })
    }
}

/// One code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The code's family.
    pub family: Family,
    /// The code as logs write it.
    pub code: &'static str,
    /// Other spellings, separated by blanks.
    pub aliases: &'static str,
    /// What the code means. Of a row that nobody has checked, it says that it is presumed.
    pub meaning: Cow<'static, str>,
    /// The wire events it stands for, likeliest first.
    pub events: Vec<WireEvent>,
    /// Rules in addition to those of the events.
    pub rules: Vec<&'static str>,
    /// A further remark.
    pub note: Option<&'static str>,
    /// How it is known.
    pub basis: Basis,
    /// The version of the product or of the standard with which it was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All codes.
pub(crate) static CODES: LazyLock<Vec<Code>> = LazyLock::new(|| {
    table::rows(include_str!("codes.tsv"))
        .filter_map(
            |[
                family,
                code,
                aliases,
                meaning,
                events,
                rules,
                note,
                basis,
                version,
                source,
            ]| {
                let basis = Basis::named(basis);
                Some(Code {
                    family: Family::named(family)?,
                    code,
                    aliases,
                    meaning: match basis.is_presumed() {
                        true => Cow::Owned(match meaning.strip_suffix(')') {
                            Some(named) => format!("{named}, presumed)"),
                            None => format!("{meaning} (presumed)"),
                        }),
                        false => Cow::Borrowed(meaning),
                    },
                    events: events.split(' ').filter_map(WireEvent::named).collect(),
                    rules: rules.split(' ').filter(|it| !it.is_empty()).collect(),
                    note: field(note),
                    basis,
                    version,
                    source,
                })
            },
        )
        .collect()
});

/// `HRESULT_FROM_WIN32`: severity error, facility 7.
const HRESULT_WIN32: u32 = 0x8007_0000;

/// The code of a line in the log of a proxy, by the kind of its text in `error_texts.tsv`.
#[must_use]
pub fn code_of(kind: &str, text: &str) -> Option<&'static Code> {
    let family = match kind {
        "termination_state" => Family::Haproxy,
        "response flag" => Family::Envoy,
        _ => return None,
    };
    let mut codes = CODES.iter().filter(|it| it.family == family);
    codes.find(|it| text.trim_end_matches('-') == it.code)
}

/// The codes in a text, in order of appearance, without repetitions.
#[must_use]
pub(crate) fn codes_in(text: &str) -> Vec<&'static Code> {
    let words: Vec<&str> = words(text).collect();
    let alone = words.len() == 1;
    let mut found: Vec<&'static Code> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = WordBefore::new(&words, index);
        for code in CODES.iter() {
            let after = words.get(index + 1).copied();
            let reasoned = code.family == Family::Status
                && code.code == *word
                && after.is_some_and(|it| has_reason(word, it));
            if (reasoned || is(code, word, before, alone)) && !found.contains(&code) {
                found.push(code);
            }
        }
    }
    // HTTP/2 has error codes of the same names.
    let lower = text.to_ascii_lowercase();
    let tls = alone || ["alert", "ssl", "tls"].iter().any(|it| lower.contains(it));
    found.retain(|it| tls || it.family != Family::TlsAlert);
    found
}

/// The words of a system for its errors, in lower case.
const SYSTEM_WORDS: &[(&str, &str)] = &[
    ("connection reset by peer", "ECONNRESET"),
    ("connection reset", "ECONNRESET"),
    (
        "an existing connection was forcibly closed by the remote host",
        "ECONNRESET",
    ),
    ("broken pipe", "EPIPE"),
    ("connection timed out", "ETIMEDOUT"),
    ("connection refused", "ECONNREFUSED"),
    ("no route to host", "EHOSTUNREACH"),
    ("network is unreachable", "ENETUNREACH"),
    ("cannot assign requested address", "EADDRNOTAVAIL"),
];

/// The error of a system call, where the text is its words and, at most, types before them: nothing in it says which
/// program it was, or when.
#[must_use]
pub(super) fn system_error(text: &str) -> Option<&'static Code> {
    let mut clauses: Vec<&str> = text.trim().split(": ").collect();
    let said = clauses.pop()?;
    if !clauses
        .iter()
        .all(|it| !it.trim().contains(char::is_whitespace))
    {
        return None;
    }
    // `[Errno 104] …`, `… (os error 104)`, `… (Connection refused)`.
    let said = match said.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((_, rest)) => rest,
        None => said,
    };
    let said = said.split(" (").next()?;
    let said = said.trim_matches(|it: char| !it.is_alphanumeric());
    let known = SYSTEM_WORDS
        .iter()
        .find(|(words, _)| words.eq_ignore_ascii_case(said));
    let (_, name) = known?;
    let errno = |it: &&Code| it.family == Family::Errno && it.code == *name;
    CODES.iter().find(errno)
}

/// Words, split where logs split them: `curl: (52)` and `errno=-104` yield their numbers alone, `0x800704CD` and `sD--`
/// stay whole.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '-')))
        .map(|it| {
            it.strip_prefix('-')
                .filter(|rest| rest.len() < 6)
                .unwrap_or(it)
        })
        .filter(|it| !it.is_empty())
}

/// Whether a status is followed by the first word of its reason phrase: `502 Bad Gateway`.
fn has_reason(status: &str, after: &str) -> bool {
    let reason = match status {
        "407" => "Proxy",
        "408" | "431" => "Request",
        "413" => "Content Payload Request",
        "417" => "Expectation",
        "502" => "Bad",
        "503" => "Service",
        "504" => "Gateway",
        _ => return false,
    };
    reason.split(' ').any(|it| it.eq_ignore_ascii_case(after))
}

/// The two words before a word.
#[derive(Clone, Copy)]
struct WordBefore<'a> {
    last: &'a str,
    last_but_one: &'a str,
}

impl<'a> WordBefore<'a> {
    fn new(words: &[&'a str], index: usize) -> Self {
        let back = |by| {
            index
                .checked_sub(by)
                .and_then(|at: usize| words.get(at))
                .copied()
        };
        Self {
            last: back(1).unwrap_or(""),
            last_but_one: back(2).unwrap_or(""),
        }
    }

    fn is_one_of(self, cues: &[&str]) -> bool {
        let cue = |word: &str| cues.iter().any(|cue| word.eq_ignore_ascii_case(cue));
        cue(self.last)
            || cue(self.last_but_one)
                && matches!(
                    self.last,
                    "is" | "code" | "error" | "number" | "status" | "with"
                )
    }
}

fn is(code: &Code, word: &str, before: WordBefore<'_>, alone: bool) -> bool {
    let spelled = || code.code == word || code.aliases.split(' ').any(|alias| alias == word);
    let named = || {
        let same = |it: &str| {
            it.len() > 2
                && it.eq_ignore_ascii_case(word)
                && it.contains(|c: char| c.is_ascii_alphabetic())
        };
        same(code.code) || code.aliases.split(' ').any(same)
    };
    match code.family {
        Family::Errno => {
            // Five digits are certainly Windows Sockets; shorter numbers need a word before them that announces a code.
            let numbered = alone
                || word.len() == 5
                || before.is_one_of(&["errno", "error", "code", "failed", "ErrorCode"]);
            let number = win32_of_hresult(word).filter(|it| it.len() == 5);
            let spelled_as = |number: &str| code.aliases.split(' ').any(|alias| alias == number);
            named() || numbered && spelled() || number.is_some_and(|it| spelled_as(&it))
        }
        Family::Win32 => {
            let number = win32_of_hresult(word);
            let numbered = alone
                || word.len() == 5
                || before.is_one_of(&["win32", "error", "code", "win32-status"]);
            named() || number.is_some_and(|it| code.code == it) || numbered && spelled()
        }
        Family::Haproxy => {
            // Case matters: `SD` means that the server aborted, `sD` that it timed out. In a log the state has four
            // characters.
            let state = word.len() == 4
                && word.starts_with(code.code)
                && word.ends_with(|it: char| it == '-' || it.is_ascii_uppercase());
            let flagged = before.is_one_of(&["haproxy", "state"]);
            state && word.contains('-') || (alone || flagged) && code.code == word
        }
        Family::Envoy => {
            let after_status =
                before.last.len() == 3 && before.last.bytes().all(|it| it.is_ascii_digit());
            let flagged = before.is_one_of(&["envoy", "flag", "flags", "response_flags"]);
            (alone || after_status || flagged) && code.code == word
        }
        Family::Status => {
            let cued = before.is_one_of(&[
                "status",
                "http",
                "code",
                "elb_status_code",
                "status_code",
                "statusCode",
                "response_code",
                "upstream_status",
            ])
                || before.last == "1" && before.last_but_one == "HTTP" // `HTTP/1.1" 499`, split at the dot
                || before.last == "1" && before.last_but_one == "1"
                || before.last == "error" && before.last_but_one == "returned";
            (alone || cued) && code.code == word
        }
        Family::Curl => {
            let cued = before.is_one_of(&["curl", "exit", "CURLcode"]);
            named()
                && code.aliases.starts_with("CURLE")
                && !code.aliases.is_empty()
                && !alone_number(word)
                || (alone || cued) && code.code == word
        }
        Family::TlsAlert => {
            let cued = before.is_one_of(&["alert"]) || before.last.eq_ignore_ascii_case("number");
            cued && code.code == word || named() && word.contains('_')
        }
    }
}

fn alone_number(word: &str) -> bool {
    word.bytes().all(|it| it.is_ascii_digit())
}

/// The Windows error in an HRESULT, written as `0x800704CD` or as the signed decimal that some logs print.
fn win32_of_hresult(word: &str) -> Option<String> {
    let value = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None if word.len() == 8 && word.starts_with("8007") => {
            u32::from_str_radix(word, 16).ok()?
        }
        None => {
            let digits = word.strip_prefix('-')?;
            let negative = digits.parse::<i64>().ok().map(|it| -it)?;
            u32::from_ne_bytes(i32::try_from(negative).ok()?.to_ne_bytes())
        }
    };
    (value & 0xFFFF_0000 == HRESULT_WIN32).then(|| (value & 0xFFFF).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::basis::is_told;
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<10>(include_str!("codes.tsv"));
        assert_eq!(CODES.len(), include_str!("codes.tsv").lines().count() - 1);
        for row in table::rows::<10>(include_str!("codes.tsv")) {
            for event in row[4].split(' ').filter(|it| !it.is_empty()) {
                assert!(WireEvent::named(event).is_some(), "{row:?}");
            }
            assert!(is_told(row[7], row[8], row[9]), "{row:?}");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = codes_in(text)
            .iter()
            .map(|it| format!("{:?} {}", it.family, it.code))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn alone() {
        check("10048", &["Errno EADDRINUSE"]);
        check("WSAECONNRESET", &["Errno ECONNRESET"]);
        check("econnreset", &["Errno ECONNRESET"]);
        check("EPIPE", &["Errno EPIPE"]);
        check("499", &["Status 499"]);
        check("460", &["Status 460"]);
        check("SD", &["Haproxy SD"]);
        check("sD", &["Haproxy sD"]);
        check("sC--", &["Haproxy sC"]);
        check("UC", &["Envoy UC"]);
        check("LR", &["Haproxy LR", "Envoy LR"]);
        check("52", &["Curl 52"]);
        check("0x80070032", &["Win32 50"]);
        check("0x800704CD", &["Win32 1229"]);
        check("0x800704cd", &["Win32 1229"]);
        check("-2147023667", &["Win32 1229"]);
        check("0x80072746", &["Errno ECONNRESET"]);
        check("ERROR_NETNAME_DELETED", &["Win32 64"]);
        check("CURLE_GOT_NOTHING", &["Curl 52"]);
        check("", &[]);
        check("nonsense", &[]);
    }

    #[test]
    fn in_company() {
        check("curl: (52) Empty reply from server", &["Curl 52"]);
        check(
            "read failed: [Errno 104] Connection reset by peer",
            &["Errno ECONNRESET"],
        );
        check(
            "Error: read ECONNRESET code=ECONNRESET errno=-104",
            &["Errno ECONNRESET"],
        );
        check(
            "tcp connect error: Connection refused (os error 111)",
            &["Errno ECONNREFUSED"],
        );
        check(
            "SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:SSL alert number 40",
            &["TlsAlert 40"],
        );
        check(
            "Nov 20 12:00:00 lb haproxy[7]: 10.0.0.1:4711 [20/Nov] web be/s1 0/0/1/-1/30001 504 194 - - sH-- 1/1/0/0/0 0/0",
            &["Haproxy sH"],
        );
        check(
            r#"[2024-05-01T10:00:00.000Z] "GET /x HTTP/1.1" 503 UC 0 95 12 - "-""#,
            &["Status 503", "Envoy UC"],
        );
        check(
            r#"10.0.0.1 - - [20/Nov/2025:10:00:00 +0000] "GET /x HTTP/1.1" 499 0 "-" "curl""#,
            &["Status 499"],
        );
        check("The error code is 0x800704CD.", &["Win32 1229"]);
    }

    #[test]
    fn a_number_in_a_sentence_is_no_code() {
        check("we saw 52 errors and 499 users in 64 rooms", &[]);
        check("the SD card is full", &[]);
    }
}
