//! The table of all connections: sorted by any column, filtered, some of them marked.
//!
//! ```text
//!     #  client           server         ended by    finding
//! ▌   1  10.0.0.1:40001   10.0.0.2:80    server RST  ✖ reset-before-response
//!     2  10.0.0.1:40002   10.0.0.2:80    client FIN
//!  The server aborted with RST (frame 9) 0.041 s in, without a byte of the response; ...
//! ```
//!
//! [`super::rows`] computes the rows and their order, [`super::columns`] chooses the columns.

use crate::report::rich_text::Tone;
use std::collections::BTreeSet;
use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::columns::{self, COLUMNS, Column, ColumnPlan, GAP};
use super::compare::CompareScreen;
use super::completion::Completions;
use super::keys::{Action, Scope};
use super::menu::{Menu, MenuItem};
use super::rows::{Listing, RowsWanted, SortKey};
use super::story::StoryScreen;
use super::text_layout::{ListPosition, Paragraph, scroll_bar, width};
use super::text_search::TextSearch;
use super::view_model::ViewModel;
use super::{
    KeyOutcome, PromptCompletion, PromptError, PromptInput, PromptQuestion, Screen, Task,
    TaskOutcome, TextSeek, ViewContext,
};
use crate::analysis::connection::{ConnectionSummary, How};
use crate::base::format::{capitalised, count, number};
use crate::report::filter::Filter;
use crate::report::rich_text::StyledLine;
use crate::report::wording::connection;
use crate::report::wording::outcomes::{judged, remark};

/// Rows at the bottom with details of the selected connection.
const DETAIL_ROWS: u16 = 4;
/// Height of the screen below which those rows are omitted.
const SMALL: u16 = 12;

/// The table of all connections.
pub(super) struct ConnectionsScreen {
    listing: Listing,
    rows_wanted: RowsWanted,
    /// The text of the current filter.
    filter: String,
    /// The filter being typed, and the filter and its text from before.
    typing: Option<(String, Filter, String)>,
    complaint: Option<PromptError>,
    place: ListPosition,
    /// The selected connection; it stays selected when others appear or disappear.
    selected: Option<u32>,
    /// The last row is selected, so the selection follows new connections.
    at_end: bool,
    marked: BTreeSet<u32>,
    plan: ColumnPlan,
    menu: Menu,
    search: TextSearch,
    completions: Completions,
    asking: PromptPurpose,
    export: Option<Task<Result<String, String>>>,
    /// Result of the last export, shown until the next key.
    note: Option<(Tone, String)>,
    height: u16,
}

/// What the prompt asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum PromptPurpose {
    #[default]
    Filter,
    Path,
    Overwrite(PathBuf),
}

impl Default for ConnectionsScreen {
    fn default() -> Self {
        Self {
            listing: Listing::default(),
            rows_wanted: RowsWanted {
                query: Filter::default(),
                by: SortKey::Outcome,
                down: false,
            },
            filter: String::new(),
            typing: None,
            complaint: None,
            place: ListPosition::default(),
            selected: None,
            at_end: false,
            marked: BTreeSet::new(),
            plan: ColumnPlan::default(),
            menu: Menu::default(),
            search: TextSearch::default(),
            completions: Completions::default(),
            asking: PromptPurpose::Filter,
            export: None,
            note: None,
            height: 0,
        }
    }
}

