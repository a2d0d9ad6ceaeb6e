//! Assigns segments to flows: a bounded table from addresses and ports to per-flow state.

mod key;
mod table;

pub use key::FlowKey;
pub use table::{FlowSlot, FlowTable};
