//! A name was looked up, and no address was found.

use crate::base::format::{counted, duration};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::time::Timestamp;
use crate::protocol::dns::{Lookup, RecordType};
use crate::rules::Remedy;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::shows;
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// A host asked a name server for the address of a name and got none: there is no such name (NXDOMAIN), the server could
    /// not find out (SERVFAIL) or would not say (REFUSED), or it did not answer at all, though it was asked again. No
    /// connection to that name followed. The program says "The remote name could not be resolved", `ENOTFOUND`, `EAI_AGAIN`,
    /// "Name or service not known", "Could not resolve host" (curl 6), `NXDOMAIN`, "no such host".
    ///
    /// # Why it matters
    ///
    /// Nothing was sent to the server, nor can its log hold anything: the fault lies in the name, in the host's setting, or at
    /// the name server.
    ///
    /// # Remedy
    ///
    /// - On NXDOMAIN, check the spelling of the name in the program's setting, and that the zone has it; inside containers, the
    ///   search list too (`search` and `ndots` in `/etc/resolv.conf`).
    /// - On SERVFAIL, look at the name server: its own servers may not answer, or the signatures of the zone may be wrong (`dig
    ///   +cd` answers then).
    /// - On REFUSED, ask a server that serves this host; check its list of allowed clients.
    /// - On silence, check the address of the name server and the way there (UDP and TCP port 53).
    ///
    /// # Example
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example  -->
    ///  0.020                     <--  nxdomain
    ///  => findings name-resolution-failed
    /// ```
    ///
    /// # Not this
    ///
    /// Suffixes of a search list are tried until one fits:
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example.svc.local -->
    ///  0.010                     <--  nxdomain
    ///  0.020  lookup shop.example -->
    ///  0.030                     <--  address 10.0.0.2
    /// ```
    ///
    /// There is no address of IPv6, but one of IPv4:
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example aaaa -->
    ///  0.010                     <--  nxdomain
    ///  0.020  lookup shop.example -->
    ///  0.030                     <--  address 10.0.0.2
    /// ```
    ///
    /// Another server knows:
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example -->
    ///  0.010                     <--  servfail
    /// client :5001 server 10.0.0.54:53
    ///  0.020  lookup shop.example -->
    ///  0.030                     <--  address 10.0.0.2
    /// ```
    ///
    /// A connection to that name follows, so its address is known from elsewhere:
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example -->
    ///  0.010                     <--  nxdomain
    /// client 10.0.0.1:40000 server
    ///  0.100  SYN                -->
    ///  0.110                     <--  SYN
    ///  0.120  GET / [host=shop.example] -->
    ///  0.140                     <--  200 "hello"
    /// ```
    ///
    /// Neighbours are asked at other ports (mDNS, LLMNR), and their silence means nothing:
    ///
    /// ```ladder
    /// client :5353 server 224.0.0.251:5353
    ///  0.000  lookup printer.local -->
    ///  1.000  lookup printer.local -->
    ///  3.000  lookup printer.local -->
    /// 30.000  lookup printer.local -->
    /// ```
    ///
    /// The answer may come after the end of the capture:
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example -->
    ///  0.500  lookup shop.example -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 1034 §4.3.1, RFC 1035 §4.1.1 (codes), RFC 2308 (what is not there), RFC 6762 and RFC 4795 (neighbours).
    pub(super) RULE: "name-resolution-failed", Severity::Error,
    "a name was looked up, and there was no address to be had", Check::All(check)
}

/// A DNS server that has not answered this long after the last query will not.
const PATIENCE: Duration = Duration::from_secs(2);
/// The suffixes of a search list are tried within this time.
const SEARCH: Duration = Duration::from_secs(30);
/// One client failing with this many names is scanning: no program's configuration has so many.
const A_SCAN: usize = 20;

/// The lookups of one name by one client.
struct LookedUpName<'a> {
    lookups: Vec<&'a Lookup>,
}

