//! How much memory a record takes.

use super::record::Connection;
use crate::protocol::dialogue::DialogueFacts;
use crate::protocol::h2::H2Facts;
use crate::protocol::http::{Exchange, Field, PassedOn, RareHead, SharedText};
use crate::protocol::tls::TlsFacts;

/// What an allocation takes beside its bytes.
const ALLOCATION: usize = 16;

impl Connection {
    /// Bytes that it takes in memory. A text that several messages share counts for each of them.
    #[must_use]
    pub(crate) fn footprint(&self) -> usize {
        let exchanges: usize = self.exchanges.iter().map(of_exchange).sum();
        let oddities = self.oddities.iter().flatten();
        let oddities: usize = oddities.map(|it| size_of_val(it) + it.text.len()).sum();
        let boxed = size_of_val(&self.icmp) + size_of_val(&self.unanswered);
        let sent = self.passages.as_deref().map_or(0, size_of_val)
            + self.checksums.as_deref().map_or(0, size_of_val)
            + self.in_flight.as_deref().map_or(0, size_of_val);
        size_of::<Self>()
            + 2 * ALLOCATION
            + exchanges
            + self.tls.as_deref().map_or(0, of_tls)
            + self.h2.as_deref().map_or(0, of_h2)
            + self
                .websocket
                .as_deref()
                .map_or(0, |it| size_of_val(it) + 2 * 128)
            + self.dialogue.as_deref().map_or(0, of_dialogue)
            + oddities
            + boxed
            + sent
    }
}

fn of_text(text: Option<&SharedText>) -> usize {
    text.map_or(0, |text| text.as_bytes().len() + 2 * ALLOCATION)
}

fn of_exchange(exchange: &Exchange) -> usize {
    let mut size = size_of::<Exchange>();
    if let Some(request) = &exchange.request {
        for text in [&request.target, &request.host, &request.user_agent] {
            size += of_text(text.as_ref());
        }
    }
    if let Some(response) = &exchange.response {
        size += of_text(response.server.as_ref());
    }
    if let Some(rare) = exchange.rare.as_deref() {
        size += size_of_val(rare) + ALLOCATION + of_text(rare.method.as_ref());
        let asked = rare.asked.as_ref();
        size += of_text(asked.and_then(|it| it.words.as_ref()));
        size += of_text(asked.and_then(|it| it.answer.as_ref()));
        size += size_of_val(&rare.interim[..]);
        size += of_head(&rare.request) + of_head(&rare.response);
    }
    if let Some(stream) = exchange.stream.as_deref() {
        size += size_of_val(stream) + ALLOCATION;
        size += of_text(stream.grpc_message.as_ref()) + of_text(stream.forbidden.as_ref());
    }
    if exchange.passed_on.is_some() {
        size += size_of::<PassedOn>() + ALLOCATION;
    }
    size
}

fn of_head(head: &RareHead) -> usize {
    let fields = head.fields.iter();
    let fields = fields.map(|field| size_of::<Field>() + of_text(Some(&field.value)));
    let faults = head.faults.iter();
    let faults = faults.map(|fault| size_of_val(fault) + of_text(Some(&fault.bytes)));
    fields.sum::<usize>() + faults.sum::<usize>()
}

fn of_tls(tls: &TlsFacts) -> usize {
    let mut size = size_of_val(tls) + ALLOCATION + size_of_val(&tls.alerts[..]);
    size += size_of_val(&tls.exchanged[..]);
    if let Some((_, hello)) = &tls.hello {
        size += hello.sni.as_ref().map_or(0, Vec::len) + size_of_val(&hello.ciphers[..]);
        size += hello
            .alpn
            .iter()
            .map(|it| it.len() + 3 * ALLOCATION)
            .sum::<usize>();
        size += size_of_val(&hello.versions[..]) + 4 * ALLOCATION;
    }
    if let Some((_, certificates)) = &tls.certificates {
        for certificate in certificates {
            let texts = [
                &certificate.subject,
                &certificate.issuer,
                &certificate.signature,
            ];
            size += size_of_val(certificate) + size_of_val(&certificate.addresses[..]);
            size += texts.iter().map(|it| it.len() + ALLOCATION).sum::<usize>();
            let names = certificate.names.iter();
            size += names.map(|it| it.len() + 3 * ALLOCATION).sum::<usize>();
        }
    }
    size
}

fn of_dialogue(dialogue: &DialogueFacts) -> usize {
    let exchanges = dialogue.exchanges.iter().map(of_exchange);
    let words = dialogue.last_words.iter().map(|it| of_text(it.as_ref()));
    let said = dialogue.complaint.as_ref();
    let said = said.map_or(0, |it| of_text(it.code.as_ref()) + of_text(Some(&it.text)));
    size_of_val(dialogue) + ALLOCATION + exchanges.sum::<usize>() + words.sum::<usize>() + said
}

fn of_h2(h2: &H2Facts) -> usize {
    let goaways = h2.halves.iter().flat_map(|half| &half.goaways);
    let goaways = goaways.map(|it| size_of_val(it) + of_text(Some(&it.debug)));
    size_of_val(h2)
        + ALLOCATION
        + goaways.sum::<usize>()
        + size_of_val(&h2.faults[..])
        + h2.websockets.len() * 512
}
