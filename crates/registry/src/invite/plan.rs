//! What a meeting is to be, from a TOML file and the command line.
//!
//! ```toml
//! title = "Preparation of the council"
//! warning = "Classified matters will be discussed. Leave portable devices outside."
//! level = "restricted"
//! from = "2026-11-23T14:00Z"
//! until = "2026-11-23T18:00Z"
//! releasable = ["FI", "SE"]          # left out: no caveat
//! admission = "lobby"                # or "open"; left out: lobby
//! sharing = "granted"                # or "open": who may share a screen; left out: whom the chair lets
//! succession = ["anna.pem"]          # who leads while no chair is there; left out: nobody
//! originator = "anna.pem"            # whose consent it takes to lower the level; left out: nothing lowers it
//! revocations = ["other-crl.pem"]    # lists of other CAs; those of this CA are always there
//!
//! [relay]
//! address = "relay.example.org:7443"
//! certificate = "relay/relay.pem"    # whose key the invitation pins
//!
//! [[participant]]
//! certificate = "anna.pem"           # the certificate, or the credential file
//! role = "chair"                     # left out: as certified
//! rank = "head"                      # left out: as certified
//! languages = ["fi", "en"]
//! ```

use std::path::{Path, PathBuf};

use conclave_identity::{Admission, Sharing};
use conclave_model::{Level, Role, SeatRank};
use serde::Deserialize;

use crate::{
    RegistryError,
    cli::{InviteOptions, moment_option, parse_rank},
    files,
};

/// A meeting that can be invited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The title.
    pub title: String,
    /// The warning.
    pub warning: Option<String>,
    /// The level.
    pub level: Level,
    /// When it opens, in seconds since 1970-01-01 UTC.
    pub not_before: u64,
    /// When it closes.
    pub not_after: u64,
    /// The relay's host.
    pub host: String,
    /// The relay's port.
    pub port: u16,
    /// The relay's certificate.
    pub relay_certificate: PathBuf,
    /// The caveat.
    pub releasable: Option<Vec<String>>,
    /// Who may enter.
    pub participants: Vec<PlannedParticipant>,
    /// How they come in.
    pub admission: Admission,
    /// By whose leave screens are shared.
    pub sharing: Sharing,
    /// The certificates of who leads while no chair is there, first to last.
    pub succession: Vec<PathBuf>,
    /// The certificate of the originator.
    pub originator: Option<PathBuf>,
    /// Revocation lists of other CAs.
    pub revocations: Vec<PathBuf>,
}

