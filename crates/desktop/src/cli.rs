//! The command line of `conclave`.

mod check;
mod demo;
mod headless;
mod join;
mod lead;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice};

use crate::{
    app::{App, Framed, JoinStart, Options, Start},
    policy::Policy,
    settings::Settings,
    words::Words,
};

/// Conclave: confidential meetings.
///
/// Without a command, the first screen is opened.
#[derive(Debug, Parser)]
#[command(name = "conclave", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// An invitation to open in the window, as a file manager hands it over.
    #[arg(value_name = "FILE")]
    invitation: Option<PathBuf>,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Opens an invitation and enters its meeting.
    Join(JoinArguments),
    /// A whole meeting on this machine: relay, simulated delegates, and you as chair.
    Demo(DemoArguments),
    /// Tests camera, microphone and loudspeaker, and says what was found.
    Check(CheckArguments),
}

/// What `conclave join` takes.
#[derive(Debug, Args)]
struct JoinArguments {
    /// The invitation.
    #[arg(value_name = "FILE")]
    invitation: PathBuf,
    /// The credential: a file, or the address of a card as "pkcs11:token=Anna?module-path=/usr/lib/opensc-pkcs11.so"; the
    /// one in the settings otherwise.
    #[arg(long, value_name = "PEM|pkcs11:URI")]
    credential: Option<PathBuf>,
    /// An ordinary file whose first line is the credential's password, or the card's PIN.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Go on here where the credential is in the meeting from another place; without a window only.
    #[arg(long, requires = "headless")]
    take_over: bool,
    /// Take the chair's orders from standard input, one a line, and say what there is to decide on; without a window
    /// only. Orders: admit all, admit NAME, deny NAME, eject NAME, lock, unlock, level LEVEL, consent LEVEL, share SOURCE,
    /// share SOURCE LEVEL, stop sharing, grant NAME, refuse NAME.
    #[arg(long, requires = "headless")]
    orders: bool,
    #[command(flatten)]
    sources: SourceArguments,
    #[command(flatten)]
    headless: HeadlessArguments,
}

/// What `conclave demo` takes.
#[derive(Debug, Args)]
struct DemoArguments {
    /// How many sit at the table, you included.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 6,
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u8).range(1..=27)
    )]
    people: u8,
    #[command(flatten)]
    sources: SourceArguments,
    #[command(flatten)]
    headless: HeadlessArguments,
}

/// What `conclave check` takes.
#[derive(Debug, Args)]
struct CheckArguments {
    /// Without a window. At present the check never opens one.
    #[arg(long)]
    headless: bool,
    /// For scripts: one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: SourceArguments,
}

/// Which devices to use.
#[derive(Clone, Debug, Args)]
struct SourceArguments {
    /// default, off, test, file:CLIP.y4m or device:ID.
    #[arg(long, value_name = "SPEC")]
    camera: Option<CameraChoice>,
    /// default, off, test, file:VOICE.wav or device:ID.
    #[arg(long, value_name = "SPEC")]
    microphone: Option<MicrophoneChoice>,
    /// default, null or device:ID.
    #[arg(long, value_name = "SPEC")]
    speaker: Option<SpeakerChoice>,
}

/// Running without a window.
#[derive(Clone, Debug, Args)]
struct HeadlessArguments {
    /// Without a window.
    #[arg(long)]
    headless: bool,
    /// Leave after so many seconds; without a window only.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_seconds)]
    seconds: Option<u64>,
    /// Write what was measured to this file, as JSON; without a window only.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Send a picture of this height in pixels at most; without a window only.
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u16).range(90..=1080))]
    height: Option<u16>,
}

/// How long a client without a window may be told to stay, in seconds: a year.
const LONGEST: u64 = 365 * 24 * 3600;

fn parse_seconds(word: &str) -> Result<u64, String> {
    let seconds = word.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
    seconds.ok_or_else(|| format!("a whole number of seconds from 1 to {LONGEST} would be right"))
}

/// That the program is told to end.
#[derive(Default)]
struct Quit {
    flag: Arc<AtomicBool>,
    /// Woken when it is.
    window: OnceLock<egui::Context>,
}

impl Arguments {
    /// Whether a window is to be opened.
    pub fn has_window(&self) -> bool {
        match &self.task {
            None => true,
            Some(Task::Join(arguments)) => !arguments.headless.headless,
            Some(Task::Demo(arguments)) => !arguments.headless.headless,
            Some(Task::Check(_)) => false,
        }
    }
}

/// Runs the program with the policy in a file; returns its exit code.
///
/// # Errors
/// What made it impossible, for the last line on standard error.
pub fn run(arguments: Arguments, policy: &Path) -> Result<u8> {
    let policy = Policy::load(policy)?;
    let words = Words::english();
    let quit = watch_signals()?;
    match arguments.task {
        None => {
            let join = |invitation| Start::Join(JoinStart { invitation, ..JoinStart::default() });
            window(prepare(policy), arguments.invitation.map_or(Start::Home, join), &quit).map(|()| 0)
        }
        Some(Task::Join(arguments)) => join::run(arguments, policy, &words, &quit),
        Some(Task::Demo(arguments)) => demo::run(&arguments, policy, &words, &quit),
        Some(Task::Check(arguments)) => check::run(&arguments, &policy),
    }
}

