//! How the table of connections is drawn: the head, the rows, the groups, and the details of what is selected.

use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ViewContext;
use super::columns::{self, COLUMNS, CellSource, Column, EDGE, GAP};
use super::connections::ConnectionsScreen;
use super::grouping::{Grouping, RowGroup, shortened};
use super::sort_key::SortKey;
use super::text_layout::{Paragraph, scroll_bar, shorten};
use super::view_model::ViewModel;
use crate::analysis::connection::{BriefRequest, By, ConnectionSummary, How, Phase, ResetKind};
use crate::base::format::{bytes, capitalised, count, number};
use crate::report::rich_text::StyledLine;
use crate::report::wording::connection;
use crate::report::wording::outcomes::{judged, remark};

/// Heads and widths of the figures of a group.
const GROUP_FIGURES: [(&str, usize); 4] = [
    ("connections", 11),
    ("failed", 9),
    ("requests", 9),
    ("bytes", 9),
];
/// Groups whose names decide how much room names get.
const LONGEST_OF: usize = 200;

fn draw_cell(
    column: &Column,
    wide: usize,
    (tone, text): (Tone, String),
    x: &mut u16,
    area: Rect,
    cx: &ViewContext<'_>,
    buffer: &mut Buffer,
) {
    let room = Rect {
        x: (*x).min(area.right()),
        y: area.y,
        width: u16::try_from(wide)
            .unwrap_or(0)
            .min(area.right().saturating_sub(*x)),
        height: 1,
    };
    let line = StyledLine::of(tone, text);
    match column.right {
        true => line.draw_right(cx.look, room, buffer),
        false => line.draw(cx.look, room, buffer),
    };
    *x = x.saturating_add(u16::try_from(wide + GAP).unwrap_or(0));
}

/// A sentence about a request: the one that the filter is about, or the last one.
fn asked(request: &BriefRequest<'_>, is_found: bool) -> String {
    let which = if is_found {
        "Found"
    } else {
        "The last request"
    };
    let what = columns::spelled(request);
    match request.status {
        0 => format!("{which}: {what}, without a response."),
        status => format!("{which}: {what}, and its response {status}."),
    }
}

/// What is said of a connection whose record was not kept; `asked` is a sentence about a request, and a blank.
fn in_short(summary: &ConnectionSummary, asked: &str) -> String {
    if summary.how == How::Open {
        return format!("{asked}Still open when the capture ends.");
    }
    format!(
        "{asked}{} {}. {}. Enter shows it, segment by segment.",
        closed(summary),
        during(summary.phase),
        capitalised(&judged(summary.outcome)),
    )
}

/// `The client closed it with FIN`.
fn closed(summary: &ConnectionSummary) -> String {
    let who = match summary.by {
        By::Client => "The client",
        By::Server => "The server",
        By::Both => "Both sides",
        By::Middlebox => "A middlebox",
        By::Nobody => "One side",
    };
    match summary.how {
        How::Silence | How::Open => "Both sides stopped sending".to_owned(),
        How::Reset(ResetKind::Refusal) => format!("{who} refused it with RST"),
        How::Reset(_) => format!("{who} reset it with {}", connection::how(summary.how)),
        How::Fin => format!("{who} closed it with FIN"),
    }
}

/// What was going on when it was closed, at the end of a sentence.
const fn during(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "while a request waited for its response",
        Phase::After => "after a close was announced",
        phase => connection::when(phase),
    }
}

/// A row of its own within an area, if there is one.
fn line_of(area: Rect, y: u16, indent: u16) -> Rect {
    Rect {
        x: area.x + indent.min(area.width),
        y,
        width: area.width.saturating_sub(2 * indent),
        height: 1,
    }
}

