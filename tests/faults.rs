//! Some 2,200 responses, most of them malformed, and what each client printed when it met them
//! (`captures/clients/faults.tsv.gz`): what is predicted is what was printed, and nothing is predicted where nothing was.
//!
//! The server sends the response and closes. A row of the table is the response, and a column a client; `?` stands where the
//! outcome depends on time.

mod wire;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use hangup::analysis::connection::Who;
use hangup::rules::log_errors::Predictor;
use wire::{ACK, FIN, Packet, SYN, run_packets};

/// The clients, what tells them by their requests, and the least part of the rows, in thousand, that must be right. Those whose
/// parser is read byte by byte come first; of the others, kinds of faults are known.
const CLIENTS: [(&str, &str, usize); 20] = [
    ("node-http", "Connection: keep-alive\r\n", 940),
    (
        "axios",
        "User-Agent: axios/1.11.0\r\nAccept-Encoding: gzip\r\n",
        885,
    ),
    (
        "got",
        "User-Agent: got (https://github.com/sindresorhus/got)\r\nAccept-Encoding: gzip\r\n",
        885,
    ),
    (
        "node-fetch",
        "User-Agent: node\r\nAccept-Encoding: gzip\r\n",
        925,
    ),
    (
        "node-fetch-2",
        "User-Agent: node-fetch/1.0\r\nAccept-Encoding: gzip\r\n",
        890,
    ),
    ("curl", "User-Agent: curl/7.88.1\r\n", 960),
    ("php-curl", "Accept: */*\r\n", 965),
    ("python-http.client", "Accept-Encoding: identity\r\n", 965),
    (
        "python-urllib",
        "User-Agent: Python-urllib/3.11\r\nAccept-Encoding: identity\r\n",
        935,
    ),
    (
        "python-requests",
        "User-Agent: python-requests/2.34.2\r\nAccept-Encoding: gzip, deflate\r\n",
        935,
    ),
    (
        "urllib3",
        "User-Agent: python-urllib3/2.7.0\r\nAccept-Encoding: identity\r\n",
        930,
    ),
    ("php-stream", "Connection: close\r\n", 960),
    (
        "go",
        "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n",
        920,
    ),
    ("java-urlconnection", "User-Agent: Java/17.0.15\r\n", 890),
    (
        "java-httpclient",
        "User-Agent: Java-http-client/17.0.15\r\n",
        975,
    ),
    (
        "httpx",
        "User-Agent: python-httpx/0.28.1\r\nAccept-Encoding: gzip, deflate\r\n",
        935,
    ),
    (
        "aiohttp",
        "User-Agent: Python/3.11 aiohttp/3.14.5\r\nAccept-Encoding: gzip, deflate\r\n",
        915,
    ),
    (
        "wget",
        "User-Agent: Wget/1.21.3\r\nAccept-Encoding: identity\r\n",
        950,
    ),
    (
        "ruby",
        "User-Agent: Ruby\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\n",
        940,
    ),
    ("mono-webrequest", "Connection: keep-alive\r\n", 900),
];

/// What came of the predictions for one client.
#[derive(Debug, Default)]
struct Score {
    right: usize,
    /// Something else was printed, or nothing.
    wrong: Vec<String>,
    /// Something was printed, and nothing predicted.
    missed: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/clients")
}

fn table() -> String {
    let path = std::env::var_os("HANGUP_FAULTS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| folder().join("faults.tsv.gz"));
    let file = std::fs::File::open(path).expect("a table");
    let mut table = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut table)
        .expect("a packed table");
    table
}

/// The bytes that an escaped text stands for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'x') => {
                let mut digit = || char::from(rest.next().expect("a digit")).to_digit(16);
                let (high, low) = (digit().expect("a digit"), digit().expect("a digit"));
                (high * 16 + low) as u8
            }
            other => other.expect("an escaped byte"),
        });
    }
    bytes
}

