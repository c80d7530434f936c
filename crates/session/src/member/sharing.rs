//! The right to share a screen: what members say of it, and which screens are given out.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{LeafIndex, LeafRef, TrackKind};

use super::{Member, reference_of};
use crate::{
    Event, SessionError, ShareCommand, ShareFault,
    link::Link,
    stage::{Claim, Place, Say, Scene, Taken, Word},
    state::Message,
};

/// Screens that come without leave for this long are no longer those that overtook the word of the chair or were under
/// way when it came.
const NAMED_AFTER: Duration = Duration::from_secs(2);

/// A member is named no more often than this.
const INTERVAL: Duration = Duration::from_secs(1);

impl Member {
    /// Does what the participant wants of sharing.
    pub(crate) fn share(&mut self, wanted: ShareCommand, link: &mut Link, now: Instant) {
        let places = self.places();
        let of = |leaf: LeafIndex| places.iter().find(|place| place.leaf == leaf).map(|place| place.reference);
        let scene = self.scene(&places);
        let nobody = LeafRef([0; 16]);
        let done = match wanted {
            ShareCommand::Ask(label) => self.shares.ask(label, &scene, now),
            ShareCommand::Begin(label) => self.shares.share(label, &scene, now),
            ShareCommand::Stop => {
                self.shares.stop(&scene, now);
                Ok(())
            }
            ShareCommand::Grant(leaf) => self.shares.grant(of(leaf).unwrap_or(nobody), &scene, now),
            ShareCommand::Deny(leaf) => self.shares.deny(of(leaf).unwrap_or(nobody), &scene, now),
            ShareCommand::StopSharer => self.shares.stop_sharer(&scene, now),
        };
        if let Err(error) = done {
            link.tell(Event::ShareRefused(error));
        }
        self.attend_sharing(link, now);
    }

    /// Whether an own frame may leave, as far as sharing is concerned.
    pub(super) fn check_leave(&self, track: TrackKind, link: &mut Link) -> Result<(), SessionError> {
        if !is_shared(track) || self.shares.may_send(self.group.level()) {
            return Ok(());
        }
        link.counters.frames_unsent += 1;
        Err(SessionError::NoLeave)
    }

    /// Takes in what a member wants or does; returns whether it makes sense.
    pub(super) fn hear_claim(&mut self, from: LeafIndex, claim: Claim, now: Instant) -> bool {
        self.reference(from).is_some_and(|from| self.shares.hear_claim(from, claim, now))
    }

    /// Takes in who may share; returns whether it counts.
    pub(super) fn hear_word(&mut self, from: LeafIndex, word: Word, link: &mut Link, now: Instant) -> bool {
        let Some(reference) = self.reference(from) else { return false };
        let places = self.places();
        let scene = self.scene(&places);
        match self.shares.hear_word(reference, word, &scene, now) {
            Taken::Yes | Taken::Late => true,
            Taken::Usurped => {
                tracing::warn!(leaf = from.0, "a member lets others share without the right to it");
                if self.receiver.screens.is_news(from, now) {
                    link.tell(Event::ScreenWithheld { leaf: from, why: ShareFault::NotDeciding, frames: 0 });
                }
                false
            }
        }
    }

    /// Brings the right to share into step with the group, and says what follows.
    pub(super) fn attend_sharing(&mut self, link: &mut Link, now: Instant) {
        let places = self.places();
        let scene = self.scene(&places);
        self.shares.refresh(&scene, now);
        let stage = self.shares.changed(&scene);
        let said = self.shares.take_say();
        if !said.is_empty() {
            self.announced = Some(now);
        }
        for said in said {
            self.broadcast(&said.into(), link);
        }
        if let Some(stage) = stage {
            let shown = stage.shared.map(|shared| shared.leaf);
            self.receiver.show_screen(shown, &self.neighbours, link, now);
            link.tell(Event::Stage(stage));
        }
        for news in self.shares.take_news() {
            link.tell(Event::Share(news));
        }
    }

