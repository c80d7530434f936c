//! In the meeting: what the window does with the engine.

use std::{path::PathBuf, sync::Arc};

use conclave_capture::Turns;
use conclave_client::{Command, EndReason, Notice, Order, Phase, SharingNotice, Snapshot, media::VoiceMode};
use conclave_identity::Admission;
use conclave_model::{Fingerprint, wire::signal::Refusal};

use super::{
    Again, App, Ended, Screen, dismiss,
    entry::{Ticket, camera, microphone, pickers},
};
use crate::{
    engine::Engine,
    explain,
    jobs::Done,
    screens::{
        ended::data::EndedData,
        lead::data::{Charter, LeadAction, Originator},
        lobby::data::LobbyAction,
        meeting::{
            self,
            attention::{Attention, Person, Place},
            data::MeetingData,
            speakers::Speakers,
            toasts::Toast,
            ui::{MeetingAction, MeetingView, Panel},
        },
        preview::data::Kind,
        share::ui::{Picker, ShareAction},
    },
    settings::Recent,
    time::Now,
    words::Words,
};

/// How long a message stays, in seconds.
const TOAST: f64 = 10.0;

/// A meeting that the person is in, or on the way into.
#[derive(Debug)]
pub(super) struct Sitting {
    engine: Box<dyn Engine + Send>,
    snapshot: Arc<Snapshot>,
    speakers: Speakers,
    view: MeetingView,
    /// When each message goes away.
    toasts_until: Vec<f64>,
    ticket: Option<Ticket>,
    charter: Charter,
    /// Which pictures are asked for.
    attention: Attention,
    now: f64,
}

