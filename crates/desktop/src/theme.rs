//! How everything looks: colours, spacing, type. No other file names a colour or a font.
//!
//! The look is dark, quiet and of high contrast: people sit in front of it for hours, often in dim rooms, and the
//! pictures of the others are what should stand out. Every pair of text and ground that is used reaches a contrast of
//! 4.5:1 (WCAG 2.2, success criterion 1.4.3); the tests below hold it to that.

use std::sync::Arc;

use conclave_model::Level;
use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke, Style,
    TextStyle, Vec2,
    style::{Selection, WidgetVisuals, Widgets},
};

/// Colours by what they are for.
pub mod colour {
    use egui::Color32;

    /// The ground of the window.
    pub const CANVAS: Color32 = Color32::from_rgb(12, 15, 20);
    /// Bars and side panels.
    pub const SURFACE: Color32 = Color32::from_rgb(20, 24, 31);
    /// Cards and controls on a surface.
    pub const RAISED: Color32 = Color32::from_rgb(30, 36, 46);
    /// A raised control under the pointer.
    pub const RAISED_HOVER: Color32 = Color32::from_rgb(40, 48, 60);
    /// A raised control that is pressed.
    pub const RAISED_ACTIVE: Color32 = Color32::from_rgb(50, 59, 74);
    /// Fields to write in.
    pub const FIELD: Color32 = Color32::from_rgb(14, 17, 23);
    /// Hairlines and quiet outlines.
    pub const LINE: Color32 = Color32::from_rgb(44, 52, 65);
    /// Outlines of fields and buttons.
    pub const OUTLINE: Color32 = Color32::from_rgb(98, 111, 132);

    /// What is to be read.
    pub const TEXT: Color32 = Color32::from_rgb(240, 243, 247);
    /// What explains.
    pub const TEXT_MUTED: Color32 = Color32::from_rgb(168, 179, 196);
    /// What is not available now.
    pub const TEXT_DISABLED: Color32 = Color32::from_rgb(132, 143, 160);

    /// The one thing to do next.
    pub const ACCENT: Color32 = Color32::from_rgb(42, 98, 196);
    /// The same, under the pointer.
    pub const ACCENT_HOVER: Color32 = Color32::from_rgb(54, 112, 214);
    /// The same, pressed.
    pub const ACCENT_ACTIVE: Color32 = Color32::from_rgb(34, 84, 172);
    /// Text and icons in the accent's hue, on any ground.
    pub const ACCENT_TEXT: Color32 = Color32::from_rgb(138, 180, 255);
    /// Text on the accent.
    pub const ON_ACCENT: Color32 = Color32::from_rgb(255, 255, 255);
    /// Where the keyboard is.
    pub const FOCUS: Color32 = Color32::from_rgb(160, 197, 255);

    /// Who speaks.
    pub const SPEAKING: Color32 = Color32::from_rgb(247, 201, 92);
    /// All is well.
    pub const GOOD: Color32 = Color32::from_rgb(96, 208, 152);
    /// Take note.
    pub const WARNING: Color32 = Color32::from_rgb(247, 178, 84);
    /// The ground of a banner that wants to be noticed.
    pub const WARNING_GROUND: Color32 = Color32::from_rgb(64, 46, 16);
    /// Off, failed, ended.
    pub const BAD: Color32 = Color32::from_rgb(255, 132, 130);
    /// The ground of what is off or failed.
    pub const BAD_GROUND: Color32 = Color32::from_rgb(68, 24, 28);
    /// The button that leaves.
    pub const DANGER: Color32 = Color32::from_rgb(190, 40, 48);
    /// The same, under the pointer.
    pub const DANGER_HOVER: Color32 = Color32::from_rgb(208, 54, 62);
    /// The same, pressed.
    pub const DANGER_ACTIVE: Color32 = Color32::from_rgb(164, 32, 40);

    /// The frame around everything while others see the own screen.
    pub const SHARING: Color32 = Color32::from_rgb(235, 60, 62);

    /// The ground of a tile without a picture.
    pub const TILE: Color32 = Color32::from_rgb(26, 31, 40);
    /// Lies over a picture so that words on it can be read.
    pub const SCRIM: Color32 = Color32::from_rgba_premultiplied(9, 11, 15, 243);
    /// Lies over a screen while a question is asked; the marking of the level stays readable through it.
    pub const BEHIND: Color32 = Color32::from_rgba_premultiplied(0, 0, 0, 90);
    /// Nothing.
    pub const CLEAR: Color32 = Color32::TRANSPARENT;

    /// Grounds of the round initials of people whose camera is off; each carries [`TEXT`].
    pub const PEOPLE: [Color32; 8] = [
        Color32::from_rgb(46, 76, 122),
        Color32::from_rgb(38, 92, 96),
        Color32::from_rgb(52, 92, 68),
        Color32::from_rgb(96, 80, 44),
        Color32::from_rgb(110, 64, 50),
        Color32::from_rgb(108, 54, 78),
        Color32::from_rgb(84, 62, 112),
        Color32::from_rgb(66, 72, 92),
    ];
}

