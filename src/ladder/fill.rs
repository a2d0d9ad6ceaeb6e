//! What the notation puts where it leaves something out: bytes of bodies, a host, and the methods that it knows.

/// The methods that are words of the notation (RFC 9110 §9.3, RFC 5789).
pub const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

/// What stands for bytes that do not matter.
pub(super) const FILLER: u8 = b'x';

/// The `Host` of a request that names none.
pub(super) const HOST: &str = "a";
