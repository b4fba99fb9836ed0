//! The methods of class exchange.

use super::{Broker, Caller};
use crate::Instant;
use crate::rabbitmq::exchange::{Binding, Destination, Exchange, Kind, LOG_EXCHANGE};
use crate::rabbitmq::key::{ExchangeKey, VHostKey};
use crate::rabbitmq::protocol::error::{AmqpError, Fault, ReplyCode, exchange_in_vhost};
use crate::rabbitmq::protocol::id::ChannelId;
use crate::rabbitmq::protocol::method::{ExchangeBindOptions, ExchangeOptions, ids};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::FieldValue;
use crate::rabbitmq::vhost::user::Access;
use smol_str::SmolStr;

/// The exchanges of every vhost.
const SYSTEM: &[(&str, Kind)] = &[
    ("", Kind::Direct),
    ("amq.direct", Kind::Direct),
    ("amq.fanout", Kind::Fanout),
    ("amq.headers", Kind::Headers),
    ("amq.match", Kind::Headers),
    (TRACE, Kind::Topic),
    ("amq.topic", Kind::Topic),
];

/// The internal system exchange of every vhost.
const TRACE: &str = "amq.rabbitmq.trace";

/// The internal system exchange of vhost `/` in some versions. Its messages, the server's log, are
/// not modelled.
const LOG: (&str, Kind) = (LOG_EXCHANGE, Kind::Topic);

impl Broker {
    pub(super) fn declare_system_exchanges(&mut self, vhost: VHostKey) {
        let has_log = self.profile().has_log_exchange && self.vhost(vhost).name == "/";
        for &(name, kind) in SYSTEM.iter().chain(has_log.then_some(&LOG)) {
            let options = ExchangeOptions {
                kind: kind.name().into(),
                durable: true,
                internal: name == TRACE || name == LOG.0,
                ..ExchangeOptions::default()
            };
            self.insert_exchange(vhost, SmolStr::new_static(name), kind, options);
        }
    }

    /// Creates an exchange.
    pub(crate) fn insert_exchange(
        &mut self,
        vhost: VHostKey,
        name: SmolStr,
        kind: Kind,
        options: ExchangeOptions,
    ) -> ExchangeKey {
        let vhost_name = self.vhost(vhost).name.clone();
        let place = (vhost, vhost_name);
        let exchange = Exchange::new(place, name.clone(), kind, options, self.profile());
        let key = self.exchanges.insert(exchange);
        self.vhost_mut(vhost).exchanges.insert(name, key);
        self.apply_policies_to_exchange(key);
        key
    }

