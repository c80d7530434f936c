//! A throw-away meeting in memory, with everything real about it but the people.

use aws_lc_rs::rand;
use conclave_model::{Clearance, Fingerprint, Level, MeetingId, Role, SeatRank};

use super::{Authority, IssueError, PersonSpec, RelayIdentity, Validity};
use crate::{
    holder::Holder,
    invitation::{Admission, Invitation, InvitationContent, Listed, RelayAddress, Sharing},
};

/// Names and languages of fictional delegates, in the protocol order of the states.
const DELEGATES: [(&str, &str, &str, &str); 27] = [
    ("Emma Peeters", "Belgium", "BE", "nl"),
    ("Maria Dimitrova", "Bulgaria", "BG", "bg"),
    ("Tereza Nováková", "Czechia", "CZ", "cs"),
    ("Freja Nielsen", "Denmark", "DK", "da"),
    ("Jonas Weber", "Germany", "DE", "de"),
    ("Kadri Tamm", "Estonia", "EE", "et"),
    ("Aoife Byrne", "Ireland", "IE", "en"),
    ("Eleni Papadopoulou", "Greece", "EL", "el"),
    ("Lucía Fernández", "Spain", "ES", "es"),
    ("Camille Laurent", "France", "FR", "fr"),
    ("Ivana Horvat", "Croatia", "HR", "hr"),
    ("Giulia Romano", "Italy", "IT", "it"),
    ("Andreas Georgiou", "Cyprus", "CY", "el"),
    ("Ilze Bērziņa", "Latvia", "LV", "lv"),
    ("Rūta Petrauskienė", "Lithuania", "LT", "lt"),
    ("Luc Hoffmann", "Luxembourg", "LU", "fr"),
    ("Zsófia Szabó", "Hungary", "HU", "hu"),
    ("Maria Borg", "Malta", "MT", "mt"),
    ("Sanne de Vries", "Netherlands", "NL", "nl"),
    ("Lukas Gruber", "Austria", "AT", "de"),
    ("Zofia Wiśniewska", "Poland", "PL", "pl"),
    ("Inês Ferreira", "Portugal", "PT", "pt"),
    ("Ioana Popescu", "Romania", "RO", "ro"),
    ("Nina Zupančič", "Slovenia", "SI", "sl"),
    ("Katarína Kováčová", "Slovakia", "SK", "sk"),
    ("Anna Virtanen", "Finland", "FI", "fi"),
    ("Elsa Lindqvist", "Sweden", "SE", "sv"),
];

/// What a [`Rehearsal`] is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RehearsalSpec {
    /// How many people, at least 1. The first is the chair.
    pub people: usize,
    /// The title of the meeting.
    pub title: String,
    /// Its level; everybody is cleared up to TOP SECRET.
    pub level: Level,
    /// Where the relay is; its certificate is for this host, and for meetings up to TOP SECRET.
    pub host: String,
    /// The relay's port.
    pub port: u16,
    /// Whether people wait in the lobby.
    pub admission: Admission,
    /// Who follows the chair, by number; numbers of nobody are left out.
    pub succession: Vec<usize>,
    /// Whose consent it takes to lower the level, by number.
    pub originator: Option<usize>,
    /// Now, in seconds since 1970-01-01 UTC: the meeting is open from then for a day.
    pub wall: u64,
}

impl RehearsalSpec {
    /// A rehearsal of a RESTRICTED meeting without a lobby on this machine, relay at port 7443.
    pub fn new(people: usize, wall: u64) -> Self {
        Self {
            people,
            title: "Rehearsal".to_owned(),
            level: Level::Restricted,
            host: "127.0.0.1".to_owned(),
            port: 7443,
            admission: Admission::Open,
            succession: Vec::new(),
            originator: None,
            wall,
        }
    }
}

/// A throw-away CA, people with unlocked credentials, a relay's certificate, and an invitation that names them all.
#[derive(Debug)]
pub struct Rehearsal {
    /// The CA; more can be issued with it.
    pub authority: Authority,
    /// The people, the chair first, in the order of the invitation.
    pub holders: Vec<Holder>,
    /// The relay's certificate and key.
    pub relay: RelayIdentity,
    /// The invitation, verified.
    pub invitation: Invitation,
    wall: u64,
}

