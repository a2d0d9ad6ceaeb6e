//! The sandbox of Linux: capabilities, Landlock, seccomp.
//!
//! Landlock restricts all that the running kernel's version of it knows; the crate leaves out what it does not know.

use std::path::{Path, PathBuf};

use caps::{CapSet, Capability, CapsHashSet};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, Scope,
};

use super::Needs;

/// The newest Landlock that the crate knows.
const NEWEST: ABI = ABI::V9;

/// What came of it.
pub(super) struct Outcome {
    landlock: Result<RestrictionStatus, RulesetError>,
    system_calls: bool,
}

/// Gives up what a command does not need. Each part is tried even if another fails.
pub(super) fn confine(needs: &Needs) -> Outcome {
    drop_capabilities(needs);
    let _ = rustix::thread::set_no_new_privs(true);
    Outcome {
        landlock: landlock(needs),
        system_calls: restrict_system_calls(!needs.interfaces.is_empty(), needs.serves),
    }
}

/// Gives up all capabilities, and the way to new ones.
#[cfg(feature = "ui")]
pub(super) fn drop_privileges() {
    drop_capabilities(&Needs::default());
    let _ = rustix::thread::set_no_new_privs(true);
}

/// Keeps what looking at the programs of others needs, as far as it is held, and gives up the rest.
#[cfg(feature = "live")]
pub(super) fn keep_looking() {
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    let wanted = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];
    let kept = wanted.into_iter().filter(|it| held.contains(it));
    drop_bounding();
    keep(&kept.collect());
    let _ = rustix::thread::set_no_new_privs(true);
}

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
))]
fn restrict_system_calls(captures: bool, serves: bool) -> bool {
    super::system_calls::restrict(captures, serves).is_ok()
}

/// The crate knows the numbers of three processors only.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
fn restrict_system_calls(_: bool, _: bool) -> bool {
    false
}

fn drop_capabilities(needs: &Needs) {
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    drop_bounding();
    #[cfg(feature = "live")]
    if !needs.interfaces.is_empty()
        && super::user::change(
            needs.reads.iter().chain(&needs.reads_in),
            needs.writes_in.iter(),
        )
    {
        // With the user went all capabilities.
        return;
    }
    keep(&held.intersection(&needs.capabilities()).copied().collect());
}

/// No program gets a capability any more. It goes first: this needs a privilege itself (`CAP_SETPCAP`).
fn drop_bounding() {
    for capability in caps::all() {
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
}

/// Gives up all capabilities but these.
fn keep(kept: &CapsHashSet) {
    let _ = caps::clear(None, CapSet::Ambient);
    let _ = caps::clear(None, CapSet::Inheritable);
    let _ = caps::set(None, CapSet::Effective, kept);
    let _ = caps::set(None, CapSet::Permitted, kept);
}

impl Needs {
    /// What root needs for files of other users; the owner of a file needs none.
    fn capabilities(&self) -> CapsHashSet {
        use std::os::unix::fs::MetadataExt as _;

        let own = rustix::process::geteuid().as_raw();
        let others = |path: &PathBuf| path.metadata().is_ok_and(|it| it.uid() != own);
        let reads = self.reads.iter().chain(&self.reads_in).any(others)
            // Whose the files of a folder are shows when they are asked for.
            || !self.browses.is_empty();
        let writes = self.writes_in.iter().chain(&self.renames_in).any(others);
        let read = reads.then_some(Capability::CAP_DAC_READ_SEARCH);
        let write = writes.then_some(Capability::CAP_DAC_OVERRIDE);
        read.into_iter().chain(write).collect()
    }
}

fn landlock(needs: &Needs) -> Result<RestrictionStatus, RulesetError> {
    let file = AccessFs::ReadFile;
    let terminal = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let written = AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate;
    let renamed = AccessFs::MakeReg | AccessFs::RemoveFile;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    for (paths, rights) in [
        (&needs.reads, BitFlags::from(file)),
        (&needs.reads_in, file.into()),
        (&needs.browses, file | AccessFs::ReadDir),
        (&needs.writes_in, written),
        (&needs.renames_in, renamed),
    ] {
        for path in paths {
            allow(&mut rules, path, rights);
        }
    }
    // The terminal and the sink, by their names. Descriptors that are open already stay so.
    for device in ["/dev/tty", "/dev/null"] {
        allow(&mut rules, Path::new(device), terminal);
    }
    // libpcap's count of the packets that an interface dropped.
    for interface in &needs.interfaces {
        let counters = Path::new("/sys/class/net")
            .join(interface)
            .join("statistics");
        allow(&mut rules, &counters, file.into());
        allow(&mut rules, Path::new("/proc/self/net/dev"), file.into());
    }
    rules.restrict_self()
}

/// Adds a path, if it exists: a file only gets the rights that a file can have. A pipe takes no rule, and needs none.
fn allow(rules: &mut RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) {
    let Ok(place) = PathFd::new(path) else {
        return;
    };
    let rights = match path.is_dir() {
        true => rights,
        false => rights & AccessFs::from_file(NEWEST),
    };
    let _ = rules.add_rule(PathBeneath::new(place, rights));
}

/// What this system offers. It is tried out, so this process is in the sandbox afterwards.
pub(super) fn status() -> Vec<String> {
    let done = confine(&Needs::default());
    let landlock = match done.landlock.map(|it| it.landlock) {
        Ok(LandlockStatus::Available { effective_abi, .. }) => {
            format!("Landlock (version {})", effective_abi as i32)
        }
        Ok(LandlockStatus::NotEnabled) => {
            "no Landlock (this kernel has it switched off)".to_owned()
        }
        Ok(LandlockStatus::NotImplemented) => "no Landlock (this kernel has none)".to_owned(),
        Err(error) => format!("no Landlock ({error})"),
    };
    let calls = match done.system_calls {
        true => "a list of system calls (seccomp)",
        false => "no list of system calls",
    };
    vec![format!(
        "sandbox: no new privileges, no capabilities, {landlock}, {calls}"
    )]
}
