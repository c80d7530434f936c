//! The meeting, painted.

use conclave_client::media::VoiceMode;
use conclave_model::LeafIndex;
use egui::{Align, CornerRadius, Layout, Pos2, Rect, Role, Sense, Ui, Vec2, WidgetInfo};

use super::{
    bar,
    data::{MeetingData, Offer, Stage, StripData, TileData, strip},
    header, roster,
    screen::{self, Paints},
    tile,
    toasts::{self, Toast},
};
use crate::{
    icons, layout,
    screens::{
        lead::{
            self,
            data::{LeadAction, Question},
        },
        lobby::data::LobbyAction,
        preview::data::Kind,
        security,
        share::{
            self,
            ui::{ShareAction, ShareView},
        },
    },
    shortcuts,
    theme::{Type, colour, radius, space},
    video::{Screenery, Shown},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// What the meeting's screen remembers between frames.
#[derive(Clone, Debug, Default)]
pub struct MeetingView {
    /// What is open at the right.
    pub panel: Option<Panel>,
    /// What is asked before something is done that cannot be undone.
    pub question: Option<Question>,
    /// The picker, and how a shared screen is shown.
    pub share: ShareView,
    /// Short messages, newest last.
    pub toasts: Vec<Toast>,
    /// Where people are shown; `None` while nobody is.
    pub stage: Option<Rect>,
}

/// What is open at the right of the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// Who is there, who waits, and what the chair can do.
    People,
    /// What can be checked.
    Security,
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
    /// Prepare the own voice in this way from now on.
    Voice(VoiceMode),
    /// Try to connect now.
    Retry,
    /// Go on here and end the other connection.
    TakeOver,
    /// Let in somebody who waits, or send them away.
    Lobby(LobbyAction),
    /// What the chair or the originator wants.
    Lead(LeadAction),
    /// Something about sharing a screen.
    Share(ShareAction),
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
    /// The newest picture of a member's shared screen.
    fn screen(&self, leaf: LeafIndex) -> Option<Shown>;
}

/// The parts of the window.
struct Parts {
    top_banner: Rect,
    header: Rect,
    stage: Rect,
    panel: Option<Rect>,
    bar: Rect,
    bottom_banner: Rect,
}

