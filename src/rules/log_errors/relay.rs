//! Who opened a connection: the program that its requests name, or a proxy that handed them on.
//!
//! A proxy forwards its client's `User-Agent`, but the errors of the connection that it opens are in its own log. What
//! shows it: fields that proxies add; several agents on one connection; the same request on another connection, which
//! its host served meanwhile; for a connection without a request, that it fell into the time in which its host served
//! one, or that a gateway's error answer followed it at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::client::ends_before_answer;
use crate::analysis::connection::{Author, By, Connection, How, Opening, author};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::knowledge::{LogSide, NamedBy, NamedProduct, Product, Role, WireEvent, identify};
use crate::protocol::http::{Exchange, FieldName, Party, Protocol, Request, SharedText};

/// A gateway answers within this time after the leg behind it failed, if nothing but the time ties the two together.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Clocks of two interfaces, and the order in which they are read.
const SLACK: Duration = Duration::from_millis(2);
/// Upper bound of exchanges in the index.
const MOST: usize = 1 << 20;
/// Exchanges of one host looked at for one connection.
const NEAREST: usize = 64;

/// A request that a host served.
#[derive(Clone, Debug)]
struct Served {
    id: u32,
    from: Timestamp,
    /// When its answer was over, or its connection.
    to: Timestamp,
    /// When the host told that it had failed: by a 502, 503 or 504, or by ending the answer before it was whole.
    failed: Option<Timestamp>,
    client: IpAddr,
    server: Endpoint,
    target: Option<SharedText>,
    agent: Option<SharedText>,
    /// The proxy that answered.
    product: Option<&'static Product>,
}

/// What all connections of a capture show of proxies.
#[derive(Debug, Default)]
pub struct Relays {
    /// By address of the server, in the order of their beginnings.
    by_host: HashMap<IpAddr, Vec<Served>>,
    /// Those whose answer was a gateway's error, in the order of the answers.
    failed: Vec<Served>,
}

/// Who opened a connection.
#[derive(Debug)]
pub(super) enum Opener {
    /// Nothing speaks against the program that its requests name.
    Client,
    /// A proxy: this one, if it is known.
    Proxy(Option<NamedProduct>),
}

impl Relays {
    /// Reads the records that are kept.
    #[must_use]
    pub fn new(connections: &[Arc<Connection>]) -> Self {
        let mut relays = Self::default();
        let exchanges = connections.iter().flat_map(|connection| {
            let exchanges = connection.exchanges.iter();
            exchanges.filter_map(|exchange| served(connection, exchange))
        });
        for served in exchanges.take(MOST) {
            if served.failed.is_some() {
                relays.failed.push(served.clone());
            }
            let host = relays.by_host.entry(served.server.ip).or_default();
            host.push(served);
        }
        relays.failed.sort_by_key(|it| (it.failed, it.id));
        for host in relays.by_host.values_mut() {
            host.sort_by_key(|it| (it.from, it.id));
        }
        relays
    }

    /// Who opened this connection.
    pub(super) fn opener(&self, connection: &Connection) -> Opener {
        let via = connection.exchanges.iter().find_map(|exchange| {
            let last = exchange.request_fields(FieldName::Via).last()?;
            Some(last.value.as_str().unwrap_or_default())
        });
        if let Some(via) = via {
            let last = via.rsplit(',').next().unwrap_or(via);
            return Opener::Proxy(identify(None, None, Some(last), LogSide::Server));
        }
        match self.behind(connection) {
            Some(served) => Opener::Proxy(served.product.map(|product| NamedProduct {
                product,
                version: None,
                by: NamedBy::Answer,
            })),
            None if is_handed_on(connection) => Opener::Proxy(None),
            None => Opener::Client,
        }
    }

