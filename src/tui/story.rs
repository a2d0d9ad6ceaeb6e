//! The screen of one finding: what happened, what each side logged, what to change, its cause and consequences, the
//! evidence frames, and the connections.

use super::finding_words::pair;
use super::finding_words::subject;
use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;

use super::export::Export;
use super::finding_ladder::{FindingLadder, Split};
use super::finding_words::{self};
use super::keys::{Action, Scope};
use super::text_layout::{Pager, Paragraph};
use super::view_model::{FindingGroup, ViewModel};
use super::{KeyOutcome, PromptError, PromptInput, Screen, SeekResult, TextSeek, ViewContext};
use crate::analysis::connection::{Connection, Who};
use crate::base::format::{count, number};
use crate::base::frame_ref::FrameNumber;
use crate::report::log_lines;
use crate::report::rich_text::StyledLine;
use crate::report::wording::connection;
use crate::report::wording::local;
use crate::report::wording::moment::offset;
use crate::rules::{Finding, Message, ProxyRole};

/// Limit of connections listed one by one.
const CONNECTIONS: usize = 12;
/// Limit of places listed one by one.
const PLACES: usize = 12;

/// The target of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoryLink {
    Connection(u32),
    /// A frame that is evidence, and its connection.
    Frame(u32, FrameNumber),
    Group(usize),
    All,
}

/// The screen of one finding.
pub(super) struct StoryScreen {
    group: usize,
    /// Identity of the finding, to find it again when others are inserted before it.
    held: Option<(&'static str, String)>,
    /// The group and view model version from which the text was made.
    told: Option<(usize, u64)>,
    pager: Pager,
    links: Vec<StoryLink>,
    /// The area of the text.
    text: Rect,
    ladder: FindingLadder,
    export: Export,
}

impl StoryScreen {
    pub(super) fn new(model: &ViewModel, group: usize) -> Self {
        Self {
            group,
            held: held(model, group),
            told: None,
            pager: Pager::default(),
            links: Vec::new(),
            text: Rect::default(),
            ladder: FindingLadder::default(),
            export: Export::default(),
        }
    }

    /// The first finding of the group.
    fn finding<'a>(&self, cx: &ViewContext<'a>) -> Option<&'a Finding> {
        let group = cx.model.groups.get(self.group)?;
        cx.model.snapshot.findings.get(group.first)
    }

    /// The frame of the evidence that is marked.
    fn frame(&self) -> Option<FrameNumber> {
        match self.links.get(self.pager.marked()?)? {
            StoryLink::Frame(_, frame) => Some(*frame),
            _ => None,
        }
    }

    fn follow(&self, link: Option<usize>, cx: &ViewContext<'_>) -> KeyOutcome {
        match link.and_then(|nth| self.links.get(nth)) {
            Some(StoryLink::Connection(id)) => KeyOutcome::Connection(*id),
            Some(StoryLink::Frame(id, frame)) => KeyOutcome::Frame(*id, *frame),
            Some(StoryLink::Group(group)) => {
                KeyOutcome::Open(Box::new(Self::new(cx.model, *group)))
            }
            Some(StoryLink::All) => match cx.model.groups.get(self.group) {
                Some(group) => finding_words::connections(group, cx),
                None => KeyOutcome::Ignored,
            },
            None => KeyOutcome::Ignored,
        }
    }

    fn turn(&mut self, forward: bool, cx: &ViewContext<'_>) -> KeyOutcome {
        let last = cx.model.groups.len().saturating_sub(1);
        let next = if forward {
            (self.group + 1).min(last)
        } else {
            self.group.saturating_sub(1)
        };
        if next == self.group {
            let end = if forward { "last" } else { "first" };
            return KeyOutcome::Say(format!("this is the {end} finding"));
        }
        *self = Self::new(cx.model, next);
        KeyOutcome::Done
    }
}

fn held(model: &ViewModel, group: usize) -> Option<(&'static str, String)> {
    let first = model.groups.get(group)?.first;
    let finding = model.snapshot.findings.get(first)?;
    Some((
        finding.rule,
        format!("{:?}{:?}", finding.client, finding.server),
    ))
}

