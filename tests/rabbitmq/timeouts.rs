//! Consumer time-outs and delayed retries of quorum queues, above all when the broker restarts.
//! The expectations were observed on a real RabbitMQ 4.3.6. Those about time-outs of queues in
//! 4.0 were observed on a real RabbitMQ 4.0.5 with shorter times, and are in its source
//! (`evaluate_consumer_timeout` in `rabbit_channel.erl`).

use crate::support::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stunt_double::rabbitmq::broker::{ChannelId, Event, Method};
use stunt_double::rabbitmq::{BrokerOptions, ConsumeOptions, FieldTable, QueueOptions, Version};

const SECOND: Duration = Duration::from_secs(1);

/// How the broker goes down.
type Down = fn(&mut Server);

const STOP: Down = |server| server.broker.stop(server.now);
const KILL: Down = |server| server.broker.kill(server.now);
const POWER_LOSS: Down = |server| server.broker.power_loss(server.now);
const ALL: [Down; 3] = [STOP, KILL, POWER_LOSS];

/// A broker of 4.3 with these messages on the disk of the quorum queue `q`.
fn server_with(messages: &[&str], arguments: FieldTable) -> Server {
    let mut server = Server::with_options(BrokerOptions::default().with_version(Version::V4_3));
    let arguments = arguments.with("x-queue-type", "quorum");
    server.declare_with("q", QueueOptions { arguments, ..durable() });
    for message in messages {
        server.publish("q", message);
    }
    server.wait(SECOND);
    server
}

/// All that returns is delayed for this many seconds.
fn delayed(seconds: i64) -> FieldTable {
    FieldTable::new()
        .with("x-delayed-retry-type", "all")
        .with("x-delayed-retry-min", seconds * 1_000)
}

/// A consumer that may hold a delivery for a second.
fn impatient(tag: &str) -> Method {
    let arguments = FieldTable::new().with("x-consumer-timeout", 1_000);
    let options = ConsumeOptions { consumer_tag: tag.into(), arguments, ..Default::default() };
    consume_with("q", options)
}

/// A consumer `late` of `CH` holds all of these messages for too long.
fn time_out(server: &mut Server, messages: usize) {
    assert_eq!(server.send(CH, impatient("late")).len(), 1 + messages);
    assert_eq!(server.wait(2 * SECOND), ["basic.cancel late"]);
    assert_eq!(server.broker.check_invariants(), Ok(()));
}

/// Takes the broker down, and starts it again after this time.
fn restart(server: &mut Server, down: Down, pause: Duration) {
    down(server);
    server.drain();
    server.now += pause;
    server.broker.start(server.now);
    assert_eq!(server.broker.check_invariants(), Ok(()));
}

#[test]
fn a_message_taken_back_from_a_late_consumer_is_there_once_after_a_restart() {
    for down in ALL {
        let mut server = server_with(&["a", "b"], FieldTable::new());
        time_out(&mut server, 2);
        restart(&mut server, down, Duration::ZERO);
        assert_eq!(server.contents("q"), ["aR", "bR"]);
    }
}

#[test]
fn a_message_that_left_after_it_was_taken_back_does_not_come_back_with_a_restart() {
    for down in ALL {
        let mut server = server_with(&["a", "b"], FieldTable::new().with("x-delivery-limit", 1));
        time_out(&mut server, 2);
        assert_eq!(server.send(OTHER, get("q")), ["2/1 get aR 1"]);
        server.ack(OTHER, 1);
        assert_eq!(server.contents("q"), ["bR"]);
        server.wait(SECOND);
        restart(&mut server, down, Duration::ZERO);
        assert_eq!(server.contents("q"), [""; 0]);
    }
}

#[test]
fn a_message_taken_back_and_delayed_is_there_once_after_a_restart() {
    for down in ALL {
        let mut server = server_with(&["a"], delayed(60));
        time_out(&mut server, 1);
        restart(&mut server, down, SECOND);
        assert_eq!(server.contents("q"), [""; 0]);
        server.wait(60 * SECOND);
        assert_eq!(server.contents("q"), ["aR"]);
    }
}

#[test]
fn what_was_taken_back_is_not_a_failed_delivery_of_the_restart() {
    for down in ALL {
        let mut server = server_with(&["a"], FieldTable::new().with("x-delivery-limit", 0));
        time_out(&mut server, 1);
        restart(&mut server, down, Duration::ZERO);
        assert_eq!(server.contents("q"), ["aR"], "it would have died");
    }
}

