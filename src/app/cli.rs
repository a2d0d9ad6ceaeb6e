//! What the user typed, and what `--help` says. Touches nothing: no file, no clock, no environment.
//!
//! [`Cli`] goes to [`run`](crate::app::run), which decides what it means. The completions, the manual page and
//! `docs/usage.md` are made from the same definitions.
//!
//! Every option has one line. It is in the group of its heading, and what an expert of tcpdump or tshark types by habit is
//! accepted: `-r FILE`, `-n`, `--json`.

use super::cli_examples as examples;
pub use super::cli_feed::{FeedArgs, FeedFormatArg};
pub use super::cli_run::RunArgs;
use super::cli_values::{numbers, ports, size, time, time_or_none};
use super::options::{AnalysisOptions, IgnoreFile, Records};
use crate::rules::Severity;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Who hung up, and why: the end of every TCP connection in a packet capture, explained
#[derive(Debug, Parser)]
#[command(
    name = "hangup",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    help_template = examples::TEMPLATE,
    before_help = examples::PROGRAM,
    after_help = EXIT
)]
pub struct Cli {
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The input, when no command is named.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Where a report goes; any of these options asks for one.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How the screens are drawn.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

pub(super) const INPUT: &str = "Input";
const CHOICE: &str = "What is reported";
const SELECTED: &str = "What is written";
const HOSTS: &str = "About the hosts";
pub(super) const OUTPUT: &str = "Output";
pub(super) const FILES: &str = "Files";

const EXIT: &str = "Exit status: 0 done; 1 a finding was at least as bad as --fail-on; 2 the work could not be done.\n\
    A damaged or cut capture is analysed as far as it goes; the report says so.";

/// After the help in the manual page: the configuration file too.
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
    /// Draw connections as ladders: every packet, with both ends' states
    Ladder(LadderArgs),
    /// Say what differs between two captures of the same work, or between two connections
    Diff(DiffArgs),
    /// Write the packets of some connections to a capture, with comments on what happened
    Extract(ExtractArgs),
    /// Write a capture without names and contents, on which the same is found
    Anonymise(AnonymiseArgs),
    /// Capture on a network interface, and show what ends and why
    Live(LiveArgs),
    /// Run a command, capture meanwhile, and keep the packets if something failed
    Run(RunArgs),
    /// List the interfaces that can be captured on, and what is missing
    Interfaces,
    /// Print a rule's page, or what an error text, a code or a log line may mean on the wire
    Explain(ExplainArgs),
    /// Answer a language model's program by the Model Context Protocol (MCP)
    Mcp(McpArgs),
    /// List the rules, a line each
    Rules {
        /// Only rules with this word in their line
        word: Option<String>,
    },
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

/// The captures to read.
#[derive(Args, Clone, Debug)]
pub struct FileArgs {
    /// Captures; `-` is standard input; several are one timeline, or two places
    #[arg(value_name = "FILE", required_unless_present = "read")]
    files: Vec<PathBuf>,
    /// The same as FILE, as tcpdump and tshark have it
    #[arg(short, long, value_name = "FILE", alias = "read-file", help_heading = INPUT)]
    read: Vec<PathBuf>,
    /// Names are never looked up: nothing changes.
    #[arg(short = 'n', hide = true, action = clap::ArgAction::Count)]
    numeric: u8,
}

impl FileArgs {
    /// All of them.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.read).cloned().collect()
    }
}

/// What to read and what to say about it: of every command that analyses captures.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    /// What to read.
    #[command(flatten)]
    pub input: FileArgs,
    /// Read only packets that match this capture filter (BPF), such as 'tcp port 80'
    #[arg(long, value_name = "BPF", help_heading = INPUT)]
    pub filter: Option<String>,
    /// Compare with this log, each line with its request; repeatable
    #[arg(long, value_name = "FILE", conflicts_with = "follow", help_heading = INPUT)]
    pub log: Vec<PathBuf>,
    /// Go on as the files or pipes grow; the report comes at Ctrl-C
    #[arg(long, help_heading = INPUT)]
    pub follow: bool,
    /// What to say about it.
    #[command(flatten)]
    pub judging: JudgingArgs,
}

