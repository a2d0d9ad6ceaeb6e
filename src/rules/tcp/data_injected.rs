//! Bytes that were not sent by the host whose address they carry.

use crate::analysis::connection::{Connection, ForgedBytes, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// Two segments with the address of one side have the same sequence numbers and different bytes. One of them is like all
    /// other segments of that side. The other one comes from another distance, or lacks options that they have. A device on
    /// the way sent it. Or there is one segment alone, which comes from another distance, and sooner than that side has ever
    /// answered.
    ///
    /// # Why it matters
    ///
    /// TCP keeps what arrives first, and a device on the way is nearer than the server. So a forged response takes the place
    /// of the real one: a client shows a page, follows a redirect or runs a script that the server never sent. The server's
    /// log shows its own response.
    ///
    /// # Remedy
    ///
    /// - Use TLS for this connection: a device on the way cannot write into it.
    /// - Look for the device. The TTL hints at how far away it is (senders start from 64, 128 or 255). Filters of providers,
    ///   captive portals and intrusion prevention do this; so does an attacker.
    /// - *If one place alone was captured:* Capture at the server as well, and give both files: a segment that the client
    ///   receives and the server never sent is the proof.
    ///
    /// # Tell it by
    ///
    /// The response in the capture is not the one that the server's log shows, and the server's own response follows under
    /// the same sequence numbers.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.025                     <--  "HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n" [ttl=61]
    ///  0.026  ACK                -->
    ///  0.030                     <--  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello" [seq=1]
    ///  => findings data-injected
    /// ```
    ///
    /// # Not this
    ///
    /// A retransmission, which has the same bytes:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.025                     <--  200 "hello" [close]
    ///  0.250                     <--  again [ttl=61]
    ///  0.260  ACK                -->
    /// ```
    ///
    /// Other bytes from the same distance, so that neither of the two is known to be forged:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.025                     <--  200 "hello, this is one" [close]
    ///  0.250                     <--  "HTTP/1.1 404 Not Found here, it is gone\r\n\r\n" [seq=1]
    ///  => findings tcp-flags-anomaly
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.10.7.4 (bytes that were received before are dropped); RFC 7323 §3.2 (timestamps).
    pub(super) RULE: "data-injected", Severity::Error,
    "bytes do not come from the host whose address they carry", Check::Connection(check)
}

/// The first segment of one side that another device sent.
pub(super) fn forged(connection: &Connection) -> Option<(Who, ForgedBytes)> {
    Who::BOTH.into_iter().find_map(|who| {
        let mut odd = connection.oddities[who as usize].iter();
        let found = odd.find_map(|it| it.forged.as_deref())?;
        Some((who, *found))
    })
}

