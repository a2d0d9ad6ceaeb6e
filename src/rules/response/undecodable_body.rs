//! A body is not in the coding that its Content-Encoding names.

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::protocol::http::{CodingFault, ContentCoding, Exchange, FieldName};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Value, sentence};
use crate::rules::wording::{named, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The response says `Content-Encoding: gzip` or `deflate`, and hangup tried to decode its body, in HTTP/1 or HTTP/2. It does not begin as
    /// that coding does, its data are damaged, or they end early although the body is complete. Or they can be decoded, and
    /// their checksum or the mark of their end is wrong or missing: a warning, because browsers do not look at these. Only
    /// bytes that were captured without a gap are judged. Clients say "gzip: invalid header" (Go), "incorrect header check"
    /// (Node.js, Python, curl), `ContentDecodingError` (requests), `ERR_CONTENT_DECODING_FAILED` (Chrome) or `ZipException:
    /// Not in GZIP format` (Java).
    ///
    /// # Why it matters
    ///
    /// A client that decodes drops the response. Data that end early are worse: Python's clients and `fetch` in Node.js pass
    /// on what came as if it were the whole, while Go reports "unexpected EOF". A client that does not decode passes the
    /// bytes on as they are.
    ///
    /// # Remedy
    ///
    /// - Request the same URL from the server itself and through each proxy in front of it (`curl --compressed`). The first
    ///   place where decoding fails is the program that damages the body.
    /// - Let one program compress and name the coding. Filters, inserted text and character conversion after it must get the
    ///   body uncompressed, or remove `Content-Encoding` when they decode.
    /// - Let the compressing program finish the coded data (close or finish the stream) before it ends the response, and
    ///   compute `Content-Length` from the coded bytes.
    ///
    /// # Tell it by
    ///
    /// Every byte of the body arrives, and the body does not decompress as its `Content-Encoding` says.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [accept-encoding=gzip close] -->
    ///  0.040                     <--  200 "<p>not compressed</p>" [content-encoding=gzip close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings undecodable-body
    /// ```
    ///
    /// # Not this
    ///
    /// A body that is what its coding says:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [accept-encoding=gzip close] -->
    ///  0.040                     <--  200 "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9\xc9\xd7Q\xc8@\xa2\x00\x9f\xa1\xca\x09\x13\x00\x00\x00" [content-encoding=gzip close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A part of a representation is not a whole coding:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [accept-encoding=gzip range=bytes=5-9 close] -->
    ///  0.040                     <--  206 "01234" [content-encoding=gzip close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §8.4 (content coding), §14.4 (ranges); RFC 1950, RFC 1951, RFC 1952.
    pub(super) RULE: "undecodable-body", Severity::Error,
    "a response body is not in the coding that its Content-Encoding names", Check::Connection(check)
}

/// What the bytes of the body prove.
fn told(exchange: &Exchange, coding: ContentCoding, fault: CodingFault) -> Sentence {
    let asked = named(exchange);
    let fields: Vec<_> = exchange
        .response_fields(FieldName::ContentEncoding)
        .collect();
    let fields = fields
        .iter()
        .map(|it| crate::base::escape::escape(it.value.as_bytes()));
    let field = fields.collect::<Vec<_>>().join(", ");
    let coding = match field.is_empty() {
        true => coding.name().to_owned(),
        false => field,
    };
    match fault {
        CodingFault::NotCoded => sentence!(
            "The response to {} has `Content-Encoding: {}`, but its body does not begin as that coding does.",
            asked,
            coding
        ),
        CodingFault::Checksum => sentence!(
            "The response to {} has `Content-Encoding: {}`. Its data can be decoded, and do not match the checksum after \
             them.",
            asked,
            coding
        ),
        CodingFault::Length => sentence!(
            "The response to {} has `Content-Encoding: {}`. Its data can be decoded, and do not match the length after them.",
            asked,
            coding
        ),
        CodingFault::TrailerCut(missing) => sentence!(
            "The response to {} has `Content-Encoding: {}`. Its data can be decoded, but of the checksum and length after \
             them {} are missing. Browsers do not look at these; some other clients report an error.",
            asked,
            coding,
            Value::exact_bytes(missing.into())
        ),
        CodingFault::EndsEarly(bytes) => sentence!(
            "The response to {} has `Content-Encoding: {}`. Its body is complete with {}, but the coded data do not \
             end in it.",
            asked,
            coding,
            Value::exact_bytes(bytes)
        ),
        CodingFault::NotEnded => sentence!(
            "The response to {} has `Content-Encoding: {}`. Its body is complete and can be decoded, but the mark that ends the \
             coded data is missing: they were flushed and not finished.",
            asked,
            coding
        ),
        CodingFault::Damaged(bytes) => sentence!(
            "The response to {} has `Content-Encoding: {}`, but its data are damaged. They cannot be decoded beyond \
             the first {} of the body.",
            asked,
            coding,
            Value::exact_bytes(bytes)
        ),
        CodingFault::Unchecked => sentence!("The body was not checked."),
    }
}

