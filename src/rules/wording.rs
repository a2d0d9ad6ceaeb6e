//! Wording shared by the rules: durations and byte counts, names of requests, and the builder of a diagnosis.

use std::fmt;
use std::time::Duration;

use super::classify::{Ending, request};
use super::rule::{Diagnosis, Rule, Verdict};
use super::statement::{Sentence, Statement, Value, sentence};
use super::{Evidence, Severity};
use crate::analysis::connection::{
    Author, Connection, ConnectionSummary, Phase, ResetKind, Who, author,
};
use crate::base::certainty::Certainty;
use crate::base::escape::{in_backticks, shortened};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::Complaint;
use crate::protocol::http::{Asked, Exchange, Framing, Message, MessageProgress, Method, Request};

/// The caveat of a case on a connection that was not captured whole. Where it was taken makes no difference.
pub(super) const PARTLY_MISSING: &str =
    "Part of the connection is missing from the capture. A capture without gaps would settle it.";

/// The caveat of a case whose requests and replies are presumed from the turns of both sides.
pub(super) const PRESUMED: &str = "hangup does not read this protocol: that a reply was due follows from how both \
                                   sides took turns before.";

/// What an attempt means that was not opened.
pub(super) const UNSENT: &str = "No request was sent: a retry is safe.";

/// The same of an attempt that was refused.
pub(super) const UNSENT_UNTIL: &str =
    "No request was sent: a retry is safe, but fails until the port accepts connections.";

/// The remedy where the capture does not show which side is the server.
pub(super) const UNSURE_SIDES: &str =
    "Capture from the beginning of the connection to be sure which side is the server.";

/// "GET", or "" if the method was not captured.
pub(super) fn method(exchange: Option<&Exchange>) -> String {
    exchange
        .and_then(Exchange::method)
        .map(|name| crate::base::escape::escape(name).into_owned())
        .unwrap_or_default()
}

/// What was asked: "GET request", "query", or "request" if neither was captured. Many are joined: "GET or POST request".
pub(super) enum AskedWords {
    /// A method of HTTP, which may be empty.
    Method(String),
    /// What another protocol calls it.
    Noun(&'static str),
}

/// What the client asked in a protocol other than HTTP.
pub(super) fn in_other_words(exchange: &Exchange) -> Option<&Asked> {
    exchange.rare.as_ref()?.asked.as_ref()
}

/// Whether it is no exchange of HTTP.
pub(super) fn is_of_another_protocol(exchange: &Exchange) -> bool {
    in_other_words(exchange).is_some()
}

/// How much of a message was sent, in a protocol in which it has many parts and the last announces no other. `None` in
/// HTTP.
pub(super) fn sent_in_parts(exchange: &Exchange, message: &Message) -> Option<Sentence> {
    let asked = in_other_words(exchange)?;
    let sent = message.end().saturating_sub(message.start);
    let announced = announced_length(exchange).filter(|it| *it > sent);
    Some(match announced {
        Some(whole) => sentence!(
            "Of the {}, {} of {} had been sent.",
            asked.noun,
            sent,
            Value::exact_bytes(whole)
        ),
        None => sentence!(
            "{} of the {} had been sent.",
            Value::exact_bytes(sent),
            asked.noun
        ),
    })
}

/// How much of the request had been sent.
pub(super) fn far(exchange: &Exchange, message: &Message) -> Sentence {
    if let Some(sent) = sent_in_parts(exchange, message) {
        return sent;
    }
    match message.framing {
        Framing::Length => sentence!(
            "{} of {} body bytes had been sent.",
            message.received(),
            message.expected().unwrap_or(0)
        ),
        Framing::Messages => sentence!(
            "{} of it had been sent, without its end.",
            Value::exact_bytes(message.received())
        ),
        Framing::Unknown => sentence!(
            "{} of it had been sent. Its full length was not captured.",
            Value::exact_bytes(message.end().saturating_sub(message.start))
        ),
        _ => sentence!("{} body bytes had been sent.", message.received()),
    }
}

/// What a retry of a refused request is good for.
pub(super) fn refused_again(exchange: &Exchange, status: u16) -> Sentence {
    sentence!(
        "The server rejected {} with {}: an unchanged retry gets the same response.",
        named(exchange),
        status
    )
}

/// The bytes that the request of another protocol has, as far as its parts announce their lengths.
pub(super) fn announced_length(exchange: &Exchange) -> Option<u64> {
    in_other_words(exchange)?;
    let message = &exchange.request.as_ref()?.message;
    (message.framing == Framing::Messages).then_some(message.amount)
}

pub(super) fn asked(exchange: Option<&Exchange>) -> AskedWords {
    match exchange.and_then(in_other_words) {
        Some(asked) => AskedWords::Noun(asked.noun),
        None => AskedWords::Method(method(exchange)),
    }
}

impl fmt::Display for AskedWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(name) if name.is_empty() => f.write_str("request"),
            Self::Method(name) => write!(f, "{name} request"),
            Self::Noun(noun) => f.write_str(noun),
        }
    }
}

