//! From received sound to the loudspeaker.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use conclave_model::{LeafIndex, MediaTime, TrackKind};
use conclave_session::RemoteFrame;

use super::{Reference, mixer::Mixer};
use crate::clock::now;

/// Plays the sound of all members.
///
/// Packets go in at any time; whoever drives the loudspeaker pulls the mix through [`SoundReceiver::output`], and all
/// work (jitter buffers, decoding, concealing, mixing) happens in that pull, on the loudspeaker's own thread. It is not
/// the device's callback: [`conclave_capture::SpeakerStream`] has a ring buffer in between.
pub struct SoundReceiver {
    shared: Arc<Shared>,
}

/// One source's part of 10 ms of sound, as it goes to the mixer.
#[derive(Clone, Copy, Debug)]
pub struct SoundEvent<'a> {
    /// Who is heard.
    pub from: LeafIndex,
    /// Which of their sounds.
    pub track: TrackKind,
    /// When the first sample was captured, or would have been.
    pub time: MediaTime,
    /// Whether it was made up in the place of a lost packet.
    pub concealed: bool,
    /// Mono at 48 kHz.
    pub samples: &'a [f32],
}

/// What has been heard of one source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoundStatistics {
    /// Whose.
    pub from: LeafIndex,
    /// Which of their sounds.
    pub track: TrackKind,
    /// How loud it is: 0 at −60 dBFS and below, 1 at full scale; rises at once and falls slowly.
    pub level: f32,
    /// Packets that came in.
    pub received: u64,
    /// Bytes of these packets.
    pub bytes: u64,
    /// Sound that was played as it was sent.
    pub played: Duration,
    /// Sound that was restored from the deep redundancy of later packets.
    pub restored: Duration,
    /// Sound that was made up in the place of lost or late packets. How a pause in speaking began does not count.
    pub concealed: Duration,
    /// Packets that the decoder refused.
    pub failed: u64,
    /// How long packets are held back at present.
    pub target_delay: Duration,
    /// When sound goes to the loudspeaker by this client's clock, minus when it was captured by the sender's, in µs;
    /// `None` while the source is silent.
    pub offset: Option<i64>,
}

type Sink = Box<dyn FnMut(SoundEvent<'_>) + Send>;

struct Shared {
    inbox: Mutex<Inbox>,
    /// Locked for the length of a pull, and by nobody else but the pull of another loudspeaker.
    player: Mutex<Player>,
    statistics: ArcSwap<Vec<SoundStatistics>>,
    reference: Reference,
}

#[derive(Default)]
struct Inbox {
    frames: VecDeque<RemoteFrame>,
    left: Vec<LeafIndex>,
}

struct Player {
    mixer: Mixer,
    sink: Sink,
    /// Mixed samples that the loudspeaker has not asked for yet; less than 10 ms.
    rest: VecDeque<f32>,
}

impl SoundReceiver {
    /// Nobody speaks yet. `sink` sees each source's sound before it is mixed, on the thread that pulls.
    pub fn new(sink: impl FnMut(SoundEvent<'_>) + Send + 'static) -> Self {
        let player = Player { mixer: Mixer::default(), sink: Box::new(sink), rest: VecDeque::new() };
        Self {
            shared: Arc::new(Shared {
                inbox: Mutex::default(),
                player: Mutex::new(player),
                statistics: ArcSwap::default(),
                reference: Reference::default(),
            }),
        }
    }

    /// Gives a packet as it comes. Never waits for the mixer.
    pub fn push(&self, frame: RemoteFrame) {
        let mut inbox = self.shared.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.frames.len() >= MAX_WAITING {
            inbox.frames.pop_front();
        }
        inbox.frames.push_back(frame);
    }

    /// Forgets a member who left.
    pub fn remove(&self, leaf: LeafIndex) {
        let mut inbox = self.shared.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.frames.retain(|frame| frame.from != leaf);
        if !inbox.left.contains(&leaf) {
            inbox.left.push(leaf);
        }
    }

    /// What a loudspeaker pulls: fills the whole slice with mono at 48 kHz, silence where nobody speaks.
    ///
    /// Made anew for each loudspeaker that is opened; only one should pull at a time.
    pub fn output(&self) -> impl FnMut(&mut [f32]) + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |samples| shared.fill(samples)
    }

    /// What is played, for the canceller of its echo.
    pub fn reference(&self) -> Reference {
        self.shared.reference.clone()
    }

    /// What has been heard, by source, as of the last pull.
    pub fn statistics(&self) -> Arc<Vec<SoundStatistics>> {
        self.shared.statistics.load_full()
    }
}

impl std::fmt::Debug for SoundReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundReceiver").field("sources", &self.statistics().len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn fill(&self, samples: &mut [f32]) {
        let mut player = self.player.lock().unwrap_or_else(PoisonError::into_inner);
        let Player { mixer, sink, rest } = &mut *player;
        for sample in samples {
            if rest.is_empty() {
                self.take_in(mixer);
                let mix = mixer.piece(now(), sink);
                self.reference.push(&mix);
                rest.extend(mix);
                if !mixer.is_empty() || !self.statistics.load().is_empty() {
                    self.statistics.store(Arc::new(mixer.statistics()));
                }
            }
            *sample = rest.pop_front().unwrap_or_default();
        }
    }

    /// Moves what arrived since the last frame into the jitter buffers.
    fn take_in(&self, mixer: &mut Mixer) {
        let inbox = std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        for leaf in inbox.left {
            mixer.remove(leaf);
        }
        for frame in inbox.frames {
            mixer.insert(frame);
        }
    }
}

