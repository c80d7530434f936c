//! What the relay dropped and why.

/// How often each thing happened since the relay began. Only numbers: no names, no addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections taken in.
    pub opened: u64,
    /// Connections refused at the door by the relay itself: no place, or a path that cannot be.
    pub refused: u64,
    /// Connections ended because they broke the protocol.
    pub misbehaved: u64,
    /// Commits that came too late for their epoch.
    pub late_commits: u64,
    /// Objections to commits that counted.
    pub objections: u64,
    /// Objections to commits that nobody can object to any more, or of somebody who has no say in them.
    pub objections_ignored: u64,
    /// Commits that were annulled.
    pub annulled: u64,
    /// Connections that an acting chair ended.
    pub dismissed: u64,
    /// Dismissals by somebody who has lost the chair, or of somebody who is not there or cannot be dismissed.
    pub dismissals_ignored: u64,
    /// Signs of life past the limit of their connection.
    pub pulses_dropped: u64,
    /// Datagrams of no known connection.
    pub datagrams_unknown: u64,
    /// Datagrams that the connection's media path could not use.
    pub datagrams_malformed: u64,
    /// Datagrams past the limit of their connection.
    pub datagrams_flooded: u64,
    /// Media packets without a proper descriptor.
    pub packets_malformed: u64,
    /// Media packets that claim another's number.
    pub packets_foreign: u64,
    /// Media packets of connections that are not members yet.
    pub packets_early: u64,
    /// Media packets of an encoding that no picture has.
    pub packets_unknown_layer: u64,
    /// Media packets taken in.
    pub packets_received: u64,
    /// Media packets sent on, once for each receiver.
    pub packets_forwarded: u64,
    /// Media packets not sent on because the receiver's path is not up, or has no room.
    pub packets_unsent: u64,
}
