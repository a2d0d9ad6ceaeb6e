//! Hand-made records for tests of their readers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::{CaptureSummary, InputSummary, Snapshot};
use crate::analysis::connection::{
    By, CloseEvent, Connection, ConnectionOutcome, ConnectionSummary, FineReason, How, Opening,
    Phase, Roles, SentTotals, Standing, State, Teardown, Turns,
};
use crate::base::certainty::Certainty;
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::net::{Context, Endpoint, Skip};
use crate::base::time::Timestamp;
use crate::protocol::http::Protocol;

/// 2009-07-11 01:40:16 UTC plus `millis` milliseconds.
pub(crate) fn frame_ref(frame: u64, millis: u64) -> FrameRef {
    let start = Timestamp::new(1_247_276_416, 0);
    FrameRef {
        frame: FrameNumber(frame),
        time: start.after(std::time::Duration::from_millis(millis)),
    }
}

pub(crate) fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint {
        ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
        port,
    }
}

/// Ten frames in which a server closes an unused connection in order.
pub(crate) fn connection() -> Connection {
    let fin = |frame, millis| {
        Some(CloseEvent {
            frame_ref: frame_ref(frame, millis),
            sent: 100,
            received: 200,
            acknowledged: 100,
            knew_fin: frame == 10,
            kind: None,
            signs: Default::default(),
            passage: Default::default(),
            ttl: 64,
            heard: Default::default(),
        })
    };
    let sent = SentTotals {
        packets: 5,
        bytes: 100,
        acknowledged: 100,
        fins: 1,
        ttl: 64,
        ttls: (64, 64),
        ..SentTotals::default()
    };
    Connection {
        id: 1,
        client: endpoint(1, 50_819),
        server: endpoint(2, 80),
        roles: Roles::Handshake,
        context: Context(0),
        first: frame_ref(1, 0),
        last: frame_ref(11, 60),
        until: frame_ref(11, 60).time,
        opening: Opening::Handshake,
        connect_time: Some(std::time::Duration::from_millis(10)),
        syn_retries: 0,
        teardown: Teardown {
            by: By::Server,
            how: How::Fin,
            phase: Phase::Opaque,
            frame: FrameNumber(9),
            at: frame_ref(9, 41).time,
            certainty: Certainty::Certain,
            orderly: true,
            close_notify_seen: None,
            unheard: false,
            server_too: false,
            half_closed: None,
        },
        outcome: ConnectionOutcome::Fine(FineReason::Complete),
        states: [Standing::In(State::Closed), Standing::In(State::TimeWait)],
        time_wait: [None, Some(frame_ref(11, 60))],
        fin: [fin(10, 50), fin(9, 41)],
        fin_acknowledged: [Some(frame_ref(11, 60)), Some(frame_ref(10, 50))],
        reset: [None, None],
        protocol: Protocol::Opaque,
        h2: None,
        websocket: None,
        dialogue: None,
        sent: [sent, sent],
        unanswered: None,
        out_of_range: [0; 2],
        oddities: Default::default(),
        challenge: None,
        syn_acks: 1,
        syn_again: false,
        client_syn: true,
        disordered: false,
        isn: [None; 2],
        last_syn: [None; 2],
        taken: None,
        last_data: [frame_ref(6, 20), frame_ref(7, 30)],
        first_words: [None; 2],
        proxied: None,
        turns: Turns::default(),
        exchanges: Box::default(),
        tls: None,
        icmp: None,
        skipped: None,
        ignored_reset: None,
        in_flight: None,
        checksums: None,
        passages: None,
        round_trip: [None; 2],
        predecessor: None,
        annotations: None,
    }
}

/// A snapshot of these connections, numbered.
pub(crate) fn snapshot(mut connections: Vec<Connection>) -> Snapshot {
    for (id, connection) in (1..).zip(&mut connections) {
        connection.id = id;
    }
    let frames = connections.iter().map(|it| it.last.frame.0).max();
    let last = connections.iter().map(|it| it.last.time).max();
    let mut skipped = [0; Skip::ALL.len()];
    skipped[Skip::NotTcp as usize] = 1;
    Snapshot {
        summary: CaptureSummary {
            inputs: vec![InputSummary {
                path: "made.pcap".to_owned(),
                format: "pcap".to_owned(),
                packets: frames.unwrap_or(0) + 1,
                bytes: 4096,
                damage: None,
                clock_ahead: None,
                vantage: None,
                only: None,
            }],
            span: last.map(|last| (frame_ref(1, 0).time, last)),
            frames: frames.unwrap_or(0) + 1,
            segments: frames.unwrap_or(0),
            skipped,
            ..CaptureSummary::default()
        },
        frames: Arc::new(FrameNames::new([("made.pcap", &[][..])])),
        summaries: connections.iter().map(ConnectionSummary::from).collect(),
        connections: connections.into_iter().map(Arc::new).collect(),
        ..Snapshot::default()
    }
}
