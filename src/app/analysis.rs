//! The front door: from capture files to connections with their verdicts, and findings.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::judge::{self, ReportSelection};
use super::key_logs::Presence;
use super::limits;
use super::logs;
use super::options::{AnalysisError, AnalysisOptions};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::engine;
use crate::packet::capture::{self, FileSummary, OpenOptions};
use crate::packet::places;
use crate::protocol::tls::secrets::KeyStore;
use crate::report::snapshot::{CaptureSummary, Snapshot};
use crate::report::{self, Format, ReportOptions};
use crate::rules::{Finding, Severity};

/// What captures hold: their connections, each with the verdict on its end, and what is wrong with them.
///
/// ```
/// let analysis = hangup::Analysis::of_files(["captures/keep-alive-race.pcapng"])?;
/// for connection in analysis.connections() {
///     println!("{} → {}: {}", connection.client, connection.server, connection.teardown);
///     println!("    {}", connection.outcome);
/// }
/// for finding in analysis.findings() {
///     println!("{}: {}", finding.severity.name(), finding.message);
/// }
/// # assert!(!analysis.findings().is_empty());
/// # Ok::<(), hangup::AnalysisError>(())
/// ```
#[derive(Debug)]
pub struct Analysis {
    pub(super) snapshot: Snapshot,
    pub(super) worst: Option<Severity>,
    /// The secrets that it was read with.
    pub(super) keys: KeyStore,
}

impl Analysis {
    /// Reads and analyses captures: pcap and pcapng, compressed or not, `-` for standard input. Several are one
    /// timeline, or places that show the same connections.
    ///
    /// # Errors
    /// If one of them cannot be read at all. A file that is cut short or damaged is analysed as far as it goes, which
    /// [`Analysis::summary`] says.
    pub fn of_files<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, AnalysisError> {
        Self::with_options(paths, &AnalysisOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Analysis::of_files`], and if an option names a rule, a file or an error that does not exist.
    pub fn with_options<P: Into<PathBuf>>(
        paths: impl IntoIterator<Item = P>,
        options: &AnalysisOptions,
    ) -> Result<Self, AnalysisError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(Into::into).collect();
        let open = OpenOptions::with_filter(options.filter.clone())?;
        Self::read(&paths, &open, options, &mut |_| {})
    }

    /// The same, of what `open` selects; `progress` is called now and then with the number of frames read so far.
    pub(super) fn read(
        paths: &[impl AsRef<Path>],
        open: &OpenOptions,
        options: &AnalysisOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, AnalysisError> {
        Self::described(paths, open, options, progress).map(|(analysis, _)| analysis)
    }

    /// The same, and what the captures say of themselves.
    pub(super) fn described(
        paths: &[impl AsRef<Path>],
        open: &OpenOptions,
        options: &AnalysisOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Self, Vec<FileSummary>), AnalysisError> {
        let selection = ReportSelection::of(options, Presence::Required)?;
        let source = places::open(paths, open)?;
        let (mut source, is_small) = capture::begun(selection.keyed(source, false))?;
        let settings = selection.settings();
        let threads = match options.threads {
            None if is_small => 1,
            _ => selection.threads(),
        };
        let output = engine::analyse(&mut *source, &settings, threads, progress)?;
        let mut analysis = judge::judge(output, source.files(), source.lost(), &selection, 0);
        let snapshot = &mut analysis.snapshot;
        snapshot.logs = logs::compare(&options.logs, snapshot)?;
        let beyond = snapshot.logs.iter().map(|it| it.counts.beyond).sum();
        snapshot.summary.limits.extend(limits::log_lines(beyond));
        Ok((analysis, source.files().to_vec()))
    }

    /// The records that were kept ([`AnalysisOptions::records`]), in order of first frame.
    #[must_use]
    pub fn connections(&self) -> &[Arc<Connection>] {
        &self.snapshot.connections
    }

    /// A summary of every connection, in order of first frame.
    #[must_use]
    pub fn summaries(&self) -> &[ConnectionSummary] {
        &self.snapshot.summaries
    }

    /// What is wrong, worst first. Connections are named by their `id`.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.snapshot.findings
    }

    /// The connection with this `id`, if its record was kept.
    #[must_use]
    pub fn connection(&self, id: u32) -> Option<&Connection> {
        self.snapshot.connection(id)
    }

    /// What was read: files, frames, what was skipped, lost or beyond a limit.
    #[must_use]
    pub const fn summary(&self) -> &CaptureSummary {
        &self.snapshot.summary
    }

    /// How severe the worst finding is, those below [`AnalysisOptions::min_severity`] included.
    #[must_use]
    pub const fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// Writes a report, as `hangup report` does, but for the ladders of typical cases.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write_report(
        &self,
        format: Format,
        options: &ReportOptions,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        report::write(&self.snapshot, format, options, out)
    }
}
