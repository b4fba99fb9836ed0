//! The commands on sets.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
