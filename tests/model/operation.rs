//! The operations of a case, and how they are drawn.
//!
//! Operations name channels, queues and consumers by small numbers, and an unacknowledged delivery
//! by its index among those outstanding at the time. So the others keep their meaning when
//! shrinking removes one.

use crate::reference::Reference;
use proptest::prelude::*;
use std::time::Duration;
use stunt_double::rabbitmq::broker::{ChannelId, Method};
use stunt_double::rabbitmq::{
    BindOptions, ConsumeOptions, DeliveryTag, ExchangeOptions, Properties, Publish, QueueOptions,
};

/// A durable queue, a transient one, and a durable one that deletes itself.
pub(crate) const QUEUES: [&str; 3] = ["d", "t", "a"];

/// The exchange to which every declared queue is bound.
pub(crate) const FANOUT: &str = "all";

const TAGS: [&str; 3] = ["x", "y", "z"];

/// How the broker goes down before it starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    Stop,
    Kill,
    PowerLoss,
}

/// The delivery that is settled.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// An outstanding delivery of the channel, counted from the oldest.
    Outstanding(usize),
    /// A tag that was never used.
    Unknown,
    /// Tag 0.
    Zero,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Ack,
    Nack { requeue: bool },
    Reject { requeue: bool },
}

/// Channels are numbers below 4, two for each connection.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Also binds it to the fanout exchange.
    Declare {
        queue: usize,
    },
    Delete {
        queue: usize,
        if_unused: bool,
        if_empty: bool,
    },
    Purge {
        queue: usize,
    },
    /// To one queue, or to all of them.
    Publish {
        on: usize,
        queue: Option<usize>,
        persistent: bool,
        mandatory: bool,
        expiration: Option<u64>,
    },
    Consume {
        on: usize,
        queue: usize,
        tag: usize,
        no_ack: bool,
    },
    Cancel {
        on: usize,
        tag: usize,
    },
    Get {
        on: usize,
        queue: usize,
        no_ack: bool,
    },
    Settle {
        on: usize,
        which: Which,
        multiple: bool,
        how: How,
    },
    Recover {
        on: usize,
    },
    Qos {
        on: usize,
        count: u16,
        global: bool,
    },
    Confirm {
        on: usize,
    },
    Close {
        on: usize,
    },
    Lose {
        connection: usize,
    },
    Wait {
        ms: u64,
    },
    Restart(Down),
}

/// An operation that the broker and the reference both run.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Method(ChannelId, Method),
    /// The connection of this channel dies.
    Lose(ChannelId),
    /// Time passes, and timers fire.
    Wait(Duration),
    /// The broker goes down and starts again.
    Restart(Down),
}

pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..100)
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{
        Cancel, Close, Confirm, Consume, Declare, Delete, Get, Lose, Publish, Purge, Qos, Recover,
        Restart, Settle, Wait,
    };
    // Low numbers are drawn more often, so that operations interfere more often.
    let on = prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => Just(2), 1 => Just(3)];
    let queue = prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => Just(2)];
    let tag = 0..3_usize;
    let seldom = || prop::bool::weighted(0.2);
    let which = prop_oneof![
        30 => (0..6_usize).prop_map(Which::Outstanding),
        4 => Just(Which::Zero),
        1 => Just(Which::Unknown),
    ];
    let how = prop_oneof![
        2 => Just(How::Ack),
        2 => any::<bool>().prop_map(|requeue| How::Nack { requeue }),
        1 => any::<bool>().prop_map(|requeue| How::Reject { requeue }),
    ];
    let down = prop_oneof![Just(Down::Stop), Just(Down::Kill), Just(Down::PowerLoss)];
    let to = prop_oneof![3 => queue.clone().prop_map(Some), 1 => Just(None)];
    let expiration = prop_oneof![
        6 => Just(None),
        1 => Just(Some(0)),
        2 => Just(Some(100)),
        1 => Just(Some(200)),
    ];
    prop_oneof![
           4 => queue.clone().prop_map(|queue| Declare { queue }),
           1 => (queue.clone(), seldom(), seldom())
               .prop_map(|(queue, if_unused, if_empty)| Delete { queue, if_unused, if_empty }),
           1 => queue.clone().prop_map(|queue| Purge { queue }),
           24 => (on.clone(), to, any::<bool>(), seldom(), expiration).prop_map(
               |(on, queue, persistent, mandatory, expiration)| Publish {
    on, queue, persistent, mandatory, expiration }
           ),
           8 => (on.clone(), queue.clone(), tag.clone(), seldom())
               .prop_map(|(on, queue, tag, no_ack)| Consume { on, queue, tag, no_ack }),
           3 => (on.clone(), tag).prop_map(|(on, tag)| Cancel { on, tag }),
           6 => (on.clone(), queue, seldom())
               .prop_map(|(on, queue, no_ack)| Get { on, queue, no_ack }),
           24 => (on.clone(), which, seldom(), how)
               .prop_map(|(on, which, multiple, how)| Settle { on, which, multiple, how }),
           2 => on.clone().prop_map(|on| Recover { on }),
           6 => (on.clone(), 0..4_u16, any::<bool>())
               .prop_map(|(on, count, global)| Qos { on, count, global }),
           2 => on.clone().prop_map(|on| Confirm { on }),
           2 => on.prop_map(|on| Close { on }),
           1 => (0..2_usize).prop_map(|connection| Lose { connection }),
           6 => prop_oneof![Just(0), Just(120), Just(250)].prop_map(|ms| Wait { ms }),
           1 => down.prop_map(Restart),
       ]
}

