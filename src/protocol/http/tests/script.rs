//! A scripted connection for tests: which end sends what, one line each. The time of a line is its number in
//! milliseconds.

use crate::base::flow_end::FlowEnd::{self, A, B};
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::time::Timestamp;
use crate::protocol::http::conversation::HttpConversation;
use crate::protocol::http::exchange::Exchange;
use crate::protocol::http::phase::{Phase, Reach};
use crate::protocol::http::text::TextInterner;

pub(in crate::protocol::http) struct HttpScript {
    pub(in crate::protocol::http) conversation: HttpConversation,
    pub(in crate::protocol::http) texts: TextInterner,
    said: [Reach; 2],
    line: u64,
    slice: usize,
    timeless: bool,
}

pub(in crate::protocol::http) fn script() -> HttpScript {
    HttpScript {
        conversation: HttpConversation::new(),
        texts: TextInterner::new(),
        said: [Reach::default(); 2],
        line: 0,
        slice: usize::MAX,
        timeless: false,
    }
}

impl HttpScript {
    /// Sends everything in slices of this size, and all at one time.
    pub(in crate::protocol::http) fn sliced(mut self, slice: usize) -> Self {
        self.slice = slice;
        self.timeless = true;
        self
    }

    pub(in crate::protocol::http) fn frame_ref(&mut self) -> FrameRef {
        self.line += u64::from(!self.timeless);
        FrameRef {
            frame: FrameNumber(self.line),
            time: Timestamp::from_nanos(self.line as i64 * 1_000_000),
        }
    }

    pub(in crate::protocol::http) fn say(mut self, from: FlowEnd, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let at = self.frame_ref();
        for slice in bytes.chunks(self.slice) {
            self.conversation
                .data(from, at, slice, slice.len() as u32, &mut self.texts);
        }
        let said = &mut self.said[from.index()].bytes;
        *said = said.saturating_add(bytes.len() as u64);
        self
    }

    pub(in crate::protocol::http) fn a(self, bytes: impl AsRef<[u8]>) -> Self {
        self.say(A, bytes)
    }

    pub(in crate::protocol::http) fn b(self, bytes: impl AsRef<[u8]>) -> Self {
        self.say(B, bytes)
    }

    /// A slice of which the snap length left only `kept` bytes.
    pub(in crate::protocol::http) fn cut(
        mut self,
        from: FlowEnd,
        bytes: impl AsRef<[u8]>,
        kept: usize,
    ) -> Self {
        let bytes = bytes.as_ref();
        let at = self.frame_ref();
        let kept = &bytes[..kept.min(bytes.len())];
        self.conversation
            .data(from, at, kept, bytes.len() as u32, &mut self.texts);
        let said = &mut self.said[from.index()].bytes;
        *said = said.saturating_add(bytes.len() as u64);
        self
    }

    pub(in crate::protocol::http) fn gap(mut self, from: FlowEnd, length: u64) -> Self {
        let at = self.frame_ref();
        self.conversation.gap(from, at, length, &mut self.texts);
        let said = &mut self.said[from.index()].bytes;
        *said = said.saturating_add(length);
        self
    }

    pub(in crate::protocol::http) fn fin(mut self, from: FlowEnd) -> Self {
        self.frame_ref();
        self.conversation.end(from, &mut self.texts);
        self.said[from.index()].fin = true;
        self
    }

    pub(in crate::protocol::http) fn finish(mut self) -> Self {
        self.conversation.finish(&mut self.texts);
        self
    }

    /// The phase of an end that has sent and received everything so far.
    pub(in crate::protocol::http) fn phase(&self, closer: FlowEnd) -> Phase {
        self.conversation.phase_at(
            closer,
            self.said[closer.index()],
            self.said[closer.other().index()],
        )
    }

    #[track_caller]
    pub(in crate::protocol::http) fn only(&self) -> &Exchange {
        assert_eq!(
            self.conversation.exchanges().len(),
            1,
            "{:#?}",
            self.conversation.exchanges()
        );
        &self.conversation.exchanges()[0]
    }

    /// Method, target, status and completeness of each exchange.
    pub(in crate::protocol::http) fn summary(&self) -> Vec<String> {
        let exchanges = self.conversation.exchanges().iter();
        exchanges
            .map(|exchange| {
                let method = exchange.method().unwrap_or(b"-").escape_ascii().to_string();
                let target = exchange
                    .request
                    .as_ref()
                    .and_then(|request| request.target.clone());
                let target = target.map_or("-".to_owned(), |target| {
                    target.as_bytes().escape_ascii().to_string()
                });
                let status = exchange
                    .status()
                    .map_or("-".to_owned(), |status| status.to_string());
                let complete = if exchange.is_complete() {
                    "complete"
                } else {
                    "incomplete"
                };
                format!("{method} {target} {status} {complete}")
            })
            .collect()
    }
}
