//! The common and the combined format, and what derives from them: nginx, Apache httpd, gunicorn, Varnish, Traefik, Python.
//!
//! `host ident user [time] "request" status bytes "referer" "user agent"`; before it Apache's `vhost_combined` has the
//! server's name and port. What follows is looked through for times, addresses and names that stand before `=`.

use std::time::Duration;

use super::fields::{Field, fields, number, status};
use crate::base::net::Endpoint;
use crate::knowledge::address_at;
use crate::logs::line::{Calendar, LineKind, LogLine, unescaped};

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let fields = fields(line);
    let place = fields
        .iter()
        .position(|it| matches!(it, Field::Bracketed(text) if calendar.time_at(text).is_some()))?;
    let (time, _) = calendar.time_at(fields.get(place)?.text())?;
    let request = fields.get(place + 1)?.quoted()?;
    let code = fields.get(place + 2)?.word()?;
    if place == 0 || code != "-" && status(code).is_none() {
        return None;
    }
    let mut read = LogLine {
        kind: LineKind::Access,
        time: Some(time),
        status: status(code),
        ..LogLine::default()
    };
    read.set_request(request);
    let mut rest = fields.get(place + 3..)?.iter().copied();
    let mut after: Vec<Field<'_>> = Vec::new();
    match rest.next() {
        Some(Field::Word("-")) => read.bytes = Some(0),
        Some(Field::Word(word)) => read.bytes = number(word),
        Some(other) => after.push(other),
        None => {}
    }
    after.extend(rest);
    set_client(&mut read, fields.get(..place)?);
    let quoted = |at: usize| after.get(at).and_then(|it| it.quoted());
    if let (Some(_), Some(agent)) = (quoted(0), quoted(1)) {
        read.agent = (agent != "-").then(|| unescaped(agent).into());
        extras(&mut read, after.get(2..)?);
    } else {
        extras(&mut read, &after);
    }
    Some(read)
}

/// The client is the first field, or the second behind the name of a virtual host.
fn set_client(read: &mut LogLine, before: &[Field<'_>]) {
    for (at, field) in before.iter().take(2).enumerate() {
        let Some(word) = field.word() else { return };
        if let Some((ip, port, length)) = address_at(word)
            && (length == word.len() || word.get(length..).is_some_and(|it| it == ","))
        {
            read.client = Some(ip);
            read.client_port = port;
            return;
        }
        let port = word
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        if at == 0 && port.is_some() {
            read.local_port = port;
        }
    }
}

/// What stands behind the usual fields: names with values, times, and addresses of servers.
fn extras(read: &mut LogLine, fields: &[Field<'_>]) {
    for field in fields {
        let text = field.text();
        if let Some((name, value)) = text.split_once('=') {
            named(read, name, value.trim_matches('"'));
        } else if let Some(peer) = peer(text) {
            read.upstream = read.upstream.or(Some(peer));
        } else if let (Some(time), None) = (seconds(text), read.duration) {
            read.duration = Some(time);
        }
    }
}

/// A field that says what it is, by names that are common in nginx' `log_format`s.
fn named(read: &mut LogLine, name: &str, value: &str) {
    match name {
        "rt" | "request_time" => {
            let seconds = value.parse().ok();
            read.duration = seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
        }
        "ua" | "us_addr" | "upstream" | "upstream_addr" | "uaddr" => {
            let last = value.rsplit([',', ' ']).next().unwrap_or(value);
            read.upstream = peer(last).or(read.upstream);
        }
        "port" | "remote_port" => read.client_port = value.parse().ok(),
        "server_port" | "sport" => read.local_port = value.parse().ok(),
        _ => {}
    }
}

/// An address with its port, behind a scheme or not.
pub(super) fn peer(text: &str) -> Option<Endpoint> {
    let text = text.split_once("://").map_or(text, |(_, it)| it);
    let (ip, port, length) = address_at(text)?;
    let rest = text.get(length..)?;
    (rest.is_empty() || rest.starts_with(['/', '?', '"', ',', ' '])).then_some(())?;
    Some(Endpoint { ip, port: port? })
}

/// `0.123` is seconds, `3ms` what it says. A number alone could be anything.
fn seconds(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return Some(Duration::from_millis(millis.parse().ok()?));
    }
    let (whole, fraction) = text.split_once('.')?;
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    (digits(whole) && digits(fraction) && fraction.len() >= 3).then_some(())?;
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}
