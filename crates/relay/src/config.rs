//! The configuration file, and what is wrong with it.

mod file;

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use conclave_identity::{
    ChainError, CredentialError, ProfileError, Purpose, RelayPin, RevocationError, TlsError,
    certificate::{is_self_issued, purposes, subject},
    credential, key_pin, read_relay_level, verify_chain,
};
use conclave_model::{Level, wire::signal::MAX_LIST};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls;

use crate::{
    admission::check_lists,
    audit::AuditProblem,
    inspect_audit,
    server::{Parts, is_nowhere},
};
use file::{Entry, File, said};

/// Where clients connect unless the file says otherwise.
const LISTEN: &str = "[::]:7443";

/// How many may be connected at once unless the file says otherwise.
const PARTICIPANTS: usize = 500;

/// How many may be in one meeting unless the file says otherwise.
const PARTICIPANTS_PER_MEETING: usize = 100;

/// What `public` takes. It must be there where the media socket is bound to no address in particular.
const PUBLIC: &str = "a list of IP addresses at which clients reach the relay, with or without a UDP port, as \
                      [\"192.0.2.1\", \"[2001:db8::1]:7443\"]";

/// The configuration of a relay, read from TOML. Paths in it are relative to the file's folder.
///
/// | key | meaning | unless given |
/// | --- | --- | --- |
/// | `listen` | IP address and TCP port for clients | `"[::]:7443"` |
/// | `media` | IP address and UDP port for media | as `listen` |
/// | `public` | list of IP addresses, with or without UDP port, at which clients reach `media` | the address of `media`; must be given where that is `[::]` or `0.0.0.0` |
/// | `certificate` | PEM file: the relay's certificate, then issuing CAs | must be given |
/// | `key` | PEM file: its private key, readable by the owner alone | must be given |
/// | `trust` | PEM file: roots whose credentials and invitations count | must be given |
/// | `revocations` | list of files with certificate revocation lists (PEM or DER) of those offices | none |
/// | `max_level` | highest level of meetings, as `"restricted"`; at most what the relay's certificate allows | what the certificate allows |
/// | `max_participants` | connections at once, 1 to 10000 | 500 |
/// | `max_participants_per_meeting` | connections in one meeting, 2 to 256 | 100 |
/// | `log` | `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"` | `"info"` |
/// | `audit` | file to which admissions are appended, as [`conclave_identity::audit`] says | none |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// The UDP socket for media; `None` stands for the address and port of `listen`.
    pub media: Option<SocketAddr>,
    /// Its addresses as clients reach them; port 0 stands for the socket's own.
    pub public: Vec<SocketAddr>,
    /// The file with the relay's certificate chain.
    pub certificate: PathBuf,
    /// The file with its private key.
    pub key: PathBuf,
    /// The file with the trusted roots.
    pub trust: PathBuf,
    /// The files with revocation lists.
    pub revocations: Vec<PathBuf>,
    /// The highest level that the relay carries; `None` stands for the one that its certificate states.
    pub max_level: Option<Level>,
    /// The most connections at once.
    pub max_participants: usize,
    /// The most connections in one meeting.
    pub max_participants_per_meeting: usize,
    /// How much is logged.
    pub log: LogLevel,
    /// The file of the audit log.
    pub audit: Option<PathBuf>,
    /// Where the keys stand that name files, for error messages.
    source: Source,
}

/// How much a relay logs. Names and secrets are in no level; addresses from `debug` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What stops the relay.
    Error,
    /// What an administrator should look at.
    Warn,
    /// Start, end, and counters once a minute.
    #[default]
    Info,
    /// Connections.
    Debug,
    /// Everything.
    Trace,
}

/// Where in the file the keys stand that name other files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    file: PathBuf,
    certificate: usize,
    key: usize,
    trust: usize,
    /// One for each list.
    revocations: Vec<usize>,
    max_level: usize,
    audit: usize,
}

