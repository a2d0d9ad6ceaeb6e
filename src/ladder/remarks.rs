//! A cell in words, for readers of a drawn ladder: what it sends, and what is unusual about it.

use super::arp::Arp;
use super::dns::Dns;
use super::escape::Quoted;
use super::message::{FieldPiece, Piece};
use super::notation::{Cell, Sends};
use crate::analysis::connection::Who;
use crate::base::escape::escape;
use crate::base::format::bytes;

impl Cell {
    /// What it sends: for what is no segment of TCP, and for segments that are not in the capture.
    #[must_use]
    pub(crate) fn in_words(&self, from: Who) -> String {
        if let Some(code) = self.deviations.unreachable {
            return match code {
                0 => "ICMP: network unreachable".to_owned(),
                1 => "ICMP: host unreachable".to_owned(),
                3 => "ICMP: port unreachable".to_owned(),
                4 => "ICMP: fragmentation needed".to_owned(),
                13 => "ICMP: administratively prohibited".to_owned(),
                code => format!("ICMP: unreachable, code {code}"),
            };
        }
        if let Some(lookup) = &self.lookup {
            return match lookup {
                Dns::Ask { name, six } => {
                    let kind = if *six { "AAAA" } else { "A" };
                    format!("DNS: {kind} of {}?", escape(name.as_bytes()))
                }
                Dns::Answer {
                    address: Some(address),
                    ..
                } => format!("DNS: {address}"),
                Dns::Answer { code, .. } => match code {
                    0 => "DNS: no address".to_owned(),
                    2 => "DNS: SERVFAIL".to_owned(),
                    3 => "DNS: NXDOMAIN".to_owned(),
                    5 => "DNS: REFUSED".to_owned(),
                    code => format!("DNS: error {code}"),
                },
            };
        }
        if let Some(arp) = &self.arp {
            return match arp {
                Arp::WhoHas(address) => format!("ARP: who has {address}?"),
                Arp::IsAt(address) => format!("ARP: {address} is here"),
            };
        }
        let mut words: Vec<String> = Vec::new();
        match self.sends {
            Sends::Again => words.push("again".to_owned()),
            Sends::Probe => words.push("keep-alive probe".to_owned()),
            Sends::New => {}
        }
        match (self.syn, from, self.deviations.no_ack) {
            (true, Who::Server, false) => words.push("SYN-ACK".to_owned()),
            (true, ..) => words.push("SYN".to_owned()),
            _ => {}
        }
        for (is_set, name) in [(self.fin, "FIN"), (self.rst, "RST")] {
            if is_set {
                words.push(name.to_owned());
            }
        }
        words.extend(self.payload.iter().map(|piece| match piece {
            Piece::Request { method, target, .. } => format!("{method} {}", escape(target)),
            Piece::Response { status, .. } => status.to_string(),
            Piece::Data(count) => bytes((*count).into()),
            other => other.to_string(),
        }));
        if words.is_empty() {
            words.push("ACK".to_owned());
        }
        words.join(" ")
    }

    /// What differs from an ordinary message and an ordinary segment: fields of the head, bytes as they are, numbers.
    #[must_use]
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for piece in &self.payload {
            match piece {
                Piece::Request { fields, .. } | Piece::Response { fields, .. } => {
                    remarks.extend(fields.iter().filter_map(field));
                }
                Piece::Raw(raw) if is_text(raw) => remarks.push(Quoted(raw).to_string()),
                Piece::Tls(tls) => {
                    // Names and versions are in the words of the segment.
                    let flags = tls.items.iter().filter(|(_, value)| value.is_none());
                    remarks.extend(flags.map(|(name, _)| name.clone()));
                }
                Piece::Raw(_) | Piece::Data(_) | Piece::H2(_) | Piece::Ws(_) => {}
            }
        }
        let own = &self.deviations;
        remarks.extend(own.ttl.map(|ttl| format!("TTL {ttl}")));
        remarks.extend(own.id.map(|id| format!("IP identification {id}")));
        remarks.extend(own.seq.map(|seq| format!("seq {seq}")));
        remarks.extend(own.ack.map(|ack| format!("ack {ack}")));
        let is_first = self.syn && !self.ack;
        remarks.extend((own.no_ack && !is_first).then(|| "without ACK".to_owned()));
        remarks.extend(own.lost.then(|| "lost on the way".to_owned()));
        remarks.extend(own.damaged.then(|| "wrong checksum".to_owned()));
        remarks.extend(own.crossed.then(|| "crosses the segment above".to_owned()));
        remarks
    }
}

