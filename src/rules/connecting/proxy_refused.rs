//! A proxy refused to forward a request.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How, Phase, ResetKind};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, FieldName, Method};
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The client asked a proxy for a tunnel (`CONNECT`) or for a page of another host, and the proxy refused. It answered
    /// 403 (not allowed), 407 (credentials needed), or 502, 503 or 504 (it cannot reach the host). Or it opened a tunnel and
    /// closed it at once, before any data came back. The client says "Unable to connect to the remote server", "Proxy
    /// CONNECT aborted", "Tunnel connection failed", curl (56).
    ///
    /// # Why it matters
    ///
    /// To the program it looks as if the server were down, although nothing has asked the server. Change a setting at the
    /// proxy, or the proxy settings of the client.
    ///
    /// # Remedy
    ///
    /// - *If the proxy answered 407:* Give the client credentials for one of the offered schemes (.NET `useDefaultCredentials`,
    ///   `proxy-user`).
    /// - *If the proxy answered 403:* Allow this host and port in the proxy's rules, or let the client bypass the proxy for
    ///   it (`NO_PROXY`).
    /// - *If the proxy answered 504:* Find out why the host behind the proxy did not answer in time, or raise the proxy's timeout.
    /// - *If the proxy answered 502 or 503:* Find out why the proxy cannot reach the host: its name resolution, its
    ///   route, the server itself.
    /// - *If the proxy answered 200:* Look in the proxy's log for why it closed the tunnel: often it could not reach the
    ///   host.
    ///
    /// # Tell it by
    ///
    /// The request is a `CONNECT` or names a whole URL, and the response is 403, 407, 502, 503 or 504.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n" -->
    ///  0.040                     <--  403 "no" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings proxy-refused
    /// ```
    ///
    /// The tunnel is closed as soon as it is open:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n" -->
    ///  0.040                     <--  200 [no-length]
    ///  0.050  ACK                -->
    ///  0.060                     <--  FIN
    ///  0.070  FIN                -->
    ///  0.080                     <--  ACK
    ///  => teardown server fin tunnel
    ///  => findings proxy-refused
    /// ```
    ///
    /// # Not this
    ///
    /// A tunnel that carried data both ways:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n" -->
    ///  0.040                     <--  200 [no-length]
    ///  0.050  "hello"            -->
    ///  0.060                     <--  "hello yourself"
    ///  0.070                     <--  FIN
    ///  0.080  FIN                -->
    ///  0.090                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// The client closes the tunnel without using it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n" -->
    ///  0.040                     <--  200 [no-length]
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// A 407 that is answered with credentials, as it should be:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n" -->
    ///  0.040                     <--  407 "who?" [proxy-authenticate=Basic]
    ///  0.050  "GET http://shop.example/ HTTP/1.1\r\nHost: shop.example\r\nProxy-Authorization: Basic eDp5\r\nConnection: close\r\n\r\n" -->
    ///  0.070                     <--  200 "hello" [close]
    ///  0.071                     <--  FIN
    ///  0.080  FIN                -->
    ///  0.090                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// A server's own 403:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /admin [close] -->
    ///  0.040                     <--  403 "no" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §9.3.6 (CONNECT), §11.7 (proxy authentication), §15.5.8 (407); RFC 9112 §3.2.2 (absolute-form).
    pub(super) RULE: "proxy-refused", Severity::Error,
    "a proxy refuses to forward a request", Check::Connection(check)
}

fn refused(exchange: &&Exchange) -> bool {
    matches!(exchange.status(), Some(403 | 407 | 502 | 503 | 504)) && exchange.is_proxied()
}

fn schemes(exchange: &Exchange) -> String {
    let schemes: Vec<_> = exchange
        .response_fields(FieldName::ProxyAuthenticate)
        .map(|field| crate::base::escape::escape(field.value.as_bytes()).into_owned())
        .collect();
    schemes.join(", ")
}

/// The host requested from the proxy.
fn host(exchange: &Exchange) -> String {
    exchange
        .request
        .as_ref()
        .and_then(|request| request.target.as_ref())
        .map(|target| crate::base::escape::shortened(target.as_bytes(), 80).into_owned())
        .unwrap_or_default()
}

