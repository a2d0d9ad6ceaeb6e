//! The client's host reset a transfer in which its own program was still engaged.

use std::time::Duration;

use hashbrown::HashMap;

use crate::analysis::connection::{
    By, Connection, ConnectionSummary, How, Opening, Phase, ResetKind, Who,
};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::tell;
use crate::rules::{RuleInput, Severity};

rule! {
    /// # What happened
    ///
    /// The client's host sent a RST that means "there is no such connection", although the client had not closed. The RST
    /// followed a segment from the server that was out of the expected range. Or it followed a segment from an unknown
    /// address, to a port on which the client has a connection with another address.
    ///
    /// # Why it matters
    ///
    /// Container hosts, Kubernetes nodes and routers translate addresses for others. If connection tracking finds a segment
    /// invalid, it passes that segment on without translation. The segment reaches the node itself, which has no such
    /// connection and resets it. Fast transfers over lossy paths then fail now and then with "connection reset by peer", at
    /// both ends at once.
    ///
    /// # Remedy
    ///
    /// - On the node that translates the addresses, set `net.netfilter.nf_conntrack_tcp_be_liberal=1`, or let its firewall
    ///   drop packets that conntrack calls INVALID (`iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP`).
    /// - To be sure, capture at the client, inside its container if it has one, and at the server. Proof is a segment with the
    ///   server's own address where the client knows another one, and a RST that the client's program never caused.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.040                     <--  200 data 1000 [length=900000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  data 1000 [seq=900000000]
    ///  0.061  RST [noack]        -->
    ///  => findings client-left-mid-response nat-invalid-reset
    /// ```
    ///
    /// # Not this
    ///
    /// A program that leaves in the middle sends a RST with ACK, or closes first:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.040                     <--  200 data 1000 [length=900000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  data 1000
    ///  0.061  RST                -->
    /// ```
    ///
    /// A segment from another server for a port that is not in use:
    ///
    /// ```ladder
    ///         client :40000 server 10.0.0.10:80
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.040                     <--  200 data 1000 [length=900000]
    ///         client :40001 server 10.0.0.2:80
    ///  0.060                     <--  data 1000
    ///  0.061  RST [noack]        -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.2, §3.10.7.4; RFC 5961 §5.
    pub(in crate::rules) RULE: "nat-invalid-reset", Severity::Error,
    "a node resets a transfer of a client behind it", Check::All(check)
}

/// A client whose program ended long before is another case, and so is a connection that ended long before.
const RECENT: Duration = Duration::from_secs(1);

fn check(facts: &RuleInput<'_>, hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let alone = facts.connections.iter().filter_map(|it| beside_its_own(it));
    alone.chain(untranslated(hosts)).collect()
}

/// Segments out of the expected range, and right after them the client's RST because it has no socket.
fn beside_its_own(connection: &Connection) -> Option<HostDiagnosis> {
    let teardown = &connection.teardown;
    let by_client = (teardown.by, teardown.how) == (By::Client, How::Reset(ResetKind::NoSocket));
    let odd = connection.out_of_range[Who::Server as usize];
    if !by_client
        || !matches!(teardown.phase, Phase::ResponseHead | Phase::ResponseBody)
        || connection.fin[Who::Client as usize].is_some()
        || odd == 0
    {
        return None;
    }
    let response = connection.exchanges.last()?.response.as_ref()?;
    let reset = connection.reset[Who::Client as usize]?;
    if reset.frame_ref.time.since(response.message.last.time) > RECENT {
        return None;
    }
    let story = tell(
        &RULE,
        Severity::Error,
        Certainty::Possible,
        "Client's host reset [a transfer|# transfers] in progress",
        sentence!(
            "The server sent a response, with {} out of the expected range. The client's host reset the connection during that \
             response. The RST means that it had no such connection, but no FIN from the client was seen.",
            Value::count(odd.into(), "segment", "segments")
        ),
    )
    .presumes(Some(
        "A host that translates addresses passed on one of these segments without translating it.",
    ))
    .means(Some("The response was lost."))
    .shows(
        Some(response.message.last),
        "last of the response that was in sequence",
    )
    .shows(
        Some(reset.frame_ref),
        "RST without ACK from the client's address",
    )
    .story();
    Some(HostDiagnosis {
        story,
        client: Some(connection.client.ip),
        server: Some(connection.server),
        connections: vec![connection.id],
        first: connection.first.frame,
        times: 1,
    })
}

