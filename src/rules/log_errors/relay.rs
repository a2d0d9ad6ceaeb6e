//! Who opened a connection: the program that its requests name, or a proxy that handed them on.
//!
//! A proxy forwards its client's `User-Agent`, but the errors of the connection that it opens are in its own log. What
//! shows it: fields that proxies add; several agents on one connection; and the table of legs, which pairs it with what its
//! host served meanwhile. What that was answered shows which proxy it is.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::client::ends_before_answer;
use crate::analysis::connection::{Author, By, Connection, How, Opening, author};
use crate::analysis::hosts::Legs;
use crate::base::net::Endpoint;
use crate::knowledge::{LogSide, NamedBy, NamedProduct, Product, Role, WireEvent, identify};
use crate::protocol::http::{Exchange, FieldName, Protocol, Request, Response, SharedText};
use crate::rules::ftp_data::data_connections;

type Fast = foldhash::fast::FixedState;

/// A proxy closes one leg within this time after its client closed the other.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What all connections of a capture show of proxies.
#[derive(Debug, Default)]
pub struct Relays {
    /// What is known of the proxy that opened a connection, by the connection's number.
    openers: HashMap<u32, Relay, Fast>,
    /// The proxy at an endpoint, if only one product answers there.
    at_endpoint: HashMap<Endpoint, Option<&'static Product>, Fast>,
    /// The data connections of FTP, and whether the FTP client opened them.
    data: HashMap<u32, bool, Fast>,
    /// Endpoints at which a header names a product that the tables do not have.
    strangers: HashSet<Endpoint, Fast>,
    /// The connections on which proxies served what they had from other connections.
    served: HashSet<u32, Fast>,
    /// The connections whose client is seen not to have retried the request that they lost.
    unretried: HashSet<u32, Fast>,
    /// The connections whose last request a proxy handed on, and whether the server behind it had sent something.
    forwarded: HashMap<u32, bool, Fast>,
}

/// A proxy, as one of the connections that it opened shows it.
#[derive(Clone, Copy, Debug, Default)]
struct Relay {
    product: Option<&'static Product>,
    /// The product is that of the request which the connection failed.
    failed: bool,
    /// It closed the connection because its own client had left.
    left: bool,
    /// The status that its own client got for the request which the connection failed.
    status: Option<u16>,
}

/// Who opened a connection.
#[derive(Debug)]
pub(super) enum Opener {
    /// Nothing speaks against the program that its requests name.
    Client,
    /// A proxy: this one, if it is known.
    Proxy(Option<NamedProduct>),
    /// A proxy of which no text is known: it is not known which one it is, or it had no fault of its own to report.
    Silent,
}

impl Relays {
    /// Reads the legs, and the records that are kept.
    #[must_use]
    pub fn new(connections: &[Arc<Connection>], legs: &Legs) -> Self {
        let record = |id: u32| {
            let at = connections.binary_search_by_key(&id, |it| it.id).ok()?;
            connections.get(at).map(AsRef::as_ref)
        };
        let mut relays = Self {
            data: data_connections(connections).collect(),
            unretried: unretried(connections),
            ..Self::default()
        };
        let others = connections.iter().filter(|it| names_another(it));
        relays.strangers.extend(others.map(|it| it.server));
        for leg in legs.all() {
            let (Some(served), Some(made)) = (
                record(leg.client.connection),
                record(leg.upstream.connection),
            ) else {
                continue;
            };
            let answers = legs.behind(leg.client).iter().filter_map(|it| {
                let made = record(it.upstream.connection)?;
                it.upstream.on(made)?.response.as_ref()
            });
            let product = leg.client.on(served).and_then(|it| shown(it, answers));
            if let Some(product) = product {
                let one = relays.at_endpoint.entry(served.server);
                let one = one.or_insert(Some(product));
                *one = one.filter(|it| it.name == product.name);
            }
            let relay = relays.openers.entry(made.id).or_default();
            // The one that the proxy failed for says most.
            let failed = leg.upstream.on(made).is_none_or(|it| !it.is_complete());
            relays.served.insert(served.id);
            let answered = leg.client.on(served);
            if relay.product.is_none() || failed && !relay.failed && product.is_some() {
                (relay.product, relay.failed) = (product, failed);
                relay.status = answered.and_then(Exchange::status);
            }
            relay.left |= left_with(served, made);
            if answered.is_some_and(|it| it.response.is_none()) {
                let gone = served.teardown.at;
                let responds = leg.upstream.on(made).is_some_and(|it| {
                    let response = it.response.as_ref();
                    response.is_some_and(|it| it.message.first.time < gone)
                });
                relays.forwarded.insert(served.id, responds);
            }
        }
        for (id, relay) in &mut relays.openers {
            if relay.product.is_none()
                && let Some(leg) = legs.before_all(*id).first()
                && let Some(served) = record(leg.client.connection)
            {
                let known = relays.at_endpoint.get(&served.server);
                relay.product = known.copied().flatten();
            }
        }
        relays
    }

