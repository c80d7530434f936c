//! What admission and ejection take, with real sessions, a real relay and a simulated network.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_identity::issue::{IssueError, Rehearsal, RehearsalSpec};
use conclave_model::{Epoch, LeafIndex};
use conclave_session::{Command, Input};

use crate::{Simulation, Violation, hostile::rules_of, network::Weather, simulation::WALL};

/// Who tells the time that computing takes.
pub type Clock = fn() -> Instant;

/// How many of the members talk.
const TALKERS: usize = 6;

/// How long everybody may take to be in, in simulated time.
const ASSEMBLY: Duration = Duration::from_secs(120);

/// How long is listened after somebody was put out.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// No people could be made up.
    #[error("no credentials could be made")]
    Issue(#[from] IssueError),
    /// A property did not hold.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// Something did not happen in time.
    #[error("{0} did not happen in time")]
    Late(&'static str),
}

/// What a meeting spent, as it goes on.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) clock: Clock,
    /// What each participant computed.
    pub(crate) spent: BTreeMap<usize, Duration>,
    /// What following one commit took, for each commit and member.
    pub(crate) followed: Vec<(usize, Duration)>,
    /// When each participant entered an epoch last, and which.
    pub(crate) entered: BTreeMap<usize, (Instant, Epoch)>,
    /// When each participant opened its first frame.
    pub(crate) first_frames: BTreeMap<usize, Instant>,
    /// When each participant was given its first picture; it is one to begin with.
    pub(crate) first_pictures: BTreeMap<usize, Instant>,
    /// Bytes of the commits and welcomes, in order.
    pub(crate) sizes: Vec<(usize, usize)>,
}

impl Meter {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            spent: BTreeMap::new(),
            followed: Vec::new(),
            entered: BTreeMap::new(),
            first_frames: BTreeMap::new(),
            first_pictures: BTreeMap::new(),
            sizes: Vec::new(),
        }
    }
}

/// What was measured with so many members.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// How many members the meeting has with the newcomer.
    pub members: usize,
    /// From the newcomer's first word to its first opened frame: delays of the simulated network and of the protocol.
    pub join_delays: Duration,
    /// From then to its first picture that can be decoded: the publisher is asked for a key frame in between.
    pub picture_delay: Duration,
    /// What the newcomer computed for it, media included.
    pub join_cpu_newcomer: Duration,
    /// What the member that added it computed meanwhile, media included.
    pub join_cpu_committer: Duration,
    /// From the chair's command to each member's new sending key, sorted: the network's delays and what the chair and that
    /// member compute.
    pub switched: Vec<Duration>,
    /// Frames that were sent after their sender had switched, as another member received them.
    pub frames_after: usize,
    /// How many of these the ejected opens with all its keys.
    pub opened_after: usize,
    /// Frames from before that it opens with the same keys, so that the measurement can fail.
    pub opened_before: usize,
    /// What following a commit takes each member, sorted.
    pub followed: Vec<Duration>,
    /// Bytes of the commit that adds one, and of its welcome.
    pub added: (usize, usize),
    /// Bytes of the commit that ejects one.
    pub ejected: usize,
}

/// Measures a meeting of `members` on lines of `latency` each way.
///
/// # Errors
/// A [`MeasureError`].
pub fn measure(members: usize, latency: Duration, clock: Clock) -> Result<Measured, MeasureError> {
    // The chair and other sessions, one who listens, one who is put out, one who comes last.
    let sessions = members - 2;
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(members, WALL))?;
    let mut simulation = Simulation::of(&rehearsal, None, 1, clock())?;
    simulation.meter = Some(Meter::new(clock));
    for person in &mut simulation.participants {
        person.weather = Weather::plain(latency);
    }
    let rules = rules_of(&rehearsal);
    let newcomer = sessions - 1;
    for who in 0..newcomer {
        simulation.participants[who].wants_in = true;
        let after = Duration::from_millis(if who == 0 { 0 } else { 300 });
        simulation.participants[who].comes_at = Some(simulation.now + after);
    }
    simulation.talkers = Some(TALKERS);
    simulation.run_for(Duration::from_millis(200))?;
    for holder in &rehearsal.holders[sessions..] {
        // Nobody is refused in a meeting without a lobby.
        let _: Result<usize, _> = simulation.enter_puppet(holder, rules.clone(), |_| ())?;
    }
    settle(&mut simulation, members - 1)?;
    let mut measured = Measured { members, ..Measured::default() };
    join(&mut simulation, newcomer, &mut measured)?;
    settle(&mut simulation, members)?;
    eject(&mut simulation, &mut measured)?;
    Ok(measured)
}

