//! Invariants: what the machines and the world check about themselves in tests.

/// Returns `Ok` if the invariant holds, or else its description.
pub(crate) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}
