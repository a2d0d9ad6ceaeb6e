//! A segment violates TCP: its control bits or its sequence numbers cannot be right.

use super::reset_injected::is_from_elsewhere;
use crate::analysis::connection::{Connection, OddSegments, Oddity, Opening, Roles, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::escape;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::scans::SCANNER;
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// A segment is not what a TCP may send: SYN and FIN at once, no ACK where there must be one, or new bytes after the
    /// sender's own FIN. Or it has other bytes under sequence numbers that were sent before, or it is a FIN or RST with a
    /// number that fits nothing. Or a RST carries text, which TCP allows and hardly any program uses. The text is shown,
    /// because it may give the reason for the reset. A client that sends nothing but such a segment scans ports: a note.
    ///
    /// # Why it matters
    ///
    /// Ordinary systems do not send such segments. They come from scanners that test how a system answers, or from devices
    /// on the way that send RSTs or change numbers. Some come from faulty TCPs of small devices. A receiver ignores most of
    /// them. It answers a RST outside its window with an acknowledgement (RFC 5961 §3), so the connection goes on.
    ///
    /// # Remedy
    ///
    /// - Find the device that sends it: compare its TTL and hardware address with those of the host's other packets, or
    ///   capture nearer to it.
    /// - Update the network software of a small device that sends it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN [noack]
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings tcp-flags-anomaly
    /// ```
    ///
    /// # Not this
    ///
    /// A FIN that is retransmitted with the bytes before it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close] FIN
    ///  0.300                     <--  again
    ///  0.310  FIN                -->
    ///  0.320                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A keep-alive probe after a FIN, which has the same sequence number:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close] FIN
    ///  0.050  ACK                -->
    ///  5.000                     <--  probe
    ///  5.010  ACK                -->
    ///  5.020  FIN                -->
    ///  5.030                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// RSTs that answer segments which still arrive after the connection ended:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 data 1000 [close length=3000]
    ///  0.050  RST                -->
    ///  0.051                     <--  data 1000 [crossed]
    ///  0.052                     <--  data 1000 [crossed]
    ///  0.061  RST [noack]        -->
    ///  0.062  RST [noack]        -->
    ///  => findings client-left-mid-response
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.1 (control bits), §3.5.3 (text in a RST), §3.6 (closing); RFC 5961 §3 (challenge); RFC 1644 had SYN and FIN
    /// together for transactions, which is history.
    pub(super) RULE: "tcp-flags-anomaly", Severity::Warning,
    "a segment has control bits or numbers that TCP does not expect", Check::Connection(check)
}

/// What to do where such segments are damaged.
const DAMAGED: &str = "Change nothing: the receiver drops them, and their sender repeats what is lost. If many are damaged, look for the \
     cable, the card or the device that does it.";

