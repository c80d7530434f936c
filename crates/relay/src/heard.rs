//! Notes when the last byte came, so that a dead connection is told from a slow one.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock;

/// When the last byte came.
#[derive(Clone, Debug)]
pub(crate) struct LastHeard {
    start: Instant,
    /// In milliseconds since the start.
    at: Arc<AtomicU64>,
}

impl LastHeard {
    fn note(&self) {
        self.at.store(self.milliseconds(), Ordering::Relaxed);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(clock::now().duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    /// For how long nothing came.
    pub(crate) fn silence(&self) -> Duration {
        Duration::from_millis(self.milliseconds().saturating_sub(self.at.load(Ordering::Relaxed)))
    }
}

/// A stream that notes when something came.
#[derive(Debug)]
pub(crate) struct Heard<S> {
    stream: S,
    last: LastHeard,
}

impl<S> Heard<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, last: LastHeard { start: clock::now(), at: Arc::new(AtomicU64::new(0)) } }
    }

    pub(crate) fn last(&self) -> LastHeard {
        self.last.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.last.note();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
