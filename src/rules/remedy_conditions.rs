//! Conditions of remedies about TLS, HTTP/2 and WebSockets: by alert, error code, version and role.

use super::classify::behind_another;
use super::classify_h2::{blames, ended_by_drain, lost, refused, told_goaway, told_reset};
use super::log_errors::certificate_alert;
use super::refusals::{
    was_certificate_wanted, was_refused_with, was_upload_refused, was_websocket_refused,
    were_credentials_refused,
};
use super::remedy::{Condition, when};
use super::stuck_segments::largest_through;
use super::unanswered::{self, lost_between_places};
use crate::analysis::connection::tls_close::{client_left_first, stage_at_close};
use crate::analysis::connection::{By, Connection, Who, beside};
use crate::base::frame_ref::FrameRef;
use crate::knowledge::WireEvent;
use crate::protocol::http::{Exchange, Fault, FaultRule, Framing, Message, MessageProgress, Party};
use crate::protocol::layers::FirstWords;
use crate::protocol::tls::{
    Alert, Certificate, ChainEnd, HandshakeStage, TlsFacts, TlsVersion, alert_name,
};
use crate::protocol::websocket::WebSocketFacts;

/// The conditions. For each the tests have a ladder where it holds and one where it does not.
pub(super) static CONDITIONS: &[Condition] = &[
    when("the alert was {}", |it, name| {
        let code = alert(it).and_then(Alert::code);
        code.is_some_and(|code| alert_name(code) == Some(name))
    }),
    when("the alert was encrypted", |it, _| {
        alert(it).is_some_and(|alert| alert.code().is_none())
    }),
    when("the alert was not encrypted", |it, _| {
        alert(it).is_some_and(|alert| alert.code().is_some())
    }),
    when("the server sent the alert", |it, _| {
        alert(it).is_some_and(|alert| alert.from.index() == Who::Server as usize)
    }),
    when("the client sent the alert", |it, _| {
        alert(it).is_some_and(|alert| alert.from.index() == Who::Client as usize)
    }),
    when("the alert may be about the issuer", |it, _| {
        may_be_about_issuer(it)
    }),
    when("the alert is not about the issuer", |it, _| {
        !may_be_about_issuer(it)
    }),
    when("the client had fallen back", |it, _| fell_back(it)),
    when("the client had not fallen back", |it, _| !fell_back(it)),
    when("a draft was offered", |it, _| offers_draft(it)),
    when("no draft was offered", |it, _| !offers_draft(it)),
    when("TLS 1.3 was offered", |it, _| offers_newest(it)),
    when("only older versions were offered", |it, _| {
        !offers_newest(it) && !offers_draft(it)
    }),
    when("TLS 1.3 was used", |it, _| {
        tls(it).is_some_and(|facts| facts.version() >= Some(TlsVersion::TLS_13))
    }),
    when("TLS 1.2 or older was used", |it, _| {
        let version = tls(it).and_then(TlsFacts::version);
        version.is_some_and(|version| version < TlsVersion::TLS_13)
    }),
    when("the client sent a server name", |it, _| {
        tls(it).is_some_and(|facts| facts.sni().is_some())
    }),
    when("the client sent no server name", |it, _| {
        tls(it).is_some_and(|facts| facts.sni().is_none())
    }),
    when("the issuer of the certificate was not sent", |it, _| {
        let alone = |facts: &TlsFacts| {
            let chain = facts.certificates.as_ref();
            chain.is_some_and(|(_, chain)| chain.len() == 1)
                && facts.chain_end() == Some(ChainEnd::IssuerNotSent)
        };
        tls(it).is_some_and(alone)
    }),
    when("the certificate signs itself", |it, _| {
        chain_end(it) == Some(ChainEnd::SelfSigned)
    }),
    when("the certificate is not known to sign itself", |it, _| {
        chain_end(it) != Some(ChainEnd::SelfSigned) && !is_broken(it)
    }),
    when("the certificate is hidden", |it, _| {
        leaf(it).is_none() && !is_broken(it)
    }),
    when("the certificate cannot be parsed", |it, _| is_broken(it)),
    when("the certificate had expired", |it, _| {
        leaf(it).is_some_and(|(at, leaf)| leaf.until.time() < at.time)
    }),
    when("the certificate was not valid yet", |it, _| {
        leaf(it).is_some_and(|(at, leaf)| leaf.from.time() > at.time)
    }),
    when("the server had answered the ClientHello", |it, _| {
        let stage = tls(it).map(|facts| stage_at_close(it, facts));
        stage.is_some_and(|stage| stage >= HandshakeStage::ServerHello || answers_unread(it))
    }),
    when("the server had not answered the ClientHello", |it, _| {
        let stage = tls(it).map(|facts| stage_at_close(it, facts));
        stage.is_some_and(|stage| stage < HandshakeStage::ServerHello && !answers_unread(it))
    }),
    when("the server's data was lost between two places", |it, _| {
        lost_between_places(it) == Some(Who::Server)
    }),
    when("the client's data was lost between two places", |it, _| {
        lost_between_places(it) == Some(Who::Client)
    }),
    when("no other place shows that data was lost", |it, _| {
        lost_between_places(it).is_none()
    }),
    when("the capture was taken beside the silent host", |it, _| {
        is_beside_silent(it)
    }),
    when(
        "the capture was not taken beside the silent host",
        |it, _| !is_beside_silent(it),
    ),
    when("the data had been acknowledged", |it, _| {
        repeats_acknowledged(it)
    }),
    when("the data was not acknowledged", |it, _| {
        lost_between_places(it).is_none() && !repeats_acknowledged(it)
    }),
    when("one place alone was captured", |it, _| {
        Who::BOTH.iter().all(|who| it.passages(*who).both == 0)
    }),
    when(
        "the response behind another one answered nothing",
        |it, _| behind_another(it).is_some(),
    ),
    when("no response came directly behind another one", |it, _| {
        behind_another(it).is_none()
    }),
    when("the server closed first", |it, _| {
        it.teardown.by == By::Server
    }),
    when("the client closed first", |it, _| {
        it.teardown.by == By::Client
    }),
    when("the client ended the session first", |it, _| {
        it.teardown.by == By::Client || said_goodbye_first(it)
    }),
    when("the client had not ended the session first", |it, _| {
        it.teardown.by != By::Client && !said_goodbye_first(it)
    }),
    when("neither side closed first", |it, _| {
        matches!(it.teardown.by, By::Both | By::Middlebox)
    }),
    when("the connection began with a PROXY header", |it, _| {
        it.proxied.is_some()
    }),
    when("the connection began without a PROXY header", |it, _| {
        it.proxied.is_none()
    }),
    when("the client sent a ClientHello", |it, _| began_tls(it)),
    when("the server spoke another protocol than HTTP", |it, _| {
        speaks_other(it)
    }),
    when("the server spoke no other protocol than HTTP", |it, _| {
        !speaks_other(it)
    }),
    when("the client sent no ClientHello", |it, _| !began_tls(it)),
    when("the response had no status line", |it, _| {
        let start = |it: &&Fault| it.rule == FaultRule::StartLine;
        let http = |it: &Fault| {
            let begins = it.bytes.as_bytes().get(..5);
            begins.is_some_and(|begins| begins.eq_ignore_ascii_case(b"HTTP/"))
        };
        response_faults(it).filter(start).any(|it| !http(it))
    }),
    when("line ends may stand in a value", |it, _| {
        response_faults(it).next().is_some_and(|it| {
            // A status line that ends without CR is that of a program which writes all lines so.
            let begins = it.bytes.as_bytes().starts_with(b"HTTP/");
            match it.rule {
                FaultRule::SecondStartLine
                | FaultRule::NoColon
                | FaultRule::BareCr
                | FaultRule::SpaceBeforeFields => true,
                FaultRule::BareLf => !begins,
                _ => false,
            }
        })
    }),
    when("a chunk was at fault", |it, _| has_wrong_chunk(it)),
    when("no chunk was at fault", |it, _| !has_wrong_chunk(it)),
    when("HTTP/1.0 had a transfer coding", |it, _| {
        has_early_coding(it)
    }),
    when("HTTP/1.0 had no transfer coding", |it, _| {
        !has_early_coding(it)
    }),
    when("the response may have a body", |it, _| {
        !overruns_no_body(it)
    }),
    when("the response may have no body", |it, _| {
        overruns_no_body(it)
    }),
    when("a lenient parser accepts it", |it, _| {
        let mut faults = response_faults(it).peekable();
        faults.peek().is_some() && faults.all(|it| is_lenient(it.rule))
    }),
    when("the GOAWAY said {}", |it, code| {
        told_goaway(it).is_some_and(|(_, goaway)| goaway.code.to_string() == code)
    }),
    when("the GOAWAY named {}", |it, reason| {
        told_goaway(it).is_some_and(|(_, goaway)| goaway.debug.as_bytes() == reason.as_bytes())
    }),
    when("the GOAWAY did not name {}", |it, reason| {
        told_goaway(it).is_some_and(|(_, goaway)| goaway.debug.as_bytes() != reason.as_bytes())
    }),
    when("the GOAWAY blames the other side", |it, _| {
        told_goaway(it).is_some_and(|(_, goaway)| blames(goaway.code))
    }),
    when("the server sent the GOAWAY", |it, _| {
        told_goaway(it).is_some_and(|(who, _)| who == Who::Server)
    }),
    when("streams were lost with the connection", |it, _| {
        lost(it).chain(ended_by_drain(it)).next().is_some()
    }),
    when("streams lay above the last one", |it, _| {
        refused(it).next().is_some()
    }),
    when("no stream was lost", |it, _| {
        lost(it).chain(ended_by_drain(it)).next().is_none() && refused(it).next().is_none()
    }),
    when("the stream was reset with {}", |it, code| {
        told_reset(it).is_some_and(|(_, reset)| reset.code.to_string() == code)
    }),
    when("the client reset the stream", |it, _| {
        told_reset(it).is_some_and(|(_, reset)| reset.by == Party::Requester)
    }),
    when("the server reset the stream", |it, _| {
        told_reset(it).is_some_and(|(_, reset)| reset.by == Party::Responder)
    }),
    when("the server did not reset the stream", |it, _| {
        told_reset(it).is_none_or(|(_, reset)| reset.by != Party::Responder)
    }),
    when("{} was spoken", |it, name| {
        let protocol = it.dialogue.as_deref().and_then(|it| it.protocol);
        protocol.is_some_and(|it| it.name() == name)
    }),
    when("the client spoke HTTP/2", |it, _| {
        it.h2
            .as_ref()
            .is_some_and(|h2| h2.mismatch.as_ref().is_none_or(|it| !it.by_client))
    }),
    when("the client spoke HTTP/1", |it, _| {
        it.h2
            .as_ref()
            .is_none_or(|h2| h2.mismatch.as_ref().is_some_and(|it| it.by_client))
    }),
    when("the request was refused with {}", was_refused_with),
    when("the user or the password was refused", |it, _| {
        were_credentials_refused(it)
    }),
    when("neither user nor password was refused", |it, _| {
        !were_credentials_refused(it)
    }),
    when("a WebSocket was refused", |it, _| was_websocket_refused(it)),
    when("a client certificate was wanted", |it, _| {
        was_certificate_wanted(it)
    }),
    when("an upload was refused", |it, _| was_upload_refused(it)),
    when("the request's head was not complete", |it, _| {
        last_request(it).is_some_and(|it| it.progress == MessageProgress::Head)
    }),
    when("the request's head was complete", |it, _| {
        last_request(it).is_some_and(|it| it.progress != MessageProgress::Head)
    }),
    when("the reported code was {}", |it, codes| {
        let facts = it.dialogue.as_deref();
        let said = facts.and_then(|it| it.complaint.as_ref()?.code.as_ref());
        let code = said.and_then(|it| it.as_bytes().split(|byte| b" (".contains(byte)).next());
        code.is_some_and(|code| codes.split(", ").any(|it| it.as_bytes() == code))
    }),
    when("the server reported the error", |it, _| {
        reported(it) == Some(Who::Server)
    }),
    when("the client reported the error", |it, _| {
        reported(it) == Some(Who::Client)
    }),
    when("the reported text mentions {}", |it, parts| {
        let facts = it.dialogue.as_deref();
        facts
            .and_then(|it| it.complaint.as_ref())
            .is_some_and(|it| parts.split(", ").any(|part| it.mentions(part)))
    }),
    when("the close reason mentions {}", |it, words| {
        mentions(it, words) == Some(true)
    }),
    when("the close reason does not mention {}", |it, words| {
        mentions(it, words) == Some(false)
    }),
    when("only smaller segments had come through", |it, _| {
        largest_through(it).is_some()
    }),
    when("the close code was {}", |it, code| {
        let close = it
            .websocket
            .as_deref()
            .and_then(WebSocketFacts::first_close)
            .map(|it| it.1);
        close.is_some_and(|close| code.parse().ok() == close.code)
    }),
    when(
        "the WebSocket had been silent for {} or more",
        |it, limit| {
            silence(it)
                .zip(super::remedy::time(limit))
                .is_some_and(|(silent, limit)| silent >= limit)
        },
    ),
    when("the WebSocket had been silent for under {}", |it, limit| {
        silence(it)
            .zip(super::remedy::time(limit))
            .is_some_and(|(silent, limit)| silent < limit)
    }),
];

