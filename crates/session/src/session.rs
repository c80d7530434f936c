//! The session: a thin dispatcher over the media path and the state of membership.

use std::{net::SocketAddr, ops::ControlFlow, time::Instant};

use conclave_e2ee::{Leaf, Memory};
use conclave_model::{
    EncodedFrame, TrackKind,
    wire::signal::{FromRelay, Hello, ToRelay, VERSION},
};
use conclave_transport::Path;

use crate::{
    Command, Counters, EndReason, Input, Output, SessionConfig, SessionError,
    joining::{Joining, Next},
    link::{IDLE, Link},
    member::{Leadership, Member},
    papers::Papers,
    reassembly::SealedFrame,
    unvouched::Unvouched,
};

/// One participant's connection to one meeting.
///
/// After [`Self::new`] and after each [`Self::handle_input`] the driver calls [`Self::poll_output`] until it returns
/// [`Output::Wake`], and calls back with [`Input::Timeout`] at that moment or earlier. Nothing that the relay or a
/// peer sends makes it panic or grow without bound.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    link: Link,
    /// What is remembered of the meeting, as of the last phase.
    memory: Option<Memory>,
    /// The wake that was asked for last.
    wake: Instant,
    /// The newest time that the session was told.
    now: Instant,
}

/// Where the session stands.
#[derive(Debug)]
enum Phase {
    Joining(Box<Joining>),
    Unvouched(Box<Unvouched>),
    Member(Box<Member>),
    Over,
}

impl Session {
    /// Begins to join; the first output is the hello to the relay.
    ///
    /// `local` is the address of the bound UDP socket, not an unspecified one. Makes the keys of a fresh leaf, about
    /// 1 ms, and has the identity key sign once.
    ///
    /// # Errors
    /// [`SessionError::Credential`] where the own credential does not admit to the meeting, as every member would find,
    /// [`SessionError::Leaf`] where no key package can be made, [`SessionError::Path`] where `local` is unusable.
    pub fn new(config: SessionConfig, local: SocketAddr, now: Instant) -> Result<Self, SessionError> {
        let SessionConfig { holder, invitation, wall, ceiling, memory, take_over } = config;
        let papers = Papers::new(holder, invitation, ceiling, memory);
        papers.check_own(wall)?;
        let mut path = Path::client(now);
        path.add_local_address(local)?;
        let leaf = Leaf::new(papers.holder(), papers.rules())?;
        let hello = Hello {
            version: VERSION,
            meeting: papers.invitation().content().meeting,
            invitation: papers.invitation().bytes().clone(),
            leaf: leaf.reference(),
            key_package: leaf.key_package(),
            transport: path.local(),
            take_over,
        };
        let mut link = Link::new(path, wall, now);
        link.say(ToRelay::Hello(hello));
        let memory = papers.memory().cloned();
        let phase = Phase::Joining(Box::new(Joining::new(leaf, papers, now)));
        Ok(Self { phase, link, memory, wake: now, now })
    }

