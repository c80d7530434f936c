//! Who leads and what they may: deny, lock, levels, the succession, one credential twice; all with the real programs.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::{Duration, Instant};

use conclave_interop_tests::world::World;
use conclave_model::Level;

const ANNA: (&str, &str, &str) = ("Anna Virtanen", "Finland", "FI");
const LUC: (&str, &str, &str) = ("Luc Hoffmann", "Luxembourg", "LU");
const MARIA: (&str, &str, &str) = ("Maria Borg", "Malta", "MT");
const PEOPLE: [(&str, &str, &str); 3] = [ANNA, LUC, MARIA];
const SOURCES: [&str; 4] = ["--camera", "off", "--microphone", "off"];
const LIMIT: Duration = Duration::from_secs(40);

/// What a client without a window says in the lobby and in the meeting.
const IN_LOBBY: &str = "Waiting to be let in";
const JOINED: &str = "In the meeting";

/// How long the successor waits for the chair.
const PATIENCE: Duration = Duration::from_secs(10);

/// The exit code of whoever was refused.
const REFUSED: Option<i32> = Some(2);

#[test]
fn the_denied_may_ask_again_and_a_lock_keeps_out_all_but_those_admitted_before() {
    let world = World::by_openssl(&PEOPLE).unwrap();
    world.invite_with("led.conclave", world.port, "now", "+2h", &["--lobby"]).unwrap();
    let _relay = world.relay().unwrap();
    let mut chair = world.lead(0, "led.conclave", SOURCES).unwrap();
    let mut luc = world.join(1, "led.conclave", SOURCES).unwrap();
    world.until("join-0", "lobby: Luc Hoffmann").unwrap();

    // Denied is told, and no more than that: whoever was denied may ask again.
    chair.order("deny Luc Hoffmann").unwrap();
    assert_eq!(luc.code(LIMIT).unwrap(), REFUSED, "{}", world.log("join-1"));
    let said = world.log("join-1");
    assert!(said.contains("The chair did not let you in") && !said.contains(JOINED), "{said}");
    let said = world.said("join-0");
    let mut luc = world.join(1, "led.conclave", SOURCES).unwrap();
    world.until_after("join-0", said, "lobby: Luc Hoffmann").unwrap();
    chair.order("admit Luc Hoffmann").unwrap();
    world.until("join-1", JOINED).unwrap();
    world.until("join-0", "members: Anna Virtanen, Luc Hoffmann").unwrap();

    // In a locked meeting a stranger stays out, whatever the chair says; who was in before comes back by themselves.
    chair.order("lock").unwrap();
    world.until("join-0", "locked: yes").unwrap();
    let _maria = world.join(2, "led.conclave", SOURCES).unwrap();
    world.until("join-0", "lobby: Maria Borg (").unwrap();
    chair.order("admit all").unwrap();
    let said = world.said("join-0");
    luc.kill();
    world.until_after("join-0", said, "members: Anna Virtanen\n").unwrap();
    let said = world.said("join-0");
    let _luc = world.join(1, "led.conclave", SOURCES).unwrap();
    world.until("join-1", JOINED).unwrap();
    world.until_after("join-0", said, "members: Anna Virtanen, Luc Hoffmann\n").unwrap();
    let said = world.log("join-2");
    assert!(said.contains("The meeting is locked") && !said.contains(JOINED), "{said}");

    // Unlocked, it takes the chair's word as before.
    let said = world.said("join-0");
    chair.order("unlock").unwrap();
    world.until_after("join-0", said, "locked: no").unwrap();
    world.until_after("join-0", said, "lobby: Maria Borg\n").unwrap();
    world.until("join-2", IN_LOBBY).unwrap();
    assert!(!world.log("join-2").contains(JOINED), "what the chair said in the locked meeting counts later");
    chair.order("admit Maria Borg").unwrap();
    world.until("join-2", JOINED).unwrap();
}

#[test]
fn the_level_goes_up_without_those_not_cleared_and_down_with_the_originators_consent() {
    let world = World::cleared_by_openssl(&PEOPLE, &[Level::Secret, Level::Secret, Level::Restricted]).unwrap();
    let more = ["--open", "--originator", "1.credential.pem"];
    world.invite_with("rising.conclave", world.port, "now", "+2h", &more).unwrap();
    let _relay = world.relay().unwrap();
    let mut chair = world.lead(0, "rising.conclave", SOURCES).unwrap();
    world.until("join-0", JOINED).unwrap();
    let mut luc = world.lead(1, "rising.conclave", SOURCES).unwrap();
    let mut maria = world.lead(2, "rising.conclave", SOURCES).unwrap();
    world.until("join-0", "Maria Borg").unwrap();
    world.until("join-0", "Luc Hoffmann").unwrap();
    world.until("join-2", "level: restricted").unwrap();
    world.until("join-1", "level: restricted").unwrap();

    // Neither a member nor the chair beyond what the relay is certified for.
    luc.order("level secret").unwrap();
    world.until("join-1", "Only the chair can do this.").unwrap();
    chair.order("level top-secret").unwrap();
    world.until("join-0", "This meeting can go no higher than SECRET UE/EU SECRET.").unwrap();
    assert!(!world.log("join-2").contains("level: secret") && maria.is_running());

    chair.order("level confidential").unwrap();
    assert_eq!(maria.code(LIMIT).unwrap(), REFUSED, "{}", world.log("join-2"));
    let said = world.log("join-2");
    assert!(said.contains("above your clearance") && !said.contains("level: confidential"), "{said}");
    for log in ["join-0", "join-1"] {
        world.until(log, "level: confidential").unwrap();
        world.until(log, "members: Anna Virtanen, Luc Hoffmann\n").unwrap();
    }

    // Down only as far as the originator has agreed, once.
    chair.order("level restricted").unwrap();
    world.until("join-0", "The originator has not agreed to a lower level.").unwrap();
    chair.order("consent restricted").unwrap();
    world.until("join-0", "Only the originator can agree to a lower level.").unwrap();
    let said = [world.said("join-0"), world.said("join-1")];
    luc.order("consent restricted").unwrap();
    world.until("join-0", "agreed: restricted").unwrap();
    chair.order("level restricted").unwrap();
    world.until_after("join-0", said[0], "level: restricted").unwrap();
    world.until_after("join-1", said[1], "level: restricted").unwrap();
    world.until_after("join-0", said[0], "agreed: nothing").unwrap();
    let _maria = world.join(2, "rising.conclave", SOURCES).unwrap();
    world.until("join-2", JOINED).unwrap();
}

