//! The line: the way from lapin to a broker, in whichever simulation lapin runs.
//!
//! The driver knows what lapin's thread wants. A [`Line`] knows how to do it: in a world of this
//! crate (`node_line.rs`), or on a host of another simulator.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

/// The needs of one connection of lapin, which its simulation meets.
pub(in crate::adapter) trait Line: Unpin {
    type Socket: Socket;
    type Dialing: Future<Output = Result<Self::Socket, io::ErrorKind>> + Unpin;
    type Sleep: Future<Output = ()> + Unpin;

    /// Draws the seed of the jitter between attempts to connect.
    fn jitter_seed(&self) -> u64;

    /// Returns what lapin's thread asks while it waits for long.
    fn watch(&self) -> Box<dyn Watch>;

    /// Connects to the broker after `wait`.
    fn dial(&self, wait: Duration) -> Self::Dialing;

    fn sleep(&self, time: Duration) -> Self::Sleep;

    /// Calls `run`, during which lapin's thread wakes tasks.
    fn while_thread_runs<R>(&self, run: impl FnOnce() -> R) -> R {
        run()
    }

    /// The thread has run code of its callers, such as a delegate, which may have left work for
    /// other connections of the same process.
    fn tell_others(&self) {}

    /// The driver has nothing left to do for now. It must be polled again after other tasks of its
    /// node ran.
    fn rest(&mut self, cx: &mut Context<'_>, is_connected: bool);
}

/// The client's end of a connection of bytes.
pub(in crate::adapter) trait Socket {
    /// Reads into `buffer`, and returns how many bytes: none at the end of the stream.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, io::ErrorKind>>;

    /// Sends all of `bytes`, sooner or later. If the connection has ended, a read says so.
    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]);

    /// Sends `beat` whenever nothing else was sent for half of `time`, and ends the connection if
    /// the broker is silent for twice that time.
    fn start_pulse(&mut self, beat: &'static [u8], time: Duration);

    /// Closes the connection: ready once it may be dropped.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// How lapin's thread learns that the simulation's thread is stuck.
pub(in crate::adapter) trait Watch: Send + Sync {
    /// Returns the number of the poll that runs now, if the simulation can tell. The same number
    /// for seconds means that the simulation's thread is stuck in it.
    fn poll_in_progress(&self) -> Option<u64>;

    /// Returns what to tell the caller whose thread is stuck.
    fn complaint(&self) -> String;
}
