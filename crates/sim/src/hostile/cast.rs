//! Who plays: made once for each size of meeting, since keys and certificates take longer than most meetings.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use conclave_e2ee::Rules;
use conclave_identity::{
    Holder, Invitation, InvitationContent, Listed,
    issue::{Authority, IssueError, PersonSpec, Rehearsal, Validity, delegate},
};
use conclave_model::{Clearance, Level};

use crate::simulation::{self, WALL};

/// The people of a meeting and those who want to be.
pub(crate) struct Cast {
    /// Where somebody is hostile, the last of the holders has a clearance that is over.
    pub(crate) rehearsal: Rehearsal,
    /// Certified by the same office, and not on the list.
    pub(crate) stranger: Holder,
    /// Certified by another office of the same name, for somebody of the same name as one on the list.
    pub(crate) impostor: Holder,
}

impl Cast {
    fn new(people: usize, is_led: bool, is_hostile: bool) -> Result<Self, IssueError> {
        let mut rehearsal = if is_led { simulation::with_lobby(people)? } else { simulation::open(people)? };
        let validity = Validity::days(WALL, 1);
        let stranger = rehearsal.authority.issue_credential(&delegate(40, WALL), validity)?.holder().clone();
        let other = Authority::create("Rehearsal", validity)?;
        let impostor = other.issue_credential(&delegate(1, WALL), validity)?.holder().clone();
        if !is_hostile {
            return Ok(Self { rehearsal, stranger, impostor });
        }
        let clearance = Some(Clearance { level: Level::TopSecret, expires: WALL });
        let spec = PersonSpec { clearance, ..delegate(41, WALL) };
        let expired = rehearsal.authority.issue_credential(&spec, validity)?.holder().clone();
        rehearsal.reissue(|content| content.participants.push(Listed::of(&expired, Vec::new())))?;
        rehearsal.holders.push(expired);
        Ok(Self { rehearsal, stranger, impostor })
    }

    /// What the members go by.
    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        self.belief(|_| ())
    }

    /// What a hostile member goes by: an invitation that is not the one.
    pub(crate) fn belief(&self, change: impl FnOnce(&mut InvitationContent)) -> Option<Arc<Rules>> {
        let mut content = self.rehearsal.invitation.content().clone();
        change(&mut content);
        let bytes = self.rehearsal.authority.sign_invitation(&content).ok()?;
        let root = self.rehearsal.authority.root();
        let invitation = Invitation::parse(&bytes).ok()?.verify(root, WALL).ok()?;
        let mut rules = Rules::clone(&Rules::new(invitation, root.clone()));
        rules.ceiling = Level::TopSecret;
        Some(Arc::new(rules))
    }
}

/// The cast for a meeting of so many, and of one whose clearance is over where somebody is hostile.
pub(crate) fn cast(people: usize, is_led: bool, is_hostile: bool) -> Result<Arc<Cast>, IssueError> {
    static CASTS: Mutex<BTreeMap<(usize, bool, bool), Arc<Cast>>> = Mutex::new(BTreeMap::new());
    let mut casts = CASTS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (people, is_led, is_hostile);
    if let Some(cast) = casts.get(&key) {
        return Ok(cast.clone());
    }
    let cast = Arc::new(Cast::new(people, is_led, is_hostile)?);
    casts.insert(key, cast.clone());
    Ok(cast)
}

/// What the honest members of a rehearsal go by.
pub(crate) fn rules_of(rehearsal: &Rehearsal) -> Arc<Rules> {
    Rules::new(rehearsal.invitation.clone(), rehearsal.authority.root().clone())
}
