//! Anything at any time: random methods with odd arguments, jumps of time, and an administrator who
//! deletes everything in between. Nothing panics, and the invariants hold after every step.

use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;
use stunt_double::rabbitmq::admin::{Alarm, Permissions, Policy};
use stunt_double::rabbitmq::broker::{Broker, ChannelId, ChannelNumber, ConnectionId, Method};
use stunt_double::rabbitmq::wire::ByteServer;
use stunt_double::rabbitmq::{
    BindOptions, BrokerOptions, ConnectionOptions, ConsumeOptions, DeliveryTag, DeprecatedFeature,
    ExchangeBindOptions, ExchangeOptions, FieldTable, FieldValue, Properties, Publish,
    QueueOptions, Version,
};
use stunt_double::sim::service::Service;
use stunt_double::{Instant, Site, Stream};

const NAMES: &[&str] = &["a", "b", "c", "", "amq.direct", "amq.rabbitmq.reply-to", "amq.x"];
const KINDS: &[&str] =
    &["direct", "fanout", "topic", "headers", "x-consistent-hash", "x-random", "x-delayed-message"];

/// A step; its numbers are interpreted as needed.
#[derive(Clone, Debug)]
struct Step {
    what: u8,
    connection: u64,
    channel: u16,
    numbers: [u64; 4],
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<u8>(), 1..3_u64, 0..3_u16, any::<[u64; 4]>());
    let step = step.prop_map(|(what, connection, channel, numbers)| Step {
        what,
        connection,
        channel,
        numbers,
    });
    vec(step, 1..120)
}

struct Storm {
    server: ByteServer,
    now: Instant,
}

fn pick<T: Clone>(of: &[T], number: u64) -> T {
    of[(number % of.len() as u64) as usize].clone()
}

/// Arguments, often nonsense, some of which affect some queues.
fn arguments(number: u64) -> FieldTable {
    let keys = [
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-delivery-limit",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-overflow",
        "x-queue-type",
        "x-single-active-consumer",
        "x-max-age",
        "x-stream-offset",
        "x-priority",
        "x-delayed-type",
        "alternate-exchange",
        "hash-header",
    ];
    let values = [
        FieldValue::from(0),
        FieldValue::from(1),
        FieldValue::from(3),
        FieldValue::from(1_000),
        FieldValue::from(-1),
        FieldValue::from(i64::MAX),
        FieldValue::from(315_360_000_000_i64),
        FieldValue::from(true),
        FieldValue::from("a"),
        FieldValue::from("reject-publish"),
        FieldValue::from("quorum"),
        FieldValue::from("stream"),
        FieldValue::from("first"),
        FieldValue::from("10s"),
        FieldValue::from("direct"),
        FieldValue::Void,
        FieldValue::F64(f64::NAN),
    ];
    let mut table = FieldTable::new();
    for i in 0..number % 4 {
        let number = number >> (16 * i + 2);
        table.insert(pick(&keys, number), pick(&values, number >> 5));
    }
    table
}

fn properties(number: u64) -> Properties {
    let mut properties = Properties::default();
    if number & 1 != 0 {
        properties = properties.persistent();
    }
    if number & 2 != 0 {
        properties = properties.with_priority((number >> 8) as u8);
    }
    if number & 4 != 0 {
        properties = properties.with_expiration(pick(&["0", "1", "1000", "x"], number >> 8));
    }
    if number & 8 != 0 {
        let keys = vec![FieldValue::from("a"), FieldValue::from("b")];
        let headers = FieldTable::new()
            .with(pick(&["CC", "BCC", "x-delay", "x-death"], number >> 8), keys)
            .with("x-delay", pick(&[0_i64, 5, 4_294_967_295, -7], number >> 16));
        properties = properties.with_headers(headers);
    }
    if number & 16 != 0 {
        properties = properties.with_reply_to("amq.rabbitmq.reply-to");
    }
    properties
}

impl Storm {
    /// A storm on a broker that perhaps tells the story of each message.
    fn new(version: Version, tells: bool) -> Storm {
        let names = Stream::seeded(1, Site::new("test.names"), 0);
        let options =
            BrokerOptions::default().with_version(version).with_sync_time(Duration::from_millis(3));
        let options = options.with_consumer_timeout(Some(Duration::from_secs(10)));
        // The storm has transient queues, which 4.3 denies by default.
        let options = options.permit_deprecated(DeprecatedFeature::TransientNonexclQueues);
        let mut server = ByteServer::new(Broker::new(options, names));
        // Only 4.3 knows these keys.
        let late = FieldTable::new()
            .with("consumer-timeout", 1_500)
            .with("delayed-retry-type", "all")
            .with("delayed-retry-min", 700);
        let late = Policy::new("late", "^[ab]$", late);
        let _ = server.machine_mut().set_policy(Instant::ZERO, "/", late);
        if tells {
            server.tell_stories();
        }
        Storm { server, now: Instant::ZERO }
    }

