//! The themes of random conversations, each with the objects that exist at the beginning and the
//! frequency of each step.
//!
//! A step is one line or several, separated by semicolons. A word in braces is replaced from a
//! pool; a bit that is rarely set is usually absent. A step that begins with a number is for the
//! channel with this number.
//!
//! Conversations avoid what the server decides by race:
//!
//! - A channel consumes from one queue only, because two queues would race to it.
//! - The two queues have separate dead-letter queues, because they would race there.
//! - A single active consumer does not leave while messages wait, because 3.10.8 crashes over it.
//! - A quorum queue does not refuse publishes, because it notices late that it may accept them
//!   again.
//! - A channel that recovers does not consume within a shared limit, because the queue may hear of
//!   the limit before it hears of the returned messages.
//! - A channel that publishes with confirms does not consume within a shared limit, because
//!   confirms and deliveries would race.
//! - A consumer of a quorum queue that has left deliveries unsettled does not re-subscribe under
//!   its tag, because 3.10.8 crashes over the next delivery.
//! - A channel that consumes from a quorum queue does not requeue a delivery on 4.0.5, and does not
//!   fail on 4.3.6, if a single active consumer may have been demoted there for one of a higher
//!   priority (`conversation.rs`). When the last of its deliveries is requeued, 4.0.5 hands out no
//!   message to anyone, whatever is published. When its channel dies before they are settled, 4.3.6
//!   keeps the demoted consumer, and hands it the messages that nobody will ever settle once the
//!   other has gone.
//! - A channel that publishes to a stream waits for the confirm, because several messages would
//!   become one chunk. It does not consume, because the two answers would race. It does not ask for
//!   the length of the stream, which is only counted from time to time.

pub(super) struct Theme {
    pub(super) name: &'static str,
    /// How often the theme is drawn.
    pub(super) weight: u32,
    /// The objects that exist besides two connections and a channel, as lines of channel `a.1`.
    /// `{1}` and `{2}` are replaced by the drawn `arguments`.
    pub(super) beginning: &'static [&'static str],
    pub(super) arguments: [&'static [&'static str]; 2],
    pub(super) steps: &'static [(usize, &'static str)],
    /// Whether lines that make no sense are sent sometimes.
    pub(super) nonsense: bool,
}

pub(super) const THEMES: &[Theme] = &[
    Theme {
        name: "classic",
        weight: 6,
        beginning: &[
            "queue.declare queue=q1 arguments={1}",
            "queue.declare queue=q2 arguments={2}",
            "queue.declare queue=d1",
            "queue.declare queue=d2",
            "exchange.declare exchange=f type=fanout",
            "exchange.declare exchange=t type=topic arguments={alternate-exchange:S=f}",
            "queue.bind queue=q2 exchange=f",
            "queue.bind queue=q1 exchange=t routing-key=a.*",
        ],
        arguments: [FIRST, SECOND],
        steps: CLASSIC,
        nonsense: true,
    },
    Theme {
        name: "single-active",
        weight: 1,
        beginning: &[
            "queue.declare queue=q1 arguments={1}",
            "queue.declare queue=q2 arguments={2}",
            "queue.declare queue=d1",
            "exchange.declare exchange=f type=fanout",
            "queue.bind queue=q1 exchange=f",
            "queue.bind queue=q2 exchange=f",
        ],
        arguments: [SINGLE_ACTIVE, SINGLE_ACTIVE],
        steps: ONE_AT_A_TIME,
        nonsense: false,
    },
    Theme {
        name: "quorum",
        weight: 2,
        beginning: &[
            "queue.declare queue=q1 durable=true arguments={1}",
            "queue.declare queue=q2 durable=true arguments={2}",
            "queue.declare queue=d1",
            "queue.declare queue=d2",
            "exchange.declare exchange=f type=fanout",
            "queue.bind queue=q2 exchange=f",
            "confirm.select",
        ],
        arguments: [FIRST_QUORUM, SECOND_QUORUM],
        steps: QUORUM,
        nonsense: false,
    },
    Theme {
        name: "stream",
        weight: 1,
        beginning: &[
            "queue.declare queue=q1 durable=true arguments={1}",
            "queue.declare queue=q2 durable=true arguments={2}",
            "exchange.declare exchange=f type=fanout",
            "queue.bind queue=q2 exchange=f",
            "confirm.select",
        ],
        arguments: [STREAM, STREAM],
        steps: STREAMING,
        nonsense: false,
    },
    Theme {
        name: "routing",
        weight: 3,
        beginning: &[
            "queue.declare queue=q1",
            "queue.declare queue=q2",
            "queue.declare queue=d1",
            "queue.declare queue=d2",
            "exchange.declare exchange=f type=fanout",
            "exchange.declare exchange=t type=topic arguments={alternate-exchange:S=f}",
            "exchange.declare exchange=h type=headers arguments={alternate-exchange:S=t}",
            "exchange.declare exchange=e type=direct",
            "queue.bind queue=q2 exchange=f",
        ],
        arguments: [&["{}"], &["{}"]],
        steps: ROUTING,
        nonsense: true,
    },
    Theme {
        name: "wrong",
        weight: 1,
        beginning: &[
            "queue.declare queue=q1",
            "queue.declare queue=q2 arguments={2}",
            "exchange.declare exchange=f type=fanout",
            "queue.bind queue=q1 exchange=f",
        ],
        arguments: [&["{}"], SECOND],
        steps: WRONG,
        nonsense: true,
    },
];

