//! The meeting, painted.

use conclave_model::LeafIndex;
use egui::{Align, CornerRadius, Layout, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::{
    data::{MeetingData, Stage, TileData, strip},
    tile,
};
use crate::{
    icons::{self, Icon},
    layout, shortcuts,
    theme::{Type, colour, radius, space},
    video::{Screenery, Shown},
    widgets::{self, Control, PushButton, Standing, Weight},
    words::Words,
};

/// What the meeting's screen remembers between frames.
#[derive(Clone, Debug, Default)]
pub struct MeetingView {
    /// Whether the list of participants is open.
    pub roster_open: bool,
    /// Short messages, newest last.
    pub toasts: Vec<String>,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeetingAction {
    /// Open or mute the microphone.
    Microphone(bool),
    /// Open or close the camera.
    Camera(bool),
    /// Try to connect now.
    Retry,
    /// Leave.
    Leave,
    /// Take the message with this number away.
    Dismiss(usize),
}

/// Where the newest pictures come from.
pub trait Pictures {
    /// The newest picture of a member's camera.
    fn of(&self, leaf: LeafIndex) -> Option<Shown>;
    /// The own camera's newest picture.
    fn own(&self) -> Option<Shown>;
}

/// The parts of the window.
struct Parts {
    top_banner: Rect,
    header: Rect,
    stage: Rect,
    roster: Option<Rect>,
    bar: Rect,
    bottom_banner: Rect,
}

impl Parts {
    fn new(area: Rect, roster_open: bool) -> Self {
        let row =
            |top: f32, height: f32| Rect::from_min_size(Pos2::new(area.left(), top), Vec2::new(area.width(), height));
        let top_banner = row(area.top(), space::BANNER);
        let header = row(top_banner.bottom(), space::HEADER);
        let bottom_banner = row(area.bottom() - space::BANNER, space::BANNER);
        let bar = row(bottom_banner.top() - space::BAR, space::BAR);
        let middle = Rect::from_min_max(header.left_bottom(), bar.right_top());
        let width = space::ROSTER.min(area.width() * 0.4);
        let (stage, roster) = if roster_open {
            let (stage, roster) = middle.split_left_right_at_x(middle.right() - width);
            (stage, Some(roster))
        } else {
            (middle, None)
        };
        Self { top_banner, header, stage, roster, bar, bottom_banner }
    }
}

/// Shows the meeting and returns what the person wants.
///
/// The order is the keyboard's: controls first, then the list, then the tiles.
pub fn show(
    ui: &mut Ui,
    data: &MeetingData,
    view: &mut MeetingView,
    pictures: &dyn Pictures,
    screenery: &Screenery,
    words: &Words,
) -> Option<MeetingAction> {
    let area = ui.max_rect();
    ui.painter().rect_filled(area, 0.0, colour::CANVAS);
    let parts = Parts::new(area, view.roster_open);
    let mut action = None;
    widgets::level_banner(ui, parts.top_banner, data.level, words, ui.scope_id().with("level-top"));
    header(ui, parts.header, data, words);
    bar(ui, parts.bar, data, view, words, &mut action);
    if let Some(rect) = parts.roster {
        roster(ui, rect, data, words);
    }
    let mut stage = parts.stage.shrink2(Vec2::new(space::L, space::S));
    if let Some((urgency, sentence)) = strip(data, words) {
        let rect = Rect::from_min_size(stage.min, Vec2::new(stage.width(), 44.0));
        widgets::strip(ui, rect, urgency, &sentence, ui.scope_id().with("strip"));
        if matches!(data.stage, Stage::Reconnecting { .. }) {
            let at =
                Rect::from_min_max(Pos2::new(rect.right() - 160.0, rect.top() + 4.0), rect.max - Vec2::new(6.0, 4.0));
            widgets::over(ui, at, Layout::right_to_left(Align::Center), |ui| {
                ui.set_clip_rect(rect);
                if ui.add(PushButton::new(Weight::Quiet, words.say("retry-now"))).clicked() {
                    action = Some(MeetingAction::Retry);
                }
            });
        }
        stage.min.y = rect.bottom() + space::S;
    }
    match &data.stage {
        Stage::Seated | Stage::Reconnecting { .. } => tiles(ui, stage, &data.tiles, pictures, screenery, words),
        Stage::Entering { sentence, detail, can_retry } => {
            let said = Entering { sentence, detail: detail.as_deref(), can_retry: *can_retry };
            entering(ui, stage, &said, pictures, screenery, words, &mut action);
        }
    }
    toasts(ui, parts.stage, view, words, &mut action);
    widgets::level_banner(ui, parts.bottom_banner, data.level, words, ui.scope_id().with("level-bottom"));
    action
}

fn header(ui: &mut Ui, rect: Rect, data: &MeetingData, words: &Words) {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, colour::LINE));
    let mark = Rect::from_center_size(Pos2::new(rect.left() + 30.0, rect.center().y), Vec2::splat(26.0));
    icons::paint_mark(ui.painter(), mark, colour::TEXT_MUTED, colour::SPEAKING);

    // From the right: connection, encryption; the title has what is left.
    let mut right = rect.right() - space::L;
    let galley = ui.painter().layout_no_wrap(data.quality.word.clone(), Type::SmallStrong.font(), colour::TEXT_MUTED);
    let place =
        Rect::from_min_max(Pos2::new(right - galley.size().x - 30.0, rect.top()), Pos2::new(right, rect.bottom()));
    let lit = match data.quality.bars {
        3.. => colour::GOOD,
        2 => colour::WARNING,
        _ => colour::BAD,
    };
    let bars = Rect::from_center_size(Pos2::new(place.left() + 11.0, place.center().y), Vec2::splat(22.0));
    icons::paint_bars(ui.painter(), bars, data.quality.bars, lit, colour::LINE);
    ui.painter().galley(
        Pos2::new(place.left() + 30.0, place.center().y - galley.size().y / 2.0),
        galley,
        colour::TEXT_MUTED,
    );
    told(ui, place, "quality", &format!("{}. {}", data.quality.word, data.quality.detail));
    right = place.left() - space::XL;

    if data.stage == Stage::Seated {
        let said = words.say("encrypted");
        let galley = ui.painter().layout_no_wrap(said.clone(), Type::SmallStrong.font(), colour::GOOD);
        let place =
            Rect::from_min_max(Pos2::new(right - galley.size().x - 24.0, rect.top()), Pos2::new(right, rect.bottom()));
        let lock = Rect::from_center_size(Pos2::new(place.left() + 8.0, place.center().y), Vec2::splat(18.0));
        icons::paint(ui.painter(), Icon::Lock, lock, colour::GOOD);
        ui.painter().galley(
            Pos2::new(place.left() + 24.0, place.center().y - galley.size().y / 2.0),
            galley,
            colour::GOOD,
        );
        told(ui, place, "encryption", &format!("{said}. {}", data.encryption));
        right = place.left() - space::XL;
    }
    let left = mark.right() + space::M;
    let title = widgets::line(ui.painter(), &data.title, Type::Heading, colour::TEXT, right - left);
    ui.painter().galley(Pos2::new(left, rect.center().y - title.size().y / 2.0), title, colour::TEXT);
    let place = Rect::from_min_max(Pos2::new(left, rect.top()), Pos2::new(right.max(left), rect.bottom()));
    let response = ui.interact(place, ui.scope_id().with("title"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &data.title));
}

