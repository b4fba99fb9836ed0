//! The line from a simulated host to its broker: sockets, sleeps and ticks of its runtime.

use crate::adapter::lapin::line::{Line, Socket, Watch};
use crate::adapter::turmoil::connection::{Connection, State};
use crate::sim::{Look, Pulse};
use crate::time::Instant;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{Instant as TokioInstant, Sleep, sleep, timeout};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How often the driver looks for work that lapin's callers have left.
const TICK: Duration = Duration::from_millis(1);

/// How long an attempt to connect takes at most: Linux gives up after this time.
const PATIENCE: Duration = Duration::from_secs(127);

/// The line of one connection of lapin. `D` connects a stream.
pub(super) struct HostLine<D> {
    address: Arc<str>,
    dial: D,
    tick: Pin<Box<Sleep>>,
    parks: Arc<Parks>,
}

impl<D> HostLine<D> {
    pub(super) fn new(address: Arc<str>, dial: D) -> HostLine<D> {
        let metrics = Handle::current().metrics();
        let parks = Arc::new(Parks { metrics, last: AtomicU64::new(0) });
        HostLine { address, dial, tick: Box::pin(sleep(TICK)), parks }
    }
}

impl<D, F, T> Line for HostLine<D>
where
    D: Fn(Arc<str>) -> F + Unpin,
    F: Future<Output = io::Result<T>> + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin,
{
    type Socket = HostSocket<T>;
    type Dialing = Pin<Box<dyn Future<Output = Result<HostSocket<T>, io::ErrorKind>> + Send>>;
    type Sleep = Pin<Box<Sleep>>;

    /// A host has no random numbers of its simulator. So the seed is when and whither it connects.
    fn jitter_seed(&self) -> u64 {
        let now = ::turmoil::sim_elapsed().unwrap_or_default().as_nanos() as u64;
        xxh3_64_with_seed(self.address.as_bytes(), now)
    }

    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Arc::clone(&self.parks))
    }

    fn dial(&self, wait: Duration) -> Self::Dialing {
        let dialing = (self.dial)(Arc::clone(&self.address));
        Box::pin(async move {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            match timeout(PATIENCE, dialing).await {
                Ok(Ok(stream)) => Ok(HostSocket::new(stream)),
                Ok(Err(error)) => Err(error.kind()),
                Err(_) => Err(io::ErrorKind::TimedOut),
            }
        })
    }

    fn sleep(&self, time: Duration) -> Pin<Box<Sleep>> {
        Box::pin(sleep(time))
    }

    /// Sees to it that the driver is polled at the next tick.
    fn rest(&mut self, cx: &mut Context<'_>, _: bool) {
        while self.tick.as_mut().poll(cx).is_ready() {
            self.tick.as_mut().reset(TokioInstant::now() + TICK);
        }
        self.parks.last.store(self.parks.count(), Relaxed);
    }
}

/// How often the host's runtime has parked. It always does between two ticks. So if it has not
/// parked for seconds since the driver last ran, one poll has lasted as long.
struct Parks {
    metrics: RuntimeMetrics,
    /// The number when the driver last ran.
    last: AtomicU64,
}

impl Parks {
    fn count(&self) -> u64 {
        self.metrics.worker_park_unpark_count(0)
    }
}

impl Watch for Arc<Parks> {
    fn poll_in_progress(&self) -> Option<u64> {
        let count = self.count();
        (count == self.last.load(Relaxed)).then_some(count)
    }

    fn complaint(&self) -> String {
        "a host has blocked its thread, on which the whole simulation runs, for a long \
         time: lapin::Connection::run never returns in a simulation, so await something instead, such as \
         the consumer's next delivery or std::future::pending(); if one poll of its code really \
         takes this long, set STUNT_DOUBLE_LAPIN_PATIENCE to more seconds"
            .to_owned()
    }
}

/// A host's end of a connection.
pub(super) struct HostSocket<T> {
    connection: Connection<T>,
    opened: TokioInstant,
    pulse: Option<Pulse>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> HostSocket<T> {
    fn new(stream: T) -> HostSocket<T> {
        let connection = Connection::new(stream);
        HostSocket { connection, opened: TokioInstant::now(), pulse: None }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.opened.elapsed()
    }

    /// Sends the heartbeats that are due. Returns whether the broker is alive.
    fn beat(&mut self) -> bool {
        let now = self.now();
        let Some(pulse) = &mut self.pulse else { return true };
        while now >= pulse.next_look() {
            match pulse.look(now) {
                Look::Fine => {}
                Look::Beat(beat) => self.connection.push(beat),
                Look::Dead => return false,
            }
        }
        true
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket for HostSocket<T> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, io::ErrorKind>> {
        let read = self.connection.poll_read(cx, buffer).map_err(|error| error.kind());
        let now = self.now();
        if let (Poll::Ready(Ok(1..)), Some(pulse)) = (&read, &mut self.pulse) {
            pulse.heard(now);
        }
        let is_alive = self.beat();
        // If the connection has ended, a read says so.
        let _ = self.connection.poll_write(cx);
        if read.is_pending() && !is_alive {
            return Poll::Ready(Err(io::ErrorKind::TimedOut));
        }
        read
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) {
        self.connection.push(bytes);
        let _ = self.connection.poll_write(cx);
        let now = self.now();
        if let Some(pulse) = &mut self.pulse {
            pulse.wrote(now);
        }
    }

    fn start_pulse(&mut self, beat: &'static [u8], time: Duration) {
        self.pulse = Some(Pulse::new(self.now(), beat, time));
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.close();
        match self.connection.poll_write(cx) {
            State::Open => Poll::Pending,
            State::Closed | State::Broken => Poll::Ready(()),
        }
    }
}
