//! A certificate authority, in memory and in a folder.

use std::{fmt, fs, io, path::Path};

use bytes::Bytes;
use conclave_model::Level;
use rcgen::{CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, Issuer, PublicKeyData};
use rustls_pki_types::CertificateDer;

use super::{
    IssueError, IssuedCredential, PersonSpec, RelayIdentity, Validity,
    key::{self, CaKey, PublicKey},
    template,
};
use crate::{
    attributes::{ATTRIBUTES_OID, Attributes, INVITATION_USAGE_OID, RELAY_LEVEL_OID},
    certificate::{self, ChainError, MAX_CHAIN, Purpose},
    credential::{self, CredentialError, ProtectError},
    holder::{Holder, Pkcs8},
    invitation::{self, InvitationContent, MAX_INVITATION},
    revocation::MAX_LISTS,
    text,
    tls::RelayPin,
};

/// The root's certificate in a CA's folder: what relays and others are given as trust anchor.
pub const ROOT_FILE: &str = "root.pem";
const ROOT_KEY_FILE: &str = "root.key.pem";
const ISSUING_FILE: &str = "issuing.pem";
const ISSUING_KEY_FILE: &str = "issuing.key.pem";
const OFFICE_FILE: &str = "office.pem";
const OFFICE_KEY_FILE: &str = "office.key.pem";

const REVOCATIONS_FILE: &str = "crl.pem";
const REVOCATIONS_LABEL: &str = "X509 CRL";

/// How long before `wall` the office of an adopted CA is valid, in seconds: clocks differ.
const CLOCKS_DIFFER: u64 = 3600;

/// A deployment's own CA: root, issuing CA, and the office that signs invitations.
pub struct Authority {
    root: CertificateDer<'static>,
    /// Absent where the CA was loaded: the root's key is needed for nothing that happens daily.
    root_key: Option<Pkcs8>,
    /// The CA that issues, then those between it and the root.
    pub(super) issuers: Vec<CertificateDer<'static>>,
    pub(super) issuer: Issuer<'static, CaKey>,
    issuing_validity: Validity,
    office: CertificateDer<'static>,
    office_key: Pkcs8,
    pub(super) revocations: Vec<Bytes>,
}

impl Authority {
    /// Makes a CA of this name, all of it valid as `validity` says.
    ///
    /// # Errors
    /// [`IssueError::Text`] for the name, [`IssueError::Validity`], [`IssueError::Certificate`].
    pub fn create(name: &str, validity: Validity) -> Result<Self, IssueError> {
        text::check_line(name, text::MAX_NAME - 32)
            .map_err(|error| IssueError::Text { field: "name of the CA", error })?;
        let (root_key, issuing_key) = (CaKey::generate()?, CaKey::generate()?);
        let root_pkcs8 = root_key.pkcs8().clone();

        let mut params = template::authority(&format!("{name} Root CA"), name, 1, validity)?;
        let root = params.self_signed(&root_key)?.der().clone();
        let root_issuer = Issuer::new(params, root_key);

        params = template::authority(&format!("{name} Issuing CA"), name, 0, validity)?;
        let issuing = params.signed_by(&issuing_key, &root_issuer)?.der().clone();
        let issuer = Issuer::new(params, issuing_key);
        let (office, office_key) = new_office(name, &issuer, validity)?;
        Ok(Self {
            root,
            root_key: Some(root_pkcs8),
            issuers: vec![issuing],
            issuer,
            issuing_validity: validity,
            office,
            office_key,
            revocations: Vec::new(),
        })
    }

