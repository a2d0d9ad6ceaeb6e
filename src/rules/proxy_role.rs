//! Which side of a finding's connections is a proxy, and the words for that side.
//!
//! A proxy is the server of its clients and the client of its servers. In a capture of both legs "the client" would be the
//! proxy in one finding and the user's program in the next: where a side is known to be a proxy, all texts call it so.

use std::borrow::Cow;
use std::net::IpAddr;

use hashbrown::HashSet;

use crate::analysis::connection::{Author, Who, author};
use crate::analysis::hosts::LegBasis;
use crate::base::net::Endpoint;
use crate::protocol::http::Exchange;
use crate::rules::RuleInput;

/// The side that is a proxy, as far as the capture shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProxyRole {
    /// None is known to be one.
    #[default]
    None,
    /// The proxy made these connections.
    Client,
    /// The proxy serves them.
    Server,
}

impl ProxyRole {
    /// The word for this side.
    #[must_use]
    pub const fn name_of(self, who: Who) -> &'static str {
        match (self, who) {
            (Self::Client, Who::Client) | (Self::Server, Who::Server) => "proxy",
            (_, Who::Client) => "client",
            (_, Who::Server) => "server",
        }
    }

    /// A text of the program, in which "the client" or "the server" is the proxy.
    #[must_use]
    pub fn in_text(self, text: &str) -> Cow<'_, str> {
        // In a text about a proxy or a gateway the two sides are other hosts.
        let mentions = |words: &[&str]| words.iter().any(|it| text.contains(it));
        let side = match self {
            Self::None => return Cow::Borrowed(text),
            _ if mentions(&["he proxy", " a proxy", "A proxy"]) => return Cow::Borrowed(text),
            Self::Client => "client",
            Self::Server if mentions(&["he gateway", "Gateway", " a gateway"]) => "gateway",
            Self::Server => "server",
        };
        renamed(text, side).map_or(Cow::Borrowed(text), Cow::Owned)
    }
}

/// What may follow a side's name that is another thing than the side.
const OTHERS: [&str; 4] = [" certificate", " behind it", "-", " or proxy"];

/// The text in which this side is called the proxy: after an article, and where a headline begins. `None` if it does not
/// mention the side.
fn renamed(text: &str, side: &str) -> Option<String> {
    let mut told = String::new();
    let mut rest = text;
    let mut changed = false;
    let is_name = |before: &str, after: &str, at: usize| {
        let begins = before.is_empty() && at == 0;
        let article = before.ends_with("the ") || before.ends_with("The ");
        let ends = !after.starts_with(|it: char| it.is_alphanumeric());
        (begins || article) && ends && !OTHERS.iter().any(|it| after.starts_with(it))
    };
    while let Some(at) = rest.to_ascii_lowercase().find(side) {
        let (before, from) = rest.split_at_checked(at)?;
        let (name, after) = from.split_at_checked(side.len())?;
        let whole = [&told, before].concat();
        told.push_str(before);
        match is_name(&whole, after, whole.len()) {
            true => {
                let upper = name.starts_with(|it: char| it.is_ascii_uppercase());
                told.push_str(if upper { "Proxy" } else { "proxy" });
                changed = true;
            }
            false => told.push_str(name),
        }
        rest = after;
    }
    told.push_str(rest);
    changed.then_some(told)
}

/// The sockets of a capture that are a proxy's.
#[derive(Debug, Default)]
pub(super) struct ProxySockets {
    /// Addresses from which a proxy asks, with a server that it asks.
    made: HashSet<(IpAddr, Endpoint), foldhash::fast::FixedState>,
    /// Endpoints at which it serves.
    served: HashSet<Endpoint, foldhash::fast::FixedState>,
}

impl ProxySockets {
    /// Those of the legs that more than their time shows, and of servers that respond as gateways do.
    pub(super) fn new(facts: &RuleInput<'_>) -> Self {
        let mut all = Self::default();
        let known = facts.legs.all().iter();
        for leg in known.filter(|it| it.basis != LegBasis::Time) {
            if let Some(made) = facts.record(leg.upstream.connection) {
                all.made.insert((made.client.ip, made.server));
            }
            if let Some(served) = facts.record(leg.client.connection) {
                all.served.insert(served.server);
            }
        }
        for connection in facts.connections {
            let mut errors = connection.exchanges.iter();
            let is_gateway = |it: &Exchange| {
                it.status().is_some_and(|it| it >= 500) && matches!(author(it), Author::Gateway(..))
            };
            if errors.any(is_gateway) {
                all.served.insert(connection.server);
            }
        }
        all
    }

    /// Which side of the connections between these hosts is a proxy.
    pub(super) fn role(&self, client: Option<IpAddr>, server: Option<Endpoint>) -> ProxyRole {
        let made = client.zip(server).is_some_and(|it| self.made.contains(&it));
        match server {
            // Between two proxies the one that asks is called so.
            _ if made => ProxyRole::Client,
            Some(server) if self.served.contains(&server) => ProxyRole::Server,
            _ => ProxyRole::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_is_a_proxy_is_called_so() {
        for (role, text, told) in [
            (
                ProxyRole::Client,
                "The client waited; the client's log. A client certificate of the client.",
                "The proxy waited; the proxy's log. A client certificate of the proxy.",
            ),
            (
                ProxyRole::Client,
                "Client closed [the connection|# connections]",
                "Proxy closed [the connection|# connections]",
            ),
            (
                ProxyRole::Client,
                "The proxy responded to its client. The clients, the client-side.",
                "The proxy responded to its client. The clients, the client-side.",
            ),
            (
                ProxyRole::Server,
                "The server reset it: the server behind it failed.",
                "The proxy reset it: the server behind it failed.",
            ),
            (
                ProxyRole::Server,
                "Capture between the gateway and the server.",
                "Capture between the proxy and the server.",
            ),
            (
                ProxyRole::Server,
                "The server asked a proxy.",
                "The server asked a proxy.",
            ),
            (ProxyRole::Server, "Gateway responded", "Proxy responded"),
            (ProxyRole::None, "The client left.", "The client left."),
        ] {
            assert_eq!(role.in_text(text), told);
        }
    }
}
