//! What places show of single segments beside their frames, kept until the frame of a segment has its number.

use hashbrown::HashMap;
use std::collections::VecDeque;

use super::way::{Fate, Trail};
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::base::passage::{Sight, Sighting};
use crate::packet::capture::FileSummary;
use crate::packet::decode::TcpOptions;

/// Sightings that are kept: 80 bytes each.
pub(crate) const MAX_SIGHTINGS: usize = 1 << 17;

/// Sightings on their way.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Those of frames that wait, by their number among those.
    waiting: HashMap<u64, Vec<Sight>>,
    /// Where other places are joined with these: what is known of each frame, and what was noted, by its number here.
    pub(super) is_inner: bool,
    trails: VecDeque<(u64, Trail)>,
    handed_on: VecDeque<(u64, Sight)>,
    recorded: usize,
}

impl Notes {
    /// Notes something of a frame that waits.
    pub(super) fn add(&mut self, number: u64, what: Sight) {
        self.waiting.entry(number).or_default().push(what);
    }

    /// What was noted of a frame that waited.
    pub(super) fn take(&mut self, number: u64) -> Vec<Sight> {
        match self.waiting.is_empty() {
            true => Vec::new(),
            false => self.waiting.remove(&number).unwrap_or_default(),
        }
    }

    /// A frame has got this number.
    pub(super) fn put(
        &mut self,
        files: &mut [FileSummary],
        number: u64,
        trail: Trail,
        whats: Vec<Sight>,
        ends: impl FnOnce() -> Option<[Endpoint; 2]>,
    ) {
        if self.is_inner {
            self.trails.push_back((number, trail));
            self.handed_on
                .extend(whats.into_iter().map(|what| (number, what)));
            return;
        }
        let fate = match trail.fate {
            Fate::Open => None,
            Fate::Lost(from, to) => Some(Sight::Lost(from, to)),
            Fate::Forged(from, to) => Some(Sight::Forged(from, to)),
        };
        if whats.is_empty() && fate.is_none() {
            return;
        }
        let (Some(ends), Some(file)) = (ends(), files.first_mut()) else {
            return;
        };
        for what in whats.into_iter().chain(fate) {
            if self.recorded >= MAX_SIGHTINGS {
                file.more_sightings += 1;
                continue;
            }
            self.recorded += 1;
            file.sightings.push(Sighting {
                frame: FrameNumber(number),
                ends,
                what,
            });
        }
    }

    /// What is known of the next frame, which has this number.
    pub(super) fn trail(&mut self, number: u64) -> Trail {
        while let Some((next, trail)) = self.trails.front().copied() {
            if next > number {
                break;
            }
            self.trails.pop_front();
            if next == number {
                return trail;
            }
        }
        Trail::default()
    }

    /// What was noted of the frame with this number. Frames are asked for in their order.
    pub(super) fn of(&mut self, number: u64) -> Vec<Sight> {
        let mut found = Vec::new();
        while let Some((next, what)) = self.handed_on.front().copied() {
            if next > number {
                break;
            }
            self.handed_on.pop_front();
            if next == number {
                found.push(what);
            }
        }
        found
    }
}

/// What the options of a SYN at two places say: those in the frame of the first, and those at another place.
pub(super) fn changes(place: u8, here: &TcpOptions, there: &TcpOptions) -> Vec<Sight> {
    let mut found = Vec::new();
    if here.mss != there.mss {
        found.push(Sight::Mss(place, here.mss, there.mss));
    }
    let others = [
        ("window scale", here.window_scale != there.window_scale),
        ("SACK", here.sack_permitted != there.sack_permitted),
        (
            "timestamps",
            here.timestamps.is_some() != there.timestamps.is_some(),
        ),
        ("Fast Open", here.fast_open != there.fast_open),
    ];
    let differ = others.iter().filter(|it| it.1);
    found.extend(differ.map(|it| Sight::Options(place, it.0)));
    found
}
