//! The sans-IO relay.
