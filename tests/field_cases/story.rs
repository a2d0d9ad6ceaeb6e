//! From a capture, real or drawn, to its whole story: what the program says of it, in the words of its reports.

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

/// The client that .NET Framework's SOAP proxies say they are, with the version of its runtime.
pub const DOTNET: &str = r#"user-agent="Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.8762)""#;
/// The same of the first generation, whose texts differ.
pub const DOTNET_1: &str = r#"user-agent="Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 1.1.4322.573)""#;

/// One capture and all that is said of it.
pub struct Story {
    pub reading: Reading,
}

impl Story {
    /// Of a capture under `captures/`.
    pub fn captured(name: &str) -> Self {
        Self::told(name, None)
    }

    /// The same, and somebody knows the range of the client's ports.
    pub fn told(name: &str, range: Option<(u16, u16)>) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("captures")
            .join(name);
        let source = open(&[path], &OpenOptions::default()).expect("a capture");
        let reading = reading::analyse_told(source, 1, range);
        reading.check();
        Self { reading }
    }

    /// Of the frames that a ladder is drawn of, as the file that they would make.
    pub fn drawn(ladder: &str) -> Self {
        let ladder = parse(ladder).unwrap_or_else(|error| panic!("{error:?} in\n{ladder}"));
        let file = to_pcap(&frames(&ladder));
        let reading = reading::read(&file, 1).expect("a capture");
        Self { reading }
    }

    /// The finding of this rule; panics with what there is instead.
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

    /// The finding says each of this in its message, and in its remedies what to do.
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

    /// The rules that found something above a note, sorted, each once.
    pub fn loud(&self) -> Vec<&'static str> {
        self.rules_from(Severity::Warning)
    }

    /// All rules that found something, sorted, each once.
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

    /// What the program at this side of a connection will have in its log.
    #[track_caller]
    pub fn log(&self, number: usize, who: Who) -> Vec<PredictedText> {
        Predictor::default()
            .told(self.connection(number), who)
            .to_vec()
    }

    /// The first text of the log, and whether a header names the program: `curl*: text`.
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

    /// The sockets that the only client spends on the only server.
    #[track_caller]
    pub fn sockets(&self) -> &Sockets {
        let [row] = &self.reading.snapshot.sockets[..] else {
            panic!("{} rows", self.reading.snapshot.sockets.len())
        };
        row
    }

    /// The report that a user reads, on one line, so that a sentence can be looked for.
    pub fn report(&self) -> String {
        let text = self.reading.report(Format::Text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
