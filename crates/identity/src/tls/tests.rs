#![allow(clippy::unwrap_used)]

use conclave_model::Level;
use rustls::{ClientConnection, ServerConnection, time_provider::TimeProvider};

use super::*;
use crate::certificate::ProfileError;
use crate::issue::{Rehearsal, RehearsalSpec, Validity, delegate};

const WALL: u64 = 1_800_000_000;

#[derive(Debug)]
struct Fixed(u64);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0)))
    }
}

fn rehearsal() -> Rehearsal {
    Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap()
}

/// Shakes hands in memory; what each end said in the end.
fn shake(
    client: ClientConfig,
    server: ServerConfig,
    wall: u64,
) -> (Result<ClientConnection, rustls::Error>, Result<ServerConnection, rustls::Error>) {
    let (mut client, mut server) = (client, server);
    client.time_provider = Arc::new(Fixed(wall));
    server.time_provider = Arc::new(Fixed(wall));
    let mut client = ClientConnection::new(Arc::new(client), "relay.invalid".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let (mut said, mut answered) = (Ok(()), Ok(()));
    for _ in 0..6 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && answered.is_ok() {
            server.read_tls(&mut rest).unwrap();
            answered = server.process_new_packets().map(|_| ());
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && said.is_ok() {
            client.read_tls(&mut rest).unwrap();
            said = client.process_new_packets().map(|_| ());
        }
    }
    (said.map(|()| client), answered.map(|()| server))
}

#[test]
fn client_and_relay_prove_themselves_with_the_hybrid_group() {
    let rehearsal = rehearsal();
    let holder = &rehearsal.holders[0];
    let (client, server) =
        shake(holder.tls_config(&rehearsal.relay.pin()).unwrap(), rehearsal.relay.server_config().unwrap(), WALL);
    let (client, server) = (client.unwrap(), server.unwrap());
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(client.alpn_protocol(), Some(ALPN_SIGNAL));
    let shown = &server.peer_certificates().unwrap()[0];
    assert_eq!(certificate::fingerprint(shown), holder.person().fingerprint);
}

#[test]
fn a_relay_with_another_key_is_refused_by_name() {
    let rehearsal = rehearsal();
    let other = rehearsal
        .authority
        .issue_relay_certificate(&["127.0.0.1".into()], Level::Secret, Validity::days(WALL, 1))
        .unwrap();
    let config = rehearsal.holders[0].tls_config(&rehearsal.relay.pin()).unwrap();
    let (client, _) = shake(config, other.server_config().unwrap(), WALL);
    assert_eq!(RelayTrustError::of(&client.unwrap_err()), Some(&RelayTrustError::Pin));
}

#[test]
fn a_relay_under_another_root_or_out_of_time_is_refused_even_with_the_right_pin() {
    let (ours, theirs) = (rehearsal(), rehearsal());
    let config = ours.holders[0].tls_config(&theirs.relay.pin()).unwrap();
    let (client, _) = shake(config, theirs.relay.server_config().unwrap(), WALL);
    let refused = RelayTrustError::Chain(ChainError::Signature);
    assert_eq!(RelayTrustError::of(&client.unwrap_err()), Some(&refused));
    let config = ours.holders[0].tls_config(&ours.relay.pin()).unwrap();
    let (client, _) = shake(config, ours.relay.server_config().unwrap(), WALL * 2);
    let error = client.unwrap_err();
    assert!(matches!(RelayTrustError::of(&error), Some(RelayTrustError::Chain(ChainError::Expired { .. }))));
}

#[test]
fn a_participant_cannot_pose_as_a_relay() {
    let rehearsal = rehearsal();
    let posing = rehearsal.authority.issue_credential(&delegate(5, WALL), Validity::days(WALL, 1)).unwrap();
    let key = PrivateKeyDer::Pkcs8(posing.key_for_tests().to_vec().into());
    let server = server_config(posing.holder().chain().to_vec(), key, &[rehearsal.authority.root().clone()]).unwrap();
    let pin = RelayPin(certificate::key_pin(posing.certificate()).unwrap());
    let (client, _) = shake(rehearsal.holders[0].tls_config(&pin).unwrap(), server, WALL);
    let refused = RelayTrustError::Chain(ChainError::Purpose(Purpose::Relay));
    assert_eq!(RelayTrustError::of(&client.unwrap_err()), Some(&refused));
}

#[test]
fn the_relay_refuses_strangers_and_clients_without_a_certificate() {
    let (ours, theirs) = (rehearsal(), rehearsal());
    let stranger = theirs.holders[0].clone();
    let mut config = stranger.tls_config(&ours.relay.pin()).unwrap();
    config
        .dangerous()
        .set_certificate_verifier(Arc::new(PinnedRelay { root: ours.authority.root().clone(), pin: ours.relay.pin() }));
    let (_, server) = shake(config.clone(), ours.relay.server_config().unwrap(), WALL);
    assert!(matches!(server.unwrap_err(), rustls::Error::InvalidCertificate(_)));

    let nobody = ClientConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedRelay {
            root: ours.authority.root().clone(),
            pin: ours.relay.pin(),
        }))
        .with_no_client_auth();
    let mut nobody = nobody;
    nobody.alpn_protocols = vec![ALPN_SIGNAL.to_vec()];
    let (_, server) = shake(nobody, ours.relay.server_config().unwrap(), WALL);
    assert_eq!(server.unwrap_err(), rustls::Error::NoCertificatesPresented);
}

