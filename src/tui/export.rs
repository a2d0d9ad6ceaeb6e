//! Writes the packets of some connections to a capture, or the report to a file: asks for its name, and again before one is
//! replaced. The ending of the name decides what is written, on every screen alike.
//!
//! In: the connections, and the answers to the prompt. Out: a task that writes, and a note on what came of it, which stays
//! until the next key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

use super::task::{Task, TaskOutcome};
use super::text_layout::Paragraph;
use super::{KeyOutcome, PromptError, PromptInput, PromptQuestion, ViewContext};
use crate::base::format::{count, counted};
use crate::report::Format;
use crate::report::rich_text::{StyledLine, Tone};

/// Endings of captures. Both are written as pcapng, which alone has room for comments.
const CAPTURES: [&str; 2] = ["pcapng", "pcap"];
/// Rows for a note.
const ROWS: usize = 3;
/// Names that are tried before the question offers one that exists.
const TRIES: u32 = 99;

/// What is being written, or was.
#[derive(Default)]
pub(super) struct Export {
    /// The connections, ascending.
    ids: Vec<u32>,
    /// A file that exists, while the prompt asks whether to replace it.
    overwrite: Option<PathBuf>,
    /// Why the name that was typed is none to write to.
    complaint: Option<PromptError>,
    task: Option<Task<Result<String, String>>>,
    note: Option<(Tone, String)>,
}

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    Packets,
    Report,
}

impl Contents {
    /// Decides by the ending of a file's name.
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_string_lossy().to_lowercase();
        match CAPTURES.contains(&ending.as_str()) {
            true => Some(Self::Packets),
            false => Format::of_ending(&ending).map(|_| Self::Report),
        }
    }
}

/// Which endings there are, and what they stand for.
fn endings() -> String {
    let of = |endings: &[&str]| {
        let dotted = endings.iter().map(|it| format!(".{it}"));
        dotted.collect::<Vec<_>>().join(" ")
    };
    let reports: Vec<&str> = Format::ENDINGS
        .iter()
        .filter_map(|(_, endings)| endings.first().copied())
        .collect();
    format!(
        "end it in {} for packets, {} for the report",
        of(&CAPTURES),
        of(&reports)
    )
}

impl Export {
    /// Asks where the packets of these connections go, or the report. `stem` is what the offered name begins with.
    pub(super) fn ask(&mut self, ids: Vec<u32>, stem: &str, cx: &ViewContext<'_>) -> KeyOutcome {
        let ending = if ids.is_empty() { "md" } else { "pcapng" };
        self.ids = ids;
        self.overwrite = None;
        self.complaint = None;
        let name = |nth: u32| match nth {
            1 => format!("{stem}.{ending}"),
            nth => format!("{stem}-{nth}.{ending}"),
        };
        let host = &cx.session.host;
        let free = (1..=TRIES).find(|nth| !host.exists(Path::new(&name(*nth))));
        KeyOutcome::Ask(PromptQuestion {
            label: "write to".into(),
            text: name(free.unwrap_or(1)),
            hint: ".pcapng: packets; .txt .md .json .csv .html: the report",
            confirms: false,
        })
    }

