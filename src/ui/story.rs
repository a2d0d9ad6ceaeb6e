//! Finding: to be filled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::{Action, Scope};
use super::paper::Line;
use super::{Cx, Outcome, Screen};

/// Finding.
pub(super) struct StoryScreen {
    group: usize,
}

impl StoryScreen {
    pub(super) fn new(_digest: &super::Digest, group: usize) -> Self {
        Self { group }
    }
}

impl Screen for StoryScreen {
    fn name(&self, _cx: &Cx<'_>) -> String {
        format!("{}", self.group + 1)
    }

    fn scope(&self) -> Scope {
        Scope::Story
    }

    fn lay(&mut self, _cx: &Cx<'_>, _body: Rect) {}

    fn act(&mut self, _action: Action, _cx: &Cx<'_>) -> Outcome {
        Outcome::Ignored
    }

    fn draw(&self, cx: &Cx<'_>, area: Rect, buffer: &mut Buffer) {
        let all = cx.snapshot().briefs.len();
        Line::from(format!("{all} connections")).draw(cx.look, area, buffer);
    }
}
