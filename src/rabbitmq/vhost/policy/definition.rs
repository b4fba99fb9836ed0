//! The permitted contents of a policy, checked as the server checks them when the policy is set: a
//! table of keys, who may set them, and their permitted values.
//!
//! Source: `rabbitmqctl set_policy` and `set_operator_policy` of 3.10.8, 4.0.5 and 4.3.6.

use crate::rabbitmq::protocol::age::Age;
use crate::rabbitmq::protocol::limits::MAX_SEGMENT_BYTES;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::version::{MasterLocator, SettingRules};
use crate::rabbitmq::vhost::error::AdminError;

mod mirroring;

/// The role that sets a policy: operators may set limits only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    User,
    Operator,
}

/// The permitted values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    NonNegative,
    Positive,
    Integer,
    SegmentSize,
    FilterSize,
    Text,
    Age,
    OneOf(&'static [&'static str]),
    Version,
    /// By a check of its own.
    Elsewhere,
}

/// Whether a version knows a key.
type Known = fn(&SettingRules) -> bool;

const ALWAYS: Known = |_| true;
const MIRRORING: Known = |rules| rules.has_mirroring;
const RETRIES: Known = |rules| rules.has_delayed_retries;

/// A key: its name, whether a version knows it, whether operators may set it, permitted values, and
/// the server's name for it.
type Row = (&'static str, Known, Operators, Check, &'static str);

/// Whether operators may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operators {
    Never,
    /// If the version says so.
    Perhaps,
    Always,
}

const OVERFLOW: Check = Check::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]);

const STRATEGY: Check = Check::OneOf(&["at-most-once", "at-least-once"]);

const LOCATOR: Check = Check::OneOf(&["client-local", "balanced", "random", "least-leaders"]);

/// The refusal of a key that the configuration denies.
const DENIED_LOCATOR: &str = "use of deprecated queue-master-locator argument is not permitted";

const RETRY: Check = Check::OneOf(&["all", "failed", "returned", "disabled"]);

const KEYS: &[Row] = {
    use Operators as By;
    &[
        ("alternate-exchange", ALWAYS, By::Never, Check::Text, "alternate exchange name"),
        (
            "consumer-disconnected-timeout",
            |rules| rules.has_disconnected_timeouts,
            By::Never,
            Check::NonNegative,
            "consumer disconnected timeout",
        ),
        (
            "consumer-timeout",
            |rules| rules.queues_have_timeouts,
            By::Never,
            Check::NonNegative,
            "consumer timeout",
        ),
        ("dead-letter-exchange", ALWAYS, By::Never, Check::Text, "dead letter exchange name"),
        ("dead-letter-routing-key", ALWAYS, By::Never, Check::Text, "dead letter routing key"),
        ("dead-letter-strategy", ALWAYS, By::Never, STRATEGY, "dead letter strategy"),
        (
            "delayed-retry-max",
            RETRIES,
            By::Always,
            Check::Positive,
            "delayed retry maximum delay. Must be a positive integer",
        ),
        (
            "delayed-retry-min",
            RETRIES,
            By::Always,
            Check::Positive,
            "delayed retry minimum delay. Must be a positive integer",
        ),
        (
            "delayed-retry-type",
            RETRIES,
            By::Always,
            RETRY,
            "delayed retry type. Must be one of: all, failed, returned, disabled",
        ),
        (
            "delivery-limit",
            |rules| !rules.takes_negative_delivery_limits,
            By::Always,
            Check::NonNegative,
            "delivery limit",
        ),
        (
            "delivery-limit",
            |rules| rules.takes_negative_delivery_limits,
            By::Always,
            Check::Integer,
            "delivery limit",
        ),
        ("expires", ALWAYS, By::Always, Check::Positive, "queue expiry"),
        ("ha-mode", MIRRORING, By::Never, Check::Elsewhere, ""),
        ("ha-params", MIRRORING, By::Never, Check::Elsewhere, ""),
        ("ha-promote-on-failure", MIRRORING, By::Never, Check::Elsewhere, ""),
        ("ha-promote-on-shutdown", MIRRORING, By::Never, Check::Elsewhere, ""),
        ("ha-sync-batch-size", MIRRORING, By::Never, Check::Elsewhere, ""),
        ("ha-sync-mode", MIRRORING, By::Never, Check::Elsewhere, ""),
        ("initial-cluster-size", ALWAYS, By::Never, Check::NonNegative, "cluster size"),
        ("max-age", ALWAYS, By::Never, Check::Age, "max age"),
        ("max-in-memory-bytes", ALWAYS, By::Always, Check::NonNegative, "maximum memory in bytes"),
        ("max-in-memory-length", ALWAYS, By::Always, Check::NonNegative, "maximum memory in bytes"),
        ("max-length", ALWAYS, By::Always, Check::NonNegative, "maximum length"),
        ("max-length-bytes", ALWAYS, By::Always, Check::NonNegative, "maximum length in bytes"),
        ("message-ttl", ALWAYS, By::Always, Check::NonNegative, "message TTL"),
        ("overflow", ALWAYS, By::Perhaps, OVERFLOW, "overflow value"),
        ("queue-leader-locator", ALWAYS, By::Never, LOCATOR, "queue leader locator value"),
        ("queue-master-locator", ALWAYS, By::Perhaps, Check::Elsewhere, ""),
        ("queue-mode", ALWAYS, By::Never, Check::OneOf(&["default", "lazy"]), "queue-mode value"),
        ("queue-version", ALWAYS, By::Perhaps, Check::Version, "queue-version value"),
        (
            "stream-filter-size-bytes",
            |rules| rules.has_filter_sizes,
            By::Never,
            Check::FilterSize,
            "filter size. Valid range is 16-255",
        ),
        ("stream-max-segment-size-bytes", ALWAYS, By::Never, Check::SegmentSize, "segment size"),
        (
            "target-group-size",
            |rules| rules.has_target_group_sizes,
            By::Always,
            Check::Positive,
            "qq target count value",
        ),
    ]
};

