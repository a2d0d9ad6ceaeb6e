//! From an error text or a pasted log line to the connections whose story fits it.
//!
//! What comes in is the text, and later the capture's connections and findings; what goes out is [`SearchResult`]: the
//! numbers of the connections, and what that rests on. First the error: what may have happened on the wire is compared
//! with what each side of a connection met, and with the program that a header names. Then the line: addresses, ports
//! and times in it single out the very connection, in `place`.

use std::sync::Arc;

use super::locate::{LocatedConnections, locate};
use super::program::Program;
use super::stories;
use crate::analysis::connection::{By, Connection, ConnectionSummary, How, Phase, Who};
use crate::base::time::Timestamp;
use crate::knowledge::{
    Code, EventMatch, EventTrace, LogLineHints, LogSide, MatchReason, Product, Role, WireEvent,
    codes_in, hints_in, match_error,
};
use crate::rules::{Finding, Severity};

/// What scores this much less than the best is another error.
const NEAR: u8 = 35;

/// Connections whose exchanges cannot be read that are worth naming.
const HIDDEN: usize = 20;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct ErrorSearch {
    text: String,
    wanted: Vec<EventMatch>,
    codes: Vec<&'static Code>,
    hints: LogLineHints,
}

/// How well a connection's story fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StoryFit {
    /// Its end could be this, but what was under way cannot be read.
    Hidden,
    /// It met the same, but a header names a program that says something else.
    OtherProgram,
    /// It met this, and nothing speaks against the program.
    Story,
}

/// What the choice of connections rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchBasis {
    /// What one side met, and the program that a header names or leaves open.
    Story,
    /// What one side met; the headers name other programs than those that are known to say so.
    OtherProgram,
    /// How it ended; what was under way cannot be read, as under TLS.
    Ending,
    /// A finding: the error leaves no packet of its own, but what leads to it was found.
    Finding,
    /// Only the line's address, port or time: the error itself is not known.
    Line,
}

/// A report narrowed to what fits an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    /// The error as it was given.
    pub text: String,
    /// What it may be on the wire, likeliest first.
    pub wanted: Vec<WireEvent>,
    /// The rules that flag those, most telling first, and those that the codes name.
    pub rules: Vec<&'static str>,
    /// What the codes in it mean.
    pub codes: Vec<&'static Code>,
    /// The connections that fit, in order; empty if none does.
    pub fits: Vec<u32>,
    /// What that rests on.
    pub grounds: SearchBasis,
    /// How many fitted the error before the line's address, port and time were looked at.
    pub before: usize,
    /// What the line says about which connection, held against the capture.
    pub located: LocatedConnections,
    /// The connection that the line points to although its story does not fit, if there is one.
    pub pointed: Option<u32>,
}

