//! Memory that is freed goes back to the system: `src/app/memory.c`, which is linked into this test as into the program.
//! Other C libraries than that of GNU return it by themselves.

#![cfg(all(feature = "cli", target_os = "linux", target_env = "gnu"))]

use std::hint::black_box;

/// Bytes of this process that are resident.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib << 10)
}

/// As the views of a capture do: large blocks between small ones that stay.
#[test]
fn large_blocks_that_are_freed_are_returned() {
    const LARGE: usize = 1 << 20;
    const MANY: usize = 96;

    // Freed once, a block of this size is what the C library keeps from then on, unless told otherwise.
    drop(black_box(vec![1_u8; 8 * LARGE]));
    let before = resident().unwrap();
    let blocks: Vec<(Vec<u8>, Box<[u8; 64]>)> = (0..MANY)
        .map(|_| (vec![1; LARGE], Box::new([1; 64])))
        .collect();
    let held = resident().unwrap();
    assert!(held > before + MANY * LARGE * 9 / 10, "{before} {held}");
    let stay: Vec<_> = blocks.into_iter().map(|(_, small)| small).collect();
    let after = resident().unwrap();
    assert!(after < before + 8 * LARGE, "{before} {held} {after}");
    black_box(stay);
}