impl<'a> LookedUpName<'a> {
    fn is_known(&self) -> bool {
        self.lookups
            .iter()
            .filter_map(|it| it.answer)
            .any(|answer| answer.code == 0 || answer.is_truncated)
    }

    /// The most specific lookup, and how it failed.
    fn failure(
        &self,
        facts: &RuleInput<'_>,
        silence_tells: bool,
    ) -> Option<(&'a Lookup, LookupFailure)> {
        let told = |code: u8| {
            self.lookups
                .iter()
                .copied()
                .find(|it| it.answer.is_some_and(|answer| answer.code == code))
        };
        for (code, failure) in [
            (3, LookupFailure::NoSuchName),
            (2, LookupFailure::ServerFailed),
            (5, LookupFailure::Refused),
        ] {
            if let Some(lookup) = told(code) {
                return Some((lookup, failure));
            }
        }
        let tries: u32 = self.lookups.iter().map(|it| it.tries).sum();
        let silent = self.lookups.iter().all(|it| it.answer.is_none());
        let last = self.lookups.iter().map(|it| it.last.time).max()?;
        // Queries for both address types are not a repetition.
        let kinds: BTreeSet<_> = self.lookups.iter().map(|it| it.kind).collect();
        let again = tries as usize > kinds.len();
        let over = facts.end.since(last) >= PATIENCE;
        (silent && again && over && silence_tells).then(|| {
            Some((
                *self.lookups.first()?,
                LookupFailure::Silence { tries, last },
            ))
        })?
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LookupFailure {
    NoSuchName,
    ServerFailed,
    Refused,
    Silence { tries: u32, last: Timestamp },
}

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let lookups = facts.lookups.all();
    if lookups.is_empty() {
        return Vec::new();
    }
    let mut names: BTreeMap<(IpAddr, &[u8]), LookedUpName<'_>> = BTreeMap::new();
    for lookup in lookups {
        if matches!(lookup.kind, RecordType::A | RecordType::Aaaa)
            && is_asked_by_programs(&lookup.name)
        {
            let name = names
                .entry((lookup.client, &lookup.name))
                .or_insert(LookedUpName {
                    lookups: Vec::new(),
                });
            name.lookups.push(lookup);
        }
    }
    let any_answer = lookups.iter().any(|it| it.answer.is_some());
    let silence_tells = any_answer || !hosts.halves().misses_a_direction();
    let reached: BTreeSet<(IpAddr, u32)> = hosts
        .connections
        .iter()
        .map(|it| (it.client.ip, it.name))
        .collect();
    let mut failed: BTreeMap<IpAddr, Vec<(&Lookup, LookupFailure)>> = BTreeMap::new();
    for ((client, text), name) in &names {
        if name.is_known() || reached.contains(&(*client, ConnectionSummary::digest_name(text))) {
            continue;
        }
        let Some((lookup, failure)) = name.failure(facts, silence_tells) else {
            continue;
        };
        if !is_search_try(&names, *client, text, lookup) {
            failed.entry(*client).or_default().push((lookup, failure));
        }
    }
    failed.into_values().flat_map(tell_client).collect()
}

/// Whether the name could be in a program's configuration; lookups that services and browsers make by themselves are
/// expected to fail.
fn is_asked_by_programs(name: &[u8]) -> bool {
    let labels = || name.split(|byte| *byte == b'.');
    let numbers = labels()
        .take_while(|label| !label.is_empty() && label.iter().all(u8::is_ascii_digit))
        .count();
    // A reversed address before a zone is a query to a DNS blocklist, where a negative answer is normal (RFC 5782).
    numbers < 4 && labels().all(|label| !label.starts_with(b"_"))
}

/// Whether the name is expected to fail: single labels come from search lists and from browsers' random probes; every
/// Windows host looks up `wpad` and `isatap`.
fn is_expected(name: &[u8]) -> bool {
    let first = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    first.len() == name.len() || matches!(first, b"wpad" | b"isatap")
}

/// Whether another form of this name was looked up in the same search: with a suffix, or without.
fn is_search_try(
    names: &BTreeMap<(IpAddr, &[u8]), LookedUpName<'_>>,
    client: IpAddr,
    text: &[u8],
    lookup: &Lookup,
) -> bool {
    let near = |other: &LookedUpName<'_>| {
        other.lookups.iter().any(|it| {
            let (one, two) = (it.asked.time, lookup.asked.time);
            one.since(two) <= SEARCH && two.since(one) <= SEARCH
        })
    };
    // A shorter form is the more specific evidence, whatever its result.
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    let shorter = ends
        .filter_map(|(at, _)| names.get(&(client, text.get(..at)?)))
        .any(near);
    // A longer form counts only if it was found.
    let longer = names
        .range((client, text)..)
        .skip(1)
        .take_while(|((other, name), _)| *other == client && name.starts_with(text))
        .filter(|((_, name), _)| name.get(text.len()) == Some(&b'.'))
        .any(|(_, name)| name.is_known() && near(name));
    shorter || longer
}

