//! Actions of the test, and servers that stop, crash and come back.

use crate::support::{Ask, Client, Tell, at_ms, counter, log, ms, notes};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use stunt_double::Instant;
use stunt_double::Shutdown;
use stunt_double::sim::{Disconnected, Latency, Outcome, Sim};

#[test]
fn actions_come_at_their_moment_and_in_the_order_given() {
    let mut sim = Sim::new(1);
    let order = Rc::new(RefCell::new(Vec::new()));
    let note = |what: &'static str| {
        let order = Rc::clone(&order);
        move || order.borrow_mut().push(what)
    };
    sim.at(at_ms(20), note("first of 20"));
    sim.at(at_ms(20), note("second of 20"));
    sim.after(ms(10), note("10"));
    sim.run_for(ms(15)).expect_reached();
    assert_eq!(*order.borrow(), ["10"]);
    sim.at(Instant::ZERO, note("past"));
    sim.after(ms(1), note("16"));
    assert_eq!(order.borrow().len(), 1, "not before the run goes on");
    sim.run().expect_done();
    assert_eq!(*order.borrow(), ["10", "past", "16", "first of 20", "second of 20"]);
    assert_eq!(sim.now(), at_ms(20));
}

#[test]
fn an_action_for_the_end_of_time_never_comes() {
    let mut sim = Sim::new(1);
    sim.after(Duration::MAX, || panic!("it came"));
    sim.run().expect_done();
    assert_eq!(sim.now(), Instant::ZERO);
}

#[test]
fn a_condition_acts_once_right_after_the_step_that_made_it_true() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.daemon_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        for _ in 0..10 {
            client.ask(Ask::Add(1)).await?;
            node.sleep(ms(1)).await;
        }
        Ok::<_, Disconnected>(())
    });
    let (seen, acted) = (counter.clone(), Rc::new(Cell::new(0)));
    let count = Rc::clone(&acted);
    sim.when(
        move || seen.inspect(|machine| machine.total) >= 3,
        move || {
            count.set(count.get() + 1);
            node.kill();
        },
    );
    sim.run().expect_done();
    assert_eq!(acted.get(), 1);
    assert_eq!(counter.inspect(|machine| machine.total), 3, "killed before it could go on");
}

#[test]
fn conditions_of_one_step_act_in_the_order_given() {
    let mut sim = Sim::new(1);
    let order = Rc::new(RefCell::new(String::new()));
    for name in ["a", "b", "c"] {
        let order = Rc::clone(&order);
        sim.when(|| true, move || order.borrow_mut().push_str(name));
    }
    sim.run().expect_done();
    assert_eq!(*order.borrow(), "abc");
}

#[test]
fn a_panic_in_an_action_fails_the_run_in_the_name_of_the_world() {
    let mut sim = Sim::new(5);
    let node = sim.node("a", async |node| node.sleep(ms(9)).await);
    sim.at(at_ms(3), || panic!("an assertion of the test"));
    let Outcome::Failed(problem) = sim.run() else { panic!("it failed") };
    assert_eq!((&*problem.node, problem.at, problem.seed), ("world", at_ms(3), 5));
    assert!(problem.panicked);
    assert_eq!(problem.message, "an assertion of the test");
    assert!(node.is_alive());
    sim.run().expect_done();
    assert_eq!(sim.now(), at_ms(9), "the world goes on");
}

#[test]
fn a_panic_in_a_condition_fails_the_run_like_one_in_an_action() {
    let mut sim = Sim::new(5);
    sim.node("a", async |node| node.sleep(ms(9)).await);
    sim.when(|| panic!("cannot be looked at"), || ());
    let Outcome::Failed(problem) = sim.run() else { panic!("it failed") };
    assert_eq!((&*problem.node, &*problem.message), ("world", "cannot be looked at"));
    sim.run().expect_done();
}

#[test]
fn no_failure_hides_another() {
    let mut sim = Sim::new(1);
    for message in ["one", "two"] {
        sim.when(|| true, move || panic!("{message}"));
    }
    let mut failed = || match sim.run() {
        Outcome::Failed(problem) => problem.message,
        other => other.to_string(),
    };
    assert_eq!([failed(), failed(), failed()], ["one", "two", "done"]);
}

