//! What the kernel tells a program about the wire: pure functions, the part of every error text that is not the program's.
//!
//! RFC 9293 §3.10.7 says what a segment does to a connection; which error a call then gives is the system's own affair.
//! Linux as measured; Windows and the BSDs as documented, and where they may lose what Linux keeps, that is said.

/// The system a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS and the BSDs.
    Bsd,
    /// Not known.
    Unknown,
}

/// An error that a call on a socket returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketError {
    /// The SYN was refused.
    Refused,
    /// The peer reset.
    Reset,
    /// The own side is closed, or the peer reset after its FIN.
    Pipe,
    /// Windows: the own system gave the connection up.
    Aborted,
    /// No answer.
    TimedOut,
    /// The host cannot be reached.
    HostUnreachable,
    /// The network cannot be reached.
    NetUnreachable,
    /// No port is free.
    NoAddress,
}

impl SocketError {
    /// The name, as the system at hand writes it.
    #[must_use]
    pub const fn name(self, system: System) -> &'static str {
        match (self, system) {
            (Self::Refused, System::Windows) => "WSAECONNREFUSED",
            (Self::Refused, _) => "ECONNREFUSED",
            (Self::Reset, System::Windows) => "WSAECONNRESET",
            (Self::Reset, _) => "ECONNRESET",
            // Windows knows no EPIPE: the same write gives 10053.
            (Self::Pipe | Self::Aborted, System::Windows) => "WSAECONNABORTED",
            (Self::Pipe, _) => "EPIPE",
            (Self::Aborted, _) => "ECONNABORTED",
            (Self::TimedOut, System::Windows) => "WSAETIMEDOUT",
            (Self::TimedOut, _) => "ETIMEDOUT",
            (Self::HostUnreachable, System::Windows) => "WSAEHOSTUNREACH",
            (Self::HostUnreachable, _) => "EHOSTUNREACH",
            (Self::NetUnreachable, System::Windows) => "WSAENETUNREACH",
            (Self::NetUnreachable, _) => "ENETUNREACH",
            (Self::NoAddress, System::Windows) => "WSAEADDRINUSE",
            (Self::NoAddress, _) => "EADDRNOTAVAIL",
        }
    }

    /// The number, where the system is known.
    #[must_use]
    pub const fn number(self, system: System) -> Option<u32> {
        let (linux, windows, bsd) = match self {
            Self::Refused => (111, 10_061, 61),
            Self::Reset => (104, 10_054, 54),
            Self::Pipe => (32, 10_053, 32),
            Self::Aborted => (103, 10_053, 53),
            Self::TimedOut => (110, 10_060, 60),
            Self::HostUnreachable => (113, 10_065, 65),
            Self::NetUnreachable => (101, 10_051, 51),
            Self::NoAddress => (99, 10_048, 49),
        };
        match system {
            System::Linux => Some(linux),
            System::Windows => Some(windows),
            System::Bsd => Some(bsd),
            System::Unknown => None,
        }
    }
}

/// How far a connection is when the RST arrives, seen from the one who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionStage {
    /// SYN-SENT.
    SynSent,
    /// The peer's FIN has been received, and the own one not been sent: CLOSE-WAIT.
    FinReceived,
    /// Any other state of a connection that stands.
    Open,
}

/// What happens to data that had arrived and was not yet read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnreadData {
    /// The program can still read it.
    Kept,
    /// It may be lost.
    MayBeLost,
}

/// What a program gets once a RST has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterReset {
    /// Reading: an error, or `None` for an orderly end.
    pub read: Option<SocketError>,
    /// Writing.
    pub write: SocketError,
    /// What was queued.
    pub unread: UnreadData,
}

