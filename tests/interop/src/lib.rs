//! Real processes and real parts.
