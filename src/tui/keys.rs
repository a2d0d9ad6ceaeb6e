//! The key table. Dispatch, the footer, the help screen and the README are generated from it.

use std::fmt::Write as _;
use std::sync::Arc;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key does. Each screen decides what the action means there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Quits the program.
    Quit,
    /// Suspends the program as a job.
    Suspend,
    /// Redraws the whole screen.
    Redraw,
    /// Goes back to the previous screen.
    Back,
    /// Opens the help.
    Help,
    /// Switches to a tab, by its index.
    Tab(u8),
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One screenful up.
    PageUp,
    /// One screenful down.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// To the left, or to the previous part.
    Left,
    /// To the right, or to the next part.
    Right,
    /// To the next part of a screen, or the next link.
    Next,
    /// To the previous one.
    Previous,
    /// Opens the selected item.
    Open,
    /// Freezes the display, or follows again.
    Freeze,
    /// Searches for text.
    Search,
    /// To the next hit.
    SearchNext,
    /// To the previous hit.
    SearchPrevious,
    /// Switches between dark and light background.
    Light,
    /// Copies the usual text.
    Copy,
    /// Copies the alternative text.
    CopyMore,
    /// Writes to a file.
    Export,
    /// Edits the filter.
    Filter,
    /// Chooses the columns, and the one to sort by.
    Columns,
    /// Chooses what to group by.
    Group,
    /// Switches between names and addresses.
    Names,
    /// Shows or hides what is selected in a list.
    Toggle,
    /// Reverses the order.
    Reverse,
    /// Opens the page of the rule.
    Rule,
    /// Lists all connections that a finding names.
    Connections,
    /// Opens the worst finding, from any screen.
    Worst,
    /// Opens the worst finding about the selected item.
    Finding,
    /// Opens the connection on the other side of a proxy.
    OtherLeg,
    /// Marks a row, or removes its mark.
    Mark,
    /// Completes the word being typed.
    Complete,
    /// Shows everything instead of what fits an error, or the other way round.
    Narrow,
    /// Shows the times of segments in another way.
    Times,
    /// Shows the two marked connections next to each other.
    Compare,
}

impl Action {
    /// Its name in the configuration file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Suspend => "suspend",
            Self::Redraw => "redraw",
            Self::Back => "back",
            Self::Help => "help",
            Self::Up => "up",
            Self::Down => "down",
            Self::PageUp => "page-up",
            Self::PageDown => "page-down",
            Self::First => "first",
            Self::Last => "last",
            Self::Left => "left",
            Self::Right => "right",
            Self::Next => "next",
            Self::Previous => "previous",
            Self::Open => "open",
            Self::Freeze => "freeze",
            Self::Search => "search",
            Self::SearchNext => "search-next",
            Self::SearchPrevious => "search-previous",
            Self::Light => "light",
            Self::Copy => "copy",
            Self::CopyMore => "copy-more",
            Self::Export => "export",
            Self::Filter => "filter",
            Self::Columns => "columns",
            Self::Group => "group",
            Self::Names => "names",
            Self::Toggle => "toggle",
            Self::Reverse => "reverse",
            Self::Rule => "rule",
            Self::Connections => "connections",
            Self::Worst => "worst",
            Self::Finding => "finding",
            Self::OtherLeg => "other-leg",
            Self::Mark => "mark",
            Self::Complete => "complete",
            Self::Times => "times",
            Self::Compare => "compare",
            Self::Narrow => "narrow",
            Self::Tab(0) => "overview",
            Self::Tab(1) => "findings",
            Self::Tab(2) => "connections",
            Self::Tab(_) => "sockets",
        }
    }
}

