//! SMB over TCP (MS-SMB2, MS-SMB, RFC 1002 §4.3): commands and answers with the same number. Of the old SMB 1 the errors of
//! commands are not read.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// The header of the session service.
const PREFIX: usize = 4;
/// The header of SMB 2.
const HEADER: usize = PREFIX + 64;
/// Statuses that are not the last word, or none of an error (MS-ERREF §2.3).
const PENDING: u32 = 0x0000_0103;
const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;

/// The grammar.
#[derive(Clone, Debug)]
pub(super) struct Grammar;

/// The first bytes are those of SMB.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let message = |bytes: &[u8]| {
        let protocol = bytes.get(PREFIX..).and_then(<[u8]>::first_chunk);
        let known = matches!(protocol, Some([0xfc..=0xff, b'S', b'M', b'B']));
        bytes.first() == Some(&0) && known
    };
    let session = matches!(opening.client, [0x81, 0, 0, 0x44, ..]) && opening.port == 139;
    let answers = matches!(opening.server.first(), None | Some(0 | 0x82..=0x85));
    (message(opening.client) || session) && answers
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Messages for Grammar {
    fn new(_opening: &Opening<'_>) -> Self {
        Self
    }

    fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
        let more = match rest {
            Rest::MayCome => Step::More,
            Rest::NotCaptured => Step::Broken,
        };
        let Some([kind, a, b, c]) = bytes.first_chunk() else {
            return more;
        };
        let length = u32::from_be_bytes([0, *a, *b, *c]);
        let whole = u64::from(length) + PREFIX as u64;
        let unit = |role| Unit::new(whole, role);
        if *kind != 0 {
            return Step::Message(match (kind, from) {
                (0x81, Side::Client) => unit(Role::Ask { ends: true })
                    .named("session request", b"")
                    .keyed(0),
                (0x82, Side::Server) => unit(Role::Answer { ends: true }).keyed(0),
                (0x83, Side::Server) => unit(Role::Answer { ends: true })
                    .ending(b"NEGATIVE SESSION RESPONSE", b"")
                    .keyed(0),
                (0x85, _) => unit(Role::Notice),
                _ => return Step::Broken,
            });
        }
        if bytes.len() < HEADER.min(whole as usize) {
            return more;
        }
        match bytes.get(PREFIX..PREFIX + 4) {
            Some([0xfe, b'S', b'M', b'B']) => Step::Message(second(from, whole, bytes)),
            Some([0xff, b'S', b'M', b'B']) => Step::Message(first(from, whole, bytes)),
            // Encrypted and compressed ones.
            Some([0xfd | 0xfc, b'S', b'M', b'B']) => Step::Message(unit(Role::Notice)),
            _ => Step::Broken,
        }
    }
}

/// A message of SMB 1.
fn first(from: Side, whole: u64, bytes: &[u8]) -> Unit {
    let negotiates = bytes.get(PREFIX + 4) == Some(&0x72);
    let unit = |role| Unit::new(whole, role);
    match from {
        Side::Client if negotiates => unit(Role::Ask { ends: true })
            .named("NEGOTIATE", b"")
            .keyed(0),
        Side::Server if negotiates => {
            let answer = unit(Role::Answer { ends: true }).keyed(0);
            // The number of the dialect that was chosen (MS-CIFS §2.2.4.52.2).
            match bytes.get(PREFIX + 32..PREFIX + 35) {
                Some([count, 0xff, 0xff]) if *count > 0 => {
                    answer.ending(b"", b"no dialect of the client's is spoken (0xFFFF)")
                }
                _ => answer,
            }
        }
        _ => command_of_first(from, whole, bytes),
    }
}

/// The flag of an answer (MS-CIFS §2.2.3.1).
const REPLY: u8 = 0x80;

/// A command of SMB 1 after the negotiation, or the answer to one: both have the same multiplex number.
fn command_of_first(from: Side, whole: u64, bytes: &[u8]) -> Unit {
    let unit = |role| Unit::new(whole, role);
    let byte = |at: usize| bytes.get(PREFIX + at).copied().unwrap_or(0);
    let name = match byte(4) {
        0x04 => "CLOSE",
        0x24 => "LOCKING_ANDX",
        0x25 => "TRANSACTION",
        0x2b => "ECHO",
        0x2e => "READ_ANDX",
        0x2f => "WRITE_ANDX",
        0x32 => "TRANSACTION2",
        0x71 => "TREE_DISCONNECT",
        0x73 => "SESSION_SETUP_ANDX",
        0x74 => "LOGOFF_ANDX",
        0x75 => "TREE_CONNECT_ANDX",
        0xa2 => "NT_CREATE_ANDX",
        // Others may have no answer: a cancellation, a part of a transaction, a change that is waited for.
        _ => return unit(Role::Notice),
    };
    let is_reply = byte(9) & REPLY != 0;
    // Apart from the negotiation, whose number is 0 here.
    let key = 1 << 16 | u64::from(short(bytes, PREFIX + 30).unwrap_or(0));
    match (from, is_reply) {
        (Side::Client, false) => unit(Role::Ask { ends: true }).named(name, b"").keyed(key),
        (Side::Server, true) => unit(Role::Answer { ends: true }).keyed(key),
        // A server that takes back a lock, and the client's answer.
        _ => unit(Role::Notice),
    }
}

