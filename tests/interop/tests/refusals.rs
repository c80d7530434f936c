//! What goes wrong is said in words, and the meeting of the others goes on.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{process::Command, thread, time::Duration};

use conclave_interop_tests::world::{PASSWORD, World};

const PEOPLE: [(&str, &str, &str); 2] = [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU")];
const SOURCES: [&str; 4] = ["--camera", "off", "--microphone", "off"];
const LIMIT: Duration = Duration::from_secs(40);

/// Runs a client that must end by itself without success, and returns what it said.
fn refused(world: &World, number: usize, invitation: &str) -> String {
    let mut client = world.join(number, invitation, SOURCES.into_iter().chain(["--seconds", "15"])).unwrap();
    let success = client.wait(LIMIT).unwrap();
    let said = world.log(&format!("join-{number}"));
    assert!(!success, "the client succeeded: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said.to_lowercase()
}

#[test]
fn a_meeting_that_is_over_an_edited_invitation_and_a_foreign_office_are_refused_in_words() {
    let world = World::new(&PEOPLE, None).unwrap();
    let _relay = world.relay().unwrap();
    // The office signs no invitation to a meeting that is past, so this one has to end.
    let soon = Command::new("date").args(["-u", "-d", "+4 seconds", "+%FT%TZ"]).output().unwrap().stdout;
    world.invite("over.conclave", world.port, "now", String::from_utf8(soon).unwrap().trim()).unwrap();
    thread::sleep(Duration::from_secs(5));
    assert!(refused(&world, 0, "over.conclave").contains("over"));

    let mut bytes = std::fs::read(world.path("meeting.conclave")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(world.path("edited.conclave"), bytes).unwrap();
    let said = refused(&world, 0, "edited.conclave");
    assert!(said.contains("signature") || said.contains("edited") || said.contains("changed"), "{said}");

    std::fs::write(world.path("none.conclave"), b"this is no invitation").unwrap();
    assert!(refused(&world, 0, "none.conclave").contains("invitation"));

    let foreign = World::new(&PEOPLE, None).unwrap();
    std::fs::copy(foreign.path("meeting.conclave"), world.path("foreign.conclave")).unwrap();
    let said = refused(&world, 0, "foreign.conclave");
    assert!(said.contains("office") || said.contains("trust") || said.contains("signed"), "{said}");
}

#[test]
fn a_wrong_password_and_an_open_key_file_are_refused_in_words() {
    let world = World::new(&PEOPLE, None).unwrap();
    world.write_password("not the password").unwrap();
    assert!(refused(&world, 0, "meeting.conclave").contains("password"));
    world.write_password(PASSWORD).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(world.credential(0), std::fs::Permissions::from_mode(0o644)).unwrap();
        let said = refused(&world, 0, "meeting.conclave");
        assert!(said.contains("other users") && said.contains("chmod 600"), "{said}");
    }
}

#[test]
fn a_relay_that_goes_away_and_comes_back_finds_its_clients_again() {
    let world = World::new(&PEOPLE, None).unwrap();
    let mut relay = world.relay().unwrap();
    let report = world.path("report.json");
    let options = ["--camera", "test", "--microphone", "test", "--height", "180", "--seconds", "24", "--report"];
    let with_report = |file: &std::path::Path| {
        options.iter().map(|word| (*word).to_owned()).chain([file.display().to_string()]).collect::<Vec<_>>()
    };
    let mut first = world.join(0, "meeting.conclave", with_report(&report)).unwrap();
    let mut second = world.join(1, "meeting.conclave", with_report(&world.path("other.json"))).unwrap();
    thread::sleep(Duration::from_secs(6));
    relay.kill();
    thread::sleep(Duration::from_secs(2));
    let _again = world.relay().unwrap();
    assert!(first.wait(LIMIT).unwrap(), "{}", world.log("join-0"));
    assert!(second.wait(LIMIT).unwrap(), "{}", world.log("join-1"));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report["reconnects"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(report["participants"].as_array().unwrap().len(), 2, "{report}");
}
