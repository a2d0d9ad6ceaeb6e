//! `hangup run`, as it is typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::cli::{FILES, INPUT, JudgingArgs, OUTPUT};
use super::cli_examples as examples;

const END: &str = "Exit status: the command's; 128 and the number of the signal that ended it; 127 if it is not there.\n\
    If it is 0: 1 a finding was at least as bad as --fail-on; 2 the packets could not be analysed.\n\
    Capture and report are kept if the command fails, or on a finding as bad as --fail-on, else error.\n\
    The command has the rights of hangup. Without root: sudo setcap cap_net_raw+ep HANGUP";

/// `hangup run`.
#[derive(Args, Clone, Debug)]
#[command(help_template = examples::TEMPLATE, before_help = examples::RUN, after_help = END)]
pub struct RunArgs {
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
    /// An interface; repeatable [default: loopback, and the first that is up]
    #[arg(short, long, value_name = "IFACE", help_heading = INPUT)]
    pub interface: Vec<String>,
    /// Capture only packets that match this filter (BPF), such as 'tcp port 80'
    #[arg(long, value_name = "BPF", help_heading = INPUT)]
    pub filter: Option<String>,
    /// Where capture and report go [default: the current directory]
    #[arg(short, long, value_name = "DIR", default_value = ".", hide_default_value = true, help_heading = FILES)]
    pub directory: PathBuf,
    /// Keep capture and report even if nothing failed
    #[arg(short, long, help_heading = FILES)]
    pub keep: bool,
    /// Write the findings and the command's end to this file, as JUnit XML
    #[arg(long, value_name = "OUT", help_heading = OUTPUT)]
    pub junit: Option<PathBuf>,
    /// What to say about it.
    #[command(flatten)]
    pub judging: JudgingArgs,
}
