//! SSH (RFC 4253): lines of text, a line with the version, and packets, which can be read until the keys are taken into use.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};
use super::lines::line;

/// The longest packet that is believed (RFC 4253 §6.1 demands 35000 bytes; OpenSSH takes this).
const MAX_PACKET: u32 = 1 << 18;

/// Message numbers (RFC 4253 §12, RFC 4419 §5).
const DISCONNECT: u8 = 1;
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;

/// The step of the opening after which the client decides whether it trusts the server.
pub(crate) const HOST_KEY: &str = "the server's host key";
/// The last step of an opening in which the two offers have nothing in common (RFC 4253 §7.1).
pub(crate) const UNMATCHED: [&str; 4] = [
    "the offers of algorithms, which have no key exchange method in common",
    "the offers of algorithms, which have no host key type in common",
    "the offers of algorithms, which have no cipher in common",
    "the offers of algorithms, which have no MAC in common",
];
/// Bytes of an offer that are waited for; longer ones are not compared.
const MAX_OFFER: u64 = 4000;
/// What is listed among the key exchange methods, and is none (RFC 8308 §2.1; OpenSSH `PROTOCOL` §1.10).
const NO_METHODS: [&[u8]; 4] = [
    b"ext-info-c",
    b"ext-info-s",
    b"kex-strict-c-v00@openssh.com",
    b"kex-strict-s-v00@openssh.com",
];

/// The grammar.
#[derive(Clone, Debug, Default)]
pub(super) struct Grammar {
    sides: [Half; 2],
    /// The client asked for a group, which comes before the key (RFC 4419).
    group: bool,
}

#[derive(Clone, Debug, Default)]
struct Half {
    stage: Stage,
    /// It sent its version.
    version: bool,
    /// It said which algorithms it offers.
    offered: bool,
    /// The lists of its offer, until they are compared; none if it was too long.
    offer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Lines,
    Packets,
    Encrypted,
}

/// The first bytes are those of SSH.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let version = |bytes: &[u8]| bytes.starts_with(b"SSH-2.") || bytes.starts_with(b"SSH-1.");
    let (client, server) = (opening.client, opening.server);
    // Both versions come first: what was before the capture was the handshake alone, or one of them.
    if opening.midstream {
        let begins = |bytes: &[u8]| bytes.is_empty() || version(bytes);
        return (version(client) || version(server)) && begins(client) && begins(server);
    }
    let line = server.split(|byte| *byte == b'\n').next();
    let text = line.is_some_and(is_text);
    match (client.is_empty(), server.is_empty()) {
        (true, true) => false,
        (true, false) => version(server) || opening.port == 22 && text && server.contains(&b'\n'),
        (false, _) if version(client) => server.is_empty() || version(server) || text,
        (false, _) => false,
    }
}

/// Whether a line is one for people.
fn is_text(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.len() > 3 && line.iter().all(|byte| (b' '..=b'~').contains(byte))
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self::default()
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let place = match from {
            Side::Client => 0,
            Side::Server => 1,
        };
        match self.sides[place].stage {
            // What it means cannot be told any more, once both have taken their keys into use.
            Stage::Encrypted if self.sides[1 - place].stage == Stage::Encrypted => Step::Broken,
            Stage::Encrypted => {
                let unit = Unit::new(bytes.len() as u64, Role::Notice);
                Step::Message(match from {
                    Side::Client => unit.at(""),
                    Side::Server => unit,
                })
            }
            Stage::Lines => self.text(place, bytes, rest),
            Stage::Packets => self.packet(place, bytes, rest),
        }
    }
}

