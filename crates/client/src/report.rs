//! What scripts read: counts and times of one client, or of several that ran together.
//!
//! The names of the keys are part of the interface: `participants`, `pairs` with `from`, `to`, `video_fps`,
//! `video_frames_decoded`, `video_freezes`, `audio_played_ms`, `audio_concealed_ms`, `latency_ms` and `stages_ms`;
//! `process`; `suite`; `epoch`.

use serde::{Deserialize, Serialize};

use crate::ProcessUse;

/// What one client saw, or several clients together saw, since they started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The certified names of those who were members at the end, each once.
    pub participants: Vec<String>,
    /// One entry for each sender and receiver.
    pub pairs: Vec<PairReport>,
    /// What each client sent; one entry for each client of the report.
    pub sent: Vec<SentReport>,
    /// The process that the clients ran in.
    pub process: ProcessReport,
    /// The name of the cipher suite.
    pub suite: String,
    /// The group's epoch at the end.
    pub epoch: u64,
    /// How often a client lost its relay and came back.
    pub reconnects: u32,
    /// Datagrams, packets and frames that were dropped because they made no sense or did not open.
    pub dropped: DroppedReport,
}

/// What one client received of one other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    /// The sender's certified name.
    pub from: String,
    /// The receiver's certified name.
    pub to: String,
    /// Camera pictures that the sender encoded; `None`, null in JSON, where the sender's own report is not merged in.
    pub video_frames_sent: Option<u64>,
    /// Camera frames that arrived whole and opened.
    pub video_frames_received: u64,
    /// Camera frames decoded.
    pub video_frames_decoded: u64,
    /// Decoded frames per second between the first and the last.
    pub video_fps: f64,
    /// Gaps between decoded frames above max(3 × mean, mean + 150 ms).
    pub video_freezes: u64,
    /// The longest gap between decoded frames, in milliseconds.
    pub video_longest_gap_ms: f64,
    /// Width and height of the last picture.
    pub video_size: [u32; 2],
    /// Which encoding of the camera the last picture was of, 0 the lowest; `None`, null in JSON, before the first.
    pub video_layer: Option<u8>,
    /// How often another encoding took over.
    pub video_layer_switches: u64,
    /// Received camera bitstream, kbit/s between the first and the last frame.
    pub video_kbps: f64,
    /// Sound frames that arrived and opened.
    pub audio_frames_received: u64,
    /// Sound that was played, concealed sound not counted, in milliseconds.
    pub audio_played_ms: f64,
    /// Sound that had to be made up, in milliseconds.
    pub audio_concealed_ms: f64,
    /// Received sound bitstream, kbit/s.
    pub audio_kbps: f64,
    /// From the camera frame in memory at the sender to the picture ready for its texture here, in milliseconds.
    pub latency_ms: LatencyReport,
    /// The parts of `latency_ms`, which tile it.
    pub stages_ms: StagesReport,
}

/// Two percentiles of a time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// The median.
    pub p50: f64,
    /// 95 of 100 are not above it.
    pub p95: f64,
}

/// The stages of a camera frame's way, which tile the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StagesReport {
    /// Captured to encoded, at the sender.
    pub encode: LatencyReport,
    /// Encoded to the last packet received: pacing, both hops, the relay.
    pub network: LatencyReport,
    /// Received to opened: waiting for its turn, decryption.
    pub open: LatencyReport,
    /// Opened to decoded.
    pub decode: LatencyReport,
    /// Decoded to lying ready for the window.
    pub ready: LatencyReport,
}

/// What one client sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SentReport {
    /// The certified name.
    pub from: String,
    /// Camera pictures encoded and handed to the session, in however many encodings.
    pub video_frames: u64,
    /// Key frames of all encodings.
    pub video_key_frames: u64,
    /// Camera bitstream of all encodings, in bytes.
    pub video_bytes: u64,
    /// Sound frames encoded and handed to the session.
    pub audio_frames: u64,
    /// Sound bitstream, in bytes.
    pub audio_bytes: u64,
}

