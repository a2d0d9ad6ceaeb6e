//! The captures of `captures/clients`: what each client printed is among the texts that are predicted for it, and of a
//! client that named itself and printed nothing, nothing is predicted.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use hangup::analysis::connection::Who;
use hangup::rules::log_errors::Predictor;
use hangup::{Analysis, AnalysisOptions, Records};

/// Of the clients that printed an error, at least this many in a thousand have one of its lines predicted.
const TOLD: usize = 985;

/// Clients that fail without a line: `wget -nv` prints none when it gives up, and Node's `http` prints what the program
/// itself made of a timeout.
const QUIET: [&str; 1] = ["wget"];

/// What is printed for a timeout of the program's own.
const OWN: &str = "client timeout";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/clients")
}

/// What each client printed for each fault.
fn printed() -> HashMap<(String, String), Vec<String>> {
    let mut table = String::new();
    let file = std::fs::File::open(folder().join("printed.tsv.gz")).expect("a table");
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut table)
        .expect("a packed table");
    let mut all = HashMap::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [client, _, faults, lines] = fields[..] else {
            panic!("{line}");
        };
        let lines = lines.split(" ⏎ ").filter(|it| !it.is_empty());
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        for fault in faults.split(' ') {
            all.insert((client.to_owned(), fault.to_owned()), lines.clone());
        }
    }
    all
}

/// Whether a predicted text is in a line; anything may stand for `…`.
fn says(line: &str, predicted: &str) -> bool {
    let mut rest = &*line.to_lowercase();
    let predicted = predicted.to_lowercase();
    for part in predicted.split('…') {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            // Long lines are cut in the table.
            None if rest.ends_with('…') => return true,
            None => return false,
        }
    }
    true
}

#[test]
fn what_clients_printed_is_predicted() {
    let printed = printed();
    let captured = std::fs::read_to_string(folder().join("captured.tsv")).expect("a table");
    let mut rows: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in captured.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [fault, client, server] = fields[..] else {
            panic!("{line}");
        };
        rows.entry(fault).or_default().push((client, server));
    }
    let (mut told, mut all, mut spoken_for) = (0, 0, Vec::new());
    let mut missed = Vec::new();
    for (fault, clients) in rows {
        let mut options = AnalysisOptions::default();
        options.records = Records::All;
        let path = folder().join(format!("{}.pcap.gz", fault.replace('@', "-")));
        let analysis = Analysis::with_options([path], &options).expect("a capture");
        for (client, server) in clients {
            let lines = &printed[&(client.to_owned(), fault.to_owned())];
            let own = analysis.connections().iter();
            let own = own.filter(|it| it.server.to_string() == server);
            let texts: Vec<_> = own
                .flat_map(|it| Predictor::default().told(it, Who::Client).to_vec())
                .collect();
            if lines.is_empty() {
                let named = texts.iter().filter(|it| it.identified_by.is_some());
                let foretold: Vec<_> = named.filter_map(|it| it.text).collect();
                if !foretold.is_empty() && !QUIET.contains(&client) {
                    spoken_for.push(format!("{fault} {client}: {foretold:?}"));
                }
                continue;
            }
            if lines.iter().any(|it| it.contains(OWN)) {
                continue;
            }
            all += 1;
            let texts: Vec<_> = texts.iter().filter_map(|it| it.text).collect();
            let right = |it: &&str| lines.iter().any(|line| says(line, it));
            match texts.iter().any(right) {
                true => told += 1,
                false => missed.push(format!("{fault} {client}: {lines:?}; predicted {texts:?}")),
            }
        }
    }
    eprintln!("predicted {told} of {all}");
    for line in missed.iter().chain(&spoken_for) {
        eprintln!("{line}");
    }
    assert!(told * 1000 >= all * TOLD, "{told} of {all}: {missed:#?}");
    assert!(
        spoken_for.is_empty(),
        "these printed nothing: {spoken_for:#?}"
    );
}
