//! What of a pasted text says what went wrong.
//!
//! In: a text as it was copied from a terminal, a log or a ticket. Out: the same without colours, quotes around it, the
//! frames of stack traces and the source lines in them, with the fields of JSON as lines; and the innermost cause, where
//! the text is a chain of causes.

use serde_json::Value;

use super::fuzzy_match::is_frame;

/// A pasted text, cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pasted {
    /// What is compared with known texts.
    pub(super) text: String,
    /// The innermost cause, if the text names causes.
    pub(super) innermost: Option<String>,
    /// Lines of stack traces that were left aside.
    pub(super) frames: usize,
}

/// Cleans a pasted text.
#[must_use]
pub(super) fn pasted(text: &str) -> Pasted {
    let plain = without_colours(text);
    let plain = unquoted(plain.trim());
    let fields = of_json(plain).unwrap_or_else(|| {
        let lines = plain.lines().map(|line| {
            let line = line.strip_prefix("> ").unwrap_or(line);
            of_json(line).unwrap_or_else(|| broken_lines(line))
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    let (text, frames) = without_frames(&fields);
    Pasted {
        innermost: innermost(&text),
        text,
        frames,
    }
}

/// The text without escape sequences, also those that lost their escape character when they were copied, and without
/// other control characters.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = colour(rest) {
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        if !next.is_control() || matches!(next, '\n' | '\t') {
            plain.push(next);
        }
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    plain
}

/// The length of an escape sequence at the beginning of a text: `ESC [ 1 ; 31 m`, `\u001b[31m`, `\x1b[0m`, `^[[0m`, `[31m`.
fn colour(text: &str) -> Option<usize> {
    let spelt = [
        "\u{1b}", "\\u001b", "\\u001B", "\\x1b", "\\x1B", "\\033", "\\e", "^[",
    ];
    let escape = spelt.iter().find_map(|it| text.strip_prefix(it));
    let after = escape.unwrap_or(text).strip_prefix('[')?;
    let end = after.find(|it: char| !(it.is_ascii_digit() || matches!(it, ';' | '?')))?;
    let last = after.get(end..)?.chars().next()?;
    // Without the escape character only what can be nothing else is taken for a colour.
    let ends = match escape {
        Some(_) => last.is_ascii_alphabetic(),
        None => last == 'm' && (end > 0),
    };
    ends.then(|| text.len() - after.len() + end + 1)
}

/// Line ends that were written as `\n`, where it is certain that they were: before a frame or a cause.
fn broken_lines(text: &str) -> String {
    let written = [
        "\\n\\tat ",
        "\\n    at ",
        "\\nCaused by",
        "\\n  File ",
        "\\n   at ",
    ];
    match written.iter().any(|it| text.contains(it)) {
        true => text
            .replace("\\r", "")
            .replace("\\n", "\n")
            .replace("\\t", "\t"),
        false => text.to_owned(),
    }
}

/// The text without quotation marks around the whole of it.
fn unquoted(text: &str) -> &str {
    let pairs = [
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("“", "”"),
        ("„", "“"),
        ("«", "»"),
    ];
    let inside = pairs.iter().find_map(|(open, close)| {
        let inside = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inside.contains(open) && !inside.contains(close)).then_some(inside)
    });
    inside.map_or(text, str::trim)
}

/// Fields of a JSON log that say something, in the order in which they are read.
const WORDED: &[&str] = &[
    "msg",
    "message",
    "@message",
    "log",
    "text",
    "textpayload",
    "error",
    "err",
    "errmsg",
    "error_message",
    "error.message",
    "reason",
    "detail",
    "details",
    "description",
    "exception",
    "exc_info",
    "cause",
    "stack",
    "stack_trace",
    "stacktrace",
    "error.stack_trace",
    "code",
    "errno",
    "response_flags",
    "response_code_details",
];
/// Fields that hold a status.
const STATUSES: &[&str] = &[
    "status",
    "status_code",
    "statuscode",
    "http_status",
    "response_code",
    "upstream_status",
];
/// Depth to which objects are read.
const DEPTH: usize = 4;

/// The fields of a JSON object that say something, a line each; what stands before the object comes first.
fn of_json(text: &str) -> Option<String> {
    let (before, object) = text.split_at_checked(text.find('{')?)?;
    let Value::Object(fields) = serde_json::from_str(object.trim_end()).ok()? else {
        return None;
    };
    let mut lines = Vec::new();
    collect(&Value::Object(fields), DEPTH, &mut lines);
    if lines.is_empty() {
        return None;
    }
    if !before.trim().is_empty() {
        lines.insert(0, before.trim().to_owned());
    }
    Some(lines.join("\n"))
}

fn collect(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let Value::Object(fields) = value else { return };
    if depth == 0 {
        return;
    }
    let named = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    for name in WORDED {
        match named(name) {
            Some((_, Value::String(text))) if !text.trim().is_empty() => {
                let inner = of_json(text).unwrap_or_else(|| text.clone());
                if !lines.contains(&inner) {
                    lines.push(inner);
                }
            }
            Some((key, Value::Number(number))) => lines.push(format!("{key} {number}")),
            _ => {}
        }
    }
    for name in STATUSES {
        if let Some((_, Value::Number(number))) = named(name) {
            lines.push(format!("status {number}"));
        }
    }
    for inner in fields.values().filter(|it| it.is_object()) {
        collect(inner, depth - 1, lines);
    }
}

/// The text without frames, and their number. The source lines between the frames of Python go with them, and all that
/// follows where Go and Rust list their stacks.
fn without_frames(text: &str) -> (String, usize) {
    let mut kept: Vec<&str> = Vec::new();
    let mut frames = 0;
    let mut python = false;
    let mut listing = false;
    for line in text.lines() {
        let lead = line.trim_start();
        python = match python {
            true => line.starts_with(' ') || line.starts_with('\t') || line.is_empty(),
            false => lead.starts_with("Traceback (most recent call last)"),
        };
        listing |= is_stack_head(lead);
        listing &= !lead.starts_with("Caused by");
        if python || listing || is_frame(line) {
            frames += usize::from(!line.trim().is_empty());
        } else {
            kept.push(line);
        }
    }
    // What is all frames may still hold words.
    match kept.iter().all(|line| line.trim().is_empty()) {
        true => (text.trim().to_owned(), 0),
        false => (kept.join("\n").trim().to_owned(), frames),
    }
}

/// Whether nothing but places follows: in Go, in Rust.
fn is_stack_head(line: &str) -> bool {
    let goroutine = line.strip_prefix("goroutine ");
    goroutine.is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
        || line.eq_ignore_ascii_case("stack backtrace:")
}

/// The innermost cause of a chain, as the languages write chains.
fn innermost(text: &str) -> Option<String> {
    let cause = after_last(text, "---> ")
        .or_else(|| after_cause_line(text))
        .or_else(|| after_last(text, "[cause]: "))
        .or_else(|| after_last(text, "nested exception is "))
        .or_else(|| before_first(text))?;
    let cause = cause.trim();
    (!cause.is_empty() && cause != text.trim()).then(|| cause.to_owned())
}

fn after_last<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, cause) = text.rsplit_once(mark)?;
    let end = cause
        .find("\n   --- End of inner")
        .or_else(|| cause.find("--- End of inner"));
    cause.get(..end.unwrap_or(cause.len()))
}

