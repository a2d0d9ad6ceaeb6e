//! Another user than root, once an interface is open: who called `sudo`, else nobody.
//!
//! Not where that user could not do what is asked: write into the folder of `-w`, or read a key log.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Linux' number for a user without rights.
const NOBODY: u32 = 65_534;

/// Whom to become: the numbers of the user and the group.
fn wanted() -> (u32, u32) {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match (number("SUDO_UID"), number("SUDO_GID")) {
        (Some(user), Some(group)) if user != 0 => (user, group),
        _ => (NOBODY, NOBODY),
    }
}

/// Who called `sudo`, if someone did and this is root: the owner of files that are written.
#[must_use]
pub(in crate::app) fn caller() -> Option<(u32, u32)> {
    let (user, group) = wanted();
    (geteuid().is_root() && user != NOBODY).then_some((user, group))
}

/// Becomes that user, if it may read and write there. Returns whether it did.
pub(super) fn change<'a>(
    mut reads: impl Iterator<Item = &'a PathBuf>,
    mut writes: impl Iterator<Item = &'a PathBuf>,
) -> bool {
    let (user, group) = wanted();
    let may_read = reads.all(|it| may(it, user, 0o004));
    let may_write = writes.all(|it| may(it, user, 0o002));
    if !geteuid().is_root() || !may_read || !may_write {
        return false;
    }
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    // The groups first: without root they could not be given up any more.
    let _ = set_thread_groups(&[]);
    let _ = set_thread_res_gid(group, group, group);
    set_thread_res_uid(user, user, user).is_ok()
}

/// Whether a file or folder belongs to a user, or is open to all; what is not there is no obstacle.
fn may(path: &Path, user: u32, all: u32) -> bool {
    path.metadata()
        .map_or(true, |it| it.uid() == user || it.mode() & all != 0)
}
