//! What programs printed when they were run against these events.

use super::*;
use crate::analysis::hosts::Legs;

/// `program: text` of all that is foretold for one side of the first connection, `-` for a program that reports nothing.
fn all_of(ladder: &str, who: Who) -> Vec<String> {
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    let connections: Vec<_> = proof.connections.into_iter().map(Arc::new).collect();
    let legs = Legs::new(&connections, &[]);
    told_on(&connections, &legs, 0, who)
}

fn told_on(connections: &[Arc<Connection>], legs: &Legs, at: usize, who: Who) -> Vec<String> {
    let told = Predictor::with(Relays::new(connections, legs)).told(&connections[at], who);
    let told = told.iter().map(|it| {
        let text = it
            .text
            .map_or("-".into(), |text| filled(text, &connections[at], who));
        format!("{}: {text}", it.stack)
    });
    told.collect()
}

/// Each case: the ladder after the handshake, the side, what must be told, and what must not be.
#[track_caller]
fn check_all(cases: &[(&str, Who, &str, &str)]) {
    for (ladder, who, wanted, unwanted) in cases {
        let told = all_of(&format!("{OPEN}{ladder}"), *who);
        let has = |text: &str| told.iter().any(|it| it.contains(text));
        assert!(
            wanted.is_empty() || has(wanted),
            "{ladder}: {wanted}: {told:?}"
        );
        assert!(
            unwanted.is_empty() || !has(unwanted),
            "{ladder}: {unwanted}: {told:?}"
        );
    }
}

#[test]
fn a_write_behind_a_fin_fails_otherwise() {
    let upload = |agent: &str, close: &str| {
        format!(
            "POST /up [length=9000 user-agent={agent}] data 1000 -->\n<-- 413 \"no\" [close]\n{close}data 1000 -->\n<-- RST"
        )
    };
    let [python, late] = ["", "<-- FIN\n"].map(|close| upload("Python-urllib/3.11", close));
    let [fetch, apache] = [
        upload("node", ""),
        upload("Apache-HttpClient/5.2.1", "<-- FIN\n"),
    ];
    check_all(&[
        (&python, Who::Client, "[Errno 104]", "[Errno 32]"),
        (&late, Who::Client, "[Errno 32] Broken pipe", "[Errno 104]"),
        // It may not have read the response yet.
        (&fetch, Who::Client, "node-fetch: fetch failed", ""),
        (&fetch, Who::Client, "node-fetch: -", ""),
        (&apache, Who::Client, "Broken pipe", ""),
    ]);
}

#[test]
fn a_reset_right_after_the_handshake_may_fail_the_connect() {
    check_all(&[
        ("<-- RST", Who::Client, "curl: Failed to connect to", ""),
        ("<-- RST", Who::Client, "connect ECONNRESET 10.0.0.2:80", ""),
        ("<-- RST", Who::Client, "read ECONNRESET", ""),
        ("+200ms <-- RST", Who::Client, "", "connect ECONNRESET"),
    ]);
}

#[test]
fn what_still_retransmits_has_not_timed_out() {
    let lost = "GET / [user-agent=curl/8.1] -->\n+200ms again -->\n+400ms again -->\n+800ms again -->\n+1600ms again -->\n\
                +3200ms again -->\n";
    let told = all_of(&format!("{OPEN}{lost}"), Who::Client);
    assert!(told[0].contains("(28) Operation timed out"), "{told:?}");
    assert!(
        told.iter().any(|it| it.contains("Connection timed out")),
        "{told:?}"
    );
}

#[test]
fn a_proxy_says_how_far_the_server_behind_it_was() {
    let run = |answer: &str, behind: &str| {
        let ladder = format!(
            "client 10.0.0.1:40000 server 10.0.0.2:80\n{OPEN}GET /a -->\nclient 10.0.0.2:50000 server 10.0.0.3:8080\n{OPEN}\
             GET /a -->\n{behind}client 10.0.0.1:40000 server 10.0.0.2:80\n{answer}"
        );
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        proof
            .connections
            .into_iter()
            .map(Arc::new)
            .collect::<Vec<_>>()
    };
    let told = |connections: &[Arc<Connection>], at, who| {
        told_on(connections, &Legs::new(connections, &[]), at, who)
    };
    // The client leaves before and after the first byte from behind.
    let left = "+1s FIN -->\n<-- FIN\nACK -->";
    for (behind, nginx) in [
        ("", "while sending request to upstream"),
        ("<-- 200 data 10 [length=30]\n", "while reading upstream"),
    ] {
        let server = told(&run(left, behind), 0, Who::Server);
        assert!(
            server.iter().any(|it| it.contains(nginx)),
            "{behind}: {server:?}"
        );
        assert!(
            !server.iter().any(|it| it.contains("CQ--")),
            "{behind}: {server:?}"
        );
    }
    let garbage = "<-- \"ERROR 17 backend\\r\\n\\r\\n\"\n";
    let late = "+1s <-- 504 \"The server didn't respond in time\" [close]\nACK -->";
    let haproxy = told(&run(late, garbage), 1, Who::Client);
    assert!(haproxy.iter().any(|it| it.contains("sH--")), "{haproxy:?}");
    assert!(!haproxy.iter().any(|it| it.contains("PH--")), "{haproxy:?}");
}

