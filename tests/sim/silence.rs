//! A killed process has no effect: nothing that a destructor does after the kill is part of the
//! run.

use crate::support::{Ask, Client, Counter, at_ms, counter, log, ms, notes, secs};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use stunt_double::Shutdown;
use stunt_double::Site;
use stunt_double::sim::{
    Config, Disconnected, Latency, Node, Outcome, Panics, ServiceHandle, Sim, Strategy,
};

const SITE: Site = Site::new("test.drop");

/// Sends when it is dropped, as a guard that acknowledges does.
struct Guard {
    client: Arc<Client>,
    node: Node,
    heard: Rc<RefCell<Vec<Result<(), Disconnected>>>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.heard.borrow_mut().push(self.client.send(Ask::Add(100)));
        self.node.note("released");
    }
}

type Heard = Rc<RefCell<Vec<Result<(), Disconnected>>>>;

/// A node with a guard in its main task, which then runs `ending`.
fn guarded<F>(
    sim: &mut Sim,
    ending: impl Fn(Node) -> F + 'static,
) -> (ServiceHandle<Counter>, Node, Heard)
where
    F: Future<Output = ()> + 'static,
{
    let counter = counter(sim);
    let heard = Heard::default();
    let (handle, told, ending) = (counter.clone(), Rc::clone(&heard), Rc::new(ending));
    let node = sim.node("a", move |node| {
        let (counter, heard, ending) = (handle.clone(), Rc::clone(&told), Rc::clone(&ending));
        async move {
            let client = Arc::new(Client::open(&node, &counter).await?);
            client.ask(Ask::Add(1)).await?;
            let _guard = Guard { client, node: node.clone(), heard };
            ending(node).await;
            Ok::<_, Disconnected>(())
        }
    });
    node.link(&counter).set_latency(Latency::Constant(ms(1)));
    (counter, node, heard)
}

fn total(counter: &ServiceHandle<Counter>) -> u64 {
    counter.inspect(|machine| machine.total)
}

#[test]
fn a_guard_that_speaks_in_its_destructor_says_nothing_after_a_kill() {
    for pause in [false, true] {
        for restart in [false, true] {
            let mut sim = Sim::new(1);
            let (counter, node, heard) =
                guarded(&mut sim, async |node| node.sleep(Duration::MAX).await);
            sim.run_for(secs(1)).expect_reached();
            if pause {
                node.pause();
                sim.run_for(ms(1)).expect_reached();
            }
            if restart {
                node.restart();
            } else {
                node.kill();
            }
            sim.run_for(secs(1)).expect_reached();
            assert_eq!(heard.borrow()[0], Err(Disconnected::ClosedHere));
            assert_eq!(total(&counter), if restart { 2 } else { 1 });
            assert_eq!(notes(&sim), [""; 0]);
        }
    }
}

#[test]
fn what_was_sent_before_a_kill_still_arrives() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Add(1))?;
        node.sleep(Duration::MAX).await;
        Ok::<_, Disconnected>(())
    });
    node.link(&counter).set_latency(Latency::Constant(ms(10)));
    sim.at(at_ms(21), move || node.kill());
    sim.run().expect_done();
    assert_eq!(log(&counter), ["0.01s 0 connected a", "0.03s 0 Add(1)", "0.031s 0 disconnected"]);
}

#[test]
fn a_process_that_exits_may_speak_until_it_has_ended() {
    let mut sim = Sim::new(1);
    let (counter, _, heard) = guarded(&mut sim, async |node| node.sleep(secs(1)).await);
    sim.run().expect_done();
    assert_eq!(*heard.borrow(), [Ok(())]);
    assert_eq!(total(&counter), 101);
    assert_eq!(notes(&sim), ["1.004s a released"]);

    // The same holds for its other tasks, which its runtime drops when it shuts down.
    let mut sim = Sim::new(1);
    let counter = crate::support::counter(&mut sim);
    let heard = Heard::default();
    let told = Rc::clone(&heard);
    let handle = counter.clone();
    let node = sim.node_with("a", (), async |node, ()| node.sleep(secs(1)).await);
    let other = node.clone();
    drop(sim.spawn(&node, async move {
        let client = Arc::new(Client::open(&other, &handle).await.expect("it runs"));
        let _guard = Guard { client, node: other.clone(), heard: told };
        other.sleep(Duration::MAX).await;
    }));
    sim.run().expect_done();
    assert_eq!(*heard.borrow(), [Ok(())]);
    assert_eq!(total(&counter), 100);
    let transcript = sim.trace().transcript();
    let (exited, released) = (transcript.find("exited"), transcript.find("released"));
    assert!(released < exited, "it has ended when that is told: {transcript}");
}

#[test]
fn a_panic_ends_a_process_as_if_it_aborted() {
    let mut sim = Sim::new(1);
    let (counter, _, heard) = guarded(&mut sim, async |node| {
        node.sleep(secs(1)).await;
        panic!("lost");
    });
    assert!(matches!(sim.run(), Outcome::Failed(problem) if problem.message == "lost"));
    sim.run().expect_done();
    assert_eq!(*heard.borrow(), [Err(Disconnected::ClosedHere)]);
    assert_eq!(total(&counter), 1);
    assert_eq!(notes(&sim), [""; 0]);
}