fn tell_client(failed: Vec<(&Lookup, LookupFailure)>) -> Vec<HostDiagnosis> {
    let mut all = Vec::new();
    let mut silent: BTreeMap<IpAddr, Vec<(&Lookup, LookupFailure)>> = BTreeMap::new();
    let mut told = Vec::new();
    for (lookup, failure) in failed {
        match failure {
            LookupFailure::Silence { .. } => silent
                .entry(lookup.server.ip)
                .or_default()
                .push((lookup, failure)),
            _ => told.push((lookup, failure)),
        }
    }
    // An unresponsive DNS server is one fault, whatever the query.
    for mut names in silent.into_values() {
        names.sort_by_key(|(lookup, _)| lookup.asked);
        let (first, failure) = names[0];
        let mut one = story(first, failure);
        if names.len() > 1 {
            one.message.say(sentence!(
                "So it went with {}.",
                counted(names.len() - 1, "other name")
            ));
        }
        all.push(found(first, one));
    }
    all.extend(tell_answers(told));
    all
}

fn tell_answers(failed: Vec<(&Lookup, LookupFailure)>) -> Vec<HostDiagnosis> {
    if failed.len() < A_SCAN {
        return failed
            .into_iter()
            .map(|(lookup, failure)| found(lookup, story(lookup, failure)))
            .collect();
    }
    let (first, failure) = failed[0];
    let mut told = story(first, failure);
    told.severity = Severity::Note;
    told.summary = "very many names were looked up in vain by one client".into();
    let first_told = std::mem::take(&mut told.message);
    told.message.say(sentence!(
        "{} were looked up in vain by one client, which is how a scanner works, or a server that looks up names for \
         others. The first:",
        counted(failed.len(), "name")
    ));
    told.message.append(first_told);
    vec![found(first, told)]
}

fn found(lookup: &Lookup, story: Diagnosis) -> HostDiagnosis {
    HostDiagnosis {
        story,
        client: Some(lookup.client),
        server: Some(lookup.server),
        connections: Vec::new(),
        first: lookup.asked.frame,
    }
}

