//! A host that answers no more on a connection: gone, or behind a device that has forgotten the connection.
//!
//! In: a case, its connection, and the connections beside it. Out: which of the two it is, as far as the capture shows. A new
//! connection that opens meanwhile shows that the host is up; a capture beside the host shows that no device stood between.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::facts::RuleInput;
use super::rule::Diagnosis;
use super::statement::{Sentence, Value, sentence};
use super::unanswered::{probed, silence};
use super::wording::side;
use crate::analysis::connection::{
    By, Connection, ConnectionSummary, How, Opening, UnansweredSegments, Who, beside,
};
use crate::base::frame_ref::FrameRef;

/// What a finding says as long as nothing shows which of the two it is.
pub(super) const WHICH: &str = "Whether new connections work shows which.";

/// Why a host does not answer any more, as the place of capture shows it.
pub(super) fn why(connection: &Connection, silent: Who) -> Sentence {
    match beside(connection) == Some(silent) {
        true => sentence!(
            "The {}'s host was gone, or had lost its connections because its network was down in between: the capture was taken \
             beside it, after every router on the way.",
            side(silent)
        ),
        false => sentence!(
            "A device on the way had forgotten the connection, or the {}'s host was gone.",
            side(silent)
        ),
    }
}

/// Whether it explains findings of this rule.
pub(super) fn concerns(rule: &str) -> bool {
    matches!(
        rule,
        "retransmissions-exhausted" | "idle-state-lost" | "keepalive-probes-unanswered"
    )
}

/// Says what connections that opened meanwhile show.
pub(super) fn explain(
    rule: &str,
    story: &mut Diagnosis,
    connection: &Connection,
    facts: &RuleInput<'_>,
    between: &BetweenHosts<'_>,
) {
    let found = match rule {
        "retransmissions-exhausted" => return explain_data(story, connection, facts, between),
        "idle-state-lost" => silence(connection).map(|(who, it)| (who, it.since)),
        "keepalive-probes-unanswered" => probed(connection).map(|(who, it)| (who, it.since)),
        _ => None,
    };
    let Some((who, since)) = found else {
        return;
    };
    let silent = who.other();
    let near = beside(connection) == Some(silent);
    let Some((id, first)) = opened(connection, since, between) else {
        if near {
            story.message.mean_no_more(WHICH);
        }
        return;
    };
    story.message.mean_no_more(WHICH);
    story.message.say(sentence!(
        "A new connection between the two hosts opened meanwhile ({}, {}): the {}'s host was up.",
        format!("#{id}"),
        first,
        side(silent)
    ));
    story.message.mean(match near {
        true => sentence!(
            "The {}'s host itself had dropped this one, without a RST: look at its firewall, and whether its network went down.",
            side(silent)
        ),
        false => sentence!(
            "A device on the way, or a firewall on the {}'s host, had forgotten this one and drops its packets.",
            side(silent)
        ),
    });
}

/// What to look for where the host and the path were alive.
const FORGOTTEN: &str = "Find what had lost the connection: a NAT or a firewall that forgets idle connections, or the \
                         program on the host that stopped answering. Keepalive probes, sooner than that, keep it.";

/// The same of data that was repeated in vain: a host that sends on another connection meanwhile is not gone.
fn explain_data(
    story: &mut Diagnosis,
    connection: &Connection,
    facts: &RuleInput<'_>,
    between: &BetweenHosts<'_>,
) {
    let Some((who, it)) = silence(connection) else {
        return;
    };
    let told = it.acknowledged.is_some() || connection.passages(who).lost > 0;
    let left = connection.fin[who.other() as usize].is_some_and(|fin| fin.frame_ref <= it.again);
    if told || left {
        return;
    }
    let Some((id, first)) = alive(connection, (who, it), facts, between) else {
        return explain_together(story, connection, (who, it), facts);
    };
    story.message.presume_no_more();
    story.message.say(sentence!(
        "Another connection between the two hosts went on meanwhile ({}, {}): the {}'s host and the path were alive.",
        format!("#{id}"),
        first,
        side(who.other())
    ));
    story
        .message
        .presume("The state of this connection alone had been lost.");
    story
        .remedies
        .retain(|it| !it.text().starts_with("Check the path to the host"));
    story.remedies.insert(0, FORGOTTEN.into());
}

