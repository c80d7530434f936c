//! Bitstreams.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::time::Duration;

use bytes::Bytes;
use conclave_codec::{
    AudioDecoder, AudioEncoder, AudioSettings, Av1Decoder, Av1Encoder, Content, FrameCopy, OpusDecoder, OpusEncoder,
    Protection, Redundant, VideoDecoder, VideoEncoder, VideoSettings, without_redundancy,
};
use conclave_model::{Bitrate, EncodedFrame, Layer, MediaTime, Picture};

use super::Case;
use crate::mutate::Random;

pub(super) fn redundant_sound() -> Case {
    let copy = |distance, length| FrameCopy { distance, data: Bytes::from(vec![distance; length]) };
    let all = [vec![], vec![copy(1, 5)], vec![copy(15, 1275), copy(2, 252)]];
    let valid = all.map(|copies| Redundant { copies, frame: Bytes::from_static(b"frame") }.to_bytes().to_vec());
    Case::new(valid.to_vec(), |input| {
        let input = Bytes::copy_from_slice(input);
        if let Some(parsed) = Redundant::parse(&input) {
            assert_eq!(Redundant::parse(&parsed.to_bytes()), Some(parsed));
        }
    })
}

/// Frames of 20 ms with deep redundancy, and without.
fn sound() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for dred in [0, 400] {
        let mut encoder = OpusEncoder::new(AudioSettings { complexity: 5, ..AudioSettings::default() }).unwrap();
        let protection = Protection { dred: Duration::from_millis(dred), loss: 20, wideband: false, inband: dred == 0 };
        encoder.protect(protection).unwrap();
        for frame in 0..12_u32 {
            let wave = |at: u32| (at as f32 / 25.0).sin() * (at as f32 / 3000.0).cos() * 0.4;
            let samples: Vec<f32> = (0..960).map(|at| wave(frame * 960 + at)).collect();
            packets.extend(encoder.encode(&samples).unwrap().map(|packet| packet.to_vec()));
        }
    }
    packets.into_iter().skip(9).step_by(5).collect()
}

pub(super) fn opus() -> Case {
    let mut decoder = OpusDecoder::new().unwrap();
    let valid = sound();
    let first = valid[0].clone();
    Case::new(valid, move |input| {
        decoder.decode(&first).unwrap();
        let reach = decoder.reach(input);
        if reach >= 960 {
            decoder.recover(input, 960, 960).ok();
            decoder.recover(input, reach, 960).ok();
        }
        decoder.decode_inband(input, 960).ok();
        decoder.decode(input).ok();
        decoder.conceal(960).unwrap();
        without_redundancy(input);
    })
}

fn frame(data: Bytes, key: bool) -> EncodedFrame {
    EncodedFrame {
        time: MediaTime(1),
        encode_delay: Duration::ZERO,
        key,
        layer: Layer(0),
        discardable: false,
        back: u8::from(!key),
        data,
    }
}

/// A key frame and some that follow, of 64×48 and of 48×64 pixels.
fn pictures() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut random = Random::new(1);
    for (width, height) in [(64, 48), (48, 64)] {
        let bitrate = Bitrate::kbps(100);
        let settings =
            VideoSettings { width, height, frames_per_second: 30, bitrate, threads: 1, content: Content::Camera };
        let mut encoder = Av1Encoder::new(settings).unwrap();
        for number in 0..3_u64 {
            let mut picture = Picture::black(width, height, MediaTime(number * 33_333)).unwrap();
            for plane in picture.planes_mut() {
                plane.iter_mut().enumerate().for_each(|(at, sample)| *sample = (at as u64 + number * 5) as u8);
                (0..40).for_each(|_| plane[random.below(500)] = random.number() as u8);
            }
            frames.extend(encoder.encode(&picture, number == 0).unwrap().map(|frame| frame.data.to_vec()));
        }
    }
    frames
}

pub(super) fn av1() -> Case {
    let valid = pictures();
    let (key, next) = (Bytes::from(valid[0].clone()), Bytes::from(valid[1].clone()));
    Case::new(valid, move |input| {
        // A fresh one each time, so that an input alone says what happens.
        let mut decoder = Av1Decoder::new().unwrap();
        assert!(decoder.decode(&frame(key.clone(), true)).unwrap().is_some());
        for data in [Bytes::copy_from_slice(input), next.clone(), Bytes::copy_from_slice(input)] {
            if let Ok(Some(picture)) = decoder.decode(&frame(data, false)) {
                assert_eq!(picture.planes()[0].len(), (picture.width() * picture.height()) as usize);
            }
        }
        assert!(decoder.decode(&frame(key.clone(), true)).is_ok(), "a key frame does not mend it");
    })
}