impl Grammar {
    fn text(&mut self, place: usize, bytes: &[u8], rest: Rest) -> Step {
        let (line, length) = match line(bytes, rest) {
            Ok(found) => found,
            Err(step) => return step,
        };
        if !line.starts_with(b"SSH-") {
            // Lines before the version are for people (RFC 4253 §4.2); where none follows, they tell why.
            let unit = Unit::new(length, Role::Notice);
            return match place {
                1 if line.is_empty() => Step::Message(unit),
                1 if is_text(line) => Step::Message(unit.ending(b"", line)),
                _ => Step::Broken,
            };
        }
        let old = line.starts_with(b"SSH-1.") && !line.starts_with(b"SSH-1.99");
        let role = self.turn(place, |half| &mut half.version);
        let half = &mut self.sides[place];
        half.stage = match old {
            true => Stage::Encrypted,
            false => Stage::Packets,
        };
        let unit = Unit::new(length, role).named("version", line).safe(true);
        let (name, version) = software(line);
        let unit = unit.by(name, version);
        let unit = unit.at("the versions");
        Step::Message(match place {
            1 => unit.settling(),
            _ => unit,
        })
    }

    /// What both sides send without being asked: the client waits for the other one's if it does not have that yet.
    fn turn(&mut self, place: usize, sent: fn(&mut Half) -> &mut bool) -> Role {
        *sent(&mut self.sides[place]) = true;
        let [client, server] = &mut self.sides;
        match (place, *sent(client), *sent(server)) {
            (0, _, false) => Role::Ask { ends: true },
            (1, true, _) => Role::Answer { ends: true },
            _ => Role::Notice,
        }
    }

    fn packet(&mut self, place: usize, bytes: &[u8], rest: Rest) -> Step {
        let [a, b, c, d, _, kind, body @ ..] = bytes else {
            return match rest {
                Rest::MayCome => Step::More,
                Rest::NotCaptured => Step::Broken,
            };
        };
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        if !(5..MAX_PACKET).contains(&length) {
            return Step::Broken;
        }
        let whole = u64::from(length) + 4;
        let unit = |role| Unit::new(whole, role);
        let server = place == 1;
        Step::Message(match *kind {
            DISCONNECT if (bytes.len() as u64) < whole && rest == Rest::MayCome => {
                return Step::More;
            }
            DISCONNECT => disconnect(whole, body),
            KEXINIT
                if whole <= MAX_OFFER && (bytes.len() as u64) < whole && rest == Rest::MayCome =>
            {
                return Step::More;
            }
            KEXINIT => {
                let role = self.turn(place, |half| &mut half.offered);
                self.sides[place].offer = match whole {
                    ..=MAX_OFFER => body.get(COOKIE..).unwrap_or_default().to_vec(),
                    _ => Vec::new(),
                };
                let [client, server] = &self.sides;
                let step = unmatched(&client.offer, &server.offer);
                if client.offered && server.offered {
                    for half in &mut self.sides {
                        half.offer = Vec::new();
                    }
                }
                unit(role)
                    .named("offer of algorithms", b"")
                    .safe(true)
                    .at(step.unwrap_or("the offers of algorithms"))
            }
            // Some clients look at the host key only after it: the session is open with the first encrypted byte.
            NEWKEYS => {
                self.sides[place].stage = Stage::Encrypted;
                unit(Role::Notice)
            }
            // The key exchange: the client begins, and asks once or twice.
            30 | 32 | 34 if !server => {
                self.group = *kind == 34;
                let ask = unit(Role::Ask { ends: true });
                ask.named("key exchange", b"").safe(true)
            }
            31 if server && self.group => unit(Role::Answer { ends: true }),
            31 | 33 if server => unit(Role::Answer { ends: true }).at(HOST_KEY),
            _ => unit(Role::Notice),
        })
    }
}

/// The name and the version of the software: `SSH-2.0-OpenSSH_9.2p1 Debian` (RFC 4253 §4.2).
fn software(line: &[u8]) -> (&[u8], &[u8]) {
    let software = line
        .splitn(3, |byte| *byte == b'-')
        .nth(2)
        .unwrap_or_default();
    let software = software
        .split(|byte| *byte == b' ')
        .next()
        .unwrap_or_default();
    match memchr::memchr(b'_', software) {
        Some(at) => (&software[..at], &software[at + 1..]),
        None => (software, b""),
    }
}

/// Bytes before the lists of an offer.
const COOKIE: usize = 16;