fn story(lookup: &Lookup, failure: LookupFailure) -> Diagnosis {
    let name = shortened(&lookup.name, 80);
    let (client, server) = (lookup.client, lookup.server.ip);
    let (what, note) = match failure {
        LookupFailure::NoSuchName => (
            format!("{server} said that there is no such name (NXDOMAIN)"),
            "NXDOMAIN: no such name",
        ),
        LookupFailure::ServerFailed => (
            format!("{server} said that it could not find out (SERVFAIL)"),
            "SERVFAIL: the name server failed",
        ),
        LookupFailure::Refused => (
            format!("{server} would not say (REFUSED)"),
            "REFUSED: the name server does not answer this",
        ),
        LookupFailure::Silence { tries, last } => (
            format!(
                "{server} did not answer; it was asked {} in {}",
                counted(tries as usize, "time"),
                duration(last.since(lookup.asked.time))
            ),
            "",
        ),
    };
    let severity = if failure == LookupFailure::NoSuchName && is_expected(&lookup.name) {
        Severity::Note
    } else {
        Severity::Error
    };
    let mut evidence = vec![shows(lookup.asked, format!("the question for {name}"))];
    evidence.extend(lookup.answer.map(|answer| shows(answer.at, note)));
    Diagnosis {
        severity,
        certainty: Certainty::Likely,
        summary: "names were looked up in vain".into(),
        message: format!(
            "{client} looked up {name}, and {what}. No address of it was found in this capture, and no connection to it followed."
        ).into(),
        evidence,
        remedies: remedies(failure),
    }
}

/// The point of the page's remedy for this failure; the page lists them in this order.
fn remedies(failure: LookupFailure) -> Vec<Remedy> {
    let place = match failure {
        LookupFailure::NoSuchName => 0,
        LookupFailure::ServerFailed => 1,
        LookupFailure::Refused => 2,
        LookupFailure::Silence { .. } => 3,
    };
    RULE.remedies().into_iter().skip(place).take(1).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::{Severity, ladder_check};

    fn told(text: &str) -> Option<String> {
        let text = format!("client :5000 server 10.0.0.53:53\n{text}");
        ladder_check::told_by(&RULE, &text)
    }

    #[test]
    fn each_way_to_fail_is_told() {
        for (answer, words) in [
            ("nxdomain", "no such name"),
            ("servfail", "could not find out"),
            ("refused", "would not say"),
        ] {
            let text =
                format!("client :5000 server 10.0.0.53:53\nlookup shop.example -->\n<-- {answer}");
            let found = ladder_check::found_by(&RULE, &text).expect("found");
            let said = found.message;
            assert!(
                said.contains(words) && said.contains("shop.example"),
                "{said}"
            );
            let remedy = found.remedies.first().expect("there is one");
            assert!(remedy.to_lowercase().contains(answer), "{remedy}");
        }
        let silence = "lookup shop.example -->\n+5s lookup shop.example -->\n";
        let later = "client :40000 server\n+9s SYN -->\n<-- SYN\nACK -->";
        let said = told(&format!("{silence}{later}")).expect("found");
        assert!(said.contains("2 times in 5.00 s"), "{said}");
        assert_eq!(told(silence), None, "its answer may still come");
        let both = format!("lookup shop.example -->\nlookup shop.example aaaa -->\n{later}");
        assert_eq!(told(&both), None, "two kinds, each asked once");
    }

    #[test]
    fn what_is_expected_to_fail_is_a_note_at_most() {
        let severity = |name: &str| {
            let text = format!("client :5000 server 10.0.0.53:53\nlookup {name} -->\n<-- nxdomain");
            ladder_check::found_by(&RULE, &text).map(|found| found.severity)
        };
        assert_eq!(severity("shop.example"), Some(Severity::Error));
        assert_eq!(severity("wpad.corp.example"), Some(Severity::Note));
        assert_eq!(severity("kjqhwkeqwh"), Some(Severity::Note));
        assert_eq!(severity("_ldap._tcp.corp.example"), None);
        assert_eq!(severity("1.0.0.10.list.example"), None);
    }

    #[test]
    fn one_client_with_very_many_names_is_told_once() {
        let mut text = "client :5000 server 10.0.0.53:53\n".to_owned();
        for number in 0..30 {
            text.push_str(&format!("lookup a{number}.example -->\n<-- nxdomain\n"));
        }
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let [finding] = &findings[..] else {
            panic!("one finding, not {}", findings.len())
        };
        assert_eq!(finding.severity, Severity::Note);
        assert!(
            finding.message.starts_with("30 names"),
            "{}",
            finding.message
        );
    }
}
