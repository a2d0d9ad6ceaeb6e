//! What is known of one conversation.

use super::protocols::AppProtocol;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Exchange, SharedText};

/// What is known of a conversation that is not HTTP. In a finished connection, [`FlowEnd::A`] and index 0 are its client.
#[derive(Clone, Debug)]
pub struct DialogueFacts {
    /// The protocol, by its content; `None` if it is not known.
    pub protocol: Option<AppProtocol>,
    /// The side that asks.
    pub requester: FlowEnd,
    /// The last requests and their answers.
    pub exchanges: Vec<Exchange>,
    /// The exchanges are presumed from the turns of both sides, since their protocol is not read.
    pub presumed: bool,
    /// Number of complete exchanges before those in `exchanges`.
    pub before: u64,
    /// Where each side said goodbye in the words of the protocol.
    pub goodbyes: [Option<FrameRef>; 2],
    /// The last error that a side reported, if nothing else was answered after it.
    pub complaint: Option<Complaint>,
    /// The beginning of each side's last turn, if it is printable text.
    pub last_words: [Option<SharedText>; 2],
}

/// An error that one side reported in the words of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Who reported it.
    pub by: FlowEnd,
    /// Where it was complete.
    pub at: FrameRef,
    /// Its code, such as an SQLSTATE or a reply code, if the protocol has one.
    pub code: Option<SharedText>,
    /// Its text.
    pub text: SharedText,
    /// It came in answer to a request, which it refuses; otherwise it is about the whole session.
    pub answers: bool,
}

impl DialogueFacts {
    /// The same, with the halves in the order client, server.
    #[must_use]
    pub(crate) fn seen_from(mut self, client: FlowEnd) -> Self {
        if client == FlowEnd::B {
            self.requester = self.requester.other();
            self.goodbyes.reverse();
            self.last_words.reverse();
            if let Some(complaint) = &mut self.complaint {
                complaint.by = complaint.by.other();
            }
        }
        self
    }
}
