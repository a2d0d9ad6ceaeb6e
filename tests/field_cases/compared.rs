//! Case 13: the client of case 12 works against another server, and with keep-alive off. Comparing two captures shows
//! exactly why.

use std::collections::{BTreeMap, BTreeSet};

use hangup::report::Format;
use serde_json::Value;

use crate::story::{DOTNET, Story};

/// The calls of case 12, with a given response and a given order of the FINs.
fn calls(asks: &str, answers: &str, closes: &str) -> Story {
    Story::drawn(&format!(
        "client :49152 [times=200 every=5ms ttl=128] server\n\
         0.000 SYN -->\n<-- SYN\nPOST /Service.svc \"x\" [{asks} {DOTNET}] -->\n<-- 200 \"done\" [{answers}]\n{closes}"
    ))
}

/// What the report states about every connection, without the values that differ in every capture: times, frames,
/// ports, counts.
fn said(story: &Story) -> BTreeMap<String, BTreeSet<String>> {
    const OF_EVERY_CAPTURE: [&str; 11] = [
        "id", "_ms", "frame", "at", "first", "last", "port", "findings", "bytes", "received",
        "sent",
    ];
    let json: Value = serde_json::from_str(&story.reading.report(Format::Json)).expect("JSON");
    let mut all = BTreeMap::new();
    for connection in json["connections"].as_array().expect("rows") {
        flatten("", connection, &mut all);
    }
    all.retain(|path: &String, _| {
        let words = path.split('/').chain([path.as_str()]);
        !words.into_iter().any(|word| {
            OF_EVERY_CAPTURE.iter().any(|it| {
                word == *it
                    || word.ends_with("_ms")
                    || word.ends_with("_frame")
                    || word.starts_with("first_")
                    || word.starts_with("last_")
            })
        })
    });
    all
}

fn flatten(path: &str, value: &Value, all: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{path}/{name}"), value, all);
            }
        }
        Value::Array(items) => {
            for item in items {
                flatten(path, item, all);
            }
        }
        leaf => {
            all.entry(path.to_owned())
                .or_default()
                .insert(leaf.to_string());
        }
    }
}

/// The differences between two reports: `path: these | those`.
fn differences(one: &Story, other: &Story) -> Vec<String> {
    let (one, other) = (said(one), said(other));
    let paths: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let list = |set: Option<&BTreeSet<String>>| {
        set.map_or("-".to_owned(), |set| {
            set.iter().cloned().collect::<Vec<_>>().join(",")
        })
    };
    paths
        .into_iter()
        .filter(|path| one.get(*path) != other.get(*path))
        .map(|path| {
            format!(
                "{path}: {} | {}",
                list(one.get(path)),
                list(other.get(path))
            )
            .replace('"', "")
        })
        .collect()
}

const IIS_6: &str = "connection=close connection=close server=Microsoft-IIS/6.0";
const CLIENT_FIRST: &str = "FIN -->\n<-- FIN\nACK -->";
const SERVER_FIRST: &str = "<-- FIN\nFIN -->\n<-- ACK";

#[test]
fn case_13_the_order_of_the_fins_and_the_duplicate_header_are_the_difference() {
    let bad = calls("keep-alive", IIS_6, CLIENT_FIRST);
    // The same server with keep-alive off: it announces that once, and closes first.
    let off = calls(
        "keep-alive",
        "connection=close server=Microsoft-IIS/6.0",
        SERVER_FIRST,
    );
    let differences_to_off = differences(&bad, &off);
    let expected = [
        "/exchanges/connection_header/response/close: 2 | 1",
        "/exchanges/connection_header/response/lines: 2 | 1",
        "/fin/client/knew_fin: false | true",
        "/fin/server/knew_fin: true | false",
        "/states/client: TIME-WAIT | CLOSED",
        "/states/server: CLOSED | TIME-WAIT",
        "/teardown/by: client | server",
        "/time_wait: client | server",
    ];
    assert_eq!(differences_to_off, expected);
    let gone: Vec<_> = bad
        .rules()
        .into_iter()
        .filter(|it| !off.rules().contains(it))
        .collect();
    assert_eq!(gone, ["duplicate-connection-close", "time-wait-on-client"]);
    let new: Vec<_> = off
        .rules()
        .into_iter()
        .filter(|it| !bad.rules().contains(it))
        .collect();
    assert_eq!(new, ["time-wait-on-server"]);
    // If the server holds the TIME-WAITs, the client's ports are not at risk.
    assert_eq!(
        (bad.sockets().time_wait_peak, off.sockets().time_wait_peak),
        (200, 0)
    );
    assert!(off.sockets().used_peak <= 2);
}

#[test]
fn case_13_the_next_generation_keeps_the_connection() {
    let bad = calls("keep-alive", IIS_6, CLIENT_FIRST);
    let mut text = String::from("client :49152 [ttl=128] server\n0.000 SYN -->\n<-- SYN\n");
    for _ in 0..200 {
        text += &format!(
            "+5ms POST /Service.svc \"x\" [{DOTNET}] -->\n<-- 200 \"done\" [server=Microsoft-IIS/7.5]\n"
        );
    }
    let good = Story::drawn(&(text + "ACK -->"));
    assert!(good.loud().is_empty(), "{:?}", good.loud());
    assert!(bad.loud().contains(&"keep-alive-refused"));
    assert_eq!(
        (bad.sockets().connections, good.sockets().connections),
        (200, 1)
    );
    assert_eq!(
        (bad.sockets().used_peak, good.sockets().used_peak),
        (200, 1),
        "one connection carries them all"
    );
    let requests = |story: &Story| {
        story
            .reading
            .snapshot
            .summaries
            .iter()
            .map(|it| it.exchanges)
            .sum::<u32>()
    };
    assert_eq!((requests(&bad), requests(&good)), (200, 200));
}

#[test]
fn a_capture_does_not_differ_from_itself() {
    let bad = calls("keep-alive", IIS_6, CLIENT_FIRST);
    assert!(differences(&bad, &bad).is_empty());
    assert!(said(&bad).contains_key("/teardown/by"));
}
