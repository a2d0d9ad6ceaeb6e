//! `hangup anonymise`: the same is found before and after, by other names, and nothing of the original is left.
//!
//! Every capture is anonymised under a known key, both reports are compared fact by fact, and each name in the second must be
//! what the key makes of the name in the first. `HANGUP_SHARED` names a folder with more captures.

#![cfg(all(feature = "cli", feature = "anonymise"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

mod wire;

use hangup::anonymise::{Key, Words, copy};
use hangup::packet::capture::{Batch, Fill, OpenOptions, PcapngWriter, open};
use hangup::{Analysis, AnalysisOptions, Format, ReportOptions};
use proptest::prelude::*;
use serde_json::Value;

const SECRET: &[u8] = b"a key for tests, long enough to be one";

/// Captures on whose anonymised form not all is the same, and why. The paths are what they end in.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("socks5-http-302-frag.pcap", FRAGMENTS),
    ("http_req_frag.pcap", FRAGMENTS),
    ("frag_http_req.pcap", FRAGMENTS),
    ("24_vxlan_outer_ipv4_fragmentation.pcap", FRAGMENTS),
    ("AH-IPcomp-IPv4.pcap", COMPRESSED),
    ("AH-IPcomp-IPv6.pcap", COMPRESSED),
    ("gre-aruba-amsdu.pcap", AGGREGATES),
    ("tls-selfsigned--mono-httpclient.pcap", WRITTEN),
    ("nginx-fastcgi.pcap", WRITTEN),
    ("legs/proxy-protocol.pcap", WRITTEN),
    ("legs/proxy-protocol@middle.pcap", WRITTEN),
    ("hello-alert-user_canceled.pcap.gz", ORDER),
    ("app-layer-protocol-unknown-tls-boundary/input.pcap", LAST),
    ("ftp-active-blocked.pcap", WRITTEN),
    ("ftp-killed-in-transfer.pcap", WRITTEN),
    ("ftp-not-found.pcap", WRITTEN),
    ("ftp-passive-blocked.pcap", WRITTEN),
    ("security-8550/input.pcap", FRAGMENTS),
    ("arkime_synthetic.pcap", RECOGNISED),
    ("heuristic_tcp_ack_payload.pcap", OUTSIDE),
    ("ftp-upload-active/input.pcap", WRITTEN),
    ("output-eve-ftp-data/input.pcap", WRITTEN),
    ("zeek/ftp/ipv4.pcap", WRITTEN),
    ("dns-idle-timeout.pcap", NAMED),
    ("pcapng-example.pcapng.zst", EARLY),
    ("http2-deflate-case/input.pcap", CODED),
    ("cert-expired-tls12.pcap.gz", WRITTEN),
    ("healthy/ssh1.pcap", ALGORITHMS),
    ("ssh-nothing-in-common.pcap", ALGORITHMS),
    ("smtp-relay-denied.pcap", FILLER),
    ("matrix/mx-bad-te.pcap", CODING),
    ("http-evader-062/input.pcap", CODING),
    ("http-evader-066/input.pcap", CODING),
    ("http-evader-195/input.pcap", CODING),
    ("http-evader-225/input.pcap", CODING),
    ("http-evader-303/input.pcap", CODING),
    ("http-evader-310/input.pcap", CODING),
    ("http-evader-314/input.pcap", CODING),
];

const CODING: &str = "clients judge the name of an unknown coding, or the bytes of a faulty one, and both are replaced";

const ALGORITHMS: &str = "the names of algorithms are filler, and so is what they have in common";
const FILLER: &str = "a name holds the letter that is the filler, and is replaced in two ways";

const FRAGMENTS: &str = "TCP in IP fragments is filler behind its header";
const COMPRESSED: &str = "packets that are compressed are filler";
const AGGREGATES: &str = "of 802.11 aggregates the first packet stays";
const WRITTEN: &str =
    "an address that is written in figures has no room for the one in the packets";
const EARLY: &str = "times before 1970 cannot be written";
const CODED: &str = "a coded body that lacks its end in an unusual way lacks it in another way";
const NAMED: &str = "the sentence on the name of the server is not there";
const LAST: &str = "binary payload that was not shown became filler that is";
const RECOGNISED: &str =
    "a protocol was recognised by bytes of a message that is not read, which are filler";
const OUTSIDE: &str = "payload that is no part of a stream is filler";
const ORDER: &str = "what is equally bad is told in the order of its addresses";