    /// Names those whose screens keep coming without leave.
    pub(super) fn tell_withheld(&mut self, link: &mut Link, now: Instant) {
        let level = self.group.level();
        for (leaf, frames) in self.receiver.screens.due(now) {
            let why = self.reference(leaf).and_then(|who| self.shares.fault_of(who, level));
            if let Some(why) = why {
                tracing::warn!(leaf = leaf.0, ?why, frames, "a screen is not shown");
                link.tell(Event::ScreenWithheld { leaf, why, frames });
            }
        }
    }

    fn reference(&self, leaf: LeafIndex) -> Option<LeafRef> {
        self.group.members().iter().find(|member| member.leaf == leaf).map(|member| member.reference)
    }

    fn places(&self) -> Vec<Place> {
        let place = |member: &conclave_e2ee::Member| Place {
            reference: member.reference,
            leaf: member.leaf,
            is_successor: self.leading.is_successor(member),
        };
        self.group.members().iter().map(place).collect()
    }

    fn scene<'a>(&self, members: &'a [Place]) -> Scene<'a> {
        let chair = self.group.chair().map(|member| member.reference);
        let leads = chair == Some(reference_of(&self.group)) && self.leading.leads(&self.group);
        Scene { members, level: self.group.level(), chair, leads }
    }
}

/// Whether a track is part of what is shared.
fn is_shared(track: TrackKind) -> bool {
    matches!(track, TrackKind::Screen | TrackKind::ScreenAudio)
}

impl From<Say> for Message {
    fn from(said: Say) -> Self {
        match said {
            Say::Claim(claim) => Self::Claim(claim),
            Say::Word(word) => Self::Word(word),
        }
    }
}

/// Holds back the screens of those who may not share.
#[derive(Debug, Default)]
pub(super) struct Screens {
    shown: Option<LeafIndex>,
    held: BTreeMap<LeafIndex, Held>,
}

/// What came of a member without leave.
#[derive(Debug)]
struct Held {
    first: Instant,
    last: Instant,
    frames: u64,
    told: Option<Instant>,
}

/// Somebody else's screen is shown than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// Whether frames of theirs were held back until now.
    pub(super) missed: bool,
}

impl Screens {
    /// Whether a frame may be given out; counts those that may not.
    pub(super) fn admits(&mut self, leaf: LeafIndex, track: TrackKind, now: Instant) -> bool {
        if !is_shared(track) || self.shown == Some(leaf) {
            return true;
        }
        let held = self.held.entry(leaf).or_insert(Held { first: now, last: now, frames: 0, told: None });
        if now.saturating_duration_since(held.last) > NAMED_AFTER {
            held.first = now;
        }
        held.last = now;
        held.frames += 1;
        false
    }

    /// Whose screen is given out from now on; `None` where that is as before.
    pub(super) fn show(&mut self, of: Option<LeafIndex>) -> Option<Changed> {
        if self.shown == of {
            return None;
        }
        self.shown = of;
        // What was under way is nobody's fault, and neither is what comes until all have heard of the change.
        let missed = of.is_some_and(|leaf| self.held.contains_key(&leaf));
        self.held.clear();
        Some(Changed { missed })
    }

    /// Who is to be named, and how many of their frames came since they were last.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(LeafIndex, u64)> {
        let mut due = Vec::new();
        for (leaf, held) in &mut self.held {
            let is_over = held.told.is_none_or(|told| now.saturating_duration_since(told) >= INTERVAL);
            if held.frames > 0 && is_over && held.last.saturating_duration_since(held.first) >= NAMED_AFTER {
                held.told = Some(now);
                due.push((*leaf, std::mem::take(&mut held.frames)));
            }
        }
        due
    }

    /// Whether a member whose word has no right to it is to be named now.
    pub(super) fn is_news(&mut self, leaf: LeafIndex, now: Instant) -> bool {
        let held = self.held.entry(leaf).or_insert(Held { first: now, last: now, frames: 0, told: None });
        let is_over = held.told.is_none_or(|told| now.saturating_duration_since(told) >= INTERVAL);
        if is_over {
            held.told = Some(now);
        }
        is_over
    }

    /// Forgets a member who went.
    pub(super) fn forget(&mut self, leaf: LeafIndex) {
        self.held.remove(&leaf);
        self.shown.take_if(|shown| *shown == leaf);
    }
}
