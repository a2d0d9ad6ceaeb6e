//! Pairs requests and answers.

use std::collections::VecDeque;

use super::facts::{Complaint, DataConnection, DialogueFacts, ProgramFacts, is_login};
use super::grammar::{Role, Unit};
use super::protocols::AppProtocol;
use super::turns::Turn;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{
    Asked, Exchange, Framing, Message, MessageProgress, MessageSeen, Method, Phase, Reach, Request,
    Response, SharedText, TextInterner, phase_of, request_seen,
};

/// Complete exchanges that are kept: what came before the last ones explains them.
const KEPT: usize = 4;
/// The same where the connection is shown packet by packet.
const KEPT_TO_SHOW: usize = 2048;
/// Open requests that are followed; what comes beyond them is not paired.
const MAX_OPEN: usize = 4096;

/// The exchanges of one conversation.
#[derive(Clone, Debug)]
pub(super) struct Exchanges {
    /// The side that asks.
    pub(super) requester: FlowEnd,
    list: VecDeque<Exchange>,
    /// What pairs each of them with its answers, if it is not their order.
    keys: VecDeque<Option<u64>>,
    /// Exchanges that were dropped at the front.
    dropped: u64,
    /// Those among them whose answer was still to come: there were too many.
    let_go: u64,
    /// What the present message of each direction belongs to.
    current: [Option<Current>; 2],
    /// The last request is not complete.
    asking: bool,
    goodbyes: [Option<(u64, FrameRef)>; 2],
    complaint: Option<Complaint>,
    /// The request that this answers, if it was dropped.
    refused_before: Option<Box<Exchange>>,
    /// The present message of each direction is the one that reports that error.
    complains: [bool; 2],
    /// Requests that were answered by an error.
    refused: u32,
    /// Offset of a message of each direction that is not told yet.
    waiting: [Option<u64>; 2],
    /// The last step of the session's opening; empty when it is open.
    step: &'static str,
    /// Whether the server can do TLS, as far as it said so.
    offers_tls: Option<bool>,
    /// The last error refused a login, and nothing succeeded since.
    turned_away: bool,
    programs: [Option<Box<ProgramFacts>>; 2],
    /// Seconds in which a sign of life is due.
    alive: Option<u16>,
    listens: bool,
    /// The side that called said something that asks for nothing.
    stated: bool,
    presumed: bool,
    /// Complete exchanges that are kept.
    kept: usize,
    announced: Announcements,
}

/// The connections that were announced, the last of many.
#[derive(Clone, Debug, Default)]
struct Announcements {
    list: VecDeque<DataConnection>,
    /// The number of the exchange that the last one is for.
    exchange: Option<u64>,
}

/// Announced connections that are kept.
const MAX_ANNOUNCED: usize = 1024;

impl Announcements {
    /// Adds what a message says of them. `current`: the exchange it belongs to. Returns how many were dropped.
    fn take(
        &mut self,
        unit: &Unit,
        at: FrameRef,
        current: Option<Current>,
        texts: &mut TextInterner,
    ) -> u64 {
        let mut dropped = 0;
        if let Some(endpoint) = unit.announces.as_deref() {
            if self.list.len() >= MAX_ANNOUNCED {
                self.list.pop_front();
                dropped = 1;
            }
            self.list.push_back(DataConnection {
                address: endpoint.address,
                port: endpoint.port,
                passive: endpoint.passive,
                at,
                command: None,
                succeeded: None,
                refused: false,
            });
        }
        let (Some(last), Some(current)) = (self.list.back_mut(), current) else {
            return dropped;
        };
        if unit.transfers && last.command.is_none() {
            last.command = Some(texts.text(&unit.words));
            self.exchange = Some(current.exchange);
        }
        if current.answer && current.ends && self.exchange == Some(current.exchange) {
            let error = unit.error.as_deref();
            last.succeeded = Some(error.is_none());
            last.refused = error.is_some_and(|(code, _)| !matches!(&code[..], b"425" | b"426"));
            self.exchange = None;
        }
        dropped
    }
}