    /// Takes in what happened. Drain [`Self::poll_output`] afterwards.
    ///
    /// # Errors
    /// A [`SessionError`] says why the input was not taken. It ends nothing: the session is over when, and only when,
    /// [`Event::Ended`](crate::Event::Ended) says so.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) -> Result<(), SessionError> {
        if matches!(self.phase, Phase::Over) {
            return Err(SessionError::Over);
        }
        self.now = now;
        let is_due = matches!(input, Input::Timeout) || now >= self.wake;
        let result = match input {
            Input::Command(command) => self.on_command(command, now),
            Input::Datagram { from, to, bytes } => {
                let taken = self.link.path.handle_datagram(from, to, bytes, now);
                taken.inspect_err(|_| self.link.counters.datagrams_dropped += 1).map_err(SessionError::from)
            }
            Input::LocalAddress(address) => self.link.path.move_to(address).map_err(SessionError::from),
            Input::LocalFrame(track, frame) => self.on_local_frame(track, &frame, now),
            Input::Signal(signal) => self.on_signal(signal, now),
            Input::Timeout => Ok(()),
        };
        self.settle(now);
        if is_due {
            self.handle_timeout(now);
            self.settle(now);
        }
        result
    }

    /// What is to be done next; [`Output::Wake`] ends the drain.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.link.next_output() {
            return output;
        }
        let due = match &self.phase {
            Phase::Joining(joining) => joining.deadline(),
            Phase::Unvouched(unvouched) => unvouched.deadline(),
            Phase::Member(member) => member.deadline(&self.link),
            Phase::Over => return Output::Wake(self.now + IDLE),
        };
        let path = self.link.deadline();
        self.wake = due.map_or(path, |at| at.min(path));
        Output::Wake(self.wake)
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.link.counters
    }

    /// What the app must remember of the meeting and give to its next session, so that cutting everybody off neither
    /// lowers the level nor lets those back in who were put out. `None` where the participant never was a member.
    pub fn memory(&self) -> Option<Memory> {
        match &self.phase {
            Phase::Member(member) => Some(member.memory()),
            Phase::Joining(_) | Phase::Unvouched(_) | Phase::Over => self.memory.clone(),
        }
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    fn on_command(&mut self, command: Command, now: Instant) -> Result<(), SessionError> {
        let link = &mut self.link;
        match (command, &mut self.phase) {
            (Command::Leave, _) => {
                link.say(ToRelay::Leave);
                self.end(EndReason::Left, now);
            }
            (Command::DesiredBitrate(rate), _) => link.path.set_desired_bitrate(rate),
            (Command::Announce(state), Phase::Joining(joining)) => joining.wanted.state = Some(state),
            (Command::Announce(state), Phase::Unvouched(unvouched)) => unvouched.wanted().state = Some(state),
            (Command::Announce(state), Phase::Member(member)) => member.set_state(state, link, now),
            (Command::Wishes(wishes), Phase::Joining(joining)) => joining.wanted.wishes = wishes,
            (Command::Wishes(wishes), Phase::Unvouched(unvouched)) => unvouched.wanted().wishes = wishes,
            (Command::Wishes(wishes), Phase::Member(member)) => member.set_wishes(wishes, link),
            (Command::NeedKeyFrame { leaf, track }, Phase::Member(member)) => {
                member.need_key_frame(leaf, track, link, now);
            }
            (Command::Admit(waiting), _) => self.lead(Leadership::Admit(waiting), now),
            (Command::Deny(leaf), _) => self.lead(Leadership::Deny(leaf), now),
            (Command::Lock(locked), _) => self.lead(Leadership::Lock(locked), now),
            (Command::Eject(leaf), _) => self.lead(Leadership::Eject(leaf), now),
            (Command::SetLevel(level), _) => self.lead(Leadership::SetLevel(level), now),
            (Command::Consent(level), _) => self.lead(Leadership::Consent(level), now),
            (Command::Sharing(wanted), Phase::Member(member)) => member.share(wanted, link, now),
            (Command::NeedKeyFrame { .. } | Command::Sharing(_), _) | (_, Phase::Over) => {}
        }
        Ok(())
    }

    /// The chair's or the originator's commands; before membership there is nobody to lead.
    fn lead(&mut self, wanted: Leadership, now: Instant) {
        let going = match &mut self.phase {
            Phase::Member(member) => member.lead(wanted, &mut self.link, now),
            Phase::Joining(_) | Phase::Unvouched(_) | Phase::Over => return,
        };
        self.go(going, now);
    }

    fn on_local_frame(&mut self, track: TrackKind, frame: &EncodedFrame, now: Instant) -> Result<(), SessionError> {
        match &mut self.phase {
            Phase::Member(member) => member.send_frame(track, frame, &mut self.link, now),
            Phase::Joining(_) | Phase::Unvouched(_) | Phase::Over => {
                self.link.counters.frames_unsent += 1;
                Ok(())
            }
        }
    }

    fn on_signal(&mut self, signal: FromRelay, now: Instant) -> Result<(), SessionError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Joining(joining) => {
                let (next, result) = joining.on_signal(signal, &mut self.link, now);
                self.come_to(next, now);
                result
            }
            Phase::Unvouched(unvouched) => {
                let (next, result) = unvouched.on_signal(signal, &mut self.link, now);
                self.come_to(next, now);
                result
            }
            Phase::Member(mut member) => {
                let going = member.on_signal(signal, &mut self.link, now);
                self.phase = Phase::Member(member);
                going.map(|going| self.go(going, now))
            }
            Phase::Over => Err(SessionError::Over),
        }
    }

    fn come_to(&mut self, next: Next, now: Instant) {
        match next {
            Next::Joining(joining) => self.phase = Phase::Joining(joining),
            Next::Unvouched(unvouched) => self.phase = Phase::Unvouched(unvouched),
            Next::Member(member) => self.phase = Phase::Member(member),
            Next::Ended(reason) => self.end(reason, now),
        }
    }

    /// Takes out of the path what the input led to.
    fn settle(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        for frame in self.link.drain(now) {
            self.on_frame(frame, now);
        }
    }

    fn on_frame(&mut self, frame: SealedFrame, now: Instant) {
        match &mut self.phase {
            Phase::Joining(joining) => joining.on_frame(frame, &mut self.link, now),
            Phase::Unvouched(unvouched) => unvouched.on_frame(frame, &mut self.link, now),
            Phase::Member(member) => member.on_frame(frame, &mut self.link, now),
            Phase::Over => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
        if matches!(self.phase, Phase::Unvouched(_))
            && let Phase::Unvouched(unvouched) = std::mem::replace(&mut self.phase, Phase::Over)
        {
            let next = unvouched.handle_timeout(&mut self.link, now);
            return self.come_to(next, now);
        }
        let going = match &mut self.phase {
            Phase::Joining(joining) => match joining.handle_timeout(&mut self.link, now) {
                Some(reason) => ControlFlow::Break(reason),
                None => ControlFlow::Continue(()),
            },
            Phase::Member(member) => member.handle_timeout(&mut self.link, now),
            Phase::Unvouched(_) | Phase::Over => return,
        };
        self.go(going, now);
    }

    fn go(&mut self, going: ControlFlow<EndReason>, now: Instant) {
        if let ControlFlow::Break(reason) = going {
            self.end(reason, now);
        }
    }

    fn end(&mut self, reason: EndReason, now: Instant) {
        tracing::debug!(%reason, "session over");
        self.memory = self.memory();
        self.phase = Phase::Over;
        self.link.end(reason, now);
    }
}