const CLASSIC: &[(usize, &str)] = &[
    (12, "basic.publish routing-key={queue} mandatory={bool}{props} | body \"{body}\""),
    (2, "basic.publish routing-key={any} mandatory=true | body \"{body}\""),
    (
        6,
        "basic.publish exchange={exchange} routing-key={key} mandatory={bool}{props} | body \"{body}\"",
    ),
    (6, "basic.consume queue={own} consumer-tag={consumer}{rarely no-ack}{priority}"),
    (1, "basic.consume queue={own} consumer-tag={consumer} exclusive={bool}"),
    (2, "basic.cancel consumer-tag={mine}"),
    (5, "basic.get queue={own}{rarely no-ack}"),
    (2, "basic.get queue={dead} no-ack=true"),
    (8, "basic.ack delivery-tag={tag}{rarely multiple}"),
    (8, "basic.nack delivery-tag={tag}{rarely multiple} requeue={bool}"),
    (3, "basic.reject delivery-tag={tag} requeue={bool}"),
    (1, "1 basic.recover requeue=true"),
    (4, "basic.qos prefetch-count={small}"),
    (2, "2 basic.qos prefetch-count={small}{rarely global}"),
    (3, "select"),
    (4, "tx.commit"),
    (2, "tx.rollback"),
    (1, "queue.declare queue=q1{rarely auto-delete} arguments={first}"),
    (1, "queue.declare queue=q2{rarely durable} arguments={second}"),
    (2, "queue.declare queue={any} passive=true"),
    (1, "queue.declare queue={dead}"),
    (1, "queue.declare queue=mine exclusive=true"),
    (1, "queue.declare exclusive=true ; queue.bind exchange={exchange}"),
    (1, "queue.purge queue={any}"),
    (1, "queue.delete queue={any} if-unused={bool} if-empty={bool}"),
    (3, "queue.bind queue={any} exchange={exchange} routing-key={key}"),
    (1, "queue.unbind queue={any} exchange={exchange} routing-key={key}"),
    (1, "exchange.declare exchange=e type=direct{rarely auto-delete}"),
    (1, "exchange.declare exchange=t type=topic arguments={alternate-exchange:S=f}"),
    (1, "exchange.bind destination={exchange} source={exchange} routing-key={key}"),
    (1, "exchange.unbind destination={exchange} source={exchange} routing-key={key}"),
    (1, "exchange.delete exchange={exchange} if-unused={bool}"),
    (1, "basic.consume queue=amq.rabbitmq.reply-to consumer-tag=r no-ack=true"),
    (
        2,
        "basic.publish routing-key={queue} mandatory=true | props reply-to=amq.rabbitmq.reply-to | body \"{body}\"",
    ),
    (2, "basic.publish routing-key={reply} mandatory={bool} | body \"{body}\""),
    (2, "channel.close"),
    (2, "lose"),
];

