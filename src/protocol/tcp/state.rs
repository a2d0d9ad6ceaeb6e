//! The eleven states of RFC 9293 §3.3.2 and the transitions between them (§3.10, Figure 5).
//!
//! One endpoint's view: what it sends and what reaches it. The transition function is total: an input that changes
//! nothing in a state yields `None`, so that the whole matrix is one table.

use std::fmt;

/// A connection's state at one endpoint, in the order of RFC 9293 §3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waiting for a connection request from any remote peer.
    Listen,
    /// SYN sent, waiting for a matching one.
    SynSent,
    /// SYN sent and received, waiting for the acknowledgement of the endpoint's own SYN.
    SynReceived,
    /// Open: data flows.
    Established,
    /// FIN sent, not acknowledged.
    FinWait1,
    /// FIN sent and acknowledged, the peer's FIN not received.
    FinWait2,
    /// FIN received, none sent: the application has not closed yet.
    CloseWait,
    /// FIN sent and received, the endpoint's own FIN not acknowledged: both closed at the same time.
    Closing,
    /// FIN received, then sent; waiting for the acknowledgement of the latter.
    LastAck,
    /// Everything done; waiting until no old segments can remain in the network.
    TimeWait,
    /// There is no connection.
    Closed,
}

impl State {
    /// All variants, in order.
    pub const ALL: [Self; 11] = [
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
        Self::Closed,
    ];

    /// The RFC's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
            Self::Closed => "CLOSED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An event at an endpoint that may change its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateInput {
    /// It sends a SYN without ACK: an active open.
    SendSyn,
    /// It sends SYN and ACK: it has received a SYN and answers it.
    SendSynAck,
    /// It sends a FIN: its application has closed.
    SendFin,
    /// It sends a RST that ends the connection.
    SendRst,
    /// A SYN reaches it, without an acknowledgement of its own.
    ReceiveSyn,
    /// A SYN reaches it that acknowledges its own.
    ReceiveSynAck,
    /// The acknowledgement of its SYN reaches it.
    ReceiveAckOfSyn,
    /// A FIN reaches it, and all data before it.
    ReceiveFin,
    /// The acknowledgement of its FIN reaches it.
    ReceiveAckOfFin,
    /// A RST within its window reaches it.
    ReceiveRst,
    /// Its TIME-WAIT is over (2 MSL).
    TimeWaitOver,
}

impl StateInput {
    /// All variants, in order.
    pub const ALL: [Self; 11] = [
        Self::SendSyn,
        Self::SendSynAck,
        Self::SendFin,
        Self::SendRst,
        Self::ReceiveSyn,
        Self::ReceiveSynAck,
        Self::ReceiveAckOfSyn,
        Self::ReceiveFin,
        Self::ReceiveAckOfFin,
        Self::ReceiveRst,
        Self::TimeWaitOver,
    ];
}

/// The state after `input`; `None` if it changes nothing.
#[must_use]
pub const fn next(state: State, input: StateInput) -> Option<State> {
    use State as S;
    use StateInput as I;
    match (input, state) {
        // §3.10.1 OPEN call.
        (I::SendSyn, S::Closed | S::Listen) => Some(S::SynSent),
        // §3.10.7.2 LISTEN and §3.5 Figure 7: an answered SYN, also of a simultaneous open.
        (I::SendSynAck, S::Closed | S::Listen | S::SynSent) => Some(S::SynReceived),
        // §3.10.4 CLOSE call.
        (I::SendFin, S::SynReceived | S::Established) => Some(S::FinWait1),
        (I::SendFin, S::CloseWait) => Some(S::LastAck),
        // §3.10.5 ABORT call, and any reset that answers a segment.
        (I::SendRst | I::ReceiveRst, S::Closed | S::Listen) => None,
        (I::SendRst, _) => Some(S::Closed),
        // §3.10.7.4: in SYN-RECEIVED after a passive open, back to LISTEN, which ends this connection; in TIME-WAIT the
        // RFC deletes the TCB too (RFC 1337 warns against it; Linux does so by default).
        (I::ReceiveRst, _) => Some(S::Closed),
        // §3.10.7.2 and §3.10.7.3.
        (I::ReceiveSyn, S::Closed | S::Listen | S::SynSent) => Some(S::SynReceived),
        (I::ReceiveSynAck, S::SynSent) => Some(S::Established),
        (I::ReceiveSynAck | I::ReceiveAckOfSyn, S::SynReceived) => Some(S::Established),
        // §3.10.7.4, eighth, check the FIN bit.
        (I::ReceiveFin, S::SynReceived | S::Established) => Some(S::CloseWait),
        (I::ReceiveFin, S::FinWait1) => Some(S::Closing),
        (I::ReceiveFin, S::FinWait2) => Some(S::TimeWait),
        // §3.10.7.4, fifth, check the ACK field.
        (I::ReceiveAckOfFin, S::FinWait1) => Some(S::FinWait2),
        (I::ReceiveAckOfFin, S::Closing) => Some(S::TimeWait),
        (I::ReceiveAckOfFin, S::LastAck) => Some(S::Closed),
        // §3.4.2.
        (I::TimeWaitOver, S::TimeWait) => Some(S::Closed),
        _ => None,
    }
}

/// What is known of an endpoint's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing it sent or received was captured.
    #[default]
    Unseen,
    /// The capture began in the middle of the connection: open, and nothing more is known.
    Midstream,
    /// In this state.
    In(State),
}

impl Standing {
    /// The state, with [`Self::Midstream`] taken as ESTABLISHED.
    #[must_use]
    pub const fn state(self) -> Option<State> {
        match self {
            Self::Unseen => None,
            Self::Midstream => Some(State::Established),
            Self::In(state) => Some(state),
        }
    }

    /// The standing after `input`.
    #[must_use]
    pub fn after(self, input: StateInput) -> Self {
        let from = match self {
            // An endpoint that opens was closed before; one that does anything else was open.
            Self::Unseen => match input {
                StateInput::SendSyn | StateInput::SendSynAck | StateInput::ReceiveSyn => {
                    State::Closed
                }
                StateInput::ReceiveSynAck => State::SynSent,
                _ => State::Established,
            },
            Self::Midstream => State::Established,
            Self::In(state) => state,
        };
        match next(from, input) {
            Some(state) => Self::In(state),
            None => self,
        }
    }
}

impl fmt::Display for Standing {
    /// The RFC's name of the state; `UNSEEN` and `MIDSTREAM` where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unseen => "UNSEEN",
            Self::Midstream => "MIDSTREAM",
            Self::In(state) => state.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_whole_matrix() {
        let mut table = String::new();
        for input in StateInput::ALL {
            writeln!(table, "{input:?}").unwrap();
            for state in State::ALL {
                if let Some(to) = next(state, input) {
                    writeln!(table, "  {state:<12} -> {to}").unwrap();
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn nothing_leaves_closed_but_an_open() {
        for input in StateInput::ALL {
            let opens = matches!(
                input,
                StateInput::SendSyn | StateInput::SendSynAck | StateInput::ReceiveSyn
            );
            assert_eq!(next(State::Closed, input).is_some(), opens, "{input:?}");
        }
    }
}
