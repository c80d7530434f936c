//! The own shared screen: wished for, opened, sent, ended.
//!
//! The right to share is the session's to know; here is what is captured and encoded, and the order of the two: nothing
//! is captured before the right is there, and nothing is sent before the source is open and its label said.

use std::sync::Arc;

use conclave_capture::{OpenedScreen, ScreenChoice, ScreenError, ScreenEvent, ScreenPause, ScreenStream, ScreenWish};
use conclave_model::{Bitrate, EncodedFrame, Level, TrackKind};
use conclave_session::SourceState;
use tokio::sync::mpsc;

use super::local::FromMedia;
use crate::{
    OwnShare,
    clock::media_clock,
    frames::FrameSlot,
    media::{ScreenOutput, ScreenPipeline},
};

/// The most that a screen is given, and its part of what there is for all pictures: what is read comes before faces.
const MOST: Bitrate = Bitrate(2_500_000);
const PART: (u64, u64) = (2, 3);

/// What the thread of a screen tells, with the number of the sharing that it belongs to.
#[derive(Debug)]
pub(crate) enum ScreenNews {
    /// It is open.
    Opened(OpenedScreen),
    /// The encoder finished a frame.
    Frame(EncodedFrame),
    /// No picture for now.
    Paused(ScreenPause),
    /// Pictures again.
    Resumed,
    /// It is gone, or never was there.
    Lost(ScreenError),
    /// The encoder failed; it goes on by itself.
    EncoderFailed(String),
}

/// What the engine has to do about it.
#[derive(Debug)]
pub(crate) enum ScreenStep {
    /// Nothing, or only to show it.
    Nothing,
    /// The source is open: the others are told that this label is shared.
    Begin(Level),
    /// A frame for the others.
    Send(EncodedFrame),
    /// It is over, for this reason.
    Over(ScreenError),
    /// The encoder failed.
    EncoderFailed(String),
}

/// The own screen.
pub(crate) struct OwnScreen {
    state: OwnShare,
    /// What is shared once it may be.
    wanted: Option<(ScreenChoice, Level)>,
    running: Option<Running>,
    /// Counts the sharings, so that what an earlier one left behind is told apart.
    number: u64,
    budget: Bitrate,
    own: Arc<FrameSlot>,
    to_engine: mpsc::Sender<FromMedia>,
}

/// What captures and encodes; the order is the order in which they end.
struct Running {
    _stream: ScreenStream,
    pipeline: ScreenPipeline,
}

