//! The journey of a message in the trace: its connection, when it was sent, and whether it arrived.

use crate::support::{Ask, Client, at_ms, counter, ms};
use std::sync::Arc;
use stunt_double::Instant;
use stunt_double::sim::trace::{EventKind, Trace};
use stunt_double::sim::{Config, Disconnected, Latency, Retention, Sim};

/// A message: its receiver, its sender, its connection, when it was sent and when it arrived.
type Journey = (Arc<str>, Arc<str>, u32, Instant, Instant);

/// Returns the messages of a trace.
fn messages(trace: &Trace) -> Vec<Journey> {
    let journey = |event: &stunt_double::sim::trace::Event| match &event.kind {
        EventKind::Request { from, connection, sent, .. }
        | EventKind::Response { from, connection, sent, .. } => {
            Some((Arc::clone(&event.who), Arc::clone(from), *connection, *sent, event.at))
        }
        _ => None,
    };
    trace.events().filter_map(journey).collect()
}

/// Two connections of one node, and one of another, each with one question.
fn world(retention: Retention) -> Sim {
    let mut sim = Sim::with_config(Config::new(1).with_retention(retention));
    let counter = counter(&mut sim);
    for (name, clients) in [("a", 2), ("b", 1)] {
        let node =
            sim.node_with(name, (counter.clone(), clients), async |node, (counter, clients)| {
                for n in 0..clients {
                    let client = Client::open(&node, &counter).await?;
                    node.sleep(ms(100)).await;
                    client.ask(Ask::Add(n)).await?;
                }
                Ok::<_, Disconnected>(())
            });
        node.link(&counter).set_latency(Latency::Constant(ms(10)));
    }
    sim.run().expect_done();
    sim
}

#[test]
fn a_message_knows_its_connection_and_when_it_was_sent() {
    let trace = world(Retention::All).trace();
    let found = messages(&trace);
    let found: Vec<_> = found
        .iter()
        .map(|(to, from, connection, sent, at)| {
            format!("{from} -> {to} on {connection}: {sent} to {at}")
        })
        .collect();
    assert_eq!(
        found,
        [
            "a -> counter on 0: 0.12s to 0.13s",
            "b -> counter on 1: 0.12s to 0.13s",
            "counter -> a on 0: 0.13s to 0.14s",
            "counter -> b on 1: 0.13s to 0.14s",
            "a#2 -> counter on 2: 0.26s to 0.27s",
            "counter#2 -> a on 2: 0.27s to 0.28s",
        ]
    );
}

#[test]
fn the_last_messages_know_it_too() {
    let (all, last) = (world(Retention::All).trace(), world(Retention::Last(4)).trace());
    let (all, last) = (messages(&all), messages(&last));
    assert!(last.len() >= 2, "{last:?}");
    assert_eq!(all[all.len() - last.len()..], last);
}

#[test]
fn a_message_that_waits_behind_a_partition_was_sent_before_it() {
    let mut sim = Sim::with_config(Config::new(1).with_retention(Retention::All));
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.ask(Ask::Add(1)).await.map(drop)
    });
    let link = node.link(&counter);
    link.set_latency(Latency::Constant(ms(10)));
    let (cut, heal) = (link.clone(), link);
    sim.at(at_ms(25), move || cut.partition());
    sim.at(at_ms(500), move || heal.heal());
    sim.run().expect_done();
    let found = messages(&sim.trace());
    let (_, _, _, sent, at) = &found[0];
    assert_eq!(*sent, at_ms(20));
    assert!(*at >= at_ms(500), "it arrived at {at}");
    assert_eq!(sim.trace().lost(), []);
}

/// The messages of a trace that never arrived: `a -> counter: Add(1), sent at .., lost at ..`.
fn lost(sim: &Sim) -> Vec<String> {
    let trace = sim.trace();
    let told = trace.lost().iter().map(|lost| {
        let fate = lost.lost.map_or("in flight".to_owned(), |at| format!("lost at {at}"));
        format!("{} -> {}: {}, sent at {}, {fate}", lost.from, lost.to, lost.text, lost.sent)
    });
    told.collect()
}

/// Runs a question whose answer would take ten milliseconds each way, until
/// a fault at 25 or 35 ms.
fn lose(retention: Retention, at: u64) -> Sim {
    let mut sim = Sim::with_config(Config::new(1).with_retention(retention));
    let counter = counter(&mut sim);
    let node = sim.node_with("a", counter.clone(), async |node, counter| {
        let client = Client::open(&node, &counter).await?;
        client.ask(Ask::Add(1)).await.map(drop)
    });
    let link = node.link(&counter);
    link.set_latency(Latency::Constant(ms(10)));
    sim.run_for(ms(at)).expect_reached();
    match at {
        25 => link.sever(),
        35 => node.kill(),
        _ => {}
    }
    let _ = sim.run_for(ms(1));
    sim
}

#[test]
fn lost_messages_are_told_when_everything_is_kept() {
    let severed = lose(Retention::All, 25);
    assert_eq!(lost(&severed), ["a -> counter: Add(1), sent at 0.02s, lost at 0.025s"]);
    let killed = lose(Retention::All, 35);
    assert_eq!(lost(&killed), ["counter -> a: Total(1), sent at 0.03s, lost at 0.035s"]);
    let flying = lose(Retention::All, 29);
    assert_eq!(lost(&flying), ["counter -> a: Total(1), sent at 0.03s, in flight"]);
    let shown = flying.trace().lost()[0].to_string();
    assert!(shown.contains("a            <- counter: Total(1) (never arrived)"), "{shown}");
    for at in [25, 35, 29] {
        let last = lose(Retention::Last(100), at);
        assert_eq!(lost(&last), [""; 0]);
        let all = lose(Retention::All, at);
        assert_eq!(last.digest(), all.digest(), "being told changes nothing");
    }
}

#[test]
#[cfg(feature = "redis")]
fn bytes_know_their_journey_too() {
    use stunt_double::redis::{self, ServerOptions};
    use stunt_double::sim::ByteConnection;
    let mut sim = Sim::with_config(Config::new(1).with_retention(Retention::All));
    let redis = redis::start(&mut sim, ServerOptions::default());
    let node = sim.node_with("a", redis.clone(), async |node, redis| {
        let socket = ByteConnection::connect(&node, &redis).await?;
        socket.write(b"PING\r\n")?;
        socket.read(&mut [0; 16]).await?;
        socket.write(b"PING\r\n")?;
        node.link(&redis).sever();
        Ok::<_, Disconnected>(())
    });
    node.link(&redis).set_latency(Latency::Constant(ms(10)));
    sim.run().expect_done();
    let found: Vec<_> =
        messages(&sim.trace()).iter().map(|(_, _, id, sent, at)| (*id, *sent, *at)).collect();
    assert_eq!(found, [(0, at_ms(20), at_ms(30)), (0, at_ms(30), at_ms(40))]);
    let lost = lost(&sim);
    assert_eq!(lost, ["a -> redis: 6 bytes: PING\\r\\n, sent at 0.04s, lost at 0.04s"]);
}
