//! What the capture lacks of a connection, and which losses that may explain.
//!
//! In: the record of one connection, and what seems lost on it. Out: whether the packets that were not captured may have been
//! what seems missing. A loss that only an absence shows is no loss then.

use super::outcome::FailedReason;
use super::record::{Connection, Opening, Who};
use super::teardown::{By, How};
use crate::protocol::http::{Exchange, MessageProgress};
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
            connection.may_answer_close() || connection.has_unpaired_responses() || closed
        }
        FailedReason::CutShort | FailedReason::Reset | FailedReason::RequestCut => {
            connection.may_answer_close()
        }
        FailedReason::ClientLeft => {
            connection.has_unpaired_responses() || connection.spoken().iter().any(is_unseen)
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