impl Screen for ConnectionsScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        let listed = self.listing.rows.places.len() as u64;
        if self.rows_wanted.query.is_everything() {
            return "Connections".to_owned();
        }
        format!(
            "Connections: {} of them {}",
            number(listed),
            self.rows_wanted.query
        )
    }

    fn scope(&self) -> Scope {
        match self.menu.is_open() {
            true => Scope::Menu,
            false => Scope::Connections,
        }
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        self.height = body.height;
        self.at_end = self.rows_wanted.by == SortKey::Number
            && !self.listing.rows.places.is_empty()
            && self.place.selected + 1 == self.listing.rows.places.len()
            && cx.is_growing();
        let changed = self.listing.lay(cx, &self.rows_wanted);
        let rows = self.listing.rows.places.len();
        let height = usize::from(table(body).height.saturating_sub(1));
        self.place.lay(rows, height);
        if changed {
            let kept = self.selected.and_then(|id| self.listing.row_of(id));
            let row = if self.at_end {
                Some(rows.saturating_sub(1))
            } else {
                kept
            };
            self.place.select(row.unwrap_or(0));
        }
        self.selected = self.listing.summary(self.place.selected).map(|it| it.id);
        self.plan = self.planned(cx, body, height);
        if let Some(seek) = self.search.take()
            && !self.go_to_hit(seek)
        {
            let text = format!("“{}” is in none of these rows", self.search.needle());
            self.note = Some((Tone::Warning, text));
        }
        if let Some(task) = &self.export {
            match task.take() {
                TaskOutcome::UnderWay => {}
                TaskOutcome::Done(result) => {
                    self.note = Some(match result {
                        Ok(text) => (Tone::Good, text),
                        Err(text) => (Tone::Error, text),
                    });
                    self.export = None;
                }
                TaskOutcome::Gone => self.export = None,
            }
        }
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        if self.export.is_none() {
            self.note = None;
        }
        if let Some(outcome) = self.menu.act(action) {
            return outcome;
        }
        if self.place.act(action) {
            self.selected = self.listing.summary(self.place.selected).map(|it| it.id);
            return KeyOutcome::Done;
        }
        match action {
            Action::Open => self
                .selected
                .map_or(KeyOutcome::Ignored, KeyOutcome::Connection),
            Action::Filter => {
                self.asking = PromptPurpose::Filter;
                self.typing = Some((
                    self.filter.clone(),
                    self.rows_wanted.query.clone(),
                    self.filter.clone(),
                ));
                KeyOutcome::Ask(PromptQuestion {
                    label: "filter",
                    text: self.filter.clone(),
                    hint: "by:server how:reset took:>5s status:5xx rule:… or any text",
                })
            }
            Action::Sort => {
                self.sort_next();
                KeyOutcome::Done
            }
            Action::Reverse => {
                self.rows_wanted.down = !self.rows_wanted.down;
                KeyOutcome::Done
            }
            Action::Mark => {
                if let Some(id) = self.selected
                    && !self.marked.remove(&id)
                {
                    self.marked.insert(id);
                }
                self.place.act(Action::Down);
                self.selected = self.listing.summary(self.place.selected).map(|it| it.id);
                KeyOutcome::Done
            }
            Action::Finding => self.finding(cx),
            Action::Compare => match self.marked.iter().copied().collect::<Vec<_>>()[..] {
                [one, two] => KeyOutcome::Open(Box::new(CompareScreen::new([one, two]))),
                _ => KeyOutcome::Say("mark two connections with m to compare them".to_owned()),
            },
            Action::Copy => self.copy(cx),
            Action::Export => {
                self.asking = PromptPurpose::Path;
                KeyOutcome::Ask(PromptQuestion {
                    label: "write to",
                    text: String::new(),
                    hint: match self.marked.is_empty() {
                        true => {
                            "connections.pcapng: the listed ones; report.md .json .csv .txt: the report"
                        }
                        false => {
                            "connections.pcapng: the marked ones; report.md .json .csv .txt: the report"
                        }
                    },
                })
            }
            // `esc` first clears the marks, then the filter, and only then goes back.
            Action::Back if !self.marked.is_empty() => {
                self.marked.clear();
                KeyOutcome::Done
            }
            Action::Back if !self.rows_wanted.query.is_everything() => {
                self.set(Filter::default(), String::new());
                KeyOutcome::Done
            }
            _ => KeyOutcome::Ignored,
        }
    }

    fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        match self.asking.clone() {
            PromptPurpose::Filter => self.filtered(answer),
            PromptPurpose::Path => match answer {
                PromptInput::Given(path) if !path.trim().is_empty() => {
                    let path = PathBuf::from(path.trim());
                    if cx.session.host.exists(&path) {
                        self.asking = PromptPurpose::Overwrite(path);
                        return KeyOutcome::Ask(PromptQuestion {
                            label: "it exists; overwrite it?",
                            text: String::new(),
                            hint: "y, or esc",
                        });
                    }
                    self.write(path, cx)
                }
                _ => KeyOutcome::Done,
            },
            PromptPurpose::Overwrite(path) => match answer {
                PromptInput::Given("y" | "Y" | "yes") => self.write(path, cx),
                PromptInput::Given(_) => KeyOutcome::Say("nothing was written".to_owned()),
                _ => KeyOutcome::Done,
            },
        }
    }

    fn complaint(&self) -> Option<PromptError> {
        match self.asking {
            PromptPurpose::Filter => self.complaint.clone(),
            _ => None,
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, cx: &ViewContext<'_>) -> bool {
        self.note = None;
        self.search.give_up(cx);
        let Some(model) = self.listing.model() else {
            return false;
        };
        if !self.search.is_ready(needle, model) {
            self.search.begin(needle, seek, model, cx);
            match self.search.take() {
                // Still searching; the result is reported when it arrives.
                None => return true,
                Some(_) => return self.go_to_hit(seek),
            }
        }
        self.go_to_hit(seek)
    }

    fn complete(&mut self, line: &str, at: usize) -> Option<PromptCompletion> {
        self.completions.next(line, at)
    }

    fn invite(&mut self, rows_wanted: &str, _cx: &ViewContext<'_>) {
        if let Ok(query) = Filter::parse(rows_wanted) {
            self.marked.clear();
            self.set(query, rows_wanted.to_owned());
            self.place.select(0);
            self.selected = None;
        }
    }

    fn click(&mut self, column: u16, row: u16, _cx: &ViewContext<'_>) -> KeyOutcome {
        if let Some(outcome) = self.menu.click(row, self.height) {
            return outcome;
        }
        if row == 0 {
            if let Some(by) = self.column_at(column) {
                self.sort_by(by);
            }
            return KeyOutcome::Done;
        }
        let at = self.place.top + usize::from(row) - 1;
        let again = at == self.place.selected;
        if !self.place.select(at) {
            return KeyOutcome::Ignored;
        }
        self.selected = self.listing.summary(at).map(|it| it.id);
        match (again, self.selected) {
            (true, Some(id)) => KeyOutcome::Connection(id),
            _ => KeyOutcome::Done,
        }
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let table = table(area);
        self.draw_head(cx, table, buffer);
        let rows = Rect {
            y: table.y + 1.min(table.height),
            height: table.height.saturating_sub(1),
            ..table
        };
        if self.listing.rows.places.is_empty() {
            self.draw_nothing(cx, rows, buffer);
        }
        if let Some(model) = self.listing.model() {
            for (y, row) in (rows.top()..rows.bottom()).zip(self.place.top..) {
                let Some(summary) = self.listing.summary(row) else {
                    break;
                };
                let room = Rect {
                    y,
                    height: 1,
                    ..rows
                };
                self.draw_row(cx, model, summary, row == self.place.selected, room, buffer);
            }
            scroll_bar(
                self.listing.rows.places.len(),
                self.place.top,
                cx.look,
                rows,
                buffer,
            );
            let beside = Rect {
                y: table.bottom(),
                height: area.bottom() - table.bottom(),
                ..area
            };
            match &self.typing {
                Some((text, ..)) if self.asking == PromptPurpose::Filter => {
                    self.draw_completions(text, cx, beside, buffer)
                }
                _ => self.draw_details(cx, model, beside, buffer),
            }
        }
        self.menu.draw(cx.look, area, buffer);
    }
}

