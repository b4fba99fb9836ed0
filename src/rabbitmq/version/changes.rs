//! The changes that an upgrade brings to an application, in words: a sentence for each, the most
//! surprising first.

/// The changes that an upgrade to 4.0 brings.
pub(super) const TO_4_0: &[&str] = &[
    "A quorum queue gives a message up after 20 returns, unless it sets another limit: a loop of \
     requeues that ran forever now ends, and the message is lost without a dead-letter exchange.",
    "The confirm of a persistent message in a classic queue follows its write, not its sync, so \
     that a loss of power may lose a confirmed message; a quorum queue still confirms after the \
     sync.",
    "A client's own header `x-death` is replaced by the first death: a retry counter that a \
     client carries over in it starts again.",
    "Dead letters also carry the headers `x-last-death-reason`, `-queue` and `-exchange`, and keep \
     the header `CC` when their queue sets a dead-letter routing key.",
    "A message that was rejected in a quorum queue arrives in another as redelivered, and its count \
     goes on there.",
    "The headers of a message arrive sorted by name, each name once.",
    "A quorum queue serves messages of priority 5 and above twice as often as others, without \
     being asked to.",
    "A waiting consumer with a higher priority takes over from the single active consumer of a \
     quorum queue.",
    "A commit fails if a queue was deleted after a publish of its transaction, and a publish to a \
     queue that does not exist yet is dropped.",
    "An unknown exchange type closes the channel with 406 instead of the connection with 503.",
    "The arguments and policies of mirrored queues (`ha-…`) do not exist any more.",
    "A message may have 16 MiB by default, not 128.",
    "Refusals for a lack of permission name the kind of access: `configure access to queue …`.",
    "A binding of a headers exchange compares numbers exactly: `1` does not match `1.0`.",
    "A stream delivers every message with a delivery mode, keeps the header `CC`, takes dead \
     letters, and settles a rejected delivery without an error.",
    "A policy can set the time-out of the consumers of its queues: `consumer-timeout`.",
    "The mechanism ANONYMOUS is offered and logs in as the default user.",
    "AMQP 1.0 is served on the same port: the answer to a wrong protocol header is its header.",
];

/// The changes that an upgrade to 4.3 brings.
pub(super) const TO_4_3: &[&str] = &[
    "A queue that is neither durable nor exclusive is refused: `queue.declare` closes the \
     connection with 541 `INTERNAL_ERROR`. Make it durable (with `x-expires` if nobody deletes it) \
     or exclusive, or permit it: `deprecated_features.permit.transient_nonexcl_queues = true`, here \
     `BrokerOptions::permit_deprecated`.",
    "`basic.nack` and `basic.recover` never count for the delivery limit of a quorum queue: only \
     `basic.reject` and the end of a channel or connection do, so a consumer that nacks a poison \
     message receives it forever.",
    "A dead letter that was rejected with `basic.reject` arrives as redelivered, and its count of \
     failed deliveries goes on in the queue of dead letters: a loop through a retry queue ends \
     after 21 rounds.",
    "A consumer that holds a delivery too long is cancelled by a quorum queue, which takes the \
     message back; before, its channel was closed. A classic queue has no time-out any more.",
    "A prefetch count that is set with `global` counts for each consumer, and not for the channel.",
    "A quorum queue serves 32 priorities strictly, and a message without a priority has 4: one of \
     priority 1 waits behind it.",
    "A message of a quorum queue expires at the head of its own priority, even while messages of a \
     higher one wait.",
    "A requeued message of a quorum queue returns to the front, with or without a delivery limit.",
    "The header `x-acquired-count` of a quorum queue counts all returns; `x-delivery-count` counts \
     those that failed.",
    "An exchange that is not durable survives a restart, with its bindings to durable queues.",
    "A direct reply to a requester that is gone is not returned, one in a transaction waits for \
     the commit, and each uses up a delivery tag.",
    "A passive declaration requires any permission for the queue or exchange.",
    "The length limit of a quorum queue in bytes counts properties, too.",
    "The argument `x-queue-master-locator` closes the connection, `x-queue-version` must be 2, and \
     `x-queue-mode` has no effect.",
    "A client must accept frames of at least 8192 bytes.",
    "A body that is longer than its header says closes the connection at once.",
    "Quorum queues can delay returned messages (`x-delayed-retry-type`, `-min`, `-max`).",
    "A quorum queue and each of its consumers can set their own time-out (`x-consumer-timeout`).",
];