/// Lets time go on until so many are members.
fn settle(simulation: &mut Simulation, members: usize) -> Result<(), MeasureError> {
    let deadline = simulation.now + ASSEMBLY;
    let is_in = |simulation: &Simulation| {
        let of_session = simulation.honest().iter().all(|who| {
            simulation.participants[*who]
                .presence
                .as_ref()
                .is_some_and(|presence| presence.roster.len() == members && presence.is_path_up)
        });
        of_session && simulation.honest().len() + simulation.puppets.len() == members
    };
    while !is_in(simulation) {
        if simulation.now > deadline {
            return Err(MeasureError::Late("the assembly"));
        }
        simulation.run_for(Duration::from_millis(50))?;
    }
    simulation.run_for(Duration::from_millis(1500))?;
    Ok(())
}

fn meter(simulation: &mut Simulation) -> Option<&mut Meter> {
    simulation.meter.as_mut()
}

fn join(simulation: &mut Simulation, newcomer: usize, measured: &mut Measured) -> Result<(), MeasureError> {
    let begun = simulation.now;
    if let Some(meter) = meter(simulation) {
        meter.spent.clear();
        meter.followed.clear();
        meter.sizes.clear();
    }
    simulation.participants[newcomer].wants_in = true;
    simulation.participants[newcomer].comes_at = Some(begun);
    let first = loop {
        simulation.run_for(Duration::from_millis(5))?;
        if let Some(first) = meter(simulation).and_then(|meter| meter.first_pictures.get(&newcomer).copied()) {
            break first;
        }
        if simulation.now > begun + ASSEMBLY {
            return Err(MeasureError::Late("the first picture"));
        }
    };
    if let Some(meter) = meter(simulation) {
        let opened = meter.first_frames.get(&newcomer).copied().unwrap_or(first);
        measured.join_delays = opened.duration_since(begun);
        measured.picture_delay = first.duration_since(opened);
        measured.join_cpu_newcomer = meter.spent.get(&newcomer).copied().unwrap_or_default();
        measured.join_cpu_committer = meter.spent.get(&0).copied().unwrap_or_default();
        measured.added = meter.sizes.first().copied().unwrap_or_default();
    }
    Ok(())
}

fn eject(simulation: &mut Simulation, measured: &mut Measured) -> Result<(), MeasureError> {
    // The second puppet is put out; the first hears what the others send. Neither its leaf nor its keys change meanwhile.
    let leaf =
        simulation.puppets[1].group.as_ref().map(conclave_e2ee::Group::me).ok_or(MeasureError::Late("joining"))?;
    simulation.puppets[1].follows = false;
    if let Some(meter) = meter(simulation) {
        meter.spent.clear();
        meter.followed.clear();
        meter.entered.clear();
        meter.sizes.clear();
    }
    let begun = simulation.now;
    simulation.input(0, Input::Command(Command::Eject(LeafIndex(leaf.0))))?;
    let chair = meter(simulation).and_then(|meter| meter.spent.get(&0).copied()).unwrap_or_default();
    simulation.run_for(AFTERWARDS)?;
    let Some(meter) = simulation.meter.take() else { return Ok(()) };
    let own = |who: usize| meter.followed.iter().find(|(whose, _)| *whose == who).map(|(_, took)| *took);
    let switched = meter.entered.iter();
    measured.switched =
        switched.map(|(who, (at, _))| at.duration_since(begun) + chair + own(*who).unwrap_or_default()).collect();
    measured.switched.sort_unstable();
    measured.followed = meter.followed.iter().map(|(_, took)| *took).collect();
    measured.followed.sort_unstable();
    measured.ejected = meter.sizes.first().map_or(0, |(commit, _)| *commit);
    let expected = simulation.honest().len();
    if measured.switched.len() < expected {
        return Err(MeasureError::Late("the switch of all members"));
    }
    let last = meter.entered.values().map(|(at, _)| *at).max().unwrap_or(begun);
    // What a hostile relay would go on giving to the ejected.
    let heard = std::mem::take(&mut simulation.puppets[0].heard);
    let Some(group) = &mut simulation.puppets[1].group else { return Ok(()) };
    for (at, (head, sealed)) in heard {
        let is_open = group.open_frame(&head, &sealed).is_ok();
        // It was sent one way of the line before it came.
        if at > last + Duration::from_millis(15) {
            measured.frames_after += 1;
            measured.opened_after += usize::from(is_open);
        } else {
            measured.opened_before += usize::from(is_open);
        }
    }
    Ok(())
}

/// A percentile of some durations; zero where there is none.
pub fn percentile(durations: &[Duration], percent: usize) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}
