//! The calls into the graphics card.
#![expect(unsafe_code, reason = "every call of the graphics interface is foreign code")]

use conclave_model::Picture;
use eframe::{
    egui_glow::ShaderVersion,
    glow::{self, HasContext as _},
};

use super::Placement;

/// Draws one quad over the whole viewport. It needs no buffer: the corner follows from its number.
const VERTEX: &str = r"
uniform vec4 u_part;
out vec2 v_texture;
out vec2 v_place;
void main() {
    vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
    v_place = corner;
    v_texture = mix(u_part.xy, u_part.zw, corner);
    gl_Position = vec4(corner.x * 2.0 - 1.0, 1.0 - corner.y * 2.0, 0.0, 1.0);
}
";

/// BT.709, limited range (ITU-R BT.709-6, item 3; the inverse of its luma and colour difference equations), to the
/// gamma-coded RGB that the framebuffer holds; then round corners with an edge of one pixel.
const FRAGMENT: &str = r"
uniform sampler2D u_y;
uniform sampler2D u_u;
uniform sampler2D u_v;
uniform vec2 u_size;
uniform float u_radius;
in vec2 v_texture;
in vec2 v_place;
out vec4 f_colour;
void main() {
    float y = (texture(u_y, v_texture).r * 255.0 - 16.0) / 219.0;
    float u = (texture(u_u, v_texture).r * 255.0 - 128.0) / 224.0;
    float v = (texture(u_v, v_texture).r * 255.0 - 128.0) / 224.0;
    vec3 colour = clamp(vec3(y + 1.5748 * v, y - 0.18732 * u - 0.46812 * v, y + 1.8556 * u), 0.0, 1.0);
    vec2 outside = abs(v_place * u_size - 0.5 * u_size) - (0.5 * u_size - u_radius);
    float distance = length(max(outside, 0.0)) + min(max(outside.x, outside.y), 0.0) - u_radius;
    float cover = clamp(0.5 - distance, 0.0, 1.0);
    f_colour = vec4(colour * cover, cover);
}
";

/// Why the pictures cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// The driver is too old.
    #[error("OpenGL 3.1 or OpenGL ES 3.0 is needed, the driver has {0:?}")]
    Version(ShaderVersion),
    /// The driver says no.
    #[error("the driver refused it: {0}")]
    Refused(String),
}

/// The linked program.
pub(super) struct Program {
    program: glow::Program,
    // Core profiles draw nothing without a vertex array, even an empty one.
    vertices: glow::VertexArray,
    part: Option<glow::UniformLocation>,
    size: Option<glow::UniformLocation>,
    radius: Option<glow::UniformLocation>,
}

impl Program {
    /// Compiles and links.
    pub(super) fn new(gl: &glow::Context) -> Result<Self, ProgramError> {
        let version = ShaderVersion::get(gl);
        let head = match version {
            ShaderVersion::Gl140 => "#version 140\n",
            ShaderVersion::Es300 => "#version 300 es\nprecision highp float;\nprecision highp int;\n",
            ShaderVersion::Gl120 | ShaderVersion::Es100 => return Err(ProgramError::Version(version)),
        };
        // SAFETY: the context is current on this thread, which is the one that paints; all names used are made here.
        unsafe {
            let program = gl.create_program().map_err(ProgramError::Refused)?;
            for (kind, source) in [(glow::VERTEX_SHADER, VERTEX), (glow::FRAGMENT_SHADER, FRAGMENT)] {
                let shader = gl.create_shader(kind).map_err(ProgramError::Refused)?;
                gl.shader_source(shader, &format!("{head}{source}"));
                gl.compile_shader(shader);
                if !gl.get_shader_compile_status(shader) {
                    return Err(ProgramError::Refused(gl.get_shader_info_log(shader)));
                }
                gl.attach_shader(program, shader);
                // Freed together with the program.
                gl.delete_shader(shader);
            }
            gl.link_program(program);
            if !gl.get_program_link_status(program) {
                return Err(ProgramError::Refused(gl.get_program_info_log(program)));
            }
            gl.use_program(Some(program));
            for (unit, name) in ["u_y", "u_u", "u_v"].into_iter().enumerate() {
                gl.uniform_1_i32(gl.get_uniform_location(program, name).as_ref(), unit as i32);
            }
            Ok(Self {
                program,
                vertices: gl.create_vertex_array().map_err(ProgramError::Refused)?,
                part: gl.get_uniform_location(program, "u_part"),
                size: gl.get_uniform_location(program, "u_size"),
                radius: gl.get_uniform_location(program, "u_radius"),
            })
        }
    }

