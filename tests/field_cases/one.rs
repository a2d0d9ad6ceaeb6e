//! Cases 2 to 4, 6, 8 and 10: what a single connection shows.

use hangup::analysis::connection::Who;
use hangup::rules::Severity;

use crate::story::{DOTNET, DOTNET_1, Story};

const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";

/// Case 2: `An unexpected error occurred on a receive`. The request arrived in full, and the server ends the
/// connection.
#[test]
fn case_2_a_request_that_is_answered_by_an_end() {
    let story = Story::captured("reset-before-response.pcap");
    story.says(
        "reset-before-response",
        Severity::Error,
        &[
            "received the whole POST or GET request",
            "without a byte of the response",
        ],
        &["server's log"],
    );
    assert_eq!(story.loud(), ["reset-before-response"]);
    // The generations of .NET have different texts for FIN and RST.
    let receive =
        "The underlying connection was closed: An unexpected error occurred on a receive.";
    let unexpectedly =
        "The underlying connection was closed: The connection was closed unexpectedly.";
    for (end, agent, text) in [
        ("RST", DOTNET, receive),
        ("RST", DOTNET_1, receive),
        ("FIN", DOTNET, unexpectedly),
        ("FIN", DOTNET_1, receive),
    ] {
        let story = Story::drawn(&format!(
            "{OPEN}GET /report [{agent}] -->\n<-- ACK\n+300ms <-- {end}"
        ));
        let rule = if end == "RST" {
            "reset-before-response"
        } else {
            "closed-before-response"
        };
        assert_eq!(story.loud(), [rule], "{end}");
        assert_eq!(
            story.first_line(1, Who::Client),
            format!("dotnet-framework*: {text}"),
            "{end} {agent}"
        );
        let report = story.report();
        assert!(report.contains(text), "the report quotes it: {report}");
    }
}

/// Case 3: `An unexpected error occurred on a send`.
#[test]
fn case_3_a_request_that_is_cut_off_while_it_is_sent() {
    let story = Story::captured("early-413.pcapng");
    story.says(
        "early-response-reset",
        Severity::Error,
        &["responded with 413", "10,000 of 20,000 body bytes"],
        &["lingering_close", "Expect: 100-continue"],
    );
    assert_eq!(
        story.finding("early-response-reset").connections,
        [2],
        "the FIN of the first is polite"
    );
    for (agent, text) in [
        (
            DOTNET,
            "The underlying connection was closed: An unexpected error occurred on a send.",
        ),
        (
            DOTNET_1,
            "The underlying connection was closed: An unexpected error occurred on a Send.",
        ),
    ] {
        let story = Story::drawn(&format!(
            "{OPEN}POST /upload [{agent} length=90000] data 1400 -->\n<-- ACK\ndata 1400 -->\n+5ms <-- RST"
        ));
        story.says(
            "early-response-reset",
            Severity::Error,
            &["2,800 of 90,000"],
            &["Expect: 100-continue"],
        );
        assert_eq!(
            story.first_line(1, Who::Client),
            format!("dotnet-framework*: {text}")
        );
    }
}

/// Case 4: `The server committed an HTTP protocol violation`.
#[test]
fn case_4_a_response_that_breaks_the_grammar() {
    let violation = "The server committed a protocol violation. Section=Response";
    for (head, rule, part, text) in [
        (
            r"HTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "malformed-response",
            "no start line",
            "StatusLine",
        ),
        (
            r"HTTP/1.1 200 OK\r\nNoColonHere\r\nContent-Length: 2\r\n\r\nok",
            "malformed-response",
            "colon",
            "Header Detail=Header name is invalid",
        ),
        (
            r"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            "malformed-response",
            "LF without CR",
            "Header Detail=CR must be followed by LF",
        ),
        (
            r"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
            "malformed-response",
            "Content-Length",
            "Header Detail='Content-Length' header value is invalid",
        ),
        (
            r"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "ambiguous-message-length",
            "Transfer-Encoding",
            "",
        ),
        (
            r"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nokok",
            "ambiguous-message-length",
            "differ",
            "",
        ),
    ] {
        let story = Story::drawn(&format!(
            "{OPEN}GET / [{DOTNET}] -->\n<-- \"{head}\"\nACK -->\n+2ms FIN -->\n<-- FIN\nACK -->"
        ));
        let finding = story.finding(rule);
        assert!(finding.severity >= Severity::Warning, "{head}: {finding:?}");
        assert!(
            finding.message.contains(part),
            "{head}: {}",
            finding.message
        );
        if !text.is_empty() {
            let line = story.first_line(1, Who::Client);
            assert_eq!(
                line,
                format!("dotnet-framework*: {violation}{text}"),
                "{head}"
            );
        }
    }
    // The first generation has a single text for all violations.
    let story = Story::drawn(&format!(
        "{OPEN}GET / [{DOTNET_1}] -->\n<-- \"HTP/1.1 200 OK\\r\\n\\r\\n\"\nACK -->\nFIN -->\n<-- FIN\nACK -->"
    ));
    let text =
        "The underlying connection was closed: The server committed an HTTP protocol violation.";
    assert_eq!(
        story.first_line(1, Who::Client),
        format!("dotnet-framework*: {text}")
    );
}

