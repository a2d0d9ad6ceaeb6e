//! Numbers formatted for readers: thousands separators, singular and plural, bytes in powers of 1000, and short
//! durations with as many decimals as a capture's clock justifies.

use std::time::Duration;

/// A number with thousands separators: `15,210`.
#[must_use]
pub fn number(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::with_capacity(digits.len() + 6);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun in singular or plural: `1 packet`, `2 packets`.
#[must_use]
pub fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A number of bytes in powers of 1000: `4.1 kB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_949 => format!("{:.1} kB", count as f64 / 1e3),
        999_950..=999_949_999 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// `1,701 bytes`: to the byte, where a reader compares it with a length that was announced.
#[must_use]
pub(crate) fn exact_bytes(number: u64) -> String {
    count(number, "byte", "bytes")
}

/// `1 connection`, `2 connections`: of what only takes an `s`.
#[must_use]
pub fn counted(number: usize, what: &str) -> String {
    count(number as u64, what, &format!("{what}s"))
}

/// A duration as it is told everywhere: `under 0.1 ms`, `41.2 ms`, `917 ms`, `1.23 s`, `65.0 s`, `21 min`, `2 h 1 min`, `2 d 7 h`,
/// `1,095 days`.
/// As many digits as a reader compares with a setting, and seconds as long as settings are in seconds.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds, time.as_micros()) {
        (0, 0..=49) => return "under 0.1 ms".to_owned(),
        (0, ..99_950) => return format!("{:.1} ms", time.as_secs_f64() * 1e3),
        (0, ..999_500) => return format!("{:.0} ms", time.as_secs_f64() * 1e3),
        (0, _) => return "1.00 s".to_owned(),
        (1..=9, _) => return format!("{:.2} s", time.as_secs_f64()),
        (10..=999, _) => return format!("{:.1} s", time.as_secs_f64()),
        _ => {}
    }
    let seconds = time.as_secs_f64().round() as u64;
    let (large, unit, small, part) = match seconds {
        0..=3599 => (seconds / 60, "min", seconds % 60, "s"),
        3600..=172_799 => (seconds / 3600, "h", seconds / 60 % 60, "min"),
        172_800..=604_799 => (seconds / 86_400, "d", seconds / 3600 % 24, "h"),
        _ => return count(seconds / 86_400, "day", "days"),
    };
    match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {part}"),
    }
}

/// A moment after the start of a capture, to find it there: `+0.041 s`; to the microsecond where `whole`, the length of the
/// capture, is short.
#[must_use]
pub fn offset(after: Duration, whole: Duration) -> String {
    let seconds = after.as_secs_f64();
    match whole < Duration::from_secs(1) {
        true => format!("+{seconds:.6} s"),
        false => format!("+{seconds:.3} s"),
    }
}

/// A whole number of seconds: `30 s`.
#[must_use]
pub(crate) fn whole_seconds(seconds: u64) -> String {
    format!("{seconds} s")
}

/// Numbers of connections as ranges, `#2, #5–#9 and 3 more`: `most` ranges, then how many numbers are left out. `more`
/// numbers are not among these.
#[must_use]
pub(crate) fn ranges(ids: &[u32], most: usize, more: u64) -> String {
    let mut told = String::new();
    let mut written = 0;
    let mut ids = ids.iter().copied().peekable();
    let mut left_out = more;
    while let Some(first) = ids.next() {
        let mut last = first;
        while ids
            .peek()
            .is_some_and(|next| last.checked_add(1) == Some(*next))
        {
            last += 1;
            ids.next();
        }
        if written == most {
            left_out += u64::from(last - first) + 1;
            continue;
        }
        written += 1;
        if !told.is_empty() {
            told += ", ";
        }
        told += &match last - first {
            0 => format!("#{first}"),
            1 => format!("#{first}, #{last}"),
            _ => format!("#{first}–#{last}"),
        };
    }
    if left_out > 0 {
        told += &format!(" and {} more", number(left_out));
    }
    told
}

/// The sentence with its first letter in upper case (ASCII only).
#[must_use]
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_legible() {
        for (given, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (270_000, "270,000"),
        ] {
            assert_eq!(number(given), text);
        }
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(count(1, "packet", "packets"), "1 packet");
        assert_eq!(count(0, "packet", "packets"), "0 packets");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(exact_bytes(1701), "1,701 bytes");
        for (given, text) in [
            (999, "999 B"),
            (4096, "4.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
        ] {
            assert_eq!(bytes(given), text);
        }
    }

    #[test]
    fn durations_are_told_in_one_way() {
        for (micros, text) in [
            (0, "under 0.1 ms"),
            (49, "under 0.1 ms"),
            (50, "0.1 ms"),
            (41_230, "41.2 ms"),
            (99_949, "99.9 ms"),
            (99_950, "100 ms"),
            (917_200, "917 ms"),
            (999_499, "999 ms"),
            (999_900, "1.00 s"),
            (1_234_000, "1.23 s"),
            (65_040_000, "65.0 s"),
            (912_040_000, "912.0 s"),
            (1_259_990_000, "21 min"),
            (1_262_000_000, "21 min 2 s"),
            (3_600_000_000, "1 h"),
            (7_260_000_000, "2 h 1 min"),
            (200_000_000_000, "2 d 7 h"),
            (94_608_000_000_000, "1,095 days"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn numbers_as_ranges() {
        assert_eq!(ranges(&[], 3, 0), "");
        assert_eq!(ranges(&[1, 2, 3, 5, 6, 9], 3, 0), "#1–#3, #5, #6, #9");
        assert_eq!(ranges(&[1, 3, 5, 7, 8], 2, 0), "#1, #3 and 3 more");
        assert_eq!(ranges(&[1, 3], 2, 7), "#1, #3 and 7 more");
    }

    #[test]
    fn offsets_have_more_places_in_a_short_capture() {
        let after = Duration::from_micros(41_230);
        assert_eq!(offset(after, Duration::from_secs(2)), "+0.041 s");
        assert_eq!(offset(after, Duration::from_millis(90)), "+0.041230 s");
    }
}
