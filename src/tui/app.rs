//! The application: the screen stack, the keys that act the same on every screen, and the frame around the screen.
//!
//! ```text
//!  hangup  short.pcap  3,012,345 packets, 300,000 connections              45 %, 3 s left
//!  1 Overview   2 Findings 12   3 Connections 300,000   4 Sockets 3
//! -- Findings > keep-alive-race ------------------------------------------------------
//!  the screen
//!  enter read it  c connections  esc back  / search  ? help  q quit
//! ```

use crate::report::rich_text::Tone;
use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Frame;
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::event::{
    Event, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::{Position, Rect};

use super::connection::ConnectionScreen;
use super::connections::ConnectionsScreen;
use super::findings::FindingsScreen;
use super::help::HelpScreen;
use super::keys::{Action, KeyBinding, KeyPress, Scope};
use super::narrowed;
use super::overview::OverviewScreen;
use super::prompt::{Prompt, PromptKey};
use super::sockets::SocketsScreen;
use super::story::StoryScreen;
use super::text_layout::{holds, width};
use super::{
    Effect, Glyphs, KeyOutcome, Look, PromptInput, PromptQuestion, Screen, ScreenSubject,
    SeekResult, Tab, Tasks, TextSeek, ViewContext, ViewModel,
};
use crate::base::format::duration;
use crate::base::format::{bytes, count, number};
use crate::base::net::Endpoint;
use crate::report::rich_text::StyledLine;
use crate::report::snapshot::{ReadProgress, ReadStage};
use crate::rules::Severity;

/// How long a status message stays on screen.
const MESSAGE: Duration = Duration::from_secs(6);
/// While following a live capture, `q` must be pressed a second time within this time to quit.
const TWICE: Duration = Duration::from_secs(4);
/// Interval at which the screen is drawn while tasks are under way.
const PROGRESS: Duration = Duration::from_millis(250);
/// Interval at which the packet rate is recomputed.
const RATE: Duration = Duration::from_secs(1);
/// Columns and rows below which nothing can be shown.
const SMALLEST: (u16, u16) = (20, 5);
/// Rows that one step of the mouse wheel scrolls.
const WHEEL: usize = 3;

/// An entry of the screen stack.
enum Location {
    Tab(Tab),
    On(Box<dyn Screen>),
}

/// Who receives the text that is typed at the bottom line.
enum Typist {
    /// The search.
    Search {
        /// The text that was searched for before.
        before: String,
        /// The search has gone around the end since the first character was typed.
        wrapped: bool,
    },
    Screen,
}

struct StatusMessage {
    tone: Tone,
    text: String,
    until: Duration,
}

/// The application: owns the screens, and turns terminal events into state, cells and [`Effect`]s.
pub struct App {
    session: ScreenSubject,
    look: Look,
    tasks: Tasks,
    newest: Arc<ViewModel>,
    /// The view model shown instead of the newest one while the display is frozen.
    frozen: Option<Arc<ViewModel>>,
    /// Everything is shown although the user asked for what fits an error.
    lifted: bool,
    progress: ReadProgress,
    tabs: [Box<dyn Screen>; Tab::ALL.len()],
    /// The screens from the first one to the current one. Never empty.
    stack: Vec<Location>,
    prompt: Option<(Prompt, Typist)>,
    needle: String,
    /// The text that the screen showed when it was drawn last.
    in_sight: String,
    /// The text searched for is marked wherever it is in sight.
    marks_needle: bool,
    message: Option<StatusMessage>,
    effects: Vec<Effect>,
    now: Duration,
    /// When quitting was first requested while packets still arrive.
    quit_asked: Option<Duration>,
    rate: FrameRate,
    /// The findings already seen, so that [`Self::announce`] reports only new ones.
    known: HashSet<(&'static str, Option<IpAddr>, Option<Endpoint>)>,
    body: Rect,
    tab_columns: Vec<(Tab, u16, u16)>,
    seen_tasks: usize,
    /// When the screen was drawn last.
    drawn: Duration,
    dirty: bool,
}

#[derive(Default)]
struct FrameRate {
    at: Duration,
    frames: u64,
    per_second: f64,
}

impl App {
    /// Starts on the overview with an empty view model.
    #[must_use]
    pub fn new(session: ScreenSubject, look: Look, tasks: Tasks) -> Self {
        Self {
            session,
            look,
            tasks,
            newest: Arc::default(),
            frozen: None,
            lifted: false,
            progress: ReadProgress::default(),
            tabs: [
                Box::<OverviewScreen>::default(),
                Box::<FindingsScreen>::default(),
                Box::<ConnectionsScreen>::default(),
                Box::<SocketsScreen>::default(),
            ],
            stack: vec![Location::Tab(Tab::Overview)],
            prompt: None,
            needle: String::new(),
            in_sight: String::new(),
            marks_needle: false,
            message: None,
            effects: Vec::new(),
            now: Duration::ZERO,
            quit_asked: None,
            rate: FrameRate::default(),
            known: HashSet::new(),
            body: Rect::default(),
            tab_columns: Vec::new(),
            seen_tasks: 0,
            drawn: Duration::ZERO,
            dirty: true,
        }
    }

    /// Takes over a new view model.
    pub fn take(&mut self, model: Arc<ViewModel>) {
        self.announce(&model);
        let old = std::mem::replace(&mut self.newest, model);
        self.tasks.discard(old);
        self.dirty = true;
    }

    /// Takes over new progress of the analysis run; a failed run becomes a message.
    pub fn report(&mut self, progress: ReadProgress) {
        if progress == self.progress {
            return;
        }
        if let ReadStage::Failed(why) = &progress.stage {
            self.warn(why.clone());
        }
        self.progress = progress;
        self.dirty = true;
    }

    /// Advances the time; `now` is the time since the program started.
    pub fn tick(&mut self, now: Duration) {
        self.now = now;
        if self.message.as_ref().is_some_and(|it| it.until <= now) {
            self.message = None;
            self.dirty = true;
        }
        let passed = now.saturating_sub(self.rate.at);
        if passed >= RATE && self.is_growing() {
            let more = self.progress.frames.saturating_sub(self.rate.frames);
            self.rate = FrameRate {
                at: now,
                frames: self.progress.frames,
                per_second: more as f64 / passed.as_secs_f64(),
            };
            self.dirty = true;
        }
        // A task may report how far it has got.
        if self.tasks.under_way() > 0 && now.saturating_sub(self.drawn) >= PROGRESS {
            self.dirty = true;
        }
        let finished = self.tasks.finished();
        if finished != self.seen_tasks {
            self.seen_tasks = finished;
            self.dirty = true;
        }
    }

    /// Whether anything has changed since the last call of [`Self::draw`].
    #[must_use]
    pub(crate) fn wants_drawing(&self) -> bool {
        self.dirty
    }

    /// Whether the display may change soon without an event: a message expires or a task finishes.
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        self.message.is_some() || self.tasks.under_way() > 0
    }

    /// Takes what the owner of the terminal has to do; each effect is returned once.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.tell(Tone::Warning, text.into());
    }

    /// Shows what became of something outside, if there is anything to say: good news or a warning.
    pub(crate) fn notice(&mut self, notice: Option<Result<String, String>>) {
        match notice {
            Some(Ok(text)) => self.tell(Tone::Good, text),
            Some(Err(text)) => self.warn(text),
            None => {}
        }
    }

    /// Handles a terminal event.
    pub fn event(&mut self, event: &Event) {
        self.dirty = true;
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Event::Mouse(mouse) => self.mouse(*mouse),
            Event::Paste(text) => {
                if let Some((prompt, _)) = &mut self.prompt {
                    prompt.paste(text);
                    self.typed(PromptKey::Changed);
                }
            }
            _ => {}
        }
    }

    fn is_growing(&self) -> bool {
        matches!(
            self.progress.stage,
            ReadStage::Reading | ReadStage::Following
        )
    }

    fn tell(&mut self, tone: Tone, text: String) {
        self.message = Some(StatusMessage {
            tone,
            text,
            until: self.now + MESSAGE,
        });
        self.dirty = true;
    }

    /// While following a live capture, shows a message for the worst finding that is new in `model`.
    fn announce(&mut self, model: &ViewModel) {
        let live = self.progress.stage == ReadStage::Following;
        let mut news = None;
        for finding in model.snapshot.findings.iter().rev() {
            let is_new = self
                .known
                .insert((finding.rule, finding.client, finding.server));
            if is_new && finding.severity >= Severity::Warning {
                news = Some((finding.severity, finding.headline()));
            }
        }
        if let Some((severity, summary)) = news.filter(|_| live) {
            let sign = self.look.glyphs.sign(severity);
            let text = format!("{sign} new: {summary} (! reads the worst)");
            self.tell(severity.into(), text);
        }
    }

    /// Runs `work` with the current screen and its context.
    fn with_screen<T>(&mut self, work: impl FnOnce(&mut dyn Screen, &ViewContext<'_>) -> T) -> T {
        let cx = ViewContext {
            model: on_show(&self.newest, &self.frozen, self.lifted),
            progress: &self.progress,
            look: &self.look,
            session: &self.session,
            tasks: &self.tasks,
            in_sight: &self.in_sight,
        };
        let screen = match self.stack.last_mut() {
            Some(Location::On(screen)) => screen,
            Some(Location::Tab(tab)) => &mut self.tabs[*tab as usize],
            None => &mut self.tabs[0],
        };
        work(screen.as_mut(), &cx)
    }

    fn scope(&mut self) -> Scope {
        self.with_screen(|screen, _| screen.scope())
    }

    fn key(&mut self, event: KeyEvent) {
        let key = KeyPress::of(event);
        if self.prompt.is_some() {
            let action = key.and_then(|key| self.session.keys.action(Scope::Line, key));
            self.edit(event, action == Some(Action::Complete));
            return;
        }
        let Some(key) = key else { return };
        let scope = self.scope();
        if let Some(action) = self.session.keys.action(scope, key) {
            self.act(action);
        }
    }

    /// Handles a key while the prompt is open.
    fn edit(&mut self, event: KeyEvent, complete: bool) {
        let Some((mut prompt, typist)) = self.prompt.take() else {
            return;
        };
        let typed = match (complete, &typist) {
            (false, _) => prompt.key(event),
            (true, Typist::Search { .. }) => PromptKey::Nothing,
            (true, Typist::Screen) => {
                let (line, at) = (prompt.text.as_str(), prompt.at);
                match self.with_screen(|screen, _| screen.complete(line, at)) {
                    Some(completed) => {
                        (prompt.text, prompt.at) = (completed.line, completed.at);
                        PromptKey::Changed
                    }
                    None => PromptKey::Nothing,
                }
            }
        };
        self.prompt = Some((prompt, typist));
        self.typed(typed);
    }

    fn act(&mut self, action: Action) {
        // The next key press dismisses a message, except an error.
        if self
            .message
            .as_ref()
            .is_some_and(|it| it.tone != Tone::Error)
        {
            self.message = None;
        }
        self.marks_needle = false;
        let outcome = self.with_screen(|screen, cx| screen.act(action, cx));
        match (outcome, action) {
            (KeyOutcome::Ignored, action) => self.act_everywhere(action),
            (outcome, _) => self.apply_outcome(outcome),
        }
    }

    fn act_everywhere(&mut self, action: Action) {
        match action {
            Action::Quit => self.quit(),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Back => self.back(),
            Action::Help => {
                let scope = self.scope();
                if scope == Scope::Page {
                    self.back();
                } else {
                    self.stack
                        .push(Location::On(Box::new(HelpScreen::new(scope))));
                }
            }
            Action::Tab(nth) => {
                if let Some(tab) = Tab::ALL.get(usize::from(nth)) {
                    self.go(*tab);
                }
            }
            Action::Freeze => self.freeze(),
            Action::Search => self.ask(
                PromptQuestion {
                    label: "search".into(),
                    text: String::new(),
                    hint: "text on this screen; n and N go on from there",
                    confirms: false,
                },
                Typist::Search {
                    before: self.needle.clone(),
                    wrapped: false,
                },
            ),
            Action::SearchNext => self.seek(TextSeek::Next),
            Action::SearchPrevious => self.seek(TextSeek::Previous),
            Action::Light => self.look.theme = self.look.theme.turned(),
            Action::Times => {
                self.look.times = self.look.times.next();
                self.tell(Tone::Plain, self.look.times.meaning().to_owned());
            }
            Action::Narrow => self.narrow(),
            Action::Worst => match self.model().snapshot.findings.first() {
                Some(_) => {
                    let model = on_show(&self.newest, &self.frozen, self.lifted);
                    let story = StoryScreen::new(model, 0);
                    self.apply_outcome(KeyOutcome::Open(Box::new(story)));
                }
                None => {
                    let text = match self.is_growing() {
                        true => "nothing was found so far",
                        false => "nothing was found",
                    };
                    self.tell(Tone::Plain, text.to_owned());
                }
            },
            _ => {}
        }
    }

    fn apply_outcome(&mut self, outcome: KeyOutcome) {
        match outcome {
            KeyOutcome::Ignored | KeyOutcome::Done => {}
            KeyOutcome::Open(screen) => self.stack.push(Location::On(screen)),
            KeyOutcome::Connection(id) => {
                let screen = self.with_screen(|_, cx| ConnectionScreen::new(id, cx));
                self.stack.push(Location::On(Box::new(screen)));
            }
            KeyOutcome::Frame(id, frame) => {
                let screen = self.with_screen(|_, cx| ConnectionScreen::at(id, frame, cx));
                self.stack.push(Location::On(Box::new(screen)));
            }
            KeyOutcome::Go(tab) => self.go(tab),
            KeyOutcome::Invite(tab, wanted) => {
                self.go(tab);
                self.with_screen(|screen, cx| screen.invite(&wanted, cx));
            }
            KeyOutcome::Back => self.back(),
            KeyOutcome::Ask(question) => self.ask(question, Typist::Screen),
            KeyOutcome::Say(text) => self.tell(Tone::Good, text),
            KeyOutcome::Warn(text) => self.warn(text),
            KeyOutcome::Copy { what, text } => {
                self.effects.push(Effect::Copy(text));
                self.tell(Tone::Good, format!("{what} is copied"));
            }
        }
    }

    /// Switches to a tab. If the tab is already on the stack, everything above it is popped; else it is pushed, and
    /// `esc` returns to where the user was.
    fn go(&mut self, tab: Tab) {
        let is_it = |place: &Location| matches!(place, Location::Tab(it) if *it == tab);
        match self.stack.iter().position(is_it) {
            Some(place) => self.stack.truncate(place + 1),
            None => self.stack.push(Location::Tab(tab)),
        }
    }

    fn back(&mut self) {
        if self.stack.len() > 1 {
            self.stack.pop();
        } else if self.model().snapshot.narrowed.is_some() {
            self.narrow();
        } else {
            self.tell(Tone::Plain, "this is where it began; q quits".to_owned());
        }
    }

    /// Shows everything instead of what fits the error that the user asked for, or the other way round.
    fn narrow(&mut self) {
        let base = self.frozen.as_ref().unwrap_or(&self.newest);
        if base.whole.is_some() {
            self.lifted = !self.lifted;
        } else {
            let text = "all is shown; --error TEXT narrows it to what fits an error".to_owned();
            self.tell(Tone::Plain, text);
        }
    }

    /// The view model on show.
    fn model(&self) -> &Arc<ViewModel> {
        on_show(&self.newest, &self.frozen, self.lifted)
    }

    fn quit(&mut self) {
        let live = self.progress.stage == ReadStage::Following;
        let again = self.quit_asked.is_some_and(|at| self.now <= at + TWICE);
        if live && !again {
            self.quit_asked = Some(self.now);
            self.warn("packets still come: press q once more to stop and quit");
        } else {
            self.effects.push(Effect::Quit);
        }
    }

    fn freeze(&mut self) {
        if let Some(old) = self.frozen.take() {
            self.tasks.discard(old);
            self.tell(Tone::Plain, "following".to_owned());
        } else if self.is_growing() {
            self.frozen = Some(Arc::clone(&self.newest));
            self.tell(Tone::Plain, "frozen; space follows again".to_owned());
        } else {
            self.tell(
                Tone::Plain,
                "the whole capture has been read: nothing more changes".to_owned(),
            );
        }
    }

    fn ask(&mut self, question: PromptQuestion, typist: Typist) {
        self.prompt = Some((Prompt::new(question), typist));
        self.message = None;
        self.typed(PromptKey::Changed);
    }

    fn typed(&mut self, typed: PromptKey) {
        let Some((mut prompt, mut typist)) = self.prompt.take() else {
            return;
        };
        match (&mut typist, typed) {
            (_, PromptKey::Nothing) => {}
            (Typist::Search { before, .. }, PromptKey::Changed) if prompt.text.is_empty() => {
                self.needle.clone_from(before);
                self.marks_needle = false;
                prompt.complaint = None;
            }
            (Typist::Search { wrapped, .. }, PromptKey::Changed) => {
                self.needle.clone_from(&prompt.text);
                let found = self.sought(TextSeek::Here);
                *wrapped |= found == SeekResult::Wrapped;
                prompt.complaint = (found == SeekResult::Missing).then(|| super::PromptError {
                    at: 0..prompt.text.len(),
                    message: self.not_found(),
                });
            }
            // As in less and vim, nothing typed means the text from before.
            (Typist::Search { .. }, PromptKey::Given) if prompt.text.is_empty() => {
                return self.seek(TextSeek::Next);
            }
            (Typist::Search { wrapped, .. }, PromptKey::Given) => {
                let found = match self.sought(TextSeek::Here) {
                    SeekResult::Found if *wrapped => SeekResult::Wrapped,
                    found => found,
                };
                return self.tell_sought(found);
            }
            (Typist::Search { before, .. }, PromptKey::Dropped) => {
                self.needle.clone_from(before);
                self.marks_needle = false;
                return;
            }
            (Typist::Screen, PromptKey::Changed) => {
                let text = prompt.text.clone();
                prompt.complaint = self.with_screen(|screen, cx| {
                    screen.answered(PromptInput::Typing(&text), cx);
                    screen.complaint()
                });
            }
            (Typist::Screen, PromptKey::Given) if prompt.complaint.is_some() => {}
            (Typist::Screen, PromptKey::Given) => {
                let text = prompt.text;
                let outcome =
                    self.with_screen(|screen, cx| screen.answered(PromptInput::Given(&text), cx));
                return self.apply_outcome(outcome);
            }
            (Typist::Screen, PromptKey::Dropped) => {
                let outcome =
                    self.with_screen(|screen, cx| screen.answered(PromptInput::Dropped, cx));
                return self.apply_outcome(outcome);
            }
        }
        self.prompt = Some((prompt, typist));
    }

    fn sought(&mut self, seek: TextSeek) -> SeekResult {
        let needle = std::mem::take(&mut self.needle);
        let found = self.with_screen(|screen, cx| screen.seek(&needle, seek, cx));
        let found = match found {
            SeekResult::Missing if holds(&self.in_sight, &needle) => SeekResult::InSight,
            found => found,
        };
        self.marks_needle = found != SeekResult::Missing;
        self.needle = needle;
        found
    }

    fn seek(&mut self, seek: TextSeek) {
        if self.needle.is_empty() {
            self.tell(
                Tone::Plain,
                "nothing to look for yet: / searches".to_owned(),
            );
            return;
        }
        let found = self.sought(seek);
        self.tell_sought(found);
    }

    fn tell_sought(&mut self, found: SeekResult) {
        match found {
            SeekResult::Missing => {
                let text = self.not_found();
                self.warn(text);
            }
            SeekResult::Wrapped => self.tell(Tone::Plain, "search wrapped".to_owned()),
            SeekResult::Found | SeekResult::InSight | SeekResult::UnderWay => {}
        }
    }

    /// What is said where a text is not found, and which screen looks further than this one.
    fn not_found(&mut self) -> String {
        let scope = self.scope();
        let elsewhere: &[(&str, Tab)] = match scope {
            Scope::Overview => &[("findings", Tab::Findings), ("requests", Tab::Connections)],
            Scope::Findings | Scope::Story | Scope::Sockets => &[("requests", Tab::Connections)],
            _ => &[],
        };
        let keys = &self.session.keys;
        let search = keys.name(scope, Action::Search).unwrap_or_default();
        let told = elsewhere.iter().filter_map(|(what, tab)| {
            let key = keys.name(scope, Action::Tab(*tab as u8))?;
            Some(format!("{what}: press {key}, then {search}"))
        });
        let told = told.collect::<Vec<_>>().join("; ");
        match told.is_empty() {
            true => format!("text not found: {}", self.needle),
            false => format!("text not found: {} ({told})", self.needle),
        }
    }

    fn mouse(&mut self, event: MouseEvent) {
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown if self.prompt.is_none() => {
                let up = event.kind == MouseEventKind::ScrollUp;
                for _ in 0..WHEEL {
                    let action = if up { Action::Up } else { Action::Down };
                    self.with_screen(|screen, cx| screen.act(action, cx));
                }
            }
            MouseEventKind::Down(MouseButton::Left) if self.body.contains(at) => {
                let (column, row) = (at.x - self.body.x, at.y - self.body.y);
                let outcome = self.with_screen(|screen, cx| screen.click(column, row, cx));
                self.apply_outcome(outcome);
            }
            MouseEventKind::Down(MouseButton::Left) if at.y + 1 < self.body.y.max(2) => {
                let columns = self.tab_columns.iter();
                let hit = columns
                    .filter(|(_, from, to)| (*from..*to).contains(&at.x))
                    .map(|(tab, ..)| *tab)
                    .next();
                if let (Some(tab), 1) = (hit, at.y) {
                    self.go(tab);
                }
            }
            _ => {}
        }
    }

    /// Draws the whole frame.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        self.dirty = false;
        self.drawn = self.now;
        let area = frame.area();
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            let line = StyledLine::from("hangup: too small");
            line.draw(&self.look, area, frame.buffer_mut());
            return;
        }
        let narrowed = self.frozen.as_ref().unwrap_or(&self.newest).whole.is_some();
        let rows = RowBudget::of(area, narrowed);
        self.body = rows.body;
        let body = rows.body;
        self.with_screen(|screen, cx| screen.lay(cx, body));
        let buffer = frame.buffer_mut();
        self.draw_header(rows.header, buffer);
        self.draw_tabs(rows.tabs, buffer);
        self.draw_path(rows.path, buffer);
        let scope = self.scope();
        let base = self.frozen.as_ref().unwrap_or(&self.newest);
        if let Some(line) = narrowed::banner(base, self.lifted, &self.session.keys, scope) {
            line.draw(&self.look, inset(rows.banner), buffer);
        }
        self.with_screen(|screen, cx| screen.draw(cx, body, buffer));
        self.in_sight.clear();
        for y in body.top()..body.bottom() {
            self.in_sight += &row_text(buffer, body, y, false).0;
            self.in_sight.push('\n');
        }
        if self.marks_needle {
            mark(&self.needle, &self.look, body, buffer);
        }
        if let Some((prompt, _)) = &self.prompt {
            prompt.draw_above(&self.look, rows.footer, body, buffer);
        }
        let cursor = self.draw_footer(rows.footer, buffer);
        if self.look.glyphs == Glyphs::ASCII {
            let other = |cell: &&mut Cell| !cell.symbol().is_ascii();
            for cell in buffer.content.iter_mut().filter(other) {
                cell.set_symbol(Glyphs::plain(cell.symbol()));
            }
        }
        if let Some(cursor) = cursor {
            frame.set_cursor_position(cursor);
        }
    }

    fn draw_header(&self, area: Rect, buffer: &mut Buffer) {
        let right = self.state();
        let taken = right.draw_right(&self.look, inset(area), buffer);
        let snapshot = &self.frozen.as_ref().unwrap_or(&self.newest).snapshot;
        let frames = match self.frozen {
            Some(_) => snapshot.summary.frames,
            None => self.progress.frames.max(snapshot.summary.frames),
        };
        let mut line = StyledLine::default()
            .strong("hangup")
            .plain("  ")
            .with(Tone::Code, &*self.session.name);
        if frames > 0 {
            line = line.faint(format!("  {}", count(frames, "packet", "packets")));
        }
        let room = Rect {
            width: inset(area).width.saturating_sub(taken + 2),
            ..inset(area)
        };
        line.draw(&self.look, room, buffer);
    }

    /// The run's state for the right end of the first row: live, reading with progress, frozen, or failed.
    fn state(&self) -> StyledLine {
        if self.frozen.is_some() {
            let shown = self.frozen.as_ref();
            let shown = shown.map_or(0, |it| it.snapshot.summary.frames);
            let since = self.progress.frames.saturating_sub(shown);
            let text = format!("  {} since", count(since, "packet", "packets"));
            return StyledLine::of(Tone::Here, " FROZEN ").faint(text);
        }
        let turn = self.now.as_millis() / 250;
        let spinner = self.look.glyphs.spinner[(turn % 4) as usize];
        match &self.progress.stage {
            ReadStage::Done => StyledLine::default(),
            ReadStage::Failed(_) => StyledLine::of(Tone::Error, "broke off"),
            ReadStage::Following => StyledLine::of(Tone::Good, format!("{spinner} live")).plain(
                format!("  {} packets/s", number(self.rate.per_second as u64)),
            ),
            ReadStage::Reading => {
                let line = StyledLine::of(Tone::Note, format!("{spinner} reading"));
                match self.progress.of {
                    Some(of) if of > 0 => line.plain(self.remaining(of)),
                    _ => line.plain(format!("  {}", bytes(self.progress.bytes))),
                }
            }
        }
    }

    /// ` 45 %, 3 s left`.
    fn remaining(&self, of: u64) -> String {
        let share = (self.progress.bytes as f64 / of as f64).min(1.0);
        let mut text = format!("  {:.0} %", share * 100.0);
        // Too early, the remaining time cannot be estimated.
        if share > 0.02 && self.now >= Duration::from_secs(1) {
            let left = self.now.as_secs_f64() * (1.0 - share) / share;
            text += &format!(
                ", {} left",
                duration(Duration::from_secs(left.ceil() as u64)).replace(".000", "")
            );
        }
        text
    }

    fn draw_tabs(&mut self, area: Rect, buffer: &mut Buffer) {
        self.tab_columns.clear();
        if area.is_empty() {
            return;
        }
        let model = on_show(&self.newest, &self.frozen, self.lifted);
        let snapshot = &model.snapshot;
        let base = self.stack.iter().rev().find_map(|place| match place {
            Location::Tab(tab) => Some(*tab),
            Location::On(_) => None,
        });
        let narrow = area.width < 72;
        let mut x = area.x + 1;
        for (nth, tab) in Tab::ALL.into_iter().enumerate() {
            let counted = match tab {
                Tab::Overview => 0,
                Tab::Findings => snapshot.findings.len() as u64,
                Tab::Connections => model.connections(),
                Tab::Sockets => snapshot.sockets.len() as u64,
            };
            let here = base == Some(tab);
            let name = if here { Tone::Here } else { Tone::Plain };
            let mut line = StyledLine::of(
                if here { Tone::Here } else { Tone::Key },
                format!(" {}", nth + 1),
            );
            if !narrow || here {
                line = line.with(name, format!(" {}", tab.name()));
            }
            let badge = if counted > 0 && (!narrow || here) {
                format!(" {} ", number(counted))
            } else {
                " ".to_owned()
            };
            line = line.with(if here { name } else { Tone::Faint }, badge);
            let room = Rect {
                x: x.min(area.right()),
                width: area.right().saturating_sub(x),
                ..area
            };
            let taken = line.draw(&self.look, room, buffer);
            self.tab_columns.push((tab, x, x + taken));
            x += taken + 1;
        }
    }

    fn draw_path(&mut self, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let rule = self.look.glyphs.rule.repeat(usize::from(area.width));
        let faint = self.look.theme.style(Tone::Faint);
        buffer.set_stringn(area.x, area.y, rule, usize::from(area.width), faint);
        let within = self.look.glyphs.within;
        let cx = ViewContext {
            model: on_show(&self.newest, &self.frozen, self.lifted),
            progress: &self.progress,
            look: &self.look,
            session: &self.session,
            tasks: &self.tasks,
            in_sight: &self.in_sight,
        };
        // The path starts at the topmost tab; the tabs below it are history.
        let is_tab = |place: &Location| matches!(place, Location::Tab(_));
        let from = self.stack.iter().rposition(is_tab).unwrap_or(0);
        let names = self.stack[from..].iter().map(|place| match place {
            Location::Tab(tab) => tab.name().to_owned(),
            Location::On(screen) => screen.name(&cx),
        });
        let mut names: Vec<String> = names.collect();
        // In a narrow terminal, drop the outermost names first.
        while names.len() > 1 && width(&names.join(" › ")) + 6 > usize::from(area.width) {
            names.remove(0);
        }
        let Some((last, before)) = names.split_last() else {
            return;
        };
        let mut line = StyledLine::from(" ");
        for name in before {
            line = line.faint(format!("{name} {within} "));
        }
        let line = line.strong(last.clone()).plain(" ");
        let room = Rect {
            x: area.x + 2,
            width: area.width.saturating_sub(4),
            ..area
        };
        line.draw(&self.look, room, buffer);
    }

    /// Draws the last row. Returns the cursor position if the prompt is open.
    fn draw_footer(&mut self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        if let Some((prompt, _)) = &self.prompt {
            return Some(prompt.draw(&self.look, area, buffer));
        }
        if let Some(message) = &self.message {
            let line = StyledLine::of(message.tone, message.text.clone());
            line.draw(&self.look, inset(area), buffer);
            return None;
        }
        let scope = self.scope();
        let mut line = StyledLine::default();
        let keys = self.session.keys.clone();
        // A list over the screen has keys of its own.
        let is_list = matches!(scope, Scope::Menu | Scope::Columns | Scope::Groups);
        let rows = keys.rows(scope).map(|row| {
            let hint = match row.scope == scope && !is_list {
                true => self.with_screen(|screen, cx| screen.hint(row.action, row.hint, cx)),
                false => row.hint.into(),
            };
            (row, hint)
        });
        // The common keys (back, help, quit) must stay visible; the screen's own keys get the columns that are left.
        let (own, common): (Vec<_>, Vec<_>) = rows
            .filter(|(_, hint)| !hint.is_empty())
            .partition(|(row, _)| row.scope == scope);
        let one = |(row, hint): (&KeyBinding, Cow<'_, str>)| {
            let key = row.keys.first().map(|key| key.name()).unwrap_or_default();
            StyledLine::of(Tone::Key, key)
                .plain(" ")
                .faint(hint)
                .plain("  ")
        };
        let at_start = self.stack.len() == 1;
        let common = common
            .into_iter()
            .filter(|(row, _)| !(at_start && row.action == Action::Back));
        let mut common: Vec<(Action, StyledLine)> =
            common.map(|it| (it.0.action, one(it))).collect();
        let own: Vec<StyledLine> = own.into_iter().map(one).collect();
        let mut room = usize::from(inset(area).width);
        let reserved = |common: &[(Action, StyledLine)]| -> usize {
            common.iter().map(|(_, line)| line.width()).sum()
        };
        // In a narrow terminal the screen's first key is worth more than those that are the same everywhere.
        for least in [Action::Search, Action::Help] {
            if own
                .first()
                .is_some_and(|it| it.columns() + reserved(&common) > room)
            {
                common.retain(|(action, _)| *action != least);
            }
        }
        room = room.saturating_sub(reserved(&common));
        for hint in own {
            if hint.columns() <= room {
                room -= hint.columns();
                line.0.extend(hint.0);
            }
        }
        for (_, hint) in common {
            line.0.extend(hint.0);
        }
        line.draw(&self.look, inset(area), buffer);
        None
    }
}

