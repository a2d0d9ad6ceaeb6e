//! Metrics for Prometheus while packets come: totals of connections, findings, losses, and memory.
//!
//! `GET /metrics`, or any other path, gets OpenMetrics text (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), one
//! client at a time. The address is bound before the sandbox; in it, connections are accepted and nothing else. Left out:
//! TLS, and who may ask, so it is loopback unless an address is named.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::feed::Feed;
use crate::report::feed::SummaryRow;
use crate::report::snapshot::Snapshot;
use crate::rules;

/// How long a client may take for its request, and for taking the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest head of a request that is read. Prometheus sends less than 1 KiB.
const MAX_HEAD: usize = 8 << 10;
/// Fields of a request that are read.
const MAX_FIELDS: usize = 64;

type Counters<const N: usize> = Family<[(&'static str, &'static str); N], Counter>;

/// The metrics, and where they are served.
#[derive(Debug)]
pub(super) struct Metrics {
    listener: Option<TcpListener>,
    registry: Arc<Registry>,
    packets: Counter,
    lost: Counters<1>,
    connections: Counters<1>,
    open: Gauge,
    waiting: Gauge,
    findings: Counters<2>,
    limits: Counters<1>,
    memory: Gauge,
}

impl Metrics {
    /// Binds the address.
    ///
    /// # Errors
    /// If it cannot be bound.
    pub(super) fn bind(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| {
            format!("metrics cannot be served at {address}; name another port with --metrics")
        })?;
        let it = Self::registered();
        Ok(Self {
            listener: Some(listener),
            ..it
        })
    }

    fn registered() -> Self {
        let mut registry = Registry::with_prefix("hangup");
        let it = Self {
            listener: None,
            registry: Arc::default(),
            packets: Counter::default(),
            lost: Family::default(),
            connections: Family::default(),
            open: Gauge::default(),
            waiting: Gauge::default(),
            findings: Family::default(),
            limits: Family::default(),
            memory: Gauge::default(),
        };
        registry.register("packets", "Packets that were read", it.packets.clone());
        registry.register(
            "packets_lost",
            "Packets that were dropped before they were captured",
            it.lost.clone(),
        );
        registry.register(
            "connections",
            "Connections by outcome, without those that are open or waiting",
            it.connections.clone(),
        );
        registry.register(
            "connections_open",
            "Connections that are open, with nothing outstanding",
            it.open.clone(),
        );
        registry.register(
            "connections_waiting",
            "Connections that are not over, with something outstanding",
            it.waiting.clone(),
        );
        registry.register(
            "findings",
            "Cases by rule, of findings that were opened",
            it.findings.clone(),
        );
        registry.register(
            "limits",
            "How often a limit of memory took effect",
            it.limits.clone(),
        );
        registry.register_with_unit(
            "memory_resident",
            "Memory that the program holds",
            Unit::Bytes,
            it.memory.clone(),
        );
        Self {
            registry: Arc::new(registry),
            ..it
        }
    }

    /// Starts to answer, on a thread of its own.
    pub(super) fn serve(&mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let registry = Arc::clone(&self.registry);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that goes away asks again.
                let _ = answer(client, &registry);
            }
        });
    }

    /// Takes over the totals. Counters never fall: what was counted and forgotten stays.
    pub(super) fn update(&self, snapshot: &Snapshot, totals: &SummaryRow, feed: &Feed) {
        raise(&self.packets, totals.packets);
        let lost = snapshot.summary.lost;
        for (by, count) in [("kernel", lost.kernel), ("interface", lost.interface)] {
            if let Some(count) = count {
                raise(&self.lost.get_or_create(&[("by", by)]), count);
            }
        }
        for (outcome, count) in [
            ("failed", totals.failed),
            ("fine", totals.fine),
            ("unknown", totals.unknown.saturating_sub(totals.waiting)),
        ] {
            raise(
                &self.connections.get_or_create(&[("outcome", outcome)]),
                count,
            );
        }
        self.open
            .set(i64::try_from(totals.open).unwrap_or(i64::MAX));
        self.waiting
            .set(i64::try_from(totals.waiting).unwrap_or(i64::MAX));
        let mut cases = std::collections::BTreeMap::<&str, u64>::new();
        for (rule, times) in feed.cases() {
            *cases.entry(rule).or_default() += times;
        }
        for (name, times) in cases {
            if let Some(rule) = rules::rule(name) {
                let labels = [
                    ("rule", rule.name),
                    ("worst_severity", rule.severity.name()),
                ];
                raise(&self.findings.get_or_create(&labels), times);
            }
        }
        for limit in &snapshot.summary.limits {
            raise(
                &self.limits.get_or_create(&[("limit", limit.name)]),
                limit.count,
            );
        }
        if let Some(memory) = totals.memory {
            self.memory.set(i64::try_from(memory).unwrap_or(i64::MAX));
        }
    }
}

/// Raises a counter to a total.
fn raise(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

/// Reads one request, and answers it.
fn answer(mut client: TcpStream, registry: &Registry) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut part = [0; 1024];
    let is_get = loop {
        let read = client.read(&mut part)?;
        head.extend_from_slice(part.get(..read).unwrap_or_default());
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => break request.method == Some("GET"),
            Ok(httparse::Status::Partial) if read > 0 && head.len() < MAX_HEAD => {}
            _ => break false,
        }
    };
    let (status, kind, body) = match is_get {
        true => {
            let mut text = String::new();
            encode(&mut text, registry).map_err(io::Error::other)?;
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ("200 OK", kind, text)
        }
        false => {
            let text = "only GET is answered\n".to_owned();
            ("405 Method Not Allowed", "text/plain; charset=utf-8", text)
        }
    };
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nAllow: GET\r\nConnection: close\r\n\r\n{body}"
    );
    client.write_all(response.as_bytes())?;
    client.shutdown(std::net::Shutdown::Write)
}
