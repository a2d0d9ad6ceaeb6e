//! Numbers with bounds and units: `5`, `>5s`, `<=1.5MB`, `2..5`, `5xx`.

use std::fmt;

use crate::base::typed_time::typed_time;

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// None.
    Plain,
    /// Nanoseconds.
    Time,
    /// Bytes.
    Bytes,
    /// A status code; `5xx` is a range of a hundred.
    Status,
}

/// A range of numbers, both bounds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AmountRange {
    Is(u64),
    Over(u64),
    AtLeast(u64),
    Under(u64),
    AtMost(u64),
    Between(u64, u64),
}

/// Units from small to large; times in nanoseconds. The first name of each is the one that is printed.
const TIMES: [(&[&str], u64); 7] = [
    (&["ns"], 1),
    (&["us", "µs"], 1_000),
    (&["ms"], 1_000_000),
    (&["s", "sec"], 1_000_000_000),
    (&["min", "m"], 60_000_000_000),
    (&["h"], 3_600_000_000_000),
    (&["d"], 86_400_000_000_000),
];
const SIZES: [(&[&str], u64); 7] = [
    (&["b"], 1),
    (&["kb", "k"], 1_000),
    (&["kib"], 1 << 10),
    (&["mb", "m"], 1_000_000),
    (&["mib"], 1 << 20),
    (&["gb", "g"], 1_000_000_000),
    (&["gib"], 1 << 30),
];

impl AmountRange {
    /// Whether the range contains this number.
    pub(super) const fn holds(self, number: u64) -> bool {
        match self {
            Self::Is(bound) => number == bound,
            Self::Over(bound) => number > bound,
            Self::AtLeast(bound) => number >= bound,
            Self::Under(bound) => number < bound,
            Self::AtMost(bound) => number <= bound,
            Self::Between(low, high) => low <= number && number <= high,
        }
    }

    /// Whether the range overlaps `low` to `high`.
    pub(super) const fn meets(self, low: u64, high: u64) -> bool {
        match self {
            Self::Is(bound) => low <= bound && bound <= high,
            Self::Over(bound) => high > bound,
            Self::AtLeast(bound) => high >= bound,
            Self::Under(bound) => low < bound,
            Self::AtMost(bound) => low <= bound,
            Self::Between(first, last) => low <= last && first <= high,
        }
    }

    /// Parses a range; the error names a valid one.
    pub(super) fn read(text: &str, unit: Unit) -> Result<Self, &'static str> {
        let wrong = example(unit);
        let read = |text: &str| {
            let composed = || typed_time(text).filter(|_| unit == Unit::Time);
            let nanos = || u64::try_from(composed()?.as_nanos()).ok();
            number(text, unit).or_else(nanos).ok_or(wrong)
        };
        for (sign, bound) in [
            (">=", Self::AtLeast as fn(u64) -> Self),
            ("<=", Self::AtMost),
            (">", Self::Over),
            ("<", Self::Under),
            ("=", Self::Is),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return read(rest).map(bound);
            }
        }
        if let Some((low, high)) = text.split_once("..") {
            let (low, high) = (read(low)?, read(high)?);
            return match low <= high {
                true => Ok(Self::Between(low, high)),
                false => Err("the first number is above the second"),
            };
        }
        if unit == Unit::Status
            && let Some(hundred) = hundred(text)
        {
            return Ok(Self::Between(hundred * 100, hundred * 100 + 99));
        }
        let number = read(text)?;
        Ok(match unit {
            // No time or byte count is ever exactly the number typed.
            Unit::Time | Unit::Bytes => Self::AtLeast(number),
            Unit::Plain | Unit::Status => Self::Is(number),
        })
    }

    /// Prints the range so that it parses back to the same.
    pub(super) fn write(self, unit: Unit, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = matches!(unit, Unit::Time | Unit::Bytes);
        let (sign, one) = match self {
            Self::Is(one) if measured => ("=", one),
            Self::Is(one) => ("", one),
            Self::Over(one) => (">", one),
            Self::AtLeast(one) => (">=", one),
            Self::Under(one) => ("<", one),
            Self::AtMost(one) => ("<=", one),
            Self::Between(low, high)
                if unit == Unit::Status
                    && (1..=9).contains(&(low / 100))
                    && low % 100 == 0
                    && high == low + 99 =>
            {
                return write!(f, "{}xx", low / 100);
            }
            Self::Between(low, high) => {
                write_number(low, unit, f)?;
                f.write_str("..")?;
                return write_number(high, unit, f);
            }
        };
        f.write_str(sign)?;
        write_number(one, unit, f)
    }
}

const fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Plain => "a number is expected, such as 3, >3 or 2..5",
        Unit::Time => "a time is expected, such as >5s, <200ms or 1s..2min",
        Unit::Bytes => "an amount is expected, such as >1MB, <500 or 1kB..2kB",
        Unit::Status => "a status is expected, such as 404, 5xx or >=400",
    }
}

/// The `5` of `5xx`.
fn hundred(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    match bytes {
        [digit @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] => Some(u64::from(digit - b'0')),
        _ => None,
    }
}

fn number(text: &str, unit: Unit) -> Option<u64> {
    let digits = text
        .find(|char: char| !char.is_ascii_digit() && char != '.')
        .unwrap_or(text.len());
    let (digits, name) = text.split_at(digits);
    let scale = match unit {
        Unit::Plain | Unit::Status => {
            return name.is_empty().then(|| digits.parse().ok()).flatten();
        }
        Unit::Time => scale(&TIMES, name, 1_000_000_000)?,
        Unit::Bytes => scale(&SIZES, name, 1)?,
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    if part.is_empty() || part.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let tenths = 10u128.pow(u32::try_from(part.len()).ok()?);
    let part = u128::from(part.parse::<u64>().ok()?) * u128::from(scale) / tenths;
    whole
        .checked_mul(scale)?
        .checked_add(u64::try_from(part).ok()?)
}

fn scale(units: &[(&[&str], u64)], name: &str, without: u64) -> Option<u64> {
    if name.is_empty() {
        return Some(without);
    }
    let name = name.to_lowercase();
    let unit = units
        .iter()
        .find(|(names, _)| names.contains(&name.as_str()));
    unit.map(|(_, scale)| *scale)
}

/// Prints a number in the largest unit that divides it.
fn write_number(number: u64, unit: Unit, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let units: &[(&[&str], u64)] = match unit {
        Unit::Plain | Unit::Status => return write!(f, "{number}"),
        Unit::Time => &TIMES,
        Unit::Bytes => &SIZES,
    };
    let fits = |(_, scale): &&(&[&str], u64)| number > 0 && number.is_multiple_of(*scale);
    let (names, scale) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    write!(f, "{}{}", number / scale, names[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, unit: Unit, bound: AmountRange) {
        assert_eq!(AmountRange::read(text, unit), Ok(bound), "{text}");
    }

    #[test]
    fn bounds_are_read() {
        use AmountRange::{AtLeast, AtMost, Between, Is, Over, Under};
        check("3", Unit::Plain, Is(3));
        check(">3", Unit::Plain, Over(3));
        check("2..5", Unit::Plain, Between(2, 5));
        check("5xx", Unit::Status, Between(500, 599));
        check("404", Unit::Status, Is(404));
        check(">5s", Unit::Time, Over(5_000_000_000));
        check("5", Unit::Time, AtLeast(5_000_000_000));
        check("<1.5ms", Unit::Time, Under(1_500_000));
        check(">1m30s", Unit::Time, Over(90_000_000_000));
        check(
            "1s..2min",
            Unit::Time,
            Between(1_000_000_000, 120_000_000_000),
        );
        check("<=1.5MB", Unit::Bytes, AtMost(1_500_000));
        check("4KiB", Unit::Bytes, AtLeast(4096));
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, unit) in [
            ("", Unit::Plain),
            (">", Unit::Time),
            ("5..2", Unit::Plain),
            ("1.5", Unit::Plain),
            ("1.", Unit::Time),
            (".5s", Unit::Time),
            ("5 parsecs", Unit::Time),
            ("99999999999999d", Unit::Time),
            ("0xx", Unit::Status),
            ("5xx", Unit::Plain),
        ] {
            assert!(AmountRange::read(text, unit).is_err(), "{text}");
        }
    }
}
