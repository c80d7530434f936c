//! Opus and AV1, scaling and colour.