fn key() -> Key {
    Key::of_bytes(SECRET).unwrap()
}

fn place(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("anonymise");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Anonymises a capture. `None`: it cannot be read.
fn anonymised(capture: &Path) -> Option<Vec<u8>> {
    let mut source = open(&[capture], &OpenOptions::default()).ok()?;
    let (_, out) = copy(&mut *source, key(), Vec::new(), &mut |_| {}).ok()?;
    Some(out)
}

fn report(capture: &Path) -> Option<Value> {
    report_on(&[capture])
}

fn report_on(captures: &[&Path]) -> Option<Value> {
    let analysis = Analysis::with_options(captures, &AnalysisOptions::default()).ok()?;
    let mut json = Vec::new();
    analysis
        .write_report(Format::Json, &ReportOptions::default(), &mut json)
        .unwrap();
    serde_json::from_slice(&json).ok()
}

/// What a capture says of itself is left out.
const OF_THE_FILE: [&str; 13] = [
    "path",
    "format",
    "bytes",
    "comments",
    "comment",
    "name",
    "names",
    "interfaces",
    "damage",
    "damages",
    "passed_over",
    "secrets",
    "left_out",
];

struct Comparison {
    words: Words,
    key: Key,
    differences: Vec<String>,
}

impl Comparison {
    fn new() -> Self {
        Self {
            words: Words::new(key()),
            key: key(),
            differences: Vec::new(),
        }
    }

    fn values(&mut self, place: &str, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                let of_file =
                    place.is_empty() || place.contains("capture") || place.contains("input");
                let skipped = |key: &String| of_file && OF_THE_FILE.contains(&key.as_str());
                let keys = a.keys().chain(b.keys().filter(|it| !a.contains_key(*it)));
                let keys: Vec<_> = keys.filter(|it| !skipped(it)).collect();
                keys.into_iter().fold(true, |same, key| {
                    let nothing = &Value::Null;
                    let (a, b) = (a.get(key).unwrap_or(nothing), b.get(key).unwrap_or(nothing));
                    self.values(&format!("{place}.{key}"), a, b) && same
                })
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                // Some lists are sorted by address.
                (0..a.len()).fold(true, |same, nth| {
                    let known = self.differences.len();
                    let inside = format!("{place}[{nth}]");
                    if self.values(&inside, &a[nth], &b[nth]) {
                        return same;
                    }
                    let told = self.differences.split_off(known);
                    let elsewhere = b.iter().any(|other| self.values(&inside, &a[nth], other));
                    self.differences.truncate(known);
                    if !elsewhere {
                        self.differences.extend(told);
                    }
                    same && elsewhere
                })
            }
            (Value::String(a), Value::String(b)) => {
                // A quotation of payload is names and filler in turn.
                let same = place.contains(".last_words.")
                    || place.contains(".faults.") && has_form(a, b)
                    || self.texts(a, b);
                if !same {
                    self.differences
                        .push(format!("{place}: {a:?} became {b:?}"));
                }
                same
            }
            (a, b) => {
                if a != b {
                    let short = |it: &Value| it.to_string().chars().take(120).collect::<String>();
                    self.differences
                        .push(format!("{place}: {} became {}", short(a), short(b)));
                }
                a == b
            }
        }
    }

    /// Whether one text is the other by its names.
    fn texts(&mut self, a: &str, b: &str) -> bool {
        if a == b || is_filler(a, b) {
            return true;
        }
        if a.contains('"') && a.matches('"').count() == b.matches('"').count() {
            // What is quoted is a name or filler.
            return a
                .split('"')
                .zip(b.split('"'))
                .enumerate()
                .all(|(nth, (a, b))| self.texts(a, b) || nth % 2 == 1 && has_form(a, b));
        }
        if let Some((a, b)) = self.without_ports(a, b) {
            return self.texts(&a, &b);
        }
        let (a, b) = (pieces(a), pieces(b));
        let paired = (0..a.len().min(b.len())).all(|nth| {
            // A word that is cut short.
            let is_cut = a.get(nth + 1).is_some_and(|it| it == "…") && a[nth].len() == b[nth].len();
            is_cut || self.piece(&a[nth], &b[nth])
        });
        // The ends of a tunnel are in order, that of their addresses.
        let ends = |it: &[String]| {
            it.iter()
                .filter(|it| address(it).is_some())
                .cloned()
                .collect::<Vec<_>>()
        };
        let (from, to) = (ends(&a), ends(&b));
        let swapped = from.len() == 2
            && to.len() == 2
            && self.piece(&from[0], &to[1])
            && self.piece(&from[1], &to[0]);
        a.len() == b.len() && (paired || swapped)
    }

    /// Both texts without an IPv6 address that stands before a port without brackets, where one is the other's.
    fn without_ports(&self, a: &str, b: &str) -> Option<(String, String)> {
        let mut others = b.split(' ');
        a.split(' ').find_map(|a_word| {
            let b_word = others.next()?;
            let (ip, port) = a_word.rsplit_once(':')?;
            let (other, other_port) = b_word.rsplit_once(':')?;
            let (ip, other): (std::net::Ipv6Addr, IpAddr) = (ip.parse().ok()?, other.parse().ok()?);
            (port == other_port && self.key.address(ip.into()) == other)
                .then(|| (a.replacen(a_word, "", 1), b.replacen(b_word, "", 1)))
        })
    }

    fn piece(&mut self, a: &str, b: &str) -> bool {
        if a == b {
            return true;
        }
        if let (Some((a, port)), Some((b, other))) = (address(a), address(b)) {
            // An address in a text without room for another one has other figures.
            let written = a.is_ipv4() && b.is_ipv4();
            if port == other && self.key.address(a) == b || written {
                return true;
            }
        }
        if let (Some((a, port)), Some((b, other))) = (a.rsplit_once(':'), b.rsplit_once(':'))
            && port == other
            && let (Ok(a), Ok(b)) = (a.parse(), b.parse::<IpAddr>())
        {
            return self.key.address(a) == b;
        }
        if a.len() != b.len() && a.is_ascii() {
            return false;
        }
        if a.starts_with('%') || a.starts_with("\\x") {
            return b.as_bytes()[0] == a.as_bytes()[0];
        }
        if !a.is_ascii() || b.bytes().all(|it| it == b'x') {
            return true;
        }
        let mut mapped = a.as_bytes().to_vec();
        self.words.names(&mut mapped);
        // What a Huffman code has room for may differ in some letters.
        let is_word = a.bytes().all(|it| it.is_ascii_alphanumeric())
            && a.bytes().any(|it| it.is_ascii_alphabetic());
        mapped == b.as_bytes() || a.len() > 3 && is_word
    }
}

