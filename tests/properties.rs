//! Invariants of every capture: the point of capture, the sequence numbers in it and the way it is read do not change
//! the diagnosis.

mod cases;
mod exchange;
mod reading;
mod wire;

use std::io::{self, Read};

use proptest::prelude::*;

use cases::cases;
use exchange::{parts, play, script, seen_at};
use hangup::analysis::connection::{By, Connection, How, Who};
use hangup::base::time::Timestamp;
use hangup::protocol::http::ConnectionEnd;
use hangup::report::Format;
use wire::{InMemory, Packet, Shot, captures, drain, load, run, run_packets, to_pcap};

/// The messages and the outcome, without frames and times.
fn story(connection: &Connection) -> String {
    let teardown = &connection.teardown;
    let mut story = format!(
        "{:?} {:?} {:?} {:?} {:?} {}",
        connection.opening,
        teardown.by,
        teardown.how,
        teardown.phase,
        teardown.certainty,
        if teardown.orderly { "orderly" } else { "" },
    );
    for who in Who::BOTH {
        let [state, time_wait] = [
            connection.states[who as usize].to_string(),
            format!("{}", connection.time_wait[who as usize].is_some()),
        ];
        let sent = connection.sent[who as usize];
        story += &format!("\n{who:?} {state} {time_wait} {sent:?}");
    }
    story + &talk(connection)
}

/// The requests and responses.
fn talk(connection: &Connection) -> String {
    let mut talk = format!("\n{:?}", connection.protocol);
    for exchange in &connection.exchanges {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.escape_ascii().to_string());
        let request = exchange.request.as_ref();
        let target = request.and_then(|request| request.target.as_ref());
        talk += &format!(
            "\n{:?} {:?} {:?} {:?}",
            text(exchange.method()),
            text(target.map(|target| target.as_bytes())),
            exchange.status(),
            exchange.outcome(ending(connection)),
        );
        let response = exchange.response.as_ref();
        let messages = [
            request.map(|it| &it.message),
            response.map(|it| &it.message),
        ];
        for message in messages.into_iter().flatten() {
            let place = (message.start, message.head_end(), message.end());
            let (expected, received) = (message.expected(), message.received());
            talk += &format!(" {place:?} {:?} {expected:?} {received}", message.progress);
        }
    }
    talk
}

fn ending(connection: &Connection) -> ConnectionEnd {
    match (connection.teardown.by, connection.teardown.how) {
        (_, How::Silence | How::Open) => ConnectionEnd::Open,
        (By::Client | By::Both, _) => ConnectionEnd::ByClient,
        (_, How::Fin) => ConnectionEnd::ServerFin,
        _ => ConnectionEnd::ServerReset,
    }
}

#[track_caller]
fn only(mut connections: Vec<Connection>) -> Connection {
    assert_eq!(connections.len(), 1, "{connections:#?}");
    connections.remove(0)
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn the_point_of_capture_changes_nothing(script in script(), point in 1..100_i64) {
        let played = play(&script);
        let at_client = only(run_packets(&seen_at(&played, 0)));
        for point in [point, 100] {
            let elsewhere = only(run_packets(&seen_at(&played, point)));
            let [one, two] = [&at_client, &elsewhere].map(story);
            prop_assert_eq!(one, two, "at {}: {:#?}", point, seen_at(&played, point));
        }
    }
}

/// What holds for `packets` must hold when each payload is split differently. Every part after the first follows a
/// nanosecond later, with the same acknowledgement; a FIN stays with the last.
fn in_parts(packets: &[Packet], places: &[usize]) -> Vec<Packet> {
    let mut all = Vec::new();
    let mut id = 1;
    for packet in packets {
        let whole = &packet.payload;
        let mut pieces = match whole.is_empty() {
            true => vec![&whole[..]],
            false => parts(whole, places),
        };
        let last = pieces.pop().unwrap_or_default();
        let mut piece = Packet {
            payload: Vec::new(),
            flags: packet.flags & !wire::FIN,
            ..packet.clone()
        };
        let mut add = |piece: &Packet| {
            all.push(Packet {
                id,
                ..piece.clone()
            });
            id += 1;
        };
        for bytes in pieces {
            piece.payload = bytes.to_vec();
            add(&piece);
            piece.seq = piece.seq.wrapping_add(bytes.len() as u32);
            piece.time += 1;
        }
        piece.payload = last.to_vec();
        piece.flags = packet.flags;
        add(&piece);
    }
    all
}

