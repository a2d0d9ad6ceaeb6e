//! The range of ephemeral ports of a client's system: stated by the user, recognized, or merely observed.

use super::RangeBasis;
use crate::knowledge::port_ranges;

/// Linux, `net.ipv4.ip_local_port_range`.
const LINUX: (u16, u16) = (32_768, 60_999);
/// RFC 6335 §6; Windows since Vista, macOS, FreeBSD since 15, Solaris' upper half.
const DYNAMIC: (u16, u16) = (49_152, 65_535);
/// Windows to Server 2003, old BSDs.
const OLD_WINDOWS: (u16, u16) = (1025, 5000);

/// The fewest ports of one client from which its allocation pattern is judged: of five ports anywhere in Linux's range,
/// all five lie in the part it shares with the other range in 1 of 77 cases.
const PATTERN: u32 = 5;

/// What the capture shows of one client's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortsSeen {
    low: u16,
    high: u16,
    connections: u32,
    all_even: bool,
    highest_ttl: u8,
}

impl PortsSeen {
    pub(super) const NONE: Self = Self {
        low: u16::MAX,
        high: 0,
        connections: 0,
        all_even: true,
        highest_ttl: 0,
    };

    pub(super) fn note(&mut self, port: u16, ttl: u8) {
        self.low = self.low.min(port);
        self.high = self.high.max(port);
        self.connections = self.connections.saturating_add(1);
        self.all_even &= port.is_multiple_of(2);
        self.highest_ttl = self.highest_ttl.max(ttl);
    }

    /// The lowest and the highest port.
    pub(super) const fn bounds(&self) -> (u16, u16) {
        (self.low, self.high)
    }

    /// The range and the evidence for it. Where two defaults fit, the pattern decides: Linux connects from even ports
    /// as long as some are free (`inet_hash_connect`), and only Windows starts at a hop limit above 64.
    pub(super) fn range(&self, told: Option<(u16, u16)>) -> ((u16, u16), RangeBasis) {
        if let Some(range) = told {
            return (range, RangeBasis::Told);
        }
        let fits = |range: (u16, u16)| range.0 <= self.low && self.high <= range.1;
        let range = match (fits(LINUX), fits(DYNAMIC)) {
            (true, true) if self.highest_ttl > 64 => DYNAMIC,
            (true, true) if !self.all_even && self.connections >= PATTERN => DYNAMIC,
            (true, _) => LINUX,
            (false, true) => DYNAMIC,
            (false, false) if fits(OLD_WINDOWS) => OLD_WINDOWS,
            (false, false) => match self.rarer() {
                Some(range) => range,
                None => return ((self.low.min(self.high), self.high), RangeBasis::Observed),
            },
        };
        (range, RangeBasis::Default)
    }

    /// The default of a rarer system. These ranges are so wide that much fits into them, so the ports must spread over
    /// most of the range.
    fn rarer(&self) -> Option<(u16, u16)> {
        let width = |(low, high): (u16, u16)| high.saturating_sub(low);
        let known = port_ranges().iter().filter(|it| !it.basis.is_presumed());
        let ranges = known.map(|it| (it.low, it.high));
        let fitting = ranges.filter(|range| range.0 <= self.low && self.high <= range.1);
        let range = fitting.min_by_key(|range| width(*range))?;
        let spread = u32::from(width((self.low, self.high))) * 4 >= u32::from(width(range)) * 3;
        (self.connections >= PATTERN && spread).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ports: &[u16], ttl: u8, range: (u16, u16), basis: RangeBasis) {
        let mut seen = PortsSeen::NONE;
        for port in ports {
            seen.note(*port, ttl);
        }
        assert_eq!(seen.range(None), (range, basis));
        assert_eq!(seen.range(Some((7, 9))), ((7, 9), RangeBasis::Told));
    }

    #[test]
    fn defaults_are_recognised() {
        use RangeBasis::{Default, Observed};
        check(&[33_000], 64, LINUX, Default);
        check(&[61_000], 64, DYNAMIC, Default);
        check(&[1025, 5000], 128, OLD_WINDOWS, Default);
        check(&[33_000, 61_000], 64, (33_000, 61_000), Observed);
        check(
            &[10_100, 20_000, 31_000, 44_001, 65_000],
            64,
            (10_000, 65_535),
            Default,
        );
        check(
            &[33_000, 40_001, 48_000, 60_000, 65_000],
            64,
            (32_768, 65_535),
            Default,
        );
        check(
            &[20_000, 20_001, 20_002, 20_003, 20_004],
            64,
            (20_000, 20_004),
            Observed,
        );
        check(&[1024], 64, (1024, 1024), Observed);
        check(&[80, 443], 64, (80, 443), Observed);
    }

    #[test]
    fn where_two_fit_the_pattern_decides() {
        use RangeBasis::Default;
        check(
            &[50_000, 50_002, 55_000, 59_998, 60_998],
            64,
            LINUX,
            Default,
        );
        check(
            &[50_000, 50_001, 50_002, 50_003, 50_004],
            64,
            DYNAMIC,
            Default,
        );
        check(&[50_001], 64, LINUX, Default);
        check(&[50_001], 128, DYNAMIC, Default);
    }
}
