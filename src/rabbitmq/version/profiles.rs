//! The profile of each version. One says only how it differs from the one before.

use super::DeprecatedFeature;
use super::changes::{TO_4_0, TO_4_3};
use super::facts::{
    ChannelLimit, CommitWithoutQueue, MasterLocator, Priorities, Profile, Quorum, Server,
    SettingRules, Streams, Texts,
};
#[cfg(feature = "definitions")]
use super::facts::{Definitions, ExistingVHosts, VHostTypes};
use crate::rabbitmq::protocol::limits::{FRAME_MIN, MAX_MESSAGE_SIZE};

pub(super) const V3_10: Profile = Profile {
    number: "3.10.8",
    changes: &[],
    max_message_size: MAX_MESSAGE_SIZE,
    server: Server {
        copyright: "Copyright (c) 2007-2022 VMware, Inc. or its affiliates.",
        platform: "Erlang/OTP 25.2.3",
        mechanisms: &["PLAIN", "AMQPLAIN"],
    },
    serves_amqp_1_0: false,
    frame_min: FRAME_MIN,
    texts: Texts {
        name_access: false,
        unknown_type_closes_channel: false,
        deleted_vhost_is_down: false,
        say_stream_queue: false,
        show_terms: false,
        explain_offsets: false,
        channel_limit: ChannelLimit::InBrackets,
    },
    has_containers: false,
    classic_confirms_on_write: false,
    replies_have_queues: false,
    serves_successor_at_once: false,
    refuses_longer_bodies: false,
    crashes_over_cancel_ok: false,
    publishes_wait_for_queues: true,
    commit_without_queue: CommitWithoutQueue::Succeeds,
    commit_tells_reject_from_nack: false,
    matches_headers_exactly: false,
    hashes_header_types: true,
    classic_counts_failures: false,
    ends_first_channel_first: false,
    times_out_in_quorum_queues_only: false,
    checks_passive_declarations: false,
    ties_topic_permissions: false,
    keeps_transient_exchanges: false,
    can_deny_features: false,
    denied_by_default: &[],
    quorum: Quorum {
        default_delivery_limit: None,
        negative_delivery_limit: Some(0),
        moves_rejected_to_end: true,
        shows_count_at_first: true,
        counts_failures_only: false,
        knows_consumers_by_tag: true,
        keeps_place_of_cancelled: true,
        prefers_higher_standby: false,
        refunds_dead_twice: true,
        counts_property_bytes: false,
        buries_last_first: false,
        priorities: Priorities::None,
    },
    streams: Streams {
        keeps_amqp_1_0: false,
        takes_dead_letters: false,
        settles_rejected: false,
        has_filters: false,
    },
    names_queue_types: false,
    has_local_random: false,
    has_modulus_hash: false,
    has_log_exchange: false,
    #[cfg(feature = "definitions")]
    definitions: Definitions {
        describe_themselves: false,
        have_one_form: false,
        vhost_types: VHostTypes::WhenSet,
        have_cluster_tags: false,
        require_both_ends: false,
        apply_default_types: false,
        existing_vhosts: ExistingVHosts::Keep,
    },
    settings: SettingRules {
        has_mirroring: true,
        queues_have_timeouts: false,
        consumers_have_timeouts: false,
        has_disconnected_timeouts: false,
        has_filter_sizes: false,
        checks_filter_sizes: false,
        has_target_group_sizes: false,
        classic_queues_have_leader_locators: false,
        takes_negative_delivery_limits: false,
        checks_names_first: true,
        checks_foreign_values: true,
        classic_queues_know_memory_limits: true,
        policies_name_queue_types: false,
        operators_set_more: false,
        has_delayed_retries: false,
        takes_any_mode: false,
        has_classic_v1: true,
        master_locator: MasterLocator {
            names: &["client-local", "min-masters", "random"],
            refusal: "invalid queue-master-locator value",
            checks_argument: true,
            is_checked_first: true,
        },
        refuses_unreadable_ages: false,
    },
};