/// The name-lists of an offer: key exchange, host key, ciphers and MACs of both directions (RFC 4253 §7.1).
fn lists(offer: &[u8]) -> Option<[&[u8]; 6]> {
    let mut rest = offer;
    let mut lists = [&b""[..]; 6];
    for list in &mut lists {
        let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        *list = rest.get(4..)?.get(..length)?;
        rest = rest.get(4 + length..)?;
    }
    Some(lists)
}

/// The step of an opening whose offers have nothing in common. Ciphers that authenticate need no MAC.
fn unmatched(client: &[u8], server: &[u8]) -> Option<&'static str> {
    let (client, server) = (lists(client)?, lists(server)?);
    let names = |list: &'_ [u8]| {
        list.split(|byte| *byte == b',')
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let agreed = |place: usize| {
        let theirs = names(server[place]);
        let is_method = |name: &Vec<u8>| place > 0 || !NO_METHODS.contains(&&name[..]);
        names(client[place])
            .into_iter()
            .find(|name| is_method(name) && theirs.contains(name))
    };
    let authenticates = |cipher: &[u8]| {
        cipher.starts_with(b"chacha20-poly1305")
            || memchr::memmem::find(cipher, b"-gcm").is_some()
            || memchr::memmem::find(cipher, b"_GCM").is_some()
    };
    let [methods, keys, ciphers, macs] = UNMATCHED;
    agreed(0).is_none().then_some(methods).or_else(|| {
        agreed(1).is_none().then_some(keys).or_else(|| {
            [(2, 4), (3, 5)]
                .into_iter()
                .find_map(|(cipher, mac)| match agreed(cipher) {
                    None => Some(ciphers),
                    Some(cipher) if authenticates(&cipher) => None,
                    Some(_) => agreed(mac).is_none().then_some(macs),
                })
        })
    })
}

