//! A loss that TCP itself proves is found, whatever the protocol.

use super::Severity;
use super::ladder_check;

/// What was sent, never acknowledged, and then reset: TCP itself proves the loss, whatever the protocol.
const LOST_AND_RESET: &[&str] = &[
    // The server's response, with and without repetitions; the client closes, and the server's host has no socket any more.
    "GET / -->\n<-- 200 \"x\" [lost]\n+9s FIN -->\n<-- RST [noack]",
    "GET / -->\n<-- 200 \"x\" [lost]\n+300ms <-- again [lost]\n+9s FIN -->\n<-- RST [noack]",
    "GET / -->\n<-- 200 \"x\" [lost]\n+300ms <-- again [lost]\n+600ms <-- again [lost]\n+9s FIN -->\n<-- RST [noack]",
    // The same, and the server aborts.
    "GET / -->\n<-- 200 \"x\" [lost]\n+300ms <-- again [lost]\n+2s <-- RST",
    // The client resets.
    "GET / -->\n<-- 200 \"x\" [lost]\n+300ms <-- again [lost]\n+2s RST -->",
    // The request.
    "GET / [lost] -->\n+300ms again [lost] -->\n+2s RST -->",
    "GET / [lost] -->\n+300ms again [lost] -->\n+2s <-- RST [noack]",
    // After a complete exchange.
    "GET /1 -->\n<-- 200 \"x\"\nGET /2 -->\n<-- 200 \"y\" [lost]\n+300ms <-- again [lost]\n+9s FIN -->\n<-- RST [noack]",
    // Bytes of no known protocol.
    "\"\\x01\\x02\\x03\" -->\n<-- \"\\x04\\x05\" [lost]\n+300ms <-- again [lost]\n+9s FIN -->\n<-- RST [noack]",
    "\"\\x01\\x02\\x03\" -->\n<-- \"\\x04\\x05\" [lost]\n+300ms <-- again [lost]\n+2s <-- RST",
    "\"\\x01\\x02\\x03\" [lost] -->\n+300ms again [lost] -->\n+2s RST -->",
    "\"\\x01\\x02\" -->\n<-- \"\\x03\"\n+5s <-- data 100 [lost]\n+300ms <-- again [lost]\n+2s <-- RST",
];

#[test]
fn a_loss_that_tcp_proves_is_found() {
    let mut without = Vec::new();
    for text in LOST_AND_RESET {
        let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let mut found = proof.findings.iter();
        if !found.any(|it| it.severity >= Severity::Warning) {
            let all: Vec<&str> = proof.findings.iter().map(|it| it.rule).collect();
            let outcome = proof.connections[0].outcome;
            let teardown = proof.connections[0].teardown;
            without.push(format!("{text}\n{all:?} {outcome:?} {teardown}"));
        }
    }
    assert!(without.is_empty(), "{}", without.join("\n\n"));
}

/// What the capture lacks is not what the hosts did: nothing is told of these as a warning.
const UNSEEN: &[&str] = &[
    // The rest of a request whose beginning was before the capture.
    "\"xy\" -->\n<-- ACK\n<-- 200 \"abcd\"\nACK -->\n+500ms <-- FIN\nFIN -->\n<-- ACK",
    // A part of a head, which the server acknowledged before it responded.
    "SYN -->\n<-- SYN\nACK -->\n\"GET / HTTP/1.1\\r\\nA: b\\r\\n\" -->\n\"Host: a\\r\\n\\r\\n\" ~~>\n<-- ACK\n<-- 200 \"x\"\nACK -->\n\
     +9s <-- RST",
    // The beginning of a response. The next request is no retry.
    "SYN -->\n<-- SYN\nACK -->\nPOST /a \"x\" -->\n<~~ data 100\n<-- data 50\nACK -->\n<-- FIN\nFIN -->\n<-- ACK\n\
     client :40009 server\nSYN -->\n<-- SYN\nACK -->\nPOST /a \"x\" -->\n<-- 200 \"x\"\nACK -->\n<-- FIN\nFIN -->\n<-- ACK",
    // All bare acknowledgements: a response that is not acknowledged for so long would have been repeated.
    "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\n+9s <-- RST",
    // The end of an attempt that was still under way.
    "SYN -->\n<-- SYN\nACK -->\nGET / [lost] -->\n+1s <-- again\nACK [lost] -->\nagain -->",
    // The number of a RST counts what was sent before it.
    "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<~~ 200 data 700 [length=900]\n+30ms <-- RST",
    // A ClientHello, which the server acknowledged.
    "SYN -->\nClientHello [sni=a] ~~>\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\nACK -->\nFIN -->\n<-- FIN\nACK -->",
    // The client's Finished, before a goodbye that is as long as an alert.
    "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a] -->\n<-- ServerHello [version=1.3] app 32 app 69\nFinished [version=1.3] ~~>\n\
     app 100 -->\n<-- app 250 app 262\nclose_notify [version=1.3] FIN -->\n<-- FIN\nACK -->",
    // The server's consent to TLS.
    "client :40000 server :5432\nSYN -->\n<~~ SYN\nACK -->\n\"\\0\\0\\0\\x08\\x04\\xd2\\x16\\x2f\" -->\n<~~ \"S\"\n\
     ClientHello ~~>\n<-- ServerHello [version=1.3] app 32 app 69\nACK -->\nFIN -->\n<-- FIN\nACK -->",
    // The request for a tunnel.
    "<-- SYN\n<-- \"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n\\x00\\x00\\x04\"\n<-- FIN",
];

#[test]
fn what_the_capture_lacks_is_not_what_the_hosts_did() {
    for text in UNSEEN {
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let mut loud = proof
            .findings
            .iter()
            .filter(|it| it.severity >= Severity::Warning);
        let loud = loud.next().map(|it| it.message.to_string());
        assert_eq!(loud, None, "{text}");
        let outcome = proof.connections[0].outcome;
        assert!(!outcome.is_failed(), "{text}");
        // What is missing is not known to be fine either.
        let missing = proof.connections[0].sent.iter().any(|it| it.missing > 0);
        assert!(!(missing && outcome.is_fine()), "{text}: {outcome}");
    }
}