impl Parts {
    fn new(area: Rect, panel_open: bool) -> Self {
        let row =
            |top: f32, height: f32| Rect::from_min_size(Pos2::new(area.left(), top), Vec2::new(area.width(), height));
        let top_banner = row(area.top(), space::BANNER);
        let header = row(top_banner.bottom(), space::HEADER);
        let bottom_banner = row(area.bottom() - space::BANNER, space::BANNER);
        let bar = row(bottom_banner.top() - space::BAR, space::BAR);
        let middle = Rect::from_min_max(header.left_bottom(), bar.right_top());
        let width = space::ROSTER.min(area.width() * 0.4);
        let (stage, panel) = if panel_open {
            let (stage, panel) = middle.split_left_right_at_x(middle.right() - width);
            (stage, Some(panel))
        } else {
            (middle, None)
        };
        Self { top_banner, header, stage, panel, bar, bottom_banner }
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
    let parts = Parts::new(area, view.panel.is_some());
    let mut action = None;
    widgets::level_banner(ui, parts.top_banner, data.level, words, ui.scope_id().with("level-top"));
    header::show(ui, parts.header, data, view, words);
    bar::show(ui, parts.bar, data, view, words, &mut action);
    match (view.panel, parts.panel) {
        (Some(Panel::People), Some(rect)) => action = roster::show(ui, rect, data, view, words).or(action),
        (Some(Panel::Security), Some(rect)) => security::ui::show(ui, rect, &data.security, words),
        (None, _) | (_, None) => {}
    }
    let mut stage = parts.stage.shrink2(Vec2::new(space::L, space::S));
    if let Some(said) = strip(data, view.panel == Some(Panel::People), words) {
        let (rect, wanted) = show_strip(ui, stage, &said, view, words);
        action = wanted.or(action);
        stage.min.y = rect.bottom() + space::S;
    }
    let mut shares = None;
    if let Some(rect) = share::ui::own(ui, stage, &data.share, &mut view.share, words, &mut shares) {
        stage.min.y = rect.bottom() + space::S;
    }
    action = shares.map(MeetingAction::Share).or(action);
    let seated = matches!(data.stage, Stage::Seated | Stage::Reconnecting { .. });
    view.stage = seated.then_some(stage);
    let own = match (&data.stage, &data.share.shown) {
        (_, Some(shown)) if seated => {
            let paints = Paints { pictures, screenery, words };
            screen::show(ui, stage, shown, data, &mut view.share, &paints, &mut action)
        }
        (Stage::Seated | Stage::Reconnecting { .. }, _) => tiles(ui, stage, &data.tiles, pictures, screenery, words),
        (Stage::Entering { sentence, detail, offer }, _) => {
            let said = Entering { sentence, detail: detail.as_deref(), offer: *offer };
            Some(entering(ui, stage, &said, pictures, screenery, words, &mut action))
        }
    };
    if let Some(index) = toasts::show(ui, stage, own, &view.toasts, words) {
        action = Some(MeetingAction::Dismiss(index));
    }
    if view.question.is_none() && shortcuts::back(ui) {
        view.panel = None;
    }
    forget_who_is_gone(view, &data.tiles);
    if let Some(wanted) = lead::ui::ask(ui.ctx(), &data.lead, data.level, &mut view.question, words) {
        action = Some(MeetingAction::Lead(wanted));
    }
    if let Some(wanted) = share::ui::pick(ui.ctx(), &data.share, &mut view.share, words) {
        action = Some(MeetingAction::Share(wanted));
    }
    widgets::level_banner(ui, parts.bottom_banner, data.level, words, ui.scope_id().with("level-bottom"));
    share::ui::frame(ui, area, &data.share);
    action
}

/// Shows the strip at the top of `stage`; returns its place and what the person wants.
fn show_strip(
    ui: &mut Ui,
    stage: Rect,
    said: &StripData,
    view: &mut MeetingView,
    words: &Words,
) -> (Rect, Option<MeetingAction>) {
    /// Room for the button at the right.
    const BUTTON: f32 = 132.0;
    let free = if said.offer.is_some() { BUTTON } else { 0.0 };
    let rect = widgets::strip(ui, stage, said.urgency, &said.sentence, free, ui.scope_id().with("strip"));
    let Some(offer) = said.offer else { return (rect, None) };
    let at = Rect::from_min_max(Pos2::new(rect.right() - BUTTON, rect.top() + 2.0), rect.max - Vec2::new(6.0, 2.0));
    let pressed = widgets::over(ui, at, Layout::right_to_left(Align::Center), |ui| {
        ui.add(PushButton::new(Weight::Quiet, offer_word(offer, words))).clicked()
    });
    let wanted = match (pressed, offer) {
        (true, Offer::Retry) => Some(MeetingAction::Retry),
        (true, Offer::TakeOver) => Some(MeetingAction::TakeOver),
        (true, Offer::Lobby) => {
            view.panel = Some(Panel::People);
            None
        }
        (false, _) => None,
    };
    (rect, wanted)
}

fn offer_word(offer: Offer, words: &Words) -> String {
    words.say(match offer {
        Offer::Retry => "retry-now",
        Offer::TakeOver => "take-over",
        Offer::Lobby => "strip-lobby-show",
    })
}

/// A place in the group can be somebody else's by the time a question is answered: then it is asked no more.
fn forget_who_is_gone(view: &mut MeetingView, tiles: &[TileData]) {
    if let Some(Question::Eject { leaf, name, seat }) = &view.question
        && !tiles.iter().any(|tile| tile.leaf == *leaf && tile.name == *name && tile.seat == *seat)
    {
        view.question = None;
    }
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
    offer: Option<Offer>,
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
        if let Some(offer) = said.offer {
            ui.add_space(space::S);
            let weight = if offer == Offer::TakeOver { Weight::Primary } else { Weight::Secondary };
            if ui.add(PushButton::new(weight, offer_word(offer, words))).clicked() {
                *action = match offer {
                    Offer::Retry => Some(MeetingAction::Retry),
                    Offer::TakeOver => Some(MeetingAction::TakeOver),
                    Offer::Lobby => None,
                };
            }
        }
    });
    picture
}
