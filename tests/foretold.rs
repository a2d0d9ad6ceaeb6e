//! Each line that is predicted for a connection leads back to it: given to `--error`, it finds the connection.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hangup::Analysis;
use hangup::analysis::connection::Who;
use hangup::rules::log_errors::{ErrorSearch, Predictor, filled};

/// Lines of a capture that are tried: each is searched for in all that is known.
const LINES: usize = 40;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.to_str().unwrap().contains(".pcap") {
            found.push(path);
        }
    }
}

#[test]
fn what_is_predicted_finds_its_connection() {
    let mut captures = Vec::new();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    files(&top.join("captures"), &mut captures);
    captures.sort();
    let mut searches: BTreeMap<String, Option<ErrorSearch>> = BTreeMap::new();
    let (mut lost, mut tried) = (Vec::new(), 0);
    for capture in captures {
        let Ok(analysis) = Analysis::of_files([&capture]) else {
            continue;
        };
        let mut lines = BTreeSet::new();
        for connection in analysis.connections() {
            for who in Who::BOTH {
                for told in Predictor::default().told(connection, who).iter() {
                    let Some(text) = told.text else { continue };
                    let line = filled(text, connection, who).into_owned();
                    if lines.len() >= LINES || !lines.insert((line.clone(), connection.id)) {
                        continue;
                    }
                    let search = searches
                        .entry(line.clone())
                        .or_insert_with(|| ErrorSearch::new(&line));
                    // Words that are the server's alone are in no table, and not known before the capture is read.
                    let Some(search) = search else { continue };
                    tried += 1;
                    if !search.fits(connection) {
                        lost.push(format!(
                            "{} #{}: {line}",
                            capture.file_name().unwrap().to_str().unwrap(),
                            connection.id
                        ));
                    }
                }
            }
        }
    }
    assert!(tried > 500, "only {tried} lines were tried");
    assert!(
        lost.is_empty(),
        "{} of {tried}:\n{}",
        lost.len(),
        lost.join("\n")
    );
}
