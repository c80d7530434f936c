//! What a client says of relays that are none, or misbehave.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
};

use common::{Member, Table, patiently};
use conclave_client::{Command, ConnectError, Phase, RetryReason, Step};
use futures_util::{SinkExt, StreamExt};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// Serves each connection at the table's port in a way of its own; ends with the test's process.
fn serve(table: &Table, answer: impl Fn(TcpStream) + Send + 'static) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, table.port())).unwrap();
    let server = std::thread::Builder::new().name("server".to_owned());
    server.spawn(move || listener.incoming().flatten().for_each(answer)).unwrap();
}

/// Serves each connection with the relay's true certificate and says `messages`, then waits for the client to go.
fn serve_signals(table: &Table, messages: Vec<Message>) {
    let tls = TlsAcceptor::from(Arc::new(table.relay_identity().server_config().unwrap()));
    serve(table, move |stream| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            stream.set_nonblocking(true).unwrap();
            let stream = tls.accept(tokio::net::TcpStream::from_std(stream).unwrap()).await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            for message in messages.clone() {
                socket.send(message).await.unwrap();
            }
            while let Some(Ok(_)) = socket.next().await {}
        });
    });
}

fn error_of(client: &Member) -> ConnectError {
    let mut found = None;
    patiently("an error is shown", || {
        if let Phase::Connecting { last_error: Some(RetryReason::Connection(error)), .. } = &client.snapshot().phase {
            found = Some(error.clone());
        }
        found.is_some()
    });
    client.try_send(Command::Leave).unwrap();
    client.join();
    found.unwrap()
}

#[test]
fn a_web_server_is_no_relay() {
    let table = Table::new(1);
    serve(&table, |mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = error_of(&table.client(0));
    assert!(matches!(&error, ConnectError::NotARelay { .. }), "{error:?}");
    assert!(error.to_string().contains("is no Conclave relay"), "{error}");
}

#[test]
fn a_port_that_takes_connections_and_says_nothing_is_given_up() {
    let table = Table::new(1);
    serve(&table, std::mem::forget);
    let error = error_of(&table.client(0));
    assert!(matches!(&error, ConnectError::TimedOut { step: Step::Handshake, .. }), "{error:?}");
}

#[test]
fn a_name_that_nobody_knows_is_named() {
    let mut table = Table::new(1);
    table.move_relay("relay.invalid");
    let error = error_of(&table.client(0));
    assert_eq!(error, ConnectError::Resolve { host: "relay.invalid".into() });
}

#[test]
fn a_relay_that_sends_garbage_is_left() {
    let table = Table::new(1);
    serve_signals(&table, vec![Message::Binary(vec![0xff; 100].into())]);
    assert_eq!(error_of(&table.client(0)), ConnectError::Garbage);
}

#[test]
fn a_relay_that_sends_text_is_left() {
    let table = Table::new(1);
    serve_signals(&table, vec![Message::text("hello")]);
    assert_eq!(error_of(&table.client(0)), ConnectError::Garbage);
}

#[test]
fn a_relay_that_sends_more_than_a_message_may_have_is_left() {
    let table = Table::new(1);
    serve_signals(&table, vec![Message::Binary(vec![0; (2 << 20) + 1].into())]);
    let error = error_of(&table.client(0));
    assert!(matches!(&error, ConnectError::NotARelay { .. }), "{error:?}");
}

#[test]
fn a_relay_that_hangs_up_is_tried_again() {
    let table = Table::new(1);
    serve_signals(&table, vec![Message::Close(None)]);
    assert_eq!(error_of(&table.client(0)), ConnectError::Closed);
}
