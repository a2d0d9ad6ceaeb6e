//! Evaluates a filter over a snapshot: which of its connections match.
//!
//! What does not depend on the row is computed first (which findings a name matches, which fixed words contain a text),
//! so that hundreds of thousands of rows can be filtered while the user types. Where neither the full record of a
//! connection nor its requests in short were kept, tests on them are undecidable: such connections are not selected, and
//! listed as unknown until they are read again.

use super::amount::AmountRange;
use super::expr::FilterExpr;
use super::expr::FilterTest;
use super::expr::HowTest;
use super::expr::Measure;
use super::expr::RequestPart;
use super::expr::SeverityTest;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::Filter;
use crate::analysis::connection::{
    BriefRequest, BriefRequests, By, Connection, ConnectionSummary, How, Phase, RequestList,
    ResetKind, Standing, Who,
};
use crate::base::net::Endpoint;
use crate::ladder::RecordedFact;
use crate::protocol::http::{Exchange, Protocol};
use crate::report::snapshot::{FindingsIndex, Snapshot};
use crate::rules::Finding;
use crate::rules::log_errors::ErrorSearch;

/// A filter prepared for one snapshot.
#[derive(Debug)]
pub struct FilterEvaluator<'s> {
    snapshot: &'s Snapshot,
    findings_index: &'s FindingsIndex,
    node: Option<FilterNode>,
}

/// The result of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterResult {
    /// Indexes into [`Snapshot::summaries`], ascending.
    pub rows: Vec<u32>,
    /// Those for which the filter is undecidable, because their requests were not kept, ascending. To read them again decides
    /// it ([`FilterEvaluator::decide`]).
    pub unknown: Vec<u32>,
}

/// A [`FilterExpr`] with everything resolved that does not depend on the row.
#[derive(Debug)]
enum FilterNode {
    All(Vec<FilterNode>),
    Any(Vec<FilterNode>),
    Not(Box<FilterNode>),
    Test(FilterTest),
    /// Whether one of these findings names it; indexed by the finding's number less one.
    Findings(Vec<bool>),
    /// One request meets all of these tests.
    Request(Vec<RequestTest>),
    Text(Box<TextTest>),
    Error(Box<ErrorTest>),
}

/// A test of one request; texts in lower case.
#[derive(Debug)]
enum RequestTest {
    Said(RequestPart, String),
    Status(AmountRange),
    Any(Vec<RequestTest>),
}

/// What a filter says of one request: which of a connection's requests made it a match.
#[derive(Debug)]
pub struct RequestMatcher(Vec<RequestTest>);

impl RequestMatcher {
    /// `None` if the filter says nothing of requests.
    pub(super) fn of(query: &Filter) -> Option<Self> {
        let parts = match query.expr.as_ref()? {
            FilterExpr::All(parts) => &parts[..],
            one => std::slice::from_ref(one),
        };
        let tests: Vec<_> = parts.iter().filter_map(RequestTest::anywhere).collect();
        (!tests.is_empty()).then_some(Self(tests))
    }

    /// Whether this request is what the filter is about. Whether the whole connection matches was decided before.
    #[must_use]
    pub fn holds(&self, request: &BriefRequest<'_>) -> bool {
        self.0.iter().all(|test| test.holds(request, &|_, _| true))
    }
}

/// An error to look for, and the listed connections that fit it, ascending.
#[derive(Debug)]
struct ErrorTest {
    search: ErrorSearch,
    fits: Vec<u32>,
}

/// A text to search for, and the fixed words that contain it.
#[derive(Debug)]
struct TextTest {
    lower: String,
    /// The status that it could be.
    status: Option<u16>,
    /// Whether it could be a part of an address or port.
    is_numeric: bool,
    findings: Vec<bool>,
    by: [bool; By::WORDS.len()],
    /// In the order of [`MEANS`].
    how: [bool; MEANS.len()],
    /// Both together, as in `client FIN`: a row for each of [`By::WORDS`], in the order of [`MEANS`].
    ended: [[bool; MEANS.len()]; By::WORDS.len()],
    phase: [bool; Phase::WORDS.len()],
    protocol: [bool; Protocol::WORDS.len()],
}

