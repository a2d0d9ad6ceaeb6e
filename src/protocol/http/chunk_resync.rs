//! Resynchronises with a chunked body whose framing was lost (RFC 9112 §7.1).
//!
//! The snap length often cuts the head, and with it the word `chunked`. Senders tend to begin a chunk with a segment,
//! so a slice that begins with a size line may begin a chunk. That chunk then ends at a known offset, and if another
//! size line is found exactly there, it is very unlikely to be body data. From the second size line on the body is
//! treated as chunked. Only what was seen since then is counted.

use super::chunked::{ChunkStep, Chunks};
use super::conversation::HttpConversation;
use super::direction::HttpReadState;
use super::message::{Framing, MessageProgress};
use crate::base::flow_end::FlowEnd;

/// Size lines at the predicted offsets that prove chunked framing.
const PROOF: u8 = 2;
/// Maximum hexadecimal digits of a size, as programs write it.
const DIGITS: usize = 8;

impl HttpConversation {
    /// Checks whether a slice of a stretch that cannot be parsed continues with chunks; if so, the message is followed
    /// again.
    pub(super) fn regain(&mut self, from: FlowEnd, bytes: &[u8], begins: bool) {
        if self.direction(from).state != HttpReadState::Lost || !self.may_be_chunked(from) {
            return;
        }
        let mut chunks = match self.direction_mut(from).guess.take() {
            Some(chunks) => *chunks,
            None if begins && is_size_line(bytes) => Chunks::new(),
            None => return,
        };
        if self.teller.is_some() {
            self.tell_chunks(from, bytes, chunks);
        }
        let mut data = 0;
        let (used, step) = chunks.feed(bytes, &mut data);
        match step {
            ChunkStep::More if chunks.sizes() >= PROOF => {
                if let Some(message) = self.message_mut(from) {
                    message.framing = Framing::Chunked;
                    message.progress = MessageProgress::Body;
                    message.amount = message.amount.saturating_add(data);
                }
                self.direction_mut(from).state = HttpReadState::Chunks(chunks);
            }
            ChunkStep::More => self.direction_mut(from).guess = Some(Box::new(chunks)),
            ChunkStep::Done if chunks.sizes() >= PROOF && used == bytes.len() => {
                if let Some(message) = self.message_mut(from) {
                    message.framing = Framing::Chunked;
                }
                self.complete(from);
            }
            ChunkStep::Done | ChunkStep::Fault(_) | ChunkStep::Broken(_) => {}
        }
    }

    /// Bytes of a stretch that cannot be parsed were cut off: the guess is kept if they lie within its chunk.
    pub(super) fn skip_in_guess(&mut self, from: FlowEnd, length: u64) {
        let direction = self.direction_mut(from);
        if let Some(chunks) = &mut direction.guess
            && !chunks.skip(length, &mut 0)
        {
            direction.guess = None;
        }
    }

    fn may_be_chunked(&self, from: FlowEnd) -> bool {
        self.message_of(from).is_some_and(|message| {
            message.progress == MessageProgress::Unseen
                && matches!(message.framing, Framing::Unknown | Framing::Chunked)
        })
    }
}

/// Whether `bytes` begin with a size above zero and CRLF.
fn is_size_line(bytes: &[u8]) -> bool {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    (1..=DIGITS).contains(&digits)
        && bytes.get(digits..digits + 2) == Some(b"\r\n")
        && bytes.iter().take(digits).any(|byte| *byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow_end::FlowEnd::{A, B};
    use crate::protocol::http::tests::script::{HttpScript, script};
    use crate::protocol::http::{ConnectionEnd, Outcome};

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn chunk(size: usize) -> String {
        format!("{size:x}\r\n{}\r\n", "z".repeat(size))
    }

    /// A response whose head was cut, and what came after it.
    fn cut(after: impl Fn(HttpScript) -> HttpScript) -> HttpScript {
        let first = format!("{HEAD}{}", chunk(300));
        after(script().a(GET).cut(B, first, 40)).fin(B)
    }

    #[track_caller]
    fn check(script: HttpScript, expected: Option<Outcome>) {
        let script = script.finish();
        assert_eq!(script.only().outcome(ConnectionEnd::ServerFin), expected);
    }

    #[test]
    fn chunks_at_the_places_foretold_are_followed_again() {
        let two = |script: HttpScript| script.cut(B, chunk(500), 60).cut(B, chunk(700), 60);
        let whole = |script: HttpScript| script.b(chunk(500)).b(chunk(700));
        check(cut(whole), Some(Outcome::CutShort));
        check(
            cut(|script| whole(script).b("0\r\n\r\n")),
            Some(Outcome::Complete),
        );
        check(
            cut(|script| whole(script).b(format!("{}0\r\n\r\n", chunk(9)))),
            Some(Outcome::Complete),
        );
        // The end of a chunk was cut off together with its line end, and no last chunk followed.
        check(cut(two), Some(Outcome::CutShort));
        let split = |script: HttpScript| {
            let (begin, end) = (chunk(500), "\r\n");
            let begin = begin.strip_suffix(end).expect("its end");
            script.cut(B, begin, 60).b(end).cut(B, chunk(700), 60)
        };
        check(cut(split), Some(Outcome::CutShort));
    }

    #[test]
    fn what_only_looks_like_a_chunk_proves_nothing() {
        check(cut(|script| script.b(chunk(500))), None);
        check(
            cut(|script| script.b("5\r\nhello, world\r\n").b("5\r\nhello")),
            None,
        );
        check(cut(|script| script.b("0\r\n\r\n0\r\n\r\n")), None);
        check(
            cut(|script| script.b("no chunk").b(chunk(5)).gap(B, 9).b(chunk(5))),
            None,
        );
        check(cut(|script| script.b("zz\r\n").b("123456789\r\n")), None);
    }

    #[test]
    fn requests_too() {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let script = script().cut(A, post, 30).a(chunk(50)).a(chunk(60));
        let message = script.only().request.as_ref().map(|it| &it.message);
        let message = message.expect("a request");
        assert_eq!(
            (message.progress, message.received()),
            (MessageProgress::Body, 60)
        );
    }
}
