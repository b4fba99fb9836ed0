//! Deaths in the middle of a poll: a process may end between two messages that it sends without
//! waiting, and nothing that it does from then on is part of the run.

use crate::storms::{fault, lasting};
use crate::support::{Ask, Client, Counter, Tell, counter, log, ms, notes, secs};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::sim::{Chaos, Config, Disconnected, Node, ServiceHandle, Sim, seeds};
use stunt_double::{Choice, Shutdown, Tape};

/// The kinds of faults that end a process at once.
type Deadly = fn(Chaos, &Node) -> Chaos;
const DEADLY: [(&str, Deadly); 5] = [
    ("kill", |chaos, node| chaos.kill(node)),
    ("kill for good", |chaos, node| chaos.kill_for_good(node)),
    ("lose power", |chaos, node| chaos.lose_power(node)),
    ("restart", |chaos, node| chaos.restart(node)),
    ("terminate", |chaos, node| chaos.terminate(node)),
];

/// Returns the settings of a run in which the plan's first fault strikes at the `n`-th message of
/// the first node to the first service, this long after it.
fn at_message(n: usize, delay: Duration) -> Config {
    let value = |at| if at == n { fault(0, delay) } else { 0 };
    let choices = (1..=n).map(|at| Choice::new("chaos.strike", 0, 1_000, value(at)));
    Config::new(1).with_tape(choices.collect::<Tape>()).with_recording()
}

/// In its first life the first node says two things in one poll, and then does whatever `rest`
/// does. Returns what the counter has heard of it, and the notes.
fn two_in_one_poll<F, Fut>(deadly: Deadly, config: Config, rest: F) -> (Vec<String>, Vec<String>)
where
    F: Fn(Node, Client, ServiceHandle<Counter>) -> Fut + Clone + 'static,
    Fut: Future<Output = Result<(), Disconnected>> + Send + 'static,
{
    let mut sim = Sim::with_config(config);
    let counter = counter(&mut sim);
    let lives = Rc::new(Cell::new(0));
    let handle = counter.clone();
    let node = sim.node("writer", move |node: Node| {
        let (counter, rest, life) = (handle.clone(), rest.clone(), lives.get());
        lives.set(life + 1);
        let first = async move {
            let client = Client::open(&node, &counter).await?;
            client.send(Ask::AddQuietly(1))?;
            Ok::<_, Disconnected>((node, client, counter))
        };
        async move {
            if life > 0 {
                return Ok(());
            }
            let (node, client, counter) = first.await?;
            rest(node, client, counter).await
        }
    });
    let plan = deadly(Chaos::new().with_downtime(lasting(secs(1))), &node).without_swarm();
    plan.run_then_heal(&mut sim, secs(2_000)).expect_done();
    let heard = log(&counter).into_iter().filter(|line| line.contains("Add"));
    (heard.collect(), notes(&sim))
}

async fn second(node: Node, client: Client, _: ServiceHandle<Counter>) -> Result<(), Disconnected> {
    client.send(Ask::AddQuietly(2))?;
    node.note("sent both");
    node.sleep(ms(5)).await;
    client.send(Ask::AddQuietly(3))
}

#[test]
fn a_process_may_die_between_two_messages_of_one_poll() {
    for (kind, deadly) in DEADLY {
        let (heard, told) = two_in_one_poll(deadly, at_message(3, Duration::ZERO), second);
        assert_eq!(heard, ["0s 0 AddQuietly(1)"], "{kind}");
        assert_eq!(told, [] as [&str; 0], "{kind}");
        let (heard, told) = two_in_one_poll(deadly, at_message(4, Duration::ZERO), second);
        assert_eq!(heard, ["0s 0 AddQuietly(1)", "0s 0 AddQuietly(2)"], "{kind}");
        assert_eq!(told, [] as [&str; 0], "{kind}: it died before that line");
        let (heard, told) = two_in_one_poll(deadly, at_message(3, ms(1)), second);
        assert_eq!((heard.len(), told.len()), (2, 1), "{kind}: it comes later");
        let (heard, _) = two_in_one_poll(deadly, at_message(9, ms(1)), second);
        assert_eq!(heard.len(), 3, "{kind}: none strikes");
    }
}

