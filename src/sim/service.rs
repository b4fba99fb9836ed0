//! Services: what a sans-IO machine must offer to be a server in the world.
//!
//! A [`Service`] is given to [`Sim::service`](super::Sim::service) and reached
//! from nodes through connections. On the node's side a [`Session`], another
//! sans-IO value, takes what arrives apart at once, so that the awaiting
//! futures only look at its result. Neither knows the world: they are told the
//! time, and never wake anyone themselves but name who is to be woken.

mod bytes;

pub use super::kernel::task::Wait;
pub use super::net::connection::Connection;
pub use super::net::path::Keepalive;
pub use crate::shutdown::Shutdown;
pub use bytes::{ByteOutput, ByteService};

use crate::choice::Choice;
use crate::sim::kernel::task::WakeRef;
use crate::time::Instant;

/// A machine that can be a server in the world.
///
/// Inputs come with the time; outputs are polled until there are none; the
/// machine says when it next wants [`Service::handle_timeout`].
///
/// A panic in here, or in a [`Session`], that comes of an event of the world
/// fails the run in the service's name; the server is then down, as after
/// [`Shutdown::Kill`], until it is started again. One that comes of a call of a
/// [`ServiceHandle`](super::ServiceHandle) is the caller's.
pub trait Service: Send + 'static {
    /// What a client sends.
    type Input: Send + 'static;
    /// What the machine sends.
    type Output: Send + 'static;
    /// The client's side of a connection.
    type Session: Session<Self::Input, Self::Output>;

    /// A client has connected; `connection` is never used again.
    fn connected(&mut self, now: Instant, connection: u64, client: &str);

    /// Whether the machine still takes this from a client whose socket is open. What it does not,
    /// since it has given the client up, is not told in the trace as if it had been
    /// received; [`Service::handle_input`] gets it all the same.
    fn takes(&self, connection: u64, input: &Self::Input) -> bool {
        let _ = (connection, input);
        true
    }

    /// A client's message has arrived.
    fn handle_input(&mut self, now: Instant, connection: u64, input: Self::Input);

    /// A client's socket was closed, by the client or its death.
    fn disconnected(&mut self, now: Instant, connection: u64);

    /// Returns the machine as a server of bytes, if it also serves clients that speak its wire
    /// protocol. Their connections are numbered together with those of typed clients. A machine
    /// that returns `None` refuses a [`ByteConnection`](super::ByteConnection).
    fn bytes(&mut self) -> Option<&mut dyn ByteService> {
        None
    }

    /// The next message to send, and to whom.
    fn poll_output(&mut self) -> Option<(u64, Self::Output)>;

    /// Whether an output is no message but the closing of that connection's socket by the
    /// machine, and how. What it said before still arrives; nothing that arrives from then on
    /// reaches the machine, which is not told that the connection is gone.
    fn hangup(output: &Self::Output) -> Option<Hangup> {
        let _ = output;
        None
    }

    /// How the operating system closes the sockets of a server that stops: in good order, unless
    /// the server set them up otherwise, or the machine loses its power and is up again.
    #[must_use]
    fn closes_sockets(how: Shutdown) -> Hangup {
        match how {
            Shutdown::Clean | Shutdown::Kill => Hangup::Close,
            Shutdown::PowerLoss => Hangup::Reset,
        }
    }

    /// The keepalive that the server's end of a connection is opened with (`SO_KEEPALIVE`), if any.
    /// The world probes for the machine, and calls [`Service::disconnected`] where the
    /// probes go unanswered.
    fn keepalive(&self) -> Option<Keepalive> {
        None
    }

    /// Somebody has set the calendar clock of the server's machine: from now on it is `ahead`
    /// nanoseconds ahead of the world's, or behind it where that is negative. The `now` that
    /// the machine is given is a monotonic clock, which never jumps.
    fn clock_set(&mut self, now: Instant, ahead: i64) {
        let _ = (now, ahead);
    }

    /// When [`Service::handle_timeout`] is to be called, if at all.
    fn poll_timeout(&self) -> Option<Instant>;

    /// As [`Service::poll_timeout`], for what is housekeeping: a watch over
    /// clients, say. It comes in its time like the other, but is no reason for
    /// [`Sim::run`](super::Sim::run) to go on when no node is waiting for
    /// anything any more, nor when none has stirred for a day.
    fn poll_housekeeping(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Service::poll_timeout`] or of
    /// [`Service::poll_housekeeping`] has come.
    fn handle_timeout(&mut self, now: Instant);

    /// The server stops. What it says to its clients before a clean stop is
    /// polled after this; then every connection is closed.
    fn stop(&mut self, now: Instant, how: Shutdown);

    /// The server starts again with what it still has.
    fn start(&mut self, now: Instant);

    /// Everything it has is gone, on disk too. Called while it is stopped.
    fn wipe(&mut self, now: Instant);

    /// Something to be noted in the trace in the server's name, such as what it
    /// lost; asked for when it has stopped, until there is no more.
    fn poll_note(&mut self) -> Option<String> {
        None
    }

    /// The choices its stream has recorded.
    fn recorded(&self) -> &[Choice] {
        &[]
    }

    /// A message in a few words, for the transcript.
    fn describe_input(input: &Self::Input) -> String;

    /// A message in a few words, for the transcript.
    fn describe_output(output: &Self::Output) -> String;

    /// A number that differs where two messages do, for the digest.
    fn fingerprint_input(input: &Self::Input) -> u64;

    /// A number that differs where two messages do, for the digest.
    fn fingerprint_output(output: &Self::Output) -> u64;
}

/// The client's side of a connection: what has arrived, and who waits for it.
pub trait Session<Input, Output>: Default + Send + 'static {
    /// A message from the machine has arrived.
    fn deliver(&mut self, now: Instant, output: Output, wakes: &mut Wakes<'_>);

    /// Whether what was delivered last was an answer that nobody waits for any more: its caller
    /// gave up, or is gone. The trace tells it.
    fn was_unawaited(&self) -> bool {
        false
    }

    /// Why what this end waits for may not come, in words, if the protocol tells: that the
    /// server does not read from it, say. It is told where a run is stuck.
    fn hindrance(&self) -> Option<String> {
        None
    }

    /// What the client's side answers by itself to what has arrived, such as a
    /// sign of life; asked for after each delivery, until there is no more. A
    /// node that is paused answers when something arrives after that.
    fn answer(&mut self) -> Option<Input> {
        None
    }

    /// When [`Session::gives_up`] is to be asked next, if at all; looked at after each
    /// delivery and after that. It is housekeeping, as
    /// [`Service::poll_housekeeping`] is.
    fn poll_housekeeping(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Session::poll_housekeeping`] has come: whether the client takes
    /// the server for dead, and closes its end.
    fn gives_up(&mut self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// The connection has ended; wake everyone.
    fn disconnected(&mut self, wakes: &mut Wakes<'_>);
}

/// Those who wait for one thing in a [`Session`]: mostly one future, and that
/// needs no allocation.
#[derive(Debug, Default)]
pub struct Waiter {
    first: Option<WakeRef>,
    more: Vec<WakeRef>,
}

impl Waiter {
    /// Everyone who waits, who then does not any more.
    pub(crate) fn take(&mut self) -> Vec<WakeRef> {
        let mut wakes = std::mem::take(&mut self.more);
        wakes.splice(..0, self.first.take());
        wakes
    }

    /// Adds whom to wake, unless it is there already.
    pub(crate) fn register(&mut self, wake: WakeRef) {
        match &self.first {
            None => self.first = Some(wake),
            Some(first) if first.same(&wake) => {}
            Some(_) => {
                if !self.more.iter().any(|other| other.same(&wake)) {
                    self.more.push(wake);
                }
            }
        }
    }
}

/// Those to be woken when a session has been looked at.
#[derive(Debug)]
pub struct Wakes<'a>(pub(crate) &'a mut Vec<WakeRef>);

