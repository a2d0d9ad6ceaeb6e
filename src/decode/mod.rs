//! Floor 2: a frame becomes a [`Segment`], or the counted reason why not. Pure but for fragments waiting for their
//! siblings; never fails, never panics on bytes.

mod segment;
mod skip;

pub use segment::{Context, Endpoint, Flags, Options, Quote, QuoteKind, Segment, TimestampOption};
pub use skip::Skip;
