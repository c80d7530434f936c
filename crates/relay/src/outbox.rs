//! What is to be said to one client: a queue with two limits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use conclave_model::wire::signal::FromRelay;
use tokio::sync::mpsc;

/// How many messages may wait. A newcomer to a meeting of 256 is told of each of the others.
const MESSAGES: usize = 1024;

/// How many bytes may wait. The largest thing to say is a welcome of 0.5 MB.
const BYTES: usize = 16 << 20;

/// The end that says.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: mpsc::Sender<FromRelay>,
    waiting: Arc<AtomicUsize>,
}

/// The end that writes to the network.
#[derive(Debug)]
pub(crate) struct Waiting {
    queue: mpsc::Receiver<FromRelay>,
    waiting: Arc<AtomicUsize>,
}

/// The client reads more slowly than things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

/// An empty queue.
pub(crate) fn outbox() -> (Outbox, Waiting) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { queue: sender, waiting: Arc::clone(&waiting) }, Waiting { queue: receiver, waiting })
}

impl Outbox {
    /// Queues a message. Never waits.
    ///
    /// # Errors
    /// [`TooSlow`] where there is no room. Where nobody writes any more the connection broke off, which is found out
    /// elsewhere.
    pub(crate) fn say(&self, message: FromRelay) -> Result<(), TooSlow> {
        let size = message.size();
        if self.waiting.fetch_add(size, Ordering::Relaxed) + size > BYTES {
            return Err(TooSlow);
        }
        match self.queue.try_send(message) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(TooSlow),
        }
    }
}

impl Waiting {
    /// The next message; `None` once nothing more will come.
    pub(crate) async fn next(&mut self) -> Option<FromRelay> {
        let message = self.queue.recv().await?;
        self.waiting.fetch_sub(message.size(), Ordering::Relaxed);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use conclave_model::PeerId;

    use super::*;

    fn broadcast(bytes: usize) -> FromRelay {
        FromRelay::Broadcast { from: PeerId(1), message: vec![0; bytes].into() }
    }

    #[test]
    fn a_client_that_does_not_read_gets_no_more_than_the_limits() {
        let (outbox, _waiting) = outbox();
        let said = (0..10_000).take_while(|_| outbox.say(broadcast(10)).is_ok()).count();
        assert_eq!(said, MESSAGES);

        let (outbox, _waiting) = super::outbox();
        let said = (0..10_000).take_while(|_| outbox.say(broadcast(1 << 20)).is_ok()).count();
        assert_eq!(said, 15);
    }

    #[test]
    fn what_was_written_makes_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let Ok(runtime) = runtime else { unreachable!("a runtime without drivers needs nothing") };
        runtime.block_on(async {
            let (outbox, mut waiting) = outbox();
            for _ in 0..100 {
                assert_eq!(outbox.say(broadcast(1 << 20)), Ok(()));
                assert!(waiting.next().await.is_some());
            }
            drop(outbox);
            assert!(waiting.next().await.is_none());
        });
    }
}
