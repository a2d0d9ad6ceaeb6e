//! The rules: from connections to findings. One file per rule holds its page, its detection, an example and a
//! counterexample.
//!
//! In: settled connections, and the sockets that each client uses on each server. Out: [`Finding`]s, worst first. A
//! rule parses nothing and keeps no state; a fact that it lacks belongs into the connection's record. [`CATALOGUE`]
//! lists all rules, [`Rule::page`] is the rule's doc comment. The ladders in a page are run by its
//! test.

mod alone;
mod capture;
mod capture_elsewhere;
mod capture_quality;
mod cases;
mod catalogue;
mod classify;
mod classify_h2;
mod classify_messages;
mod classify_tls;
mod connecting;
mod download_parts;
mod evaluate;
mod facts;
mod finding;
mod ftp_data;
mod gathered;
#[cfg(test)]
mod group_tests;
mod h2;
mod headline;
mod held;
pub mod ignore;
mod keep_alive;
pub mod ladder_check;
pub mod log_errors;
#[cfg(test)]
mod loss_tests;
mod lost_data;
mod measured_time;
mod members;
mod message;
mod named_products;
mod needed;
mod opaque;
mod page;
mod page_remedies;
mod ports;
mod product_remedies;
mod proxy_role;
mod recovered_legs;
mod refusals;
mod remedy;
mod remedy_conditions;
mod request;
mod response;
mod retry;
mod rule;
mod scans;
mod server_stopped;
mod silent_host;
mod spared_attempts;
mod statement;
mod stuck_segments;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod translated;
mod unanswered;
mod upstream;
mod waiting;
mod wording;
mod wording_tls;

pub(crate) use alone::{FoundAlone, concern, found_alone};
pub use capture_quality::CaptureQuality;
pub(crate) use cases::{WORTH_TELLING, cost};
pub use catalogue::{CATALOGUE, rule};
pub(crate) use catalogue::{GROUPS, alike, catalogue, meant, named_like};
pub use evaluate::evaluate;
pub(crate) use evaluate::evaluate_with;
pub use facts::RuleInput;
pub use finding::{Evidence, Finding, Severity};
pub use gathered::GivenUpCases;
pub(crate) use gathered::MAX_GIVEN_UP_CASES;
pub use headline::Headline;
pub use message::Message;
pub(crate) use message::within_a_sentence;
pub(crate) use page::with_condition;
pub use page::{Section, ladders};
pub use proxy_role::ProxyRole;
pub use remedy::Remedy;
pub(crate) use remedy::standing_first;
pub(crate) use response::body_overrun::uncaptured_excess;
pub use rule::{Check, Diagnosis, Group, HostDiagnosis, Rule, Verdict};
pub(crate) use spared_attempts::{SPARED, spared};
pub use statement::{Sentence, Statement, Value};
