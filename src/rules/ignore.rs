//! The user's ignore list: a file with one entry per line. What it leaves out is counted in the report, never hidden
//! silently.
//!
//! ```text
//! # The load balancer's probes.
//! client 10.0.7.0/24 path /healthz
//! agent "kube-probe/*"
//! 192.0.2.14                 # either end
//! port 9100
//! rule simultaneous-close
//! rule idle-timeout-close server 10.0.0.5
//! ```
//!
//! The conditions of a line must all hold: a network (of either end, or after `client` or `server`), the server's
//! `port`, a `path` (without its query) and an `agent`, in which `*` matches anything. A line with `rule` leaves out
//! that rule's findings, all others leave out connections. Paths and agents must match every request of a connection.

use std::fmt;
use std::net::IpAddr;

use crate::analysis::connection::Connection;
use crate::base::format::counted;
use crate::protocol::http::SharedText;
use crate::rules::{self, Finding};

/// Upper bound of lines: a longer list is a firewall, not a list of probes, and each line is tried on every connection.
const MAX_LINES: usize = 1000;

/// An ignore list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreList {
    /// The file it was read from.
    pub path: String,
    /// Its lines, without comments.
    pub entries: Vec<IgnoreEntry>,
}

/// One line of an ignore list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreEntry {
    /// The line number.
    pub line: usize,
    /// The line as written.
    pub text: String,
    hosts: Vec<Network>,
    clients: Vec<Network>,
    servers: Vec<Network>,
    port: Option<u16>,
    path: Option<String>,
    agent: Option<String>,
    rule: Option<&'static str>,
}

/// What one line matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreTally {
    /// The line number.
    pub line: usize,
    /// The line as written.
    pub text: String,
    /// Connections that it left out.
    pub connections: u64,
    /// Findings that it left out.
    pub findings: u64,
}

/// What an ignore list left out of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// The list's path; empty if there is none.
    pub path: String,
    /// Its lines, including those that matched nothing.
    pub lines: Vec<IgnoreTally>,
    /// The numbers of the connections left out, ascending.
    pub connections: Vec<u32>,
    /// Findings left out by their rule.
    pub findings: u64,
}

impl Ignored {
    /// What was left out, in words: "2 connections and 1 finding".
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let connections = self.connections.len();
        let findings = usize::try_from(self.findings).unwrap_or(usize::MAX);
        let parts = [(connections, "connection"), (findings, "finding")];
        let some = parts.into_iter().filter(|(number, _)| *number > 0);
        let told: Vec<String> = some.map(|(number, of)| counted(number, of)).collect();
        (!told.is_empty()).then(|| told.join(" and "))
    }
}

/// An invalid line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreLineError {
    /// The line number.
    pub line: usize,
    /// What is wrong, and what is valid.
    pub reason: String,
}

impl fmt::Display for IgnoreLineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for IgnoreLineError {}

/// A network: an address and the length of its prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl IgnoreList {
    /// Parses a list.
    ///
    /// # Errors
    ///
    /// At the first invalid line.
    pub fn parse(path: &str, text: &str) -> Result<Self, IgnoreLineError> {
        let mut entries = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, written) in (1..).zip(text.lines()) {
            let bad = |reason| IgnoreLineError { line, reason };
            let words = words(written).map_err(bad)?;
            if words.is_empty() {
                continue;
            }
            if entries.len() == MAX_LINES {
                return Err(bad(format!("there are more than {MAX_LINES} lines")));
            }
            let mut entry = entry(&words).map_err(bad)?;
            entry.line = line;
            entry.text = words.join(" ");
            entries.push(entry);
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
        })
    }

    /// The index of the first line that leaves this connection out.
    #[must_use]
    pub fn matches(&self, connection: &Connection) -> Option<usize> {
        self.entries.iter().position(|it| it.leaves_out(connection))
    }

    /// The index of the first line that leaves this finding out.
    #[must_use]
    pub(crate) fn matches_finding(&self, finding: &Finding) -> Option<usize> {
        self.entries.iter().position(|it| it.silences(finding))
    }
}