impl Sitting {
    pub(super) fn new(engine: Box<dyn Engine + Send>, ticket: Option<Ticket>) -> Self {
        Self {
            snapshot: engine.snapshot(),
            engine,
            speakers: Speakers::default(),
            view: MeetingView::default(),
            toasts_until: Vec::new(),
            charter: ticket.as_ref().map(charter).unwrap_or_default(),
            ticket,
            attention: Attention::default(),
            now: 0.0,
        }
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Whose credential is in the meeting; `None` where the meeting came without one.
    pub(super) fn whose(&self) -> Option<Fingerprint> {
        self.ticket.as_ref().map(|ticket| Fingerprint(ticket.holder.person().fingerprint))
    }

    pub(super) fn into_engine(self) -> Box<dyn Engine + Send> {
        self.engine
    }

    pub(super) fn set_charter(&mut self, charter: Charter) {
        self.charter = charter;
    }

    pub(super) fn open_security(&mut self) {
        self.view.panel = Some(Panel::Security);
    }

    pub(super) fn open_roster(&mut self) {
        self.view.panel = Some(Panel::People);
    }

    /// Takes what is new; `now` in seconds on the window's clock. Returns why the meeting is over, once it is.
    pub(super) fn advance(&mut self, ctx: &egui::Context, now: f64, words: &Words) -> Option<EndReason> {
        self.now = now;
        self.snapshot = self.engine.snapshot();
        let levels = self.snapshot.participants.iter().map(|participant| {
            let own = if self.snapshot.microphone.on { self.snapshot.microphone.level } else { 0.0 };
            (participant.leaf, if participant.is_me { own } else { participant.speaking })
        });
        self.speakers.update(levels, now);
        while let Some(notice) = self.engine.notice() {
            if let Some(sentence) = said(&notice, words) {
                self.toast(Toast { sentence, calm: is_calm(&notice) });
            }
        }
        while self.toasts_until.first().is_some_and(|until| *until <= now) {
            self.remove_toast(0);
        }
        let toast = self.toasts_until.first().map(|until| until - now);
        let light = self.speakers.next_change();
        if let Some(seconds) = [toast, light].into_iter().flatten().min_by(f64::total_cmp) {
            ctx.request_repaint_after_secs((seconds + 0.02) as f32);
        }
        match &self.snapshot.phase {
            Phase::Ended(reason) => Some(reason.clone()),
            Phase::Connecting { .. }
            | Phase::TooEarly { .. }
            | Phase::Waiting
            | Phase::Locked
            | Phase::AskTakeOver
            | Phase::Joined
            | Phase::Reconnecting { .. } => None,
        }
    }

    fn rehearsed(&self) -> Option<Turns> {
        self.ticket.as_ref().and_then(|ticket| ticket.rehearsed)
    }

    fn toast(&mut self, toast: Toast) {
        if self.view.toasts.last() != Some(&toast) {
            self.view.toasts.push(toast);
            self.toasts_until.push(self.now + TOAST);
        }
    }

    fn remove_toast(&mut self, index: usize) {
        if index < self.view.toasts.len() {
            self.view.toasts.remove(index);
            self.toasts_until.remove(index);
        }
    }

    pub(super) fn open_picker(&mut self, screens: conclave_capture::Screens) {
        let choice = screens.sources.first().map(|source| source.choice.clone());
        self.view.share.picker = Some(Picker { choice, label: self.snapshot.level });
        self.view.share.sources = Some(screens);
    }

    /// What could be shared was found out.
    pub(super) fn screens_found(&mut self, screens: conclave_capture::Screens) {
        self.view.share.sources = Some(screens);
    }

    pub(super) fn send(&mut self, command: Command, words: &Words) {
        if self.engine.send(command).is_err() {
            self.toast(Toast { sentence: words.say("toast-busy"), calm: false });
        }
    }

    /// Asks for the pictures that are shown.
    fn watch(&mut self, data: &MeetingData, pixels_per_point: f32) {
        let Some(area) = self.view.stage else { return };
        let pixel_by_pixel = self.view.share.pixels.is_some();
        let screen = data.share.shown.as_ref().map(|shown| (shown.leaf, pixel_by_pixel));
        let people: Vec<Person> = data
            .tiles
            .iter()
            .map(|tile| Person { leaf: tile.leaf, mine: tile.mine, speaking: tile.speaking })
            .collect();
        let place = Place { area, pixels_per_point, screen };
        if let Some(wanted) = self.attention.news(&people, &place, self.now)
            && self.engine.send(Command::Watch(wanted.clone())).is_ok()
        {
            self.attention.asked(wanted, self.now);
        }
    }
}

impl App {
    pub(super) fn show_meeting(&mut self, ui: &mut egui::Ui) {
        let Screen::Meeting(sitting) = &mut self.screen else { return };
        let pickers = pickers(&self.devices, &self.settings, &self.words);
        let now = Now { wall: (self.wall)(), instant: (self.instant)() };
        let (snapshot, charter) = (&sitting.snapshot, &sitting.charter);
        let data = meeting::data::data(snapshot, &sitting.speakers, &pickers, charter, now, &self.words);
        let action = meeting::ui::show(ui, &data, &mut sitting.view, &*sitting.engine, &self.screenery, &self.words);
        sitting.watch(&data, ui.pixels_per_point());
        match action {
            Some(MeetingAction::Microphone(on)) => sitting.send(Command::Microphone(on), &self.words),
            Some(MeetingAction::Camera(on)) => sitting.send(Command::Camera(on), &self.words),
            Some(MeetingAction::LookForDevices) => self.look_for_devices(),
            Some(MeetingAction::Choose(kind, word)) => {
                sitting.send(selection(kind, &word, sitting.rehearsed()), &self.words);
                self.settings.choose(kind, word);
                self.save_settings();
            }
            Some(MeetingAction::Voice(mode)) => {
                sitting.send(Command::VoiceMode(mode), &self.words);
                self.settings.original_sound = mode == VoiceMode::FullBand;
                self.save_settings();
            }
            Some(MeetingAction::Lobby(wanted)) => sitting.send(lobby_order(wanted), &self.words),
            Some(MeetingAction::Lead(wanted)) => sitting.send(lead_order(wanted), &self.words),
            Some(MeetingAction::TakeOver) => sitting.send(Command::TakeOver, &self.words),
            Some(MeetingAction::Retry) => sitting.send(Command::RetryNow, &self.words),
            Some(MeetingAction::Share(ShareAction::Look)) => {
                let list = self.list_screens;
                self.jobs.run("screens", move || Done::Screens(Box::new(list())));
            }
            Some(MeetingAction::Share(ShareAction::Do(wanted))) => sitting.send(Command::Share(wanted), &self.words),
            Some(MeetingAction::Leave) => self.end_sitting(&EndReason::Left),
            Some(MeetingAction::Dismiss(index)) => sitting.remove_toast(index),
            None => {}
        }
    }

