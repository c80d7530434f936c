//! Files that a person or an office names.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::{fs, sync::Arc};

use conclave_capture::{
    CameraChoice, CameraStream, CameraWish, Clock, MicrophoneChoice, MicrophoneStream, camera::convert_jpeg,
};
use conclave_model::MediaTime;

use super::Case;

/// Real red of 16×16 pixels.
const JPEG: &[u8] = include_bytes!("../../../../crates/capture/src/camera/convert/red.jpg");

fn clock() -> Clock {
    Arc::new(|| MediaTime(0))
}

/// A target that reads a file.
fn file(valid: Vec<Vec<u8>>, open: impl Fn(&std::path::Path) + 'static) -> Case {
    let folder = tempfile::tempdir().unwrap();
    Case::new(valid, move |input| {
        let path = folder.path().join("file");
        fs::write(&path, input).unwrap();
        open(&path);
    })
}

pub(super) fn y4m() -> Case {
    let clip = |head: &str, pictures: usize| {
        let picture = [b"FRAME\n".to_vec(), vec![128; 16 * 16 * 3 / 2]].concat();
        [format!("YUV4MPEG2 {head}\n").into_bytes(), picture.repeat(pictures)].concat()
    };
    let valid = vec![clip("W16 H16 F30:1 Ip C420jpeg", 2), clip("W16 H16 F240:1 XCOLORRANGE=FULL", 3)];
    file(valid, |path| {
        let wish = CameraWish { width: 640, height: 360, frames_per_second: 30 };
        CameraStream::open(&CameraChoice::File(path.to_owned()), wish, clock(), |_| {}).ok();
    })
}

/// Sound of `bits` bits, `format` as RIFF numbers it.
fn riff(format: u16, channels: u16, rate: u32, bits: u16, frames: usize) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    let data = vec![0x11; frames * usize::from(block)];
    let mut fmt = [format.to_le_bytes(), channels.to_le_bytes()].concat();
    fmt.extend(rate.to_le_bytes());
    fmt.extend((rate * u32::from(block)).to_le_bytes());
    fmt.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
    let chunk =
        |name: &[u8], content: &[u8]| [name, &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat();
    let body = [&b"WAVE"[..], &chunk(b"fmt ", &fmt), &chunk(b"data", &data)].concat();
    chunk(b"RIFF", &body)
}

pub(super) fn wav() -> Case {
    let valid = vec![
        riff(1, 1, 48_000, 16, 500),
        riff(1, 2, 44_100, 24, 50),
        riff(3, 1, 16_000, 32, 90),
        riff(1, 1, 8000, 8, 9),
    ];
    file(valid, |path| {
        MicrophoneStream::open(&MicrophoneChoice::File(path.to_owned()), clock(), |_| {}).ok();
    })
}

pub(super) fn jpeg() -> Case {
    Case::new(vec![JPEG.to_vec()], |input| {
        convert_jpeg(input, 16, 16);
    })
}

pub(super) fn relay_config() -> Case {
    let valid = include_bytes!("../../../../packaging/relay/relay.toml").to_vec();
    let short =
        b"listen = \"127.0.0.1:0\"\ncertificate = \"a\"\nkey = \"b\"\ntrust = \"c\"\nmax_level = \"restricted\"\n";
    file(vec![valid, short.to_vec()], |path| {
        conclave_relay::Config::load(path).map(drop).ok();
    })
}
