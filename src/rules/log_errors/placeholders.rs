//! Fills the variable parts of a predicted text: hosts, ports and counts that the capture shows.
//!
//! A text of the tables has `…` where it varies; the text around it determines the meaning. Only values that the
//! program certainly had are filled in: a name is taken from `Host`, since what the user typed is not in the packets
//! otherwise; byte counts are given only for a close by FIN, since a RST may discard data that had arrived. What a
//! program measured by its own clock stays `…`.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::analysis::connection::{CloseEvent, Connection, How, Who};
use crate::base::escape::shortened;
use crate::base::flow_end::FlowEnd;
use crate::base::net::Endpoint;
use crate::protocol::dialogue::{Complaint, UNMATCHED};
use crate::protocol::http::{
    Exchange, FaultRule, FieldName, H2Stream, MessageProgress, Method, Protocol, SharedText,
};
use crate::protocol::tls::alert_name;

/// Characters of a name or target from a packet.
const NAME: usize = 120;
/// Counts below this are written the same with and without separators.
const UNGROUPED: u64 = 1000;

/// The meaning of a variable part.
#[derive(Clone, Copy, Debug)]
enum Placeholder {
    /// `Host`, without its port.
    Host,
    /// `Host` with the port.
    HostPort,
    /// The server's port.
    Port,
    /// The server's address and port.
    Server,
    /// The same, an IPv6 address without brackets.
    PlainServer,
    /// The same as a Python tuple.
    Tuple,
    /// Address and port of the side that writes the log.
    Own,
    /// Address and port of the other side.
    Other,
    /// `Get`
    Method,
    Url,
    Target,
    Expected,
    Received,
    InTime,
    Remaining,
    /// With thousands separators in some versions.
    ExpectedGrouped,
    ReceivedGrouped,
    /// The status of the last complete response.
    Status,
    /// The server's alert as OpenSSL writes it: `sslv3 alert bad certificate`.
    AlertWords,
    /// The same in capitals: `SSLV3_ALERT_BAD_CERTIFICATE`.
    AlertCapitals,
    /// The name in RFC 8446: `bad_certificate`.
    AlertName,
    /// Its number.
    AlertNumber,
    /// The number of the stream that was cut off.
    Stream,
    /// The name and the number of the error in its RST_STREAM.
    StreamError,
    StreamCode,
    /// The code of the error that the server reported in the words of its protocol.
    Code,
    /// The text of that error, without its severity.
    Words,
    /// Both.
    CodeAndWords,
    /// The text of a reply without its first word.
    Rest,
    /// The error of a NOTIFICATION in the words of BIRD, whoever sent it.
    Notification,
    /// What two offers of SSH have not in common.
    Unmatched,
    /// The first byte of a chunk's size that is none, in hexadecimal.
    ChunkByte,
    /// The bytes of the body that a request announces.
    RequestLength,
}

