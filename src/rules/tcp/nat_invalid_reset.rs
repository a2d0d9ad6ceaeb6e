//! The client's host reset a transfer in which its own program was still engaged.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Phase, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// In the middle of a response the client's host sent a RST that says "there is no such connection", although it had not
    /// closed it, right after a segment of the server that lay outside of what was expected.
    ///
    /// # Why it matters
    ///
    /// A host that translates addresses for others (a container or Kubernetes node, a router) lets segments that its
    /// connection tracking finds invalid pass untranslated. They reach the node itself, which has no such connection and
    /// resets it. Transfers at high rates over lossy ways break now and then with "connection reset by peer", on both ends
    /// at once.
    ///
    /// # Remedy
    ///
    /// - Set `net.netfilter.nf_conntrack_tcp_be_liberal=1` on the node, or drop what is INVALID in its FORWARD chain.
    /// - Capture inside the container as well: if its own side shows no RST, this is it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.040                     <--  200 data 1000 [length=900000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  data 1000 [seq=900000000]
    ///  0.061  RST [noack]        -->
    ///  => findings client-left-mid-response nat-invalid-reset
    /// ```
    ///
    /// # Not this
    ///
    /// A program that leaves in the middle resets with an acknowledgement, or closes first:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /big           -->
    ///  0.040                     <--  200 data 1000 [length=900000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  data 1000
    ///  0.061  RST                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.2, §3.10.7.4; RFC 5961 §5.
    pub(super) RULE: "nat-invalid-reset", Severity::Error,
    "a node reset a transfer that its client was in the middle of", Check::Connection(check)
}

/// A client whose program ended long before is another case.
const RECENT: Duration = Duration::from_secs(1);

fn check(connection: &Connection) -> Verdict {
    let teardown = &connection.teardown;
    let (By::Client, How::Reset(ResetKind::NoSocket)) = (teardown.by, teardown.how) else {
        return Verdict::Clear;
    };
    if !matches!(teardown.phase, Phase::ResponseHead | Phase::ResponseBody)
        || connection.fin[Who::Client as usize].is_some()
        || connection.out_of_range[Who::Server as usize] == 0
    {
        return Verdict::Clear;
    }
    let response = connection
        .exchanges
        .last()
        .and_then(|it| it.response.as_ref());
    let (Some(reset), Some(response)) = (connection.reset[Who::Client as usize], response) else {
        return Verdict::Clear;
    };
    if reset.frame_ref.time.since(response.message.last.time) > RECENT {
        return Verdict::Clear;
    }
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Error,
        certainty: Certainty::Possible,
        summary: "transfers were reset by a node that does not know them".into(),
        message: format!(
            "The client's host reset the connection in the middle of a response, with a RST for want of a socket, though it \
             had not closed it. {} of the server's segments lay outside of what was expected: a translator may have let one \
             through untranslated.",
            connection.out_of_range[Who::Server as usize]
        ).into(),
        evidence: vec![
            shows(
                response.message.last,
                "the last of the response that was in order",
            ),
            shows(reset.frame_ref, "RST without ACK from the client's address"),
        ],
        remedies: RULE.remedies(),
    }))
}