/// What to look at where several hosts fall silent at once.
const SHARED: &str = "Check what the paths to these servers have in common, from the client on: its link, a firewall or a filter, the login \
                      page of a network.";

/// The same where other hosts fell silent at the same moment: hosts do not fail together.
fn explain_together(
    story: &mut Diagnosis,
    connection: &Connection,
    (who, it): (Who, &UnansweredSegments),
    facts: &RuleInput<'_>,
) {
    let others = silent_together(connection, it, facts);
    if who != Who::Client || others.is_empty() || beside(connection) == Some(Who::Server) {
        return;
    }
    story.message.presume_no_more();
    story.message.say(sentence!(
        "At the same time {} did not answer the client.",
        Value::count(others.len() as u64, "other server", "other servers")
    ));
    if connection.opening == Opening::Handshake && it.through == 0 {
        story
            .message
            .say("The SYN was answered: only the segments with data were not.");
    }
    story
        .message
        .presume("What the paths to these servers share drops the packets.");
    story
        .remedies
        .retain(|it| !it.text().starts_with("Check the path to the host"));
    story.remedies.insert(0, SHARED.into());
}

/// Connections before and after, of which as many are looked at for hosts that fall silent together.
const LOOKED_AROUND: usize = 256;

/// The other servers in other networks from which this client got no answer while its segments here got none.
fn silent_together(
    connection: &Connection,
    it: &UnansweredSegments,
    facts: &RuleInput<'_>,
) -> BTreeSet<IpAddr> {
    let all = facts.connections;
    let place = all.partition_point(|other| other.id < connection.id);
    let around =
        place.saturating_sub(LOOKED_AROUND)..all.len().min(place.saturating_add(LOOKED_AROUND));
    let near = all.get(around).unwrap_or_default().iter();
    let silent = near.filter(|other| {
        other.client.ip == connection.client.ip
            && !is_same_network(other.server.ip, connection.server.ip)
            && silence(other).is_some_and(|(who, own)| {
                who == Who::Client
                    && own.since.time <= it.until.time
                    && it.since.time <= own.until.time
            })
    });
    silent.map(|other| other.server.ip).collect()
}

/// Whether two addresses may be of one network: that may be cut off as a whole.
fn is_same_network(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..2] == other.octets()[..2],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..3] == other.segments()[..3],
        _ => true,
    }
}

/// Connections that began before, of which as many are looked at: what a host has open at once is among them.
const LOOKED_BACK: usize = 4096;

/// A connection between the same hosts on which the silent one sent something while these segments got no answer, or before the
/// next of them was due; and the frame that shows it.
fn alive(
    connection: &Connection,
    (who, it): (Who, &UnansweredSegments),
    facts: &RuleInput<'_>,
    between: &BetweenHosts<'_>,
) -> Option<(u32, FrameRef)> {
    let hosts = [connection.client.ip, connection.server.ip];
    let silent = hosts[who.other() as usize];
    let due = it.until.time.after(it.until.time.since(it.since.time));
    let is_other =
        |other: &&ConnectionSummary| other.id != connection.id && other.seen == [true; 2];
    let [before, after] = between.at(hosts, it.since);
    let mut in_time = after.take_while(|other| other.first.time <= due);
    if let Some(new) = in_time.find(is_other) {
        return Some((new.id, new.first));
    }
    let meanwhile = |at: &FrameRef| *at > it.since && at.time <= due;
    before.filter(is_other).find_map(|other| {
        let of = match other.client.ip == silent {
            true => Who::Client,
            false => Who::Server,
        };
        let by = match of {
            Who::Client => By::Client,
            Who::Server => By::Server,
        };
        let own = other.by == by && matches!(other.how, How::Fin | How::Reset(_));
        let closed = Some(other.close).filter(|_| own).filter(meanwhile);
        let spoke = || {
            let last = facts.record(other.id)?.last_data[of as usize];
            Some(last).filter(meanwhile)
        };
        Some((other.id, closed.or_else(spoke)?))
    })
}

