//! The system packages that Conclave needs, each with its reason.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::run::succeeds;

/// What a system package is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To compile.
    Build,
    /// To open the window.
    Window,
    /// To run every test.
    Test,
    /// To make and try packages.
    Package,
    /// To measure sound and picture.
    Bench,
}

/// Name at Debian and Ubuntu, what for, and why.
const PACKAGES: &[(&str, Purpose, &str)] = &[
    ("gcc", Purpose::Build, "compiles the C of the codecs and links"),
    ("g++", Purpose::Build, "compiles the C++ parts of libaom's build"),
    ("make", Purpose::Build, "drives the codecs' builds"),
    ("cmake", Purpose::Build, "configures libaom, libopus and aws-lc"),
    ("nasm", Purpose::Build, "assembles the fast paths of libaom and of the AV1 decoder"),
    ("pkg-config", Purpose::Build, "finds the libraries below"),
    ("clang", Purpose::Build, "reads the V4L2 headers for the camera bindings"),
    ("libclang-dev", Purpose::Build, "the same, as a library"),
    ("libasound2-dev", Purpose::Build, "sound devices (ALSA)"),
    ("libudev-dev", Purpose::Build, "camera devices"),
    ("libpipewire-0.3-dev", Purpose::Build, "shared screens under Wayland"),
    ("libgl1", Purpose::Window, "draws the window (GLX)"),
    ("libegl1", Purpose::Window, "draws the window (EGL)"),
    ("libgl1-mesa-dri", Purpose::Window, "draws where there is no graphics card"),
    ("libx11-6", Purpose::Window, "the window under X11"),
    ("libx11-xcb1", Purpose::Window, "the window under X11"),
    ("libxcursor1", Purpose::Window, "the pointer under X11"),
    ("libxi6", Purpose::Window, "input under X11"),
    ("libxrandr2", Purpose::Window, "screens under X11"),
    ("libxkbcommon-x11-0", Purpose::Window, "the keyboard under X11"),
    ("libwayland-client0", Purpose::Window, "the window under Wayland"),
    ("zenity", Purpose::Window, "the file dialog, where no desktop portal offers one"),
    ("xvfb", Purpose::Test, "a display for the tests of the window and of shared screens"),
    ("pulseaudio", Purpose::Test, "a sound service with null sinks, in the role of real devices"),
    ("pulseaudio-utils", Purpose::Test, "plays to and records from those"),
    ("libasound2-plugins", Purpose::Test, "the way from ALSA to that service"),
    ("iproute2", Purpose::Test, "two networks, to change from one to the other"),
    ("softhsm2", Purpose::Test, "a smart card in software, for credentials on cards"),
    ("dbus", Purpose::Test, "the message bus of a desktop, for the tests of shared screens"),
    ("pipewire", Purpose::Test, "brings the picture of shared screens under Wayland"),
    ("wireplumber", Purpose::Test, "the manager that PipeWire wants"),
    ("openssl", Purpose::Test, "makes the certificates of other offices, to be read by ours"),
    ("flite", Purpose::Bench, "speaks sentences in two people's voices"),
    ("espeak-ng", Purpose::Bench, "speaks sentences in a third voice"),
    ("ffmpeg", Purpose::Bench, "reads the clip that the camera shows"),
    ("python3-venv", Purpose::Bench, "holds the package pesq, which scores speech"),
    ("dpkg-dev", Purpose::Package, "finds which libraries a package needs"),
    ("debootstrap", Purpose::Package, "makes the clean tree that packages are tried in"),
];

/// Installs what is missing for `purposes`.
///
/// Uses apt on Debian and its relatives, by sudo where the person is not root. Does nothing where nothing is missing.
///
/// # Errors
/// On other systems, where a tool is missing: names all of them. Where apt fails: its own words stand above.
pub(crate) fn install(purposes: &[Purpose]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("System packages are only known for Linux; building with what is here.");
        return Ok(());
    }
    let wanted = PACKAGES.iter().filter(|(_, purpose, _)| purposes.contains(purpose));
    if !is_debian() {
        return check_tools(wanted.map(|(name, _, why)| (*name, *why)));
    }
    let missing: Vec<_> = wanted.filter(|(name, ..)| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("Installing system packages:");
    for (name, _, why) in &missing {
        println!("  {name:<20} {why}");
    }
    apt(&["update", "-qq"])?;
    let names = missing.iter().map(|(name, ..)| *name);
    apt(&["install", "-y", "--no-install-recommends"].into_iter().chain(names).collect::<Vec<_>>())
}

/// Debian, or what says that it is like it.
fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .any(|ids| ids.trim_matches('"').split_whitespace().any(|id| id == "debian" || id == "ubuntu"))
        && Path::new("/usr/bin/apt-get").exists()
}

/// Whether dpkg has a package, or one that provides it: Ubuntu 24.04 renamed some, as libasound2 to libasound2t64.
fn is_installed(name: &str) -> bool {
    let output = Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", name]).output();
    output.is_ok_and(|output| output.stdout.starts_with(b"installed"))
}

fn apt(arguments: &[&str]) -> Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = if root {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        command
    };
    let status = command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("cannot start apt-get; as another user than root it needs sudo")?;
    if !status.success() {
        bail!("apt-get {} failed: {status}", arguments.join(" "));
    }
    Ok(())
}

/// On systems without apt: the programs that can be looked for are looked for, the rest is named.
fn check_tools<'a>(wanted: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let (programs, libraries): (Vec<_>, Vec<_>) = wanted
        .partition(|(name, _)| matches!(*name, "gcc" | "g++" | "make" | "cmake" | "nasm" | "pkg-config" | "clang"));
    let missing: Vec<_> = programs.into_iter().filter(|(name, _)| !succeeds(name, &["--version"])).collect();
    if missing.is_empty() {
        println!("This system has no apt. Where the build or the window fails, look for (Debian's names):");
        for (name, why) in libraries {
            println!("  {name:<20} {why}");
        }
        return Ok(());
    }
    let list: Vec<_> = missing.iter().map(|(name, why)| format!("  {name:<20} {why}")).collect();
    bail!("this system has no apt; install these by hand (Debian's names):\n{}", list.join("\n"));
}