impl ConnectionsScreen {
    /// Draws the head and the rows.
    pub(super) fn draw_table(&self, cx: &ViewContext<'_>, table: Rect, buffer: &mut Buffer) {
        // Where connections are in sight, the heads are theirs, and groups name their figures.
        let in_sight = self.place.top..self.place.top + usize::from(table.height.saturating_sub(1));
        let mixed = in_sight
            .clone()
            .any(|row| self.listing.placed(row).is_some());
        match self.listing.group(self.place.selected) {
            Some(_) if !mixed => self.draw_group_head(cx, table, buffer),
            _ => self.draw_head(cx, table, buffer),
        }
        let rows = Rect {
            y: table.y + 1.min(table.height),
            height: table.height.saturating_sub(1),
            ..table
        };
        if self.listing.len() == 0 {
            self.draw_nothing(cx, rows, buffer);
        }
        let Some(model) = self.listing.model() else {
            return;
        };
        for (y, row) in (rows.top()..rows.bottom()).zip(self.place.top..self.listing.len()) {
            let room = line_of(rows, y, 0);
            let selected = row == self.place.selected;
            if selected {
                let style = cx.look.theme.style(Tone::Key);
                buffer.set_stringn(room.x, y, cx.look.glyphs.cursor, 1, style);
            }
            if let Some((place, summary)) = self.listing.placed(row) {
                self.draw_row(cx, self.source(model, place, summary), room, buffer);
            } else if let Some(group) = self.listing.group(row) {
                self.draw_group(cx, group, mixed, room, buffer);
            }
            if selected {
                let row = Rect {
                    width: room.width.saturating_sub(1),
                    ..room
                };
                buffer.set_style(row, cx.look.theme.style(Tone::Selected));
            }
        }
        scroll_bar(self.listing.len(), self.place.top, cx.look, rows, buffer);
    }

    fn draw_group_head(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let name = match self.rows_wanted.grouping {
            Grouping::None => "",
            by => by.name(),
        };
        let figures = GROUP_FIGURES.map(|(name, _)| name.to_owned());
        self.draw_group_line(cx, (Tone::Faint, name), figures, area, buffer);
    }

    fn draw_group(
        &self,
        cx: &ViewContext<'_>,
        group: &RowGroup,
        mixed: bool,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let sign = if self.listing.is_unfolded(group) {
            "-"
        } else {
            "+"
        };
        buffer.set_stringn(area.x + 1, area.y, sign, 1, cx.look.theme.style(Tone::Key));
        let figures = [
            number(group.places.len() as u64),
            number(group.failed),
            number(group.requests),
            bytes(group.bytes),
        ];
        let tone = if group.failed > 0 {
            Tone::Error
        } else {
            Tone::Strong
        };
        if mixed {
            let failed = match group.failed {
                0 => String::new(),
                some => format!(", {} failed", number(some)),
            };
            let line = StyledLine::of(tone, group.name.as_str()).faint(format!(
                "  {}{failed}, {}, {}",
                count(group.places.len() as u64, "connection", "connections"),
                count(group.requests, "request", "requests"),
                bytes(group.bytes)
            ));
            let room = Rect {
                x: area.x + (EDGE as u16).min(area.width),
                width: area.width.saturating_sub(EDGE as u16 + 1),
                ..area
            };
            line.draw(cx.look, room, buffer);
            return;
        }
        self.draw_group_line(cx, (tone, &group.name), figures, area, buffer);
    }

    /// A name at the left, and figures at its right.
    fn draw_group_line(
        &self,
        cx: &ViewContext<'_>,
        (tone, name): (Tone, &str),
        figures: [String; GROUP_FIGURES.len()],
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let wide: usize = GROUP_FIGURES.iter().map(|(_, wide)| wide + GAP).sum();
        let room = usize::from(area.width).saturating_sub(EDGE + 1);
        let longest = self.listing.rows.groups.iter().take(LONGEST_OF);
        let longest = longest.map(|it| it.name.chars().count()).max().unwrap_or(0);
        let left = room.saturating_sub(wide).clamp(1, longest.max(16));
        let mut x = area.x + EDGE as u16;
        let mut put = |(tone, text): (Tone, String), wide: usize, right: bool| {
            let cell = Rect {
                x: x.min(area.right()),
                y: area.y,
                width: (wide as u16).min(area.right().saturating_sub(x)),
                height: 1,
            };
            let line = StyledLine::of(tone, text);
            match right {
                true => line.draw_right(cx.look, cell, buffer),
                false => line.draw(cx.look, cell, buffer),
            };
            x = x.saturating_add((wide + GAP) as u16);
        };
        put((tone, shortened(name, left).into_owned()), left, false);
        for (text, (_, wide)) in figures.into_iter().zip(GROUP_FIGURES) {
            put((Tone::Faint, text), wide, true);
        }
    }