    /// Takes over an existing CA, made by other tools: `issuers` are the issuing CA's certificate and those between it and
    /// `root`; `issuing_key` is its unencrypted key in PKCS#8. Makes an office that signs invitations, named after it, as
    /// of `wall` seconds since 1970-01-01 UTC. The root's key is not needed.
    ///
    /// # Errors
    /// [`IssueError::AdoptKey`], [`IssueError::Adopt`] where what it issues would not hold under `root`,
    /// [`IssueError::AdoptUsage`] where it may not sign revocation lists, [`IssueError::Certificate`].
    pub fn adopt(
        root: CertificateDer<'static>,
        issuers: Vec<CertificateDer<'static>>,
        issuing_key: Pkcs8,
        wall: u64,
    ) -> Result<Self, IssueError> {
        let issuing = issuers.first().ok_or(IssueError::Adopt(ChainError::Empty))?;
        if issuers.len() > MAX_CHAIN - 2 {
            return Err(IssueError::Adopt(ChainError::TooMany(issuers.len() + 2)));
        }
        let key = ca_key(issuing_key, issuing).ok_or(IssueError::AdoptKey)?;
        let (first, last) = certificate::validity(issuing).map_err(IssueError::Profile)?;
        let issuing_validity = Validity { not_before: first, not_after: last };
        let owner = certificate::owner(issuing).map_err(IssueError::Profile)?;
        let office_validity = Validity { not_before: first.max(wall.saturating_sub(CLOCKS_DIFFER)), not_after: last };
        let issuer = Issuer::from_ca_cert_der(issuing, key)?;
        let (office, office_key) = new_office(&owner, &issuer, office_validity)?;
        let chain: Vec<_> = std::iter::once(&office).chain(&issuers).cloned().collect();
        certificate::verify_chain(&chain, &root, wall, Purpose::Invitations).map_err(IssueError::Adopt)?;
        let name = certificate::subject_name(issuing).map_err(IssueError::Profile)?;
        if !certificate::list_signers(&issuers, &root).iter().any(|signer| signer.name == name) {
            return Err(IssueError::AdoptUsage);
        }
        Ok(Self {
            root,
            root_key: None,
            issuers,
            issuer,
            issuing_validity,
            office,
            office_key,
            revocations: Vec::new(),
        })
    }

    /// Reads the CA in `folder`. The root's key is not read and need not be there.
    ///
    /// # Errors
    /// [`IssueError::NoAuthority`], [`IssueError::FolderOpen`] (Unix), [`IssueError::Load`] with the file and what is wrong
    /// with it, [`IssueError::Certificate`].
    pub fn load(folder: &Path, password: &str) -> Result<Self, IssueError> {
        if !folder.join(ROOT_FILE).is_file() {
            return Err(IssueError::NoAuthority(folder.to_owned()));
        }
        check_folder(folder)?;
        let one = |name| load_certificates(folder, name).map(|mut found| found.remove(0));
        let (root, office) = (one(ROOT_FILE)?, one(OFFICE_FILE)?);
        let issuers = load_certificates(folder, ISSUING_FILE)?;
        let issuing_key = load_key(folder, ISSUING_KEY_FILE, password)?;
        let key = ca_key(issuing_key, &issuers[0])
            .ok_or_else(|| load_error(folder, ISSUING_KEY_FILE, CredentialError::KeyMismatch))?;
        let office_key = load_key(folder, OFFICE_KEY_FILE, password)?;
        crate::holder::check_key(&office_key, &office).map_err(|error| load_error(folder, OFFICE_KEY_FILE, error))?;
        let (not_before, not_after) = certificate::validity(&issuers[0])
            .map_err(|error| load_error(folder, ISSUING_FILE, CredentialError::Profile(error)))?;
        let issuer = Issuer::from_ca_cert_der(&issuers[0], key)?;
        let issuing_validity = Validity { not_before, not_after };
        let revocations = load_revocations(folder)?;
        Ok(Self { root, root_key: None, issuers, issuer, issuing_validity, office, office_key, revocations })
    }