impl Wakes<'_> {
    /// Wakes everyone who waits there.
    pub fn wake(&mut self, waiter: &mut Waiter) {
        self.0.extend(waiter.first.take());
        self.0.append(&mut waiter.more);
    }
}

/// How an end of a connection closes it, as the peer's operating system sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hangup {
    /// In good order (TCP's FIN): the peer reads what was sent, then the end of the stream.
    Close,
    /// Abruptly (TCP's RST): the peer's next read or write fails.
    Reset,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// The server is not running: connection refused (`ECONNREFUSED`).
    #[error("connection refused: the server is not running")]
    Refused,
    /// The connection was reset (TCP's RST, `ECONNRESET`): the server hung up abruptly, its
    /// machine does not know the connection any more, or the link was severed.
    #[error("connection reset: the server or the link went away")]
    Reset,
    /// The server closed its end (TCP's FIN, the end of the stream): it said goodbye, stopped,
    /// or its process was killed and the operating system closed its sockets.
    #[error("connection closed: the server has closed its end")]
    Closed,
    /// This end has closed it: the last handle was dropped, or the node's process has ended.
    #[error("the connection was closed by this end")]
    ClosedHere,
    /// Nothing was heard of the other end for too long, and this end gave up: heartbeats were
    /// missed, or TCP's retransmissions or its connection attempts went unanswered
    /// (`ETIMEDOUT`).
    #[error("connection timed out: nothing was heard of the server for too long")]
    TimedOut,
}

impl From<Hangup> for Disconnected {
    fn from(how: Hangup) -> Disconnected {
        match how {
            Hangup::Close => Disconnected::Closed,
            Hangup::Reset => Disconnected::Reset,
        }
    }
}
