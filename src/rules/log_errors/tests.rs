use super::*;
use crate::rules::ladder_check;

mod client;
mod measured;

const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";

/// The first text for each side of the last connection, `-` where there is none.
fn first(ladder: &str) -> [String; 2] {
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    let connection = proof.connections.last().expect("a connection");
    Who::BOTH.map(|who| {
        let told = Predictor::default().told(connection, who);
        let first = told.first();
        first.map_or("-".to_owned(), |it| {
            format!("{}: {}", it.stack, it.text.unwrap_or("-"))
        })
    })
}

#[track_caller]
fn check(ladder: &str, client: &str) {
    let ladder = format!("{OPEN}{ladder}");
    assert_eq!(first(&ladder)[0], client, "{ladder}");
}

/// A request of curl.
const CURL: &str = "GET / [user-agent=curl/7.88.1] -->\n<-- ACK\n";
/// An exchange that was completed, with nothing outstanding.
const SERVED: &str = "GET / [user-agent=python-requests/2.34.2] -->\n<-- 200 \"one\"\nACK -->\n";

#[test]
fn a_named_client_says_what_befell_it() {
    let cases = [
        ("<-- FIN", "curl: curl: (52) Empty reply from server"),
        (
            "<-- RST",
            "curl: curl: (56) Recv failure: Connection reset by peer",
        ),
        (
            "+2s FIN -->",
            "curl: curl: (28) Operation timed out after … milliseconds with … bytes received",
        ),
        (
            "<-- 200 data 10 [length=30]\n<-- FIN",
            "curl: curl: (18) transfer closed with … bytes remaining to read",
        ),
        (
            "<-- 200 data 10 [length=30]\n<-- RST",
            "curl: curl: (56) Recv failure: Connection reset by peer",
        ),
        (
            "<-- \"SSH-2.0-x\\r\\n\\r\\n\"\nFIN -->",
            "curl: curl: (1) Received HTTP/0.9 when not allowed",
        ),
    ];
    for (end, told) in cases {
        check(&format!("{CURL}{end}"), told);
    }
}

/// A request of `agent`, and what the server writes back.
fn answered(agent: &str, answer: &str, end: &str) -> String {
    format!("GET / [user-agent={agent}] -->\n<-- \"{answer}\"\nACK -->\n{end}")
}

#[test]
fn each_breach_of_the_grammar_has_its_own_words() {
    let go = "go: … \"…\": net/http: HTTP/1.x transport connection broken: ";
    let node = "axios: Parse Error: ";
    let two = "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nContent-Length: ";
    let one = "HTTP/1.1 200 OK\\r\\nContent-Length:";
    let chunks = "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n";
    let cases: &[(&str, String, String)] = &[
        (
            "Go-http-client/1.1",
            format!("{two}3\\r\\n\\r\\nhi"),
            format!("{go}http: message cannot contain multiple Content-Length headers; got […]"),
        ),
        (
            "axios/1.7",
            format!("{two}2\\r\\n\\r\\nhi"),
            format!("{node}Duplicate Content-Length"),
        ),
        (
            "Go-http-client/1.1",
            format!("{two}2\\r\\n\\r\\nhi"),
            "go: -".to_owned(),
        ),
        (
            "axios/1.7",
            format!("{one}\\r\\n\\r\\nhi"),
            format!("{node}Empty Content-Length"),
        ),
        (
            "curl/8.1",
            format!("{one} 2 bytes\\r\\n\\r\\nhi"),
            "curl: -".to_owned(),
        ),
        (
            "curl/8.1",
            format!("{one} two\\r\\n\\r\\nhi"),
            "curl: curl: (8) Invalid Content-Length: value".to_owned(),
        ),
        (
            "axios/1.7",
            "HTTP/1.1 2000 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi".to_owned(),
            format!("{node}Invalid response status"),
        ),
        (
            "curl/8.1",
            "HTTP/1.1 20 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi".to_owned(),
            "curl: curl: (1) Unsupported response code in HTTP response".to_owned(),
        ),
        (
            "axios/1.7",
            format!("{chunks}2\\r\\nhixx\\r\\n0\\r\\n\\r\\n"),
            format!("{node}Expected LF after chunk data"),
        ),
        (
            "axios/1.7",
            format!("{chunks}fffffffffffffffff\\r\\nhi"),
            format!("{node}Chunk size overflow"),
        ),
        (
            "axios/1.7",
            format!("{chunks}2;{}", "a".repeat(17_000)),
            format!("{node}Chunk extensions overflow"),
        ),
        (
            "axios/1.7",
            format!("{chunks}zz\\r\\nhi"),
            format!("{node}Invalid character in chunk size"),
        ),
    ];
    for (agent, answer, told) in cases {
        check(&answered(agent, answer, "FIN -->"), told);
    }
}

