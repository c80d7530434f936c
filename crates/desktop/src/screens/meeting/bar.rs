//! The bar with the controls, painted.

use conclave_client::Share;
use egui::{Pos2, Rect, Stroke, Ui, Vec2};

use super::{
    data::{MeetingData, Stage},
    menu::{self, MenuAction},
    ui::{MeetingAction, MeetingView, Panel, told},
    voice,
};
use crate::{
    icons::{self, Icon},
    screens::{
        control,
        preview::data::Kind,
        share::{data::Pressing, ui::ShareAction},
    },
    shortcuts,
    theme::{Type, colour, space},
    widgets::{self, Caret, Control, Standing},
    words::Words,
};

/// Places controls from left to right.
struct Row {
    at: Pos2,
}

impl Row {
    fn next(&mut self, width: f32, gap: f32) -> Rect {
        let rect = Rect::from_min_size(self.at, Vec2::new(width, Control::SIZE.y));
        self.at.x = rect.right() + gap;
        rect
    }
}

/// Shows the bar in `rect`.
pub(super) fn show(
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
    let split = size.x + Caret::GAP + Caret::WIDTH;
    // Whoever is not in yet has nothing to share and nobody to see.
    let is_in = !matches!(data.stage, Stage::Entering { .. });
    let more = if is_in { 2.0 * (size.x + space::S) } else { 0.0 };
    let total = 2.0 * split + size.x + 2.0 * space::S + more + space::XL;
    let mut row = Row { at: Pos2::new(rect.center().x - total / 2.0, rect.center().y - size.y / 2.0) };

    let at = row.next(size.x, Caret::GAP);
    if control::ui::show(ui, at, Kind::Microphone, &data.microphone, true).clicked() || shortcuts::microphone(ui) {
        *action = Some(MeetingAction::Microphone(!data.microphone.on));
    }
    let [microphones, speakers] = &data.sound_devices;
    let lists = [(Kind::Microphone, microphones), (Kind::Speaker, speakers), (Kind::Microphone, &data.voice)];
    let at = row.next(Caret::WIDTH, space::S);
    take(menu_beside(ui, at, "sound-menu", &words.say("control-sound-devices"), &lists), action);

    let at = row.next(size.x, Caret::GAP);
    if control::ui::show(ui, at, Kind::Camera, &data.camera, true).clicked() || shortcuts::camera(ui) {
        *action = Some(MeetingAction::Camera(!data.camera.on));
    }
    let [cameras] = &data.picture_devices;
    let at = row.next(Caret::WIDTH, if is_in { space::S } else { space::S + space::XL });
    let lists = [(Kind::Camera, cameras)];
    take(menu_beside(ui, at, "picture-menu", &words.say("control-picture-devices"), &lists), action);

    if is_in {
        share(ui, row.next(size.x, space::S), data, view, action);
        people(ui, row.next(size.x, space::S + space::XL), data, view, words);
    }
    let said = words.say("control-leave");
    let leave = Control {
        icon: Icon::Leave,
        label: &words.say("leave"),
        accessible: &said,
        hover: &said,
        standing: Standing::Danger,
        level: 0.0,
        joined: false,
    };
    let at = row.next(size.x, space::XL);
    if leave.show(ui, at, ui.scope_id().with("leave")).clicked() {
        *action = Some(MeetingAction::Leave);
    }
    speaker(ui, rect, at.right() + space::XL, data);
}

fn menu_beside(
    ui: &Ui,
    rect: Rect,
    name: &str,
    said: &str,
    lists: &[(Kind, &super::devices::DeviceList)],
) -> Option<MenuAction> {
    let id = ui.scope_id().with(name);
    let open = egui::Popup::is_id_open(ui.ctx(), id.with("popup"));
    let caret = Caret { accessible: said, open }.show(ui, rect, id);
    menu::show(ui, &caret, said, lists)
}

fn take(wanted: Option<MenuAction>, action: &mut Option<MeetingAction>) {
    match wanted {
        Some(MenuAction::Look) => *action = Some(MeetingAction::LookForDevices),
        Some(MenuAction::Choose(kind, word)) => {
            *action = Some(match voice::mode(&word) {
                Some(mode) => MeetingAction::Voice(mode),
                None => MeetingAction::Choose(kind, word),
            });
        }
        None => {}
    }
}

/// Shares a screen, or stops it.
fn share(ui: &Ui, at: Rect, data: &MeetingData, view: &mut MeetingView, action: &mut Option<MeetingAction>) {
    let button = &data.share.button;
    let control = Control {
        icon: Icon::Screen,
        label: &button.label,
        accessible: &button.spoken,
        hover: &button.spoken,
        standing: if button.live { Standing::Danger } else { Standing::Plain },
        level: 0.0,
        joined: false,
    };
    let pressed = control.show(ui, at, ui.scope_id().with("share")).clicked() || shortcuts::share(ui);
    if !pressed {
        return;
    }
    match button.does {
        // Stopping goes from anywhere and at any time; something that is being asked or picked is not pushed aside.
        Pressing::Stop => *action = Some(MeetingAction::Share(ShareAction::Do(Share::Stop))),
        Pressing::Pick if data.stage == Stage::Seated && view.share.picker.is_none() && view.question.is_none() => {
            *action = Some(MeetingAction::Share(view.share.pick(&data.share)));
        }
        Pressing::Pick => {}
    }
}

fn people(ui: &Ui, at: Rect, data: &MeetingData, view: &mut MeetingView, words: &Words) {
    let open = view.panel == Some(Panel::People);
    let said = if open { "control-roster-hide" } else { "control-roster-show" };
    let said = words.tell(said, [("count", data.tiles.len().into())]);
    let people = Control {
        icon: Icon::People,
        label: &words.tell("roster-short", [("count", data.tiles.len().into())]),
        accessible: &said,
        hover: &said,
        standing: if open { Standing::Open } else { Standing::Plain },
        level: 0.0,
        joined: false,
    };
    if people.show(ui, at, ui.scope_id().with("people")).clicked() || shortcuts::participants(ui) {
        view.panel = if open { None } else { Some(Panel::People) };
    }
    let waiting = data.lobby.rows.len() + data.share.requests.len();
    if waiting > 0 {
        widgets::count(ui.painter(), at.right_top() + Vec2::new(-12.0, 12.0), waiting);
    }
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
