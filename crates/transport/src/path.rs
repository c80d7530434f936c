//! [`Path`], the state machine.

mod doubt;
mod moving;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_model::{Bitrate, wire::signal::Endpoint};
use str0m::{
    Candidate, IceConnectionState, Input, Rtc, RtcConfig,
    bwe::BweKind,
    config::{DtlsVersion, Fingerprint},
    format::{Codec, FormatParams},
    ice::IceCreds,
    media::{Frequency, MediaKind},
    net::{Protocol, Receive},
    rtp::{Extension, ExtensionMap, RtpWrite},
};

use crate::slot::{AUDIO_PT, AUDIO_RTX_PT, End, Slot, VIDEO_PT, VIDEO_RTX_PT};
use doubt::Doubt;
use moving::Whereabouts;

/// The longest packet that a slot carries, in bytes: with SRTP, RTX and IPv6 it stays below 1280.
pub const MAX_PACKET: usize = 1150;

/// Where the bandwidth estimate begins: six people at 360p pass at once; probing finds the true one within a second.
pub const FIRST_ESTIMATE: Bitrate = Bitrate::kbps(4_000);

/// The shortest step of the delay controller; a packet that the pacer holds may wait as long.
const DELAY_CONTROL_STEP: Duration = Duration::from_millis(2);

/// What a path would like to send at most, until it is told otherwise.
const DESIRED: Bitrate = Bitrate::kbps(10_000);

/// How long a packet may be asked for again, and how many are kept for that. A receiver gives up sooner.
const RTX_AGE: Duration = Duration::from_secs(1);
const RTX_PACKETS: usize = 1024;

/// The longest time between two checks of a client whether the relay is there (RFC 7675 has 5 s for consent alone), so
/// that a dead line is found in time to leave it.
const CHECK: Duration = Duration::from_secs(1);

/// Retransmissions may take this share of what is sent.
const RTX_SHARE: f32 = 0.25;

/// One end of one media path.
pub struct Path {
    rtc: Rtc,
    end: End,
    addresses: Vec<SocketAddr>,
    started: Instant,
    /// The newest time that this end was told.
    now: Instant,
    /// Something was changed that str0m acts on when time moves.
    touched: bool,
    /// DTLS is done.
    secured: bool,
    next_sequence: Vec<u64>,
    closed: bool,
    /// When the other end was heard last, or that it is silent was said last.
    heard: Instant,
    round_trip: Duration,
    whereabouts: Whereabouts,
    doubt: Doubt,
    /// An estimate to tell.
    restored: Option<Bitrate>,
}

/// What a [`Path`] asks of the world.
#[derive(Debug)]
pub enum Output {
    /// A datagram to send.
    Transmit(Transmit),
    /// A packet came through a slot. Shared, so that a relay forwards it to many without a copy.
    Packet {
        /// Through which slot.
        slot: Slot,
        /// Descriptor and payload, as the other end sent them.
        payload: Arc<[u8]>,
    },
    /// Something happened.
    Event(Event),
    /// Nothing more until input comes or this moment does. Ends a drain.
    Wake(Instant),
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// From which of our addresses.
    pub from: SocketAddr,
    /// To where.
    pub to: SocketAddr,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Media can flow; also after an interruption.
    Connected,
    /// Nothing is heard from the other end. It may come back.
    Disconnected,
    /// A client's path only: nothing has come for [longer than a check may take](Path::move_to). Said again as often as
    /// that time passes. The old address may have lost its way to the relay: it is worth another one.
    Silent,
    /// What the line towards the other end can carry now.
    Estimate(Bitrate),
    /// How good the line is; once a second.
    Quality(Quality),
}

/// How good a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Round trip to the other end, once known.
    pub round_trip: Option<Duration>,
    /// Share of our packets that did not arrive over the last second, 0 to 1.
    pub loss: f32,
}

