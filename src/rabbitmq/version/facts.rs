//! The facts of a version: everything in which versions differ.
//!
//! Source: each fact was observed on the real 3.10.8, 4.0.5 and 4.3.6.

use super::DeprecatedFeature;

/// The facts of a version: everything in which versions differ.
///
/// Code asks the profile for the fact, never for the version.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(super) number: &'static str,
    pub(super) max_message_size: usize,
    /// What `connection.start` says of the server, beside its version.
    pub(crate) server: Server,
    /// Whether the server speaks AMQP 1.0 without a plugin, and AMQP 0-8 no longer.
    pub(crate) serves_amqp_1_0: bool,
    /// Shortest frame limit that a client may ask for.
    pub(crate) frame_min: u32,
    /// The server's words.
    pub(crate) texts: Texts,
    /// Whether a message is kept in a *container*: its headers are sorted by name, a name occurs
    /// once, any delivery mode is accepted, and the server keeps the history of its deaths beside
    /// the headers, so that a client's own `x-death` is replaced.
    pub(crate) has_containers: bool,
    /// Whether the confirm of a persistent message in a classic queue follows its write, so that a
    /// power loss may lose the message; otherwise it follows the sync.
    pub(crate) classic_confirms_on_write: bool,
    /// Whether direct replies go to queues of their own: a reply uses up a delivery tag, is never
    /// returned, and waits for the commit of a transaction.
    pub(crate) replies_have_queues: bool,
    /// Whether the next consumer of a classic queue takes over at once from a single active one
    /// that is cancelled.
    pub(crate) serves_successor_at_once: bool,
    /// Whether a body that is longer than its header says breaks the connection at once.
    pub(crate) refuses_longer_bodies: bool,
    /// Whether a client's `basic.cancel-ok`, which the server never asks for, crashes the channel.
    pub(crate) crashes_over_cancel_ok: bool,
    /// Whether a publish of a transaction to the default exchange waits for the queue of its name,
    /// which may be declared before the commit; otherwise such a publish is dropped.
    pub(crate) publishes_wait_for_queues: bool,
    /// Whether a commit fails if a queue was deleted after a publish to it.
    pub(crate) commit_without_queue: CommitWithoutQueue,
    /// A commit settles at once what was rejected alike one after another, by `basic.reject` or by
    /// `basic.nack`. This tells the two apart.
    pub(crate) commit_tells_reject_from_nack: bool,
    /// Whether a headers exchange matches a number only with a number of the same type.
    pub(crate) matches_headers_exactly: bool,
    /// Whether a consistent-hash exchange hashes the type of a header with its value.
    pub(crate) hashes_header_types: bool,
    /// Whether a classic queue counts failed deliveries, too. A message of which one failed then
    /// arrives in the queue of dead letters as redelivered.
    pub(crate) classic_counts_failures: bool,
    /// Whether the channels of a connection end from the first to the last; otherwise from the last
    /// to the first.
    pub(crate) ends_first_channel_first: bool,
    /// Whether only quorum queues watch how long a delivery is unacknowledged. They cancel a
    /// consumer that holds one too long and take the message back; otherwise its channel is closed.
    pub(crate) times_out_in_quorum_queues_only: bool,
    /// Whether a passive declaration requires any permission for the object.
    pub(crate) checks_passive_declarations: bool,
    /// Whether topic permissions can be set only for an exchange that exists, and go with it.
    pub(crate) ties_topic_permissions: bool,
    /// Whether an exchange that is not durable survives a restart, with its bindings.
    pub(crate) keeps_transient_exchanges: bool,
    /// Whether the configuration can deny deprecated features.
    pub(crate) can_deny_features: bool,
    /// The deprecated features that are denied unless the configuration permits them.
    pub(crate) denied_by_default: &'static [DeprecatedFeature],
    /// The facts of quorum queues.
    pub(crate) quorum: Quorum,
    /// The facts of streams.
    pub(crate) streams: Streams,
    /// The facts of arguments and policies.
    pub(crate) settings: SettingRules,
    /// Whether every queue has its type among its arguments, and every vhost a default type.
    pub(crate) names_queue_types: bool,
    /// Whether exchanges may have the type `x-local-random`.
    pub(crate) has_local_random: bool,
    /// Whether exchanges may have the type `x-modulus-hash` without a plugin.
    pub(crate) has_modulus_hash: bool,
    /// Whether vhost `/` has the exchange `amq.rabbitmq.log`, to which nobody may publish.
    pub(crate) has_log_exchange: bool,
    /// The facts of definitions.
    pub(crate) definitions: Definitions,
}

