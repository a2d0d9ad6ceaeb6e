//! A name was looked up, and no address was found.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dns::{Lookup, RecordType};
use crate::rules::Remedy;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// A host asked a name server for the address of a name and got none. The name does not exist (NXDOMAIN), the name
    /// server failed (SERVFAIL) or refused the query (REFUSED), or no reply came although the query was repeated. No
    /// connection to that name followed.
    ///
    /// A query that a DNS tool or a resolver sent is a note. Where the client has no connection in the capture, the finding is a
    /// warning.
    ///
    /// The program says "The remote name could not be resolved", `ENOTFOUND`, `EAI_AGAIN`, or "Name or service not known".
    /// Others say "Could not resolve host" (curl 6), `NXDOMAIN`, or "no such host".
    ///
    /// # Why it matters
    ///
    /// Nothing was sent to the server, so its log cannot show anything. The fault is in the name, in the host's settings, or
    /// at the name server.
    ///
    /// # Remedy
    ///
    /// - On NXDOMAIN, check the spelling of the name in the program's settings, and that the zone has it. Inside containers,
    ///   check the search list too (`search` and `ndots` in `/etc/resolv.conf`).
    /// - On SERVFAIL, check the name server: its own servers may not answer, or the zone's signatures may be wrong (then
    ///   `dig +cd` gets an answer).
    /// - On REFUSED, use a name server that serves this host, or check its list of allowed clients.
    /// - On silence, check the address of the name server and the path to it (UDP and TCP port 53).
    ///
    /// # Tell it by
    ///
    /// No SYN goes to the server. The last packets before the error are a DNS query, and a reply without an address or none
    /// at all.
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
    /// There is no address of IPv6, but there is one of IPv4:
    ///
    /// ```ladder
    /// client :5000 server 10.0.0.53:53
    ///  0.000  lookup shop.example aaaa -->
    ///  0.010                     <--  nxdomain
    ///  0.020  lookup shop.example -->
    ///  0.030                     <--  address 10.0.0.2
    /// ```
    ///
    /// Another name server knows the name:
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
    /// Neighbours are asked on other ports (mDNS, LLMNR), and their silence means nothing:
    ///
    /// ```ladder
    /// client :5353 server 224.0.0.251:5353
    ///  0.000  lookup printer.local -->
    ///  1.000  lookup printer.local -->
    ///  3.000  lookup printer.local -->
    /// 30.000  lookup printer.local -->
    /// ```
    ///
    /// The reply may come after the end of the capture:
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
    "a name is looked up, and no address is found", Check::All(check)
}

/// A DNS server that has not answered this long after the last query will not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Resolvers ask again after this time at the soonest.
const FIRST_TRY: Duration = Duration::from_millis(900);
/// A name that had no answer for this long failed, even if it is still asked for when the capture ends.
const LONG_SILENCE: Duration = Duration::from_secs(15);
/// The suffixes of a search list are tried within this time.
const SEARCH: Duration = Duration::from_secs(30);
/// One client failing with this many names is scanning: no program's configuration has so many.
const A_SCAN: usize = 20;
/// Of so many names that do not exist, some are looked up in the background.
const SEVERAL: usize = 3;
/// Names that are listed.
const LISTED: usize = 4;

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

    /// How it failed.
    fn failure(&self, facts: &RuleInput<'_>, silence_tells: bool) -> Option<FailedLookup<'a>> {
        let tries: u32 = self.lookups.iter().map(|it| it.tries).sum();
        let last = self.lookups.iter().map(|it| it.last).max()?;
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
                return Some(FailedLookup {
                    lookup,
                    failure,
                    tries,
                    last,
                    servers: vec![lookup.server.ip],
                });
            }
        }
        let silent = self.lookups.iter().all(|it| it.answer.is_none());
        // Queries for both address types are not a repetition.
        let kinds: BTreeSet<_> = self.lookups.iter().map(|it| it.kind).collect();
        let again = tries as usize > kinds.len();
        let first = self.lookups.iter().map(|it| it.asked.time).min()?;
        // A query that was repeated and is over failed, whether or not the name is asked for anew after it.
        let mut repeated = self.lookups.iter().filter(|it| it.tries > 1);
        let over = repeated.any(|it| facts.end.since(it.last.time) >= PATIENCE)
            || facts.end.since(last.time) >= PATIENCE
            || facts.end.since(first) >= LONG_SILENCE;
        // Who repeats a query has heard nothing, also where only one direction was captured.
        let unheard = self.lookups.iter().all(|it| it.tries > 1);
        // Two queries within a moment are those of two programs, or for two kinds.
        let repeated = last.time.since(first) >= FIRST_TRY;
        let told = repeated && (again && silence_tells || unheard && !over);
        (silent && told).then(|| {
            Some(FailedLookup {
                lookup: self.lookups.first()?,
                failure: match over {
                    true => LookupFailure::Silence,
                    false => LookupFailure::NoReplyYet,
                },
                tries,
                last,
                servers: servers(self.lookups.iter().map(|it| it.server.ip)),
            })
        })?
    }
}

