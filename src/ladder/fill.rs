//! The defaults for what the notation leaves out, bytes of bodies and a host, and the methods it knows.

/// The methods that are words of the notation (RFC 9110 §9.3, RFC 5789).
pub(crate) const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// The byte used for content that does not matter.
pub(super) const FILLER: u8 = b'x';

/// The `Host` of a request that states none.
pub(super) const HOST: &str = "a";
