//! The log lines that the programs at both ends of a connection are expected to write.
//!
//! In: one settled [`Connection`]. Out: for each side, the texts that its program prints, or those of the usual
//! suspects if no header names the program. `client` and `server` derive the wire events that each side's application
//! met, in order; `certificate` does so for a refused certificate, `h2` for HTTP/2 streams, `http_faults` for malformed messages, `dialogue` for protocols other than
//! HTTP, whose programs' texts are never mixed with those of HTTP's. `specimen` has the bytes of a malformed response read
//! as the parsers of clients read them. `program` identifies the
//! program, `socket` gives the errors of its system calls, `placeholders` fills in the variable parts, and `search`,
//! `own_words` and `locate` go the other way, from a log line to its connection. The texts themselves are
//! [`knowledge`](crate::knowledge).
//!
//! Only what one side *met* counts, which may differ from what happened: a server that closes in order causes an error
//! for a client that was just writing. A connection on which nothing was outstanding has no events. Left out, because
//! the record does not hold them: the contents of bodies, except whether they are in their content coding.

mod certificate;
mod client;
mod dialogue;
mod ending;
mod foretold;
mod h2;
mod http_faults;
mod locate;
mod own_words;
mod placeholders;
mod program;
mod relay;
mod search;
mod server;
mod socket;
mod specimen;

#[cfg(test)]
mod tests;

pub(in crate::rules) use http_faults::unregistered;
pub use locate::{ClockReading, LocatedConnections};
pub use placeholders::filled;
pub(in crate::rules) use program::certificate_alert;
pub use program::client_without_texts;
pub use relay::Relays;
pub use search::{ErrorSearch, SearchBasis, SearchResult};

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::analysis::connection::{Connection, ConnectionOutcome, Opening, UnknownReason, Who};
use crate::base::flow_end::FlowEnd;
use crate::knowledge::{
    HeadShape, KnownProgram, LogSide, NamedBy, Prediction, Readings, Refusal, WireEvent, texts_of,
};
use crate::protocol::tls::TlsFacts;
use program::Program;
use relay::Opener;

pub use socket::{SocketOutcome, is_not_windows, socket, system};

/// A log line that one program is expected to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedText {
    /// The program.
    pub stack: &'static str,
    /// Other programs with the same text; only for suspects.
    pub also: Vec<&'static str>,
    /// The exception type, or the kind of log.
    pub kind: Option<&'static str>,
    /// The text, variable parts as `…`; `None` where the program does not report the fault.
    pub text: Option<&'static str>,
    /// What names the program; `None` for a suspect.
    pub identified_by: Option<NamedBy>,
    /// A further remark; always present when there is no text.
    pub note: Option<&'static str>,
    /// The requests name the program, but a proxy handed them on: the text is right if it opened the connection itself.
    pub handed_on: bool,
}

/// Upper bound of cached results: a capture repeats a few queries hundreds of thousands of times, but versions come
/// from packets and may differ in each.
const MAX_KEPT: usize = 1024;

/// Upper bound of suspects where no header names the program.
const SUSPECTS: usize = 8;

/// A query to the tables, and the key of the cache.
#[derive(PartialEq, Eq, Hash)]
struct TextQuery {
    stories: Vec<Vec<WireEvent>>,
    /// What the parsers of clients make of a malformed response.
    readings: Option<Readings>,
    side: LogSide,
    program: Program,
    handed_on: bool,
    /// How the client ended the TLS handshake, if that can be read.
    refusal: Option<Refusal>,
    /// It was still waiting when the capture ended: what reports nothing so far may do so later.
    waits: bool,
}

/// Predicts log lines, and caches the results.
#[derive(Default)]
pub struct Predictor {
    kept: HashMap<TextQuery, Rc<[PredictedText]>, foldhash::fast::FixedState>,
    relays: Arc<Relays>,
}

impl Predictor {
    /// A predictor that knows which connections proxies opened.
    #[must_use]
    pub fn with(relays: impl Into<Arc<Relays>>) -> Self {
        Self {
            kept: HashMap::default(),
            relays: relays.into(),
        }
    }

    /// The log lines expected from the program on this side, likeliest first; empty if it met no event.
    pub fn told(&mut self, connection: &Connection, who: Who) -> Rc<[PredictedText]> {
        self.told_of(stories(connection, who), connection, who)
    }