impl From<AskedWords> for Value {
    fn from(asked: AskedWords) -> Self {
        match asked {
            AskedWords::Method(name) => Self::Requests(vec![name.into()], false),
            AskedWords::Noun(noun) => Self::Requests(vec![noun.into()], false),
        }
    }
}

impl From<&AskedWords> for Value {
    fn from(asked: &AskedWords) -> Self {
        match asked {
            AskedWords::Method(name) => Self::Requests(vec![name.clone().into()], false),
            AskedWords::Noun(noun) => Self::Requests(vec![(*noun).into()], false),
        }
    }
}

/// The words of a request that another protocol calls by this noun, shortened.
pub(super) fn words_of(exchange: &Exchange, noun: &str) -> Option<String> {
    let asked = in_other_words(exchange).filter(|it| it.noun == noun)?;
    let words = asked.words.as_ref()?;
    Some(shortened(words.as_bytes(), PATH).into_owned())
}

/// "`POST /order`" in backticks, shortened; `the query "SELECT 1"`; "the request" if its head was not captured.
pub(super) fn named(exchange: &Exchange) -> String {
    if let Some(Asked { noun, words, .. }) = in_other_words(exchange) {
        return match words {
            Some(words) => format!("the {noun} \"{}\"", shortened(words.as_bytes(), PATH)),
            None => format!("the {noun}"),
        };
    }
    let target = exchange.request.as_ref().and_then(|it| it.target.as_ref());
    match (method(Some(exchange)).as_str(), target) {
        ("", _) => "the request".to_owned(),
        (method, Some(target)) => {
            let path = target.as_bytes().split(|byte| *byte == b'?').next();
            let path = shortened(path.unwrap_or_default(), PATH);
            in_backticks(&[method, " ", &path].concat())
        }
        (method, None) => format!("the {method} request"),
    }
}

/// An error that a side reported, in quotation marks: its code and its text.
pub(super) fn quoted_error(complaint: &Complaint) -> String {
    let text = shortened(complaint.text.as_bytes().trim_ascii(), ERROR_TEXT);
    let code = complaint
        .code
        .as_ref()
        .map(|code| shortened(code.as_bytes(), ERROR_TEXT));
    let words = match code {
        Some(code) => format!("{code} {text}"),
        None => text.into_owned(),
    };
    format!("\"{}\"", words.trim_end())
}

/// Characters of an error that are quoted.
const ERROR_TEXT: usize = 120;

/// Characters of a path in a sentence.
const PATH: usize = 60;

