//! Who hung up, and why: the end of every TCP connection in a packet capture, explained.
//!
//! # Captures in, verdicts and findings out
//!
//! [`Analysis`] reads pcap and pcapng files, follows every TCP connection in them by RFC 9293, reads the HTTP, TLS and
//! WebSocket spoken on it, and says for each who closed it, how, and when ([`Teardown`]); and what is wrong, why, and what to
//! change ([`Finding`]).
//!
//! ```
//! use hangup::{Analysis, By, How, Phase};
//!
//! let analysis = Analysis::of_files(["captures/reset-before-response.pcap"])?;
//! let connection = &analysis.connections()[0];
//! assert_eq!(connection.teardown.by, By::Server);
//! assert_eq!(connection.teardown.phase, Phase::Waiting);
//! assert!(matches!(connection.teardown.how, How::Reset(_)));
//! assert_eq!(connection.teardown.to_string(), "server: RST (abort), waiting, certain (frame 6)");
//!
//! let finding = &analysis.findings()[0];
//! assert_eq!(finding.rule, "reset-before-response");
//! // Of both connections, the one whose request must not be sent again is shown.
//! assert_eq!(finding.evidence.last().map(|it| it.frame_ref.frame.0), Some(12));
//! # Ok::<(), hangup::AnalysisError>(())
//! ```
//!
//! # With options
//!
//! ```
//! use hangup::{Analysis, AnalysisOptions, Severity};
//!
//! let mut options = AnalysisOptions::default();
//! options.min_severity = Some(Severity::Warning);
//! options.key_logs = vec!["captures/tls-reset-mid-body.keylog".into()];
//! let analysis = Analysis::with_options(["captures/tls-reset-mid-body.pcapng"], &options)?;
//! let connection = &analysis.connections()[0];
//! assert_eq!(connection.exchanges.len(), 1, "decrypted");
//! # Ok::<(), hangup::AnalysisError>(())
//! ```
//!
//! # Reports
//!
//! ```
//! use hangup::{Analysis, Format, ReportOptions};
//!
//! let analysis = Analysis::of_files(["captures/response-cut-short.pcap"])?;
//! let mut json = Vec::new();
//! analysis.write_report(Format::Json, &ReportOptions::default(), &mut json)?;
//! assert!(json.starts_with(b"{"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # While it goes on
//!
//! [`Session`] analyses what grows: files, pipes, interfaces. It publishes a [`Snapshot`] several times a second, which readers
//! hold as long as they like.
//!
//! ```
//! use hangup::{AnalysisOptions, Session};
//!
//! let session = Session::of_files(["captures/keep-alive-race.pcapng"], &AnalysisOptions::default())?;
//! let watch = session.watch();
//! session.wait();
//! assert_eq!(watch.snapshot().findings[0].rule, "keep-alive-race");
//! # Ok::<(), hangup::AnalysisError>(())
//! ```
//!
//! # What the claims rest on
//!
//! Nothing is claimed that the capture does not show: each verdict and each finding has a [`Certainty`], and each finding
//! names the frames that show it. Damaged or cut input is no error; what was skipped, lost or beyond a limit is counted in the
//! [`CaptureSummary`].
//!
//! # Features
//!
//! | feature | what it brings | by default |
//! |---|---|---|
//! | `cli` | the command-line program | yes |
//! | `ui` | the terminal's screens | yes |
//! | `live` | libpcap, opened when it is needed: capturing on interfaces, and filters | yes |
//! | `sandbox` | on Linux, the command line gives up what it does not need | yes |
//! | `decrypt` | decrypting TLS with key logs, and parsing certificates | yes |
//! | `compressed` | captures compressed with zstd or LZ4; gzip always can be read | yes |
//!
//! The modules that are not listed here are the rooms of the program itself (`docs/architecture.md`); they may change with any
//! version.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "cli", feature = "live", feature = "ui")),
    allow(
        dead_code,
        unused_imports,
        reason = "some rooms have what only the program needs; the whole build finds what nobody does"
    )
)]

#[doc(hidden)]
pub mod analysis;
#[cfg(feature = "anonymise")]
pub mod anonymise;
#[doc(hidden)]
pub mod app;
#[doc(hidden)]
pub mod base;
#[doc(hidden)]
pub mod knowledge;
#[doc(hidden)]
pub mod ladder;
#[doc(hidden)]
pub mod logs;
#[doc(hidden)]
pub mod packet;
#[doc(hidden)]
pub mod protocol;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod rules;
#[cfg(feature = "ui")]
#[doc(hidden)]
pub mod tui;

pub use analysis::connection::{
    By, Connection, ConnectionOutcome, ConnectionSummary, FailedReason, FineReason, How, Opening,
    Roles, SentTotals, Teardown, Turns, UnknownReason, Who,
};
pub use app::analysis::Analysis;
pub use app::options::{AnalysisError, AnalysisOptions, IgnoreFile, Records};
pub use app::session::Session;
pub use base::certainty::Certainty;
pub use base::frame_ref::{FrameNumber, FrameRef};
pub use base::net::Endpoint;
pub use base::time::Timestamp;
pub use packet::capture::CaptureError;
#[cfg(feature = "live")]
pub use packet::capture::LiveOptions;
pub use protocol::http::{Exchange, Outcome, Phase, Protocol, Request, Response};
pub use protocol::tcp::{CloseEvent, ResetKind, Standing, State};
pub use report::snapshot::{
    AnalysisControl, CaptureSummary, ReadProgress, ReadStage, Snapshot, SnapshotWatch,
};
pub use report::{Format, ReportOptions, Shown, Zone};
pub use rules::{Evidence, Finding, Severity};
