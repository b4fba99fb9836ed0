//! Importing definitions.
//!
//! An import adds and never deletes. Existing users, policies, permissions, limits and global
//! parameters are set to what the file says. An existing exchange, queue or binding that differs
//! from the file is an error, which names it. (The real server silently keeps the old one.) So is
//! a queue that its type or the configuration does not allow. (The real server silently skips it.)
//! Names that begin with `amq.` and the default exchange are ignored, as in the server, and before
//! 4.0 bindings whose ends do not exist. Everything that was imported before an error stays.
//!
//! Source: the server's behaviour on `rabbitmqctl import_definitions`.

use super::format::{
    BindingDefinition, Definitions, DefinitionsError, DestinationType, ExchangeDefinition,
    Metadata, ParameterDefinition, PolicyDefinition, PolicyRule, QueueDefinition, UserDefinition,
    VHostDefinition,
};
use super::object::read_object;
use super::{limits, value};
use crate::Instant;
use crate::rabbitmq::admin::AdminError;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::broker::queue::{
    check_master_locator, check_properties_of_type, check_transient,
};
use crate::rabbitmq::exchange::{Binding, Destination, Kind};
use crate::rabbitmq::key::VHostKey;
use crate::rabbitmq::protocol::error::{Fault, exchange_in_vhost, queue_in_vhost};
use crate::rabbitmq::protocol::id::ConnectionId;
use crate::rabbitmq::protocol::method::{ExchangeOptions, QueueOptions};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::FieldTable;
use crate::rabbitmq::queue::settings::check_arguments;
use crate::rabbitmq::version::ExistingVHosts;
use crate::rabbitmq::vhost::password::PasswordHash;
use crate::rabbitmq::vhost::policy::{ApplyTo, Policy};
use crate::rabbitmq::vhost::user::{Password, Permissions, User};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde_json::{Map, Value};
use smol_str::SmolStr;

type Imported = Result<(), DefinitionsError>;

/// The owner of queues without an owner.
const NOBODY: ConnectionId = ConnectionId(u64::MAX);

impl Broker {
    /// Imports the definitions of a whole server (`import_definitions`). The import adds and never
    /// deletes. Global parameters are kept for the next export.
    ///
    /// Passwords are checked against the hashes, SHA-256 or SHA-512.
    ///
    /// # Errors
    ///
    /// [`DefinitionsError`] names the first object that cannot exist as defined. An existing
    /// exchange or queue that differs is an error; the real server silently keeps the old one. A
    /// queue that the configuration denies is an error, such as a
    /// [transient](crate::rabbitmq::DeprecatedFeature::TransientNonexclQueues) one or one with a
    /// [master locator](crate::rabbitmq::DeprecatedFeature::QueueMasterLocator); the real server
    /// silently skips it, and fails at its first binding. Everything before the error stays
    /// imported.
    pub fn import_definitions(&mut self, now: Instant, definitions: &Definitions) -> Imported {
        definitions.users.iter().flatten().try_for_each(|user| self.import_user(user))?;
        definitions.vhosts.iter().flatten().try_for_each(|vhost| self.import_vhost(vhost))?;
        self.check_queue_limits(None, definitions)?;
        for permission in definitions.permissions.iter().flatten() {
            let (vhost, user) = (&permission.vhost, &permission.user);
            let patterns = [&permission.configure, &permission.write, &permission.read];
            let [configure, write, read] = patterns.map(String::as_str);
            self.set_permissions(vhost, user, Permissions::new(configure, write, read))
                .map_err(admin(|| format!("permissions of user '{user}' in vhost '{vhost}'")))?;
        }
        let need_exchanges = self.profile().ties_topic_permissions;
        if !need_exchanges {
            self.import_topic_permissions(definitions)?;
        }
        for parameter in definitions.global_parameters.iter().flatten() {
            let name = SmolStr::from(parameter.name.as_str());
            self.global_parameters.insert(name, parameter.value.clone());
        }
        self.import_objects(now, None, definitions)?;
        if need_exchanges {
            self.import_topic_permissions(definitions)?;
        }
        Ok(())
    }

    fn import_topic_permissions(&mut self, definitions: &Definitions) -> Imported {
        for permission in definitions.topic_permissions.iter().flatten() {
            let (vhost, user) = (&permission.vhost, &permission.user);
            let (exchange, write, read) =
                (&permission.exchange, &permission.write, &permission.read);
            self.set_topic_permissions(vhost, user, exchange, write, read).map_err(admin(
                || format!("topic permissions of user '{user}' in vhost '{vhost}'"),
            ))?;
        }
        Ok(())
    }

