//! Ladders and what came of their connections.

use crate::rules::ladder_check;

const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
const KEPT: &str = "SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n";
const CLOSED: &str = "\nFIN -->\n<-- FIN\nACK -->";
/// Three turns in a protocol that is not read, and a fourth question.
const ASKED: &str = "SYN -->\n<-- SYN\nACK -->\n\"\\x01hello\" -->\n<-- \"\\x02who?\"\n\"\\x03me\" -->\n<-- \"\\x04fine\"\n\
                     data 25 -->\n<-- ACK\n";
const HELLO: &str = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n";
const AGREED: &str = "KeyExchange Finished -->\n<-- Finished\n";

#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    let mut wrong = String::new();
    for (before, after, wanted) in cases {
        let text = format!("{before}{after}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let outcome = proof.connections[0].outcome;
        let got = format!("{} {}", outcome.name(), outcome.reason());
        if got != *wanted {
            wrong += &format!("\n{text}\n    wanted {wanted}, got {got}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn an_attempt_that_got_no_connection_is_lost() {
    check(&[
        ("", "SYN -->\n<-- RST", "failed refused"),
        (
            "",
            "SYN -->\n+1s again -->\n+2s again -->\n+4s again -->",
            "failed unanswered",
        ),
        ("", "SYN -->\n<-- SYN\nRST [noack] -->", "fine cancelled"),
        (
            "",
            "SYN -->\n+3s <-- SYN\nRST [noack] -->",
            "failed client-left",
        ),
        // Once, and not again: the answer was not captured, or the program left.
        (
            "",
            "SYN -->\nclient :40009 server :81\n+9s SYN -->",
            "unknown no-answer-seen",
        ),
        // What comes in the last second of the capture may still be answered.
        ("", "SYN -->", "unknown cut-off"),
        (OPEN, "<-- RST [noack]", "failed rejected"),
        (OPEN, "<-- RST", "failed rejected"),
        // Its timer for the first words ran out.
        (OPEN, "+30s <-- RST", "fine unused"),
    ]);
}

/// What was sent well before the RST arrived before it, acknowledged or not.
#[test]
fn a_reset_takes_only_what_it_may_overtake() {
    let asked = format!("{OPEN}GET / -->\n<-- ACK\n<-- 200 \"hello\"\n");
    check(&[
        (&asked, "+1ms <-- RST", "failed bytes-lost"),
        (&asked, "+32ms <-- RST", "fine complete"),
    ]);
}

#[test]
fn a_message_without_its_end_is_lost_whoever_closes() {
    check(&[
        (
            OPEN,
            "GET / -->\n<-- FIN\nFIN -->\n<-- ACK",
            "failed no-response",
        ),
        (OPEN, "GET / -->\n<-- ACK\n<-- RST", "failed no-response"),
        (
            OPEN,
            "GET / -->\n<-- 200 data 5 [length=9]\n<-- FIN\nFIN -->\n<-- ACK",
            "failed cut-short",
        ),
        (
            OPEN,
            "GET / -->\n<-- 200 data 5 [length=9]\n<-- RST",
            "failed reset",
        ),
        (
            OPEN,
            "GET / -->\n<-- 200 data 5 [length=9]\nRST -->",
            "failed client-left",
        ),
        (
            OPEN,
            "GET / -->\n<-- ACK\n+30s FIN -->\n<-- FIN\nACK -->",
            "failed client-left",
        ),
        // Who leaves at once waits for nothing.
        (
            OPEN,
            "GET / FIN -->\n<-- ACK\n<-- 200 \"x\"\nRST [noack] -->",
            "fine complete",
        ),
        // The response comes, and nobody is there to have it.
        (
            OPEN,
            "GET / -->\n<-- ACK\n+30s FIN -->\n<-- ACK\n+1s <-- 200 \"late\"\nRST [noack] -->",
            "failed client-left",
        ),
        (KEPT, "GET /2 -->\n<-- RST [ttl=9]", "failed injected-reset"),
        (
            KEPT,
            "<-- FIN\nGET /2 [crossed] -->\n<-- RST [noack]",
            "failed no-response",
        ),
        // It was sent, but a RST followed on its heels.
        (
            OPEN,
            "GET / -->\n<-- 200 \"x\"\n<-- RST",
            "failed bytes-lost",
        ),
        (
            OPEN,
            "GET / -->\n<-- 502 \"x\"\nACK -->\nFIN -->\n<-- FIN\nACK -->",
            "failed gateway-error",
        ),
    ]);
}

#[test]
fn a_close_that_takes_nothing_away_is_fine() {
    check(&[
        (KEPT, CLOSED, "fine complete"),
        (KEPT, "RST -->", "fine complete"),
        (KEPT, "+9s <-- RST", "fine complete"),
        (KEPT, "<-- FIN\nFIN -->\n<-- RST [noack]", "fine complete"),
        (
            OPEN,
            "GET / FIN -->\n<-- 200 \"x\" FIN\nACK -->",
            "fine complete",
        ),
        (OPEN, "+9s <-- FIN\nFIN -->\n<-- ACK", "fine unused"),
        (OPEN, "RST -->", "fine unused"),
    ]);
}

#[test]
fn the_edges_of_the_capture_leave_it_unknown() {
    check(&[
        (KEPT, "", "unknown still-open"),
        (KEPT, "GET /2 -->", "unknown cut-off"),
        (
            "",
            "GET / -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->",
            "unknown began-before",
        ),
        // What is seen to be lost is lost all the same.
        (
            "",
            "GET / -->\n<-- FIN\nFIN -->\n<-- ACK",
            "failed no-response",
        ),
        (KEPT, "FIN -->\n<-- ACK\n+5s <-- ACK", "unknown half-closed"),
        (
            OPEN,
            "<~~ SYN\nGET / -->\n+3s FIN -->",
            "failed client-left",
        ),
    ]);
}

#[test]
fn of_bytes_that_are_not_read_the_turns_tell() {
    check(&[
        (
            ASKED,
            "+2s <-- FIN\nFIN -->\n<-- ACK",
            "failed unanswered-words",
        ),
        (ASKED, "+2s <-- RST", "failed unanswered-words"),
        // So short, and closed so soon: perhaps a goodbye.
        (ASKED, "<-- FIN\nFIN -->\n<-- ACK", "unknown opaque"),
        (
            ASKED,
            "<-- data 90\nACK -->\nFIN -->\n<-- FIN\nACK -->",
            "fine answered",
        ),
        (ASKED, "FIN -->\n<-- FIN\nACK -->", "fine answered"),
        // Whether a server that closes had said everything cannot be told.
        (
            ASKED,
            "<-- data 90\nACK -->\n+2s <-- FIN\nFIN -->\n<-- ACK",
            "unknown opaque",
        ),
        // Nor can it be told where the client goes on without waiting for answers.
        (
            ASKED,
            "+1s data 25 -->\n<-- ACK\n+2s <-- FIN\nFIN -->\n<-- ACK",
            "unknown opaque",
        ),
        (
            OPEN,
            "data 25 -->\n<-- ACK\n+2s <-- FIN\nFIN -->\n<-- ACK",
            "unknown opaque",
        ),
        // A socket that is gone takes no more bytes, whatever they mean.
        (
            ASKED,
            "<-- data 9\nACK -->\n+400s data 25 -->\n<-- RST [noack]",
            "failed bytes-lost",
        ),
    ]);
}

#[test]
fn in_tls_the_records_tell() {
    let optional = HELLO.replace("ServerHelloDone", "CertificateRequest ServerHelloDone");
    let optional = format!("{optional}Certificate [none] KeyExchange Finished -->\n");
    let agreed = format!("{HELLO}{AGREED}");
    let asked = format!("{agreed}app 300 -->\n");
    let answered = format!("{asked}<-- app 900\nACK -->\n");
    check(&[
        (
            HELLO,
            "alert 48 FIN -->\n<-- FIN\nACK -->",
            "failed tls-handshake",
        ),
        (HELLO, "FIN -->\n<-- FIN\nACK -->", "failed tls-handshake"),
        // A client certificate that was optional, and one that was not.
        (
            &optional,
            "<-- Finished\nclose_notify FIN -->\n<-- close_notify FIN\nACK -->",
            "unknown encrypted",
        ),
        (
            &optional,
            "<-- FIN\nFIN -->\n<-- ACK",
            "failed tls-handshake",
        ),
        // The server closed in the middle of a record.
        (
            &asked,
            "<-- \"\\x17\\x03\\x03\\x03\\xe8\" data 500\nACK -->\n<-- FIN\nFIN -->\n<-- ACK",
            "failed cut-short",
        ),
        (&asked, "<-- FIN\nFIN -->\n<-- ACK", "failed no-response"),
        // All had arrived, and whether it was a whole response is hidden.
        (&answered, "<-- RST", "unknown encrypted"),
        (&asked, "<-- app 900\n<-- RST", "failed reset"),
        (&asked, "<-- app 16408\nACK -->\n<-- RST", "failed reset"),
        // The client gave up, or went at once.
        (
            &asked,
            "<-- ACK\n+2s FIN -->\n<-- FIN\nACK -->",
            "failed client-left",
        ),
        (
            &format!("{answered}app 300 -->\n<-- app 900\napp 300 -->\n"),
            "<-- ACK\n+2s FIN -->\n<-- FIN\nACK -->",
            "failed client-left",
        ),
        (&asked, "FIN -->\n<-- FIN\nACK -->", "unknown encrypted"),
        (
            &answered,
            "close_notify FIN -->\n<-- FIN\nACK -->",
            "fine answered",
        ),
        (&answered, "FIN -->\n<-- FIN\nACK -->", "fine answered"),
        // A goodbye, as databases send it.
        (
            &answered,
            "app 22 -->\nclose_notify FIN -->\n<-- FIN\nACK -->",
            "fine answered",
        ),
        // A server that closes as soon as it has spoken may have had more to say, whatever it said at the end.
        (
            &answered,
            "<-- close_notify FIN\nclose_notify FIN -->\n<-- RST [noack]",
            "unknown encrypted",
        ),
        // What is harmless after a close_notify of either side.
        (
            &answered,
            "+5s <-- close_notify FIN\nclose_notify FIN -->\n<-- RST [noack]",
            "fine answered",
        ),
        (
            &answered,
            "close_notify FIN -->\nRST [noack] -->",
            "fine answered",
        ),
        (&answered, "<-- FIN\nFIN -->\n<-- ACK", "unknown encrypted"),
        (&agreed, "FIN -->\n<-- FIN\nACK -->", "unknown encrypted"),
        // A probe of the port, which the server's library answers by an alert.
        (
            OPEN,
            "FIN -->\n<-- alert 50\n<-- FIN\nRST [noack] -->",
            "fine unused",
        ),
    ]);
}

#[test]
fn a_body_that_cannot_be_decoded_is_lost() {
    let packed = |body: &str| {
        format!("{OPEN}GET / -->\n<-- 200 \"{body}\" [content-encoding=gzip]\nACK -->")
    };
    let head = r"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03";
    let whole =
        format!(r"{head}\xcbH\xcd\xc9\xc9\xd7Q\xc8@\xa2\x00\x9f\xa1\xca\x09\x13\x00\x00\x00");
    check(&[
        (&packed("hello"), CLOSED, "failed malformed"),
        (&packed(head), CLOSED, "failed malformed"),
        (&packed(&whole), CLOSED, "fine complete"),
    ]);
}

#[test]
fn a_refused_upload_is_none_that_was_cut() {
    let upload = "POST / [length=9000] data 1000 -->\n";
    check(&[
        (
            OPEN,
            &format!("{upload}<-- 413 \"no\" [close] FIN\ndata 500 -->\n<-- ACK\nFIN -->\n<-- ACK"),
            "fine complete",
        ),
        // Bytes that met no reader may have cost the response.
        (
            OPEN,
            &format!("{upload}<-- 413 \"no\" [close]\ndata 1000 -->\n+5ms <-- RST"),
            "failed request-cut",
        ),
        (
            OPEN,
            &format!("{upload}<-- ACK\n+9s <-- 408 \"no\" [close] FIN\nFIN -->\n<-- ACK"),
            "failed request-cut",
        ),
    ]);
}

/// Tickets are no answer, and what comes after the server's goodbye is one only if it is short.
#[test]
fn inside_tls_neither_tickets_nor_long_words_end_a_turn() {
    let open = "client server :8468\nSYN -->\n<-- SYN\nClientHello [sni=a] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\n";
    let left = "+1600ms FIN -->\n<-- FIN\nACK -->";
    let gone = "<-- close_notify FIN\n+40ms ACK -->\n+60ms ";
    check(&[
        (
            open,
            &format!("Finished [version=1.3] app 94 -->\n<-- app 250 app 250\nACK -->\n{left}"),
            "unknown encrypted",
        ),
        (
            open,
            &format!(
                "Finished [version=1.3] app 94 -->\n<-- app 250 app 250\n<-- app 900\nACK -->\n{left}"
            ),
            "fine answered",
        ),
        (
            HELLO,
            &format!(
                "{AGREED}app 92 -->\n<-- app 341\nACK -->\n+5s {gone}app 92 -->\n<-- RST [noack]"
            ),
            "failed bytes-lost",
        ),
        (
            HELLO,
            &format!(
                "{AGREED}app 92 -->\n<-- app 341\nACK -->\n+5s {gone}app 40 -->\n<-- RST [noack]"
            ),
            "fine answered",
        ),
    ]);
}

/// In a capture that holds packets in another order than that of their times nothing follows anything.
#[test]
fn what_is_not_in_the_order_of_time_is_not_judged() {
    let ladder: crate::ladder::Ladder =
        "SYN -->\n<-- SYN\n+20ms GET / -->\n+20ms <-- ACK\n+20ms <-- 200 \"one\"\n+20ms ACK -->\n+20ms FIN -->\n<-- FIN\nACK -->"
            .parse()
            .expect("a ladder");
    let outcome = |order: &[usize]| {
        let mut frames = crate::ladder::frames(&ladder);
        let times: Vec<_> = frames.iter().map(|it| it.time).collect();
        for (place, time) in order.iter().enumerate() {
            frames[place].time = times[*time];
        }
        let proof = ladder_check::run_frames(&ladder, frames);
        (proof.connections[0].outcome.reason(), proof.rules())
    };
    let none: Vec<&str> = Vec::new();
    assert_eq!(outcome(&[]), ("complete", none.clone()));
    assert_eq!(
        outcome(&[0, 1, 4, 3, 2, 5, 6]),
        ("disordered", none.clone())
    );
    // A clock that was set back once.
    assert_eq!(outcome(&[2, 3, 4, 1, 2, 3, 4]).0, "complete");
}

/// What the capture lacks may have been what seems lost.
#[test]
fn an_absence_in_a_capture_with_holes_is_no_loss() {
    let end = "\nFIN -->\n<-- ACK";
    check(&[
        // The client's FIN may be missing: the server's acknowledges one number more.
        (
            OPEN,
            "GET / -->\n<-- ACK\n+2s FIN ~~>\n<-- FIN",
            "unknown lost-packets",
        ),
        (
            OPEN,
            "GET / -->\n<-- ACK\n+2s <-- FIN\nFIN -->",
            "failed no-response",
        ),
        // Which response is whose is not known.
        (
            OPEN,
            &format!("GET /1 ~~>\n<-- 200 data 5 [length=9]{end}"),
            "unknown lost-packets",
        ),
        (
            OPEN,
            &format!("GET /1 -->\n<-- 200 data 5 [length=9]{end}"),
            "failed client-left",
        ),
        // A protocol that is not read.
        (
            OPEN,
            "data 9 ~~>\n<-- data 9\ndata 90 -->\n<-- RST",
            "unknown lost-packets",
        ),
        (
            OPEN,
            "data 9 -->\n<-- data 9\ndata 90 [lost] -->\n<-- RST",
            "failed bytes-lost",
        ),
        // It was used.
        (
            OPEN,
            "GET / ~~>\n<-- ACK\n+9s <-- RST [noack]",
            "unknown lost-packets",
        ),
    ]);
}

/// What a RST overtook in a protocol that is not read may have been a goodbye.
#[test]
fn the_last_bytes_of_what_is_not_read_are_not_missed() {
    let said = format!("{OPEN}\"\\x01a\" -->\n<-- ACK\n");
    check(&[
        (&said, "<-- data 90\n<-- RST", "unknown opaque"),
        (
            &said,
            "<-- data 90 [lost]\n+300ms <-- again [lost]\n+2s <-- RST",
            "failed bytes-lost",
        ),
    ]);
}

/// A client that closes its direction alone waits on.
#[test]
fn a_half_close_at_the_end_of_the_capture_is_no_leaving() {
    let later = "\nclient :40009 server :81\n+9s SYN -->";
    check(&[
        (OPEN, "GET / -->\nFIN -->", "unknown cut-off"),
        (
            OPEN,
            "GET / -->\nFIN -->\n<-- 200 data 5 [length=9]",
            "unknown cut-off",
        ),
        (
            OPEN,
            &format!("GET / -->\n+2s FIN -->\n<-- ACK{later}"),
            "failed client-left",
        ),
        (
            OPEN,
            "GET / -->\nFIN -->\n<-- 200 data 5 [length=9]\nRST [noack] -->",
            "fine not-awaited",
        ),
    ]);
}

/// As with a SYN, two answers to one that nobody acknowledges may be followed by a third.
#[test]
fn a_syn_ack_without_an_answer_is_waited_for() {
    let again = "SYN -->\n<-- SYN\n+1s <-- again\n";
    let later = "client :40009 server :81\n+9s SYN -->";
    check(&[
        (again, "", "unknown cut-off"),
        (again, later, "failed unanswered"),
        (again, "+2s <-- again\n+4s <-- again", "failed unanswered"),
        // A program had it: no other aborts it.
        ("SYN -->\n<-- SYN\n", "<-- RST", "failed rejected"),
    ]);
}

/// What the capture lacks may have been a refusal, or what was refused.
#[test]
fn what_may_have_been_refused_is_not_fine() {
    let end = "\nFIN -->\n<-- FIN\nACK -->";
    check(&[
        (
            OPEN,
            &format!("data 25 ~~>\n<-- ACK\n<-- 408 \"x\" [close]{end}"),
            "unknown lost-packets",
        ),
        (
            OPEN,
            &format!("GET / ~~>\n<-- ACK\n<-- 200 \"x\"{end}"),
            "fine complete",
        ),
        // Another request was acknowledged, and met a RST.
        (
            OPEN,
            "GET / -->\n<-- 200 \"x\"\nACK -->\n+9s GET /2 ~~>\n<-- RST",
            "unknown lost-packets",
        ),
        // The word of a refusal stands in what was cut.
        (
            OPEN,
            &format!("data 40 [cut=20] -->\n<-- data 90 [cut=20]{end}"),
            "unknown snap-length",
        ),
        // It was sent while the server refused it, and goes on.
        (
            OPEN,
            "POST / [length=9000] data 1000 -->\n<-- 413 \"no\" [close] FIN\ndata 500 -->\n<-- ACK\ndata 500 -->",
            "unknown cut-off",
        ),
        // A segment of the client drew it.
        (
            OPEN,
            "<-- FIN\nACK -->\n+10ms <-- RST [noack]",
            "unknown lost-packets",
        ),
        (
            OPEN,
            "+1s <-- FIN\nACK -->\n+9s FIN -->\n<-- RST [noack]",
            "fine unused",
        ),
    ]);
}

/// Data that was cut, and came for a request, may have been its response.
#[test]
fn a_response_beyond_the_snap_length_may_have_been_whole() {
    let ask = format!("{OPEN}GET / [head=300 cut=60] -->\n");
    check(&[
        (
            &ask,
            "<-- \"hello there\\n\"\n<-- FIN\nFIN -->\n<-- ACK",
            "unknown snap-length",
        ),
        (&ask, "<-- FIN\nFIN -->\n<-- ACK", "failed no-response"),
        (
            &ask,
            "<-- 103\n<-- data 400 [cut=20]\nACK -->\n+1s FIN -->",
            "unknown snap-length",
        ),
    ]);
}
