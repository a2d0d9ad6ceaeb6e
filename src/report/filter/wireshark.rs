//! Wireshark's display filters, recognised and translated: into a line of the filter language, and into a capture filter
//! (BPF).
//!
//! The grammar is that of wireshark-filter(4), as far as tests of one field go: comparisons in signs and in letters, sets,
//! `contains`, a field or protocol alone, and what joins them. Not translated is what has no equal: display filters select
//! packets, the filter language selects connections, and a capture filter knows addresses and ports only.

use std::net::IpAddr;

/// A parsed display filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayFilter {
    node: Result<Node, ()>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// A field compared with values, any of which may match.
    Test(String, Comparison, Vec<String>),
    /// A field or a protocol that is there.
    There(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Is,
    IsNot,
    Over,
    AtLeast,
    Under,
    AtMost,
    Contains,
    Matches,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    And,
    Or,
    Not,
    In,
    Compare(Comparison),
    Word(String),
    Quoted(String),
}

/// Protocols whose fields are recognised.
const PROTOCOLS: [&str; 18] = [
    "ip",
    "ipv6",
    "tcp",
    "udp",
    "http",
    "http2",
    "tls",
    "ssl",
    "frame",
    "eth",
    "dns",
    "icmp",
    "icmpv6",
    "arp",
    "websocket",
    "data",
    "vlan",
    "_ws",
];

/// What a field alone begins with that is no host's name either: `tcp.analysis.retransmission`.
const FIELDS: [&str; 14] = [
    "tcp.analysis",
    "tcp.flags",
    "tcp.stream",
    "tcp.port",
    "tcp.len",
    "tcp.time",
    "ip.addr",
    "ip.src",
    "ip.dst",
    "http.request",
    "http.response",
    "tls.handshake",
    "tls.alert",
    "_ws.expert",
];

/// Protocols that are single words in a display filter, but nothing in a capture filter.
const BARE: [&str; 7] = ["http", "http2", "tls", "ssl", "dns", "websocket", "quic"];

/// Nesting depth of brackets and negations.
const MAX_DEPTH: usize = 32;

impl DisplayFilter {
    /// The display filter that a text is, if it is one.
    #[must_use]
    pub fn recognise(text: &str) -> Option<Self> {
        let tokens = tokens(text);
        let compared =
            |at: usize| matches!(tokens.get(at + 1), Some(Token::Compare(_) | Token::In));
        let any = (0..).zip(&tokens).any(|(at, token)| match token {
            Token::Word(word) => is_field(word, compared(at)),
            _ => false,
        });
        any.then(|| Self::of(&tokens))
    }

    /// The display filter that a text is if it is the name of a protocol alone; elsewhere such a word may be anything.
    #[must_use]
    pub fn of_protocol(text: &str) -> Option<Self> {
        let tokens = tokens(text);
        let alone = matches!(&tokens[..], [Token::Word(word)] if BARE.contains(&word.as_str()));
        alone.then(|| Self::of(&tokens))
    }

    fn of(tokens: &[Token]) -> Self {
        let mut parser = Parser {
            tokens,
            next: 0,
            depth: 0,
        };
        let node = parser.any();
        let is_whole = parser.next == tokens.len();
        Self {
            node: node.filter(|_| is_whole).ok_or(()),
        }
    }

    /// The line of the filter language that selects the connections in which such packets are.
    ///
    /// # Errors
    /// What cannot be said in it, and what to do.
    pub fn to_line(&self) -> Result<String, String> {
        self.written(&Language::Line)
    }

    /// The capture filter for the connections of such packets.
    ///
    /// # Errors
    /// What cannot be said in it, and what to do.
    pub fn to_bpf(&self) -> Result<String, String> {
        self.written(&Language::Bpf)
    }

