//! The engine thread: attempts, meetings, and what outlives both.

mod backoff;
mod events;
pub(crate) mod ladder;
mod local;
mod meeting;
mod members;
mod moving;
mod own_camera;
mod own_screen;
mod pictures;
mod presence;
mod sharing;
mod signals;
mod socket;
pub(crate) mod strain;
mod tally;
mod view;
mod waiting;

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use conclave_e2ee::Memory;
use conclave_identity::{Holder, Invitation, TlsError, WindowError};
use conclave_model::wire::signal::Refusal;
use conclave_session::MemberState;
use rustls::ClientConfig;
use tokio::sync::{Notify, mpsc};

use crate::{
    Command, Config, ConnectError, EndReason, Notice, Order, Phase, RetryReason, Share, SharingNotice, StartError,
    client::Shared,
    clock::{now, wall_clock},
    connect::dial,
    notice::NoticeSender,
};
use backoff::Backoff;
use local::{FromMedia, Local};
use meeting::Meeting;
use members::Members;
use own_screen::OwnScreen;
use presence::Presence;
use tally::Tally;
use view::View;
pub(crate) use view::first_snapshot;

/// How many finished frames and news of devices may wait for the engine.
const FROM_MEDIA: usize = 64;

/// How often levels are brought up to date, and time is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Reports are brought up to date every so many ticks.
const TICKS_PER_REPORT: u32 = 10;

/// How often a group that breaks the rules is tried before the client gives up on it: once is not enough, since the
/// member at fault may be removed by then.
const UNTRUSTWORTHY: u32 = 3;

/// The longest wait before a meeting's begin is looked at again, in case the clock was set.
const BEGIN_POLL: Duration = Duration::from_secs(15);

/// How an attempt ended.
#[derive(Debug)]
enum Outcome {
    /// For good.
    Ended(EndReason),
    /// It is worth another attempt.
    Retry(RetryReason),
    /// The meeting has not begun.
    TooEarly,
    /// The credential is in the meeting from elsewhere; the person decides.
    AskTakeOver,
}

/// What outlives connections.
struct Engine {
    config: Config,
    tls: Arc<ClientConfig>,
    commands: mpsc::Receiver<Command>,
    media: mpsc::Receiver<FromMedia>,
    local: Local,
    screen: OwnScreen,
    members: Members,
    view: View,
    backoff: Backoff,
    presence: Presence,
    /// The card with the identity key was taken out.
    card_gone: bool,
    retry_now: Arc<Notify>,
    /// Whether the client has been a member, so that a loss is a reconnect.
    was_member: bool,
    /// Whether an older connection of the same credential is to end.
    take_over: bool,
    /// What the next session is to know of the meeting.
    memory: Option<Memory>,
    untrustworthy: u32,
    tally: Tally,
}

/// What a command changed that a session has to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Nothing,
    Lead(Order),
    Share(Share),
    Announce,
    Wishes,
    Leave,
}

/// Starts the engine thread.
pub(crate) fn spawn(
    config: Config,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    notices: NoticeSender,
) -> Result<JoinHandle<()>, StartError> {
    let tls = tls_config(&config.holder, &config.invitation).map_err(|error| StartError::Tls(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::EventLoop(error.kind()))?;
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            let view = View::new(&config, Arc::clone(&shared), notices);
            let mut guard = Guard(view.clone());
            match Engine::new(config, shared, tls, commands, view) {
                Ok(mut engine) => {
                    runtime.block_on(engine.run());
                    engine.close();
                }
                Err(error) => guard.0.end(EndReason::Failed(error.to_string())),
            }
            // A name lookup may still hang in a thread of its own; nobody waits for it.
            runtime.shutdown_background();
        })
        .map_err(|error| StartError::Thread(error.kind()))
}

/// Shows even an end by our own fault; nothing must look as if it went on.
struct Guard(View);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(EndReason::Failed("an internal error".to_owned()));
        }
    }
}

