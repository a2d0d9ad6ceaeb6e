//! The diagnosis of one connection in words: how it ended, the findings, what both logs will contain, what was
//! exchanged.
use super::ViewContext;
use super::text_layout::Paragraph;
use super::theme::tone;
use super::view_model::OutcomeClass;
use crate::analysis::connection::{Connection, Who};
use crate::base::format::{bytes, count, number};
use crate::base::format::{capitalised, duration};
use crate::report::log_lines;
use crate::report::rich_text::StyledLine;
use crate::report::rich_text::Tone;
use crate::report::wording::outcomes::judged;
use crate::report::wording::{connection, local, terms, tls};
use crate::rules::Finding;
use crate::rules::log_errors;

/// The page.
pub(super) fn page(
    connection: &Connection,
    findings: &[&Finding],
    cx: &ViewContext<'_>,
) -> Vec<Paragraph> {
    let (glyphs, frames) = (&cx.look.glyphs, &cx.snapshot().frames);
    let mut page = vec![Paragraph::new(
        0,
        StyledLine::default().strong(connection::story(connection, frames)),
    )];
    page.push(Paragraph::new(
        0,
        StyledLine::of(
            tone(OutcomeClass::of(connection.outcome)),
            capitalised(&judged(connection.outcome)),
        ),
    ));
    let legs = connection::other_legs(&cx.snapshot().legs, connection);
    if !legs.is_empty() {
        page.push(Paragraph::new(
            0,
            StyledLine::of(Tone::Faint, capitalised(&legs)),
        ));
    }
    on_this_host(connection, cx, &mut page);
    for finding in findings {
        page.push(Paragraph::default());
        let sign = glyphs.sign(finding.severity);
        let title = format!("{sign} {}", finding.rule);
        page.push(Paragraph::new(
            0,
            StyledLine::of(finding.severity.into(), title)
                .faint(format!("  {}", finding.certainty.name())),
        ));
        // The evidence of a finding about many connections is that of one of them.
        let own = finding.example() == Some(connection.id);
        match own {
            true => {
                let message = finding.message.hedged(finding.certainty);
                let parts = message
                    .happened_in_parts()
                    .chain(message.meaning_in_parts());
                page.extend(parts.map(|it| Paragraph::new(2, it)));
            }
            false => page.push(Paragraph::new(2, finding.summary.to_string())),
        }
        if own {
            for evidence in &finding.evidence {
                let line = StyledLine::default()
                    .faint(format!("{}  ", frames.name(evidence.frame_ref.frame)))
                    .plain(evidence.note.clone());
                page.push(Paragraph::new(2, line).hanging(6));
            }
        }
    }
    logs(connection, cx, &mut page);
    let tls_lines = tls::lines(connection);
    if !tls_lines.is_empty() {
        heading("TLS", &mut page);
    }
    for (about, text) in tls_lines {
        let line = StyledLine::default()
            .faint(format!("{about:11}  "))
            .plain(text);
        page.push(Paragraph::new(2, line).hanging(15));
    }
    heading("What was sent", &mut page);
    for (who, name, tone) in [
        (Who::Client, "client", Tone::Client),
        (Who::Server, "server", Tone::Server),
    ] {
        let sent = connection.sent[who as usize];
        let mut text = format!(
            "{}, {}",
            count(sent.packets, "segment", "segments"),
            bytes(sent.bytes)
        );
        for (amount, what) in [
            (u64::from(sent.retransmitted), "retransmitted"),
            (u64::from(sent.zero_windows), "times its window was full"),
            (u64::from(sent.keep_alives), "keep-alive probes"),
        ] {
            if amount > 0 {
                text += &format!(", {} {what}", number(amount));
            }
        }
        if sent.missing > 0 {
            text += &format!(", {} sent and never captured", bytes(sent.missing));
        }
        if let Some(state) = terms::state(connection.states[who as usize]) {
            text += &format!("; at the end in {state}");
        }
        page.push(
            Paragraph::new(2, StyledLine::of(tone, format!("{name}  ")).plain(text)).hanging(10),
        );
    }
    let mut text = format!("seen for {}", duration(connection.lasted()));
    if let Some(handshake) = connection.connect_time {
        text += &format!(", handshake {}", duration(handshake));
    }
    text += &format!(
        ", certainty of the verdict: {}",
        connection.teardown.certainty.name()
    );
    page.push(Paragraph::new(2, text));
    heading("In Wireshark", &mut page);
    page.push(Paragraph::new(
        2,
        StyledLine::of(Tone::Code, connection::filter(connection)),
    ));
    page
}

/// What this host's operating system says: the programs at the ends, and why it reset.
fn on_this_host(connection: &Connection, cx: &ViewContext<'_>, page: &mut Vec<Paragraph>) {
    let snapshot = cx.snapshot();
    for (who, name, tone) in [
        (Who::Client, "client", Tone::Client),
        (Who::Server, "server", Tone::Server),
    ] {
        if let Some(held) = local::holders_of(snapshot, connection.id, who) {
            let line = StyledLine::of(tone, format!("{name}  ")).plain(held);
            page.push(Paragraph::new(0, line));
        }
    }
    for (who, reset) in local::resets(snapshot, connection.id) {
        let line = StyledLine::default()
            .faint(format!("{}  ", snapshot.frames.name(reset.frame.frame)))
            .plain(local::reset(reset, who.name()));
        page.push(Paragraph::new(0, line).hanging(4));
        if let Some(meaning) = local::meaning(reset) {
            page.push(Paragraph::new(4, StyledLine::of(Tone::Faint, meaning)));
        }
    }
}

fn heading(text: &str, page: &mut Vec<Paragraph>) {
    page.push(Paragraph::default());
    page.push(Paragraph::new(0, StyledLine::of(Tone::Heading, text)));
}

fn logs(connection: &Connection, cx: &ViewContext<'_>, page: &mut Vec<Paragraph>) {
    let mut predictor = cx.model.predictor();
    let told = Who::BOTH.map(|who| predictor.told(connection, who));
    if told.iter().all(|told| told.is_empty()) {
        return;
    }
    let system =
        |who| log_errors::socket(connection, who, log_errors::system(connection, who))?.told();
    heading("Expected in the logs", page);
    for (who, name, tone) in [
        (Who::Client, "client", Tone::Client),
        (Who::Server, "server", Tone::Server),
    ] {
        let told = &told[who as usize];
        let lines = log_lines::of_one(told, connection, who, log_lines::SUSPECTS);
        if lines.is_empty() {
            let why = match told.is_empty() {
                true => "nothing: it met no fault",
                false => "nothing: the usual programs report no error",
            };
            let line = StyledLine::of(tone, format!("{name}  ")).faint(why);
            page.push(Paragraph::new(2, line));
        }
        let named = lines.len();
        for line in lines {
            let told = StyledLine::of(tone, format!("{name}  ")).plain(line.whole());
            page.push(Paragraph::new(2, told).hanging(10));
        }
        if let Some(told) = system(who) {
            let told = format!("its system says {told}");
            page.push(Paragraph::new(10, StyledLine::default().plain(told)));
        }
        let known = told.iter().any(|it| it.identified_by.is_some());
        if !known && named > 0 && told.len() > named {
            let more = count(
                (told.len() - named) as u64,
                "other program",
                "other programs",
            );
            let line = StyledLine::default().faint(format!("and {more}"));
            page.push(Paragraph::new(10, line));
        }
    }
}
