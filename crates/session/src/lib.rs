//! The sans-IO WebRTC session of one participant.
