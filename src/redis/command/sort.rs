//! The commands on sorting.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
