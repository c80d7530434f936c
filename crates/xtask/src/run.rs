//! Runs other programs, and says which one failed.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Runs a program in the workspace's root, its output shown as it comes.
///
/// # Errors
/// Where it cannot be started or does not succeed; the message has the command line.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Result<()> {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(root());
    finish(command)
}

/// Runs the cargo that runs this task.
///
/// # Errors
/// As [`command`].
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    cargo_with(arguments, &[])
}

/// Runs cargo with more environment variables.
///
/// # Errors
/// As [`command`].
pub(crate) fn cargo_with<'a>(arguments: impl IntoIterator<Item = &'a str>, environment: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).envs(environment.iter().copied()).current_dir(root());
    finish(command)
}

fn finish(mut command: Command) -> Result<()> {
    println!("$ {}", words(&command));
    let status = command.status().with_context(|| format!("cannot start `{}`", words(&command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", words(&command));
    }
    Ok(())
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program can be started with these arguments and succeeds; it says nothing.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
///
/// # Errors
/// Where cargo cannot read the workspace.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    Ok(metadata.target_directory.into())
}
