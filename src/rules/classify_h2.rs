//! What GOAWAY and RST_STREAM did to the streams of an HTTP/2 connection.
//!
//! In: the record of one connection. Out: the frame that is told of, and the streams it concerns. The rules and the
//! conditions of their remedies look at the same.

use super::statement::{Sentence, Value, sentence};
use crate::analysis::connection::{Connection, How, Who};
use crate::base::frame_ref::FrameRef;
use crate::protocol::h2::Goaway;
use crate::protocol::http::{ErrorCode, Exchange, Party, StreamReset};

/// An error code in a sentence. Headlines keep codes with a name apart.
pub(super) fn code_word(code: ErrorCode) -> Value {
    code.name()
        .map_or_else(|| code.to_string().into(), Value::from)
}

/// The GOAWAY that is told of, and who sent it.
pub(super) fn told_goaway(connection: &Connection) -> Option<(Who, &Goaway)> {
    // If one side does not speak HTTP/2, its GOAWAY is part of that finding.
    let h2 = connection.h2.as_ref().filter(|h2| h2.mismatch.is_none())?;
    // An error of either side takes precedence over a graceful GOAWAY, and the first error over its consequences.
    let by_server = h2.halves[Who::Server as usize].goaway();
    let complaints = [Who::Server, Who::Client]
        .into_iter()
        .filter_map(|who| h2.halves[who as usize].complaint().map(|it| (who, it)));
    complaints
        .min_by_key(|(_, it)| it.at)
        .or(by_server.map(|it| (Who::Server, it)))
}

/// Whether the server had blamed the client by a GOAWAY before this close: what ends then ends because of it.
pub(super) fn was_sent_away(connection: &Connection, close: FrameRef) -> bool {
    connection.h2.as_ref().is_some_and(|h2| {
        let goaway = h2.halves[Who::Server as usize].goaway();
        goaway.is_some_and(|it| it.code != ErrorCode::NO_ERROR && it.at < close)
    })
}

/// Streams above the last one that the GOAWAY names.
pub(super) fn refused(connection: &Connection) -> impl Iterator<Item = &Exchange> {
    let exchanges = connection.exchanges.iter();
    exchanges.filter(|it| {
        let stream = it.stream.as_ref();
        stream.is_some_and(|stream| stream.refused.is_some())
    })
}

/// Streams that the GOAWAY allowed to continue, and that were ended neither by a response nor by a reset.
pub(super) fn lost(connection: &Connection) -> impl Iterator<Item = &Exchange> {
    let over = !matches!(connection.teardown.how, How::Open);
    let exchanges = connection.exchanges.iter();
    exchanges.filter(move |it| over && !it.is_settled())
}

/// `UNAVAILABLE` of gRPC: a server that drains ends calls with it when the time for that is over.
const UNAVAILABLE: u16 = 14;

/// Calls of gRPC that the server ended itself after its GOAWAY, because the time that it gave them was over.
pub(super) fn ended_by_drain(connection: &Connection) -> impl Iterator<Item = &Exchange> {
    let goaway = told_goaway(connection).filter(|(who, _)| *who == Who::Server);
    let said = goaway.map(|(_, goaway)| goaway.at);
    connection.exchanges.iter().filter(move |it| {
        let status = it.stream.as_ref().and_then(|it| it.grpc_status);
        let asked = it.request.as_ref().map(|it| it.message.first);
        let ended = it.response.as_ref().map(|it| it.message.last);
        status == Some(UNAVAILABLE) && asked < said && ended > said
    })
}

/// The first stream whose reset is a fault of its own, and the reset.
pub(super) fn told_reset(connection: &Connection) -> Option<(&Exchange, StreamReset)> {
    resets(connection).next()
}

/// All such streams, and their resets.
pub(super) fn resets(connection: &Connection) -> impl Iterator<Item = (&Exchange, StreamReset)> {
    connection.exchanges.iter().filter_map(|exchange| {
        let reset = exchange.cut_by().filter(is_fault)?;
        // If the reset passes on a GOAWAY, the GOAWAY is reported instead.
        let told = connection.h2.as_ref().is_some_and(|h2| h2.passes_on(reset));
        (!told).then_some((exchange, reset))
    })
}

/// A client that cancels has changed its mind or waited too long; both have rules of their own.
fn is_fault(reset: &StreamReset) -> bool {
    match reset.by {
        Party::Requester => !matches!(reset.code, ErrorCode::NO_ERROR | ErrorCode::CANCEL),
        Party::Responder => true,
    }
}

/// The reset by which the client cancelled this stream.
pub(super) fn client_cancelled(exchange: &Exchange) -> Option<StreamReset> {
    exchange
        .cut_by()
        .filter(|it| it.by == Party::Requester && it.code == ErrorCode::CANCEL)
}

/// That so many more streams of the connection were cancelled like the one that is told of.
pub(super) fn more_cancelled(more: usize) -> Option<Sentence> {
    (more > 0).then(|| {
        sentence!(
            "The client cancelled {} on this connection in the same way.",
            Value::count(more as u64, "more stream", "more streams")
        )
    })
}

/// Whether the code blames the other side (RFC 9113 §7).
pub(super) const fn blames(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::NO_ERROR | ErrorCode::INTERNAL_ERROR | ErrorCode::CANCEL
    )
}
