//! What the user typed, and what `--help` says. Touches nothing: no file, no clock, no environment.
//!
//! [`Cli`] goes to [`run`](crate::app::run), which decides what it means. The completions, the manual page and
//! `docs/usage.md` are made from the same definitions.

use super::options::{AnalysisOptions, IgnoreFile, Records};
use crate::rules::Severity;
use std::path::PathBuf;
use std::time::Duration;

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
    after_help = EXIT,
    after_long_help = FILE
)]
pub struct Cli {
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The input, when no command is named.
    #[command(flatten)]
    pub read: ReadArgs,
    /// How the screens are drawn.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

const EXIT: &str = "Exit status: 0 done; 1 a finding was at least as bad as --fail-on; 2 the work could not be done.\n\
    A damaged or cut capture is analysed as far as it goes; the report says so.";

/// After the long help: the configuration file.
const FILE: &str = concat!(
    "Exit status: 0 done; 1 a finding was at least as bad as --fail-on; 2 the work could not be done.\n",
    "A damaged or cut capture is analysed as far as it goes; the report says so.\n\n",
    "The configuration file of the screens is $XDG_CONFIG_HOME/hangup/config.toml, else ~/.config/hangup/config.toml,\n",
    "on macOS ~/Library/Preferences/hangup/config.toml, or what --config names. The command line comes first, then the\n",
    "environment (NO_COLOR), then the file. An entry that is wrong is refused, with its line and what is allowed there.\n\n",
    "    theme = \"light\"                       # auto, dark, light, none\n",
    "    [colours]                             # red, lightblue, 208 or #rrggbb, for error, warning, client, server …\n",
    "    error = \"#d00000\"\n",
    "    [connections]                         # the columns of the table, in this order\n",
    "    columns = [\"#\", \"server\", \"ended by\", \"finding\"]\n",
    "    [keys.connections]                    # the place, the action, its keys\n",
    "    mark = [\"space\", \"m\"]\n",
    "    [keys.everywhere]\n",
    "    quit = [\"q\", \"^c\"]",
);

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a report on captures
    Report(ReportArgs),
    /// Show one connection of a capture as a ladder: every packet, with both ends' states
    Ladder(LadderArgs),
    /// Capture on a network interface and show what ends, and why
    Live(LiveArgs),
    /// List the interfaces that can be captured on, and what is missing
    Interfaces,
    /// Print a rule's page, or what an error text, a code or a log line may mean on the wire
    Explain(ExplainArgs),
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
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    /// Captures to read, `-` for standard input; several are one timeline
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Read only frames that this libpcap filter matches, such as 'host 10.0.0.1 and port 80'
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Go on as the files or pipes grow: findings are printed as they come, and the report at Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// What to say about it.
    #[command(flatten)]
    pub judging: JudgingArgs,
}