#[derive(Clone, Copy, Debug)]
struct Current {
    /// The number of the exchange, counting dropped ones.
    exchange: u64,
    answer: bool,
    ends: bool,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self {
            requester: FlowEnd::A,
            list: VecDeque::new(),
            keys: VecDeque::new(),
            dropped: 0,
            let_go: 0,
            current: [None; 2],
            asking: false,
            goodbyes: [None; 2],
            complaint: None,
            refused_before: None,
            complains: [false; 2],
            refused: 0,
            waiting: [None; 2],
            step: "",
            offers_tls: None,
            turned_away: false,
            programs: [const { None }; 2],
            alive: None,
            listens: false,
            stated: false,
            presumed: false,
            kept: KEPT,
            announced: Announcements::default(),
        }
    }
}

fn message(at: FrameRef, start: u64, length: u64) -> Message {
    Message {
        framing: Framing::Messages,
        amount: length,
        progress: MessageProgress::Body,
        ..Message::begun(at, start)
    }
}

fn request(message: Message) -> Request {
    Request {
        message,
        target: None,
        host: None,
        user_agent: None,
        method: Method::Unknown,
        forwarded: false,
        accepts_coding: false,
    }
}

const fn response(message: Message) -> Response {
    Response {
        message,
        server: None,
        status: 0,
    }
}

impl Exchanges {
    /// Exchanges that turns let presume: each turn of the caller a request, each one of the other side its answer.
    pub(super) fn presumed(turns: &[Turn]) -> Self {
        let mut all = Self {
            presumed: true,
            ..Self::default()
        };
        for turn in turns {
            let mut said = message(turn.first, turn.start, turn.length);
            said.body_wire = turn.length;
            said.last = turn.last;
            said.progress = MessageProgress::Complete;
            if turn.from == FlowEnd::A {
                let mut exchange = Exchange {
                    request: Some(request(said)),
                    ..Exchange::default()
                };
                exchange.rare_mut().asked = Some(Asked {
                    noun: "request",
                    words: None,
                    safe: false,
                    optional: false,
                    answer: None,
                });
                all.list.push_back(exchange);
            } else if let Some(last) = all.list.back_mut() {
                last.response = Some(response(said));
            }
        }
        all
    }

    /// Keeps as many exchanges as there is use for where the connection is shown packet by packet.
    pub(super) const fn keep_to_show(&mut self) {
        self.kept = KEPT_TO_SHOW;
    }

    /// Exchanges that were dropped without an answer, since there were too many.
    pub(super) const fn let_go(&self) -> u64 {
        self.let_go
    }

    pub(super) const fn is_presumed(&self) -> bool {
        self.presumed
    }

    pub(super) fn bytes(&self) -> usize {
        self.list.len() * (size_of::<Exchange>() + size_of::<crate::protocol::http::RareParts>())
    }

    /// Bytes of one direction wait from this offset on, since they do not tell yet what they begin.
    pub(super) fn waits(&mut self, from: FlowEnd, start: u64) {
        *from.of_mut(&mut self.waiting) = Some(start);
    }

    /// A message begins.
    pub(super) fn begin(
        &mut self,
        from: FlowEnd,
        unit: Unit,
        first: FrameRef,
        start: u64,
        texts: &mut TextInterner,
    ) {
        *from.of_mut(&mut self.waiting) = None;
        self.step = unit.step.unwrap_or(self.step);
        self.note_program(from, &unit, texts);
        let current = match unit.role {
            Role::Ask { ends } => Some(self.ask(from, &unit, first, start, ends, texts)),
            Role::Answer { ends } => {
                let current = self.answer(&unit, first, start, ends);
                if let Some(current) = current.filter(|_| ends) {
                    self.note_answer(current.exchange, &unit, texts);
                }
                if unit.sweeps && current.is_some() {
                    self.sweep(&unit, first, start);
                }
                current
            }
            Role::Notice => {
                self.stated |= from == self.requester;
                None
            }
            Role::Goodbye => {
                from.of_mut(&mut self.goodbyes)
                    .get_or_insert((start, first));
                None
            }
            Role::Withdraws => {
                self.withdraw();
                None
            }
        };
        self.let_go += self.announced.take(&unit, first, current, texts);
        self.note_error(from, &unit, first, current, texts);
        *from.of_mut(&mut self.current) = current;
    }

