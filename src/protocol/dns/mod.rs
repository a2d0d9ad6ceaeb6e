//! The names that hosts looked up, and the answers they got (RFC 1035).
//!
//! In: datagrams and segments of port 53, of which there are few. Out: [`Lookups`], which holds every lookup with its
//! answer, and the name by which a client learned an address. Nothing else of DNS is parsed: no records but addresses,
//! no signatures. Left out on purpose: names queried on the local link (mDNS, LLMNR), where silence is not a fault, and
//! encrypted lookups.

mod lookups;
mod message;

pub use lookups::{Lookup, LookupAnswer, Lookups};
pub(crate) use lookups::{MAX_IN_SEGMENT, MAX_LOOKUPS};
pub use message::{DnsMessage, RecordType, write};
pub(crate) use message::{MAX_ADDRESSES, MAX_RECORDS};
