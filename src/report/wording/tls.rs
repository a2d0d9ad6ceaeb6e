//! The TLS facts of one connection in a few lines: the version, whether it was decrypted, whose certificate.

use super::moment::Zone;
use crate::analysis::connection::Connection;
use crate::base::escape::shortened;
use crate::protocol::http::Protocol;
use crate::protocol::tls::secrets::NotDecrypted;
use crate::protocol::tls::{Certificate, ClientCertificate, TlsFacts};

/// Characters of a name that are shown.
const NAME: usize = 60;
/// Names shown of one certificate.
const NAMES: usize = 3;

/// The lines, each with its subject; empty without TLS.
#[must_use]
pub fn lines(connection: &Connection) -> Vec<(&'static str, String)> {
    let Some(facts) = connection.tls.as_deref() else {
        return Vec::new();
    };
    let mut lines = vec![
        ("version", version(facts)),
        ("inside", inside(connection, facts)),
    ];
    if let Some((at, leaf)) = facts.leaf() {
        lines.push(("certificate", certificate(leaf)));
        let zone = Zone::UTC;
        let (from, until) = (zone.date(leaf.from.time()), zone.date(leaf.until.time()));
        let valid = match leaf.is_valid_at(at.time) {
            true => "valid",
            false => "NOT valid at that time:",
        };
        lines.push((
            "",
            format!("{valid} {from} to {until}, issued by {}", issuer(leaf)),
        ));
        let wanted = facts.sni();
        if let Some(name) = wanted.filter(|name| leaf.is_for(name) == Some(false)) {
            let name = shortened(name.as_bytes(), NAME);
            lines.push(("", format!("NOT for {name}, which was asked for")));
        }
    }
    let client = match facts.client_certificate {
        ClientCertificate::NotAsked => None,
        ClientCertificate::Asked(_) => Some("the server asks for one of the client"),
        ClientCertificate::Missing(..) => {
            Some("the server asks for one of the client, which has none")
        }
        ClientCertificate::Sent(_) => Some("the client sent one of its own"),
    };
    lines.extend(client.map(|text| ("", text.to_owned())));
    lines
}

fn version(facts: &TlsFacts) -> String {
    let version = facts.version().map(|it| it.to_string());
    let mut text = version.unwrap_or_else(|| "not agreed on, or not seen".to_owned());
    if let Some(name) = facts.sni() {
        text += &format!(" with {}", shortened(name.as_bytes(), NAME));
    }
    let answer = facts.answer.as_ref().map(|(_, answer)| answer);
    if let Some(chosen) = answer.and_then(|it| it.alpn.as_deref()) {
        text += &format!(", ALPN {}", shortened(chosen, NAME));
    }
    if answer.is_some_and(|it| it.resumed) {
        text += ", resumed";
    }
    text
}

fn inside(connection: &Connection, facts: &TlsFacts) -> String {
    let stack = match connection.protocol {
        Protocol::Http1 => "HTTP/1",
        Protocol::Http2 => "HTTP/2",
        Protocol::WebSocket => "a WebSocket",
        Protocol::Tls => "not a word was said",
        _ => "it is no HTTP",
    };
    match (facts.is_open, facts.closed) {
        (true, _) => format!("opened with its secrets: {stack}"),
        (false, None) if cfg!(feature = "decrypt") => {
            "hidden; a key log would open it (--keylog)".to_owned()
        }
        (false, None | Some(NotDecrypted::NotBuilt)) => {
            "hidden: this build cannot decrypt (feature \"decrypt\")".to_owned()
        }
        (false, Some(NotDecrypted::NoSecret)) => {
            "hidden: the key log has no secret of this connection".to_owned()
        }
        (false, Some(NotDecrypted::WrongSecret)) => {
            "hidden: the secret of this connection does not fit".to_owned()
        }
        (false, Some(NotDecrypted::Unsupported)) => {
            "hidden: this version or cipher suite is not opened here".to_owned()
        }
    }
}

fn certificate(leaf: &Certificate) -> String {
    let names = leaf
        .names
        .iter()
        .map(|it| shortened(it.as_bytes(), NAME).into_owned());
    let all: Vec<String> = names
        .chain(leaf.addresses.iter().map(ToString::to_string))
        .collect();
    let mut text = all
        .iter()
        .take(NAMES)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more @ 1..) = all.len().checked_sub(NAMES) {
        text += &format!(" and {} more", more + leaf.more_names as usize);
    }
    format!("for {text}")
}

fn issuer(leaf: &Certificate) -> String {
    match leaf.self_issued {
        true => "itself".to_owned(),
        false => shortened(leaf.issuer.as_bytes(), NAME).into_owned(),
    }
}