impl Rehearsal {
    /// Makes one. About 1 ms for each person.
    ///
    /// # Errors
    /// [`IssueError`], where the spec cannot be met: no people, a host that is none.
    pub fn new(spec: &RehearsalSpec) -> Result<Self, IssueError> {
        let validity = Validity::days(spec.wall, 1);
        let authority = Authority::create("Rehearsal", validity)?;
        let relay = authority.issue_relay_certificate(std::slice::from_ref(&spec.host), Level::TopSecret, validity)?;
        let mut holders = Vec::with_capacity(spec.people);
        let mut participants = Vec::with_capacity(spec.people);
        for number in 0..spec.people {
            let holder = authority.issue_credential(&delegate(number, spec.wall), validity)?.holder().clone();
            let language = DELEGATES.get(number).map(|delegate| delegate.3.to_owned());
            participants.push(Listed::of(&holder, language.into_iter().collect()));
            holders.push(holder);
        }
        let fingerprint =
            |number: usize| holders.get(number).map(|holder: &Holder| Fingerprint(holder.person().fingerprint));
        let content = InvitationContent {
            meeting: random_meeting().ok_or(IssueError::Sign)?,
            title: spec.title.clone(),
            warning: None,
            level: spec.level,
            not_before: validity.not_before,
            not_after: validity.not_after,
            relay: RelayAddress { host: spec.host.clone(), port: spec.port, key_pin: relay.pin().0 },
            releasable: None,
            participants,
            admission: spec.admission,
            succession: spec.succession.iter().filter_map(|number| fingerprint(*number)).collect(),
            originator: spec.originator.and_then(fingerprint),
            revocations: Vec::new(),
            sharing: Sharing::default(),
        };
        let invitation = sign(&authority, &content, spec.wall)?;
        Ok(Self { authority, holders, relay, invitation, wall: spec.wall })
    }

    /// Signs the invitation anew after `change` was made to its content: another port, level, window, list.
    ///
    /// # Errors
    /// [`IssueError::Content`] where the change leads to no acceptable invitation.
    pub fn reissue(&mut self, change: impl FnOnce(&mut InvitationContent)) -> Result<&Invitation, IssueError> {
        let mut content = self.invitation.content().clone();
        change(&mut content);
        self.invitation = sign(&self.authority, &content, self.wall)?;
        Ok(&self.invitation)
    }

    /// Signs the invitation anew with another address of the relay; clients know the relay by its key, wherever it is.
    ///
    /// # Errors
    /// [`IssueError::Content`] for an address that is none.
    pub fn move_relay(&mut self, host: &str, port: u16) -> Result<&Invitation, IssueError> {
        self.reissue(|content| {
            content.relay.host = host.to_owned();
            content.relay.port = port;
        })
    }
}

impl Listed {
    /// The entry for a holder, with the rank and role that the certificate states.
    pub fn of(holder: &Holder, languages: Vec<String>) -> Self {
        Self::of_person(holder.person(), languages)
    }

    /// The entry for a certified person, with the rank and role that the certificate states.
    pub fn of_person(person: &conclave_model::Person, languages: Vec<String>) -> Self {
        Self {
            fingerprint: person.fingerprint,
            name: person.name.clone(),
            seat: person.seat.clone(),
            seat_code: person.seat_code.clone(),
            rank: person.rank,
            role: person.role,
            languages,
        }
    }
}

/// A fictional delegate, cleared up to TOP SECRET for a year from `wall` on; number 0 is a chair.
pub fn delegate(number: usize, wall: u64) -> PersonSpec {
    let (name, seat, seat_code) = match DELEGATES.get(number) {
        Some((name, seat, code, _)) => ((*name).to_owned(), (*seat).to_owned(), (*code).to_owned()),
        None => (format!("Delegate {}", number + 1), format!("Delegation {}", number + 1), format!("D{}", number + 1)),
    };
    PersonSpec {
        name,
        seat,
        seat_code,
        rank: SeatRank::Head,
        role: if number == 0 { Role::Chair } else { Role::Delegate },
        clearance: Some(Clearance { level: Level::TopSecret, expires: wall + 365 * 24 * 60 * 60 }),
    }
}

/// A random name for a meeting; `None` where the system gives no random bytes.
pub fn random_meeting() -> Option<MeetingId> {
    let mut id = [0; 16];
    rand::fill(&mut id).ok()?;
    Some(MeetingId(id))
}

fn sign(authority: &Authority, content: &InvitationContent, wall: u64) -> Result<Invitation, IssueError> {
    let bytes = authority.sign_invitation(content)?;
    Invitation::parse(&bytes)
        .and_then(|invitation| invitation.verify(authority.root(), wall))
        .map_err(IssueError::Invitation)
}