/// The TLS configuration for the relay of an invitation.
pub(crate) fn tls_config(holder: &Holder, invitation: &Invitation) -> Result<Arc<ClientConfig>, TlsError> {
    holder.tls_config(&invitation.content().relay.pin()).map(Arc::new)
}

impl Engine {
    fn new(
        config: Config,
        shared: Arc<Shared>,
        tls: Arc<ClientConfig>,
        commands: mpsc::Receiver<Command>,
        view: View,
    ) -> Result<Self, crate::media::MediaError> {
        let (to_engine, media) = mpsc::channel(FROM_MEDIA);
        let own = shared.frames.own_slot();
        let screen = OwnScreen::new(shared.frames.own_screen_slot(), config.video.max_bitrate, to_engine.clone());
        let take_over = config.take_over;
        let members = Members::new(shared, config.watch, to_engine.clone(), config.decode_to.clone());
        let local = Local::start(&config, own, &to_engine, members.sound())?;
        let fingerprint = config.holder.person().fingerprint;
        let seed = fingerprint.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte));
        Ok(Self {
            config,
            tls,
            commands,
            media,
            local,
            screen,
            members,
            view,
            backoff: Backoff::new(seed),
            presence: Presence::new(now()),
            card_gone: false,
            retry_now: Arc::default(),
            was_member: false,
            take_over,
            memory: None,
            untrustworthy: 0,
            tally: Tally::new(now()),
        })
    }

    /// Attempts until the end.
    async fn run(&mut self) {
        let reason = loop {
            let outcome = self.attempt().await;
            self.session_over();
            let why = match outcome {
                Outcome::Ended(reason) => break reason,
                Outcome::TooEarly => {
                    if self.wait_for_begin().await.is_none() {
                        break self.left();
                    }
                    continue;
                }
                Outcome::AskTakeOver => {
                    if self.wait_for_take_over().await.is_none() {
                        break self.left();
                    }
                    continue;
                }
                Outcome::Retry(why) => why,
            };
            tracing::info!(%why, "the connection will be made again");
            if self.wait_for_retry(why).await.is_none() {
                break self.left();
            }
        };
        tracing::info!(%reason, "the meeting ended here");
        self.view.phase(Phase::Ended(reason));
        self.update_report();
        self.publish();
    }

    /// One connection from its beginning to its end.
    async fn attempt(&mut self) -> Outcome {
        match self.config.invitation.check_window(wall_clock()) {
            Ok(()) => {}
            Err(WindowError::NotBegun { .. }) => return Outcome::TooEarly,
            Err(WindowError::Over { .. }) => return Outcome::Ended(EndReason::Over),
        }
        self.show_attempt(Duration::ZERO, None);
        let (relay, tls) = (self.config.invitation.content().relay.clone(), Arc::clone(&self.tls));
        match self.serve(async move { dial(&relay, tls).await }).await {
            None => Outcome::Ended(self.left()),
            Some(Ok(link)) => match Meeting::new(self, link) {
                Ok(meeting) => meeting.run().await,
                Err(outcome) => outcome,
            },
            // Before the first success it is a wrong relay or invitation; later it is a hiccup of some network.
            Some(Err(error @ (ConnectError::WrongRelay { .. } | ConnectError::CredentialRefused { .. })))
                if !self.was_member =>
            {
                Outcome::Ended(EndReason::Connection(error))
            }
            Some(Err(error)) => Outcome::Retry(error.into()),
        }
    }

    /// Obeys a command as far as no session is concerned.
    fn on_command(&mut self, command: Command) -> Effect {
        match command {
            Command::Microphone(on) => self.local.set_microphone(on),
            Command::Camera(on) => self.local.set_camera(on),
            Command::SelectCamera(choice) => self.local.select_camera(choice),
            Command::SelectMicrophone(choice) => self.local.select_microphone(choice),
            Command::SelectSpeaker(choice) => self.local.select_speaker(choice, self.members.sound()),
            Command::VoiceMode(mode) => {
                self.local.set_voice_mode(mode);
                self.view.touch();
                return Effect::Nothing;
            }
            Command::Watch(watched) => {
                self.members.watch(watched);
                return Effect::Wishes;
            }
            Command::WatchAll(height) => {
                self.members.watch_all(height);
                return Effect::Wishes;
            }
            Command::RetryNow => {
                self.retry_now.notify_waiters();
                return Effect::Nothing;
            }
            Command::TakeOver => {
                self.take_over = true;
                self.retry_now.notify_waiters();
                return Effect::Nothing;
            }
            // Without a session nobody leads anything.
            Command::Lead(order) => return Effect::Lead(order),
            Command::Share(wanted) => return Effect::Share(wanted),
            Command::Leave => return Effect::Leave,
        }
        self.view.touch();
        Effect::Announce
    }

    /// Takes news of devices and encoders; returns what concerns a session.
    fn on_media(&mut self, item: FromMedia) -> Option<FromMedia> {
        match item {
            FromMedia::Device(kind, state) => {
                if let Some(notice) = self.local.on_device(kind, state, self.members.sound()) {
                    self.view.notice(notice);
                }
                self.view.touch();
                None
            }
            FromMedia::EncoderFailed(device, reason) => {
                self.view.notice(Notice::EncoderFailed { device, reason });
                None
            }
            FromMedia::Frame(track, _) if !self.local.may_send(track) => None,
            FromMedia::Frame(..) | FromMedia::NeedKeyFrame(..) | FromMedia::Screen(..) => Some(item),
        }
    }

    fn tick(&mut self) {
        if self.local.tick() | self.members.tick(now()) {
            self.view.touch();
        }
        if let Some(notice) = self.local.watch_silence() {
            self.view.notice(notice);
            self.view.touch();
        }
        self.card_gone |= self.presence.is_gone(&self.config.holder, now());
        self.tally.ticks = self.tally.ticks.wrapping_add(1);
        if self.tally.ticks.is_multiple_of(TICKS_PER_REPORT) {
            self.update_report();
        }
        self.publish();
    }

    /// What the others are told of the own sources.
    fn announcement(&self) -> MemberState {
        MemberState { screen: self.screen.announcement(), ..self.local.announcement() }
    }

    fn publish(&mut self) {
        let state = self.announcement();
        self.view.publish(&self.local, &self.screen, &self.members, state);
    }

    /// Forgets what belonged to a session that ended.
    fn session_over(&mut self) {
        if !self.screen.is_idle() {
            // Another session has no leave yet.
            self.screen.stop();
            self.view.notice(Notice::Sharing(SharingNotice::Disconnected));
        }
        self.local.set_heard(conclave_session::Quality::default());
        self.members.clear();
        self.tally.session_over();
        self.view.session_over();
    }

    /// Decides what a refusal means.
    fn on_refusal(&mut self, refusal: Refusal) -> Outcome {
        match refusal {
            Refusal::TooEarly => Outcome::TooEarly,
            Refusal::AlreadyHere => Outcome::AskTakeOver,
            Refusal::Over => Outcome::Ended(EndReason::Over),
            Refusal::Full | Refusal::GoingAway | Refusal::Misbehaved | Refusal::TooOften | Refusal::NotResumed => {
                Outcome::Retry(RetryReason::Refused(refusal))
            }
            Refusal::Version
            | Refusal::Invitation
            | Refusal::NotInvited
            | Refusal::Level
            | Refusal::Replaced
            | Refusal::Revoked
            | Refusal::Denied
            | Refusal::Ejected => Outcome::Ended(EndReason::Refused(refusal)),
        }
    }

    /// The group breaks the rules, as far as this client can tell.
    fn on_untrustworthy(&mut self, reason: String) -> Outcome {
        self.untrustworthy += 1;
        if self.untrustworthy >= UNTRUSTWORTHY {
            Outcome::Ended(EndReason::Untrustworthy(reason))
        } else {
            Outcome::Retry(RetryReason::OutOfStep)
        }
    }

    /// Ends the threads of devices and codecs. Whoever waits for the engine is told that it is gone.
    fn close(self) {
        drop(self.media);
        drop(self.commands);
        drop(self.screen);
        drop(self.local);
        drop(self.members);
    }
}
