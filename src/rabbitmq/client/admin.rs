//! An administrator's part in a world: the handle of a broker can do what the
//! broker itself can.
//!
//! Each method is that of [`Broker`] of the same name, done at the server itself
//! and at once, past all links; the time is the world's. What it makes the broker
//! say (deliveries, confirms, closed connections) is on its way to the clients
//! when it returns. The broker should be running. Anything not offered here goes
//! through [`ServiceHandle::inspect`] and [`ServiceHandle::with`].

use crate::rabbitmq::admin::{
    AdminError, ChannelRow, ConnectionRow, Overview, PeekedMessage, PermissionRow, PolicyRow,
    QueueContents, TopicPermissionRow, UserRow, VHostRow,
};
use crate::rabbitmq::broker::{Alarm, Broker};
use crate::rabbitmq::id::ConnectionId;
use crate::rabbitmq::policy::Policy;
use crate::rabbitmq::user::{Permissions, UserLimits};
use crate::rabbitmq::vhost::VHostLimits;
use crate::sim::ServiceHandle;
use smol_str::SmolStr;

type Done = Result<(), AdminError>;

/// Methods that only look.
macro_rules! looking {
    ($($(#[$doc:meta])+ $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)+) => {
        /// What an administrator sees of a broker in a world.
        impl ServiceHandle<Broker> {
            $(
                $(#[$doc])+
                #[must_use = "it changes nothing"]
                pub fn $name(&self, $($arg: $type),*) -> $result {
                    self.inspect(|broker| broker.$name($($arg),*))
                }
            )+
        }
    };
}

/// Methods that change the broker, with the time and without.
macro_rules! changing {
    ($($(#[$doc:meta])+ $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)+) => {
        /// What an administrator does to a broker in a world.
        impl ServiceHandle<Broker> {
            $(
                $(#[$doc])+
                pub fn $name(&self, $($arg: $type),*) -> $result {
                    self.with(|broker, _now| broker.$name($($arg),*))
                }
            )+
        }
    };
}

macro_rules! changing_at_once {
    ($($(#[$doc:meta])+ $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)+) => {
        /// What an administrator does to a broker in a world, and clients may
        /// hear of.
        impl ServiceHandle<Broker> {
            $(
                $(#[$doc])+
                pub fn $name(&self, $($arg: $type),*) -> $result {
                    self.with(|broker, now| broker.$name(now, $($arg),*))
                }
            )+
        }
    };
}

looking! {
    /// `rabbitmqctl list_connections`, as rows sorted by id.
    list_connections() -> Vec<ConnectionRow>;
    /// `rabbitmqctl list_channels`, as rows sorted by connection and number.
    list_channels() -> Vec<ChannelRow>;
    /// `rabbitmqctl list_policies` of all vhosts, as rows sorted by vhost and
    /// name.
    list_policies() -> Vec<PolicyRow>;
    /// `rabbitmqctl list_operator_policies` of all vhosts, as rows sorted by
    /// vhost and name.
    list_operator_policies() -> Vec<PolicyRow>;
    /// `rabbitmqctl list_vhosts`, as rows sorted by name.
    list_vhosts() -> Vec<VHostRow>;
    /// `rabbitmqctl list_users`, as rows sorted by name.
    list_users() -> Vec<UserRow>;
    /// `rabbitmqctl list_permissions` of all vhosts, as rows sorted by vhost and
    /// user.
    list_permissions() -> Vec<PermissionRow>;
    /// `rabbitmqctl list_topic_permissions` of all vhosts, as rows sorted by
    /// vhost, user and exchange.
    list_topic_permissions() -> Vec<TopicPermissionRow>;
    /// The next `n` messages that are ready in a queue, untouched:
    /// [`Broker::peek`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchQueue`].
    peek(vhost: &str, queue: &str, n: usize) -> Result<Vec<PeekedMessage>, AdminError>;
    /// What the messages of a queue amount to: [`Broker::queue_contents`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`], [`AdminError::NoSuchQueue`].
    queue_contents(vhost: &str, queue: &str) -> Result<QueueContents, AdminError>;
    /// The broker as a whole, with its counters: [`Broker::overview`].
    overview() -> Overview;
    /// The alarms that are on: [`Broker::alarms`].
    alarms() -> Vec<Alarm>;
}

changing! {
    /// Adds a vhost: [`Broker::add_vhost`].
    add_vhost(name: impl Into<SmolStr>) -> ();
    /// Says what a vhost is for: [`Broker::describe_vhost`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    describe_vhost(name: &str, description: &str, tags: &[&str]) -> Done;
    /// Limits a vhost: [`Broker::set_vhost_limits`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    set_vhost_limits(name: &str, limits: VHostLimits) -> Done;
    /// Adds a user or changes its password: [`Broker::add_user`].
    add_user(name: impl Into<SmolStr>, password: impl Into<SmolStr>) -> ();
    /// Sets a user's tags: [`Broker::set_user_tags`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    set_user_tags(name: &str, tags: &[&str]) -> Done;
    /// Limits a user: [`Broker::set_user_limits`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    set_user_limits(name: &str, limits: UserLimits) -> Done;
    /// Sets a user's permissions in a vhost: [`Broker::set_permissions`].
    ///
    /// # Errors
    ///
    /// As [`Broker::set_permissions`].
    set_permissions(vhost: &str, user: &str, permissions: Permissions) -> Done;
    /// Takes a user's permissions in a vhost away: [`Broker::clear_permissions`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    clear_permissions(vhost: &str, user: &str) -> Done;
    /// Sets a user's permissions at a topic exchange:
    /// [`Broker::set_topic_permissions`].
    ///
    /// # Errors
    ///
    /// As [`Broker::set_permissions`].
    set_topic_permissions(
        vhost: &str,
        user: &str,
        exchange: &str,
        write: &str,
        read: &str
    ) -> Done;
    /// Lifts a user's restrictions at the topic exchanges of a vhost:
    /// [`Broker::clear_topic_permissions`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    clear_topic_permissions(vhost: &str, user: &str) -> Done;
}

changing_at_once! {
    /// Removes a vhost: [`Broker::delete_vhost`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    delete_vhost(name: &str) -> Done;
    /// Removes a user: [`Broker::delete_user`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    delete_user(name: &str) -> Done;
    /// Sets a policy: [`Broker::set_policy`].
    ///
    /// # Errors
    ///
    /// As [`Broker::set_policy`].
    set_policy(vhost: &str, policy: Policy) -> Done;
    /// Removes a policy: [`Broker::clear_policy`].
    ///
    /// # Errors
    ///
    /// As [`Broker::clear_policy`].
    clear_policy(vhost: &str, name: &str) -> Done;
    /// Sets an operator policy: [`Broker::set_operator_policy`].
    ///
    /// # Errors
    ///
    /// As [`Broker::set_policy`].
    set_operator_policy(vhost: &str, policy: Policy) -> Done;
    /// Removes an operator policy: [`Broker::clear_operator_policy`].
    ///
    /// # Errors
    ///
    /// As [`Broker::clear_policy`].
    clear_operator_policy(vhost: &str, name: &str) -> Done;
    /// Sets a memory or disk alarm on or off: [`Broker::set_alarm`].
    set_alarm(alarm: Alarm, on: bool) -> ();
    /// Closes a connection: [`Broker::close_connection`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchConnection`].
    close_connection(id: ConnectionId, why: &str) -> Done;
}
