//! The versions of RabbitMQ that a broker can imitate, and how they differ.
//!
//! Each version is a [`Profile`], a value with everything in which versions differ. Code asks the
//! profile for a fact and never compares versions, so a new version is one more value.
//!
//! Source: each fact was observed on the real 3.10.8, 4.0.5 and 4.3.6.

use crate::rabbitmq::protocol::limits::{FRAME_MIN, MAX_MESSAGE_SIZE};

/// The version of RabbitMQ that a broker imitates, where versions differ in a way that users can
/// see.
///
/// | | 3.10 | 4.0 | 4.3 |
/// |---|---|---|---|
/// | a confirm of a persistent message in a classic queue follows | the sync to disk | the write: a power loss may lose the message | as 4.0 |
/// | delivery limit of a quorum queue that sets none | none | 20 | 20 |
/// | deliveries that count for the limit | all | all | those that end with `basic.reject` or with their channel; `basic.nack` and `basic.recover` never count |
/// | a requeued message of a quorum queue without a limit | goes to the end | goes to the end | goes to the front |
/// | priorities of a quorum queue | none | two classes, 2 : 1 | 32 levels, strict |
/// | `basic.qos` with `global` | a limit of the channel | a limit of the channel | a limit of each consumer |
/// | a consumer that holds a delivery too long | its channel is closed | its channel is closed | it is cancelled by a quorum queue; a classic queue has no time-out |
/// | an exchange that is not durable | goes with a restart | goes with a restart | survives a restart |
/// | headers of a message | as the client sent them | sorted by name, each name once | as 4.0 |
/// | a client's own `x-death` | is continued | is replaced by the first death | as 4.0 |
/// | a dead letter's history | `x-death`, `x-first-death-…` | also `x-last-death-…` | as 4.0 |
/// | a dead letter after `basic.reject` | is new | is new, but `redelivered` from one quorum queue to another | is `redelivered` |
/// | an unknown exchange type | closes the connection | closes the channel | closes the channel |
/// | largest message | 128 MiB | 16 MiB | 16 MiB |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// RabbitMQ 3.10: compared with the real 3.10.8.
    #[default]
    V3_10,
    /// RabbitMQ 4.0: compared with the real 4.0.5.
    V4_0,
    /// RabbitMQ 4.3: compared with the real 4.3.6.
    V4_3,
}

/// The name of a version that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion(String);

impl std::fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no version {:?}: try one of", self.0)?;
        for (at, version) in Version::ALL.iter().enumerate() {
            write!(f, "{} {version}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownVersion {}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a name such as `4.0`, and `4` as the newest of that number.
impl std::str::FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Version, UnknownVersion> {
        let newest = (name == "4").then_some(Version::V4);
        let named = Version::ALL.iter().find(|version| version.name() == name).copied();
        newest.or(named).ok_or_else(|| UnknownVersion(name.to_owned()))
    }
}

impl Version {
    /// All versions, the oldest first.
    pub const ALL: &'static [Version] = &[Version::V3_10, Version::V4_0, Version::V4_3];

    /// The newest RabbitMQ 4 that is modelled.
    pub const V4: Version = Version::V4_3;

    /// The version number that the broker reports: `3.10.8`, `4.0.5`, `4.3.6`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        self.profile().number
    }

    /// The name of the version: `3.10`, `4.0`, `4.3`. It can be parsed again.
    ///
    /// ```
    /// use stunt_double::rabbitmq::Version;
    ///
    /// assert_eq!("4.3".parse(), Ok(Version::V4_3));
    /// assert_eq!("4".parse(), Ok(Version::V4));
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Version::V3_10 => "3.10",
            Version::V4_0 => "4.0",
            Version::V4_3 => "4.3",
        }
    }

    /// Largest body that the broker takes by default, in bytes.
    #[must_use]
    pub const fn max_message_size(self) -> usize {
        self.profile().max_message_size
    }

    /// The changes that applications meet with an upgrade to this version from the one before it
    /// here, one sentence for each, the most surprising first.
    ///
    /// ```
    /// use stunt_double::rabbitmq::Version;
    ///
    /// assert!(Version::V3_10.changes().is_empty());
    /// let surprises = Version::V4_3.changes();
    /// assert!(surprises[0].starts_with("`basic.nack`"));
    /// ```
    #[must_use]
    pub const fn changes(self) -> &'static [&'static str] {
        self.profile().changes
    }

    /// The facts of this version.
    pub(crate) const fn profile(self) -> &'static Profile {
        match self {
            Version::V3_10 => &V3_10,
            Version::V4_0 => &V4_0,
            Version::V4_3 => &V4_3,
        }
    }
}