    /// Imports the definitions of a single vhost into this one, which must exist. Vhosts and users
    /// in the file are ignored.
    ///
    /// # Errors
    ///
    /// As for [`Broker::import_definitions`], and [`DefinitionsError::Admin`] if there is no such
    /// vhost.
    pub fn import_vhost_definitions(
        &mut self,
        now: Instant,
        vhost: &str,
        definitions: &Definitions,
    ) -> Imported {
        self.vhost_key(vhost).map_err(admin(|| "definitions".to_owned()))?;
        self.check_queue_limits(Some(vhost), definitions)?;
        self.import_objects(now, Some(vhost), definitions)
    }

    /// Imports the objects of vhosts: into the given one, or else into those that the objects name.
    fn import_objects(
        &mut self,
        now: Instant,
        within: Option<&str>,
        definitions: &Definitions,
    ) -> Imported {
        let Definitions { exchanges, policies, parameters, queues, bindings, .. } = definitions;
        for exchange in exchanges.iter().flatten() {
            self.import_exchange(Place::of(within, exchange.vhost.as_deref()), exchange)?;
        }
        for policy in policies.iter().flatten() {
            let place = Place::of(within, policy.vhost.as_deref());
            self.import_policy(now, place, policy)?;
        }
        for parameter in parameters.iter().flatten() {
            let place = Place::of(within, parameter.vhost.as_deref());
            self.import_parameter(now, place, parameter)?;
        }
        for queue in queues.iter().flatten() {
            self.import_queue(now, Place::of(within, queue.vhost.as_deref()), queue)?;
        }
        for binding in bindings.iter().flatten() {
            self.import_binding(Place::of(within, binding.vhost.as_deref()), binding)?;
        }
        Ok(())
    }

    fn import_user(&mut self, user: &UserDefinition) -> Imported {
        let object = || format!("user '{}'", user.name);
        let password = match (&user.password, &user.password_hash) {
            (Some(password), _) => Password::Plain(password.as_str().into()),
            (None, Some(hash)) => {
                let hash = PasswordHash::parse(hash, user.hashing_algorithm.as_deref());
                Password::Hashed(hash.map_err(refused(object))?)
            }
            (None, None) => Password::Hashed(PasswordHash::none()),
        };
        let known = self.users.get(user.name.as_str());
        let known = known.map(|known| known.limits).unwrap_or_default();
        let limits = limits::of_user(known, &user.limits).map_err(refused(object))?;
        let name = SmolStr::from(user.name.as_str());
        let entry = self.users.entry(name).or_insert_with(|| User::new(SmolStr::default()));
        entry.password = password;
        entry.tags = user.tags.iter().map(SmolStr::from).collect();
        entry.limits = limits;
        Ok(())
    }

    /// Creates a vhost, and sets its default queue type to that of a file.
    fn import_default_type(&mut self, vhost: &str, name: Option<&str>) -> Imported {
        let object = || format!("vhost '{vhost}'");
        let given = match name {
            None | Some("undefined") => None,
            Some(name) => {
                let unknown = || refused(object)(format!("{name} is not a valid queue type"));
                Some(QueueType::from_name(name).ok_or_else(unknown)?)
            }
        };
        let set = match self.vhost_key(vhost) {
            Err(_) => given,
            Ok(key) => {
                let existing = self.vhost(key).default_queue_type;
                match self.profile().definitions.existing_vhosts {
                    ExistingVHosts::Keep => existing,
                    ExistingVHosts::Take => given.or(existing),
                    ExistingVHosts::Reset => given,
                }
            }
        };
        self.add_vhost(vhost);
        self.set_default_queue_type(vhost, set).map_err(admin(object))
    }

    fn import_vhost(&mut self, vhost: &VHostDefinition) -> Imported {
        let metadata = vhost.metadata.clone().unwrap_or_else(|| Metadata {
            description: vhost.description.clone().unwrap_or_default(),
            tags: vhost.tags.clone(),
            default_queue_type: None,
        });
        self.import_default_type(&vhost.name, metadata.default_queue_type.as_deref())?;
        // A file without a description removes the old one.
        let tags: Vec<&str> = metadata.tags.iter().map(String::as_str).collect();
        self.describe_vhost(&vhost.name, &metadata.description, &tags)
            .expect("the vhost was checked or created above");
        Ok(())
    }

