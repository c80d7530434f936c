//! The realtime encoder of libaom, by its C interface. The only file that touches it.
#![expect(unsafe_code, reason = "libaom is C; the safe encoder above this file is the only caller")]

use std::{
    ffi::{c_int, c_uint, c_ulong},
    mem::MaybeUninit,
    ptr, slice,
};

use conclave_model::Picture;
use libaom_sys as sys;

use super::layering::{Pattern, Place};

/// An error number of libaom (`aom_codec_err_t`) and what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AomError {
    pub(super) action: &'static str,
    pub(super) code: i32,
}

/// What to encode and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct AomSettings {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) kbps: u32,
    pub(super) threads: u32,
    /// log2 of the number of tile columns.
    pub(super) tile_columns_log2: u32,
    /// Ticks of `pts` per second.
    pub(super) ticks_per_second: u32,
    /// 0 slow to 11 fast.
    pub(super) speed: u32,
    /// Whether text and windows are to be expected.
    pub(super) screen: bool,
    /// Temporal layers, from 1.
    pub(super) temporal: u32,
}

/// One encoded temporal unit.
pub(super) struct AomPacket {
    pub(super) bytes: Vec<u8>,
    pub(super) key: bool,
}

/// An encoder context. Boxed, because libaom keeps pointers into it.
pub(super) struct Aom {
    context: Box<sys::aom_codec_ctx_t>,
    config: Box<sys::aom_codec_enc_cfg_t>,
    image: sys::aom_image_t,
    temporal: u32,
}

// SAFETY: a libaom context has no tie to the thread that made it; it is only ever used through `&mut self`, thus by one
// thread at a time. The pointers in `image` are set anew for each call and dangle, unused, in between.
unsafe impl Send for Aom {}

impl Aom {
    /// Opens an encoder: realtime, one pass, constant bitrate, no lag, key frames on request only.
    pub(super) fn open(settings: &AomSettings) -> Result<Self, AomError> {
        // SAFETY: returns a pointer to a static table of the library.
        let interface = unsafe { sys::aom_codec_av1_cx() };
        let config = Box::new(configuration(interface, settings)?);
        let mut context = Box::new(MaybeUninit::<sys::aom_codec_ctx_t>::zeroed());
        // SAFETY: `context` is zeroed memory of the right type, as libaom's own callers pass it; `config` was filled by
        // `aom_codec_enc_config_default`; both outlive the call and live in boxes that do not move.
        let code = unsafe {
            sys::aom_codec_enc_init_ver(
                context.as_mut_ptr(),
                interface,
                &raw const *config,
                0,
                sys::AOM_ENCODER_ABI_VERSION as c_int,
            )
        };
        check("open", code)?;
        // SAFETY: a zeroed `aom_codec_ctx_t` is valid (null pointers and numbers), and init has filled it in.
        let context = unsafe { context.assume_init() };
        let mut encoder = Self { context, config, image: image(settings)?, temporal: settings.temporal };
        for (control, value) in controls(settings) {
            encoder.control(control, value)?;
        }
        encoder.share_bitrate()?;
        Ok(encoder)
    }

    /// Sets the target bitrate from the next frame on.
    pub(super) fn set_kbps(&mut self, kbps: u32) -> Result<(), AomError> {
        self.config.rc_target_bitrate = kbps;
        self.share_bitrate()?;
        // SAFETY: the context is open for as long as `self` lives, and `config` is the configuration it was opened with
        // except for the bitrate.
        let code = unsafe { sys::aom_codec_enc_config_set(&raw mut *self.context, &raw const *self.config) };
        check("set bitrate", code)
    }

