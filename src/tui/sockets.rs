//! The table of sockets: ports and TIME-WAITs of each client towards each server, now and at the peak, when the port
//! range runs out, and a chart of the selected row with the range as its ceiling.

use crate::report::rich_text::Tone;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::chart;
use super::keys::{Action, Scope};
use super::task::{Task, TaskOutcome};
use super::text_layout::{ListPosition, find, holds, scroll_bar};
use super::view_model;
use super::{KeyOutcome, Screen, SeekResult, Tab, TextSeek, ViewContext};
use crate::analysis::hosts::{RangeBasis, Sockets};
use crate::base::format::duration;
use crate::base::format::number;
use crate::base::net::Endpoint;
use crate::report::rich_text::StyledLine;

/// Rows of the chart with its heading and scale.
const CHART: u16 = 9;
/// Headings and widths of the columns behind the pair.
const FIGURES: [(&str, u16); 5] = [
    ("opened", 9),
    ("TW now", 8),
    ("TW peak", 8),
    ("of range", 9),
    ("runs out", 10),
];

type SocketPair = (IpAddr, Endpoint);

/// The table of sockets.
#[derive(Default)]
pub(super) struct SocketsScreen {
    place: ListPosition,
    held: Option<SocketPair>,
    table: Rect,
    chart: Option<Rect>,
    /// TIME-WAIT sockets of the pair over time, computed from the view model of this version.
    course: Option<(SocketPair, u64, Vec<u64>)>,
    asked: Option<(SocketPair, u64, Task<Vec<u64>>)>,
}

impl SocketsScreen {
    fn selected<'a>(&self, cx: &ViewContext<'a>) -> Option<&'a Sockets> {
        cx.model.snapshot.sockets.get(self.place.selected)
    }

    fn hold(&mut self, cx: &ViewContext<'_>) {
        self.held = self.selected(cx).map(|row| (row.client, row.server));
    }

    /// Takes the selected row's chart, or starts a task that computes it.
    fn ask(&mut self, cx: &ViewContext<'_>) {
        if let Some((pair, version, task)) = &self.asked
            && let TaskOutcome::Done(course) = task.take()
        {
            self.course = Some((*pair, *version, course));
            self.asked = None;
        }
        let Some(row) = self.selected(cx) else { return };
        let wanted = ((row.client, row.server), cx.model.version);
        let has = self
            .course
            .as_ref()
            .map(|(pair, version, _)| (*pair, *version));
        let waits = self
            .asked
            .as_ref()
            .map(|(pair, version, _)| (*pair, *version));
        if has == Some(wanted) || waits == Some(wanted) {
            return;
        }
        let (snapshot, row) = (Arc::clone(&cx.model.snapshot), row.clone());
        let time_wait = cx.session.time_wait;
        let task = cx
            .tasks
            .spawn(move |_| view_model::time_waits(&snapshot, &row, time_wait));
        self.asked = Some((wanted.0, wanted.1, task));
        if let Some((pair, version, task)) = &self.asked
            && let TaskOutcome::Done(course) = task.take()
        {
            self.course = Some((*pair, *version, course));
            self.asked = None;
        }
    }
}

/// Columns of a client and its server, where so many are needed.
const PAIR: u16 = 34;

