//! What every state of a session has: the media path, the outputs, the counters, the wall clock.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_model::{
    Bitrate,
    wire::{Descriptor, signal::ToRelay},
};
use conclave_transport::{Event as PathEvent, Output as PathOutput, Path, Quality};

use crate::{
    Counters, EndReason, Event, Output,
    reassembly::{Reassembler, SealedFrame},
    repair::overhead,
};

/// What sound and signalling of all kinds take from the estimate before pictures get theirs.
const SOUND_RESERVE: Bitrate = Bitrate::kbps(80);

/// Share of the rest that encoders get, in percent; the other part is headers, retransmissions and their overshoot.
const VIDEO_SHARE: u64 = 88;

/// Pictures get at least this; below it they should be switched off, which is the engine's decision.
const MIN_BUDGET: Bitrate = Bitrate::kbps(50);

/// Weight of a report of loss that is above what was believed, and of one below: losses come in bursts, so that a quiet
/// second says little.
const LOSS_UP: f32 = 0.5;
const LOSS_DOWN: f32 = 0.1;

/// The most loss of another's line that is made up for.
const HEARD_MOST: f32 = 0.1;

/// The path sends no more than this share of what it sends again.
const RETRANSMITTED: f32 = 0.25;

/// A session's connection to the outside.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) path: Path,
    pub(crate) counters: Counters,
    pub(crate) quality: Quality,
    loss: f32,
    /// The loss on the line of the one who receives worst.
    heard: f32,
    reassembler: Reassembler,
    outputs: VecDeque<Output>,
    path_due: Instant,
    budget: Option<Bitrate>,
    started: Instant,
    wall: u64,
}

impl Link {
    pub(crate) fn new(path: Path, wall: u64, now: Instant) -> Self {
        Self {
            path,
            counters: Counters::default(),
            quality: Quality::default(),
            loss: 0.0,
            heard: 0.0,
            reassembler: Reassembler::default(),
            outputs: VecDeque::new(),
            path_due: now,
            budget: None,
            started: now,
            wall,
        }
    }

    pub(crate) fn say(&mut self, message: ToRelay) {
        self.outputs.push_back(Output::Signal(message));
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Counts a signal that has no place or no sense.
    pub(crate) fn ignored(&mut self) {
        self.counters.signals_ignored += 1;
    }

    /// Seconds since 1970-01-01 UTC, as the clock that was given at the start has it.
    pub(crate) fn wall(&self, now: Instant) -> u64 {
        self.wall.saturating_add(now.saturating_duration_since(self.started).as_secs())
    }

    /// Lets time pass for the path and for frames in pieces.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if now >= self.path_due {
            self.path.handle_timeout(now);
        }
        self.reassembler.expire(now);
        self.collect_tally();
    }

    /// Takes out of the path what it has, and returns the frames that became whole.
    pub(crate) fn drain(&mut self, now: Instant) -> Vec<SealedFrame> {
        let mut frames = Vec::new();
        loop {
            match self.path.poll_output() {
                PathOutput::Transmit(transmit) => self.outputs.push_back(Output::Transmit(transmit)),
                PathOutput::Packet { payload, .. } => frames.extend(self.on_packet(&payload, now)),
                PathOutput::Event(event) => self.on_path_event(event),
                PathOutput::Wake(due) => {
                    self.path_due = due;
                    self.collect_tally();
                    return frames;
                }
            }
        }
    }

    /// Closes the path and says so. What the path still has to send is sent.
    pub(crate) fn end(&mut self, reason: EndReason, now: Instant) {
        self.path.close();
        self.drain(now);
        self.tell(Event::Ended(reason));
    }

    /// Drops the pieces of frames of a connection that is gone.
    pub(crate) fn forget_sender(&mut self, sender: conclave_model::PeerId) {
        self.reassembler.forget(sender);
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.reassembler.deadline().map_or(self.path_due, |at| at.min(self.path_due))
    }

    fn on_packet(&mut self, packet: &Arc<[u8]>, now: Instant) -> Option<SealedFrame> {
        match Descriptor::split(packet) {
            Ok((descriptor, chunk)) => self.reassembler.insert(descriptor, chunk, now),
            Err(error) => {
                tracing::trace!(%error, "packet dropped");
                self.counters.packets_malformed += 1;
                None
            }
        }
    }

    fn on_path_event(&mut self, event: PathEvent) {
        match event {
            PathEvent::Connected => self.tell(Event::PathUp),
            PathEvent::Disconnected => self.tell(Event::PathDown),
            PathEvent::Silent => self.tell(Event::PathSilent),
            PathEvent::Estimate(estimate) => self.on_estimate(estimate),
            PathEvent::Quality(quality) => {
                self.quality = quality;
                let loss = if quality.loss.is_finite() { quality.loss.clamp(0.0, 1.0) } else { 0.0 };
                self.loss += (loss - self.loss) * if loss > self.loss { LOSS_UP } else { LOSS_DOWN };
                self.tell(Event::Quality(quality));
            }
        }
    }

    /// The relay says how the one who receives worst receives.
    pub(crate) fn on_heard(&mut self, loss: f32) {
        self.heard = loss;
    }

    /// The share of own packets that is lost on the way to the relay, quick to rise and slow to fall, or from there on to
    /// the one who receives worst; that one's line alone does not cost everybody more than [`HEARD_MOST`].
    pub(crate) fn loss(&self) -> f32 {
        self.loss.max(self.heard.min(HEARD_MOST))
    }

    fn on_estimate(&mut self, estimate: Bitrate) {
        let rest = estimate.as_bps().saturating_sub(SOUND_RESERVE.as_bps());
        // What is lost is sent again, and what makes up for losses goes along.
        let again = (self.loss.min(RETRANSMITTED) * 130.0) as u64;
        let share = VIDEO_SHARE * 100 / (100 + overhead(self.loss()) + again);
        let budget = Bitrate((rest / 100).saturating_mul(share)).max(MIN_BUDGET);
        let is_news =
            self.budget.is_none_or(|before| before.as_bps().abs_diff(budget.as_bps()) * 20 >= before.as_bps());
        if is_news {
            self.budget = Some(budget);
            self.tell(Event::Budget(budget));
        }
    }

    fn collect_tally(&mut self) {
        let tally = self.reassembler.take_tally();
        self.counters.packets_malformed += tally.malformed;
        self.counters.packets_late += tally.late;
        self.counters.frames_incomplete += tally.incomplete;
    }
}

/// The earliest of some moments.
pub(crate) fn earliest(moments: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    moments.into_iter().flatten().min()
}

/// How long to sleep where nothing is due.
pub(crate) const IDLE: Duration = Duration::from_secs(3600);
