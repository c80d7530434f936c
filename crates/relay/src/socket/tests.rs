#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, time::Duration};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn media() -> (MediaSocket, SocketAddr) {
    let socket = bind_media("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (MediaSocket::new(socket, &[address]).unwrap(), address)
}

/// A datagram of this length that is like no other.
fn datagram(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|place| (number * 31 + place) as u8).collect()
}

fn receiver() -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn datagrams_of_all_lengths_arrive_as_they_were() {
    let (mut media, _) = media();
    media.socket.writable().await.unwrap();
    let receivers = [receiver(), receiver()];
    let lengths = [1100, 1100, 1100, 400, 1100, 1, 1200, 1200, 1199, 1200, 30, 30, 30];
    let mut expected: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    for (number, length) in lengths.into_iter().cycle().take(65).enumerate() {
        // Long runs to one, then to the other, and both by turns.
        let to = if number < 26 { number / 13 } else { number % 2 };
        let bytes = datagram(number, length);
        assert_eq!(media.send(&bytes, receivers[to].1), 0);
        expected.entry(to).or_default().push(bytes);
    }
    assert_eq!(media.flush(), 0);
    assert_eq!(media.flush(), 0, "nothing is sent twice");
    let mut buffer = [0; 2048];
    for (to, all) in expected {
        for bytes in all {
            let length = receivers[to].0.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], bytes);
        }
        receivers[to].0.set_nonblocking(true).unwrap();
        assert!(receivers[to].0.recv(&mut buffer).is_err());
    }
}

#[tokio::test]
async fn what_waits_is_taken_in_at_once_with_its_boundaries() {
    let (media, address) = media();
    let mut intake = Intake::new(&media);
    // One that sends trains, as clients on Linux may.
    let (mut sender, from) = self::media();
    sender.socket.writable().await.unwrap();
    let mut expected = Vec::new();
    for (number, length) in [1000, 1000, 1000, 200, 5, 1000, 0, 7].into_iter().enumerate() {
        expected.push(datagram(number, length));
        assert_eq!(sender.send(&expected[number], address), 0);
    }
    assert_eq!(sender.flush(), 0);
    let mut taken = Vec::new();
    let all = async {
        // An empty one is none to a media path, and gives nothing out.
        while taken.len() < expected.len() - 1 {
            media.readable().await.unwrap();
            let result = media.receive(&mut intake, |source, to, bytes| {
                assert_eq!((source, to), (from, address));
                taken.push(bytes.to_vec());
            });
            assert!(result.is_ok_and(|_| true) || taken.len() < expected.len());
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    expected.retain(|datagram| !datagram.is_empty());
    assert_eq!(taken, expected);
}

#[tokio::test]
async fn a_datagram_that_nobody_can_send_is_counted() {
    let (mut media, _) = media();
    media.socket.writable().await.unwrap();
    let (_, to) = receiver();
    // UDP carries no more than 65,507 bytes.
    assert_eq!(media.send(&vec![0; 70_000], to), 0);
    assert_eq!(media.flush(), 1);
    assert_eq!(media.send(&[1], to) + media.flush(), 0, "and the next one leaves");
}

#[test]
fn a_train_has_one_receiver_and_one_length() {
    let (one, two) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:1".parse().unwrap());
    let mut train = Train::default();
    train.push(&[0; 1000], one);
    assert!(train.takes(1000, one, 64) && train.takes(10, one, 64));
    assert!(!train.takes(1001, one, 64) && !train.takes(1000, two, 64) && !train.takes(1000, one, 1));
    train.push(&[0; 999], one);
    assert!(!train.takes(999, one, 64), "a shorter one is the last");
    train.clear();
    assert!(!train.takes(999, one, 64));
    for _ in 0..65 {
        train.push(&[0; 1000], one);
    }
    assert!(!train.takes(1000, one, 100), "UDP has a longest datagram");
}
