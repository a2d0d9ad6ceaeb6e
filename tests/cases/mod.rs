//! How many cases a property is tried with.
//!
//! Where a case is dear there are fewer than proptest would try, where it is cheap more. `PROPTEST_CASES`, which
//! stands for the usual 256, moves all of them alike: `PROPTEST_CASES=5120` tries everything twenty times as often.

use proptest::prelude::ProptestConfig;

/// As many as proptest tries where nothing else is said.
const USUAL: u64 = 256;

/// So many cases, unless the environment asks for more or fewer.
pub fn cases(count: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = u64::from(count) * u64::from(asked.cases) / USUAL;
    ProptestConfig {
        cases: u32::try_from(cases).unwrap_or(u32::MAX).max(1),
        ..asked
    }
}
