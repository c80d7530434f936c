//! How many may stand at the door at once, before anybody knows who they are.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// The most connections that may be in their handshake.
const PENDING: usize = 1024;

/// The most of them from one address, or one IPv6 network of 64 bits: a ministry may sit behind one.
const PENDING_PER_ADDRESS: usize = 128;

/// Counts connections in their handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place at the door, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    door: Door,
    from: IpAddr,
}

impl Door {
    /// A place for a new connection; `None` where there are too many.
    pub(crate) fn enter(&self, from: IpAddr) -> Option<Place> {
        let from = network(from.to_canonical());
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = pending.values().sum();
        let here = pending.get(&from).copied().unwrap_or(0);
        if all >= PENDING || here >= PENDING_PER_ADDRESS {
            return None;
        }
        pending.insert(from, here + 1);
        Some(Place { door: self.clone(), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut pending = self.door.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pending.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                pending.remove(&self.from);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn one_network_cannot_fill_the_door() {
        let door = Door::default();
        let from = |last: usize| format!("2001:db8::{last:x}").parse::<IpAddr>().unwrap();
        let places: Vec<_> = (0..1000).map_while(|last| door.enter(from(last))).collect();
        assert_eq!(places.len(), PENDING_PER_ADDRESS);
        assert!(door.enter("2001:db9::1".parse().unwrap()).is_some());
        drop(places);
        assert!(door.enter(from(0)).is_some());
    }

    #[test]
    fn all_networks_together_cannot_either() {
        let door = Door::default();
        let from = |number: usize| IpAddr::from([10, 0, u8::try_from(number / 256).unwrap(), (number % 256) as u8]);
        let places: Vec<_> = (0..5000).map_while(|number| door.enter(from(number))).collect();
        assert_eq!(places.len(), PENDING);
    }
}
