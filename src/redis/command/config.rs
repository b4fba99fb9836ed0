//! The commands on configuration.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
