//! How a broken invariant is told.

/// Returns an error that names an invariant, unless it holds.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}
