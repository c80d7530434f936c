//! Where tiles go.
//!
//! Pure arithmetic on rectangles: the same count and area give the same tiles, so nothing jumps while people talk.

use egui::{Pos2, Rect, Vec2};

/// The narrowest and widest that a tile may be, as width over height. Pictures are 16:9 and are cropped to the tile,
/// so a face in the middle stays whole in this range.
const NARROWEST: f32 = 1.33;
const WIDEST: f32 = 1.9;

/// The shape of a tile beside a shared screen.
const WIDE: f32 = 16.0 / 9.0;

/// Lays `count` equal tiles into `area` with `gap` between them.
///
/// The number of columns is the one that gives the largest tiles; a last row that is not full stands in the middle.
/// Returns one rectangle per tile in reading order, all inside `area`, none overlapping; nothing for an area without
/// room. O(count²).
pub fn tiles(count: usize, area: Rect, gap: f32) -> Vec<Rect> {
    let Some((columns, size)) = (1..=count)
        .filter_map(|columns| tile_size(count, columns, area.size(), gap).map(|size| (columns, size)))
        .max_by(|a, b| merit(a.1).total_cmp(&merit(b.1)))
    else {
        return Vec::new();
    };
    let rows = count.div_ceil(columns);
    let height = total(rows, size.y, gap);
    let top = area.center().y - height / 2.0;
    (0..count)
        .map(|index| {
            let row = index / columns;
            let in_row = if row + 1 == rows { count - row * columns } else { columns };
            let left = area.center().x - total(in_row, size.x, gap) / 2.0;
            let column = index % columns;
            let min = Pos2::new(left + column as f32 * (size.x + gap), top + row as f32 * (size.y + gap));
            Rect::from_min_size(min, size)
        })
        .collect()
}

/// Where a shared screen and the people beside it go.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// The screen.
    pub screen: Rect,
    /// As many tiles as there is room for, in order, at the right or below.
    pub tiles: Vec<Rect>,
}

/// Divides `area` between a shared screen and up to `count` tiles with `gap` between them.
///
/// The tiles stand in a column at the right or in a row below, whichever leaves a 16:9 screen more room.
pub fn beside(count: usize, area: Rect, gap: f32) -> Beside {
    if count == 0 {
        return Beside { screen: area, tiles: Vec::new() };
    }
    let width = (area.width() * 0.16).clamp(132.0, 260.0).min(area.width());
    let (screen, column) = area.split_left_right_at_x(area.right() - width);
    let right = Beside { screen: screen.with_max_x(screen.right() - gap), tiles: column_of(count, column, gap) };
    let height = (area.height() * 0.2).clamp(72.0, 130.0).min(area.height());
    let (screen, row) = area.split_top_bottom_at_y(area.bottom() - height);
    let below = Beside { screen: screen.with_max_y(screen.bottom() - gap), tiles: row_of(count, row, gap) };
    let room = |beside: &Beside| {
        let size = fit(Vec2::new(16.0, 9.0), beside.screen).size();
        size.x * size.y
    };
    if room(&right) >= room(&below) { right } else { below }
}

fn column_of(count: usize, area: Rect, gap: f32) -> Vec<Rect> {
    let size = Vec2::new(area.width(), area.width() / WIDE);
    let fits = (((area.height() + gap) / (size.y + gap)) as usize).min(count);
    let top = area.center().y - total(fits, size.y, gap) / 2.0;
    let at = |index: usize| Pos2::new(area.left(), top + index as f32 * (size.y + gap));
    (0..fits).map(|index| Rect::from_min_size(at(index), size)).collect()
}

fn row_of(count: usize, area: Rect, gap: f32) -> Vec<Rect> {
    let size = Vec2::new(area.height() * WIDE, area.height());
    let fits = (((area.width() + gap) / (size.x + gap)) as usize).min(count);
    let left = area.center().x - total(fits, size.x, gap) / 2.0;
    let at = |index: usize| Pos2::new(left + index as f32 * (size.x + gap), area.top());
    (0..fits).map(|index| Rect::from_min_size(at(index), size)).collect()
}