    /// A caution about the translation, if one is due.
    #[must_use]
    pub fn caution(&self) -> Option<&'static str> {
        fn has(node: &Node, wanted: &dyn Fn(&str) -> bool) -> bool {
            match node {
                Node::All(parts) | Node::Any(parts) => parts.iter().any(|it| has(it, wanted)),
                Node::Not(part) => has(part, wanted),
                Node::Test(field, ..) | Node::There(field) => wanted(field),
            }
        }
        let node = self.node.as_ref().ok()?;
        if has(node, &|field| field == "tcp.stream") {
            return Some("streams are counted by Wireshark: compare addresses and ports");
        }
        has(node, &|field| field.starts_with("tcp.flags"))
            .then_some("how: is what ended the connection")
    }

    fn written(&self, language: &Language) -> Result<String, String> {
        match &self.node {
            Ok(node) => node.written(language, false),
            Err(()) => Err("it is not complete".to_owned()),
        }
    }
}

/// Whether a word is a field's name; `compared`: a comparison follows.
fn is_field(word: &str, compared: bool) -> bool {
    let Some((protocol, rest)) = word.split_once('.') else {
        return compared && PROTOCOLS.contains(&word);
    };
    let is_name =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._".contains(char);
    let own = |field: &str| {
        let rest = word.strip_prefix(field);
        rest.is_some_and(|it| it.is_empty() || it.starts_with(['.', '_']))
    };
    PROTOCOLS.contains(&protocol)
        && !rest.is_empty()
        && rest.chars().all(is_name)
        && (compared || FIELDS.into_iter().any(own))
}

/// The words and signs of a display filter; what is no sign is part of a word.
fn tokens(text: &str) -> Vec<Token> {
    use Comparison::{AtLeast, AtMost, Contains, Is, IsNot, Matches, Over, Under};
    const SIGNS: [(&str, Token); 21] = [
        ("===", Token::Compare(Is)),
        ("!==", Token::Compare(IsNot)),
        ("==", Token::Compare(Is)),
        ("!=", Token::Compare(IsNot)),
        ("~=", Token::Compare(IsNot)),
        (">=", Token::Compare(AtLeast)),
        ("<=", Token::Compare(AtMost)),
        ("&&", Token::And),
        ("||", Token::Or),
        ("=", Token::Compare(Is)),
        (">", Token::Compare(Over)),
        ("<", Token::Compare(Under)),
        ("~", Token::Compare(Matches)),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        ("{", Token::OpenSet),
        ("}", Token::CloseSet),
        (",", Token::Comma),
        ("&", Token::And),
        ("|", Token::Or),
    ];
    let letters = |word: &str| match word {
        "eq" => Token::Compare(Is),
        "ne" => Token::Compare(IsNot),
        "gt" => Token::Compare(Over),
        "ge" => Token::Compare(AtLeast),
        "lt" => Token::Compare(Under),
        "le" => Token::Compare(AtMost),
        "contains" => Token::Compare(Contains),
        "matches" => Token::Compare(Matches),
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        "in" => Token::In,
        word => Token::Word(word.to_owned()),
    };
    let ends_word = |char: char| char.is_whitespace() || "=!<>~&|(){},\"'".contains(char);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let (quoted, after) = quoted(&rest[1..], first);
            tokens.push(Token::Quoted(quoted));
            rest = after;
        } else if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            tokens.push(token.clone());
            rest = &rest[sign.len()..];
        } else {
            let end = rest.find(ends_word).unwrap_or(rest.len());
            tokens.push(letters(&rest[..end]));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    tokens
}

