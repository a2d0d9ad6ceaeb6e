//! Findings as they come, while a capture grows or is read from a pipe:
//!
//! ```sh
//! tcpdump -U -w - tcp | cargo run --example watch -
//! ```
//!
//! It ends with the pipe. A growing file (`watch FILE`) is followed until it has not grown for two seconds.

use std::collections::HashSet;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hangup::{AnalysisOptions, ReadStage, Session};

/// How often a new snapshot is looked for.
const PAUSE: Duration = Duration::from_millis(50);
/// A file that has not grown for so long is complete.
const QUIET: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: watch FILE… (- is standard input)");
        return ExitCode::from(2);
    }
    let session = match Session::following(files, &AnalysisOptions::default()) {
        Ok(session) => session,
        Err(error) => {
            eprintln!("watch: {error}");
            return ExitCode::from(2);
        }
    };
    let (watch, control) = (session.watch(), session.control());
    let mut printed = HashSet::new();
    let mut grown = (0, Instant::now());
    loop {
        // The stage before the snapshot, so that nothing that was published before the end is missed.
        let progress = watch.progress();
        for finding in &watch.snapshot().findings {
            if printed.insert((finding.rule, finding.client, finding.server)) {
                println!(
                    "{} [{}] {}",
                    finding.severity, finding.rule, finding.message
                );
            }
        }
        match progress.stage {
            ReadStage::Done => break,
            ReadStage::Failed(reason) => {
                eprintln!("watch: {reason}");
                return ExitCode::from(2);
            }
            ReadStage::Reading | ReadStage::Following => sleep(PAUSE),
        }
        if progress.frames > grown.0 {
            grown = (progress.frames, Instant::now());
        } else if grown.1.elapsed() >= QUIET {
            control.stop();
        }
    }
    session.wait();
    println!("{} connections", watch.snapshot().summaries.len());
    ExitCode::SUCCESS
}