    /// Draws into the current viewport.
    pub(super) fn draw(&self, gl: &glow::Context, planes: &Planes, place: Placement) {
        let (left, right) = if place.mirrored {
            (place.part.right(), place.part.left())
        } else {
            (place.part.left(), place.part.right())
        };
        // SAFETY: the context is current on this thread; program, vertices and textures were made in it and live.
        unsafe {
            gl.use_program(Some(self.program));
            gl.bind_vertex_array(Some(self.vertices));
            gl.uniform_4_f32(self.part.as_ref(), left, place.part.top(), right, place.part.bottom());
            gl.uniform_2_f32(self.size.as_ref(), place.size.x, place.size.y);
            gl.uniform_1_f32(self.radius.as_ref(), place.radius);
            for (unit, texture) in planes.textures.into_iter().enumerate() {
                gl.active_texture(glow::TEXTURE0 + unit as u32);
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
            }
            gl.draw_arrays(glow::TRIANGLE_STRIP, 0, 4);
            gl.bind_vertex_array(None);
            gl.active_texture(glow::TEXTURE0);
        }
    }

    /// Frees it.
    pub(super) fn delete(self, gl: &glow::Context) {
        // SAFETY: the context is current on this thread; both were made in it and are used no more.
        unsafe {
            gl.delete_program(self.program);
            gl.delete_vertex_array(self.vertices);
        }
    }
}

/// Three textures, for Y, U and V.
pub(super) struct Planes {
    textures: [glow::Texture; 3],
    size: [u32; 2],
}

impl Planes {
    /// Textures for pictures of this size in pixels; `None` where the card has no room.
    pub(super) fn new(gl: &glow::Context, size: [u32; 2]) -> Option<Self> {
        // SAFETY: the context is current on this thread.
        let made = unsafe { [gl.create_texture(), gl.create_texture(), gl.create_texture()] };
        let [Ok(y), Ok(u), Ok(v)] = made else { return None };
        let planes = Self { textures: [y, u, v], size };
        for (texture, [width, height]) in planes.textures.into_iter().zip(planes.sizes()) {
            // SAFETY: as above; no pixels are read, since the slice is absent.
            unsafe {
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
                for (name, value) in [
                    (glow::TEXTURE_MIN_FILTER, glow::LINEAR),
                    (glow::TEXTURE_MAG_FILTER, glow::LINEAR),
                    (glow::TEXTURE_WRAP_S, glow::CLAMP_TO_EDGE),
                    (glow::TEXTURE_WRAP_T, glow::CLAMP_TO_EDGE),
                ] {
                    gl.tex_parameter_i32(glow::TEXTURE_2D, name, value as i32);
                }
                gl.tex_image_2d(
                    glow::TEXTURE_2D,
                    0,
                    glow::R8 as i32,
                    width as i32,
                    height as i32,
                    0,
                    glow::RED,
                    glow::UNSIGNED_BYTE,
                    glow::PixelUnpackData::Slice(None),
                );
            }
        }
        Some(planes)
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Puts a picture of the same size in.
    pub(super) fn upload(&self, gl: &glow::Context, picture: &Picture) {
        debug_assert_eq!(self.size, [picture.width(), picture.height()]);
        for ((texture, [width, height]), plane) in self.textures.into_iter().zip(self.sizes()).zip(picture.planes()) {
            // SAFETY: the context is current on this thread; a plane has exactly width × height bytes without padding,
            // as `Picture` guarantees, and rows are read without alignment.
            unsafe {
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
                gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 1);
                gl.tex_sub_image_2d(
                    glow::TEXTURE_2D,
                    0,
                    0,
                    0,
                    width as i32,
                    height as i32,
                    glow::RED,
                    glow::UNSIGNED_BYTE,
                    glow::PixelUnpackData::Slice(Some(plane)),
                );
                gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 4);
            }
        }
    }

    /// Frees the textures.
    pub(super) fn delete(&self, gl: &glow::Context) {
        for texture in self.textures {
            // SAFETY: the context is current on this thread; the texture was made in it and is used no more.
            unsafe { gl.delete_texture(texture) };
        }
    }

    fn sizes(&self) -> [[u32; 2]; 3] {
        let [width, height] = self.size;
        let chroma = [width.div_ceil(2), height.div_ceil(2)];
        [self.size, chroma, chroma]
    }
}