/// Where a binding applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// On the overview.
    Overview,
    /// In the list of findings.
    Findings,
    /// On the screen of one finding.
    Story,
    /// In the table of connections.
    Connections,
    /// On the screen of one connection.
    Connection,
    /// On the screen of two connections.
    Compare,
    /// In the table of sockets.
    Sockets,
    /// On text pages: the help and the rules' pages.
    Page,
    /// In the list of columns.
    Columns,
    /// In the list of what to group by.
    Groups,
    /// In a menu.
    Menu,
    /// In the prompt.
    Line,
}

impl Scope {
    /// All scopes, in the order of the help screen.
    pub const ALL: [Self; 13] = [
        Self::Everywhere,
        Self::Overview,
        Self::Findings,
        Self::Story,
        Self::Connections,
        Self::Connection,
        Self::Compare,
        Self::Sockets,
        Self::Page,
        Self::Columns,
        Self::Groups,
        Self::Menu,
        Self::Line,
    ];

    /// Its name in the configuration file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Overview => "overview",
            Self::Findings => "findings",
            Self::Story => "finding",
            Self::Connections => "connections",
            Self::Connection => "connection",
            Self::Compare => "two-connections",
            Self::Sockets => "sockets",
            Self::Page => "page",
            Self::Columns => "columns",
            Self::Groups => "groups",
            Self::Menu => "menu",
            Self::Line => "line",
        }
    }

    /// The heading in the help.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Overview => "Overview",
            Self::Findings => "Findings",
            Self::Story => "A finding",
            Self::Connections => "Connections",
            Self::Connection => "A connection",
            Self::Compare => "Two connections",
            Self::Sockets => "Sockets",
            Self::Page => "Help and rules",
            Self::Columns => "The columns",
            Self::Groups => "What to group by",
            Self::Menu => "A menu",
            Self::Line => "While typing",
        }
    }
}

/// A key, normalized across terminals: shift is contained in the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyPress {
    code: KeyCode,
    control: bool,
}

const fn key(code: KeyCode) -> KeyPress {
    KeyPress {
        code,
        control: false,
    }
}

const fn char(it: char) -> KeyPress {
    key(KeyCode::Char(it))
}

const fn control(it: char) -> KeyPress {
    KeyPress {
        code: KeyCode::Char(it),
        control: true,
    }
}

