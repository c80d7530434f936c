//! The time between connections: what is waited for, and what goes on meanwhile.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use conclave_model::wire::signal::Refusal;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{BEGIN_POLL, Effect, Engine, TICK};
use crate::{
    Command, EndReason, Notice, Phase, RetryReason,
    clock::{now, wall_clock},
};

/// Between attempts where another of the same kind is not likely to find anything else.
const RARELY: Duration = Duration::from_secs(30);

/// Whether it takes other people to change what keeps the client out.
fn is_lasting(why: &RetryReason) -> bool {
    match why {
        RetryReason::Unvouched(_) | RetryReason::Refused(Refusal::TooOften) => true,
        RetryReason::Connection(_)
        | RetryReason::Refused(_)
        | RetryReason::MediaPath
        | RetryReason::NotLetIn
        | RetryReason::OutOfStep => false,
    }
}

impl Engine {
    /// Waits until the next attempt is due; `None` when the person leaves.
    pub(super) async fn wait_for_retry(&mut self, why: RetryReason) -> Option<()> {
        if self.view.is_joined() {
            self.view.notice(Notice::ConnectionLost(why.clone()));
        }
        let wait = self.backoff.next_wait();
        let due = now() + if is_lasting(&why) { wait.max(RARELY) } else { wait };
        loop {
            let left = due.saturating_duration_since(now());
            self.show_attempt(left, Some(why.clone()));
            if left.is_zero() {
                return Some(());
            }
            let (step, hurry) = (left.min(Duration::from_secs(1)), Arc::clone(&self.retry_now));
            let hurried = self
                .serve(async move {
                    tokio::select! {
                        () = sleep(step) => false,
                        () = hurry.notified() => true,
                    }
                })
                .await?;
            if hurried {
                return Some(());
            }
        }
    }

    /// Waits a while for the meeting to begin; `None` when the person leaves.
    pub(super) async fn wait_for_begin(&mut self) -> Option<()> {
        let begins = self.config.invitation.content().not_before;
        self.view.phase(Phase::TooEarly { begins });
        self.publish();
        // A relay whose clock is behind says "too early" after the begin as well.
        let left = Duration::from_secs(begins.saturating_sub(wall_clock()).max(2)).min(BEGIN_POLL);
        let hurry = Arc::clone(&self.retry_now);
        self.serve(async move {
            tokio::select! {
                () = sleep(left) => {}
                () = hurry.notified() => {}
            }
        })
        .await
    }

    /// Waits for the person to say that the meeting goes on here; `None` when the person leaves.
    pub(super) async fn wait_for_take_over(&mut self) -> Option<()> {
        self.view.phase(Phase::AskTakeOver);
        self.publish();
        while !self.take_over {
            let said = Arc::clone(&self.retry_now);
            self.serve(async move { tokio::time::timeout(Duration::from_secs(1), said.notified()).await.is_ok() })
                .await?;
        }
        Some(())
    }

    pub(super) fn show_attempt(&mut self, retry_in: Duration, why: Option<RetryReason>) {
        // Attempts count from 1: this one comes after those that failed.
        let attempt = self.backoff.failed().max(1);
        let phase = match (self.was_member, why.or_else(|| self.view.last_retry())) {
            (true, Some(why)) => Phase::Reconnecting { attempt, retry_in, why },
            (_, None) => Phase::Connecting { attempt: 1, last_error: None },
            (false, why) => Phase::Connecting { attempt: self.backoff.failed() + 1, last_error: why },
        };
        self.view.phase(phase);
        self.publish();
    }

    /// Runs something while commands are obeyed and devices watched, without a session; `None` when the person leaves or
    /// takes the card out.
    pub(super) async fn serve<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                output = &mut future => return Some(output),
                command = self.commands.recv() => {
                    if self.on_command(command.unwrap_or(Command::Leave)) == Effect::Leave {
                        return None;
                    }
                    self.publish();
                }
                Some(item) = self.media.recv() => {
                    self.on_media(item);
                    self.publish();
                }
                _ = tick.tick() => {
                    self.tick();
                    if self.card_gone {
                        return None;
                    }
                }
            }
        }
    }

    /// Why waiting came to an end before its time.
    pub(super) fn left(&self) -> EndReason {
        if self.card_gone { EndReason::CardRemoved } else { EndReason::Left }
    }
}
