//! Operations on keys of any type.