/// A message of SMB 2 or 3 (MS-SMB2 §2.2.1).
fn second(from: Side, whole: u64, bytes: &[u8]) -> Unit {
    let unit = |role| Unit::new(whole, role);
    let (status, command) = (
        long(bytes, PREFIX + 8).unwrap_or(0),
        short(bytes, PREFIX + 12).unwrap_or(0),
    );
    let id = bytes.get(PREFIX + 24..).and_then(<[u8]>::first_chunk);
    let key = id.map_or(0, |id| u64::from_le_bytes(*id));
    let name = match command {
        0 => "NEGOTIATE",
        1 => "SESSION_SETUP",
        2 => "LOGOFF",
        3 => "TREE_CONNECT",
        4 => "TREE_DISCONNECT",
        5 => "CREATE",
        6 => "CLOSE",
        7 => "FLUSH",
        8 => "READ",
        9 => "WRITE",
        10 => "LOCK",
        11 => "IOCTL",
        13 => "ECHO",
        14 => "QUERY_DIRECTORY",
        16 => "QUERY_INFO",
        17 => "SET_INFO",
        18 => "OPLOCK_BREAK",
        // A cancellation has no answer; a change that is waited for may never come.
        _ => return unit(Role::Notice),
    };
    if from == Side::Client {
        let safe = matches!(command, 0 | 1 | 3 | 4 | 7 | 8 | 13 | 14 | 16);
        let ask = unit(Role::Ask { ends: true }).named(name, b"");
        return ask.keyed(key).safe(safe);
    }
    // With a pending status the server takes its time, as a read of a pipe may do: nobody may wait for it.
    let answer = unit(Role::Answer { ends: true }).keyed(key);
    let opens = matches!(command, 0 | 1 | 3);
    match status {
        0 | PENDING | MORE_PROCESSING_REQUIRED => answer,
        _ if opens || matches!(status, 0xc000_0203 | 0xc000_035c | 0xc000_0022) => {
            answer.complaining(b"", status_name(status).as_bytes())
        }
        _ => answer,
    }
}

