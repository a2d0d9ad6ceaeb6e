//! The texts around the options in `--help`: examples before them, and what is printed where nothing was typed.

/// The order of a help page: what it is, how it is typed, examples, options.
pub(super) const TEMPLATE: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";

/// `hangup` alone: what to type next.
pub(super) const WELCOME: &str = "\
hangup says who ended each TCP connection of a packet capture, how, when, and why.

  hangup FILE                   look through a capture (pcap or pcapng) on screens
  hangup report FILE            print a report; -o OUT.md, OUT.json or OUT.csv writes one
  hangup explain 'ERROR TEXT'   what an error in a log looks like on the wire
  sudo hangup live              capture on this machine
  hangup --help                 everything else

No capture yet? sudo tcpdump -i any -w FILE.pcap 'tcp port 80', until it has happened.
";

/// `hangup --help`.
pub(super) const PROGRAM: &str = "\
Examples:
  hangup x.pcapng                          look through it on screens
  hangup report x.pcapng -o x.md           write a report for a ticket
  hangup report x.pcapng --error 'socket hang up'
  hangup ladder x.pcapng                   draw the worst finding's connection
  hangup diff works.pcapng fails.pcapng    what differs between two captures
  hangup extract x.pcapng -o y.pcapng      the packets of the findings, commented
  hangup anonymise x.pcapng -o y.pcapng    the same without names and contents
  hangup explain 'connection reset by peer'
  sudo hangup live -i eth0 tcp port 80     capture, and show what ends";

/// `hangup report --help`.
pub(super) const REPORT: &str = "\
Examples:
  hangup report client.pcapng server.pcapng
  hangup report x.pcapng --json | jq '.findings[].summary'
  hangup report x.pcapng --log access.log --log error.log
  hangup report --each captures/*.pcapng   a line on each, many at once
  hangup report x.pcapng --filter 'host 10.0.0.1 and port 80'
  sudo tcpdump -U -w - 'port 80' | hangup report --follow -";

/// `hangup ladder --help`.
pub(super) const LADDER: &str = "\
Examples:
  hangup ladder x.pcapng                   the worst finding's connection
  hangup ladder x.pcapng --connection 3,7-9
  hangup ladder x.pcapng -c 3 --hide-addresses --hide-payload";

/// `hangup diff --help`.
pub(super) const DIFF: &str = "\
Examples:
  hangup diff works.pcapng fails.pcapng
  hangup diff works.pcapng fails.pcapng -o diff.md
  hangup diff x.pcapng --connections 3,7";

/// `hangup extract --help`.
pub(super) const EXTRACT: &str = "\
Examples:
  hangup extract x.pcapng -o found.pcapng
  hangup extract x.pcapng -o one.pcapng --finding 1
  hangup extract x.pcapng -o some.pcapng --connection 3,7-9
  hangup extract x.pcapng -o resets.pcapng --where 'how:reset by:server'";

/// `hangup anonymise --help`.
pub(super) const ANONYMISE: &str = "\
Examples:
  hangup anonymise x.pcapng -o y.pcapng
  hangup anonymise x.pcapng -o y.pcapng --key team.key
  hangup anonymise trace_*.pcap -o y.pcapng
  hangup extract x.pcapng -o - | hangup anonymise - -o y.pcapng";

/// `hangup mcp --help`.
pub(super) const MCP: &str = "\
Examples:
  claude mcp add hangup -- hangup mcp ~/captures
  {\"mcpServers\": {\"hangup\": {\"command\": \"hangup\", \"args\": [\"mcp\", \"/srv/captures\"]}}}";

/// `hangup live --help`.
pub(super) const LIVE: &str = "\
Examples:
  sudo hangup live -i eth0 tcp port 80
  sudo hangup live -i any --headless --duration 10m -w x.pcapng
  sudo hangup live --keep 1m30s            write packets only when something is found
  sudo hangup live -f ndjson --interval 10s --metrics 9464";

/// `hangup run --help`.
pub(super) const RUN: &str = "\
Examples:
  hangup run -- npm test
  hangup run --filter 'tcp port 8080' --junit hangup.xml -- cargo test
  hangup run -i any -d traces --fail-on warning -- ./integration-tests";

/// `hangup explain --help`.
pub(super) const EXPLAIN: &str = "\
Examples:
  hangup explain 'upstream prematurely closed connection'
  hangup explain 0x800704CD
  hangup explain keep-alive-race";

/// The examples of a command, by its name; of the program, if it has none.
pub(super) fn of(command: Option<&str>) -> Option<&'static str> {
    match command {
        None => Some(PROGRAM),
        Some("report") => Some(REPORT),
        Some("ladder") => Some(LADDER),
        Some("diff") => Some(DIFF),
        Some("extract") => Some(EXTRACT),
        Some("anonymise" | "anonymize") => Some(ANONYMISE),
        Some("live") => Some(LIVE),
        Some("run") => Some(RUN),
        Some("explain") => Some(EXPLAIN),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::app::cli::Cli;

    #[test]
    fn what_is_said_to_nobody_is_short() {
        assert!(WELCOME.lines().count() <= 12);
        assert!(WELCOME.lines().all(|line| line.chars().count() <= 90));
    }

    /// What the examples show can be typed.
    #[test]
    fn the_examples_are_commands() {
        for text in [PROGRAM, REPORT, LADDER, DIFF, EXTRACT, LIVE, RUN, EXPLAIN] {
            for line in text.lines().skip(1) {
                let command = line.rsplit("| hangup").next().unwrap_or_default();
                let command = match line.contains("| hangup") {
                    true => format!("hangup{command}"),
                    false => line.trim().trim_start_matches("sudo ").to_owned(),
                };
                let command = command.split(" | ").next().unwrap_or_default();
                let command = command.split("    ").next().unwrap_or_default();
                let mut words: Vec<String> = Vec::new();
                for (nth, part) in command.split('\'').enumerate() {
                    match nth % 2 {
                        0 => words.extend(part.split_whitespace().map(str::to_owned)),
                        _ => words.push(part.to_owned()),
                    }
                }
                assert!(Cli::try_parse_from(&words).is_ok(), "{words:?}");
            }
        }
    }
}
