//! The meeting, painted.

use conclave_model::LeafIndex;
use egui::{Align, CornerRadius, Layout, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};

use super::{
    bar,
    data::{MeetingData, Stage, TileData, strip},
    roster, tile, toasts,
};
use crate::{
    icons::{self, Icon},
    layout,
    screens::preview::data::Kind,
    theme::{Type, colour, radius, space},
    video::{Screenery, Shown},
    widgets::{self, PushButton, Weight},
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeetingAction {
    /// Open or mute the microphone.
    Microphone(bool),
    /// Open or close the camera.
    Camera(bool),
    /// See what is plugged in now.
    LookForDevices,
    /// Use the device with this word from now on.
    Choose(Kind, String),
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
    bar::show(ui, parts.bar, data, view, words, &mut action);
    if let Some(rect) = parts.roster {
        roster::show(ui, rect, data, words);
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
    let own = match &data.stage {
        Stage::Seated | Stage::Reconnecting { .. } => tiles(ui, stage, &data.tiles, pictures, screenery, words),
        Stage::Entering { sentence, detail, can_retry } => {
            let said = Entering { sentence, detail: detail.as_deref(), can_retry: *can_retry };
            Some(entering(ui, stage, &said, pictures, screenery, words, &mut action))
        }
    };
    if let Some(index) = toasts::show(ui, stage, own, &view.toasts, words) {
        action = Some(MeetingAction::Dismiss(index));
    }
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
pub(super) fn told(ui: &Ui, rect: Rect, name: &str, sentence: &str) {
    let sense = Sense::focusable_noninteractive() | Sense::hover();
    let response = ui.interact(rect.shrink2(Vec2::new(-4.0, 8.0)), ui.scope_id().with(name), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, sentence));
    widgets::focus_ring(ui.painter(), &response, radius::S);
    response.on_hover_text(sentence);
}

/// Shows everybody; returns where the person's own tile is.
fn tiles(
    ui: &Ui,
    area: Rect,
    people: &[TileData],
    pictures: &dyn Pictures,
    screenery: &Screenery,
    words: &Words,
) -> Option<Rect> {
    let mut own = None;
    for (rect, person) in layout::tiles(people.len(), area, space::TILES).into_iter().zip(people) {
        let shown = if person.mine { pictures.own() } else { pictures.of(person.leaf) };
        tile::show(ui, rect, person, shown.as_ref(), screenery, words, ui.scope_id().with(("tile", person.leaf.0)));
        if person.mine {
            own = Some(rect);
        }
    }
    own
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
) -> Rect {
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
    picture
}