/// Joins adjacent segments of one side with the same acknowledgement.
fn joined(packets: &[Packet]) -> Vec<Packet> {
    let mut all: Vec<Packet> = Vec::new();
    for packet in packets {
        if let Some(last) = all.last_mut()
            && last.from_client == packet.from_client
            && last.ack == packet.ack
            && last.flags == packet.flags
            && packet.flags == wire::ACK
            && !last.payload.is_empty()
            && last.seq.wrapping_add(last.payload.len() as u32) == packet.seq
        {
            last.payload.extend(&packet.payload);
        } else {
            all.push(packet.clone());
        }
    }
    all
}

/// Adds constants to the sequence numbers of both sides.
fn renumbered(packets: &[Packet], [client, server]: [u32; 2]) -> Vec<Packet> {
    let shifted = |packet: &Packet| {
        let (mine, theirs) = match packet.from_client {
            true => (client, server),
            false => (server, client),
        };
        let mut packet = packet.clone();
        packet.seq = packet.seq.wrapping_add(mine);
        if packet.flags & wire::ACK != 0 {
            packet.ack = packet.ack.wrapping_add(theirs);
        }
        packet
    };
    packets.iter().map(shifted).collect()
}

/// Records with every time moved back by `nanos`. An absent time (0) stays absent.
fn moved_back(connections: &[Connection], nanos: i64) -> String {
    let text = format!("{connections:#?}");
    let mut moved = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        moved += line;
        moved.push('\n');
        if line.ends_with("Timestamp(") {
            let number = lines.next().expect("a time has a number");
            let time: i64 = number
                .trim()
                .trim_end_matches(',')
                .parse()
                .expect("a number");
            moved += &format!("{}\n", if time == 0 { 0 } else { time - nanos });
        }
    }
    moved
}

/// Connections as text, without the numbers that their hosts chose.
fn without_numbers(mut connections: Vec<Connection>) -> String {
    for connection in &mut connections {
        connection.isn = [None; 2];
    }
    format!("{connections:#?}")
}

fn moved(shots: &[Shot], nanos: i64) -> Vec<Shot> {
    let moved = |shot: &Shot| Shot {
        time: Timestamp::from_nanos(shot.time.as_nanos() + nanos),
        ..shot.clone()
    };
    shots.iter().map(moved).collect()
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn other_sequence_numbers_change_nothing(script in script(), shift: [u32; 2], point in 0..=100_i64) {
        let packets = seen_at(&play(&script), point);
        let usual = run_packets(&packets);
        let shifted = run_packets(&renumbered(&packets, shift));
        prop_assert_eq!(without_numbers(usual), without_numbers(shifted));
    }

    #[test]
    fn another_time_changes_nothing_but_times(script in script(), shift in 0..i64::MAX / 4) {
        let shots: Vec<Shot> = seen_at(&play(&script), 50).iter().map(Packet::shot).collect();
        let (usual, _) = run(&moved(&shots, 1));
        let (later, _) = run(&moved(&shots, 1 + shift));
        prop_assert_eq!(moved_back(&usual, 0), moved_back(&later, shift));
    }

    #[test]
    fn other_segments_with_the_same_bytes_change_nothing(
        script in script(), places in prop::collection::vec(any::<usize>(), 0..8), point in 0..=100_i64,
    ) {
        let packets = seen_at(&play(&script), point);
        let told = |packets: &[Packet]| {
            let connection = only(run_packets(packets));
            let teardown = connection.teardown;
            let who = (teardown.by, teardown.how, teardown.phase, teardown.orderly, connection.states);
            (format!("{who:?}"), talk(&connection))
        };
        let usual = told(&packets);
        prop_assert_eq!(&usual, &told(&in_parts(&packets, &places)));
        prop_assert_eq!(&usual, &told(&joined(&packets)));
        prop_assert_eq!(&usual, &told(&in_parts(&joined(&packets), &places)));
    }
}