    /// Refuses more new queues than a vhost may have. The limit is checked only here, so a limit
    /// from the same file does not count yet.
    fn check_queue_limits(&self, within: Option<&str>, definitions: &Definitions) -> Imported {
        let mut adding: IndexMap<&str, usize, FxBuildHasher> = IndexMap::default();
        for queue in definitions.queues.iter().flatten() {
            let Some(vhost) = within.or(queue.vhost.as_deref()) else { continue };
            let Ok(key) = self.vhost_key(vhost) else { continue };
            let is_new = !self.vhost(key).queues.contains_key(queue.name.as_str());
            *adding.entry(vhost).or_default() += usize::from(is_new);
        }
        for (name, adding) in adding {
            let Ok(key) = self.vhost_key(name) else { continue };
            let vhost = self.vhost(key);
            let existing = vhost.queues.len();
            if let Some(limit) = vhost.limits.max_queues
                && adding > 0
                && existing + adding > limit as usize
            {
                let vhost = name.to_owned();
                return Err(DefinitionsError::QueueLimit { vhost, limit, existing, adding });
            }
        }
        Ok(())
    }

    fn import_policy(
        &mut self,
        now: Instant,
        place: Place<'_>,
        policy: &PolicyDefinition,
    ) -> Imported {
        let object = |vhost: &str| format!("policy '{}' in vhost '{vhost}'", policy.name);
        let vhost = place.vhost(object)?;
        let object = || object(vhost);
        let policy = policy_of(&policy.name, &policy.rule).map_err(refused(object))?;
        self.set_policy(now, vhost, policy).map_err(admin(object))
    }

    fn import_parameter(
        &mut self,
        now: Instant,
        place: Place<'_>,
        parameter: &ParameterDefinition,
    ) -> Imported {
        let ParameterDefinition { component, name, value, .. } = parameter;
        let object = |vhost: &str| format!("parameter '{component}/{name}' in vhost '{vhost}'");
        let vhost = place.vhost(object)?;
        let object = || object(vhost);
        match component.as_str() {
            "vhost-limits" => {
                let limits = limits::of_vhost(value).map_err(refused(object))?;
                self.set_vhost_limits(vhost, limits).map_err(admin(object))
            }
            "operator_policy" => {
                let rule: Result<PolicyRule, _> = read_object(value.clone());
                let rule = rule.map_err(|why| why.to_string()).map_err(refused(object))?;
                let policy = policy_of(name, &rule).map_err(refused(object))?;
                self.set_operator_policy(now, vhost, policy).map_err(admin(object))
            }
            // Components of plugins, which are not modelled.
            _ => {
                let why = format!("Validation failed\n\ncomponent {component} not found\n");
                Err(refused(object)(why))
            }
        }
    }

    fn import_exchange(&mut self, place: Place<'_>, exchange: &ExchangeDefinition) -> Imported {
        let name = exchange.name.as_str();
        let vhost = place.vhost(|vhost| exchange_in_vhost(vhost, name))?;
        let object = || exchange_in_vhost(vhost, name);
        let key = self.vhost_key(vhost).map_err(admin(object))?;
        if name.is_empty() || name.starts_with("amq.") {
            return Ok(());
        }
        let options = ExchangeOptions {
            kind: exchange.kind.as_str().into(),
            passive: false,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal.unwrap_or_default(),
            arguments: arguments(&exchange.arguments, object)?,
        };
        self.insert_defined_exchange(key, name, options).map_err(fault(object))
    }

    fn insert_defined_exchange(
        &mut self,
        vhost: VHostKey,
        name: &str,
        options: ExchangeOptions,
    ) -> Result<(), Fault> {
        let kind = Kind::parse(&options.kind, self.profile())?;
        if let Ok(key) = self.exchange_key(vhost, name) {
            let exchange = self.exchanges.get(key).expect("a name leads to a live exchange");
            return exchange.check_equivalent(kind, &options, self.profile());
        }
        kind.check_arguments(&options.arguments)?;
        self.insert_exchange(vhost, name.into(), kind, options);
        Ok(())
    }

    fn import_queue(
        &mut self,
        now: Instant,
        place: Place<'_>,
        queue: &QueueDefinition,
    ) -> Imported {
        let name = queue.name.as_str();
        let vhost = place.vhost(|vhost| queue_in_vhost(vhost, name))?;
        let object = || queue_in_vhost(vhost, name);
        let key = self.vhost_key(vhost).map_err(admin(object))?;
        if name.starts_with("amq.") {
            return Ok(());
        }
        let mut options = QueueOptions {
            passive: false,
            durable: queue.durable,
            exclusive: false,
            auto_delete: queue.auto_delete,
            arguments: arguments(&queue.arguments, object)?,
        };
        if self.profile().definitions.apply_default_types {
            self.choose_type(key, &mut options);
        }
        self.insert_defined_queue(now, key, name, options).map_err(fault(object))
    }

