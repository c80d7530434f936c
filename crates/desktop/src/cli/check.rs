//! `conclave check`.
#![allow(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

use anyhow::Result;
use conclave_client::check::{CheckConfig, CheckReport, DeviceFound, DeviceTest, run as test};

use super::CheckArguments;
use crate::policy::{PLACE, Policy};

pub(super) fn run(arguments: &CheckArguments, policy: &Policy) -> Result<u8> {
    let sources = arguments.sources.clone();
    let config = CheckConfig {
        camera: sources.camera.unwrap_or_default(),
        microphone: sources.microphone.unwrap_or_default(),
        speaker: sources.speaker.unwrap_or_default(),
        ..CheckConfig::default()
    };
    let report = test(&config);
    if arguments.json {
        let mut report = serde_json::to_value(&report)?;
        report["policy"] = json(policy);
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}{}", words(&report), decided(policy));
    }
    Ok(if report.works() { 0 } else { 1 })
}

/// What the IT department decided, for people.
fn decided(policy: &Policy) -> String {
    if *policy == Policy::default() {
        return format!("Policy: none ({PLACE})\n");
    }
    let lock = policy.lock_after.map_or("never".to_owned(), |after| format!("after {} min", after.as_secs() / 60));
    let constant = policy.constant_bitrate_from.map_or("never".to_owned(), |from| format!("from {}", from.word()));
    let credential = policy.credential.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
    format!(
        "Policy: {PLACE}\n  highest level: {}\n  locks without use: {lock}\n  constant bitrate: {constant}\n  \
         credential unless chosen: {credential}\n",
        policy.max_level.word()
    )
}

/// What the IT department decided, under the names of its keys.
fn json(policy: &Policy) -> serde_json::Value {
    serde_json::json!({
        "max_level": policy.max_level.word(),
        "lock_after_minutes": policy.lock_after.map_or(0, |after| after.as_secs() / 60),
        "constant_bitrate_from": policy.constant_bitrate_from.map(conclave_model::Level::word),
        "credential": policy.credential,
    })
}

/// The report for people.
fn words(report: &CheckReport) -> String {
    let mut text = String::new();
    let groups: [(&str, &[DeviceFound], &DeviceTest); 3] = [
        ("Camera", &report.cameras, &report.camera),
        ("Microphone", &report.microphones, &report.microphone),
        ("Loudspeaker", &report.speakers, &report.speaker),
    ];
    for (name, found, tested) in groups {
        let mark = if tested.works { "works" } else { "DOES NOT WORK" };
        text += &format!("{name}: {mark}\n");
        if let Some(device) = &tested.device {
            text += &format!("  open: {device}");
            text += &tested.format.as_ref().map_or_else(String::new, |format| format!(", {format}"));
            text += &format!(", {} blocks", tested.count);
            if tested.level > 0.0 {
                text += &format!(", loudest {:.0} %", tested.level * 100.0);
            }
            text += "\n";
        }
        if let Some(problem) = &tested.problem {
            text += &format!("  {problem}\n");
        }
        for device in found {
            text += &format!("  found: {} (device:{})\n", device.name, device.id);
        }
    }
    // Where there is no device, listing and opening find the same.
    let told = |error: &&String| groups.iter().any(|(_, _, tested)| tested.problem.as_ref() == Some(*error));
    for error in report.list_errors.iter().filter(|error| !told(error)) {
        text += &format!("{error}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_said_with_its_place() {
        let policy = Policy { lock_after: Some(std::time::Duration::from_secs(600)), ..Policy::default() };
        assert!(decided(&Policy::default()).contains("none"));
        assert!(decided(&policy).contains("locks without use: after 10 min"), "{}", decided(&policy));
        assert_eq!(json(&policy)["lock_after_minutes"], 10);
        assert!(json(&policy)["constant_bitrate_from"].is_null());
    }

    #[test]
    fn what_does_not_work_stands_out_with_its_reason() {
        let broken = DeviceTest { problem: Some("no camera was found".into()), ..DeviceTest::default() };
        let fine = DeviceTest { works: true, device: Some("Headset".into()), count: 100, ..DeviceTest::default() };
        let report = CheckReport {
            cameras: vec![],
            microphones: vec![DeviceFound { id: "usb".into(), name: "Headset".into() }],
            speakers: vec![],
            list_errors: vec!["no camera was found".into(), "the sound service does not answer".into()],
            camera: broken,
            microphone: fine.clone(),
            speaker: fine,
            relay: None,
        };
        let text = words(&report);
        assert!(text.contains("Camera: DOES NOT WORK\n  no camera was found"), "{text}");
        assert_eq!(text.matches("no camera was found").count(), 1, "{text}");
        assert!(text.ends_with("\nthe sound service does not answer\n"), "{text}");
        assert!(text.contains("found: Headset (device:usb)"), "{text}");
    }
}
