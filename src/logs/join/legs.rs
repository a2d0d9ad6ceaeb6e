//! Which server's connections a log is about.
//!
//! A request that passes proxies is in the capture once for each leg, with the same target and often the same status and
//! bytes. An access log is about the connections that its server accepted: what it says of the client's address, the port, the
//! version and the bytes decides which leg that is. Where two legs fit equally well, nothing is decided.

use std::collections::HashMap;

use super::kept::{KeptLine, LATE};
use crate::analysis::connection::Connection;
use crate::base::net::Endpoint;
use crate::logs::agreement::counts;
use crate::logs::clock::ClockOffset;
use crate::logs::line::{LineKind, LogLine};
use crate::logs::wire::{Wire, nanos};
use crate::protocol::http::Exchange;

/// Exchanges that are looked at for one line.
const EXAMINED: usize = 256;
/// Addresses at which one log's server may have been asked.
const SERVERS: usize = 16;

/// The connections that a log is about.
#[derive(Debug, Default)]
pub(super) struct LogLeg {
    /// The server of each line; `None` where nothing fits.
    pub(super) of_line: Vec<Option<LineServer>>,
    /// The servers, the one with the most lines first.
    pub(super) servers: Vec<Endpoint>,
    /// Lines must have the address of their connection's client.
    pub(super) strict: bool,
    /// The log's clients are others than those of the capture.
    pub(super) addresses_differ: bool,
}

/// The server that a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineServer {
    Of(Endpoint),
    /// Two legs fit.
    Undecided,
}

/// How well the exchanges of one server fit a line.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    address: bool,
    exact: bool,
}

/// Chooses the servers of a log's lines.
pub(super) fn choose(kept: &[KeptLine], wire: &Wire<'_>, clock: ClockOffset) -> LogLeg {
    let mut options: Vec<Vec<(Endpoint, Fit)>> =
        kept.iter().map(|it| fits(it, wire, clock)).collect();
    let with_client = |(line, fits): &(&KeptLine, &Vec<(Endpoint, Fit)>)| {
        line.line.client.is_some() && !fits.is_empty()
    };
    let known: Vec<_> = kept.iter().zip(&options).filter(with_client).collect();
    let same = known
        .iter()
        .filter(|(_, fits)| fits.iter().any(|(_, it)| it.address));
    let same = same.count();
    let strict = same > 0 && same * 2 >= known.len();
    let addresses_differ = !known.is_empty() && same == 0;
    for (line, fits) in kept.iter().zip(&mut options) {
        if line.line.client.is_some() && strict {
            fits.retain(|(_, it)| it.address);
        } else if line.line.client.is_some() {
            // Only what is the same in all else makes up for the address, and not if the client is in the capture itself.
            let elsewhere = line.line.client.is_some_and(|ip| wire.knows(ip));
            fits.retain(|(_, it)| it.exact && !elsewhere || it.address);
        }
    }
    let mut leg = LogLeg {
        of_line: vec![None; kept.len()],
        servers: Vec::new(),
        strict,
        addresses_differ,
    };
    leg.take_servers(kept, &options, wire);
    leg
}

impl LogLeg {
    /// Takes the server with the most lines first; one that has the same lines as another is a leg behind or before it.
    fn take_servers(
        &mut self,
        kept: &[KeptLine],
        options: &[Vec<(Endpoint, Fit)>],
        wire: &Wire<'_>,
    ) {
        let mut excluded: Vec<Endpoint> = Vec::new();
        while self.servers.len() < SERVERS {
            let mut tallies: HashMap<Endpoint, (usize, usize, usize)> = HashMap::new();
            for (fits, taken) in options.iter().zip(&self.of_line) {
                for (server, fit) in fits.iter().filter(|(it, _)| !excluded.contains(it)) {
                    let tally = tallies.entry(*server).or_default();
                    match taken {
                        None => {
                            tally.0 += usize::from(fit.exact);
                            tally.1 += 1;
                        }
                        Some(_) => tally.2 += 1,
                    }
                }
            }
            let mut ranked: Vec<_> = tallies.into_iter().filter(|(_, it)| it.1 > 0).collect();
            ranked.sort_by_key(|(server, it)| (std::cmp::Reverse((it.0, it.1)), *server));
            let Some((best, (exact, lines, shared))) = ranked.first().copied() else {
                return;
            };
            if shared > lines {
                // Mostly lines that another server has already: a leg of the same requests.
                excluded.push(best);
                continue;
            }
            let rivals: Vec<Endpoint> = ranked
                .iter()
                .skip(1)
                .filter(|(server, it)| {
                    it.0 == exact
                        && it.1 == lines
                        && overlaps(options, &self.of_line, best, *server)
                })
                .map(|(server, _)| *server)
                .collect();
            let chosen = match rivals.is_empty() {
                true => Some(best),
                false => more_complete(&[&[best], &rivals[..]].concat(), kept, lines, wire),
            };
            self.take(options, best, &rivals, chosen);
            self.servers.extend(chosen);
            excluded.push(best);
            excluded.extend(&rivals);
        }
    }

