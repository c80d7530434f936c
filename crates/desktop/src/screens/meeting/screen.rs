//! A shared screen and the people beside it, painted.

use egui::{Align, Align2, CornerRadius, Layout, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use super::{
    data::{MeetingData, TileData},
    tile,
    ui::{MeetingAction, Pictures},
};
use crate::{
    icons::{self, Icon},
    layout,
    screens::share::{
        data::{ShareData, ShownScreen},
        ui::{ShareAction, ShareView},
    },
    shortcuts,
    theme::{self, Type, colour, radius, space},
    video::{Screenery, Shown},
    widgets::{self, PushButton, Weight},
    words::Words,
};

/// The height of the line above a shared screen.
pub(super) const HEAD: f32 = 40.0;

/// What a shared screen is painted with.
pub(super) struct Paints<'a> {
    pub(super) pictures: &'a dyn Pictures,
    pub(super) screenery: &'a Screenery,
    pub(super) words: &'a Words,
}

/// Shows somebody's screen and the people beside it in `area`; returns where the own tile is, if it is shown.
pub(super) fn show(
    ui: &mut Ui,
    area: Rect,
    screen: &ShownScreen,
    data: &MeetingData,
    view: &mut ShareView,
    paints: &Paints<'_>,
    action: &mut Option<MeetingAction>,
) -> Option<Rect> {
    let people = &data.tiles;
    let beside = layout::beside(people.len(), area, space::TILES);
    let (head, picture) = beside.screen.split_top_bottom_at_y(beside.screen.top() + HEAD);
    self::head(ui, head, screen, &data.share, view, paints.words, action);
    self::picture(ui, picture, screen, view, paints);
    tiles(ui, &beside.tiles, people, paints)
}

/// Whose it is, of which level, and how it is shown.
fn head(
    ui: &mut Ui,
    rect: Rect,
    screen: &ShownScreen,
    share: &ShareData,
    view: &mut ShareView,
    words: &Words,
    action: &mut Option<MeetingAction>,
) {
    let right = widgets::over(ui, rect.with_min_x(rect.center().x), Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if let Some(sharer) = &share.sharer {
            let end = PushButton::new(Weight::Secondary, sharer.end.clone()).accessible(sharer.spoken.clone()).small();
            if ui.add(end).clicked() {
                *action = Some(MeetingAction::Share(ShareAction::Do(conclave_client::Share::StopSharer)));
            }
        }
        let (word, spoken) =
            if view.pixels.is_some() { ("share-fit", "share-fit-spoken") } else { ("share-full", "share-full-spoken") };
        let size = PushButton::new(Weight::Secondary, words.say(word)).accessible(words.say(spoken)).small();
        if ui.add(size).on_hover_text(words.say(spoken)).clicked() || shortcuts::fit(ui) {
            view.pixels = if view.pixels.is_some() { None } else { Some(Vec2::ZERO) };
        }
        ui.min_rect().left()
    });
    let painter = ui.painter();
    let (ground, text) = theme::level_colours(screen.label);
    let marking = painter.layout_no_wrap(words.marking(screen.label), Type::SmallStrong.font(), text);
    let chip = Rect::from_min_size(
        Pos2::new(rect.left(), rect.center().y - 13.0),
        Vec2::new(marking.size().x + 2.0 * space::M, 26.0),
    );
    let room = right - chip.right() - 2.0 * space::S;
    painter.rect_filled(chip, CornerRadius::same(radius::S), ground);
    painter.galley(chip.center() - marking.size() / 2.0, marking, text);
    let name = words.tell("share-head", [("name", screen.name.as_str().into()), ("seat", screen.seat.as_str().into())]);
    let line = widgets::line(painter, &name, Type::Strong, colour::TEXT, room);
    let at = Pos2::new(chip.right() + space::M, rect.center().y - line.size().y / 2.0);
    painter.galley(at, line, colour::TEXT);
    let whose = ui.interact(rect.with_max_x(right), ui.scope_id().with("screen-head"), Sense::hover());
    whose.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &name));
}

fn picture(ui: &Ui, area: Rect, screen: &ShownScreen, view: &mut ShareView, paints: &Paints<'_>) {
    let response = ui.interact(area, ui.scope_id().with("screen"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &screen.spoken));
    let painter = ui.painter();
    painter.rect_filled(area, CornerRadius::same(radius::S), colour::TILE);
    let shown = paints.pictures.screen(screen.leaf).filter(|_| screen.show_picture);
    match (shown, &mut view.pixels) {
        (Some(shown), None) => {
            let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
            let place = aligned(layout::fit(pixels_of(&shown), area), painter.pixels_per_point());
            paints.screenery.show_part(painter, place, &shown, whole);
        }
        (Some(shown), Some(corner)) => {
            *corner -= (response.drag_delta() + scrolled(ui, &response)) * painter.pixels_per_point();
            let (place, part) = pixel_by_pixel(pixels_of(&shown), area, corner, painter.pixels_per_point());
            paints.screenery.show_part(painter, place, &shown, part);
        }
        (None, _) => {
            let sign = Rect::from_center_size(area.center() - Vec2::new(0.0, 26.0), Vec2::splat(40.0));
            icons::paint(painter, Icon::Screen, sign, colour::OUTLINE);
            let at = area.center() + Vec2::new(0.0, 14.0);
            painter.text(at, Align2::CENTER_CENTER, &screen.missing, Type::Body.font(), colour::TEXT_MUTED);
        }
    }
    if response.double_clicked() {
        view.pixels = if view.pixels.is_some() { None } else { Some(Vec2::ZERO) };
    }
    widgets::focus_ring(ui.painter(), &response, radius::S);
}

