//! What a hostile member sends over its media path, and says to the members.

use std::time::Duration;

use bytes::Bytes;
use conclave_e2ee::{Order, Work};
use conclave_model::{
    Fingerprint, PeerId,
    wire::{FrameHead, signal::ToRelay},
};

use super::Move;
use crate::{
    Simulation, Violation,
    puppet::{FALSE_VOICE, Sealed},
};

/// How often a frame is sent, since lines lose some.
const TIMES: usize = 8;

impl Simulation {
    pub(super) fn strike_by_frame(&mut self, action: Move) -> Result<(), Violation> {
        match action {
            Move::VoiceForged | Move::ProofsWithheld => {
                if let Some(rogue) = self.puppets.first_mut() {
                    rogue.voice = Some(false);
                }
            }
            Move::GarbageMessage => {
                for _ in 0..3 {
                    self.rogue_says(ToRelay::Broadcast(Bytes::from_static(&[6; 300])))?;
                }
            }
            Move::FrameReplayed => {
                // The same frame each time; the first time it is as good as any.
                let frame = self.rogue_frame(crate::puppet::TRUE_VOICE);
                self.rogue_sends(|_, _| frame.clone())?;
            }
            Move::CounterTwice => {
                let frame = self.rogue_frame(FALSE_VOICE);
                self.rogue_sends(|_, number| {
                    let (head, sealed) = frame.clone()?;
                    Some((FrameHead { number: head.number + 1 + number, ..head }, sealed))
                })?;
            }
            Move::TagTruncated => self.rogue_sends(|simulation, _| {
                let (head, sealed) = simulation.rogue_frame(FALSE_VOICE)?;
                let kept = sealed.len().checked_sub(8)?;
                Some((head, sealed.slice(..kept)))
            })?,
            Move::FrameAltered => self.rogue_sends(|simulation, _| {
                let (head, sealed) = simulation.rogue_frame(FALSE_VOICE)?;
                let mut bytes = sealed.to_vec();
                *bytes.last_mut()? ^= 1;
                Some((head, bytes.into()))
            })?,
            Move::AnothersKeyId => {
                let victim = self.participants[self.victim()].presence.as_ref().and_then(|presence| presence.me);
                let victim = victim.map_or(0, |leaf| leaf.0.to_le_bytes()[0]);
                self.rogue_sends(|simulation, _| {
                    let (head, sealed) = simulation.rogue_frame(FALSE_VOICE)?;
                    Some((head, with_leaf(&sealed, victim)?))
                })?;
            }
            Move::AnothersNumber => self.rogue_sends(|simulation, _| {
                let (head, sealed) = simulation.rogue_frame(FALSE_VOICE)?;
                Some((FrameHead { sender: PeerId(head.sender.0.wrapping_sub(1)), ..head }, sealed))
            })?,
            Move::OldEpochFrames => {
                let frames: Vec<Option<Sealed>> = (0..TIMES).map(|_| self.rogue_frame(FALSE_VOICE)).collect();
                self.rogue_renews()?;
                self.run_for(Duration::from_millis(3500))?;
                self.rogue_sends(|_, number| frames.get(usize::try_from(number).ok()?)?.clone())?;
            }
            Move::OtherLevelFrames => {
                let me = Fingerprint(self.rogue_holder().person().fingerprint);
                let belief = self.as_chair(me);
                if let (Some(rogue), Some(belief)) = (self.puppets.first_mut(), belief) {
                    rogue.believe(belief);
                }
                let order = Some(Order::Level { to: self.higher(), consent: None });
                self.forks(&Work { order, ..Work::default() });
                self.rogue_sends(|simulation, _| simulation.rogue_frame(FALSE_VOICE))?;
            }
            _ => self.rogue_sends(|simulation, number| {
                let (head, _) = simulation.rogue_frame(FALSE_VOICE)?;
                let filler = u8::try_from(number).ok()?;
                Some((head, vec![filler; 10 + usize::from(filler) * 20].into()))
            })?,
        }
        Ok(())
    }

    fn rogue_frame(&mut self, content: &[u8]) -> Option<Sealed> {
        self.puppets.first_mut()?.next_frame(&[], content)
    }

    /// Sends some frames, a while apart.
    fn rogue_sends(&mut self, mut frame: impl FnMut(&mut Self, u32) -> Option<Sealed>) -> Result<(), Violation> {
        for number in 0..u32::try_from(TIMES).unwrap_or(0) {
            let made = frame(self, number);
            let now = self.now;
            if let (Some(rogue), Some(made)) = (self.puppets.first_mut(), made) {
                rogue.send(&made, now);
            }
            self.serve_puppets()?;
            self.run_for(Duration::from_millis(20))?;
        }
        Ok(())
    }
}

/// The same frame, with another leaf in its key id: header byte, key id (leaf, two bytes of epoch), counter.
fn with_leaf(sealed: &[u8], leaf: u8) -> Option<Bytes> {
    let mut bytes = sealed.to_vec();
    let length = 1 + usize::from((bytes.first()? >> 4) & 7);
    let at = length.checked_sub(2).filter(|at| *at >= 1)?;
    *bytes.get_mut(at)? = leaf;
    Some(bytes.into())
}
