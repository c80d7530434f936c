//! The right to share as one member knows it: what is heard, said and drawn from it.

use std::{collections::BTreeMap, time::Instant};

use conclave_identity::Sharing;
use conclave_model::{LeafRef, Level};

use super::{
    Claim, GRACE, Say, Scene, ShareError, ShareFault, ShareNews, ShareRequest, Shared, Stage, What, Word, check_label,
    decides, may_show,
};

/// How a word is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It counts, or was known.
    Yes,
    /// It says nothing new, or comes from somebody who decided until a moment ago.
    Late,
    /// Its sender has no right to it.
    Usurped,
}

/// The right to share, as one member knows it.
#[derive(Debug)]
pub(crate) struct Shares {
    me: LeafRef,
    rule: Sharing,
    /// The newest word that counted, and whose it was.
    word: Word,
    by: Option<LeafRef>,
    /// Who may share: by the word, until they end it or go.
    holder: Option<LeafRef>,
    claims: BTreeMap<LeafRef, Entry>,
    /// Who decides, and since when.
    decides: Option<LeafRef>,
    decides_since: Instant,
    /// What somebody who decided before said to this member, who decides now.
    offered: Option<(LeafRef, Word)>,
    /// What the own right was when it was told last.
    may: bool,
    told: Option<Stage>,
    say: Vec<Say>,
    news: Vec<ShareNews>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    claim: Claim,
    since: Instant,
}

impl Shares {
    pub(crate) fn new(me: LeafRef, rule: Sharing, now: Instant) -> Self {
        Self {
            me,
            rule,
            word: Word::default(),
            by: None,
            holder: None,
            claims: BTreeMap::new(),
            decides: None,
            decides_since: now,
            offered: None,
            may: false,
            told: None,
            say: Vec::new(),
            news: Vec::new(),
        }
    }

    /// Takes in what a member wants or does; returns whether it is news.
    pub(crate) fn hear_claim(&mut self, from: LeafRef, claim: Claim, now: Instant) -> bool {
        let entry = self.claims.entry(from).or_insert(Entry { claim: Claim::default(), since: now });
        let before = entry.claim;
        if claim.number <= before.number {
            return claim.number == before.number;
        }
        if std::mem::discriminant(&claim.what) != std::mem::discriminant(&before.what) {
            entry.since = now;
        }
        entry.claim = claim;
        // Who ends it, or takes back the request, gives the leave back.
        if self.holder == Some(from) && claim.what == What::Nothing && before.what != What::Nothing {
            self.holder = None;
        }
        true
    }

    /// Takes in who may share, as a member says who should be the one who decides.
    pub(crate) fn hear_word(&mut self, from: LeafRef, word: Word, scene: &Scene<'_>, now: Instant) -> Taken {
        self.refresh_decides(scene, now);
        if self.decides == Some(from) {
            if self.by == Some(from) && word.turn <= self.word.turn {
                return Taken::Late;
            }
            self.take_word(from, word, now);
            return Taken::Yes;
        }
        // Who decided before may not know yet that they do no longer, or hands over to this member, who does.
        let is_fresh = now.saturating_duration_since(self.decides_since) < GRACE;
        let sender = scene.members.iter().find(|place| place.reference == from);
        let decided = self.by == Some(from) || scene.chair.is_none() || sender.is_some_and(|place| place.is_successor);
        if is_fresh && decided && self.decides == Some(self.me) && self.by.is_none() {
            self.offered = Some((from, word));
            self.take_over(scene, now);
            return Taken::Yes;
        }
        if self.holder == word.holder || is_fresh && decided { Taken::Late } else { Taken::Usurped }
    }

