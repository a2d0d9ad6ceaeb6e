//! The table of all connections: sorted by any column, filtered, in groups, some of them marked.
//!
//! ```text
//!     #  client           server         ended by    finding
//! ▌   1  10.0.0.1:40001   10.0.0.2:80    server RST  ✖ reset-before-response
//!     2  10.0.0.1:40002   10.0.0.2:80    client FIN
//!  The server aborted with RST (frame 9) 0.041 s in, without a byte of the response; ...
//! ```
//!
//! [`super::rows`] computes the rows and their order, [`super::columns`] chooses the columns, [`super::connection_table`]
//! draws.

use crate::report::rich_text::Tone;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::choice::{ChoiceList, ChoiceRow};
use super::columns::{
    self, COLUMNS, CellSource, ColumnChoice, ColumnChoices, ColumnPlan, ColumnWidths, EDGE, GAP,
};
use super::compare::CompareScreen;
use super::completion::Completions;
use super::connection::ConnectionScreen;
use super::export::Export;
use super::grouping::Grouping;
use super::keys::{Action, Scope};
use super::menu::{Menu, MenuItem};
use super::rows::{Listing, RowName, RowsWanted};
use super::search_again::{FoundAgain, search_again};
use super::sort_key::SortKey;
use super::story::StoryScreen;
use super::text_layout::{ListPosition, width};
use super::text_search::TextSearch;
use super::{
    KeyOutcome, PromptCompletion, PromptError, PromptInput, PromptQuestion, Screen, SeekResult,
    Task, TaskOutcome, TextSeek, ViewContext,
};
use crate::analysis::connection::ConnectionSummary;
use crate::base::format::number;
use crate::report::filter::{Filter, RequestMatcher};
use crate::report::wording::connection;

/// Rows at the bottom with details of the selected connection.
const DETAIL_ROWS: u16 = 4;
/// Rows that are measured to choose the columns.
const MEASURED: usize = 512;
/// Height of the screen below which those rows are omitted.
const SMALL: u16 = 12;

/// The table of all connections.
pub(super) struct ConnectionsScreen {
    pub(super) listing: Listing,
    pub(super) rows_wanted: RowsWanted,
    /// What the filter says of a request.
    matcher: Option<RequestMatcher>,
    /// The text of the current filter.
    pub(super) filter: String,
    /// The filter being typed, and the filter and its text from before.
    pub(super) typing: Option<(String, Filter, String)>,
    complaint: Option<PromptError>,
    pub(super) place: ListPosition,
    /// What is selected; it stays selected when rows appear or disappear.
    selected: Option<RowName>,
    /// The last row is selected, so the selection follows new connections.
    at_end: bool,
    pub(super) marked: BTreeSet<u32>,
    pub(super) plan: ColumnPlan,
    columns: ColumnChoices,
    /// The width that the cells of each column need.
    widths: ColumnWidths,
    /// What that was measured for: the filter, whether servers are shown by name, and whether only what fits an error is.
    widths_of: Option<(Filter, bool, bool)>,
    /// Servers are shown by their names, where they have one.
    pub(super) names: bool,
    menu: Menu,
    choice: Option<(ChoiceKind, ChoiceList)>,
    pub(super) search: TextSearch,
    /// The reading again for what the filter cannot decide.
    again: Option<Task<FoundAgain>>,
    pub(super) completions: Completions,
    asking: PromptPurpose,
    export: Export,
    /// Result of the last search, shown until the next key.
    pub(super) note: Option<(Tone, String)>,
    height: u16,
}

/// What is chosen from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChoiceKind {
    Columns,
    Grouping,
}

/// What the prompt asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PromptPurpose {
    #[default]
    Filter,
    Export,
}

impl Default for ConnectionsScreen {
    fn default() -> Self {
        Self {
            listing: Listing::default(),
            rows_wanted: RowsWanted {
                query: Filter::default(),
                by: SortKey::Outcome,
                down: false,
                grouping: Grouping::None,
            },
            matcher: None,
            filter: String::new(),
            typing: None,
            complaint: None,
            place: ListPosition::default(),
            selected: None,
            at_end: false,
            marked: BTreeSet::new(),
            plan: ColumnPlan::default(),
            columns: ColumnChoices::default(),
            widths: ColumnWidths::default(),
            widths_of: None,
            names: false,
            menu: Menu::default(),
            choice: None,
            search: TextSearch::default(),
            again: None,
            completions: Completions::default(),
            asking: PromptPurpose::Filter,
            export: Export::default(),
            note: None,
            height: 0,
        }
    }
}

