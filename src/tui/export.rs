//! Writes the packets of some connections to a capture: asks for its name, and again before one is replaced.
//!
//! In: the connections, and the answers to the prompt. Out: a task that writes, and a note on what came of it, which stays
//! until the next key.

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::task::{Task, TaskOutcome};
use super::{KeyOutcome, PromptInput, PromptQuestion, ViewContext};
use crate::base::format::{count, counted};
use crate::report::rich_text::{StyledLine, Tone};

/// What is being written, or was.
#[derive(Default)]
pub(super) struct Export {
    /// The connections, ascending.
    ids: Vec<u32>,
    /// A file that exists, while the prompt asks whether to replace it.
    overwrite: Option<PathBuf>,
    task: Option<Task<Result<u64, String>>>,
    note: Option<(Tone, String)>,
}

impl Export {
    /// Asks where the packets of these connections go. `name` is what the prompt offers.
    pub(super) fn ask(&mut self, ids: Vec<u32>, name: String) -> KeyOutcome {
        self.ids = ids;
        self.overwrite = None;
        KeyOutcome::Ask(PromptQuestion {
            label: "write its packets to",
            text: name,
            hint: "a file that ends in .pcapng",
        })
    }

    /// Takes an answer to the prompt.
    pub(super) fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        let PromptInput::Given(text) = answer else {
            return KeyOutcome::Done;
        };
        if let Some(path) = self.overwrite.take() {
            return match text {
                "y" | "Y" | "yes" => self.write(path, cx),
                _ => KeyOutcome::Say("nothing was written".to_owned()),
            };
        }
        let path = PathBuf::from(text.trim());
        if text.trim().is_empty() {
            return KeyOutcome::Done;
        }
        if cx.session.host.exists(&path) {
            self.overwrite = Some(path);
            return KeyOutcome::Ask(PromptQuestion {
                label: "it exists; overwrite it?",
                text: String::new(),
                hint: "y, or esc",
            });
        }
        self.write(path, cx)
    }

    fn write(&mut self, path: PathBuf, cx: &ViewContext<'_>) -> KeyOutcome {
        let host = Arc::clone(&cx.session.host);
        let snapshot = Arc::clone(&cx.model.snapshot);
        let ids = self.ids.clone();
        self.note = Some((Tone::Faint, format!("writing {}", path.display())));
        let work = move |_: &_| host.write_frames(&snapshot, &ids, &path);
        self.task = Some(cx.tasks.spawn(work));
        KeyOutcome::Done
    }

    /// Takes the result, if there is one.
    pub(super) fn lay(&mut self) {
        let Some(task) = &self.task else {
            return;
        };
        match task.take() {
            TaskOutcome::UnderWay => {}
            TaskOutcome::Done(result) => {
                self.note = Some(match result {
                    Ok(frames) => (Tone::Good, self.written(frames)),
                    Err(why) => (Tone::Error, why),
                });
                self.task = None;
            }
            TaskOutcome::Gone => self.task = None,
        }
    }

    fn written(&self, frames: u64) -> String {
        let frames = count(frames, "packet", "packets");
        match self.ids.len() {
            1 => format!("{frames} written"),
            many => format!("{frames} of {} written", counted(many, "connection")),
        }
    }

    /// Shows a note of the screen's own.
    pub(super) fn say(&mut self, tone: Tone, text: String) {
        self.note = Some((tone, text));
    }

    /// A key was pressed: what came of it has been read.
    pub(super) fn acted(&mut self) {
        if self.task.is_none() {
            self.note = None;
        }
    }

    /// Draws the note at the right of a row.
    pub(super) fn draw(&self, cx: &ViewContext<'_>, row: Rect, buffer: &mut Buffer) {
        if let Some((tone, text)) = &self.note {
            let room = Rect {
                height: 1.min(row.height),
                width: row.width.saturating_sub(1),
                ..row
            };
            let line = StyledLine::of(*tone, format!(" {text}"));
            line.draw_right(cx.look, room, buffer);
        }
    }
}

/// The last row of an area.
pub(super) fn last_row(area: Rect) -> Rect {
    Rect {
        y: area.bottom().saturating_sub(1),
        height: 1.min(area.height),
        ..area
    }
}