/// What to say about what was captured.
#[derive(Args, Clone, Debug)]
pub struct JudgingArgs {
    /// Open TLS with the secrets of this key log (SSLKEYLOGFILE); repeatable
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub keylog: Vec<PathBuf>,
    /// Only connections that fit this error text, code or log line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = CHOICE)]
    pub error: Option<String>,
    /// Only findings of this rule; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = CHOICE)]
    pub rule: Vec<String>,
    /// No findings of this rule; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = CHOICE)]
    pub ignore: Vec<String>,
    /// Leave out what the lines of this file name [default: .hangupignore]
    #[arg(long, value_name = "PATH", help_heading = CHOICE)]
    pub ignore_file: Option<PathBuf>,
    /// Use no .hangupignore
    #[arg(long, conflicts_with = "ignore_file", help_heading = CHOICE)]
    pub no_ignore_file: bool,
    /// Only findings this severe: benign, note, warning, error
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, help_heading = CHOICE)]
    pub min_severity: Option<SeverityArg>,
    /// Connections to list: all, notable, none [default: by format]
    #[arg(long, value_name = "WHICH", hide_possible_values = true, help_heading = CHOICE)]
    pub connections: Option<ShownArg>,
    /// The clients' ephemeral ports, if the capture cannot show them
    #[arg(long, value_name = "LOW-HIGH", value_parser = ports, help_heading = HOSTS)]
    pub ephemeral_ports: Option<(u16, u16)>,
    /// How long the hosts keep a socket in TIME-WAIT
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time_or_none, help_heading = HOSTS)]
    pub time_wait: Duration,
    /// Exit with 1 on a finding this severe or worse
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true, help_heading = OUTPUT)]
    pub fail_on: Option<SeverityArg>,
    /// Use colour: auto, always, never; NO_COLOR counts too
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true, help_heading = OUTPUT)]
    pub color: ColorArg,
    /// Times in this machine's zone, not UTC (not in JSON and CSV)
    #[arg(long, help_heading = OUTPUT)]
    pub local: bool,
    /// Threads to analyse with [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = OUTPUT)]
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
            search_requests: false,
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
            time_wait: self.time_wait,
            threads: self.threads.map(usize::from),
            ..AnalysisOptions::default()
        }
    }
}

impl ReadArgs {
    /// What to read.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.input.paths()
    }

    /// The same, with what is to be read.
    #[must_use]
    pub fn options(&self, whole: bool) -> AnalysisOptions {
        AnalysisOptions {
            filter: self.filter.clone(),
            logs: self.log.clone(),
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
    /// The background: auto, dark, light, none; the key t switches
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    pub theme: Option<ThemeArg>,
    /// Leave the mouse to the terminal, so that it selects text
    #[arg(long)]
    pub no_mouse: bool,
    /// The configuration file of the screens; `hangup man` shows one
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
#[command(help_template = examples::TEMPLATE, before_help = examples::REPORT)]
pub struct ReportArgs {
    /// What to read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Where it goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Analyse every FILE by itself, and write a line on each
    #[arg(long, conflicts_with_all = ["follow", "log", "table", "connections"], help_heading = OUTPUT)]
    pub each: bool,
    /// What --follow prints and serves.
    #[command(flatten)]
    pub feed: FeedArgs,
}

/// Where a report or a comparison goes, and in which format.
#[derive(Args, Debug)]
pub struct TargetArgs {
    /// Write the report to this file; `-` is standard output
    #[arg(short, long, value_name = "OUT", display_order = 0, help_heading = OUTPUT)]
    pub output: Option<PathBuf>,
    /// text, json, ndjson, markdown, html, csv [default: by OUT's ending]
    #[arg(short, long, display_order = 0, hide_possible_values = true, help_heading = OUTPUT)]
    format: Option<FormatArg>,
    /// The same as -f json
    #[arg(long, display_order = 0, conflicts_with = "format", help_heading = OUTPUT)]
    json: bool,
}

/// Where a report goes, and how.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Where it goes.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Rows of a CSV: connections, exchanges, findings [default: connections]
    #[arg(long, value_name = "ROWS", hide_possible_values = true, display_order = 0, help_heading = OUTPUT)]
    pub table: Option<TableArg>,
}

/// `--table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableArg {
    /// A row for each connection
    Connections,
    /// A row for each request with its response
    Exchanges,
    /// A row for each finding
    Findings,
}

