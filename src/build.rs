//! Builds the three pieces of C that the program needs.
//!
//! What stands in for libpcap when the program is linked, for the feature `live`: the crate `pcap` links the library `pcap`
//! (`wpcap` on Windows). This script puts an archive of that name where the linker looks first. Its functions open the
//! system's libpcap when they are called (`packet/capture/libpcap.c`). So building needs no libpcap, and neither does the
//! program until it captures or filters. With `LIBPCAP_LIBDIR`, which the crate `pcap` honours, the library in that folder is
//! linked instead: `libpcap.a` for a static program. The code learns it by `cfg(libpcap_linked)`.
//!
//! And, on Linux, for the program and its tests alone, what notices that standard output is closed (`app/closed_output.c`),
//! and what has memory returned to the system (`app/memory.c`).

use std::env;

const LIBPCAP: &str = "src/packet/capture/libpcap.c";
const OF_PROGRAM: [&str; 2] = ["src/app/closed_output.c", "src/app/memory.c"];

fn main() {
    println!("cargo:rustc-check-cfg=cfg(libpcap_linked)");
    println!("cargo:rerun-if-env-changed=LIBPCAP_LIBDIR");
    for file in ["src/build.rs", LIBPCAP].iter().chain(&OF_PROGRAM) {
        println!("cargo:rerun-if-changed={file}");
    }
    let has = |variable| env::var_os(variable).is_some();
    let is_linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|it| it == "linux");
    if has("CARGO_FEATURE_CLI") && is_linux {
        let built = cc::Build::new()
            .files(OF_PROGRAM)
            .cargo_metadata(false)
            .compile_intermediates();
        for object in built {
            println!("cargo:rustc-link-arg-bins={}", object.display());
            println!("cargo:rustc-link-arg-tests={}", object.display());
        }
    }
    if !has("CARGO_FEATURE_LIVE") {
        return;
    }
    if has("LIBPCAP_LIBDIR") {
        println!("cargo:rustc-cfg=libpcap_linked");
        return;
    }
    cc::Build::new()
        .file(LIBPCAP)
        // The search path is enough: the crate `pcap` names the library, at the right place in the linker's order.
        .cargo_metadata(false)
        .compile(match has("CARGO_CFG_WINDOWS") {
            true => "wpcap",
            false => "pcap",
        });
    if let Ok(folder) = env::var("OUT_DIR") {
        println!("cargo:rustc-link-search=native={folder}");
    }
}
