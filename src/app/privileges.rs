//! Giving up what is not needed, once an interface is open and before the first packet is looked at.
//!
//! Capabilities and Landlock belong to a thread and pass on to those it begins, so this comes before any. What a kernel does
//! not know is left; nothing here makes the capture fail. Landlock also makes sure that nothing can be won back by running
//! another program (no-new-privs).

use std::path::Path;

/// Gives up every privilege but that of writing files here and where `writes` points.
#[cfg(target_os = "linux")]
pub(super) fn give_up(writes: Option<&Path>) {
    drop_capabilities();
    // Without Landlock in the kernel, capabilities are all there is to give up.
    let _ = confine(writes);
}

/// Elsewhere there is nothing to give up.
#[cfg(not(target_os = "linux"))]
pub(super) fn give_up(_: Option<&Path>) {}

#[cfg(target_os = "linux")]
fn drop_capabilities() {
    use caps::{CapSet, Capability, CapsHashSet};

    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    // Root writes into other people's directories by this one. A file that was given CAP_NET_RAW alone has none.
    let writes = held.contains(&Capability::CAP_DAC_OVERRIDE);
    let kept: CapsHashSet = writes
        .then_some(Capability::CAP_DAC_OVERRIDE)
        .into_iter()
        .collect();
    // The bounding set goes first: to take from it is itself a privilege.
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
    // The screen, and whoever reports into nothing.
    for path in ["/dev/tty", "/dev/pts", "/dev/null", "/proc/self/fd"] {
        if let Ok(device) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(device, AccessFs::WriteFile))?;
        }
    }
    rules.restrict_self()?;
    Ok(())
}
