//! A certificate authority, in memory and in a folder.

use std::{
    fmt, fs,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use conclave_model::Level;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{IssueError, PersonSpec, Validity};
use crate::{
    attributes::{ATTRIBUTES_OID, Attributes, INVITATION_USAGE_OID, RELAY_LEVEL_OID},
    certificate,
    credential::{self, CredentialError, MAX_FILE, ProtectError},
    holder::{Holder, Pkcs8},
    invitation::{self, InvitationContent},
    text,
    tls::{self, RelayPin, TlsError},
};

/// The root's certificate in a CA's folder: what relays and others are given as trust anchor.
pub const ROOT_FILE: &str = "root.pem";
const ROOT_KEY_FILE: &str = "root.key.pem";
const ISSUING_FILE: &str = "issuing.pem";
const ISSUING_KEY_FILE: &str = "issuing.key.pem";
const OFFICE_FILE: &str = "office.pem";
const OFFICE_KEY_FILE: &str = "office.key.pem";

/// A deployment's own CA: root, issuing CA, and the office that signs invitations.
pub struct Authority {
    root: CertificateDer<'static>,
    /// Absent where the CA was loaded: the root's key is needed for nothing that happens daily.
    root_key: Option<Pkcs8>,
    issuing: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    issuing_validity: Validity,
    office: CertificateDer<'static>,
    office_key: Pkcs8,
}

impl Authority {
    /// Makes a CA of this name, all of it valid as `validity` says.
    ///
    /// # Errors
    /// [`IssueError::Text`] for the name, [`IssueError::Validity`], [`IssueError::Certificate`].
    pub fn create(name: &str, validity: Validity) -> Result<Self, IssueError> {
        text::check_line(name, text::MAX_NAME - 32)
            .map_err(|error| IssueError::Text { field: "name of the CA", error })?;
        let (root_key, issuing_key, office_key) = (new_key()?, new_key()?, new_key()?);
        let root_pkcs8 = Zeroizing::new(root_key.serialize_der());

        let mut params = authority_params(&format!("{name} Root CA"), name, 1, validity)?;
        let root = params.self_signed(&root_key)?.der().clone();
        let root_issuer = Issuer::new(params, root_key);

        params = authority_params(&format!("{name} Issuing CA"), name, 0, validity)?;
        let issuing = params.signed_by(&issuing_key, &root_issuer)?.der().clone();
        let issuer = Issuer::new(params, issuing_key);

        params = leaf_params(&format!("{name} Office"), name, validity)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(INVITATION_USAGE_OID.to_vec())];
        let office = params.signed_by(&office_key, &issuer)?.der().clone();
        Ok(Self {
            root,
            root_key: Some(root_pkcs8),
            issuing,
            issuer,
            issuing_validity: validity,
            office,
            office_key: Zeroizing::new(office_key.serialize_der()),
        })
    }

    /// Reads the CA in `folder`. The root's key is not read and need not be there.
    ///
    /// # Errors
    /// [`IssueError::Load`] with the file and what is wrong with it, [`IssueError::Certificate`].
    pub fn load(folder: &Path, password: &str) -> Result<Self, IssueError> {
        let root = load_certificate(folder, ROOT_FILE)?;
        let issuing = load_certificate(folder, ISSUING_FILE)?;
        let office = load_certificate(folder, OFFICE_FILE)?;
        let issuing_key = load_key(folder, ISSUING_KEY_FILE, password, &issuing)?;
        let office_key = load_key(folder, OFFICE_KEY_FILE, password, &office)?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(issuing_key.as_slice()),
            &PKCS_ECDSA_P384_SHA384,
        )?;
        let (not_before, not_after) = certificate::validity(&issuing)
            .map_err(|error| load_error(folder, ISSUING_FILE, CredentialError::Profile(error)))?;
        let issuer = Issuer::from_ca_cert_der(&issuing, key)?;
        let issuing_validity = Validity { not_before, not_after };
        Ok(Self { root, root_key: None, issuing, issuer, issuing_validity, office, office_key })
    }

    /// Writes the CA into `folder`, which is made if need be; keys are encrypted with `password`. About a second.
    ///
    /// `root.key.pem` is written where the CA was just created; it belongs into a safe, not on this machine.
    ///
    /// # Errors
    /// [`IssueError::Folder`], [`IssueError::Protect`]: a short password, or a file that exists already.
    pub fn save(&self, folder: &Path, password: &str) -> Result<(), IssueError> {
        make_folder(folder).map_err(|error| IssueError::Folder { path: folder.to_owned(), kind: error.kind() })?;
        let keys = [
            (ROOT_KEY_FILE, self.root_key.as_ref().map(|key| key.as_slice())),
            (ISSUING_KEY_FILE, Some(self.issuer.key().serialized_der())),
            (OFFICE_KEY_FILE, Some(self.office_key.as_slice())),
        ];
        for (name, key) in keys {
            if let Some(key) = key {
                credential::write_private(&folder.join(name), &credential::encrypt_to_pem(key, password)?)?;
            }
        }
        for (name, der) in [(ROOT_FILE, &self.root), (ISSUING_FILE, &self.issuing), (OFFICE_FILE, &self.office)] {
            write_new(&folder.join(name), &credential::certificate_to_pem(der))?;
        }
        Ok(())
    }

    /// The root certificate: the one thing that everybody must have and trust.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The issuing CA's certificate.
    pub fn issuing(&self) -> &CertificateDer<'static> {
        &self.issuing
    }

    /// Issues a credential with a fresh key.
    ///
    /// # Errors
    /// [`IssueError::Text`], [`IssueError::Attributes`], [`IssueError::Validity`], [`IssueError::Certificate`].
    pub fn issue_credential(&self, person: &PersonSpec, validity: Validity) -> Result<IssuedCredential, IssueError> {
        for (field, text) in [("name", &person.name), ("seat", &person.seat)] {
            text::check_line(text, text::MAX_NAME).map_err(|error| IssueError::Text { field, error })?;
        }
        self.check_validity(validity)?;
        let attributes = Attributes {
            seat_code: person.seat_code.clone(),
            rank: person.rank,
            role: person.role,
            clearance: person.clearance,
        };
        let mut params = leaf_params(&person.name, &person.seat, validity)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.custom_extensions = vec![CustomExtension::from_oid_content(ATTRIBUTES_OID, attributes.to_der()?)];
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let key = Zeroizing::new(key.serialize_der());
        let holder = Holder::from_parts(vec![certificate, self.issuing.clone()], self.root.clone(), &key)
            .map_err(|error| IssueError::Load { file: "new credential".into(), error })?;
        Ok(IssuedCredential { holder, key })
    }

    /// Issues a relay's certificate with a fresh key, for these host names and IP addresses. It may carry meetings up to
    /// `max_level`.
    ///
    /// # Errors
    /// [`IssueError::NoHost`], [`IssueError::Host`], [`IssueError::Validity`], [`IssueError::Certificate`].
    pub fn issue_relay_certificate(
        &self,
        hosts: &[String],
        max_level: Level,
        validity: Validity,
    ) -> Result<RelayIdentity, IssueError> {
        let first = hosts.first().ok_or(IssueError::NoHost)?;
        self.check_validity(validity)?;
        if let Some(bad) = hosts.iter().find(|host| !invitation::is_host(host)) {
            return Err(IssueError::Host(bad.clone()));
        }
        let names = CertificateParams::new(hosts)?;
        text::check_line(first, text::MAX_NAME).map_err(|error| IssueError::Text { field: "host name", error })?;
        let mut params = leaf_params(first, "Conclave relay", validity)?;
        params.subject_alt_names = names.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(RELAY_LEVEL_OID, vec![2, 1, max_level.code()])];
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let pin = certificate::key_pin(&certificate).map_err(|_| IssueError::Sign)?;
        Ok(RelayIdentity {
            chain: vec![certificate, self.issuing.clone()],
            root: self.root.clone(),
            key: Zeroizing::new(key.serialize_der()),
            pin: RelayPin(pin),
        })
    }

    /// Signs an invitation; the result is the content of a `.conclave` file.
    ///
    /// # Errors
    /// [`IssueError::Content`] where [`InvitationContent::check`] finds fault, [`IssueError::Sign`].
    pub fn sign_invitation(&self, content: &InvitationContent) -> Result<Bytes, IssueError> {
        let chain = [self.office.clone(), self.issuing.clone()];
        let signed = invitation::sign(content.to_cbor()?, &chain, &self.office_key).ok_or(IssueError::Sign)?;
        Ok(signed.into())
    }

    fn check_validity(&self, validity: Validity) -> Result<(), IssueError> {
        let Validity { not_before, not_after } = self.issuing_validity;
        let within = validity.not_before >= not_before && validity.not_after <= not_after;
        if within && validity.not_before < validity.not_after {
            Ok(())
        } else {
            Err(IssueError::Validity { not_before, not_after })
        }
    }
}

