//! The loop that watches a display and reads what has changed.

use std::time::{Duration, Instant};

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event, composite, damage, randr, screensaver, xfixes,
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask},
    },
};

use super::{Display, Trouble, target::Target};
use crate::{
    Clock,
    screen::{
        OpenedScreen, ScreenChoice, ScreenError, ScreenEvent, ScreenPause, ScreenWish,
        canvas::{Area, Canvas, Pointer},
        shape::Shaper,
        stream::{REFRESH, Sink},
    },
    worker::{Pace, Stop, now},
};

/// Shares a screen or window of `display` (`None`: the session's) until `stop` is set; returns early with the reason.
pub(in crate::screen) fn share(
    display: Option<&str>,
    choice: &ScreenChoice,
    wish: ScreenWish,
    clock: &Clock,
    sink: &mut Sink,
    stop: &Stop,
) -> Result<(), ScreenError> {
    let display = Display::open(display)?;
    let target = Target::find(&display, choice)?;
    let mut grab = Grab::new(display, target, wish)?;
    let (width, height) = grab.target.size();
    sink(ScreenEvent::Opened(OpenedScreen { name: grab.target.name().to_owned(), width, height }));
    let (mut pace, mut stale) = (Pace::new(u64::from(wish.frames_per_second), 1), 0);
    while pace.wait(stop) {
        let outcome = match grab.step() {
            Err(Trouble::Stale) => grab.look_again().and(Err(Trouble::Stale)),
            outcome => outcome,
        };
        stale = if matches!(outcome, Err(Trouble::Stale)) { stale + 1 } else { 0 };
        match outcome {
            Err(trouble @ Trouble::Stale) if stale > MOST_STALE => return Err(trouble.fatal()),
            Ok(None) | Err(Trouble::Stale) => {}
            Ok(Some(Step::Paused(pause))) => sink(ScreenEvent::Paused(pause)),
            Ok(Some(Step::Resumed)) => sink(ScreenEvent::Resumed),
            Ok(Some(Step::Changed)) => sink(ScreenEvent::Picture(grab.picture(clock)?)),
            Err(Trouble::Fatal(error)) => return Err(error),
        }
    }
    Ok(())
}

/// What one look at the display brought.
enum Step {
    Changed,
    Paused(ScreenPause),
    Resumed,
}

/// One shared target.
struct Grab {
    display: Display,
    target: Target,
    canvas: Canvas,
    shaper: Shaper,
    damage: Option<(damage::Damage, xfixes::Region)>,
    pointer: Option<Pointer>,
    /// The pointer's image and hot spot, as last asked for.
    shape: Option<(Pointer, (i32, i32))>,
    is_shown: bool,
    is_locked: bool,
    told: Option<ScreenPause>,
    /// Whether all has to be read, whatever the display tells.
    unread: bool,
    /// When the target was last looked for, and when a picture was last given.
    looked: Option<Instant>,
    given: Option<Instant>,
}

