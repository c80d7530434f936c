//! Development only: a headless participant that writes what it decodes of one other.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Parser;
use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice};
use conclave_client::{Client, Config, DecodedSink, Impairment, wall_clock};
use conclave_identity::{Holder, Invitation};
use conclave_interop_tests::recording::{Frame, Sound, Writer};
use conclave_model::{MediaTime, Person, Picture, TrackKind};

/// Joins a meeting and writes what it decodes of one participant.
#[derive(Parser)]
struct Arguments {
    /// The invitation.
    invitation: PathBuf,
    /// The credential.
    #[arg(long)]
    credential: PathBuf,
    /// Its password.
    #[arg(long)]
    password: String,
    /// Whose picture and sound to write.
    #[arg(long)]
    from: String,
    /// Where to.
    #[arg(long)]
    output: PathBuf,
    /// For how long.
    #[arg(long)]
    seconds: u64,
    /// The height in pixels that pictures are asked for.
    #[arg(long, default_value_t = 720)]
    height: u16,
    /// Write the pictures of the screen that they share in place of those of the camera.
    #[arg(long)]
    screen: bool,
    /// The share of datagrams to lose, in each direction.
    #[arg(long, default_value_t = 0.0)]
    loss: f32,
    /// How many milliseconds to delay datagrams, in each direction.
    #[arg(long, default_value_t = 0)]
    delay: u64,
}

enum Piece {
    Frame(Frame),
    Sound(Sound),
}

struct Sink {
    from: String,
    track: TrackKind,
    pieces: mpsc::SyncSender<Piece>,
}

impl DecodedSink for Sink {
    fn picture(&self, from: &Person, track: TrackKind, number: u32, picture: &Arc<Picture>) {
        if from.name == self.from && track == self.track {
            let [luma, ..] = picture.planes();
            let frame = Frame {
                number,
                time: picture.time.0,
                width: picture.width() as usize,
                height: picture.height() as usize,
                luma: luma.to_vec(),
            };
            // A full queue means that the disk is slow; the comparison then has fewer frames, which it counts.
            let _ = self.pieces.try_send(Piece::Frame(frame));
        }
    }

    fn sound(&self, from: &Person, time: MediaTime, concealed: bool, samples: &[f32]) {
        if from.name == self.from {
            let sound = Sound { time: time.0, concealed, samples: samples.to_vec() };
            let _ = self.pieces.try_send(Piece::Sound(sound));
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wall = wall_clock();
    let holder = Holder::open(&arguments.credential, &arguments.password, wall)?;
    let bytes = std::fs::read(&arguments.invitation)
        .with_context(|| format!("cannot read {}", arguments.invitation.display()))?;
    let invitation = Invitation::parse(&bytes)?.verify(holder.root(), wall)?;
    let (pieces, inbox) = mpsc::sync_channel(512);
    let mut config = Config::new(holder, invitation);
    config.camera = CameraChoice::Off;
    config.microphone = MicrophoneChoice::Off;
    config.speaker = SpeakerChoice::Null;
    config.watch = conclave_client::Watch::All { height: arguments.height };
    let track = if arguments.screen { TrackKind::Screen } else { TrackKind::Camera };
    config.decode_to = Some(Arc::new(Sink { from: arguments.from.clone(), track, pieces }));
    if arguments.loss > 0.0 || arguments.delay > 0 {
        let delay = Duration::from_millis(arguments.delay);
        config.impair = Some(Impairment { loss: arguments.loss, delay, seed: 7 });
    }
    let mut writer = Writer::create(&arguments.output)?;
    let (client, _notices) = Client::start(config, Arc::new(|| {}))?;
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    while Instant::now() < end && !client.is_finished() {
        match inbox.recv_timeout(Duration::from_millis(100)) {
            Ok(Piece::Frame(frame)) => writer.frame(&frame)?,
            Ok(Piece::Sound(sound)) => writer.sound(&sound)?,
            Err(_) => thread::yield_now(),
        }
    }
    writer.finish()?;
    let report = client.report();
    let phase = format!("{:?}", client.snapshot().phase);
    std::fs::write(arguments.output.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    std::fs::write(arguments.output.join("phase.txt"), phase)?;
    Ok(())
}
