//! Client and server speak different protocols.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::protocol::layers::FirstWords;
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The client began with one protocol, and the server with another: an HTTP request was sent to a mail server, or an SSH
    /// client connected to a web server. The first bytes of each side show its protocol by themselves. Where one of the two is
    /// TLS, `tls-plaintext-mismatch` reports it.
    ///
    /// A proxy may begin with a line that names its client, the PROXY protocol. A server that expects none answers 400, before
    /// it has read the request.
    ///
    /// # Why it matters
    ///
    /// Nothing works on such a connection. The client's error seldom names the cause: it mentions HTTP/0.9, a malformed
    /// response, a bad version string, a timeout, or a reset.
    ///
    /// # Remedy
    ///
    /// - *If the connection began with a PROXY header:* Switch the PROXY protocol off at the proxy, or on at this port of the
    ///   server (nginx `listen … proxy_protocol`, HAProxy `accept-proxy`, Apache `RemoteIPProxyProtocol`).
    /// - *If the connection began without a PROXY header:* Correct the port or the address in the client's configuration: it
    ///   names a service that speaks another protocol.
    /// - *If the connection began without a PROXY header:* Check what listens on the port (`ss -ltnp`), and what a proxy, a
    ///   port mapping or a Kubernetes Service forwards to it.
    ///
    /// # Tell it by
    ///
    /// Read the first line of each side (`tcp.len > 0`): a request line such as `GET / HTTP/1.1` meets a greeting such as
    /// `220 mail ESMTP` or `SSH-2.0-OpenSSH`, or the other way round.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  "220 mail.example ESMTP\r\n"
    ///  0.040                     <--  "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n" FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings malformed-response protocol-mismatch
    /// ```
    ///
    /// The other way round:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "*1\r\n$4\r\nPING\r\n" -->
    ///  0.030                     <--  400 "no" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings protocol-mismatch
    /// ```
    ///
    /// A PROXY header at a server that expects none:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "PROXY TCP4 10.0.0.9 10.0.0.2 40000 80\r\n" -->
    ///  0.021  GET /              -->
    ///  0.030                     <--  400 "no" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings protocol-mismatch
    /// ```
    ///
    /// # Not this
    ///
    /// Bytes that could be anything:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "\x01\x02\x03 hello" -->
    ///  0.030                     <--  "220 mail.example ESMTP\r\n"
    ///  0.040  ACK                -->
    /// ```
    ///
    /// TLS in place of plain text:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  "220 mail.example ESMTP\r\n"
    ///  0.031  FIN                -->
    ///  0.040                     <--  FIN
    ///  0.050  ACK                -->
    ///  => findings tls-plaintext-mismatch
    /// ```
    ///
    /// The same protocol on both sides, on any port:
    ///
    /// ```ladder
    ///         client                  server :6379
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.030                     <--  200 "x" [close] FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §3, §4 (the first line of HTTP/1); RFC 4253 §4.2 (that of SSH); RFC 5321 §4.2 (replies of SMTP).
    pub(in crate::rules) RULE: "protocol-mismatch", Severity::Error,
    "client and server speak different protocols", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    if connection.is_proxy_header_refused() {
        return unexpected_header(connection);
    }
    let Some((client, server)) = connection.mismatch() else {
        return not_yet(connection);
    };
    if [client, server].contains(&FirstWords::Tls) {
        return Verdict::Clear;
    }
    let message = match (client, server) {
        (FirstWords::Http, server) => {
            sentence!(
                "The client sent an HTTP request to a server that speaks {}.",
                server.name()
            )
        }
        (client, FirstWords::Http) => sentence!(
            "The client spoke {} to a server that speaks HTTP.",
            client.name()
        ),
        (client, server) => sentence!(
            "The client spoke {} to a server that speaks {}.",
            client.name(),
            server.name()
        ),
    };
    let said = connection
        .exchanges
        .first()
        .and_then(|it| it.response_faults().first())
        .map(|fault| shortened(fault.bytes.as_bytes(), QUOTED));
    let said = said.filter(|it| !it.is_empty());
    let asked = connection.spoken().first().and_then(request);
    let answered = connection.spoken().iter().find_map(response);
    let close = connection.teardown.frame_ref();
    tell(
        &RULE,
        Severity::Error,
        match connection.sent.iter().all(|it| it.missing == 0) {
            true => Certainty::Certain,
            false => Certainty::Likely,
        },
        "Client and server spoke different protocols",
        message,
    )
    .adds(said.map(|it| sentence!("The server began with \"{}\".", it)))
    .shows(
        Some(asked.map_or(connection.first, |it| it.first)),
        format!("the client begins with {}", client.name()),
    )
    .shows(
        answered.map(|it| it.first),
        format!("the server begins with {}", server.name()),
    )
    .shows(
        Some(close).filter(|it| it.frame.0 > 0 && connection.last_data[Who::Server as usize] < *it),
        "the end of the connection",
    )
    .about(connection)
}