    /// Writes the CA into `folder`, which is made if need be; keys are encrypted with `password`. About a second.
    ///
    /// `root.key.pem` is written where the CA was just created; it belongs into a safe, not on this machine.
    ///
    /// # Errors
    /// [`IssueError::Folder`], [`IssueError::FolderOpen`] (Unix), [`IssueError::Protect`]: a short password, or a file that
    /// exists already.
    pub fn save(&self, folder: &Path, password: &str) -> Result<(), IssueError> {
        make_folder(folder).map_err(|error| IssueError::Folder { path: folder.to_owned(), kind: error.kind() })?;
        check_folder(folder)?;
        let keys = [
            (ROOT_KEY_FILE, self.root_key.as_ref().map(|key| key.as_slice())),
            (ISSUING_KEY_FILE, Some(self.issuer.key().pkcs8().as_slice())),
            (OFFICE_KEY_FILE, Some(self.office_key.as_slice())),
        ];
        for (name, key) in keys {
            if let Some(key) = key {
                credential::write_private(&folder.join(name), &credential::encrypt_to_pem(key, password)?)?;
            }
        }
        let certificates: [(&str, &[CertificateDer<'_>]); 3] = [
            (ROOT_FILE, std::slice::from_ref(&self.root)),
            (ISSUING_FILE, &self.issuers),
            (OFFICE_FILE, std::slice::from_ref(&self.office)),
        ];
        for (name, found) in certificates {
            let text: String = found.iter().map(credential::certificate_to_pem).collect();
            write_new(&folder.join(name), &text)?;
        }
        Ok(())
    }

    /// Writes the revocation lists into the CA's folder, in place of the older ones, whole or not at all. Returns the file.
    ///
    /// # Errors
    /// [`IssueError::Protect`].
    pub fn save_revocations(&self, folder: &Path) -> Result<std::path::PathBuf, IssueError> {
        let (path, fresh) = (folder.join(REVOCATIONS_FILE), folder.join("crl.pem.new"));
        let text = self.revocations_pem();
        let failed = |error: io::Error| ProtectError::Write { path: path.clone(), kind: error.kind() };
        fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &path)).map_err(failed)?;
        Ok(path)
    }

    /// The revocation lists as a PEM file, for relays.
    pub fn revocations_pem(&self) -> String {
        self.revocations.iter().map(|list| credential::to_pem(REVOCATIONS_LABEL, list.to_vec())).collect()
    }