/// The text before a variable part, the text after it, and its meaning. `^` is the beginning of the text, `$` its end.
const BLANKS: &[(&str, &str, Placeholder)] = &[
    ("^", " \"…\": ", Placeholder::Method),
    ("… \"", "\": ", Placeholder::Url),
    ("url='", "'", Placeholder::Url),
    ("request to ", " failed, reason", Placeholder::Url),
    ("sending request for url (", ")", Placeholder::Url),
    ("file_get_contents(", "): ", Placeholder::Url),
    ("with url: ", " (Caused", Placeholder::Target),
    ("dial tcp ", ": ", Placeholder::Server),
    ("read tcp ", "->", Placeholder::Own),
    ("write tcp ", "->", Placeholder::Own),
    ("readfrom tcp ", "->", Placeholder::Own),
    ("->", ":", Placeholder::Other),
    ("Pool(host='", "'", Placeholder::Host),
    ("Connection(host='", "'", Placeholder::Host),
    ("', port=", ")", Placeholder::Port),
    ("'Connection to ", " timed out", Placeholder::Host),
    ("character but was 0x", "", Placeholder::ChunkByte),
    ("too large body: ", " bytes", Placeholder::RequestLength),
    ("connect ECONNREFUSED ", "", Placeholder::PlainServer),
    ("connect ECONNRESET ", "", Placeholder::PlainServer),
    ("connect EHOSTUNREACH ", "", Placeholder::PlainServer),
    ("connect ENETUNREACH ", "", Placeholder::PlainServer),
    ("connect ETIMEDOUT ", "", Placeholder::PlainServer),
    ("Connect call failed (", ")", Placeholder::Tuple),
    ("peeraddr=", " state=", Placeholder::Server),
    ("hostAddress=/", " cipherSuite", Placeholder::Server),
    ("on Connection{", ", proxy=DIRECT", Placeholder::HostPort),
    ("^", " failed to respond", Placeholder::HostPort),
    ("refused (…:", ")", Placeholder::Port),
    ("refused it. (…:", ")", Placeholder::Port),
    ("Failed to connect to ", " port ", Placeholder::Host),
    (" port ", " after ", Placeholder::Port),
    (
        "transfer closed with ",
        " bytes remaining",
        Placeholder::Remaining,
    ),
    ("IncompleteRead(", " bytes read", Placeholder::Received),
    (" bytes read, ", " more expected", Placeholder::Remaining),
    ("(received ", " bytes, expected", Placeholder::Received),
    (" bytes, expected ", ")", Placeholder::Expected),
    ("(received ", " of … bytes)", Placeholder::Received),
    ("(received … of ", " bytes)", Placeholder::Expected),
    (
        "with at least ",
        " additional bytes",
        Placeholder::Remaining,
    ),
    (
        "fixed content-length: ",
        ", bytes received",
        Placeholder::Expected,
    ),
    (", bytes received: ", "", Placeholder::Received),
    (
        " milliseconds with ",
        " bytes received",
        Placeholder::InTime,
    ),
    ("(expected: ", "; received", Placeholder::ExpectedGrouped),
    ("; received: ", ")", Placeholder::ReceivedGrouped),
    ("Connection closed at byte ", ".", Placeholder::Received),
    ("^ERROR ", ": ", Placeholder::Status),
    ("HTTP/2 stream ", " was not closed", Placeholder::Stream),
    ("closed cleanly: ", " (err ", Placeholder::StreamError),
    ("(err ", ")", Placeholder::StreamCode),
    ("stream_id:", ", error_code", Placeholder::Stream),
    (
        "<StreamReset stream_id:…, error_code:",
        ", remote_reset",
        Placeholder::StreamCode,
    ),
    ("returned an error: (", ") ", Placeholder::Status),
    ("failed with status code ", "", Placeholder::Status),
    ("Status code ", "(", Placeholder::Status),
    ("SSL routines::", "", Placeholder::AlertWords),
    (
        "SSL routines:ssl3_read_bytes:",
        ":",
        Placeholder::AlertWords,
    ),
    ("SSL alert number ", "", Placeholder::AlertNumber),
    ("[SSL: ", "] ", Placeholder::AlertCapitals),
    ("[SSL: …] ", " (_ssl.c", Placeholder::AlertWords),
    ("Received fatal alert: ", "", Placeholder::AlertName),
    ("\", port ", " failed", Placeholder::Port),
    ("connect to host … port ", ": ", Placeholder::Port),
    ("FATAL:  ", "", Placeholder::Words),
    ("FATAL: ", "", Placeholder::Words),
    ("ERROR:  ", "", Placeholder::Words),
    ("^ERROR: ", "", Placeholder::Words),
    ("(SQLSTATE ", ")", Placeholder::Code),
    ("^", ": …", Placeholder::Code),
    ("^…: ", "$", Placeholder::Words),
    ("^error: ", "", Placeholder::Words),
    ("middle of operation: ", "", Placeholder::Words),
    ("^pq: ", "", Placeholder::Words),
    ("^ERROR ", " (", Placeholder::Code),
    ("^ERROR … (…)…: ", "", Placeholder::Words),
    ("^<RMT> …: Error: ", "", Placeholder::Notification),
    ("^<RMT> …: Received: ", "", Placeholder::Notification),
    ("no matching ", " found", Placeholder::Unmatched),
    ("were rejected: ", "", Placeholder::CodeAndWords),
    ("Invalid login: ", "", Placeholder::CodeAndWords),
    ("^(", ", \"…\")", Placeholder::Code),
    ("^(…, \"", "\")", Placeholder::Words),
    ("^Error ", ": …", Placeholder::Code),
    ("^Error …: ", "", Placeholder::Words),
    ("^Error: ", "", Placeholder::Words),
    ("be verified: ", " - …", Placeholder::Code),
    ("be verified: … - ", "", Placeholder::Words),
    ("(type=master) : (conn=…) ", "", Placeholder::Words),
    ("type='master'}. ", "", Placeholder::Words),
    ("^", " (…): …", Placeholder::Code),
    ("^… (…): ", "", Placeholder::Words),
    ("^ReplyError: ", "", Placeholder::Words),
    ("^ldap_bind: … (", ")", Placeholder::Code),
    ("^(", ", b'…')", Placeholder::Code),
    ("^(…, b'", "')", Placeholder::Words),
    ("with STARTTLS: ", "", Placeholder::CodeAndWords),
    ("^", "$", Placeholder::Words),
    (".ConnectionError: ", "$", Placeholder::Rest),
    (".AuthenticationError: ", "$", Placeholder::Rest),
    ("^… (", ")$", Placeholder::Code),
    ("LDAP…Result - ", " - ", Placeholder::Code),
    ("^fatal: remote error: ", "", Placeholder::Words),
    ("@ERROR: ", "", Placeholder::Words),
    (" failed: NT_", "$", Placeholder::Code),
    ("^<** ", " …", Placeholder::Code),
    ("^<** … ", "", Placeholder::Words),
    ("(55) … failed: ", "", Placeholder::Code),
    ("Access denied: ", "", Placeholder::Code),
    ("^b'-ERR ", "'", Placeholder::Words),
    ("^b'", "'", Placeholder::Words),
    ("^command: … => ", "", Placeholder::Words),
    ("^", " …", Placeholder::Code),
    ("^… ", "", Placeholder::Words),
    ("Access failed: ", "", Placeholder::CodeAndWords),
    ("Login failed: ", "", Placeholder::CodeAndWords),
    ("port …:…: ", "", Placeholder::Words),
    ("closed: ", " (…) with message", Placeholder::Code),
    ("by server: ", " (…) with message", Placeholder::Code),
    ("with message \"", "\"", Placeholder::Words),
    ("ConnectionClosedByBroker: (", ") '", Placeholder::Code),
    ("ConnectionClosedByBroker: (…) '", "'", Placeholder::Words),
    ("ChannelClosedByBroker: (", ") \"", Placeholder::Code),
    ("ChannelClosedByBroker: (…) \"", "\"", Placeholder::Words),
];