    /// The same, where what this side met is known already.
    fn told_of(
        &mut self,
        mut stories: Vec<Vec<WireEvent>>,
        connection: &Connection,
        who: Who,
    ) -> Rc<[PredictedText]> {
        let opener = match who {
            Who::Client => self.relays.opener(connection),
            Who::Server => Opener::Client,
        };
        if matches!(opener, Opener::Silent) {
            return Rc::default();
        }
        let readings = match who {
            Who::Client => specimen::readings(connection),
            Who::Server => None,
        };
        // Its bytes alone show what each parser makes of it.
        if stories.is_empty() && readings.is_some() {
            stories = vec![vec![WireEvent::Malformed]];
        }
        if stories.is_empty() && matches!(opener, Opener::Proxy(Some(_))) {
            stories = relay::opaque(connection);
        }
        // A program that retries silently is seen to do so.
        if who == Who::Client && self.relays.is_unretried(connection) {
            for story in &mut stories {
                let own = story.drain(..).flat_map(WireEvent::without_a_retry);
                *story = own.collect();
            }
        }
        // A proxy that answers 504 went on waiting, whatever else it met.
        if who == Who::Client
            && matches!(opener, Opener::Proxy(Some(_)))
            && matches!(connection.opening, Opening::Handshake | Opening::Midstream)
            && self.relays.timed_out(connection)
        {
            stories = vec![vec![WireEvent::ServerSilent]];
        }
        if who == Who::Server
            && let Some(responds) = self.relays.forwarded(connection)
        {
            for event in stories.iter_mut().flatten() {
                *event = event.behind_a_proxy(responds);
            }
        }
        // What it met behind it is told where that is captured.
        if who == Who::Server && self.relays.serves(connection) {
            stories
                .iter_mut()
                .for_each(|it| it.retain(|event| !event.is_of_gateway()));
            stories.retain(|it| !it.is_empty());
        }
        let data = self.relays.data_connection(connection);
        if data.is_some() && stories.is_empty() && who == Who::Client {
            stories.extend(dialogue::of_data(connection).map(|it| vec![it]));
        }
        if stories.is_empty() {
            return Rc::default();
        }
        let handed_on = matches!(opener, Opener::Proxy(None));
        let question = TextQuery {
            stories,
            readings,
            side: who.log_side(),
            program: match opener {
                // Where the server of FTP opens it, its texts are on the control connection.
                _ if data.is_some() => match (data, who) {
                    (Some(true), Who::Client) | (Some(false), Who::Server) => {
                        Program::Speaks("ftp")
                    }
                    _ => Program::Stranger,
                },
                Opener::Proxy(Some(product)) => Program::Known(product),
                Opener::Proxy(None) | Opener::Client | Opener::Silent => {
                    let own = Program::of(connection, who);
                    let shown = || {
                        let elsewhere = self.relays.at(connection.server);
                        elsewhere.or_else(|| relay::gateway(connection))
                    };
                    let proxy = (who == Who::Server && own.product().is_none())
                        .then(shown)
                        .flatten();
                    let nameless = matches!(own, Program::Unknown | Program::Nameless(_));
                    match proxy {
                        Some(proxy) => Program::Known(proxy),
                        None if nameless
                            && who == Who::Server
                            && self.relays.is_stranger(connection.server) =>
                        {
                            Program::Other
                        }
                        None => own,
                    }
                }
            },
            handed_on,
            refusal: match who {
                Who::Client => connection
                    .tls
                    .as_deref()
                    .and_then(|it| refusal(connection, it)),
                Who::Server => None,
            },
            waits: connection.outcome == ConnectionOutcome::Unknown(UnknownReason::CutOff),
        };
        if let Some(told) = self.kept.get(&question) {
            return Rc::clone(told);
        }
        let mut told = question.answer();
        if question.waits && told.iter().any(|it| it.text.is_none()) {
            told = told
                .iter()
                .filter(|it| it.text.is_some())
                .cloned()
                .collect();
        }
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        self.kept.insert(question, Rc::clone(&told));
        told
    }
}