/// Bytes that break a grammar, with other letters and digits.
fn has_form(a: &str, b: &str) -> bool {
    let form = |it: char| match it {
        '0'..='9' => '0',
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        it => it,
    };
    a.chars().map(form).eq(b.chars().map(form))
}

/// A quotation of payload, which became filler.
fn is_filler(a: &str, b: &str) -> bool {
    let bytes = |text: &str| {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let kept = ["\\x0d", "\\x0a"].iter().any(|it| rest.starts_with(it));
            let length = match rest {
                _ if kept => 4,
                _ if rest.starts_with("\\x") => 4.min(rest.len()),
                _ if rest.starts_with("\\\\") => 2,
                _ => first.len_utf8(),
            };
            let length = (length..=rest.len())
                .find(|it| rest.is_char_boundary(*it))
                .unwrap_or(rest.len());
            out.push(rest[..length].to_owned());
            rest = &rest[length..];
        }
        out
    };
    let (a, b) = (bytes(a), bytes(b));
    let is_filler = |it: &String| matches!(it.as_str(), "x" | "\\xfe" | "\\x01");
    // Spaces at the end are not shown.
    let rest = b.get(a.len()..).unwrap_or_default();
    a.len() <= b.len()
        && rest.iter().all(is_filler)
        && a.iter().zip(&b).all(|(a, b)| a == b || is_filler(b))
}

/// An address, and a port behind it.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let with_port = text.parse::<SocketAddr>().map(|it| (it.ip(), it.port()));
    with_port.or_else(|_| text.parse().map(|it| (it, 0))).ok()
}

/// A text in addresses, words, and what is between them.
fn pieces(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']');
    let mut out: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        // The longest beginning that is an address.
        let found = (2..=run).rev().find(|end| {
            let part = &rest[..*end];
            let whole = !rest[*end..].starts_with(|c: char| c.is_ascii_alphanumeric());
            let plain = part.contains('.') || part.matches(':').count() > 1;
            plain && whole && address(part).is_some()
        });
        let is_escape = |mark: &str, digits: usize| {
            let end = mark.len() + digits;
            rest.starts_with(mark)
                && rest
                    .get(mark.len()..end)
                    .is_some_and(|it| it.bytes().all(|it| it.is_ascii_hexdigit()))
        };
        let length = found.unwrap_or_else(|| {
            if is_escape("%", 2) {
                return 3;
            }
            if is_escape("\\x", 2) {
                return 4;
            }
            let word = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            word.max(first.len_utf8())
        });
        out.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    out
}

