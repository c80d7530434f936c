//! What a session counts.

use std::collections::BTreeMap;

use conclave_model::{LeafIndex, TrackKind};

/// Totals since the session began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that the media path refused.
    pub datagrams_dropped: u64,
    /// Packets whose descriptor or place in a frame was wrong.
    pub packets_malformed: u64,
    /// Packets that came twice or too late to be of use.
    pub packets_late: u64,
    /// Frames given up because a packet never came, or to stay within the bounds of memory.
    pub frames_incomplete: u64,
    /// Frames of an epoch from before this member came in, or whose keys have been forgotten.
    pub frames_epoch_gone: u64,
    /// Frames of an epoch that did not become known here in time.
    pub frames_unknown_epoch: u64,
    /// Frames of a leaf that has been removed.
    pub frames_of_strangers: u64,
    /// Frames whose authentication failed or whose sender is not the one that the relay named.
    pub frames_forged: u64,
    /// Frames that came twice.
    pub frames_replayed: u64,
    /// Frames that were no valid ciphertext, or no valid content.
    pub frames_malformed: u64,
    /// Frames of screens, and of their sound, that their senders may not share.
    pub frames_without_leave: u64,
    /// Frames not given out because their track was not proven at the time, or they came after newer ones were.
    pub frames_unproven: u64,
    /// Pictures given up because one before them was lost.
    pub frames_out_of_chain: u64,
    /// Own frames not sent because the path was down or the participant no member yet.
    pub frames_unsent: u64,
    /// Signals out of turn, for somebody else, or of no valid content.
    pub signals_ignored: u64,
    /// Key frames asked of others.
    pub key_frames_requested: u64,
    /// Own commits that another's forestalled.
    pub commits_refused: u64,
    /// The participant's own tracks.
    pub sent: BTreeMap<TrackKind, TrackCounters>,
    /// The tracks of others.
    pub received: BTreeMap<(LeafIndex, TrackKind), TrackCounters>,
}

/// Totals of one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackCounters {
    /// Frames.
    pub frames: u64,
    /// Bytes of bitstream in them.
    pub bytes: u64,
}

impl TrackCounters {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }
}
