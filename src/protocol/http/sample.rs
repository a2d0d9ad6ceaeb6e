//! A sample of a response that breaks the grammar: its bytes as its receiver met them, from which a program that knows a
//! parser can tell what that parser makes of it. Responses that follow the grammar have none.
//!
//! In: the head or the bytes with the fault, then what follows them. Out: [`ResponseSample`]. Where the head follows the
//! grammar and only a chunk does not, the sample begins with the chunk; what stood in the head is known from its fields.

use super::chunked::{ChunkStep, Chunks};
use super::conversation::HttpConversation;
use super::direction::{HttpReadState, Sampling};
use super::exchange::ResponseSample;
use super::fields::FieldName;
use crate::base::flow_end::FlowEnd;

/// Bytes kept of a response that breaks the grammar: hardly any head is longer, and most parsers stop soon after the fault.
pub(crate) const MAX_SAMPLE: usize = 4096;
/// Bytes that are kept of the data of the chunk before a fault.
const BEFORE_FAULT: usize = 64;

impl HttpConversation {
    /// Whether a parser may refuse the response whose head was read: it has a fault, or a `Transfer-Encoding` that is not
    /// just `chunked`.
    pub(super) fn is_odd(&self, from: FlowEnd) -> bool {
        let index = self.direction(from).exchange as usize;
        self.exchanges.get(index).is_some_and(|it| {
            let mut codings = it.response_fields(FieldName::TransferEncoding);
            !it.response_faults().is_empty() || codings.next().is_some()
        })
    }

    /// Begins a sample with these bytes of a response, the first of which is at `start`.
    pub(super) fn sample(&mut self, from: FlowEnd, bytes: &[u8], start: u64) {
        self.begin_sample(from, bytes, true, start.saturating_add(bytes.len() as u64));
    }

    fn begin_sample(&mut self, from: FlowEnd, bytes: &[u8], has_head: bool, next: u64) {
        let exchange = self.direction(from).exchange;
        let Some(own) = self.exchanges.get_mut(exchange as usize) else {
            return;
        };
        let rare = own.rare_mut();
        // What began before the head is a longer sample of it.
        let again = rare.sample.as_ref().is_some_and(|it| {
            let is_part = bytes.len() > it.bytes.len() && bytes.ends_with(&it.bytes);
            !is_part
        });
        if bytes.len() > MAX_SAMPLE || again {
            return;
        }
        let sample = ResponseSample {
            bytes: bytes.to_vec(),
            has_head,
            is_whole: false,
        };
        rare.sample = Some(Box::new(sample));
        self.text_bytes += size_of::<ResponseSample>() + bytes.len();
        self.direction_mut(from).sampling = Some(Sampling { exchange, next });
    }

    /// Adds bytes at the offset where this direction is to the sample that is being taken.
    pub(super) fn sample_on(&mut self, from: FlowEnd, bytes: &[u8]) {
        let direction = self.direction(from);
        let Some(sampling) = direction.sampling else {
            return;
        };
        let (offset, exchange) = (direction.offset, direction.exchange);
        let known = sampling.next.saturating_sub(offset);
        let new = usize::try_from(known).ok().and_then(|it| bytes.get(it..));
        let new = new.unwrap_or_default();
        let own = self.exchanges.get_mut(exchange as usize);
        let sample = own.and_then(|it| it.rare.as_mut()?.sample.as_mut());
        let Some(sample) = sample.filter(|_| exchange == sampling.exchange) else {
            self.direction_mut(from).sampling = None;
            return;
        };
        let room = MAX_SAMPLE.saturating_sub(sample.bytes.len());
        let taken = new.get(..new.len().min(room)).unwrap_or_default();
        sample.bytes.extend_from_slice(taken);
        self.text_bytes += taken.len();
        if self.direction(from).state == HttpReadState::Lost {
            let behind = bytes.len() - new.len();
            let taken = taken.len();
            self.tell(from, behind, taken, self.faulty(from, false));
        }
        let next = sampling.next.saturating_add(taken.len() as u64);
        let goes_on = taken.len() == new.len();
        self.direction_mut(from).sampling = goes_on.then_some(Sampling { exchange, next });
    }

    /// Begins a sample with the chunk in which a fault is, if it has none yet. `before`: the state at the first of `bytes`.
    pub(super) fn sample_chunks(
        &mut self,
        from: FlowEnd,
        bytes: &[u8],
        before: Chunks,
        (used, step): (usize, ChunkStep),
    ) {
        let mut chunks = before;
        let place = |part: &[u8]| (part.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize);
        let mut data = None;
        chunks.feed_to(bytes, &mut 0, |part| data = Some((place(part), part.len())));
        let mut sample = Vec::new();
        let start = match data {
            Some((at, length)) => {
                let kept = length.min(BEFORE_FAULT);
                let before = at.checked_sub(2).and_then(|it| bytes.get(it..at));
                let alone = before.is_some_and(|it| it != b"\r\n" && it.ends_with(b"\n"));
                let end = if alone { "\n" } else { "\r\n" };
                sample.extend_from_slice(format!("{kept:x}{end}").as_bytes());
                at + length - kept
            }
            None if before.between() => 0,
            None => return,
        };
        let broken = matches!(step, ChunkStep::Broken(_));
        let end = if broken { bytes.len() } else { used };
        let all = bytes.get(start..end).unwrap_or_default();
        let kept = all.get(..all.len().min(MAX_SAMPLE / 2)).unwrap_or_default();
        sample.extend_from_slice(kept);
        let next = self.direction(from).offset.saturating_add(end as u64);
        self.begin_sample(from, &sample, false, next);
        if kept.len() < all.len() {
            self.direction_mut(from).sampling = None;
        }
    }

    /// The stream ends here: the sample that is being taken has all of it.
    pub(super) fn end_sample(&mut self, from: FlowEnd) {
        let Some(sampling) = self.direction_mut(from).sampling.take() else {
            return;
        };
        let own = self.exchanges.get_mut(sampling.exchange as usize);
        if let Some(sample) = own.and_then(|it| it.rare.as_mut()?.sample.as_mut()) {
            sample.is_whole = true;
        }
    }
}
