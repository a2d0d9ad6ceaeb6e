//! Overview: to be filled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::{Action, Scope};
use super::paper::Line;
use super::{Cx, Outcome, Screen};

/// Overview.
#[derive(Default)]
pub(super) struct OverviewScreen;

impl Screen for OverviewScreen {
    fn name(&self, _cx: &Cx<'_>) -> String {
        "Overview".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Overview
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

/// What colour stands for a kind of ending.
pub(super) const fn tone(kind: super::digest::Kind) -> super::Tone {
    use super::Tone;
    use super::digest::Kind;
    match kind {
        Kind::InOrder => Tone::Good,
        Kind::ClosedEarly | Kind::Silent => Tone::Warning,
        Kind::Reset | Kind::NeverOpened => Tone::Error,
        Kind::Open => Tone::Note,
    }
}