impl ErrorSearch {
    /// What a text asks for; `None` if nothing is known of it and it names no time, address or port.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let hints = hints_in(text);
        let codes = codes_in(text);
        let mut wanted = match_error(text);
        // Where words are known, a code beside them (the errno in a sentence) says less than they do.
        let worded = |it: &EventMatch| !it.products.is_empty();
        if wanted.iter().any(worded) {
            wanted.retain(worded);
        }
        let best = wanted.iter().map(|it| it.score).max().unwrap_or(0);
        wanted.retain(|it| it.score.saturating_add(NEAR) >= best);
        if wanted.is_empty() && codes.is_empty() && hints.is_empty() {
            return None;
        }
        Some(Self {
            text: text.trim().to_owned(),
            wanted,
            codes,
            hints,
        })
    }

    /// Whether the record of a connection is worth keeping for this search.
    #[must_use]
    pub fn concerns(&self, connection: &Connection) -> bool {
        let named = || {
            let ends = [connection.client, connection.server];
            let port = self.hints.ports.contains(&connection.client.port);
            port || ends.iter().any(|it| self.hints.addresses.contains(&it.ip))
        };
        self.fit(connection).is_some() || named()
    }

    fn fit(&self, connection: &Connection) -> Option<StoryFit> {
        let mut best = None;
        for who in Who::BOTH {
            let met = stories(connection, who);
            if met.is_empty() {
                continue;
            }
            let voice = Program::of(connection, who);
            for one in &self.wanted {
                if met
                    .iter()
                    .flatten()
                    .any(|event| stands_for(*event, one.what))
                {
                    let within = voice.inside().is_some_and(|it| may_say(one, it.product));
                    let fit = match voice.product() {
                        Some(product) if !within && !may_say(one, product) => {
                            StoryFit::OtherProgram
                        }
                        _ => StoryFit::Story,
                    };
                    best = best.max(Some(fit));
                }
            }
        }
        best.or_else(|| {
            let could = |one: &EventMatch| could_be(connection, one.what);
            self.wanted.iter().any(could).then_some(StoryFit::Hidden)
        })
    }

    /// The rules whose findings stand for the error where no story can: it leaves no packet, or the codes name them.
    fn circumstances(&self) -> impl Iterator<Item = &'static str> {
        let events = self.wanted.iter();
        let events = events.filter(|it| it.what.trace() == EventTrace::Circumstance);
        let codes = self.codes.iter().filter(|code| code.events.is_empty());
        let of_events = events.flat_map(|it| it.rules.iter().copied());
        of_events.chain(codes.flat_map(|it| it.rules.iter().copied()))
    }

    /// The most telling rule of each event.
    fn telling(&self) -> impl Iterator<Item = &'static str> {
        self.wanted
            .iter()
            .filter_map(|it| it.rules.first().copied())
    }

    /// Chooses among the connections. `whole` are those whose records were kept, `findings` all that was found.
    #[must_use]
    pub fn narrow(
        &self,
        summaries: &[ConnectionSummary],
        whole: &[Arc<Connection>],
        findings: &[Finding],
        span: Option<(Timestamp, Timestamp)>,
    ) -> SearchResult {
        let (mut fits, grounds) = self.by_error(whole, findings);
        if self.wanted.is_empty() && self.codes.is_empty() {
            fits = summaries.iter().map(|it| it.id).collect();
        }
        let before = fits.len();
        let (mut fits, mut located) = locate(&self.hints, &fits, summaries, span);
        let mut pointed = None;
        if grounds == SearchBasis::Line && !located.says_which() {
            fits.clear();
        }
        if fits.is_empty() && grounds != SearchBasis::Line {
            let all: Vec<u32> = summaries.iter().map(|it| it.id).collect();
            let (named, of_all) = locate(&self.hints, &all, summaries, span);
            if let [only] = named[..]
                && of_all.says_which()
            {
                pointed = Some(only);
                located = of_all;
            }
        }
        let mut rules: Vec<&'static str> = Vec::new();
        let of_codes = self.codes.iter().flat_map(|it| &it.rules);
        for rule in self.wanted.iter().flat_map(|it| &it.rules).chain(of_codes) {
            if !rules.contains(rule) {
                rules.push(rule);
            }
        }
        SearchResult {
            text: self.text.clone(),
            wanted: self.wanted.iter().map(|it| it.what).collect(),
            rules,
            codes: self.codes.clone(),
            fits,
            grounds,
            before,
            located,
            pointed,
        }
    }

    fn by_error(&self, whole: &[Arc<Connection>], findings: &[Finding]) -> (Vec<u32>, SearchBasis) {
        if self.wanted.is_empty() && self.codes.is_empty() {
            return (Vec::new(), SearchBasis::Line);
        }
        let fitting: Vec<(u32, StoryFit)> = whole
            .iter()
            .filter_map(|it| Some((it.id, self.fit(it)?)))
            .collect();
        let of = |least: StoryFit| {
            let fitting = fitting.iter().filter(move |(_, fit)| *fit >= least);
            fitting.map(|(id, _)| *id).collect::<Vec<u32>>()
        };
        let found = |rules: &[&str]| {
            let findings = findings.iter().filter(|it| it.severity > Severity::Benign);
            let findings = findings.filter(|it| rules.contains(&it.rule));
            let ids: std::collections::BTreeSet<u32> = findings
                .flat_map(|it| it.connections.iter().copied())
                .collect();
            ids.into_iter().collect::<Vec<u32>>()
        };
        let story = of(StoryFit::Story);
        let around = found(&self.circumstances().collect::<Vec<_>>());
        match (story.is_empty(), around.is_empty()) {
            (false, _) => (story, SearchBasis::Story),
            (true, false) => (around, SearchBasis::Finding),
            (true, true) => {
                let other = of(StoryFit::OtherProgram);
                if other.is_empty() {
                    let found = found(&self.telling().collect::<Vec<_>>());
                    if !found.is_empty() {
                        return (found, SearchBasis::Finding);
                    }
                    let mut hidden = of(StoryFit::Hidden);
                    // Of very many that closed like others do, none is told from the rest, unless the line does.
                    if hidden.len() > HIDDEN && self.hints.is_empty() {
                        hidden.clear();
                    }
                    return (hidden, SearchBasis::Ending);
                }
                (other, SearchBasis::OtherProgram)
            }
        }
    }
}

/// Whether what happened is what is wanted, or so like it that few programs tell them apart.
fn stands_for(happened: WireEvent, wanted: WireEvent) -> bool {
    let mut at = Some(happened);
    while let Some(event) = at {
        if event == wanted {
            return true;
        }
        at = event.like();
    }
    false
}

/// Whether the server's close may be this, seen by a client whose exchanges nobody else can read.
fn could_be(connection: &Connection, wanted: WireEvent) -> bool {
    let teardown = &connection.teardown;
    if teardown.phase != Phase::Opaque || wanted.side() != LogSide::Client {
        return false;
    }
    let says = |word: &str| wanted.name().split('-').any(|it| it == word);
    match (teardown.by, teardown.how) {
        (By::Server | By::Both, How::Fin) => says("fin"),
        (By::Server | By::Middlebox, How::Reset(_)) => says("rst"),
        _ => false,
    }
}

/// Whether this program may have said it. A proxy hands on its client's `User-Agent`, so a header cannot speak against
/// one; and a code is anybody's.
fn may_say(one: &EventMatch, product: &'static Product) -> bool {
    let proxy = one.products.iter().any(|it| it.role == Role::Proxy);
    matches!(one.why, MatchReason::Code(_))
        || proxy
        || one.products.is_empty()
        || one.products.contains(&product)
}

impl SearchResult {
    /// Whether the error is known at all.
    #[must_use]
    pub fn knows_the_error(&self) -> bool {
        !self.wanted.is_empty() || !self.codes.is_empty()
    }

    /// Every event in question leaves no packet of its own.
    #[must_use]
    pub fn off_the_wire(&self) -> bool {
        let mut events = self.wanted.iter();
        !self.wanted.is_empty() && events.all(|it| it.trace() == EventTrace::Circumstance)
    }
}
