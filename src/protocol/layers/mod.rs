//! The protocol stack of one connection: which protocol is in use, layer upon layer.
//!
//! In: both directions' streams in order, as TCP reassembly hands them over (slices, gaps, ends). Every connection
//! begins as an [`HttpConversation`], which detects the protocol by content, on any port, and handles plain HTTP/1
//! alone. The first byte it does not understand, and all after it, goes to a `Dissector` on top: TLS, at once or after
//! plain text (STARTTLS); HTTP/2 by its preface or an upgrade; WebSocket after a 101; and after a CONNECT whatever is
//! in the tunnel, which is a [`ProtocolStack`] of its own.
//!
//! Out: what the dissectors found, and for every position in the TCP streams the phase that an end was in. A dissector
//! counts from its own first byte; `UpperLayer::since` is the offset of that byte in the TCP stream. The decrypted data
//! of TLS goes to a `ProtocolStack` inside the TLS dissector, which counts decrypted bytes.
//!
//! Plain HTTP/1 pays for all this with one branch per slice.

use std::time::Duration;

use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;
use crate::protocol::annotations::{Annotator, RecordKind};
use crate::protocol::dialogue::{Dialogue, DialogueFacts};
use crate::protocol::h2;
use crate::protocol::http::{Exchange, HttpConversation, Phase, Protocol, Reach, TextInterner};
use crate::protocol::parts::{MessageReading, PartTeller, StreamPart};
use crate::protocol::tls;
use crate::protocol::tls::secrets::KeyStore;
use crate::protocol::websocket;

mod decrypted;
mod first_words;
mod proxied;

pub(crate) use decrypted::{MAX_EARLY, MAX_HELD, MAX_PLACES};
pub use first_words::FirstWords;
pub use proxied::ProxyHeader;

use decrypted::DecryptedLayer;

/// The protocols on one connection.
#[derive(Clone, Debug, Default)]
pub struct ProtocolStack {
    plain: HttpConversation,
    taken: Option<Box<UpperLayer>>,
    /// What is said in plain text that is not HTTP.
    dialogue: Option<Box<Dialogue>>,
    /// Ports of both ends: a hint which protocol is spoken.
    ports: [u16; 2],
    /// Offsets at which it begins.
    since: [u64; 2],
    layer_options: LayerOptions,
    /// The presumed client of a connection that began before the capture; `None` if it did not.
    midstream: Option<FlowEnd>,
    /// How many tunnels this is inside of.
    depth: u8,
    /// The beginning of each direction was seen.
    begun: [bool; 2],
    /// The protocol that it shows.
    first_words: [Option<FirstWords>; 2],
    /// What a proxy said of its client before that, and at which end.
    proxied: Option<Box<(FlowEnd, ProxyHeader)>>,
    /// No answer comes sooner where it was captured, if that is known.
    least: Option<Duration>,
}

/// Options for parsing a connection.
#[derive(Clone, Debug, Default)]
pub struct LayerOptions {
    /// Secrets that may decrypt TLS.
    pub keys: Option<KeyStore>,
    /// Records what is read. Its clones share their annotations: do not clone the connection it is for.
    pub annotator: Option<Annotator>,
    /// Is told which bytes are what.
    pub teller: Option<PartTeller>,
}

/// Most tunnels in tunnels that are parsed: a chain of proxies has two or three. Each is a layer that every byte
/// passes.
pub(crate) const MAX_TUNNELS: u8 = 8;

/// The dissector that took over from plain HTTP/1, and where.
#[derive(Clone, Debug)]
struct UpperLayer {
    /// Offset of the dissector's first byte in each direction's stream.
    since: [u64; 2],
    owner: [NextBytes; 2],
    dissector: Dissector,
    /// Nothing has shown yet which side of HTTP/2 is the client.
    guessed: bool,
}

/// Which parser gets a direction's next bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextBytes {
    /// Not decided: the first byte after the change decides.
    Undecided,
    /// The dissector.
    Dissector,
    /// The plain text parser: the server does not use the dissector's protocol and answers in plain text.
    Plain,
    /// The same, and what it answers is no text.
    Binary,
}

