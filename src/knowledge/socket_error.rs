//! The socket errors a kernel returns for what happens on the wire: pure functions for the part of an error text that
//! does not depend on the program.
//!
//! RFC 9293 §3.10.7 defines what a segment does to a connection; which error a call then returns is up to the system.
//! Linux is as measured; Windows and the BSDs are as documented, and it is stated where they may lose data that Linux
//! keeps.

/// The system a program runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS and the BSDs.
    Bsd,
    /// Unknown.
    Unknown,
}

/// An error that a call on a socket returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketError {
    /// The SYN was refused.
    Refused,
    /// The peer sent a RST.
    Reset,
    /// This side is closed, or the peer sent a RST after its FIN.
    Pipe,
    /// Windows: the local system aborted the connection.
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
    /// The error's name on the given system.
    #[must_use]
    pub const fn name(self, system: System) -> &'static str {
        match (self, system) {
            (Self::Refused, System::Windows) => "WSAECONNREFUSED",
            (Self::Refused, _) => "ECONNREFUSED",
            (Self::Reset, System::Windows) => "WSAECONNRESET",
            (Self::Reset, _) => "ECONNRESET",
            // Windows has no `EPIPE`: the same write returns 10053.
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

    /// The error's number, where the system is known.
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

/// How far a connection has come when the RST arrives, as seen by its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionStage {
    /// SYN-SENT.
    SynSent,
    /// The peer's FIN has been received and no FIN sent: CLOSE-WAIT.
    FinReceived,
    /// Any other state of an established connection.
    Open,
}

/// What happens to data that has arrived and was not yet read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnreadData {
    /// The program can still read it.
    Kept,
    /// It may be lost.
    MayBeLost,
}

/// What a program's calls return once a RST has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterReset {
    /// The result of a read: an error, or `None` for an orderly end.
    pub read: Option<SocketError>,
    /// The result of a write.
    pub write: SocketError,
    /// What happens to received data that was not yet read.
    pub unread: UnreadData,
}

/// The calls after a RST (RFC 9293 §3.10.7.3 for SYN-SENT, §3.10.7.4 for the rest). Each error is returned once; then
/// reads return the end of the stream and writes [`SocketError::Pipe`].
#[must_use]
pub(crate) const fn after_reset(stage: ConnectionStage, system: System) -> AfterReset {
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

/// The error of a SYN answered by ICMP (RFC 1122 §4.2.3.9; RFC 5461 §2): the code of an ICMPv4 message of type 3. ICMP
/// does not end an open connection.
#[must_use]
pub(crate) const fn after_icmp_unreachable(code: u8) -> SocketError {
    match code {
        0 | 6 | 9 | 11 => SocketError::NetUnreachable,
        // Protocol and port unreachable.
        2 | 3 => SocketError::Refused,
        _ => SocketError::HostUnreachable,
    }
}

/// The same for ICMPv6, type 1 (RFC 4443 §3.1).
#[must_use]
pub(crate) const fn after_icmpv6_unreachable(code: u8) -> SocketError {
    match code {
        0 => SocketError::NetUnreachable,
        4 => SocketError::Refused,
        _ => SocketError::HostUnreachable,
    }
}

/// The error when nothing is acknowledged any more and the system gives up: retransmissions or keep-alive probes are
/// exhausted.
#[must_use]
pub(crate) const fn after_silence(stage: ConnectionStage, system: System) -> SocketError {
    match (stage, system) {
        // Windows reports the loss of an established connection as its own abort.
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
        let cancelled = after_silence(ConnectionStage::Open, System::Windows);
        assert_eq!(name(cancelled), ("WSAECONNABORTED", Some(10_053)));
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
