//! Evaluates a filter over a snapshot: which of its connections match.
//!
//! What does not depend on the row is computed first (which findings a name matches, which fixed words contain a text),
//! so that hundreds of thousands of rows can be filtered while the user types. Where the full record of a connection
//! was not kept, tests on its requests are undecidable: such connections are not selected, and counted.

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
    By, Connection, ConnectionSummary, How, Phase, ResetKind, Standing, Who,
};
use crate::base::net::Endpoint;
use crate::ladder::RecordedFact;
use crate::protocol::http::{Exchange, Protocol};
use crate::report::snapshot::{FindingsIndex, Snapshot};
use crate::rules::Finding;

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
    /// Connections for which the filter is undecidable, because their requests were not kept.
    pub unknown: u64,
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
    Said(RequestPart, String),
    Text(Box<TextTest>),
}

/// A text to search for, and the fixed words that contain it.
#[derive(Debug)]
struct TextTest {
    lower: String,
    /// Whether it could be a part of an address or port.
    is_numeric: bool,
    findings: Vec<bool>,
    by: [bool; By::WORDS.len()],
    /// In the order of [`MEANS`].
    how: [bool; MEANS.len()],
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
    findings: &'s [u32],
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
            node: node.map(|expr| FilterNode::new(expr, &snapshot.findings)),
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
            let row = FilterRow {
                connection_summary,
                record,
                findings: self.findings_index.numbers(connection_summary.id),
            };
            let told = match &self.node {
                None => Some(true),
                Some(node) => node.told(&row, &mut spelled),
            };
            match told {
                Some(true) => chosen.rows.push(place),
                Some(false) => {}
                None => chosen.unknown += 1,
            }
        }
        chosen
    }
}

impl FilterNode {
    fn new(expr: &FilterExpr, findings: &[Finding]) -> Self {
        let each =
            |parts: &[FilterExpr]| parts.iter().map(|part| Self::new(part, findings)).collect();
        let those = |wanted: &dyn Fn(&Finding) -> bool| {
            Self::Findings(findings.iter().map(wanted).collect())
        };
        match expr {
            FilterExpr::All(parts) => Self::All(each(parts)),
            FilterExpr::Any(parts) => Self::Any(each(parts)),
            FilterExpr::Not(part) => Self::Not(Box::new(Self::new(part, findings))),
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
                FilterTest::Said(part, text) => Self::Said(*part, text.to_lowercase()),
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
            Self::Said(part, text) => row.said(*part, text),
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
                Measure::Status => {
                    connection_summary.status != 0 && bound.holds(connection_summary.status.into())
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
                Measure::Finding => false,
            }
        }
        FilterTest::Unnamed => row.findings.is_empty(),
        // Resolved into nodes of their own.
        FilterTest::Rule(_)
        | FilterTest::Severity(_)
        | FilterTest::Said(..)
        | FilterTest::Text(_) => false,
    }
}

const fn end(connection_summary: &ConnectionSummary, who: Who) -> &Endpoint {
    match who {
        Who::Client => &connection_summary.client,
        Who::Server => &connection_summary.server,
    }
}

impl FilterRow<'_> {
    /// Whether a request or its response contains this text in that part.
    fn said(&self, part: RequestPart, lower: &str) -> Truth {
        if self.connection_summary.exchanges == 0 {
            return Some(false);
        }
        let mut exchanges = self
            .record
            .filter(|it| !it.exchanges.is_empty())?
            .exchanges
            .iter();
        Some(
            exchanges
                .any(|exchange| stack(exchange, part).is_some_and(|said| holds_text(said, lower))),
        )
    }
}

fn stack(exchange: &Exchange, part: RequestPart) -> Option<&[u8]> {
    let request = exchange.request.as_ref()?;
    match part {
        RequestPart::Method => exchange.method(),
        RequestPart::Host => Some(request.host.as_ref()?.as_bytes()),
        RequestPart::Target => Some(request.target.as_ref()?.as_bytes()),
        RequestPart::Agent => Some(request.user_agent.as_ref()?.as_bytes()),
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

impl TextTest {
    fn new(text: &str, findings: &[Finding]) -> Self {
        let lower = text.to_lowercase();
        let is_in = |word: &str| word.to_ascii_lowercase().contains(&lower);
        let numeric =
            |char: char| char.is_ascii_hexdigit() || matches!(char, '.' | ':' | '[' | ']');
        Self {
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
            phase: std::array::from_fn(|at| is_in(Phase::WORDS[at].1)),
            protocol: std::array::from_fn(|at| is_in(Protocol::WORDS[at].1)),
            lower,
        }
    }

    fn told(&self, row: &FilterRow<'_>, spelled: &mut String) -> Truth {
        let connection_summary = row.connection_summary;
        let at = |found: &[bool], place: Option<usize>| {
            place.and_then(|it| found.get(it)).copied().unwrap_or(false)
        };
        let found = at(
            &self.by,
            By::WORDS
                .iter()
                .position(|(by, _)| *by == connection_summary.by),
        ) || at(
            &self.how,
            MEANS.iter().position(|how| *how == connection_summary.how),
        ) || at(
            &self.phase,
            Phase::WORDS
                .iter()
                .position(|(phase, _)| *phase == connection_summary.phase),
        ) || at(
            &self.protocol,
            Protocol::WORDS
                .iter()
                .position(|(it, _)| *it == connection_summary.protocol),
        ) || names(row, &self.findings)
            || self.is_numeric
                && [connection_summary.client, connection_summary.server]
                    .iter()
                    .any(|end| self.is_in_endpoint(end, spelled));
        if found {
            return Some(true);
        }
        let parts = [
            RequestPart::Target,
            RequestPart::Host,
            RequestPart::Method,
            RequestPart::Agent,
        ];
        let mut told = Some(false);
        for part in parts {
            match row.said(part, &self.lower) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => told = None,
            }
        }
        told
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
            rule: "keep-alive-race",
            severity: Severity::Error,
            certainty: Certainty::Certain,
            connections: vec![2, 3],
            gone: 0,
            times: 1,
            client: None,
            server: None,
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
            ("host:API", &[0][..], 1),
            ("path:/login", &[0], 1),
            ("login", &[0], 1),
            ("-path:/logout", &[0, 2], 1),
            ("path:/login or id:2", &[0, 1], 0),
            ("method:post", &[], 1),
        ] {
            let query = Filter::parse(line).unwrap();
            let chosen = FilterEvaluator::new(&query, &all, &findings_index).chosen();
            assert_eq!(
                (&chosen.rows[..], chosen.unknown),
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
