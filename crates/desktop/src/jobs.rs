//! What takes longer than a frame: files, passwords, dialogs, devices. Each runs on a named thread and reports once.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use conclave_capture::{CaptureError, Devices, Screens};
use conclave_client::StartError;

use crate::{
    app::{
        credential::{UnlockError, Unlocked},
        dialog::Picked,
        papers::{Opened, Refused},
    },
    demo::Demo,
    engine::Engine,
    screens::path::data::Purpose,
};

/// How many reports may wait; more jobs than this never run at once.
const REPORTS: usize = 32;

/// What a job found.
#[derive(Debug)]
pub enum Done {
    /// What came of a dialog.
    Picked(Purpose, Picked),
    /// An invitation was read, and checked as far as the credential at hand allows.
    Invitation(PathBuf, Result<Opened, Refused>),
    /// A password was tried.
    Unlocked(Result<Unlocked, UnlockError>),
    /// The password of the locked window was tried: whether it is the right one.
    Reopened(Result<bool, UnlockError>),
    /// A tone was played: by what, or why not.
    Tone(Result<String, CaptureError>),
    /// What is plugged in.
    Devices(Box<Devices>),
    /// What could be shared.
    Screens(Box<Screens>),
    /// The engine was started.
    Started(Result<Box<dyn Engine + Send>, StartError>),
    /// A demonstration was prepared.
    Demonstration(Result<Box<Demo>, String>),
}

/// Reads a file that a person chose, and no more of it than an invitation or a password can have.
///
/// Returns at most one byte more than `limit`, so that the reader of the content sees that it is too long.
///
/// # Errors
/// What the system says; what is no ordinary file is refused.
pub fn read_bounded(path: &std::path::Path, limit: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    conclave_identity::credential::open_file(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Starts jobs and collects what they found.
#[derive(Debug)]
pub struct Jobs {
    reports: SyncSender<Done>,
    inbox: Receiver<Done>,
    waker: egui::Context,
}

impl Jobs {
    /// Jobs that wake this window when they are done.
    pub fn new(waker: egui::Context) -> Self {
        let (reports, inbox) = sync_channel(REPORTS);
        Self { reports, inbox, waker }
    }

    /// Runs a job. Returns whether the system gave a thread for it.
    pub fn run(&self, name: &'static str, job: impl FnOnce() -> Done + Send + 'static) -> bool {
        let (reports, waker) = (self.reports.clone(), self.waker.clone());
        let spawned = thread::Builder::new().name(format!("conclave-{name}")).spawn(move || {
            // The window may be gone by now; then nobody needs the result.
            if reports.send(job()).is_ok() {
                waker.request_repaint();
            }
        });
        if let Err(error) = &spawned {
            tracing::error!(name, %error, "no thread");
        }
        spawned.is_ok()
    }

    /// The window that is woken.
    pub fn window(&self) -> egui::Context {
        self.waker.clone()
    }

    /// What the next finished job found.
    pub fn next(&self) -> Option<Done> {
        self.inbox.try_recv().ok()
    }
}
