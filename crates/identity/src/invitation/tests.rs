#![allow(clippy::unwrap_used)]

use ciborium::{Value, cbor};
use conclave_model::{Fingerprint, Level, Role};
use proptest::prelude::*;

use serde_bytes::ByteBuf;

use super::*;
use crate::{
    issue::{Authority, IssueError, Reason, Rehearsal, RehearsalSpec, Validity, delegate},
    text::TextError,
};

const WALL: u64 = 1_800_000_000;

fn rehearsal() -> Rehearsal {
    Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap()
}

fn verify(bytes: &[u8], root: &CertificateDer<'_>) -> Result<Invitation, InvitationError> {
    Invitation::parse(bytes)?.verify(root, WALL)
}

#[test]
fn a_signed_invitation_is_read_back_whole() {
    let rehearsal = rehearsal();
    let bytes = rehearsal.invitation.bytes();
    assert_eq!(bytes[..2], [0xd2, 0x84], "the tag of COSE_Sign1, by which the file type is known");
    let invitation = verify(bytes, rehearsal.authority.root()).unwrap();
    assert_eq!(invitation.content(), rehearsal.invitation.content());
    assert_eq!(invitation.content().participants.len(), 3);
    let second = rehearsal.holders[1].person();
    assert_eq!(invitation.place_of(&second.fingerprint).unwrap().name, second.name);
    assert_eq!(invitation.place_of(&[0; 32]), None);
}

#[test]
fn a_meeting_is_open_from_its_beginning_until_its_end() {
    let mut rehearsal = rehearsal();
    let invitation =
        rehearsal.reissue(|content| (content.not_before, content.not_after) = (WALL + 100, WALL + 200)).unwrap();
    assert_eq!(invitation.check_window(WALL + 99), Err(WindowError::NotBegun { not_before: WALL + 100 }));
    assert_eq!(invitation.check_window(WALL + 100), Ok(()));
    assert_eq!(invitation.check_window(WALL + 199), Ok(()));
    assert_eq!(invitation.check_window(WALL + 200), Err(WindowError::Over { not_after: WALL + 200 }));
}

#[test]
fn an_invitation_of_another_office_is_foreign() {
    let (ours, other) = (rehearsal(), Authority::create("Elsewhere", Validity::days(WALL, 1)).unwrap());
    let foreign = other.sign_invitation(ours.invitation.content()).unwrap();
    let refused = verify(&foreign, ours.authority.root()).unwrap_err();
    assert_eq!(refused, InvitationError::Signer(ChainError::UnknownIssuer));
    let namesake = Authority::create("Rehearsal", Validity::days(WALL, 1)).unwrap();
    let foreign = namesake.sign_invitation(ours.invitation.content()).unwrap();
    assert_eq!(verify(&foreign, ours.authority.root()).unwrap_err(), InvitationError::Signer(ChainError::Signature));
    let expired = Invitation::parse(ours.invitation.bytes()).unwrap().verify(ours.authority.root(), WALL * 2);
    assert!(matches!(expired, Err(InvitationError::Signer(ChainError::Expired { .. }))));
}

#[test]
fn a_participant_cannot_sign_an_invitation() {
    let rehearsal = rehearsal();
    let issued = rehearsal.authority.issue_credential(&delegate(9, WALL), Validity::days(WALL, 1)).unwrap();
    let payload = rehearsal.invitation.content().to_cbor().unwrap();
    let signed = sign(payload, issued.holder().chain(), &issued.key_for_tests()).unwrap();
    let refused = verify(&signed, rehearsal.authority.root()).unwrap_err();
    assert_eq!(refused, InvitationError::Signer(ChainError::Purpose(Purpose::Invitations)));
}

#[test]
fn an_edited_invitation_is_refused() {
    let rehearsal = rehearsal();
    let bytes = rehearsal.invitation.bytes();
    let title = bytes.windows(14).position(|window| window == b"etitleiRehears").map(|at| at + 7);
    let mut edited = bytes.to_vec();
    edited[title.unwrap()] = b'r';
    let refused = verify(&edited, rehearsal.authority.root()).unwrap_err();
    assert_eq!(refused, InvitationError::Signature);
    let mut cut = bytes.to_vec();
    cut.pop();
    assert_eq!(verify(&cut, rehearsal.authority.root()).unwrap_err(), InvitationError::NoInvitation);
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert_eq!(verify(&longer, rehearsal.authority.root()).unwrap_err(), InvitationError::NoInvitation);
}

#[test]
fn what_is_no_invitation_is_said_to_be_none() {
    for bytes in [b"".as_slice(), b"PK\x03\x04", b"\xd2\x84\x40\xa0\xf6\x40", &[0x9f; 1000], &[0x5b, 0xff, 0xff, 0xff]]
    {
        assert_eq!(Invitation::parse(bytes).unwrap_err(), InvitationError::NoInvitation);
    }
    let huge = vec![0xd2; MAX_INVITATION + 1];
    assert_eq!(Invitation::parse(&huge).unwrap_err(), InvitationError::TooLarge(MAX_INVITATION + 1));
}

