//! Floor 8: what only many connections show: the sockets that one client spends on one server and the TIME-WAITs of every
//! host, over time; their connections put together; limits, periods and retries as measured values.
//!
//! In: a line of each connection. Out: tables and measured values, each reckoned when it is asked for.

mod concurrency;
mod host_pairs;
mod measured;
mod periodic;
mod port_exhaustion;
mod port_range;
mod requests;
mod retries;
mod sockets;
mod time_series;
mod time_wait;
mod timers;

use std::net::IpAddr;
use std::time::Duration;

pub use concurrency::Concurrency;
pub use host_pairs::{HostPair, Hosts, OneSided};
pub use measured::{Measured, Period};
pub use periodic::{PeriodicRequest, is_abandoned};
pub use port_exhaustion::{PortExhaustion, port_exhaustion};
pub use requests::RequestCounts;
pub use retries::{RetriedRequest, Retries};
pub use sockets::{MAX_PAIRS, sockets};
pub use time_series::{MAX_POINTS, TimeSeries, TimeStep, client_series, host_series};
pub use time_wait::{HostTimeWaits, MAX_HOSTS, waits};
pub use timers::ObservedTimer;

use crate::base::net::Endpoint;
use crate::base::time::Timestamp;

/// How long a TIME-WAIT lasts unless somebody knows better: Linux. The RFC says 2 MSL = 4 minutes (RFC 9293 §3.4.2).
pub const TIME_WAIT: Duration = Duration::from_secs(60);

/// What a capture cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSettings {
    /// How long a socket stays in TIME-WAIT.
    pub time_wait: Duration,
    /// The ports that clients' systems hand out, lowest and highest, if somebody knows.
    pub range: Option<(u16, u16)>,
}

/// What the range of ephemeral ports rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeBasis {
    /// The user said so.
    Told,
    /// The ports seen fit no known default; their lowest and highest are taken.
    Observed,
    /// A system's default that the ports seen fit.
    Default,
}

/// The sockets of one client towards one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Sockets {
    /// The client.
    pub client: IpAddr,
    /// The server and its port.
    pub server: Endpoint,
    /// Connections seen.
    pub connections: u64,
    /// Client sockets in TIME-WAIT when the capture ends, by the modelled duration.
    pub time_wait_now: u64,
    /// The most at any time.
    pub time_wait_peak: u64,
    /// When that was.
    pub peak_at: Option<Timestamp>,
    /// The most ports open or in TIME-WAIT at the client at any time.
    pub used_peak: u64,
    /// Lowest client port seen.
    pub ports_low: u16,
    /// Highest client port seen.
    pub ports_high: u16,
    /// The range that the client's system hands out.
    pub range: (u16, u16),
    /// What `range` rests on.
    pub basis: RangeBasis,
    /// Connections a second, from the first to the last; `None` of fewer than two moments.
    pub rate: Option<f64>,
    /// When the range runs out if it goes on like this; `None` if it does not.
    pub runs_out_at: Option<Timestamp>,
    /// That it did run out, as the connections that were not opened show.
    pub port_exhaustion: Option<PortExhaustion>,
}

impl Sockets {
    /// How many ports the range has.
    #[must_use]
    pub fn range_size(&self) -> u64 {
        u64::from(self.range.1.saturating_sub(self.range.0)) + 1
    }

    /// The share of the range that was in use at the worst moment, in percent.
    #[must_use]
    pub fn used_peak_percent(&self) -> f64 {
        self.used_peak as f64 * 100.0 / self.range_size() as f64
    }
}