/// The name of a status, or its number (MS-ERREF §2.3.1).
fn status_name(status: u32) -> String {
    let name = match status {
        0xc000_0001 => "STATUS_UNSUCCESSFUL",
        0xc000_0002 => "STATUS_NOT_IMPLEMENTED",
        0xc000_0008 => "STATUS_INVALID_HANDLE",
        0xc000_000d => "STATUS_INVALID_PARAMETER",
        0xc000_0010 => "STATUS_INVALID_DEVICE_REQUEST",
        0xc000_0022 => "STATUS_ACCESS_DENIED",
        0xc000_0034 => "STATUS_OBJECT_NAME_NOT_FOUND",
        0xc000_003a => "STATUS_OBJECT_PATH_NOT_FOUND",
        0xc000_0043 => "STATUS_SHARING_VIOLATION",
        0xc000_005e => "STATUS_NO_LOGON_SERVERS",
        0xc000_0064 => "STATUS_NO_SUCH_USER",
        0xc000_006a => "STATUS_WRONG_PASSWORD",
        0xc000_006d => "STATUS_LOGON_FAILURE",
        0xc000_006e => "STATUS_ACCOUNT_RESTRICTION",
        0xc000_006f => "STATUS_INVALID_LOGON_HOURS",
        0xc000_0070 => "STATUS_INVALID_WORKSTATION",
        0xc000_0071 => "STATUS_PASSWORD_EXPIRED",
        0xc000_0072 => "STATUS_ACCOUNT_DISABLED",
        0xc000_007f => "STATUS_DISK_FULL",
        0xc000_009a => "STATUS_INSUFFICIENT_RESOURCES",
        0xc000_00b5 => "STATUS_IO_TIMEOUT",
        0xc000_00ba => "STATUS_FILE_IS_A_DIRECTORY",
        0xc000_00bb => "STATUS_NOT_SUPPORTED",
        0xc000_00be => "STATUS_BAD_NETWORK_PATH",
        0xc000_00c9 => "STATUS_NETWORK_NAME_DELETED",
        0xc000_00ca => "STATUS_NETWORK_ACCESS_DENIED",
        0xc000_00cb => "STATUS_BAD_DEVICE_TYPE",
        0xc000_00cc => "STATUS_BAD_NETWORK_NAME",
        0xc000_00d0 => "STATUS_REQUEST_NOT_ACCEPTED",
        0xc000_00dc => "STATUS_INVALID_SERVER_STATE",
        0xc000_00df => "STATUS_NO_SUCH_DOMAIN",
        0xc000_0133 => "STATUS_TIME_DIFFERENCE_AT_DC",
        0xc000_015b => "STATUS_LOGON_TYPE_NOT_GRANTED",
        0xc000_0192 => "STATUS_NETLOGON_NOT_STARTED",
        0xc000_0193 => "STATUS_ACCOUNT_EXPIRED",
        0xc000_0199 => "STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT",
        0xc000_0203 => "STATUS_USER_SESSION_DELETED",
        0xc000_0205 => "STATUS_INSUFF_SERVER_RESOURCES",
        0xc000_020c => "STATUS_CONNECTION_DISCONNECTED",
        0xc000_020d => "STATUS_CONNECTION_RESET",
        0xc000_0224 => "STATUS_PASSWORD_MUST_CHANGE",
        0xc000_0234 => "STATUS_ACCOUNT_LOCKED_OUT",
        0xc000_0257 => "STATUS_PATH_NOT_COVERED",
        0xc000_035c => "STATUS_NETWORK_SESSION_EXPIRED",
        0xc000_0413 => "STATUS_AUTHENTICATION_FIREWALL_FAILED",
        _ => return format!("status 0x{status:08x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    fn message(command: u8, id: u8, status: u32) -> Vec<u8> {
        let mut bytes = vec![0; 68];
        bytes[3] = 64;
        bytes[4..8].copy_from_slice(b"\xfeSMB");
        bytes[12..16].copy_from_slice(&status.to_le_bytes());
        bytes[16] = command;
        bytes[28] = id;
        bytes
    }

    fn message_of_first(command: u8, id: u8, reply: bool) -> Vec<u8> {
        let mut bytes = vec![0; 42];
        bytes[3] = 38;
        bytes[4..8].copy_from_slice(b"\xffSMB");
        bytes[8] = command;
        bytes[13] = if reply { 0x98 } else { 0x18 };
        bytes[34] = id;
        bytes
    }

    #[test]
    fn whose_turn_it_is_in_the_first_version() {
        let say = message_of_first;
        let (ask, ok) = (say(0x72, 0, false), say(0x72, 0, true));
        let open: [(&str, &[u8]); 2] = [(">", &ask), ("<", &ok)];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (
                &[
                    (">", &say(0x2e, 1, false)),
                    (">", &say(0x04, 2, false)),
                    ("<", &say(0x04, 2, true)),
                ],
                "READ_ANDX: unanswered; CLOSE: answered; waiting",
            ),
            // A change that is waited for, and a lock that the server takes back.
            (&[(">", &say(0xa0, 1, false))], "between"),
            (&[("<", &say(0x24, 0xff, false))], "between"),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            assert_eq!(
                told(445, &all),
                format!("SMB; NEGOTIATE: answered; {expected}")
            );
        }
    }

    #[test]
    fn whose_turn_it_is() {
        let (ask, ok) = (message(0, 0, 0), message(0, 0, 0));
        let open: [(&str, &[u8]); 2] = [(">", &ask), ("<", &ok)];
        let cases: &[(Said<'_>, &str)] = &[
            (&[], "between"),
            (
                &[
                    (">", &message(8, 1, 0)),
                    (">", &message(9, 2, 0)),
                    ("<", &message(9, 2, 0)),
                ],
                "READ: unanswered; WRITE: answered; waiting",
            ),
            (
                &[(">", &message(1, 1, 0)), ("<", &message(1, 1, 0xc000_006d))],
                "SESSION_SETUP: answered; B: - STATUS_LOGON_FAILURE; between",
            ),
            (
                &[
                    (">", &message(8, 1, 0)),
                    ("<", &message(8, 1, 0x103)),
                    ("<", &message(8, 1, 0)),
                ],
                "READ: answered; between",
            ),
            (&[(">", &message(15, 1, 0))], "between"),
        ];
        for (said, expected) in cases {
            let all = [&open[..], said].concat();
            assert_eq!(
                told(445, &all),
                format!("SMB; NEGOTIATE: answered; {expected}")
            );
        }
    }
}