/// requests names the two halves of the statuses that it reports.
#[test]
fn whose_error_a_status_is_depends_on_its_number() {
    for (status, told) in [(404, "Client Error"), (503, "Server Error")] {
        let text = format!(
            "SYN -->\n<-- SYN\nGET / [user-agent=python-requests/2.34.2] -->\n<-- {status} \"no\"\nFIN -->\n<-- FIN\nACK -->"
        );
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let lines = Predictor::default().told(&proof.connections[0], Who::Client);
        let note = lines.first().and_then(|it| it.note);
        assert!(
            note.is_some_and(|it| it.contains(told)),
            "{status}: {note:?}"
        );
    }
}

#[test]
fn a_reader_of_lines_waits_for_their_end() {
    let html = "<html>hello</html>";
    let requests = "python-requests/2.34.2";
    let cases = [
        (requests, html, "+3s FIN -->", "Read timed out"),
        (requests, html, "<-- FIN", "BadStatusLine"),
        (
            "axios/1.7",
            html,
            "+3s FIN -->",
            "Parse Error: Expected HTTP/",
        ),
        (
            "Go-http-client/1.1",
            html,
            "+3s FIN -->",
            "context deadline exceeded",
        ),
        (
            "python-httpx/0.28.1",
            "SSH-2.0-x\\r\\n",
            "+3s FIN -->",
            "timed out",
        ),
        (requests, "SSH-2.0-x\\r\\n", "+3s FIN -->", "BadStatusLine"),
        (
            requests,
            "HTTP/1.1 100 Continue\\r\\n\\r\\n",
            "+3s FIN -->",
            "Read timed out",
        ),
    ];
    for (agent, answer, end, told) in cases {
        let ladder = format!("{OPEN}{}", answered(agent, answer, end));
        let got = &first(&ladder)[0];
        assert!(got.contains(told), "{agent} {answer} {end}: {got}");
    }
}

#[test]
fn a_status_is_told_as_a_status() {
    let refused = "HTTP/1.1 413 Payload Too Large\\r\\nContent-Length: 2\\r\\n\\r\\nno";
    check(
        &answered("Wget/1.21.3", refused, "FIN -->"),
        "wget: ERROR …: ….",
    );
    // Whether it is an error for them, the program decides.
    check(&answered("curl/8.1", refused, "FIN -->"), "curl: -");
    check(&answered("my-program", refused, "FIN -->"), "-");
    let nameless = format!("GET / -->\n<-- \"{refused}\"\nACK -->\nFIN -->");
    let told = suspected(&format!("{OPEN}{nameless}"));
    let webrequest = |it: &String| it.contains("The remote server returned an error: (…)");
    assert!(told.iter().any(webrequest), "{told:?}");
}

#[test]
fn a_client_that_names_nobody_is_suspected() {
    check(
        "GET / [connection=keep-alive] -->\n<-- ACK\n<-- FIN",
        "node-http: socket hang up",
    );
    // Who sends nothing but `Host` is no Node.js.
    check(
        "GET / -->\n<-- ACK\n<-- FIN",
        "dotnet-httpclient: An error occurred while sending the request.",
    );
    let refused = first("SYN -->\n<-- RST");
    assert_eq!(
        refused[0],
        "curl: Failed to connect to … port … after … ms: Couldn't connect to server"
    );
    assert_eq!(refused[1], "-", "no application was asked");
}