/// The largest place for a picture of `picture` pixels in the middle of `area`, without distortion.
pub fn fit(picture: Vec2, area: Rect) -> Rect {
    if picture.x <= 0.0 || picture.y <= 0.0 {
        return area;
    }
    let scale = (area.width() / picture.x).min(area.height() / picture.y).max(0.0);
    Rect::from_center_size(area.center(), picture * scale)
}

/// The people beside a shared screen where there are `places`: those at the table first, and who speaks in any case.
///
/// Returns their numbers in the order of the table; with fewer places than people the last place is left to say so.
pub fn seated(speaking: &[bool], places: usize) -> Vec<usize> {
    if speaking.len() <= places {
        return (0..speaking.len()).collect();
    }
    let places = places.saturating_sub(1);
    let mut shown: Vec<usize> = (0..places).collect();
    for speaker in (places..speaking.len()).filter(|number| speaking[*number]) {
        // The last of those who are silent makes room.
        let Some(silent) = shown.iter().rposition(|number| !speaking[*number]) else { break };
        shown.remove(silent);
        shown.push(speaker);
    }
    shown.sort_unstable();
    shown
}

/// The part of a picture of `picture` pixels that fills a tile of the size `tile` without distortion: the rectangle
/// in texture coordinates, 0 to 1, that is left after what stands over is cut off evenly.
pub fn crop(picture: Vec2, tile: Vec2) -> Rect {
    if picture.x <= 0.0 || picture.y <= 0.0 || tile.x <= 0.0 || tile.y <= 0.0 {
        return Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
    }
    let (picture, tile) = (picture.x / picture.y, tile.x / tile.y);
    let part = if picture > tile { Vec2::new(tile / picture, 1.0) } else { Vec2::new(1.0, picture / tile) };
    Rect::from_center_size(Pos2::new(0.5, 0.5), part)
}

/// The size that each of `count` tiles has in this many columns; `None` without room.
fn tile_size(count: usize, columns: usize, area: Vec2, gap: f32) -> Option<Vec2> {
    let rows = count.div_ceil(columns);
    let cell = |length: f32, parts: usize| (length - gap * (parts - 1) as f32) / parts as f32;
    let (width, height) = (cell(area.x, columns), cell(area.y, rows));
    if width < 1.0 || height < 1.0 {
        return None;
    }
    Some(Vec2::new(width.min(height * WIDEST), height.min(width / NARROWEST)))
}

/// How much of a 16:9 picture is seen, and how large.
fn merit(size: Vec2) -> f32 {
    (size.x * 9.0 / 16.0).min(size.y).powi(2) + size.x * size.y * 0.25
}