    /// Takes an answer to the prompt.
    pub(super) fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        if let Some(path) = self.overwrite.clone() {
            return match answer {
                PromptInput::Typing(_) => KeyOutcome::Done,
                PromptInput::Given(_) => self.write(path, cx),
                PromptInput::Dropped => {
                    self.overwrite = None;
                    KeyOutcome::Say("nothing was written".to_owned())
                }
            };
        }
        let text = match answer {
            PromptInput::Typing(text) => {
                self.complaint = self.refuse(text);
                return KeyOutcome::Done;
            }
            PromptInput::Given(text) => text.trim(),
            PromptInput::Dropped => return KeyOutcome::Done,
        };
        if text.is_empty() {
            return KeyOutcome::Say("nothing was written".to_owned());
        }
        let path = PathBuf::from(text);
        if let Some(why) = cx.session.host.refuses(&path) {
            self.say(Tone::Error, why);
            return KeyOutcome::Done;
        }
        if cx.session.host.exists(&path) {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let label = format!("{} exists; overwrite it?", name.to_string_lossy());
            self.overwrite = Some(path);
            return KeyOutcome::Ask(PromptQuestion {
                label: label.into(),
                text: String::new(),
                hint: "y, or any other key for no",
                confirms: true,
            });
        }
        self.write(path, cx)
    }

    /// Why nothing can be written to a file of this name.
    fn refuse(&self, text: &str) -> Option<PromptError> {
        let message = match Contents::of(Path::new(text.trim())) {
            _ if text.trim().is_empty() => return None,
            Some(Contents::Packets) if self.ids.is_empty() => {
                "there is no connection whose packets could be written".to_owned()
            }
            Some(_) => return None,
            None => endings(),
        };
        let at = text.rfind('.').unwrap_or(0)..text.len();
        Some(PromptError { at, message })
    }

    /// Why the name that was typed is none to write to.
    pub(super) fn complaint(&self) -> Option<PromptError> {
        self.complaint.clone()
    }

    fn write(&mut self, path: PathBuf, cx: &ViewContext<'_>) -> KeyOutcome {
        self.overwrite = None;
        let host = Arc::clone(&cx.session.host);
        let snapshot = Arc::clone(&cx.model.snapshot);
        let ids = self.ids.clone();
        let name = path.display().to_string();
        self.note = Some((Tone::Faint, format!("writing {name}")));
        self.task = Some(match Contents::of(&path) {
            Some(Contents::Packets) => cx.tasks.spawn(move |_| {
                let frames = host.write_frames(&snapshot, &ids, &path)?;
                let frames = count(frames, "packet", "packets");
                let of = counted(ids.len(), "connection");
                Ok(format!("{frames} of {of} written to {name}"))
            }),
            _ => cx.tasks.spawn(move |_| {
                host.write_report(&snapshot, &path)?;
                Ok(format!(
                    "the report on all connections is written to {name}"
                ))
            }),
        });
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
                    Ok(text) => (Tone::Good, text),
                    Err(why) => (Tone::Error, why),
                });
                self.task = None;
            }
            TaskOutcome::Gone => self.task = None,
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

    /// Draws the note over the last rows of an area, in as many as it takes.
    pub(super) fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let Some((tone, text)) = &self.note else {
            return;
        };
        let line = StyledLine::of(*tone, text.as_str());
        let rows = Paragraph::new(0, line).rows(area.width.saturating_sub(2).max(1));
        let height = rows.len().min(ROWS).min(usize::from(area.height)) as u16;
        let note = Rect {
            y: area.bottom() - height,
            height,
            ..area
        };
        Clear.render(note, buffer);
        for (row, y) in rows.iter().zip(note.top()..note.bottom()) {
            let room = Rect {
                x: note.x + 1.min(note.width),
                y,
                width: note.width.saturating_sub(2),
                height: 1,
            };
            row.line.draw(cx.look, room, buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides_what_is_written() {
        for (name, contents) in [
            ("a.pcapng", Some(Contents::Packets)),
            ("a.PCAP", Some(Contents::Packets)),
            ("a.md", Some(Contents::Report)),
            ("dir.pcap/a.json", Some(Contents::Report)),
            ("a.html", Some(Contents::Report)),
            ("a.pdf", None),
            ("a.xyz", None),
            ("pcapng", None),
            (".md", None),
        ] {
            assert_eq!(Contents::of(Path::new(name)), contents, "{name}");
        }
    }

    #[test]
    fn what_has_no_connections_has_no_packets() {
        let mut export = Export::default();
        assert!(export.refuse("a.pcapng").is_some());
        assert!(export.refuse("a.md").is_none());
        assert!(
            export
                .refuse("a.pdf")
                .is_some_and(|it| it.message.contains(".pcapng"))
        );
        export.ids = vec![1];
        assert!(export.refuse("a.pcapng").is_none() && export.refuse("").is_none());
    }
}
