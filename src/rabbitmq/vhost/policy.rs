//! Policies: settings for all queues and exchanges whose names match a pattern.
//!
//! A policy applies to an object if it matches its name and suits its kind. A policy with a key
//! that a queue's type does not know does not suit that queue at all. Of the policies that apply,
//! only the one with the highest *priority* counts; of several with the same priority, here the
//! first by name (the server takes any). An *operator policy*, which is meant for limits, counts in
//! addition. If both and the object's arguments set a number, the smallest wins. For anything else
//! an argument takes precedence over a policy, and an operator's value over a user's.
//!
//! Source: <https://www.rabbitmq.com/docs/parameters#policies>.

pub(crate) mod definition;

pub(crate) use definition::Whose;

use super::pattern::Pattern;
use crate::rabbitmq::protocol::age::Age;
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::version::SettingRules;
use crate::rabbitmq::vhost::error::AdminError;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The objects that a policy applies to (`apply-to`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApplyTo {
    /// Queues and exchanges: `all`.
    #[default]
    All,
    /// Queues, including streams: `queues`.
    Queues,
    /// Exchanges: `exchanges`.
    Exchanges,
    /// Classic queues: `classic_queues`, since RabbitMQ 4.
    ClassicQueues,
    /// Quorum queues: `quorum_queues`, since RabbitMQ 4.
    QuorumQueues,
    /// Streams: `streams`, since RabbitMQ 4.
    Streams,
}

impl ApplyTo {
    const ALL: [ApplyTo; 6] = [
        ApplyTo::All,
        ApplyTo::Queues,
        ApplyTo::Exchanges,
        ApplyTo::ClassicQueues,
        ApplyTo::QuorumQueues,
        ApplyTo::Streams,
    ];

    /// Its name: `all`, `queues`, `exchanges`, and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ApplyTo::All => "all",
            ApplyTo::Queues => "queues",
            ApplyTo::Exchanges => "exchanges",
            ApplyTo::ClassicQueues => "classic_queues",
            ApplyTo::QuorumQueues => "quorum_queues",
            ApplyTo::Streams => "streams",
        }
    }

    /// Returns the value with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<ApplyTo> {
        ApplyTo::ALL.into_iter().find(|apply_to| apply_to.name() == name)
    }

    fn covers(self, object: Object) -> bool {
        match (self, object) {
            (ApplyTo::All, _)
            | (ApplyTo::Exchanges, Object::Exchange)
            | (ApplyTo::Queues, Object::Queue(_))
            | (ApplyTo::ClassicQueues, Object::Queue(QueueType::Classic))
            | (ApplyTo::QuorumQueues, Object::Queue(QueueType::Quorum))
            | (ApplyTo::Streams, Object::Queue(QueueType::Stream)) => true,
            (
                ApplyTo::Queues
                | ApplyTo::ClassicQueues
                | ApplyTo::QuorumQueues
                | ApplyTo::Streams
                | ApplyTo::Exchanges,
                Object::Exchange | Object::Queue(_),
            ) => false,
        }
    }

    /// Returns whether only RabbitMQ 4 and later know it.
    pub(crate) fn names_type_of_queue(self) -> bool {
        match self {
            ApplyTo::All | ApplyTo::Queues | ApplyTo::Exchanges => false,
            ApplyTo::ClassicQueues | ApplyTo::QuorumQueues | ApplyTo::Streams => true,
        }
    }
}

/// The kind of object for which a policy is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Exchange,
    Queue(QueueType),
}

impl Object {
    /// Returns whether a policy suits this kind. A policy with any key that a queue's type does not
    /// know does not.
    fn takes(self, policy: &Policy, rules: &SettingRules) -> bool {
        let suits = match self {
            Object::Exchange => true,
            Object::Queue(kind) => {
                let is_unknown = |key| match (kind, key) {
                    (QueueType::Classic, "queue-leader-locator") => {
                        !rules.classic_queues_have_leader_locators
                    }
                    (QueueType::Classic, "max-in-memory-length" | "max-in-memory-bytes") => {
                        !rules.classic_queues_know_memory_limits
                    }
                    _ => UNKNOWN.contains(&(kind, key)),
                };
                !policy.definition.iter().any(|(key, _)| is_unknown(key))
            }
        };
        suits && policy.apply_to.covers(self)
    }
}

