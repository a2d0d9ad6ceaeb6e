//! What the user typed, and what `--help` says. Touches nothing: no file, no clock, no environment.
//!
//! [`Cli`] goes to [`run`](crate::run), which decides what it means. The completions, the manual page and
//! `docs/usage.md` are made from the same definitions.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Who hung up, and why: the end of every TCP connection in a packet capture, explained.
///
/// Reads pcap and pcapng files (plain, gzip, zstd or LZ4), follows every TCP connection, reads the HTTP spoken on it, and
/// says who closed it, how, and when.
#[derive(Debug, Parser)]
#[command(
    name = "hangup",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    after_help = EXIT
)]
pub struct Cli {
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The input, when no command is named.
    #[command(flatten)]
    pub read: Read,
}

const EXIT: &str = "Exit status: 0 done; 1 a finding was at least as bad as --fail-on; 2 the work could not be done.\n\
    A damaged or cut capture is analysed as far as it goes; the report says so.";

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a report on captures
    Report(Report),
    /// Show one connection of a capture as a ladder: every packet, with both ends' states
    Ladder(Ladder),
    /// Print a rule's page, or what an error text, a code or a log line may mean on the wire
    Explain(Explain),
    /// List the rules, a line each
    Rules,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or that of one command
    Man {
        /// The command
        command: Option<String>,
    },
}

/// What to read and what to say about it: of every command that analyses captures.
#[derive(Args, Debug)]
pub struct Read {
    /// Captures to read, `-` for standard input; several are one timeline
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Read only frames that this libpcap filter matches, such as 'host 10.0.0.1 and port 80'
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Report only what this rule finds; may be given again
    #[arg(long, value_name = "NAME")]
    pub rule: Vec<String>,
    /// Leave out what this rule finds; may be given again
    #[arg(long, value_name = "NAME")]
    pub ignore: Vec<String>,
    /// Report only connections whose story fits this error: a text, a code, or a whole line from a log, whose time,
    /// addresses and ports help to find the very connection
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub error: Option<String>,
    /// Leave out the connections and findings that the lines of this file name, such as probes; what they match is
    /// counted. Without it, .hangupignore in the working directory is used if there is one
    #[arg(long, value_name = "PATH")]
    pub ignore_file: Option<PathBuf>,
    /// Use no .hangupignore
    #[arg(long, conflicts_with = "ignore_file")]
    pub no_ignore_file: bool,
    /// Leave out findings that are less severe
    #[arg(long, value_name = "SEVERITY")]
    pub min_severity: Option<Severity>,
    /// Exit with 1 if there is a finding this severe or worse
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
    /// The ports that the clients' systems hand out, if the capture cannot show it
    #[arg(long, value_name = "LOW-HIGH", value_parser = ports)]
    pub ephemeral_ports: Option<(u16, u16)>,
    /// How long the hosts keep a socket in TIME-WAIT
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub time_wait: u32,
    /// Which connections to list [default: notable in text and Markdown, all in the other formats]
    #[arg(long, value_name = "WHICH")]
    pub connections: Option<Shown>,
    /// When to use colour; NO_COLOR is heeded too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Tell times in this machine's zone instead of UTC (JSON and CSV are always UTC)
    #[arg(long)]
    pub local: bool,
    /// Threads to analyse with [default: one for each processor]; the report is the same with any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

/// `hangup report`.
#[derive(Args, Debug)]
pub struct Report {
    /// What to read.
    #[command(flatten)]
    pub read: Read,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// The format [default: by the ending of OUT, else text]
    #[arg(short, long)]
    pub format: Option<Format>,
}

/// `hangup ladder`.
#[derive(Args, Debug)]
pub struct Ladder {
    /// Captures to read, as for the report that numbers the connections; they are read twice, so no pipe
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The connection's number in the report
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub connection: u32,
    /// The filter that the report was made with
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Leave out addresses, ports and the names of hosts
    #[arg(long)]
    pub hide_addresses: bool,
    /// Leave out payload, request targets, and fields that do not concern the connection
    #[arg(long)]
    pub hide_payload: bool,
}

/// `hangup explain`.
#[derive(Args, Debug)]
pub struct Explain {
    /// A rule's name, or an error text, a code, a line from a log; nothing: an overview
    #[arg(value_name = "RULE|TEXT", allow_hyphen_values = true)]
    pub text: Vec<String>,
}

/// `--min-severity`, `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Severity {
    /// Recognised as harmless
    Benign,
    /// Worth knowing
    Note,
    /// Something will be lost, or is wrong
    Warning,
    /// A request, connection or byte was lost
    Error,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One object, schema hangup-report/1
    Json,
    /// The same objects, one a line, each with its kind
    Ndjson,
    /// For tickets
    Markdown,
    /// One row a connection
    Csv,
}

/// `--connections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// Every one
    All,
    /// Those that did not end in order, or that a finding names
    Notable,
    /// None
    None,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// If the output is a terminal
    Auto,
    /// Yes
    Always,
    /// No
    Never,
}

/// The definitions, for completions, the manual page and `docs/usage.md`.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// What `--help` says of the program and of every command, as a Markdown page.
#[must_use]
pub fn usage() -> String {
    let mut page = String::from(
        "# Usage\n\nWhat `hangup --help` and the commands' `--help` say. Made from `src/cli.rs`; a test keeps it in step.\n",
    );
    let mut root = command().term_width(100);
    root.build();
    let names: Vec<String> = root
        .get_subcommands()
        .map(|it| it.get_name().to_owned())
        .filter(|name| name != "help")
        .collect();
    let mut section = |title: &str, command: &mut clap::Command| {
        let help = command.render_long_help().to_string();
        let lines: Vec<_> = help.lines().map(str::trim_end).collect();
        page += &format!(
            "\n## {title}\n\n```text\n{}\n```\n",
            lines.join("\n").trim_end()
        );
    };
    section("hangup", &mut root.clone());
    for name in names {
        if let Some(command) = root.find_subcommand_mut(&name) {
            section(&format!("hangup {name}"), command);
        }
    }
    page
}

fn ports(typed: &str) -> Result<(u16, u16), String> {
    let range = typed.split_once('-').and_then(|(low, high)| {
        let low: u16 = low.trim().parse().ok()?;
        let high: u16 = high.trim().parse().ok()?;
        (0 < low && low <= high).then_some((low, high))
    });
    range.ok_or_else(|| {
        "write it as the lowest and the highest port, such as 32768-60999".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        command().debug_assert();
    }

    #[test]
    fn a_file_needs_no_command() {
        let cli = Cli::try_parse_from(["hangup", "a.pcap", "b.pcap", "--local"]).unwrap();
        assert!(cli.command.is_none() && cli.read.local);
        assert_eq!(cli.read.files.len(), 2);
        let cli = Cli::try_parse_from(["hangup", "report", "a.pcap", "-f", "json"]).unwrap();
        assert!(
            matches!(cli.command, Some(Command::Report(report)) if report.format == Some(Format::Json))
        );
        assert!(Cli::try_parse_from(["hangup", "report"]).is_err());
    }

    #[test]
    fn port_ranges_are_checked() {
        assert_eq!(ports("32768-60999"), Ok((32768, 60999)));
        for wrong in ["", "1", "5-4", "0-9", "1-65536", "a-b", "1-2-3"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }
}
