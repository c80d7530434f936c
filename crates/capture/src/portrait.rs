//! The drawn delegate of test cameras: a flat illustration that breathes, looks around and speaks.

mod canvas;
mod figure;
mod label;

use conclave_model::{MediaTime, Picture};

use self::{
    canvas::{Canvas, Colour, Ellipse},
    figure::Figure,
    label::Label,
};
use crate::{
    CaptureError, Marker, TestPerson, Turns,
    camera::CameraWish,
    marker::{strip_height, write_marker},
    voice::{articulate, hash},
};

/// Draws one delegate at one size; everything that does not move is drawn once.
#[derive(Debug)]
pub struct Portrait {
    background: Picture,
    figure: Figure,
    label: Label,
    seed: u64,
    turns: Turns,
}

impl Portrait {
    /// Prepares a picture of `width` × `height` pixels.
    ///
    /// # Errors
    /// [`CaptureError::Wish`] for a side below 16 or above 4096.
    pub fn new(person: &TestPerson, width: u32, height: u32) -> Result<Self, CaptureError> {
        CameraWish { width, height, frames_per_second: 30 }.check()?;
        let mut background = Picture::black(width, height, MediaTime(0)).map_err(|_| CaptureError::Wish {
            width,
            height,
            frames_per_second: 30,
        })?;
        draw_background(&mut background, seat_colour(&person.seat));
        Ok(Self {
            background,
            figure: Figure::new(person.seed, width, height),
            label: Label::new(&person.name, &person.seat, width, height - strip_height(width, height)),
            seed: person.seed,
            turns: person.turns,
        })
    }

    /// Draws picture `number`, taken at `time`: about 0.3 ms at 640×360.
    pub fn draw(&self, number: u32, time: MediaTime) -> Picture {
        let mut picture = self.background.clone();
        picture.time = time;
        let mut canvas = Canvas::new(&mut picture);
        self.figure.draw(&mut canvas, &articulate(self.seed, self.turns, time), time);
        self.label.draw(&mut canvas);
        write_marker(&mut picture, Marker { number, time });
        picture
    }
}

/// A quiet colour for each seat, the same everywhere.
fn seat_colour(seat: &str) -> Colour {
    const PALETTE: [[u8; 3]; 12] = [
        [52, 84, 122],
        [38, 104, 112],
        [112, 62, 78],
        [62, 98, 74],
        [92, 74, 118],
        [138, 100, 58],
        [70, 92, 104],
        [128, 78, 60],
        [54, 78, 98],
        [98, 106, 66],
        [104, 70, 96],
        [46, 94, 132],
    ];
    let number = seat.bytes().fold(7_u64, |number, byte| hash(number ^ u64::from(byte)));
    Colour::rgb(PALETTE[(number % PALETTE.len() as u64) as usize])
}

/// A soft light behind the head on a gradient of the seat's colour, with two calm panels.
fn draw_background(picture: &mut Picture, colour: Colour) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let mut canvas = Canvas::new(picture);
    let (top, bottom) = (colour.mix(Colour::WHITE, 0.30), colour.mix(Colour::BLACK, 0.35));
    for row in 0..height as u32 {
        let at = row as f32 / height;
        canvas.fill(top.mix(bottom, at), 1.0, (row as f32, row as f32 + 1.0), |_| Some((0.0, width)));
    }
    for (left, right) in [(0.06, 0.24), (0.76, 0.94)] {
        canvas.fill(Colour::WHITE, 0.045, (height * 0.08, height), |_| Some((width * left, width * right)));
        canvas.fill(Colour::WHITE, 0.03, (height * 0.10, height), |_| {
            Some((width * (left + 0.008), width * (right - 0.008)))
        });
    }
    for step in 0..24 {
        let radius = height * (0.26 + 0.016 * step as f32);
        canvas.ellipse(
            Colour::WHITE,
            0.011,
            Ellipse { x: width / 2.0, y: height * 0.42, across: radius * 1.1, down: radius },
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{read_marker, worker::now};

    const TIME: MediaTime = MediaTime(1_763_900_000_000_000);

    fn person(seed: u64) -> TestPerson {
        TestPerson { name: "Anna Virtanen".into(), seat: "Finland".into(), seed, turns: Turns::ALWAYS }
    }

    #[test]
    fn every_portrait_carries_its_number_and_time() {
        for (width, height) in [(320, 180), (640, 360), (1280, 720), (640, 480)] {
            let portrait = Portrait::new(&person(2), width, height).expect("a usual size");
            let picture = portrait.draw(41, TIME);
            assert_eq!((picture.width(), picture.height(), picture.time), (width, height, TIME));
            assert_eq!(read_marker(&picture), Some(Marker { number: 41, time: TIME }));
        }
    }

    #[test]
    fn odd_and_tiny_sizes_are_drawn_and_absurd_ones_refused() {
        for (width, height) in [(16, 16), (17, 31), (161, 91), (99, 400), (1000, 60)] {
            Portrait::new(&person(3), width, height).expect("a size").draw(0, TIME);
        }
        for (width, height) in [(0, 0), (15, 100), (5000, 100)] {
            assert!(matches!(Portrait::new(&person(3), width, height), Err(CaptureError::Wish { .. })));
        }
    }

    #[test]
    fn the_portrait_moves_and_two_delegates_differ() {
        let difference = |a: &Picture, b: &Picture| {
            a.planes()[0].iter().zip(b.planes()[0]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        let (one, two) = (person(1), person(2));
        let [one, two] = [one, two].map(|person| Portrait::new(&person, 320, 180).expect("a usual size"));
        let now = one.draw(0, TIME);
        assert!(difference(&now, &one.draw(0, TIME + Duration::from_millis(700))) > 10_000);
        assert!(difference(&now, &two.draw(0, TIME)) > 100_000);
    }

    #[test]
    fn long_and_foreign_names_are_fitted_into_the_picture() {
        for name in ["", "Κυριάκος Παπαδόπουλος", "Željko Ćosić", "\u{202e}\u{0}\u{1F600}", &"long name ".repeat(40)]
        {
            let person = TestPerson { name: name.to_owned(), ..person(4) };
            Portrait::new(&person, 320, 180).expect("a usual size").draw(0, TIME);
        }
    }

    #[test]
    fn drawing_takes_little_of_a_frame() {
        let portrait = Portrait::new(&person(5), 640, 360).expect("a usual size");
        let mut times: Vec<_> = (0..200)
            .map(|number| {
                let began = now();
                std::hint::black_box(portrait.draw(number, TIME + Duration::from_millis(33 * u64::from(number))));
                began.elapsed()
            })
            .collect();
        times.sort();
        // Measured: 0.3 ms; the bound leaves room for a busy machine.
        assert!(times[100] < Duration::from_millis(5), "median {:?}", times[100]);
    }
}