/// Severity, certainty, the evidence note, and the sentence, with the text that a RST carries.
fn told(who: Who, odd: &OddSegments) -> (Severity, Certainty, &'static str, Sentence) {
    let side = side(who);
    let times = Value::count(odd.count.into(), "segment", "segments");
    let (warning, note) = (Severity::Warning, Severity::Note);
    let (certain, likely) = (Certainty::Certain, Certainty::Likely);
    match odd.kind {
        Oddity::SynFin => (
            warning,
            certain,
            "SYN and FIN in one segment",
            sentence!(
                "The {} sent SYN and FIN in one segment, which would open and close at once ({}).",
                side,
                times
            ),
        ),
        Oddity::FinWithoutAck => (
            warning,
            certain,
            "FIN without ACK",
            sentence!(
                "The {} sent a FIN without ACK. Every segment but the first SYN and a RST must have ACK ({}).",
                side,
                times
            ),
        ),
        Oddity::WithoutAck => (
            warning,
            certain,
            "no ACK",
            sentence!(
                "The {} sent a segment without ACK. Every segment but the first SYN and a RST must have ACK ({}).",
                side,
                times
            ),
        ),
        Oddity::DataAfterFin => (
            warning,
            likely,
            "new bytes after the sender's own FIN",
            sentence!(
                "The {} sent new bytes after its own FIN, although a FIN means that no more follow ({}).",
                side,
                times
            ),
        ),
        Oddity::OtherBytes if odd.is_one_packet => (
            warning,
            certain,
            "one packet with other bytes than before",
            sentence!(
                "A packet of the {} came a second time with other bytes. Its sequence numbers and its IP identification are the \
                 same, so a device on the way changes bytes, or the capture was changed ({}).",
                side,
                times
            ),
        ),
        Oddity::OtherBytes => (
            warning,
            certain,
            "other bytes under sequence numbers sent before",
            sentence!(
                "Sequence numbers of the {} came a second time with other bytes, which no TCP does. Another device sends with \
                 its address or changes bytes on the way, or the capture was changed ({}).",
                side,
                times
            ),
        ),
        Oddity::ForeignBytes => (
            warning,
            likely,
            "bytes from another distance",
            sentence!(
                "Bytes with the {}'s address came from another distance, sooner than it has ever answered ({}).",
                side,
                times
            ),
        ),
        Oddity::FinOutOfRange => (
            warning,
            likely,
            "FIN far from everything that was sent",
            sentence!(
                "The {} sent a FIN with a sequence number far from everything it had sent ({}).",
                side,
                times
            ),
        ),
        Oddity::ResetOutOfWindow => (
            note,
            likely,
            "RST outside the window",
            sentence!(
                "A RST with the {}'s address is outside its peer's window, so its only effect is an acknowledgement ({}).",
                side,
                times
            ),
        ),
        Oddity::EarlyReset => (
            note,
            certain,
            "RST that does not acknowledge the SYN",
            sentence!(
                "A RST with the {}'s address came before an answer to the SYN. It does not acknowledge the SYN, so a client ignores \
                 it ({}).",
                side,
                times
            ),
        ),
        Oddity::ResetWithText if !is_text(&odd.text) => (
            note,
            certain,
            "RST that carries data",
            sentence!(
                "The {}'s RST carries data, which is no text ({}).",
                side,
                times
            ),
        ),
        Oddity::ResetWithText => (
            note,
            certain,
            "RST that carries text",
            sentence!(
                "The {}'s RST carries text: \"{}\" ({}).",
                side,
                escape(&odd.text),
                times
            ),
        ),
    }
}

/// Whether bytes are for people to read: hardly any of them is a control character.
fn is_text(bytes: &[u8]) -> bool {
    let read = String::from_utf8_lossy(bytes);
    let odd =
        |it: &char| it.is_control() && !it.is_whitespace() || *it == char::REPLACEMENT_CHARACTER;
    read.chars().filter(odd).count() * 8 <= read.chars().count()
}

/// Whether the client sent nothing but a segment that no program sends, as a scanner does to see what a port answers: a
/// FIN, no flag at all, or FIN, PSH and URG.
fn is_probe(connection: &Connection) -> bool {
    let [client, server] = &connection.oddities;
    let odd = |it: &OddSegments| {
        matches!(
            it.kind,
            Oddity::SynFin | Oddity::FinWithoutAck | Oddity::WithoutAck
        )
    };
    let segments: u64 = client.iter().map(|it| u64::from(it.count)).sum();
    connection.opening != Opening::Handshake
        && client.iter().next().is_some()
        && client.iter().all(odd)
        && server.iter().next().is_none()
        && connection.sent.iter().all(|it| it.bytes == 0)
        && connection.sent[Who::Client as usize].packets <= segments
}