/// What `connection.start` says of the server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) copyright: &'static str,
    pub(crate) platform: &'static str,
    pub(crate) mechanisms: &'static [&'static str],
}

/// Texts that versions put differently, and what an error closes.
#[derive(Debug)]
pub(crate) struct Texts {
    /// Whether a refusal names the kind of access: `configure access to queue …`.
    pub(crate) name_access: bool,
    /// Whether an unknown exchange type closes the channel only.
    pub(crate) unknown_type_closes_channel: bool,
    /// Whether a connection to a deleted vhost is told that the vhost is down.
    pub(crate) deleted_vhost_is_down: bool,
    /// Whether refusals of streams say `stream queue …` instead of `stream queues queue …`.
    pub(crate) say_stream_queue: bool,
    /// Whether the server's own terms show through: a type of queue in brackets, an age in
    /// milliseconds.
    pub(crate) show_terms: bool,
    /// Whether an offset of a stream that is not one closes the channel only, with a reason.
    pub(crate) explain_offsets: bool,
    /// The refusal of one channel more than a user may have.
    pub(crate) channel_limit: ChannelLimit,
}

/// How the server refuses one channel more than a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelLimit {
    /// It names the user, and the limit in brackets.
    InBrackets,
    /// As before, but it names the node instead of the user.
    NamesNode,
    /// It names the user, and the limit.
    Plain,
}

/// The facts of quorum queues.
#[derive(Debug)]
pub(crate) struct Quorum {
    /// Delivery limit of a queue that sets none.
    pub(crate) default_delivery_limit: Option<u64>,
    /// Delivery limit of a queue that sets a negative one. With 0, any return is too many.
    pub(crate) negative_delivery_limit: Option<u64>,
    /// Whether a rejected message of a queue without a delivery limit goes to the end.
    pub(crate) moves_rejected_to_end: bool,
    /// Whether the first `basic.get` of a message shows the header `x-delivery-count`, with 0.
    pub(crate) shows_count_at_first: bool,
    /// Whether only failed deliveries count for the limit: those that end with `basic.reject`, or
    /// with their channel. The header `x-acquired-count` counts all, and both counts go on in the
    /// queue of dead letters.
    pub(crate) counts_failures_only: bool,
    /// Whether a queue goes through its consumers by their tags; otherwise by their age.
    pub(crate) knows_consumers_by_tag: bool,
    /// Whether a cancelled consumer keeps its place among the others for one turn.
    pub(crate) keeps_place_of_cancelled: bool,
    /// Whether a waiting consumer with a higher priority takes over from a single active one;
    /// otherwise those that wait follow in the order in which they came.
    pub(crate) prefers_higher_standby: bool,
    /// Whether credit is returned twice for a delivery that is requeued once too often.
    pub(crate) refunds_dead_twice: bool,
    /// Whether the bytes of a message include those of its properties.
    pub(crate) counts_property_bytes: bool,
    /// Whether messages that are dropped together become dead letters in the reverse order.
    pub(crate) buries_last_first: bool,
    /// The order in which messages of different priorities leave.
    pub(crate) priorities: Priorities,
}

/// The outcome of a commit with a publish to a queue that was deleted meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitWithoutQueue {
    /// The message goes to the queues that are left.
    Succeeds,
    /// The commit goes on, and fails when it is done.
    FailsAtLast,
    /// The commit fails at once, with a reason.
    FailsAtOnce,
}

/// The facts of streams.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Whether messages are kept in the form of AMQP 1.0.
    pub(crate) keeps_amqp_1_0: bool,
    /// Whether dead letters that are published at most once arrive.
    pub(crate) takes_dead_letters: bool,
    /// Whether a delivery that is rejected or requeued is settled as if it were acknowledged;
    /// otherwise that closes the connection.
    pub(crate) settles_rejected: bool,
    /// Whether consumers may filter.
    pub(crate) has_filters: bool,
}

/// The order in which messages of different priorities leave a quorum queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priorities {
    /// Priorities have no effect.
    None,
    /// Two messages of priority 5 and above, then one below, and so on.
    TwoClasses,
    /// The highest of 32 levels first. A message without a priority is on level 4. Messages expire
    /// at the head of each level.
    Strict,
}

