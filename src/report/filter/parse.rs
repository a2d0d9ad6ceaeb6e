//! The parser: words become a filter, or an error that points at one of them.

use super::expr::FilterExpr;
use super::expr::FilterTest;
use std::ops::Range;

use super::Filter;
use super::error::FilterError;
use super::foreign;
use super::keys::{KEYS, named};
use super::lex::{self, FilterToken, FilterTokenKind, FilterValue, UnclosedQuote};
use super::wireshark::DisplayFilter;

/// Nesting depth of brackets and negations. Nobody types more, and a thousand would exhaust the stack.
const MAX_DEPTH: usize = 64;

/// The error for a Wireshark display filter, which offers its translation.
fn translated(line: &str, display: &DisplayFilter) -> FilterError {
    let (instead, reason) = match display.to_line() {
        Ok(instead) => (Some(instead), display.caution().map(str::to_owned)),
        Err(reason) => (None, Some(reason)),
    };
    let reason = reason.map_or_else(String::new, |it| format!(": {it}"));
    FilterError {
        at: 0..line.len(),
        message: format!("this is a Wireshark display filter{reason}"),
        instead,
    }
}

pub(super) fn parse(line: &str) -> Result<Filter, FilterError> {
    if let Some(display) = DisplayFilter::recognise(line) {
        return Err(translated(line, &display));
    }
    let tokens = lex::tokens(line).map_err(|UnclosedQuote(at)| FilterError {
        at: at..line.len(),
        message: "the quotation mark is not closed".to_owned(),
        instead: None,
    })?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: line.len(),
        depth: 0,
    };
    if tokens.is_empty() {
        return Ok(Filter::default());
    }
    let expr = parser.any()?;
    match parser.peek() {
        None => Ok(Filter { expr: Some(expr) }),
        // Parsing stops early only at a closing bracket.
        Some(token) => Err(FilterError {
            at: token.at.clone(),
            message: "nothing was opened that this bracket could close".to_owned(),
            instead: None,
        }),
    }
}

struct Parser<'t> {
    tokens: &'t [FilterToken<'t>],
    next: usize,
    end: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t FilterToken<'t>> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<&'t FilterToken<'t>> {
        let token = self.tokens.get(self.next);
        self.next += 1;
        token
    }

    fn any(&mut self) -> Result<FilterExpr, FilterError> {
        let mut parts = vec![self.all()?];
        while self
            .peek()
            .is_some_and(|token| token.kind == FilterTokenKind::Or)
        {
            self.next += 1;
            parts.push(self.all()?);
        }
        Ok(FilterExpr::any(parts))
    }

    fn all(&mut self) -> Result<FilterExpr, FilterError> {
        let mut parts = Vec::new();
        loop {
            match self.peek().map(|token| &token.kind) {
                None | Some(FilterTokenKind::Or | FilterTokenKind::Close) if !parts.is_empty() => {
                    return Ok(FilterExpr::all(parts));
                }
                Some(FilterTokenKind::And) if !parts.is_empty() => self.next += 1,
                _ => parts.push(self.one()?),
            }
        }
    }

    fn one(&mut self) -> Result<FilterExpr, FilterError> {
        let missing = |at: Range<usize>| FilterError {
            at,
            message: "a test is missing here".to_owned(),
            instead: None,
        };
        let Some(token) = self.take() else {
            return Err(missing(self.end..self.end));
        };
        match &token.kind {
            FilterTokenKind::Not | FilterTokenKind::Open if self.depth >= MAX_DEPTH => {
                Err(FilterError {
                    at: token.at.clone(),
                    message: "that is too deep".to_owned(),
                    instead: None,
                })
            }
            FilterTokenKind::Not => {
                self.depth += 1;
                let part = self.one()?;
                self.depth -= 1;
                Ok(FilterExpr::Not(Box::new(part)))
            }
            FilterTokenKind::Open => {
                self.depth += 1;
                let part = self.any()?;
                self.depth -= 1;
                match self.take() {
                    Some(FilterToken {
                        kind: FilterTokenKind::Close,
                        ..
                    }) => Ok(part),
                    _ => Err(FilterError {
                        at: token.at.clone(),
                        message: "the bracket is not closed".to_owned(),
                        instead: None,
                    }),
                }
            }
            FilterTokenKind::Close | FilterTokenKind::Or | FilterTokenKind::And => {
                Err(missing(token.at.clone()))
            }
            FilterTokenKind::Text(text) => {
                let rest = self.tokens.get(self.next..).unwrap_or_default();
                match foreign::read(token, rest)? {
                    Some((test, taken)) => {
                        self.next += taken;
                        Ok(test)
                    }
                    None => Ok(FilterExpr::Test(FilterTest::Text(text.clone()))),
                }
            }
            FilterTokenKind::Quoted(text) => Ok(FilterExpr::Test(FilterTest::Text(text.clone()))),
            FilterTokenKind::Keyed { key, values } => {
                let name = token.at.start..token.at.start + key.len();
                keyed(key, name, values)
            }
        }
    }
}

