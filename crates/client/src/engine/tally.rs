//! What a client counts over all its connections, and the report made of it.

use std::{collections::BTreeMap, time::Instant};

use conclave_session::Counters;

use super::Engine;
use crate::{
    ProcessUse,
    clock::now,
    report::{DroppedReport, ProcessReport, Report, SentReport},
};

/// What goes into reports.
pub(super) struct Tally {
    pub(super) start: Instant,
    pub(super) reconnects: u32,
    pub(super) dropped: DroppedReport,
    /// The last session's counters, not yet in `dropped`.
    pub(super) session: Counters,
    pub(super) names: Vec<String>,
    pub(super) ticks: u32,
}

impl Tally {
    /// Nothing has happened yet.
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            reconnects: 0,
            dropped: DroppedReport::default(),
            session: Counters::default(),
            names: Vec::new(),
            ticks: 0,
        }
    }

    /// Adds up what the session that ended counted.
    pub(super) fn session_over(&mut self) {
        let session = std::mem::take(&mut self.session);
        self.dropped = dropped(self.dropped, &session);
    }
}

impl Engine {
    /// Brings the report up to date.
    pub(super) fn update_report(&mut self) {
        let me = self.config.holder.person();
        if self.members.me().is_some() {
            self.tally.names = self.members.names();
        }
        let listed = &self.config.invitation.content().participants;
        let people: BTreeMap<[u8; 32], String> =
            listed.iter().map(|listed| (listed.fingerprint, listed.name.clone())).collect();
        let (camera, microphone) = self.local.counters();
        let report = Report {
            participants: self.tally.names.clone(),
            pairs: self.members.pairs(&people, &me.name),
            sent: vec![SentReport {
                from: me.name.clone(),
                video_frames: camera.frames,
                video_key_frames: camera.key_frames,
                video_bytes: camera.bytes,
                audio_frames: microphone.frames,
                audio_bytes: microphone.bytes,
            }],
            process: ProcessReport::new(ProcessUse::read(), now().duration_since(self.tally.start)),
            suite: conclave_e2ee::SUITE.to_owned(),
            epoch: self.view.epoch().0,
            reconnects: self.tally.reconnects,
            dropped: dropped(self.tally.dropped, &self.tally.session),
        };
        self.view.report(report);
    }
}

fn dropped(before: DroppedReport, session: &Counters) -> DroppedReport {
    DroppedReport {
        datagrams: before.datagrams + session.datagrams_dropped,
        packets: before.packets + session.packets_malformed,
        replays: before.replays + session.frames_replayed,
        undecryptable: before.undecryptable
            + session.frames_unknown_epoch
            + session.frames_forged
            + session.frames_malformed,
        unsent: before.unsent,
    }
}
