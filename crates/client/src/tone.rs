//! A tone that a person hears before a meeting, or does not.

use std::{sync::mpsc, time::Duration};

use conclave_capture::{CaptureError, SpeakerChoice, SpeakerStream, Tone};

/// What is heard: a soft tone that no voice sounds like.
const HERTZ: f32 = 523.25;
const AMPLITUDE: f32 = 0.25;
const LENGTH: Duration = Duration::from_millis(1200);

/// How long it takes until the last of it has left the device.
const REST: Duration = Duration::from_millis(300);

/// Plays a tone to a loudspeaker, and returns the name of what played it. Blocks for as long as it lasts, 1.5 s.
///
/// # Errors
/// Every [`CaptureError`] that says why a loudspeaker could not be opened, or was lost meanwhile.
pub fn play_test_tone(choice: &SpeakerChoice) -> Result<String, CaptureError> {
    let mut tone = Tone::new(HERTZ, AMPLITUDE, LENGTH);
    let (lose, lost) = mpsc::sync_channel(1);
    let stream = SpeakerStream::open(choice, move |piece| tone.fill(piece), move |error| drop(lose.try_send(error)))?;
    let name = stream.opened().name.clone();
    // The other end lives as long as the stream, so the only news is a loss.
    match lost.recv_timeout(LENGTH + REST) {
        Ok(error) => Err(error),
        Err(_) => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_says_what_played_it_or_why_nothing_did() {
        assert_eq!(play_test_tone(&SpeakerChoice::Null).as_deref(), Ok("no loudspeaker"));
        assert!(play_test_tone(&SpeakerChoice::Device("no such device".into())).is_err());
    }
}
