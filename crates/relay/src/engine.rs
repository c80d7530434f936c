//! The media thread: the state machine, the UDP socket and the clock.

use std::{
    collections::HashMap,
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_model::wire::signal::{Refusal, ToRelay};
use conclave_relay_core::{Admitted, ConnectionId, Counters, Output, Relay, RelayConfig, Resumed};
use conclave_transport::Path;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info};

use crate::{
    audit::Audit,
    clock,
    outbox::Outbox,
    socket::{Intake, MediaSocket},
    tally::{DoorCounters, Tally, count},
};

/// How many commands may wait for the media thread.
pub(crate) const COMMANDS: usize = 1024;

/// After how many datagrams what they led to is sent, before more are taken in.
const BATCH: usize = 64;

/// How long connections have for their goodbyes when the relay shuts down.
pub(crate) const FAREWELL: Duration = Duration::from_secs(3);

/// How often the counters go to the log.
const REPORT: Duration = Duration::from_secs(60);

/// What connections tell the media thread.
#[derive(Debug)]
pub(crate) enum Command {
    /// There are newer revocation lists.
    Revocations(Vec<Bytes>),
    /// The certificate of a connection is on one.
    Revoked(Strand),
    /// A connection passed the relay's checks.
    Open { path: Box<Path>, admitted: Box<Admitted>, outbox: Outbox, reply: oneshot::Sender<Result<Strand, Refusal>> },
    /// A client goes on with a connection that broke off.
    Resume { resumed: Resumed, outbox: Outbox, reply: oneshot::Sender<Result<Strand, Refusal>> },
    /// A client said something.
    Signal(Strand, ToRelay),
    /// A client sent what is no message, or too much.
    Misbehaved(Strand),
    /// A strand broke without a goodbye.
    Broken(Strand),
    /// A connection is gone.
    Gone(Strand),
}

/// One of the TCP connections that were, one after the other, a client's connection. What comes late by an older one does
/// not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strand {
    connection: ConnectionId,
    number: u32,
}

/// Where to reach a client.
struct Seat {
    /// The newest strand.
    number: u32,
    /// `None` while that is broken.
    outbox: Option<Outbox>,
}

/// The state machine and what it is connected to.
pub(crate) struct Engine {
    relay: Relay,
    socket: MediaSocket,
    seats: HashMap<ConnectionId, Seat>,
    wake: Instant,
    reported: (Instant, Counters, DoorCounters),
    unsent: u64,
    tally: Arc<Tally>,
    audit: Audit,
}

impl Engine {
    pub(crate) fn new(
        config: RelayConfig,
        revocations: Vec<Bytes>,
        socket: MediaSocket,
        tally: Arc<Tally>,
        audit: Audit,
    ) -> Self {
        let now = clock::now();
        let mut relay = Relay::new(config, now);
        relay.set_revocations(revocations, now);
        if audit.is_kept() {
            relay.keep_records();
        }
        Self {
            relay,
            socket,
            seats: HashMap::new(),
            wake: now,
            reported: (now, Counters::default(), DoorCounters::default()),
            unsent: 0,
            tally,
            audit,
        }
    }

