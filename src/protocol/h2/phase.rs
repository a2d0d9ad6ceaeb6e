//! The phase of a stream at which something happened, as one end saw it.

use super::conversation::H2Conversation;
use crate::base::flow_end::FlowEnd;
use crate::protocol::http::{Exchange, MessageSeen, Party, Phase, Reach, phase_of, request_seen};

impl H2Conversation {
    /// The phase `closer` was in when it had sent and received this much: the oldest stream that was not over decides.
    /// A GOAWAY announces the close (RFC 9113 §6.8).
    #[must_use]
    pub fn phase_at(&self, closer: FlowEnd, sent: Reach, received: Reach) -> Phase {
        if sent.bytes == 0 && received.bytes == 0 {
            return Phase::BeforeRequest;
        }
        if self.facts.mismatch.is_some() {
            return Phase::Opaque;
        }
        let reach_of = |end: FlowEnd| if end == closer { sent } else { received };
        let (requests, responses) = (reach_of(self.requester), reach_of(self.requester.other()));
        let mut any = false;
        for exchange in &self.exchanges {
            let begun = exchange.request.is_none()
                || !matches!(
                    request_seen(exchange.request.as_ref(), requests),
                    MessageSeen::Nothing
                );
            if !begun {
                continue;
            }
            any = true;
            if self.is_over(exchange, requests, responses) {
                continue;
            }
            if let Some(phase) = phase_of(exchange, requests, responses) {
                return phase;
            }
        }
        let announced = FlowEnd::BOTH.iter().any(|end| {
            let half = &self.direction(*end).half;
            let first = half.goaways.first();
            first.is_some_and(|goaway| goaway.start < reach_of(*end).bytes)
        });
        match any {
            _ if announced => Phase::After,
            true => Phase::Between,
            false if self.direction(self.requester).half.lost => Phase::Opaque,
            false => Phase::BeforeRequest,
        }
    }

    /// Whether the stream had been reset or refused, as far as was seen.
    fn is_over(&self, exchange: &Exchange, requests: Reach, responses: Reach) -> bool {
        let Some(stream) = &exchange.stream else {
            return false;
        };
        let reset = stream.reset.is_some_and(|reset| {
            let reach = match reset.by {
                Party::Requester => requests,
                Party::Responder => responses,
            };
            reset.start < reach.bytes
        });
        let refused = stream.refused.is_some_and(|at| {
            let half = &self.direction(self.requester.other()).half;
            let mut goaways = half.goaways.iter();
            goaways.any(|goaway| goaway.at == at && goaway.start < responses.bytes)
        });
        reset || refused
    }
}
