//! Exporting definitions: everything except exclusive queues and the objects that every vhost has.
//!
//! The management UI and `rabbitmqctl` write different files until 4.3. An export has what the UI's
//! has, and the vhosts of `rabbitmqctl`.

use super::format::{
    BindingDefinition, Definitions, DestinationType, ExchangeDefinition, GlobalParameterDefinition,
    Metadata, ParameterDefinition, PermissionDefinition, PolicyDefinition, PolicyRule,
    QueueDefinition, TopicPermissionDefinition, UserDefinition, VHostDefinition,
};
use super::{limits, value};
use crate::rabbitmq::admin::{
    AdminError, BindingRow, DestinationKind, ExchangeRow, QueueRow, VHostRow,
};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::exchange::LOG_EXCHANGE;
use crate::rabbitmq::protocol::names::NODE;
use crate::rabbitmq::version::VHostTypes;
use crate::rabbitmq::vhost::policy::Policy;
use crate::sort::sort_by;
use serde_json::Value;

impl Broker {
    /// Returns the definitions of the whole broker (`export_definitions`), sorted by name.
    /// Exclusive queues are left out. Internal exchanges are included, as in files of the
    /// management UI, but not since 4.3, which exports only their bindings. Passwords are exported
    /// as hashes.
    #[must_use]
    pub fn export_definitions(&self) -> Definitions {
        let form = self.profile().definitions.vhost_types;
        let (users, vhosts) = (self.defined_users(), self.defined_vhosts(form));
        let permissions = self.list_permissions().into_iter().map(|row| PermissionDefinition {
            user: row.user.into(),
            vhost: row.vhost.into(),
            configure: row.permissions.configure.into(),
            write: row.permissions.write.into(),
            read: row.permissions.read.into(),
        });
        let topics = self.list_topic_permissions().into_iter();
        let topics = topics.map(|row| TopicPermissionDefinition {
            user: row.user.into(),
            vhost: row.vhost.into(),
            exchange: row.exchange.into(),
            write: row.write.into(),
            read: row.read.into(),
        });
        let mut global_parameters: Vec<GlobalParameterDefinition> = self
            .global_parameters
            .iter()
            .map(|(name, value)| GlobalParameterDefinition {
                name: name.to_string(),
                value: value.clone(),
            })
            .collect();
        sort_by(&mut global_parameters, |a, b| a.name.cmp(&b.name));
        let cluster = self.global_parameters.get("cluster_name").and_then(Value::as_str);
        let cluster = cluster.unwrap_or(NODE);
        Definitions {
            users: Some(users),
            vhosts: Some(vhosts),
            permissions: Some(permissions.collect()),
            topic_permissions: Some(topics.collect()),
            global_parameters: Some(global_parameters),
            original_cluster_name: self.describe(|| cluster.to_owned()),
            rabbitmq_definition_format: self.describe(|| "cluster".to_owned()),
            explanation: self.describe(|| format!("Definitions of cluster '{cluster}'")),
            ..self.defined_objects(|_| true)
        }
    }

    /// Words for the head of a file, if the version writes them.
    fn describe(&self, words: impl FnOnce() -> String) -> Option<String> {
        self.profile().definitions.describe_themselves.then(words)
    }