impl IgnoreEntry {
    fn leaves_out(&self, connection: &Connection) -> bool {
        let requests = || {
            connection
                .exchanges
                .iter()
                .filter_map(|it| it.request.as_ref())
        };
        let each =
            |pattern: &Option<String>,
             holds: &dyn Fn(&str, &crate::protocol::http::Request) -> bool| {
                pattern.as_ref().is_none_or(|pattern| {
                    requests().next().is_some() && requests().all(|it| holds(pattern, it))
                })
            };
        self.rule.is_none()
            && self.is_between(Some(connection.client.ip), Some(connection.server.ip))
            && self.port.is_none_or(|port| connection.server.port == port)
            && each(&self.path, &|pattern, request| {
                legible(&request.target).is_some_and(|target| fits(pattern, path_of(target)))
            })
            && each(&self.agent, &|pattern, request| {
                legible(&request.user_agent).is_some_and(|agent| {
                    fits(&pattern.to_ascii_lowercase(), &agent.to_ascii_lowercase())
                })
            })
    }

    fn silences(&self, finding: &Finding) -> bool {
        self.rule == Some(finding.rule)
            && self.is_between(finding.client, finding.server.map(|it| it.ip))
            && self
                .port
                .is_none_or(|port| finding.server.is_some_and(|it| it.port == port))
    }

    fn is_between(&self, client: Option<IpAddr>, server: Option<IpAddr>) -> bool {
        let holds = |network: &Network, ip: Option<IpAddr>| ip.is_some_and(|ip| network.holds(ip));
        self.clients.iter().all(|it| holds(it, client))
            && self.servers.iter().all(|it| holds(it, server))
            && self
                .hosts
                .iter()
                .all(|it| holds(it, client) || holds(it, server))
    }
}

impl Ignored {
    /// An empty tally for this list.
    #[must_use]
    pub fn by(list: &IgnoreList) -> Self {
        let lines = list.entries.iter().map(|entry| IgnoreTally {
            line: entry.line,
            text: entry.text.clone(),
            connections: 0,
            findings: 0,
        });
        Self {
            path: list.path.clone(),
            lines: lines.collect(),
            connections: Vec::new(),
            findings: 0,
        }
    }

    /// Whether this connection was left out.
    #[must_use]
    pub(crate) fn leaves_out(&self, id: u32) -> bool {
        self.connections.binary_search(&id).is_ok()
    }
}

fn legible(text: &Option<SharedText>) -> Option<&str> {
    text.as_ref().and_then(SharedText::as_str)
}

/// The path of `/a/b?c` and of `http://host/a/b?c` (RFC 9112 §3.2).
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or(path)
}

/// Whether the whole text matches a pattern in which `*` matches anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    true
}

impl Network {
    fn parse(written: &str) -> Result<Self, String> {
        let wrong =
            || format!("{written:?} is no address; write 10.0.0.7, 10.0.0.0/24 or 2001:db8::/32");
        let (address, bits) = match written.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (written, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|it| *it <= all)
                .ok_or_else(wrong)?,
            None => all,
        };
        Ok(Self { address, bits })
    }

    fn holds(&self, ip: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let differ = own.to_bits() ^ ip.to_bits();
                differ.leading_zeros() >= bits
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let differ = own.to_bits() ^ ip.to_bits();
                differ.leading_zeros() >= bits
            }
            _ => false,
        }
    }
}

/// The words of a line, up to its comment; a word in double quotes may contain blanks.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| "a quote is opened and not closed".to_owned())?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

fn entry(words: &[String]) -> Result<IgnoreEntry, String> {
    let mut entry = IgnoreEntry::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("something must follow {word:?}"))
        };
        match word {
            "host" => entry.hosts.push(Network::parse(value()?)?),
            "client" => entry.clients.push(Network::parse(value()?)?),
            "server" => entry.servers.push(Network::parse(value()?)?),
            "port" => {
                let written = value()?;
                let port = written.parse().ok().filter(|it| *it > 0);
                let port = port.ok_or_else(|| format!("{written:?} is no port"))?;
                set(&mut entry.port, port, word)?;
            }
            "path" => set(&mut entry.path, value()?.to_owned(), word)?,
            "agent" => set(&mut entry.agent, value()?.to_owned(), word)?,
            "rule" => {
                let name = value()?;
                let rule = rules::rule(name).ok_or_else(|| {
                    format!("no rule is called {name:?}; `hangup rules` lists them")
                })?;
                set(&mut entry.rule, rule.name, word)?;
            }
            _ if word.starts_with(|it: char| it.is_ascii_hexdigit() || it == ':')
                && word.contains(['.', ':']) =>
            {
                entry.hosts.push(Network::parse(word)?);
            }
            _ => {
                return Err(format!(
                    "{word:?} is not known; a line begins with an address, or with host, client, server, port, path, agent \
                     or rule"
                ));
            }
        }
    }
    if entry.rule.is_some() && (entry.path.is_some() || entry.agent.is_some()) {
        return Err(
            "a rule goes with addresses and a port, not with a path or an agent".to_owned(),
        );
    }
    Ok(entry)
}

