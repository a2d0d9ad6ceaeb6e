//! Evidence from many connections: the sockets that a client uses towards a server and the TIME-WAITs of every host,
//! over time; connections grouped by host pair; timers, periods and retries as measured values.
//!
//! In: the summary of each connection. Out: tables and measured values, each computed on request.

mod alternatives;
mod concurrency;
mod copies;
mod host_pairs;
mod legs;
mod measured;
mod periodic;
mod port_exhaustion;
mod port_range;
mod sockets;
mod time_series;
mod time_wait;
mod timers;

use std::net::IpAddr;
use std::time::Duration;

pub(crate) use alternatives::Alternatives;
pub use concurrency::Concurrency;
pub use copies::without_copies;
pub(crate) use host_pairs::Fallbacks;
pub use host_pairs::{HostPair, Hosts, OneSided};
pub use legs::{ExchangeId, Leg, LegBasis, Legs};
pub(crate) use legs::{MAX_ALIKE, SLACK};
pub use measured::{Measured, Period};
pub use periodic::PeriodicRequest;
pub(crate) use periodic::is_abandoned;
pub use port_exhaustion::PortExhaustion;
pub(crate) use sockets::MAX_PAIRS;
pub use sockets::sockets;
pub(crate) use time_series::client_series;
pub use time_series::{TimeSeries, TimeStep};
pub use time_wait::{HostTimeWaits, waits};
pub use timers::ObservedTimer;

use crate::base::net::Endpoint;
use crate::base::time::Timestamp;

/// The assumed length of a TIME-WAIT unless the user sets another: that of Linux. The RFC says 2 MSL = 4 minutes (RFC
/// 9293 §3.4.2).
pub const TIME_WAIT: Duration = Duration::from_secs(60);

/// Facts that a capture cannot show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSettings {
    /// How long a socket stays in TIME-WAIT.
    pub time_wait: Duration,
    /// The range of ephemeral ports of the clients' systems, lowest and highest, if the user knows it.
    pub range: Option<(u16, u16)>,
}

/// The evidence for the range of ephemeral ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeBasis {
    /// The user stated it.
    Told,
    /// The ports seen fit no known default; their lowest and highest are taken.
    Observed,
    /// A system's default that the ports seen fit.
    Default,
}

/// The sockets that one client uses towards one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Sockets {
    /// The client.
    pub client: IpAddr,
    /// The server and its port.
    pub server: Endpoint,
    /// Number of connections.
    pub connections: u64,
    /// Client sockets in TIME-WAIT when the capture ends, by the assumed duration.
    pub time_wait_now: u64,
    /// The most client sockets in TIME-WAIT at once.
    pub time_wait_peak: u64,
    /// When that maximum was reached.
    pub peak_at: Option<Timestamp>,
    /// The most client ports open or in TIME-WAIT at once.
    pub used_peak: u64,
    /// Lowest client port seen.
    pub ports_low: u16,
    /// Highest client port seen.
    pub ports_high: u16,
    /// The range of ephemeral ports of the client's system.
    pub range: (u16, u16),
    /// The evidence for `range`.
    pub basis: RangeBasis,
    /// Connections per second, from the first to the last; `None` if they do not begin at two different times.
    pub rate: Option<f64>,
    /// When the range runs out if connections continue at this rate; `None` if it does not.
    pub runs_out_at: Option<Timestamp>,
    /// Evidence that the range did run out.
    pub port_exhaustion: Option<PortExhaustion>,
}

impl Sockets {
    /// The number of ports in the range.
    #[must_use]
    pub fn range_size(&self) -> u64 {
        u64::from(self.range.1.saturating_sub(self.range.0)) + 1
    }

    /// The maximum share of the range in use, in percent.
    #[must_use]
    pub fn used_peak_percent(&self) -> f64 {
        self.used_peak as f64 * 100.0 / self.range_size() as f64
    }
}
