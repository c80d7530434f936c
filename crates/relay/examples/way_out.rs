//! What it costs to send packets to many receivers on this machine: one call for each, or one for each frame.
//!
//! `cargo run --release --example way_out -- [receivers] [packets in a frame] [frames]`. Both in one run, in turns; the
//! kernel's way out and, on loopback, the receivers' way in are part of it. CPU time of the thread (Linux:
//! `schedstat`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement may stop at once, and prints")]

use std::{net::UdpSocket, time::Duration};

use quinn_udp::{Transmit, UdpSocketState};

const PACKET: usize = 1150;

fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Empties the receivers' queues: a full one is a shorter way for a packet.
fn take_all(receivers: &[UdpSocket]) {
    let mut buffer = [0; 2 * PACKET];
    for receiver in receivers {
        while receiver.recv(&mut buffer).is_ok() {}
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let mut next = |default| arguments.next().unwrap_or(default);
    let (receivers, packets, frames) = (next(100), next(4), next(200));
    let receivers: Vec<UdpSocket> = (0..receivers).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    receivers.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let addresses: Vec<_> = receivers.iter().map(|socket| socket.local_addr().unwrap()).collect();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let state = UdpSocketState::new((&sender).into()).unwrap();
    let frame = vec![7; PACKET * packets];
    let (mut single, mut joint) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..frames {
        let begin = cpu();
        for address in &addresses {
            for packet in frame.chunks(PACKET) {
                let _ = sender.send_to(packet, address);
            }
        }
        single += cpu() - begin;
        take_all(&receivers);
        let begin = cpu();
        for destination in &addresses {
            let transmit = Transmit {
                destination: *destination,
                ecn: None,
                contents: &frame,
                segment_size: (packets > 1).then_some(PACKET),
                src_ip: None,
            };
            let _ = state.try_send((&sender).into(), &transmit);
        }
        joint += cpu() - begin;
        take_all(&receivers);
    }
    let sent = addresses.len() * packets * frames;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / sent as f64;
    println!("{} receivers, {packets} packets of {PACKET} bytes in a frame:", addresses.len());
    println!("one call for each packet  {:.2} us a packet", each(single));
    println!("one call for each frame   {:.2} us a packet", each(joint));
}
