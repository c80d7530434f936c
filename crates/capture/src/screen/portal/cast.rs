//! The picture of what was picked, from PipeWire.

use std::{cell::RefCell, io::Cursor, rc::Rc, time::Duration};

use pipewire::{
    context::ContextRc,
    keys::{MEDIA_CATEGORY, MEDIA_ROLE, MEDIA_TYPE, NODE_DONT_RECONNECT},
    main_loop::MainLoopRc,
    properties::properties,
    spa::{
        buffer::{Data, DataType, meta::MetaVideoCrop},
        param::{
            ParamType,
            format::{FormatProperties, MediaSubtype, MediaType},
            video::{VideoFormat, VideoInfoRaw},
        },
        pod::{self, ChoiceValue, Object, Pod, Property, Value, serialize::PodSerializer},
        sys,
        utils::{Choice, ChoiceEnum, ChoiceFlags, Direction, Fraction, Id, Rectangle, SpaTypes},
    },
    stream::{Stream, StreamBox, StreamFlags, StreamState},
};

use super::Picked;
use crate::{
    Clock,
    screen::{
        OpenedScreen, ScreenError, ScreenEvent, ScreenWish,
        canvas::{Area, Canvas, PIXEL},
        shape::Shaper,
        stream::{REFRESH, Sink},
    },
    worker::{Stop, now},
};

/// What the stream's callbacks leave behind.
#[derive(Default)]
struct Seen {
    format: VideoInfoRaw,
    canvas: Option<Canvas>,
    changed: bool,
    /// Rows in the order of colours that the canvas has.
    swapped: Vec<u8>,
    trouble: Option<ScreenError>,
}

/// Gives the pictures of a stream to `sink` until `stop` is set; returns early with the reason.
pub(super) fn play(
    picked: Picked,
    wish: ScreenWish,
    clock: &Clock,
    sink: &mut Sink,
    stop: &Stop,
    is_closed: &mut dyn FnMut() -> bool,
) -> Result<(), ScreenError> {
    pipewire::init();
    let main_loop = MainLoopRc::new(None).map_err(broken)?;
    let context = ContextRc::new(&main_loop, None).map_err(broken)?;
    let core = context.connect_fd_rc(picked.remote, None).map_err(broken)?;
    let properties = properties! {
        *MEDIA_TYPE => "Video",
        *MEDIA_CATEGORY => "Capture",
        *MEDIA_ROLE => "Screen",
        // What is gone must not be replaced by what somebody else shows.
        *NODE_DONT_RECONNECT => "true",
    };
    let stream = StreamBox::new(&core, "conclave-screen", properties).map_err(broken)?;
    let seen = Rc::<RefCell<Seen>>::default();
    let _listener = stream
        .add_local_listener_with_user_data(Rc::clone(&seen))
        .state_changed(|_, seen, old, new| {
            let trouble = match new {
                StreamState::Error(reason) => ScreenError::Broken { reason },
                StreamState::Unconnected if old != StreamState::Unconnected => ScreenError::Ended,
                StreamState::Unconnected | StreamState::Connecting | StreamState::Paused | StreamState::Streaming => {
                    return;
                }
            };
            seen.borrow_mut().trouble.get_or_insert(trouble);
        })
        .param_changed(|stream, seen, id, param| {
            if let Some(param) = param.filter(|_| id == ParamType::Format.as_raw()) {
                seen.borrow_mut().agree(stream, param);
            }
        })
        .process(|stream, seen| seen.borrow_mut().take(stream))
        .register()
        .map_err(broken)?;
    let format = bytes_of(formats(wish))?;
    let mut formats = [Pod::from_bytes(&format).ok_or_else(|| broken("a format"))?];
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
    stream.connect(Direction::Input, Some(picked.node), flags, &mut formats).map_err(broken)?;

    let interval = Duration::from_secs(1) / wish.frames_per_second.max(1);
    let (mut shaper, mut opened, mut given) = (Shaper::new(wish), false, None);
    while !stop.is_set() {
        main_loop.loop_().iterate(pipewire::loop_::Timeout::Finite(interval));
        if is_closed() {
            return Err(ScreenError::Ended);
        }
        let mut seen = seen.borrow_mut();
        if let Some(trouble) = seen.trouble.take() {
            return Err(trouble);
        }
        let now = now();
        let age = given.map(|given| now.duration_since(given));
        let Seen { canvas: Some(canvas), changed, .. } = &mut *seen else { continue };
        let is_due = *changed && age.is_none_or(|age| age >= interval);
        if !is_due && age.is_none_or(|age| age < REFRESH) {
            continue;
        }
        if !std::mem::replace(&mut opened, true) {
            let (width, height) = canvas.size();
            sink(ScreenEvent::Opened(OpenedScreen { name: String::new(), width, height }));
        }
        (*changed, given) = (false, Some(now));
        let picture = shaper.picture(canvas, clock())?;
        drop(seen);
        sink(ScreenEvent::Picture(picture));
    }
    Ok(())
}

impl Seen {
    /// Takes note of the format that both sides agreed on, and says what its buffers should be like.
    fn agree(&mut self, stream: &Stream, format: &Pod) {
        if self.format.parse(format).is_err() {
            self.trouble.get_or_insert(ScreenError::Unsupported { reason: "its format is not understood".to_owned() });
            return;
        }
        let asked = (|| {
            let (buffers, crop) = (bytes_of(buffers())?, bytes_of(crop())?);
            let pod = |bytes| Pod::from_bytes(bytes).ok_or_else(|| broken("a parameter"));
            stream.update_params(&mut [pod(&buffers)?, pod(&crop)?]).map_err(broken)
        })();
        if let Err(error) = asked {
            self.trouble.get_or_insert(error);
        }
    }

