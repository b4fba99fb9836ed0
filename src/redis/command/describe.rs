//! The commands on commands.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