    /// Takes the words of an answer.
    fn note_answer(&mut self, exchange: u64, unit: &Unit, texts: &mut TextInterner) {
        let words = match unit.error.as_deref() {
            Some((code, text)) => [&code[..], b" ", text].concat().trim_ascii().to_vec(),
            None => unit.words.clone(),
        };
        let exchange = self.place_of(exchange).and_then(|it| self.list.get_mut(it));
        let asked = exchange.and_then(|it| it.rare.as_mut()?.asked.as_mut());
        if let Some(asked) = asked.filter(|_| !words.is_empty()) {
            asked.answer = Some(texts.text(&words));
        }
    }

    /// Takes what a message says of its sender's program.
    fn note_program(&mut self, from: FlowEnd, unit: &Unit, texts: &mut TextInterner) {
        let Some(said) = unit.program.as_deref() else {
            return;
        };
        self.offers_tls = said.offers_tls.or(self.offers_tls);
        self.alive = said.alive.or(self.alive);
        self.listens = said.listens.unwrap_or(self.listens);
        if [&said.name, &said.version, &said.shape]
            .iter()
            .all(|it| it.is_empty())
        {
            return;
        }
        let known = from.of_mut(&mut self.programs).get_or_insert_with(|| {
            let empty = texts.text(b"");
            Box::new(ProgramFacts {
                name: empty.clone(),
                version: empty.clone(),
                shape: empty,
            })
        });
        let fields = [
            (&mut known.name, &said.name),
            (&mut known.version, &said.version),
            (&mut known.shape, &said.shape),
        ];
        for (known, said) in fields.into_iter().filter(|(_, said)| !said.is_empty()) {
            *known = texts.text(said);
        }
    }

    /// Takes what a message says of errors.
    fn note_error(
        &mut self,
        from: FlowEnd,
        unit: &Unit,
        first: FrameRef,
        current: Option<Current>,
        texts: &mut TextInterner,
    ) {
        let fatal = self.complaint.as_ref().is_some_and(|it| it.fatal);
        let answered = matches!(unit.role, Role::Answer { ends: true }) && current.is_some();
        let succeeds = unit.error.is_none() && answered;
        if unit.settles || succeeds && fatal {
            // Whatever it was, the conversation went on.
            self.complaint = None;
        }
        self.turned_away &= !succeeds;
        let asked = current.and_then(|it| self.asked(it.exchange));
        let optional = asked.is_some_and(|(asked, _)| asked.optional);
        let login = asked.is_some_and(|(asked, _)| is_login(asked));
        let error = unit.error.as_deref().filter(|_| unit.fatal || !optional);
        let told = error.filter(|_| unit.fatal || !self.follows(current));
        *from.of_mut(&mut self.complains) = told.is_some();
        if error.is_some() {
            self.refused = self.refused.saturating_add(u32::from(current.is_some()));
        }
        if let Some((code, text)) = told {
            self.turned_away = login;
            self.refused_before = None;
            self.complaint = Some(Complaint {
                by: from,
                at: first,
                code: (!code.is_empty()).then(|| texts.text(code)),
                text: texts.text(text),
                is_answer: current.is_some(),
                answers: current.map(|it| it.exchange),
                fatal: unit.fatal,
            });
        }
    }

    /// Whether an error has the cause of the one before. What is refused after an error that ends the session is refused for
    /// the same reason. So is what a client asks for without the login that was refused, and what it had asked for before it
    /// knew of the error.
    fn follows(&self, current: Option<Current>) -> bool {
        let Some(before) = &self.complaint else {
            return false;
        };
        let own = current.filter(|it| before.answers.is_some_and(|first| first != it.exchange));
        let own = own.and_then(|it| self.asked(it.exchange));
        before.fatal
            || own.is_some_and(|(asked, first)| {
                self.turned_away && !is_login(asked) || first <= before.at
            })
    }

