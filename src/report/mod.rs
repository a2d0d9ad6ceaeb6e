//! Reports: a [`Snapshot`] goes in, text in one of the formats comes out.
//!
//! `page.rs` decides on the contents of the page and their order, `wording/connection.rs` puts one connection into a
//! sentence; `text.rs`, `markdown.rs` and `html.rs` render the same page. `json.rs` and `csv.rs` are for programs. All text from
//! packets passes through [`crate::base::escape`]. The output depends only on the snapshot and the options.

mod capture_advice;
pub mod comparison;
mod csv;
mod each;
mod explain;
pub mod feed;
pub mod filter;
mod finding;
mod finding_order;
mod frame_comments;
mod groups;
mod html;
mod html_figure;
mod json;
pub(crate) mod ladder_figure;
pub(crate) mod ladder_rows;
pub(crate) mod log_lines;
mod log_section;
mod markdown;
mod meaning;
mod options;
mod overview;
mod page;
mod page_ladder;
pub(crate) mod places;
mod remedy_words;
pub mod rich_text;
pub(crate) mod rule_page;
mod search_result;
mod sheet;
pub mod snapshot;
mod standpoint;
mod text;
mod view;
pub mod wording;

use std::io::{self, Write};

pub use crate::report::wording::moment::Zone;
pub use each::{EachFormat, EachLines, EachRow};
pub use explain::{explanation, not_known};
pub use finding::{NumberedFinding, numbered_findings};
#[cfg(test)]
pub(crate) use finding_order::told_by_section;
pub use frame_comments::{capture_comment, frame_comments};
pub use ladder_figure::{LadderOptions, ladder_text};
pub use options::{CsvTable, Format, ReportOptions, Shown, shows_all};
pub use overview::overview;
pub use rule_page::{rule_page, rule_pages};

use crate::report::snapshot::Snapshot;
use view::View;

/// The connections whose ladders a page shows, if the snapshot has them ([`Snapshot::drawn`]).
#[must_use]
pub fn typical(snapshot: &Snapshot) -> Vec<u32> {
    finding::typical(snapshot)
}

