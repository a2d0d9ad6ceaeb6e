//! What the connections table is sorted by.

/// The sort key of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SortKey {
    Number,
    Client,
    Server,
    Host,
    Protocol,
    Request,
    Opened,
    Lasted,
    Ended,
    Outcome,
    Reason,
    When,
    Requests,
    Status,
    Bytes,
    Sent,
    Received,
    Handshake,
    Idle,
    Retransmitted,
    Finding,
}

impl SortKey {
    #[cfg(test)]
    pub(super) const ALL: [Self; 21] = [
        Self::Number,
        Self::Client,
        Self::Server,
        Self::Host,
        Self::Protocol,
        Self::Request,
        Self::Sent,
        Self::Received,
        Self::Handshake,
        Self::Idle,
        Self::Retransmitted,
        Self::Opened,
        Self::Lasted,
        Self::Ended,
        Self::Outcome,
        Self::Reason,
        Self::When,
        Self::Requests,
        Self::Status,
        Self::Bytes,
        Self::Finding,
    ];

    /// Whether the first press sorts in descending order, because the largest values are of interest.
    pub(super) const fn begins_with_most(self) -> bool {
        matches!(
            self,
            Self::Lasted
                | Self::Requests
                | Self::Bytes
                | Self::Sent
                | Self::Received
                | Self::Handshake
                | Self::Idle
                | Self::Retransmitted
                | Self::Finding
                | Self::Status
        )
    }
}
