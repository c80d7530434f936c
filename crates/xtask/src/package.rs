//! Debian packages, by cargo-deb.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::run::{cargo, command, succeeds, target_directory};

/// Crate and package, in the order in which they are made.
const PACKAGES: &[(&str, &str)] = &[("conclave-desktop", "conclave"), ("conclave-relay", "conclave-relay")];

/// Builds in release mode and makes the packages under `target/packages`.
///
/// # Errors
/// Where the build or the packaging fails; the tool's words stand above.
pub(crate) fn make() -> Result<()> {
    let packager = tool("cargo-deb")?;
    cargo(["build", "--release", "--locked", "--bins"])?;
    let folder = target_directory()?.join("packages");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (krate, name) in PACKAGES {
        let output = folder.join(format!("{name}.deb"));
        let output = output.to_string_lossy().into_owned();
        command(&packager, ["deb", "--no-build", "--package", *krate, "--output", output.as_str()])?;
        println!("made {output}");
    }
    Ok(())
}

/// A cargo tool: the installed one, or one that is installed under `target/tools` now.
///
/// # Errors
/// Where it cannot be installed.
pub(crate) fn tool(name: &str) -> Result<PathBuf> {
    if succeeds(name, &["--version"]) {
        return Ok(name.into());
    }
    let tools = target_directory()?.join("tools");
    let program = tools.join("bin").join(name);
    if !program.exists() {
        println!("installing {name}");
        // Its build must not rebuild ours: a target folder of its own, gone when it is done.
        let build = env::temp_dir().join(format!("conclave-{name}-build"));
        let root = tools.to_string_lossy().into_owned();
        let target = build.to_string_lossy().into_owned();
        cargo(["install", name, "--locked", "--quiet", "--debug", "--root", &root, "--target-dir", &target])?;
        fs::remove_dir_all(&build).ok();
    }
    Ok(program)
}
