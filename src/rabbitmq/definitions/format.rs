//! The format of a definitions file: [`Definitions`] and its parts, as serde reads and writes them.
//!
//! Source: <https://www.rabbitmq.com/docs/definitions>; files of RabbitMQ 3.10.8.

use super::object::{objects, optional_object, read_object};
use crate::rabbitmq::admin::AdminError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// The contents of a definitions file.
///
/// ```
/// use stunt_double::rabbitmq::BrokerOptions;
/// use stunt_double::rabbitmq::broker::Broker;
/// use stunt_double::rabbitmq::definitions::Definitions;
/// # use stunt_double::{Instant, Site, Stream};
/// # let mut broker = Broker::new(BrokerOptions::default(), Stream::calm(Site::new("names"), 0));
/// let definitions = Definitions::from_json(
///     r#"{
///         "queues": [{"name": "orders", "durable": true, "auto_delete": false}],
///         "bindings": [{
///             "source": "amq.topic", "destination": "orders", "destination_type": "queue",
///             "routing_key": "order.*"
///         }]
///     }"#,
/// )?;
/// broker.import_vhost_definitions(Instant::ZERO, "/", &definitions)?;
/// assert_eq!(broker.list_queues()[0].name, "orders");
///
/// let whole = broker.export_definitions();
/// assert_eq!(Definitions::from_json(&whole.to_json())?, whole);
/// # Ok::<(), stunt_double::rabbitmq::definitions::DefinitionsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Definitions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rabbit_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rabbitmq_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) product_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) product_version: Option<String>,
    /// `cluster` or `single_virtual_host`; and the name of either, which no import reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rabbitmq_definition_format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) original_cluster_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) original_vhost_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) explanation: Option<String>,
    /// The settings of the vhost, in the file of a single vhost. No import reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub(crate) metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_queue_type: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) limits: Value,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) users: Option<Vec<UserDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) vhosts: Option<Vec<VHostDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) permissions: Option<Vec<PermissionDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) topic_permissions: Option<Vec<TopicPermissionDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) parameters: Option<Vec<ParameterDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) global_parameters: Option<Vec<GlobalParameterDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) policies: Option<Vec<PolicyDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) queues: Option<Vec<QueueDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) exchanges: Option<Vec<ExchangeDefinition>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "objects")]
    pub(crate) bindings: Option<Vec<BindingDefinition>>,
}

impl Serialize for Definitions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Definitions::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Definitions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Definitions, D::Error> {
        struct Keys(Definitions);

        impl<'de> Deserialize<'de> for Keys {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
                Definitions::deserialize(from).map(Keys)
            }
        }

        read_object(from).map(|Keys(definitions)| definitions)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserDefinition {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hashing_algorithm: Option<String>,
    /// The password in plain text, in files written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(default, deserialize_with = "tags")]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) limits: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct VHostDefinition {
    pub(crate) name: String,
    /// Written only. An import reads the parameter `vhost-limits` instead.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) limits: Value,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_object"
    )]
    pub(crate) metadata: Option<Metadata>,
    /// Description and tags of a vhost without metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "tags")]
    pub(crate) tags: Vec<String>,
    /// Written only. An import reads that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_queue_type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, deserialize_with = "tags")]
    pub(crate) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_queue_type: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PermissionDefinition {
    pub(crate) user: String,
    pub(crate) vhost: String,
    pub(crate) configure: String,
    pub(crate) write: String,
    pub(crate) read: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TopicPermissionDefinition {
    pub(crate) user: String,
    pub(crate) vhost: String,
    pub(crate) exchange: String,
    pub(crate) write: String,
    pub(crate) read: String,
}

/// A runtime parameter: limits of a vhost, or an operator policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParameterDefinition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vhost: Option<String>,
    pub(crate) component: String,
    pub(crate) name: String,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GlobalParameterDefinition {
    pub(crate) name: String,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PolicyDefinition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vhost: Option<String>,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) rule: PolicyRule,
}

/// The rule of a policy; also the value of the parameter that holds an operator policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PolicyRule {
    pub(crate) pattern: String,
    #[serde(rename = "apply-to", default = "all")]
    pub(crate) apply_to: String,
    pub(crate) definition: Map<String, Value>,
    #[serde(default)]
    pub(crate) priority: i64,
}