/// A string up to its closing mark, or to the end; and what follows.
fn quoted(text: &str, mark: char) -> (String, &str) {
    let mut said = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        if char == mark {
            return (said, &text[at + char.len_utf8()..]);
        }
        match char {
            '\\' => said.extend(chars.next().map(|(_, char)| char)),
            char => said.push(char),
        }
    }
    (said, "")
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.next += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Option<Node> {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        match parts.len() {
            1 => parts.pop(),
            _ => Some(Node::Any(parts)),
        }
    }

    fn all(&mut self) -> Option<Node> {
        let mut parts = vec![self.one()?];
        while self.take(&Token::And) {
            parts.push(self.one()?);
        }
        match parts.len() {
            1 => parts.pop(),
            _ => Some(Node::All(parts)),
        }
    }

    fn one(&mut self) -> Option<Node> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let node = if self.take(&Token::Not) {
            self.one().map(|it| Node::Not(Box::new(it)))
        } else if self.take(&Token::Open) {
            let inner = self.any();
            let is_closed = self.take(&Token::Close);
            inner.filter(|_| is_closed)
        } else {
            self.test()
        };
        self.depth -= 1;
        node
    }

    fn test(&mut self) -> Option<Node> {
        let Token::Word(field) = self.peek()?.clone() else {
            return None;
        };
        self.next += 1;
        match self.peek().cloned() {
            Some(Token::Compare(comparison)) => {
                self.next += 1;
                let value = self.value()?;
                Some(Node::Test(field, comparison, vec![value]))
            }
            Some(Token::In) => {
                self.next += 1;
                let mut values = Vec::new();
                if !self.take(&Token::OpenSet) {
                    return None;
                }
                while !self.take(&Token::CloseSet) {
                    values.push(self.value()?);
                    self.take(&Token::Comma);
                }
                (!values.is_empty()).then_some(Node::Test(field, Comparison::Is, values))
            }
            _ => Some(Node::There(field)),
        }
    }

    fn value(&mut self) -> Option<String> {
        let (Token::Word(value) | Token::Quoted(value)) = self.peek()?.clone() else {
            return None;
        };
        self.next += 1;
        Some(value)
    }
}

/// What is translated to.
enum Language {
    Line,
    Bpf,
}

impl Node {
    fn written(&self, language: &Language, inside: bool) -> Result<String, String> {
        let (and, not) = match language {
            Language::Line => (" ", "-"),
            Language::Bpf => (" and ", "not "),
        };
        let each = |parts: &[Self]| -> Result<Vec<String>, String> {
            let parts = parts.iter().filter(|it| !it.is_every_connection());
            let mut written: Vec<String> = Vec::new();
            for part in parts {
                let part = part.written(language, true)?;
                // Source and destination are one address on loopback.
                if !written.contains(&part) {
                    written.push(part);
                }
            }
            Ok(written)
        };
        match self {
            Self::All(parts) => match &each(parts)?[..] {
                [] => Err(NO_TEST.to_owned()),
                parts => Ok(parts.join(and)),
            },
            Self::Any(parts) => match each(parts)?.join(" or ") {
                joined if inside => Ok(format!("({joined})")),
                joined => Ok(joined),
            },
            Self::Not(part) => match &**part {
                Self::All(_) | Self::Any(_) => {
                    Ok(format!("{not}({})", part.written(language, false)?))
                }
                part => Ok(format!("{not}{}", part.written(language, true)?)),
            },
            Self::Test(field, comparison, values) => match language {
                Language::Line => line(field, *comparison, values),
                Language::Bpf => bpf(field, *comparison, values),
            },
            Self::There(field) => match language {
                Language::Line => line_of_field(field),
                Language::Bpf => bpf_of_field(field),
            },
        }
    }

    /// Whether every connection has such packets.
    fn is_every_connection(&self) -> bool {
        matches!(self, Self::There(field) if ["tcp", "ip", "ipv6", "frame", "eth"].contains(&field.as_str()))
    }
}

const NO_TEST: &str = "every connection has such packets";

fn without_equal(field: &str) -> String {
    format!("`{field}` has no equal here")
}

