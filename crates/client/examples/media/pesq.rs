//! Scores of heard speech, by the reference implementation that the Python package `pesq` wraps.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use super::{Options, sources::resample};

/// What was said, and what was heard of it.
type Pair<'a> = (&'a [f32], &'a [f32]);

/// Scores each pair of source and heard sound (48 kHz); NaN for all where Python or the package cannot be had.
pub(crate) fn score(options: &Options, pairs: &[Pair<'_>]) -> Vec<f64> {
    let nothing = || vec![f64::NAN; pairs.len()];
    let Some(python) = &options.python else { return nothing() };
    let folder = options.out.join(format!("pesq-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // Not by the name of the package, which Python would then take it for.
    let script = folder.join("score.py");
    std::fs::write(&script, include_str!("pesq.py")).unwrap();
    let numbered: Vec<(usize, &Pair<'_>)> = pairs.iter().enumerate().collect();
    // One process for each thread: starting Python takes longer than a score.
    let parts: Vec<_> = numbered.chunks(numbered.len().div_ceil(options.jobs.max(1)).max(1)).collect();
    let scored = options.spread(&parts, |part| part_of(python, &script, &folder, part));
    let _ = std::fs::remove_dir_all(&folder);
    let scores: Vec<f64> = scored.into_iter().flatten().collect();
    if scores.len() == pairs.len() { scores } else { nothing() }
}

fn part_of(python: &Path, script: &Path, folder: &Path, pairs: &[(usize, &Pair<'_>)]) -> Vec<f64> {
    let mut list = String::new();
    for (number, (clean, heard)) in pairs {
        let [clean_path, heard_path] = ["clean", "heard"].map(|kind| folder.join(format!("{kind}-{number}.f32")));
        for (path, sound) in [(&clean_path, clean), (&heard_path, heard)] {
            let bytes: Vec<u8> = resample(sound, 48_000, 16_000).into_iter().flat_map(f32::to_le_bytes).collect();
            std::fs::write(path, bytes).unwrap();
        }
        list.push_str(&format!("{}\t{}\n", clean_path.display(), heard_path.display()));
    }
    let child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return Vec::new() };
    // The answers are few: they fit into the pipe.
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let answer = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&answer.stdout).lines().filter_map(|line| line.parse().ok()).collect()
}