    /// Encodes a picture, whose size must be that of the settings, at its place in the pattern. `pts` must grow from
    /// call to call.
    pub(super) fn encode(
        &mut self,
        picture: &Picture,
        place: Place,
        pts: i64,
        duration: u32,
        force_key: bool,
    ) -> Result<Option<AomPacket>, AomError> {
        if (picture.width(), picture.height()) != (self.config.g_w, self.config.g_h) {
            return Err(AomError { action: "encode", code: sys::AOM_CODEC_INVALID_PARAM as i32 });
        }
        self.set_place(place)?;
        for (pointer, plane) in self.image.planes.iter_mut().zip(picture.planes()) {
            *pointer = plane.as_ptr().cast_mut();
        }
        let flags = if force_key { sys::AOM_EFLAG_FORCE_KF } else { 0 };
        // SAFETY: the image describes the planes of `picture` (its size was compared above and a `Picture` guarantees
        // the plane lengths for its size), which outlive the call. libaom copies them and writes to them only with its
        // denoiser, which is off.
        let code = unsafe {
            sys::aom_codec_encode(
                &raw mut *self.context,
                &raw const self.image,
                pts,
                c_ulong::from(duration),
                sys::aom_enc_frame_flags_t::from(flags),
            )
        };
        check("encode", code)?;
        Ok(self.take_packet())
    }

    fn take_packet(&mut self) -> Option<AomPacket> {
        let mut iterator: sys::aom_codec_iter_t = ptr::null();
        let mut found: Option<AomPacket> = None;
        loop {
            // SAFETY: the context is open and `iterator` is null or what the last call left in it.
            let packet = unsafe { sys::aom_codec_get_cx_data(&raw mut *self.context, &raw mut iterator) };
            // SAFETY: null or a packet that lives until the next call on the context.
            let Some(packet) = (unsafe { packet.as_ref() }) else { return found };
            if packet.kind != sys::AOM_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: `frame` is the active field of the union for this kind of packet.
            let frame = unsafe { packet.data.frame };
            if frame.buf.is_null() || frame.sz == 0 {
                continue;
            }
            // SAFETY: libaom says that `sz` bytes are at `buf`; they are copied before the next call.
            let bytes = unsafe { slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) };
            let key = frame.flags & sys::AOM_FRAME_IS_KEY != 0;
            let unit = found.get_or_insert_with(|| AomPacket { bytes: Vec::with_capacity(frame.sz), key: false });
            unit.bytes.extend_from_slice(bytes);
            unit.key |= key;
        }
    }

    /// Tells the rate control how the temporal layers share the bitrate.
    fn share_bitrate(&mut self) -> Result<(), AomError> {
        if self.temporal == 1 {
            return Ok(());
        }
        let mut parameters = sys::aom_svc_params_t {
            number_spatial_layers: 1,
            number_temporal_layers: self.temporal as c_int,
            max_quantizers: [self.config.rc_max_quantizer as c_int; _],
            min_quantizers: [self.config.rc_min_quantizer as c_int; _],
            scaling_factor_num: [1; _],
            scaling_factor_den: [1; _],
            layer_target_bitrate: [0; _],
            framerate_factor: [1; _],
        };
        for temporal in 0..self.temporal {
            let kbps = self.config.rc_target_bitrate * Pattern::share(self.temporal, temporal) / 100;
            parameters.layer_target_bitrate[temporal as usize] = kbps as c_int;
            parameters.framerate_factor[temporal as usize] = Pattern::divisor(self.temporal, temporal) as c_int;
        }
        self.control_with(sys::AV1E_SET_SVC_PARAMS, &mut parameters)
    }

    /// Tells what the next frame predicts from and where it is kept.
    fn set_place(&mut self, place: Place) -> Result<(), AomError> {
        if self.temporal == 1 {
            return Ok(());
        }
        let mut layer = sys::aom_svc_layer_id_t { spatial_layer_id: 0, temporal_layer_id: c_int::from(place.temporal) };
        self.control_with(sys::AV1E_SET_SVC_LAYER_ID, &mut layer)?;
        let mut references = sys::aom_svc_ref_frame_config_t {
            reference: [0; _],
            ref_idx: [c_int::from(place.uses); _],
            refresh: [0; _],
        };
        references.reference[LAST] = 1;
        if let Some(buffer) = place.updates {
            // A buffer can be filled only where a reference stands for it, even one that is not used.
            references.ref_idx[LAST2] = c_int::from(buffer);
            references.refresh[usize::from(buffer)] = 1;
        }
        self.control_with(sys::AV1E_SET_SVC_REF_FRAME_CONFIG, &mut references)
    }

    /// A control that takes a pointer to a structure, which must be the one that libaom reads for it.
    fn control_with<T>(&mut self, control: sys::aome_enc_control_id, value: &mut T) -> Result<(), AomError> {
        // SAFETY: the two callers pass the structure that libaom's header names for the control; it is only read, and
        // only during the call.
        let code = unsafe { sys::aom_codec_control(&raw mut *self.context, control as c_int, &raw mut *value) };
        check("control", code)
    }

    fn control(&mut self, control: sys::aome_enc_control_id, value: c_int) -> Result<(), AomError> {
        // SAFETY: each control in `controls` takes one int (or unsigned int, passed alike).
        let code = unsafe { sys::aom_codec_control(&raw mut *self.context, control as c_int, value) };
        check("control", code)
    }
}

