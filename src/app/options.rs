//! What may be set for an analysis, whoever asks for it, and why one cannot be made.

use std::io;
#[cfg(feature = "cli")]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::analysis::engine::{Tracking, Witness};
use crate::packet::capture::CaptureError;
use crate::rules::Severity;
use crate::rules::ignore::IgnoreLineError;

/// Which connections' records an analysis keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// All of them, as far as the limits on memory go.
    #[default]
    All,
    /// All of them, of which those of healthy connections only explain the others: a report lists the notable ones.
    Related,
    /// Those that are not [fine](crate::ConnectionOutcome::Fine), lack bytes, or are named by a finding. Of the others
    /// there is a [summary](crate::ConnectionSummary), which takes a tenth of the memory.
    Notable,
}

/// Which list of connections and findings to leave out applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IgnoreFile {
    /// None.
    #[default]
    None,
    /// `.hangupignore` in the working directory, if there is one.
    InWorkingDirectory,
    /// This file, which must exist.
    At(PathBuf),
}

/// What may be set for an analysis. The default analyses everything, on all processors, and keeps every record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AnalysisOptions {
    /// A libpcap filter: only frames that match it are analysed. Needs the feature `live`.
    pub filter: Option<String>,
    /// Which connections' records are kept.
    pub records: Records,
    /// Keep the requests of connections whose record is not kept, in short, and list more connections, so that all of them can
    /// be searched.
    pub search_requests: bool,
    /// Report only what these rules find; empty: what all of them find.
    pub only_rules: Vec<String>,
    /// Leave out what these rules find.
    pub without_rules: Vec<String>,
    /// Leave out less severe findings.
    pub min_severity: Option<Severity>,
    /// Report only connections that fit this error text, code, or line of a log.
    pub error: Option<String>,
    /// Connections and findings to leave out.
    pub ignore: IgnoreFile,
    /// TLS key logs, as programs write them to the file that `SSLKEYLOGFILE` names.
    pub key_logs: Vec<PathBuf>,
    /// Logs of the programs at both ends, to be compared with the packets. Every record is kept then.
    pub logs: Vec<PathBuf>,
    /// The range from which the clients' systems take ephemeral ports, lowest and highest, where the capture cannot show it.
    pub ephemeral_ports: Option<(u16, u16)>,
    /// How long the hosts keep a socket in TIME-WAIT.
    pub time_wait: Duration,
    /// Threads that analyse; `None`: one for each processor. The result is the same with any number.
    pub threads: Option<usize>,
    /// The number of processors, where the system will not be asked any more.
    pub(super) processors: Option<usize>,
    /// Who knows which RSTs this host sent.
    pub(super) witness: Witness,
    /// When connections are tracked: tests compare the ways.
    #[doc(hidden)]
    pub tracking: Tracking,
}

impl Default for AnalysisOptions {
    fn default() -> Self {
        Self {
            filter: None,
            records: Records::All,
            search_requests: false,
            only_rules: Vec::new(),
            without_rules: Vec::new(),
            min_severity: None,
            error: None,
            ignore: IgnoreFile::None,
            key_logs: Vec::new(),
            logs: Vec::new(),
            ephemeral_ports: None,
            time_wait: TIME_WAIT,
            threads: None,
            processors: None,
            witness: Witness::default(),
            tracking: Tracking::default(),
        }
    }
}

impl AnalysisOptions {
    /// The number of threads; asks the system where none is set.
    pub(super) fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let set = self.threads.or(self.processors);
        set.unwrap_or_else(processors)
    }

    /// Asks the system now: in the sandbox it does not answer.
    #[cfg(feature = "cli")]
    pub(super) fn fix_threads(&mut self) {
        self.processors = Some(self.threads());
    }

    /// Healthy connections of small files are read as closely as the others.
    #[cfg(feature = "cli")]
    pub(super) fn relate_if_small(&mut self, files: &[impl AsRef<Path>]) {
        let size = |it: &Path| {
            std::fs::metadata(it)
                .ok()
                .filter(std::fs::Metadata::is_file)
        };
        let mut sizes = files.iter().map(|it| size(it.as_ref()).map(|it| it.len()));
        let all = sizes.try_fold(0_u64, |all, size| Some(all.saturating_add(size?)));
        if self.records == Records::Notable && all.is_some_and(|all| all <= SMALL) {
            self.records = Records::Related;
        }
    }
}

/// Bytes up to which a capture's healthy connections are read as closely as the others: it takes no time that anybody
/// notices.
#[cfg(feature = "cli")]
const SMALL: u64 = 4 << 20;

/// The TIME-WAIT that is assumed where nothing else is stated: Linux' (`TCP_TIMEWAIT_LEN`).
const TIME_WAIT: Duration = Duration::from_secs(60);

/// Why there is no analysis. Each message names the input and a way out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// An input cannot be read at all. Damage inside a capture is no error: it is reported, and reading goes on.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// An input does not exist or its metadata cannot be read.
    #[error("{}", path.display())]
    Input {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A key log cannot be read.
    #[error("{}: the key log cannot be read", path.display())]
    KeyLog {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A key log has not a single line of the format.
    #[error(
        "{}: is no key log: there is not a line `LABEL CLIENT-RANDOM SECRET` in it; programs write one where \
         the variable SSLKEYLOGFILE names it",
        path.display()
    )]
    NoKeyLog {
        /// Its path.
        path: PathBuf,
    },
    /// A key log is given, and this build cannot decrypt.
    #[error(
        "this build cannot decrypt (feature \"decrypt\"); leave out --keylog to see TLS from outside, or build with it: \
         cargo build --release --features decrypt"
    )]
    CannotDecrypt,
    /// A log cannot be read.
    #[error("{}: the log cannot be read", path.display())]
    Log {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// None of a log's first lines has a time.
    #[error(
        "{}: none of its first lines has a time that is known; the first begins {first:?}; access and error logs, JSON \
         lines and lines with a time stamp are read; for one line without a time: hangup explain 'LINE'",
        path.display()
    )]
    NotALog {
        /// Its path.
        path: PathBuf,
        /// The beginning of the first line.
        first: String,
    },
    /// An ignore list cannot be read.
    #[error("{}: the list cannot be read", path.display())]
    IgnoreFile {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// An ignore list has a line that means nothing.
    #[error("{}", path.display())]
    IgnoreLine {
        /// Its path.
        path: PathBuf,
        /// The line, and what is wrong with it.
        source: IgnoreLineError,
    },
    /// A rule is named that does not exist. To go on would hide what it was meant to show.
    #[error("no rule is called {0:?};{meant} `hangup rules` lists them", meant = meant(.0))]
    UnknownRule(String),
    /// The text of [`AnalysisOptions::error`] is not known and names no time, address or port.
    #[error(
        "{0:?} is no known error text or code and names no time, address or port; give more of the log line, or \
         try `hangup explain`"
    )]
    UnknownError(String),
}

/// The rules that a name probably means, as a clause of a message.
fn meant(name: &str) -> String {
    match &crate::rules::meant(name)[..] {
        [] => String::new(),
        [rest @ .., last] if !rest.is_empty() => {
            format!(" did you mean {} or {last}?", rest.join(", "))
        }
        [.., last] => format!(" did you mean {last}?"),
    }
}