/// The test of the filter language for a comparison.
fn line(field: &str, comparison: Comparison, values: &[String]) -> Result<String, String> {
    use Comparison::{AtLeast, AtMost, Contains, Is, IsNot, Over, Under};
    let sign = match comparison {
        Over => ">",
        AtLeast => ">=",
        Under => "<",
        AtMost => "<=",
        _ => "",
    };
    let is_equality = matches!(comparison, Is | IsNot);
    let not = if comparison == IsNot { "-" } else { "" };
    let number = |text: &String| {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        low.parse::<u64>().is_ok() && high.parse::<u64>().is_ok()
    };
    let numbers = values.iter().all(number);
    let joined = values.join(",");
    let key = match field {
        "ip.addr" | "ip.src" | "ip.dst" | "ip.host" | "ipv6.addr" | "ipv6.src" | "ipv6.dst" => {
            let are_places = values.iter().all(|it| network(it).is_some());
            return match is_equality && are_places {
                true => Ok(format!("{not}address:{joined}")),
                false => Err(format!(
                    "`{field}` is compared with an address or a network here."
                )),
            };
        }
        "tcp.port" | "tcp.srcport" | "tcp.dstport" => "port",
        "frame.number" => "frame",
        "http.response.code" | "http2.headers.status" | "http3.headers.status" => "status",
        "tcp.stream" => {
            let ids: Option<Vec<String>> = values
                .iter()
                .map(|it| Some(it.parse::<u32>().ok()?.checked_add(1)?.to_string()))
                .collect();
            return match ids {
                Some(ids) if is_equality => Ok(format!("{not}id:{}", ids.join(","))),
                _ => Err(without_equal(field)),
            };
        }
        "tcp.flags.reset" | "tcp.flags.fin" => {
            let is_set = match values {
                [one] if is_equality && ["1", "true", "True"].contains(&one.as_str()) => true,
                [one] if is_equality && ["0", "false", "False"].contains(&one.as_str()) => false,
                _ => return Err(without_equal(field)),
            };
            let not = if is_set == (comparison == Is) {
                ""
            } else {
                "-"
            };
            return line_of_field(field).map(|it| format!("{not}{it}"));
        }
        "http.host" | "http2.headers.authority" => return said("host", comparison, values),
        "http.request.method" | "http2.headers.method" => {
            return said("method", comparison, values);
        }
        "http.user_agent" => return said("agent", comparison, values),
        "http.request.uri" | "http.request.uri.path" | "http2.headers.path" => {
            return said("path", comparison, values);
        }
        _ => return Err(without_equal(field)),
    };
    let compared = !matches!(comparison, Contains | Comparison::Matches);
    match numbers && compared {
        true => Ok(format!("{not}{key}:{sign}{joined}")),
        false => Err(format!("`{field}` is compared with a number here")),
    }
}

/// A test on a text of a request, which finds parts too.
fn said(key: &str, comparison: Comparison, values: &[String]) -> Result<String, String> {
    let not = match comparison {
        Comparison::Is | Comparison::Contains => "",
        Comparison::IsNot => "-",
        _ => return Err(format!("`{key}:` takes a part of the text")),
    };
    let values = values.iter().map(|it| match super::lex::is_bare_value(it) {
        true => it.clone(),
        false => format!("\"{}\"", it.replace('\\', "\\\\").replace('"', "\\\"")),
    });
    Ok(format!(
        "{not}{key}:{}",
        values.collect::<Vec<_>>().join(",")
    ))
}

fn line_of_field(field: &str) -> Result<String, String> {
    Ok(match field {
        "tcp.flags.reset" => "how:reset",
        "tcp.flags.fin" => "how:fin",
        "http" => "protocol:http/1",
        "http2" => "protocol:http/2",
        "tls" | "ssl" => "protocol:tls",
        "websocket" => "protocol:websocket",
        "tcp" | "ip" | "ipv6" | "frame" | "eth" => return Err(NO_TEST.to_owned()),
        _ => return Err(without_equal(field)),
    }
    .to_owned())
}

