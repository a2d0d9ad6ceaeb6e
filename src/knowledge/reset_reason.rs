//! The reasons for which Linux sends a RST, as its event `tcp:tcp_send_reset` names them (`enum sk_rst_reason`).
//!
//! `reset_reasons.tsv` has a row for each, and several where the state of the socket tells what one name leaves open.
//! `NOT_SPECIFIED` and `ERROR` have none: they say nothing.

use std::sync::LazyLock;

use super::basis::Basis;
use super::table;

/// What a socket was doing when a RST was sent for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SocketThen {
    /// A program had closed it.
    Closed,
    /// Nobody had accepted it, and its listening socket was closed.
    Unaccepted,
    /// It was open, and something else than its program ended it.
    Destroyed,
    /// It waited in FIN-WAIT-2 for the peer's FIN, and no program held it.
    FinWait2,
    /// It listened.
    Listening,
    /// There was none, or its state says no more than the reason.
    #[default]
    Other,
}

impl SocketThen {
    /// All that the table distinguishes.
    const NAMED: [(Self, &'static str); 5] = [
        (Self::Closed, "closed"),
        (Self::Unaccepted, "listener"),
        (Self::Destroyed, "destroyed"),
        (Self::FinWait2, "fin-wait-2"),
        (Self::Listening, "listening"),
    ];

    /// The word of the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut all = Self::NAMED.iter();
        all.find(|it| it.0 == self).map_or("any", |it| it.1)
    }

    /// What a word of the table stands for.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut all = Self::NAMED.iter();
        all.find(|it| it.1 == name).map_or(Self::Other, |it| it.0)
    }
}

/// A reason.
#[derive(Debug)]
pub struct ResetReason {
    /// Its name in the kernel.
    pub name: &'static str,
    /// The state that it is about; [`SocketThen::Other`] for every other one.
    pub when: SocketThen,
    /// What it says, in a few words.
    pub words: &'static str,
    /// What that means, in a sentence; empty if the words say it.
    pub meaning: &'static str,
    /// How it is known.
    pub basis: Basis,
    /// The version of Linux with which it was checked.
    pub version: &'static str,
    /// The source of this row.
    pub source: &'static str,
}

/// All reasons.
static RESET_REASONS: LazyLock<Vec<ResetReason>> = LazyLock::new(|| {
    table::rows(include_str!("reset_reasons.tsv"))
        .map(
            |[name, when, words, meaning, basis, version, source]| ResetReason {
                name,
                when: SocketThen::named(when),
                words,
                meaning,
                basis: Basis::named(basis),
                version,
                source,
            },
        )
        .collect()
});

/// What a reason means for a socket in this state; `None` for a name that newer kernels have.
#[must_use]
pub fn reset_reason(name: &str, when: SocketThen) -> Option<&'static ResetReason> {
    let of = |when| {
        let mut all = RESET_REASONS.iter();
        all.find(|it| it.name == name && it.when == when)
    };
    of(when).or_else(|| of(SocketThen::Other))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<7>(include_str!("reset_reasons.tsv"));
        let mut seen = BTreeSet::new();
        for it in RESET_REASONS.iter() {
            assert!(seen.insert((it.name, it.when.name())), "{} twice", it.name);
            assert!(
                !it.words.is_empty() && !it.words.ends_with('.'),
                "{}",
                it.name
            );
            assert!(
                it.meaning.is_empty() || it.meaning.ends_with('.'),
                "{}",
                it.name
            );
            assert!(
                !it.basis.is_presumed() && !it.source.is_empty(),
                "{}",
                it.name
            );
            // What is about one state has a row for the others, too.
            assert!(
                it.when != SocketThen::Unaccepted
                    || reset_reason(it.name, SocketThen::Other).is_some()
            );
        }
    }

    #[test]
    fn the_state_decides_where_a_reason_leaves_it_open() {
        for (name, when, words) in [
            (
                "TCP_STATE",
                SocketThen::Closed,
                Some("closed with `SO_LINGER` 0, or disconnected"),
            ),
            (
                "TCP_STATE",
                SocketThen::Destroyed,
                Some("the socket was destroyed from outside"),
            ),
            (
                "TCP_STATE",
                SocketThen::Listening,
                Some("the state of the socket required it"),
            ),
            (
                "TCP_ABORT_ON_CLOSE",
                SocketThen::Closed,
                Some("closed with unread data"),
            ),
            ("NOT_SPECIFIED", SocketThen::Other, None),
            ("A_NEWER_REASON", SocketThen::Other, None),
        ] {
            assert_eq!(reset_reason(name, when).map(|it| it.words), words, "{name}");
        }
    }
}
