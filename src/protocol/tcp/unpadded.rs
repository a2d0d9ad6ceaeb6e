//! Which bytes at the end of a short segment belong to the stream.
//!
//! In: the segments of one connection, before anything else is made of them. What may be padding ([`super::padding`]) is set aside
//! until the numbers decide it: what a program has sent takes sequence numbers, padding takes none. Out: the segments without
//! padding.

use super::padding::{SetAside, is_padding, may_be_padding};
use super::pair::EndpointPair;
use super::peer::Peer;
use super::stream::StreamSink;
use crate::base::flow_end::FlowEnd;
use crate::base::net::Flags;
use crate::packet::decode::Segment;

impl EndpointPair {
    /// Decides what was set aside, where this segment shows it, and sets aside what may be padding. Returns the segment without
    /// it, if it has some.
    pub(super) fn without_padding<'a, R: StreamSink>(
        from: FlowEnd,
        sender: &mut Peer,
        receiver: &mut Peer,
        segment: &Segment<'a>,
        reader: &mut R,
    ) -> Option<Segment<'a>> {
        if let Some(aside) = sender.padding.aside.take() {
            let start = sender.stream.offset(segment.payload_seq());
            let same = start == aside.start;
            let again = segment.payload == aside.bytes() && may_be_padding(segment);
            if start > aside.start {
                let (whole, at) = aside.whole();
                Self::take_payload(from, sender, receiver, &whole, at, reader);
            } else if !same || again {
                sender.padding.aside = Some(aside);
            } else if !segment.payload.starts_with(aside.bytes()) {
                sender.padding.proven |= !segment.flags.has(Flags::RST);
            }
        }
        if segment.flags.has(Flags::ACK)
            && let Some(aside) = receiver.padding.aside.take()
        {
            match receiver.stream.offset(segment.ack) > aside.start {
                true => {
                    let (whole, at) = aside.whole();
                    Self::take_payload(from.other(), receiver, sender, &whole, at, reader);
                }
                false => receiver.padding.aside = Some(aside),
            }
        }
        if !may_be_padding(segment) || sender.stream.fin().is_some() {
            return None;
        }
        let stream = &sender.stream;
        let (start, next) = match stream.is_anchored() {
            true => (stream.offset(segment.payload_seq()), stream.send_next()),
            false => (0, 0),
        };
        let known = sender.padding.proven || receiver.padding.proven;
        let taken = match start == next {
            // Other bytes are left in the buffer of a device that has shown before what it does.
            true if stream.acknowledged() > start => false,
            true => known || is_padding(segment) && !segment.flags.has(Flags::FIN),
            false => {
                let beside = known || sender.padding.aside.is_some();
                start < next && beside && is_padding(segment)
            }
        };
        if !taken {
            return None;
        }
        if start == next && !segment.flags.has(Flags::FIN) && sender.padding.aside.is_none() {
            sender.padding.aside = Some(Box::new(SetAside::new(segment, start)));
        }
        Some(Segment {
            length: 0,
            payload: &[],
            ..*segment
        })
    }

    /// Nothing more will come that decides it: beside proven padding it is padding.
    pub(super) fn decide_padding<R: StreamSink>(&mut self, end: FlowEnd, reader: &mut R) {
        let (own, peer) = self.both(end);
        let Some(aside) = own.padding.aside.take() else {
            return;
        };
        let (whole, at) = aside.whole();
        if !(own.padding.proven || peer.padding.proven) {
            Self::take_payload(end, own, peer, &whole, at, reader);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame_ref::{FrameNumber, FrameRef};
    use crate::base::net::{Context, Endpoint};
    use crate::base::passage::Passage;
    use crate::base::seq::Seq;
    use crate::base::time::Timestamp;
    use crate::packet::decode::TcpOptions;

    /// What each end's stream holds.
    #[derive(Default)]
    struct Streams([Vec<u8>; 2]);

    impl StreamSink for Streams {
        fn data(&mut self, from: FlowEnd, _: FrameRef, bytes: &[u8], _: u32) {
            self.0[from.index()].extend_from_slice(bytes);
        }

        fn gap(&mut self, from: FlowEnd, _: FrameRef, length: u64) {
            self.0[from.index()].extend(format!("[{length} missing]").into_bytes());
        }

        fn end(&mut self, from: FlowEnd, _: FrameRef) {
            self.0[from.index()].push(b'.');
        }
    }

    /// Segments of a connection: who sends, flags, numbers and payload. Returns the streams.
    fn streams(segments: &[(FlowEnd, Flags, u32, u32, &[u8])]) -> [String; 2] {
        let (mut pair, mut streams) = (EndpointPair::new(), Streams::default());
        let mut last = FrameRef::default();
        for (number, (from, flags, seq, ack, payload)) in (1..).zip(segments) {
            let bytes = [&[0; 20], *payload].concat();
            let port = |port| Endpoint {
                ip: std::net::Ipv4Addr::LOCALHOST.into(),
                port,
            };
            let segment = Segment {
                frame: FrameNumber(number),
                time: Timestamp::from_nanos(1_000_000 * number as i64),
                interface: 0,
                context: Context::default(),
                vlan: 0,
                link_digest: 0,
                source: port(from.index() as u16),
                destination: port(from.other().index() as u16),
                ttl: 64,
                ip_id: Some(number as u16),
                seq: Seq(*seq),
                ack: Seq(*ack),
                flags: *flags,
                window: 1000,
                urgent: 0,
                options: TcpOptions::default(),
                length: payload.len() as u32,
                passage: Passage::Unknown,
                payload,
                bytes: &bytes,
            };
            last = FrameRef {
                frame: segment.frame,
                time: segment.time,
            };
            pair.segment(*from, &segment, &mut streams);
        }
        pair.close(last, None, &mut streams);
        streams
            .0
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    const ACK: Flags = Flags::ACK;
    const ZEROS: &[u8] = &[0; 6];
    const LEFT: &[u8] = b"\x48\x11\xc6\x36\x65\x00";
    use FlowEnd::{A, B};

    #[test]
    fn what_takes_no_numbers_is_padding() {
        let (push, fin) = (ACK.with(Flags::PSH), ACK.with(Flags::FIN));
        let all = streams(&[
            (A, Flags::SYN, 0, 0, ZEROS),
            (B, ACK.with(Flags::SYN), 0, 1, ZEROS),
            (A, ACK, 1, 1, ZEROS),
            (A, push, 1, 1, b"ask"),
            (B, ACK, 1, 4, ZEROS),
            // A probe, padded as well.
            (B, ACK, 0, 4, ZEROS),
            (B, push, 1, 4, b"answer"),
            (A, ACK, 4, 7, LEFT),
            (A, fin, 4, 7, ZEROS),
            (B, fin, 7, 5, ZEROS),
            (A, ACK, 5, 8, ZEROS),
        ]);
        assert_eq!(all, ["ask.", "answer."]);
    }

    #[test]
    fn what_takes_numbers_was_sent() {
        let open: [(FlowEnd, Flags, u32, u32, &[u8]); 3] = [
            (A, Flags::SYN, 0, 0, b""),
            (B, ACK.with(Flags::SYN), 0, 1, b""),
            (A, ACK, 1, 1, ZEROS),
        ];
        for (then, sent) in [
            ((B, ACK, 1, 7, &b"yes"[..]), "\0\0\0\0\0\0"),
            ((A, ACK, 7, 1, &b"more"[..]), "\0\0\0\0\0\0more"),
            ((A, ACK, 1, 1, ZEROS), "\0\0\0\0\0\0"),
            ((A, ACK, 1, 1, b"other"), "other"),
        ] {
            let all = streams(&[&open[..], &[then]].concat());
            assert_eq!(all[0], sent, "{then:?}");
        }
        let pushed = (A, ACK.with(Flags::PSH), 1, 1, ZEROS);
        let all = streams(&[&open[..2], &[pushed]].concat());
        assert_eq!(all[0], "\0\0\0\0\0\0");
        let told = (A, ACK, 1, 1, LEFT);
        let all = streams(&[&open[..2], &[told]].concat());
        assert!(!all[0].is_empty(), "bytes of a program");
    }
}
