//! TLS without its keys is told like the same connection with them, only less certainly: who closed and how stays the same,
//! the phase is the same or hidden, nothing that was fine has failed or the other way round, and no error is found that the
//! keys do not confirm.

#![cfg(all(feature = "cli", feature = "decrypt"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::path::{Path, PathBuf};

use hangup::rules::ladder_check;
use hangup::{Analysis, AnalysisOptions, Connection, Finding, Phase, Severity};

/// A capture, and where its keys are.
struct Case {
    path: PathBuf,
    keys: Keys,
}

enum Keys {
    /// In a key log beside it.
    Beside(PathBuf),
    /// In a block of the file: this is the file without it.
    Inside(Vec<u8>),
}

/// All captures below a folder that come with keys.
fn cases(folder: &Path, found: &mut Vec<Case>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            cases(&path, found);
            continue;
        }
        let extension = path.extension().and_then(|it| it.to_str());
        if !matches!(extension, Some("pcap" | "pcapng")) {
            continue;
        }
        let log = path.with_extension("keylog");
        if log.exists() {
            let keys = Keys::Beside(log);
            found.push(Case { path, keys });
        } else if extension == Some("pcapng")
            && let Some(bare) = without_secrets(&std::fs::read(&path).unwrap())
        {
            let keys = Keys::Inside(bare);
            found.push(Case { path, keys });
        }
    }
}

