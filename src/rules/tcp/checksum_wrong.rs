//! One side's segments have a wrong checksum, so that the other side drops them.

use crate::analysis::connection::{Checksums, Connection, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// One side retransmitted, or answered retransmissions, and each of these segments had a wrong TCP checksum. The other
    /// side's checksums are right. An operating system drops a segment with a wrong checksum, without an answer.
    ///
    /// # Why it matters
    ///
    /// Both hosts are up and the path between them works, but one direction carries nothing. Each side retransmits until its
    /// own timeout. Usually a device on the way changes a packet. Or a tunnel or a virtual network card leaves the checksum to
    /// hardware that does not write it. Then ping may work where TCP does not.
    ///
    /// # Remedy
    ///
    /// - Find where the checksum becomes wrong: capture at the sender, and after each device on the way. On the sender, turn off
    ///   checksum offload for a trial (`ethtool -K eth0 tx off`, on the tunnel's interface as well).
    /// - Confirm it at the receiver: `nstat -az TcpInCsumErrors` grows with each retransmission.
    ///
    /// # Tell it by
    ///
    /// Packets arrive and are ignored, and the counter of checksum errors of the receiver grows.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  200 "hello" [damaged]
    ///  0.220  again              -->
    ///  0.230                     <--  again [damaged]
    ///  0.620  again              -->
    ///  0.630                     <--  again [damaged]
    ///  1.420  again              -->
    ///  1.430                     <--  again [damaged]
    /// ```
    ///
    /// # Not this
    ///
    /// A single segment that was damaged on the way, and arrives when it is retransmitted:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  200 "hello" [damaged]
    ///  0.230                     <--  again
    ///  0.240  ACK                -->
    /// ```
    ///
    /// Checksums of both sides are wrong, because a program has changed the capture, such as its addresses:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [damaged]    -->
    ///  0.220  again [damaged]    -->
    ///  0.230                     <--  ACK [damaged]
    ///  0.620  again [damaged]    -->
    ///  0.630                     <--  ACK [damaged]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.1 (checksum); RFC 1122 §4.2.2.7 (a segment with a wrong one is discarded).
    pub(super) RULE: "checksum-wrong", Severity::Error,
    "one side's segments have a wrong checksum, and the other drops them", Check::Connection(check)
}

/// One may be damaged by chance.
const SEVERAL: u32 = 2;

/// The side whose checksums are wrong, and none of what it sent so was accepted in the end.
pub(in crate::rules) fn dropped(connection: &Connection) -> Option<(Who, Checksums)> {
    Who::BOTH.into_iter().find_map(|who| {
        let (own, other) = (connection.checksums(who), connection.checksums(who.other()));
        let systematic = own.wrong >= SEVERAL && own.right == 0 && other.wrong == 0;
        let ignored = connection.in_flight(who).is_some()
            || who == Who::Server && connection.taken.is_none()
            || connection
                .unanswered
                .as_deref()
                .is_some_and(|both| both[who.other() as usize].acknowledged.is_some());
        // Addresses that were changed in the capture would make the other side's wrong as well.
        (systematic && ignored && other.right > 0).then_some((who, own))
    })
}

/// Bytes that break the grammar of what is spoken stand in a segment whose checksum says that they are not those that were sent.
fn altered(connection: &Connection) -> Verdict {
    let Some((who, at)) = connection.altered() else {
        return Verdict::Clear;
    };
    let (name, other) = (side(who), side(who.other()));
    let sent = &connection.sent[who as usize];
    let accepted = sent.missing == 0 && sent.acknowledged >= sent.bytes;
    tell(
        &RULE,
        Severity::Note,
        Certainty::Likely,
        "Bytes in the capture are not those that were sent[| on # connections]",
        Statement::from(sentence!(
            "A segment from the {} breaks the grammar of what is spoken, and has a wrong TCP checksum. The {}'s segments after it have \
             right ones.",
            name,
            name
        )),
    )
    .adds(accepted.then(|| {
        sentence!(
            "The {} acknowledged these bytes, which no operating system does with a wrong checksum.",
            other
        )
    }))
    .presumes(Some(match accepted {
        true => "The capture was changed after it was taken.",
        false => "The segment was damaged on the way, and dropped.",
    }))
    .means(Some("What the message said is not known, so hangup reports no fault of its grammar."))
    .shows(Some(at), "wrong checksum")
    .about(connection)
    .advises(Some(UNCHANGED))
}

/// What to do where the bytes are not those that were sent.
const UNCHANGED: &str =
    "Change nothing at the hosts. Capture again, and read the file as it was written.";

fn check(connection: &Connection) -> Verdict {
    let Some((who, found)) = dropped(connection) else {
        return altered(connection);
    };
    let (name, other) = (side(who), side(who.other()));
    tell(
        &RULE,
        match connection.outcome.is_failed() {
            true => Severity::Error,
            false => Severity::Warning,
        },
        Certainty::Likely,
        "Segments with a wrong checksum were dropped[| on # connections]",
        Statement::from(sentence!(
            "{} that the {} sent while data was retransmitted had a wrong TCP checksum, and none had a right one.",
            Value::count(found.wrong.into(), "segment", "segments"),
            name
        ))
        .and(sentence!("The {}'s checksums are right.", other)),
    )
    .presumes(Some(sentence!(
        "The {}'s operating system dropped these segments without an answer.",
        other
    )))
    .shows(found.first_wrong, "wrong checksum")
    .shows(
        found.last_wrong.filter(|last| Some(*last) != found.first_wrong),
        "the last wrong checksum",
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn bytes_under_a_wrong_checksum_break_no_grammar() {
        let text = "SYN -->\n<-- SYN\n\"GET / HTTP/1.1\\r\\nHo\\x00st: a\\r\\n\\r\\n\" [DAMAGED] -->\n\
                    <-- 200 \"x\" [ack=29]\nACK -->\nFIN -->\n<-- FIN [ack=30]\nACK -->";
        let rules = |damaged: &str| {
            let text = text.replace("[DAMAGED]", damaged);
            ladder_check::run(&text.parse().expect("a ladder")).rules()
        };
        assert!(rules("").contains(&"malformed-request"));
        let altered = rules("[damaged]");
        assert!(
            altered.contains(&"checksum-wrong") && !altered.contains(&"malformed-request"),
            "{altered:?}"
        );
    }
}
