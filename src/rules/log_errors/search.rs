//! From an error text or a pasted log line to the matching connections.
//!
//! In: the text, and later the connections and findings of a capture. Out: a [`SearchResult`]: the numbers of the
//! connections, and what the match is based on. First the error: the wire events it may stand for are compared with
//! those that each side of a connection met, and the programs known to print it with the one that a header names. Then
//! the line: its addresses, ports and times single out one connection, in `locate`.

use std::sync::Arc;

use super::foretold::is_foretold;
use super::locate::{LocatedConnections, locate};
use super::own_words::{OwnWords, Quotation};
use super::program::{self, Program};
use super::stories;
use crate::analysis::connection::{By, Connection, ConnectionSummary, How, Opening, Phase, Who};
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;
use crate::knowledge::{
    Code, EventMatch, EventTrace, LogLineHints, LogSide, MatchReason, Product, Role, WireEvent,
    codes_in, explain, hints_in, match_error, match_type, status_in,
};
use crate::protocol::tcp::CloseEvent;
use crate::rules::{Finding, Severity};

/// Matches that score this much less than the best are other errors.
const NEAR: u8 = 35;

/// Upper bound of encrypted connections that are worth listing.
const HIDDEN: usize = 20;

/// The search for an error.
#[derive(Clone, Debug)]
pub struct ErrorSearch {
    text: String,
    wanted: Vec<EventMatch>,
    codes: Vec<&'static Code>,
    hints: LogLineHints,
    /// The status that the text is about.
    status: Option<u16>,
    /// The error of a system call in it.
    failure: Option<CallFailure>,
    /// The protocols of the programs that print it.
    protocols: Vec<&'static str>,
    /// Its words, which one side may have said on the wire.
    words: Option<OwnWords>,
}

/// The error that a read or a write returns once the peer has closed, whatever was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallFailure {
    /// A RST came (`ECONNRESET`).
    Reset,
    /// A FIN or RST came before a write (`EPIPE`).
    Pipe,
}

impl CallFailure {
    fn of(text: &str, codes: &[&'static Code]) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let says = |words: &[&str], name: &str| {
            words.iter().any(|it| text.contains(it)) || codes.iter().any(|it| it.code == name)
        };
        if says(&["broken pipe"], "EPIPE") {
            return Some(Self::Pipe);
        }
        let reset = ["connection reset", "reset by peer", "forcibly closed"];
        says(&reset, "ECONNRESET").then_some(Self::Reset)
    }

    /// Whether a side of this connection may have met it. A write that fails at once is in no packet.
    fn may_be_met_on(self, connection: &Connection) -> bool {
        let open = matches!(connection.opening, Opening::Handshake | Opening::Midstream);
        let reset = connection.reset.iter().any(Option::is_some);
        let [client_fin, server_fin] = &connection.fin;
        let [client_data, server_data] = &connection.last_data;
        let wrote_after = |fin: &Option<CloseEvent>, last: &FrameRef| {
            fin.as_ref()
                .is_some_and(|it| last.frame > it.frame_ref.frame)
        };
        let wrote = wrote_after(client_fin, server_data) || wrote_after(server_fin, client_data);
        open && (reset || self == Self::Pipe && wrote)
    }
}

/// How well a connection matches, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StoryFit {
    /// Its end could be this, but its exchanges are not decrypted.
    Hidden,
    /// Its FIN or RST makes a call fail with this error.
    Close,
    /// It met this event, but a header names a program that prints something else.
    OtherProgram,
    /// It met this event, and nothing contradicts the program.
    Story,
}

/// What the selection of connections is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchBasis {
    /// The words of the line, which one side said on the wire.
    Words,
    /// The events one side met, and its program, named by a header or left open.
    Story,
    /// The events one side met; headers name other programs than those known to print the text.
    OtherProgram,
    /// How the connection ended; its exchanges cannot be parsed, as inside TLS.
    Ending,
    /// A FIN or RST in it makes a read or a write fail with this error, whatever was under way.
    Close,
    /// A finding: the error leaves no packet of its own, but its circumstances were found.
    Finding,
    /// Only the line's address, port or time: the error itself is unknown.
    Line,
}

