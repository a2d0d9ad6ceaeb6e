//! Ladders of several connections, and the pairs that they show.

use std::sync::Arc;

use super::Legs;
use crate::rules::ladder_check;

/// The pairs in a ladder: `1.1-2.1 certain request`.
fn pairs(ladder: &str) -> Vec<String> {
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    let connections: Vec<_> = proof.connections.into_iter().map(Arc::new).collect();
    let legs = Legs::new(&connections, &[]);
    let told = legs.all().iter().map(|it| {
        let basis = it.basis.name();
        format!("{}-{} {} {basis}", it.client, it.upstream, it.certainty)
    });
    told.collect()
}

/// The client's connection at the proxy, up to its request.
fn asks(client: &str, request: &str) -> String {
    format!("client {client} server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\n{request} -->\n")
}

/// What the proxy says to this client.
fn answers(client: &str, response: &str) -> String {
    format!("client {client} server 10.0.0.2:80\n+1ms <-- {response}\nACK -->\n")
}

/// A connection to a server behind the proxy.
fn leg(from: &str, what: &str) -> String {
    format!("client {from} server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\n{what}\n")
}

const ONE: &str = "10.0.0.1:40000";
const TWO: &str = "10.0.0.9:40001";

#[track_caller]
fn told(ladder: &[&str], expected: &[&str]) {
    let ladder = ladder.concat();
    assert_eq!(pairs(&ladder), expected, "{ladder}");
}

#[test]
fn the_same_request_within_the_other_is_a_leg() {
    let same = "GET /a -->\n<-- 200 \"x\"";
    for (from, sure) in [("10.0.0.2:50000", "certain"), ("10.9.0.2:50000", "likely")] {
        told(
            &[
                &asks(ONE, "GET /a"),
                &leg(from, same),
                &answers(ONE, "200 \"x\""),
            ],
            &[&format!("1.1-2.1 {sure} request")],
        );
    }
    // A prefix that the proxy takes away.
    told(
        &[
            &asks(ONE, "GET /app/a?b=1"),
            &leg("10.0.0.2:50000", "GET /a?b=1 -->\n<-- 200 \"x\""),
            &answers(ONE, "200 \"x\""),
        ],
        &["1.1-2.1 likely request"],
    );
    // One that began before the request, or was answered after it, is none.
    told(
        &[
            &leg("10.0.0.2:50000", "GET /a -->"),
            &asks(ONE, "GET /a"),
            &answers(ONE, "200 \"x\""),
        ],
        &[],
    );
    told(
        &[
            &asks(ONE, "GET /a"),
            &leg("10.0.0.2:50000", "GET /a -->"),
            &answers(ONE, "200 \"x\""),
            "client 10.0.0.2:50000 server 10.0.0.3:8080\n+20ms <-- 200 \"x\"\n",
        ],
        &[],
    );
}

#[test]
fn of_two_on_one_host_the_first_is_the_clients() {
    let one = |from: &str, to: &str| {
        let client = format!("client {from}:40000 server {to}:80\n");
        let failed = format!(
            "client {to}:50000 server {from}:8080\nSYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- ACK\n+9ms <-- FIN\nFIN -->\n"
        );
        let ladder = format!(
            "{client}SYN -->\n<-- SYN\nACK -->\nGET /a -->\n{failed}{client}<-- 502 \"x\"\nACK -->\n"
        );
        let quick = ladder
            .lines()
            .map(|line| match line.starts_with(['c', '+']) {
                true => format!("{line}\n"),
                false => format!("+50us {line}\n"),
            });
        pairs(&quick.collect::<String>())
    };
    assert_eq!(one("127.0.0.1", "127.0.0.1"), ["1.1-2.1 likely request"]);
    assert_eq!(one("10.0.0.1", "10.0.0.2"), ["1.1-2.1 likely request"]);
}