/// A header that names another program, and a request that no library writes.
#[test]
fn who_cannot_be_one_of_the_suspects_is_none() {
    let raw = |request: &str, rest: &str| format!("{OPEN}\"{request}\" -->\n<-- {rest}");
    let old = "GET / HTTP/1.1\\r\\nHost: a\\r\\nUser-Agent: Mozilla/4.0 (compatible; MSIE 7.0)\\r\\n\\r\\n";
    let typed = "GET / HTTP/1.1\\nHost: a\\nUser-Agent: curl/8.0.1\\n\\n";
    let handmade = "GET / HTTP/1.1\\r\\nHost : a\\r\\n\\r\\n";
    let other = "GET / HTTP/1.1\\r\\nHost: a\\r\\nUser-Agent: czxt2s\\r\\n\\r\\n";
    for (request, named) in [
        (old, false),
        (typed, false),
        (handmade, false),
        (other, true),
    ] {
        let [client, _] = first(&raw(request, "FIN"));
        assert_eq!(client != "-", named, "{request}: {client}");
    }
    // A server that names itself is none of those that do so, and some stand for a whole service.
    let left = |server: &str| {
        let answer = format!("200 data 10 [length=30 server={server}]\nACK -->\n+1s RST -->");
        let ladder = format!("{OPEN}GET / -->\n<-- {answer}");
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let told = Predictor::default().told(&proof.connections[0], Who::Server);
        told.iter().map(|it| it.stack).collect::<Vec<_>>()
    };
    assert_eq!(left("GFE/2.0"), [""; 0]);
    let others = left("kittenx");
    assert!(
        !others.is_empty() && !others.contains(&"nginx"),
        "{others:?}"
    );
    assert!(left("nginx/1.22.1").contains(&"nginx"));
}

#[test]
fn a_reused_connection_is_told_from_a_fresh_one() {
    // The FIN crossed the request, or had arrived before it: a POST is not retried silently.
    let post = "POST /2 \"x\" [user-agent=python-requests/2.34.2] -->\n";
    check(
        &format!("{SERVED}+5s <-- FIN\n+1s {post}<-- RST [noack]"),
        "python-requests: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
    );
    check(
        &format!("{SERVED}+5s {post}<-- RST"),
        "python-requests: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
    );
}

#[test]
fn the_server_hears_of_a_client_that_leaves() {
    let served = "GET /1 -->\n<-- 200 \"one\" [server=nginx/1.22.1]\nACK -->\n";
    let left = first(&format!("{OPEN}{served}GET /2 -->\n<-- ACK\n+2s FIN -->"));
    assert!(left[1].starts_with("nginx: "), "{left:?}");
}

#[test]
fn why_a_server_fails_only_a_named_one_tells() {
    let ends = |fields: &str| {
        let served = format!("GET /1 -->\n<-- 200 \"one\"{fields}\nACK -->\n");
        first(&format!("{OPEN}{served}GET /2 -->\n<-- ACK\n+30s <-- RST"))[1].clone()
    };
    assert_eq!(
        ends(" [server=gunicorn]"),
        "gunicorn: WORKER TIMEOUT (pid:…)"
    );
    assert_eq!(ends(""), "-");
}

#[test]
fn what_ends_in_order_is_in_no_log() {
    let fine = [
        format!("{OPEN}{SERVED}"),
        format!("{OPEN}{SERVED}+1s FIN -->\n<-- FIN\nACK -->"),
        format!("{OPEN}{SERVED}+5s <-- FIN\nFIN -->\n<-- ACK"),
        format!("{OPEN}{SERVED}+5s <-- RST"),
        format!("{OPEN}GET / [close] -->\n<-- 200 \"x\" [close] FIN\nFIN -->\n<-- ACK"),
        format!("{OPEN}GET / -->\n<-- 200 data 5 [no-length]\n<-- FIN\nFIN -->\n<-- ACK"),
        format!(
            "{OPEN}GET / -->\nFIN -->\n<-- ACK\n+1s <-- 200 \"late\"\nACK -->\n<-- FIN\nACK -->"
        ),
        format!("{OPEN}GET / -->"),
        format!("{OPEN}+5s <-- FIN"),
        "SYN -->".to_owned(),
    ];
    for ladder in fine {
        assert_eq!(first(&ladder), ["-", "-"], "{ladder}");
    }
}