impl Grab {
    /// Asks the display to tell what happens to the target.
    fn new(display: Display, mut target: Target, wish: ScreenWish) -> Result<Self, ScreenError> {
        let prepare = |target: &mut Target| -> Result<_, Trouble> {
            let (connection, root) = (&display.connection, display.root);
            if let Target::Window { window, .. } = target {
                let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
                connection.change_window_attributes(*window, &events)?.check()?;
                if display.has.composite {
                    composite::redirect_window(connection, *window, composite::Redirect::AUTOMATIC)?.check()?;
                }
            }
            if display.has.randr {
                randr::select_input(connection, root, randr::NotifyMask::SCREEN_CHANGE)?;
            }
            if display.has.xfixes {
                xfixes::select_cursor_input(connection, root, xfixes::CursorNotifyMask::DISPLAY_CURSOR)?;
            }
            let mut is_locked = false;
            if display.has.saver {
                screensaver::select_input(connection, root, screensaver::Event::NOTIFY_MASK)?;
                let state = screensaver::query_info(connection, root)?.reply()?.state;
                is_locked = screensaver::State::from(state) == screensaver::State::ON;
            }
            let damage = if display.has.damage { Some(watch(&display, target)?) } else { None };
            Ok((target.refresh(&display)?, is_locked, damage))
        };
        let (is_shown, is_locked, damage) = prepare(&mut target).map_err(|trouble| match trouble {
            Trouble::Stale if matches!(target, Target::Window { .. }) => ScreenError::UnknownWindow,
            trouble @ (Trouble::Stale | Trouble::Fatal(_)) => trouble.fatal(),
        })?;
        let (width, height) = target.size();
        Ok(Self {
            canvas: Canvas::new(width.max(1), height.max(1))?,
            display,
            target,
            shaper: Shaper::new(wish),
            damage,
            pointer: None,
            shape: None,
            is_shown,
            is_locked,
            told: None,
            unread: true,
            looked: None,
            given: None,
        })
    }

    /// Hears what the display tells and reads what has changed.
    fn step(&mut self) -> Result<Option<Step>, Trouble> {
        let mut dirty = self.damage.is_none();
        let mut again = false;
        while let Some(event) = self.display.connection.poll_for_event()? {
            self.hear(&event, &mut dirty, &mut again)?;
        }
        let now = now();
        let is_due = |last: Option<Instant>, every| last.is_none_or(|last| now.duration_since(last) >= every);
        if again || is_due(self.looked, RECHECK) {
            self.look_again()?;
            self.looked = Some(now);
        }
        let pause = match (self.is_shown, self.is_locked) {
            (_, true) => Some(ScreenPause::Locked),
            (false, false) => Some(ScreenPause::Minimised),
            (true, false) => None,
        };
        if pause != self.told {
            self.told = pause;
            (self.unread, self.given) = (true, None);
            return Ok(Some(pause.map_or(Step::Resumed, Step::Paused)));
        }
        if pause.is_some() {
            return Ok(None);
        }
        let part = if self.unread {
            self.clear_damage()?;
            Some(self.canvas.area())
        } else if dirty {
            self.damaged()?
        } else {
            None
        };
        let mut changed = match part {
            Some(part) => self.target.read(&self.display, part, &mut self.canvas)?,
            None => false,
        };
        self.unread = false;
        changed |= self.follow_pointer()?;
        if changed || is_due(self.given, REFRESH) {
            self.given = Some(now);
            return Ok(Some(Step::Changed));
        }
        Ok(None)
    }

    fn hear(&mut self, event: &Event, dirty: &mut bool, again: &mut bool) -> Result<(), Trouble> {
        let watched = self.target.watched(&self.display);
        if matches!(event, Event::DamageNotify(_)) {
            *dirty = true;
        } else if matches!(event, Event::XfixesCursorNotify(_)) {
            self.shape = None;
        } else if let Event::ScreensaverNotify(saver) = event {
            self.is_locked = saver.state == screensaver::State::ON;
        } else if let Event::DestroyNotify(gone) = event {
            if gone.window == watched {
                return Err(ScreenError::WindowClosed.into());
            }
        } else if let Event::ConfigureNotify(moved) = event {
            let size = (u32::from(moved.width), u32::from(moved.height));
            *again |= moved.window == watched && size != self.target.size();
        } else if matches!(event, Event::UnmapNotify(_) | Event::MapNotify(_) | Event::RandrScreenChangeNotify(_)) {
            *again = true;
        }
        Ok(())
    }

    /// Finds the target anew: it moved, changed its size, was hidden or shown, or is gone.
    fn look_again(&mut self) -> Result<(), Trouble> {
        self.is_shown = self.target.refresh(&self.display)?;
        let (width, height) = self.target.size();
        if self.is_shown && self.canvas.size() != (width, height) {
            self.canvas = Canvas::new(width, height)?;
            self.given = None;
        }
        self.unread = true;
        Ok(())
    }