    /// Runs until `shutdown` turns true and the goodbyes are said.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut shutdown: watch::Receiver<bool>) {
        let mut intake = Intake::new(&self.socket);
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            self.drain();
            sleep.as_mut().reset(self.wake.into());
            tokio::select! {
                ready = self.socket.readable() => match ready {
                    Ok(()) => self.receive(&mut intake),
                    Err(error) => debug!(%error, "media socket"),
                },
                command = commands.recv() => match command {
                    Some(command) => self.handle(command),
                    None => break,
                },
                () = &mut sleep => {}
                // An error means that nobody can ask any more: the same as asking.
                _ = shutdown.wait_for(|down| *down) => break,
            }
            let now = clock::now();
            if self.wake <= now {
                self.relay.handle_timeout(now);
            }
            self.report(now);
        }
        self.relay.shut_down(clock::now());
        self.drain();
        self.log();
        // Connections flush what was said to them, then drop their end of the channel.
        commands.close();
        let _ = tokio::time::timeout(FAREWELL, async { while commands.recv().await.is_some() {} }).await;
    }

    fn receive(&mut self, intake: &mut Intake) {
        let mut taken = 0;
        while taken < BATCH {
            let now = clock::now();
            let relay = &mut self.relay;
            match self.socket.receive(intake, |from, to, datagram| relay.handle_datagram(from, to, datagram, now)) {
                Ok(count) => taken += count.max(1),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    taken += 1;
                    debug!(%error, "datagram not received");
                }
            }
        }
    }

    fn handle(&mut self, command: Command) {
        let now = clock::now();
        match command {
            Command::Open { path, admitted, outbox, reply } => {
                let result = self.relay.open_on(*path, *admitted, now);
                let result = result.map(|connection| self.seat(connection, outbox));
                if let (Ok(strand), Err(_)) = (result, reply.send(result)) {
                    self.seats.remove(&strand.connection);
                    self.relay.close(strand.connection, now);
                }
            }
            Command::Resume { resumed, outbox, reply } => {
                let result = self.relay.resume(resumed, now).map(|connection| self.seat(connection, outbox));
                if let (Ok(strand), Err(_)) = (result, reply.send(result)) {
                    self.suspend(strand, now);
                }
            }
            Command::Signal(strand, message) if self.is_current(strand) => {
                self.relay.handle_signal(strand.connection, message, now);
            }
            Command::Misbehaved(strand) if self.is_current(strand) => self.relay.accuse(strand.connection, now),
            Command::Revoked(strand) => self.relay.revoke(strand.connection, now),
            Command::Revocations(lists) => self.relay.set_revocations(lists, now),
            Command::Broken(strand) if self.is_current(strand) => self.suspend(strand, now),
            Command::Gone(strand) if self.is_current(strand) => {
                self.seats.remove(&strand.connection);
                self.relay.close(strand.connection, now);
            }
            Command::Signal(..) | Command::Misbehaved(_) | Command::Broken(_) | Command::Gone(_) => {}
        }
    }

    /// Speaks to a client by its newest strand from now on; the one before it, if there was one, ends.
    fn seat(&mut self, connection: ConnectionId, outbox: Outbox) -> Strand {
        let number = self.seats.get(&connection).map_or(0, |seat| seat.number.wrapping_add(1));
        self.seats.insert(connection, Seat { number, outbox: Some(outbox) });
        Strand { connection, number }
    }

    fn is_current(&self, strand: Strand) -> bool {
        self.seats.get(&strand.connection).is_some_and(|seat| seat.number == strand.number)
    }

    /// Waits for a client to come back.
    fn suspend(&mut self, strand: Strand, now: Instant) {
        if let Some(seat) = self.seats.get_mut(&strand.connection) {
            seat.outbox = None;
        }
        self.relay.suspend(strand.connection, now);
    }

    fn drain(&mut self) {
        loop {
            match self.relay.poll_output() {
                Output::Transmit(transmit) => self.unsent += self.socket.send(&transmit.bytes, transmit.to),
                Output::Signal(connection, message) => {
                    // What is said while a strand is broken is kept by the state machine.
                    let outbox = self.seats.get(&connection).and_then(|seat| seat.outbox.as_ref());
                    let slow = outbox.is_some_and(|outbox| outbox.say(message).is_err());
                    if slow {
                        count(&self.tally.slow);
                        debug!("a client reads too slowly");
                        self.seats.remove(&connection);
                        self.relay.close(connection, clock::now());
                    }
                }
                Output::Disconnect(connection) => {
                    self.seats.remove(&connection);
                }
                Output::Wake(at) => {
                    self.unsent += self.socket.flush();
                    self.wake = at;
                    break;
                }
            }
        }
        while let Some(record) = self.relay.poll_record() {
            self.audit.note_meeting(record);
        }
    }

    fn report(&mut self, now: Instant) {
        let (since, ..) = self.reported;
        if now.duration_since(since) >= REPORT {
            let (counters, door) = (self.relay.counters(), self.tally.counters());
            if self.reported != (since, counters, door) {
                self.log();
            }
            self.reported = (now, counters, door);
        }
    }

    fn log(&self) {
        let counters = self.relay.counters();
        let (meetings, peers, unsent) = (self.relay.meetings(), self.relay.peers(), self.unsent);
        let door = self.tally.counters();
        info!(meetings, peers, unsent, ?counters, ?door, "so far");
    }
}