#[test]
fn a_proxy_does_not_speak_with_its_clients_voice() {
    let proof = |fields: &str| {
        let ladder = format!("{OPEN}GET / [user-agent=curl/7.88.1{fields}] -->\n<-- ACK\n<-- RST");
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let told = Predictor::default().told(&proof.connections[0], Who::Client);
        told.iter().filter_map(|it| it.identified_by).count()
    };
    assert!(proof("") > 0);
    assert_eq!(proof(" via=x"), 0);
}

#[test]
fn several_stories_share_the_suspects() {
    let question = TextQuery {
        readings: None,
        stories: vec![
            vec![WireEvent::TlsCertUntrusted],
            vec![WireEvent::TlsCertExpired],
        ],
        side: LogSide::Client,
        program: Program::Unknown,
        handed_on: false,
        refusal: None,
        waits: false,
    };
    let told = question.answer();
    assert_eq!(told.len(), SUSPECTS);
    for (at, one) in told.iter().enumerate() {
        assert!(!told[..at].contains(one), "{one:?}");
    }
}

#[test]
fn what_is_remembered_is_what_was_found() {
    let run = |end: &str| {
        let ladder = format!("{OPEN}{CURL}{end}");
        let mut connections = ladder_check::run(&ladder.parse().expect("a ladder")).connections;
        connections.remove(0)
    };
    let mut predictor = Predictor::default();
    for end in ["<-- FIN", "<-- RST", "<-- FIN"] {
        let connection = run(end);
        let fresh = Predictor::default().told(&connection, Who::Client);
        assert_eq!(predictor.told(&connection, Who::Client), fresh, "{end}");
    }
    assert_eq!(predictor.kept.len(), 2);
}

