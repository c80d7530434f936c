//! A Wayland desktop without a person: its portal, which says yes to all, and a screen that comes by PipeWire.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Cursor},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use pipewire::{
    context::ContextRc,
    keys::{MEDIA_CLASS, NODE_NAME},
    loop_::Timeout,
    main_loop::MainLoopRc,
    properties::properties,
    spa::{
        param::{
            ParamType,
            format::{FormatProperties, MediaSubtype, MediaType},
            video::VideoFormat,
        },
        pod::{self, Object, Pod, Property, Value, serialize::PodSerializer},
        sys,
        utils::{Direction, Fraction, Rectangle, SpaTypes},
    },
    stream::{Stream, StreamBox, StreamFlags},
};
use zbus::{
    message::Header,
    object_server::SignalEmitter,
    zvariant::{ObjectPath, OwnedFd, OwnedObjectPath, OwnedValue, Value as Word},
};

/// Size of the desk's screen in pixels.
pub const SIZE: (u32, u32) = (1280, 720);

/// The services that a desktop session has: message bus, PipeWire and its manager.
pub struct Services {
    running: Vec<Child>,
    bus: String,
}

/// The desktop itself, in the process whose environment names the services.
pub struct Desk {
    shade: Arc<AtomicU8>,
    over: Arc<AtomicBool>,
    screen: Option<JoinHandle<Result<()>>>,
    bus: zbus::Connection,
    session: Arc<std::sync::Mutex<Option<OwnedObjectPath>>>,
}

impl Services {
    /// Starts them with `folder` as the session's own.
    ///
    /// # Errors
    /// Where one is not installed (`apt install dbus pipewire wireplumber`) or does not come up.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut services = Self { running: Vec::new(), bus: String::new() };
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--print-address"]).stdout(Stdio::piped());
        services.add(bus, folder)?;
        let output = services.running[0].stdout.take().context("the bus has no output")?;
        BufReader::new(output).read_line(&mut services.bus)?;
        services.add(Command::new("pipewire"), folder)?;
        let began = Instant::now();
        while !folder.join("pipewire-0").exists() {
            ensure!(began.elapsed() < Duration::from_secs(20), "PipeWire does not come up");
            std::thread::yield_now();
        }
        services.add(Command::new("wireplumber"), folder)?;
        Ok(services)
    }

    /// The address of the message bus.
    pub fn bus(&self) -> &str {
        self.bus.trim()
    }

    fn add(&mut self, mut command: Command, folder: &Path) -> Result<()> {
        let name = command.get_program().to_owned();
        command.env("XDG_RUNTIME_DIR", folder).env("HOME", folder).env("DBUS_SESSION_BUS_ADDRESS", self.bus());
        if self.bus.is_empty() {
            command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        } else {
            command.stdout(Stdio::null());
        }
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(
            child
                .with_context(|| format!("cannot start {} (apt install dbus pipewire wireplumber)", name.display()))?,
        );
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for child in self.running.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Desk {
    /// Opens the screen and takes the portal's name.
    ///
    /// # Errors
    /// What PipeWire and the bus say.
    pub fn open() -> Result<Self> {
        let (shade, over) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(false)));
        let node = Arc::new(AtomicU32::new(NO_NODE));
        let screen = std::thread::Builder::new().name("desk-screen".to_owned()).spawn({
            let (node, shade, over) = (Arc::clone(&node), Arc::clone(&shade), Arc::clone(&over));
            move || show(&node, shade, &over)
        })?;
        let began = Instant::now();
        while node.load(Ordering::Relaxed) == NO_NODE {
            ensure!(began.elapsed() < Duration::from_secs(20) && !screen.is_finished(), "PipeWire takes no screen");
            std::thread::yield_now();
        }
        let session = Arc::default();
        let portal = Portal { node, session: Arc::clone(&session) };
        let bus = wait(async {
            zbus::connection::Builder::session()?
                .name("org.freedesktop.portal.Desktop")?
                .serve_at("/org/freedesktop/portal/desktop", portal)?
                .build()
                .await
        })?;
        Ok(Self { shade, over, screen: Some(screen), bus, session })
    }

    /// Gives the block in the upper left corner, 100 × 100 pixels, this grey.
    pub fn paint(&self, shade: u8) {
        self.shade.store(shade, Ordering::Relaxed);
    }

    /// Ends the sharing, as the person does with the desktop's own button.
    ///
    /// # Errors
    /// Where nothing is shared, and what the bus says.
    pub fn end_sharing(&self) -> Result<()> {
        let session = self.session.lock().ok().and_then(|session| session.clone()).context("nothing is shared")?;
        let details = HashMap::<&str, Word<'_>>::new();
        let nobody = None::<zbus::names::BusName<'_>>;
        wait(self.bus.emit_signal(nobody, session, "org.freedesktop.portal.Session", "Closed", &details))?;
        Ok(())
    }

    /// Takes the screen away, as when it is unplugged.
    ///
    /// # Errors
    /// What PipeWire said meanwhile.
    pub fn unplug(&mut self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        self.screen.take().map_or(Ok(()), |screen| screen.join().unwrap_or(Ok(())))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.unplug();
    }
}