/// Refuses a definition that the server would refuse. Keys that are not known are noticed last.
///
/// `permits_locators`: whether the configuration permits the key `queue-master-locator`.
pub(crate) fn check(
    definition: &FieldTable,
    whose: Whose,
    rules: &SettingRules,
    permits_locators: bool,
) -> Result<(), AdminError> {
    if definition.is_empty() {
        return Err(AdminError::InvalidPolicy("no policy provided".to_owned()));
    }
    let sorted = definition.clone().sorted();
    let locator = sorted.get("queue-master-locator");
    let locator = locator.filter(|_| row("queue-master-locator", whose, rules).is_some());
    let check_locator = || match locator {
        Some(_) if !permits_locators => Err(AdminError::InvalidPolicy(DENIED_LOCATOR.to_owned())),
        Some(locator) => check_locator(locator, &rules.master_locator),
        None => Ok(()),
    };
    if rules.master_locator.is_checked_first {
        check_locator()?;
    }
    for (key, value) in sorted.iter() {
        if let Some((.., check, what)) = row(key, whose, rules)
            && !check.admits(value)
        {
            let text = format!("{} is not a valid {what}", shown(value));
            return Err(AdminError::InvalidPolicy(text));
        }
    }
    if rules.has_delayed_retries {
        check_retry(definition)?;
    }
    check_locator()?;
    if rules.has_mirroring && whose == Whose::User {
        mirroring::check(definition).map_err(AdminError::InvalidPolicy)?;
    }
    let unknown: Vec<String> = sorted
        .iter()
        .filter(|(key, _)| row(key, whose, rules).is_none())
        .map(|(key, value)| format!("{{<<\"{key}\">>,{}}}", shown(value)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let text = format!("[{}] are not recognised policy settings", unknown.join(","));
    Err(AdminError::InvalidPolicy(text))
}

/// Returns the row of a key that exists, and that may be set.
fn row(key: &str, whose: Whose, rules: &SettingRules) -> Option<&'static Row> {
    let found = KEYS.iter().find(|(name, known, ..)| *name == key && known(rules));
    found.filter(|(_, _, operators, ..)| match (whose, operators) {
        (Whose::User, _) | (Whose::Operator, Operators::Always) => true,
        (Whose::Operator, Operators::Perhaps) => rules.operators_set_more,
        (Whose::Operator, Operators::Never) => false,
    })
}

fn check_locator(value: &FieldValue, locator: &MasterLocator) -> Result<(), AdminError> {
    if value.as_str().is_some_and(|name| locator.names.contains(&name)) {
        return Ok(());
    }
    Err(AdminError::InvalidPolicy(format!("{} {}", shown(value), locator.refusal)))
}

/// Refuses a delayed retry whose delays do not fit together.
fn check_retry(definition: &FieldTable) -> Result<(), AdminError> {
    let kind = definition.get("delayed-retry-type").and_then(FieldValue::as_str);
    let delay = |key: &str| definition.get(key).and_then(FieldValue::as_integer);
    let text = match (kind, delay("delayed-retry-min"), delay("delayed-retry-max")) {
        (Some(kind), None, _) if kind != "disabled" => {
            format!("delayed-retry-min is required when delayed-retry-type is {kind}")
        }
        (_, Some(min), Some(max)) if max < min => {
            format!("delayed-retry-max ({max}) must not be smaller than delayed-retry-min ({min})")
        }
        _ => return Ok(()),
    };
    Err(AdminError::InvalidPolicy(text))
}

/// Returns a value as Erlang prints it.
fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::String(_) => format!("<<\"{value}\">>"),
        _ => value.to_string(),
    }
}

