//! Operations on bits of strings.