/// The keys that a type of queue never knows. Other keys without effect do not matter.
const UNKNOWN: &[(QueueType, &str)] = &[
    (QueueType::Classic, "max-age"),
    (QueueType::Classic, "stream-max-segment-size-bytes"),
    (QueueType::Classic, "initial-cluster-size"),
    (QueueType::Classic, "delivery-limit"),
    (QueueType::Classic, "dead-letter-strategy"),
    (QueueType::Classic, "target-group-size"),
    (QueueType::Quorum, "max-priority"),
    (QueueType::Quorum, "queue-mode"),
    (QueueType::Quorum, "single-active-consumer"),
    (QueueType::Quorum, "ha-mode"),
    (QueueType::Quorum, "ha-params"),
    (QueueType::Quorum, "ha-sync-mode"),
    (QueueType::Quorum, "ha-promote-on-shutdown"),
    (QueueType::Quorum, "ha-promote-on-failure"),
    (QueueType::Quorum, "queue-master-locator"),
    (QueueType::Quorum, "max-age"),
    (QueueType::Quorum, "stream-max-segment-size-bytes"),
    (QueueType::Quorum, "initial-cluster-size"),
    (QueueType::Stream, "expires"),
    (QueueType::Stream, "message-ttl"),
    (QueueType::Stream, "dead-letter-exchange"),
    (QueueType::Stream, "dead-letter-routing-key"),
    (QueueType::Stream, "dead-letter-strategy"),
    (QueueType::Stream, "max-length"),
    (QueueType::Stream, "max-in-memory-length"),
    (QueueType::Stream, "max-in-memory-bytes"),
    (QueueType::Stream, "max-priority"),
    (QueueType::Stream, "overflow"),
    (QueueType::Stream, "queue-mode"),
    (QueueType::Stream, "single-active-consumer"),
    (QueueType::Stream, "delivery-limit"),
    (QueueType::Stream, "ha-mode"),
    (QueueType::Stream, "ha-params"),
    (QueueType::Stream, "ha-sync-mode"),
    (QueueType::Stream, "ha-promote-on-shutdown"),
    (QueueType::Stream, "ha-promote-on-failure"),
    (QueueType::Stream, "queue-master-locator"),
    (QueueType::Stream, "target-group-size"),
];

/// A policy, as `rabbitmqctl set_policy` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name, unique in its vhost.
    pub name: SmolStr,
    /// A regular expression, which may match anywhere in a name unless it is anchored.
    pub pattern: SmolStr,
    /// The objects that it applies to.
    pub apply_to: ApplyTo,
    /// Of several matching policies, the one with the highest priority counts.
    pub priority: i64,
    /// Keys such as `message-ttl`, `max-length`, `dead-letter-exchange`: the arguments of
    /// [`QueueOptions`](crate::rabbitmq::QueueOptions) without `x-`, and `alternate-exchange`.
    /// Operator policies set limits only.
    pub definition: FieldTable,
}

impl Policy {
    /// A policy of priority 0 for queues and exchanges.
    #[must_use]
    pub fn new(
        name: impl Into<SmolStr>,
        pattern: impl Into<SmolStr>,
        definition: FieldTable,
    ) -> Policy {
        let (name, pattern) = (name.into(), pattern.into());
        Policy { name, pattern, apply_to: ApplyTo::All, priority: 0, definition }
    }
}

/// The policies of a vhost, of users or of operators.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    by_name: IndexMap<SmolStr, (Policy, Pattern), FxBuildHasher>,
}

impl Policies {
    pub(crate) fn set(&mut self, policy: Policy, pattern: Pattern) {
        self.by_name.insert(policy.name.clone(), (policy, pattern));
    }

    pub(crate) fn clear(&mut self, name: &str) -> Result<(), AdminError> {
        let was = self.by_name.swap_remove(name);
        was.map(drop).ok_or_else(|| AdminError::NoSuchPolicy(name.into()))
    }

    /// Returns the policy of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Policy> {
        self.by_name.get(name).map(|(policy, _)| policy)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.by_name.values().map(|(policy, _)| policy)
    }

    /// Returns the policy that counts for an object of this kind and name.
    pub(crate) fn matching(
        &self,
        object: Object,
        name: &str,
        rules: &SettingRules,
    ) -> Option<&Policy> {
        let all = self.by_name.values();
        let matching = all.filter(|(p, pattern)| object.takes(p, rules) && pattern.matches(name));
        let best = matching.min_by_key(|(policy, _)| (Reverse(policy.priority), &policy.name));
        best.map(|(policy, _)| policy)
    }
}