/// The text with its variable parts filled in from the connection; `who` is the side that writes it.
#[must_use]
pub fn filled(text: &'static str, connection: &Connection, who: Who) -> Cow<'static, str> {
    if !text.contains('…') {
        return Cow::Borrowed(text);
    }
    let mut told = String::with_capacity(text.len() + 32);
    let mut from = 0;
    for (at, blank) in text.match_indices('…') {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + blank.len()..).unwrap_or_default();
        told += text.get(from..at).unwrap_or_default();
        let known = BLANKS.iter().find(|(head, tail, _)| {
            let begins = match *head {
                "^" => before.is_empty(),
                head => match head.strip_prefix('^') {
                    Some(whole) => before == whole,
                    None => before.ends_with(head),
                },
            };
            let follows = match tail.strip_suffix('$') {
                Some(whole) => after == whole,
                None => after.starts_with(tail),
            };
            begins && follows
        });
        match known.and_then(|(_, _, blank)| fill(*blank, connection, who)) {
            Some(words) => told += &words,
            None => told += blank,
        }
        from = at + blank.len();
    }
    told += text.get(from..).unwrap_or_default();
    Cow::Owned(told)
}

fn fill(blank: Placeholder, connection: &Connection, who: Who) -> Option<String> {
    let server = connection.server;
    let exchange = || {
        let exchanges = &connection.exchanges;
        exchanges
            .iter()
            .find(|it| !it.is_complete())
            .or_else(|| exchanges.last())
    };
    let (own, other) = match who {
        Who::Client => (connection.client, connection.server),
        Who::Server => (connection.server, connection.client),
    };
    match blank {
        Placeholder::Port => Some(server.port.to_string()),
        Placeholder::Server => Some(socket(server)),
        Placeholder::PlainServer => Some(format!("{}:{}", server.ip, server.port)),
        Placeholder::Tuple => server
            .ip
            .is_ipv4()
            .then(|| format!("'{}', {}", server.ip, server.port)),
        Placeholder::Own => Some(socket(own)),
        Placeholder::Other => Some(socket(other)),
        Placeholder::Host => Some(host(exchange()?)?.0),
        Placeholder::HostPort => {
            let (name, port) = host(exchange()?)?;
            Some(format!("{name}:{}", port.unwrap_or(server.port)))
        }
        Placeholder::Method => {
            // What the tunnel is for is asked inside it.
            if is_connect(exchange()?) {
                return None;
            }
            let name = std::str::from_utf8(exchange()?.method()?).ok()?;
            let (first, rest) = name.split_at_checked(1)?;
            let word = name.bytes().all(|it| it.is_ascii_uppercase());
            word.then(|| format!("{first}{}", rest.to_ascii_lowercase()))
        }
        Placeholder::Target => target(exchange()?),
        Placeholder::Url => {
            let exchange = exchange().filter(|_| connection.protocol == Protocol::Http1)?;
            if is_connect(exchange) {
                let authority = bytes(&exchange.request.as_ref()?.target)?;
                return Some(format!("https://{}…", shortened(authority, NAME)));
            }
            let authority = bytes(&exchange.request.as_ref()?.host)?;
            let authority = shortened(authority, NAME);
            let scheme = if connection.tls.is_some() {
                "https"
            } else {
                "http"
            };
            Some(format!("{scheme}://{authority}{}", target(exchange)?))
        }
        Placeholder::Expected => Some(counts(connection)?.0.to_string()),
        Placeholder::Received => Some(counts(connection)?.1.to_string()),
        Placeholder::Remaining => {
            let (expected, received) = counts(connection)?;
            Some(expected.saturating_sub(received).to_string())
        }
        Placeholder::InTime => in_time(connection),
        Placeholder::Stream => Some(stream(connection)?.id.to_string()),
        Placeholder::StreamError => Some(stream(connection)?.reset?.code.to_string()),
        Placeholder::StreamCode => Some(stream(connection)?.reset?.code.0.to_string()),
        Placeholder::Code => Some(code(complaint(connection)?)?.into_owned()),
        Placeholder::Words => Some(words(complaint(connection)?).into_owned()),
        Placeholder::CodeAndWords => {
            let said = complaint(connection)?;
            Some(format!("{} {}", code(said)?, words(said)))
        }
        Placeholder::Rest => {
            let words = words(complaint(connection)?);
            Some(words.split_once(' ')?.1.to_owned())
        }
        Placeholder::ChunkByte => {
            let mut faults = connection
                .exchanges
                .iter()
                .flat_map(Exchange::response_faults);
            let size = faults.find(|it| it.rule == FaultRule::ChunkSize)?;
            size.bytes.as_bytes().first().map(|it| format!("{it:x}"))
        }
        Placeholder::RequestLength => {
            let mut exchanges = connection.exchanges.iter().rev();
            let refused = exchanges.find(|it| it.status() == Some(413))?;
            let request = &refused.request.as_ref()?.message;
            Some(request.expected()?.to_string())
        }
        Placeholder::Notification => notification(connection),
        Placeholder::Unmatched => {
            let step = connection.dialogue.as_deref()?.unopened?;
            let place = UNMATCHED.iter().position(|it| *it == step)?;
            let kinds = ["key exchange method", "host key type", "cipher", "MAC"];
            kinds.get(place).map(|it| (*it).to_owned())
        }
        Placeholder::Status => {
            let mut exchanges = connection.exchanges.iter().rev();
            exchanges
                .find_map(Exchange::status)
                .map(|it| it.to_string())
        }
        Placeholder::AlertWords => openssl_words(alert(connection)?),
        Placeholder::AlertCapitals => {
            let words = openssl_words(alert(connection)?)?;
            Some(words.to_ascii_uppercase().replace(' ', "_"))
        }
        Placeholder::AlertName => alert_name(alert(connection)?).map(str::to_owned),
        Placeholder::AlertNumber => alert(connection).map(|it| it.to_string()),
        Placeholder::ExpectedGrouped => {
            let (expected, _) = counts(connection)?;
            (expected < UNGROUPED).then(|| expected.to_string())
        }
        Placeholder::ReceivedGrouped => {
            let (_, received) = counts(connection)?;
            (received < UNGROUPED).then(|| received.to_string())
        }
    }
}

