//! Lists the devices of this machine, opens each camera, listens to the microphone and plays a tone.
//!
//! `devices` lists; `devices camera [ID [WIDTHxHEIGHT]]` counts pictures for 3 s; `devices loop [SECONDS [LOUDSPEAKER
//! MICROPHONE]]` plays 440 Hz on a loudspeaker and measures what a microphone hears of it (for a loop-back cable or a
//! monitor).
#![allow(clippy::print_stdout)]

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use conclave_capture::{
    CameraChoice, CameraEvent, CameraStream, CameraWish, Clock, Level, MicrophoneChoice, MicrophoneEvent,
    MicrophoneStream, SpeakerChoice, SpeakerStream, Tone, devices, marker::read_marker,
};
use conclave_model::MediaTime;

fn main() {
    let level = std::env::var_os("VERBOSE").map_or(tracing::Level::WARN, |_| tracing::Level::DEBUG);
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |index: usize| words.get(index).map(String::as_str);
    match word(0) {
        Some("camera") => camera(word(1), word(2)),
        Some("loop") => sound_loop(word(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(4), word(2), word(3)),
        Some(_) => println!("devices [camera [ID [WIDTHxHEIGHT]] | loop [SECONDS [LOUDSPEAKER MICROPHONE]]]"),
        None => list(),
    }
}

fn clock() -> Clock {
    Arc::new(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        MediaTime(u64::try_from(wall.as_micros()).unwrap_or_default())
    })
}

fn list() {
    let began = Instant::now();
    let found = devices();
    println!("listed in {} ms", began.elapsed().as_millis());
    for (kind, list) in
        [("camera", &found.cameras), ("microphone", &found.microphones), ("loudspeaker", &found.speakers)]
    {
        list.iter().for_each(|device| println!("{kind}: \"{}\" id {}", device.name, device.id));
    }
    found.errors.iter().for_each(|error| println!("{error}"));
}

fn camera(id: Option<&str>, size: Option<&str>) {
    let choice = match id {
        None | Some("default") => CameraChoice::Default,
        Some(word) => word.parse().unwrap_or_else(|_| CameraChoice::Device(word.to_owned())),
    };
    let (width, height) = size
        .and_then(|size| size.split_once('x'))
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
        .unwrap_or((1280, 720));
    let wish = CameraWish { width, height, frames_per_second: 30 };
    let seen = Arc::new(Mutex::new((0_u32, String::new(), 0_u64, 0_u32)));
    let began = Instant::now();
    let (now, shared) = (clock(), seen.clone());
    let stream = CameraStream::open(&choice, wish, clock(), move |event| {
        let mut seen = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            CameraEvent::Picture(picture) => {
                let means = picture
                    .planes()
                    .map(|plane| plane.iter().map(|sample| u64::from(*sample)).sum::<u64>() / plane.len() as u64);
                seen.0 += 1;
                seen.3 += u32::from(read_marker(&picture).is_some());
                seen.1 = format!("{picture:?}, means {means:?}, marker {:?}", read_marker(&picture));
                seen.2 = now().since(picture.time).as_micros() as u64;
            }
            CameraEvent::Lost(error) => println!("lost: {error}"),
        }
    });
    match stream {
        Err(error) => println!("{error}"),
        Ok(stream) => {
            println!("opened in {} ms: {:?}", began.elapsed().as_millis(), stream.opened());
            let seconds = std::env::var("SECONDS_OPEN").ok().and_then(|value| value.parse().ok()).unwrap_or(3);
            thread::sleep(Duration::from_secs(seconds));
            let (count, last, age, marked) = &*seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            println!(
                "{count} pictures in {seconds} s, {marked} with a marker; the last: {last}, {age} µs old when given"
            );
        }
    }
}

fn sound_loop(seconds: u64, speaker: Option<&str>, microphone: Option<&str>) {
    let speaker = speaker.map_or(SpeakerChoice::Default, |id| SpeakerChoice::Device(id.to_owned()));
    let choice = microphone.map_or(MicrophoneChoice::Default, |id| MicrophoneChoice::Device(id.to_owned()));
    let mut tone = Tone::new(440.0, 0.5, Duration::from_secs(seconds + 1));
    let speaker = SpeakerStream::open(&speaker, move |piece| tone.fill(piece), |error| println!("lost: {error}"));
    match &speaker {
        Ok(speaker) => println!("loudspeaker: {:?}", speaker.opened()),
        Err(error) => println!("{error}"),
    }
    let began = clock()();
    let heard = Arc::new(Mutex::new((Vec::<f32>::new(), Vec::<u64>::new())));
    let shared = heard.clone();
    let microphone = MicrophoneStream::open(&choice, clock(), move |event| match event {
        MicrophoneEvent::Samples { time, samples } => {
            let mut heard = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            heard.0.extend_from_slice(samples);
            heard.1.push(time.0);
        }
        MicrophoneEvent::Lost(error) => println!("lost: {error}"),
    });
    match &microphone {
        Ok(microphone) => println!("microphone: {:?}", microphone.opened()),
        Err(error) => return println!("{error}"),
    }
    thread::sleep(Duration::from_secs(seconds));
    drop((speaker, microphone));
    let (samples, times) = &*heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    println!(
        "{} samples heard in {seconds} s; {} gaps, the first {} ms after opening began; steps of time {:?} to {:?} µs",
        samples.len(),
        steps.iter().filter(|step| **step > 40_000).count(),
        times.first().map_or(0, |first| first.saturating_sub(began.0) / 1000),
        steps.iter().min(),
        steps.iter().max()
    );
    // The middle second, when both run.
    let middle = samples.len() / 2;
    let second = &samples[middle.saturating_sub(24_000)..(middle + 24_000).min(samples.len())];
    let rising = second.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
    let silent = second.iter().filter(|sample| **sample == 0.0).count();
    println!("middle second: {:?}, {rising} rising crossings, {silent} samples exactly 0", Level::of(second));
}