    /// The place of an exchange that is kept, by its number.
    fn place_of(&self, exchange: u64) -> Option<usize> {
        usize::try_from(exchange.checked_sub(self.dropped)?).ok()
    }

    /// A request that is kept, by its number, and where it began.
    fn asked(&self, exchange: u64) -> Option<(&Asked, FrameRef)> {
        let exchange = self.list.get(self.place_of(exchange)?)?;
        let first = exchange.request.as_ref()?.message.first;
        Some((exchange.rare.as_ref()?.asked.as_ref()?, first))
    }

    fn ask(
        &mut self,
        from: FlowEnd,
        unit: &Unit,
        first: FrameRef,
        start: u64,
        ends: bool,
        texts: &mut TextInterner,
    ) -> Current {
        if self.asking
            && let Some(open) = self.list.back_mut()
        {
            if let Some(request) = &mut open.request {
                let message = &mut request.message;
                message.amount = message.amount.saturating_add(unit.length);
                message.body_wire = start.saturating_sub(message.start);
            }
        } else {
            self.requester = from;
            let mut exchange = Exchange {
                request: Some(request(message(first, start, unit.length))),
                ..Exchange::default()
            };
            exchange.rare_mut().asked = Some(Asked {
                noun: unit.noun,
                words: (!unit.words.is_empty()).then(|| texts.text(&unit.words)),
                safe: unit.safe,
                optional: unit.optional,
                answer: None,
            });
            if let Some(said) = &unit.passed_on {
                exchange.pass_on(said);
            }
            self.make_room();
            self.list.push_back(exchange);
            self.keys.push_back(unit.key);
        }
        self.asking = !ends;
        Current {
            exchange: self.dropped + self.list.len() as u64 - 1,
            answer: false,
            ends,
        }
    }

    fn make_room(&mut self) {
        let complete = |exchange: Option<&Exchange>| exchange.is_some_and(Exchange::is_complete);
        while self.list.len() >= self.kept && complete(self.list.front())
            || self.list.len() >= MAX_OPEN
        {
            self.let_go += u64::from(!complete(self.list.front()));
            let gone = self.list.pop_front();
            self.keys.pop_front();
            let answers = |it: &Complaint| it.answers == Some(self.dropped);
            if self.complaint.as_ref().is_some_and(answers) {
                self.refused_before = gone.map(Box::new);
            }
            self.dropped += 1;
        }
    }

    fn answer(&mut self, unit: &Unit, first: FrameRef, start: u64, ends: bool) -> Option<Current> {
        let owed = |exchange: &Exchange| {
            exchange
                .response
                .as_ref()
                .is_none_or(|response| !response.message.is_complete())
        };
        let mut open = self.list.iter().zip(&self.keys);
        let place = open.position(|(exchange, key)| *key == unit.key && owed(exchange))?;
        let exchange = self.list.get_mut(place)?;
        match &mut exchange.response {
            Some(response) => {
                let message = &mut response.message;
                message.amount = message.amount.saturating_add(unit.length);
                message.body_wire = start.saturating_sub(message.start);
            }
            None => exchange.response = Some(response(message(first, start, unit.length))),
        }
        Some(Current {
            exchange: self.dropped + place as u64,
            answer: true,
            ends,
        })
    }

    /// What is still open with the number of this answer is answered by it, too.
    fn sweep(&mut self, unit: &Unit, first: FrameRef, start: u64) {
        let each = self.list.iter_mut().zip(&self.keys);
        for (exchange, _) in
            each.filter(|(exchange, key)| **key == unit.key && exchange.response.is_none())
        {
            let mut said = message(first, start, unit.length);
            said.body_wire = unit.length;
            said.progress = MessageProgress::Complete;
            exchange.response = Some(response(said));
        }
    }

