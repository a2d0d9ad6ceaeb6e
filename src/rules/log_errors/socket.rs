//! The socket errors that the system returns to the program on one side: the error beneath every program's own text.
//!
//! In: one settled connection and the side. Out: what a read, a write or a connect returns there (RFC 9293 §3.10.7), by
//! the model in [`knowledge`](crate::knowledge). A program that has closed its socket gets no error any more. Packets
//! identify only one system, Windows, whose hop limit starts above 64; the others stay unknown, and Linux' behaviour
//! must be requested.

use super::program::Program;
use crate::analysis::connection::{By, Connection, How, Opening, ResetKind, Who};
use crate::knowledge::{
    AfterReset, ConnectionStage, NOT_ON_WINDOWS, SocketError, System, UnreadData,
    after_icmp_unreachable, after_icmpv6_unreachable, after_reset, after_silence,
};
use crate::rules::tcp::retransmissions_exhausted::is_given_up;

/// The results of socket calls once the connection has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOutcome {
    /// The system, as far as known.
    pub system: System,
    /// The result of a read or connect: an error, or `None` for an orderly end.
    pub read: Option<SocketError>,
    /// The result of a write; `None` if the connection was never established.
    pub write: Option<SocketError>,
    /// What happens to received data that was not yet read.
    pub unread: UnreadData,
    /// Whether the other side's FIN had arrived before its RST: Linux then reports another error than Windows.
    after_fin: bool,
}

impl SocketOutcome {
    /// The error pending on the socket, whichever call returns it.
    #[must_use]
    pub fn pending(&self) -> Option<SocketError> {
        self.read.or(self.write)
    }

    /// The error in words: `ECONNRESET (104)`, and whether data may be lost. If the system is unknown, with the numbers
    /// of Linux and Windows.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let mut told = self.error()?;
        if self.read.is_none() {
            told += "; reading gives what had arrived, and then its end";
        } else if self.write.is_some() && self.unread == UnreadData::MayBeLost {
            told += "; what had arrived and was not read may be lost";
        }
        Some(told)
    }

    /// The error with its number: `ECONNRESET (104 on Linux, 10054 on Windows)`, and which call gets it where not the next one.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        let error = self.pending()?;
        if self.after_fin && self.system == System::Unknown {
            let on = |system| {
                let error = Self::after_reset_behind_fin(system).pending()?;
                Some((error.name(system), error.number(system)?))
            };
            let ((name, linux), (_, windows)) = (on(System::Linux)?, on(System::Windows)?);
            return Some(format!(
                "{name} ({linux}) on Linux if it writes again, {windows} on Windows"
            ));
        }
        let call = if self.read.is_none() {
            " if it writes again"
        } else {
            ""
        };
        let on = |system| error.number(system);
        let number = match on(self.system) {
            Some(number) => format!(" ({number}){call}"),
            None => match (on(System::Linux), on(System::Windows)) {
                (Some(linux), Some(windows)) => {
                    format!(" ({linux} on Linux, {windows} on Windows)")
                }
                _ => String::new(),
            },
        };
        Some(format!("{}{number}", error.name(self.system)))
    }

    /// The results after a FIN and a RST of the other side.
    const fn after_reset_behind_fin(system: System) -> Self {
        let after = after_reset(ConnectionStage::FinReceived, system);
        Self {
            system,
            read: after.read,
            write: Some(after.write),
            unread: after.unread,
            after_fin: true,
        }
    }
}

/// The initial hop limit of Windows is 128, that of other systems 64 or 255.
const OTHERS_HOPS: u8 = 64;
/// The initial hop limit of Windows.
const WINDOWS_HOPS: u8 = 128;
/// Repetitions after which a system without an answer has given up, or is about to.
const GIVEN_UP: u16 = 5;

/// The system on this side, as far as its packets and the product that its headers name show.
#[must_use]
pub fn system(connection: &Connection, who: Who) -> System {
    let elsewhere = || {
        let product = Program::of(connection, who).product();
        product.is_some_and(|it| NOT_ON_WINDOWS.contains(&it.name))
    };
    match connection.sent[who as usize].ttl {
        ttl if ttl > OTHERS_HOPS && ttl <= WINDOWS_HOPS && !elsewhere() => System::Windows,
        _ => System::Unknown,
    }
}

/// Whether the packets of this side come from a system whose initial hop limit is not that of Windows.
#[must_use]
pub fn is_not_windows(connection: &Connection, who: Who) -> bool {
    matches!(connection.sent[who as usize].ttl, 1..=OTHERS_HOPS)
}