/// A pcapng file without its blocks of secrets; `None` if it has none, or is not little-endian.
fn without_secrets(file: &[u8]) -> Option<Vec<u8>> {
    const SECRETS: u32 = 10;
    let word = |at: usize| {
        let bytes = file.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    if word(8)? != 0x1A2B_3C4D {
        return None;
    }
    let mut kept = Vec::new();
    let mut at = 0;
    while let (Some(kind), Some(length)) = (word(at), word(at + 4)) {
        let block = file.get(at..at + (length as usize).max(12))?;
        if kind != SECRETS {
            kept.extend_from_slice(block);
        }
        at += block.len();
    }
    (kept.len() < file.len()).then_some(kept)
}

/// The analysis with the keys, and without.
fn both(case: &Case) -> [Analysis; 2] {
    let read = |path: &Path, key_logs: Vec<PathBuf>| {
        let mut options = AnalysisOptions::default();
        options.key_logs = key_logs;
        Analysis::with_options([path], &options).unwrap()
    };
    match &case.keys {
        Keys::Beside(log) => [
            read(&case.path, vec![log.clone()]),
            read(&case.path, Vec::new()),
        ],
        Keys::Inside(bare) => {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let path = folder.join(case.path.file_name().unwrap());
            std::fs::write(&path, bare).unwrap();
            [read(&case.path, Vec::new()), read(&path, Vec::new())]
        }
    }
}

fn findings(of: &Analysis, id: u32) -> impl Iterator<Item = &Finding> {
    let all = of.findings().iter();
    all.filter(move |it| it.connections.contains(&id))
}

/// What differs about one connection in a way that less knowledge does not explain.
fn differences(keyed: &Analysis, bare: &Analysis, id: u32) -> Vec<String> {
    let mut told = Vec::new();
    let of = |analysis: &Analysis| -> Connection { analysis.connection(id).unwrap().clone() };
    let (with, without) = (of(keyed), of(bare));
    let (ours, theirs) = (&without.teardown, &with.teardown);
    if (ours.by, ours.how) != (theirs.by, theirs.how) {
        told.push(format!("closed by {:?} {:?}", ours.by, ours.how));
    }
    if ours.phase != theirs.phase && ours.phase != Phase::Opaque {
        told.push(format!("{:?}, not {:?}", ours.phase, theirs.phase));
    }
    let flips = without.outcome.is_failed() && with.outcome.is_fine()
        || without.outcome.is_fine() && with.outcome.is_failed();
    if flips {
        told.push(format!("{}, not {}", without.outcome, with.outcome));
    }
    let confirmed = findings(keyed, id).any(|it| it.severity >= Severity::Warning);
    for error in findings(bare, id).filter(|it| it.severity == Severity::Error) {
        if !confirmed && !with.outcome.is_failed() {
            told.push(format!("{}: {}", error.rule, error.message));
        }
    }
    told
}

#[test]
fn what_is_told_without_keys_is_confirmed_by_them() {
    let mut all = Vec::new();
    cases(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"),
        &mut all,
    );
    let own = all.len();
    assert!(own >= 20, "{own} captures");
    match std::env::var_os("HANGUP_SHARED") {
        Some(shared) => cases(&Path::new(&shared).join("captures"), &mut all),
        None => eprintln!("HANGUP_SHARED is not set: only the captures of the repository"),
    }
    let (mut checked, mut failing, mut found) = (0, 0, 0);
    let mut wrong = Vec::new();
    for case in &all {
        let [keyed, bare] = both(case);
        assert_eq!(keyed.connections().len(), bare.connections().len());
        for connection in keyed.connections() {
            if connection.tls.is_none() {
                continue;
            }
            let id = connection.id;
            checked += 1;
            let name = case.path.file_name().unwrap().to_string_lossy();
            for told in differences(&keyed, &bare, id) {
                wrong.push(format!("{name} #{id}: {told}"));
            }
            if connection.outcome.is_failed() {
                let errors = |of: &Analysis| {
                    let all = findings(of, id);
                    let all = all.filter(|it| it.severity == Severity::Error);
                    all.map(|it| it.rule).collect::<Vec<_>>()
                };
                failing += 1;
                let failed = bare.connection(id).unwrap().outcome.is_failed();
                found += u32::from(failed);
                if !failed || errors(&keyed).is_empty() != errors(&bare).is_empty() {
                    eprintln!(
                        "{name} #{id}: {:?} {}, without keys {:?} {}",
                        errors(&keyed),
                        connection.outcome,
                        errors(&bare),
                        bare.connection(id).unwrap().outcome
                    );
                }
            }
        }
    }
    eprintln!(
        "{} captures, {checked} connections; of {failing} that failed {found} are seen without keys",
        all.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The beginning of a connection: of `HTTP/1.1` in plain text; of TLS 1.2 and 1.3 whose client offers nothing else; and of TLS
/// 1.3 whose client offers HTTP/2 as well, and the length of the server's first encrypted record shows what it chose.
const OPENINGS: [&str; 4] = [
    "",
    "ClientHello [sni=a alpn=http/1.1 version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n\
     KeyExchange Finished -->\n<-- Finished\n",
    "ClientHello [sni=a alpn=http/1.1] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\n\
     Finished [version=1.3] -->\n<-- app 250 app 250\n",
    "ClientHello [sni=a alpn=h2,http/1.1] -->\n<-- ServerHello [version=1.3] app 42 app 800 Finished [version=1.3]\n\
     Finished [version=1.3] -->\n<-- app 250 app 250\n",
];

/// What stands for each word in plain text and in TLS. `part`: the beginning of an answer. `half`: that of a request.
const WORDS: [(&str, &str, &str); 5] = [
    ("ask", "GET /a", "app 300"),
    ("answer", "200 data 700", "app 900"),
    ("part", "200 data 700 [length=9000]", "app 900"),
    ("half", "POST /up [length=90000] data 1400", "app 16401"),
    ("more", "data 1400", "app 16401"),
];

fn proof(opening: usize, end: &str) -> ladder_check::LadderCheck {
    let mut text = end.replace(" / ", "\n");
    for (word, plain, sealed) in WORDS {
        text = text.replace(word, if opening == 0 { plain } else { sealed });
    }
    let text = format!("SYN -->\n<-- SYN\nACK -->\n{}{text}", OPENINGS[opening]);
    ladder_check::run(&text.parse().unwrap_or_else(|it| panic!("{it}: {text}")))
}

/// An end of a connection, the rule that finds it in plain text, and the one that finds it in TLS; empty: none.
const TWINS: &[(&str, &str, &str)] = &[
    // The server resets.
    (
        "ask --> / <-- ACK / +3s <-- RST",
        "reset-before-response",
        "reset-before-response",
    ),
    (
        "ask --> / <-- answer / ACK --> / ask --> / <-- ACK / +3s <-- RST",
        "reset-before-response",
        "reset-before-response",
    ),
    (
        "ask --> / <-- part / ACK --> / +243ms <-- RST",
        "reset-mid-response",
        "reset-mid-response",
    ),
    (
        "ask --> / <-- part / <-- RST",
        "reset-mid-response",
        "reset-mid-response",
    ),
    (
        "ask --> / <-- answer / ACK --> / +5s <-- RST",
        "idle-timeout-close",
        "idle-timeout-close",
    ),
    (
        "ask --> / <-- answer / ACK --> / +7.7s <-- RST",
        "reset-after-response",
        "reset-after-response",
    ),
    // It closes.
    (
        "ask --> / <-- ACK / +3s <-- FIN / FIN --> / <-- ACK",
        "closed-before-response",
        "closed-before-response",
    ),
    (
        "ask --> / <-- answer / ACK --> / +5s <-- FIN / FIN --> / <-- ACK",
        "idle-timeout-close",
        "idle-timeout-close",
    ),
    // The client gives up.
    (
        "ask --> / <-- ACK / +2s FIN --> / <-- ACK / <-- FIN / ACK -->",
        "client-gave-up-waiting",
        "client-gave-up-waiting",
    ),
    (
        "ask --> / <-- ACK / +2s RST -->",
        "client-gave-up-waiting",
        "client-gave-up-waiting",
    ),
    (
        "ask --> / <-- ACK / +200ms FIN --> / <-- FIN / ACK -->",
        "client-gave-up-waiting",
        "client-gave-up-waiting",
    ),
    (
        "ask --> / <-- answer / ACK --> / ask --> / <-- ACK / +2s FIN --> / <-- FIN / ACK -->",
        "client-gave-up-waiting",
        "client-gave-up-waiting",
    ),
    (
        "ask --> / <-- answer / ACK --> / ask --> / <-- ACK / +2s FIN --> / <-- answer / RST [noack] -->",
        "client-gave-up-waiting",
        "client-gave-up-waiting",
    ),
    // It closes only its own direction, and has what it asked for.
    (
        "ask --> / FIN --> / <-- ACK / +500ms <-- answer / ACK --> / <-- FIN / ACK -->",
        "half-close",
        "",
    ),
    // A connection is used again.
    (
        "ask --> / <-- answer / ACK --> / +5s <-- FIN / ask [crossed] --> / <-- RST [noack]",
        "keep-alive-race",
        "keep-alive-race",
    ),
    (
        "ask --> / <-- answer / ACK --> / +5s ask --> / <-- RST [crossed]",
        "keep-alive-race",
        "keep-alive-race",
    ),
    (
        "ask --> / <-- answer / ACK --> / +5s <-- FIN / ACK --> / +1s ask --> / <-- RST [noack]",
        "reuse-of-closed-connection",
        "reuse-of-closed-connection",
    ),
    (
        "ask --> / <-- answer / ACK --> / +9s ask --> / <-- RST [noack]",
        "reuse-of-forgotten-connection",
        "reuse-of-forgotten-connection",
    ),
    // The server resets while the client sends.
    (
        "half --> / more --> / <-- ACK / <-- RST",
        "early-response-reset",
        "early-response-reset",
    ),
    (
        "half --> / more --> / <-- answer / more --> / <-- RST",
        "early-response-reset",
        "early-response-reset",
    ),
    (
        "half --> / more --> / <-- answer / ACK --> / more --> / <-- RST [noack]",
        "early-response-reset",
        "early-response-reset",
    ),
    // All is well.
    ("ask --> / <-- answer / FIN --> / <-- FIN / ACK -->", "", ""),
];

#[test]
fn each_end_is_found_in_tls_as_in_plain_text() {
    let mut wrong = Vec::new();
    for (end, plain, sealed) in TWINS {
        let twin = proof(0, end);
        for opening in 0..OPENINGS.len() {
            let proof = proof(opening, end);
            let wanted = if opening == 0 { plain } else { sealed };
            let found = proof.findings.iter().find(|it| it.rule == *wanted);
            let told = proof.findings.iter().map(|it| it.rule);
            let told: Vec<_> = told.collect();
            if found.is_none() && !wanted.is_empty() || wanted.is_empty() && !told.is_empty() {
                wrong.push(format!("{opening}: {end}: {told:?}"));
            }
            let [ours, theirs] = [&proof, &twin].map(|it| it.connections[0].outcome);
            if ours.is_fine() && theirs.is_failed() || ours.is_failed() && theirs.is_fine() {
                wrong.push(format!("{opening}: {end}: {ours}, not {theirs}"));
            }
            let error = |of: &ladder_check::LadderCheck| {
                of.findings.iter().any(|it| it.severity == Severity::Error)
            };
            if error(&proof) && !error(&twin) {
                wrong.push(format!("{opening}: {end}: an error"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// TLS that announces no protocol, and a few questions with their answers.
const OTHER: &str = "client server :6514\nSYN -->\n<-- SYN\nACK -->\nClientHello -->\n\
    <-- ServerHello [version=1.3] Finished [version=1.3] app 800\nFinished [version=1.3] -->\n<-- app 250 app 250\n";
const TALK: &str = "app 200 -->\n<-- app 90\napp 100 -->\n<-- app 90\n";

#[test]
fn who_waits_for_nothing_has_not_given_up() {
    let rules = |text: &str| {
        let proof = ladder_check::run(&format!("{OTHER}{text}").parse().unwrap());
        proof.rules()
    };
    let gave_up = ["client-gave-up-waiting"];
    let none: [&str; 0] = [];
    let rows: [(&str, &[&str]); 8] = [
        // It had answers before, and waits.
        (
            "app 100 -->\n<-- ACK\n+2s FIN -->\n<-- FIN\nACK -->",
            &gave_up,
        ),
        ("app 100 -->\n<-- ACK\n+2s RST -->", &gave_up),
        (
            "app 100 -->\n<-- ACK\n+2s close_notify [version=1.3] FIN -->\n<-- FIN\nACK -->",
            &gave_up,
        ),
        // The alerts of some programs are padded: they are no words.
        (
            "app 38 -->\n<-- close_notify [version=1.3]\napp 35 app 35 -->\n<-- RST",
            &none,
        ),
        // A goodbye, however late the close.
        ("app 22 -->\n<-- ACK\n+2s FIN -->\n<-- FIN\nACK -->", &none),
        // It goes at once.
        (
            "app 100 -->\n<-- ACK\n+200ms FIN -->\n<-- FIN\nACK -->",
            &none,
        ),
        // It speaks on and on.
        (
            "app 100 -->\n<-- ACK\n+2s app 100 -->\n<-- ACK\n+2s FIN -->\n<-- FIN\nACK -->",
            &none,
        ),
        // The answer met a client that still reads.
        (
            "app 100 -->\n<-- ACK\n+2s FIN -->\n<-- app 90\nACK -->\n<-- FIN\nACK -->",
            &none,
        ),
    ];
    for (text, wanted) in rows {
        assert_eq!(rules(&format!("{TALK}{text}")), *wanted, "{text}");
    }
    // One message, and no word of the server: an answer may have been due, but not in a log.
    let once = "app 100 -->\n<-- ACK\n+60s FIN -->\n<-- FIN\nACK -->";
    assert_eq!(rules(once), none);
    let elsewhere = format!("{OTHER}{once}").replace(":6514", ":7001");
    let proof = ladder_check::run(&elsewhere.parse().unwrap());
    let found: Vec<_> = proof
        .findings
        .iter()
        .map(|it| (it.rule, it.severity))
        .collect();
    assert_eq!(found, [(gave_up[0], Severity::Note)]);
    assert_eq!(proof.connections[0].outcome.name(), "unknown");
    // The answer that came too late shows that one was due.
    let late = elsewhere.replace("<-- FIN\nACK -->", "+100ms <-- app 300\nRST -->");
    let proof = ladder_check::run(&late.parse().unwrap());
    let found: Vec<_> = proof
        .findings
        .iter()
        .map(|it| (it.rule, it.severity))
        .collect();
    assert_eq!(found, [(gave_up[0], Severity::Error)], "{late}");
}

/// Where HTTP/2 may be spoken, frames too small for a response leave a request open.
#[test]
fn small_frames_leave_a_request_of_http_2_open() {
    let opening = "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a alpn=h2,http/1.1] -->\n\
         <-- ServerHello [version=1.3] app 32 app 800 Finished [version=1.3]\nFinished [version=1.3] -->\n\
         app 81 app 62 -->\n<-- app 250 app 250 app 57\napp 26 -->\n<-- app 26\n";
    let rows = [
        // Nothing but the acknowledgement of its SETTINGS came.
        ("+2s FIN -->\n<-- FIN\nACK -->", true, "unknown"),
        ("+2s app 30 FIN -->\n<-- FIN\nACK -->", true, "unknown"),
        // The server reset the stream.
        (
            "<-- app 30\n+2s FIN -->\n<-- FIN\nACK -->",
            false,
            "unknown",
        ),
        // It did not wait.
        ("+200ms FIN -->\n<-- FIN\nACK -->", false, "unknown"),
        // A response came.
        ("<-- app 90\n+2s FIN -->\n<-- FIN\nACK -->", false, "fine"),
    ];
    for (text, found, outcome) in rows {
        let proof = ladder_check::run(&format!("{opening}{text}").parse().unwrap());
        let told = proof.findings.iter().map(|it| (it.rule, it.severity));
        let wanted = found.then_some(("client-gave-up-waiting", Severity::Note));
        assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(wanted), "{text}");
        assert_eq!(proof.connections[0].outcome.name(), outcome, "{text}");
    }
}

/// HTTP/2 sends many records that are no requests: who has the last word proves nothing.
#[test]
fn little_is_said_of_a_wait_where_streams_share_a_connection() {
    for (length, severity) in [(42, Severity::Error), (36, Severity::Note)] {
        let text = format!(
            "SYN -->\n<-- SYN\nACK -->\nClientHello [sni=a alpn=h2,http/1.1] -->\n\
             <-- ServerHello [version=1.3] app {length} app 800 Finished [version=1.3]\nFinished [version=1.3] -->\n\
             <-- app 250 app 250 app 60\napp 300 -->\n<-- app 900\napp 200 -->\n<-- ACK\n+2s FIN -->\n<-- FIN\nACK -->"
        );
        let proof = ladder_check::run(&text.parse().unwrap());
        let found = proof.findings.iter().map(|it| (it.rule, it.severity));
        let wanted = [("client-gave-up-waiting", severity)];
        assert_eq!(found.collect::<Vec<_>>(), wanted, "{length}");
    }
}

/// What answers the server's close is lost to its RST, and nobody misses it; a request is missed.
#[test]
fn a_farewell_is_no_lost_data() {
    let rows = [("app 35 app 35", false), ("app 300", true)];
    for (said, lost) in rows {
        let text = format!(
            "{OTHER}{TALK}+5s <-- close_notify [version=1.3] FIN\n+1ms {said} -->\n<-- RST [noack]"
        );
        let proof = ladder_check::run(&text.parse().unwrap());
        assert_eq!(proof.connections[0].outcome.is_failed(), lost, "{said}");
    }
}

/// Captures below `captures/protocols`, the rules that find an error on their first connection, and its outcome.
const RECORDED: &[(&str, &[&str], &str)] = &[
    (
        "https-client-timeout-curl",
        &["client-gave-up-waiting"],
        "failed",
    ),
    (
        "https-client-timeout-java",
        &["client-gave-up-waiting"],
        "failed",
    ),
    (
        "https-forgotten-rst-requests",
        &["reuse-of-forgotten-connection"],
        "failed",
    ),
    ("https-keepalive-timeout-go", &[], "fine"),
    (
        "https-killed-waiting-curl",
        &["closed-before-response"],
        "failed",
    ),
    (
        "mysql-tls-killed-mysql",
        &["closed-before-response"],
        "failed",
    ),
    ("mysql-tls-orderly-mysql", &[], "fine"),
    (
        "postgresql-tls-killed-pgjdbc",
        &["closed-before-response"],
        "failed",
    ),
    // The server resets, as the client's alerts come after its goodbye.
    ("postgresql-tls-orderly-pgjdbc", &[], "fine"),
    (
        "redis-tls-killed-redis-py",
        &["closed-before-response"],
        "failed",
    ),
    ("redis-tls-orderly-redis-cli", &[], "fine"),
    ("ldap-starttls-ldapsearch", &[], "fine"),
    ("smtp-starttls", &[], "unknown"),
    // A GOAWAY meets a server that is gone: nothing is lost.
    ("grpc-max-idle-grpc-js", &[], "unknown"),
    ("grpc-orderly-grpc-js", &[], "unknown"),
];

#[test]
fn sessions_inside_tls_come_out_as_they_went() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/protocols");
    for (name, rules, outcome) in RECORDED {
        let path = folder.join(format!("{name}.pcap"));
        let analysis = Analysis::of_files([path]).unwrap();
        let errors = findings(&analysis, 1).filter(|it| it.severity == Severity::Error);
        let errors: Vec<_> = errors.map(|it| it.rule).collect();
        let got = analysis.connection(1).unwrap().outcome;
        assert_eq!((&*errors, got.name()), (*rules, *outcome), "{name}");
    }
}
