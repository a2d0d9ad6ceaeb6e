//! Which frame of which file each frame of several files is: recorded where one does not follow the other.

use super::summary::FileSummary;
use crate::base::frame_ref::{FrameNumber, FrameRun};

/// Runs of frames that are recorded, of all files: 32 MB.
pub(crate) const MAX_RUNS: usize = 2 << 20;

/// Records runs in the summaries of their files.
#[derive(Debug)]
pub(crate) struct RunLog {
    recorded: usize,
    most: usize,
    /// The file and the difference of numbers of the last one.
    last: Option<(usize, u64)>,
}

impl Default for RunLog {
    fn default() -> Self {
        Self::up_to(MAX_RUNS)
    }
}

impl RunLog {
    pub(crate) const fn up_to(most: usize) -> Self {
        Self {
            recorded: 0,
            most,
            last: None,
        }
    }

    /// Records that the frame with the number `first` is this frame of the file with this index, if it does not go on from
    /// the run before; `None` if it is not known which it is. A single file needs no runs.
    pub(crate) fn record(
        &mut self,
        files: &mut [FileSummary],
        first: FrameNumber,
        place: Option<(usize, u64)>,
    ) {
        let run = place.map(|(index, own)| (index, first.0.wrapping_sub(own)));
        if files.len() < 2 || self.last == run {
            return;
        }
        self.last = run;
        let (index, own) = place.unwrap_or((0, FrameRun::UNKNOWN));
        let Some(summary) = files.get_mut(index) else {
            return;
        };
        let own = match self.recorded < self.most {
            true => own,
            false => FrameRun::UNKNOWN,
        };
        summary.more_runs += u64::from(own == FrameRun::UNKNOWN);
        if self.recorded <= self.most {
            self.recorded += 1;
            summary.runs.push(FrameRun { first, own });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame_names;
    use super::*;

    #[test]
    fn a_frame_of_unknown_place_has_not_that_of_the_one_before() {
        let places = [Some((0, 1)), None, None, Some((1, 1)), Some((1, 2))];
        let mut files = vec![FileSummary::default(); 2];
        let mut log = RunLog::default();
        for (number, place) in (1..).zip(places) {
            log.record(&mut files, FrameNumber(number), place);
        }
        let names = frame_names(&files);
        for (number, place) in (1..).zip(places) {
            assert_eq!(names.place(FrameNumber(number)), place, "{number}");
        }
        assert_eq!(files[0].more_runs + files[1].more_runs, 1);
    }
}