impl TextQuery {
    fn answer(&self) -> Rc<[PredictedText]> {
        let by = self.program.named_by();
        let own = self
            .stories
            .iter()
            .flatten()
            .all(|it| server::is_own_failure(*it));
        // The capture does not show why a program failed by itself; only the text of a known program is meaningful.
        if own && by.is_none() {
            return Rc::default();
        }
        // Whether a status is an error, or a valid head too long, is for the program to say: one that is not known by
        // its request is not guessed.
        let may_be_fine = |it: &WireEvent| {
            matches!(
                it,
                WireEvent::StatusError
                    | WireEvent::StatusUnauthorized
                    | WireEvent::StatusNotModified
                    | WireEvent::StatusProxyAuthentication
                    | WireEvent::StatusServerError
                    | WireEvent::TooManyFields
                    | WireEvent::HeaderOver8K
                    | WireEvent::HeaderOver16K
            )
        };
        let fine = |it: &Vec<WireEvent>| it.iter().all(may_be_fine);
        // Few programs notice that coded data lack their end.
        let unnoticed = |it: &WireEvent| *it == WireEvent::ContentEncodingCut;
        if matches!(self.program, Program::Unknown | Program::Other)
            && self.stories.iter().all(fine)
            || by.is_none() && self.stories.iter().flatten().all(unnoticed)
        {
            return Rc::default();
        }
        // Most programs look at an idle connection before they use it again.
        let resets = [WireEvent::IdleRst, WireEvent::TlsIdleRst];
        let idle = |it: &Vec<WireEvent>| it.iter().all(|it| resets.contains(it));
        let blind = matches!(
            self.program,
            Program::Known(_) | Program::Nameless(Some(HeadShape::Identity))
        );
        if !blind && self.stories.iter().all(idle) {
            return Rc::default();
        }
        let stories = self.stories.iter();
        let mut each: Vec<_> = stories
            .map(|events| self.texts(events).into_iter())
            .collect();
        let most = if by.is_some() { usize::MAX } else { SUSPECTS };
        let mut told: Vec<PredictedText> = Vec::new();
        // Round robin: the sequences are about equally likely.
        let mut all: Vec<PredictedText> = Vec::new();
        loop {
            let turn: Vec<_> = each.iter_mut().filter_map(Iterator::next).collect();
            if turn.is_empty() {
                break;
            }
            for prediction in turn {
                let one = PredictedText::new(prediction, by);
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        // A refused certificate may have many faults: each suspect has its likeliest text before one has another.
        if by.is_none() && self.refusal.is_some() {
            let before = |at: usize| {
                let own = all.get(at).map(|it| it.stack);
                let earlier = all.iter().take(at);
                earlier.filter(|it| Some(it.stack) == own).count()
            };
            let mut order: Vec<usize> = (0..all.len()).collect();
            order.sort_by_key(|at| before(*at));
            all = order
                .into_iter()
                .filter_map(|at| all.get(at).cloned())
                .collect();
        }
        all.truncate(most);
        told.append(&mut all);
        told.extend(self.inside().map(|it| PredictedText::new(it, None)));
        if self.handed_on {
            for one in told.iter_mut().filter(|it| it.identified_by.is_some()) {
                one.identified_by = None;
                one.handed_on = true;
            }
            // That one program would not report it says nothing of the one that opened the connection.
            told.retain(|it| it.text.is_some());
        }
        told.into()
    }

    fn texts(&self, events: &[WireEvent]) -> Vec<Prediction> {
        let program = self.program.program();
        texts_of(
            events,
            self.readings.as_ref(),
            self.side,
            program,
            self.refusal,
        )
    }

    /// The text of the framework inside a named server, which has a log in addition to the server's.
    fn inside(&self) -> Option<Prediction> {
        let framework = self
            .program
            .inside()
            .filter(|_| self.side == LogSide::Server)?;
        let mut stories = self.stories.iter();
        let texts = |events: &Vec<WireEvent>| {
            let told = texts_of(
                events,
                None,
                self.side,
                KnownProgram::Known(&framework),
                None,
            );
            told.into_iter().find(|it| it.text.is_some())
        };
        stories.find_map(texts)
    }
}

/// How the TLS client ended the handshake, if it is the client of the connection: by an alert that can be read, or surely by
/// none.
fn refusal(connection: &Connection, facts: &TlsFacts) -> Option<Refusal> {
    if facts.caller != FlowEnd::A {
        return None;
    }
    let own = facts.flows[FlowEnd::A.index()];
    match facts.fatal() {
        Some(alert) if alert.from == FlowEnd::A => alert.code().map(Refusal::Alert),
        _ if own.hidden_alert.is_some() || connection.sent[Who::Client as usize].missing > 0 => {
            None
        }
        _ => Some(Refusal::Silent {
            finished: own.finished.is_some(),
        }),
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
            handed_on: false,
        }
    }
}

/// The sequences of events that the application on this side may have met, likeliest first, each in order; empty if
/// there are none. There are several only where the record does not decide between them.
#[must_use]
pub fn stories(connection: &Connection, who: Who) -> Vec<Vec<WireEvent>> {
    match who {
        Who::Client => client::stories(connection),
        Who::Server => server::stories(connection),
    }
}
