//! Shows one screen with made-up content, for pictures of it: `gallery SCREEN [WIDTH HEIGHT SCALE]`.
//!
//! SCREEN is one of home, home-empty, home-drop, home-problem, unlock, unchecked, path, preview, settings, connecting, waiting, meeting-N (N people),
//! screen-N, asked-N, granted-N, picker-N, sharing-N, roster-N, lobby-N, locked-N, security-N, diverged-N, takeover, lost, key, ended, removed.

use std::sync::Arc;

use conclave_client::{ConnectError, KeyState, OwnShare, Phase, RetryReason, ScreenChoice, Standing, Waiting};
use conclave_desktop::{
    app::{App, Options},
    screens::{
        ended::{self, data::EndedData},
        home::{
            self,
            data::{CredentialCard, HomeData, RecentRow},
        },
        path::{
            self,
            data::{PathData, Purpose},
        },
        preview::{
            self,
            data::{Picker, PreviewData, SourceView, ToneView},
        },
        settings::{self, data::SettingsData},
        unlock::{
            self,
            data::{MeetingFacts, Password, UnlockData},
        },
    },
    sketch::{self, SketchEngine, WALL},
    theme,
    video::{Canvas, Screenery, Shown},
    words::Words,
};
use conclave_identity::MemberError;
use conclave_model::Level;
use conclave_session::{NewcomerError, SourceState};

struct Gallery {
    screen: String,
    words: Words,
    screenery: Screenery,
    app: Option<App>,
    password: Password,
    text: String,
    own: Option<Shown>,
}

impl eframe::App for Gallery {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        if let Some(app) = &mut self.app {
            app.advance(ctx);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if let Some(app) = &mut self.app {
            app.show(ui);
            return;
        }
        match self.screen.as_str() {
            "home" => drop(home::ui::show(ui, &home(true), &self.words)),
            "home-empty" => drop(home::ui::show(ui, &home(false), &self.words)),
            "home-drop" => drop(home::ui::show(ui, &HomeData { dragging: true, ..home(true) }, &self.words)),
            "home-problem" => {
                let reason = self.words.say("invitation-altered");
                let gaps = [("file", "council.conclave".into()), ("reason", reason.into())];
                let problem = Some(self.words.tell("home-refused", gaps));
                drop(home::ui::show(ui, &HomeData { problem, ..home(true) }, &self.words));
            }
            "unlock" => {
                let data = UnlockData {
                    file: Some("emma-peeters.pem".into()),
                    meeting: Some(MeetingFacts {
                        title: "Foreign Affairs Council: preparation".into(),
                        when: "Today, 14:00–16:00".into(),
                        level: Level::Restricted,
                    }),
                    problem: Some(self.words.say("credential-wrong-password")),
                    ..UnlockData::default()
                };
                unlock::ui::show(ui, &data, &mut self.password, &self.words);
            }
            "unchecked" => {
                let data = UnlockData { invitation: "council.conclave".into(), ..UnlockData::default() };
                unlock::ui::show(ui, &data, &mut self.password, &self.words);
            }
            "path" => {
                drop(home::ui::show(ui, &home(true), &self.words));
                let data = PathData { purpose: Purpose::Invitation, problem: None };
                path::ui::show(ui.ctx(), &data, &mut self.text, &self.words);
            }
            "settings" => drop(settings::ui::show(ui, &settings(), &self.words)),
            "preview" => drop(preview::ui::show(ui, &preview(self.own.clone()), &self.screenery, &self.words)),
            "ended" => drop(ended::ui::show(ui, &ended(&self.words, true), &self.words)),
            _ => drop(ended::ui::show(ui, &ended(&self.words, false), &self.words)),
        }
    }
}

fn home(full: bool) -> HomeData {
    let row = |title: &str, when: &str, level, over| RecentRow {
        title: title.into(),
        when: when.into(),
        level,
        path: "council.conclave".into(),
        over,
    };
    let recent = vec![
        row("Foreign Affairs Council: preparation", "Today, 14:00–16:00", Level::Restricted, false),
        row("Political and Security Committee", "25 November 2026, 09:30–12:00", Level::Secret, false),
        row("Working party on the Eastern Mediterranean", "19 November 2026, 15:00–17:00", Level::Confidential, true),
    ];
    if full {
        let credential = CredentialCard::Unlocked { name: "Emma Peeters".into(), seat: "Belgium".into() };
        HomeData { credential, recent, ..HomeData::default() }
    } else {
        HomeData::default()
    }
}

fn picker(names: &[&str]) -> Picker {
    let devices = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned()));
    Picker::new("System default".into(), devices, &format!("device:{}", names[0]), str::to_owned)
}

fn settings() -> SettingsData {
    SettingsData {
        credential: Some("/home/emma/emma-peeters.pem".into()),
        cameras: picker(&["Desk camera"]),
        microphones: picker(&["Conference headset"]),
        speakers: picker(&["Conference headset"]),
        camera_on: true,
        microphone_on: false,
        original_sound: false,
        tone: ToneView::default(),
        version: "0.1.0",
    }
}

