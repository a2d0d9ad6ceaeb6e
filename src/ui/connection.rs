//! Connection: to be filled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::{Action, Scope};
use super::paper::Line;
use super::{Cx, Outcome, Screen};

/// Connection.
pub(super) struct ConnectionScreen {
    id: u32,
}

impl ConnectionScreen {
    pub(super) fn new(id: u32, _cx: &Cx<'_>) -> Self {
        Self { id }
    }
}

impl Screen for ConnectionScreen {
    fn name(&self, _cx: &Cx<'_>) -> String {
        format!("#{}", self.id)
    }

    fn scope(&self) -> Scope {
        Scope::Connection
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