    /// The request that this connection was opened or used for by the host that served it.
    fn behind(&self, connection: &Connection) -> Option<&Served> {
        let lost = connection.exchanges.iter().find(|it| !it.is_complete());
        let asked = lost.or_else(|| connection.exchanges.last());
        let request = asked.and_then(|it| it.request.as_ref());
        let begin = request.map_or(connection.first.time, |it| it.message.first.time);
        let end = match connection.teardown.how {
            How::Open => connection.last.time,
            _ => connection.teardown.at,
        };
        let encloses = |it: &&Served| {
            it.id != connection.id
                && it.server != connection.server
                && it.from <= begin.after(SLACK)
                && it.to.after(SLACK) >= end
        };
        let same = |it: &&Served| {
            request.is_none_or(|request| {
                request.target.is_some()
                    && it.target == request.target
                    && it.agent == request.user_agent
            })
        };
        let near = |host: &'_ [Served]| {
            let until = host.partition_point(|it| it.from <= begin.after(SLACK));
            until.saturating_sub(NEAREST)..until
        };
        // The host that opened this connection served the other.
        let own = self.by_host.get(&connection.client.ip);
        let own = own.and_then(|host| {
            let here = |it: &&Served| it.client != connection.client.ip;
            // A host that calls itself shows less: an answer that says what failed, or the request itself.
            let tied = |it: &&Served| here(it) || request.is_some() || at_once(it, end);
            let mut all = host.get(near(host)).unwrap_or_default().iter().rev();
            let named = |it: &&Served| request.is_some() || it.product.is_some();
            all.find(|it| encloses(it) && same(it) && tied(it) && named(it))
        });
        // Another of its addresses did: only an error answer of a gateway, at once and for the same request, says so.
        own.or_else(|| {
            let before = |it: &Served| it.failed.is_some_and(|at| at.after(SLACK) < end);
            let first = self.failed.partition_point(before);
            let later = self.failed.get(first..).unwrap_or_default().iter();
            let mut found = later.take(NEAREST).filter(|it| {
                encloses(it) && same(it) && at_once(it, end) && it.client != connection.client.ip
            });
            let first = found.next();
            // Of two that fit in time alone neither is taken.
            first.filter(|_| request.is_some() || found.next().is_none())
        })
    }
}

/// Whether the host told a failure right after this moment.
fn at_once(served: &Served, end: Timestamp) -> bool {
    served
        .failed
        .is_some_and(|at| at.after(SLACK) >= end && at.since(end) <= AT_ONCE)
}

/// When the server ended an answer before it was whole.
fn cut_at(connection: &Connection, exchange: &Exchange) -> Option<Timestamp> {
    match exchange.cut_by() {
        Some(reset) => (reset.by == Party::Responder).then_some(reset.at.time),
        None if exchange.is_complete() || connection.teardown.by != By::Server => None,
        None => Some(connection.teardown.at),
    }
}

/// What is needed of an exchange to find out what was done for it.
fn served(connection: &Connection, exchange: &Exchange) -> Option<Served> {
    let request = exchange.request.as_ref()?;
    let answer = exchange.response.as_ref().map(|it| &it.message);
    let whole = answer.filter(|it| it.is_complete());
    let failed = match exchange.status() {
        Some(502..=504) => answer.map(|it| it.first.time),
        _ => cut_at(connection, exchange),
    };
    let product = match author(exchange) {
        Author::Gateway(product, _) => Some(product),
        Author::Presumed(product) if matches!(exchange.status(), Some(502..=504)) => product,
        _ => {
            let server = exchange.response.as_ref().and_then(|it| it.server.as_ref());
            let server = server.and_then(SharedText::as_str);
            let named = identify(None, server, None, LogSide::Server);
            named
                .map(|it| it.product)
                .filter(|it| it.role == Role::Proxy)
        }
    };
    Some(Served {
        id: connection.id,
        from: request.message.first.time,
        to: whole.map_or(connection.last.time, |it| it.last.time),
        client: connection.client.ip,
        server: connection.server,
        target: request.target.clone(),
        agent: request.user_agent.clone(),
        failed,
        product,
    })
}

/// Whether it closes a connection that the program named in it would have kept.
fn closes_early(request: &Request) -> bool {
    let agent = request.user_agent.as_ref().and_then(SharedText::as_str);
    let named = agent.and_then(|it| identify(Some(it), None, None, LogSide::Client));
    request.message.connection.close > 0 && named.is_some_and(|it| it.product.keeps_open())
}

/// Whether the requests themselves show that a proxy handed them on.
fn is_handed_on(connection: &Connection) -> bool {
    let requests = connection
        .exchanges
        .iter()
        .filter_map(|it| it.request.as_ref());
    let mut agents = requests.clone().filter_map(|it| it.user_agent.as_ref());
    let first = agents.next();
    requests.clone().any(|it| it.forwarded || closes_early(it))
        || agents.any(|it| Some(it) != first)
}