fn total(parts: usize, size: f32, gap: f32) -> f32 {
    parts as f32 * size + parts.saturating_sub(1) as f32 * gap
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f32 = 8.0;

    fn area(width: f32, height: f32) -> Rect {
        Rect::from_min_size(Pos2::new(16.0, 76.0), Vec2::new(width, height))
    }

    #[test]
    fn tiles_fit_and_never_overlap() {
        for count in 1..=40 {
            for (width, height) in [(1248.0, 520.0), (928.0, 520.0), (1888.0, 880.0), (500.0, 900.0), (300.0, 200.0)] {
                let area = area(width, height);
                let tiles = tiles(count, area, GAP);
                assert_eq!(tiles.len(), count);
                for (index, tile) in tiles.iter().enumerate() {
                    assert!(area.expand(0.01).contains_rect(*tile), "{count} in {width}x{height}: {tile:?}");
                    assert!((NARROWEST - 0.01..=WIDEST + 0.01).contains(&(tile.width() / tile.height())));
                    for other in &tiles[..index] {
                        assert!(!tile.shrink(0.01).intersects(other.shrink(0.01)), "{count}: {tile:?} on {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_full_council_still_has_tiles_to_read() {
        let tiles = tiles(27, area(1248.0, 520.0), GAP);
        assert!(tiles[0].height() >= 96.0, "{:?}", tiles[0]);
    }

    #[test]
    fn one_person_gets_the_room() {
        let area = area(1248.0, 520.0);
        assert!(tiles(1, area, GAP)[0].height() >= 519.0);
    }

    #[test]
    fn six_stand_in_two_rows_of_three() {
        let tiles = tiles(6, area(1248.0, 520.0), GAP);
        assert!((tiles[2].top() - tiles[0].top()).abs() < 0.01);
        assert!(tiles[3].top() > tiles[0].bottom());
    }

    #[test]
    fn a_last_row_that_is_not_full_stands_in_the_middle() {
        let area = area(1248.0, 520.0);
        let tiles = tiles(5, area, GAP);
        let last = tiles[3].union(tiles[4]);
        assert!((last.center().x - area.center().x).abs() < 0.01);
    }

    #[test]
    fn no_room_gives_no_tiles() {
        assert!(tiles(9, area(0.0, 100.0), GAP).is_empty());
        assert!(tiles(0, area(100.0, 100.0), GAP).is_empty());
    }

    #[test]
    fn pictures_are_cut_evenly_and_keep_their_proportions() {
        let part = crop(Vec2::new(1280.0, 720.0), Vec2::new(100.0, 100.0));
        assert!((part.width() - 9.0 / 16.0).abs() < 1e-5 && (part.height() - 1.0).abs() < 1e-5);
        assert!((part.center().x - 0.5).abs() < 1e-5);
        let part = crop(Vec2::new(640.0, 480.0), Vec2::new(160.0, 90.0));
        assert!((part.height() - 0.75).abs() < 1e-5 && (part.width() - 1.0).abs() < 1e-5);
        assert_eq!(crop(Vec2::ZERO, Vec2::new(1.0, 1.0)).width(), 1.0);
    }

    #[test]
    fn a_shared_screen_has_most_of_the_room_and_tiles_never_overlap_it() {
        for count in [1, 2, 6, 27] {
            for (width, height) in [(1248.0, 520.0), (768.0, 360.0), (1888.0, 880.0), (448.0, 360.0), (500.0, 900.0)] {
                let area = area(width, height);
                let Beside { screen, tiles } = beside(count, area, GAP);
                let shown = fit(Vec2::new(1920.0, 1080.0), screen);
                assert!(
                    shown.area() * 1.7 > fit(Vec2::new(1920.0, 1080.0), area).area(),
                    "{count} in {width}x{height}"
                );
                assert!(!tiles.is_empty() && tiles.len() <= count);
                for (index, tile) in tiles.iter().enumerate() {
                    assert!(area.expand(0.01).contains_rect(*tile), "{count} in {width}x{height}: {tile:?}");
                    assert!(!tile.shrink(0.01).intersects(screen), "{count} in {width}x{height}: {tile:?}");
                    assert!(tiles[..index].iter().all(|other| !other.shrink(0.01).intersects(*tile)));
                }
            }
        }
    }

    #[test]
    fn who_speaks_is_seen_beside_a_shared_screen() {
        let mut speaking = [false; 8];
        assert_eq!(seated(&speaking[..3], 4), [0, 1, 2]);
        assert_eq!(seated(&speaking, 4), [0, 1, 2], "one place says how many more there are");
        speaking[6] = true;
        assert_eq!(seated(&speaking, 4), [0, 1, 6]);
        speaking[1] = true;
        speaking[7] = true;
        assert_eq!(seated(&speaking, 4), [1, 6, 7]);
        assert_eq!(seated(&[true; 8], 3), [0, 1]);
        assert!(seated(&speaking, 0).is_empty());
    }
}
