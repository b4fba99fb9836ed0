//! An administrator's operations on a broker in a world.
//!
//! Each method is the method of [`Broker`] with the same name, run at the server itself and at
//! once, without any link; the time is the world's. What the broker sends because of it
//! (deliveries, confirms, closed connections) is on its way to the clients when it returns. The
//! broker should be running. Everything else is available through [`RabbitMq::inspect`] and
//! [`RabbitMq::with`].

use super::handle::RabbitMq;
use crate::rabbitmq::admin::{
    AdminError, ChannelRow, ConnectionRow, Overview, PeekedMessage, PermissionRow, PolicyRow,
    QueueContents, TopicPermissionRow, UserRow, VHostRow,
};
#[cfg(doc)]
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::broker::alarm::Alarm;
use crate::rabbitmq::broker::refusal::{Refusal, RefusalError};
use crate::rabbitmq::protocol::id::ConnectionId;
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::vhost::VHostLimits;
use crate::rabbitmq::vhost::policy::Policy;
use crate::rabbitmq::vhost::user::{Permissions, UserLimits};
use smol_str::SmolStr;

type Done = Result<(), AdminError>;

/// An administrator's view of a broker in a world.
impl RabbitMq {
    /// `rabbitmqctl list_connections`, as rows sorted by id.
    #[must_use]
    pub fn list_connections(&self) -> Vec<ConnectionRow> {
        self.inspect(|broker| broker.list_connections())
    }

    /// `rabbitmqctl list_channels`, as rows sorted by connection and number.
    #[must_use]
    pub fn list_channels(&self) -> Vec<ChannelRow> {
        self.inspect(|broker| broker.list_channels())
    }

    /// `rabbitmqctl list_policies` of all vhosts, as rows sorted by vhost and name.
    #[must_use]
    pub fn list_policies(&self) -> Vec<PolicyRow> {
        self.inspect(|broker| broker.list_policies())
    }

    /// `rabbitmqctl list_operator_policies` of all vhosts, as rows sorted by vhost and name.
    #[must_use]
    pub fn list_operator_policies(&self) -> Vec<PolicyRow> {
        self.inspect(|broker| broker.list_operator_policies())
    }

    /// `rabbitmqctl list_vhosts`, as rows sorted by name.
    #[must_use]
    pub fn list_vhosts(&self) -> Vec<VHostRow> {
        self.inspect(|broker| broker.list_vhosts())
    }

    /// `rabbitmqctl list_users`, as rows sorted by name.
    #[must_use]
    pub fn list_users(&self) -> Vec<UserRow> {
        self.inspect(|broker| broker.list_users())
    }

    /// `rabbitmqctl list_permissions` of all vhosts, as rows sorted by vhost and user.
    #[must_use]
    pub fn list_permissions(&self) -> Vec<PermissionRow> {
        self.inspect(|broker| broker.list_permissions())
    }

    /// `rabbitmqctl list_topic_permissions` of all vhosts, as rows sorted by vhost, user and
    /// exchange.
    #[must_use]
    pub fn list_topic_permissions(&self) -> Vec<TopicPermissionRow> {
        self.inspect(|broker| broker.list_topic_permissions())
    }

    /// Returns the next `n` ready messages of a queue without consuming them: [`Broker::peek`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchQueue`].
    pub fn peek(
        &self,
        vhost: &str,
        queue: &str,
        n: usize,
    ) -> Result<Vec<PeekedMessage>, AdminError> {
        self.inspect(|broker| broker.peek(vhost, queue, n))
    }

    /// Returns the contents of a queue: [`Broker::queue_contents`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchQueue`].
    pub fn queue_contents(&self, vhost: &str, queue: &str) -> Result<QueueContents, AdminError> {
        self.inspect(|broker| broker.queue_contents(vhost, queue))
    }

    /// Returns an overview of the broker, with its counters: [`Broker::overview`].
    #[must_use]
    pub fn overview(&self) -> Overview {
        self.inspect(|broker| broker.overview())
    }

    /// Returns the alarms that are on: [`Broker::alarms`].
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.inspect(|broker| broker.alarms())
    }
}

/// An administrator's actions on a broker in a world.
impl RabbitMq {
    /// Adds a vhost: [`Broker::add_vhost`].
    pub fn add_vhost(&self, name: impl Into<SmolStr>) {
        self.with(|broker, _| broker.add_vhost(name));
    }

