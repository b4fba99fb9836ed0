//! Nothing outlives its world by mistake, and what does outlive it is harmless.

use crate::support::{Ask, Client, Counter, counter, ms, secs};
use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::Site;
use stunt_double::sim::{Disconnected, Latency, Node, Sim};

/// Moved into every part of a world, to check that all of them are freed.
#[derive(Clone, Default)]
struct Tracer(Arc<()>);

impl Tracer {
    fn watch(&self) -> Weak<()> {
        Arc::downgrade(&self.0)
    }
}

/// A world stopped while everything is in flight, with a tracer in everything it owns.
fn in_flight(tracer: &Tracer) -> Sim {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    for name in ["a", "b"] {
        let (handle, tracer) = (counter.clone(), tracer.clone());
        let node = sim.node(name, move |node| {
            let (counter, tracer) = (handle.clone(), tracer.clone());
            async move {
                let (held, sleeper) = (tracer.clone(), node.clone());
                drop(node.spawn(async move {
                    sleeper.sleep(secs(5)).await;
                    drop(held);
                }));
                let client = Client::open(&node, &counter).await?;
                client.send(Ask::Ring(secs(4)))?;
                let _ = node.timeout(secs(9), client.next()).await;
                drop(tracer);
                Ok::<_, Disconnected>(())
            }
        });
        node.link(&counter).set_latency(Latency::Constant(ms(30)));
    }
    let action = tracer.clone();
    sim.after(secs(8), move || drop(action));
    let (condition, action) = (tracer.clone(), tracer.clone());
    sim.when(move || Arc::strong_count(&condition.0) == 0, move || drop(action));
    sim
}

#[test]
fn dropping_a_world_frees_all_that_was_in_it() {
    for stop_at in [0, 20, 50, 70, 1_000, 6_000] {
        let tracer = Tracer::default();
        let watch = tracer.watch();
        let mut sim = in_flight(&tracer);
        drop(tracer);
        if stop_at > 0 {
            sim.run_for(ms(stop_at)).expect_reached();
        }
        assert!(watch.strong_count() > 0);
        drop(sim);
        assert_eq!(watch.strong_count(), 0, "stopped at {stop_at} ms");
    }
}

#[test]
fn a_finished_task_is_freed_at_once() {
    let mut sim = Sim::new(1);
    let tracer = Tracer::default();
    let held = tracer.clone();
    let node = sim.daemon("a", async |node| node.sleep(Duration::MAX).await);
    let handle = sim.spawn(&node, async move { drop(held) });
    sim.run().expect_done();
    assert_eq!(tracer.watch().strong_count(), 1);
    drop(handle);
}

/// A waker between the world's and the future, as a select or a join creates it.
struct Between(Waker, #[expect(dead_code, reason = "only held")] Tracer);

impl Wake for Between {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// Polls a future through a waker of its own.
struct Through<F>(Pin<Box<F>>, Tracer);

impl<F: Future> Future for Through<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let waker = Waker::from(Arc::new(Between(cx.waker().clone(), self.1.clone())));
        self.0.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

#[test]
fn a_future_may_be_polled_through_a_waker_of_its_own() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter;
    sim.node("a", move |node| {
        let counter = handle.clone();
        async move {
            let tracer = Tracer::default();
            let client = Through(Box::pin(Client::open(&node, &counter)), tracer.clone()).await?;
            client.send(Ask::Ring(ms(20)))?;
            let _ = Through(Box::pin(client.next()), tracer.clone()).await?;
            assert_eq!(node.now().since_start(), ms(20));
            Through(Box::pin(node.sleep(ms(5))), tracer.clone()).await;
            let task = node.spawn(async { 3 });
            assert_eq!(Through(Box::pin(task), tracer).await, Ok(3));
            Ok::<_, Disconnected>(())
        }
    });
    sim.run().expect_done();
    assert_eq!(sim.now().since_start(), ms(25));
}

#[test]
fn a_waker_that_waits_for_a_timer_does_not_keep_its_world_alive() {
    let tracer = Tracer::default();
    let watch = tracer.watch();
    let mut sim = Sim::new(1);
    let over = Rc::new(Cell::new(false));
    let told = Rc::clone(&over);
    sim.node("a", move |node| {
        let (tracer, told) = (tracer.clone(), Rc::clone(&told));
        async move {
            // Both are over at once, and the second is dropped when its timer is due but has not
            // fired.
            let second = Through(Box::pin(node.sleep_until(node.now() + ms(1))), tracer);
            let first = node.sleep(ms(1));
            let (mut first, mut second) = (pin!(first), Some(Box::pin(second)));
            std::future::poll_fn(|cx| {
                let poll = first.as_mut().poll(cx);
                if poll.is_pending()
                    && let Some(second) = &mut second
                {
                    let _ = second.as_mut().poll(cx);
                }
                poll
            })
            .await;
            drop(second.take());
            told.set(true);
            std::future::pending::<()>().await;
        }
    });
    sim.run_until(|| over.get()).expect_reached();
    assert_eq!(watch.strong_count(), 2, "its timer is still to fire");
    drop(sim);
    assert_eq!(watch.strong_count(), 0);
}

#[test]
fn a_task_spawned_after_the_end_of_the_world_is_dropped_at_once() {
    let tracer = Tracer::default();
    let (watch, mut sim) = (tracer.watch(), Sim::new(1));
    let node = sim.daemon("a", async |node| node.sleep(Duration::MAX).await);
    let _ = sim.run();
    drop(sim);
    let sleeper = node.clone();
    let mut handle = pin!(node.spawn(async move {
        sleeper.sleep(ms(1)).await;
        drop(tracer);
    }));
    assert_eq!(watch.strong_count(), 0);
    let polled = handle.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Err(stunt_double::sim::Killed)));
}

