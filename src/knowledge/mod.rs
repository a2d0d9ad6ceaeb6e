//! Facts as data: the error texts that programs print for wire events, default timers, port ranges, helpful settings,
//! and the codes of proxies and systems; and the way back from a pasted error text to the wire.
//!
//! Uses no other room. The tables are tab-separated files next to the code; they are compiled into the program and
//! parsed once, on first use. Every row names its source.

mod code;
mod error_text;
mod explain;
mod fuzzy_match;
mod limit;
mod log_line;
mod port_range;
mod product;
mod setting;
mod socket_error;
mod table;
mod timer;
mod wire_event;

pub use code::{CODES, Code, Family, codes_in};
pub use error_text::{Basis, ErrorText, FACTS, KnownProgram, Prediction, texts, texts_of};
pub use explain::{EventGroup, EventMatch, Explanation, MatchReason, explain, match_error};
pub use fuzzy_match::MatchQuality;
pub use limit::{Counted, LIMITS, Limit, default_limit};
pub use log_line::{LogLineHints, LogTime, hints_in};
pub use port_range::{PortRange, port_ranges};
pub use product::{
    NamedBy, NamedProduct, PRODUCTS, Product, REMEDY_WORDS, Role, identify, inside, product,
};
pub use setting::{SETTINGS, Setting, settings};
pub use socket_error::{
    AfterReset, ConnectionStage, SocketError, System, UnreadData, after_icmp_unreachable,
    after_icmpv6_unreachable, after_reset, after_silence,
};
pub use timer::{DefaultTime, TIMERS, Timer, TimerPhase, default_time, timer_candidates};
pub use wire_event::{EventTrace, LogSide, WireEvent};
