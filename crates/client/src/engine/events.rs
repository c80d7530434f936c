//! What the events of a session mean for the engine.

use std::time::Instant;

use conclave_e2ee::{CommitError, JoinError};
use conclave_model::{
    TrackKind,
    wire::signal::{Delay, Refusal},
};
use conclave_session::{
    Command as SessionCommand, Doubt, EndReason as SessionEnd, Event, Standing, UndecryptableCause,
};

use super::{
    Outcome,
    meeting::{Meeting, PATH_GONE, PATH_UP},
};
use crate::{EndReason, Notice, Phase, RetryReason};

impl Meeting<'_> {
    pub(super) fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Admitted { me } => {
                self.engine.members.admitted(me);
                // The path may have come up before.
                if !self.engine.view.quality().path_up {
                    self.path_due.get_or_insert(now + PATH_UP);
                }
                let desired = self.engine.local.desired_bitrate();
                self.command(SessionCommand::DesiredBitrate(desired), now);
                self.announce(now);
                self.on_admitted();
            }
            Event::Roster(roster) => {
                self.engine.members.set_roster(&roster);
                self.engine.view.touch();
                self.wish(now);
            }
            Event::EpochChanged(epoch) => self.engine.view.set_epoch(epoch, now),
            Event::Governance(governance) => {
                self.engine.local.set_level(governance.level);
                self.engine.view.set_governance(governance);
            }
            Event::Lobby(lobby) => self.engine.view.set_lobby(lobby),
            Event::Standing { leaf, standing } => {
                let who = self.engine.members.set_standing(leaf, standing);
                if standing == Standing::Diverged {
                    self.engine.view.notice(Notice::Diverged { who });
                }
                self.engine.view.touch();
            }
            Event::OrderRefused(error) => self.engine.view.notice(Notice::OrderRefused(error)),
            Event::Stage(stage) => self.on_stage(stage, now),
            Event::Share(news) => self.on_share(news, now),
            Event::ShareRefused(error) => self.on_share_refused(error, now),
            Event::ScreenWithheld { leaf, why, frames } => self.on_screen_withheld(leaf, why, frames),
            Event::Objected { committer, reason } => {
                let who = self.engine.members.name_of(committer);
                self.engine.view.notice(Notice::Objected { who, reason: reason.to_string() });
            }
            Event::Delayed(Some(Delay::Locked)) => self.engine.view.phase(Phase::Locked),
            Event::Delayed(None) => self.engine.view.phase(Phase::Waiting),
            Event::Revoked { leaf } => {
                let who = self.engine.members.name_of(leaf);
                self.engine.view.notice(Notice::Revoked { who });
            }
            Event::NobodyVouched => self.engine.view.notice(Notice::NobodyVouched),
            Event::TrackForged { leaf, track } => {
                let who = self.engine.members.forged(leaf);
                self.engine.view.notice(Notice::Forged { who, track });
                self.engine.view.touch();
            }
            Event::TrackHeld { leaf, track, held } => {
                self.engine.members.held(leaf, track, held);
                self.engine.view.touch();
            }
            Event::MemberState { leaf, state } => {
                self.engine.members.set_state(leaf, state);
                self.engine.view.touch();
            }
            Event::KeyFrameWanted { track: TrackKind::Screen, .. } => self.engine.screen.request_key_frame(),
            Event::LayersWanted { track: TrackKind::Screen, layers } => self.engine.screen.set_wanted(layers != 0),
            Event::KeyFrameWanted { track, layer } => {
                if track == TrackKind::Camera {
                    self.engine.local.request_key_frame(layer);
                }
            }
            Event::LayersWanted { track, layers } => {
                if track == TrackKind::Camera {
                    self.engine.local.set_wanted(layers);
                }
            }
            Event::Squeezed(tracks) => {
                self.engine.view.quality().squeezed = u16::try_from(tracks.len()).unwrap_or(u16::MAX);
                self.engine.members.set_squeezed(&tracks);
            }
            Event::Budget(budget) => {
                let rest = self.engine.screen.set_budget(budget);
                self.engine.local.set_budget(rest);
                self.engine.local.set_room(budget);
                self.engine.view.quality().send_budget = Some(budget);
            }
            Event::PathUp => {
                // From here on an older connection of this credential is this app's own.
                self.engine.take_over = true;
                self.path_due = None;
                self.engine.view.quality().path_up = true;
                // Whatever was encoded before had no way to go.
                self.engine.local.request_key_frames();
                self.engine.screen.request_key_frame();
            }
            Event::PathDown => {
                self.path_due = Some(now + PATH_GONE);
                self.engine.view.quality().path_up = false;
            }
            Event::Heard(heard) => self.engine.local.set_heard(heard),
            Event::PathSilent => self.on_path_silent(now),
            Event::Quality(found) => {
                let quality = self.engine.view.quality();
                quality.round_trip = found.round_trip;
                quality.loss = found.loss;
                self.engine.local.set_line(found.loss, found.round_trip, now);
            }
            Event::NewcomerRefused { reference, error } => {
                self.engine.view.notice(Notice::NewcomerRefused { reference, reason: error.to_string() });
            }
            Event::Undecryptable { leaf: Some(leaf), cause: UndecryptableCause::UnknownEpoch, .. }
                if self.engine.members.is_between_keys(leaf, now) => {}
            Event::Undecryptable { leaf, cause, frames } => {
                let who = leaf.and_then(|leaf| match cause {
                    // A frame that came twice says nothing about the keys.
                    UndecryptableCause::Replay => None,
                    UndecryptableCause::UnknownEpoch | UndecryptableCause::Forged | UndecryptableCause::Malformed => {
                        self.engine.members.failed_to_open(leaf, now).map(|person| person.name.clone())
                    }
                });
                self.engine.view.notice(Notice::Undecryptable { who, cause, frames });
                self.engine.view.touch();
            }
            Event::Ended(reason) => {
                let outcome = self.on_ended(reason);
                self.outcome.get_or_insert(outcome);
            }
        }
    }

    /// The client is a member, for the first time or again.
    fn on_admitted(&mut self) {
        let engine = &mut *self.engine;
        engine.view.phase(Phase::Joined);
        engine.backoff.reset();
        engine.untrustworthy = 0;
        if std::mem::replace(&mut engine.was_member, true) {
            engine.tally.reconnects += 1;
            engine.view.notice(Notice::Reconnected);
        }
    }

    /// Decides whether the end of a session is the end of the meeting.
    fn on_ended(&mut self, reason: SessionEnd) -> Outcome {
        match reason {
            SessionEnd::Left => Outcome::Ended(EndReason::Left),
            SessionEnd::Refused(refusal) => self.engine.on_refusal(refusal),
            SessionEnd::Removed => Outcome::Ended(EndReason::Removed),
            SessionEnd::Ejected => Outcome::Ended(EndReason::Refused(Refusal::Ejected)),
            SessionEnd::LevelRaised(level) => Outcome::Ended(EndReason::LevelRaised(level)),
            SessionEnd::Unvouched(doubt @ Doubt::Elsewhere) => self.engine.on_untrustworthy(doubt.to_string()),
            SessionEnd::Unvouched(doubt) => Outcome::Retry(RetryReason::Unvouched(doubt)),
            SessionEnd::Credential(error) => Outcome::Ended(EndReason::Credential(error.to_string())),
            SessionEnd::Unanswered => Outcome::Retry(RetryReason::OutOfStep),
            SessionEnd::NotAdmitted => Outcome::Retry(RetryReason::NotLetIn),
            SessionEnd::Join(
                error @ (JoinError::Member { .. }
                | JoinError::OtherGroup
                | JoinError::TooLarge
                | JoinError::LevelBelow { .. }),
            ) => self.engine.on_untrustworthy(error.to_string()),
            SessionEnd::Join(error @ JoinError::LevelAbove { .. }) => {
                Outcome::Ended(EndReason::Failed(error.to_string()))
            }
            SessionEnd::Commit(error @ CommitError::Rejected { .. }) => self.engine.on_untrustworthy(error.to_string()),
            SessionEnd::Create(error) => Outcome::Ended(EndReason::Failed(error.to_string())),
            SessionEnd::Join(_) | SessionEnd::Commit(_) | SessionEnd::OutOfStep { .. } => {
                Outcome::Retry(RetryReason::OutOfStep)
            }
            SessionEnd::Path(_) => Outcome::Retry(RetryReason::MediaPath),
        }
    }
}