/// What to say about what was captured.
#[derive(Args, Clone, Debug)]
pub struct JudgingArgs {
    /// Report only what this rule finds; may be given again
    #[arg(long, value_name = "NAME")]
    pub rule: Vec<String>,
    /// Leave out what this rule finds; may be given again
    #[arg(long, value_name = "NAME")]
    pub ignore: Vec<String>,
    /// Report only connections whose story fits this error: a text, a code, or a whole line from a log, whose time,
    /// addresses and ports narrow it to the connection
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub error: Option<String>,
    /// Leave out the connections and findings that the lines of this file name, such as probes; what they match is
    /// counted. Without it, .hangupignore in the working directory is used if there is one
    #[arg(long, value_name = "PATH")]
    pub ignore_file: Option<PathBuf>,
    /// Use no .hangupignore
    #[arg(long, conflicts_with = "ignore_file")]
    pub no_ignore_file: bool,
    /// Open TLS with the secrets of this key log, as programs write it where SSLKEYLOGFILE names one; may be given again.
    /// Secrets inside a pcapng file are used by themselves. Beside what goes on, it is read on as it is written, and need not be
    /// there yet
    #[arg(long, value_name = "FILE")]
    pub keylog: Vec<PathBuf>,
    /// Leave out findings that are less severe
    #[arg(long, value_name = "SEVERITY")]
    pub min_severity: Option<SeverityArg>,
    /// Exit with 1 if there is a finding this severe or worse
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<SeverityArg>,
    /// The ports that the clients' systems hand out, if the capture cannot show it
    #[arg(long, value_name = "LOW-HIGH", value_parser = ports)]
    pub ephemeral_ports: Option<(u16, u16)>,
    /// How long the hosts keep a socket in TIME-WAIT
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub time_wait: u32,
    /// Which connections to list [default: notable in text and Markdown, all in the other formats]
    #[arg(long, value_name = "WHICH")]
    pub connections: Option<ShownArg>,
    /// When to use colour; NO_COLOR is heeded too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorArg,
    /// Tell times in this machine's zone instead of UTC (JSON and CSV are always UTC)
    #[arg(long)]
    pub local: bool,
    /// Threads to analyse with [default: one for each processor]; the report is the same with any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

impl JudgingArgs {
    /// What the arguments mean for an analysis. `whole`: every connection's record is wanted.
    #[must_use]
    pub fn options(&self, whole: bool) -> AnalysisOptions {
        AnalysisOptions {
            records: match whole {
                true => Records::All,
                false => Records::Notable,
            },
            only_rules: self.rule.clone(),
            without_rules: self.ignore.clone(),
            min_severity: self.min_severity.map(Into::into),
            error: self.error.clone(),
            ignore: match &self.ignore_file {
                Some(path) => IgnoreFile::At(path.clone()),
                None if self.no_ignore_file => IgnoreFile::None,
                None => IgnoreFile::InWorkingDirectory,
            },
            key_logs: self.keylog.clone(),
            ephemeral_ports: self.ephemeral_ports,
            time_wait: Duration::from_secs(self.time_wait.into()),
            threads: self.threads.map(usize::from),
            ..AnalysisOptions::default()
        }
    }
}

impl ReadArgs {
    /// The same, with what is to be read.
    #[must_use]
    pub fn options(&self, whole: bool) -> AnalysisOptions {
        AnalysisOptions {
            filter: self.filter.clone(),
            ..self.judging.options(whole)
        }
    }
}

/// How the terminal's screens are drawn.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Screens")]
pub struct ScreenArgs {
    /// Draw with ASCII signs only
    #[arg(long)]
    pub ascii: bool,
    /// What the terminal's background is like, or none for no colours; the key t turns it [default: auto]
    #[arg(long, value_name = "WHAT")]
    pub theme: Option<ThemeArg>,
    /// Leave the mouse to the terminal, so that it selects text
    #[arg(long)]
    pub no_mouse: bool,
    /// The configuration file of the screens [default: hangup/config.toml in the user's folder for configuration]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `--theme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// As the environment says, else dark
    Auto,
    /// Dark
    Dark,
    /// Light
    Light,
    /// No colours
    None,
}

/// `hangup report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// What to read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// The format [default: by the ending of OUT, else text]
    #[arg(short, long)]
    pub format: Option<FormatArg>,
}

/// `hangup live`.
#[derive(Args, Clone, Debug)]
#[command(after_help = PRIVILEGES)]
pub struct LiveArgs {
    /// A libpcap filter for what to capture, such as tcp port 80 [default: all frames]
    #[arg(value_name = "FILTER")]
    pub filter: Vec<String>,
    /// The interface, `any` for all; `hangup interfaces` lists them [default: the first that is up and leads elsewhere]
    #[arg(short, long, value_name = "IFACE")]
    pub interface: Option<String>,
    /// Print findings as they come instead of showing them on a screen, and a report at Ctrl-C
    #[arg(long)]
    pub headless: bool,
    /// Stop after this time, such as 90s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub duration: Option<Duration>,
    /// Stop after so many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub packets: Option<u64>,
    /// Keep the packets in this pcapng file, which must not be there yet
    #[arg(short, long, value_name = "OUT")]
    pub write: Option<PathBuf>,
    /// Begin the next file (OUT-00002) after this size, such as 100M
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "write")]
    pub rotate_size: Option<u64>,
    /// Begin the next file after this time
    #[arg(long, value_name = "TIME", value_parser = time, requires = "write")]
    pub rotate_time: Option<Duration>,
    /// How many of the files stay: the oldest are deleted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), requires = "write")]
    pub rotate_files: Option<u16>,
    /// Flight recorder: hold the last packets in memory, up to this time, and write them to a file only when something is
    /// found (OUT-00001, OUT-00002; OUT is hangup.pcapng unless -w says otherwise)
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["rotate_size", "rotate_time"])]
    pub keep: Option<Duration>,
    /// How severe a finding has to be for that
    #[arg(
        long,
        value_name = "SEVERITY",
        default_value = "error",
        requires = "keep"
    )]
    pub keep_severity: SeverityArg,
    /// Memory for the last packets, from which connections are shown and the flight recorder writes
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64M")]
    pub memory: u64,
    /// Bytes to capture of each packet
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(64..=262_144))]
    pub snaplen: u32,
    /// Room in the kernel for packets that wait
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64M")]
    pub buffer: u64,
    /// Capture also what is not for this host
    #[arg(long)]
    pub promiscuous: bool,
    /// Take each packet at once: shown a tenth of a second sooner, and dearer
    #[arg(long)]
    pub immediate: bool,
    /// What to say about it.
    #[command(flatten)]
    pub judging: JudgingArgs,
    /// How the screens are drawn.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

const PRIVILEGES: &str = "Capturing needs root or CAP_NET_RAW. On Linux, once the interface is open, every capability is given up but the one by which\n\
    root writes files (CAP_DAC_OVERRIDE, and only if root began it), no new ones can be had, and with Landlock files can be\n\
    written only in the current directory and where -w points. Packets are read without any privilege.";