/// Shows no key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", hex::encode(&certificate::fingerprint(&self.root)[..4]))
    }
}

/// A fresh credential, unlocked.
#[derive(Clone)]
pub struct IssuedCredential {
    holder: Holder,
    key: Pkcs8,
}

impl IssuedCredential {
    /// The credential, ready for use.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The person's certificate: what whoever writes the invitation needs.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.holder.chain()[0]
    }

    /// The PKCS#8 key.
    #[cfg(test)]
    pub(crate) fn key_for_tests(&self) -> Pkcs8 {
        self.key.clone()
    }

    /// The credential file, key encrypted with `password`. About 200 ms.
    ///
    /// # Errors
    /// [`ProtectError::ShortPassword`], [`ProtectError::Encrypt`].
    pub fn to_pem(&self, password: &str) -> Result<String, ProtectError> {
        let mut text = credential::encrypt_to_pem(&self.key, password)?;
        for certificate in self.holder.chain().iter().chain([self.holder.root()]) {
            text.push_str(&credential::certificate_to_pem(certificate));
        }
        Ok(text)
    }
}

/// Shows no key.
impl fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedCredential({:?})", self.holder)
    }
}

/// A relay's certificate and key.
#[derive(Clone)]
pub struct RelayIdentity {
    chain: Vec<CertificateDer<'static>>,
    root: CertificateDer<'static>,
    key: Pkcs8,
    pin: RelayPin,
}