#[test]
fn a_gateway_says_why_it_answers_by_itself() {
    let get = "GET / -->\n";
    let answer = |wait: &str, status: u16, words: &str, server: &str| {
        format!("{get}{wait}<-- {status} \"{words}\" [{server}close]\nACK -->\n<-- FIN\nFIN -->")
    };
    let nginx = answer("+2s ", 504, "<center>nginx", "server=nginx/1.22.1 ");
    let [refused, late] = ["", "+2s "].map(|wait| {
        answer(
            wait,
            503,
            "No server is available to handle this request",
            "server=haproxy ",
        )
    });
    // HAProxy does not name itself but by its words, and Caddy answers without words.
    let haproxy = answer("+2s ", 504, "The server didn't respond in time", "");
    let [caddy, early] = ["+2s ", ""]
        .map(|wait| format!("{get}{wait}<-- 504 [server=Caddy]\nACK -->\nFIN -->\n<-- FIN"));
    let silent = "net/http: timeout awaiting response headers";
    let large = "POST /up [length=20000] data 100 -->\n<-- 413 \"no\" [server=nginx/1.22.1 close]\nACK -->\n<-- FIN\nFIN -->";
    check_all(&[
        (
            &nginx,
            Who::Server,
            "upstream timed out (110: Connection timed out)",
            "",
        ),
        (
            large,
            Who::Server,
            "client intended to send too large body: 20000 bytes",
            "",
        ),
        (&haproxy, Who::Server, "sH--", ""),
        (&caddy, Who::Server, silent, ""),
        (&early, Who::Server, "", silent),
    ]);
    for (ladder, state) in [(&refused, "SC--"), (&late, "sC--")] {
        let told = all_of(&format!("{OPEN}{ladder}"), Who::Server);
        let known = told.is_empty() || told.iter().any(|it| it.contains(state));
        assert!(known, "{ladder}: {told:?}");
    }
}

#[test]
fn white_space_before_the_colon_of_a_length_hides_it_from_some() {
    let told = |agent: &str| {
        let answer = "HTTP/1.1 200 OK\\r\\nContent-Length : 5\\r\\n\\r\\nhello";
        all_of(
            &format!("{OPEN}{}", answered(agent, answer, "+2s FIN -->")),
            Who::Client,
        )
    };
    for (agent, wanted) in [
        ("curl/7.88.1", "milliseconds with 5 bytes received"),
        ("Java/17.0.15", "Read timed out"),
        ("Apache-HttpClient/4.5.14", "apache-httpclient-4: -"),
        ("Apache-HttpClient/5.2.1", "Invalid header"),
        ("axios/1.7", "Invalid header field char"),
    ] {
        let told = told(agent);
        assert!(
            told.iter().any(|it| it.contains(wanted)),
            "{agent}: {told:?}"
        );
    }
}