#[test]
fn a_proxy_passes_nothing_on_before_the_head_is_whole() {
    let half = r#""GET /a HTTP/1.1\r\nHost: x\r\n""#;
    told(
        &[
            &asks(ONE, half),
            &leg("10.0.0.2:50000", "FIN -->\n<-- FIN\nACK -->"),
            &answers(ONE, "408 \"x\""),
        ],
        &[],
    );
}

#[test]
fn another_request_is_none() {
    let others = [
        "POST /a \"x\" -->\n<-- 200 \"x\"",
        "GET /b -->\n<-- 200 \"x\"",
        "GET /a [user-agent=curl/8] -->\n<-- 200 \"x\"",
        "GET /a [x-forwarded-for=10.0.0.77] -->\n<-- 200 \"x\"",
        // The client got something else than the server sent.
        "GET /a -->\n<-- 200 \"x\"",
    ];
    for (nth, other) in others.iter().enumerate() {
        let answer = if nth == 4 { "404 \"x\"" } else { "200 \"x\"" };
        told(
            &[
                &asks(ONE, "GET /a"),
                &leg("10.0.0.2:50000", other),
                &answers(ONE, answer),
            ],
            &[],
        );
    }
}

#[test]
fn attempts_follow_one_another() {
    let lost = "GET /a -->\n<-- ACK\n<-- RST";
    told(
        &[
            &asks(ONE, "GET /a"),
            &leg("10.0.0.2:50000", lost),
            &leg("10.0.0.2:50001", "GET /a -->\n<-- 200 \"x\""),
            &answers(ONE, "200 \"x\""),
        ],
        &["1.1-2.1 likely request", "1.1-3.1 certain request"],
    );
    // A refusal first: the second attempt shows that these hosts are a proxy's.
    told(
        &[
            &asks(ONE, "GET /a"),
            "client 10.9.0.2:50000 server 10.0.0.3:8080\nSYN -->\n<-- RST\n",
            &leg("10.9.0.2:50001", "GET /a -->\n<-- 200 \"x\""),
            &answers(ONE, "200 \"x\""),
        ],
        &["1.1-2 likely time", "1.1-3.1 likely request"],
    );
}

#[test]
fn of_two_alike_none_is_taken() {
    let both = [
        &asks(ONE, "GET /a")[..],
        &asks(TWO, "GET /a"),
        &leg("10.0.0.2:50000", "GET /a -->"),
        &leg("10.0.0.2:50001", "GET /a -->"),
        "client 10.0.0.2:50000 server 10.0.0.3:8080\n<-- 200 \"x\"\n",
        "client 10.0.0.2:50001 server 10.0.0.3:8080\n<-- 200 \"x\"\n",
        &answers(ONE, "200 \"x\""),
        &answers(TWO, "200 \"x\""),
    ];
    told(&both, &[]);
    // What the proxy says about its client tells them apart, or an id.
    let named = both.map(|it| {
        it.replace(
            "50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\nGET /a",
            "50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\nGET /a [x-forwarded-for=10.0.0.9]",
        )
    });
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    told(
        &named,
        &["1.1-4.1 certain request", "2.1-3.1 certain request"],
    );
    // The lengths of the responses do, too.
    let longer = both.map(|it| {
        let it = it.replace(
            "40001 server 10.0.0.2:80\n+1ms <-- 200 \"x\"",
            "40001 server 10.0.0.2:80\n+1ms <-- 200 \"xyz\"",
        );
        it.replace(
            "50000 server 10.0.0.3:8080\n<-- 200 \"x\"",
            "50000 server 10.0.0.3:8080\n<-- 200 \"xyz\"",
        )
    });
    let longer: Vec<&str> = longer.iter().map(String::as_str).collect();
    told(
        &longer,
        &["1.1-4.1 certain request", "2.1-3.1 certain request"],
    );
}