    /// Declares an exchange (`exchange.declare`): creates it, or checks that the existing one is
    /// the same.
    ///
    /// # Errors
    ///
    /// `COMMAND_INVALID` for an unknown type, which closes the connection; `ACCESS_REFUSED` for the
    /// default exchange or a new name that begins with `amq.`; `PRECONDITION_FAILED` if it exists
    /// and differs; `NOT_FOUND` if it does not exist and the declaration is passive.
    pub fn exchange_declare(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        options: ExchangeOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::EXCHANGE_DECLARE, |broker, caller| {
            broker.declare_exchange(caller, name, options)
        })
    }

    fn declare_exchange(
        &mut self,
        caller: Caller,
        name: &str,
        options: ExchangeOptions,
    ) -> Result<(), Fault> {
        let name = without_line_ends(name);
        if options.passive {
            check_not_default(&name)?;
            self.check_passive_exchange(caller, &name)?;
            return self.exchange_key(caller.vhost, &name).map(drop);
        }
        let profile = self.profile();
        let kind = Kind::parse(&options.kind, profile)?;
        check_not_default(&name)?;
        self.check_exchange_access(caller, Access::Configure, &name)?;
        if let Ok((_, exchange)) = self.named_exchange(caller, &name) {
            return exchange.check_equivalent(kind, &options, profile);
        }
        if name.starts_with("amq.") {
            return Err(Fault::refused(format!(
                "exchange name '{name}' contains reserved prefix 'amq.*'"
            )));
        }
        let what = || exchange_in_vhost(&self.vhost(caller.vhost).name, &name);
        if let Some(value) = options.arguments.get("alternate-exchange") {
            let FieldValue::String(_) = value else {
                return Err(Fault::precondition(format!(
                    "invalid type '{}' for arg 'alternate-exchange' in {}",
                    value.type_name(),
                    what()
                )));
            };
            let alternate = value.as_str().unwrap_or_default();
            self.check_exchange_access(caller, Access::Read, &name)?;
            self.check_exchange_access(caller, Access::Write, alternate)?;
        }
        kind.check_arguments(&options.arguments)?;
        self.insert_exchange(caller.vhost, name, kind, options);
        Ok(())
    }

    /// Deletes an exchange and its bindings (`exchange.delete`). Deleting an exchange that does not
    /// exist succeeds.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for a system exchange; `PRECONDITION_FAILED` if it has bindings and
    /// `if_unused` is set.
    pub fn exchange_delete(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        if_unused: bool,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::EXCHANGE_DELETE, |broker, caller| {
            let name = without_line_ends(name);
            check_not_default(&name)?;
            if name.starts_with("amq.") {
                let what = exchange_in_vhost(&broker.vhost(caller.vhost).name, &name);
                return Err(Fault::refused(format!("deletion of system {what} not allowed")));
            }
            broker.check_exchange_access(caller, Access::Configure, &name)?;
            let Ok((key, exchange)) = broker.named_exchange(caller, &name) else {
                return Ok(());
            };
            if if_unused && !exchange.is_unused() {
                let what = exchange.what();
                return Err(Fault::precondition(format!("{what} in use")));
            }
            broker.remove_exchange(key);
            Ok(())
        })
    }

    /// Binds an exchange to another (`exchange.bind`, an extension of RabbitMQ): messages that the
    /// source routes there are routed on by the destination. An existing binding is kept.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if one of the exchanges does not exist; `ACCESS_REFUSED` for the default
    /// exchange; `PRECONDITION_FAILED` for an invalid `x-match`.
    pub fn exchange_bind(
        &mut self,
        now: Instant,
        ch: ChannelId,
        binding: ExchangeBindOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::EXCHANGE_BIND, |broker, caller| {
            let (source, binding) = broker.exchange_binding(caller, binding)?;
            broker.check_topic_access(caller, Access::Read, source, &binding.routing_key)?;
            let exchange =
                broker.exchanges.get_mut(source).expect("the caller has just found the exchange");
            exchange.check_binding(&binding.routing_key, &binding.arguments)?;
            if exchange.kind == Kind::LocalRandom {
                check_local(&binding.routing_key, None)?;
            }
            broker.insert_binding(source, binding);
            Ok(())
        })
    }

    /// Removes a binding between exchanges (`exchange.unbind`) with the same arguments. Removing a
    /// binding that does not exist succeeds, and so does naming an exchange that does not exist.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for the default exchange.
    pub fn exchange_unbind(
        &mut self,
        now: Instant,
        ch: ChannelId,
        binding: ExchangeBindOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::EXCHANGE_UNBIND, |broker, caller| {
            let found = broker.exchange_binding(caller, binding);
            if let Ok((source, binding)) = found {
                broker.remove_binding(source, &binding);
                return Ok(());
            }
            found.map(drop).or_else(|fault| match fault.code {
                ReplyCode::NotFound => Ok(()),
                _ => Err(fault),
            })
        })
    }

    /// Returns the source and the binding that these options name.
    fn exchange_binding(
        &mut self,
        caller: Caller,
        options: ExchangeBindOptions,
    ) -> Result<(ExchangeKey, Binding), Fault> {
        let ExchangeBindOptions { destination, source, routing_key, arguments } = options;
        let (destination, source) = (without_line_ends(&destination), without_line_ends(&source));
        check_not_default(&destination)?;
        check_not_default(&source)?;
        self.check_exchange_access(caller, Access::Write, &destination)?;
        self.check_exchange_access(caller, Access::Read, &source)?;
        let source = self.exchange_key(caller.vhost, &source)?;
        let destination = self.exchange_key(caller.vhost, &destination)?;
        let destination = Destination::Exchange(destination);
        Ok((source, Binding { destination, routing_key, arguments: arguments.sorted() }))
    }

    /// Creates a binding, unless the same one exists.
    pub(crate) fn insert_binding(&mut self, source: ExchangeKey, binding: Binding) {
        let exchange =
            self.exchanges.get_mut(source).expect("a binding is removed with its source");
        if !exchange.bind(binding.clone()) {
            return;
        }
        match binding.destination {
            Destination::Queue(queue) => {
                self.queue_mut(queue).cold.bindings.insert((source, binding));
            }
            Destination::Exchange(exchange) => {
                let exchange = self
                    .exchanges
                    .get_mut(exchange)
                    .expect("a binding is removed with its destination");
                exchange.incoming.insert((source, binding));
            }
        }
    }

    /// Removes a binding, if it exists, and its source if that deletes itself after its last
    /// binding.
    pub(super) fn remove_binding(&mut self, source: ExchangeKey, binding: &Binding) {
        let Some(exchange) = self.exchanges.get_mut(source) else { return };
        if !exchange.unbind(binding) {
            return;
        }
        self.forget_binding(source, binding);
        self.auto_delete_exchange(source);
    }

    /// Removes a binding from its destination.
    fn forget_binding(&mut self, source: ExchangeKey, binding: &Binding) {
        match binding.destination {
            Destination::Queue(queue) => {
                if let Some(queue) = self.queues.get_mut(queue) {
                    queue.cold.bindings.swap_remove(&(source, binding.clone()));
                }
            }
            Destination::Exchange(exchange) => {
                if let Some(exchange) = self.exchanges.get_mut(exchange) {
                    exchange.incoming.swap_remove(&(source, binding.clone()));
                }
            }
        }
    }

    /// Removes an exchange and its bindings.
    pub(super) fn remove_exchange(&mut self, key: ExchangeKey) {
        let Some(exchange) = self.exchanges.remove(key) else {
            return;
        };
        self.vhost_mut(exchange.vhost).exchanges.swap_remove(exchange.name.as_str());
        self.forget_topic_permissions(&exchange.vhost_name, &exchange.name);
        if self.tells() {
            self.tell_delayed_gone(key, &exchange);
        }
        self.delayed.forget(key);
        self.tally += exchange.published.stats();
        for binding in exchange.bindings() {
            self.forget_binding(key, binding);
        }
        for (source, binding) in &exchange.incoming {
            if let Some(source) = self.exchanges.get_mut(*source) {
                source.unbind(binding);
            }
            self.auto_delete_exchange(*source);
        }
    }

    /// Deletes an exchange that has lost its last binding, if it deletes itself then.
    pub(super) fn auto_delete_exchange(&mut self, key: ExchangeKey) {
        if self.exchanges.get(key).is_some_and(|e| e.auto_delete && e.is_unused()) {
            self.remove_exchange(key);
        }
    }
}

pub(super) fn check_not_default(exchange: &str) -> Result<(), Fault> {
    if exchange.is_empty() {
        return Err(Fault::refused("operation not permitted on the default exchange"));
    }
    Ok(())
}

/// Refuses a binding of an exchange that draws among the classic queues of its own node.
pub(super) fn check_local(routing_key: &str, kind: Option<QueueType>) -> Result<(), Fault> {
    let refuse = |reason: String| Err(Fault::precondition(reason));
    match kind {
        _ if !routing_key.is_empty() => {
            refuse(format!("Non empty binding '{routing_key}' key not permitted"))
        }
        Some(QueueType::Classic) => Ok(()),
        Some(kind) => {
            refuse(format!("Queue type {} not valid for this exchange type", kind.module()))
        }
        None => refuse("Destination not found".to_owned()),
    }
}

/// Returns a name as the server stores it.
pub(super) fn without_line_ends(name: &str) -> SmolStr {
    if name.contains(['\r', '\n']) { name.replace(['\r', '\n'], "").into() } else { name.into() }
}
