//! One TLS connection: the records of both directions, put together.

use super::alert::{Alert, CLOSE_NOTIFY};
use super::certificate::{self, Certificate, CertificateChain};
use super::encrypted_handshake::EncryptedHandshake;
use super::facts::{
    ApplicationData, ClientCertificate, CloseNotify, HandshakeStage, TlsFacts, TlsLeftOut,
};
use super::hello::{ClientHello, ServerAnswer, ServerHello, TlsVersion};
use super::record::{
    ALERT, APPLICATION_DATA, AlertLength, CHANGE_CIPHER_SPEC, EMPTY_CERTIFICATE_LENGTH,
    ENCRYPTED_ALERT_LENGTH, ENCRYPTED_EMPTY_CERTIFICATE_LENGTH, EndedRecord, HANDSHAKE, HEARTBEAT,
    JDK_ALERT_LENGTH, JDK_EMPTY_CERTIFICATE_LENGTH, LONGEST_ALERT, MAX_RECORD, MBED_ALERT_LENGTH,
    PADDING_OF_JDK, RecordReader,
};
use super::turns::{HiddenTurns, TurnCounter};
use std::time::Duration;

use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::annotations::{Annotator, RecordKind};
use crate::protocol::parts::PartTeller;
use crate::protocol::tls::secrets::NegotiatedParameters;

/// Alerts kept of one connection. Two end it; a hostile peer can send thousands.
pub(crate) const MAX_ALERTS: usize = 8;
/// Type, version and length before each record (RFC 8446 §5.1).
const RECORD_HEADER: u64 = 5;
/// Session tickets that servers send at once: OpenSSL two, others up to four.
const MAX_TICKETS: u64 = 4;
/// What a record adds to its payload: content type and tag (RFC 8446 §5.2), or explicit nonce and tag (RFC 5288 §3).
const OVERHEAD_13: u64 = 17;
const OVERHEAD_12: u64 = 24;
/// A server that sends two tickets writes them one after the other, but the second may wait until the first is acknowledged
/// (RFC 9293 §3.7.4), which a client delays (§3.8.6.3).
const ONE_FLIGHT: Duration = Duration::from_millis(250);
/// Turns after which the handshake is over: both hellos, both Finished and one more, whatever the version (RFC 8446 §2,
/// RFC 5246 §7.3). A HelloRetryRequest adds two, but then the fifth is the client's Finished.
const TURNS_OF_HANDSHAKE: u32 = 5;

/// Record lengths of EncryptedExtensions alone that choose no protocol, or `http/1.1` (RFC 8446 §4.3.1, RFC 7301 §3.1): each
/// without and with the acknowledgement of the server name. Many servers send each message in a record of its own.
const EXTENSIONS_WITHOUT_H2: [u16; 4] = [23, 27, 38, 42];

pub(super) const CLIENT_HELLO: u8 = 1;
/// Of DTLS alone (RFC 6347 §4.2.1).
const HELLO_VERIFY_REQUEST: u8 = 3;
pub(super) const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;

/// What was known before the records with which a direction ends up to now, and which are as long as padded alerts.
#[derive(Clone, Copy, Debug)]
struct TrailingAlerts {
    flow: ApplicationData,
    turns: HiddenTurns,
    /// They answer the FIN of the other direction.
    answers: bool,
}