/// These addresses, each once, in order of appearance.
fn servers(all: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut once = Vec::new();
    for server in all {
        if !once.contains(&server) {
            once.push(server);
        }
    }
    once
}

/// In the order of the page's remedies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LookupFailure {
    NoSuchName,
    ServerFailed,
    Refused,
    Silence,
    /// Silence, and the capture ends before the last query was given up.
    NoReplyYet,
}

impl LookupFailure {
    /// Whether no reply came.
    const fn is_silent(self) -> bool {
        matches!(self, Self::Silence | Self::NoReplyYet)
    }
}

/// A name for which no address was found.
#[derive(Clone)]
struct FailedLookup<'a> {
    /// The most specific lookup.
    lookup: &'a Lookup,
    failure: LookupFailure,
    /// How often it was asked, and when last.
    tries: u32,
    last: FrameRef,
    /// The name servers that this is about, each once.
    servers: Vec<IpAddr>,
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
    let mut failed: BTreeMap<IpAddr, Vec<FailedLookup<'_>>> = BTreeMap::new();
    for ((client, text), name) in &names {
        if name.is_known() || reached.contains(&(*client, ConnectionSummary::digest_name(text))) {
            continue;
        }
        let Some(failure) = name.failure(facts, silence_tells) else {
            continue;
        };
        if !is_search_try(&names, *client, text, failure.lookup) {
            failed.entry(*client).or_default().push(failure);
        }
    }
    // A lookup over TCP is no use of a name.
    let used = || hosts.connections.iter().filter(|it| it.server.port != DNS);
    let present = used().flat_map(|it| [it.client.ip, it.server.ip]);
    let present: BTreeSet<IpAddr> = present.collect();
    let works = used().filter(|it| it.opening == Opening::Handshake && it.seen[1]);
    let works: BTreeSet<IpAddr> = works.map(|it| it.client.ip).collect();
    // What came to a client shows that the capture has that direction.
    let answered = lookups.iter().filter(|it| it.answer.is_some());
    let answered: BTreeSet<IpAddr> = answered.map(|it| it.client).collect();
    let heard = hosts.connections.iter();
    let heard = heard.flat_map(|it| {
        let client = it.seen[1].then_some(it.client.ip);
        client.into_iter().chain(it.seen[0].then_some(it.server.ip))
    });
    let heard: BTreeSet<IpAddr> = heard.chain(answered).collect();
    let told = failed.into_iter();
    let told = told.map(|(client, names)| {
        let asker = Asker {
            connected: works.contains(&client),
            heard: heard.contains(&client),
            present: present.contains(&client),
        };
        tell_client(names, asker)
    });
    told.flatten().collect()
}

/// The port of name servers.
const DNS: u16 = 53;

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
/// Windows host looks up `wpad`, `isatap` and the server of Teredo, which is switched off; and systems try the local domains of homes and of neighbours (RFC 6762, RFC
/// 8375) and reversed addresses at any name server.
fn is_expected(name: &[u8]) -> bool {
    const LOCAL: [&[u8]; 6] = [
        b"local",
        b"lan",
        b"home",
        b"localdomain",
        b"workgroup",
        b"arpa",
    ];
    let mut labels = name.split(|byte| *byte == b'.');
    let first = labels.next().unwrap_or_default();
    let more = labels.clone().count();
    let last = labels.next_back().unwrap_or_default();
    // Names inside clusters end in `local` as well, and are longer.
    let local = LOCAL.contains(&last) && (more == 1 || last == b"arpa");
    more == 0 || local || matches!(first, b"wpad" | b"isatap" | b"teredo")
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
    // A shorter form is the more specific evidence, with any result.
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

/// What the failures of one client have in common, for one finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    failure: LookupFailure,
    /// The name server that failed, unless the name itself is at fault.
    server: Option<IpAddr>,
    is_expected: bool,
}

