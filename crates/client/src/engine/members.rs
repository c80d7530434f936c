//! The members of the group as this client sees, hears and shows them.

mod keys;
mod pairs;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use conclave_e2ee::Member;
use conclave_model::{Layer, LeafIndex, Level, Person, TrackKind};
use conclave_session::{MemberState, MemberWish, RemoteFrame, SourceState, Standing};
use tokio::sync::mpsc;

use self::{
    keys::BetweenKeys,
    pairs::{fold, pair_report},
};
use super::{
    local::FromMedia,
    pictures::{Source, Video},
};
use crate::{
    DecodedSink, KeyState, PairReport, Participant, Watch, Watched,
    client::Shared,
    media::{SoundReceiver, SoundStatistics, no_hold},
};

/// How long a member counts as failing after the last frame that did not open.
const FAILING: Duration = Duration::from_secs(3);

/// The height at which a shared screen is asked for: as it is.
const SCREEN: u16 = 1200;

/// Everybody in the group, with what decodes them.
pub(crate) struct Members {
    me: Option<LeafIndex>,
    entries: BTreeMap<LeafIndex, Entry>,
    sound: Arc<SoundReceiver>,
    /// Names for the development sink, which runs on other threads.
    people: Arc<ArcSwap<People>>,
    /// What was received of people in earlier sessions, by the fingerprint of their certificates.
    past: BTreeMap<[u8; 32], PairReport>,
    watch: Wanted,
    /// Whose screen is shared, and of which level.
    screen: Option<(LeafIndex, Level)>,
    shared: Arc<Shared>,
    to_engine: mpsc::Sender<FromMedia>,
    sink: Option<Arc<dyn DecodedSink>>,
}

type People = BTreeMap<LeafIndex, Arc<Person>>;

/// Whose pictures are wanted.
enum Wanted {
    All(u16),
    Named(Vec<Watched>),
}

struct Entry {
    person: Arc<Person>,
    state: MemberState,
    opened: bool,
    failed: Option<Instant>,
    between_keys: BetweenKeys,
    /// Something came in the member's name that was not the member's.
    forged: bool,
    /// Tracks of which nothing is given out, since nothing proves them.
    held: BTreeSet<TrackKind>,
    standing: Standing,
    level: f32,
    /// In which size the camera's picture comes, and as it is shown.
    layer: Option<Layer>,
    shown_layer: Option<Layer>,
    /// Tracks that come smaller than they could, for the own line.
    squeezed: BTreeSet<TrackKind>,
    videos: BTreeMap<TrackKind, Video>,
}

impl Members {
    /// Nobody yet.
    pub(crate) fn new(
        shared: Arc<Shared>,
        watch: Watch,
        to_engine: mpsc::Sender<FromMedia>,
        sink: Option<Arc<dyn DecodedSink>>,
    ) -> Self {
        let people = Arc::<ArcSwap<People>>::default();
        let (tap, names) = (sink.clone(), Arc::clone(&people));
        let sound = SoundReceiver::new(move |event| {
            if let Some(tap) = &tap
                && let Some(person) = names.load().get(&event.from)
            {
                tap.sound(person, event.time, event.concealed, event.samples);
            }
        });
        let watch = match watch {
            Watch::All { height } => Wanted::All(height),
            Watch::Named => Wanted::Named(Vec::new()),
        };
        Self {
            me: None,
            entries: BTreeMap::new(),
            sound: Arc::new(sound),
            people,
            past: BTreeMap::new(),
            watch,
            screen: None,
            shared,
            to_engine,
            sink,
        }
    }

    /// What plays them.
    pub(crate) fn sound(&self) -> &Arc<SoundReceiver> {
        &self.sound
    }

    /// The own leaf, while a member.
    pub(crate) fn me(&self) -> Option<LeafIndex> {
        self.me
    }

    /// Forgets everybody: the session is over. What was counted is kept.
    pub(crate) fn clear(&mut self) {
        self.set_shared(None);
        self.me = None;
        self.set_roster(&[]);
        self.shared.frames.retain(|_, _| false);
    }