const MEANS: [How; 8] = [
    How::Fin,
    How::Reset(ResetKind::Refusal),
    How::Reset(ResetKind::NoSocket),
    How::Reset(ResetKind::Abort),
    How::Reset(ResetKind::Foreign),
    How::Reset(ResetKind::Stale),
    How::Silence,
    How::Open,
];

/// One connection and the data known about it.
struct FilterRow<'s> {
    connection_summary: &'s ConnectionSummary,
    record: Option<&'s Connection>,
    /// Its requests in short, if they are kept.
    list: Option<&'s RequestList>,
    /// The name by which the client learned the server's address.
    looked_up: Option<&'s [u8]>,
    findings: &'s [u32],
    /// The record was read again.
    is_reread: bool,
}

/// Whether a row matches; `None` if that is undecidable.
type Truth = Option<bool>;

impl<'s> FilterEvaluator<'s> {
    /// Prepares a filter. `findings_index` must be the index of the same snapshot.
    #[must_use]
    pub fn new(query: &Filter, snapshot: &'s Snapshot, findings_index: &'s FindingsIndex) -> Self {
        let node = query.expr.as_ref();
        Self {
            snapshot,
            findings_index,
            node: node.map(|expr| FilterNode::new(expr, snapshot)),
        }
    }

    /// The connections that match.
    #[must_use]
    pub fn chosen(&self) -> FilterResult {
        let mut chosen = FilterResult::default();
        let mut records = self.snapshot.connections.iter().peekable();
        let mut spelled = String::new();
        for (place, connection_summary) in (0..).zip(&self.snapshot.summaries) {
            let mut record: Option<&Connection> = None;
            while let Some(next) = records.next_if(|next| next.id <= connection_summary.id) {
                record = (next.id == connection_summary.id).then_some(next);
            }
            let list = self.snapshot.requests.get(place as usize);
            let row = FilterRow {
                record,
                list: list.and_then(Option::as_ref),
                ..self.row(connection_summary)
            };
            let told = match &self.node {
                None => Some(true),
                Some(node) => node.told(&row, &mut spelled),
            };
            match told {
                Some(true) => chosen.rows.push(place),
                Some(false) => {}
                None => chosen.unknown.push(place),
            }
        }
        chosen
    }

    /// Whether the connection of this summary matches, now that its record was read again.
    #[must_use]
    pub fn decide(&self, connection_summary: &ConnectionSummary, record: &Connection) -> bool {
        let row = FilterRow {
            record: Some(record),
            is_reread: true,
            ..self.row(connection_summary)
        };
        let node = self.node.as_ref();
        node.is_none_or(|node| node.told(&row, &mut String::new()) == Some(true))
    }

    fn row<'a>(&'a self, connection_summary: &'a ConnectionSummary) -> FilterRow<'a> {
        FilterRow {
            connection_summary,
            record: None,
            list: None,
            looked_up: self.snapshot.looked_up(connection_summary),
            findings: self.findings_index.numbers(connection_summary.id),
            is_reread: false,
        }
    }
}

