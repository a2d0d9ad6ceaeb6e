//! Building blocks of all rows: values for both sides, times, escaped texts.

use crate::analysis::connection::Who;
use crate::base::escape::escape;
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::http::SharedText;
use crate::report::wording::moment;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// A value for each side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub(super) struct BothSides<T> {
    /// Of the client.
    client: T,
    /// Of the server.
    server: T,
}

impl<T> BothSides<T> {
    pub(super) fn of(each: impl Fn(Who) -> T) -> Self {
        Self {
            client: each(Who::Client),
            server: each(Who::Server),
        }
    }
}

/// A timestamp as RFC 3339 in UTC, with all nine digits.
pub(super) struct JsonTime(pub(super) Timestamp);

impl Serialize for JsonTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&moment::rfc3339(self.0))
    }
}

pub(super) fn text(text: &Option<SharedText>) -> Option<Cow<'_, str>> {
    text.as_ref().map(|text| escape(text.as_bytes()))
}

/// Which frame of which file a frame is.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PlaceRow {
    /// Its index in `capture.files`.
    pub(super) file: Option<usize>,
    /// The frame's number in that file, from 1.
    pub(super) frame_in_file: Option<u64>,
}

impl PlaceRow {
    pub(super) fn new(frame: FrameNumber, frames: &FrameNames) -> Self {
        let place = frames.place(frame);
        Self {
            file: place.map(|(file, _)| file),
            frame_in_file: place.map(|(_, own)| own),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct EndpointRow {
    /// IPv4 or IPv6 address.
    ip: std::net::IpAddr,
    /// TCP port.
    port: u16,
}

impl EndpointRow {
    pub(super) const fn new(endpoint: Endpoint) -> Self {
        Self {
            ip: endpoint.ip,
            port: endpoint.port,
        }
    }
}
