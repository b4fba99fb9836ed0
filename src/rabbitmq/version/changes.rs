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
     quorum queue. Those that wait are sorted: by priority, by prefetch count, and then by age.",
    "A commit fails if a queue was deleted after a publish of its transaction, and a publish to a \
     queue that does not exist yet is dropped.",
    "An unknown exchange type closes the channel with 406 instead of the connection with 503.",
    "The arguments and policies of mirrored queues (`ha-…`) do not exist any more.",
    "A message may have 16 MiB by default, not 128.",
    "Refusals for a lack of permission name the kind of access: `configure access to queue …`.",
    "A binding of a headers exchange compares numbers exactly: `1` does not match `1.0`.",
    "A stream delivers every message with a delivery mode, keeps the header `CC`, takes dead \
     letters, and settles a rejected delivery without an error.",
    "A delivery limit of -1 means no limit, and a policy may set it; before, the first return was \
     one too many.",
    "Every queue has its type among its arguments (`x-queue-type`), and every vhost a default type, \
     `classic` at first: in listings, in definitions, and in the refusal of another type.",
    "An import of definitions fails at a binding whose queue or exchange does not exist; it gives a \
     queue without a type the default type of its vhost, and sets that of an existing vhost, too.",
    "An export of definitions has the default type of each vhost and the global parameter \
     `cluster_tags`, and says whether it is that of a cluster or of a vhost.",
    "The consumers of a quorum queue take turns in the order in which they came, not in that of \
     their tags, and one that was cancelled has no turn any more.",
    "The next consumer takes over at once from a single active consumer that is cancelled, in a \
     classic queue, too.",
    "The first `basic.get` of a message of a quorum queue has no header `x-delivery-count`; before, \
     it was 0.",
    "A delivery that dies of the limit of a quorum queue returns credit to its consumer once, not \
     twice, so that the prefetch count holds.",
    "Messages that a quorum queue drops together become dead letters from the last to the first.",
    "The channels of a connection that ends return their messages from the first channel on, not \
     from the last.",
    "A consistent-hash exchange that hashes a header ignores the type of its value, so that many \
     messages go to other queues than before.",
    "The configuration can deny deprecated features (`deprecated_features.permit.…`), such as queues \
     that are neither durable nor exclusive.",
    "Exchanges may have the type `x-local-random`, and consumers of streams may filter \
     (`x-stream-filter`).",
    "A policy can set the time-out of the consumers of its queues: `consumer-timeout`.",
    "A policy can apply to the queues of one type (`classic_queues`, `quorum_queues`, `streams`), \
     and set `target-group-size` and `stream-filter-size-bytes`; operators can also set `overflow`, \
     `queue-version` and `queue-master-locator`.",
    "A policy whose only settings are limits of memory does not apply to a classic queue.",
    "The policy key `queue-master-locator` has more values and is checked after the others; the \
     argument `x-queue-master-locator` takes any.",
    "A classic queue takes `x-queue-leader-locator`, and the values of a queue's arguments are \
     checked before their names.",
    "The value of an argument that a consumer's queue does not know is not checked.",
    "Some refusals have other words: a deleted vhost `is down`, a stream is a `stream queue`, and \
     one channel too many is that of the node.",
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
    "Topic permissions can be set only for an exchange that exists, and go with it.",
    "The length limit of a quorum queue in bytes counts properties, too.",
    "The argument `x-queue-master-locator` closes the connection, `x-queue-version` must be 2, and \
     `x-queue-mode` has no effect.",
    "A client must accept frames of at least 8192 bytes.",
    "A body that is longer than its header says closes the connection at once.",
    "An import of definitions sets the default type of a vhost to `classic` if the file has none.",
    "An export of definitions leaves out internal exchanges, but not their bindings, nor those of \
     exclusive queues: an import elsewhere fails at these.",
    "Vhost `/` has the internal exchange `amq.rabbitmq.log`.",
    "Messages that a quorum queue drops together become dead letters from the first to the last.",
    "A commit with a publish to a queue that was deleted fails before it has an effect.",
    "A commit settles one after another what was rejected by `basic.reject` and by `basic.nack` in \
     turns, so that messages return, and dead letters follow each other, in another order.",
    "A client's `basic.cancel-ok` closes the connection with 541 instead of 503.",
    "An age (`x-max-age`) that cannot be read is refused with a reason, as is `x-stream-offset`; \
     before, each closed the connection.",
    "Some refusals have other words: an age is in milliseconds, a type of queue in brackets, and one \
     channel too many is that of the user again.",
    "A policy's `queue-master-locator` is checked before its other keys.",
    "Exchanges may have the type `x-modulus-hash` without a plugin.",
    "A quorum queue takes `x-consumer-disconnected-timeout`, and only a stream takes \
     `x-stream-filter-size-bytes`.",
    "Quorum queues can delay returned messages (`x-delayed-retry-type`, `-min`, `-max`).",
    "A quorum queue and each of its consumers can set their own time-out (`x-consumer-timeout`).",
];

