//! Writes the audit log: see [`conclave_identity::audit`] for its form.
//!
//! A thread of its own writes, so that a slow disk delays nobody. Where the log cannot be written, the relay goes on:
//! that is said in its own log and counted, and the next record that can be written follows one that says how many are
//! missing.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use conclave_identity::audit::{self, AuditError, Chain, Event, MAX_LINE, Record, Summary};
use conclave_model::{
    Fingerprint,
    wire::signal::{Dismissal, Refusal},
};
use conclave_relay_core::Happening;
use tracing::{error, info, warn};

use crate::{
    clock,
    tally::{Tally, count},
};

/// How many records may wait for the disk.
const QUEUE: usize = 8192;

/// How many records are written before the disk is asked to keep them.
const BATCH: usize = 256;

/// How every log begins.
const FIRST: &[u8] = b"{\"seq\":1,";

/// Why an audit log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditProblem {
    /// It cannot be opened or read.
    #[error("{0}")]
    File(io::Error),
    /// It is a folder, a device, or something else that cannot be appended to for good.
    #[error("it is no regular file")]
    NotAFile,
    /// Another relay writes it.
    #[error("another relay writes it; each needs its own")]
    InUse,
    /// What is in it is no good.
    #[error("{0}; put the file away for whoever looks into it, and a new one is begun")]
    Broken(AuditError),
}

/// What the writer is told.
#[derive(Debug)]
enum Note {
    /// A record, with its time in seconds since 1970-01-01 UTC.
    Record(u64, Record),
    /// The file may have been moved away.
    Reopen,
}

/// Where records go; nowhere by default. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit {
    queue: Option<SyncSender<Note>>,
    tally: Arc<Tally>,
}

impl Audit {
    /// Opens a log; [`Writer::run`] writes it.
    pub(crate) fn open(path: &Path, tally: Arc<Tally>) -> Result<(Self, Writer), AuditProblem> {
        let (log, note) = Log::open(path)?;
        let (sender, queue) = sync_channel(QUEUE);
        let audit = Self { queue: Some(sender), tally: Arc::clone(&tally) };
        let started = Record::of(Event::Started);
        audit.note(match note {
            Some(note) => started.because(note),
            None => started,
        });
        Ok((audit, Writer { path: path.to_owned(), log, queue, tally, missing: 0, is_failing: false }))
    }

    /// Where nothing is recorded.
    pub(crate) fn none(tally: Arc<Tally>) -> Self {
        Self { queue: None, tally }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.queue.is_some()
    }

    /// Records something. Never waits.
    pub(crate) fn note(&self, record: Record) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(Note::Record(clock::wall(), record)).is_err() {
            count(&self.tally.unrecorded);
        }
    }

    /// Begins a new file where the present one was moved away. Does nothing while too much waits for the disk.
    pub(crate) fn reopen(&self) {
        if let Some(queue) = &self.queue
            && queue.try_send(Note::Reopen).is_err()
        {
            warn!("the audit log is too slow to begin a new file now; ask again");
        }
    }

    /// Records what happened in a meeting.
    pub(crate) fn note_meeting(&self, conclave_relay_core::Record { meeting, what }: conclave_relay_core::Record) {
        let of = |event| Record::in_meeting(event, meeting);
        let with = |event, who: Fingerprint| of(event).person(who);
        self.note(match what {
            Happening::Opened => of(Event::MeetingOpened),
            Happening::Ended => of(Event::MeetingEnded),
            Happening::Connected(who) => with(Event::Connected, who),
            Happening::Waiting(who) => with(Event::Waiting, who),
            Happening::Member(who) => with(Event::Member, who),
            Happening::Dismissed { who, by, why: Dismissal::Denied } => {
                with(Event::Dismissed, who).by(by).because("denied")
            }
            Happening::Dismissed { who, by, why: Dismissal::Ejected } => {
                with(Event::Dismissed, who).by(by).because("ejected")
            }
            Happening::Annulled { by } => with(Event::Annulled, by),
            Happening::Left { who, why: None } => with(Event::Left, who),
            Happening::Left { who, why: Some(why) } => with(Event::Left, who).because(word(why)),
        });
    }
}

/// A refusal in one word.
pub(crate) fn word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Version => "version",
        Refusal::Invitation => "invitation",
        Refusal::NotInvited => "not-invited",
        Refusal::TooEarly => "too-early",
        Refusal::Over => "over",
        Refusal::Level => "level",
        Refusal::Full => "full",
        Refusal::Replaced => "replaced",
        Refusal::AlreadyHere => "already-here",
        Refusal::Revoked => "revoked",
        Refusal::Denied => "denied",
        Refusal::Ejected => "ejected",
        Refusal::TooOften => "too-often",
        Refusal::Misbehaved => "misbehaved",
        Refusal::GoingAway => "going-away",
        Refusal::NotResumed => "not-resumed",
    }
}

/// Checks an audit log without changing it; `None` where there is none yet.
///
/// # Errors
/// [`AuditProblem::File`], [`AuditProblem::NotAFile`], [`AuditProblem::Broken`]. A last line whose writing was
/// interrupted is none: the relay takes it out and goes on.
pub fn inspect_audit(path: &Path) -> Result<Option<Summary>, AuditProblem> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AuditProblem::File(error)),
    };
    check_kind(&file)?;
    let whole = whole_lines(&mut file).map_err(AuditProblem::File)?;
    audit::verify(file.take(whole)).map(Some).map_err(AuditProblem::Broken)
}

