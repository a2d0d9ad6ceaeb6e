//! TLS with known secrets: the fuzzer's bytes are the protected content, so that they pass authentication; some are
//! records as on the wire. If nothing is missing, the result must not depend on how the bytes are cut.

#![no_main]

use hangup::protocol::tls::secrets::KeyStore;
use hangup::base::frame_ref::FrameNumber;
use hangup::base::flow_end::FlowEnd;
use hangup::protocol::layers::{LayerOptions, ProtocolStack};
use libfuzzer_sys::fuzz_target;

#[path = "../shared/memory.rs"]
mod memory;
#[path = "../../seal/mod.rs"]
mod seal;
#[path = "../shared/turns.rs"]
mod turns;

use seal::{Sealer, Suite};
use turns::Turn;

/// Amount of data that may wait for its secrets in any case.
const LITTLE: u64 = 64 << 10;

fuzz_target!(|data: &[u8]| memory::bounded(data.len(), || run(data)));

fn run(data: &[u8]) {
    let Some((&[suite, late], rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let suite = Suite::ALL[usize::from(suite) % Suite::ALL.len()];
    let mut sealers = [Sealer::new(suite, 0), Sealer::new(suite, 1)];
    let mut turns = vec![
        Turn::Said(FlowEnd::A, suite.client_hello(), 0),
        Turn::Said(FlowEnd::B, suite.server_hello(), 0),
    ];
    for (end, sealer) in [FlowEnd::B, FlowEnd::A].into_iter().zip(sealers.iter_mut().rev()) {
        turns.push(Turn::Said(end, sealer.finish(), 0));
    }
    let mut is_whole = true;
    let mut rest = rest;
    // The first three bytes of each turn give direction and kind, length, and content type.
    while let Some((&[what, amount, kind], tail)) = rest.split_first_chunk::<3>() {
        let from = if what & 1 == 0 { FlowEnd::A } else { FlowEnd::B };
        let size = usize::from(amount) << (what >> 1 & 3);
        let sealer = &mut sealers[from.index()];
        rest = tail;
        let how = what >> 3 & 7;
        if how < 2 {
            is_whole &= how == 1;
            turns.push(match how {
                0 => Turn::Gap(from, 1 + size as u64),
                _ => Turn::Over(from),
            });
            continue;
        }
        let (bytes, next) = tail.split_at(size.min(tail.len()));
        rest = next;
        let mut records = Vec::new();
        match how {
            // As on the wire: bytes that no key authenticates, or that are not a record.
            2 => {
                is_whole = false;
                records.extend_from_slice(bytes);
            }
            7 if kind & 1 == 0 => records = sealer.update(),
            7 => records = seal::record(20 + (kind >> 1 & 3), bytes),
            // Mostly application data, some alerts and handshake messages.
            3 => records = sealer.seal(23, bytes, kind),
            4 => records = sealer.seal(20 + (kind & 3), bytes, kind >> 2),
            5 => {
                for part in bytes.chunks(1 + usize::from(kind)) {
                    records.extend(sealer.seal(23, part, 0));
                }
            }
            _ => {
                records = sealer.seal(23, bytes, 0);
                if let Some(byte) = records.get_mut(usize::from(kind)) {
                    *byte ^= amount;
                }
                is_whole = false;
            }
        }
        turns.push(Turn::Said(from, records, 0));
    }
    let known_at = usize::from(late >> 1);
    let hear = |seed, late: bool| {
        let key_store = KeyStore::default();
        if !late {
            key_store.read(suite.key_log().as_bytes(), FrameNumber(0));
        } else {
            key_store.set_growing(true);
        }
        let layer_options = LayerOptions {
            keys: Some(key_store.clone()),
            teller: None,
        annotator: None,
        };
        let stack = *ProtocolStack::boxed(&layer_options, None, [0; 2]);
        turns::hear(stack, &turns, seed, |line| {
            if late && line == known_at {
                key_store.read(suite.key_log().as_bytes(), FrameNumber(0));
                key_store.set_growing(false);
            }
        })
    };
    let is_late = late & 1 == 1;
    let whole = hear(0, is_late);
    let in_pieces = hear(1 + data.len() as u64, is_late);
    if is_whole {
        assert_eq!(whole.tls, in_pieces.tls);
        assert_eq!(whole.exchanges.len(), in_pieces.exchanges.len());
    }
    let said = turns::said(&turns);
    if is_late && known_at < turns.len() && said[0] + said[1] < LITTLE {
        let early = hear(0, false);
        assert_eq!(whole.tls, early.tls);
        assert_eq!(whole.exchanges, early.exchanges);
    }
    for exchange in &whole.exchanges {
        for message in exchange.request.iter().map(|it| &it.message) {
            assert!(message.start <= message.head_end() && message.head_end() <= message.end());
            assert!(
                message.end() <= said[0] + said[1],
                "less is inside than outside"
            );
        }
    }
}