/// The errors that the system on this side returns to its program; `None` if there are none. `system` is the result of
/// [`system`], or the caller's better knowledge.
#[must_use]
pub fn socket(connection: &Connection, who: Who, system: System) -> Option<SocketOutcome> {
    let failed = |error| {
        Some(SocketOutcome {
            system,
            read: Some(error),
            write: None,
            unread: UnreadData::Kept,
            after_fin: false,
        })
    };
    match connection.opening {
        Opening::Handshake | Opening::Midstream => {}
        // Before the handshake is complete the server's program does not know of the connection.
        _ if who == Who::Server => return None,
        Opening::Refused => {
            let after = after_reset(ConnectionStage::SynSent, system);
            return after.read.and_then(failed);
        }
        Opening::Unreachable => {
            let quote = connection.icmp.as_deref()?;
            return failed(if quote.reporter.is_ipv4() {
                after_icmp_unreachable(quote.icmp_code)
            } else {
                after_icmpv6_unreachable(quote.icmp_code)
            });
        }
        Opening::Unanswered | Opening::Rejected => {
            let to_the_end = connection.syn_retries > GIVEN_UP;
            return to_the_end.then(|| failed(after_silence(ConnectionStage::SynSent, system)))?;
        }
    }
    let (own, other) = (who as usize, who.other() as usize);
    if let Some(reset) = connection.reset[other].filter(|it| it.kind != Some(ResetKind::Stale)) {
        let before = |it: Option<crate::analysis::connection::CloseEvent>| {
            it.is_some_and(|it| it.frame_ref <= reset.frame_ref)
        };
        if before(connection.reset[own]) || before(connection.fin[own]) {
            return None;
        }
        let stage = match before(connection.fin[other]) {
            true => ConnectionStage::FinReceived,
            false => ConnectionStage::Open,
        };
        let AfterReset {
            read,
            write,
            unread,
        } = after_reset(stage, system);
        return Some(SocketOutcome {
            system,
            read,
            write: Some(write),
            unread,
            after_fin: stage == ConnectionStage::FinReceived,
        });
    }
    silent(connection, who).then(|| SocketOutcome {
        system,
        read: Some(after_silence(ConnectionStage::Open, system)),
        write: Some(after_silence(ConnectionStage::Open, system)),
        unread: UnreadData::Kept,
        after_fin: false,
    })
}

/// Whether this side's segments or its probes went unanswered to the end.
fn silent(connection: &Connection, who: Who) -> bool {
    let silence = (connection.teardown.by, connection.teardown.how);
    let unanswered = connection.unanswered.as_ref().map(|it| it[who as usize]);
    matches!(silence, (By::Nobody, How::Silence))
        && unanswered.is_some_and(|it| it.count >= GIVEN_UP && is_given_up(connection, &it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\nGET / -->\n";

    fn both(ladder: &str, system: System) -> [Option<String>; 2] {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let connection = proof.connections.last().expect("a connection");
        Who::BOTH.map(|who| socket(connection, who, system)?.told())
    }

    #[track_caller]
    fn check(ladder: &str, system: System, client: Option<&str>, server: Option<&str>) {
        let got = both(ladder, system);
        let wanted = [client, server].map(|it| it.map(str::to_owned));
        assert_eq!(got, wanted, "{ladder}");
    }

    #[test]
    fn each_state_has_its_error() {
        use System::{Linux, Windows};
        check("SYN -->\n<-- RST", Linux, Some("ECONNREFUSED (111)"), None);
        check(
            "SYN -->\n<-- RST",
            Windows,
            Some("WSAECONNREFUSED (10061)"),
            None,
        );
        check(
            "SYN -->\n<-- ACK [unreachable=1]",
            Linux,
            Some("EHOSTUNREACH (113)"),
            None,
        );
        check(
            &format!("{OPEN}<-- RST"),
            Linux,
            Some("ECONNRESET (104)"),
            None,
        );
        check(
            &format!("{OPEN}<-- RST"),
            Windows,
            Some("WSAECONNRESET (10054); what had arrived and was not read may be lost"),
            None,
        );
        check(
            &format!("{OPEN}<-- ACK\nRST -->"),
            Linux,
            None,
            Some("ECONNRESET (104)"),
        );
        // The FIN has arrived, the client writes all the same, and the RST comes back.
        let broken =
            format!("{OPEN}<-- 200 \"x\"\nACK -->\n<-- FIN\nACK -->\nGET /2 -->\n<-- RST [noack]");
        check(
            &broken,
            Linux,
            Some("EPIPE (32) if it writes again; reading gives what had arrived, and then its end"),
            None,
        );
        check(
            &broken,
            Windows,
            Some("WSAECONNRESET (10054); what had arrived and was not read may be lost"),
            None,
        );
    }

    #[test]
    fn of_an_unknown_system_two_numbers_are_told() {
        check(
            &format!("{OPEN}<-- RST"),
            System::Unknown,
            Some(
                "ECONNRESET (104 on Linux, 10054 on Windows); what had arrived and was not read may be lost",
            ),
            None,
        );
    }

    #[test]
    fn who_has_closed_is_told_nothing() {
        let none = |ladder: &str| check(&format!("{OPEN}{ladder}"), System::Linux, None, None);
        none("<-- 200 \"x\"\nFIN -->\n<-- RST");
        none("<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->");
        none("<-- 200 \"x\"\nACK -->");
    }

    #[test]
    fn only_windows_shows_by_its_packets() {
        for (ttl, wanted) in [
            (128, System::Windows),
            (117, System::Windows),
            (64, System::Unknown),
            (255, System::Unknown),
        ] {
            let ladder = format!("client [ttl={ttl}] server\n{OPEN}");
            let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
            assert_eq!(system(&proof.connections[0], Who::Client), wanted, "{ttl}");
        }
    }
}
