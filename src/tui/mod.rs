//! The terminal's screens, for capture files and live captures.
//!
//! In: [`ViewModel`]s, each a snapshot with what the screens compute from it, and keys. Out: cells in a buffer, and
//! [`Effect`]s that the owner of the terminal carries out. Nothing here touches the clock, the terminal or a file:
//! `run` passes the time in and carries out the effects, so a test can press keys and read the screen.
//!
//! # How a screen is made
//!
//! One file per screen, which implements [`Screen`]: its state; [`Screen::act`] for what a key means; [`Screen::lay`],
//! which adapts the state to new data and a new size; and [`Screen::draw`], which only reads the state and decides
//! nothing. The meaning of every key is defined in one place, [`keys`]: dispatch, footer, help and README are
//! generated from it. Work that takes longer than one screenful goes to [`Tasks`]. Screens form a stack: `esc` always
//! returns to the previous one.
//!
//! Left out on purpose: anything that would make a screen differ between a file and an interface.

mod app;
mod bytes_pane;
mod chart;
mod choice;
mod columns;
mod compare;
mod completion;
mod connection;
mod connection_table;
mod connections;
mod export;
mod finding_ladder;
mod finding_words;
mod findings;
mod glyphs;
mod grouping;
mod help;
pub mod keys;
mod ladder_pane;
mod menu;
mod narrowed;
mod overview;
mod prompt;
mod reread;
mod rows;
mod search_again;
mod segments_pane;
mod sockets;
mod sort_key;
mod story;
mod task;
mod text_layout;
mod text_search;
mod theme;
mod times;
mod verdict_pane;
mod view_model;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use app::App;
pub use columns::names as column_names;
pub use glyphs::Glyphs;
pub use keys::{Action, KeyPress, KeyTable, Scope};
pub use task::{Cancel, Task, TaskOutcome, Tasks};
pub use theme::{Colours, Depth, Theme};
pub use times::TimeStyle;
pub use view_model::ViewModel;

use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::transcript::ConnectionTranscript;
use crate::base::frame_ref::FrameNumber;
use crate::report::snapshot::{ReadProgress, Snapshot};
use crate::report::wording::moment::Zone;

/// What the screens show, and the host that does what they cannot do themselves.
#[derive(Clone)]
pub struct ScreenSubject {
    /// A short name of the input: a file's name, an interface's.
    pub name: String,
    /// The time zone in which times are printed.
    pub zone: Zone,
    /// How long the hosts keep a socket in TIME-WAIT.
    pub time_wait: Duration,
    /// Does everything that reaches outside the screens.
    pub host: Arc<dyn Host>,
    /// What the keys mean.
    pub keys: KeyTable,
    /// The columns of the table of connections, by their names; `None`: those that fit.
    pub columns: Option<Vec<&'static str>>,
}

/// File access and rereading, implemented by `run`. Called from [`Tasks`], never while a key waits.
pub trait Host: Send + Sync {
    /// Writes a report to a file; the file name's extension selects the format.
    ///
    /// # Errors
    /// A message for the user.
    fn write_report(&self, snapshot: &Snapshot, to: &Path) -> Result<(), String>;

    /// Rereads one connection with all its segments, if its packets are still available. `goes_on` is polled; once it
    /// returns false the rereading stops.
    ///
    /// # Errors
    /// A message for the user: why it is not possible, and what to do.
    fn reread(
        &self,
        of: &ConnectionSummary,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<ConnectionTranscript, String>;

    /// Writes the frames of these connections of a snapshot, in ascending order, to a pcapng file with comments on what
    /// happened, and returns how many there were.
    ///
    /// # Errors
    /// A message for the user.
    fn write_frames(&self, _snapshot: &Snapshot, _of: &[u32], _to: &Path) -> Result<u64, String> {
        Err("the packets cannot be written from here".to_owned())
    }

    /// Reads the input again and passes every connection to `each`, unnumbered. `goes_on` is called now and then with the
    /// number of bytes read; once it returns false the reading stops.
    ///
    /// # Errors
    /// A message for the user: why it is not possible.
    fn reread_all(
        &self,
        _goes_on: &mut dyn FnMut(u64) -> bool,
        _each: &mut dyn FnMut(&Connection),
    ) -> Result<(), String> {
        Err("the capture cannot be read again".to_owned())
    }

    /// Why a file must not be written; `None` if it may be.
    fn refuses(&self, _path: &Path) -> Option<String> {
        None
    }

    /// Whether a file exists that would be overwritten.
    fn exists(&self, _path: &Path) -> bool {
        false
    }
}

/// How the screens are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours.
    pub theme: Theme,
    /// Symbols.
    pub glyphs: Glyphs,
    /// How the times of segments are shown.
    pub times: TimeStyle,
}

/// What every screen can read.
#[derive(Clone, Copy)]
pub struct ViewContext<'a> {
    /// The view model on show: the newest, or the frozen one.
    pub model: &'a Arc<ViewModel>,
    /// Progress of the analysis run.
    pub progress: &'a ReadProgress,
    /// Colours and symbols.
    pub look: &'a Look,
    /// The input, the time zone and the host.
    pub session: &'a ScreenSubject,
    /// Starts work that takes longer than a key may wait.
    pub tasks: &'a Tasks,
    /// The text that the screen showed when it was drawn last, row by row.
    pub in_sight: &'a str,
}