/// Writes a report.
///
/// # Errors
///
/// If writing to `out` fails.
pub fn write(
    snapshot: &Snapshot,
    format: Format,
    options: &ReportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let usual = if shows_all(format) {
        Shown::All
    } else {
        Shown::Notable
    };
    let view = View::new(snapshot, options, usual);
    match format {
        Format::Text => {
            let mut sheet = text::TextSheet::new(out, options.color).of_width(options.width);
            page::write(&view, &mut sheet)
        }
        Format::Markdown => page::write(&view, &mut markdown::MarkdownSheet::new(out)),
        Format::Html => {
            let mut sheet = html::HtmlSheet::new(out);
            page::write(&view, &mut sheet)?;
            sheet.finish()
        }
        Format::Json => json::write(&view, out),
        Format::Ndjson => json::write_lines(&view, out),
        Format::Csv => csv::write(&view, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::{
        By, Connection, ConnectionOutcome, FailedReason, How, Opening, Phase, ResetKind,
        UnknownReason,
    };
    use crate::analysis::hosts::{RangeBasis, Sockets};
    use crate::base::certainty::Certainty;
    use crate::base::net::Loss;
    use crate::report::snapshot::sample::{connection, endpoint, frame_ref, snapshot};
    use crate::report::snapshot::{InputDamage, LimitHit};
    use crate::rules::{Evidence, Finding, Severity};

    fn told(snapshot: &Snapshot, format: Format, options: &ReportOptions) -> String {
        let mut out = Vec::new();
        write(snapshot, format, options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text(snapshot: &Snapshot) -> String {
        told(snapshot, Format::Text, &ReportOptions::default())
    }

    fn reset() -> Connection {
        let mut connection = connection();
        connection.teardown.how = How::Reset(ResetKind::Abort);
        connection.teardown.phase = Phase::Waiting;
        connection.teardown.orderly = false;
        connection.outcome = ConnectionOutcome::Failed(FailedReason::NoResponse);
        connection
    }

    #[test]
    fn what_is_not_known_is_not_foretold() {
        let told = |outcome: ConnectionOutcome| {
            let mut connection = reset();
            connection.opening = Opening::Refused;
            connection.teardown.how = How::Reset(ResetKind::Refusal);
            connection.teardown.phase = Phase::Connecting;
            connection.outcome = outcome;
            let told = text(&snapshot(vec![connection]));
            let words: Vec<_> = told.split_whitespace().collect();
            words.join(" ").contains("log will say")
        };
        assert!(told(ConnectionOutcome::Failed(FailedReason::Refused)));
        for reason in [UnknownReason::BeganBefore, UnknownReason::OneDirection] {
            assert!(!told(ConnectionOutcome::Unknown(reason)), "{reason:?}");
        }
    }

    /// A snapshot with every kind of content a page can have.
    fn troubled() -> Snapshot {
        let mut refused = connection();
        refused.opening = Opening::Refused;
        refused.teardown.how = How::Reset(ResetKind::Refusal);
        refused.teardown.phase = Phase::Connecting;
        refused.teardown.orderly = false;
        refused.outcome = ConnectionOutcome::Failed(FailedReason::Refused);
        refused.teardown.certainty = Certainty::Likely;
        let mut open = connection();
        open.teardown.by = By::Nobody;
        open.teardown.how = How::Open;
        open.outcome = ConnectionOutcome::Unknown(UnknownReason::StillOpen);
        open.first = frame_ref(12, 86_400_000);
        open.last = frame_ref(13, 86_400_100);
        let mut all = snapshot(vec![connection(), reset(), reset(), refused, open]);
        all.findings = vec![Finding {
            id: 1,
            example: None,
            rule: "reset-before-response",
            severity: Severity::Error,
            certainty: Certainty::Certain,
            connections: vec![2, 3],
            gone: 0,
            times: 2,
            client: Some(endpoint(1, 0).ip),
            server: Some(endpoint(2, 80)),
            proxy: Default::default(),
            caused_by: None,
            summary: "connections were reset before the response".into(),
            message: "The server reset the connection after it had the whole request, and sent not a byte of the \
                      response. Its log says \u{1b}[31m why."
                .into(),
            evidence: vec![Evidence {
                frame_ref: frame_ref(9, 41),
                note: "RST from the server, 0 bytes of the response sent".to_owned(),
            }],
            remedies: vec![
                "Look at the server's log for this time.".to_owned(),
                "Raise `timeout`.".to_owned(),
            ],
        }];
        all.sockets = vec![Sockets {
            client: endpoint(1, 0).ip,
            server: endpoint(2, 80),
            connections: 15_210,
            time_wait_now: 15_007,
            time_wait_peak: 15_007,
            peak_at: Some(frame_ref(11, 60).time),
            used_peak: 15_210,
            ports_low: 49_160,
            ports_high: 65_535,
            range: (49_152, 65_535),
            basis: RangeBasis::Default,
            rate: None,
            runs_out_at: Some(frame_ref(0, 90_000).time),
            port_exhaustion: None,
        }];
        all.summary.inputs[0].damage = Some(InputDamage {
            offset: 123_456,
            reason: "a record of 4,294,967,295 bytes".to_owned(),
        });
        all.summary.lost = Loss {
            kernel: Some(17),
            interface: None,
        };
        all.summary.limits = vec![LimitHit {
            name: "exchanges",
            count: 3,
            meaning: "exchanges were let go",
        }];
        all
    }

    #[test]
    fn a_page_of_trouble() {
        insta::assert_snapshot!("text", text(&troubled()));
        let markdown = told(&troubled(), Format::Markdown, &ReportOptions::default());
        insta::assert_snapshot!("markdown", markdown);
        let html = told(&troubled(), Format::Html, &ReportOptions::default());
        let (_, body) = html.split_once("<main>").unwrap();
        insta::assert_snapshot!("html", body);
    }

    /// Whatever stands in a capture is text, and a page asks nothing of anybody.
    #[test]
    fn a_page_for_a_browser_is_closed() {
        let hostile = "\"'><script>alert(1)</script><img src=//x onerror=y>`</code>`<!-- &lt;";
        let mut all = troubled();
        all.summary.inputs[0].path = hostile.to_owned();
        all.summary.inputs[0].damage = Some(InputDamage {
            offset: 1,
            reason: hostile.to_owned(),
        });
        all.findings[0].message = hostile.into();
        all.findings[0].summary = hostile.into();
        all.findings[0].remedies = vec![hostile.to_owned()];
        all.findings[0].evidence[0].note = hostile.to_owned();
        all.ignored.path = hostile.to_owned();
        let told = told(&all, Format::Html, &ReportOptions::default());
        let (head, body) = told.split_once("<body>").unwrap();
        for part in ["<script", "<img", "<!--", "<link", "url(", "@import"] {
            assert!(!told.contains(part), "{part} in {told}");
        }
        assert!(body.matches("&lt;script&gt;").count() > 5, "{body}");
        assert!(head.contains("default-src 'none'"), "{head}");
        let opened = |tag: &str| told.matches(&format!("<{tag}")).count();
        for tag in [
            "article", "dl>", "ul", "details", "table", "main>", "p", "h2", "h3", "li>", "code",
        ] {
            let closed = told
                .matches(&format!("</{}>", tag.trim_end_matches('>')))
                .count();
            let p = if tag == "p" { opened("path") } else { 0 };
            assert_eq!(opened(tag) - p, closed, "{tag} in {told}");
        }
    }

    #[test]
    fn the_same_for_programs() {
        let options = ReportOptions::default();
        insta::assert_snapshot!("json", told(&troubled(), Format::Json, &options));
        insta::assert_snapshot!("csv", told(&troubled(), Format::Csv, &options));
        for (name, table) in [
            ("csv_exchanges", CsvTable::Exchanges),
            ("csv_findings", CsvTable::Findings),
        ] {
            let options = ReportOptions {
                table,
                ..options.clone()
            };
            insta::assert_snapshot!(name, told(&troubled(), Format::Csv, &options));
        }
    }

    /// Enough connections that their rows are made by several threads.
    #[test]
    fn rows_do_not_depend_on_threads() {
        let all = snapshot(vec![connection(); 1300]);
        let told = |threads| {
            let options = ReportOptions {
                threads,
                ..ReportOptions::default()
            };
            told(&all, Format::Json, &options)
        };
        let one = told(Some(1));
        assert_eq!(one.matches("\"outcome_reason\"").count(), 1300);
        assert!(one == told(None) && one == told(Some(3)));
    }

    #[test]
    fn a_healthy_capture_is_a_line() {
        let told = text(&snapshot(vec![connection()]));
        let line = told.lines().next();
        let wanted = "made.pcap: Nothing is wrong: the connection is fine.";
        assert_eq!(line, Some(wanted));
        assert!(!told.contains("Notable"));
    }

    /// Whether the client that named itself reads it is a matter of its library.
    #[test]
    fn a_response_that_its_client_refuses_is_no_healthy_one() {
        let line = |agent: &str| {
            let fields = "X: a\\r\\n".repeat(130);
            let ladder = format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / [user-agent={agent}] -->\n\
                 <-- \"HTTP/1.1 204 No Content\\r\\n{fields}\\r\\n\"\nACK -->\nFIN -->\n<-- FIN\nACK -->"
            );
            let proof = crate::rules::ladder_check::run(&ladder.parse().expect("a ladder"));
            let told = text(&snapshot(proof.connections));
            told.lines().take(2).collect::<Vec<_>>().join(" ")
        };
        let refused = line("python-requests/2.34.2");
        assert!(refused.contains("No fault is shown"), "{refused}");
        assert!(
            refused.contains("but python-requests likely refused the response"),
            "{refused}"
        );
        for accepts in ["curl/8.1", "unheard-of"] {
            let told = line(accepts);
            assert!(told.contains("Nothing is wrong"), "{told}");
        }
    }

    #[test]
    fn a_capture_without_tcp_says_what_was_in_it() {
        let mut empty = snapshot(Vec::new());
        empty.summary.frames = 1;
        empty.summary.protocols = [(17, 1)].into();
        let told = text(&empty);
        assert!(told.contains("There is no TCP in this capture: 1 packet of UDP."));
        assert!(told.contains("1, none of them TCP; 1 UDP"), "{told}");
    }

    #[test]
    fn quic_is_counted_and_said_not_to_be_analysed() {
        let mut mixed = snapshot(vec![connection()]);
        assert!(!text(&mixed).contains("QUIC"));
        mixed.summary.quic_connections = 12;
        let options = ReportOptions::default();
        for page in [text(&mixed), told(&mixed, Format::Markdown, &options)] {
            assert!(page.contains("12 QUIC connections, not analysed"), "{page}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&told(&mixed, Format::Json, &options)).unwrap();
        assert_eq!(json["capture"]["quic_connections"], 12);
    }

    #[test]
    fn json_is_json_and_lines_are_its_rows() {
        let options = ReportOptions::default();
        let whole: serde_json::Value =
            serde_json::from_str(&told(&troubled(), Format::Json, &options)).unwrap();
        let lines = told(&troubled(), Format::Ndjson, &options);
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["kind"], "capture");
        assert_eq!(lines[0]["schema"], whole["schema"]);
        for (kind, rows) in [
            ("connection", "connections"),
            ("finding", "findings"),
            ("sockets", "sockets"),
        ] {
            let mut of_kind: Vec<_> = lines
                .iter()
                .filter(|line| line["kind"] == kind)
                .cloned()
                .collect();
            for line in &mut of_kind {
                line.as_object_mut().unwrap().remove("kind");
            }
            assert_eq!(&of_kind, whole[rows].as_array().unwrap(), "{rows}");
        }
        assert_eq!(whole["connections"][1]["findings"], serde_json::json!([1]));
    }

    #[test]
    fn connections_can_be_chosen() {
        for (shown, ids) in [
            (Shown::All, vec![1, 2, 3, 4, 5]),
            (Shown::Notable, vec![2, 3, 4]),
            (Shown::None, vec![]),
        ] {
            let options = ReportOptions {
                connections: Some(shown),
                ..ReportOptions::default()
            };
            let csv = told(&troubled(), Format::Csv, &options);
            let first = csv
                .lines()
                .skip(1)
                .filter_map(|line| line.split(',').next());
            let first: Vec<u32> = first.map(|id| id.parse().unwrap()).collect();
            assert_eq!(first, ids);
        }
    }

    #[test]
    fn what_a_benign_finding_explains_is_not_notable() {
        let mut all = troubled();
        all.findings[0].severity = Severity::Benign;
        let options = ReportOptions {
            connections: Some(Shown::Notable),
            ..ReportOptions::default()
        };
        assert_eq!(told(&all, Format::Csv, &options).lines().count(), 2);
    }

    #[test]
    fn a_great_capture_stays_a_page() {
        let many: Vec<_> = (0..20_000u16)
            .map(|n| {
                let mut connection = reset();
                connection.client.port = n;
                connection.client.ip = endpoint((n % 200) as u8, 0).ip;
                connection
            })
            .collect();
        let many = snapshot(many);
        let html = super::tests::told(&many, Format::Html, &ReportOptions::default());
        assert!(html.len() < 20_000, "{}", html.len());
        let told = text(&many);
        assert!(told.lines().count() < 30, "{told}");
        let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("The same story 19,999 times more"), "{told}");
    }

    #[test]
    fn the_same_finding_elsewhere_is_told_with_it() {
        let mut all = troubled();
        let mut other = all.findings[0].clone();
        other.id = 2;
        other.client = Some(endpoint(7, 0).ip);
        other.connections = vec![4];
        other.times = 1;
        all.findings.push(other);
        let told = text(&all);
        let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let once = "failed (#2–#4): connections were reset before the response;";
        assert!(flat.contains(once), "{told}");
        assert!(
            flat.contains(
                "Where 3 connections (#2–#4), 10.0.0.1 → 10.0.0.2:80 (2), 10.0.0.7 → 10.0.0.2:80"
            ),
            "{told}"
        );
        assert_eq!(told.matches("Fix ").count(), 1);
    }

    #[test]
    fn an_event_of_several_connections_is_counted_once() {
        let mut all = troubled();
        all.findings[0].times = 1;
        let told = text(&all);
        let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
        let once = "failed (#2–#4): connections were reset before the response, and a connection was refused;";
        assert!(flat.contains(once), "{told}");
        assert!(told.contains("2 connections (#2, #3)"), "{told}");
    }

    /// A page of text is read from top to bottom: what the verdict says is no title below it, and a frame stands in one place.
    #[test]
    fn text_says_nothing_twice() {
        let all = troubled();
        let markdown = told(&all, Format::Markdown, &ReportOptions::default());
        for (words, in_markdown) in [
            ("were reset before the response", 2),
            ("Filter", 1),
            ("Evidence", 1),
        ] {
            let flat = text(&all).split_whitespace().collect::<Vec<_>>().join(" ");
            let in_text = flat.matches(words).count();
            assert_eq!(in_text, in_markdown - 1, "{words}");
            assert_eq!(markdown.matches(words).count(), in_markdown, "{words}");
        }
    }

    #[test]
    fn lines_are_as_long_as_wanted() {
        let longest = |width| {
            let options = ReportOptions {
                width,
                ..ReportOptions::default()
            };
            let text = told(&troubled(), Format::Text, &options);
            text.lines().map(|it| it.chars().count()).max()
        };
        assert!(longest(None).is_some_and(|it| it <= 80));
        assert!(longest(Some(100)).is_some_and(|it| it > 80 && it <= 100));
    }

    #[test]
    fn no_format_lets_a_terminal_obey() {
        let options = ReportOptions::default();
        for format in [
            Format::Text,
            Format::Json,
            Format::Ndjson,
            Format::Markdown,
            Format::Html,
            Format::Csv,
        ] {
            let mut all = troubled();
            all.summary.inputs[0].path = "\u{1b}]0;x\u{7}\u{202e}.pcap".to_owned();
            let told = told(&all, format, &options);
            assert!(
                !told.chars().any(|c| c.is_control() && c != '\n'),
                "{format:?}"
            );
            assert!(!told.contains('\u{202e}'), "{format:?}");
        }
    }

    #[test]
    fn colour_changes_nothing_else() {
        let options = ReportOptions {
            color: true,
            ..ReportOptions::default()
        };
        let mut colored = told(&troubled(), Format::Text, &options);
        for code in ["0", "1", "2", "1;31", "33", "36", "32"] {
            colored = colored.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(colored, text(&troubled()));
    }
}
