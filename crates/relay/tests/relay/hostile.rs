//! What a broken or hostile client gets; the meeting of the others is untouched.

use std::time::Duration;

use conclave_model::wire::signal::{FromRelay, MAX_MESSAGE, Refusal, ToRelay};
use conclave_relay::DoorCounters;
use futures_util::SinkExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, PATIENCE, Scene, secure};

/// A member that stays, to see that nothing happens to it.
async fn bystander(scene: &Scene) -> Client {
    let mut client = scene.hello(0).await;
    client.joined().await;
    client
}

async fn is_untouched(scene: &Scene, mut client: Client) {
    let mut other = scene.hello(2).await;
    other.joined().await;
    loop {
        match client.hear().await {
            Some(FromRelay::Arrived(_) | FromRelay::Departed(_)) => {}
            heard => panic!("{heard:?}"),
        }
        if timeout(Duration::from_millis(200), async { futures_util::StreamExt::next(&mut client.socket).await })
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A member says something and is thrown out for it.
async fn is_thrown_out(message: Message) {
    let scene = Scene::new(3);
    let bystander = bystander(&scene).await;
    let mut client = scene.hello(1).await;
    client.joined().await;
    // The relay may close before all of it is written.
    let _ = client.socket.send(message).await;
    let heard = client.hear().await;
    assert!(matches!(heard, Some(FromRelay::Refused(Refusal::Misbehaved)) | None), "{heard:?}");
    is_untouched(&scene, bystander).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_an_open_connection_ends_it() {
    is_thrown_out(Message::Binary(vec![0xff; 100].into())).await;
    is_thrown_out(Message::Text("hello".into())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_ends_its_connection() {
    is_thrown_out(Message::Binary(vec![0; MAX_MESSAGE + 1].into())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_hello_is_misuse() {
    let scene = Scene::new(3);
    for first in [ToRelay::Leave, ToRelay::Broadcast("hello".into())] {
        let mut client = scene.connect(scene.holder(1)).await.unwrap();
        client.say(&first).await;
        assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::Misbehaved)));
    }
    let mut client = scene.connect(scene.holder(1)).await.unwrap();
    client.say_bytes(vec![0; 1000].into()).await;
    assert_eq!(client.hear().await, Some(FromRelay::Refused(Refusal::Misbehaved)));
    assert_eq!(client.hear().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_messages_or_pings_ends_its_sender() {
    let scene = Scene::new(3);
    let bystander = bystander(&scene).await;
    for flood in [
        Message::Binary(conclave_model::wire::signal::encode(&ToRelay::Wishes(vec![]))),
        Message::Ping(b"are you there?".as_slice().into()),
    ] {
        let mut client = scene.hello(1).await;
        client.joined().await;
        for _ in 0..2000 {
            if client.socket.send(flood.clone()).await.is_err() {
                break;
            }
        }
        loop {
            match client.hear().await {
                Some(FromRelay::Refused(Refusal::Misbehaved)) | None => break,
                Some(_) => {}
            }
        }
    }
    is_untouched(&scene, bystander).await;
}

/// What the relay answers to bytes on a bare TCP connection; it must end it.
async fn answer(scene: &Scene, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(scene.address()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the relay ends the connection");
    drop(read);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_gets_nothing() {
    let scene = Scene::new(3);
    let bystander = bystander(&scene).await;
    for bytes in [b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n".as_slice(), &[0xff; 5000], &[0x16, 3, 1, 0xff, 0xff]] {
        let answer = if bytes.len() == 5 {
            // A record that never ends is cut off in time; not waited for here.
            let mut stream = TcpStream::connect(scene.address()).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            Vec::new()
        } else {
            answer(&scene, bytes).await
        };
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    is_untouched(&scene, bystander).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_in_tls_is_no_websocket() {
    let scene = Scene::new(3);
    let stream = TcpStream::connect(scene.address()).await.unwrap();
    let mut stream = secure(stream, scene.holder(1), &scene.rehearsal).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the relay ends the connection");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.contains(" 101 ") && !answer.contains(" 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_datagrams_do_nothing() {
    let scene = Scene::new(3);
    let bystander = bystander(&scene).await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in (0..3000).step_by(100) {
        udp.send_to(&vec![u8::try_from(length % 251).unwrap(); length], scene.relay.media()[0]).await.unwrap();
    }
    is_untouched(&scene, bystander).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_at_the_door_is_counted() {
    let scene = Scene::new(3);
    let idle = TcpStream::connect(scene.address()).await.unwrap();
    answer(&scene, b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n").await;
    let stream = TcpStream::connect(scene.address()).await.unwrap();
    let mut stream = secure(stream, scene.holder(1), &scene.rehearsal).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n").await.unwrap();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("the relay ends the connection");
    let mut refused = scene.connect(scene.holder(1)).await.unwrap();
    refused.say(&ToRelay::Leave).await;
    while refused.hear().await.is_some() {}
    let mut gone = scene.connect(scene.holder(1)).await.unwrap();
    gone.socket.close(None).await.unwrap();
    while gone.hear().await.is_some() {}
    // The one that says nothing is the last to go.
    let mut idle = idle;
    let _ = timeout(PATIENCE, idle.read_to_end(&mut Vec::new())).await.expect("the relay ends the connection");
    let expected = DoorCounters { idle: 1, tls: 1, websocket: 1, refused: 1, closed: 1, ..DoorCounters::default() };
    // A connection is counted right after its end.
    let counted = async {
        while scene.relay.door() != expected {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, counted).await.is_ok(), "{:?}", scene.relay.door());
}