    /// Returns the definitions of one vhost, as the management UI exports them: without users and
    /// permissions, so that they can be imported into another vhost.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn export_vhost_definitions(&self, vhost: &str) -> Result<Definitions, AdminError> {
        let key = self.vhost_key(vhost)?;
        let mut definitions = self.defined_objects(|name| name == vhost);
        definitions.exchanges.iter_mut().flatten().for_each(|exchange| exchange.vhost = None);
        definitions.queues.iter_mut().flatten().for_each(|queue| queue.vhost = None);
        definitions.bindings.iter_mut().flatten().for_each(|binding| binding.vhost = None);
        if self.profile().definitions.describe_themselves {
            definitions.policies.iter_mut().flatten().for_each(|policy| policy.vhost = None);
            definitions.parameters.iter_mut().flatten().for_each(|it| it.vhost = None);
            let all = self.defined_vhosts(VHostTypes::Always);
            let own = all.into_iter().find(|own| own.name == vhost);
            let own = own.unwrap_or_default();
            definitions.description = Some(self.vhost(key).description.to_string());
            if self.profile().definitions.vhost_types == VHostTypes::AlwaysBeside {
                let within = own.metadata.as_ref();
                definitions.default_queue_type =
                    within.and_then(|metadata| metadata.default_queue_type.clone());
            }
            definitions.metadata = own.metadata;
            definitions.limits = own.limits;
        }
        definitions.original_vhost_name = self.describe(|| vhost.to_owned());
        definitions.rabbitmq_definition_format = self.describe(|| "single_virtual_host".to_owned());
        definitions.explanation =
            self.describe(|| format!("Definitions of virtual host '{vhost}'"));
        Ok(definitions)
    }

    /// The objects in the vhosts that pass.
    fn defined_objects(&self, passes: impl Fn(&str) -> bool) -> Definitions {
        let version = self.version().number();
        let has_one_form = self.profile().definitions.have_one_form;
        let mut exchanges = self.list_exchanges();
        exchanges.retain(|row| {
            let is_own = !row.name.is_empty() && !row.name.starts_with("amq.");
            passes(&row.vhost)
                && match has_one_form {
                    true => is_own && !row.internal || row.name == LOG_EXCHANGE,
                    false => is_own,
                }
        });
        let queues = self.list_queues().into_iter().filter(|row| passes(&row.vhost));
        let (exclusive, queues): (Vec<QueueRow>, Vec<QueueRow>) =
            queues.partition(|row| row.owner.is_some());
        let is_of_exclusive = |row: &BindingRow| {
            row.destination_kind == DestinationKind::Queue
                && exclusive.iter().any(|q| q.vhost == row.vhost && q.name == row.destination)
        };
        let mut bindings = self.list_bindings();
        bindings.retain(|row| passes(&row.vhost) && !row.source.is_empty());
        bindings.retain(|row| has_one_form || !is_of_exclusive(row));
        let mut policies = self.list_policies();
        policies.retain(|row| passes(&row.vhost));
        let policies = policies.into_iter().map(|row| PolicyDefinition {
            vhost: Some(row.vhost.into()),
            name: row.policy.name.to_string(),
            rule: rule(&row.policy),
        });
        Definitions {
            rabbit_version: Some(version.to_owned()),
            rabbitmq_version: Some(version.to_owned()),
            product_name: Some("RabbitMQ".to_owned()),
            product_version: Some(version.to_owned()),
            parameters: Some(self.defined_parameters(passes)),
            policies: Some(policies.collect()),
            queues: Some(queues.into_iter().map(|row| queue(row, has_one_form)).collect()),
            exchanges: Some(exchanges.into_iter().map(|row| exchange(row, has_one_form)).collect()),
            bindings: Some(bindings.into_iter().map(binding).collect()),
            ..Definitions::default()
        }
    }

    /// Operator policies, followed by limits.
    fn defined_parameters(&self, passes: impl Fn(&str) -> bool) -> Vec<ParameterDefinition> {
        let mut policies = self.list_operator_policies();
        policies.retain(|row| passes(&row.vhost));
        let policies = policies.into_iter().map(|row| ParameterDefinition {
            vhost: Some(row.vhost.into()),
            component: "operator_policy".to_owned(),
            name: row.policy.name.to_string(),
            value: serde_json::to_value(rule(&row.policy))
                .expect("a policy contains only values that JSON has"),
        });
        let mut vhosts = self.list_vhosts();
        vhosts.retain(|row| passes(&row.name));
        let limits = vhosts.into_iter().filter_map(|row| {
            let limits = limits::object([
                ("max-connections", row.limits.max_connections),
                ("max-queues", row.limits.max_queues),
            ]);
            (!limits.is_empty()).then(|| ParameterDefinition {
                vhost: Some(row.name.into()),
                component: "vhost-limits".to_owned(),
                name: "limits".to_owned(),
                value: Value::Object(limits),
            })
        });
        policies.chain(limits).collect()
    }

    fn defined_users(&self) -> Vec<UserDefinition> {
        let user = |row: crate::rabbitmq::admin::UserRow| {
            let account = self.users.get(&row.name).expect("a row belongs to a user that exists");
            let (hash, algorithm) = account.password.hash(&row.name).written();
            let limits = [
                ("max-connections", row.limits.max_connections),
                ("max-channels", row.limits.max_channels),
            ];
            UserDefinition {
                name: row.name.into(),
                password_hash: Some(hash),
                hashing_algorithm: Some(algorithm),
                password: None,
                tags: row.tags.into_iter().map(Into::into).collect(),
                limits: Value::Object(limits::object(limits)),
            }
        };
        self.list_users().into_iter().map(user).collect()
    }

    fn defined_vhosts(&self, form: VHostTypes) -> Vec<VHostDefinition> {
        let vhost = |row: VHostRow| {
            let limits = limits::object([
                ("max-connections", row.limits.max_connections),
                ("max-queues", row.limits.max_queues),
            ]);
            let pair = |(name, limit)| Value::Array(vec![Value::String(name), limit]);
            let shown = row.default_queue_type.map(|kind| kind.name().to_owned());
            let key = self.vhost_key(&row.name).expect("a row belongs to a vhost that exists");
            let set = self.vhost(key).default_queue_type.map(|kind| kind.name().to_owned());
            let (beside, within) = match form {
                VHostTypes::WhenSet => (None, set),
                VHostTypes::AlwaysBeside => (shown, set),
                VHostTypes::Always => (None, shown),
            };
            VHostDefinition {
                name: row.name.into(),
                limits: match form {
                    VHostTypes::WhenSet | VHostTypes::AlwaysBeside => {
                        limits.into_iter().map(pair).collect()
                    }
                    VHostTypes::Always => Value::Object(limits),
                },
                metadata: Some(Metadata {
                    description: row.description.into(),
                    tags: row.tags.into_iter().map(Into::into).collect(),
                    default_queue_type: within,
                }),
                default_queue_type: beside,
                ..VHostDefinition::default()
            }
        };
        self.list_vhosts().into_iter().map(vhost).collect()
    }
}