impl TargetArgs {
    /// The format that was asked for, if any.
    #[must_use]
    pub fn format(&self) -> Option<FormatArg> {
        self.format.or(self.json.then_some(FormatArg::Json))
    }

    /// The file to write to, if it is not standard output.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|it| *it != Path::new("-"))
    }
}

impl OutputArgs {
    /// Whether a report was asked for.
    #[must_use]
    pub fn asks(&self) -> bool {
        let target = &self.target;
        target.output.is_some() || target.format().is_some() || self.table.is_some()
    }
}

/// `hangup live`.
#[derive(Args, Clone, Debug)]
#[command(help_template = examples::TEMPLATE, before_help = examples::LIVE, after_help = PRIVILEGES)]
pub struct LiveArgs {
    /// Capture only what this filter (BPF) matches, such as tcp port 80
    #[arg(value_name = "FILTER")]
    pub filter: Vec<String>,
    /// The interface, `any` for all [default: the first that is up]
    #[arg(short, long, value_name = "IFACE", help_heading = INPUT)]
    pub interface: Option<String>,
    /// Stop after this time, such as 90s or 1m30s
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = INPUT)]
    pub duration: Option<Duration>,
    /// Stop after this number of packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = INPUT)]
    pub packets: Option<u64>,
    /// Bytes to capture of each packet
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(64..=262_144), help_heading = INPUT)]
    pub snaplen: u32,
    /// Memory of the kernel for packets that wait
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64M", help_heading = INPUT)]
    pub buffer: u64,
    /// Capture also what is not for this host
    #[arg(long, help_heading = INPUT)]
    pub promiscuous: bool,
    /// Show each packet 0.1 s sooner, for more processor time
    #[arg(long, help_heading = INPUT)]
    pub immediate: bool,
    /// Print findings as they come, and a report at Ctrl-C: no screens
    #[arg(long, help_heading = OUTPUT)]
    pub headless: bool,
    /// text or ndjson, without screens [default: text]
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true, help_heading = OUTPUT)]
    pub format: Option<FeedFormatArg>,
    /// Keep the packets in this pcapng file
    #[arg(short, long, value_name = "OUT", help_heading = FILES)]
    pub write: Option<PathBuf>,
    /// Replace OUT if it exists
    #[arg(long, requires = "write", conflicts_with_all = ["rotate_size", "rotate_time", "keep"], help_heading = FILES)]
    pub force: bool,
    /// Begin the next file (OUT-00002) after this size, such as 100M
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "write", help_heading = FILES)]
    pub rotate_size: Option<u64>,
    /// Begin the next file after this time
    #[arg(long, value_name = "TIME", value_parser = time, requires = "write", help_heading = FILES)]
    pub rotate_time: Option<Duration>,
    /// How many of the files stay: the oldest are deleted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), requires = "write", help_heading = FILES)]
    pub rotate_files: Option<u16>,
    /// Write only the last packets before a finding, up to this time
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["rotate_size", "rotate_time"], help_heading = FILES)]
    pub keep: Option<Duration>,
    /// How severe a finding must be for --keep
    #[arg(long, value_name = "SEVERITY", default_value = "error", requires = "keep", hide_possible_values = true, help_heading = FILES)]
    pub keep_severity: SeverityArg,
    /// Memory for the last packets (screens, --keep)
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64M", help_heading = FILES)]
    pub memory: u64,
    /// What to say about it.
    #[command(flatten)]
    pub judging: JudgingArgs,
    /// What is printed and served meanwhile.
    #[command(flatten)]
    pub feed: FeedArgs,
    /// How the screens are drawn.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

impl LiveArgs {
    /// Whether there are no screens.
    #[must_use]
    pub const fn without_screens(&self) -> bool {
        self.headless || self.format.is_some() || self.feed.asks()
    }
}