fn captures() -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::from("captures")];
    if let Some(shared) = std::env::var_os("HANGUP_SHARED") {
        folders.push(PathBuf::from(shared).join("captures"));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_capture(&path) {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

fn is_capture(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    [".pcap", ".pcapng", ".cap"]
        .iter()
        .any(|it| name.ends_with(it))
}

/// The frames of a capture from one number to another, without what stands beside them.
fn part_of(capture: &Path, numbers: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let mut source = open(&[capture], &OpenOptions::default()).ok()?;
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    let mut batch = Batch::default();
    while source.fill(&mut batch).ok()? != Fill::End {
        let frames = batch.frames().filter(|it| numbers.contains(&it.number.0));
        frames.for_each(|frame| writer.frame(&frame).unwrap());
        batch.clear();
    }
    writer.finish().ok()
}

fn has_secrets(capture: &Path) -> bool {
    let Ok(mut source) = open(&[capture], &OpenOptions::default()) else {
        return false;
    };
    let mut batch = Batch::default();
    while source.fill(&mut batch).is_ok_and(|it| it != Fill::End) {
        batch.clear();
    }
    source.files().iter().any(|it| !it.secrets.is_empty())
}

/// What differs between the reports on a capture and on its anonymised form. No secret opens the copy: the capture is taken
/// without its own.
fn differences(capture: &Path, nth: usize) -> Vec<String> {
    if has_secrets(capture) {
        let closed = place(&format!("{nth}-closed.pcapng"));
        fs::write(&closed, part_of(capture, 0..u64::MAX).unwrap()).unwrap();
        return differences(&closed, nth);
    }
    let Some(out) = anonymised(capture) else {
        return Vec::new();
    };
    let path = place(&format!("{nth}.pcapng"));
    fs::write(&path, out).unwrap();
    let mut told = compared(report(capture), report(&path));
    if !told.is_empty() {
        // Tables that are made when they are first asked for must not matter.
        told = compared(printed(capture), printed(&path));
    }
    fs::remove_file(&path).unwrap();
    told
}

/// The report of a program of its own.
fn printed(capture: &Path) -> Option<Value> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program
        .args(["report", "-f", "json", "--threads", "1"])
        .arg(capture)
        .stdin(Stdio::null());
    serde_json::from_slice(&program.output().unwrap().stdout).ok()
}

fn compared(before: Option<Value>, after: Option<Value>) -> Vec<String> {
    let (Some(before), Some(after)) = (before, after) else {
        return vec!["no report".to_owned()];
    };
    let mut comparison = Comparison::new();
    comparison.values("", &before, &after);
    comparison.differences
}

#[test]
fn the_same_is_found_before_and_after() {
    let all = captures();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(capture) = all.get(nth) else {
                        return;
                    };
                    let told = differences(capture, nth);
                    if !told.is_empty() {
                        found.lock().unwrap().push((capture.clone(), told));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    let is_known = |path: &Path| EXCEPTIONS.iter().any(|(name, _)| path.ends_with(name));
    let mut text = String::new();
    for (path, told) in found.iter().filter(|(path, _)| !is_known(path)) {
        text += &format!("{}: {}\n", path.display(), told.len());
        for it in told.iter().take(4) {
            text += &format!("    {it}\n");
        }
    }
    eprintln!(
        "the same report on {} of {} captures, {} exceptions",
        all.len() - found.len(),
        all.len(),
        EXCEPTIONS.len()
    );
    assert!(text.is_empty(), "{text}");
    let differs = |name: &str| found.iter().any(|(path, _)| path.ends_with(name));
    let stale = EXCEPTIONS.iter().map(|it| it.0);
    let stale = stale.filter(|name| all.iter().any(|it| it.ends_with(name)) && !differs(name));
    assert_eq!(
        stale.collect::<Vec<_>>(),
        Vec::<&str>::new(),
        "the same is found"
    );
}

/// A conversation with everything in it that identifies, in packets of the given size, in a pcapng that says who recorded it.
fn telling_capture(size: usize) -> Vec<u8> {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed
        .write_all(b"{\"salary\":\"ninety thousand\",\"employee\":\"Wilhelmina Quartermaine\"}")
        .unwrap();
    let packed = packed.finish().unwrap();
    let request = "POST /payroll/quartermaine?token=s3cr3tt0k3nvalue HTTP/1.1\r\nHost: payroll.umbrellacorp.test\r\n\
        Authorization: Basic d2lsaGVsbWluYTpodW50ZXIyMjI=\r\nCookie: session=deadbeefcafe4711; uid=wilhelmina\r\n\
        X-Forwarded-For: 203.0.113.77, 198.51.100.9\r\nX-Umbrella-Trace: trace-id-90210\r\n\
        User-Agent: curl/8.5.0\r\nContent-Length: 27\r\n\r\n{\"iban\":\"DE89370400440532\"}";
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\nSet-Cookie: session=deadbeefcafe4711; Path=/payroll\r\n\
         Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    response.extend(&packed);
    let mut packets = vec![
        (true, 0, 100, 0, wire::SYN, Vec::new()),
        (false, 0, 500, 101, wire::SYN | wire::ACK, Vec::new()),
        (true, 0, 101, 501, wire::ACK, Vec::new()),
    ];
    for (from_client, bytes, (own, other)) in [
        (true, request.as_bytes(), (101_u32, 501_u32)),
        (false, &response[..], (501, 101 + request.len() as u32)),
    ] {
        for (nth, part) in bytes.chunks(size).enumerate() {
            let seq = own + (nth * size) as u32;
            packets.push((from_client, 0, seq, other, wire::ACK, part.to_vec()));
        }
    }
    let mut shots: Vec<wire::Shot> = (1..)
        .zip(packets)
        .map(|(nth, (from_client, _, seq, ack, flags, payload))| {
            let packet = wire::Packet {
                from_client,
                client: 0x4d_4d4d,
                time: nth * 1_000_000,
                seq,
                ack,
                flags,
                id: nth as u16,
                payload,
            };
            packet.shot()
        })
        .collect();
    shots.push(lookup("payroll.umbrellacorp.test"));
    let mut file = Vec::new();
    for number in [0x0a0d_0d0a_u32, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28] {
        file.extend(number.to_le_bytes());
    }
    // Secrets, and a comment on the packets of an interface that is named.
    let secrets = b"CLIENT_RANDOM 0123456789abcdef 00112233445566778899";
    block(
        &mut file,
        10,
        &[
            &0x544c_534b_u32.to_le_bytes()[..],
            &(secrets.len() as u32).to_le_bytes(),
            secrets,
        ]
        .concat(),
    );
    let name = [
        &1_u16.to_le_bytes()[..],
        &[0, 0],
        &0_u32.to_le_bytes(),
        &option(2, b"wilhelminas-lan"),
        &option(9, &[9]),
    ]
    .concat();
    block(&mut file, 1, &name);
    for shot in &shots {
        let ticks = shot.time.as_nanos() as u64;
        let mut own = Vec::new();
        for number in [
            0,
            (ticks >> 32) as u32,
            ticks as u32,
            shot.data.len() as u32,
            shot.length,
        ] {
            own.extend(number.to_le_bytes());
        }
        own.extend(&shot.data);
        own.resize(own.len().next_multiple_of(4), 0);
        own.extend(option(1, b"this is where Wilhelmina logged in"));
        block(&mut file, 6, &own);
    }
    file
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut out = code.to_le_bytes().to_vec();
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn block(file: &mut Vec<u8>, kind: u32, content: &[u8]) {
    let mut content = content.to_vec();
    content.resize(content.len().next_multiple_of(4), 0);
    let length = content.len() as u32 + 12;
    file.extend(kind.to_le_bytes());
    file.extend(length.to_le_bytes());
    file.extend(content);
    file.extend(length.to_le_bytes());
}

/// A DNS query for a name, from a client at 10.77.77.77.
fn lookup(name: &str) -> wire::Shot {
    let mut dns = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        dns.push(label.len() as u8);
        dns.extend(label.as_bytes());
    }
    dns.extend([0, 0, 1, 0, 1]);
    let mut data = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    data.extend((28 + dns.len() as u16).to_be_bytes());
    data.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 77, 77, 77, 192, 0, 2, 53]);
    data.extend(40_000_u16.to_be_bytes());
    data.extend(53_u16.to_be_bytes());
    data.extend((8 + dns.len() as u16).to_be_bytes());
    data.extend([0, 0]);
    data.extend(dns);
    wire::Shot {
        time: hangup::base::time::Timestamp::from_nanos(1),
        link: 1,
        interface: 0,
        length: data.len() as u32,
        data,
    }
}

