#![allow(clippy::unwrap_used)]

use conclave_model::{Bitrate, EncodedFrame, MediaTime, Picture};

use super::*;
use crate::{CodecError, VideoDecoder, VideoEncoder, quality::psnr};

fn settings(width: u32, height: u32, kbps: u64) -> VideoSettings {
    VideoSettings {
        width,
        height,
        frames_per_second: 30,
        bitrate: Bitrate::kbps(kbps),
        threads: 1,
        content: Content::Camera,
    }
}

/// A textured picture in which a bright disc moves; `number` counts frames at 30 per second.
fn scene(width: u32, height: u32, number: u32) -> Picture {
    let mut picture = Picture::black(width, height, MediaTime(u64::from(number) * 33_333)).unwrap();
    let (centre_x, centre_y) = (f64::from(width * (number % 60) / 60), f64::from(height / 2));
    let radius = f64::from(height / 5);
    let (chroma_width, _) = picture.chroma_size();
    let [y, u, v] = picture.planes_mut();
    for (at, value) in y.iter_mut().enumerate() {
        let (column, row) = (f64::from(at as u32 % width), f64::from(at as u32 / width));
        let inside = (column - centre_x).hypot(row - centre_y) < radius;
        let texture = (column * 0.11).sin() * (row * 0.07).cos() * 40.0;
        *value = if inside { 200 } else { (100.0 + texture) as u8 };
    }
    for (at, (u, v)) in u.iter_mut().zip(v).enumerate() {
        let column = at as u32 % chroma_width;
        *u = 90 + (column * 60 / chroma_width) as u8;
        *v = 160 - (column * 60 / chroma_width) as u8;
    }
    picture
}