/// What all layers found, once the connection is over. Halves are in the order of the flow ends.
#[derive(Debug, Default)]
pub struct LayerFacts {
    /// The exchanges in order of their requests.
    pub exchanges: Vec<Exchange>,
    /// What is known of TLS, on the connection or inside a tunnel.
    pub tls: Option<Box<tls::TlsFacts>>,
    /// What HTTP/2 states about its connection.
    pub h2: Option<Box<h2::H2Facts>>,
    /// What a WebSocket shows about its end.
    pub websocket: Option<Box<websocket::WebSocketFacts>>,
    /// What was said in another protocol than HTTP.
    pub dialogue: Option<Box<DialogueFacts>>,
    /// The protocol that each side's first bytes on the connection show.
    pub first_words: [Option<FirstWords>; 2],
    /// What the proxy that opened the connection said of its client.
    pub proxied: Option<Box<ProxyHeader>>,
}

/// What was beyond a limit on what is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerLimits {
    /// Tunnels inside tunnels that were not looked into.
    pub(crate) tunnels: u64,
    /// How often decryption was given up, or read early data before it was known to be accepted.
    pub(crate) decryption: u64,
    /// How often every other place of decrypted data was dropped.
    pub(crate) places: u64,
}

/// The parser of what comes after plain HTTP/1.
#[derive(Clone, Debug)]
enum Dissector {
    Tls(Box<DecryptedLayer>),
    Http2(Box<h2::H2Conversation>),
    WebSocket(Box<websocket::WebSocketConversation>),
    /// A tunnel through a proxy, and the protocols in it.
    Tunnel(Box<ProtocolStack>),
    /// A protocol that is named but not parsed.
    Unread,
}

impl ProtocolStack {
    /// A stack without any data yet. `midstream`: the presumed client of a connection that began before the capture.
    #[must_use]
    pub fn boxed(
        layer_options: &LayerOptions,
        midstream: Option<FlowEnd>,
        ports: [u16; 2],
    ) -> Box<Self> {
        Box::new(Self {
            layer_options: layer_options.clone(),
            midstream,
            ports,
            plain: HttpConversation::new().with_teller(layer_options.teller.clone()),
            ..Self::default()
        })
    }

    /// A stack without any data yet, whose offsets begin at `since`.
    fn starting(since: [u64; 2], layer_options: LayerOptions) -> Self {
        Self {
            plain: HttpConversation::starting(since).with_teller(layer_options.teller.clone()),
            since,
            layer_options,
            ..Self::default()
        }
    }

    /// How many decrypted bytes are in the first `bytes` bytes of this end's TCP stream, if they are decrypted;
    /// otherwise `bytes`.
    #[must_use]
    pub fn inside(&self, end: FlowEnd, bytes: u64) -> u64 {
        if let Some(inner) = self.tunnel() {
            return inner.inside(end, bytes);
        }
        match self.decrypted_layer() {
            Some((taken, decrypted_layer)) => match decrypted_layer.opening.decrypted_stack() {
                Some(_) => decrypted_layer
                    .opening
                    .place(end, bytes.saturating_sub(taken.since[end.index()])),
                None => bytes,
            },
            None => bytes,
        }
    }

    /// Where this side sent `close_notify`, if it was decrypted and is among its first `bytes` bytes.
    pub fn close_notify(&self, end: FlowEnd, bytes: u64) -> Option<FrameRef> {
        let (taken, decrypted_layer) = self.decrypted_layer()?;
        let bytes = bytes.checked_sub(taken.since[end.index()])?;
        decrypted_layer.opening.close_notify(end, bytes)
    }

    fn decrypted_layer(&self) -> Option<(&UpperLayer, &DecryptedLayer)> {
        let taken = self.taken.as_deref()?;
        match &taken.dissector {
            Dissector::Tls(decrypted_layer) => Some((taken, decrypted_layer)),
            _ => None,
        }
    }

    fn tunnel(&self) -> Option<&Self> {
        match &self.taken.as_deref()?.dissector {
            Dissector::Tunnel(inner) => Some(inner),
            _ => None,
        }
    }

    /// The stack of the decrypted data, if there is any and its protocol is known.
    fn opened(&self) -> Option<&Self> {
        let (_, decrypted_layer) = self.decrypted_layer()?;
        let inner = decrypted_layer.opening.decrypted_stack()?;
        (inner.protocol() != Protocol::Unknown).then_some(inner)
    }

