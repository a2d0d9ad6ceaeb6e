//! The JSON Schema of the report, made from the types that write it.
//!
//! `docs/schema/hangup-report-1.json` describes the object of `-f json`, `docs/schema/hangup-report-1-line.json` a line
//! of `-f ndjson`, `docs/schema/hangup-diff-1.json` that of `hangup diff`, `docs/schema/hangup-each-1.json` a line
//! of `--each`, `docs/schema/hangup-feed-1.json` one of `live` and `--follow`. All are written anew by `HANGUP_REWRITE=1 cargo test --lib json::schema`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use super::capture::{CaptureRow, SkippedRow};
use super::connection::{ConnectionRow, ErrorRow, ErrorRows};
use super::finding::FindingRow;
use super::log::LogRow;
use super::row::JsonTime;
use super::search_result::{IgnoredRow, SearchRow};
use super::vantage::VantageRow;
use super::{ReportHead, SocketsRow, ToolRow};
use crate::report::comparison::json::ComparisonRow;
use crate::report::each::EachRow;
use crate::report::feed::FeedLine;

/// Who hung up, and why: the end of every TCP connection in a packet capture. Fields may be added; one that is here
/// keeps its name and meaning. What is not known is `null`. Text from packets is escaped.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "hangup-report/1")]
struct Report<'a> {
    /// Always `hangup-report/1`.
    schema: &'static str,
    /// What wrote the report.
    tool: ToolRow,
    /// The capture.
    capture: CaptureRow<'a>,
    /// The error that the report is narrowed to; `null` if none was asked for.
    search: Option<SearchRow<'a>>,
    /// What the ignore file left out; `null` if there is none.
    ignored: Option<IgnoredRow<'a>>,
    /// The connections, in order of first frames.
    connections: Vec<ConnectionRow<'a>>,
    /// The findings, worst first.
    findings: Vec<FindingRow<'a>>,
    /// The sockets that one client uses towards one server.
    sockets: Vec<SocketsRow>,
    /// The places that captured the same connections; empty if there is one place.
    vantages: Vec<VantageRow>,
    /// The logs that were compared with the capture.
    log: Vec<LogRow<'a>>,
}

/// A line of the report: `kind` says what it is about. The first line is about the capture.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "hangup-report/1, a line")]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
#[allow(clippy::large_enum_variant)]
enum Line<'a> {
    Capture(ReportHead<'a>),
    Search(SearchRow<'a>),
    Ignored(IgnoredRow<'a>),
    Connection(ConnectionRow<'a>),
    Finding(FindingRow<'a>),
    Sockets(SocketsRow),
    Vantage(VantageRow),
    Log(LogRow<'a>),
}

impl JsonSchema for JsonTime {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "RFC 3339 in UTC, with nanoseconds.",
            "type": "string",
            "format": "date-time",
        })
    }
}

impl JsonSchema for SkippedRow<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Skipped".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, u64>::json_schema(generator)
    }
}

impl JsonSchema for ErrorRows<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Errors".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<ErrorRow<'_>>::json_schema(generator)
    }
}

/// The schema of what this type writes, with definitions named like what they describe.
fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let schema = generator.into_root_schema_for::<T>();
    let text = serde_json::to_string(&schema).expect("a schema is JSON");
    let text = text.replace("Row\"", "\"").replace("Row_", "_");
    serde_json::from_str(&text).expect("names only became shorter")
}

/// All files: the path below `docs/schema`, and the schema.
fn all() -> [(PathBuf, Value); 5] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    [
        (
            folder.join("hangup-report-1.json"),
            schema_of::<Report<'_>>(),
        ),
        (
            folder.join("hangup-report-1-line.json"),
            schema_of::<Line<'_>>(),
        ),
        (
            folder.join("hangup-diff-1.json"),
            schema_of::<ComparisonRow<'_>>(),
        ),
        (folder.join("hangup-each-1.json"), schema_of::<EachRow>()),
        (
            folder.join("hangup-feed-1.json"),
            schema_of::<FeedLine<'_>>(),
        ),
    ]
}

#[test]
fn the_files_are_current() {
    for (path, schema) in all() {
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("HANGUP_REWRITE").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("written");
            std::fs::write(&path, &text).expect("written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == text,
            "{} is not current: HANGUP_REWRITE=1 cargo test --lib json::schema",
            path.display()
        );
    }
}

/// Every property says what it is.
#[test]
fn every_field_is_described() {
    fn check(at: &str, schema: &Value, missing: &mut Vec<String>) {
        let Value::Object(fields) = schema else {
            return;
        };
        if let Some(Value::Object(properties)) = fields.get("properties") {
            for (name, property) in properties {
                let constant = property.get("const").is_some();
                if property.get("description").is_none() && !constant {
                    missing.push(format!("{at}.{name}"));
                }
            }
        }
        for (name, inner) in fields {
            match inner {
                Value::Array(all) => all.iter().for_each(|it| check(at, it, missing)),
                inner => check(&format!("{at}/{name}"), inner, missing),
            }
        }
    }
    let mut missing = Vec::new();
    for (_, schema) in all() {
        check("", &schema, &mut missing);
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
