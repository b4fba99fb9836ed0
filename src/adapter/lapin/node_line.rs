//! The line from a node of a world to its broker.

use super::line::{Line, Socket, Watch};
use crate::choice::Site;
use crate::rabbitmq::RabbitMq;
use crate::sim::service::Wait;
use crate::sim::{ByteConnection, Disconnected, Node, Sleep};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The site at which the seed of the jitter is drawn.
const JITTER: Site = Site::new("lapin.backoff.jitter");

pub(super) struct NodeLine {
    node: Node,
    rabbit: RabbitMq,
}

impl NodeLine {
    pub(super) fn new(node: &Node, rabbit: &RabbitMq) -> NodeLine {
        NodeLine { node: node.clone(), rabbit: rabbit.clone() }
    }
}

impl Line for NodeLine {
    type Socket = ByteConnection;
    type Dialing = Pin<Box<dyn Future<Output = Result<ByteConnection, io::ErrorKind>> + Send>>;
    type Sleep = Sleep;

    fn jitter_seed(&self) -> u64 {
        self.node.choose(JITTER, u64::MAX)
    }

    fn watch(&self) -> Box<dyn Watch> {
        Box::new(self.node.clone())
    }

    fn dial(&self, wait: Duration) -> Self::Dialing {
        let (node, rabbit) = (self.node.clone(), self.rabbit.clone());
        Box::pin(async move {
            if !wait.is_zero() {
                node.sleep(wait).await;
            }
            ByteConnection::connect(&node, &rabbit).await.map_err(kind)
        })
    }

    fn sleep(&self, time: Duration) -> Sleep {
        self.node.sleep(time)
    }

    /// The tasks that are woken meanwhile become ready in the order of their numbers.
    fn while_thread_runs<R>(&self, run: impl FnOnce() -> R) -> R {
        self.node.world().lock().hold_wakes();
        let _held = Held(&self.node);
        run()
    }

    fn tell_others(&self) {
        self.node.world().lock().make_other_followers_ready();
    }

    /// The driver is a follower, so it is polled after every other task anyway.
    fn rest(&mut self, _: &mut Context<'_>, is_connected: bool) {
        if !is_connected {
            let wait = Wait::Static("what is left of a connection of lapin");
            self.node.world().lock().note_wait(wait);
        }
    }
}

/// Wakes are held back until this is dropped, even by a panic: they are those of the whole world.
struct Held<'a>(&'a Node);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.world().lock().release_wakes();
    }
}

impl Socket for ByteConnection {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, io::ErrorKind>> {
        ByteConnection::poll_read(self, cx, buffer).map_err(kind)
    }

    fn write(&mut self, _: &mut Context<'_>, bytes: &[u8]) {
        let _ = ByteConnection::write(self, bytes);
    }

    fn start_pulse(&mut self, beat: &'static [u8], time: Duration) {
        ByteConnection::start_pulse(self, beat, time);
    }

    /// Dropping it is enough: the server learns of it after everything that was sent.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Watch for Node {
    fn poll_in_progress(&self) -> Option<u64> {
        Node::poll_in_progress(self)
    }

    fn complaint(&self) -> String {
        format!(
            "the node {:?} has blocked its thread, on which the whole world runs, for a long \
             time: lapin::Connection::run never returns in a world, so await something instead, such as \
             the consumer's next delivery or node.sleep(Duration::MAX); if one poll of its code \
             really takes this long, set STUNT_DOUBLE_LAPIN_PATIENCE to more seconds",
            self.name()
        )
    }
}

/// Returns what a socket of the operating system would report.
fn kind(why: Disconnected) -> io::ErrorKind {
    match why {
        Disconnected::Refused => io::ErrorKind::ConnectionRefused,
        Disconnected::Reset => io::ErrorKind::ConnectionReset,
        Disconnected::Closed => io::ErrorKind::UnexpectedEof,
        Disconnected::ClosedHere => io::ErrorKind::NotConnected,
        Disconnected::TimedOut => io::ErrorKind::TimedOut,
    }
}
