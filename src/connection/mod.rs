//! Floor 7: one connection's whole story, and its [`Teardown`]: who, how, when.
//!
//! [`Connection`] is the settled record that rules, reports and screens read. It is compact: a capture may hold
//! hundreds of thousands.

mod brief;
mod live;
mod record;
mod remark;
mod teardown;
mod verdict;

pub use crate::base::certainty::Certainty;
pub use crate::protocol::http::Phase;
pub use crate::protocol::tcp::{CloseEvent, Odd, OddKind, ResetKind, Signs, Standing, State};
pub use brief::{Brief, Lost, Outcomes};
pub use live::{Fit, Kept, Limits, Live, Remains};
pub use record::{Connection, Opening, Predecessor, Roles, Sent, Unanswered, Who};
pub use remark::{Remark, Remarks};
pub use teardown::{By, How, Teardown};
pub use verdict::Ended;
