//! A connect was answered by a RST.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::{Hosts, Measured};
use crate::base::certainty::Certainty;
use crate::base::format::duration;
use crate::protocol::tcp::hops;
use crate::rules::Severity;
use crate::rules::connecting::reset_then_refused;
use crate::rules::remedy::Remedy;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::scans::{failures, group};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{UNSENT_UNTIL, shows};

rule! {
    /// # What happened
    ///
    /// A RST that acknowledges the client's SYN came back (RFC 9293 §3.10.7.1). No program listens on that address and port,
    /// or a firewall refuses with the server's address: such a RST looks the same. Refused connections of one client, or at one server, are one
    /// finding.
    ///
    /// The client's log says "connection refused", `ECONNREFUSED`, 10061, or "Unable to connect to the remote server".
    /// Windows says "No connection could be made because the target machine actively refused it".
    ///
    /// # Why it matters
    ///
    /// No request was sent, so nothing took effect, and trying again is safe. A refusal is quick: it comes after one round
    /// trip. A program that waits long before it reports "refused" has tried several times.
    ///
    /// # Remedy
    ///
    /// - Start the server, or correct its address and port in the client's configuration. On the server, `ss -ltn` (`netstat
    ///   -an`) shows what listens, and on which address. A program that listens on 127.0.0.1 or ::1 refuses other hosts.
    /// - Or, if it happens during a start, send no traffic before the server is ready: use readiness checks, or change the
    ///   start order of a sidecar proxy.
    /// - Compare with a capture at the server. A SYN that does not arrive was refused by a firewall on the way. A SYN that
    ///   gets a RST although a program listens was refused by the host's own firewall (iptables `REJECT --reject-with
    ///   tcp-reset`).
    ///
    /// # Tell it by
    ///
    /// A RST follows the SYN, often within one round trip, and no data was ever sent.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  RST
    ///  => teardown server reset refusal connecting
    /// ```
    ///
    /// # Not this
    ///
    /// A RST that ends a connection which was open. (If one address refuses, and the client opens a connection to another
    /// address within a second, the finding is benign.)
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    ///  0.060  RST                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.2, §3.10.7.1; RFC 8305 (several addresses).
    pub(in crate::rules) RULE: "connection-refused", Severity::Error,
    "a RST answers the SYN: no program listens there", Check::Hosts(check)
}

/// The result of a refusal, and who refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The attempt failed.
    Lost,
    /// It failed, and the RST came from nearer than the server's answers.
    Nearer,
    /// It failed, and the RST came from somewhere else than the server's answers.
    Foreign,
    /// The client reached another address at once.
    Fallback,
    /// The client opened the other port of the same service.
    OtherPort,
}

/// The two ports of SMB, which clients try at once: the older one, with NetBIOS before it, is often closed.
const SMB: [u16; 2] = [139, 445];

/// Clients and servers with an open connection at a port of SMB.
fn smb(hosts: &Hosts<'_>) -> BTreeSet<(IpAddr, IpAddr)> {
    let all = hosts.connections.iter();
    let open = all.filter(|it| it.opening == Opening::Handshake && SMB.contains(&it.server.port));
    open.map(|it| (it.client.ip, it.server.ip)).collect()
}

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let distances = distances(hosts);
    let smb = smb(hosts);
    let told = reset_then_refused::told(hosts);
    let all = failures(hosts, |it| {
        let refused = it.opening == Opening::Refused && !told.contains(&it.id);
        refused.then(|| kind_of(hosts, it, &distances, &smb))
    });
    let groups = group(hosts, all);
    groups
        .iter()
        .map(|group| {
            group.diagnosis(match group.kind {
                Kind::Lost => Diagnosis {
                    remedies: fitting(hosts, &group.connections),
                    ..story(&group.connections)
                },
                Kind::Nearer => from_nearer(hosts, &group.connections, &distances),
                Kind::Foreign => by_somebody_else(&group.connections, &distances),
                Kind::Fallback => fallback(&group.connections),
                Kind::OtherPort => other_port(&group.connections),
            })
        })
        .collect()
}

