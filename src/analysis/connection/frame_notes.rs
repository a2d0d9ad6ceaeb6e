//! What the record of a connection states about its segments: where requests and responses begin and end, where TLS
//! handshakes, fails and sends `close_notify`, where streams and connections are reset or closed.
//!
//! In: a [`Connection`]. Out: the notes on each frame, in an order fit for display. Encrypted and plain traffic give
//! the same notes, because the record does not differ. [`crate::protocol::annotations`] holds what is not in the
//! record, for one connection only.

use std::collections::HashMap;

use super::{Certainty, Connection, Who};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::protocol::http::{Exchange, Interim, Message, Party};
use crate::protocol::tls::{ClientCertificate, CloseNotify, TlsFacts};

/// Something that happens in a frame. Indexes of exchanges start at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameNote {
    /// A ClientHello.
    ClientHello,
    /// A HelloRetryRequest: the server requires another ClientHello.
    HelloRetry,
    /// A ServerHello.
    ServerHello,
    /// The server's Certificate message.
    Certificate,
    /// The server's CertificateRequest.
    CertificateRequest,
    /// The client sends an empty Certificate message: it has none.
    NoCertificate(Certainty),
    /// The client's Certificate message with a certificate.
    OwnCertificate,
    /// A request begins, and may end in the same frame.
    Request(usize),
    /// The last captured byte of the request, if in a later frame than its first.
    RequestEnds(usize),
    /// An interim (1xx) response, with its status.
    Interim(usize, u16),
    /// The final response begins, and may end in the same frame.
    Response(usize),
    /// The last captured byte of the response, if in a later frame than its first.
    ResponseEnds(usize),
    /// The stream of this exchange is reset (RFC 9113 §6.4).
    StreamReset(usize),
    /// A GOAWAY, by its index among those of its sender (RFC 9113 §6.8).
    Goaway(usize),
    /// A WebSocket Close frame (RFC 6455 §5.5.1).
    Close,
    /// A TLS alert, by its index among the connection's.
    Alert(usize),
    /// The `close_notify` alert.
    CloseNotify(Certainty),
}

/// The notes on each frame, with the sender.
pub type FrameNotes = HashMap<FrameNumber, Vec<(Who, FrameNote)>>;

impl Connection {
    /// Collects the notes, by frame.
    #[must_use]
    pub fn frame_notes(&self) -> FrameNotes {
        let mut frame_notes = FrameNotes::new();
        let mut add = |at: FrameRef, who: Who, frame_note: FrameNote| {
            frame_notes
                .entry(at.frame)
                .or_default()
                .push((who, frame_note));
        };
        if let Some(facts) = &self.tls {
            handshake(facts, &mut add);
        }
        let told = self.spoken().iter().filter(|_| !self.is_presumed());
        for (nth, exchange) in told.enumerate() {
            of_exchange(nth, exchange, &mut add);
        }
        for who in Who::BOTH {
            let h2 = self.h2.as_ref().map(|it| &it.halves[who as usize]);
            for (nth, goaway) in h2.iter().flat_map(|it| it.goaways.iter().enumerate()) {
                add(goaway.at, who, FrameNote::Goaway(nth));
            }
            let websocket = self.websocket.as_ref();
            let close = websocket.and_then(|it| it.halves[who as usize].close.as_ref());
            if let Some(close) = close {
                add(close.at, who, FrameNote::Close);
            }
        }
        if let Some(facts) = &self.tls {
            for (nth, alert) in facts.alerts.iter().enumerate() {
                add(alert.at, Who::of(alert.from), FrameNote::Alert(nth));
            }
            for (end, flow) in FlowEnd::BOTH.into_iter().zip(&facts.flows) {
                if let CloseNotify::Notify(at, certainty) = flow.close_notify {
                    add(at, Who::of(end), FrameNote::CloseNotify(certainty));
                }
            }
        }
        frame_notes
    }
}

fn handshake(facts: &TlsFacts, add: &mut impl FnMut(FrameRef, Who, FrameNote)) {
    let (caller, called) = (Who::of(facts.caller), Who::of(facts.caller.other()));
    if let Some((at, _)) = &facts.hello {
        add(*at, caller, FrameNote::ClientHello);
    }
    if let Some(at) = facts.retried {
        add(at, called, FrameNote::HelloRetry);
    }
    if let Some((at, _)) = &facts.answer {
        add(*at, called, FrameNote::ServerHello);
    }
    if let Some((at, _)) = &facts.certificates {
        add(*at, called, FrameNote::Certificate);
    }
    match facts.client_certificate {
        ClientCertificate::NotAsked => {}
        ClientCertificate::Asked(at) => add(at, called, FrameNote::CertificateRequest),
        ClientCertificate::Missing(at, certainty) => {
            add(at, caller, FrameNote::NoCertificate(certainty));
        }
        ClientCertificate::Sent(at) => add(at, caller, FrameNote::OwnCertificate),
    }
}

fn of_exchange(nth: usize, exchange: &Exchange, add: &mut impl FnMut(FrameRef, Who, FrameNote)) {
    if let Some(message) = exchange.request.as_ref().map(|it| &it.message) {
        add(message.first, Who::Client, FrameNote::Request(nth));
        if goes_on(message) {
            add(message.last, Who::Client, FrameNote::RequestEnds(nth));
        }
    }
    for interim in interim(exchange) {
        add(
            interim.at,
            Who::Server,
            FrameNote::Interim(nth, interim.status),
        );
    }
    if let Some(message) = exchange.response.as_ref().map(|it| &it.message) {
        add(message.first, Who::Server, FrameNote::Response(nth));
        if goes_on(message) {
            add(message.last, Who::Server, FrameNote::ResponseEnds(nth));
        }
    }
    if let Some(reset) = exchange.stream.as_ref().and_then(|it| it.reset) {
        let by = match reset.by {
            Party::Requester => Who::Client,
            Party::Responder => Who::Server,
        };
        add(reset.at, by, FrameNote::StreamReset(nth));
    }
}

fn goes_on(message: &Message) -> bool {
    message.last.frame != message.first.frame
}

fn interim(exchange: &Exchange) -> &[Interim] {
    exchange.rare.as_ref().map_or(&[], |rare| &rare.interim)
}