/// Something painted that is only read: reachable by keyboard, explained when pointed at.
fn told(ui: &Ui, rect: Rect, name: &str, sentence: &str) {
    let sense = Sense::focusable_noninteractive() | Sense::hover();
    let response = ui.interact(rect.shrink2(Vec2::new(-4.0, 8.0)), ui.scope_id().with(name), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, sentence));
    widgets::focus_ring(ui.painter(), &response, radius::S);
    response.on_hover_text(sentence);
}

fn bar(
    ui: &Ui,
    rect: Rect,
    data: &MeetingData,
    view: &mut MeetingView,
    words: &Words,
    action: &mut Option<MeetingAction>,
) {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().hline(rect.x_range(), rect.top() + 0.5, Stroke::new(1.0, colour::LINE));
    let size = Control::SIZE;
    let total = 3.0 * size.x + 3.0 * space::S + space::XL + size.x;
    let mut at = Rect::from_min_size(Pos2::new(rect.center().x - total / 2.0, rect.center().y - size.y / 2.0), size);
    let standing = |on: bool, trouble: bool| match (on, trouble) {
        (_, true) => Standing::Trouble,
        (true, false) => Standing::On,
        (false, false) => Standing::Off,
    };
    let on_off = |on: bool, yes: &str, no: &str| words.say(if on { yes } else { no });

    let microphone = Control {
        icon: if data.microphone.on { Icon::Microphone } else { Icon::MicrophoneOff },
        label: &on_off(data.microphone.on, "microphone-on", "microphone-off"),
        accessible: &data.microphone.spoken,
        hover: &data.microphone.spoken,
        standing: standing(data.microphone.on, data.microphone.trouble),
        level: data.microphone.level,
    };
    if microphone.show(ui, at, ui.scope_id().with("microphone")).clicked() || shortcuts::microphone(ui) {
        *action = Some(MeetingAction::Microphone(!data.microphone.on));
    }
    at = at.translate(Vec2::new(size.x + space::S, 0.0));
    let camera = Control {
        icon: if data.camera.on { Icon::Camera } else { Icon::CameraOff },
        label: &on_off(data.camera.on, "camera-on", "camera-off"),
        accessible: &data.camera.spoken,
        hover: &data.camera.spoken,
        standing: standing(data.camera.on, data.camera.trouble),
        level: 0.0,
    };
    if camera.show(ui, at, ui.scope_id().with("camera")).clicked() || shortcuts::camera(ui) {
        *action = Some(MeetingAction::Camera(!data.camera.on));
    }
    at = at.translate(Vec2::new(size.x + space::S, 0.0));
    let said = if view.roster_open { "control-roster-hide" } else { "control-roster-show" };
    let said = words.tell(said, [("count", data.tiles.len().into())]);
    let people = Control {
        icon: Icon::People,
        label: &words.tell("roster-short", [("count", data.tiles.len().into())]),
        accessible: &said,
        hover: &said,
        standing: if view.roster_open { Standing::Open } else { Standing::Plain },
        level: 0.0,
    };
    if people.show(ui, at, ui.scope_id().with("people")).clicked() || shortcuts::participants(ui) {
        view.roster_open = !view.roster_open;
    }
    at = at.translate(Vec2::new(size.x + space::S + space::XL, 0.0));
    let said = words.say("control-leave");
    let leave = Control {
        icon: Icon::Leave,
        label: &words.say("leave"),
        accessible: &said,
        hover: &said,
        standing: Standing::Danger,
        level: 0.0,
    };
    if leave.show(ui, at, ui.scope_id().with("leave")).clicked() {
        *action = Some(MeetingAction::Leave);
    }
    speaker(ui, rect, at.right() + space::XL, data);
}

