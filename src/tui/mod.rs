//! Floor 12: the terminal's screens, for files and live.
//!
//! In: [`ViewModel`]s, each one state of affairs with what screens reckon from it, and keys. Out: cells in a buffer, and
//! [`Effect`]s that whoever owns the terminal carries out. No clock, no terminal, no file is touched here: `run` passes
//! the time in and does what is asked, so that a test can press keys and read the screen.
//!
//! # How a screen is made
//!
//! One file per screen, which is a [`Screen`]: its state, [`Screen::act`] for what a key means, [`Screen::lay`] to bring
//! the state in line with new data and a new size, and [`Screen::draw`], which only reads and decides nothing. Which key
//! means what is said in one place, [`keys`]: dispatch, footer, help and README are made from it. What takes longer than
//! a screenful of work goes to [`Tasks`]. Screens stand on a stack: `esc` always goes back to where one came from.
//!
//! Left out on purpose: whatever would make a screen differ between a file and an interface.

mod app;
mod bytes_pane;
mod chart;
mod columns;
mod completion;
mod connection;
mod connections;
mod finding_words;
mod findings;
mod glyphs;
mod help;
pub mod keys;
mod ladder_pane;
mod menu;
mod overview;
mod prompt;
mod rows;
mod segments_pane;
mod sockets;
mod story;
mod task;
mod text_layout;
mod text_search;
mod theme;
mod verdict_pane;
mod view_model;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use app::App;
pub use glyphs::Glyphs;
pub use keys::{Action, Scope};
pub use task::{Cancel, Task, TaskOutcome, Tasks};
pub use theme::{Depth, Theme, Tone};
pub use view_model::ViewModel;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::transcript::ConnectionTranscript;
use crate::report::snapshot::{ReadProgress, Snapshot};
use crate::report::wording::moment::Zone;

/// What the screens are about, and whom they ask for what they cannot do themselves.
#[derive(Clone)]
pub struct ScreenSubject {
    /// What is looked at, in a word or two: a file's name, an interface's.
    pub name: String,
    /// The zone that times are told in.
    pub zone: Zone,
    /// How long the hosts keep a socket in TIME-WAIT.
    pub time_wait: Duration,
    /// Who does what reaches outside.
    pub host: Arc<dyn Host>,
}

/// What reaches outside, done by `run`. Called from [`Tasks`], never while a key waits.
pub trait Host: Send + Sync {
    /// Writes a report to a file; the format follows the file's name.
    ///
    /// # Errors
    /// A sentence for the user.
    fn write_report(&self, snapshot: &Snapshot, to: &Path) -> Result<(), String>;

    /// One connection with all its segments, as long as `goes_on`, if its packets are still to be had.
    ///
    /// # Errors
    /// A sentence for the user: why not, and what to do.
    fn account(
        &self,
        of: &ConnectionSummary,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<ConnectionTranscript, String>;

    /// Writes the frames of these connections to a pcapng file, and says how many there were.
    ///
    /// # Errors
    /// A sentence for the user.
    fn write_frames(&self, _of: &[ConnectionSummary], _to: &Path) -> Result<u64, String> {
        Err("the packets cannot be written from here".to_owned())
    }

    /// Whether something would be overwritten.
    fn exists(&self, _path: &Path) -> bool {
        false
    }
}

/// How it is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours.
    pub theme: Theme,
    /// Signs.
    pub glyphs: Glyphs,
}

/// What every screen may look at.
#[derive(Clone, Copy)]
pub struct ViewContext<'a> {
    /// The state of affairs on show: the newest, or the one that was frozen.
    pub model: &'a Arc<ViewModel>,
    /// How far the reading is.
    pub progress: &'a ReadProgress,
    /// Colours and signs.
    pub look: &'a Look,
    /// What it is all about.
    pub session: &'a ScreenSubject,
    /// For work that takes its time.
    pub tasks: &'a Tasks,
}

impl ViewContext<'_> {
    /// The snapshot on show.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.model.snapshot
    }

    /// Whether more is to come.
    #[must_use]
    pub fn is_growing(&self) -> bool {
        use crate::report::snapshot::ReadStage;
        matches!(
            self.progress.stage,
            ReadStage::Reading | ReadStage::Following
        )
    }
}

