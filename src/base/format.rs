//! Floor 0: numbers as people read them: thousands apart, counted things in the right number, bytes in powers of 1000,
//! and short times with as many places as a capture's clock is worth.

use std::time::Duration;

/// A number with its thousands apart: `15,210`.
#[must_use]
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 6);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 packet`, `2 packets`.
#[must_use]
pub fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// `4.1 kB`, powers of 1000.
#[must_use]
pub fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_949 => format!("{:.1} kB", count as f64 / 1e3),
        999_950..=999_949_999 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// A time below a second: `41.2 ms`, `0.4 ms`, `under 0.1 ms`.
#[must_use]
pub fn millis(time: Duration) -> String {
    match time.as_micros() {
        0..=49 => "under 0.1 ms".to_owned(),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

/// A sentence that begins with a capital letter, as it may stand by itself.
#[must_use]
pub fn capitalised(sentence: &str) -> String {
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
        for (given, text) in [
            (0, "under 0.1 ms"),
            (49, "under 0.1 ms"),
            (50, "0.1 ms"),
            (41_230, "41.2 ms"),
        ] {
            assert_eq!(millis(Duration::from_micros(given)), text);
        }
        for (given, text) in [
            (999, "999 B"),
            (4096, "4.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
        ] {
            assert_eq!(bytes(given), text);
        }
    }
}
