//! What a page says of the places where the same connections were captured: what both show, and how their clocks differ.

use std::time::Duration;

use super::rich_text::StyledLine;
use crate::base::escape::escape;
use crate::base::format::{count, duration, number};
use crate::base::frame_names::FrameNames;
use crate::base::passage::Vantage;
use crate::report::snapshot::InputSummary;

/// The line of each place but the first, and one about its clock. Empty if there is one place.
pub(crate) fn lines(
    inputs: &[InputSummary],
    names: &FrameNames,
) -> Vec<(&'static str, StyledLine)> {
    let place = |number: u32| {
        let mut all = inputs.iter().enumerate();
        all.find_map(|(nth, it)| Some((nth, it.vantage.filter(|it| it.place == number)?)))
    };
    let name = |nth: usize| {
        let only = inputs.get(nth).and_then(|it| it.only.as_deref());
        let name = only.or_else(|| names.file(nth)).unwrap_or_default();
        escape(name.as_bytes()).into_owned()
    };
    let Some((first, base)) = place(0) else {
        let set = inputs.iter().enumerate();
        let set = set.filter_map(|(nth, it)| Some((nth, it.clock_ahead?)));
        return set
            .map(|(nth, ahead)| ("Clock", set_back(name(nth), ahead)))
            .collect();
    };
    let others: Vec<(usize, Vantage)> = (1..).map_while(place).collect();
    let further = further(&others, name);
    let lines = others.iter().copied().flat_map(|(other, vantage)| {
        let (here, there) = (name(first), name(other));
        let both = StyledLine::default()
            .code(here.clone())
            .plain(" and ")
            .code(there.clone())
            .plain(match vantage.flows {
                0 => " were captured at the same time: ",
                _ => " show the same connections: ",
            })
            .plain(shared(&base, &vantage));
        if vantage.clock_offset.is_none() {
            return vec![("Places", both)];
        }
        let clock = StyledLine::default()
            .code(there)
            .plain(clock(&vantage))
            .code(here)
            .plain(within(&vantage));
        vec![("Places", both), ("Clock", clock)]
    });
    lines.chain(further).collect()
}

/// What was done about a file with one direction whose clock was another one.
fn set_back(name: String, ahead: i64) -> StyledLine {
    let by = duration(Duration::from_nanos(ahead.unsigned_abs()));
    let (is, moved) = match ahead > 0 {
        true => ("ahead of", "back"),
        false => ("behind", "forward"),
    };
    StyledLine::default().code(name).plain(format!(
        " is {by} {is} the file with the other direction, as acknowledgements show: its times are set {moved}."
    ))
}

/// A line for each two places of which neither is the first, if something was lost or forged between them.
fn further(
    others: &[(usize, Vantage)],
    name: impl Fn(usize) -> String,
) -> Vec<(&'static str, StyledLine)> {
    let mut lines = Vec::new();
    for (nth, (here, one)) in others.iter().enumerate() {
        for (there, other) in others.iter().skip(nth + 1) {
            let said = between(one, other);
            if said.is_empty() {
                continue;
            }
            let line = StyledLine::default()
                .plain("Between ")
                .code(name(*here))
                .plain(" and ")
                .code(name(*there))
                .plain(format!(": {}.", said.join(", ")));
            lines.push(("Places", line));
        }
    }
    lines
}

/// What was lost and forged between two places.
fn between(one: &Vantage, other: &Vantage) -> Vec<String> {
    let at = |all: &[u64], place: u32| {
        let place = usize::try_from(place).ok();
        place.and_then(|it| all.get(it)).copied().unwrap_or(0)
    };
    let lost = at(&one.lost_to, other.place) + at(&other.lost_to, one.place);
    let forged = at(&one.forged_from, other.place) + at(&other.forged_from, one.place);
    let mut said = Vec::new();
    if lost > 0 {
        said.push(format!("{} lost between them", number(lost)));
    }
    if forged > 0 {
        said.push(format!(
            "{} that the host it names never sent",
            number(forged)
        ));
    }
    said
}

/// `12 segments at both, 2 lost between them, 1 that its host never sent.`
fn shared(base: &Vantage, other: &Vantage) -> String {
    let mut text = format!("{} at both", count(other.both, "segment", "segments"));
    for said in between(base, other) {
        text += &format!(", {said}");
    }
    if other.translated > 0 {
        text += &format!(
            "; {} with other addresses or ports",
            count(other.translated, "connection", "connections")
        );
    }
    if other.renumbered > 0 {
        text += &format!(
            "; {} with other sequence numbers",
            count(other.renumbered, "connection", "connections")
        );
    }
    if other.other_options > 0 {
        text += &format!(
            "; {} with other TCP options",
            count(other.other_options, "SYN or SYN-ACK", "SYNs and SYN-ACKs")
        );
    }
    if other.apart > 0 {
        let many = other.apart != 1;
        text += &format!(
            "; {} could not be joined, because {} numbers differ: {} listed once for each place",
            count(other.apart, "connection", "connections"),
            if many { "their" } else { "its" },
            if many { "they are" } else { "it is" },
        );
    }
    text + "."
}

/// ` is 20.0 ms ahead of `; ` agrees with ` where the difference may be none.
fn clock(vantage: &Vantage) -> String {
    let offset = vantage.clock_offset.unwrap_or(0);
    let apart = Duration::from_nanos(offset.unsigned_abs());
    if vantage.round_trip.is_some_and(|trip| apart <= trip) {
        return " agrees with ".to_owned();
    }
    let apart = duration(apart);
    let way = if offset < 0 { "behind" } else { "ahead of" };
    format!(" is {apart} {way} ")
}

/// `, give or take 4.4 ms, and gains 100 ppm.`
fn within(vantage: &Vantage) -> String {
    let mut text = match vantage.round_trip {
        Some(trip) => {
            let offset = vantage.clock_offset.unwrap_or(0).unsigned_abs();
            match Duration::from_nanos(offset) <= trip {
                true => format!(" within {}", duration(trip)),
                false => format!(", give or take {}", duration(trip)),
            }
        }
        None => ", less or more by the time on the way".to_owned(),
    };
    match vantage.drift_ppb.unwrap_or(0) {
        0 => {}
        gains @ 1.. => text += &format!(", and gains {} ppm", gains / 1000),
        loses => text += &format!(", and loses {} ppm", -loses / 1000),
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_with_files_of_one_name_are_told_apart() {
        let paths = ["client/a.pcap", "server/a.pcap"];
        let inputs: Vec<InputSummary> = (0..)
            .zip(paths)
            .map(|(place, path)| InputSummary {
                path: path.to_owned(),
                format: "pcap".to_owned(),
                packets: 2,
                bytes: 200,
                damage: None,
                clock_ahead: None,
                vantage: Some(Vantage {
                    place,
                    flows: 1,
                    both: 2,
                    clock_offset: Some(20_000_000),
                    ..Vantage::default()
                }),
                only: None,
            })
            .collect();
        let names = FrameNames::new(paths.map(|path| (path, &[][..])));
        let lines = lines(&inputs, &names);
        let told: Vec<String> = lines.iter().map(|(_, line)| line.text()).collect();
        assert_eq!(
            told,
            [
                "client/a.pcap and server/a.pcap show the same connections: 2 segments at both.",
                "server/a.pcap is 20.0 ms ahead of client/a.pcap, less or more by the time on the way.",
            ]
        );
    }
}
