//! The permitted contents of a policy, checked as the server checks them when the policy is set: a
//! table of keys, who may set them, and their permitted values.
//!
//! Source: `rabbitmqctl set_policy` and `set_operator_policy` of 3.10.8.

use crate::rabbitmq::protocol::age::Age;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};
use crate::rabbitmq::vhost::error::AdminError;

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
    Text,
    Age,
    OneOf(&'static [&'static str]),
    Version,
    /// Any value, for keys that have no effect here.
    Anything,
}

/// The keys: name, whether operators may set it, permitted values, and the server's name for it.
const KEYS: &[(&str, bool, Check, &str)] = &[
    ("alternate-exchange", false, Check::Text, "alternate exchange name"),
    ("dead-letter-exchange", false, Check::Text, "dead letter exchange name"),
    ("dead-letter-routing-key", false, Check::Text, "dead letter routing key"),
    (
        "dead-letter-strategy",
        false,
        Check::OneOf(&["at-most-once", "at-least-once"]),
        "dead letter strategy",
    ),
    ("delivery-limit", true, Check::NonNegative, "delivery limit"),
    ("expires", true, Check::Positive, "queue expiry"),
    ("ha-mode", false, Check::Anything, ""),
    ("ha-params", false, Check::Anything, ""),
    ("ha-promote-on-failure", false, Check::Anything, ""),
    ("ha-promote-on-shutdown", false, Check::Anything, ""),
    ("ha-sync-batch-size", false, Check::Anything, ""),
    ("ha-sync-mode", false, Check::Anything, ""),
    ("initial-cluster-size", false, Check::Anything, ""),
    ("max-age", false, Check::Age, "max age"),
    ("max-in-memory-bytes", true, Check::NonNegative, "maximum memory in bytes"),
    ("max-in-memory-length", true, Check::NonNegative, "maximum memory in bytes"),
    ("max-length", true, Check::NonNegative, "maximum length"),
    ("max-length-bytes", true, Check::NonNegative, "maximum length in bytes"),
    ("message-ttl", true, Check::NonNegative, "message TTL"),
    (
        "overflow",
        false,
        Check::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        "overflow value",
    ),
    (
        "queue-leader-locator",
        false,
        Check::OneOf(&["client-local", "balanced", "random", "least-leaders"]),
        "queue leader locator value",
    ),
    ("queue-master-locator", false, Check::Anything, ""),
    ("queue-mode", false, Check::OneOf(&["default", "lazy"]), "queue-mode value"),
    ("queue-version", false, Check::Version, "queue-version value"),
    ("stream-max-segment-size-bytes", false, Check::NonNegative, "segment size"),
];

/// Refuses a definition that the server would refuse.
pub(crate) fn check(definition: &FieldTable, whose: Whose) -> Result<(), AdminError> {
    if definition.is_empty() {
        return Err(AdminError::InvalidPolicy("no policy provided".to_owned()));
    }
    let row = |key: &str| {
        let found = KEYS.iter().find(|(name, ..)| *name == key);
        found.filter(|(_, operators_too, ..)| whose == Whose::User || *operators_too)
    };
    let sorted = definition.clone().sorted();
    let unknown: Vec<String> = sorted
        .iter()
        .filter(|(key, _)| row(key).is_none())
        .map(|(key, value)| format!("{{<<\"{key}\">>,{}}}", shown(value)))
        .collect();
    if !unknown.is_empty() {
        let text = format!("[{}] are not recognised policy settings", unknown.join(","));
        return Err(AdminError::InvalidPolicy(text));
    }
    for (key, value) in sorted.iter() {
        if let Some((_, _, check, what)) = row(key)
            && !check.admits(value)
        {
            let text = format!("{} is not a valid {what}", shown(value));
            return Err(AdminError::InvalidPolicy(text));
        }
    }
    Ok(())
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
            Check::Text => matches!(value, FieldValue::String(_)),
            Check::Age => {
                value.as_str().is_some_and(|text| matches!(Age::parse(text), Age::Valid(_)))
            }
            Check::OneOf(names) => value.as_str().is_some_and(|text| names.contains(&text)),
            Check::Version => matches!(value.as_integer(), Some(1 | 2)),
            Check::Anything => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &str, value: impl Into<FieldValue>, whose: Whose) -> String {
        match check(&FieldTable::new().with(key, value), whose) {
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
        let none = check(&FieldTable::new(), user).unwrap_err();
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
