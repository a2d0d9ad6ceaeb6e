//! Who closed each connection of some captures, how and when, and what is wrong:
//!
//! ```sh
//! cargo run --example verdicts captures/keep-alive-race.pcapng
//! ```

use std::process::ExitCode;

use hangup::Analysis;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        eprintln!("usage: verdicts FILE…");
        return ExitCode::from(2);
    }
    let analysis = match Analysis::of_files(files) {
        Ok(analysis) => analysis,
        Err(error) => {
            eprintln!("verdicts: {error}");
            return ExitCode::from(2);
        }
    };
    for connection in analysis.connections() {
        println!(
            "#{} {} → {}: {}",
            connection.id, connection.client, connection.server, connection.teardown
        );
    }
    for finding in analysis.findings() {
        println!(
            "{} [{}] {}",
            finding.severity, finding.rule, finding.message
        );
        for evidence in &finding.evidence {
            println!(
                "    frame {}: {}",
                evidence.frame_ref.frame.0, evidence.note
            );
        }
    }
    ExitCode::SUCCESS
}
