//! What must be said to the person once.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use conclave_capture::{CaptureError, DeviceKind, ScreenError};
use conclave_model::{LeafRef, Level, TrackKind};
use conclave_session::{OrderError, ShareError, ShareFault, UndecryptableCause};

use crate::RetryReason;

/// Something that the person must be told once.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A device could not be opened, or is gone.
    DeviceLost {
        /// Which kind.
        device: DeviceKind,
        /// What happened.
        error: CaptureError,
    },
    /// A device that was lost works again.
    DeviceBack {
        /// Which kind.
        device: DeviceKind,
        /// What is open now.
        name: String,
    },
    /// Somebody wanted to become a member and failed the checks.
    NewcomerRefused {
        /// The leaf that they offered; there is no name, since nothing about them is certain.
        reference: LeafRef,
        /// Which check failed.
        reason: String,
    },
    /// The connection broke; the client reconnects.
    ConnectionLost(RetryReason),
    /// The client is a member again.
    Reconnected,
    /// Frames came that could not be opened. Nothing of them is shown or played.
    Undecryptable {
        /// The certified name of the member whose they should be; `None` where that is not even clear.
        who: Option<String>,
        /// Why they did not open.
        cause: UndecryptableCause,
        /// How many.
        frames: u64,
    },
    /// What the chair or the originator wanted could not be done.
    OrderRefused(OrderError),
    /// A member made a change that breaks the rules; this app does not follow it.
    Objected {
        /// The certified name of who made it; `None` where they are gone.
        who: Option<String>,
        /// Which rule.
        reason: String,
    },
    /// What came in a member's name was not the member's. It is not shown or played any more.
    Forged {
        /// In whose name; `None` where they are gone.
        who: Option<String>,
        /// Which track.
        track: TrackKind,
    },
    /// Somebody keeps this app and a member in different states of the meeting.
    Diverged {
        /// The certified name of the member.
        who: Option<String>,
    },
    /// A member's credential has been revoked; the others put them out of the meeting.
    Revoked {
        /// The certified name.
        who: Option<String>,
    },
    /// Nobody else who may lead was in the meeting that the client, who may, has come into: who is there was let in by
    /// nobody who may.
    NobodyVouched,
    /// Something about the sharing of screens.
    Sharing(SharingNotice),
    /// An encoder failed; the track is no longer sent.
    EncoderFailed {
        /// Of which device.
        device: DeviceKind,
        /// What happened.
        reason: String,
    },
}

/// What must be said about the sharing of screens.
#[derive(Clone, Debug, PartialEq)]
pub enum SharingNotice {
    /// The own screen may be shared now.
    Granted,
    /// The chair does not let this participant share.
    Denied,
    /// The own sharing was ended by the chair, or somebody else shares now.
    Stopped,
    /// The meeting's level, which this is, went below the label, so the own sharing ended.
    LevelLowered(Level),
    /// What was wanted cannot be.
    Refused {
        /// Why.
        error: ShareError,
        /// Who shares already, where that is why.
        busy: Option<String>,
    },
    /// What was shared is gone or never was there, so the own sharing ended.
    Lost(ScreenError),
    /// The connection was lost, and with it the leave to share.
    Disconnected,
    /// The encoder failed and goes on by itself.
    EncoderFailed(String),
    /// Somebody else shares a screen from now on.
    Began {
        /// The certified name.
        who: Option<String>,
        /// The level of what they share.
        label: Level,
    },
    /// A member sends a screen that it may not share, or lets others share without the right to it. Nothing of it is
    /// shown or counts.
    Withheld {
        /// The certified name.
        who: Option<String>,
        /// Why.
        why: ShareFault,
        /// How many frames.
        frames: u64,
    },
}

/// The most notices that wait. More than there are kinds, so that a full queue always has two of one kind.
const CAPACITY: usize = 64;

/// A notice and how often it came.
#[derive(Clone, Debug)]
struct Entry {
    notice: Notice,
    times: u32,
}

/// The reader of a client's notices.
///
/// The queue is bounded and loses nothing silently: when it is full, the two oldest notices of one kind become one,
/// whose count says how many it stands for.
#[derive(Debug)]
pub struct Notices {
    queue: Arc<Queue>,
}

/// The writer's side.
#[derive(Clone, Debug)]
pub(crate) struct NoticeSender {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: Mutex<VecDeque<Entry>>,
    came: Condvar,
}

/// A bounded queue of notices.
pub(crate) fn notices() -> (NoticeSender, Notices) {
    let queue = Arc::<Queue>::default();
    (NoticeSender { queue: Arc::clone(&queue) }, Notices { queue })
}

impl Notices {
    /// The oldest notice, with how many of its kind it stands for. Does not wait.
    pub fn try_next(&self) -> Option<(Notice, u32)> {
        self.queue.lock().pop_front().map(|entry| (entry.notice, entry.times))
    }

    /// The oldest notice; waits for one up to `patience`. Not for the window's thread.
    pub fn next_within(&self, patience: Duration) -> Option<(Notice, u32)> {
        let (mut entries, _) = self
            .queue
            .came
            .wait_timeout_while(self.queue.lock(), patience, |entries| entries.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        entries.pop_front().map(|entry| (entry.notice, entry.times))
    }
}

impl NoticeSender {
    /// Adds a notice. One that equals the newest is counted there.
    pub(crate) fn send(&self, notice: Notice) {
        let mut entries = self.queue.lock();
        match entries.back_mut() {
            Some(last) if last.notice == notice => last.times = last.times.saturating_add(1),
            _ => entries.push_back(Entry { notice, times: 1 }),
        }
        if entries.len() > CAPACITY {
            coalesce(&mut entries);
        }
        self.queue.came.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes one of the two oldest entries of one kind; the newer's words stay.
fn coalesce(entries: &mut VecDeque<Entry>) {
    for older in 0..entries.len() {
        let kind = std::mem::discriminant(&entries[older].notice);
        let same = |entry: &Entry| std::mem::discriminant(&entry.notice) == kind;
        if let Some(newer) = entries.iter().skip(older + 1).position(same) {
            let times = entries[older].times;
            let newer = &mut entries[older + 1 + newer];
            newer.times = newer.times.saturating_add(times);
            entries.remove(older);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: u16) -> Notice {
        let mut leaf = [0; 16];
        leaf[..2].copy_from_slice(&number.to_be_bytes());
        Notice::NewcomerRefused { reference: LeafRef(leaf), reason: "not on the list".into() }
    }

    #[test]
    fn a_full_queue_counts_what_it_cannot_keep() {
        let (sender, notices) = notices();
        sender.send(Notice::Reconnected);
        for number in 0..1000 {
            sender.send(refused(number));
        }
        assert_eq!(notices.try_next(), Some((Notice::Reconnected, 1)));
        let kept: Vec<_> = std::iter::from_fn(|| notices.try_next()).collect();
        assert!(kept.len() < CAPACITY);
        assert_eq!(kept.iter().map(|(_, times)| times).sum::<u32>(), 1000);
        assert_eq!(kept.last().map(|(notice, _)| notice), Some(&refused(999)));
    }

    #[test]
    fn the_same_notice_twice_is_one_with_a_count() {
        let (sender, notices) = notices();
        sender.send(refused(1));
        sender.send(refused(1));
        assert_eq!(notices.try_next(), Some((refused(1), 2)));
        assert_eq!(notices.try_next(), None);
        assert_eq!(notices.next_within(Duration::from_millis(1)), None);
    }
}
