//! The header of the PROXY protocol: the addresses become those that the packets have, ports stay, and additions are filler.
//!
//! Version 1 writes addresses in figures. If those of the packets need more or less room, it becomes a header that names no
//! client, of the same length (`UNKNOWN`, after which a receiver passes over the rest of the line): another address would name
//! somebody else.

use std::net::IpAddr;

use super::filler::FILLER;
use super::key::Key;

const LINE: &[u8] = b"PROXY ";
const NAMES_NONE: &[u8] = b"UNKNOWN";
/// Signature, version and command, family, and length of version 2.
const BINARY: usize = 16;

/// Replaces a header.
pub(super) fn rewrite(key: &Key, bytes: &mut [u8]) {
    if let Some(line) = bytes.strip_prefix(LINE) {
        let now = line_of(key, line).unwrap_or_else(|| without_client(line.len()));
        if let Some(place) = bytes.get_mut(LINE.len()..) {
            place.copy_from_slice(&now);
        }
        return;
    }
    let family = bytes.get(13).map_or(0, |it| it >> 4);
    let rest = bytes.get_mut(BINARY..).unwrap_or_default();
    let length = match family {
        1 => 4,
        2 => 16,
        _ => return rest.fill(FILLER),
    };
    let (addresses, rest) = rest.split_at_mut((2 * length).min(rest.len()));
    for address in addresses.chunks_exact_mut(length) {
        key.replace_address(address);
    }
    // Both ports.
    additions(rest.get_mut(4..).unwrap_or_default());
}

/// The rest of a line of version 1, of the same length; `None` if there is no room for its addresses.
fn line_of(key: &Key, line: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for word in words.get_mut(1..3)? {
        *word = key.address(word.parse::<IpAddr>().ok()?).to_string();
    }
    let now = words.join(" ").into_bytes();
    (now.len() == line.len()).then_some(now)
}

fn without_client(length: usize) -> Vec<u8> {
    let mut now = vec![FILLER; length];
    let room = now.get_mut(..NAMES_NONE.len());
    if let Some(room) = room {
        room.copy_from_slice(NAMES_NONE);
    }
    if let Some(space) = now.get_mut(NAMES_NONE.len()) {
        *space = b' ';
    }
    if let Some(end) = length.checked_sub(2).and_then(|it| now.get_mut(it..)) {
        end.copy_from_slice(b"\r\n");
    }
    now
}

/// The additions of version 2: their types and lengths stay.
fn additions(mut rest: &mut [u8]) {
    while let Some(&[_, high, low]) = rest.first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let content = rest.get_mut(3..).unwrap_or_default();
        let length = length.min(content.len());
        let (content, next) = content.split_at_mut(length);
        content.fill(FILLER);
        rest = next;
    }
    rest.fill(FILLER);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::layers::ProxyHeader;

    #[test]
    fn a_line_names_the_client_of_the_packets_or_none() {
        let key = Key::of_bytes(b"0123456789abcdef0123456789abcdef").unwrap();
        let (mut exact, mut none) = (0, 0);
        for nth in 0..=255 {
            let client = format!("10.{nth}.{nth}.203");
            let line = format!("PROXY TCP4 {client} 10.83.1.10 42318 80\r\n");
            let mut bytes = line.clone().into_bytes();
            rewrite(&key, &mut bytes);
            let header = ProxyHeader::of(&bytes).unwrap();
            assert_eq!(header.length as usize, line.len());
            assert!(!String::from_utf8_lossy(&bytes).contains(&client));
            match header.client() {
                Some(it) => {
                    exact += 1;
                    assert_eq!(
                        (it.ip, it.port),
                        (key.address(client.parse().unwrap()), 42318)
                    );
                }
                None => none += 1,
            }
        }
        assert!(exact > 0 && none > 0, "{exact} {none}");
    }

    #[test]
    fn additions_keep_their_lengths() {
        let key = Key::of_bytes(b"0123456789abcdef0123456789abcdef").unwrap();
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        bytes.extend([0x21, 0x11, 0, 19, 10, 0, 0, 1, 10, 0, 0, 2, 0x10, 0, 0, 80]);
        bytes.extend(*b"\x02\0\x04shop");
        rewrite(&key, &mut bytes);
        let client = ProxyHeader::of(&bytes).unwrap().client().unwrap();
        assert_eq!(client.ip, key.address("10.0.0.1".parse().unwrap()));
        assert_eq!(client.port, 0x1000);
        assert_eq!(&bytes[28..], b"\x02\0\x04xxxx");
    }
}