fn kind_of(
    hosts: &Hosts<'_>,
    it: &ConnectionSummary,
    distances: &Distances,
    smb: &BTreeSet<(IpAddr, IpAddr)>,
) -> Kind {
    match () {
        () if hosts.fallback(it).is_some() => Kind::Fallback,
        () if SMB.contains(&it.server.port) && smb.contains(&(it.client.ip, it.server.ip)) => {
            Kind::OtherPort
        }
        () if is_foreign(it, distances) => Kind::Foreign,
        () if is_nearer(it, distances) => Kind::Nearer,
        () => Kind::Lost,
    }
}

/// For each server, the lowest and the highest TTL of its answers to attempts that it accepted.
type Distances = BTreeMap<IpAddr, (u8, u8)>;

/// Hops by which packets of one host may differ: containers and NATs account for one or two.
const HOPS: u8 = 3;

fn distances(hosts: &Hosts<'_>) -> Distances {
    let mut all = Distances::new();
    if !hosts
        .connections
        .iter()
        .any(|it| it.opening == Opening::Refused)
    {
        return all;
    }
    let taken = hosts
        .connections
        .iter()
        .filter(|it| it.opening == Opening::Handshake && it.server_ttl > 0);
    for it in taken {
        let (low, high) = all
            .entry(it.server.ip)
            .or_insert((it.server_ttl, it.server_ttl));
        *low = (*low).min(it.server_ttl);
        *high = (*high).max(it.server_ttl);
    }
    all
}

/// The remedies: that on a start only where the server accepted a connection to that port after it had refused one.
fn fitting(hosts: &Hosts<'_>, refused: &[&ConnectionSummary]) -> Vec<Remedy> {
    let accepted = |it: &&ConnectionSummary| it.opening == Opening::Handshake;
    let started = hosts.connections.iter().filter(accepted).any(|later| {
        let mut refused = refused.iter();
        refused.any(|it| it.server == later.server && it.first < later.first)
    });
    let mut all = RULE.remedies();
    all.retain(|it| started || !it.text().contains("during a start"));
    all
}

/// Whether the RST took another path than the server's answers to other attempts. A program may set the TTL of its own socket
/// (BGP does), and the system answers with another one from the same place.
fn is_foreign(refused: &ConnectionSummary, distances: &Distances) -> bool {
    distances
        .get(&refused.server.ip)
        .is_some_and(|(low, high)| {
            refused.server_ttl > 0
                && hops(refused.server_ttl).abs_diff(hops(*low)) > 0
                && hops(refused.server_ttl).abs_diff(hops(*high)) > 0
                && (refused.server_ttl < low.saturating_sub(HOPS)
                    || refused.server_ttl > high.saturating_add(HOPS))
        })
}

/// Whether the RST passed fewer routers than any of the server's answers to other attempts.
fn is_nearer(refused: &ConnectionSummary, distances: &Distances) -> bool {
    distances
        .get(&refused.server.ip)
        .is_some_and(|(low, high)| {
            refused.server_ttl > 0
                && low == high
                && hops(refused.server_ttl) < hops(*low)
                && hops(*low) - hops(refused.server_ttl) <= HOPS
        })
}

/// The server is there, and something in front of it refused: a firewall, or the machine that its container runs on.
fn from_nearer(
    hosts: &Hosts<'_>,
    connections: &[&ConnectionSummary],
    distances: &Distances,
) -> Diagnosis {
    let mut told = story(connections);
    told.certainty = Certainty::Likely;
    let Some(first) = connections.first() else {
        return told;
    };
    let (low, _) = distances.get(&first.server.ip).copied().unwrap_or_default();
    told.message.say(sentence!(
        "The RST passed fewer routers than the server's own segments: its TTL is {}, theirs {}.",
        first.server_ttl,
        low
    ));
    told.message.presume(
        "A firewall in front of the server sent the RST, or the host on which the server's container runs.",
    );
    let port = first.server.port;
    let accepted = |it: &&ConnectionSummary| {
        it.server == first.server && it.opening == Opening::Handshake && it.first < first.first
    };
    let before = hosts.connections.iter().rfind(accepted);
    told.remedies = vec![
        match before {
            Some(before) => format!(
                "Find out what changed on the firewall or container host in front of the server: #{} was accepted at port {port} {} \
                 before the refusal.",
                before.id,
                duration(first.first.time.since(before.first.time))
            ),
            None => format!("Allow port {port} in the firewall in front of the server, or publish it from the container."),
        }
        .into(),
        "Capture at the server: a SYN that does not arrive there was refused on the way.".into(),
    ];
    told
}