    /// Takes what the one who decided before left: from somebody of the succession as it is, from anybody else only for
    /// somebody who says so too.
    fn take_over(&mut self, scene: &Scene<'_>, now: Instant) {
        let Some((from, word)) = self.offered else { return };
        if self.by.is_some() || self.decides != Some(self.me) {
            self.offered = None;
            return;
        }
        let is_successor =
            scene.members.iter().any(|place| place.reference == from && place.is_successor && scene.chair.is_some());
        if is_successor || word.holder.is_none_or(|who| self.claim_of(who) != What::Nothing) {
            self.offered = None;
            self.take_word(from, word, now);
        }
    }

    fn take_word(&mut self, from: LeafRef, word: Word, now: Instant) {
        (self.word, self.by, self.holder) = (word, Some(from), word.holder);
        if let Some((who, number)) = word.denied {
            self.deny_here(who, number, now);
        }
    }

    /// The own wish to share something of this level.
    pub(crate) fn ask(&mut self, label: Level, scene: &Scene<'_>, now: Instant) -> Result<(), ShareError> {
        self.refresh_decides(scene, now);
        check_label(label, scene.level)?;
        if self.rule == Sharing::Open {
            self.check_free(scene)?;
        }
        if self.decides.is_none() && self.holder != Some(self.me) {
            return Err(ShareError::NobodyDecides);
        }
        self.claim(What::Asks(label), now);
        if self.is_chair(scene) {
            self.decide(Some(self.me), None);
        }
        Ok(())
    }

    /// Begins to share, or changes the label.
    pub(crate) fn share(&mut self, label: Level, scene: &Scene<'_>, now: Instant) -> Result<(), ShareError> {
        self.refresh_decides(scene, now);
        check_label(label, scene.level)?;
        if self.holder != Some(self.me) {
            if !self.leads(scene) {
                return Err(ShareError::NoLeave);
            }
            self.check_free(scene)?;
            self.decide(Some(self.me), None);
        }
        // It was this member's own doing, so there is nothing to tell.
        self.may = true;
        self.claim(What::Shares(label), now);
        Ok(())
    }

    /// Ends the own sharing, takes the request back, or gives the leave back.
    pub(crate) fn stop(&mut self, scene: &Scene<'_>, now: Instant) {
        self.refresh_decides(scene, now);
        if self.own() == What::Nothing && self.holder == Some(self.me) {
            // Others see that it is over by what comes after something.
            self.claim(What::Asks(Level::Unclassified), now);
        }
        self.may = false;
        if self.own() != What::Nothing {
            self.claim(What::Nothing, now);
        }
    }

    /// The chair lets somebody share, in the place of whoever does.
    pub(crate) fn grant(&mut self, who: LeafRef, scene: &Scene<'_>, now: Instant) -> Result<(), ShareError> {
        self.refresh_decides(scene, now);
        if !self.is_chair(scene) {
            return Err(ShareError::NotChair);
        }
        if !scene.members.iter().any(|place| place.reference == who) {
            return Err(ShareError::Gone);
        }
        if self.holder != Some(who) {
            self.decide(Some(who), None);
        }
        Ok(())
    }

    /// The chair does not let somebody share who asks.
    pub(crate) fn deny(&mut self, who: LeafRef, scene: &Scene<'_>, now: Instant) -> Result<(), ShareError> {
        self.refresh_decides(scene, now);
        if !self.is_chair(scene) {
            return Err(ShareError::NotChair);
        }
        let Some(Entry { claim: Claim { number, what: What::Asks(_) }, .. }) = self.claims.get(&who).copied() else {
            return Err(ShareError::Gone);
        };
        self.decide(self.holder.filter(|holder| *holder != who), Some((who, number)));
        self.deny_here(who, number, now);
        Ok(())
    }

    /// The chair takes the leave back from whoever has it.
    pub(crate) fn stop_sharer(&mut self, scene: &Scene<'_>, now: Instant) -> Result<(), ShareError> {
        self.refresh_decides(scene, now);
        if !self.is_chair(scene) {
            return Err(ShareError::NotChair);
        }
        if self.holder.is_none() {
            return Err(ShareError::Gone);
        }
        self.decide(None, None);
        Ok(())
    }

