//! The commands on transactions.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