/// The error of a NOTIFICATION: BIRD writes its name with one capital, and a text of the administrator in quotation marks.
fn notification(connection: &Connection) -> Option<String> {
    let complaint = connection.dialogue.as_deref()?.complaint.as_ref()?;
    let text = shortened(complaint.text.as_bytes(), NAME).into_owned();
    let (class, own) = text.split_once(", ").unwrap_or(("", &text));
    let (name, data) = own.split_once(": ").unwrap_or((own, ""));
    let lower = |(nth, word): (usize, &str)| match word.chars().nth(1) {
        Some(second) if nth > 0 && second.is_lowercase() => word.to_lowercase(),
        _ => word.to_owned(),
    };
    let words: Vec<String> = name.split(' ').enumerate().map(lower).collect();
    let name = words.join(" ");
    Some(match (data, class) {
        ("", _) => name,
        (data, "Cease") => format!("{name}: \"{data}\""),
        (data, _) => format!("{name}: {data}"),
    })
}

/// The error that the server reported in the words of its protocol.
fn complaint(connection: &Connection) -> Option<&Complaint> {
    let complaint = connection.dialogue.as_deref()?.complaint.as_ref();
    complaint.filter(|it| it.by == FlowEnd::B)
}

/// The code of an error, without what stands in parentheses behind it.
fn code(complaint: &Complaint) -> Option<Cow<'_, str>> {
    let code = complaint.code.as_ref()?.as_bytes();
    let code = code.split(|byte| *byte == b' ').next();
    code.filter(|it| !it.is_empty())
        .map(|it| shortened(it, NAME))
}

