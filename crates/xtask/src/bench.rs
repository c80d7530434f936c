//! The measurements: `cargo xtask bench`.

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

/// Runs one measurement, or all.
///
/// # Errors
/// An unknown name, or a measurement that fails.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let names: Vec<_> = MEASUREMENTS.iter().map(|(name, ..)| *name).collect();
    if let Some(only) = only
        && !names.contains(&only)
    {
        bail!("no measurement \"{only}\"; there are: {}", names.join(", "));
    }
    for (name, package, example) in MEASUREMENTS {
        if only.is_none_or(|only| only == *name) {
            println!("== {name}");
            cargo(["run", "--release", "--quiet", "--package", package, "--example", example])?;
        }
    }
    Ok(())
}
