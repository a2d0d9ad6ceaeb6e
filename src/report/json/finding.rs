//! Rows about findings.

use std::borrow::Cow;

use serde::Serialize;

use super::row::{JsonTime, PlaceRow};
use crate::base::escape::harmless;
use crate::base::frame_ref::FrameNames;
use crate::rules::Finding;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct FindingRow<'a> {
    /// Its number, from 1, worst first.
    id: u32,
    /// The rule; `hangup explain RULE` prints its page.
    rule: &'a str,
    /// How bad it is.
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "note", "benign"])))]
    severity: &'static str,
    /// How far the capture proves it.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "possible"])))]
    certainty: &'static str,
    /// The connections, by their `id`.
    connections: &'a [u32],
    /// Further connections, whose details are gone.
    connections_gone: u64,
    /// The client, if there is exactly one.
    client: Option<std::net::IpAddr>,
    /// The server as `address:port`, if there is exactly one.
    server: Option<String>,
    /// The finding that this one follows from; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<u32>,
    /// The headline.
    summary: String,
    /// What happened, and what it means.
    message: Cow<'a, str>,
    /// The frames that prove it, of the first case.
    evidence: Vec<EvidenceRow<'a>>,
    /// What to change, the likeliest first.
    remedies: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EvidenceRow<'a> {
    /// The frame.
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    /// When.
    at: JsonTime,
    /// What it shows.
    note: Cow<'a, str>,
}

impl<'a> FindingRow<'a> {
    pub(super) fn new(finding: &'a Finding, frames: &FrameNames) -> Self {
        let evidence = finding.evidence.iter();
        Self {
            id: finding.id,
            rule: finding.rule,
            severity: finding.severity.name(),
            certainty: finding.certainty.name(),
            connections: &finding.connections,
            connections_gone: finding.gone,
            client: finding.client,
            server: finding.server.map(|server| server.to_string()),
            caused_by: finding.caused_by,
            summary: harmless(&finding.headline()).into_owned(),
            message: harmless(&finding.message),
            evidence: evidence
                .map(|evidence| EvidenceRow {
                    frame: evidence.frame_ref.frame.0,
                    place: PlaceRow::new(evidence.frame_ref.frame, frames),
                    at: JsonTime(evidence.frame_ref.time),
                    note: harmless(&evidence.note),
                })
                .collect(),
            remedies: finding.remedies.iter().map(|it| harmless(it)).collect(),
        }
    }
}