/// The text of an error. PostgreSQL's begins with its severity.
fn words(complaint: &Complaint) -> Cow<'_, str> {
    let text = complaint.text.as_bytes().trim_ascii();
    let severities = [&b"FATAL: "[..], b"ERROR: ", b"PANIC: "];
    let bare = severities.iter().find_map(|it| text.strip_prefix(*it));
    shortened(bare.unwrap_or(text), NAME)
}

/// The first HTTP/2 stream that was not completed.
fn stream(connection: &Connection) -> Option<&H2Stream> {
    let mut exchanges = connection.exchanges.iter();
    let cut = exchanges.find(|it| it.cut_by().is_some() || !it.is_settled())?;
    cut.stream.as_deref()
}

/// The code of the fatal alert that the server sent.
fn alert(connection: &Connection) -> Option<u8> {
    let alert = connection.tls.as_deref()?.fatal()?;
    (alert.from == FlowEnd::B).then(|| alert.code())?
}

/// An alert in the words of OpenSSL: by the version that introduced it (RFC 6101, RFC 2246, RFC 8446).
fn openssl_words(code: u8) -> Option<String> {
    let version = match code {
        10 | 20 | 30 | 40..=47 => "sslv3 alert",
        109 | 116 => "tlsv13 alert",
        110..=114 => "tlsv1",
        _ => "tlsv1 alert",
    };
    let name = alert_name(code)?.replace('_', " ");
    Some(format!("{version} {name}"))
}