fn scrolled(ui: &Ui, response: &egui::Response) -> Vec2 {
    if response.hovered() { ui.input(egui::InputState::smooth_scroll_delta) } else { Vec2::ZERO }
}

fn pixels_of(shown: &Shown) -> Vec2 {
    Vec2::new(shown.picture.width() as f32, shown.picture.height() as f32)
}

/// The same place with its corners on whole pixels, so that letters stay sharp.
fn aligned(rect: Rect, pixels_per_point: f32) -> Rect {
    let round = |at: Pos2| ((at.to_vec2() * pixels_per_point).round() / pixels_per_point).to_pos2();
    Rect::from_min_max(round(rect.min), round(rect.max))
}

/// Where in `area` a picture goes whose every pixel is one of the screen's, and which part of it; keeps `corner`, the
/// picture's pixel in the upper left corner, within the picture.
fn pixel_by_pixel(picture: Vec2, area: Rect, corner: &mut Vec2, pixels_per_point: f32) -> (Rect, Rect) {
    let seen = (area.size() * pixels_per_point).floor().min(picture);
    *corner = corner.clamp(Vec2::ZERO, picture - seen);
    let place = aligned(Rect::from_center_size(area.center(), seen / pixels_per_point), pixels_per_point);
    let place = Rect::from_min_size(place.min, seen / pixels_per_point);
    let part = Rect::from_min_size((corner.round() / picture).to_pos2(), seen / picture);
    (place, part)
}

/// Shows as many people as there are `places`; returns where the own tile is, if it is shown.
fn tiles(ui: &Ui, places: &[Rect], people: &[TileData], paints: &Paints<'_>) -> Option<Rect> {
    let speaking: Vec<bool> = people.iter().map(|person| person.speaking).collect();
    let seated = layout::seated(&speaking, places.len());
    let mut own = None;
    for (rect, number) in places.iter().zip(&seated) {
        let person = &people[*number];
        let shown = if person.mine { paints.pictures.own() } else { paints.pictures.of(person.leaf) };
        let id = ui.scope_id().with(("tile", person.leaf.0));
        tile::show(ui, *rect, person, shown.as_ref(), paints.screenery, paints.words, id);
        if person.mine {
            own = Some(*rect);
        }
    }
    if let Some(rect) = places.get(seated.len()) {
        more(ui, *rect, people.len() - seated.len(), paints.words);
    }
    own
}

/// Says how many people have no tile.
fn more(ui: &Ui, rect: Rect, count: usize, words: &Words) {
    let painter = ui.painter();
    painter.rect(rect, CornerRadius::same(radius::M), colour::TILE, Stroke::new(1.0, colour::LINE), StrokeKind::Inside);
    let said = words.tell("share-more", [("count", count.into())]);
    painter.text(rect.center(), Align2::CENTER_CENTER, said, Type::Strong.font(), colour::TEXT_MUTED);
    let response = ui.interact(rect, ui.scope_id().with("more"), Sense::focusable_noninteractive() | Sense::hover());
    let spoken = words.tell("share-more-spoken", [("count", count.into())]);
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &spoken));
    widgets::focus_ring(painter, &response, radius::M);
    response.on_hover_text(spoken);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixel_by_pixel_no_pixel_is_stretched_and_the_picture_is_never_left() {
        let area = Rect::from_min_size(Pos2::new(10.3, 20.7), Vec2::new(600.0, 400.0));
        for scale in [1.0, 1.25, 2.0] {
            for picture in [Vec2::new(1920.0, 1080.0), Vec2::new(300.0, 200.0), Vec2::new(3840.0, 100.0)] {
                for corner in [Vec2::ZERO, Vec2::new(-500.0, 90.0), Vec2::splat(9999.0)] {
                    let mut kept = corner;
                    let (place, part) = pixel_by_pixel(picture, area, &mut kept, scale);
                    assert!(area.expand(1.0).contains_rect(place), "{place:?}");
                    let pixels = part.size() * picture;
                    assert!((place.size() * scale - pixels).length() < 0.01, "{place:?} {pixels:?}");
                    assert!(part.min.x >= 0.0 && part.max.x <= 1.001 && part.min.y >= 0.0 && part.max.y <= 1.001);
                }
            }
        }
    }
}
