//! Debian packages, by cargo-deb.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    manual, notices,
    run::{cargo, cargo_with, command, root, succeeds, target_directory},
};

/// Crate and package, in the order in which they are made.
const PACKAGES: &[(&str, &str)] = &[("conclave-desktop", "conclave"), ("conclave-relay", "conclave-relay")];

/// The programs that are packaged.
const PROGRAMS: &[&str] = &["conclave", "conclave-relay", "conclave-registry"];

/// The profile of what is shipped: optimised as for release, in a folder of its own, because its flags differ.
const PROFILE: &str = "shipped";

/// Builds what is shipped, writes the manual pages and the licences of what is inside, and makes the packages under `target/packages`.
///
/// # Errors
/// Where the build or the packaging fails; the tool's words stand above. Where a program holds a path of this machine.
pub(crate) fn make() -> Result<()> {
    let packager = tool("cargo-deb")?;
    let hidden = Hidden::here()?;
    let environment = hidden.environment();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    println!("Building what is shipped; the first time takes about 20 minutes on two cores.");
    cargo_with(["build", "--profile", PROFILE, "--locked", "--bins"], &environment)?;
    let built = target_directory()?.join(PROFILE);
    for program in PROGRAMS {
        hidden.check(&built.join(program))?;
    }
    manual::write(&built, &built.join("man"))?;
    notices::write(&built)?;
    let folder = target_directory()?.join("packages");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (krate, name) in PACKAGES {
        let output = folder.join(format!("{name}.deb"));
        let output = output.to_string_lossy().into_owned();
        let words = ["deb", "--no-build", "--profile", PROFILE, "--package", *krate, "--output", output.as_str()];
        command(&packager, words)?;
        println!("made {output}");
    }
    Ok(())
}

/// Folders of this machine, and what stands for them in programs that others get. Compilers put the paths of sources
/// into messages of errors; whoever builds twice in different places must get the same bytes, and nobody's name.
struct Hidden {
    folders: Vec<(PathBuf, &'static str)>,
}

impl Hidden {
    fn here() -> Result<Self> {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let sysroot = rustc.args(["--print", "sysroot"]).output().context("cannot ask rustc where it is")?;
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("cargo has no home")?;
        // Where two match, compilers take the later one.
        Ok(Self {
            folders: vec![
                (String::from_utf8(sysroot.stdout)?.trim().into(), "/rust"),
                (home, "/cargo"),
                (root(), "/conclave"),
                (target_directory()?, "/target"),
            ],
        })
    }

    /// The variables that make the compilers of Rust and C hide the folders, after what is in them already.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let already = |name| env::var(name).unwrap_or_default();
        let mut rust: Vec<String> = already("RUSTFLAGS").split_whitespace().map(str::to_owned).collect();
        let mut c = String::new();
        for (folder, name) in &self.folders {
            let folder = folder.display();
            rust.push(format!("--remap-path-prefix={folder}={name}"));
            c += &format!(" -ffile-prefix-map={folder}={name}");
        }
        vec![
            // Between its words stands what no path has.
            ("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}")),
            ("CFLAGS", already("CFLAGS") + &c),
            ("CXXFLAGS", already("CXXFLAGS") + &c),
        ]
    }

    /// Whether a program is free of all of them.
    fn check(&self, program: &Path) -> Result<()> {
        let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        for (folder, _) in &self.folders {
            let folder = folder.to_string_lossy();
            let found = bytes.windows(folder.len()).position(|window| window == folder.as_bytes());
            let around = found.map(|at| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 120)]));
            ensure!(
                around.is_none(),
                "{} holds a path of this machine: {}",
                program.display(),
                around.unwrap_or_default()
            );
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_told_of_every_folder_and_a_path_is_found() {
        let hidden = Hidden { folders: vec![("/home/anna/.cargo".into(), "/cargo"), ("/home/anna/it".into(), "/it")] };
        let environment = hidden.environment();
        for (_, value) in &environment {
            assert!(value.contains("prefix") && value.contains("/home/anna/it=/it"), "{value}");
        }
        assert_eq!(environment[0].0, "CARGO_ENCODED_RUSTFLAGS");
        let program = env::temp_dir().join(format!("conclave-paths-{}", std::process::id()));
        fs::write(&program, b"\x7fELF panicked at /cargo/registry/src/a.rs").expect("a file");
        hidden.check(&program).expect("a clean program");
        fs::write(&program, b"\x7fELF panicked at /home/anna/.cargo/registry/src/a.rs").expect("a file");
        let error = hidden.check(&program).expect_err("a path").to_string();
        assert!(error.contains("/home/anna/.cargo/registry/src/a.rs"), "{error}");
        fs::remove_file(&program).expect("a file");
    }
}
