//! Real devices as a sound service has them: PulseAudio with null sinks. Speech goes in at one client's microphone and
//! comes out of another's loudspeaker, which is another process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once")]

use std::{
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use conclave_interop_tests::{
    clip,
    world::{Running, World, program},
};

const PEOPLE: [(&str, &str, &str); 2] = [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU")];

/// Long enough for a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// Samples per second of all sound here.
const RATE: usize = 48_000;

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sound service of its own with the sinks `mouth`, `ear`, `spare` and `void`.
struct Service<'a> {
    world: &'a World,
    _process: Process,
}

impl<'a> Service<'a> {
    /// Starts it; `None` where it, its tools or ALSA's way to it are not installed.
    fn start(world: &'a World) -> Option<Self> {
        let plugin = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
            .iter()
            .any(|lib| Path::new(lib).join("alsa-lib/libasound_module_pcm_pulse.so").exists());
        let has_tools = Command::new("pactl").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !plugin || !has_tools {
            return None;
        }
        let mut command = Command::new("pulseaudio");
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "-L",
            "module-native-protocol-unix auth-anonymous=1",
        ]);
        for sink in ["ear", "spare", "void", "mouth"] {
            command.args(["-L", &format!("module-null-sink {}", sink_words(sink))]);
        }
        command.env("HOME", world.path("")).env("XDG_RUNTIME_DIR", world.path(""));
        let process = Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
        let service = Self { world, _process: process };
        let begun = Instant::now();
        while !service.tool("pactl").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?.success() {
            if begun.elapsed() > LONG {
                return None;
            }
            thread::sleep(Duration::from_millis(100));
        }
        Some(service)
    }

    /// A program that speaks to this service.
    fn tool(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let folder = self.world.path("");
        command.env("HOME", &folder).env("XDG_RUNTIME_DIR", &folder);
        command.env("PULSE_SERVER", format!("unix:{}", self.world.path("pulse/native").display()));
        command
    }

    fn control(&self, words: &[&str]) -> String {
        let output = self.tool("pactl").args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Takes a sink away, as by pulling its plug.
    fn unplug(&self, sink: &str) {
        let modules = self.control(&["list", "short", "modules"]);
        let module = modules.lines().find(|line| line.contains(&format!("sink_name={sink} ")));
        let number = module.and_then(|line| line.split_whitespace().next()).unwrap().to_owned();
        self.control(&["unload-module", &number]);
    }

    /// Adds a sink, as by plugging one in.
    fn plug(&self, sink: &str) {
        let module = sink_words(sink);
        self.control(&["load-module", "module-null-sink"].into_iter().chain(module.split(' ')).collect::<Vec<_>>());
    }

    fn play(&self, file: &Path, sink: &str) -> Process {
        Process(self.tool("paplay").arg(format!("--device={sink}")).arg(file).spawn().unwrap())
    }

    fn listen(&self, sink: &str) -> Ear {
        let mut command = self.tool("parec");
        command.arg(format!("--device={sink}.monitor")).args(["--format=s16le", "--channels=1", "--latency-msec=10"]);
        let mut child = command.arg(format!("--rate={RATE}")).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let shared = Arc::clone(&heard);
        let reader = thread::Builder::new().name("ear".to_owned());
        let reader = reader.spawn(move || {
            let mut bytes = [0; 960];
            while let Ok(()) = output.read_exact(&mut bytes) {
                let samples =
                    bytes.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0);
                shared.lock().unwrap_or_else(PoisonError::into_inner).take(samples, Instant::now());
            }
        });
        drop(reader.unwrap());
        Ear { heard, _process: Process(child) }
    }

    /// A client as a process of its own, on the sound devices of the service that its environment names.
    fn client(&self, number: usize, microphone: &str, variables: &[(&str, &str)]) -> Running {
        let mut command = self.tool(program("conclave").unwrap());
        command.arg("join").arg(self.world.path("meeting.conclave")).arg("--headless");
        command.arg("--credential").arg(self.world.credential(number));
        command.arg("--password-file").arg(self.world.path("password"));
        command.args(["--camera", "off", "--microphone", microphone, "--speaker", "default"]);
        command.envs(variables.iter().copied());
        self.world.start(command, &format!("join-{number}")).unwrap()
    }
}

/// A silent sink takes two seconds at once where it may take back what it has not played, which no device does: its
/// monitor then has sound before its time.
fn sink_words(sink: &str) -> String {
    format!("sink_name={sink} rate={RATE} channels=1 norewinds=1")
}

/// What a sink plays.
struct Ear {
    heard: Arc<Mutex<Heard>>,
    _process: Process,
}

#[derive(Default)]
struct Heard {
    samples: Vec<f32>,
    /// When the first sample was heard: no piece comes before it is there.
    began: Option<Instant>,
}