impl KeyPress {
    /// The key of an event; `None` with a modifier that the table does not use.
    #[must_use]
    pub fn of(event: KeyEvent) -> Option<Self> {
        let known = KeyModifiers::CONTROL | KeyModifiers::SHIFT;
        let code = match event.code {
            // Some terminals send Shift+Tab this way, others as a key of its own.
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        known.contains(event.modifiers).then_some(Self {
            code,
            control: event.modifiers.contains(KeyModifiers::CONTROL),
        })
    }

    /// The keys that are not characters, by their printed names.
    pub const NAMES: [(&'static str, KeyCode); 15] = [
        ("space", KeyCode::Char(' ')),
        ("enter", KeyCode::Enter),
        ("esc", KeyCode::Esc),
        ("backspace", KeyCode::Backspace),
        ("tab", KeyCode::Tab),
        ("shift-tab", KeyCode::BackTab),
        ("up", KeyCode::Up),
        ("down", KeyCode::Down),
        ("left", KeyCode::Left),
        ("right", KeyCode::Right),
        ("pgup", KeyCode::PageUp),
        ("pgdn", KeyCode::PageDown),
        ("home", KeyCode::Home),
        ("end", KeyCode::End),
        ("f1", KeyCode::F(1)),
    ];

    /// The printed name: `esc`, `pgdn`, `^z`, `/`.
    #[must_use]
    pub fn name(self) -> String {
        let named = Self::NAMES.iter().find(|(_, code)| *code == self.code);
        let name = match (named, self.code) {
            (Some((name, _)), _) => (*name).to_owned(),
            (None, KeyCode::Char(it)) => it.to_string(),
            (None, KeyCode::F(n)) => format!("f{n}"),
            (None, _) => "?".to_owned(),
        };
        if self.control {
            format!("^{name}")
        } else {
            name
        }
    }

    /// The key with this printed name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let rest = name.strip_prefix('^').filter(|rest| !rest.is_empty());
        let (control, name) = (rest.is_some(), rest.unwrap_or(name));
        let named = Self::NAMES.iter().find(|(it, _)| *it == name);
        let mut chars = name.chars();
        let code = match (named, chars.next(), chars.as_str()) {
            (Some((_, code)), ..) => *code,
            (None, Some(char), "") if !char.is_control() => KeyCode::Char(char),
            (None, Some('f'), number) => KeyCode::F(number.parse().ok()?),
            _ => return None,
        };
        Some(Self { code, control })
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct KeyBinding {
    /// Where it applies.
    pub scope: Scope,
    /// The keys; the footer shows the first one.
    pub keys: &'static [KeyPress],
    /// What they do.
    pub action: Action,
    /// A word or two for the footer; empty: not shown there.
    pub hint: &'static str,
    /// A line for the help screen.
    pub help: &'static str,
}

const fn row(
    scope: Scope,
    keys: &'static [KeyPress],
    action: Action,
    hint: &'static str,
    help: &'static str,
) -> KeyBinding {
    KeyBinding {
        scope,
        keys,
        action,
        hint,
        help,
    }
}

/// The table. Within a scope, the footer lists the rows in this order; a scope's own rows come before those that apply
/// everywhere.
#[rustfmt::skip]
pub(crate) static TABLE: &[KeyBinding] = &{
    use Action as A;
    use KeyCode as K;
    use Scope as S;
    [
        row(S::Overview, &[key(K::Enter)], A::Open, "read more", "open the finding that is selected: what happened, what to change"),
        row(S::Overview, &[char('e')], A::Export, "export", "write its connections to a capture, or the report to a file"),
        row(S::Overview, &[char('d')], A::Times, "", "show times in the ladder since the beginning, since the segment before, or of day"),
        row(S::Overview, &[key(K::Up), char('k')], A::Up, "", "select the finding before"),
        row(S::Overview, &[key(K::Down), char('j')], A::Down, "", "select the finding after"),

        row(S::Findings, &[key(K::Enter), key(K::Right), char('l')], A::Open, "read", "open the story: what happened, both logs, remedy, evidence"),
        row(S::Findings, &[char('c')], A::Connections, "connections", "list the connections that it names"),
        row(S::Findings, &[char('w')], A::Rule, "rule", "read the rule's page: why it matters, what it is not"),
        row(S::Findings, &[char('y')], A::Copy, "copy", "copy the finding as Markdown"),
        row(S::Findings, &[char('e')], A::Export, "export", "write its connections to a capture, with comments on what happened, or the report to a file"),
        row(S::Findings, &[char('d')], A::Times, "", "show times in the ladder since the beginning, since the segment before, or of day"),

        row(S::Story, &[key(K::Enter)], A::Open, "open", "open what is marked: the frame of a piece of evidence, a connection, a finding that belongs to it"),
        row(S::Story, &[key(K::Tab)], A::Next, "next", "mark the next link"),
        row(S::Story, &[key(K::BackTab)], A::Previous, "", "mark the link before"),
        row(S::Story, &[char('c')], A::Connections, "connections", "list the connections that it names"),
        row(S::Story, &[char('w')], A::Rule, "rule", "read the rule's page: why it matters, what it is not"),
        row(S::Story, &[char('y')], A::Copy, "copy", "copy the finding as Markdown"),
        row(S::Story, &[char('e')], A::Export, "export", "write its connections to a capture, with comments on what happened, or the report to a file"),
        row(S::Story, &[char('d')], A::Times, "", "show times in the ladder since the beginning, since the segment before, or of day"),
        row(S::Story, &[key(K::Right), char('l')], A::Right, "", "the next finding"),
        row(S::Story, &[key(K::Left), char('h')], A::Left, "", "the finding before"),

        row(S::Sockets, &[key(K::Enter)], A::Open, "its connections", "list the connections between this client and this server"),

        row(S::Connections, &[key(K::Enter), key(K::Right), char('l')], A::Open, "open", "open the connection"),
        row(S::Connections, &[char('f')], A::Filter, "filter", "list only some: path:/x status:5xx how:reset took:>5s -client:10.0.0.0/8, host 10.0.0.1 and port 80"),
        row(S::Connections, &[char('v')], A::Compare, "compare", "show the two marked ones next to each other, with the first difference"),
        row(S::Connections, &[char('m')], A::Mark, "mark", "mark it, or take the mark away, and go down a row"),
        row(S::Connections, &[char('s')], A::Columns, "sort", "choose the columns, and the one to sort by"),
        row(S::Connections, &[char('b')], A::Group, "group", "group by server, host, path, client, outcome or rule; enter shows a group's connections"),
        row(S::Connections, &[char('a')], A::Names, "names", "servers by their names, from DNS, TLS and Host, or by address"),
        row(S::Connections, &[char('r')], A::Reverse, "", "reverse the order"),
        row(S::Connections, &[char('i')], A::Finding, "finding", "read the worst finding that names it"),
        row(S::Connections, &[char('y')], A::Copy, "copy", "copy its Wireshark filter, its addresses, what happened"),
        row(S::Connections, &[char('e')], A::Export, "export", "write the marked or listed ones to a capture, or the report to a file"),

        row(S::Connection, &[key(K::Tab), key(K::Right), char('l')], A::Next, "next tab", "the next tab"),
        row(S::Connection, &[key(K::BackTab), key(K::Left), char('h')], A::Previous, "", "the tab before"),
        row(S::Connection, &[key(K::Enter)], A::Open, "", "unfold a run of segments; from an exchange or segment to the ladder"),
        row(S::Connection, &[char('o')], A::OtherLeg, "other leg", "open the connection on the other side of a proxy"),
        row(S::Connection, &[char('c')], A::Connections, "the end", "to the segment that ended it"),
        row(S::Connection, &[char('i')], A::Finding, "finding", "read the worst finding that names it"),
        row(S::Connection, &[char('y')], A::Copy, "copy", "copy its Wireshark filter, the ladder, what happened, its findings as Markdown"),
        row(S::Connection, &[char('d')], A::Times, "times", "show times since the beginning, since the segment before, or of day"),
        row(S::Connection, &[char('e')], A::Export, "export", "write it to a capture, with comments on what happened, or the report to a file"),

        row(S::Compare, &[key(K::Tab), key(K::Right), key(K::Left), char('l'), char('h')], A::Next, "other side", "move in the other ladder"),
        row(S::Compare, &[char('c')], A::Connections, "difference", "to the first difference"),
        row(S::Compare, &[key(K::Enter)], A::Open, "open", "open the connection, at the selected segment"),
        row(S::Compare, &[char('d')], A::Times, "times", "show times since the beginning, since the segment before, or of day"),

        row(S::Columns, &[key(K::Enter)], A::Open, "sort by it", "sort by this column; again reverses the order"),
        row(S::Columns, &[char(' ')], A::Toggle, "show or hide", "show or hide this column"),
        row(S::Columns, &[char('s')], A::Columns, "", "close the list"),

        row(S::Groups, &[key(K::Enter)], A::Open, "group by it", "group by this"),
        row(S::Groups, &[char('b')], A::Group, "", "close the list"),

        row(S::Menu, &[key(K::Enter), char('y')], A::Open, "copy it", "take what is marked"),

        row(S::Line, &[key(K::Tab)], A::Complete, "", "complete the word of a filter; again for the next that fits"),

        row(S::Everywhere, &[key(K::Esc), key(K::Backspace)], A::Back, "back", "go back to where you came from"),
        row(S::Everywhere, &[char('1')], A::Tab(0), "", "Overview"),
        row(S::Everywhere, &[char('2')], A::Tab(1), "", "Findings"),
        row(S::Everywhere, &[char('3')], A::Tab(2), "", "Connections"),
        row(S::Everywhere, &[char('4')], A::Tab(3), "", "Sockets"),
        row(S::Everywhere, &[char('/')], A::Search, "search", "search on this screen, in connections all requests too"),
        row(S::Everywhere, &[char('n')], A::SearchNext, "", "next place found"),
        row(S::Everywhere, &[char('N')], A::SearchPrevious, "", "place found before"),
        row(S::Everywhere, &[char('!')], A::Worst, "", "read the worst finding"),
        row(S::Everywhere, &[char('E')], A::Narrow, "", "with --error: show everything, or again only what fits the error"),
        row(S::Everywhere, &[char('?'), key(K::F(1))], A::Help, "help", "this help"),
        row(S::Everywhere, &[char(' ')], A::Freeze, "", "freeze what is shown, or follow again"),
        row(S::Everywhere, &[char('q'), control('c')], A::Quit, "quit", "quit"),
        row(S::Everywhere, &[key(K::Up), char('k')], A::Up, "", "a row up"),
        row(S::Everywhere, &[key(K::Down), char('j')], A::Down, "", "a row down"),
        row(S::Everywhere, &[key(K::Left), char('h')], A::Left, "", "left, or the part before"),
        row(S::Everywhere, &[key(K::Right), char('l')], A::Right, "", "right, or the part after"),
        row(S::Everywhere, &[key(K::PageUp), control('b'), control('u')], A::PageUp, "", "a screenful up"),
        row(S::Everywhere, &[key(K::PageDown), control('f'), control('d')], A::PageDown, "", "a screenful down"),
        row(S::Everywhere, &[key(K::Home), char('g')], A::First, "", "to the top"),
        row(S::Everywhere, &[key(K::End), char('G')], A::Last, "", "to the bottom"),
        row(S::Everywhere, &[char('t')], A::Light, "", "switch between colours for dark and for light backgrounds"),
        row(S::Everywhere, &[control('l')], A::Redraw, "", "redraw the screen"),
        row(S::Everywhere, &[control('z')], A::Suspend, "", "suspend; `fg` resumes"),
    ]
};

/// The bindings that apply: those of the table, with the changes of the configuration file.
#[derive(Clone, Debug)]
pub struct KeyTable(Arc<[KeyBinding]>);

impl Default for KeyTable {
    fn default() -> Self {
        Self(Arc::from(TABLE))
    }
}

impl KeyTable {
    /// The scope's own rows.
    pub(super) fn own(&self, scope: Scope) -> impl Iterator<Item = &KeyBinding> {
        self.0.iter().filter(move |it| it.scope == scope)
    }

    /// The rows that apply in a scope, its own first.
    pub(super) fn rows(&self, scope: Scope) -> impl Iterator<Item = &KeyBinding> {
        let common = self.own(Scope::Everywhere);
        let common = common.filter(move |_| scope != Scope::Everywhere);
        self.own(scope).chain(common)
    }

    /// The action of a key in a scope.
    #[must_use]
    pub(crate) fn action(&self, scope: Scope, key: KeyPress) -> Option<Action> {
        let mut rows = self.rows(scope);
        rows.find(|row| row.keys.contains(&key))
            .map(|row| row.action)
    }

    /// The key that the footer shows for an action.
    #[must_use]
    pub fn name(&self, scope: Scope, action: Action) -> Option<String> {
        let mut rows = self.rows(scope);
        let row = rows.find(|row| row.action == action)?;
        row.keys.first().map(|key| key.name())
    }

    /// The names of a scope's own actions.
    pub fn actions(&self, scope: Scope) -> impl Iterator<Item = &'static str> {
        self.own(scope).map(|it| it.action.word())
    }

    /// Gives an action of a scope other keys. Returns whether the scope has such an action.
    pub fn rebind(&mut self, scope: Scope, action: &str, keys: Vec<KeyPress>) -> bool {
        let mut rows = self.0.to_vec();
        let found = rows
            .iter_mut()
            .find(|it| it.scope == scope && it.action.word() == action);
        let Some(row) = found else { return false };
        // The configuration is read once and applies until the program ends.
        row.keys = Vec::leak(keys);
        self.0 = rows.into();
        true
    }

    /// A key with two meanings in one scope: the scope, the key's name, and both actions.
    #[must_use]
    pub fn clash(&self) -> Option<(Scope, String, &'static str, &'static str)> {
        let rows = self.0.iter().enumerate();
        rows.flat_map(|(nth, row)| row.keys.iter().map(move |key| (nth, row, key)))
            .find_map(|(nth, row, key)| {
                let mut before = self.0[..nth].iter();
                let other = before.find(|it| it.scope == row.scope && it.keys.contains(key))?;
                let names = (other.action.word(), row.action.word());
                Some((row.scope, key.name(), names.0, names.1))
            })
    }
}

/// The names of a row's keys: `up k`.
#[must_use]
pub fn names(row: &KeyBinding) -> String {
    let names: Vec<_> = row.keys.iter().map(|key| key.name()).collect();
    names.join(" ")
}

/// The table as Markdown, for the README.
#[must_use]
pub fn to_markdown() -> String {
    let mut page = String::from("| where | key | what it does |\n|---|---|---|\n");
    for scope in Scope::ALL {
        let rows = TABLE.iter().filter(|row| row.scope == scope);
        for (nth, row) in rows.enumerate() {
            let place = if nth == 0 { scope.name() } else { "" };
            let keys: Vec<_> = row
                .keys
                .iter()
                .map(|it| format!("`{}`", it.name()))
                .collect();
            let keys = keys.join(" ");
            let _ = writeln!(page, "| {place} | {keys} | {} |", row.help);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_scope() {
        for scope in Scope::ALL {
            let mut seen = Vec::new();
            for row in TABLE.iter().filter(|row| row.scope == scope) {
                for key in row.keys {
                    assert!(!seen.contains(key), "{scope:?}: {}", key.name());
                    seen.push(*key);
                }
                assert!(!row.keys.is_empty() && !row.help.is_empty());
            }
        }
    }

    #[test]
    fn a_scope_may_give_a_key_another_meaning() {
        let table = KeyTable::default();
        let action = |scope, key| table.action(scope, key);
        assert_eq!(action(Scope::Story, key(KeyCode::Tab)), Some(Action::Next));
        assert_eq!(action(Scope::Story, char('q')), Some(Action::Quit));
        assert_eq!(action(Scope::Page, key(KeyCode::Tab)), None);
        assert_eq!(
            action(Scope::Findings, key(KeyCode::Right)),
            Some(Action::Open)
        );
        let name = table.name(Scope::Story, Action::Back);
        assert_eq!(name.as_deref(), Some("esc"));
        assert_eq!(table.clash(), None);
    }

    #[test]
    fn every_key_and_every_action_has_one_name() {
        for row in TABLE {
            for key in row.keys {
                assert_eq!(KeyPress::named(&key.name()), Some(*key), "{}", key.name());
            }
            let mut own = TABLE.iter().filter(|it| it.scope == row.scope);
            let same = |it: &&KeyBinding| it.action.word() == row.action.word();
            assert_eq!(own.clone().filter(same).count(), 1, "{:?}", row.action);
            assert!(own.any(|it| it.action == row.action));
        }
        for wrong in ["", "hyper", "ab", "f999"] {
            assert_eq!(KeyPress::named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn terminals_differ_and_keys_do_not() {
        let shifted = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        let own = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(KeyPress::of(shifted), KeyPress::of(own));
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(KeyPress::of(alt), None);
    }
}
