//! Policies: `rabbitmqctl set_policy` and so on, and their effect on existing queues and exchanges.

use super::Broker;
use super::stream::retention;
use crate::Instant;
use crate::rabbitmq::key::{ExchangeKey, QueueKey, VHostKey};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::protocol::table::FieldValue;
use crate::rabbitmq::queue::settings::Settings;
use crate::rabbitmq::version::DeprecatedFeature;
use crate::rabbitmq::vhost::VHost;
use crate::rabbitmq::vhost::error::AdminError;
use crate::rabbitmq::vhost::pattern::Pattern;
use crate::rabbitmq::vhost::policy::{Object, Policy, Whose, definition, effective};

impl Broker {
    /// Sets a policy (`set_policy`), or replaces the one with its name. It applies at once, also to
    /// existing queues and exchanges.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`]; [`AdminError::InvalidPattern`]; [`AdminError::InvalidPolicy`]
    /// for a definition that the server does not accept.
    pub fn set_policy(
        &mut self,
        now: Instant,
        vhost: &str,
        policy: Policy,
    ) -> Result<(), AdminError> {
        self.put_policy(now, vhost, policy, Whose::User)
    }

    /// Sets an operator policy (`set_operator_policy`), or replaces the one with its name.
    ///
    /// # Errors
    ///
    /// As for [`Broker::set_policy`].
    pub fn set_operator_policy(
        &mut self,
        now: Instant,
        vhost: &str,
        policy: Policy,
    ) -> Result<(), AdminError> {
        self.put_policy(now, vhost, policy, Whose::Operator)
    }

    /// Removes a policy (`clear_policy`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchPolicy`].
    pub fn clear_policy(
        &mut self,
        now: Instant,
        vhost: &str,
        name: &str,
    ) -> Result<(), AdminError> {
        self.change_policies(now, vhost, |vhost| vhost.policies_mut(Whose::User).clear(name))
    }

    /// Removes an operator policy (`clear_operator_policy`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchPolicy`].
    pub fn clear_operator_policy(
        &mut self,
        now: Instant,
        vhost: &str,
        name: &str,
    ) -> Result<(), AdminError> {
        self.change_policies(now, vhost, |vhost| vhost.policies_mut(Whose::Operator).clear(name))
    }

    fn put_policy(
        &mut self,
        now: Instant,
        vhost: &str,
        policy: Policy,
        whose: Whose,
    ) -> Result<(), AdminError> {
        let pattern = Pattern::new(&policy.pattern)?;
        let rules = &self.profile().settings;
        let permits_locators = self.options.permits(DeprecatedFeature::QueueMasterLocator);
        definition::check(&policy.definition, whose, rules, permits_locators)?;
        if policy.apply_to.names_type_of_queue() && !rules.policies_name_queue_types {
            let text = format!("{} is not a valid object", policy.apply_to.name());
            return Err(AdminError::InvalidPolicy(text));
        }
        self.change_policies(now, vhost, |vhost| {
            vhost.policies_mut(whose).set(policy, pattern);
            Ok(())
        })
    }

    fn change_policies(
        &mut self,
        now: Instant,
        vhost: &str,
        change: impl FnOnce(&mut VHost) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        let key = self.vhost_key(vhost)?;
        change(self.vhost_mut(key))?;
        self.apply_policies(now, key);
        Ok(())
    }

    /// Applies changed policies to everything in the vhost.
    fn apply_policies(&mut self, now: Instant, key: VHostKey) {
        let exchanges: Vec<_> = self.vhost(key).exchanges.values().copied().collect();
        exchanges.into_iter().for_each(|exchange| self.apply_policies_to_exchange(exchange));
        let queues: Vec<_> = self.vhost(key).queues.values().copied().collect();
        queues.into_iter().for_each(|queue| self.apply_policies_to_queue(now, queue));
        self.publish_dead_letters(now);
    }

    pub(super) fn apply_policies_to_exchange(&mut self, key: ExchangeKey) {
        let rules = &self.profile().settings;
        let Some(exchange) = self.exchanges.get(key) else { return };
        let vhost = self.vhost(exchange.vhost);
        let policy = vhost.policies.matching(Object::Exchange, &exchange.name, rules);
        let argument = exchange.arguments.get("alternate-exchange");
        let alternate = effective("alternate-exchange", argument, policy, None);
        let alternate = alternate.and_then(FieldValue::as_str).map(Into::into);
        let policy = policy.map(|policy| policy.name.clone());
        if let Some(exchange) = self.exchanges.get_mut(key) {
            (exchange.alternate, exchange.policy) = (alternate, policy);
        }
    }

    pub(super) fn apply_policies_to_queue(&mut self, now: Instant, key: QueueKey) {
        let rules = &self.profile().settings;
        let Some(queue) = self.queues.get(key) else { return };
        let vhost = self.vhost(queue.cold.vhost);
        let (kind, name) = (queue.cold.kind.queue_type(), queue.cold.name.as_str());
        let policy = vhost.policies.matching(Object::Queue(kind), name, rules);
        let operator = vhost.operator_policies.matching(Object::Queue(kind), name, rules);
        let names = [policy, operator].map(|policy| policy.map(|policy| policy.name.clone()));
        let mut settings = Settings::new(&queue.cold.arguments, policy, operator, rules);
        let quorum = &self.profile().quorum;
        if kind == QueueType::Quorum {
            if !settings.sets_delivery_limit {
                settings.delivery_limit = quorum.default_delivery_limit;
            }
            if settings.has_negative_delivery_limit {
                settings.delivery_limit = quorum.negative_delivery_limit;
            }
            settings.moves_rejected_to_end =
                quorum.moves_rejected_to_end && settings.delivery_limit.is_none();
        }
        let queue = self.queue_mut(key);
        queue.cold.policies = names;
        if *queue.cold.settings == settings {
            return self.arm_unused(key);
        }
        queue.set(settings);
        let retention = retention(queue);
        if let Some(stream) = queue.cold.kind.stream_mut() {
            stream.log.retain(now, retention);
        }
        self.drop_head(now, key);
        self.touch_unused(now, key);
    }
}
