//! Definitions of a broker in a world. Each method is that of [`Broker`] with the same name.

use super::handle::RabbitMq;
use crate::rabbitmq::admin::AdminError;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::definitions::{Definitions, DefinitionsError};

/// The definitions of a broker in a world (feature `definitions`).
impl RabbitMq {
    /// Imports the definitions of a whole server: [`Broker::import_definitions`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::import_definitions`].
    pub fn import_definitions(&self, definitions: &Definitions) -> Result<(), DefinitionsError> {
        self.with(|broker, now| broker.import_definitions(now, definitions))
    }

    /// Imports the definitions of a single vhost into this one:
    /// [`Broker::import_vhost_definitions`].
    ///
    /// # Errors
    ///
    /// As for [`Broker::import_vhost_definitions`].
    pub fn import_vhost_definitions(
        &self,
        vhost: &str,
        definitions: &Definitions,
    ) -> Result<(), DefinitionsError> {
        self.with(|broker, now| broker.import_vhost_definitions(now, vhost, definitions))
    }

    /// Returns the definitions of the whole broker: [`Broker::export_definitions`].
    #[must_use]
    pub fn export_definitions(&self) -> Definitions {
        self.inspect(Broker::export_definitions)
    }

    /// Returns the definitions of one vhost: [`Broker::export_vhost_definitions`].
    ///
    /// # Errors
    ///
    /// [`AdminError::NoSuchVHost`].
    pub fn export_vhost_definitions(&self, vhost: &str) -> Result<Definitions, AdminError> {
        self.inspect(|broker| broker.export_vhost_definitions(vhost))
    }
}