impl Drop for Aom {
    fn drop(&mut self) {
        // SAFETY: the context is open, and nobody uses it afterwards.
        unsafe { sys::aom_codec_destroy(&raw mut *self.context) };
    }
}

/// The configuration that WebRTC's AV1 encoder has shown to work for calls, without frame dropping by resize.
fn configuration(
    interface: *const sys::aom_codec_iface,
    settings: &AomSettings,
) -> Result<sys::aom_codec_enc_cfg_t, AomError> {
    let mut config = MaybeUninit::<sys::aom_codec_enc_cfg_t>::zeroed();
    // SAFETY: `interface` is libaom's own table, `config` is memory of the right type to be filled in.
    let code =
        unsafe { sys::aom_codec_enc_config_default(interface, config.as_mut_ptr(), sys::AOM_USAGE_REALTIME as c_uint) };
    check("configure", code)?;
    // SAFETY: the call succeeded, so it has written the whole structure; zeroes were valid before.
    let mut config = unsafe { config.assume_init() };
    config.g_w = settings.width;
    config.g_h = settings.height;
    config.g_threads = settings.threads;
    config.g_timebase = sys::aom_rational { num: 1, den: settings.ticks_per_second as c_int };
    config.g_input_bit_depth = 8;
    config.g_error_resilient = 0;
    config.g_pass = sys::AOM_RC_ONE_PASS;
    config.g_lag_in_frames = 0;
    config.rc_end_usage = sys::AOM_CBR;
    config.rc_target_bitrate = settings.kbps;
    config.rc_dropframe_thresh = DROP_BELOW_PERCENT;
    // Letters are readable up to 50, which costs little more than 58; below 16 nobody sees a difference.
    (config.rc_min_quantizer, config.rc_max_quantizer) = if settings.screen { (16, 50) } else { (2, 58) };
    config.rc_undershoot_pct = 50;
    config.rc_overshoot_pct = 50;
    config.rc_buf_initial_sz = 600;
    config.rc_buf_optimal_sz = 600;
    config.rc_buf_sz = 1000;
    config.kf_mode = sys::AOM_KF_DISABLED;
    Ok(config)
}

/// An image without planes yet: 8-bit 4:2:0, limited range, rows without padding.
fn image(settings: &AomSettings) -> Result<sys::aom_image_t, AomError> {
    let mut image = MaybeUninit::<sys::aom_image_t>::zeroed();
    let mut anything = 0_u8;
    // SAFETY: with a buffer given, `aom_img_wrap` only fills in the structure; it does not touch the buffer. The plane
    // pointers that it derives are replaced before each use.
    let wrapped = unsafe {
        sys::aom_img_wrap(
            image.as_mut_ptr(),
            sys::AOM_IMG_FMT_I420,
            settings.width,
            settings.height,
            1,
            &raw mut anything,
        )
    };
    if wrapped.is_null() {
        return Err(AomError { action: "describe pictures", code: sys::AOM_CODEC_INVALID_PARAM as i32 });
    }
    // SAFETY: a non-null answer means that the structure is filled in.
    let mut image = unsafe { image.assume_init() };
    let chroma = settings.width.div_ceil(2) as c_int;
    image.stride = [settings.width as c_int, chroma, chroma];
    image.range = sys::AOM_CR_STUDIO_RANGE;
    Ok(image)
}

