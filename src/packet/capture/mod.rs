//! Frames from files, pipes and interfaces. The only layer that can fail.
//!
//! A [`Source`] fills [`Batch`]es: many frames in one buffer, so that the layers above borrow and never copy, and whole
//! batches can move to another thread. [`open`] reads one or several files and pipes as one timeline.

mod aside;
mod begun;
mod chosen;
mod classic;
#[cfg(feature = "compressed")]
mod decoders;
mod error;
mod files;
mod filter;
mod foreign;
mod frame;
mod growing;
mod handles;
mod input;
#[cfg(feature = "live")]
pub mod libpcap;
#[cfg(feature = "live")]
mod live;
#[cfg(not(feature = "compressed"))]
mod no_decoders;
mod pcapng;
mod pcapng_facts;
mod reader;
mod recent;
mod record;
mod recording;
mod runs;
#[cfg(feature = "live")]
mod side_by_side;
mod summary;
#[cfg(test)]
mod tests;
mod wrapped;
mod write;

pub(crate) use aside::aside;
pub(crate) use begun::begun;
pub(crate) use chosen::{Chosen, ChosenInterfaces, may_have_interfaces};
pub use error::CaptureError;
pub use files::{OpenOptions, open, read};
pub(crate) use files::{open_with_clocks, read_numbered};
pub(crate) use frame::FrameSlot;
pub use frame::{Batch, Fill, Frame, LinkType, Source};
pub(crate) use handles::is_same;
pub use input::Input;
#[cfg(feature = "live")]
pub use live::{LiveOptions, NamedInterface, default_interface, interfaces, live};
pub use recent::{Recent, RecentLimits};
pub(crate) use recording::numbered;
pub use recording::{Recording, Rotation};
pub(crate) use runs::{MAX_RUNS, RunLog};
#[cfg(feature = "live")]
pub(crate) use side_by_side::side_by_side;
pub use summary::{Damage, FileSummary, Interface, SecretsBlock, frame_names};
pub(crate) use summary::{
    MAX_COMMENTS, MAX_FRAME_COMMENTS, MAX_INTERFACES, MAX_NAMES, MAX_SECRET_BYTES,
};
pub(crate) use wrapped::{Wrap, wrapped};
pub use write::{PcapWriter, PcapngWriter};
