#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use conclave_model::MeetingId;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("audit.jsonl")
    }

    /// Runs a log for these records, as one life of a relay.
    fn record(&self, records: impl IntoIterator<Item = Record>) {
        let (audit, writer) = Audit::open(&self.file(), Arc::default()).unwrap();
        records.into_iter().for_each(|record| audit.note(record));
        drop(audit);
        writer.run();
    }

    fn events(&self) -> Vec<(Event, Option<String>)> {
        let mut events = Vec::new();
        audit::walk(File::open(self.file()).unwrap(), |entry| events.push((entry.record.event, entry.record.reason)))
            .unwrap();
        events
    }
}

fn plain(events: &[Event]) -> Vec<(Event, Option<String>)> {
    events.iter().map(|event| (*event, None)).collect()
}

#[test]
fn each_start_goes_on_with_the_chain() {
    let folder = Folder::new();
    let meeting = MeetingId([3; 16]);
    folder.record([Record::in_meeting(Event::MeetingOpened, meeting)]);
    folder.record([]);
    let life = [Event::Started, Event::MeetingOpened, Event::Stopped, Event::Started, Event::Stopped];
    assert_eq!(folder.events(), plain(&life));
    assert_eq!(inspect_audit(&folder.file()).unwrap().unwrap().lines, 5);
}

#[cfg(unix)]
#[test]
fn only_the_relays_user_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.record([]);
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_last_line_that_was_interrupted_is_taken_out() {
    let folder = Folder::new();
    folder.record([Record::of(Event::Connected)]);
    let whole = fs::read(folder.file()).unwrap();
    for cut in [1, 40] {
        fs::write(folder.file(), &whole[..whole.len() - cut]).unwrap();
        assert_eq!(inspect_audit(&folder.file()).unwrap().unwrap().lines, 2, "the check does not mind");
        folder.record([]);
        let events = folder.events();
        assert_eq!(events[..2], plain(&[Event::Started, Event::Connected]));
        assert_eq!(events[2], (Event::Started, Some("after-an-interruption".into())));
    }
    fs::write(folder.file(), &whole[..30]).unwrap();
    folder.record([]);
    assert_eq!(folder.events()[0], (Event::Started, Some("after-an-interruption".into())));
}

#[test]
fn a_log_that_was_moved_away_ends_there_and_goes_on_in_a_new_file() {
    let folder = Folder::new();
    let moved = folder.0.path().join("audit.1.jsonl");
    let (audit, writer) = Audit::open(&folder.file(), Arc::default()).unwrap();
    let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run()).unwrap();
    audit.note(Record::of(Event::Connected));
    audit.reopen();
    audit.note(Record::of(Event::Left));
    while fs::read_to_string(folder.file()).unwrap().lines().count() < 3 {
        std::thread::yield_now();
    }
    fs::rename(folder.file(), &moved).unwrap();
    audit.reopen();
    audit.note(Record::of(Event::Connected));
    drop(audit);
    thread.join().unwrap();
    let old = inspect_audit(&moved).unwrap().unwrap();
    assert_eq!(old.lines, 4, "asking without a move changes nothing");
    let last = hex::encode(&old.chain.head()[..8]);
    let reason = |reason: String| Some(reason);
    assert_eq!(
        folder.events(),
        [(Event::Started, reason(format!("after-{last}"))), (Event::Connected, None), (Event::Stopped, None)]
    );
    fs::rename(&moved, folder.file()).unwrap();
    assert_eq!(folder.events().last().unwrap(), &(Event::Stopped, reason("moved-away".into())));
}

#[test]
fn a_log_that_was_changed_is_left_alone() {
    let folder = Folder::new();
    folder.record([Record::of(Event::Connected), Record::of(Event::Left)]);
    let text = fs::read_to_string(folder.file()).unwrap();
    for changed in [text.replace("connected", "waiting"), text[..text.len() - 1].replace("connected", "waiting")] {
        fs::write(folder.file(), &changed).unwrap();
        let problem = Audit::open(&folder.file(), Arc::default()).unwrap_err();
        assert!(matches!(problem, AuditProblem::Broken(_)), "{problem}");
        assert!(inspect_audit(&folder.file()).is_err());
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), changed);
    }
}

#[test]
fn another_file_is_not_taken_for_a_log() {
    let folder = Folder::new();
    for text in ["{\"some\": \"settings\"}", "notes", "notes\n", "{\"seq\":2,\"time\":1}\n", "[relay]\nlisten = 1"] {
        fs::write(folder.file(), text).unwrap();
        let problem = Audit::open(&folder.file(), Arc::default()).unwrap_err();
        assert!(matches!(problem, AuditProblem::Broken(_)), "{text}: {problem}");
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
    }
    let problem = Audit::open(folder.0.path(), Arc::default()).unwrap_err();
    assert!(matches!(problem, AuditProblem::File(_) | AuditProblem::NotAFile), "{problem}");
}

#[test]
fn two_relays_do_not_write_one_log() {
    let folder = Folder::new();
    let first = Audit::open(&folder.file(), Arc::default()).unwrap();
    let problem = Audit::open(&folder.file(), Arc::default()).unwrap_err();
    assert!(matches!(problem, AuditProblem::InUse), "{problem}");
    drop(first);
    Audit::open(&folder.file(), Arc::default()).unwrap();
}

#[test]
fn records_that_find_no_room_are_counted_and_their_number_is_recorded() {
    let folder = Folder::new();
    let tally = Arc::<Tally>::default();
    let (audit, writer) = Audit::open(&folder.file(), Arc::clone(&tally)).unwrap();
    for _ in 0..QUEUE + 9 {
        audit.note(Record::of(Event::Refused));
    }
    assert_eq!(tally.counters().unrecorded, 10);
    drop(audit);
    writer.run();
    let events = folder.events();
    assert_eq!(events[0], (Event::RecordsMissing, Some("10".into())));
    assert_eq!(events.len(), 1 + QUEUE + 1);
}

/// `/dev/full` stands for a disk that is.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_nothing_and_is_counted() {
    let folder = Folder::new();
    let tally = Arc::<Tally>::default();
    let (audit, mut writer) = Audit::open(&folder.file(), Arc::clone(&tally)).unwrap();
    let good = std::mem::replace(&mut writer.log.file, File::options().append(true).open("/dev/full").unwrap());
    writer.write(&Record::of(Event::Refused), 1);
    writer.write(&Record::of(Event::Refused), 1);
    writer.log.file = good;
    drop(audit);
    writer.run();
    assert_eq!(tally.counters().unrecorded, 2);
    let reasons = [(Event::RecordsMissing, Some("2".into())), (Event::Started, None), (Event::Stopped, None)];
    assert_eq!(folder.events(), reasons);
}

#[test]
fn every_refusal_is_one_word() {
    for refusal in [Refusal::NotInvited, Refusal::AlreadyHere, Refusal::GoingAway, Refusal::TooEarly] {
        let word = word(refusal);
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && word.len() < 32, "{word}");
    }
}