pub(super) const V4_0: Profile = Profile {
    number: "4.0.5",
    changes: TO_4_0,
    max_message_size: 16_777_216,
    server: Server {
        copyright: "Copyright (c) 2007-2024 Broadcom Inc and/or its subsidiaries",
        platform: "Erlang/OTP 27.3.4.1",
        mechanisms: &["PLAIN", "AMQPLAIN", "ANONYMOUS"],
    },
    serves_amqp_1_0: true,
    texts: Texts {
        name_access: true,
        unknown_type_closes_channel: true,
        deleted_vhost_is_down: true,
        say_stream_queue: true,
        show_terms: false,
        explain_offsets: false,
        channel_limit: ChannelLimit::NamesNode,
    },
    has_containers: true,
    classic_confirms_on_write: true,
    serves_successor_at_once: true,
    publishes_wait_for_queues: false,
    commit_without_queue: CommitWithoutQueue::FailsAtLast,
    matches_headers_exactly: true,
    hashes_header_types: false,
    ends_first_channel_first: true,
    can_deny_features: true,
    quorum: Quorum {
        default_delivery_limit: Some(20),
        negative_delivery_limit: None,
        shows_count_at_first: false,
        knows_consumers_by_tag: false,
        keeps_place_of_cancelled: false,
        prefers_higher_standby: true,
        refunds_dead_twice: false,
        buries_last_first: true,
        priorities: Priorities::TwoClasses,
        ..V3_10.quorum
    },
    streams: Streams {
        keeps_amqp_1_0: true,
        takes_dead_letters: true,
        settles_rejected: true,
        has_filters: true,
    },
    names_queue_types: true,
    has_local_random: true,
    #[cfg(feature = "definitions")]
    definitions: Definitions {
        describe_themselves: true,
        vhost_types: VHostTypes::AlwaysBeside,
        have_cluster_tags: true,
        require_both_ends: true,
        apply_default_types: true,
        existing_vhosts: ExistingVHosts::Take,
        ..V3_10.definitions
    },
    settings: SettingRules {
        has_mirroring: false,
        queues_have_timeouts: true,
        has_filter_sizes: true,
        has_target_group_sizes: true,
        classic_queues_have_leader_locators: true,
        takes_negative_delivery_limits: true,
        checks_names_first: false,
        checks_foreign_values: false,
        classic_queues_know_memory_limits: false,
        policies_name_queue_types: true,
        operators_set_more: true,
        master_locator: MasterLocator {
            names: &["client-local", "balanced", "random", "least-leaders", "min-masters"],
            refusal: "is not a valid master locator",
            checks_argument: false,
            is_checked_first: false,
        },
        ..V3_10.settings
    },
    ..V3_10
};

pub(super) const V4_3: Profile = Profile {
    number: "4.3.6",
    changes: TO_4_3,
    server: Server {
        copyright: "Copyright (c) 2007-2026 Broadcom Inc and/or its subsidiaries",
        platform: "Erlang/OTP 29.1.2",
        ..V4_0.server
    },
    frame_min: 8_192,
    texts: Texts {
        show_terms: true,
        explain_offsets: true,
        channel_limit: ChannelLimit::Plain,
        ..V4_0.texts
    },
    replies_have_queues: true,
    refuses_longer_bodies: true,
    crashes_over_cancel_ok: true,
    commit_without_queue: CommitWithoutQueue::FailsAtOnce,
    commit_tells_reject_from_nack: true,
    classic_counts_failures: true,
    times_out_in_quorum_queues_only: true,
    checks_passive_declarations: true,
    ties_topic_permissions: true,
    keeps_transient_exchanges: true,
    // Debian's package of 4.3.6 permits transient queues by a patch of its own.
    denied_by_default: &[
        DeprecatedFeature::TransientNonexclQueues,
        DeprecatedFeature::GlobalQos,
        DeprecatedFeature::QueueMasterLocator,
    ],
    quorum: Quorum {
        moves_rejected_to_end: false,
        buries_last_first: false,
        counts_failures_only: true,
        counts_property_bytes: true,
        priorities: Priorities::Strict,
        ..V4_0.quorum
    },
    has_modulus_hash: true,
    has_log_exchange: true,
    #[cfg(feature = "definitions")]
    definitions: Definitions {
        have_one_form: true,
        vhost_types: VHostTypes::Always,
        existing_vhosts: ExistingVHosts::Reset,
        ..V4_0.definitions
    },
    settings: SettingRules {
        consumers_have_timeouts: true,
        has_disconnected_timeouts: true,
        checks_filter_sizes: true,
        has_delayed_retries: true,
        takes_any_mode: true,
        has_classic_v1: false,
        master_locator: MasterLocator { is_checked_first: true, ..V4_0.settings.master_locator },
        refuses_unreadable_ages: true,
        ..V4_0.settings
    },
    ..V4_0
};