    fn draw_head(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let mut x = area.x + EDGE as u16;
        for (at, wide) in &self.plan.shown {
            let column = &COLUMNS[*at];
            let sorted = column.by == self.rows_wanted.by;
            let sign = if sorted {
                cx.look.glyphs.sorted[usize::from(self.rows_wanted.down)]
            } else {
                ""
            };
            let text = format!("{}{sign}", column.name);
            let tone = if sorted { Tone::Heading } else { Tone::Faint };
            draw_cell(column, *wide, (tone, text), &mut x, area, cx, buffer);
        }
    }

    fn draw_row(
        &self,
        cx: &ViewContext<'_>,
        source: CellSource<'_>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let glyphs = &cx.look.glyphs;
        if self.marked.contains(&source.summary.id) {
            buffer.set_stringn(area.x + 1, area.y, "*", 1, cx.look.theme.style(Tone::Key));
        } else if let Some(severity) = columns::worst(source.summary, source.model)
            && !self.plan.shows(SortKey::Finding)
        {
            let style = cx.look.theme.style(severity.into());
            buffer.set_stringn(area.x + 1, area.y, glyphs.sign(severity), 1, style);
        }
        let mut x = area.x + EDGE as u16;
        for (at, wide) in &self.plan.shown {
            let column = &COLUMNS[*at];
            let cell = columns::cell(column.by, source, cx.look);
            draw_cell(column, *wide, cell, &mut x, area, cx, buffer);
        }
    }

    fn draw_nothing(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let text = if self.listing.is_under_way() {
            "…"
        } else if self.rows_wanted.query.is_everything() {
            "no connection so far"
        } else {
            "no connection is like this; esc shows all of them"
        };
        let room = Rect {
            x: area.x + 2.min(area.width),
            width: area.width.saturating_sub(2),
            ..area
        };
        StyledLine::default()
            .faint(text)
            .draw(cx.look, room, buffer);
    }

    /// Draws details of the selected connection.
    pub(super) fn draw_details(
        &self,
        cx: &ViewContext<'_>,
        model: &ViewModel,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        if area.is_empty() {
            return;
        }
        let rule = cx.look.glyphs.rule.repeat(usize::from(area.width));
        let faint = cx.look.theme.style(Tone::Faint);
        buffer.set_stringn(area.x, area.y, rule, usize::from(area.width), faint);
        let head = line_of(area, area.y, 2);
        let state = match &self.note {
            Some((tone, text)) => Some((*tone, text.clone())),
            None => Some((Tone::Faint, self.state(cx, model))).filter(|(_, text)| !text.is_empty()),
        };
        let taken = state.map_or(0, |(tone, text)| {
            let line = StyledLine::of(tone, format!(" {text} "));
            line.draw_right(cx.look, head, buffer)
        });
        if !self.rows_wanted.query.is_everything() {
            let listed = number(self.listing.rows.places.len() as u64);
            let all = number(model.snapshot.connections_total());
            let line = StyledLine::default()
                .faint(format!(" {listed} of {all} are "))
                .with(Tone::Code, self.filter.clone())
                .plain(" ");
            let room = Rect {
                width: head.width.saturating_sub(taken + 1),
                ..head
            };
            line.draw(cx.look, room, buffer);
        }
        let Some(told) = self.told(model) else {
            return;
        };
        let paragraph = Paragraph::new(0, told);
        let mut rows = paragraph.rows(area.width.saturating_sub(2));
        shorten(&mut rows, usize::from(area.height - 1), cx.look.glyphs.more);
        for (row, y) in rows.iter().zip(area.y + 1..area.bottom()) {
            row.line.draw(cx.look, line_of(area, y, 1), buffer);
        }
    }

