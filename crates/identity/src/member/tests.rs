#![allow(clippy::unwrap_used)]

use conclave_model::{Clearance, Role, SeatRank};

use super::*;
use crate::{
    Holder, InvitationContent, Listed,
    issue::{Authority, Reason, Rehearsal, RehearsalSpec, Validity, delegate},
};

const WALL: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

fn rehearsal() -> Rehearsal {
    Rehearsal::new(&RehearsalSpec { level: Level::Secret, ..RehearsalSpec::new(3, WALL) }).unwrap()
}

/// Under the level of the invitation, without lists from elsewhere.
fn admit_chain(rehearsal: &Rehearsal, chain: &[CertificateDer<'_>], wall: u64) -> Result<Person, MemberError> {
    let (invitation, root) = (&rehearsal.invitation, rehearsal.authority.root());
    check_member(chain, invitation, root, &Revocations::default(), invitation.content().level, wall)
}

fn check(rehearsal: &Rehearsal, holder: &Holder, wall: u64) -> Result<Person, MemberError> {
    admit_chain(rehearsal, holder.chain(), wall)
}

#[test]
fn everybody_on_the_list_may_enter_with_the_role_of_the_list() {
    let mut rehearsal = rehearsal();
    rehearsal
        .reissue(|content| {
            content.participants[1].role = Role::Interpreter;
            content.participants[1].rank = SeatRank::Expert;
        })
        .unwrap();
    for (number, holder) in rehearsal.holders.iter().enumerate() {
        let person = check(&rehearsal, holder, WALL).unwrap();
        let certified = holder.person();
        assert_eq!((&person.name, &person.seat), (&certified.name, &certified.seat));
        let wanted = match number {
            0 => (Role::Chair, SeatRank::Head),
            1 => (Role::Interpreter, SeatRank::Expert),
            _ => (Role::Delegate, SeatRank::Head),
        };
        assert_eq!((person.role, person.rank), wanted);
    }
}

#[test]
fn each_rule_keeps_somebody_out() {
    type Change = fn(&mut InvitationContent);
    let expired = WALL + 30 * DAY;
    let cases: [(&str, Change, u64, MemberError); 8] = [
        ("not named", |content| drop(content.participants.remove(2)), WALL, MemberError::NotListed),
        (
            "another name",
            |content| content.participants[2].name = "Somebody Else".into(),
            WALL,
            MemberError::ListDiffers("name"),
        ),
        (
            "another seat",
            |content| content.participants[2].seat = "Utopia".into(),
            WALL,
            MemberError::ListDiffers("seat"),
        ),
        (
            "another seat code",
            |content| content.participants[2].seat_code = "UT".into(),
            WALL,
            MemberError::ListDiffers("seat code"),
        ),
        (
            "not releasable",
            |content| content.releasable = Some(vec!["BE".into(), "BG".into()]),
            WALL,
            MemberError::NotReleasable("CZ".into()),
        ),
        ("another certificate", |content| content.participants[2].fingerprint[31] ^= 1, WALL, MemberError::NotListed),
        ("expired", |_| {}, expired, MemberError::Chain(ChainError::Expired { not_after: WALL + DAY })),
        ("not yet valid", |_| {}, WALL - DAY, MemberError::Chain(ChainError::NotYetValid { not_before: WALL - 3600 })),
    ];
    for (case, change, wall, wanted) in cases {
        let mut rehearsal = rehearsal();
        assert!(check(&rehearsal, &rehearsal.holders[2], WALL).is_ok());
        rehearsal.reissue(change).unwrap();
        assert_eq!(check(&rehearsal, &rehearsal.holders[2], wall), Err(wanted), "{case}");
    }
}

#[test]
fn a_caveat_lets_the_listed_seats_in() {
    let mut rehearsal = rehearsal();
    rehearsal.reissue(|content| content.releasable = Some(vec!["BG".into(), "CZ".into()])).unwrap();
    assert_eq!(check(&rehearsal, &rehearsal.holders[0], WALL), Err(MemberError::NotReleasable("BE".into())));
    assert!(check(&rehearsal, &rehearsal.holders[1], WALL).is_ok());
}

#[test]
fn clearance_must_reach_the_level_and_last() {
    let secret_until = |expires| Some(Clearance { level: Level::Secret, expires });
    let low = Some(Clearance { level: Level::Confidential, expires: WALL + 100 });
    for (clearance, level, wanted) in [
        (secret_until(WALL + 100), Level::Secret, Ok(())),
        (secret_until(WALL + 100), Level::Unclassified, Ok(())),
        (None, Level::Unclassified, Ok(())),
        (None, Level::Restricted, Err(MemberError::NotCleared { needed: Level::Restricted, found: None })),
        (low, Level::Secret, Err(MemberError::NotCleared { needed: Level::Secret, found: Some(Level::Confidential) })),
        (
            secret_until(WALL + 100),
            Level::TopSecret,
            Err(MemberError::NotCleared { needed: Level::TopSecret, found: Some(Level::Secret) }),
        ),
        (secret_until(WALL), Level::Secret, Err(MemberError::ClearanceExpired(WALL))),
        (secret_until(WALL), Level::Unclassified, Ok(())),
    ] {
        let mut rehearsal = rehearsal();
        let spec = crate::issue::PersonSpec { clearance, ..delegate(5, WALL) };
        let issued = rehearsal.authority.issue_credential(&spec, Validity::days(WALL, 1)).unwrap();
        rehearsal
            .reissue(|content| {
                content.level = level;
                content.participants.push(Listed::of(issued.holder(), vec![]));
            })
            .unwrap();
        assert_eq!(check(&rehearsal, issued.holder(), WALL).map(|_| ()), wanted, "{clearance:?} at {level}");
    }
}

#[test]
fn another_authority_of_the_same_name_admits_nobody() {
    let rehearsal = rehearsal();
    let foreign = Authority::create("Rehearsal", Validity::days(WALL, 1)).unwrap();
    let twin = foreign.issue_credential(&delegate(0, WALL), Validity::days(WALL, 1)).unwrap();
    let refused = check(&rehearsal, twin.holder(), WALL);
    assert_eq!(refused, Err(MemberError::Chain(ChainError::Signature)));
    let mut mixed = twin.holder().chain().to_vec();
    mixed[1] = rehearsal.authority.issuing().clone();
    let refused = admit_chain(&rehearsal, &mixed, WALL);
    assert_eq!(refused, Err(MemberError::Chain(ChainError::Signature)));
}

#[test]
fn certificates_for_other_purposes_and_of_absurd_size_admit_nobody() {
    let rehearsal = rehearsal();
    let admit = |chain: &[CertificateDer<'_>]| admit_chain(&rehearsal, chain, WALL).map(|_| ());
    let wrong = Err(MemberError::Chain(ChainError::Purpose(Purpose::Person)));
    assert_eq!(admit(rehearsal.relay.chain()), wrong, "a relay");
    assert_eq!(admit(std::slice::from_ref(rehearsal.authority.issuing())), wrong, "a CA");
    assert_eq!(admit(&[]), Err(MemberError::Chain(ChainError::Empty)));
    let huge = CertificateDer::from(vec![0x30; 10_000_000]);
    assert_eq!(admit(&[huge]), Err(MemberError::Chain(ChainError::TooLarge(10_000_000))));
    let long = vec![rehearsal.holders[0].chain()[0].clone(); 5];
    assert_eq!(admit(&long), Err(MemberError::Chain(ChainError::TooMany(5))));
    let mut with_root = rehearsal.holders[0].chain().to_vec();
    with_root.push(rehearsal.authority.root().clone());
    assert_eq!(admit(&with_root), Ok(()), "the root may come along");
}

#[test]
fn the_level_of_the_group_counts_and_not_that_of_the_invitation() {
    let mut rehearsal = rehearsal();
    let low = Some(Clearance { level: Level::Confidential, expires: WALL + 100 });
    let spec = crate::issue::PersonSpec { clearance: low, ..delegate(5, WALL) };
    let issued = rehearsal.authority.issue_credential(&spec, Validity::days(WALL, 1)).unwrap();
    rehearsal.reissue(|content| content.participants.push(Listed::of(issued.holder(), vec![]))).unwrap();
    let (invitation, root) = (&rehearsal.invitation, rehearsal.authority.root());
    for (level, admitted) in [
        (Level::Unclassified, true),
        (Level::Restricted, true),
        (Level::Confidential, true),
        (Level::Secret, false),
        (Level::TopSecret, false),
    ] {
        let outcome = check_member(issued.holder().chain(), invitation, root, &Revocations::default(), level, WALL);
        assert_eq!(outcome.is_ok(), admitted, "{level}");
        assert!(
            check_member(rehearsal.holders[1].chain(), invitation, root, &Revocations::default(), level, WALL).is_ok()
        );
    }
}

#[test]
fn a_revoked_certificate_admits_nobody_wherever_the_list_comes_from() {
    let mut rehearsal = rehearsal();
    let wanted = Err(MemberError::Revoked { since: WALL - 5 });
    let chain = rehearsal.holders[2].chain().to_vec();
    let list = rehearsal.authority.revoke(&chain[..1], Reason::Unspecified, WALL - 5).unwrap().clone();
    let root = rehearsal.authority.root().clone();
    let lists = Revocations::verify([list.as_ref()], &[], &root).unwrap();
    let level = Level::Secret;
    let by_relay = check_member(&chain, &rehearsal.invitation, &root, &lists, level, WALL);
    assert_eq!(by_relay, wanted, "its CA comes with the chain");
    assert!(check_member(rehearsal.holders[1].chain(), &rehearsal.invitation, &root, &lists, level, WALL).is_ok());
    assert!(check(&rehearsal, &rehearsal.holders[2], WALL).is_ok());
    rehearsal.reissue(|content| content.revocations = vec![serde_bytes::ByteBuf::from(list.to_vec())]).unwrap();
    assert_eq!(check(&rehearsal, &rehearsal.holders[2], WALL), wanted);
}

#[test]
fn names_that_imitate_or_turn_are_neither_certified_nor_read() {
    let rehearsal = rehearsal();
    for name in ["\u{410}nna Virtanen", "Anna\u{202e}nenatriV", "Anna\u{200b} Virtanen", "Anna\u{2067}", "Ann\u{430}"] {
        let spec = crate::issue::PersonSpec { name: name.to_owned(), ..delegate(5, WALL) };
        let refused = rehearsal.authority.issue_credential(&spec, Validity::days(WALL, 1));
        assert!(matches!(refused, Err(crate::issue::IssueError::Text { field: "name", .. })), "{name:?}");
        let foreign =
            rehearsal.authority.certify_unchecked(&spec, rehearsal.holders[0].public_key(), Validity::days(WALL, 1));
        let refused = admit_chain(&rehearsal, &foreign, WALL);
        assert!(
            matches!(refused, Err(MemberError::Profile(ProfileError::Text { field: "name (CN)", .. }))),
            "a careless CA certified {name:?}: {refused:?}"
        );
    }
}

#[test]
fn a_clock_that_is_off_lets_nobody_in_and_says_why() {
    let rehearsal = rehearsal();
    let holder = &rehearsal.holders[1];
    for (wall, wanted) in [
        (0, ChainError::NotYetValid { not_before: WALL - 3600 }),
        (WALL - 3601, ChainError::NotYetValid { not_before: WALL - 3600 }),
        (WALL + DAY + 1, ChainError::Expired { not_after: WALL + DAY }),
        (253_402_300_800, ChainError::Expired { not_after: WALL + DAY }),
        (u64::MAX, ChainError::Expired { not_after: WALL + DAY }),
    ] {
        assert_eq!(check(&rehearsal, holder, wall), Err(MemberError::Chain(wanted)), "{wall}");
    }
}
