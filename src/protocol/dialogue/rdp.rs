//! RDP (MS-RDPBCGR): the client asks which security is to be used, and the server agrees or says why not. What comes after it
//! in plain text is not told apart.

use super::grammar::{Messages, Opening, Rest, Role, Side, Step, Unit};

/// The port of RDP.
const PORT: u16 = 3389;

/// The grammar.
#[derive(Clone, Debug)]
pub(super) struct Grammar;

/// Length, type and what follows the fixed part of a connection request or its confirmation (ITU-T X.224 §13.3).
fn negotiation(bytes: &[u8], kind: u8) -> Option<&[u8]> {
    let [3, 0, high, low, indicator, code, fixed @ ..] = bytes else {
        return None;
    };
    let length = u16::from_be_bytes([*high, *low]);
    let fits = *code == kind && length == u16::from(*indicator) + 5 && length >= 11;
    let end = usize::from(length).saturating_sub(6).min(fixed.len());
    fits.then(|| fixed.get(5..end))?
}

/// The first bytes are those of RDP.
pub(super) fn recognise(opening: &Opening<'_>) -> bool {
    let Some(asked) = negotiation(opening.client, 0xe0) else {
        return false;
    };
    let cookie = asked.starts_with(b"Cookie: msts");
    let wish = matches!(asked, [.., 1, _, 8, 0, _, _, _, _]);
    let answers = matches!(opening.server.first(), None | Some(3));
    answers && (cookie || wish || opening.port == PORT)
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
        let Some([first, second, third, fourth]) = bytes.first_chunk() else {
            return more;
        };
        if *first != 3 {
            // Fast-path (MS-RDPBCGR §2.2.8.1.2).
            let length = match second & 0x80 {
                0 => u16::from(*second),
                _ => u16::from_be_bytes([second & 0x7f, *third]),
            };
            return match first & 3 == 0 && length > 2 {
                true => Step::Message(Unit::new(length.into(), Role::Notice)),
                false => Step::Broken,
            };
        }
        let length = u16::from_be_bytes([*third, *fourth]);
        if length < 7 {
            return Step::Broken;
        }
        if bytes.len() < usize::from(length).min(300) && rest == Rest::MayCome {
            return Step::More;
        }
        let unit = |role| Unit::new(length.into(), role);
        Step::Message(match (from, bytes.get(4..).unwrap_or_default()) {
            (Side::Client, [_, 0xe0, ..]) => unit(Role::Ask { ends: true })
                .named("connection request", b"")
                .safe(true),
            (Side::Server, [_, 0xd0, ..]) => {
                let answer = unit(Role::Answer { ends: true });
                match negotiation(bytes, 0xd0) {
                    Some([3, _, _, _, code, ..]) => {
                        answer.ending(b"RDP_NEG_FAILURE", failure(*code))
                    }
                    _ => answer,
                }
            }
            // Disconnect-Provider-Ultimatum (ITU-T T.125 §7).
            (_, [2, 0xf0, 0x80, 0x20 | 0x21, ..]) => unit(Role::Goodbye),
            _ => unit(Role::Notice),
        })
    }
}

/// Why the server does not agree (MS-RDPBCGR §2.2.1.2.2).
const fn failure(code: u8) -> &'static [u8] {
    match code {
        1 => b"SSL_REQUIRED_BY_SERVER",
        2 => b"SSL_NOT_ALLOWED_BY_SERVER",
        3 => b"SSL_CERT_NOT_ON_SERVER",
        4 => b"INCONSISTENT_FLAGS",
        5 => b"HYBRID_REQUIRED_BY_SERVER",
        6 => b"SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
        _ => b"unknown failure code",
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::dialogue::tests::{Said, told};

    const ASK: &[u8] = &[3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0];
    const FAILURE: &[u8] = &[
        3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 5, 0, 0, 0,
    ];
    const AGREED: &[u8] = &[
        3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 0, 0, 0, 0,
    ];
    const ULTIMATUM: &[u8] = &[3, 0, 0, 9, 2, 0xf0, 0x80, 0x21, 0x80];

    #[test]
    fn whose_turn_it_is() {
        let cases: &[(Said<'_>, &str)] = &[
            (&[(">", ASK)], "unanswered; waiting"),
            (&[(">", ASK), ("<", AGREED)], "answered; between"),
            (
                &[(">", ASK), ("<", FAILURE)],
                "answered; B: RDP_NEG_FAILURE HYBRID_REQUIRED_BY_SERVER; between",
            ),
            (
                &[(">", ASK), ("<", AGREED), ("<", ULTIMATUM)],
                "answered; goodbye; after",
            ),
        ];
        for (said, expected) in cases {
            let told = told(3389, said);
            assert_eq!(told, format!("RDP; connection request: {expected}"));
        }
    }
}