/// What is wrong with a configuration: which file, which line, which key, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {}", .file.display(), said(.reason))]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is no TOML.
    #[error("{}:{line}: {message}", .file.display())]
    Syntax {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What the parser found.
        message: String,
    },
    /// A key that does not exist.
    #[error("{}:{line}: there is no key `{key}`; there are {allowed}", .file.display())]
    Unknown {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Which key.
        key: String,
        /// All keys.
        allowed: String,
    },
    /// A key that must be there.
    #[error("{}: the key `{key}` is missing; it takes {allowed}", .file.display())]
    Missing {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: &'static str,
        /// What it takes.
        allowed: &'static str,
    },
    /// A value that the key does not take.
    #[error("{}:{line}: `{key}` is {found}; it takes {allowed}", .file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Which key.
        key: &'static str,
        /// What is there.
        found: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// A file that a key names cannot be used.
    #[error("{}:{line}: `{key}` names {}: {problem}", .file.display(), .named.display())]
    Named {
        /// Which configuration file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Which key.
        key: &'static str,
        /// The file that it names.
        named: PathBuf,
        /// What is wrong with that one.
        problem: Box<NamedProblem>,
    },
    /// The relay is to carry more than its certificate allows.
    #[error(
        "{}:{line}: `max_level` is \"{}\", but the relay's certificate allows only \"{}\"; the office decides that \
         when it issues the certificate", .file.display(), .asked.word(), .certified.word()
    )]
    Level {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What it is to carry.
        asked: Level,
        /// What the certificate allows.
        certified: Level,
    },
}

