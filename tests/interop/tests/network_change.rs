//! A machine that changes from one network to another in the middle of a meeting: real sockets, two real networks.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once")]

use std::{
    process::{Command, Stdio, id},
    thread,
    time::Duration,
};

use conclave_interop_tests::{
    recording,
    world::{PASSWORD, World},
};

const PEOPLE: [(&str, &str, &str); 2] = [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU")];

/// Where the relay is, whichever network leads there.
const RELAY: &str = "10.91.0.1";

/// How long the recorder listens, in seconds, and after how many of them the network changes.
const LISTEN: u64 = 16;
const CHANGE: u64 = 8;

/// A machine with two networks, which both lead to this one.
struct Machine {
    name: String,
}

impl Machine {
    /// Makes it; `None` where this user may not.
    fn new() -> Option<Self> {
        let machine = Self { name: format!("conclave-{}", id()) };
        ip(&["netns", "add", &machine.name])?;
        ip(&["addr", "add", &format!("{RELAY}/32"), "dev", "lo"])?;
        for (number, network) in ["wifi", "cable"].iter().enumerate() {
            let (here, there) = (machine.link(network), format!("{network}0"));
            let name = machine.name.as_str();
            ip(&["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", name])?;
            ip(&["addr", "add", &format!("10.91.{}.1/24", number + 1), "dev", &here])?;
            ip(&["link", "set", &here, "up"])?;
            ip(&["-n", name, "addr", "add", &format!("10.91.{}.2/24", number + 1), "dev", &there])?;
            ip(&["-n", name, "link", "set", &there, "up"])?;
        }
        ip(&["-n", &machine.name, "link", "set", "lo", "up"])?;
        ip(&["-n", &machine.name, "route", "add", "default", "via", "10.91.1.1"])?;
        Some(machine)
    }

    fn link(&self, network: &str) -> String {
        format!("{}{}", &network[..2], self.name.trim_start_matches("conclave-"))
    }

    /// The Wi-Fi is gone and the cable is there.
    fn change_network(&self) {
        ip(&["-n", &self.name, "link", "set", "wifi0", "down"]).unwrap();
        ip(&["-n", &self.name, "route", "replace", "default", "via", "10.91.2.1"]).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = ip(&["addr", "del", &format!("{RELAY}/32"), "dev", "lo"]);
        let _ = ip(&["link", "del", &self.link("wifi")]);
        let _ = ip(&["link", "del", &self.link("cable")]);
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(words: &[&str]) -> Option<()> {
    let done = Command::new("ip").args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success()).then_some(())
}

#[test]
fn who_changes_the_network_hears_on_within_two_seconds_and_never_leaves_the_meeting() {
    let Some(machine) = Machine::new() else {
        println!("skipped: this user may make no networks (`ip netns`)");
        return;
    };
    let world = World::at(RELAY, &PEOPLE, None).unwrap();
    let _relay = world.relay().unwrap();
    let _anna = world.join(0, "meeting.conclave", ["--camera", "off", "--microphone", "test"]).unwrap();
    world.until("join-0", "In the meeting").unwrap();

    let output = world.path("recording");
    std::fs::create_dir(&output).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &machine.name, env!("CARGO_BIN_EXE_conclave-recorder")]);
    command.arg(world.path("meeting.conclave")).arg("--credential").arg(world.credential(1));
    command.args(["--password", PASSWORD, "--from", PEOPLE[0].0, "--seconds", &LISTEN.to_string(), "--output"]);
    let mut recorder = world
        .start(
            {
                command.arg(&output);
                command
            },
            "recorder",
        )
        .unwrap();
    thread::sleep(Duration::from_secs(CHANGE));
    let said = world.said("join-0");
    machine.change_network();
    let logs = || format!("{}\n{}\n{}", world.log("recorder"), world.log("join-0"), world.log("relay"));
    assert!(recorder.wait(Duration::from_secs(LISTEN + 30)).unwrap(), "{}", logs());

    let phase = std::fs::read_to_string(output.join("phase.txt")).unwrap();
    assert!(phase.contains("Joined"), "the recorder is no longer in the meeting: {phase}\n{}", logs());
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(output.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["reconnects"], 0, "it joined anew: {}", logs());
    let sound = recording::read_sound(&output).unwrap();
    let true_sound: Vec<u64> = sound.iter().filter(|piece| !piece.concealed).map(|piece| piece.time).collect();
    let gaps = true_sound.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) / 1000);
    let longest = gaps.max().unwrap_or(u64::MAX);
    println!("nothing was heard for {longest} ms");
    assert!(longest > 20, "the network did not change");
    assert!(longest < 2000, "{longest} ms of silence: {}", logs());
    let told = world.log("join-0");
    assert!(!told.get(said..).unwrap_or_default().contains("In the meeting"), "the others noticed: {told}");
}