impl RelayIdentity {
    /// The relay's certificate, then the issuing CA's.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The root under which the relay and its clients are.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The private key.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()))
    }

    /// The pin for invitations.
    pub fn pin(&self) -> RelayPin {
        self.pin
    }

    /// The chain as a PEM file, without the root.
    pub fn certificate_pem(&self) -> String {
        self.chain.iter().map(credential::certificate_to_pem).collect()
    }

    /// The key as a PEM file, not encrypted: a service starts without anybody typing a password. Write it with
    /// [`credential::write_private`].
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(credential::to_pem("PRIVATE KEY", self.key.to_vec()))
    }

    /// See [`tls::server_config`].
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn server_config(&self) -> Result<rustls::ServerConfig, TlsError> {
        tls::server_config(self.chain.clone(), self.private_key(), std::slice::from_ref(&self.root))
    }
}

/// Shows no key.
impl fmt::Debug for RelayIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayIdentity({:?})", self.pin)
    }
}

fn new_key() -> Result<KeyPair, IssueError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?)
}

fn authority_params(name: &str, owner: &str, below: u8, validity: Validity) -> Result<CertificateParams, IssueError> {
    let mut params = params(name, owner, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf_params(name: &str, owner: &str, validity: Validity) -> Result<CertificateParams, IssueError> {
    let mut params = params(name, owner, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(name: &str, owner: &str, validity: Validity) -> Result<CertificateParams, IssueError> {
    let Validity { not_before, not_after } = validity;
    let refused = IssueError::Validity { not_before, not_after };
    let moment = |seconds: u64| OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok();
    let (Some(first), Some(last), true) = (moment(not_before), moment(not_after), not_before < not_after) else {
        return Err(refused);
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, owner);
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (first, last);
    Ok(params)
}

fn load_error(folder: &Path, name: &str, error: CredentialError) -> IssueError {
    IssueError::Load { file: folder.join(name), error }
}

fn load_certificate(folder: &Path, name: &str) -> Result<CertificateDer<'static>, IssueError> {
    let path = folder.join(name);
    let load = || {
        let failed = |error: io::Error| CredentialError::Read { path: path.clone(), kind: error.kind() };
        let mut text = String::new();
        fs::File::open(&path).map_err(failed)?.take(MAX_FILE as u64).read_to_string(&mut text).map_err(failed)?;
        credential::parse_bundle(&text)?.into_iter().next().ok_or(CredentialError::NoCertificate)
    };
    load().map_err(|error| load_error(folder, name, error))
}

fn load_key(folder: &Path, name: &str, password: &str, of: &CertificateDer<'_>) -> Result<Pkcs8, IssueError> {
    let load = || {
        let key = credential::unlock_key(&credential::read(&folder.join(name))?, password)?;
        crate::holder::check_key(&key, of)?;
        Ok(key)
    };
    load().map_err(|error| load_error(folder, name, error))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a public file; an existing one is never overwritten.
fn write_new(path: &Path, text: &str) -> Result<(), ProtectError> {
    let written = fs::File::options().write(true).create_new(true).open(path);
    written
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| ProtectError::Write { path: path.to_owned(), kind: error.kind() })
}
