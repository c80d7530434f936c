//! One thread that opens, watches and reopens the devices, since opening one can take a second.

use std::{
    any::Any,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use conclave_capture::{CaptureError, DeviceKind};

use crate::clock::now;

/// How long after a loss or failure a device is tried again, and the longest that this grows to. What plays elsewhere by
/// itself, as the default of a sound service does, is back well within a second.
const RETRY: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(5));

/// Opens one device; called again after a loss. The stream closes when what it returns is dropped.
pub(crate) type Opener = Box<dyn FnMut(Lost) -> Result<Opened, CaptureError> + Send>;

/// An open stream and the name of what is really open.
pub(crate) struct Opened {
    pub(crate) stream: Box<dyn Any>,
    pub(crate) name: String,
}

/// What happened to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceState {
    /// It is open now, under this name.
    Open(String),
    /// It is closed, as asked.
    Closed,
    /// It could not be opened, or is gone. It will be tried again where that makes sense.
    Failed(CaptureError),
}

/// The thread of the devices. Dropping it closes all devices and waits for that; see also [`DeviceThread::release`].
pub(crate) struct DeviceThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// With what a stream says that its device is gone.
#[derive(Clone)]
pub(crate) struct Lost {
    shared: Arc<Shared>,
    kind: DeviceKind,
    generation: u64,
}

#[derive(Default)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    wake: Condvar,
}

/// Orders and news for the thread; the last of each kind counts, so it cannot overflow.
#[derive(Default)]
struct Mailbox {
    wanted: PerKind<Option<Wanted>>,
    lost: PerKind<Option<(u64, CaptureError)>>,
    stopped: bool,
}

enum Wanted {
    Open(Opener),
    Closed,
}

/// One of something for each kind of device.
#[derive(Default)]
struct PerKind<T> {
    camera: T,
    microphone: T,
    speaker: T,
}

/// One device as the thread has it.
#[derive(Default)]
struct Device {
    opener: Option<Opener>,
    stream: Option<Box<dyn Any>>,
    generation: u64,
    retry: Option<(Instant, Duration)>,
    told: Option<DeviceState>,
}

const KINDS: [DeviceKind; 3] = [DeviceKind::Camera, DeviceKind::Microphone, DeviceKind::Speaker];