    /// Takes over the newest picture.
    fn take(&mut self, stream: &Stream) {
        let mut newest = None;
        while let Some(buffer) = stream.dequeue_buffer() {
            newest = Some(buffer);
        }
        let Some(mut buffer) = newest else { return };
        let size = self.format.size();
        let mut part = Area { x: 0, y: 0, width: size.width, height: size.height };
        // A window's picture lies in a buffer that has room for it to grow.
        if let Some(crop) = buffer.find_meta::<MetaVideoCrop>().map(MetaVideoCrop::meta_region)
            && crop.is_valid()
        {
            let corner = |at: i32| u32::try_from(at).unwrap_or(0);
            let (at, size) = (crop.position(), crop.size());
            let crop = Area { x: corner(at.x), y: corner(at.y), width: size.width, height: size.height };
            part = crop.within(part).unwrap_or(part);
        }
        let Some(data) = buffer.datas_mut().first_mut() else { return };
        if let Err(error) = self.read(data, part) {
            self.trouble.get_or_insert(error);
        }
    }

    /// Reads `part` of a picture, where there is one: a buffer without content tells of the pointer only.
    fn read(&mut self, data: &mut Data, part: Area) -> Result<(), ScreenError> {
        if data.as_raw().chunk.is_null() {
            return Ok(());
        }
        let (offset, length, stride) = (data.chunk().offset(), data.chunk().size(), data.chunk().stride());
        let row = self.format.size().width as usize * PIXEL;
        let stride = usize::try_from(stride).ok().filter(|stride| *stride >= row).unwrap_or(row);
        let swap = match self.format.format() {
            VideoFormat::BGRx | VideoFormat::BGRA => false,
            VideoFormat::RGBx | VideoFormat::RGBA => true,
            _ => return Err(ScreenError::Unsupported { reason: "its colours are in an unknown order".to_owned() }),
        };
        let Some(bytes) = data.data().filter(|_| length > 0) else { return Ok(()) };
        let first = part.y as usize * stride + part.x as usize * PIXEL;
        let Some(rows) = bytes.get(offset as usize..).and_then(|bytes| bytes.get(first..)) else { return Ok(()) };
        let canvas = match &mut self.canvas {
            Some(canvas) if canvas.size() == (part.width, part.height) => canvas,
            canvas => {
                self.changed = true;
                canvas.insert(Canvas::new(part.width, part.height)?)
            }
        };
        let rows = if swap {
            self.swapped.clear();
            self.swapped.extend_from_slice(&rows[..rows.len().min(stride * part.height as usize)]);
            self.swapped.chunks_exact_mut(PIXEL).for_each(|pixel| pixel.swap(0, 2));
            &self.swapped
        } else {
            rows
        };
        self.changed |= canvas.put(canvas.area(), rows, stride);
        Ok(())
    }
}

/// The formats that are understood: four bytes a pixel, any size, at most as many pictures as are wished.
fn formats(wish: ScreenWish) -> Object {
    let rate = Fraction { num: wish.frames_per_second, denom: 1 };
    pod::object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        pod::property!(FormatProperties::MediaType, Id, MediaType::Video),
        pod::property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        pod::property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            VideoFormat::BGRx,
            VideoFormat::BGRx,
            VideoFormat::BGRA,
            VideoFormat::RGBx,
            VideoFormat::RGBA
        ),
        pod::property!(
            FormatProperties::VideoSize,
            Choice,
            Range,
            Rectangle,
            Rectangle { width: 1920, height: 1080 },
            Rectangle { width: 1, height: 1 },
            Rectangle { width: 16_384, height: 16_384 }
        ),
        // 0: a picture when something changes.
        pod::property!(
            FormatProperties::VideoFramerate,
            Choice,
            Range,
            Fraction,
            Fraction { num: 0, denom: 1 },
            Fraction { num: 0, denom: 1 },
            Fraction { num: 1000, denom: 1 }
        ),
        pod::property!(
            FormatProperties::VideoMaxFramerate,
            Choice,
            Range,
            Fraction,
            rate,
            Fraction { num: 1, denom: 1 },
            rate
        )
    )
}

/// Buffers in memory that can be read here, which those of graphics cards are not.
fn buffers() -> Object {
    let kinds = (1 << DataType::MemPtr.as_raw()) | (1 << DataType::MemFd.as_raw());
    let choice = Choice(ChoiceFlags::empty(), ChoiceEnum::Flags { default: kinds, flags: Vec::new() });
    Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![Property::new(sys::SPA_PARAM_BUFFERS_dataType, Value::Choice(ChoiceValue::Int(choice)))],
    }
}

/// The wish to be told which part of a buffer is the window.
fn crop() -> Object {
    let size = i32::try_from(size_of::<sys::spa_meta_region>()).unwrap_or(0);
    Object {
        type_: SpaTypes::ObjectParamMeta.as_raw(),
        id: ParamType::Meta.as_raw(),
        properties: vec![
            Property::new(sys::SPA_PARAM_META_type, Value::Id(Id(sys::SPA_META_VideoCrop))),
            Property::new(sys::SPA_PARAM_META_size, Value::Int(size)),
        ],
    }
}

fn bytes_of(object: Object) -> Result<Vec<u8>, ScreenError> {
    let serialized = PodSerializer::serialize(Cursor::new(Vec::new()), &Value::Object(object));
    serialized.map(|(cursor, _)| cursor.into_inner()).map_err(|_| broken("a parameter"))
}

fn broken(error: impl ToString) -> ScreenError {
    ScreenError::Broken { reason: format!("PipeWire: {}", error.to_string()) }
}