#[test]
fn each_limit_of_the_content_is_kept() {
    type Change = fn(&mut InvitationContent);
    let bad = |field, error| ContentError::Text { field, error };
    let cases: [(Change, ContentError); 22] = [
        (|content| content.title.clear(), bad("title", TextError::Empty)),
        (|content| content.title = "x".repeat(201), bad("title", TextError::TooLong { found: 201, limit: 200 })),
        (|content| content.title.push('\u{2067}'), bad("title", TextError::Forbidden(0x2067))),
        (|content| content.warning = Some("a\tb".into()), bad("warning", TextError::Forbidden(9))),
        (|content| content.not_after = content.not_before, ContentError::Window),
        (|content| content.relay.port = 0, ContentError::Port),
        (|content| content.relay.host = "relay.example/x".into(), ContentError::Host("relay.example/x".into())),
        (|content| content.relay.host = "-relay".into(), ContentError::Host("-relay".into())),
        (|content| content.participants.clear(), ContentError::Participants(0)),
        (|content| content.participants = vec![content.participants[0].clone(); 257], ContentError::Participants(257)),
        (
            |content| content.participants[1].name.push('\u{200b}'),
            bad("the name of a participant", TextError::Forbidden(0x200b)),
        ),
        (|content| content.participants[1].languages = vec!["fi".into(); 25], ContentError::Languages(25)),
        (|content| content.participants[1].languages = vec!["f i".into()], ContentError::Language("fi".into())),
        (|content| content.releasable = Some(vec![]), ContentError::Releasable(0)),
        (
            |content| content.releasable = Some(vec!["fi".into()]),
            bad("a seat of the caveat", TextError::Forbidden(b'f'.into())),
        ),
        (|content| content.succession = vec![Fingerprint([7; 32])], ContentError::SuccessorUnlisted("07070707".into())),
        (
            |content| {
                content.participants[1].fingerprint = [7; 32];
                content.succession = vec![Fingerprint([7; 32]); 2];
            },
            ContentError::SuccessorTwice("07070707".into()),
        ),
        (
            |content| content.originator = Some(Fingerprint([7; 32])),
            ContentError::OriginatorUnlisted("07070707".into()),
        ),
        (
            |content| {
                content.admission = Admission::Lobby;
                content.participants[0].role = Role::Delegate;
            },
            ContentError::NobodyAdmits,
        ),
        (|content| content.revocations = vec![ByteBuf::new(); 17], ContentError::Revocations(17)),
        (|content| content.revocations = vec![ByteBuf::from(vec![0; 65_537])], ContentError::RevocationSize(65_537)),
        (
            |content| content.participants[2].name = "Аnna Virtanen".into(),
            bad("the name of a participant", TextError::MixedScripts),
        ),
    ];
    let rehearsal = rehearsal();
    for (change, wanted) in cases {
        let mut content = rehearsal.invitation.content().clone();
        change(&mut content);
        assert_eq!(content.check(), Err(wanted.clone()));
        assert_eq!(rehearsal.authority.sign_invitation(&content), Err(IssueError::Content(wanted)));
    }
    let mut content = rehearsal.invitation.content().clone();
    content.participants[2].fingerprint = content.participants[0].fingerprint;
    assert!(matches!(content.check(), Err(ContentError::Twice(_))));
}

#[test]
fn a_full_list_fits() {
    let mut rehearsal = rehearsal();
    let one = rehearsal.invitation.content().participants[0].clone();
    let bytes = rehearsal
        .reissue(|content| {
            content.participants =
                (0..=255_u8).map(|number| Listed { fingerprint: [number; 32], ..one.clone() }).collect();
        })
        .unwrap()
        .bytes()
        .len();
    assert!(bytes < MAX_INVITATION, "{bytes}");
}

#[test]
fn addresses_of_all_kinds_are_accepted() {
    let rehearsal = rehearsal();
    for host in ["relay.example.org", "localhost", "10.1.2.3", "2001:db8::1", "::1"] {
        let mut content = rehearsal.invitation.content().clone();
        content.relay.host = host.to_owned();
        assert_eq!(content.check(), Ok(()), "{host}");
    }
}

#[test]
fn unknown_fields_and_versions_are_refused() {
    let content = rehearsal().invitation.content().clone();
    let with = |version: u16, extra: Option<&str>| {
        let mut fields = Value::serialized(&content).unwrap().into_map().unwrap();
        fields.extend(extra.map(|name| (Value::from(name), Value::from(1))));
        let mut bytes = Vec::new();
        ciborium::into_writer(&cbor!({"version" => version, "content" => Value::Map(fields)}).unwrap(), &mut bytes)
            .unwrap();
        InvitationContent::from_cbor(&bytes).map(|_| ())
    };
    assert_eq!(with(1, None), Ok(()));
    assert_eq!(with(2, None), Err(ContentError::Version(2)));
    assert_eq!(with(2, Some("novelty")), Err(ContentError::Version(2)), "a later version may have other fields");
    assert_eq!(with(1, Some("novelty")), Err(ContentError::Malformed));
    assert_eq!(content.level, Level::Restricted);
}