fn check(connection: &Connection) -> Verdict {
    let all = Who::BOTH.into_iter().flat_map(|who| {
        connection.oddities[who as usize]
            .iter()
            // Which of two segments is forged has a rule of its own.
            .filter(|odd| odd.forged.is_none())
            .filter(move |odd| !is_from_elsewhere(connection, who, odd))
            .map(move |odd| (told(who, odd), odd.first))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|((severity, ..), first)| (std::cmp::Reverse(*severity), *first));
    let Some(((severity, certainty, ..), _)) = all.first() else {
        return Verdict::Clear;
    };
    let mut message = Statement::default();
    for ((.., sentence), _) in &all {
        message.say(sentence.clone());
    }
    let odd = || connection.oddities.iter().flat_map(|it| it.iter());
    let damaged = odd().all(|it| it.damaged == it.count);
    if damaged {
        message.say("Their TCP checksum is wrong, so no receiver accepts them.");
        message.say(
            Sentence::from(
                "They were damaged on the way, or a program wrote them into the capture.",
            )
            .likely(),
        );
    }
    let probe = is_probe(connection) && !damaged;
    // A packet of which nothing else is known may come from anything.
    let alone = connection.sent.iter().map(|it| it.packets).sum::<u64>() == 1;
    let severity = match damaged || alone {
        true => &Severity::Note,
        false => severity,
    };
    let (severity, summary) = match probe {
        true => (
            Severity::Note,
            "[A port was|# ports were] probed with segments that no program sends",
        ),
        false => (
            *severity,
            "[A connection has|# connections have] unusual TCP segments",
        ),
    };
    let mut telling = tell(&RULE, severity, *certainty, summary, message).means(probe.then_some(
        "The client sent nothing else to this port: it is a port scan, which looks at the answer.",
    ));
    let ports = connection.roles == Roles::Ports;
    telling = telling.adds(ports.then_some("Which side is the client is judged by the ports."));
    for ((_, _, what, _), first) in &all {
        telling = telling.shows(Some(*first), *what);
    }
    telling.about(connection).advises(match (probe, damaged) {
        (true, _) => Some(SCANNER),
        (false, true) => Some(DAMAGED),
        (false, false) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::{Severity, ladder_check};

    const OPEN: &str = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 1000\nACK -->\n";

    /// Until its SYN is answered a host accepts no RST but one that acknowledges it (RFC 9293 §3.10.7.3).
    #[test]
    fn a_reset_that_a_client_must_ignore_is_told() {
        let found = |text: &str| ladder_check::found_by(&RULE, text);
        for reset in ["RST [noack]", "RST [ack=0 seq=77]"] {
            let text = format!(
                "SYN -->\n<-- {reset}\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->"
            );
            let found = found(&text).expect("found");
            assert_eq!(found.severity, Severity::Note, "{reset}");
            assert!(
                found.message.contains("a client ignores it (1 segment)"),
                "{}",
                found.message
            );
        }
        assert!(found("SYN -->\n<-- RST").is_none());
    }

    #[test]
    fn bytes_that_are_no_text_are_not_quoted() {
        let told = |bytes: &str| {
            let text = format!("{OPEN}<-- RST \"{bytes}\"");
            ladder_check::told_by(&RULE, &text).expect("found")
        };
        assert!(told("\\xa1\\x01\\x18\\x2a").contains("data, which is no text"));
        assert!(told("go away").contains("carries text: \"go away\""));
    }

    /// One packet, and nothing else: it may come from anything.
    #[test]
    fn a_segment_that_stands_alone_is_a_note() {
        let severity = |text: &str| {
            let found = ladder_check::found_by(&RULE, text);
            found.map(|it| it.severity)
        };
        assert_eq!(severity("\"abc\" [noack] -->"), Some(Severity::Note));
        let both = format!("{OPEN}\"abc\" [noack] -->");
        assert_eq!(severity(&both), Some(Severity::Warning));
    }

    #[test]
    fn each_oddity_is_reported() {
        let cases = [
            ("SYN FIN -->\n<-- RST", Severity::Note, "SYN and FIN"),
            (
                "FIN [noack] -->\n<-- FIN\nACK -->",
                Severity::Warning,
                "without ACK",
            ),
            (
                "<-- FIN\nACK -->\n<-- \"more\"",
                Severity::Warning,
                "after its own FIN",
            ),
            (
                "<-- \"another answer under these numbers\" [seq=1]",
                Severity::Warning,
                "with other bytes",
            ),
            (
                "<-- \"hello, hello, hello, hello\" [id=7]\n<-- \"HELLO, HELLO, HELLO, HELLO\" [id=7 seq=1040]",
                Severity::Warning,
                "A packet of the server came a second time",
            ),
            ("FIN [noack] -->\n<-- RST", Severity::Note, "port scan"),
            ("<-- FIN [seq=900000000]", Severity::Warning, "far from"),
            ("<-- RST \"go\\x1b away\"", Severity::Note, "go\\x1b away"),
            ("<-- RST [seq=3]", Severity::Note, "outside"),
        ];
        for (text, severity, words) in cases {
            let alone = text.starts_with("SYN") || text.ends_with("RST") && text.contains("noack");
            let open = if alone { "" } else { OPEN };
            let found = ladder_check::found_by(&RULE, &format!("{open}{text}"))
                .unwrap_or_else(|| panic!("found in {text}"));
            assert_eq!(found.severity, severity, "{text}");
            assert!(found.message.contains(words), "{text}: {}", found.message);
        }
    }

    #[test]
    fn a_probe_comes_from_the_side_that_sends_it_whatever_its_port() {
        let text = "client :8080 server :2905\nPSH -->";
        let text = text.replace("PSH", "ACK [noack]");
        let found = ladder_check::found_by(&RULE, &text).expect("found");
        assert_eq!(found.severity, Severity::Note);
        assert!(
            found
                .message
                .contains("The client sent a segment without ACK"),
            "{}",
            found.message
        );
    }

    #[test]
    fn a_damaged_segment_is_none_of_a_tcp() {
        let found =
            ladder_check::found_by(&RULE, &format!("{OPEN}FIN [noack damaged] -->\n<-- ACK"));
        let found = found.expect("found");
        assert_eq!(found.severity, Severity::Note);
        assert!(
            found.message.contains("checksum is wrong"),
            "{}",
            found.message
        );
    }

    #[test]
    fn padding_after_a_fin_is_no_data() {
        let found = |bytes: &str| {
            let text = format!("{OPEN}<-- FIN\nACK -->\n<-- \"{bytes}\"");
            ladder_check::found_by(&RULE, &text).is_some()
        };
        assert!(!found(r"\x00\x00\x00\x00\x00\x00"));
        assert!(found("more"));
        let reset = |bytes: &str| {
            let text = format!("{OPEN}RST \"{bytes}\" -->");
            ladder_check::found_by(&RULE, &text).is_some()
        };
        assert!(!reset(r"\x00\x00"));
        assert!(reset("why"));
    }

    #[test]
    fn the_same_bytes_again_are_no_oddity() {
        let found = |text: &str| {
            let text = format!("SYN -->\n<-- SYN\nGET / -->\n{text}");
            ladder_check::found_by(&RULE, &text).is_some()
        };
        let first = "<-- \"HTTP/1.1 200 OK and so on and on\"\n";
        for (again, contradicts) in [
            ("<-- \"HTTP/1.1 200 OK and so on and on\" [seq=1]", false),
            (
                "<-- \"200 OK and so on and on and further\" [seq=10]",
                false,
            ),
            ("<-- \"HTTP/1.1 200 OK but something else\" [seq=1]", true),
            ("<-- \"200 OK, though not so on and on\" [seq=10]", true),
        ] {
            assert_eq!(found(&format!("{first}{again}")), contradicts, "{again}");
        }
        // Beyond a hole.
        let held = "<-- \"abcdefghijklmnop\" [seq=101]\n";
        assert!(!found(&format!("{held}<-- \"efghijklmnopqrst\" [seq=105]")));
        assert!(found(&format!("{held}<-- \"EFGHIJKLMNOPQRST\" [seq=105]")));
    }
}
