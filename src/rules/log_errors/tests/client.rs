use super::*;

/// Each client follows so many redirects and no more.
#[test]
fn a_circle_of_redirects_ends_where_its_client_stops() {
    for (agent, count, told) in [
        (
            "curl/8.1",
            51,
            "curl: curl: (47) Maximum (50) redirects followed",
        ),
        ("curl/8.1", 50, "-"),
        (
            "python-requests/2.34.2",
            31,
            "python-requests: Exceeded 30 redirects.",
        ),
        ("Go-http-client/1.1", 10, "go: stopped after 10 redirects"),
        ("Go-http-client/1.1", 31, "-"),
    ] {
        let one = format!("GET /a [user-agent={agent}] -->\n<-- 302\n");
        check(
            &format!("{}ACK -->\nFIN -->\n<-- FIN", one.repeat(count)),
            told,
        );
    }
}

/// A program that names itself would have had its own name in `User-Agent`.
#[test]
fn an_unknown_agent_is_no_program_that_names_itself() {
    let ladder = format!("{OPEN}GET / [user-agent=mine/1.0] -->\n<-- ACK\n<-- FIN");
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    let told = Predictor::default().told(&proof.connections[0], Who::Client);
    let named = |name: &str| ["curl", "python-requests", "go", "wget"].contains(&name);
    assert!(!told.iter().any(|it| named(it.stack)), "{told:?}");
    assert!(
        !told.iter().flat_map(|it| &it.also).any(|it| named(it)),
        "{told:?}"
    );
}

/// What comes in place of a chunk's size.
#[test]
fn odd_sizes_of_chunks_have_words_of_their_own() {
    for (agent, size, told) in [
        (
            "curl/7.88.1",
            "0x2",
            "curl: curl: (43) Failed reading the chunked-encoded stream",
        ),
        (
            "python-requests/2.34.2",
            "-5",
            "python-requests: read length must be non-negative or -1",
        ),
        (
            "Go-http-client/1.1",
            "",
            "go: malformed MIME header: missing colon: \"…\"",
        ),
    ] {
        let head = "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n";
        let answer = format!("{head}{size}\\r\\nhi\\r\\n0\\r\\n\\r\\n");
        check(&answered(agent, &answer, "FIN -->\n<-- FIN"), told);
    }
}

/// Most libraries send an alert when they refuse a certificate: only those that may not are suspected where none was sent. A
/// server that leaves first was refused by nobody.
#[test]
fn who_leaves_a_handshake_without_an_alert_is_of_those_that_send_none() {
    let told = |end: &str| {
        suspected(&format!(
            "{OPEN}ClientHello [sni=a version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n{end}"
        ))
    };
    let refuses = |told: &[String], program: &str| {
        let words = ["certificate", "issuer", "altnames"];
        let mut own = told.iter().filter(|it| it.starts_with(program));
        own.any(|it| words.iter().any(|word| it.contains(word)))
    };
    for (end, [node, curl]) in [
        ("FIN -->\n<-- FIN\nACK -->", [true, false]),
        ("<-- FIN\nFIN -->\n<-- ACK", [false, false]),
        ("alert 48 -->\nFIN -->\n<-- FIN\nACK -->", [false, true]),
        (
            "KeyExchange Finished -->\n<-- Finished\nFIN -->\n<-- FIN\nACK -->",
            [true, false],
        ),
    ] {
        let told = told(end);
        assert_eq!(refuses(&told, "node-http"), node, "{end}: {told:?}");
        assert_eq!(refuses(&told, "curl"), curl, "{end}: {told:?}");
    }
}

/// What came to a client that had closed was read by nobody.
#[test]
fn a_response_that_came_too_late_is_no_error_of_the_client() {
    let get = "GET / [user-agent=Go-http-client/1.1] -->\n";
    for (end, told) in [
        (
            "+50ms FIN [crossed] -->\n+1ms <-- 404 \"no\"\n<-- FIN\nRST [noack] -->",
            "go: http: persistConn.readLoop exiting",
        ),
        ("<-- 404 \"no\"\nACK -->\nFIN -->\n<-- FIN", "-"),
    ] {
        check(&format!("{get}{end}"), told);
    }
}

/// A SYN at the end of a capture had no time for an answer.
#[test]
fn a_syn_that_was_just_sent_timed_out_for_nobody() {
    assert!(suspected("SYN -->\n+2ms SYN [isn=9000000] -->\n<-- SYN\nACK -->").is_empty());
}

/// Programs that name themselves in a request have words of their own.
#[test]
fn each_program_has_its_own_words_for_a_close() {
    for (agent, fin, rst) in [
        (
            "python-urllib3/2.7.0",
            "urllib3: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
            "urllib3: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
        ),
        ("got", "got: socket hang up", "got: read ECONNRESET"),
        (
            "libwww-perl/6.68",
            "lwp: 500 Server closed connection without sending any data back",
            "lwp: 500 Status read failed: Connection reset by peer",
        ),
    ] {
        let asked = format!("GET / [user-agent={agent}] -->\n<-- ACK\n");
        check(&format!("{asked}<-- FIN"), fin);
        check(&format!("{asked}<-- RST"), rst);
    }
}

/// What a client makes of a close behind `100 Continue`.
#[test]
fn a_close_behind_an_interim_response_may_have_words_of_its_own() {
    let go = "GET / [user-agent=Go-http-client/1.1] -->\n";
    check(
        &format!("{go}<-- 100\nACK -->\n<-- FIN"),
        "go: … \"…\": net/http: HTTP/1.x transport connection broken: unexpected EOF",
    );
    check(&format!("{go}<-- ACK\n<-- FIN"), "go: … \"…\": EOF");
    let curl = "GET / [user-agent=curl/8.1] -->\n";
    check(
        &format!("{curl}<-- 100\nACK -->\n<-- FIN"),
        "curl: curl: (52) Empty reply from server",
    );
}
