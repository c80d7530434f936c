//! One end of a media path: str0m with our fixed slots.