fn check(connection: &Connection) -> Verdict {
    let Some(last) = connection.exchanges.iter().rfind(refused) else {
        return tunnel_closed(connection).unwrap_or_else(|| not_yet(connection));
    };
    let Some(status) = last.status() else {
        return Verdict::Clear;
    };
    let credentials = last
        .request_fields(FieldName::ProxyAuthorization)
        .next()
        .is_some();
    let is_last = connection
        .exchanges
        .last()
        .is_some_and(|other| std::ptr::eq(other, last));
    // The first rounds of an authentication are no refusal, as long as the client goes on.
    if status == 407 && !is_last {
        return Verdict::Clear;
    }
    let mut message = Statement::from(sentence!(
        "The proxy answered {} to the request for {}.",
        status,
        host(last)
    ))
    .and(match status {
        403 => sentence!("The proxy does not allow access to that host."),
        407 if credentials => sentence!(
            "The proxy did not accept the credentials (schemes offered: {}).",
            schemes(last)
        ),
        407 => sentence!(
            "The proxy asks for credentials, and the client sent none (schemes offered: {}).",
            schemes(last)
        ),
        504 => sentence!("The host behind it did not answer in time."),
        _ => sentence!("The proxy could not reach the host."),
    });
    let tunnel = last
        .request
        .as_ref()
        .is_some_and(|it| it.method == Method::Connect);
    match status {
        403 | 407 => message.mean("The proxy did not forward the request, so a retry is safe."),
        _ if tunnel => message.mean("No tunnel was opened, so a retry is safe."),
        // The host behind it may have had the request.
        _ => message.mean(repetition(last)),
    }
    // Without credentials the client may return with them, on another connection.
    let severity = if status == 407 && !credentials {
        Severity::Warning
    } else {
        Severity::Error
    };
    tell(
        &RULE,
        severity,
        connection.teardown.certainty,
        match status {
            403 | 407 => sentence!(
                "A proxy refused [a request|requests on # connections] with {}",
                status
            ),
            _ => sentence!(
                "A proxy answered [a request|requests on # connections] with {}",
                status
            ),
        },
        message,
    )
    .shows(last.request_head_end(), "request to the proxy")
    .shows(
        response(last).map(|answer| answer.first),
        format!("response {status}"),
    )
    .about(connection)
}

/// A tunnel that is closed within this time was in effect refused.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The proxy accepted a tunnel and closed it before any byte had come through it.
fn tunnel_closed(connection: &Connection) -> Option<Verdict> {
    let teardown = &connection.teardown;
    let closed = matches!(
        teardown.how,
        How::Fin | How::Reset(ResetKind::Abort | ResetKind::NoSocket)
    );
    if teardown.by != By::Server || !closed || teardown.phase != Phase::Tunnel {
        return None;
    }
    let last = connection.exchanges.last()?;
    let request = last.request.as_ref()?;
    let agreed = response(last)?;
    let [client, server] = connection.sent;
    let came_back = server.bytes.saturating_add(server.missing) > agreed.end();
    let after = teardown.at.since(agreed.last.time);
    if request.method != Method::Connect || came_back || after > AT_ONCE {
        return None;
    }
    let passed = client.bytes.saturating_sub(request.message.end());
    let close = teardown.frame_ref();
    let message = Statement::from(sentence!(
        "The proxy opened a tunnel to {} and closed it {} later.",
        host(last),
        after
    ))
    .and(match passed {
        0 => sentence!("Nothing was sent through it."),
        passed => sentence!(
            "The client had sent {} through it, and nothing came back.",
            Value::exact_bytes(passed)
        ),
    })
    .presuming("The proxy, or the host behind it, did not accept the connection after all.");
    Some(
        tell(
            &RULE,
            Severity::Error,
            teardown.certainty.max(Certainty::Likely),
            "A proxy closed [a tunnel|# tunnels] right after opening [it|them]",
            message,
        )
        .shows(Some(agreed.last), "response that opens the tunnel")
        .shows(Some(close), "close by the proxy")
        .about(connection),
    )
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check::told_by;

    /// What a proxy has passed on may have been processed, whatever the proxy says of it.
    #[test]
    fn a_request_that_the_proxy_passed_on_is_not_retried_blindly() {
        for (asked, status, retry) in [
            (
                "POST http://a/ \"x\"",
                504,
                "Do not retry `POST http://a/` blindly",
            ),
            ("GET http://a/", 502, "is safe to retry (GET is idempotent)"),
            ("POST http://a/ \"x\"", 407, "did not forward the request"),
            (
                "\"CONNECT a:443 HTTP/1.1\\r\\nHost: a:443\\r\\n\\r\\n\"",
                504,
                "No tunnel was opened",
            ),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\nACK -->\n{asked} -->\n+20ms <-- {status} \"no\" [close]\n<-- FIN\nFIN -->\n<-- ACK"
            );
            let told = told_by(&super::RULE, &text).expect("found");
            assert!(told.contains(retry), "{asked}: {told}");
        }
    }
}