impl FilterNode {
    fn new(expr: &FilterExpr, snapshot: &Snapshot) -> Self {
        let findings = &snapshot.findings[..];
        let each =
            |parts: &[FilterExpr]| parts.iter().map(|part| Self::new(part, snapshot)).collect();
        let those = |wanted: &dyn Fn(&Finding) -> bool| {
            Self::Findings(findings.iter().map(wanted).collect())
        };
        match expr {
            FilterExpr::All(parts) => {
                // All tests of requests are of one request.
                let (of_request, others): (Vec<_>, Vec<_>) = parts
                    .iter()
                    .partition(|part| RequestTest::of(part).is_some());
                let tests: Vec<_> = of_request.into_iter().filter_map(RequestTest::of).collect();
                let mut nodes: Vec<_> = others
                    .into_iter()
                    .map(|part| Self::new(part, snapshot))
                    .collect();
                if !tests.is_empty() {
                    nodes.push(Self::Request(tests));
                }
                Self::All(nodes)
            }
            FilterExpr::Any(parts) => Self::Any(each(parts)),
            FilterExpr::Not(part) => Self::Not(Box::new(Self::new(part, snapshot))),
            FilterExpr::Test(test) => match test {
                FilterTest::Rule(name) => those(&|it| it.rule.contains(name.as_str())),
                FilterTest::Severity(SeverityTest::Is(severity)) => {
                    those(&|it| it.severity == *severity)
                }
                FilterTest::Severity(SeverityTest::AtLeast(severity)) => {
                    those(&|it| it.severity >= *severity)
                }
                FilterTest::Amount(Measure::Finding, bound) => {
                    those(&|it| bound.holds(it.id.into()))
                }
                FilterTest::Said(..) | FilterTest::Amount(Measure::Status, _) => {
                    Self::Request(RequestTest::of(expr).into_iter().collect())
                }
                FilterTest::Error(text) => match ErrorSearch::new(text) {
                    Some(search) => Self::Error(Box::new(ErrorTest::new(search, snapshot))),
                    None => Self::Test(test.clone()),
                },
                FilterTest::Text(text) => Self::Text(Box::new(TextTest::new(text, findings))),
                test => Self::Test(test.clone()),
            },
        }
    }

    fn told(&self, row: &FilterRow<'_>, spelled: &mut String) -> Truth {
        match self {
            Self::All(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match part.told(row, spelled) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => all = None,
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Some(false);
                for part in parts {
                    match part.told(row, spelled) {
                        Some(false) => {}
                        Some(true) => return Some(true),
                        None => any = None,
                    }
                }
                any
            }
            Self::Not(part) => part.told(row, spelled).map(|told| !told),
            Self::Findings(wanted) => Some(names(row, wanted)),
            Self::Request(tests) => row.asked(tests),
            Self::Error(error) => error.told(row),
            Self::Text(text) => text.told(row, spelled),
            Self::Test(test) => Some(holds(test, row)),
        }
    }
}

fn names(row: &FilterRow<'_>, wanted: &[bool]) -> bool {
    let mut places = row
        .findings
        .iter()
        .map(|number| (*number as usize).wrapping_sub(1));
    places.any(|place| wanted.get(place).copied().unwrap_or(false))
}

