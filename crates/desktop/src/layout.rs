//! Where tiles go.
//!
//! Pure arithmetic on rectangles: the same count and area give the same tiles, so nothing jumps while people talk.

use egui::{Pos2, Rect, Vec2};

/// The narrowest and widest that a tile may be, as width over height. Pictures are 16:9 and are cropped to the tile,
/// so a face in the middle stays whole in this range.
const NARROWEST: f32 = 1.33;
const WIDEST: f32 = 1.9;

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
}
