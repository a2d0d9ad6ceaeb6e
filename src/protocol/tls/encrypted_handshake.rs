//! What decrypted records show of a handshake: TLS 1.3 encrypts all but the hellos (RFC 8446 §4.3, §4.4, §4.6).
//!
//! In: the contents of decrypted records. Out: the same facts as from messages in the clear, certain where record
//! headers alone made them only likely.

use super::certificate;
use super::facts::{ApplicationData, ClientCertificate};
use super::hello::{ClientHello, ServerAnswer, encrypted_alpn};
use super::record::{ALERT, APPLICATION_DATA, MAX_WAITING};
use super::session::{
    CERTIFICATE, CERTIFICATE_REQUEST, CLIENT_HELLO, SERVER_HELLO, TlsSession, agreed,
};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::annotations::RecordKind;
use crate::protocol::tls::secrets::NegotiatedParameters;

const ENCRYPTED_EXTENSIONS: u8 = 8;
const FINISHED: u8 = 20;

/// One direction's handshake messages and application data in decrypted records.
#[derive(Clone, Debug, Default)]
pub(super) struct EncryptedHandshake {
    /// An incomplete handshake message.
    waiting: Vec<u8>,
    /// Message boundaries are lost: no more messages are parsed.
    desynchronized: bool,
    /// Handshake messages that were longer than what is kept of one.
    pub(super) too_long: u32,
    /// Encrypted records seen.
    pub(super) hidden: u64,
    /// How many of them were decrypted.
    opened: u64,
    /// The application data in those.
    pub(super) flow: ApplicationData,
    /// Where the Finished was.
    pub(super) finished: Option<FrameRef>,
    /// A record is missing or was not decrypted: its content is unknown.
    missed: bool,
}

impl EncryptedHandshake {
    /// Whether every encrypted record of this direction was decrypted.
    pub(super) const fn is_known(&self) -> bool {
        self.opened > 0 && self.opened >= self.hidden && !self.missed
    }

    /// Bytes of the incomplete message.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Discards an incomplete message, and parses no more if there was one.
    pub(super) fn give_up(&mut self) {
        if !self.waiting.is_empty() {
            self.desynchronized = true;
            self.waiting = Vec::new();
        }
    }
}

impl TlsSession {
    /// Whether secrets decrypted every encrypted record, in both directions.
    #[must_use]
    pub(crate) fn is_known(&self) -> bool {
        self.inside.iter().all(EncryptedHandshake::is_known)
    }

    /// Takes note of a decrypted record: its content type and the bytes of its content. Takes back what its length
    /// alone made likely.
    pub fn opened(&mut self, from: FlowEnd, at: FrameRef, kind: u8, bytes: u64) {
        let inside = &mut self.inside[from.index()];
        inside.opened = inside.opened.saturating_add(1);
        if kind == APPLICATION_DATA {
            let flow = &mut inside.flow;
            flow.records = flow.records.saturating_add(1);
            flow.bytes = flow.bytes.saturating_add(bytes);
            flow.first.get_or_insert(at);
            flow.last = Some(at);
            self.last_inside = Some(from);
            self.note(from, at, RecordKind::Data(bytes));
        }
        if kind != ALERT {
            self.alerts
                .retain(|it| it.said.is_some() || it.from != from || it.at != at);
        }
        let guessed = ClientCertificate::Missing(at, Certainty::Likely);
        if self.caller == Some(from) && self.client_certificate == guessed {
            self.client_certificate = self.asked;
        }
    }

    /// Parses the handshake messages in a decrypted record; the last may continue in the next record. Up to TLS 1.2
    /// they are the Finished and the messages of a renegotiation (RFC 5246 §7.4.1.2), which changes the keys and
    /// nothing else that is reported.
    pub(crate) fn decrypted_handshake(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8]) {
        let inside = &mut self.inside[from.index()];
        if inside.desynchronized {
            return;
        }
        if inside.waiting.len() + bytes.len() > MAX_WAITING {
            inside.desynchronized = true;
            inside.waiting = Vec::new();
            inside.too_long = inside.too_long.saturating_add(1);
            return;
        }
        let mut waiting = std::mem::take(&mut inside.waiting);
        waiting.extend_from_slice(bytes);
        let length = waiting.len();
        let mut rest = waiting.as_slice();
        while let [kind, high, middle, low, after @ ..] = rest {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            let Some((body, next)) = after.split_at_checked(length) else {
                break;
            };
            if self.is_13() {
                self.decrypted_message(from, at, *kind, body);
            } else {
                self.note(from, at, RecordKind::Handshake(*kind));
                self.renewing_message(*kind, body);
            }
            rest = next;
        }
        let left = rest.len();
        // A message may come in very many records: do not copy the incomplete part with each of them.
        waiting.drain(..length - left);
        self.inside[from.index()].waiting = waiting;
    }

    /// Takes out what a renegotiation agreed on.
    pub(crate) fn take_renewed(&mut self) -> Option<NegotiatedParameters> {
        self.renewed.take()
    }

    fn renewing_message(&mut self, kind: u8, body: &[u8]) {
        match kind {
            CLIENT_HELLO => self.renewal = Some(ClientHello::read(body, true)),
            SERVER_HELLO => {
                let Some(client) = self.renewal.take() else {
                    return;
                };
                if let Some(ServerAnswer::Hello(server)) = ServerAnswer::read(body, Some(&client)) {
                    self.renewed = Some(agreed(&client, &server));
                }
            }
            _ => {}
        }
    }

    fn decrypted_message(&mut self, from: FlowEnd, at: FrameRef, kind: u8, body: &[u8]) {
        self.note(from, at, RecordKind::Handshake(kind));
        match kind {
            ENCRYPTED_EXTENSIONS => {
                if let Some((_, answer)) = &mut self.answer {
                    answer.alpn = encrypted_alpn(body);
                }
            }
            CERTIFICATE => self.certificate(from, at, certificate::chain_13(body)),
            CERTIFICATE_REQUEST => self.certificate_request(at),
            FINISHED => self.inside[from.index()].finished = Some(at),
            _ => {}
        }
    }

    /// An encrypted record is missing or was not decrypted: the message in progress cannot be completed.
    pub(crate) fn decryption_gap(&mut self, from: FlowEnd) {
        let inside = &mut self.inside[from.index()];
        inside.waiting = Vec::new();
        inside.missed = true;
    }
}