#[test]
fn the_successor_leads_when_the_chair_is_gone_and_the_chair_when_back() {
    let world = World::by_openssl(&PEOPLE).unwrap();
    let more = ["--lobby", "--succession", "1.credential.pem"];
    world.invite_with("led.conclave", world.port, "now", "+2h", &more).unwrap();
    let _relay = world.relay().unwrap();
    let mut chair = world.lead(0, "led.conclave", SOURCES).unwrap();
    world.until("join-0", "chair: Anna Virtanen").unwrap();
    let mut luc = world.lead(1, "led.conclave", SOURCES).unwrap();
    world.until("join-1", "chair: Anna Virtanen").unwrap();
    let _maria = world.join(2, "led.conclave", SOURCES).unwrap();
    world.until("join-1", "lobby: Maria Borg").unwrap();
    luc.order("admit all").unwrap();
    world.until("join-1", "Only the chair can do this.").unwrap();

    // Ten seconds after the chair is gone, and not before.
    let gone = Instant::now();
    chair.kill();
    world.until("join-1", "chair: nobody").unwrap();
    world.until("join-1", "chair: Luc Hoffmann").unwrap();
    assert!(gone.elapsed() >= PATIENCE, "after {:?}", gone.elapsed());
    assert!(!world.log("join-2").contains(JOINED), "{}", world.log("join-2"));
    luc.order("admit all").unwrap();
    world.until("join-2", JOINED).unwrap();
    luc.order("lock").unwrap();
    world.until("join-1", "locked: yes").unwrap();

    // The chair comes back to a locked meeting with a lobby, and leads it.
    let said = world.said("join-1");
    let mut chair = world.lead(0, "led.conclave", SOURCES).unwrap();
    world.until("join-0", "chair: Anna Virtanen").unwrap();
    world.until_after("join-1", said, "chair: Anna Virtanen").unwrap();
    let said = world.said("join-1");
    luc.order("unlock").unwrap();
    world.until_after("join-1", said, "Only the chair can do this.").unwrap();
    assert!(!world.log("join-0").contains("locked: no"), "{}", world.log("join-0"));
    chair.order("unlock").unwrap();
    world.until("join-0", "locked: no").unwrap();
    world.until_after("join-1", said, "locked: no").unwrap();
}

#[test]
fn one_credential_is_in_the_meeting_once_and_the_newer_one_says_which() {
    let world = World::by_openssl(&PEOPLE[..2]).unwrap();
    world.invite("meeting.conclave", world.port, "now", "+2h").unwrap();
    let _relay = world.relay().unwrap();
    let _chair = world.lead(0, "meeting.conclave", SOURCES).unwrap();
    world.until("join-0", JOINED).unwrap();
    let mut older = world.join(1, "meeting.conclave", SOURCES).unwrap();
    world.until("join-0", "members: Anna Virtanen, Luc Hoffmann\n").unwrap();

    let mut newer = world.client(1).named("newer").with(SOURCES).start("meeting.conclave").unwrap();
    assert_eq!(newer.code(LIMIT).unwrap(), REFUSED, "{}", world.log("newer"));
    let said = world.log("newer");
    assert!(said.contains("--take-over") && !said.contains(JOINED), "{said}");
    assert!(older.is_running(), "{}", world.log("join-1"));

    let newer = world.client(1).named("newer").with(SOURCES).with(["--take-over"]);
    let mut newer = newer.start("meeting.conclave").unwrap();
    world.until("newer", JOINED).unwrap();
    assert_eq!(older.code(LIMIT).unwrap(), REFUSED, "{}", world.log("join-1"));
    assert!(world.log("join-1").contains("You joined from another computer."), "{}", world.log("join-1"));
    assert!(newer.is_running(), "{}", world.log("newer"));
    let log = world.log("join-0");
    let mut members = log.lines().filter(|line| line.starts_with("members: "));
    assert!(members.all(|line| line.matches(LUC.0).count() <= 1), "a ghost: {log}");
}
