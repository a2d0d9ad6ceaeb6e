//! The default access log of Envoy, and the longer one of Istio, which has reasons before the sizes and addresses at the end.

use std::time::Duration;

use super::common_log::peer;
use super::fields::{Field, fields, number, status};
use crate::logs::line::{Calendar, LineKind, LogLine, unescaped};

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let fields = fields(line);
    let (Field::Bracketed(stamp), Field::Quoted(request)) = (*fields.first()?, *fields.get(1)?)
    else {
        return None;
    };
    let (time, _) = calendar.time_at(stamp)?;
    let code = status(fields.get(2)?.word()?)?;
    let flags = fields.get(3)?.word()?;
    // Received, sent, duration and the upstream's time are four numbers, the last of which may be `-`.
    let rest = fields.get(4..)?;
    let sizes = rest.windows(4).position(|it| {
        let numeric = |at: usize| it[at].word().is_some_and(|it| number(it).is_some());
        numeric(0) && numeric(1) && numeric(2) && matches!(it[3], Field::Word(_))
    })?;
    let size = |at: usize| rest.get(sizes + at)?.word().and_then(number);
    let text = |at: usize| rest.get(sizes + at)?.quoted().filter(|it| *it != "-");
    let details = rest.first().and_then(|it| it.word()).filter(|_| sizes > 0);
    let ending = match (flags, details) {
        ("-", _) => None,
        (flags, Some(details)) if details != "-" => Some(format!("{flags} {details}")),
        (flags, _) => Some(flags.to_owned()),
    };
    let mut read = LogLine {
        kind: LineKind::Access,
        time: Some(time),
        status: Some(code),
        bytes: size(1),
        duration: size(2).map(Duration::from_millis),
        agent: text(5).map(|it| unescaped(it).into()),
        upstream: text(8).and_then(peer),
        ending: ending.map(Into::into),
        ..LogLine::default()
    };
    read.set_request(request);
    // `upstream_cluster upstream_local downstream_local downstream_remote`, as Istio writes it.
    if let Some(tail) = rest.get(sizes + 9..) {
        let peers: Vec<_> = tail.iter().map(|it| it.word().and_then(peer)).collect();
        if let [_, _, Some(local), Some(client), ..] = peers[..] {
            read.local = Some(local.ip);
            read.local_port = Some(local.port);
            read.client = Some(client.ip);
            read.client_port = Some(client.port);
        }
    }
    Some(read)
}