/// The part of the body that the table occupies.
fn table(body: Rect) -> Rect {
    let beside = if body.height >= SMALL { DETAIL_ROWS } else { 0 };
    Rect {
        height: body.height - beside,
        ..body
    }
}

impl ConnectionsScreen {
    fn go_to_hit(&mut self, seek: TextSeek) -> bool {
        let rows = self.listing.rows.places.len();
        let found = super::text_layout::find(rows, self.place.selected, seek, |row| {
            let summary = self.listing.summary(row);
            summary.is_some_and(|summary| self.search.is_hit(summary.id))
        });
        let Some(row) = found else { return false };
        self.place.select(row);
        self.selected = self.listing.summary(row).map(|it| it.id);
        true
    }

    fn set(&mut self, query: Filter, filter: String) {
        self.rows_wanted.query = query;
        self.filter = filter;
        self.complaint = None;
    }

    fn filtered(&mut self, answer: PromptInput<'_>) -> KeyOutcome {
        match answer {
            PromptInput::Typing(text) | PromptInput::Given(text) => {
                match Filter::parse(text) {
                    Ok(query) => self.set(query, text.trim().to_owned()),
                    Err(wrong) => {
                        // The words before the one being typed already apply.
                        let before = text.get(..wrong.at.start).unwrap_or_default();
                        let before = before.rsplit_once(char::is_whitespace);
                        let before = before.map_or("", |(before, _)| before);
                        if let Ok(query) = Filter::parse(before) {
                            self.set(query, before.trim().to_owned());
                        }
                        let meant = wrong.instead.map(|it| format!("did you mean {it}? "));
                        self.complaint = Some(PromptError {
                            at: wrong.at,
                            message: meant.unwrap_or_default() + &wrong.message,
                        });
                    }
                }
                if let Some((typed, ..)) = &mut self.typing {
                    text.clone_into(typed);
                }
                if matches!(answer, PromptInput::Given(_)) {
                    self.typing = None;
                }
            }
            PromptInput::Dropped => {
                if let Some((_, query, filter)) = self.typing.take() {
                    self.set(query, filter);
                }
            }
        }
        KeyOutcome::Done
    }