    /// The next bytes of one direction, in order and without overlap. `bytes` is what was captured, `length` what was
    /// on the wire: the rest was cut off by the snap length.
    #[inline]
    pub fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) {
        if !*from.of(&self.begun) {
            let after = self.proxied(from, at, bytes);
            if after > 0 {
                let rest = bytes.get(after..).unwrap_or_default();
                let length = length.saturating_sub(u32::try_from(after).unwrap_or(u32::MAX));
                if length > 0 {
                    self.data(from, at, rest, length, texts);
                }
                return;
            }
            self.begin(from, bytes);
        }
        if let Some(taken) = &self.taken
            && taken.guessed
        {
            self.reconsider(from, bytes, length);
        }
        if let Some(taken) = &mut self.taken
            && taken.takes(from, bytes)
        {
            taken.data(from, at, bytes, length, texts);
            return;
        }
        if let Some(likely) = self.midstream
            && self.plain.is_open()
            && let Some(sign) = h2::detect_midstream(bytes, length)
        {
            self.resume_http2(from, likely, sign);
            self.start_upper_layer(from, at, bytes, length, texts);
            return;
        }
        let left = self.plain.data(from, at, bytes, length, texts);
        match self.plain.protocol() {
            Protocol::Http1 => self.dialogue = None,
            Protocol::Unknown | Protocol::Opaque => {
                self.dialogue().data(from, at, bytes, length, texts);
            }
            _ => {}
        }
        if left > 0 {
            let used = bytes.len().saturating_sub(left);
            let rest = bytes.get(used..).unwrap_or_default();
            let length = length.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
            self.start_upper_layer(from, at, rest, length, texts);
        }
    }

    /// Reads what a proxy says of its client before anything else. Returns its length. What comes after it is the beginning of the
    /// connection's own protocol.
    fn proxied(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8]) -> usize {
        let first = self.begun == [false; 2] && self.midstream.is_none() && self.depth == 0;
        let header = (first && self.proxied.is_none()).then(|| ProxyHeader::of(bytes));
        let Some(header) = header.flatten() else {
            return 0;
        };
        if let Some(annotator) = &self.layer_options.annotator {
            let what = RecordKind::Proxied(header.version, header.client());
            annotator.note(from, at, what);
        }
        self.proxied = Some(Box::new((from, header)));
        let teller = self.layer_options.teller.clone();
        let (start, length) = (*from.of(&self.since), u64::from(header.length));
        if let Some(teller) = &teller {
            teller.part(from, start, length, StreamPart::ProxyHeader);
        }
        *from.of_mut(&mut self.since) += length;
        self.plain = HttpConversation::starting(self.since).with_teller(teller);
        header.length as usize
    }

    /// Looks at the first bytes of one direction.
    fn begin(&mut self, from: FlowEnd, bytes: &[u8]) {
        *from.of_mut(&mut self.begun) = true;
        if self.midstream.is_none() {
            *from.of_mut(&mut self.first_words) = match from {
                FlowEnd::A => FirstWords::of_client(bytes),
                FlowEnd::B => FirstWords::of_server(bytes),
            };
            self.tell_first_words(from, bytes);
        }
    }

    /// Tells which of the first bytes show a protocol that is not parsed further down.
    fn tell_first_words(&self, from: FlowEnd, bytes: &[u8]) {
        let Some(teller) = &self.layer_options.teller else {
            return;
        };
        if !matches!(from.of(&self.first_words), Some(FirstWords::Other(_))) {
            return;
        }
        let read = |bytes: &[u8]| MessageReading {
            meaning: format!(
                "{:?}",
                match from {
                    FlowEnd::A => FirstWords::of_client(bytes),
                    FlowEnd::B => FirstWords::of_server(bytes),
                }
            ),
            ..MessageReading::default()
        };
        let part = StreamPart::First { bytes, read: &read };
        let start = *from.of(&self.since);
        teller.part(from, start, bytes.len() as u64, part);
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64, texts: &mut TextInterner) {
        *from.of_mut(&mut self.begun) = true;
        match &mut self.taken {
            Some(taken) if taken.owner[from.index()] != NextBytes::Plain => {
                taken.owner[from.index()] = NextBytes::Dissector;
                taken.gap(from, at, length, texts);
            }
            _ => {
                self.plain.gap(from, at, length, texts);
                if matches!(self.plain.protocol(), Protocol::Unknown | Protocol::Opaque) {
                    self.dialogue().gap(from, at, length);
                }
            }
        }
    }

    fn dialogue(&mut self) -> &mut Dialogue {
        let (ports, since) = (self.ports, self.since);
        let midstream = self.midstream;
        let shown = self.layer_options.annotator.is_some();
        let teller = self.layer_options.teller.clone();
        let new = || {
            let dialogue = Dialogue::new(ports, since, midstream).with_teller(teller);
            Box::new(if shown {
                dialogue.for_display()
            } else {
                dialogue
            })
        };
        self.dialogue.get_or_insert_with(new)
    }

    /// The innermost conversation in another protocol than HTTP.
    #[must_use]
    pub(crate) fn spoken(&self) -> Option<&Dialogue> {
        match self.opened().or(self.tunnel()) {
            Some(inner) => inner.spoken(),
            None => self
                .dialogue
                .as_deref()
                .filter(|_| self.plain.protocol() == Protocol::Opaque),
        }
    }

    /// The phase `closer` was in at this time, when it had sent and received this much of the TCP streams, if another
    /// protocol than HTTP is spoken, and its messages or turns show it.
    #[must_use]
    pub(crate) fn spoken_phase(
        &self,
        closer: FlowEnd,
        sent: Reach,
        received: Reach,
        at: Timestamp,
    ) -> Option<Phase> {
        let dialogue = self.spoken()?;
        let within = |end: FlowEnd, reach: Reach| Reach {
            bytes: self.inside(end, reach.bytes),
            ..reach
        };
        let (sent, received) = (within(closer, sent), within(closer.other(), received));
        dialogue.phase_at(closer, sent, received, at)
    }

    /// The FIN of one direction, in order.
    pub fn end(&mut self, from: FlowEnd, texts: &mut TextInterner) {
        self.plain.end(from, texts);
        if let Some(taken) = &mut self.taken {
            match &mut taken.dissector {
                Dissector::Tunnel(inner) => inner.end(from, texts),
                Dissector::Http2(h2) => h2.end(from, texts),
                Dissector::WebSocket(websocket) => websocket.end(from, texts),
                Dissector::Tls(decrypted_layer) => decrypted_layer.end(from, texts),
                Dissector::Unread => {}
            }
        }
    }

    /// The least time in which an answer comes where the connection was captured.
    pub(crate) const fn answers_take(&mut self, least: Option<Duration>) {
        self.least = least;
    }

    /// The connection is over: incomplete messages are parsed as far as they go.
    pub fn finish(&mut self, texts: &mut TextInterner) {
        self.plain.finish(texts);
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.finish(self.least);
        }
        if let Some(taken) = &mut self.taken {
            match &mut taken.dissector {
                Dissector::Tunnel(inner) => inner.finish(texts),
                Dissector::Http2(h2) => h2.finish(texts),
                Dissector::WebSocket(websocket) => websocket.finish(texts),
                Dissector::Tls(decrypted_layer) => decrypted_layer.finish(texts),
                Dissector::Unread => {}
            }
        }
    }

    /// The protocol in use, or agreed on.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        // A tunnel is named after its content only where that has rules of its own.
        let within = self.tunnel().map(Self::protocol);
        match (self.opened(), within) {
            (Some(inner), _) => inner.protocol(),
            (None, Some(within @ (Protocol::Http2 | Protocol::WebSocket))) => within,
            (None, _) => self.plain.protocol(),
        }
    }

    /// The client, by content.
    #[must_use]
    pub fn requester(&self) -> Option<(FlowEnd, Certainty)> {
        let spoken = || Some((self.dialogue.as_ref()?.requester()?, Certainty::Likely));
        self.plain.requester().or_else(spoken)
    }

    /// The exchanges in order of their requests; those in a tunnel come after the CONNECT.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        let mut layer = self;
        let mut all = Vec::new();
        loop {
            if let Some(inner) = layer.opened() {
                layer = inner;
                continue;
            }
            all.push(layer.plain.exchanges());
            all.extend(layer.http2().map(h2::H2Conversation::exchanges));
            match layer.tunnel() {
                Some(inner) => layer = inner,
                None => return all.into_iter().flatten(),
            }
        }
    }

    /// All facts; the connection is over.
    #[must_use]
    pub fn into_layer_facts(self) -> LayerFacts {
        let dialogue = self.dialogue.map(|it| Box::new(it.into_facts()));
        let first_words = self.first_words;
        let proxied = self.proxied.map(|it| Box::new(it.1));
        match self.taken {
            Some(taken) => {
                let mut facts = taken.into_layer_facts(self.plain);
                facts.first_words = first_words;
                facts.proxied = proxied;
                // What went before another protocol says which one this is, and nothing of its end.
                facts.dialogue = facts.dialogue.or(dialogue.map(|mut it| {
                    it.exchanges.clear();
                    it
                }));
                facts
            }
            None => LayerFacts {
                exchanges: self.plain.into_exchanges(),
                dialogue,
                first_words,
                proxied,
                ..LayerFacts::default()
            },
        }
    }

    /// Exchanges that were evicted because there were too many.
    #[must_use]
    pub fn let_go(&self) -> u64 {
        let streams = self.http2().map_or(0, h2::H2Conversation::let_go);
        let inside = self.opened().or(self.tunnel()).map_or(0, Self::let_go);
        let spoken = self.dialogue.as_ref().map_or(0, |it| it.let_go());
        self.plain
            .let_go()
            .saturating_add(streams + inside + spoken)
    }

    /// What the limits left out, in all layers.
    pub(crate) fn limits(&self) -> LayerLimits {
        let Some(taken) = self.taken.as_deref() else {
            return LayerLimits::default();
        };
        let (own, inside) = match &taken.dissector {
            Dissector::Tls(layer) => (layer.limits(), self.opened()),
            Dissector::Tunnel(inner) => (LayerLimits::default(), Some(inner.as_ref())),
            Dissector::Unread => {
                let tunnels = u64::from(self.plain.protocol() == Protocol::Tunnel);
                let own = LayerLimits {
                    tunnels,
                    ..LayerLimits::default()
                };
                (own, None)
            }
            Dissector::Http2(_) | Dissector::WebSocket(_) => (LayerLimits::default(), None),
        };
        let inside = inside.map(Self::limits).unwrap_or_default();
        LayerLimits {
            tunnels: own.tunnels + inside.tunnels,
            decryption: own.decryption + inside.decryption,
            places: own.places + inside.places,
        }
    }

    /// Faults of the grammar of HTTP/1 found so far.
    pub(crate) const fn faults(&self) -> u32 {
        self.plain.faults
    }

    /// Bytes of incomplete messages: heads, handshake messages, header blocks, encrypted records.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let spoken = self.dialogue.as_ref().map_or(0, |it| it.waiting_bytes());
        let plain = self.plain.waiting_bytes() + spoken;
        match self.taken.as_deref().map(|taken| &taken.dissector) {
            Some(Dissector::Tls(decrypted_layer)) => plain + decrypted_layer.waiting_bytes(),
            Some(Dissector::Http2(h2)) => plain + h2.waiting_bytes(),
            Some(Dissector::Tunnel(inner)) => plain + inner.waiting_bytes(),
            Some(Dissector::WebSocket(_) | Dissector::Unread) | None => plain,
        }
    }

    /// Parses incomplete messages as far as they go and drops them, since too much waits in total.
    pub(crate) fn drop_incomplete(&mut self, texts: &mut TextInterner) {
        self.plain.drop_incomplete(texts);
        match self.taken.as_deref_mut().map(|taken| &mut taken.dissector) {
            Some(Dissector::Tls(decrypted_layer)) => decrypted_layer.drop_incomplete(texts),
            Some(Dissector::Http2(h2)) => h2.drop_incomplete(),
            Some(Dissector::Tunnel(inner)) => inner.drop_incomplete(texts),
            Some(Dissector::WebSocket(_) | Dissector::Unread) | None => {}
        }
    }

    /// Bytes of memory that the exchanges take, in all layers.
    #[must_use]
    pub(crate) fn exchange_bytes(&self) -> usize {
        let spoken = self.dialogue.as_ref().map_or(0, |it| it.exchange_bytes());
        let plain = self.plain.exchange_bytes() + spoken;
        match self.taken.as_deref().map(|taken| &taken.dissector) {
            Some(Dissector::Http2(h2)) => plain + h2.exchange_bytes(),
            Some(Dissector::Tunnel(inner)) => plain + inner.exchange_bytes(),
            Some(Dissector::Tls(decrypted_layer)) => {
                plain
                    + decrypted_layer
                        .opening
                        .decrypted_stack()
                        .map_or(0, Self::exchange_bytes)
            }
            Some(Dissector::WebSocket(_) | Dissector::Unread) | None => plain,
        }
    }

    /// Evicts the older half of the exchanges, since too many are kept in total.
    pub(crate) fn evict_older_half(&mut self) {
        let half = |count: usize| count / 2;
        self.plain.evict_oldest(half(self.plain.exchanges().len()));
        match self.taken.as_deref_mut().map(|taken| &mut taken.dissector) {
            Some(Dissector::Http2(h2)) => h2.evict_oldest(half(h2.exchanges().len())),
            Some(Dissector::Tunnel(inner)) => inner.evict_older_half(),
            Some(Dissector::Tls(decrypted_layer)) => {
                if let Some(inner) = decrypted_layer.opening.decrypted_stack_mut() {
                    inner.evict_older_half();
                }
            }
            Some(Dissector::WebSocket(_) | Dissector::Unread) | None => {}
        }
    }

    fn http2(&self) -> Option<&h2::H2Conversation> {
        match &self.taken.as_ref()?.dissector {
            Dissector::Http2(h2) => Some(h2),
            _ => None,
        }
    }

    /// The phase `closer` was in when it had sent and received this much of the TCP streams.
    #[must_use]
    pub fn phase_at(&self, closer: FlowEnd, sent: Reach, received: Reach) -> Phase {
        match &self.taken {
            Some(taken) if sent.bytes > 0 || received.bytes > 0 => match &taken.dissector {
                Dissector::Tls(decrypted_layer) => {
                    taken.phase_of_tls(decrypted_layer, closer, sent, received)
                }
                // Both count from the first byte of the connection.
                Dissector::Http2(h2) => h2.phase_at(closer, sent, received),
                Dissector::Tunnel(inner) => {
                    let outside = self.plain.phase_at(closer, sent, received);
                    // An exchange in progress inside is more specific than the tunnel.
                    let within = || match inner.phase_at(closer, sent, received) {
                        phase @ (Phase::Request
                        | Phase::Waiting
                        | Phase::ResponseHead
                        | Phase::ResponseBody) => Some(phase),
                        _ => None,
                    };
                    let tunnel = outside == Phase::Tunnel;
                    tunnel.then(within).flatten().unwrap_or(outside)
                }
                Dissector::WebSocket(_) | Dissector::Unread => {
                    self.plain.phase_at(closer, sent, received)
                }
            },
            _ => self.plain.phase_at(closer, sent, received),
        }
    }

    /// Takes over HTTP/2 that began before the capture.
    #[cold]
    fn resume_http2(&mut self, from: FlowEnd, likely: FlowEnd, sign: h2::FrameSender) {
        let (requester, certainty) = match sign {
            h2::FrameSender::Requester => (from, Certainty::Likely),
            h2::FrameSender::Responder => (from.other(), Certainty::Likely),
            h2::FrameSender::Either => (likely, Certainty::Possible),
        };
        self.plain.start_midstream(requester, certainty);
        let since = FlowEnd::BOTH.map(|end| self.plain.consumed(end));
        let h2 = h2::H2Conversation::midstream(requester, since);
        let h2 = h2.with_annotator(self.layer_options.annotator.clone());
        let h2 = h2.with_teller(self.layer_options.teller.clone());
        self.taken = Some(Box::new(UpperLayer {
            since,
            owner: [NextBytes::Dissector; 2],
            dissector: Dissector::Http2(Box::new(h2)),
            guessed: sign == h2::FrameSender::Either,
        }));
    }

    /// HTTP/2 began before the capture, and which side is the client was presumed: these bytes may show it.
    #[cold]
    fn reconsider(&mut self, from: FlowEnd, bytes: &[u8], length: u32) {
        let sign = match bytes.starts_with(h2::PREFACE) {
            true => Some(h2::FrameSender::Requester),
            false => h2::detect_midstream(bytes, length),
        };
        let requester = match sign {
            Some(h2::FrameSender::Requester) => from,
            Some(h2::FrameSender::Responder) => from.other(),
            Some(h2::FrameSender::Either) | None => return,
        };
        self.plain.start_midstream(requester, Certainty::Likely);
        if let Some(taken) = &mut self.taken
            && let Dissector::Http2(h2) = &mut taken.dissector
        {
            taken.guessed = false;
            h2.correct_requester(requester);
        }
    }

    /// The rest is not HTTP/1: the dissector of the protocol that was found gets it from here on.
    #[cold]
    fn start_upper_layer(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) {
        let waited = self.plain.take_waiting(from);
        let consumed = FlowEnd::BOTH.map(|end| self.plain.consumed(end));
        let asker = self.plain.requester().map_or(from, |(end, _)| end);
        let layer_options = &self.layer_options;
        let taken = self.taken.get_or_insert_with(|| {
            let (dissector, both) = match self.plain.protocol() {
                Protocol::Http2 => {
                    // After an upgrade, HTTP/2 begins with the request that asked for it.
                    let before = self.plain.take_exchanges();
                    let h2 = h2::H2Conversation::new(asker, consumed);
                    let h2 = h2.with_annotator(layer_options.annotator.clone());
                    let h2 = h2.with_teller(layer_options.teller.clone());
                    let h2 = if before.is_empty() {
                        h2
                    } else {
                        h2.upgraded(before)
                    };
                    (Dissector::Http2(Box::new(h2)), true)
                }
                Protocol::Tls => (
                    Dissector::Tls(Box::new(DecryptedLayer::new(layer_options, consumed))),
                    false,
                ),
                Protocol::Tunnel if self.depth < MAX_TUNNELS => {
                    let mut inner = Self::starting(consumed, layer_options.clone());
                    inner.depth = self.depth + 1;
                    // The port is the proxy's.
                    (Dissector::Tunnel(Box::new(inner)), true)
                }
                Protocol::Tunnel => (Dissector::Unread, true),
                Protocol::WebSocket => {
                    let websocket = websocket::WebSocketConversation::new(asker, consumed);
                    let websocket = websocket.with_annotator(layer_options.annotator.clone());
                    let websocket = websocket.with_teller(layer_options.teller.clone());
                    (Dissector::WebSocket(Box::new(websocket)), true)
                }
                _ => (Dissector::Unread, false),
            };
            let other = if both {
                NextBytes::Dissector
            } else {
                NextBytes::Undecided
            };
            Box::new(UpperLayer {
                since: consumed,
                owner: [other; 2],
                dissector,
                guessed: false,
            })
        });
        taken.owner[from.index()] = NextBytes::Dissector;
        taken.since[from.index()] = consumed[from.index()];
        if let Some((first, bytes)) = waited {
            taken.data(from, first, &bytes, bytes.len() as u32, texts);
        }
        taken.data(from, at, bytes, length, texts);
    }
}