/// The primitive of a capture filter for a comparison. It selects both directions of a connection: one cannot be judged.
fn bpf(field: &str, comparison: Comparison, values: &[String]) -> Result<String, String> {
    let primitives = values.iter().map(|value| match field {
        "ip.addr" | "ip.src" | "ip.dst" | "ip.host" | "ipv6.addr" | "ipv6.src" | "ipv6.dst" => {
            let word = match (network(value)?, comparison) {
                (_, Comparison::Over | Comparison::Under) => return None,
                (true, _) => "net",
                (false, _) => "host",
            };
            Some(format!("{word} {value}"))
        }
        "tcp.port" | "tcp.srcport" | "tcp.dstport" => {
            Some(format!("tcp {}", ports(comparison, value)?))
        }
        "udp.port" | "udp.srcport" | "udp.dstport" => {
            Some(format!("udp {}", ports(comparison, value)?))
        }
        _ => None,
    });
    let is_order = !matches!(comparison, Comparison::Is | Comparison::IsNot);
    let primitives: Option<Vec<String>> = primitives.collect();
    let is_port = field.ends_with("port");
    let Some(primitives) = primitives.filter(|_| !is_order || is_port) else {
        return Err(match field {
            "tcp.stream" => {
                let stream = values.join(", ");
                let test = match values.len() {
                    1 => format!("tcp.stream == {stream}"),
                    _ => format!("tcp.stream in {{{stream}}}"),
                };
                format!(
                    "it knows no streams; cut one out: tshark -r FILE -Y '{test}' -w OUT.pcapng, then hangup OUT.pcapng"
                )
            }
            _ => format!("a capture filter has no word for `{field}`"),
        });
    };
    let joined = match &primitives[..] {
        [one] => one.clone(),
        many => format!("({})", many.join(" or ")),
    };
    Ok(match comparison {
        Comparison::IsNot => format!("not {joined}"),
        _ => joined,
    })
}

/// A port, or a range of them, of a capture filter.
fn ports(comparison: Comparison, value: &str) -> Option<String> {
    let (low, high) = value.split_once("..").unwrap_or((value, value));
    let (low, high): (u16, u16) = (low.parse().ok()?, high.parse().ok()?);
    let (low, high) = match comparison {
        Comparison::Is | Comparison::IsNot => (low, high),
        Comparison::Over => (low.checked_add(1)?, u16::MAX),
        Comparison::AtLeast => (low, u16::MAX),
        Comparison::Under => (0, high.checked_sub(1)?),
        Comparison::AtMost => (0, high),
        Comparison::Contains | Comparison::Matches => return None,
    };
    match low == high {
        true => Some(format!("port {low}")),
        false => (low < high).then(|| format!("portrange {low}-{high}")),
    }
}

fn bpf_of_field(field: &str) -> Result<String, String> {
    Ok(match field {
        "tcp" | "udp" | "ip" | "arp" | "icmp" => field,
        "ipv6" => "ip6",
        "icmpv6" => "icmp6",
        _ if BARE.contains(&field) => {
            return Err(format!("a capture filter knows no {field}, only its ports"));
        }
        _ => return Err(format!("a capture filter has no word for `{field}`")),
    }
    .to_owned())
}

