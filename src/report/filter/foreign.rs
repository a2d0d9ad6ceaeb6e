//! Filters as libpcap writes them, as far as they are about a whole connection.
//!
//! In: words of a line. Out: tests. `host 10.0.0.1`, `src net 10.0.0.0/8`, `tcp port 80`, `portrange 8000-8080`
//! (pcap-filter(7)). Source and destination are the same here: each side of a connection is both. Left out on purpose:
//! what is about one packet, such as flags and offsets.

use super::address::AddressTest;
use super::amount::AmountRange;
use super::error::FilterError;
use super::expr::{FilterExpr, FilterTest, Measure, RequestPart};
use super::lex::{FilterToken, FilterTokenKind};

/// A test, and how many of the words after the first it takes.
type Taken = (FilterExpr, usize);

/// The test that begins with `first`, if one does.
pub(super) fn read(
    first: &FilterToken<'_>,
    rest: &[FilterToken<'_>],
) -> Result<Option<Taken>, FilterError> {
    // `tcp` and `src` say nothing about a connection, but only before a primitive they are no text to search for.
    let words = std::iter::once(first).chain(rest).enumerate();
    for (nth, token) in words {
        let value = rest.get(nth);
        match (bare(token), value) {
            (Some("tcp" | "ip" | "ip6" | "src" | "dst"), Some(_)) => {}
            (Some(kind @ ("host" | "net" | "port" | "portrange")), Some(value)) => {
                let Some(given) = text(value) else {
                    return Ok(None);
                };
                return primitive(kind, given, value).map(|test| Some((test, nth + 1)));
            }
            // `src 10.0.0.1`
            (Some(given), _) if nth > 0 => {
                let before = rest.get(nth.wrapping_sub(2)).or(Some(first)).and_then(bare);
                let address = AddressTest::read(given).filter(|it| it.port.is_none());
                let place = address.filter(|_| matches!(before, Some("src" | "dst")));
                return Ok(place.map(|place| (one(FilterTest::Place(None, place)), nth)));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Words that may begin a test of another language.
const KEYWORDS: [&str; 9] = [
    "tcp",
    "ip",
    "ip6",
    "src",
    "dst",
    "host",
    "net",
    "port",
    "portrange",
];

/// Whether an unquoted word may begin a test of another language.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

fn bare<'t>(token: &'t FilterToken<'_>) -> Option<&'t str> {
    match &token.kind {
        FilterTokenKind::Text(text) => Some(text),
        _ => None,
    }
}

fn text<'t>(token: &'t FilterToken<'_>) -> Option<&'t str> {
    match &token.kind {
        FilterTokenKind::Text(text) | FilterTokenKind::Quoted(text) => Some(text),
        _ => None,
    }
}

const fn one(test: FilterTest) -> FilterExpr {
    FilterExpr::Test(test)
}

fn wrong(token: &FilterToken<'_>, message: &str) -> FilterError {
    FilterError {
        at: token.at.clone(),
        message: message.to_owned(),
        instead: None,
    }
}

/// A primitive of pcap-filter(7).
fn primitive(kind: &str, given: &str, token: &FilterToken<'_>) -> Result<FilterExpr, FilterError> {
    let port = |text: &str| text.parse::<u16>().ok().map(u64::from);
    let amount = |range| one(FilterTest::Amount(Measure::Port, range));
    match kind {
        "port" => {
            let port = port(given).map(|port| amount(AmountRange::Is(port)));
            port.ok_or_else(|| wrong(token, "a port number is expected, such as port 80"))
        }
        "portrange" => {
            let range = given.split_once('-');
            let range = range.and_then(|(low, high)| Some((port(low)?, port(high)?)));
            let range = range.filter(|(low, high)| low <= high);
            let range = range.map(|(low, high)| amount(AmountRange::Between(low, high)));
            range.ok_or_else(|| wrong(token, "two ports are expected, such as portrange 8000-8080"))
        }
        "net" => {
            let place = AddressTest::read(given).filter(|it| it.net.is_some());
            let place = place.map(|place| one(FilterTest::Place(None, place)));
            place.ok_or_else(|| wrong(token, "a network is expected, such as net 10.0.0.0/8"))
        }
        _ => Ok(one(match AddressTest::read(given) {
            Some(place) => FilterTest::Place(None, place),
            None => FilterTest::Said(RequestPart::Host, given.to_owned()),
        })),
    }
}

#[cfg(test)]
mod tests {
    use crate::report::filter::Filter;

    #[test]
    fn what_other_programs_write_is_read() {
        for (line, canonical) in [
            ("host 10.0.0.1 and port 80", "address:10.0.0.1 port:80"),
            ("tcp port 80 or src host ::1", "port:80 or address:::1"),
            ("src 10.0.0.1", "address:10.0.0.1"),
            ("dst net 10.1.0.0/16", "address:10.1.0.0/16"),
            ("not tcp src port 443", "-port:443"),
            ("(host api.example)", "host:api.example"),
            ("portrange 8000-8080", "port:8000..8080"),
            (
                "--rule keep-alive-race --status=5xx",
                "rule:keep-alive-race status:5xx",
            ),
            ("--min-severity warning", "severity:>=warning"),
            ("--connection 7", "id:7"),
            ("tcp", "\"tcp\""),
            ("tcp reset", "\"tcp\" reset"),
            ("the \"host\" api", "the \"host\" api"),
        ] {
            let filter = Filter::parse(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            assert_eq!(filter.to_string(), canonical, "{line}");
        }
        for (line, word, message) in [
            ("port http", "http", "port 80"),
            ("portrange 9-8", "9-8", "8000-8080"),
            ("net here", "here", "10.0.0.0/8"),
            ("--rule", "", "no rule"),
            ("error:zzzzqqq", "zzzzqqq", "socket hang up"),
        ] {
            let wrong = Filter::parse(line).expect_err(line);
            assert_eq!(&line[wrong.at.clone()], word, "{line}");
            assert!(wrong.message.contains(message), "{line}: {}", wrong.message);
        }
    }
}