/// A RST arrives (RFC 9293 §3.10.7.3 for SYN-SENT, §3.10.7.4 for the rest). Each error is given once; then reading ends
/// and writing gives [`SocketError::Pipe`].
#[must_use]
pub const fn after_reset(stage: ConnectionStage, system: System) -> AfterReset {
    let unread = match system {
        System::Linux => UnreadData::Kept,
        System::Windows | System::Bsd | System::Unknown => UnreadData::MayBeLost,
    };
    match (stage, system) {
        (ConnectionStage::SynSent, _) => AfterReset {
            read: Some(SocketError::Refused),
            write: SocketError::Refused,
            unread,
        },
        // Linux: `tcp_reset` sets EPIPE in CLOSE-WAIT; a reader gets its data, then the end that the FIN announced.
        (ConnectionStage::FinReceived, System::Linux) => AfterReset {
            read: None,
            write: SocketError::Pipe,
            unread,
        },
        (ConnectionStage::FinReceived | ConnectionStage::Open, _) => AfterReset {
            read: Some(SocketError::Reset),
            write: SocketError::Reset,
            unread,
        },
    }
}

/// ICMP answers a SYN (RFC 1122 §4.2.3.9; RFC 5461 §2): `type 3` of version 4. An open connection is not ended by it.
#[must_use]
pub const fn after_icmp_unreachable(code: u8) -> SocketError {
    match code {
        0 | 6 | 9 | 11 => SocketError::NetUnreachable,
        // Protocol and port unreachable.
        2 | 3 => SocketError::Refused,
        _ => SocketError::HostUnreachable,
    }
}

/// The same for version 6, `type 1` (RFC 4443 §3.1).
#[must_use]
pub const fn after_icmpv6_unreachable(code: u8) -> SocketError {
    match code {
        0 => SocketError::NetUnreachable,
        4 => SocketError::Refused,
        _ => SocketError::HostUnreachable,
    }
}

/// Nothing is acknowledged any more, until the system gives up: retransmissions or keep-alive probes are used up.
#[must_use]
pub const fn after_silence(stage: ConnectionStage, system: System) -> SocketError {
    match (stage, system) {
        // Windows calls the end of a connection that stood its own abort.
        (ConnectionStage::Open | ConnectionStage::FinReceived, System::Windows) => {
            SocketError::Aborted
        }
        _ => SocketError::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_by_stage_on_linux() {
        let table = [
            (
                ConnectionStage::SynSent,
                Some(SocketError::Refused),
                SocketError::Refused,
            ),
            (ConnectionStage::FinReceived, None, SocketError::Pipe),
            (
                ConnectionStage::Open,
                Some(SocketError::Reset),
                SocketError::Reset,
            ),
        ];
        for (stage, read, write) in table {
            let after = after_reset(stage, System::Linux);
            assert_eq!(
                (after.read, after.write, after.unread),
                (read, write, UnreadData::Kept)
            );
        }
    }

    #[test]
    fn elsewhere_queued_data_may_be_lost() {
        for system in [System::Windows, System::Bsd, System::Unknown] {
            let after = after_reset(ConnectionStage::Open, system);
            assert_eq!(after.unread, UnreadData::MayBeLost);
            assert_eq!(after.read, Some(SocketError::Reset));
        }
    }

    #[test]
    fn windows_has_its_own_names() {
        let name =
            |error: SocketError| (error.name(System::Windows), error.number(System::Windows));
        assert_eq!(name(SocketError::Reset), ("WSAECONNRESET", Some(10_054)));
        assert_eq!(name(SocketError::Pipe), ("WSAECONNABORTED", Some(10_053)));
        let given_up = after_silence(ConnectionStage::Open, System::Windows);
        assert_eq!(name(given_up), ("WSAECONNABORTED", Some(10_053)));
        let never_up = after_silence(ConnectionStage::SynSent, System::Windows);
        assert_eq!(name(never_up), ("WSAETIMEDOUT", Some(10_060)));
        assert_eq!(SocketError::Pipe.name(System::Linux), "EPIPE");
        assert_eq!(SocketError::Reset.number(System::Unknown), None);
    }

    #[test]
    fn icmp_codes() {
        assert_eq!(after_icmp_unreachable(0), SocketError::NetUnreachable);
        assert_eq!(after_icmp_unreachable(1), SocketError::HostUnreachable);
        assert_eq!(after_icmp_unreachable(3), SocketError::Refused);
        assert_eq!(after_icmp_unreachable(13), SocketError::HostUnreachable);
        assert_eq!(after_icmpv6_unreachable(0), SocketError::NetUnreachable);
        assert_eq!(after_icmpv6_unreachable(4), SocketError::Refused);
        assert_eq!(after_icmpv6_unreachable(1), SocketError::HostUnreachable);
    }
}