/// A segment from an address that the client has no connection with, for a port on which it has one with another address
/// and the same port number.
fn untranslated(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let is_stray = |it: &&ConnectionSummary| {
        it.opening == Opening::Midstream
            && (it.by, it.how) == (By::Client, How::Reset(ResetKind::NoSocket))
            && !it.spoke[Who::Client as usize]
            && it.close.time.since(it.first.time) < RECENT
    };
    let mut strays: HashMap<Endpoint, &ConnectionSummary, foldhash::fast::FixedState> =
        HashMap::default();
    for it in hosts.connections.iter().filter(is_stray) {
        strays.entry(it.client).or_insert(it);
    }
    if strays.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for live in hosts.connections {
        let Some(stray) = strays.get(&live.client) else {
            continue;
        };
        let other = live.server.ip != stray.server.ip
            && live.server.port == stray.server.port
            && live.context == stray.context;
        // The client's own connection was in use before the segment, and after it.
        let during = live.first.time < stray.first.time && live.last > stray.close.time;
        let open = live.how == How::Open || live.close.time > stray.close.time;
        if other && during && open {
            let mut it = HostDiagnosis::of(story(live, stray), &[live]);
            it.connections.push(stray.id);
            it.connections.sort_unstable();
            found.push(it.once());
        }
    }
    found
}

fn story(live: &ConnectionSummary, stray: &ConnectionSummary) -> Diagnosis {
    let later = live.close.time.since(stray.close.time);
    let end = match (live.by, live.how) {
        (By::Server, How::Reset(ResetKind::NoSocket)) => Some(sentence!(
            "When the client next used its own connection, {} after that RST, the server's host answered with a RST: it no \
             longer had the connection.",
            later
        )),
        (By::Server, How::Reset(_)) => Some(sentence!(
            "{} after that RST the server reset the client's own connection.",
            later
        )),
        _ => None,
    };
    let closed = matches!((live.by, live.how), (By::Server, How::Reset(_)));
    tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "[A segment|# segments] from an unknown address got a RST",
        sentence!(
            "The client's port had an open connection to {}. A segment came for that port from {}, with which the client has \
             no connection (#{}). The client's host answered with a RST.",
            live.server,
            stray.server,
            stray.id
        ),
    )
    .adds(end)
    .presumes(Some(
        "A device on the way translates one of the two addresses to the other, and did not translate this segment.",
    ))
    .means(Some(
        "If so, the client's RST went to the real server and ended the connection there.",
    ))
    .shows(Some(stray.first), format!("segment from {}", stray.server))
    .shows(Some(stray.close), format!("the client's RST to {}", stray.server))
    .shows(closed.then_some(live.close), "RST on the client's own connection")
    .story()
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check::{found_by, told_by};

    const LIVE: &str = "client :40000 server 10.0.0.10:80\nSYN -->\n<-- SYN\nGET /big -->\n<-- 200 data 1000 [length=9000]\nACK -->";
    const STRAY: &str = "client :40000 server 10.0.0.2:80\n<-- data 1000\nRST [noack] -->";

    #[test]
    fn a_segment_that_was_not_translated_is_no_earlier_close() {
        let after = "client :40000 server 10.0.0.10:80\n+200ms ACK -->";
        let found = found_by(&super::RULE, &format!("{LIVE}\n{STRAY}\n{after}"));
        let found = found.expect("found");
        let told = &found.message;
        assert!(
            told.contains("10.0.0.10:80") && told.contains("10.0.0.2:80"),
            "{told}"
        );
        assert_eq!((found.connections.len(), found.times), (2, 1));
    }

    #[test]
    fn a_port_that_is_free_was_not_translated() {
        let other = STRAY.replace("40000", "40001");
        let after = "client :40000 server 10.0.0.10:80\n+200ms ACK -->";
        assert_eq!(
            told_by(&super::RULE, &format!("{LIVE}\n{other}\n{after}")),
            None
        );
        let closed = "FIN -->\n<-- FIN\nACK -->";
        assert_eq!(
            told_by(&super::RULE, &format!("{LIVE}\n{closed}\n{STRAY}")),
            None
        );
    }
}
