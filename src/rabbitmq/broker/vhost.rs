//! Vhosts and their limits: `rabbitmqctl add_vhost` and so on.

use super::{Broker, Connection};
use crate::Instant;
use crate::rabbitmq::key::VHostKey;
use crate::rabbitmq::protocol::error::{Fault, ReplyCode};
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{ConnectionOptions, Event, Output};
use crate::rabbitmq::protocol::names::NODE;
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::version::ChannelLimit;
use crate::rabbitmq::vhost::error::AdminError;
use crate::rabbitmq::vhost::user::Permissions;
use crate::rabbitmq::vhost::{VHost, VHostLimits};
use crate::sort::sort_by;
use smol_str::SmolStr;

impl Broker {
    /// Creates what a new server has: vhost `/`, and the user `guest` with all permissions there.
    pub(super) fn make_defaults(&mut self) {
        self.add_vhost("/");
        let described = self.describe_vhost("/", "Default virtual host", &[]);
        self.add_user("guest", "guest");
        let tags = self.set_user_tags("guest", &["administrator"]);
        let granted = self.set_permissions("/", "guest", Permissions::all());
        #[cfg(feature = "definitions")]
        if self.profile().definitions.have_cluster_tags {
            let none = serde_json::Value::Array(Vec::new());
            self.global_parameters.insert("cluster_tags".into(), none);
        }
        described.and(tags).and(granted).expect("the user and the vhost were created above");
    }

    /// Adds a vhost with its predeclared exchanges (`add_vhost`). Has no effect if it exists. No
    /// user has permissions in a new vhost.
    pub fn add_vhost(&mut self, name: impl Into<SmolStr>) {
        let name = name.into();
        if !self.vhost_names.contains_key(&name) {
            let key = self.vhosts.insert(VHost::new(name.clone()));
            self.vhost_names.insert(name, key);
            self.declare_system_exchanges(key);
        }
    }