/// What a path cannot do. Each is the fault of the other end or of the caller; none ends the path by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Bytes that are neither STUN, DTLS, RTP nor RTCP, or are broken.
    #[error("a datagram of {length} bytes from {from} is no part of a media path")]
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// How long it was.
        length: usize,
    },
    /// A packet that is too long for a slot.
    #[error("a packet of {0} bytes; a slot carries {MAX_PACKET}")]
    PacketTooLong(usize),
    /// A slot that does not exist.
    #[error("no slot {0:?}")]
    NoSuchSlot(Slot),
    /// An address that cannot be used for media.
    #[error("{0} cannot be used for media")]
    Address(SocketAddr),
    /// DTLS could not be started.
    #[error("the secure channel cannot be started")]
    Dtls,
    /// The path is closed.
    #[error("the media path is closed")]
    Closed,
}

impl Path {
    /// The client's end: it looks for the relay and begins the DTLS handshake.
    pub fn client(now: Instant) -> Self {
        Self::new(End::Client, false, now)
    }

    /// The relay's end, reachable at `addresses`: it waits to be found (ICE-lite).
    ///
    /// Addresses that cannot be used for media (unspecified, port 0) are left out.
    pub fn relay(addresses: &[SocketAddr], now: Instant) -> Self {
        let mut path = Self::new(End::Relay, true, now);
        for address in addresses {
            if let Err(error) = path.add_local_address(*address) {
                tracing::warn!(%error, "address left out");
            }
        }
        path
    }

    fn new(end: End, ice_lite: bool, now: Instant) -> Self {
        let mut config = config(ice_lite);
        config.set_max_stun_rto(CHECK);
        let mut rtc = config.build(now);
        rtc.bwe().set_bitrate(str0m::bwe::Bitrate::ZERO, to_str0m(DESIRED));
        let mut direct = rtc.direct_api();
        direct.set_ice_controlling(end == End::Client);
        direct.enable_twcc_feedback();
        for slot in Slot::all() {
            direct.declare_media(slot.mid(), slot.kind());
            direct.declare_stream_tx(slot.ssrc(end), Some(slot.rtx_ssrc(end)), slot.mid(), None).set_rtx_cache(
                RTX_PACKETS,
                RTX_AGE,
                Some(RTX_SHARE),
            );
            let other = end.other();
            direct.expect_stream_rx(slot.ssrc(other), Some(slot.rtx_ssrc(other)), slot.mid(), None);
        }
        let next_sequence = Slot::all().map(|_| 1).collect();
        Self {
            rtc,
            end,
            addresses: Vec::new(),
            started: now,
            now,
            touched: true,
            secured: false,
            next_sequence,
            closed: false,
            heard: now,
            round_trip: Duration::ZERO,
            whereabouts: Whereabouts::default(),
            doubt: Doubt::default(),
            restored: None,
        }
    }

    /// Offers an address at which this end receives.
    ///
    /// # Errors
    /// [`TransportError::Address`] for an unspecified address or port 0.
    pub fn add_local_address(&mut self, address: SocketAddr) -> Result<(), TransportError> {
        if address.ip().is_unspecified() || address.port() == 0 {
            return Err(TransportError::Address(address));
        }
        let candidate = Candidate::host(address, "udp").map_err(|_| TransportError::Address(address))?;
        self.rtc.add_local_candidate(candidate);
        self.addresses.push(address);
        self.touched = true;
        Ok(())
    }

    /// What the other end must know of this one.
    pub fn local(&mut self) -> Endpoint {
        let direct = self.rtc.direct_api();
        let credentials = direct.local_ice_credentials();
        let mut fingerprint = [0; 32];
        let digest = &direct.local_dtls_fingerprint().bytes;
        debug_assert_eq!(digest.len(), 32, "str0m makes SHA-256 fingerprints");
        if let Ok(bytes) = <[u8; 32]>::try_from(digest.as_slice()) {
            fingerprint = bytes;
        }
        let candidates = match self.end {
            End::Client => Vec::new(),
            End::Relay => self.addresses.clone(),
        };
        Endpoint { ufrag: credentials.ufrag, password: credentials.pass, fingerprint, candidates }
    }

