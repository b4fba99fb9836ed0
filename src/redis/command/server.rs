//! The commands on the server.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
