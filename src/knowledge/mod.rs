//! Floor 7½: facts as data. What programs say when the wire does something to them, default timers, port ranges, the
//! settings that help, and the codes of proxies and systems; and the way from a pasted error text back to the wire.
//!
//! Uses no other floor. The tables lie beside the code as tab-separated text, are part of the program, and are read once,
//! when first asked. Every row names its source.

mod code;
mod event;
mod explain;
mod hint;
mod kernel;
mod lexicon;
mod port_range;
mod setting;
mod stack;
mod table;
mod text;
mod timer;

pub use code::{CODES, Code, Family, codes_in};
pub use event::{Side, Trace, WireEvent};
pub use explain::{Explanation, Match, Story, Why, explain, match_error};
pub use hint::{Hints, Moment, hints_in};
pub use kernel::{
    AfterReset, SocketError, Stage, System, Unread, after_icmp_unreachable,
    after_icmpv6_unreachable, after_reset, after_silence,
};
pub use lexicon::Fit;
pub use port_range::{PortRange, port_ranges};
pub use setting::{SETTINGS, Setting, settings};
pub use stack::{NamedBy, PRODUCTS, Product, Role, Stack, identify, inside, product};
pub use text::{Basis, FACTS, Fact, Prediction, Speaker, texts, texts_of};
pub use timer::{Running, TIMERS, Timer, timer_candidates};
