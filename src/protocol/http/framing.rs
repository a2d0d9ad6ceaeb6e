//! Determines from the head where the body ends (RFC 9112 §6.3).

use super::fault::FaultRule;
use super::fields::{ContentLengths, FieldFacts, TransferCodings};
use super::message::{Framing, HttpVersion, Method};

/// How the end of a message is found, and what is wrong with how the head declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BodyFraming {
    pub(super) framing: Framing,
    /// Announced bytes of [`Framing::Length`].
    pub(super) length: u64,
    pub(super) faults: [Option<FaultRule>; 3],
}

impl BodyFraming {
    fn new(framing: Framing) -> Self {
        Self {
            framing,
            length: 0,
            faults: [None; 3],
        }
    }

    fn with(mut self, fault: FaultRule) -> Self {
        if let Some(free) = self.faults.iter_mut().find(|fault| fault.is_none()) {
            *free = Some(fault);
        }
        self
    }
}

/// The framing of a request's body.
pub(super) fn of_request(facts: &FieldFacts<'_>, version: HttpVersion) -> BodyFraming {
    match announced(facts, version) {
        // §6.3, 4: the server cannot determine where such a request ends.
        Some(body) if body.framing == Framing::UntilClose => BodyFraming {
            framing: Framing::Unknown,
            ..body
        }
        .with(FaultRule::EncodingNotChunked),
        Some(body) => body,
        // §6.3, 7.
        None => BodyFraming::new(Framing::NoBody),
    }
}

/// The framing of a response's body. `method` is that of its request, if it was seen.
pub(super) fn of_response(
    facts: &FieldFacts<'_>,
    version: HttpVersion,
    status: u16,
    method: Option<Method>,
) -> BodyFraming {
    // §6.3, 2: "Any 2xx (Successful) response to a CONNECT request implies that the connection will become a tunnel".
    let connected = method == Some(Method::Connect) && (200..300).contains(&status);
    let bodiless = matches!(status, 100..=199 | 204);
    if connected || bodiless {
        let framing = if connected || status == 101 {
            Framing::Tunnel
        } else {
            Framing::NoBody
        };
        let says_nothing = matches!(facts.lengths, ContentLengths::None | ContentLengths::One(0))
            && facts.coding == TransferCodings::None;
        let body = BodyFraming::new(framing);
        return if says_nothing {
            body
        } else {
            body.with(FaultRule::LengthForbidden)
        };
    }
    // §6.3, 1: the head of these describes a body that is not sent.
    if method == Some(Method::Head) || status == 304 {
        return BodyFraming::new(Framing::NoBody);
    }
    // §6.3, 8.
    announced(facts, version).unwrap_or(BodyFraming::new(Framing::UntilClose))
}