/// A consumer leaves only when no message waits.
const ONE_AT_A_TIME: &[(usize, &str)] = &[
    (12, "basic.publish routing-key={queue}{props} | body \"{body}\""),
    (3, "basic.publish exchange=f | body \"{body}\""),
    (8, "basic.consume queue={own} consumer-tag={consumer}{rarely no-ack}{priority}"),
    (3, "queue.purge queue={own} ; basic.cancel consumer-tag={mine}"),
    (3, "basic.get queue={own}{rarely no-ack}"),
    (1, "basic.get queue=d1 no-ack=true"),
    (8, "basic.ack delivery-tag={tag}{rarely multiple}"),
    (6, "basic.nack delivery-tag={tag}{rarely multiple} requeue={bool}"),
    (1, "1 basic.recover requeue=true"),
    (3, "basic.qos prefetch-count={small}"),
    (1, "2 basic.qos prefetch-count={small}{rarely global}"),
    (2, "queue.declare queue={queue} passive=true"),
    (2, "queue.purge queue={own} ; channel.close"),
    (1, "queue.purge queue=q1 ; queue.purge queue=q2 ; lose"),
];

const QUORUM: &[(usize, &str)] = &[
    (12, "1 basic.publish routing-key={queue} mandatory={bool}{headers} | body \"{body}\""),
    (3, "1 basic.publish exchange=f | body \"{body}\""),
    (6, "2 basic.consume queue=q2 consumer-tag={settled consumer}{rarely no-ack}{priority}"),
    (3, "2 basic.cancel consumer-tag={mine}"),
    (5, "basic.get queue={own}{rarely no-ack}"),
    (2, "basic.get queue={dead} no-ack=true"),
    (8, "basic.ack delivery-tag={tag}{rarely multiple}"),
    (8, "basic.nack delivery-tag={tag}{rarely multiple} requeue={bool}"),
    (3, "basic.reject delivery-tag={tag} requeue={bool}"),
    (1, "basic.recover requeue=true"),
    (3, "2 basic.qos prefetch-count={small}"),
    (1, "1 confirm.select"),
    (2, "queue.declare queue={queue} passive=true"),
    (1, "queue.purge queue={queue}"),
    (1, "queue.delete queue={queue}"),
    (1, "queue.declare queue=q2 durable=true arguments={second-quorum}"),
    (1, "queue.bind queue=q2 exchange=f"),
    (1, "channel.close"),
];

const STREAMING: &[(usize, &str)] = &[
    (12, "1 basic.publish routing-key={queue} mandatory={bool}{headers} | body \"{body}\""),
    (4, "1 basic.publish exchange=f | body \"{body}\""),
    (8, "2 basic.consume queue=q2 consumer-tag={consumer} arguments={offset}"),
    (3, "2 basic.cancel consumer-tag={mine}"),
    (8, "2 basic.ack delivery-tag={tag}{rarely multiple}"),
    (5, "2 basic.qos prefetch-count={some}"),
    (1, "1 confirm.select"),
    (1, "channel.close"),
    (1, "lose"),
];