/// Case 6: `The operation has timed-out`, the client's timeout.
#[test]
fn case_6_a_client_that_gives_up_after_its_limit() {
    let story = Story::captured("client-timeout.pcap");
    story.says(
        "client-gave-up-waiting",
        Severity::Error,
        &[
            "waited 2.00 s for the response",
            "2 s is a round number: probably a configured timeout",
            "The response came 3.00 s after the request, too late for the client",
        ],
        &["above 3.00 s", "Or find out why the response took so long"],
    );
    let first = story.first_line(1, Who::Client);
    assert_eq!(
        first,
        "curl*: curl: (28) Operation timed out after … milliseconds with … bytes received"
    );
    for (agent, text) in [
        (DOTNET, "The operation has timed out"),
        (DOTNET_1, "The operation has timed-out"),
    ] {
        let story = Story::drawn(&format!(
            "{OPEN}GET /slow [{agent}] -->\n<-- ACK\n+100s FIN -->\n<-- ACK"
        ));
        story.says(
            "client-gave-up-waiting",
            Severity::Error,
            &["100.0 s", "100 s is a round number"],
            &["imeout"],
        );
        assert_eq!(
            story.first_line(1, Who::Client),
            format!("dotnet-framework*: {text}")
        );
    }
}

/// Case 8: a login that restarts again and again.
#[test]
fn case_8_a_handshake_of_ntlm_that_is_closed_between_its_legs() {
    let legs = |number: u32| {
        format!(
            "client :{} server\n{OPEN}\
             GET / [{DOTNET} authorization=\"NTLM TlRMTVNTUAABAAAA\"] -->\n\
             +5ms <-- 401 \"no\" [server=Microsoft-IIS/6.0 www-authenticate=\"NTLM TlRMTVNTUAACAAAA\" close]\n\
             <-- FIN\nFIN -->\n<-- ACK\n",
            40_000 + number
        )
    };
    let story = Story::drawn(&(0..4).map(legs).collect::<String>());
    story.says(
        "auth-broken-by-close",
        Severity::Error,
        &["NTLM"],
        &["keep-alive on"],
    );
    assert_eq!(
        story.finding("auth-broken-by-close").connections,
        [1, 2, 3, 4]
    );
    // With keep-alive on, the same legs form a successful login.
    let fine = Story::drawn(&format!(
        "{OPEN}GET / [authorization=\"NTLM TlRMTVNTUAABAAAA\"] -->\n\
         <-- 401 \"no\" [www-authenticate=\"NTLM TlRMTVNTUAACAAAA\"]\n\
         GET / [authorization=\"NTLM TlRMTVNTUAADAAAA\"] -->\n<-- 200 \"welcome\"\nACK -->"
    ));
    assert!(fine.loud().is_empty(), "{:?}", fine.loud());
}

/// Case 10: `The remote host closed the connection. The error code is 0x800704CD`.
#[test]
fn case_10_a_client_that_leaves_while_it_is_answered() {
    let story = Story::captured("client-left-mid-download.pcap");
    story.says(
        "client-left-mid-response",
        Severity::Warning,
        &[
            "7,949 to 12,045 of 65,536 body bytes",
            "1.49 to 2.49 s after the response",
        ],
        &["notice that the client has closed", "log it quietly"],
    );
    assert_eq!(
        story.finding("client-left-mid-response").connections,
        [1, 2],
        "by FIN and by RST"
    );
    for end in ["FIN", "RST"] {
        let story = Story::drawn(&format!(
            "{OPEN}GET /page.aspx -->\n<-- 200 data 1400 [length=90000 server=Microsoft-IIS/7.5]\nACK -->\n+700ms \
             {end} -->"
        ));
        assert_eq!(story.loud(), ["client-left-mid-response"]);
        let log = story.log(1, Who::Server);
        let text = "The remote host closed the connection. The error code is 0x800704CD.";
        assert!(
            log.iter()
                .any(|it| it.stack == "asp.net" && it.text == Some(text)),
            "{end}: {log:#?}"
        );
        assert!(
            log[0].stack == "iis" && log[0].identified_by.is_some(),
            "what the header names comes first: {log:#?}"
        );
    }
}
