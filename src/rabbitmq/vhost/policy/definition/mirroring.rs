//! The keys `ha-…` of a policy, which exist before RabbitMQ 4. On one node there are no mirrors, so
//! a valid value has no effect.
//!
//! Source: `rabbitmqctl set_policy` of 3.10.8.

use super::shown;
use crate::rabbitmq::protocol::table::{FieldTable, FieldValue};

/// The keys that mean nothing without `ha-mode`, in the order in which they are checked.
const OTHERS: [&str; 5] = [
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
];

/// Refuses values that the server would refuse, in its words.
pub(super) fn check(definition: &FieldTable) -> Result<(), String> {
    let Some(mode) = definition.get("ha-mode") else {
        if OTHERS.iter().all(|key| definition.get(key).is_none()) {
            return Ok(());
        }
        return Err("ha-mode must be specified to specify ha-params, ha-sync-mode or \
                    ha-promote-on-shutdown"
            .to_owned());
    };
    check_mode(mode, definition.get("ha-params"))?;
    check_choice(definition, "ha-sync-mode", ["manual", "automatic"])?;
    if let Some(size) = definition.get("ha-sync-batch-size")
        && size.as_integer().is_none_or(|size| size <= 0)
    {
        let given = shown(size);
        return Err(format!("ha-sync-batch-size takes an integer greater than 0, {given} given"));
    }
    check_choice(definition, "ha-promote-on-shutdown", ["always", "when-synced"])?;
    check_choice(definition, "ha-promote-on-failure", ["always", "when-synced"])
}

fn check_mode(mode: &FieldValue, params: Option<&FieldValue>) -> Result<(), String> {
    let given = || params.map_or_else(|| "none".to_owned(), shown);
    match (mode.as_str(), params) {
        (Some("all"), None) => Ok(()),
        (Some("all"), Some(_)) => Err("ha-mode=\"all\" does not take parameters".to_owned()),
        (Some("exactly"), _) => match params.and_then(FieldValue::as_integer) {
            Some(count) if count > 0 => Ok(()),
            _ => Err(format!("ha-mode=\"exactly\" takes an integer, {} given", given())),
        },
        (Some("nodes"), Some(FieldValue::Array(nodes))) => {
            if nodes.is_empty() {
                return Err("ha-mode=\"nodes\" list must be non-empty".to_owned());
            }
            let wrong = nodes.iter().filter(|node| node.as_str().is_none());
            let wrong: Vec<String> = wrong.map(shown).collect();
            if wrong.is_empty() {
                return Ok(());
            }
            let wrong = wrong.join(",");
            Err(format!("ha-mode=\"nodes\" takes a list of strings, [{wrong}] was not a string"))
        }
        (Some("nodes"), _) => Err(format!("ha-mode=\"nodes\" takes a list, {} given", given())),
        _ => Err(format!("{} is not a valid ha-mode value", shown(mode))),
    }
}

fn check_choice(definition: &FieldTable, key: &str, choice: [&str; 2]) -> Result<(), String> {
    let [first, second] = choice;
    match definition.get(key) {
        Some(value) if !value.as_str().is_some_and(|text| choice.contains(&text)) => {
            Err(format!("{key} must be \"{first}\" or \"{second}\", got {}", shown(value)))
        }
        _ => Ok(()),
    }
}
