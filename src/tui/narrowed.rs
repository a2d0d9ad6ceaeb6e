//! What the screens say while they show only what fits an error (`--error`), and while that is lifted.

use super::keys::{Action, KeyTable, Scope};
use super::{ViewContext, ViewModel};
use crate::base::escape::shortened;
use crate::base::format::{count, number};
use crate::report::rich_text::{StyledLine, Tone};

/// Characters of the error that are shown.
const TEXT: usize = 48;

/// The line above every screen; `None` where nothing is narrowed. `base` is the narrowed view model.
pub(super) fn banner(
    base: &ViewModel,
    lifted: bool,
    keys: &KeyTable,
    scope: Scope,
) -> Option<StyledLine> {
    let whole = base.whole.as_ref()?;
    let narrowed = base.snapshot.narrowed.as_ref()?;
    let text = format!("“{}”", shortened(narrowed.text.as_bytes(), TEXT));
    let key = keys
        .name(Scope::Everywhere, Action::Narrow)
        .unwrap_or_default();
    if scope == Scope::Sockets {
        // Ports and sockets are used up by all connections together.
        return Some(StyledLine::default().faint("sockets are counted over all connections"));
    }
    if lifted {
        let line = StyledLine::of(Tone::Note, "everything is shown").plain("  ");
        return Some(
            line.with(Tone::Key, key)
                .faint(format!(" shows only what fits {text} again")),
        );
    }
    let findings = whole.snapshot.findings.len() as u64;
    // The key and the counts come first: on a narrow screen the end of the line is cut.
    let line = StyledLine::of(Tone::Key, key)
        .faint(" shows all  ")
        .with(Tone::Warning, "only ")
        .plain(format!(
            "{} of {}, {} of {}: ",
            number(base.snapshot.findings.len() as u64),
            count(findings, "finding", "findings"),
            number(base.connections()),
            count(whole.connections(), "connection", "connections"),
        ))
        .strong(text);
    Some(line)
}

/// The text for an empty list of findings, where the list is narrowed and everything is not empty.
pub(super) fn nothing_fits(cx: &ViewContext<'_>) -> Option<StyledLine> {
    let narrowed = cx.snapshot().narrowed.as_ref()?;
    let line = match (cx.is_growing(), cx.model.connections()) {
        (true, _) => "No finding fits the error so far. ",
        (false, 0) if !narrowed.knows_the_error() => {
            "The error is not known, and no side of a connection says it. "
        }
        (false, 0) => "No connection fits the error. ",
        (false, _) => "Connections fit the error, and no rule has anything to say about them. ",
    };
    let keys = &cx.session.keys;
    let key = keys
        .name(Scope::Everywhere, Action::Narrow)
        .unwrap_or_default();
    let line = StyledLine::from(line).with(Tone::Key, key);
    Some(line.faint(" shows all"))
}