const PRIVILEGES: &str = "Capturing needs libpcap, and root or CAP_NET_RAW. On Linux, once the interface is open, hangup\n\
    gives up every capability, and root becomes the user that called sudo, or nobody, if that user\n\
    can write the files that were asked for. Then only files at -w and in the current directory can\n\
    be written (Landlock, seccomp), and there is no network.\n\
    On Linux, processes of this host are named, and to root the reason of each reset.";

/// `hangup ladder`.
#[derive(Args, Debug)]
#[command(help_template = examples::TEMPLATE, before_help = examples::LADDER)]
pub struct LadderArgs {
    /// What to read, twice: no pipe.
    #[command(flatten)]
    pub input: FileArgs,
    /// The filter that the report was made with
    #[arg(long, value_name = "BPF", help_heading = INPUT)]
    pub filter: Option<String>,
    /// Open TLS with the secrets of this key log (SSLKEYLOGFILE); repeatable
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub keylog: Vec<PathBuf>,
    /// What is drawn.
    #[command(flatten)]
    pub drawn: DrawnArgs,
}

/// Which connections `hangup ladder` draws, and how.
#[derive(Args, Clone, Debug)]
pub struct DrawnArgs {
    /// Connections by their numbers: 3, 7-9 [default: the worst finding's]
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = numbers, help_heading = CHOICE)]
    pub connection: Vec<(u32, u32)>,
    /// picture, or notation: that of the project's tests
    #[arg(short, long, value_name = "FORMAT", default_value = "picture", hide_possible_values = true, help_heading = OUTPUT)]
    pub format: LadderFormatArg,
    /// A row for each segment: runs of data are not folded
    #[arg(long, help_heading = OUTPUT)]
    pub all: bool,
    /// Sequence numbers, window, TTL and TCP options of each segment
    #[arg(long, help_heading = OUTPUT)]
    pub headers: bool,
    /// Columns of a line
    #[arg(long, value_name = "COLUMNS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(60..=400), help_heading = OUTPUT)]
    pub width: u16,
    /// Leave out addresses, ports and the names of hosts
    #[arg(long, help_heading = OUTPUT)]
    pub hide_addresses: bool,
    /// Leave out payload, targets, and header fields
    #[arg(long, help_heading = OUTPUT)]
    pub hide_payload: bool,
}

const DIFFERENCES: &str = "Exit status: 0 no difference; 1 differences; 2 they could not be compared.\n\
    Connections are matched by the server's port and name, or by what is requested. A difference is\n\
    reported where each side is all of one kind, or where chance does not explain the numbers.";

/// `hangup diff`.
#[derive(Args, Debug)]
#[command(
    help_template = examples::TEMPLATE,
    before_help = examples::DIFF,
    after_help = DIFFERENCES,
    mut_arg("output", |it| it.help("Write the comparison to this file; `-` is standard output")),
    mut_arg("format", |it| it.help("text, json or markdown [default: by the ending of OUT]").display_order(1)),
    mut_arg("json", |it| it.display_order(2))
)]
pub struct DiffArgs {
    /// Two captures of the same work; or one, with --connections
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Compare these two connections of one capture: 3,7
    #[arg(long, short, value_name = "N,N", alias = "connection", value_delimiter = ',', value_parser = numbers, help_heading = CHOICE)]
    pub connections: Vec<(u32, u32)>,
    /// Read only packets that match this capture filter (BPF), such as 'tcp port 80'
    #[arg(long, value_name = "BPF", help_heading = INPUT)]
    pub filter: Option<String>,
    /// Open TLS with the secrets of this key log (SSLKEYLOGFILE); repeatable
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub keylog: Vec<PathBuf>,
    /// Where it goes.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Use colour: auto, always, never; NO_COLOR counts too
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true, help_heading = OUTPUT)]
    pub color: ColorArg,
    /// Times in this machine's zone, not UTC (not in JSON)
    #[arg(long, help_heading = OUTPUT)]
    pub local: bool,
    /// Names are never looked up: nothing changes.
    #[arg(short = 'n', hide = true, action = clap::ArgAction::Count)]
    numeric: u8,
}