/// One TLS connection. Offsets of a direction count from the first byte of its first record.
#[derive(Clone, Debug, Default)]
pub struct TlsSession {
    directions: [RecordReader; 2],
    flows: [ApplicationData; 2],
    pub(super) caller: Option<FlowEnd>,
    hello: Option<(FrameRef, ClientHello)>,
    pub(super) answer: Option<(FrameRef, ServerHello)>,
    retried: Option<FrameRef>,
    /// A heartbeat of the client within the handshake.
    heartbeat: Option<FrameRef>,
    certificates: Option<(FrameRef, Vec<Certificate>)>,
    pub(super) client_certificate: ClientCertificate,
    /// Whether the server requested it, as far as was seen; restores `client_certificate` after a wrong guess.
    pub(super) asked: ClientCertificate,
    /// Where the server said that it had sent its part, up to TLS 1.2.
    server_done: Option<FrameRef>,
    /// Turns in which the sides have spoken, who has the last one, and how many bytes it has.
    turns: u32,
    speaker: Option<FlowEnd>,
    spoken: u64,
    pub(super) alerts: Vec<Alert>,
    /// Records at the end of a direction that may be padded alerts, by direction.
    trailing: [Option<TrailingAlerts>; 2],
    /// Which directions do not pad: their Finished is as long as it must be.
    unpadded: [bool; 2],
    /// Bytes of the alerts that came last in each direction.
    closing_alerts: [u64; 2],
    /// Which directions have ended by a FIN.
    fins: [bool; 2],
    /// What decrypted records show, by direction.
    pub(super) inside: [EncryptedHandshake; 2],
    /// TLS 1.3: the length of the server's first encrypted record.
    extensions: Option<u16>,
    /// The turns that the encrypted records show.
    hidden_turns: TurnCounter,
    /// Who sent the last decrypted application data.
    pub(super) last_inside: Option<FlowEnd>,
    /// Length of every application data record of the server, as long as all are the same.
    ticket: Option<u16>,
    left_out: TlsLeftOut,
    notified: [Option<FrameRef>; 2],
    /// The ClientHello of a renegotiation.
    pub(super) renewal: Option<ClientHello>,
    /// What a renegotiation agreed on.
    pub(super) renewed: Option<NegotiatedParameters>,
    /// Records what is read; `None` where annotations are not wanted.
    annotator: Option<Annotator>,
    /// Is told which bytes are what.
    teller: Option<PartTeller>,
    /// Offsets in the TCP streams at which TLS begins.
    begins: [u64; 2],
}

impl TlsSession {
    /// A connection without any records yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with an annotator that records what is read.
    #[must_use]
    pub(crate) fn with_annotator(mut self, annotator: Option<Annotator>) -> Self {
        self.annotator = annotator;
        self
    }

    /// The same, with an observer that is told which bytes are what.
    #[must_use]
    pub(crate) fn with_teller(mut self, teller: Option<PartTeller>) -> Self {
        self.teller = teller;
        self
    }

    /// It begins at these offsets of the TCP streams.
    pub(crate) const fn begins_at(&mut self, since: [u64; 2]) {
        self.begins = since;
    }

    /// Records an annotation.
    pub fn note(&self, from: FlowEnd, at: FrameRef, what: RecordKind) {
        if let Some(annotator) = &self.annotator {
            annotator.note(from, at, what);
        }
    }

    /// Whether the next bytes of a direction can be TLS.
    #[must_use]
    pub fn claims(&self, bytes: &[u8]) -> bool {
        self.is_midstream() || may_be_record(bytes)
    }

