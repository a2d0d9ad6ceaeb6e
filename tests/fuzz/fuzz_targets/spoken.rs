//! Any protocol, detected from the first bytes: HTTP/1, TLS, HTTP/2 by preface or upgrade, WebSocket, tunnels. If
//! nothing is missing and everything is parsed, the result must not depend on how the bytes are cut.

#![no_main]

use hangup::protocol::http::Message;
use hangup::base::flow_end::FlowEnd;
use hangup::protocol::layers::{LayerFacts, ProtocolStack};
use libfuzzer_sys::fuzz_target;

#[path = "../shared/memory.rs"]
mod memory;
#[path = "../shared/turns.rs"]
mod turns;

fuzz_target!(|data: &[u8]| memory::bounded(data.len(), || run(data)));

fn run(data: &[u8]) {
    let turns = turns::turns(data);
    let said = turns::said(&turns);
    let whole = turns::hear(ProtocolStack::default(), &turns, 0, |_| ());
    check(&whole, said);
    let in_pieces = turns::hear(ProtocolStack::default(), &turns, 1 + data.len() as u64, |_| ());
    check(&in_pieces, said);
    if turns::are_whole(&turns) && is_plain(&whole, said) {
        assert_eq!(whole.exchanges, in_pieces.exchanges);
    }
}

fn messages(layer_facts: &LayerFacts) -> impl Iterator<Item = &Message> {
    layer_facts.exchanges.iter().flat_map(|exchange| {
        let request = exchange.request.as_ref().map(|it| &it.message);
        let response = exchange.response.as_ref().map(|it| &it.message);
        request.into_iter().chain(response)
    })
}

fn check(layer_facts: &LayerFacts, said: [u64; 2]) {
    for message in messages(layer_facts) {
        assert!(message.start <= message.head_end() && message.head_end() <= message.end());
        assert!(
            message.end() <= said[0].max(said[1]),
            "{message:?} of {said:?}"
        );
    }
    for exchange in &layer_facts.exchanges {
        let _ = (exchange.method(), exchange.status(), exchange.waited());
    }
    if let Some(facts) = &layer_facts.tls {
        let told = facts.clone().seen_from(FlowEnd::B).seen_from(FlowEnd::B);
        assert_eq!(**facts, told, "turned twice is as before");
        let _ = (
            facts.flaw(std::net::Ipv4Addr::LOCALHOST.into()),
            facts.fatal(),
            facts.sni(),
            facts.version(),
        );
    }
    if let Some(facts) = &layer_facts.websocket {
        for half in &facts.halves {
            assert!(half.messages <= half.frames);
        }
    }
}

/// Whether all bytes sent are complete HTTP/1 messages, one after the other.
fn is_plain(layer_facts: &LayerFacts, said: [u64; 2]) -> bool {
    let mut ends = [0; 2];
    let goes_on = |end: &mut u64, from: u64, to: u64| {
        let fits = *end == from;
        *end = to;
        fits
    };
    let plain = layer_facts.exchanges.iter().all(|exchange| {
        let (Some(request), Some(response)) = (&exchange.request, &exchange.response) else {
            return false;
        };
        let rare = exchange.rare.as_deref();
        let few = rare.is_none_or(|rare| {
            rare.request.faults.is_empty()
                && rare.response.faults.is_empty()
                && rare.more_interim == 0
        });
        let interim = rare.map_or(&[][..], |rare| &rare.interim[..]);
        let [asked, answered] = &mut ends;
        few && request.message.is_complete()
            && response.message.is_complete()
            && goes_on(asked, request.message.start, request.message.end())
            && interim.iter().all(|it| goes_on(answered, it.start, it.end))
            && goes_on(answered, response.message.start, response.message.end())
    });
    let others = layer_facts.tls.is_some() || layer_facts.h2.is_some() || layer_facts.websocket.is_some();
    plain && !others && (ends == said || ends == [said[1], said[0]])
}
