//! The measurements: `cargo xtask bench`.

mod media;

use anyhow::{Result, bail};

use crate::run::cargo;

/// Name, package and example of each measurement.
const MEASUREMENTS: &[(&str, &str, &str)] = &[
    ("codec", "conclave-codec", "codec_speed"),
    ("group", "conclave-e2ee", "costs"),
    ("proofs", "conclave-session", "proofs"),
    ("admission", "conclave-sim", "admission"),
    ("relay", "conclave-relay-core", "fan_out"),
    ("way_out", "conclave-relay", "way_out"),
];

/// The measurement of sound and picture, which has options of its own.
const MEDIA: &str = "media";

/// Runs one measurement, or all; `arguments` are the measurement's own.
///
/// # Errors
/// An unknown name, arguments for a measurement that takes none, or a measurement that fails.
pub(crate) fn run(only: Option<&str>, arguments: &[String]) -> Result<()> {
    let names: Vec<_> = MEASUREMENTS.iter().map(|(name, ..)| *name).chain([MEDIA]).collect();
    if let Some(only) = only
        && !names.contains(&only)
    {
        bail!("no measurement \"{only}\"; there are: {}", names.join(", "));
    }
    if only != Some(MEDIA) && !arguments.is_empty() {
        bail!("only \"{MEDIA}\" takes arguments");
    }
    for (name, package, example) in MEASUREMENTS {
        if only.is_none_or(|only| only == *name) {
            println!("== {name}");
            cargo(["run", "--release", "--quiet", "--package", package, "--example", example])?;
        }
    }
    if only.is_none_or(|only| only == MEDIA) {
        media::run(arguments)?;
    }
    Ok(())
}