fn noise(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn noisy(width: u32, height: u32, number: u32) -> Picture {
    let mut picture = Picture::black(width, height, MediaTime(u64::from(number) * 33_333)).unwrap();
    let mut seed = u64::from(number) + 77;
    for value in picture.planes_mut()[0].iter_mut() {
        *value = noise(&mut seed) as u8;
    }
    picture
}

#[test]
fn pictures_come_back_alike_one_for_one() {
    let mut encoder = Av1Encoder::new(settings(320, 180, 400)).unwrap();
    let mut decoder = Av1Decoder::new().unwrap();
    let mut worst = f64::INFINITY;
    for number in 0..30 {
        let picture = scene(320, 180, number);
        let frame = encoder.encode(&picture, false).unwrap().unwrap();
        assert_eq!(frame.key, number == 0);
        assert_eq!(frame.time, picture.time);
        let back = decoder.decode(&frame).unwrap().unwrap();
        assert_eq!(back.time, picture.time);
        worst = worst.min(psnr(&picture, &back).unwrap());
        let colours = |picture: &Picture| picture.planes().map(|plane| u32::from(plane[plane.len() / 2]));
        let (sent, found) = (colours(&picture), colours(&back));
        assert!(sent.iter().zip(found).skip(1).all(|(a, b)| a.abs_diff(b) < 8), "{sent:?} became {found:?}");
    }
    assert!(worst > 33.0, "{worst} dB");
}

#[test]
fn odd_sizes_come_back_with_their_size() {
    for (width, height) in [(17, 19), (101, 57), (333, 187)] {
        let mut encoder = Av1Encoder::new(settings(width, height, 300)).unwrap();
        let mut decoder = Av1Decoder::new().unwrap();
        for number in 0..3 {
            let picture = scene(width, height, number);
            let frame = encoder.encode(&picture, false).unwrap().unwrap();
            let back = decoder.decode(&frame).unwrap().unwrap();
            assert!(psnr(&picture, &back).unwrap() > 28.0);
        }
    }
}

#[test]
fn what_can_be_left_out_is_not_missed() {
    for (temporal, content) in [(1, Content::Camera), (2, Content::Camera), (3, Content::Camera), (2, Content::Screen)]
    {
        let settings = VideoSettings { content, ..settings(320, 180, 400) };
        let mut encoder = Av1Encoder::layered(settings, temporal).unwrap();
        let (mut all, mut thinned) = (Av1Decoder::new().unwrap(), Av1Decoder::new().unwrap());
        let mut left_out = 0;
        for number in 0..60 {
            let picture = scene(320, 180, number);
            let frame = encoder.encode(&picture, number == 33).unwrap().unwrap();
            let (whole, worst) = (all.decode(&frame).unwrap().unwrap(), 33.0);
            assert!(psnr(&picture, &whole).unwrap() > worst, "T{temporal} frame {number}");
            if frame.discardable {
                left_out += 1;
                continue;
            }
            let kept = thinned.decode(&frame).unwrap().unwrap();
            assert_eq!(kept, whole, "T{temporal} frame {number}");
        }
        assert_eq!(left_out, [0, 29, 29][temporal as usize - 1]);
    }
}

#[test]
fn a_frame_needs_the_one_that_it_names_and_nothing_else() {
    for temporal in 1..=3 {
        let mut encoder = Av1Encoder::layered(settings(160, 90, 200), temporal).unwrap();
        let frames: Vec<EncodedFrame> =
            (0..40).map(|number| encoder.encode(&scene(160, 90, number), number == 21).unwrap().unwrap()).collect();
        let mut whole = Av1Decoder::new().unwrap();
        for (number, frame) in frames.iter().enumerate() {
            let picture = whole.decode(frame).unwrap().unwrap();
            let mut chain = vec![number];
            while let Some(last) = chain.last().copied().filter(|last| frames[*last].back != 0) {
                chain.push(last - usize::from(frames[last].back));
            }
            let mut decoder = Av1Decoder::new().unwrap();
            let alone = chain.iter().rev().map(|at| decoder.decode(&frames[*at]).unwrap().unwrap()).last();
            assert_eq!(alone, Some(picture), "T{temporal} frame {number} by {chain:?}");
        }
    }
}

#[test]
fn key_frames_come_on_request_only_and_a_decoder_can_begin_there() {
    let mut encoder = Av1Encoder::new(settings(160, 90, 200)).unwrap();
    let frames: Vec<EncodedFrame> =
        (0..200).filter_map(|number| encoder.encode(&scene(160, 90, number), number == 120).unwrap()).collect();
    let keys: Vec<usize> = (0..frames.len()).filter(|at| frames[*at].key).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    let mut late = Av1Decoder::new().unwrap();
    let back = late.decode(&frames[keys[1]]).unwrap().unwrap();
    assert_eq!((back.width(), back.height()), (160, 90));
    assert!(late.decode(&frames[keys[1] + 1]).unwrap().is_some());
}

#[test]
fn the_bitrate_is_bounded_and_follows_its_setting() {
    let mut encoder = Av1Encoder::new(settings(320, 180, 300)).unwrap();
    let mut second = |kbps: u64, from: u32| {
        encoder.set_bitrate(Bitrate::kbps(kbps)).unwrap();
        let frames = (from..from + 60).filter_map(|number| {
            let mut fast = scene(320, 180, number * 3);
            fast.time = MediaTime(u64::from(number) * 33_333);
            encoder.encode(&fast, false).unwrap()
        });
        frames.map(|frame| frame.data.len() as u64 * 8).sum::<u64>() / 2000
    };
    let (_, high, low) = (second(300, 0), second(300, 60), second(80, 120));
    let settled = second(80, 180);
    assert!(high <= 360, "{high} kbit/s instead of 300");
    assert!(settled <= 110, "{settled} kbit/s instead of 80 (at first {low})");
    assert!(settled < high);
}

#[test]
fn even_noise_stays_near_the_bitrate_because_pictures_are_left_out() {
    let mut encoder = Av1Encoder::new(settings(160, 96, 100)).unwrap();
    let frames: Vec<_> = (0..90).map(|number| encoder.encode(&noisy(160, 96, number), false).unwrap()).collect();
    let bits: usize = frames.iter().flatten().skip(1).map(|frame| frame.data.len() * 8).sum();
    assert!(bits <= 3 * 100_000 * 3 / 2, "{} kbit/s", bits / 3000);
    assert!(frames.iter().any(Option::is_none));
}

#[test]
fn settings_and_pictures_that_do_not_fit_are_refused() {
    let error = Av1Encoder::new(settings(8, 90, 100)).unwrap_err();
    assert_eq!(error.to_string(), "width of 8; allowed are 16 to 4096 pixels");
    assert!(Av1Encoder::new(VideoSettings { threads: 0, ..settings(64, 64, 100) }).is_err());
    assert!(Av1Encoder::new(VideoSettings { frames_per_second: 0, ..settings(64, 64, 100) }).is_err());
    let mut encoder = Av1Encoder::new(settings(64, 64, 100)).unwrap();
    let other = encoder.encode(&scene(64, 32, 0), false);
    assert_eq!(other, Err(CodecError::PictureSize { found: (64, 32), wanted: (64, 64) }));
}

#[test]
fn times_that_stand_still_or_jump_do_not_stop_the_encoder() {
    let mut encoder = Av1Encoder::new(settings(64, 64, 100)).unwrap();
    for time in [5_000_000, 5_000_000, 0, u64::MAX, 1, u64::MAX - 1] {
        let mut picture = scene(64, 64, 0);
        picture.time = MediaTime(time);
        encoder.encode(&picture, true).unwrap();
    }
}

#[test]
fn frames_without_their_key_frame_are_errors_and_not_pictures() {
    let mut encoder = Av1Encoder::new(settings(64, 64, 100)).unwrap();
    encoder.encode(&scene(64, 64, 0), false).unwrap();
    let second = encoder.encode(&scene(64, 64, 1), false).unwrap().unwrap();
    assert!(!matches!(Av1Decoder::new().unwrap().decode(&second), Ok(Some(_))));
}

#[test]
fn a_picture_larger_than_the_decoder_is_for_is_refused_and_the_next_is_shown() {
    let encoded = |width: u32, height: u32| {
        let mut encoder = Av1Encoder::new(settings(width, height, 200)).unwrap();
        encoder.encode(&scene(width, height, 0), true).unwrap().unwrap()
    };
    let mut decoder = Av1Decoder::up_to(160 * 90).unwrap();
    assert!(decoder.decode(&encoded(160, 90)).unwrap().is_some());
    assert_eq!(decoder.decode(&encoded(176, 90)), Err(CodecError::Bitstream));
    assert!(decoder.decode(&encoded(90, 160)).unwrap().is_some());
}

#[test]
fn any_bytes_are_a_picture_or_an_error() {
    let mut encoder = Av1Encoder::new(settings(64, 48, 200)).unwrap();
    let good: Vec<_> =
        (0..20).filter_map(|number| encoder.encode(&scene(64, 48, number), number == 10).unwrap()).collect();
    let mut decoder = Av1Decoder::new().unwrap();
    let mut seed = 0x0bad_5eed_0bad_5eed;
    let mut errors = 0;
    for round in 0..2000 {
        let mut frame = good[round % good.len()].clone();
        let mut bytes = frame.data.to_vec();
        match noise(&mut seed) % 4 {
            0 => bytes.iter_mut().for_each(|byte| *byte = noise(&mut seed) as u8),
            1 => bytes.truncate(noise(&mut seed) as usize % bytes.len()),
            2 => bytes.extend((0..40).map(|_| noise(&mut seed) as u8)),
            _ => {
                for _ in 0..=noise(&mut seed) % 4 {
                    let at = noise(&mut seed) as usize % bytes.len();
                    bytes[at] ^= 1 << (noise(&mut seed) % 8);
                }
            }
        }
        frame.data = bytes.into();
        errors += usize::from(decoder.decode(&frame).is_err());
    }
    assert!(errors > 100, "{errors}");
    let back = decoder.decode(&good[0]).unwrap().unwrap();
    assert_eq!((back.width(), back.height()), (64, 48), "a key frame repairs everything");
}
