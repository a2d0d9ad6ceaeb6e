//! Prints a filter as text that parses back to the same filter.

use super::expr::FilterExpr;
use super::expr::FilterTest;
use super::expr::HowTest;
use super::expr::Measure;
use super::expr::RequestPart;
use super::expr::SeverityTest;
use std::fmt;

use super::Filter;
use super::lex::{is_bare, is_bare_value};
use crate::analysis::connection::Who;
use crate::ladder::RecordedFact;

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            None => Ok(()),
            Some(expr) => expr.fmt(f),
        }
    }
}

impl fmt::Display for FilterExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut join = |parts: &[Self], between: &str, bracket: fn(&Self) -> bool| {
            for (nth, part) in parts.iter().enumerate() {
                if nth > 0 {
                    f.write_str(between)?;
                }
                match bracket(part) {
                    true => write!(f, "({part})")?,
                    false => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(parts) => join(parts, " ", |part| matches!(part, Self::Any(_))),
            Self::Any(parts) => join(parts, " or ", |_| false),
            Self::Not(part) => match **part {
                Self::All(_) | Self::Any(_) => write!(f, "-({part})"),
                _ => write!(f, "-{part}"),
            },
            Self::Test(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for FilterTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(by) => write!(f, "by:{}", by.word()),
            Self::How(means) => write!(f, "how:{}", means.word()),
            Self::Phase(phase) => write!(f, "phase:{}", phase.name()),
            Self::Opening(opening) => write!(f, "opening:{}", opening.word()),
            Self::Protocol(protocol) => write!(f, "protocol:{}", protocol.word()),
            Self::Orderly(orderly) => write!(f, "orderly:{}", orderly.word()),
            Self::Certainty(certainty) => write!(f, "certainty:{}", certainty.name()),
            Self::State(None, state) => write!(f, "state:{}", state.name()),
            Self::State(Some(who), state) => write!(f, "{}-state:{}", who.word(), state.name()),
            Self::Place(who, place) => write!(f, "{}:{place}", side(*who)),
            Self::Outcome(outcome) => write!(f, "outcome:{}", outcome.name()),
            Self::Came(name) => write!(f, "outcome:{name}"),
            Self::Reason(name) => write!(f, "reason:{name}"),
            Self::Amount(measure, bound) => {
                write!(f, "{}:", measure.key())?;
                bound.write(measure.unit(), f)
            }
            Self::Rule(name) => {
                f.write_str("rule:")?;
                write_text(name, is_bare_value(name), f)
            }
            Self::Severity(SeverityTest::Is(severity)) => write!(f, "severity:{}", severity.name()),
            Self::Severity(SeverityTest::AtLeast(severity)) => {
                write!(f, "severity:>={}", severity.name())
            }
            Self::Unnamed => f.write_str("severity:none"),
            Self::Error(text) => {
                f.write_str("error:")?;
                write_text(text, is_bare_value(text), f)
            }
            Self::Said(part, text) => {
                write!(f, "{}:", part.key())?;
                write_text(text, is_bare_value(text), f)
            }
            Self::Text(text) => write_text(text, is_bare(text), f),
        }
    }
}

fn write_text(text: &str, bare: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if bare {
        return f.write_str(text);
    }
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

const fn side(who: Option<Who>) -> &'static str {
    match who {
        None => "address",
        Some(Who::Client) => "client",
        Some(Who::Server) => "server",
    }
}

impl HowTest {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
            Self::Kind(kind) => kind.word(),
            Self::Silence => "silence",
            Self::Open => "open",
        }
    }
}

impl Measure {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Frame => "frame",
            Self::Finding => "finding",
            Self::Port => "port",
            Self::Status => "status",
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Retransmitted => "retransmitted",
            Self::Took => "took",
            Self::Handshake => "handshake",
            Self::Waited => "waited",
            Self::Idle => "idle",
        }
    }
}

impl RequestPart {
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Target => "path",
            Self::Method => "method",
            Self::Agent => "agent",
        }
    }
}
