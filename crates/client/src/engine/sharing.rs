//! Sharing screens: what the person wants, what the session says of it, and what the own screen does.

use std::time::Instant;

use conclave_capture::ScreenChoice;
use conclave_identity::Sharing;
use conclave_model::{Level, TrackKind};
use conclave_session::{Command as SessionCommand, Input, ShareCommand, ShareError, ShareFault, ShareNews, Stage};

use super::{
    meeting::Meeting,
    own_screen::{ScreenNews, ScreenStep},
};
use crate::{Notice, Share, SharingNotice};

impl Meeting<'_> {
    /// Does what the person wants of sharing.
    pub(super) fn share(&mut self, wanted: Share, now: Instant) {
        match wanted {
            Share::Screen(choice, label) => self.share_screen(choice, label, now),
            Share::Ask(label) => {
                self.engine.screen.asks(None, label);
                self.in_session(ShareCommand::Ask(label), now);
            }
            Share::Stop => {
                self.in_session(ShareCommand::Stop, now);
                self.close_screen(now);
            }
            Share::Grant(leaf) => self.in_session(ShareCommand::Grant(leaf), now),
            Share::Deny(leaf) => self.in_session(ShareCommand::Deny(leaf), now),
            Share::StopSharer => self.in_session(ShareCommand::StopSharer, now),
        }
        self.engine.view.touch();
    }

    /// Shares what the person chose, or asks for the leave to.
    fn share_screen(&mut self, choice: ScreenChoice, label: Level, now: Instant) {
        let level = self.engine.view.level();
        if label > level {
            // Before the system's own picker opens.
            self.tell(SharingNotice::Refused { error: ShareError::LabelAbove(level), busy: None });
        } else if self.may_share() {
            self.open_screen(&choice, label, now);
        } else {
            self.engine.screen.asks(Some(choice), label);
            self.in_session(ShareCommand::Ask(label), now);
        }
    }

    /// Whether the session would let this participant share at once.
    fn may_share(&self) -> bool {
        let (stage, me) = (self.engine.view.stage(), self.engine.members.me());
        let is_chair = self.engine.view.chair() == me;
        me.is_some() && (stage.holder == me || stage.decides == me && (is_chair || stage.holder.is_none()))
    }

    fn open_screen(&mut self, choice: &ScreenChoice, label: Level, now: Instant) {
        if let Err(error) = self.engine.screen.open(choice, label) {
            self.in_session(ShareCommand::Stop, now);
            self.tell(SharingNotice::Lost(error));
        }
        self.fit_rates(now);
        self.announce(now);
    }

    /// Takes what a thread of the own screen says.
    pub(super) fn on_screen(&mut self, number: u64, news: ScreenNews, now: Instant) {
        match self.engine.screen.on_news(number, news) {
            ScreenStep::Nothing => {}
            ScreenStep::Send(frame) => {
                if self.engine.screen.may_send(TrackKind::Screen) {
                    self.input(Input::LocalFrame(TrackKind::Screen, frame), now);
                }
                return;
            }
            ScreenStep::Begin(label) => self.in_session(ShareCommand::Begin(label), now),
            ScreenStep::Over(error) => {
                self.in_session(ShareCommand::Stop, now);
                self.fit_rates(now);
                self.tell(SharingNotice::Lost(error));
            }
            ScreenStep::EncoderFailed(reason) => self.tell(SharingNotice::EncoderFailed(reason)),
        }
        self.announce(now);
        self.engine.view.touch();
    }

    /// Somebody else shares, may or asks than before.
    pub(super) fn on_stage(&mut self, stage: Stage, now: Instant) {
        let me = self.engine.members.me();
        let before = self.engine.view.stage().shared.map(|shared| shared.leaf);
        if let Some(shared) = stage.shared.filter(|shared| Some(shared.leaf) != before && Some(shared.leaf) != me) {
            let who = self.engine.members.name_of(shared.leaf);
            self.tell(SharingNotice::Began { who, label: shared.label });
        }
        self.engine.members.set_shared(stage.shared.map(|shared| (shared.leaf, shared.label)));
        self.engine.view.set_stage(stage);
        self.wish(now);
    }

    /// What became of the own wish to share.
    pub(super) fn on_share(&mut self, news: ShareNews, now: Instant) {
        let notice = match news {
            ShareNews::Granted => {
                let wanted = self.engine.screen.granted();
                self.engine.view.touch();
                // Where nobody has to think about it, it begins at once; a leave that comes later, when who asked for it
                // may look at something else, waits for a word.
                if let (Sharing::Open, Some((choice, label))) = (self.engine.view.stage().rule, wanted) {
                    return self.open_screen(&choice, label, now);
                }
                SharingNotice::Granted
            }
            ShareNews::Denied => SharingNotice::Denied,
            ShareNews::Stopped => SharingNotice::Stopped,
            ShareNews::LevelLowered(level) => SharingNotice::LevelLowered(level),
        };
        if news != ShareNews::Granted {
            self.close_screen(now);
        }
        self.tell(notice);
    }

    /// A wish about sharing could not be met.
    pub(super) fn on_share_refused(&mut self, error: ShareError, now: Instant) {
        match error {
            ShareError::NotChair | ShareError::Gone => {}
            ShareError::NoLeave | ShareError::LabelAbove(_) | ShareError::Busy(_) | ShareError::NobodyDecides => {
                self.close_screen(now);
            }
        }
        let busy = if let ShareError::Busy(leaf) = error { self.engine.members.name_of(leaf) } else { None };
        self.tell(SharingNotice::Refused { error, busy });
    }

    /// A member sends a screen that it may not share.
    pub(super) fn on_screen_withheld(&mut self, leaf: conclave_model::LeafIndex, why: ShareFault, frames: u64) {
        let who = self.engine.members.name_of(leaf);
        self.tell(SharingNotice::Withheld { who, why, frames });
    }

    /// Splits what the network takes for pictures among screen and camera, and asks for as much as both would send.
    pub(super) fn fit_rates(&mut self, now: Instant) {
        if let Some(budget) = self.engine.view.quality().send_budget {
            let rest = self.engine.screen.set_budget(budget);
            self.engine.local.set_budget(rest);
        }
        let desired = self.engine.local.desired_bitrate().0 + self.engine.screen.desired().0;
        self.command(SessionCommand::DesiredBitrate(conclave_model::Bitrate(desired)), now);
    }

    /// Ends what is captured of the own screen.
    fn close_screen(&mut self, now: Instant) {
        if !self.engine.screen.is_idle() {
            self.engine.screen.stop();
            self.fit_rates(now);
            self.announce(now);
            self.engine.view.touch();
        }
    }

    fn in_session(&mut self, wanted: ShareCommand, now: Instant) {
        self.command(SessionCommand::Sharing(wanted), now);
    }

    fn tell(&self, notice: SharingNotice) {
        self.engine.view.notice(Notice::Sharing(notice));
    }
}