    fn take(
        &mut self,
        options: &[Vec<(Endpoint, Fit)>],
        best: Endpoint,
        rivals: &[Endpoint],
        chosen: Option<Endpoint>,
    ) {
        for (fits, place) in options.iter().zip(&mut self.of_line) {
            let has = |server: Endpoint| fits.iter().any(|(it, _)| *it == server);
            if place.is_some() {
                continue;
            }
            *place = match chosen {
                Some(server) if has(server) => Some(LineServer::Of(server)),
                None if has(best) || rivals.iter().any(|it| has(*it)) => {
                    Some(LineServer::Undecided)
                }
                _ => None,
            };
        }
    }
}

/// Whether most lines of one server are lines of the other too.
fn overlaps(
    options: &[Vec<(Endpoint, Fit)>],
    of_line: &[Option<LineServer>],
    one: Endpoint,
    other: Endpoint,
) -> bool {
    let open = options.iter().zip(of_line).filter(|(_, it)| it.is_none());
    let (mut both, mut either) = (0, 0);
    for (fits, _) in open {
        let has = |server: Endpoint| fits.iter().any(|(it, _)| *it == server);
        both += usize::from(has(one) && has(other));
        either += usize::from(has(one) || has(other));
    }
    2 * both > either
}

/// The one server whose requests in the log's time all have lines, if the others have more requests.
fn more_complete(
    servers: &[Endpoint],
    kept: &[KeptLine],
    lines: usize,
    wire: &Wire<'_>,
) -> Option<Endpoint> {
    let from = kept.iter().map(|it| it.at.0).min()?;
    let to = kept.iter().map(|it| it.at.1).max()?;
    let requests = |server: &Endpoint| {
        let own = wire.to_server(*server).iter();
        let own = own.filter_map(|it| wire.connection(*it));
        let exchanges = own.flat_map(|it| &it.exchanges).filter(|it| {
            let request = it.request.as_ref().map(|it| nanos(it.message.first.time));
            request.is_some_and(|at| at >= from - LATE && at <= to)
        });
        exchanges.count()
    };
    let mut all: Vec<(usize, Endpoint)> = servers.iter().map(|it| (requests(it), *it)).collect();
    all.sort_unstable();
    match all[..] {
        [(fewest, server), (more, _), ..] if fewest < more && fewest <= lines => Some(server),
        _ => None,
    }
}

/// The servers with an exchange that may be a line's.
fn fits(kept: &KeptLine, wire: &Wire<'_>, clock: ClockOffset) -> Vec<(Endpoint, Fit)> {
    let line = &kept.line;
    let mut fits: Vec<(Endpoint, Fit)> = Vec::new();
    if line.kind != LineKind::Access {
        return fits;
    }
    let slack = clock.uncertainty + LATE;
    let asked = wire.asked(line);
    let ended = |place: &u32| {
        let it = wire.exchanges.get(*place as usize);
        it.is_some_and(|it| it.end < kept.at.0 - slack)
    };
    let from = asked.partition_point(ended);
    for place in asked.get(from..).unwrap_or_default().iter().take(EXAMINED) {
        let Some((it, connection, exchange)) = wire.exchange(*place) else {
            continue;
        };
        if it.start > kept.at.1 + slack || !may_be_of(line, connection) {
            continue;
        }
        let fit = Fit {
            address: line.client == Some(connection.client.ip),
            exact: is_exact(line, exchange),
        };
        match fits
            .iter_mut()
            .find(|(server, _)| *server == connection.server)
        {
            Some((_, had)) => {
                // The best of its exchanges, not parts of several.
                if (fit.address, fit.exact) > (had.address, had.exact) {
                    *had = fit;
                }
            }
            None => fits.push((connection.server, fit)),
        }
    }
    fits
}

/// Whether ports and addresses allow that a line is about this connection.
pub(super) fn may_be_of(line: &LogLine, connection: &Connection) -> bool {
    let port = line
        .client_port
        .is_none_or(|it| it == connection.client.port);
    let local = line
        .local_port
        .is_none_or(|it| it == connection.server.port);
    let asked = line.local.is_none_or(|it| it == connection.server.ip);
    port && local && asked && line.upstream != Some(connection.server)
}

/// Whether all that a line says of an exchange is so.
fn is_exact(line: &LogLine, exchange: &Exchange) -> bool {
    let status = line.may_have_status(exchange.status());
    let response = exchange.response.as_ref().map(|it| &it.message);
    let bytes = match (line.bytes, response) {
        (Some(log), Some(message)) if !line.rough_bytes => counts(message).contains(&log),
        _ => true,
    };
    let request = exchange.request.as_ref();
    let version = request.map(|it| (it.message.version.major(), it.message.version.minor()));
    let version = line
        .version
        .is_none_or(|it| version.is_none_or(|wire| wire == it));
    let agent = request.and_then(|it| it.user_agent.as_ref());
    let agent = match (&line.agent, agent) {
        (Some(log), Some(wire)) => log.as_bytes() == wire.as_bytes(),
        _ => true,
    };
    status && bytes && version && agent
}
