//! What the lines of a meeting for measurements are like.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use conclave_model::Bitrate;
use str0m_netem::{Bitrate as LinkRate, DataSize, GilbertElliot, NetemConfig, Probability, RandomLoss};

use crate::network::{Datagram, Line};

/// What one direction of a line is like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LineSpec {
    /// How late each datagram arrives at the least.
    pub latency: Duration,
    /// Which are lost.
    pub loss: Loss,
    /// How many bits a second pass; `None`: any number. What does not pass waits up to [`LineSpec::QUEUE`] and is lost
    /// beyond it.
    pub rate: Option<Bitrate>,
}

/// Which datagrams a line loses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// This share of them (0 to 1), each by itself.
    Random(f32),
    /// This share of them (0 to 1), in rows that are `mean` long on the average (Gilbert).
    Bursts {
        /// The share.
        share: f32,
        /// The mean length of a row, at least 1.
        mean: f32,
    },
}

impl LineSpec {
    /// How long a datagram waits at the most on a line of limited rate.
    pub const QUEUE: Duration = Duration::from_millis(300);

    /// An undisturbed line.
    pub fn plain(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    pub(super) fn config(&self, seed: u64) -> NetemConfig {
        let config = NetemConfig::new().latency(self.latency).seed(seed);
        let config = match self.loss {
            Loss::None => config,
            Loss::Random(share) => config.loss(RandomLoss::new(Probability::new(share))),
            Loss::Bursts { share, mean } => {
                let good = mean * (1.0 - share) / share.max(1e-6);
                config.loss(GilbertElliot::new().good_duration(good).bad_duration(mean))
            }
        };
        match self.rate {
            None => config,
            Some(rate) => {
                // The emulator counts what is under way among what waits.
                let held = (Self::QUEUE + self.latency).as_secs_f64();
                let bytes = (rate.as_bps() as f64 / 8.0 * held) as i64;
                config.link(LinkRate::bps(rate.as_bps()), DataSize::bytes(bytes.max(LEAST_QUEUE)))
            }
        }
    }
}

/// A queue holds at least some packets.
const LEAST_QUEUE: i64 = 10_000;

/// Which way of somebody's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the relay.
    Up,
    /// From the relay.
    Down,
}

/// One direction of a line with nobody at its ends, for what is to be compared on the same line.
pub struct Packets(Line);

impl Packets {
    /// A line that does what `seed` decides.
    pub fn new(spec: LineSpec, seed: u64) -> Self {
        Self(Line::new(spec.config(seed)))
    }

    /// Sends something.
    pub fn send(&mut self, bytes: Vec<u8>, now: Instant) {
        self.0.send(Datagram { from: NOBODY, to: NOBODY, bytes }, now);
    }

    /// What arrives by `now`.
    pub fn arrived(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.0.arrived(now).into_iter().map(|datagram| datagram.bytes).collect()
    }
}

impl std::fmt::Debug for Packets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packets").field("under_way", &self.0.under_way()).finish_non_exhaustive()
    }
}

/// Who stands at the ends of a line that nobody is at.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