fn preview(picture: Option<Shown>) -> PreviewData {
    let open = |name: &str, level| SourceView { on: true, device: Some(name.into()), problem: None, level };
    PreviewData {
        title: "Foreign Affairs Council: preparation".into(),
        level: Level::Restricted,
        when: "Today, 14:00–16:00".into(),
        warning: Some("Classified matters will be discussed. Portable devices stay outside the room.".into()),
        invited: 27,
        me: ("Emma Peeters".into(), "Belgium".into()),
        picture,
        camera: open("Desk camera", 0.0),
        microphone: open("Conference headset", 0.62),
        cameras: picker(&["Desk camera"]),
        microphones: picker(&["Conference headset"]),
        speakers: picker(&["Conference headset"]),
        tone: ToneView::default(),
        door: None,
        entry: Ok(()),
        entering: false,
    }
}

fn ended(words: &Words, in_order: bool) -> EndedData {
    EndedData {
        title: "Foreign Affairs Council: preparation".into(),
        level: Level::Restricted,
        reason: words.say(if in_order { "end-left" } else { "end-removed" }),
        advice: Some(words.say(if in_order { "advice-left" } else { "advice-ask-chair" })),
        in_order,
        can_return: in_order,
    }
}

fn waiting() -> Vec<Waiting> {
    let mut lobby = sketch::lobby(3);
    let needed = Level::Restricted;
    lobby[2].problem = Some(NewcomerError::Member(MemberError::NotCleared { needed, found: None }));
    lobby
}

fn meeting(ctx: &egui::Context, screen: &str) -> Option<App> {
    let (kind, people) = screen.split_once('-').unwrap_or((screen, "6"));
    let engine = SketchEngine::new(people.parse().unwrap_or(6), true);
    let refused = || RetryReason::Connection(ConnectError::Refused { relay: "relay.council.example:7443".into() });
    engine.change(|snapshot| match kind {
        "connecting" => {
            snapshot.phase = Phase::Connecting { attempt: 2, last_error: Some(refused()) };
            snapshot.quality.path_up = false;
        }
        "waiting" => snapshot.phase = Phase::Waiting,
        "lost" => {
            let retry_in = std::time::Duration::from_secs(3);
            snapshot.phase = Phase::Reconnecting { attempt: 2, retry_in, why: refused() };
            snapshot.quality.path_up = false;
        }
        "key" => snapshot.participants[1].key = KeyState::Failing,
        "diverged" => snapshot.participants[1].standing = Standing::Diverged,
        "lobby" => snapshot.lobby = waiting().into(),
        "takeover" => snapshot.phase = Phase::AskTakeOver,
        "locked" => {
            if let Some(governance) = &mut snapshot.governance {
                governance.locked = true;
            }
        }
        "screen" => sketch::share(snapshot, 1),
        "asked" => sketch::ask_to_share(snapshot),
        "granted" | "picker" => {
            snapshot.own_share = OwnShare::Granted { wanted: Some((ScreenChoice::Main, Level::Unclassified)) };
        }
        "sharing" => {
            sketch::share(snapshot, 0);
            let name = "Draft conclusions, revision 3 – Writer".to_owned();
            snapshot.own_share = OwnShare::Sharing { name, label: Level::Restricted, paused: None };
        }
        "secret" => snapshot.level = Level::Secret,
        "muted" => {
            snapshot.microphone.on = false;
            snapshot.camera.on = false;
            snapshot.participants[0].camera = SourceState::Off;
        }
        _ => {}
    });
    const KINDS: [&str; 18] = [
        "screen",
        "asked",
        "granted",
        "picker",
        "sharing",
        "meeting",
        "roster",
        "connecting",
        "waiting",
        "lost",
        "key",
        "secret",
        "muted",
        "diverged",
        "lobby",
        "takeover",
        "locked",
        "security",
    ];
    if !KINDS.contains(&kind) {
        return None;
    }
    let options = Options {
        wall: || WALL,
        instant: || sketch::now().instant,
        devices: sketch::devices,
        screens: sketch::screens,
        ..Options::default()
    };
    let mut app = App::new(ctx, options);
    app.sit(Box::new(engine));
    app.set_charter(sketch::charter(1));
    match kind {
        "picker" => app.open_picker(),
        "roster" | "lobby" | "locked" | "asked" => app.open_roster(),
        "security" | "diverged" => app.open_security(),
        _ => {}
    }
    Some(app)
}

fn main() -> eframe::Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let screen = arguments.first().cloned().unwrap_or_else(|| "home".into());
    let number =
        |index: usize, default: f32| arguments.get(index).and_then(|word| word.parse().ok()).unwrap_or(default);
    let (width, height, scale) = (number(1, 1280.0), number(2, 720.0), number(3, 1.0));
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([width, height]),
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "Conclave gallery",
        options,
        Box::new(move |context| {
            theme::install(&context.egui_ctx);
            context.egui_ctx.set_zoom_factor(scale);
            let own = sketch::portrait(0).map(|picture| Shown {
                canvas: Canvas::Own,
                generation: 1,
                picture: Arc::clone(&picture),
            });
            Ok(Box::new(Gallery {
                app: meeting(&context.egui_ctx, &screen),
                screen,
                words: Words::english(),
                screenery: Screenery::default(),
                password: Password::with_room(),
                text: String::new(),
                own,
            }))
        }),
    )
}
