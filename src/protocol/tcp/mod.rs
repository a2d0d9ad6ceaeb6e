//! Floor 4: what each side was. RFC 9293 for both endpoints of a connection, from outside.
//!
//! Read `state.rs` for the machine, `inbox.rs` for what outsiders can know of it, `stream.rs` for the bytes,
//! `reset.rs` for the kinds of RST, and `pair.rs` for how one segment moves them all.

mod fingerprint;
mod inbox;
mod oddity;
mod pair;
mod peer;
mod reset;
mod sightings;
mod state;
mod stream;

pub use inbox::Inbox;
pub use oddity::{OddSegments, Oddities, Oddity};
pub use pair::{EndpointPair, SegmentResult};
pub use peer::{CloseEvent, Peer, SegmentCounts, Unacknowledged};
pub use reset::{ResetKind, ResetSigns};
pub use state::{Standing, State, StateInput, next};
pub use stream::{Arrival, ByteStream, StreamSink};
