//! Short messages over the tiles, painted where they cover nobody that matters most: not the own picture.

use egui::{CornerRadius, Pos2, Rect, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::{
    icons::{self, Icon},
    theme::{Type, colour, radius, space},
    widgets,
    words::Words,
};

/// A short message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// What it says.
    pub sentence: String,
    /// Whether it is good news, or none to worry about.
    pub calm: bool,
}

/// How many are shown at once.
const SHOWN: usize = 3;

/// The widest that a message is, in points.
const WIDTH: f32 = 480.0;

/// Shows the newest of `messages` in `area`, away from `own`, the own tile. Returns the number of the one that the person
/// takes away.
pub(super) fn show(ui: &Ui, area: Rect, own: Option<Rect>, messages: &[Toast], words: &Words) -> Option<usize> {
    let width = (area.width() - 2.0 * space::L).min(WIDTH);
    let mut dismissed = None;
    let newest: Vec<_> = messages
        .iter()
        .enumerate()
        .rev()
        .take(SHOWN)
        .map(|(index, message)| {
            let text = ui.painter().layout(message.sentence.clone(), Type::Body.font(), colour::TEXT, width - 96.0);
            let height = (text.size().y + space::XL).max(48.0);
            (index, message, text, height)
        })
        .collect();
    let height: f32 = newest.iter().map(|(_, _, _, height)| height + space::S).sum();
    let mut top = place(area.shrink(space::S), own, Vec2::new(width, height)).min;
    for (index, message, text, height) in newest {
        let rect = Rect::from_min_size(top, Vec2::new(width, height));
        let painter = ui.painter();
        painter.rect_filled(rect.expand(1.0), CornerRadius::same(radius::M), colour::OUTLINE);
        painter.rect_filled(rect, CornerRadius::same(radius::M), colour::RAISED);
        let sign = Rect::from_center_size(rect.left_center() + Vec2::new(24.0, 0.0), Vec2::splat(20.0));
        let (icon, tint) = if message.calm { (Icon::Check, colour::GOOD) } else { (Icon::Warning, colour::WARNING) };
        icons::paint(painter, icon, sign, tint);
        painter.galley(Pos2::new(rect.left() + 46.0, rect.center().y - text.size().y / 2.0), text, colour::TEXT);
        let alert = ui.interact(rect, ui.scope_id().with(("toast", index)), Sense::hover());
        alert.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &message.sentence));
        let cross = Rect::from_center_size(rect.right_center() - Vec2::new(26.0, 0.0), Vec2::splat(32.0));
        let close = ui.interact(cross, ui.scope_id().with(("toast-close", index)), Sense::click());
        let said = words.say("dismiss");
        close.widget_info(|| WidgetInfo::labeled(Role::Button, true, &said));
        icons::paint(ui.painter(), Icon::Close, cross.shrink(7.0), colour::TEXT_MUTED);
        widgets::focus_ring(ui.painter(), &close, radius::S);
        if close.clicked() {
            dismissed = Some(index);
        }
        top.y = rect.bottom() + space::S;
    }
    dismissed
}

/// The corner of `area` for something of `size` that keeps off `own` the most; the upper right one where it is all the
/// same.
fn place(area: Rect, own: Option<Rect>, size: Vec2) -> Rect {
    let far = area.max - size;
    let corners = [
        Pos2::new(far.x, area.top()),
        Pos2::new(area.left(), area.top()),
        Pos2::new(far.x, far.y.max(area.top())),
        Pos2::new(area.left(), far.y.max(area.top())),
    ];
    let rects = corners.map(|corner| Rect::from_min_size(corner, size));
    let covered = |rect: &Rect| own.map_or(0.0, |own| own.intersect(*rect).area().max(0.0));
    let best = rects.iter().map(covered).fold(f32::INFINITY, f32::min);
    rects.into_iter().find(|rect| covered(rect) <= best).unwrap_or(rects[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;

    #[test]
    fn the_own_tile_is_not_covered_wherever_it_is() {
        for (width, height) in [(1248.0, 520.0), (768.0, 360.0), (1888.0, 880.0)] {
            let area = Rect::from_min_size(Pos2::new(16.0, 84.0), Vec2::new(width, height));
            for people in [3, 4, 6, 9, 12, 27] {
                for own in layout::tiles(people, area, space::TILES) {
                    let toast = place(area, Some(own), Vec2::new(WIDTH.min(width / 2.0 - 8.0), 56.0));
                    assert!(area.contains_rect(toast), "{toast:?} leaves {area:?}");
                    assert!(!toast.intersects(own), "{people} at {width}x{height}: {toast:?} covers {own:?}");
                }
            }
        }
    }

    #[test]
    fn without_an_own_tile_it_is_the_upper_right_corner() {
        let area = Rect::from_min_size(Pos2::ZERO, Vec2::new(1000.0, 500.0));
        assert_eq!(place(area, None, Vec2::new(400.0, 50.0)).min, Pos2::new(600.0, 0.0));
    }
}
