//! The byte contract, for a machine that serves clients of its wire protocol.
//!
//! A [`ByteService`] takes the bytes that a socket received and hands out the bytes to send. It
//! reads no clock and opens no socket, so a simulated connection, a loopback socket and a test
//! drive it in the same way. The caller polls [`ByteService::poll_output`] until it is empty after
//! every other call, and calls [`ByteService::handle_timeout`] when [`ByteService::poll_timeout`]
//! is due. Callers outside of a world do so by `fire_until`.

use super::hangup::Hangup;
use crate::time::Instant;

/// A machine's instruction to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ByteOutput {
    /// Send these bytes.
    Data(Vec<u8>),
    /// Close the socket after everything before this was sent. Nothing follows.
    Close(Hangup),
}

/// A server at the level of bytes.
///
/// Connections are numbered by the caller. A number must never be used twice, and must not be
/// the number of a typed client of the same machine.
pub trait ByteService {
    /// A client has connected. `peer` is its name or address.
    fn connected(&mut self, now: Instant, connection: u64, peer: &str);

    /// Bytes from a client have arrived. The machine ignores bytes from a connection that it
    /// does not know, or that it no longer reads from.
    fn receive(&mut self, now: Instant, connection: u64, bytes: &[u8]);

    /// A client's connection has ended. The machine ignores one that it does not know.
    fn disconnected(&mut self, now: Instant, connection: u64);

    /// Returns the next thing to do for a connection, if there is one.
    #[must_use]
    fn poll_output(&mut self) -> Option<(u64, ByteOutput)>;

    /// Appends the bytes for one connection to `out`, without an allocation, as an alternative to
    /// [`ByteService::poll_output`]. Returns how to close the socket afterwards, if it is to be
    /// closed.
    #[must_use]
    fn drain_output(&mut self, connection: u64, out: &mut Vec<u8>) -> Option<Hangup>;

    /// Returns when [`ByteService::handle_timeout`] is next due.
    #[must_use]
    fn poll_timeout(&self) -> Option<Instant>;

    /// Fires the timers that are due by `now`.
    fn handle_timeout(&mut self, now: Instant);
}

/// Fires the timers of a machine up to `until`, each at its own time, and calls `after_each` each
/// time. `from` is the latest time that the machine was given: a timer that should have fired
/// before it fires now.
///
/// A timer that stays due after it has fired is held back, as by a pause. It waits for the end of
/// what holds it back, and keeps no other timer from its turn.
#[cfg(any(
    feature = "loopback",
    feature = "redis-rs",
    feature = "redis-rs-2",
    feature = "turmoil"
))]
pub(crate) fn fire_until<M: ?Sized>(
    machine: &mut M,
    service: impl Fn(&mut M) -> &mut dyn ByteService,
    from: Instant,
    until: Instant,
    mut after_each: impl FnMut(&mut M, Instant),
) {
    let mut last = None;
    while let Some(due) = service(machine)
        .poll_timeout()
        .filter(|due| *due <= until && last.is_none_or(|last| last < *due))
    {
        let at = due.max(from);
        service(machine).handle_timeout(at);
        after_each(machine, at);
        last = Some(due);
    }
    // Timers that are held back, and work that no timer announces, such as a client to feed.
    service(machine).handle_timeout(until);
    after_each(machine, until);
}