/// What a window begins with.
struct Prepared {
    settings: Settings,
    /// Where they are remembered; `None` forgets them with the window.
    path: Option<PathBuf>,
    policy: Policy,
}

/// The settings of the user, who has the credential of the policy while they chose none. Broken settings are said and
/// replaced by the defaults: they must not keep anybody out.
fn prepare(policy: Policy) -> Prepared {
    let path = Settings::path();
    let mut settings = path.as_deref().map_or_else(Settings::default, |path| {
        Settings::load(path).unwrap_or_else(|error| {
            tracing::warn!(%error, "settings are not used");
            Settings::default()
        })
    });
    let dirs = directories::UserDirs::new();
    settings.suggest_credential(policy.credential_in(dirs.as_ref().map(directories::UserDirs::home_dir)));
    Prepared { settings, path, policy }
}

/// Opens the window and runs it to its end.
fn window(prepared: Prepared, start: Start, quit: &Arc<Quit>) -> Result<()> {
    demo::display().map_err(|reason| anyhow::anyhow!("there is no display to open a window on: {reason}"))?;
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Conclave")
            .with_app_id("conclave")
            .with_icon(icon())
            .with_inner_size([1280.0, 720.0])
            .with_min_inner_size([800.0, 560.0]),
        centered: true,
        ..eframe::NativeOptions::default()
    };
    let Prepared { settings, path: settings_path, policy } = prepared;
    let quit_of_app = Arc::clone(&quit.flag);
    let options_of_app = Options { settings, settings_path, policy, start, quit: quit_of_app, ..Options::default() };
    let quit = Arc::clone(quit);
    eframe::run_native(
        "Conclave",
        options,
        Box::new(move |context| {
            // A window in which nothing moves sleeps; the end of the program wakes it. One program has one window.
            let _ = quit.window.set(context.egui_ctx.clone());
            Ok(Box::new(Framed(App::new(&context.egui_ctx, options_of_app))))
        }),
    )
    .map_err(|error| anyhow::anyhow!("{error}"))
}

/// Ctrl-C and a polite end by the system set the flag; a second Ctrl-C ends at once.
fn watch_signals() -> Result<Arc<Quit>> {
    let quit = Arc::<Quit>::default();
    let told = Arc::clone(&quit);
    ctrlc::set_handler(move || {
        if told.flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        if let Some(window) = told.window.get() {
            window.request_repaint();
        }
    })
    .context("no handler for Ctrl-C")?;
    Ok(quit)
}

fn icon() -> egui::IconData {
    let decoded = png::Decoder::new(std::io::Cursor::new(include_bytes!("../../../assets/icons/conclave-256.png")))
        .read_info()
        .ok()
        .and_then(|mut reader| {
            let mut rgba = vec![0; reader.output_buffer_size()?];
            let info = reader.next_frame(&mut rgba).ok()?;
            (info.color_type == png::ColorType::Rgba).then_some(egui::IconData {
                rgba,
                width: info.width,
                height: info.height,
            })
        });
    decoded.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_arguments_open_the_first_screen() {
        assert!(Arguments::try_parse_from(["conclave"]).unwrap().task.is_none());
    }

    #[test]
    fn a_file_alone_is_an_invitation_to_open() {
        let arguments = Arguments::try_parse_from(["conclave", "council.conclave"]).unwrap();
        assert_eq!(arguments.invitation, Some("council.conclave".into()));
        assert!(Arguments::try_parse_from(["conclave", "council.conclave", "demo"]).is_err());
        assert!(matches!(Arguments::try_parse_from(["conclave", "demo"]).unwrap().task, Some(Task::Demo(_))));
    }

    #[test]
    fn a_demonstration_without_a_window_is_understood() {
        let words =
            ["conclave", "demo", "--headless", "--seconds", "30", "--report", "r.json", "--camera", "file:a.y4m"];
        let Some(Task::Demo(arguments)) = Arguments::try_parse_from(words).unwrap().task else { panic!("no demo") };
        assert!(arguments.headless.headless);
        assert_eq!(arguments.headless.seconds, Some(30));
        assert_eq!(arguments.sources.camera, Some(CameraChoice::File("a.y4m".into())));
        assert_eq!(arguments.people, 6);
    }

    #[test]
    fn nonsense_is_refused_with_what_is_allowed() {
        let error = Arguments::try_parse_from(["conclave", "demo", "--camera", "telescope"]).unwrap_err().to_string();
        assert!(error.contains("telescope") && error.contains("file:CLIP.y4m"), "{error}");
        for wrong in ["--people=99", "--seconds=x", "--seconds=18446744073709551615", "--height=20"] {
            assert!(Arguments::try_parse_from(["conclave", "demo", wrong]).is_err(), "{wrong}");
        }
        for (option, allowed) in [("--seconds", "from 1"), ("--people", "1..=27"), ("--height", "90..=1080")] {
            let error = Arguments::try_parse_from(["conclave", "demo", option, "-1"]).unwrap_err().to_string();
            assert!(error.contains("'-1'") && error.contains(allowed), "{error}");
        }
    }

    #[test]
    fn the_icon_of_the_window_can_be_read() {
        assert_eq!(icon().width, 256);
    }
}
