//! Drops privileges that are not needed, once an interface is open and before the first packet is parsed.
//!
//! Capabilities and Landlock apply to a thread and are inherited by threads that it starts, so this runs before any
//! other thread exists. What a kernel does not support is skipped; no failure here ends the capture. Landlock also sets
//! no-new-privs, so that privileges cannot be regained by executing another program.

use std::path::Path;

/// Drops every privilege except writing files in the working directory and in the directory of `writes`.
#[cfg(target_os = "linux")]
pub(super) fn drop_privileges(writes: Option<&Path>) {
    drop_capabilities();
    // Without Landlock in the kernel, only capabilities can be dropped.
    let _ = confine(writes);
}

/// Other systems: nothing to drop.
#[cfg(not(target_os = "linux"))]
pub(super) fn drop_privileges(_: Option<&Path>) {}

#[cfg(target_os = "linux")]
fn drop_capabilities() {
    use caps::{CapSet, Capability, CapsHashSet};

    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    // Root needs CAP_DAC_OVERRIDE to write into other users' directories. A program with only CAP_NET_RAW does not have
    // it.
    let writes = held.contains(&Capability::CAP_DAC_OVERRIDE);
    let kept: CapsHashSet = writes
        .then_some(Capability::CAP_DAC_OVERRIDE)
        .into_iter()
        .collect();
    // The bounding set goes first: removing from it needs a privilege itself (CAP_SETPCAP).
    for capability in caps::all() {
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
    let _ = caps::clear(None, CapSet::Ambient);
    let _ = caps::clear(None, CapSet::Inheritable);
    let _ = caps::set(None, CapSet::Effective, &kept);
    let _ = caps::set(None, CapSet::Permitted, &kept);
}

#[cfg(target_os = "linux")]
fn confine(writes: Option<&Path>) -> Result<(), landlock::RulesetError> {
    use landlock::{
        ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    };

    let abi = ABI::V3;
    let to_write = AccessFs::from_write(abi);
    let folder = writes
        .and_then(Path::parent)
        .filter(|it| *it != Path::new(""));
    let mut rules = Ruleset::default().handle_access(to_write)?.create()?;
    for path in [Some(Path::new(".")), folder].into_iter().flatten() {
        if let Ok(folder) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(folder, to_write))?;
        }
    }
    // The terminal, `/dev/null`, and already open descriptors.
    for path in ["/dev/tty", "/dev/pts", "/dev/null", "/proc/self/fd"] {
        if let Ok(device) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(device, AccessFs::WriteFile))?;
        }
    }
    rules.restrict_self()?;
    Ok(())
}
