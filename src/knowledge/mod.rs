//! Floor 10: facts as data. What programs say when the wire does something to them, default timers, port ranges, and the
//! codes of proxies and systems; and the way from a pasted error text back to the wire.
//!
//! Uses no other floor. The tables lie beside the code as tab-separated text, are part of the program, and are read once,
//! when first asked. Every row names its source.

mod event;
mod stack;
mod table;
mod text;

pub use event::{Side, Trace, WireEvent};
pub use stack::{NamedBy, PRODUCTS, Product, Role, Stack, identify, product};
pub use text::{Basis, FACTS, Fact, Prediction, Speaker, texts};
