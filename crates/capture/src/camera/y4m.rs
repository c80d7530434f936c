//! Y4M files.

/// What keeps a file from being played as Y4M, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Y4mProblem {
    /// It begins with something else.
    #[error("is no Y4M file: it does not begin with YUV4MPEG2; make one with: ffmpeg -i IN -pix_fmt yuv420p OUT.y4m")]
    NotY4m,
}