/// Whether these bytes can be read, as the answer of a protocol of lines can.
fn is_text(bytes: &[u8]) -> bool {
    let begins = &bytes[..bytes.len().min(64)];
    let text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || *byte >= 0x80;
    begins.iter().all(text)
}

impl UpperLayer {
    /// The facts of all layers, and the exchanges in plain HTTP/1 before.
    fn into_layer_facts(self, plain: HttpConversation) -> LayerFacts {
        let exchanges = plain.into_exchanges();
        let mut layer_facts = LayerFacts {
            exchanges,
            ..LayerFacts::default()
        };
        match self.dissector {
            Dissector::Tls(decrypted_layer) => {
                let plain = FlowEnd::BOTH.into_iter().find(|end| {
                    matches!(
                        self.owner[end.index()],
                        NextBytes::Plain | NextBytes::Binary
                    )
                });
                let is_text = !self.owner.contains(&NextBytes::Binary);
                let DecryptedLayer {
                    session, opening, ..
                } = *decrypted_layer;
                let mut facts = Box::new(session.into_facts());
                facts.plain = plain;
                facts.plain_is_text = is_text;
                facts.closed = opening.closed();
                facts.is_open = opening.is_open();
                if let Some(inner) = opening.into_layer_facts() {
                    layer_facts = inner;
                }
                layer_facts.tls = Some(facts);
            }
            Dissector::Http2(h2) => {
                let (streams, facts) = h2.into_parts();
                layer_facts.exchanges = streams;
                layer_facts.h2 = Some(Box::new(facts));
            }
            Dissector::WebSocket(websocket) => {
                layer_facts.websocket = Some(Box::new(websocket.into_facts()));
            }
            Dissector::Tunnel(inner) => {
                let inner = inner.into_layer_facts();
                let before = std::mem::take(&mut layer_facts.exchanges);
                layer_facts = inner;
                layer_facts.exchanges.splice(0..0, before);
            }
            Dissector::Unread => {}
        }
        layer_facts
    }