    /// The participant is a member now.
    pub(crate) fn admitted(&mut self, me: LeafIndex) {
        self.me = Some(me);
        self.shared.frames.set_me(me);
    }

    /// Takes the group's member list.
    pub(crate) fn set_roster(&mut self, roster: &[Member]) {
        let stays = |leaf: &LeafIndex, entry: &Entry| {
            // The leaf of somebody who left may be given to somebody else in the same commit.
            roster.iter().any(|member| member.leaf == *leaf && member.person == *entry.person)
        };
        let statistics = self.sound.statistics();
        for (leaf, entry) in self.entries.extract_if(.., |leaf, entry| !stays(leaf, entry)) {
            let heard = heard(&statistics, leaf);
            let pair = entry.pair(heard.as_ref());
            fold(self.past.entry(entry.person.fingerprint).or_default(), &pair);
            self.sound.remove(leaf);
            self.shared.frames.retain(|of, _| of != leaf);
        }
        for member in roster {
            self.entries.entry(member.leaf).or_insert_with(|| Entry::new(&member.person));
        }
        let people: People = self.entries.iter().map(|(leaf, entry)| (*leaf, Arc::clone(&entry.person))).collect();
        self.people.store(Arc::new(people));
        if let Some(me) = self.me {
            self.shared.frames.set_me(me);
        }
    }

    /// Takes what a member says of its sources.
    pub(crate) fn set_state(&mut self, leaf: LeafIndex, state: MemberState) {
        let Some(entry) = self.entries.get_mut(&leaf) else { return };
        entry.state = state;
        entry.close_camera_if_off();
    }

    /// Whose screen is shared, and of which level; the last picture of another's goes, and of another level's: nothing
    /// is seen under the label of something else.
    pub(crate) fn set_shared(&mut self, of: Option<(LeafIndex, Level)>) {
        if let Some((before, _)) = self.screen.filter(|before| Some(*before) != of)
            && let Some(entry) = self.entries.get_mut(&before)
        {
            // With its decoder: a picture in it must not come out later.
            entry.videos.remove(&TrackKind::Screen);
            self.shared.frames.retain(|leaf, track| leaf != before || track != TrackKind::Screen);
        }
        self.screen = of;
    }

    /// Takes a frame that was opened.
    pub(crate) fn frame(&mut self, frame: RemoteFrame) {
        let (leaf, track) = (frame.from, frame.track);
        let Some(entry) = self.entries.get_mut(&leaf).filter(|_| Some(leaf) != self.me) else { return };
        entry.opened = true;
        entry.between_keys.opened();
        if !track.is_video() {
            self.sound.push(frame);
            return;
        }
        if track == TrackKind::Camera {
            entry.layer = Some(frame.frame.layer);
        }
        if !entry.videos.contains_key(&track) {
            let hold = if track == TrackKind::Camera { self.sound.lips(leaf) } else { no_hold() };
            let source = Source {
                leaf,
                track,
                person: Arc::clone(&entry.person),
                shared: &self.shared,
                to_engine: &self.to_engine,
                tap: self.sink.clone(),
            };
            match Video::start(source, hold) {
                Ok(video) => drop(entry.videos.insert(track, video)),
                Err(error) => {
                    // The next frame tries again; the picture is missing until then.
                    tracing::warn!(leaf = leaf.0, %error, "no decoder");
                    return;
                }
            }
        }
        if let Some(video) = entry.videos.get(&track) {
            video.receiver.push(frame);
        }
    }

    /// Frames of a member came under keys that are not known here. For a moment that is no more than a change of keys
    /// which one of the two knows of before the other: nothing to alarm anybody with. Says whether it is that still.
    pub(crate) fn is_between_keys(&mut self, leaf: LeafIndex, now: Instant) -> bool {
        self.entries.get_mut(&leaf).is_some_and(|entry| entry.between_keys.unknown(now))
    }

