//! Not filled yet.
/// x
#[derive(Debug)]
pub struct Recorder;
/// x
#[derive(Debug)]
pub struct Reticence;