/// A test that the connection summary alone decides.
fn holds(test: &FilterTest, row: &FilterRow<'_>) -> bool {
    let connection_summary = row.connection_summary;
    let either = |who: &Option<Who>, holds: &dyn Fn(Who) -> bool| match who {
        Some(who) => holds(*who),
        None => Who::BOTH.into_iter().any(holds),
    };
    match test {
        FilterTest::By(by) => connection_summary.by == *by,
        FilterTest::How(means) => match (means, connection_summary.how) {
            (HowTest::Fin, How::Fin)
            | (HowTest::Reset, How::Reset(_))
            | (HowTest::Silence, How::Silence)
            | (HowTest::Open, How::Open) => true,
            (HowTest::Kind(kind), How::Reset(was)) => *kind == was,
            _ => false,
        },
        FilterTest::Phase(phase) => connection_summary.phase == *phase,
        FilterTest::Opening(opening) => connection_summary.opening == *opening,
        FilterTest::Protocol(protocol) => connection_summary.protocol == *protocol,
        FilterTest::Orderly(orderly) => connection_summary.orderly == *orderly,
        FilterTest::Certainty(certainty) => connection_summary.certainty == *certainty,
        FilterTest::State(who, state) => either(who, &|who| {
            let state = Standing::In(*state);
            match who {
                Who::Client => connection_summary.client_state == state,
                Who::Server => connection_summary.server_state == state,
            }
        }),
        FilterTest::Place(who, place) => {
            either(who, &|who| place.holds(end(connection_summary, who)))
        }
        FilterTest::Outcome(outcome) => connection_summary.outcomes.has(*outcome),
        FilterTest::Came(name) => connection_summary.outcome.name() == *name,
        FilterTest::Reason(name) => connection_summary.outcome.reason() == *name,
        FilterTest::Amount(measure, bound) => {
            let millis = |millis: u32| u64::from(millis) * 1_000_000;
            let micros = |micros: u32| u64::from(micros) * 1000;
            match measure {
                Measure::Id => bound.holds(connection_summary.id.into()),
                Measure::Frame => (*bound).meets(
                    connection_summary.first.frame.0,
                    connection_summary.close.frame.0,
                ),
                Measure::Port => [connection_summary.client, connection_summary.server]
                    .iter()
                    .any(|end| bound.holds(end.port.into())),
                Measure::Sent => bound.holds(connection_summary.bytes[0]),
                Measure::Received => bound.holds(connection_summary.bytes[1]),
                Measure::Retransmitted => bound.holds(connection_summary.retransmitted.into()),
                Measure::Handshake => {
                    connection_summary.connected_after > 0
                        && bound.holds(micros(connection_summary.connected_after))
                }
                Measure::Requests => bound.holds(connection_summary.exchanges.into()),
                Measure::Bytes => bound
                    .holds(connection_summary.bytes[0].saturating_add(connection_summary.bytes[1])),
                Measure::Took => {
                    let nanos = connection_summary
                        .last
                        .since(connection_summary.first.time)
                        .as_nanos();
                    bound.holds(u64::try_from(nanos).unwrap_or(u64::MAX))
                }
                Measure::Waited => {
                    connection_summary.exchanges > 0
                        && bound.holds(micros(connection_summary.waited))
                }
                Measure::Idle => bound.holds(millis(connection_summary.idle)),
                Measure::Finding | Measure::Status => false,
            }
        }
        FilterTest::Unnamed => row.findings.is_empty(),
        // Resolved into nodes of their own.
        FilterTest::Rule(_)
        | FilterTest::Severity(_)
        | FilterTest::Said(..)
        | FilterTest::Error(_)
        | FilterTest::Text(_) => false,
    }
}

const fn end(connection_summary: &ConnectionSummary, who: Who) -> &Endpoint {
    match who {
        Who::Client => &connection_summary.client,
        Who::Server => &connection_summary.server,
    }
}

