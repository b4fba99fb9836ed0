//! Services: what a sans-IO machine must offer to be a server in the world.
//!
//! [`Sim::service`](crate::sim::Sim::service) takes a [`Service`], and nodes reach it through
//! connections. On the node's side a [`Session`], another sans-IO value, sorts what arrives at
//! once, so that awaiting futures only look at its result. Neither knows the world: each is given
//! the time, and names the waiters to wake instead of waking them.
//!
//! A machine that also serves clients of its wire protocol implements [`ByteService`], and returns
//! itself from [`Service::bytes`].

use super::bytes::ByteService;
use super::hangup::Hangup;
use crate::Shutdown;
use crate::sim::kernel::task::WakeRef;
use crate::sim::net::path::Keepalive;
use crate::sim::trace::Told;
use crate::time::Instant;

/// A machine that can be a server in the world.
///
/// Every input comes with the time. Outputs are polled until there are none. The machine says when
/// it next needs [`Service::handle_timeout`].
///
/// A panic in the machine or in a [`Session`] fails the run in the service's name, if an event of
/// the world caused it. The server is then down, as after [`Shutdown::Kill`], until it is started
/// again. If a call of a [`ServiceHandle`](crate::sim::ServiceHandle) caused it, the panic reaches
/// the caller.
pub trait Service: Send + 'static {
    /// A message from a client.
    type Input: Send + 'static;
    /// A message to a client.
    type Output: Send + 'static;
    /// The client's side of a connection.
    type Session: Session<Self::Input, Self::Output>;

    /// A client has connected. `connection` is never used again.
    fn connected(&mut self, now: Instant, connection: u64, client: &str);

    /// Returns whether the machine still accepts this message from a client whose socket is open.
    /// If it has given up the client, the trace does not show the message as received.
    /// [`Service::handle_input`] is called in either case.
    fn takes(&self, connection: u64, input: &Self::Input) -> bool {
        let _ = (connection, input);
        true
    }

    /// A message from a client has arrived.
    fn handle_input(&mut self, now: Instant, connection: u64, input: Self::Input);

    /// A client's socket was closed, by the client or by its death.
    fn disconnected(&mut self, now: Instant, connection: u64);

    /// Returns the machine as a server of bytes, if it also serves clients that speak its wire
    /// protocol. Their connections are numbered together with those of typed clients. A machine
    /// that returns `None` refuses a [`ByteConnection`](crate::sim::ByteConnection).
    fn bytes(&mut self) -> Option<&mut dyn ByteService> {
        None
    }

    /// Returns the next message to send, and its connection.
    fn poll_output(&mut self) -> Option<(u64, Self::Output)>;

    /// Returns how an output closes the connection's socket, or `None` if the output is a message.
    /// Earlier messages of the machine still arrive. Nothing that arrives afterwards reaches the
    /// machine, and it is not told that the connection has ended.
    fn hangup(output: &Self::Output) -> Option<Hangup> {
        let _ = output;
        None
    }

    /// Returns how the operating system closes the sockets of a server that stops. By default they
    /// close in good order, or with a reset after a loss of power: the machine that is up again
    /// does not know them.
    #[must_use]
    fn closes_sockets(how: Shutdown) -> Hangup {
        match how {
            Shutdown::Clean | Shutdown::Kill => Hangup::Close,
            Shutdown::PowerLoss => Hangup::Reset,
        }
    }

    /// Returns the keepalive with which the server opens its end of a connection (`SO_KEEPALIVE`),
    /// if any. The world sends the probes, and calls [`Service::disconnected`] if they stay
    /// unanswered.
    fn keepalive(&self) -> Option<Keepalive> {
        None
    }

    /// The calendar clock of the server's machine was set. From now on it is `ahead` nanoseconds
    /// ahead of the world's, or behind it if that is negative. The `now` that the machine is given
    /// is a monotonic clock, which never jumps.
    fn clock_set(&mut self, now: Instant, ahead: i64) {
        let _ = (now, ahead);
    }

    /// Returns when [`Service::handle_timeout`] is due, if at all.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Returns when [`Service::handle_timeout`] is due for a background timer, such as one that
    /// watches clients. It fires like any other, but it keeps [`Sim::run`](crate::sim::Sim::run)
    /// going only while a non-daemon node is blocked, and for at most 24 virtual hours without any
    /// task running.
    fn poll_housekeeping(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Service::poll_timeout`] or [`Service::poll_housekeeping`] has come.
    fn handle_timeout(&mut self, now: Instant);

    /// Returns whether the machine wants something of the process beside it that opens connections
    /// for it, if there is one. That process is woken then.
    fn has_errands(&self) -> bool {
        false
    }

    /// Returns whether the server takes connections right now. One that does not refuses them.
    fn accepts(&self) -> bool {
        true
    }

    /// Returns how the server's process has ended, if it has ended by itself (on a client's
    /// request, or in a crash) and nothing but [`Service::start`] starts it again. The server
    /// counts as stopped then. Its last messages are polled before.
    fn exited(&self) -> Option<Shutdown> {
        None
    }

    /// The server stops. Before a clean stop its last messages are polled; then every connection is
    /// closed.
    fn stop(&mut self, now: Instant, how: Shutdown);

    /// The server starts again with the data that it still has.
    fn start(&mut self, now: Instant);

    /// Removes all data, including the disk. Called while the server is stopped.
    fn wipe(&mut self, now: Instant);

    /// Returns the next line that the trace should show in the server's name, such as the data it
    /// lost. Called after a stop, until it returns `None`.
    fn poll_note(&mut self) -> Option<String> {
        None
    }

    /// Asks the machine to tell from now on what happens to its messages or keys.
    fn tell_stories(&mut self) {}

    /// Returns the next thing that happened to a message or a key, if the machine was asked to
    /// tell. Called after every input and every timer, until it returns `None`.
    fn poll_story(&mut self) -> Option<Told> {
        None
    }

    /// Returns what the machine holds, one thing a line, for people who compare the ends of two
    /// runs: `tasks: 1 ready, 2 unacknowledged`.
    fn portrait(&self, now: Instant) -> Vec<String> {
        let _ = now;
        Vec::new()
    }

    /// Returns how the descriptions of messages begin that say little: handshakes, heartbeats,
    /// options. The account of a failure leaves such messages out.
    #[must_use]
    fn routine() -> &'static [&'static str] {
        &[]
    }

    /// Describes a message in a few words, for the transcript.
    fn describe_input(input: &Self::Input) -> String;

    /// Describes a message in a few words, for the transcript.
    fn describe_output(output: &Self::Output) -> String;

    /// Writes what [`Service::read_input`] needs of a message to the log of the trace. This happens
    /// to every message that a trace keeps, while its text is made only if somebody reads it. So a
    /// service with much traffic writes a few bytes here. By default this is the text.
    fn log_input(input: &Self::Input, log: &mut Vec<u8>) {
        log.extend_from_slice(Self::describe_input(input).as_bytes());
    }

    /// As [`Service::log_input`].
    fn log_output(output: &Self::Output, log: &mut Vec<u8>) {
        log.extend_from_slice(Self::describe_output(output).as_bytes());
    }

    /// Returns the text of a message from what [`Service::log_input`] has written: the same as
    /// [`Service::describe_input`] returns.
    #[must_use]
    fn read_input(log: &[u8]) -> String {
        String::from_utf8_lossy(log).into_owned()
    }

    /// As [`Service::read_input`].
    #[must_use]
    fn read_output(log: &[u8]) -> String {
        String::from_utf8_lossy(log).into_owned()
    }

    /// Returns a hash of the message, for the digest.
    fn fingerprint_input(input: &Self::Input) -> u64;

    /// Returns a hash of the message, for the digest.
    fn fingerprint_output(output: &Self::Output) -> u64;
}

/// The client's side of a connection: what has arrived, and which futures wait for it.
pub trait Session<Input, Output>: Default + Send + 'static {
    /// A message from the machine has arrived.
    fn deliver(&mut self, now: Instant, output: Output, wakes: &mut Wakes<'_>);

    /// Returns whether the last delivery was an answer whose caller gave up or is gone. The trace
    /// reports it.
    fn was_unawaited(&self) -> bool {
        false
    }

    /// Returns why this end may wait in vain, in words, if the protocol reveals it: for example,
    /// that the server has stopped reading. The report of a stuck run shows it.
    fn hindrance(&self) -> Option<String> {
        None
    }

    /// Returns the next message that the client's side sends by itself, such as a heartbeat. Called
    /// after each delivery, until it returns `None`. A paused node answers at the first delivery
    /// after it was resumed.
    fn answer(&mut self) -> Option<Input> {
        None
    }

    /// Returns when [`Session::gives_up`] is due next, if at all. Read after each delivery and
    /// after each call of it. It is a background timer, as [`Service::poll_housekeeping`] is.
    fn poll_housekeeping(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Session::poll_housekeeping`] has come. Returns whether the client considers
    /// the server dead and closes its end.
    fn gives_up(&mut self, now: Instant) -> bool {
        let _ = now;
        false
    }

    /// The connection has ended. Wakes every waiter.
    fn disconnected(&mut self, wakes: &mut Wakes<'_>);
}

