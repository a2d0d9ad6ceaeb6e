//! Connections: to be filled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::{Action, Scope};
use super::paper::Line;
use super::{Cx, Outcome, Screen};

/// Connections.
#[derive(Default)]
pub(super) struct ConnectionsScreen;

impl Screen for ConnectionsScreen {
    fn name(&self, _cx: &Cx<'_>) -> String {
        "Connections".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Connections
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
