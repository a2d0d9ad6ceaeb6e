//! The most usual frame, at a glance: a whole TCP segment over IPv4 on Ethernet. Decoding it needs no state and leaves
//! none, so that any decoder gives the same result.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::net::Endpoint;
use crate::base::passage::Passage;
use crate::packet::capture::Frame;

const ETHERNET: u16 = 1;
/// IPv4 with a header of five words.
const VERSION_AND_WORDS: u8 = 0x45;
const TCP: u8 = 6;

/// Sender and receiver of the segment in the most usual frame; `None` for any other frame.
#[inline]
pub(crate) fn usual_endpoints(frame: &Frame<'_>) -> Option<(Endpoint, Endpoint)> {
    let head: &[u8; 38] = frame.data.first_chunk()?;
    let usual = frame.link.0 == ETHERNET
        && head[12..15] == [8, 0, VERSION_AND_WORDS]
        // No more fragments, and no offset.
        && head[20] & 0x3f == 0
        && head[21] == 0
        && head[23] == TCP
        && frame.passage != Passage::Apart;
    let endpoint = |ip: usize, port: usize| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::new(
            head[ip],
            head[ip + 1],
            head[ip + 2],
            head[ip + 3],
        )),
        port: u16::from_be_bytes([head[port], head[port + 1]]),
    };
    usual.then(|| (endpoint(26, 34), endpoint(30, 36)))
}
