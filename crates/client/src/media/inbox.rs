//! State between a thread that gives and a thread that takes.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// State that one thread changes and another waits for. The lock is held for moments only, never while anybody works.
#[derive(Debug)]
pub(super) struct Inbox<Q> {
    state: Mutex<State<Q>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<Q> {
    content: Q,
    closed: bool,
}

impl<Q> Inbox<Q> {
    pub(super) fn new(content: Q) -> Self {
        Self { state: Mutex::new(State { content, closed: false }), changed: Condvar::new() }
    }

    /// Changes the content and wakes who waits for it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Q) -> R) -> R {
        let result = change(&mut self.lock().content);
        self.changed.notify_one();
        result
    }

    /// Waits until `take` finds something; `None` when the inbox is closed.
    pub(super) fn wait<T>(&self, mut take: impl FnMut(&mut Q) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(found) = take(&mut state.content) {
                return Some(found);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for so long, whatever changes meanwhile; false when the inbox is closed.
    pub(super) fn rest(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |state| !state.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Ends all waiting, now and later.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The content is a plain value that is usable even if a thread died while it held the lock.
    fn lock(&self) -> MutexGuard<'_, State<Q>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