/// `10.0.0.2:80`, `[::1]:80`.
fn socket(endpoint: Endpoint) -> String {
    SocketAddr::new(endpoint.ip, endpoint.port).to_string()
}

fn bytes(text: &Option<SharedText>) -> Option<&[u8]> {
    text.as_ref()
        .map(SharedText::as_bytes)
        .filter(|it| !it.is_empty())
}

/// The name and port in `Host` (RFC 9110 §7.2); `None` for a request to a proxy, whose client may report either host.
fn host(exchange: &Exchange) -> Option<(String, Option<u16>)> {
    target(exchange)?;
    let field = bytes(&exchange.request.as_ref()?.host)?;
    let field = std::str::from_utf8(field).ok()?;
    let (name, port) = match field.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => {
            (name, port.parse().ok())
        }
        _ => (field, None),
    };
    Some((shortened(name.as_bytes(), NAME).into_owned(), port))
}

fn is_connect(exchange: &Exchange) -> bool {
    let request = exchange.request.as_ref();
    request.is_some_and(|it| it.method == Method::Connect)
}

/// The target of a request sent to the origin server itself (RFC 9112 §3.2.1).
fn target(exchange: &Exchange) -> Option<String> {
    let target = bytes(&exchange.request.as_ref()?.target)?;
    target
        .starts_with(b"/")
        .then(|| shortened(target, NAME).into_owned())
}

/// Body bytes that the client had when it closed, and how many were announced: `3000 out of 9000`.
fn in_time(connection: &Connection) -> Option<String> {
    let seen = connection.tls.is_none() && connection.sent.iter().all(|it| it.missing == 0);
    let close = connection.fin[Who::Client as usize].filter(|_| seen)?;
    let exchange = connection.exchanges.iter().find(|it| !it.is_complete());
    let exchange = exchange.or(connection.exchanges.last());
    let exchange = exchange.filter(|it| it.stream.is_none())?;
    let answer = exchange.response.as_ref().map(|it| &it.message);
    let Some(message) = answer.filter(|it| it.start < close.received) else {
        return Some("0".to_owned());
    };
    let progress = message.progress;
    match (progress, message.expected()) {
        (MessageProgress::Head, _) => Some("0".to_owned()),
        (MessageProgress::Body | MessageProgress::Complete, Some(expected)) => {
            let got = close.received.saturating_sub(message.head_end());
            // A length with white space before its colon is none to it.
            Some(match hides_length(exchange) {
                true => got.to_string(),
                false => format!("{} out of {expected}", got.min(expected)),
            })
        }
        (MessageProgress::Body, None) if close.received >= message.end() => {
            Some(message.received().to_string())
        }
        _ => None,
    }
}

/// Whether white space stands before the colon of `Content-Length`.
fn hides_length(exchange: &Exchange) -> bool {
    exchange.response_faults().iter().any(|it| {
        let line = it.bytes.as_bytes();
        let name = FieldName::ContentLength.name().as_bytes();
        let own = line.get(..name.len());
        it.rule == FaultRule::SpaceBeforeColon
            && own.is_some_and(|it| it.eq_ignore_ascii_case(name))
    })
}