/// The futures that wait for one thing in a [`Session`]. It is mostly one, which needs no
/// allocation.
#[derive(Debug, Default)]
pub struct Waiter {
    first: Option<WakeRef>,
    /// In a box, because there are many waiters and mostly nothing here.
    #[allow(clippy::box_collection, reason = "an empty vector is three times as large")]
    more: Option<Box<Vec<WakeRef>>>,
}

impl Waiter {
    /// Removes and returns all waiters.
    pub(crate) fn take(&mut self) -> Vec<WakeRef> {
        let mut wakes = self.more.take().map_or_else(Vec::new, |more| *more);
        wakes.splice(..0, self.first.take());
        wakes
    }

    /// Adds a waiter, unless it is there already.
    pub(crate) fn register(&mut self, wake: WakeRef) {
        match &self.first {
            None => self.first = Some(wake),
            Some(first) if first.same(&wake) => {}
            Some(_) => {
                let more = self.more.get_or_insert_default();
                if !more.iter().any(|other| other.same(&wake)) {
                    more.push(wake);
                }
            }
        }
    }
}

/// The waiters to wake once a session has handled a delivery.
#[derive(Debug)]
pub struct Wakes<'a>(pub(crate) &'a mut Vec<WakeRef>);

impl Wakes<'_> {
    /// Wakes everyone who waits there.
    pub fn wake(&mut self, waiter: &mut Waiter) {
        self.0.extend(waiter.first.take());
        if let Some(more) = waiter.more.take() {
            self.0.extend(*more);
        }
    }
}