/// The loudspeaker that is open, at the right of the bar.
fn speaker(ui: &Ui, rect: Rect, left: f32, data: &MeetingData) {
    let width = rect.right() - space::L - left;
    if width < 80.0 {
        return;
    }
    let tint = if data.speaker_trouble { colour::WARNING } else { colour::TEXT_MUTED };
    let galley = widgets::line(ui.painter(), &data.speaker, Type::Small, tint, width - 26.0);
    let left = rect.right() - space::L - galley.size().x - 26.0;
    let sign = Rect::from_center_size(Pos2::new(left + 9.0, rect.center().y), Vec2::splat(18.0));
    icons::paint(ui.painter(), if data.speaker_trouble { Icon::Warning } else { Icon::Speaker }, sign, tint);
    ui.painter().galley(Pos2::new(left + 26.0, rect.center().y - galley.size().y / 2.0), galley, tint);
    let place = Rect::from_min_max(
        Pos2::new(left, rect.top() + space::L),
        Pos2::new(rect.right() - space::L, rect.bottom() - space::L),
    );
    told(ui, place, "speaker", &data.speaker);
}

fn tiles(ui: &Ui, area: Rect, people: &[TileData], pictures: &dyn Pictures, screenery: &Screenery, words: &Words) {
    for (rect, person) in layout::tiles(people.len(), area, space::TILES).into_iter().zip(people) {
        let shown = if person.mine { pictures.own() } else { pictures.of(person.leaf) };
        tile::show(ui, rect, person, shown.as_ref(), screenery, words, ui.scope_id().with(("tile", person.leaf.0)));
    }
}

struct Entering<'a> {
    sentence: &'a str,
    detail: Option<&'a str>,
    can_retry: bool,
}

fn entering(
    ui: &mut Ui,
    area: Rect,
    said: &Entering<'_>,
    pictures: &dyn Pictures,
    screenery: &Screenery,
    words: &Words,
    action: &mut Option<MeetingAction>,
) {
    let width = area.width().min(560.0);
    let height = (width * 9.0 / 16.0).min(area.height() - 150.0).max(80.0);
    let top = area.center().y - (height + 130.0) / 2.0;
    let picture = Rect::from_min_size(
        Pos2::new(area.center().x - height * 8.0 / 9.0, top),
        Vec2::new(height * 16.0 / 9.0, height),
    );
    match pictures.own() {
        Some(shown) => screenery.show(ui.painter(), picture, &shown, true, f32::from(radius::L)),
        None => {
            ui.painter().rect_filled(picture, CornerRadius::same(radius::L), colour::TILE);
            icons::paint_mark(
                ui.painter(),
                Rect::from_center_size(picture.center(), Vec2::splat(96.0_f32.min(height * 0.6))),
                colour::OUTLINE,
                colour::SPEAKING,
            );
        }
    }
    let below = Rect::from_min_max(Pos2::new(area.left(), picture.bottom() + space::L), area.max);
    let builder = egui::UiBuilder::new().max_rect(below).layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        let response = widgets::text(ui, Type::Title, colour::TEXT, said.sentence);
        response.widget_info(|| WidgetInfo::labeled(Role::Status, true, said.sentence));
        if let Some(detail) = said.detail {
            widgets::text(ui, Type::Body, colour::TEXT_MUTED, detail);
        }
        if said.can_retry && ui.add(PushButton::new(Weight::Secondary, words.say("retry-now"))).clicked() {
            *action = Some(MeetingAction::Retry);
        }
    });
}