    /// Whether this is a data connection of FTP, and its client that of FTP.
    pub(super) fn data_connection(&self, connection: &Connection) -> Option<bool> {
        self.data.get(&connection.id).copied()
    }

    /// Whether the capture shows that the client did not retry the request that this connection lost.
    pub(super) fn is_unretried(&self, connection: &Connection) -> bool {
        self.unretried.contains(&connection.id)
    }

    /// The proxy that answers at this endpoint, if other connections show it.
    pub(super) fn at(&self, server: Endpoint) -> Option<NamedProduct> {
        let product = self.at_endpoint.get(&server).copied().flatten()?;
        Some(by_answer(product))
    }

    /// Whether a header on another connection names a product that the tables do not have.
    pub(super) fn is_stranger(&self, server: Endpoint) -> bool {
        self.strangers.contains(&server)
    }

    /// Whether a proxy handed the request on that this connection was closed for, and whether the server behind the proxy had
    /// sent something by then.
    pub(super) fn forwarded(&self, connection: &Connection) -> Option<bool> {
        self.forwarded.get(&connection.id).copied()
    }

    /// Whether a proxy served this connection with what it had from others that were captured.
    pub(super) fn serves(&self, connection: &Connection) -> bool {
        self.served.contains(&connection.id)
    }

    /// Whether a proxy opened this connection and told its own client that it had timed out.
    pub(super) fn timed_out(&self, connection: &Connection) -> bool {
        let relay = self.openers.get(&connection.id);
        relay.is_some_and(|it| it.failed && it.status == Some(504))
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
        match self.openers.get(&connection.id) {
            Some(relay) if relay.left => Opener::Silent,
            Some(Relay {
                product: Some(product),
                ..
            }) => Opener::Proxy(Some(by_answer(product))),
            Some(_) => Opener::Silent,
            None if is_handed_on(connection) => Opener::Proxy(None),
            None => Opener::Client,
        }
    }
}

/// The connections that lost the last request after another one, while their client had no other connection to that server
/// and opened none, though the capture goes on.
fn unretried(connections: &[Arc<Connection>]) -> HashSet<u32, Fast> {
    let lost = |it: &Connection| {
        let [.., last] = &it.exchanges[..] else {
            return false;
        };
        let ended = it.teardown.how != How::Open && it.teardown.by != By::Client;
        let alone = it.exchanges.len() > 1;
        ended && alone && last.request.is_some() && last.response.is_none()
    };
    let pair = |it: &Connection| (it.client.ip, it.server);
    // When each pair of hosts had its connections.
    let mut times: HashMap<_, Vec<_>, Fast> = HashMap::default();
    for it in connections.iter().filter(|it| lost(it)) {
        times.entry(pair(it)).or_default();
    }
    for it in connections {
        if let Some(times) = times.get_mut(&pair(it)) {
            times.push((it.first.time, it.last.time));
        }
    }
    for times in times.values_mut() {
        times.sort_unstable();
    }
    let unretried = connections.iter().filter(|it| lost(it)).filter(|it| {
        let (at, own) = (it.teardown.at, (it.first.time, it.last.time));
        let times = times.get(&pair(it)).map_or(&[][..], Vec::as_slice);
        let until = times.partition_point(|(first, _)| first.since(at) < RETRY);
        // Of those that began before, the latest may still be open; older ones are not looked for.
        let near = times.get(..until).unwrap_or_default();
        let other = |(first, last): &&(_, _)| (*first, *last) != own && *last > at;
        until <= NEAR && it.until.since(at) >= AT_ONCE && !near.iter().any(|it| other(&it))
    });
    unretried.map(|it| it.id).collect()
}

/// A program that retries by itself has begun within this time.
const RETRY: Duration = Duration::from_secs(5);
/// Connections of one client to one server that are compared: with more of them, who retries what is not told.
const NEAR: usize = 64;