/// The first connection between the same hosts that opened after this, in either direction.
fn opened(
    connection: &Connection,
    since: FrameRef,
    between: &BetweenHosts<'_>,
) -> Option<(u32, FrameRef)> {
    let hosts = [connection.client.ip, connection.server.ip];
    let [_, mut after] = between.at(hosts, since);
    let new = after.find(|it| it.opening == Opening::Handshake)?;
    Some((new.id, new.first))
}

/// The connections between each two hosts, whichever of them is the client.
pub(super) struct BetweenHosts<'a> {
    /// In order of their beginning.
    summaries: &'a [ConnectionSummary],
    /// By both addresses, the lower one first: places in `summaries`, in order.
    places: BTreeMap<[IpAddr; 2], Vec<usize>>,
}

impl<'a> BetweenHosts<'a> {
    pub(super) fn new(summaries: &'a [ConnectionSummary]) -> Self {
        let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, it) in summaries.iter().enumerate() {
            let hosts = in_order([it.client.ip, it.server.ip]);
            places.entry(hosts).or_default().push(place);
        }
        Self { summaries, places }
    }

    /// The connections between these hosts that began up to this moment, of the last [`LOOKED_BACK`] between any, and those that
    /// began after it.
    fn at(
        &self,
        hosts: [IpAddr; 2],
        since: FrameRef,
    ) -> [impl Iterator<Item = &'a ConnectionSummary>; 2] {
        let own = self
            .places
            .get(&in_order(hosts))
            .map_or(&[][..], Vec::as_slice);
        let later = self.summaries.partition_point(|it| it.first <= since);
        let earliest = later.saturating_sub(LOOKED_BACK);
        let [from, to] = [earliest, later].map(|it| own.partition_point(|place| *place < it));
        let summaries = self.summaries;
        [from..to, to..own.len()].map(|range| {
            let own = own.get(range).unwrap_or_default().iter();
            own.filter_map(|place| summaries.get(*place))
        })
    }
}