/// A client that waits for the rest may report it after the capture has ended.
#[test]
fn who_waits_still_is_not_said_to_report_nothing() {
    let told = |end: &str| {
        let answer = "HTTP/1.1 200 OK\\r\\nContent-Length: 5, 9\\r\\n\\r\\nhello";
        let ladder =
            format!("{OPEN}GET / [user-agent=okhttp/3.13.1] -->\n<-- \"{answer}\"\nACK -->\n{end}");
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let told = Predictor::default().told(&proof.connections[0], Who::Client);
        let texts = told.iter().map(|it| it.text.is_some());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(told(""), Vec::<bool>::new());
    assert_eq!(told("ACK -->\n+10s FIN -->\n<-- FIN\nACK -->"), [true]);
}

/// A stream of HTTP/2 that curl opened.
const H2: &str = "h2 preface h2 SETTINGS h2 HEADERS 1 GET / END [user-agent=curl/7.88.1] -->\n";

#[test]
fn streams_are_lost_one_by_one_or_all_together() {
    let cases = [
        (
            "<-- h2 SETTINGS h2 HEADERS 1 200 h2 DATA 1 9\n<-- FIN",
            "curl: HTTP/2 stream … was not closed cleanly before end of the underlying stream",
        ),
        (
            "<-- h2 SETTINGS h2 RST_STREAM 1 INTERNAL_ERROR",
            "curl: curl: (92) HTTP/2 stream … was not closed cleanly: … (err …)",
        ),
        (
            "<-- h2 SETTINGS h2 GOAWAY 0 ENHANCE_YOUR_CALM FIN",
            "curl: curl: (16) Error in the HTTP2 framing layer",
        ),
        (
            "<-- h2 SETTINGS h2 GOAWAY 1 ENHANCE_YOUR_CALM FIN",
            "curl: curl: (18) HTTP/2 stream … was not closed cleanly before end of the underlying stream",
        ),
        (
            "<-- h2 SETTINGS\n+3s FIN -->",
            "curl: curl: (28) Operation timed out after … milliseconds with … bytes received",
        ),
        (
            "<-- h2 SETTINGS\n+30s h2 RST_STREAM 1 CANCEL -->",
            "curl: curl: (28) Operation timed out after … milliseconds with … bytes received",
        ),
        (
            "<-- h2 SETTINGS h2 HEADERS 1 200 END\n<-- h2 GOAWAY 1 NO_ERROR FIN",
            "-",
        ),
    ];
    for (end, told) in cases {
        check(&format!("{H2}{end}"), told);
    }
    let dotnet = H2.replace("curl/7.88.1", "\"\"");
    let told = suspected(&format!(
        "{OPEN}{dotnet}<-- h2 SETTINGS h2 GOAWAY 0 NO_ERROR FIN"
    ));
    let shut = |it: &String| it.contains("shut down the connection");
    assert!(told.iter().any(shut), "{told:?}");
}

#[test]
fn a_websocket_without_a_close_is_1006() {
    let open = "GET /ws [connection=Upgrade upgrade=websocket user-agent=\"Python/3.11 websockets/17.4\"] -->\n\
                <-- 101 [connection=Upgrade upgrade=websocket]\n";
    let cut = "websockets: no close frame received or sent";
    check(&format!("{open}<-- ws text 5\n<-- FIN"), cut);
    check(&format!("{open}<-- ws text 5\n<-- RST"), cut);
    check(&format!("{open}<-- ws close 1001\n<-- FIN"), "-");
}

/// The texts of the client's suspects, each with its program.
fn suspected(ladder: &str) -> Vec<String> {
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    let told = Predictor::default().told(&proof.connections[0], Who::Client);
    assert!(told.iter().all(|it| it.identified_by.is_none()));
    let words = told.iter().map(|it| (it.stack, it.text.unwrap_or("-")));
    words
        .map(|(stack, text)| format!("{stack}: {text}"))
        .collect()
}

const SOAP: &str = r#""POST /x HTTP/1.1\r\nContent-Type: text/xml\r\nSOAPAction: \"urn:x\"\r\nHost: a\r\nContent-Length: 0\r\n\r\n" -->"#;

#[test]
fn who_calls_by_soap_is_suspected_first() {
    let answers = |head: &str, body: &str| {
        suspected(&format!(
            "{OPEN}{SOAP}\n<-- \"HTTP/1.1 200 OK\\r\\n{head}Content-Length: 2\\r\\n\\r\\n{body}\"\nFIN -->\n<-- FIN"
        ))
    };
    let answered = |head: &str| answers(head, "hi");
    let plain = answered("Content-Type: text/plain\\r\\n");
    assert!(plain[0].starts_with("wcf: The content type"), "{plain:?}");
    assert!(
        plain[1].starts_with("mono-wcf: Data at the root"),
        "{plain:?}"
    );
    let packed = answers(
        "Content-Type: text/xml\\r\\nContent-Encoding: gzip\\r\\n",
        "\\x1f\\x8b",
    );
    assert!(packed[0].contains("hexadecimal value 0x1F"), "{packed:?}");
    for fine in [
        "Content-Type: text/xml; charset=utf-8\\r\\n",
        "Content-Type: application/soap+xml\\r\\n",
        "Content-Encoding: identity\\r\\n",
        "",
    ] {
        assert!(answered(fine).is_empty(), "{fine}");
    }
    // Of a body that is cut short the first bytes are met first, unless a reset takes them away.
    let cut = |end: &str| {
        let head =
            "Content-Type: text/xml\\r\\nContent-Encoding: gzip\\r\\nContent-Length: 40\\r\\n";
        suspected(&format!(
            "{OPEN}{SOAP}\n<-- \"HTTP/1.1 200 OK\\r\\n{head}\\r\\n\\x1f\\x8b\"\nACK -->\n{end}"
        ))
    };
    let mono = |texts: Vec<String>| texts.into_iter().find(|it| it.starts_with("mono-wcf: "));
    let closed = mono(cut("<-- FIN\nFIN -->")).unwrap_or_default();
    assert!(closed.contains("0x1F"), "{closed}");
    let reset = mono(cut("<-- RST")).unwrap_or_default();
    assert!(reset.contains("Connection reset by peer"), "{reset}");
    let reset = suspected(&format!("{OPEN}{SOAP}\n<-- RST"));
    assert!(reset[0].starts_with("wcf: "), "{reset:?}");
    assert!(reset[1].starts_with("mono-wcf: "), "{reset:?}");
}

#[test]
fn the_same_words_are_told_once() {
    let told = suspected("SYN -->\n<-- RST");
    let refused = |it: &&String| {
        it.split_once(": ")
            .is_some_and(|it| it.1 == "Connection refused")
    };
    assert_eq!(told.iter().filter(refused).count(), 1, "{told:?}");
    assert_eq!(told.len(), SUSPECTS);
}

#[test]
fn a_client_that_counts_header_lines_refuses_too_many() {
    let answered = |agent: &str, lines: usize, next: &str| {
        let fields: String = (0..lines).map(|nth| format!("X-{nth}: a\\r\\n")).collect();
        let answer = format!("HTTP/1.1 204 No Content\\r\\n{fields}\\r\\n");
        first(&format!(
            "{OPEN}GET / [user-agent={agent}] -->\n<-- \"{answer}\"\nACK -->\n{next}"
        ))
    };
    let cases = [
        (
            "Python-urllib/3.11",
            101,
            "FIN -->",
            "python-urllib: got more than 100 headers",
        ),
        (
            "python-requests/2.34.2",
            150,
            "FIN -->",
            "python-requests: ('Connection aborted.', HTTPException('got more than 100 headers'))",
        ),
        ("python-requests/2.34.2", 100, "FIN -->", "-"),
        // A client that went on has taken the answer.
        (
            "python-requests/2.34.2",
            150,
            "GET / -->\n<-- 204\nFIN -->",
            "-",
        ),
        // These have no such limit, or name nobody.
        ("curl/7.88.1", 150, "FIN -->", "-"),
        ("Go-http-client/1.1", 150, "FIN -->", "-"),
        ("unheard-of", 150, "FIN -->", "-"),
    ];
    for (agent, lines, next, told) in cases {
        assert_eq!(answered(agent, lines, next)[0], told, "{agent}, {lines}");
    }
}

/// The stories of one side of the first connection.
fn met(who: Who, ladder: &str) -> Vec<Vec<WireEvent>> {
    let proof = ladder_check::run(&format!("{OPEN}{ladder}").parse().expect("a ladder"));
    stories(&proof.connections[0], who)
}

#[test]
fn a_shut_window_shows_whom_the_sender_waited_for() {
    let slow = [[WireEvent::ClientStoppedReading]];
    let shut = "ACK [win=0] -->\n+1s <-- probe\nACK [win=0] -->\n";
    for cut in ["", " cut=20"] {
        let begun = format!("GET / -->\n<-- 200 data 2000 [length=9000{cut}]\n<-- data 2000\n");
        let met = |end: &str| met(Who::Server, &format!("{begun}{end}"));
        assert_eq!(met(&format!("{shut}+2s <-- RST")), slow, "{cut}");
        let left = met(&format!("{shut}+2s RST -->"));
        assert_eq!(left, [[WireEvent::ClientRstInResponse]], "{cut}");
        assert_ne!(met("ACK -->\n+2s <-- RST"), slow, "{cut}");
    }
}

#[test]
fn a_request_that_a_shut_window_stops_was_being_sent() {
    for cut in ["", " cut=20"] {
        let post =
            format!("POST / [length=90000{cut}] data 1000 -->\n<-- ACK [win=0]\n+2s <-- RST");
        assert_eq!(
            met(Who::Client, &post),
            [[WireEvent::WriteStalled], [WireEvent::RstWhileSending]],
            "{cut}"
        );
        assert!(met(Who::Server, &post).is_empty(), "{cut}");
    }
}

#[test]
fn half_a_request_that_is_answered_late_has_stalled() {
    let half = "\"GET / HTTP/1.1\\r\\nHost: a\\r\\n\" -->\n<-- ACK\n";
    let close = "<-- FIN\nFIN -->\n<-- ACK";
    for status in [400, 408] {
        let late = format!("{half}+1100ms <-- {status} \"bad\" [close]\n{close}");
        assert_eq!(
            met(Who::Server, &late),
            [[WireEvent::RequestHeadStalled]],
            "{status}"
        );
    }
    let at_once = format!("{half}+20ms <-- 400 \"bad\" [close]\n+2s {close}");
    assert!(met(Who::Server, &at_once).is_empty());
}

/// A session of PostgreSQL that is open.
const STARTUP: &str = r#""\0\0\0\x12\0\x03\0\0user\0me\0\0\0" -->
<-- "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
ACK -->
"#;
const QUERY: &str = r#""Q\0\0\0\x0dselect 1\0" -->
<-- ACK
"#;

/// The predicted texts of one side of the last connection, with what the capture shows filled in.
fn all(ladder: &str, who: Who) -> Vec<(&'static str, String)> {
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    let connection = proof.connections.last().expect("a connection");
    let told = Predictor::default().told(connection, who);
    let texts = told.iter().filter_map(|it| Some((it.stack, it.text?)));
    texts
        .map(|(stack, text)| (stack, filled(text, connection, who).into_owned()))
        .collect()
}

#[test]
fn a_program_speaks_the_protocol_of_the_connection() {
    let postgresql = format!("{OPEN}{STARTUP}+3s {QUERY}+2s <-- FIN");
    let refused = "client :40000 server 10.0.0.2:6379\nSYN -->\n<-- RST".to_owned();
    let mail = format!(
        "{OPEN}<-- \"220 mail.example ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n<-- ACK\n+2s <-- FIN"
    );
    let http = format!("{OPEN}GET / -->\n<-- ACK\n<-- FIN");
    for (ladder, protocol, text) in [
        (
            postgresql,
            "postgresql",
            "server closed the connection unexpectedly",
        ),
        (
            refused,
            "redis",
            "Could not connect to Redis at …: Connection refused",
        ),
        (mail, "smtp", "Connection unexpectedly closed"),
        (http, "http", "socket hang up"),
    ] {
        let told = all(&ladder, Who::Client);
        assert!(
            told.iter().any(|it| it.1.contains(text)),
            "{ladder}: {told:?}"
        );
        for (stack, _) in &told {
            let product = crate::knowledge::product(stack).expect("a product");
            assert!(product.speaks(protocol), "{ladder}: {stack}");
        }
    }
}

#[test]
fn the_server_is_quoted() {
    let fatal = r#"<-- "E\0\0\0\x3bSFATAL\0VFATAL\0C57P01\0Mterminating connection due to x\0\0"
<-- FIN
"#;
    let login = r#""\0\0\0\x12\0\x03\0\0user\0me\0\0\0" -->
<-- "E\0\0\0\x2cSFATAL\0VFATAL\0C53300\0Mtoo many clients\0\0"
<-- FIN
"#;
    let psql = STARTUP
        .replace(r"\x12", r"\x27")
        .replace(r"me\0\0\0", r"me\0application_name\0psql\0\0");
    for (ladder, text) in [
        (
            format!("{OPEN}{psql}{QUERY}{fatal}"),
            "FATAL:  terminating connection due to x",
        ),
        (
            format!("{OPEN}{STARTUP}{QUERY}{fatal}"),
            "FATAL: terminating connection due to x (SQLSTATE 57P01)",
        ),
        (format!("{OPEN}{login}"), "failed: FATAL:  too many clients"),
        (
            format!("{OPEN}<-- \"421 4.3.2 mail.example ESMTP: busy\\r\\n\"\n<-- FIN"),
            "(421, b'4.3.2 mail.example ESMTP: busy')",
        ),
    ] {
        let told = all(&ladder, Who::Client);
        assert!(
            told.iter().any(|it| it.1.contains(text)),
            "{ladder}: {told:?}"
        );
    }
}

/// Inside TLS without its keys the port may say what is spoken; programs that speak another protocol write nothing.
#[test]
fn what_is_told_of_tls_without_keys_is_what_fits() {
    let tls = |port: u16, end: &str| {
        suspected(&format!(
            "client server :{port}\nSYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
             <-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\n\
             app 300 -->\n{end}"
        ))
    };
    let gone = "<-- ACK\n+900ms <-- FIN\nFIN -->\n<-- ACK";
    assert!(!tls(443, gone).is_empty());
    let others = tls(3306, gone);
    assert!(!others.iter().any(|it| it.contains("curl")), "{others:?}");
    // A client that gave up, and data that met a RST after a pause.
    let late = tls(443, "<-- ACK\n+5s FIN -->\n<-- FIN\nACK -->");
    assert!(late.iter().any(|it| it.contains("timed out")), "{late:?}");
    let reset = tls(
        443,
        "<-- app 900\nACK -->\n+9s app 300 -->\n<-- RST [noack]",
    );
    assert!(
        reset.iter().any(|it| it.contains("ECONNRESET")),
        "{reset:?}"
    );
}

#[test]
fn who_decodes_reports_a_body_that_cannot_be_decoded() {
    let answered = |agent: &str, asks: &str, body: &str| {
        first(&format!(
            "{OPEN}GET / [user-agent={agent} {asks}] -->\n<-- 200 \"{body}\" [content-encoding=gzip]\nACK -->\nFIN -->\n<-- FIN"
        ))
    };
    let head = r"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03";
    let (none, damaged, cut) = (
        "<p>hello</p>".to_owned(),
        format!(r"{head}\xff\xff\xff\xff"),
        format!(r"{head}\xcbH\xcd\xc9"),
    );
    let (go, requests) = ("Go-http-client/1.1", "python-requests/2.34.2");
    let asks = "accept-encoding=gzip";
    let cases = [
        (go, asks, &none, "go: gzip: invalid header"),
        (
            go,
            asks,
            &damaged,
            "go: flate: corrupt input before offset …",
        ),
        (go, asks, &cut, "go: unexpected EOF"),
        (
            requests,
            asks,
            &damaged,
            "python-requests: ('Received response with content-encoding: …, but failed to decode it.', …",
        ),
        // It takes what came for the whole.
        (requests, asks, &cut, "python-requests: -"),
        // Who has not asked for a coding does not decode.
        ("curl/8.1", "accept=text/*", &damaged, "-"),
        ("curl/8.1", "accept-encoding=identity", &damaged, "-"),
        (
            "curl/8.1",
            asks,
            &none,
            "curl: curl: (61) Error while processing content unencoding: …",
        ),
    ];
    for (agent, asks, body, text) in cases {
        assert_eq!(
            answered(agent, asks, body)[0],
            text,
            "{agent} {asks} {body}"
        );
    }
    // An end that is missing is a fault to few.
    let unnamed = |body: &str| {
        let text = format!(
            "{OPEN}GET / [{asks}] -->\n<-- 200 \"{body}\" [content-encoding=gzip]\nACK -->\nFIN -->\n<-- FIN"
        );
        first(&text)[0].clone()
    };
    assert_ne!(unnamed(&damaged), "-");
    assert_eq!(unnamed(&cut), "-");
}

/// A refused question of a library is no error, the first of several with one cause is told, and a client that leaves says
/// why by what it had learnt.
#[test]
fn what_a_client_of_another_protocol_met() {
    let redis = r#"client server :6379
SYN -->
<-- SYN
ACK -->
"*1\r\n$7\r\nCOMMAND\r\n" -->
<-- "-ERR unknown command 'COMMAND'\r\n"
"*1\r\n$4\r\nPING\r\n" -->
<-- ACK
"#;
    let login = r#"client server :21
SYN -->
<-- SYN
ACK -->
<-- "220 (vsFTPd 3.0.3)\r\n"
"USER a\r\n" -->
<-- "331 password\r\n"
"PASS b\r\n" -->
<-- "530 Login incorrect.\r\n"
"PWD\r\n" -->
<-- "530 Please login with USER and PASS.\r\n"
FIN -->
<-- FIN
"#;
    let greeting = r#"client server :3306
SYN -->
<-- SYN
ACK -->
<-- "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xf7\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00mysql_native_password\x00"
FIN -->
<-- FIN
"#;
    for (ladder, text) in [
        (
            format!("{redis}+2s <-- FIN"),
            "Connection closed by server.",
        ),
        (login.to_owned(), "Login incorrect."),
        (greeting.to_owned(), "SSL is required"),
        (greeting.replace("\\xff\\xf7", "\\xff\\xff"), ""),
    ] {
        let told = all(&ladder, Who::Client);
        let said = |it: &(&str, String)| !text.is_empty() && it.1.contains(text);
        assert_eq!(
            told.iter().any(said),
            !text.is_empty(),
            "{ladder}: {told:?}"
        );
        let unknown = |it: &(&str, String)| it.1.contains("unknown command");
        assert!(!told.iter().any(unknown), "{told:?}");
    }
}
