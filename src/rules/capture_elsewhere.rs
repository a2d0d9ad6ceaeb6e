//! Advice to capture at a host is left out where the capture was taken there.
//!
//! In: findings, and where round trips show that their hosts were captured. The advice is known by its words, so that every
//! rule's is: "Capture at the server", "a capture at the client".

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::Finding;
use super::facts::RuleInput;
use crate::analysis::connection::{Connection, Standpoint, Who, standpoint};
use crate::protocol::tcp::hops;
use crate::rules::connecting::connect_unanswered;

/// Leaves out the advice that these findings do not need.
pub(super) fn leave_out(findings: &mut [Finding], facts: &RuleInput<'_>) {
    // Many findings are about the same hosts.
    let mut known: HashMap<(Who, BTreeSet<IpAddr>), bool> = HashMap::new();
    let mut is_taken_at = |finding: &Finding, who: Who| {
        let own = finding.connections.iter();
        let own = own.filter_map(|id| facts.record(*id));
        let hosts: BTreeSet<IpAddr> = own.map(|it| host(it, who)).collect();
        let answer = known.entry((who, hosts));
        *answer.or_insert_with_key(|(who, hosts)| is_taken_at(hosts, *who, facts))
    };
    for finding in findings {
        let place = |who| format!("apture at the {who}");
        if finding.rule == connect_unanswered::RULE.name && is_taken_at(finding, Who::Server) {
            finding.remedies = vec![AT_SERVER.into()];
            let arrived =
                "The capture was taken at the server or on its network: the SYNs arrived there.";
            finding.message.say(arrived.into(), facts.frames);
        }
        for (who, place) in [
            (Who::Client, place("client")),
            (Who::Server, place("server")),
        ] {
            let advises = finding.remedies.iter().any(|it| it.contains(&place));
            if advises && is_taken_at(finding, who) {
                let remedies = std::mem::take(&mut finding.remedies).into_iter();
                finding.remedies = remedies.filter_map(|it| without(&it, &place)).collect();
            }
        }
    }
}

/// What to do where SYNs arrive at a server that does not answer them.
const AT_SERVER: &str = "Find out on the server what drops the SYNs: a full accept queue (`nstat -az TcpExtListenDrops`) or a rule of its \
                         firewall (`nft list ruleset`).";

/// The host on one side.
const fn host(connection: &Connection, who: Who) -> IpAddr {
    match who {
        Who::Client => connection.client.ip,
        Who::Server => connection.server.ip,
    }
}

/// Whether all connections of these hosts on this side that show it were captured there.
fn is_taken_at(hosts: &BTreeSet<IpAddr>, who: Who, facts: &RuleInput<'_>) -> bool {
    let near = facts.connections.iter().map(|it| &**it);
    let mut near = near.filter(|it| hosts.contains(&host(it, who))).peekable();
    let several = |it: &Connection| Who::BOTH.iter().any(|who| it.passages(*who).both > 0);
    if near.peek().is_none_or(|it| several(it)) {
        return false;
    }
    let all: Vec<&Connection> = near.collect();
    standpoint(all.iter().copied()).is_some_and(|(place, _)| place == Standpoint::Near(who))
        || has_no_router_before(&all, who)
}

/// Whether each of these connections that has segments of both sides shows that routers lie before the other side, and none
/// before this one: its TTLs are those with which systems begin.
fn has_no_router_before(connections: &[&Connection], who: Who) -> bool {
    let away = |it: &Connection, who: Who| {
        let (low, high) = it.sent[who as usize].ttls;
        [hops(low), hops(high)]
    };
    let both = connections
        .iter()
        .filter(|it| it.sent.iter().all(|sent| sent.packets > 0));
    let mut both = both
        .map(|it| away(it, who) == [0; 2] && away(it, who.other()).iter().all(|hops| *hops > 0));
    both.next() == Some(true) && both.all(|here| here)
}

/// A remedy up to the sentence that advises a capture at this place; nothing if that is the first.
fn without(remedy: &str, place: &str) -> Option<String> {
    let Some(at) = remedy.find(place) else {
        return Some(remedy.to_owned());
    };
    let before = remedy.get(..at)?.rfind(". ")?;
    Some(remedy.get(..=before)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::without;
    use crate::rules::ladder_check;

    #[test]
    fn the_sentence_and_what_explains_it_are_left_out() {
        for (remedy, kept) in [
            (
                "Capture at the server as well: if it is not there, a box sent it.",
                None,
            ),
            (
                "Compare with a capture at the server. A SYN may not arrive.",
                None,
            ),
            (
                "Look at its log. A capture at the server shows more.",
                Some("Look at its log."),
            ),
            ("Capture at both ends.", Some("Capture at both ends.")),
        ] {
            assert_eq!(without(remedy, "apture at the server").as_deref(), kept);
        }
    }

    /// The TTL of the server is one with which systems begin, and that of the client is not.
    #[test]
    fn syns_that_arrived_at_the_server_were_dropped_there() {
        let told = |client: &str| {
            let text = format!(
                "client :40000 [ttl={client}] server [ttl=64]\nSYN -->\n<-- SYN\nGET / -->\n<-- 200\nACK -->\n\
                 client :40001 [ttl={client}] server [ttl=64]\n+1s SYN -->\n+1s again -->\n+2s again -->\n+4s again -->\n+8s again -->"
            );
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let found = proof
                .findings
                .into_iter()
                .find(|it| it.rule == "connect-unanswered");
            let found = found.expect("found");
            let here = found.message.contains("the SYNs arrived there");
            assert_eq!(here, found.remedies[0].contains("ListenDrops"));
            here
        };
        assert!(told("63"));
        assert!(!told("64"), "one host or one network");
    }

    #[test]
    fn nobody_is_sent_where_the_capture_was_taken() {
        let told = |to_server: &str, to_client: &str| {
            let text = format!(
                "SYN -->\n+{to_server} <-- SYN\n+{to_client} ACK -->\nGET / -->\n+{to_server} <-- 200\n\
                 +{to_client} ACK -->\n+100s GET /a -->\n+{to_server} <-- RST [noack]"
            );
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let remedies = proof.findings.iter().flat_map(|it| &it.remedies);
            remedies
                .filter(|it| it.contains("apture at the server"))
                .count()
        };
        assert_eq!(told("20ms", "50us"), 1);
        assert_eq!(told("50us", "20ms"), 0);
        assert_eq!(told("50us", "60us"), 1);
    }
}
