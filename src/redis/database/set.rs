//! Operations on sets.
