//! Floor 4½: the names that hosts looked up, and what they were told (RFC 1035).
//!
//! In: datagrams and segments of port 53, of which there are few. Out: [`Lookups`]: every lookup with its answer, and which
//! name an address was reached by. Nothing else of DNS is read: no records but addresses, no signatures.
//! Left out on purpose: names asked of neighbours (mDNS, LLMNR), where silence is no fault, and encrypted lookups.

mod lookups;
mod message;

pub use lookups::{Lookup, LookupAnswer, Lookups};
pub use message::{DnsMessage, RecordType, write};
