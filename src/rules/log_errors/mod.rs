//! Floor 10½: what the programs at both ends of a connection will have in their logs.
//!
//! What comes in is one settled [`Connection`]; what goes out is, for each side, the texts that its program prints,
//! or the usual suspects' where no header names the program. `client` and `server` derive the wire events that each side's
//! application met, in their order; `h2` what streams were to the client; `grammar` what a broken message is to its reader;
//! `voice` who speaks; `socket` what the system tells the program. The texts
//! themselves are [`knowledge`](crate::knowledge).
//!
//! Only what one side *met* counts, which may differ from what happened: a server that closes in order is an error to a
//! client that was just writing. A connection on which nothing was owed has no events. Left out, because the record does
//! not hold it: alerts and certificates of TLS, contents of bodies.

mod client;
mod h2;
mod http_faults;
mod locate;
mod placeholders;
mod program;
mod search;
mod server;
mod socket;

#[cfg(test)]
mod tests;

pub use locate::{ClockReading, LocatedConnections};
pub use placeholders::filled;
pub use search::{ErrorSearch, SearchBasis, SearchResult};

use std::collections::HashMap;
use std::rc::Rc;

use crate::analysis::connection::{Connection, Who};
use crate::knowledge::{KnownProgram, LogSide, NamedBy, Prediction, WireEvent, texts_of};
use program::Program;

pub use socket::{SocketOutcome, socket, system};

/// What one program will have in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedText {
    /// The program.
    pub stack: &'static str,
    /// Others that say the same; only of suspects.
    pub also: Vec<&'static str>,
    /// The type of the exception, or the kind of log.
    pub kind: Option<&'static str>,
    /// The text, variable parts as `…`; `None` where the program keeps the fault to itself.
    pub text: Option<&'static str>,
    /// The header that names the program; `None` of a suspect.
    pub identified_by: Option<NamedBy>,
    /// What else is to say, always there when there is no text.
    pub note: Option<&'static str>,
}

/// Answers kept: a capture asks the same few questions hundreds of thousands of times, but versions come from packets
/// and may differ in each.
const MAX_KEPT: usize = 1024;

/// Suspects to name where no header says who speaks.
const SUSPECTS: usize = 8;

/// What is asked of the tables.
#[derive(PartialEq, Eq, Hash)]
struct TextQuery {
    stories: Vec<Vec<WireEvent>>,
    side: LogSide,
    voice: Program,
}

/// Predicts, and remembers what it predicted.
#[derive(Default)]
pub struct Predictor {
    kept: HashMap<TextQuery, Rc<[PredictedText]>>,
}

impl Predictor {
    /// What the program at this side of the connection will have in its log, likeliest first; empty if nothing befell it.
    pub fn told(&mut self, connection: &Connection, who: Who) -> Rc<[PredictedText]> {
        let stories = stories(connection, who);
        if stories.is_empty() {
            return Rc::default();
        }
        let question = TextQuery {
            stories,
            side: who.log_side(),
            voice: Program::of(connection, who),
        };
        if let Some(told) = self.kept.get(&question) {
            return Rc::clone(told);
        }
        let told = question.answer();
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        self.kept.insert(question, Rc::clone(&told));
        told
    }
}

impl TextQuery {
    fn answer(&self) -> Rc<[PredictedText]> {
        let by = self.voice.named_by();
        let own = self
            .stories
            .iter()
            .flatten()
            .all(|it| server::is_own_failure(*it));
        // Why a program failed by itself the wire does not show; only its own words are worth telling.
        if own && by.is_none() {
            return Rc::default();
        }
        let stories = self.stories.iter();
        let mut each: Vec<_> = stories
            .map(|events| texts_of(events, self.side, self.voice.dissector()).into_iter())
            .collect();
        let most = if by.is_some() { usize::MAX } else { SUSPECTS };
        let mut told: Vec<PredictedText> = Vec::new();
        // In turns, as one story is nearly as likely as the next.
        loop {
            let turn: Vec<_> = each.iter_mut().filter_map(Iterator::next).collect();
            if turn.is_empty() || told.len() >= most {
                break;
            }
            for prediction in turn {
                let one = PredictedText::new(prediction, by);
                if told.len() < most && !told.contains(&one) {
                    told.push(one);
                }
            }
        }
        told.extend(self.inside().map(|it| PredictedText::new(it, None)));
        told.into()
    }

    /// What the framework inside a named server writes, beside the server's own log.
    fn inside(&self) -> Option<Prediction> {
        let framework = self
            .voice
            .inside()
            .filter(|_| self.side == LogSide::Server)?;
        let mut stories = self.stories.iter();
        let texts = |events: &Vec<WireEvent>| {
            let told = texts_of(events, self.side, KnownProgram::Known(&framework));
            told.into_iter().find(|it| it.text.is_some())
        };
        stories.find_map(texts)
    }
}

impl PredictedText {
    fn new(prediction: Prediction, by: Option<NamedBy>) -> Self {
        let also = prediction.also.iter();
        Self {
            stack: prediction.product.name,
            also: also.map(|it| it.name).collect(),
            kind: prediction.kind,
            text: prediction.text,
            identified_by: by,
            note: prediction.note,
        }
    }
}

/// What the application at this side may have met, likeliest first, each story in its order; empty if nothing befell it.
/// There are several only where the record does not tell which.
#[must_use]
pub fn stories(connection: &Connection, who: Who) -> Vec<Vec<WireEvent>> {
    match who {
        Who::Client => client::stories(connection),
        Who::Server => server::stories(connection),
    }
}
