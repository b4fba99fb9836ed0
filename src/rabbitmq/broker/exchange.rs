//! The methods of class exchange.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::error::{AmqpError, Fault, exchange_in_vhost};
use crate::rabbitmq::exchange::{Exchange, Kind};
use crate::rabbitmq::id::ChannelId;
use crate::rabbitmq::method::{ExchangeOptions, ids};
use crate::rabbitmq::table::FieldValue;
use crate::rabbitmq::unmodelled::{self, Place};
use smol_str::SmolStr;
use std::sync::Arc;

/// The exchanges every vhost has.
const SYSTEM: &[(&str, Kind)] = &[
    ("", Kind::Direct),
    ("amq.direct", Kind::Direct),
    ("amq.fanout", Kind::Fanout),
    ("amq.headers", Kind::Headers),
    ("amq.match", Kind::Headers),
    (TRACE, Kind::Topic),
    ("amq.topic", Kind::Topic),
];

/// The one system exchange that is internal.
const TRACE: &str = "amq.rabbitmq.trace";

impl Broker {
    pub(super) fn declare_system_exchanges(&mut self) {
        for &(name, kind) in SYSTEM {
            let options = ExchangeOptions {
                kind: kind.name().into(),
                durable: true,
                internal: name == TRACE,
                ..ExchangeOptions::default()
            };
            let name = SmolStr::new_static(name);
            self.exchanges.insert(name.clone(), Exchange::new(name, kind, options));
        }
    }

    /// Declares an exchange (`exchange.declare`): makes it, or makes sure that
    /// the one of this name is the same.
    ///
    /// # Errors
    ///
    /// `COMMAND_INVALID` for an unknown type (this closes the connection),
    /// `ACCESS_REFUSED` for the default exchange or a new name beginning with
    /// `amq.`, `PRECONDITION_FAILED` if it exists and differs, `NOT_FOUND` if
    /// it does not exist and the declaration is passive.
    pub fn exchange_declare(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        options: ExchangeOptions,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::EXCHANGE_DECLARE, |broker, _| {
            broker.declare_exchange(name, options)
        })
    }

    fn declare_exchange(&mut self, name: &str, options: ExchangeOptions) -> Result<(), Fault> {
        let name = without_line_ends(name);
        if options.passive {
            check_not_default(&name)?;
            return self.exchange(&name).map(drop);
        }
        let kind = Kind::parse(&options.kind)?;
        check_not_default(&name)?;
        if let Some(exchange) = self.exchanges.get(&name) {
            return exchange.check_equivalent(kind, &options);
        }
        if name.starts_with("amq.") {
            return Err(Fault::refused(format!(
                "exchange name '{name}' contains reserved prefix 'amq.*'"
            )));
        }
        if let Some(value) = options.arguments.get("alternate-exchange")
            && !matches!(value, FieldValue::String(_))
        {
            return Err(Fault::precondition(format!(
                "invalid type '{}' for arg 'alternate-exchange' in {}",
                value.type_name(),
                exchange_in_vhost(&name)
            )));
        }
        unmodelled::check_table(Place::ExchangeArgument, &options.arguments)?;
        self.exchanges.insert(name.clone(), Exchange::new(name, kind, options));
        Ok(())
    }

    /// Deletes an exchange and its bindings (`exchange.delete`). Deleting one
    /// that does not exist is fine.
    ///
    /// # Errors
    ///
    /// `ACCESS_REFUSED` for a system exchange; `PRECONDITION_FAILED` if it has
    /// bindings and `if_unused` is set.
    pub fn exchange_delete(
        &mut self,
        now: Instant,
        ch: ChannelId,
        name: &str,
        if_unused: bool,
    ) -> Result<(), AmqpError> {
        self.on_channel(now, ch, ids::EXCHANGE_DELETE, |broker, _| {
            let name = without_line_ends(name);
            check_not_default(&name)?;
            if name.starts_with("amq.") {
                let what = exchange_in_vhost(&name);
                return Err(Fault::refused(format!("deletion of system {what} not allowed")));
            }
            if let Some(exchange) = broker.exchanges.get(&name)
                && if_unused
                && !exchange.is_unused()
            {
                let what = exchange_in_vhost(&name);
                return Err(Fault::precondition(format!("{what} in use")));
            }
            broker.remove_exchange(&name);
            Ok(())
        })
    }

    /// The exchange of this name.
    pub(super) fn exchange(&mut self, name: &str) -> Result<&mut Exchange, Fault> {
        self.exchanges.get_mut(name).ok_or_else(|| Fault::no_exchange(name))
    }

    /// Removes an exchange, if it exists, and its bindings.
    pub(super) fn remove_exchange(&mut self, name: &str) {
        let Some(exchange) = self.exchanges.swap_remove(name) else {
            return;
        };
        for binding in exchange.bindings() {
            if let Some(queue) = self.queues.get_mut(binding.queue) {
                queue.more.bindings.swap_remove(&(Arc::clone(&exchange.name), binding.clone()));
            }
        }
    }

    /// An exchange has lost a binding: if it deletes itself after its last, it
    /// may be gone now.
    pub(super) fn auto_delete_exchange(&mut self, name: &str) {
        if self.exchanges.get(name).is_some_and(|e| e.auto_delete && e.is_unused()) {
            self.remove_exchange(name);
        }
    }
}

pub(super) fn check_not_default(exchange: &str) -> Result<(), Fault> {
    if exchange.is_empty() {
        return Err(Fault::refused("operation not permitted on the default exchange"));
    }
    Ok(())
}

/// A name as the server keeps it.
pub(super) fn without_line_ends(name: &str) -> SmolStr {
    if name.contains(['\r', '\n']) { name.replace(['\r', '\n'], "").into() } else { name.into() }
}
