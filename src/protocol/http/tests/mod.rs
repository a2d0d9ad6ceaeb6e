//! Whole conversations, and the script by which a test says one.

mod conversations;
pub(super) mod script;