/// What the screen shows: stripes that differ in every line.
pub fn stripe(x: u32, y: u32) -> u8 {
    ((x / 4 + y / 2) % 256) as u8
}

/// Shows the screen until it is over.
fn show(node: &AtomicU32, shade: Arc<AtomicU8>, over: &AtomicBool) -> Result<()> {
    pipewire::init();
    let main_loop = MainLoopRc::new(None)?;
    let context = ContextRc::new(&main_loop, None)?;
    let core = context.connect_rc(None)?;
    let properties = properties! { *MEDIA_CLASS => "Video/Source", *NODE_NAME => "desk" };
    let stream = StreamBox::new(&core, "desk", properties)?;
    let _listener = stream
        .add_local_listener::<()>()
        .param_changed(|stream, (), id, param| {
            if id == ParamType::Format.as_raw() && param.is_some() {
                let buffers = bytes_of(buffers());
                let pod = Pod::from_bytes(&buffers).expect("a parameter");
                stream.update_params(&mut [pod]).expect("buffers");
            }
        })
        .process(move |stream, ()| draw(stream, shade.load(Ordering::Relaxed)))
        .register()?;
    let format = bytes_of(format());
    let mut formats = [Pod::from_bytes(&format).context("a format")?];
    stream.connect(Direction::Output, None, StreamFlags::MAP_BUFFERS, &mut formats)?;
    while !over.load(Ordering::Relaxed) {
        main_loop.loop_().iterate(Timeout::Finite(Duration::from_millis(30)));
        node.store(stream.node_id(), Ordering::Relaxed);
    }
    Ok(())
}

fn draw(stream: &Stream, shade: u8) {
    let Some(mut buffer) = stream.dequeue_buffer() else { return };
    let Some(data) = buffer.datas_mut().first_mut() else { return };
    let row = SIZE.0 as usize * 4;
    if let Some(pixels) = data.data() {
        for (y, line) in (0..SIZE.1).zip(pixels.chunks_exact_mut(row)) {
            for (x, pixel) in (0..SIZE.0).zip(line.chunks_exact_mut(4)) {
                let grey = if x < 100 && y < 100 { shade } else { stripe(x, y) };
                pixel.copy_from_slice(&[grey, grey, grey, 0]);
            }
        }
    }
    let chunk = data.chunk_mut();
    *chunk.offset_mut() = 0;
    *chunk.stride_mut() = row as i32;
    *chunk.size_mut() = SIZE.0 * SIZE.1 * 4;
}

fn format() -> Object {
    pod::object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        pod::property!(FormatProperties::MediaType, Id, MediaType::Video),
        pod::property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        pod::property!(FormatProperties::VideoFormat, Id, VideoFormat::BGRx),
        pod::property!(FormatProperties::VideoSize, Rectangle, Rectangle { width: SIZE.0, height: SIZE.1 }),
        pod::property!(FormatProperties::VideoFramerate, Fraction, Fraction { num: 0, denom: 1 }),
        pod::property!(
            FormatProperties::VideoMaxFramerate,
            Choice,
            Range,
            Fraction,
            Fraction { num: 30, denom: 1 },
            Fraction { num: 1, denom: 1 },
            Fraction { num: 30, denom: 1 }
        )
    )
}