const ROUTING: &[(usize, &str)] = &[
    (
        24,
        "basic.publish exchange={source} routing-key={key} mandatory=true{headers} | body \"{body}\"",
    ),
    (4, "basic.publish routing-key={key} mandatory=true{headers} | body \"{body}\""),
    (8, "basic.get queue={every} no-ack=true"),
    (2, "queue.declare queue={every} passive=true"),
    (2, "queue.purge queue={every}"),
    (1, "queue.delete queue={every} ; queue.declare queue={every}"),
    (10, "queue.bind queue={every} exchange={source} routing-key={key}{match}"),
    (4, "queue.unbind queue={every} exchange={source} routing-key={key}{match}"),
    (6, "exchange.bind destination={source} source={source} routing-key={key}{match}"),
    (2, "exchange.unbind destination={source} source={source} routing-key={key}{match}"),
    (1, "exchange.delete exchange={source} if-unused={bool}"),
    (2, "exchange.declare exchange=i type=direct internal=true{rarely auto-delete}"),
    (1, "exchange.declare exchange=e type=direct{rarely auto-delete}"),
    (1, "exchange.declare exchange=h type=headers arguments={alternate-exchange:S=t}"),
    (1, "exchange.declare exchange=f type=fanout arguments={alternate-exchange:S=e}"),
    (1, "exchange.declare exchange={source} passive=true"),
    (3, "select"),
    (4, "tx.commit"),
    (1, "tx.rollback"),
    (1, "channel.close"),
    (1, "lose"),
];

const WRONG: &[(usize, &str)] = &[
    (8, "queue.declare queue=bad arguments={bad} ; queue.delete queue=bad"),
    (4, "queue.declare queue=bad durable=true arguments={bad-quorum} ; queue.delete queue=bad"),
    (4, "queue.declare queue=bad durable=true arguments={bad-stream} ; queue.delete queue=bad"),
    (4, "queue.declare queue=q2{rarely durable}{rarely auto-delete} arguments={second}"),
    (2, "queue.declare queue=q2{rarely exclusive}{rarely passive} arguments={bad}"),
    (6, "basic.consume queue={own} consumer-tag={consumer} arguments={bad-consumer}"),
    (2, "basic.publish routing-key={queue} | body \"{body}\""),
    (6, "basic.publish routing-key={queue} mandatory=true{bad-props} | body \"{body}\""),
    (2, "basic.get queue={queue} no-ack=true"),
    (12, "{odd}"),
    (2, "select"),
    (2, "tx.commit"),
    (1, "channel.close"),
];

/// Arguments of the first queue, whose dead letters go to `d1`.
const FIRST: &[&str] = &[
    "{}",
    "{x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-max-length:I=2,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-max-length-bytes:I=12,x-dead-letter-exchange:S=f}",
    "{x-max-length:I=1,x-overflow:S=reject-publish-dlx,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-max-priority:I=3,x-max-length:I=3,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-message-ttl:I=0,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-message-ttl:I=600000,x-dead-letter-exchange:S=t}",
    "{x-dead-letter-exchange:S=nope}",
];

/// Arguments of the second queue, whose dead letters go to `d2`.
const SECOND: &[&str] = &[
    "{}",
    "{x-max-length:I=2,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d2}",
    "{x-max-length:I=1,x-overflow:S=reject-publish}",
    "{x-max-priority:I=2}",
    "{x-dead-letter-exchange:S=f}",
    "{x-dead-letter-exchange:S=\"\"}",
    "{x-max-length-bytes:I=5,x-overflow:S=reject-publish}",
    "{x-max-length-bytes:I=12,x-overflow:S=reject-publish-dlx,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d2}",
    "{x-max-priority:I=2,x-max-length-bytes:I=10}",
    "{x-max-length:I=0,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d2}",
];

const SINGLE_ACTIVE: &[&str] = &[
    "{x-single-active-consumer:t=true}",
    "{x-single-active-consumer:t=true,x-max-length:I=2}",
    "{x-single-active-consumer:t=true,x-max-priority:I=2}",
    "{}",
];

const FIRST_QUORUM: &[&str] = &[
    "{x-queue-type:S=quorum}",
    "{x-queue-type:S=quorum,x-delivery-limit:I=1,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-queue-type:S=quorum,x-max-length:I=2,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
    "{x-queue-type:S=quorum,x-dead-letter-exchange:S=f}",
    "{x-queue-type:S=quorum,x-overflow:S=reject-publish,x-dead-letter-strategy:S=at-least-once,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d1}",
];