impl Screen for StoryScreen {
    fn name(&self, cx: &ViewContext<'_>) -> String {
        let Some(rule) = self.finding(cx).map(|it| it.rule) else {
            return "finding".to_owned();
        };
        format!("{rule} ({} of {})", self.group + 1, cx.model.groups.len())
    }

    fn scope(&self) -> Scope {
        Scope::Story
    }

    fn hint<'k>(&self, action: Action, usual: &'k str, cx: &ViewContext<'_>) -> Cow<'k, str> {
        let marked = self.pager.marked().and_then(|nth| self.links.get(nth));
        match (action, cx.model.groups.get(self.group)) {
            (_, None) => "".into(),
            // The link that is marked may be out of sight.
            (Action::Open, _) => match marked {
                Some(StoryLink::Connection(id)) => format!("#{id}").into(),
                Some(StoryLink::Frame(_, frame)) => cx.snapshot().frames.name(*frame).into(),
                Some(StoryLink::Group(_)) => "finding".into(),
                Some(StoryLink::All) => "table".into(),
                None => "".into(),
            },
            (Action::Next, _) if self.links.len() < 2 => "".into(),
            (Action::Connections, Some(group)) if group.connections == 0 => "".into(),
            _ => usual.into(),
        }
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        let of = (self.group, cx.model.version);
        if self.told != Some(of) {
            let groups_shown = cx.model.groups.len();
            let groups = std::iter::once(self.group).chain(0..groups_shown);
            let again = groups
                .into_iter()
                .find(|nth| self.held.is_some() && held(cx.model, *nth) == self.held);
            // A finding that is not shown any more gives its place to no other.
            self.group = again.unwrap_or(groups_shown);
            let first = self.told.is_none();
            self.told = Some((self.group, cx.model.version));
            let (paragraphs, links) = match cx.model.groups.get(self.group) {
                Some(group) => paragraphs(group, cx),
                None => (
                    vec![Paragraph::new(0, "This finding is not among those shown.")],
                    Vec::new(),
                ),
            };
            self.pager.replace(paragraphs);
            self.links = links;
            // What a finding rests on comes first, wherever it stands on the page.
            let evidence = |link: &StoryLink| matches!(link, StoryLink::Frame(..));
            if first && let Some(link) = self.links.iter().position(evidence) {
                self.pager.begin_at(link);
            }
        }
        let finding = self.finding(cx);
        let (text, ladder) = Split::of(finding, body).parts(body);
        self.text = inside(text);
        self.pager.lay(self.text);
        let frame = self.frame();
        self.ladder.lay(finding, frame, ladder, cx);
        self.export.lay();
    }

    fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.answered(answer, cx)
    }

    fn complaint(&self) -> Option<PromptError> {
        self.export.complaint()
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.acted();
        let group = cx.model.groups.get(self.group);
        match (action, group) {
            (Action::Open, _) => self.follow(self.pager.marked(), cx),
            (Action::Connections, Some(group)) => finding_words::connections(group, cx),
            (Action::Rule, Some(group)) => finding_words::rule(group, cx),
            (Action::Right, _) => self.turn(true, cx),
            (Action::Left, _) => self.turn(false, cx),
            (Action::Export, Some(group)) => finding_words::export(group, cx, &mut self.export),
            (Action::Times, _) => self.ladder.times(),
            (Action::Copy, Some(group)) => copy(group, cx),
            _ if self.pager.act(action) => KeyOutcome::Done,
            _ => KeyOutcome::Ignored,
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, _cx: &ViewContext<'_>) -> SeekResult {
        self.pager.seek(needle, seek)
    }

    fn click(&mut self, column: u16, row: u16, cx: &ViewContext<'_>) -> KeyOutcome {
        if column >= self.text.width || row >= self.text.height {
            return KeyOutcome::Ignored;
        }
        let before = self.pager.marked();
        match self.pager.click(column, row) {
            Some(link) if Some(link) == before => self.follow(Some(link), cx),
            Some(_) => KeyOutcome::Done,
            None => KeyOutcome::Ignored,
        }
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        self.pager.draw(cx.look, self.text, buffer);
        self.ladder.draw(self.finding(cx), cx, buffer);
        self.export.draw(cx, area, buffer);
    }
}

