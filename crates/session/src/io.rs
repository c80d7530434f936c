//! What goes into a session and what comes out.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use conclave_e2ee::{
    CommitError, JoinError, LeafError, Member, Memory, MessageError, NewcomerError, Rejection, SealError,
};
use conclave_identity::{Holder, Invitation, MemberError};
use conclave_model::{
    Bitrate, EncodedFrame, Epoch, Layer, LeafIndex, LeafRef, Level, TrackKind,
    wire::signal::{Delay, FromRelay, Refusal, ToRelay},
};
use conclave_transport::{Quality, Transmit, TransportError};

use crate::{Governance, MemberState, ShareCommand, ShareError, ShareFault, ShareNews, Stage, Standing, Waiting};

/// Who joins which meeting.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The participant's unlocked credential.
    pub holder: Holder,
    /// The verified invitation.
    pub invitation: Invitation,
    /// The wall clock at the moment of construction, in seconds since 1970-01-01 UTC.
    pub wall: u64,
    /// The highest level that the meeting may have here: the lower of the relay's certified maximum and of this app's
    /// policy.
    pub ceiling: Level,
    /// What [`Session::memory`](crate::Session::memory) of the last session of this meeting gave, if there was one.
    pub memory: Option<Memory>,
    /// Whether an older connection of the same credential ends. Without it the relay answers
    /// [`Refusal::AlreadyHere`] where there is one.
    pub take_over: bool,
}

impl SessionConfig {
    /// The first session of a meeting: no memory, nobody to take over from, no higher than the invitation's level.
    pub fn new(holder: Holder, invitation: Invitation, wall: u64) -> Self {
        let ceiling = invitation.content().level;
        Self { holder, invitation, wall, ceiling, memory: None, take_over: false }
    }
}

/// What the world tells a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The participant wants something.
    Command(Command),
    /// The socket received.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// The local address that received it, as given to [`Session::new`](crate::Session::new) or by
        /// [`Input::LocalAddress`].
        to: SocketAddr,
        /// What was received.
        bytes: &'a [u8],
    },
    /// The socket is another one now, bound to this address: the network changed, or [`Event::PathSilent`] asked for it.
    /// Membership, keys and what is queued stay.
    LocalAddress(SocketAddr),
    /// An encoder of the participant's own finished a frame.
    LocalFrame(TrackKind, EncodedFrame),
    /// The relay said something.
    Signal(FromRelay),
    /// The time of the last [`Output::Wake`] has come; harmless at any other time.
    Timeout,
}

/// What a participant wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Tells the members which of the own sources are open; repeated by the session whenever somebody joins.
    Announce(MemberState),
    /// Which pictures to receive; replaces the earlier wishes. Sound comes unasked.
    Wishes(Vec<MemberWish>),
    /// A decoder cannot go on. Repetitions are throttled.
    NeedKeyFrame {
        /// Whose track.
        leaf: LeafIndex,
        /// Which.
        track: TrackKind,
    },
    /// The most that the participant would send, which bounds how far the path is probed.
    DesiredBitrate(Bitrate),
    /// Lets in those who wait; all of them where the list is empty. The chair's.
    Admit(Vec<LeafRef>),
    /// Sends somebody away who waits. The chair's.
    Deny(LeafRef),
    /// Lets in only those who were admitted before, or anybody on the list again. The chair's.
    Lock(bool),
    /// Puts a member out, for good. The chair's.
    Eject(LeafIndex),
    /// Changes the classification: up at once, without those who are not cleared; down with the originator's consent.
    /// The chair's.
    SetLevel(Level),
    /// Agrees that the level goes down to this. The originator's.
    Consent(Level),
    /// What concerns the sharing of screens; [`Event::ShareRefused`] says where it cannot be.
    Sharing(ShareCommand),
    /// Goodbye.
    Leave,
}

/// A picture that the participant wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemberWish {
    /// Whose.
    pub leaf: LeafIndex,
    /// Which track.
    pub track: TrackKind,
    /// How high it is shown, in pixels; 0 stands for "not at all".
    pub height: u16,
}

/// What a session asks of the world.
#[derive(Debug)]
pub enum Output {
    /// Something happened.
    Event(Event),
    /// A frame of another member, decrypted and proven. Pictures come in decodable order; sound as it arrives.
    RemoteFrame(RemoteFrame),
    /// To the relay, in this order.
    Signal(ToRelay),
    /// A datagram to send.
    Transmit(Transmit),
    /// All is said; [`Input::Timeout`] is wanted at this moment at the latest.
    Wake(Instant),
}

