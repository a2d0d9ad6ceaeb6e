//! Conversations as scripts: what both sides say, and what is made of it.

use super::*;
use crate::protocol::http::Exchange;

/// What both sides say: `>` for the client or `<` for the server, and bytes.
pub(super) type Said<'a> = &'a [(&'a str, &'a [u8])];

/// What is made of this conversation, in one line. It is
/// read as given, and byte by byte: both must come to the same.
#[track_caller]
pub(super) fn told(port: u16, said: Said<'_>) -> String {
    let whole = Script::read(port, said.iter().map(|(who, bytes)| (end(who), *bytes)));
    let each = said
        .iter()
        .flat_map(|(who, bytes)| bytes.chunks(1).map(|byte| (end(who), byte)));
    assert_eq!(Script::read(port, each).told, whole.told, "byte by byte");
    whole.told
}

fn end(who: &str) -> FlowEnd {
    match who {
        ">" => FlowEnd::A,
        _ => FlowEnd::B,
    }
}

struct Script {
    told: String,
}

impl Script {
    fn read<'a>(port: u16, said: impl Iterator<Item = (FlowEnd, &'a [u8])>) -> Self {
        let mut texts = TextInterner::new();
        let mut dialogue = Dialogue::new([50_000, port], [0; 2], false);
        let mut reach = [Reach::default(); 2];
        let at = FrameRef::default();
        for (from, bytes) in said {
            dialogue.data(from, at, bytes, bytes.len() as u32, &mut texts);
            from.of_mut(&mut reach).bytes += bytes.len() as u64;
        }
        dialogue.finish();
        let [client, server] = reach;
        let phase = dialogue.phase_at(FlowEnd::B, server, client, at.time);
        let facts = dialogue.into_facts();
        let mut told = facts.protocol.map_or("?", AppProtocol::name).to_owned();
        for exchange in &facts.exchanges {
            told += &format!("; {}", one(exchange));
        }
        if let Some(complaint) = &facts.complaint {
            let code = complaint.code.as_ref().and_then(|it| it.as_str());
            let text = complaint.text.as_str().unwrap_or("?");
            told += &format!("; {:?}: {} {text}", complaint.by, code.unwrap_or("-"));
        }
        if facts.goodbyes.iter().any(Option::is_some) {
            told += "; goodbye";
        }
        told += &format!("; {}", phase.map_or("?", Phase::name));
        Self { told }
    }
}

fn one(exchange: &Exchange) -> String {
    let asked = exchange.rare.as_ref().and_then(|it| it.asked.as_ref());
    let asked = asked.expect("asked");
    let words = asked.words.as_ref().and_then(|it| it.as_str());
    let words = words.map(|it| format!(" {it}")).unwrap_or_default();
    let how = match (&exchange.request, &exchange.response) {
        (Some(request), _) if !request.message.is_complete() => "begun",
        (_, None) => "unanswered",
        (_, Some(response)) if !response.message.is_complete() => "answer begun",
        _ => "answered",
    };
    format!("{}{words}: {how}", asked.noun)
}

#[test]
fn turns_of_an_unknown_protocol_are_presumed_to_be_requests_and_answers() {
    let (ask, answer): (&[u8], &[u8]) = (&[1, 2, 3, 4, 9], &[7, 7, 7, 1]);
    let said = [(">", ask), ("<", answer), (">", ask), ("<", answer)];
    assert_eq!(told(9, &said), "?; ?");
    let habit = [&said[..], &said[..1]].concat();
    let read = Script::read(9, habit.iter().map(|(who, bytes)| (end(who), *bytes)));
    // So short and so soon that it may be a goodbye.
    assert_eq!(
        read.told,
        "?; request: answered; request: answered; request: unanswered; ?"
    );
}

#[test]
fn what_the_capture_cut_off_within_a_message_is_counted() {
    let mut texts = TextInterner::new();
    let mut dialogue = Dialogue::new([50_000, 5432], [0; 2], false);
    let at = FrameRef::default();
    let startup = [&[0, 0, 0, 9, 0, 3, 0, 0, 0][..]].concat();
    dialogue.data(FlowEnd::A, at, &startup, 9, &mut texts);
    dialogue.data(
        FlowEnd::B,
        at,
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I",
        15,
        &mut texts,
    );
    dialogue.data(FlowEnd::A, at, b"Q\0\0\x01\0select", 257, &mut texts);
    assert_eq!(
        dialogue.phase_at(FlowEnd::A, Reach::bytes(266), Reach::bytes(15), at.time),
        Some(Phase::Waiting)
    );
    dialogue.gap(FlowEnd::B, at, 10);
    assert_eq!(
        dialogue.phase_at(FlowEnd::A, Reach::bytes(266), Reach::bytes(25), at.time),
        None
    );
}