#[test]
fn a_clean_stop_says_goodbye_and_keeps_everything() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Add(5))?;
        while let Ok(told) = client.next().await {
            node.note(format_args!("{told:?}"));
        }
        node.note(format_args!("{:?}", client.next().await));
        Ok::<_, Disconnected>(())
    });
    node.link(&counter).set_latency(Latency::Constant(ms(1)));
    let stop = counter.clone();
    sim.at(at_ms(10), move || stop.stop(Shutdown::Clean));
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.004s a Total(5)", "0.011s a Goodbye", "0.011s a Err(Closed)"]);
    assert!(!counter.is_running());
    counter.start();
    assert!(counter.is_running());
    assert_eq!(counter.inspect(|machine| machine.total), 5);
}

#[test]
fn a_crash_closes_every_connection_and_loses_what_was_not_saved() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.ask(Ask::Add(5)).await?;
        assert_eq!(client.ask(Ask::Save).await?, Tell::Saved);
        client.ask(Ask::Add(2)).await?;
        assert_eq!(client.next().await, Err(Disconnected::Closed));
        let again = Client::open(&node, &counter).await?;
        assert_eq!(again.ask(Ask::Add(0)).await?, Tell::Total(5));
        Ok::<_, Disconnected>(())
    });
    let crash = counter.clone();
    sim.at(at_ms(10), move || crash.crash());
    sim.run().expect_done();
    assert!(log(&counter).contains(&"0.01s stop Kill".to_owned()));
}

#[test]
fn a_request_on_its_way_to_a_server_that_restarts_is_lost() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Add(1))?;
        assert_eq!(client.next().await, Err(Disconnected::Reset));
        Ok::<_, Disconnected>(())
    });
    node.link(&counter).set_latency(Latency::Constant(ms(10)));
    let crash = counter.clone();
    sim.at(at_ms(25), move || crash.lose_power());
    sim.run().expect_done();
    assert_eq!(log(&counter), ["0.01s 0 connected a", "0.025s stop PowerLoss", "0.025s start"]);
}

#[test]
fn a_server_that_is_down_refuses() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    counter.stop(Shutdown::Kill);
    counter.stop(Shutdown::Clean);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let mut refusals = 0;
        let client = loop {
            match Client::open(&node, &counter).await {
                Ok(client) => break client,
                Err(why) => assert_eq!(why, Disconnected::Refused),
            }
            refusals += 1;
            node.sleep(ms(10)).await;
        };
        node.note(format_args!("{refusals} refusals"));
        client.ask(Ask::Add(1)).await.map(|_| ())
    });
    let start = counter.clone();
    sim.at(at_ms(25), move || start.start());
    sim.run().expect_done();
    assert_eq!(notes(&sim), ["0.03s a 3 refusals"]);
    assert_eq!(log(&counter)[0], "0s stop Kill", "stopping what is stopped is nothing");
    assert_eq!(log(&counter)[1], "0.025s start");
}

#[test]
fn a_server_that_is_down_does_nothing_by_itself() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.send(Ask::Ring(ms(10)))
    });
    let (stop, start) = (counter.clone(), counter.clone());
    sim.at(at_ms(5), move || stop.stop(Shutdown::PowerLoss));
    sim.at(at_ms(30), move || start.start());
    sim.run().expect_done();
    let log = log(&counter);
    assert_eq!(log[log.len() - 3..], ["0.005s stop PowerLoss", "0.03s start", "0.03s timeout"]);
}

#[test]
fn a_wipe_takes_everything_and_leaves_a_running_server_running() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    counter.with(|machine, _| machine.total = 7);
    counter.wipe();
    assert!(counter.is_running());
    assert_eq!(counter.inspect(|machine| machine.total), 0);
    assert_eq!(log(&counter), ["0s stop Kill", "0s wipe", "0s start"]);

    counter.stop(Shutdown::Clean);
    counter.wipe();
    assert!(!counter.is_running());
    assert_eq!(sim.trace().transcript().matches("wiped").count(), 2);
}

#[test]
fn what_an_administrator_does_reaches_the_clients() {
    let mut sim = Sim::new(1);
    let counter = counter(&mut sim);
    sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        assert_eq!(client.next().await, Ok(Tell::Total(9)));
        assert_eq!(node.now(), at_ms(4));
        Ok::<_, Disconnected>(())
    });
    let admin = counter;
    sim.at(at_ms(4), move || {
        use stunt_double::sim::service::Service;
        admin.with(|machine, now| machine.handle_input(now, 0, Ask::Add(9)));
    });
    sim.run().expect_done();
}
