//! What the capture lacks of a connection, and which losses that may explain.
//!
//! In: the record of one connection, and what seems lost on it. Out: whether the packets that were not captured may have been
//! what seems missing. A loss that only an absence shows is no loss then.

use super::outcome::FailedReason;
use super::record::{Connection, Opening, Who};
use super::teardown::{By, How};
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Exchange, MessageProgress, Protocol};
use crate::protocol::tcp::ResetKind;

impl Connection {
    /// Whether the capture lacks bytes of either side that the other acknowledged.
    #[must_use]
    pub(crate) fn has_holes(&self) -> bool {
        self.sent.iter().any(|sent| sent.missing > 0)
    }

    /// Whether the server's FIN may answer one of the client that was not captured: it acknowledges one number more than the
    /// client's bytes take.
    #[must_use]
    pub(crate) fn may_answer_close(&self) -> bool {
        let [client, _] = self.sent;
        let close = self.fin[Who::Server as usize];
        self.teardown.by == By::Server
            && self.teardown.how == How::Fin
            && client.packets > 0
            && client.missing > 0
            && client.fins + client.resets == 0
            && close
                .is_some_and(|close| close.received == client.bytes.saturating_add(client.missing))
    }

    /// Whether something came for requests that were not captured: which of the others answers which request is not known.
    #[must_use]
    pub(crate) fn has_unpaired_responses(&self) -> bool {
        let lacks =
            self.sent[Who::Client as usize].missing > 0 || self.opening == Opening::Midstream;
        lacks && self.exchanges.iter().any(|it| it.request.is_none())
    }

    /// Whether this is a segment of a response that was read.
    #[must_use]
    pub(crate) fn is_of_response(&self, segment: FrameRef) -> bool {
        let mut all = self.spoken().iter().filter_map(|it| it.response.as_ref());
        all.any(|it| it.message.first <= segment && segment <= it.message.last)
    }

    /// Whether the server sent something after this request that was not read, because the capture cut a head of HTTP/1: it may have
    /// been the response.
    #[must_use]
    pub(crate) fn has_unread_answer(&self, exchange: &Exchange) -> bool {
        let asked = exchange.request.as_ref().map(|it| it.message.first);
        let heard = self.last_data[Who::Server as usize];
        let interim = exchange
            .rare
            .as_ref()
            .is_some_and(|it| !it.interim.is_empty());
        self.turns.cut
            && self.protocol == Protocol::Http1
            && exchange.response.is_none()
            && exchange.stream.is_none()
            && asked.is_some_and(|asked| asked < heard)
            && !self.is_of_response(heard)
            && !interim
    }

    /// Whether the client sent more than the capture shows as requests: the server acknowledged bytes behind the last one.
    #[must_use]
    pub(crate) fn has_unseen_request(&self) -> bool {
        let [client, _] = self.sent;
        let last = self.exchanges.last().and_then(|it| it.request.as_ref());
        self.protocol == Protocol::Http1
            && self.tls.is_none()
            && client.missing > 1
            && last.is_some_and(|it| {
                let end = it.message.end();
                it.message.is_complete() && client.acknowledged > end.saturating_add(1)
            })
    }
}

/// Whether the end of its response lies beyond what was captured of it.
fn is_unseen(exchange: &Exchange) -> bool {
    exchange.response.as_ref().is_some_and(|it| {
        it.message.progress == MessageProgress::Unseen && !it.message.is_surely_short()
    })
}

/// Whether what the capture lacks may have been what seems lost.
pub(super) fn may_explain(connection: &Connection, reason: FailedReason) -> bool {
    let [client, server] = connection.sent;
    let gone = connection.teardown.how == How::Reset(ResetKind::NoSocket);
    match reason {
        FailedReason::NoResponse => {
            // The server's FIN may be missing, and a message before it.
            let closed = gone && connection.teardown.by == By::Server && server.missing > 0;
            let mut all = connection.exchanges.iter();
            let unread = all.any(|it| connection.has_unread_answer(it));
            let unpaired = connection.has_unpaired_responses();
            connection.may_answer_close() || unpaired || closed || unread
        }
        FailedReason::CutShort | FailedReason::Reset | FailedReason::RequestCut => {
            connection.may_answer_close()
        }
        FailedReason::ClientLeft => {
            // Data that was cut, and came before the client left, may have been the response.
            let heard = connection.last_data[Who::Server as usize];
            let cut = |it: &Exchange| {
                let asked = it.request.as_ref().map(|it| it.message.last);
                let asked = asked.filter(|_| it.response.is_none() && it.stream.is_none());
                let spoke = asked.is_some_and(|asked| asked < heard);
                spoke && connection.turns.cut && heard < connection.teardown.frame_ref()
            };
            let unseen = |it: &Exchange| is_unseen(it) || cut(it);
            connection.has_unpaired_responses() || connection.spoken().iter().any(unseen)
        }
        // What was read shows whether the bytes mattered.
        FailedReason::BytesLost => {
            let read = !connection.spoken().is_empty() && !connection.is_presumed();
            // Beyond the snapshot length they may have been a goodbye.
            let lacks = connection.has_holes() || connection.turns.cut && connection.tls.is_some();
            lacks && (!read || connection.tls.is_some())
                || connection.spoken().iter().any(is_unseen)
        }
        FailedReason::UnansweredWords => connection.has_holes(),
        FailedReason::WrongProtocol => {
            let h2 = connection.h2.as_deref();
            connection.has_holes() && h2.is_some() && connection.mismatch().is_none()
        }
        FailedReason::Rejected => client.missing > 0,
        _ => false,
    }
}
