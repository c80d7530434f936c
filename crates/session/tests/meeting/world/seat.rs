//! One participant's place, and what was told there.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_e2ee::{Member, Memory};
use conclave_identity::Invitation;
use conclave_model::{Epoch, LeafIndex};
use conclave_relay_core::ConnectionId;
use conclave_session::{
    EndReason, Event, Governance, MemberState, OrderError, RemoteFrame, Session, Standing, Waiting,
};

use super::LATENCY;

/// One participant's place, empty before they join and after they left.
pub(crate) struct Seat {
    pub(super) address: SocketAddr,
    pub(crate) session: Option<Session>,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) wake: Instant,
    pub(super) sends: bool,
    pub(super) key_wanted: bool,
    pub(super) pictures: u32,
    /// How long what this one says to the relay takes.
    pub(crate) signal_latency: Duration,
    pub(super) last_signal: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) frames: Vec<RemoteFrame>,
    /// How often what it was told was refused.
    pub(crate) errors: usize,
    /// What the app remembers of the meeting.
    pub(crate) memory: Option<Memory>,
    /// The invitation that this one has, where it is not that of all others.
    pub(crate) invitation: Option<Invitation>,
    /// Whether the relay ended the connection.
    pub(crate) hung_up: bool,
}

impl Seat {
    pub(super) fn new(number: usize, now: Instant) -> Self {
        Self {
            address: SocketAddr::from(([10, 0, 0, u8::try_from(number).unwrap() + 1], 5000)),
            session: None,
            connection: None,
            wake: now,
            sends: false,
            key_wanted: true,
            pictures: 0,
            signal_latency: LATENCY,
            last_signal: now,
            events: Vec::new(),
            frames: Vec::new(),
            errors: 0,
            memory: None,
            invitation: None,
            hung_up: false,
        }
    }

    /// The newest epoch and roster.
    pub(crate) fn view(&self) -> (Epoch, Vec<Member>) {
        let epoch = |event: &Event| if let Event::EpochChanged(epoch) = event { Some(*epoch) } else { None };
        let roster = |event: &Event| if let Event::Roster(roster) = event { Some(roster.to_vec()) } else { None };
        let events = || self.events.iter().rev();
        (events().find_map(epoch).unwrap(), events().find_map(roster).unwrap())
    }

    /// How the meeting is led, as last told.
    pub(crate) fn governance(&self) -> &Governance {
        let last = |event: &'_ Event| matches!(event, Event::Governance(_));
        match self.events.iter().rev().find(|event| last(event)) {
            Some(Event::Governance(governance)) => governance,
            _ => panic!("nothing was told of how the meeting is led"),
        }
    }

    /// Who waits, as last told.
    pub(crate) fn lobby(&self) -> Vec<Waiting> {
        let last = |event: &Event| if let Event::Lobby(waiting) = event { Some(waiting.to_vec()) } else { None };
        self.events.iter().rev().find_map(last).unwrap_or_default()
    }

    /// How a member stands, as last told.
    pub(crate) fn standing(&self, of: LeafIndex) -> Standing {
        let last = |event: &Event| match event {
            Event::Standing { leaf, standing } if *leaf == of => Some(*standing),
            _ => None,
        };
        self.events.iter().rev().find_map(last).unwrap_or_default()
    }

    /// Why orders were refused.
    pub(crate) fn orders_refused(&self) -> Vec<OrderError> {
        let refused = |event: &Event| if let Event::OrderRefused(error) = event { Some(error.clone()) } else { None };
        self.events.iter().filter_map(refused).collect()
    }

    pub(crate) fn is_member(&self) -> bool {
        let is_over = self.session.as_ref().is_none_or(Session::is_over);
        !is_over && self.events.iter().any(|event| matches!(event, Event::Admitted { .. }))
    }

    pub(crate) fn ended(&self) -> Option<&EndReason> {
        self.events.iter().find_map(|event| if let Event::Ended(reason) = event { Some(reason) } else { None })
    }

    /// The last state that a member announced.
    pub(crate) fn state_of(&self, of: LeafIndex) -> Option<MemberState> {
        self.events.iter().rev().find_map(|event| match event {
            Event::MemberState { leaf, state } if *leaf == of => Some(*state),
            _ => None,
        })
    }
}
