//! What an invitation states, and its limits.

use std::collections::BTreeSet;

use conclave_model::{Fingerprint, Level, MeetingId, Role, SeatRank};
use serde::{Deserialize, Serialize};

use super::WindowError;
use crate::{
    revocation::{MAX_LIST, MAX_LISTS},
    text::{self, TextError},
    tls::RelayPin,
};

/// The most participants in one invitation.
pub const MAX_PARTICIPANTS: usize = 256;

/// The most languages of one participant, and the most seats in a caveat, respectively.
pub const MAX_LANGUAGES: usize = 24;
const MAX_RELEASABLE: usize = 256;

/// The longest host name (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 253;

/// How many levels of nesting the CBOR may have.
const MAX_DEPTH: usize = 16;

const VERSION: u16 = 1;

/// What an invitation states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationContent {
    /// The meeting's random name.
    pub meeting: MeetingId,
    /// The title; unclassified.
    pub title: String,
    /// A warning that classified matters will be discussed, as the rules ask for.
    pub warning: Option<String>,
    /// The meeting's classification.
    pub level: Level,
    /// When the meeting opens, in seconds since 1970-01-01 UTC. Offices let it open some minutes early.
    pub not_before: u64,
    /// When it closes.
    pub not_after: u64,
    /// Where it takes place.
    pub relay: RelayAddress,
    /// The seat codes to which matters may be released; `None` for no caveat.
    pub releasable: Option<Vec<String>>,
    /// Everybody who may enter; complete.
    pub participants: Vec<Listed>,
    /// How the listed come in.
    pub admission: Admission,
    /// Who leads the meeting while no chair is there, by certificate fingerprint, first to last.
    pub succession: Vec<Fingerprint>,
    /// Whose consent it takes to lower the level; `None` where nothing can lower it.
    pub originator: Option<Fingerprint>,
    /// Certificate revocation lists (RFC 5280 section 5) of the office, DER, as of the day of signing.
    pub revocations: Vec<serde_bytes::ByteBuf>,
    /// By whose leave screens are shared. Left out of the payload where it is the chair's, so that earlier versions read
    /// what needs nothing of later ones.
    #[serde(default, skip_serializing_if = "Sharing::is_granted")]
    pub sharing: Sharing,
}

/// By whose leave a screen is shared; one at a time in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// The chair's, for each time.
    #[default]
    Granted,
    /// Nobody's: whoever is listed may, while nobody else does.
    Open,
}

impl Sharing {
    fn is_granted(&self) -> bool {
        *self == Self::Granted
    }
}

/// How the listed come into a meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Admission {
    /// They wait in the lobby until the chair admits them.
    #[default]
    Lobby,
    /// Whoever is listed and passes the checks is let in.
    Open,
}

/// The relay of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayAddress {
    /// Host name or IP address.
    pub host: String,
    /// TCP port of signalling.
    pub port: u16,
    /// SHA-256 over the SubjectPublicKeyInfo of the relay's certificate.
    #[serde(with = "serde_bytes")]
    pub key_pin: [u8; 32],
}

impl RelayAddress {
    /// The pin by which the relay is known.
    pub fn pin(&self) -> RelayPin {
        RelayPin(self.key_pin)
    }
}

/// One invited person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// SHA-256 over the DER of the person's certificate.
    #[serde(with = "serde_bytes")]
    pub fingerprint: [u8; 32],
    /// The name; must be the certificate's.
    pub name: String,
    /// The state or institution; must be the certificate's.
    pub seat: String,
    /// The code of the seat; must be the certificate's.
    pub seat_code: String,
    /// The place within the delegation, in this meeting.
    pub rank: SeatRank,
    /// What the person may do, in this meeting.
    pub role: Role,
    /// Spoken languages, most liked first; BCP 47 tags as `fi` or `pt-BR`.
    pub languages: Vec<String>,
}

