//! An invitation is checked before anything is asked of the person, and before anything it says is shown.
//!
//! The certificates of a credential lie in clear in its file, so signature, list, clearance and time can be checked
//! before the password; only that the person has the key is left to prove.

use std::{io, path::Path};

use conclave_identity::{
    CredentialError, Holder, Invitation, InvitationError, MemberError, Revocations, UnverifiedInvitation, WindowError,
    check_member, credential, invitation::MAX_INVITATION,
};

use crate::jobs::read_bounded;

/// With whose certificates an invitation is checked.
#[derive(Clone, Debug)]
pub enum With {
    /// An unlocked credential.
    Holder(Holder),
    /// A credential's file, locked.
    File(std::path::PathBuf),
    /// None was chosen yet.
    Nothing,
}

/// An invitation that was read.
#[derive(Debug)]
pub struct Opened {
    /// As it was read, to be checked again with another credential.
    pub paper: Box<UnverifiedInvitation>,
    /// What holds of it.
    pub state: State,
}

/// How far an invitation could be checked.
#[derive(Debug)]
pub enum State {
    /// Signature, list, clearance and time hold for this credential.
    Checked(Invitation),
    /// There is no credential to check it with, so nothing it says may be shown; why, where a file was chosen.
    Unchecked(Option<CredentialError>),
}

/// Why an invitation is not used.
#[derive(Debug)]
pub enum Refused {
    /// The file cannot be read.
    File(io::Error),
    /// It holds no invitation, or none that this credential trusts.
    Invitation(InvitationError),
    /// The time of the meeting is over.
    Window(WindowError),
    /// It does not admit the person.
    Member(MemberError),
}

/// Reads the invitation at `path` and checks it. Takes some milliseconds; not for the window's thread.
pub fn open(path: &Path, with: &With, wall: u64) -> Result<Opened, Refused> {
    let bytes = read_bounded(path, MAX_INVITATION).map_err(Refused::File)?;
    let paper = Invitation::parse(&bytes).map_err(Refused::Invitation)?;
    check(Box::new(paper), with, wall)
}

/// Checks an invitation at `wall` seconds since 1970-01-01 UTC. A meeting that has not begun is no reason to refuse:
/// the engine waits for it.
pub fn check(paper: Box<UnverifiedInvitation>, with: &With, wall: u64) -> Result<Opened, Refused> {
    let (chain, root) = match with {
        With::Holder(holder) => (holder.chain().to_vec(), holder.root().clone()),
        With::File(path) => match credential::read(path).and_then(|text| credential::parse_certificates(&text)) {
            Ok(certificates) => certificates,
            Err(error) => return Ok(Opened { paper, state: State::Unchecked(Some(error)) }),
        },
        With::Nothing => return Ok(Opened { paper, state: State::Unchecked(None) }),
    };
    let invitation = UnverifiedInvitation::clone(&paper).verify(&root, wall).map_err(Refused::Invitation)?;
    check_member(&chain, &invitation, &root, &Revocations::default(), invitation.content().level, wall)
        .map_err(Refused::Member)?;
    match invitation.check_window(wall) {
        Ok(()) | Err(WindowError::NotBegun { .. }) => Ok(Opened { paper, state: State::Checked(invitation) }),
        Err(error @ WindowError::Over { .. }) => Err(Refused::Window(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_identity::{
        Listed,
        credential::write_private,
        issue::{Rehearsal, RehearsalSpec, Validity, delegate},
    };

    use super::*;
    use crate::sketch::WALL;

    struct Papers {
        _folder: tempfile::TempDir,
        rehearsal: Rehearsal,
        with: With,
        listed: Listed,
    }

    fn papers() -> Papers {
        let folder = tempfile::tempdir().unwrap();
        let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
        let issued = rehearsal.authority.issue_credential(&delegate(0, WALL), Validity::days(WALL, 1)).unwrap();
        let path = folder.path().join("anna.pem");
        write_private(&path, &issued.to_pem("a long password").unwrap()).unwrap();
        let listed = Listed::of(issued.holder(), Vec::new());
        rehearsal.reissue(|content| content.participants = vec![listed.clone()]).unwrap();
        Papers { _folder: folder, rehearsal, with: With::File(path), listed }
    }

    fn paper(papers: &Papers) -> Box<UnverifiedInvitation> {
        Box::new(Invitation::parse(papers.rehearsal.invitation.bytes()).unwrap())
    }

    #[test]
    fn a_locked_credential_is_enough_to_check_an_invitation() {
        let papers = papers();
        let opened = check(paper(&papers), &papers.with, WALL).unwrap();
        let State::Checked(invitation) = opened.state else { panic!("{opened:?}") };
        assert_eq!(invitation.content().participants, std::slice::from_ref(&papers.listed));
    }

    #[test]
    fn without_a_credential_nothing_is_taken_for_true() {
        let papers = papers();
        let opened = check(paper(&papers), &With::Nothing, WALL).unwrap();
        assert!(matches!(opened.state, State::Unchecked(None)), "{opened:?}");
        let gone = check(paper(&papers), &With::File("/nowhere/anna.pem".into()), WALL).unwrap();
        assert!(matches!(gone.state, State::Unchecked(Some(CredentialError::Read { .. }))), "{gone:?}");
    }

    #[test]
    fn what_is_edited_over_foreign_or_for_somebody_else_is_refused_before_the_password() {
        let mut papers = papers();
        let mut bytes = papers.rehearsal.invitation.bytes().to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let edited = Box::new(Invitation::parse(&bytes).unwrap());
        let refused = check(edited, &papers.with, WALL).unwrap_err();
        assert!(matches!(refused, Refused::Invitation(InvitationError::Signature)), "{refused:?}");

        let foreign = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
        let foreign = Box::new(Invitation::parse(foreign.invitation.bytes()).unwrap());
        let refused = check(foreign, &papers.with, WALL).unwrap_err();
        assert!(matches!(refused, Refused::Invitation(InvitationError::Signer(_))), "{refused:?}");

        papers.rehearsal.reissue(|content| content.not_after = WALL + 60).unwrap();
        let refused = check(paper(&papers), &papers.with, WALL + 60).unwrap_err();
        assert!(matches!(refused, Refused::Window(WindowError::Over { .. })), "{refused:?}");

        papers.rehearsal.reissue(|content| content.participants[0].fingerprint = [9; 32]).unwrap();
        let refused = check(paper(&papers), &papers.with, WALL).unwrap_err();
        assert!(matches!(refused, Refused::Member(MemberError::NotListed)), "{refused:?}");
    }
}
