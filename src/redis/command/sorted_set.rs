//! The commands on sorted sets.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