/// Distances in points. Everything is a multiple of four.
pub mod space {
    /// Between a sign and its word.
    pub const XS: f32 = 4.0;
    /// Between things that belong together.
    pub const S: f32 = 8.0;
    /// Inside controls.
    pub const M: f32 = 12.0;
    /// Between groups.
    pub const L: f32 = 16.0;
    /// Inside cards.
    pub const XL: f32 = 24.0;
    /// Around screens.
    pub const XXL: f32 = 40.0;

    /// Height of a banner with the level.
    pub const BANNER: f32 = 28.0;
    /// Height of the head of the meeting.
    pub const HEADER: f32 = 48.0;
    /// Height of the bar with the controls.
    pub const BAR: f32 = 80.0;
    /// Width of the list of participants.
    pub const ROSTER: f32 = 320.0;
    /// Height of a button.
    pub const BUTTON: f32 = 40.0;
    /// Height of a button in a row of a list.
    pub const BUTTON_SMALL: f32 = 32.0;
    /// Height of a large button.
    pub const BUTTON_LARGE: f32 = 52.0;
    /// Between tiles.
    pub const TILES: f32 = 8.0;
}

/// Corner radii in points.
pub mod radius {
    /// Small marks.
    pub const S: u8 = 4;
    /// Controls.
    pub const M: u8 = 8;
    /// Cards and tiles.
    pub const L: u8 = 12;
}

/// Names of the embedded fonts.
const REGULAR: &str = "Inter";
const MEDIUM: &str = "Inter Medium";
const SEMI_BOLD: &str = "Inter SemiBold";

/// Sizes and weights of text by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The name of the app on its home screen.
    Display,
    /// The head of a screen.
    Title,
    /// The head of a card or panel, and the marking of the level.
    Heading,
    /// What is to be read.
    Body,
    /// What is to be read, stressed: names, buttons.
    Strong,
    /// What explains.
    Small,
    /// Small, stressed.
    SmallStrong,
    /// On the smallest tiles.
    Tiny,
    /// A word that is read aloud across a room.
    Word,
}

impl Type {
    /// The font.
    pub fn font(self) -> FontId {
        let named = |name: &'static str| FontFamily::Name(name.into());
        match self {
            Self::Display => FontId::new(34.0, named(SEMI_BOLD)),
            Self::Title => FontId::new(24.0, named(SEMI_BOLD)),
            Self::Heading => FontId::new(16.0, named(SEMI_BOLD)),
            Self::Body => FontId::new(15.0, FontFamily::Proportional),
            Self::Strong => FontId::new(15.0, named(MEDIUM)),
            Self::Small => FontId::new(13.0, FontFamily::Proportional),
            Self::SmallStrong => FontId::new(13.0, named(MEDIUM)),
            Self::Word => FontId::new(22.0, named(SEMI_BOLD)),
            Self::Tiny => FontId::new(11.5, named(MEDIUM)),
        }
    }
}

/// The ground and the text of the banner of a level.
///
/// No rule gives colours to the levels, so meaning is bound to the text and the colour only helps to tell them apart.
pub fn level_colours(level: Level) -> (Color32, Color32) {
    let white = colour::ON_ACCENT;
    match level {
        Level::Unclassified => (Color32::from_rgb(52, 60, 74), white),
        Level::Restricted => (Color32::from_rgb(22, 88, 132), white),
        Level::Confidential => (Color32::from_rgb(20, 104, 76), white),
        Level::Secret => (Color32::from_rgb(162, 34, 44), white),
        Level::TopSecret => (Color32::from_rgb(240, 184, 64), Color32::from_rgb(24, 18, 4)),
    }
}

/// The ground for the initials of a person; the same for the same name.
pub fn person_colour(name: &str) -> Color32 {
    let sum = name.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    colour::PEOPLE[sum % colour::PEOPLE.len()]
}