/// Whether an address has a prefix length; `None` if the text is no address.
fn network(text: &str) -> Option<bool> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let ip: IpAddr = address.parse().ok()?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    match bits {
        Some(bits) => (bits <= most).then_some(true),
        None => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::filter::Filter;

    #[test]
    fn display_filters_are_translated() {
        for (typed, line, bpf) in [
            ("ip.addr==10.0.0.1", "address:10.0.0.1", "host 10.0.0.1"),
            (
                "ip.src eq 10.0.0.0/8",
                "address:10.0.0.0/8",
                "net 10.0.0.0/8",
            ),
            ("ipv6.addr == ::1", "address:::1", "host ::1"),
            ("tcp.port==80", "port:80", "tcp port 80"),
            (
                "tcp.port in {80, 443 8080..8090}",
                "port:80,443,8080..8090",
                "(tcp port 80 or tcp port 443 or tcp portrange 8080-8090)",
            ),
            (
                "tcp.dstport >= 1024",
                "port:>=1024",
                "tcp portrange 1024-65535",
            ),
            (
                "ip.addr == 10.0.0.1 && (tcp.port == 80 || tcp.port == 443)",
                "address:10.0.0.1 (port:80 or port:443)",
                "host 10.0.0.1 and (tcp port 80 or tcp port 443)",
            ),
            (
                "!(ip.addr == 10.0.0.1) and not tcp.port == 22",
                "-address:10.0.0.1 -port:22",
                "not host 10.0.0.1 and not tcp port 22",
            ),
            (
                "ip.addr != 10.0.0.1",
                "-address:10.0.0.1",
                "not host 10.0.0.1",
            ),
            (
                "ip.src==127.0.0.1 && ip.dst==127.0.0.1 && tcp.port==80",
                "address:127.0.0.1 port:80",
                "host 127.0.0.1 and tcp port 80",
            ),
            (
                "tcp && ip.addr == 10.0.0.1",
                "address:10.0.0.1",
                "host 10.0.0.1",
            ),
        ] {
            let filter = DisplayFilter::recognise(typed).unwrap();
            assert_eq!(filter.to_line().as_deref(), Ok(line), "{typed}");
            assert_eq!(filter.to_bpf().as_deref(), Ok(bpf), "{typed}");
            assert!(Filter::parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_only_connections_have_is_no_capture_filter() {
        for (typed, line) in [
            ("http.response.code==502", "status:502"),
            ("http.response.code >= 500", "status:>=500"),
            ("http.request.method == \"POST\"", "method:POST"),
            ("http.host contains 'a b'", "host:\"a b\""),
            ("tcp.flags.reset==1", "how:reset"),
            ("tcp.flags.reset == 0", "-how:reset"),
            ("tcp.flags.fin && tcp.flags.reset", "how:fin how:reset"),
            ("tcp.stream==7", "id:8"),
            ("tcp.stream in {0,2}", "id:1,3"),
            ("frame.number == 12 && http", "frame:12 protocol:http/1"),
        ] {
            let filter = DisplayFilter::recognise(typed).unwrap();
            assert_eq!(filter.to_line().as_deref(), Ok(line), "{typed}");
            assert!(filter.to_bpf().is_err(), "{typed}");
            assert!(Filter::parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_has_no_equal_is_named() {
        for (typed, part) in [
            ("tcp.analysis.retransmission", "tcp.analysis.retransmission"),
            ("tcp.len > 0", "tcp.len"),
            ("ip.addr ==", "not complete"),
            ("ip.addr == 10.0.0", "address"),
            ("tcp.port == http", "number"),
            ("http.host matches \"a.*\"", "part"),
            ("tcp.stream == 4294967295", "tcp.stream"),
            ("ip.addr == 10.0.0.1)", "not complete"),
        ] {
            let filter = DisplayFilter::recognise(typed).unwrap();
            let told = filter.to_line().unwrap_err();
            assert!(told.contains(part), "{typed}: {told}");
        }
    }

    #[test]
    fn other_lines_are_no_display_filters() {
        for typed in [
            "",
            "tcp port 80",
            "host 10.0.0.1",
            "host tcp.example.com",
            "tcp[tcpflags] & tcp-rst != 0",
            "ip[2:2] > 576",
            "len >= 100",
            "by:server how:reset",
            "checkout",
            "ip6 proto 6",
            "/tls.js?a=b",
            "ether host 02:00:00:00:00:01",
            "vlan 5",
            "udp.example",
            "greater 100",
        ] {
            assert_eq!(DisplayFilter::recognise(typed), None, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: String, likely in "(ip.addr|tcp.port|http.host|[=!&|(){},\"' ]|[0-9.]{0,5}|in|and){0,20}") {
            for line in [line, likely] {
                if let Some(filter) = DisplayFilter::recognise(&line) {
                    let _ = (filter.to_line(), filter.to_bpf(), filter.caution());
                }
            }
        }
    }
}
