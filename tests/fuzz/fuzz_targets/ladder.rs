//! The ladder: what parses can be written, parsed again, and run.

#![no_main]

use hangup::ladder::{LadderLine, parse};
use hangup::rules::ladder_check;
use libfuzzer_sys::fuzz_target;

/// Limit of frames that a ladder may produce here: `[times=60000]` takes long and covers nothing new.
const ENOUGH: usize = 2000;

fuzz_target!(|text: &str| {
    let Ok(ladder) = parse(text) else { return };
    let written = ladder.to_string();
    let again = parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again, ladder, "{written}");
    let times = ladder.lines.iter().map(|line| match line {
        LadderLine::Title(title) => usize::from(title.times),
        _ => 1,
    });
    if times.max().unwrap_or(1) * ladder.lines.len() <= ENOUGH {
        let proof = ladder_check::run(&ladder);
        for (number, connection) in (1..).zip(&proof.connections) {
            assert_eq!(connection.id, number);
        }
    }
});