/// Why the content of an invitation cannot be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It is no CBOR map with the documented fields.
    #[error("it is damaged, or has missing or unknown fields")]
    Malformed,
    /// A later version.
    #[error("it is of version {0}; this program knows version {VERSION}")]
    Version(u16),
    /// A text may not be shown to people.
    #[error("{field}: {error}")]
    Text {
        /// Which field.
        field: &'static str,
        /// Why.
        #[source]
        error: TextError,
    },
    /// The meeting would close before it opens.
    #[error("it closes before it opens")]
    Window,
    /// The relay's address is none.
    #[error("\"{0}\" is no host name or IP address for the relay")]
    Host(String),
    /// The port is 0.
    #[error("the relay's port is 0")]
    Port,
    /// Nobody is invited, or too many are.
    #[error("it lists {0} participants; from 1 to {MAX_PARTICIPANTS} are possible")]
    Participants(usize),
    /// A certificate is listed twice.
    #[error("it lists the same certificate twice ({0})")]
    Twice(String),
    /// A participant has too many languages.
    #[error("a participant has {0} languages; at most {MAX_LANGUAGES} are possible")]
    Languages(usize),
    /// A language tag is none.
    #[error("\"{0}\" is no language tag; write fi or pt-BR")]
    Language(String),
    /// The caveat names no seat, too many, or none of a participant.
    #[error("the caveat lists {0} seats; from 1 to {MAX_RELEASABLE} are possible")]
    Releasable(usize),
    /// Somebody in the succession of the chair is not a participant.
    #[error("the succession names somebody who is no participant ({0})")]
    SuccessorUnlisted(String),
    /// Somebody is in the succession of the chair twice.
    #[error("the succession names the same certificate twice ({0})")]
    SuccessorTwice(String),
    /// The originator is not a participant.
    #[error("the originator is no participant ({0})")]
    OriginatorUnlisted(String),
    /// There is a lobby and nobody who could admit anybody.
    #[error("there is a lobby, but no chair and no succession: nobody could let anybody in")]
    NobodyAdmits,
    /// There are too many revocation lists.
    #[error("it brings {0} revocation lists; at most {MAX_LISTS} are possible")]
    Revocations(usize),
    /// A revocation list is too long.
    #[error("it brings a revocation list of {0} bytes; at most {MAX_LIST} are possible")]
    RevocationSize(usize),
}

/// The payload: the content and its version.
#[derive(Serialize)]
struct Versioned<'a> {
    version: u16,
    content: &'a InvitationContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionedOwned {
    version: u16,
    content: ciborium::Value,
}

impl InvitationContent {
    /// Reads and checks the payload.
    pub(crate) fn from_cbor(bytes: &[u8]) -> Result<Self, ContentError> {
        let mut rest = bytes;
        let outer: VersionedOwned = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
            .map_err(|_| ContentError::Malformed)?;
        if !rest.is_empty() {
            return Err(ContentError::Malformed);
        }
        // The version comes first: a later content may look different.
        if outer.version != VERSION {
            return Err(ContentError::Version(outer.version));
        }
        let content: Self = outer.content.deserialized().map_err(|_| ContentError::Malformed)?;
        content.check()?;
        Ok(content)
    }

    /// Writes the payload.
    pub(crate) fn to_cbor(&self) -> Result<Vec<u8>, ContentError> {
        self.check()?;
        let mut bytes = Vec::new();
        ciborium::into_writer(&Versioned { version: VERSION, content: self }, &mut bytes)
            .map_err(|_| ContentError::Malformed)?;
        Ok(bytes)
    }

    /// Checks everything that can be checked without certificates and clock.
    ///
    /// # Errors
    /// [`ContentError`], the first that applies.
    pub fn check(&self) -> Result<(), ContentError> {
        check_text("title", &self.title, text::MAX_TITLE)?;
        if let Some(warning) = &self.warning {
            check_text("warning", warning, text::MAX_WARNING)?;
        }
        if self.not_before >= self.not_after {
            return Err(ContentError::Window);
        }
        self.relay.check()?;
        if let Some(seats) = &self.releasable {
            if !(1..=MAX_RELEASABLE).contains(&seats.len()) {
                return Err(ContentError::Releasable(seats.len()));
            }
            for seat in seats {
                text::check_code(seat).map_err(|error| ContentError::Text { field: "a seat of the caveat", error })?;
            }
        }
        if !(1..=MAX_PARTICIPANTS).contains(&self.participants.len()) {
            return Err(ContentError::Participants(self.participants.len()));
        }
        let mut seen = BTreeSet::new();
        for listed in &self.participants {
            listed.check()?;
            if !seen.insert(listed.fingerprint) {
                return Err(ContentError::Twice(hex::encode(&listed.fingerprint[..4])));
            }
        }
        self.check_governance(&seen)
    }

