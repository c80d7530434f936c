//! What the measurement of sound and picture needs beside the program: a Python with `pesq`, and a clip.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::run::{cargo, command, root, succeeds, target_directory};

/// Builds and runs the program; `arguments` are its own, see the head of `crates/client/examples/media/main.rs`.
///
/// # Errors
/// Where it cannot be built, or fails.
pub(super) fn run(arguments: &[String]) -> Result<()> {
    let target = target_directory()?;
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    // The whole workspace, so that features are those of the tests: no codec is built again.
    cargo(["build", "--release", "--workspace", "--quiet", "--example", "media"])?;
    let given = |word: &str| arguments.iter().any(|argument| argument == word);
    let mut words = arguments.to_vec();
    if !given("--out") {
        words.extend(["--out".to_owned(), folder.to_string_lossy().into_owned()]);
    }
    if !given("--python")
        && let Some(python) = python(&folder)
    {
        words.extend(["--python".to_owned(), python.to_string_lossy().into_owned()]);
    }
    if !given("--clip")
        && !given("--short")
        && let Some(clip) = clip(&folder)
    {
        words.extend(["--clip".to_owned(), clip.to_string_lossy().into_owned()]);
    }
    command(target.join("release/examples/media"), words)
}

/// A Python that has the package `pesq`, made if needed; `None` where it cannot be had. Then the speech has no scores.
fn python(folder: &Path) -> Option<PathBuf> {
    let home = folder.join("venv");
    let python = home.join("bin/python");
    let words = |path: &Path| path.to_string_lossy().into_owned();
    let knows = || succeeds(&words(&python), &["-c", "import numpy, pesq"]);
    if knows() {
        return Some(python);
    }
    println!("Making a Python environment with the package pesq in {}", home.display());
    let made = succeeds("python3", &["-m", "venv", &words(&home)])
        && succeeds(&words(&python), &["-m", "pip", "install", "--quiet", "numpy", "pesq"])
        && knows();
    if !made {
        println!("It cannot be had (it needs python3-venv, python3-dev, gcc and a package index): no PESQ.");
    }
    made.then_some(python)
}

/// The clip that lies beside the repository, made readable by ffmpeg; `None` where either is missing. Then a delegate is
/// drawn.
fn clip(folder: &Path) -> Option<PathBuf> {
    let source = root().join(CLIP).canonicalize().ok()?;
    let clip = folder.join("clip.y4m");
    let words = |path: &Path| path.to_string_lossy().into_owned();
    let (from, to) = (words(&source), words(&clip));
    let made = clip.exists() || succeeds("ffmpeg", &["-y", "-i", &from, "-an", "-pix_fmt", "yuv420p", &to]);
    made.then_some(clip)
}

/// Where a checkout for development has its clips.
const CLIP: &str = "../shared/media/bigbuckbunny.mp4";