#[test]
fn a_late_consumer_that_subscribes_again_has_all_of_its_credit() {
    let mut server = server_with(&["a", "b", "c"], FieldTable::new());
    server.qos(CH, 2, false);
    time_out(&mut server, 2);
    assert_eq!(server.send(CH, cancel("late")), ["basic.cancel-ok late"]);
    assert_eq!(server.send(OTHER, passive("q")), ["2/1 declare-ok q 3 0"]);
    assert_eq!(server.consume(CH, "q", "late"), ["late<-aR", "late<-bR"]);
    assert_eq!(server.broker.check_invariants(), Ok(()));
}

#[test]
fn a_late_consumer_keeps_its_tag_until_its_client_cancels_it() {
    let mut server = server_with(&["a"], FieldTable::new());
    time_out(&mut server, 1);
    let said = server.send(CH, impatient("late"));
    assert_eq!(said, ["CONN 530 60/20 NOT_ALLOWED - attempt to reuse consumer tag 'late'"]);
}

#[test]
fn a_late_settlement_does_nothing_when_the_tag_is_another_consumers() {
    let mut server = server_with(&["a", "b", "c"], FieldTable::new());
    server.qos(CH, 2, false);
    time_out(&mut server, 2);
    server.send(CH, cancel("late"));
    assert_eq!(server.consume(CH, "q", "late"), ["late<-aR", "late<-bR"]);
    assert!(server.ack(CH, 1).is_empty(), "the real server settles the new delivery of 'a'");
    assert!(server.nack(CH, 2).is_empty());
    assert_eq!(server.ack(CH, 3), ["late<-c"]);
    assert_eq!(server.broker.check_invariants(), Ok(()));
}

#[test]
fn a_delay_goes_on_while_the_broker_is_down() {
    for down in ALL {
        let mut server = server_with(&["a", "b"], delayed(60));
        server.send(CH, get("q"));
        server.nack(CH, 1);
        server.wait(20 * SECOND);
        restart(&mut server, down, 10 * SECOND);
        server.wait(29 * SECOND);
        assert_eq!(server.contents("q"), ["b"]);
        server.wait(SECOND);
        assert_eq!(server.contents("q"), ["aR"]);
    }
}

#[test]
fn a_delay_that_ends_while_the_broker_is_down_is_over_when_it_starts() {
    for down in ALL {
        let mut server = server_with(&["a", "b"], delayed(60));
        server.send(CH, get("q"));
        server.nack(CH, 1);
        restart(&mut server, down, 61 * SECOND);
        assert_eq!(server.contents("q"), ["aR", "b"]);
    }
}

#[test]
fn what_a_consumer_held_is_delayed_from_the_stop_or_from_the_start_after_a_crash() {
    for (down, left) in [(STOP, 50), (KILL, 60), (POWER_LOSS, 60)] {
        let mut server = server_with(&["a"], delayed(60));
        assert_eq!(server.consume(CH, "q", "c"), ["c<-a"]);
        restart(&mut server, down, 10 * SECOND);
        server.wait((left - 1) * SECOND);
        assert_eq!(server.contents("q"), [""; 0]);
        server.wait(SECOND);
        assert_eq!(server.contents("q"), ["aR"]);
    }
}

#[test]
fn a_delayed_message_keeps_its_count_over_a_restart() {
    for down in ALL {
        let mut server = server_with(&["a"], delayed(60).with("x-delivery-limit", 1));
        server.send(CH, get("q"));
        server.send(CH, reject(1, true));
        restart(&mut server, down, 61 * SECOND);
        server.connect();
        assert_eq!(server.send(CH, get("q")), ["get aR 0"]);
        server.send(CH, reject(1, true));
        server.wait(200 * SECOND);
        assert_eq!(server.contents("q"), [""; 0], "the second failure is one too many");
    }
}

#[test]
fn a_delayed_message_counts_in_the_length_of_its_queue_but_is_not_ready() {
    let mut server = server_with(&["a", "b", "c"], delayed(60));
    server.send(CH, get("q"));
    server.nack(CH, 1);
    server.send(CH, get("q"));
    let row = &server.broker.list_queues()[0];
    let counts = (row.messages_ready, row.messages_unacknowledged, row.messages_delayed);
    assert_eq!((counts, row.messages()), ((1, 1, 1), 3));
    assert_eq!(server.broker.overview().queue_totals.messages, 3);
    assert_eq!(server.send(OTHER, purge("q")), ["2/1 queue.purge-ok 2"]);
}