    /// Brings everything into step with the group; afterwards [`Self::take_say`] and [`Self::take_news`] have what
    /// follows.
    pub(crate) fn refresh(&mut self, scene: &Scene<'_>, now: Instant) {
        self.refresh_decides(scene, now);
        let is_member = |who: &LeafRef| scene.members.iter().any(|place| place.reference == *who);
        self.claims.retain(|who, _| is_member(who));
        self.holder = self.holder.filter(is_member);
        self.take_over(scene, now);
        if self.leads(scene) {
            self.lead(now);
        }
        self.refresh_own(scene, now);
        // What this member gave up is free for others.
        if self.leads(scene) {
            self.lead(now);
        }
    }

    /// What is to be said to the members now.
    pub(crate) fn take_say(&mut self) -> Vec<Say> {
        std::mem::take(&mut self.say)
    }

    /// What became of the own wish.
    pub(crate) fn take_news(&mut self) -> Vec<ShareNews> {
        std::mem::take(&mut self.news)
    }

    /// What newcomers are to be told: the own claim, and the own word where it is the one that counts.
    pub(crate) fn repeat(&self) -> Vec<Say> {
        let own = self.claims.get(&self.me).map(|entry| Say::Claim(entry.claim));
        let word = Word { holder: self.holder, denied: None, ..self.word };
        let word = (self.by == Some(self.me)).then_some(Say::Word(word));
        own.into_iter().chain(word).collect()
    }

    /// The state for the app, where it has changed.
    pub(crate) fn changed(&mut self, scene: &Scene<'_>) -> Option<Stage> {
        let stage = self.stage(scene);
        if self.told.as_ref() == Some(&stage) {
            return None;
        }
        self.told = Some(stage.clone());
        Some(stage)
    }

    /// Whether this member's screen may leave now.
    pub(crate) fn may_send(&self, level: Level) -> bool {
        may_show(self.me, self.holder, self.own(), level).is_ok()
    }

    /// Why a member's screen is not shown, if so.
    pub(crate) fn fault_of(&self, who: LeafRef, level: Level) -> Option<ShareFault> {
        may_show(who, self.holder, self.claim_of(who), level).err()
    }

    fn stage(&self, scene: &Scene<'_>) -> Stage {
        let leaf = |who: LeafRef| scene.members.iter().find(|place| place.reference == who).map(|place| place.leaf);
        let mut requests: Vec<ShareRequest> = self
            .claims
            .iter()
            .filter(|(who, _)| self.holder != Some(**who))
            .filter_map(|(who, entry)| match entry.claim.what {
                What::Asks(label) => Some(ShareRequest { leaf: leaf(*who)?, label, since: entry.since }),
                What::Nothing | What::Shares(_) => None,
            })
            .collect();
        requests.sort_by_key(|request| request.since);
        Stage {
            rule: self.rule,
            decides: self.decides.and_then(leaf),
            holder: self.holder.and_then(leaf),
            shared: self.shared(scene),
            requests,
        }
    }

    fn shared(&self, scene: &Scene<'_>) -> Option<Shared> {
        let who = self.holder?;
        let entry = self.claims.get(&who)?;
        let label = may_show(who, self.holder, entry.claim.what, scene.level).ok()?;
        let leaf = scene.members.iter().find(|place| place.reference == who)?.leaf;
        Some(Shared { leaf, label, since: entry.since })
    }

    /// Whether nobody else shares or may, or this member is the chair, who need not wait for that.
    fn check_free(&self, scene: &Scene<'_>) -> Result<(), ShareError> {
        let other = self.holder.filter(|holder| *holder != self.me && !self.is_chair(scene));
        match other.and_then(|who| scene.members.iter().find(|place| place.reference == who)) {
            Some(place) => Err(ShareError::Busy(place.leaf)),
            None => Ok(()),
        }
    }