/// The result of a search, to which a report is narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    /// The error as given.
    pub text: String,
    /// The wire events it may stand for, likeliest first.
    pub wanted: Vec<WireEvent>,
    /// The rules that flag those events, most specific first, and those of the codes.
    pub rules: Vec<&'static str>,
    /// What the codes in it mean.
    pub codes: Vec<&'static Code>,
    /// The matching connections, ascending; empty if there are none.
    pub fits: Vec<u32>,
    /// What that rests on.
    pub grounds: SearchBasis,
    /// How many matched the error before the line's address, port and time were applied.
    pub before: usize,
    /// The comparison of the line's hints with the capture.
    pub located: LocatedConnections,
    /// The connection that the line identifies although its events do not match, if there is one.
    pub pointed: Option<u32>,
    /// The protocols of the programs that print the error, for people; empty if HTTP is among them, or they are many.
    pub protocols: Vec<&'static str>,
    /// What of the error is known.
    pub known: Option<MatchReason>,
}

impl ErrorSearch {
    /// The search for a text; `None` if it matches nothing known, has no time, address or port, and is too short for what one
    /// side may have said.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let hints = hints_in(text);
        let codes = codes_in(text);
        // Node.js prints the code behind the message, which says more.
        let message = [" code=", "code: '"]
            .iter()
            .find_map(|it| text.split_once(*it));
        let mut wanted = message.map_or(Vec::new(), |it| match_error(it.0));
        if wanted.is_empty() {
            wanted = match_error(text);
        }
        // If a known text matches, a code next to it (the errno in a sentence) is the weaker evidence.
        let worded = |it: &EventMatch| !it.products.is_empty() || !it.programs.is_empty();
        if wanted.iter().any(worded) {
            wanted.retain(worded);
        }
        let best = wanted.iter().map(|it| it.score).max().unwrap_or(0);
        wanted.retain(|it| it.score.saturating_add(NEAR) >= best);
        if wanted.is_empty() && codes.is_empty() {
            wanted = match_type(text);
        }
        let words = OwnWords::of(text);
        if wanted.is_empty() && codes.is_empty() && hints.is_empty() && words.is_none() {
            return None;
        }
        Some(Self {
            text: text.trim().to_owned(),
            wanted,
            failure: CallFailure::of(text, &codes),
            protocols: explain(text).protocols,
            codes,
            hints,
            status: status_in(text).filter(|it| *it >= 400),
            words,
        })
    }

    /// Whether one side of the connection said this in its own words. A few words may stand in what anybody says: of an error
    /// that is known they find nothing.
    fn was_said_on(&self, connection: &Connection) -> bool {
        let quoted = self.words.as_ref().and_then(|it| it.quoted_on(connection));
        let known = !self.wanted.is_empty() || !self.codes.is_empty();
        quoted.is_some_and(|it| it == Quotation::Long || !known)
    }

    /// Whether the full record of a connection must be kept for this search.
    #[must_use]
    pub(crate) fn concerns(&self, connection: &Connection) -> bool {
        let named = || {
            let ends = [connection.client, connection.server];
            let port = self.hints.ports.contains(&connection.client.port);
            port || ends.iter().any(|it| self.hints.addresses.contains(&it.ip))
        };
        self.fit(connection).is_some() || named()
    }

    /// Whether a side of the connection met the error, as far as can be seen.
    #[must_use]
    pub fn fits(&self, connection: &Connection) -> bool {
        self.fit(connection) >= Some(StoryFit::OtherProgram)
    }

    /// Whether the status was the answer on this connection.
    fn was_answered_so(&self, connection: &Connection) -> bool {
        let exchanges = connection.exchanges.iter();
        self.status.is_some() && exchanges.map(|it| it.status()).any(|it| it == self.status)
    }

    fn fit(&self, connection: &Connection) -> Option<StoryFit> {
        if self.was_said_on(connection) || self.was_answered_so(connection) {
            return Some(StoryFit::Story);
        }
        let mut best = None;
        let shown = program::shown(connection);
        let wanted = || {
            let all = self.wanted.iter();
            all.filter(|it| shown.is_none_or(|protocol| it.may_be_on(protocol)))
        };
        let all_met = Who::BOTH.map(|who| stories(connection, who));
        for (who, met) in Who::BOTH.into_iter().zip(&all_met) {
            if met.is_empty() {
                continue;
            }
            let program = Program::of(connection, who);
            for one in wanted() {
                if met
                    .iter()
                    .flatten()
                    .any(|event| stands_for(*event, one.what))
                {
                    let within = program.inside().is_some_and(|it| may_say(one, it.product));
                    let fit = match program.product() {
                        Some(product) if !within && !may_say(one, product) => {
                            StoryFit::OtherProgram
                        }
                        _ => StoryFit::Story,
                    };
                    best = best.max(Some(fit));
                }
            }
        }
        if best != Some(StoryFit::Story) && is_foretold(&self.text, connection, all_met) {
            return Some(StoryFit::Story);
        }
        best.or_else(|| {
            let failure = self.failure.filter(|it| it.may_be_met_on(connection));
            failure.map(|_| StoryFit::Close)
        })
        .or_else(|| {
            let could = |one: &EventMatch| could_be(connection, one.what);
            wanted().any(could).then_some(StoryFit::Hidden)
        })
    }

    /// The rules whose findings stand in for the error where no event can: it leaves no packet, or only its codes name
    /// them.
    fn circumstances(&self) -> impl Iterator<Item = &'static str> {
        let events = self.wanted.iter();
        let events = events.filter(|it| it.what.trace() == EventTrace::Circumstance);
        let codes = self.codes.iter().filter(|code| code.events.is_empty());
        let of_events = events.flat_map(|it| it.rules.iter().copied());
        of_events.chain(codes.flat_map(|it| it.rules.iter().copied()))
    }

    /// The most specific rule of each event.
    fn telling(&self) -> impl Iterator<Item = &'static str> {
        self.wanted
            .iter()
            .filter_map(|it| it.rules.first().copied())
    }

    /// Selects connections. `whole` are those kept in full, `findings` all that were found.
    #[must_use]
    pub(crate) fn narrow(
        &self,
        summaries: &[ConnectionSummary],
        whole: &[Arc<Connection>],
        findings: &[Finding],
        span: Option<(Timestamp, Timestamp)>,
    ) -> SearchResult {
        let (mut fits, grounds) = self.by_error(whole, findings);
        if self.wanted.is_empty() && self.codes.is_empty() && grounds == SearchBasis::Line {
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
            protocols: self.protocols.clone(),
            known: self.wanted.first().map(|it| it.why.clone()),
        }
    }

    fn by_error(&self, whole: &[Arc<Connection>], findings: &[Finding]) -> (Vec<u32>, SearchBasis) {
        let said = whole.iter().filter(|it| self.was_said_on(it));
        let said: Vec<u32> = said.map(|it| it.id).collect();
        if !said.is_empty() {
            return (said, SearchBasis::Words);
        }
        let answered = whole.iter().filter(|it| self.was_answered_so(it));
        let answered: Vec<u32> = answered.map(|it| it.id).collect();
        if !answered.is_empty() {
            return (answered, SearchBasis::Story);
        }
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
            let named = |it: &&Finding| rules.contains(&it.rule);
            let worst = findings.iter().filter(named).map(|it| it.severity).max();
            // Where something failed, a note on what did not is no error in a log.
            let least = worst.map_or(Severity::Note, |it| it.min(Severity::Warning));
            let findings = findings.iter().filter(named);
            let findings = findings.filter(|it| it.severity >= least.max(Severity::Note));
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
                    let closed = of(StoryFit::Close);
                    if !closed.is_empty() {
                        return (closed, SearchBasis::Close);
                    }
                    let mut hidden = of(StoryFit::Hidden);
                    // Very many connections that ended alike cannot be told apart, unless the line has hints.
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

/// Whether the event that happened is the one searched for, or so similar that few programs distinguish them.
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

/// Whether the server's close can be this event for a client whose exchanges are not decrypted.
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

/// Whether this program may have printed the text. A proxy forwards its client's `User-Agent`, so a header does not
/// rule one out; and any program may print a code.
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
    pub(crate) fn knows_the_error(&self) -> bool {
        !self.wanted.is_empty() || !self.codes.is_empty()
    }

    /// Whether the line has a time, an address or a port.
    #[must_use]
    pub(crate) fn names_a_place(&self) -> bool {
        let located = &self.located;
        located.says_which()
            || located.unmatched_time
            || !located.unmatched_addresses.is_empty()
            || !located.unmatched_ports.is_empty()
    }

    /// Whether none of the events searched for leaves a packet of its own.
    #[must_use]
    pub(crate) fn leaves_no_packet(&self) -> bool {
        let mut events = self.wanted.iter();
        !self.wanted.is_empty() && events.all(|it| it.trace() == EventTrace::Circumstance)
    }
}
