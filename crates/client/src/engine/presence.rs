//! Whether the card with the identity key is still there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use conclave_identity::Holder;
use tokio::task::JoinHandle;

/// How often the card is asked. Whoever takes it out is out of the meeting within 3 s.
const INTERVAL: Duration = Duration::from_secs(1);

/// Asks a credential now and then whether it can still be used, off the engine's thread: a card may take its time.
#[derive(Debug)]
pub(super) struct Presence {
    gone: Arc<AtomicBool>,
    asking: Option<JoinHandle<()>>,
    due: Instant,
}

impl Presence {
    pub(super) fn new(now: Instant) -> Self {
        Self { gone: Arc::default(), asking: None, due: now }
    }

    /// Whether the key was found to be gone; once gone, it stays so. Needs a tokio runtime.
    pub(super) fn is_gone(&mut self, holder: &Holder, now: Instant) -> bool {
        let is_asking = self.asking.as_ref().is_some_and(|asking| !asking.is_finished());
        if now >= self.due && !is_asking {
            self.due = now + INTERVAL;
            let (holder, gone) = (holder.clone(), Arc::clone(&self.gone));
            self.asking = Some(tokio::task::spawn_blocking(move || {
                if !holder.is_present() {
                    gone.store(true, Ordering::Relaxed);
                }
            }));
        }
        self.gone.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_identity::{
        Sign, SignError,
        issue::{Rehearsal, RehearsalSpec},
    };

    use super::*;

    #[derive(Debug)]
    struct Card(Arc<AtomicBool>);

    impl Sign for Card {
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
            Err(SignError::Unavailable)
        }

        fn is_present(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_card_that_is_taken_out_is_noticed_and_stays_gone() {
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, 1_800_000_000)).unwrap();
        let file = &rehearsal.holders[0];
        let inserted = Arc::new(AtomicBool::new(true));
        let card = Arc::new(Card(Arc::clone(&inserted)));
        let holder = Holder::with_signer(file.chain().to_vec(), file.root().clone(), card).unwrap();
        let start = Instant::now();
        let mut presence = Presence::new(start);
        let mut ask = async |second: u32| {
            presence.is_gone(&holder, start + INTERVAL * second);
            presence.asking.as_mut().unwrap().await.unwrap();
            presence.asking = None;
            presence.gone.load(Ordering::Relaxed)
        };
        assert!(!ask(0).await);
        inserted.store(false, Ordering::Relaxed);
        assert!(ask(1).await);
        inserted.store(true, Ordering::Relaxed);
        assert!(ask(2).await, "it needs its PIN again");
    }
}
