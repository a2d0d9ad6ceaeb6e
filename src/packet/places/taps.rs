//! Two files of one place, each with one direction, as two taps of a line write them: how far their clocks are apart.
//!
//! Nothing is acknowledged before it was sent. Each acknowledgement in one file of bytes in the other bounds how far the second
//! clock is ahead: from above by those of one direction, from below by those of the other. If the bounds leave out zero, the
//! clocks differ.

use hashbrown::HashMap;

use super::prints::Print;
use crate::base::net::Flags;

/// Connections that are compared.
const FLOWS: usize = 4096;

/// By how many nanoseconds each file's clock is ahead of that of the first file whose other direction it has; empty if no two
/// files contradict each other.
pub(super) fn ahead(files: &[Vec<Print>]) -> Vec<i64> {
    let mut ahead = vec![0; files.len()];
    let mut set = vec![false; files.len()];
    let one_way: Vec<_> = files.iter().map(|it| directions(it)).collect();
    for later in 1..files.len() {
        for earlier in 0..later {
            if set[later] {
                break;
            }
            let found = apart(
                (&files[earlier], &one_way[earlier]),
                (&files[later], &one_way[later]),
            );
            if let Some(apart) = found.filter(|it| *it != 0) {
                ahead[later] = ahead[earlier] + apart;
                set[later] = true;
            }
        }
    }
    if set.contains(&true) {
        ahead
    } else {
        Vec::new()
    }
}

/// The direction of each flow in a file; `None` if it has both.
type Directions = HashMap<u64, Option<bool>>;

fn directions(prints: &[Print]) -> Directions {
    let mut found = Directions::new();
    for print in prints {
        if found.len() >= FLOWS && !found.contains_key(&print.flow) {
            continue;
        }
        let direction = found.entry(print.flow).or_insert(Some(print.low));
        if *direction != Some(print.low) {
            *direction = None;
        }
    }
    found
}

/// By how much the clock of the second file is ahead, if each has one direction of the connections that both have; 0 if nothing
/// shows that the clocks differ.
fn apart(
    (first, of_first): (&[Print], &Directions),
    (second, of_second): (&[Print], &Directions),
) -> Option<i64> {
    let mut shared = 0;
    for (flow, own) in of_first {
        let Some(other) = of_second.get(flow) else {
            continue;
        };
        match (own, other) {
            (Some(a), Some(b)) if a != b => shared += 1,
            _ => return None,
        }
    }
    if shared == 0 {
        return None;
    }
    let is_shared =
        |it: &&Print| of_first.contains_key(&it.flow) && of_second.contains_key(&it.flow);
    let first: Vec<&Print> = first.iter().filter(is_shared).collect();
    let second: Vec<&Print> = second.iter().filter(is_shared).collect();
    // What the second acknowledges was sent before; what the first acknowledges too.
    let most = soonest(&first, &second)?;
    let least = -soonest(&second, &first)?;
    if (least..=most).contains(&0) {
        return Some(0);
    }
    // Bounds that contradict each other are those of a clock that was set, or of frames out of order.
    let width = most - least;
    if width < 0 {
        return None;
    }
    let nearest = if least > 0 { least } else { most };
    Some(match nearest.abs() > width {
        true => least + width / 2,
        false => nearest,
    })
}