impl ViewContext<'_> {
    /// The snapshot on show.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.model.snapshot
    }

    /// Whether more packets are still to be read or captured.
    #[must_use]
    pub(crate) fn is_growing(&self) -> bool {
        use crate::report::snapshot::ReadStage;
        matches!(
            self.progress.stage,
            ReadStage::Reading | ReadStage::Following
        )
    }
}

/// The screens that a number key leads to. Each keeps its state while another screen is on show.
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
    /// All tabs, in the order of their keys.
    pub const ALL: [Self; 4] = [
        Self::Overview,
        Self::Findings,
        Self::Connections,
        Self::Sockets,
    ];

    /// The name in the tab bar.
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

/// A screen: its state, what keys do to it, and how it is drawn.
pub trait Screen {
    /// The screen's name in the path at the top: `#41`.
    fn name(&self, cx: &ViewContext<'_>) -> String;

    /// The part of the key table that applies here.
    fn scope(&self) -> Scope;

    /// The word for an action in the footer, where the key table has `usual`. Empty: the key is not offered, because it would do
    /// nothing at the moment.
    fn hint<'k>(&self, _action: Action, usual: &'k str, _cx: &ViewContext<'_>) -> Cow<'k, str> {
        usual.into()
    }

    /// Called before every drawing, with the data and the area available: clamps the selection, scrolls to it, takes
    /// the results of finished tasks, starts new ones.
    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect);

    /// Handles an action of the key table, including cursor motions.
    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome;

    /// Handles the answer to [`KeyOutcome::Ask`]: called for every change, then once for the end.
    fn answered(&mut self, _answer: PromptInput<'_>, _cx: &ViewContext<'_>) -> KeyOutcome {
        KeyOutcome::Done
    }

    /// Completes the answer at byte `at` of `line`. Called again on what it just completed, it returns the next
    /// candidate.
    fn complete(&mut self, _line: &str, _at: usize) -> Option<PromptCompletion> {
        None
    }

    /// The part of the answer so far that cannot be parsed.
    fn complaint(&self) -> Option<PromptError> {
        None
    }

    /// Searches for text from the selection on, wrapping around the end, and selects the hit.
    fn seek(&mut self, _needle: &str, _seek: TextSeek, _cx: &ViewContext<'_>) -> SeekResult {
        SeekResult::Missing
    }

    /// Shows what another screen asks for, such as a filter. Only called on tabs.
    fn invite(&mut self, _wish: &str, _cx: &ViewContext<'_>) {}

    /// Handles a mouse click; the position is relative to the body.
    fn click(&mut self, _column: u16, _row: u16, _cx: &ViewContext<'_>) -> KeyOutcome {
        KeyOutcome::Ignored
    }

    /// Draws the screen. Reads the state, changes nothing.
    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer);
}

/// The result of a key or a click.
pub enum KeyOutcome {
    /// The key has no meaning here.
    Ignored,
    /// Handled: draw again.
    Done,
    /// Push a screen onto the stack.
    Open(Box<dyn Screen>),
    /// Open the connection with this number.
    Connection(u32),
    /// The same, at one of its frames.
    Frame(u32, FrameNumber),
    /// Switch to a tab.
    Go(Tab),
    /// Switch to a tab and pass it what to show, such as a filter.
    Invite(Tab, String),
    /// Go back to the previous screen.
    Back,
    /// Ask for a line of text; the answer goes to [`Screen::answered`].
    Ask(PromptQuestion),
    /// Show a status message; it disappears by itself.
    Say(String),
    /// The same for something that failed.
    Warn(String),
    /// Put text on the clipboard. `what` names it in the message: "the filter".
    Copy {
        /// What is copied.
        what: String,
        /// The text itself.
        text: String,
    },
}

/// A question for the prompt at the bottom line.
pub struct PromptQuestion {
    /// The label before the line: `filter`.
    pub label: Cow<'static, str>,
    /// The initial text.
    pub text: String,
    /// Shown while the line is empty.
    pub hint: &'static str,
    /// A key answers it: `y`, or any other for no.
    pub confirms: bool,
}

/// The state of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptInput<'a> {
    /// The text so far.
    Typing(&'a str),
    /// Enter was pressed.
    Given(&'a str),
    /// The prompt was cancelled: restore the previous state.
    Dropped,
}

/// A completion of what is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptCompletion {
    /// The whole line after the completion.
    pub line: String,
    /// Cursor position, in bytes.
    pub at: usize,
}

/// The direction of a text search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextSeek {
    /// From the selection on, including it: while the text is being typed.
    Here,
    /// After the selection.
    Next,
    /// Before the selection.
    Previous,
}

/// What a text search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekResult {
    /// The text is nowhere on the screen.
    Missing,
    /// The hit is selected.
    Found,
    /// The hit is selected, and the search went around the end or the beginning to get there.
    Wrapped,
    /// The text is in sight, where nothing can be selected.
    InSight,
    /// The search goes on in a task; the screen itself reports what it came to.
    UnderWay,
}

/// A part of what is being typed that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptError {
    /// Byte range in the text.
    pub at: std::ops::Range<usize>,
    /// What is wrong, and what is valid there.
    pub message: String,
}

/// Something the owner of the terminal has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Quit the program.
    Quit,
    /// Suspend the program as a job (SIGTSTP).
    Suspend,
    /// Put text on the clipboard.
    Copy(String),
}
