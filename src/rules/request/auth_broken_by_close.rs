//! A connection was closed between the rounds of an authentication.

use crate::analysis::connection::{By, Connection, How, Opening};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, FieldName, Persistence};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The server sent a challenge of NTLM or Negotiate (401 with a token, or 407 from a proxy). The client must answer it on the same connection. The connection was closed instead. The server's log shows 401 after 401, and the user sees
    /// login windows without end.
    ///
    /// # Why it matters
    ///
    /// These schemes authenticate the connection, not the request. On a new connection the authentication begins again, and
    /// never ends.
    ///
    /// # Remedy
    ///
    /// - Switch keep-alive on, at the server and at every proxy in front of it. A challenge must not say `Connection: close`.
    /// - Also let proxies and load balancers tie one client connection to one server connection (NTLM affinity). Or use a
    ///   scheme that does not need it (Kerberos in one leg, tokens).
    ///
    /// # Tell it by
    ///
    /// A 401 or 407 with an NTLM or Negotiate token is followed by a close instead of the client's next step.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [authorization="NTLM TlRMTVNTUAABAAAA"] -->
    ///  0.040                     <--  401 "no" [www-authenticate="NTLM TlRMTVNTUAACAAAA" close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings auth-broken-by-close
    /// ```
    ///
    /// The client answers the challenge on another connection:
    ///
    /// ```ladder
    /// client :40001 server
    ///  0.000  GET / [authorization="NTLM TlRMTVNTUAABAAAA"] -->
    ///  0.040                     <--  401 "no" [www-authenticate="NTLM TlRMTVNTUAACAAAA"]
    /// client :40002 server
    ///  0.050  SYN                -->
    ///  0.060                     <--  SYN
    ///  0.070  GET / [authorization="NTLM TlRMTVNTUAADAAAA"] -->
    ///  0.090                     <--  401 "no" [www-authenticate=NTLM]
    ///  => findings auth-broken-by-close
    /// ```
    ///
    /// # Not this
    ///
    /// A single leg that needs no challenge, as in Kerberos:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [authorization="Negotiate YIIGhgYGKwYBBQUC" close] -->
    ///  0.040                     <--  200 "welcome" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A 401 without a token does not begin a handshake:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  401 "no" [www-authenticate=NTLM close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// All legs on one connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [authorization="NTLM TlRMTVNTUAABAAAA"] -->
    ///  0.040                     <--  401 "no" [www-authenticate="NTLM TlRMTVNTUAACAAAA"]
    ///  0.050  GET / [authorization="NTLM TlRMTVNTUAADAAAA" close] -->
    ///  0.070                     <--  200 "welcome" [close]
    ///  0.071                     <--  FIN
    ///  0.080  FIN                -->
    ///  0.090                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// Other schemes authenticate the request, not the connection:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  401 "no" [www-authenticate="Basic realm=x" close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 4559 §6 (Negotiate over HTTP); RFC 9110 §11.2, §11.7; RFC 9112 §9.3.
    pub(super) RULE: "auth-broken-by-close", Severity::Error,
    "the connection is closed between the legs of NTLM or Negotiate", Check::Connection(check)
}

/// The scheme of the challenge.
fn challenge(exchange: &Exchange) -> Option<&'static str> {
    let name = match exchange.status()? {
        401 => FieldName::WwwAuthenticate,
        407 => FieldName::ProxyAuthenticate,
        _ => return None,
    };
    exchange
        .response_fields(name)
        .filter(|field| field.more)
        .find_map(|field| {
            let scheme = field.value.as_bytes();
            ["NTLM", "Negotiate"]
                .into_iter()
                .find(|name| scheme.eq_ignore_ascii_case(name.as_bytes()))
        })
}

/// The first request of a connection answers a challenge, which was therefore sent on another connection.
fn answered_elsewhere(connection: &Connection) -> Option<Verdict> {
    let first = connection.exchanges.first()?;
    let answer = [FieldName::Authorization, FieldName::ProxyAuthorization]
        .into_iter()
        .flat_map(|name| first.request_fields(name))
        .find(|field| field.answers)?;
    // If the beginning was not captured, the challenge may have preceded it.
    if connection.opening != Opening::Handshake || !connection.client_syn {
        return None;
    }
    let scheme = crate::base::escape::escape(answer.value.as_bytes()).into_owned();
    let outcome = first.status().map(|status| match status {
        401 | 407 => sentence!(
            "The server refused that message with {}.",
            status.to_string()
        ),
        _ => sentence!("The response was {} all the same.", status.to_string()),
    });
    let refused = matches!(first.status(), Some(401 | 407) | None);
    let (severity, certainty) = if refused {
        (Severity::Error, Certainty::Certain)
    } else {
        (Severity::Note, Certainty::Likely)
    };
    Some(
        tell(
            &RULE,
            severity,
            certainty,
            "[Authentication step|# authentication steps] came on another connection",
            sentence!(
                "The first request on this connection carries the {} message that answers a challenge.",
                scheme.clone()
            ),
        )
        .presumes(Some(
            "The server had sent that challenge on another connection, and it holds only there.",
        ))
        .adds(outcome)
        .shows(
            first.request_head_end(),
            format!("{scheme} credentials that answer a challenge"),
        )
        .shows(
            response(first).map(|answer| answer.first),
            "response to these credentials",
        )
        .about(connection),
    )
}

fn check(connection: &Connection) -> Verdict {
    let teardown = &connection.teardown;
    let Some(last) = connection.exchanges.last() else {
        return Verdict::Clear;
    };
    if let Some(found) = answered_elsewhere(connection) {
        return found;
    }
    let Some(scheme) = challenge(last) else {
        return not_yet(connection);
    };
    let Some(answer) = response(last) else {
        return Verdict::Clear;
    };
    if !matches!(teardown.how, How::Fin | How::Reset(_)) {
        return not_yet(connection);
    }
    let announced = answer.persistence() == Persistence::Close;
    let who = match teardown.by {
        By::Server => "server",
        By::Client => "client",
        By::Both => "client and server",
        By::Middlebox => "device on the path",
        By::Nobody => return Verdict::Clear,
    };
    // A client may have closed for other reasons: a user who cancels, a missing password.
    let (severity, certainty) = match teardown.by {
        By::Client if !announced => (Severity::Warning, Certainty::Possible),
        _ => (Severity::Error, teardown.certainty),
    };
    let status = last.status().unwrap_or(0);
    let said = announced.then_some("The challenge itself says `Connection: close`.");
    let close = teardown.frame_ref();
    tell(
        &RULE,
        severity,
        certainty,
        sentence!("[Connection|# connections] closed during the {} handshake", scheme),
        sentence!(
            "The {} carried a challenge of {}, which the client must answer on this connection. The {} closed it.",
            status.to_string(),
            scheme,
            who
        ),
    )
    .adds(said)
    .presumes((certainty != Certainty::Certain).then_some("That close broke the authentication."))
    .shows(Some(answer.first), format!("{status} with a challenge of {scheme}"))
    .shows(Some(close), format!("close by the {who}"))
    .about(connection)
}