/// Spawns a successor when it is dropped, this many times.
struct Hydra(Node, Tracer, u32);

impl Drop for Hydra {
    fn drop(&mut self) {
        if let Some(heads) = self.2.checked_sub(1) {
            let next = Hydra(self.0.clone(), self.1.clone(), heads);
            drop(self.0.spawn(async move { drop(next) }));
        }
    }
}

#[test]
fn a_task_spawned_while_the_world_is_dropped_does_not_survive_it() {
    let tracer = Tracer::default();
    let watch = tracer.watch();
    let mut sim = Sim::new(1);
    let node = sim.node("a", async |node| node.sleep(Duration::MAX).await);
    let hydra = Hydra(node.clone(), tracer, 5);
    drop(sim.spawn(&node, async move {
        hydra.0.sleep(Duration::MAX).await;
    }));
    let _ = sim.run();
    drop(sim);
    assert_eq!(watch.strong_count(), 0);
}

#[test]
fn handles_may_be_used_after_the_end_of_the_world() {
    const SITE: Site = Site::new("test.site");
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let kept: Rc<RefCell<Option<Client>>> = Rc::default();
    let (slot, handle) = (Rc::clone(&kept), counter.clone());
    let node = sim.node("a", move |node| {
        let (slot, counter) = (Rc::clone(&slot), handle.clone());
        async move {
            *slot.borrow_mut() = Some(Client::open(&node, &counter).await?);
            node.sleep(Duration::MAX).await;
            Ok::<_, Disconnected>(())
        }
    });
    let _ = sim.run_for(ms(5));
    drop(sim);

    let mut cx = Context::from_waker(Waker::noop());
    let client = kept.take().expect("it connected");
    let _ = client.send(Ask::Add(1));
    let _ = pin!(client.next()).poll(&mut cx);
    drop(client);
    let mut sleep = pin!(node.sleep(ms(1)));
    assert!(sleep.as_mut().poll(&mut cx).is_pending(), "time stands still now");
    let opened = pin!(Client::open(&node, &counter)).poll(&mut cx);
    assert!(matches!(opened, Poll::Ready(Err(Disconnected::ClosedHere))), "no process dials");
    for act in [Node::kill, Node::restart, Node::pause, Node::resume] {
        act(&node);
    }
    node.note("after the end");
    assert_eq!(node.name(), "a");
    let _ = (node.now(), node.wall_clock(), node.is_alive(), node.choose(SITE, 3));
    let link = node.link(&counter);
    link.set_latency(Latency::Constant(ms(1)));
    link.partition();
    link.heal();
    link.sever();
    counter.crash();
    counter.wipe();
    counter.stop(Shutdown::Clean);
    counter.with(|machine, _| machine.total += 1);
    assert_eq!(counter.inspect(|machine: &Counter| machine.total), 1);
}

#[test]
#[should_panic(expected = "in another world than its own")]
fn a_node_cannot_use_the_service_of_another_world() {
    let (mut here, mut there) = (Sim::new(1), Sim::new(1));
    let service = counter(&mut there);
    let node = here.node("a", async |_| ());
    let _ = node.link(&service);
}

#[test]
#[should_panic(expected = "in another world than its own")]
fn a_world_cannot_run_the_tasks_of_another_worlds_node() {
    let (mut here, mut there) = (Sim::new(1), Sim::new(1));
    let node = here.node("a", async |_| ());
    drop(there.spawn(&node, async {}));
}

#[test]
#[should_panic(expected = "in another world than its own")]
fn a_connection_stays_within_one_world() {
    let (mut here, mut there) = (Sim::new(1), Sim::new(1));
    let service = counter(&mut there);
    let node = here.node("a", async |_| ());
    let _ = pin!(Client::open(&node, &service)).poll(&mut Context::from_waker(Waker::noop()));
}

/// A waker that inspects the service while it is woken, as one that polls its task at once does.
struct Nosy(Waker, stunt_double::sim::ServiceHandle<Counter>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        assert!(self.1.is_running());
        self.0.wake_by_ref();
    }
}

#[test]
fn wakers_are_woken_with_no_service_locked() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let handle = counter;
    sim.node("a", move |node| {
        let counter = handle.clone();
        async move {
            let client = Client::open(&node, &counter).await?;
            client.send(Ask::Ring(ms(10)))?;
            let mut next = pin!(client.next());
            std::future::poll_fn(|cx| {
                let waker = Waker::from(Arc::new(Nosy(cx.waker().clone(), counter.clone())));
                next.as_mut().poll(&mut Context::from_waker(&waker))
            })
            .await?;
            node.link(&counter).sever();
            let mut next = pin!(client.next());
            let ended = std::future::poll_fn(|cx| {
                let waker = Waker::from(Arc::new(Nosy(cx.waker().clone(), counter.clone())));
                next.as_mut().poll(&mut Context::from_waker(&waker))
            })
            .await;
            assert_eq!(ended, Err(Disconnected::Reset));
            Ok::<_, Disconnected>(())
        }
    });
    sim.run().expect_done();
}