/// The process that ran the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// Processor time of all threads, in seconds.
    pub cpu_s: f64,
    /// How long the clients ran, in seconds.
    pub wall_s: f64,
    /// The most memory in use, in megabytes (of 1,000,000 bytes).
    pub rss_peak_mb: f64,
}

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DroppedReport {
    /// Datagrams that belong to nothing.
    pub datagrams: u64,
    /// Packets that are malformed.
    pub packets: u64,
    /// Frames that came twice.
    pub replays: u64,
    /// Frames that did not open.
    pub undecryptable: u64,
    /// Own datagrams that the system did not take.
    pub unsent: u64,
}

impl Report {
    /// Puts the reports of clients of one process and meeting together.
    ///
    /// Senders' counts are filled into the receivers' pairs. Empty for no reports.
    pub fn merge(reports: &[Self]) -> Self {
        let mut all = Self::default();
        for report in reports {
            for name in &report.participants {
                if !all.participants.contains(name) {
                    all.participants.push(name.clone());
                }
            }
            all.pairs.extend(report.pairs.iter().cloned());
            all.sent.extend(report.sent.iter().cloned());
            all.process.cpu_s = all.process.cpu_s.max(report.process.cpu_s);
            all.process.wall_s = all.process.wall_s.max(report.process.wall_s);
            all.process.rss_peak_mb = all.process.rss_peak_mb.max(report.process.rss_peak_mb);
            all.suite.clone_from(&report.suite);
            all.epoch = all.epoch.max(report.epoch);
            all.reconnects += report.reconnects;
            all.dropped.datagrams += report.dropped.datagrams;
            all.dropped.packets += report.dropped.packets;
            all.dropped.replays += report.dropped.replays;
            all.dropped.undecryptable += report.dropped.undecryptable;
            all.dropped.unsent += report.dropped.unsent;
        }
        for pair in &mut all.pairs {
            let sender = all.sent.iter().find(|sent| sent.from == pair.from);
            pair.video_frames_sent = sender.map(|sent| sent.video_frames).or(pair.video_frames_sent);
        }
        all
    }
}

impl ProcessReport {
    /// From what the process used and how long the client ran.
    pub fn new(used: ProcessUse, wall: std::time::Duration) -> Self {
        Self { cpu_s: used.cpu.as_secs_f64(), wall_s: wall.as_secs_f64(), rss_peak_mb: used.resident_peak as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(name: &str, other: &str) -> Report {
        Report {
            participants: vec![name.into(), other.into()],
            pairs: vec![PairReport { from: other.into(), to: name.into(), ..PairReport::default() }],
            sent: vec![SentReport { from: name.into(), video_frames: name.len() as u64, ..SentReport::default() }],
            ..Report::default()
        }
    }

    #[test]
    fn merging_tells_each_pair_what_its_sender_sent() {
        let merged = Report::merge(&[of("Anna", "Bo"), of("Bo", "Anna")]);
        assert_eq!(merged.participants, ["Anna", "Bo"]);
        let sent: Vec<_> = merged.pairs.iter().map(|pair| (pair.from.as_str(), pair.video_frames_sent)).collect();
        assert_eq!(sent, [("Bo", Some(2)), ("Anna", Some(4))]);
        let alone = serde_json::to_value(Report::merge(&[of("Anna", "Bo")])).unwrap();
        assert!(alone["pairs"][0]["video_frames_sent"].is_null(), "{alone}");
    }

    #[test]
    fn scripts_find_the_keys_that_they_rely_on() {
        let json = serde_json::to_value(of("Anna", "Bo")).unwrap();
        for key in ["/participants/0", "/process/cpu_s", "/process/wall_s", "/process/rss_peak_mb", "/suite", "/epoch"]
        {
            assert!(json.pointer(key).is_some(), "{key}");
        }
        let pair = "from to video_fps video_frames_decoded video_freezes audio_played_ms audio_concealed_ms \
                    latency_ms/p50 latency_ms/p95 stages_ms/encode/p50";
        for key in pair.split_whitespace() {
            assert!(json.pointer(&format!("/pairs/0/{key}")).is_some(), "{key}");
        }
    }
}