/// The screens that a number key leads to; each keeps its state while one is elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tab {
    /// `1`
    Overview,
    /// `2`
    Findings,
    /// `3`
    Connections,
    /// `4`
    Sockets,
}

impl Tab {
    /// All, in order of their keys.
    pub const ALL: [Self; 4] = [
        Self::Overview,
        Self::Findings,
        Self::Connections,
        Self::Sockets,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Findings => "Findings",
            Self::Connections => "Connections",
            Self::Sockets => "Sockets",
        }
    }
}

/// A screen: state, what keys do to it, and how it is drawn.
pub trait Screen {
    /// Where one is, for the line at the top: `#41`.
    fn name(&self, cx: &ViewContext<'_>) -> String;

    /// Which part of the key table holds here.
    fn scope(&self) -> Scope;

    /// Called before every drawing, with the data and the room there is: clamp the selection, scroll to it, take what
    /// tasks have finished, begin new ones.
    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect);

    /// A key of the table was pressed. Motions come here too.
    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome;

    /// The user types an answer to [`KeyOutcome::Ask`]: every change, then the end.
    fn answered(&mut self, _answer: PromptInput<'_>, _cx: &ViewContext<'_>) -> KeyOutcome {
        KeyOutcome::Done
    }

    /// What could stand for a part of the answer; asked again of what was just completed, the next one that fits.
    fn complete(&mut self, _line: &str, _at: usize) -> Option<PromptCompletion> {
        None
    }

    /// What of the answer so far cannot be understood.
    fn complaint(&self) -> Option<PromptError> {
        None
    }

    /// Looks for text, from the selection on and around the end, and selects what it finds.
    fn seek(&mut self, _needle: &str, _seek: TextSeek, _cx: &ViewContext<'_>) -> bool {
        false
    }

    /// Shows what another screen asks for, such as a filter; for tabs.
    fn invite(&mut self, _wish: &str, _cx: &ViewContext<'_>) {}

    /// A click; the place is relative to the body.
    fn click(&mut self, _column: u16, _row: u16, _cx: &ViewContext<'_>) -> KeyOutcome {
        KeyOutcome::Ignored
    }

    /// Draws it. Reads, decides nothing.
    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer);
}

/// What came of a key.
pub enum KeyOutcome {
    /// It means nothing here.
    Ignored,
    /// Done: draw again.
    Done,
    /// Opens a screen on top of this one.
    Open(Box<dyn Screen>),
    /// Opens a connection by its number.
    Connection(u32),
    /// Goes to a tab.
    Go(Tab),
    /// Goes to a tab and tells it what to show.
    Invite(Tab, String),
    /// Goes back.
    Back,
    /// Asks for a line of text; it comes to [`Screen::answered`].
    Ask(PromptQuestion),
    /// A message at the bottom that goes away by itself.
    Say(String),
    /// The same about something that did not work.
    Warn(String),
    /// Puts text where other programs can paste it. `what` is for the message: "the filter".
    Copy {
        /// What it is.
        what: String,
        /// The text itself.
        text: String,
    },
}

/// Something to be asked in a line at the bottom.
pub struct PromptQuestion {
    /// Before the line: `filter`.
    pub label: &'static str,
    /// What stands in it at first.
    pub text: String,
    /// What to say while it is empty.
    pub hint: &'static str,
}

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptInput<'a> {
    /// So far.
    Typing(&'a str),
    /// Enter was pressed.
    Given(&'a str),
    /// It was given up: leave things as they were before.
    Dropped,
}

/// A part of what is being typed, completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptCompletion {
    /// The whole line.
    pub line: String,
    /// Bytes before the cursor.
    pub at: usize,
}

/// Where to look for text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextSeek {
    /// From the selection on, itself included: while it is being typed.
    Here,
    /// After the selection.
    Next,
    /// Before it.
    Previous,
}

/// A part of what is being typed that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptError {
    /// Bytes of the text.
    pub at: std::ops::Range<usize>,
    /// What is wrong with it and what could stand there.
    pub message: String,
}

/// What the owner of the terminal is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Stop as a job does, and come back later.
    Suspend,
    /// Put text on the clipboard.
    Copy(String),
}