/// What `Transfer-Encoding` and `Content-Length` announce, if they are present.
fn announced(facts: &FieldFacts<'_>, version: HttpVersion) -> Option<BodyFraming> {
    let coded = match facts.coding {
        TransferCodings::None => None,
        TransferCodings::Chunked => Some(BodyFraming::new(Framing::Chunked)),
        // The chunks are there nevertheless, whatever coding surrounds them.
        TransferCodings::ChunkedBadly => {
            Some(BodyFraming::new(Framing::Chunked).with(FaultRule::ChunkedNotLast))
        }
        TransferCodings::Other => Some(BodyFraming::new(Framing::UntilClose)),
    };
    if let Some(mut body) = coded {
        // §6.1: "Transfer-Encoding was added in HTTP/1.1."
        if version < HttpVersion::HTTP_11 && version != HttpVersion::UNKNOWN {
            body = body.with(FaultRule::EncodingInOldVersion);
        }
        // §6.3, 3: Transfer-Encoding overrides the Content-Length.
        if facts.lengths != ContentLengths::None {
            body = body.with(FaultRule::LengthAndEncoding);
        }
        return Some(body);
    }
    // §6.3, 5 and 6.
    let length = |length| BodyFraming {
        length,
        ..BodyFraming::new(Framing::Length)
    };
    match facts.lengths {
        ContentLengths::None => None,
        ContentLengths::One(one) => Some(length(one)),
        ContentLengths::Repeated(one) => Some(length(one).with(FaultRule::RepeatedLength)),
        ContentLengths::Differing => {
            Some(BodyFraming::new(Framing::Unknown).with(FaultRule::DifferingLengths))
        }
        ContentLengths::Illegible => {
            Some(BodyFraming::new(Framing::Unknown).with(FaultRule::ContentLength))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::TextInterner;
    use super::*;

    const V10: HttpVersion = HttpVersion::HTTP_10;
    const V11: HttpVersion = HttpVersion::HTTP_11;

    fn facts(lines: &'static [(&'static str, &'static str)]) -> FieldFacts<'static> {
        let mut facts = FieldFacts::default();
        for (name, value) in lines {
            facts.line(name.as_bytes(), value.as_bytes(), &mut TextInterner::new());
        }
        facts
    }

    type FramingLines = &'static [(&'static str, &'static str)];
    const NONE: FramingLines = &[];
    const FIVE: FramingLines = &[("Content-Length", "5")];
    const ZERO: FramingLines = &[("Content-Length", "0")];
    const TWICE: FramingLines = &[("Content-Length", "5"), ("Content-Length", "5")];
    const DIFFER: FramingLines = &[("Content-Length", "5"), ("Content-Length", "6")];
    const WORDS: FramingLines = &[("Content-Length", "five")];
    const CHUNKED: FramingLines = &[("Transfer-Encoding", "chunked")];
    const GZIP: FramingLines = &[("Transfer-Encoding", "gzip")];
    const BADLY: FramingLines = &[("Transfer-Encoding", "chunked, gzip")];
    const BOTH: FramingLines = &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")];

    #[test]
    fn requests() {
        use FaultRule::{
            ChunkedNotLast, ContentLength, DifferingLengths, EncodingInOldVersion,
            EncodingNotChunked, LengthAndEncoding, RepeatedLength,
        };
        let cases: &[(FramingLines, HttpVersion, Framing, u64, &[FaultRule])] = &[
            (NONE, V11, Framing::NoBody, 0, &[]),
            (FIVE, V11, Framing::Length, 5, &[]),
            (FIVE, V10, Framing::Length, 5, &[]),
            (TWICE, V11, Framing::Length, 5, &[RepeatedLength]),
            (DIFFER, V11, Framing::Unknown, 0, &[DifferingLengths]),
            (WORDS, V11, Framing::Unknown, 0, &[ContentLength]),
            (CHUNKED, V11, Framing::Chunked, 0, &[]),
            (CHUNKED, V10, Framing::Chunked, 0, &[EncodingInOldVersion]),
            (GZIP, V11, Framing::Unknown, 0, &[EncodingNotChunked]),
            (BADLY, V11, Framing::Chunked, 0, &[ChunkedNotLast]),
            (BOTH, V11, Framing::Chunked, 0, &[LengthAndEncoding]),
        ];
        for (lines, version, framing, length, faults) in cases {
            let body = of_request(&facts(lines), *version);
            let found: Vec<_> = body.faults.into_iter().flatten().collect();
            assert_eq!(
                (body.framing, body.length, &found[..]),
                (*framing, *length, *faults),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn responses() {
        use FaultRule::{DifferingLengths, LengthAndEncoding, LengthForbidden, RepeatedLength};
        let get = Some(Method::Get);
        let head = Some(Method::Head);
        let connect = Some(Method::Connect);
        type FramingCase = (
            FramingLines,
            u16,
            Option<Method>,
            Framing,
            u64,
            &'static [FaultRule],
        );
        let cases: &[FramingCase] = &[
            (NONE, 200, get, Framing::UntilClose, 0, &[]),
            (NONE, 200, None, Framing::UntilClose, 0, &[]),
            (FIVE, 200, get, Framing::Length, 5, &[]),
            (FIVE, 200, head, Framing::NoBody, 0, &[]),
            (CHUNKED, 200, head, Framing::NoBody, 0, &[]),
            (FIVE, 304, get, Framing::NoBody, 0, &[]),
            (NONE, 204, get, Framing::NoBody, 0, &[]),
            (ZERO, 204, get, Framing::NoBody, 0, &[]),
            (FIVE, 204, get, Framing::NoBody, 0, &[LengthForbidden]),
            (NONE, 100, get, Framing::NoBody, 0, &[]),
            (NONE, 101, get, Framing::Tunnel, 0, &[]),
            (NONE, 200, connect, Framing::Tunnel, 0, &[]),
            (
                CHUNKED,
                200,
                connect,
                Framing::Tunnel,
                0,
                &[LengthForbidden],
            ),
            (FIVE, 407, connect, Framing::Length, 5, &[]),
            (CHUNKED, 200, get, Framing::Chunked, 0, &[]),
            (GZIP, 200, get, Framing::UntilClose, 0, &[]),
            (BOTH, 200, get, Framing::Chunked, 0, &[LengthAndEncoding]),
            (TWICE, 200, get, Framing::Length, 5, &[RepeatedLength]),
            (DIFFER, 200, get, Framing::Unknown, 0, &[DifferingLengths]),
        ];
        for (lines, status, method, framing, length, faults) in cases {
            let body = of_response(&facts(lines), V11, *status, *method);
            let found: Vec<_> = body.faults.into_iter().flatten().collect();
            let expect = (*framing, *length, *faults);
            assert_eq!(
                (body.framing, body.length, &found[..]),
                expect,
                "{lines:?} {status} {method:?}"
            );
        }
    }
}
