//! The self-hosted relay.