    fn write(&mut self, path: PathBuf, cx: &ViewContext<'_>) -> KeyOutcome {
        let Some(model) = self.listing.model().cloned() else {
            return KeyOutcome::Done;
        };
        let host = std::sync::Arc::clone(&cx.session.host);
        let name = path.display().to_string();
        let is_capture = path
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("pcapng"));
        let task = if is_capture {
            let summaries: Vec<ConnectionSummary> = match self.marked.is_empty() {
                true => (0..self.listing.rows.places.len())
                    .filter_map(|row| self.listing.summary(row).copied())
                    .collect(),
                false => self
                    .marked
                    .iter()
                    .filter_map(|id| model.snapshot.connection_summary(*id).copied())
                    .collect(),
            };
            let connections = summaries.len() as u64;
            cx.tasks.spawn(move |_| {
                let frames = host.write_frames(&summaries, &path)?;
                let of = count(connections, "connection", "connections");
                Ok(format!(
                    "{} of {of} written to {name}",
                    count(frames, "packet", "packets")
                ))
            })
        } else {
            cx.tasks.spawn(move |_| {
                host.write_report(&model.snapshot, &path)?;
                Ok(format!("the report is written to {name}"))
            })
        };
        self.export = Some(task);
        self.note = Some((Tone::Faint, "writing…".to_owned()));
        KeyOutcome::Done
    }

    fn sort_next(&mut self) {
        let shown: Vec<SortKey> = self
            .plan
            .shown
            .iter()
            .map(|(at, _)| COLUMNS[*at].by)
            .collect();
        let at = shown.iter().position(|by| *by == self.rows_wanted.by);
        let next = at.map_or(0, |at| (at + 1) % shown.len().max(1));
        if let Some(by) = shown.get(next) {
            self.rows_wanted.by = *by;
            self.rows_wanted.down = by.begins_with_most();
        }
    }

    fn sort_by(&mut self, by: SortKey) {
        if self.rows_wanted.by == by {
            self.rows_wanted.down = !self.rows_wanted.down;
        } else {
            self.rows_wanted.by = by;
            self.rows_wanted.down = by.begins_with_most();
        }
    }

    fn column_at(&self, at: u16) -> Option<SortKey> {
        let mut from = EDGE;
        for (column, wide) in &self.plan.shown {
            if (from..from + wide + GAP).contains(&usize::from(at)) {
                return Some(COLUMNS[*column].by);
            }
            from += wide + GAP;
        }
        None
    }

    fn finding(&self, cx: &ViewContext<'_>) -> KeyOutcome {
        let Some(id) = self.selected else {
            return KeyOutcome::Ignored;
        };
        open_finding(id, cx)
    }

    fn copy(&mut self, cx: &ViewContext<'_>) -> KeyOutcome {
        let Some(summary) = self.listing.summary(self.place.selected) else {
            return KeyOutcome::Ignored;
        };
        let mut items = vec![
            MenuItem::new(
                "Wireshark filter",
                connection::filter_between(summary.client, summary.server),
            ),
            MenuItem::new(
                "addresses",
                format!(
                    "{} {} {}",
                    summary.client, cx.look.glyphs.to, summary.server
                ),
            ),
        ];
        if let Some(record) = cx.snapshot().connection(summary.id) {
            items.push(MenuItem::new(
                "what happened",
                connection::story(record, &cx.snapshot().frames),
            ));
        }
        if !self.filter.is_empty() {
            items.push(MenuItem::new("this filter", self.filter.clone()));
        }
        self.menu.open(items);
        KeyOutcome::Done
    }

    fn planned(&self, cx: &ViewContext<'_>, body: Rect, height: usize) -> ColumnPlan {
        let mut wanted = [0; COLUMNS.len()];
        if let Some(model) = self.listing.model() {
            let rows = self.place.top..self.place.top + height;
            for summary in rows.filter_map(|row| self.listing.summary(row)) {
                for (wanted, column) in wanted.iter_mut().zip(&COLUMNS) {
                    let (_, text) = columns::cell(column.by, summary, model, cx.look);
                    *wanted = (*wanted).max(width(&text));
                }
            }
        }
        // One column is reserved for the scroll bar.
        let room = usize::from(body.width).saturating_sub(EDGE + 1);
        match &cx.session.columns {
            Some(names) => ColumnPlan::chosen(names, room, &wanted),
            None => ColumnPlan::new(room, &wanted),
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
        model: &ViewModel,
        summary: &ConnectionSummary,
        selected: bool,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let glyphs = &cx.look.glyphs;
        if selected {
            buffer.set_stringn(
                area.x,
                area.y,
                glyphs.cursor,
                1,
                cx.look.theme.style(Tone::Key),
            );
        }
        if self.marked.contains(&summary.id) {
            buffer.set_stringn(area.x + 1, area.y, "*", 1, cx.look.theme.style(Tone::Key));
        } else if let Some(severity) = columns::worst(summary, model)
            && !self
                .plan
                .shown
                .iter()
                .any(|(at, _)| COLUMNS[*at].by == SortKey::Finding)
        {
            buffer.set_stringn(
                area.x + 1,
                area.y,
                glyphs.sign(severity),
                1,
                cx.look.theme.style(severity.into()),
            );
        }
        let mut x = area.x + EDGE as u16;
        for (at, wide) in &self.plan.shown {
            let column = &COLUMNS[*at];
            let cell = columns::cell(column.by, summary, model, cx.look);
            draw_cell(column, *wide, cell, &mut x, area, cx, buffer);
        }
        if selected {
            let row = Rect {
                width: area.width.saturating_sub(1),
                ..area
            };
            buffer.set_style(row, cx.look.theme.style(Tone::Selected));
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
    fn draw_details(
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
        buffer.set_stringn(
            area.x,
            area.y,
            rule,
            usize::from(area.width),
            cx.look.theme.style(Tone::Faint),
        );
        let mut right = Vec::new();
        if !self.marked.is_empty() {
            right.push(format!("{} marked", number(self.marked.len() as u64)));
        }
        if self.listing.rows.unknown > 0 {
            right.push(format!(
                "{} more cannot be told: their requests were not kept",
                number(self.listing.rows.unknown)
            ));
        }
        if self.search.is_under_way() {
            right.push("searching".to_owned());
        } else if self.listing.is_under_way() {
            right.push("sorting".to_owned());
        }
        if let Some((tone, text)) = &self.note {
            let line = StyledLine::of(*tone, format!(" {text} "));
            line.draw_right(
                cx.look,
                Rect {
                    height: 1,
                    width: area.width.saturating_sub(2),
                    ..area
                },
                buffer,
            );
        } else if !right.is_empty() {
            let line = StyledLine::default().faint(format!(" {} ", right.join(", ")));
            line.draw_right(
                cx.look,
                Rect {
                    height: 1,
                    width: area.width.saturating_sub(2),
                    ..area
                },
                buffer,
            );
        }
        if !self.rows_wanted.query.is_everything() {
            let listed = number(self.listing.rows.places.len() as u64);
            let all = number(model.snapshot.connections_total());
            let line = StyledLine::default()
                .faint(format!(" {listed} of {all} are "))
                .with(Tone::Code, self.filter.clone())
                .plain(" ");
            let room = Rect {
                x: area.x + 2.min(area.width),
                width: area.width.saturating_sub(4),
                height: 1,
                ..area
            };
            line.draw(cx.look, room, buffer);
        }
        let Some(summary) = self.listing.summary(self.place.selected) else {
            return;
        };
        let told = match model.snapshot.connection(summary.id) {
            Some(record) => {
                connection::story(record, &model.snapshot.frames) + &remark(summary.outcome)
            }
            None => in_short(summary),
        };
        let paragraph = Paragraph::new(0, told);
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

    /// Draws the completions of the filter line.
    fn draw_completions(&self, text: &str, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
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

/// Columns for the cursor, the mark, and a blank.
const EDGE: usize = 3;

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

/// One sentence about a connection whose record was not kept.
fn in_short(summary: &ConnectionSummary) -> String {
    if summary.how == How::Open {
        return "Still open when the capture ends.".to_owned();
    }
    format!(
        "{}: {}, {}, {}. Enter shows it, segment by segment.",
        capitalised(&judged(summary.outcome)),
        connection::who(summary.by),
        connection::how(summary.how),
        connection::when(summary.phase)
    )
}

/// Opens the worst finding that names a connection.
pub(super) fn open_finding(id: u32, cx: &ViewContext<'_>) -> KeyOutcome {
    let numbers = cx.model.naming.numbers(id);
    let Some(worst) = numbers.first() else {
        return KeyOutcome::Say(format!("no finding names connection {id}"));
    };
    let place = (*worst as usize).saturating_sub(1);
    let groups = &cx.model.groups;
    let group = groups
        .iter()
        .position(|it| it.first == place || it.others.contains(&place));
    match group {
        Some(group) => KeyOutcome::Open(Box::new(StoryScreen::new(cx.model, group))),
        None => KeyOutcome::Ignored,
    }
}
