//! How to capture what an error is about, and how to find it in the capture: lines to be copied.
//!
//! What comes from the user's text is an address, a port or a host's name of plain characters in the filter, and quoted for a
//! shell in `--error`.

use crate::knowledge::{Explanation, LogSide, LogTime, hints_in, usual_ports};

/// Lines to be copied.
pub(super) struct Advice {
    /// Where to capture.
    pub(super) place: String,
    /// With tcpdump, into a file.
    pub(super) tcpdump: String,
    /// With this program, waiting for the next case.
    pub(super) live: String,
    /// The command that finds it in the file.
    pub(super) find: String,
}

/// The file that is written.
const FILE: &str = "hangup.pcap";
/// The command that reads it without an error to look for.
pub(super) const READ: &str = "hangup hangup.pcap";
/// Characters of the text that are repeated in a command.
const TEXT: usize = 300;

pub(super) fn of(told: &Explanation) -> Advice {
    let (filter, named) = filter(told);
    let place = match (is_behind(told), named) {
        (true, true) => ", on the gateway's host, towards the server behind it:",
        (true, false) => ", on the gateway's host. SERVER is the one behind it:",
        (false, true) => ", on the host of the program that logged this:",
        (false, false) => ", on the host that logged this. Replace SERVER and PORT:",
    };
    Advice {
        place: place.to_owned(),
        tcpdump: format!("sudo tcpdump -i any -U -s 0 -w {FILE} '{filter}'"),
        live: format!("sudo hangup live -i any --keep 10m '{filter}'"),
        find: format!("hangup {FILE} --error {}", shell_quoted(&error_text(told))),
    }
}

/// The likeliest rule.
fn lead(told: &Explanation) -> Option<&'static str> {
    told.stories.first()?.rules.first().copied()
}

/// Whether the fault lies between a gateway and the server behind it: the gateway's access log names its clients alone.
fn is_behind(told: &Explanation) -> bool {
    let events = told.stories.first().and_then(|it| it.events.first());
    let as_client = events.is_some_and(|it| it.side() == LogSide::Client);
    lead(told).is_some_and(|it| it.starts_with("gateway-")) || told.status.is_some() && as_client
}

/// A libpcap filter, and whether it names the place.
fn filter(told: &Explanation) -> (String, bool) {
    const OPEN: &str = "host SERVER and port PORT";
    let lead = lead(told).unwrap_or_default();
    if lead == "name-resolution-failed" {
        return ("port 53".to_owned(), true);
    }
    let place = told.place.clone().unwrap_or_default();
    // The address alone in a gateway's log is the client's.
    let host = place
        .host
        .filter(|_| place.port.is_some() || !is_behind(told));
    let ports = |all: &[u16]| {
        let all: Vec<String> = all.iter().map(|it| format!("port {it}")).collect();
        all.join(" or ")
    };
    let filter = match (host, place.port) {
        (Some(host), Some(port)) => format!("host {host} and port {port}"),
        (Some(host), None) => format!("host {host}"),
        (None, Some(port)) => format!("port {port}"),
        (None, None) => match told.protocols[..] {
            [protocol] if !usual_ports(protocol).is_empty() => ports(usual_ports(protocol)),
            _ if lead.starts_with("ephemeral-port") => "tcp".to_owned(),
            _ => OPEN.to_owned(),
        },
    };
    let named = !filter.contains("SERVER");
    // What answers a SYN or a segment that is too large may be a router's ICMP error.
    let with_icmp = ["connect", "path-mtu"]
        .iter()
        .any(|it| lead.starts_with(it));
    match with_icmp {
        true => (format!("({filter}) or icmp or icmp6"), named),
        false => (filter, named),
    }
}

/// The text by which the connection is found: the line that says what went wrong, with the time that stands elsewhere.
fn error_text(told: &Explanation) -> String {
    let line: String = told.line.chars().take(TEXT).collect();
    let line = line.trim();
    match told.hints.times.first() {
        Some(time) if hints_in(line).times.is_empty() => format!("{} {line}", moment(time)),
        _ => line.to_owned(),
    }
}

/// A text as one word of a POSIX shell.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn moment(moment: &LogTime) -> String {
    let mut text = String::new();
    let (hour, minute, second) = moment.time;
    match (moment.year, moment.month_day) {
        (Some(year), Some((month, day))) => text += &format!("{year}-{month:02}-{day:02} "),
        (None, Some((month, day))) => text += &format!("--{month:02}-{day:02} "),
        _ => {}
    }
    text += &format!("{hour:02}:{minute:02}:{second:02}");
    if moment.nanoseconds != 0 {
        let digits = format!("{:09}", moment.nanoseconds);
        text += &format!(".{}", digits.trim_end_matches('0'));
    }
    match moment.offset {
        None => {}
        Some(0) => text += " UTC",
        Some(east) => {
            let minutes = east.unsigned_abs() / 60;
            let sign = if east < 0 { '-' } else { '+' };
            text += &format!(" {sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::explain;

    #[test]
    fn the_filter_is_of_the_place_that_the_text_names() {
        for (text, filter) in [
            (
                "read tcp 10.0.0.5:51234->10.0.0.2:8080: read: connection reset by peer",
                "host 10.0.0.2 and port 8080",
            ),
            ("socket hang up", "host SERVER and port PORT"),
            (
                "dial tcp 10.0.0.2:5432: connect: connection refused",
                "(host 10.0.0.2 and port 5432) or icmp or icmp6",
            ),
            ("getaddrinfo ENOTFOUND api.example.com", "port 53"),
            ("ORA-03113", "port 1521"),
            (
                "10.0.0.1 - - [20/Nov/2026:18:30:47 +0000] \"GET / HTTP/1.1\" 502 157",
                "host SERVER and port PORT",
            ),
        ] {
            assert_eq!(filter_of(text), filter, "{text}");
        }
    }

    fn filter_of(text: &str) -> String {
        super::filter(&explain(text)).0
    }

    #[test]
    fn the_text_is_one_word_of_a_shell() {
        let find = of(&explain("can't connect: it's \u{1b}[31mECONNREFUSED")).find;
        assert_eq!(
            find,
            r"hangup hangup.pcap --error 'can'\''t connect: it'\''s ECONNREFUSED'"
        );
        let trace = "2026-11-20 18:30:47,123 ERROR failed\njava.net.SocketException: Connection reset\n\tat a.b(C.java:1)";
        let find = of(&explain(trace)).find;
        assert!(
            find.ends_with(
                "--error '2026-11-20 18:30:47.123 java.net.SocketException: Connection reset'"
            ),
            "{find}"
        );
    }

    #[test]
    fn moments() {
        let told = |text: &str| moment(&explain(text).hints.times[0]);
        assert_eq!(
            told("2025-11-20T19:01:02.50-03:30 EPIPE"),
            "2025-11-20 19:01:02.5 -03:30"
        );
        assert_eq!(told("Nov  7 09:01:02 EPIPE"), "--11-07 09:01:02");
        assert_eq!(told("1763665262 EPIPE"), "2025-11-20 19:01:02 UTC");
    }
}
