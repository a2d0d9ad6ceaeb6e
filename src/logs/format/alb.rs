//! The access log of AWS' application load balancer (AWS, "Access logs for your Application Load Balancer", Syntax).
//!
//! `type time elb client:port target:port request_time target_time response_time elb_status target_status received sent
//! "request" "user agent" …`, with `error_reason` as the 25th field.

use std::time::Duration;

use super::common_log::peer;
use super::fields::{Field, fields, number, status};
use crate::logs::line::{Calendar, LineKind, LogLine, unescaped};

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let fields = fields(line);
    let word = |at: usize| fields.get(at).and_then(|it: &Field<'_>| it.word());
    let quoted = |at: usize| fields.get(at).and_then(|it: &Field<'_>| it.quoted());
    ["http", "https", "h2", "grpcs", "ws", "wss"]
        .contains(&word(0)?)
        .then_some(())?;
    let (time, _) = calendar.time_at(word(1)?)?;
    let client = peer(word(3)?);
    let times = [word(5)?, word(6)?, word(7)?].map(|it| it.parse::<f64>().ok());
    // -1 is a time that was not measured.
    let whole: Option<f64> = times.into_iter().map(|it| it.filter(|it| *it >= 0.0)).sum();
    let reason = quoted(24).or(word(24)).filter(|it| *it != "-");
    let mut read = LogLine {
        kind: LineKind::Access,
        time: Some(time),
        client: client.map(|it| it.ip),
        client_port: client.map(|it| it.port),
        upstream: word(4).and_then(peer),
        duration: whole.and_then(|it| Duration::try_from_secs_f64(it).ok()),
        status: word(8).and_then(status),
        bytes: word(11).and_then(number),
        agent: quoted(13)
            .filter(|it| *it != "-")
            .map(|it| unescaped(it).into()),
        ending: reason.map(Into::into),
        ..LogLine::default()
    };
    read.set_request(quoted(12)?);
    Some(read)
}
