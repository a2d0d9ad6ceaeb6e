//! From a capture, real or drawn, to its whole diagnosis, in the words of the program's reports.

use std::fmt::Write as _;
use std::path::Path;

use hangup::analysis::connection::{Connection, Who};
use hangup::analysis::hosts::Sockets;
use hangup::ladder::{frames, parse, to_pcap};
use hangup::packet::capture::{OpenOptions, open};
use hangup::report::Format;
use hangup::rules::log_errors::{PredictedText, Predictor};
use hangup::rules::{Finding, Severity};

use crate::reading::{self, Reading};

/// The `User-Agent` of .NET Framework's SOAP proxies, with the version of its runtime.
pub const DOTNET: &str = r#"user-agent="Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.8762)""#;
/// The same for the first generation, whose error texts differ.
pub const DOTNET_1: &str = r#"user-agent="Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 1.1.4322.573)""#;

/// One analysed capture.
pub struct Story {
    pub reading: Reading,
}

impl Story {
    /// Analyses a capture under `captures/`.
    pub fn captured(name: &str) -> Self {
        Self::told(name, None)
    }

    /// The same, with a known range of client ports.
    pub fn told(name: &str, range: Option<(u16, u16)>) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("captures")
            .join(name);
        let source = open(&[path], &OpenOptions::default()).expect("a capture");
        let reading = reading::analyse_told(source, 1, range);
        reading.check();
        Self { reading }
    }

    /// Analyses the frames of a ladder, written to a capture file.
    pub fn drawn(ladder: &str) -> Self {
        let ladder = parse(ladder).unwrap_or_else(|error| panic!("{error:?} in\n{ladder}"));
        let file = to_pcap(&frames(&ladder));
        let reading = reading::read(&file, 1).expect("a capture");
        Self { reading }
    }

    /// The only finding of this rule. Panics with the rules that did find something.
    #[track_caller]
    pub fn finding(&self, rule: &str) -> &Finding {
        let mut own = self
            .reading
            .snapshot
            .findings
            .iter()
            .filter(|it| it.rule == rule);
        match (own.next(), own.next()) {
            (Some(only), None) => only,
            (first, _) => panic!("{rule}: {}, among {:?}", first.is_some(), self.rules()),
        }
    }

    /// Checks that the finding's message and remedies contain each of these parts.
    #[track_caller]
    pub fn says(&self, rule: &str, severity: Severity, message: &[&str], remedy: &[&str]) {
        let finding = self.finding(rule);
        assert_eq!(finding.severity, severity, "{}", finding.message);
        for part in message {
            assert!(
                finding.message.contains(part),
                "{part:?} is not in {:?}",
                finding.message
            );
        }
        let remedies = finding.remedies.join(" ");
        for part in remedy {
            assert!(remedies.contains(part), "{part:?} is not in {remedies:?}");
        }
    }

    /// The rules with a finding above a note, sorted and deduplicated.
    pub fn loud(&self) -> Vec<&'static str> {
        self.rules_from(Severity::Warning)
    }

    /// All rules with a finding, sorted and deduplicated.
    pub fn rules(&self) -> Vec<&'static str> {
        self.rules_from(Severity::Benign)
    }

    fn rules_from(&self, least: Severity) -> Vec<&'static str> {
        let findings = self.reading.snapshot.findings.iter();
        let mut names: Vec<_> = findings
            .filter(|it| it.severity >= least)
            .map(|it| it.rule)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A connection by its number.
    #[track_caller]
    pub fn connection(&self, number: usize) -> &Connection {
        &self.reading.snapshot.connections[number - 1]
    }

    /// The log lines predicted for the program at this side of a connection.
    #[track_caller]
    pub fn log(&self, number: usize, who: Who) -> Vec<PredictedText> {
        Predictor::default()
            .told(self.connection(number), who)
            .to_vec()
    }

    /// The first predicted log line; `*` if a header identifies the program: `curl*: text`.
    #[track_caller]
    pub fn first_line(&self, number: usize, who: Who) -> String {
        let log = self.log(number, who);
        let first = log.first().expect("something is logged");
        let mut line = first.stack.to_owned();
        if first.identified_by.is_some() {
            line.push('*');
        }
        write!(line, ": {}", first.text.unwrap_or("-")).expect("a string takes everything");
        line
    }

    /// The socket row of the only client and the only server.
    #[track_caller]
    pub fn sockets(&self) -> &Sockets {
        let [row] = &self.reading.snapshot.sockets[..] else {
            panic!("{} rows", self.reading.snapshot.sockets.len())
        };
        row
    }

    /// The text report joined into one line, so that sentences can be searched for.
    pub fn report(&self) -> String {
        let text = self.reading.report(Format::Text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