/// Whether most of these bytes can be read.
fn is_text(raw: &[u8]) -> bool {
    let printable = raw
        .iter()
        .filter(|it| it.is_ascii_graphic() || it.is_ascii_whitespace());
    printable.count() * 2 > raw.len()
}

/// A field that a message has in addition, or does not have.
fn field(field: &FieldPiece) -> Option<String> {
    Some(match field {
        FieldPiece::Close => "Connection: close".to_owned(),
        FieldPiece::KeepAlive => "Connection: keep-alive".to_owned(),
        FieldPiece::Chunked => "Transfer-Encoding: chunked".to_owned(),
        FieldPiece::Length(length) => format!("Content-Length: {length}"),
        FieldPiece::NoLength => "no Content-Length".to_owned(),
        FieldPiece::Version(major, minor) => format!("HTTP/{major}.{minor}"),
        FieldPiece::Head(_) => return None,
        FieldPiece::Line(name, value) => {
            let mut parts = name.split('-').map(|part| match part.split_at_checked(1) {
                _ if matches!(part, "www" | "te") => part.to_uppercase(),
                Some((first, rest)) => first.to_uppercase() + rest,
                None => part.to_owned(),
            });
            let first = parts.next().unwrap_or_default();
            let name = parts.fold(first, |name, part| format!("{name}-{part}"));
            format!("{name}: {}", escape(value))
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::ladder::{LadderLine, parse};

    #[test]
    fn what_a_cell_says_and_what_is_unusual() {
        for (line, words, remarks) in [
            ("<-- SYN", "SYN-ACK", vec![]),
            ("GET /a [close] -->", "GET /a", vec!["Connection: close"]),
            (
                "<-- 200 \"hello\" [keep-alive=\"timeout=5\" length=9]",
                "200",
                vec!["Keep-Alive: timeout=5", "Content-Length: 9"],
            ),
            (
                "<-- RST [ttl=249 noack]",
                "RST",
                vec!["TTL 249", "without ACK"],
            ),
            (
                "<-- 401 [www-authenticate=NTLM]",
                "401",
                vec!["WWW-Authenticate: NTLM"],
            ),
            ("\"\\x16\\x03\\x01a\" -->", "\"\\x16\\x03\\x01a\"", vec![]),
            ("FIN [lost] -->", "FIN", vec!["lost on the way"]),
            ("data 2000 -->", "2.0 kB", vec![]),
            ("\"GET\\n\" -->", "\"GET\\n\"", vec!["\"GET\\n\""]),
            ("who-has 10.0.0.9 -->", "ARP: who has 10.0.0.9?", vec![]),
            (
                "lookup a.example aaaa -->",
                "DNS: AAAA of a.example?",
                vec![],
            ),
            ("<-- nxdomain", "DNS: NXDOMAIN", vec![]),
            ("<-- ACK [unreachable=1]", "ICMP: host unreachable", vec![]),
        ] {
            let ladder = parse(line).unwrap();
            let Some(LadderLine::Packet(packet)) = ladder.lines.first() else {
                panic!("{line}");
            };
            assert_eq!(packet.cell.in_words(packet.from), words, "{line}");
            assert_eq!(packet.cell.remarks(), remarks, "{line}");
        }
    }
}