fn keyed(name: &str, at: Range<usize>, values: &[FilterValue]) -> Result<FilterExpr, FilterError> {
    let lower = name.to_ascii_lowercase();
    let Some((key, before)) = named(name) else {
        let like = nearest(&lower, KEYS.iter().map(|key| key.name));
        return Err(FilterError {
            at,
            message: format!(
                "there is no key `{name}`; to look for the text, put it in quotation marks"
            ),
            instead: like.map(str::to_owned),
        });
    };
    let tests = values.iter().map(|value| {
        let test = key
            .test(&format!("{before}{}", value.text))
            .map_err(|message| {
                let like = nearest(&value.text.to_ascii_lowercase(), key.words().into_iter());
                FilterError {
                    at: value.at.clone(),
                    message,
                    instead: like.map(str::to_owned),
                }
            });
        test.map(FilterExpr::Test)
    });
    Ok(FilterExpr::any(tests.collect::<Result<_, _>>()?))
}

/// Edit distance up to which a known word is suggested.
const MAX_DISTANCE: usize = 3;

/// The known word that was likely meant: one that begins with the word, otherwise the one with the smallest edit
/// distance.
fn nearest(word: &str, known: impl Iterator<Item = &'static str> + Clone) -> Option<&'static str> {
    if word.is_empty() {
        return None;
    }
    let begun = known
        .clone()
        .find(|name| name.to_ascii_lowercase().starts_with(word));
    begun.or_else(|| {
        let distance = |name: &&str| strsim::osa_distance(word, &name.to_ascii_lowercase());
        let best = known.min_by_key(distance)?;
        let most = MAX_DISTANCE.min(word.chars().count() / 2);
        (distance(&best) <= most).then_some(best)
    })
}

impl FilterExpr {
    /// All of `parts`, which must not be empty.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::All(parts) => parts,
            part => vec![part],
        });
        let mut flat: Vec<_> = flat.collect();
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::All(flat),
        }
    }

    /// Any of `parts`, which must not be empty.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Any(parts) => parts,
            part => vec![part],
        });
        let mut flat: Vec<_> = flat.collect();
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::Any(flat),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::connection::{By, Phase, ResetKind, State, Who};
    use crate::base::certainty::Certainty;
    use crate::report::filter::address::AddressTest;
    use crate::report::filter::amount::{AmountRange, Unit};
    use crate::report::filter::expr::{HowTest, Measure, RequestPart, SeverityTest};
    use crate::rules::Severity;

    #[track_caller]
    fn reads(line: &str, canonical: &str) {
        let query = Filter::parse(line).unwrap();
        assert_eq!(query.to_string(), canonical);
        assert_eq!(Filter::parse(canonical), Ok(query));
    }

    #[track_caller]
    fn wrong(line: &str, word: &str, message: &str, instead: Option<&str>) {
        let wrong = Filter::parse(line).unwrap_err();
        assert_eq!(&line[wrong.at.clone()], word, "{wrong:?}");
        assert!(wrong.message.contains(message), "{}", wrong.message);
        assert_eq!(wrong.instead.as_deref(), instead);
    }

    #[test]
    fn lines_are_read_and_written() {
        for (line, canonical) in [
            ("", ""),
            ("  ", ""),
            ("by:client", "by:client"),
            ("BY:Client", "by:client"),
            (
                "by:client how:reset phase:waiting",
                "by:client how:reset phase:waiting",
            ),
            ("by:client and how:reset", "by:client how:reset"),
            ("how:rst or how:timeout", "how:reset or how:silence"),
            ("code:502 ip:10.0.0.1", "status:502 address:10.0.0.1"),
            ("proto:h2 phase:idle", "protocol:http/2 phase:between"),
            ("id:#3 state:time_wait", "id:3 state:TIME-WAIT"),
            ("took:>1m30s", "took:>90s"),
            (
                "server:10.0.0.2:80 status:5xx",
                "server:10.0.0.2:80 status:5xx",
            ),
            ("client:10.9.8.7/8", "client:10.0.0.0/8"),
            ("server:[2001:db8::/32]:443", "server:[2001:db8::/32]:443"),
            ("server:::1", "server:::1"),
            ("took:>5s bytes:<1.5MB", "took:>5s bytes:<1500kb"),
            ("took:5 waited:1500ms..2s", "took:>=5s waited:1500ms..2s"),
            (
                "rule:keep-alive-race host:api",
                "rule:keep-alive-race host:api",
            ),
            (
                "by:client,server how:fin",
                "(by:client or by:server) how:fin",
            ),
            ("a b or c", "a b or c"),
            ("a (b or c)", "a (b or c)"),
            ("(a b) c", "a b c"),
            ("-a", "-a"),
            ("not how:reset", "-how:reset"),
            ("-(a b) !c", "-(a b) -c"),
            ("- -a", "--a"),
            (
                "state:time-wait client-state:CLOSED",
                "state:TIME-WAIT client-state:CLOSED",
            ),
            (
                "severity:>=warning or severity:none",
                "severity:>=warning or severity:none",
            ),
            ("10.0.0.2:80", "10.0.0.2:80"),
            ("fe80::1 dead::beef", "fe80::1 dead::beef"),
            ("\"a b\" \"or\" \"x:y\"", "\"a b\" \"or\" \"x:y\""),
            ("\"a\\\"b\\\\\"", "a\"b\\"),
        ] {
            if canonical == "a\"b\\" {
                reads(line, line);
            } else {
                reads(line, canonical);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        wrong("by:client hwo:reset", "hwo", "no key", Some("how"));
        wrong("by:clinet", "clinet", "client, server", Some("client"));
        wrong("by:client,serv", "serv", "takes", Some("server"));
        wrong("by:", "", "takes client", None);
        wrong("took:>5parsecs", ">5parsecs", "a time", None);
        wrong("server:10.0.0", "10.0.0", "an address", None);
        wrong(
            "rule:keep-alive-rcae",
            "keep-alive-rcae",
            "no rule",
            Some("keep-alive-race"),
        );
        wrong("http://x", "http", "quotation marks", None);
        wrong("a or", "", "missing", None);
        wrong("a or or b", "or", "missing", None);
        wrong("(a b", "(", "not closed", None);
        wrong("a b)", ")", "nothing was opened", None);
        wrong("()", ")", "missing", None);
        wrong("a -", "", "missing", None);
        wrong("a \"b", "\"b", "not closed", None);
        wrong("host:", "", "a text", None);
        let display = "ip.addr == 10.0.0.1 && tcp.flags.reset == 1";
        wrong(
            display,
            display,
            "Wireshark display filter: how: is what ended",
            Some("address:10.0.0.1 how:reset"),
        );
        wrong("tcp.len>0", "tcp.len>0", "`tcp.len` has no equal", None);
        let deep = "(".repeat(100);
        assert!(
            Filter::parse(&deep)
                .unwrap_err()
                .message
                .contains("too deep")
        );
    }

    fn test() -> impl Strategy<Value = FilterTest> {
        let unit = prop_oneof![
            Just(Measure::Took),
            Just(Measure::Bytes),
            Just(Measure::Status),
            Just(Measure::Id)
        ];
        let bound = prop_oneof![
            any::<u64>().prop_map(AmountRange::Over),
            any::<u64>().prop_map(AmountRange::AtLeast),
            any::<u64>().prop_map(AmountRange::Under),
            any::<u64>().prop_map(AmountRange::AtMost),
            any::<u64>().prop_map(AmountRange::Is),
            any::<(u64, u64)>()
                .prop_map(|(one, two)| AmountRange::Between(one.min(two), one.max(two))),
            (1..9u64).prop_map(|hundred| AmountRange::Between(hundred * 100, hundred * 100 + 99)),
        ];
        let place = prop_oneof![
            any::<u16>().prop_map(|port| format!(":{port}")),
            (any::<u32>(), 0..=32u8, any::<u16>()).prop_map(|(ip, bits, port)| format!(
                "{}/{bits}:{port}",
                std::net::Ipv4Addr::from(ip)
            )),
            (any::<u128>(), 0..=128u8)
                .prop_map(|(ip, bits)| format!("{}/{bits}", std::net::Ipv6Addr::from(ip))),
            (any::<u128>(), 0..=128u8, any::<u16>()).prop_map(|(ip, bits, port)| format!(
                "[{}/{bits}]:{port}",
                std::net::Ipv6Addr::from(ip)
            )),
        ];
        let who = proptest::option::of(prop_oneof![Just(Who::Client), Just(Who::Server)]);
        prop_oneof![
            Just(FilterTest::By(By::Nobody)),
            Just(FilterTest::How(HowTest::Kind(ResetKind::NoSocket))),
            Just(FilterTest::Phase(Phase::ResponseBody)),
            Just(FilterTest::Orderly(false)),
            Just(FilterTest::Certainty(Certainty::Likely)),
            (who.clone(), 0..11usize)
                .prop_map(|(who, state)| FilterTest::State(who, State::ALL[state])),
            (who, place).prop_map(|(who, place)| FilterTest::Place(
                who,
                AddressTest::read(&place).unwrap()
            )),
            (unit, bound).prop_map(|(unit, bound)| FilterTest::Amount(unit, bound)),
            Just(FilterTest::Rule("race".to_owned())),
            Just(FilterTest::Severity(SeverityTest::AtLeast(Severity::Note))),
            Just(FilterTest::Unnamed),
            "[ -~é]{1,6}".prop_map(|text| FilterTest::Said(RequestPart::Host, text)),
            any::<String>().prop_map(FilterTest::Text),
        ]
    }

    fn expr() -> impl Strategy<Value = FilterExpr> {
        test()
            .prop_map(FilterExpr::Test)
            .prop_recursive(4, 24, 4, |inner| {
                prop_oneof![
                    proptest::collection::vec(inner.clone(), 1..4).prop_map(FilterExpr::all),
                    proptest::collection::vec(inner.clone(), 1..4).prop_map(FilterExpr::any),
                    inner.prop_map(|part| FilterExpr::Not(Box::new(part))),
                ]
            })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(expr in expr()) {
            let query = Filter { expr: Some(expr) };
            let text = query.to_string();
            let back = Filter::parse(&text);
            prop_assert_eq!(back, Ok(query), "{}", text);
        }

        #[test]
        fn no_line_makes_it_panic(line: String, likely in "[a-z:\"()., >=0-9-]{0,40}") {
            for line in [line, likely] {
                if let Err(wrong) = Filter::parse(&line) {
                    prop_assert!(line.get(wrong.at).is_some());
                }
            }
        }
    }

    #[test]
    fn units_are_exact() {
        assert_eq!(
            AmountRange::read("1.000000001s", Unit::Time),
            Ok(AmountRange::AtLeast(1_000_000_001))
        );
    }
}