#[test]
fn an_id_is_enough() {
    let id = "x-request-id=7f3a";
    told(
        &[
            &asks(ONE, &format!("GET /a [{id}]")),
            &asks(TWO, "GET /a [x-request-id=77]"),
            &leg(
                "10.9.0.2:50000",
                &format!("GET /inner?page=a [{id}] -->\n<-- 200 \"x\""),
            ),
            &answers(ONE, "200 \"x\""),
            &answers(TWO, "200 \"x\""),
        ],
        &["1.1-3.1 certain id"],
    );
    told(
        &[
            &asks(ONE, "GET /a"),
            &asks(TWO, "GET /a"),
            &leg(
                "10.9.0.2:50000",
                "GET /a [x-forwarded-for=10.0.0.9:40001] -->\n<-- 200 \"x\"",
            ),
            &answers(ONE, "200 \"x\""),
            &answers(TWO, "200 \"x\""),
        ],
        &["2.1-3.1 certain client"],
    );
}

#[test]
fn proxies_in_a_row_are_pairs_in_a_row() {
    let second = |what: &str| format!("client 10.0.0.2:50000 server 10.0.0.4:81\n{what}\n");
    told(
        &[
            &asks(ONE, "GET /a"),
            &second("SYN -->\n<-- SYN\nACK -->\nGET /a -->"),
            &leg("10.9.0.4:60000", "GET /a -->\n<-- 200 \"x\""),
            &second("<-- 200 \"x\""),
            &answers(ONE, "200 \"x\""),
        ],
        &["1.1-2.1 certain request", "2.1-3.1 likely request"],
    );
}

#[test]
fn what_failed_before_a_request_is_a_leg_by_its_time() {
    let refused = |from: &str| format!("client {from} server 10.0.0.3:8080\nSYN -->\n<-- RST\n");
    for from in ["10.0.0.2:50000", "10.9.0.2:50000"] {
        told(
            &[
                &asks(ONE, "GET /a"),
                &refused(from),
                &answers(ONE, "502 \"x\""),
            ],
            &["1.1-2 likely time"],
        );
        // Nothing failed at the client.
        told(
            &[
                &asks(ONE, "GET /a"),
                &refused(from),
                &answers(ONE, "200 \"x\""),
            ],
            &[],
        );
    }
    // Two clients, and one refusal.
    told(
        &[
            &asks(ONE, "GET /a"),
            &asks(TWO, "GET /b"),
            &refused("10.0.0.2:50000"),
            &answers(ONE, "502 \"x\""),
            &answers(TWO, "502 \"x\""),
        ],
        &[],
    );
}

#[test]
fn a_program_that_asks_two_servers_is_no_proxy() {
    let scattered = leg("10.0.0.1:40001", "GET /a -->\n<-- 200 \"x\"");
    told(
        &[&asks(ONE, "GET /a"), &scattered, &answers(ONE, "200 \"x\"")],
        &[],
    );
    // The same connection behind an address translation.
    told(
        &[
            "client 10.0.0.1:40000 server 10.0.0.2:80\nSYN -->\n",
            "client 10.0.0.2:50000 server 10.0.0.3:8080\nSYN -->\n<-- SYN\n",
            "client 10.0.0.1:40000 server 10.0.0.2:80\n<-- SYN\nACK -->\nGET /a -->\n",
            "client 10.0.0.2:50000 server 10.0.0.3:8080\nACK -->\nGET /a -->\n<-- 200 \"x\"\n",
            "client 10.0.0.1:40000 server 10.0.0.2:80\n<-- 200 \"x\"\n",
        ],
        &[],
    );
    // Two clients that happen to ask two servers for the same, again and again.
    let mut chance = vec![asks(ONE, "GET /a")];
    for port in 0..4 {
        chance.push(leg(
            &format!("10.9.0.2:5000{port}"),
            "GET /a -->\n<-- 200 \"x\"",
        ));
    }
    chance.push(answers(ONE, "200 \"x\""));
    let chance: Vec<&str> = chance.iter().map(String::as_str).collect();
    told(&chance, &[]);
}
