//! The output of `hangup explain` without arguments: what can be explained, and which kinds of errors and codes are
//! known.

use std::fmt::Write as _;

use crate::knowledge::{CODES, FACTS, Family, PRODUCTS, Role};

/// Columns of the page.
const WIDTH: usize = 80;

/// Families of errors as they appear in logs, and their meaning on the wire.
const FAMILIES: &[(&str, &str)] = &[
    (
        "connection refused · ECONNREFUSED · 10061",
        "a RST answered the SYN",
    ),
    (
        "timed out while connecting · ETIMEDOUT · 10060",
        "nothing answered the SYN",
    ),
    (
        "socket hang up · Empty reply · failed to respond",
        "server closed, no response",
    ),
    (
        "connection reset by peer · ECONNRESET · 10054",
        "the peer sent a RST",
    ),
    (
        "expected to be kept alive · idle connection",
        "the request crossed the close",
    ),
    (
        "IncompleteRead · transfer closed with … bytes",
        "the response was cut short",
    ),
    (
        "read timed out · 504 · deadline exceeded",
        "the response was late",
    ),
    (
        "broken pipe · EPIPE · 499 · 0x800704CD",
        "the client had left",
    ),
    (
        "cannot assign requested address · 10048",
        "the client ran out of ports",
    ),
    (
        "protocol violation · Parse Error · malformed",
        "the response is no HTTP",
    ),
    (
        "secure channel · alert handshake failure",
        "the TLS handshake failed",
    ),
];

/// The page.
#[must_use]
pub fn overview() -> String {
    let mut page = String::new();
    write(&mut page).expect("a string takes everything");
    page
}

fn write(page: &mut String) -> std::fmt::Result {
    page.push_str(
        "What does this error mean on the wire? Give the text from the log, a code, a\n\
         whole line, or a rule's name:\n\n\
         \x20 hangup explain 'socket hang up'\n\
         \x20 hangup explain 0x800704CD\n\
         \x20 hangup explain \"$(tail -1 /var/log/nginx/error.log)\"\n\
         \x20 hangup explain keep-alive-race\n\n\
         Typos, timestamps, addresses and stack traces do not matter. With a capture,\n\
         `hangup FILE --error TEXT` finds the connections that fit; a time, an address\n\
         or a port in the line narrows them down.\n\n\
         Errors, and what they are on the wire\n",
    );
    for (said, means) in FAMILIES {
        writeln!(page, "  {said:<47}  {means}")?;
    }
    page.push_str("\nCodes\n");
    for family in [
        Family::Errno,
        Family::Win32,
        Family::Curl,
        Family::Status,
        Family::Haproxy,
        Family::Envoy,
        Family::TlsAlert,
    ] {
        let codes = CODES.iter().filter(|it| it.family == family);
        let codes: Vec<&str> = codes.map(|it| it.code).collect();
        wrapped(page, family.title(), &codes)?;
    }
    page.push_str("\nPrograms whose own words are known\n");
    for (role, title) in [
        (Role::Client, "clients"),
        (Role::Server, "servers"),
        (Role::Proxy, "proxies"),
    ] {
        let mut products: Vec<_> = PRODUCTS
            .iter()
            .filter(|it| it.role == role && FACTS.iter().any(|fact| fact.product == *it))
            .collect();
        products.sort_by_key(|it| it.rank);
        let mut titles: Vec<&str> = Vec::new();
        for product in products {
            // A program of several protocols is listed once.
            if !titles.contains(&product.title) {
                titles.push(product.title);
            }
        }
        wrapped(page, title, &titles)?;
    }
    page.push_str("\n`hangup rules` lists everything that can be found.\n");
    Ok(())
}

/// `  title: one, two, three`, wrapped.
fn wrapped(page: &mut String, title: &str, words: &[&str]) -> std::fmt::Result {
    let mut line = format!("  {title}:");
    for (nth, word) in words.iter().enumerate() {
        let comma = if nth + 1 < words.len() { "," } else { "" };
        if line.chars().count() + word.chars().count() + 2 > WIDTH {
            writeln!(page, "{line}")?;
            line = "   ".to_owned();
        }
        write!(line, " {word}{comma}")?;
    }
    writeln!(page, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::explain;

    #[test]
    fn it_fits_a_terminal_and_names_what_is_known() {
        let page = overview();
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        for word in [
            "ECONNRESET",
            "1229",
            "499",
            "SD",
            "UC",
            "curl",
            "nginx",
            "Node.js",
        ] {
            assert!(page.contains(word), "{word}: {page}");
        }
    }

    #[test]
    fn every_error_that_it_names_is_known() {
        for (said, _) in FAMILIES {
            for text in said.split(" · ") {
                assert!(!explain(text).is_empty(), "{text}");
            }
        }
    }
}