impl<'s> FilterRow<'s> {
    /// Its requests, as far as they are kept; `None` if there are some and they are not.
    fn requests(&self) -> Option<KnownRequests<'s>> {
        if let Some(record) = self.record {
            return Some(KnownRequests::Whole(record.spoken().iter()));
        }
        match self.list {
            Some(list) => Some(KnownRequests::Brief(list.iter())),
            None => {
                (!self.connection_summary.is_searchable()).then(|| KnownRequests::Whole([].iter()))
            }
        }
    }

    /// Whether a name of its server contains this text; `None` if its own name is not kept, and may.
    fn is_named(&self, lower: &str) -> Truth {
        let own = match (self.record, self.list) {
            (Some(record), _) => record.name().unwrap_or_default(),
            (None, Some(list)) => list.name(),
            (None, None) => &[],
        };
        if holds_text(own, lower) || self.looked_up.is_some_and(|name| holds_text(name, lower)) {
            return Some(true);
        }
        let known = self.record.is_some() || self.list.is_some();
        (known || !self.connection_summary.is_searchable()).then_some(false)
    }

    /// Whether one of its requests meets all of these tests.
    fn asked(&self, tests: &[RequestTest]) -> Truth {
        let Some(requests) = self.requests() else {
            let summary = self.connection_summary;
            return match tests {
                [RequestTest::Status(range)] => {
                    // The summary has the status of the last response.
                    let last = summary.status != 0 && range.holds(summary.status.into());
                    let only = summary.exchanges == 1 && summary.status != 0;
                    (last || only).then_some(last)
                }
                [RequestTest::Said(RequestPart::Host, lower)] => {
                    self.is_named(lower).filter(|named| *named)
                }
                _ => None,
            };
        };
        let mut none = true;
        for request in requests {
            none = false;
            let named = |request: &BriefRequest<'_>, lower: &str| {
                let looked_up = self.looked_up;
                looked_up.is_some_and(|name| holds_text(name, lower))
                    || request.host.is_empty() && self.is_named(lower) == Some(true)
            };
            if tests.iter().all(|test| test.holds(&request, &named)) {
                return Some(true);
            }
        }
        // A connection without a request, as inside TLS, has only a name.
        let named = |test: &RequestTest| match test {
            RequestTest::Said(RequestPart::Host, lower) => self.is_named(lower) == Some(true),
            _ => false,
        };
        Some(none && tests.iter().all(named))
    }
}

/// The requests of a connection, of its whole record or of its list.
enum KnownRequests<'s> {
    Whole(std::slice::Iter<'s, Exchange>),
    Brief(BriefRequests<'s>),
}

impl<'s> Iterator for KnownRequests<'s> {
    type Item = BriefRequest<'s>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Whole(exchanges) => exchanges.next().map(BriefRequest::of),
            Self::Brief(requests) => requests.next(),
        }
    }
}

impl RequestTest {
    /// The test of one request, if the expression is one.
    fn of(expr: &FilterExpr) -> Option<Self> {
        match expr {
            FilterExpr::Test(FilterTest::Said(part, text)) => {
                Some(Self::Said(*part, text.to_lowercase()))
            }
            FilterExpr::Test(FilterTest::Amount(Measure::Status, range)) => {
                Some(Self::Status(*range))
            }
            FilterExpr::Any(parts) => {
                let parts = parts.iter().map(Self::of);
                parts.collect::<Option<_>>().map(Self::Any)
            }
            _ => None,
        }
    }

    /// The same; a word without a key may be in any part.
    fn anywhere(expr: &FilterExpr) -> Option<Self> {
        let FilterExpr::Test(FilterTest::Text(text)) = expr else {
            return Self::of(expr);
        };
        let lower = text.to_lowercase();
        let status = lower.parse().ok().filter(|it| (100..600).contains(it));
        let status = status.map(|it| Self::Status(AmountRange::Is(it)));
        let parts = [RequestPart::Target, RequestPart::Method, RequestPart::Agent];
        let parts = parts.map(|part| Self::Said(part, lower.clone()));
        Some(Self::Any(parts.into_iter().chain(status).collect()))
    }

    /// `named`: whether the server of this request has a name that contains a text.
    fn holds(
        &self,
        request: &BriefRequest<'_>,
        named: &dyn Fn(&BriefRequest<'_>, &str) -> bool,
    ) -> bool {
        match self {
            Self::Said(RequestPart::Method, lower) => holds_text(request.method, lower),
            Self::Said(RequestPart::Target, lower) => holds_text(request.target, lower),
            Self::Said(RequestPart::Agent, lower) => holds_text(request.agent, lower),
            Self::Said(RequestPart::Host, lower) => {
                holds_text(request.host, lower) || named(request, lower)
            }
            Self::Status(range) => request.status != 0 && range.holds(request.status.into()),
            Self::Any(tests) => tests.iter().any(|test| test.holds(request, named)),
        }
    }
}

/// Whether `text` contains `lower`, ignoring ASCII case.
fn holds_text(text: &[u8], lower: &str) -> bool {
    let lower = lower.as_bytes();
    let Some(first) = lower.first() else {
        return true;
    };
    let places = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    places
        .filter_map(|at| text.get(at..at + lower.len()))
        .any(|part| part.eq_ignore_ascii_case(lower))
}

impl ErrorTest {
    fn new(search: ErrorSearch, snapshot: &Snapshot) -> Self {
        let Snapshot {
            summaries,
            connections,
            findings,
            ..
        } = snapshot;
        let narrowed = search.narrow(summaries, connections, findings, snapshot.summary.span);
        let pointed = narrowed.pointed.into_iter();
        let mut fits: Vec<u32> = narrowed.fits.into_iter().chain(pointed).collect();
        fits.sort_unstable();
        Self { search, fits }
    }

