//! The cost of a flow lookup: among few flows, as many as a cache holds, and many.

use std::net::{IpAddr, Ipv4Addr};

use divan::Bencher;
use divan::counter::ItemsCount;
use hangup::base::net::{Context, Endpoint};
use hangup::packet::flow::{FlowKey, FlowTable};

fn main() {
    divan::main();
}

fn keys(count: u32) -> Vec<FlowKey> {
    (0..count)
        .map(|number| {
            let client = Endpoint {
                ip: IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number / 50_000)),
                port: 10_000 + (number % 50_000) as u16,
            };
            let server = Endpoint {
                ip: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)),
                port: 80,
            };
            FlowKey::new(client, server, Context(0))
        })
        .collect()
}

#[divan::bench(args = [64, 4096, 200_000])]
fn find(bencher: Bencher<'_, '_>, count: u32) {
    let keys = keys(count);
    let mut table = FlowTable::new();
    for (number, key) in keys.iter().enumerate() {
        table.insert(*key, number);
    }
    bencher
        .counter(ItemsCount::new(keys.len()))
        .bench_local(|| keys.iter().filter(|key| table.find(key).is_some()).count());
}

#[divan::bench]
fn insert_and_remove(bencher: Bencher<'_, '_>) {
    let keys = keys(4096);
    let mut table = FlowTable::new();
    bencher
        .counter(ItemsCount::new(keys.len()))
        .bench_local(|| {
            for key in &keys {
                let slot = table.insert(*key, 0_u64);
                table.remove(slot);
            }
        });
}