    /// Whether the next bytes of this direction go to the dissector.
    fn takes(&mut self, from: FlowEnd, bytes: &[u8]) -> bool {
        let owner = &mut self.owner[from.index()];
        if *owner == NextBytes::Undecided {
            let claims = match &self.dissector {
                Dissector::Tls(decrypted_layer) => decrypted_layer.session.claims(bytes),
                Dissector::Http2(_)
                | Dissector::WebSocket(_)
                | Dissector::Tunnel(_)
                | Dissector::Unread => true,
            };
            *owner = match claims {
                true => NextBytes::Dissector,
                false if is_text(bytes) => NextBytes::Plain,
                false => NextBytes::Binary,
            };
        }
        *owner == NextBytes::Dissector
    }

    fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) {
        match &mut self.dissector {
            Dissector::Tls(decrypted_layer) => {
                decrypted_layer.session.begins_at(self.since);
                decrypted_layer.data(from, at, bytes, length, texts);
            }
            Dissector::Http2(h2) => h2.data(from, at, bytes, length, texts),
            Dissector::WebSocket(websocket) => websocket.data(from, at, bytes, length, texts),
            Dissector::Tunnel(inner) => inner.data(from, at, bytes, length, texts),
            Dissector::Unread => {}
        }
    }

    fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64, texts: &mut TextInterner) {
        match &mut self.dissector {
            Dissector::Tls(decrypted_layer) => decrypted_layer.gap(from, at, length, texts),
            Dissector::Http2(h2) => h2.gap(from, at, length, texts),
            Dissector::WebSocket(websocket) => websocket.gap(from, at, length, texts),
            Dissector::Tunnel(inner) => inner.gap(from, at, length, texts),
            Dissector::Unread => {}
        }
    }

    /// A position in the TCP stream of one direction, counted from the dissector's first byte.
    fn inside(&self, end: FlowEnd, reach: Reach) -> u64 {
        reach.bytes.saturating_sub(self.since[end.index()])
    }

    fn phase_of_tls(
        &self,
        decrypted_layer: &DecryptedLayer,
        closer: FlowEnd,
        sent: Reach,
        received: Reach,
    ) -> Phase {
        let session = &decrypted_layer.session;
        let (mine, theirs) = (
            self.inside(closer, sent),
            self.inside(closer.other(), received),
        );
        let settled =
            session.is_settled(closer, mine) && session.is_settled(closer.other(), theirs);
        if !settled || session.has_refused(closer) {
            return Phase::TlsHandshake;
        }
        let inner = decrypted_layer.opening.decrypted_stack();
        let Some(inner) = inner.filter(|inner| inner.protocol() != Protocol::Unknown) else {
            // Every encrypted record was decrypted, and none held application data.
            let silent = inner.is_none() && session.is_known();
            return if silent {
                Phase::BeforeRequest
            } else {
                Phase::Opaque
            };
        };
        let place = |end: FlowEnd, bytes: u64, outside: Reach| Reach {
            bytes: decrypted_layer.opening.place(end, bytes),
            // Inside TLS, close_notify ends a direction (RFC 8446 §6.1).
            fin: outside.fin || decrypted_layer.opening.close_notify(end, bytes).is_some(),
        };
        inner.phase_at(
            closer,
            place(closer, mine, sent),
            place(closer.other(), theirs, received),
        )
    }
}

#[cfg(test)]
mod tests;