/// Somebody who may enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedParticipant {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The role; as certified unless given.
    pub role: Option<Role>,
    /// The rank; as certified unless given.
    pub rank: Option<SeatRank>,
    /// Languages.
    pub languages: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeetingFile {
    title: Option<String>,
    warning: Option<String>,
    level: Option<Level>,
    from: Option<String>,
    until: Option<String>,
    releasable: Option<Vec<String>>,
    admission: Option<Admission>,
    #[serde(default)]
    sharing: Sharing,
    #[serde(default)]
    succession: Vec<PathBuf>,
    originator: Option<PathBuf>,
    #[serde(default)]
    revocations: Vec<PathBuf>,
    relay: Option<RelayTable>,
    #[serde(default)]
    participant: Vec<ParticipantTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelayTable {
    address: Option<String>,
    certificate: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParticipantTable {
    certificate: PathBuf,
    role: Option<Role>,
    rank: Option<SeatRank>,
    #[serde(default)]
    languages: Vec<String>,
}

impl Plan {
    /// Reads the file, if one is given, and lets the flags override it.
    ///
    /// # Errors
    /// [`RegistryError`] with file, line and key, or the flag.
    pub fn read(options: &InviteOptions, wall: u64) -> Result<Self, RegistryError> {
        let file = match &options.meeting {
            None => MeetingFile::default(),
            Some(path) => read_file(path)?,
        };
        let folder = options.meeting.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let missing = |what, option, key| move || RegistryError::Missing { what, option, key };
        let either = |flag: &Option<String>, key: Option<String>| flag.clone().or(key);
        let (address, certificate) = match file.relay {
            Some(RelayTable { address, certificate }) => (address, certificate.map(|path| folder.join(path))),
            None => (None, None),
        };
        let from = either(&options.from, file.from).ok_or_else(missing("time at which it opens", "--from", "from"))?;
        let until =
            either(&options.until, file.until).ok_or_else(missing("time at which it closes", "--until", "until"))?;
        let address = either(&options.relay, address).ok_or_else(missing("relay", "--relay", "address"))?;
        let (host, port) = split_address(&address)?;
        let mut participants: Vec<PlannedParticipant> = file
            .participant
            .into_iter()
            .map(|ParticipantTable { certificate, role, rank, languages }| PlannedParticipant {
                certificate: folder.join(certificate),
                role,
                rank,
                languages,
            })
            .collect();
        for spec in &options.participants {
            participants.push(parse_participant(spec)?);
        }
        if participants.is_empty() {
            return Err(missing("participants", "--participant", "[[participant]]")());
        }
        let beside = |paths: Vec<PathBuf>| paths.into_iter().map(|path| folder.join(path));
        let succession =
            if options.succession.is_empty() { beside(file.succession).collect() } else { options.succession.clone() };
        let admission = match (options.lobby, options.open) {
            (true, _) => Admission::Lobby,
            (_, true) => Admission::Open,
            (false, false) => file.admission.unwrap_or(Admission::Lobby),
        };
        Ok(Self {
            admission,
            sharing: file.sharing,
            succession,
            originator: options.originator.clone().or(file.originator.map(|path| folder.join(path))),
            revocations: beside(file.revocations).chain(options.revocations.iter().cloned()).collect(),
            title: either(&options.title, file.title).ok_or_else(missing("title", "--title", "title"))?,
            warning: either(&options.warning, file.warning),
            level: options.level.or(file.level).ok_or_else(missing("level", "--level", "level"))?,
            not_before: moment_option("from", &from, wall)?,
            not_after: moment_option("until", &until, wall)?,
            host,
            port,
            relay_certificate: options.relay_certificate.clone().or(certificate).ok_or_else(missing(
                "relay certificate",
                "--relay-certificate",
                "certificate",
            ))?,
            releasable: options.releasable.clone().or(file.releasable),
            participants,
        })
    }
}

fn read_file(path: &Path) -> Result<MeetingFile, RegistryError> {
    let bytes = files::read(path)?;
    let bad = |message: String| RegistryError::Meeting { path: path.to_owned(), message };
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is no text".to_owned()))?;
    // TOML's own messages name line, key and what is allowed.
    toml::from_str(text).map_err(|error| bad(error.to_string().trim_end().to_owned()))
}

fn split_address(address: &str) -> Result<(String, u16), RegistryError> {
    let refused = || RegistryError::RelayAddress(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(refused)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(refused)?,
        None if host.contains(':') => return Err(refused()),
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(refused)?;
    if host.is_empty() { Err(refused()) } else { Ok((host.to_owned(), port)) }
}

fn parse_participant(spec: &str) -> Result<PlannedParticipant, RegistryError> {
    let bad = |message: String| RegistryError::Participant { spec: spec.to_owned(), message };
    let mut parts = spec.split(',');
    let file = parts.next().filter(|file| !file.is_empty()).ok_or_else(|| bad("it names no file".to_owned()))?;
    let mut planned = PlannedParticipant { certificate: file.into(), role: None, rank: None, languages: Vec::new() };
    for part in parts {
        match part.split_once('=') {
            Some(("role", word)) => {
                planned.role =
                    Some(word.parse().map_err(|error: conclave_model::people::UnknownRole| bad(error.to_string()))?);
            }
            Some(("rank", word)) => planned.rank = Some(parse_rank(word).map_err(bad)?),
            Some(("languages", tags)) => planned.languages = tags.split('+').map(str::to_owned).collect(),
            _ => return Err(bad(format!("\"{part}\" is none of role=…, rank=…, languages=…"))),
        }
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_are_split_at_the_port() {
        assert_eq!(split_address("relay.example.org:7443").unwrap(), ("relay.example.org".to_owned(), 7443));
        assert_eq!(split_address("[2001:db8::1]:443").unwrap(), ("2001:db8::1".to_owned(), 443));
        for bad in ["relay", "relay:", ":443", "relay:0", "relay:70000", "2001:db8::1:443", "[::1:443", "[]:443"] {
            assert!(split_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn participants_are_described_in_one_word() {
        let planned = parse_participant("a b.pem,role=chair,rank=deputy,languages=fi+en").unwrap();
        let wanted = PlannedParticipant {
            certificate: "a b.pem".into(),
            role: Some(Role::Chair),
            rank: Some(SeatRank::Deputy),
            languages: vec!["fi".into(), "en".into()],
        };
        assert_eq!(planned, wanted);
        for bad in ["", ",role=chair", "a.pem,role=king", "a.pem,rank=x", "a.pem,chair", "a.pem,colour=red"] {
            assert!(parse_participant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn faults_in_a_meeting_file_name_line_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meeting.toml");
        for (text, wanted) in [
            ("title = \"x\"\nlevel = \"cosmic\"", "line 2"),
            ("titel = \"x\"", "unknown field `titel`"),
            ("[[participant]]\nrole = \"chair\"", "missing field `certificate`"),
            ("title = ", "line 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = read_file(&path).unwrap_err().to_string();
            assert!(message.contains(wanted) && message.contains("meeting.toml"), "{message}");
        }
    }
}
