//! The relay's audit log: who came, who was refused, who left; no names and no content.
//!
//! An append-only text file, one JSON object a line, each line bound to the one before:
//!
//! ```text
//! {"seq":1,"time":1795442700,"prev":"0000…","event":"started"}
//! {"seq":2,"time":1795442712,"prev":"9f3c…","event":"refused","person":"27d0…","reason":"not-invited"}
//! ```
//!
//! | field | what |
//! | --- | --- |
//! | `seq` | 1, 2, 3 … without a gap |
//! | `time` | seconds since 1970-01-01 UTC, by the relay's clock |
//! | `prev` | SHA-256 in hex over the bytes of the line before, without its line feed; 64 zeros in the first line |
//! | `event` | one of the words of [`Event`] |
//! | `meeting` | the meeting's random name, 32 hex digits |
//! | `person` | SHA-256 of the certificate, 64 hex digits |
//! | `by` | the certificate of whoever had it done |
//! | `reason` | one word of a-z, 0-9 and "-"; how many, for `records-missing` |
//!
//! `meeting`, `person`, `by` and `reason` are left out where they do not apply; the order is that of the table, and there is
//! no space, so a record has one form. Whoever can write the file can make a new chain or cut off its end: note the
//! [`Summary::head`] elsewhere from time to time, and compare.

use std::{
    fmt,
    io::{self, BufRead, Read},
};

use conclave_model::{Fingerprint, MeetingId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

/// The longest line in bytes, its line feed not counted.
pub const MAX_LINE: usize = 1024;

/// The longest reason in bytes.
pub const MAX_REASON: usize = 32;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The relay began to work.
    Started,
    /// The relay ended in order.
    Stopped,
    /// A meeting came to be with its first member.
    MeetingOpened,
    /// A meeting ended with its last member, or with its time.
    MeetingEnded,
    /// Somebody proved a certificate and an invitation.
    Connected,
    /// Somebody was sent away before that, or after: see the reason.
    Refused,
    /// Somebody waits in the lobby.
    Waiting,
    /// Somebody became a member of the group.
    Member,
    /// The chair denied or ejected somebody.
    Dismissed,
    /// The commit of a member was annulled after the others objected to it.
    Annulled,
    /// A connection ended.
    Left,
    /// So many records could not be written: the reason is their number.
    RecordsMissing,
}

/// One entry, without its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub event: Event,
    /// In which meeting.
    pub meeting: Option<MeetingId>,
    /// To whom.
    pub person: Option<Fingerprint>,
    /// By whose order.
    pub by: Option<Fingerprint>,
    /// Why: a word of a-z, 0-9 and "-"; whatever else stands there is written as "-".
    pub reason: Option<String>,
}

impl Record {
    /// An event without anything else.
    pub fn of(event: Event) -> Self {
        Self { event, meeting: None, person: None, by: None, reason: None }
    }

    /// So many records could not be written.
    pub fn missing(count: u64) -> Self {
        Self::of(Event::RecordsMissing).because(&count.to_string())
    }

    /// An event in a meeting.
    pub fn in_meeting(event: Event, meeting: MeetingId) -> Self {
        Self { meeting: Some(meeting), ..Self::of(event) }
    }

    /// The same, for somebody.
    #[must_use]
    pub fn person(self, person: Fingerprint) -> Self {
        Self { person: Some(person), ..self }
    }

    /// The same, by somebody's order.
    #[must_use]
    pub fn by(self, by: Fingerprint) -> Self {
        Self { by: Some(by), ..self }
    }

    /// The same, with a reason.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }
}

/// The end of a chain, to which the next line is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    next: u64,
    head: [u8; 32],
}

impl Default for Chain {
    /// The beginning of a new file.
    fn default() -> Self {
        Self { next: 1, head: [0; 32] }
    }
}

impl Chain {
    /// The next line, its line feed included, at `time` seconds since 1970-01-01 UTC. Write it before anything else is
    /// appended; where that fails, the chain is to be read again from the file.
    pub fn append(&mut self, record: &Record, time: u64) -> String {
        let line = Line {
            seq: self.next,
            time,
            prev: Hex(self.head),
            event: record.event,
            meeting: record.meeting.map(|meeting| Hex(meeting.0)),
            person: record.person.map(|person| Hex(person.0)),
            by: record.by.map(|by| Hex(by.0)),
            reason: record.reason.as_deref().map(word),
        };
        let mut text = line.to_json();
        self.take(text.as_bytes());
        text.push('\n');
        text
    }

    /// SHA-256 over the last line; zeros at the beginning.
    pub fn head(&self) -> [u8; 32] {
        self.head
    }

    fn take(&mut self, line: &[u8]) {
        self.head = Sha256::digest(line).into();
        self.next = self.next.saturating_add(1);
    }
}

/// What a good file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many lines.
    pub lines: u64,
    /// The time of the first line, in seconds since 1970-01-01 UTC.
    pub first: Option<u64>,
    /// The time of the last line.
    pub last: Option<u64>,
    /// How many lines have an earlier time than the one before: the clock was set back.
    pub set_back: u64,
    /// How many records could not be written, as the file itself says.
    pub missing: u64,
    /// Its end: [`Chain::append`] goes on from there.
    pub chain: Chain,
}