fn check_kind(file: &File) -> Result<(), AuditProblem> {
    let metadata = file.metadata().map_err(AuditProblem::File)?;
    if metadata.is_file() { Ok(()) } else { Err(AuditProblem::NotAFile) }
}

/// How long the file is up to its last line feed, as far as that is within a line's length of the end. Leaves the file
/// at its beginning.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(MAX_LINE as u64 + 1);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(MAX_LINE as u64 + 1).read_to_end(&mut tail)?;
    file.rewind()?;
    let end = tail.iter().rposition(|byte| *byte == b'\n').map(|place| start + place as u64 + 1);
    // Without any line feed it is an interrupted first line, or no log at all, which the check finds out.
    Ok(end.unwrap_or(if start == 0 && tail.starts_with(FIRST) { 0 } else { length }))
}

/// The file, open for as long as the relay runs.
#[derive(Debug)]
struct Log {
    file: File,
    chain: Chain,
    length: u64,
}

impl Log {
    /// Opens or begins a log. Where the last line was interrupted, it is taken out, and the reason for the first record
    /// comes along.
    fn open(path: &Path) -> Result<(Self, Option<&'static str>), AuditProblem> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(path).map_err(AuditProblem::File)?;
        check_kind(&file)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditProblem::InUse),
            Err(TryLockError::Error(error)) => return Err(AuditProblem::File(error)),
        }
        let whole = whole_lines(&mut file).map_err(AuditProblem::File)?;
        let summary = audit::verify((&file).take(whole)).map_err(AuditProblem::Broken)?;
        let length = file.metadata().map_err(AuditProblem::File)?.len();
        let note = (whole < length).then_some("after-an-interruption");
        if note.is_some() {
            file.set_len(whole).map_err(AuditProblem::File)?;
        }
        Ok((Self { file, chain: summary.chain, length: whole }, note))
    }

    /// Whether the file still stands at its path.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let there = match std::fs::metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            let own = self.file.metadata()?;
            Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
        }
        // Where a file that is open cannot be moved.
        #[cfg(not(unix))]
        Ok(there.is_file())
    }

    /// Writes one line, whole or not at all.
    fn write(&mut self, record: &Record, time: u64) -> io::Result<()> {
        let mut chain = self.chain.clone();
        let line = chain.append(record, time);
        let written = self.file.write_all(line.as_bytes());
        if written.is_ok() {
            self.chain = chain;
            self.length += line.len() as u64;
        } else {
            // A half line would break the chain for good.
            let _ = self.file.set_len(self.length);
        }
        written
    }
}

/// The end that writes to the disk.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    log: Log,
    queue: Receiver<Note>,
    tally: Arc<Tally>,
    /// How many records have gone missing so far, as far as the log says it.
    missing: u64,
    is_failing: bool,
}

impl Writer {
    /// Writes until nobody records anything any more.
    pub(crate) fn run(mut self) {
        while let Ok(note) = self.queue.recv() {
            self.take(note);
            for _ in 1..BATCH {
                let Ok(note) = self.queue.try_recv() else { break };
                self.take(note);
            }
            if let Err(error) = self.log.file.sync_data() {
                warn!(%error, "the audit log may not outlive a loss of power");
            }
        }
        self.write(&Record::of(Event::Stopped), clock::wall());
        // Nobody is left to tell; the line is with the system.
        let _ = self.log.file.sync_all();
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Record(time, record) => self.write(&record, time),
            Note::Reopen => self.reopen(),
        }
    }

    /// The last line of the old file says that there is another, the first of the new one which line that was.
    fn reopen(&mut self) {
        match self.log.is_at(&self.path) {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => return error!(%error, file = %self.path.display(), "the audit log stays where it was moved"),
        }
        match Log::open(&self.path) {
            Ok((log, _)) => {
                self.write(&Record::of(Event::Stopped).because("moved-away"), clock::wall());
                if let Err(error) = self.log.file.sync_data() {
                    warn!(%error, "the audit log may not outlive a loss of power");
                }
                let last = hex::encode(&self.log.chain.head()[..8]);
                self.log = log;
                self.write(&Record::of(Event::Started).because(&format!("after-{last}")), clock::wall());
                info!(file = %self.path.display(), "a new audit log is begun");
            }
            Err(problem) => {
                error!(%problem, file = %self.path.display(), "no new audit log; the records go on in the one that was moved");
            }
        }
    }

    fn write(&mut self, record: &Record, time: u64) {
        let missing = self.tally.unrecorded.load(Ordering::Relaxed);
        let gap = missing - self.missing;
        let result =
            if gap > 0 { self.log.write(&Record::missing(gap), time).map(|()| self.missing = missing) } else { Ok(()) };
        match result.and_then(|()| self.log.write(record, time)) {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                info!("the audit log is written again");
            }
            Ok(()) => {}
            Err(error) => {
                count(&self.tally.unrecorded);
                if !self.is_failing {
                    self.is_failing = true;
                    error!(%error, file = %self.path.display(), "the audit log cannot be written");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
