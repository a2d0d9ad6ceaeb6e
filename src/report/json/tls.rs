//! TLS in the machine-readable report.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::row::{BothSides, JsonTime};
use crate::analysis::connection::Who;
use crate::base::certainty::Certainty;
use crate::base::escape::escape;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::tls::{
    Alert, Certificate, ClientCertificate, CloseNotify, TlsFacts, alert_name,
};

/// The TLS facts of one connection.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TlsRow<'a> {
    /// The server name that the client asked for.
    sni: Option<Cow<'a, str>>,
    /// How far the handshake came.
    stage: &'static str,
    /// What the client offered.
    offered: Option<OfferRow<'a>>,
    /// The version agreed on.
    version: Option<String>,
    /// The cipher suite agreed on, as in the IANA registry.
    cipher: Option<u16>,
    /// The protocol agreed on.
    alpn: Option<Cow<'a, str>>,
    /// Whether a session was resumed.
    resumed: Option<bool>,
    /// Whether the server sent a HelloRetryRequest.
    retried: bool,
    /// The server's chain; `null` if it was not readable.
    certificates: Option<Vec<CertificateRow<'a>>>,
    /// Whether the client was asked for a certificate, and sent one.
    #[cfg_attr(test, schemars(extend("enum" = ["not-asked", "asked", "missing", "sent"])))]
    client_certificate: &'static str,
    /// The alerts.
    alerts: Vec<AlertRow>,
    /// The side that sent plain text where TLS was expected.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server", null])))]
    plain: Option<&'static str>,
    /// Whether the records were decrypted.
    decrypted: bool,
    /// Why not, if secrets were there.
    not_decrypted: Option<&'static str>,
    /// Application data of each side.
    application: BothSides<FlowRow>,
    /// The side that sent the last application data.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server", null])))]
    last_word: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OfferRow<'a> {
    /// The frame of the ClientHello.
    frame: u64,
    /// TLS versions.
    versions: Vec<String>,
    /// Cipher suites, as in the IANA registry.
    ciphers: &'a [u16],
    /// Protocols.
    alpn: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CertificateRow<'a> {
    /// Its subject.
    subject: Cow<'a, str>,
    /// Its issuer.
    issuer: Cow<'a, str>,
    /// Valid from.
    from: JsonTime,
    /// Valid until.
    until: JsonTime,
    /// DNS names.
    names: Vec<Cow<'a, str>>,
    /// IP addresses.
    addresses: &'a [IpAddr],
    /// The key's kind and size.
    key: String,
    /// The signature's algorithm.
    signature: &'a str,
    /// Whether it may sign others.
    authority: bool,
    /// Whether it was valid at that time.
    valid: bool,
    /// Whether it names the server that the client asked for; `null` if that is not known.
    names_server: Option<bool>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AlertRow {
    /// The frame.
    frame: u64,
    /// Its sender.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    by: &'static str,
    /// Its level; `null` if it is encrypted.
    #[cfg_attr(test, schemars(extend("enum" = ["warning", "fatal", null])))]
    level: Option<&'static str>,
    /// Its code.
    code: Option<u8>,
    /// Its name in RFC 8446.
    name: Option<&'static str>,
    /// `likely` if only its length shows it.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "possible"])))]
    certainty: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FlowRow {
    /// Records.
    records: u64,
    /// Bytes of records.
    bytes: u64,
    /// The first frame.
    first_frame: Option<u64>,
    /// The last frame.
    last_frame: Option<u64>,
    /// The close_notify.
    close_notify: Option<NotifyRow>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NotifyRow {
    /// The frame.
    frame: u64,
    /// `likely` if only its length shows it.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "possible"])))]
    certainty: &'static str,
}

const fn side(end: FlowEnd) -> &'static str {
    match end {
        FlowEnd::A => "client",
        FlowEnd::B => "server",
    }
}

fn frame(frame_ref: FrameRef) -> u64 {
    frame_ref.frame.0
}

impl<'a> TlsRow<'a> {
    pub(super) fn new(facts: &'a TlsFacts) -> Self {
        let hello = facts.hello.as_ref();
        let answer = facts.answer.as_ref().map(|(_, answer)| answer);
        let sni = hello.and_then(|(_, hello)| hello.sni.as_deref());
        Self {
            sni: sni.map(escape),
            stage: facts.stage.name(),
            offered: hello.map(|(at, hello)| OfferRow {
                frame: frame(*at),
                versions: hello.versions.iter().map(ToString::to_string).collect(),
                ciphers: &hello.ciphers,
                alpn: hello.alpn.iter().map(|name| escape(name)).collect(),
            }),
            version: answer.map(|answer| answer.version.to_string()),
            cipher: answer.map(|answer| answer.cipher),
            alpn: answer.and_then(|answer| answer.alpn.as_deref()).map(escape),
            resumed: answer.map(|answer| answer.resumed),
            retried: facts.retried.is_some(),
            certificates: facts.certificates.as_ref().map(|(at, chain)| {
                let rows = chain.iter().enumerate();
                rows.map(|(index, certificate)| {
                    let named = facts.sni().filter(|_| index == 0);
                    CertificateRow::new(certificate, *at, named)
                })
                .collect()
            }),
            client_certificate: match facts.client_certificate {
                ClientCertificate::NotAsked => "not-asked",
                ClientCertificate::Asked(_) => "asked",
                ClientCertificate::Missing(..) => "missing",
                ClientCertificate::Sent(_) => "sent",
            },
            alerts: facts.alerts.iter().map(AlertRow::new).collect(),
            plain: facts.plain.map(side),
            decrypted: facts.is_open,
            not_decrypted: facts.why_closed(),
            application: BothSides::of(|who| FlowRow::new(facts, who)),
            last_word: facts.last_word().map(side),
        }
    }
}

impl<'a> CertificateRow<'a> {
    fn new(certificate: &'a Certificate, at: FrameRef, sni: Option<&str>) -> Self {
        let names = certificate.names.iter();
        Self {
            subject: escape(certificate.subject.as_bytes()),
            issuer: escape(certificate.issuer.as_bytes()),
            from: JsonTime(certificate.from.time()),
            until: JsonTime(certificate.until.time()),
            names: names.map(|name| escape(name.as_bytes())).collect(),
            addresses: &certificate.addresses,
            key: certificate.key.to_string(),
            signature: &certificate.signature,
            authority: certificate.is_authority,
            valid: certificate.is_valid_at(at.time),
            names_server: sni.and_then(|name| certificate.is_for(name)),
        }
    }
}

impl AlertRow {
    fn new(alert: &Alert) -> Self {
        let certainty = match alert.said {
            Some(_) => Certainty::Certain,
            None => Certainty::Likely,
        };
        Self {
            frame: frame(alert.at),
            by: side(alert.from),
            level: alert
                .said
                .map(|(level, _)| if level == 1 { "warning" } else { "fatal" }),
            code: alert.code(),
            name: alert.code().and_then(alert_name),
            certainty: certainty.name(),
        }
    }
}

impl FlowRow {
    fn new(facts: &TlsFacts, who: Who) -> Self {
        let flow = &facts.flows[who as usize];
        Self {
            records: flow.records,
            bytes: flow.bytes,
            first_frame: flow.first.map(frame),
            last_frame: flow.last.map(frame),
            close_notify: match flow.close_notify {
                CloseNotify::Notify(at, certainty) => Some(NotifyRow {
                    frame: frame(at),
                    certainty: certainty.name(),
                }),
                CloseNotify::None | CloseNotify::Unclear => None,
            },
        }
    }
}