/// The beginning of every case: channels, the exchange, the queues.
pub(crate) fn beginning() -> Vec<Step> {
    let mut steps = connect(1);
    steps.extend(connect(2));
    let options = ExchangeOptions { kind: "fanout".into(), durable: true, ..Default::default() };
    let declare = Method::ExchangeDeclare {
        exchange: FANOUT.into(),
        options: Box::new(options),
        no_wait: false,
    };
    let first = ChannelId::new(1, 1);
    steps.push(Step::Method(first, declare));
    steps.extend((0..2).flat_map(|queue| declare_queue(first, queue)));
    steps
}

/// Opens a connection and its two channels.
pub(crate) fn connect(connection: u64) -> Vec<Step> {
    let open = Method::ConnectionOpen(Box::default());
    let channel = |number| Step::Method(ChannelId::new(connection, number), Method::ChannelOpen);
    vec![Step::Method(ChannelId::new(connection, 0), open), channel(1), channel(2)]
}

fn declare_queue(on: ChannelId, queue: usize) -> [Step; 2] {
    let name = QUEUES[queue];
    let options =
        QueueOptions { durable: queue != 1, auto_delete: queue == 2, ..Default::default() };
    let binding = Box::new(BindOptions::new(name, FANOUT, ""));
    let declare = Method::QueueDeclare { queue: name.into(), options, no_wait: false };
    [declare, Method::QueueBind { binding, no_wait: false }].map(|m| Step::Method(on, m))
}

impl Operation {
    /// Returns the steps of an operation in the current state.
    pub(crate) fn steps(&self, reference: &Reference) -> Vec<Step> {
        let at = |on: usize| reference.channel_id(on);
        let method = |on: usize, method: Method| vec![Step::Method(at(on), method)];
        let name = |queue: usize| QUEUES[queue].into();
        match *self {
            Operation::Declare { queue } => declare_queue(at(0), queue).into(),
            Operation::Delete { queue, if_unused, if_empty } => {
                let queue = name(queue);
                method(0, Method::QueueDelete { queue, if_unused, if_empty, no_wait: false })
            }
            Operation::Purge { queue } => {
                method(0, Method::QueuePurge { queue: name(queue), no_wait: false })
            }
            Operation::Publish { on, queue, persistent, mandatory, expiration } => {
                let body = format!("m{}", reference.published());
                let mut properties = Properties::default();
                if persistent {
                    properties = properties.persistent();
                }
                if let Some(ms) = expiration {
                    properties = properties.with_expiration(ms.to_string());
                }
                let (exchange, key) = match queue {
                    Some(queue) => ("", QUEUES[queue]),
                    None => (FANOUT, ""),
                };
                let publish =
                    Publish { mandatory, properties, ..Publish::new(exchange, key, body) };
                method(on, Method::BasicPublish(publish))
            }
            Operation::Consume { on, tag, .. } if reference.has_consumer(at(on), TAGS[tag]) => {
                Vec::new()
            }
            Operation::Consume { on, queue, tag, no_ack } => {
                let consumer_tag = TAGS[tag].into();
                let options =
                    Box::new(ConsumeOptions { consumer_tag, no_ack, ..Default::default() });
                method(on, Method::BasicConsume { queue: name(queue), options, no_wait: false })
            }
            Operation::Cancel { on, tag } => {
                let consumer_tag = TAGS[tag].into();
                method(on, Method::BasicCancel { consumer_tag, no_wait: false })
            }
            Operation::Get { on, queue, no_ack } => {
                method(on, Method::BasicGet { queue: name(queue), no_ack })
            }
            Operation::Settle { on, ref which, multiple, how } => {
                let tags = reference.outstanding(at(on));
                let delivery_tag = DeliveryTag(match which {
                    Which::Outstanding(_) if tags.is_empty() => return Vec::new(),
                    Which::Outstanding(n) => tags[n % tags.len()],
                    Which::Unknown => 1_000,
                    Which::Zero => 0,
                });
                let settle = match how {
                    How::Ack => Method::BasicAck { delivery_tag, multiple },
                    How::Nack { requeue } => Method::BasicNack { delivery_tag, multiple, requeue },
                    How::Reject { requeue } => Method::BasicReject { delivery_tag, requeue },
                };
                method(on, settle)
            }
            Operation::Recover { on } => method(on, Method::BasicRecover { requeue: true }),
            Operation::Qos { on, count, global } => {
                let qos = Method::BasicQos { prefetch_size: 0, prefetch_count: count, global };
                method(on, qos)
            }
            Operation::Confirm { on } => method(on, Method::ConfirmSelect { no_wait: false }),
            Operation::Close { on } => vec![
                Step::Method(at(on), Method::ChannelClose),
                Step::Method(at(on), Method::ChannelOpen),
            ],
            Operation::Lose { connection } => vec![Step::Lose(at(2 * connection))],
            Operation::Wait { ms } => vec![Step::Wait(Duration::from_millis(ms))],
            Operation::Restart(down) => vec![Step::Restart(down)],
        }
    }
}
