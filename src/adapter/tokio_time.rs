//! The clock that a timer of tokio would read here.
//!
//! redis-rs measures a response time-out with tokio's timers. On a node of a plain world there are
//! none. On a node whose runtime is in lock step with the world they show virtual time. Anywhere
//! else they would read the real clock, and a run would depend on the machine's load; or a clock
//! that is paused and that nobody moves, because its thread is busy with the world.

#[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
use crate::sim::Node;

/// The clock of tokio's timers where the caller runs.
#[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokioTime {
    /// No runtime: a timer would panic.
    None,
    /// The world's time: the runtime is the node's, or the world follows it.
    Virtual,
    /// A paused runtime around the world, which stands still while the world runs.
    Still,
    /// A runtime with the real clock.
    Real,
}

/// Returns the clock that a timer of tokio would read if the caller made it here, for `node`.
#[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
pub(crate) fn tokio_time(node: &Node) -> TokioTime {
    match tokio::runtime::Handle::try_current() {
        Err(_) => TokioTime::None,
        Ok(_) if !is_paused() => TokioTime::Real,
        Ok(_) if node.shares_its_runtimes_clock() => TokioTime::Virtual,
        Ok(_) => TokioTime::Still,
    }
}

/// Returns whether the clock of the current runtime stands still while the real one advances.
/// There is no other way to ask for it. Only the answer leaves this function, never a time.
#[expect(clippy::disallowed_methods, reason = "whether a clock is real shows only beside one")]
pub(crate) fn is_paused() -> bool {
    let shown = tokio::time::Instant::now();
    let real = std::time::Instant::now();
    while std::time::Instant::now() == real {}
    tokio::time::Instant::now() == shown
}