#[test]
fn what_depends_on_the_bytes_is_taken_from_them() {
    let chunks = "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n";
    let both = "HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n0\\r\\n\\r\\n";
    let [ok, apache, java] = ["okhttp/3.13.1", "Apache-HttpClient/4.5.14", "Java/17.0.15"];
    for (agent, answer, wanted) in [
        (
            ok,
            format!("{chunks}5\\r\\nhello\\r\\nxyz\\r\\n"),
            "but was 0x78",
        ),
        (
            ok,
            format!("{chunks}fffffffffffffffff\\r\\nhello"),
            "Number too large: ",
        ),
        (ok, format!("{chunks}5\\nhello\\n0\\n\\n"), "okhttp: -"),
        (
            apache,
            format!("{chunks}5\\r\\nhelloXX5\\r\\nhello\\r\\n0\\r\\n\\r\\n"),
            "Unexpected content at the end of chunk",
        ),
        (apache, both.to_owned(), "apache-httpclient-4: -"),
        (
            java,
            format!("{chunks}5\\r\\nhello\\r\\nxyz\\r\\n"),
            "Bogus chunk size",
        ),
        (
            java,
            format!("{chunks}0x5\\r\\nhello\\r\\n"),
            "Malformed tailer",
        ),
    ] {
        let told = all_of(
            &format!("{OPEN}{}", answered(agent, &answer, "+2s FIN -->")),
            Who::Client,
        );
        assert!(
            told.iter().any(|it| it.contains(wanted)),
            "{agent} {answer}: {told:?}"
        );
    }
    // Node.js reads the size line as it was written.
    let lf = format!("{chunks}5\\nhello\\n0\\n\\n");
    let told = all_of(
        &format!("{OPEN}{}", answered("axios/1.7", &lf, "FIN -->")),
        Who::Client,
    );
    assert!(
        told[0].contains("Missing expected CR after chunk size"),
        "{told:?}"
    );
}

#[test]
fn a_length_that_fits_is_not_told_as_short() {
    let answer = |length: u32| {
        let head = format!(
            "HTTP/1.1 200 OK\\r\\nContent-Length: {length}\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
        );
        let answer = format!("{head}5\\r\\nhello\\r\\n0\\r\\n\\r\\n");
        let ladder = format!(
            "{OPEN}GET / [connection=keep-alive] -->\n<-- \"{answer}\"\nACK -->\n<-- FIN\nFIN -->"
        );
        all_of(&ladder, Who::Client)
    };
    let short = |told: &[String]| {
        told.iter()
            .any(|it| it.contains("The response ended prematurely"))
    };
    assert!(!short(&answer(15)), "{:?}", answer(15));
    assert!(short(&answer(1500)), "{:?}", answer(1500));
}

#[test]
fn go_names_its_own_request_where_a_proxy_refuses_the_tunnel() {
    check_all(&[(
        "CONNECT a.example:443 [user-agent=Go-http-client/1.1] -->\n<-- 403 \"no\"\nACK -->\nFIN -->",
        Who::Client,
        "go: … \"https://a.example:443…\": Forbidden",
        "Connect \"",
    )]);
}

#[test]
fn each_suspect_has_its_likeliest_text_first() {
    let hello = "ClientHello [version=1.3] -->\n<-- ServerHello\n<-- data 2000\ndata 24 -->\nFIN -->\n<-- FIN\nACK -->";
    let told = all_of(&format!("{OPEN}{hello}"), Who::Client);
    let stacks: Vec<_> = told.iter().filter_map(|it| it.split(": ").next()).collect();
    let mut once = stacks.clone();
    once.dedup();
    once.sort_unstable();
    once.dedup();
    assert!(told.is_empty() || once.len() >= 4, "{told:?}");
}

#[test]
fn ssh_says_goodbye_before_it_closes() {
    let session = |end: &str| {
        format!(
            "client server :22\n{OPEN}<-- \"SSH-2.0-OpenSSH_9.2p1\\r\\n\"\n\"SSH-2.0-OpenSSH_9.2p1\\r\\n\" -->\n\
             <-- data 900\ndata 900 -->\n<-- data 500\n{end}<-- FIN\nACK -->"
        )
    };
    let server = |end: &str| all_of(&session(end), Who::Server).join("; ");
    let goodbye = server("+1s data 60 -->\n+1ms FIN -->\n");
    assert!(!goodbye.contains("sshd: Connection closed by"), "{goodbye}");
}

#[test]
fn a_syn_that_nobody_repeats_is_a_scanners() {
    let later = "client 10.0.0.9:1 server 10.0.0.2:80\n+20s SYN -->\n<-- SYN\nACK -->\n";
    let told = |syns: &str| {
        all_of(
            &format!("client 10.0.0.1:1 server 10.0.0.2:81\n{syns}{later}+70s FIN -->"),
            Who::Client,
        )
    };
    assert_eq!(told("SYN -->\n"), [""; 0]);
    assert!(!told("SYN -->\n+1s again -->\n").is_empty());
}

#[test]
fn a_status_304_is_no_error_for_all() {
    let answer = "<-- \"HTTP/1.1 304 Not Modified\\r\\nConnection: close\\r\\n\\r\\nbytes\"\nACK -->\n<-- FIN\nFIN -->";
    let told = all_of(&format!("{OPEN}GET / [close] -->\n{answer}"), Who::Client);
    assert!(
        !told.iter().any(|it| it.starts_with("php-stream")),
        "{told:?}"
    );
}