#[test]
fn chairs_lead_in_the_order_of_the_list_and_then_the_succession() {
    let spec = RehearsalSpec {
        admission: Admission::Lobby,
        succession: vec![3, 0, 2],
        originator: Some(1),
        ..RehearsalSpec::new(5, WALL)
    };
    let mut rehearsal = Rehearsal::new(&spec).unwrap();
    rehearsal.reissue(|content| content.participants[4].role = Role::Chair).unwrap();
    let people: Vec<_> = rehearsal.holders.iter().map(|holder| Fingerprint(holder.person().fingerprint)).collect();
    let invitation = &rehearsal.invitation;
    assert_eq!(invitation.succession(), [0, 4, 3, 2].map(|number: usize| people[number]));
    assert_eq!(invitation.content().originator, Some(people[1]));
    let stranger = Fingerprint([9; 32]);
    for (person, rank) in [(0, Some(0)), (1, None), (2, Some(3)), (3, Some(2)), (4, Some(1))] {
        assert_eq!(invitation.rank(&people[person]), rank, "{person}");
        assert_eq!(invitation.may_open(&people[person]), rank.is_some(), "{person}");
    }
    assert!(!invitation.may_open(&stranger) && invitation.rank(&stranger).is_none());
    let open = rehearsal.reissue(|content| content.admission = Admission::Open).unwrap();
    assert!(people.iter().all(|person| open.may_open(person)));
    assert!(!open.may_open(&stranger));
}

#[test]
fn lists_that_come_along_are_checked_and_count() {
    let mut rehearsal = rehearsal();
    let elsa = rehearsal.holders[2].chain()[0].clone();
    let list = rehearsal.authority.revoke(&[elsa], Reason::KeyCompromise, WALL).unwrap().clone();
    let with = |rehearsal: &mut Rehearsal, lists: &[&[u8]]| {
        let lists: Vec<_> = lists.iter().map(|list| ByteBuf::from(list.to_vec())).collect();
        rehearsal.reissue(|content| content.revocations = lists).map(|invitation| invitation.revocations().clone())
    };
    let lists = with(&mut rehearsal, &[&list]).unwrap();
    let revoked = Err(Revoked { since: WALL });
    assert_eq!(lists.check(rehearsal.holders[2].chain(), rehearsal.authority.root()), revoked);
    assert_eq!(lists.check(rehearsal.holders[1].chain(), rehearsal.authority.root()), Ok(()));
    let mut altered = list.to_vec();
    *altered.last_mut().unwrap() ^= 1;
    for (bytes, wanted) in
        [(altered, RevocationError::Signature(2)), (b"garbage".to_vec(), RevocationError::Malformed(2))]
    {
        let refused = with(&mut rehearsal, &[&list, &bytes]).unwrap_err();
        assert_eq!(refused, IssueError::Invitation(InvitationError::Revocations(wanted)));
    }
}

#[test]
fn a_signer_who_is_revoked_signs_nothing_any_more() {
    let mut rehearsal = rehearsal();
    let office = rehearsal.invitation.signer_chain()[0].clone();
    let list = rehearsal.authority.revoke(&[office], Reason::KeyCompromise, WALL).unwrap().clone();
    let root = rehearsal.authority.root().clone();
    let lists = Revocations::verify([list.as_ref()], rehearsal.authority.issuers(), &root).unwrap();
    let revoked = InvitationError::Revoked(Revoked { since: WALL });
    assert_eq!(rehearsal.invitation.check_signer(&Revocations::default(), &root), Ok(()));
    assert_eq!(rehearsal.invitation.check_signer(&lists, &root), Err(revoked.clone()));
    let refused = rehearsal.reissue(|content| content.revocations = vec![ByteBuf::from(list.to_vec())]).unwrap_err();
    assert_eq!(refused, IssueError::Invitation(revoked));
}

#[test]
fn an_invitation_that_nobody_would_read_is_not_signed() {
    let mut rehearsal = rehearsal();
    let refused = rehearsal.reissue(|content| content.revocations = vec![ByteBuf::from(vec![0; 60_000]); 3]);
    assert!(matches!(refused, Err(IssueError::TooLarge(180_000..))), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_invitations_are_errors_and_never_a_panic(at in 0_usize..4000, value: u8, cut in 0_usize..5000) {
        thread_local! { static SAMPLE: Rehearsal = rehearsal(); }
        SAMPLE.with(|sample| {
            let mut bytes = sample.invitation.bytes().to_vec();
            let at = at % bytes.len();
            let same = bytes[at] == value && cut >= bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            assert_eq!(verify(&bytes, sample.authority.root()).is_ok(), same);
        });
    }

    #[test]
    fn random_bytes_are_no_invitation(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Invitation::parse(&bytes).is_err());
        prop_assert!(InvitationContent::from_cbor(&bytes).is_err());
    }
}