#[test]
fn classical_key_agreement_is_not_negotiated() {
    let rehearsal = rehearsal();
    let classical = CryptoProvider {
        kx_groups: vec![provider::kx_group::X25519, provider::kx_group::SECP384R1],
        ..(*crypto()).clone()
    };
    let server = WebPkiClientVerifier::builder_with_provider(
        Arc::new({
            let mut anchors = RootCertStore::empty();
            anchors.add(rehearsal.authority.root().clone()).unwrap();
            anchors
        }),
        Arc::new(classical.clone()),
    )
    .build()
    .unwrap();
    let key =
        CertifiedKey::from_der(rehearsal.relay.chain().to_vec(), rehearsal.relay.private_key(), &classical).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(classical))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(server)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    let (client, server) = shake(rehearsal.holders[0].tls_config(&rehearsal.relay.pin()).unwrap(), server, WALL);
    assert!(client.is_err() || server.is_err());
}

#[test]
fn a_relays_key_must_be_that_of_its_certificate() {
    let rehearsal = rehearsal();
    let other = rehearsal
        .authority
        .issue_relay_certificate(&["127.0.0.1".into()], Level::Secret, Validity::days(WALL, 1))
        .unwrap();
    let roots = [rehearsal.authority.root().clone()];
    assert!(server_config(rehearsal.relay.chain().to_vec(), other.private_key(), &roots).is_err());
    assert!(server_config(rehearsal.relay.chain().to_vec(), rehearsal.relay.private_key(), &[]).is_err());
}

#[test]
fn the_level_of_a_relay_is_certified_and_read_after_the_handshake() {
    let rehearsal = rehearsal();
    for level in [Level::Unclassified, Level::Restricted, Level::Confidential, Level::Secret, Level::TopSecret] {
        let relay =
            rehearsal.authority.issue_relay_certificate(&["::1".into()], level, Validity::days(WALL, 1)).unwrap();
        let config = rehearsal.holders[0].tls_config(&relay.pin()).unwrap();
        let (client, _) = shake(config, relay.server_config().unwrap(), WALL);
        let client = client.unwrap();
        assert_eq!(certificate::read_relay_level(&client.peer_certificates().unwrap()[0]), Ok(level));
    }
    let person = &rehearsal.holders[0].chain()[0];
    assert_eq!(certificate::read_relay_level(person), Ok(Level::Unclassified), "absent");
    let mut forged = rehearsal.relay.chain()[0].to_vec();
    let oid = crate::attributes::RELAY_LEVEL_OID_DER;
    let at = forged.windows(oid.len()).position(|window| window == oid).unwrap() + oid.len();
    assert_eq!(forged[at..at + 5], [4, 3, 2, 1, 4], "an INTEGER in an OCTET STRING");
    for (place, value) in [(at + 4, 5), (at + 4, 0x80), (at + 2, 10), (at + 3, 0)] {
        let before = std::mem::replace(&mut forged[place], value);
        let read = certificate::read_relay_level(&CertificateDer::from(forged.clone()));
        assert_eq!(read, Err(ProfileError::RelayLevel), "{place} {value}");
        forged[place] = before;
    }
}