fn unexpected_header(connection: &Connection) -> Verdict {
    let answer = connection.exchanges.iter().find_map(response);
    tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "[A PROXY header was|# PROXY headers were] answered with 400",
        "The client began with a header of the PROXY protocol. The server answered it with 400.",
    )
    .presumes(Some("This port of the server expects no such header."))
    .shows(answer.map(|it| it.first), "400 from the server")
    .about(connection)
}

/// Characters of the server's first bytes that are quoted.
const QUOTED: usize = 60;

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
    const END: &str = "<-- FIN\nFIN -->\n<-- ACK";

    /// What is said, and by which rules, when client and server say this.
    fn told(said: &str) -> (Option<String>, Vec<&'static str>) {
        let text = format!("{OPEN}{said}\n{END}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let own = proof.findings.iter().find(|it| it.rule == super::RULE.name);
        if let Some(own) = own {
            let mut rest = proof.findings.iter().filter(|it| it.id != own.id);
            assert!(rest.all(|it| it.caused_by == Some(own.id)), "{said}");
        }
        (own.map(|it| it.message.to_string()), proof.rules())
    }

    #[test]
    fn each_side_is_named_by_its_first_bytes() {
        let mysql = r#"<-- "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00mysql_native_password\x00""#;
        let rows = [
            (
                "<-- \"SSH-2.0-OpenSSH_9.2\\r\\n\"\nGET / -->".to_owned(),
                "an HTTP request to a server that speaks SSH.",
            ),
            (
                format!("{mysql}\nGET / -->"),
                "an HTTP request to a server that speaks MySQL.",
            ),
            (
                "GET / -->\n<-- \"-ERR wrong number of arguments for 'get' command\\r\\n\"".to_owned(),
                "an HTTP request to a server that speaks Redis.",
            ),
            (
                "\"SSH-2.0-OpenSSH_9.2\\r\\n\" -->\n<-- 400 \"no\" [close]".to_owned(),
                "spoke SSH to a server that speaks HTTP.",
            ),
            (
                "\"\\x00\\x00\\x00\\x08\\x04\\xd2\\x16\\x2f\" -->\n<-- 400 \"no\" [close]".to_owned(),
                "spoke PostgreSQL to a server that speaks HTTP.",
            ),
            (
                "<-- \"220 mail.example ESMTP\\r\\n\"\n\"SSH-2.0-OpenSSH_9.2\\r\\n\" -->\n<-- \"500 what\\r\\n\""
                    .to_owned(),
                "spoke SSH to a server that speaks SMTP.",
            ),
        ];
        for (said, expected) in rows {
            let (message, rules) = told(&said);
            let message = message.unwrap_or_default();
            assert!(message.contains(expected), "{said}: {message} {rules:?}");
            let others = rules.iter().filter(|it| **it != super::RULE.name);
            let others: Vec<_> = others.collect();
            assert!(
                others.iter().all(|it| **it == "malformed-response"),
                "{said}: {others:?}"
            );
        }
    }

    #[test]
    fn bytes_that_show_no_protocol_raise_nothing() {
        for said in [
            "GET / -->\n<-- \"hello\\r\\n\"",
            "\"hello\\r\\n\" -->\n<-- 400 \"no\" [close]",
            "\"\\x01\\x02\\x03\" -->\n<-- \"\\x04\\x05\\x06\"",
        ] {
            assert_eq!(told(said).0, None, "{said}");
        }
    }
}
