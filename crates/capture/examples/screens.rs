//! Lists what could be shared; with a word of the list shares it for five seconds and says what comes.
#![allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use std::{sync::Arc, time::Duration};

use conclave_capture::{Clock, ScreenChoice, ScreenEvent, ScreenStream, ScreenWish, list_screens};
use conclave_model::MediaTime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(word) = std::env::args().nth(1) else {
        let screens = list_screens();
        for source in screens.sources {
            println!("{:<28} {:>5}x{:<5} {}", source.choice, source.width, source.height, source.name);
        }
        if let Some(error) = screens.error {
            println!("{error}");
        }
        return Ok(());
    };
    let choice: ScreenChoice = word.parse()?;
    let began = std::time::Instant::now();
    let clock: Clock = Arc::new(|| MediaTime(0));
    let (send, events) = std::sync::mpsc::sync_channel(16);
    let stream = ScreenStream::start(&choice, ScreenWish::default(), clock, move |event| {
        let _ = send.try_send(event);
    })?;
    while began.elapsed() < Duration::from_secs(5) {
        if let Ok(event) = events.recv_timeout(Duration::from_millis(100)) {
            println!("{:>6} ms {}", began.elapsed().as_millis(), words(&event));
        }
    }
    drop(stream);
    Ok(())
}

fn words(event: &ScreenEvent) -> String {
    match event {
        ScreenEvent::Opened(opened) => format!("opened \"{}\", {}x{}", opened.name, opened.width, opened.height),
        ScreenEvent::Picture(picture) => format!("a picture of {}x{}", picture.width(), picture.height()),
        ScreenEvent::Paused(pause) => format!("paused: {pause:?}"),
        ScreenEvent::Resumed => "resumed".to_owned(),
        ScreenEvent::Lost(error) => format!("lost: {error}"),
    }
}
