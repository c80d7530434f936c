//! What the tests of the window share: the window in a harness, with a made-up meeting or none.
//!
//! The harness finds things by the names that a screen reader would say, fails on controls without a name, and on
//! letters that the embedded fonts lack.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use conclave_desktop::{
    app::{App, Options},
    engine::Engine,
    screens::lead::data::Charter,
    sketch::{self, SketchEngine, WALL},
    theme,
};
use egui_kittest::{Harness, kittest::Queryable as _};

/// Size of the window in points, as on a small laptop.
pub const SIZE: egui::Vec2 = egui::Vec2::new(1280.0, 720.0);

/// The size that a window can have at the least.
pub const SMALLEST: egui::Vec2 = egui::Vec2::new(800.0, 560.0);

/// The window with these options.
pub fn window(options: Options) -> Harness<'static, App> {
    window_at(options, SIZE)
}

/// The window with these options, at a size in points.
pub fn window_at(options: Options, size: egui::Vec2) -> Harness<'static, App> {
    harness(size, move |ctx| App::new(ctx, made_up(options)))
}

/// With made-up clocks and devices.
fn made_up(options: Options) -> Options {
    Options {
        wall: || WALL,
        instant: || sketch::now().instant,
        devices: sketch::devices,
        screens: sketch::screens,
        ..options
    }
}

/// The window in a made-up meeting.
pub fn meeting(engine: &SketchEngine) -> Harness<'static, App> {
    meeting_at(engine, SIZE)
}

/// The window in a made-up meeting, with these options.
pub fn meeting_with(engine: &SketchEngine, options: Options) -> Harness<'static, App> {
    seated(engine, options, SIZE)
}

/// The window in a made-up meeting whose invitation says this.
pub fn meeting_under(engine: &SketchEngine, charter: Charter) -> Harness<'static, App> {
    let mut harness = meeting(engine);
    harness.state_mut().set_charter(charter);
    harness.run();
    harness
}

/// The window in a made-up meeting, at a size in points.
pub fn meeting_at(engine: &SketchEngine, size: egui::Vec2) -> Harness<'static, App> {
    seated(engine, Options::default(), size)
}

fn seated(engine: &SketchEngine, options: Options, size: egui::Vec2) -> Harness<'static, App> {
    let engine: Box<dyn Engine + Send> = Box::new(engine.clone());
    harness(size, move |ctx| {
        let mut app = App::new(ctx, made_up(options));
        app.sit(engine);
        app
    })
}

/// Runs the window until `label` is shown, since jobs take their time.
pub fn wait_for(harness: &mut Harness<'_, App>, label: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while harness.query_by_label_contains(label).is_none() {
        assert!(Instant::now() < deadline, "\"{label}\" never came: {harness:?}");
        std::thread::sleep(Duration::from_millis(20));
        harness.step();
    }
}

fn harness(size: egui::Vec2, make: impl FnOnce(&egui::Context) -> App + 'static) -> Harness<'static, App> {
    // The app is made of the harness's context, which there is only during its setup.
    let slot = Rc::new(RefCell::new(None));
    let filled = Rc::clone(&slot);
    let spare = egui::Context::default();
    theme::install(&spare);
    Harness::builder()
        .with_size(size)
        .with_context_setup(move |ctx| *filled.borrow_mut() = Some(make(ctx)))
        .build_ui_state(
            move |ui, app: &mut App| {
                if let Some(made) = slot.borrow_mut().take() {
                    *app = made;
                }
                app.advance(ui.ctx());
                // The harness leaves a margin, a window has none.
                let whole = ui.ctx().viewport_rect();
                app.show(&mut ui.new_child(egui::UiBuilder::new().max_rect(whole)));
            },
            App::new(&spare, Options::default()),
        )
}
