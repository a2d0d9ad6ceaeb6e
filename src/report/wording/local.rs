//! What this host's operating system says of a connection, in words.

use crate::analysis::connection::{Connection, Who};
use crate::base::escape::escape;
use crate::base::net::Endpoint;
use crate::knowledge::reset_reason;
use crate::report::snapshot::{LocalEnd, LocalReset, Process, Snapshot};

/// Programs that share a socket, of those that are named.
const SHARERS: usize = 2;

/// `gunicorn[812]`; `thread gunicorn` if it ended before its program was known.
#[must_use]
pub fn process(it: &Process) -> String {
    let name = escape(it.name.as_bytes());
    match it.pid {
        Some(pid) => format!("{name}[{pid}]"),
        None => format!("thread {name}"),
    }
}

/// The programs that hold an end: `gunicorn[812], gunicorn[815] and 2 more`; `None` if none is known.
#[must_use]
pub fn holders(end: &LocalEnd) -> Option<String> {
    let named = end.held_by.iter().take(SHARERS).map(process);
    let named: Vec<String> = named.collect();
    let more = match end.held_by.len().saturating_sub(SHARERS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| named.join(", ") + &more)
}

/// The programs that hold one end of a connection.
#[must_use]
pub fn holders_of(snapshot: &Snapshot, id: u32, who: Who) -> Option<String> {
    snapshot.local.of(id, who).and_then(holders)
}

/// `10.0.0.1:5000 (curl[811]) → 10.0.0.2:80 (gunicorn[812])`, with the programs that are known.
#[must_use]
pub fn route(connection: &Connection, snapshot: &Snapshot) -> String {
    let end = |at, who| end(at, connection.id, who, snapshot);
    format!(
        "{} → {}",
        end(connection.client, Who::Client),
        end(connection.server, Who::Server)
    )
}

/// `10.0.0.2:80 (gunicorn[812])`: one end of a connection.
#[must_use]
pub fn end(at: Endpoint, id: u32, who: Who, snapshot: &Snapshot) -> String {
    match holders_of(snapshot, id, who) {
        Some(held) => format!("{at} ({held})"),
        None => at.to_string(),
    }
}

/// `reset by gunicorn[812]: closed with unread data (TCP_ABORT_ON_CLOSE)`. `side`: what the report calls it.
#[must_use]
pub fn reset(it: &LocalReset, side: &str) -> String {
    let by = match &it.by {
        Some(by) => process(by),
        None => format!("the {side}'s operating system"),
    };
    let name = escape(it.reason.as_bytes());
    match reset_reason(&it.reason, it.socket) {
        Some(reason) => format!("reset by {by}: {} ({name})", reason.words),
        None => format!("reset by {by} ({name})"),
    }
}

/// What the reason means, in a sentence; `None` if the words say it.
#[must_use]
pub fn meaning(it: &LocalReset) -> Option<&'static str> {
    let meaning = reset_reason(&it.reason, it.socket)?.meaning;
    (!meaning.is_empty()).then_some(meaning)
}

/// The RSTs that this host sent on a connection.
pub fn resets(snapshot: &Snapshot, id: u32) -> impl Iterator<Item = (Who, &LocalReset)> {
    Who::BOTH.into_iter().filter_map(move |who| {
        let end = snapshot.local.of(id, who)?;
        Some((who, end.reset.as_ref()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::SocketThen;

    fn program(name: &str, pid: u32) -> Process {
        Process {
            name: name.into(),
            pid: (pid > 0).then_some(pid),
        }
    }

    #[test]
    fn programs_and_reasons_have_words() {
        for (held, words) in [
            (vec![], None),
            (vec![program("gunicorn", 812)], Some("gunicorn[812]")),
            (vec![program("java", 0)], Some("thread java")),
            (vec![program("a\x1b[1m", 1)], Some("a\\x1b[1m[1]")),
            (
                vec![program("a", 1), program("b", 2), program("c", 3)],
                Some("a[1], b[2] and 1 more"),
            ),
        ] {
            let end = LocalEnd {
                held_by: held,
                reset: None,
            };
            assert_eq!(holders(&end).as_deref(), words);
        }
        for (reason, socket, by, words) in [
            (
                "TCP_ABORT_ON_CLOSE",
                SocketThen::Closed,
                Some(program("gunicorn", 812)),
                "reset by gunicorn[812]: closed with unread data (TCP_ABORT_ON_CLOSE)",
            ),
            (
                "NO_SOCKET",
                SocketThen::Other,
                None,
                "reset by the server's operating system: no socket has these addresses and ports (NO_SOCKET)",
            ),
            (
                "NEWER\n",
                SocketThen::Other,
                None,
                "reset by the server's operating system (NEWER\\x0a)",
            ),
        ] {
            let reset = LocalReset {
                frame: Default::default(),
                reason: reason.into(),
                socket,
                by,
            };
            assert_eq!(super::reset(&reset, "server"), words);
        }
    }
}
