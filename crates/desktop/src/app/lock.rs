//! Locks the window when nobody has touched the computer for as long as the policy allows.
//!
//! Outside of a meeting the unlocked credential is forgotten. In a meeting the person stays a participant, but the window
//! shows nothing of it, and camera, microphone and loudspeaker are off, until the password or PIN is entered again.
//! Demonstrations never lock: there is nothing to protect, and no password to unlock with.

use std::{path::Path, sync::Arc};

use conclave_capture::SpeakerChoice;
use conclave_client::{Command, EndReason, Share};
use conclave_identity::{CardError, CredentialError, Seal};
use conclave_model::Fingerprint;
use egui::{Event, Pos2};

use super::{
    App, Screen,
    credential::{self, UnlockError},
};
use crate::{
    explain,
    jobs::Done,
    policy::Policy,
    screens::{
        lock::{
            self,
            data::{LockAction, LockData, Moment, Standing, Watch},
        },
        unlock::data::Password,
    },
};

/// After so many wrong passwords in a row the meeting is left. A card in use counts no wrong PINs, so this has to.
const MAX_WRONG: u32 = 5;

/// The window's lock.
#[derive(Debug)]
pub(super) struct Lock {
    watch: Watch,
    /// Where the pointer was: windows are told of it without its having moved.
    pointer: Option<Pos2>,
    /// Whether the lock is announced.
    is_announced: bool,
    /// What tells the PIN of the card that is in use.
    pub(super) seal: Option<Arc<Seal>>,
    closed: Option<Closed>,
}

/// While a meeting is covered.
#[derive(Debug)]
struct Closed {
    /// What the engine has still to be told.
    pending: Vec<Command>,
    password: Password,
    problem: Option<String>,
    busy: bool,
    wrong: u32,
}

impl Lock {
    pub(super) fn new(policy: &Policy) -> Self {
        Self { watch: Watch::new(policy.lock_after), pointer: None, is_announced: false, seal: None, closed: None }
    }

    fn is_touched(&mut self, ctx: &egui::Context) -> bool {
        let mut pointer = self.pointer;
        let touched = ctx.input(|input| {
            input.events.iter().fold(false, |touched, event| {
                let moved = matches!(event, Event::PointerMoved(to) if pointer.replace(*to) != Some(*to));
                touched || moved || is_by_hand(event)
            })
        });
        self.pointer = pointer;
        touched
    }
}

/// Whether somebody at the computer did this, the pointer's moving aside.
fn is_by_hand(event: &Event) -> bool {
    matches!(
        event,
        Event::Key { .. }
            | Event::Text(_)
            | Event::Ime(_)
            | Event::Copy
            | Event::Cut
            | Event::Paste(_)
            | Event::PointerButton { .. }
            | Event::MouseWheel { .. }
            | Event::Zoom(_)
            | Event::Touch { .. }
            | Event::AccessKitActionRequest(_)
    )
}

impl App {
    /// Locks the window when it is time for that, and keeps it locked.
    pub(super) fn watch_idle(&mut self, ctx: &egui::Context) {
        self.lock.is_announced = false;
        let now = self.moment(ctx);
        if self.lock.closed.is_some() {
            return self.stay_closed();
        }
        if self.lock.is_touched(ctx) || self.demo.is_some() {
            self.lock.watch.touch(now);
        }
        match self.lock.watch.standing(now) {
            Standing::Never => {}
            Standing::Far(seconds) => ctx.request_repaint_after_secs(seconds as f32 + 0.02),
            Standing::Soon(seconds) => {
                self.lock.is_announced = self.is_worth_locking();
                ctx.request_repaint_after_secs(seconds as f32 + 0.02);
            }
            Standing::Due => self.close_up(),
        }
    }

    /// Covers the window where it is locked; returns whether it is.
    pub(super) fn show_lock(&mut self, ui: &mut egui::Ui) -> bool {
        let (Some(closed), Screen::Meeting(sitting)) = (&mut self.lock.closed, &self.screen) else { return false };
        let data = LockData {
            level: sitting.engine().snapshot().level,
            card: self.settings.credential.as_deref().and_then(credential::address).is_some(),
            problem: closed.problem.clone(),
            busy: closed.busy,
        };
        match lock::ui::show(ui, &data, &mut closed.password, &self.words) {
            Some(LockAction::Unlock) => self.try_password(ui.ctx()),
            Some(LockAction::Leave) => self.leave_locked(None),
            None => {}
        }
        true
    }

    /// Announces the lock, where it is near.
    pub(super) fn show_announcement(&self, ctx: &egui::Context) {
        if self.lock.is_announced {
            lock::ui::announce(ctx, &self.words);
        }
    }

    /// The password of the locked window was tried.
    pub(super) fn on_reopened(&mut self, result: Result<bool, UnlockError>) {
        let Some(closed) = &mut self.lock.closed else { return };
        closed.busy = false;
        let is_card = self.settings.credential.as_deref().and_then(credential::address).is_some();
        let error = match result {
            Ok(true) => return self.reopen(),
            Ok(false) if is_card => UnlockError::Card(CardError::Pin { last: false }),
            Ok(false) => UnlockError::File(CredentialError::WrongPassword),
            Err(error) => error,
        };
        let said = explain::unlock(&error, &self.words);
        let is_wrong = matches!(
            error,
            UnlockError::File(CredentialError::WrongPassword) | UnlockError::Card(CardError::Pin { .. })
        );
        if !is_wrong {
            closed.problem = Some(said);
            return;
        }
        closed.wrong += 1;
        let left = MAX_WRONG - closed.wrong;
        if left == 0 {
            return self.leave_locked(Some(self.words.say("lock-left")));
        }
        closed.problem = Some(self.words.tell("lock-wrong", [("problem", said.into()), ("left", left.into())]));
    }

