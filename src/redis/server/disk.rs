//! The server's disk. Its contents are modelled in `persist`.

use super::Server;
use crate::redis::persist::{Disk, Losses, Setup};

impl Server {
    /// Returns the disk, as the server is configured now.
    pub(super) fn disk(&mut self) -> Disk<'_> {
        let setup = Setup {
            restarts_from_append_only: self.options.append_only(),
            append_only: self.config.append_only,
            fsync: self.config.fsync,
            fsync_time: self.options.fsync_time(),
            save_points: &self.config.save_points,
            restarts_as_replica: self.options.master().is_some(),
            cron_paused: self.cron_paused,
        };
        Disk {
            state: &mut self.persistence,
            databases: &mut self.databases,
            setup,
            now: self.now,
            ahead: self.ahead,
        }
    }

    /// Returns the losses of the last stop, whatever kind of stop it was.
    #[must_use]
    pub fn losses(&self) -> &Losses {
        self.persistence.losses()
    }

    /// Returns what the last stop lost as text, the first time it is called after that.
    pub(crate) fn take_loss_note(&mut self) -> Option<String> {
        self.persistence.take_loss_note()
    }
}
