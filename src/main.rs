//! The command-line program. Everything it does is in the library.

fn main() {}
