//! The parts, and what they have in common.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers")]

mod camera;
mod clip;
mod echo;
mod load;
mod pesq;
mod picture;
mod rig;
mod room;
mod screen;
mod sources;
mod speech;
mod stages;
mod staircase;
mod table;
mod viewer;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use conclave_client::media::Redundancy;
use serde_json::{Map, Value, json};

/// What to measure, and how much.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    only: Vec<String>,
    pub(crate) seeds: u64,
    pub(crate) short: bool,
    /// Which losses in percent; all where there is none.
    pub(crate) shares: Vec<u8>,
    pub(crate) jobs: usize,
    pub(crate) out: PathBuf,
    pub(crate) python: Option<PathBuf>,
    pub(crate) clip: Option<PathBuf>,
    /// What the speaker uses whatever the line, in the place of what a client chooses.
    pub(crate) redundancy: Option<Redundancy>,
}

type Part = fn(&Options) -> Value;

/// In this order; those that depend on the real clock last.
const PARTS: [(&str, Part); 8] = [
    ("speech", speech::measure),
    ("picture", picture::measure),
    ("staircase", staircase::measure),
    ("echo", echo::measure),
    ("screen", screen::measure),
    ("stages", stages::measure),
    ("encoder", load::encoder),
    ("load", load::measure),
];

impl Options {
    /// Reads the command line.
    pub(crate) fn parse(words: &[String]) -> Self {
        let mut options = Self {
            only: Vec::new(),
            seeds: 0,
            short: false,
            shares: Vec::new(),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            out: "target/bench".into(),
            python: None,
            clip: None,
            redundancy: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} wants a value"));
            match word.as_str() {
                "--only" => options.only = value().split(',').map(str::to_owned).collect(),
                "--seeds" => options.seeds = value().parse().unwrap(),
                "--jobs" => options.jobs = value().parse().unwrap(),
                "--shares" => options.shares = value().split(',').map(|share| share.parse().unwrap()).collect(),
                "--short" => options.short = true,
                "--out" => options.out = value().into(),
                "--python" => options.python = Some(value().into()),
                "--redundancy" => options.redundancy = Some(redundancy(value())),
                "--clip" => options.clip = Some(value().into()),
                other => panic!("unknown word {other}; see the head of examples/media/main.rs"),
            }
        }
        if options.seeds == 0 {
            options.seeds = if options.short { 1 } else { 3 };
        }
        let known = |name: &String| PARTS.iter().any(|(part, _)| part == name);
        if let Some(name) = options.only.iter().find(|name| !known(name)) {
            panic!("no part {name}; there are {:?}", PARTS.map(|(part, _)| part));
        }
        options
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }

    /// Does `work` for each of the jobs on as many threads as were wished, and returns the results in the jobs' order.
    pub(crate) fn spread<J: Sync, R: Send>(&self, jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
        let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..jobs.len()).collect());
        let done: Mutex<Vec<Option<R>>> = Mutex::new(jobs.iter().map(|_| None).collect());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        std::thread::scope(|scope| {
            for number in 0..self.jobs.clamp(1, jobs.len().max(1)) {
                let worker = || {
                    while let Some(at) = next() {
                        let result = work(&jobs[at]);
                        done.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(result);
                        eprint!(".");
                    }
                };
                std::thread::Builder::new().name(format!("bench-{number}")).spawn_scoped(scope, worker).unwrap();
            }
        });
        eprintln!();
        done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
    }
}

/// Reads "copies,distance of the farthest,milliseconds of deep redundancy".
fn redundancy(word: &str) -> Redundancy {
    let numbers: Vec<u16> = word.split(',').map(|number| number.parse().unwrap()).collect();
    let [red, far, dred] = numbers[..] else { panic!("--redundancy wants three numbers") };
    Redundancy { red: red as u8, far: far as u8, dred: Duration::from_millis(dred.into()) }
}

pub(crate) use load::child;

/// Measures, prints the tables, writes and returns the JSON.
pub(crate) fn run(options: &Options) -> Value {
    std::fs::create_dir_all(&options.out).unwrap();
    let mut found = Map::new();
    found.insert(
        "settings".to_owned(),
        json!({
            "seeds": options.seeds,
            "short": options.short,
            "debug": cfg!(debug_assertions),
            "clip": options.clip,
        }),
    );
    for (name, part) in PARTS {
        if options.wants(name) {
            found.insert(name.to_owned(), part(options));
        }
    }
    let found = Value::Object(found);
    let path = options.out.join("media.json");
    std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap()).unwrap();
    println!("\nwritten: {}", path.display());
    found
}

/// The value below which `percent` of 100 lie; NaN where there is none.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The middle one; the mean of the two middle ones.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => sorted[middle],
        (_, middle) => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}