/// The facts of arguments and policies.
#[derive(Debug)]
pub(crate) struct SettingRules {
    /// Whether mirrored queues exist, and the settings `ha-…`.
    pub(crate) has_mirroring: bool,
    /// Whether a policy may set how long the deliveries of a queue are unacknowledged.
    pub(crate) queues_have_timeouts: bool,
    /// Whether `x-consumer-timeout` is an argument of quorum queues and of their consumers.
    pub(crate) consumers_have_timeouts: bool,
    /// Whether quorum queues have the setting `consumer-disconnected-timeout`.
    pub(crate) has_disconnected_timeouts: bool,
    /// Whether a policy may set the size of a stream's filters.
    pub(crate) has_filter_sizes: bool,
    /// Whether `x-stream-filter-size-bytes` is an argument of streams only, with a checked value.
    pub(crate) checks_filter_sizes: bool,
    /// Whether a policy may set the size of a group of replicas.
    pub(crate) has_target_group_sizes: bool,
    /// Whether a classic queue takes `x-queue-leader-locator`, too.
    pub(crate) classic_queues_have_leader_locators: bool,
    /// Whether a policy may set a negative delivery limit. If any source sets one, the largest
    /// limit counts.
    pub(crate) takes_negative_delivery_limits: bool,
    /// Whether a declaration checks the names of its arguments first, in the server's order;
    /// otherwise their values first, and then the names in the client's order.
    pub(crate) checks_names_first: bool,
    /// Whether the value of a consumer's argument is checked even if its queue does not take it.
    pub(crate) checks_foreign_values: bool,
    /// Whether a policy with a limit of memory applies to classic queues.
    pub(crate) classic_queues_know_memory_limits: bool,
    /// Whether a policy may apply to the queues of one type.
    pub(crate) policies_name_queue_types: bool,
    /// Whether operators may set `overflow`, `queue-version` and `queue-master-locator`, too.
    pub(crate) operators_set_more: bool,
    /// Whether messages that return to a quorum queue may be delayed.
    pub(crate) has_delayed_retries: bool,
    /// Whether `x-queue-mode` takes any value.
    pub(crate) takes_any_mode: bool,
    /// Whether classic queues of version 1 exist.
    pub(crate) has_classic_v1: bool,
    /// The key `queue-master-locator` of policies.
    pub(crate) master_locator: MasterLocator,
    /// Whether an age that cannot be read is refused; otherwise it ends the channel's process.
    pub(crate) refuses_unreadable_ages: bool,
}

/// How the key `queue-master-locator` of policies is checked.
#[derive(Debug)]
pub(crate) struct MasterLocator {
    pub(crate) names: &'static [&'static str],
    /// The words that follow any other value in the server's refusal.
    pub(crate) refusal: &'static str,
    /// Whether the argument of that name is checked, too.
    pub(crate) checks_argument: bool,
    /// Whether it is checked before the other keys.
    pub(crate) is_checked_first: bool,
}

/// The facts of definitions files.
#[derive(Debug)]
pub(crate) struct Definitions {
    /// Whether an export says what it has: a whole cluster or one vhost, and which. In that of one
    /// vhost, policies and parameters do not name it, either.
    pub(crate) describe_themselves: bool,
    /// Whether the management UI exports the same as `rabbitmqctl`: types of queues, and bindings
    /// of exclusive queues, but no internal exchanges.
    pub(crate) have_one_form: bool,
    /// How an export of all vhosts has each of them.
    pub(crate) vhost_types: VHostTypes,
    /// Whether a new server has the global parameter `cluster_tags`.
    pub(crate) have_cluster_tags: bool,
    /// Whether an import fails at a binding whose queue or exchange does not exist; otherwise it
    /// skips the binding.
    pub(crate) require_both_ends: bool,
    /// Whether a queue without a type gets the default type of its vhost.
    pub(crate) apply_default_types: bool,
    /// The default queue type of a vhost that exists before the import.
    pub(crate) existing_vhosts: ExistingVHosts,
}

/// Where an export has the default queue type of a vhost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VHostTypes {
    /// In the vhost's metadata, if it was set.
    WhenSet,
    /// As before, and always beside the metadata.
    AlwaysBeside,
    /// Always in the metadata; limits are an object.
    Always,
}

/// The default queue type, after an import, of a vhost that existed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExistingVHosts {
    /// It stays as it was.
    Keep,
    /// It is that of the file, if the file has one.
    Take,
    /// It is that of the file, or `classic`.
    Reset,
}
