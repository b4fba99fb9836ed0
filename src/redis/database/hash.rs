//! Operations on hashes.
