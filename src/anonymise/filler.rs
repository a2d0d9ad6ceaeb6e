//! What stands where something was that is not kept.

/// What replaces a byte of a body.
pub(super) const FILLER: u8 = b'x';

/// What replaces a byte that nobody understands.
pub(super) const fn unknown(byte: u8) -> u8 {
    match byte {
        b'\r' | b'\n' => byte,
        b' '..=b'~' | b'\t' => FILLER,
        // No text, and no number that a length could be.
        0x80.. => 0xfe,
        _ => 1,
    }
}