/// What the capture has of a client beside its lookups.
#[derive(Clone, Copy)]
struct Asker {
    /// It opened connections that were answered, so it works on the whole.
    connected: bool,
    /// There are packets to it.
    heard: bool,
    /// It has connections. Where there are none, what it asked for cannot be seen to be missing.
    present: bool,
}

/// The findings of one client.
fn tell_client(failed: Vec<FailedLookup<'_>>, asker: Asker) -> Vec<HostDiagnosis> {
    let mut kinds: BTreeMap<Kind, Vec<FailedLookup<'_>>> = BTreeMap::new();
    for it in failed {
        let names = it.failure == LookupFailure::NoSuchName;
        let kind = Kind {
            failure: it.failure,
            // An unresponsive or broken name server is one fault, for all queries.
            server: (!names).then_some(it.lookup.server.ip),
            is_expected: names && is_expected(&it.lookup.name),
        };
        kinds.entry(kind).or_default().push(it);
    }
    let kinds = kinds.into_iter();
    kinds
        .filter_map(|(kind, mut names)| {
            names.sort_by_key(|it| it.lookup.asked);
            let first = names.first()?.lookup;
            Some(HostDiagnosis {
                story: story(kind, &names, asker),
                client: Some(first.client),
                server: Some(first.server),
                connections: Vec::new(),
                first: first.asked.frame,
                // Two clients may have looked up the same names: these are counted for each.
                times: 1,
            })
        })
        .collect()
}