/// The events of a proxy's connection to a server that speaks another protocol than HTTP.
pub(super) fn opaque(connection: &Connection) -> Vec<Vec<WireEvent>> {
    let opened = matches!(connection.opening, Opening::Handshake | Opening::Midstream);
    let opaque = matches!(connection.protocol, Protocol::Opaque | Protocol::Unknown);
    let event = (opened && opaque)
        .then(|| ends_before_answer(connection))
        .flatten();
    event.map(|it| vec![vec![it]]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Predictor;
    use super::*;
    use crate::analysis::connection::Who;
    use crate::rules::ladder_check;

    /// What is foretold to the opener of the second connection: its program, who names it, and whether it is only a
    /// guess since the request was handed on.
    fn second(ladder: &str) -> (&'static str, Option<NamedBy>, bool) {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let connections: Vec<_> = proof.connections.into_iter().map(Arc::new).collect();
        let mut predictor = Predictor::with(Relays::new(&connections));
        let leg = connections.get(1).expect("two connections");
        let told = predictor.told(leg, Who::Client);
        let first = told.first().expect("a text");
        (first.stack, first.identified_by, first.handed_on)
    }

    const ASKS: &str = "client 10.0.0.1:40000 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\nGET /a [user-agent=curl/8.1] -->\n";
    const LOST: &str =
        "SYN -->\n<-- SYN\nACK -->\nGET /a [user-agent=curl/8.1] -->\n<-- ACK\n<-- RST\n";

    fn answers(by: &str) -> String {
        format!("client 10.0.0.1:40000 server 10.0.0.2:80\n<-- 502 \"x\" [server={by}]\nACK -->")
    }

    fn leg(from: &str, what: &str) -> String {
        format!("client {from}:50000 server 10.0.0.3:8080\n{what}")
    }

    #[test]
    fn the_log_of_a_proxys_leg_is_the_proxys() {
        for from in ["10.0.0.2", "10.9.0.2"] {
            let answer = answers("nginx/1.22.1");
            let lost = second(&format!("{ASKS}{}{answer}", leg(from, LOST)));
            assert_eq!(lost, ("nginx", Some(NamedBy::Answer), false), "{from}");
            let refused = leg(from, "SYN -->\n<-- RST\n");
            let refused = second(&format!("{ASKS}{refused}{answer}"));
            assert_eq!(refused, ("nginx", Some(NamedBy::Answer), false), "{from}");
        }
        let unknown = second(&format!("{ASKS}{}{}", leg("10.0.0.2", LOST), answers("x")));
        assert_eq!(unknown, ("curl", None, true));
    }

    #[test]
    fn a_program_that_calls_others_speaks_for_itself() {
        let by_user_agent = Some(NamedBy::UserAgent);
        // The host serves a request, and makes another one of its own.
        let own = leg(
            "10.0.0.2",
            &LOST
                .replace("/a", "/b")
                .replace("curl/8.1", "python-requests/2.3"),
        );
        let told = second(&format!("{ASKS}{own}{}", answers("nginx")));
        assert_eq!(told, ("python-requests", by_user_agent, false));
        // The same request by another client, before the first was failed for another reason.
        let other = format!(
            "{}client 10.0.0.1:40000 server 10.0.0.2:80\n+2s <-- 200 \"x\"\nACK -->",
            leg("10.0.0.9", LOST)
        );
        assert_eq!(
            second(&format!("{ASKS}{other}")),
            ("curl", by_user_agent, false)
        );
        // A client that tries one server after the other.
        let after = format!(
            "{ASKS}<-- 502 \"x\" [server=nginx]\nACK -->\n{}",
            leg("10.0.0.1", LOST)
        );
        assert_eq!(second(&after), ("curl", by_user_agent, false));
    }

    #[test]
    fn what_proxies_add_shows_them() {
        let first = "client 10.0.0.9:1 server 10.0.0.3:8080\nSYN -->\n<-- SYN\nACK -->\n";
        let with = |fields: &str| {
            let lost = LOST.replace("curl/8.1", &format!("curl/8.1{fields}"));
            second(&format!("{first}{}", leg("10.0.0.2", &lost)))
        };
        assert_eq!(with(""), ("curl", Some(NamedBy::UserAgent), false));
        assert_eq!(with(" x-forwarded-for=10.0.0.7"), ("curl", None, true));
        assert_eq!(with(" close"), ("curl", None, true));
        assert_eq!(
            with(" via=\"1.1 nginx\""),
            ("nginx", Some(NamedBy::Via), false)
        );
        let pooled = LOST.replace(
            "GET /a",
            "GET /a [user-agent=Wget/1.21] -->\n<-- 200 \"x\"\nACK -->\nGET /a",
        );
        let pooled = second(&format!("{first}{}", leg("10.0.0.2", &pooled)));
        assert!(pooled.1.is_none(), "{pooled:?}");
    }
}