impl OwnScreen {
    /// Shares nothing. `own` shows the person what they share.
    pub(crate) fn new(own: Arc<FrameSlot>, budget: Bitrate, to_engine: mpsc::Sender<FromMedia>) -> Self {
        Self { state: OwnShare::Idle, wanted: None, running: None, number: 0, budget, own, to_engine }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> &OwnShare {
        &self.state
    }

    /// What the others are told.
    pub(crate) fn announcement(&self) -> SourceState {
        match &self.state {
            OwnShare::Sharing { paused: None, .. } => SourceState::On,
            OwnShare::Sharing { paused: Some(_), .. } => SourceState::Missing,
            OwnShare::Idle | OwnShare::Asking { .. } | OwnShare::Granted { .. } | OwnShare::Opening { .. } => {
                SourceState::Off
            }
        }
    }

    /// The person asked for leave; `choice` is what they would share.
    pub(crate) fn asks(&mut self, choice: Option<ScreenChoice>, label: Level) {
        self.close();
        self.wanted = choice.map(|choice| (choice, label));
        self.state = OwnShare::Asking { label };
    }

    /// The leave is there. Returns what was to be shared, where the person asked with something in mind.
    pub(crate) fn granted(&mut self) -> Option<(ScreenChoice, Level)> {
        let wanted = self.wanted.take();
        if !matches!(self.state, OwnShare::Opening { .. } | OwnShare::Sharing { .. }) {
            self.state = OwnShare::Granted { wanted: wanted.clone() };
        }
        wanted
    }

    /// Opens what is to be shared, in the place of what is. Says by [`ScreenNews::Opened`] when it is open.
    pub(crate) fn open(&mut self, choice: &ScreenChoice, label: Level) -> Result<(), ScreenError> {
        self.close();
        self.number += 1;
        let number = self.number;
        self.state = OwnShare::Opening { label };
        let tell = self.to_engine.clone();
        let pipeline = ScreenPipeline::start(self.bitrate(), media_clock(), Arc::clone(&self.own), move |output| {
            // Waiting here is what slows the encoder down to what the engine takes; a closed channel means the end.
            let _ = tell.blocking_send(FromMedia::Screen(
                number,
                match output {
                    ScreenOutput::Frame(frame) => ScreenNews::Frame(frame),
                    ScreenOutput::Failed(error) => ScreenNews::EncoderFailed(error.to_string()),
                },
            ));
        });
        let pipeline = pipeline.map_err(|error| {
            self.state = OwnShare::Idle;
            ScreenError::Broken { reason: error.to_string() }
        })?;
        let (input, tell) = (pipeline.input(), self.to_engine.clone());
        let stream = ScreenStream::start(choice, ScreenWish::default(), media_clock(), move |event| {
            let news = match event {
                ScreenEvent::Picture(picture) => return input.push(picture),
                ScreenEvent::Opened(opened) => ScreenNews::Opened(opened),
                ScreenEvent::Paused(why) => {
                    input.clear();
                    ScreenNews::Paused(why)
                }
                ScreenEvent::Resumed => ScreenNews::Resumed,
                ScreenEvent::Lost(error) => ScreenNews::Lost(error),
            };
            let _ = tell.blocking_send(FromMedia::Screen(number, news));
        });
        match stream {
            Ok(stream) => {
                self.running = Some(Running { _stream: stream, pipeline });
                Ok(())
            }
            Err(error) => {
                self.state = OwnShare::Idle;
                Err(ScreenError::Source(error))
            }
        }
    }

    /// Takes what a thread says; `number` is the sharing that it belongs to.
    pub(crate) fn on_news(&mut self, number: u64, news: ScreenNews) -> ScreenStep {
        if number != self.number || self.running.is_none() {
            return ScreenStep::Nothing;
        }
        match (news, &mut self.state) {
            (ScreenNews::Opened(opened), OwnShare::Opening { label }) => {
                let label = *label;
                self.state = OwnShare::Sharing { name: opened.name, label, paused: None };
                ScreenStep::Begin(label)
            }
            (ScreenNews::Frame(frame), OwnShare::Sharing { paused: None, .. }) => ScreenStep::Send(frame),
            (ScreenNews::Paused(why), OwnShare::Sharing { paused, .. }) => {
                *paused = Some(why);
                ScreenStep::Nothing
            }
            (ScreenNews::Resumed, OwnShare::Sharing { paused, .. }) => {
                *paused = None;
                ScreenStep::Nothing
            }
            (ScreenNews::Lost(error), _) => {
                self.stop();
                ScreenStep::Over(error)
            }
            (ScreenNews::EncoderFailed(reason), _) => ScreenStep::EncoderFailed(reason),
            (ScreenNews::Opened(_) | ScreenNews::Frame(_) | ScreenNews::Paused(_) | ScreenNews::Resumed, _) => {
                ScreenStep::Nothing
            }
        }
    }

    /// Whether a finished frame of a track may leave, where it is part of what is shared.
    pub(crate) fn may_send(&self, track: TrackKind) -> bool {
        matches!(track, TrackKind::Screen | TrackKind::ScreenAudio) && self.announcement() == SourceState::On
    }

    /// Whether there is anything to stop or take back.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == OwnShare::Idle
    }

    /// Ends it, whatever it is.
    pub(crate) fn stop(&mut self) {
        self.close();
        self.wanted = None;
        self.state = OwnShare::Idle;
    }

    /// Fits the encoder to what the network takes for pictures; returns what is left for the others.
    pub(crate) fn set_budget(&mut self, budget: Bitrate) -> Bitrate {
        self.budget = budget;
        let Some(running) = &self.running else { return budget };
        let mine = self.bitrate();
        running.pipeline.set_bitrate(mine);
        Bitrate(budget.0.saturating_sub(mine.0))
    }

    /// What a screen takes at best, while there is one.
    pub(crate) fn desired(&self) -> Bitrate {
        if self.running.is_some() { MOST } else { Bitrate(0) }
    }

    /// Somebody needs a picture to begin with.
    pub(crate) fn request_key_frame(&self) {
        if let Some(running) = &self.running {
            running.pipeline.request_key_frame();
        }
    }

    /// Whether anybody watches.
    pub(crate) fn set_wanted(&self, wanted: bool) {
        if let Some(running) = &self.running {
            running.pipeline.set_wanted(wanted);
        }
    }