#[test]
fn what_a_dead_process_does_in_the_rest_of_its_poll_counts_for_nothing() {
    type Rest = fn(Node, Client, ServiceHandle<Counter>) -> Ending;
    type Ending = std::pin::Pin<Box<dyn Future<Output = Result<(), Disconnected>> + Send>>;
    let rests: [(&str, Rest); 8] = [
        ("returns", |_, _, _| Box::pin(async { Ok(()) })),
        ("fails", |_, _, _| Box::pin(async { Err(Disconnected::TimedOut) })),
        ("panics", |_, _, _| Box::pin(async { panic!("nobody hears of it") })),
        ("connects again and again", |node, client, counter| {
            Box::pin(async move {
                drop(client);
                while Client::open(&node, &counter).await.is_err() {}
                node.note("connected");
                Ok(())
            })
        }),
        ("awaits what is not there", |node, client, _| {
            Box::pin(async move {
                while client.ask(Ask::Add(1)).await.is_err() {
                    node.sleep(Duration::ZERO).await;
                }
                node.note("answered");
                Ok(())
            })
        }),
        ("spawns", |node, _, _| {
            Box::pin(async move {
                let note = |node: Node| async move { node.note("spawned") };
                while node.spawn(note(node.clone())).await.is_err() {}
                Ok(())
            })
        }),
        ("handles its termination", |node, _, _| {
            Box::pin(async move {
                node.terminated().await;
                node.sleep(ms(1)).await;
                node.note("stopped in good order");
                Ok(())
            })
        }),
        ("does this and that", |node, _, counter| {
            Box::pin(async move {
                node.link(&counter).partition();
                counter.stop(Shutdown::Kill);
                node.set_clock_ahead(secs(1));
                node.pause();
                node.sleep(ms(1)).await;
                node.note("goes on");
                Ok(())
            })
        }),
    ];
    for (kind, deadly) in DEADLY {
        for (what, rest) in rests {
            let (heard, told) = two_in_one_poll(deadly, at_message(3, Duration::ZERO), rest);
            assert_eq!(heard, ["0s 0 AddQuietly(1)"], "{kind}, {what}");
            assert_eq!(told, [] as [&str; 0], "{kind}, {what}");
        }
    }
}

#[test]
fn a_process_that_handles_its_termination_goes_on_when_it_is_asked_to_stop() {
    let mut sim = Sim::with_config(at_message(3, Duration::ZERO));
    let counter = counter(&mut sim);
    let node = sim.node_with("writer", counter, async |node, counter| {
        let terminated = node.terminated();
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::AddQuietly(1))?;
        client.send(Ask::AddQuietly(2))?;
        terminated.await;
        assert_eq!(client.ask(Ask::Add(3)).await?, Tell::Total(6));
        node.note("stopped");
        Ok::<_, Disconnected>(())
    });
    Chaos::new().terminate(&node).start(&mut sim);
    sim.run_until(move || !node.is_alive()).expect_reached();
    assert_eq!(notes(&sim), ["0s writer stopped"]);
}

#[test]
fn a_sweep_finds_the_one_message_between_two_of_a_poll() {
    let sweep = seeds(0..1_000, |sim: &mut Sim| {
        let counter = counter(sim);
        let node = sim.node_with("writer", counter.clone(), async |node, counter| {
            let client = Client::open(&node, &counter).await?;
            client.send(Ask::AddQuietly(1))?;
            client.send(Ask::AddQuietly(1))?;
            node.sleep(ms(1)).await;
            Ok::<_, Disconnected>(())
        });
        Chaos::new().kill_for_good(&node).run_then_heal(sim, secs(10)).expect_done();
        let total = counter.inspect(|counter| counter.total);
        assert!(total != 1, "half of it");
    });
    let account = sweep.account.as_deref().unwrap_or_else(|| panic!("{sweep}"));
    let words = account.decisive().map(|decision| decision.choice.told()).unwrap_or_default();
    let expected = "writer killed for good, as writer sent counter AddQuietly(1)";
    assert!(words.starts_with(expected), "{words}");
}

#[test]
fn wherever_a_plan_ends_what_it_has_killed_starts_again() {
    for (kind, deadly) in DEADLY.iter().filter(|(kind, _)| *kind != "kill for good") {
        for steps in 0..60 {
            let mut sim = Sim::with_config(at_message(3, Duration::ZERO));
            let counter = counter(&mut sim);
            let node = sim.daemon("writer", {
                let counter = counter.clone();
                move |node: Node| {
                    let counter = counter.clone();
                    async move {
                        let client = Client::open(&node, &counter).await?;
                        client.send(Ask::AddQuietly(1))?;
                        client.send(Ask::AddQuietly(10))?;
                        node.sleep(Duration::MAX).await;
                        Ok::<_, Disconnected>(())
                    }
                }
            });
            deadly(Chaos::new(), &node).start(&mut sim);
            for _ in 0..steps {
                let _ = sim.step();
            }
            sim.end_chaos();
            sim.run().expect_done();
            sim.run_for(secs(2)).expect_reached();
            assert!(node.is_alive(), "{kind}, {steps} steps");
            let total = counter.inspect(|counter| counter.total);
            assert!([11, 12].contains(&total), "{kind}, {steps} steps: {total}");
        }
    }
}