    fn told(&self, row: &FilterRow<'_>) -> Truth {
        let fits = self.fits.binary_search(&row.connection_summary.id).is_ok();
        match row.record {
            _ if fits => Some(true),
            Some(record) if row.is_reread => Some(self.search.concerns(record)),
            Some(_) => Some(false),
            // Only its record shows whether it fits.
            None => None,
        }
    }
}

/// How a row of a table says how a connection ended.
const fn in_a_row(how: How) -> &'static str {
    match how {
        How::Fin => "FIN",
        How::Reset(ResetKind::Refusal) => "refused",
        How::Reset(_) => "RST",
        How::Silence => "silence",
        How::Open => "still open",
    }
}

impl TextTest {
    fn new(text: &str, findings: &[Finding]) -> Self {
        let lower = text.to_lowercase();
        let is_in = |word: &str| word.to_ascii_lowercase().contains(&lower);
        let numeric =
            |char: char| char.is_ascii_hexdigit() || matches!(char, '.' | ':' | '[' | ']');
        Self {
            status: lower.parse().ok().filter(|it| (100..600).contains(it)),
            is_numeric: lower.chars().all(numeric),
            findings: findings
                .iter()
                .map(|it| is_in(it.rule) || is_in(&it.headline()))
                .collect(),
            by: std::array::from_fn(|at| is_in(By::WORDS[at].1)),
            how: MEANS.map(|how| match how {
                How::Fin => is_in("fin"),
                How::Reset(kind) => is_in("reset") || is_in(kind.word()),
                How::Silence => is_in("silence"),
                How::Open => is_in("open"),
            }),
            ended: std::array::from_fn(|by| {
                MEANS.map(|how| {
                    let (by, how) = (By::WORDS[by].1, in_a_row(how));
                    is_in(&format!("{by} {how}"))
                })
            }),
            phase: std::array::from_fn(|at| is_in(Phase::WORDS[at].1)),
            protocol: std::array::from_fn(|at| is_in(Protocol::WORDS[at].1)),
            lower,
        }
    }

    fn told(&self, row: &FilterRow<'_>, spelled: &mut String) -> Truth {
        let connection_summary = row.connection_summary;
        let outcome = connection_summary.outcome;
        let at = |found: &[bool], place: Option<usize>| {
            place.and_then(|it| found.get(it)).copied().unwrap_or(false)
        };
        fn place<T: PartialEq>(all: &[(T, &str)], one: &T) -> Option<usize> {
            all.iter().position(|(it, _)| it == one)
        }
        let by = place(By::WORDS, &connection_summary.by);
        let how = MEANS.iter().position(|how| *how == connection_summary.how);
        let ended = by.and_then(|by| self.ended.get(by));
        let found = at(&self.by, by)
            || at(&self.how, how)
            || ended.is_some_and(|ended| at(ended, how))
            || at(&self.phase, place(Phase::WORDS, &connection_summary.phase))
            || at(
                &self.protocol,
                place(Protocol::WORDS, &connection_summary.protocol),
            )
            || outcome.name().contains(&self.lower)
            || outcome.reason().contains(&self.lower)
            || names(row, &self.findings)
            || self.is_numeric
                && [connection_summary.client, connection_summary.server]
                    .iter()
                    .any(|end| self.is_in_endpoint(end, spelled));
        if found {
            return Some(true);
        }
        match row.is_named(&self.lower) {
            Some(true) => Some(true),
            _ => Some(row.requests()?.any(|request| self.is_in(&request, spelled))),
        }
    }

