//! Compares, for every third-party capture, the number of segments with tshark's: TCP headers that are not merely
//! quoted.
//!
//! Runs if `HANGUP_SHARED` names the directory that holds the captures.

use super::Decoded;
use crate::base::net::Skip;
use std::path::{Path, PathBuf};

use super::Decoder;
use crate::packet::capture::{Batch, Fill, OpenOptions, open};

/// Files where the counts differ, our frames minus tshark's, and why the difference is right.
const DIFFERENT: [(&str, i64); 9] = [
    // EtherPeek's file format is not supported.
    ("tcptrace/http.epeek7.gz", -33),
    // "Headers" that claim more options than there are bytes; tshark counts a frame once it has seen the ports.
    ("suricata-verify/transform-base64-7296/input.pcap", -2),
    // First fragments without the rest: the header of a datagram that no host ever reassembled.
    ("tcpdump/bgp-bgp_capabilities_print-oobr-2.pcap", -1),
    ("tcpdump/bgp_pmsi_tunnel-oobr.pcap", -1),
    ("tcpdump/rpki-rtr-oobr.pcap", -1),
    // A version that RFC 8926 §3.4 says must be dropped.
    (
        "pcapflowlab/parsing/geneve/06_geneve_invalid_version.pcap",
        -1,
    ),
    // Damaged files: tshark stops at the damage, the capture layer finds records behind it.
    (
        "suricata-verify/bug-1450-04/tls_DER-incomplete-header.pcap",
        7,
    ),
    (
        "suricata-verify/bug-1450-05/tls_DER-incomplete-content.pcap",
        7,
    ),
    (
        "suricata-verify/smtp-to-comma/10.7.29.101_49898-178.63.41.150_25.pcap",
        181,
    ),
];

#[test]
fn as_many_segments_as_tshark_sees() {
    let Some(shared) = std::env::var_os("HANGUP_SHARED") else {
        eprintln!("HANGUP_SHARED is not set: nothing compared with tshark");
        return;
    };
    let captures = Path::new(&shared).join("captures/thirdparty");
    let mut oracles = Vec::new();
    json_files(&captures.join("oracle"), &mut oracles);
    let mut differences = Vec::new();
    for oracle in &oracles {
        let text = std::fs::read(oracle).unwrap();
        let oracle: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let name = oracle["file"].as_str().unwrap();
        let theirs = oracle["tcp_packets"].as_i64().unwrap();
        let ours = count(&captures.join("pcaps").join(name));
        let allowed = DIFFERENT
            .iter()
            .find(|(file, _)| *file == name)
            .map_or(0, |&(_, difference)| difference);
        if ours != theirs + allowed {
            differences.push(format!("{name}: {ours}, tshark {theirs}"));
        }
    }
    assert!(!oracles.is_empty(), "no oracle in {}", captures.display());
    assert!(differences.is_empty(), "{differences:#?}");
}

fn is_segment(decoded: Result<Decoded<'_>, Skip>) -> bool {
    matches!(decoded, Ok(Decoded::Segment(_)))
}

/// Number of segments in a file.
fn count(path: &Path) -> i64 {
    let mut source = match open(&[path], &OpenOptions::default()) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("{error}");
            return 0;
        }
    };
    let mut batch = Batch::default();
    let mut decoder = Decoder::new();
    let mut found = 0;
    while let Fill::Frames = source.fill(&mut batch).unwrap() {
        for frame in batch.frames() {
            found += i64::from(is_segment(decoder.decode(&frame)));
            while let Some(more) = decoder.decode_more(&frame) {
                found += i64::from(is_segment(more));
            }
        }
    }
    found
}

fn json_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, into);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            into.push(path);
        }
    }
}