impl Check {
    fn admits(self, value: &FieldValue) -> bool {
        match self {
            Check::NonNegative => value.as_integer().is_some_and(|n| n >= 0),
            Check::Positive => value.as_integer().is_some_and(|n| n > 0),
            Check::Integer => value.as_integer().is_some(),
            Check::SegmentSize => {
                value.as_integer().is_some_and(|n| (0..=MAX_SEGMENT_BYTES).contains(&n))
            }
            Check::FilterSize => value.as_integer().is_some_and(|n| (16..=255).contains(&n)),
            Check::Text => matches!(value, FieldValue::String(_)),
            Check::Age => {
                value.as_str().is_some_and(|text| matches!(Age::parse(text), Age::Valid(_)))
            }
            Check::OneOf(names) => value.as_str().is_some_and(|text| names.contains(&text)),
            Check::Version => matches!(value.as_integer(), Some(1 | 2)),
            Check::Elsewhere => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::version::Version;

    fn said(key: &str, value: impl Into<FieldValue>, whose: Whose) -> String {
        let rules = &Version::V3_10.profile().settings;
        match check(&FieldTable::new().with(key, value), whose, rules, true) {
            Ok(()) => "ok".to_owned(),
            Err(AdminError::InvalidPolicy(text)) => text,
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn definitions_are_checked_in_the_servers_words() {
        let user = Whose::User;
        assert_eq!(said("max-length", 5, user), "ok");
        assert_eq!(said("max-length", "a", user), "<<\"a\">> is not a valid maximum length");
        assert_eq!(said("message-ttl", -5, user), "-5 is not a valid message TTL");
        assert_eq!(said("expires", 0, user), "0 is not a valid queue expiry");
        assert_eq!(said("overflow", "foo", user), "<<\"foo\">> is not a valid overflow value");
        assert_eq!(said("max-age", "7x", user), "<<\"7x\">> is not a valid max age");
        assert_eq!(said("foo", 1, user), "[{<<\"foo\">>,1}] are not recognised policy settings");
        let rules = &Version::V3_10.profile().settings;
        let none = check(&FieldTable::new(), user, rules, true).unwrap_err();
        assert_eq!(none, AdminError::InvalidPolicy("no policy provided".to_owned()));
    }

    #[test]
    fn an_operator_sets_limits_only() {
        assert_eq!(said("max-length", 5, Whose::Operator), "ok");
        assert_eq!(
            said("overflow", "drop-head", Whose::Operator),
            "[{<<\"overflow\">>,<<\"drop-head\">>}] are not recognised policy settings"
        );
    }
}