/// All streams of gzip in these bytes, unpacked.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read as _;

    let mut out = Vec::new();
    for at in memchr::memmem::find_iter(bytes, b"\x1f\x8b\x08") {
        let mut part = Vec::new();
        let _ = flate2::read::GzDecoder::new(&bytes[at..]).read_to_end(&mut part);
        out.extend(part);
    }
    out
}

#[test]
fn nothing_of_the_original_is_left() {
    const NEEDLES: [&str; 22] = [
        "payroll",
        "umbrella",
        "quartermaine",
        "wilhelmina",
        "s3cr3tt0k3nvalue",
        "token",
        "d2lsaGVsbWluYTpodW50ZXIyMjI=",
        "hunter222",
        "deadbeefcafe4711",
        "203.0.113.77",
        "198.51.100.9",
        "trace-id-90210",
        "90210",
        "DE89370400440532",
        "iban",
        "salary",
        "ninety thousand",
        "employee",
        "CLIENT_RANDOM",
        "0123456789abcdef",
        "lan",
        "logged in",
    ];
    const BYTES: [&[u8]; 4] = [
        &[10, 77, 77, 77],
        &[192, 0, 2, 1],
        &[192, 0, 2, 53],
        b"\x07payroll",
    ];
    for size in [1400, 61, 7, 1] {
        let before = place(&format!("telling-{size}.pcapng"));
        fs::write(&before, telling_capture(size)).unwrap();
        let out = anonymised(&before).unwrap();
        // What is in packets, one after another: a name may be in several of them.
        let path = place(&format!("told-{size}.pcapng"));
        fs::write(&path, &out).unwrap();
        let mut source = open(&[&path], &OpenOptions::default()).unwrap();
        let mut batch = Batch::default();
        let mut streams = Vec::new();
        while source.fill(&mut batch).unwrap() != Fill::End {
            for frame in batch.frames() {
                streams.extend(frame.data.get(54..).unwrap_or_default());
            }
            batch.clear();
        }
        let all = [&out[..], &streams, &unpacked(&streams)].concat();
        let lower = all.to_ascii_lowercase();
        for needle in NEEDLES {
            let found = memchr::memmem::find(&lower, needle.to_ascii_lowercase().as_bytes());
            assert_eq!(found, None, "{needle} in packets of {size}");
        }
        for needle in BYTES {
            assert_eq!(
                memchr::memmem::find(&all, needle),
                None,
                "{needle:?} in packets of {size}"
            );
        }
        assert_eq!(differences(&before, size), Vec::<String>::new(), "{size}");
        // It stays what it was: names of products, sizes, a body that can be unpacked.
        for needle in [
            "curl/8.5.0",
            "nginx/1.24.0",
            "Content-Encoding: gzip",
            "POST /",
            "200 OK",
        ] {
            assert!(
                memchr::memmem::find(&streams, needle.as_bytes()).is_some(),
                "{needle}"
            );
        }
        assert!(unpacked(&streams).starts_with(b"xxxx"));
    }
}

