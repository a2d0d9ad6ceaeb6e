//! What HTTP said in which frame: where requests and responses begin and end.

use std::collections::HashMap;

use crate::connection::{Connection, Who};
use crate::http::{Exchange, Message};
use crate::mark::FrameNumber;

/// Something that a message does in a frame; the number is that of its exchange, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A request begins, and may end in the same frame.
    Request(usize),
    /// The last byte of the request that was seen.
    RequestEnds(usize),
    /// A response before the final one, with its status.
    Interim(usize, u16),
    /// The final response begins, and may end in the same frame.
    Response(usize),
    /// The last byte of the response that was seen.
    ResponseEnds(usize),
}

pub(super) fn remarks(connection: &Connection) -> HashMap<FrameNumber, Vec<(Who, Remark)>> {
    let mut remarks: HashMap<FrameNumber, Vec<_>> = HashMap::new();
    let mut add = |frame: FrameNumber, who: Who, remark: Remark| {
        remarks.entry(frame).or_default().push((who, remark));
    };
    for (nth, exchange) in connection.exchanges.iter().enumerate() {
        if let Some(message) = exchange.request.as_ref().map(|it| &it.message) {
            add(message.first.frame, Who::Client, Remark::Request(nth));
            if goes_on(message) {
                add(message.last.frame, Who::Client, Remark::RequestEnds(nth));
            }
        }
        for interim in interim(exchange) {
            add(
                interim.at.frame,
                Who::Server,
                Remark::Interim(nth, interim.status),
            );
        }
        if let Some(message) = exchange.response.as_ref().map(|it| &it.message) {
            add(message.first.frame, Who::Server, Remark::Response(nth));
            if goes_on(message) {
                add(message.last.frame, Who::Server, Remark::ResponseEnds(nth));
            }
        }
    }
    remarks
}

fn goes_on(message: &Message) -> bool {
    message.last.frame != message.first.frame
}

fn interim(exchange: &Exchange) -> &[crate::http::Interim] {
    exchange.rare.as_ref().map_or(&[], |rare| &rare.interim)
}