fn is_scan(kind: Kind, names: &[FailedLookup<'_>]) -> bool {
    names.len() >= A_SCAN && !kind.failure.is_silent()
}

fn story(kind: Kind, names: &[FailedLookup<'_>], asker: Asker) -> Diagnosis {
    let Asker {
        connected,
        heard,
        present,
    } = asker;
    let nowhere = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let first = names.first().map(|it| it.lookup);
    let client = first.map_or(nowhere, |it| it.client);
    let servers = servers(names.iter().flat_map(|it| it.servers.iter().copied()));
    let several = servers.len() > 1;
    let server = servers.iter().take(LISTED);
    let server = server.map(|it| it.to_string().into()).collect();
    let server = Value::Words(server, servers.len() > LISTED);
    let listed = names.iter().take(LISTED);
    let listed = listed.map(|it| shortened(&it.lookup.name, 80).into_owned().into());
    let listed: Vec<std::borrow::Cow<'static, str>> = listed.collect();
    let listed = match names.len() {
        1 => Value::Words(listed, false),
        // All of them, and not one of them as where cases are joined.
        all => match (all > LISTED, listed.split_last()) {
            (false, Some((last, before))) if !before.is_empty() => {
                format!("{} and {last}", before.join(", ")).into()
            }
            _ => format!("{} and others", listed.join(", ")).into(),
        },
    };
    let how_many = names.len() as u64;
    let mut message = Statement::from(match how_many {
        1 => sentence!("{} looked up {}.", client, listed),
        more => sentence!(
            "{} looked up {}: {}.",
            client,
            Value::count(more, "name", "names"),
            listed
        ),
    });
    let one = how_many == 1;
    message.say(match kind.failure {
        LookupFailure::NoSuchName if one => {
            sentence!(
                "{} replied that the name does not exist (NXDOMAIN).",
                server
            )
        }
        LookupFailure::NoSuchName => {
            sentence!(
                "{} replied for each that it does not exist (NXDOMAIN).",
                server
            )
        }
        LookupFailure::ServerFailed => {
            sentence!("{} reported a failure of its own (SERVFAIL).", server)
        }
        LookupFailure::Refused => sentence!("{} refused to look it up (REFUSED).", server),
        LookupFailure::Silence | LookupFailure::NoReplyYet => {
            let tries: u32 = names.iter().map(|it| it.tries).sum();
            let until = names.iter().map(|it| it.last).max().unwrap_or_default();
            let since = first.map(|it| it.asked.time).unwrap_or_default();
            let tries = Value::count(tries.into(), "query", "queries");
            let lasted = until.time.since(since);
            match several {
                true => sentence!(
                    "No reply came from {} to {}. The last was sent {} after the first.",
                    server,
                    tries,
                    lasted
                ),
                false => sentence!(
                    "{} did not reply to {}. The last was sent {} after the first.",
                    server,
                    tries,
                    lasted
                ),
            }
        }
    });
    message.say(match one {
        true => "This capture shows no address for it, and no connection to it followed.",
        false => {
            "This capture shows no address for any of them, and no connection to them followed."
        }
    });
    let scan = is_scan(kind, names);
    let open = kind.failure == LookupFailure::NoReplyYet;
    if open {
        message.say("The capture ends less than 2 s after the last query, so a later reply would not be seen.");
    }
    // Who asks again has heard nothing.
    let deaf = kind.failure == LookupFailure::Silence && !heard;
    if deaf {
        message.mean(
            "The capture has no packet to this client, so it may lack that direction. A capture at the client would settle it.",
        );
    }
    let tool = names.iter().all(|it| it.lookup.is_of_tool);
    message.presume(match (scan || tool, deaf) {
        (true, _) if tool => "A tool for DNS asked, or a resolver: programs do not ask so.",
        (true, _) => "A scanner looked up so many names, or a server that does so for others.",
        (false, true) => "The queries or their replies were lost.",
        (false, false) => "The program that asked could not connect for that reason.",
    });
    let severity = match kind.failure {
        _ if scan || tool || kind.is_expected => Severity::Note,
        LookupFailure::NoReplyYet if connected => Severity::Note,
        LookupFailure::NoReplyYet => Severity::Warning,
        LookupFailure::Silence if deaf => Severity::Warning,
        // Of several names some are looked up in the background; the program's own work went on.
        LookupFailure::NoSuchName | LookupFailure::Silence
            if connected && names.len() >= SEVERAL =>
        {
            Severity::Warning
        }
        _ if !present => Severity::Warning,
        _ => Severity::Error,
    };
    let note = match kind.failure {
        LookupFailure::NoSuchName => "NXDOMAIN: no such name",
        LookupFailure::ServerFailed => "SERVFAIL: the name server failed",
        LookupFailure::Refused => "REFUSED: the name server refused the query",
        LookupFailure::Silence | LookupFailure::NoReplyYet => "",
    };
    let mut evidence = Vec::new();
    if let Some(lookup) = first {
        let name = shortened(&lookup.name, 80);
        evidence.push(shows(lookup.asked, format!("query for {name}")));
        evidence.extend(lookup.answer.map(|answer| shows(answer.at, note)));
        let last = names.iter().map(|it| it.last).max();
        let last = last.filter(|it| kind.failure.is_silent() && *it > lookup.asked);
        evidence.extend(last.map(|at| shows(at, "the last query")));
    }
    Diagnosis {
        severity,
        certainty: match deaf || open {
            true => Certainty::Possible,
            false => Certainty::Likely,
        },
        summary: match scan {
            true => "One client looked up very many names that failed".into(),
            false => match (kind.failure, one) {
                (LookupFailure::NoSuchName, true) => {
                    "Name server says that [a name does|# names do] not exist"
                }
                (LookupFailure::NoSuchName, false) => {
                    "Name server says that names of [a client|# clients] do not exist"
                }
                (LookupFailure::ServerFailed, true) => {
                    "Name server failed to look up [a name|# names]"
                }
                (LookupFailure::ServerFailed, false) => {
                    "Name server failed to look up names for [a client|# clients]"
                }
                (LookupFailure::Refused, true) => "Name server refused to look up [a name|# names]",
                (LookupFailure::Refused, false) => {
                    "Name server refused to look up names for [a client|# clients]"
                }
                (LookupFailure::Silence | LookupFailure::NoReplyYet, true) => {
                    "Name server did not reply for [a name|# names]"
                }
                (LookupFailure::Silence | LookupFailure::NoReplyYet, false) => {
                    "Name server did not reply for names of [a client|# clients]"
                }
            }
            .into(),
        },
        message,
        evidence,
        remedies: remedies(kind.failure),
    }
}

/// The point of the page's remedy for this failure; the page lists them in this order.
fn remedies(failure: LookupFailure) -> Vec<Remedy> {
    let told = match failure {
        LookupFailure::NoReplyYet => LookupFailure::Silence,
        other => other,
    };
    let place = told as usize;
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
    fn each_way_to_fail_is_reported() {
        for (answer, words) in [
            ("nxdomain", "does not exist"),
            ("servfail", "a failure of its own"),
            ("refused", "refused to look it up"),
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
        assert!(
            said.contains("did not reply to 2 queries. The last was sent 5.00 s"),
            "{said}"
        );
        let said = told(silence).expect("nothing was heard for 5 s");
        assert!(said.contains("a later reply would not be seen"), "{said}");
        let soon = "lookup shop.example -->\n+300ms lookup shop.example -->\n";
        assert_eq!(told(soon), None, "its answer may still come");
        let anew = "lookup shop.example -->\n+1s lookup shop.example -->\nclient :5001 server 10.0.0.53:53\n\
                    +1600ms lookup shop.example -->\n+1s lookup shop.example -->\n";
        let said = told(anew).expect("the first attempt is over");
        assert!(said.contains("4 queries"), "{said}");
        let both = format!("lookup shop.example -->\nlookup shop.example aaaa -->\n{later}");
        assert_eq!(told(&both), None, "two kinds, each asked once");
    }

    #[test]
    fn each_name_server_is_named_with_its_queries() {
        let text = "lookup shop.example -->\nclient :5001 server 10.0.0.54:53\n+5s lookup shop.example -->\n\
                    client :40000 server\n+9s SYN -->\n<-- SYN\nACK -->";
        let said = told(text).expect("found");
        let wanted =
            "No reply came from 10.0.0.53 or 10.0.0.54 to 2 queries. The last was sent 5.00 s";
        assert!(said.contains(wanted), "{said}");
        let text = "lookup a.example -->\n<-- nxdomain\nclient :5001 server 10.0.0.54:53\nlookup b.example -->\n<-- nxdomain";
        let said = told(text).expect("found");
        assert!(
            said.contains("10.0.0.53 or 10.0.0.54 replied for each"),
            "{said}"
        );
    }

    #[test]
    fn other_failures_elsewhere_are_other_findings() {
        let text = "client :5000 server 10.0.0.53:53\nlookup a.example -->\n<-- nxdomain\n\
                    client 10.0.0.9:5000 server 10.0.0.53:53\nlookup b.example -->\n<-- servfail";
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let [one, other] = &findings[..] else {
            panic!("two findings, not {}", findings.len())
        };
        assert_ne!(one.summary, other.summary);
    }

    #[test]
    fn what_is_expected_to_fail_is_a_note_at_most() {
        let severity = |name: &str| {
            let text = format!(
                "client :5000 server 10.0.0.53:53\nlookup {name} -->\n<-- nxdomain\nclient :40000 server 10.0.0.2:80\nSYN -->"
            );
            ladder_check::found_by(&RULE, &text).map(|found| found.severity)
        };
        assert_eq!(severity("shop.example"), Some(Severity::Error));
        assert_eq!(severity("wpad.corp.example"), Some(Severity::Note));
        assert_eq!(severity("kjqhwkeqwh"), Some(Severity::Note));
        assert_eq!(severity("printer.local"), Some(Severity::Note));
        assert_eq!(severity("db.svc.cluster.local"), Some(Severity::Error));
        assert_eq!(severity("_ldap._tcp.corp.example"), None);
        assert_eq!(severity("1.0.0.10.list.example"), None);
    }

    #[test]
    fn names_that_fail_alike_are_one_finding() {
        let mut text = "client :5000 server 10.0.0.53:53\n".to_owned();
        for name in [
            "a.example",
            "b.example",
            "c.example",
            "d.example",
            "e.example",
        ] {
            text.push_str(&format!("lookup {name} -->\n<-- nxdomain\n"));
        }
        let severity = |text: &str| {
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let [finding] = &findings[..] else {
                panic!("one finding, not {}", findings.len())
            };
            assert!(
                finding
                    .message
                    .contains("5 names: a.example, b.example, c.example, d.example and others"),
                "{}",
                finding.message
            );
            finding.severity
        };
        // Of this client nothing else is captured: whether it missed the names is not shown.
        assert_eq!(severity(&text), Severity::Warning);
        let fails = format!("{text}client :40000 server 10.0.0.2:80\nSYN -->");
        assert_eq!(severity(&fails), Severity::Error);
        // A lookup over TCP uses no name.
        let asks = format!("{text}client :40000 server 10.0.0.53:53\nSYN -->");
        assert_eq!(severity(&asks), Severity::Warning);
        let works = format!("{text}client :40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->");
        assert_eq!(severity(&works), Severity::Warning);
    }

    #[test]
    fn one_client_with_very_many_names_is_one_finding() {
        let mut text = "client :5000 server 10.0.0.53:53\n".to_owned();
        for number in 0..30 {
            text.push_str(&format!("lookup a{number}.example -->\n<-- nxdomain\n"));
        }
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let [finding] = &findings[..] else {
            panic!("one finding, not {}", findings.len())
        };
        assert_eq!(finding.severity, Severity::Note);
        assert!(finding.message.contains("30 names"), "{}", finding.message);
    }
}