#[test]
fn a_panic_that_unwinds_runs_its_own_destructors_while_the_process_lives() {
    let mut sim = Sim::with_config(Config::new(1).with_panics(Panics::Unwind));
    let (counter, _, heard) = guarded(&mut sim, async |node| {
        node.sleep(secs(1)).await;
        panic!("lost");
    });
    assert!(matches!(sim.run(), Outcome::Failed(_)));
    sim.run().expect_done();
    assert_eq!(*heard.borrow(), [Ok(())]);
    assert_eq!(total(&counter), 101);
}

#[test]
fn catching_a_panic_needs_a_process_that_unwinds() {
    for (panics, goes_on) in [(Panics::Abort, false), (Panics::Unwind, true)] {
        let mut sim = Sim::with_config(Config::new(1).with_panics(panics));
        let counter = counter(&mut sim);
        let heard = Heard::default();
        let told = Rc::clone(&heard);
        sim.node_with("a", counter.clone(), move |node, counter| {
            let heard = Rc::clone(&told);
            async move {
                let client = Arc::new(Client::open(&node, &counter).await?);
                let guard = Guard { client, node: node.clone(), heard };
                let caught = catch_unwind(AssertUnwindSafe(move || {
                    let _guard = guard;
                    panic!("caught");
                }));
                assert!(caught.is_err());
                node.sleep(secs(1)).await;
                Ok::<_, Disconnected>(())
            }
        });
        match sim.run() {
            Outcome::Done => assert!(goes_on),
            Outcome::Failed(problem) => {
                assert!(!goes_on);
                assert!(
                    problem.message.contains("Config::with_panics(Panics::Unwind)"),
                    "{problem}"
                );
            }
            other => panic!("{other}"),
        }
        assert_eq!(total(&counter), if goes_on { 100 } else { 0 });
    }
}

#[test]
fn the_end_of_the_world_is_as_silent_as_a_kill() {
    let mut sim = Sim::new(1);
    let (counter, _, heard) = guarded(&mut sim, async |node| node.sleep(Duration::MAX).await);
    sim.run_for(secs(1)).expect_reached();
    drop(sim);
    assert_eq!(*heard.borrow(), [Err(Disconnected::ClosedHere)]);
    assert_eq!(total(&counter), 1);
}

#[test]
fn a_killed_process_wakes_nobody_and_who_waits_for_it_is_told_why() {
    let mut sim = Sim::new(1);
    let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
    /// Wakes the waiter when it is dropped, as the sender of a channel does.
    struct Sender(Arc<Mutex<Option<Waker>>>);
    impl Drop for Sender {
        fn drop(&mut self) {
            if let Some(waker) = self.0.lock().unwrap().take() {
                waker.wake();
            }
        }
    }
    let (sends, waits) = (Arc::clone(&slot), slot);
    let sender = sim.node_with("sender", sends, async |node, slot| {
        let _sender = Sender(slot);
        node.sleep(Duration::MAX).await;
    });
    sim.node_with("receiver", waits, async |_, slot| {
        std::future::poll_fn(|cx: &mut Context<'_>| {
            *slot.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    });
    sim.at(at_ms(1), move || sender.kill());
    let Outcome::Stuck(stuck) = sim.run() else { panic!("nobody wakes it") };
    let text = stuck.waiting[0].to_string();
    assert!(text.contains("a destructor of a killed process would have woken it"), "{text}");
}

#[test]
fn a_task_that_waits_for_one_of_a_killed_node_is_told() {
    let mut sim = Sim::new(1);
    let victim = sim.daemon("victim", async |node| node.sleep(Duration::MAX).await);
    let sleeper = victim.clone();
    let handle = victim.spawn(async move { sleeper.sleep(Duration::MAX).await });
    let waits = Rc::new(Cell::new(Some(handle)));
    sim.node_with("other", waits, async |node, handle| {
        let ended = handle.take().expect("it starts once").await;
        node.note(format_args!("{ended:?}"));
    });
    sim.at(at_ms(3), move || victim.kill());
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.003s other Err(Killed)"]);
}

/// A deed that a destructor may try.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Send,
    Note,
    Choose,
    Connect,
    Spawn,
    Sleep,
    KillOther,
    RestartSelf,
    PauseOther,
    TerminateOther,
    Partition,
    Blackhole,
    Sever,
    StopServer,
    WipeServer,
    SetClock,
    Latency,
    NodeClocks,
    Wake,
    Panic,
}

const DEEDS: [Deed; 20] = [
    Deed::Send,
    Deed::Note,
    Deed::Choose,
    Deed::Connect,
    Deed::Spawn,
    Deed::Sleep,
    Deed::KillOther,
    Deed::RestartSelf,
    Deed::PauseOther,
    Deed::TerminateOther,
    Deed::Partition,
    Deed::Blackhole,
    Deed::Sever,
    Deed::StopServer,
    Deed::WipeServer,
    Deed::SetClock,
    Deed::Latency,
    Deed::NodeClocks,
    Deed::Wake,
    Deed::Panic,
];