const SECOND_QUORUM: &[&str] = &[
    "{x-queue-type:S=quorum}",
    "{x-queue-type:S=quorum,x-delivery-limit:I=1,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d2}",
    "{x-queue-type:S=quorum,x-max-length:I=2,x-dead-letter-exchange:S=\"\",x-dead-letter-routing-key:S=d2}",
    "{x-queue-type:S=quorum,x-max-length-bytes:I=12}",
    "{x-queue-type:S=quorum,x-single-active-consumer:t=true}",
    "{x-queue-type:S=quorum,x-delivery-limit:I=0}",
];

const STREAM: &[&str] = &["{x-queue-type:S=stream}", "{x-queue-type:S=stream,x-max-age:S=1h}"];

/// The pools. Those of queues and exchanges begin with objects that usually exist.
const POOLS: &[(&str, &[&str])] = &[
    ("first", FIRST),
    ("second", SECOND),
    ("second-quorum", SECOND_QUORUM),
    ("queue", &["q1", "q2"]),
    ("dead", &["d1", "d2"]),
    ("any", &["q1", "q2", "q1", "q2", "q1", "q2", "d1", "d2", "mine", "nope"]),
    ("every", &["q1", "q2", "d1", "d2"]),
    ("exchange", &["f", "t", "amq.topic", "f", "e"]),
    ("source", &["f", "t", "h", "e", "i"]),
    ("key", &["a.b", "a.*", "#", "q1", "a", "a.#.b", "*.b", "\"\""]),
    ("consumer", &["x", "y", "z"]),
    ("reply", &["amq.rabbitmq.reply-to.1", "amq.rabbitmq.reply-to.2"]),
    ("priority", &["", "", " arguments={x-priority:I=1}", " arguments={x-priority:I=-1}"]),
    ("bool", &["false", "true"]),
    ("small", &["1", "2", "0", "3"]),
    ("some", &["1", "2", "3", "10"]),
    (
        "props",
        &[
            "",
            " | props delivery-mode=2",
            " | props priority=1",
            " | props priority=9",
            " | props expiration=0",
            " | props expiration=600000",
            " | props headers={CC:A=[S=q2],BCC:A=[S=d1]}",
            " | props headers={a:I=1} delivery-mode=2 priority=2",
        ],
    ),
    (
        "headers",
        &[
            "",
            " | props delivery-mode=2",
            " | props headers={a:I=1}",
            " | props headers={a:I=1,b:S=x} delivery-mode=1",
            " | props headers={b:S=y}",
            " | props headers={CC:A=[S=q2]}",
            " | props headers={BCC:A=[S=a.b],a:l=1}",
            " | props priority=9",
            " | props headers={b:S=y,a:I=1} priority=1",
        ],
    ),
    (
        "match",
        &[
            "",
            " arguments={a:I=1}",
            " arguments={x-match:S=any,a:I=1,b:S=x}",
            " arguments={x-match:S=all,a:V}",
            " arguments={b:S=y}",
        ],
    ),
    (
        "offset",
        &[
            "{}",
            "{x-stream-offset:S=first}",
            "{x-stream-offset:S=last}",
            "{x-stream-offset:S=next}",
            "{x-stream-offset:l=0}",
            "{x-stream-offset:I=2}",
            "{x-stream-offset:l=20}",
        ],
    ),
    ("bad", super::wrong::ARGUMENTS),
    ("bad-quorum", super::wrong::QUORUM),
    ("bad-stream", super::wrong::STREAM),
    ("bad-consumer", super::wrong::CONSUMER),
    ("bad-props", super::wrong::PROPERTIES),
    ("odd", super::wrong::LINES),
];

pub(super) fn pool(name: &str) -> Option<&'static [&'static str]> {
    POOLS.iter().find(|pool| pool.0 == name).map(|pool| pool.1)
}
