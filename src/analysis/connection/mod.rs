//! Floor 7: one connection's whole story, and its [`Teardown`]: who, how, when.
//!
//! [`Connection`] is the settled record that rules, reports and screens read. It is compact: a capture may hold
//! hundreds of thousands.

mod frame_notes;
mod record;
mod summary;
mod teardown;
mod tracker;
mod verdict;

pub use crate::base::certainty::Certainty;
pub use crate::protocol::http::Phase;
pub use crate::protocol::tcp::{CloseEvent, Odd, OddKind, ResetKind, Signs, Standing, State};
pub use frame_notes::{Remark, Remarks};
pub use record::{Connection, Opening, Predecessor, Roles, Sent, Unanswered, Who};
pub use summary::{Brief, Lost, Outcomes};
pub use teardown::{By, How, Teardown};
pub use tracker::{Fit, Kept, Limits, Live, Remains};
pub use verdict::Ended;