#[test]
fn every_byte_by_itself_changes_nothing() {
    let bytes: Vec<usize> = (0..2000).collect();
    let mut runner = proptest::test_runner::TestRunner::new(cases(20));
    let told = |packets: &[Packet]| talk(&only(run_packets(packets)));
    runner
        .run(&script(), |script| {
            let packets = seen_at(&play(&script), 0);
            prop_assert_eq!(told(&packets), told(&in_parts(&packets, &bytes)));
            Ok(())
        })
        .unwrap();
}

/// The report is the same for any number of threads and any batch size.
fn same_on_any_number_of_threads(shots: &[Shot]) {
    let report = |threads, at_once| {
        let source = InMemory::new(shots.to_vec(), at_once);
        let reading = reading::analyse(Box::new(source), threads);
        reading.check();
        reading.report(Format::Json)
    };
    let alone = report(1, usize::MAX);
    for (threads, at_once) in [(2, 1000), (3, 7), (16, 100)] {
        assert_eq!(alone, report(threads, at_once), "{threads} threads");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_report_on_real_captures() {
    let mut all = Vec::new();
    for path in captures() {
        let shots = load(&path);
        same_on_any_number_of_threads(&shots);
        all.extend(shots);
    }
    // All captures at once, as one timeline.
    all.sort_by_key(|shot| shot.time);
    same_on_any_number_of_threads(&all);
}

/// Many exchanges at once, each from a client of its own.
fn mix(scripts: &[exchange::Script], apart: i64) -> Vec<Shot> {
    let mut packets = Vec::new();
    for (number, script) in (0..).zip(scripts) {
        // A third of them reuse another one's addresses and ports.
        let client = 1 + number - number % 3 / 2;
        for packet in seen_at(&play(script), 100 * i64::from(number % 2)) {
            let time = 1 + packet.time + apart * i64::from(number);
            packets.push(Packet {
                client,
                time,
                ..packet
            });
        }
    }
    packets.sort_by_key(|packet| packet.time);
    packets.iter().map(Packet::shot).collect()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn any_number_of_threads_gives_the_same_report(
        scripts in prop::collection::vec(script(), 1..60), apart in 0..50_000_000_i64,
    ) {
        same_on_any_number_of_threads(&mix(&scripts, apart));
    }

    #[test]
    fn a_file_in_overlapping_parts_is_the_file(
        scripts in prop::collection::vec(script(), 1..12), places in prop::collection::vec(0..5_usize, 1..50),
    ) {
        let mut shots = mix(&scripts, 1_000_000);
        // Make times unique: frames with the same time would be ordered by file.
        for (number, shot) in (0..).zip(&mut shots) {
            shot.time = Timestamp::from_nanos(shot.time.as_nanos() * 1000 + number);
        }
        let mut files = vec![Vec::new(); 5];
        for (shot, place) in shots.iter().zip(places.iter().cycle()) {
            files[*place].push(shot.clone());
        }
        let folder = tempfolder();
        let whole = folder.join("whole.pcap");
        std::fs::write(&whole, to_pcap(&shots)).unwrap();
        let paths: Vec<_> = (0..5).map(|number| folder.join(format!("part{number}.pcap"))).collect();
        for (path, shots) in paths.iter().zip(&files) {
            std::fs::write(path, to_pcap(shots)).unwrap();
        }
        let merged = hangup::packet::capture::open(&paths, &hangup::packet::capture::OpenOptions::default());
        let merged = drain(&mut *merged.unwrap());
        std::fs::remove_dir_all(&folder).ok();
        let strip = |shots: &[Shot]| -> Vec<Shot> {
            shots.iter().map(|shot| Shot { interface: 0, ..shot.clone() }).collect()
        };
        prop_assert_eq!(strip(&merged), strip(&shots));
        // No further comparison: frames from several files come from several interfaces, and two equal packets seen on
        // two interfaces count as one packet.
    }
}

/// A folder for this process and thread.
fn tempfolder() -> std::path::PathBuf {
    let name = format!(
        "hangup-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a place for files");
    folder
}

/// Returns a few bytes per read.
struct Sips {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
}

impl Read for Sips {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(out.len()).min(self.most);
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn a_stream_in_sips_of_any_size_gives_the_same_frames() {
    for path in captures() {
        let bytes = std::fs::read(&path).unwrap();
        let whole = load(&path);
        for most in [1, 2, 23, 24, 25, 4096] {
            let sips = Sips {
                bytes: bytes.clone(),
                at: 0,
                most,
            };
            let mut source = reading::source(sips).expect("a capture");
            assert!(drain(&mut *source) == whole, "{} by {most}", path.display());
            assert_eq!(source.files()[0].damage, None);
        }
    }
}

/// Offset of the TCP header in a frame, found backwards from its payload.
fn tcp_header(
    frame: &hangup::packet::capture::Frame<'_>,
    segment: &hangup::packet::decode::Segment<'_>,
) -> Option<usize> {
    let payload = (segment.payload.as_ptr() as usize).checked_sub(frame.data.as_ptr() as usize)?;
    (20..=60).step_by(4).find_map(|length| {
        let header = payload.checked_sub(length)?;
        let bytes = frame.data.get(header..payload)?;
        let is_it = bytes[..2] == segment.source.port.to_be_bytes()
            && bytes[2..4] == segment.destination.port.to_be_bytes()
            && bytes[4..8] == segment.seq.0.to_be_bytes()
            && usize::from(bytes[12] >> 4) * 4 == length;
        is_it.then_some(header)
    })
}

/// Makes the checksum of a changed segment right if it was right before the change.
fn right_again(segment: &hangup::packet::decode::Segment<'_>, before: &[u8], after: &mut [u8]) {
    use std::net::IpAddr;
    let length = usize::from(before[12] >> 4) * 4 + segment.payload.len();
    let words = |bytes: &[u8]| -> u64 {
        let pairs = bytes.chunks(2);
        pairs
            .map(|it| u64::from(it[0]) << 8 | u64::from(it.get(1).copied().unwrap_or(0)))
            .sum()
    };
    let address = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => words(&ip.octets()),
        IpAddr::V6(ip) => words(&ip.octets()),
    };
    let (source, destination) = (segment.source.ip, segment.destination.ip);
    let pseudo = address(source) + address(destination) + 6 + length as u64;
    let whole = |bytes: &[u8]| (pseudo + words(&bytes[..length])) % 0xffff;
    if before.len() >= length && whole(before) == 0 {
        after[16..18].fill(0);
        let rest = u16::try_from(whole(after)).expect("16 bits");
        after[16..18].copy_from_slice(&(!rest).to_be_bytes());
    }
}

/// Adds a constant per endpoint to the sequence numbers in real frames.
fn renumber_frames(shots: &[Shot], seed: u32) -> (Vec<Shot>, usize) {
    use hangup::base::net::{Endpoint, Flags};
    use hangup::packet::decode::{Decoded, Decoder};
    let shift = |it: &Endpoint| {
        let mut hash = seed;
        for byte in it.to_string().bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        hash
    };
    let add = |data: &mut [u8], at: usize, shift: u32| {
        let field: &mut [u8; 4] = (&mut data[at..at + 4]).try_into().expect("four bytes");
        *field = u32::from_be_bytes(*field).wrapping_add(shift).to_be_bytes();
    };
    let mut decoder = Decoder::new();
    let mut changed = 0;
    let mut all = Vec::new();
    for (number, shot) in (1..).zip(shots) {
        let mut new = shot.clone();
        let frame = shot.frame(number);
        if let Ok(Decoded::Segment(segment)) = decoder.decode(&frame)
            && let Some(header) = tcp_header(&frame, &segment)
        {
            let (mine, theirs) = (shift(&segment.source), shift(&segment.destination));
            add(&mut new.data, header + 4, mine);
            if segment.flags.has(Flags::ACK) {
                add(&mut new.data, header + 8, theirs);
            }
            // Selective acknowledgements too (RFC 2018 §3).
            let end = header + usize::from(shot.data[header + 12] >> 4) * 4;
            let mut at = header + 20;
            while at < end {
                match shot.data[at..end] {
                    [0, ..] => break,
                    [1, ..] => at += 1,
                    [kind, length, ..] if length >= 2 => {
                        if kind == 5 {
                            for edge in (at + 2..at + usize::from(length)).step_by(4) {
                                add(&mut new.data, edge, theirs);
                            }
                        }
                        at += usize::from(length);
                    }
                    _ => break,
                }
            }
            right_again(&segment, &shot.data[header..], &mut new.data[header..]);
            changed += 1;
        }
        all.push(new);
    }
    (all, changed)
}

#[test]
fn real_captures_with_other_numbers_and_times_tell_the_same() {
    for path in captures() {
        let shots = load(&path);
        let (usual, stats) = run(&shots);
        for seed in [1, 2, 0x8000_0000] {
            let (renumbered, changed) = renumber_frames(&shots, seed);
            assert_eq!(
                changed as u64,
                stats.segments + stats.skipped[hangup::base::net::Skip::Duplicate as usize]
            );
            let (other, _) = run(&renumbered);
            assert!(
                without_numbers(usual.clone()) == without_numbers(other),
                "{}",
                path.display()
            );
        }
        for shift in [1_000, 3_600_000_000_000, -1_600_000_000_000_000_000] {
            let (later, _) = run(&moved(&shots, shift));
            assert!(
                moved_back(&usual, 0) == moved_back(&later, shift),
                "{} {shift}",
                path.display()
            );
        }
    }
}

/// The server times out and sends a 408 while the first request is under way (RFC 9110 §15.5.9). Which one came first
/// depends on the point of capture; who closed, and when, does not. (The pairing of the two does.)
#[test]
fn an_answer_that_crosses_its_request_is_judged_alike_everywhere() {
    let answer = b"HTTP/1.1 408 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (asked, answered) = (1 + request.len() as u32, 1 + answer.len() as u32);
    let delay = 20_000_000;
    let sent = [
        (0, true, wire::SYN, 0, 0, &b""[..]),
        (20_001_000, false, wire::SYN | wire::ACK, 0, 1, b""),
        (40_002_000, true, wire::ACK, 1, 1, b""),
        (900_000_000, false, wire::ACK, 1, 1, answer),
        (900_100_000, false, wire::FIN | wire::ACK, answered, 1, b""),
        (910_000_000, true, wire::ACK, 1, 1, request),
        (920_200_000, true, wire::ACK, asked, answered + 1, b""),
        (
            920_300_000,
            true,
            wire::FIN | wire::ACK,
            asked,
            answered + 1,
            b"",
        ),
        (930_100_000, false, wire::RST, answered + 1, 0, b""),
    ];
    let flights = (1..)
        .zip(sent)
        .map(
            |(id, (time, from_client, flags, seq, ack, payload))| exchange::Flight {
                sent: time,
                packet: Packet {
                    from_client,
                    client: 1,
                    time,
                    seq,
                    ack,
                    flags,
                    id,
                    payload: payload.to_vec(),
                },
            },
        );
    let played = exchange::Played {
        flights: flights.collect(),
        delay,
    };
    let stories: Vec<String> = [0, 30, 50, 70, 100]
        .map(|point| {
            let connection = only(run_packets(&seen_at(&played, point)));
            let teardown = connection.teardown;
            let [client, server] = connection.states;
            format!(
                "{:?} {:?} {:?}, {client} | {server}",
                teardown.by, teardown.how, teardown.phase
            )
        })
        .to_vec();
    for other in &stories {
        assert_eq!(&stories[0], other);
    }
    assert_eq!(stories[0], "Server Fin After, CLOSED | CLOSED");
}
