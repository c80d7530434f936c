#![allow(clippy::unwrap_used)]

use super::*;
use crate::quality::alignment;

/// A voice-like signal: a gliding pitch with harmonics, in syllables.
fn voice(samples: usize) -> Vec<f32> {
    let mut phase = 0.0_f32;
    (0..samples)
        .map(|at| {
            let time = at as f32 / SAMPLE_RATE as f32;
            phase += (140.0 + 30.0 * (time * 3.0).sin()) / SAMPLE_RATE as f32;
            let syllable = (time * 4.0 * std::f32::consts::PI).sin().max(0.0);
            let tone: f32 =
                (1..12).map(|harmonic| (phase * harmonic as f32 * std::f32::consts::TAU).sin() / harmonic as f32).sum();
            tone * syllable * 0.25
        })
        .collect()
}

fn noise(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn encode(settings: AudioSettings, sound: &[f32]) -> Vec<Option<Bytes>> {
    let mut encoder = OpusEncoder::new(settings).unwrap();
    sound.chunks_exact(samples(settings.frame)).map(|chunk| encoder.encode(chunk).unwrap()).collect()
}

fn decode(packets: &[Option<Bytes>]) -> Vec<f32> {
    let mut decoder = OpusDecoder::new().unwrap();
    packets
        .iter()
        .flat_map(|packet| match packet {
            Some(packet) => decoder.decode(packet).unwrap(),
            None => decoder.conceal(960).unwrap(),
        })
        .collect()
}

fn kbps(packets: &[Option<Bytes>]) -> f64 {
    packets.iter().flatten().map(Bytes::len).sum::<usize>() as f64 * 8.0 / (packets.len() as f64 * 20.0)
}

#[test]
fn a_voice_comes_back_alike_at_the_bitrate_that_was_asked_for() {
    let sound = voice(96_000);
    let packets = encode(AudioSettings::default(), &sound);
    let rate = kbps(&packets);
    assert!((20.0..=46.0).contains(&rate), "{rate} kbit/s");
    let (delay, likeness) = alignment(&sound[..48_000], &decode(&packets), 1000).unwrap();
    assert!(likeness > 0.95, "correlation {likeness}");
    assert!(delay <= 480, "{delay} samples late");
}

#[test]
fn the_bitrate_can_be_changed_on_the_way() {
    let sound = voice(96_000);
    let mut encoder = OpusEncoder::new(AudioSettings::default()).unwrap();
    let mut bytes = [0, 0];
    for (at, chunk) in sound.chunks_exact(960).enumerate() {
        if at == 50 {
            encoder.set_bitrate(Bitrate::kbps(16)).unwrap();
        }
        bytes[at / 50] += encoder.encode(chunk).unwrap().unwrap().len();
    }
    assert!(bytes[1] * 3 < bytes[0] * 2, "{bytes:?}");
}

#[test]
fn a_lost_packet_is_bridged_and_a_long_loss_fades() {
    let mut packets = encode(AudioSettings::default(), &voice(96_000));
    // In the middle of a syllable, which has 250 ms.
    packets[31] = None;
    packets[50..].fill(None);
    let heard = decode(&packets);
    let rms = |range: std::ops::Range<usize>| {
        let part = &heard[range.start * 960..range.end * 960];
        (part.iter().map(|sample| sample * sample).sum::<f32>() / part.len() as f32).sqrt()
    };
    assert!(rms(31..32) > rms(30..31) / 3.0, "a hole of {} after {}", rms(31..32), rms(30..31));
    assert!(rms(90..100) < 0.02, "a long loss goes on sounding: {}", rms(90..100));
}

#[test]
fn silence_costs_next_to_nothing_with_dtx_and_is_sent_without() {
    let silence = vec![0.0; 96_000];
    let with = encode(AudioSettings { dtx: true, ..AudioSettings::default() }, &silence);
    let without = encode(AudioSettings::default(), &silence);
    assert!(with.iter().flatten().count() < 30);
    assert_eq!(without.iter().flatten().count(), 100);
}

#[test]
fn frames_of_every_length_come_back_with_their_length() {
    for micros in [2_500, 5_000, 10_000, 20_000, 40_000, 60_000] {
        let frame = Duration::from_micros(micros);
        let packets = encode(AudioSettings { frame, ..AudioSettings::default() }, &voice(samples(frame)));
        assert_eq!(decode(&packets).len(), samples(frame));
    }
}

#[test]
fn settings_out_of_bounds_are_refused_in_words() {
    let with = |settings| OpusEncoder::new(settings).unwrap_err().to_string();
    let frame = with(AudioSettings { frame: Duration::from_millis(15), ..AudioSettings::default() });
    assert!(frame.starts_with("frame of 15000; allowed are 2500"), "{frame}");
    assert!(with(AudioSettings { bitrate: Bitrate::kbps(1000), ..AudioSettings::default() }).contains("bitrate"));
    assert!(with(AudioSettings { complexity: 11, ..AudioSettings::default() }).contains("0 to 10"));
    let mut encoder = OpusEncoder::new(AudioSettings::default()).unwrap();
    assert_eq!(encoder.encode(&[0.0; 961]), Err(CodecError::FrameLength { found: 961, wanted: 960 }));
    let mut decoder = OpusDecoder::new().unwrap();
    assert!(decoder.conceal(961).is_err() && decoder.conceal(0).is_err() && decoder.conceal(12_000).is_err());
}

#[test]
fn samples_that_are_no_sound_do_not_upset_the_encoder() {
    let mut encoder = OpusEncoder::new(AudioSettings::default()).unwrap();
    for value in [f32::NAN, f32::INFINITY, -1e30, 1e30, 7.0] {
        let packet = encoder.encode(&[value; 960]).unwrap().unwrap();
        assert!(!packet.is_empty());
    }
}

#[test]
fn any_bytes_are_sound_or_an_error() {
    let mut decoder = OpusDecoder::new().unwrap();
    let good = encode(AudioSettings::default(), &voice(48_000));
    let mut seed = 0x1234_5678_9abc_def0;
    let mut errors = 0;
    for round in 0..3000 {
        let mut bytes = good[round % good.len()].clone().unwrap().to_vec();
        match round % 3 {
            0 => bytes.iter_mut().for_each(|byte| *byte = noise(&mut seed) as u8),
            1 => {
                let at = noise(&mut seed) as usize % bytes.len();
                bytes[at] ^= 1 << (noise(&mut seed) % 8);
            }
            _ => bytes.truncate(noise(&mut seed) as usize % bytes.len()),
        }
        match decoder.decode(&bytes) {
            Ok(samples) => assert!(samples.len() <= MAX_SAMPLES),
            Err(error) => {
                assert_eq!(error, CodecError::Bitstream);
                errors += 1;
            }
        }
    }
    assert!(errors > 0);
    assert_eq!(decoder.decode(&[]), Err(CodecError::Bitstream));
    assert_eq!(decoder.decode(&[0; 2000]), Err(CodecError::Bitstream));
}

/// Decodes a stream that misses packets, restoring what the next packet that came tells of.
fn decode_with_dred(packets: &[Option<Bytes>]) -> (Vec<f32>, usize) {
    let mut decoder = OpusDecoder::new().unwrap();
    let (mut heard, mut restored) = (Vec::new(), 0);
    for (at, packet) in packets.iter().enumerate() {
        let sound = match packet {
            Some(packet) => decoder.decode(packet).unwrap(),
            None => {
                let later = packets[at..].iter().enumerate().find_map(|(after, later)| Some((after, later.as_ref()?)));
                let found = later.and_then(|(after, later)| decoder.recover(later, after * 960, 960).unwrap());
                restored += usize::from(found.is_some());
                found.unwrap_or_else(|| decoder.conceal(960).unwrap())
            }
        };
        heard.extend(sound);
    }
    (heard, restored)
}

fn protected(sound: &[f32], protection: Protection) -> Vec<Option<Bytes>> {
    let mut encoder =
        OpusEncoder::new(AudioSettings { bitrate: Bitrate::kbps(40), ..AudioSettings::default() }).unwrap();
    encoder.protect(protection).unwrap();
    sound.chunks_exact(960).map(|chunk| encoder.encode(chunk).unwrap()).collect()
}

#[test]
fn a_long_loss_is_restored_from_the_packet_after_it() {
    let sound = voice(96_000);
    let mut packets = protected(&sound, Protection { dred: Duration::from_secs(1), loss: 20, ..Protection::default() });
    // A whole syllable of 250 ms, of which concealment can know nothing.
    packets[50..62].fill(None);
    let (heard, restored) = decode_with_dred(&packets);
    assert_eq!(restored, 12);
    let power = |sound: &[f32]| sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32;
    let (was, is) = (power(&sound[52 * 960..60 * 960]), power(&heard[52 * 960..60 * 960]));
    assert!(is > was / 4.0 && is < was * 4.0, "restored with {is} instead of {was}");
    let concealed = power(&decode(&packets)[52 * 960..60 * 960]);
    assert!(concealed < is / 4.0, "concealment alone gives {concealed} of {is}");
}

#[test]
fn what_a_packet_does_not_tell_of_is_not_restored() {
    let sound = voice(96_000);
    let plain = protected(&sound, Protection::default());
    let mut decoder = OpusDecoder::new().unwrap();
    assert_eq!(decoder.recover(plain[20].as_ref().unwrap(), 960, 960), Ok(None));
    assert_eq!(decoder.reach(plain[20].as_ref().unwrap()), 0);
    let short = protected(&sound, Protection { dred: Duration::from_millis(100), loss: 20, ..Protection::default() });
    let packet = short[60].as_ref().unwrap();
    let reach = decoder.reach(packet);
    assert!((3_840..=9_600).contains(&reach), "{reach}");
    assert!(decoder.recover(packet, 960, 960).unwrap().is_some());
    assert_eq!(decoder.recover(packet, 960 * 20, 960), Ok(None));
    assert_eq!(decoder.recover(packet, usize::MAX, 960), Ok(None));
    assert!(decoder.recover(packet, 960, 961).is_err());
}

#[test]
fn a_stripped_packet_is_shorter_and_sounds_the_same() {
    let sound = voice(48_000);
    let packets = protected(&sound, Protection { dred: Duration::from_secs(1), loss: 20, ..Protection::default() });
    let stripped: Vec<_> = packets.iter().flatten().map(|packet| without_redundancy(packet)).collect();
    assert!(kbps(&stripped) < kbps(&packets) * 0.8, "{} of {}", kbps(&stripped), kbps(&packets));
    assert_eq!(decode(&stripped), decode(&packets));
    assert_eq!(without_redundancy(&[]), None);
}

#[test]
fn a_constant_bitrate_gives_every_packet_the_same_size() {
    let mut sound = voice(48_000);
    sound.extend(vec![0.0; 48_000]);
    let packets = encode(AudioSettings { constant: true, dtx: true, ..AudioSettings::default() }, &sound);
    let sizes: Vec<_> = packets.iter().map(|packet| packet.as_ref().map(Bytes::len)).collect();
    assert_eq!(sizes, vec![Some(100); 100]);
}

#[test]
fn any_bytes_restore_something_or_nothing() {
    let mut decoder = OpusDecoder::new().unwrap();
    let good =
        protected(&voice(48_000), Protection { dred: Duration::from_secs(1), loss: 20, ..Protection::default() });
    let mut seed = 0x1234_5678_9abc_def0;
    let mut restored = 0;
    for round in 0..1500 {
        let mut bytes = good[round % good.len()].clone().unwrap().to_vec();
        match round % 3 {
            0 => bytes.iter_mut().for_each(|byte| *byte = noise(&mut seed) as u8),
            1 => {
                for _ in 0..8 {
                    let at = noise(&mut seed) as usize % bytes.len();
                    bytes[at] ^= 1 << (noise(&mut seed) % 8);
                }
            }
            _ => bytes.truncate(noise(&mut seed) as usize % bytes.len()),
        }
        let before = noise(&mut seed) as usize % 60_000;
        if let Some(sound) = decoder.recover(&bytes, before, 960).unwrap() {
            assert_eq!(sound.len(), 960);
            restored += 1;
        }
        without_redundancy(&bytes);
    }
    assert!(restored > 0);
}

#[test]
fn protection_out_of_bounds_is_refused_in_words() {
    let mut encoder = OpusEncoder::new(AudioSettings::default()).unwrap();
    let mut with = |protection| encoder.protect(protection).unwrap_err().to_string();
    assert!(with(Protection { dred: Duration::from_secs(2), ..Protection::default() }).contains("1040"));
    assert!(with(Protection { loss: 101, ..Protection::default() }).contains("percent"));
}