    fn check_governance(&self, listed: &BTreeSet<[u8; 32]>) -> Result<(), ContentError> {
        let mut seen = BTreeSet::new();
        for successor in &self.succession {
            if !listed.contains(&successor.0) {
                return Err(ContentError::SuccessorUnlisted(successor.to_string()));
            }
            if !seen.insert(successor) {
                return Err(ContentError::SuccessorTwice(successor.to_string()));
            }
        }
        if let Some(originator) = self.originator.filter(|originator| !listed.contains(&originator.0)) {
            return Err(ContentError::OriginatorUnlisted(originator.to_string()));
        }
        if self.admission == Admission::Lobby && self.leaders().is_empty() {
            return Err(ContentError::NobodyAdmits);
        }
        if self.revocations.len() > MAX_LISTS {
            return Err(ContentError::Revocations(self.revocations.len()));
        }
        match self.revocations.iter().find(|list| list.len() > MAX_LIST) {
            Some(list) => Err(ContentError::RevocationSize(list.len())),
            None => Ok(()),
        }
    }

    /// Who leads the meeting, first to last: every listed chair in the order of the list, then the rest of the succession.
    pub fn leaders(&self) -> Vec<Fingerprint> {
        let chairs = self.participants.iter().filter(|listed| listed.role == Role::Chair);
        let mut leaders: Vec<_> = chairs.map(|listed| Fingerprint(listed.fingerprint)).collect();
        let rest: Vec<_> = self.succession.iter().filter(|successor| !leaders.contains(successor)).copied().collect();
        leaders.extend(rest);
        leaders
    }

    /// Checks that the meeting is open at `wall` (seconds since 1970-01-01 UTC).
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn check_window(&self, wall: u64) -> Result<(), WindowError> {
        if wall < self.not_before {
            Err(WindowError::NotBegun { not_before: self.not_before })
        } else if wall >= self.not_after {
            Err(WindowError::Over { not_after: self.not_after })
        } else {
            Ok(())
        }
    }
}

impl RelayAddress {
    fn check(&self) -> Result<(), ContentError> {
        if self.port == 0 {
            return Err(ContentError::Port);
        }
        if is_host(&self.host) {
            Ok(())
        } else {
            Err(ContentError::Host(self.host.chars().filter(|character| !character.is_control()).take(80).collect()))
        }
    }
}

impl Listed {
    fn check(&self) -> Result<(), ContentError> {
        check_text("the name of a participant", &self.name, text::MAX_NAME)?;
        check_text("the seat of a participant", &self.seat, text::MAX_NAME)?;
        text::check_code(&self.seat_code)
            .map_err(|error| ContentError::Text { field: "the seat code of a participant", error })?;
        if self.languages.len() > MAX_LANGUAGES {
            return Err(ContentError::Languages(self.languages.len()));
        }
        let is_subtag =
            |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.languages.iter().find(|tag| tag.len() > 35 || !tag.split('-').all(is_subtag)) {
            None => Ok(()),
            Some(tag) => Err(ContentError::Language(
                tag.chars().filter(|character| character.is_ascii_graphic()).take(35).collect(),
            )),
        }
    }
}

/// Whether a text is a host name (RFC 1123 section 2.1) or an IP address.
pub(crate) fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (text.len() <= MAX_HOST && text.split('.').all(is_label)) || text.parse::<std::net::IpAddr>().is_ok()
}

fn check_text(field: &'static str, text: &str, limit: usize) -> Result<(), ContentError> {
    text::check_line(text, limit).map_err(|error| ContentError::Text { field, error })
}