/// Whether the request is safe to retry: by its method alone (RFC 9110 §9.2.2).
pub(super) fn repetition(exchange: &Exchange) -> Sentence {
    // The version opens a session of SSH, and asks for nothing.
    if in_other_words(exchange).is_some_and(|it| it.noun == "version") {
        return UNSENT.into();
    }
    let request = exchange.request.as_ref();
    if request.is_some_and(|it| it.method == Method::Connect) {
        return "No request was sent through the tunnel: a retry is safe.".into();
    }
    let safe = match in_other_words(exchange) {
        Some(asked) => asked.safe,
        None => request.is_some_and(|it| it.method.is_idempotent()),
    };
    // FastCGI and its like pass on the method of HTTP.
    let by_method = match in_other_words(exchange) {
        None => request
            .filter(|it| it.method.is_idempotent())
            .map(|_| method(Some(exchange))),
        Some(asked) if !asked.noun.ends_with("request") => None,
        Some(asked) => {
            let words = asked.words.as_ref().map_or(&b""[..], |it| it.as_bytes());
            let method = words.split(|byte| *byte == b' ').next().unwrap_or_default();
            let method = Some(method).filter(|it| Method::from_bytes(it).is_idempotent());
            method.map(|it| shortened(it, PATH).into_owned())
        }
    };
    // A message of another protocol is read whole before it has an effect.
    let begun = |it: &Request| {
        let progress = it.message.progress;
        matches!(progress, MessageProgress::Head | MessageProgress::Body)
    };
    let name = Value::named(named(exchange));
    if request.is_some_and(begun) && in_other_words(exchange).is_some() && by_method.is_none() {
        return sentence!(
            "The server did not process {}: it did not receive all of [it|them]. [It is|They are] safe to retry.",
            name
        );
    }
    match by_method.filter(|_| safe) {
        Some(method) => sentence!(
            "{} [is|are] safe to retry ([{} is idempotent|their methods are idempotent]).",
            name,
            method
        ),
        None if safe => sentence!(
            "{} [is|are] safe to retry ([it changes|they change] nothing).",
            name
        ),
        None if request.is_some_and(begun) => had_in_part(name),
        // The gateway that responded did not process it.
        None if matches!(author(exchange), Author::Gateway(..)) => sentence!(
            "Do not retry {} blindly: what stands behind the gateway may have processed [it|them].",
            name
        ),
        None => sentence!(
            "Do not retry {} blindly: the server may have processed [it|them].",
            name
        ),
    }
}

/// A program may act on the part of a body that it has.
fn had_in_part(name: Value) -> Sentence {
    sentence!(
        "The server did not receive all of {}, so it cannot have processed [it|them] whole. Retry [it|them] if a part alone \
         has no effect.",
        name
    )
}

/// Whether the rest of a request came to a server that had closed before, and met no socket.
fn rest_came_to_nobody(connection: &Connection, exchange: &Exchange) -> bool {
    let server = Who::Server as usize;
    let sent = request(exchange).filter(|_| exchange.response.is_none());
    let (Some(sent), Some(fin)) = (sent, connection.fin[server]) else {
        return false;
    };
    let no_socket = connection.reset[server]
        .is_some_and(|it| it.kind == Some(ResetKind::NoSocket) && it.frame_ref > fin.frame_ref);
    no_socket && (sent.start..sent.end()).contains(&fin.received) && sent.last > fin.frame_ref
}

/// Whether the request cannot have been processed: it came to a server that had closed before it had any byte of it, and met no
/// socket, or it came after an error with which the server had ended the session, or which it could not parse.
fn came_to_nobody(connection: &Connection, exchange: &Exchange) -> bool {
    let Some(sent) = request(exchange).filter(|_| exchange.response.is_none()) else {
        return false;
    };
    let server = Who::Server as usize;
    // The two may have crossed: then the FIN acknowledges nothing of the request.
    let closed = connection.fin[server]
        .is_some_and(|fin| fin.frame_ref < sent.first || fin.received <= sent.start);
    let no_socket = connection.reset[server]
        .is_some_and(|it| it.kind == Some(ResetKind::NoSocket) && it.frame_ref > sent.first);
    let facts = connection.dialogue.as_deref();
    let said = facts.and_then(|it| it.complaint.as_ref());
    let over = said.is_some_and(|it| it.fatal && it.by == FlowEnd::B && it.at < sent.first);
    // What stands behind a request that breaks the grammar is not read.
    let unread = facts.zip(said).is_some_and(|(facts, it)| {
        let refused = facts.refused_request().and_then(request);
        it.by == FlowEnd::B && it.is_of_grammar() && refused.is_some_and(|it| it.start < sent.start)
    });
    closed && no_socket || over || unread
}