/// One connection: the request of a client, the response, and the server's close.
fn connection(client: u32, fields: &str, response: &[u8]) -> Vec<Packet> {
    let request = format!("GET /a HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n").into_bytes();
    let (asked, answered) = (request.len() as u32, response.len() as u32);
    let mut packets = Vec::new();
    let mut send = |from_client, seq, ack, flags, payload: &[u8]| {
        packets.push(Packet {
            from_client,
            client,
            time: 1_000_000_000 + i64::from(client) * 1_000_000 + packets.len() as i64 * 20_000,
            seq,
            ack,
            flags,
            id: 1,
            payload: payload.to_vec(),
        });
    };
    send(true, 0, 0, SYN, b"");
    send(false, 0, 1, SYN | ACK, b"");
    send(true, 1, 1, ACK, b"");
    send(true, 1, 1, ACK, &request);
    if !response.is_empty() {
        send(false, 1, 1 + asked, ACK, response);
    }
    send(false, 1 + answered, 1 + asked, FIN | ACK, b"");
    send(true, 1 + asked, 2 + answered, FIN | ACK, b"");
    send(false, 2 + answered, 2 + asked, ACK, b"");
    packets
}

/// Whether a predicted text is in what was printed; anything may stand for `…`.
fn says(printed: &str, predicted: &str) -> bool {
    printed.split(" ⏎ ").any(|line| {
        let mut rest = line;
        predicted.split('…').all(|part| match rest.find(part) {
            Some(at) => {
                rest = rest.get(at + part.len()..).unwrap_or_default();
                true
            }
            // Long lines are cut in the table.
            None => line.chars().count() >= 159,
        })
    })
}

#[test]
fn what_clients_printed_of_malformed_responses_is_predicted() {
    let table = table();
    let mut rows = table.lines();
    let names: Vec<&str> = rows.next().expect("a header").split('\t').collect();
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('\t').collect();
        let response = unescaped(cells[0]);
        let mut packets = Vec::new();
        for (at, (_, fields, _)) in (1..).zip(CLIENTS) {
            packets.extend(connection(at, fields, &response));
        }
        let connections = run_packets(&packets);
        for (connection, (client, ..)) in connections.iter().zip(CLIENTS) {
            let column = names.iter().position(|it| *it == client).expect("a column");
            let printed = cells[column];
            if printed == "?" {
                continue;
            }
            let told = Predictor::default().told(connection, Who::Client);
            let own = |it: &&hangup::rules::log_errors::PredictedText| {
                it.stack == client || it.also.contains(&client)
            };
            let texts: Vec<_> = told.iter().filter(own).filter_map(|it| it.text).collect();
            let score = scores.entry(client).or_default();
            let case = || format!("{:?} {printed:?} {texts:?}", cells[0]);
            match (printed, &texts[..]) {
                ("", []) => score.right += 1,
                (_, []) => score.missed.push(case()),
                (_, texts) if texts.iter().any(|it| says(printed, it)) => score.right += 1,
                _ => score.wrong.push(case()),
            }
        }
    }
    let mut low = Vec::new();
    for (client, _, floor) in CLIENTS {
        let score = &scores[client];
        let all = score.right + score.wrong.len() + score.missed.len();
        let (wrong, missed) = (score.wrong.len(), score.missed.len());
        eprintln!(
            "{client}: {} of {all} right, {wrong} wrong, {missed} missed",
            score.right
        );
        if std::env::var_os("HANGUP_MISSES").is_some_and(|it| it == client || it == "all") {
            for (kind, cases) in [("wrong", &score.wrong), ("missed", &score.missed)] {
                cases
                    .iter()
                    .for_each(|it| eprintln!("  {client} {kind} {it}"));
            }
        }
        if score.right * 1000 < all * floor {
            low.push(client);
        }
    }
    assert!(low.is_empty(), "too many predictions are wrong: {low:?}");
}