fn response_faults(connection: &Connection) -> impl Iterator<Item = &Fault> {
    connection
        .exchanges
        .iter()
        .flat_map(Exchange::response_faults)
}

/// Whether the grammar of chunks is broken in a request.
fn has_wrong_chunk(connection: &Connection) -> bool {
    let exchanges = connection.exchanges.iter();
    let mut faults = exchanges.flat_map(Exchange::request_faults);
    faults.any(|it| {
        matches!(
            it.rule,
            FaultRule::ChunkSize
                | FaultRule::ChunkTooLarge
                | FaultRule::BeforeChunkSize
                | FaultRule::ChunkExtension
                | FaultRule::ChunkLine
                | FaultRule::ChunkEnd
        )
    })
}

/// Whether a message of a version before transfer codings has one.
fn has_early_coding(connection: &Connection) -> bool {
    let exchanges = connection.exchanges.iter();
    let mut faults =
        exchanges.flat_map(|it| it.request_faults().iter().chain(it.response_faults()));
    faults.any(|it| it.rule == FaultRule::EncodingInOldVersion)
}

/// Whether bytes came behind a response that has no body, by its status or its request's method.
fn overruns_no_body(connection: &Connection) -> bool {
    let mut exchanges = connection.exchanges.iter();
    let overrun = exchanges.find(|it| {
        let mut faults = it.response_faults().iter();
        faults.any(|it| it.rule == FaultRule::ExcessBytes)
    });
    let response = overrun.and_then(|it| it.response.as_ref());
    response.is_some_and(|it| it.message.framing == Framing::NoBody)
}