/// What is wrong with a file that the configuration names.
#[derive(Debug, thiserror::Error)]
pub enum NamedProblem {
    /// It cannot be read.
    #[error("{}", said(.0))]
    Read(#[from] io::Error),
    /// It holds no certificates, or its permissions are wrong.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// No certificate is in it.
    #[error("it holds no certificate (PEM, \"BEGIN CERTIFICATE\")")]
    NoCertificate,
    /// No private key is in it.
    #[error("it holds no private key (PEM, \"BEGIN PRIVATE KEY\", not encrypted)")]
    NoKey,
    /// A certificate that is to be a root is none.
    #[error("{0} is no root: it is not of a certificate authority that issued itself; name the root of the office")]
    NoRoot(String),
    /// The relay's certificate leads to no trusted root.
    #[error("the relay's certificate leads to no root in `trust`: {0}")]
    Chain(ChainError),
    /// The relay's certificate is of another form.
    #[error("the relay's certificate: {0}")]
    Certificate(ProfileError),
    /// The key is not that of the certificate.
    #[error("it is not the key of the relay's certificate: `certificate` and `key` must come from the same request")]
    KeyMismatch,
    /// The key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(TlsError),
    /// A revocation list cannot be used.
    #[error("{0}")]
    Revocations(RevocationError),
    /// No revocation list is in it.
    #[error("it holds no certificate revocation list (PEM, \"BEGIN X509 CRL\", or DER)")]
    NoList,
    /// The audit log cannot be used.
    #[error("{0}")]
    Audit(AuditProblem),
}

impl Config {
    /// Reads and checks a configuration file; the files that it names are read by [`Self::parts`].
    ///
    /// # Errors
    /// A [`ConfigError`] with file, line, key and what is allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|reason| ConfigError::Read { file: path.to_owned(), reason })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut file = File::parse(path, text)?;
        let address = "an IP address and a port, as \"192.0.2.1:7443\" or \"[::]:7443\"";
        let mut socket = |key| -> Result<Option<SocketAddr>, ConfigError> {
            file.text(key)?.map(|entry| entry.parse(address)).transpose()
        };
        let (listen, media) = (socket("listen")?, socket("media")?);
        let public = file.texts("public")?.iter().map(parse_public).collect::<Result<Vec<_>, _>>()?;
        let certificate =
            file.need("certificate", "the path of a PEM file with the relay's certificate and its CAs")?;
        let key = file.need("key", "the path of a PEM file with the relay's private key")?;
        let trust = file.need("trust", "the path of a PEM file with the trusted root certificates")?;
        let revocations = file.texts("revocations")?;
        let levels = "\"unclassified\", \"restricted\", \"confidential\", \"secret\" or \"top-secret\"";
        let max_level = file.text("max_level")?;
        let level_line = max_level.as_ref().map_or(0, |entry| entry.line);
        let max_level = max_level.map(|entry| entry.parse(levels)).transpose()?;
        let max_participants = file.number("max_participants", 1..=10_000, "a number from 1 to 10000")?;
        let per_meeting = file.number("max_participants_per_meeting", 2..=MAX_LIST, "a number from 2 to 256")?;
        let log = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
        let log = file.text("log")?.map(|entry| entry.parse(log)).transpose()?.unwrap_or_default();
        let audit = file.text("audit")?;
        file.finish()?;
        #[expect(clippy::expect_used, reason = "a constant, parsed by a test")]
        let listen = listen.unwrap_or_else(|| LISTEN.parse().expect("the default address is an address"));
        if public.is_empty() && media.unwrap_or(listen).ip().is_unspecified() {
            return Err(ConfigError::Missing { file: path.to_owned(), key: "public", allowed: PUBLIC });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            listen,
            media,
            public,
            certificate: folder.join(&certificate.value),
            key: folder.join(&key.value),
            trust: folder.join(&trust.value),
            revocations: revocations.iter().map(|entry| folder.join(&entry.value)).collect(),
            max_level,
            max_participants: max_participants.unwrap_or(PARTICIPANTS),
            max_participants_per_meeting: per_meeting.unwrap_or(PARTICIPANTS_PER_MEETING),
            log,
            audit: audit.as_ref().map(|entry| folder.join(&entry.value)),
            source: Source {
                file: path.to_owned(),
                certificate: certificate.line,
                key: key.line,
                trust: trust.line,
                revocations: revocations.iter().map(|entry| entry.line).collect(),
                max_level: level_line,
                audit: audit.map_or(0, |entry| entry.line),
            },
        })
    }

    /// Reads the files that the configuration names, and checks that they fit together at `wall` (seconds since
    /// 1970-01-01 UTC).
    ///
    /// # Errors
    /// [`ConfigError::Named`], [`ConfigError::Level`].
    pub fn parts(&self, wall: u64) -> Result<Parts, ConfigError> {
        let trust = |problem| self.named("trust", self.source.trust, &self.trust, problem);
        let certificate = |problem| self.named("certificate", self.source.certificate, &self.certificate, problem);
        let key = |problem| self.named("key", self.source.key, &self.key, problem);
        let roots = read_certificates(&self.trust).map_err(trust)?;
        for root in &roots {
            check_root(root).map_err(trust)?;
        }
        let chain = read_certificates(&self.certificate).map_err(certificate)?;
        let mut failure = None;
        let trusted = roots.iter().any(|root| match verify_chain(&chain, root, wall, Purpose::Relay) {
            Ok(()) => true,
            Err(error) => {
                failure = Some(error);
                false
            }
        });
        if let (false, Some(error)) = (trusted, failure) {
            return Err(certificate(NamedProblem::Chain(error)));
        }
        let private = read_key(&self.key).map_err(key)?;
        conclave_identity::tls::server_config(chain.clone(), private.clone_key(), &roots).map_err(|error| {
            key(match error {
                TlsError::Rustls(rustls::Error::InconsistentKeys(_)) => NamedProblem::KeyMismatch,
                TlsError::Rustls(_) | TlsError::Anchors | TlsError::Chain(_) => NamedProblem::Key(error),
            })
        })?;
        let own = chain.first().map(read_relay_level).transpose();
        let certified = own.map_err(|error| certificate(NamedProblem::Certificate(error)))?.unwrap_or_default();
        if let Some(asked) = self.max_level.filter(|asked| *asked > certified) {
            let (file, line) = (self.source.file.clone(), self.source.max_level);
            return Err(ConfigError::Level { file, line, asked, certified });
        }
        let revocations = self.read_revocations(&roots, chain.get(1..).unwrap_or_default())?;
        if let Some(audit) = &self.audit {
            let problem = |problem| self.named("audit", self.source.audit, audit, NamedProblem::Audit(problem));
            inspect_audit(audit).map_err(problem)?;
        }
        Ok(Parts {
            listen: self.listen,
            media: self.media,
            public: self.public.clone(),
            chain,
            key: private,
            roots,
            revocations,
            max_level: self.max_level.unwrap_or(certified),
            max_participants: self.max_participants,
            max_participants_per_meeting: self.max_participants_per_meeting,
            audit: self.audit.clone(),
        })
    }

    /// Reads the revocation lists anew, as at the start, and checks them against the roots and CAs that the relay began
    /// with.
    ///
    /// # Errors
    /// [`ConfigError::Named`], which says the file.
    pub fn revocations(
        &self,
        roots: &[CertificateDer<'static>],
        chain: &[CertificateDer<'static>],
    ) -> Result<Vec<Bytes>, ConfigError> {
        self.read_revocations(roots, chain.get(1..).unwrap_or_default())
    }

    /// Reads the lists file by file, so that a bad one is named; then all together, for there may be too many.
    fn read_revocations(
        &self,
        roots: &[CertificateDer<'static>],
        authorities: &[CertificateDer<'static>],
    ) -> Result<Vec<Bytes>, ConfigError> {
        let mut all = Vec::new();
        for (path, line) in self.revocations.iter().zip(&self.source.revocations) {
            let problem = |problem| self.named("revocations", *line, path, problem);
            all.extend(read_lists(path).map_err(problem)?);
            for root in roots {
                check_lists(&all, authorities, root).map_err(|error| problem(NamedProblem::Revocations(error)))?;
            }
        }
        Ok(all)
    }

    fn named(&self, key: &'static str, line: usize, named: &Path, problem: NamedProblem) -> ConfigError {
        let (file, problem) = (self.source.file.clone(), Box::new(problem));
        ConfigError::Named { file, line, key, named: named.to_owned(), problem }
    }
}

impl Parts {
    /// The pin of the relay's key, as invitations name it; `None` where the certificate is none.
    pub fn pin(&self) -> Option<RelayPin> {
        self.chain.first().and_then(|certificate| key_pin(certificate).ok()).map(RelayPin)
    }
}

impl std::str::FromStr for LogLevel {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(()),
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

/// An address with or without port.
fn parse_public(entry: &Entry) -> Result<SocketAddr, ConfigError> {
    let address = match entry.value.parse() {
        Ok(ip) => SocketAddr::new(ip, 0),
        Err(_) => entry.parse(PUBLIC)?,
    };
    if is_nowhere(address.ip()) { Err(entry.refuse(PUBLIC)) } else { Ok(address) }
}

/// Refuses leaves and issuing CAs as trust anchors.
fn check_root(certificate: &CertificateDer<'_>) -> Result<(), NamedProblem> {
    let failed = NamedProblem::Certificate;
    // What is for people, relays or invitations says so; a CA says nothing.
    let is_root = is_self_issued(certificate).map_err(failed)? && purposes(certificate).map_err(failed)?.is_empty();
    if is_root { Ok(()) } else { Err(NamedProblem::NoRoot(subject(certificate).map_err(failed)?)) }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, NamedProblem> {
    let certificates = credential::parse_bundle(&std::fs::read_to_string(path)?)?;
    if certificates.is_empty() { Err(NamedProblem::NoCertificate) } else { Ok(certificates) }
}

/// The revocation lists in a file: PEM blocks, or one list as it is.
fn read_lists(path: &Path) -> Result<Vec<Bytes>, NamedProblem> {
    let bytes = std::fs::read(path)?;
    // ASN.1 begins with a sequence (0x30), which is a digit in text and begins no PEM.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.into()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes);
    let lists: Vec<Bytes> =
        lists.map(|list| list.map(|list| Bytes::copy_from_slice(&list))).collect::<Result<_, _>>().unwrap_or_default();
    if lists.is_empty() { Err(NamedProblem::NoList) } else { Ok(lists) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, NamedProblem> {
    let text = credential::read(path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| NamedProblem::NoKey)
}

#[cfg(test)]
mod tests;
