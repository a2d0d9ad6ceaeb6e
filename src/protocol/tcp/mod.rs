//! The TCP states of both endpoints of a connection (RFC 9293), inferred from the captured segments.
//!
//! `state.rs` has the state machine, `inbox.rs` what an observer can know of it, `stream.rs` the reassembly, `reset.rs`
//! the kinds of RST, and `pair.rs` how one segment advances all of them.

mod doubt;
mod fingerprint;
mod inbox;
mod oddity;
mod padding;
mod pair;
mod peer;
mod reset;
mod sightings;
mod state;
mod stream;
mod unpadded;

pub(crate) use fingerprint::hops;
pub use inbox::Inbox;
pub use oddity::{ForgedBytes, OddSegments, Oddities, Oddity};
pub(crate) use padding::may_be_padding;
pub use pair::{EndpointPair, SegmentResult};
pub use peer::{Checksums, CloseEvent, PassageCounts, Peer, SegmentCounts, Unacknowledged};
pub use reset::{ResetKind, ResetSigns};
pub use state::{Standing, State, StateInput, next};
pub use stream::{Arrival, ByteStream, StreamSink};
pub(crate) use stream::{MAX_GAPS, MAX_HELD_BYTES, MAX_HELD_PIECES};
