//! The commands on connections.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