/// Packets that may wait for a loudspeaker that does not pull; a second of 27 voices.
const MAX_WAITING: usize = 27 * 50;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use bytes::Bytes;
    use conclave_codec::AudioSettings;
    use conclave_model::{EncodedFrame, Layer};

    use super::*;
    use crate::media::VoiceEncoder;

    fn packet(number: u32, data: Bytes) -> RemoteFrame {
        let now = now();
        let frame = EncodedFrame {
            time: MediaTime(u64::from(number) * 20_000),
            encode_delay: Duration::ZERO,
            key: true,
            layer: Layer(0),
            discardable: false,
            back: 0,
            data,
        };
        RemoteFrame { from: LeafIndex(4), track: TrackKind::Microphone, number, frame, received: now, opened: now }
    }

    fn tone() -> Vec<f32> {
        (0..960).map(|i| (i as f32 * 0.05).sin() * 0.5).collect()
    }

    #[test]
    fn a_loudspeaker_may_pull_pieces_of_any_size() {
        let (sender, seen) = mpsc::sync_channel(100);
        let receiver = SoundReceiver::new(move |event| sender.send((event.from, event.concealed)).unwrap());
        let mut encoder = VoiceEncoder::new(AudioSettings::default()).unwrap();
        for number in 0..10 {
            let time = MediaTime(u64::from(number) * 20_000);
            receiver.push(packet(number, encoder.encode(time, &tone()).unwrap().unwrap()));
        }
        let mut output = receiver.output();
        // Long enough for the jitter buffer to begin.
        std::thread::sleep(Duration::from_millis(30));
        let mut heard = Vec::new();
        for length in [1, 100, 859, 480, 960, 333] {
            let mut samples = vec![9.0; length];
            output(&mut samples);
            heard.extend(samples);
        }
        assert!(heard.iter().all(|sample| sample.abs() <= 1.0));
        assert!(heard.iter().any(|sample| sample.abs() > 0.1), "nothing was heard");
        assert_eq!(seen.try_recv().unwrap(), (LeafIndex(4), false));
        let statistics = receiver.statistics();
        assert_eq!((statistics[0].from, statistics[0].received), (LeafIndex(4), 10));
        assert!(statistics[0].level > 0.5);
    }

    #[test]
    fn silence_is_pulled_where_nobody_speaks_and_after_everybody_left() {
        let receiver = SoundReceiver::new(|_| {});
        let mut samples = vec![9.0; 960];
        receiver.output()(&mut samples);
        assert!(samples.iter().all(|sample| *sample == 0.0));
        receiver.push(packet(0, Bytes::from_static(&[0x10, 0xfc, 0xff, 0xfe])));
        receiver.output()(&mut samples);
        receiver.remove(LeafIndex(4));
        receiver.output()(&mut samples);
        assert!(receiver.statistics().is_empty());
    }

    #[test]
    fn without_a_loudspeaker_memory_is_bounded() {
        let receiver = SoundReceiver::new(|_| {});
        for number in 0..MAX_WAITING as u32 + 100 {
            receiver.push(packet(number, Bytes::new()));
        }
        assert_eq!(receiver.shared.inbox.lock().unwrap().frames.len(), MAX_WAITING);
    }
}