    /// What is going on, and what could not be searched.
    fn state(&self, cx: &ViewContext<'_>, model: &ViewModel) -> String {
        let mut parts = Vec::new();
        if !self.marked.is_empty() {
            parts.push(format!("{} marked", number(self.marked.len() as u64)));
        }
        if let Some(percent) = self.read_again(cx) {
            parts.push(format!("searching the capture again: {percent} %"));
        } else if self.search.is_under_way() {
            parts.push("searching".to_owned());
        } else if self.listing.is_under_way() {
            parts.push("sorting".to_owned());
        } else if !self.listing.rows.unknown.is_empty() {
            let unknown = number(self.listing.rows.unknown.len() as u64);
            parts.push(match cx.is_growing() {
                true => format!("{unknown} not searched yet"),
                false => format!("{unknown} not searched: their packets are gone"),
            });
        }
        let let_go = model.snapshot.summary.let_go;
        if let_go > 0 && !self.rows_wanted.query.is_everything() {
            parts.push(format!("{} not listed, not searched", number(let_go)));
        }
        let findings = &model.snapshot.findings;
        let beyond = match self.rows_wanted.grouping == Grouping::Rule {
            true => findings.iter().map(|it| it.gone).max().unwrap_or(0),
            false => self.rows_wanted.query.beyond_rows(findings),
        };
        if beyond > 0 {
            parts.push(format!("{} more have no details", number(beyond)));
        }
        parts.join(", ")
    }

    /// What is said about the selected row.
    fn told(&self, model: &ViewModel) -> Option<String> {
        if let Some(group) = self.listing.group(self.place.selected) {
            let all = group.places.len() as u64;
            let shown = match self.listing.is_unfolded(group) {
                true => "hides",
                false => "shows",
            };
            return Some(format!(
                "{}: {} of {} failed. Enter {shown} them.",
                group.name,
                number(group.failed),
                count(all, "connection", "connections"),
            ));
        }
        let (place, summary) = self.listing.placed(self.place.selected)?;
        let source = self.source(model, place, summary);
        let request = columns::shown_request(source);
        if let Some(record) = model.snapshot.connection(summary.id) {
            let story = connection::story(record, &model.snapshot.frames);
            let found = match request.filter(|it| columns::is_found(source, it)) {
                Some(request) => asked(&request, true) + " ",
                None => String::new(),
            };
            return Some(found + &story + &remark(summary.outcome));
        }
        let is_found = request.is_some_and(|it| columns::is_found(source, &it));
        let asked = request.map_or_else(String::new, |it| asked(&it, is_found) + " ");
        Some(in_short(summary, &asked))
    }

    /// Draws the completions of the filter line.
    pub(super) fn draw_completions(
        &self,
        text: &str,
        cx: &ViewContext<'_>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        if area.is_empty() {
            return;
        }
        let rule = cx.look.glyphs.rule.repeat(usize::from(area.width));
        buffer.set_stringn(
            area.x,
            area.y,
            rule,
            usize::from(area.width),
            cx.look.theme.style(Tone::Faint),
        );
        let listed = self.listing.rows.places.len() as u64;
        let found = StyledLine::default()
            .faint(format!(" {} ", count(listed, "connection", "connections")));
        found.draw_right(
            cx.look,
            Rect {
                height: 1,
                width: area.width.saturating_sub(2),
                ..area
            },
            buffer,
        );
        let mut line = StyledLine::default();
        for (text, taken) in self.completions.of(text) {
            let tone = if taken { Tone::Here } else { Tone::Key };
            line = line.with(tone, text).plain("  ");
        }
        let paragraph = Paragraph::new(0, line);
        let rows = paragraph.rows(area.width.saturating_sub(2));
        for (row, y) in rows.iter().zip(area.y + 1..area.bottom()) {
            let room = Rect {
                x: area.x + 1,
                y,
                width: area.width.saturating_sub(2),
                height: 1,
            };
            row.line.draw(cx.look, room, buffer);
        }
    }
}