    /// Whether it is a part of this request, or of the line `GET /x 502`.
    fn is_in(&self, request: &BriefRequest<'_>, spelled: &mut String) -> bool {
        let BriefRequest {
            method,
            target,
            host,
            agent,
            status,
        } = *request;
        if self.status.is_some_and(|wanted| wanted == status) {
            return true;
        }
        if !self.lower.contains(' ') {
            let parts = [target, host, method, agent];
            return parts.into_iter().any(|part| holds_text(part, &self.lower));
        }
        spelled.clear();
        for part in [method, target] {
            spelled.push_str(&String::from_utf8_lossy(part));
            spelled.push(' ');
        }
        push_number(spelled, status);
        holds_text(spelled.as_bytes(), &self.lower) || holds_text(agent, &self.lower)
    }

    fn is_in_endpoint(&self, end: &Endpoint, spelled: &mut String) -> bool {
        spelled.clear();
        match end.ip {
            IpAddr::V4(ip) => {
                for (nth, octet) in ip.octets().into_iter().enumerate() {
                    if nth > 0 {
                        spelled.push('.');
                    }
                    push_number(spelled, octet.into());
                }
                spelled.push(':');
                push_number(spelled, end.port);
            }
            // Writing to a string cannot fail.
            IpAddr::V6(_) => drop(write!(spelled, "{end}")),
        }
        spelled.contains(&self.lower)
    }
}