/// The tools that pay at this speed, after WebRTC's `libaom_av1_encoder.cc`.
fn controls(settings: &AomSettings) -> Vec<(sys::aome_enc_control_id, c_int)> {
    let several = c_int::from(settings.threads > 1);
    let content = if settings.screen { sys::AOM_CONTENT_SCREEN } else { sys::AOM_CONTENT_DEFAULT };
    vec![
        (sys::AOME_SET_CPUUSED, settings.speed as c_int),
        (sys::AV1E_SET_AQ_MODE, 3),
        (sys::AOME_SET_MAX_INTRA_BITRATE_PCT, 300),
        (sys::AV1E_SET_TILE_COLUMNS, settings.tile_columns_log2 as c_int),
        (sys::AV1E_SET_ROW_MT, several),
        (sys::AV1E_SET_COLOR_PRIMARIES, BT_709),
        (sys::AV1E_SET_TRANSFER_CHARACTERISTICS, BT_709),
        (sys::AV1E_SET_MATRIX_COEFFICIENTS, BT_709),
        (sys::AV1E_SET_COLOR_RANGE, 0),
        (sys::AV1E_SET_ENABLE_CDEF, 1),
        (sys::AV1E_SET_ENABLE_TPL_MODEL, 0),
        (sys::AV1E_SET_DELTAQ_MODE, 0),
        (sys::AV1E_SET_ENABLE_ORDER_HINT, 0),
        (sys::AV1E_SET_COEFF_COST_UPD_FREQ, 3),
        (sys::AV1E_SET_MODE_COST_UPD_FREQ, 3),
        (sys::AV1E_SET_MV_COST_UPD_FREQ, 3),
        (sys::AV1E_SET_ENABLE_OBMC, 0),
        (sys::AV1E_SET_NOISE_SENSITIVITY, 0),
        (sys::AV1E_SET_ENABLE_WARPED_MOTION, 0),
        (sys::AV1E_SET_ENABLE_GLOBAL_MOTION, 0),
        (sys::AV1E_SET_ENABLE_REF_FRAME_MVS, 0),
        (sys::AV1E_SET_ENABLE_CFL_INTRA, 0),
        (sys::AV1E_SET_ENABLE_SMOOTH_INTRA, 0),
        (sys::AV1E_SET_ENABLE_ANGLE_DELTA, 0),
        (sys::AV1E_SET_ENABLE_FILTER_INTRA, 0),
        (sys::AV1E_SET_INTRA_DEFAULT_TX_ONLY, 1),
        (sys::AV1E_SET_DISABLE_TRELLIS_QUANT, 1),
        (sys::AV1E_SET_ENABLE_DIST_WTD_COMP, 0),
        (sys::AV1E_SET_ENABLE_DIFF_WTD_COMP, 0),
        (sys::AV1E_SET_ENABLE_DUAL_FILTER, 0),
        (sys::AV1E_SET_ENABLE_INTERINTRA_COMP, 0),
        (sys::AV1E_SET_ENABLE_INTERINTRA_WEDGE, 0),
        (sys::AV1E_SET_ENABLE_INTRA_EDGE_FILTER, 0),
        // libaom has none in realtime, whatever is asked for.
        (sys::AV1E_SET_ENABLE_INTRABC, 0),
        (sys::AV1E_SET_ENABLE_MASKED_COMP, 0),
        (sys::AV1E_SET_ENABLE_PAETH_INTRA, 0),
        (sys::AV1E_SET_ENABLE_QM, 0),
        (sys::AV1E_SET_ENABLE_RECT_PARTITIONS, 0),
        (sys::AV1E_SET_ENABLE_RESTORATION, 0),
        (sys::AV1E_SET_ENABLE_SMOOTH_INTERINTRA, 0),
        (sys::AV1E_SET_ENABLE_TX64, 0),
        (sys::AV1E_SET_MAX_REFERENCE_FRAMES, 3),
        (sys::AV1E_SET_ENABLE_PALETTE, c_int::from(settings.screen)),
        (sys::AV1E_SET_TUNE_CONTENT, content as c_int),
    ]
}

fn check(action: &'static str, code: sys::aom_codec_err_t) -> Result<(), AomError> {
    if code == sys::AOM_CODEC_OK { Ok(()) } else { Err(AomError { action, code: code as i32 }) }
}

/// How empty, in percent, the rate control's buffer may run before it leaves pictures out.
const DROP_BELOW_PERCENT: c_uint = 30;

/// Places in libaom's list of references.
const LAST: usize = 0;
const LAST2: usize = 1;

/// BT.709 in the code points of ISO/IEC 23091-2: primaries, transfer and matrix alike.
const BT_709: c_int = 1;
