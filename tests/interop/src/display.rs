//! An X11 display without a screen, and windows drawn on it.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection as _,
    protocol::xproto::{
        ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, ImageFormat, PropMode, Rectangle, Window,
        WindowClass,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// A running Xvfb and a connection to it.
pub struct Display {
    server: Child,
    name: String,
    connection: RustConnection,
    root: Window,
    context: Gcontext,
}

impl Display {
    /// Starts an Xvfb with one screen of this size.
    ///
    /// # Errors
    /// Where Xvfb is not installed (`apt install xvfb`) or does not come up.
    pub fn start(width: u16, height: u16) -> Result<Self> {
        Self::start_with(width, height, &[])
    }

    /// [`Self::start`] with more words on Xvfb's command line.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(width: u16, height: u16, words: &[&str]) -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")])
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start Xvfb (apt install xvfb)")?;
        let output = server.stdout.take().context("Xvfb has no output")?;
        let (send, reached) = mpsc::sync_channel(1);
        let reach = thread::Builder::new().name("reach-xvfb".to_owned());
        reach.spawn(move || drop(send.send(reach_server(output))))?;
        // A server that says nothing, or takes the connection and is silent, is no reason to wait for ever.
        let reached = match reached.recv_timeout(PATIENCE) {
            Ok(reached) => reached,
            Err(_) => Err(anyhow!("Xvfb is silent")),
        };
        let (name, connection, root, context) = reached.inspect_err(|_| {
            let _ = server.kill();
            let _ = server.wait();
        })?;
        Ok(Self { server, name, connection, root, context })
    }

    /// What `DISPLAY` would be.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The drawing connection, for what has no name here.
    pub fn connection(&self) -> &RustConnection {
        &self.connection
    }

    /// The window that covers the whole display.
    pub fn root(&self) -> Window {
        self.root
    }

    /// Opens a window without frame at (x, y) on top of the others.
    ///
    /// # Errors
    /// What the display says.
    pub fn window(&self, title: &str, (x, y): (i16, i16), (width, height): (u16, u16)) -> Result<Window> {
        let window = self.connection.generate_id()?;
        let class = WindowClass::INPUT_OUTPUT;
        let nothing = CreateWindowAux::new();
        let (parent, depth) = (self.root, COPY_DEPTH_FROM_PARENT);
        self.connection.create_window(depth, window, parent, x, y, width, height, 0, class, 0, &nothing)?;
        let name = self.connection.intern_atom(false, b"_NET_WM_NAME")?.reply()?.atom;
        let text = self.connection.intern_atom(false, b"UTF8_STRING")?.reply()?.atom;
        self.connection.change_property8(PropMode::REPLACE, window, name, text, title.as_bytes())?;
        self.connection.map_window(window)?;
        self.connection.sync()?;
        Ok(window)
    }

    /// Puts a grey picture into a window, as it comes out of limited-range brightness.
    ///
    /// # Errors
    /// What the display says.
    pub fn draw(&self, window: Window, luma: &[u8], width: u16) -> Result<()> {
        const ROWS: usize = 16;
        let row = usize::from(width);
        for (block, rows) in luma.chunks(row * ROWS).enumerate() {
            let grey = |luma: &u8| ((u32::from(luma.saturating_sub(16)) * 255 + 109) / 219).min(255) as u8;
            let pixels: Vec<u8> = rows.iter().map(grey).flat_map(|grey| [grey, grey, grey, 0]).collect();
            let (height, top) = ((rows.len() / row) as u16, (block * ROWS) as i16);
            let format = ImageFormat::Z_PIXMAP;
            self.connection.put_image(format, window, self.context, width, height, 0, top, 0, 24, &pixels)?;
        }
        self.connection.sync()?;
        Ok(())
    }

    /// Fills a part of a window with one colour (0xRRGGBB).
    ///
    /// # Errors
    /// What the display says.
    pub fn fill(&self, window: Window, (x, y): (i16, i16), (width, height): (u16, u16), colour: u32) -> Result<()> {
        use x11rb::protocol::xproto::ChangeGCAux;
        self.connection.change_gc(self.context, &ChangeGCAux::new().foreground(colour))?;
        self.connection.poly_fill_rectangle(window, self.context, &[Rectangle { x, y, width, height }])?;
        self.connection.sync()?;
        Ok(())
    }
}

/// Asks the server for its name and connects to it.
fn reach_server(output: impl Read) -> Result<(String, RustConnection, Window, Gcontext)> {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(!line.is_empty(), "Xvfb ends at once");
    let name = format!(":{}", line.trim());
    let (connection, screen) = x11rb::connect(Some(&name)).context("cannot reach Xvfb")?;
    let root = connection.setup().roots[screen].root;
    let context = connection.generate_id()?;
    connection.create_gc(context, root, &CreateGCAux::new())?;
    Ok((name, connection, root, context))
}

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