    /// Frames of a member did not open.
    pub(crate) fn failed_to_open(&mut self, leaf: LeafIndex, now: Instant) -> Option<&Person> {
        let entry = self.entries.get_mut(&leaf)?;
        entry.failed = Some(now);
        Some(&entry.person)
    }

    /// Whether a member confirms the state of the group has changed. Returns the certified name.
    pub(crate) fn set_standing(&mut self, leaf: LeafIndex, standing: Standing) -> Option<String> {
        let entry = self.entries.get_mut(&leaf)?;
        entry.standing = standing;
        Some(entry.person.name.clone())
    }

    /// Something came in a member's name that was not the member's. Returns the certified name.
    pub(crate) fn forged(&mut self, leaf: LeafIndex) -> Option<String> {
        let entry = self.entries.get_mut(&leaf)?;
        entry.forged = true;
        Some(entry.person.name.clone())
    }

    /// Nothing of a track is given out any more until it is proven again, or it is now.
    pub(crate) fn held(&mut self, leaf: LeafIndex, track: TrackKind, held: bool) {
        let Some(entry) = self.entries.get_mut(&leaf) else { return };
        if !held {
            entry.held.remove(&track);
            return;
        }
        entry.held.insert(track);
        // What is shown last is not proven either.
        if let Some(video) = entry.videos.get(&track) {
            video.blank();
        }
    }

    /// The certified name of a member.
    pub(crate) fn name_of(&self, leaf: LeafIndex) -> Option<String> {
        self.entries.get(&leaf).map(|entry| entry.person.name.clone())
    }

    /// Which pictures come smaller than they could, for the own line.
    pub(crate) fn set_squeezed(&mut self, tracks: &[(LeafIndex, TrackKind)]) {
        for (leaf, entry) in &mut self.entries {
            entry.squeezed = tracks.iter().filter(|(of, _)| of == leaf).map(|(_, track)| *track).collect();
        }
    }

    /// Changes whose pictures are wanted.
    pub(crate) fn watch(&mut self, watched: Vec<Watched>) {
        for (leaf, entry) in &self.entries {
            for (track, video) in &entry.videos {
                if !watched.iter().any(|wish| wish.leaf == *leaf && wish.track == *track) {
                    video.receiver.pause();
                }
            }
        }
        self.watch = Wanted::Named(watched);
    }

    /// Wants all pictures.
    pub(crate) fn watch_all(&mut self, height: u16) {
        self.watch = Wanted::All(height);
    }

    /// What to ask of the relay.
    pub(crate) fn wishes(&self) -> Vec<MemberWish> {
        let others = || self.entries.keys().filter(|leaf| Some(**leaf) != self.me);
        match &self.watch {
            Wanted::All(height) => {
                // What is shown to all comes first.
                let screen = others().filter(|leaf| self.screen.is_some_and(|(sharer, _)| sharer == **leaf));
                let screen = screen.map(|leaf| MemberWish { leaf: *leaf, track: TrackKind::Screen, height: SCREEN });
                let camera = |leaf: &LeafIndex| MemberWish { leaf: *leaf, track: TrackKind::Camera, height: *height };
                screen.chain(others().map(camera)).collect()
            }
            Wanted::Named(watched) => watched
                .iter()
                .filter(|wish| others().any(|leaf| *leaf == wish.leaf))
                .map(|wish| MemberWish { leaf: wish.leaf, track: wish.track, height: wish.height })
                .collect(),
        }
    }