fn all() -> String {
    "all".to_owned()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueueDefinition {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vhost: Option<String>,
    /// Written only. An import reads the argument `x-queue-type`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExchangeDefinition {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vhost: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) internal: Option<bool>,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BindingDefinition {
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vhost: Option<String>,
    pub(crate) destination: String,
    pub(crate) destination_type: DestinationType,
    pub(crate) routing_key: String,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DestinationType {
    Queue,
    Exchange,
}

/// Tags: a list, or in older files a text with commas.
fn tags<'de, D: Deserializer<'de>>(tags: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Tags {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Tags::deserialize(tags)? {
        Tags::List(tags) => tags,
        Tags::Text(text) => {
            text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(String::from).collect()
        }
    })
}

/// Why definitions cannot be read or imported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefinitionsError {
    /// They are not JSON, or an object lacks a required key.
    Syntax(String),
    /// An object does not name its vhost, and none was given: the file is that of a single vhost.
    VHostNotGiven(String),
    /// A vhost would have more queues than its limit allows.
    QueueLimit {
        /// The vhost.
        vhost: String,
        /// Its limit.
        limit: u32,
        /// Number of queues that it has.
        existing: usize,
        /// Number of queues that the definitions would add.
        adding: usize,
    },
    /// An object cannot exist as it is defined, or exists and differs.
    Refused {
        /// The object.
        object: String,
        /// The reason.
        why: String,
    },
    /// An object refers to something that does not exist, or has an invalid pattern.
    Admin {
        /// The object.
        object: String,
        /// The reason.
        why: AdminError,
    },
}

impl fmt::Display for DefinitionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DefinitionsError::Syntax(value) => {
                write!(f, "Failed to deserialise input (format: JSON): {value}")
            }
            DefinitionsError::VHostNotGiven(value) => write!(
                f,
                "{value}: Virtual host does not exist and is not specified in definitions file."
            ),
            DefinitionsError::QueueLimit { vhost, limit, existing, adding } => write!(
                f,
                "Adding {adding} queue(s) to virtual host \"{vhost}\" would exceed the limit of {limit} \
         queue(s).\n\nThis virtual host currently has {existing} queue(s) defined.\n\nImport \
         aborted!"
            ),
            DefinitionsError::Refused { object, why } => write!(f, "{object}: {why}"),
            DefinitionsError::Admin { object, why } => write!(f, "{object}: {why}"),
        }
    }
}

impl std::error::Error for DefinitionsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DefinitionsError::Admin { why, .. } => Some(why),
            DefinitionsError::Syntax(_)
            | DefinitionsError::VHostNotGiven(_)
            | DefinitionsError::QueueLimit { .. }
            | DefinitionsError::Refused { .. } => None,
        }
    }
}

impl Definitions {
    /// Reads a definitions file.
    ///
    /// # Errors
    ///
    /// [`DefinitionsError::Syntax`].
    pub fn from_json(text: &str) -> Result<Definitions, DefinitionsError> {
        serde_json::from_str(text).map_err(|why| DefinitionsError::Syntax(why.to_string()))
    }

    /// Returns the definitions file, indented.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("definitions contain only values that JSON has")
    }
}

impl FromStr for Definitions {
    type Err = DefinitionsError;

    fn from_str(text: &str) -> Result<Definitions, DefinitionsError> {
        Definitions::from_json(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_ignored_and_tags_may_be_a_text() {
        let text = r#"{"product_name": "RabbitMQ", "users": [
            {"name": "a", "tags": "administrator, policymaker", "colour": 1}, {"name": "b"}
        ]}"#;
        let users = Definitions::from_json(text).unwrap().users.unwrap();
        assert_eq!(users[0].tags, ["administrator", "policymaker"]);
        assert_eq!(users[1].tags, [""; 0]);
    }

    #[test]
    fn a_list_is_no_object() {
        let lists = [
            "users",
            "vhosts",
            "permissions",
            "topic_permissions",
            "parameters",
            "global_parameters",
            "policies",
            "queues",
            "exchanges",
            "bindings",
        ];
        let mut texts: Vec<String> = ["[]", r#"["9.9.9"]"#, r#"{"metadata": ["d"]}"#]
            .map(String::from)
            .into_iter()
            .chain(lists.map(|list| format!(r#"{{"{list}": [["a", "b", "c", "d", "e"]]}}"#)))
            .collect();
        texts.push(r#"{"vhosts": [{"name": "v", "metadata": ["d"]}]}"#.to_owned());
        for text in texts {
            let error = Definitions::from_json(&text).unwrap_err().to_string();
            assert!(
                error.contains("invalid type: sequence, expected an object"),
                "{text}: {error}"
            );
        }
        let empty = lists.map(|list| format!(r#""{list}": []"#)).join(", ");
        assert!(Definitions::from_json(&format!("{{{empty}}}")).is_ok());
        assert!(Definitions::from_json(r#"{"users": null, "metadata": null}"#).is_ok());
    }

    #[test]
    fn a_missing_key_is_named_in_the_error() {
        let text = r#"{"queues": [{"name": "q", "auto_delete": false}]}"#;
        let error = Definitions::from_json(text).unwrap_err().to_string();
        assert!(error.contains("missing field `durable` at line 1"), "{error}");
    }
}