    /// The root certificate: the one thing that everybody must have and trust.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The issuing CA's certificate.
    pub fn issuing(&self) -> &CertificateDer<'static> {
        &self.issuers[0]
    }

    /// The issuing CA's certificate, then those between it and the root: what follows a certificate in a chain.
    pub fn issuers(&self) -> &[CertificateDer<'static>] {
        &self.issuers
    }

    /// [`Validity::days`] that does not begin before the CA's own.
    pub fn validity(&self, wall: u64, days: u32) -> Validity {
        let Validity { not_before, not_after } = Validity::days(wall, days);
        Validity { not_before: not_before.max(self.issuing_validity.not_before), not_after }
    }

    /// Issues a credential with a fresh key.
    ///
    /// # Errors
    /// [`IssueError::Text`], [`IssueError::Attributes`], [`IssueError::Validity`], [`IssueError::Certificate`].
    pub fn issue_credential(&self, person: &PersonSpec, validity: Validity) -> Result<IssuedCredential, IssueError> {
        let key = key::generate()?;
        let public = crate::holder::FileKey::from_pkcs8(&key).ok_or(IssueError::Sign)?;
        let public = PublicKey::from_point(public.point())?;
        let certificate = self.person_params(person, validity)?.signed_by(&public, &self.issuer)?.der().clone();
        let holder = Holder::from_parts(self.chain(certificate), self.root.clone(), &key)
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
        let mut params = template::leaf(first, "Conclave relay", validity)?;
        params.subject_alt_names = names.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let level = vec![2, 1, max_level.code()];
        params.custom_extensions = vec![CustomExtension::from_oid_content(RELAY_LEVEL_OID, level)];
        let key = key::generate()?;
        let public = crate::holder::FileKey::from_pkcs8(&key).ok_or(IssueError::Sign)?;
        let public = PublicKey::from_point(public.point())?;
        let certificate = params.signed_by(&public, &self.issuer)?.der().clone();
        let pin = certificate::key_pin(&certificate).map_err(IssueError::Profile)?;
        Ok(RelayIdentity { chain: self.chain(certificate), root: self.root.clone(), key, pin: RelayPin(pin) })
    }

    /// Signs an invitation; the result is the content of a `.conclave` file.
    ///
    /// # Errors
    /// [`IssueError::Content`] where [`InvitationContent::check`] finds fault, [`IssueError::TooLarge`],
    /// [`IssueError::Sign`].
    pub fn sign_invitation(&self, content: &InvitationContent) -> Result<Bytes, IssueError> {
        let chain = self.chain(self.office.clone());
        let signed = invitation::sign(content.to_cbor()?, &chain, &self.office_key).ok_or(IssueError::Sign)?;
        if signed.len() > MAX_INVITATION { Err(IssueError::TooLarge(signed.len())) } else { Ok(signed.into()) }
    }

    /// What a person's certificate states.
    pub(super) fn person_params(
        &self,
        person: &PersonSpec,
        validity: Validity,
    ) -> Result<CertificateParams, IssueError> {
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
        let mut params = template::leaf(&person.name, &person.seat, validity)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.custom_extensions = vec![CustomExtension::from_oid_content(ATTRIBUTES_OID, attributes.to_der()?)];
        Ok(params)
    }

    pub(super) fn chain(&self, certificate: CertificateDer<'static>) -> Vec<CertificateDer<'static>> {
        std::iter::once(certificate).chain(self.issuers.iter().cloned()).collect()
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

fn new_office(
    owner: &str,
    issuer: &Issuer<'_, CaKey>,
    validity: Validity,
) -> Result<(CertificateDer<'static>, Pkcs8), IssueError> {
    let key = CaKey::generate()?;
    let mut params = template::leaf(&format!("{owner} Office"), owner, validity)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(INVITATION_USAGE_OID.to_vec())];
    let office = params.signed_by(&key, issuer)?.der().clone();
    Ok((office, key.pkcs8().clone()))
}

/// The CA's key, if it is that of its certificate.
fn ca_key(pkcs8: Pkcs8, certificate: &CertificateDer<'_>) -> Option<CaKey> {
    let key = CaKey::from_pkcs8(pkcs8)?;
    let stated = certificate::public_key(certificate).ok()?;
    (key.subject_public_key_info() == stated).then_some(key)
}

fn load_error(folder: &Path, name: &str, error: CredentialError) -> IssueError {
    IssueError::Load { file: folder.join(name), error }
}

fn load_certificates(folder: &Path, name: &str) -> Result<Vec<CertificateDer<'static>>, IssueError> {
    let path = folder.join(name);
    let found = credential::read_public(&path)
        .and_then(|text| credential::parse_bundle(&text))
        .map_err(|error| load_error(folder, name, error))?;
    if found.is_empty() { Err(load_error(folder, name, CredentialError::NoCertificate)) } else { Ok(found) }
}

fn load_key(folder: &Path, name: &str, password: &str) -> Result<Pkcs8, IssueError> {
    let load = || credential::unlock_key(&credential::read(&folder.join(name))?, password);
    load().map_err(|error| load_error(folder, name, error))
}

fn load_revocations(folder: &Path) -> Result<Vec<Bytes>, IssueError> {
    let path = folder.join(REVOCATIONS_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let lists = credential::read_lists(&path).map_err(|error| load_error(folder, REVOCATIONS_FILE, error))?;
    if lists.len() > MAX_LISTS {
        return Err(load_error(folder, REVOCATIONS_FILE, CredentialError::TooLarge));
    }
    Ok(lists)
}

/// Whoever may write here could exchange the root, so the folder is its owner's alone.
#[cfg(unix)]
fn check_folder(folder: &Path) -> Result<(), IssueError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error: io::Error| IssueError::Folder { path: folder.to_owned(), kind: error.kind() };
    let mode = fs::metadata(folder).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(IssueError::FolderOpen { path: folder.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_folder(_: &Path) -> Result<(), IssueError> {
    Ok(())
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
