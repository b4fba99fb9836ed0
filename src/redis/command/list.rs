//! The commands on lists.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
