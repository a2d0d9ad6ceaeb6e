//! Facts as data: the error texts that programs print for wire events, default timers, port ranges, helpful settings,
//! and the codes of proxies and systems; and the way back from a pasted error text to the wire.
//!
//! Uses no other room. The tables are tab-separated files next to the code; they are compiled into the program and
//! parsed once, on first use. Every row names its source.

mod access_log;
mod basis;
mod code;
mod error_text;
mod explain;
mod fuzzy_match;
mod gateway;
mod handshake;
mod limit;
mod load_generator;
mod log_format;
mod log_line;
mod message;
mod met;
mod parsers;
mod pasted;
mod place;
mod port_range;
mod product;
mod question;
mod reading;
mod reset_reason;
mod service;
pub(crate) mod setting;
mod socket_error;
mod table;
mod timer;
mod tls_alert;
mod tls_client;
mod understood;
mod wire_event;

pub use basis::{Basis, without_defaults};
pub(crate) use code::{CODES, codes_in};
pub use code::{Code, Family, code_of};
pub use error_text::{ErrorText, HeadShape, KnownProgram, Prediction, texts};
pub(crate) use error_text::{FACTS, texts_of};
pub(crate) use explain::match_type;
pub(crate) use explain::status_in;
pub use explain::{EventGroup, EventMatch, Explanation, MatchReason, explain, match_error};
pub use fuzzy_match::MatchQuality;
pub(crate) use gateway::gateway_answer;
#[cfg(feature = "anonymise")]
pub(crate) use handshake::handshake_words;
pub(crate) use handshake::{Introduced, Introduction, introduced};
pub(crate) use limit::default_limit;
pub use limit::{Counted, LIMITS, Limit};
pub(crate) use load_generator::is_load_generator;
pub use log_format::{LogFormat, StampedAt};
pub(crate) use log_format::{NOT_SENT, is_about_upstream};
pub use log_line::{LogLineHints, LogTime};
pub(crate) use log_line::{address_at, hints_in, time_at};
pub use message::Message;
pub(crate) use parsers::{Readings, StreamEnd};
pub use place::Place;
pub use port_range::PortRange;
pub(crate) use port_range::port_ranges;
#[cfg(feature = "anonymise")]
pub(crate) use product::product_words;
pub(crate) use product::{
    NOT_ON_WINDOWS, ONLY_ON_WINDOWS, REMEDY_WORDS, identify, is_other_browser, is_stranger,
};
pub use product::{NamedBy, NamedProduct, PRODUCTS, Product, Role, inside, product};
pub use question::Question;
pub use reset_reason::{ResetReason, SocketThen, reset_reason};
#[cfg(test)]
pub(crate) use service::is_service;
pub(crate) use service::{greeting_service, service, service_name, usual_ports};
pub use setting::{Setting, settings};
pub use socket_error::{AfterReset, ConnectionStage, SocketError, System, UnreadData};
pub(crate) use socket_error::{
    after_icmp_unreachable, after_icmpv6_unreachable, after_reset, after_silence,
};
pub use timer::{DefaultTime, TIMERS, Timer, TimerPhase};
pub(crate) use timer::{default_time, network_limit, timer_candidates};
pub(crate) use tls_alert::{Refusal, sent_for};
pub use tls_client::{TlsClient, tls_client};
pub use wire_event::{EventTrace, LogSide, WireEvent};
