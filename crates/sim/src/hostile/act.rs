//! What hostile parts can do in a simulation.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use conclave_e2ee::{Leaf, Rules, may_open, succession};
use conclave_identity::Holder;
use conclave_model::wire::signal::{self, FromRelay, Hello, Refusal, ToRelay, VERSION};
use conclave_relay_core::{Admitted, ConnectionId};

use super::Sign;
use crate::{
    Simulation, Violation,
    puppet::{Act, Puppet},
};

impl Simulation {
    /// Connects a puppet; the relay takes in whoever comes, as a hostile one does. `edit` changes what it says of itself.
    pub(crate) fn enter_puppet(
        &mut self,
        holder: &Holder,
        rules: Arc<Rules>,
        edit: impl FnOnce(&mut Hello),
    ) -> Result<Result<usize, Refusal>, Violation> {
        let now = self.now;
        let made = Leaf::new(holder, rules);
        let leaf = made.map_err(|error| Violation::Refused { who: usize::MAX, error: error.to_string() })?;
        let number = self.puppets.len();
        let port = 30_000 + u16::try_from(number).unwrap_or(0);
        let address = SocketAddr::from(([10, 9, 0, 1], port));
        let (reference, key_package) = (leaf.reference(), leaf.key_package());
        let mut puppet = Puppet::new(leaf, address, now);
        let invitation = self.invitation();
        let mut hello = Hello {
            version: VERSION,
            meeting: invitation.content().meeting,
            invitation: invitation.bytes().clone(),
            leaf: reference,
            key_package,
            transport: puppet.path.local(),
            take_over: false,
        };
        edit(&mut hello);
        let fingerprint = holder.person().fingerprint;
        let rank = succession(invitation).iter().position(|name| name.0 == fingerprint);
        let rank = rank.and_then(|rank| u16::try_from(rank).ok());
        let opens = may_open(invitation, holder.person());
        let until = now + Duration::from_secs(24 * 3600);
        match self.relay.open(Admitted { fingerprint, hello, until, rank, opens }, now) {
            Ok(connection) => {
                puppet.connection = Some(connection);
                self.puppets.push(puppet);
                self.drain_relay()?;
                self.serve_puppets()?;
                Ok(Ok(number))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    /// Ends the connections of all puppets.
    pub(crate) fn dismiss_puppets(&mut self) -> Result<(), Violation> {
        for puppet in std::mem::take(&mut self.puppets) {
            if let Some(connection) = puppet.connection {
                self.relay.close(connection, self.now);
                self.drain_relay()?;
            }
        }
        Ok(())
    }

    /// Lets the puppets take in what came and do what is due.
    pub(crate) fn serve_puppets(&mut self) -> Result<(), Violation> {
        let (now, wall) = (self.now, self.wall());
        for number in 0..self.puppets.len() {
            if self.puppets[number].next_event(now) > now {
                continue;
            }
            let acts = self.puppets[number].serve(wall, now);
            let Some(connection) = self.puppets[number].connection else { continue };
            for act in acts {
                match act {
                    Act::Say(message) => self.relay.handle_signal(connection, message, now),
                    Act::Send(sent) => self.relay.handle_datagram(sent.from, sent.to, &sent.bytes, now),
                }
                self.drain_relay()?;
            }
        }
        Ok(())
    }

    /// The puppet of a connection.
    pub(crate) fn puppet_of(&mut self, connection: ConnectionId) -> Option<&mut Puppet> {
        self.puppets.iter_mut().find(|puppet| puppet.connection == Some(connection))
    }

    /// The first puppet says something to the relay.
    pub(crate) fn rogue_says(&mut self, message: ToRelay) -> Result<(), Violation> {
        if let Some(rogue) = self.puppets.first_mut() {
            rogue.says.push_back(message);
        }
        self.serve_puppets()
    }

    /// A hostile relay says something of its own to somebody.
    pub(crate) fn whisper(&mut self, who: usize, message: &FromRelay) {
        let (now, latency) = (self.now, self.participants[who].weather.latency);
        if let Some(presence) = &mut self.participants[who].presence {
            presence.from_relay.send(signal::encode(message).to_vec(), latency, now);
        }
    }

    /// Somebody's app has heard garbage and ends the connection; it comes again.
    pub(crate) fn hang_up_on(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.now;
        if let Some(hostile) = &mut self.hostile {
            hostile.signs.push((now, who, Sign::Ended));
        }
        let person = &mut self.participants[who];
        person.comes_at = person.wants_in.then_some(now + Duration::from_millis(500));
        if let Some(presence) = person.presence.take() {
            person.memory = presence.session.memory();
            if let Some(connection) = presence.connection {
                return self.close(connection);
            }
        }
        Ok(())
    }
}