impl Screen for SocketsScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        "Sockets".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Sockets
    }

    fn hint<'k>(&self, action: Action, usual: &'k str, cx: &ViewContext<'_>) -> Cow<'k, str> {
        match (action, self.selected(cx)) {
            (Action::Open, None) => "".into(),
            _ => usual.into(),
        }
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        let rows = &cx.snapshot().sockets;
        if let Some(held) = self.held {
            let selected = rows.get(self.place.selected);
            if selected.is_none_or(|row| (row.client, row.server) != held) {
                let again = rows.iter().position(|row| (row.client, row.server) == held);
                self.place.selected = again.unwrap_or(self.place.selected);
            }
        }
        let chart = match body.height {
            tall @ 25.. => tall / 2,
            15..25 => CHART,
            _ => 0,
        };
        self.table = Rect {
            height: body.height - chart,
            ..body
        };
        self.chart = (chart > 0).then(|| Rect {
            x: body.x + 1,
            y: body.y + self.table.height,
            width: body.width.saturating_sub(2),
            height: chart,
        });
        self.place
            .lay(rows.len(), usize::from(self.table.height.saturating_sub(1)));
        self.hold(cx);
        self.ask(cx);
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        match (action, self.selected(cx)) {
            (Action::Open, Some(row)) => {
                let rows_wanted = format!("client:{} server:{}", row.client, row.server);
                KeyOutcome::Invite(Tab::Connections, rows_wanted)
            }
            _ if self.place.act(action) => {
                self.hold(cx);
                KeyOutcome::Done
            }
            _ => KeyOutcome::Ignored,
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, cx: &ViewContext<'_>) -> SeekResult {
        let rows = &cx.snapshot().sockets;
        let found = find(rows.len(), self.place.selected, seek, |nth| {
            let row = &rows[nth];
            holds(&format!("{} → {}", row.client, row.server), needle)
        });
        let found = self.place.go_to(found);
        self.hold(cx);
        found
    }

    fn click(&mut self, _column: u16, row: u16, cx: &ViewContext<'_>) -> KeyOutcome {
        let Some(nth) = usize::from(row).checked_sub(1) else {
            return KeyOutcome::Ignored;
        };
        let nth = self.place.top + nth;
        if row >= self.table.height || nth >= cx.snapshot().sockets.len() {
            return KeyOutcome::Ignored;
        }
        if nth == self.place.selected {
            return self.act(Action::Open, cx);
        }
        self.place.select(nth);
        self.hold(cx);
        KeyOutcome::Done
    }

    fn draw(&self, cx: &ViewContext<'_>, _area: Rect, buffer: &mut Buffer) {
        let rows = &cx.snapshot().sockets;
        if rows.is_empty() {
            let text = " No connection was seen being opened, so no socket can be counted.";
            StyledLine::from(text).draw(cx.look, self.table, buffer);
            return;
        }
        let row = |nth: u16| Rect {
            x: self.table.x + 1,
            y: self.table.y + nth,
            width: self.table.width.saturating_sub(2),
            height: 1,
        };
        let pair = |it: &Sockets, cursor: &str| {
            StyledLine::of(Tone::Key, format!("{cursor} "))
                .with(Tone::Client, it.client.to_string())
                .plain(format!(" {} ", cx.look.glyphs.to))
                .with(Tone::Server, it.server.to_string())
        };
        let shown = rows.iter().skip(self.place.top);
        let longest = shown
            .take(usize::from(self.table.height))
            .map(|it| pair(it, " ").columns() as u16)
            .max();
        let least = longest.unwrap_or(PAIR).min(PAIR);
        let head = StyledLine::default().faint("  client and server");
        draw_row(
            &head,
            least,
            &FIGURES.map(|(name, _)| StyledLine::default().faint(name)),
            cx,
            row(0),
            buffer,
        );
        let shown = rows.iter().enumerate().skip(self.place.top);
        for ((nth, it), y) in shown.zip(1..self.table.height) {
            let selected = nth == self.place.selected;
            let cursor = if selected { cx.look.glyphs.cursor } else { " " };
            draw_row(
                &pair(it, cursor),
                least,
                &figures(it, cx),
                cx,
                row(y),
                buffer,
            );
            if selected {
                buffer.set_style(row(y), cx.look.theme.style(Tone::Selected));
            }
        }
        let below = Rect {
            y: self.table.y + 1,
            height: self.table.height.saturating_sub(1),
            ..self.table
        };
        scroll_bar(rows.len(), self.place.top, cx.look, below, buffer);
        if let (Some(area), Some(it)) = (self.chart, self.selected(cx)) {
            self.draw_chart(it, cx, area, buffer);
        }
    }
}

