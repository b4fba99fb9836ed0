//! Data that survives a restart, a crash and a power loss.

use crate::support::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::Method;
use stunt_double::rabbitmq::{
    BrokerOptions, ExchangeOptions, FieldTable, Properties, QueueOptions,
};

const MS: Duration = Duration::from_millis(1);

/// How the broker goes down.
#[derive(Clone, Copy, Debug)]
enum Down {
    Stop,
    Kill,
    PowerLoss,
}

impl Server {
    /// Takes the broker down and up again.
    fn cycle(&mut self, down: Down) -> Vec<String> {
        match down {
            Down::Stop => self.broker.stop(self.now),
            Down::Kill => self.broker.kill(self.now),
            Down::PowerLoss => self.broker.power_loss(self.now),
        }
        let said = self.drain();
        self.broker.start(self.now);
        said
    }

    /// A durable queue with these persistent messages.
    fn publish_persistent(&mut self, bodies: std::ops::Range<usize>) {
        self.declare_with("d", durable());
        for i in bodies {
            let said = self.send(CH, persistent("d", &i.to_string()));
            assert!(said.is_empty(), "{said:?}");
        }
    }
}

#[test]
fn a_restart_keeps_durable_queues_with_their_persistent_messages() {
    let mut server = Server::new();
    for (queue, options) in [("d", durable()), ("t", QueueOptions::default())] {
        server.declare_with(queue, options);
        server.send(CH, persistent(queue, "persistent"));
        server.publish(queue, "transient");
    }
    server.cycle(Down::Stop);
    let names: Vec<_> = server.broker.list_queues().iter().map(|row| row.name.clone()).collect();
    assert_eq!(names, ["d"]);
    assert_eq!(server.contents("d"), ["persistent"]);
}

#[test]
fn after_a_restart_only_what_was_delivered_is_redelivered() {
    let mut server = Server::new();
    server.publish_persistent(0..3);
    server.send(CH, get("d"));
    server.cycle(Down::Stop);
    assert_eq!(server.contents("d"), ["0R", "1", "2"]);
}

#[test]
fn after_a_kill_every_survivor_is_redelivered() {
    for down in [Down::Kill, Down::PowerLoss] {
        let mut server = Server::new();
        server.publish_persistent(0..2);
        server.wait(300 * MS);
        server.cycle(down);
        assert_eq!(server.contents("d"), ["0R", "1R"], "{down:?}");
    }
}

#[test]
fn a_clean_stop_says_why_to_every_connection() {
    let mut server = Server::new();
    let text =
        "320 0/0 CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    assert_eq!(server.cycle(Down::Stop), [format!("CONN {text}"), format!("2/0 CONN {text}")]);
}

#[test]
fn a_kill_sends_nothing() {
    assert_eq!(Server::new().cycle(Down::Kill), [] as [&str; 0]);
}

#[test]
fn exchanges_and_bindings_survive_if_both_ends_are_durable() {
    let mut server = Server::new();
    let options = ExchangeOptions { durable: true, ..Default::default() };
    server.send(CH, exchange_with("durable-x", options));
    server.exchange("transient-x", "direct");
    server.declare_with("durable-q", durable());
    server.declare("transient-q");
    for exchange in ["durable-x", "transient-x"] {
        for queue in ["durable-q", "transient-q"] {
            server.bind(queue, exchange, "k", FieldTable::new());
        }
    }
    server.cycle(Down::Kill);
    let bindings: Vec<_> = server
        .broker
        .list_bindings()
        .iter()
        .filter(|row| !row.source.is_empty())
        .map(|row| (row.source.to_string(), row.destination.to_string()))
        .collect();
    assert_eq!(bindings, [("durable-x".to_owned(), "durable-q".to_owned())]);
    let exchanges = server.broker.list_exchanges();
    assert_eq!(exchanges.iter().filter(|row| row.name.ends_with("-x")).count(), 1);
    assert_eq!(exchanges.len(), 8, "seven of the vhost's own");
}

#[test]
fn a_declared_durable_queue_survives_an_immediate_kill() {
    let mut server = Server::new();
    server.declare_with("d", durable());
    server.cycle(Down::PowerLoss);
    assert_eq!(server.broker.list_queues().len(), 1);
}

#[test]
fn server_named_durable_queues_survive() {
    let mut server = Server::new();
    server.send(CH, declare("", durable()));
    server.cycle(Down::Stop);
    assert!(server.broker.list_queues()[0].name.starts_with("amq.gen-"));
}

#[test]
fn unconfirmed_messages_need_200_ms_of_quiet() {
    for (wait, survive) in [(0, 0), (50, 0), (199, 0), (200, 1_000), (300, 1_000)] {
        let mut server = Server::new();
        server.publish_persistent(0..1_000);
        server.wait(wait * MS);
        server.cycle(Down::Kill);
        assert_eq!(server.contents("d").len(), survive, "killed after {wait} ms");
    }
}