/// The same, where what the server did shows more than the method.
pub(super) fn repetition_on(connection: &Connection, exchange: &Exchange) -> Sentence {
    match came_to_nobody(connection, exchange) {
        true if in_other_words(exchange).is_some_and(|it| it.noun == "version") => UNSENT.into(),
        true => sentence!(
            "The server did not process {}: [it is|they are] safe to retry on a new connection.",
            Value::named(named(exchange))
        ),
        false => match repetition(exchange) {
            told if told.forbids_retry() && rest_came_to_nobody(connection, exchange) => {
                had_in_part(Value::named(named(exchange)))
            }
            told => told,
        },
    }
}

/// The same of several: first those that are not safe.
pub(super) fn repetitions(exchanges: &[&Exchange]) -> Vec<Sentence> {
    let mut all: Vec<Sentence> = Vec::new();
    for told in exchanges.iter().map(|it| repetition(it)) {
        match all.iter_mut().find(|it| it.template() == told.template()) {
            Some(same) => same.absorb(told),
            None => all.push(told),
        }
    }
    all.sort_by_key(|it| !it.forbids_retry());
    all
}

/// From the last byte of the request to `until`.
pub(super) fn waited(exchange: Option<&Exchange>, until: FrameRef) -> Duration {
    exchange
        .and_then(request)
        .map(|message| until.time.since(message.last.time))
        .unwrap_or_default()
}

/// That the client had closed its direction before the server's close cut its response off.
pub(super) fn half_closed_before(connection: &Connection) -> Option<Sentence> {
    let close = connection.after_half_close()?.frame_ref;
    let before = close.time.since(connection.teardown.at);
    Some(match connection.sent[Who::Server as usize].bytes > 0 {
        true => sentence!(
            "The client had closed its direction alone (FIN) {} before, and still took the response.",
            before
        ),
        false => sentence!(
            "The client had closed its direction (FIN) {} before. If it had closed the whole connection, it waited for no \
             response.",
            before
        ),
    })
}

/// The name of a side.
pub(super) const fn side(who: Who) -> &'static str {
    match who {
        Who::Client => "client",
        Who::Server => "server",
    }
}

