//! What came to nothing at the door, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often each thing happened since the relay began. Only numbers: no names, no addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoorCounters {
    /// Connections turned away at once: too many were in their handshake.
    pub crowded: u64,
    /// Connections that sent nothing, or too little in time.
    pub idle: u64,
    /// Connections that failed in TLS: no certificate, one of another office, or no TLS at all.
    pub tls: u64,
    /// Connections that spoke TLS and no WebSocket.
    pub websocket: u64,
    /// Connections that were closed by the other end before its first message.
    pub closed: u64,
    /// Clients that were refused with an answer.
    pub refused: u64,
    /// Attempts past the limit for one certificate; `refused` counts them as well.
    pub throttled: u64,
    /// Clients that fell silent later.
    pub silent: u64,
    /// Clients that read too slowly.
    pub slow: u64,
    /// Records that could not be written to the audit log.
    pub unrecorded: u64,
}

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) crowded: AtomicU64,
    pub(crate) idle: AtomicU64,
    pub(crate) tls: AtomicU64,
    pub(crate) websocket: AtomicU64,
    pub(crate) closed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) silent: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) unrecorded: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    pub(crate) fn counters(&self) -> DoorCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DoorCounters {
            crowded: read(&self.crowded),
            idle: read(&self.idle),
            tls: read(&self.tls),
            websocket: read(&self.websocket),
            closed: read(&self.closed),
            refused: read(&self.refused),
            throttled: read(&self.throttled),
            silent: read(&self.silent),
            slow: read(&self.slow),
            unrecorded: read(&self.unrecorded),
        }
    }
}
