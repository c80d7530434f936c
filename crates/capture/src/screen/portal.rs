//! Screens and windows under Wayland: the desktop's portal asks the person, PipeWire brings the picture.

mod cast;

use std::{
    future::Future,
    os::fd::OwnedFd,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use ashpd::{
    Error,
    desktop::{
        PersistMode, ResponseError, Session,
        screencast::{CursorMode, Screencast, SelectSourcesOptions, SourceType},
    },
    enumflags2::BitFlags,
};
use futures_util::Stream;

use super::{ScreenError, ScreenWish, stream::Sink};
use crate::{Clock, worker::Stop};

/// What the person picked.
struct Picked {
    /// The way to PipeWire, on which only this is to be had.
    remote: OwnedFd,
    /// Its number there.
    node: u32,
}

/// Has the person pick and shares that until `stop` is set or the system ends it; returns early with the reason.
pub(super) fn share(wish: ScreenWish, clock: &Clock, sink: &mut Sink, stop: &Stop) -> Result<(), ScreenError> {
    let opened = block_on(open(), stop);
    let Some(opened) = opened else { return Ok(()) };
    let (portal, session) = opened?;
    let outcome = match block_on(pick(&portal, &session), stop) {
        Some(Ok(picked)) => {
            let mut closed = Box::pin(has_closed(&session));
            let mut is_closed = || is_done(closed.as_mut());
            cast::play(picked, wish, clock, sink, stop, &mut is_closed)
        }
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    // Ends the sharing for the system too, and takes away its question where that still stands. A bus that is gone has
    // ended it already.
    let _ = block_on(session.close(), &Stop::default());
    outcome
}

/// Opens a session with the portal.
async fn open() -> Result<(Screencast, Session<Screencast>), ScreenError> {
    let portal = Screencast::new().await.map_err(explain)?;
    let session = portal.create_session(Default::default()).await.map_err(explain)?;
    Ok((portal, session))
}

/// Has the portal ask the person for one screen or window.
async fn pick(portal: &Screencast, session: &Session<Screencast>) -> Result<Picked, ScreenError> {
    // Some desktops share whole screens only, and the oldest cannot draw the pointer.
    let offered = portal.available_source_types().await.map_err(explain)?;
    let sources = offered & (SourceType::Monitor | SourceType::Window);
    let pointers = portal.available_cursor_modes().await.unwrap_or(BitFlags::empty());
    let pointer = if pointers.contains(CursorMode::Embedded) { CursorMode::Embedded } else { CursorMode::Hidden };
    let options = SelectSourcesOptions::default()
        .set_sources(sources)
        .set_cursor_mode((!pointers.is_empty()).then_some(pointer))
        .set_multiple(false)
        .set_persist_mode(PersistMode::DoNot);
    portal.select_sources(session, options).await.and_then(|request| request.response()).map_err(explain)?;
    let started = portal.start(session, None, Default::default()).await.and_then(|request| request.response());
    let streams = started.map_err(explain)?;
    let node = streams.streams().first().ok_or(ScreenError::Declined)?.pipe_wire_node_id();
    let remote = portal.open_pipe_wire_remote(session, Default::default()).await.map_err(explain)?;
    Ok(Picked { remote, node })
}

/// Is done when the portal has closed the session: the person used the system's own button.
async fn has_closed(session: &Session<Screencast>) {
    let Ok(signals) = session.receive_closed().await else { return std::future::pending().await };
    let mut signals = pin!(signals);
    // The stream's end says that the bus is gone, which the picture shows soon enough.
    if std::future::poll_fn(|context| signals.as_mut().poll_next(context)).await.is_none() {
        std::future::pending::<()>().await;
    }
}

fn explain(error: Error) -> ScreenError {
    if matches!(error, Error::Response(ResponseError::Cancelled | ResponseError::Other)) {
        return ScreenError::Declined;
    }
    let is_missing = matches!(error, Error::PortalNotFound(_));
    let reason = if is_missing { "no portal for sharing the screen answers".to_owned() } else { error.to_string() };
    ScreenError::NoPortal { reason }
}

/// Waits for `future`; `None` where `stop` is set meanwhile.
fn block_on<T>(future: impl Future<Output = T>, stop: &Stop) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(result);
        }
        if stop.is_set() {
            return None;
        }
        // Whoever sets `stop` wakes this thread too.
        std::thread::park();
    }
}

/// Whether `future` is done; nobody is told when that changes.
fn is_done(future: Pin<&mut impl Future<Output = ()>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::worker::Worker;

    #[test]
    fn a_question_that_nobody_answers_ends_with_the_stream() {
        let (began, waiting) = std::sync::mpsc::sync_channel(1);
        let (ended, end) = std::sync::mpsc::sync_channel(1);
        let worker = Worker::start("test", move |stop| {
            let _ = began.send(());
            let _ = ended.send(block_on(std::future::pending::<()>(), stop));
        });
        waiting.recv().expect("a thread");
        drop(worker.expect("a thread"));
        assert_eq!(end.recv_timeout(Duration::from_secs(20)), Ok(None));
    }

    #[test]
    fn an_answer_from_another_thread_is_heard() {
        let (answer, question) = std::sync::mpsc::sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(move || answer.send(7));
            let asked = std::future::poll_fn(|context| match question.try_recv() {
                Ok(number) => Poll::Ready(number),
                Err(_) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            });
            assert_eq!(block_on(asked, &Stop::default()), Some(7));
        });
    }
}
