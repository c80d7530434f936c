//! What keeps the memory of the process to itself: no core dumps, no swap.

/// What the system allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// A crash leaves no image of the memory, and other processes of the same user cannot read it.
    pub undumpable: bool,
    /// Nothing of the memory is written to swap.
    pub locked: bool,
}

/// Protects the memory of this process, as far as the system allows it. To be called before there are secrets and
/// threads; never in a process that somebody else owns.
///
/// Memory is locked only where there is no limit on that (`RLIMIT_MEMLOCK`): with one, some later allocation would fail
/// in the middle of a meeting. The service manager may lift it (`LimitMEMLOCK=infinity` of systemd).
#[cfg(target_os = "linux")]
pub fn protect_process() -> Protection {
    use nix::sys::{
        mman::{MlockAllFlags, mlockall},
        prctl::set_dumpable,
        resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit},
    };
    // A sandbox may refuse this one; the next is enough by itself.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let undumpable = set_dumpable(false).is_ok();
    let is_unlimited = || getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    // Who may lift the limit does; all others keep the one they have.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let locked = is_unlimited() && mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE).is_ok();
    Protection { undumpable, locked }
}

/// Protects nothing: relays are run on Linux.
#[cfg(not(target_os = "linux"))]
pub fn protect_process() -> Protection {
    Protection { undumpable: false, locked: false }
}
