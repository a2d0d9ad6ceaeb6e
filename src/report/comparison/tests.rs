//! Differences that are told, and those that are not.

use super::differences::{Difference, ServiceComparison, Share};
use super::*;
use crate::report::snapshot::Snapshot;
use crate::report::snapshot::sample;
use crate::rules::ladder_check;

/// A capture with the connections of a ladder.
fn capture(ladder: &str) -> Snapshot {
    let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
    sample::snapshot(proof.connections)
}

/// One connection for each of these lines, which follow the handshake.
fn each<'l>(port: u16, lines: impl IntoIterator<Item = &'l str>) -> String {
    let one = |(nth, lines): (usize, &str)| {
        format!(
            "client :{} server 10.0.0.9:{port}\n{}.0 SYN -->\n<-- SYN\nACK -->\n{lines}\n",
            40_000 + nth,
            nth * 500
        )
    };
    lines.into_iter().enumerate().map(one).collect()
}

fn told(all: &[ServiceComparison], of: fn(&ServiceComparison) -> &Vec<Difference>) -> Vec<String> {
    let side = |shares: &[Share]| {
        let each = shares
            .iter()
            .map(|it| format!("{} {}/{}", it.value, it.count, it.of));
        each.collect::<Vec<_>>().join(", ")
    };
    let all = all.iter().flat_map(of);
    all.map(|it| {
        let [a, b] = &it.sides;
        format!("{}: {} | {}", it.fact.name, side(a), side(b))
    })
    .collect()
}

#[track_caller]
fn differences(a: &str, b: &str) -> Vec<String> {
    let comparison = Comparison::of_captures(&capture(a), &capture(b));
    assert!(!comparison.has_nothing_in_common());
    told(&comparison.services, |it| &it.differences)
}

const FINE: &str = "GET / -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->";
const CUT: &str = "GET / -->\n<-- ACK\n<-- FIN\nFIN -->\n<-- ACK";
const IDLE_5: &str = "GET / -->\n<-- 200 \"x\"\nACK -->\n+5.0s <-- FIN\nFIN -->\n<-- ACK";
const IDLE_60: &str = "GET / -->\n<-- 200 \"x\"\nACK -->\n+60.0s <-- FIN\nFIN -->\n<-- ACK";
const USED_AGAIN: &str =
    "GET / -->\n<-- 200 \"x\"\nACK -->\n+30.0s GET / -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->";

fn many<'l>(all: &[(usize, &'l str)]) -> Vec<&'l str> {
    all.iter()
        .flat_map(|(times, lines)| std::iter::repeat_n(*lines, *times))
        .collect()
}

#[test]
fn few_failures_may_be_chance_and_many_are_not() {
    let good = each(80, many(&[(38, FINE)]));
    let few = each(80, many(&[(37, FINE), (3, CUT)]));
    assert!(differences(&few, &good).is_empty());
    let comparison = Comparison::of_captures(&capture(&few), &capture(&good));
    let chance = told(&comparison.services, |it| &it.chance);
    assert_eq!(
        chance.first().map(String::as_str),
        Some("outcome: failed: a request got no response 3/40, fine 37/40 | fine 38/38")
    );
    let half = each(80, many(&[(20, FINE), (20, CUT)]));
    let found = differences(&half, &good);
    assert_eq!(
        found.first().map(String::as_str),
        Some("outcome: failed: a request got no response 20/40, fine 20/40 | fine 38/38"),
        "{found:?}"
    );
}

#[test]
fn a_connection_that_is_used_again_is_told_from_one_for_each_request() {
    let apart = each(80, many(&[(6, FINE)]));
    let requests = "GET / -->\n<-- 200 \"x\"\n".repeat(6);
    let kept = each(80, [&*format!("{requests}FIN -->\n<-- FIN\nACK -->")]);
    assert_eq!(
        differences(&apart, &kept),
        ["requests-per-connection: 1 request 6/6 | 6 requests 1/1"]
    );
    // One request needs no second connection.
    assert!(differences(&each(80, [FINE]), &kept).is_empty());
}

#[test]
fn timeouts_are_compared_where_several_closes_show_them() {
    let of = |times, lines| each(80, many(&[(times, lines)]));
    let five = "idle-timeout: the server closes after 5.00 s idle 3/3 | ";
    let told = |a: &str, b: &str| {
        let mut all = differences(a, b);
        all.retain(|it| it.starts_with("idle-timeout"));
        all
    };
    assert_eq!(
        told(&of(3, IDLE_5), &of(3, IDLE_60)),
        [format!("{five}the server closes after 60.0 s idle 3/3")]
    );
    assert_eq!(
        told(&of(3, IDLE_5), &of(3, USED_AGAIN)),
        [format!("{five}used again after 30.0 s idle 1/1")]
    );
    for other in [of(1, IDLE_60), of(3, FINE)] {
        assert!(told(&of(3, IDLE_5), &other).is_empty());
    }
}

#[test]
fn other_ports_are_the_same_service_if_the_work_is() {
    let work = |port| {
        each(
            port,
            ["GET /a?x=1 -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->"],
        )
    };
    assert!(differences(&work(80), &work(8080)).is_empty());
    let other = each(
        8080,
        ["GET /b -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->"],
    );
    let comparison = Comparison::of_captures(&capture(&work(80)), &capture(&other));
    assert!(comparison.has_nothing_in_common());
    assert_eq!(comparison.alone(0), ["port 80 (1 connection)"]);
}

#[test]
fn services_at_one_port_are_told_apart_by_their_names() {
    let of = |name: &str, end: &str| format!("GET / [host={name}] -->\n<-- 200 \"x\"\n{end}");
    let (client, server) = ("FIN -->\n<-- FIN\nACK -->", "<-- FIN\nFIN -->\n<-- ACK");
    let a = [of("a.example", client), of("b.example", client)];
    let b = [of("a.example", client), of("b.example", server)];
    let [a, b] = [a, b].map(|it| each(80, it.iter().map(String::as_str)));
    let comparison = Comparison::of_captures(&capture(&a), &capture(&b));
    let names: Vec<&str> = comparison.services.iter().map(|it| &*it.names[0]).collect();
    assert_eq!(names, ["port 80 of a.example", "port 80 of b.example"]);
    assert!(comparison.services[0].differences.is_empty());
    assert!(!comparison.services[1].differences.is_empty());
}

#[test]
fn two_connections_are_compared_as_they_are() {
    let snapshot = capture(&each(80, [FINE, CUT]));
    let [one, other] = [1, 2].map(|id| snapshot.connection(id).expect("kept"));
    let same = Comparison::of_connections(&snapshot, one, one);
    assert_eq!(same.differences(), 0);
    let comparison = Comparison::of_connections(&snapshot, one, other);
    assert_eq!(
        told(&comparison.services, |it| &it.differences)[0],
        "outcome: fine 1/1 | failed: a request got no response 1/1"
    );
}

#[test]
fn a_page_has_the_differences_and_where_they_show() {
    let (a, b) = (each(80, [FINE, FINE]), each(80, [CUT, CUT]));
    let [mut a, mut b] = [a, b].map(|it| capture(&it));
    a.summary.inputs[0].path = "x/works.pcap".to_owned();
    b.summary.inputs[0].path = "x/fails.pcap".to_owned();
    let comparison = Comparison::of_captures(&a, &b);
    let options = ReportOptions::default();
    for (name, format) in [("text", Format::Text), ("json", Format::Json)] {
        let mut out = Vec::new();
        comparison
            .write(format, &options, &mut out)
            .expect("written");
        insta::assert_snapshot!(name, String::from_utf8(out).expect("text"));
    }
}