impl Screen for ConnectionsScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        let mut name = "Connections".to_owned();
        if !self.rows_wanted.query.is_everything() {
            let listed = self.listing.rows.places.len() as u64;
            name += &format!(": {} of them {}", number(listed), self.rows_wanted.query);
        }
        if self.rows_wanted.grouping != Grouping::None {
            name += &format!(", by {}", self.rows_wanted.grouping.name());
        }
        name
    }

    fn scope(&self) -> Scope {
        match self.choice {
            _ if self.menu.is_open() => Scope::Menu,
            Some((ChoiceKind::Columns, _)) => Scope::Columns,
            Some((ChoiceKind::Grouping, _)) => Scope::Groups,
            None => Scope::Connections,
        }
    }

    fn hint<'k>(&self, action: Action, usual: &'k str, cx: &ViewContext<'_>) -> Cow<'k, str> {
        let group = self.listing.group(self.place.selected);
        let summary = self.listing.summary(self.place.selected);
        let works = match action {
            Action::Open if group.is_some_and(|it| self.listing.is_unfolded(it)) => {
                return "fold".into();
            }
            Action::Open if group.is_some() => return "unfold".into(),
            Action::Open | Action::Copy => summary.is_some(),
            Action::Finding => summary.is_some_and(|it| !cx.model.naming.numbers(it.id).is_empty()),
            Action::Mark => self.listing.len() > 0,
            Action::Compare => self.marked.len() == 2,
            _ => true,
        };
        if works { usual } else { "" }.into()
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        self.height = body.height;
        self.at_end = self.rows_wanted.by == SortKey::Number
            && self.listing.len() > 0
            && self.place.selected + 1 == self.listing.len()
            && cx.is_growing();
        let mut changed = self.listing.lay(cx, &self.rows_wanted);
        if self.search_again(cx) {
            changed |= self.listing.lay(cx, &self.rows_wanted);
        }
        let rows = self.listing.len();
        let height = usize::from(table(body).height.saturating_sub(1));
        self.place.lay(rows, height);
        if changed {
            let kept = self.selected.as_ref();
            let kept = kept.and_then(|name| self.listing.row_of(name));
            let row = if self.at_end {
                Some(rows.saturating_sub(1))
            } else {
                kept
            };
            self.place.select(row.unwrap_or(0));
        }
        self.hold();
        if changed
            || self
                .widths_of
                .as_ref()
                .is_none_or(|(_, names, _)| *names != self.names)
        {
            self.measure(cx);
        }
        self.plan = self.planned(cx, body, height);
        if let Some((kind, _)) = self.choice {
            let rows = self.choices(kind);
            if let Some((_, list)) = &mut self.choice {
                list.lay(rows, body.height);
            }
        }
        let model = self.listing.model().cloned();
        if let Some(seek) = self.search.take(model.as_deref()) {
            let found = self.go_to_hit(seek, cx);
            self.tell_sought(found, cx);
        }
        self.export.lay();
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.acted();
        self.note = None;
        if let Some(outcome) = self.menu.act(action) {
            return outcome;
        }
        if let Some(outcome) = self.choose(action) {
            return outcome;
        }
        if self.place.act(action) {
            self.hold();
            return KeyOutcome::Done;
        }
        match action {
            Action::Open if self.is_searching() => {
                KeyOutcome::Say("the search is still under way".to_owned())
            }
            Action::Open => self.open(cx),
            Action::Filter => {
                self.asking = PromptPurpose::Filter;
                self.typing = Some((
                    self.filter.clone(),
                    self.rows_wanted.query.clone(),
                    self.filter.clone(),
                ));
                KeyOutcome::Ask(PromptQuestion {
                    label: "filter".into(),
                    confirms: false,
                    text: self.filter.clone(),
                    hint: "path:/x status:5xx how:reset took:>5s host 10.0.0.1 … or any text",
                })
            }
            Action::Columns => {
                let sorted = columns::position(self.rows_wanted.by);
                self.offer(ChoiceKind::Columns, sorted)
            }
            Action::Group => {
                let by = self.rows_wanted.grouping;
                let at = Grouping::ALL.iter().position(|it| *it == by);
                self.offer(ChoiceKind::Grouping, at.unwrap_or(0))
            }
            Action::Names => {
                self.names = !self.names;
                KeyOutcome::Done
            }
            Action::Reverse => {
                self.rows_wanted.down = !self.rows_wanted.down;
                if self.rows_wanted.grouping == Grouping::None {
                    return KeyOutcome::Done;
                }
                let column = &COLUMNS[columns::position(self.rows_wanted.by)];
                let way = match self.rows_wanted.down {
                    true => "downwards",
                    false => "upwards",
                };
                KeyOutcome::Say(format!("each group is sorted by {}, {way}", column.name))
            }
            Action::Mark => {
                self.mark();
                KeyOutcome::Done
            }
            Action::Finding => match self.listing.summary(self.place.selected) {
                Some(summary) => open_finding(summary.id, cx),
                None => self.is_group(),
            },
            Action::Compare => match self.marked.iter().copied().collect::<Vec<_>>()[..] {
                [one, two] => KeyOutcome::Open(Box::new(CompareScreen::new([one, two]))),
                [] | [_] => {
                    KeyOutcome::Say("mark two connections with m to compare them".to_owned())
                }
                _ => KeyOutcome::Say(format!(
                    "{} are marked, and two can be compared; m takes a mark away",
                    number(self.marked.len() as u64)
                )),
            },
            Action::Copy => self.copy(cx),
            Action::Export => self.ask_for_path(cx),
            // `esc` first clears the marks, then the filter, then the groups, and only then goes back.
            Action::Back if !self.marked.is_empty() => {
                self.marked.clear();
                KeyOutcome::Done
            }
            Action::Back if !self.rows_wanted.query.is_everything() => {
                self.set(Filter::default(), String::new());
                KeyOutcome::Done
            }
            Action::Back if self.rows_wanted.grouping != Grouping::None => {
                self.rows_wanted.grouping = Grouping::None;
                KeyOutcome::Done
            }
            _ => KeyOutcome::Ignored,
        }
    }

    fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        match self.asking {
            PromptPurpose::Filter => self.filtered(answer),
            PromptPurpose::Export => self.export.answered(answer, cx),
        }
    }

    fn complaint(&self) -> Option<PromptError> {
        match self.asking {
            PromptPurpose::Filter => self.complaint.clone(),
            PromptPurpose::Export => self.export.complaint(),
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, cx: &ViewContext<'_>) -> SeekResult {
        self.note = None;
        let Some(model) = self.listing.model() else {
            return SeekResult::Missing;
        };
        if !self.search.is_ready(needle, model) {
            self.search.begin(needle, seek, model, cx);
            if self.search.take(None).is_none() {
                // Still searching; the result is reported when it arrives.
                return SeekResult::UnderWay;
            }
        }
        self.go_to_hit(seek, cx)
    }

    fn complete(&mut self, line: &str, at: usize) -> Option<PromptCompletion> {
        self.completions.next(line, at)
    }

    fn invite(&mut self, rows_wanted: &str, _cx: &ViewContext<'_>) {
        if let Ok(query) = Filter::parse(rows_wanted) {
            self.marked.clear();
            self.set(query, rows_wanted.to_owned());
            self.rows_wanted.grouping = Grouping::None;
            self.place.select(0);
            self.selected = None;
        }
    }

    fn click(&mut self, column: u16, row: u16, cx: &ViewContext<'_>) -> KeyOutcome {
        if let Some(outcome) = self.menu.click(row, self.height) {
            return outcome;
        }
        if let Some((_, list)) = &mut self.choice {
            if list.click(row, self.height) {
                return self.choose(Action::Open).unwrap_or(KeyOutcome::Done);
            }
            self.choice = None;
            return KeyOutcome::Done;
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
        self.hold();
        match again {
            true => self.open(cx),
            false => KeyOutcome::Done,
        }
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let table = table(area);
        self.draw_table(cx, table, buffer);
        if let Some(model) = self.listing.model() {
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
        if let Some((_, list)) = &self.choice {
            list.draw(cx.look, area, buffer);
        }
        self.export.draw(cx, area, buffer);
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
    /// What is selected stays selected.
    fn hold(&mut self) {
        self.selected = self.listing.name(self.place.selected);
    }

    /// Says what to do with a group where a connection is wanted.
    fn is_group(&self) -> KeyOutcome {
        match self.listing.group(self.place.selected) {
            Some(_) => KeyOutcome::Say("this is a group; enter shows its connections".to_owned()),
            None => KeyOutcome::Ignored,
        }
    }

    fn is_searching(&self) -> bool {
        self.search.is_under_way() || self.search.read_again().is_some()
    }

    /// Opens the connection, at the request that was found, or unfolds the group.
    fn open(&mut self, cx: &ViewContext<'_>) -> KeyOutcome {
        if let Some(summary) = self.listing.summary(self.place.selected) {
            return match self.sought(summary.id).and_then(|it| it.of_request()) {
                Some(sought) => KeyOutcome::Open(Box::new(ConnectionScreen::at_request(
                    summary.id, sought, cx,
                ))),
                None => KeyOutcome::Connection(summary.id),
            };
        }
        let group = self.listing.group(self.place.selected);
        let Some(name) = group.map(|it| it.name.clone()) else {
            return KeyOutcome::Ignored;
        };
        self.listing.toggle(&name);
        KeyOutcome::Done
    }

    /// Marks the selected connection, or those of the selected group; if all are marked, takes the marks away.
    fn mark(&mut self) {
        let ids: Vec<u32> = match self.listing.group(self.place.selected) {
            Some(group) => {
                let summaries = self.listing.model().map(|it| &it.snapshot.summaries);
                let places = group.places.iter();
                places
                    .filter_map(|place| summaries?.get(*place as usize).map(|it| it.id))
                    .collect()
            }
            None => {
                let summary = self.listing.summary(self.place.selected);
                summary.map(|it| it.id).into_iter().collect()
            }
        };
        let all = ids.iter().all(|id| self.marked.contains(id));
        for id in ids {
            match all {
                true => self.marked.remove(&id),
                false => self.marked.insert(id),
            };
        }
        self.place.act(Action::Down);
        self.hold();
    }

    fn offer(&mut self, kind: ChoiceKind, selected: usize) -> KeyOutcome {
        let title = match kind {
            ChoiceKind::Columns => "Columns: enter sorts by one, space shows or hides it",
            ChoiceKind::Grouping => "Group by",
        };
        let list = ChoiceList::open(title, self.choices(kind), selected);
        self.choice = Some((kind, list));
        KeyOutcome::Done
    }

    fn choices(&self, kind: ChoiceKind) -> Vec<ChoiceRow> {
        let mark = |on: bool| if on { "[x]" } else { "[ ]" }.to_owned();
        match kind {
            ChoiceKind::Columns => COLUMNS
                .iter()
                .map(|column| {
                    let order = match (column.by == self.rows_wanted.by, self.rows_wanted.down) {
                        (false, _) => "",
                        (true, false) => "sorted by it, upwards; ",
                        (true, true) => "sorted by it, downwards; ",
                    };
                    ChoiceRow {
                        mark: mark(self.plan.shows(column.by)),
                        name: column.name.to_owned(),
                        help: format!("{order}{}", column.help),
                    }
                })
                .collect(),
            ChoiceKind::Grouping => Grouping::ALL
                .iter()
                .map(|it| ChoiceRow {
                    mark: mark(*it == self.rows_wanted.grouping),
                    name: it.name().to_owned(),
                    help: it.help().to_owned(),
                })
                .collect(),
        }
    }

    /// Handles an action while something is being chosen; `None` if nothing is.
    fn choose(&mut self, action: Action) -> Option<KeyOutcome> {
        let (kind, list) = self.choice.as_mut()?;
        if list.act(action) {
            return Some(KeyOutcome::Done);
        }
        let (kind, at) = (*kind, list.selected());
        match (kind, action) {
            (_, Action::Quit | Action::Suspend | Action::Redraw | Action::Light | Action::Help) => {
                return None;
            }
            (ChoiceKind::Columns, Action::Open) => {
                if let Some(column) = COLUMNS.get(at) {
                    self.sort_by(column.by);
                }
                // What is sorted by is seen, and nothing covers it.
                if let Some(choice) = self.columns.get_mut(at)
                    && *choice == ColumnChoice::Hidden
                {
                    *choice = ColumnChoice::Auto;
                }
                self.choice = None;
            }
            (ChoiceKind::Columns, Action::Toggle) => {
                if let (Some(column), Some(choice)) = (COLUMNS.get(at), self.columns.get_mut(at)) {
                    *choice = match self.plan.shows(column.by) {
                        true => ColumnChoice::Hidden,
                        false => ColumnChoice::Shown,
                    };
                }
            }
            (ChoiceKind::Grouping, Action::Open) => {
                self.rows_wanted.grouping = Grouping::ALL.get(at).copied().unwrap_or_default();
                self.choice = None;
            }
            (_, Action::Back | Action::Columns | Action::Group) => self.choice = None,
            _ => {}
        }
        Some(KeyOutcome::Done)
    }

    fn go_to_hit(&mut self, seek: TextSeek, cx: &ViewContext<'_>) -> SeekResult {
        let rows = self.listing.len();
        let found = super::text_layout::find(rows, self.place.selected, seek, |row| {
            match self.listing.summary(row) {
                Some(summary) => self.search.is_hit(summary.id),
                None => {
                    let group = self.listing.group(row);
                    group.is_some_and(|it| self.search.is_in(&it.name))
                }
            }
        });
        let found = self.place.go_to(found);
        self.hold();
        // Before saying that there is none, or no more, look where the requests were not kept.
        if matches!(found, SeekResult::Missing | SeekResult::Wrapped)
            && let Some(model) = self.listing.model().cloned()
            && !cx.is_growing()
            && self.search.begin_again(seek, &model, cx)
        {
            return match self.search.take(Some(&model)) {
                Some(seek) => self.go_to_hit(seek, cx),
                None => SeekResult::UnderWay,
            };
        }
        found
    }

    fn tell_sought(&mut self, found: SeekResult, cx: &ViewContext<'_>) {
        self.note = match found {
            SeekResult::Missing if self.search.is_in(cx.in_sight) => {
                Some((Tone::Plain, "it is on the screen, but in no row".to_owned()))
            }
            SeekResult::Missing => {
                let mut text = format!("text not found: {}", self.search.needle());
                match self.search.not_searched() {
                    0 => {}
                    left => text += &format!(" ({} not searched)", number(left)),
                }
                Some((Tone::Warning, text))
            }
            SeekResult::Wrapped => Some((Tone::Plain, "search wrapped".to_owned())),
            SeekResult::Found | SeekResult::InSight | SeekResult::UnderWay => None,
        };
    }

    /// Reads the input again for connections for which the filter cannot be decided, once nobody types and all of the input is
    /// there. Returns whether rows have come of it.
    fn search_again(&mut self, cx: &ViewContext<'_>) -> bool {
        let idle = self.typing.is_none() && !self.listing.is_under_way() && !cx.is_growing();
        if self.again.is_none() && idle && !self.listing.is_read_again() {
            let unknown = &self.listing.rows.unknown;
            let model = self.listing.model().filter(|_| !unknown.is_empty());
            if let Some(model) = model {
                let (model, unknown) = (Arc::clone(model), unknown.clone());
                let query = self.rows_wanted.query.clone();
                let host = Arc::clone(&cx.session.host);
                self.again =
                    Some(cx.tasks.spawn(move |cancel| {
                        search_again(&query, &model, &unknown, &*host, cancel)
                    }));
            }
        }
        let Some(task) = &self.again else {
            return false;
        };
        match task.take() {
            TaskOutcome::UnderWay => false,
            TaskOutcome::Done(found) => {
                if let Some(failure) = &found.failure {
                    self.note = Some((Tone::Warning, failure.clone()));
                }
                self.listing.add(found);
                self.again = None;
                true
            }
            TaskOutcome::Gone => {
                self.again = None;
                false
            }
        }
    }

    /// What share of the input has been read again, in percent; `None` if it is not being read.
    pub(super) fn read_again(&self, cx: &ViewContext<'_>) -> Option<u64> {
        let bytes = match &self.again {
            Some(task) => task.progress(),
            None => self.search.read_again()?,
        };
        let of = cx.progress.of.unwrap_or(cx.progress.bytes).max(1);
        Some((bytes.saturating_mul(100) / of).min(100))
    }

    fn set(&mut self, query: Filter, filter: String) {
        if self.rows_wanted.query != query {
            self.again = None;
            // What was searched for before is no longer what is looked for.
            self.search.forget();
        }
        self.matcher = query.of_request();
        self.rows_wanted.query = query;
        self.filter = filter;
        self.complaint = None;
    }

    fn filtered(&mut self, answer: PromptInput<'_>) -> KeyOutcome {
        // How a Wireshark filter was understood.
        let mut said = None;
        match answer {
            PromptInput::Typing(text) | PromptInput::Given(text) => {
                match Filter::understand(text) {
                    Ok((query, None)) => self.set(query, text.trim().to_owned()),
                    Ok((query, Some(translated))) => {
                        self.set(query, translated.line.clone());
                        said = Some(translated.told());
                    }
                    Err(wrong) => {
                        // What is wrong changes nothing: the rows stay those of before.
                        if let Some((_, query, filter)) = self.typing.clone() {
                            self.set(query, filter);
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
                    return said.map_or(KeyOutcome::Done, KeyOutcome::Say);
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

    /// Asks where to write the marked connections, or the listed ones, or the report.
    fn ask_for_path(&mut self, cx: &ViewContext<'_>) -> KeyOutcome {
        self.asking = PromptPurpose::Export;
        let mut ids: Vec<u32> = match self.marked.is_empty() {
            true => self.listing.summaries().map(|it| it.id).collect(),
            false => self.marked.iter().copied().collect(),
        };
        ids.sort_unstable();
        self.export.ask(ids, "connections", cx)
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

    fn copy(&mut self, cx: &ViewContext<'_>) -> KeyOutcome {
        let Some((place, summary)) = self.listing.placed(self.place.selected) else {
            return self.is_group();
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
        if let Some(model) = self.listing.model()
            && let Some(request) = columns::shown_request(self.source(model, place, summary))
        {
            items.push(MenuItem::new("request", columns::spelled(&request)));
        }
        if !self.filter.is_empty() {
            items.push(MenuItem::new("this filter", self.filter.clone()));
        }
        self.menu.open(items);
        KeyOutcome::Done
    }

    pub(super) fn source<'a>(
        &'a self,
        model: &'a super::ViewModel,
        place: usize,
        summary: &'a ConnectionSummary,
    ) -> CellSource<'a> {
        let searched = self.search.matcher(summary.id);
        CellSource {
            summary,
            place,
            model,
            names: self.names,
            matcher: searched.or(self.matcher.as_ref()),
        }
    }

    /// What says of a request whether it is the one found: the search, else the filter.
    fn sought(&self, id: u32) -> Option<Filter> {
        let searched = self.search.query(id);
        searched.or_else(|| {
            self.matcher
                .as_ref()
                .map(|_| self.rows_wanted.query.clone())
        })
    }

    fn widen(&self, wanted: &mut ColumnWidths, source: CellSource<'_>, cx: &ViewContext<'_>) {
        for (wanted, column) in wanted.iter_mut().zip(&COLUMNS) {
            let (_, text) = columns::cell(column.by, source, cx.look);
            *wanted = (*wanted).max(width(&text));
        }
    }

    /// Measures rows from everywhere in the list, so that columns stay where they are while one scrolls. Where only
    /// connections were added, no column becomes narrower.
    fn measure(&mut self, cx: &ViewContext<'_>) {
        let narrowed = cx.snapshot().narrowed.is_some();
        let of = (self.rows_wanted.query.clone(), self.names, narrowed);
        let mut wanted = match self.widths_of.as_ref() == Some(&of) {
            true => self.widths,
            false => ColumnWidths::default(),
        };
        let places = &self.listing.rows.places;
        if let Some(model) = self.listing.model() {
            for place in places
                .iter()
                .step_by(places.len().div_ceil(MEASURED).max(1))
            {
                let place = *place as usize;
                if let Some(summary) = model.snapshot.summaries.get(place) {
                    self.widen(&mut wanted, self.source(model, place, summary), cx);
                }
            }
        }
        self.widths = wanted;
        self.widths_of = Some(of);
    }

    fn planned(&mut self, cx: &ViewContext<'_>, body: Rect, height: usize) -> ColumnPlan {
        let mut wanted = self.widths;
        if let Some(model) = self.listing.model() {
            let rows = self.place.top..self.place.top + height;
            for (place, summary) in rows.filter_map(|row| self.listing.placed(row)) {
                self.widen(&mut wanted, self.source(model, place, summary), cx);
            }
        }
        self.widths = wanted;
        // One column is reserved for the scroll bar.
        let room = usize::from(body.width).saturating_sub(EDGE + 1);
        let untouched = self.columns == ColumnChoices::default();
        let by = self.rows_wanted.by;
        if let Some(names) = cx.session.columns.as_ref().filter(|_| untouched) {
            return match by {
                // The order in which the rows begin, which nobody chose.
                SortKey::Outcome => ColumnPlan::chosen(names, room, &wanted),
                by => ColumnPlan::chosen_and(names, by, room, &wanted),
            };
        }
        let mut columns = self.columns;
        let sorted = &mut columns[columns::position(by)];
        if *sorted != ColumnChoice::Hidden {
            *sorted = ColumnChoice::First;
        }
        let request = &mut columns[columns::position(SortKey::Request)];
        // What a filter finds in requests should be seen.
        if self.matcher.is_some() && *request == ColumnChoice::Auto {
            *request = ColumnChoice::Shown;
        }
        ColumnPlan::new(room, &wanted, &columns)
    }
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
