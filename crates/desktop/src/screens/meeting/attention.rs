//! Which pictures are asked for: those that are on the screen, as high as they are shown, the most important first.

use conclave_client::Watched;
use conclave_model::{LeafIndex, TrackKind};
use egui::Rect;

use super::screen;
use crate::{layout, theme::space};

/// Between two lists are at least so many seconds, so that neither a window that is being pulled nor a lively discussion
/// floods the relay.
const PAUSE: f64 = 0.5;

/// Heights are rounded up to whole steps of so many pixels.
const STEP: f32 = 20.0;

/// How many of those who spoke last stand before all others.
const REMEMBERED: usize = 4;

/// Somebody in the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their place in the group.
    pub leaf: LeafIndex,
    /// Whether it is the person in front of the screen.
    pub mine: bool,
    /// Whether they speak.
    pub speaking: bool,
}

/// Where pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The part of the window, in points.
    pub area: Rect,
    /// Physical pixels in a point.
    pub pixels_per_point: f32,
    /// Whose screen is shown, and whether pixel by pixel.
    pub screen: Option<(LeafIndex, bool)>,
}

/// Remembers who spoke and what was asked for.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// Who spoke last, newest first.
    recent: Vec<LeafIndex>,
    asked: Option<(Vec<Watched>, f64)>,
}

impl Attention {
    /// What to ask for at `now`, in seconds on any clock that only grows; `None` where that is no news, or too soon.
    pub fn news(&mut self, people: &[Person], place: &Place, now: f64) -> Option<Vec<Watched>> {
        self.listen(people);
        let wanted = self.wanted(people, place);
        let is_news = self.asked.as_ref().is_none_or(|(asked, at)| *asked != wanted && now - at >= PAUSE);
        is_news.then_some(wanted)
    }

    /// What [`Self::news`] said has been asked for, at `now`.
    pub fn asked(&mut self, watched: Vec<Watched>, now: f64) {
        self.asked = Some((watched, now));
    }

    /// Who begins to speak comes first; who goes on while others fall in stays where they are.
    fn listen(&mut self, people: &[Person]) {
        let speaks = |leaf: &LeafIndex| people.iter().any(|person| person.leaf == *leaf && person.speaking);
        if !self.recent.first().is_some_and(speaks)
            && let Some(speaker) = people.iter().find(|person| person.speaking && !person.mine)
        {
            self.recent.retain(|leaf| *leaf != speaker.leaf);
            self.recent.insert(0, speaker.leaf);
            self.recent.truncate(REMEMBERED);
        }
    }