/// A frame of another member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFrame {
    /// Who sent it, as its encryption proves.
    pub from: LeafIndex,
    /// Which track.
    pub track: TrackKind,
    /// Counts the frames of this member, track and layer; wraps.
    pub number: u32,
    /// The frame.
    pub frame: EncodedFrame,
    /// When its last packet came in.
    pub received: Instant,
    /// When it was decrypted and its turn had come: the time of the call that returned it.
    pub opened: Instant,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The participant is a member now.
    Admitted {
        /// The participant's own leaf.
        me: LeafIndex,
    },
    /// Who is in the group, sorted by leaf. Comes after [`Event::Admitted`] and after every change.
    Roster(Arc<[Member]>),
    /// The group has new keys.
    EpochChanged(Epoch),
    /// Another member's sources.
    MemberState {
        /// Whose.
        leaf: LeafIndex,
        /// What is open.
        state: MemberState,
    },
    /// The participant's own encoder should make a key frame.
    KeyFrameWanted {
        /// Of which track.
        track: TrackKind,
        /// Of which encoding.
        layer: Layer,
    },
    /// Which encodings of an own picture somebody watches; see
    /// [`LayersWanted`](conclave_model::wire::signal::FromRelay::LayersWanted) for what is to be sent. Comes on change,
    /// at most ten times a second. A session that follows another begins without: what was said there goes on.
    LayersWanted {
        /// Of which track; always a picture.
        track: TrackKind,
        /// One bit for each layer, [`Layer::bit`]; 0: nobody watches. Bits of layers that do not exist are never set.
        layers: u8,
    },
    /// Which wished pictures come smaller than they could, or not at all, because the own line carries no more, as the
    /// relay says; all others as good as their senders send them. Replaces what was said before.
    Squeezed(Vec<(LeafIndex, TrackKind)>),
    /// What the network bears for all the participant's video together; comes when it changed by 5 % or more.
    Budget(Bitrate),
    /// Media flow from now on.
    PathUp,
    /// Media do not flow at the moment.
    PathDown,
    /// How the participant's own sound arrives at the one who receives it worst, from the relay on; as the relay says, on
    /// change. Taken for granted before: without loss.
    Heard(Quality),
    /// Nothing comes from the relay, which answers a check every second; said again while that lasts. Another socket, by
    /// [`Input::LocalAddress`], may get through where this one's way is gone.
    PathSilent,
    /// How the path does.
    Quality(Quality),
    /// Somebody asked to join and was refused by this member's own check.
    NewcomerRefused {
        /// Their leaf.
        reference: LeafRef,
        /// Why.
        error: NewcomerError,
    },
    /// Frames could not be opened. At most one a second for each connection and cause.
    Undecryptable {
        /// Whose, as far as the relay's numbering tells; nothing is proven for such a frame.
        leaf: Option<LeafIndex>,
        /// Why.
        cause: UndecryptableCause,
        /// How many since the last such event.
        frames: u64,
    },
    /// How the meeting is led. Comes after [`Event::Admitted`] and after every change.
    Governance(Governance),
    /// Who waits in the lobby, longest first. Comes after every change.
    Lobby(Arc<[Waiting]>),
    /// Whether a member confirms the state of the group has changed.
    Standing {
        /// Whose.
        leaf: LeafIndex,
        /// How it stands.
        standing: Standing,
    },
    /// A command of the chair or the originator could not be carried out.
    OrderRefused(OrderError),
    /// Who shares a screen, who may and who asks. Comes after [`Event::Admitted`] and after every change.
    Stage(Stage),
    /// What became of the own wish to share a screen.
    Share(ShareNews),
    /// A wish about sharing could not be met.
    ShareRefused(ShareError),
    /// A member sends a screen that it may not share, or lets others share without the right to it. Nothing of it is
    /// given out or counts. At most one a second for each member.
    ScreenWithheld {
        /// Who; authenticated.
        leaf: LeafIndex,
        /// Why.
        why: ShareFault,
        /// How many frames since the last such event.
        frames: u64,
    },
    /// A member made a change that breaks the rules; this member does not follow it.
    Objected {
        /// Who made it; authenticated.
        committer: LeafIndex,
        /// Why it is not followed.
        reason: Rejection,
    },
    /// What came in the name of a member is not what the member sent. The track is not played any more.
    TrackForged {
        /// In whose name.
        leaf: LeafIndex,
        /// Which track.
        track: TrackKind,
    },
    /// Whether a track is held has changed: nothing has proven for a second that what comes is the member's own, be it for
    /// loss or because proofs are kept back. While it is held, nothing of it is given out; with the next proof it goes on
    /// by itself, pictures with a key frame.
    TrackHeld {
        /// In whose name it comes.
        leaf: LeafIndex,
        /// Which track.
        track: TrackKind,
        /// Whether it is held from now on.
        held: bool,
    },
    /// Why the participant waits so long, as the acting chair's app says; `None` where nothing more than usual does.
    Delayed(Option<Delay>),
    /// A member's certificate has been revoked; the members take them out of the group.
    Revoked {
        /// Whose.
        leaf: LeafIndex,
    },
    /// Nobody else of the chair's succession was in the group into which this participant came, who may lead it: who is
    /// there was let in by nobody who may. Comes after [`Event::Admitted`], and not where the participant was in the
    /// meeting before.
    NobodyVouched,
    /// It is over; the session does nothing any more. Always the last event.
    Ended(EndReason),
}