    fn step(&mut self, step: &Step) {
        let [a, b, c, d] = step.numbers;
        let name = |number: u64| pick(NAMES, number);
        match step.what {
            0..=219 => {
                let (id, channel) = (ConnectionId(step.connection), ChannelNumber(step.channel));
                self.open(ChannelId { connection: id, number: channel });
                if let Some(method) = method(step) {
                    self.server.machine_mut().handle_input(self.now, id, channel, method);
                }
            }
            220..=229 => self.now = self.now.saturating_add(Duration::from_millis(a % 5_000)),
            230 => self.now = self.now.saturating_add(Duration::from_secs(a % 100_000_000)),
            231..=233 => {
                self.server.machine_mut().connection_lost(self.now, ConnectionId(step.connection));
            }
            234 => self.server.machine_mut().stop(self.now),
            235 => self.server.machine_mut().kill(self.now),
            236 => self.server.machine_mut().power_loss(self.now),
            237 => self.server.machine_mut().set_alarm(self.now, Alarm::Memory, a % 2 == 0),
            238..=240 => {
                let key = ["max-length", "message-ttl", "expires", "delivery-limit"];
                let key = pick(&key, a);
                let definition = FieldTable::new().with(key, (b % 50) as i64);
                let policy = Policy::new(name(c), "", definition);
                let _ = self.server.machine_mut().set_policy(self.now, "/", policy);
            }
            241 => drop(self.server.machine_mut().clear_policy(self.now, "/", name(a))),
            242 => drop(self.server.machine_mut().set_permissions(
                "/",
                "guest",
                Permissions::new("a", "b", "c"),
            )),
            243..=245 => {
                drop(self.server.machine_mut().set_permissions("/", "guest", Permissions::all()));
            }
            246 => {
                drop(self.server.machine_mut().delete_vhost(self.now, "/"));
                self.server.machine_mut().add_vhost("/");
                drop(self.server.machine_mut().set_permissions("/", "guest", Permissions::all()));
            }
            247 => {
                drop(self.server.machine_mut().delete_user(self.now, "guest"));
                self.server.machine_mut().add_user("guest", "guest");
                drop(self.server.machine_mut().set_permissions("/", "guest", Permissions::all()));
            }
            248 => self.server.machine_mut().wipe(self.now),
            _ => drop(self.server.machine_mut().peek("/", name(d), 3)),
        }
        if !self.server.machine_mut().is_running() && step.what != 234 {
            self.server.machine_mut().start(self.now);
        }
        for _ in 0..1_000 {
            while self.server.machine_mut().poll_output().is_some() {}
            while self.server.poll_story().is_some() {}
            self.server.machine_mut().check_invariants().unwrap();
            match self.server.machine_mut().poll_timeout() {
                Some(at) if at <= self.now => self.server.machine_mut().handle_timeout(self.now),
                _ => return,
            }
        }
        panic!("the timers of one moment never end");
    }

    /// Makes sure that a connection and channels are open.
    fn open(&mut self, ch: ChannelId) {
        if !self.server.machine_mut().has_connection(ch.connection) {
            let options =
                ConnectionOptions { heartbeat: Duration::from_secs(10), ..Default::default() };
            let open = Method::ConnectionOpen(Box::new(options));
            self.server.machine_mut().handle_input(self.now, ch.connection, ChannelNumber(0), open);
            for number in 1..3 {
                let (number, open) = (ChannelNumber(number), Method::ChannelOpen);
                self.server.machine_mut().handle_input(self.now, ch.connection, number, open);
            }
        }
    }

    /// Closes all connections and checks that nothing of theirs is left.
    fn check(&mut self) {
        if !self.server.machine_mut().is_running() {
            self.server.machine_mut().start(self.now);
        }
        for connection in 1..3 {
            self.server.machine_mut().connection_lost(self.now, ConnectionId(connection));
        }
        for row in self.server.machine_mut().list_queues() {
            assert_eq!(row.messages_unacknowledged, 0, "{row:?}");
            assert_eq!(row.consumers, 0, "{row:?}");
            let peeked = self.server.machine_mut().peek("/", &row.name, usize::MAX).unwrap();
            assert_eq!(peeked.len(), row.messages_ready, "{row:?}");
        }
        for row in self.server.machine_mut().list_bindings() {
            let queues = self.server.machine_mut().list_queues();
            let exchanges = self.server.machine_mut().list_exchanges();
            let is_there = queues.iter().any(|queue| queue.name == row.destination)
                || exchanges.iter().any(|exchange| exchange.name == row.destination);
            assert!(is_there, "{row:?}");
        }
    }
}

