//! How the server stops, starts and keeps what it has.

use super::Server;

impl Server {
    /// What the configuration says reaches those it concerns.
    pub(crate) fn apply_config(&mut self) {
        for database in &mut self.databases {
            database.limits = self.config.limits;
            let events = self.config.events;
            database.observers.classes = if events.is_silent() { Default::default() } else { events };
        }
    }

    /// Saves and syncs what is due.
    pub(super) fn persist_due(&mut self) {}

    /// Saves the keys if there are save points, as `FLUSHALL` does.
    pub(crate) fn save_if_configured(&mut self) {}
}
