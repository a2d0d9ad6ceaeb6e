//! A host that answers no more on a connection: gone, or behind a device that has forgotten the connection.
//!
//! In: a case, its connection, and the connections beside it. Out: which of the two it is, as far as the capture shows. A new
//! connection that opens meanwhile shows that the host is up; a capture beside the host shows that no device stood between.

use super::facts::RuleInput;
use super::rule::Diagnosis;
use super::statement::{Sentence, sentence};
use super::unanswered::{probed, silence};
use super::wording::side;
use crate::analysis::connection::{Connection, Opening, Who, beside};
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

/// Says what connections that opened meanwhile show.
pub(super) fn explain(
    rule: &str,
    story: &mut Diagnosis,
    connection: &Connection,
    facts: &RuleInput<'_>,
) {
    let found = match rule {
        "idle-state-lost" => silence(connection).map(|(who, it)| (who, it.since)),
        "keepalive-probes-unanswered" => probed(connection).map(|(who, it)| (who, it.since)),
        _ => None,
    };
    let Some((who, since)) = found else {
        return;
    };
    let silent = who.other();
    let near = beside(connection) == Some(silent);
    let Some((id, first)) = opened(connection, since, facts) else {
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

/// The first connection between the same hosts that opened after this, in either direction.
fn opened(
    connection: &Connection,
    since: FrameRef,
    facts: &RuleInput<'_>,
) -> Option<(u32, FrameRef)> {
    let hosts = [connection.client.ip, connection.server.ip];
    let later = facts.summaries.partition_point(|it| it.first <= since);
    let mut after = facts.summaries.get(later..)?.iter();
    let new = after.find(|it| {
        let own = [it.client.ip, it.server.ip];
        it.opening == Opening::Handshake && (own == hosts || own == [hosts[1], hosts[0]])
    })?;
    Some((new.id, new.first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::keep_alive::idle_state_lost;
    use crate::rules::ladder_check::told_by;

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
