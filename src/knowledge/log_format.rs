//! The formats of logs: what they are called, and which moment of a request their time is.
//!
//! Sources: nginx `ngx_http_log_module` (a line is written when the request is over) and `ngx_log_error_core`; Apache httpd
//! `mod_log_config` (`%t` is the time at which the request was received) and `ErrorLogFormat`; HAProxy's configuration manual,
//! chapter 8.2 (`%tr` is the time of the first byte of the request); Envoy, "Access logging" (`START_TIME`); Microsoft, "W3C
//! Extended Log File Format" and "Format of the HTTP Server API Error Logs" (both in UTC, at the end); AWS, "Access logs for
//! your Application Load Balancer" (`time` is that of the response, `request_creation_time` that of the request).

/// The format of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the titles say it")]
pub enum LogFormat {
    CommonLog,
    NginxError,
    ApacheError,
    Haproxy,
    Envoy,
    IisW3c,
    HttpSysError,
    Alb,
    Json,
    Text,
}

/// Which moment of a request the time of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampedAt {
    /// When it began.
    Start,
    /// When it was over.
    End,
    /// One of them: products differ.
    StartOrEnd,
    /// The moment of what is reported.
    Event,
}

impl LogFormat {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 10] = [
        Self::Json,
        Self::NginxError,
        Self::ApacheError,
        Self::Alb,
        Self::Haproxy,
        Self::Envoy,
        Self::CommonLog,
        Self::HttpSysError,
        Self::IisW3c,
        Self::Text,
    ];

    /// The name in reports for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommonLog => "common",
            Self::NginxError => "nginx-error",
            Self::ApacheError => "apache-error",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::IisW3c => "w3c",
            Self::HttpSysError => "httperr",
            Self::Alb => "alb",
            Self::Json => "json",
            Self::Text => "text",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::CommonLog => "access log, common or combined format",
            Self::NginxError => "nginx error log",
            Self::ApacheError => "Apache error log",
            Self::Haproxy => "HAProxy log",
            Self::Envoy => "Envoy access log",
            Self::IisW3c => "W3C extended log",
            Self::HttpSysError => "HTTP.sys error log",
            Self::Alb => "AWS ALB access log",
            Self::Json => "JSON lines",
            Self::Text => "lines with a time stamp",
        }
    }

    /// Which moment of a request its lines have.
    #[must_use]
    pub const fn stamped_at(self) -> StampedAt {
        match self {
            Self::Haproxy | Self::Envoy => StampedAt::Start,
            Self::IisW3c | Self::Alb => StampedAt::End,
            Self::CommonLog | Self::Json => StampedAt::StartOrEnd,
            Self::NginxError | Self::ApacheError | Self::HttpSysError | Self::Text => {
                StampedAt::Event
            }
        }
    }
}

/// Words by which the line of a proxy's error log says that it is about the connection to its own server.
const UPSTREAM: [&str; 10] = [
    "upstream prematurely",
    "reading upstream",
    "from upstream",
    "to upstream",
    "upstream timed out",
    "upstream sent",
    "upstream response is buffered",
    "remote server",
    "make connection to backend",
    "attempt to connect to",
];
/// Words by which it says that it is about its client's connection.
const CLIENT: [&str; 10] = [
    "client canceled",
    "client prematurely closed",
    "client closed",
    "client timed out",
    "client intended",
    "to client",
    "client request",
    "client sent",
    "no live upstreams",
    "remote end closed its",
];

/// Whether a line of a proxy's error log is about the connection to its server (`Some(true)`) or to its client
/// (`Some(false)`).
#[must_use]
pub(crate) fn is_about_upstream(message: &str) -> Option<bool> {
    // The message of a client that left names the upstream that was closed for it.
    if CLIENT.iter().any(|it| message.contains(it)) {
        return Some(false);
    }
    UPSTREAM
        .iter()
        .any(|it| message.contains(it))
        .then_some(true)
}

/// Statuses that a server logs where the client got none: the client left (nginx 499, AWS ALB 460), the server closed without
/// a response (nginx 444), or nothing was sent (Envoy and others 0).
pub(crate) const NOT_SENT: [u16; 4] = [0, 444, 460, 499];