impl Summary {
    /// SHA-256 over the last line: whoever notes it can tell later that nothing before it was changed or cut off.
    pub fn head(&self) -> [u8; 32] {
        self.chain.head
    }
}

/// Why a file is no good audit log.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct AuditError {
    /// Which line, from 1 on.
    pub line: u64,
    /// What is wrong with it.
    pub what: Fault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is too long.
    #[error("it is longer than {MAX_LINE} bytes")]
    TooLong,
    /// It does not end with a line feed: writing it was interrupted.
    #[error("it is not finished: writing it was interrupted, or the end of the file was cut off")]
    Unfinished,
    /// It is no record.
    #[error("it is no record of an audit log")]
    Malformed,
    /// It is a record in another form than the one that is written.
    #[error("it is not in the form in which it was written")]
    Form,
    /// Lines are missing, or there twice.
    #[error("its number is {found} instead of {wanted}: lines are missing, or there twice")]
    Sequence {
        /// What should be there.
        wanted: u64,
        /// What is there.
        found: u64,
    },
    /// The line before it is not the one that was there when it was written.
    #[error("the line before it was changed, or this is the beginning of another file's chain")]
    Chain,
    /// The file cannot be read any further.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
}

/// Checks a whole file: form, numbers, chain. Holds one line in memory.
///
/// # Errors
/// [`AuditError`], the first that applies.
pub fn verify(file: impl Read) -> Result<Summary, AuditError> {
    walk(file, |_| {})
}

/// One good line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In seconds since 1970-01-01 UTC.
    pub time: u64,
    /// What it says.
    pub record: Record,
    /// SHA-256 over it.
    pub head: [u8; 32],
}

/// [`verify`] that shows every good line.
///
/// # Errors
/// [`AuditError`], the first that applies.
pub fn walk(file: impl Read, mut see: impl FnMut(Entry)) -> Result<Summary, AuditError> {
    let mut file = io::BufReader::new(file);
    let mut summary = Summary::default();
    let mut bytes = Vec::new();
    loop {
        let failed = |what| AuditError { line: summary.lines + 1, what };
        bytes.clear();
        let limit = MAX_LINE as u64 + 1;
        (&mut file).take(limit).read_until(b'\n', &mut bytes).map_err(|error| failed(Fault::Read(error)))?;
        if bytes.is_empty() {
            return Ok(summary);
        }
        if bytes.pop() != Some(b'\n') {
            let whole = bytes.len() as u64 + 1 < limit;
            return Err(failed(if whole { Fault::Unfinished } else { Fault::TooLong }));
        }
        let line = check(&bytes, &summary.chain).map_err(failed)?;
        if summary.last.is_some_and(|last| line.time < last) {
            summary.set_back += 1;
        }
        summary.lines += 1;
        summary.missing = summary.missing.saturating_add(line.missing().unwrap_or(0));
        summary.first.get_or_insert(line.time);
        summary.last = Some(line.time);
        summary.chain.take(&bytes);
        see(Entry { time: line.time, head: summary.chain.head, record: line.record() });
    }
}

fn check(bytes: &[u8], chain: &Chain) -> Result<Line, Fault> {
    let line: Line = serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)?;
    let has_words = line.reason.as_deref().is_none_or(|reason| word(reason) == reason);
    let has_number = line.event != Event::RecordsMissing || line.missing().is_some();
    if line.to_json().as_bytes() != bytes || !has_words || !has_number {
        return Err(Fault::Form);
    }
    if line.seq != chain.next {
        return Err(Fault::Sequence { wanted: chain.next, found: line.seq });
    }
    if line.prev.0 == chain.head { Ok(line) } else { Err(Fault::Chain) }
}

fn word(text: &str) -> String {
    let allowed = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    text.chars().take(MAX_REASON).map(|character| if allowed(character) { character } else { '-' }).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    time: u64,
    prev: Hex<32>,
    event: Event,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meeting: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Line {
    fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "numbers and strings into memory")]
        serde_json::to_string(self).expect("a line of numbers and strings serializes")
    }

    /// How many records it says are missing; `None` where it says no such thing, or not as it is written.
    fn missing(&self) -> Option<u64> {
        let reason = self.reason.as_deref().filter(|_| self.event == Event::RecordsMissing)?;
        reason.parse().ok().filter(|count: &u64| *count > 0 && count.to_string() == reason)
    }

    fn record(self) -> Record {
        Record {
            event: self.event,
            meeting: self.meeting.map(|meeting| MeetingId(meeting.0)),
            person: self.person.map(|person| Fingerprint(person.0)),
            by: self.by.map(|by| Fingerprint(by.0)),
            reason: self.reason,
        }
    }
}

/// Bytes as hex digits.
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut bytes = [0; N];
        hex::decode_to_slice(String::deserialize(from)?, &mut bytes).map_err(D::Error::custom)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::MeetingOpened => "meeting-opened",
            Self::MeetingEnded => "meeting-ended",
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
            Self::Member => "member",
            Self::Dismissed => "dismissed",
            Self::Annulled => "annulled",
            Self::Left => "left",
            Self::RecordsMissing => "records-missing",
        })
    }
}

#[cfg(test)]
mod tests;
