//! A credential on a card, which is taken out during the meeting.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::{Duration, Instant};

use conclave_interop_tests::world::World;

const PEOPLE: [(&str, &str, &str); 2] = [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU")];
const SOURCES: [&str; 4] = ["--camera", "off", "--microphone", "test"];
const JOINED: &str = "In the meeting";

/// How soon whoever takes the card out is out of the meeting.
const OUT: Duration = Duration::from_secs(3);

#[test]
fn whoever_takes_the_card_out_is_out_and_comes_back_with_card_and_pin() {
    let mut world = World::by_openssl(&PEOPLE).unwrap();
    let card = world.card(1, ("Luxembourg", "LU"), "4711-card").unwrap();
    world.invite("card.conclave", world.port, "now", "+2h").unwrap();
    let _relay = world.relay().unwrap();
    let _anna = world.lead(0, "card.conclave", SOURCES).unwrap();
    world.until("join-0", JOINED).unwrap();
    let luc = |secret| world.client(1).by(&card.uri, secret).with(SOURCES).start("card.conclave").unwrap();

    // The password of other credentials is no PIN.
    let mut wrong = luc("password");
    assert!(!wrong.wait(10 * OUT).unwrap());
    assert!(world.log("join-1").contains("the PIN is wrong"), "{}", world.log("join-1"));
    let mut running = luc("pin");
    world.until("join-0", "members: Anna Virtanen, Luc Hoffmann\n").unwrap();
    world.until("join-1", JOINED).unwrap();

    let said = world.said("join-0");
    card.take_out().unwrap();
    let begun = Instant::now();
    world.until("join-1", "Your card was removed, so you have left the meeting.").unwrap();
    world.until_after("join-0", said, "members: Anna Virtanen\n").unwrap();
    let out = begun.elapsed();
    assert!(out <= OUT, "out after {out:?}");
    assert_eq!(running.code(OUT).unwrap(), Some(2), "{}", world.log("join-1"));

    let mut without = luc("pin");
    assert!(!without.wait(10 * OUT).unwrap());
    assert!(world.log("join-1").contains("there is no card; is it inserted"), "{}", world.log("join-1"));

    let said = world.said("join-0");
    card.put_in().unwrap();
    let _running = luc("pin");
    world.until_after("join-0", said, "members: Anna Virtanen, Luc Hoffmann\n").unwrap();
    world.until("join-1", JOINED).unwrap();
}
