//! What the window needs of a running meeting, and how the real engine gives it.

use std::{fmt, sync::Arc, thread};

use conclave_client::{Client, Command, Notice, Notices, QueueFull, Snapshot};
use conclave_model::{LeafIndex, TrackKind};

use crate::{
    screens::meeting::ui::Pictures,
    video::{Canvas, Shown},
};

/// A running meeting as the window sees it. None of it ever waits.
pub trait Engine: Pictures + fmt::Debug {
    /// The state of everything.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// Hands a command over.
    ///
    /// # Errors
    /// [`QueueFull`] where the engine has not kept up.
    fn send(&self, command: Command) -> Result<(), QueueFull>;
    /// The oldest notice.
    fn notice(&self) -> Option<Notice>;
    /// Leaves, and waits until everything is closed. Not for the window's thread.
    fn close(self: Box<Self>);
}

/// The real engine.
#[derive(Debug)]
pub struct Live {
    client: Client,
    notices: Notices,
}

impl Live {
    /// Of what [`Client::start`] gave.
    pub fn new(client: Client, notices: Notices) -> Self {
        Self { client, notices }
    }
}

impl Engine for Live {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.client.snapshot()
    }

    fn send(&self, command: Command) -> Result<(), QueueFull> {
        self.client.try_send(command)
    }

    fn notice(&self) -> Option<Notice> {
        self.notices.try_next().map(|(notice, _)| notice)
    }

    fn close(self: Box<Self>) {
        // A full queue or an ended engine: dropping the client leaves just as well.
        if self.client.try_send(Command::Leave).is_ok() {
            self.client.join();
        }
    }
}

impl Pictures for Live {
    fn of(&self, leaf: LeafIndex) -> Option<Shown> {
        let generation = self.client.frames().generation(leaf, TrackKind::Camera);
        let picture = self.client.frames().latest(leaf, TrackKind::Camera)?;
        Some(Shown { canvas: Canvas::Member(leaf, TrackKind::Camera), generation, picture })
    }

    fn screen(&self, leaf: LeafIndex) -> Option<Shown> {
        let generation = self.client.frames().generation(leaf, TrackKind::Screen);
        let picture = self.client.frames().latest(leaf, TrackKind::Screen)?;
        Some(Shown { canvas: Canvas::Member(leaf, TrackKind::Screen), generation, picture })
    }

    fn own(&self) -> Option<Shown> {
        let generation = self.client.frames().own_generation();
        Some(Shown { canvas: Canvas::Own, generation, picture: self.client.frames().own()? })
    }
}

/// Closes an engine on a thread of its own, since that takes as long as the devices and the network do.
pub fn close_aside(engine: Box<dyn Engine + Send>) -> Option<thread::JoinHandle<()>> {
    thread::Builder::new().name("conclave-closing".to_owned()).spawn(move || engine.close()).ok()
}