/// `hangup ladder`.
#[derive(Args, Debug)]
pub struct LadderArgs {
    /// Captures to read, as for the report that numbers the connections; they are read twice, so no pipe
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The connection's number in the report
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub connection: u32,
    /// The filter that the report was made with
    #[arg(long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Open TLS with the secrets of this key log, to say behind the segments what was said under keys; may be given again
    #[arg(long, value_name = "FILE")]
    pub keylog: Vec<PathBuf>,
    /// As people read it, or in the notation of the project's tests
    #[arg(short, long, value_name = "FORMAT", default_value = "picture")]
    pub format: LadderFormatArg,
    /// A row for each segment, where runs of data are folded otherwise
    #[arg(long)]
    pub all: bool,
    /// Below each segment its sequence numbers, window, TTL and TCP options
    #[arg(long)]
    pub headers: bool,
    /// Columns of a line
    #[arg(long, value_name = "COLUMNS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(60..=400))]
    pub width: u16,
    /// Leave out addresses, ports and the names of hosts
    #[arg(long)]
    pub hide_addresses: bool,
    /// Leave out payload, request targets, and fields that do not concern the connection
    #[arg(long)]
    pub hide_payload: bool,
}

/// How `hangup ladder` draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LadderFormatArg {
    /// Both sides, an arrow for each segment, and the states of TCP
    Picture,
    /// The notation of ladders in rules' pages and tests
    Notation,
}

/// `hangup explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// A rule's name, or an error text, a code, a line from a log; nothing: an overview
    #[arg(value_name = "RULE|TEXT", allow_hyphen_values = true)]
    pub text: Vec<String>,
    /// When to use colour; NO_COLOR is heeded too
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorArg,
}

/// `--min-severity`, `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    /// Recognised as harmless
    Benign,
    /// Worth knowing
    Note,
    /// Something will be lost, or is wrong
    Warning,
    /// A request, connection or byte was lost
    Error,
}

impl From<SeverityArg> for Severity {
    fn from(typed: SeverityArg) -> Self {
        match typed {
            SeverityArg::Benign => Self::Benign,
            SeverityArg::Note => Self::Note,
            SeverityArg::Warning => Self::Warning,
            SeverityArg::Error => Self::Error,
        }
    }
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
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
pub enum ShownArg {
    /// Every one
    All,
    /// Those that failed or cannot be judged, or that a finding names
    Notable,
    /// None
    None,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
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
        "# Usage\n\nWhat `hangup --help` and the commands' `--help` say. Made from `src/app/cli.rs`; a test keeps it in step.\n",
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

/// `90s`, `10m`, `2h`, `500ms`; without a unit, seconds.
fn time(typed: &str) -> Result<Duration, String> {
    let digits = typed.trim_end_matches(char::is_alphabetic);
    let millis: u64 = match &typed[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let number = digits.parse::<u64>().ok().filter(|it| *it > 0);
    let total = number.and_then(|it| it.checked_mul(millis));
    let total = total.filter(|it| *it > 0).map(Duration::from_millis);
    total.ok_or_else(|| "write it as a number and ms, s, m or h, such as 90s".to_owned())
}

/// `100M`, `512K`, `2G`; without a unit, bytes.
fn size(typed: &str) -> Result<u64, String> {
    let digits = typed.trim_end_matches(char::is_alphabetic);
    let shift = match typed[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KB" | "KIB" => Some(10),
        "M" | "MB" | "MIB" => Some(20),
        "G" | "GB" | "GIB" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|it| *it > 0);
    let total = number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift));
    total.ok_or_else(|| "write it as a number and K, M or G, such as 100M".to_owned())
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
        assert!(cli.command.is_none() && cli.read.judging.local);
        assert_eq!(cli.read.files.len(), 2);
        let cli = Cli::try_parse_from(["hangup", "report", "a.pcap", "-f", "json"]).unwrap();
        assert!(
            matches!(cli.command, Some(Command::Report(report)) if report.format == Some(FormatArg::Json))
        );
        assert!(Cli::try_parse_from(["hangup", "report"]).is_err());
    }

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("100"), Ok(100));
        for wrong in ["", "s", "0s", "1y", "-1s", "1.5h", "99999999999999999999h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "M", "0", "1X", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_is_what_remains() {
        let cli = Cli::try_parse_from(["hangup", "live", "-i", "lo", "tcp", "port", "80"]).unwrap();
        let Some(Command::Live(live)) = cli.command else {
            panic!("live")
        };
        assert_eq!(live.filter.join(" "), "tcp port 80");
        assert!(Cli::try_parse_from(["hangup", "live", "--rotate-size", "1M"]).is_err());
    }

    #[test]
    fn port_ranges_are_checked() {
        assert_eq!(ports("32768-60999"), Ok((32768, 60999)));
        for wrong in ["", "1", "5-4", "0-9", "1-65536", "a-b", "1-2-3"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }
}