/// The server is there, and the RST is not its own.
fn by_somebody_else(connections: &[&ConnectionSummary], distances: &Distances) -> Diagnosis {
    let mut told = story(connections);
    if let Some(first) = connections.first() {
        let (low, high) = distances.get(&first.server.ip).copied().unwrap_or_default();
        told.message.say(sentence!(
            "The RST has a TTL of {}. The server's answers to other attempts have a TTL of {}.",
            first.server_ttl,
            Value::Number(low.into(), high.into())
        ));
        told.message.presume("A device on the way sent the RST.");
    }
    told.certainty = Certainty::Likely;
    told.summary = "[A connection was|# connections were] refused by a device on the way".into();
    told.remedies = vec![
        "Allow the server's port in the firewall between client and server, or remove the client from the firewall's block list.".into(),
        "Capture at the server: a SYN that does not arrive there was refused on the way.".into(),
    ];
    told
}

fn story(connections: &[&ConnectionSummary]) -> Diagnosis {
    let after = connections
        .iter()
        .map(|it| it.close.time.since(it.first.time));
    let after = Measured::of(after.collect());
    let (least, most) = after.map_or_else(Default::default, |it| it.range);
    let mut message = Statement::from(match connections {
        // The SYN was not captured.
        [only] if !only.client_syn() => sentence!(
            "A RST with sequence number 0 answers a segment without ACK, which was not captured."
        ),
        [_] => sentence!(
            "The client's connection attempt was refused with a RST, {} after the SYN.",
            least
        ),
        all => sentence!(
            "{} were refused with a RST, {} after the SYN.",
            Value::total(
                all.len() as u64,
                "connection attempt",
                "connection attempts"
            ),
            Value::Duration(least, most)
        ),
    })
    .means(UNSENT_UNTIL);
    let retried = connections.iter().filter(|it| it.syn_retries > 0).count();
    if retried > 0 {
        message.say(sentence!(
            "{} repeated the SYN from the same port.",
            Value::count(retried as u64, "attempt", "attempts")
        ));
    }
    let seen = connections.iter().all(|it| it.seen[0]);
    if !seen {
        message.presume("What the RST answers was a SYN, or the probe of a scanner.");
    }
    Diagnosis {
        severity: Severity::Error,
        certainty: match seen {
            true => Certainty::Certain,
            false => Certainty::Likely,
        },
        summary: "[A connection attempt was|# connection attempts were] refused".into(),
        message,
        evidence: evidence(connections),
        remedies: RULE.remedies(),
    }
}

fn other_port(connections: &[&ConnectionSummary]) -> Diagnosis {
    Diagnosis {
        summary: "[A connection was|# connections were] refused, and SMB's other port worked".into(),
        message: Statement::from(sentence!(
            "The connection attempt was refused. SMB has the ports 139 and 445, and the client opened the other one."
        ))
        .means("Nothing is lost."),
        remedies: vec!["Change nothing: port 139 is for clients that do not know 445.".into()],
        ..fallback(connections)
    }
}

fn fallback(connections: &[&ConnectionSummary]) -> Diagnosis {
    Diagnosis {
        severity: Severity::Benign,
        certainty: Certainty::Certain,
        summary: "[A connection was|# connections were] refused, and another address worked".into(),
        message: Statement::from(sentence!(
            "The connection attempt was refused. Within a second the client opened a connection to another address with the \
             same port."
        ))
        .means("Only that round trip was lost."),
        evidence: evidence(connections),
        remedies: vec![
            "Let the server listen on all addresses that its name resolves to (such as ::1 beside 127.0.0.1), if the round \
             trip matters.".into(),
        ],
    }
}

