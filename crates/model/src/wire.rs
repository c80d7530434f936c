//! What crosses the network.

pub mod descriptor;
pub mod signal;

pub use descriptor::{Descriptor, DescriptorError, FrameHead};