    /// More bytes of the present message of one direction. `ends`: its last ones.
    pub(super) fn extend(&mut self, from: FlowEnd, bytes: u64, at: FrameRef, ends: bool) {
        if ends
            && std::mem::take(from.of_mut(&mut self.complains))
            && let Some(complaint) = &mut self.complaint
        {
            complaint.at = at;
        }
        let Some(current) = *from.of(&self.current) else {
            return;
        };
        if ends {
            *from.of_mut(&mut self.current) = None;
        }
        let place = self.place_of(current.exchange);
        let Some(exchange) = place.and_then(|place| self.list.get_mut(place)) else {
            return;
        };
        let said = match current.answer {
            true => exchange.response.as_mut().map(|it| &mut it.message),
            false => exchange.request.as_mut().map(|it| &mut it.message),
        };
        if let Some(message) = said {
            message.body_wire = message.body_wire.saturating_add(bytes);
            message.last = at;
            if ends && current.ends {
                message.progress = MessageProgress::Complete;
            }
        }
    }

    /// The oldest open request gets no answer any more.
    fn withdraw(&mut self) {
        let open = |exchange: &Exchange| !exchange.is_complete();
        let Some(place) = self.list.iter().position(open) else {
            return;
        };
        match self.list.get_mut(place).map(|it| &mut it.response) {
            Some(Some(response)) => response.message.progress = MessageProgress::Complete,
            // Those before it are complete.
            _ => {
                self.list.drain(..=place);
                self.keys.drain(..=place);
                self.dropped += place as u64 + 1;
            }
        }
    }

    /// The phase `closer` was in when it had sent and received this much.
    pub(super) fn phase_at(&self, closer: FlowEnd, sent: Reach, received: Reach) -> Option<Phase> {
        let reach = |end: FlowEnd| if end == closer { sent } else { received };
        let (requests, responses) = (reach(self.requester), reach(self.requester.other()));
        let mut begun = 0;
        for exchange in &self.list {
            if matches!(
                request_seen(exchange.request.as_ref(), requests),
                MessageSeen::Nothing
            ) {
                continue;
            }
            begun += 1;
            if let Some(phase) = phase_of(exchange, requests, responses) {
                return Some(phase);
            }
        }
        let past = |end: FlowEnd, start: u64| reach(end).bytes > start;
        if self
            .requester
            .of(&self.waiting)
            .is_some_and(|start| past(self.requester, start))
        {
            return Some(Phase::Request);
        }
        let parted = FlowEnd::BOTH.into_iter().any(|end| {
            end.of(&self.goodbyes)
                .is_some_and(|(start, _)| past(end, start))
        });
        if self.presumed && begun == 0 {
            return None;
        }
        Some(match (parted, begun > 0 || self.dropped > 0) {
            (true, _) => Phase::After,
            (false, _) if self.stated => Phase::Between,
            (false, true) => Phase::Between,
            (false, false) => Phase::BeforeRequest,
        })
    }

    pub(super) fn into_facts(
        self,
        protocol: Option<AppProtocol>,
        last_words: [Option<SharedText>; 2],
    ) -> DialogueFacts {
        let mut complaint = self.complaint;
        if let Some(complaint) = &mut complaint {
            // Counted among those that are kept.
            complaint.answers = complaint
                .answers
                .and_then(|nth| nth.checked_sub(self.dropped));
        }
        DialogueFacts {
            protocol,
            requester: self.requester,
            exchanges: self.list.into(),
            presumed: self.presumed,
            before: self.dropped,
            unopened: (!self.step.is_empty()).then_some(self.step),
            offers_tls: self.offers_tls,
            programs: self.programs,
            alive: self.alive.filter(|it| *it > 0),
            listens: self.listens,
            goodbyes: self.goodbyes.map(|it| it.map(|(_, at)| at)),
            refused_before: self.refused_before.filter(|_| complaint.is_some()),
            complaint,
            refused: self.refused,
            last_words,
            encrypted_turns: Vec::new(),
            data_connections: self.announced.list.into(),
        }
    }
}