fn evidence(connections: &[&ConnectionSummary]) -> Vec<crate::rules::Evidence> {
    let first = connections.first().into_iter();
    first
        .flat_map(|it| {
            let syn = it.seen[0].then(|| shows(it.first, "SYN"));
            let note = match it.seen[0] {
                true => "RST that acknowledges the SYN",
                false => "RST, ACK with sequence number 0; what it answers was not captured",
            };
            syn.into_iter().chain([shows(it.close, note)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn findings(text: &str) -> Vec<crate::rules::Finding> {
        let mut all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        all.retain(|finding| finding.rule == RULE.name);
        all
    }

    #[test]
    fn a_device_that_refuses_with_the_servers_address_is_reported() {
        let open = "client :40000 server 10.0.0.2:80\nSYN -->\n<-- SYN [ttl=57]\nACK -->\n";
        let refused = |ttl: u8| {
            let text =
                format!("{open}client :40001 server 10.0.0.2:81\nSYN -->\n<-- RST [ttl={ttl}]");
            findings(&text).remove(0)
        };
        let told = refused(63);
        assert!(
            told.message.contains("of 63") && told.message.contains("of 57"),
            "{}",
            told.message
        );
        assert_eq!(told.certainty, Certainty::Likely);
        assert_eq!(refused(56).certainty, Certainty::Certain);
        let nearer = refused(58);
        assert_eq!(nearer.certainty, Certainty::Likely);
        assert!(
            nearer.message.contains("its TTL is 58, theirs 57"),
            "{}",
            nearer.message
        );
        // The same distance, counted from another first value.
        assert_eq!(refused(248).certainty, Certainty::Certain);
    }

    #[test]
    fn another_address_makes_it_benign_and_none_does_not() {
        let refused = "client 10.0.0.1:40000 server 10.0.0.3:80\nSYN -->\n<-- RST\n";
        let other = "client 10.0.0.1:40001 server 10.0.0.2:80\n+20ms SYN -->\n<-- SYN\nACK -->";
        let severity = |text: &str| findings(text)[0].severity;
        assert_eq!(severity(refused), Severity::Error);
        assert_eq!(severity(&format!("{refused}{other}")), Severity::Benign);
        let later = other.replace("20ms", "3s");
        assert_eq!(severity(&format!("{refused}{later}")), Severity::Error);
        let other_port = other.replace("2:80", "2:81");
        assert_eq!(severity(&format!("{refused}{other_port}")), Severity::Error);
    }

    /// A start is a reason only where the server accepts later.
    #[test]
    fn advice_on_a_start_needs_one() {
        let refused = "client :40000 server 10.0.0.2:80\nSYN -->\n<-- RST\n";
        let open = |port: u16| {
            format!("client :40001 server 10.0.0.2:{port}\n+9s SYN -->\n<-- SYN\nACK -->\n")
        };
        for (text, starts) in [
            (refused.to_owned(), false),
            (format!("{refused}{}", open(80)), true),
            (format!("{refused}{}", open(81)), false),
        ] {
            let remedies = findings(&text).remove(0).remedies;
            let told = remedies.iter().any(|it| it.contains("during a start"));
            assert_eq!(told, starts, "{remedies:?}");
        }
    }

    /// A client that acknowledges, or a server that sends data, shows a SYN-ACK that the capture lacks.
    #[test]
    fn a_reset_of_an_open_connection_is_no_refusal() {
        for after in [
            "ACK -->\nPOST / \"x\" -->\n<-- ACK\n+400ms <-- RST",
            "ACK -->\nPOST / \"x\" -->\n+400ms <-- RST",
            "ACK -->\n+400ms <-- RST",
            "ACK ~~>\nPOST / \"x\" -->\n<-- 200 data 5 [length=900]\n+400ms <-- RST",
        ] {
            let text = format!("SYN -->\n<~~ SYN\n{after}");
            let told = ladder_check::told_by(&super::RULE, &text);
            assert_eq!(told, None, "{after}");
        }
    }

    #[test]
    fn a_refusal_is_known_without_its_syn() {
        let told = findings("SYN ~~>\n<-- RST").remove(0);
        assert_eq!(told.certainty, Certainty::Likely);
        assert!(
            told.message.contains("sequence number 0") && told.message.contains("scanner"),
            "{}",
            told.message
        );
    }

    /// What is said of many attempts needs many.
    #[test]
    fn a_single_refusal_at_port_0_is_not_one_of_many() {
        let one = "client 10.0.0.1:40000 server 10.0.0.2:0\nSYN ~~>\n<-- RST\n";
        let other = "client 10.0.0.1:40001 server 10.0.0.3:0\n+20ms SYN ~~>\n<-- RST";
        for (text, many) in [(one.to_owned(), false), (format!("{one}{other}"), true)] {
            let told = findings(&text).remove(0);
            assert_eq!(told.severity, Severity::Note);
            assert!(
                told.message.contains("A scanner did this"),
                "{}",
                told.message
            );
            assert_eq!(
                told.message.contains("Hardly any"),
                many,
                "{}",
                told.message
            );
            assert_eq!(
                told.message.contains("so many attempts"),
                many,
                "{}",
                told.message
            );
        }
    }

    #[test]
    fn a_server_that_has_acknowledged_data_did_not_refuse() {
        // Only what the server sent was captured.
        let text = "SYN ~~>\n<-- SYN\nGET / ~~>\n<-- ACK\n<-- RST";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.connections[0].opening, Opening::Handshake);
        assert!(findings(text).is_empty());
    }

    #[test]
    fn many_clients_at_many_ports_of_one_host_are_one_note() {
        let mut text = String::new();
        for client in 1..=20 {
            for port in [22, 23, 3389 + client] {
                text.push_str(&format!(
                    "client 10.1.0.{client}:40000 server 10.0.0.2:{port}\nSYN -->\n<-- RST\n"
                ));
            }
        }
        let all = findings(&text);
        let [told] = &all[..] else {
            panic!("{} findings", all.len())
        };
        assert_eq!(
            (told.severity, told.connections.len()),
            (Severity::Note, 60)
        );
        assert!(told.message.contains("20 clients"), "{}", told.message);
        // Clients that all need the same port are not scanners.
        let mut text = String::new();
        for client in 1..=20 {
            text.push_str(&format!(
                "client 10.1.0.{client}:40000 server 10.0.0.2:80\nSYN -->\n<-- RST\n"
            ));
        }
        let all = findings(&text);
        assert_eq!((all.len(), all[0].severity), (1, Severity::Error));
    }

    #[test]
    fn the_older_port_of_smb_may_be_closed() {
        let refused = "client :40001 server 10.0.0.2:139\nSYN -->\n<-- RST\n";
        let open = "client :40002 server 10.0.0.2:445\n+1ms SYN -->\n<-- SYN\nACK -->\n";
        let severity = |text: &str| findings(text)[0].severity;
        assert_eq!(severity(&format!("{refused}{open}")), Severity::Benign);
        assert_eq!(severity(refused), Severity::Error);
        let other = open.replace("445", "446");
        assert_eq!(severity(&format!("{refused}{other}")), Severity::Error);
    }

    #[test]
    fn a_client_that_probes_ports_scans() {
        let refused = "client :40001 server 10.0.0.2:3389\nSYN -->\n<-- RST\n";
        let probes = "client :40002 server 10.0.0.2:80\nSYN -->\n<-- SYN\nRST -->\n\
                      client :40003 server 10.0.0.2:81\nFIN [noack] -->\n<-- RST\n";
        let used = "client :40004 server 10.0.0.2:82\nSYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200 \"x\"\n";
        let severity = |text: &str| findings(text)[0].severity;
        assert_eq!(severity(&format!("{refused}{probes}")), Severity::Note);
        assert_eq!(
            severity(&format!("{refused}{probes}{used}")),
            Severity::Error
        );
        assert_eq!(severity(refused), Severity::Error);
        assert_eq!(severity(&refused.replace("3389", "0")), Severity::Note);
    }

    #[test]
    fn a_scan_is_one_note() {
        let mut text = String::new();
        for port in 1..=30 {
            text.push_str(&format!(
                "client 10.0.0.1:40000 server 10.0.0.2:{port}\nSYN -->\n<-- RST\n"
            ));
        }
        let all = findings(&text);
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].severity, all[0].connections.len()),
            (Severity::Note, 30)
        );
    }
}
