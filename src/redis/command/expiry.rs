//! The commands on times to live.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
