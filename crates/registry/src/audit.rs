//! `audit verify`: whether a relay's audit log is as it was written.

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use conclave_identity::audit::{self, Event, Summary};
use serde::Serialize;

use crate::{RegistryError, cli::AuditOptions};

/// What `audit verify` found.
#[derive(Clone, Debug, Serialize)]
pub struct Audited {
    /// The file.
    pub file: PathBuf,
    /// Whether everything holds.
    pub good: bool,
    /// The first fault, with its line.
    pub problem: Option<String>,
    /// How many lines hold.
    pub lines: u64,
    /// The time of the first line, in seconds since 1970-01-01 UTC.
    pub first: Option<u64>,
    /// The time of the last line.
    pub last: Option<u64>,
    /// How many lines are earlier than the one before: the relay's clock was set back.
    pub set_back: u64,
    /// How many records the relay could not write, as the file says: what happened then is not known.
    pub missing: u64,
    /// SHA-256 over the last line, in hex: note it elsewhere, and give it as --head the next time.
    pub head: Option<String>,
    /// How often which event is there.
    pub events: BTreeMap<Event, u64>,
}

/// Checks a file. What does not hold is a fault in the result, not an error.
///
/// # Errors
/// [`RegistryError::Read`] where the file cannot be opened, [`RegistryError::Head`].
pub fn verify(options: &AuditOptions) -> Result<Audited, RegistryError> {
    let path = &options.file;
    let noted = options.head.as_deref().map(parse_head).transpose()?;
    let failed = |error| RegistryError::Read { path: path.clone(), error };
    let (mut events, mut seen, mut lines) = (BTreeMap::new(), noted.is_none(), 0);
    let outcome = audit::walk(File::open(path).map_err(failed)?, |entry| {
        *events.entry(entry.record.event).or_insert(0) += 1;
        seen |= noted == Some(entry.head);
        lines += 1;
    });
    let (summary, problem) = match outcome {
        Ok(summary) if seen => (summary, None),
        Ok(summary) => (summary, Some("no line has the noted head: lines were cut off or made anew".to_owned())),
        Err(error) => (Summary { lines, ..Summary::default() }, Some(error.to_string())),
    };
    Ok(Audited {
        file: path.clone(),
        good: problem.is_none(),
        head: (problem.is_none() && lines > 0).then(|| hex::encode(summary.head())),
        problem,
        lines,
        first: summary.first,
        last: summary.last,
        set_back: summary.set_back,
        missing: summary.missing,
        events,
    })
}

fn parse_head(text: &str) -> Result<[u8; 32], RegistryError> {
    let mut head = [0; 32];
    hex::decode_to_slice(text.trim(), &mut head).map_err(|_| RegistryError::Head(text.to_owned()))?;
    Ok(head)
}