#[test]
fn a_steady_flow_of_messages_delays_the_sync() {
    for (count, apart, survive) in [(60, 50, 0), (12, 250, 12)] {
        let mut server = Server::new();
        server.declare_with("d", durable());
        for i in 0..count {
            server.send(CH, persistent("d", &i.to_string()));
            // Killed right after the last interval began, or ended.
            if i + 1 < count || apart > 200 {
                server.wait(apart * MS);
            }
        }
        server.cycle(Down::Kill);
        assert_eq!(server.contents("d").len(), survive, "{count} messages {apart} ms apart");
    }
}

#[test]
fn exactly_the_confirmed_messages_survive() {
    let mut server = Server::new();
    server.declare_with("d", durable());
    server.send(CH, confirm_select());
    let mut confirmed = 0;
    for i in 0..10 {
        server.send(CH, persistent("d", &i.to_string()));
        if i % 3 == 2 {
            confirmed = i + 1;
            assert!(!server.settle().is_empty());
        }
    }
    server.cycle(Down::Kill);
    let survivors = server.contents("d");
    assert_eq!(survivors.len(), confirmed);
    assert_eq!(survivors[0], "0R");
}

#[test]
fn with_a_slow_disk_a_kill_keeps_what_was_written_and_a_power_loss_what_was_synced() {
    for (down, survive) in [(Down::Kill, 1), (Down::PowerLoss, 0)] {
        let options = BrokerOptions::default().with_sync_time(5 * MS);
        let mut server = Server::with_options(options);
        server.declare_with("d", durable());
        server.send(CH, confirm_select());
        server.send(CH, persistent("d", "m"));
        assert!(server.wait(4 * MS).is_empty(), "written, not yet synced: no confirm");
        server.cycle(down);
        assert_eq!(server.contents("d").len(), survive, "{down:?}");
    }
}

#[test]
fn a_slow_disk_delays_the_confirm() {
    let mut server = Server::with_options(BrokerOptions::default().with_sync_time(5 * MS));
    server.declare_with("d", durable());
    server.send(CH, confirm_select());
    server.send(CH, persistent("d", "m"));
    assert!(server.wait(4 * MS).is_empty());
    assert_eq!(server.wait(MS), ["ack 1"]);
}

#[test]
fn a_kill_undoes_recent_acks_and_keeps_old_ones() {
    for (wait, expected) in [(50, vec!["0R", "1R"]), (500, vec!["1R"])] {
        let mut server = Server::new();
        server.publish_persistent(0..2);
        server.wait(300 * MS);
        server.send(CH, get("d"));
        server.ack(CH, 1);
        server.wait(wait * MS);
        server.cycle(Down::Kill);
        assert_eq!(server.contents("d"), expected, "acked {wait} ms before");
    }
}

#[test]
fn a_confirmed_transient_message_is_lost() {
    let mut server = Server::new();
    server.declare_with("d", durable());
    server.send(CH, confirm_select());
    assert_eq!(server.send(CH, publish("", "d", "m")), ["ack 1"]);
    server.wait(500 * MS);
    server.cycle(Down::Kill);
    assert_eq!(server.contents("d"), [] as [&str; 0]);
}

#[test]
fn a_wiped_broker_has_only_what_every_vhost_has() {
    let mut server = Server::new();
    server.publish_persistent(0..3);
    server.wait(300 * MS);
    server.broker.stop(server.now);
    server.broker.wipe(server.now);
    server.broker.start(server.now);
    assert_eq!(server.broker.list_queues().len(), 0);
    assert_eq!(server.broker.list_exchanges().len(), 7);
}

#[test]
fn connections_and_consumers_do_not_survive() {
    let mut server = Server::new();
    server.declare_with("d", durable());
    server.consume(CH, "d", "a");
    server.cycle(Down::Kill);
    assert_eq!(server.broker.list_consumers().len(), 0);
    assert!(server.send(CH, Method::BasicGet { queue: "d".into(), no_ack: true }).is_empty());
}

#[test]
fn a_purged_queue_stays_purged_once_that_is_synced() {
    let mut server = Server::new();
    server.publish_persistent(0..3);
    server.wait(300 * MS);
    server.send(CH, purge("d"));
    server.wait(300 * MS);
    server.cycle(Down::Kill);
    assert_eq!(server.contents("d"), [] as [&str; 0]);
}

#[test]
fn positions_survive_with_the_messages() {
    let mut server = Server::new();
    server.publish_persistent(0..4);
    (0..2).for_each(|_| drop(server.send(CH, get("d"))));
    server.cycle(Down::Stop);
    server.connect();
    server.send(CH, publish_with("", "d", "9", Properties::default().persistent()));
    assert_eq!(server.contents("d"), ["0R", "1R", "2", "3", "9"]);
}