fn set<T>(place: &mut Option<T>, value: T, word: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{word:?} stands twice")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::snapshot::sample::{connection, endpoint};

    fn list(text: &str) -> IgnoreList {
        IgnoreList::parse("list", text).expect("a list")
    }

    #[test]
    fn networks() {
        // From 10.0.0.1:50819 to 10.0.0.2:80.
        for (line, matches) in [
            ("10.0.0.1", true),
            ("10.0.0.2  # the server", true),
            ("host 10.0.0.0/24", true),
            ("0.0.0.0/0", true),
            ("10.0.0.3", false),
            ("client 10.0.0.1", true),
            ("client 10.0.0.2", false),
            ("server 10.0.0.2/31", true),
            ("client 10.0.0.1 server 10.0.0.3", false),
            ("client 10.0.0.1 port 80", true),
            ("port 81", false),
            ("::/0", false),
            ("::1", false),
            ("path /*", false),
            ("agent *", false),
            ("rule half-close", false),
        ] {
            let matched = list(line).matches(&connection());
            assert_eq!(matched.is_some(), matches, "{line}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fit) in [
            ("kube-probe/*", "kube-probe/1.29", true),
            ("kube-probe", "kube-probe/1.29", false),
            ("*probe*", "kube-probe/1.29", true),
            ("*probe", "kube-probe/1.29", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
        for (target, path) in [
            ("/healthz?x=1", "/healthz"),
            ("http://a.example/b?c", "/b"),
            ("http://a.example", "/"),
            ("*", "*"),
        ] {
            assert_eq!(path_of(target), path);
        }
    }

    #[test]
    fn comments_blanks_and_a_byte_order_mark_are_nothing() {
        assert!(
            list("\u{feff}# only words\n\n   \n\t# more")
                .entries
                .is_empty()
        );
        let list = list("# one\r\nport 80\r\n\r\nagent \"GoogleHC/1.0 (x)\" path /a # why\r\n");
        let lines: Vec<_> = list
            .entries
            .iter()
            .map(|it| (it.line, it.text.as_str()))
            .collect();
        assert_eq!(
            lines,
            [(2, "port 80"), (4, "agent GoogleHC/1.0 (x) path /a")]
        );
    }

    #[test]
    fn a_bad_line_says_which_and_why() {
        for (text, line, words) in [
            ("port 80\nprot 81", 2, "\"prot\" is not known"),
            ("port", 1, "must follow \"port\""),
            ("port 0", 1, "no port"),
            ("port 70000", 1, "no port"),
            ("\n\n10.0.0.0/33", 3, "no address"),
            ("client example.com", 1, "no address"),
            ("10.0.0", 1, "no address"),
            ("rule no-such-rule", 1, "hangup rules"),
            ("rule half-close path /a", 1, "not with a path"),
            ("port 80 port 81", 1, "twice"),
            ("agent \"x", 1, "not closed"),
        ] {
            let bad = IgnoreList::parse("list", text).expect_err(text);
            assert_eq!(bad.line, line, "{text}");
            assert!(bad.to_string().contains(words), "{text}: {bad}");
        }
    }

    #[test]
    fn findings_are_left_out_by_rule_and_place() {
        let finding = |last: u8| Finding {
            id: 1,
            example: None,
            rule: "half-close",
            severity: rules::Severity::Note,
            certainty: crate::base::certainty::Certainty::Certain,
            connections: vec![1],
            gone: 0,
            times: 1,
            client: Some(endpoint(last, 0).ip),
            server: Some(endpoint(2, 80)),
            proxy: Default::default(),
            caused_by: None,
            summary: "".into(),
            message: Default::default(),
            evidence: Vec::new(),
            remedies: Vec::new(),
        };
        let list = list("rule half-close client 10.0.0.1 port 80");
        assert_eq!(list.matches_finding(&finding(1)), Some(0));
        assert_eq!(list.matches_finding(&finding(3)), None);
        assert_eq!(list.matches(&connection()), None);
    }

    proptest! {
        #[test]
        fn anything_may_be_written(text in "\\PC{0,80}\n?[a-z./0-9:*\" ]{0,60}") {
            let _ = IgnoreList::parse("list", &text).map(|list| list.matches(&connection()));
        }
    }
}