/// Why a command of the chair or the originator is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Somebody else leads the meeting, or nobody.
    #[error("only the chair can do this")]
    NotChair,
    /// Only the named originator can agree to a lower level.
    #[error("only the originator can agree to a lower level")]
    NotOriginator,
    /// The invitation names no originator, so the level cannot go down.
    #[error("the invitation names nobody who may lower the level")]
    NoOriginator,
    /// The originator has not agreed.
    #[error("the originator has not agreed to a lower level")]
    NoConsent,
    /// The relay may not carry that level, or this app's policy does not allow it.
    #[error("this meeting can go no higher than {0}")]
    Ceiling(Level),
    /// The chair's own clearance does not reach.
    #[error("your own clearance does not reach that level")]
    NotCleared,
    /// Whom it concerns is not there any more.
    #[error("they are not there any more")]
    Gone,
    /// The identity key did not sign.
    #[error("the identity key cannot sign")]
    Sign,
}

/// Why frames could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UndecryptableCause {
    /// Sealed for an epoch that this member never came to know.
    UnknownEpoch,
    /// The authentication failed, or the sender is not who the relay says.
    Forged,
    /// A frame came twice.
    Replay,
    /// What should be ciphertext has no valid form.
    Malformed,
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EndReason {
    /// The participant left.
    #[error("left")]
    Left,
    /// The relay refused, or ended, the connection.
    #[error("the relay refused: {0}")]
    Refused(#[from] Refusal),
    /// The group removed the participant, whose connection it took to be gone.
    #[error("removed from the meeting")]
    Removed,
    /// The chair put the participant out of the meeting, for good.
    #[error("ejected from the meeting")]
    Ejected,
    /// The level was raised above the participant's clearance.
    #[error("the meeting is at {0} now, above the participant's clearance")]
    LevelRaised(Level),
    /// The participant's own credential does not admit to the meeting.
    #[error("the credential does not admit to the meeting: {0}")]
    Credential(#[source] MemberError),
    /// The relay, or the members of a meeting without lobby, did not answer in time.
    #[error("no member admitted this participant")]
    NotAdmitted,
    /// Nobody of the chair's succession vouches for the group that the relay calls the meeting.
    #[error("{0}")]
    Unvouched(Doubt),
    /// The welcome was not acceptable.
    #[error("the meeting could not be joined")]
    Join(#[source] JoinError),
    /// A commit was not acceptable, as one that adds somebody who fails the check.
    #[error("a change of the group was not acceptable")]
    Commit(#[source] CommitError),
    /// This member missed a change of the group.
    #[error("a change of the group was missed: at epoch {ours}, the relay at {theirs}")]
    OutOfStep {
        /// The epoch here.
        ours: Epoch,
        /// The epoch that the relay named.
        theirs: Epoch,
    },
    /// The relay did not say what became of a change of the group.
    #[error("the relay did not answer a change of the group")]
    Unanswered,
    /// The group could not be made.
    #[error("the meeting could not be opened")]
    Create(#[source] LeafError),
    /// The relay's description of its end of the media path was unusable.
    #[error("the relay's media address was unusable")]
    Path(#[source] TransportError),
}

/// Why a participant does not take a group for the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Doubt {
    /// Nobody of the chair's succession is in it, and this app has not been let in before.
    #[error("nobody who may lead the meeting is there")]
    NobodyLeads,
    /// Somebody of the succession has a place in it, and has not shown to be there for 10 s.
    #[error("nobody who may lead the meeting has confirmed it")]
    Silent,
    /// Somebody of the succession, who has a place in it, has proven to be in another group.
    #[error("whoever leads the meeting is in another group")]
    Elsewhere,
}

/// Why an input was not taken. The session goes on unless [`Event::Ended`] says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// The relay said something that has no place in the present state.
    #[error("the relay sent {0} out of turn")]
    OutOfTurn(&'static str),
    /// The relay said something without valid content.
    #[error("the relay sent {0} without valid content")]
    Invalid(&'static str),
    /// A frame larger than a frame can be on the wire. It is dropped, so the next must be a key frame.
    #[error("a frame of {0} bytes is too large to send")]
    FrameTooLarge(usize),
    /// The own screen may not be shared now. The frame is dropped.
    #[error("nobody has let this member share a screen")]
    NoLeave,
    /// A layer that the wire has no number for.
    #[error("layer {} does not exist", .0.0)]
    Layer(Layer),
    /// The media path failed.
    #[error("the media path failed")]
    Path(#[from] TransportError),
    /// The own credential does not admit to the meeting; there is no use in asking.
    #[error("the credential does not admit to the meeting: {0}")]
    Credential(#[from] MemberError),
    /// No key package could be made.
    #[error("no keys for the meeting could be made")]
    Leaf(#[from] LeafError),
    /// A frame could not be sealed.
    #[error("a frame could not be sealed")]
    Seal(#[from] SealError),
    /// A message to the members could not be sealed, or one of theirs not opened.
    #[error("a message could not be sealed or opened")]
    Message(#[from] MessageError),
}
