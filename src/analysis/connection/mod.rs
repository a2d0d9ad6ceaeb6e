//! One connection from its first segment to its settled record, with its [`Teardown`] (who closed it, how and when) and
//! its [`ConnectionOutcome`] (whether anything was lost).
//!
//! [`Connection`] is the settled record that rules, reports and screens read. It is compact: a capture may hold
//! hundreds of thousands.

mod author;
mod carried;
mod footprint;
mod frame_notes;
mod judgement;
mod lacking;
mod outcome;
mod plain;
mod record;
mod requests;
mod standpoint;
mod summary;
mod teardown;
pub(crate) mod tls_close;
mod tracker;
mod verdict;

pub use crate::base::certainty::Certainty;
pub use crate::protocol::http::Phase;
pub use crate::protocol::tcp::{
    Checksums, CloseEvent, ForgedBytes, OddSegments, Oddity, ResetKind, ResetSigns, Standing, State,
};
pub use author::{Author, author};
pub use frame_notes::{FrameNote, FrameNotes};
pub(crate) use judgement::{
    CROSSES_WITHIN, NO_WAIT, is_answered_with_holes, is_leftover, is_refused_early, left_at_once,
    wanted_the_status,
};
pub use outcome::{ConnectionOutcome, FailedReason, FineReason, UnknownReason};
pub(crate) use plain::{PlainConnection, PlainNotes, PlainStep};
pub(crate) use record::Taken;
pub use record::{
    Connection, InFlight, Opening, Predecessor, Roles, SentTotals, SettledBecause, SkippedBytes,
    Turns, UnansweredSegments, Who,
};
pub use requests::{BriefRequest, BriefRequests, RequestList};
pub(crate) use standpoint::beside;
pub use standpoint::{Standpoint, standpoint};
pub use summary::{ConnectionSummary, LostRequest, OutcomeSet};
pub use teardown::{By, How, Teardown};
pub use tracker::{ConnectionTracker, Evicted, HeldBytes, PredecessorState, SegmentMatch};
