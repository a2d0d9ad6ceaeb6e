//! What is printed and served while packets still come: options of `live` and of `report --follow`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::cli_values::time;

/// What is printed and served while packets still come.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "While packets come (no screens)")]
pub struct FeedArgs {
    /// Totals this often, and repeats of findings [default: repeats, every 10s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub interval: Option<Duration>,
    /// A line for each connection that is over, with its outcome
    #[arg(long)]
    pub settled: bool,
    /// Metrics for Prometheus at this port of loopback, or ADDRESS:PORT
    #[arg(long, value_name = "PORT", value_parser = listen)]
    pub metrics: Option<SocketAddr>,
}

impl FeedArgs {
    /// Whether any of it was asked for.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.interval.is_some() || self.settled || self.metrics.is_some()
    }
}

/// `-f` of `hangup live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeedFormatArg {
    /// Lines for people, and a report at the end
    Text,
    /// An object for each line, schema hangup-feed/1
    #[value(alias = "jsonl", alias = "json")]
    Ndjson,
}

/// `9464` on loopback, `10.0.0.1:9464`, `[::]:9464`.
fn listen(typed: &str) -> Result<SocketAddr, String> {
    let port = typed.strip_prefix(':').unwrap_or(typed).parse::<u16>();
    match port {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => typed.parse().map_err(|_| {
            "write it as a port of loopback, 9464, or as an address and a port, 0.0.0.0:9464"
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_address_leaves_loopback() {
        for (typed, wanted) in [
            ("9464", "127.0.0.1:9464"),
            (":9464", "127.0.0.1:9464"),
            ("0.0.0.0:1", "0.0.0.0:1"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(
                listen(typed).map(|it| it.to_string()),
                Ok(wanted.to_owned())
            );
        }
        for wrong in ["", "99999", "localhost", "host:80", "10.0.0.1"] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }
}
