//! Floor 6: TLS on one connection, seen from outside.

mod session;
mod stage;

pub use session::Session;