    fn bitrate(&self) -> Bitrate {
        Bitrate((self.budget.0.saturating_mul(PART.0) / PART.1).min(MOST.0))
    }

    /// Ends what captures and encodes, elsewhere: their threads may wait for this one.
    fn close(&mut self) {
        if let Some(running) = self.running.take() {
            let ended = std::thread::Builder::new().name("screen-end".to_owned()).spawn(move || drop(running));
            if let Err(error) = ended {
                tracing::warn!(%error, "the screen was closed on the engine's thread");
            }
        }
        self.own.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

    use super::*;

    /// What a sharing tells, until `wanted` is among it.
    fn until(
        screen: &mut OwnScreen,
        inbox: &mut mpsc::Receiver<FromMedia>,
        wanted: impl Fn(&ScreenStep) -> bool,
    ) -> ScreenStep {
        loop {
            if let FromMedia::Screen(number, news) = inbox.blocking_recv().unwrap() {
                let step = screen.on_news(number, news);
                if wanted(&step) {
                    return step;
                }
            }
        }
    }

    #[test]
    fn nothing_leaves_before_the_source_is_open_or_after_the_end() {
        let (sender, mut inbox) = mpsc::channel(64);
        let mut screen = OwnScreen::new(Arc::default(), Bitrate::kbps(2000), sender);
        screen.asks(Some("test".parse().unwrap()), Level::Restricted);
        assert!(!screen.may_send(TrackKind::Screen));
        let (choice, label) = screen.granted().unwrap();
        assert_eq!(
            (screen.state(), screen.announcement()),
            (&OwnShare::Granted { wanted: Some((choice.clone(), label)) }, SourceState::Off)
        );
        screen.open(&choice, label).unwrap();
        assert!(!screen.may_send(TrackKind::Screen));
        until(&mut screen, &mut inbox, |step| matches!(step, ScreenStep::Begin(Level::Restricted)));
        assert!(screen.may_send(TrackKind::Screen) && !screen.may_send(TrackKind::Camera));
        until(&mut screen, &mut inbox, |step| matches!(step, ScreenStep::Send(frame) if frame.key));
        assert!(screen.set_budget(Bitrate::kbps(900)) == Bitrate::kbps(300));
        let number = screen.number;
        screen.stop();
        assert!(!screen.may_send(TrackKind::Screen) && screen.is_idle());
        let late = screen.on_news(number, ScreenNews::Paused(ScreenPause::Locked));
        assert!(matches!(late, ScreenStep::Nothing));
        assert_eq!(screen.set_budget(Bitrate::kbps(900)), Bitrate::kbps(900));
    }

    #[test]
    fn what_an_earlier_sharing_left_behind_is_not_sent_under_the_label_of_a_later_one() {
        let (sender, mut inbox) = mpsc::channel(64);
        let mut screen = OwnScreen::new(Arc::default(), Bitrate::kbps(2000), sender);
        let choice: ScreenChoice = "test".parse().unwrap();
        screen.open(&choice, Level::Restricted).unwrap();
        until(&mut screen, &mut inbox, |step| matches!(step, ScreenStep::Begin(_)));
        let ScreenStep::Send(frame) = until(&mut screen, &mut inbox, |step| matches!(step, ScreenStep::Send(_))) else {
            panic!("no frame")
        };
        let before = screen.number;
        screen.open(&choice, Level::Unclassified).unwrap();
        until(&mut screen, &mut inbox, |step| matches!(step, ScreenStep::Begin(Level::Unclassified)));
        assert!(matches!(screen.on_news(before, ScreenNews::Frame(frame)), ScreenStep::Nothing));
    }

    #[test]
    fn a_source_that_is_not_there_ends_it_in_words() {
        let (sender, mut inbox) = mpsc::channel(64);
        let mut screen = OwnScreen::new(Arc::default(), Bitrate::kbps(2000), sender);
        let nowhere = ScreenChoice::File("/nowhere.y4m".into());
        let error = match screen.open(&nowhere, Level::Restricted) {
            Err(error) => error,
            Ok(()) => match until(&mut screen, &mut inbox, |step| matches!(step, ScreenStep::Over(_))) {
                ScreenStep::Over(error) => error,
                other => panic!("{other:?}"),
            },
        };
        assert!(!error.to_string().is_empty() && screen.is_idle());
    }
}