/// Whether llhttp, the parser of Node.js, accepts a response with this fault if it is lenient. What it refuses all the same is
/// not named here, nor what it takes for another message.
const fn is_lenient(rule: FaultRule) -> bool {
    matches!(
        rule,
        FaultRule::ObsFold | FaultRule::FieldValue | FaultRule::BareLf
    )
}

/// Whether the server's first words are those of a protocol other than HTTP.
fn speaks_other(connection: &Connection) -> bool {
    let first = connection.first_words[Who::Server as usize];
    matches!(first, Some(FirstWords::Other(_)))
        || tls(connection).is_some_and(|facts| !facts.plain_is_text)
}

/// Whether the client began with a ClientHello, whole or not.
fn began_tls(connection: &Connection) -> bool {
    let first = connection.first_words[Who::Client as usize];
    tls(connection).is_some_and(|facts| facts.hello.is_some()) || first == Some(FirstWords::Tls)
}

fn tls(connection: &Connection) -> Option<&TlsFacts> {
    connection.tls.as_deref()
}

/// Whether the server answered with what the snapshot length cut: its hello, most likely.
fn answers_unread(connection: &Connection) -> bool {
    connection.turns.cut && connection.sent[Who::Server as usize].bytes > 0
}

fn alert(connection: &Connection) -> Option<&Alert> {
    tls(connection)?.fatal()
}