/// Frames as they are written, with the length they had on the wire.
fn frames(path: &Path) -> Vec<(u32, Vec<u8>)> {
    let mut source = open(&[path], &OpenOptions::default()).unwrap();
    let mut batch = Batch::default();
    let mut out = Vec::new();
    while source.fill(&mut batch).unwrap() != Fill::End {
        out.extend(batch.frames().map(|it| (it.length, it.data.to_vec())));
        batch.clear();
    }
    out
}

/// Whether the checksum of an IPv4 header is right, and that of the TCP segment in it.
fn checksums(frame: &[u8]) -> Option<[bool; 2]> {
    let fits = |at: &usize| {
        let length = frame
            .get(at + 2..at + 4)
            .map(|it| usize::from(u16::from_be_bytes([it[0], it[1]])));
        frame.get(*at) == Some(&0x45)
            && frame.get(at + 9) == Some(&6)
            && length.is_some_and(|it| it >= 40 && at + it <= frame.len())
    };
    let at = [14, 16, 20].into_iter().find(fits)?;
    let length = usize::from(u16::from_be_bytes([frame[at + 2], frame[at + 3]]));
    let packet = &frame[at..at + length];
    let sum = |parts: &[&[u8]]| {
        let all: u64 = parts
            .iter()
            .flat_map(|it| it.chunks(2))
            .map(|it| u64::from(it[0]) << 8 | u64::from(*it.get(1).unwrap_or(&0)))
            .sum();
        let folded = (all & 0xffff) + (all >> 16);
        (folded & 0xffff) + (folded >> 16) == 0xffff
    };
    let segment = (length as u16 - 20).to_be_bytes();
    let pseudo = [&packet[12..20], &[0, 6][..], &segment].concat();
    Some([sum(&[&packet[..20]]), sum(&[&pseudo, &packet[20..]])])
}

