//! The error log of nginx: `2025/11/20 19:01:02 [error] 7#7: *1 text, client: …, server: …, request: "…", upstream: "…"`.

use super::common_log::peer;
use crate::knowledge::{address_at, is_about_upstream};
use crate::logs::line::{Calendar, LineKind, LogLine, unescaped};

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let (time, length) = calendar.time_at(line)?;
    if line.as_bytes().get(4) != Some(&b'/') {
        return None;
    }
    let (level, rest) = line
        .get(length..)?
        .trim_start()
        .strip_prefix('[')?
        .split_once(']')?;
    let (process, text) = rest.trim_start().split_once(": ")?;
    process.contains('#').then_some(())?;
    let (_, text) = text
        .strip_prefix('*')
        .and_then(|it| it.split_once(' '))
        .unwrap_or(("", text));
    let (message, context) = match text.find(", client: ") {
        Some(at) => text.split_at_checked(at)?,
        None => (text, ""),
    };
    let mut read = LogLine {
        kind: LineKind::Event,
        time: Some(time),
        level: Some(level.into()),
        message: Some(message.into()),
        ..LogLine::default()
    };
    if let Some(client) = value(context, "client: ")
        && let Some((ip, port, _)) = address_at(client)
    {
        read.client = Some(ip);
        read.client_port = port;
    }
    if let Some(request) = quoted(context, "request: \"") {
        read.set_request(request);
    }
    if let Some(upstream) = quoted(context, "upstream: \"") {
        read.upstream = peer(upstream);
    }
    let keepalive =
        message.contains("waiting for request") || message.contains("keepalive connection");
    read.of_upstream = match is_about_upstream(message) {
        Some(side) => Some(side),
        // What it says without either is about the request.
        None => (read.client.is_some() || keepalive).then_some(false),
    };
    if read.of_upstream == Some(true) {
        // The request behind may have another target than the client's.
        let asked = quoted(context, "upstream: \"").and_then(path_of);
        if let Some(path) = asked.filter(|_| read.upstream.is_some()) {
            read.target = Some(unescaped(path).into());
        }
    }
    Some(read)
}

/// What follows a name in the list behind the message.
fn value<'l>(context: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = context.split_once(name)?;
    rest.split([',', ' ']).next()
}

fn quoted<'l>(context: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = context.split_once(name)?;
    let end = rest.find("\", ").or_else(|| rest.rfind('"'))?;
    rest.get(..end)
}

/// The path of `http://10.0.0.1:80/path`.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.get(rest.find('/')?..)
}