    /// Sets the description and tags of a vhost (`add_vhost --description --tags`). They are
    /// visible in listings and definitions only.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn describe_vhost(
        &mut self,
        name: &str,
        description: &str,
        tags: &[&str],
    ) -> Result<(), AdminError> {
        let key = self.vhost_key(name)?;
        let vhost = self.vhost_mut(key);
        vhost.is_described = true;
        vhost.description = description.into();
        vhost.tags = tags.iter().map(SmolStr::new).collect();
        Ok(())
    }

    /// Sets the type of queues that are declared in a vhost from now on without a type (`add_vhost
    /// --default-queue-type`). As in the server, this applies to durable queues that are neither
    /// exclusive nor auto-delete: they get the argument `x-queue-type`. `None`, the default, leaves
    /// them classic; since 4.0, listings then say so.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn set_default_queue_type(
        &mut self,
        vhost: &str,
        queue_type: Option<QueueType>,
    ) -> Result<(), AdminError> {
        let key = self.vhost_key(vhost)?;
        self.vhost_mut(key).default_queue_type = queue_type;
        Ok(())
    }

    /// Removes a vhost and everything in it (`delete_vhost`). Connections to it are closed.
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn delete_vhost(&mut self, now: Instant, name: &str) -> Result<(), AdminError> {
        let key = self.vhost_key(name)?;
        let queues: Vec<_> = self.vhost(key).queues.values().copied().collect();
        queues.into_iter().for_each(|queue| self.delete_queue(queue));
        let to_vhost = |connection: &Connection| connection.vhost == key;
        // The server does not wait for an answer.
        let state = if self.profile().texts.deleted_vhost_is_down { "down" } else { "deleted" };
        for id in self.force_closed(now, to_vhost, &format!("vhost '{name}' is {state}")) {
            let (channel, event) = (ChannelNumber(0), Event::ConnectionLost);
            self.outputs.push(Output { connection: id, channel, event });
        }
        let exchanges: Vec<_> = self.vhost(key).exchanges.values().copied().collect();
        exchanges.into_iter().for_each(|exchange| self.remove_exchange(exchange));
        if let Some(vhost) = self.vhosts.remove(key) {
            self.tally += vhost.published.stats();
        }
        self.vhost_names.shift_remove(name);
        for user in self.users.values_mut() {
            user.grants.shift_remove(name);
            user.topics.retain(|(vhost, _), _| vhost != name);
        }
        Ok(())
    }

    /// Closes the connections that pass, and tells them why. Returns their ids.
    pub(super) fn force_closed(
        &mut self,
        now: Instant,
        passes: impl Fn(&Connection) -> bool,
        why: &str,
    ) -> Vec<ConnectionId> {
        let passing = self.connections.iter().filter(|(_, connection)| passes(connection));
        let mut closed: Vec<ConnectionId> = passing.map(|(id, _)| *id).collect();
        sort_by(&mut closed, Ord::cmp);
        for &id in &closed {
            self.drop_connection(now, id);
            self.send_close(id, why);
        }
        closed
    }

    /// Tells a connection why it was closed.
    pub(super) fn send_close(&mut self, id: ConnectionId, why: &str) {
        let fault = Fault::new(ReplyCode::ConnectionForced, why);
        let error = Box::new(fault.of(super::MethodId::NONE));
        let (channel, event) = (ChannelNumber(0), Event::ConnectionClose(error));
        self.outputs.push(Output { connection: id, channel, event });
    }

    /// Sets the limits of a vhost (`set_vhost_limits`).
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn set_vhost_limits(&mut self, name: &str, limits: VHostLimits) -> Result<(), AdminError> {
        let key = self.vhost_key(name)?;
        self.vhost_mut(key).limits = limits;
        Ok(())
    }

    pub(crate) fn vhost_key(&self, name: &str) -> Result<VHostKey, AdminError> {
        let key = self.vhost_names.get(name).copied();
        key.ok_or_else(|| AdminError::NoSuchVHost(name.into()))
    }

    /// Returns the vhost that a connection opens. Its user must have access to it.
    pub(super) fn opened_vhost(&self, options: &ConnectionOptions) -> Result<VHostKey, Fault> {
        let ConnectionOptions { virtual_host: vhost, user, .. } = options;
        let refuse = |reason: String| Err(Fault::new(ReplyCode::NotAllowed, reason));
        let Some(&key) = self.vhost_names.get(vhost) else {
            return refuse(format!("vhost {vhost} not found"));
        };
        let account = self.users.get(user);
        if !account.is_some_and(|account| account.grants.contains_key(vhost)) {
            return refuse(format!("access to vhost '{vhost}' refused for user '{user}'"));
        }
        // Without a limit nobody is counted, so that a connection costs the same among many.
        let open = || self.connections.values().filter(|c| c.vhost == key).count();
        if let Some(max) = self.vhost(key).limits.max_connections
            && open() >= max as usize
        {
            return refuse(format!(
                "access to vhost '{vhost}' refused for user '{user}': connection limit ({max}) is \
                 reached"
            ));
        }
        let limits = account.map(|account| account.limits).unwrap_or_default();
        let own = || self.connections.values().filter(|c| c.options.user == *user).count();
        if let Some(max) = limits.max_connections
            && own() >= max as usize
        {
            return refuse(format!(
                "connection refused for user '{user}': user connection limit ({max}) is reached"
            ));
        }
        Ok(key)
    }

    /// Refuses one more channel than a connection's user may have.
    pub(super) fn check_channel_limit(&self, id: ConnectionId) -> Result<(), Fault> {
        let Some(user) = self.connections.get(&id).map(|c| &c.options.user) else { return Ok(()) };
        let Some(max) = self.users.get(user).and_then(|user| user.limits.max_channels) else {
            return Ok(());
        };
        let own = self.connections.values().filter(|connection| connection.options.user == *user);
        let open: usize = own.map(|connection| connection.channels.len()).sum();
        if open < max as usize {
            return Ok(());
        }
        let (user, max) = match self.profile().texts.channel_limit {
            ChannelLimit::InBrackets => (user.as_str(), format!("({max})")),
            ChannelLimit::NamesNode => (NODE, format!("({max})")),
            ChannelLimit::Plain => (user.as_str(), max.to_string()),
        };
        let reason = format!(
            "number of channels opened for user '{user}' has reached the maximum allowed user \
             limit of {max}"
        );
        Err(Fault::new(ReplyCode::NotAllowed, reason))
    }

    /// Refuses one more queue than a vhost may have.
    pub(super) fn check_queue_limit(&self, key: VHostKey, name: &str) -> Result<(), Fault> {
        let vhost = self.vhost(key);
        match vhost.limits.max_queues {
            Some(max) if vhost.queues.len() >= max as usize => Err(Fault::precondition(format!(
                "cannot declare queue '{name}': queue limit in vhost '{}' ({max}) is reached",
                vhost.name
            ))),
            _ => Ok(()),
        }
    }
}