const EXTRACTED: &str = "Without a choice, the connections of all findings are written. --connection and --finding add up;\n\
    --host and --where select among them, or among all. Comments begin with \"hangup:\"; Wireshark and\n\
    tshark list them with the display filter frame.comment. Comments that packets had stay.";

/// `hangup extract`.
#[derive(Args, Debug)]
#[command(
    help_template = examples::TEMPLATE,
    before_help = examples::EXTRACT,
    after_help = EXTRACTED,
    mut_arg("files", |it| it.help("Captures; several are one timeline, or two places"))
)]
pub struct ExtractArgs {
    /// What to read, twice: no pipe.
    #[command(flatten)]
    pub input: FileArgs,
    /// Connections by their numbers: 3, 7-9
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = numbers, help_heading = SELECTED)]
    pub connection: Vec<(u32, u32)>,
    /// The connections of a finding, by its number in the report or its rule
    #[arg(long, value_name = "N|RULE", value_delimiter = ',', help_heading = SELECTED)]
    pub finding: Vec<String>,
    /// Only connections of this address or network, or to this host; repeatable
    #[arg(long, value_name = "HOST", help_heading = SELECTED)]
    pub host: Vec<String>,
    /// Only connections that fit this filter of the screens: 'how:reset'
    #[arg(long = "where", value_name = "FILTER", allow_hyphen_values = true, help_heading = SELECTED)]
    pub filter_words: Vec<String>,
    /// The capture filter (BPF) that the report was made with
    #[arg(long, value_name = "BPF", help_heading = INPUT)]
    pub filter: Option<String>,
    /// Open TLS with the secrets of this key log (SSLKEYLOGFILE); repeatable
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub keylog: Vec<PathBuf>,
    /// Write to this pcapng file; `-` is standard output
    #[arg(short, long, value_name = "OUT", short_alias = 'w', alias = "write", help_heading = OUTPUT)]
    pub output: PathBuf,
    /// Replace OUT if it exists
    #[arg(long, help_heading = OUTPUT)]
    pub force: bool,
    /// Keep the TLS secrets that are in the capture: who has them reads what was sent
    #[arg(long, help_heading = OUTPUT)]
    pub keep_secrets: bool,
}

const ANONYMISED: &str = "Addresses keep their common prefixes; hosts, paths, cookies, credentials, bodies and all\n\
    that no parser understands are replaced at their lengths. Times, ports, methods, statuses,\n\
    sizes and names of products stay. What is inside TLS is replaced as a whole; secrets are left\n\
    out: the copy shows what the capture shows without them. Several files are one timeline, and\n\
    become one capture. docs/anonymise.md says more.";

/// `hangup anonymise`.
#[derive(Args, Debug)]
#[command(
    help_template = examples::TEMPLATE,
    before_help = examples::ANONYMISE,
    after_help = ANONYMISED,
    visible_alias = "anonymize",
    mut_arg("files", |it| it.help("Captures; `-` is standard input; several are one timeline"))
)]
pub struct AnonymiseArgs {
    /// What to read, and write as one capture.
    #[command(flatten)]
    pub input: FileArgs,
    /// Write to this pcapng file; `-` is standard output
    #[arg(short, long, value_name = "OUT", short_alias = 'w', alias = "write", help_heading = OUTPUT)]
    pub output: PathBuf,
    /// Replace OUT if it exists
    #[arg(long, help_heading = OUTPUT)]
    pub force: bool,
    /// Use the key in this file: captures then share names (else random)
    #[arg(long, value_name = "KEY", help_heading = OUTPUT)]
    pub key: Option<PathBuf>,
    /// No secret opens the copy: this is refused, with the way out.
    #[arg(long, value_name = "FILE", hide = true)]
    pub keylog: Vec<PathBuf>,
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
#[command(help_template = examples::TEMPLATE, before_help = examples::EXPLAIN)]
pub struct ExplainArgs {
    /// A rule, an error text, a code or a log line; `-` reads it from standard input; nothing: an overview
    #[arg(value_name = "RULE|TEXT", allow_hyphen_values = true)]
    pub text: Vec<String>,
    /// Use colour: auto, always, never; NO_COLOR counts too
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub color: ColorArg,
}

const SERVED: &str = "Five tools are served: captures, report, find_error, ladder, explain. Only files below FOLDER\n\
    are read, nothing is written, and there is no network.";

/// `hangup mcp`.
#[derive(Args, Debug)]
#[command(help_template = examples::TEMPLATE, before_help = examples::MCP, after_help = SERVED)]
pub struct McpArgs {
    /// The folder of the captures that may be asked about
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// `--min-severity`, `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[cfg_attr(
    feature = "mcp",
    derive(serde::Deserialize, rmcp::schemars::JsonSchema),
    serde(rename_all = "lowercase"),
    schemars(crate = "rmcp::schemars")
)]
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
    #[value(alias = "txt")]
    Text,
    /// One object, schema hangup-report/1
    Json,
    /// The same objects, one a line, each with its kind
    #[value(alias = "jsonl")]
    Ndjson,
    /// For tickets
    #[value(alias = "md")]
    Markdown,
    /// A page for a browser: one file, no script
    #[value(alias = "htm")]
    Html,
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

