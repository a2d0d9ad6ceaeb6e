//! A SYN met leftover state of an older connection, and had to be sent again.

use crate::analysis::connection::{Connection, Opening, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// The client opened a connection from a port on which the server still had an older one. The server answered the SYN
    /// with an acknowledgement of the old numbers (a challenge, RFC 5961 §4). The client's host reset that, and only the
    /// next SYN was answered.
    ///
    /// # Why it matters
    ///
    /// The connection opens a second late, and the program that held the old connection at the server gets "connection reset
    /// by peer". The old connection was half-open: the client's host crashed or restarted, a RST was lost, or a NAT gateway
    /// gave the port to another client. If a firewall on the way drops the challenge or its RST, the attempt hangs.
    ///
    /// # Remedy
    ///
    /// - Let the server notice that clients are gone: set TCP keep-alive or an idle timeout on its connections.
    /// - Or let the NAT gateway choose ports at random, and wait before it reuses one.
    /// - Or let firewalls pass acknowledgements on connections that are being opened.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    /// 10.000  SYN [isn=9000000]  -->
    /// 10.010                     <--  ACK
    /// 10.020  RST [noack]        -->
    /// 11.000  again              -->
    /// 11.010                     <--  SYN
    /// 11.020  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// The capture lacks the SYN-ACK and the request, so the server acknowledges the new connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              ~~>
    ///  0.030                     <--  ACK
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    /// ```
    ///
    /// A SYN that was lost:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    ///  1.010                     <--  SYN
    ///  1.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 5961 §4; RFC 9293 §3.5.1 (half-open connections), §3.10.7.4.
    pub(super) RULE: "syn-challenged", Severity::Warning,
    "a SYN meets an older connection on the same ports, and is retransmitted", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(challenge) = connection.challenge else {
        return Verdict::Clear;
    };
    // A predecessor that had ended is another case: its TIME-WAIT refused the SYN.
    if connection.predecessor.is_some_and(|before| before.over) {
        return Verdict::Clear;
    }
    let opened = connection.opening == Opening::Handshake;
    // Nothing but the acknowledgement itself points to an older connection.
    let alone = connection.predecessor.is_none() && connection.syn_retries == 0;
    let mut message = Statement::from(match connection.predecessor {
        Some(before) => sentence!(
            "The server still had a connection on these addresses and ports, last active {} before. It answered the SYN for \
             that old connection.",
            connection.first.time.since(before.last.time)
        ),
        None => sentence!("The server answered the SYN with an acknowledgement of other numbers."),
    });
    if connection.predecessor.is_none() {
        message.presume(
            "The server still had a connection on these addresses and ports from before the capture.",
        );
    }
    let reset = connection.reset[Who::Client as usize]
        .filter(|reset| reset.frame_ref > challenge && connection.predecessor.is_none())
        // One that came later ended the new connection.
        .filter(|reset| {
            let open = connection.connect_time.filter(|_| opened);
            open.is_none_or(|open| reset.frame_ref.time < connection.first.time.after(open))
        });
    if let Some(reset) = reset {
        message.say(sentence!(
            "The client's RST ({}) ended that old connection.",
            reset.frame_ref
        ));
    }
    message.say(match connection.connect_time {
        Some(time) if opened => {
            sentence!("The new connection was open {} after the first SYN.", time)
        }
        _ => sentence!("The new connection was not opened."),
    });
    if !opened {
        message.presume(
            "The acknowledgement, or the RST that should answer it, was dropped on the way.",
        );
    }
    if alone {
        message.mean("The capture may have missed what explains this.");
    }
    let told = tell(
        &RULE,
        match alone {
            true => Severity::Note,
            false => Severity::Warning,
        },
        match () {
            () if alone => Certainty::Possible,
            () if opened => Certainty::Certain,
            () => Certainty::Likely,
        },
        "[A SYN|# SYNs] hit an older connection on the same ports",
        message,
    );
    told.shows(
        connection.predecessor.map(|it| it.last),
        "last segment of the old connection",
    )
    .shows(Some(connection.first), "SYN")
    .shows(Some(challenge), "acknowledgement with other numbers")
    .shows(
        reset.map(|it| it.frame_ref),
        "RST from the client with these numbers",
    )
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    const BEFORE: &str = "SYN -->\n<-- SYN\nACK -->\n+10s SYN [isn=9000000] -->\n<-- ACK\n";

    #[test]
    fn what_was_captured_decides_what_is_reported() {
        let opened = format!("{BEFORE}RST [noack] -->\n+1s again -->\n<-- SYN\nACK -->");
        let told = ladder_check::found_by(&RULE, &opened).expect("found");
        assert_eq!(told.certainty, Certainty::Certain);
        assert!(told.message.contains("last active"), "{}", told.message);
        let alone = "SYN -->\n<-- ACK [seq=4000000 ack=-4000000]";
        let told = ladder_check::found_by(&RULE, alone).expect("found");
        assert_eq!(
            (told.severity, told.certainty),
            (Severity::Note, Certainty::Possible)
        );
        assert!(!told.message.contains("RST ("), "{}", told.message);
        let later = "SYN -->\n<-- ACK [seq=4000000 ack=-4000000]\n+3s again -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200\nRST -->";
        let told = ladder_check::told_by(&RULE, later).expect("found");
        assert!(!told.contains("RST ("), "{told}");
    }

    #[test]
    fn what_acknowledges_more_than_was_captured_is_the_new_connection() {
        // The SYN-ACK and the request are missing from the capture.
        let text = "SYN -->\n<~~ SYN\nGET / ~~>\n<-- ACK\n<-- 200 \"hello\"\n";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert!(!proof.rules().contains(&RULE.name), "{:?}", proof.rules());
        assert_eq!(proof.connections[0].opening, Opening::Handshake);
    }
}
