//! The seam for decryption: what a decryptor is given, and what it gives back.
//!
//! A [`Session`](super::Session) knows the [`Agreement`] as soon as both hellos were read. Whoever has secrets for its
//! client random makes a [`Decryptor`] of them. From then on every record of either direction is to be handed to it whole
//! and in order, together with its number under the current keys; what comes back in the clear is fed to what is spoken
//! inside. For this the record cutter has to gather records that cross segments (at most [`super::record::MAX_RECORD`]
//! bytes for each direction), which it does not do as long as there is no decryptor. A record with a hole in it cannot be
//! opened; its number is counted all the same, so that the next one can.
//!
//! Left out until it is needed: the decryptor itself.

use super::hello::Version;
use crate::side::End;

/// What both hellos settled, as far as keys are derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// `ClientHello.random`: what a key log is searched for.
    pub client_random: [u8; 32],
    /// `ServerHello.random`.
    pub server_random: [u8; 32],
    /// The version that is spoken.
    pub version: Version,
    /// The cipher suite.
    pub cipher: u16,
    /// The session identifier that the server sent: the same as in an earlier connection when that is resumed.
    pub session_id: Vec<u8>,
    /// `extended_master_secret` was agreed on (RFC 7627).
    pub extended_master_secret: bool,
    /// `encrypt_then_mac` was agreed on (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// One record as it lay on the wire, its header taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Who sent it.
    pub from: End,
    /// The content type on the outside.
    pub kind: u8,
    /// The version in the header, which is part of what is authenticated.
    pub version: u16,
    /// Its number since this direction last changed keys.
    pub sequence: u64,
    /// What follows the header.
    pub fragment: &'a [u8],
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is in the clear now; this is its content type on the inside.
    Plain(u8),
    /// It was not under keys.
    AsItWas,
    /// The keys do not fit.
    Refused,
}

/// Opens records.
pub trait Decryptor: Send + std::fmt::Debug {
    /// Opens one record; what it held is appended to `plain`. Never panics, whatever the record holds.
    fn open(&mut self, record: &Record<'_>, plain: &mut Vec<u8>) -> Opened;
}
