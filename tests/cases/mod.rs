//! The number of cases per property.
//!
//! A property with expensive cases runs fewer of them than proptest's default, one with cheap cases more.
//! `PROPTEST_CASES` scales all of them relative to the usual 256: `PROPTEST_CASES=5120` runs twenty times as many.

use proptest::prelude::ProptestConfig;

/// The default of proptest.
const USUAL: u64 = 256;

/// Configures `count` cases, scaled by the environment variable.
pub fn cases(count: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = u64::from(count) * u64::from(asked.cases) / USUAL;
    ProptestConfig {
        cases: u32::try_from(cases).unwrap_or(u32::MAX).max(1),
        ..asked
    }
}
