//! Whether there is a libpcap. It is opened when it is first needed (`libpcap.c`); a static program has its own.
//!
//! It is asked for a name that every libpcap knows: what stands in for a missing one knows none.

use pcap::Linktype;

use super::error::CaptureError;

/// Fails if a filter or an interface needs libpcap and there is none.
pub(crate) fn require() -> Result<(), CaptureError> {
    match is_there() {
        true => Ok(()),
        false => Err(CaptureError::NoLibpcap),
    }
}

/// Whether libpcap can be used; opens it.
#[must_use]
pub fn is_there() -> bool {
    const ETHERNET: Linktype = Linktype(1);
    ETHERNET.get_name().is_ok()
}

/// Whether it is part of this program.
#[must_use]
pub const fn is_linked() -> bool {
    cfg!(libpcap_linked)
}