fn buffers() -> Object {
    let number = |key, value: u32| Property::new(key, Value::Int(value as i32));
    Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![
            number(sys::SPA_PARAM_BUFFERS_buffers, 4),
            number(sys::SPA_PARAM_BUFFERS_blocks, 1),
            number(sys::SPA_PARAM_BUFFERS_size, SIZE.0 * SIZE.1 * 4),
            number(sys::SPA_PARAM_BUFFERS_stride, SIZE.0 * 4),
        ],
    }
}

fn bytes_of(object: Object) -> Vec<u8> {
    let serialized = PodSerializer::serialize(Cursor::new(Vec::new()), &Value::Object(object));
    serialized.map(|(cursor, _)| cursor.into_inner()).expect("a parameter in memory")
}

/// The part of the portal that shares screens.
struct Portal {
    node: Arc<AtomicU32>,
    session: Arc<std::sync::Mutex<Option<OwnedObjectPath>>>,
}

/// One sharing.
struct Session;

type Details = HashMap<String, OwnedValue>;

#[zbus::interface(name = "org.freedesktop.portal.Session")]
impl Session {
    fn close(&self) {}
}

#[zbus::interface(name = "org.freedesktop.portal.ScreenCast")]
impl Portal {
    async fn create_session(
        &self,
        options: Details,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<OwnedObjectPath> {
        let session = path(&header, "session", &options, "session_handle_token")?;
        emitter.connection().object_server().at(&session, Session).await?;
        let answer = HashMap::from([("session_handle", Word::from(session.as_str()))]);
        let request = answer_with(&header, &emitter, &options, answer).await?;
        if let Ok(mut place) = self.session.lock() {
            *place = Some(session);
        }
        Ok(request)
    }

    async fn select_sources(
        &self,
        _session: ObjectPath<'_>,
        options: Details,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<OwnedObjectPath> {
        answer_with(&header, &emitter, &options, HashMap::new()).await
    }

    async fn start(
        &self,
        _session: ObjectPath<'_>,
        _parent: &str,
        options: Details,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<OwnedObjectPath> {
        let streams = vec![(self.node.load(Ordering::Relaxed), HashMap::<String, Word<'_>>::new())];
        answer_with(&header, &emitter, &options, HashMap::from([("streams", Word::from(streams))])).await
    }

    fn open_pipe_wire_remote(&self, _session: ObjectPath<'_>, _options: Details) -> zbus::fdo::Result<OwnedFd> {
        let folder = std::env::var("XDG_RUNTIME_DIR").map_err(|error| failed(&error))?;
        let socket = UnixStream::connect(Path::new(&folder).join("pipewire-0")).map_err(|error| failed(&error))?;
        Ok(std::os::fd::OwnedFd::from(socket).into())
    }

    #[zbus(property)]
    fn available_source_types(&self) -> u32 {
        3
    }

    #[zbus(property)]
    fn available_cursor_modes(&self) -> u32 {
        3
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        4
    }
}

/// Where the caller expects a request or session, as the portal's documentation lays it down.
fn path(header: &Header<'_>, kind: &str, options: &Details, token: &str) -> zbus::fdo::Result<OwnedObjectPath> {
    let sender = header.sender().map(|name| name.trim_start_matches(':').replace('.', "_")).unwrap_or_default();
    let token = options.get(token).and_then(|word| String::try_from(word.clone()).ok()).unwrap_or_default();
    let path = format!("/org/freedesktop/portal/desktop/{kind}/{sender}/{token}");
    OwnedObjectPath::try_from(path).map_err(|error| failed(&error))
}

/// Says yes to a request.
async fn answer_with(
    header: &Header<'_>,
    emitter: &SignalEmitter<'_>,
    options: &Details,
    answer: HashMap<&str, Word<'_>>,
) -> zbus::fdo::Result<OwnedObjectPath> {
    let request = path(header, "request", options, "handle_token")?;
    let everybody = None::<zbus::names::BusName<'_>>;
    let interface = "org.freedesktop.portal.Request";
    emitter.connection().emit_signal(everybody, &request, interface, "Response", &(0_u32, answer)).await?;
    Ok(request)
}

fn failed(error: &dyn std::error::Error) -> zbus::fdo::Error {
    zbus::fdo::Error::Failed(error.to_string())
}

/// Waits for `future` on this thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        let polled = future.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        if let std::task::Poll::Ready(result) = polled {
            return result;
        }
        std::thread::park();
    }
}

/// What PipeWire calls a node that has no number yet.
const NO_NODE: u32 = u32::MAX;
