//! Who is let in, and what the others are told.

use conclave_identity::{
    Admission,
    audit::{self, Event, Record},
    issue::{Authority, Reason, Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::{
    Fingerprint, Level,
    wire::signal::{Dismissal, FromRelay, Refusal, ToRelay, VERSION},
};
use conclave_relay::{StartError, Stopped, start};

use crate::client::{Scene, parts, validity, wall};

/// What the second person is told, and what the office's log says of it.
async fn second(scene: &Scene) -> Refusal {
    let mut client = scene.hello(1).await;
    let Some(FromRelay::Refused(refusal)) = client.hear().await else { panic!("not refused") };
    refusal
}

async fn refusal(scene: &Scene) -> Refusal {
    let mut client = scene.hello(0).await;
    let Some(FromRelay::Refused(refusal)) = client.hear().await else { panic!("not refused") };
    assert_eq!(client.hear().await, None, "and the connection ends");
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_is_taken_in() {
    let scene = Scene::new(2);
    let mut first = scene.hello(0).await;
    let joined = first.joined().await;
    assert!(joined.create);
    assert_eq!(joined.transport.candidates, scene.relay.media());
    let mut second = scene.hello(1).await;
    assert_eq!(second.joined().await.neighbours.len(), 1);
    assert!(matches!(first.hear().await, Some(FromRelay::Arrived(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_office_does_not_pass_tls() {
    let scene = Scene::new(1);
    let foreign = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap();
    // The client itself trusts this relay; the relay must not trust the client. In TLS 1.3 the client learns of it
    // with its first read.
    let holder = conclave_identity::Holder::with_signer(
        foreign.holders[0].chain().to_vec(),
        scene.rehearsal.authority.root().clone(),
        foreign.holders[0].signer().clone(),
    );
    let refused = match scene.connect(&holder.unwrap()).await {
        Err(_) => true,
        Ok(mut client) => client.hear().await.is_none(),
    };
    assert!(refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_certificate_that_is_not_on_the_list_is_not_invited() {
    let scene = Scene::new(1);
    let uninvited =
        scene.rehearsal.authority.issue_credential(&delegate(7, wall()), validity(&scene.rehearsal)).unwrap();
    let mut client = scene.hello_as(uninvited.holder()).await;
    assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::NotInvited)));
    assert_eq!(client.hear().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_early_and_too_late_are_refused() {
    let mut scene = Scene::new(1);
    let day = 24 * 60 * 60;
    scene.rehearsal.reissue(|content| content.not_before = wall() + 600).unwrap();
    assert_eq!(refusal(&scene).await, Refusal::TooEarly);
    scene
        .rehearsal
        .reissue(|content| (content.not_before, content.not_after) = (wall() - 2 * day, wall() - day))
        .unwrap();
    assert_eq!(refusal(&scene).await, Refusal::Over);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_above_the_relays_is_refused() {
    let mut scene = Scene::new(1);
    scene.rehearsal.reissue(|content| content.level = Level::Secret).unwrap();
    assert_eq!(refusal(&scene).await, Refusal::Level);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_by_another_office_or_an_edited_one_is_refused() {
    let scene = Scene::new(1);
    let authority = Authority::create("Elsewhere", Validity::days(wall(), 1)).unwrap();
    let content = scene.rehearsal.invitation.content();
    let forged = authority.sign_invitation(content).unwrap();
    let mut edited = scene.rehearsal.invitation.bytes().to_vec();
    let last = edited.len() - 1;
    edited[last] ^= 1;
    for invitation in [forged, edited.into(), b"".as_slice().into(), vec![0; 200_000].into()] {
        let mut client = scene.connect(scene.holder(0)).await.unwrap();
        let mut hello = client.make_hello(&scene.rehearsal);
        hello.invitation = invitation;
        client.say(&ToRelay::Hello(hello)).await;
        assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::Invitation)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_meeting_than_the_invitations_is_refused() {
    let scene = Scene::new(1);
    let mut client = scene.connect(scene.holder(0)).await.unwrap();
    let mut hello = client.make_hello(&scene.rehearsal);
    hello.meeting.0[0] ^= 1;
    client.say(&ToRelay::Hello(hello)).await;
    assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::Invitation)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_refused() {
    let scene = Scene::new(1);
    let mut client = scene.connect(scene.holder(0)).await.unwrap();
    let mut hello = client.make_hello(&scene.rehearsal);
    hello.version = VERSION + 1;
    client.say(&ToRelay::Hello(hello)).await;
    assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::Version)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_connection_of_a_credential_replaces_the_older() {
    let scene = Scene::new(2);
    let mut first = scene.hello(0).await;
    first.joined().await;
    let mut second = scene.hello(0).await;
    second.joined().await;
    assert_eq!(first.hear().await, Some(FromRelay::Refused(Refusal::Replaced)));
    assert_eq!(first.hear().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_relay_says_so() {
    let scene = Scene::with(2, |parts| parts.max_participants = 1);
    let mut first = scene.hello(0).await;
    first.joined().await;
    let mut second = scene.hello(1).await;
    assert_eq!(second.hear().await, Some(FromRelay::Refused(Refusal::Full)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_has_to_say_that_it_takes_over() {
    let scene = Scene::new(1);
    let mut first = scene.hello(0).await;
    first.joined().await;
    let mut second = scene.connect(scene.holder(0)).await.unwrap();
    let mut hello = second.make_hello(&scene.rehearsal);
    hello.take_over = false;
    second.say(&ToRelay::Hello(hello)).await;
    assert_eq!(second.hear().await, Some(FromRelay::Refused(Refusal::AlreadyHere)));
    first.say(&ToRelay::Leave).await;
    assert_eq!(first.hear().await, None, "the older one went by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_lobby_the_named_wait_for_the_chair_or_a_successor() {
    let mut scene = Scene::new(3);
    let third = Fingerprint(scene.holder(2).person().fingerprint);
    let changed = scene.rehearsal.reissue(|content| {
        (content.admission, content.succession) = (Admission::Lobby, vec![third]);
    });
    changed.unwrap();
    let mut delegate = scene.hello(1).await;
    assert!(!delegate.joined().await.create);
    let mut successor = scene.hello(2).await;
    assert!(successor.joined().await.create);
    assert!(matches!(successor.hear().await, Some(FromRelay::Arrived(_))));
    assert!(matches!(delegate.hear().await, Some(FromRelay::Arrived(_))));

    let mut chair = scene.hello(0).await;
    let chair_joined = chair.joined().await;
    assert!(!chair_joined.create);
    assert!(matches!(successor.hear().await, Some(FromRelay::Arrived(_))));
    let delegate_number = chair_joined.neighbours[0].peer;
    successor.say(&ToRelay::Dismiss { peer: delegate_number, why: Dismissal::Denied }).await;
    assert!(matches!(delegate.hear().await, Some(FromRelay::Arrived(_))));
    assert_eq!(delegate.hear().await, Some(FromRelay::Refused(Refusal::Denied)));
    assert_eq!(delegate.hear().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relays_list_revokes_is_refused() {
    let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(2, wall())).unwrap();
    let revoked = rehearsal.holders[1].chain()[..1].to_vec();
    let list = rehearsal.authority.revoke(&revoked, Reason::KeyCompromise, wall()).unwrap().clone();
    let mut parts = parts(&rehearsal);
    parts.revocations = vec![list.clone()];
    let scene = Scene { relay: start(parts).unwrap(), rehearsal };
    assert_eq!(second(&scene).await, Refusal::Revoked);
    let mut first = scene.hello(0).await;
    assert_eq!(first.joined().await.revocations, [list], "the others get the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_invitations_list_revokes_is_refused() {
    let mut scene = Scene::new(2);
    let revoked = scene.holder(1).chain()[..1].to_vec();
    let list = scene.rehearsal.authority.revoke(&revoked, Reason::Superseded, wall()).unwrap().to_vec();
    scene.rehearsal.reissue(|content| content.revocations = vec![list.into()]).unwrap();
    assert_eq!(second(&scene).await, Refusal::Revoked);
    scene.hello(0).await.joined().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_list_reaches_everybody_and_ends_the_connection_of_who_is_on_it() {
    let mut scene = Scene::new(2);
    let mut first = scene.hello(0).await;
    first.joined().await;
    let mut second = scene.hello(1).await;
    second.joined().await;
    assert!(matches!(first.hear().await, Some(FromRelay::Arrived(_))));
    let revoked = scene.holder(1).chain()[..1].to_vec();
    let list = scene.rehearsal.authority.revoke(&revoked, Reason::KeyCompromise, wall()).unwrap().clone();
    let mut edited = list.to_vec();
    *edited.last_mut().unwrap() ^= 1;
    let refused = tokio::task::block_in_place(|| scene.relay.set_revocations(vec![edited.into()]));
    assert!(matches!(refused, Err(Stopped::Revocations(_))), "{refused:?}");
    tokio::task::block_in_place(|| scene.relay.set_revocations(vec![list.clone()])).unwrap();
    assert_eq!(first.hear().await, Some(FromRelay::Revocations(vec![list.clone()])));
    assert_eq!(second.hear().await, Some(FromRelay::Revocations(vec![list.clone()])));
    assert_eq!(second.hear().await, Some(FromRelay::Refused(Refusal::Revoked)));
    assert_eq!(second.hear().await, None);
    assert!(matches!(first.hear().await, Some(FromRelay::Departed(_))));
    assert_eq!(self::second(&scene).await, Refusal::Revoked, "nor do they come back");
    let mut again = scene.hello(0).await;
    assert_eq!(again.joined().await.revocations, [list]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_too_often_is_told_and_fills_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let mut scene = Scene::with(1, |parts| parts.audit = Some(file.clone()));
    scene.rehearsal.reissue(|content| content.not_before = wall() + 600).unwrap();
    let mut told = Vec::new();
    for _ in 0..30 {
        told.push(refusal(&scene).await);
    }
    let early = told.iter().take_while(|refusal| **refusal == Refusal::TooEarly).count();
    // The clock goes on meanwhile: now and then one more is let through.
    assert!((20..30).contains(&early) && told.contains(&Refusal::TooOften), "{told:?}");
    let often = told.iter().filter(|refusal| **refusal == Refusal::TooOften).count();
    assert_eq!(scene.relay.door().throttled, often as u64);
    tokio::task::spawn_blocking(move || scene.relay.shutdown()).await.unwrap();
    let log = std::fs::read_to_string(file).unwrap();
    let logged = log.matches("too-often").count();
    assert!(logged >= 1 && logged < often, "{logged} of {often}");
}

#[test]
fn a_relay_does_not_carry_more_than_its_certificate_allows() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap();
    let day = validity(&rehearsal);
    let relay = rehearsal.authority.issue_relay_certificate(&["127.0.0.1".into()], Level::Restricted, day).unwrap();
    let with = |max_level| {
        let mut parts = parts(&rehearsal);
        (parts.chain, parts.key, parts.max_level) = (relay.chain().to_vec(), relay.private_key(), max_level);
        start(parts)
    };
    with(Level::Restricted).unwrap();
    let error = with(Level::Secret).unwrap_err();
    assert!(matches!(error, StartError::Level { asked: Level::Secret, certified: Level::Restricted }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_names_certificates_and_reasons_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let scene = Scene::with(2, |parts| parts.audit = Some(file.clone()));
    let meeting = scene.rehearsal.invitation.content().meeting;
    let [chair, uninvited] = [Fingerprint(scene.holder(0).person().fingerprint), {
        let other =
            scene.rehearsal.authority.issue_credential(&delegate(7, wall()), validity(&scene.rehearsal)).unwrap();
        let mut client = scene.hello_as(other.holder()).await;
        assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::NotInvited)));
        Fingerprint(other.holder().person().fingerprint)
    }];
    let mut client = scene.hello(0).await;
    client.joined().await;
    let mut again = scene.connect(scene.holder(0)).await.unwrap();
    let mut hello = again.make_hello(&scene.rehearsal);
    hello.take_over = false;
    again.say(&ToRelay::Hello(hello)).await;
    assert!(again.hear().await.is_some());
    client.say(&ToRelay::Leave).await;
    assert_eq!(client.hear().await, None);
    tokio::task::spawn_blocking(move || scene.relay.shutdown()).await.unwrap();

    let of = |event| Record::in_meeting(event, meeting);
    let expected = [
        Record::of(Event::Started),
        of(Event::Refused).person(uninvited).because("not-invited"),
        of(Event::Connected).person(chair),
        of(Event::MeetingOpened),
        of(Event::Member).person(chair),
        of(Event::Refused).person(chair).because("already-here"),
        of(Event::Left).person(chair),
        of(Event::MeetingEnded),
        Record::of(Event::Stopped),
    ];
    let mut records = Vec::new();
    audit::walk(std::fs::File::open(&file).unwrap(), |entry| records.push(entry.record)).unwrap();
    assert_eq!(records, expected);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("Emma") && !text.contains("Rehearsal") && !text.contains("127.0.0.1"), "{text}");
}
