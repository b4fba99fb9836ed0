//! The commands on scanning.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
