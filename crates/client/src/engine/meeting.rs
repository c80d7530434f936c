//! One connection: a session, its socket and its signals, driven until something ends it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_model::{EncodedFrame, TrackKind, wire::signal::FromRelay};
use conclave_session::{Command as SessionCommand, Input, Output, Session, SessionConfig};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::{
    Effect, Engine, Outcome, TICK,
    local::FromMedia,
    moving::Way,
    signals::{Door, Signals},
    socket::MediaSocket,
};
use crate::{
    Command, ConnectError, EndReason, Order, Phase, RetryReason,
    clock::{now, wall_clock},
    connect::Link,
};

/// How long the media path may take to come about, and how long it may be gone.
pub(super) const PATH_UP: Duration = Duration::from_secs(12);
pub(super) const PATH_GONE: Duration = Duration::from_secs(8);

/// How many datagrams are read in a row before timers and commands have their turn.
const BATCH: usize = 64;

/// An order as the session's command.
fn in_session(order: Order) -> SessionCommand {
    match order {
        Order::Admit(waiting) => SessionCommand::Admit(waiting),
        Order::Deny(waiting) => SessionCommand::Deny(waiting),
        Order::Lock(locked) => SessionCommand::Lock(locked),
        Order::Eject(leaf) => SessionCommand::Eject(leaf),
        Order::SetLevel(level) => SessionCommand::SetLevel(level),
        Order::Consent(level) => SessionCommand::Consent(level),
    }
}

/// A session and what drives it.
pub(super) struct Meeting<'e> {
    pub(super) engine: &'e mut Engine,
    session: Session,
    pub(super) socket: MediaSocket,
    pub(super) signals: Signals,
    pub(super) way: Way,
    tick: Interval,
    wake: Instant,
    /// When the media path must stand at the latest; `None` while it does.
    pub(super) path_due: Option<Instant>,
    pub(super) outcome: Option<Outcome>,
}

impl<'e> Meeting<'e> {
    /// Binds the socket and begins to join.
    pub(super) fn new(engine: &'e mut Engine, link: Link) -> Result<Self, Outcome> {
        let now = now();
        let socket = MediaSocket::bind(link.local, engine.config.impair)
            .map_err(|error| Outcome::Retry(RetryReason::Connection(error)))?;
        let ceiling = link.certified.min(engine.config.ceiling);
        engine.view.set_maximum(link.certified, ceiling);
        let config = SessionConfig {
            holder: engine.config.holder.clone(),
            invitation: engine.config.invitation.clone(),
            wall: wall_clock(),
            ceiling,
            memory: engine.memory.clone(),
            take_over: engine.take_over,
        };
        let session = Session::new(config, socket.local(), now)
            .map_err(|error| Outcome::Ended(EndReason::Credential(error.to_string())))?;
        let (relay, tls) = (engine.config.invitation.content().relay.clone(), Arc::clone(&engine.tls));
        let signals = Signals::new(link.socket, Door { relay, tls }, now);
        let way = Way::new(link.remote);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if !engine.was_member {
            engine.view.phase(Phase::Waiting);
        }
        Ok(Self { engine, session, socket, signals, way, tick, wake: now, path_due: None, outcome: None })
    }

    /// Drives the session to its end.
    pub(super) async fn run(mut self) -> Outcome {
        self.drain(now());
        self.engine.publish();
        loop {
            if let Some(outcome) = self.outcome.take() {
                self.engine.memory = self.session.memory();
                self.engine.tally.session = self.session.counters().clone();
                self.engine.tally.dropped.unsent += self.socket.unsent();
                self.signals.close().await;
                return outcome;
            }
            let wake = self.socket.next_arrival().map_or(self.wake, |arrival| arrival.min(self.wake));
            tokio::select! {
                signal = self.signals.next() => self.on_signal(signal),
                () = self.socket.readable() => self.on_datagrams(now()),
                item = self.engine.media.recv() => if let Some(item) = item { self.on_media(item) },
                command = self.engine.commands.recv() => self.on_command(command.unwrap_or(Command::Leave)),
                () = sleep_until(wake.into()) => self.on_wake(now()),
                _ = self.tick.tick() => self.on_tick(now()),
            }
        }
    }