fn check(connection: &Connection) -> Verdict {
    let mut all = connection
        .exchanges
        .iter()
        .filter_map(|it| Some((it, it.coding_fault()?)));
    let Some((exchange, (coding, fault))) = all.next() else {
        return not_yet(connection);
    };
    let count = 1 + all.count() as u64;
    let message = response(exchange);
    let head_seen = exchange.rare.as_ref().is_none_or(|it| !it.request.head_cut);
    let unasked = exchange
        .request
        .as_ref()
        .is_some_and(|it| !it.accepts_coding)
        && head_seen;
    let unasked = unasked.then_some(
        "The request did not ask for this coding: a client that does not decode by itself passes the bytes on as they \
         are.",
    );
    let more =
        (count > 1).then(|| sentence!("{} responses on this connection are like this.", count));
    let values = exchange.response_fields(FieldName::ContentEncoding);
    let several = values
        .flat_map(|it| it.value.as_bytes().split(|it| *it == b','))
        .count()
        > 1;
    let last =
        several.then(|| sentence!("The coding that was applied last is `{}`.", coding.name()));
    // The data are whole, and browsers do not compare the sum.
    let (severity, summary) = match fault {
        CodingFault::Checksum | CodingFault::Length => (
            Severity::Warning,
            "[Response body does|Response bodies on # connections do] not match the checksum",
        ),
        CodingFault::NotEnded => (
            Severity::Warning,
            "[Compressed response lacks|Compressed responses on # connections lack] the end",
        ),
        CodingFault::TrailerCut(_) => (
            Severity::Warning,
            "[Response body lacks|Response bodies on # connections lack] the checksum",
        ),
        _ => (
            Severity::Error,
            "[Response body|Response bodies on # connections] cannot be decoded",
        ),
    };
    tell(
        &RULE,
        severity,
        Certainty::Certain,
        summary,
        told(exchange, coding, fault),
    )
    .adds(last)
    .adds(more)
    .means(unasked)
    .shows(message.map(|it| it.first), "response begins")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const HELLO: &str = r"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9\xc9\xd7Q\xc8@\xa2\x00\x9f\xa1\xca\x09\x13\x00\x00\x00";

    fn told(asks: &str, head: &str, body: &str, end: &str) -> Option<String> {
        let text = format!(
            "SYN -->\n<-- SYN\nGET / [{asks}] -->\n<-- \"HTTP/1.1 200 OK\\r\\n{head}\\r\\n{body}\"\n{end}"
        );
        ladder_check::told_by(&super::RULE, &text)
    }

    const CLOSE: &str = "<-- FIN\nFIN -->\n<-- ACK";
    const ASKS: &str = "accept-encoding=gzip";
    const GZIP: &str = r"Content-Encoding: gzip\r\n";

    #[test]
    fn each_fault_is_reported_by_what_the_bytes_prove() {
        let begins = &HELLO[..r"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9".len()];
        let damaged = HELLO.replace(r"\xcbH", r"\xff\xff");
        let summed = HELLO.replace(r"\x9f", r"\x00");
        for (body, words) in [
            ("hello, hello, hello", "does not begin as that coding does"),
            (damaged.as_str(), "damaged"),
            (summed.as_str(), "checksum"),
            (begins, "is complete with 14 bytes"),
        ] {
            // The close ends the body.
            let text = told(ASKS, GZIP, body, CLOSE).unwrap_or_else(|| panic!("{body}"));
            assert!(text.contains(words), "{body}: {text}");
            assert!(!text.contains("did not ask"), "{text}");
        }
        let text = told("accept-encoding=identity", GZIP, "hello", CLOSE).expect("found");
        assert!(text.contains("did not ask"), "{text}");
    }

    #[test]
    fn of_several_codings_the_last_one_shows() {
        for head in [
            r"Content-Encoding: deflate\r\nContent-Encoding: gzip\r\n",
            r"Content-Encoding: deflate, gzip\r\n",
        ] {
            let text = told(ASKS, head, "hello", CLOSE).expect("found");
            assert!(text.contains("`Content-Encoding: gzip`"), "{text}");
            assert_eq!(told(ASKS, head, HELLO, CLOSE), None, "{head}");
        }
        assert_eq!(
            told(ASKS, r"Content-Encoding: gzip, br\r\n", "hello", CLOSE),
            None
        );
    }

    /// One DATA frame of stream 1 with these flags; each escaped byte of the body counts once.
    fn data(flags: u8, body: &str) -> String {
        let length = body.len() - 3 * body.matches(r"\x").count();
        format!(r"\x00\x00\x{length:02x}\x00\x{flags:02x}\x00\x00\x00\x01{body}")
    }

    #[test]
    fn streams_of_http2_are_checked_as_well() {
        let told = |asks: &str, head: &str, lines: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nh2 preface -->\nh2 SETTINGS -->\n<-- h2 SETTINGS\nh2 HEADERS 1 {asks} -->\n\
                 <-- h2 HEADERS 1 200 [{head}]\n{lines}\nACK -->"
            );
            ladder_check::told_by(&super::RULE, &text)
        };
        let gzip = "content-encoding=gzip";
        let asks = "GET / END [accept-encoding=gzip]";
        let all = |body: &str| format!("<-- \"{}\"", data(1, body));
        let begins = &HELLO[..r"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcbH\xcd\xc9".len()];
        for (body, words) in [
            ("hello, hello, hello", "does not begin as that coding does"),
            (&HELLO.replace(r"\xcbH", r"\xff\xff"), "damaged"),
            (&HELLO.replace(r"\x9f", r"\x00"), "checksum"),
            (begins, "is complete with 14 bytes"),
        ] {
            let text = told(asks, gzip, &all(body)).unwrap_or_else(|| panic!("{body}"));
            assert!(text.contains(words), "{body}: {text}");
            assert!(!text.contains("did not ask"), "{text}");
        }
        let text = told("GET / END", gzip, &all("hello")).expect("found");
        assert!(text.contains("did not ask"), "{text}");
        let (one, two) = HELLO.split_at(r"\x1f\x8b\x08\x00".len());
        let padded = data(9, &format!(r"\x02{two}\x00\x00"));
        for lines in [
            all(HELLO),
            format!("<-- \"{}\"\n<-- \"{padded}\"", data(0, one)),
            format!("<-- \"{}\"\n<~~ \"{}\"", data(0, one), data(1, "hello")),
            format!("<-- \"{}\"\n<-- h2 RST_STREAM 1 CANCEL", data(0, one)),
        ] {
            assert_eq!(told(asks, gzip, &lines), None, "{lines}");
        }
        let br = "content-encoding=br";
        assert_eq!(told(asks, br, &all("hello")), None);
        assert_eq!(told("HEAD / END", gzip, "<-- h2 DATA 1 0 END"), None);
    }

    #[test]
    fn framing_is_not_part_of_what_is_decoded() {
        let chunked = format!("{GZIP}Transfer-Encoding: chunked\\r\\n");
        let (one, two) = HELLO.split_at(r"\x1f\x8b\x08\x00".len());
        let whole = format!(r"4\r\n{one}\r\n19\r\n{two}\r\n0\r\n\r\n");
        assert_eq!(told(ASKS, &chunked, &whole, "ACK -->"), None);
        let part = format!(r"4\r\n{one}\r\n0\r\n\r\n");
        let text = told(ASKS, &chunked, &part, "ACK -->").expect("found");
        assert!(text.contains("is complete with 4 bytes"), "{text}");
        let length = format!("{GZIP}Content-Length: 29\\r\\n");
        assert_eq!(told(ASKS, &length, HELLO, "ACK -->"), None);
    }

    #[test]
    fn what_was_not_sent_or_not_captured_proves_nothing() {
        // The server closes within the body: another rule tells that.
        let length = format!("{GZIP}Content-Length: 29\\r\\n");
        assert_eq!(told(ASKS, &length, r"\x1f\x8b\x08", CLOSE), None);
        // No body at all, another coding, two codings, a transfer coding between.
        for (head, body) in [
            (r"Content-Encoding: gzip\r\nContent-Length: 0\r\n", ""),
            (r"Content-Encoding: br\r\n", "hello"),
            (r"Content-Encoding: gzip, br\r\n", "hello"),
            (
                r"Content-Encoding: gzip\r\nContent-Encoding: br\r\n",
                "hello",
            ),
            (
                r"Content-Encoding: gzip\r\nTransfer-Encoding: deflate, chunked\r\n",
                r"5\r\nhello\r\n0\r\n\r\n",
            ),
        ] {
            assert_eq!(told(ASKS, head, body, CLOSE), None, "{head}");
        }
        let head = ladder_check::told_by(
            &super::RULE,
            "SYN -->\n<-- SYN\nHEAD / -->\n<-- 200 [content-encoding=gzip length=99]\n<-- FIN\nFIN -->\n<-- ACK",
        );
        assert_eq!(head, None);
        // A segment that was not captured: what came before it counts, what comes after it does not.
        let hole = |first: &str| {
            let head = format!("HTTP/1.1 200 OK\\r\\n{GZIP}Content-Length: 39\\r\\n\\r\\n");
            let text = format!(
                "SYN -->\n<-- SYN\nGET / [{ASKS}] -->\n<-- \"{head}{first}\"\n<~~ data 10\n<-- \"{}\"\nACK -->",
                "not packed at all".repeat(2)
            );
            ladder_check::told_by(&super::RULE, &text)
        };
        assert_eq!(hole(r"\x1f\x8b\x08\x00"), None);
        assert!(hole("html").is_some());
    }
}