#[test]
fn what_was_right_stays_right_and_lengths_stay() {
    let mut seen = [0; 2];
    for name in [
        "captures/keep-alive-race.pcapng",
        "captures/early-413.pcapng",
        "captures/websocket-proxy-timeout.pcap",
        "captures/bad-gateway.pcap",
    ] {
        let capture = Path::new(name);
        let path = place("sums.pcapng");
        fs::write(&path, anonymised(capture).unwrap()).unwrap();
        let (before, after) = (frames(capture), frames(&path));
        assert_eq!(before.len(), after.len(), "{name}");
        for (old, new) in before.iter().zip(&after) {
            assert_eq!((old.0, old.1.len()), (new.0, new.1.len()), "{name}");
            assert_eq!(checksums(&old.1), checksums(&new.1), "{name}");
            for right in checksums(&old.1).into_iter().flatten() {
                seen[usize::from(right)] += 1;
            }
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "wrong and right ones: {seen:?}");
}

#[test]
fn one_key_gives_one_mapping_and_two_give_two() {
    let capture = Path::new("captures/reset-before-response.pcap");
    assert_eq!(anonymised(capture), anonymised(capture));
    let mut source = open(&[capture], &OpenOptions::default()).unwrap();
    let other = Key::of_bytes(b"another key, of which nobody knows").unwrap();
    let (_, out) = copy(&mut *source, other, Vec::new(), &mut |_| {}).unwrap();
    assert_ne!(Some(out), anonymised(capture));
}

/// Rotated files are one timeline: a connection that goes on in the next file stays one.
#[test]
fn a_connection_in_two_files_stays_one() {
    for name in [
        "captures/reset-before-response.pcap",
        "captures/early-413.pcapng",
        "captures/bad-gateway.pcap",
        "captures/tls12.pcapng",
        "captures/websocket-proxy-timeout.pcap",
    ] {
        let capture = Path::new(name);
        let frames = frames(capture).len() as u64;
        let in_one = place("in-one.pcapng");
        fs::write(&in_one, part_of(capture, 1..frames + 1).unwrap()).unwrap();
        for cut in [frames / 3, frames / 2, frames * 2 / 3] {
            let halves = [1..cut + 1, cut + 1..frames + 1].map(|numbers| {
                let path = place(&format!("half-{}.pcapng", numbers.start));
                fs::write(&path, part_of(capture, numbers).unwrap()).unwrap();
                path
            });
            let out = place("whole.pcapng");
            let key = place("halves.key");
            fs::write(&key, SECRET).unwrap();
            let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
            program
                .arg("anonymise")
                .args(&halves)
                .arg("--key")
                .arg(&key);
            program.arg("--force").arg("-o").arg(&out);
            assert!(program.output().unwrap().status.success(), "{name}");
            let told = compared(report(&in_one), report(&out));
            assert_eq!(told, Vec::<String>::new(), "{name} cut behind {cut}");
            // One after the other, under the same key: the same hosts.
            let hosts = |captures: &[PathBuf]| {
                let analysis = Analysis::of_files(captures).unwrap();
                let ends = analysis.summaries().iter();
                ends.map(|it| (it.client, it.server)).collect::<Vec<_>>()
            };
            let apart = halves.each_ref().map(|half| {
                let path = half.with_extension("apart.pcapng");
                fs::write(&path, anonymised(half).unwrap()).unwrap();
                path
            });
            assert_eq!(hosts(&apart), hosts(&[out]), "{name} cut behind {cut}");
        }
    }
}

/// Captures of one connection at two places are refused together, and say the same apart.
#[test]
fn places_stay_apart() {
    let mut pairs = 0;
    for entry in fs::read_dir("captures/places").unwrap() {
        let near = entry.unwrap().path();
        let name = near.file_name().unwrap().to_str().unwrap().to_owned();
        let far = near.with_file_name(name.replace(".pcap", "@server.pcap"));
        if !name.ends_with(".pcap") || name.contains('@') || !far.exists() {
            continue;
        }
        pairs += 1;
        // Places are told apart by the names of their files: those stay.
        let folder = place("places");
        fs::create_dir_all(&folder).unwrap();
        let [one, two] = [&near, &far].map(|capture| {
            let path = folder.join(capture.file_name().unwrap());
            fs::write(&path, anonymised(capture).unwrap()).unwrap();
            path
        });
        let mut told = compared(report_on(&[&near, &far]), report_on(&[&one, &two]));
        // Estimates are made of some of the frames, chosen by their addresses: the figures differ.
        told.retain(|it| !(it.starts_with(".vantages[") && it.contains("_ns: ")));
        assert_eq!(told, Vec::<String>::new(), "{name}");
    }
    assert!(pairs > 40, "{pairs}");
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.args(["anonymise", "captures/places/clean-tls.pcap"]);
    program.args([
        "captures/places/clean-tls@server.pcap",
        "-o",
        "=never.pcapng",
    ]);
    let refused = program.output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("at several places") && told.contains("--key KEY"),
        "{told}"
    );
}

