#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const MEETING: MeetingId = MeetingId([0xab; 16]);
const ANNA: Fingerprint = Fingerprint([1; 32]);
const CHAIR: Fingerprint = Fingerprint([2; 32]);

fn records() -> Vec<Record> {
    vec![
        Record::of(Event::Started),
        Record::of(Event::Refused).person(ANNA).because("not-invited"),
        Record::in_meeting(Event::MeetingOpened, MEETING),
        Record::in_meeting(Event::Connected, MEETING).person(ANNA),
        Record::in_meeting(Event::Dismissed, MEETING).person(ANNA).by(CHAIR).because("ejected"),
    ]
}

fn log() -> String {
    let mut chain = Chain::default();
    records().iter().zip(100..).map(|(record, time)| chain.append(record, time)).collect()
}

#[test]
fn a_log_is_read_back_whole_and_goes_on_where_it_ended() {
    let mut log = log();
    let mut seen = Vec::new();
    let summary = walk(log.as_bytes(), |entry| seen.push((entry.time, entry.record))).unwrap();
    assert_eq!(seen, (100..).zip(records()).collect::<Vec<_>>());
    assert_eq!((summary.lines, summary.first, summary.last, summary.set_back), (5, Some(100), Some(104), 0));
    let mut chain = summary.chain.clone();
    log.push_str(&chain.append(&Record::of(Event::Stopped), 99));
    let summary = verify(log.as_bytes()).unwrap();
    assert_eq!((summary.lines, summary.set_back, summary.head()), (6, 1, chain.head()));
    assert_eq!(verify(&b""[..]).unwrap(), Summary::default());
}

#[test]
fn the_lines_are_the_documented_ones() {
    let log = log();
    let zeros = "0".repeat(64);
    let first = format!(r#"{{"seq":1,"time":100,"prev":"{zeros}","event":"started"}}"#);
    let head = hex::encode(Sha256::digest(&first));
    let person = "01".repeat(32);
    let second = format!(
        r#"{{"seq":2,"time":101,"prev":"{head}","event":"refused","person":"{person}","reason":"not-invited"}}"#
    );
    assert_eq!(log.lines().take(2).collect::<Vec<_>>(), [first, second]);
    for event in
        records().iter().map(|record| record.event).chain([Event::Annulled, Event::MeetingEnded, Event::RecordsMissing])
    {
        assert_eq!(serde_json::to_string(&event).unwrap(), format!("\"{event}\""));
    }
}

#[test]
fn what_could_not_be_written_is_summed_up_and_said_in_numbers_alone() {
    let mut chain = Chain::default();
    let records = [Record::of(Event::Started), Record::missing(10), Record::missing(u64::MAX), Record::missing(1)];
    let log: String = records.iter().map(|record| chain.append(record, 1)).collect();
    assert!(log.lines().nth(1).unwrap().ends_with(r#""event":"records-missing","reason":"10"}"#), "{log}");
    let summary = verify(log.as_bytes()).unwrap();
    assert_eq!((summary.lines, summary.missing), (4, u64::MAX));
    for reason in [None, Some("0"), Some("007"), Some("many"), Some("-1"), Some("18446744073709551616")] {
        let record = Record { reason: reason.map(str::to_owned), ..Record::of(Event::RecordsMissing) };
        let line = Chain::default().append(&record, 1);
        assert!(matches!(verify(line.as_bytes()), Err(AuditError { line: 1, what: Fault::Form })), "{reason:?}");
    }
}

#[test]
fn what_somebody_did_to_a_log_is_named_with_its_line() {
    type Change = fn(&mut Vec<String>);
    let cases: [(&str, Change, u64, &str); 10] = [
        ("a word changed", |lines| lines[1] = lines[1].replace("not-invited", "revoked"), 3, "was changed"),
        ("the time changed", |lines| lines[3] = lines[3].replace("103", "104"), 5, "was changed"),
        ("a line taken out", |lines| drop(lines.remove(2)), 3, "instead of 3"),
        ("the first taken out", |lines| drop(lines.remove(0)), 1, "instead of 1"),
        ("a line doubled", |lines| lines.insert(2, lines[1].clone()), 3, "instead of 3"),
        ("lines swapped", |lines| lines.swap(1, 2), 2, "instead of 2"),
        ("a space put in", |lines| lines[4] = lines[4].replace(",\"time\"", ", \"time\""), 5, "form"),
        ("a field added", |lines| lines[4] = lines[4].replace("{", "{\"note\":1,"), 5, "no record"),
        ("another chain", |lines| lines[0] = lines[0].replace("prev\":\"0", "prev\":\"1"), 1, "another file"),
        ("a name as reason", |lines| lines[1] = lines[1].replace("not-invited", "Anna V"), 2, "form"),
    ];
    for (case, change, line, words) in cases {
        let log = log();
        let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
        change(&mut lines);
        let error = verify(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes()).unwrap_err();
        assert_eq!(error.line, line, "{case}: {error}");
        assert!(error.to_string().contains(words), "{case}: {error}");
    }
    let cut = &log()[..log().len() - 1];
    assert!(matches!(verify(cut.as_bytes()), Err(AuditError { line: 5, what: Fault::Unfinished })));
    let long = "x".repeat(MAX_LINE + 1) + "\n";
    assert!(matches!(verify(long.as_bytes()), Err(AuditError { line: 1, what: Fault::TooLong })));
}

#[test]
fn a_reason_is_one_harmless_word() {
    let mut chain = Chain::default();
    let line = chain.append(&Record::of(Event::Refused).because("Ärger\n\"}{ Anna Virtanen 123456789 123456789"), 1);
    assert!(line.contains(r#""reason":"-rger------nna--irtanen-12345678""#), "{line}");
    assert!(verify(line.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn no_changed_byte_goes_unnoticed(at in 0_usize..2000, value: u8) {
        let good = log();
        // A change to the last line alone shows in its head only.
        let end = good.trim_end().rfind('\n').unwrap();
        let at = at % end;
        let mut bytes = good.clone().into_bytes();
        let same = bytes[at] == value;
        bytes[at] = value;
        assert_eq!(verify(bytes.as_slice()).is_ok(), same);
    }

    #[test]
    fn random_bytes_are_no_log(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        prop_assert!(verify(bytes.as_slice()).is_err());
    }
}
