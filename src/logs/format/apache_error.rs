//! The error log of Apache httpd:
//! `[Thu Nov 20 19:01:02.123456 2025] [proxy_http:error] [pid 7:tid 8] (104)…: [client 10.0.0.1:4711] AH01102: text 10.0.0.2:80`.

use super::fields::{Field, fields};
use crate::base::net::Endpoint;
use crate::knowledge::{address_at, is_about_upstream};
use crate::logs::line::{Calendar, LineKind, LogLine};

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let fields = fields(line);
    let Some(Field::Bracketed(stamp)) = fields.first().copied() else {
        return None;
    };
    // The day of the week says nothing new.
    let (day, stamp) = stamp.split_once(' ')?;
    (day.len() == 3 && day.bytes().all(|it| it.is_ascii_alphabetic())).then_some(())?;
    let (time, _) = calendar.time_at(stamp)?;
    let Some(Field::Bracketed(module)) = fields.get(1).copied() else {
        return None;
    };
    let mut read = LogLine {
        kind: LineKind::Event,
        time: Some(time),
        level: Some(module.rsplit(':').next().unwrap_or(module).into()),
        ..LogLine::default()
    };
    let client = fields.iter().find_map(|it| match it {
        Field::Bracketed(text) => text.strip_prefix("client "),
        _ => None,
    });
    if let Some((ip, port, _)) = client.and_then(address_at) {
        read.client = Some(ip);
        read.client_port = port;
    }
    let message = message(line);
    read.of_upstream = match is_about_upstream(&message) {
        Some(side) => Some(side),
        None => read.client.is_some().then_some(false),
    };
    read.named = peers(&message);
    if read.of_upstream == Some(true) {
        read.upstream = read.named.first().copied();
    }
    read.message = Some(message.into());
    Some(read)
}

/// The text without what stands in brackets at its beginning, and without the client.
fn message(line: &str) -> String {
    let mut rest = line;
    while let Some(inside) = rest.strip_prefix('[')
        && let Some((_, after)) = inside.split_once(']')
    {
        rest = after.trim_start();
    }
    match (rest.find("[client "), rest.find("] ")) {
        (Some(from), Some(to)) if from < to => {
            let before = rest.get(..from).unwrap_or_default();
            format!("{before}{}", rest.get(to + 2..).unwrap_or_default())
        }
        _ => rest.to_owned(),
    }
}

/// Addresses with ports in a text.
pub(super) fn peers(text: &str) -> Vec<Endpoint> {
    const MOST: usize = 4;
    let mut peers = Vec::new();
    for word in text.split([
        ' ', '"', '\'', '(', ')', '/', ',', '>', '=', ';', '<', '-', '@',
    ]) {
        if peers.len() >= MOST {
            break;
        }
        if let Some((ip, Some(port), _)) = address_at(word) {
            let peer = Endpoint { ip, port };
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
    }
    peers
}