    fn moment(&self, ctx: &egui::Context) -> Moment {
        Moment { window: ctx.time(), wall: (self.wall)() }
    }

    /// Whether there is anything that the lock would take away.
    fn is_worth_locking(&self) -> bool {
        let is_open = match &self.screen {
            Screen::Meeting(_) | Screen::Entry(_) | Screen::Ended(_) => true,
            Screen::Home | Screen::Settings | Screen::Unlock(_) => false,
        };
        is_open || self.holder.is_some() || !self.password.0.is_empty()
    }

    fn close_up(&mut self) {
        match &self.screen {
            Screen::Meeting(_) => {
                let pending = vec![
                    Command::Microphone(false),
                    Command::Camera(false),
                    Command::Share(Share::Stop),
                    Command::SelectSpeaker(SpeakerChoice::Null),
                ];
                let password = Password::with_room();
                self.lock.closed = Some(Closed { pending, password, problem: None, busy: false, wrong: 0 });
                return self.stay_closed();
            }
            // Dropping the preview closes the devices.
            Screen::Entry(_) => self.fail(self.words.say("lock-forgotten")),
            Screen::Ended(_) => self.screen = Screen::Home,
            Screen::Home | Screen::Settings | Screen::Unlock(_) => {}
        }
        self.forget();
    }

    /// Tells the engine what it could not take before; ends the lock with the meeting.
    fn stay_closed(&mut self) {
        let Some(closed) = &mut self.lock.closed else { return };
        match &self.screen {
            Screen::Meeting(sitting) => {
                closed.pending.retain(|command| sitting.engine().send(command.clone()).is_err())
            }
            Screen::Ended(ended) => {
                let said = self.words.tell("lock-ended", [("reason", ended.data.reason.as_str().into())]);
                self.lock.closed = None;
                self.forget();
                self.fail(said);
            }
            Screen::Home | Screen::Settings | Screen::Unlock(_) | Screen::Entry(_) => self.lock.closed = None,
        }
    }

    /// The credential has to be unlocked again.
    pub(super) fn forget(&mut self) {
        self.holder = None;
        self.lock.seal = None;
        self.password = Password::with_room();
    }

    /// Out of the meeting without unlocking, to the first screen with a message.
    fn leave_locked(&mut self, problem: Option<String>) {
        self.lock.closed = None;
        self.end_sitting(&EndReason::Left);
        self.forget();
        self.screen = Screen::Home;
        self.problem = problem;
    }

    fn try_password(&mut self, ctx: &egui::Context) {
        let now = self.moment(ctx);
        let (Some(closed), Screen::Meeting(sitting)) = (&mut self.lock.closed, &self.screen) else { return };
        let Some(path) = self.settings.credential.clone() else { return };
        let (seal, whose) = (self.lock.seal.clone(), sitting.whose());
        let password = std::mem::replace(&mut closed.password, Password::with_room());
        closed.problem = None;
        closed.busy = self
            .jobs
            .run("reopening", move || Done::Reopened(knows(&path, &password.0, seal.as_deref(), whose, now.wall)));
    }

    fn reopen(&mut self) {
        self.lock.closed = None;
        let now = self.moment(&self.jobs.window());
        self.lock.watch.touch(now);
        let speaker = self.settings.speaker.parse().unwrap_or_default();
        if let Screen::Meeting(sitting) = &mut self.screen {
            sitting.send(Command::SelectSpeaker(speaker), &self.words);
        }
    }
}

/// Whether somebody knows the password of the credential at `path`, and it is the one that is in the meeting. Takes as
/// long as a password is stretched; not for the window's thread.
fn knows(
    path: &Path,
    secret: &str,
    seal: Option<&Seal>,
    whose: Option<Fingerprint>,
    wall: u64,
) -> Result<bool, UnlockError> {
    // Logging in to a card anew would end its use in the meeting.
    if credential::address(path).is_some() {
        return Ok(seal.is_some_and(|seal| seal.is_of(secret)));
    }
    let holder = credential::open(path, secret, wall)?;
    Ok(whose.is_none_or(|whose| Fingerprint(holder.person().fingerprint) == whose))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_card_in_use_is_not_asked_and_its_pin_is_told_all_the_same() {
        // Nobody loads this module: that would fail.
        let card = Path::new("pkcs11:token=Anna?module-path=/nowhere/module.so");
        let seal = Seal::of("1234").unwrap();
        assert!(knows(card, "1234", Some(&seal), None, 0).unwrap());
        assert!(!knows(card, "1235", Some(&seal), None, 0).unwrap());
        assert!(!knows(card, "1234", None, None, 0).unwrap(), "nothing to tell the PIN by");
    }

    #[test]
    fn the_password_of_another_credential_opens_nothing() {
        use conclave_identity::issue::{Rehearsal, RehearsalSpec, Validity, delegate};
        let wall = 1_795_440_000;
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(2, wall)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let credential = |index: usize| {
            let issued = rehearsal.authority.issue_credential(&delegate(index, wall), Validity::days(wall, 1)).unwrap();
            let path = folder.path().join(format!("{index}.pem"));
            conclave_identity::credential::write_private(&path, &issued.to_pem("correct horse").unwrap()).unwrap();
            (path, Fingerprint(issued.holder().person().fingerprint))
        };
        let (own, other) = (credential(0), credential(1));
        assert!(knows(&own.0, "correct horse", None, Some(own.1), wall).unwrap());
        assert!(!knows(&other.0, "correct horse", None, Some(own.1), wall).unwrap());
        assert!(knows(&own.0, "wrong", None, Some(own.1), wall).is_err());
    }
}