fn check(connection: &Connection) -> Verdict {
    let Some((who, found)) = forged(connection) else {
        return Verdict::Clear;
    };
    let (name, reader) = (side(who), side(who.other()));
    let [ttl, own] = found.ttls;
    // A changed route has another distance, too.
    let early = found.genuine.is_none();
    let (severity, certainty) = match found.is_certainly_foreign() {
        true => (Severity::Error, Certainty::Likely),
        false => (Severity::Warning, Certainty::Possible),
    };
    let mut message = Statement::from(sentence!(
        "A device on the way sent a segment with the {}'s address.",
        name
    ));
    if let Some(genuine) = found.genuine {
        message.say(sentence!(
            "The {}'s own segment with the same sequence numbers has other bytes ({}).",
            name,
            genuine
        ));
    }
    if ttl != own {
        message.say(sentence!(
            "The TTL of that segment is {}; the {}'s own segment has {}: another sender, or another route.",
            Value::hop_limit(ttl, found.forged.frame),
            name,
            Value::hop_limit(own, found.forged.frame)
        ));
    }
    if early {
        message.say(sentence!(
            "That segment came sooner than the {} had ever answered before.",
            name
        ));
    }
    if found.unstamped {
        message.say(sentence!(
            "That segment has no timestamp option; the {}'s own has one.",
            name
        ));
    }
    if found.taken {
        message.say(sentence!(
            "The {} acknowledged those bytes before the {}'s own came, and dropped the {}'s.",
            reader,
            name,
            name
        ));
    }
    message.mean("A capture on the other side of the suspected device would settle it.");
    tell(
        &RULE,
        severity,
        certainty,
        "[A segment|Segments on # connections] may come from a device on the way",
        message,
    )
    .shows(
        Some(found.forged),
        format!("bytes with the {name}'s address, TTL {ttl}"),
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nGET / -->\n";
    const ONE: &str =
        r"HTTP/1.1 302 Found\r\nLocation: http://a.example/\r\nContent-Length: 0\r\n\r\n";
    const OTHER: &str = r"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

    fn told(rest: &str) -> Option<(String, Vec<u64>)> {
        let found = ladder_check::found_by(&super::RULE, &format!("{OPEN}{rest}"))?;
        let frames = found.evidence.iter().map(|it| it.frame_ref.frame.0);
        Some((found.message.to_string(), frames.collect()))
    }

    #[test]
    fn the_segment_that_is_unlike_the_others_is_the_forged_one() {
        let first = format!("<-- \"{ONE}\" [ttl=61]\nACK -->\n<-- \"{OTHER}\" [seq=1]");
        let (text, frames) = told(&first).expect("found");
        assert!(text.contains("(frame 6)"), "{text}");
        assert!(
            text.contains("TTL of that segment is 61; the server's own segment has 64"),
            "{text}"
        );
        assert!(text.contains("client acknowledged those bytes"), "{text}");
        assert_eq!(frames, [4]);
        let second = format!("<-- \"{OTHER}\"\n<-- \"{ONE}\" [seq=1 ttl=61]");
        let (text, frames) = told(&second).expect("found");
        assert!(!text.contains("acknowledged"), "{text}");
        assert_eq!(frames, [5]);
    }

    /// What is read behind the forged bytes is no message of anybody's.
    #[test]
    fn data_that_was_taken_from_elsewhere_is_the_failure() {
        let text = format!(
            "client server [ttl=53]\nSYN -->\n+197ms <-- SYN\nACK -->\nGET /1 -->\n+198ms <-- 200 \"x\"\nACK -->\nGET / -->\n\
             +5ms <-- \"{ONE}\" [ttl=61]\nRST -->"
        );
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert!(proof.rules().contains(&super::RULE.name));
        assert_eq!(proof.connections[0].outcome.reason(), "forged-data");
    }

    #[test]
    fn an_answer_from_elsewhere_that_comes_too_soon_is_forged() {
        let told = |wait: &str, ttl: u8| {
            let text = format!(
                "client server [ttl=53]\nSYN -->\n+197ms <-- SYN\nACK -->\nGET /1 -->\n+198ms <-- 200 \"x\"\nACK -->\nGET / -->\n+{wait} <-- \"{ONE}\" [ttl={ttl}]"
            );
            ladder_check::found_by(&super::RULE, &text)
        };
        let found = told("41ms", 59).expect("found");
        assert_eq!(found.severity, crate::rules::Severity::Error);
        assert!(
            found.message.contains("sooner than the server had ever"),
            "{}",
            found.message
        );
        assert!(told("198ms", 59).is_none());
        assert!(told("41ms", 53).is_none());
    }

    #[test]
    fn a_packet_that_was_changed_on_the_way_is_not_forged() {
        // The same packet before and behind a device that rewrites it.
        let same = format!("<-- \"{ONE}\" [ttl=61 id=77]\n<-- \"{OTHER}\" [seq=1 id=77]");
        assert_eq!(told(&same), None);
        let alike = format!("<-- \"{ONE}\"\n<-- \"{OTHER}\" [seq=1]");
        assert_eq!(told(&alike), None);
        let both = format!("<-- \"{ONE}\" [ttl=61]\n<-- \"{OTHER}\" [seq=1 ttl=62]");
        assert_eq!(told(&both), None);
    }
}
