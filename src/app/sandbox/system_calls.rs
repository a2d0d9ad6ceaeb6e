//! The system calls that remain. Every other fails as if the kernel did not have it (`ENOSYS`): so the C library falls back
//! to what it did on older kernels, and nothing is killed that only asked.
//!
//! Threads may be started, processes not. No socket is opened, but those that are open may be used, which `live` needs. Of
//! `ioctl`, what terminals need. `clone3` is missing on purpose: its flags cannot be looked at, and libraries then use
//! `clone`.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

/// Calls that are allowed whatever their arguments are.
const ALWAYS: &[c_long] = &[
    // Open files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fstat,
    // Files by name, as far as Landlock allows.
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_fchmodat,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Threads.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals to itself.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    // What it is and where.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_getrandom,
    // Sockets that are open: the pair that signals go through.
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
];

/// The older names of the same calls, which only this processor has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_pause,
    libc::SYS_time,
    libc::SYS_getpgrp,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What an open interface needs besides.
const CAPTURING: &[c_long] = &[
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_recvmsg,
    libc::SYS_getsockname,
];

/// What a socket that is bound and listens needs besides.
const SERVING: &[c_long] = &[libc::SYS_accept4, libc::SYS_setsockopt];

/// Requests of `ioctl`: of terminals, and how much waits in a pipe.
const TERMINAL: &[u64] = &[
    0x5401,      // TCGETS
    0x5402,      // TCSETS
    0x5403,      // TCSETSW
    0x5404,      // TCSETSF
    0x802c_542a, // TCGETS2
    0x402c_542b, // TCSETS2
    0x402c_542c, // TCSETSW2
    0x402c_542d, // TCSETSF2
    0x540f,      // TIOCGPGRP
    0x5413,      // TIOCGWINSZ
    0x541b,      // FIONREAD
    0x5421,      // FIONBIO
    0x5451,      // FIOCLEX
];
/// Whether an interface is up.
const SIOCGIFFLAGS: u64 = 0x8913;

/// The name of a thread, and of a piece of memory.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Restricts this thread and those that it starts. `captures`: an interface is open. `serves`: a socket is bound.
pub(super) fn restrict(captures: bool, serves: bool) -> Result<(), Error> {
    let program: BpfProgram = SeccompFilter::new(
        rules(captures, serves)?,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()?;
    seccompiler::apply_filter(&program)
}

fn rules(captures: bool, serves: bool) -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let more = if captures { CAPTURING } else { &[] };
    let serving = if serves { SERVING } else { &[] };
    let always = ALWAYS.iter().chain(OLDER).chain(more).chain(serving);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        always.map(|call| (*call, Vec::new())).collect();
    let same = |argument, value: u64| equal(argument, SeccompCmpOp::Eq, value);
    let thread = libc::CLONE_THREAD as u64;
    let some = [
        // A thread, not a process.
        (
            libc::SYS_clone,
            vec![equal(0, SeccompCmpOp::MaskedEq(thread), thread)?],
        ),
        // To this process only.
        (libc::SYS_tgkill, vec![same(0, std::process::id().into())?]),
        (
            libc::SYS_prctl,
            vec![same(0, libc::PR_SET_NAME as u64)?, same(0, PR_SET_VMA)?],
        ),
        // Limits are read, not set.
        (libc::SYS_prlimit64, vec![null(2)?]),
        (libc::SYS_socketpair, vec![same(0, libc::AF_UNIX as u64)?]),
        // Without an address, so only through what is connected.
        (libc::SYS_sendto, vec![null(4)?]),
    ];
    rules.extend(some);
    let mut requests = TERMINAL.to_vec();
    if captures {
        requests.push(SIOCGIFFLAGS);
    }
    let requests: Result<Vec<_>, _> = requests.into_iter().map(|it| same(1, it)).collect();
    rules.insert(libc::SYS_ioctl, requests?);
    // The C library of Alpine signals its own threads by this call, which has no process to look at.
    if cfg!(target_env = "musl") {
        rules.insert(libc::SYS_tkill, Vec::new());
    }
    Ok(rules)
}

/// A rule on the lower half of an argument.
fn equal(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompRule, Error> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// A rule that a pointer is null.
fn null(argument: u8) -> Result<SeccompRule, Error> {
    let length = SeccompCmpArgLen::Qword;
    let condition = SeccompCondition::new(argument, length, SeccompCmpOp::Eq, 0)?;
    Ok(SeccompRule::new(vec![condition])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_process_is_not_on_the_list() {
        for captures in [false, true] {
            let rules = rules(captures, captures).expect("rules");
            for call in [
                libc::SYS_socket,
                libc::SYS_connect,
                libc::SYS_bind,
                libc::SYS_sendmsg,
                libc::SYS_execve,
                libc::SYS_execveat,
                libc::SYS_clone3,
                libc::SYS_ptrace,
                libc::SYS_process_vm_readv,
                libc::SYS_kill,
                libc::SYS_mount,
                libc::SYS_bpf,
                libc::SYS_io_uring_setup,
                libc::SYS_setuid,
            ] {
                assert!(!rules.contains_key(&call), "{call}");
            }
        }
    }
}