fn disconnect(whole: u64, body: &[u8]) -> Unit {
    let number = |bytes: Option<&[u8]>| {
        bytes
            .and_then(|it| it.first_chunk())
            .map(|it| u32::from_be_bytes(*it))
    };
    let reason = number(Some(body)).unwrap_or(0);
    let length = number(body.get(4..)).unwrap_or(0) as usize;
    let text = body.get(8..).unwrap_or_default();
    let text = text.get(..length.min(text.len())).unwrap_or_default();
    // RFC 4253 §11.1.
    let name: &[u8] = match reason {
        11 => return Unit::new(whole, Role::Goodbye),
        1 => b"SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT",
        2 => b"SSH_DISCONNECT_PROTOCOL_ERROR",
        3 => b"SSH_DISCONNECT_KEY_EXCHANGE_FAILED",
        4 => b"SSH_DISCONNECT_RESERVED",
        5 => b"SSH_DISCONNECT_MAC_ERROR",
        6 => b"SSH_DISCONNECT_COMPRESSION_ERROR",
        7 => b"SSH_DISCONNECT_SERVICE_NOT_AVAILABLE",
        8 => b"SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED",
        9 => b"SSH_DISCONNECT_HOST_KEY_NOT_VERIFIABLE",
        10 => b"SSH_DISCONNECT_CONNECTION_LOST",
        12 => b"SSH_DISCONNECT_TOO_MANY_CONNECTIONS",
        13 => b"SSH_DISCONNECT_AUTH_CANCELLED_BY_USER",
        14 => b"SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE",
        15 => b"SSH_DISCONNECT_ILLEGAL_USER_NAME",
        _ => b"SSH_MSG_DISCONNECT",
    };
    Unit::new(whole, Role::Notice).ending(name, text)
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told, told_midstream};

    const VERSION: &[u8] = b"SSH-2.0-OpenSSH_9.2\r\n";
    const KEXINIT: &[u8] = &[0, 0, 0, 6, 4, 20, 0, 0, 0, 0];
    const ECDH_INIT: &[u8] = &[0, 0, 0, 6, 4, 30, 0, 0, 0, 0];
    const ECDH_REPLY: &[u8] = &[0, 0, 0, 6, 4, 31, 0, 0, 0, 0];
    const NEWKEYS: &[u8] = &[0, 0, 0, 6, 4, 21, 0, 0, 0, 0];

    /// The lists of an offer.
    fn offer(lists: [&str; 4]) -> Vec<u8> {
        let [methods, keys, ciphers, macs] = lists;
        let all = [methods, keys, ciphers, ciphers, macs, macs];
        let list = |it: &&str| [&(it.len() as u32).to_be_bytes()[..], it.as_bytes()].concat();
        all.iter().flat_map(list).collect()
    }

    /// What was before the capture was the handshake of TCP.
    #[test]
    fn versions_show_the_beginning() {
        let said = [(">", VERSION), ("<", VERSION), (">", KEXINIT)];
        assert!(told_midstream(22, &said).starts_with("SSH"));
        assert!(told_midstream(22, &[("<", KEXINIT), (">", VERSION)]).starts_with('?'));
    }

    #[test]
    fn offers_without_anything_in_common_are_seen() {
        let own = ["a,b,ext-info-c", "k", "c,x-gcm@openssh.com", "m"];
        for (theirs, expected) in [
            (["b,z", "k", "c", "m"], None),
            (["z,ext-info-c", "k", "c", "m"], Some("key exchange method")),
            (["b", "z", "c", "m"], Some("host key type")),
            (["b", "k", "z", "m"], Some("cipher")),
            (["b", "k", "c", "z"], Some("MAC")),
            // This cipher authenticates by itself.
            (["b", "k", "x-gcm@openssh.com", "z"], None),
        ] {
            let step = super::unmatched(&offer(own), &offer(theirs));
            let kind = expected.map(|it| format!("have no {it} in common"));
            assert_eq!(step.is_some(), kind.is_some(), "{theirs:?}");
            let fits = |it: &str| kind.as_deref().is_some_and(|kind| it.ends_with(kind));
            assert!(step.is_none_or(fits), "{theirs:?}: {step:?}");
        }
        assert_eq!(super::unmatched(b"", &offer(own)), None);
        assert_eq!(super::unmatched(b"\xff\xff\xff\xffx", &offer(own)), None);
    }

    #[test]
    fn whose_turn_it_is() {
        let disconnect = [
            &[0, 0, 0, 20, 4, 1, 0, 0, 0, 3, 0, 0, 0, 2][..],
            b"no\0\0\0\0\0\0\0\0",
        ];
        let disconnect = disconnect.concat();
        let cases: &[(Said<'_>, &str)] = &[
            (
                &[(">", VERSION)],
                "SSH; version SSH-2.0-OpenSSH_9.2: unanswered; waiting",
            ),
            (&[("<", VERSION)], "SSH; before-request"),
            (&[("<", VERSION), (">", VERSION)], "SSH; between"),
            (
                &[
                    (">", VERSION),
                    ("<", VERSION),
                    (">", KEXINIT),
                    ("<", KEXINIT),
                    (">", ECDH_INIT),
                ],
                "SSH; version SSH-2.0-OpenSSH_9.2: answered; offer of algorithms: answered; \
                 key exchange: unanswered; waiting",
            ),
            (
                &[
                    ("<", VERSION),
                    (">", VERSION),
                    ("<", KEXINIT),
                    (">", KEXINIT),
                    (">", ECDH_INIT),
                    ("<", ECDH_REPLY),
                    ("<", NEWKEYS),
                    (">", NEWKEYS),
                ],
                "SSH; key exchange: answered; between",
            ),
            (
                &[("<", b"Not allowed at this time\r\n")],
                "SSH; B: - Not allowed at this time; before-request",
            ),
            (
                &[("<", VERSION), (">", VERSION), ("<", &disconnect)],
                "SSH; B: SSH_DISCONNECT_KEY_EXCHANGE_FAILED no; between",
            ),
            (
                &[
                    ("<", VERSION),
                    (">", VERSION),
                    ("<", NEWKEYS),
                    (">", NEWKEYS),
                    (">", b"whatever is encrypted"),
                ],
                "SSH; ?",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(told(22, said), *expected);
        }
    }
}
