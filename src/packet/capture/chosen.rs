//! A capture file of which only the frames of some interfaces are read: the place that these interfaces are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::frame::{Batch, Fill, Source};
use super::input::Compression;
use super::pcapng::{
    BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, OBSOLETE_PACKET, SECTION_HEADER,
    SIMPLE_PACKET,
};
use super::summary::FileSummary;
use crate::base::net::Loss;

/// Bytes at the beginning of a file in which its interfaces are looked for.
const BEFORE_PACKETS: u64 = 64 << 10;

/// Whether a file may have several interfaces: a pcapng file that describes them before its first packet, as all programs
/// write that capture or merge. Of one that is compressed it is not known before it is read.
pub(crate) fn may_have_interfaces(path: &Path) -> bool {
    let read = || -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        let file = File::open(path)?;
        file.take(BEFORE_PACKETS).read_to_end(&mut start)?;
        Ok(start)
    };
    read().is_ok_and(|start| {
        Compression::of(&start) != Compression::None || describes_several(&start)
    })
}

fn describes_several(start: &[u8]) -> bool {
    let swapped = start.get(8..12) == Some(&BYTE_ORDER_MAGIC.to_be_bytes());
    let word = |at: usize| {
        let bytes = *start.get(at..)?.first_chunk()?;
        Some(match swapped {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        })
    };
    if word(0) != Some(SECTION_HEADER) {
        return false;
    }
    let (mut at, mut found) = (0_usize, 0);
    while let (Some(kind), Some(length)) = (word(at), word(at + 4)) {
        match kind {
            INTERFACE_DESCRIPTION => found += 1,
            OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => break,
            _ => {}
        }
        let Ok(length @ 12..) = usize::try_from(length) else {
            break;
        };
        at = at.saturating_add(length);
    }
    found > 1
}

/// Which interfaces of a file are read, by their numbers in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// These.
    Only(Vec<u32>),
    /// All others.
    AllBut(Vec<u32>),
}

impl Chosen {
    fn has(&self, interface: u32) -> bool {
        match self {
            Self::Only(these) => these.contains(&interface),
            Self::AllBut(those) => !those.contains(&interface),
        }
    }
}

/// The frames of the chosen interfaces. They keep the numbers that they have in the file.
pub(crate) struct ChosenInterfaces {
    source: Box<dyn Source>,
    chosen: Chosen,
    /// The number of the file's first interface.
    first: u32,
    files: [FileSummary; 1],
}

impl ChosenInterfaces {
    /// Of a source of one file, whose interfaces are numbered from `first`.
    pub(crate) fn of(source: Box<dyn Source>, chosen: Chosen, first: u32) -> Self {
        let mut chosen = Self {
            source,
            chosen,
            first,
            files: [FileSummary::default()],
        };
        chosen.summarise(0);
        chosen
    }

    /// What the file says of itself, once: at the place of its first interface.
    fn summarise(&mut self, read: u64) {
        let [own] = &mut self.files;
        let Some(file) = self.source.files().first() else {
            return;
        };
        let packets = own.packets + read;
        if matches!(self.chosen, Chosen::AllBut(_)) {
            own.interfaces.clear();
            own.follow(file);
        } else {
            own.path.clone_from(&file.path);
            own.interfaces.clone_from(&file.interfaces);
            (own.format, own.bytes) = (file.format, file.bytes);
        }
        let (chosen, first) = (&self.chosen, self.first);
        own.interfaces
            .retain(|it| chosen.has(it.number.wrapping_sub(first)));
        own.packets = packets;
        let name = |it: &super::Interface| {
            let number = it.number.wrapping_sub(first);
            it.name.clone().unwrap_or_else(|| number.to_string())
        };
        let names: Vec<String> = own.interfaces.iter().map(name).collect();
        own.only = Some(match &names[..] {
            [only] => format!("interface {only}"),
            _ => format!("interfaces {}", names.join(", ")),
        });
    }
}

impl Source for ChosenInterfaces {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, super::CaptureError> {
        loop {
            let filled = self.source.fill(batch)?;
            if filled != Fill::Frames {
                self.summarise(0);
                return Ok(filled);
            }
            let (chosen, first) = (&self.chosen, self.first);
            batch.retain(|frame| chosen.has(frame.interface.wrapping_sub(first)));
            self.summarise(batch.len() as u64);
            if !batch.is_empty() {
                return Ok(Fill::Frames);
            }
        }
    }

    fn stop(&mut self) {
        self.source.stop();
    }

    fn lost(&self) -> Loss {
        match self.chosen {
            Chosen::AllBut(_) => self.source.lost(),
            Chosen::Only(_) => Loss::default(),
        }
    }

    fn files(&self) -> &[FileSummary] {
        &self.files
    }
}
