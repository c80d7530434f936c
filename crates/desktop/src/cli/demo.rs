//! `conclave demo`.
#![allow(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

use std::sync::Arc;

use anyhow::Result;
use conclave_capture::{CameraChoice, MicrophoneChoice};
use conclave_client::{Config, Report, wall_clock};

use super::{DemoArguments, Prepared, Quit, headless, join, prepare, window};
use crate::{
    app::Start,
    demo::{Demo, DemoSpec},
    policy::Policy,
    words::Words,
};

pub(super) fn run(arguments: &DemoArguments, policy: Policy, words: &Words, quit: &Arc<Quit>) -> Result<u8> {
    let people = usize::from(arguments.people);
    if !arguments.headless.headless {
        let opened = display().and_then(|()| {
            let mut prepared = prepare(policy);
            join::use_sources(
                &mut prepared.settings,
                &headless::with_what_is_there(&arguments.sources, headless::StandIn::Test, words),
            );
            // What a demonstration does without is not remembered for real meetings.
            window(Prepared { path: None, ..prepared }, Start::Demonstration(people), quit)
                .map_err(|error| error.to_string())
        });
        match opened {
            Ok(()) => return Ok(0),
            Err(reason) => println!("{}", words.tell("cli-no-display", [("reason", reason.into())])),
        }
    }
    arguments.headless.report.as_deref().map(headless::check_report).transpose()?;
    let spec = DemoSpec { people, for_window: false, wall: wall_clock() };
    let demo = Demo::start(spec, words.say("demo-title"))?;
    let config = Config::new(demo.holder.clone(), demo.invitation.clone());
    let config =
        join::configure(config, headless::with_what_is_there(&arguments.sources, headless::StandIn::Test, words));
    let mut config = Config { video: crate::demo::QUALITY, ..config };
    if let CameraChoice::Test(test) = &mut config.camera {
        test.turns = demo.turns;
    }
    if let MicrophoneChoice::Test { turns: when, .. } = &mut config.microphone {
        *when = demo.turns;
    }
    let mut chair = headless::Participant::start(config)?;
    let end = chair.run(arguments.headless.seconds, &quit.flag, words);
    // While all are still there: who has left is no participant at the end.
    let reports = finish(chair, &demo);
    let report = Report::merge(&reports);
    println!("{}", headless::summary(&report));
    if let Some(path) = &arguments.headless.report {
        headless::write_report(path, &report)?;
    }
    Ok(if end.is_some() { 2 } else { 0 })
}

/// Everybody leaves; returns what they measured, the chair first.
fn finish(chair: headless::Participant, demo: &Demo) -> Vec<Report> {
    let mut reports = vec![chair.finish()];
    demo.finish();
    reports.extend(demo.reports());
    reports
}

/// Whether a window can be opened, or why not.
pub(super) fn display() -> Result<(), String> {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return Ok(());
    }
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("DISPLAY") || set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET") {
        Ok(())
    } else {
        Err("neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned())
    }
}