#[test]
fn a_length_limit_counts_delayed_messages_and_drops_ready_ones() {
    let mut server = server_with(&["a", "b"], delayed(60).with("x-max-length", 2));
    server.send(CH, get("q"));
    server.publish("q", "c");
    server.nack(CH, 1);
    assert_eq!(server.send(OTHER, get("q")), ["2/1 get c 0"], "b was dropped");
    server.send(OTHER, nack(1, false, true));
    server.publish("q", "d");
    server.wait(60 * SECOND);
    assert_eq!(server.contents("q"), ["aR", "cR"]);
}

#[test]
fn a_length_limit_in_bytes_counts_delayed_messages_too() {
    let mut server = server_with(&["aaaaa"], delayed(60).with("x-max-length-bytes", 30));
    server.send(CH, get("q"));
    server.nack(CH, 1);
    server.publish("q", &"b".repeat(29));
    server.publish("q", "c");
    server.wait(60 * SECOND);
    assert_eq!(server.contents("q"), ["aaaaaR", "c"]);
}

#[test]
fn a_queue_full_of_delayed_messages_refuses_more() {
    let arguments = delayed(60).with("x-max-length", 1).with("x-overflow", "reject-publish");
    let mut server = server_with(&["a"], arguments);
    server.send(CH, get("q"));
    server.nack(CH, 1);
    server.send(CH, confirm_select());
    // A quorum queue refuses only when it is over its limit.
    server.publish("q", "b");
    server.publish("q", "c");
    server.wait(60 * SECOND);
    assert_eq!(server.contents("q"), ["aR", "b"]);
}

/// A step: what happens, on which channel, and a number.
type Step = (u8, u8, u8);

/// A queue, and which messages went in and may have come out.
struct Run {
    server: Server,
    /// The messages of deliveries, by channel and tag.
    delivered: BTreeMap<(ChannelId, u64), String>,
    published: BTreeSet<String>,
    /// Messages of which a delivery was acknowledged.
    acknowledged: BTreeSet<String>,
    /// Channels that the broker has closed.
    failed: BTreeSet<ChannelId>,
}

impl Run {
    fn new(arguments: FieldTable) -> Run {
        Run {
            server: server_with(&[], arguments.with("x-delivery-limit", -1)),
            delivered: BTreeMap::new(),
            published: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            failed: BTreeSet::new(),
        }
    }

    fn send(&mut self, ch: ChannelId, method: Method) {
        self.server.broker.handle_input(self.server.now, ch.connection, ch.number, method);
        self.note();
    }