    /// Begins to connect to the other end. Its DTLS certificate must have the fingerprint that `remote` states.
    ///
    /// # Errors
    /// [`TransportError::Address`] for a candidate that cannot be used, [`TransportError::Dtls`] where the handshake
    /// cannot begin.
    pub fn connect(&mut self, remote: &Endpoint, now: Instant) -> Result<(), TransportError> {
        self.now = now;
        self.touched = true;
        for address in &remote.candidates {
            let candidate = Candidate::host(*address, "udp").map_err(|_| TransportError::Address(*address))?;
            self.rtc.add_remote_candidate(candidate);
        }
        let mut direct = self.rtc.direct_api();
        direct.set_remote_ice_credentials(IceCreds { ufrag: remote.ufrag.clone(), pass: remote.password.clone() });
        direct.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: remote.fingerprint.to_vec(),
        });
        direct.start_dtls(self.end == End::Client).map_err(|_| TransportError::Dtls)
    }

    /// Whether a datagram belongs to this path: by its sender's address, or by the user fragment of a STUN request.
    pub fn accepts(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        Receive::new(Protocol::Udp, from, to, datagram)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes in a datagram.
    ///
    /// # Errors
    /// [`TransportError::Datagram`] where it is none of a media path; the path goes on.
    pub fn handle_datagram(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<(), TransportError> {
        let broken = TransportError::Datagram { from, length: datagram.len() };
        let receive = Receive::new(Protocol::Udp, from, to, datagram).map_err(|_| broken.clone())?;
        let moves = self.is_move(from, to, datagram, now);
        self.now = now;
        // A datagram that is taken in moves time by itself; a refused one does not, so what waits stays touched.
        self.rtc.handle_input(Input::Receive(now, receive)).map_err(|error| {
            tracing::debug!(%error, "datagram refused");
            broken
        })?;
        self.touched = false;
        self.heard = now;
        if moves {
            self.follow(from);
        }
        Ok(())
    }

    /// Moves time on; due when [`Output::Wake`] said so.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.touched = true;
    }

    /// Queues a packet, descriptor and payload; it leaves when the pacer lets it.
    ///
    /// # Errors
    /// [`TransportError::PacketTooLong`], [`TransportError::NoSuchSlot`], or [`TransportError::Closed`].
    pub fn send(&mut self, slot: Slot, packet: impl Into<Arc<[u8]>>, now: Instant) -> Result<(), TransportError> {
        let packet = packet.into();
        if packet.len() > MAX_PACKET {
            return Err(TransportError::PacketTooLong(packet.len()));
        }
        if self.closed {
            return Err(TransportError::Closed);
        }
        let sequence = self.next_sequence.get_mut(usize::from(slot.index())).ok_or(TransportError::NoSuchSlot(slot))?;
        let elapsed = now.saturating_duration_since(self.started).as_micros();
        #[expect(clippy::cast_possible_truncation, reason = "an RTP timestamp wraps")]
        let time = (elapsed * slot.clock_rate() / 1_000_000) as u32;
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx(&slot.ssrc(self.end)).ok_or(TransportError::NoSuchSlot(slot))?;
        stream.write_rtp(RtpWrite::new(slot.payload_type(), (*sequence).into(), time, now, packet).nackable(true));
        *sequence += 1;
        self.now = now;
        self.touched = true;
        Ok(())
    }

    /// The next thing to do; call until it is [`Output::Wake`].
    pub fn poll_output(&mut self) -> Output {
        if self.silent_at().is_some_and(|at| at <= self.now) {
            self.heard = self.now;
            return Output::Event(Event::Silent);
        }
        if let Some(rate) = self.restored.take() {
            tracing::debug!(%rate, "a fall of the estimate is undone: nothing waits, and no more is lost than before");
            self.rtc.bwe().reset(to_str0m(rate));
            self.touched = true;
            return Output::Event(Event::Estimate(rate));
        }
        if self.touched {
            self.touched = false;
            if let Err(error) = self.rtc.handle_input(Input::Timeout(self.now)) {
                tracing::debug!(%error, "media path failed");
                return self.fail();
            }
        }
        loop {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Timeout(at)) => {
                    let at = self.not_restless(at);
                    return Output::Wake(self.silent_at().map_or(at, |silent| silent.min(at)));
                }
                Ok(str0m::Output::Transmit(transmit)) => {
                    return Output::Transmit(Transmit {
                        from: transmit.source,
                        to: transmit.destination,
                        bytes: transmit.contents.into(),
                    });
                }
                Ok(str0m::Output::Event(event)) => {
                    if let Some(output) = self.translate(event) {
                        return output;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "media path failed");
                    return self.fail();
                }
            }
        }
    }

    /// Tells bandwidth probing how much there would be to send.
    pub fn set_desired_bitrate(&mut self, rate: Bitrate) {
        self.rtc.bwe().set_bitrate(str0m::bwe::Bitrate::ZERO, to_str0m(rate));
        self.touched = true;
    }

    /// Ends the path. What is queued may still be drained.
    pub fn close(&mut self) {
        self.closed = true;
        self.rtc.disconnect();
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        self.secured && self.rtc.is_connected() && !self.closed
    }

    /// Whether the path ended, by [`Self::close`] or by a fault that nothing mends.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn translate(&mut self, event: str0m::Event) -> Option<Output> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "str0m's events grow; what we do not use is dropped")]
        let event = match event {
            str0m::Event::RtpPacket(packet) => {
                let slot = Slot::of_ssrc(packet.header.ssrc, self.end.other())?;
                return Some(Output::Packet { slot, payload: packet.payload.clone() });
            }
            str0m::Event::Connected => {
                self.secured = true;
                Event::Connected
            }
            str0m::Event::IceConnectionStateChange(IceConnectionState::Disconnected) => Event::Disconnected,
            str0m::Event::IceConnectionStateChange(IceConnectionState::Connected | IceConnectionState::Completed)
                if self.secured =>
            {
                Event::Connected
            }
            str0m::Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                let rate = Bitrate(estimate.as_u64());
                self.doubt.estimated(rate);
                Event::Estimate(rate)
            }
            str0m::Event::PeerStats(stats) => {
                let round_trip =
                    stats.rtt.or_else(|| stats.selected_candidate_pair.and_then(|pair| pair.current_round_trip_time));
                self.round_trip = round_trip.unwrap_or_default();
                let quality = Quality { round_trip, loss: stats.egress_loss_fraction.unwrap_or(0.0) };
                self.restored = self.doubt.observed(quality);
                Event::Quality(quality)
            }
            str0m::Event::Closed => {
                self.closed = true;
                Event::Disconnected
            }
            _ => return None,
        };
        Some(Output::Event(event))
    }

    /// Bounds how often the delay controller wakes us: it asks for one round trip after feedback that is old, which on a
    /// loopback or a LAN is at once, over and over.
    fn not_restless(&self, at: Instant) -> Instant {
        let idle = self.rtc.last_timeout_reason() == str0m::Reason::BweDelayControl;
        if idle { at.max(self.now + DELAY_CONTROL_STEP) } else { at }
    }

    /// The end of a path that str0m gave up on: said once, silent afterwards.
    fn fail(&mut self) -> Output {
        if self.closed {
            return Output::Wake(self.now + Duration::from_secs(3600));
        }
        self.close();
        Output::Event(Event::Disconnected)
    }
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Path").field("end", &self.end).field("secured", &self.secured).finish_non_exhaustive()
    }
}