#[cfg(test)]
mod tests {
    use crate::profile_facts::facts_of;
    use crate::rabbitmq::version::Version;
    use std::collections::BTreeSet;

    /// Facts, and words of the sentence that tells of each: for 4.0, and for 4.3. Where there are
    /// no words, the fact does not change.
    const TOLD: &[(&str, &str, &str)] = &[
        ("can_deny_features", "can deny deprecated features", ""),
        ("checks_passive_declarations", "", "passive declaration requires"),
        ("classic_confirms_on_write", "follows its write", ""),
        ("classic_counts_failures", "", "arrives as redelivered, and its count"),
        ("commit_tells_reject_from_nack", "", "and by `basic.nack` in turns"),
        ("commit_without_queue", "A commit fails if", "fails before it has an effect"),
        ("crashes_over_cancel_ok", "", "basic.cancel-ok"),
        ("definitions.apply_default_types", "gives a queue without a type", ""),
        ("definitions.describe_themselves", "whether it is that of a cluster", ""),
        ("definitions.existing_vhosts", "existing vhost, too", "if the file has none"),
        ("definitions.have_cluster_tags", "`cluster_tags`", ""),
        ("definitions.have_one_form", "", "leaves out internal exchanges"),
        ("definitions.require_both_ends", "does not exist; it gives", ""),
        (
            "definitions.vhost_types",
            "has the default type of each vhost",
            "default type of a vhost",
        ),
        ("denied_by_default", "", "541 `INTERNAL_ERROR`. Make it durable"),
        ("ends_first_channel_first", "from the first channel on", ""),
        ("frame_min", "", "8192"),
        ("has_containers", "sorted by name", ""),
        ("has_local_random", "x-local-random", ""),
        ("has_log_exchange", "", "amq.rabbitmq.log"),
        ("has_modulus_hash", "", "x-modulus-hash"),
        ("hashes_header_types", "consistent-hash", ""),
        ("keeps_transient_exchanges", "", "survives a restart"),
        ("matches_headers_exactly", "compares numbers exactly", ""),
        ("max_message_size", "16 MiB", ""),
        ("names_queue_types", "its type among its arguments", ""),
        ("publishes_wait_for_queues", "does not exist yet is dropped", ""),
        ("quorum.buries_last_first", "from the last to the first", "from the first to the last"),
        ("quorum.counts_failures_only", "", "never count for the delivery limit"),
        ("quorum.counts_property_bytes", "", "counts properties"),
        ("quorum.default_delivery_limit", "gives a message up after 20", ""),
        ("quorum.keeps_place_of_cancelled", "has no turn any more", ""),
        ("quorum.knows_consumers_by_tag", "not in that of their tags", ""),
        ("quorum.moves_rejected_to_end", "", "returns to the front"),
        ("quorum.negative_delivery_limit", "A delivery limit of -1", ""),
        ("quorum.prefers_higher_standby", "with a higher priority takes over", ""),
        ("quorum.priorities", "twice as often", "32 priorities strictly"),
        ("quorum.refunds_dead_twice", "returns credit", ""),
        ("quorum.shows_count_at_first", "first `basic.get`", ""),
        ("refuses_longer_bodies", "", "longer than its header says"),
        ("replies_have_queues", "", "direct reply"),
        ("server.mechanisms", "ANONYMOUS", ""),
        ("serves_amqp_1_0", "AMQP 1.0 is served", ""),
        ("serves_successor_at_once", "takes over at once", ""),
        ("settings.checks_filter_sizes", "", "`x-stream-filter-size-bytes`"),
        ("settings.checks_foreign_values", "does not know is not checked", ""),
        ("settings.checks_names_first", "checked before their names", ""),
        ("settings.classic_queues_have_leader_locators", "x-queue-leader-locator", ""),
        ("settings.classic_queues_know_memory_limits", "limits of memory", ""),
        ("settings.consumers_have_timeouts", "", "x-consumer-timeout"),
        ("settings.has_classic_v1", "", "`x-queue-version` must be 2"),
        ("settings.has_delayed_retries", "", "delay returned messages"),
        ("settings.has_disconnected_timeouts", "", "x-consumer-disconnected-timeout"),
        ("settings.has_filter_sizes", "`stream-filter-size-bytes`", ""),
        ("settings.has_mirroring", "`ha-…`", ""),
        ("settings.has_target_group_sizes", "`target-group-size`", ""),
        ("settings.master_locator.checks_argument", "`x-queue-master-locator` takes any", ""),
        (
            "settings.master_locator.is_checked_first",
            "checked after the others",
            "checked before its",
        ),
        ("settings.master_locator.names", "has more values", ""),
        ("settings.master_locator.refusal", "has more values", ""),
        ("settings.operators_set_more", "operators can also set", ""),
        ("settings.policies_name_queue_types", "the queues of one type", ""),
        ("settings.queues_have_timeouts", "`consumer-timeout`", ""),
        ("settings.refuses_unreadable_ages", "", "An age"),
        ("settings.takes_any_mode", "", "`x-queue-mode` has no effect"),
        ("settings.takes_negative_delivery_limits", "a policy may set it", ""),
        ("streams.has_filters", "x-stream-filter", ""),
        ("streams.keeps_amqp_1_0", "every message with a delivery mode", ""),
        ("streams.settles_rejected", "settles a rejected delivery", ""),
        ("streams.takes_dead_letters", "takes dead letters", ""),
        ("ties_topic_permissions", "", "Topic permissions"),
        ("texts.channel_limit", "that of the node", "that of the user again"),
        ("texts.deleted_vhost_is_down", "`is down`", ""),
        ("texts.explain_offsets", "", "`x-stream-offset`"),
        ("texts.name_access", "name the kind of access", ""),
        ("texts.say_stream_queue", "`stream queue`", ""),
        ("texts.show_terms", "", "in milliseconds"),
        ("texts.unknown_type_closes_channel", "An unknown exchange type", ""),
        ("times_out_in_quorum_queues_only", "", "holds a delivery too long"),
    ];

