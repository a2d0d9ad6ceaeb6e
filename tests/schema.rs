//! Whether every report is what `docs/schema` says: over all captures in the repository, and those in `HANGUP_SHARED`.

mod wire;

use std::path::{Path, PathBuf};

use hangup::report::{Format, ReportOptions};
use hangup::{Analysis, AnalysisOptions, Records};
use jsonschema::Validator;
use serde_json::Value;

use wire::captures_below;

/// The validator of a file in `docs/schema`. `strict`: nothing else may be there either.
fn validator(name: &str, strict: bool) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/schema")
        .join(name);
    let text = std::fs::read_to_string(&path).expect("the schema");
    let mut schema: Value = serde_json::from_str(&text).expect("JSON");
    if strict {
        close(&mut schema);
    }
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema")
}

/// Forbids what the schema does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.contains_key("properties") && !fields.contains_key("$ref") {
                fields.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

/// The report on a capture, if it is one.
fn report(path: &Path, format: Format) -> Option<String> {
    let mut options = AnalysisOptions::default();
    options.records = Records::All;
    let analysis = Analysis::with_options([path], &options).ok()?;
    let mut out = Vec::new();
    analysis
        .write_report(format, &ReportOptions::default(), &mut out)
        .expect("a vector takes everything");
    Some(String::from_utf8(out).expect("a report is text"))
}

#[track_caller]
fn check(validator: &Validator, path: &Path, text: &str) {
    let value: Value = serde_json::from_str(text).expect("JSON");
    let faults: Vec<String> = validator
        .iter_errors(&value)
        .take(5)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{}\n{}",
        path.display(),
        faults.join("\n")
    );
}

#[test]
fn every_report_is_as_the_schema_says() {
    let whole = validator("hangup-report-1.json", true);
    let line = validator("hangup-report-1-line.json", false);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut all = captures_below(&own);
    match std::env::var_os("HANGUP_SHARED") {
        Some(shared) => all.extend(captures_below(&PathBuf::from(shared).join("captures"))),
        None => {
            eprintln!("HANGUP_SHARED is not set: only the captures of the repository were checked")
        }
    }
    let mut checked = 0;
    for path in all {
        let Some(text) = report(&path, Format::Json) else {
            continue;
        };
        check(&whole, &path, &text);
        let lines = report(&path, Format::Ndjson).expect("read once already");
        lines.lines().for_each(|text| check(&line, &path, text));
        checked += 1;
    }
    assert!(checked > 100, "{checked} captures");
    eprintln!("{checked} reports are as the schema says");
}

#[test]
fn what_is_not_in_the_schema_is_noticed() {
    let whole = validator("hangup-report-1.json", true);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/reset-before-response.pcap");
    let text = report(&path, Format::Json).expect("a capture");
    let right: Value = serde_json::from_str(&text).expect("JSON");
    assert!(whole.is_valid(&right));
    let mut more = right.clone();
    more["connections"][0]["news"] = 1.into();
    assert!(!whole.is_valid(&more));
    let mut other = right.clone();
    other["connections"][0]["outcome"] = "so so".into();
    assert!(!whole.is_valid(&other));
    let mut less = right;
    less["connections"][0]
        .as_object_mut()
        .expect("an object")
        .remove("teardown");
    assert!(!whole.is_valid(&less));
}

/// What a finding says of the requests it concerns is what its connections say.
#[test]
fn a_finding_says_which_requests_it_concerns() {
    let text = report(
        Path::new("captures/reset-before-response.pcap"),
        Format::Json,
    )
    .unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let finding = &all["findings"][0];
    let first = &all["connections"][0];
    let request = &finding["requests"][0];
    assert_eq!(request["connection"], 1);
    for field in ["method", "target", "status", "outcome", "request_frame"] {
        assert_eq!(request[field], first["exchanges"][0][field], "{field}");
    }
    assert_eq!(finding["requests_unread"], 0);
    let counts = &finding["counts"];
    assert_eq!(
        (&counts["connections"], &counts["clients"]),
        (&2.into(), &1.into())
    );
    let kinds = counts["requests"].as_array().unwrap();
    let kinds: Vec<_> = kinds
        .iter()
        .map(|it| it["request"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["GET /hello.txt", "POST /order"]);
    let filter = "ip.addr==10.77.0.2 && ip.addr==10.77.0.1 && tcp.port==80";
    assert_eq!(finding["filter"], filter);
    assert_eq!(finding["predicted"], first["errors_predicted"]);
    assert_eq!(
        (&finding["first"], &finding["last"]),
        (&first["first"], &all["connections"][1]["last"])
    );
}