/// The gateway that answered on this connection by itself, in words of its own.
pub(super) fn gateway(connection: &Connection) -> Option<NamedProduct> {
    let mut products = connection
        .exchanges
        .iter()
        .filter_map(|it| match author(it) {
            Author::Gateway(product, _) => Some(product),
            Author::Presumed(_) | Author::Unknown => None,
        });
    products.next().map(by_answer)
}

const fn by_answer(product: &'static Product) -> NamedProduct {
    NamedProduct {
        product,
        version: None,
        by: NamedBy::Answer,
    }
}

/// Whether the server's headers name products, and none that the tables have.
fn names_another(connection: &Connection) -> bool {
    let answers = connection
        .exchanges
        .iter()
        .filter_map(|it| it.response.as_ref());
    let mut fields = answers
        .filter_map(|it| it.server.as_ref()?.as_str())
        .peekable();
    fields.peek().is_some()
        && fields.all(|it| identify(None, Some(it), None, LogSide::Server).is_none())
}

/// Whether a proxy closed this leg because its client had closed the other.
fn left_with(served: &Connection, made: &Connection) -> bool {
    let left = |it: &Connection| it.teardown.by == By::Client && it.teardown.how != How::Open;
    let (first, then) = (served.teardown.at, made.teardown.at);
    left(served) && left(made) && then >= first && then.since(first) <= AT_ONCE
}

/// The proxy that gave this answer, as far as it is its own and not one of those from behind.
fn shown<'a>(
    answered: &Exchange,
    mut behind: impl Iterator<Item = &'a Response>,
) -> Option<&'static Product> {
    let own = answered.response.as_ref()?;
    match behind.find(|it| it.status == own.status) {
        // What came from behind is passed on; a field that did not is the proxy's.
        Some(passed) if passed.server == own.server => return None,
        Some(_) => {}
        None => match author(answered) {
            Author::Gateway(product, _) => return Some(product),
            Author::Presumed(Some(product)) if matches!(own.status, 502..=504) => {
                return Some(product);
            }
            _ => {}
        },
    }
    let server = own.server.as_ref().and_then(SharedText::as_str);
    let named = identify(None, server, None, LogSide::Server);
    named
        .map(|it| it.product)
        .filter(|it| it.role == Role::Proxy)
}

/// Whether it closes a connection that the program named in it would have kept.
fn closes_early(request: &Request) -> bool {
    let named = || {
        let agent = request.user_agent.as_ref().and_then(SharedText::as_str);
        identify(Some(agent?), None, None, LogSide::Client)
    };
    request.message.connection.close > 0 && named().is_some_and(|it| it.product.keeps_open())
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
        let mut predictor =
            Predictor::with(Relays::new(&connections, &Legs::new(&connections, &[])));
        let leg = connections.get(1).expect("two connections");
        let told = predictor.told(leg, Who::Client);
        let first = told.first();
        first.map_or(("", None, false), |first| {
            (first.stack, first.identified_by, first.handed_on)
        })
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
        assert_eq!(unknown, ("", None, false), "it is not known which proxy");
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

    /// Where the capture goes on and nothing is sent again, a program that retries silently did not.
    #[test]
    fn a_retry_that_is_not_seen_was_none() {
        let told = |after: &str| {
            let ask = "GET /a [user-agent=Apache-HttpClient/4.5.14] -->\n";
            let ladder = format!(
                "client 10.0.0.1:40001 server 10.0.0.2:80\nSYN -->\n<-- SYN\nACK -->\n{ask}<-- 200 \"one\"\nACK -->\n+300ms {ask}<-- RST\n{after}"
            );
            let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
            let connections: Vec<_> = proof.connections.into_iter().map(Arc::new).collect();
            let legs = Legs::new(&connections, &[]);
            let mut predictor = Predictor::with(Relays::new(&connections, &legs));
            let told = predictor.told(&connections[0], Who::Client);
            told.first().and_then(|it| it.text)
        };
        let again = "client 10.0.0.1:40002 server 10.0.0.2:80\n+1ms SYN -->\n<-- SYN\nACK -->\nGET /a -->\n<-- 200 \"one\"\n";
        let other = "client 10.0.0.9:40003 server 10.0.0.2:80\n+900ms SYN -->\n<-- SYN\nACK -->\nGET /b -->\n<-- 200 \"two\"\n";
        assert_eq!(told(""), None);
        assert_eq!(told(again), None);
        assert_eq!(told(other), Some("Connection reset"));
    }
}
