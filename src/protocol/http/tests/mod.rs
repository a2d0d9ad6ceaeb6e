//! Tests of whole connections, and the script with which a test describes one.

mod conversations;
pub(super) mod script;
