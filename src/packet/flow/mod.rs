//! Floor 3: which connection a segment is of. A bounded table from addresses and ports to whatever is kept of them.

mod key;
mod table;

pub use key::FlowKey;
pub use table::{FlowSlot, FlowTable};
