//! The whole program: a capture file in, every report out.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../reading/mod.rs"]
mod reading;

fuzz_target!(|data: &[u8]| {
    let Some(reading) = reading::read(data, 1) else {
        return;
    };
    reading.check();
    for format in reading::FORMATS {
        let report = reading.report(format);
        let odd = |letter: char| letter.is_control() && letter != '\n';
        assert!(!report.contains(odd), "no control characters: {report:?}");
    }
});
