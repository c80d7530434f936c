//! The relay's side of a simulation: its connections, and what it says and sends.

use std::time::Duration;

use conclave_e2ee::{may_open, succession};
use conclave_model::wire::signal::{self, FromRelay, Hello, ToRelay};
use conclave_relay_core::{Admitted, ConnectionId, Output};
use conclave_session::EndReason;

use super::{MAX_OUTPUTS, MAX_SIGNALS, Simulation, bound};
use crate::{
    checker::Violation,
    network::{Datagram, MAX_UNDER_WAY},
    participant::Presence,
};

impl Simulation {
    pub(super) fn relay_hears(
        &mut self,
        who: usize,
        connection: Option<ConnectionId>,
        message: ToRelay,
    ) -> Result<(), Violation> {
        let now = self.now;
        if let (Some(meter), ToRelay::Commit(commit)) = (&mut self.meter, &message) {
            meter.sizes.push((commit.commit.len(), commit.welcome.as_ref().map_or(0, bytes::Bytes::len)));
        }
        match (connection, message) {
            (None, ToRelay::Hello(hello)) => self.admit(who, hello)?,
            (Some(connection), message) => self.relay.handle_signal(connection, message, now),
            (None, _) => return Ok(()),
        }
        self.drain_relay()
    }

    /// What the relay's program does with a first message, after TLS and the invitation's signature.
    fn admit(&mut self, who: usize, hello: Hello) -> Result<(), Violation> {
        let person = &mut self.participants[who];
        let leaf = hello.leaf;
        let fingerprint = person.holder.person().fingerprint;
        let until = self.base + Duration::from_secs(24 * 3600);
        let rank = succession(&self.invitation).iter().position(|name| name.0 == fingerprint);
        let rank = rank.and_then(|rank| u16::try_from(rank).ok());
        let opens = may_open(&self.invitation, person.holder.person());
        match self.relay.open(Admitted { fingerprint, hello, until, rank, opens }, self.now) {
            Ok(connection) => {
                self.connections.insert(connection, who);
                if let Some(presence) = &mut person.presence {
                    presence.connection = Some(connection);
                    presence.leaf = Some(leaf);
                }
                Ok(())
            }
            Err(why) => self.on_ended(who, &EndReason::Refused(why)),
        }
    }

    /// Takes out what the relay asks for.
    pub(crate) fn drain_relay(&mut self) -> Result<(), Violation> {
        bound("the relay's connections", self.relay.peers(), 2 * self.participants.len())?;
        for _ in 0..MAX_OUTPUTS {
            match self.relay.poll_output() {
                Output::Wake(at) => {
                    self.relay_wake = at;
                    return Ok(());
                }
                Output::Signal(connection, message) => {
                    if let Some(puppet) = self.puppet_of(connection) {
                        puppet.signals.push_back(message);
                        continue;
                    }
                    let who = self.connections.get(&connection).copied();
                    let messages = match (&mut self.hostile, who) {
                        (Some(hostile), Some(who)) => hostile.pass(who, message),
                        (Some(_) | None, _) => vec![message],
                    };
                    for message in &messages {
                        self.relay_says(connection, message)?;
                    }
                }
                Output::Transmit(sent) => {
                    if let Some(puppet) = self.puppets.iter_mut().find(|puppet| puppet.address == sent.to) {
                        puppet.datagrams.push_back(sent);
                        continue;
                    }
                    let owner = self.participants.iter_mut().filter_map(|person| person.presence.as_mut());
                    if let Some(presence) = owner.into_iter().find(|presence| presence.address == sent.to) {
                        presence.down.send(Datagram { from: sent.from, to: sent.to, bytes: sent.bytes }, self.now);
                        bound("a line from the relay", presence.down.under_way(), MAX_UNDER_WAY)?;
                    }
                }
                Output::Disconnect(connection) => {
                    self.connections.remove(&connection);
                    if let Some(presence) = self.presence_of(connection) {
                        presence.hung_up = true;
                    }
                }
            }
        }
        Err(Violation::Unbounded { what: "the relay's output", length: MAX_OUTPUTS, bound: MAX_OUTPUTS })
    }

    fn relay_says(&mut self, connection: ConnectionId, message: &FromRelay) -> Result<(), Violation> {
        let now = self.now;
        if let FromRelay::Joined(joined) = message
            && joined.create
        {
            self.checker.created(connection, now);
        }
        if matches!(message, FromRelay::Welcome { .. }) {
            self.checker.welcomed(connection, now);
        }
        // During `open` the relay speaks to a connection that is only just being noted.
        let latency = self.connections.get(&connection).map(|who| self.participants[*who].weather.latency);
        let Some(presence) = self.presence_of(connection) else { return Ok(()) };
        presence.from_relay.send(signal::encode(message).to_vec(), latency.unwrap_or_default(), now);
        bound("signalling from the relay", presence.from_relay.under_way(), MAX_SIGNALS)
    }

    fn presence_of(&mut self, connection: ConnectionId) -> Option<&mut Presence> {
        let people = self.participants.iter_mut();
        people.filter_map(|person| person.presence.as_mut()).find(|presence| presence.connection == Some(connection))
    }

    /// The relay notices that a connection is gone.
    pub(crate) fn close(&mut self, connection: ConnectionId) -> Result<(), Violation> {
        if self.connections.remove(&connection).is_some() {
            self.relay.close(connection, self.now);
        }
        self.drain_relay()
    }
}
