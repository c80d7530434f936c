//! Hostile bytes for every parser of what a peer or a file brings.
//!
//! A [`Target`] takes bytes and must neither panic nor break what it checks itself, whatever they are. Its inputs are
//! valid messages that it makes itself (keys are random, so they cannot lie in the tree), the files under
//! `corpus/TARGET` (hand-made, and every input that ever broke something), what [`nasty`] makes for all, and
//! mutations of these.
//!
//! Continuous integration replays the corpus and mutates for a moment with a fixed seed (`tests/corpus.rs`). The long
//! form is `cargo xtask fuzz [TARGET] [--seconds N]`, guided by [`coverage`].

pub mod coverage;
pub mod mutate;
pub mod nasty;
pub mod run;
pub mod stage;
pub mod targets;

pub use run::{Failure, Plan, Report, replay, run};
pub use targets::{Case, Target, target, targets};