    /// Facts without a sentence: nobody meets them with an upgrade, or they are the upgrade itself.
    const UNTOLD: [&str; 4] = ["number", "changes", "server.copyright", "server.platform"];

    #[test]
    fn every_fact_that_changes_is_told_of() {
        assert_eq!(Version::ALL.len(), 3, "the list has words for two upgrades");
        let upgrades = Version::ALL.windows(2).zip([0, 1]);
        let mut found = BTreeSet::new();
        for (pair, upgrade) in upgrades {
            let [before, after] = [pair[0], pair[1]].map(|version| facts_of(version.profile()));
            assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
            let told = |words: &str| pair[1].changes().iter().any(|change| change.contains(words));
            for (fact, _) in after.iter().filter(|(fact, value)| before[*fact] != **value) {
                if UNTOLD.contains(&fact.as_str()) {
                    continue;
                }
                let row = TOLD.iter().find(|(name, ..)| name == fact);
                let words = row.map_or("", |row| [row.1, row.2][upgrade]);
                assert!(!words.is_empty(), "{fact} changes with {}: say so", pair[1]);
                assert!(told(words), "no change of {} says {words:?} ({fact})", pair[1]);
                found.insert((fact.clone(), upgrade));
            }
        }
        for (fact, of_4_0, of_4_3) in TOLD {
            if cfg!(not(feature = "definitions")) && fact.starts_with("definitions.") {
                continue;
            }
            for (upgrade, words) in [of_4_0, of_4_3].into_iter().enumerate() {
                let changes = found.contains(&((*fact).to_owned(), upgrade));
                assert_eq!(changes, !words.is_empty(), "{fact} with {words:?}");
            }
        }
    }
}
