//! The handshake between app and relay, with a flight edited on its way.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::{sync::Arc, time::Duration};

use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use rustls::{ClientConnection, Error, ServerConnection, time_provider::TimeProvider};
use rustls_pki_types::UnixTime;

use super::Case;
use crate::{mutate::edited, stage::WALL};

/// The client's hello, the server's answer, the client's certificate.
const FLIGHTS: u8 = 3;

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(WALL)))
    }
}

/// The bytes that one end has to say.
fn said(write: &mut dyn FnMut(&mut Vec<u8>) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while write(&mut bytes) {}
    bytes
}

/// Shakes hands; `script` says by its first byte which flight is edited, and then how. What came of it at both ends.
fn shake(client: &mut ClientConnection, server: &mut ServerConnection, script: &[u8]) -> Result<(), Error> {
    let (flight, script) = script.split_first().map_or((0, script), |(first, rest)| (first % FLIGHTS, rest));
    for number in 0..FLIGHTS + 1 {
        let is_clients = number % 2 == 0;
        let bytes = if is_clients {
            said(&mut |bytes| client.wants_write() && client.write_tls(bytes).is_ok())
        } else {
            said(&mut |bytes| server.wants_write() && server.write_tls(bytes).is_ok())
        };
        let bytes = if number == flight { edited(&bytes, script) } else { bytes };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            if is_clients {
                server.read_tls(&mut rest).unwrap();
                server.process_new_packets()?;
            } else {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets()?;
            }
        }
    }
    Ok(())
}

/// Scripts that edit each flight in many places.
fn scripts() -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for flight in 0..FLIGHTS {
        for at in [0_u8, 1, 2, 3, 5, 6, 9, 11, 40, 80, 160] {
            all.extend((0..6).map(|what| vec![flight, 0, at, what, at.wrapping_add(1)]));
        }
        all.extend((0..24).map(|at| vec![flight, at, 0x33, 2, at]));
    }
    all
}

/// Whatever a flight becomes on its way, neither end panics, and both are only done with the same keys and the
/// right certificates.
pub(super) fn handshake() -> Case {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, WALL)).unwrap();
    let mut client = rehearsal.holders[0].tls_config(&rehearsal.relay.pin()).unwrap();
    let mut server = rehearsal.relay.server_config().unwrap();
    (client.time_provider, server.time_provider) = (Arc::new(Fixed), Arc::new(Fixed));
    let (client, server) = (Arc::new(client), Arc::new(server));
    Case::new(scripts(), move |script| {
        let mut app = ClientConnection::new(Arc::clone(&client), "relay.invalid".try_into().unwrap()).unwrap();
        let mut relay = ServerConnection::new(Arc::clone(&server)).unwrap();
        let result = shake(&mut app, &mut relay, script);
        if script.len() < 5 {
            assert_eq!(result, Ok(()), "unedited");
        }
        let is_done = result.is_ok() && !app.is_handshaking() && !relay.is_handshaking();
        if is_done {
            let keys = |exported: Result<[u8; 32], Error>| exported.unwrap();
            let apps = keys(app.export_keying_material([0; 32], b"fuzz", None));
            assert_eq!(apps, keys(relay.export_keying_material([0; 32], b"fuzz", None)));
            assert_eq!(relay.peer_certificates().unwrap()[0], rehearsal.holders[0].chain()[0]);
            assert_eq!(app.peer_certificates().unwrap()[0], rehearsal.relay.chain()[0]);
        }
    })
}