#[test]
fn a_key_log_is_refused_with_the_way_out() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.args(["anonymise", "captures/tls13.pcap", "-o", "=never.pcapng"]);
    let refused = program.args(["--keylog", "secrets.txt"]).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    let instead = "hangup report captures/tls13.pcap --keylog secrets.txt -o found.md";
    assert!(told.contains(instead), "{told}");
    let out = place("closed.pcapng");
    let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
    program.args(["anonymise", "captures/tls-secrets-inside.pcapng", "--force"]);
    let done = program.arg("-o").arg(&out).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(told.contains("open the original alone"), "{told}");
    assert!(!has_secrets(&out));
}

#[test]
fn the_program_says_what_it_did() {
    let run = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_hangup"));
        program
            .arg("anonymise")
            .args(arguments)
            .stdin(Stdio::null());
        program.output().unwrap()
    };
    let to = place("program.pcapng");
    let _ = fs::remove_file(&to);
    let to = to.to_str().unwrap();
    let capture = "captures/reset-before-response.pcap";
    let done = run(&[capture, "-o", to]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    for part in [
        "of 2 connections in ",
        "replaced   addresses, ",
        "kept       times",
        "left out",
        "random, and not kept",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let again = run(&[capture, "-o", to]);
    assert!(!again.status.success());
    let short = place("short.key");
    fs::write(&short, b"short").unwrap();
    let refused = run(&[
        capture,
        "-o",
        to,
        "--force",
        "--key",
        short.to_str().unwrap(),
    ]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("the key has 5 bytes") && told.contains("head -c 32"),
        "{told}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens to its bytes, a capture is copied frame by frame, and nothing panics.
    #[test]
    fn damaged_captures_are_copied(
        which in 0..8_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        let name = [
            "captures/tls12.pcapng", "captures/keep-alive-race.pcapng", "captures/early-413.pcapng",
            "captures/reset-before-response.pcap", "captures/streamed-transfers.pcap.gz", "captures/tls-wrong-name.pcapng",
            "captures/connection-refused.pcapng", "captures/response-cut-short.pcap",
        ][which];
        let mut anonymiser = hangup::anonymise::Anonymiser::new(key());
        let mut shots = frames(Path::new(name));
        for (at, byte) in &changes {
            let frame = at.index(shots.len());
            let (_, data) = &mut shots[frame];
            if !data.is_empty() {
                let place = at.index(data.len());
                data[place] = *byte;
            }
        }
        let mut written = Vec::new();
        for (nth, (length, data)) in shots.iter().enumerate() {
            let shot = wire::Shot {
                time: hangup::base::time::Timestamp::from_nanos(nth as i64 * 1000),
                link: 1,
                interface: 0,
                length: *length,
                data: data.clone(),
            };
            anonymiser.frame(&shot.frame(nth as u64 + 1), |frame| {
                written.push(frame.data.len());
                Ok::<_, std::convert::Infallible>(())
            }).unwrap();
        }
        anonymiser.finish(|frame| {
            written.push(frame.data.len());
            Ok::<_, std::convert::Infallible>(())
        }).unwrap();
        let lengths: Vec<usize> = shots.iter().map(|it| it.1.len()).collect();
        prop_assert_eq!(written, lengths);
    }
}
