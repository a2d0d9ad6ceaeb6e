//! Floor 11: what it means. One file per rule: its page, its detection, its example and what it is not.
//!
//! In: settled connections, and the sockets that each client spends on each server. Out: [`Finding`]s, worst first.
//! A rule parses nothing and remembers nothing; a fact that it lacks belongs into the record. [`CATALOGUE`] lists them,
//! [`explain`] gives the page, which is the rule's doc comment. The ladders in a page are run by its test.

mod capture;
mod capture_quality;
mod catalogue;
mod classify;
mod classify_tls;
mod connecting;
mod evaluate;
mod facts;
mod finding;
mod h2;
pub mod ignore;
mod keep_alive;
pub mod ladder_check;
pub mod log_errors;
mod measured_time;
mod page;
mod ports;
mod product_remedies;
mod request;
mod response;
mod rule;
mod scans;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod waiting;
mod wording;
mod wording_tls;

pub use capture_quality::CaptureQuality;
pub use catalogue::{CATALOGUE, alike, catalogue, explain, rule, to_markdown};
pub use evaluate::{concerns, evaluate};
pub use facts::RuleInput;
pub use finding::{Evidence, Finding, Severity};
pub use page::{Section, ladders};
pub(crate) use response::body_overrun::uncaptured_excess;
pub use rule::{Check, Diagnosis, HostDiagnosis, Rule, Verdict};
