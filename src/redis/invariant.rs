//! Checks of invariants.

/// Returns an error that names the broken invariant, unless it holds.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}