/// Copies the finding as Markdown.
pub(super) fn copy(group: &FindingGroup, cx: &ViewContext<'_>) -> KeyOutcome {
    KeyOutcome::Copy {
        what: "the finding, as Markdown,".to_owned(),
        text: markdown(group, cx),
    }
}

/// The page's text, and the targets of its links.
pub(super) fn paragraphs(
    group: &FindingGroup,
    cx: &ViewContext<'_>,
) -> (Vec<Paragraph>, Vec<StoryLink>) {
    let mut text = StoryText {
        cx,
        page: Vec::new(),
        links: Vec::new(),
    };
    text.tell(group);
    (text.page, text.links)
}

struct StoryText<'c, 'a> {
    cx: &'c ViewContext<'a>,
    page: Vec<Paragraph>,
    links: Vec<StoryLink>,
}

impl StoryText<'_, '_> {
    fn tell(&mut self, group: &FindingGroup) {
        let cx = self.cx;
        let findings = &cx.snapshot().findings;
        let Some(finding) = findings.get(group.first) else {
            return;
        };
        let sign = cx.look.glyphs.sign(finding.severity);
        let severity = format!("{sign} {}  ", finding.severity.name());
        let title =
            StyledLine::of(finding.severity.into(), severity).strong(subject(group, finding));
        self.page.push(Paragraph::new(0, title).hanging(2));
        self.page.push(Paragraph::new(
            2,
            StyledLine::default().faint(finding_words::hosts(group, cx)),
        ));
        let others = group.others.iter().filter_map(|nth| findings.get(*nth));
        let told = finding.message_of_all(others.clone(), &cx.snapshot().frames);
        self.paragraphs(2, &told.hedged(finding.certainty));
        let first = finding.example();
        let first = first.and_then(|id| cx.snapshot().connection(id));
        let remedies = finding.remedies_of_all(others);
        if !remedies.is_empty() {
            self.heading("What to change");
            for (nth, remedy) in (1..).zip(remedies) {
                let line = StyledLine::of(Tone::Good, format!("{nth}. ")).plain(remedy);
                self.page.push(Paragraph::new(2, line).hanging(5));
            }
        }
        if let Some(connection) = first {
            let cases = std::iter::once(&group.first).chain(&group.others);
            let cases = cases.filter_map(|nth| findings.get(*nth));
            let ids: Vec<u32> = cases.flat_map(|it| &it.connections).copied().collect();
            self.logs(connection, &ids, finding.proxy);
        }
        self.chain(group);
        self.evidence(finding);
        self.places(group);
        self.connections(group);
        if let Some(connection) = first {
            self.heading("In Wireshark");
            let filter = StyledLine::of(Tone::Code, connection::filter(connection));
            self.page.push(Paragraph::new(2, filter).hanging(2));
        }
    }

    /// What happened, and what it means: a paragraph for each set of connections.
    fn paragraphs(&mut self, indent: u16, message: &Message) {
        let parts = message
            .happened_in_parts()
            .chain(message.meaning_in_parts());
        let parts = parts.map(|it| Paragraph::new(indent, it));
        self.page.extend(parts);
    }

    fn heading(&mut self, text: &str) {
        self.page.push(Paragraph::default());
        self.page
            .push(Paragraph::new(0, StyledLine::of(Tone::Heading, text)));
    }

    /// The log lines predicted for both programs, in all cases of the group.
    fn logs(&mut self, connection: &Connection, ids: &[u32], proxy: ProxyRole) {
        let mut predictor = self.cx.model.predictor();
        let mut begun = false;
        for (who, tone) in [(Who::Client, Tone::Client), (Who::Server, Tone::Server)] {
            let side = proxy.name_of(who);
            let told = |it: &Connection| predictor.told(it, who);
            let lines = log_lines::of_all(
                self.cx.snapshot(),
                told,
                connection,
                ids,
                who,
                log_lines::SUSPECTS,
            );
            for (nth, it) in lines.into_iter().enumerate() {
                if !std::mem::replace(&mut begun, true) {
                    self.heading("Expected in the logs");
                }
                let label = if nth == 0 { side } else { "" };
                let line = StyledLine::of(tone, format!("{label:<8}"));
                let of = match it.of.trim_start() {
                    "" => String::new(),
                    of => format!("{of}, "),
                };
                let line = line.faint(of + &it.lead).plain(it.text);
                self.page.push(Paragraph::new(2, line).hanging(10));
            }
        }
    }