/// Formatting through the standard library takes several times as long, and this runs once per row.
fn push_number(to: &mut String, number: u16) {
    let mut digits = [0; 5];
    let mut rest = number;
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 || at == 0 {
            break;
        }
    }
    to.extend(digits[at..].iter().copied().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::{ConnectionOutcome, FailedReason};
    use crate::base::certainty::Certainty;
    use crate::protocol::http::HttpConversation;
    use crate::report::snapshot::sample::{connection, endpoint, frame_ref, snapshot};
    use crate::rules::Severity;

    fn some() -> Snapshot {
        let mut reset = connection();
        reset.teardown.by = By::Client;
        reset.teardown.how = How::Reset(ResetKind::Abort);
        reset.teardown.phase = Phase::Waiting;
        reset.teardown.orderly = false;
        reset.outcome = ConnectionOutcome::Failed(FailedReason::NoResponse);
        reset.last = frame_ref(11, 7000);
        reset.client = endpoint(7, 1234);
        let mut likely = connection();
        likely.teardown.certainty = Certainty::Likely;
        likely.sent[1].bytes = 2_000_000;
        let mut all = snapshot(vec![connection(), reset, likely]);
        all.findings = vec![Finding {
            id: 1,
            example: None,
            rule: "keep-alive-race",
            severity: Severity::Error,
            certainty: Certainty::Certain,
            connections: vec![2, 3],
            gone: 0,
            times: 1,
            client: None,
            server: None,
            proxy: Default::default(),
            caused_by: None,
            summary: "requests crossed the close".into(),
            message: Default::default(),
            evidence: Vec::new(),
            remedies: Vec::new(),
        }];
        all
    }

    #[track_caller]
    fn check(line: &str, ids: &[u32]) {
        let all = some();
        let findings_index = FindingsIndex::new(&all);
        let query = Filter::parse(line).unwrap();
        let chosen = FilterEvaluator::new(&query, &all, &findings_index).chosen();
        let found: Vec<_> = chosen.rows.iter().map(|row| row + 1).collect();
        assert_eq!(found, ids, "{line}");
    }

    /// Connections whose details are given up have no row, and a filter that asks for them says how many there are.
    #[test]
    fn what_has_no_row_is_counted() {
        let mut all = some();
        all.findings[0].gone = 70;
        for (line, beyond) in [
            ("rule:race", 70),
            ("severity:error by:client", 70),
            ("rule:race -by:client", 70),
            ("-rule:race", 0),
            ("rule:tls", 0),
            ("by:client", 0),
        ] {
            let query = Filter::parse(line).unwrap();
            assert_eq!(query.beyond_rows(&all.findings), beyond, "{line}");
        }
    }

    #[test]
    fn tests_choose_connections() {
        for (line, ids) in [
            ("", &[1, 2, 3][..]),
            ("by:client", &[2]),
            ("-by:client", &[1, 3]),
            ("by:client or id:3", &[2, 3]),
            ("how:reset", &[2]),
            ("how:abort how:fin", &[]),
            ("how:fin", &[1, 3]),
            ("phase:waiting", &[2]),
            ("client:10.0.0.7", &[2]),
            ("client::1234", &[2]),
            ("address:10.0.0.0/24 -server:10.0.0.2:81", &[1, 2, 3]),
            ("port:80", &[1, 2, 3]),
            ("took:>5s", &[2]),
            ("took:<=60ms", &[1, 3]),
            ("bytes:>1MB", &[3]),
            ("rule:race", &[2, 3]),
            ("severity:error orderly:yes", &[3]),
            ("outcome:failed", &[2]),
            ("outcome:fine", &[1, 3]),
            ("reason:no-response", &[2]),
            ("severity:none", &[1]),
            ("finding:1", &[2, 3]),
            ("certainty:likely", &[3]),
            ("state:TIME-WAIT", &[1, 2, 3]),
            ("client-state:TIME-WAIT", &[]),
            ("frame:9", &[1, 2, 3]),
            ("frame:>9", &[]),
            ("requests:0", &[1, 2, 3]),
            ("status:5xx", &[]),
            ("10.0.0.7", &[2]),
            (".7:12", &[2]),
            ("crossed", &[2, 3]),
            ("\"client rst\"", &[2]),
            ("failed", &[2]),
            ("no-resp", &[2]),
            ("waiting", &[2]),
            ("RESET", &[2]),
            ("host:a", &[]),
        ] {
            check(line, ids);
        }
    }

    /// A connection whose requests were kept, one whose requests were not, and one that made none.
    #[test]
    fn what_was_not_kept_is_not_known() {
        let mut conversation = HttpConversation::new();
        let mut texts = crate::protocol::http::TextInterner::new();
        let request = b"GET /Login?x=1 HTTP/1.1\r\nHost: api.example\r\n\r\n";
        let from = crate::base::flow_end::FlowEnd::A;
        conversation.data(
            from,
            frame_ref(3, 5),
            request,
            request.len() as u32,
            &mut texts,
        );
        let mut kept = connection();
        kept.exchanges = conversation.exchanges().to_vec().into();
        let mut all = snapshot(vec![kept.clone(), kept, connection()]);
        all.connections.remove(1);
        let findings_index = FindingsIndex::new(&all);
        for (line, rows, unknown) in [
            ("host:API", &[0][..], 1usize),
            ("path:/login", &[0], 1),
            ("login", &[0], 1),
            ("-path:/logout", &[0, 2], 1),
            ("path:/login or id:2", &[0, 1], 0),
            ("method:post", &[], 1),
        ] {
            let query = Filter::parse(line).unwrap();
            let chosen = FilterEvaluator::new(&query, &all, &findings_index).chosen();
            assert_eq!(
                (&chosen.rows[..], chosen.unknown.len()),
                (rows, unknown),
                "{line}"
            );
        }
    }

    #[test]
    fn numbers_are_spelled() {
        for number in [0, 9, 10, 255, 65_535] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