fn roster(ui: &mut Ui, rect: Rect, data: &MeetingData, words: &Words) {
    ui.painter().rect_filled(rect, 0.0, colour::SURFACE);
    ui.painter().vline(rect.left() + 0.5, rect.y_range(), Stroke::new(1.0, colour::LINE));
    widgets::inside(ui, rect.shrink2(Vec2::new(space::L, space::M)), |ui| {
        widgets::text(
            ui,
            Type::Heading,
            colour::TEXT,
            words.tell("roster-title", [("count", data.tiles.len().into())]),
        );
        widgets::text(ui, Type::Small, colour::TEXT_MUTED, words.say("roster-hint"));
        ui.add_space(space::XS);
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for person in &data.tiles {
                roster_row(ui, person, words);
            }
        });
    });
}

fn roster_row(ui: &mut Ui, person: &TileData, words: &Words) {
    let size = Vec2::new(ui.available_width(), 54.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::focusable_noninteractive() | Sense::hover());
    let painter = ui.painter();
    if response.hovered() {
        painter.rect_filled(rect, CornerRadius::same(radius::M), colour::RAISED);
    }
    let disc = Pos2::new(rect.left() + 24.0, rect.center().y);
    widgets::initials(painter, disc, 36.0, &person.name);
    if person.speaking {
        painter.circle_stroke(disc, 19.5, Stroke::new(2.5, colour::SPEAKING));
    }
    let mut right = rect.right() - 6.0;
    for (icon, tint) in tile::signs(person) {
        let at = Rect::from_center_size(Pos2::new(right - 8.0, rect.top() + 18.0), Vec2::splat(16.0));
        icons::paint(painter, icon, at, tint);
        right -= 22.0;
    }
    let left = rect.left() + 52.0;
    let name =
        if person.mine { words.tell("tile-me", [("name", person.name.as_str().into())]) } else { person.name.clone() };
    let name = widgets::line(painter, &name, Type::Strong, colour::TEXT, right - left);
    painter.galley(Pos2::new(left, rect.top() + 8.0), name, colour::TEXT);
    let below = format!("{}, {}", person.seat, person.role);
    let below = widgets::line(painter, &below, Type::Small, colour::TEXT_MUTED, rect.right() - left);
    painter.galley(Pos2::new(left, rect.top() + 29.0), below, colour::TEXT_MUTED);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &person.spoken));
    widgets::focus_ring(painter, &response, radius::M);
    response.on_hover_text(&person.spoken);
}

fn toasts(ui: &mut Ui, area: Rect, view: &MeetingView, words: &Words, action: &mut Option<MeetingAction>) {
    let mut bottom = area.bottom() - space::L;
    for (index, message) in view.toasts.iter().enumerate().rev().take(3) {
        let width = (area.width() - 2.0 * space::XL).min(520.0);
        let galley = ui.painter().layout(message.clone(), Type::Body.font(), colour::TEXT, width - 96.0);
        let height = (galley.size().y + 24.0).max(48.0);
        let rect = Rect::from_min_size(Pos2::new(area.left() + space::XL, bottom - height), Vec2::new(width, height));
        let painter = ui.painter();
        painter.rect_filled(rect.expand(1.0), CornerRadius::same(radius::M), colour::OUTLINE);
        painter.rect_filled(rect, CornerRadius::same(radius::M), colour::RAISED);
        let sign = Rect::from_center_size(rect.left_center() + Vec2::new(24.0, 0.0), Vec2::splat(20.0));
        icons::paint(painter, Icon::Warning, sign, colour::WARNING);
        painter.galley(Pos2::new(rect.left() + 46.0, rect.center().y - galley.size().y / 2.0), galley, colour::TEXT);
        let alert = ui.interact(rect, ui.scope_id().with(("toast", index)), Sense::hover());
        alert.widget_info(|| WidgetInfo::labeled(Role::Alert, true, message));
        let cross = Rect::from_center_size(rect.right_center() - Vec2::new(26.0, 0.0), Vec2::splat(32.0));
        let close = ui.interact(cross, ui.scope_id().with(("toast-close", index)), Sense::click());
        let said = words.say("dismiss");
        close.widget_info(|| WidgetInfo::labeled(Role::Button, true, &said));
        icons::paint(ui.painter(), Icon::Close, cross.shrink(7.0), colour::TEXT_MUTED);
        widgets::focus_ring(ui.painter(), &close, radius::S);
        if close.clicked() {
            *action = Some(MeetingAction::Dismiss(index));
        }
        bottom = rect.top() - space::S;
    }
}
