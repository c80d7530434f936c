//! Writes portraits of test delegates as Y4M, to look at: `portraits WIDTH HEIGHT FRAMES > out.y4m`.
#![allow(clippy::unwrap_used)]

use std::{io::Write, time::Duration};

use conclave_capture::{TestPerson, Turns, portrait::Portrait};
use conclave_model::MediaTime;

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let [width, height, frames] = numbers[..] else { panic!("portraits WIDTH HEIGHT FRAMES") };
    let mut out = std::io::stdout().lock();
    writeln!(out, "YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg").unwrap();
    let people = [
        ("Anna Virtanen", "Finland"),
        ("Luis Ortega", "Spain"),
        ("Marie Lefèvre", "France"),
        ("Jan Novák", "Czechia"),
        ("Elena Papadopoulou", "Greece"),
        ("Henrik Sørensen", "Denmark"),
        ("Ieva Ozola", "Latvia"),
        ("Tom", "European Commission"),
    ];
    for (seed, (name, seat)) in people.iter().enumerate() {
        let person = TestPerson { name: (*name).into(), seat: (*seat).into(), seed: seed as u64, turns: Turns::ALWAYS };
        let portrait = Portrait::new(&person, width, height).unwrap();
        for frame in 0..frames {
            let time = MediaTime(1_763_900_001_000_000) + Duration::from_millis(u64::from(frame) * 33);
            let picture = portrait.draw(frame, time);
            writeln!(out, "FRAME").unwrap();
            picture.planes().iter().for_each(|plane| out.write_all(plane).unwrap());
        }
    }
}
