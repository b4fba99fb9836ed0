//! Limits of users and vhosts as JSON: an object, or for a vhost a list of pairs, as `rabbitmqctl`
//! writes them. A negative number means no limit.

use crate::rabbitmq::vhost::VHostLimits;
use crate::rabbitmq::vhost::user::UserLimits;
use serde_json::{Map, Value};

/// Returns the limits of a user, changed by those that are given.
pub(crate) fn of_user(mut limits: UserLimits, given: &Value) -> Result<UserLimits, String> {
    for (name, limit) in pairs(given)? {
        match name {
            "max-connections" => limits.max_connections = limit,
            "max-channels" => limits.max_channels = limit,
            _ => return Err(format!("Unrecognised terms [{{<<\"{name}\">>,…}}] in user-limits")),
        }
    }
    Ok(limits)
}

/// Returns the limits of a vhost: those that are given, and no others.
pub(crate) fn of_vhost(given: &Value) -> Result<VHostLimits, String> {
    let mut limits = VHostLimits::default();
    for (name, limit) in pairs(given)? {
        match name {
            "max-connections" => limits.max_connections = limit,
            "max-queues" => limits.max_queues = limit,
            _ => return Err(format!("Unrecognised terms [{{<<\"{name}\">>,…}}] in limits")),
        }
    }
    Ok(limits)
}

fn pairs(given: &Value) -> Result<Vec<(&str, Option<u32>)>, String> {
    let limit = |value: &Value| match value.as_i64() {
        Some(n) => Ok(u32::try_from(n).ok()),
        None => Err(format!("a limit should be a number, actually was {value}")),
    };
    match given {
        Value::Null => Ok(Vec::new()),
        Value::Object(object) => {
            object.iter().map(|(name, value)| Ok((name.as_str(), limit(value)?))).collect()
        }
        Value::Array(pairs) => pairs
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([Value::String(name), value]) => Ok((name.as_str(), limit(value)?)),
                _ => Err(format!("{pair} is not a limit")),
            })
            .collect(),
        other => Err(format!("{other} is neither an object of limits nor a list of pairs")),
    }
}

/// Returns limits for a file, without those that are not set.
pub(crate) fn object(limits: [(&str, Option<u32>); 2]) -> Map<String, Value> {
    let set = limits.into_iter().filter_map(|(name, limit)| Some((name.to_owned(), limit?.into())));
    set.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn limits_are_read_in_both_forms() {
        let expected = VHostLimits { max_queues: Some(3), max_connections: None };
        assert_eq!(of_vhost(&json(r#"{"max-queues": 3, "max-connections": -1}"#)), Ok(expected));
        assert_eq!(of_vhost(&json(r#"[["max-queues", 3]]"#)), Ok(expected));
        assert_eq!(of_vhost(&json("[]")), Ok(VHostLimits::default()));
        for nonsense in [r#"{"max-sheep": 1}"#, r#"{"max-queues": "a"}"#, r#""a""#, "[1]"] {
            assert!(of_vhost(&json(nonsense)).is_err(), "{nonsense}");
        }
    }
}
