//! What the engine shows.

use std::{sync::Arc, time::Instant};

use conclave_model::{Epoch, LeafIndex, Level};
use conclave_session::{Governance, MemberState, Stage, Waiting};

use super::{local::Local, members::Members, own_screen::OwnScreen};
use crate::{
    Config, EndReason, LocalSource, Notice, OwnShare, Phase, RetryReason, Snapshot, SpeakerState, client::Shared,
    connect::relay_name, notice::NoticeSender, report::Report, snapshot::Quality,
};

/// The engine's side of snapshot, notices and report.
#[derive(Clone)]
pub(crate) struct View {
    shared: Arc<Shared>,
    notices: NoticeSender,
    base: Snapshot,
    last_retry: Option<RetryReason>,
    dirty: bool,
}

/// What is shown before the engine has done anything.
pub(crate) fn first_snapshot(config: &Config) -> Snapshot {
    let content = config.invitation.content();
    Snapshot {
        phase: Phase::Connecting { attempt: 1, last_error: None },
        title: content.title.clone(),
        warning: content.warning.clone(),
        level: content.level,
        governance: None,
        lobby: Arc::from([]),
        keys_since: None,
        me: None,
        participants: Vec::new(),
        epoch: Epoch::default(),
        suite: conclave_e2ee::SUITE,
        microphone: LocalSource { on: config.microphone_on, ..LocalSource::default() },
        camera: LocalSource { on: config.camera_on, ..LocalSource::default() },
        speaker: SpeakerState::default(),
        voice: config.voice,
        stage: Stage { rule: content.sharing, ..Stage::default() },
        own_share: OwnShare::Idle,
        quality: Quality::default(),
        relay: relay_name(&content.relay),
        relay_maximum: None,
        ceiling: config.ceiling,
    }
}

impl View {
    /// Shows the first snapshot.
    pub(crate) fn new(config: &Config, shared: Arc<Shared>, notices: NoticeSender) -> Self {
        Self { shared, notices, base: first_snapshot(config), last_retry: None, dirty: true }
    }

    /// Changes the phase.
    pub(crate) fn phase(&mut self, phase: Phase) {
        match &phase {
            Phase::Connecting { last_error: Some(why), .. } | Phase::Reconnecting { why, .. } => {
                self.last_retry = Some(why.clone());
            }
            Phase::Joined => self.last_retry = None,
            Phase::Connecting { .. }
            | Phase::TooEarly { .. }
            | Phase::Waiting
            | Phase::Locked
            | Phase::AskTakeOver
            | Phase::Ended(_) => {}
        }
        if self.base.phase != phase {
            self.base.phase = phase;
            self.dirty = true;
        }
    }

    /// Whether the client is a member now.
    pub(crate) fn is_joined(&self) -> bool {
        self.base.phase == Phase::Joined
    }

    /// Why the last attempt failed, if none has succeeded since.
    pub(crate) fn last_retry(&self) -> Option<RetryReason> {
        self.last_retry.clone()
    }

    /// The epoch as it was last heard of.
    pub(crate) fn epoch(&self) -> Epoch {
        self.base.epoch
    }

    /// Changes how the meeting is led, and with it the level.
    pub(crate) fn set_governance(&mut self, governance: Governance) {
        self.base.level = governance.level;
        self.base.governance = Some(governance);
        self.dirty = true;
    }

    /// Learns what the relay is certified for, and what the meeting can have with it.
    pub(crate) fn set_maximum(&mut self, certified: Level, ceiling: Level) {
        (self.base.relay_maximum, self.base.ceiling) = (Some(certified), ceiling);
        self.dirty = true;
    }

    /// Who shares a screen, who may and who asks.
    pub(crate) fn stage(&self) -> &Stage {
        &self.base.stage
    }

    /// Changes who shares a screen.
    pub(crate) fn set_stage(&mut self, stage: Stage) {
        self.base.stage = stage;
        self.dirty = true;
    }

    /// The level, as last heard of.
    pub(crate) fn level(&self) -> Level {
        self.base.level
    }

    /// Who leads, as last heard of.
    pub(crate) fn chair(&self) -> Option<LeafIndex> {
        self.base.governance.as_ref()?.chair
    }

    /// Changes who waits.
    pub(crate) fn set_lobby(&mut self, lobby: Arc<[Waiting]>) {
        self.base.lobby = lobby;
        self.dirty = true;
    }

    /// Changes the epoch, at `now`.
    pub(crate) fn set_epoch(&mut self, epoch: Epoch, now: Instant) {
        self.base.keys_since = Some(now);
        self.base.epoch = epoch;
        self.dirty = true;
    }

    /// The connection's quality, to change.
    pub(crate) fn quality(&mut self) -> &mut Quality {
        self.dirty = true;
        &mut self.base.quality
    }

    /// Something that is shown has changed.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Forgets what belonged to a session.
    pub(crate) fn session_over(&mut self) {
        self.base.quality = Quality::default();
        self.base.governance = None;
        self.base.lobby = Arc::from([]);
        self.base.stage = Stage { rule: self.base.stage.rule, ..Stage::default() };
        self.base.keys_since = None;
        self.dirty = true;
    }

    /// Tells the person something once.
    pub(crate) fn notice(&self, notice: Notice) {
        self.notices.send(notice);
        (self.shared.waker)();
    }

    /// Replaces the report.
    pub(crate) fn report(&self, report: Report) {
        self.shared.report.store(Arc::new(report));
    }

    /// Shows the end of an engine that could not even start.
    pub(crate) fn end(&mut self, reason: EndReason) {
        self.base.phase = Phase::Ended(reason);
        self.shared.snapshot.store(Arc::new(self.base.clone()));
        (self.shared.waker)();
    }

    /// Shows what has changed since the last time, if anything has.
    pub(crate) fn publish(&mut self, local: &Local, screen: &OwnScreen, members: &Members, own: MemberState) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let snapshot = Snapshot {
            me: members.me(),
            participants: members.participants(own, local.microphone_state.level),
            microphone: local.microphone_state.clone(),
            camera: local.camera_state.clone(),
            speaker: local.speaker_state.clone(),
            voice: local.voice_mode(),
            own_share: screen.state().clone(),
            ..self.base.clone()
        };
        self.shared.snapshot.store(Arc::new(snapshot));
        (self.shared.waker)();
    }
}