impl Heard {
    fn take(&mut self, samples: impl Iterator<Item = f32>, now: Instant) {
        self.samples.extend(samples);
        let began = now.checked_sub(Duration::from_secs_f64(self.samples.len() as f64 / RATE as f64)).unwrap();
        self.began = Some(self.began.map_or(began, |before| before.min(began)));
    }
}

impl Ear {
    fn heard(&self) -> (Vec<f32>, Instant) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        (heard.samples.clone(), heard.began.unwrap())
    }

    /// Waits until there is sound, and returns since when.
    fn until_sound(&self, patience: Duration) -> Option<Instant> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(at), Some(began)) = (heard.samples.iter().position(|sample| sample.abs() > LOUD), heard.began)
            {
                return Some(began + Duration::from_secs_f64(at as f64 / RATE as f64));
            }
            drop(heard);
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// What is no dither.
const LOUD: f32 = 0.01;

/// Loudness in steps of 10 ms.
fn envelope(samples: &[f32]) -> Vec<f64> {
    let rms = |piece: &[f32]| (piece.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / 480.0).sqrt();
    samples.chunks_exact(480).map(rms).collect()
}

/// How alike two courses of loudness are, −1 to 1, where the second is `lag` steps behind.
fn likeness(a: &[f64], b: &[f64], lag: usize) -> f64 {
    let b = b.get(lag..).unwrap_or_default();
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mean = |of: &[f64]| of.iter().sum::<f64>() / length as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt().max(1e-12)
}

#[test]
fn speech_passes_from_a_microphone_to_another_processs_loudspeaker_whatever_is_unplugged() {
    let world = World::new(&PEOPLE, None).unwrap();
    let Some(service) = Service::start(&world) else {
        println!("skipped: PulseAudio, its tools or ALSA's plug-in for it are not installed");
        return;
    };
    service.control(&["set-default-sink", "ear"]);
    let voice = world.path("voice.wav");
    clip::write_wav(&voice, 60).unwrap();
    let _relay = world.relay().unwrap();
    let mouth = [("PULSE_SOURCE", "mouth.monitor"), ("PULSE_SINK", "void")];
    let _anna = service.client(0, "default", &mouth);
    world.until("join-0", "In the meeting").unwrap();
    // Without a word the microphone gives digital silence, which no room does.
    world.until("join-0", "silence").unwrap();
    let _luc = service.client(1, "off", &[]);
    world.until("join-1", "In the meeting").unwrap();

    let (said, heard) = (service.listen("mouth"), service.listen("ear"));
    let _speech = service.play(&voice, "mouth");
    said.until_sound(LONG).expect("the voice is played");
    heard.until_sound(LONG).expect("the voice is heard at the other end");
    world.until("join-0", "works again").unwrap();
    thread::sleep(Duration::from_secs(8));
    let ((said, from), (heard, to)) = (said.heard(), heard.heard());
    // The first seconds are for the canceller, the gain and the jitter buffer to settle.
    let settled = |samples: &[f32]| envelope(samples.get(2 * RATE..).unwrap_or_default());
    let (a, b) = (settled(&said), settled(&heard));
    let apart = (to - from).as_secs_f64() * 100.0 - (from - to).as_secs_f64() * 100.0;
    let lag = (0..150).max_by(|x, y| likeness(&a, &b, *x).total_cmp(&likeness(&a, &b, *y))).unwrap();
    let (alike, delay) = (likeness(&a, &b, lag), (lag as f64 + apart) * 10.0);
    println!("speech in to speech out: {delay:.0} ms, likeness {alike:.3}");
    assert!(alike > 0.7, "likeness {alike:.3}");
    assert!((0.0..500.0).contains(&delay), "{delay:.0} ms");

    // Another default, and the old one gone, while somebody speaks.
    let spare = service.listen("spare");
    let said_before = world.said("join-1");
    service.control(&["set-default-sink", "spare"]);
    let unplugged = Instant::now();
    service.unplug("ear");
    let again = spare.until_sound(LONG).expect("the voice goes on at another loudspeaker");
    println!(
        "heard at another loudspeaker {:?} after the first was unplugged",
        again.saturating_duration_since(unplugged)
    );
    thread::sleep(Duration::from_secs(2));
    let told = world.log("join-1");
    let told = told.get(said_before..).unwrap_or_default();
    assert!(told.lines().filter(|line| line.to_lowercase().contains("loudspeaker")).count() <= 2, "{told}");

    // The one in use gone without a word, and another plugged in.
    service.unplug("spare");
    service.plug("late");
    let late = service.listen("late");
    service.control(&["set-default-sink", "late"]);
    late.until_sound(LONG).expect("the voice goes on at a loudspeaker that was plugged in later");
}
