//! Who is let in, and what the others are told.

use conclave_identity::issue::{Authority, Rehearsal, RehearsalSpec, Validity, delegate};
use conclave_model::{
    Level,
    wire::signal::{FromRelay, Refusal, ToRelay, VERSION},
};

use crate::client::{Scene, wall};

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
        scene.rehearsal.authority.issue_credential(&delegate(7, wall()), Validity::days(wall(), 1)).unwrap();
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