/// The view model on show: the frozen one or the newest, and of it what fits an error or everything.
fn on_show<'a>(
    newest: &'a Arc<ViewModel>,
    frozen: &'a Option<Arc<ViewModel>>,
    lifted: bool,
) -> &'a Arc<ViewModel> {
    let base = frozen.as_ref().unwrap_or(newest);
    base.whole.as_ref().filter(|_| lifted).unwrap_or(base)
}

/// The text of a row of an area, in lower case if wanted, and where in it each column begins.
fn row_text(buffer: &Buffer, area: Rect, y: u16, lower: bool) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut columns = Vec::with_capacity(usize::from(area.width));
    for x in area.left()..area.right() {
        columns.push(text.len());
        let symbol = buffer.cell((x, y)).map_or(" ", Cell::symbol);
        match lower {
            true => text += &symbol.to_lowercase(),
            false => text += symbol,
        }
    }
    (text, columns)
}

/// Marks a text wherever it stands in an area.
fn mark(needle: &str, look: &Look, area: Rect, buffer: &mut Buffer) {
    let lower = !needle.chars().any(char::is_uppercase);
    for y in area.top()..area.bottom() {
        let (text, columns) = row_text(buffer, area, y, lower);
        for (at, found) in text.match_indices(needle) {
            let within = |byte: &usize| (at..at + found.len()).contains(byte);
            for (x, _) in (area.left()..)
                .zip(&columns)
                .filter(|(_, byte)| within(byte))
            {
                if let Some(cell) = buffer.cell_mut((x, y)) {
                    cell.set_style(look.theme.style(Tone::Here));
                }
            }
        }
    }
}

/// `area` without one blank column at each side.
fn inset(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    }
}

/// Assigns each row of the terminal. In a low terminal the least important rows are omitted first.
struct RowBudget {
    header: Rect,
    tabs: Rect,
    path: Rect,
    /// What the screens are narrowed to.
    banner: Rect,
    body: Rect,
    footer: Rect,
}

impl RowBudget {
    fn of(area: Rect, narrowed: bool) -> Self {
        let mut y = area.y;
        let mut take = |height: u16| {
            let row = Rect { y, height, ..area };
            y += height;
            row
        };
        let tall = area.height;
        let header = take(1);
        let tabs = take(u16::from(tall >= 8));
        let path = take(u16::from(tall >= 10));
        let banner = take(u16::from(narrowed && tall >= 6));
        let above = header.height + tabs.height + path.height + banner.height;
        let body = take(tall - above - 1);
        let footer = take(1);
        Self {
            header,
            tabs,
            path,
            banner,
            body,
            footer,
        }
    }
}
