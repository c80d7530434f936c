//! The handle that a window or a script holds.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use arc_swap::ArcSwap;
use conclave_capture::{CameraChoice, MicrophoneChoice, ScreenChoice, SpeakerChoice};
use conclave_model::{LeafIndex, LeafRef, Level, TrackKind};
use tokio::sync::mpsc;

use crate::{Config, Frames, Notices, Report, Snapshot, engine, media::VoiceMode, notice::notices};

/// Called by the engine when something that a window shows has changed. Any thread; must return at once.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// What a person wants of a running client.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens or mutes the microphone. Muted means that no sample reaches the encoder.
    Microphone(bool),
    /// Opens or closes the camera. Closed means that the device is closed.
    Camera(bool),
    /// Asks for these pictures and no others, in place of all.
    Watch(Vec<Watched>),
    /// Asks for all pictures again, at this height in pixels.
    WatchAll(u16),
    /// Changes the camera.
    SelectCamera(CameraChoice),
    /// Changes the microphone.
    SelectMicrophone(MicrophoneChoice),
    /// Changes the loudspeaker.
    SelectSpeaker(SpeakerChoice),
    /// Changes how the own voice is prepared.
    VoiceMode(VoiceMode),
    /// Does not wait any longer for the next attempt to connect.
    RetryNow,
    /// Connects although the credential is in the meeting from elsewhere; the other connection ends.
    TakeOver,
    /// What the chair or the originator wants; [`Notice::OrderRefused`](crate::Notice::OrderRefused) says where it cannot
    /// be.
    Lead(Order),
    /// What concerns the sharing of screens; [`Notice::Sharing`](crate::Notice::Sharing) says what comes of it.
    Share(Share),
    /// Says goodbye and ends.
    Leave,
}

/// What leads a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lets in those who wait in the lobby; all who may come in where the list is empty.
    Admit(Vec<LeafRef>),
    /// Sends somebody away who waits.
    Deny(LeafRef),
    /// Lets in only those who were admitted before, or anybody on the list again.
    Lock(bool),
    /// Puts a member out, for good.
    Eject(LeafIndex),
    /// Changes the classification.
    SetLevel(Level),
    /// Agrees, as the originator, that the classification goes down to this.
    Consent(Level),
}

/// What is wanted of the sharing of screens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// Shares this, which is of this level: at once where that may be, else the chair is asked first and the choice
    /// remembered. In the place of what is shared already.
    Screen(ScreenChoice, Level),
    /// Asks for the leave to share something of this level, which is chosen later.
    Ask(Level),
    /// Ends the own sharing, takes the request back, or gives the leave back.
    Stop,
    /// Lets a member share, in the place of whoever does. The chair's.
    Grant(LeafIndex),
    /// Does not let a member share who asks. The chair's.
    Deny(LeafIndex),
    /// Ends the sharing of whoever does. The chair's.
    StopSharer,
}

/// A picture that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whose.
    pub leaf: LeafIndex,
    /// Which.
    pub track: TrackKind,
    /// How high it is shown, in pixels.
    pub height: u16,
}

/// The engine has not kept up with its commands; this one was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the app is busy; try again")]
pub struct QueueFull;

/// Why no engine runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No thread.
    #[error("the system gave no thread: {0}")]
    Thread(std::io::ErrorKind),
    /// No event loop.
    #[error("the system gave no event loop: {0}")]
    EventLoop(std::io::ErrorKind),
    /// The credential or the invitation's relay pin make no TLS configuration.
    #[error("no secure connection can be configured: {0}")]
    Tls(String),
}

/// How many commands may wait. A person clicks slower than the engine takes them.
const COMMANDS: usize = 64;

/// A running participant. Dropping it leaves the meeting.
pub struct Client {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the engine and its handle share.
pub(crate) struct Shared {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) frames: Frames,
    pub(crate) report: ArcSwap<Report>,
    pub(crate) waker: Waker,
}

impl Client {
    /// Starts a participant: threads, devices and the way to the relay.
    ///
    /// Returns at once; what happens is seen in the snapshot, from [`Phase::Connecting`](crate::Phase::Connecting) on.
    /// `waker` is called after every change of snapshot, notices or frames.
    ///
    /// # Errors
    /// A [`StartError`] where the system gives no thread, or the credential makes no TLS configuration. A missing
    /// device or relay is no error here: it is shown in the snapshot.
    pub fn start(config: Config, waker: Waker) -> Result<(Self, Notices), StartError> {
        let (notice_sender, notices) = notices();
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(engine::first_snapshot(&config)),
            frames: Frames::default(),
            report: ArcSwap::default(),
            waker,
        });
        let thread = engine::spawn(config, Arc::clone(&shared), inbox, notice_sender)?;
        Ok((Self { commands, shared, thread: Mutex::new(Some(thread)) }, notices))
    }

    /// Hands a command to the engine.
    ///
    /// # Errors
    /// [`QueueFull`] where the engine has not kept up, or has ended; never waits.
    pub fn try_send(&self, command: Command) -> Result<(), QueueFull> {
        self.commands.try_send(command).map_err(|_| QueueFull)
    }

    /// The state of everything. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// The newest pictures.
    pub fn frames(&self) -> &Frames {
        &self.shared.frames
    }

    /// Counts and times since the start, at most one second old; final once the client has ended.
    pub fn report(&self) -> Report {
        Report::clone(&self.shared.report.load())
    }

    /// Waits until the engine has ended: after [`Command::Leave`] or a final refusal.
    pub fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the engine thread has been reported by the panic hook; there is nothing to add here.
            let _ = thread.join();
        }
    }

    /// Whether the engine has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("phase", &self.snapshot().phase).finish_non_exhaustive()
    }
}