    /// Notes what is delivered.
    fn note(&mut self) {
        while let Some(output) = self.server.broker.poll_output() {
            let ch = ChannelId { connection: output.connection, number: output.channel };
            let (tag, message) = match output.event {
                Event::Deliver { delivery_tag, message, .. } => (delivery_tag, message),
                Event::GetOk(ok) => (ok.delivery_tag, ok.message),
                Event::ChannelClose(_) => {
                    self.failed.insert(ch);
                    continue;
                }
                _ => continue,
            };
            let body = String::from_utf8(message.body().to_vec()).unwrap();
            self.delivered.insert((ch, tag.0), body);
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.server.now + time;
        while let Some(at) = self.server.broker.poll_timeout().filter(|at| *at <= end) {
            self.server.now = self.server.now.max(at);
            self.server.broker.handle_timeout(self.server.now);
            self.note();
        }
        self.server.now = end;
    }

    /// One of the deliveries of a channel, settled or not.
    fn delivery(&self, ch: ChannelId, number: u8) -> Option<u64> {
        let tags = self.delivered.keys().filter(|(of, _)| *of == ch).map(|(_, tag)| *tag);
        let tags: Vec<u64> = tags.collect();
        Some(*tags.get(usize::from(number) % tags.len().max(1))?)
    }

    fn step(&mut self, (what, channel, number): Step) {
        let ch = [CH, CH2, OTHER][usize::from(channel) % 3];
        let tag = ["x", "y"][usize::from(number) % 2];
        match what % 16 {
            0..=3 => {
                let body = self.published.len().to_string();
                self.send(OTHER, publish("", "q", &body));
                self.published.insert(body);
            }
            4 | 5 => self.send(ch, impatient(tag)),
            6 => self.send(ch, cancel(tag)),
            7 => self.send(ch, get("q")),
            8 | 9 => {
                let Some(tag) = self.delivery(ch, number) else { return };
                let body = self.delivered.remove(&(ch, tag)).unwrap();
                self.acknowledged.insert(body);
                self.send(ch, ack(tag, false));
            }
            10 => {
                let Some(tag) = self.delivery(ch, number) else { return };
                self.delivered.remove(&(ch, tag));
                self.send(ch, reject(tag, true));
            }
            11 => {
                self.delivered.retain(|(of, _), _| *of != ch);
                self.send(ch, Method::ChannelClose);
            }
            12 | 13 => self.wait(Duration::from_millis(u64::from(number) * 10)),
            14 => {
                // Everything is on the disk.
                self.wait(SECOND);
                let down = ALL[usize::from(number) % ALL.len()];
                restart(&mut self.server, down, Duration::from_millis(u64::from(number) * 5));
                self.delivered.clear();
                self.server.connect();
            }
            _ => self.send(ch, Method::BasicRecover { requeue: true }),
        }
        self.reopen();
    }

    /// Opens again what was closed because of a method that made no sense or came too late.
    fn reopen(&mut self) {
        for ch in [CH, CH2, OTHER] {
            let zero = ChannelId::new(ch.connection.0, 0);
            if !self.server.broker.has_connection(ch.connection) {
                self.delivered.retain(|(of, _), _| of.connection != ch.connection);
                self.send(zero, Method::ConnectionOpen(Box::default()));
            }
            let is_open = self.server.broker.list_channels().iter().any(|row| row.id == ch);
            if self.failed.remove(&ch) || !is_open {
                self.delivered.retain(|(of, _), _| *of != ch);
                self.server.broker.channel_open(self.server.now, ch).unwrap();
            }
        }
        assert_eq!(self.server.broker.check_invariants(), Ok(()));
    }

    /// Checks that every message that nobody has acknowledged is there, and none twice.
    fn check(mut self) {
        for connection in [CH, OTHER].map(|ch| ch.connection) {
            self.server.broker.connection_lost(self.server.now, connection);
        }
        self.wait(1_000 * SECOND);
        let left = self.server.contents("q");
        let left: Vec<&str> = left.iter().map(|body| body.trim_end_matches('R')).collect();
        let once: BTreeSet<&str> = left.iter().copied().collect();
        assert_eq!(left.len(), once.len(), "there twice: {left:?}");
        for body in self.published.difference(&self.acknowledged) {
            assert!(once.contains(&**body), "{body} is lost: {left:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_message_is_lost_or_there_twice(
        steps in vec(any::<Step>(), 1..80),
        is_delayed in any::<bool>(),
    ) {
        let mut run = Run::new(if is_delayed { delayed(2) } else { FieldTable::new() });
        for step in steps {
            run.step(step);
        }
        run.check();
    }
}

/// A broker of 4.0 with a queue `plain`, and with `short`, which allows 60 seconds.
fn server_of_4_0(timeout: Option<Duration>) -> Server {
    let options = BrokerOptions::default().with_version(Version::V4_0);
    let mut server = Server::with_options(options.with_consumer_timeout(timeout));
    server.declare("plain");
    let arguments = FieldTable::new().with("x-consumer-timeout", 60_000);
    server.declare_with("short", QueueOptions { arguments, ..durable() });
    server
}

fn is_closed(said: &[String]) -> bool {
    said.iter().any(|line| line.contains("timed out. Timeout value used: 60000 ms"))
}

/// The oldest delivery has no time-out. The next one has, and becomes the oldest when it is long
/// overdue.
#[test]
fn a_delivery_that_becomes_the_oldest_counts_from_its_own_beginning() {
    let mut server = server_of_4_0(None);
    server.publish("plain", "a");
    server.publish("short", "b");
    server.send(CH, get("plain"));
    server.send(CH, get("short"));
    assert!(server.wait(600 * SECOND).is_empty());
    server.ack(CH, 1);
    assert!(is_closed(&server.wait(60 * SECOND)), "within a tick");
}

#[test]
fn a_delivery_of_a_deleted_queue_has_the_time_out_of_the_broker() {
    let mut server = server_of_4_0(Some(90 * SECOND));
    server.publish("short", "a");
    server.send(CH, get("short"));
    server.send(OTHER, delete("short", false, false));
    assert!(server.wait(89 * SECOND).is_empty(), "not that of the queue any more");
    let said = server.wait(SECOND);
    assert!(said.iter().any(|line| line.contains("Timeout value used: 90000 ms")), "{said:?}");
}

#[test]
fn a_delivery_that_a_rollback_returns_counts_from_its_own_beginning() {
    let mut server = server_of_4_0(None);
    server.publish("short", "a");
    server.send(CH, Method::TxSelect);
    server.send(CH, get("short"));
    server.ack(CH, 1);
    assert!(server.wait(100 * SECOND).is_empty());
    server.send(CH, Method::TxRollback);
    assert!(is_closed(&server.wait(60 * SECOND)));
}
