//! What keeps the memory of a process that holds keys to itself: no core dumps, no eyes of other processes, no swap.
//!
//! | program | core dumps | hidden from others | memory locked |
//! | --- | --- | --- | --- |
//! | relay | none | yes | where the system sets no limit |
//! | office tool, app without a window | none | yes | no |
//! | app with a window | none | no | no |
//!
//! The app with a window stays visible to other processes of its user, since the portal that shows file dialogs looks at
//! the root folder of its caller (`/proc/PID/root`), which the system refuses for a hidden one. The app's memory is not
//! locked: locking what is allocated later (`MCL_FUTURE`) would pin the whole stack of every thread and the buffers of the
//! graphics driver, and locking pages only once they are used (`MCL_ONFAULT`) is not offered by the library in use here.
//! Swap of machines with the app should be encrypted, as disks of such machines are. Elsewhere than on Unix nothing is
//! done: there the system writes no memory of crashed programs to disk unless it was told to.

/// What the system allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// A crash leaves no image of the memory, and other processes of the same user cannot read it.
    pub undumpable: bool,
    /// Nothing of the memory is written to swap.
    pub locked: bool,
}

/// Makes a crash of this process leave no image of its memory. Returns whether the system agreed.
///
/// For every program that holds keys, first thing. Children inherit it.
#[cfg(unix)]
pub fn forbid_core_dumps() -> bool {
    use nix::sys::resource::{Resource, setrlimit};
    // A program that takes core dumps from a pipe is given them whatever the limit is, but for this one (core(5), and
    // `do_coredump` of Linux): one byte, which is too little for a file as well.
    let piped = cfg!(target_os = "linux") && setrlimit(Resource::RLIMIT_CORE, 1, 1).is_ok();
    piped || setrlimit(Resource::RLIMIT_CORE, 0, 0).is_ok()
}

/// Does nothing on this system.
#[cfg(not(unix))]
pub fn forbid_core_dumps() -> bool {
    false
}

/// Makes a crash leave no image of the memory, and keeps other processes of the same user from reading it. Returns whether
/// the system agreed.
///
/// Not for a program that asks the desktop for file dialogs: see the [module](self).
#[cfg(target_os = "linux")]
pub fn hide_process() -> bool {
    // A sandbox may refuse this one; the next is enough by itself.
    forbid_core_dumps();
    nix::sys::prctl::set_dumpable(false).is_ok()
}

/// Makes a crash leave no image of the memory; this system has no more to offer.
#[cfg(not(target_os = "linux"))]
pub fn hide_process() -> bool {
    forbid_core_dumps();
    false
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
        resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit},
    };
    let undumpable = hide_process();
    let is_unlimited = || getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    // Who may lift the limit does; all others keep the one they have.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let locked = is_unlimited() && mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE).is_ok();
    Protection { undumpable, locked }
}

/// Protects what this system lets be protected: relays are run on Linux.
#[cfg(not(target_os = "linux"))]
pub fn protect_process() -> Protection {
    Protection { undumpable: hide_process(), locked: false }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stdout)]

    use std::{env, fs, process::Command};

    use super::*;

    /// Says what the process is, from `/proc`; run by the other tests, in a process of its own.
    #[test]
    #[ignore = "changes the process that it runs in; the other tests start it"]
    fn report() {
        match env::var("CONCLAVE_TEST_PROTECTION").as_deref() {
            Ok("no dumps") => assert!(forbid_core_dumps()),
            Ok("hidden") => assert!(hide_process()),
            Ok("all") => assert!(protect_process().undumpable),
            _ => {}
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        println!("{}", limits.lines().find(|line| line.starts_with("Max core file size")).unwrap());
        println!("dumpable: {}", nix::sys::prctl::get_dumpable().unwrap());
        let status = fs::read_to_string("/proc/self/status").unwrap();
        println!("{}", status.lines().find(|line| line.starts_with("VmLck")).unwrap());
    }

    /// What a process says that is protected so: its limit on core dumps, and whether it can be dumped.
    fn child(protection: &str) -> (String, bool) {
        let output = Command::new(env::current_exe().unwrap())
            .args(["hygiene::tests::report", "--exact", "--ignored", "--nocapture"])
            .env("CONCLAVE_TEST_PROTECTION", protection)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        let line = said.lines().find(|line| line.contains("Max core file size")).unwrap();
        let limit = line.split("Max core file size").nth(1).unwrap();
        (limit.split_whitespace().take(2).collect::<Vec<_>>().join(" "), said.contains("dumpable: true"))
    }

    #[test]
    fn a_crash_leaves_no_image_of_the_memory_for_files_and_pipes() {
        let (unprotected, _) = child("none");
        let (limit, dumpable) = child("no dumps");
        // Zero where somebody forbade it before, for good.
        assert!(["1 1", "0 0"].contains(&limit.as_str()), "{limit}, {unprotected} before");
        assert!(dumpable, "the portal of a desktop must be able to look at it");
    }

    #[test]
    fn tools_and_relays_are_hidden_from_other_processes() {
        for protection in ["hidden", "all"] {
            let (limit, dumpable) = child(protection);
            assert!(["1 1", "0 0"].contains(&limit.as_str()), "{protection}: {limit}");
            assert!(!dumpable, "{protection}");
        }
    }
}