/// What both ends agree on beforehand. The codec names are str0m's: in RTP mode it reads no payload, and ours are
/// ciphertext.
fn config(ice_lite: bool) -> RtcConfig {
    let mut extensions = ExtensionMap::empty();
    extensions.set(3, Extension::TransportSequenceNumber);
    let mut config = RtcConfig::new()
        .clear_codecs()
        .set_extension_map(extensions)
        .set_ice_lite(ice_lite)
        .set_rtp_mode(true)
        .set_dtls_version(DtlsVersion::Dtls13)
        .set_stats_interval(Some(Duration::from_secs(1)))
        .enable_bwe(Some(to_str0m(FIRST_ESTIMATE)));
    let codecs = config.codec_config();
    for (kind, pt, rtx) in [(MediaKind::Audio, AUDIO_PT, AUDIO_RTX_PT), (MediaKind::Video, VIDEO_PT, VIDEO_RTX_PT)] {
        let (codec, clock, channels) = match kind {
            MediaKind::Audio => (Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2)),
            MediaKind::Video => (Codec::Av1, Frequency::NINETY_KHZ, None),
        };
        codecs.add_config(pt.into(), Some(rtx.into()), codec, clock, channels, FormatParams::default());
    }
    config
}

fn to_str0m(rate: Bitrate) -> str0m::bwe::Bitrate {
    str0m::bwe::Bitrate::bps(rate.as_bps())
}