/// A feature that RabbitMQ deprecates, and that its configuration can permit or deny
/// (`deprecated_features.permit.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeprecatedFeature {
    /// Queues that are neither durable nor exclusive: `transient_nonexcl_queues`. Where they are
    /// denied, `queue.declare` closes the connection with `INTERNAL_ERROR`.
    TransientNonexclQueues,
    /// A prefetch limit that consumers of a channel share: `global_qos`. Where it is denied,
    /// `basic.qos` with `global` sets the limit of each later consumer, and tells nobody.
    GlobalQos,
    /// The argument `x-queue-master-locator`: `queue_master_locator`. Where it is denied,
    /// `queue.declare` closes the connection with `INTERNAL_ERROR`.
    QueueMasterLocator,
}

impl DeprecatedFeature {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DeprecatedFeature::TransientNonexclQueues => "transient_nonexcl_queues",
            DeprecatedFeature::GlobalQos => "global_qos",
            DeprecatedFeature::QueueMasterLocator => "queue_master_locator",
        }
    }
}

/// The facts of a version: everything in which versions differ.
///
/// Code asks the profile for the fact, never for the version.
#[derive(Debug)]
pub(crate) struct Profile {
    number: &'static str,
    /// See [`Version::changes`].
    changes: &'static [&'static str],
    max_message_size: usize,
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
    /// Whether the commit of a publish to a queue that was deleted meanwhile fails at once, with a
    /// reason.
    pub(crate) commits_fail_at_once: bool,
    /// Whether only quorum queues watch how long a delivery is unacknowledged. They cancel a
    /// consumer that holds one too long and take the message back; otherwise its channel is closed.
    pub(crate) times_out_in_quorum_queues_only: bool,
    /// Whether a passive declaration requires any permission for the object.
    pub(crate) checks_passive_declarations: bool,
    /// Whether an exchange that is not durable survives a restart, with its bindings.
    pub(crate) keeps_transient_exchanges: bool,
    /// Whether the configuration can deny deprecated features.
    pub(crate) can_deny_features: bool,
    /// The deprecated features that are denied unless the configuration permits them.
    pub(crate) denied_by_default: &'static [DeprecatedFeature],
    /// The facts of quorum queues.
    pub(crate) quorum: Quorum,
    /// The facts of arguments and policies.
    pub(crate) settings: SettingRules,
    /// Whether exchanges may have the type `x-local-random`.
    pub(crate) has_local_random: bool,
    /// Whether exchanges may have the type `x-modulus-hash` without a plugin.
    pub(crate) has_modulus_hash: bool,
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
    /// Whether a wrong queue type is compared with the type of a queue that was declared without
    /// one.
    pub(crate) name_default_type: bool,
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
    /// Whether consumers are known by their tags. Since RabbitMQ 4 they are known by their age,
    /// a waiting consumer of higher priority takes over from a single active one, and a cancelled
    /// consumer does not keep its place.
    pub(crate) knows_consumers_by_tag: bool,
    /// Whether messages that are dropped together become dead letters in the reverse order.
    pub(crate) buries_last_first: bool,
    /// The order in which messages of different priorities leave.
    pub(crate) priorities: Priorities,
}

/// The order in which messages of different priorities leave a quorum queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priorities {
    /// Priorities have no effect.
    None,
    /// Two messages of priority 5 and above, then one below, and so on.
    TwoClasses,
    /// The highest of 32 levels first. A message without a priority is on level 4.
    Strict,
}

/// The facts of arguments and policies.
#[derive(Debug)]
pub(crate) struct SettingRules {
    /// Whether mirrored queues exist, and the settings `ha-…`.
    pub(crate) has_mirroring: bool,
    /// Whether the tables of settings have the rows that came with RabbitMQ 4.0.
    pub(crate) has_those_of_4_0: bool,
    /// Whether the tables of settings have the rows that came with RabbitMQ 4.3.
    pub(crate) has_those_of_4_3: bool,
    /// Whether a queue may set how long its deliveries are unacknowledged.
    pub(crate) queues_have_timeouts: bool,
    /// Whether a consumer of a quorum queue may, too.
    pub(crate) consumers_have_timeouts: bool,
    /// Whether messages that return to a quorum queue may be delayed.
    pub(crate) has_delayed_retries: bool,
    /// Whether `x-queue-mode` takes any value.
    pub(crate) takes_any_mode: bool,
    /// Whether classic queues of version 1 exist.
    pub(crate) has_classic_v1: bool,
    /// Whether an age that cannot be read is refused; otherwise it ends the channel's process.
    pub(crate) refuses_unreadable_ages: bool,
}

/// The changes that an upgrade to 4.0 brings.
const TO_4_0: &[&str] = &[
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
    "The mechanism ANONYMOUS is offered and logs in as the default user.",
    "AMQP 1.0 is served on the same port: the answer to a wrong protocol header is its header.",
];

/// The changes that an upgrade to 4.3 brings.
const TO_4_3: &[&str] = &[
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
];

const V3_10: Profile = Profile {
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
        refuses_unreadable_ages: false,
    },
};

const V4_0: Profile = Profile {
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
        ..V3_10.settings
    },
    ..V3_10
};

const V4_3: Profile = Profile {
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
        refuses_unreadable_ages: true,
        ..V4_0.settings
    },
    ..V4_0
};
