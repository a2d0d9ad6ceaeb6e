//! Whether a difference between two counts may be chance: Fisher's exact test.

/// The probability that two shares `a` of `all_a` and `b` of `all_b` are at least this far apart by chance.
pub(super) fn probability(a: u64, all_a: u64, b: u64, all_b: u64) -> f64 {
    let (hits, all) = (a.saturating_add(b), all_a.saturating_add(all_b));
    // From `a` away from what is expected, in the direction of the difference.
    let more = u128::from(a) * u128::from(all_b) > u128::from(b) * u128::from(all_a);
    let (mut a, mut misses_a) = (a as f64, all_a.saturating_sub(a) as f64);
    let mut b = b as f64;
    let mut misses_b = all_b as f64 - b;
    let log = ln_choose(all_a as f64, a) + ln_choose(all_b as f64, b)
        - ln_choose(all as f64, hits as f64);
    let mut term = log.exp();
    let mut sum = 0.0;
    while term > 0.0 {
        sum += term;
        let next = match more {
            true => (misses_a * b) / ((a + 1.0) * (misses_b + 1.0)),
            false => (a * misses_b) / ((misses_a + 1.0) * (b + 1.0)),
        };
        let step = if more { 1.0 } else { -1.0 };
        a += step;
        misses_a -= step;
        b -= step;
        misses_b += step;
        term *= next;
        if term < sum * 1e-12 {
            break;
        }
    }
    (2.0 * sum).min(1.0)
}

/// The logarithm of the number of ways to choose `some` of `all`.
fn ln_choose(all: f64, some: f64) -> f64 {
    ln_factorial(all) - ln_factorial(some) - ln_factorial(all - some)
}

/// Stirling's series; small factorials are multiplied.
fn ln_factorial(number: f64) -> f64 {
    const SMALL: f64 = 32.0;
    if number < SMALL {
        let factors = (2..=number.max(0.0) as u32).map(|it| f64::from(it).ln());
        return factors.sum();
    }
    let tail = 1.0 / (12.0 * number) - 1.0 / (360.0 * number.powi(3));
    number * number.ln() - number + (std::f64::consts::TAU * number).ln() / 2.0 + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_held_against_chance() {
        for (a, all_a, b, all_b, wanted) in [
            // Twice the tail of the hypergeometric distribution, in exact integers.
            (3, 40, 0, 38, 0.259_74),
            (0, 38, 3, 40, 0.259_74),
            (10, 40, 0, 38, 0.001_347_3),
            (5, 5, 0, 5, 0.007_936_5),
            (1, 1, 0, 1, 1.0),
            (2, 4, 2, 4, 1.0),
        ] {
            let found = probability(a, all_a, b, all_b);
            assert!(
                (found - wanted).abs() < wanted * 1e-4,
                "{a}/{all_a} {b}/{all_b}: {found}"
            );
        }
        assert!(probability(24, 24, 0, 25) < 1e-12);
        assert!(probability(500_000, 1_000_000, 499_000, 1_000_000) > 0.05);
        assert!(probability(10_000, 1_000_000, 5_000, 1_000_000) < 1e-9);
    }
}
