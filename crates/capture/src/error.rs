//! Why there is no picture or sound, in words for the person at the machine.

use std::path::PathBuf;

use crate::DeviceKind;

/// Why a source or sink could not be opened, or went away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The choice says to use none.
    #[error("the {0} is switched off")]
    Off(DeviceKind),
    /// The system has no such device at all.
    #[error("no {kind} was found: {reason}")]
    NoDevice {
        /// What was looked for.
        kind: DeviceKind,
        /// What the system said, or what was looked at.
        reason: String,
    },
    /// The chosen one is not there.
    #[error("the {kind} \"{id}\" is not there; plug it in or choose another")]
    UnknownDevice {
        /// What was looked for.
        kind: DeviceKind,
        /// The identifier that was asked for.
        id: String,
    },
    /// Another program has it.
    #[error("the {kind} \"{name}\" is in use by another program; close that program or choose another {kind}")]
    Busy {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
    },
    /// The system does not let this program have it.
    #[error("the system does not allow this program to use the {kind} \"{name}\"; allow it in the system's settings")]
    Denied {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
    },
    /// It offers nothing that is understood here.
    #[error("the {kind} \"{name}\" offers no usable format: {reason}")]
    Unsupported {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
        /// What it offers or what the system said.
        reason: String,
    },
    /// It did not open, for a reason that the system gave.
    #[error("the {kind} \"{name}\" could not be opened: {reason}")]
    NotOpened {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// It was open and went away.
    #[error("the {kind} \"{name}\" went away ({reason}); plug it in again or choose another")]
    Lost {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// It is open and gives nothing.
    #[error(
        "the {kind} \"{name}\" has given nothing for {seconds} s; unplug it and plug it in again, or choose another"
    )]
    Frozen {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
        /// For how long.
        seconds: u64,
    },
    /// An open microphone gives nothing but digital silence, which no room does: its own switch, the system's mixer or a
    /// permission keeps the sound back.
    #[error("the {kind} \"{name}\" has given nothing but silence for {seconds} s")]
    Silent {
        /// Of which kind it is.
        kind: DeviceKind,
        /// Its human name.
        name: String,
        /// For how long.
        seconds: u64,
    },
    /// The operating system gave no thread.
    #[error("the system has no room for another thread: {reason}")]
    NoThread {
        /// What the system said.
        reason: String,
    },
    /// A wish for a picture that nothing can make.
    #[error(
        "a picture of {width}x{height} at {frames_per_second} per second was asked for; sides go from 16 to 4096, rates from 1 to 120"
    )]
    Wish {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// Pictures per second.
        frames_per_second: u32,
    },
    /// A file could not be read.
    #[error("{}: cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file is no Y4M that can be played.
    #[error("{}: {problem}", path.display())]
    Y4m {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: crate::camera::Y4mProblem,
    },
    /// A file is no WAV that can be played.
    #[error("{}: {problem}", path.display())]
    Wav {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: crate::microphone::WavProblem,
    },
}
