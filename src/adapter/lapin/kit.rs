//! The runtime that lapin is given: tasks, sleeps and connections of a node.

use super::gate::Presence;
use super::shared::{Alarm, Shared};
use super::stream::Stream;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::{DummyIO, DummyStream, Task, TaskImpl};
use futures_core::Stream as Items;
use futures_io::{AsyncRead, AsyncWrite};
use lapin::tcp::AsyncTcpStream;
use lapin::uri::AMQPUri;
use std::future::Future;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The runtime of one connection.
#[derive(Clone, Debug)]
pub(super) struct Kit(pub(super) Arc<Shared>);

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = Output<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.begin_round();
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Output<T>> {
        let output = Output::default();
        let slot = output.clone();
        let future = Box::pin(async move { slot.set(future.await) });
        self.0.lock().tasks.spawn(&self.0, future);
        self.0.wake_driver();
        output.into()
    }

    /// Runs it at once: the world has no other threads.
    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Output<T>> {
        let output = Output::default();
        output.set(work());
        output.into()
    }
}

impl Reactor for Kit {
    type TcpStream = Stream;
    type Sleep = Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<DummyIO, _>(io::Error::new(
            io::ErrorKind::Unsupported,
            "a world has no sockets of the operating system: connect to one of its services",
        ))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep { shared: Arc::clone(&self.0), duration, alarm: None }
    }

    /// Its items are moments of the real clock, so there are none. Lapin needs no interval.
    fn interval(&self, _: Duration) -> impl Items<Item = std::time::Instant> + Send + 'static {
        DummyStream(PhantomData)
    }

    /// Connects to the broker, whatever the address.
    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        let shared = Arc::clone(&self.0);
        let attempt = shared.begin_attempt();
        Stream::connect(shared, attempt)
    }
}

/// Returns the function with which lapin connects, each time it does.
pub(super) fn connector(
    shared: &Arc<Shared>,
) -> impl AsyncFn(AMQPUri, async_rs::Runtime<Kit>) -> lapin::Result<AsyncTcpStream<Stream>>
+ Send
+ Sync
+ 'static {
    let presence = Presence(Arc::clone(shared));
    async move |_, _| {
        let shared = Arc::clone(&presence.0);
        let attempt = shared.begin_attempt();
        let stream = Stream::connect(shared, attempt).await;
        Ok(AsyncTcpStream::Plain(stream?))
    }
}

/// The output of a task, once it is there.
pub(super) struct Output<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Output<T> {
    fn set(&self, value: T) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 = Some(value);
        let waker = slot.1.take();
        drop(slot);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Default for Output<T> {
    fn default() -> Output<T> {
        Output(Arc::default())
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Output<T> {
        Output(Arc::clone(&self.0))
    }
}

impl<T> Future for Output<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static> TaskImpl for Output<T> {}

/// A sleep in the world's time, by the node's clock.
pub(super) struct Sleep {
    shared: Arc<Shared>,
    duration: Duration,
    alarm: Option<Arc<Alarm>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.duration.is_zero() {
            return Poll::Ready(());
        }
        if let Some(alarm) = &self.alarm {
            return if alarm.has_rung(cx.waker()) { Poll::Ready(()) } else { Poll::Pending };
        }
        let alarm = Arc::<Alarm>::default();
        alarm.has_rung(cx.waker());
        self.shared.lock().sleeps.push((self.duration, Arc::clone(&alarm)));
        self.alarm = Some(alarm);
        Poll::Pending
    }
}
