//! Users and their permissions: `rabbitmqctl add_user`, `set_permissions` and so on, and the checks
//! that every method makes.

use super::{Broker, Caller, Connection};
use crate::Instant;
use crate::rabbitmq::exchange::Kind;
use crate::rabbitmq::key::{ChannelKey, ExchangeKey};
use crate::rabbitmq::protocol::error::{Fault, exchange_in_vhost, queue_in_vhost};
use crate::rabbitmq::protocol::id::{ChannelId, ConnectionId};
use crate::rabbitmq::vhost::error::AdminError;
use crate::rabbitmq::vhost::user::{Access, Grant, Password, Permissions, User, UserLimits};
use smol_str::SmolStr;

impl Broker {
    /// Returns whether there is a user with this password.
    #[must_use]
    pub fn authenticate(&self, user: &str, password: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.password.matches(password))
    }

    /// Adds a user, or changes the password of an existing one (`add_user`, `change_password`). A
    /// new user has no permissions.
    pub fn add_user(&mut self, name: impl Into<SmolStr>, password: impl Into<SmolStr>) {
        let (name, password) = (name.into(), password.into());
        match self.users.get_mut(&name) {
            Some(user) => user.password = Password::Plain(password),
            None => drop(self.users.insert(name, User::new(password))),
        }
    }

    /// Removes a user (`delete_user`). Its connections are closed.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn delete_user(&mut self, now: Instant, name: &str) -> Result<(), AdminError> {
        self.users.shift_remove(name).ok_or_else(|| AdminError::NoSuchUser(name.into()))?;
        let of_user = |connection: &Connection| connection.options.user == name;
        self.force_closed(now, of_user, &format!("user '{name}' is deleted"));
        Ok(())
    }

    /// Sets a user's tags (`set_user_tags`), which only the management plugin uses.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn set_user_tags(&mut self, name: &str, tags: &[&str]) -> Result<(), AdminError> {
        self.user_mut(name)?.tags = tags.iter().map(SmolStr::new).collect();
        Ok(())
    }

    /// Sets the limits of a user (`set_user_limits`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn set_user_limits(&mut self, name: &str, limits: UserLimits) -> Result<(), AdminError> {
        self.user_mut(name)?.limits = limits;
        Ok(())
    }

    /// Sets a user's permissions in a vhost (`set_permissions`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`], [`AdminError::NoSuchVHost`], [`AdminError::InvalidPattern`].
    pub fn set_permissions(
        &mut self,
        vhost: &str,
        user: &str,
        permissions: Permissions,
    ) -> Result<(), AdminError> {
        if !self.vhost_names.contains_key(vhost) {
            return Err(AdminError::NoSuchVHost(vhost.into()));
        }
        let grant = Grant::new(permissions)?;
        self.user_mut(user)?.grants.insert(vhost.into(), grant);
        self.refresh_access();
        Ok(())
    }

    /// Sets the routing keys with which a user may publish to a topic exchange and bind from it
    /// (`set_topic_permissions`). Without topic permissions, a user may use every key. Since
    /// RabbitMQ 4.3 the exchange has to exist, and the permissions go with it.
    ///
    /// # Errors
    ///
    /// As for [`Broker::set_permissions`], and [`AdminError::NoSuchExchange`].
    pub fn set_topic_permissions(
        &mut self,
        vhost: &str,
        user: &str,
        exchange: &str,
        write: &str,
        read: &str,
    ) -> Result<(), AdminError> {
        let key = self.vhost_key(vhost)?;
        let grant = Grant::new(Permissions::new("", write, read))?;
        self.user_mut(user)?;
        if self.profile().ties_topic_permissions && self.exchange_key(key, exchange).is_err() {
            let (vhost, exchange) = (vhost.to_owned(), exchange.to_owned());
            return Err(AdminError::NoSuchExchange { vhost, exchange });
        }
        self.user_mut(user)?.topics.insert((vhost.into(), exchange.into()), grant);
        Ok(())
    }

    /// Removes the topic permissions for an exchange that is deleted, if the version ties them to
    /// it.
    pub(super) fn forget_topic_permissions(&mut self, vhost: &str, exchange: &str) {
        if self.profile().ties_topic_permissions {
            for user in self.users.values_mut() {
                user.topics.retain(|(of, name), _| of != vhost || name != exchange);
            }
        }
    }

    /// Removes a user's topic permissions in a vhost (`clear_topic_permissions`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn clear_topic_permissions(&mut self, vhost: &str, user: &str) -> Result<(), AdminError> {
        self.user_mut(user)?.topics.retain(|(of, _), _| of != vhost);
        Ok(())
    }

    /// Closes a connection with `CONNECTION_FORCED` and this reason (`close_connection`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchConnection`].
    pub fn close_connection(
        &mut self,
        now: Instant,
        id: ConnectionId,
        why: &str,
    ) -> Result<(), AdminError> {
        if !self.has_connection(id) {
            return Err(AdminError::NoSuchConnection(id));
        }
        self.drop_connection(now, id);
        self.send_close(id, why);
        Ok(())
    }

    /// Refuses a routing key that a user may not use at a topic exchange.
    pub(super) fn check_topic_access(
        &self,
        caller: Caller,
        access: Access,
        exchange: ExchangeKey,
        routing_key: &str,
    ) -> Result<(), Fault> {
        let Some(exchange) = self.exchanges.get(exchange).filter(|e| e.kind == Kind::Topic) else {
            return Ok(());
        };
        let options = self.connections.get(&caller.id.connection).map(|c| &c.options);
        let user = options.and_then(|options| self.users.get(&options.user));
        let Some(user) = user.filter(|user| !user.topics.is_empty()) else { return Ok(()) };
        let place = (exchange.vhost_name.clone(), SmolStr::clone(&exchange.name));
        match user.topics.get(&place) {
            Some(grant) if !grant.allows(access, routing_key) => Err(self.refused(
                caller,
                access,
                &format!("topic '{routing_key}' in {}", exchange.what()),
            )),
            _ => Ok(()),
        }
    }

    /// Removes a user's permissions in a vhost (`clear_permissions`): it can no longer connect
    /// there.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchUser`].
    pub fn clear_permissions(&mut self, vhost: &str, user: &str) -> Result<(), AdminError> {
        self.user_mut(user)?.grants.shift_remove(vhost);
        self.refresh_access();
        Ok(())
    }

    fn user_mut(&mut self, name: &str) -> Result<&mut User, AdminError> {
        self.users.get_mut(name).ok_or_else(|| AdminError::NoSuchUser(name.into()))
    }

    /// The permissions of a connection's user in its vhost.
    fn grant(&self, id: ChannelId) -> Option<&Grant> {
        let options = &self.connections.get(&id.connection)?.options;
        self.users.get(&options.user)?.grants.get(&options.virtual_host)
    }

    /// Returns whether a channel's user has every permission in its vhost.
    pub(super) fn is_unrestricted(&self, id: ChannelId) -> bool {
        self.grant(id).is_some_and(Grant::is_unrestricted)
    }

    /// Updates open channels after permissions have changed.
    pub(super) fn refresh_access(&mut self) {
        for key in self.channels.keys() {
            let Some(id) = self.channels.get(key).map(|channel| channel.id) else { continue };
            let is_unrestricted = self.is_unrestricted(id);
            self.channel_mut(key).is_unrestricted = is_unrestricted;
        }
    }

    fn is_allowed(&self, channel: ChannelKey, access: Access, name: &str) -> bool {
        let channel = self.channels.get(channel).expect("the channel of a running method is open");
        let grant = || self.grant(channel.id);
        channel.is_unrestricted || grant().is_some_and(|grant| grant.allows(access, name))
    }

    #[cold]
    fn refused(&self, caller: Caller, access: Access, what: &str) -> Fault {
        let connection = self.connections.get(&caller.id.connection);
        let user = connection.map_or("", |connection| connection.options.user.as_str());
        let kind = match access {
            _ if !self.profile().texts.name_access => "",
            Access::Configure => "configure ",
            Access::Write => "write ",
            Access::Read => "read ",
        };
        Fault::refused(format!("{kind}access to {what} refused for user '{user}'"))
    }

    pub(super) fn check_queue_access(
        &self,
        caller: Caller,
        access: Access,
        name: &str,
    ) -> Result<(), Fault> {
        if self.is_allowed(caller.channel, access, name) {
            return Ok(());
        }
        Err(self.refused(caller, access, &queue_in_vhost(&self.vhost(caller.vhost).name, name)))
    }

    pub(super) fn check_exchange_access(
        &self,
        caller: Caller,
        access: Access,
        name: &str,
    ) -> Result<(), Fault> {
        if self.is_allowed(caller.channel, access, name) {
            return Ok(());
        }
        let name = if name.is_empty() { "amq.default" } else { name };
        Err(self.refused(caller, access, &exchange_in_vhost(&self.vhost(caller.vhost).name, name)))
    }

    /// Refuses a passive declaration of a queue without any permission for it, in versions that
    /// look.
    pub(super) fn check_passive_queue(&self, caller: Caller, name: &str) -> Result<(), Fault> {
        match self.may_declare_passively(caller, name) {
            true => Ok(()),
            false => self.check_queue_access(caller, Access::Configure, name),
        }
    }

    /// As [`Broker::check_passive_queue`], for an exchange.
    pub(super) fn check_passive_exchange(&self, caller: Caller, name: &str) -> Result<(), Fault> {
        match self.may_declare_passively(caller, name) {
            true => Ok(()),
            false => self.check_exchange_access(caller, Access::Configure, name),
        }
    }

    fn may_declare_passively(&self, caller: Caller, name: &str) -> bool {
        let all = [Access::Configure, Access::Write, Access::Read];
        let mut all = all.into_iter();
        !self.profile().checks_passive_declarations
            || all.any(|access| self.is_allowed(caller.channel, access, name))
    }
}