/// The definitions, for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// The definitions with all that is said of them, for the manual page and `docs/usage.md`.
#[must_use]
pub fn documented() -> clap::Command {
    Cli::command().after_help(FILE)
}

/// What `--help` says of the program and of every command, as a Markdown page.
#[must_use]
pub fn usage() -> String {
    let mut page = String::from(
        "# Usage\n\nWhat `hangup --help` and the commands' `--help` say. Made from `src/app/cli.rs`; a test keeps it in step.\n",
    );
    let mut root = documented().term_width(100);
    root.build();
    let names: Vec<String> = root
        .get_subcommands()
        .map(|it| it.get_name().to_owned())
        .filter(|name| name != "help")
        .collect();
    let mut section = |title: &str, command: &mut clap::Command| {
        let help = command.render_help().to_string();
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
        assert_eq!(cli.read.files().len(), 2);
        let cli = Cli::try_parse_from(["hangup", "report", "a.pcap", "-f", "json"]).unwrap();
        assert!(
            matches!(cli.command, Some(Command::Report(report)) if report.output.target.format() == Some(FormatArg::Json))
        );
        assert!(Cli::try_parse_from(["hangup", "report"]).is_err());
    }

    #[test]
    fn habits_of_other_programs_are_understood() {
        let cli = Cli::try_parse_from(["hangup", "-nnr", "a.pcap", "--json"]).unwrap();
        assert_eq!(cli.read.files(), [Path::new("a.pcap")]);
        assert_eq!(cli.output.target.format(), Some(FormatArg::Json));
        for typed in [
            &["report", "-r", "a.pcap", "b.pcap", "--json"][..],
            &["report", "a.pcap", "-r", "b.pcap", "-f", "md"],
            &[
                "ladder",
                "-r",
                "a.pcap",
                "-r",
                "b.pcap",
                "--connection",
                "3,7-9",
            ],
        ] {
            let cli = Cli::try_parse_from([&["hangup"], typed].concat()).unwrap();
            let files = match &cli.command {
                Some(Command::Report(report)) => report.read.files(),
                Some(Command::Ladder(ladder)) => ladder.input.paths(),
                other => panic!("{other:?}"),
            };
            assert_eq!(files.len(), 2, "{typed:?}");
        }
        assert!(Cli::try_parse_from(["hangup", "report", "a", "--json", "-f", "csv"]).is_err());
        assert!(Cli::try_parse_from(["hangup", "report", "-n"]).is_err());
    }

    /// Every option fits on one line of a hundred columns.
    #[test]
    fn every_option_has_one_line() {
        for section in usage().split("\n## ").skip(2) {
            let options = section.lines().filter(|line| line.starts_with("  "));
            for line in options {
                let is_continued = line.starts_with(&" ".repeat(20));
                assert!(!is_continued, "{line}");
            }
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
}