    fn insert_defined_queue(
        &mut self,
        now: Instant,
        vhost: VHostKey,
        name: &str,
        options: QueueOptions,
    ) -> Result<(), Fault> {
        if let Ok(key) = self.queue_key(vhost, name) {
            let profile = self.profile();
            return self.queue_mut(key).check_equivalent(&options, NOBODY, profile);
        }
        let vhost_name = self.vhost(vhost).name.clone();
        let rules = &self.profile().settings;
        let kind = check_arguments(&vhost_name, name, &options.arguments, rules)?;
        check_master_locator(&self.options, &options)?;
        check_transient(&self.options, &options)?;
        check_properties_of_type(&vhost_name, name, kind, &options)?;
        self.insert_queue(now, vhost, name.into(), options, NOBODY);
        Ok(())
    }

    fn import_binding(&mut self, place: Place<'_>, binding: &BindingDefinition) -> Imported {
        let BindingDefinition { source, destination, destination_type, routing_key, .. } = binding;
        let object =
            |vhost: &str| format!("binding from '{source}' to '{destination}' in vhost '{vhost}'");
        let vhost = place.vhost(object)?;
        let object = || object(vhost);
        let key = self.vhost_key(vhost).map_err(admin(object))?;
        let found = match destination_type {
            DestinationType::Queue => self.queue_key(key, destination).map(Destination::Queue),
            DestinationType::Exchange => {
                self.exchange_key(key, destination).map(Destination::Exchange)
            }
        };
        let (destination, source) = match (found, self.exchange_key(key, source)) {
            (Ok(destination), Ok(source)) => (destination, source),
            (found, known) if self.profile().definitions.require_both_ends => {
                let source = known.err().map(|_| ("exchange", binding.source.as_str()));
                let kind = match destination_type {
                    DestinationType::Queue => "queue",
                    DestinationType::Exchange => "exchange",
                };
                let destination = found.err().map(|_| (kind, destination.as_str()));
                return Err(refused(object)(missing(vhost, [source, destination])));
            }
            _ => return Ok(()),
        };
        let arguments = arguments(&binding.arguments, object)?.sorted();
        let exchange = self.exchanges.get(source).expect("a name leads to a live exchange");
        if exchange.name.is_empty() {
            return Ok(());
        }
        exchange.check_binding(routing_key, &arguments).map_err(fault(object))?;
        let routing_key = routing_key.as_str().into();
        self.insert_binding(source, Binding { destination, routing_key, arguments });
        Ok(())
    }
}

/// The vhost that an object belongs to, if it is known.
#[derive(Clone, Copy)]
struct Place<'a>(Option<&'a str>);

impl<'a> Place<'a> {
    /// The vhost that is imported into takes precedence over the one that the object names.
    fn of(within: Option<&'a str>, own: Option<&'a str>) -> Place<'a> {
        Place(within.or(own))
    }

    /// Returns the vhost of an object, which `object` describes for the error.
    fn vhost(self, object: impl FnOnce(&str) -> String) -> Result<&'a str, DefinitionsError> {
        self.0.ok_or_else(|| DefinitionsError::VHostNotGiven(object("")))
    }
}

/// Returns the server's words for the ends of a binding that do not exist.
fn missing(vhost: &str, ends: [Option<(&str, &str)>; 2]) -> String {
    let resource = |(kind, name): (&str, &str)| {
        format!(r#"{{not_found,{{resource,<<"{vhost}">>,{kind},<<"{name}">>}}}}"#)
    };
    let ends: Vec<String> = ends.into_iter().flatten().map(resource).collect();
    format!("{{resources_missing,[{}]}}", ends.join(","))
}

fn refused(object: impl Fn() -> String) -> impl Fn(String) -> DefinitionsError {
    move |why| DefinitionsError::Refused { object: object(), why }
}

fn fault(object: impl Fn() -> String) -> impl Fn(Fault) -> DefinitionsError {
    move |fault| {
        let why = format!("{} - {}", fault.code.name(), fault.reason);
        DefinitionsError::Refused { object: object(), why }
    }
}

fn admin(object: impl Fn() -> String) -> impl Fn(AdminError) -> DefinitionsError {
    move |why| DefinitionsError::Admin { object: object(), why }
}

fn arguments(
    given: &Map<String, Value>,
    object: impl Fn() -> String,
) -> Result<FieldTable, DefinitionsError> {
    value::to_table(given).map_err(refused(object))
}

fn policy_of(name: &str, rule: &PolicyRule) -> Result<Policy, String> {
    let unrecognised = || {
        format!(
            "Validation failed\n\napply-to '{}' unrecognised; should be 'queues', 'exchanges' or \
             'all'\n",
            rule.apply_to
        )
    };
    let definition = value::to_table(&rule.definition)?;
    Ok(Policy {
        apply_to: ApplyTo::from_name(&rule.apply_to).ok_or_else(unrecognised)?,
        priority: rule.priority,
        ..Policy::new(name, rule.pattern.as_str(), definition)
    })
}