    fn on_signal(&mut self, signal: Result<Option<FromRelay>, ConnectError>) {
        let now = now();
        match signal {
            Ok(Some(signal)) => {
                self.signals.heard(now);
                self.input(Input::Signal(signal), now);
                self.engine.publish();
            }
            Ok(None) => self.signals.heard(now),
            Err(error) => self.fail(error),
        }
    }

    fn on_datagrams(&mut self, now: Instant) {
        let to = self.socket.local();
        for _ in 0..BATCH {
            let Some(datagram) = self.socket.receive(now) else { break };
            self.input(Input::Datagram { from: datagram.from, to, bytes: &datagram.bytes }, now);
        }
        self.engine.publish();
    }

    fn on_media(&mut self, item: FromMedia) {
        let now = now();
        let mut next = Some(item);
        while let Some(item) = next {
            if let FromMedia::Screen(number, news) = item {
                self.on_screen(number, news, now);
                next = self.engine.media.try_recv().ok();
                continue;
            }
            match self.engine.on_media(item) {
                Some(FromMedia::Frame(track, frame)) => self.local_frame(track, frame, now),
                Some(FromMedia::NeedKeyFrame(leaf, track)) => {
                    self.command(SessionCommand::NeedKeyFrame { leaf, track }, now);
                }
                Some(FromMedia::Device(..) | FromMedia::EncoderFailed(..) | FromMedia::Screen(..)) => {}
                // A device came or went.
                None => self.announce(now),
            }
            next = self.engine.media.try_recv().ok();
        }
        self.engine.publish();
    }

    fn local_frame(&mut self, track: TrackKind, frame: EncodedFrame, now: Instant) {
        if self.engine.members.me().is_some() {
            self.input(Input::LocalFrame(track, frame), now);
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = now();
        match self.engine.on_command(command) {
            Effect::Nothing => {}
            Effect::Announce => self.announce(now),
            Effect::Wishes => self.wish(now),
            Effect::Share(wanted) => self.share(wanted, now),
            Effect::Lead(order) => self.command(in_session(order), now),
            Effect::Leave => {
                self.command(SessionCommand::Leave, now);
                self.outcome.get_or_insert(Outcome::Ended(EndReason::Left));
            }
        }
        self.engine.publish();
    }

    fn on_wake(&mut self, now: Instant) {
        self.socket.send_delayed(now);
        self.on_datagrams(now);
        if now >= self.wake {
            self.input(Input::Timeout, now);
        }
    }

    fn on_tick(&mut self, now: Instant) {
        if let Err(error) = self.signals.tick(now) {
            self.fail(error);
        }
        self.look_for_way(now);
        if self.path_due.is_some_and(|due| now >= due) {
            self.outcome.get_or_insert(Outcome::Retry(RetryReason::MediaPath));
        }
        self.engine.tally.session = self.session.counters().clone();
        self.engine.tick();
        if self.engine.card_gone && self.outcome.is_none() {
            self.command(SessionCommand::Leave, now);
            self.outcome = Some(Outcome::Ended(EndReason::CardRemoved));
        }
    }

    pub(super) fn fail(&mut self, error: ConnectError) {
        self.outcome.get_or_insert(Outcome::Retry(RetryReason::Connection(error)));
    }

    /// Gives the session something and does what it asks for.
    pub(super) fn input(&mut self, input: Input<'_>, now: Instant) {
        if let Err(error) = self.session.handle_input(input, now) {
            // What is fatal comes as an event as well.
            tracing::debug!(%error, "an input was not taken");
        }
        self.drain(now);
    }

    pub(super) fn command(&mut self, command: SessionCommand, now: Instant) {
        self.input(Input::Command(command), now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.session.poll_output() {
                Output::Wake(wake) => {
                    self.wake = wake;
                    return;
                }
                Output::Transmit(transmit) => self.socket.send(transmit, now),
                Output::Signal(signal) => {
                    if let Err(error) = self.signals.send(&signal) {
                        self.fail(error);
                    }
                }
                Output::RemoteFrame(frame) => self.engine.members.frame(frame),
                Output::Event(event) => self.on_event(event, now),
            }
        }
    }

    pub(super) fn announce(&mut self, now: Instant) {
        if self.engine.members.me().is_some() {
            self.command(SessionCommand::Announce(self.engine.announcement()), now);
        }
    }

    pub(super) fn wish(&mut self, now: Instant) {
        if self.engine.members.me().is_some() {
            self.command(SessionCommand::Wishes(self.engine.members.wishes()), now);
        }
    }
}
