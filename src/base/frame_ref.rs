//! References to frames of the input.

use std::collections::HashMap;

use crate::base::time::Timestamp;

/// A frame's number in the whole input, counted from 1, as Wireshark numbers frames when the same files are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u64);

/// A frame and its capture time. Every claim names one, so that it can be checked against the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRef {
    /// The frame's number.
    pub frame: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
}

/// Frames of one file that follow one another in the whole input as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRun {
    /// The number of its first frame in the whole input.
    pub first: FrameNumber,
    /// The number of that frame in its file, counted from 1; or [`FrameRun::UNKNOWN`].
    pub own: u64,
}

impl FrameRun {
    /// It is not recorded where this frame and those after it are.
    pub const UNKNOWN: u64 = 0;
}

/// Which frame of which file a frame of the whole input is. With several files a number in the whole input stands in none
/// of them, so that a reader cannot find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameNames {
    /// The files' names, short where that tells them apart.
    files: Vec<String>,
    /// The runs of all files in order of their first frame, each with the file's index; empty if there is one file or
    /// none.
    runs: Vec<(FrameRun, usize)>,
    /// All of them are one file, of which several interfaces are read apart: its numbers need no name.
    one: bool,
}

impl FrameNames {
    /// Names by path and runs of each file, in the order given.
    #[must_use]
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a [FrameRun])>) -> Self {
        let mut paths = Vec::new();
        let mut runs = Vec::new();
        for (index, (path, own)) in files.into_iter().enumerate() {
            paths.push(path);
            runs.extend(own.iter().map(|run| (*run, index)));
        }
        runs.sort_unstable_by_key(|(run, _)| run.first);
        let short = |path: &'a str| path.rsplit(['/', '\\']).next().unwrap_or(path);
        let mut count: HashMap<&str, usize> = HashMap::new();
        for path in &paths {
            *count.entry(short(path)).or_default() += 1;
        }
        let one = paths.iter().all(|path| Some(path) == paths.first());
        let files = paths.iter().map(|path| match short(path) {
            name if !name.is_empty() && count.get(name) == Some(&1) => name.to_owned(),
            _ => (*path).to_owned(),
        });
        let files = files.collect();
        Self { files, runs, one }
    }

    /// The name of the file with this index, short where that tells it from the others.
    pub(crate) fn file(&self, index: usize) -> Option<&str> {
        self.files.get(index).map(String::as_str)
    }

    /// The index of the file and the number in it. `None` if there is no file, or it is not known where the frame was.
    #[must_use]
    pub fn place(&self, frame: FrameNumber) -> Option<(usize, u64)> {
        if frame.0 == 0 {
            return None;
        }
        if self.files.len() < 2 {
            return (self.files.len() == 1).then_some((0, frame.0));
        }
        let after = self.runs.partition_point(|(run, _)| run.first <= frame);
        let (run, file) = self.runs.get(after.checked_sub(1)?)?;
        if run.own == FrameRun::UNKNOWN {
            return None;
        }
        Some((*file, run.own + (frame.0 - run.first.0)))
    }

    /// The number alone, `b.pcap:4` with several files.
    #[must_use]
    pub fn short(&self, frame: FrameNumber) -> String {
        match self.place(frame) {
            Some((_, own)) if self.one => own.to_string(),
            Some((file, own)) if self.files.len() > 1 => {
                format!(
                    "{}:{own}",
                    crate::base::escape::escape(self.files[file].as_bytes())
                )
            }
            _ => frame.0.to_string(),
        }
    }

    /// For a narrow column: the number alone, `2:4` with several files, counted from 1.
    #[must_use]
    pub fn column(&self, frame: FrameNumber) -> String {
        match self.place(frame) {
            Some((_, own)) if self.one => own.to_string(),
            Some((file, own)) if self.files.len() > 1 => format!("{}:{own}", file + 1),
            _ => frame.0.to_string(),
        }
    }

    /// `frame 12`, or `b.pcap:4` with several files.
    #[must_use]
    pub fn name(&self, frame: FrameNumber) -> String {
        match self.files.len() {
            0 | 1 => format!("frame {}", frame.0),
            _ if self.one => format!("frame {}", self.short(frame)),
            _ => self.short(frame),
        }
    }

    /// `frames 1 to 6`, `b.pcap:4 to 9`, or `a.pcap:1 to b.pcap:7`.
    #[must_use]
    pub fn span(&self, first: FrameNumber, last: FrameNumber) -> String {
        match (self.files.len(), self.place(first), self.place(last)) {
            (0 | 1, ..) => format!("frames {} to {}", first.0, last.0),
            _ if self.one => format!("frames {} to {}", self.short(first), self.short(last)),
            (_, Some((one, _)), Some((other, own))) if one == other => {
                format!("{} to {own}", self.short(first))
            }
            _ => format!("{} to {}", self.short(first), self.short(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u64, own: u64) -> FrameRun {
        FrameRun {
            first: FrameNumber(first),
            own,
        }
    }

    #[test]
    fn one_file_or_none_needs_no_name() {
        let none = FrameNames::default();
        let one = FrameNames::new([("a/x.pcap", &[][..])]);
        for names in [&none, &one] {
            assert_eq!(names.name(FrameNumber(1234)), "frame 1234");
            assert_eq!(names.span(FrameNumber(1), FrameNumber(6)), "frames 1 to 6");
        }
        assert_eq!(none.place(FrameNumber(3)), None);
        assert_eq!(one.place(FrameNumber(3)), Some((0, 3)));
        assert_eq!(one.place(FrameNumber(0)), None);
    }

    #[test]
    fn of_several_files_each_frame_is_named_by_its_own() {
        // a: 1 2 . . 5, b: . . 3 4 . 6
        let (a, b) = ([run(1, 1), run(5, 3)], [run(3, 1), run(6, 3)]);
        let names = FrameNames::new([("x/a.pcap", &a[..]), ("x/b.pcap", &b[..])]);
        let told: Vec<String> = (1..=6).map(|it| names.name(FrameNumber(it))).collect();
        assert_eq!(
            told,
            [
                "a.pcap:1", "a.pcap:2", "b.pcap:1", "b.pcap:2", "a.pcap:3", "b.pcap:3"
            ]
        );
        assert_eq!(names.span(FrameNumber(3), FrameNumber(6)), "b.pcap:1 to 3");
        assert_eq!(
            names.span(FrameNumber(1), FrameNumber(6)),
            "a.pcap:1 to b.pcap:3"
        );
    }

    #[test]
    fn equal_names_are_told_apart_by_their_paths() {
        let (a, b) = ([run(1, 1)], [run(2, 1)]);
        let names = FrameNames::new([("x/a.pcap", &a[..]), ("y/a.pcap", &b[..])]);
        assert_eq!(names.name(FrameNumber(2)), "y/a.pcap:1");
    }
}