fn leaf(connection: &Connection) -> Option<(FrameRef, &Certificate)> {
    tls(connection)?.leaf()
}

fn fell_back(connection: &Connection) -> bool {
    let hello = tls(connection).and_then(|facts| facts.hello.as_ref());
    hello.is_some_and(|(_, hello)| hello.is_fallback())
}

/// Whether the client said `close_notify` before the server closed.
fn said_goodbye_first(connection: &Connection) -> bool {
    tls(connection).is_some_and(|facts| client_left_first(connection, facts))
}

/// Whether the client offered the newest version of TLS.
pub(super) fn offers_newest(connection: &Connection) -> bool {
    let hello = tls(connection).and_then(|facts| facts.hello.as_ref());
    hello.is_some_and(|(_, hello)| hello.versions.contains(&TlsVersion::TLS_13))
}

/// Whether a draft was offered.
pub(super) fn offers_draft(connection: &Connection) -> bool {
    let hello = tls(connection).and_then(|facts| facts.hello.as_ref());
    hello.is_some_and(|(_, hello)| hello.versions.iter().any(|it| it.is_draft()))
}

/// Whether the client may have refused the certificate for its issuer, as far as its alert and its library tell.
fn may_be_about_issuer(connection: &Connection) -> bool {
    let issuer = [WireEvent::TlsCertUntrusted, WireEvent::TlsIssuerUnknown];
    match alert(connection).and_then(Alert::code) {
        Some(43..=45) => false,
        Some(code) => certificate_alert(connection, code)
            .is_none_or(|(_, causes)| causes.iter().any(|it| issuer.contains(it))),
        None => true,
    }
}

/// Whether the server's certificate was sent in the clear, and is none.
fn is_broken(connection: &Connection) -> bool {
    tls(connection).is_some_and(TlsFacts::has_broken_certificate)
}

fn chain_end(connection: &Connection) -> Option<ChainEnd> {
    tls(connection)?.chain_end()
}

/// Whether the reason of the first Close has these words in it.
fn mentions(connection: &Connection, words: &str) -> Option<bool> {
    let (_, close) = connection.websocket.as_deref()?.first_close()?;
    Some(memchr::memmem::find(close.reason.as_bytes(), words.as_bytes()).is_some())
}

/// The side that reported an error, in a protocol other than HTTP.
fn reported(connection: &Connection) -> Option<Who> {
    let complaint = connection.dialogue.as_deref()?.complaint.as_ref()?;
    Some(Who::of(complaint.by))
}

/// The request of the last exchange.
fn last_request(connection: &Connection) -> Option<&Message> {
    let last = connection.exchanges.last()?;
    last.request.as_ref().map(|it| &it.message)
}

/// From the last frame of the WebSocket to the close of its connection.
pub(super) fn silence(connection: &Connection) -> Option<std::time::Duration> {
    let websocket = connection.websocket.as_ref()?;
    let last = websocket.last()?;
    Some(connection.teardown.frame_ref().time.since(last.time))
}

/// No router stands between the place of capture and the host that does not answer.
fn is_beside_silent(connection: &Connection) -> bool {
    let silent = unanswered::silence(connection).map(|(who, _)| who.other());
    silent.is_some() && beside(connection) == silent
}