/// Gives a context the fonts and the style.
pub fn install(ctx: &Context) {
    ctx.set_theme(egui::Theme::Dark);
    ctx.set_fonts(fonts());
    ctx.all_styles_mut(style);
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let embedded: [(&str, &'static [u8]); 3] = [
        (REGULAR, include_bytes!("../../../assets/fonts/Inter-Regular.ttf")),
        (MEDIUM, include_bytes!("../../../assets/fonts/Inter-Medium.ttf")),
        (SEMI_BOLD, include_bytes!("../../../assets/fonts/Inter-SemiBold.ttf")),
    ];
    for (name, bytes) in embedded {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        let chain = std::iter::once(name.to_owned()).chain(fallback.iter().cloned()).collect::<Vec<_>>();
        if name == REGULAR {
            fonts.families.insert(FontFamily::Proportional, chain);
        } else {
            fonts.families.insert(FontFamily::Name(name.into()), chain);
        }
    }
    fonts
}

fn style(style: &mut Style) {
    style.text_styles = [
        (TextStyle::Heading, Type::Heading),
        (TextStyle::Body, Type::Body),
        (TextStyle::Button, Type::Strong),
        (TextStyle::Small, Type::Small),
        (TextStyle::Monospace, Type::Body),
    ]
    .into_iter()
    .map(|(style, kind)| (style, kind.font()))
    .collect();
    style.spacing.item_spacing = Vec2::new(space::S, space::S);
    style.spacing.button_padding = Vec2::new(space::M, 9.0);
    style.spacing.interact_size = Vec2::new(space::BUTTON, space::BUTTON);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.icon_width = 20.0;
    style.spacing.icon_width_inner = 12.0;
    style.spacing.icon_spacing = space::S;
    style.spacing.scroll.floating = true;
    style.spacing.scroll.foreground_color = false;
    style.interaction.selectable_labels = false;

    let visuals = &mut style.visuals;
    visuals.dark_mode = true;
    visuals.override_text_color = None;
    visuals.panel_fill = colour::CANVAS;
    visuals.window_fill = colour::SURFACE;
    visuals.extreme_bg_color = colour::FIELD;
    visuals.text_edit_bg_color = Some(colour::FIELD);
    visuals.faint_bg_color = colour::SURFACE;
    visuals.weak_text_color = Some(colour::TEXT_MUTED);
    visuals.hyperlink_color = colour::ACCENT_TEXT;
    visuals.warn_fg_color = colour::WARNING;
    visuals.error_fg_color = colour::BAD;
    visuals.window_stroke = Stroke::new(1.0, colour::LINE);
    visuals.window_corner_radius = CornerRadius::same(radius::L);
    visuals.menu_corner_radius = CornerRadius::same(radius::M);
    visuals.popup_shadow = Shadow { offset: [0, 6], blur: 18, spread: 0, color: Color32::from_black_alpha(120) };
    visuals.selection = Selection { bg_fill: colour::ACCENT, stroke: Stroke::new(1.0, colour::ON_ACCENT) };
    let control = |fill: Color32, outline: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, outline),
        corner_radius: CornerRadius::same(radius::M),
        fg_stroke: Stroke::new(1.5, text),
        expansion: 0.0,
    };
    visuals.widgets = Widgets {
        noninteractive: control(colour::SURFACE, colour::LINE, colour::TEXT),
        inactive: control(colour::RAISED, colour::OUTLINE, colour::TEXT),
        hovered: control(colour::RAISED_HOVER, colour::OUTLINE, colour::TEXT),
        active: control(colour::RAISED_ACTIVE, colour::FOCUS, colour::TEXT),
        open: control(colour::RAISED_ACTIVE, colour::OUTLINE, colour::TEXT),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: Color32) -> f32 {
        let linear = |value: u8| {
            let value = f32::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_ground_it_is_used_on() {
        let grounds = [colour::CANVAS, colour::SURFACE, colour::RAISED, colour::FIELD, colour::TILE];
        let texts = [colour::TEXT, colour::TEXT_MUTED, colour::ACCENT_TEXT, colour::GOOD, colour::WARNING, colour::BAD];
        let mut pairs: Vec<(Color32, Color32)> =
            grounds.iter().flat_map(|ground| texts.iter().map(|text| (*ground, *text))).collect();
        pairs.extend(colour::PEOPLE.map(|ground| (ground, colour::TEXT)));
        pairs.extend(Level::ALL.map(level_colours));
        pairs.extend(
            [colour::ACCENT, colour::ACCENT_ACTIVE, colour::DANGER, colour::DANGER_HOVER]
                .map(|ground| (ground, colour::ON_ACCENT)),
        );
        pairs.extend([(colour::WARNING_GROUND, colour::TEXT), (colour::BAD_GROUND, colour::BAD)]);
        pairs.extend([(colour::RAISED, colour::TEXT_DISABLED), (colour::ACCENT_HOVER, colour::ON_ACCENT)]);
        for (ground, text) in pairs {
            let found = contrast(ground, text);
            assert!(found >= 4.5, "{text:?} on {ground:?} has a contrast of {found:.2}");
        }
    }

    #[test]
    fn outlines_and_lights_stand_out_from_their_ground() {
        for mark in [colour::OUTLINE, colour::FOCUS, colour::SPEAKING, colour::SHARING] {
            assert!(contrast(colour::SURFACE, mark) >= 3.0, "{mark:?}");
        }
    }

    #[test]
    fn each_level_has_its_own_ground() {
        for (index, level) in Level::ALL.into_iter().enumerate() {
            for other in &Level::ALL[..index] {
                assert_ne!(level_colours(level).0, level_colours(*other).0);
            }
        }
    }
}