impl DeviceThread {
    /// Starts the thread; `report` is called on it when something has changed.
    pub(crate) fn start(report: impl Fn(DeviceKind, DeviceState) + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let worker_shared = Arc::clone(&shared);
        let thread = Builder::new()
            .name("devices".to_owned())
            .spawn(move || Worker { shared: worker_shared, devices: PerKind::default(), report }.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Opens a device in place of the one that is open. Returns at once.
    pub(crate) fn open(&self, kind: DeviceKind, opener: Opener) {
        *self.shared.lock().wanted.of(kind) = Some(Wanted::Open(opener));
        self.shared.wake.notify_one();
    }

    /// Closes a device. Returns at once.
    pub(crate) fn close(&self, kind: DeviceKind) {
        *self.shared.lock().wanted.of(kind) = Some(Wanted::Closed);
        self.shared.wake.notify_one();
    }

    /// Closes all without waiting for it.
    pub(crate) fn release(mut self) {
        self.thread = None;
    }
}

impl Drop for DeviceThread {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Lost {
    /// Tells that the device is gone. Cheap; may be called from the stream's own threads.
    pub(crate) fn tell(&self, error: CaptureError) {
        *self.shared.lock().lost.of(self.kind) = Some((self.generation, error));
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> PerKind<T> {
    fn of(&mut self, kind: DeviceKind) -> &mut T {
        match kind {
            DeviceKind::Camera => &mut self.camera,
            DeviceKind::Microphone => &mut self.microphone,
            DeviceKind::Speaker => &mut self.speaker,
        }
    }
}

/// What the thread found in its mailbox for one device.
enum Job {
    Wanted(Wanted),
    Lost(u64, CaptureError),
    Retry,
}

struct Worker<R> {
    shared: Arc<Shared>,
    devices: PerKind<Device>,
    report: R,
}

impl<R: Fn(DeviceKind, DeviceState)> Worker<R> {
    fn run(mut self) {
        while let Some((kind, job)) = self.next_job() {
            match job {
                Job::Wanted(Wanted::Open(opener)) => {
                    let device = self.devices.of(kind);
                    *device = Device { opener: Some(opener), generation: device.generation, ..Device::default() };
                    self.open(kind);
                }
                Job::Wanted(Wanted::Closed) => {
                    let device = self.devices.of(kind);
                    *device = Device { generation: device.generation + 1, ..Device::default() };
                    (self.report)(kind, DeviceState::Closed);
                }
                Job::Lost(generation, error) => {
                    let device = self.devices.of(kind);
                    if generation == device.generation && device.stream.is_some() {
                        device.stream = None;
                        self.failed(kind, error);
                    }
                }
                Job::Retry => self.open(kind),
            }
        }
    }

    /// Waits for something to do; `None` when the handle is gone.
    fn next_job(&mut self) -> Option<(DeviceKind, Job)> {
        let mut mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if mailbox.stopped {
                return None;
            }
            let now = now();
            let mut due: Option<Instant> = None;
            for kind in KINDS {
                if let Some(wanted) = mailbox.wanted.of(kind).take() {
                    return Some((kind, Job::Wanted(wanted)));
                }
                if let Some((generation, error)) = mailbox.lost.of(kind).take() {
                    return Some((kind, Job::Lost(generation, error)));
                }
                match self.devices.of(kind).retry {
                    Some((at, _)) if at <= now => return Some((kind, Job::Retry)),
                    Some((at, _)) => due = Some(due.map_or(at, |due| due.min(at))),
                    None => {}
                }
            }
            mailbox = match due {
                Some(due) => {
                    let wait = due.saturating_duration_since(now);
                    self.shared.wake.wait_timeout(mailbox, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.shared.wake.wait(mailbox).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn open(&mut self, kind: DeviceKind) {
        let device = self.devices.of(kind);
        device.generation += 1;
        device.stream = None;
        let lost = Lost { shared: Arc::clone(&self.shared), kind, generation: device.generation };
        let Some(opener) = &mut device.opener else {
            device.retry = None;
            return;
        };
        match opener(lost) {
            Ok(opened) => {
                device.stream = Some(opened.stream);
                device.retry = None;
                self.tell(kind, DeviceState::Open(opened.name));
            }
            Err(error) => self.failed(kind, error),
        }
    }

    fn failed(&mut self, kind: DeviceKind, error: CaptureError) {
        let device = self.devices.of(kind);
        let last = device.retry.map_or(RETRY.0, |(_, wait)| (wait * 2).min(RETRY.1));
        device.retry = may_come_back(&error).then(|| (now() + last, last));
        self.tell(kind, DeviceState::Failed(error));
    }

    /// Reports a change, not each of the attempts that fail in the same way.
    fn tell(&mut self, kind: DeviceKind, state: DeviceState) {
        let device = self.devices.of(kind);
        if device.told.as_ref() != Some(&state) {
            device.told = Some(state.clone());
            (self.report)(kind, state);
        }
    }
}

/// Whether another attempt can succeed without the person doing something in this program.
fn may_come_back(error: &CaptureError) -> bool {
    match error {
        CaptureError::NoDevice { .. }
        | CaptureError::UnknownDevice { .. }
        | CaptureError::Busy { .. }
        | CaptureError::Denied { .. }
        | CaptureError::NotOpened { .. }
        | CaptureError::Lost { .. }
        | CaptureError::Frozen { .. }
        | CaptureError::Silent { .. }
        | CaptureError::NoThread { .. } => true,
        CaptureError::Off(_)
        | CaptureError::Unsupported { .. }
        | CaptureError::Wish { .. }
        | CaptureError::Unreadable { .. }
        | CaptureError::Y4m { .. }
        | CaptureError::Wav { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use crossbeam_channel::{Receiver, bounded};

    use super::*;

    fn gone() -> CaptureError {
        CaptureError::Lost { kind: DeviceKind::Microphone, name: "mic".into(), reason: "unplugged".into() }
    }

    fn thread() -> (DeviceThread, Receiver<DeviceState>) {
        let (states, news) = bounded(16);
        let thread = DeviceThread::start(move |_, state| drop(states.send(state))).unwrap();
        (thread, news)
    }

    fn next(news: &Receiver<DeviceState>) -> DeviceState {
        news.recv_timeout(Duration::from_secs(5)).unwrap()
    }

    #[test]
    fn a_lost_device_is_opened_again_and_told_once() {
        let (thread, news) = thread();
        let attempts = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&attempts);
        thread.open(
            DeviceKind::Microphone,
            Box::new(move |lost| match count.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    // Away again right after it was opened.
                    let away = Builder::new().name("unplug".to_owned()).spawn(move || {
                        std::thread::sleep(Duration::from_millis(50));
                        lost.tell(gone());
                    });
                    away.unwrap();
                    Ok(Opened { stream: Box::new(()), name: "mic".into() })
                }
                1 => Err(gone()),
                _ => Ok(Opened { stream: Box::new(()), name: "mic".into() }),
            }),
        );
        assert_eq!(next(&news), DeviceState::Open("mic".into()));
        assert_eq!(next(&news), DeviceState::Failed(gone()));
        assert_eq!(next(&news), DeviceState::Open("mic".into()));
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn the_loss_of_a_device_that_was_replaced_is_ignored() {
        let (thread, news) = thread();
        let (losses, old) = bounded(16);
        thread.open(
            DeviceKind::Microphone,
            Box::new(move |lost| {
                losses.send(lost).unwrap();
                Ok(Opened { stream: Box::new(()), name: "old".into() })
            }),
        );
        assert_eq!(next(&news), DeviceState::Open("old".into()));
        thread.open(DeviceKind::Microphone, Box::new(|_| Ok(Opened { stream: Box::new(()), name: "new".into() })));
        assert_eq!(next(&news), DeviceState::Open("new".into()));
        old.recv().unwrap().tell(gone());
        assert!(news.recv_timeout(Duration::from_millis(100)).is_err());
        thread.close(DeviceKind::Microphone);
        assert_eq!(next(&news), DeviceState::Closed);
    }

    #[test]
    fn closing_the_thread_closes_what_is_open() {
        struct Stream(Arc<AtomicUsize>);
        impl Drop for Stream {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (thread, news) = thread();
        let closed = Arc::<AtomicUsize>::default();
        let stream = Arc::clone(&closed);
        let opener = move |_| Ok(Opened { stream: Box::new(Stream(Arc::clone(&stream))), name: "camera".to_owned() });
        thread.open(DeviceKind::Camera, Box::new(opener));
        assert_eq!(next(&news), DeviceState::Open("camera".into()));
        drop(thread);
        assert_eq!(closed.load(Ordering::SeqCst), 1);
    }
}