/// Does all of its deeds when it is dropped.
struct Loud {
    deeds: Vec<Deed>,
    node: Node,
    other: Node,
    client: Client,
    counter: ServiceHandle<Counter>,
    waker: Waker,
}

impl Drop for Loud {
    fn drop(&mut self) {
        let link = self.node.link(&self.counter);
        let mut cx = Context::from_waker(&self.waker);
        for deed in std::mem::take(&mut self.deeds) {
            match deed {
                Deed::Send => assert!(self.client.send(Ask::Add(9)).is_err()),
                Deed::Note => self.node.note("a word"),
                Deed::Choose => assert_eq!(self.node.choose(SITE, 99), 0),
                Deed::Connect => {
                    for node in [&self.node, &self.other] {
                        let opened =
                            Box::pin(Client::open(node, &self.counter)).as_mut().poll(&mut cx);
                        assert!(matches!(opened, Poll::Ready(Err(Disconnected::ClosedHere))));
                    }
                }
                Deed::Spawn => drop(self.node.spawn(std::future::pending::<()>())),
                Deed::Sleep => {
                    let mut sleep = Box::pin(self.other.sleep(secs(3_600)));
                    assert!(sleep.as_mut().poll(&mut cx).is_pending());
                    std::mem::forget(sleep);
                }
                Deed::KillOther => self.other.kill(),
                Deed::RestartSelf => self.node.restart(),
                Deed::PauseOther => self.other.pause(),
                Deed::TerminateOther => self.other.terminate(),
                Deed::Partition => self.other.link(&self.counter).partition(),
                Deed::Blackhole => self.other.link(&self.counter).blackhole(),
                Deed::Sever => link.sever(),
                Deed::StopServer => self.counter.stop(Shutdown::Clean),
                Deed::WipeServer => self.counter.wipe(),
                Deed::SetClock => self.counter.set_clock_drift(500),
                Deed::Latency => {
                    self.other.link(&self.counter).set_latency(Latency::Constant(secs(1)));
                }
                Deed::NodeClocks => {
                    for node in [&self.node, &self.other] {
                        node.set_clock_drift(1_000_000);
                        node.set_clock_ahead(Duration::from_millis(5));
                    }
                }
                Deed::Wake => self.waker.wake_by_ref(),
                Deed::Panic => panic!("a destructor's own panic"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a node does in destructors, the trace has no line of it after the node's end, and
    /// the world goes on exactly as if the node had no destructors.
    #[test]
    fn whatever_destructors_do_the_run_is_as_if_they_did_nothing(
        seed: u64,
        random: bool,
        main in proptest::collection::vec(0..DEEDS.len(), 0..6),
        task in proptest::collection::vec(0..DEEDS.len(), 0..6),
        ending in 0..4_u8,
    ) {
        let run = |with_deeds: bool| {
            let strategy = if random { Strategy::Random } else { Strategy::Fifo };
            let config = Config::new(seed).with_strategy(strategy).with_latency(Latency::Constant(ms(1)));
            let mut sim = Sim::with_config(config);
            let counter = counter(&mut sim);
            let other = sim.node_with("other", counter.clone(), async |node, counter| {
                let client = Client::open(&node, &counter).await?;
                for _ in 0..10 {
                    client.ask(Ask::Toss(6)).await?;
                    node.sleep(ms(3)).await;
                }
                Ok::<_, Disconnected>(())
            });
            let deeds = |which: &[usize]| -> Vec<Deed> {
                let done = which.iter().filter(|_| with_deeds).map(|i| DEEDS[*i]);
                // A panic while another unwinds ends the test's own process.
                done.filter(|deed| ending < 3 || !matches!(deed, Deed::Panic)).collect()
            };
            let moment = if ending == 3 { ms(15) } else { Duration::MAX };
            let with = (counter, other, deeds(&main), deeds(&task), moment);
            let node = sim.daemon_with("loud", with, async |node, (counter, other, main, task, moment)| {
                let mut guards = Vec::new();
                for deeds in [main, task] {
                    let client = Client::open(&node, &counter).await?;
                    let waker = std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                    let (node, other, counter) = (node.clone(), other.clone(), counter.clone());
                    guards.push(Loud { deeds, node, other, client, counter, waker });
                }
                let in_task = guards.pop();
                drop(node.spawn(async move {
                    let _in_task = in_task;
                    std::future::pending::<()>().await;
                }));
                node.sleep(moment).await;
                assert!(moment > ms(15), "it panics");
                drop(guards);
                Ok::<_, Disconnected>(())
            });
            sim.at(at_ms(15), move || match ending {
                0 => node.kill(),
                1 => node.restart(),
                2 => node.lose_power(),
                _ => {}
            });
            while sim.run_for(secs(1)) != Outcome::Reached {}
            (sim.digest(), sim.trace().transcript())
        };
        let (loud, silent) = (run(true), run(false));
        prop_assert_eq!(&loud.1, &silent.1);
        prop_assert_eq!(loud.0, silent.0);
    }
}
