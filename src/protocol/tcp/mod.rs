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
pub use oddity::{Odd, OddKind, Oddities};
pub use pair::{Pair, Received};
pub use peer::{CloseEvent, Counts, Flight, Peer};
pub use reset::{ResetKind, Signs};
pub use state::{Input, Standing, State, next};
pub use stream::{Arrival, Reader, Stream};
