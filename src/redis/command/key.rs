//! The commands on keys of any type.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
