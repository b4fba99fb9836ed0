//! The commands on the server.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];

/// The version that is modelled.
pub(super) const VERSION: &str = "7.0.15";
