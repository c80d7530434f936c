//! The MLS group and the frame encryption, sans-IO.
