//! Runs targets.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    Case, Target, coverage,
    mutate::{Random, mutate},
    nasty::nasty,
};

/// How long a run goes on: until the first limit is reached.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Decides the mutations.
    pub seed: u64,
    /// How many mutated inputs.
    pub inputs: u64,
    /// How long.
    pub time: Duration,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Mutated inputs that were tried.
    pub inputs: u64,
    /// Inputs that led somewhere new, where coverage is known.
    pub found: usize,
    /// Places that were reached, where coverage is known.
    pub places: usize,
}

/// A target did not withstand an input.
#[derive(Debug, thiserror::Error)]
#[error("{target} failed on {input} ({origin}): {what}")]
pub struct Failure {
    /// Which target.
    pub target: &'static str,
    /// Where the input came from: a file, or seed and number.
    pub origin: String,
    /// Where the input is now.
    pub input: String,
    /// What the panic said.
    pub what: String,
}

/// The files of a target, by name.
///
/// # Errors
/// Where the folder cannot be read.
pub fn corpus(target: &Target) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        files.push((path, bytes));
    }
    files.sort();
    Ok(files)
}

/// Gives a target all that is known: its own valid inputs, its files, and what is nasty to everybody.
///
/// # Errors
/// The first [`Failure`].
pub fn replay(target: &Target) -> Result<usize, Failure> {
    let mut case = (target.make)();
    let inputs = known(target, &case);
    for (origin, input) in &inputs {
        one(target, &mut case, input, || origin.clone())?;
    }
    withstood(target);
    Ok(inputs.len())
}

fn known(target: &Target, case: &Case) -> Vec<(String, Vec<u8>)> {
    let files = corpus(target).unwrap_or_default();
    let valid = case.valid.iter().enumerate().map(|(nth, input)| (format!("valid input {nth}"), input.clone()));
    let files = files.into_iter().map(|(path, input)| (path.display().to_string(), input));
    let nasty = nasty().into_iter().enumerate().map(|(nth, input)| (format!("nasty input {nth}"), input));
    valid.chain(files).chain(nasty).collect()
}

/// Mutates what is known. Inputs that lead to new places are mutated on, where the program was built to tell.
///
/// # Errors
/// The first [`Failure`].
pub fn run(target: &Target, plan: &Plan) -> Result<Report, Failure> {
    let mut random = Random::new(plan.seed);
    let mut case = (target.make)();
    let mut pool: Vec<Vec<u8>> = known(target, &case).into_iter().map(|(_, input)| input).collect();
    // What a target made itself and what is in the tree leads further than what is made for all.
    let good = pool.len() - nasty().len();
    let mut report = Report::default();
    let mut seen = coverage::Seen::default();
    for input in &pool {
        one(target, &mut case, input, || "known".to_owned())?;
        seen.note();
    }
    let begun = Instant::now();
    while report.inputs < plan.inputs && begun.elapsed() < plan.time {
        let (known, fresh) = (good.max(1), pool.len() - good);
        let at = match random.below(8) {
            0 => random.below(pool.len()),
            1..4 if fresh > nasty().len() => pool.len() - 1 - random.below(fresh - nasty().len()),
            _ => random.below(known),
        };
        let other = random.below(pool.len());
        let mut input = pool[at].clone();
        mutate(&mut input, &pool[other], target.longest, &mut random);
        report.inputs += 1;
        let number = report.inputs;
        one(target, &mut case, &input, || format!("seed {}, input {number}", plan.seed))?;
        if seen.note() {
            report.found += 1;
            pool.push(input);
        }
    }
    report.places = seen.places();
    withstood(target);
    Ok(report)
}

fn one(target: &Target, case: &mut Case, input: &[u8], origin: impl Fn() -> String) -> Result<(), Failure> {
    let saved = saved(target);
    if target.may_abort {
        // A panic there ends the process, or the system does: what was tried must be known then.
        fs::write(&saved, input).ok();
    }
    catch_unwind(AssertUnwindSafe(|| (case.run)(input))).map_err(|panic| {
        fs::write(&saved, input).ok();
        let text = panic.downcast_ref::<String>().cloned();
        let what = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        Failure { target: target.name, origin: origin(), input: saved.display().to_string(), what }
    })
}

/// What was kept in case that the process ends is not needed.
fn withstood(target: &Target) {
    if target.may_abort {
        fs::remove_file(saved(target)).ok();
    }
}

/// Where the last input of a target is kept, to become a file of the corpus.
fn saved(target: &Target) -> PathBuf {
    std::env::temp_dir().join(format!("conclave-fuzz-{}-{}", target.name, std::process::id()))
}