/// Body bytes announced and received, of the response that a FIN cut short.
fn counts(connection: &Connection) -> Option<(u64, u64)> {
    let lossless = connection.sent.iter().all(|it| it.missing == 0);
    // A RST in response to the client's own close comes after the client has read the end.
    let left = connection.fin[Who::Client as usize];
    let answers = |reset: CloseEvent| left.is_some_and(|left| left.frame_ref < reset.frame_ref);
    let clean = connection.teardown.how == How::Fin
        && connection.reset[Who::Server as usize].is_none_or(answers)
        && lossless;
    let exchange = connection.exchanges.iter().find(|it| !it.is_complete())?;
    let message = &exchange.response.as_ref()?.message;
    // If the head was truncated, the start of the body is unknown.
    let counted = clean && message.progress != MessageProgress::Unseen;
    let expected = message.expected().filter(|_| counted)?;
    Some((expected, message.received()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::FACTS;
    use crate::rules::ladder_check;

    #[track_caller]
    fn fills(ladder: &str, text: &'static str, expected: &str) {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        assert_eq!(filled(text, &proof.connections[0], Who::Client), expected);
    }

    const CUT: &str = "
        client 10.0.0.1:40001 server 10.0.0.2:8080
        SYN -->
        <-- SYN
        GET /x?y=1 [host=example.org:8080] -->
        <-- 200 [length=1000] data 300
        <-- FIN";
    const REFUSED: &str = "
        client 10.0.0.1:40001 server 10.0.0.2:8080
        SYN -->
        <-- RST";

    #[test]
    fn what_the_capture_shows() {
        for (text, expected) in [
            (
                "curl: (18) transfer closed with … bytes remaining to read",
                "curl: (18) transfer closed with 700 bytes remaining to read",
            ),
            (
                "IncompleteRead(… bytes read, … more expected)",
                "IncompleteRead(300 bytes read, 700 more expected)",
            ),
            (
                "Premature end of Content-Length delimited message body (expected: …; received: …)",
                "Premature end of Content-Length delimited message body (expected: …; received: 300)",
            ),
            (
                "… \"…\": unexpected EOF",
                "Get \"http://example.org:8080/x?y=1\": unexpected EOF",
            ),
            ("… failed to respond", "example.org:8080 failed to respond"),
            (
                "HTTPConnectionPool(host='…', port=…): Read timed out. (read timeout=…)",
                "HTTPConnectionPool(host='example.org', port=8080): Read timed out. (read timeout=…)",
            ),
            (
                "read tcp …->…: read: connection reset by peer",
                "read tcp 10.0.0.1:40001->10.0.0.2:8080: read: connection reset by peer",
            ),
            ("no blank", "no blank"),
            ("unknown …", "unknown …"),
        ] {
            fills(CUT, text, expected);
        }
    }

    #[test]
    fn a_timeout_counts_what_had_come_by_then() {
        const TEXT: &str =
            "curl: (28) Operation timed out after … milliseconds with … bytes received";
        let open = "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- ACK\n";
        for (rest, counted) in [
            ("+2s FIN -->", "0"),
            (
                "<-- 200 data 300 [length=1000]\nACK -->\n+2s FIN -->",
                "300 out of 1000",
            ),
            (
                "<-- 200 data 300 [length=1000]\nACK -->\n+2s FIN -->\n<-- ACK\n+1s <-- data 700\nRST [noack] -->",
                "300 out of 1000",
            ),
        ] {
            let expected = TEXT.replace("with …", &format!("with {counted}"));
            fills(&format!("{open}{rest}"), TEXT, &expected);
        }
    }

    #[test]
    fn what_it_does_not_show_stays_open() {
        for (text, expected) in [
            (
                "connect ECONNREFUSED …",
                "connect ECONNREFUSED 10.0.0.2:8080",
            ),
            (
                "curl: (7) Failed to connect to … port … after … ms: Couldn't connect to server",
                "curl: (7) Failed to connect to … port 8080 after … ms: Couldn't connect to server",
            ),
            ("Connection refused (…:…)", "Connection refused (…:8080)"),
            (
                "… \"…\": dial tcp …: connect: connection refused",
                "… \"…\": dial tcp 10.0.0.2:8080: connect: connection refused",
            ),
            ("(_ssl.c:…)", "(_ssl.c:…)"),
        ] {
            fills(REFUSED, text, expected);
        }
    }

    #[test]
    fn a_reset_leaves_the_counts_open() {
        fills(
            "SYN -->\n<-- SYN\nGET / -->\n<-- 200 [length=1000] data 300\n<-- RST",
            "transfer closed with … bytes remaining to read",
            "transfer closed with … bytes remaining to read",
        );
    }

    #[test]
    fn every_row_stands_for_a_text() {
        for (head, tail, _) in BLANKS {
            let (head, tail) = (head.trim_start_matches('^'), tail.trim_end_matches('$'));
            let whole = format!("{head}…{tail}");
            let mut texts = FACTS.iter().filter_map(|it| it.text);
            assert!(texts.any(|it| it.contains(&whole)), "{whole}");
        }
    }
}
