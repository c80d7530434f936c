//! Connections whose signalling breaks off and goes on: on another network, through another port.
//!
//! The media path is a matter of its own and may flow all the time. What the relay said last is kept for a while; a client
//! that comes back says how much of it arrived, and gets the rest. The same is done in the other direction, so that
//! neither side misses or hears anything twice.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use conclave_model::{
    Fingerprint, MeetingId,
    wire::signal::{FromRelay, Neighbour, Refusal, Resume, VERSION},
};
use tracing::debug;

use super::{ConnectionId, Output, Relay};

/// How long a connection that broke off may take to come back; the others see it as gone only then.
const GRACE: Duration = Duration::from_secs(6);

/// How much is kept of what was said: as long as a broken connection may go unnoticed and then take to come back.
const KEPT: Duration = Duration::from_secs(25);
const KEPT_MESSAGES: usize = 1024;
const KEPT_BYTES: usize = 4 << 20;

/// A client whose certificate the driver has checked, and which says that it was here a moment ago.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// SHA-256 of the certificate with which it authenticated.
    pub fingerprint: [u8; 32],
    /// Its first message.
    pub resume: Resume,
}

/// What was said to a connection lately, and how much it said.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// How many messages were said before those that are kept.
    forgotten: u64,
    kept: VecDeque<(Instant, FromRelay)>,
    bytes: usize,
    /// How many messages were heard of it.
    pub(crate) heard: u64,
    /// When it is given up, while its signalling is broken off.
    pub(crate) given_up: Option<Instant>,
}

impl Backlog {
    /// Keeps what is being said.
    pub(crate) fn keep(&mut self, message: &FromRelay, now: Instant) {
        self.bytes += message.size();
        self.kept.push_back((now, message.clone()));
        while let Some((at, oldest)) = self.kept.front()
            && (self.kept.len() > KEPT_MESSAGES || self.bytes > KEPT_BYTES || now.duration_since(*at) > KEPT)
        {
            self.bytes -= oldest.size();
            self.kept.pop_front();
            self.forgotten += 1;
        }
    }

    /// What follows the first `heard` messages; `None` where some of that is forgotten, or was never said.
    fn after(&self, heard: u64) -> Option<Vec<FromRelay>> {
        let skipped = usize::try_from(heard.checked_sub(self.forgotten)?).ok()?;
        (skipped <= self.kept.len()).then(|| self.kept.iter().skip(skipped).map(|(_, said)| said.clone()).collect())
    }
}

impl Relay {
    /// The signalling of a connection broke off without a goodbye: it has some seconds to come back by [`Self::resume`].
    /// Its media go on, and the others notice nothing.
    pub fn suspend(&mut self, connection: ConnectionId, now: Instant) {
        self.now = now;
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.backlog.given_up.get_or_insert(now + GRACE);
            debug!(meeting = %peer.meeting, peer = peer.who.peer.0, "signalling broke off");
            self.schedule(connection);
        }
    }

    /// Goes on with a connection; what it missed is among the outputs, after [`FromRelay::Resumed`]. Whether the older
    /// line to it is known to be broken does not matter.
    ///
    /// # Errors
    /// [`Refusal::Version`], or [`Refusal::NotResumed`] where no such connection of this certificate is there, or it missed
    /// more than is kept. The driver tells the client, which joins anew.
    pub fn resume(&mut self, resumed: Resumed, now: Instant) -> Result<ConnectionId, Refusal> {
        self.now = now;
        let Resumed { fingerprint, resume } = resumed;
        let Resume { version, meeting, who, heard } = resume;
        if version != VERSION {
            return Err(Refusal::Version);
        }
        let connection = self.interrupted(meeting, Fingerprint(fingerprint), who).ok_or(Refusal::NotResumed)?;
        let peer = self.peers.get_mut(&connection).ok_or(Refusal::NotResumed)?;
        let missed = peer.backlog.after(heard).ok_or(Refusal::NotResumed)?;
        peer.backlog.given_up = None;
        let heard = peer.backlog.heard;
        debug!(%meeting, peer = who.peer.0, missed = missed.len(), "signalling goes on");
        self.outputs.push_back(Output::Signal(connection, FromRelay::Resumed { heard }));
        self.outputs.extend(missed.into_iter().map(|message| Output::Signal(connection, message)));
        self.schedule(connection);
        Ok(connection)
    }

    fn interrupted(&self, meeting: MeetingId, fingerprint: Fingerprint, who: Neighbour) -> Option<ConnectionId> {
        let connection = self.connection_of(meeting, fingerprint)?;
        self.peers.get(&connection).is_some_and(|peer| peer.who == who).then_some(connection)
    }

    /// Gives up a connection that did not come back in time.
    pub(super) fn give_up(&mut self, connection: ConnectionId) {
        self.outputs.push_back(Output::Disconnect(connection));
        self.remove(connection, None);
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::Epoch;

    use super::*;

    fn said(number: u64) -> FromRelay {
        FromRelay::CommitRefused { epoch: Epoch(number) }
    }

    #[test]
    fn what_was_not_heard_is_said_again_and_nothing_else() {
        let now = Instant::now();
        let mut backlog = Backlog::default();
        (0..5).for_each(|number| backlog.keep(&said(number), now));
        assert_eq!(backlog.after(3), Some(vec![said(3), said(4)]));
        assert_eq!(backlog.after(5), Some(vec![]));
        assert_eq!(backlog.after(6), None, "it was never said");
    }

    #[test]
    fn what_is_kept_has_bounds_and_what_is_forgotten_is_not_passed_over() {
        let now = Instant::now();
        let mut backlog = Backlog::default();
        (0..2000).for_each(|number| backlog.keep(&said(number), now));
        assert_eq!(backlog.kept.len(), KEPT_MESSAGES);
        assert_eq!(backlog.after(975), None);
        assert_eq!(backlog.after(1999), Some(vec![said(1999)]));
        backlog.keep(&said(2000), now + KEPT + Duration::from_secs(1));
        assert_eq!(backlog.after(2000), Some(vec![said(2000)]));
        assert_eq!((backlog.after(1999), backlog.kept.len()), (None, 1));
        let large = FromRelay::Welcome { epoch: Epoch(1), welcome: vec![0; 3 << 20].into() };
        (0..3).for_each(|_| backlog.keep(&large, now + KEPT * 2));
        assert_eq!(backlog.kept.len(), 1);
    }
}