fn rule(policy: &Policy) -> PolicyRule {
    PolicyRule {
        pattern: policy.pattern.to_string(),
        apply_to: policy.apply_to.name().to_owned(),
        definition: value::from_table(&policy.definition),
        priority: policy.priority,
    }
}

fn queue(row: QueueRow, with_type: bool) -> QueueDefinition {
    QueueDefinition {
        kind: with_type.then(|| row.queue_type.name().to_owned()),
        name: row.name.into(),
        vhost: Some(row.vhost.into()),
        durable: row.durable,
        auto_delete: row.auto_delete,
        arguments: value::from_table(&row.arguments),
    }
}

fn exchange(row: ExchangeRow, without_internal: bool) -> ExchangeDefinition {
    ExchangeDefinition {
        name: row.name.into(),
        vhost: Some(row.vhost.into()),
        kind: row.kind.to_owned(),
        durable: row.durable,
        auto_delete: row.auto_delete,
        internal: (!without_internal).then_some(row.internal),
        arguments: value::from_table(&row.arguments),
    }
}

fn binding(row: BindingRow) -> BindingDefinition {
    BindingDefinition {
        source: row.source.into(),
        vhost: Some(row.vhost.into()),
        destination: row.destination.into(),
        destination_type: match row.destination_kind {
            DestinationKind::Queue => DestinationType::Queue,
            DestinationKind::Exchange => DestinationType::Exchange,
        },
        routing_key: row.routing_key.into(),
        arguments: value::from_table(&row.arguments),
    }
}
