//! Values of options: what is typed becomes a time, a size, a range, or a message that shows how it is typed.

use std::time::Duration;

use crate::base::typed_time::{EXAMPLES, typed_time};

/// `32768-60999`.
pub(super) fn ports(typed: &str) -> Result<(u16, u16), String> {
    let range = typed.split_once('-').and_then(|(low, high)| {
        let low: u16 = low.trim().parse().ok()?;
        let high: u16 = high.trim().parse().ok()?;
        (0 < low && low <= high).then_some((low, high))
    });
    range.ok_or_else(|| {
        "write it as the lowest and the highest port, such as 32768-60999".to_owned()
    })
}

/// A time, and not none.
pub(super) fn time(typed: &str) -> Result<Duration, String> {
    time_or_none(typed).and_then(|time| match time.is_zero() {
        true => Err("it must be longer than nothing".to_owned()),
        false => Ok(time),
    })
}

/// A time; none is one.
pub(super) fn time_or_none(typed: &str) -> Result<Duration, String> {
    typed_time(typed).ok_or_else(|| format!("write it as {EXAMPLES}"))
}

/// Numbers of connections: `3`, `7-9`, with or without the `#` of reports.
pub(super) fn numbers(typed: &str) -> Result<(u32, u32), String> {
    let one = |text: &str| -> Option<u32> {
        let text = text.trim();
        let number = text.strip_prefix('#').unwrap_or(text).parse().ok()?;
        (number > 0).then_some(number)
    };
    let range = match typed.split_once("..").or_else(|| typed.split_once('-')) {
        Some((low, high)) => one(low).zip(one(high)),
        None => one(typed).map(|it| (it, it)),
    };
    let range = range.filter(|(low, high)| low <= high);
    range.ok_or_else(|| "write it as 3, as 7-9, or as a list of both: 3,7-9".to_owned())
}

/// `100M`, `512K`, `2G`; without a unit, bytes.
pub(super) fn size(typed: &str) -> Result<u64, String> {
    let digits = typed.trim_end_matches(char::is_alphabetic);
    let shift = match typed[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => Some(0),
        "K" | "KB" | "KIB" => Some(10),
        "M" | "MB" | "MIB" => Some(20),
        "G" | "GB" | "GIB" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|it| *it > 0);
    let total = number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift));
    total.ok_or_else(|| "write it as a number and K, M or G, such as 100M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time_or_none("0"), Ok(Duration::ZERO));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("100"), Ok(100));
        for wrong in ["", "s", "0s", "1y", "-1s", "99999999999999999999h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "M", "0", "1X", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn connections_are_numbered_from_one() {
        assert_eq!(numbers("3"), Ok((3, 3)));
        assert_eq!(numbers("#3"), Ok((3, 3)));
        assert_eq!(numbers("7-9"), Ok((7, 9)));
        assert_eq!(numbers("7..9"), Ok((7, 9)));
        for wrong in ["", "0", "9-7", "a", "1-", "-1", "4294967296"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn port_ranges_are_checked() {
        assert_eq!(ports("32768-60999"), Ok((32768, 60999)));
        for wrong in ["", "1", "5-4", "0-9", "1-65536", "a-b", "1-2-3"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }
}