    fn wanted(&self, people: &[Person], place: &Place) -> Vec<Watched> {
        let pixels = |points: f32| ((points * place.pixels_per_point / STEP).ceil() * STEP).min(4320.0) as u16;
        let (shown, screen): (Vec<(Person, Rect)>, _) = match place.screen {
            Some((leaf, pixel_by_pixel)) => {
                let beside = layout::beside(people.len(), place.area, space::TILES);
                let speaking: Vec<bool> = people.iter().map(|person| person.speaking).collect();
                let seated = layout::seated(&speaking, beside.tiles.len());
                let shown = seated.into_iter().filter_map(|number| people.get(number).copied()).zip(beside.tiles);
                let height = if pixel_by_pixel { f32::MAX } else { beside.screen.height() - screen::HEAD };
                let screen = Watched { leaf, track: TrackKind::Screen, height: pixels(height) };
                (shown.collect(), Some(screen))
            }
            None => {
                let tiles = layout::tiles(people.len(), place.area, space::TILES);
                (people.iter().copied().zip(tiles).collect(), None)
            }
        };
        let mut shown: Vec<_> = shown.into_iter().filter(|(person, _)| !person.mine).collect();
        let rank = |leaf: LeafIndex| self.recent.iter().position(|recent| *recent == leaf).unwrap_or(REMEMBERED);
        shown.sort_by_key(|(person, _)| rank(person.leaf));
        // A picture is 16:9 and fills its tile.
        let height = |rect: &Rect| pixels(rect.height().max(rect.width() * 9.0 / 16.0));
        let camera = |(person, rect): (Person, Rect)| Watched {
            leaf: person.leaf,
            track: TrackKind::Camera,
            height: height(&rect),
        };
        screen.into_iter().chain(shown.into_iter().map(camera)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use egui::{Pos2, Vec2};

    use super::*;

    fn people(count: u32, speaking: &[u32]) -> Vec<Person> {
        let person = |leaf| Person { leaf: LeafIndex(leaf), mine: leaf == 0, speaking: speaking.contains(&leaf) };
        (0..count).map(person).collect()
    }

    fn place(width: f32, height: f32) -> Place {
        let area = Rect::from_min_size(Pos2::ZERO, Vec2::new(width, height));
        Place { area, pixels_per_point: 2.0, screen: None }
    }

    fn leaves(watched: &[Watched]) -> Vec<u32> {
        watched.iter().map(|watched| watched.leaf.0).collect()
    }

    #[test]
    fn pictures_are_asked_for_as_high_as_they_are_shown_in_physical_pixels() {
        let mut attention = Attention::default();
        let watched = attention.news(&people(2, &[]), &place(1000.0, 300.0), 0.0).unwrap();
        // The tile is 496 × 300 points: narrower than 16:9, so the picture is as high as the tile, and cut at the sides.
        assert_eq!((leaves(&watched), watched[0].height), (vec![1], 600));
        // The tile is 570 × 300 points: wider than 16:9, so the picture is as wide as the tile, 320.6 points high.
        let wide = attention.news(&people(2, &[]), &place(2000.0, 300.0), 0.0).unwrap();
        assert_eq!(wide[0].height, 660);
        // Four columns and five rows of 215.8 × 113.6 points: as wide as the tile, 121.4 points high.
        let many = attention.news(&people(20, &[]), &place(1000.0, 600.0), 0.0).unwrap();
        assert_eq!(many.iter().map(|watched| watched.height).collect::<Vec<_>>(), [260; 19]);
    }

    #[test]
    fn who_speaks_comes_first_and_stays_there_until_another_begins() {
        let mut attention = Attention::default();
        let mut order =
            |speaking: &[u32]| leaves(&attention.news(&people(5, speaking), &place(900.0, 600.0), 0.0).unwrap());
        assert_eq!(order(&[]), [1, 2, 3, 4]);
        assert_eq!(order(&[3]), [3, 1, 2, 4]);
        assert_eq!(order(&[]), [3, 1, 2, 4]);
        assert_eq!(order(&[1, 3]), [3, 1, 2, 4], "somebody falls in");
        assert_eq!(order(&[1]), [1, 3, 2, 4]);
        assert_eq!(order(&[0]), [1, 3, 2, 4], "the own voice changes nothing");
    }

    #[test]
    fn beside_a_screen_only_who_is_shown_is_asked_for() {
        let mut attention = Attention::default();
        let place = Place { screen: Some((LeafIndex(2), false)), ..place(900.0, 500.0) };
        let watched = attention.news(&people(27, &[20]), &place, 0.0).unwrap();
        assert_eq!((watched[0].leaf, watched[0].track), (LeafIndex(2), TrackKind::Screen));
        assert!((500..1000).contains(&watched[0].height), "{watched:?}");
        assert!(watched.len() < 12 && watched[1].leaf == LeafIndex(20), "{watched:?}");
        let all = Place { screen: Some((LeafIndex(2), true)), ..place };
        assert_eq!(attention.news(&people(27, &[20]), &all, 0.0).unwrap()[0].height, 4320);
    }

    #[test]
    fn the_same_is_not_asked_twice_and_changes_wait_for_each_other() {
        let mut attention = Attention::default();
        let first = attention.news(&people(3, &[]), &place(900.0, 600.0), 10.0).unwrap();
        attention.asked(first, 10.0);
        assert_eq!(attention.news(&people(3, &[]), &place(900.0, 600.0), 20.0), None);
        assert_eq!(attention.news(&people(3, &[2]), &place(900.0, 600.0), 10.3), None);
        assert!(attention.news(&people(3, &[2]), &place(900.0, 600.0), 10.6).is_some());
    }
}
