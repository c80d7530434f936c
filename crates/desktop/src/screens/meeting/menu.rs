//! The menus of devices, painted.

use egui::{Align, CornerRadius, Layout, Popup, Pos2, Rect, RectAlign, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use super::devices::{DeviceEntry, DeviceList};
use crate::{
    icons::{self, Icon},
    screens::preview::data::Kind,
    theme::{Type, colour, radius, space},
    widgets,
};

/// Width of a menu in points.
const WIDTH: f32 = 340.0;

/// Height of an entry in points, with one line and with two.
const ENTRY: (f32, f32) = (40.0, 54.0);

/// What the person wants of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MenuAction {
    /// It was opened: see what is plugged in now.
    Look,
    /// Use the device with this word.
    Choose(Kind, String),
}

/// Shows the menu that `caret` opens, with a list for each kind of device.
pub fn show(ui: &Ui, caret: &Response, name: &str, lists: &[(Kind, &DeviceList)]) -> Option<MenuAction> {
    let mut action = None;
    let opened = caret.clicked() && !Popup::is_id_open(ui.ctx(), Popup::default_response_id(caret));
    if opened {
        action = Some(MenuAction::Look);
    }
    // Whoever came by keyboard goes on by keyboard.
    let take_focus = caret.has_focus();
    let room = ui.ctx().content_rect().height() - space::BANNER - space::BAR - 2.0 * space::XL;
    Popup::menu(caret).align(RectAlign::TOP_START).gap(space::S).width(WIDTH).accessible_name(name).show(|ui| {
        ui.set_width(WIDTH);
        egui::ScrollArea::vertical().max_height(room).min_scrolled_height(room).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for (index, (kind, list)) in lists.iter().enumerate() {
                if index > 0 {
                    ui.add_space(space::S);
                    ui.painter().hline(
                        ui.max_rect().x_range().shrink(space::S),
                        ui.cursor().top() - space::XS,
                        (1.0, colour::LINE),
                    );
                }
                if let Some(word) = section(ui, list, take_focus && index == 0) {
                    action = Some(MenuAction::Choose(*kind, word));
                }
            }
        });
    });
    action
}

fn section(ui: &mut Ui, list: &DeviceList, take_focus: bool) -> Option<String> {
    let mut chosen = None;
    let (title, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 28.0), Sense::hover());
    widgets::over(ui, title.shrink2(Vec2::new(space::M, 0.0)), Layout::left_to_right(Align::Center), |ui| {
        widgets::text(ui, Type::SmallStrong, colour::TEXT_MUTED, list.title.clone());
    });
    for (index, item) in list.entries.iter().enumerate() {
        let response = entry(ui, item);
        if take_focus && index == list.entries.iter().position(|entry| entry.open).unwrap_or(0) {
            response.request_focus();
        }
        if response.clicked() && !item.chosen {
            chosen = Some(item.word.clone());
        }
    }
    chosen
}

fn entry(ui: &mut Ui, item: &DeviceEntry) -> Response {
    let height = if item.detail.is_some() { ENTRY.1 } else { ENTRY.0 };
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::MenuItemRadio, true, item.open, &item.spoken));
    let painter = ui.painter();
    if response.hovered() || response.has_focus() {
        painter.rect_filled(rect, CornerRadius::same(radius::M), colour::RAISED_HOVER);
    }
    let sign = Rect::from_center_size(Pos2::new(rect.left() + 20.0, rect.center().y), Vec2::splat(16.0));
    if item.open {
        icons::paint(painter, Icon::Check, sign, colour::GOOD);
    } else if item.trouble {
        icons::paint(painter, Icon::Warning, sign, colour::WARNING);
    }
    let left = rect.left() + 40.0;
    let width = rect.right() - space::S - left;
    let kind = if item.open || item.chosen { Type::Strong } else { Type::Body };
    let name = widgets::line(painter, &item.name, kind, colour::TEXT, width);
    match &item.detail {
        Some(detail) => {
            let tint = if item.trouble { colour::WARNING } else { colour::TEXT_MUTED };
            painter.galley(Pos2::new(left, rect.top() + 8.0), name, colour::TEXT);
            let below = widgets::line(painter, detail, Type::Small, tint, width);
            painter.galley(Pos2::new(left, rect.top() + 29.0), below, tint);
        }
        None => {
            let top = rect.center().y - name.size().y / 2.0;
            painter.galley(Pos2::new(left, top), name, colour::TEXT);
        }
    }
    widgets::focus_ring(painter, &response, radius::M);
    // Only a reason may be longer than the menu is wide.
    match item.detail.as_ref().filter(|_| item.trouble) {
        Some(detail) => response.on_hover_text(detail),
        None => response,
    }
}