    /// Brings levels up to date; returns whether something that is shown has changed.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        let statistics = self.sound.statistics();
        let mut changed = false;
        for (leaf, entry) in &mut self.entries {
            let level = heard(&statistics, *leaf).map_or(0.0, |heard| heard.level);
            if (level - entry.level).abs() > 0.01 {
                entry.level = level;
                changed = true;
            }
            if entry.failed.is_some_and(|failed| now.duration_since(failed) >= FAILING) {
                entry.failed = None;
                changed = true;
            }
            // A picture that was still in the decoder when the camera was closed.
            entry.close_camera_if_off();
            if entry.state.camera != SourceState::On {
                entry.layer = None;
            }
            changed |= std::mem::replace(&mut entry.shown_layer, entry.layer) != entry.layer;
        }
        changed
    }

    /// The members for the window; the own sources as `mine` says.
    pub(crate) fn participants(&self, mine: MemberState, my_level: f32) -> Vec<Participant> {
        let participant = |(leaf, entry): (&LeafIndex, &Entry)| {
            let is_me = Some(*leaf) == self.me;
            let state = if is_me { mine } else { entry.state };
            let level = if is_me { my_level } else { entry.level };
            Participant {
                leaf: *leaf,
                person: Person::clone(&entry.person),
                microphone: state.microphone,
                camera: state.camera,
                screen: state.screen,
                speaking: if state.microphone == SourceState::On { level } else { 0.0 },
                is_me,
                standing: entry.standing,
                key: match (entry.failed, entry.opened || is_me) {
                    _ if entry.forged => KeyState::Forged,
                    (Some(_), _) => KeyState::Failing,
                    _ if !entry.held.is_empty() => KeyState::Unproven,
                    (None, true) => KeyState::Open,
                    (None, false) => KeyState::Verified,
                },
                picture_layer: entry.shown_layer,
                picture_fails: entry.videos.get(&TrackKind::Camera).is_some_and(Video::is_hopeless),
                is_squeezed: entry.squeezed.contains(&TrackKind::Camera),
                screen_seen: entry.videos.get(&TrackKind::Screen).is_some_and(Video::is_seen),
                picture_seen: if is_me {
                    self.shared.frames.own().is_some()
                } else {
                    entry.videos.get(&TrackKind::Camera).is_some_and(Video::is_seen)
                },
            }
        };
        self.entries.iter().map(participant).collect()
    }

    /// The certified names of all members.
    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.values().map(|entry| entry.person.name.clone()).collect()
    }

    /// What was received of each other person, now and in earlier sessions. `to` is the own name.
    pub(crate) fn pairs(&self, people: &BTreeMap<[u8; 32], String>, to: &str) -> Vec<PairReport> {
        let statistics = self.sound.statistics();
        let mut pairs = self.past.clone();
        for (leaf, entry) in &self.entries {
            if Some(*leaf) != self.me {
                let pair = entry.pair(heard(&statistics, *leaf).as_ref());
                fold(pairs.entry(entry.person.fingerprint).or_default(), &pair);
            }
        }
        pairs
            .into_iter()
            .filter_map(|(fingerprint, pair)| {
                let from = people.get(&fingerprint).filter(|from| *from != to)?.clone();
                Some(PairReport { from, to: to.to_owned(), ..pair })
            })
            .collect()
    }
}

impl Entry {
    fn new(person: &Person) -> Self {
        Self {
            person: Arc::new(person.clone()),
            state: MemberState::default(),
            opened: false,
            failed: None,
            between_keys: BetweenKeys::default(),
            forged: false,
            held: BTreeSet::new(),
            standing: Standing::default(),
            level: 0.0,
            layer: None,
            shown_layer: None,
            squeezed: BTreeSet::new(),
            videos: BTreeMap::new(),
        }
    }

    fn close_camera_if_off(&mut self) {
        if self.state.camera != SourceState::On
            && let Some(video) = self.videos.get(&TrackKind::Camera)
            && video.is_seen()
            && video.slot.latest().is_some()
        {
            video.blank();
        }
    }

    fn pair(&self, heard: Option<&SoundStatistics>) -> PairReport {
        let seen = self.videos.get(&TrackKind::Camera).map(|video| video.receiver.statistics());
        pair_report(&seen.unwrap_or_default(), heard)
    }
}

fn heard(statistics: &[SoundStatistics], leaf: LeafIndex) -> Option<SoundStatistics> {
    statistics.iter().find(|heard| heard.from == leaf && heard.track == TrackKind::Microphone).copied()
}