    /// The cause of the finding, and what has the same cause.
    fn chain(&mut self, group: &FindingGroup) {
        let groups = &self.cx.model.groups;
        let own = groups.iter().position(|it| it.first == group.first);
        if let Some(cause) = group.cause {
            self.heading("It belongs to");
            self.other(cause, true);
        }
        let follow: Vec<usize> = (0..groups.len())
            .filter(|nth| groups[*nth].cause.is_some() && groups[*nth].cause == own)
            .collect();
        if !follow.is_empty() {
            self.heading("What belongs to it");
            for nth in follow {
                self.other(nth, false);
            }
        }
    }

    fn other(&mut self, nth: usize, in_full: bool) {
        let Some(group) = self.cx.model.groups.get(nth) else {
            return;
        };
        let findings = &self.cx.snapshot().findings;
        let Some(finding) = findings.get(group.first) else {
            return;
        };
        let sign = self.cx.look.glyphs.sign(finding.severity);
        let line = StyledLine::of(finding.severity.into(), format!("{sign} "))
            .plain(subject(group, finding));
        let link = self.link(StoryLink::Group(nth));
        self.page
            .push(Paragraph::new(2, line).hanging(4).link(link));
        if in_full {
            let others = group.others.iter().filter_map(|nth| findings.get(*nth));
            let told = finding.message_of_all(others.clone(), &self.cx.snapshot().frames);
            self.paragraphs(4, &told.hedged(finding.certainty));
            if let Some(remedy) = finding.remedies_of_all(others).into_iter().next() {
                let line = StyledLine::of(Tone::Good, "Fix     ").plain(remedy);
                self.page.push(Paragraph::new(4, line).hanging(12));
            }
        }
    }

    fn link(&mut self, link: StoryLink) -> usize {
        self.links.push(link);
        self.links.len() - 1
    }

    fn evidence(&mut self, finding: &Finding) {
        if finding.evidence.is_empty() {
            return;
        }
        let snapshot = self.cx.snapshot();
        // A ladder's times begin with its connection.
        let of = finding
            .example()
            .and_then(|id| snapshot.connection_summary(id));
        let later = snapshot
            .summary
            .span
            .zip(of)
            .is_some_and(|((start, _), it)| it.first.time > start);
        self.heading(match later {
            true => "Evidence, with the time since the capture began",
            false => "Evidence",
        });
        let resets = finding.example().into_iter();
        for (who, reset) in resets.flat_map(|id| local::resets(snapshot, id)) {
            let line = StyledLine::default()
                .strong(snapshot.frames.name(reset.frame.frame))
                .faint(format!("  {}  ", self.offset(reset.frame.time)))
                .plain(local::reset(reset, finding.proxy.name_of(who)));
            self.page.push(Paragraph::new(2, line).hanging(6));
        }
        for evidence in &finding.evidence {
            let line = StyledLine::default()
                .strong(self.cx.snapshot().frames.name(evidence.frame_ref.frame))
                .faint(format!("  {}  ", self.offset(evidence.frame_ref.time)))
                .plain(evidence.note.clone());
            let mut paragraph = Paragraph::new(2, line).hanging(6);
            let frame = evidence.frame_ref.frame;
            if let Some(id) = self.connection_of(frame, finding) {
                paragraph = paragraph.link(self.link(StoryLink::Frame(id, frame)));
            }
            self.page.push(paragraph);
        }
    }

