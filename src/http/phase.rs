//! In which phase of which exchange something happened, as one end saw it.

/// The phases of a connection. The words are those of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The handshake is not complete. Never judged here: TCP knows.
    Connecting,
    /// TLS is being agreed on.
    TlsHandshake,
    /// Open, no byte of a request yet.
    BeforeRequest,
    /// A request has begun and is not complete.
    Request,
    /// The request is complete, no byte of the final response (1xx is none).
    Waiting,
    /// The response has begun, its head is not complete.
    ResponseHead,
    /// The head is complete, the body is not, by its own framing.
    ResponseBody,
    /// Every exchange is complete, no close was announced.
    Between,
    /// Every exchange is complete and the close was announced or implied.
    After,
    /// After a 101, or a CONNECT's 2xx.
    Tunnel,
    /// What is spoken cannot be told.
    Opaque,
}

impl Phase {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::TlsHandshake => "tls-handshake",
            Self::BeforeRequest => "before-request",
            Self::Request => "request",
            Self::Waiting => "waiting",
            Self::ResponseHead => "response-head",
            Self::ResponseBody => "response-body",
            Self::Between => "between",
            Self::After => "after",
            Self::Tunnel => "tunnel",
            Self::Opaque => "opaque",
        }
    }
}

/// How far one direction had come: payload bytes from the first byte seen, and whether the FIN was among it. The FIN
/// matters: it is what completes a body that is delimited by the close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reach {
    /// Payload bytes.
    pub bytes: u64,
    /// The FIN too.
    pub fin: bool,
}

impl Reach {
    /// `bytes` of payload, and no FIN.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self { bytes, fin: false }
    }

    /// `bytes` of payload and the FIN after them.
    #[must_use]
    pub const fn with_fin(bytes: u64) -> Self {
        Self { bytes, fin: true }
    }
}
