//! Pictures of people, drawn by the graphics card.
//!
//! A [`Picture`] is three planes of bytes. They are uploaded as three one-channel textures, and a fragment shader makes
//! RGB of them, so no thread of ours ever converts a pixel. Each track keeps its textures; a plane is uploaded only
//! when its generation is new, and only the newest is ever offered. The graphics interface is known to the file
//! `video::gl` alone.

mod gl;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use conclave_model::{LeafIndex, Picture, TrackKind};
use egui::{Rect, Vec2};

use crate::layout;

/// Names the textures of one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Canvas {
    /// The own camera.
    Own,
    /// A member's track.
    Member(LeafIndex, TrackKind),
}

/// A picture to show, and which one of its track it is.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Whose textures it goes to.
    pub canvas: Canvas,
    /// Grows with each picture of the track.
    pub generation: u64,
    /// The picture.
    pub picture: Arc<Picture>,
}

/// The textures of all tracks and the program that draws them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Screenery {
    // Taken by the thread that paints and by no other, so nobody ever waits for it.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    program: Program,
    textures: HashMap<Canvas, Textures>,
}

/// The program on the graphics card.
#[derive(Default)]
enum Program {
    /// Nothing was drawn yet.
    #[default]
    NotMade,
    Ready(gl::Program),
    /// The driver refused it; said once in the log.
    Refused,
}

struct Textures {
    planes: gl::Planes,
    generation: u64,
    used: bool,
}

/// How to draw a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement {
    /// The part of the picture, in texture coordinates.
    pub(crate) part: Rect,
    /// Whether left and right change places, as in a mirror.
    pub(crate) mirrored: bool,
    /// Size of the place on the screen, in pixels.
    pub(crate) size: Vec2,
    /// Radius of its corners, in pixels.
    pub(crate) radius: f32,
}

impl Screenery {
    /// Shows a picture in `rect`, cropped to its proportions, with round corners of `radius` points.
    pub fn show(&self, painter: &egui::Painter, rect: Rect, shown: &Shown, mirrored: bool, radius: f32) {
        let pixels_per_point = painter.pixels_per_point();
        let pixels = Vec2::new(shown.picture.width() as f32, shown.picture.height() as f32);
        let placement = Placement {
            part: layout::crop(pixels, rect.size()),
            mirrored,
            size: rect.size() * pixels_per_point,
            radius: radius * pixels_per_point,
        };
        self.draw(painter, rect, shown, placement);
    }

    /// Shows the `part` of a picture, in parts of its sides, in `rect`, with corners.
    pub fn show_part(&self, painter: &egui::Painter, rect: Rect, shown: &Shown, part: Rect) {
        let size = rect.size() * painter.pixels_per_point();
        self.draw(painter, rect, shown, Placement { part, mirrored: false, size, radius: 0.0 });
    }

    fn draw(&self, painter: &egui::Painter, rect: Rect, shown: &Shown, placement: Placement) {
        let (state, shown) = (Arc::clone(&self.state), shown.clone());
        let callback = eframe::egui_glow::CallbackFn::new(move |_info, painter| {
            state.lock().unwrap_or_else(PoisonError::into_inner).draw(painter.gl(), &shown, placement);
        });
        painter.add(egui::PaintCallback { rect, callback: Arc::new(callback) });
    }

    /// Frees the textures of tracks that were not drawn since the last call.
    pub fn forget_unused(&self, gl: &eframe::glow::Context) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.textures.retain(|_, textures| {
            if !textures.used {
                textures.planes.delete(gl);
            }
            std::mem::take(&mut textures.used)
        });
    }

    /// Frees everything.
    pub fn close(&self, gl: &eframe::glow::Context) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, textures) in state.textures.drain() {
            textures.planes.delete(gl);
        }
        if let Program::Ready(program) = std::mem::take(&mut state.program) {
            program.delete(gl);
        }
    }
}

impl std::fmt::Debug for Screenery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screenery").finish_non_exhaustive()
    }
}

impl State {
    fn draw(&mut self, gl: &eframe::glow::Context, shown: &Shown, placement: Placement) {
        if matches!(self.program, Program::NotMade) {
            self.program = match gl::Program::new(gl) {
                Ok(program) => Program::Ready(program),
                Err(error) => {
                    tracing::error!(%error, "the graphics driver cannot draw pictures");
                    Program::Refused
                }
            };
        }
        let Program::Ready(program) = &self.program else { return };
        let size = [shown.picture.width(), shown.picture.height()];
        if let Some(old) = self.textures.get(&shown.canvas)
            && old.planes.size() != size
        {
            old.planes.delete(gl);
            self.textures.remove(&shown.canvas);
        }
        let textures = match self.textures.entry(shown.canvas) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let Some(planes) = gl::Planes::new(gl, size) else { return };
                entry.insert(Textures { planes, generation: u64::MAX, used: true })
            }
        };
        if textures.generation != shown.generation {
            textures.planes.upload(gl, &shown.picture);
            textures.generation = shown.generation;
        }
        textures.used = true;
        program.draw(gl, &textures.planes, placement);
    }
}