/// What got no answer in the end had been acknowledged before.
fn repeats_acknowledged(connection: &Connection) -> bool {
    unanswered::silence(connection).is_some_and(|(_, it)| it.acknowledged.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;
    use crate::rules::remedy::{Remedy, applied};

    const HELLO: &str = "ClientHello [sni=a version=1.2] -->\n";
    const ANSWER: &str = "<-- ServerHello Certificate [name=a] ServerHelloDone\n";
    const H2: &str = "h2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\n";
    const WS: &str = "GET /ws [connection=Upgrade upgrade=websocket] -->\n\
                      <-- 101 [connection=Upgrade upgrade=websocket]\n";

    /// A ClientHello that offers draft 16 of TLS 1.3, and TLS 1.2.
    const DRAFT: &str = "\"\\x16\\x03\\x01\\x00\\x38\\x01\\x00\\x00\\x34\\x03\\x03abcdefghijklmnopqrstuvwxyz012345\\x00\\x00\\x02\\x13\\x01\\x01\\x00\\x00\\x09\\x00\\x2b\\x00\\x05\\x04\\x7f\\x10\\x03\\x03\" -->";

    /// Each condition with a value, what precedes, what follows where it holds, and where it does not.
    const BOTH_SIDES: &[(&str, &str, &str, &str)] = &[
        (
            "the connection began with a PROXY header",
            "",
            "\"PROXY TCP4 10.0.0.9 10.0.0.2 40000 80\\r\\n\" -->\nGET / -->",
            "GET / -->",
        ),
        (
            "the connection began without a PROXY header",
            "",
            "GET / -->",
            "\"PROXY TCP4 10.0.0.9 10.0.0.2 40000 80\\r\\n\" -->\nGET / -->",
        ),
        (
            "the alert was internal_error",
            HELLO,
            "<-- alert 80",
            "<-- alert 40",
        ),
        (
            "the alert was encrypted",
            "ClientHello [sni=a version=1.3] -->\n<-- ServerHello [version=1.3]\n",
            "app 19 -->\nFIN -->",
            "alert 40 -->\nFIN -->",
        ),
        (
            "the alert was not encrypted",
            "ClientHello [sni=a version=1.3] -->\n<-- ServerHello [version=1.3]\n",
            "alert 40 -->\nFIN -->",
            "app 19 -->\nFIN -->",
        ),
        (
            "the server sent the alert",
            HELLO,
            "<-- alert 80",
            "alert 80 -->",
        ),
        (
            "the client sent the alert",
            HELLO,
            "alert 80 -->",
            "<-- alert 80",
        ),
        (
            "the client had fallen back",
            "",
            "ClientHello [version=1.1 fallback] -->",
            "ClientHello [version=1.1] -->",
        ),
        (
            "the client had not fallen back",
            "",
            "ClientHello [version=1.1] -->",
            "ClientHello [version=1.1 fallback] -->",
        ),
        (
            "a draft was offered",
            "",
            DRAFT,
            "ClientHello [version=1.2] -->",
        ),
        (
            "no draft was offered",
            "",
            "ClientHello [version=1.2] -->",
            DRAFT,
        ),
        (
            "TLS 1.3 was offered",
            "",
            "ClientHello [version=1.3] -->",
            "ClientHello [version=1.2] -->",
        ),
        (
            "only older versions were offered",
            "",
            "ClientHello [version=1.2] -->",
            "ClientHello [version=1.3] -->",
        ),
        (
            "TLS 1.3 was used",
            "ClientHello -->\n",
            "<-- ServerHello [version=1.3]",
            "<-- ServerHello",
        ),
        (
            "TLS 1.2 or older was used",
            "ClientHello -->\n",
            "<-- ServerHello",
            "<-- ServerHello [version=1.3]",
        ),
        (
            "the client sent a server name",
            "",
            "ClientHello [sni=a] -->",
            "ClientHello -->",
        ),
        (
            "the client sent no server name",
            "",
            "ClientHello -->",
            "ClientHello [sni=a] -->",
        ),
        (
            "the server had answered the ClientHello",
            HELLO,
            "<-- ServerHello\nFIN -->",
            "FIN -->",
        ),
        (
            "the server had not answered the ClientHello",
            HELLO,
            "FIN -->",
            "<-- ServerHello\nFIN -->",
        ),
        (
            "the response behind another one answered nothing",
            "",
            "GET / -->\n<-- 200 \"one\"\n+1ms <-- 200 \"two\"",
            "GET / -->\n<-- 200 \"one\"\n+9s <-- 408 \"late\"",
        ),
        (
            "no response came directly behind another one",
            "",
            "GET / -->\n<-- 200 \"one\"\n+9s <-- 408 \"late\"",
            "GET / -->\n<-- 200 \"one\"\n+1ms <-- 200 \"two\"",
        ),
        ("the server closed first", HELLO, "<-- FIN", "FIN -->"),
        ("the client closed first", HELLO, "FIN -->", "<-- FIN"),
        (
            "the client ended the session first",
            HELLO,
            "<-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\nclose_notify -->\n<-- FIN",
            "<-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\n<-- FIN",
        ),
        (
            "the client had not ended the session first",
            HELLO,
            "<-- FIN",
            "FIN -->",
        ),
        (
            "neither side closed first",
            HELLO,
            "<-- RST [ttl=9]",
            "<-- FIN",
        ),
        ("the client sent a ClientHello", "", HELLO, "GET / -->"),
        ("the client sent no ClientHello", "", "GET / -->", HELLO),
        (
            "the server spoke another protocol than HTTP",
            HELLO,
            "<-- \"220 mail.example ESMTP\\r\\n\"",
            "<-- 400 \"no\"",
        ),
        (
            "the server spoke no other protocol than HTTP",
            HELLO,
            "<-- 400 \"no\"",
            "<-- \"220 mail.example ESMTP\\r\\n\"",
        ),
        (
            "the GOAWAY said NO_ERROR",
            H2,
            "<-- h2 GOAWAY 0 NO_ERROR",
            "<-- h2 GOAWAY 0 PROTOCOL_ERROR",
        ),
        (
            "the GOAWAY named too_many_pings",
            H2,
            "<-- h2 GOAWAY 0 ENHANCE_YOUR_CALM \"too_many_pings\"",
            "<-- h2 GOAWAY 0 ENHANCE_YOUR_CALM",
        ),
        (
            "the GOAWAY did not name too_many_pings",
            H2,
            "<-- h2 GOAWAY 0 ENHANCE_YOUR_CALM",
            "<-- h2 GOAWAY 0 ENHANCE_YOUR_CALM \"too_many_pings\"",
        ),
        (
            "the GOAWAY blames the other side",
            H2,
            "<-- h2 GOAWAY 0 ENHANCE_YOUR_CALM",
            "<-- h2 GOAWAY 0 NO_ERROR",
        ),
        (
            "the server sent the GOAWAY",
            H2,
            "<-- h2 GOAWAY 0 PROTOCOL_ERROR",
            "h2 GOAWAY 0 PROTOCOL_ERROR -->",
        ),
        (
            "streams were lost with the connection",
            H2,
            "h2 HEADERS 1 GET / END -->\n<-- h2 GOAWAY 1 NO_ERROR FIN",
            "<-- h2 GOAWAY 0 NO_ERROR FIN",
        ),
        (
            "streams lay above the last one",
            H2,
            "h2 HEADERS 1 GET / END -->\n<-- h2 GOAWAY 0 NO_ERROR FIN",
            "<-- h2 GOAWAY 0 NO_ERROR FIN",
        ),
        (
            "no stream was lost",
            H2,
            "<-- h2 GOAWAY 0 NO_ERROR FIN",
            "h2 HEADERS 1 GET / END -->\n<-- h2 GOAWAY 1 NO_ERROR FIN",
        ),
        (
            "the alert may be about the issuer",
            HELLO,
            "alert 46 -->\nFIN -->\n<-- FIN\nACK -->",
            "alert 44 -->\nFIN -->\n<-- FIN\nACK -->",
        ),
        (
            "the alert is not about the issuer",
            HELLO,
            "alert 45 -->\nFIN -->\n<-- FIN\nACK -->",
            "alert 48 -->\nFIN -->\n<-- FIN\nACK -->",
        ),
        (
            "the stream was reset with REFUSED_STREAM",
            H2,
            "h2 HEADERS 1 GET / END -->\n<-- h2 RST_STREAM 1 REFUSED_STREAM",
            "h2 HEADERS 1 GET / END -->\n<-- h2 RST_STREAM 1 CANCEL",
        ),
        (
            "the client reset the stream",
            H2,
            "h2 HEADERS 1 GET / END -->\nh2 RST_STREAM 1 PROTOCOL_ERROR -->",
            "h2 HEADERS 1 GET / END -->\n<-- h2 RST_STREAM 1 PROTOCOL_ERROR",
        ),
        (
            "the server reset the stream",
            H2,
            "h2 HEADERS 1 GET / END -->\n<-- h2 RST_STREAM 1 PROTOCOL_ERROR",
            "h2 HEADERS 1 GET / END -->\nh2 RST_STREAM 1 PROTOCOL_ERROR -->",
        ),
        (
            "the server did not reset the stream",
            H2,
            "h2 HEADERS 1 GET / END h2 RST_STREAM 1 CANCEL -->",
            "h2 HEADERS 1 GET / END -->\n<-- h2 RST_STREAM 1 PROTOCOL_ERROR",
        ),
        (
            "PostgreSQL was spoken",
            "",
            r#""\0\0\0\x12\0\x03\0\0user\0me\0\0\0" -->
<-- "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I""#,
            "GET / -->",
        ),
        (
            "the response had no status line",
            "GET / -->\n",
            "<-- \"hello\\r\\n\\r\\n\"\n<-- FIN",
            "<-- \"http/1.1 200 OK\\r\\n\\r\\n\"\n<-- FIN",
        ),
        (
            "line ends may stand in a value",
            "GET / -->\n",
            r#"<-- "HTTP/1.1 200 OK\r\nA: b\r\nc\r\nContent-Length: 0\r\n\r\n""#,
            r#"<-- "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n""#,
        ),
        (
            "a chunk was at fault",
            "",
            r#""POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" -->"#,
            r#""POST / HTTP/1.1\r\nContent Length: 1\r\n\r\n" -->"#,
        ),
        (
            "no chunk was at fault",
            "",
            r#""POST / HTTP/1.1\r\nContent Length: 1\r\n\r\n" -->"#,
            r#""POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" -->"#,
        ),
        (
            "HTTP/1.0 had a transfer coding",
            "GET / -->\n",
            r#"<-- "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n""#,
            r#"<-- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n""#,
        ),
        (
            "HTTP/1.0 had no transfer coding",
            "GET / -->\n",
            r#"<-- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n""#,
            r#"<-- "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n""#,
        ),
        (
            "the response may have a body",
            "GET / -->\n",
            r#"<-- "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc""#,
            r#"<-- "HTTP/1.1 204 No Content\r\n\r\nabc""#,
        ),
        (
            "the response may have no body",
            "GET / -->\n",
            r#"<-- "HTTP/1.1 204 No Content\r\n\r\nabc""#,
            r#"<-- "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc""#,
        ),
        (
            "a lenient parser accepts it",
            "GET / -->\n",
            r#"<-- "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n""#,
            r#"<-- "HTTP/1.1 200 OK\r\nA b\r\n c\r\nContent-Length: 0\r\n\r\n""#,
        ),
        (
            "the client spoke HTTP/2",
            "",
            "h2 preface h2 SETTINGS -->\n<-- 400 \"no\"",
            "GET / -->\n<-- h2 SETTINGS",
        ),
        (
            "the client spoke HTTP/1",
            "",
            "GET / -->\n<-- h2 SETTINGS",
            "h2 preface h2 SETTINGS -->\n<-- 400 \"no\"",
        ),
        (
            "the request was refused with 413",
            "POST / \"a\" -->\n",
            "<-- 413 \"no\"",
            "<-- 431 \"no\"",
        ),
        (
            "the user or the password was refused",
            "<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n<-- \"250 mx\\r\\n\"\n\"AUTH PLAIN AGEAYg==\\r\\n\" -->\n",
            "<-- \"535 5.7.8 no\\r\\n\"",
            "<-- \"538 5.7.11 encrypt\\r\\n\"",
        ),
        (
            "neither user nor password was refused",
            "<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n<-- \"250 mx\\r\\n\"\n\"AUTH PLAIN AGEAYg==\\r\\n\" -->\n",
            "<-- \"538 5.7.11 encrypt\\r\\n\"",
            "<-- \"535 5.7.8 no\\r\\n\"",
        ),
        (
            "a client certificate was wanted",
            "GET / -->\n",
            "<-- 400 \"<center>No required SSL certificate was sent</center>\"",
            "<-- 400 \"no\"",
        ),
        (
            "a WebSocket was refused",
            "GET /ws [connection=Upgrade upgrade=websocket] -->\n",
            "<-- 403 \"no\"",
            "<-- 101 [connection=Upgrade upgrade=websocket]",
        ),
        (
            "an upload was refused",
            "POST / [length=9000] data 1000 -->\n",
            "<-- 403 \"no\"\nACK -->",
            "<-- 413 \"no\"\nACK -->",
        ),
        (
            "the request's head was not complete",
            "",
            "\"GET / HTTP/1.1\\r\\nHost: a\\r\\n\" -->",
            "POST / [length=9] data 1 -->",
        ),
        (
            "the request's head was complete",
            "",
            "POST / [length=9] data 1 -->",
            "\"GET / HTTP/1.1\\r\\nHost: a\\r\\n\" -->",
        ),
        (
            "the reported code was 550, 421",
            "<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n",
            "<-- \"421 4.4.2 late\\r\\n\" FIN",
            "<-- \"500 what\\r\\n\" FIN",
        ),
        (
            "the server reported the error",
            "<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n",
            "<-- \"421 4.4.2 late\\r\\n\" FIN",
            "<-- \"250 mx\\r\\n\"",
        ),
        (
            "the client reported the error",
            "\"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x1d\\x01\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\" -->\n<-- \"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x1d\\x01\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\"\n",
            "\"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x15\\x03\\x02\\x02\" FIN -->",
            "<-- \"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x15\\x03\\x02\\x02\" FIN",
        ),
        (
            "the reported text mentions Timeout, 4.4.2",
            "<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n",
            "<-- \"421 4.4.2 late\\r\\n\" FIN",
            "<-- \"421 4.7.0 too late\\r\\n\" FIN",
        ),
        (
            "the close reason mentions ping timeout",
            WS,
            "<-- ws close 1011 \"keepalive ping timeout\"",
            "<-- ws close 1011 \"failed\"",
        ),
        (
            "the close reason does not mention ping timeout",
            WS,
            "<-- ws close 1011 \"failed\"",
            "<-- ws close 1011 \"keepalive ping timeout\"",
        ),
        (
            "only smaller segments had come through",
            "",
            "POST / [length=9000] -->\n<-- ACK\ndata 1400 [lost] -->\n+300ms again [lost] -->\n+600ms again [lost] -->\n+1200ms again [lost] -->",
            "POST / [length=9000] -->\n<-- ACK\ndata 1400 -->\n<-- ACK\ndata 1400 [lost] -->\n+300ms again [lost] -->\n+600ms again [lost] -->\n+1200ms again [lost] -->",
        ),
        (
            "the data had been acknowledged",
            "GET / -->\n<-- ACK [lost]\n",
            "+300ms again -->\n+600ms again -->\n+900ms again -->",
            "\"x\" -->\n+300ms again -->\n+600ms again -->\n+900ms again -->",
        ),
        (
            "the data was not acknowledged",
            "GET / -->\n",
            "+300ms again -->\n+600ms again -->\n+900ms again -->",
            "<-- ACK [lost]\n+300ms again -->\n+600ms again -->\n+900ms again -->",
        ),
        (
            "the close code was 1011",
            WS,
            "<-- ws close 1011",
            "<-- ws close 1009",
        ),
        (
            "the WebSocket had been silent for 2 s or more",
            WS,
            "ws text 5 -->\n+2s <-- FIN",
            "ws text 5 -->\n+1s <-- FIN",
        ),
        (
            "the WebSocket had been silent for under 10 s",
            WS,
            "ws text 5 -->\n+9s <-- FIN",
            "ws text 5 -->\n+10s <-- FIN",
        ),
    ];

    /// Those about a certificate: what it is where the condition holds, and where it does not. Certificates are only
    /// parsed in builds with this feature.
    #[cfg(feature = "decrypt")]
    const CERTIFICATES: &[(&str, &str, &str)] = &[
        (
            "the issuer of the certificate was not sent",
            "name=a",
            "name=a self-signed",
        ),
        ("the certificate cannot be parsed", "broken", "name=a"),
        (
            "the certificate signs itself",
            "name=a self-signed",
            "name=a",
        ),
        (
            "the certificate is not known to sign itself",
            "name=a",
            "name=a self-signed",
        ),
        (
            "the certificate had expired",
            "name=a expired",
            "name=a early",
        ),
        (
            "the certificate was not valid yet",
            "name=a early",
            "name=a expired",
        ),
    ];

    fn fits(condition: &'static str, ladder: &str) -> bool {
        let remedy = Remedy::from_table(format!("*If {condition}:* Do it.").leak());
        assert!(remedy.is_conditional(), "{condition} is not in the table");
        let ladder = format!("SYN -->\n<-- SYN\nACK -->\n{ladder}");
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        remedy.fits(&proof.connections[0])
    }

    #[test]
    fn every_condition_holds_here_and_not_there() {
        for (condition, before, here, there) in BOTH_SIDES {
            assert!(fits(condition, &format!("{before}{here}")), "{condition}");
            assert!(
                !fits(condition, &format!("{before}{there}")),
                "not {condition}"
            );
        }
    }

    #[cfg(feature = "decrypt")]
    #[test]
    fn every_condition_on_a_certificate_holds_here_and_not_there() {
        let with = |certificate: &str| format!("{HELLO}{}", ANSWER.replace("name=a", certificate));
        for (condition, here, there) in CERTIFICATES {
            assert!(fits(condition, &with(here)), "{condition}");
            assert!(!fits(condition, &with(there)), "not {condition}");
        }
        assert!(fits("the certificate is hidden", HELLO));
        assert!(!fits("the certificate is hidden", &with("name=a")));
        let tested = |phrase: &str| {
            let plain = BOTH_SIDES.iter().map(|(condition, ..)| *condition);
            let shown = CERTIFICATES.iter().map(|(condition, ..)| *condition);
            plain
                .chain(shown)
                .any(|condition| applied(condition).is_some_and(|it| it.condition.phrase == phrase))
        };
        for condition in CONDITIONS {
            let phrase = condition.phrase;
            // A ladder is one place; two are compared on recordings.
            let elsewhere = [
                "the certificate is hidden",
                // Hop limits are those of whole connections; `silent_host.rs` has them.
                "the capture was taken beside the silent host",
                "the capture was not taken beside the silent host",
                "one place alone was captured",
                "the server's data was lost between two places",
                "the client's data was lost between two places",
                "no other place shows that data was lost",
            ];
            assert!(
                tested(phrase) || elsewhere.contains(&phrase),
                "{phrase} has no ladders"
            );
        }
    }
}