    /// The next bytes of one direction. `bytes` is what was captured of `length`.
    pub fn data(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8], length: u32) {
        let mut rest = bytes;
        self.take_turn(from, u64::from(length));
        self.directions[from.index()].begin_slice();
        while !rest.is_empty() {
            let (used, ended) = self.directions[from.index()].step(rest, at);
            if let Some(teller) = &self.teller
                && let Some((start, length, part)) = self.directions[from.index()].begun()
            {
                let begins = self.begins[from.index()];
                teller.part(from, begins.saturating_add(start), length, part);
            }
            if let Some(ended) = ended {
                self.ended(from, ended);
            }
            rest = rest.get(used.max(1)..).unwrap_or_default();
        }
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        self.pass_over(from, at, cut);
        self.infer_end_of_handshake(at);
    }

    /// The FIN of one direction.
    pub fn end(&mut self, from: FlowEnd) {
        self.fins[from.index()] = true;
        match self.trailing[from.index()] {
            Some(trailing) => self.hidden_turns.end_with_alert(from, trailing.turns),
            None => self.hidden_turns.end(from, true),
        }
        let last = self.directions[from.index()].last;
        // In the handshake, Mbed TLS pads an empty Certificate message to the same length, but does not close after it.
        if let Some(last) = last
            && self.is_13()
            && self.caller == Some(from)
            && (last.in_handshake && last.length == MBED_ALERT_LENGTH)
            && last.alert_length().is_some()
        {
            self.note_hidden_alert(from, last.at);
        }
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64) {
        if length > 0 {
            self.take_turn(from, length);
            self.pass_over(from, at, length);
        }
    }

    fn take_turn(&mut self, from: FlowEnd, bytes: u64) {
        if self.speaker != Some(from) {
            self.speaker = Some(from);
            self.turns = self.turns.saturating_add(1);
            self.spoken = 0;
        }
        self.spoken = self.spoken.saturating_add(bytes);
    }

    /// Where records passed unseen, the turns that were taken since show that the handshake is over.
    fn infer_end_of_handshake(&mut self, at: FrameRef) {
        if self.turns < TURNS_OF_HANDSHAKE || self.spoken <= u64::from(LONGEST_ALERT) {
            return;
        }
        if self.directions.iter().any(|direction| direction.unsure) {
            for direction in &mut self.directions {
                direction.settle(at);
            }
        }
    }

    fn pass_over(&mut self, from: FlowEnd, at: FrameRef, length: u64) {
        if length == 0 {
            return;
        }
        let ended = self.directions[from.index()].skip(length, at);
        self.messages(from, at, false);
        if let Some(ended) = ended {
            self.ended(from, ended);
        }
    }

    /// Bytes of incomplete handshake messages.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let clear = self
            .directions
            .iter()
            .map(|direction| direction.waiting.len());
        clear
            .chain(self.inside.iter().map(EncryptedHandshake::waiting))
            .sum()
    }

    /// Parses incomplete messages as far as they go, and drops them, since too much waits in total.
    pub(crate) fn drop_incomplete(&mut self) {
        for end in FlowEnd::BOTH {
            let direction = &mut self.directions[end.index()];
            if !direction.waiting.is_empty() {
                direction.stop_collecting();
                self.messages(end, self.directions[end.index()].since, false);
            }
            self.inside[end.index()].give_up();
        }
    }

    /// Whether this end had finished its part of the handshake when it had sent `sent` bytes.
    #[must_use]
    pub(crate) fn is_settled(&self, end: FlowEnd, sent: u64) -> bool {
        self.is_midstream() || sent >= self.directions[end.index()].settled_at()
    }

    /// Whether this end, the TLS server, refused the client's part of a TLS 1.3 handshake: its own part was sent
    /// before, but it did not accept the handshake as complete (RFC 8446 §4.4.4), and has sent nothing encrypted since
    /// but the reason. Without secrets that is an alert of unknown code to a client that had no certificate.
    #[must_use]
    pub(crate) fn has_refused(&self, end: FlowEnd) -> bool {
        let called = self.caller == Some(end.other());
        if !called || !self.is_13() || self.flows[end.index()].records > 0 {
            return false;
        }
        let said = self
            .alerts
            .iter()
            .any(|alert| alert.from == end && matches!(alert.code(), Some(40..=51 | 116)));
        let missing = matches!(self.client_certificate, ClientCertificate::Missing(..));
        said || missing
            && matches!(
                self.close_notify(end),
                CloseNotify::Notify(_, Certainty::Likely)
            )
    }

    /// Who sent the ClientHello.
    #[must_use]
    pub(crate) fn caller(&self) -> Option<FlowEnd> {
        self.caller
    }

    /// What the hellos agreed on, as far as keys are derived from it; `None` until both were parsed.
    #[must_use]
    pub(crate) fn agreed(&self) -> Option<NegotiatedParameters> {
        let (_, client) = self.hello.as_ref()?;
        let (_, server) = self.answer.as_ref()?;
        Some(agreed(client, server))
    }

    /// What is known of the connection.
    #[must_use]
    pub fn into_facts(mut self) -> TlsFacts {
        for end in FlowEnd::BOTH {
            self.messages(end, self.directions[end.index()].since, false);
        }
        // Session tickets and the like are records too; decryption distinguishes them from application data.
        let is_known = self.is_known();
        let flows = FlowEnd::BOTH.map(|end| {
            let inside = &self.inside[end.index()];
            let settled = self.directions[end.index()]
                .settled
                .map(|(_, frame_ref)| frame_ref);
            let flow = match self.presumed_alerts(end) {
                _ if is_known => inside.flow,
                Some(before) => before.flow,
                None => self.flows[end.index()],
            };
            ApplicationData {
                close_notify: self.close_notify(end),
                hidden_alert: self.hidden_alert(end).map(|last| last.at),
                ends_short: self.ends_short(end),
                finished: inside.finished.or(settled),
                closing_alerts: self.closing_alerts[end.index()],
                lacking: self.directions[end.index()].lacking(),
                unsure: self.directions[end.index()].unsure,
                ..flow
            }
        });
        let at_end = self.hidden_turns.at_end();
        let left_out = TlsLeftOut {
            messages: self.directions.iter().map(|it| it.too_long).sum::<u32>()
                + self.inside.iter().map(|it| it.too_long).sum::<u32>(),
            offers: self.hello.as_ref().map_or(0, |(_, hello)| hello.more),
            ..self.left_out
        };
        TlsFacts {
            caller: self.caller.unwrap_or(FlowEnd::A),
            stage: self.stage(),
            only_tickets: self.is_13() && !at_end.beyond_tickets && !is_known,
            turns: self.turns,
            server_done: self.server_done,
            hello: self.hello,
            answer: self.answer,
            retried: self.retried,
            heartbeat: self.heartbeat,
            certificates: self.certificates,
            client_certificate: self.client_certificate,
            alerts: self.alerts,
            flows,
            plain: None,
            plain_is_text: true,
            is_open: false,
            closed: None,
            without_h2: self
                .extensions
                .is_some_and(|length| EXTENSIONS_WITHOUT_H2.contains(&length)),
            exchanged: self.hidden_turns.kept(),
            turns_inside: match is_known {
                true => HiddenTurns {
                    last: self.last_inside,
                    asked_at: flows[self.caller.unwrap_or(FlowEnd::A).index()].last,
                    ..at_end
                },
                false => at_end,
            },
            left_out,
        }
    }

    /// The handshake was before the capture.
    #[must_use]
    pub(crate) fn is_midstream(&self) -> bool {
        self.directions.iter().any(|direction| direction.midstream)
    }

    pub(super) fn is_13(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_some_and(|(_, answer)| answer.version >= TlsVersion::TLS_13)
    }

    fn has_settled(&self, end: FlowEnd) -> bool {
        self.directions[end.index()].settled.is_some() || self.is_midstream()
    }

    /// A record has ended.
    fn ended(&mut self, from: FlowEnd, record: EndedRecord) {
        let hidden = match record.kind {
            APPLICATION_DATA => true,
            ALERT => record.alert.is_none(),
            _ => false,
        };
        if self.annotator.is_some() {
            let ciphered = record.kind == HANDSHAKE && self.directions[from.index()].ciphered;
            match (record.kind, record.alert) {
                (CHANGE_CIPHER_SPEC, _) => self.note(from, record.at, RecordKind::ChangeCipherSpec),
                (ALERT, Some((level, code))) => {
                    self.note(from, record.at, RecordKind::Alert(level, code));
                }
                _ if hidden || ciphered => {
                    self.note(
                        from,
                        record.at,
                        RecordKind::Closed(record.kind, record.length),
                    );
                }
                _ => {}
            }
        }
        let alerts = &mut self.closing_alerts[from.index()];
        *alerts = match record.kind {
            ALERT => alerts.saturating_add(RECORD_HEADER + u64::from(record.length)),
            _ => 0,
        };
        if hidden {
            let inside = &mut self.inside[from.index()];
            inside.hidden = inside.hidden.saturating_add(1);
        }
        match record.kind {
            HANDSHAKE => self.messages(from, record.at, true),
            ALERT => self.alert(from, record),
            APPLICATION_DATA => self.application(from, record),
            HEARTBEAT if self.caller == Some(from) && !self.has_settled(from) => {
                self.heartbeat.get_or_insert(record.at);
            }
            _ => {}
        }
    }

    fn alert(&mut self, from: FlowEnd, record: EndedRecord) {
        match record.alert {
            Some((_, CLOSE_NOTIFY)) => {
                self.notified[from.index()].get_or_insert(record.at);
                self.hidden_turns.end(from, false);
            }
            Some(said) => self.note_alert(from, record.at, Some(said)),
            // Encrypted: what comes after it shows whether it was `close_notify`.
            None => self.hidden_turns.end(from, false),
        }
    }

    /// A decrypted alert (level, description): what was only likely is now certain.
    pub(crate) fn decrypted_alert(&mut self, from: FlowEnd, at: FrameRef, said: (u8, u8)) {
        self.note(from, at, RecordKind::Alert(said.0, said.1));
        match said {
            (_, CLOSE_NOTIFY) => {
                self.notified[from.index()].get_or_insert(at);
            }
            // Its record length may have led to a note before.
            said => {
                let noted = self
                    .alerts
                    .iter_mut()
                    .find(|alert| alert.from == from && alert.at == at && alert.said.is_none());
                match noted {
                    Some(alert) => alert.said = Some(said),
                    None => self.note_alert(from, at, Some(said)),
                }
            }
        }
    }

    fn note_alert(&mut self, from: FlowEnd, at: FrameRef, said: Option<(u8, u8)>) {
        // The first one that is fatal is never left out: it says why the connection ended.
        if self.alerts.len() >= MAX_ALERTS {
            self.left_out.alerts = self.left_out.alerts.saturating_add(1);
            let harmless = |it: &Alert| it.is_fatal() == Some(false);
            if !self.alerts.iter().all(harmless) {
                return;
            }
            self.alerts.pop();
        }
        self.alerts.push(Alert {
            from,
            at,
            said,
            in_handshake: !(self.has_settled(FlowEnd::A) && self.has_settled(FlowEnd::B)),
        });
    }

    fn application(&mut self, from: FlowEnd, record: EndedRecord) {
        let is_caller = self.caller == Some(from);
        let shaking = record.in_handshake || !is_caller && !self.has_settled(from.other());
        if shaking && self.finished_length() == Some(record.length) {
            self.unpadded[from.index()] = true;
        }
        if self.is_13() && record.in_handshake {
            if !is_caller {
                self.extensions.get_or_insert(record.length);
            }
            match record.length {
                ENCRYPTED_ALERT_LENGTH | JDK_ALERT_LENGTH if is_caller => {
                    self.note_hidden_alert(from, record.at);
                }
                ENCRYPTED_EMPTY_CERTIFICATE_LENGTH | JDK_EMPTY_CERTIFICATE_LENGTH
                    if is_caller && self.client_certificate == self.asked =>
                {
                    self.client_certificate =
                        ClientCertificate::Missing(record.at, Certainty::Likely);
                }
                length if is_caller && self.client_certificate == self.asked => {
                    // Both messages in one record.
                    let both = self
                        .finished_length()
                        .map(|it| it + EMPTY_CERTIFICATE_LENGTH);
                    if both.is_some_and(|it| length == it || length == it + PADDING_OF_JDK) {
                        self.client_certificate =
                            ClientCertificate::Missing(record.at, Certainty::Likely);
                    }
                }
                _ => {}
            }
            return;
        }
        // The server's part of a TLS 1.3 handshake is in application data records too. It is over when the client's is.
        let other = self.caller.map_or(from, FlowEnd::other);
        if self.is_13() && !is_caller && !self.has_settled(other.other()) {
            return;
        }
        // So short a record is more likely an alert; what comes after it shows which. The same holds where the version
        // was not seen.
        if (self.is_13() || self.answer.is_none()) && record.length == ENCRYPTED_ALERT_LENGTH {
            self.trailing[from.index()] = None;
            self.hidden_turns.end(from, false);
            return;
        }
        self.may_trail(from, record);
        let (mut crosses, mut ticket) = (false, false);
        if !is_caller {
            let flow = &self.flows[from.index()];
            let same = *self.ticket.get_or_insert(record.length) == record.length;
            // Tickets come in one flight: what follows words that came between is an answer, but for the second ticket, which
            // crosses the first words.
            let between = flow.records > 0 && self.hidden_turns.last() == self.caller;
            let since = flow.last.map_or(record.at.time, |last| last.time);
            crosses = between
                && same
                && flow.records == 1
                && self.hidden_turns.now().taken == 1
                && record.at.time.since(since) < ONE_FLIGHT;
            ticket = self.is_13() && same && (!between || crosses) && flow.records < MAX_TICKETS;
            if !same || between && !crosses || flow.records >= MAX_TICKETS {
                self.hidden_turns.go_beyond_tickets();
            }
        }
        let length = u64::from(record.length);
        let payload = length.saturating_sub(match self.is_13() {
            true => OVERHEAD_13,
            false => OVERHEAD_12,
        });
        self.hidden_turns
            .frames(is_caller, record.at, payload, ticket);
        if !crosses {
            self.hidden_turns.record(from, is_caller, record.at, length);
        }
        let flow = &mut self.flows[from.index()];
        flow.records = flow.records.saturating_add(1);
        flow.bytes = flow.bytes.saturating_add(length);
        flow.first.get_or_insert(record.at);
        flow.last = Some(record.at);
    }

    /// The length of an encrypted Finished of TLS 1.3 without padding: four bytes, the hash of the cipher suite (RFC 8446 §B.4),
    /// the content type and the tag.
    fn finished_length(&self) -> Option<u16> {
        let (_, answer) = self.answer.as_ref().filter(|_| self.is_13())?;
        Some(match answer.cipher {
            0x1302 => 4 + 48 + 17,
            0x1305 => 4 + 32 + 9,
            _ => 4 + 32 + 17,
        })
    }

    /// What the client sends in place of its Finished is as long as an alert.
    fn note_hidden_alert(&mut self, from: FlowEnd, at: FrameRef) {
        self.note_alert(from, at, None);
        // The client's part is over with its Finished, which this is not.
        if let Some(alert) = self.alerts.last_mut() {
            alert.in_handshake |= alert.at == at;
        }
    }

    /// A record of application data begins, goes on with, or refutes what may be padded alerts at the end of a direction.
    fn may_trail(&mut self, from: FlowEnd, record: EndedRecord) {
        let (index, other) = (from.index(), from.other().index());
        let padded = record.alert_length() == Some(AlertLength::Padded);
        if !self.is_13() || !padded || self.unpadded[index] {
            self.trailing[index] = None;
        } else if self.trailing[index].is_none() {
            self.trailing[index] = Some(TrailingAlerts {
                flow: self.flows[index],
                turns: self.hidden_turns.now(),
                answers: self.fins[other],
            });
        }
    }

    /// What was known before the padded alerts with which a direction likely ends: they come directly before its FIN, or
    /// answer the FIN of the other. Only such a place makes them likelier than data.
    fn presumed_alerts(&self, end: FlowEnd) -> Option<TrailingAlerts> {
        let trailing = self.trailing[end.index()]?;
        let ends = self.fins[end.index()] || trailing.answers;
        (ends && self.directions[end.index()].is_at_boundary()).then_some(trailing)
    }

    /// The last record of a direction, if it is encrypted, and an alert by its type or likely one by its length.
    fn hidden_alert(&self, end: FlowEnd) -> Option<EndedRecord> {
        let direction = &self.directions[end.index()];
        if !direction.is_at_boundary() || self.inside[end.index()].is_known() {
            return None;
        }
        let last = direction.last?;
        let ends = || self.fins[end.index()] || self.presumed_alerts(end).is_some();
        let hidden = match (last.kind, last.alert_length()) {
            (ALERT, _) => last.length > 2,
            // Where the version was not seen, so short a record is still more likely an alert than anything else.
            (_, Some(AlertLength::Bare)) => self.is_13() || self.answer.is_none(),
            (_, Some(AlertLength::Padded)) => self.is_13() && ends() && !self.unpadded[end.index()],
            _ => false,
        };
        hidden.then_some(last)
    }

    /// Whether the last record of a direction is so short that padding may hide an alert in it.
    fn ends_short(&self, end: FlowEnd) -> bool {
        let pads = self.is_13() || self.answer.is_none();
        let last = self.directions[end.index()].last;
        let is_data = |it: &EndedRecord| self.flows[end.index()].last == Some(it.at);
        let short = last.is_some_and(|it| is_data(&it) && it.length <= LONGEST_ALERT);
        pads && short && !self.unpadded[end.index()] && !self.is_known()
    }

    /// Parses the handshake messages that wait in one direction. Without `more` to come, the last one is parsed as far
    /// as it goes.
    fn messages(&mut self, from: FlowEnd, at: FrameRef, more: bool) {
        let direction = &mut self.directions[from.index()];
        if direction.waiting.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut direction.waiting);
        let mut rest = bytes.as_slice();
        while let [kind, high, middle, low, after @ ..] = rest {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            match after.split_at_checked(length) {
                Some((body, next)) => {
                    self.message(from, at, *kind, body, true);
                    rest = next;
                }
                None => {
                    if !more {
                        self.message(from, at, *kind, after, false);
                        rest = &[];
                    }
                    break;
                }
            }
        }
        let left = rest.len();
        if more && left > 0 {
            // A message may come in very many records: do not copy the incomplete part with each of them.
            bytes.drain(..bytes.len() - left);
            self.directions[from.index()].waiting = bytes;
        }
    }

    fn message(&mut self, from: FlowEnd, at: FrameRef, kind: u8, body: &[u8], whole: bool) {
        self.note(from, at, RecordKind::Handshake(kind));
        match kind {
            CLIENT_HELLO => {
                self.caller.get_or_insert(from);
                if self.hello.is_none() {
                    self.hello = Some((at, ClientHello::read(body, whole)));
                }
            }
            SERVER_HELLO => {
                self.caller.get_or_insert(from.other());
                let client = self.hello.as_ref().map(|(_, hello)| hello);
                match ServerAnswer::read(body, client) {
                    Some(ServerAnswer::Retry) => {
                        self.retried.get_or_insert(at);
                        for direction in &mut self.directions {
                            direction.retried = true;
                            direction.ciphered = false;
                        }
                    }
                    Some(ServerAnswer::Hello(hello)) if self.answer.is_none() => {
                        self.answer = Some((at, hello));
                    }
                    _ => {}
                }
            }
            CERTIFICATE if whole => self.certificate(from, at, certificate::chain(body)),
            CERTIFICATE_REQUEST => self.certificate_request(at),
            SERVER_HELLO_DONE => {
                self.server_done.get_or_insert(at);
            }
            _ => {}
        }
    }

    pub(super) fn certificate_request(&mut self, at: FrameRef) {
        self.asked = ClientCertificate::Asked(at);
        self.client_certificate = self.asked;
    }

    /// A Certificate message; `None` if it breaks off.
    pub(super) fn certificate(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        chain: Option<CertificateChain>,
    ) {
        if self.caller == Some(from) {
            self.client_certificate = match chain {
                Some(CertificateChain { sent: 0, .. }) => {
                    ClientCertificate::Missing(at, Certainty::Certain)
                }
                _ => ClientCertificate::Sent(at),
            };
        } else if self.certificates.is_none() {
            if let Some(chain) = &chain {
                let names = chain.read.iter().map(|it| it.more_names).sum::<u32>();
                self.left_out.certificates = chain.more.saturating_add(names);
                self.left_out.broken_certificate = chain.sent > chain.read.len();
                self.left_out.chain_goes_on = chain.more > 0 || self.left_out.broken_certificate;
            }
            self.certificates = chain.map(|chain| (at, chain.read));
            if let Some((_, answer)) = &mut self.answer {
                answer.resumed = false;
            }
        }
    }

    fn stage(&self) -> HandshakeStage {
        let caller = self.caller.unwrap_or(FlowEnd::A);
        if self.is_midstream() {
            return HandshakeStage::Unseen;
        }
        match (self.has_settled(caller), self.has_settled(caller.other())) {
            (true, true) => HandshakeStage::Complete,
            (true, false) => HandshakeStage::ClientFinished,
            (false, true) => HandshakeStage::ServerFlight,
            (false, false) if self.server_done.is_some() => HandshakeStage::ServerFlight,
            (false, false) if self.answer.is_some() => HandshakeStage::ServerHello,
            (false, false) if self.hello.is_some() => HandshakeStage::ClientHello,
            (false, false) => HandshakeStage::Begun,
        }
    }

    fn close_notify(&self, end: FlowEnd) -> CloseNotify {
        if let Some(frame_ref) = self.notified[end.index()] {
            return CloseNotify::Notify(frame_ref, Certainty::Certain);
        }
        let direction = &self.directions[end.index()];
        if !direction.is_at_boundary() {
            return CloseNotify::Unclear;
        }
        if self.inside[end.index()].is_known() {
            return CloseNotify::None;
        }
        match self.hidden_alert(end) {
            Some(last) if !last.in_handshake || self.is_midstream() => {
                CloseNotify::Notify(last.at, Certainty::Likely)
            }
            _ => CloseNotify::None,
        }
    }
}

