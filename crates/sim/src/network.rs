//! The lines between each participant and the relay.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use str0m_netem::{Bitrate, DataSize, GilbertElliot, Input, Netem, NetemConfig, Output, Probability, RandomLoss};

/// The most datagrams under way on one line; more means that somebody sends without end.
pub(crate) const MAX_UNDER_WAY: usize = 5000;

/// One datagram under way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl AsRef<[u8]> for Datagram {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// One direction of datagrams: they are late, lost, doubled, out of order.
pub(crate) struct Line {
    netem: Netem<Datagram>,
    /// Until when nothing gets through.
    dark_until: Option<Instant>,
}

impl Line {
    pub(crate) fn new(config: NetemConfig) -> Self {
        Self { netem: Netem::new(config), dark_until: None }
    }

    /// Makes it another line for what is sent from now on.
    pub(crate) fn change(&mut self, config: NetemConfig) {
        self.netem.set_config(config);
    }

    /// Lets nothing through until `until`.
    pub(crate) fn darken(&mut self, until: Instant) {
        self.dark_until = Some(until);
    }

    /// Whether nothing gets through.
    pub(crate) fn is_dark(&self, now: Instant) -> bool {
        self.dark_until.is_some_and(|until| now < until)
    }

    pub(crate) fn send(&mut self, datagram: Datagram, now: Instant) {
        if !self.is_dark(now) {
            self.netem.handle_input(Input::Packet(now, datagram));
        }
    }

    /// The datagrams that arrive by `now`.
    pub(crate) fn arrived(&mut self, now: Instant) -> Vec<Datagram> {
        let mut arrived = Vec::new();
        if self.netem.is_empty() {
            return arrived;
        }
        self.netem.handle_input(Input::Timeout(now));
        while let Some(output) = self.netem.poll_output() {
            match output {
                Output::Packet(datagram) => arrived.push(datagram),
                Output::Timeout(_) => break,
            }
        }
        arrived
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        (!self.netem.is_empty()).then(|| self.netem.poll_timeout())
    }

    pub(crate) fn under_way(&self) -> usize {
        self.netem.queue_len()
    }
}

/// One direction of signalling: in order and whole, but late.
#[derive(Default)]
pub(crate) struct Wire {
    messages: VecDeque<(Instant, Vec<u8>)>,
    stalled_until: Option<Instant>,
}

impl Wire {
    /// Sends a message that arrives after `latency`, and not before those sent earlier.
    pub(crate) fn send(&mut self, message: Vec<u8>, latency: Duration, now: Instant) {
        let stalled = self.stalled_until.filter(|until| *until > now).unwrap_or(now);
        let earliest = self.messages.back().map_or(now, |(at, _)| *at);
        self.messages.push_back(((stalled + latency).max(earliest), message));
    }

    /// Holds up what is sent until `until`, as a lost TCP segment does.
    pub(crate) fn stall(&mut self, until: Instant) {
        self.stalled_until = Some(until);
        for (at, _) in &mut self.messages {
            *at = (*at).max(until);
        }
    }

    /// Whether what is sent is held up.
    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        self.stalled_until.is_some_and(|until| now < until)
    }

    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.messages.pop_front_if(|(at, _)| *at <= now).map(|(_, message)| message)
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.messages.front().map(|(at, _)| *at)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.messages.len()
    }
}

/// What one participant's connection is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    config: NetemConfig,
    /// Nothing is lost, late or out of order.
    pub(crate) is_plain: bool,
    /// It loses so much that it need not carry every picture; who gets one less is told.
    pub(crate) may_starve: bool,
    /// How late signalling is.
    pub(crate) latency: Duration,
}

impl Weather {
    /// Some connection, from an office's cable to a bad hotel.
    pub(crate) fn any(random: &mut ChaCha8Rng) -> Self {
        let latency = Duration::from_millis(random.random_range(1..80));
        let base = NetemConfig::new().latency(latency);
        let kinds = [
            base,
            base.jitter(latency / 4).loss(GilbertElliot::wifi()),
            base.jitter(latency / 2).reorder_gap(random.random_range(3..20)),
            base.loss(RandomLoss::new(Probability::new(0.1))),
            base.jitter(latency / 3).loss(GilbertElliot::cellular()).duplicate(Probability::new(0.05)),
            base.link(Bitrate::mbps(8), DataSize::bytes(200_000)).loss(RandomLoss::new(Probability::new(0.02))),
        ];
        let chosen = kinds.choose(random).unwrap_or(&base);
        Self { config: *chosen, is_plain: std::ptr::eq(chosen, &kinds[0]), may_starve: false, latency }
    }

    /// An undisturbed line.
    pub(crate) fn plain(latency: Duration) -> Self {
        Self { config: NetemConfig::new().latency(latency), is_plain: true, may_starve: false, latency }
    }

    /// A line that loses some of what is sent, one by one or in bursts.
    pub(crate) fn lossy(latency: Duration, random: &mut ChaCha8Rng) -> Self {
        let base = NetemConfig::new().latency(latency);
        let kinds = [
            base.loss(RandomLoss::new(Probability::new(0.05))),
            base.loss(RandomLoss::new(Probability::new(0.1))),
            base.loss(RandomLoss::new(Probability::new(0.2))),
            base.jitter(latency / 4).loss(GilbertElliot::wifi()),
            base.jitter(latency / 3).loss(GilbertElliot::cellular()),
        ];
        let chosen = kinds.choose(random).unwrap_or(&base);
        Self { config: *chosen, is_plain: false, may_starve: std::ptr::eq(chosen, &kinds[2]), latency }
    }

    /// A line of this kind with a course of its own.
    pub(crate) fn line(&self, random: &mut ChaCha8Rng) -> Line {
        Line::new(self.config.seed(random.random()))
    }
}
