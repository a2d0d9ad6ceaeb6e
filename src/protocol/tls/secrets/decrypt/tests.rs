//! Records of other keys are not decrypted, and nothing panics. That real records are decrypted is tested with
//! captures.

use proptest::prelude::*;

use super::*;
use crate::base::frame_ref::FrameNumber;
use crate::protocol::tls::secrets::{ConnectionSecrets, KeyStore};

fn secrets() -> ConnectionSecrets {
    let key_store = KeyStore::default();
    let random = "07".repeat(32);
    for (label, length) in [
        ("CLIENT_RANDOM", 48),
        ("CLIENT_EARLY_TRAFFIC_SECRET", 32),
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 32),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", 32),
        ("CLIENT_TRAFFIC_SECRET_0", 32),
        ("SERVER_TRAFFIC_SECRET_0", 32),
    ] {
        let line = format!("{label} {random} {}\n", "5a".repeat(length));
        key_store.read(line.as_bytes(), FrameNumber(0));
    }
    key_store
        .find(&[7; 32], FrameNumber(1))
        .expect("they are there")
}

fn agreed(version: u16, suite: u16) -> NegotiatedParameters {
    NegotiatedParameters {
        client_random: [7; 32],
        server_random: [8; 32],
        version,
        suite,
        encrypt_then_mac: suite & 1 == 0,
    }
}

/// Every kind of protection in every version that has it.
const PAIRS: [(u16, u16); 11] = [
    (0x0301, 0x002f),
    (0x0302, 0x0035),
    (0x0303, 0x003c),
    (0x0303, 0xc028),
    (0x0303, 0xc02f),
    (0x0303, 0xc030),
    (0x0303, 0xc09c),
    (0x0303, 0xcca8),
    (0x0304, 0x1301),
    (0x0304, 0x1303),
    (0x0304, 0x1305),
];

#[test]
fn what_cannot_be_opened_is_said() {
    let none = ConnectionSecrets::default();
    let table = [
        (agreed(0x0303, 0xc02f), &none, NotDecrypted::NoSecret),
        (agreed(0x0304, 0x1301), &none, NotDecrypted::NoSecret),
        (
            agreed(0x0303, 0x0005),
            &secrets(),
            NotDecrypted::Unsupported,
        ),
        (
            agreed(0x0300, 0x002f),
            &secrets(),
            NotDecrypted::Unsupported,
        ),
    ];
    for (agreed, secrets, wanted) in table {
        let got = Decryptor::new(&agreed, secrets).map(|_| ()).unwrap_err();
        assert_eq!(got, wanted, "{agreed:?}");
    }
}

#[test]
fn a_record_of_other_keys_stays_closed() {
    for (version, suite) in PAIRS {
        let mut decryptor = Decryptor::new(&agreed(version, suite), &secrets()).expect("known");
        let header = [APPLICATION_DATA, 3, 3, 0, 64];
        for side in [0, 1] {
            if version < 0x0304 {
                let clear = decryptor.open(side, [CHANGE_CIPHER_SPEC, 3, 3, 0, 1], &mut [1]);
                assert_eq!(clear.map(|plain| plain.kind), Ok(CHANGE_CIPHER_SPEC));
            }
            let opened = decryptor.open(side, header, &mut [0x33; 64]);
            assert_eq!(
                opened,
                Err(NotDecrypted::WrongSecret),
                "{version:#x} {suite:#x}"
            );
        }
    }
}

proptest! {
    #[test]
    fn records_never_panic(
        pair in 0..PAIRS.len(),
        records in prop::collection::vec(
            (0_usize..2, 20_u8..24, prop::collection::vec(any::<u8>(), 0..80), any::<bool>()),
            0..20,
        ),
    ) {
        let (version, suite) = PAIRS[pair];
        let mut decryptor = Decryptor::new(&agreed(version, suite), &secrets()).expect("known");
        for (side, kind, mut bytes, lost) in records {
            if lost {
                decryptor.lose(side);
            } else if bytes.len() == 7 {
                decryptor.skip(side, kind);
            }
            let length = bytes.len() as u8;
            if let Ok(plain) = decryptor.open(side, [kind, 3, 3, 0, length], &mut bytes) {
                prop_assert!(plain.place.end <= bytes.len());
            }
        }
    }
}

#[test]
fn encrypted_extensions_tell_of_early_data() {
    let told = |extensions: &[u8]| {
        let mut message = vec![
            8,
            0,
            0,
            extensions.len() as u8 + 2,
            0,
            extensions.len() as u8,
        ];
        message.extend_from_slice(extensions);
        let mut steps = HandshakeMessages::default();
        // In two pieces.
        let (first, second) = message.split_at(message.len() / 2);
        let mut rest = first;
        assert_eq!(steps.next(&mut rest), None);
        let mut rest = second;
        assert_eq!(
            steps.next(&mut rest),
            Some(HandshakeMessages::ENCRYPTED_EXTENSIONS)
        );
        steps.early_data()
    };
    assert_eq!(told(&[]), EarlyData::Refused);
    assert_eq!(told(&[0, 42, 0, 0]), EarlyData::Taken);
    assert_eq!(told(&[0, 16, 0, 2, 0, 42, 0, 42, 0, 0]), EarlyData::Taken);
    assert_eq!(told(&[0, 16, 0, 4, 0, 42, 0, 0]), EarlyData::Refused);
    // Cut short.
    assert_eq!(told(&[0, 16, 0, 9, 0, 42]), EarlyData::Refused);
}