/// Keys for which the smallest value wins.
const SMALLEST_WINS: &[&str] = &[
    "message-ttl",
    "expires",
    "max-length",
    "max-length-bytes",
    "max-in-memory-length",
    "max-in-memory-bytes",
    "delivery-limit",
    "max-age",
    "consumer-timeout",
];

/// Returns the effective value of a key, from an object's argument `x-key` and the policies that
/// match it.
pub(crate) fn effective<'a>(
    key: &str,
    argument: Option<&'a FieldValue>,
    policy: Option<&'a Policy>,
    operator: Option<&'a Policy>,
) -> Option<&'a FieldValue> {
    let policy = policy.and_then(|policy| policy.definition.get(key));
    let operator = operator.and_then(|policy| policy.definition.get(key));
    if SMALLEST_WINS.contains(&key) {
        let set = [argument, operator, policy].into_iter().flatten();
        let size = |value: &&FieldValue| match value.as_str().map(Age::parse) {
            Some(Age::Valid(age)) => i128::from(age.as_secs()),
            Some(Age::UnknownUnit | Age::Nonsense) | None => {
                value.as_integer().unwrap_or(i128::MAX)
            }
        };
        return set.min_by_key(size);
    }
    argument.or(operator).or(policy)
}

/// Returns everything that a policy and an operator policy set, sorted by key.
pub(crate) fn merged(policy: Option<&Policy>, operator: Option<&Policy>) -> FieldTable {
    let keys = [policy, operator].into_iter().flatten().flat_map(|p| p.definition.iter());
    let keys: BTreeSet<&str> = keys.map(|(key, _)| key).collect();
    let value = |key: &str| effective(key, None, policy, operator).cloned();
    keys.into_iter().filter_map(|key| Some((key, value(key)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::version::Version;

    const RULES: &SettingRules = &Version::V3_10.profile().settings;

    fn policy(name: &str, pattern: &str, priority: i64) -> (Policy, Pattern) {
        let compiled = Pattern::new(pattern).unwrap();
        (Policy { priority, ..Policy::new(name, pattern, FieldTable::new()) }, compiled)
    }

    #[test]
    fn the_highest_priority_counts_and_of_equals_the_first_by_name() {
        let mut policies = Policies::default();
        for (name, pattern, priority) in
            [("c", "^q", 1), ("b", ".*", 1), ("low", "q", 0), ("other", "^x", 9)]
        {
            let (policy, compiled) = policy(name, pattern, priority);
            policies.set(policy, compiled);
        }
        let name = |queue: &str| {
            policies
                .matching(Object::Queue(QueueType::Classic), queue, RULES)
                .map(|p| p.name.as_str())
        };
        assert_eq!((name("q1"), name("zq"), name("x")), (Some("b"), Some("b"), Some("other")));
    }

    #[test]
    fn a_policy_with_a_key_that_a_type_does_not_know_does_not_apply_to_it() {
        let mut policies = Policies::default();
        for (name, key, priority) in [("ttl", "message-ttl", 1), ("age", "max-age", 0)] {
            let definition = FieldTable::new().with(key, 1).with("max-length-bytes", 1);
            let policy = Policy { priority, ..Policy::new(name, "", definition) };
            policies.set(policy, Pattern::new("").unwrap());
        }
        let name =
            |kind| policies.matching(Object::Queue(kind), "q", RULES).map(|p| p.name.as_str());
        let types = [QueueType::Classic, QueueType::Quorum, QueueType::Stream];
        assert_eq!(types.map(name), [Some("ttl"), Some("ttl"), Some("age")]);
    }

    #[test]
    fn the_smallest_limit_wins_and_otherwise_the_argument() {
        let with =
            |key: &str, value: FieldValue| Policy::new("p", "", FieldTable::new().with(key, value));
        let (ten, five, seven) = (FieldValue::from(10), FieldValue::from(5), FieldValue::from(7));
        let (policy, operator) = (with("max-length", ten), with("max-length", five.clone()));
        assert_eq!(
            effective("max-length", Some(&seven), Some(&policy), Some(&operator)),
            Some(&five)
        );
        let (a, b) = (FieldValue::from("a"), FieldValue::from("b"));
        let policy = with("dead-letter-exchange", b);
        assert_eq!(effective("dead-letter-exchange", Some(&a), Some(&policy), None), Some(&a));
    }
}