/// Java and Rust: the last `Caused by:`, in the same line or in the numbered lines below.
fn after_cause_line(text: &str) -> Option<&str> {
    let start = text.rfind("\nCaused by:").map(|at| at + 1);
    let start = start.or_else(|| text.starts_with("Caused by:").then_some(0))?;
    let cause = text.get(start..)?.strip_prefix("Caused by:")?.trim();
    // anyhow numbers its causes, the innermost last.
    let numbered = |line: &str| {
        let (number, rest) = line.trim().split_once(": ")?;
        number.parse::<u8>().ok().map(|_| rest.len())
    };
    match cause.lines().next().and_then(numbered) {
        None => Some(cause),
        Some(_) => cause
            .lines()
            .rfind(|it| numbered(it).is_some())
            .and_then(|line| {
                let length = numbered(line)?;
                line.trim().get(line.trim().len() - length..)
            }),
    }
}

/// Python: what stands before the first of the sentences that join tracebacks.
fn before_first(text: &str) -> Option<&str> {
    let joints = [
        "During handling of the above exception, another exception occurred",
        "The above exception was the direct cause of the following exception",
    ];
    let at = joints.iter().filter_map(|it| text.find(it)).min()?;
    text.get(..at)?.trim().lines().last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_the_message_alone() {
        for (text, wanted) in [
            (
                "\u{1b}[1;31mError:\u{1b}[0m socket hang up",
                "Error: socket hang up",
            ),
            ("[31mECONNRESET[0m", "ECONNRESET"),
            ("\\u001b[31mboom\\u001b[39m", "boom"),
            ("list[3] and x[m]", "list[3] and x[m]"),
            (
                "  \"connection reset by peer\"  ",
                "connection reset by peer",
            ),
            ("“socket hang up”", "socket hang up"),
            ("\"a\" and \"b\"", "\"a\" and \"b\""),
            ("> broken pipe", "broken pipe"),
            (
                "{\"level\":\"error\",\"msg\":\"upstream gone\",\"status\":502}",
                "upstream gone\nstatus 502",
            ),
            (
                "app-1 | {\"level\":50,\"err\":{\"message\":\"read ECONNRESET\",\"stack\":\"Error: read ECONNRESET\\n    at TCP.onStreamRead (node:internal/stream_base_commons:217:20)\"}}",
                "app-1 |\nread ECONNRESET\nError: read ECONNRESET",
            ),
            ("{\"a\":1}", "{\"a\":1}"),
            (
                "java.net.SocketException: Connection reset\n\tat java.base/java.net.Socket$SocketInputStream.read(Socket.java:966)",
                "java.net.SocketException: Connection reset",
            ),
            (
                "java.net.SocketException: Connection reset\\n\\tat a.b.C.d(E.java:1)",
                "java.net.SocketException: Connection reset",
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    r = requests.get(url)\n        ^^^^^^^\nrequests.exceptions.ReadTimeout: x",
                "requests.exceptions.ReadTimeout: x",
            ),
            (
                "panic: Get \"http://a/\": EOF\n\ngoroutine 1 [running]:\nmain.main()\n\t/a/main.go:12 +0x1d",
                "panic: Get \"http://a/\": EOF",
            ),
        ] {
            assert_eq!(pasted(text).text, wanted, "{text}");
        }
    }

    #[test]
    fn the_innermost_cause_is_found() {
        for (text, wanted) in [
            (
                "a: b\nCaused by: c: d\n\tat x.y(Z.java:1)\nCaused by: java.net.ConnectException: Connection refused",
                "java.net.ConnectException: Connection refused",
            ),
            (
                "A ---> B: b ---> C: c\n   --- End of inner exception stack trace ---",
                "C: c",
            ),
            (
                "Error: request failed\n\nCaused by:\n    0: error sending request\n    1: connection error\n    2: Connection reset by peer (os error 104)",
                "Connection reset by peer (os error 104)",
            ),
            (
                "TypeError: fetch failed\n  [cause]: SocketError: other side closed",
                "SocketError: other side closed",
            ),
            (
                "I/O error; nested exception is java.net.SocketException: Connection reset",
                "java.net.SocketException: Connection reset",
            ),
            (
                "Traceback (most recent call last):\n  File \"a\", line 1\nConnectionResetError: [Errno 104] Connection reset by peer\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\", line 1\nFoo: bar",
                "ConnectionResetError: [Errno 104] Connection reset by peer",
            ),
        ] {
            assert_eq!(pasted(text).innermost.as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(pasted("socket hang up").innermost, None);
        assert_eq!(pasted("").text, "");
    }
}