fn figures(it: &Sockets, cx: &ViewContext<'_>) -> [StyledLine; 5] {
    let percent = it.used_peak_percent();
    let known = it.basis != RangeBasis::Observed;
    let tone = match percent {
        _ if !known => Tone::Faint,
        90.0.. => Tone::Error,
        50.0.. => Tone::Warning,
        _ => Tone::Plain,
    };
    let share = match known {
        true => format!("{percent:.1} %"),
        false => "unknown".to_owned(),
    };
    let end = cx.snapshot().summary.span.map(|(_, end)| end);
    let runs_out = match (it.runs_out_at, end) {
        (Some(at), Some(end)) if at <= end => StyledLine::of(Tone::Error, "ran out"),
        (Some(at), Some(end)) => {
            let left = duration(std::time::Duration::from_secs(at.since(end).as_secs()));
            StyledLine::of(Tone::Warning, format!("in {}", left.replace(".000", "")))
        }
        _ => StyledLine::default().faint("no"),
    };
    [
        StyledLine::from(number(it.connections)),
        StyledLine::from(number(it.time_wait_now)),
        StyledLine::from(number(it.time_wait_peak)),
        StyledLine::of(tone, share),
        runs_out,
    ]
}

/// Draws one row: the pair at the left, truncated to no less than `least` columns; the figures at the right, dropped from the
/// left if they do not fit.
fn draw_row(
    pair: &StyledLine,
    least: u16,
    figures: &[StyledLine; 5],
    cx: &ViewContext<'_>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut right = area.right();
    for ((_, wide), figure) in FIGURES.iter().zip(figures).rev() {
        if right < area.x + least + wide {
            break;
        }
        right -= wide;
        let room = Rect {
            x: right,
            width: *wide,
            ..area
        };
        figure.draw_right(cx.look, room, buffer);
    }
    let room = Rect {
        width: right - area.x,
        ..area
    };
    pair.draw(cx.look, room, buffer);
}

impl SocketsScreen {
    fn draw_chart(&self, it: &Sockets, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        if area.height < 4 {
            return;
        }
        let top = it.range_size();
        let (low, high) = it.range;
        let basis = match it.basis {
            RangeBasis::Told => "as you said",
            RangeBasis::Default => "a system's default that fits",
            RangeBasis::Observed => "as seen; the real range may be larger",
        };
        let heading = StyledLine::of(Tone::Heading, "Client sockets in TIME-WAIT over time")
            .faint(format!("  ports {low}-{high}, {basis}"));
        let line = |nth: u16| Rect {
            y: area.y + nth,
            height: 1,
            ..area
        };
        heading.draw(cx.look, line(0), buffer);
        let plot = Rect {
            x: area.x + 10.min(area.width),
            y: area.y + 1,
            width: area.width.saturating_sub(10),
            height: area.height - 2,
        };
        let ceiling = cx.look.glyphs.ceiling.repeat(usize::from(plot.width));
        let faint = cx.look.theme.style(Tone::Faint);
        let axis = |y: u16, text: String, buffer: &mut Buffer| {
            let room = Rect {
                y,
                width: 9.min(area.width),
                height: 1,
                ..area
            };
            StyledLine::default()
                .faint(text)
                .draw_right(cx.look, room, buffer);
        };
        let mine = (it.client, it.server);
        let course = self.course.as_ref().filter(|(pair, ..)| *pair == mine);
        let Some((.., steps)) = course else {
            StyledLine::default()
                .faint("reckoning")
                .draw(cx.look, line(1), buffer);
            return;
        };
        let values = chart::fit(steps, usize::from(plot.width), true);
        let most = values.iter().copied().max().unwrap_or(0);
        // Far below the range, the chart would be flat: scale it to its own maximum and say so.
        let near = it.basis != RangeBasis::Observed && most.saturating_mul(10) >= top;
        let scale = if near { top } else { most.max(1) };
        if near {
            buffer.set_stringn(plot.x, plot.y, ceiling, usize::from(plot.width), faint);
        }
        axis(plot.y, number(scale), buffer);
        axis(plot.bottom() - 1, "0".to_owned(), buffer);
        let tone = if near { Tone::Warning } else { Tone::Note };
        chart::columns(&values, scale, tone, cx.look, plot, buffer);
        let zone = &cx.session.zone;
        if let Some((first, last)) = cx.snapshot().summary.span {
            let room = Rect {
                x: plot.x,
                y: plot.bottom(),
                width: plot.width,
                height: 1,
            };
            let right = StyledLine::default().faint(zone.time_of_day(last));
            StyledLine::default()
                .faint(zone.time_of_day(first))
                .draw(cx.look, room, buffer);
            right.draw_right(cx.look, room, buffer);
        }
    }
}
