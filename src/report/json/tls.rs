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
pub(super) struct TlsRow<'a> {
    sni: Option<Cow<'a, str>>,
    stage: &'static str,
    offered: Option<OfferRow<'a>>,
    version: Option<String>,
    cipher: Option<u16>,
    alpn: Option<Cow<'a, str>>,
    resumed: Option<bool>,
    retried: bool,
    certificates: Option<Vec<CertificateRow<'a>>>,
    client_certificate: &'static str,
    alerts: Vec<AlertRow>,
    plain: Option<&'static str>,
    decrypted: bool,
    not_decrypted: Option<&'static str>,
    application: BothSides<FlowRow>,
    last_word: Option<&'static str>,
}

#[derive(Serialize)]
struct OfferRow<'a> {
    frame: u64,
    versions: Vec<String>,
    ciphers: &'a [u16],
    alpn: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct CertificateRow<'a> {
    subject: Cow<'a, str>,
    issuer: Cow<'a, str>,
    from: JsonTime,
    until: JsonTime,
    names: Vec<Cow<'a, str>>,
    addresses: &'a [IpAddr],
    key: String,
    signature: &'a str,
    authority: bool,
    valid: bool,
    names_server: Option<bool>,
}

#[derive(Serialize)]
struct AlertRow {
    frame: u64,
    by: &'static str,
    level: Option<&'static str>,
    code: Option<u8>,
    name: Option<&'static str>,
    certainty: &'static str,
}

#[derive(Serialize)]
struct FlowRow {
    records: u64,
    bytes: u64,
    first_frame: Option<u64>,
    last_frame: Option<u64>,
    close_notify: Option<NotifyRow>,
}

#[derive(Serialize)]
struct NotifyRow {
    frame: u64,
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
