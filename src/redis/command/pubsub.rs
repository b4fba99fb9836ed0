//! The commands on publish and subscribe.

use super::Command;

pub(super) const COMMANDS: &[Command] = &[];
