//! What a frame of the whole input is called: by its file, and by what several places of capture show of it.

use std::collections::HashMap;

use super::escape::escape;
use super::frame_ref::{FrameNumber, FrameRun};
use super::net::Endpoint;
use super::passage::{Sight, Sighting};

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
    /// The names of the places, if several show the same connections.
    places: Vec<String>,
    /// What several places show of segments, in order of their frames, and where those of each pair of ends are.
    sightings: Vec<Sighting>,
    by_ends: HashMap<[Endpoint; 2], Vec<usize>>,
}

impl FrameNames {
    /// Names by path and runs of each file, in the order given.
    #[must_use]
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a [FrameRun])>) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let mut runs = Vec::with_capacity(files.iter().map(|(_, own)| own.len()).sum());
        for (index, (_, own)) in files.iter().enumerate() {
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
        Self {
            files,
            runs,
            one,
            ..Self::default()
        }
    }

    /// The same with the names of places, and what they show of segments, in order of their frames.
    #[must_use]
    pub(crate) fn with_places(mut self, places: Vec<String>, sightings: Vec<Sighting>) -> Self {
        for (at, sighting) in sightings.iter().enumerate() {
            let both = self.by_ends.entry(in_order(sighting.ends)).or_default();
            both.push(at);
        }
        (self.places, self.sightings) = (places, sightings);
        self
    }

    /// The same with names of places for narrow columns: without what all of them begin and end with, as far as words stay
    /// whole. `a@client.pcap` and `a@server.pcap` become `…@client` and `…@server`.
    #[must_use]
    pub(crate) fn with_short_places(mut self) -> Self {
        self.places = shortened(&self.places);
        self
    }

    /// What several places show of the segment in this frame, beside the frame.
    pub(crate) fn sights(&self, frame: FrameNumber) -> impl Iterator<Item = Sight> + '_ {
        let from = self.sightings.partition_point(|it| it.frame < frame);
        let own = self.sightings.iter().skip(from);
        own.take_while(move |it| it.frame == frame)
            .map(|it| it.what)
    }

    /// What several places show of the segments between two ends, from one frame to another.
    pub(crate) fn sightings(
        &self,
        ends: [Endpoint; 2],
        [first, last]: [FrameNumber; 2],
    ) -> impl Iterator<Item = &Sighting> {
        let all = self.by_ends.get(&in_order(ends)).into_iter().flatten();
        let all = all.filter_map(|at| self.sightings.get(*at));
        all.filter(move |it| first <= it.frame && it.frame <= last)
    }

    /// Whether several places show the same connections.
    pub(crate) fn has_places(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether there are more places than two.
    pub(crate) fn has_many_places(&self) -> bool {
        self.places.len() > 2
    }

    /// The name of a place.
    pub(crate) fn place_name(&self, place: u8) -> &str {
        let name = self.places.get(usize::from(place));
        name.map_or("another place", String::as_str)
    }

    /// The two places between which this segment was lost, or comes from: `a.pcap and b.pcap`.
    pub(crate) fn between(&self, frame: FrameNumber) -> Option<String> {
        let (from, to) = self.sights(frame).find_map(|it| match it {
            Sight::Lost(from, to) | Sight::Forged(from, to) => Some((from, to)),
            _ => None,
        })?;
        Some(self.both_places(from, to))
    }

    /// `a.pcap and b.pcap`.
    pub(crate) fn both_places(&self, from: u8, to: u8) -> String {
        let name = |place| escape(self.place_name(place).as_bytes());
        format!("{} and {}", name(from), name(to))
    }

    /// What is taken from the hop limit of this frame to get the one that its file shows, and the name of its place; `None` if it
    /// is as the file shows it.
    pub(crate) fn hops(&self, frame: FrameNumber) -> Option<(i16, &str)> {
        self.sights(frame).find_map(|it| match it {
            Sight::Hops(place, hops) => Some((hops, self.place_name(place))),
            _ => None,
        })
    }

    /// The hop limit of a segment in the frame's own file.
    pub(crate) fn own_ttl(&self, frame: FrameNumber, ttl: u8) -> u8 {
        let hops = self.hops(frame).map_or(0, |it| it.0);
        u8::try_from(i16::from(ttl) - hops).unwrap_or(ttl)
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
                format!("{}:{own}", escape(self.files[file].as_bytes()))
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

/// Bytes that all names begin with, below which a sign for them saves nothing.
const COMMON: usize = 6;

/// The names without their common ending and beginning.
fn shortened(names: &[String]) -> Vec<String> {
    let stem = |name: &str| match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => name.to_owned(),
    };
    let ending = |name: &String| name.len() - stem(name).len();
    let end = |name: &String| name[name.len() - ending(name)..].to_owned();
    let same = names
        .iter()
        .all(|it| Some(end(it)) == names.first().map(end));
    let stems: Vec<String> = match same {
        true => names.iter().map(|it| stem(it)).collect(),
        false => names.to_vec(),
    };
    let Some(first) = stems.first().filter(|_| stems.len() > 1) else {
        return stems;
    };
    // A word that some names only begin with is no common word.
    let splits = |at: usize| {
        let is_word = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
        let before = is_word(first[..at].chars().next_back());
        before && stems.iter().any(|it| is_word(it[at..].chars().next()))
    };
    let is_common = |at: &usize| {
        let common = &first[..*at];
        stems.iter().all(|it| it.starts_with(common)) && !splits(*at)
    };
    let places = first.char_indices().map(|(at, _)| at).chain([first.len()]);
    let common = places.filter(is_common).max().unwrap_or(0);
    if common < COMMON {
        return stems;
    }
    let short = |name: &String| match &name[common..] {
        "" => name.clone(),
        rest => format!("…{rest}"),
    };
    stems.iter().map(short).collect()
}

/// Two ends in an order that does not depend on who sends.
fn in_order(mut ends: [Endpoint; 2]) -> [Endpoint; 2] {
    ends.sort_unstable();
    ends
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
    fn short_names_of_places_keep_their_difference() {
        for (names, short) in [
            (
                &["lost-behind.pcap", "lost-behind@router.pcap"][..],
                &["lost-behind", "…@router"][..],
            ),
            (
                &["capture-client.pcap", "capture-server.pcap"],
                &["…client", "…server"],
            ),
            (
                &["client.pcap", "server.pcapng"],
                &["client.pcap", "server.pcapng"],
            ),
            (&["client.pcap", "server.pcap"], &["client", "server"]),
            (
                &["hosting1.pcap", "hosting2.pcap"],
                &["hosting1", "hosting2"],
            ),
            (&["größe-groß-a.pcap", "größe-groß-b.pcap"], &["…a", "…b"]),
            (&["one.pcap"], &["one"]),
            (&[], &[]),
        ] {
            let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(shortened(&names), short);
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
