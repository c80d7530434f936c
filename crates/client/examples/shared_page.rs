//! Encodes drawn pages as a shared screen and says what that costs.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example talks to the person who runs it")]
use std::{sync::{Arc, Mutex, mpsc}, time::{Duration, Instant}};
use conclave_capture::{Clock, TestPage, screen::DrawnPage};
use conclave_client::media::{ScreenOutput, ScreenPipeline};
use conclave_codec::{Av1Decoder, VideoDecoder, quality::psnr};
use conclave_model::{Bitrate, MediaTime};

fn main() {
    let kbps: u64 = std::env::args().nth(1).map_or(500, |word| word.parse().unwrap());
    let page = match std::env::args().nth(2).as_deref() { Some("scroll") => TestPage::Scroll, Some("slides") => TestPage::Slides, _ => TestPage::Text };
    let began = Instant::now();
    let clock: Clock = Arc::new(move || MediaTime(1_000_000 + began.elapsed().as_micros() as u64));
    let (send, frames) = mpsc::sync_channel(1000);
    let pipeline = ScreenPipeline::start(Bitrate::kbps(kbps), clock.clone(), Arc::default(), move |output| match output {
        ScreenOutput::Frame(frame) => drop(send.send((began.elapsed(), frame))),
        ScreenOutput::Failed(error) => println!("{error}"),
    }).unwrap();
    let drawn = DrawnPage::new(page, 1920, 1080).unwrap();
    let input = pipeline.input();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seconds = 12;
    let mut decoder = Av1Decoder::new().unwrap();
    let mut last = None;
    for number in 0..seconds * 15 {
        let picture = drawn.draw(number, clock()).unwrap();
        let new = last.as_ref().is_none_or(|last: &conclave_model::Picture| last.planes() != picture.planes());
        if new { input.push(picture.clone()); last = Some(picture.clone()); shown.lock().unwrap().push(began.elapsed()); }
        while let Ok((at, frame)) = frames.try_recv() {
            let decoded = decoder.decode(&frame).unwrap();
            let quality = decoded.as_ref().and_then(|decoded| psnr(decoded, last.as_ref().unwrap()));
            println!("{:>6} ms {:>7} bytes key {} delay {:>4} ms psnr {:.1}", at.as_millis(), frame.data.len(), frame.key, frame.encode_delay.as_millis(), quality.unwrap_or(0.0));
        }
        std::thread::sleep(Duration::from_millis(66));
    }
    println!("{:?}", pipeline.counters());
}
