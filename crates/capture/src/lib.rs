//! Camera, microphone and speaker; devices, files and test sources.
