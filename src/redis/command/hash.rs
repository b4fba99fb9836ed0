//! The commands on hashes.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
