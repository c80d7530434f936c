//! Who wants to come in and may not.

use std::time::Duration;

use bytes::Bytes;
use conclave_e2ee::Leaf;
use conclave_identity::{
    Holder,
    issue::{PersonSpec, Validity, delegate},
};
use conclave_model::{
    LeafRef, Level, PeerId,
    wire::signal::{self, Arrival, FromRelay, Hello, Neighbour, ToRelay, VERSION, decode_to_relay},
};
use conclave_session::{Session, SessionConfig};
use openmls::prelude::{BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, MlsMessageOut};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use super::Move;
use crate::{Simulation, Violation, simulation::WALL};

/// The number that a hostile relay gives to a connection that is none.
const NOBODY: PeerId = PeerId(900);

impl Simulation {
    pub(super) fn strike_by_newcomer(&mut self, action: Move) -> Result<(), Violation> {
        let Some(cast) = self.hostile.as_ref().map(|hostile| hostile.cast.clone()) else { return Ok(()) };
        let Some(rules) = cast.rules() else { return Ok(()) };
        match action {
            Move::GhostArrives => {
                let Ok(leaf) = Leaf::new(&cast.impostor, rules) else { return Ok(()) };
                let who = Neighbour { peer: NOBODY, leaf: leaf.reference() };
                self.announce_to_all(who, leaf.key_package());
            }
            Move::GarbageArrives => {
                self.announce_to_all(
                    Neighbour { peer: NOBODY, leaf: LeafRef([9; 16]) },
                    Bytes::from_static(&[3; 5000]),
                );
            }
            Move::KeyPackagesSwapped => {
                let Ok(leaf) = Leaf::new(&cast.stranger, rules) else { return Ok(()) };
                let package = leaf.key_package();
                self.tamper(move |_, message| match message {
                    FromRelay::Arrived(arrival) => {
                        vec![FromRelay::Arrived(Arrival { key_package: package.clone(), ..arrival })]
                    }
                    message => vec![message],
                });
                self.late_comes();
            }
            Move::Unlisted => self.comes(&cast.stranger.clone(), |_| ())?,
            Move::OtherCaSameName => self.comes(&cast.impostor.clone(), |_| ())?,
            Move::ClearanceOver => {
                if let Some(expired) = cast.rehearsal.holders.last() {
                    self.comes(expired, |_| ())?;
                }
            }
            Move::WeakerSuite => {
                let (leaf, package) = weaker_package().unwrap_or((LeafRef([1; 16]), Bytes::new()));
                self.comes(&self.late_holder(), |hello| (hello.leaf, hello.key_package) = (leaf, package))?;
            }
            Move::LargeKeyPackage => {
                let large = Bytes::from(vec![5; 100 << 10]);
                self.comes(&self.late_holder(), |hello| hello.key_package = large)?;
            }
            Move::Homograph | Move::DirectionMarks => {
                let honest = delegate(1, WALL);
                let name = match action {
                    Move::Homograph => honest.name.replace('a', "\u{430}"),
                    _ => format!("\u{202e}{}", honest.name),
                };
                let issued =
                    cast.rehearsal.authority.issue_credential(&PersonSpec { name, ..honest }, Validity::days(WALL, 1));
                self.at_the_door(issued.is_err());
            }
            Move::TenMegabyteCertificate => {
                let hello = self.hello_of(vec![0x30; 10 << 20].into());
                self.at_the_door(decode_to_relay(&signal::encode(&ToRelay::Hello(hello))).is_err());
            }
            Move::ClockAhead => {
                let wall = self.wall() + 3 * 365 * 24 * 3600;
                let config = SessionConfig::new(self.late_holder(), self.invitation().clone(), wall);
                let session = Session::new(config, ([10, 9, 0, 9], 9).into(), self.now);
                self.at_the_door(session.is_err());
            }
            _ => {
                let holder = self.participants[self.victim()].holder.clone();
                let entered = self.enter_puppet(&holder, rules, |_| ())?;
                self.at_the_door(entered.is_err());
            }
        }
        Ok(())
    }

    /// Somebody else, listed, comes in an honest way.
    pub(super) fn late_comes(&mut self) {
        let late = self.late();
        self.participants[late].wants_in = true;
        self.participants[late].comes_at = Some(self.now);
    }

    /// Who is listed and honest, and not there at first.
    pub(crate) fn late(&self) -> usize {
        self.participants.len().saturating_sub(2)
    }

    fn late_holder(&self) -> Holder {
        self.participants[self.late()].holder.clone()
    }

    fn comes(&mut self, holder: &Holder, edit: impl FnOnce(&mut Hello)) -> Result<(), Violation> {
        let rules = self.hostile.as_ref().and_then(|hostile| hostile.cast.rules());
        if let Some(rules) = rules {
            let entered = self.enter_puppet(holder, rules, edit)?;
            self.at_the_door(entered.is_err());
        }
        self.run_for(Duration::from_millis(50))
    }

    fn at_the_door(&mut self, refused: bool) {
        if let Some(hostile) = &mut self.hostile {
            hostile.at_the_door |= refused;
        }
    }

    fn announce_to_all(&mut self, who: Neighbour, key_package: Bytes) {
        for honest in self.honest() {
            self.whisper(honest, &FromRelay::Arrived(Arrival { who, key_package: key_package.clone() }));
        }
    }

    fn hello_of(&self, key_package: Bytes) -> Hello {
        let invitation = self.invitation();
        let mut path = conclave_transport::Path::client(self.now);
        Hello {
            version: VERSION,
            meeting: invitation.content().meeting,
            invitation: invitation.bytes().clone(),
            leaf: LeafRef([1; 16]),
            key_package,
            transport: path.local(),
            take_over: false,
        }
    }

    /// The level above the one at which the meeting is.
    pub(super) fn higher(&self) -> Level {
        let level = self.invitation().content().level;
        Level::ALL.into_iter().find(|other| *other > level).unwrap_or(level)
    }
}

/// A key package of a suite without post-quantum keys.
fn weaker_package() -> Option<(LeafRef, Bytes)> {
    const WEAKER: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
    let provider = OpenMlsRustCrypto::default();
    let signer = SignatureKeyPair::new(WEAKER.signature_algorithm()).ok()?;
    let credential = BasicCredential::new(b"somebody".to_vec()).into();
    let credential = CredentialWithKey { credential, signature_key: signer.public().into() };
    let bundle = KeyPackage::builder().build(WEAKER, &provider, &signer, credential).ok()?;
    let bytes = MlsMessageOut::from(bundle.key_package().clone()).to_bytes().ok()?;
    Some((LeafRef([1; 16]), bytes.into()))
}