/// "FIN" or "RST".
pub(super) fn close_word(ending: &Ending<'_>) -> &'static str {
    match ending.close.kind {
        None => "FIN",
        Some(_) => "RST",
    }
}

/// A diagnosis under construction.
pub(super) struct DiagnosisBuilder {
    rule: &'static Rule,
    story: Diagnosis,
}

/// Begins a diagnosis.
pub(super) fn tell(
    rule: &'static Rule,
    severity: Severity,
    certainty: Certainty,
    summary: impl Into<Sentence>,
    message: impl Into<Statement>,
) -> DiagnosisBuilder {
    DiagnosisBuilder {
        rule,
        story: Diagnosis {
            severity,
            certainty,
            summary: summary.into(),
            message: message.into(),
            evidence: Vec::new(),
            remedies: Vec::new(),
        },
    }
}

impl DiagnosisBuilder {
    /// Adds a frame and what it shows.
    pub(super) fn shows(mut self, frame_ref: Option<FrameRef>, note: impl Into<String>) -> Self {
        if let Some(frame_ref) = frame_ref.filter(|frame_ref| frame_ref.frame.0 > 0) {
            let note = note.into();
            self.story.evidence.push(Evidence { frame_ref, note });
        }
        self
    }

    /// Adds a sentence.
    pub(super) fn adds<S: Into<Sentence>>(mut self, sentence: Option<S>) -> Self {
        if let Some(sentence) = sentence {
            self.story.message.say(sentence);
        }
        self
    }

    /// Adds a sentence that is inferred from the others: see [`Statement::presume`].
    pub(super) fn presumes<S: Into<Sentence>>(mut self, sentence: Option<S>) -> Self {
        if let Some(sentence) = sentence {
            self.story.message.presume(sentence);
        }
        self
    }

    /// Adds a sentence on what it means for the user.
    pub(super) fn means<S: Into<Sentence>>(mut self, sentence: Option<S>) -> Self {
        if let Some(sentence) = sentence {
            self.story.message.mean(sentence);
        }
        self
    }

    /// Adds sentences on what it means for the user.
    pub(super) fn means_all(mut self, sentences: impl IntoIterator<Item = Sentence>) -> Self {
        for sentence in sentences {
            self.story.message.mean(sentence);
        }
        self
    }

    /// Completes a diagnosis that is not about one connection.
    pub(super) fn story(mut self) -> Diagnosis {
        self.story.remedies = self.rule.remedies();
        self.story.evidence.sort_by_key(|it| it.frame_ref);
        self.story
    }

    /// A FIN that was not captured is known by its acknowledgement, which the evidence names instead of it.
    fn show_what_was_captured(&mut self, connection: &Connection) {
        for who in Who::BOTH {
            let unseen = connection.unseen_fin(who);
            let Some(at) = unseen.map(|fin| fin.frame_ref.frame) else {
                continue;
            };
            let from = format!("FIN from the {}", side(who));
            let evidence = self.story.evidence.iter_mut();
            for it in evidence.filter(|it| it.frame_ref.frame == at) {
                if let Some(rest) = it.note.strip_prefix(&from) {
                    it.note = format!("acknowledgement of a {from}, which was not captured{rest}");
                }
            }
            self.story.message.say(sentence!(
                "The {}'s FIN was not captured: its acknowledgement was ({}).",
                side(who),
                at
            ));
        }
    }

    /// Completes a diagnosis of this connection, with the caveats that apply to all of them.
    pub(super) fn about(mut self, connection: &Connection) -> Verdict {
        self.show_what_was_captured(connection);
        if connection.sent.iter().any(|sent| sent.missing > 0) {
            self.story.message.mean(PARTLY_MISSING);
        }
        let owed = connection.spoken().iter().any(|it| it.response.is_none());
        if connection.is_presumed() && owed && connection.teardown.phase != Phase::Opaque {
            self.story.message.mean(PRESUMED);
        }
        let mut remedies = self.rule.remedies();
        if connection.roles.certainty() != Certainty::Certain {
            remedies.push(UNSURE_SIDES.into());
        }
        self.story.remedies = remedies;
        self.story.evidence.sort_by_key(|it| it.frame_ref);
        Verdict::Found(Box::new(self.story))
    }
}

/// The verdict on a connection that is not settled yet, or else `Clear`.
pub(super) fn not_yet(connection: &Connection) -> Verdict {
    use crate::analysis::connection::{By, How};
    match (connection.teardown.by, connection.teardown.how) {
        (By::Nobody, How::Open) => Verdict::NotYet,
        _ => Verdict::Clear,
    }
}

/// A frame and what it shows.
pub(super) fn shows(frame_ref: FrameRef, note: impl Into<String>) -> Evidence {
    Evidence {
        frame_ref,
        note: note.into(),
    }
}

/// How fast these connections came, per second, first to last. `None` for less than a second's worth.
pub(super) fn rate(connections: &[&ConnectionSummary]) -> Option<f64> {
    let (first, last) = (connections.first()?, connections.last()?);
    let span = last.first.time.since(first.first.time).as_secs_f64();
    (connections.len() > 1 && span > 0.0).then(|| (connections.len() - 1) as f64 / span)
}

#[cfg(test)]
mod tests {
    use super::PARTLY_MISSING;
    use crate::rules::ladder_check;

    #[test]
    fn a_gap_is_not_a_reason_to_capture_elsewhere() {
        let ladder = |sent| {
            format!(
                "SYN -->\n<-- SYN\nPOST / [length=1000] data 400 -->\ndata 200 {sent}\ndata 400 -->\n<-- ACK\n+1s <-- RST"
            )
        };
        let told = |sent| {
            let rule = &crate::rules::waiting::reset_before_response::RULE;
            ladder_check::told_by(rule, &ladder(sent)).expect("found")
        };
        let gap = told("~~>");
        assert!(gap.contains(PARTLY_MISSING), "{gap}");
        assert!(!gap.contains("taken at"), "{gap}");
        assert!(!told("-->").contains(PARTLY_MISSING));
    }
}