    /// Out of the meeting, to the screen that says why.
    pub(super) fn end_sitting(&mut self, reason: &EndReason) {
        let Screen::Meeting(sitting) = std::mem::replace(&mut self.screen, Screen::Home) else { return };
        let in_order = matches!(reason, EndReason::Left | EndReason::Over);
        let data = EndedData {
            title: sitting.snapshot.title.clone(),
            level: sitting.snapshot.level,
            reason: explain::end(reason, &self.words),
            advice: explain::advice(reason, &self.words),
            in_order,
            can_return: can_return(reason) && sitting.ticket.is_some(),
        };
        let again = if *reason == EndReason::CardRemoved {
            // What the card has unlocked counts no more, even where it would still answer.
            self.forget();
            sitting.ticket.as_ref().and_then(|ticket| self.file_of(ticket)).map(Again::Unlock)
        } else {
            sitting.ticket.clone().map(|ticket| Again::Enter(Box::new(ticket)))
        };
        dismiss(sitting.into_engine());
        self.screen = Screen::Ended(Box::new(Ended { data, again }));
    }
}

impl App {
    /// The file of a meeting that was opened a while ago.
    fn file_of(&self, ticket: &Ticket) -> Option<PathBuf> {
        let content = ticket.invitation.content();
        let same = |recent: &&Recent| recent.title == content.title && recent.not_before == content.not_before;
        self.settings.recent.iter().find(same).map(|recent| recent.path.clone())
    }
}

/// Asks for the device that a word names.
fn selection(kind: Kind, word: &str, rehearsed: Option<Turns>) -> Command {
    match kind {
        Kind::Camera => Command::SelectCamera(camera(word, true, rehearsed)),
        Kind::Microphone => Command::SelectMicrophone(microphone(word, rehearsed)),
        Kind::Speaker => Command::SelectSpeaker(word.parse().unwrap_or_default()),
    }
}

fn lobby_order(wanted: LobbyAction) -> Command {
    Command::Lead(match wanted {
        LobbyAction::Admit(who) => Order::Admit(who),
        LobbyAction::Deny(who) => Order::Deny(who),
    })
}

fn lead_order(wanted: LeadAction) -> Command {
    Command::Lead(match wanted {
        LeadAction::Lock(locked) => Order::Lock(locked),
        LeadAction::Eject(who) => Order::Eject(who),
        LeadAction::SetLevel(level) => Order::SetLevel(level),
        LeadAction::Consent(level) => Order::Consent(level),
    })
}

/// What the signed invitation says of the originator and of the door.
fn charter(ticket: &Ticket) -> Charter {
    let content = ticket.invitation.content();
    let originator = content.originator.map(|fingerprint| {
        let listed = content.participants.iter().find(|listed| listed.fingerprint == fingerprint.0);
        Originator { fingerprint, name: listed.map(|listed| listed.name.clone()).unwrap_or_default() }
    });
    Charter { originator, has_lobby: content.admission == Admission::Lobby }
}

/// Whether entering again can end otherwise.
fn can_return(reason: &EndReason) -> bool {
    match reason {
        EndReason::Left
        | EndReason::CardRemoved
        | EndReason::LevelRaised(_)
        | EndReason::Failed(_)
        | EndReason::Connection(_) => true,
        EndReason::Refused(reason) => match reason {
            // Ejection is for good, and of the others nothing changes while the person waits.
            Refusal::Version
            | Refusal::Invitation
            | Refusal::NotInvited
            | Refusal::Over
            | Refusal::Level
            | Refusal::Revoked
            | Refusal::Ejected => false,
            Refusal::TooEarly
            | Refusal::Full
            | Refusal::Replaced
            | Refusal::AlreadyHere
            | Refusal::Denied
            | Refusal::TooOften
            | Refusal::Misbehaved
            | Refusal::GoingAway
            | Refusal::NotResumed => true,
        },
        EndReason::Over | EndReason::Removed | EndReason::Credential(_) | EndReason::Untrustworthy(_) => false,
    }
}

/// Whether a notice is good news.
fn is_calm(notice: &Notice) -> bool {
    matches!(notice, Notice::DeviceBack { .. } | Notice::Reconnected | Notice::Sharing(SharingNotice::Granted))
}

/// A notice in words; `None` for what the window says already.
fn said(notice: &Notice, words: &Words) -> Option<String> {
    match notice {
        Notice::DeviceLost { error, .. } => Some(explain::capture(error, words)),
        Notice::DeviceBack { name, .. } => Some(words.tell("toast-device-back", [("name", name.as_str().into())])),
        Notice::NewcomerRefused { reason, .. } => {
            Some(words.tell("toast-newcomer-refused", [("reason", reason.as_str().into())]))
        }
        Notice::ConnectionLost(_) => None,
        Notice::Reconnected => Some(words.say("toast-reconnected")),
        Notice::Undecryptable { who, frames, .. } => Some(words.tell(
            "toast-undecryptable",
            [("who", who.as_deref().unwrap_or("nobody").into()), ("frames", (*frames).into())],
        )),
        Notice::OrderRefused(error) => Some(explain::order(error, words)),
        Notice::Objected { .. }
        | Notice::Forged { .. }
        | Notice::Diverged { .. }
        | Notice::Revoked { .. }
        | Notice::NobodyVouched => explain::foul(notice, words),
        // The screen that is shown says whose it is.
        Notice::Sharing(SharingNotice::Began { .. }) => None,
        Notice::Sharing(notice) => Some(explain::sharing::notice(notice, words)),
        Notice::EncoderFailed { reason, .. } => Some(words.tell("toast-encoder", [("reason", reason.as_str().into())])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_offered_a_return_that_can_only_fail() {
        let words = Words::english();
        let refusals = [
            (Refusal::Version, false),
            (Refusal::Invitation, false),
            (Refusal::NotInvited, false),
            (Refusal::Level, false),
            (Refusal::Revoked, false),
            (Refusal::Ejected, false),
            (Refusal::Denied, true),
            (Refusal::Full, true),
            (Refusal::Replaced, true),
        ];
        for (refusal, can) in refusals {
            let reason = EndReason::Refused(refusal);
            assert_eq!(can_return(&reason), can, "{refusal}");
            assert!(can || explain::advice(&reason, &words).is_some(), "{refusal}: nobody is named whom to ask");
        }
        assert!(!can_return(&EndReason::Refused(Refusal::Over)));
        let advice = explain::advice(&EndReason::Refused(Refusal::Ejected), &words);
        assert!(advice.is_some_and(|advice| advice.contains("the office that invited you")));
    }
}
