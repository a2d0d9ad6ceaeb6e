//! What the operating system of this host says of the ends of connections that are its own: which programs hold them, and
//! why it sent a RST. It comes beside the packets, so only live captures have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::connection::Who;
use crate::base::frame_ref::FrameRef;
use crate::knowledge::SocketThen;

/// A program that runs, or ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name, as the operating system shortens it; that of one of its threads where the number is not known.
    pub name: Box<str>,
    /// Its number; `None` if it ended before it could be asked for.
    pub pid: Option<u32>,
}

/// A RST that this host's operating system sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReset {
    /// The frame of the RST.
    pub frame: FrameRef,
    /// The reason, by its name in the kernel.
    pub reason: Box<str>,
    /// What the socket was doing.
    pub socket: SocketThen,
    /// The program whose system call sent it; `None` if none did.
    pub by: Option<Process>,
}

/// One end of a connection, on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalEnd {
    /// The programs that held its socket: the one that opened or closed it, if that was seen, else all.
    pub held_by: Vec<Process>,
    /// The RST that it sent.
    pub reset: Option<LocalReset>,
}

/// Both ends of the connections about which anything is known.
#[derive(Clone, Debug, Default)]
pub struct LocalEnds {
    ends: Arc<BTreeMap<u32, [LocalEnd; 2]>>,
}

impl LocalEnds {
    /// What is known of one end of a connection.
    #[must_use]
    pub fn of(&self, id: u32, who: Who) -> Option<&LocalEnd> {
        self.ends.get(&id).map(|it| &it[who as usize])
    }

    /// Changes what is known of a connection.
    pub(crate) fn change(&mut self, id: u32) -> &mut [LocalEnd; 2] {
        Arc::make_mut(&mut self.ends).entry(id).or_default()
    }

    /// Forgets connections before this one.
    pub(crate) fn forget_before(&mut self, id: u32) {
        if self.ends.first_key_value().is_some_and(|it| *it.0 < id) {
            let kept = Arc::make_mut(&mut self.ends).split_off(&id);
            self.ends = Arc::new(kept);
        }
    }
}