    /// Sets the description and tags of a vhost: [`Broker::describe_vhost`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn describe_vhost(&self, name: &str, description: &str, tags: &[&str]) -> Done {
        self.with(|broker, _| broker.describe_vhost(name, description, tags))
    }

    /// Sets the type of a vhost's queues that are declared without one:
    /// [`Broker::set_default_queue_type`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn set_default_queue_type(&self, vhost: &str, queue_type: Option<QueueType>) -> Done {
        self.with(|broker, _| broker.set_default_queue_type(vhost, queue_type))
    }

    /// Sets the limits of a vhost: [`Broker::set_vhost_limits`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn set_vhost_limits(&self, name: &str, limits: VHostLimits) -> Done {
        self.with(|broker, _| broker.set_vhost_limits(name, limits))
    }

    /// Adds a user or changes its password: [`Broker::add_user`].
    pub fn add_user(&self, name: impl Into<SmolStr>, password: impl Into<SmolStr>) {
        self.with(|broker, _| broker.add_user(name, password));
    }

    /// Sets a user's tags: [`Broker::set_user_tags`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn set_user_tags(&self, name: &str, tags: &[&str]) -> Done {
        self.with(|broker, _| broker.set_user_tags(name, tags))
    }

    /// Sets the limits of a user: [`Broker::set_user_limits`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn set_user_limits(&self, name: &str, limits: UserLimits) -> Done {
        self.with(|broker, _| broker.set_user_limits(name, limits))
    }

    /// Sets a user's permissions in a vhost: [`Broker::set_permissions`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::set_permissions`].
    pub fn set_permissions(&self, vhost: &str, user: &str, permissions: Permissions) -> Done {
        self.with(|broker, _| broker.set_permissions(vhost, user, permissions))
    }

    /// Removes a user's permissions in a vhost: [`Broker::clear_permissions`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn clear_permissions(&self, vhost: &str, user: &str) -> Done {
        self.with(|broker, _| broker.clear_permissions(vhost, user))
    }

    /// Sets a user's permissions at a topic exchange: [`Broker::set_topic_permissions`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::set_topic_permissions`].
    pub fn set_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: &str,
        write: &str,
        read: &str,
    ) -> Done {
        self.with(|broker, _| broker.set_topic_permissions(vhost, user, exchange, write, read))
    }

    /// Removes a user's topic permissions in a vhost: [`Broker::clear_topic_permissions`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn clear_topic_permissions(&self, vhost: &str, user: &str) -> Done {
        self.with(|broker, _| broker.clear_topic_permissions(vhost, user))
    }
}

/// An administrator's actions on a broker in a world that affect clients.
impl RabbitMq {
    /// Removes a vhost: [`Broker::delete_vhost`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn delete_vhost(&self, name: &str) -> Done {
        self.with(|broker, now| broker.delete_vhost(now, name))
    }

    /// Removes a user: [`Broker::delete_user`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn delete_user(&self, name: &str) -> Done {
        self.with(|broker, now| broker.delete_user(now, name))
    }

    /// Sets a policy: [`Broker::set_policy`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::set_policy`].
    pub fn set_policy(&self, vhost: &str, policy: Policy) -> Done {
        self.with(|broker, now| broker.set_policy(now, vhost, policy))
    }

    /// Removes a policy: [`Broker::clear_policy`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::clear_policy`].
    pub fn clear_policy(&self, vhost: &str, name: &str) -> Done {
        self.with(|broker, now| broker.clear_policy(now, vhost, name))
    }

    /// Sets an operator policy: [`Broker::set_operator_policy`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::set_policy`].
    pub fn set_operator_policy(&self, vhost: &str, policy: Policy) -> Done {
        self.with(|broker, now| broker.set_operator_policy(now, vhost, policy))
    }

    /// Removes an operator policy: [`Broker::clear_operator_policy`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::clear_policy`].
    pub fn clear_operator_policy(&self, vhost: &str, name: &str) -> Done {
        self.with(|broker, now| broker.clear_operator_policy(now, vhost, name))
    }

    /// Sets a memory or disk alarm on or off: [`Broker::set_alarm`].
    pub fn set_alarm(&self, alarm: Alarm, on: bool) {
        self.with(|broker, now| broker.set_alarm(now, alarm, on));
    }

    /// Closes a connection: [`Broker::close_connection`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchConnection`].
    pub fn close_connection(&self, id: ConnectionId, why: &str) -> Done {
        self.with(|broker, now| broker.close_connection(now, id, why))
    }

    /// Refuses methods of clients from now on: [`Broker::refuse`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::refuse`].
    pub fn refuse(&self, refusal: Refusal) -> Result<(), RefusalError> {
        self.with(|broker, now| broker.refuse(now, refusal))
    }

    /// Ends all refusals: [`Broker::refuse_nothing`].
    pub fn refuse_nothing(&self) {
        self.with(|broker, _| broker.refuse_nothing());
    }
}