/// Returns the method that the numbers of a step mean.
fn method(step: &Step) -> Option<Method> {
    let [a, b, c, d] = step.numbers;
    let name = |number: u64| pick(NAMES, number);
    let (yes, no_wait) = (b & 1 != 0, b & 2 != 0);
    let delivery_tag = DeliveryTag(a % 6);
    Some(match step.what {
        0..=39 => {
            let mut arguments = arguments(c);
            if c >> 60 < 4 {
                arguments.insert("x-queue-type", "quorum");
            }
            let options = QueueOptions {
                passive: a % 9 == 0,
                durable: b & 1 != 0,
                exclusive: b & 14 == 2,
                auto_delete: b & 48 == 16,
                arguments,
            };
            Method::QueueDeclare { queue: name(d).into(), options, no_wait }
        }
        40..=49 => {
            let options = ExchangeOptions {
                kind: pick(KINDS, a).into(),
                auto_delete: b & 4 != 0,
                internal: b & 24 == 8,
                durable: b & 32 != 0,
                arguments: arguments(c),
                ..Default::default()
            };
            Method::ExchangeDeclare {
                exchange: name(d).into(),
                options: Box::new(options),
                no_wait,
            }
        }
        50..=59 => {
            let arguments = arguments(c);
            let binding = BindOptions { arguments, ..BindOptions::new(name(a), name(b), name(d)) };
            Method::QueueBind { binding: Box::new(binding), no_wait }
        }
        60..=64 => {
            let binding = Box::new(ExchangeBindOptions::new(name(a), name(c), "#"));
            match yes {
                true => Method::ExchangeBind { binding, no_wait },
                false => Method::ExchangeUnbind { binding, no_wait },
            }
        }
        65..=67 => {
            Method::QueueUnbind { binding: Box::new(BindOptions::new(name(a), name(b), name(d))) }
        }
        68..=69 => Method::QueuePurge { queue: name(a).into(), no_wait },
        70..=73 => Method::QueueDelete {
            queue: name(a).into(),
            if_unused: yes,
            if_empty: c & 1 != 0,
            no_wait,
        },
        74..=75 => Method::ExchangeDelete { exchange: name(a).into(), if_unused: yes, no_wait },
        76..=85 => Method::BasicQos {
            prefetch_size: 0,
            prefetch_count: pick(&[0, 1, 2, 65_535], a),
            global: b % 8 == 0,
        },
        86..=105 => {
            let options = ConsumeOptions {
                consumer_tag: pick(&["", "x", "y"], a).into(),
                no_ack: b & 12 == 4,
                exclusive: b & 48 == 16,
                arguments: arguments(c),
            };
            Method::BasicConsume { queue: name(d).into(), options: Box::new(options), no_wait }
        }
        106..=110 => Method::BasicCancel { consumer_tag: pick(&["x", "y"], a).into(), no_wait },
        111..=150 => Method::BasicPublish(Publish {
            mandatory: yes,
            properties: properties(c),
            ..Publish::new(name(a), name(d), vec![7; (b % 40) as usize])
        }),
        151..=165 => Method::BasicGet { queue: name(d).into(), no_ack: yes },
        166..=180 => Method::BasicAck { delivery_tag, multiple: yes },
        181..=192 => Method::BasicNack { delivery_tag, multiple: yes, requeue: no_wait },
        193..=197 => Method::BasicReject { delivery_tag, requeue: yes },
        198..=200 => Method::BasicRecover { requeue: a % 5 != 0 },
        201..=204 => Method::ConfirmSelect { no_wait },
        205..=207 => Method::TxSelect,
        208..=211 => Method::TxCommit,
        212..=213 => Method::TxRollback,
        214 => Method::ChannelClose,
        215..=216 => Method::ChannelOpen,
        217 => Method::ChannelCloseOk,
        218 => Method::Heartbeat,
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_panics_and_the_invariants_hold(
        steps in steps(),
        is_4 in any::<bool>(),
        tells in any::<bool>(),
    ) {
        let mut storm = Storm::new(if is_4 { Version::V4 } else { Version::V3_10 }, tells);
        for step in &steps {
            storm.step(step);
        }
        storm.check();
    }
}