/// What two hellos agree on, as far as keys are derived from it.
pub(super) fn agreed(client: &ClientHello, server: &ServerHello) -> NegotiatedParameters {
    NegotiatedParameters {
        client_random: client.random,
        server_random: server.random,
        version: server.version.0,
        suite: server.cipher,
        encrypt_then_mac: client.encrypt_then_mac && server.encrypt_then_mac,
    }
}

/// Whether a direction that begins with these bytes may be TLS: a record header, and in a record of the handshake no message
/// that only DTLS has (RFC 8446 §4, §5.1). A server of Modbus answers a ClientHello by its first four bytes and `00 03`.
fn may_be_record(bytes: &[u8]) -> bool {
    match bytes {
        [20..=24] | [20..=24, 3] | [20..=24, 3, _] | [20..=24, 3, _, _] => true,
        [kind @ 20..=24, 3, _, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match *kind {
                CHANGE_CIPHER_SPEC => length == 1,
                ALERT => length >= 2,
                HANDSHAKE => length > 0 && rest.first() != Some(&HELLO_VERIFY_REQUEST),
                _ => length <= MAX_RECORD,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_record;

    #[test]
    fn what_a_side_of_tls_may_begin_with() {
        let rows: &[(&[u8], bool)] = &[
            (b"\x16", true),
            (b"\x16\x03\x03\x00", true),
            (b"\x16\x03\x03\x00\x7a\x02\x00", true),
            (b"\x15\x03\x01\x00\x02\x02\x46", true),
            (b"\x17\x03\x03\x00\x00", true),
            // The capture lacks what was before.
            (b"\x16\x03\x03\x00\x7a\x0b\x00", true),
            // Exceptions of Modbus with the beginning of a ClientHello as the number of the transaction.
            (b"\x16\x03\x01\x00\x00\x03\x00\x80\x01", false),
            (b"\x16\x03\x01\x02\x00\x03\x00\x80\x01", false),
            (b"HTTP/1.1 400", false),
            (b"\x14\x03\x03\x00\x09", false),
        ];
        for (bytes, expected) in rows {
            assert_eq!(may_be_record(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }
}