    fn refresh_decides(&mut self, scene: &Scene<'_>, now: Instant) {
        let decides = decides(self.rule, scene);
        if self.decides != decides {
            self.decides = decides;
            self.decides_since = now;
        }
    }

    /// Whether this member may decide now.
    fn leads(&self, scene: &Scene<'_>) -> bool {
        self.decides == Some(self.me) && (scene.leads || scene.chair.is_none())
    }

    /// Whether this member decides as the chair, and not only because nobody else is there for it.
    fn is_chair(&self, scene: &Scene<'_>) -> bool {
        scene.chair == Some(self.me) && scene.leads
    }

    /// What the one who decides says by itself: who ended it, and, where sharing is open, whose turn it is.
    fn lead(&mut self, now: Instant) {
        if self.rule == Sharing::Open {
            self.let_in_turn(now);
        }
        let is_mine = self.by == Some(self.me);
        if self.word.holder != self.holder || !is_mine && self.holder.is_some() {
            self.decide(self.holder, None);
        }
    }

    /// Lets the first who asks share while nobody does, and denies it to the rest, who asked at the same moment.
    fn let_in_turn(&mut self, now: Instant) {
        let asks = |(who, entry): (&LeafRef, &Entry)| match entry.claim.what {
            What::Asks(_) => Some((entry.since, *who, entry.claim.number)),
            What::Nothing | What::Shares(_) => None,
        };
        let mut asking: Vec<_> = self.claims.iter().filter_map(asks).collect();
        asking.sort_unstable();
        for (_, who, number) in asking {
            if self.holder.is_none() {
                self.decide(Some(who), None);
            } else if self.holder != Some(who) {
                self.decide(self.holder, Some((who, number)));
                self.deny_here(who, number, now);
            }
        }
    }

    /// Notices what the own right has become.
    fn refresh_own(&mut self, scene: &Scene<'_>, now: Instant) {
        let may = self.holder == Some(self.me);
        let was = std::mem::replace(&mut self.may, may);
        match (was, may) {
            (false, true) => self.news.push(ShareNews::Granted),
            (true, false) => self.news.push(ShareNews::Stopped),
            (true, true) | (false, false) => {}
        }
        if let What::Shares(label) = self.own() {
            if !may {
                self.claim(What::Nothing, now);
            } else if label > scene.level {
                self.news.push(ShareNews::LevelLowered(scene.level));
                self.claim(What::Nothing, now);
                self.may = false;
            }
        }
    }

    fn own(&self) -> What {
        self.claim_of(self.me)
    }

    fn claim_of(&self, who: LeafRef) -> What {
        self.claims.get(&who).map_or(What::Nothing, |entry| entry.claim.what)
    }

    /// Changes the own claim.
    fn claim(&mut self, what: What, now: Instant) {
        let number = self.claims.get(&self.me).map_or(0, |entry| entry.claim.number).saturating_add(1);
        let claim = Claim { number, what };
        self.hear_claim(self.me, claim, now);
        self.say.push(Say::Claim(claim));
    }

    /// Changes the word, as the one who decides.
    fn decide(&mut self, holder: Option<LeafRef>, denied: Option<(LeafRef, u64)>) {
        let turn = if self.by == Some(self.me) { self.word.turn.saturating_add(1) } else { 1 };
        self.word = Word { turn, holder, denied };
        self.by = Some(self.me);
        self.holder = holder;
        self.say.push(Say::Word(self.word));
    }

    /// A request is answered with no.
    fn deny_here(&mut self, who: LeafRef, number: u64, now: Instant) {
        let Some(entry) = self.claims.get_mut(&who) else { return };
        if entry.claim.number > number || !matches!(entry.claim.what, What::Asks(_)) {
            return;
        }
        if who == self.me {
            self.news.push(ShareNews::Denied);
            self.claim(What::Nothing, now);
        } else {
            entry.claim.what = What::Nothing;
        }
    }
}

#[cfg(test)]
mod tests;
