#![allow(clippy::unwrap_used)]

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use conclave_capture::{
    TestPage,
    screen::{DrawnPage, draw_page},
};
use conclave_codec::{Av1Decoder, VideoDecoder, quality::psnr};

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn start(kbps: u64) -> (ScreenPipeline, Arc<FrameSlot>, Receiver<EncodedFrame>) {
    let own = Arc::<FrameSlot>::default();
    let (sender, frames) = mpsc::sync_channel(1000);
    let clock = crate::clock::media_clock();
    let pipeline = ScreenPipeline::start(Bitrate::kbps(kbps), clock, Arc::clone(&own), move |output| match output {
        ScreenOutput::Frame(frame) => drop(sender.send(frame)),
        ScreenOutput::Failed(error) => panic!("{error}"),
    });
    (pipeline.unwrap(), own, frames)
}

/// Decodes what comes until nothing more does.
fn until_still(frames: &Receiver<EncodedFrame>, decoder: &mut Av1Decoder) -> (Vec<EncodedFrame>, Vec<Picture>) {
    let (mut came, mut pictures) = (vec![frames.recv_timeout(LONG).unwrap()], Vec::new());
    while let Ok(frame) = frames.recv_timeout(Duration::from_secs(2)) {
        came.push(frame);
    }
    for frame in &came {
        pictures.extend(decoder.decode(frame).unwrap());
    }
    (came, pictures)
}

#[test]
fn a_page_gets_sharper_by_itself_and_then_costs_nothing() {
    let (pipeline, own, frames) = start(1000);
    let page = draw_page(TestPage::Text, 320, 180).unwrap();
    pipeline.input().push(page.clone());
    let mut decoder = Av1Decoder::new().unwrap();
    let (came, pictures) = until_still(&frames, &mut decoder);
    let quality: Vec<f64> = pictures.iter().map(|picture| psnr(&page, picture).unwrap()).collect();
    assert!(came[0].key && came[1..].iter().all(|frame| !frame.key));
    assert!(quality.last().unwrap() > &38.0, "{quality:?}");
    assert!(quality.last().unwrap() >= &quality[0], "{quality:?}");
    assert!(came.windows(2).all(|pair| pair[0].time < pair[1].time), "times grow");
    let counters = pipeline.counters();
    assert_eq!((counters.pictures, counters.key_frames, counters.sharp), (1, 1, 1));
    assert_eq!(counters.refinements + 1, counters.frames);
    assert_eq!(own.latest().unwrap().planes(), page.planes());
}

#[test]
fn who_comes_later_gets_a_key_frame_of_the_page_that_stands() {
    let (pipeline, _own, frames) = start(2000);
    let page = draw_page(TestPage::Text, 320, 180).unwrap();
    pipeline.input().push(page.clone());
    until_still(&frames, &mut Av1Decoder::new().unwrap());
    pipeline.request_key_frame();
    let (came, pictures) = until_still(&frames, &mut Av1Decoder::new().unwrap());
    assert!(came[0].key);
    assert!(psnr(&page, pictures.last().unwrap()).unwrap() > 38.0);
}

#[test]
fn a_change_of_slide_is_followed_and_the_newest_picture_wins() {
    let (pipeline, _own, frames) = start(2000);
    let slides = DrawnPage::new(TestPage::Slides, 320, 180).unwrap();
    let mut decoder = Av1Decoder::new().unwrap();
    let input = pipeline.input();
    input.push(slides.draw(0, MediaTime(1)).unwrap());
    until_still(&frames, &mut decoder);
    let last = slides.draw(225, MediaTime(4)).unwrap();
    for (number, time) in [(75, 2), (150, 3)] {
        input.push(slides.draw(number, MediaTime(time)).unwrap());
    }
    input.push(last.clone());
    let (came, pictures) = until_still(&frames, &mut decoder);
    assert!(came.iter().all(|frame| !frame.key), "the same size needs no key frame");
    assert!(psnr(&last, pictures.last().unwrap()).unwrap() > 35.0);
    assert!(pipeline.counters().replaced >= 1, "{:?}", pipeline.counters());
}

#[test]
fn nothing_is_sent_to_nobody_nor_of_a_screen_that_is_not_shown() {
    let (pipeline, _own, frames) = start(2000);
    let page = draw_page(TestPage::Text, 320, 180).unwrap();
    pipeline.set_wanted(false);
    pipeline.input().push(page.clone());
    assert_eq!(frames.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout));
    pipeline.set_wanted(true);
    let (came, _) = until_still(&frames, &mut Av1Decoder::new().unwrap());
    assert!(came[0].key);
    pipeline.input().clear();
    pipeline.request_key_frame();
    assert_eq!(frames.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout));
    pipeline.input().push(page);
    assert!(frames.recv_timeout(LONG).unwrap().key, "the key frame that was asked for");
}

#[test]
fn a_window_of_another_size_begins_anew() {
    let (pipeline, _own, frames) = start(2000);
    for (width, height) in [(320, 180), (201, 99)] {
        let page = draw_page(TestPage::Text, width, height).unwrap();
        pipeline.input().push(page);
        let (came, pictures) = until_still(&frames, &mut Av1Decoder::new().unwrap());
        assert!(came[0].key);
        let last = pictures.last().unwrap();
        assert_eq!((last.width(), last.height()), (width, height));
    }
}

#[test]
fn large_frames_wait_until_the_line_has_carried_them() {
    let mut pace = Pace::default();
    let at = |milliseconds: u64| MediaTime(milliseconds * 1000);
    assert_eq!(pace.rest(at(0), Bitrate::kbps(500)), Duration::ZERO);
    pace.sent(at(1000), 62_500);
    assert_eq!(pace.rest(at(1000), Bitrate::kbps(500)), Duration::from_secs(1));
    assert_eq!(pace.rest(at(1400), Bitrate::kbps(1000)), Duration::from_millis(100));
    assert_eq!(pace.rest(at(1000), Bitrate::kbps(10)), LONGEST_REST);
    pace.sent(at(2000), 10);
    assert_eq!(pace.rest(at(2010), Bitrate::kbps(500)), INTERVAL - Duration::from_millis(10));
}

#[test]
fn dropping_the_pipeline_ends_its_thread_though_the_screen_still_holds_the_input() {
    let (pipeline, _own, _frames) = start(100);
    let input = pipeline.input();
    input.push(draw_page(TestPage::Text, 320, 180).unwrap());
    drop(pipeline);
    input.push(draw_page(TestPage::Text, 320, 180).unwrap());
}
