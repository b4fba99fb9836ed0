//! The sentences about the facts in which versions differ.

use crate::rabbitmq::version::DeprecatedFeature;
use crate::rabbitmq::version::facts::{
    ChannelLimit, CommitWithoutQueue, ExistingVHosts, Priorities, Profile, VHostTypes,
};
use crate::version_changes::{Fact, fact};

/// The facts, the most surprising first.
pub(super) const FACTS: &[Fact<Profile>] = &[
    fact(
        |p| p.denied_by_default.contains(&DeprecatedFeature::TransientNonexclQueues),
        "A queue that is neither durable nor exclusive is refused: `queue.declare` closes the \
         connection with 541 `INTERNAL_ERROR`. Make it durable (with `x-expires` if nobody deletes \
         it) or exclusive, or permit it: `deprecated_features.permit.transient_nonexcl_queues = \
         true`, here `BrokerOptions::permit_deprecated`.",
    ),
    fact(
        |p| p.quorum.default_delivery_limit.is_some(),
        "A quorum queue gives a message up after 20 returns, unless it sets another limit: the \
         message is lost without a dead-letter exchange. Before, a loop of requeues ran forever.",
    ),
    fact(
        |p| p.quorum.counts_failures_only,
        "`basic.nack` and `basic.recover` never count for the delivery limit of a quorum queue: \
         only `basic.reject` and the end of a channel or connection do, so a consumer that only \
         nacks a poison message receives it forever. A `basic.reject` without requeue counts, too.",
    ),
    fact(
        |p| p.classic_counts_failures,
        "A dead letter that was rejected with `basic.reject` arrives as redelivered, and its count \
         of failed deliveries (`x-delivery-count`) goes on in the queue of dead letters and back.",
    ),
    fact(
        |p| p.quorum.counts_failures_only,
        "Only a requeue compares that count with the delivery limit. So a loop through a retry \
         queue goes on forever if consumers reject without requeue. If they also requeue, the first \
         requeue above the limit, by `basic.nack` too, makes a dead letter of the message \
         (`delivery_limit`), which is lost if only a TTL would bring it back.",
    ),
    fact(
        |p| p.classic_confirms_on_write,
        "The confirm of a persistent message in a classic queue follows its write, not its sync, \
         so that a loss of power may lose a confirmed message; a quorum queue still confirms after \
         the sync.",
    ),
    fact(
        |p| p.has_containers,
        "A client's own header `x-death` is replaced by the first death: a retry counter that a \
         client carries over in it starts again.",
    ),
    fact(
        |p| p.has_containers,
        "Dead letters also carry the headers `x-last-death-reason`, `-queue` and `-exchange`, and \
         keep the header `CC` when their queue sets a dead-letter routing key.",
    ),
    fact(
        |p| p.has_containers,
        "A message of which a delivery failed in a quorum queue arrives in another as redelivered, \
         and its count goes on there.",
    ),
    fact(
        |p| p.times_out_in_quorum_queues_only,
        "A consumer that holds a delivery too long is cancelled by a quorum queue, which takes the \
         message back; before, its channel was closed. A classic queue has no time-out any more.",
    ),
    fact(
        |p| p.denied_by_default.contains(&DeprecatedFeature::GlobalQos),
        "A prefetch count that is set with `global` counts for each consumer, and not for the \
         channel. So a quorum queue takes it; before, `basic.consume` closed the connection with \
         540.",
    ),
    fact(|p| p.has_containers, "The headers of a message arrive sorted by name, each name once."),
    fact(
        |p| p.quorum.priorities != Priorities::None,
        "A quorum queue serves messages by their priority, without being asked to.",
    ),
    Fact {
        holds: |p| p.quorum.priorities == Priorities::TwoClasses,
        begins: "A quorum queue has two classes of priorities: it serves messages of priority 5 \
                 and above twice as often as others.",
        ends: "A quorum queue no longer has two classes of priorities.",
    },
    fact(
        |p| p.quorum.priorities == Priorities::Strict,
        "A quorum queue serves 32 priorities strictly, and a message without a priority has 4: one \
         of priority 1 waits behind it.",
    ),
    fact(
        |p| p.quorum.priorities == Priorities::Strict,
        "A message of a quorum queue expires at the head of its own priority, even while messages \
         of a higher one wait.",
    ),
    fact(
        |p| !p.quorum.moves_rejected_to_end,
        "A requeued message of a quorum queue returns to the front, with or without a delivery \
         limit.",
    ),
    fact(
        |p| p.quorum.counts_failures_only,
        "The header `x-acquired-count` of a quorum queue counts all returns; `x-delivery-count` \
         counts those that failed.",
    ),
    fact(
        |p| p.keeps_transient_exchanges,
        "An exchange that is not durable survives a restart, with its bindings to durable queues.",
    ),
    fact(
        |p| p.quorum.prefers_higher_standby,
        "A waiting consumer with a higher priority takes over from the single active consumer of a \
         quorum queue. Those that wait are sorted: by priority, by prefetch count, and then by age.",
    ),
    fact(
        |p| p.commit_without_queue != CommitWithoutQueue::Succeeds && !p.publishes_wait_for_queues,
        "A commit fails if a queue was deleted after a publish of its transaction, and a publish to \
         a queue that does not exist yet is dropped.",
    ),
    fact(
        |p| p.replies_have_queues,
        "A direct reply to a requester that is gone is not returned, one in a transaction waits for \
         the commit, and each uses up a delivery tag.",
    ),
    fact(
        |p| p.texts.unknown_type_closes_channel,
        "An unknown exchange type closes the channel with 406 instead of the connection with 503.",
    ),
    fact(
        |p| !p.settings.has_mirroring,
        "The arguments and policies of mirrored queues (`ha-…`) do not exist.",
    ),
    fact(|p| p.max_message_size < 20_000_000, "A message may have 16 MiB by default, not 128."),
    fact(
        |p| p.texts.name_access,
        "Refusals for a lack of permission name the kind of access: `configure access to queue …`.",
    ),
    fact(
        |p| p.checks_passive_declarations,
        "A passive declaration requires any permission for the queue or exchange.",
    ),
    fact(
        |p| p.ties_topic_permissions,
        "Topic permissions can be set only for an exchange that exists, and go with it.",
    ),
    fact(
        |p| p.quorum.counts_property_bytes,
        "The length limit of a quorum queue in bytes counts properties, too.",
    ),
    fact(
        |p| p.denied_by_default.contains(&DeprecatedFeature::QueueMasterLocator),
        "The argument `x-queue-master-locator` closes the connection with 541, and a policy with \
         `queue-master-locator` is refused.",
    ),
    fact(
        |p| !p.settings.has_classic_v1 && p.settings.takes_any_mode,
        "The argument `x-queue-version` must be 2, and `x-queue-mode` takes any value, without \
         effect.",
    ),
    fact(|p| p.frame_min >= 8192, "A client must accept frames of at least 8192 bytes."),
    fact(
        |p| p.refuses_longer_bodies,
        "A body that is longer than its header says closes the connection at once.",
    ),
    fact(
        |p| p.matches_headers_exactly,
        "A binding of a headers exchange compares numbers exactly: `1` does not match `1.0`.",
    ),
    fact(
        |p| p.streams.keeps_amqp_1_0 && p.streams.takes_dead_letters && p.streams.settles_rejected,
        "A stream delivers every message with a delivery mode, keeps the header `CC`, takes dead \
         letters, and settles a rejected delivery without an error.",
    ),
    fact(
        |p| p.quorum.negative_delivery_limit.is_none() && p.settings.takes_negative_delivery_limits,
        "A delivery limit of -1 means no limit, and a policy may set it; before, the first return \
         was one too many.",
    ),
    fact(
        |p| p.names_queue_types,
        "Every queue has its type among its arguments (`x-queue-type`), and every vhost a default \
         type, `classic` at first: in listings, in definitions, and in the refusal of another type.",
    ),
    fact(
        |p| p.definitions.require_both_ends,
        "An import of definitions fails at a binding whose queue or exchange does not exist.",
    ),
    fact(
        |p| p.definitions.apply_default_types,
        "An import of definitions gives a queue without a type the default type of its vhost.",
    ),
    fact(
        |p| p.definitions.existing_vhosts != ExistingVHosts::Keep,
        "An import of definitions sets the default type of an existing vhost, too.",
    ),
    fact(
        |p| p.definitions.existing_vhosts == ExistingVHosts::Reset,
        "An import of definitions sets the default type of a vhost to `classic` if the file has \
         none.",
    ),
    fact(
        |p| {
            p.definitions.vhost_types != VHostTypes::WhenSet
                && p.definitions.have_cluster_tags
                && p.definitions.describe_themselves
        },
        "An export of definitions has the default type of each vhost and the global parameter \
         `cluster_tags`, and says whether it is that of a cluster or of a vhost.",
    ),
    fact(
        |p| p.definitions.vhost_types == VHostTypes::Always && p.definitions.have_one_form,
        "An export of definitions has the default type of a vhost in its metadata only. It leaves \
         out internal exchanges, but not their bindings, nor those of exclusive queues: an import \
         elsewhere fails at these.",
    ),
    fact(|p| p.has_log_exchange, "Vhost `/` has the internal exchange `amq.rabbitmq.log`."),
    fact(
        |p| !p.quorum.knows_consumers_by_tag && !p.quorum.keeps_place_of_cancelled,
        "The consumers of a quorum queue take turns in the order in which they came, not in that \
         of their tags, and one that was cancelled has no turn any more.",
    ),
    fact(
        |p| p.serves_successor_at_once,
        "The next consumer takes over at once from a single active consumer that is cancelled, in \
         a classic queue, too.",
    ),
    fact(
        |p| !p.quorum.shows_count_at_first,
        "The first `basic.get` of a message of a quorum queue has no header `x-delivery-count`; \
         before, it was 0.",
    ),
    fact(
        |p| !p.quorum.refunds_dead_twice,
        "A delivery that dies of the limit of a quorum queue returns credit to its consumer once, \
         not twice, so that the prefetch count holds.",
    ),
    Fact {
        holds: |p| p.quorum.buries_last_first,
        begins: "Messages that a quorum queue drops together become dead letters from the last to \
                 the first.",
        ends: "Messages that a quorum queue drops together become dead letters from the first to \
               the last.",
    },
    fact(
        |p| p.ends_first_channel_first,
        "The channels of a connection that ends return their messages from the first channel on, \
         not from the last.",
    ),
    fact(
        |p| p.commit_without_queue == CommitWithoutQueue::FailsAtOnce,
        "A commit with a publish to a queue that was deleted fails before it has an effect.",
    ),
    fact(
        |p| p.commit_tells_reject_from_nack,
        "A commit settles one after another what was rejected by `basic.reject` and by \
         `basic.nack` in turns, so that messages return, and dead letters follow each other, in \
         another order.",
    ),
    fact(
        |p| !p.hashes_header_types,
        "A consistent-hash exchange that hashes a header ignores the type of its value, so that \
         many messages go to other queues than before.",
    ),
    fact(
        |p| p.crashes_over_cancel_ok,
        "A client's `basic.cancel-ok` closes the connection with 541 instead of 503.",
    ),
    fact(
        |p| p.settings.refuses_unreadable_ages && p.texts.explain_offsets,
        "An age (`x-max-age`) that cannot be read is refused with a reason, as is \
         `x-stream-offset`; before, each closed the connection.",
    ),
    fact(
        |p| p.can_deny_features,
        "The configuration can deny deprecated features (`deprecated_features.permit.…`), such as \
         queues that are neither durable nor exclusive.",
    ),
    fact(
        |p| p.has_local_random && p.streams.has_filters,
        "Exchanges may have the type `x-local-random`, and consumers of streams may filter \
         (`x-stream-filter`).",
    ),
    fact(|p| p.has_modulus_hash, "Exchanges may have the type `x-modulus-hash` without a plugin."),
    fact(
        |p| p.settings.queues_have_timeouts,
        "A policy (`consumer-timeout`) and the argument `x-consumer-timeout` can set the time-out \
         of the consumers of a queue; of both, the shorter one counts.",
    ),
    fact(
        |p| p.settings.consumers_have_timeouts,
        "A consumer of a quorum queue can set its own time-out (`x-consumer-timeout`). Only quorum \
         queues take the argument: for a classic queue or a stream, `queue.declare`, \
         `basic.consume` and an import of definitions refuse it with 406.",
    ),
    fact(
        |p| p.settings.has_delayed_retries,
        "Quorum queues can delay returned messages: arguments `x-delayed-retry-type`, `-min` and \
         `-max`, and policy keys `delayed-retry-type`, `-min` and `-max`.",
    ),
    fact(
        |p| p.settings.has_disconnected_timeouts,
        "A quorum queue takes the argument `x-consumer-disconnected-timeout`, and a policy \
         `consumer-disconnected-timeout`.",
    ),
    fact(
        |p| p.settings.checks_filter_sizes,
        "Only a stream takes `x-stream-filter-size-bytes`, and its value is checked.",
    ),
    fact(
        |p| {
            p.settings.policies_name_queue_types
                && p.settings.has_target_group_sizes
                && p.settings.has_filter_sizes
                && p.settings.operators_set_more
        },
        "A policy can apply to the queues of one type (`classic_queues`, `quorum_queues`, \
         `streams`), and set `target-group-size` and `stream-filter-size-bytes`; operators can also \
         set `overflow`, `queue-version` and `queue-master-locator`.",
    ),
    fact(
        |p| !p.settings.classic_queues_know_memory_limits,
        "A policy whose only settings are limits of memory does not apply to a classic queue.",
    ),
    fact(
        |p| {
            p.settings.master_locator.names.len() > 3
                && p.settings.master_locator.refusal.starts_with("is not")
                && !p.settings.master_locator.checks_argument
        },
        "The policy key `queue-master-locator` has more values, and the value of the argument \
         `x-queue-master-locator` is not checked.",
    ),
    Fact {
        holds: |p| p.settings.master_locator.is_checked_first,
        begins: "A policy's `queue-master-locator` is checked before its other keys.",
        ends: "A policy's `queue-master-locator` is checked after its other keys.",
    },
    fact(
        |p| p.settings.classic_queues_have_leader_locators && !p.settings.checks_names_first,
        "A classic queue takes `x-queue-leader-locator`, and the values of a queue's arguments are \
         checked before their names.",
    ),
    fact(
        |p| !p.settings.checks_foreign_values,
        "The value of an argument that a consumer's queue does not know is not checked.",
    ),
    fact(
        |p| p.texts.deleted_vhost_is_down && p.texts.say_stream_queue,
        "Some refusals have other words: a deleted vhost `is down`, and a stream is a `stream \
         queue`.",
    ),
    Fact {
        holds: |p| p.texts.channel_limit == ChannelLimit::NamesNode,
        begins: "The refusal of one channel more than a user may have names the node instead.",
        ends: "The refusal of one channel more than a user may have names the user.",
    },
    fact(
        |p| p.texts.show_terms,
        "Some refusals have other words: an age is in milliseconds, and a type of queue in \
         brackets.",
    ),
    fact(
        |p| p.server.mechanisms.contains(&"ANONYMOUS"),
        "The mechanism ANONYMOUS is offered and logs in as the default user.",
    ),
    fact(
        |p| p.serves_amqp_1_0,
        "AMQP 1.0 is served on the same port: the answer to a wrong protocol header is its header.",
    ),
];