fn in_order([one, other]: [IpAddr; 2]) -> [IpAddr; 2] {
    [one.min(other), one.max(other)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::keep_alive::idle_state_lost;
    use crate::rules::ladder_check::{self, told_by};

    /// Two hosts in different networks do not fail at the same moment.
    #[test]
    fn hosts_that_fall_silent_together_have_a_path_in_common() {
        let told = |other: &str, together: bool| {
            let titles = [("192.0.2.7", 40_001), (other, 40_002)]
                .map(|(server, port)| format!("client 10.0.0.1:{port} server {server}:80\n"));
            let opened = "SYN -->\n<-- SYN\nACK -->\nGET / [lost] -->\n";
            let waits = [300, 600, 1200, 2400].map(|wait| format!("+{wait}ms again [lost] -->\n"));
            let mut text = String::new();
            match together {
                true => {
                    titles
                        .iter()
                        .for_each(|it| text += &format!("{it}{opened}"));
                    for wait in &waits {
                        text += &format!("{}{wait}{}again [lost] -->\n", titles[0], titles[1]);
                    }
                }
                false => titles
                    .iter()
                    .for_each(|it| text += &format!("{it}+20s {opened}{}", waits.concat())),
            }
            let rule = "retransmissions-exhausted";
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let found = proof.findings.into_iter().find(|it| it.rule == rule);
            let found = found.expect("found");
            (found.message.to_string(), found.remedies[0].to_string())
        };
        for (other, together, shared) in [
            ("198.51.100.9", true, true),
            ("198.51.100.9", false, false),
            ("192.0.2.99", true, false),
        ] {
            let (text, fix) = told(other, together);
            assert_eq!(
                text.contains("1 other server did not answer"),
                shared,
                "{text}"
            );
            assert_eq!(text.contains("host was gone"), !shared, "{text}");
            assert_eq!(fix.contains("in common"), shared, "{fix}");
        }
    }

    /// The lines end in the time at which a new connection opens, if any.
    fn told(ttl: &str, new: &str) -> String {
        let own = format!("client 10.0.0.1:40001 {ttl} server [ttl=57]");
        let text = format!(
            "{own}\nSYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->\n+80s <-- \"push\" [lost]\n\
             +300ms <-- again [lost]\n+600ms <-- again [lost]\n+1200ms <-- again [lost]\n{new}"
        );
        told_by(&idle_state_lost::RULE, &text).unwrap_or_default()
    }

    #[test]
    fn a_host_that_sends_elsewhere_is_not_gone() {
        let told = |other: &str| {
            let text = format!(
                "client 10.0.0.1:40001 server\nSYN -->\n<-- SYN\nGET / -->\n+200ms again -->\n+400ms again -->\n\
                 +800ms again -->\n+1600ms again -->\n+3200ms again -->\n{other}"
            );
            let rule = "retransmissions-exhausted";
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let found = proof.findings.into_iter().find(|it| it.rule == rule);
            let found = found.expect("found");
            (found.message.to_string(), found.remedies[0].to_string())
        };
        let (gone, fix) = told("");
        assert!(
            gone.contains("host was gone") && fix.contains("the path"),
            "{gone} {fix}"
        );
        let new = "client 10.0.0.1:40009 server\n+1s SYN -->\n<-- SYN\nACK -->\n";
        let (alive, fix) = told(new);
        assert!(
            alive.contains("the path were alive") && !alive.contains("was gone"),
            "{alive}"
        );
        assert!(fix.contains("a NAT"), "{fix}");
    }

    /// On a connection that was open before, and goes on.
    #[test]
    fn a_host_that_sends_on_an_older_connection_is_not_gone() {
        let told = |pause: &str, elsewhere: &str| {
            let text = format!(
                "client 10.0.0.1:40009 server\nSYN -->\n<-- SYN\nACK -->\nclient 10.0.0.1:40001 server\nSYN -->\n<-- SYN\n\
                 GET / -->\n+200ms again -->\n+400ms again -->\n+800ms again -->\n\
                 client 10.0.0.1:40009 server\n{pause} {elsewhere}\nclient 10.0.0.1:40001 server\n\
                 +1600ms again -->\n+3200ms again -->\n\
                 client 10.0.0.9:40009 server\n+20s GET /late -->"
            );
            ladder_check::told_by(&crate::rules::tcp::retransmissions_exhausted::RULE, &text)
                .unwrap_or_default()
        };
        for (elsewhere, alive) in [
            ("<-- FIN", true),
            ("<-- 200 \"pushed\"", true),
            ("FIN -->", false),
            ("GET /b -->", false),
        ] {
            let text = told("+50ms", elsewhere);
            assert_eq!(text.contains("went on meanwhile (#1"), alive, "{text}");
            assert_eq!(text.contains("was gone"), !alive, "{text}");
        }
    }

    #[test]
    fn what_the_capture_shows_is_no_open_question() {
        let new = "client 10.0.0.1:40009 [ttl=64] server [ttl=57]\n+1s SYN -->\n<-- SYN\nACK -->";
        let far = told("[ttl=60]", "");
        assert!(
            far.contains("A device on the way") && far.contains(WHICH),
            "{far}"
        );
        let shown = told("[ttl=60]", new);
        assert!(shown.contains("opened meanwhile (#2, frame 10)"), "{shown}");
        assert!(!shown.contains(WHICH), "{shown}");
        let near = told("[ttl=64]", "");
        assert!(near.contains("its network was down"), "{near}");
        assert!(!near.contains("A device on the way"), "{near}");
        let back = told("[ttl=64]", new);
        assert!(
            back.contains("The client's host itself had dropped"),
            "{back}"
        );
    }
}
