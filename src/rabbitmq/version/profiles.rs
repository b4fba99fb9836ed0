//! The profile of each version. One says only how it differs from the one before.

use super::DeprecatedFeature;
use super::changes::{TO_4_0, TO_4_3};
use super::facts::{
    ChannelLimit, MasterLocator, Priorities, Profile, Quorum, Server, SettingRules, Texts,
};
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
        name_default_type: false,
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
    commits_fail_at_once: false,
    times_out_in_quorum_queues_only: false,
    checks_passive_declarations: false,
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
        buries_last_first: false,
        priorities: Priorities::None,
    },
    has_local_random: false,
    has_modulus_hash: false,
    settings: SettingRules {
        has_mirroring: true,
        has_those_of_4_0: false,
        has_those_of_4_3: false,
        queues_have_timeouts: false,
        consumers_have_timeouts: false,
        has_delayed_retries: false,
        takes_any_mode: false,
        has_classic_v1: true,
        master_locator: MasterLocator {
            names: &["client-local", "min-masters", "random"],
            refusal: "invalid queue-master-locator value",
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
        name_default_type: true,
        deleted_vhost_is_down: true,
        say_stream_queue: true,
        show_terms: false,
        explain_offsets: false,
        channel_limit: ChannelLimit::NamesNode,
    },
    has_containers: true,
    classic_confirms_on_write: true,
    serves_successor_at_once: true,
    can_deny_features: true,
    quorum: Quorum {
        default_delivery_limit: Some(20),
        negative_delivery_limit: None,
        shows_count_at_first: false,
        knows_consumers_by_tag: false,
        buries_last_first: true,
        priorities: Priorities::TwoClasses,
        ..V3_10.quorum
    },
    has_local_random: true,
    settings: SettingRules {
        has_mirroring: false,
        has_those_of_4_0: true,
        queues_have_timeouts: true,
        master_locator: MasterLocator {
            names: &["client-local", "balanced", "random", "least-leaders", "min-masters"],
            refusal: "is not a valid master locator",
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
    commits_fail_at_once: true,
    times_out_in_quorum_queues_only: true,
    checks_passive_declarations: true,
    keeps_transient_exchanges: true,
    denied_by_default: &[DeprecatedFeature::GlobalQos, DeprecatedFeature::QueueMasterLocator],
    quorum: Quorum {
        moves_rejected_to_end: false,
        buries_last_first: false,
        counts_failures_only: true,
        priorities: Priorities::Strict,
        ..V4_0.quorum
    },
    has_modulus_hash: true,
    settings: SettingRules {
        has_those_of_4_3: true,
        consumers_have_timeouts: true,
        has_delayed_retries: true,
        takes_any_mode: true,
        has_classic_v1: false,
        master_locator: MasterLocator { is_checked_first: true, ..V4_0.settings.master_locator },
        refuses_unreadable_ages: true,
        ..V4_0.settings
    },
    ..V4_0
};