/// How long after the segments of one file their acknowledgements came in the other, by the clocks as they are: the shortest time.
fn soonest(sent: &[&Print], answers: &[&Print]) -> Option<i64> {
    let mut ends: HashMap<u64, Vec<(u32, i64)>> = HashMap::new();
    for it in sent {
        let flags = it.numbers.flags;
        let taken =
            it.numbers.length + u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        if taken > 0 {
            let end = it.numbers.seq.wrapping_add(taken);
            ends.entry(it.flow).or_default().push((end, it.time()));
        }
    }
    // Of what was sent again, the first time counts.
    for all in ends.values_mut() {
        let start = all.first().map_or(0, |it| it.0);
        all.sort_unstable_by_key(|(end, time)| (end.wrapping_sub(start) as i32, *time));
        all.dedup_by_key(|it| it.0);
    }
    let after = answers.iter().filter_map(|it| {
        if !it.numbers.flags.has(Flags::ACK) {
            return None;
        }
        let all = ends.get(&it.flow)?;
        let is_taken = |(end, _): &(u32, i64)| it.numbers.ack.wrapping_sub(*end) as i32 >= 0;
        let last = all.partition_point(is_taken).checked_sub(1)?;
        let (end, time) = all.get(last)?;
        // An acknowledgement of less than what follows says no more than this.
        (it.numbers.ack == *end).then(|| it.time() - time)
    });
    after.min()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::super::probe;
    use crate::packet::capture::OpenOptions;

    /// A capture in two files, one for each direction, the second with its clock ahead by so much.
    fn divided(name: &str, ahead: i64) -> [PathBuf; 2] {
        let file = fs::read("captures/reset-before-response.pcap").expect("a capture");
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
        let unit = if word(0) == 0xa1b2_3c4d { 1 } else { 1000 };
        let mut out = [file[..24].to_vec(), file[..24].to_vec()];
        let mut at = 24;
        let mut client = None;
        while at < file.len() {
            let end = at + 16 + word(at + 8) as usize;
            // The source address of IPv4 behind Ethernet.
            let source = &file[at + 16 + 26..at + 16 + 30];
            let client = *client.get_or_insert(source);
            let side = usize::from(source != client);
            let time = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * unit;
            let time = time + if side == 1 { ahead } else { 0 };
            let seconds = u32::try_from(time.div_euclid(1_000_000_000)).expect("after 1970");
            let rest = u32::try_from(time.rem_euclid(1_000_000_000) / unit).expect("under 1 s");
            out[side].extend(seconds.to_le_bytes());
            out[side].extend(rest.to_le_bytes());
            out[side].extend(&file[at + 8..end]);
            at = end;
        }
        let dir = std::env::temp_dir();
        [0, 1].map(|side| {
            let path = dir.join(format!(
                "hangup-tap-{}-{name}-{side}.pcap",
                std::process::id()
            ));
            fs::write(&path, &out[side]).expect("written");
            path
        })
    }

    #[test]
    fn acknowledgements_show_how_far_two_clocks_are_apart() {
        for (name, ahead) in [
            ("same", 0),
            ("ahead", 1_000_000_000),
            ("behind", -30_000_000_000),
        ] {
            let paths = divided(name, ahead);
            let files = paths.each_ref().map(PathBuf::as_path);
            let found = probe::ahead(&files);
            match ahead {
                0 => assert!(found.is_empty(), "{found:?}"),
                _ => {
                    assert_eq!(found[0], 0);
                    // Within a round trip.
                    assert!((found[1] - ahead).abs() < 200_000_000, "{found:?} {ahead}");
                }
            }
            paths
                .iter()
                .for_each(|path| fs::remove_file(path).expect("removed"));
        }
    }

    /// The frames are in the order of the line, and the file says by how much it was set back.
    #[test]
    fn frames_of_two_taps_are_in_order() {
        let order = |paths: &[PathBuf]| {
            let mut source =
                super::super::open(paths, &OpenOptions::default()).expect("two captures");
            let mut batch = Default::default();
            let mut lengths = Vec::new();
            while matches!(
                source.fill(&mut batch),
                Ok(crate::packet::capture::Fill::Frames)
            ) {
                lengths.extend(batch.frames().map(|it| it.data.to_vec()));
            }
            let set: Vec<_> = source.files().iter().map(|it| it.clock_ahead).collect();
            (lengths, set)
        };
        let whole = order(&[Path::new("captures/reset-before-response.pcap").to_owned()]);
        let paths = divided("order", 5_000_000_000);
        let (frames, set) = order(&paths);
        assert_eq!(frames, whole.0);
        assert!(set[0].is_none() && set[1].is_some(), "{set:?}");
        paths
            .iter()
            .for_each(|path| fs::remove_file(path).expect("removed"));
    }
}
