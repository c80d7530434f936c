use hound::WavWriter;

use super::*;
use crate::FRAME_SAMPLES;

fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample, sample_format }
}

/// One second of a 1 kHz sine at half scale, the same in all channels.
fn sine(spec: WavSpec) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("voice.wav");
    let mut writer = WavWriter::create(&path, spec).expect("a file");
    for index in 0..spec.sample_rate {
        let value = 0.5 * (std::f64::consts::TAU * 1000.0 * f64::from(index) / f64::from(spec.sample_rate)).sin();
        for _ in 0..spec.channels {
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(value as f32),
                SampleFormat::Int => {
                    writer.write_sample((value * ((1_i64 << (spec.bits_per_sample - 1)) - 1) as f64) as i32)
                }
            }
            .expect("a sample");
        }
    }
    writer.finalize().expect("a file");
    (folder, path)
}

fn problem(path: &Path) -> WavProblem {
    match Clip::open(path) {
        Err(CaptureError::Wav { problem, .. }) => problem,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn every_kind_of_wav_plays_the_same_tone() {
    for spec in [
        spec(1, 48_000, 16, SampleFormat::Int),
        spec(2, 44_100, 16, SampleFormat::Int),
        spec(1, 8_000, 8, SampleFormat::Int),
        spec(2, 96_000, 24, SampleFormat::Int),
        spec(8, 192_000, 32, SampleFormat::Int),
        spec(2, 22_050, 32, SampleFormat::Float),
    ] {
        let (_folder, path) = sine(spec);
        let mut clip = Clip::open(&path).expect("a clip");
        let mut samples = vec![0.0; 48_000];
        samples.chunks_mut(FRAME_SAMPLES).for_each(|frame| clip.next(frame).expect("a frame"));
        let level = crate::Level::of(&samples[4_800..38_400]);
        assert!((level.rms + 9.03).abs() < 0.3, "{spec:?}: {level:?}");
        let crossings = samples[4_800..38_400].windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!((699..=701).contains(&crossings), "{spec:?}: {crossings}");
    }
}

#[test]
fn what_was_missed_is_left_out_over_the_end() {
    let format = spec(1, 48_000, 16, SampleFormat::Int);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("steps.wav");
    let mut writer = WavWriter::create(&path, format).expect("a file");
    (0..4_800_u32).for_each(|at| writer.write_sample((at / 480 * 1_000) as i16).expect("a sample"));
    writer.finalize().expect("a file");
    let mut clip = Clip::open(&path).expect("a clip");
    let mut heard = Vec::new();
    for missed in [0, 3, 0, 6, 1_000_000_000] {
        let mut frame = [0.0; PIECE_SAMPLES];
        clip.skip(missed).expect("a clip goes on");
        clip.next(&mut frame).expect("a frame");
        heard.push((frame[9] * 32_768.0).round() as i32 / 1_000);
    }
    assert_eq!(heard, [0, 4, 5, 2, 3]);
}

#[test]
fn a_file_begins_again_after_its_end() {
    let (_folder, path) = sine(spec(1, 48_000, 16, SampleFormat::Int));
    let mut clip = Clip::open(&path).expect("a clip");
    let mut frames = vec![[0.0; FRAME_SAMPLES]; 101];
    frames.iter_mut().for_each(|frame| clip.next(frame).expect("a frame"));
    assert_eq!(frames[0], frames[50]);
    assert_eq!(frames[0], frames[100]);
}

#[test]
fn each_fault_of_a_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.wav");
    for content in [b"".as_slice(), b"YUV4MPEG2 W1", &[0; 5000], b"RIFF\0\0\0\0WAV", b"RIFX\0\0\0\0WAVEfmt "] {
        std::fs::write(&path, content).expect("a file");
        assert_eq!(problem(&path), WavProblem::NotWav);
    }
    for content in [
        b"RIFF\xff\0\0\0WAVE".as_slice(),
        b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0\x01\0",
        b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\x7f",
    ] {
        std::fs::write(&path, content).expect("a file");
        assert!(matches!(problem(&path), WavProblem::Broken(_)), "{content:?}");
    }
    let (_other, good) = sine(spec(1, 48_000, 16, SampleFormat::Int));
    let bytes = std::fs::read(good).expect("a file");
    // Compressed samples (IMA ADPCM is format 17).
    let mut compressed = bytes.clone();
    compressed[20] = 17;
    std::fs::write(&path, &compressed).expect("a file");
    assert!(matches!(problem(&path), WavProblem::Format(_)));
    // One sample per second.
    let mut slow = bytes.clone();
    slow[24..28].copy_from_slice(&1_u32.to_le_bytes());
    slow[28..32].copy_from_slice(&2_u32.to_le_bytes());
    std::fs::write(&path, &slow).expect("a file");
    assert_eq!(problem(&path), WavProblem::Rate(1));
    // Cut off in the middle.
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("a file");
    assert!(matches!(problem(&path), WavProblem::Truncated { announced: 48_000, .. }));
}

#[test]
fn a_file_whose_writer_did_not_know_its_length_plays_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("piped.wav");
    let (_other, good) = sine(spec(2, 48_000, 16, SampleFormat::Int));
    let bytes = std::fs::read(good).expect("a file");
    let data = bytes.windows(4).position(|word| word == b"data").expect("a chunk of sound") + 4;
    for (riff, sound) in
        [(u32::MAX, u32::MAX), (0x8000_0024, 0x8000_0000), (0x7FFF_F000, 0x7FFF_EFDC), (0, 0), (36, 0), (u32::MAX, 0)]
    {
        let mut piped = bytes.clone();
        piped[4..8].copy_from_slice(&riff.to_le_bytes());
        piped[data..data + 4].copy_from_slice(&sound.to_le_bytes());
        // Ended in the middle of a sample.
        piped.push(7);
        std::fs::write(&path, &piped).expect("a file");
        let mut clip = Clip::open(&path).expect("a clip");
        assert_eq!(clip.reader.duration(), 48_000, "{riff:#x} {sound:#x}");
        let mut frames = vec![[0.0; FRAME_SAMPLES]; 51];
        frames.iter_mut().for_each(|frame| clip.next(frame).expect("a frame"));
        assert_eq!(frames[0], frames[50], "{riff:#x} {sound:#x}");
    }
    // One that knows that it is empty is.
    let mut empty = bytes[..data + 4].to_vec();
    let length = empty.len() as u32 + 4;
    empty[4..8].copy_from_slice(&length.to_le_bytes());
    empty[data..].fill(0);
    empty.extend(b"LIST");
    empty.extend([0; 8]);
    std::fs::write(&path, &empty).expect("a file");
    assert_eq!(problem(&path), WavProblem::Empty);
}

#[test]
fn a_damaged_header_is_an_error_and_no_panic() {
    let (folder, good) = sine(spec(2, 48_000, 16, SampleFormat::Int));
    let bytes = std::fs::read(good).expect("a file")[..400].to_vec();
    let path = folder.path().join("damaged.wav");
    for at in 0..44 {
        for flip in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            std::fs::write(&path, &damaged).expect("a file");
            if let Ok(mut clip) = Clip::open(&path) {
                let _ = clip.next(&mut [0.0; FRAME_SAMPLES]);
            }
        }
    }
}