    /// The connection that a frame of the evidence most likely belongs to: one that it began or ended, else the first
    /// that the finding names.
    fn connection_of(&self, frame: FrameNumber, finding: &Finding) -> Option<u32> {
        let snapshot = self.cx.snapshot();
        let ids = finding.connections.iter().copied();
        let ends = |id: &u32| {
            let summary = snapshot.connection_summary(*id);
            summary.is_some_and(|it| it.first.frame == frame || it.close.frame == frame)
        };
        ids.clone().find(ends).or_else(|| ids.clone().next())
    }

    /// The group's other findings: the same fault at other hosts.
    fn places(&mut self, group: &FindingGroup) {
        if group.others.is_empty() {
            return;
        }
        self.heading("The same elsewhere");
        let findings = &self.cx.snapshot().findings;
        for nth in group.others.iter().take(PLACES) {
            let Some(finding) = findings.get(*nth) else {
                continue;
            };
            let named = finding.in_all();
            let line = StyledLine::from(pair(finding, self.cx))
                .faint(format!("  {}", count(named, "connection", "connections")));
            self.page.push(Paragraph::new(2, line).hanging(4));
        }
        if let Some(more @ 1..) = group.others.len().checked_sub(PLACES) {
            let text = format!("and in {} more", count(more as u64, "place", "places"));
            self.page
                .push(Paragraph::new(2, StyledLine::default().faint(text)));
        }
    }

    fn connections(&mut self, group: &FindingGroup) {
        let snapshot = self.cx.snapshot();
        let members = std::iter::once(&group.first).chain(&group.others);
        let ids = members
            .filter_map(|nth| snapshot.findings.get(*nth))
            .flat_map(|finding| &finding.connections);
        let ids: Vec<u32> = ids.take(CONNECTIONS).copied().collect();
        if ids.is_empty() {
            return;
        }
        self.heading(if group.connections == 1 {
            "The connection"
        } else {
            "The connections"
        });
        let to = self.cx.look.glyphs.to;
        for id in &ids {
            let Some(connection_summary) = snapshot.connection_summary(*id) else {
                continue;
            };
            let line = StyledLine::default()
                .strong(format!("#{id}"))
                .plain("  ")
                .with(Tone::Client, connection_summary.client.to_string())
                .plain(format!(" {to} "))
                .with(Tone::Server, connection_summary.server.to_string())
                .faint(format!("  {}", self.offset(connection_summary.first.time)));
            let link = self.link(StoryLink::Connection(*id));
            self.page
                .push(Paragraph::new(2, line).hanging(6).link(link));
            if let Some(connection) = snapshot.connection(*id) {
                self.page.push(Paragraph::new(
                    6,
                    connection::story(connection, &snapshot.frames),
                ));
            }
        }
        let more = group.connections.saturating_sub(ids.len() as u64);
        if more > 0 {
            let text = format!("and {} more: all of them in the table", number(more));
            let link = self.link(StoryLink::All);
            self.page.push(Paragraph::new(2, text).link(link));
        }
    }

    fn offset(&self, at: crate::base::time::Timestamp) -> String {
        let (start, end) = self.cx.snapshot().summary.span.unwrap_or((at, at));
        offset(at, start, end)
    }
}

/// The page as Markdown, for a ticket.
pub(super) fn markdown(group: &FindingGroup, cx: &ViewContext<'_>) -> String {
    let (paragraphs, _) = paragraphs(group, cx);
    let mut page = String::new();
    for (nth, paragraph) in paragraphs.iter().enumerate() {
        let text: String = paragraph
            .line
            .0
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        let heading = matches!(paragraph.line.0.first(), Some((Tone::Heading, _)));
        page += &match nth {
            0 => format!("## {text}\n\n"),
            _ if heading => format!("### {text}\n\n"),
            _ if text.is_empty() => "\n".to_owned(),
            _ if paragraph.indent > 4 => format!("  {text}\n"),
            _ if paragraph
                .line
                .0
                .first()
                .is_some_and(|(tone, _)| *tone == Tone::Code) =>
            {
                format!("    {text}\n")
            }
            _ if paragraph.hang > paragraph.indent => format!("- {text}\n"),
            _ => format!("{text}\n"),
        };
    }
    page
}

fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    }
}
