//! The ladder of a finding's first connection, next to the finding's text, with the frames that the finding cites
//! marked. It follows the selection: the segments are reread in a task, and the text never waits for them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ladder_pane::{LadderPane, evidence_lines};
use super::reread::Reread;
use super::text_layout::{LEGIBLE, one_above_the_other, side_by_side};
use super::{KeyOutcome, ViewContext};
use crate::base::format::number;
use crate::base::frame_ref::FrameNumber;
use crate::report::rich_text::{StyledLine, Tone};
use crate::rules::Finding;

/// From this width on the ladder is to the right of the text.
const BESIDE: u16 = 160;
/// From this width on the ladder is below the text, if there are so many rows.
const BELOW: (u16, u16) = (120, 20);

/// Where the text goes, and where the ladder, if there is room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Alone,
    Beside,
    Below,
}

impl Split {
    /// How an area is divided for a finding.
    pub(super) fn of(finding: Option<&Finding>, area: Rect) -> Self {
        let ladder = finding.is_some_and(|it| !it.connections.is_empty());
        match ladder {
            true if area.width >= BESIDE => Self::Beside,
            true if area.width >= BELOW.0 && area.height >= BELOW.1 => Self::Below,
            _ => Self::Alone,
        }
    }

    /// The text's part and the ladder's part of the area.
    pub(super) fn parts(self, area: Rect) -> (Rect, Option<Rect>) {
        match self {
            Self::Alone => (area, None),
            Self::Beside => {
                let [text, ladder] = side_by_side(area, (area.width / 2).min(LEGIBLE + 3));
                (text, Some(ladder))
            }
            Self::Below => {
                let [text, ladder] = one_above_the_other(area, area.height / 2, 1);
                (text, Some(ladder))
            }
        }
    }
}

/// The ladder, and the connection that it shows.
#[derive(Default)]
pub(super) struct FindingLadder {
    reread: Option<Reread>,
    pane: LadderPane,
    /// The frame that was selected last.
    shown: Option<FrameNumber>,
    area: Option<Rect>,
}

impl FindingLadder {
    /// Follows the selection: `frame` is the piece of evidence that is selected. Without an area nothing is read.
    pub(super) fn lay(
        &mut self,
        finding: Option<&Finding>,
        frame: Option<FrameNumber>,
        area: Option<Rect>,
        cx: &ViewContext<'_>,
    ) {
        self.area = area;
        let first = finding.and_then(Finding::example);
        let (Some(finding), Some(id), Some(area)) = (finding, first, area) else {
            self.reread = None;
            return;
        };
        if self.reread.as_ref().is_none_or(|it| it.id != id) {
            self.reread = Some(Reread::of(id));
            self.pane = LadderPane::default();
            self.shown = None;
        }
        let Some(reread) = &mut self.reread else {
            return;
        };
        let new = reread.load(cx);
        let Some(transcript) = reread.transcript() else {
            return;
        };
        if new {
            self.pane.take(transcript);
        }
        // The last piece of evidence stands lowest, so that those before it are in sight too.
        let last = finding.evidence.iter().map(|it| it.frame_ref.frame);
        let frame = frame.or_else(|| last.max());
        if new || frame != self.shown {
            self.shown = frame;
            if let Some(frame) = frame {
                self.pane.show(frame, transcript);
            }
        }
        self.pane.lay(ladder(area));
    }

    /// Handles the key that changes the times of segments: it has no meaning where no ladder is in sight.
    pub(super) fn times(&self) -> KeyOutcome {
        match self.area {
            Some(_) => KeyOutcome::Ignored,
            None => KeyOutcome::Say(
                "no ladder is in sight here: open a connection to change its times".to_owned(),
            ),
        }
    }

    pub(super) fn draw(
        &self,
        finding: Option<&Finding>,
        cx: &ViewContext<'_>,
        buffer: &mut Buffer,
    ) {
        let (Some(finding), Some(area), Some(reread)) = (finding, self.area, &self.reread) else {
            return;
        };
        if area.is_empty() {
            return;
        }
        let style = cx.look.theme.style(Tone::Faint);
        let beside = area.x > 2;
        for y in area.top()..area.bottom() {
            if beside {
                buffer.set_stringn(area.x - 1, y, cx.look.glyphs.line, 1, style);
            }
        }
        let many = match finding.in_all() {
            0 | 1 => String::new(),
            all => format!(", one of {}", number(all)),
        };
        let title = StyledLine::default()
            .strong(format!(" #{}", reread.id))
            .faint(many);
        if !beside && area.y > 0 {
            let rule = cx.look.glyphs.rule.repeat(usize::from(area.width));
            let wide = usize::from(area.width);
            buffer.set_stringn(area.x, area.y - 1, rule, wide, style);
        }
        title.draw(cx.look, Rect { height: 1, ..area }, buffer);
        let area = ladder(area);
        match reread.transcript() {
            Some(transcript) => {
                let evidence = evidence_lines(std::iter::once(finding));
                self.pane.draw(cx, transcript, &evidence, area, buffer);
            }
            None => {
                let area = Rect {
                    x: area.x + 1.min(area.width),
                    width: area.width.saturating_sub(1),
                    ..area
                };
                reread.absence().draw(cx.look, area, buffer);
            }
        }
    }
}

/// The area below the title.
fn ladder(area: Rect) -> Rect {
    Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    }
}