    /// The part that was drawn to since the last time.
    fn damaged(&mut self) -> Result<Option<Area>, Trouble> {
        let Some((damage, region)) = self.damage else { return Ok(Some(self.canvas.area())) };
        let connection = &self.display.connection;
        damage::subtract(connection, damage, x11rb::NONE, region)?;
        let extents = xfixes::fetch_region(connection, region)?.reply()?.extents;
        let (left, top) = self.target.corner();
        let (x, y) = (i32::from(extents.x) - left, i32::from(extents.y) - top);
        let (right, bottom) = (x + i32::from(extents.width), y + i32::from(extents.height));
        let side = |from: i32, to: i32| u32::try_from(to.saturating_sub(from.max(0))).unwrap_or(0);
        let (width, height) = (side(x, right), side(y, bottom));
        let corner = |at: i32| u32::try_from(at).unwrap_or(0);
        Ok(Area { x: corner(x), y: corner(y), width, height }.within(self.canvas.area()))
    }

    /// Forgets what was drawn to, because all will be read.
    fn clear_damage(&self) -> Result<(), Trouble> {
        if let Some((damage, _)) = self.damage {
            damage::subtract(&self.display.connection, damage, x11rb::NONE, x11rb::NONE)?;
        }
        Ok(())
    }

    /// Asks where the pointer is; tells whether that changes the picture.
    fn follow_pointer(&mut self) -> Result<bool, Trouble> {
        if !self.display.has.xfixes {
            return Ok(false);
        }
        let connection = &self.display.connection;
        let at = connection.query_pointer(self.target.watched(&self.display))?.reply()?;
        let (left, top) = self.target.corner();
        let (x, y) = (i32::from(at.win_x) - left, i32::from(at.win_y) - top);
        let (width, height) = self.canvas.size();
        let inside = |at: i32, side: u32| u32::try_from(at).is_ok_and(|at| at < side);
        let pointer = if at.same_screen && inside(x, width) && inside(y, height) {
            let (shape, hot) = self.pointer_shape()?;
            Some(Pointer { at: (x - hot.0, y - hot.1), ..shape })
        } else {
            None
        };
        let changed = pointer != self.pointer;
        self.pointer = pointer;
        Ok(changed)
    }

    fn pointer_shape(&mut self) -> Result<(Pointer, (i32, i32)), Trouble> {
        if let Some(shape) = &self.shape {
            return Ok(shape.clone());
        }
        let image = xfixes::get_cursor_image(&self.display.connection)?.reply()?;
        let pointer = Pointer { at: (0, 0), width: image.width.into(), image: image.cursor_image };
        Ok(self.shape.insert((pointer, (image.xhot.into(), image.yhot.into()))).clone())
    }

    /// What the target shows now.
    fn picture(&mut self, clock: &Clock) -> Result<conclave_model::Picture, ScreenError> {
        let shaper = &mut self.shaper;
        self.canvas.with_pointer(self.pointer.as_ref(), |canvas| shaper.picture(canvas, clock()))
    }
}

/// Has the display note what is drawn to.
fn watch(display: &Display, target: &Target) -> Result<(damage::Damage, xfixes::Region), Trouble> {
    let connection = &display.connection;
    let (damage, region) = (connection.generate_id()?, connection.generate_id()?);
    damage::create(connection, damage, target.watched(display), damage::ReportLevel::NON_EMPTY)?.check()?;
    xfixes::create_region(connection, region, &[])?.check()?;
    Ok((damage, region))
}

/// How often the target is looked for and read though the display tells of no change: some drivers draw, and some window
/// managers hide windows, without telling.
const RECHECK: Duration = Duration::from_secs(2);
/// How often in a row the target may be another than a moment before; a window that is being resized is, for a while.
const MOST_STALE: u32 = 100;
